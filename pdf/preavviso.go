package pdf

import (
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a server without zone files prints the same page

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

var rome = sync.OnceValues(func() (*time.Location, error) { return time.LoadLocation("Europe/Rome") })

// Preavviso draws the notice that is left on a windscreen: one A4 page as a PDF
// document. Equal notices give equal bytes.
//
// Its errors are [fault.Invalid] with codes that begin with «print.» when the
// notice cannot be printed as it is, and internal otherwise: when the fonts are
// not in this build, for one.
func Preavviso(p Notice) ([]byte, error) {
	return render(p, options{compress: true, symbols: true})
}

// options exist for tests: golden files want to be read, and a page without
// symbols shows what the symbols cost.
type options struct{ compress, symbols bool }

// The boxes at the foot have fixed places and sizes, as the guide has them; the
// rest of the page is set as large as the space above them allows.
const (
	paymentHeight = 57.0
	postalHeight  = 54.0
	footSpace     = 6.0 // between the text and the boxes
	symbolSide    = 25.0

	largestBody  = 11.0 // points
	smallestBody = 7.0  // notes are a point smaller; under that nobody reads them
	bodyStep     = 0.5
	leastGap     = 2.5 // between sections
	mostGap      = 6.5
)

func render(p Notice, o options) ([]byte, error) {
	p, err := p.prepared()
	if err != nil {
		return nil, err
	}
	zone, err := rome()
	if err != nil {
		return nil, fmt.Errorf("loading Europe/Rome: %w", err)
	}
	var qr, dm symbol
	if o.symbols {
		if qr, dm, err = symbols(p); err != nil {
			return nil, err
		}
	}
	s, err := newSheet(p.IssuedAt)
	if err != nil {
		return nil, err
	}
	s.pdf.SetCompression(o.compress)
	s.pdf.SetTitle(textDocumentTitle, true)

	foot := pageHeight - margin - paymentHeight
	if p.Creditor.postal() {
		foot -= postalHeight
	}
	size, gap, ok := s.fitBody(p, zone, foot-footSpace)
	if !ok {
		return nil, fault.New(fault.Invalid, "print.no_room", "I testi sono troppo lunghi per stare in una pagina.")
	}
	s.pdf.AddPage()
	s.body(p, zone, size, gap)
	s.payment(p, zone, foot)
	if o.symbols {
		qr.draw(s.pdf, margin, foot+14, symbolSide)
	}
	if p.Creditor.postal() {
		s.bollettino(p, zone, foot+paymentHeight)
		if o.symbols {
			dm.draw(s.pdf, rightEdge-symbolSide, foot+paymentHeight+22, symbolSide)
		}
	}
	return s.bytes()
}

// symbols encodes what is due now, as printed. The second symbol is empty when
// there is no bollettino.
func symbols(p Notice) (qr, dm symbol, err error) {
	invalid := func(err error) (symbol, symbol, error) {
		return symbol{}, symbol{}, fault.Wrap(fault.Invalid, "print.bad_payload",
			"I dati per il pagamento non sono validi: controllare codice fiscale dell'ente, conto postale e destinatario.", err)
	}
	payload, err := avviso.QR(p.Number, p.Creditor.CF, p.due().Amount)
	if err != nil {
		return invalid(err)
	}
	if qr, err = qrSymbol(payload); err != nil {
		return symbol{}, symbol{}, err
	}
	if !p.Creditor.postal() {
		return qr, symbol{}, nil
	}
	debtorCF := p.Debtor.CF
	if debtorCF == "" {
		debtorCF = avviso.Anonymous
	}
	payload, err = avviso.DataMatrix(avviso.DataMatrixInput{
		Number: p.Number, Account: p.Creditor.PostalAccount, Amount: p.due().Amount, CreditorCF: p.Creditor.CF,
		DebtorCF: debtorCF, DebtorName: p.Debtor.Name, Causale: p.Causale,
	})
	if err != nil {
		return invalid(err)
	}
	dm, err = dataMatrixSymbol(payload)
	return qr, dm, err
}

// fitBody finds the largest size at which the upper part ends above bottom, and
// shares what is left among the gaps between its sections.
func (s *sheet) fitBody(p Notice, zone *time.Location, bottom float64) (size, gap float64, ok bool) {
	s.dry = true
	defer func() { s.dry = false }()
	for size = largestBody; size >= smallestBody; size -= bodyStep {
		if left := bottom - s.body(p, zone, size, leastGap); left >= 0 {
			return size, min(mostGap, leastGap+left/bodyGaps), true
		}
	}
	return 0, 0, false
}

// rowGap is the space between rows of a section, in gaps between sections;
// bodyGaps is how many gaps body leaves in all.
const (
	rowGap   = 0.4
	bodyGaps = 7 + 6*rowGap
)

// body writes all that stands above the payment boxes and returns where it ends.
func (s *sheet) body(p Notice, zone *time.Location, size, gap float64) float64 {
	const (
		col1, width1 = margin, 44.0
		col2         = 58.0
		width2       = rightEdge - col2
		col3         = 154.0
	)
	value, small, row := bold(size), regular(size-1), gap*rowGap

	y := s.header(p) + gap

	y = s.bar(y, "VIOLAZIONE ACCERTATA", "n. "+p.Reference) + gap
	at := p.IssuedAt.In(zone)
	y = max(
		s.labelled("Data e ora", value, col1, y, width1, at.Format(dateLayout+", ore 15:04")),
		s.labelled("Luogo", value, col2, y, width2, p.Place),
	) + row
	y = max(
		s.labelled("Targa", mono(size), col1, y, width1, p.Plate),
		s.labelled("Veicolo", value, col2, y, col3-col2-4, p.Vehicle),
		s.labelled("Agente accertatore (matricola)", value, col3, y, rightEdge-col3, p.Warden),
	) + row
	y = max(
		s.labelled("Norma violata", value, col1, y, width1, p.Norm),
		s.labelled("Violazione", value, col2, y, width2, p.Violation),
	) + gap

	y = s.bar(y, "QUANTO E QUANDO PAGARE?", "") + gap
	column := (rightEdge - margin) / float64(max(2, len(p.Steps)))
	words, amount := bold(max(8, size-1)), bold(16)
	labels, terms := y, y
	for i, step := range p.Steps {
		labels = max(labels, s.paragraph(words, margin+float64(i)*column, y, column-4, step.Label))
	}
	for i, step := range p.Steps {
		x := margin + float64(i)*column
		s.text(amount, x, labels, "€ "+step.Amount.Italian())
		terms = max(terms, s.paragraph(words, x, labels+amount.line(), column-4, step.term(zone)))
	}
	y = s.paragraph(small, margin, terms+row, rightEdge-margin, textAmounts) + gap

	y = s.bar(y, "CHE COSA SAPERE", "") + gap
	const left, right, half = margin, 108.0, 92.0
	for i := 0; i+1 < len(notes); i += 2 {
		y = max(s.note(left, y, half, small, p, notes[i]), s.note(right, y, half, small, p, notes[i+1])) + row
	}
	return y
}

// header writes who is owed on the left and what this paper is on the right.
func (s *sheet) header(p Notice) float64 {
	const width = 108.0
	y := margin
	name := bold(14)
	for name.size > 10 && len(s.wrap(name, width, p.Creditor.Name)) > 2 {
		name.size--
	}
	end := s.paragraph(name, margin, y, width, p.Creditor.Name)
	end = s.paragraph(regular(10), margin, end, width, p.Creditor.Settore)
	for _, t := range []string{p.Creditor.Info, p.Creditor.Contacts} {
		end = s.paragraph(regular(8), margin, end+0.6, width, t)
	}
	s.textRight(bold(14), rightEdge, y, textTitle)
	s.textRight(regular(8), rightEdge, y+bold(14).line(), textSubtitle)
	return max(end, y+bold(14).line()+regular(8).line())
}

func (s *sheet) note(x, y, w float64, f face, p Notice, n note) float64 {
	where := p.Creditor.Privacy
	if where == "" {
		where = textPrivacyAtOffice
	}
	y = s.paragraph(bold(f.size), x, y, w, n.heading)
	return s.paragraph(f, x, y, w, strings.NewReplacer("{ente}", p.Creditor.Name, "{informativa}", where).Replace(n.text))
}

// payment writes the box that a bank or an app needs; the QR code goes into the
// empty square at its left.
func (s *sheet) payment(p Notice, zone *time.Location, y float64) {
	const col, code = 59.0, 94.2
	due := p.due()
	s.bar(y, "DATI PER IL PAGAMENTO", due.Label+" – "+due.term(zone))
	s.paragraph(regular(8), margin, y+44, col-margin-8, textScan)

	s.amount(rightEdge, y+13.3, due.Amount)
	s.pair("Destinatario", col, y+13.5, 105, p.Debtor.printed())
	s.pair("Ente creditore", col, y+22.8, rightEdge-col, p.Creditor.Name)
	s.pair("Oggetto del pagamento", col, y+32.1, rightEdge-col, p.Causale)

	if p.Creditor.CBILL != "" {
		s.text(regular(8), col, y+43.4, "Codice CBILL")
		s.text(mono(10), col, y+47.6, p.Creditor.CBILL)
	}
	s.text(regular(8), code, y+43.4, "Codice avviso")
	s.text(mono(10), code, y+47.6, p.Number.Grouped())
	s.textRight(regular(8), rightEdge, y+43.4, "Cod. fiscale ente creditore")
	s.textRight(mono(10), rightEdge, y+47.6, p.Creditor.CF)
}

// bollettino writes the box that a post office needs; the Data Matrix goes into
// the frame at its right.
func (s *sheet) bollettino(p Notice, zone *time.Location, y float64) {
	const col, edge = 59.0, 168.5
	due := p.due()
	s.bar(y, "BOLLETTINO POSTALE PA", due.Label+" – "+due.term(zone))
	s.text(bold(10), margin, y+13, "BancoPosta")
	s.paragraph(regular(8), margin, y+18, 42, textCounter)
	s.pdf.SetTextColor(0x4D, 0x4D, 0x4D) // 70 % black, as the guide wants it
	s.paragraph(regular(7), margin, y+45, 44, p.Creditor.PosteAuthorisation)
	s.pdf.SetTextColor(0, 0, 0)

	s.text(regular(10), col, y+13.3, "sul C/C n.")
	s.text(mono(12), col+19, y+13, p.Creditor.PostalAccount)
	s.amount(edge, y+13.3, due.Amount)
	for i, row := range []struct{ label, value string }{
		{"Intestato a", p.Creditor.PostalHolder},
		{"Destinatario", p.Debtor.printed()},
		{"Oggetto del pagamento", p.Causale},
	} {
		top := y + 22.5 + 5.5*float64(i)
		s.text(regular(8), col, top, row.label)
		s.fit(bold(8), col+30, top, edge-col-30, row.value)
	}
	s.text(regular(8), col, y+41.5, "Codice avviso")
	s.text(mono(10), col, y+45.2, p.Number.Grouped())
	s.text(regular(8), 115.7, y+41.5, "Tipo")
	s.text(mono(10), 115.7, y+45.2, "P1")
	s.textRight(regular(8), edge, y+41.5, "Cod. fiscale ente creditore")
	s.textRight(mono(10), edge, y+45.2, p.Creditor.CF)

	// The corners of the frame, three modules outside the symbol.
	const out, arm, thick = 1.9, 4.5, 0.5
	const x0, side = rightEdge - symbolSide - out, symbolSide + 2*out
	y0 := y + 22 - out
	s.pdf.SetFillColor(0xD9, 0xD9, 0xD9)
	for _, r := range [][4]float64{
		{x0, y0, arm, thick}, {x0, y0, thick, arm},
		{x0 + side - arm, y0, arm, thick}, {x0 + side - thick, y0, thick, arm},
		{x0, y0 + side - thick, arm, thick}, {x0, y0 + side - arm, thick, arm},
		{x0 + side - arm, y0 + side - thick, arm, thick}, {x0 + side - thick, y0 + side - arm, thick, arm},
	} {
		s.pdf.Rect(r[0], r[1], r[2], r[3], "F")
	}
}

// pair writes a label and below it a name, on a line each.
func (s *sheet) pair(label string, x, y, w float64, name string) {
	s.text(regular(8), x, y, label)
	s.fit(bold(8), x, y+3.7, w, name)
}

// amount writes «Euro 29,40» so that it ends at x.
func (s *sheet) amount(x, y float64, c avviso.Cents) {
	f := mono(12)
	s.textRight(f, x, y-0.3, c.Italian())
	s.textRight(regular(10), x-s.width(f, c.Italian())-2, y+0.3, "Euro")
}
