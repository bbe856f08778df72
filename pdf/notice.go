package pdf

import (
	"fmt"
	"strings"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

// Notice is a preavviso as it is printed. Texts are Italian and may be in any
// Latin letters; runs of white space count as one space. Lengths are in
// characters.
type Notice struct {
	Creditor  Creditor
	Reference string    // register number, or the id on the slip; 1 to 40
	IssuedAt  time.Time // when the violation was found; printed as time in Europe/Rome
	Place     string    // 1 to 150
	Plate     string    // 1 to 20
	Vehicle   string    // "Fiat Panda bianca"; up to 80, may be empty
	Norm      string    // "art. 158, c. 2 e 6, CdS"; 1 to 100
	Violation string    // what was done; 1 to 600
	Warden    string    // id, never a name; 1 to 40

	Number avviso.Number
	// Full is a second number, worth the second step when Number is worth only the
	// first; zero where one number serves all.
	Full    avviso.Number
	Causale string // as the platform was told; 1 to 100
	Debtor  Debtor // zero while nobody knows who it is, as on a windscreen
	Steps   []Step // 1 to 4; the first is due now, and is what the symbols carry
	Reprint bool   // marks the page as a reprint
}

// Creditor is the public body that is owed, as a notice presents it.
type Creditor struct {
	Name     string // 1 to 100
	Settore  string // "Corpo di Polizia Locale"; up to 50, may be empty
	Info     string // address and hours; up to 100, may be empty
	Contacts string // telephone, PEC; up to 100, may be empty
	Privacy  string // where the whole privacy notice is; up to 100, may be empty
	CF       string // 11 digits
	CBILL    string // up to 10, may be empty
	Logo     *Logo  // nil if it has none

	// The «bollettino postale PA» is drawn if there is both an account and an
	// authorisation of Poste to print it; then the holder must be there too.
	PostalAccount      string // up to 12 digits
	PostalHolder       string // 1 to 50
	PosteAuthorisation string // "AUT. DB/…"; up to 60
}

// Debtor is who owes, if known. Name and address are cut where they are longer,
// as the guide has it: nobody is spared a notice by a long name.
type Debtor struct {
	Name    string // up to 70
	CF      string // 11 digits or 16 letters and digits
	Foreign bool   // CF is what another country gave, up to 16: printed, and not in the Data Matrix
	Address string // up to 140; not on a preavviso
}

func (d *Debtor) fields() []field {
	return []field{
		{"nome del destinatario", &d.Name, 70, cut},
		{"codice fiscale del destinatario", &d.CF, 16, optional},
		{"indirizzo del destinatario", &d.Address, 140, cut},
	}
}

// Step is one amount and the last day on which it is enough. Exactly one of By
// and Term is given.
type Step struct {
	Amount avviso.Cents // one cent to avviso.MaxPrintable
	Label  string       // "Importo scontato del 30%"; 1 to 50
	By     time.Time    // any instant of that day in Europe/Rome: «entro il 17/03/2026»
	Term   string       // "entro 5 giorni dalla notifica del verbale"; up to 80
}

// printed is who the notice says it is for.
func (d Debtor) printed(w words) string {
	if d.Name == "" {
		return w.get("unknown_debtor")
	}
	return d.Name
}

// maxSteps is how many amounts fit side by side. Italian law knows three: with
// the discount, reduced, and half of the maximum.
const maxSteps = 4

// postal reports whether the notice carries a bollettino.
func (c Creditor) postal() bool { return c.PostalAccount != "" && c.PosteAuthorisation != "" }

// Box is what one payment box of a notice asks for.
type Box struct {
	Number avviso.Number
	Step   Step
}

// Boxes are the payment boxes of a prepared notice: one, for what is due now, or
// two, where each amount has a number of its own.
func (p Notice) Boxes() []Box {
	b := []Box{{p.Number, p.Steps[0]}}
	if !p.Full.IsZero() {
		b = append(b, Box{p.Full, p.Steps[1]})
	}
	return b
}

// term is the deadline as it is printed.
func (s Step) term(w words, rome *time.Location) string {
	if s.By.IsZero() {
		return s.Term
	}
	return w.get("by", "data", s.By.In(rome).Format(dateLayout))
}

const (
	dateLayout = "02/01/2006"
	accountLen = 12 // of a conto corrente postale; shorter ones are printed with zeros
)

// field is one text of a notice with its limits.
type field struct {
	name string // as the clerk knows it
	text *string
	max  int
	need need
}

// need is what becomes of a field that is empty or too long.
type need int

const (
	required need = iota // neither empty nor longer
	optional             // may be empty
	cut                  // may be empty, and longer texts end in an ellipsis
)

// prepare makes all texts printable where they are, or says which of them is
// missing, too long or not printable.
func prepare(fields []field) error {
	for _, f := range fields {
		t, ok := printable(*f.text)
		switch {
		case !ok:
			return invalid("bad_character", "Il campo «%s» contiene caratteri che non si possono stampare.", f.name)
		case t == "" && f.need == required:
			return invalid("missing_field", "Manca il campo «%s».", f.name)
		case len([]rune(t)) > f.max && f.need == cut:
			t = strings.TrimRight(string([]rune(t)[:f.max-1]), " ") + "…"
		case len([]rune(t)) > f.max:
			return invalid("too_long", "Il campo «%s» supera i %d caratteri.", f.name, f.max)
		case noValue[strings.ToLower(t)]:
			return invalid("missing_field", "Il campo «%s» contiene «null»: il programma che lo ha mandato non ne conosce il valore.", f.name)
		}
		*f.text = t
	}
	return nil
}

// noValue are words that programs write for what they do not know.
var noValue = map[string]bool{"null": true, "nil": true, "undefined": true, "nan": true, "<nil>": true, "(null)": true, "none": true}

func invalid(code, format string, args ...any) error {
	return fault.New(fault.Invalid, "print."+code, fmt.Sprintf(format, args...))
}

// fields are the texts of a creditor. The account is filled up with zeros.
func (c *Creditor) fields() []field {
	if n := len(c.PostalAccount); n > 0 {
		c.PostalAccount = strings.Repeat("0", max(0, accountLen-n)) + c.PostalAccount
	}
	holder := optional
	if c.postal() {
		holder = required
	}
	return []field{
		{"ente creditore", &c.Name, 100, required},
		{"settore dell'ente", &c.Settore, 50, optional},
		{"informazioni dell'ente", &c.Info, 100, optional},
		{"contatti dell'ente", &c.Contacts, 100, optional},
		{"informativa privacy", &c.Privacy, 100, optional},
		{"codice fiscale dell'ente", &c.CF, 11, required},
		{"codice CBILL", &c.CBILL, 10, optional},
		{"conto corrente postale", &c.PostalAccount, accountLen, optional},
		{"intestatario del conto", &c.PostalHolder, 50, holder},
		{"autorizzazione Poste", &c.PosteAuthorisation, 60, optional},
	}
}

func checkAmount(c avviso.Cents) error {
	if c <= 0 || c > avviso.MaxPrintable {
		return invalid("bad_amount", "Ogni importo deve essere compreso fra 0,01 e %s euro.", avviso.MaxPrintable.Italian())
	}
	return nil
}

// Prepared returns p with all its texts made printable, or says which of them
// is missing, too long or not printable. It leaves p alone.
func (p Notice) Prepared() (Notice, error) {
	p.Steps = append([]Step(nil), p.Steps...)
	fields := append(p.Creditor.fields(),
		field{"numero del preavviso", &p.Reference, 40, required},
		field{"luogo", &p.Place, 150, required},
		field{"targa", &p.Plate, 20, required},
		field{"veicolo", &p.Vehicle, 80, optional},
		field{"norma violata", &p.Norm, 100, required},
		field{"descrizione della violazione", &p.Violation, 600, required},
		field{"matricola dell'agente", &p.Warden, 40, required},
		field{"causale", &p.Causale, 100, required},
	)
	fields = append(fields, p.Debtor.fields()...)
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.By.IsZero() == (strings.TrimSpace(s.Term) == "") {
			return Notice{}, invalid("bad_term", "Ogni importo deve avere una scadenza: o una data o un termine.")
		}
		fields = append(fields, field{"descrizione dell'importo", &s.Label, 50, required}, field{"termine di pagamento", &s.Term, 80, optional})
	}
	if err := prepare(fields); err != nil {
		return Notice{}, err
	}
	switch {
	case p.IssuedAt.IsZero():
		return Notice{}, invalid("missing_field", "Mancano la data e l'ora della violazione.")
	case p.Number.IsZero():
		return Notice{}, errNoNumber
	case !p.Full.IsZero() && (len(p.Steps) < 2 || p.Full == p.Number):
		return Notice{}, invalid("bad_steps", "Il secondo codice avviso vuole un secondo importo, e deve essere diverso dal primo.")
	case len(p.Steps) == 0 || len(p.Steps) > maxSteps:
		return Notice{}, invalid("bad_steps", "Gli importi devono essere da 1 a %d.", maxSteps)
	}
	for _, s := range p.Steps {
		if err := checkAmount(s.Amount); err != nil {
			return Notice{}, err
		}
	}
	return p, nil
}

var errNoNumber = invalid("no_number", "Manca il codice avviso.")
