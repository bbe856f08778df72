package escpos

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a server without zone files prints the same slip

	"golang.org/x/text/encoding/charmap"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/symbol"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// Printer is a printer's language.
type Printer string

// The languages of belt printers.
const (
	ESCPOS Printer = "escpos"
	ZPL    Printer = "zpl"
	CPCL   Printer = "cpcl"
)

// Options say for which printer a slip is.
type Options struct {
	Printer Printer
	Width   int // of the paper: 58, 80 or 112 mm
	DPI     int // 203 or 300

	// OwnFont lets the printer set the text: a tenth of the bytes, in the letters
	// it happens to have. Only at 203 dpi: printers' fonts are made of dots, and at
	// 300 they come out too small.
	OwnFont bool

	// Postal prints the Data Matrix, if the creditor may. Off where it is not known
	// whether Poste takes it from thermal paper.
	Postal bool
}

// paper is what a width and density come to, in dots.
type paper struct {
	width  int // that can be printed on, a multiple of 8
	cell   int // width of a character
	qr, dm int // dots of a module
}

// A head of 203 dpi has 8 dots a millimetre, one of 300 has 11.8; 58, 80 and
// 112 mm of paper take 48, 72 and 104 mm of print. Modules are 0.75 mm for the QR
// code and 0.5 mm for the Data Matrix, which is what 25 mm on A4 come to.
var papers = map[int]map[int]paper{
	203: {58: {384, 12, 6, 4}, 80: {576, 12, 6, 4}, 112: {832, 12, 6, 4}},
	300: {58: {560, 18, 9, 6}, 80: {848, 18, 9, 6}, 112: {1224, 18, 9, 6}},
}

// Quiet zones in modules: 4 of ISO/IEC 18004; 2, of which ISO/IEC 16022 asks
// for one.
const (
	qrQuiet = 4
	dmQuiet = 2
)

// row is a piece of the slip over the whole width of the paper.
type row struct {
	y, height int // in dots
	style     style
	text      string // one line, from x
	x         int
	rule      bool
	symbols   []placed
	box       int // which payment box it belongs to
}

// placed is a symbol where it is, without its quiet zone.
type placed struct {
	matrix *symbol.Matrix
	postal bool
	x, y   int
	dots   int
}

// slip is a laid out slip.
type slip struct {
	paper
	rows   []row
	height int
	box    int              // being laid out
	own    *charmap.Charmap // of the printer that sets the text; nil if we do
}

// columns is how many plain characters a line has.
func (s *slip) columns() int { return s.width / s.cell }

func (s *slip) add(r row) {
	r.y, r.box = s.height, s.box
	s.height += r.height
	s.rows = append(s.rows, r)
}

// space leaves part of a line empty: 1 is a whole one.
func (s *slip) space(lines float64) { s.add(row{height: int(lines * float64(2*s.cell))}) }

func (s *slip) rule() {
	s.add(row{height: s.cell, rule: true})
}

// text adds a text in as many lines as it needs, in the middle or from the left.
func (s *slip) text(st style, centred bool, text string) {
	if text == "" {
		return
	}
	if s.own != nil {
		text = sayable(s.own, text)
	}
	for _, l := range wrap(text, s.columns()/st.scale()) {
		x := 0
		if n := len([]rune(l)) * s.cell * st.scale(); centred {
			x = (s.width - n) / 2
		}
		// A quarter of a letter between lines.
		s.add(row{height: 2*s.cell*st.scale() + s.cell/2, style: st, text: l, x: x})
	}
}

// field adds «label: value», or nothing without a value.
func (s *slip) field(label, value string) {
	if value != "" {
		s.text(plain, false, label+": "+value)
	}
}

// symbols adds symbols side by side, or below one another where the paper is
// narrow.
func (s *slip) symbols(all ...placed) {
	quiet := func(p placed) int {
		if p.postal {
			return dmQuiet * p.dots
		}
		return qrQuiet * p.dots
	}
	full := func(p placed) int { return p.matrix.Side()*p.dots + 2*quiet(p) }
	for len(all) > 0 {
		n, used := 0, 0
		for n < len(all) && used+full(all[n]) <= s.width {
			used += full(all[n])
			n++
		}
		n = max(n, 1) // the widest is narrower than any paper
		r := row{}
		gap := (s.width - used) / (n + 1)
		x := gap
		for _, p := range all[:n] {
			p.x = x + quiet(p)
			r.height = max(r.height, full(p))
			r.symbols = append(r.symbols, p)
			x += full(p) + gap
		}
		for i := range r.symbols {
			r.symbols[i].y = s.height + (r.height-r.symbols[i].matrix.Side()*r.symbols[i].dots)/2
		}
		s.add(r)
		all = all[n:]
	}
}

// wrap breaks a text into lines of at most n characters, inside a word only when
// the word alone is longer.
func wrap(text string, n int) []string {
	var lines []string
	line := []rune{}
	for _, word := range strings.Fields(text) {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) <= n {
			line = append(append(line, ' '), w...)
			continue
		}
		if len(line) > 0 {
			lines = append(lines, string(line))
		}
		for ; len(w) > n; w = w[n:] {
			lines = append(lines, string(w[:n]))
		}
		line = append([]rune{}, w...)
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return lines
}

func bad(detail string) error { return fault.New(fault.Invalid, "print.bad_option", detail) }

// layOut arranges a notice on paper.
func layOut(n pdf.Notice, t texts.Set, o Options) (*slip, error) {
	p, known := papers[o.DPI][o.Width]
	if !known {
		return nil, bad("La carta può essere di 58, 80 o 112 mm e la testina di 203 o 300 dpi.")
	}
	if o.OwnFont && o.DPI != 203 {
		return nil, bad("I caratteri della stampante si possono usare solo a 203 dpi.")
	}
	n, err := n.Prepared()
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		return nil, fmt.Errorf("loading Europe/Rome: %w", err)
	}
	w, err := t.On(texts.Slip, texts.Italian, n.IssuedAt.In(zone))
	if err != nil {
		return nil, err
	}
	postal := o.Postal && n.Creditor.PostalAccount != "" && n.Creditor.PosteAuthorisation != ""
	boxes := n.Boxes()
	codes := make([][]placed, len(boxes))
	for i, b := range boxes {
		if codes[i], err = symbols(n, b, p, postal); err != nil {
			return nil, err
		}
	}

	const day = "02/01/2006"
	term := func(s pdf.Step) string {
		if s.By.IsZero() {
			return s.Term
		}
		return w.Get("by", "data", s.By.In(zone).Format(day))
	}
	c := n.Creditor
	s := &slip{paper: p}
	if o.OwnFont {
		s.own = pages[o.Printer]
	}
	s.text(strong, true, c.Name)
	s.text(plain, true, c.Settore)
	s.text(plain, true, c.Info)
	s.text(plain, true, c.Contacts)
	s.rule()
	s.text(strong, true, w.Get("title"))
	s.text(plain, true, w.Get("subtitle"))
	s.text(strong, true, w.Get("number", "numero", n.Reference))
	if n.Reprint {
		s.text(strong, true, w.Get("reprint"))
	}
	s.space(0.5)
	s.field(w.Get("date"), n.IssuedAt.In(zone).Format(day+", ore 15:04"))
	s.field(w.Get("place"), n.Place)
	s.field(w.Get("plate"), n.Plate)
	s.field(w.Get("vehicle"), n.Vehicle)
	s.field(w.Get("norm"), n.Norm)
	s.field(w.Get("violation"), n.Violation)
	s.field(w.Get("warden"), n.Warden)
	s.rule()
	s.text(strong, true, w.Get("how_much"))
	s.space(0.25)
	for _, step := range n.Steps {
		s.text(plain, false, step.Label)
		s.text(large, false, "€ "+step.Amount.Italian())
		s.text(strong, false, term(step))
		s.space(0.25)
	}
	s.text(plain, false, w.Get("amounts"))
	s.rule()
	for i, b := range boxes {
		s.text(strong, true, w.Get("payment"))
		s.text(plain, true, b.Step.Label+", "+term(b.Step))
		s.symbols(codes[i]...)
		s.text(plain, true, w.Get("scan"))
		s.space(0.25)
		s.text(plain, true, w.Get("code"))
		s.text(strong, true, b.Number.Grouped())
		s.field(w.Get("creditor_cf"), c.CF)
		s.field(w.Get("cbill"), c.CBILL)
		s.field(w.Get("object"), n.Causale)
		if postal {
			s.space(0.25)
			s.text(strong, false, w.Get("slip"))
			s.field(w.Get("account"), c.PostalAccount)
			s.field(w.Get("holder"), c.PostalHolder)
			s.text(plain, false, c.PosteAuthorisation)
		}
		s.box++
		if i+1 < len(boxes) {
			s.rule()
		}
	}
	s.rule()
	where := c.Privacy
	if where == "" {
		where = w.Get("privacy_office")
	}
	for _, k := range []string{"where", "when", "unpaid", "appeal"} {
		s.text(plain, false, w.Get(k))
	}
	s.text(plain, false, w.Get("privacy", "informativa", where))
	s.space(2) // to tear it off
	return s, nil
}

// symbols makes the symbols of a payment box.
func symbols(n pdf.Notice, b pdf.Box, p paper, postal bool) ([]placed, error) {
	c := n.Creditor
	payload, err := avviso.QR(b.Number, c.CF, b.Step.Amount)
	if err != nil {
		return nil, badPayload(err)
	}
	qr, err := symbol.QR(payload)
	if err != nil {
		return nil, err
	}
	codes := []placed{{matrix: &qr, dots: p.qr}}
	if !postal {
		return codes, nil
	}
	debtor := n.Debtor.CF
	if debtor == "" {
		debtor = avviso.Anonymous
	}
	if payload, err = avviso.DataMatrix(avviso.DataMatrixInput{
		Number: b.Number, Account: c.PostalAccount, Amount: b.Step.Amount, CreditorCF: c.CF,
		DebtorCF: debtor, DebtorName: n.Debtor.Name, Causale: n.Causale,
	}); err != nil {
		return nil, badPayload(err)
	}
	dm, err := symbol.DataMatrix(payload)
	if err != nil {
		return nil, err
	}
	return append(codes, placed{matrix: &dm, dots: p.dm, postal: true}), nil
}

func badPayload(err error) error {
	return fault.Wrap(fault.Invalid, "print.bad_payload",
		"I dati per il pagamento non sono validi: controllare codice fiscale dell'ente, conto postale e destinatario.", err)
}

// bitmap draws rows of the slip: all, or only the symbols.
func (s *slip) bitmap() (*bitmap, error) {
	b := newBitmap(s.width, s.height)
	for _, r := range s.rows {
		if r.rule {
			b.fill(0, r.y+r.height/2, s.width, max(1, s.cell/6))
		}
		for _, p := range r.symbols {
			b.draw(p.matrix, p.x, p.y, p.dots)
		}
		if r.text != "" && s.own == nil {
			if err := b.write(r.style, s.cell, r.x, r.y, r.text); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}
