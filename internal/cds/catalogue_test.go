package cds_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// head is four lines, so that the first violation is on line 5.
const head = "catalogue: preavviso-1\nname: Prova\n\nviolations:"

func catalogueOf(t testing.TB, violations string) *cds.Catalogue {
	t.Helper()
	c, _, err := cds.Parse([]byte(head + violations))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// one is a violation that passes; tests spoil it.
const one = `
  - code: 158-6
    article: 158
    comma: 6
    norm: art. 158 c. 2 e 6 CdS
    text: Sostava in divieto
    amounts:
      - {from: 2021-01-01, min: 42, max: 173}
`

func TestSample(t *testing.T) {
	c, doubtful, err := cds.Parse(cds.Sample())
	if err != nil {
		t.Fatal(err)
	}
	verify := 0
	for _, v := range c.All() {
		if v.Verify {
			verify++
		}
		if _, ok := c.Violation(v.Code); !ok {
			t.Errorf("%s is not found", v.Code)
		}
	}
	told := 0
	for _, f := range doubtful {
		if strings.Contains(f.Detail, "Normattiva") {
			told++
		}
	}
	if len(c.All()) < 14 || verify == 0 || told != verify {
		t.Errorf("%d violations, %d to verify, %d told", len(c.All()), verify, told)
	}
	if _, ok := c.Violation("9999"); ok {
		t.Error("an unknown code is found")
	}
}

// TestValuesAreReadAsWritten: a code is its characters, whatever YAML would make
// of them.
func TestValuesAreReadAsWritten(t *testing.T) {
	for _, code := range []string{"0066", "1066", "007", "1.50", "12.0", "'0066'", `"1-A"`, "NO"} {
		c := catalogueOf(t, strings.Replace(one, "158-6", code, 1))
		if got, want := c.All()[0].Code, strings.Trim(code, `'"`); got != want {
			t.Errorf("code %s is read as %q", code, got)
		}
	}
}

func TestRefused(t *testing.T) {
	spoil := func(old, new string) string { return head + strings.Replace(one, old, new, 1) }
	amounts := func(list string) string {
		return spoil("- {from: 2021-01-01, min: 42, max: 173}", strings.ReplaceAll(list, "; ", "\n      "))
	}
	for name, test := range map[string]struct {
		file string
		line int
		want string
	}{
		"empty":                {"", 1, "un solo documento"},
		"not YAML":             {head + " [", 4, "YAML"},
		"two documents":        {head + one + "---\nname: x\n", 1, "un solo documento"},
		"no format":            {strings.Replace(head, "preavviso-1", "preavviso-2", 1) + one, 1, "preavviso-1"},
		"no name":              {strings.Replace(head, "Prova", "''", 1) + one, 2, "testo"},
		"no violations":        {head + " []", 1, "«violations»"},
		"not a list":           {head + " 3", 4, "elenco"},
		"unknown key":          {spoil("text:", "colour: red\n    text:"), 9, "colour"},
		"repeated key":         {spoil("text:", "code: X\n    text:"), 9, "already defined"},
		"repeated in quotes":   {spoil("text:", "\"code\": X\n    text:"), 9, "already defined"},
		"alias":                {spoil("text: Sostava in divieto", "text: &a Sosta"), 9, "testo"},
		"tag":                  {spoil("code: 158-6", "code: !!str 158"), 5, "testo"},
		"null":                 {spoil("text: Sostava in divieto", "text:"), 9, "testo"},
		"code twice":           {head + one + one, 13, "già alla riga 5"},
		"lower case code":      {spoil("158-6", "abc"), 5, "«code»"},
		"long code":            {spoil("158-6", "1234567890123"), 5, "«code»"},
		"no article":           {spoil("    article: 158\n", ""), 5, "«article»"},
		"norm too long":        {spoil("art. 158", strings.Repeat("x", 40)), 5, "«norm»"},
		"control character":    {spoil("Sostava", `"a\u0007"`+" #"), 5, "«text»"},
		"cents":                {amounts("- {from: 2021-01-01, min: 42.5, max: 173}"), 11, "senza decimali"},
		"cents that are none":  {amounts("- {from: 2021-01-01, min: 42.0, max: 173}"), 11, "senza decimali"},
		"exponent":             {amounts("- {from: 2021-01-01, min: 1e3, max: 1e4}"), 11, "senza decimali"},
		"octal":                {amounts("- {from: 2021-01-01, min: 042, max: 173}"), 11, "senza decimali"},
		"negative":             {amounts("- {from: 2021-01-01, min: -42, max: 173}"), 11, "senza decimali"},
		"huge":                 {amounts("- {from: 2021-01-01, min: 42, max: 99999999999999999999}"), 11, "senza decimali"},
		"overflow":             {amounts("- {from: 2021-01-01, min: 42, max: 9223372036854775807}"), 5, "50000 euro"},
		"nothing due":          {amounts("- {from: 2021-01-01, min: 0, max: 173}"), 5, "da 1"},
		"maximum forgotten":    {amounts("- {from: 2021-01-01, min: 42}"), 5, "inferiore"},
		"maximum below":        {amounts("- {from: 2021-01-01, min: 173, max: 42}"), 5, "inferiore"},
		"no such day":          {amounts("- {from: 2021-02-29, min: 42, max: 173}"), 11, "AAAA-MM-GG"},
		"no from":              {amounts("- {min: 42, max: 173}"), 5, "«from»"},
		"ends before it began": {amounts("- {from: 2021-01-01, until: 2020-12-31, min: 42, max: 173}"), 5, "prima di iniziare"},
		"overlap by a day":     {amounts("- {from: 2021-01-01, until: 2024-12-14, min: 42, max: 173}; - {from: 2024-12-14, min: 43, max: 173}"), 5, "sovrappone"},
		"two open periods":     {amounts("- {from: 2021-01-01, min: 42, max: 173}; - {from: 2024-12-14, min: 43, max: 173}"), 5, "sovrappone"},
		"out of order":         {amounts("- {from: 2024-12-14, min: 43, max: 173}; - {from: 2021-01-01, until: 2024-12-13, min: 42, max: 173}"), 5, "sovrappone"},
		"no amounts":           {spoil("- {from: 2021-01-01, min: 42, max: 173}", "[]"), 5, "periodi"},
		"night for parking":    {spoil("text:", "night: true\n    text:"), 5, "notturno"},
		"night for a comma":    {spoil("article: 158\n    comma: 6", "night: true\n    article: 176\n    comma: 21"), 5, "notturno"},
		"night not a boolean":  {spoil("text:", "night: yes\n    text:"), 9, "true o false"},
		"vehicle":              {spoil("text:", "vehicles: [moto]\n    text:"), 5, `"moto"`},
		"accessory":            {spoil("text:", "accessory: [rimozione]\n    text:"), 5, `"rimozione"`},
		"points":               {spoil("text:", "points: 11\n    text:"), 5, "«points»"},
		"suspension, discount": {spoil("text:", "accessory: [suspension]\n    text:"), 5, "no_discount"},
		"seizure, discount":    {spoil("text:", "accessory: [seizure]\n    text:"), 5, "no_discount"},
		"only the prefetto":    {spoil("article: 158\n    comma: 6", "article: 176\n    comma: 19"), 5, "no_reduced"},
		"long line":            {head + one + "# " + strings.Repeat("x", 2000), 12, "caratteri"},
		"deep flow":            {head + strings.Repeat("[\n", 200), 104, "parentesi"},
		"deep blocks":          {head + "\n" + strings.Repeat("- ", 990) + "a", 5, "chiave"},
		"long file":            {strings.Repeat("# x\n", 1<<19), 1, "KiB"},
	} {
		c, _, err := cds.Parse([]byte(test.file))
		if c != nil || !errors.Is(err, fault.Invalid) || fault.Of(err).Code != "catalogue.invalid" {
			t.Errorf("%s: %v, %v", name, c, err)
			continue
		}
		if detail := fault.Of(err).Detail; !strings.Contains(detail, fmt.Sprintf("riga %d: ", test.line)) || !strings.Contains(detail, test.want) {
			t.Errorf("%s: want line %d and %q in\n%s", name, test.line, test.want, detail)
		}
	}
}

// TestSeveralMistakesAtOnce: who mends a file wants to see all of them, but not a
// thousand.
func TestSeveralMistakesAtOnce(t *testing.T) {
	file := head
	for i := range 30 {
		file += strings.Replace(one, "158-6", fmt.Sprintf("bad%d", i), 1)
	}
	_, _, err := cds.Parse([]byte(file))
	detail := fault.Of(err).Detail
	if n := strings.Count(detail, "«code»"); n != 20 || !strings.Contains(detail, "altri 10 errori") {
		t.Errorf("%d mistakes told:\n%s", n, detail)
	}
}

func TestDoubtful(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"verify":      {"text:", "verify: true\n    text:", "Normattiva"},
		"night":       {"article: 158", "article: 142", "night: true"},
		"gets less":   {"min: 42, max: 173", "min: 223, max: 444", "diminuisce"},
		"gap":         {"- {from: 2021-01-01, min: 42, max: 173}", "- {from: 2021-01-01, until: 2021-01-31, min: 42, max: 173}\n      - {from: 2021-03-01, min: 42, max: 173}", "dal 01/02/2021 al 28/02/2021"},
		"ended":       {"2021-01-01,", "2021-01-01, until: 2026-12-31,", "dopo il 31/12/2026"},
		"nothing odd": {"zzz", "zzz", ""},
	} {
		c, doubtful, err := cds.Parse([]byte(head + strings.Replace(one, test.old, test.new, 1)))
		if err != nil || len(c.All()) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		switch {
		case test.want == "" && len(doubtful) != 0:
			t.Errorf("%s: %v", name, doubtful)
		case test.want != "" && (len(doubtful) != 1 || doubtful[0].Line != 5 || !strings.Contains(doubtful[0].String(), test.want)):
			t.Errorf("%s: %v, want %q on line 5", name, doubtful, test.want)
		}
	}
}

// FuzzCatalogue checks that no file makes the reader panic, that every refusal is
// classified and names a line, and that what is accepted can be used: each
// amount gives sums that fit on a slip, and the sheet can be made.
func FuzzCatalogue(f *testing.F) {
	f.Add(cds.Sample())
	for _, s := range []string{
		"", head, head + one, head + one + one, head + " &a [*a]", head + "\n  - <<: {code: A}", head + "\n  - ? code\n    : A",
		head + "\n  - code: |\n      A", "%YAML 1.2\n---\n" + head + one, head + "\n  - {code: 0x1F, amounts: [{min: .inf}]}", "\ufeff" + head, "a: [}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, doubtful, err := cds.Parse(data)
		if err != nil {
			if c != nil || !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Of(err).Detail, "riga ") {
				t.Fatalf("Parse = %v, %v", c, err)
			}
			return
		}
		for _, d := range doubtful {
			if d.Line < 1 || d.Detail == "" {
				t.Fatalf("finding %+v", d)
			}
		}
		for _, v := range c.All() {
			for _, a := range v.Amounts {
				fine, err := v.FineAt(a.From.Start())
				if err != nil {
					if v.NoReduced == "" {
						t.Fatalf("%s on %v: %v", v.Code, a.From, err)
					}
					continue
				}
				if fine.Reduced < 100 || fine.Reduced > multe.MaxFineCents || fine.Late < 50 || fine.Discounted >= fine.Reduced {
					t.Fatalf("%s on %v: %+v", v.Code, a.From, fine)
				}
			}
		}
		if _, etag, err := c.Sheet(cds.Policy{}, 2026); err != nil || etag == "" {
			t.Fatalf("Sheet: %v", err)
		}
	})
}
