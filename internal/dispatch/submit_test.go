package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// TestTurns pins which of a position's changes leaves.
func TestTurns(t *testing.T) {
	for _, test := range []struct {
		kinds  string // of changes 1, 2, …
		states string // before
		code   multe.CodeState
		want   string // after one round; the gateway queues
		told   string
	}{
		{"activate", "waiting", multe.CodeIssued, "queued", ""},
		{"reset debtor", "waiting waiting", multe.CodeActive, "queued waiting", ""},
		{"reset debtor", "sealed waiting", multe.CodeActive, "sealed waiting", ""},
		{"reset debtor", "queued waiting", multe.CodeActive, "queued waiting", ""},
		{"reset debtor", "applied waiting", multe.CodeActive, "applied queued", ""},
		{"reset debtor", "unknown waiting", multe.CodeActive, "unknown waiting", ""},
		{"reset debtor", "refused waiting", multe.CodeActive, "refused refused", "change.blocked"},
		{"reset reset debtor", "refused applied waiting", multe.CodeActive, "refused applied queued", ""},
		{"reset update", "refused waiting", multe.CodeActive, "refused queued", ""}, // the amount helps by itself
		{"activate reset debtor", "refused waiting waiting", multe.CodeIssued, "refused queued waiting", ""},
		{"activate reset debtor", "unknown applied waiting", multe.CodeIssued, "unknown applied waiting", ""},
		{"activate update", "waiting waiting", multe.CodePaid, "queued waiting", ""}, // the first of a life is not looked up
		{"activate update", "applied waiting", multe.CodePaid, "applied refused", ""},
	} {
		t.Run(test.kinds+"/"+test.states, func(t *testing.T) {
			w := open(t)
			kinds, states := strings.Fields(test.kinds), strings.Fields(test.states)
			w.put(t, 1, test.code, kinds...)
			w.update(t, func(tx store.Tx) error {
				for i, s := range states {
					c, err := tx.Change(ente, multe.Change{Position: position(1), Seq: i + 1}.ID())
					if err != nil {
						return err
					}
					if c.State = multe.ChangeState(s); c.State != multe.ChangeWaiting {
						c.Version++
						if err := tx.PutChange(c); err != nil {
							return err
						}
					}
				}
				return nil
			})
			w.submit(t)
			if w.states(t, 1) != test.want || w.troubles(t) != test.told {
				t.Errorf("= %s, told %q; want %s, %q", w.states(t, 1), w.troubles(t), test.want, test.told)
			}
		})
	}
}

// TestBatches checks what goes into a batch together.
func TestBatches(t *testing.T) {
	w := open(t)
	for i := range multe.MaxBatch + 3 {
		w.put(t, i, multe.CodeRequested, "request")
	}
	w.put(t, 1000, multe.CodeIssued, "activate")
	w.put(t, 1001, multe.CodeActive, "reset", "debtor")
	w.clock = w.clock.Add(-time.Second)
	if w.submit(t); len(w.gateway.sent) != 0 {
		t.Fatal("a change left before its time")
	}
	w.clock = w.clock.Add(time.Second)
	for w.submit(t) {
	}
	var got []string
	for _, b := range w.gateway.sent {
		got = append(got, fmt.Sprint(b.Operation, len(b.Changes)))
		if len(b.ID) != 35 || len(b.Body) == 0 {
			t.Errorf("batch %q has %d bytes", b.ID, len(b.Body))
		}
	}
	if want := "[update2 insert250 insert3]"; fmt.Sprint(got) != want {
		t.Errorf("sent %v, want %s", got, want)
	}
}

func TestWhatCannotBeSaidHoldsNobodyBack(t *testing.T) {
	w := open(t)
	for i := range 4 {
		w.put(t, i, multe.CodeIssued, "activate")
	}
	w.update(t, func(tx store.Tx) error {
		for _, i := range []int{1, 3} {
			c, err := tx.Change(ente, multe.Change{Position: position(i), Seq: 1}.ID())
			if err != nil {
				return err
			}
			c.Want.Causale, c.Version = unsayable, c.Version+1
			if err := tx.PutChange(c); err != nil {
				return err
			}
		}
		return nil
	})
	w.submit(t)
	got := w.states(t, 0) + " " + w.states(t, 1) + " " + w.states(t, 2) + " " + w.states(t, 3)
	if got != "queued refused queued refused" || w.troubles(t) != "change.unencodable change.unencodable" {
		t.Errorf("= %s, told %q", got, w.troubles(t))
	}
}

// TestAnswers pins what each answer of the call leaves, and when something is
// sent again: the same bytes, or another batch.
func TestAnswers(t *testing.T) {
	refusal := func(v multe.Verdict) error { return fmt.Errorf("calling: %w", &multe.Refusal{Code: "103", Verdict: v}) }
	for _, test := range []struct {
		name   string
		err    error
		batch  multe.BatchState
		change string
		told   string
		again  time.Duration // 0: never
		same   bool
	}{
		{"queued", nil, multe.BatchQueued, "queued", "", 0, false},
		{"no answer", unavailable(), multe.BatchSealed, "sealed", "", 2 * time.Minute, true},
		{"some error", errors.New("strange"), multe.BatchSealed, "sealed", "", 2 * time.Minute, true},
		{"not sent", errNotSent(), multe.BatchSealed, "sealed", "", 15 * time.Second, true},
		{"later", refusal(multe.VerdictLater), multe.BatchRefused, "waiting", "batch.later", time.Minute, false},
		{"fix", refusal(multe.VerdictFix), multe.BatchRefused, "waiting", "batch.refused", 10 * time.Minute, false},
		{"refused", refusal(multe.VerdictRefused), multe.BatchRefused, "waiting", "batch.refused", 10 * time.Minute, false},
		{"unheard of", refusal("?"), multe.BatchRefused, "waiting", "batch.refused", 10 * time.Minute, false},
		{"already", refusal(multe.VerdictAlready), multe.BatchQueued, "queued", "", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.put(t, 1, multe.CodeIssued, "activate")
			w.gateway.answer = func(b multe.Batch) (string, error) {
				if kept := w.batch(t, b.ID); kept.Attempts != 1 || string(kept.Body) != string(b.Body) || kept.State != multe.BatchSealed {
					t.Errorf("sent before it was kept: %+v", kept)
				}
				return "000", test.err
			}
			w.submit(t)
			first := w.gateway.sent[0]
			if b := w.batch(t, first.ID); b.State != test.batch || w.states(t, 1) != test.change || w.troubles(t) != test.told {
				t.Errorf("batch %s, change %s, told %q", b.State, w.states(t, 1), w.troubles(t))
			}
			if b := w.batch(t, first.ID); (b.Attempts == 0) != errors.Is(test.err, multe.ErrNotSent) {
				t.Errorf("%d attempts may have arrived", b.Attempts)
			}
			w.gateway.answer = nil
			if test.again == 0 {
				w.clock = w.clock.Add(time.Hour)
				if w.submit(t); len(w.gateway.sent) != 1 {
					t.Error("sent again")
				}
				return
			}
			w.restart() // a new process remembers everything that matters
			w.clock = w.clock.Add(test.again - time.Second)
			if w.submit(t); len(w.gateway.sent) != 1 {
				t.Error("sent again too early")
			}
			w.clock = w.clock.Add(time.Second)
			w.submit(t)
			if len(w.gateway.sent) != 2 {
				t.Fatal("not sent again")
			}
			second := w.gateway.sent[1]
			if same := second.ID == first.ID && string(second.Body) == string(first.Body); same != test.same {
				t.Errorf("sent again the same: %t, want %t", same, test.same)
			}
			if w.states(t, 1) != "queued" {
				t.Errorf("in the end: %s", w.states(t, 1))
			}
		})
	}
}

func errNotSent() error { return fmt.Errorf("dialing: %w", multe.ErrNotSent) }

// TestTwoInstances lets eight loops submit at once: each batch is sent once.
func TestTwoInstances(t *testing.T) {
	w := open(t)
	for i := range 20 {
		w.put(t, i, multe.CodeIssued, "activate")
	}
	var (
		mu   sync.Mutex
		sent = map[multe.BatchID]int{}
		wg   sync.WaitGroup
	)
	g := gatewayFunc(func(b multe.Batch) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		sent[b.ID]++
		return "000", nil
	})
	at := w.clock
	for range 8 {
		d := newDispatch(w.store, g, func() time.Time { return at })
		wg.Go(func() {
			for range 3 {
				if _, err := d.Submit(t.Context()); err != nil && !errors.Is(err, fault.Conflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(sent) != 1 {
		t.Errorf("%d batches for one lot of changes", len(sent))
	}
	for id, n := range sent {
		if n != 1 {
			t.Errorf("batch %s was sent %d times", id, n)
		}
	}
}

type gatewayFunc func(multe.Batch) (string, error)

func (gatewayFunc) Encode(multe.Batch, multe.Creditor, []multe.Change) ([]byte, error) {
	return []byte("x"), nil
}

func (g gatewayFunc) Submit(_ context.Context, _ multe.Creditor, b multe.Batch) (string, error) {
	return g(b)
}

// TestPausesGrow follows one batch, or one change, through a day of trouble.
func TestPausesGrow(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string // minutes between the first sendings
		told string
	}{
		{"no answer", unavailable(), "2 4 8 16 32 60 60 60", "batch.unanswered"},
		{"later", &multe.Refusal{Code: "200", Verdict: multe.VerdictLater}, "1 2 4 8 16 32 60 60", "batch.later"},
		{"fix", &multe.Refusal{Code: "103", Verdict: multe.VerdictFix}, "10 20 40 80 160 320 360", "batch.refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.put(t, 1, multe.CodeIssued, "activate")
			var pauses []string
			last := w.clock
			w.gateway.answer = func(multe.Batch) (string, error) {
				if p := w.clock.Sub(last); p > 0 {
					pauses = append(pauses, fmt.Sprint(p.Minutes()))
				}
				last = w.clock
				return "", test.err
			}
			for end := w.clock.Add(20 * time.Hour); w.clock.Before(end); w.clock = w.clock.Add(time.Minute) {
				w.submit(t)
			}
			if got := strings.Join(pauses, " "); !strings.HasPrefix(got, test.want) {
				t.Errorf("pauses %s\nwant   %s", got, test.want)
			}
			if w.troubles(t) != test.told {
				t.Errorf("told %q, want %q", w.troubles(t), test.told)
			}
		})
	}
}

// TestSilenceEnds lets a platform be silent for two hours and then answer, or
// send the esito of what it had got all along.
func TestSilenceEnds(t *testing.T) {
	for _, answer := range []bool{true, false} {
		w := open(t)
		w.put(t, 1, multe.CodeIssued, "activate")
		w.gateway.answer = func(multe.Batch) (string, error) { return "", unavailable() }
		for range 120 {
			w.submit(t)
			w.clock = w.clock.Add(time.Minute)
		}
		if w.troubles(t) != "batch.unanswered" {
			t.Fatalf("told %q", w.troubles(t))
		}
		if w.gateway.answer = nil; answer {
			w.clock = w.clock.Add(time.Hour)
			w.submit(t)
		} else {
			w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
		}
		if w.troubles(t) != "" {
			t.Errorf("still told %q", w.troubles(t))
		}
	}
}

// TestDeathBetweenAttemptAndAnswer kills the process while it calls.
func TestDeathBetweenAttemptAndAnswer(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeIssued, "activate")
	w.gateway.answer = func(multe.Batch) (string, error) { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = w.Submit(t.Context())
	}()
	w.gateway.answer = nil
	w.restart()
	w.clock = w.clock.Add(2*time.Minute - time.Second)
	if w.submit(t); len(w.gateway.sent) != 1 {
		t.Fatal("sent again in a hurry")
	}
	w.clock = w.clock.Add(time.Second)
	w.submit(t)
	if len(w.gateway.sent) != 2 || string(w.gateway.sent[0].Body) != string(w.gateway.sent[1].Body) {
		t.Errorf("%d sendings", len(w.gateway.sent))
	}
}

// TestEndDuringTheCall ends the context while the platform answers: what it
// answered is kept.
func TestEndDuringTheCall(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeIssued, "activate")
	ctx, stop := context.WithCancel(t.Context())
	w.gateway.answer = func(multe.Batch) (string, error) { stop(); return "000", nil }
	_, _ = w.Submit(ctx)
	if w.states(t, 1) != "queued" {
		t.Errorf("the change is %s", w.states(t, 1))
	}
}

// TestEsitoBeforeTheAnswer hears the esito while the call still runs, whatever
// the call then says.
func TestEsitoBeforeTheAnswer(t *testing.T) {
	for name, answer := range map[string]error{
		"queued": nil, "no answer": unavailable(), "not sent": multe.ErrNotSent,
		"refused": &multe.Refusal{Code: "200", Verdict: multe.VerdictLater},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.put(t, 1, multe.CodeIssued, "activate")
			w.put(t, 2, multe.CodeIssued, "activate")
			w.gateway.answer = func(b multe.Batch) (string, error) {
				e := esito(b, multe.VerdictApplied)
				e.Outcomes[1].Verdict = multe.VerdictLater
				w.hear(t, e)
				return "000", answer
			}
			w.submit(t)
			b := w.gateway.sent[0]
			if w.batch(t, b.ID).State != multe.BatchDone || w.states(t, 1) != "applied" || w.states(t, 2) != "waiting" {
				t.Errorf("batch %s, changes %s and %s", w.batch(t, b.ID).State, w.states(t, 1), w.states(t, 2))
			}
			w.clock = w.clock.Add(time.Hour)
			w.gateway.answer = nil
			w.submit(t)
			if len(w.gateway.sent) != 2 || len(w.gateway.sent[1].Changes) != 1 || w.states(t, 2) != "queued" {
				t.Errorf("then %d sendings, %s", len(w.gateway.sent), w.states(t, 2))
			}
		})
	}
}

// TestSilenceStopsTheRound sends one batch, not all, to a platform that is down.
func TestSilenceStopsTheRound(t *testing.T) {
	w := open(t)
	for i := range 3 * multe.MaxBatch {
		w.put(t, i, multe.CodeRequested, "request")
	}
	w.gateway.answer = func(multe.Batch) (string, error) { return "", unavailable() }
	w.submit(t)
	if len(w.gateway.sent) != 1 {
		t.Errorf("%d calls to a platform that is down", len(w.gateway.sent))
	}
	calls := 1
	w.submit(t) // the next batch is another question, and has its own pause
	if len(w.gateway.sent) != calls+1 {
		t.Errorf("%d calls in the second round", len(w.gateway.sent)-calls)
	}
}

func TestOverdueEsito(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeIssued, "activate")
	w.submit(t)
	w.clock = w.clock.Add(2*time.Hour - time.Second)
	if w.submit(t); w.troubles(t) != "" {
		t.Fatalf("told %q too early", w.troubles(t))
	}
	for range 3 {
		w.clock = w.clock.Add(10 * time.Minute)
		w.submit(t)
	}
	if w.troubles(t) != "batch.overdue" || len(w.gateway.sent) != 1 {
		t.Fatalf("told %q, %d sendings", w.troubles(t), len(w.gateway.sent))
	}
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
	if w.troubles(t) != "" || w.states(t, 1) != "applied" {
		t.Errorf("after the esito: told %q, %s", w.troubles(t), w.states(t, 1))
	}
}

// TestOneCreditorsTroubleIsItsOwn lets the store of one creditor's batch be
// refused while another's is taken.
func TestOneCreditorsTroubleIsItsOwn(t *testing.T) {
	w := open(t)
	const other multe.CreditorID = "80087670016"
	w.put(t, 1, multe.CodeIssued, "activate")
	w.update(t, func(tx store.Tx) error {
		ch := multe.NewChange(other, position(1), 1, multe.ChangeActivate, multe.Desired{Cents: 1, Causale: "Preavviso"}, w.clock)
		return errors.Join(
			tx.PutCreditor(multe.Creditor{ID: other, PoolLow: 1, PoolTarget: 10, Version: 1}),
			tx.PutCode(multe.Code{Creditor: other, Position: position(1), Number: number(1), State: multe.CodeIssued, Version: 1}),
			tx.PutChange(ch))
	})
	w.gateway.answer = func(b multe.Batch) (string, error) {
		if b.Creditor == ente {
			return "", unavailable()
		}
		return "000", nil
	}
	w.submit(t)
	if len(w.gateway.sent) != 2 || w.states(t, 1) != "sealed" {
		t.Fatalf("%d sendings, %s", len(w.gateway.sent), w.states(t, 1))
	}
	w.view(t, func(r store.Reader) error {
		ch, err := r.Change(other, multe.Change{Position: position(1), Seq: 1}.ID())
		if ch.State != multe.ChangeQueued {
			t.Errorf("the other's change is %s", ch.State)
		}
		return err
	})
}

// TestRefusedRepetition gets a no to the second copy of a batch whose first copy
// may have arrived.
func TestRefusedRepetition(t *testing.T) {
	for verdict, want := range map[multe.Verdict]string{
		multe.VerdictLater:   "sealed", // the same bytes again
		multe.VerdictFix:     "waiting",
		multe.VerdictAlready: "queued",
	} {
		w := open(t)
		w.put(t, 1, multe.CodeIssued, "activate")
		w.gateway.answer = func(multe.Batch) (string, error) { return "", unavailable() }
		w.submit(t)
		w.gateway.answer = func(multe.Batch) (string, error) { return "", &multe.Refusal{Code: "200", Verdict: verdict} }
		w.clock = w.clock.Add(2 * time.Minute)
		w.submit(t)
		if got := w.states(t, 1); got != want {
			t.Errorf("%s: the change is %s, want %s", verdict, got, want)
		}
	}
}
