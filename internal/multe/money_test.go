package multe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

var monday = multe.Day{Year: 2026, Month: 3, Day: 2}

func fined(s multe.VerbaleState) multe.Verbale {
	return multe.Verbale{State: s, Slip: multe.Slip{Position: "P1", IssuedAt: monday.Start(),
		Steps: []multe.Step{{Cents: 2940, LastDay: monday.Plus(5)}, {Cents: 4200}}}}
}

// TestBalance pins what was owed and what should go back.
func TestBalance(t *testing.T) {
	pay := func(p multe.PositionID, cents multe.Cents, day int) multe.Payment {
		return multe.Payment{Position: p, Cents: cents, PaidOn: monday.Plus(day)}
	}
	two := func(v multe.Verbale) multe.Verbale {
		v.Slip.Full = &multe.SlipCode{Position: "P2"}
		return v
	}
	recorded := func(v multe.Verbale) multe.Verbale {
		v.Record = &multe.Record{Cents: 9000, At: monday.Plus(10).Start()}
		return v
	}
	for _, tt := range []struct {
		name           string
		v              multe.Verbale
		paid           []multe.Payment
		back           multe.Cents
		owed, ex, left multe.Cents
	}{
		{"nothing", fined(multe.VerbaleIssued), nil, 0, 0, 0, 0},
		{"in time", fined(multe.VerbaleSettled), []multe.Payment{pay("P1", 2940, 5)}, 0, 2940, 0, 2940},
		{"late, and less", fined(multe.VerbaleIssued), []multe.Payment{pay("P1", 2940, 6)}, 0, 4200, 0, 2940},
		{"more", fined(multe.VerbaleSettled), []multe.Payment{pay("P1", 4200, 5)}, 0, 2940, 1260, 4200},
		{"twice", fined(multe.VerbaleSettled), []multe.Payment{pay("P1", 2940, 1), pay("P1", 2940, 2)}, 0, 2940, 2940, 5880},
		{"twice, heard the other way round", fined(multe.VerbaleSettled), []multe.Payment{pay("P1", 4200, 9), pay("P1", 2940, 2)}, 0, 2940, 4200, 7140},
		{"in two parts", fined(multe.VerbaleSettled), []multe.Payment{pay("P1", 2000, 7), pay("P1", 2200, 8)}, 0, 4200, 0, 4200},
		{"cancelled", fined(multe.VerbaleCancelled), []multe.Payment{pay("P1", 2940, 1)}, 0, 0, 2940, 2940},
		{"cancelled and given back", fined(multe.VerbaleCancelled), []multe.Payment{pay("P1", 2940, 1)}, 2940, 0, 0, 0},
		{"half given back", fined(multe.VerbaleCancelled), []multe.Payment{pay("P1", 2940, 1)}, 1000, 0, 1940, 1940},
		{"more given back than came", fined(multe.VerbaleCancelled), []multe.Payment{pay("P1", 2940, 1)}, 5000, 0, 0, 0},
		{"full code early", two(fined(multe.VerbaleSettled)), []multe.Payment{pay("P2", 4200, 1)}, 0, 4200, 0, 4200},
		{"both codes", two(fined(multe.VerbaleSettled)), []multe.Payment{pay("P1", 2940, 1), pay("P2", 4200, 1)}, 0, 2940, 4200, 7140},
		{"before it was recorded", recorded(fined(multe.VerbaleSettled)), []multe.Payment{pay("P1", 4200, 10)}, 0, 4200, 0, 4200},
		{"after", recorded(fined(multe.VerbaleFinalised)), []multe.Payment{pay("P1", 4200, 11)}, 0, 9000, 0, 4200},
		{"what was recorded, on that day", recorded(fined(multe.VerbaleSettled)), []multe.Payment{pay("P1", 9000, 10)}, 0, 9000, 0, 9000},
		{"more than that", recorded(fined(multe.VerbaleSettled)), []multe.Payment{pay("P1", 9100, 10)}, 0, 9000, 100, 9100},
		{"discounted code after the record", recorded(two(fined(multe.VerbaleSettled))), []multe.Payment{pay("P1", 2940, 5)}, 0, 2940, 0, 2940},
	} {
		var refunds []multe.Refund
		if tt.back > 0 {
			refunds = []multe.Refund{{Cents: tt.back - 1}, {Cents: 1}}
		}
		if b := tt.v.Balance(tt.paid, refunds); b.Owed != tt.owed || b.Excess() != tt.ex || b.Left() != tt.left {
			t.Errorf("%s: %+v, excess %d, left %d; want %d, %d, %d", tt.name, b, b.Excess(), b.Left(), tt.owed, tt.ex, tt.left)
		}
	}
}

// TestConclude walks a work item from sight to closing and back.
func TestConclude(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	d := multe.NewDiscrepancy("C", "k.k", "s", "detail", at)
	taken, err := d.Take("operator:a", at)
	if err != nil || taken.Taken.By != "operator:a" || taken.Version != 2 {
		t.Fatalf("%+v, %v", taken, err)
	}
	for _, note := range []string{"", " x", "a\x00b", strings.Repeat("x", multe.MaxNote+1)} {
		if _, err := taken.Conclude("operator:b", multe.WorkDone, note, at); !errors.Is(err, fault.Invalid) {
			t.Errorf("note of %d characters: %v", len(note), err)
		}
	}
	if _, err := taken.Conclude("operator:b", "by_magic", "x", at); !errors.Is(err, fault.Invalid) {
		t.Errorf("outcome of no list: %v", err)
	}
	closed, err := taken.Conclude("operator:b", multe.WorkKept, "Visto.\nResta così.", at)
	if err != nil || closed.Open || closed.Closed.By != "operator:b" || closed.Version != 3 {
		t.Fatalf("%+v, %v", closed, err)
	}
	if _, err := closed.Take("operator:a", at); !errors.Is(err, fault.Conflict) {
		t.Errorf("took what is closed: %v", err)
	}
	if _, err := closed.Conclude("operator:b", multe.WorkKept, "x", at); !errors.Is(err, fault.Conflict) {
		t.Errorf("closed what is closed: %v", err)
	}
	again := closed.Again("detail", at)
	if !again.Open || again.Taken != (multe.Taking{}) || again.Closed != (multe.Closure{}) || again.Count != 2 {
		t.Errorf("met again: %+v", again)
	}
	if more := taken.Again("detail", at); more.Taken.By != "operator:a" {
		t.Error("what somebody works on was taken from them")
	}
}

// TestCovers compares days of ownership.
func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		from, until, day int
		want             bool
	}{
		{0, 0, 5, true}, {5, 0, 5, true}, {6, 0, 5, false}, {0, 5, 5, true}, {0, 4, 5, false}, {4, 6, 5, true},
	} {
		h := multe.OwnerHint{}
		if tt.from > 0 {
			h.From = monday.Plus(tt.from)
		}
		if tt.until > 0 {
			h.Until = monday.Plus(tt.until)
		}
		if got := h.Covers(monday.Plus(tt.day)); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	a, err1 := multe.NewOwnerHint("C", "AB123CD", monday, multe.Day{}, multe.Debtor{CF: "A"}, monday.Start())
	b, err2 := multe.NewOwnerHint("C", "AB123CD", monday, multe.Day{}, multe.Debtor{CF: "A"}, monday.Plus(9).Start())
	c, err3 := multe.NewOwnerHint("C", "AB123CE", monday, multe.Day{}, multe.Debtor{CF: "A"}, monday.Start())
	if err := errors.Join(err1, err2, err3); err != nil || a.ID != b.ID || a.ID == c.ID || !multe.ValidID(string(a.ID)) {
		t.Errorf("ids %s %s %s, %v", a.ID, b.ID, c.ID, err)
	}
	if f := a.Forget(); f.Debtor != nil || f.Plate != "" || !f.Gone || f.Version != 2 {
		t.Errorf("forgotten: %+v", f)
	}
}

// TestRefundIsChecked refuses what the accounts could not follow.
func TestRefundIsChecked(t *testing.T) {
	good := multe.Refund{ID: multe.RefundID(id), IUV: "30", Cents: 1, RefundedOn: monday, Reason: "Doppio pagamento", Mandate: "12/2026"}
	if err := good.Validate(monday); err != nil {
		t.Fatal(err)
	}
	for field, spoil := range map[string]func(*multe.Refund){
		"refund.bad_id":      func(r *multe.Refund) { r.ID = "x" },
		"refund.bad_iuv":     func(r *multe.Refund) { r.IUV = "" },
		"refund.bad_amount":  func(r *multe.Refund) { r.Cents = 0 },
		"refund.bad_day":     func(r *multe.Refund) { r.RefundedOn = monday.Plus(1) },
		"refund.bad_reason":  func(r *multe.Refund) { r.Reason = strings.Repeat("x", multe.MaxRefundReason+1) },
		"refund.bad_mandate": func(r *multe.Refund) { r.Mandate = "" },
	} {
		r := good
		spoil(&r)
		if e, ok := errors.AsType[*fault.Error](r.Validate(monday)); !ok || e.Code != field {
			t.Errorf("%s: %v", field, r.Validate(monday))
		}
	}
	other := good
	other.By, other.Version = "operator:x", 7
	if !good.Same(other) {
		t.Error("who recorded it makes another refund of it")
	}
	if other.Cents = 2; good.Same(other) {
		t.Error("another amount is the same refund")
	}
}
