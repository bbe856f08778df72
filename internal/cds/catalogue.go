package cds

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// The bounds of a catalogue.
const (
	MaxFile       = 1 << 20 // bytes: ten times a prontuario of 1,000 violations
	MaxViolations = 2000    // the Codice and its Regolamento have fewer than 1,500 codes
	MaxAmounts    = 30      // validity periods of one violation: ISTAT changes them every two years
	MaxCode       = 12
	MaxReason     = 120
	MaxEuro       = 50_000 // no fine of the Codice comes near, and a third more stays below multe.MaxFineCents
	MaxPoints     = 10     // art. 126-bis: of one violation; new drivers lose twice as many
)

// Vehicle is a class of vehicles.
type Vehicle = multe.VehicleClass

const (
	TwoWheeler   = multe.TwoWheeler
	OtherVehicle = multe.OtherVehicle
)

// Accessory is a sanzione accessoria that follows the violation.
type Accessory string

const (
	Removal     Accessory = "removal"     // rimozione o blocco, art. 159
	Restoration Accessory = "restoration" // ripristino dei luoghi
	Detention   Accessory = "detention"   // fermo amministrativo del veicolo
	Suspension  Accessory = "suspension"  // sospensione della patente
	Revocation  Accessory = "revocation"  // revoca della patente
	Seizure     Accessory = "seizure"     // confisca del veicolo, art. 210 c. 3
)

var (
	vehicles    = []Vehicle{TwoWheeler, OtherVehicle}
	accessories = []Accessory{Removal, Restoration, Detention, Suspension, Revocation, Seizure}
)

// Violation is one entry of a catalogue.
type Violation struct {
	Code string // ministerial (four digits) or the creditor's own; unique in a catalogue
	// Article and Comma hold the sanction ("158", "6"): special rules of the law
	// go by them.
	Article string
	Comma   string
	Norm    string // as printed: "art. 158 c. 2 e 6 CdS"
	Text    string // the conduct in words, as printed
	// Vehicles are the classes it is for; none means all.
	Vehicles []Vehicle
	Amounts  []Amount // by From, never overlapping; at least one

	NoDiscount string // why there is no 30 % (art. 202 c. 1); "" if there is
	NoReduced  string // why there is no reduced payment (art. 202 c. 3, 3-bis); "" if there is
	Night      bool   // a third more at night (art. 195 c. 2-bis)
	Points     int    // taken from the licence (art. 126-bis)
	Accessory  []Accessory

	Verify bool   // nobody has checked it on Normattiva yet
	Source string // where the figures are from

	line int // in the file, for findings
}

// Amount is the minimum and the maximum of a penalty (limiti edittali), for
// violations committed from From through Until. They are whole euro, in cents.
type Amount struct {
	From  multe.Day
	Until multe.Day // zero: still in force
	Min   multe.Cents
	Max   multe.Cents
}

// AmountOn returns the amount for a violation committed on a day.
func (v Violation) AmountOn(d multe.Day) (Amount, bool) {
	for _, a := range v.Amounts {
		if a.From.Compare(d) <= 0 && (a.Until.IsZero() || d.Compare(a.Until) <= 0) {
			return a, true
		}
	}
	return Amount{}, false
}

// Fits reports whether the violation is for vehicles of class c.
func (v Violation) Fits(c Vehicle) bool {
	return len(v.Vehicles) == 0 || slices.Contains(v.Vehicles, c)
}

// Catalogue is the violations a creditor works with. It is made by [Parse] and
// never changes.
type Catalogue struct {
	Name   string
	Review multe.Day // by then the amounts must be looked at again (ISTAT); zero: not said

	violations []Violation // by code
}

// Violation returns the violation of a code.
func (c *Catalogue) Violation(code string) (Violation, bool) {
	i, ok := slices.BinarySearchFunc(c.violations, code, func(v Violation, code string) int { return strings.Compare(v.Code, code) })
	if !ok {
		return Violation{}, false
	}
	return c.violations[i], true
}

// All returns the violations by code. The slice is the caller's; what hangs from
// its elements is shared and must not be changed.
func (c *Catalogue) All() []Violation { return slices.Clone(c.violations) }

// rule is an article and, where the law says so, some of its commi.
type rule struct {
	article string
	commi   []string // none: all
}

func (v Violation) under(rules []rule) bool {
	return slices.ContainsFunc(rules, func(r rule) bool {
		return r.article == v.Article && (r.commi == nil || slices.Contains(r.commi, v.Comma))
	})
}

// nightRules is art. 195 c. 2-bis CdS (L. 94/2009): a third more at night. Parking
// (7, 157, 158) is not among them.
var nightRules = []rule{
	{"141", nil}, {"142", nil}, {"145", nil}, {"146", nil}, {"149", nil}, {"154", nil},
	{"174", nil}, {"176", []string{"19", "20"}}, {"178", nil},
}

// prefettoRules is art. 202 c. 3-bis CdS: no reduced payment.
var prefettoRules = []rule{
	{"83", []string{"6"}}, {"88", []string{"3"}}, {"97", []string{"9"}}, {"100", []string{"12"}}, {"113", []string{"5"}},
	{"114", []string{"7"}}, {"116", []string{"13"}}, {"124", []string{"4"}}, {"136", []string{"6"}}, {"168", []string{"8"}},
	{"176", []string{"19"}}, {"216", []string{"6"}}, {"217", []string{"6"}}, {"218", []string{"6"}},
}

// Finding is something about a catalogue that a person should read.
type Finding struct {
	Line   int
	Detail string // Italian
}

func (f Finding) String() string { return fmt.Sprintf("riga %d: %s", f.Line, f.Detail) }

// check returns what is wrong with v, and what may be.
func (v Violation) check() (wrong, doubtful []Finding) {
	bad := func(format string, args ...any) { wrong = append(wrong, Finding{v.line, fmt.Sprintf(format, args...)}) }
	warn := func(format string, args ...any) {
		doubtful = append(doubtful, Finding{v.line, fmt.Sprintf("violazione %s: ", v.Code) + fmt.Sprintf(format, args...)})
	}
	for _, f := range []struct {
		name, value string
		max         int
		required    bool
	}{
		{"article", v.Article, 8, true},
		{"comma", v.Comma, 8, true},
		{"norm", v.Norm, multe.MaxNorm, true},
		{"text", v.Text, multe.MaxConduct, true},
		{"no_discount", v.NoDiscount, MaxReason, false},
		{"no_reduced", v.NoReduced, MaxReason, false},
		{"source", v.Source, MaxReason, false},
	} {
		switch {
		case f.value == "" && f.required:
			bad("manca «%s»", f.name)
		case !printable(f.value, f.max):
			bad("«%s» supera %d caratteri o contiene caratteri non ammessi", f.name, f.max)
		}
	}
	if !validCode(v.Code) {
		bad("«code» è obbligatorio: al massimo %d caratteri tra cifre, lettere maiuscole, punto e trattino", MaxCode)
	}
	if v.Points < 0 || v.Points > MaxPoints {
		bad("«points» va da 0 a %d", MaxPoints)
	}
	for _, c := range v.Vehicles {
		if !slices.Contains(vehicles, c) {
			bad("«vehicles»: %q non è una classe nota (%s)", c, names(vehicles))
		}
	}
	for _, a := range v.Accessory {
		if !slices.Contains(accessories, a) {
			bad("«accessory»: %q non è una sanzione accessoria nota (%s)", a, names(accessories))
		}
	}
	switch listed := v.under(nightRules); {
	case v.Night && !listed:
		bad("l'aumento notturno non è previsto per l'art. %s c. %s (art. 195 c. 2-bis CdS)", v.Article, v.Comma)
	case !v.Night && listed && v.NoReduced == "":
		warn("l'art. %s è fra quelli aumentati di un terzo di notte (art. 195 c. 2-bis CdS): manca «night: true»", v.Article)
	}
	if v.NoReduced == "" && v.under(prefettoRules) {
		bad("per l'art. %s c. %s il pagamento in misura ridotta non è ammesso (art. 202 c. 3-bis CdS): indicare «no_reduced»", v.Article, v.Comma)
	}
	if v.NoDiscount == "" && v.NoReduced == "" && (slices.Contains(v.Accessory, Suspension) || slices.Contains(v.Accessory, Seizure)) {
		bad("con sospensione della patente o confisca del veicolo lo sconto del 30%% non è ammesso (art. 202 c. 1 CdS): indicare «no_discount»")
	}
	w, d := v.checkAmounts()
	wrong = append(wrong, w...)
	for _, f := range d {
		warn("%s", f)
	}
	if v.Verify {
		warn("da verificare su Normattiva prima dell'uso")
	}
	return wrong, doubtful
}

func (v Violation) checkAmounts() (wrong []Finding, doubtful []string) {
	bad := func(format string, args ...any) {
		wrong = append(wrong, Finding{v.line, "«amounts»: " + fmt.Sprintf(format, args...)})
	}
	if len(v.Amounts) == 0 || len(v.Amounts) > MaxAmounts {
		bad("servono da 1 a %d periodi", MaxAmounts)
		return wrong, nil
	}
	for i, a := range v.Amounts {
		switch {
		case a.From.IsZero():
			bad("manca «from»")
			continue
		case !a.Until.IsZero() && a.Until.Compare(a.From) < 0:
			bad("il periodo dal %s finisce prima di iniziare", a.From.Italian())
		}
		switch {
		case a.Min < 100 || a.Max > MaxEuro*100:
			bad("dal %s: minimo e massimo vanno da 1 a %d euro", a.From.Italian(), MaxEuro)
		case a.Max < a.Min:
			bad("dal %s: il massimo è inferiore al minimo", a.From.Italian())
		case a.Max < 2*a.Min:
			doubtful = append(doubtful, fmt.Sprintf("dal %s la metà del massimo è inferiore al minimo: dopo 60 giorni l'importo diminuisce", a.From.Italian()))
		}
		if i == 0 {
			continue
		}
		switch before := v.Amounts[i-1]; {
		case before.Until.IsZero() || a.From.Compare(before.Until) <= 0:
			bad("il periodo dal %s si sovrappone al precedente, o lo precede", a.From.Italian())
		case before.Until.Plus(1) != a.From:
			doubtful = append(doubtful, fmt.Sprintf("nessun importo dal %s al %s", before.Until.Plus(1).Italian(), a.From.Plus(-1).Italian()))
		}
	}
	if last := v.Amounts[len(v.Amounts)-1]; !last.Until.IsZero() {
		doubtful = append(doubtful, fmt.Sprintf("nessun importo dopo il %s", last.Until.Italian()))
	}
	return wrong, doubtful
}

// maxFindings bounds what one refusal tells: who mends twenty lines checks again
// anyway.
const maxFindings = 20

// assemble checks a catalogue as it was read and puts it in order.
func assemble(c Catalogue) (*Catalogue, []Finding, error) {
	var wrong, doubtful []Finding
	if c.Name == "" || !printable(c.Name, MaxReason) {
		wrong = append(wrong, Finding{1, fmt.Sprintf("«name» è obbligatorio, al massimo %d caratteri", MaxReason)})
	}
	if n := len(c.violations); n == 0 || n > MaxViolations {
		return nil, nil, refuse([]Finding{{1, fmt.Sprintf("«violations» deve avere da 1 a %d voci", MaxViolations)}})
	}
	lines := map[string]int{}
	for _, v := range c.violations {
		w, d := v.check()
		wrong, doubtful = append(wrong, w...), append(doubtful, d...)
		if first, dup := lines[v.Code]; dup {
			wrong = append(wrong, Finding{v.line, fmt.Sprintf("il codice %q è già alla riga %d", v.Code, first)})
		} else {
			lines[v.Code] = v.line
		}
	}
	if len(wrong) > 0 {
		return nil, nil, refuse(wrong)
	}
	if !c.Review.IsZero() {
		doubtful = append(doubtful, Finding{1, fmt.Sprintf("gli importi vanno ricontrollati entro il %s", c.Review.Italian())})
	}
	slices.SortFunc(c.violations, func(a, b Violation) int { return strings.Compare(a.Code, b.Code) })
	slices.SortStableFunc(doubtful, func(a, b Finding) int { return a.Line - b.Line })
	return &c, doubtful, nil
}

func refuse(wrong []Finding) error {
	slices.SortStableFunc(wrong, func(a, b Finding) int { return a.Line - b.Line })
	var b strings.Builder
	b.WriteString("Il catalogo non è valido:")
	for i, f := range wrong {
		if i == maxFindings {
			fmt.Fprintf(&b, "\n  e altri %d errori", len(wrong)-i)
			break
		}
		b.WriteString("\n  " + f.String())
	}
	return fault.New(fault.Invalid, "catalogue.invalid", b.String())
}

func validCode(s string) bool {
	if s == "" || len(s) > MaxCode {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// printable reports whether s can be printed on one slip line: what package multe
// accepts in a Slip, so that a text of the catalogue is never refused there.
func printable(s string, max int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > max || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff || r == utf8.RuneError
	})
}

func names[T ~string](list []T) string {
	s := make([]string, len(list))
	for i, n := range list {
		s[i] = string(n)
	}
	return strings.Join(s, ", ")
}
