package webhooks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
	"preavviso/internal/webhooks"
)

const (
	torino = multe.CreditorID("00514490010")
	alba   = multe.CreditorID("00184260040")
	hook   = multe.WebhookID("0193c3d4e5f60000000000000000000a")
)

// receiver is a town's program: it answers as it is told, and keeps what it took.
type receiver struct {
	answer func(webhooks.Delivery) (int, error)
	all    []webhooks.Delivery
	took   []webhooks.Event
}

func (r *receiver) Send(_ context.Context, d webhooks.Delivery) (int, error) {
	r.all = append(r.all, d)
	status, err := http.StatusOK, error(nil)
	if r.answer != nil {
		status, err = r.answer(d)
	}
	if err == nil && status/100 == 2 {
		var body struct {
			Creditor string
			Events   []webhooks.Event
		}
		if err := json.Unmarshal(d.Body, &body); err != nil {
			return 0, err
		}
		r.took = append(r.took, body.Events...)
	}
	return status, err
}

func (r *receiver) types() []string {
	var got []string
	for _, e := range r.took {
		got = append(got, e.Type)
	}
	return got
}

type rig struct {
	*testing.T
	store    store.Store
	hooks    *webhooks.Webhooks
	receiver *receiver
	secret   multe.WebhookSecret
}

// within runs a test in a bubble of time, with one webhook of Torino.
func within(t *testing.T, families []string, fn func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		file, err := boltstore.Open(filepath.Join(t.TempDir(), "store"), boltstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r := &rig{T: t, store: storetest.Twice(file), receiver: &receiver{}}
		r.hooks = webhooks.New(r.store, r.receiver, time.Now, rand.NewChaCha8([32]byte{}), func() {})
		for _, c := range []multe.CreditorID{torino, alba} {
			r.update(func(tx store.Tx) error { return tx.PutCreditor(multe.Creditor{ID: c, Version: 1}) })
		}
		r.happens("verbale.issued") // before anybody listens
		if _, r.secret, err = r.hooks.Put(t.Context(), "operator:1", torino, hook, "https://comune.example/eventi", families); err != nil {
			t.Fatal(err)
		}
		fn(r)
	})
}

func (r *rig) update(fn func(store.Tx) error) {
	r.Helper()
	if err := r.store.Update(r.Context(), fn); err != nil {
		r.Fatal(err)
	}
}

// happens leaves lines in Torino's history, and one in Alba's.
func (r *rig) happens(actions ...string) {
	r.Helper()
	for _, a := range actions {
		for _, c := range []multe.CreditorID{torino, alba} {
			r.update(func(tx store.Tx) error {
				return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: multe.Instant(time.Now()), Actor: "device:D", Action: a, Position: "P1", Subject: "V1", From: "issued", To: "settled", Code: "000"})
			})
		}
	}
}

// deliver works until there is nothing to do.
func (r *rig) deliver() {
	r.Helper()
	for range 50 {
		more, err := r.hooks.Deliver(r.Context())
		if err != nil {
			r.Fatal(err)
		}
		if !more {
			return
		}
	}
	r.Fatal("there is always more to deliver")
}

func (r *rig) webhook() multe.Webhook {
	r.Helper()
	ws, err := r.hooks.List(r.Context(), torino)
	if err != nil || len(ws) != 1 {
		r.Fatalf("List = %v, %v", ws, err)
	}
	return ws[0]
}

func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	if err == nil || fault.Of(err).Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// TestTold is what a receiver gets: its creditor's lines, of its families, in
// order, signed so that the reference implementation believes it.
func TestTold(t *testing.T) {
	within(t, []string{"payment", "verbale", "payment"}, func(r *rig) {
		t := r.T
		r.happens("verbale.issued", "code.issued", "payment.heard", "session.opened", "personal.looked", "verbale.settled")
		r.deliver()
		if diff := cmp.Diff([]string{"verbale.issued", "payment.heard", "verbale.settled"}, r.receiver.types()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if len(r.receiver.all) != 1 {
			t.Fatalf("%d deliveries, want 1", len(r.receiver.all))
		}
		d := r.receiver.all[0]
		if !bytes.HasPrefix(d.Body, []byte(`{"creditor":"00514490010","events":[{"id":"00514490010-3","seq":3,"type":"verbale.issued","at":"`)) {
			t.Errorf("body = %s", d.Body)
		}
		verifier, err := standard.NewWebhook(string(r.secret))
		if err != nil {
			t.Fatal(err)
		}
		headers := http.Header{}
		for name, value := range d.Headers {
			headers.Set(name, value)
		}
		if err := verifier.Verify(d.Body, headers); err != nil {
			t.Errorf("the signature is not good: %v", err)
		}
		if err := verifier.Verify(append(d.Body, ' '), headers); err == nil {
			t.Error("the signature is good for another body too")
		}
		r.deliver()
		if len(r.receiver.all) != 1 {
			t.Error("told again")
		}
	})
}

// TestManyEvents is more than one delivery can hold: each once, in order.
func TestManyEvents(t *testing.T) {
	within(t, nil, func(r *rig) {
		t := r.T
		r.update(func(tx store.Tx) error {
			for range 2345 {
				for _, a := range []string{"code.issued", "session.opened"} {
					if err := tx.AppendAudit(multe.AuditEntry{Creditor: torino, Action: a}); err != nil {
						return err
					}
				}
			}
			return nil
		})
		r.deliver()
		if len(r.receiver.took) != 2345 || !slices.IsSortedFunc(r.receiver.took, func(a, b webhooks.Event) int { return int(a.Seq) - int(b.Seq) }) {
			t.Errorf("%d events, want 2345 in order", len(r.receiver.took))
		}
		if n := len(r.receiver.all); n != 24 {
			t.Errorf("%d deliveries, want 24", n)
		}
	})
}

// TestReceiverFails walks through the troubles of a receiver: nothing is lost, it
// is asked ever more rarely, and the office is told at the end.
func TestReceiverFails(t *testing.T) {
	for name, answer := range map[string]func(webhooks.Delivery) (int, error){
		"no answer":  func(webhooks.Delivery) (int, error) { return 0, errors.New("connection refused") },
		"an error":   func(webhooks.Delivery) (int, error) { return 503, nil },
		"a redirect": func(webhooks.Delivery) (int, error) { return 302, nil },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, nil, func(r *rig) {
				t := r.T
				r.happens("verbale.issued")
				r.receiver.answer = answer
				began, tries := time.Now(), []time.Duration{}
				for r.webhook().State == multe.WebhookActive {
					if time.Since(began) > 2*multe.WebhookGivesUp {
						t.Fatal("it never gives up")
					}
					before := len(r.receiver.all)
					r.deliver()
					if len(r.receiver.all) > before {
						tries = append(tries, time.Since(began))
					}
					time.Sleep(time.Minute)
				}
				if len(tries) < 15 || len(tries) > 40 || !slices.Equal(tries[:4], []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute}) {
					t.Errorf("tried after %v", tries)
				}
				first := r.receiver.all[0]
				for _, d := range r.receiver.all {
					if !bytes.Equal(d.Body, first.Body) || d.Headers["webhook-id"] != first.Headers["webhook-id"] {
						t.Error("a repetition is another delivery")
					}
				}
				r.trouble(1)

				r.receiver.answer = nil
				r.happens("verbale.settled")
				r.deliver()
				if len(r.receiver.took) > 0 {
					t.Error("a paused webhook was told")
				}
				if _, err := r.hooks.Resume(t.Context(), "operator:1", torino, hook, nil); err != nil {
					t.Fatal(err)
				}
				r.deliver()
				if diff := cmp.Diff([]string{"verbale.issued", "verbale.settled"}, r.receiver.types()); diff != "" {
					t.Errorf("told in the end (-want +got):\n%s", diff)
				}
				r.trouble(0)
			})
		})
	}
}

// trouble checks how many troubles the office sees, and that they say what to do.
func (r *rig) trouble(want int) {
	r.Helper()
	err := r.store.View(r.Context(), func(rd store.Reader) error {
		ds, err := rd.Discrepancies(torino, true, "", 10)
		if len(ds) != want {
			r.Errorf("open troubles = %v, want %d", ds, want)
		}
		for _, d := range ds {
			if !strings.Contains(d.Detail, "riattivare il webhook") {
				r.Errorf("detail = %q", d.Detail)
			}
		}
		return err
	})
	if err != nil {
		r.Error(err)
	}
}

// TestGone is a receiver that says that it will not come back.
func TestGone(t *testing.T) {
	within(t, nil, func(r *rig) {
		t := r.T
		r.receiver.answer = func(webhooks.Delivery) (int, error) { return http.StatusGone, nil }
		r.happens("verbale.issued")
		r.deliver()
		if w := r.webhook(); w.State != multe.WebhookPaused || w.Status != http.StatusGone {
			t.Errorf("webhook = %+v", w)
		}
		r.trouble(1)
	})
}

// TestReplay tells everything again, and refuses what has not happened yet.
func TestReplay(t *testing.T) {
	within(t, []string{"verbale"}, func(r *rig) {
		t := r.T
		r.happens("verbale.issued", "verbale.finalised")
		r.deliver()
		from := uint64(0)
		if _, err := r.hooks.Resume(t.Context(), "operator:1", torino, hook, &from); err != nil {
			t.Fatal(err)
		}
		r.deliver()
		if diff := cmp.Diff([]string{"verbale.issued", "verbale.finalised", "verbale.issued", "verbale.issued", "verbale.finalised"}, r.receiver.types()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if a, b := r.receiver.took[0], r.receiver.took[3]; a != b {
			t.Errorf("told again as %+v, was %+v", b, a)
		}
		future := uint64(1000)
		_, err := r.hooks.Resume(t.Context(), "operator:1", torino, hook, &future)
		wantCode(t, "resuming in the future", err, "webhook.bad_seq")
	})
}

// TestRotation signs with both secrets for a day.
func TestRotation(t *testing.T) {
	within(t, nil, func(r *rig) {
		t := r.T
		_, fresh, err := r.hooks.Rotate(t.Context(), "operator:1", torino, hook)
		if err != nil || fresh == r.secret {
			t.Fatalf("Rotate: same secret %t, %v", fresh == r.secret, err)
		}
		for _, want := range []struct{ old, fresh bool }{{true, true}, {false, true}} {
			r.happens("verbale.issued")
			r.deliver()
			d := r.receiver.all[len(r.receiver.all)-1]
			headers := http.Header{}
			for name, value := range d.Headers {
				headers.Set(name, value)
			}
			good := func(s multe.WebhookSecret) bool {
				v, err := standard.NewWebhook(string(s))
				return err == nil && v.VerifyIgnoringTimestamp(d.Body, headers) == nil
			}
			if good(r.secret) != want.old || good(fresh) != want.fresh {
				t.Errorf("old secret good: %t, new: %t; want %+v", good(r.secret), good(fresh), want)
			}
			time.Sleep(25 * time.Hour)
		}
	})
}

// TestChangedMeanwhile has an operator move the webhook while it is being told.
func TestChangedMeanwhile(t *testing.T) {
	within(t, nil, func(r *rig) {
		t := r.T
		r.happens("verbale.issued")
		r.receiver.answer = func(webhooks.Delivery) (int, error) {
			r.receiver.answer = nil
			_, _, err := r.hooks.Put(t.Context(), "operator:1", torino, hook, "https://altrove.example/", nil)
			return http.StatusOK, err
		}
		r.deliver()
		if len(r.receiver.all) != 2 || r.receiver.all[1].URL != "https://altrove.example/" {
			t.Errorf("deliveries: %d, want two, the second elsewhere", len(r.receiver.all))
		}
	})
}

// TestRefused is what an operator may not ask for, and that nothing changes.
func TestRefused(t *testing.T) {
	within(t, nil, func(r *rig) {
		t := r.T
		ctx := t.Context()
		put := func(id multe.WebhookID, url string, families ...string) error {
			_, _, err := r.hooks.Put(ctx, "operator:1", torino, id, url, families)
			return err
		}
		wantCode(t, "an id of another form", put("1", "https://a.example/"), "webhook.bad_id")
		for _, url := range []string{"", "a.example", "ftp://a.example/", "https://", "https://u:p@a.example/", "https://a.example/#x", "https://a.example/" + strings.Repeat("x", 500)} {
			wantCode(t, url, put(hook, url), "webhook.bad_url")
		}
		wantCode(t, "sessions", put(hook, "https://a.example/", "verbale", "session"), "webhook.bad_family")
		if err := put(hook, "https://comune.example/eventi"); err != nil {
			t.Errorf("a repetition: %v", err)
		}
		if w := r.webhook(); w.Version != 1 {
			t.Errorf("webhook = %+v, want it untouched", w)
		}
		for i := range multe.MaxWebhooks - 1 {
			if err := put(multe.WebhookID(fmt.Sprintf("%032x", i)), "https://a.example/"); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, "one too many", put("ffffffffffffffffffffffffffffffff", "https://a.example/"), "webhook.too_many")
		_, err := r.hooks.Pause(ctx, "operator:1", alba, hook)
		wantCode(t, "another creditor's", err, "webhook.unknown")
		if s := fmt.Sprintf("%v %s %+v", r.secret, r.secret, multe.Webhook{Secret: r.secret, Before: r.secret}); strings.Contains(s, "whsec_") {
			t.Errorf("the secret is printed: %s", s)
		}
	})
}
