package visure_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/visure"
)

const (
	header = "Targa;Dal;Al;Cognome;Nome;Denominazione;Codice fiscale;Indirizzo;Civico;CAP;Comune;Provincia;Stato;PEC\n"
	rossi  = "ab 123 cd;01/02/2020;;Rossi;Maria;;rssmra80a01l219x;via Roma;5/B;10121;Torino;TO;Italia;\n"
)

func day(y, m, d int) multe.Day { return multe.Day{Year: y, Month: time.Month(m), Day: d} }

// maria is what the row rossi says.
func maria() visure.Row {
	return visure.Row{Line: 2, Plate: "AB123CD", From: day(2020, 2, 1), Debtor: multe.Debtor{Surname: "Rossi", Name: "Maria", CF: "RSSMRA80A01L219X",
		Address: "via Roma", Civico: "5/B", CAP: "10121", City: "Torino", Province: "TO", Nation: "IT"}}
}

// TestRows reads what extracts say of people, companies and foreigners.
func TestRows(t *testing.T) {
	file := header + rossi +
		"EF456GH;2019-05-06;31/12/2025;;;\"Trasporti \"\"Lù\"\" S.r.l.\";12345678901;corso Francia;1;10138;Torino;TO;IT;Info@Ditta.it\n" +
		"\n;;;;;;;;;;;;;\n" +
		"B-AB 1234;20.01.2021;;Müller;Jürgen;;;\"Hauptstraße\n7\";;80331;München;;Germania;\n"
	s, err := visure.Read([]byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []visure.Row{maria(),
		{Line: 3, Plate: "EF456GH", From: day(2019, 5, 6), Until: day(2025, 12, 31), Debtor: multe.Debtor{Company: `Trasporti "Lù" S.r.l.`, CF: "12345678901",
			Address: "corso Francia", Civico: "1", CAP: "10138", City: "Torino", Province: "TO", Nation: "IT", Email: "info@ditta.it"}},
		{Line: 6, Plate: "BAB1234", From: day(2021, 1, 20), Debtor: multe.Debtor{Surname: "Müller", Name: "Jürgen", Address: "Hauptstraße 7", CAP: "80331", City: "München", Nation: "DE"}}}
	if diff := cmp.Diff(want, s.Rows, show); diff != "" || s.Bad != 0 || s.Encoding != "utf-8" {
		t.Errorf("encoding %s, wrong %+v, rows (-want +got):\n%s", s.Encoding, s.Wrong, diff)
	}
	if len(s.Mapping) != 14 || s.Mapping[visure.Company] != "Denominazione" {
		t.Errorf("mapping %v", s.Mapping)
	}
}

// show compares what would print as •••.
var show = cmp.Options{
	cmp.Comparer(func(a, b multe.Plate) bool { return a == b }),
	cmp.Comparer(func(a, b multe.Debtor) bool { return a == b }),
}

// TestEncodings reads the same file in every form that a spreadsheet writes.
func TestEncodings(t *testing.T) {
	text := header + strings.ReplaceAll(rossi, "Rossi", "D’Agostàro")
	windows := strings.NewReplacer("’", "\x92", "à", "\xe0").Replace(text)
	for name, tt := range map[string]struct{ file, encoding string }{
		"utf-8":              {text, "utf-8"},
		"utf-8 with a mark":  {"\ufeff" + text, "utf-8"},
		"windows-1252":       {windows, "windows-1252"},
		"lines of windows":   {strings.ReplaceAll(text, "\n", "\r\n"), "utf-8"},
		"no last line break": {strings.TrimSuffix(text, "\n"), "utf-8"},
		"commas":             {strings.ReplaceAll(text, ";", ","), "utf-8"},
		"tabs":               {strings.ReplaceAll(text, ";", "\t"), "utf-8"},
	} {
		s, err := visure.Read([]byte(tt.file), nil)
		if err != nil || len(s.Rows) != 1 {
			t.Errorf("%s: %d rows, wrong %+v, %v", name, len(s.Rows), s.Wrong, err)
			continue
		}
		if got := s.Rows[0].Debtor.Surname; got != "D’Agostàro" || s.Encoding != tt.encoding {
			t.Errorf("%s: surname %q in %s", name, got, s.Encoding)
		}
	}
}

// TestWrongRows shows where a row makes no sense; the row after it is read all
// the same, for the preview.
func TestWrongRows(t *testing.T) {
	for name, tt := range map[string]struct {
		row    string
		column int
		field  visure.Field
	}{
		"no plate":                {strings.Replace(rossi, "ab 123 cd", "", 1), 1, visure.Plate},
		"plate of other letters":  {strings.Replace(rossi, "ab 123 cd", "ÀB123CD", 1), 1, visure.Plate},
		"no day":                  {strings.Replace(rossi, "01/02/2020", "30/02/2020", 1), 2, visure.From},
		"month first":             {strings.Replace(rossi, "01/02/2020", "02/13/2020", 1), 2, visure.From},
		"ends before it begins":   {strings.Replace(rossi, "01/02/2020;", "01/02/2020;31/01/2020", 1), 3, visure.Until},
		"person and company":      {strings.Replace(rossi, "Maria;", "Maria;Ditta", 1), 6, visure.Company},
		"nobody":                  {strings.Replace(rossi, "Rossi;Maria", ";", 1), 4, visure.Surname},
		"half a person":           {strings.Replace(rossi, "Rossi", "", 1), 5, visure.Name},
		"no codice fiscale":       {strings.Replace(rossi, "rssmra80a01l219x", "", 1), 7, visure.CF},
		"codice fiscale of signs": {strings.Replace(rossi, "rssmra80a01l219x", "RSS/MRA", 1), 7, visure.CF},
		"no country":              {strings.Replace(rossi, "Italia", "Paperopoli", 1), 13, visure.Nation},
		"no address of mail":      {strings.Replace(rossi, "Italia;", "Italia;chiocciola", 1), 14, visure.Email},
		"too long":                {strings.Replace(rossi, "via Roma", strings.Repeat("x", 71), 1), 8, visure.Address},
		"formula":                 {strings.Replace(rossi, "Maria", "=HYPERLINK()", 1), 5, visure.Name},
		"formula after a space":   {strings.Replace(rossi, "Maria", " @SUM()", 1), 5, visure.Name},
		"formula behind a tab":    {strings.Replace(rossi, "Maria", "\"\t+1\"", 1), 5, visure.Name},
		"control character":       {strings.Replace(rossi, "Maria", "Ma\x01ria", 1), 5, visure.Name},
		"column too many":         {strings.Replace(rossi, "\n", ";x\n", 1), 0, ""},
		"column too few":          {strings.Replace(rossi, ";Italia;", ";Italia", 1), 0, ""},
		"pasted twice":            {"cd456ef" + strings.TrimPrefix(rossi, "ab 123 cd"), 0, ""},
	} {
		last := "CD456EF" + strings.TrimPrefix(rossi, "ab 123 cd")
		s, err := visure.Read([]byte(header+last+tt.row+strings.ReplaceAll(rossi, "ab", "zz")), nil)
		if err != nil || len(s.Rows) != 2 || s.Bad != 1 || len(s.Wrong) != 1 {
			t.Errorf("%s: %d rows, wrong %+v, %v", name, len(s.Rows), s.Wrong, err)
			continue
		}
		if w := s.Wrong[0]; w.Line != 3 || w.Column != tt.column || w.Field != tt.field || len(w.Detail) < 20 || strings.Contains(w.Detail, "Rossi") {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

// TestRefused pins what is no table of owners at all, and that the line is told.
func TestRefused(t *testing.T) {
	many := strings.Builder{}
	many.WriteString(header)
	for i := range visure.MaxRows + 1 {
		fmt.Fprintf(&many, "AB%05d", i)
		many.WriteString(strings.TrimPrefix(rossi, "ab 123 cd"))
	}
	for name, tt := range map[string]struct{ file, code, detail string }{
		"nothing":             {"", "owners.bad_empty", ""},
		"a line of 10 MB":     {header + rossi + strings.Repeat("x", 10<<20), "owners.bad_line", "riga 3"},
		"a file of 4 MB":      {header + strings.Repeat(rossi, 40_000), "owners.bad_too_large", "3 MiB"},
		"a line of 9 KB":      {header + rossi + strings.Repeat("x", 9<<10) + "\n", "owners.bad_line", "riga 3"},
		"a NUL":               {header + rossi + "ab\x00;", "owners.bad_nul", "riga 3"},
		"UTF-16":              {"\xff\xfeT\x00a\x00", "owners.bad_encoding", "UTF-16"},
		"no plate":            {"Cognome;Nome\n", "owners.bad_header", "targa"},
		"no owner":            {"Targa;Dal\n", "owners.bad_header", "cognome"},
		"an open quote":       {header + rossi + "\"AB123CD;x\n" + rossi, "owners.bad_quotes", "riga 3"},
		"a quote in the open": {header + rossi + "AB\"123CD;x\n", "owners.bad_quotes", "riga 3"},
		"a row too many":      {many.String(), "owners.bad_too_many", "riga 5002"},
		"200 columns":         {"Targa" + strings.Repeat(";x", 200) + "\n", "owners.bad_columns", "120"},
		"binary":              {"PK\x03\x04\x00\x00", "owners.bad_nul", "riga 1"},
	} {
		s, err := visure.Read([]byte(tt.file), nil)
		if e := fault.Of(err); err == nil || e.Code != tt.code || !strings.Contains(e.Detail, tt.detail) {
			t.Errorf("%s: %d rows, %v", name, len(s.Rows), err)
		}
	}
}

// TestMapping overrides what is guessed.
func TestMapping(t *testing.T) {
	file := "Veicolo;Targa;Chi;Battesimo;CF\nFiat;AB123CD;Rossi;Maria;RSSMRA80A01L219X\n"
	if _, err := visure.Read([]byte(file), nil); fault.Of(err).Code != "owners.bad_header" {
		t.Errorf("guessed without a surname: %v", err)
	}
	s, err := visure.Read([]byte(file), visure.Mapping{visure.Surname: "Chi", visure.Name: "Battesimo"})
	if err != nil || len(s.Rows) != 1 || s.Rows[0].Debtor.Surname != "Rossi" || s.Mapping[visure.CF] != "CF" {
		t.Errorf("%+v, %v", s.Wrong, err)
	}
	if s, err = visure.Read([]byte(header+rossi), visure.Mapping{visure.Civico: ""}); err != nil || s.Rows[0].Debtor.Civico != "" {
		t.Errorf("took a column that was not wanted: %v", err)
	}
	for _, m := range []visure.Mapping{{visure.Plate: "Nessuna"}, {"colour": "Veicolo"}} {
		if _, err := visure.Read([]byte(file), m); fault.Of(err).Code != "owners.bad_mapping" {
			t.Errorf("%v: %v", m, err)
		}
	}
}

// FuzzRead reads anything: it must end, and what it understands must be what the
// office could have typed.
func FuzzRead(f *testing.F) {
	for _, s := range []string{header + rossi, "\ufeff" + header + rossi, "Targa,Cognome,Nome,CF\nAB123CD,Rossi,Maria,X9\n", "Targa\tDitta\n\"a\nb\"\t=x\n", "\xe0;\x92\n", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := visure.Read(raw, nil)
		if err != nil {
			if e := fault.Of(err); !strings.HasPrefix(e.Code, "owners.bad_") || e.Kind != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		if len(s.Wrong) != min(s.Bad, visure.MaxWrong) {
			t.Fatalf("%d of %d wrong rows", len(s.Wrong), s.Bad)
		}
		for _, r := range s.Rows {
			if p, err := multe.ParsePlate(string(r.Plate)); err != nil || p != r.Plate || r.Line < 2 {
				t.Fatalf("line %d: %v", r.Line, err)
			}
			d := r.Debtor
			if d.CF == "" && d.Nation != "IT" {
				d.CF = "XX"
			}
			if err := d.Validate(); err != nil {
				t.Fatalf("line %d: %v", r.Line, err)
			}
		}
	})
}
