package prints

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// freeze gathers all that a paper of an act is made from at an instant, as the
// records have it. The print has no id, actor or digest yet.
func (d *docs) freeze(r store.Reader, v multe.Verbale, kind multe.PrintKind, language string, at time.Time) (multe.Print, error) {
	if language == "it" || kind == multe.PrintPreavviso {
		language = ""
	}
	p := multe.Print{Creditor: v.Creditor, Verbale: v.Slip.ID, Kind: kind, At: at, Language: language}
	copies, err := r.CountPrints(v.Creditor, v.Slip.ID, kind)
	if err != nil {
		return p, err
	}
	p.Copy = copies + 1
	made := v.Slip.IssuedAt // when what the paper says was fixed: decides whose name is on it
	if kind != multe.PrintPreavviso {
		if p.Face, err = d.faceOf(r, v, kind, at); err != nil {
			return p, err
		}
		made = p.Face.Drawn
	}
	if _, p.Sources.Creditor, err = store.CreditorAt(r, v.Creditor, made); err != nil {
		return p, err
	}
	for kind, n := range map[multe.DocumentKind]*uint64{
		multe.DocumentSettings: &p.Sources.Settings, multe.DocumentTexts: &p.Sources.Texts, multe.DocumentLogo: &p.Sources.Logo,
	} {
		d, err := store.DocumentOn(r, v.Creditor, kind, multe.DayOf(made))
		if err != nil && !errors.Is(err, fault.NotFound) {
			return p, err
		}
		*n = d.N // 0 if there is none
	}
	return p, nil
}

// faceOf is what the records say about a recorded act.
func (d *docs) faceOf(r store.Reader, v multe.Verbale, kind multe.PrintKind, at time.Time) (multe.PrintFace, error) {
	switch {
	case v.State == multe.VerbaleCancelled:
		return multe.PrintFace{}, fault.New(fault.Conflict, "print.cancelled", "Il verbale è annullato: non si stampa più.")
	case v.Record == nil:
		return multe.PrintFace{}, fault.New(fault.Conflict, "print.not_recorded", "Il verbale non è ancora registrato: prima va registrato con numero e destinatario.")
	case v.Record.Debtor == nil:
		return multe.PrintFace{}, fault.New(fault.Conflict, "print.no_debtor", "Il verbale è registrato senza destinatario: non si sa a chi intestarlo.")
	}
	rec := v.Record
	f := multe.PrintFace{Register: rec.Register, Drawn: rec.At, Causale: rec.Causale, Debtor: rec.Debtor}
	if kind == multe.PrintAvviso {
		f.Drawn = at // it says what to pay now
	}
	law, known, err := d.violationOf(r, v)
	if err != nil {
		return f, err
	}
	if known {
		f.Points, f.NoReduced = law.Points, law.NoReduced
	}
	if f.NoReduced != "" {
		if kind == multe.PrintAvviso {
			return f, fault.New(fault.Conflict, "print.not_reduced", "Per questa violazione non è ammesso il pagamento in misura ridotta: quanto è dovuto lo dirà l'ordinanza del Prefetto, e un avviso non si stampa.")
		}
		f.Causale = ""
		return f, nil
	}
	code, err := r.Code(v.Creditor, v.Carrier())
	if err != nil {
		return f, err
	}
	f.Number, f.DiscountedNumber = code.Number, code.Number
	if err := amounts(&f, v, kind, law, known, at); err != nil {
		return f, err
	}
	c, err := r.Creditor(v.Creditor)
	if err != nil {
		return f, err
	}
	if f.Discounted > 0 && f.DiscountedBy.IsZero() {
		f.Discount = discountOn(c, v, at)
	}
	f.Late = kind == multe.PrintVerbale && over(v, multe.DayOf(at))
	return f, payable(f, v, code, c, multe.DayOf(at))
}

// discountOn is how long the creditor grants the discount on a verbale from its
// notification: by the rules of that day, or if it is still to come, of today.
func discountOn(c multe.Creditor, v multe.Verbale, at time.Time) multe.Term {
	day := multe.DayOf(at)
	if n := v.Record.Notification; n != nil {
		day = n.Notified
	}
	return c.PolicyOn(day).Discount
}

// over reports whether the days of the reduced payment are over and half of the
// maximum is due. A ricorso holds the amount of its day, so what is due decides.
func over(v multe.Verbale, today multe.Day) bool {
	rec := v.Record
	if rec.Notification == nil || rec.Fine == nil || rec.Fine.Late == rec.Fine.Reduced {
		return false
	}
	late := rec.Fine.Late + rec.CostsCents
	return v.DueOn(today) == late && len(v.StepsOn(today)) == 1
}

// violationOf finds what the catalogue of its day says about an act, if it knows.
func (d *docs) violationOf(r store.Reader, v multe.Verbale) (law cds.Violation, known bool, err error) {
	doc, err := store.DocumentOn(r, v.Creditor, multe.DocumentCatalogue, multe.DayOf(v.Slip.IssuedAt))
	if errors.Is(err, fault.NotFound) {
		return law, false, nil
	}
	if err != nil {
		return law, false, err
	}
	catalogue, err := d.law(doc)
	if err != nil {
		return law, false, err
	}
	for _, code := range []string{v.Record.Violation, v.Slip.Violation.Code} {
		if law, known = catalogue.Violation(code); known {
			return law, true, nil
		}
	}
	var same []cds.Violation // a handheld without catalogue knows no code
	for _, l := range catalogue.All() {
		if l.Norm == v.Slip.Violation.Norm {
			same = append(same, l)
		}
	}
	if len(same) > 1 {
		same = slices.DeleteFunc(same, func(l cds.Violation) bool { return l.Text != v.Slip.Violation.Conduct })
	}
	if len(same) != 1 {
		return law, false, nil
	}
	return same[0], true, nil
}

// amounts fills in what is asked for. A verbale says what the law has it cost from
// its notification on; an avviso what is still to come, by the day where that is
// known.
func amounts(f *multe.PrintFace, v multe.Verbale, kind multe.PrintKind, law cds.Violation, known bool, at time.Time) error {
	rec := v.Record
	f.Costs = rec.CostsCents
	switch {
	case kind == multe.PrintAvviso && (rec.Fine == nil || rec.Notification != nil):
		steps := v.StepsOn(multe.DayOf(at))
		f.Reduced, f.ReducedBy = steps[0].Cents-f.Costs, steps[0].LastDay
		if len(steps) > 1 && !steps[1].LastDay.IsZero() {
			f.Discounted, f.DiscountedBy = f.Reduced, f.ReducedBy
			f.Reduced, f.ReducedBy = steps[1].Cents-f.Costs, steps[1].LastDay
		}
		return nil
	case rec.Fine != nil:
		f.Discounted, f.Reduced, f.Full = rec.Fine.Discounted, rec.Fine.Reduced, rec.Fine.Late
		if kind == multe.PrintAvviso {
			f.Full = 0
		}
		return nil
	case !known:
		return fault.New(fault.Conflict, "print.no_fine", "Non si conoscono gli importi di legge del verbale (ridotto e metà del massimo): indicare la violazione del catalogo, o gli importi, nella registrazione.")
	}
	fine, err := law.FineAt(v.Slip.IssuedAt)
	if err != nil {
		return err
	}
	f.Discounted, f.Reduced, f.Full = fine.Discounted, fine.Reduced, fine.Late
	return nil
}

// payable refuses to ask for what the platform would not take: the code must be
// active there, and worth today what is due today and printed.
func payable(f multe.PrintFace, v multe.Verbale, code multe.Code, c multe.Creditor, today multe.Day) error {
	switch {
	case v.State == multe.VerbaleSettled || code.State == multe.CodePaid:
		return fault.New(fault.Conflict, "print.paid", "Il verbale è già pagato: la stampa chiederebbe di pagarlo di nuovo.")
	case code.State == multe.CodeVoid:
		return fault.New(fault.Conflict, "print.void", "Il codice avviso è annullato: non si può più pagare.")
	case c.Portal: // nothing comes back from the portal: whoever carries the lists answers for it
		return nil
	case code.State != multe.CodeActive:
		return fault.New(fault.Conflict, "print.not_active", "PiemontePAY non ha ancora confermato il codice avviso: oggi non si può pagare. Attendere la conferma e ripetere la stampa.")
	}
	due := v.DueOnPosition(code.Position, today)
	if code.UpstreamCents != due {
		return fault.New(fault.Conflict, "print.amount_differs", fmt.Sprintf("Su PiemontePAY il codice avviso vale %s euro, ma oggi sono dovuti %s euro: l'aggiornamento non è ancora confermato. Attendere e ripetere la stampa.",
			code.UpstreamCents.Italian(), due.Italian()))
	}
	printed := []multe.Cents{f.Reduced + f.Costs}
	if f.Discounted > 0 {
		printed = append(printed, f.Discounted+f.Costs)
	}
	if f.Late {
		printed = []multe.Cents{f.Full + f.Costs}
	}
	if !slices.Contains(printed, due) {
		return fault.New(fault.Conflict, "print.amount_differs", fmt.Sprintf("Su PiemontePAY il codice avviso vale %s euro, che non è tra gli importi che la stampa chiederebbe: controllare la registrazione, o stampare l'avviso al posto del verbale.", due.Italian()))
	}
	return nil
}

// name is what an act is called in an output: its register number, or that of the
// preavviso. It names nobody.
func name(v multe.Verbale) string {
	if v.Record != nil {
		return v.Record.Register
	}
	return v.Slip.ReferenceOrCode()
}

// before orders the acts of a job.
func before(order multe.PrintOrder) func(a, b multe.Verbale) int {
	cap := func(v multe.Verbale) string {
		if v.Record != nil && v.Record.Debtor != nil {
			return v.Record.Debtor.CAP
		}
		return ""
	}
	return func(a, b multe.Verbale) int {
		if order == multe.PrintByCAP {
			if c := cmp.Compare(cap(a), cap(b)); c != 0 {
				return c
			}
		}
		return cmp.Or(multe.CompareRegister(name(a), name(b)), cmp.Compare(a.Slip.ID, b.Slip.ID))
	}
}
