package dispatch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// positions is a REST interface that answers what it is told to, in order; the
// last answer stays.
type positions struct {
	answers []error
	asked   []multe.Change
	number  avviso.Number
}

func (p *positions) Apply(_ context.Context, _ multe.Creditor, n avviso.Number, ch multe.Change) (string, error) {
	p.asked, p.number = append(p.asked, ch), n
	err := p.answers[0]
	if len(p.answers) > 1 {
		p.answers = p.answers[1:]
	}
	return "000", err
}

func no(v multe.Verdict) error {
	return fmt.Errorf("calling: %w", &multe.Refusal{Code: "300", Verdict: v})
}

// putREST stores an active code with an update by REST that brings a debtor.
func (w *world) putREST(t *testing.T, i int) {
	t.Helper()
	w.put(t, i, multe.CodeActive)
	w.update(t, func(tx store.Tx) error {
		ch := multe.NewChange(ente, position(i), 1, multe.ChangeUpdate, multe.Desired{Cents: 9900, Causale: "Verbale", Debtor: &debtor}, w.clock)
		ch.Route = multe.RouteREST
		return tx.PutChange(ch)
	})
}

// TestRESTAnswers pins what each answer of the REST interface does to an update
// with a debtor. Where the debtor does not go through, the amount still does.
func TestRESTAnswers(t *testing.T) {
	unavailable, notSent := unavailable(), fmt.Errorf("dialing: %w", multe.ErrNotSent)
	for _, tt := range []struct {
		name    string
		answers []error
		calls   int
		states  string
		code    multe.CodeState
		cents   multe.Cents
		debtor  bool
		told    string
	}{
		{"done", []error{nil}, 1, "applied", multe.CodeActive, 9900, true, ""},
		{"lost, then done", []error{unavailable, nil}, 2, "applied", multe.CodeActive, 9900, true, ""},
		{"not sent, then done", []error{notSent, nil}, 2, "applied", multe.CodeActive, 9900, true, ""},
		{"in progress, then done", []error{no(multe.VerdictLater), nil}, 2, "applied", multe.CodeActive, 9900, true, ""},
		{"doubtful, then done", []error{no(multe.VerdictUnknown), nil}, 2, "applied", multe.CodeActive, 9900, true, ""},
		{"refused", []error{no(multe.VerdictRefused)}, 1, "refused applied", multe.CodeActive, 9900, false, "change.debtor_refused"},
		{"lost, then refused", []error{unavailable, no(multe.VerdictRefused)}, 2, "refused applied", multe.CodeActive, 9900, false, "change.debtor_refused change.debtor_unsure"},
		{"wrong for ever", []error{no(multe.VerdictFix)}, 3, "refused applied", multe.CodeActive, 9900, false, "change.configuration change.debtor_refused"},
		{"doubtful for ever", []error{no(multe.VerdictUnknown)}, 3, "refused applied", multe.CodeActive, 9900, false, "change.debtor_refused change.debtor_unsure"},
		{"paid", []error{no(multe.VerdictPaid)}, 1, "refused", multe.CodeActive, 0, false, "position.already_paid position.paid_unnotified"},
		{"annulled", []error{no(multe.VerdictVoided)}, 1, "refused", multe.CodeVoid, 0, false, "position.already_void"},
		{"expired, then done", []error{no(multe.VerdictExpired), nil}, 2, "applied", multe.CodeActive, 9900, true, ""},
		{"not for this creditor", []error{multe.ErrNoREST}, 1, "refused applied", multe.CodeActive, 9900, false, "creditor.no_rest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			rest := &positions{answers: tt.answers}
			w.rest = rest
			w.restart()
			w.putREST(t, 1)
			for range 8 { // the longest pause is six hours
				w.submit(t)
				for _, b := range w.gateway.sent {
					w.hear(t, esito(b, multe.VerdictApplied))
				}
				w.clock = w.clock.Add(7 * time.Hour)
			}
			k := w.code(t, 1)
			if len(rest.asked) != tt.calls || w.states(t, 1) != tt.states || k.State != tt.code || k.UpstreamCents != tt.cents || k.UpstreamDebtor != tt.debtor || w.troubles(t) != tt.told {
				t.Errorf("%d calls, changes %s, code %s worth %d, debtor %t, told %q", len(rest.asked), w.states(t, 1), k.State, k.UpstreamCents, k.UpstreamDebtor, w.troubles(t))
			}
			if rest.number != number(1) || rest.asked[0].Want.Debtor == nil {
				t.Errorf("asked of %s: %+v", rest.number, rest.asked[0])
			}
			for _, b := range w.gateway.sent {
				if b.Operation != multe.OperationUpdate {
					t.Errorf("a %s went out by SOAP", b.Operation)
				}
			}
		})
	}
}

// TestRESTNone has no REST interface at all.
func TestRESTNone(t *testing.T) {
	w := open(t)
	w.putREST(t, 1)
	w.putREST(t, 2)
	w.submit(t)
	w.submit(t)
	if w.states(t, 2) != "refused queued" {
		t.Errorf("the second call: %s", w.states(t, 2))
	}
	if w.states(t, 1) != "refused sealed" && w.states(t, 1) != "refused queued" || w.troubles(t) != "creditor.no_rest" {
		t.Errorf("%s, told %q", w.states(t, 1), w.troubles(t))
	}
}

// TestRESTIntentIsDurable ends the process in the middle of a call: the next one
// makes the same call again, and nothing else of the position leaves before it.
func TestRESTIntentIsDurable(t *testing.T) {
	w := open(t)
	rest := &positions{answers: []error{nil}}
	w.rest = rest
	w.putREST(t, 1)
	w.update(t, func(tx store.Tx) error {
		return tx.PutChange(multe.NewChange(ente, position(1), 2, multe.ChangeUpdate, multe.Desired{Cents: 9999, Causale: "Poi"}, w.clock))
	})
	func() {
		defer func() { _ = recover() }()
		w.rest = panicking{}
		w.restart()
		w.submit(t)
	}()
	if w.states(t, 1) != "sealed waiting" {
		t.Fatalf("the intent is not stored: %s", w.states(t, 1))
	}
	w.rest = rest
	w.restart()
	w.submit(t)
	if len(rest.asked) != 0 || w.states(t, 1) != "sealed waiting" {
		t.Errorf("repeated in a hurry: %d calls, %s", len(rest.asked), w.states(t, 1))
	}
	w.clock = w.clock.Add(2 * time.Minute)
	w.submit(t)
	w.submit(t)
	if len(rest.asked) != 1 || rest.asked[0].Want.Cents != 9900 || w.states(t, 1) != "applied queued" {
		t.Errorf("%d calls, %s", len(rest.asked), w.states(t, 1))
	}
}

type panicking struct{}

func (panicking) Apply(context.Context, multe.Creditor, avviso.Number, multe.Change) (string, error) {
	panic("kill -9")
}

// TestRESTAndSOAPDoNotWaitForEachOther breaks one of them.
func TestRESTAndSOAPDoNotWaitForEachOther(t *testing.T) {
	w := open(t)
	rest := &positions{answers: []error{unavailable()}}
	w.rest = rest
	w.restart()
	w.gateway.answer = func(multe.Batch) (string, error) { return "", unavailable() }
	w.putREST(t, 1)
	w.put(t, 2, multe.CodeActive, "update")
	w.submit(t)
	if len(rest.asked) != 1 || len(w.gateway.sent) != 1 {
		t.Errorf("%d calls by REST, %d by SOAP", len(rest.asked), len(w.gateway.sent))
	}
}
