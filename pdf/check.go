package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/symbol"
)

// leastModule is the smallest module that is drawn, in millimetres: a Data
// Matrix of 64 in 25 mm. A matrix that came out smaller is a mistake of ours.
const leastModule = 0.38

// selfCheck reads a page back from its content stream, the bytes that go into
// the file, and compares what its symbols say with what is printed beside them:
// paper cannot be recalled. It knows nothing of what was meant.
//
// Every symbol stands in a section of its own. There, whatever is set in the
// figures of machines (Roboto Mono) must be what the symbol says; and its amount
// must stand among the amounts of the page.
func selfCheck(stream []byte) error {
	r := reading{}
	if err := r.page(stream); err != nil {
		return fault.Wrap(fault.Internal, "print.self_check", "La stampa non è riuscita: il documento riletto non corrisponde.", err)
	}
	return nil
}

// reading is a page as far as it is read.
type reading struct {
	font    string
	section string     // "" outside
	figures []string   // of the section
	symbols []drawn    // of the section
	amounts []string   // written outside of sections
	owed    []string   // what the symbols ask for, as written
	texts   []string   // written outside of sections
	barred  []string   // what bars say
	path    []run      // since the last painting
	grid    [6]float64 // of q … Q
	inGrid  bool
}

type run struct{ x, y, w, h float64 }

// drawn is a filled path on a grid.
type drawn struct {
	grid [6]float64
	path []run
}

func (r *reading) page(stream []byte) error {
	var args []token
	for t, rest := next(stream); t.kind != tokenEnd; t, rest = next(rest) {
		if t.kind == tokenBad {
			return errors.New("content stream does not parse")
		}
		if t.kind != tokenOperator {
			args = append(args, t)
			continue
		}
		if err := r.operator(string(t.bytes), args); err != nil {
			return err
		}
		args = args[:0]
	}
	if r.section != "" || r.inGrid {
		return errors.New("section without end")
	}
	for _, o := range r.owed {
		if !slices.Contains(r.amounts, o) {
			return errors.New("amount of a symbol is not among those of the page")
		}
	}
	for _, b := range r.barred {
		if !slices.ContainsFunc(r.texts, func(t string) bool { return t == b || strings.HasSuffix(t, " "+b) }) {
			return errors.New("what the bars say is not printed on the page")
		}
	}
	return nil
}

var italianAmount = regexp.MustCompile(`^€? ?(\d{1,3}(?:\.\d{3})*,\d{2})$`)

func (r *reading) operator(op string, args []token) error {
	number := func(i int) float64 {
		if i >= len(args) {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(string(args[i].bytes), 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	if len(args) == 0 && slices.Contains([]string{"Tf", "Tj", "BMC"}, op) {
		return fmt.Errorf("operator %s without operand", op)
	}
	switch op {
	case "Tf":
		r.font = string(args[0].bytes)
	case "Tj":
		t := decodeUTF16(args[0].bytes)
		switch {
		case r.section != "" && r.font == "/F2":
			r.figures = append(r.figures, t)
		case r.section == "":
			r.texts = append(r.texts, t)
			if m := italianAmount.FindStringSubmatch(t); m != nil {
				r.amounts = append(r.amounts, m[1])
			}
		}
	case "BMC":
		if r.section != "" {
			return errors.New("section in a section")
		}
		r.section, r.figures, r.symbols = string(args[0].bytes), nil, nil
	case "EMC":
		defer func() { r.section = "" }()
		return r.compare()
	case "q":
		r.inGrid, r.path = true, nil
	case "Q":
		r.inGrid = false
	case "cm":
		for i := range r.grid {
			r.grid[i] = number(i)
		}
	case "re":
		r.path = append(r.path, run{number(0), number(1), number(2), number(3)})
	case "f":
		if r.inGrid && r.section != "" {
			r.symbols = append(r.symbols, drawn{r.grid, slices.Clone(r.path)})
		}
		r.path = r.path[:0]
	}
	return nil
}

// compare holds what the symbol of a section says against its figures.
func (r *reading) compare() error {
	if len(r.symbols) != 1 {
		return fmt.Errorf("%d symbols in section %s, want one", len(r.symbols), r.section)
	}
	if r.section == "/"+sectionBars {
		text, err := symbol.ReadCode128(r.symbols[0].bars())
		r.barred = append(r.barred, text)
		return err
	}
	m, err := r.symbols[0].matrix()
	if err != nil {
		return err
	}
	want := map[string]string{} // kind of figure to its value
	var amount avviso.Cents
	switch r.section {
	case "/" + sectionPay:
		payload, err := symbol.ReadQR(&m)
		if err != nil {
			return err
		}
		n, cf, c, err := avviso.ParseQR(payload)
		if err != nil {
			return err
		}
		want["number"], want["creditor"], amount = n.String(), cf, c
	case "/" + sectionPostal:
		payload, err := symbol.ReadDataMatrix(&m)
		if err != nil {
			return err
		}
		d, err := avviso.ParseDataMatrix(payload)
		if err != nil {
			return err
		}
		want["number"], want["creditor"], want["account"], amount = d.Number.String(), d.CreditorCF, d.Account, d.Amount
	default:
		return fmt.Errorf("symbol in section %s", r.section)
	}
	want["amount"] = amount.Italian()
	r.owed = append(r.owed, want["amount"])
	seen := map[string]bool{}
	for _, f := range r.figures {
		kind, value := figure(f)
		if kind == "" {
			continue // CBILL and «P1», which no symbol carries
		}
		if want[kind] != value {
			return fmt.Errorf("%s printed in section %s is not that of the symbol", kind, r.section)
		}
		seen[kind] = true
	}
	for kind := range want {
		if !seen[kind] {
			return fmt.Errorf("%s of the symbol is not printed in section %s", kind, r.section)
		}
	}
	return nil
}

// figure says what kind of figure a text is, and its value without the spaces
// that group it.
func figure(t string) (kind, value string) {
	if italianAmount.MatchString(t) {
		return "amount", t
	}
	value = strings.ReplaceAll(t, " ", "")
	if strings.Trim(value, "0123456789") != "" {
		return "", ""
	}
	switch len(value) {
	case 18:
		return "number", value
	case 12:
		return "account", value
	case 11:
		return "creditor", value
	}
	return "", ""
}

// matrix puts a path back onto whole modules.
func (d drawn) matrix() (symbol.Matrix, error) {
	g := d.grid
	if !(g[0] >= leastModule/pointMM) || g[1] != 0 || g[2] != 0 || g[3] != -g[0] {
		return symbol.Matrix{}, errors.New("symbol on a crooked grid, or too small")
	}
	side := 0
	for _, r := range d.path {
		if r.x != math.Trunc(r.x) || r.y != math.Trunc(r.y) || r.w != math.Trunc(r.w) || r.h != 1 || r.x < 0 || r.y < 0 || r.w < 1 || r.x+r.w > 1000 || r.y > 1000 {
			return symbol.Matrix{}, errors.New("symbol between modules")
		}
		side = max(side, int(r.x+r.w), int(r.y)+1)
	}
	m := symbol.NewMatrix(side)
	for _, r := range d.path {
		for i := range int(r.w) {
			m.Set(int(r.x)+i, int(r.y))
		}
	}
	return m, nil
}

// bars puts a path of one row back onto modules.
func (d drawn) bars() symbol.Bars {
	const widest = 1000
	b := symbol.Bars{}
	for _, r := range d.path {
		if !(r.x >= float64(len(b)) && r.x+r.w <= widest && r.w >= 1) {
			return nil // out of order: reads as nothing
		}
		b = append(b, make(symbol.Bars, int(r.x)-len(b))...)
		for range int(r.w) {
			b = append(b, true)
		}
	}
	return b
}

// A token of a content stream, as far as we write them.
type token struct {
	kind  tokenKind
	bytes []byte // of a string, without parentheses
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenOperator
	tokenOperand // number or name
	tokenString
	tokenBad
)

func next(b []byte) (token, []byte) {
	b = bytes.TrimLeft(b, " \n\r")
	if len(b) == 0 {
		return token{}, nil
	}
	if b[0] == '(' {
		for i := 1; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case ')':
				return token{tokenString, b[1:i]}, b[i+1:]
			}
		}
		return token{kind: tokenBad}, nil
	}
	end := bytes.IndexAny(b, " \n\r(")
	if end < 0 {
		end = len(b)
	}
	t := token{tokenOperator, b[:end]}
	if c := b[0]; c == '/' || c == '-' || c == '.' || c >= '0' && c <= '9' {
		t.kind = tokenOperand
	}
	return t, b[end:]
}

// decodeUTF16 reads a shown string: escapes undone, two bytes a character.
func decodeUTF16(b []byte) string {
	var out []rune
	high := -1
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' && i+1 < len(b) {
			if i++; b[i] == 'r' {
				c = '\r'
			} else {
				c = b[i]
			}
		}
		if high < 0 {
			high = int(c)
		} else {
			out, high = append(out, rune(high<<8|int(c))), -1
		}
	}
	return string(out)
}
