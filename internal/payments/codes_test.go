package payments_test

import (
	"strings"
	"testing"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const fullPos multe.PositionID = "00000000000000000000000000000002"

func fullNumber() avviso.Number {
	const head = "3010000000000002"
	n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err)
	}
	return n
}

// putTwo stores a verbale with two codes in their states, 29,40 through the fifth
// day and 42,00, each with a change that waits. With reissued the second code took
// over from the first instead of standing beside it.
func (w *world) putTwo(t *testing.T, first, second multe.CodeState, v multe.VerbaleState, reissued bool) {
	t.Helper()
	w.put(t, first, v)
	w.update(t, func(tx store.Tx) error {
		k := multe.Code{Creditor: ente, Position: fullPos, Number: fullNumber(), State: second, Verbale: "v", Version: 1}
		if err := tx.PutCode(k); err != nil {
			return err
		}
		verbale, err := tx.Verbale(ente, "v")
		if err != nil {
			return err
		}
		if verbale.Version++; reissued {
			verbale.Reissued = fullPos
		} else {
			verbale.Slip.Full = &multe.SlipCode{Position: fullPos, Number: fullNumber()}
		}
		if err := tx.PutVerbale(verbale); err != nil {
			return err
		}
		for _, p := range []multe.PositionID{pos, fullPos} {
			if err := tx.PutChange(multe.NewChange(ente, p, 1, multe.ChangeUpdate, multe.Desired{Cents: 4200}, w.clock)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) life(t *testing.T, p multe.PositionID) string {
	t.Helper()
	var out []string
	if err := w.store.View(t.Context(), func(r store.Reader) error {
		k, err := r.Code(ente, p)
		if err != nil {
			return err
		}
		out = []string{string(k.State)}
		chs, err := r.ChangesOf(ente, p, 0, 100)
		for _, ch := range chs {
			out = append(out, string(ch.Kind)+":"+string(ch.State))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// TestVoidSibling pays one code of two while the other was annulled already, and
// closes what waited for the notification.
func TestVoidSibling(t *testing.T) {
	w := open(t)
	w.putTwo(t, multe.CodeActive, multe.CodeVoid, multe.VerbaleIssued, false)
	w.update(t, func(tx store.Tx) error {
		for _, kind := range []string{"position.already_paid", "position.paid_unnotified"} {
			if err := store.Report(tx, ente, kind, string(pos), strings.Repeat("x", 100), w.clock); err != nil {
				return err
			}
		}
		return nil
	})
	w.hear(t, paid("A", 2940, printed))
	if got := w.life(t, fullPos); got != "void update:waiting" {
		t.Errorf("the other code: %s", got)
	}
	if _, _, told := w.look(t); told != "" {
		t.Errorf("still told %q", told)
	}
}

// TestDiscountOutlivesTheRecord pays the discounted code of two after the office
// recorded a higher amount: the paper holds through its last day.
func TestDiscountOutlivesTheRecord(t *testing.T) {
	for day, want := range map[multe.Day]multe.VerbaleState{printed.Plus(5): multe.VerbaleSettled, printed.Plus(6): multe.VerbaleFinalised} {
		w := open(t)
		w.putTwo(t, multe.CodeActive, multe.CodeActive, multe.VerbaleFinalised, false)
		w.update(t, func(tx store.Tx) error {
			v, err := tx.Verbale(ente, "v")
			if err != nil {
				return err
			}
			v.Record.At, v.Version = printed.Plus(2).Start().UTC(), v.Version+1
			return tx.PutVerbale(v)
		})
		w.hear(t, paid("A", 2940, day))
		if _, got, _ := w.look(t); got != want {
			t.Errorf("paid on %v: %s, want %s", day, got, want)
		}
	}
}

// TestTwoCodes pays one or both codes of a verbale, early and late.
func TestTwoCodes(t *testing.T) {
	early, late := printed.Plus(5), printed.Plus(6)
	first := func(iur string, cents multe.Cents, day multe.Day) multe.Payment { return paid(iur, cents, day) }
	second := func(iur string, cents multe.Cents, day multe.Day) multe.Payment {
		p := paid(iur, cents, day)
		p.IUV = fullNumber().IUV()
		return p
	}
	for _, tt := range []struct {
		name     string
		reissued bool
		state    multe.VerbaleState
		pay      []multe.Payment
		want     multe.VerbaleState
		a, b     string
		told     string
	}{
		{"discounted, in time", false, multe.VerbaleIssued, []multe.Payment{first("A", 2940, early)}, multe.VerbaleSettled, "paid update:refused", "active update:refused void:waiting", ""},
		{"discounted, too late", false, multe.VerbaleIssued, []multe.Payment{first("A", 2940, late)}, multe.VerbaleIssued, "paid update:refused", "active update:refused void:waiting", "payment.short"},
		{"full, early", false, multe.VerbaleIssued, []multe.Payment{second("A", 4200, early)}, multe.VerbaleSettled, "active update:refused void:waiting", "paid update:refused", ""},
		{"full, late", false, multe.VerbaleIssued, []multe.Payment{second("A", 4200, late)}, multe.VerbaleSettled, "active update:refused void:waiting", "paid update:refused", ""},
		{"full, too much", false, multe.VerbaleIssued, []multe.Payment{second("A", 4300, early)}, multe.VerbaleSettled, "active update:refused void:waiting", "paid update:refused", "payment.over"},
		{"discounted, in time, recorded", false, multe.VerbaleFinalised, []multe.Payment{first("A", 2940, early)}, multe.VerbaleSettled, "paid update:refused", "active update:refused void:waiting", ""},
		{"both", false, multe.VerbaleIssued, []multe.Payment{first("A", 2940, early), second("B", 4200, early)}, multe.VerbaleSettled, "paid update:refused", "paid update:refused void:refused", "payment.both_codes"},
		{"both, the other way round", false, multe.VerbaleIssued, []multe.Payment{second("B", 4200, early), first("A", 2940, early)}, multe.VerbaleSettled, "paid update:refused void:refused", "paid update:refused", "payment.both_codes"},
		{"the old one of a reissue", true, multe.VerbaleIssued, []multe.Payment{first("A", 4200, late)}, multe.VerbaleSettled, "paid update:refused", "active update:refused void:waiting", ""},
		{"the new one of a reissue", true, multe.VerbaleIssued, []multe.Payment{second("A", 4200, late)}, multe.VerbaleSettled, "active update:refused void:waiting", "paid update:refused", ""},
		{"cancelled", false, multe.VerbaleCancelled, []multe.Payment{first("A", 2940, early)}, multe.VerbaleCancelled, "paid update:refused", "active update:refused void:waiting", "payment.cancelled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			w.putTwo(t, multe.CodeActive, multe.CodeActive, tt.state, tt.reissued)
			for range 2 { // told twice
				for _, p := range tt.pay {
					w.hear(t, p)
				}
			}
			var v multe.Verbale
			if err := w.store.View(t.Context(), func(r store.Reader) (err error) { v, err = r.Verbale(ente, "v"); return err }); err != nil {
				t.Fatal(err)
			}
			if v.State != tt.want || w.life(t, pos) != tt.a || w.life(t, fullPos) != tt.b {
				t.Errorf("verbale %s, first %s, second %s", v.State, w.life(t, pos), w.life(t, fullPos))
			}
			if _, _, got := w.look(t); got != tt.told {
				t.Errorf("told %q, want %q", got, tt.told)
			}
		})
	}
}
