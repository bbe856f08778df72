package verbali_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// policy gives the creditor a policy from day on, and options.
func (w *world) policy(t *testing.T, p multe.Policy, options func(*multe.Creditor)) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(ente)
		if err != nil {
			return err
		}
		if p.From.IsZero() {
			p.From = multe.DayOf(w.clock).Plus(-1)
		}
		c.Policies, c.Version = append(c.Policies, p), c.Version+1
		if options != nil {
			options(&c)
		}
		return tx.PutCreditor(c)
	})
}

// two is a slip with the codes i and i+1.
func (w *world) two(i int) multe.Slip {
	s := w.slip(i)
	s.Full = &multe.SlipCode{Position: multe.PositionID(hex(i + 1)), Number: number(i + 1)}
	return s
}

// all returns the changes after the request as "kind:cents:day:state", with where
// they go and from when.
func (w *world) all(t *testing.T, i int) string {
	t.Helper()
	var out []string
	for _, c := range w.changes(t, i) {
		s := fmt.Sprintf("%s:%d:%s:%s", c.Kind, c.Want.Cents, c.Want.ValidTo, c.State)
		if c.Want.Debtor != nil {
			s += "+debtor"
		}
		if c.Route != "" {
			s += "@" + string(c.Route)
		}
		if c.NotBefore.After(w.clock) {
			s += " after " + c.NotBefore.In(multe.Rome()).Format("01-02 15:04")
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func (w *world) codeOf(t *testing.T, i int) multe.Code {
	t.Helper()
	var k multe.Code
	if err := w.store.View(t.Context(), func(r store.Reader) (err error) {
		k, err = r.Code(ente, multe.PositionID(hex(i)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return k
}

// left marks what waits for code i as on its way.
func (w *world) left(t *testing.T, i int) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		chs, err := tx.ChangesOf(ente, multe.PositionID(hex(i)), 0, 100)
		if err != nil {
			return err
		}
		for _, ch := range chs {
			if ch.State != multe.ChangeWaiting || ch.NotBefore.After(w.clock) {
				continue
			}
			next, err := ch.Seal("B1", w.clock)
			if err != nil {
				return err
			}
			if err := tx.PutChange(next); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestTwoCodes is what a slip with two codes tells the platform, by the day it
// arrives: the discounted code ends with its day, the full one never has a
// discount.
func TestTwoCodes(t *testing.T) {
	for _, tt := range []struct {
		after            time.Duration
		discounted, full string
	}{
		{0, "activate:2940:2026-03-07:waiting, void:0::waiting after 03-08 00:00", "activate:4200::waiting"},
		{5 * 24 * time.Hour, "activate:2940:2026-03-07:waiting, void:0::waiting after 03-08 00:00", "activate:4200::waiting"},
		// 2 March is winter: midnight in Rome is 23:00 UTC.
		{5*24*time.Hour + 14*time.Hour - time.Second, "activate:2940:2026-03-07:waiting, void:0::waiting after 03-08 00:00", "activate:4200::waiting"},
		{5*24*time.Hour + 14*time.Hour, "void:0::waiting", "activate:4200::waiting"},
		{20 * 24 * time.Hour, "void:0::waiting", "activate:4200::waiting"},
	} {
		w := open(t)
		w.policy(t, multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}, nil)
		w.code(t, 1, multe.CodeAssigned, device)
		w.code(t, 2, multe.CodeAssigned, device)
		s := w.two(1)
		w.clock = w.clock.Add(tt.after)
		v, k, err := w.issue(t, s)
		if err != nil || k.Position != s.Position || len(v.Positions()) != 2 {
			t.Fatalf("after %v: %v", tt.after, err)
		}
		if got := w.all(t, 1); got != tt.discounted {
			t.Errorf("after %v the discounted code: %s, want %s", tt.after, got, tt.discounted)
		}
		if got := w.all(t, 2); got != tt.full {
			t.Errorf("after %v the full code: %s, want %s", tt.after, got, tt.full)
		}
		if w.codeOf(t, 1).Verbale != s.ID || w.codeOf(t, 2).Verbale != s.ID {
			t.Error("the codes are not on the verbale")
		}
		if _, _, err := w.issue(t, s); err != nil || w.all(t, 2) != tt.full {
			t.Errorf("issued again: %v, %s", err, w.all(t, 2))
		}
	}
}

// TestWrongCodes takes a slip with too many or too few codes for its day, for it is
// on paper, and flags it.
func TestWrongCodes(t *testing.T) {
	w := open(t)
	w.policy(t, multe.Policy{From: multe.DayOf(w.clock).Plus(1), Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}, nil)
	for i := 1; i <= 4; i++ {
		w.code(t, i, multe.CodeAssigned, device)
	}
	for i := 6; i <= 8; i++ {
		w.code(t, i, multe.CodeAssigned, device)
	}
	flagged := func(name string, v multe.Verbale, err error, want string) {
		t.Helper()
		var flags string
		for _, f := range v.Flags {
			flags += f.Code
		}
		if err != nil || flags != want {
			t.Errorf("%s: flags %q, %v; want %q", name, flags, err, want)
		}
	}
	v, _, err := w.issue(t, w.two(6))
	flagged("two codes a day early", v, err, "codes.other_policy")
	one := w.slip(1)
	w.clock = w.clock.Add(48 * time.Hour)
	v, _, err = w.issue(t, one) // printed before the policy began
	flagged("one code, printed in time", v, err, "")
	v, _, err = w.issue(t, w.slip(8))
	flagged("one code, too late", v, err, "codes.other_policy")
	held := w.two(3)
	w.code(t, 5, multe.CodeAssigned, "d2")
	held.Full = &multe.SlipCode{Position: multe.PositionID(hex(5)), Number: number(5)}
	if _, _, err := w.issue(t, held); fault.Of(err).Code != "code.other_device" {
		t.Errorf("the second code is another's: %v", err)
	}
	swapped := w.two(3)
	swapped.Full.Number = number(1)
	if _, _, err := w.issue(t, swapped); fault.Of(err).Code != "verbale.number_mismatch" {
		t.Errorf("the second number is another's: %v", err)
	}
}

// TestRecordByPolicy is where debtor and amount go, by policy and by how far the
// activation has come.
func TestRecordByPolicy(t *testing.T) {
	const waiting, gone = false, true
	for _, tt := range []struct {
		debtor  multe.DebtorPolicy
		amount  multe.AmountPolicy
		left    bool
		codes   [3]string // of the slip, the full one or a spare, a spare
		carrier int
	}{
		{multe.DebtorREST, multe.AmountOneCode, waiting, [3]string{"update:9900::waiting+debtor"}, 1},
		{multe.DebtorREST, multe.AmountOneCode, gone, [3]string{"activate:2940::sealed, update:9900::waiting+debtor@rest"}, 1},
		{multe.DebtorReissue, multe.AmountOneCode, waiting, [3]string{"update:9900::waiting+debtor"}, 1},
		{multe.DebtorReissue, multe.AmountOneCode, gone, [3]string{"activate:2940::sealed", "update:9900::waiting+debtor"}, 2},
		{multe.DebtorReset, multe.AmountTwoCodes, waiting, [3]string{"activate:2940:2026-03-07:waiting, void:0::waiting after 03-08 00:00", "update:9900::waiting+debtor"}, 2},
		{multe.DebtorReset, multe.AmountTwoCodes, gone, [3]string{"activate:2940:2026-03-07:sealed, void:0::waiting after 03-08 00:00", "activate:4200::sealed, reset:0::waiting, update:9900::waiting+debtor"}, 2},
		{multe.DebtorREST, multe.AmountTwoCodes, gone, [3]string{"activate:2940:2026-03-07:sealed, void:0::waiting after 03-08 00:00", "activate:4200::sealed, update:9900::waiting+debtor@rest"}, 2},
		{multe.DebtorReissue, multe.AmountTwoCodes, gone, [3]string{"activate:2940:2026-03-07:sealed, void:0::waiting after 03-08 00:00", "activate:4200::sealed", "update:9900::waiting+debtor"}, 3},
		{multe.DebtorRegister, multe.AmountTwoCodes, gone, [3]string{"activate:2940:2026-03-07:sealed, void:0::waiting after 03-08 00:00", "activate:4200::sealed, update:9900::waiting"}, 2},
	} {
		t.Run(fmt.Sprint(tt.debtor, " ", tt.amount, " ", tt.left), func(t *testing.T) {
			w := open(t)
			w.policy(t, multe.Policy{Debtor: tt.debtor, Amount: tt.amount}, nil)
			w.code(t, 1, multe.CodeAssigned, device)
			slip, spare := w.slip(1), 2
			if tt.amount == multe.AmountTwoCodes {
				w.code(t, 2, multe.CodeAssigned, device)
				slip, spare = w.two(1), 3
			}
			w.code(t, spare, multe.CodeAvailable, "")
			if _, _, err := w.issue(t, slip); err != nil {
				t.Fatal(err)
			}
			if tt.left {
				w.left(t, 1)
				w.left(t, 2)
			}
			v, k, err := w.Record(t.Context(), "operator:1", ente, slip.ID, multe.Record{Register: "1", Cents: 9900, Causale: "Verbale", Debtor: &debtor})
			if err != nil || k.Position != slip.Position {
				t.Fatal(err)
			}
			for i, want := range tt.codes {
				if got := w.all(t, i+1); got != want {
					t.Errorf("code %d: %s\nwant %s", i+1, got, want)
				}
			}
			if v.Carrier() != multe.PositionID(hex(tt.carrier)) || w.codeOf(t, tt.carrier).Verbale != slip.ID {
				t.Errorf("carried by %s", v.Carrier())
			}
			before := w.all(t, spare)
			if again, _, err := w.Record(t.Context(), "operator:1", ente, slip.ID, multe.Record{Register: "1", Cents: 9900, Causale: "Verbale", Debtor: &debtor}); err != nil || again.Reissued != v.Reissued || w.all(t, spare) != before {
				t.Errorf("recorded again: %v", err)
			}
		})
	}
}

// TestReissueFromAnEmptyPool asks the office to wait, and records nothing.
func TestReissueFromAnEmptyPool(t *testing.T) {
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorReissue, Amount: multe.AmountOneCode}, nil)
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.left(t, 1)
	r := multe.Record{Register: "1", Cents: 9900, Causale: "Verbale", Debtor: &debtor}
	if _, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, r); fault.Of(err).Code != "pool.empty" {
		t.Errorf("= %v", err)
	}
	if v, _, err := w.Get(t.Context(), ente, s.ID); err != nil || v.Record != nil {
		t.Errorf("recorded all the same: %+v, %v", v.Record, err)
	}
	r.Debtor = nil // who stays anonymous needs no other code
	if v, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, r); err != nil || v.Reissued != "" {
		t.Errorf("anonymous: %v", err)
	}
}

// TestValidity counts from the day on the slip.
func TestValidity(t *testing.T) {
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}, func(c *multe.Creditor) { c.ValidityDays = 60 })
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	w.clock = w.clock.Add(72 * time.Hour)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	if got, want := w.all(t, 1), "activate:2940:2026-05-01:waiting"; got != want {
		t.Errorf("= %s, want %s", got, want)
	}
}

// TestCancel walks through an annulment, and back.
func TestCancel(t *testing.T) {
	ctx := t.Context()
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}, nil)
	w.code(t, 1, multe.CodeAssigned, device)
	w.code(t, 2, multe.CodeAssigned, device)
	s := w.two(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.UndoCancel(ctx, "operator:1", ente, s.ID); fault.Of(err).Code != "verbale.wrong_state" {
		t.Errorf("undo of nothing: %v", err)
	}
	if _, _, err := w.Cancel(ctx, "operator:1", ente, s.ID, multe.Cancellation{Reason: ""}); fault.Of(err).Code != "verbale.bad_reason" {
		t.Errorf("without a reason: %v", err)
	}
	w.left(t, 1) // its activation is on the way, the other's is not
	for range 2 {
		v, _, err := w.Cancel(ctx, "operator:1", ente, s.ID, multe.Cancellation{Reason: "Targa errata"})
		if err != nil || v.State != multe.VerbaleCancelled {
			t.Fatal(err)
		}
	}
	const end = "void:0::waiting after 03-02 10:30" // 09:30 UTC
	if got, want := w.all(t, 1), "activate:2940:2026-03-07:sealed, void:0::refused after 03-08 00:00, "+end; got != want {
		t.Errorf("discounted code: %s, want %s", got, want)
	}
	if got, want := w.all(t, 2), "activate:4200::refused, "+end; got != want {
		t.Errorf("full code: %s, want %s", got, want)
	}
	if _, _, err := w.Cancel(ctx, "operator:1", ente, s.ID, multe.Cancellation{Reason: "Altro"}); fault.Of(err).Code != "verbale.wrong_state" {
		t.Errorf("another reason: %v", err)
	}
	w.clock = w.clock.Add(29 * time.Minute)
	v, _, err := w.UndoCancel(ctx, "operator:1", ente, s.ID)
	if err != nil || v.State != multe.VerbaleIssued {
		t.Fatal(err)
	}
	if got, want := w.all(t, 1), "activate:2940:2026-03-07:sealed, void:0::refused after 03-08 00:00, void:0::refused after 03-02 10:30, void:0::waiting after 03-08 00:00"; got != want {
		t.Errorf("discounted code restored: %s, want %s", got, want)
	}
	if got, want := w.all(t, 2), "activate:4200::refused, void:0::refused after 03-02 10:30, activate:4200::waiting"; got != want {
		t.Errorf("full code restored: %s, want %s", got, want)
	}

	if _, _, err := w.Cancel(ctx, "operator:1", ente, s.ID, multe.Cancellation{Reason: "Targa errata"}); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(30 * time.Minute)
	w.left(t, 2)
	before := w.all(t, 1)
	if _, _, err := w.UndoCancel(ctx, "operator:1", ente, s.ID); fault.Of(err).Code != "verbale.undo_too_late" {
		t.Errorf("after one has left: %v", err)
	}
	if w.all(t, 1) != before {
		t.Error("half undone")
	}
}

// TestUndoRestoresWhatWasDropped cancels and undoes twice: what was to be told is to
// be told once, by its own route; a change that may have left cannot be undone.
func TestUndoRestoresWhatWasDropped(t *testing.T) {
	ctx := t.Context()
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorREST, Amount: multe.AmountOneCode}, nil)
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.left(t, 1)
	if _, _, err := w.Record(ctx, "operator:1", ente, s.ID, multe.Record{Register: "1", Cents: 9900, Causale: "Verbale", Debtor: &debtor}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := w.Cancel(ctx, "operator:1", ente, s.ID, multe.Cancellation{Reason: "Autotutela"}); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(time.Minute)
		if v, _, err := w.UndoCancel(ctx, "operator:1", ente, s.ID); err != nil || v.State != multe.VerbaleFinalised {
			t.Fatal(v.State, err)
		}
		w.clock = w.clock.Add(time.Minute)
		if got := w.all(t, 1); strings.Count(got, "waiting") != 1 || !strings.HasSuffix(got, "update:9900::waiting+debtor@rest") {
			t.Errorf("= %s", got)
		}
	}
	if _, _, err := w.Cancel(ctx, "operator:1", ente, s.ID, multe.Cancellation{Reason: "Autotutela"}); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(31 * time.Minute)
	w.update(t, func(tx store.Tx) error { // it left, and its list was refused whole
		chs, err := tx.ChangesOf(ente, multe.PositionID(hex(1)), 0, 100)
		if err != nil {
			return err
		}
		ch, err := chs[len(chs)-1].Seal("B2", w.clock)
		if err != nil {
			return err
		}
		if err := tx.PutChange(ch); err != nil {
			return err
		}
		if ch, err = ch.Retry("200", w.clock, w.clock); err != nil {
			return err
		}
		return tx.PutChange(ch)
	})
	if _, _, err := w.UndoCancel(ctx, "operator:1", ente, s.ID); fault.Of(err).Code != "verbale.undo_too_late" {
		t.Errorf("after it may have arrived: %v", err)
	}
}

// TestCancelWindow is the creditor's own.
func TestCancelWindow(t *testing.T) {
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}, func(c *multe.Creditor) { c.UndoMinutes = 5 })
	w.code(t, 1, multe.CodeAssigned, device)
	if _, _, err := w.issue(t, w.slip(1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Cancel(t.Context(), "operator:1", ente, w.slip(1).ID, multe.Cancellation{Reason: "Autotutela"}); err != nil {
		t.Fatal(err)
	}
	chs := w.changes(t, 1)
	if last := chs[len(chs)-1]; !last.NotBefore.Equal(w.clock.Add(5*time.Minute)) || last.Want.Reason != "Autotutela" || last.Verbale != w.slip(1).ID {
		t.Errorf("annulment = %+v", last)
	}
}

// TestPaidSecondCode uploads a slip of which a code was paid already: the other
// one never becomes payable.
func TestPaidSecondCode(t *testing.T) {
	w := open(t)
	w.policy(t, multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}, nil)
	w.code(t, 1, multe.CodeAssigned, device)
	w.code(t, 2, multe.CodePaid, device)
	w.update(t, func(tx store.Tx) error {
		return tx.PutPayment(multe.Payment{Creditor: ente, IUV: number(2).IUV(), IUR: "R", Number: number(2), Position: multe.PositionID(hex(2)), Cents: 4200, PaidOn: multe.DayOf(w.clock), Received: w.clock, Version: 1})
	})
	v, _, err := w.issue(t, w.two(1))
	if err != nil || v.State != multe.VerbaleSettled {
		t.Fatalf("= %s, %v", v.State, err)
	}
	if got := w.all(t, 1); got != "void:0::waiting" {
		t.Errorf("the other code: %s", got)
	}
}
