package pdf

import (
	"strconv"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/texts"
)

// Avviso is the pagoPA payment notice of the national guide (3.5.1), in its
// standard form with one amount or in the one for violations of the Codice della
// Strada with two. With a bollettino each amount has a page of its own.
//
// Texts are in any Latin letters; lengths are in characters.
type Avviso struct {
	Creditor Creditor
	Debtor   Debtor
	Object   string    // oggetto del pagamento, 1 to 90
	Causale  string    // in the Data Matrix, if not the same as Object; up to 110
	Date     time.Time // day of the notice: decides which texts are in force
	Language string    // second language beside Italian: en, fr, de, sl, or ""

	// Amounts are one, or two for a verbale: with the discount, and reduced. Two
	// may carry the same number, when the creditor changes what it asks for, or
	// one each.
	Amounts []Amount
	// Discount is how long the lower of two amounts without a day is enough.
	Discount Term
	Reprint  bool // marks the pages as a reprint
}

// Amount is what one payment box asks for.
type Amount struct {
	Number avviso.Number
	Amount avviso.Cents // one cent to avviso.MaxPrintable
	// By is any instant in Europe/Rome of the last day. A single amount without it
	// has no expiry; of two, both have one, or neither: the days run from a service
	// that nobody knows yet.
	By time.Time
}

// Term is how long the discount lasts from the service of a verbale. The zero Term
// is that of the law, five days (art. 202 c. 1 CdS).
type Term struct {
	Days    int  // below the 60 of the reduced amount
	Working bool // Sundays and holidays are not counted, Saturdays are
}

// lawDays is what the zero Term stands for.
const lawDays = 5

// law reports whether t is what the law says without a creditor's choice.
func (t Term) law() bool { return t == Term{} || t == Term{Days: lawDays} }

// keys choose the texts of the discounted and of the reduced amount: working days end
// on no day that could be counted from the service.
func (t Term) keys(law, days, working [2]string) [2]string {
	switch {
	case t.law():
		return law
	case t.Working:
		return working
	}
	return days
}

// pairs fill the texts that keys chooses.
func (t Term) pairs() []string {
	return []string{"giorni", strconv.Itoa(t.Days), "giorno", strconv.Itoa(t.Days + 1)}
}

func (t Term) check() error {
	if t.Days < 0 || t.Days >= reducedDays || t.Days == 0 && t.Working {
		return invalid("bad_term", "Il termine per l'importo scontato va da 1 a %d giorni.", reducedDays-1)
	}
	return nil
}

// reducedDays is how long the reduced amount is enough (art. 202 c. 1 CdS).
const reducedDays = 60

func (a Avviso) prepared() (Avviso, error) {
	a.Amounts = append([]Amount(nil), a.Amounts...)
	fields := append(a.Creditor.fields(), a.Debtor.fields()...)
	fields = append(fields, field{"oggetto del pagamento", &a.Object, 90, required}, field{"causale", &a.Causale, 110, optional})
	if err := prepare(fields); err != nil {
		return Avviso{}, err
	}
	if a.Causale == "" {
		a.Causale = a.Object
	}
	switch {
	case a.Debtor.Name == "":
		return Avviso{}, invalid("missing_field", "Manca il nome del destinatario.")
	case a.Date.IsZero():
		return Avviso{}, invalid("missing_field", "Manca la data dell'avviso.")
	case len(a.Amounts) < 1 || len(a.Amounts) > 2:
		return Avviso{}, invalid("bad_steps", "Gli importi dell'avviso devono essere uno, oppure due per un verbale.")
	case len(a.Amounts) == 2 && a.Amounts[0].Amount >= a.Amounts[1].Amount:
		return Avviso{}, invalid("bad_steps", "L'importo scontato deve essere minore di quello ridotto.")
	case len(a.Amounts) == 2 && a.Amounts[0].By.IsZero() != a.Amounts[1].By.IsZero():
		return Avviso{}, invalid("bad_term", "Dei due importi, o entrambi hanno la data di scadenza o nessuno.")
	}
	if err := a.Discount.check(); err != nil {
		return Avviso{}, err
	}
	for _, m := range a.Amounts {
		if m.Number.IsZero() {
			return Avviso{}, errNoNumber
		}
		if err := checkAmount(m.Amount); err != nil {
			return Avviso{}, err
		}
	}
	return a, nil
}

func (a Avviso) draw(p *printing) error {
	a, err := a.prepared()
	if err != nil {
		return err
	}
	p.about.At = a.Date
	w, err := p.wordsOf(texts.Avviso, a.Language)
	if err != nil {
		return err
	}
	p.about.Title, p.about.Lang = w.get("file_title"), "it-IT"
	return a.pages(p, w)
}

// Where the parts of the page are, in millimetres from the top (guide, CdS page;
// a bollettino needs the room below).
const (
	partiesTop  = 43.9
	earliestBox = 140.5
	halfLeft    = 104.0
	halfRight   = 106.0
	rightColumn = 114.0
)

// pages draws the pages of a prepared notice.
func (a Avviso) pages(p *printing, w words) error {
	boxes := make([]paid, len(a.Amounts))
	for i, m := range a.Amounts {
		var err error
		if boxes[i], err = p.symbols(a.Creditor, a.Debtor, m.Number, m.Amount, a.Causale); err != nil {
			return err
		}
		boxes[i].causale = a.Object
	}
	perPage, height := len(boxes), paymentHeight*float64(len(boxes))
	if a.Creditor.postal() {
		perPage, height = 1, paymentHeight+postalHeight
	}
	lowest := pageHeight - margin - height
	size := 8.0
	var end float64
	for ; ; size -= 0.5 {
		if size < 6 {
			return errNoRoom
		}
		if end = a.top(p.measure(), p, w, size); end+footSpace <= lowest {
			break
		}
	}
	foot := lowest
	if len(boxes) == 1 {
		foot = min(lowest, max(earliestBox, end+footSpace))
	}
	to := payee{a.Creditor, a.Debtor.Name}
	for len(boxes) > 0 {
		s := p.newPage()
		a.top(s, p, w, size)
		for i, b := range boxes[:perPage] {
			what := a.term(p, w, len(a.Amounts)-len(boxes)+i)
			y := foot + paymentHeight*float64(i)
			s.payment(w, to, b, what, y)
			if a.Creditor.postal() {
				s.bollettino(w, to, b, what, y+paymentHeight)
			}
		}
		boxes = boxes[perPage:]
	}
	return nil
}

// term is what the bar of a box says of its amount, in Italian.
func (a Avviso) term(p *printing, w words, i int) string {
	if len(a.Amounts) == 2 {
		key, pairs := a.until(p, i)
		return w.get(amountKeys[i]) + " – " + w.get(key, pairs...)
	}
	if by := a.Amounts[i].By; !by.IsZero() {
		return w.get("by", "data", by.In(p.zone).Format(dateLayout))
	}
	return ""
}

// until is the text that says how long one of two amounts is enough: until a day
// if it is known, else so many days from the service.
func (a Avviso) until(p *printing, i int) (key string, pairs []string) {
	if by := a.Amounts[i].By; !by.IsZero() {
		return "by", []string{"data", by.In(p.zone).Format(dateLayout)}
	}
	return a.Discount.keys(lawKeys, daysKeys, workingKeys)[i], a.Discount.pairs()
}

var (
	amountKeys  = [2]string{"discounted", "reduced"}
	lawKeys     = [2]string{"within_5", "within_60"}
	daysKeys    = [2]string{"within_days", "from_day"}
	workingKeys = [2]string{"within_working", "afterwards"}
)

// top draws all above the boxes, with notes of a size, and returns where it ends.
func (a Avviso) top(s *sheet, p *printing, w words, size float64) float64 {
	s.label(w, bold(10), margin, margin, 150, "title")
	if a.Reprint {
		s.label(w, bold(9), margin, margin+5, 150, "reprint")
	}
	object := bold(16)
	for object.size > 12 && len(s.wrap(object, 155, a.Object)) > 2 {
		object.size--
	}
	s.paragraph(object, margin, 23.8, 155, a.Object)
	if l := a.Creditor.Logo; l != nil && !s.dry {
		const side = 29.9
		width, height := l.box(side)
		s.logo(l, rightEdge-width, margin, width, height)
	}

	y := s.halves(w, partiesTop, "creditor", a.Creditor.CF, "debtor", a.Debtor.CF) + 6
	y = max(a.party(s, margin, y, a.Creditor.Name, a.Creditor.Settore, a.Creditor.Info, a.Creditor.Contacts),
		a.party(s, rightColumn, y, a.Debtor.Name, a.Debtor.Address))
	howMuch := "how_much"
	if len(a.Amounts) == 1 && a.Amounts[0].By.IsZero() {
		howMuch = "how_much_only"
	}
	y = s.halves(w, max(y+3, 82), howMuch, "", "where", "") + 5
	left := a.amounts(s, p, w, y)
	right := a.where(s, w, y, size)

	// The notes go below whichever column is shorter.
	notes := []string{"changes"}
	if len(a.Amounts) == 2 {
		notes = []string{"days", "held", "changes", "choose"}
		if a.Amounts[0].Number == a.Amounts[1].Number {
			notes = append(notes, "choose_code")
		}
	}
	for _, n := range notes {
		if left <= right {
			left = s.both(w, regular(size), margin, left+1.6, 88, n)
		} else {
			right = s.both(w, regular(size), rightColumn, right+1.6, rightEdge-rightColumn, n)
		}
	}
	return max(left, right)
}

// halves writes two bars side by side, each with a tax code at its right.
func (s *sheet) halves(w words, y float64, left, leftCF, right, rightCF string) float64 {
	for _, h := range []struct {
		x, to, at float64
		key, cf   string
	}{{0, halfLeft, margin, left, leftCF}, {halfRight, pageWidth, rightColumn, right, rightCF}} {
		s.box(h.x, y, h.to-h.x, barHeight, barGrey)
		edge := min(h.to-4, rightEdge)
		room := edge - h.at
		if h.cf != "" {
			f := mono(8)
			s.lineRight(f, edge, y+2.5, h.cf)
			edge -= s.width(f, h.cf) + 1.5
			label := w.get("cf")
			s.lineRight(regular(8), edge, y+2.4, label)
			room = edge - s.width(regular(8), label) - 3 - h.at
		}
		if other := w.second(h.key); other != "" {
			s.fit(bold(9), h.at, y+0.5, room, w.get(h.key))
			s.in(second, func() { s.fit(bold(7), h.at, y+4.2, room, other) })
		} else {
			s.fit(bold(10), h.at, y+1.9, room, w.get(h.key))
		}
	}
	return y + barHeight
}

// party writes a name and what is to know about who bears it.
func (a Avviso) party(s *sheet, x, y float64, name string, more ...string) float64 {
	const width = 86.0
	f := bold(14)
	for f.size > 10 && len(s.wrap(f, width, name)) > 2 {
		f.size--
	}
	y = s.paragraph(f, x, y, width, name)
	for i, t := range more {
		f := regular(8)
		if i == 0 {
			f = regular(11)
		}
		if t != "" {
			y = s.paragraph(f, x, y+1, width, t)
		}
	}
	return y
}

func (a Avviso) amounts(s *sheet, p *printing, w words, y float64) float64 {
	const width, column = 88.0, 47.0
	top := y
	for i, m := range a.Amounts {
		x := margin + float64(i)*column
		at := top
		if len(a.Amounts) == 2 {
			at = s.both(w, bold(8), x, at, column-3, amountKeys[i]) + 0.5
		}
		s.line(bold(16), x, at, "€ "+m.Amount.Italian())
		at += bold(16).line()
		if len(a.Amounts) == 2 {
			key, pairs := a.until(p, i)
			at = s.both(w, bold(8), x, at, column-3, key, pairs...)
		} else if by := a.Amounts[i].By; !by.IsZero() {
			at = s.both(w, bold(8), x, at, width, "by", "data", by.In(p.zone).Format(dateLayout))
		}
		y = max(y, at)
	}
	return y
}

func (a Avviso) where(s *sheet, w words, y, size float64) float64 {
	const width = rightEdge - rightColumn
	f := regular(size)
	y = s.both(w, bold(size+2), rightColumn, y, width, "online_heading")
	y = s.both(w, f, rightColumn, y+0.6, width, "online_text") + 3
	y = s.both(w, bold(size+2), rightColumn, y, width, "territory_heading")
	y = s.both(w, f, rightColumn, y+0.6, width, "territory_text")
	if a.Creditor.postal() {
		y = s.both(w, f, rightColumn, y+1, width, "territory_post")
	}
	return s.both(w, f, rightColumn, y+2, width, "channels")
}
