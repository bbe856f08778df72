package prints

import (
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/pdf"
)

// sheet is the document that a print is: a pure function of what the print keeps,
// of its sources and of the slip, none of which ever change.
func sheet(p multe.Print, s sources, v multe.Verbale) pdf.Document {
	switch p.Kind {
	case multe.PrintAvviso:
		return avvisoOf(p, s)
	case multe.PrintVerbale:
		return verbaleOf(p, s, v.Slip)
	}
	return noticeOf(s, v.Slip, p.Reprint())
}

func creditorOf(s sources) pdf.Creditor {
	c := s.creditor
	out := pdf.Creditor{Name: c.Name, Settore: c.Settore, Info: c.Info, Contacts: s.settings.Contacts, Privacy: s.settings.Privacy,
		CF: string(c.ID), CBILL: c.CBILL, Logo: s.logo}
	if p := c.Postal; p != nil {
		out.PostalAccount, out.PostalHolder, out.PosteAuthorisation = p.Number, p.Holder, p.Authorization
	}
	return out
}

// noticeOf is the preavviso as the handheld printed it, whatever was paid or
// recorded since.
func noticeOf(s sources, slip multe.Slip, reprint bool) pdf.Notice {
	n := pdf.Notice{
		Creditor:  creditorOf(s),
		Reference: slip.ReferenceOrCode(),
		IssuedAt:  slip.IssuedAt,
		Place:     slip.Place,
		Plate:     string(slip.Plate),
		Vehicle:   slip.Vehicle,
		Norm:      slip.Violation.Norm,
		Violation: slip.Violation.Conduct,
		Warden:    slip.Warden,
		Number:    slip.Number,
		Causale:   string(multe.CausaleOfSlip(slip)),
		Steps:     printedSteps(slip.Steps),
		Reprint:   reprint,
	}
	if slip.Full != nil {
		n.Full = slip.Full.Number
	}
	return n
}

// discounted reports whether a is b less 30 %, cents kept (art. 202 c. 1 CdS:
// the discount is not rounded to whole euro).
func discounted(a, b multe.Cents) bool { return a == (b*7+5)/10 }

func printedSteps(steps []multe.Step) []pdf.Step {
	out := make([]pdf.Step, len(steps))
	for i, s := range steps {
		p := pdf.Step{Amount: s.Cents, Label: "Importo in misura ridotta"}
		if i == 0 && len(steps) > 1 {
			p.Label = "Importo scontato"
			if discounted(s.Cents, steps[1].Cents) {
				p.Label = "Importo scontato del 30%"
			}
		}
		switch {
		case !s.LastDay.IsZero():
			p.By = s.LastDay.Start()
		case i > 0:
			p.Term = "dal " + steps[i-1].LastDay.Plus(1).Italian() + ", fino alla notifica del verbale"
		default:
			p.Term = "fino alla notifica del verbale"
		}
		out[i] = p
	}
	return out
}

func avvisoOf(p multe.Print, s sources) pdf.Avviso {
	f := p.Face
	a := pdf.Avviso{Creditor: creditorOf(s), Debtor: debtorOf(f.Debtor), Object: string(f.Causale), Causale: string(f.Causale),
		Date: f.Drawn, Language: p.Language, Discount: pdf.Term(f.Discount), Reprint: p.Reprint()}
	if f.Discounted > 0 {
		a.Amounts = append(a.Amounts, amountOf(f, f.Discounted, f.DiscountedBy))
		a.Amounts[0].Number = f.DiscountedNumber
	}
	a.Amounts = append(a.Amounts, amountOf(f, f.Reduced, f.ReducedBy))
	return a
}

func amountOf(f multe.PrintFace, c multe.Cents, by multe.Day) pdf.Amount {
	a := pdf.Amount{Number: f.Number, Amount: c + f.Costs}
	if !by.IsZero() {
		a.By = by.Start()
	}
	return a
}

func verbaleOf(p multe.Print, s sources, slip multe.Slip) pdf.Verbale {
	f := p.Face
	return pdf.Verbale{
		Creditor: creditorOf(s), Register: f.Register, DrawnUp: f.Drawn, FoundAt: slip.IssuedAt,
		Place: slip.Place, Plate: string(slip.Plate), Nation: slip.Nation, Vehicle: slip.Vehicle,
		Norm: slip.Violation.Norm, Violation: slip.Violation.Conduct, Wardens: slip.Warden,
		NotServed: s.settings.NotServed, Debtor: debtorOf(f.Debtor), Liable: true,
		Points: f.Points, Signature: s.settings.Signature, Officer: s.settings.Officer,
		Office: s.settings.Office, Prefect: s.settings.Prefect, Judge: s.settings.Judge,
		Discounted: f.Discounted, Reduced: f.Reduced, Full: f.Full, Costs: f.Costs, Discount: pdf.Term(f.Discount), Late: f.Late, NoReduced: f.NoReduced,
		Number: f.Number, DiscountedNumber: f.DiscountedNumber, Causale: string(f.Causale), Language: p.Language, Reprint: p.Reprint(),
	}
}

func debtorOf(d *multe.Debtor) pdf.Debtor {
	if d == nil {
		return pdf.Debtor{}
	}
	name := d.Company
	if name == "" {
		name = strings.TrimSpace(d.Name + " " + d.Surname)
	}
	street := joined(" ", d.Address, d.Civico)
	place := joined(" ", d.CAP, d.City)
	if d.Province != "" {
		place += " (" + d.Province + ")"
	}
	abroad := d.Nation != "" && d.Nation != "IT"
	if abroad {
		place = joined(" – ", place, d.Nation)
	}
	return pdf.Debtor{Name: name, CF: string(d.CF), Foreign: abroad && !avviso.FiscalCode(string(d.CF)), Address: joined(", ", street, place)}
}

func joined(by string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, by)
}
