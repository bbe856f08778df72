package pdf

import (
	"fmt"
	"strings"

	"preavviso/internal/texts"
)

// Readable is what is on the pages, an operation a line, as a person compares it.
// Modules of symbols are left out.
func Readable(d Document, t texts.Set) (string, error) {
	types, err := allTypes()
	if err != nil {
		return "", err
	}
	p, err := lay(d, t, types, options{})
	if err != nil {
		return "", err
	}
	defer p.free()
	var out strings.Builder
	for i, c := range p.pages {
		fmt.Fprintf(&out, "page %d\n", i+1)
		line := ""
		for t, rest := next(c.b); t.kind != tokenEnd; t, rest = next(rest) {
			switch {
			case t.kind == tokenString:
				line += " " + decodeUTF16(t.bytes)
			case t.kind == tokenOperand:
				line += " " + string(t.bytes)
			case strings.Contains("rg BMC EMC cm Do ET f", string(t.bytes)):
				out.WriteString(string(t.bytes) + line + "\n")
				line = ""
			case string(t.bytes) == "re" && strings.HasSuffix(line, " 1"):
				line = ""
			}
		}
	}
	return out.String(), nil
}

// WithoutSymbols draws the same page with nothing to scan: what is left when the
// symbols cost nothing.
func WithoutSymbols(d Document, t texts.Set) ([]byte, error) {
	doc, _, err := render(d, t, options{noSymbols: true})
	return doc, err
}

// Unchecked draws without reading back.
func Unchecked(d Document, t texts.Set) ([]byte, error) {
	doc, _, err := render(d, t, options{unchecked: true})
	return doc, err
}
