package multe

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"preavviso/internal/fault"
)

// redaction stands for personal data wherever they would be printed by
// accident. Code that really means the value converts it: string(plate).
const redaction = "•••"

// Plate is a vehicle's plate, in capitals, letters and digits only.
type Plate string

// MaxPlate is longer than any plate in use in Europe.
const MaxPlate = 12

// plateLetters is what some plates have instead of letters A–Z. Greek and Cyrillic
// plates use only letters that look like Latin ones, so that all of Europe can read
// them (Vienna Convention on Road Traffic, annex 2); the letters with marks of
// Austria, Germany and the countries of former Yugoslavia lose them, as where plates
// are searched across borders.
var plateLetters = map[rune]rune{
	'Α': 'A', 'Β': 'B', 'Ε': 'E', 'Ζ': 'Z', 'Η': 'H', 'Ι': 'I', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ο': 'O', 'Ρ': 'P', 'Τ': 'T', 'Υ': 'Y', 'Χ': 'X',
	'А': 'A', 'В': 'B', 'Е': 'E', 'К': 'K', 'М': 'M', 'Н': 'H', 'О': 'O', 'Р': 'P', 'С': 'C', 'Т': 'T', 'У': 'Y', 'Х': 'X', 'І': 'I',
	'Ä': 'A', 'Ö': 'O', 'Ü': 'U', 'Č': 'C', 'Ć': 'C', 'Đ': 'D', 'Š': 'S', 'Ž': 'Z',
}

// plateMarks separate the groups of a plate, as printed or as typed.
const plateMarks = " \u00a0-\u2013.\u00b7\u2022/"

// ParsePlate normalises a plate as typed: what separates its groups goes, letters
// become capitals A–Z. Anything else but such letters and digits is refused.
func ParsePlate(s string) (Plate, error) {
	var b strings.Builder
	for _, r := range s {
		if latin, ok := plateLetters[unicode.ToUpper(r)]; ok {
			r = latin
		}
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r - 'a' + 'A')
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune(plateMarks, r):
		default:
			return "", fault.New(fault.Invalid, "verbale.bad_plate", "La targa può avere solo lettere e cifre.")
		}
	}
	if n := b.Len(); n < 2 || n > MaxPlate {
		return "", fault.New(fault.Invalid, "verbale.bad_plate", "La targa deve avere da 2 a 12 caratteri.")
	}
	return Plate(b.String()), nil
}

// LogValue redacts the plate in logs.
func (Plate) LogValue() slog.Value { return slog.StringValue(redaction) }

// String redacts the plate in text.
func (Plate) String() string { return redaction }

// Format redacts the plate under every verb of package fmt.
func (Plate) Format(w fmt.State, _ rune) { redact(w) }

// CF is the codice fiscale or partita IVA of a debtor or payer.
type CF string

// LogValue redacts the CF in logs.
func (CF) LogValue() slog.Value { return slog.StringValue(redaction) }

// String redacts the CF in text.
func (CF) String() string { return redaction }

// Format redacts the CF under every verb of package fmt.
func (CF) Format(w fmt.State, _ rune) { redact(w) }

// Debtor is who owes the amount of a verbale (or, in a [Payment], who paid it):
// a person with Surname and Name, or a company with Company.
//
// The lengths are those of EPaywsoCommonTypes.xsd SoggettoType.
type Debtor struct {
	Surname  string `json:"surname,omitempty"` // ≤ 70
	Name     string `json:"name,omitempty"`    // ≤ 70
	Company  string `json:"company,omitempty"` // ≤ 70, instead of the two above
	CF       CF     `json:"cf"`                // ≤ 35
	Address  string `json:"address,omitempty"` // ≤ 70, without number
	Civico   string `json:"civico,omitempty"`  // ≤ 16
	CAP      string `json:"cap,omitempty"`     // ≤ 16
	City     string `json:"city,omitempty"`    // ≤ 35
	Province string `json:"province,omitempty"`
	Nation   string `json:"nation,omitempty"` // ISO 3166 alpha-2, capitals
	Email    string `json:"email,omitempty"`  // ≤ 256
}

// LogValue redacts the debtor in logs.
func (Debtor) LogValue() slog.Value { return slog.StringValue(redaction) }

// String redacts the debtor in text.
func (Debtor) String() string { return redaction }

// Format redacts the debtor under every verb of package fmt.
func (Debtor) Format(w fmt.State, _ rune) { redact(w) }

func redact(w io.Writer) { _, _ = io.WriteString(w, redaction) }

// Records that hold personal data are logged by their name alone, for a JSON log
// would look into their fields. It looks into slices and into structs of others
// all the same: log one record at a time.

// LogValue names the slip in logs.
func (s Slip) LogValue() slog.Value { return slog.StringValue(string(s.ID)) }

// LogValue names the verbale in logs.
func (v Verbale) LogValue() slog.Value { return v.Slip.LogValue() }

// LogValue redacts the record in logs.
func (Record) LogValue() slog.Value { return slog.StringValue(redaction) }

// LogValue redacts what is asked for in logs.
func (Desired) LogValue() slog.Value { return slog.StringValue(redaction) }

// LogValue names the change in logs.
func (c Change) LogValue() slog.Value { return slog.StringValue(string(c.ID())) }

// LogValue names the batch in logs.
func (b Batch) LogValue() slog.Value { return slog.StringValue(string(b.ID)) }

// Format names the batch: its bytes hold personal data.
func (b Batch) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "batch %s (%s)", b.ID, b.State) }

// LogValue names the payment in logs.
func (p Payment) LogValue() slog.Value { return slog.StringValue(p.IUV + "/" + p.IUR) }

// LogValue names the notice in logs.
func (n Notice) LogValue() slog.Value { return slog.StringValue(n.Message) }

// LogValue names the receipt in logs.
func (r Receipt) LogValue() slog.Value { return slog.StringValue(r.IUV + "/" + r.Digest.String()[:16]) }

// Format names the receipt: its bytes hold personal data.
func (r Receipt) Format(w fmt.State, _ rune) {
	fmt.Fprintf(w, "receipt %s/%s", r.IUV, r.Digest.String()[:16])
}

// LogValue names the kind of event in logs.
func (e Event) LogValue() slog.Value { return slog.StringValue(e.Kind) }

// Format names the kind of event: what it points to would be printed whole by a
// verb that does not fit.
func (e Event) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "event %s", e.Kind) }

// LogValue counts the items in logs.
func (b Bundle[T]) LogValue() slog.Value { return slog.IntValue(len(b.Items)) }

// Format counts the items.
func (b Bundle[T]) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "%d items", len(b.Items)) }

// LogValue names the message in logs.
func (m Message) LogValue() slog.Value { return slog.StringValue(string(m.ID)) }

// Format names the message: its bytes hold personal data.
func (m Message) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "message %s (%s)", m.ID, m.State) }

// LogValue names the chunk in logs.
func (c PhotoChunk) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%s/%d", string(c.Photo), c.N))
}

// Format names the chunk: a photo shows a plate, and maybe people.
func (c PhotoChunk) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "photo %s chunk %d", c.Photo, c.N) }

// LogValue names the bulletin in logs.
func (b Bulletin) LogValue() slog.Value { return slog.StringValue(string(b.ID)) }

// Format names the bulletin: its text is free.
func (b Bulletin) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "bulletin %s", b.ID) }

// emails is EPaywsoCommonTypes.xsd EMailAddress with a domain that has a dot,
// which the stricter copy of the schema in epaywso2services demands.
var emails = regexp.MustCompile(`^[a-zA-Z0-9_.+\-]+@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)+$`)

var nations = regexp.MustCompile(`^[A-Z]{2}$`)

// cfs accepts a codice fiscale (omocodia included), a partita IVA and the
// identifiers of foreigners, which have no common form. ANONIMO is not a debtor.
var cfs = regexp.MustCompile(`^[A-Z0-9]{2,35}$`)

// Validate checks a debtor typed by the office against what the platform can
// carry. The error names the field, never its content.
func (d Debtor) Validate() error {
	bad := func(field, why string) error {
		return fault.New(fault.Invalid, "debtor."+field, why)
	}
	person := d.Surname != "" || d.Name != ""
	switch {
	case person && d.Company != "":
		return bad("both", "Indicare una persona (cognome e nome) oppure una ditta, non entrambe.")
	case !person && d.Company == "":
		return bad("missing", "Indicare cognome e nome oppure la ragione sociale.")
	case person && (d.Surname == "" || d.Name == ""):
		return bad("name", "Per una persona servono sia il cognome sia il nome.")
	case !cfs.MatchString(string(d.CF)) || d.CF == "ANONIMO":
		return bad("cf", "Il codice fiscale del debitore manca o contiene caratteri non ammessi.")
	case d.Nation != "" && !nations.MatchString(d.Nation):
		return bad("nation", "La nazione va indicata con due lettere maiuscole, per esempio IT.")
	case d.Email != "" && (len(d.Email) > 256 || !emails.MatchString(d.Email)):
		return bad("email", "L'indirizzo e-mail del debitore non è valido.")
	}
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{"surname", d.Surname, 70}, {"name", d.Name, 70}, {"company", d.Company, 70},
		{"address", d.Address, 70}, {"civico", d.Civico, 16}, {"cap", d.CAP, 16},
		{"city", d.City, 35}, {"province", d.Province, 35},
	} {
		if err := checkText(f.value, f.max); err != nil {
			return fault.Wrap(fault.Invalid, "debtor."+f.name, "Un dato del debitore è troppo lungo o contiene caratteri non ammessi.", err)
		}
	}
	return nil
}

type textError string

func (e textError) Error() string { return string(e) }

// checkText accepts valid UTF-8 of at most max characters, without control
// characters (XML 1.0 cannot carry most of them) and without space at the ends
// (the platform trims, and what was printed must be what is stored).
func checkText(s string, max int) error {
	switch {
	case !utf8.ValidString(s):
		return textError("not UTF-8")
	case utf8.RuneCountInString(s) > max:
		return textError("too long")
	case strings.TrimSpace(s) != s:
		return textError("space at the ends")
	}
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff || r == utf8.RuneError {
			return textError("control character")
		}
	}
	return nil
}
