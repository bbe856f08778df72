package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/config"
	"preavviso/internal/dispatch"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/ppay"
	"preavviso/internal/receipts"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// examples are synthetic messages of every kind: ours, and those of the contract
// where it lies beside this checkout, the valid and the maximal and what real code
// sends against its own schema.
func examples(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../ppay/testdata/*.xml", "../../../shared/contract/examples/[3-8]*.xml", "../../../shared/contract/examples/nonconforming/*.xml", "../../../shared/contract/examples/soap/s0[5-7]*.xml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			if _, body, ok := strings.Cut(text, "?>"); ok && !strings.Contains(text, "http://schemas.xmlsoap.org/soap/envelope/") {
				text = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>` + body + `</S:Body></S:Envelope>`
			}
			name := filepath.Base(file)
			if strings.HasPrefix(name, "aggiorna-") || strings.HasPrefix(name, "inserisci-") || strings.HasPrefix(name, "flusso-") {
				continue // what is sent to the platform, or inside of another message
			}
			all[name] = text
		}
	}
	if len(all) < 9 {
		t.Fatalf("only %d examples", len(all))
	}
	return all
}

// region is the part of the service that hears the platform, from the wire to the
// records.
type region struct {
	store    store.Store
	inbox    *inbox.Inbox
	listener http.Handler
}

var exampleCreditors = []multe.CreditorID{"01234567890", "01219860010"}

func newRegion(t *testing.T) *region {
	t.Helper()
	st, err := boltstore.Open(filepath.Join(t.TempDir(), "store.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	err = st.Update(t.Context(), func(tx store.Tx) error {
		var errs []error
		for _, c := range exampleCreditors {
			errs = append(errs, tx.PutCreditor(multe.Creditor{ID: c, Name: "Comune", CodiceVersamento: "MU01", PoolLow: 10, PoolTarget: 20, Version: 1}))
		}
		for i, number := range []string{"312263270000471237", "312263270000471338", "347263270000010181"} {
			n, err := avviso.ParseNumber(number)
			errs = append(errs, err, tx.PutCode(multe.Code{Creditor: exampleCreditors[i/2], Position: multe.PositionID(fmt.Sprintf("%032d", i)), Number: n, State: multe.CodeIssued, Version: 1}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := newGateway(config.Service{PPayURL: "http://127.0.0.1:1/", PPayAuth: "none"}, now)
	if err != nil {
		t.Fatal(err)
	}
	outbox := dispatch.New(st, gateway, now, rand.Reader, dispatch.Options{Log: slog.New(slog.DiscardHandler)})
	paid, told := payments.New(st, now), receipts.New(st)
	in := inbox.New(st, inbox.Config{Read: ppay.Read, HearEsito: outbox.Hear, HearNotice: paid.Hear,
		HearReceipts: told.HearReceipts, HearRevocations: told.HearRevocations, HearExpiries: told.HearExpiries,
		Now: now, Random: rand.Reader, Nudge: func() {}})
	return &region{st, in, ppay.NewListener(in, ppay.ListenerConfig{Open: true, Now: now})}
}

// deliver sends a message as the platform does, and wants 000.
func (r *region) deliver(t *testing.T, name, message string) {
	t.Helper()
	req := httptest.NewRequest("POST", SOAPPath, strings.NewReader(message))
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	w := httptest.NewRecorder()
	r.listener.ServeHTTP(w, req)
	if w.Code != 200 || !strings.Contains(w.Body.String(), ">000<") {
		t.Fatalf("%s is answered %d %s", name, w.Code, w.Body)
	}
}

func (r *region) work(t *testing.T) {
	t.Helper()
	if _, err := r.inbox.Work(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// state writes down what is known, without who said it first and how often.
func (r *region) state(t *testing.T) []string {
	t.Helper()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	err := r.store.View(t.Context(), func(rd store.Reader) error {
		for _, s := range []multe.MessageState{multe.MessageNew, multe.MessageDone, multe.MessageDead} {
			ms, err := rd.MessagesIn(s, "", store.MaxPage)
			if err != nil {
				return err
			}
			for _, m := range ms {
				add("message %s %s %s", m.Digest.String()[:8], m.State, m.Problem)
			}
		}
		for _, c := range append([]multe.CreditorID{""}, exampleCreditors...) {
			for _, open := range []bool{true, false} {
				ds, err := rd.Discrepancies(c, open, "", store.MaxPage)
				if err != nil {
					return err
				}
				for _, d := range ds {
					about := d.Subject
					if multe.ValidID(about) && !strings.HasPrefix(about, "000000") {
						about = "a message"
					}
					add("%s discrepancy %s of %s, open %v", c, d.Kind, about, open)
				}
			}
		}
		for _, c := range exampleCreditors {
			ps, err := rd.Payments(c, multe.Payment{}, store.MaxPage)
			if err != nil {
				return err
			}
			iuvs := []string{"", "12263270000471237", "12263270000471338", "47263270000010181", "47263270000010989"}
			for _, p := range ps {
				if p.Cents != 0 {
					add("%s payment %s/%s %d at %q", c, p.IUV, p.IUR, p.Cents, p.Position)
				}
			}
			for _, iuv := range iuvs {
				rts, err1 := rd.ReceiptsOf(c, iuv, 100)
				revs, err2 := rd.RevocationsOf(c, iuv, 100)
				exps, err3 := rd.ExpiriesOf(c, iuv, 100)
				if err := errors.Join(err1, err2, err3); err != nil {
					return err
				}
				for _, rt := range rts {
					add("%s receipt %s %s of %d bytes", c, rt.IUV, rt.Digest.String()[:8], len(rt.XML))
				}
				for _, rev := range revs {
					add("%s revocation %s %s type %s of %d for %s", c, rev.IUV, rev.ID, rev.Type, rev.Cents, rev.Reason)
				}
				for _, e := range exps {
					add("%s expiry %s %v of %d", c, e.IUV, e.DueOn, e.Cents)
				}
				if k, err := rd.CodeByIUV(c, iuv); err == nil {
					add("%s code %s %s", c, iuv, k.State)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// TestCallbacks brings every example through the listener and the inbox into the
// records: each alone, all together, twice, and in any order, it comes to one
// state, and none is lost or left behind.
func TestCallbacks(t *testing.T) {
	all := examples(t)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	once := newRegion(t)
	for _, name := range names {
		once.deliver(t, name, all[name])
	}
	once.work(t)
	want := once.state(t)
	for _, line := range want {
		if strings.HasPrefix(line, "message ") && !strings.HasSuffix(line, " done ") {
			t.Errorf("not worked: %s", line)
		}
	}
	for _, must := range []string{ // what the records must hold, of our own examples
		"01219860010 receipt 47263270000010181 ", "01219860010 revocation 47263270000010181 .", "01219860010 expiry 47263270000010989 ",
		"01219860010 discrepancy revocation.requested of 47263270000010181, open true", "01219860010 code 47263270000010181 paid",
	} {
		if !slices.ContainsFunc(want, func(line string) bool { return strings.HasPrefix(line, must) }) {
			t.Errorf("nothing like %q in\n%s", must, strings.Join(want, "\n"))
		}
	}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("order ", seed), func(t *testing.T) {
			rng := mathrand.New(mathrand.NewPCG(seed, 0))
			twice := slices.Concat(names, names)
			rng.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
			r := newRegion(t)
			for _, name := range twice {
				r.deliver(t, name, all[name])
				if rng.IntN(3) == 0 {
					r.work(t)
				}
			}
			r.work(t)
			got := r.state(t)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another state (-in one order, once +in another, twice):\n%s", diff)
			}
			// And all of them worked a second time, from the store.
			done, err := r.inbox.List(t.Context(), multe.MessageDone, "", store.MaxPage)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range done {
				if _, err := r.inbox.Replay(t.Context(), m.ID); err != nil {
					t.Fatal(err)
				}
			}
			r.work(t)
			if diff := cmp.Diff(want, r.state(t)); diff != "" {
				t.Errorf("another state after a replay:\n%s", diff)
			}
		})
	}
}

// TestOneBadItemHoldsNothingUp puts an item that nobody can read among good ones.
func TestOneBadItemHoldsNothingUp(t *testing.T) {
	const head = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><`
	const ns = `Request xmlns="http://www.csi.it/epay/epaywso/epaywso2enti/types"><Testata><CFEnteCreditore>01219860010</CFEnteCreditore></Testata>`
	for name, c := range map[string]struct{ message, want string }{
		"TrasmettiRT": {`<CorpoRT><ElencoRT><RT><Id>x</Id><XML>no base64!</XML></RT><RT/><RT><XML>PFJULz4=</XML><Id>TRT472632700000101811234567</Id></RT></ElencoRT></CorpoRT>`,
			"01219860010 receipt 47263270000010181 b54ae7a5 of 5 bytes"},
		"TrasmettiRichiesteDiRevoca": {`<CorpoRichiesteDiRevoca><ElencoRichiesteDiRevoca><RichiestaDiRevoca/><RichiestaDiRevoca><IUV>47263270000010181</IUV><IdentificativoMessaggioRevoca>R</IdentificativoMessaggioRevoca></RichiestaDiRevoca></ElencoRichiesteDiRevoca></CorpoRichiesteDiRevoca>`,
			"01219860010 revocation 47263270000010181 R.c092608d7efa682e type  of 0 for "},
		"TrasmettiAvvisiScaduti": {`<CorpoAvvisiScaduti><ElencoAvvisiScaduti><AvvisoScaduto><IUV>a</IUV><IUV>b</IUV></AvvisoScaduto><AvvisoScaduto><IUV>47263270000010181</IUV></AvvisoScaduto></ElencoAvvisiScaduti></CorpoAvvisiScaduti>`,
			"01219860010 expiry 47263270000010181  of 0"},
	} {
		r := newRegion(t)
		r.deliver(t, name, head+name+ns+c.message+"</"+name+"Request></S:Body></S:Envelope>")
		r.work(t)
		state := r.state(t)
		for _, want := range []string{c.want, "01219860010 discrepancy message.partly_unread of a message, open true"} {
			if !slices.Contains(state, want) {
				t.Errorf("%s: no %q in\n%s", name, want, strings.Join(state, "\n"))
			}
		}
	}
}
