package app

import (
	"preavviso/internal/multe"
	"preavviso/pdf"
)

// printer turns records into paper. It is a pure function of what was printed
// on the spot: the slip never changes, so neither does its PDF.
type printer struct{}

// Preavviso draws the slip of v as the handheld printed it, whatever was paid or
// recorded since.
func (printer) Preavviso(c multe.Creditor, v multe.Verbale, k multe.Code) ([]byte, error) {
	s := v.Slip
	n := pdf.Notice{
		Creditor: pdf.Creditor{
			Name: c.Name, Settore: c.Settore, Info: c.Info,
			CF: string(c.ID), CBILL: c.CBILL,
		},
		Reference: s.ReferenceOrCode(),
		IssuedAt:  s.IssuedAt,
		Place:     s.Place,
		Plate:     string(s.Plate),
		Vehicle:   s.Vehicle,
		Norm:      s.Violation.Norm,
		Violation: s.Violation.Conduct,
		Warden:    s.Warden,
		Number:    k.Number,
		Causale:   string(multe.CausaleOfSlip(s)),
		Steps:     printedSteps(s.Steps),
	}
	if s.Full != nil {
		n.Full = s.Full.Number
	}
	if p := c.Postal; p != nil {
		n.Creditor.PostalAccount, n.Creditor.PostalHolder, n.Creditor.PosteAuthorisation = p.Number, p.Holder, p.Authorization
	}
	return pdf.Preavviso(n)
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
