package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func rome(day, clock string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", day+" "+clock, multe.Rome())
	if err != nil {
		panic(err)
	}
	return t
}

func day(s string) multe.Day {
	d, err := multe.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

// TestValidity is the end of validity that an update travels with, on both sides
// of midnight in Rome and of the change to summer time: what is stored, until an
// update could be refused for it (187).
func TestValidity(t *testing.T) {
	for _, tt := range []struct {
		name          string
		days          int
		stored, asked string
		at            time.Time
		want          string
	}{
		{"no validity", 0, "", "", rome("2026-03-10", "12:00:00"), ""},
		{"none stored, days chosen since", 60, "", "", rome("2026-03-10", "12:00:00"), ""},
		{"asked by the activation", 60, "", "2026-05-01", rome("2026-03-10", "12:00:00"), "2026-05-01"},
		{"far away", 60, "2026-05-01", "", rome("2026-03-10", "12:00:00"), "2026-05-01"},
		{"two days before", 60, "2026-05-01", "", rome("2026-04-29", "23:59:59"), "2026-05-01"},
		{"a second later", 60, "2026-05-01", "", rome("2026-04-30", "00:00:00"), "2026-06-29"},
		{"on the last day", 60, "2026-05-01", "", rome("2026-05-01", "00:00:00"), "2026-06-30"},
		{"at the end of the last day", 60, "2026-05-01", "", rome("2026-05-01", "23:59:59"), "2026-06-30"},
		{"past", 60, "2026-05-01", "", rome("2026-05-02", "00:00:00"), "2026-07-01"},
		{"past, and no days any more", 0, "2026-05-01", "", rome("2026-05-02", "00:00:00"), "2026-05-04"},
		{"a late slip", 60, "", "2026-05-01", rome("2026-07-01", "00:00:00"), "2026-08-30"},
		{"before summer time", 60, "2026-03-30", "", rome("2026-03-28", "23:59:59"), "2026-03-30"},
		{"the night of summer time", 60, "2026-03-30", "", rome("2026-03-29", "00:00:00"), "2026-05-28"},
		{"in UTC still the day before", 60, "2026-03-30", "", time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), "2026-05-28"},
		{"a discount that ends today", 0, "", "2026-03-10", rome("2026-03-10", "09:00:00"), "2026-03-12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			w.clock = tt.at
			w.put(t, 1, multe.CodeActive)
			w.update(t, func(tx store.Tx) error {
				c, err := tx.Creditor(ente)
				if err != nil {
					return err
				}
				c.ValidityDays, c.Version = tt.days, c.Version+1
				if err := tx.PutCreditor(c); err != nil {
					return err
				}
				k, err := tx.Code(ente, position(1))
				if err != nil {
					return err
				}
				want := multe.Desired{Cents: 4200, Causale: "x"}
				if tt.stored != "" {
					k.UpstreamEnd = day(tt.stored)
				}
				if tt.asked != "" {
					want.ValidTo = day(tt.asked)
				}
				k.Version++
				if err := tx.PutCode(k); err != nil {
					return err
				}
				return tx.PutChange(multe.NewChange(ente, position(1), 1, multe.ChangeUpdate, want, w.clock))
			})
			w.submit(t)
			w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
			var ch multe.Change
			w.view(t, func(r store.Reader) (err error) { ch, err = r.Change(ente, w.gateway.sent[0].Changes[0]); return err })
			if got := ch.Want.ValidTo.String(); got != tt.want {
				t.Errorf("sent with %q, want %q", got, tt.want)
			}
			if got := w.code(t, 1).UpstreamEnd.String(); got != tt.want {
				t.Errorf("believed %q, want %q", got, tt.want)
			}
		})
	}
}

// TestExpired finds the validity over all the same (187): the update is repeated
// with a later end, and given up if that does not help.
func TestExpired(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "debtor")
	for i := range 3 {
		w.submit(t)
		if len(w.gateway.sent) != i+1 {
			t.Fatalf("sent %d times, want %d", len(w.gateway.sent), i+1)
		}
		w.hear(t, esito(w.gateway.sent[i], multe.VerdictExpired))
	}
	var ch multe.Change
	w.view(t, func(r store.Reader) (err error) { ch, err = r.Change(ente, w.gateway.sent[0].Changes[0]); return err })
	if want := day("2026-04-01"); ch.Want.ValidTo != want || ch.Want.Debtor == nil {
		t.Errorf("repeated with %v, want %v", ch.Want.ValidTo, want)
	}
	if w.states(t, 1) != "refused waiting" || w.troubles(t) != "change.debtor_refused" {
		t.Errorf("%s, told %q", w.states(t, 1), w.troubles(t))
	}
}

// TestAbandon waits a day for an esito and tells what the list carried again. The
// second list finds what the first has done.
func TestAbandon(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeRequested, "request")
	w.put(t, 2, multe.CodeRequested, "request")
	w.put(t, 3, multe.CodeActive, "update")
	w.submit(t)
	if len(w.gateway.sent) != 2 {
		t.Fatal(len(w.gateway.sent))
	}
	w.clock = w.clock.Add(24*time.Hour - time.Second)
	w.submit(t)
	if len(w.gateway.sent) != 2 || w.troubles(t) != "batch.overdue batch.overdue platform.silent" {
		t.Fatalf("sent %d, told %q", len(w.gateway.sent), w.troubles(t))
	}
	w.clock = w.clock.Add(lookEvery)
	w.submit(t)
	if s := w.batch(t, w.gateway.sent[0].ID).State; s != multe.BatchAbandoned || w.states(t, 1) != "waiting" {
		t.Fatalf("the list is %s, its change %s", s, w.states(t, 1))
	}
	w.submit(t)
	if len(w.gateway.sent) != 4 || w.gateway.sent[2].ID == w.gateway.sent[0].ID || w.states(t, 1) != "queued" {
		t.Fatalf("sent %d, %s", len(w.gateway.sent), w.states(t, 1))
	}
	if got := w.troubles(t); got != "batch.abandoned batch.abandoned platform.silent" {
		t.Errorf("told %q", got)
	}
	again := w.gateway.sent[3]
	if again.Operation != multe.OperationInsert {
		again = w.gateway.sent[2]
	}
	e := esito(again, multe.VerdictOrphan) // it was made the first time
	e.Outcomes[1].Verdict = multe.VerdictApplied
	w.hear(t, e)
	if k := w.code(t, 1); k.State != multe.CodeOrphaned || w.states(t, 1) != "unknown" || w.code(t, 2).State != multe.CodeAvailable {
		t.Errorf("code 1 is %s (%s), code 2 %s", k.State, w.states(t, 1), w.code(t, 2).State)
	}
	if got := w.troubles(t); got != "batch.abandoned batch.abandoned code.orphan" {
		t.Errorf("told %q: an esito came, so the platform is not silent", got)
	}
	// The first esito comes after all: its number is told once, and is taken.
	first := w.gateway.sent[0]
	if first.Operation != multe.OperationInsert {
		first = w.gateway.sent[1]
	}
	w.hear(t, esito(first, multe.VerdictApplied))
	if k := w.code(t, 1); k.State != multe.CodeAvailable || k.Number != number(1) || w.states(t, 1) != "applied" {
		t.Errorf("code 1 is %s (%s)", k.State, w.states(t, 1))
	}
	if got := w.troubles(t); got != "batch.abandoned batch.abandoned" {
		t.Errorf("told %q", got)
	}
}

// lookEvery is at least how often one looks for what has not come.
const lookEvery = 10 * time.Minute

// TestDoubtfulIsToldAgain repeats, a day later, what an esito forgot and what a
// request came to, and nothing else that is in doubt.
func TestDoubtfulIsToldAgain(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeRequested, "request") // 160
	w.put(t, 2, multe.CodeActive, "debtor")     // 175: perhaps stored
	w.put(t, 3, multe.CodeActive, "update")     // not in the esito
	w.submit(t)
	for _, b := range w.gateway.sent {
		e := esito(b, multe.VerdictUnknown)
		for i, o := range e.Outcomes {
			if o.Position == position(3) {
				e.Outcomes = append(e.Outcomes[:i], e.Outcomes[i+1:]...)
				break
			}
		}
		w.hear(t, e)
	}
	for i := 1; i <= 3; i++ {
		if w.states(t, i) != "unknown" {
			t.Fatalf("change %d is %s", i, w.states(t, i))
		}
	}
	w.clock = w.clock.Add(24 * time.Hour)
	w.submit(t)
	if w.states(t, 1) != "waiting" || w.states(t, 2) != "unknown" || w.states(t, 3) != "waiting" {
		t.Errorf("%s, %s, %s", w.states(t, 1), w.states(t, 2), w.states(t, 3))
	}
}

// TestPlatformSilent tells a person once that nothing comes any more, and takes it
// back at the first esito. Hearing nothing while nothing waits is no trouble.
func TestPlatformSilent(t *testing.T) {
	w := open(t)
	w.clock = w.clock.Add(100 * time.Hour)
	w.submit(t)
	if got := w.troubles(t); got != "" {
		t.Fatalf("told %q while nothing waits", got)
	}
	w.put(t, 1, multe.CodeRequested, "request")
	w.put(t, 2, multe.CodeActive, "update")
	w.submit(t)
	w.clock = w.clock.Add(6*time.Hour - time.Second)
	w.submit(t)
	if got := w.troubles(t); got != "batch.overdue batch.overdue" {
		t.Fatalf("told %q", got)
	}
	w.clock = w.clock.Add(lookEvery)
	w.submit(t)
	w.clock = w.clock.Add(lookEvery)
	w.submit(t)
	if got := w.troubles(t); got != "batch.overdue batch.overdue platform.silent" {
		t.Fatalf("told %q", got)
	}
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
	if got := w.troubles(t); got != "batch.overdue" {
		t.Errorf("after an esito: %q", got)
	}
	w.clock = w.clock.Add(5 * time.Hour)
	w.submit(t)
	if got := w.troubles(t); got != "batch.overdue" {
		t.Errorf("five hours after an esito: %q", got)
	}
	w.clock = w.clock.Add(2 * time.Hour)
	w.submit(t)
	if got := w.troubles(t); got != "batch.overdue platform.silent" {
		t.Errorf("silent again: %q", got)
	}
	w.restart() // a new process has heard nothing yet, and cries no wolf
	w.put(t, 3, multe.CodeActive, "update")
	w.submit(t)
}

// TestPaidButNotNotified gives the notification a day.
func TestPaidButNotNotified(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "update")
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictPaid))
	w.update(t, func(tx store.Tx) error { // sorts right behind the others, and is none of them
		return store.Report(tx, ente, "position.already_void", string(position(2)), strings.Repeat("x", 100), w.clock)
	})
	w.clock = w.clock.Add(24*time.Hour - time.Second)
	w.submit(t)
	if got := w.troubles(t); got != "position.already_paid position.already_void" {
		t.Fatalf("told %q", got)
	}
	w.clock = w.clock.Add(lookEvery)
	w.submit(t)
	w.clock = w.clock.Add(lookEvery)
	w.submit(t)
	if got := w.troubles(t); got != "position.already_paid position.already_void position.paid_unnotified" {
		t.Errorf("told %q", got)
	}
}

// TestSupersede annuls the code on the slip after the undo window, once another
// one carries debtor and amount; and not before.
func TestSupersede(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive)
	w.put(t, 2, multe.CodeIssued)
	w.update(t, func(tx store.Tx) error {
		v := multe.Verbale{Creditor: ente, Slip: multe.Slip{ID: "v1", Position: position(1), Number: number(1)}, State: multe.VerbaleFinalised, Reissued: position(2), Version: 1}
		if err := tx.PutVerbale(v); err != nil {
			return err
		}
		request := multe.NewChange(ente, position(1), 1, multe.ChangeActivate, multe.Desired{Cents: 4200}, w.clock)
		request.State = multe.ChangeApplied
		if err := tx.PutChange(request); err != nil {
			return err
		}
		ch := multe.NewChange(ente, position(2), 1, multe.ChangeUpdate, multe.Desired{Cents: 9900, Causale: "x", Debtor: &debtor}, w.clock)
		ch.Verbale = "v1"
		return tx.PutChange(ch)
	})
	w.submit(t)
	e := esito(w.gateway.sent[0], multe.VerdictApplied)
	for range 2 {
		w.hear(t, e)
		if w.states(t, 1) != "applied waiting" || w.code(t, 2).State != multe.CodeActive {
			t.Fatalf("old %s, new %s", w.states(t, 1), w.code(t, 2).State)
		}
	}
	w.clock = w.clock.Add(30*time.Minute - time.Second)
	w.submit(t)
	if len(w.gateway.sent) != 1 {
		t.Error("annulled within the undo window")
	}
	w.clock = w.clock.Add(time.Second)
	w.submit(t)
	if len(w.gateway.sent) != 2 {
		t.Fatal("not annulled")
	}
	w.hear(t, esito(w.gateway.sent[1], multe.VerdictVoided)) // whoever did it
	if k := w.code(t, 1); k.State != multe.CodeVoid || w.states(t, 1) != "applied applied" || w.troubles(t) != "" {
		t.Errorf("old code %s, %s, told %q", k.State, w.states(t, 1), w.troubles(t))
	}
}

// TestSupersedeNothing leaves the old code alone where there is nothing to annul.
func TestSupersedeNothing(t *testing.T) {
	for _, tt := range []struct {
		verbale multe.VerbaleState
		old     multe.CodeState
	}{{multe.VerbaleSettled, multe.CodeActive}, {multe.VerbaleCancelled, multe.CodeActive}, {multe.VerbaleFinalised, multe.CodePaid}, {multe.VerbaleFinalised, multe.CodeVoid}} {
		w := open(t)
		w.put(t, 1, tt.old)
		w.put(t, 2, multe.CodeIssued)
		w.update(t, func(tx store.Tx) error {
			v := multe.Verbale{Creditor: ente, Slip: multe.Slip{ID: "v1", Position: position(1), Number: number(1)}, State: tt.verbale, Reissued: position(2), Version: 1}
			if err := tx.PutVerbale(v); err != nil {
				return err
			}
			ch := multe.NewChange(ente, position(2), 1, multe.ChangeUpdate, multe.Desired{Cents: 9900, Causale: "x"}, w.clock)
			ch.Verbale = "v1"
			return tx.PutChange(ch)
		})
		w.submit(t)
		w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
		if got := w.states(t, 1); got != "" {
			t.Errorf("verbale %s, old code %s: told %s", tt.verbale, tt.old, got)
		}
	}
}

// TestUpstreamID hears about a position under the platform's own id for it.
func TestUpstreamID(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "update")
	w.update(t, func(tx store.Tx) error {
		k, err := tx.Code(ente, position(1))
		if err != nil {
			return err
		}
		k.UpstreamID, k.Version = "00514_7_1", k.Version+1
		return tx.PutCode(k)
	})
	w.submit(t)
	e := esito(w.gateway.sent[0], multe.VerdictApplied)
	e.Outcomes[0].Position = "00514_7_1"
	w.hear(t, e)
	if w.states(t, 1) != "applied" || w.troubles(t) != "" {
		t.Errorf("%s, told %q", w.states(t, 1), w.troubles(t))
	}
}

// TestLookLeavesAlone is what a day of waiting changes nothing about.
func TestLookLeavesAlone(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeRequested, "request") // an orphan waits for its number
	w.put(t, 2, multe.CodeActive, "update")     // annulled upstream: told, and no more
	w.submit(t)
	for _, b := range w.gateway.sent {
		v := multe.VerdictVoided
		if b.Operation == multe.OperationInsert {
			v = multe.VerdictOrphan
		}
		w.hear(t, esito(b, v))
	}
	list := multe.Batch{Creditor: ente, ID: "hand", Operation: multe.OperationPortal, State: multe.BatchQueued, Version: 1, Changed: w.clock}
	w.update(t, func(tx store.Tx) error { return tx.PutBatch(list) })
	for range 5 {
		w.clock = w.clock.Add(24 * time.Hour)
		w.submit(t)
	}
	if w.states(t, 1) != "unknown" || w.batch(t, "hand").State != multe.BatchQueued || w.troubles(t) != "code.orphan position.already_void" {
		t.Errorf("orphan %s, list %s, told %q", w.states(t, 1), w.batch(t, "hand").State, w.troubles(t))
	}
	// What an esito forgets again and again is left to a person.
	w.put(t, 3, multe.CodeActive, "update")
	for i := range 6 {
		w.submit(t)
		for _, b := range w.gateway.sent[len(w.gateway.sent)-1:] {
			e := esito(b, multe.VerdictApplied)
			e.Outcomes = nil
			w.hear(t, e)
		}
		w.clock = w.clock.Add(25 * time.Hour)
		w.submit(t)
		if i > 3 && w.states(t, 3) != "unknown" {
			t.Errorf("round %d: %s", i, w.states(t, 3))
		}
	}
}

// TestAnnulmentPassesDoubt annuls a position of which nobody knows what it is
// worth.
func TestAnnulmentPassesDoubt(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "debtor", "void")
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictUnknown))
	w.submit(t)
	if len(w.gateway.sent) != 1 { // put gives no reason, but the world's gateway does not mind
		w.hear(t, esito(w.gateway.sent[1], multe.VerdictApplied))
	}
	if k := w.code(t, 1); k.State != multe.CodeVoid || w.states(t, 1) != "unknown applied" {
		t.Errorf("code %s, %s", k.State, w.states(t, 1))
	}
}

// TestPortalCreditor sends nothing for a creditor without SOAP.
func TestPortalCreditor(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeRequested, "request")
	w.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(ente)
		c.Portal, c.Version = true, c.Version+1
		if err != nil {
			return err
		}
		return tx.PutCreditor(c)
	})
	w.submit(t)
	if len(w.gateway.sent) != 0 || w.states(t, 1) != "waiting" {
		t.Errorf("sent %d, %s", len(w.gateway.sent), w.states(t, 1))
	}
}
