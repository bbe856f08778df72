// Command paritygen writes internal/docs/PARITY.md: for each row of the
// simulator's checklist, the functions that reproduce it, the source each one
// was written from, and the tests that pin it. It reads them from the code:
//
//	//parity:s9 SPORT/InserisciListaDiCarico.java:904-930
//
// stands in the comment of a function, once for each source and row. A source is
// a path and its lines, with the name of the method where that helps, or "ours"
// and why. Tests are those whose name begins with the row, as TestS9.
//
// A function that cites a source, or stands in a table of rules, and has no such
// line is an error, unless inWords names its row: then its citation is that of
// its comment.
//
// Run it with "go generate ./internal/ppay/ppaysim".
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	in := flag.String("in", ".", "`folder` of the simulator")
	out := flag.String("out", "../../docs/PARITY.md", "`file` to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "paritygen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	p, err := read(in)
	if err != nil {
		return err
	}
	if wrong := p.check(); len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return os.WriteFile(out, p.markdown(), 0o644)
}

// rows is the checklist: what a sandbox of PiemontePAY must reproduce.
var rows = []string{
	1:  "The answer only says that a list is queued; its outcome comes later, one list at a time per operation",
	2:  "Operation by qualified name, soapAction as advice; strict schema (101) and lenient reading",
	3:  "Authentication: none, Basic, WS-Security UsernameToken with Timestamp, both",
	4:  "A repeated IdMessaggio: 000 or 012 at once, 150 later; one register for all creditors, burnt by failed lists, not by 200",
	5:  "Header checks, their order and codes",
	6:  "Position checks, their order and codes; 000, 050, 051; every position echoed",
	7:  "One IUV a position before any check; a shared sequence with gaps, the day in it, modulo 93",
	8:  "A list above the threshold fails whole with 250",
	9:  "ANONIMO, exactly: 163, 194, 195; the dead end of a company",
	10: "Updates: 175 without amount, 196, 218, 187 on the last day, 188, back to 0, components, half-applied failures",
	11: "ANNULLAMENTO wipes the note, is final (179), looks at no date",
	12: "States of a position: 177 while a payment is in progress, 178 once paid",
	13: "pagoPA's side: verify and activate, with their KO codes",
	14: "Notifications: at most 50 a message, ids TNP, new ones when the bus failed, zoned dates, no order",
	15: "Nasty notifications: no PSP, wrong total, delivered twice, told again, paid twice, other amount, before the outcome",
	16: "Delivery: below 100 is delivered; anything else is retried, then the queue stops until it is enabled; outcomes late, twice, never",
	17: "RT one a message and tried once; revocations in the job's shape; expired notices",
	18: "REST: positions, status, payment data, notice, RT, stamps, with the real HTTP statuses",
	19: "REST may set the debtor after activation (only 218); requiresCostUpdate is reset",
	20: "Flusso completo as it is really made, to the accounting endpoint",
	21: "Catalogue without reference for the year: 157; taxonomy down: 157 of the list",
	22: "A clock that can be moved: validity, the day in a IUV, the last day",
	23: "A restart keeps register, positions and what waits",
	24: "Every message recorded raw, bounded, without credentials",
}

// named are the tests of a row that are called after what it is.
var named = map[string]int{"TestRESTUpdate": 19, "TestREST": 18}

// inWords are functions whose comment cites its source in a sentence.
var inWords = map[string]int{
	"restCaller": 18, "checkPath": 18, "restStampAttachment": 18, "restCreateShared": 18,
	"debtor": 18, "checkRESTComponents": 19, "statusOf": 18,
}

// A rule is one annotation of one function.
type rule struct {
	row      int
	fn, file string
	source   string
}

// A parity is what the code says of itself.
type parity struct {
	rules []rule
	tests map[int][]string
	// bare are functions that are rules and have no annotation.
	bare []string
	// wrong are annotations that say nothing.
	wrong []string
}

var (
	// Both forms: a directive, and what gofmt makes of one with a space in it.
	annotation = regexp.MustCompile(`^//\s?parity:\s*[sS]([0-9]{1,2})\s+(.+)$`)
	// A file or its abbreviation, and in it lines, a method, or what to look for;
	// or our own word.
	source = regexp.MustCompile(`^(ours: .+|([A-Z][A-Z0-9]+|\S+ \S+|\S+)(\.(java|xml|wsdl|xsd|yaml|ftl))?(:[0-9]+(-[0-9]+)?(, ?[0-9]+(-[0-9]+)?)*( \(.+\))?| \(.+\))|[A-Z][A-Z0-9]+ [a-z]\w+)$`)
	// What a comment that cites a source looks like.
	cites = regexp.MustCompile(`\.java\b|\(ours\b|l\.[0-9]+`)
	// The sources in a sentence.
	cited    = regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9/-]*\.(java|xml)(:[0-9]+(-[0-9]+)?)?|SPLIT \w+`)
	testName = regexp.MustCompile(`^TestS([0-9]+)[^0-9]`)
)

// tables are the types of the lists whose elements are rules.
var tables = []string{"headerRule", "itemRule", "editRule"}

// read parses the folder. Its tests are read too, for their names alone.
func read(dir string) (parity, error) {
	p := parity{tests: map[int][]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return p, err
	}
	inTable := map[string]bool{}
	var parsed []*ast.File
	var names []string
	fset := token.NewFileSet()
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return p, err
		}
		if strings.HasSuffix(name, "_test.go") {
			p.readTests(f)
			continue
		}
		parsed, names = append(parsed, f), append(names, filepath.Base(name))
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			array, _ := lit.Type.(*ast.ArrayType)
			if array == nil {
				return true
			}
			if elem, _ := array.Elt.(*ast.Ident); elem != nil && slices.Contains(tables, elem.Name) {
				for _, e := range lit.Elts {
					if id, ok := e.(*ast.Ident); ok {
						inTable[id.Name] = true
					}
				}
			}
			return true
		})
	}
	if len(inTable) == 0 {
		return p, fmt.Errorf("no rule tables in %s", dir)
	}
	for i, f := range parsed {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				p.readFunc(fn, names[i], inTable[fn.Name.Name])
			}
		}
	}
	return p, nil
}

func (p *parity) readTests(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil {
			continue
		}
		if m := testName.FindStringSubmatch(fn.Name.Name); m != nil {
			row, _ := strconv.Atoi(m[1])
			p.tests[row] = append(p.tests[row], fn.Name.Name)
		}
		for prefix, row := range named {
			if strings.HasPrefix(fn.Name.Name, prefix) {
				p.tests[row] = append(p.tests[row], fn.Name.Name)
			}
		}
	}
}

func (p *parity) readFunc(fn *ast.FuncDecl, file string, must bool) {
	name, found := fn.Name.Name, false
	if fn.Doc != nil {
		for _, c := range fn.Doc.List {
			m := annotation.FindStringSubmatch(c.Text)
			if m == nil {
				if strings.Contains(c.Text, "parity:") {
					p.wrong = append(p.wrong, fmt.Sprintf("%s: %s: not an annotation: %s", file, name, c.Text))
				}
				continue
			}
			row, _ := strconv.Atoi(m[1])
			if row < 1 || row >= len(rows) || !source.MatchString(m[2]) {
				p.wrong = append(p.wrong, fmt.Sprintf("%s: %s: no such row, or no source: %s", file, name, c.Text))
				continue
			}
			p.rules, found = append(p.rules, rule{row: row, fn: name, file: file, source: m[2]}), true
		}
		must = must || cites.MatchString(fn.Doc.Text())
	}
	switch row, told := inWords[name]; {
	case must && !found && told:
		said := strings.Join(cited.FindAllString(fn.Doc.Text(), -1), ", ")
		p.rules = append(p.rules, rule{row: row, fn: name, file: file, source: cmp.Or(said, "ours: as its comment says")})
	case must && !found:
		p.bare = append(p.bare, file+": "+name)
	}
}

// check says what is missing.
func (p parity) check() []string {
	wrong := slices.Clone(p.wrong)
	for _, b := range p.bare {
		wrong = append(wrong, b+" reproduces a source and has no annotation")
	}
	for row := 1; row < len(rows); row++ {
		if !slices.ContainsFunc(p.rules, func(r rule) bool { return r.row == row }) {
			wrong = append(wrong, fmt.Sprintf("S%d: no function", row))
		}
		if len(p.tests[row]) == 0 {
			wrong = append(wrong, fmt.Sprintf("S%d: no test", row))
		}
	}
	return wrong
}

// markdown is the table, in an order that does not depend on that of the code.
func (p parity) markdown() []byte {
	var b strings.Builder
	b.WriteString(`# What the simulator reproduces, and from where

Generated by ` + "`go generate ./internal/ppay/ppaysim`" + ` from the annotations in the code; do not edit.

Sources are files of ` + "`regione-piemonte/piemontepay`" + `, commit c76c243b, under the abbreviations of
` + "`go doc ./internal/ppay/ppaysim`" + `; other repositories are named in full. Where a method is named in
brackets, it decides, and the line is that of its call. "ours" is what no published source says.

| row | behaviour | function | source | tests |
|---|---|---|---|---|
`)
	rules := slices.Clone(p.rules)
	slices.SortStableFunc(rules, func(a, b rule) int {
		return cmp.Or(cmp.Compare(a.row, b.row), strings.Compare(a.file, b.file), strings.Compare(a.fn, b.fn), strings.Compare(a.source, b.source))
	})
	last := 0
	for _, r := range rules {
		row, text, tests := "", "", ""
		if r.row != last {
			names := slices.Clone(p.tests[r.row])
			slices.Sort(names)
			row, text, tests = fmt.Sprintf("S%d", r.row), rows[r.row], "`"+strings.Join(names, "`, `")+"`"
		}
		last = r.row
		fmt.Fprintf(&b, "| %s | %s | `%s` %s | %s | %s |\n", row, text, r.fn, r.file, strings.ReplaceAll(r.source, "|", "\\|"), tests)
	}
	return []byte(b.String())
}
