package multe

import (
	"cmp"
	"slices"
)

// Day is when the payment was made, or heard of if the platform did not say.
func (p Payment) Day() Day {
	if p.PaidOn.IsZero() {
		return DayOf(p.Received)
	}
	return p.PaidOn
}

// OwedFor is what was due on a day from whoever paid position p. The discounted
// code of two is worth what it says through its last day, whatever was recorded,
// unless that is less.
// Through the day on which the office asked for another amount, what was asked
// before holds too where it is lower: nobody can have known.
func (v Verbale) OwedFor(p PositionID, d Day) Cents {
	if v.Slip.Full != nil && p == v.Slip.Position && d.Compare(v.Slip.Steps[0].LastDay) <= 0 {
		return min(v.Slip.Steps[0].Cents, v.DueOn(d))
	}
	due := v.DueOn(d)
	for v.Record != nil && d.Compare(DayOf(v.Record.At)) <= 0 {
		v = v.before()
		due = min(due, v.DueOn(d))
	}
	return due
}

// FullPrice is what position p was worth when it was paid on a day, which is
// more than what was owed where somebody pays the full code of two early, or the
// new amount on the very day on which the office asked for it: that much is no
// excess.
func (v Verbale) FullPrice(p PositionID, d Day) Cents {
	due, full, discounted := v.OwedFor(p, d), v.Slip.Full, false
	if full != nil {
		discounted = p == v.Slip.Position
	}
	if full != nil && p == full.Position || v.Record != nil && !discounted && d == DayOf(v.Record.At) {
		due = max(due, v.DueOnPosition(p, d))
	}
	return due
}

// Balance is the money of one verbale, or of an IUV that stands for none.
type Balance struct {
	Owed     Cents // what was due when enough had come; nothing once it is cancelled
	Paid     Cents // in all
	Refunded Cents // in all
}

// Excess is what should go back.
func (b Balance) Excess() Cents { return max(0, b.Paid-b.Refunded-b.Owed) }

// Left is what is still here, and so the most that can go back.
func (b Balance) Left() Cents { return max(0, b.Paid-b.Refunded) }

// Balance adds up what came for the verbale and what went back. What was owed is
// what was due on the day on which enough had come; if that day never was, it is
// what was due at the last payment, and nothing is in excess.
func (v Verbale) Balance(payments []Payment, refunds []Refund) Balance {
	var b Balance
	for _, r := range refunds {
		b.Refunded += r.Cents
	}
	sorted := slices.Clone(payments)
	slices.SortStableFunc(sorted, func(a, b Payment) int {
		return cmp.Or(a.Day().Compare(b.Day()), a.Received.Compare(b.Received), cmp.Compare(a.IUV, b.IUV), cmp.Compare(a.IUR, b.IUR))
	})
	enough := v.State == VerbaleCancelled
	for _, p := range sorted {
		b.Paid += p.Cents
		if enough {
			continue
		}
		b.Owed = v.OwedFor(p.Position, p.Day())
		if enough = b.Paid >= b.Owed; enough {
			b.Owed = max(b.Owed, min(b.Paid, v.FullPrice(p.Position, p.Day())))
		}
	}
	return b
}
