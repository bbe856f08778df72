package cds

import (
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Facts is what a handheld says about the amounts of a preavviso it printed.
type Facts struct {
	Code    string  // of the violation, in the catalogue
	Vehicle Vehicle // "" if not said
	At      time.Time
	Printed []multe.Step
}

// Recompute returns the steps that a preavviso should have, nil if it should not
// be, and how the printed ones differ:
//
// A difference is told to the office; what was printed stays.
//
//	amount.unknown_violation      the catalogue has no such code
//	amount.not_in_force           it has no amount for that day
//	amount.no_reduced_payment     the law admits no payment on a preavviso
//	amount.wrong_vehicle          the violation is for other vehicles
//	amount.night_missing          printed by day, seen at night
//	amount.night_not_due          printed by night, seen by day
//	amount.discount_not_admitted  a discount was printed
//	amount.discount_missing       none was printed
//	amount.differs                another sum, for no reason known here
//	amount.last_day_differs       the discount was printed with another last day
//
// One cause gives one difference: where the night explains the sums, they are not
// reported again.
func Recompute(c *Catalogue, p Policy, f Facts) ([]multe.Step, []multe.Flag) {
	v, ok := c.Violation(f.Code)
	if !ok {
		return nil, []multe.Flag{{Code: "amount.unknown_violation", Detail: fmt.Sprintf("Il codice di violazione %q non è nel catalogo.", f.Code)}}
	}
	var ds []multe.Flag
	if f.Vehicle != "" && !v.Fits(f.Vehicle) {
		ds = append(ds, multe.Flag{Code: "amount.wrong_vehicle", Detail: fmt.Sprintf("La violazione %s non riguarda questa classe di veicoli.", v.Code)})
	}
	fine, err := v.FineAt(f.At)
	if err != nil {
		e := fault.Of(err)
		return nil, append(ds, multe.Flag{Code: e.Code, Detail: e.Detail})
	}
	day := multe.DayOf(f.At)
	want := fine.Slip(p, day)
	ds = append(ds, v.compare(p, f, want)...)
	return want, ds
}

// compare returns how the printed steps of f differ from want.
func (v Violation) compare(p Policy, f Facts, want []multe.Step) []multe.Flag {
	got := f.Printed
	if len(got) == 0 || len(got) > 2 {
		return []multe.Flag{{Code: "amount.differs", Detail: fmt.Sprintf("Sul preavviso risultano %d importi, attesi %d.", len(got), len(want))}}
	}
	var ds []multe.Flag
	add := func(code, detail string) { ds = append(ds, multe.Flag{Code: code, Detail: detail}) }
	switch {
	case len(got) > len(want) && v.NoDiscount != "":
		add("amount.discount_not_admitted", fmt.Sprintf("È stato stampato lo sconto, che per la violazione %s non è ammesso: %s.", v.Code, v.NoDiscount))
	case len(got) > len(want):
		add("amount.discount_not_admitted", "È stato stampato lo sconto, che l'ente non applica sul preavviso.")
	case len(got) < len(want):
		add("amount.discount_missing", fmt.Sprintf("Non è stato stampato lo sconto del 30%%: %s euro entro il %s.", want[0].Cents.Italian(), want[0].LastDay.Italian()))
	}
	// From here on the sums: both lists end with the full amount.
	a, _ := v.AmountOn(multe.DayOf(f.At)) // there is one: want was computed from it
	atNight := v.Night && IsNight(f.At)
	other := v.fine(a, !atNight).Slip(p, multe.DayOf(f.At))
	switch {
	case sameSums(got, want):
	case sameSums(got, other) && atNight:
		add("amount.night_missing", fmt.Sprintf("Manca l'aumento di un terzo per le ore notturne: stampati %s euro, dovuti %s.", last(got).Italian(), last(want).Italian()))
	case sameSums(got, other):
		add("amount.night_not_due", fmt.Sprintf("L'aumento notturno non era dovuto: stampati %s euro, dovuti %s.", last(got).Italian(), last(want).Italian()))
	case last(got) != last(want):
		add("amount.differs", fmt.Sprintf("L'importo stampato è %s euro, il catalogo prevede %s.", last(got).Italian(), last(want).Italian()))
	default:
		add("amount.differs", fmt.Sprintf("L'importo scontato stampato è %s euro, il catalogo prevede %s.", got[0].Cents.Italian(), want[0].Cents.Italian()))
	}
	if len(got) == 2 && len(want) == 2 && got[0].LastDay != want[0].LastDay {
		add("amount.last_day_differs", fmt.Sprintf("Lo sconto è stampato fino al %s, il termine è il %s.", got[0].LastDay.Italian(), want[0].LastDay.Italian()))
	}
	return ds
}

func last(steps []multe.Step) multe.Cents { return steps[len(steps)-1].Cents }

// sameSums compares the full amounts, and the discounted ones where both lists
// have one.
func sameSums(a, b []multe.Step) bool {
	return last(a) == last(b) && (len(a) != len(b) || a[0].Cents == b[0].Cents)
}
