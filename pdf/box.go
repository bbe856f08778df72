package pdf

import (
	"preavviso/internal/avviso"
)

// The boxes at the foot have fixed sizes, as the guide has them; the rest of the
// page is set as large as the space above them allows.
const (
	paymentHeight = 57.0
	postalHeight  = 54.0
	footSpace     = 6.0 // between the text and the boxes (guide, «Margini e spazi»)
	symbolSide    = 25.0
)

// payee is who a payment box names.
type payee struct {
	creditor Creditor
	debtor   string // as printed
}

// payment writes the box that a bank or an app needs, with its QR code. what is
// the amount and term that the bar says it is for.
func (s *sheet) payment(w words, to payee, p paid, what string, y float64) {
	const col, code = 59.0, 94.2
	s.heading(w, y, "payment", what)
	scan, wide := regular(8), col-margin-8
	if w.other != nil {
		scan, wide = regular(6.5), col-margin-3
	}
	s.both(w, scan, margin, y+41.5, wide, "scan")

	s.begin(sectionPay)
	if p.qr.Side() > 0 {
		s.symbol(&p.qr, margin, y+14, symbolSide)
	}
	s.amount(rightEdge, y+13.3, p.amount)
	s.pair(w, "debtor_label", col, y+13.5, 105, to.debtor)
	s.pair(w, "creditor_label", col, y+22.8, rightEdge-col, to.creditor.Name)
	s.pair(w, "object", col, y+32.1, rightEdge-col, p.causale)
	if to.creditor.CBILL != "" {
		s.stacked(w, col, y+43.4, code-col-2, "cbill", false)
		s.line(mono(10), col, y+47.6, to.creditor.CBILL)
	}
	s.stacked(w, code, y+43.4, 55, "code", false)
	s.line(mono(10), code, y+47.6, p.number.Grouped())
	s.stacked(w, rightEdge, y+43.4, 50, "creditor_cf", true)
	s.lineRight(mono(10), rightEdge, y+47.6, to.creditor.CF)
	s.end()
}

// bollettino writes the box that a post office needs, with its Data Matrix.
func (s *sheet) bollettino(w words, to payee, p paid, what string, y float64) {
	const col, edge = 59.0, 168.5
	c := to.creditor
	s.heading(w, y, "slip", what)
	s.line(bold(10), margin, y+13, "BancoPosta")
	s.both(w, regular(8), margin, y+18, 42, "counter")
	s.in(poste, func() { s.paragraph(regular(7), margin, y+45, 44, c.PosteAuthorisation) })

	s.begin(sectionPostal)
	if p.dm.Side() > 0 {
		s.symbol(&p.dm, rightEdge-symbolSide, y+22, symbolSide)
	}
	account := w.get("account")
	s.line(regular(10), col, y+13.3, account)
	s.line(mono(12), col+s.width(regular(10), account)+3, y+13, c.PostalAccount)
	s.amount(edge, y+13.3, p.amount)
	for i, row := range []struct{ key, value string }{
		{"holder", c.PostalHolder}, {"debtor_label", to.debtor}, {"object", p.causale},
	} {
		top := y + 21.5 + 5.8*float64(i)
		s.stacked(w, col, top, 34, row.key, false)
		s.fit(bold(8), col+35, top, edge-col-35, row.value)
	}
	s.stacked(w, col, y+41.5, 54, "code", false)
	s.line(mono(10), col, y+45.2, p.number.Grouped())
	s.stacked(w, 115.7, y+41.5, 14, "kind", false)
	s.line(mono(10), 115.7, y+45.2, "P1")
	s.stacked(w, edge, y+41.5, 37, "creditor_cf", true)
	s.lineRight(mono(10), edge, y+45.2, c.CF)
	s.end()

	// The corners of the frame, three modules outside the symbol.
	const out, arm, thick = 1.9, 4.5, 0.5
	const x0, side = rightEdge - symbolSide - out, symbolSide + 2*out
	y0 := y + 22 - out
	for _, r := range [][4]float64{
		{x0, y0, arm, thick}, {x0, y0, thick, arm},
		{x0 + side - arm, y0, arm, thick}, {x0 + side - thick, y0, thick, arm},
		{x0, y0 + side - thick, arm, thick}, {x0, y0 + side - arm, thick, arm},
		{x0 + side - arm, y0 + side - thick, arm, thick}, {x0 + side - thick, y0 + side - arm, thick, arm},
	} {
		s.box(r[0], r[1], r[2], r[3], frame)
	}
}

// pair writes a label and below it a name, on a line each.
func (s *sheet) pair(w words, key string, x, y, width float64, name string) {
	s.label(w, regular(8), x, y, width, key)
	s.fit(bold(8), x, y+3.7, width, name)
}

// amount writes «Euro 29,40» so that it ends at x.
func (s *sheet) amount(x, y float64, c avviso.Cents) {
	f := mono(12)
	s.lineRight(f, x, y-0.3, c.Italian())
	s.lineRight(regular(10), x-s.width(f, c.Italian())-2, y+0.3, "Euro")
}
