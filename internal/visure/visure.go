package visure

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

const (
	// MaxRows is how many owners a file may have: what one transaction can put,
	// and a town asks for in a month.
	MaxRows = 5000
	// MaxFile is the largest file: MaxRows of rows with every field full.
	MaxFile = 3 << 20
	// maxLine bounds a row: the longest that fits our fields has some 900 bytes,
	// and an extract has columns that are nothing to us.
	maxLine = 8 << 10
	// maxColumns bounds a header: extracts have some forty.
	maxColumns = 120
	// MaxWrong is how many wrong rows are told: enough to mend a file.
	MaxWrong = 100
)

// Field is something we want to know from a row.
type Field string

// The fields. The strings are those of the API and of the command line.
const (
	Plate    Field = "plate"
	From     Field = "from"  // first day of ownership
	Until    Field = "until" // last day
	Surname  Field = "surname"
	Name     Field = "name"
	Company  Field = "company"
	CF       Field = "cf" // codice fiscale or partita IVA
	Address  Field = "address"
	Civico   Field = "civico"
	CAP      Field = "cap"
	City     Field = "city"
	Province Field = "province"
	Nation   Field = "nation"
	Email    Field = "email"
)

// titles are what columns are called, in the form that plain gives; those before
// are likelier.
var titles = []struct {
	field Field
	names []string
}{
	{Plate, []string{"targa", "targaveicolo", "numerotarga", "plate"}},
	{From, []string{"dal", "datainizio", "datainizioproprieta", "dataacquisto", "decorrenza", "datadecorrenza", "validodal", "from"}},
	{Until, []string{"al", "datafine", "datafineproprieta", "datacessione", "datavendita", "validoal", "until"}},
	{Surname, []string{"cognome", "cognomeintestatario", "cognomeproprietario", "surname"}},
	{Name, []string{"nome", "nomeintestatario", "nomeproprietario", "name"}},
	{Company, []string{"ragionesociale", "denominazione", "denominazioneditta", "ditta", "company"}},
	{CF, []string{"codicefiscale", "codicefiscalepartitaiva", "cfpiva", "cf", "codfiscale", "codicefiscaleopartitaiva", "partitaiva", "piva"}},
	{Address, []string{"indirizzo", "via", "indirizzoresidenza", "residenza", "address"}},
	{Civico, []string{"civico", "numerocivico", "ncivico"}},
	{CAP, []string{"cap", "codicepostale"}},
	{City, []string{"comune", "citta", "localita", "comuneresidenza", "city"}},
	{Province, []string{"provincia", "prov", "siglaprovincia", "provinciaresidenza", "province"}},
	{Nation, []string{"stato", "nazione", "statoresidenza", "statoestero", "nation"}},
	{Email, []string{"email", "pec", "indirizzopec", "domiciliodigitale", "mail"}},
}

// Fields lists all of them, in the order that a table shows them.
func Fields() []Field {
	fs := make([]Field, len(titles))
	for i, t := range titles {
		fs[i] = t.field
	}
	return fs
}

// Mapping says under which title a field is, as the header writes it. A field
// with the title "" is not in the file.
type Mapping map[Field]string

// Row is one owner as understood.
type Row struct {
	Line        int // in the file, from 1
	Plate       multe.Plate
	From, Until multe.Day // zero: not said
	Debtor      multe.Debtor
}

// Wrong is why a row cannot be understood.
type Wrong struct {
	Line   int
	Column int    // from 1; 0 if it is no one column's fault
	Field  Field  // "" likewise
	Detail string // in Italian, without what the cell says
}

// Sheet is a file as understood.
type Sheet struct {
	Encoding string   // "utf-8" or "windows-1252"
	Header   []string // the titles
	Mapping  Mapping  // in force: guessed, and overridden
	Rows     []Row
	Wrong    []Wrong // the first MaxWrong
	Bad      int     // wrong rows in all
}

// Read reads an extract. over overrides the guessed columns; nil guesses all. An
// error is of the whole file, and names the line.
func Read(raw []byte, over Mapping) (Sheet, error) {
	text, encoding, err := decode(raw)
	if err != nil {
		return Sheet{}, err
	}
	first, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = comma(first), -1, true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return Sheet{}, bad("empty", "Il file è vuoto: la prima riga deve contenere i titoli delle colonne.")
	}
	if err != nil {
		return Sheet{}, unreadable(err)
	}
	s := Sheet{Encoding: encoding}
	for _, h := range header {
		s.Header = append(s.Header, strings.TrimSpace(h))
	}
	if len(s.Header) > maxColumns {
		return Sheet{}, bad("columns", fmt.Sprintf("Il file ha più di %d colonne.", maxColumns))
	}
	columns, err := s.columns(over)
	if err != nil {
		return Sheet{}, err
	}
	seen := map[[16]byte]int{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Sheet{}, unreadable(err)
		}
		line, _ := r.FieldPos(0)
		if blank(record) {
			continue
		}
		if len(s.Rows)+s.Bad == MaxRows {
			return Sheet{}, bad("too_many", fmt.Sprintf("Alla riga %d il file supera %d righe: dividerlo in più file.", line, MaxRows))
		}
		row, wrong := s.row(line, record, columns)
		if wrong == nil {
			// A row that says twice the same was pasted twice: which of them was
			// meant to be another vehicle nobody can tell.
			id := identity(row)
			if before, twice := seen[id]; twice {
				wrong = &Wrong{Line: line, Detail: fmt.Sprintf("La riga è uguale alla riga %d.", before)}
			}
			seen[id] = line
		}
		if wrong != nil {
			if s.Bad++; len(s.Wrong) < MaxWrong {
				s.Wrong = append(s.Wrong, *wrong)
			}
			continue
		}
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}

func identity(r Row) [16]byte {
	h, err := multe.NewOwnerHint("", r.Plate, r.From, r.Until, r.Debtor, time.Time{})
	if err != nil {
		return [16]byte{} // impossible: all of it is text
	}
	var id [16]byte
	copy(id[:], h.ID)
	return id
}

func bad(code, detail string) error { return fault.New(fault.Invalid, "owners.bad_"+code, detail) }

// unreadable says where the table breaks; what package csv says may quote the file.
func unreadable(err error) error {
	line := 0
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		line = p.StartLine
	}
	return bad("quotes", fmt.Sprintf("Alla riga %d le virgolette non sono scritte correttamente: il file non si può leggere.", line))
}

// decode turns the bytes into text, or says why they are none.
func decode(raw []byte) (text, encoding string, err error) {
	for _, bom := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(raw, []byte(bom)) {
			return "", "", bad("encoding", "Il file è in UTF-16: salvarlo come CSV UTF-8.")
		}
	}
	line, length := 1, 0
	for _, b := range raw {
		switch length++; {
		case b == '\n':
			line, length = line+1, 0
		case b == 0:
			return "", "", bad("nul", fmt.Sprintf("La riga %d contiene un byte nullo: il file non è un CSV.", line))
		case length > maxLine:
			return "", "", bad("line", fmt.Sprintf("La riga %d è più lunga di %d caratteri.", line, maxLine))
		}
	}
	if len(raw) > MaxFile {
		return "", "", bad("too_large", fmt.Sprintf("Il file supera %d MiB.", MaxFile>>20))
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if utf8.Valid(raw) {
		return string(raw), "utf-8", nil
	}
	b, err := charmap.Windows1252.NewDecoder().Bytes(raw)
	if err != nil || bytes.ContainsRune(b, utf8.RuneError) {
		return "", "", bad("encoding", "I caratteri del file non sono né UTF-8 né Windows-1252: salvarlo come CSV UTF-8.")
	}
	return string(b), "windows-1252", nil
}

// comma is what separates the columns: what the header has most of.
func comma(header string) rune {
	best := ';'
	for _, c := range ";\t,|" {
		if strings.Count(header, string(c)) > strings.Count(header, string(best)) {
			best = c
		}
	}
	return best
}

// plain is a title without case, accents and anything but letters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(r); {
		case r == 'à':
			return 'a'
		case r >= 'a' && r <= 'z':
			return r
		}
		return -1
	}, s)
}

// columns finds the column of each field, and writes the mapping in force.
func (s *Sheet) columns(over Mapping) (map[Field]int, error) {
	for f := range over {
		if !slices.Contains(Fields(), f) {
			return nil, bad("mapping", "Un campo della corrispondenza tra colonne non esiste.")
		}
	}
	s.Mapping = Mapping{}
	columns, taken := map[Field]int{}, map[int]bool{}
	take := func(f Field, i int) { columns[f], taken[i], s.Mapping[f] = i, true, s.Header[i] }
	for _, f := range Fields() {
		title, told := over[f]
		if !told || title == "" {
			continue
		}
		i := slices.Index(s.Header, strings.TrimSpace(title))
		if i < 0 {
			return nil, bad("mapping", "Una colonna indicata nella corrispondenza non c'è nel file: controllare i titoli.")
		}
		take(f, i)
	}
	for _, t := range titles {
		if _, told := over[t.field]; told {
			continue
		}
	names:
		for _, name := range t.names {
			for i, h := range s.Header {
				if !taken[i] && plain(h) == name {
					take(t.field, i)
					break names
				}
			}
		}
	}
	_, plate := columns[Plate]
	_, surname := columns[Surname]
	_, name := columns[Name]
	_, company := columns[Company]
	switch {
	case !plate:
		return nil, bad("header", "Nella prima riga manca la colonna della targa: indicare quale colonna la contiene.")
	case !(surname && name) && !company:
		return nil, bad("header", "Nella prima riga mancano le colonne di cognome e nome, o della ragione sociale: indicare quali colonne li contengono.")
	}
	return columns, nil
}

func blank(record []string) bool {
	return !slices.ContainsFunc(record, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// row understands one row.
func (s *Sheet) row(line int, record []string, columns map[Field]int) (Row, *Wrong) {
	wrong := func(f Field, detail string) *Wrong {
		w := &Wrong{Line: line, Field: f, Detail: detail}
		if i, ok := columns[f]; ok {
			w.Column = i + 1
		}
		return w
	}
	if len(record) != len(s.Header) {
		return Row{}, &Wrong{Line: line, Detail: fmt.Sprintf("La riga ha %d colonne e l'intestazione %d.", len(record), len(s.Header))}
	}
	cell := map[Field]string{}
	for f, i := range columns {
		v := strings.Join(strings.FieldsFunc(record[i], unicode.IsSpace), " ") // a line break in a cell is a space
		if v != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(v)[0]) {
			return Row{}, wrong(f, "La cella comincia con un segno che un foglio di calcolo esegue come formula.")
		}
		cell[f] = v
	}
	row := Row{Line: line}
	var err error
	if row.Plate, err = multe.ParsePlate(cell[Plate]); err != nil {
		return Row{}, wrong(Plate, fault.Of(err).Detail)
	}
	for f, to := range map[Field]*multe.Day{From: &row.From, Until: &row.Until} {
		if *to, err = day(cell[f]); err != nil {
			return Row{}, wrong(f, "La data non è nella forma GG/MM/AAAA, oppure non esiste.")
		}
	}
	if !row.From.IsZero() && !row.Until.IsZero() && row.Until.Compare(row.From) < 0 {
		return Row{}, wrong(Until, "La proprietà finisce prima di cominciare.")
	}
	nation, ok := nationOf(cell[Nation])
	if !ok {
		return Row{}, wrong(Nation, "Lo stato va indicato con due lettere, per esempio FR, o con il nome in italiano.")
	}
	row.Debtor = multe.Debtor{
		Surname: cell[Surname], Name: cell[Name], Company: cell[Company], CF: multe.CF(strings.ToUpper(strings.ReplaceAll(cell[CF], " ", ""))),
		Address: cell[Address], Civico: cell[Civico], CAP: cell[CAP], City: cell[City], Province: cell[Province], Nation: nation, Email: strings.ToLower(cell[Email]),
	}
	d := row.Debtor
	if d.CF == "" && nation != "" && nation != "IT" {
		d.CF = "XX" // a foreigner may have none; the office adds what it has when it records the act
	}
	if err := d.Validate(); err != nil {
		e := fault.Of(err)
		return Row{}, wrong(fieldOf(e.Code), e.Detail)
	}
	return row, nil
}

// fieldOf is the field that an error of a debtor is about.
func fieldOf(code string) Field {
	f := Field(strings.TrimPrefix(code, "debtor."))
	switch {
	case slices.Contains(Fields(), f):
		return f
	case f == "both":
		return Company
	}
	return Surname // "missing"
}

// layouts are the forms of a day. Nobody in Italy writes the month first.
var layouts = []string{"02/01/2006", "2/1/2006", "2006-01-02", "02-01-2006", "02.01.2006", "20060102", "02/01/2006 15:04:05", "2006-01-02 15:04:05"}

func day(s string) (multe.Day, error) {
	if s == "" {
		return multe.Day{}, nil
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil && t.Year() >= 1900 && t.Year() < 2200 {
			return multe.Day{Year: t.Year(), Month: t.Month(), Day: t.Day()}, nil
		}
	}
	return multe.Day{}, errors.New("no day")
}

// nations are names that extracts use, in the form that plain gives.
var nations = map[string]string{
	"italia": "IT", "francia": "FR", "germania": "DE", "svizzera": "CH", "austria": "AT", "spagna": "ES", "portogallo": "PT", "belgio": "BE",
	"paesibassi": "NL", "olanda": "NL", "lussemburgo": "LU", "regnounito": "GB", "granbretagna": "GB", "irlanda": "IE", "polonia": "PL", "romania": "RO",
	"bulgaria": "BG", "ungheria": "HU", "repubblicaceca": "CZ", "slovacchia": "SK", "slovenia": "SI", "croazia": "HR", "grecia": "GR", "albania": "AL",
	"serbia": "RS", "ucraina": "UA", "moldavia": "MD", "svezia": "SE", "norvegia": "NO", "danimarca": "DK", "finlandia": "FI", "sanmarino": "SM",
	"principatodimonaco": "MC", "monaco": "MC", "marocco": "MA", "turchia": "TR",
}

func nationOf(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	if n, ok := nations[plain(s)]; ok {
		return n, true
	}
	s = strings.ToUpper(s)
	return s, len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}
