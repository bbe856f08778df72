package portal_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/portal"
)

const (
	p1 = "0199a1b2c3d47e8f9012345600000001"
	p2 = "0199a1b2c3d47e8f9012345600000002"
)

func number(t testing.TB, s string) avviso.Number {
	t.Helper()
	n, err := avviso.ParseNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestList compares with the region's template as its reader takes it: 52 columns
// in the heading and no more in any row, the positions of what it reads, and a
// nation, without which it fails.
func TestList(t *testing.T) {
	file := string(portal.List([]multe.PositionID{p1, p2}, "Preavviso CdS"))
	lines := strings.Split(file, "\r\n")
	if len(lines) != 4 || lines[3] != "" {
		t.Fatalf("%d lines", len(lines))
	}
	for i, l := range lines[:3] {
		if n := len(strings.Split(l, ";")); n != 52 {
			t.Errorf("line %d has %d columns, want 52", i+1, n)
		}
	}
	row := strings.Split(lines[1], ";")
	for i, want := range map[int]string{
		0: "", 1: "0", 2: "", 3: "Preavviso CdS", 25: "Codice", 26: p1, 35: "F", 36: "ANONIMO", 37: "ANONIMO", 38: "ANONIMO", 39: "", 45: "IT", 48: "", 51: "",
	} {
		if row[i] != want {
			t.Errorf("column %d = %q, want %q", i, row[i], want)
		}
	}
	for i, title := range map[int]string{1: "Importo totale da pagare", 26: "Valore (riferimento pagamento 1)", 35: "Tipo soggetto debitore", 45: "Nazione debitore", 51: "Causale componente secondario"} {
		if got := strings.Split(lines[0], ";")[i]; got != title {
			t.Errorf("title %d = %q, want %q", i, got, title)
		}
	}
	if strings.Contains(lines[2], p1) || !strings.Contains(lines[2], p2) {
		t.Error("the second row is not of the second position")
	}
}

func TestRead(t *testing.T) {
	const a1, a2, i1 = "301000000000004992", "301000000000005000", "01000000000004992"
	n1 := number(t, a1)
	head := strings.Split(strings.SplitN(string(portal.List(nil, "")), "\r\n", 2)[0], ";")
	for _, tt := range []struct {
		name, file string
		want       []multe.Found
		wrong      []int
	}{
		{"as the portal writes it", "IUV;Codice avviso;Posizione debitoria esterna;Valore 1;\r\n" + i1 + ";" + a1 + ";01219_7_1;" + p1 + ";\r\n",
			[]multe.Found{{Line: 2, Position: p1, Number: n1, Upstream: "01219_7_1"}}, nil},
		{"of a list sent by SOAP", "Id Posizione Debitoria;IUV\n" + p1 + ";" + i1 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, nil},
		{"number only, other names", "CODICE_AVVISO;Riferimento\n" + a1 + ";" + p1 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, nil},
		{"mended by a spreadsheet", "\ufeff\"IUV\",\"Codice avviso\",\"Rif\"\n'" + i1 + ",\"=\"\"" + a1 + "\"\"\"," + p1 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, nil},
		{"grouped digits", "Codice avviso;x\n3010 0000 0000 0049 92;" + p1 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, nil},
		{"Latin-1", "IUV;Localit\xe0;x\n" + i1 + ";Forl\xec;" + p1 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, nil},
		{"others' rows", "IUV;x\n" + i1 + ";2020-7\n" + i1 + ";\n", nil, nil},
		{"empty lines", "IUV;x\n\n\n" + i1 + ";" + p1 + "\n\n", []multe.Found{{Line: 4, Position: p1, Number: n1}}, nil},
		{"refused on the portal", "IUV;Codice avviso;Codice esito;x\n;;157;" + p1 + "\n", nil, []int{2}},
		{"wrong check digits", "Codice avviso;x\n301000000000004993;" + p1 + "\n", nil, []int{2}},
		{"IUV of another number", "IUV;Codice avviso;x\n" + i1 + ";" + a2 + ";" + p1 + "\n", nil, []int{2}},
		{"digits lost to a spreadsheet", "IUV;x\n1,00E+15;" + p1 + "\n", nil, []int{2}},
		{"one good, one not", "Codice avviso;x\n" + a1 + ";" + p1 + "\n1;" + p2 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, []int{3}},
		{"our own list, not yet loaded", strings.Join(append(head, "IUV"), ";") + "\n", nil, nil},
		{"an id too long to be the platform's", "IUV;idposizione;x\n" + i1 + ";" + strings.Repeat("y", 51) + ";" + p1 + "\n", []multe.Found{{Line: 2, Position: p1, Number: n1}}, nil},
	} {
		got, wrong, err := portal.Read([]byte(tt.file))
		var lines []int
		for _, w := range wrong {
			lines = append(lines, w.Line)
		}
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); err != nil || diff != "" || !cmp.Equal(lines, tt.wrong) {
			t.Errorf("%s: %v, wrong %v\n%s", tt.name, err, lines, diff)
		}
	}
	for name, file := range map[string]string{
		"nothing":     "",
		"no numbers":  "Importo;Causale\n1;2\n",
		"a picture":   "\x89PNG\r\n\x1a\n",
		"a huge one":  strings.Repeat("x", 5<<20),
		"a long list": "IUV;x\n" + strings.Repeat(i1+";"+p1+"\n", portal.MaxRows+1),
	} {
		if _, _, err := portal.Read([]byte(file)); fault.Of(err).Code != "portal.bad_file" {
			t.Errorf("%s: %v, want portal.bad_file", name, err)
		}
	}
}

// FuzzRead wants no panic, and nothing but what the file says.
func FuzzRead(f *testing.F) {
	f.Add([]byte("IUV;Codice avviso;x\n01000000000004992;301000000000004992;" + p1 + "\n"))
	f.Add([]byte("\xef\xbb\xbfIUV,x\n\"a\"\"b\","))
	f.Add([]byte("iuv;x\n\"unclosed;\n\xff\xfe"))
	f.Fuzz(func(t *testing.T, file []byte) {
		found, _, err := portal.Read(file)
		if err != nil && len(found) > 0 {
			t.Error("an error beside rows")
		}
		for _, r := range found {
			if !multe.ValidID(string(r.Position)) || r.Number.IsZero() || !strings.Contains(string(file), string(r.Position)) || r.Line < 2 {
				t.Errorf("row %+v", r)
			}
		}
	})
}
