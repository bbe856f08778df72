// Package texts holds the words that prints carry, as data: one JSON file per
// document, language and day from which it is in force. Somebody at a town hall
// changes a sentence without a programmer, and a reprint still carries the words
// of its day.
//
// The built-in ones are our own wording. The fixed strings of the notice guide
// («stringhe-it.json» and its sisters) may be put in their place as they are; we
// had no copy to ship.
package texts

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"preavviso/internal/fault"
)

// The documents that have texts.
const (
	Avviso    = "avviso"    // A4, pagoPA notice
	Preavviso = "preavviso" // A4, of what is left on a windscreen
	Verbale   = "verbale"   // A4, what is served
	Slip      = "slip"      // thermal paper
)

// Italian is the language every document has; the others stand beside it.
const Italian = "it"

const (
	// MaxFile bounds a file: the largest of ours is a tenth of it.
	MaxFile = 64 << 10
	// maxGrowth is how much longer than ours a text may be, and spare how much in
	// any case. Whether it fits on paper is for a preview to say.
	maxGrowth = 2
	spare     = 60
)

//go:embed data/*.json
var builtin embed.FS

// Template is the texts of one document in one language.
type Template struct {
	Document string            `json:"document"`
	Language string            `json:"language"` // it, en, fr, de or sl
	From     string            `json:"from"`     // first day in force, 2026-01-31
	Source   string            `json:"source"`   // whose words these are
	Texts    map[string]string `json:"texts"`
}

// Get returns a text with its {placeholders} filled from pairs of name and value.
// A key that is not there, which [Parse] makes impossible for the keys of the
// built-in texts, shows as itself in braces.
func (t *Template) Get(key string, pairs ...string) string {
	s, ok := t.Texts[key]
	if !ok {
		return "{" + key + "}"
	}
	if len(pairs) == 0 || !strings.Contains(s, "{") {
		return s
	}
	var out strings.Builder
	for { // once through, so that what is filled in is not filled again
		from := strings.IndexByte(s, '{')
		length := strings.IndexByte(s[max(from, 0):], '}')
		if from < 0 || length < 0 {
			return out.String() + s
		}
		name, value := s[from+1:from+length], s[from:from+length+1]
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				value = pairs[i+1]
			}
		}
		out.WriteString(s[:from] + value)
		s = s[from+length+1:]
	}
}

// Set is every template that is known. It is never changed; its zero value is
// empty.
type Set struct{ all []*Template }

// Builtin returns the texts that come with the program.
var Builtin = sync.OnceValues(func() (Set, error) {
	files, err := builtin.ReadDir("data")
	if err != nil {
		return Set{}, err
	}
	var s Set
	for _, f := range files {
		b, err := builtin.ReadFile("data/" + f.Name())
		if err != nil {
			return Set{}, err
		}
		t, err := decode(b)
		if err != nil {
			return Set{}, fmt.Errorf("%s: %w", f.Name(), err)
		}
		s.all = append(s.all, t)
	}
	return s, nil
})

// With returns s and the given templates. A later one overrides an earlier one of
// the same document, language and day.
func (s Set) With(more ...*Template) Set {
	all := append(slices.Clone(s.all), more...)
	slices.SortStableFunc(all, func(a, b *Template) int { return cmp.Compare(a.From, b.From) })
	return Set{all}
}

// On returns the texts of a document in force on the civil day of at, in its own
// time zone; before the first of them, the first.
func (s Set) On(document, language string, at time.Time) (*Template, error) {
	day := at.Format(time.DateOnly)
	var found *Template
	for _, t := range s.all {
		if t.Document == document && t.Language == language && (found == nil || t.From <= day) {
			found = t
		}
	}
	if found == nil {
		return nil, fault.New(fault.Invalid, "template.missing", fmt.Sprintf("Non ci sono testi del documento «%s» nella lingua «%s».", document, language))
	}
	return found, nil
}

// Languages lists the languages a document has texts in, Italian first.
func (s Set) Languages(document string) []string {
	have := map[string]bool{}
	for _, t := range s.all {
		if t.Document == document && t.Language != Italian {
			have[t.Language] = true
		}
	}
	return append([]string{Italian}, slices.Sorted(maps.Keys(have))...)
}

func bad(code, format string, args ...any) error {
	return fault.New(fault.Invalid, "template."+code, fmt.Sprintf(format, args...))
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// MaxTemplates bounds a file of several: every document in every language, and a
// new version of each.
const MaxTemplates = 20

// ParseAll reads the templates that a creditor gives as one file: one, or an array
// of them. Each is checked as [Parse] does.
func ParseAll(file []byte) ([]*Template, error) {
	parts, err := split(file)
	if err != nil {
		return nil, err
	}
	var all []*Template
	for i, part := range parts {
		t, err := Parse(part)
		if err != nil && len(parts) > 1 {
			return nil, fault.Wrap(fault.Invalid, "template.in_file", fmt.Sprintf("Modello %d del file: %s", i+1, fault.Of(err).Detail), err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// Own returns s with a creditor's templates, as they were accepted one day: where
// one is in force on the day of at, it goes before ours, also before newer ones.
// Texts that this version has and the file has not are ours.
func (s Set) Own(file []byte, at time.Time) (Set, error) {
	parts, err := split(file)
	if err != nil {
		return s, err
	}
	var own []*Template
	for _, part := range parts {
		t, err := decode(part)
		if err != nil {
			return s, err
		}
		if day := at.Format(time.DateOnly); t.From <= day {
			ours, err := s.On(t.Document, t.Language, at)
			if err != nil {
				if ours, err = s.On(t.Document, Italian, at); err != nil {
					return s, err
				}
			}
			merged := maps.Clone(ours.Texts)
			maps.Copy(merged, t.Texts)
			t.Texts, t.From = merged, max(t.From, ours.From)
		}
		own = append(own, t)
	}
	return s.With(own...), nil
}

// split returns the objects of a file.
func split(file []byte) ([][]byte, error) {
	if len(bytes.TrimLeft(file, " \t\r\n")) == 0 || bytes.TrimLeft(file, " \t\r\n")[0] != '[' {
		return [][]byte{file}, nil
	}
	if len(file) > MaxTemplates*MaxFile {
		return nil, bad("too_large", "Il file supera i %d kB.", MaxTemplates*MaxFile>>10)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(file, &raw); err != nil {
		return nil, fault.Wrap(fault.Invalid, "template.not_json", "Il file non è un elenco di modelli in JSON.", err)
	}
	if len(raw) == 0 || len(raw) > MaxTemplates {
		return nil, bad("count", "Il file deve contenere da 1 a %d modelli.", MaxTemplates)
	}
	parts := make([][]byte, len(raw))
	for i, r := range raw {
		parts[i] = r
	}
	return parts, nil
}

// Parse reads a template and checks it against the built-in Italian one of the
// same document: the same texts, none empty, no placeholder that would not be
// filled and none left out, nothing much longer. Errors are [fault.Invalid], for
// whoever wrote the file.
func Parse(file []byte) (*Template, error) {
	t, err := decode(file)
	if err != nil {
		return nil, err
	}
	ours, err := Builtin()
	if err != nil {
		return nil, err
	}
	model, err := ours.On(t.Document, Italian, time.Time{})
	if err != nil {
		return nil, bad("document", "«document» deve essere «%s», «%s», «%s» o «%s».", Avviso, Preavviso, Verbale, Slip)
	}
	if !slices.Contains(ours.Languages(Avviso), t.Language) {
		return nil, bad("language", "«language» deve essere it, en, fr, de o sl.")
	}
	if _, err := time.Parse(time.DateOnly, t.From); err != nil {
		return nil, bad("from", "«from» deve essere una data, per esempio 2026-01-31.")
	}
	for _, key := range slices.Sorted(maps.Keys(t.Texts)) {
		if _, known := model.Texts[key]; !known {
			return nil, bad("unknown_text", "Il testo «%s» non esiste in questo documento.", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(model.Texts)) {
		want, got := model.Texts[key], t.Texts[key]
		if strings.TrimSpace(got) == "" {
			return nil, bad("missing_text", "Manca il testo «%s».", key)
		}
		if limit := maxGrowth*utf8.RuneCountInString(want) + spare; utf8.RuneCountInString(got) > limit {
			return nil, bad("too_long", "Il testo «%s» supera i %d caratteri.", key, limit)
		}
		if !utf8.ValidString(got) || strings.IndexFunc(got, unicode.IsControl) >= 0 {
			return nil, bad("bad_character", "Il testo «%s» contiene caratteri che non si possono stampare.", key)
		}
		if !slices.Equal(names(want), names(got)) {
			return nil, bad("placeholders", "Il testo «%s» deve contenere proprio questi segnaposti: %s.", key, cmp.Or(strings.Join(names(want), " "), "nessuno"))
		}
		if strings.ContainsAny(placeholder.ReplaceAllString(got, ""), "{}") {
			return nil, bad("placeholders", "Il testo «%s» ha una parentesi graffa da sola.", key)
		}
	}
	return t, nil
}

// names returns the different placeholders of a text, in order.
func names(s string) []string {
	return slices.Compact(slices.Sorted(slices.Values(placeholder.FindAllString(s, -1))))
}

func decode(file []byte) (*Template, error) {
	if len(file) > MaxFile {
		return nil, bad("too_large", "Il file supera i %d kB.", MaxFile>>10)
	}
	var t Template
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, fault.Wrap(fault.Invalid, "template.not_json", "Il file non è un modello in JSON: "+where(file, d.InputOffset(), err)+".", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("not_json", "Il file contiene altro dopo il modello.")
	}
	return &t, nil
}

// where tells a person in which line a file went wrong.
func where(file []byte, at int64, err error) string {
	var s *json.SyntaxError
	if errors.As(err, &s) {
		at = s.Offset
	}
	return fmt.Sprintf("errore alla riga %d", 1+bytes.Count(file[:min(max(at, 0), int64(len(file)))], []byte("\n")))
}
