package pdf

import (
	"strconv"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/symbol"
	"preavviso/internal/texts"
)

// Verbale is the report of a violation as it is served (art. 200 and 201 CdS;
// art. 383 to 385 Reg.): one page with what the law wants said, and behind it the
// pages of the payment notice.
//
// Texts are in any Latin letters; lengths are in characters.
type Verbale struct {
	Creditor Creditor
	Register string    // number in the register, 1 to 30
	DrawnUp  time.Time // when the report was drawn up; decides which texts are in force

	FoundAt   time.Time // when the violation was found; printed as time in Europe/Rome
	Place     string    // 1 to 150
	Plate     string    // 1 to 20
	Nation    string    // of the plate, two letters; up to 2
	Vehicle   string    // up to 80
	Norm      string    // 1 to 100
	Violation string    // 1 to 600
	Wardens   string    // ids, never names; 1 to 60
	// NotServed is why the violation was not contested on the spot (art. 201 c. 1
	// CdS; art. 384 Reg.); empty if it was. 1 to 300 in the first case.
	NotServed string
	Statement string // of the offender, in short; up to 300

	Debtor    Debtor
	Liable    bool   // the debtor is jointly liable (art. 196 CdS) and not the offender
	Born      string // day and place; up to 80, may be empty
	Licence   string // category, number, authority, day; up to 80, may be empty
	Points    int    // taken off the licence (art. 126-bis CdS), 0 to 15
	Signature string // who signs, printed: 1 to 60 (art. 385 Reg.; D.Lgs. 39/1993)
	Officer   string // responsabile del procedimento: 1 to 60

	Office  string // where to pay and write to: 1 to 100
	Prefect string // of which province: 1 to 40
	Judge   string // of which place: 1 to 40

	// Reduced is the least of the law, Full half of the most (art. 203 c. 3);
	// Discounted is 0 where the law grants no discount. Costs are added to each and
	// never discounted.
	Discounted, Reduced, Full avviso.Cents
	Costs                     avviso.Cents
	Discount                  Term // how long Discounted is enough
	// Late says that the 60 days are over: what is to be paid is Full, with Number
	// (art. 203 c. 3 CdS).
	Late bool

	// NoReduced is why the law admits no reduced payment (art. 202 c. 3 and 3-bis
	// CdS), up to 120; empty if it does. With it there are no amounts, no numbers
	// and no payment notice: the Prefetto's ordinanza says what is due.
	NoReduced string

	// Number pays the reduced amount, DiscountedNumber the discounted one: the same
	// where one code serves both.
	Number, DiscountedNumber avviso.Number
	Causale                  string // 1 to 90
	Language                 string // second language of the payment notice, or ""
	Reprint                  bool
}

func (v Verbale) prepared() (Verbale, error) {
	fields := append(v.Creditor.fields(), v.Debtor.fields()...)
	causale := required
	if v.NoReduced != "" {
		causale = optional
	}
	fields = append(fields,
		field{"numero di registro", &v.Register, 30, required},
		field{"luogo", &v.Place, 150, required},
		field{"targa", &v.Plate, 20, required},
		field{"nazione della targa", &v.Nation, 2, optional},
		field{"veicolo", &v.Vehicle, 80, optional},
		field{"norma violata", &v.Norm, 100, required},
		field{"descrizione della violazione", &v.Violation, 600, required},
		field{"matricole degli accertatori", &v.Wardens, 60, required},
		field{"motivo della mancata contestazione", &v.NotServed, 300, optional},
		field{"dichiarazioni", &v.Statement, 300, optional},
		field{"nascita", &v.Born, 80, optional},
		field{"patente", &v.Licence, 80, optional},
		field{"firma", &v.Signature, 60, required},
		field{"responsabile del procedimento", &v.Officer, 60, required},
		field{"ufficio", &v.Office, 100, required},
		field{"Prefetto", &v.Prefect, 40, required},
		field{"Giudice di Pace", &v.Judge, 40, required},
		field{"causale", &v.Causale, 90, causale},
		field{"motivo del pagamento ridotto non ammesso", &v.NoReduced, 120, optional},
	)
	if err := prepare(fields); err != nil {
		return Verbale{}, err
	}
	// Most points for one violation: 10, and twice as many for new drivers are
	// capped by art. 126-bis.
	const mostPoints = 15
	switch {
	case v.FoundAt.IsZero() || v.DrawnUp.IsZero():
		return Verbale{}, invalid("missing_field", "Mancano la data dell'accertamento o quella del verbale.")
	case v.DrawnUp.Before(v.FoundAt):
		return Verbale{}, invalid("bad_date", "Il verbale è datato prima dell'accertamento.")
	case v.Debtor.Name == "" || v.Debtor.Address == "":
		return Verbale{}, invalid("missing_field", "Il verbale deve indicare nome e residenza del destinatario.")
	case v.Points < 0 || v.Points > mostPoints:
		return Verbale{}, invalid("bad_points", "I punti della patente vanno da 0 a %d.", mostPoints)
	case v.NoReduced != "":
		if v.Discounted != 0 || v.Reduced != 0 || v.Full != 0 {
			return Verbale{}, invalid("bad_steps", "Per questa violazione non è ammesso il pagamento in misura ridotta: il verbale non porta importi.")
		}
		return v, nil
	case v.Number.IsZero() || v.Discounted > 0 && v.DiscountedNumber.IsZero():
		return Verbale{}, errNoNumber
	case v.Costs < 0 || v.Discounted < 0 || v.Discounted >= v.Reduced: // half of the maximum may be less than the minimum (art. 157 c. 7-bis)
		return Verbale{}, invalid("bad_steps", "L'importo scontato deve essere minore di quello ridotto; le spese non sono negative.")
	}
	if err := v.Discount.check(); err != nil {
		return Verbale{}, err
	}
	for _, c := range []avviso.Cents{v.Reduced, v.Full, v.Full + v.Costs} {
		if err := checkAmount(c); err != nil {
			return Verbale{}, err
		}
	}
	return v, nil
}

// notice is the payment notice that goes with the report.
func (v Verbale) notice() Avviso {
	a := Avviso{Creditor: v.Creditor, Debtor: v.Debtor, Object: v.Causale, Causale: v.Causale, Date: v.DrawnUp, Language: v.Language, Reprint: v.Reprint}
	a.Discount = v.Discount
	if v.Late {
		a.Amounts = []Amount{{Number: v.Number, Amount: v.Full + v.Costs}}
		return a
	}
	if v.Discounted > 0 {
		a.Amounts = append(a.Amounts, Amount{Number: v.DiscountedNumber, Amount: v.Discounted + v.Costs})
	}
	a.Amounts = append(a.Amounts, Amount{Number: v.Number, Amount: v.Reduced + v.Costs})
	return a
}

func (v Verbale) draw(p *printing) error {
	v, err := v.prepared()
	if err != nil {
		return err
	}
	p.about.At = v.DrawnUp
	w, err := p.wordsOf(texts.Verbale, "")
	if err != nil {
		return err
	}
	p.about.Title, p.about.Lang = w.get("file_title"), "it-IT"
	bars, err := symbol.Code128(v.Register)
	if err != nil || p.noSymbols { // letters that bars cannot carry: the number is printed all the same
		bars = nil
	}
	size, gap := largestBody-1, 0.0
	for ; ; size -= bodyStep {
		if size < smallestBody {
			return errNoRoom
		}
		if left := pageHeight - margin - v.body(p.measure(), p, w, bars, size, leastGap); left >= 0 {
			gap = min(mostGap, leastGap+left/verbaleGaps)
			break
		}
	}
	v.body(p.newPage(), p, w, bars, size, gap)
	if v.NoReduced != "" {
		return nil
	}

	a, err := v.notice().prepared()
	if err != nil {
		return err
	}
	if w, err = p.wordsOf(texts.Avviso, v.Language); err != nil {
		return err
	}
	return a.pages(p, w)
}

// verbaleGaps is how many gaps body leaves, in gaps between sections.
const verbaleGaps = 8 + 12*rowGap

// body writes the page of the report and returns where it ends.
func (v Verbale) body(s *sheet, p *printing, w words, bars symbol.Bars, size, gap float64) float64 {
	const (
		col1, width1 = margin, 44.0
		col2         = 58.0
		width2       = rightEdge - col2
		col3         = 140.0
		width3       = rightEdge - col3
	)
	value, small, row := bold(size), regular(size-1), gap*rowGap
	day := func(t time.Time) string { return t.In(p.zone).Format(dateLayout) }

	y := v.head(s, w, bars, day(v.DrawnUp)) + gap

	y = s.bar(y, w.get("finding"), w.get("number", "numero", v.Register)) + gap
	plate := v.Plate
	if v.Nation != "" {
		plate += " (" + v.Nation + ")"
	}
	y = max(
		s.labelled(w.get("date"), value, col1, y, width1, v.FoundAt.In(p.zone).Format(dateLayout+", ore 15:04")),
		s.labelled(w.get("place"), value, col2, y, width2, v.Place),
	) + row
	y = max(
		s.labelled(w.get("plate"), mono(size), col1, y, width1, plate),
		s.labelled(w.get("vehicle"), value, col2, y, col3-col2-4, v.Vehicle),
		s.labelled(w.get("wardens"), value, col3, y, width3, v.Wardens),
	) + row
	y = max(
		s.labelled(w.get("norm"), value, col1, y, width1, v.Norm),
		s.labelled(w.get("violation"), value, col2, y, width2, v.Violation),
	) + row
	y = s.labelled(w.get("not_served"), small, col1, y, rightEdge-margin, v.NotServed) + row
	statement := v.Statement
	if statement == "" {
		statement = w.get("none")
	}
	y = s.labelled(w.get("statement"), small, col1, y, rightEdge-margin, statement) + gap

	y = s.bar(y, w.get("who"), "") + gap
	role := "offender"
	if v.Liable {
		role = "jointly_liable"
	}
	y = max(
		s.labelled(w.get(role), value, col1, y, col3-col1-4, v.Debtor.Name),
		s.labelled(w.get("cf"), mono(size), col3, y, width3, v.Debtor.CF),
	) + row
	y = max(
		s.labelled(w.get("residence"), value, col1, y, col3-col1-4, v.Debtor.Address),
		s.labelled(w.get("born"), value, col3, y, width3, v.Born),
	) + row
	points := ""
	if v.Points > 0 {
		points = w.get("points_value", "punti", strconv.Itoa(v.Points))
	}
	y = max(
		s.labelled(w.get("licence"), value, col1, y, col3-col1-4, v.Licence),
		s.labelled(w.get("points"), value, col3, y, width3, points),
	) + gap

	y = s.bar(y, w.get("amounts"), "") + gap
	y = v.table(s, w, y, size, row) + gap

	const left, right, half = margin, 108.0, 92.0
	where := v.Creditor.Privacy
	if where == "" {
		where = w.get("privacy_office")
	}
	keys := []string{"pay", "order", "prefect", "judge", "days", "privacy"}
	if v.NoReduced != "" {
		keys = []string{"ordinance", "prefect", "judge", "days", "privacy"}
	}
	if v.Points > 0 {
		keys = append(keys, "driver")
	}
	for i := 0; i < len(keys); i += 2 {
		end := y
		for k, x := range []float64{left, right} {
			if i+k == len(keys) {
				break
			}
			key := keys[i+k]
			at := s.paragraph(bold(small.size), x, y, half, w.get(key+"_heading"))
			end = max(end, s.paragraph(small, x, at, half, w.get(key, "ufficio", v.Office, "prefetto", v.Prefect, "giudice", v.Judge,
				"ente", v.Creditor.Name, "informativa", where)))
		}
		y = end + row
	}
	y += gap
	return max(
		s.labelled(w.get("officer"), value, left, y, half, v.Officer),
		s.paragraph(regular(7), right, s.paragraph(value, right, y, half, v.Signature), half, w.get("signature")),
	)
}

// head writes who accuses, what this paper is, and its number for a scanner.
func (v Verbale) head(s *sheet, w words, bars symbol.Bars, day string) float64 {
	end := s.letterhead(v.Creditor, margin, 100)
	y := margin
	s.lineRight(bold(14), rightEdge, y, w.get("title"))
	y += bold(14).line()
	s.lineRight(regular(8), rightEdge, y, w.get("subtitle"))
	y += regular(8).line()
	s.lineRight(bold(9), rightEdge, y, w.get("drawn", "data", day))
	y += bold(9).line()
	if v.Reprint {
		s.lineRight(bold(10), rightEdge, y, w.get("reprint"))
		y += bold(10).line()
	}
	if len(bars) > 0 {
		// A third of a millimetre, or what fits: hand scanners read a quarter.
		width := min(80, 0.33*float64(len(bars)))
		if !s.dry {
			s.begin(sectionBars)
			s.bars(bars, rightEdge-width, y+1, width, 8)
			s.end()
		}
		y += 10
	}
	return max(end, y)
}

// table writes what is due, until when.
func (v Verbale) table(s *sheet, w words, y, size, row float64) float64 {
	if v.NoReduced != "" {
		y = s.paragraph(bold(size), margin, y, rightEdge-margin, w.get("not_reduced"))
		return s.paragraph(regular(size), margin, y, rightEdge-margin, v.NoReduced)
	}
	const sanction, costs, total, width = 122.0, 168.0, rightEdge, 92.0
	head := regular(min(size, 8))
	s.lineRight(head, sanction, y, w.get("sanction"))
	s.lineRight(head, costs, y, w.get("costs"))
	s.lineRight(head, total, y, w.get("total"))
	y += head.line()
	terms := v.Discount.keys([2]string{"discounted", "reduced"}, [2]string{"discounted_days", "reduced_from"}, [2]string{"discounted_working", "reduced_afterwards"})
	if v.Discounted == 0 {
		terms[1] = "reduced"
	}
	for _, r := range []struct {
		key    string
		amount avviso.Cents
	}{{terms[0], v.Discounted}, {terms[1], v.Reduced}, {"full", v.Full}} {
		if r.amount == 0 {
			continue
		}
		f := bold(size)
		end := s.paragraph(regular(size), margin, y, width, w.get(r.key, v.Discount.pairs()...))
		s.lineRight(f, sanction, y, "€ "+r.amount.Italian())
		s.lineRight(f, costs, y, "€ "+v.Costs.Italian())
		s.lineRight(f, total, y, "€ "+(r.amount+v.Costs).Italian())
		y = end + row/2
	}
	if v.Discounted == 0 {
		y = s.paragraph(regular(size-1), margin, y, rightEdge-margin, w.get("not_discounted"))
	}
	if v.Late {
		y = s.paragraph(bold(size), margin, y, rightEdge-margin, w.get("late"))
	}
	return y
}
