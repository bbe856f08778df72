package cds

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"preavviso/internal/multe"
)

//go:embed sample.yaml
var sample string

// Sample returns a catalogue of common parking violations to start from. It is
// data to be checked, not law: see the warnings that [Parse] gives for it.
func Sample() []byte { return []byte(sample) }

// maxLine and maxDepth bound how deep a file can nest, and with it the stack of
// the parser. A line holds a text of multe.MaxConduct characters and its key.
const (
	maxLine  = 2000
	maxDepth = 100
)

// Parse reads a catalogue from YAML and returns it with what a person should
// look at again. A file that is wrong is refused whole, as a [fault.Invalid]
// "catalogue.invalid" that names the lines.
//
// The file is read as it is written. The YAML library only builds the tree, the
// values are read here from their characters: its decoder would make 54 of code
// 0066 and 42 of a minimum of 42.5. Anchors, aliases, tags, a second document,
// unknown and repeated keys are refused.
func Parse(data []byte) (*Catalogue, []Finding, error) {
	if f, ok := tooDeep(data); ok {
		return nil, nil, refuse([]Finding{f})
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, nil, refuse([]Finding{syntaxFinding(err)})
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, nil, refuse([]Finding{{1, "il file deve contenere un solo documento YAML"}})
	}
	var r reader
	c := r.catalogue(file.Docs[0].Body)
	if len(r.wrong) > 0 {
		return nil, nil, refuse(r.wrong)
	}
	return assemble(c)
}

func tooDeep(data []byte) (Finding, bool) {
	if len(data) > MaxFile {
		return Finding{1, fmt.Sprintf("il file supera %d KiB", MaxFile>>10)}, true
	}
	depth, n := 0, 0
	for line := range strings.Lines(string(data)) {
		n++
		if len(line) > maxLine {
			return Finding{n, fmt.Sprintf("la riga supera %d caratteri", maxLine)}, true
		}
		depth += strings.Count(line, "[") + strings.Count(line, "{") - strings.Count(line, "]") - strings.Count(line, "}")
		if depth > maxDepth {
			return Finding{n, "troppe parentesi aperte"}, true
		}
	}
	return Finding{}, false
}

// syntaxFinding says where the library stopped; its text is English and short.
func syntaxFinding(err error) Finding {
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil && e.GetToken().Position != nil {
		return Finding{e.GetToken().Position.Line, "non è YAML valido: " + e.GetMessage()}
	}
	return Finding{1, "non è YAML valido"}
}

// reader turns the tree into values and collects what is wrong on the way.
type reader struct{ wrong []Finding }

func (r *reader) bad(n ast.Node, format string, args ...any) {
	r.wrong = append(r.wrong, Finding{lineOf(n), fmt.Sprintf(format, args...)})
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1
	}
	return n.GetToken().Position.Line
}

// mapping calls the function of each key of n. The parser has refused repeated
// keys.
func (r *reader) mapping(n ast.Node, fields map[string]func(ast.Node)) {
	m, ok := n.(ast.MapNode)
	if !ok {
		r.bad(n, "qui serve un elenco di «chiave: valore»")
		return
	}
	for it := m.MapRange(); it.Next(); {
		key := scalar(it.Key())
		field, known := fields[key]
		if !known {
			r.bad(it.Key(), "chiave sconosciuta %q", key)
			continue
		}
		field(it.Value())
	}
}

func (r *reader) list(n ast.Node, each func(ast.Node)) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.bad(n, "qui serve un elenco")
		return
	}
	for _, v := range s.Values {
		each(v)
	}
}

// scalar returns the characters of a plain or quoted value, and "" for anything
// else, null included.
func scalar(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value
	}
	return ""
}

func (r *reader) text(to *string) func(ast.Node) {
	return func(n ast.Node) {
		if *to = scalar(n); *to == "" {
			r.bad(n, "qui serve un testo")
		}
	}
}

func (r *reader) boolean(to *bool) func(ast.Node) {
	return func(n ast.Node) {
		s := scalar(n)
		if *to = s == "true"; !*to && s != "false" {
			r.bad(n, "qui serve true o false")
		}
	}
}

// integer reads decimal digits and nothing else: no sign, no point, no 0x.
func (r *reader) integer(n ast.Node) int {
	s := scalar(n)
	i, err := strconv.Atoi(s)
	if err != nil || s != strconv.Itoa(i) || i < 0 {
		r.bad(n, "qui serve un numero intero, senza decimali")
		return 0
	}
	return i
}

func (r *reader) day(to *multe.Day) func(ast.Node) {
	return func(n ast.Node) {
		d, err := multe.ParseDay(scalar(n))
		if err != nil {
			r.bad(n, "qui serve una data AAAA-MM-GG")
		}
		*to = d
	}
}

// euro bounds the number before it is multiplied.
func (r *reader) euro(to *multe.Cents) func(ast.Node) {
	return func(n ast.Node) { *to = multe.Cents(min(r.integer(n), MaxEuro+1)) * 100 }
}

// catalogueFormat is the first line of every file; another number is another
// meaning.
const catalogueFormat = "preavviso-1"

func (r *reader) catalogue(n ast.Node) Catalogue {
	var c Catalogue
	var format string
	r.mapping(n, map[string]func(ast.Node){
		"catalogue": r.text(&format),
		"name":      r.text(&c.Name),
		"review":    r.day(&c.Review),
		"violations": func(n ast.Node) {
			r.list(n, func(n ast.Node) { c.violations = append(c.violations, r.violation(n)) })
		},
	})
	if format != catalogueFormat {
		r.wrong = slices.Insert(r.wrong, 0, Finding{1, fmt.Sprintf("il file deve iniziare con «catalogue: %s»", catalogueFormat)})
	}
	return c
}

func (r *reader) violation(n ast.Node) Violation {
	v := Violation{line: lineOf(n)}
	r.mapping(n, map[string]func(ast.Node){
		"code":    r.text(&v.Code),
		"article": r.text(&v.Article),
		"comma":   r.text(&v.Comma),
		"norm":    r.text(&v.Norm),
		"text":    r.text(&v.Text),
		"vehicles": func(n ast.Node) {
			r.list(n, func(n ast.Node) { v.Vehicles = append(v.Vehicles, Vehicle(scalar(n))) })
		},
		"amounts": func(n ast.Node) {
			r.list(n, func(n ast.Node) { v.Amounts = append(v.Amounts, r.amount(n)) })
		},
		"no_discount": r.text(&v.NoDiscount),
		"no_reduced":  r.text(&v.NoReduced),
		"night":       r.boolean(&v.Night),
		"points":      func(n ast.Node) { v.Points = r.integer(n) },
		"accessory": func(n ast.Node) {
			r.list(n, func(n ast.Node) { v.Accessory = append(v.Accessory, Accessory(scalar(n))) })
		},
		"verify": r.boolean(&v.Verify),
		"source": r.text(&v.Source),
	})
	return v
}

func (r *reader) amount(n ast.Node) Amount {
	var a Amount
	r.mapping(n, map[string]func(ast.Node){
		"from":  r.day(&a.From),
		"until": r.day(&a.Until),
		"min":   r.euro(&a.Min),
		"max":   r.euro(&a.Max),
	})
	return a
}
