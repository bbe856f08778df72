package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// names writes the namespaces, the operations and their SOAP actions.
func names(c *contract) []byte {
	var b bytes.Buffer
	b.WriteString("package epaywso\n\n// Namespaces of the elements: of the requests of each service, of what they\n// share, and of the documents inside of them.\nconst (\n")
	seen := map[string]bool{}
	for _, s := range c.services {
		for _, o := range s.operations {
			for _, m := range []*complexType{o.input, o.output} {
				if ns := m.name.Space; !seen[ns] {
					seen[ns] = true
					name := "NS" + strings.TrimSuffix(s.name, "Service")
					if m == o.output {
						name = "NSCommon" // every answer is in it
					}
					fmt.Fprintf(&b, "%s = %q\n", name, ns)
				}
			}
		}
	}
	for _, d := range c.documents {
		fmt.Fprintf(&b, "NS%s = %q\n", d.goName, d.name.Space)
	}
	b.WriteString(")\n")
	for _, s := range c.services {
		fmt.Fprintf(&b, "\n// Operations of %s.\nconst (\n", s.name)
		for _, o := range s.operations {
			fmt.Fprintf(&b, "Op%s = %q\n", o.goName, o.name)
		}
		fmt.Fprintf(&b, ")\n\n// SOAP actions of the operations of %s.\nconst (\n", s.name)
		for _, o := range s.operations {
			fmt.Fprintf(&b, "Action%s = %q\n", o.goName, o.soapAction)
		}
		b.WriteString(")\n")
	}
	return b.Bytes()
}

// validators writes the limits of the simple types as a table, and a Validate
// method for every complex type.
func validators(c *contract) []byte {
	var b bytes.Buffer
	b.WriteString("package epaywso\n\nimport \"regexp\"\n\n// Limits of the simple types.\nvar (\n")
	for _, s := range c.simples {
		f := s.facets
		switch s.kind {
		case kindText, kindEnum:
			var parts []string
			if f.minLength != "" {
				parts = append(parts, "minLength: "+f.minLength)
			}
			if f.maxLength != "" {
				parts = append(parts, "maxLength: "+f.maxLength)
			}
			if f.pattern != "" {
				parts = append(parts, "pattern: regexp.MustCompile(`\\A(?:"+f.pattern+")\\z`)")
			}
			if f.enumeration != nil {
				parts = append(parts, fmt.Sprintf("values: %#v", f.enumeration))
			}
			fmt.Fprintf(&b, "%s = textLimits{%s}\n", limitsName(s), strings.Join(parts, ", "))
		case kindInt:
			fmt.Fprintf(&b, "%s = intLimits{min: %s, max: %s}\n", limitsName(s), f.minInclusive, f.maxInclusive)
		case kindSigned:
			fmt.Fprintf(&b, "%s = signedLimits{%s}\n", limitsName(s), signed(f))
		}
	}
	b.WriteString(")\n")
	for _, m := range c.messages {
		fmt.Fprintf(&b, "\n// Validate checks a whole message against the limits of its schema. Its error\n// is an [*InvalidError] and names the first element that is wrong.\n")
		fmt.Fprintf(&b, "func (v *%s) Validate() error {\nreturn in(%q, first(\n", m.goName, m.name.Local)
		checks(&b, m)
		b.WriteString("))\n}\n")
	}
	for _, t := range c.types {
		fmt.Fprintf(&b, "\n// Validate checks what v holds as the Validate of a whole message does; paths\n// begin below v.\n")
		fmt.Fprintf(&b, "func (v *%s) Validate() error {\nreturn first(\n", t.goName)
		checks(&b, t)
		b.WriteString(")\n}\n")
	}
	return b.Bytes()
}

// checks writes one line for each element of ct, and one for each choice.
func checks(b *bytes.Buffer, ct *complexType) {
	for i, e := range ct.elements {
		if e.choice > 0 && (i == 0 || ct.elements[i-1].choice != e.choice) {
			var options, set []string
			for _, o := range ct.elements {
				if o.choice == e.choice {
					options = append(options, o.name.Local)
					set = append(set, "v."+o.field()+" != nil")
				}
			}
			fmt.Fprintf(b, "oneOf(%q, %s),\n", strings.Join(options, " or "), strings.Join(set, ", "))
		}
		name, field, need := e.name.Local, e.field(), "required"
		if e.optional() {
			need = "optional"
		}
		limits := ""
		if e.simple != nil {
			limits = ", " + limitsName(e.simple)
		} else if e.kind == kindText {
			limits = ", textLimits{}"
		} else if e.kind == kindSigned {
			limits = ", signedLimits{}"
		}
		most := fmt.Sprint(e.max)
		if e.max == unbounded {
			most = "unbounded"
		}
		switch {
		case e.kind == kindComplex && e.repeated():
			fmt.Fprintf(b, "list(%q, v.%s, %d, %s),\n", name, field, e.min, most)
		case e.kind == kindComplex && isPointer(ct, e):
			fmt.Fprintf(b, "child(%q, v.%s, %s),\n", name, field, need)
		case e.kind == kindComplex:
			fmt.Fprintf(b, "in(%q, v.%s.Validate()),\n", name, field)
		case e.kind == kindText && e.repeated():
			fmt.Fprintf(b, "texts(%q, v.%s, %d, %s%s),\n", name, field, e.min, most, limits)
		case e.kind == kindText:
			fmt.Fprintf(b, "text(%q, v.%s, %s%s),\n", name, field, need, limits)
		case e.kind == kindEnum:
			fmt.Fprintf(b, "text(%q, string(v.%s), %s%s),\n", name, field, need, limits)
		case e.kind == kindInt:
			fmt.Fprintf(b, "integer(%q, v.%s, %s%s),\n", name, field, need, limits)
		case e.kind == kindImporto && isPointer(ct, e):
			fmt.Fprintf(b, "amount(%q, v.%s),\n", name, field)
		case e.kind == kindImporto:
			fmt.Fprintf(b, "amount(%q, &v.%s),\n", name, field)
		case e.kind == kindSigned && isPointer(ct, e):
			fmt.Fprintf(b, "signed(%q, v.%s%s),\n", name, field, limits)
		case e.kind == kindSigned:
			fmt.Fprintf(b, "signed(%q, &v.%s%s),\n", name, field, limits)
		case e.kind == kindDate, e.kind == kindDateTime:
			fmt.Fprintf(b, "moment(%q, v.%s, %s),\n", name, field, need)
		case e.kind == kindBase64:
			fmt.Fprintf(b, "binary(%q, v.%s),\n", name, field)
		case e.kind == kindBool, e.kind == kindWhole, e.kind == kindNullInt: // every value is right
		}
	}
}

// signed writes the facets of an amount that may be negative, in cents.
func signed(f facets) string {
	parts := []string{"digits: " + f.totalDigits}
	if f.minInclusive != "" && f.maxInclusive != "" {
		parts = append(parts, "min: "+cents(f.minInclusive), "max: "+cents(f.maxInclusive))
	}
	return strings.Join(parts, ", ")
}

// cents writes a facet with two decimals as a number of cents.
func cents(facet string) string { return strings.Replace(facet, ".", "_", 1) }

func limitsName(s *simpleType) string {
	r := []rune(s.name.Local)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
