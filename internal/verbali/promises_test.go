package verbali_test

import (
	"testing"
	"time"

	"preavviso/internal/multe"
)

// TestUpheldByMistake takes back the outcome of a ricorso that was not upheld: it is
// pending again, and nobody is asked for more than on its day.
func TestUpheldByMistake(t *testing.T) {
	ctx := t.Context()
	w := open(t)
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.left(t, 1)
	w.clock = w.clock.Add(20 * 24 * time.Hour)
	if _, _, err := w.Record(ctx, "operator:1", ente, s.ID, multe.Record{Register: "1", Causale: "Verbale", Fine: parking()}); err != nil {
		t.Fatal(err)
	}
	n := multe.Notification{How: multe.NotifiedConsegna, Day: multe.DayOf(w.clock).Plus(-10)}
	if _, _, err := w.Notify(ctx, "operator:1", ente, s.ID, n); err != nil {
		t.Fatal(err)
	}
	a := multe.Appeal{Authority: multe.AuthorityPrefetto, Number: "7", Day: multe.DayOf(w.clock)}
	if _, _, err := w.Verbali.Appeal(ctx, "operator:1", ente, s.ID, a); err != nil {
		t.Fatal(err)
	}
	w.left(t, 1)
	before := w.all(t, 1)

	w.clock = w.clock.Add(90 * 24 * time.Hour)
	if _, _, err := w.Rule(ctx, "operator:1", ente, s.ID, multe.Ruling{Verdetto: multe.RicorsoAccolto, Day: multe.DayOf(w.clock)}); err != nil {
		t.Fatal(err)
	}
	if want := before + ", void:0::waiting after 06-20 11:30"; w.all(t, 1) != want {
		t.Errorf("upheld: %s, want %s", w.all(t, 1), want)
	}
	w.clock = w.clock.Add(time.Minute)
	v, _, err := w.UndoCancel(ctx, "operator:1", ente, s.ID)
	if err != nil || !v.AppealPending() {
		t.Fatal(v.Appeals, err)
	}
	if want := before + ", void:0::refused after 06-20 11:30"; w.all(t, 1) != want {
		t.Errorf("taken back: %s, want %s", w.all(t, 1), want)
	}
}

// TestUndoTellsTheAmountOfToday undoes a cancellation on another day than that of
// the amount it held back.
func TestUndoTellsTheAmountOfToday(t *testing.T) {
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorRegister, Amount: multe.AmountOneCode}, func(c *multe.Creditor) { c.UndoMinutes = 1440 })
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.clock = s.Steps[0].LastDay.Start().Add(12 * time.Hour).UTC()
	if _, _, err := w.Cancel(t.Context(), "operator:1", ente, s.ID, multe.Cancellation{Reason: "Autotutela"}); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(20 * time.Hour)
	if _, _, err := w.UndoCancel(t.Context(), "operator:1", ente, s.ID); err != nil {
		t.Fatal(err)
	}
	if got, want := w.all(t, 1), "activate:2940::refused, void:0::refused after 03-08 12:00, activate:4200::waiting"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRecordLessThanTheSlip records a fine below the discount that was printed by
// mistake: the citizen is not held to the paper.
func TestRecordLessThanTheSlip(t *testing.T) {
	w := open(t)
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.left(t, 1)
	less := multe.Record{Register: "1", Causale: "Verbale", Fine: &multe.Fine{Reduced: 2600, Discounted: 1820, Late: 5100}}
	v, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, less)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.all(t, 1), "activate:2940::sealed, update:2600::waiting"; got != want || v.DueOn(multe.DayOf(w.clock)) != 2600 {
		t.Errorf("%s, due %d; want %s", got, v.DueOn(multe.DayOf(w.clock)), want)
	}

	// Of two codes the discounted one keeps what it says, and what came for it in
	// excess goes back.
	w.code(t, 3, multe.CodeAssigned, device)
	w.code(t, 4, multe.CodeAssigned, device)
	two := w.two(3)
	if _, _, err := w.issue(t, two); err != nil {
		t.Fatal(err)
	}
	less.Register = "2"
	if v, _, err = w.Record(t.Context(), "operator:1", ente, two.ID, less); err != nil {
		t.Fatal(err)
	}
	if owed := v.OwedFor(two.Position, multe.DayOf(w.clock).Plus(1)); owed != 2600 {
		t.Errorf("%d is owed for the discounted code, want 2600", owed)
	}
}
