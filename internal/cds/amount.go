package cds

import (
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Policy is what a creditor decides about amounts. Its zero value is the law: 30 %
// less within five days, on a preavviso counted from the day of the violation.
type Policy struct {
	Patron Patron
	// Slip is how long the discount lasts on a preavviso, from the day of the
	// violation. No law fixes it: a preavviso is not a verbale.
	Slip           Term
	NoSlipDiscount bool // the preavviso shows only the minimum
	// Discount is how long it lasts from the notification of a verbale. Only a
	// law changes it (30 days in spring 2020, D.L. 18/2020 art. 108).
	Discount Term
}

// Validate checks a policy as an administrator typed it.
func (p Policy) Validate() error {
	for _, t := range []Term{p.Slip, p.Discount} {
		if t.Days < 0 || t.Days > MaxTermDays || t.Days == 0 && t.Working {
			return fault.New(fault.Invalid, "policy.bad_term", fmt.Sprintf("Il termine per lo sconto va da 1 a %d giorni.", MaxTermDays))
		}
	}
	return nil
}

// IsNight reports whether a violation at instant t falls under the night
// surcharge of art. 195 c. 2-bis CdS: «dopo le ore 22 e prima delle ore 7», by the
// clock on the wall in Rome and to the minute, as it is printed. At 22:00 it is
// not yet after 22, at 7:00 no longer before 7.
func IsNight(t time.Time) bool {
	h, m, _ := t.In(multe.Rome()).Clock()
	minute := h*60 + m
	return minute > 22*60 || minute < 7*60
}

// Fine is what one violation costs.
type Fine struct {
	Reduced multe.Cents // the minimum, at night and where listed a third more
	// Discounted is Reduced less 30 %; 0 where the law denies the discount.
	Discounted multe.Cents
	// Late is half of the maximum, due when the 60 days have passed. Where the
	// maximum is less than twice the minimum it is less than Reduced (art. 157 c.
	// 7-bis: 223 to 444); the law knows no other sum, so neither do we.
	Late multe.Cents
}

// FineAt returns what the violation costs when it was seen at instant at. It is
// a [fault.Invalid] if the catalogue has no amount for that day, or if the law
// admits no reduced payment, so that only the prefetto can fix a sum.
func (v Violation) FineAt(at time.Time) (Fine, error) {
	a, ok := v.AmountOn(multe.DayOf(at))
	switch {
	case v.NoReduced != "":
		return Fine{}, fault.New(fault.Invalid, "amount.no_reduced_payment",
			fmt.Sprintf("Per la violazione %s il pagamento in misura ridotta non è ammesso (%s): il verbale va trasmesso al prefetto.", v.Code, v.NoReduced))
	case !ok:
		return Fine{}, fault.New(fault.Invalid, "amount.not_in_force",
			fmt.Sprintf("Il catalogo non ha importi per la violazione %s in data %s.", v.Code, multe.DayOf(at).Italian()))
	}
	return v.fine(a, v.Night && IsNight(at)), nil
}

func (v Violation) fine(a Amount, night bool) Fine {
	f := Fine{Reduced: a.Min, Late: share(a.Max, 1, 2)}
	if night {
		// The law raises the penalty itself, so both of its limits.
		f = Fine{Reduced: share(a.Min, 4, 3), Late: share(a.Max, 4, 6)}
	}
	if v.NoDiscount == "" {
		f.Discounted = share(f.Reduced, 70, 100)
	}
	return f
}

// share returns c·num/den, a fraction of a cent rounded half up. All amounts here
// are positive and far from overflow.
func share(c multe.Cents, num, den multe.Cents) multe.Cents { return (2*c*num + den) / (2 * den) }

// Slip returns the steps printed on a preavviso for a violation seen on day. The
// last one has no end: it lasts until a verbale is notified. Costs are not on a
// preavviso.
func (f Fine) Slip(p Policy, day multe.Day) []multe.Step {
	if f.Discounted == 0 || p.NoSlipDiscount {
		return []multe.Step{{Cents: f.Reduced}}
	}
	return []multe.Step{
		{Cents: f.Discounted, LastDay: p.Slip.LastDay(day, p.Patron)},
		{Cents: f.Reduced},
	}
}

// Notified returns what is due for a verbale contested or notified on a day: the
// discounted and the reduced amount, each through its last day, then half of the
// maximum. Costs (accertamento and notification; 0 when contested on the spot)
// are part of every step and never discounted.
//
// Source: art. 202 c. 1, 203 c. 3 and 201 c. 4 CdS.
func (f Fine) Notified(p Policy, notified multe.Day, costs multe.Cents) []multe.Step {
	var steps []multe.Step
	if f.Discounted != 0 {
		steps = append(steps, multe.Step{Cents: f.Discounted + costs, LastDay: p.Discount.LastDay(notified, p.Patron)})
	}
	if f.Late == f.Reduced {
		return append(steps, multe.Step{Cents: f.Reduced + costs}) // nothing changes after the 60 days
	}
	return append(steps,
		multe.Step{Cents: f.Reduced + costs, LastDay: Deadline(notified, ReducedDays, p.Patron)},
		multe.Step{Cents: f.Late + costs})
}

// PolicyOn returns what a creditor has decided for violations and notifications
// of a day.
func PolicyOn(c multe.Creditor, d multe.Day) (Policy, error) {
	m := c.PolicyOn(d)
	patron, err := ParsePatron(m.Patron)
	if err != nil {
		return Policy{}, err
	}
	p := Policy{Patron: patron, Slip: Term(m.Slip), NoSlipDiscount: m.NoSlipDiscount, Discount: Term(m.Discount)}
	return p, p.Validate()
}
