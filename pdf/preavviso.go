package pdf

import (
	"strconv"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/texts"
)

// Preavviso draws the notice that is left on a windscreen with the built-in
// texts: one A4 page as a PDF document. See [Draw].
func Preavviso(p Notice) ([]byte, error) {
	t, err := texts.Builtin()
	if err != nil {
		return nil, err
	}
	return Draw(p, t)
}

const (
	largestBody  = 11.0 // points
	smallestBody = 7.0  // notes are a point smaller; under that nobody reads them
	bodyStep     = 0.5
	leastGap     = 2.5 // between sections
	mostGap      = 6.5
)

// errNoRoom is for what does not fit even in the smallest letters.
var errNoRoom = fault.New(fault.Invalid, "print.no_room", "I testi sono troppo lunghi per stare in una pagina.")

func (p Notice) draw(pr *printing) error {
	p, err := p.Prepared()
	if err != nil {
		return err
	}
	pr.about.At = p.IssuedAt
	w, err := pr.wordsOf(texts.Preavviso, "")
	if err != nil {
		return err
	}
	pr.about.Title, pr.about.Lang = w.get("file_title"), "it-IT"
	boxes := p.Boxes()
	drawn := make([]paid, len(boxes))
	for i, b := range boxes {
		if drawn[i], err = pr.symbols(p.Creditor, p.Debtor, b.Number, b.Step.Amount, p.Causale); err != nil {
			return err
		}
	}
	// With a bollettino each number has a page of its own.
	perPage, height := len(boxes), paymentHeight*float64(len(boxes))
	if p.Creditor.postal() {
		perPage, height = 1, paymentHeight+postalHeight
	}
	foot := pageHeight - margin - height
	size, gap, ok := pr.measure().fitBody(w, p, pr.zone, foot-footSpace)
	if !ok {
		return errNoRoom
	}
	to := payee{p.Creditor, p.Debtor.printed(w)}
	for first := 0; first < len(boxes); first += perPage {
		s := pr.newPage()
		s.body(w, p, pr.zone, size, gap)
		for i := range perPage {
			b, y := boxes[first+i], foot+paymentHeight*float64(i)
			what := b.Step.Label + " – " + b.Step.term(w, pr.zone)
			s.payment(w, to, drawn[first+i], what, y)
			if p.Creditor.postal() {
				s.bollettino(w, to, drawn[first+i], what, y+paymentHeight)
			}
		}
	}
	return nil
}

// fitBody finds the largest size at which the upper part ends above bottom, and
// shares what is left among the gaps between its sections.
func (s *sheet) fitBody(w words, p Notice, zone *time.Location, bottom float64) (size, gap float64, ok bool) {
	for size = largestBody; size >= smallestBody; size -= bodyStep {
		if left := bottom - s.body(w, p, zone, size, leastGap); left >= 0 {
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
func (s *sheet) body(w words, p Notice, zone *time.Location, size, gap float64) float64 {
	const (
		col1, width1 = margin, 44.0
		col2         = 58.0
		width2       = rightEdge - col2
		col3         = 154.0
	)
	value, small, row := bold(size), regular(size-1), gap*rowGap

	y := s.header(w, p) + gap

	y = s.bar(y, w.get("finding"), w.get("number", "numero", p.Reference)) + gap
	at := p.IssuedAt.In(zone)
	y = max(
		s.labelled(w.get("date"), value, col1, y, width1, at.Format(dateLayout+", ore 15:04")),
		s.labelled(w.get("place"), value, col2, y, width2, p.Place),
	) + row
	y = max(
		s.labelled(w.get("plate"), mono(size), col1, y, width1, p.Plate),
		s.labelled(w.get("vehicle"), value, col2, y, col3-col2-4, p.Vehicle),
		s.labelled(w.get("warden"), value, col3, y, rightEdge-col3, p.Warden),
	) + row
	y = max(
		s.labelled(w.get("norm"), value, col1, y, width1, p.Norm),
		s.labelled(w.get("violation"), value, col2, y, width2, p.Violation),
	) + gap

	y = s.bar(y, w.get("how_much"), "") + gap
	column := (rightEdge - margin) / float64(max(2, len(p.Steps)))
	strong, amount := bold(max(8, size-1)), bold(16)
	labels, terms := y, y
	for i, step := range p.Steps {
		labels = max(labels, s.paragraph(strong, margin+float64(i)*column, y, column-4, step.Label))
	}
	for i, step := range p.Steps {
		x := margin + float64(i)*column
		s.line(amount, x, labels, "€ "+step.Amount.Italian())
		terms = max(terms, s.paragraph(strong, x, labels+amount.line(), column-4, step.term(w, zone)))
	}
	y = s.paragraph(small, margin, terms+row, rightEdge-margin, w.get("amounts")) + gap

	y = s.bar(y, w.get("know"), "") + gap
	const left, right, half = margin, 108.0, 92.0
	for i := 1; i < notes; i += 2 {
		y = max(s.note(w, left, y, half, small, p, i), s.note(w, right, y, half, small, p, i+1)) + row
	}
	return y
}

// notes is how many there are, read two by two from left to right.
const notes = 6

// header writes who is owed on the left and what this paper is on the right.
func (s *sheet) header(w words, p Notice) float64 {
	y := margin
	end := s.letterhead(p.Creditor, y, 108)
	s.lineRight(bold(14), rightEdge, y, w.get("title"))
	s.lineRight(regular(8), rightEdge, y+bold(14).line(), w.get("subtitle"))
	right := y + bold(14).line() + regular(8).line()
	if p.Reprint {
		s.lineRight(bold(10), rightEdge, right, w.get("reprint"))
		right += bold(10).line()
	}
	return max(end, right)
}

// letterhead writes a creditor with its logo, and returns where it ends.
func (s *sheet) letterhead(c Creditor, y, width float64) float64 {
	x, end := margin, y
	if c.Logo != nil {
		const side = 18.0
		w, h := c.Logo.box(side)
		if !s.dry {
			s.logo(c.Logo, x, y, w, h)
		}
		x, width, end = x+w+4, width-w-4, y+h
	}
	name := bold(14)
	for name.size > 10 && len(s.wrap(name, width, c.Name)) > 2 {
		name.size--
	}
	y = s.paragraph(name, x, y, width, c.Name)
	y = s.paragraph(regular(10), x, y, width, c.Settore)
	for _, t := range []string{c.Info, c.Contacts} {
		y = s.paragraph(regular(8), x, y+0.6, width, t)
	}
	return max(end, y)
}

func (s *sheet) note(w words, x, y, width float64, f face, p Notice, n int) float64 {
	key := "note" + strconv.Itoa(n)
	where := p.Creditor.Privacy
	if where == "" {
		where = w.get("privacy_office")
	}
	y = s.paragraph(bold(f.size), x, y, width, w.get(key+"_heading"))
	return s.paragraph(f, x, y, width, w.get(key, "ente", p.Creditor.Name, "informativa", where))
}
