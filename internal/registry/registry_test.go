package registry_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/registry"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const ente multe.CreditorID = "00514490010"

type world struct {
	*registry.Registry
	store store.Store
	clock time.Time
	file  string
}

func open(t *testing.T) *world {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.db")
	s, err := boltstore.Open(file, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{file: file, store: storetest.Twice(s), clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.Registry = registry.New(w.store, func() time.Time { return w.clock }, rand.Reader)
	if _, err := w.AddCreditor(t.Context(), "admin", creditor()); err != nil {
		t.Fatal(err)
	}
	return w
}

func creditor() multe.Creditor {
	return multe.Creditor{ID: ente, Name: "Comune di Torino", CodiceVersamento: "MULT", PoolLow: 10, PoolTarget: 50}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || fault.Of(err).Code != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}

func TestCreditors(t *testing.T) {
	w := open(t)
	_, err := w.AddCreditor(t.Context(), "admin", creditor())
	wantCode(t, err, "creditor.exists")
	bad := creditor()
	bad.ID = "12345678901"
	_, err = w.AddCreditor(t.Context(), "admin", bad)
	wantCode(t, err, "creditor.bad_cf")
	_, err = w.Creditor(t.Context(), "99999999999")
	wantCode(t, err, "creditor.unknown")
	if got, err := w.Creditor(t.Context(), ente); err != nil || got.Name != "Comune di Torino" || got.Version != 1 {
		t.Errorf("Creditor = %+v, %v", got, err)
	}
	if got, err := w.Creditors(t.Context(), "", 10); err != nil || len(got) != 1 {
		t.Errorf("Creditors = %v, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	w := open(t)
	for _, name := range []string{"", " palmare", "palmare ", "due\nrighe", "\x00", "\xff", strings.Repeat("è", 101), "\u202einvertito"} {
		_, _, err := w.AddDevice(t.Context(), "admin", ente, name, true)
		wantCode(t, err, "device.bad_name")
		_, _, err = w.AddOperator(t.Context(), "admin", ente, name, "")
		wantCode(t, err, "operator.bad_name")
	}
	if _, _, err := w.AddDevice(t.Context(), "admin", ente, strings.Repeat("è", 50), true); err != nil {
		t.Errorf("50 letters: %v", err)
	}
	_, _, err := w.AddDevice(t.Context(), "admin", "99999999999", "Palmare 1", true)
	wantCode(t, err, "creditor.unknown")
}

// TestDeviceLife follows one handheld through invitation, use, re-installation,
// loss, and every secret it had on the way.
func TestDeviceLife(t *testing.T) {
	w, ctx := open(t), t.Context()
	d, code, err := w.AddDevice(ctx, "operator:1", ente, "Palmare 1", true)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(code, "pvi_") || len(code) < 4+22 { // 128 bits in base64
		t.Errorf("invite %q is short or unmarked", code)
	}
	_, err = w.DeviceByToken(ctx, code)
	wantCode(t, err, "auth.bad_token")

	enrolled, of, token, err := w.Enrol(ctx, code)
	if err != nil || enrolled.ID != d.ID || of.ID != ente || !strings.HasPrefix(token, "pvd_") || len(token) < 4+43 {
		t.Fatalf("Enrol = %+v, %v, %q, %v", enrolled, of.ID, token, err)
	}
	_, _, _, err = w.Enrol(ctx, code)
	wantCode(t, err, "enrolment.unknown")
	if got, err := w.DeviceByToken(ctx, token); err != nil || got.ID != d.ID {
		t.Fatalf("DeviceByToken = %+v, %v", got, err)
	}

	_, second, err := w.InviteDevice(ctx, "operator:1", ente, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.DeviceByToken(ctx, token)
	wantCode(t, err, "auth.bad_token") // two holders of one identity must never be
	w.clock = w.clock.Add(10 * time.Minute)
	_, _, _, err = w.Enrol(ctx, second)
	wantCode(t, err, "enrolment.expired")
	_, third, err := w.InviteDevice(ctx, "operator:1", ente, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = w.Enrol(ctx, second)
	wantCode(t, err, "enrolment.unknown")
	_, _, token, err = w.Enrol(ctx, third)
	if err != nil {
		t.Fatal(err)
	}

	if _, _, err := w.RevokeDevice(ctx, "operator:1", ente, d.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeviceByToken(ctx, token)
	wantCode(t, err, "auth.bad_token")
	_, _, err = w.InviteDevice(ctx, "operator:1", ente, d.ID)
	wantCode(t, err, "device.wrong_state")
	_, _, err = w.RevokeDevice(ctx, "operator:1", ente, "nobody")
	wantCode(t, err, "device.unknown")
	if ds, err := w.Devices(ctx, ente, "", 10); err != nil || len(ds) != 1 || ds[0].State != multe.DeviceRevoked {
		t.Errorf("Devices = %v, %v", ds, err)
	}
	if got, want := w.actions(t), "creditor.added device.invited device.enrolled device.invited device.invited device.enrolled device.revoked"; got != want {
		t.Errorf("history = %s\nwant      %s", got, want)
	}
}

// TestSecretsAreNotKept looks for every secret in everything that was stored and
// in every error.
func TestSecretsAreNotKept(t *testing.T) {
	w, ctx := open(t), t.Context()
	_, invite, err := w.AddDevice(ctx, "admin", ente, "Palmare 1", true)
	if err != nil {
		t.Fatal(err)
	}
	d, _, token, err := w.Enrol(ctx, invite)
	if err != nil {
		t.Fatal(err)
	}
	op, opToken, err := w.AddOperator(ctx, "admin", ente, "Sportello", "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, used := w.Enrol(ctx, invite)
	_, wrong := w.OperatorByToken(ctx, token)
	stored, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	dump := fmt.Sprintf("%#v %#v %v %v ", d, op, used, wrong) + string(stored)
	for _, secret := range []string{invite, token, opToken} {
		if strings.Contains(dump, secret[4:]) {
			t.Errorf("the secret %s… is kept or told", secret[:4])
		}
	}
}

func TestOperators(t *testing.T) {
	w, ctx := open(t), t.Context()
	op, token, err := w.AddOperator(ctx, "admin", ente, "Sportello", "")
	if err != nil || !strings.HasPrefix(token, "pvo_") || len(token) < 4+43 {
		t.Fatalf("AddOperator = %+v, %q, %v", op, token, err)
	}
	if got, err := w.OperatorByToken(ctx, token); err != nil || got.ID != op.ID || got.Creditor != ente {
		t.Errorf("OperatorByToken = %+v, %v", got, err)
	}
	for _, bad := range []string{"", "pvo_", token + "a", "pvd_" + token[4:], token[:len(token)-1] + "!", strings.Repeat("a", 1<<20)} {
		_, err := w.OperatorByToken(ctx, bad)
		wantCode(t, err, "auth.bad_token")
		_, err = w.DeviceByToken(ctx, bad)
		wantCode(t, err, "auth.bad_token")
	}
}

// TestOneOfTwoRacersEnrols lets sixteen handhelds use one code at once.
func TestOneOfTwoRacersEnrols(t *testing.T) {
	w := open(t)
	_, code, err := w.AddDevice(t.Context(), "admin", ente, "Palmare 1", true)
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		tokens []string
	)
	for range 16 {
		wg.Go(func() {
			_, _, token, err := w.Enrol(t.Context(), code)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				tokens = append(tokens, token)
			case !errors.Is(err, fault.Forbidden) && !errors.Is(err, fault.Conflict):
				t.Errorf("a loser got %v", err)
			}
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Fatalf("%d tokens for one code", len(tokens))
	}
	if _, err := w.DeviceByToken(t.Context(), tokens[0]); err != nil {
		t.Errorf("the winner's token: %v", err)
	}
}

// TestRevokingSetsCodesAside checks that what a lost handheld held goes neither
// back to the pool nor to anybody, and that others keep theirs.
func TestRevokingSetsCodesAside(t *testing.T) {
	w, ctx := open(t), t.Context()
	lost, _, err := w.AddDevice(ctx, "admin", ente, "Perso", true)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := w.AddDevice(ctx, "admin", ente, "Altro", true)
	if err != nil {
		t.Fatal(err)
	}
	err = w.store.Update(ctx, func(tx store.Tx) error {
		for i := range 6 {
			d := lost.ID
			if i%2 == 0 {
				d = other.ID
			}
			c := multe.Code{Creditor: ente, Position: multe.PositionID(fmt.Sprintf("%032x", i)), State: multe.CodeAssigned, Device: d, Version: 1}
			if err := tx.PutCode(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, exposed, err := w.RevokeDevice(ctx, "admin", ente, lost.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(exposed) != 3 || exposed[0].Position != multe.PositionID(fmt.Sprintf("%032x", 1)) || exposed[2].State != multe.CodeQuarantined {
		t.Errorf("exposed = %+v, want the three that the lost one held", exposed)
	}
	err = w.store.View(ctx, func(r store.Reader) error {
		counts, err := r.CountCodes(ente)
		if counts[multe.CodeAssigned] != 3 || counts[multe.CodeQuarantined] != 3 {
			t.Errorf("counts = %v, want 3 assigned and 3 quarantined", counts)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) actions(t *testing.T) string {
	t.Helper()
	var all []string
	err := w.store.View(t.Context(), func(r store.Reader) error {
		entries, err := r.Audit(ente, "", 0, store.MaxPage)
		for _, e := range entries {
			all = append(all, e.Action)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// TestKeys follows a handheld that signs: its key is in force from its enrolment
// until it is invited again or revoked, and belongs to it alone.
func TestKeys(t *testing.T) {
	w, ctx := open(t), t.Context()
	d, code, err := w.AddDevice(ctx, "admin", ente, "Palmare 1", false)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = w.Enrol(ctx, code)
	wantCode(t, err, "enrolment.key_required")
	mine, theirs := newKey(t), newKey(t)
	_, err = w.DeviceByKey(ctx, mine.ID().String())
	wantCode(t, err, "auth.unknown_key")
	_, _, err = w.EnrolKey(ctx, "pvi_AAAAAAAAAAAAAAAAAAAAAA", mine)
	wantCode(t, err, "enrolment.unknown")
	for _, again := range []string{"the first time", "after a lost answer"} {
		got, of, err := w.EnrolKey(ctx, code, mine)
		if err != nil || got.ID != d.ID || got.Key != mine || of.ID != ente || got.Version != 2 {
			t.Fatalf("%s: EnrolKey = %+v, %v", again, got, err)
		}
	}
	if got, err := w.DeviceByKey(ctx, mine.ID().String()); err != nil || got.ID != d.ID {
		t.Fatalf("DeviceByKey = %+v, %v", got, err)
	}
	_, _, err = w.EnrolKey(ctx, code, theirs)
	wantCode(t, err, "enrolment.unknown")

	_, second, err := w.AddDevice(ctx, "admin", ente, "Palmare 2", true)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.EnrolKey(ctx, second, mine)
	wantCode(t, err, "enrolment.key_in_use")
	_, _, token, err := w.Enrol(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", strings.ToUpper(mine.ID().String()), multe.DigestOf([]byte(token)).String(), strings.Repeat("0", 64)} {
		_, err := w.DeviceByKey(ctx, bad)
		wantCode(t, err, "auth.unknown_key")
	}

	if _, _, err := w.InviteDevice(ctx, "admin", ente, d.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeviceByKey(ctx, mine.ID().String())
	wantCode(t, err, "auth.unknown_key")
}

func newKey(t *testing.T) multe.DeviceKey {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	k, err := multe.ParseDeviceKey(base64.StdEncoding.EncodeToString(der))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
