package texts_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/texts"
)

func builtin(t *testing.T) texts.Set {
	t.Helper()
	s, err := texts.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOurOwnPass puts every file we ship through the check that others' must
// pass.
func TestOurOwnPass(t *testing.T) {
	files, err := filepath.Glob("data/*.json")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := texts.Parse(b)
		if err != nil {
			t.Errorf("%s: %v", f, err)
		} else if want := p.Document + "." + p.Language + ".json"; filepath.Base(f) != want {
			t.Errorf("%s holds %s", f, want)
		}
	}
	if got := strings.Join(builtin(t).Languages(texts.Avviso), " "); got != "it de en fr sl" {
		t.Errorf("languages of the avviso: %s", got)
	}
}

// file is the built-in preavviso after change, as JSON.
func file(t *testing.T, change func(*texts.Template)) []byte {
	t.Helper()
	ours, err := builtin(t).On(texts.Preavviso, "it", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c := *ours
	c.Texts = map[string]string{}
	for k, v := range ours.Texts {
		c.Texts[k] = v
	}
	change(&c)
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRefusals(t *testing.T) {
	set := func(key, to string) func(*texts.Template) { return func(c *texts.Template) { c.Texts[key] = to } }
	for name, tt := range map[string]struct {
		file []byte
		code string
		says string
	}{
		"no JSON":             {[]byte("{\n\"document\":\n}"), "template.not_json", "riga 3"},
		"empty":               {nil, "template.not_json", ""},
		"two":                 {append(file(t, func(*texts.Template) {}), '{', '}'), "template.not_json", ""},
		"unknown field":       {[]byte(`{"documento":"preavviso"}`), "template.not_json", ""},
		"too large":           {make([]byte, texts.MaxFile+1), "template.too_large", "64 kB"},
		"unknown document":    {file(t, func(c *texts.Template) { c.Document = "multa" }), "template.document", ""},
		"unknown language":    {file(t, func(c *texts.Template) { c.Language = "es" }), "template.language", ""},
		"bad day":             {file(t, func(c *texts.Template) { c.From = "31/01/2026" }), "template.from", ""},
		"unknown text":        {file(t, set("titel", "x")), "template.unknown_text", "titel"},
		"missing text":        {file(t, func(c *texts.Template) { delete(c.Texts, "note5") }), "template.missing_text", "note5"},
		"empty text":          {file(t, set("note5", " ")), "template.missing_text", "note5"},
		"long text":           {file(t, set("title", strings.Repeat("x", 200))), "template.too_long", "title"},
		"control character":   {file(t, set("title", "a\nb")), "template.bad_character", "title"},
		"lost placeholder":    {file(t, set("by", "entro domani")), "template.placeholders", "{data}"},
		"another placeholder": {file(t, set("by", "entro il {data} {ora}")), "template.placeholders", "{data}"},
		"single brace":        {file(t, set("by", "entro il {data} {")), "template.placeholders", "by"},
	} {
		got, err := texts.Parse(tt.file)
		if e := fault.Of(err); got != nil || !errors.Is(err, fault.Invalid) || e.Code != tt.code || !strings.Contains(e.Detail, tt.says) {
			t.Errorf("%s: %v, want %s saying %q", name, err, tt.code, tt.says)
		}
	}
}

func TestInForce(t *testing.T) {
	old, fresh := file(t, func(c *texts.Template) { c.From, c.Texts["title"] = "2026-01-01", "UNO" }), file(t, func(c *texts.Template) { c.From, c.Texts["title"] = "2026-07-01", "DUE" })
	var more []*texts.Template
	for _, f := range [][]byte{fresh, old} {
		p, err := texts.Parse(f)
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, p)
	}
	s := builtin(t).With(more...)
	for day, want := range map[string]string{
		"1999-01-01": "PREAVVISO DI VIOLAZIONE", "2025-12-31": "PREAVVISO DI VIOLAZIONE", "2026-01-01": "UNO", "2026-06-30": "UNO", "2026-07-01": "DUE", "2030-01-01": "DUE",
	} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.On(texts.Preavviso, "it", at); err != nil || got.Get("title") != want {
			t.Errorf("on %s: %v, %v; want %s", day, got, err, want)
		}
	}
	if got, err := builtin(t).On(texts.Preavviso, "it", time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)); err != nil || got.Get("title") == "DUE" {
		t.Errorf("adding to a set changed the one it came from: %v", err)
	}
	if _, err := s.On(texts.Verbale, "en", time.Time{}); fault.Of(err).Code != "template.missing" {
		t.Errorf("texts that are not there: %v", err)
	}
}

func TestGet(t *testing.T) {
	p, err := builtin(t).On(texts.Preavviso, "it", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Get("by", "data", "17/03/2026"); got != "entro il 17/03/2026" {
		t.Error(got)
	}
	if got := p.Get("by", "data", "{data}"); got != "entro il {data}" {
		t.Errorf("what is filled in is filled again: %s", got)
	}
}

// FuzzParse checks that whatever passes can be used.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("data/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := texts.Parse(b)
		if err != nil {
			if fault.Of(err).Detail == "" {
				t.Fatal("no word for people")
			}
			return
		}
		if _, err := time.Parse(time.DateOnly, p.From); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOwn checks whose words a print carries: the creditor's from their day on,
// ours before, and ours where theirs know nothing.
func TestOwn(t *testing.T) {
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	file := func(from string, change map[string]string, without ...string) []byte {
		ours, err := builtin(t).On(texts.Verbale, texts.Italian, day("2026-01-01"))
		if err != nil {
			t.Fatal(err)
		}
		own := *ours
		own.From, own.Texts = from, map[string]string{}
		for k, v := range ours.Texts {
			own.Texts[k] = v
		}
		for k, v := range change {
			own.Texts[k] = v
		}
		for _, k := range without {
			delete(own.Texts, k)
		}
		b, err := json.Marshal([]texts.Template{own})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mine := file("2026-02-01", map[string]string{"title": "VERBALE DEL COMUNE"}, "ordinance")
	for _, tt := range []struct{ on, key, want string }{
		{"2026-01-31", "title", "VERBALE DI ACCERTAMENTO"},
		{"2026-02-01", "title", "VERBALE DEL COMUNE"},
		{"2030-01-01", "title", "VERBALE DEL COMUNE"},
		{"2030-01-01", "ordinance_heading", "Che cosa succede ora"},
	} {
		set, err := builtin(t).Own(mine, day(tt.on))
		if err != nil {
			t.Fatal(err)
		}
		got, err := set.On(texts.Verbale, texts.Italian, day(tt.on))
		if err != nil || got.Get(tt.key) != tt.want {
			t.Errorf("on %s %s = %q, %v; want %q", tt.on, tt.key, got.Get(tt.key), err, tt.want)
		}
		if s := got.Get("ordinance"); strings.HasPrefix(s, "{") {
			t.Errorf("on %s a text is missing: %q", tt.on, s)
		}
	}
	if _, err := texts.ParseAll(mine); !errors.Is(err, fault.Invalid) {
		t.Errorf("a file without a text: %v, want it refused", err)
	}
	if all, err := texts.ParseAll(file("2026-02-01", nil)); err != nil || len(all) != 1 {
		t.Errorf("ParseAll = %v, %v", all, err)
	}
	for _, wrong := range []string{"", "[]", "[1]", "{", "[{}]"} {
		if _, err := texts.ParseAll([]byte(wrong)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want it refused", wrong, err)
		}
	}
}
