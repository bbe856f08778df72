package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCheckedInFilesAreGenerated is what keeps anybody from editing them, or
// from forgetting to generate them again.
func TestCheckedInFilesAreGenerated(t *testing.T) {
	out := t.TempDir()
	// As a program of its own, because the race detector, which would be right,
	// complains about gowsdl.
	if log, err := exec.Command("go", "run", ".", "-in", "..", "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	for _, dir := range []string{out, "../epaywso"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*_gen.go"))
		if err != nil || len(paths) != 4 {
			t.Fatalf("%d generated files in %s, want 4 (%v)", len(paths), dir, err)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(out, "*_gen.go"))
	for _, p := range paths {
		want, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../epaywso", filepath.Base(p)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes; run go generate ./wsdl", filepath.Base(p))
		}
	}
}

// published is where the contract as PiemontePAY publishes it may lie. It is no
// part of this repository; what needs it is skipped without it.
const published = "../../../shared/contract"

// publishedDir is the folder of a published file. The accounting services have
// one of their own, with their own copy of the common types.
func publishedDir(file string) string {
	if other := filepath.Join(published, "flusso-completo"); file == "FlussoCompleto.xsd" || strings.HasPrefix(file, "EPayFlussi") || strings.HasPrefix(file, "EPayRiconciliazione") {
		return other
	}
	return published
}

// TestContractIsThePublishedOne is the proof of wire compatibility: every
// element a message may hold has the same place, namespace, bounds and limits
// in both contracts. Only the names of types are free, for they never travel.
func TestContractIsThePublishedOne(t *testing.T) {
	if _, err := os.Stat(published); err != nil {
		t.Skip("the published contract is not here")
	}
	elements := 0
	for _, s := range sources {
		var lines [2][]string
		// One by one: in the published files, services share names of types.
		for i, dir := range []string{"..", publishedDir(s.file)} {
			c, err := load(dir, []source{s})
			if err != nil {
				t.Fatal(err)
			}
			lines[i] = wire(c)
		}
		elements += len(lines[0])
		if diff := cmp.Diff(lines[1], lines[0]); diff != "" {
			t.Errorf("%s (-published +ours):\n%s", s.file, diff)
		}
	}
	if elements < 400 {
		t.Errorf("only %d elements", elements)
	}
}

// wire describes a contract as it travels: its operations, and every element
// with its path.
func wire(c *contract) []string {
	var lines []string
	var walk func(path string, ct *complexType)
	walk = func(path string, ct *complexType) {
		firstChoice := 0
		for _, e := range ct.elements {
			if e.choice > 0 && firstChoice == 0 {
				firstChoice = e.choice - 1 // numbers depend on what was read before
			}
			line := fmt.Sprintf("%s/{%s}%s %d..%d nillable %t kind %d", path, e.name.Space, e.name.Local, e.min, e.max, e.nillable, e.kind)
			if e.choice > 0 {
				line += fmt.Sprintf(" choice %d", e.choice-firstChoice)
			}
			if e.simple != nil {
				line += fmt.Sprintf(" %+v", e.simple.facets)
			}
			lines = append(lines, line)
			if e.complex != nil {
				walk(path+"/"+e.name.Local, e.complex)
			}
		}
	}
	for _, s := range c.services {
		for _, o := range s.operations {
			lines = append(lines, fmt.Sprintf("%s %s: %s %v %v", s.name, o.name, o.soapAction, o.input.name, o.output.name))
			for _, m := range []*complexType{o.input, o.output} {
				walk(s.name+" "+o.name+" "+m.name.Local, m)
			}
		}
	}
	for _, m := range c.documents {
		lines = append(lines, fmt.Sprintf("document %s: %v", m.name.Local, m.name))
		walk("document "+m.name.Local, m)
	}
	// The order of the operations does not travel; that of the elements does.
	slices.SortStableFunc(lines, func(a, b string) int {
		return strings.Compare(operationOf(a), operationOf(b))
	})
	return lines
}

func operationOf(line string) string {
	return strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ':' })[:2], " ")
}

// TestWSDLsAreThePublishedOnes compares what the contract above does not hold.
func TestWSDLsAreThePublishedOnes(t *testing.T) {
	if _, err := os.Stat(published); err != nil {
		t.Skip("the published contract is not here")
	}
	for _, s := range sources {
		name := s.file
		if !strings.HasSuffix(name, ".wsdl") {
			continue
		}
		var got [2][]string
		for i, dir := range []string{"..", publishedDir(name)} {
			d, err := readDocument(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			var walk func(path string, n *node)
			walk = func(path string, n *node) {
				path += "/" + n.XMLName.Space + " " + n.XMLName.Local
				switch n.XMLName.Local {
				case "documentation", "schema", "address": // ours to choose
					return
				}
				var attrs []string
				for _, a := range n.Attrs {
					switch {
					case a.Name.Space == "xmlns", a.Name.Local == "xmlns":
					case slices.Contains([]string{"element", "message", "type", "binding"}, a.Name.Local):
						attrs = append(attrs, fmt.Sprint(a.Name.Local, "=", d.qname(a.Value)))
					default:
						attrs = append(attrs, a.Name.Local+"="+a.Value)
					}
				}
				slices.Sort(attrs)
				path += fmt.Sprint(attrs)
				got[i] = append(got[i], path)
				for _, c := range n.Children {
					walk(path, c)
				}
			}
			walk("", d.root)
			slices.Sort(got[i])
		}
		if diff := cmp.Diff(got[1], got[0]); diff != "" {
			t.Errorf("%s (-published +ours):\n%s", name, diff)
		}
	}
}

// TestUnknownConstructsAreRefused because a generator that guesses loses data.
func TestUnknownConstructsAreRefused(t *testing.T) {
	const header = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
		<xs:simpleType name="S"><xs:restriction base="xs:string"><xs:minLength value="1"/></xs:restriction></xs:simpleType>`
	root := func(content string) string {
		return header + `<xs:element name="R"><xs:complexType>` + content + `</xs:complexType></xs:element></xs:schema>`
	}
	simple := func(restriction string) string {
		return header + `<xs:simpleType name="X">` + restriction + `</xs:simpleType><xs:element name="R"><xs:complexType><xs:sequence><xs:element name="a" type="t:X"/></xs:sequence></xs:complexType></xs:element></xs:schema>`
	}
	one := `<xs:element name="a" type="t:S"/>`
	nested := `<xs:element name="a"><xs:complexType><xs:sequence><xs:element name="b" type="t:S"/></xs:sequence></xs:complexType></xs:element>`
	tests := map[string]struct {
		schema string
		ok     bool
	}{
		"a sequence":               {root(`<xs:sequence>` + one + `</xs:sequence>`), true},
		"a nested sequence":        {root(`<xs:sequence><xs:sequence>` + one + `</xs:sequence></xs:sequence>`), true},
		"a choice":                 {root(`<xs:sequence><xs:choice>` + nested + strings.ReplaceAll(nested, `name="a"`, `name="c"`) + `</xs:choice></xs:sequence>`), true},
		"a list":                   {root(`<xs:sequence>` + strings.Replace(nested, `name="a"`, `name="a" maxOccurs="3"`, 1) + `</xs:sequence>`), true},
		"one type twice":           {root(`<xs:sequence>` + nested + strings.ReplaceAll(nested, `name="a"`, `name="c"`) + `</xs:sequence>`), true},
		"two types of one name":    {root(`<xs:sequence>` + nested + `<xs:element name="c"><xs:complexType><xs:sequence><xs:element name="a"><xs:complexType><xs:sequence>` + one + `</xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:sequence>`), false},
		"a type of a root's name":  {root(`<xs:sequence>` + strings.ReplaceAll(nested, `name="a"`, `name="R"`) + `</xs:sequence>`), false},
		"a list without a limit":   {root(`<xs:sequence>` + strings.Replace(nested, `name="a"`, `name="a" maxOccurs="unbounded"`, 1) + `</xs:sequence>`), true},
		"a list of texts":          {root(`<xs:sequence><xs:element name="a" type="t:S" maxOccurs="2"/></xs:sequence>`), true},
		"a list of dates":          {root(`<xs:sequence><xs:element name="a" type="xs:date" maxOccurs="2"/></xs:sequence>`), false},
		"a list without a number":  {root(`<xs:sequence>` + strings.Replace(nested, `name="a"`, `name="a" maxOccurs="many"`, 1) + `</xs:sequence>`), false},
		"a number that may be nil": {root(`<xs:sequence><xs:element name="a" type="xs:integer" nillable="true"/></xs:sequence>`), true},
		"optional or nil":          {root(`<xs:sequence><xs:element name="a" type="xs:integer" minOccurs="0" nillable="true"/></xs:sequence>`), false},
		"a signed amount":          {simple(`<xs:restriction base="xs:decimal"><xs:fractionDigits value="2"/><xs:totalDigits value="12"/></xs:restriction>`), true},
		"an amount of 40 digits":   {simple(`<xs:restriction base="xs:decimal"><xs:fractionDigits value="2"/><xs:totalDigits value="40"/></xs:restriction>`), false},
		"a date that is limited":   {simple(`<xs:restriction base="xs:date"><xs:minInclusive value="2026-01-01"/></xs:restriction>`), false},
		"a choice of texts":        {root(`<xs:sequence><xs:choice>` + one + `</xs:choice></xs:sequence>`), false},
		"a repeated sequence":      {root(`<xs:sequence maxOccurs="2">` + one + `</xs:sequence>`), false},
		"an optional choice":       {root(`<xs:sequence><xs:choice minOccurs="0">` + nested + `</xs:choice></xs:sequence>`), false},
		"a sequence in a choice":   {root(`<xs:choice><xs:sequence>` + nested + `</xs:sequence></xs:choice>`), false},
		"an attribute":             {root(`<xs:sequence>` + one + `</xs:sequence><xs:attribute name="x" type="xs:string"/>`), false},
		"any":                      {root(`<xs:sequence><xs:any/></xs:sequence>`), false},
		"all":                      {root(`<xs:all>` + one + `</xs:all>`), false},
		"a nillable element":       {root(`<xs:sequence><xs:element name="a" type="t:S" nillable="true"/></xs:sequence>`), false},
		"a default":                {root(`<xs:sequence><xs:element name="a" type="t:S" default="x"/></xs:sequence>`), false},
		"an unknown type":          {root(`<xs:sequence><xs:element name="a" type="t:Nobody"/></xs:sequence>`), false},
		"a float":                  {root(`<xs:sequence><xs:element name="a" type="xs:double"/></xs:sequence>`), false},
		"an optional base64Binary": {root(`<xs:sequence><xs:element name="a" type="xs:base64Binary" minOccurs="0"/></xs:sequence>`), false},
		"a text that may be empty": {simple(`<xs:restriction base="xs:string"><xs:maxLength value="3"/></xs:restriction>`), false},
		"a pattern that may be":    {simple(`<xs:restriction base="xs:string"><xs:pattern value="a*"/></xs:restriction>`), false},
		"a pattern of classes":     {simple(`<xs:restriction base="xs:string"><xs:pattern value="\d\c"/></xs:restriction>`), false},
		"a number that may be 0":   {simple(`<xs:restriction base="xs:integer"><xs:minInclusive value="0"/><xs:maxInclusive value="9"/></xs:restriction>`), false},
		"another kind of decimal":  {simple(`<xs:restriction base="xs:decimal"><xs:fractionDigits value="3"/></xs:restriction>`), false},
		"an unknown facet":         {simple(`<xs:restriction base="xs:string"><xs:minLength value="1"/><xs:whiteSpace value="collapse"/></xs:restriction>`), false},
		"a union":                  {simple(`<xs:union memberTypes="t:S"/>`), false},
	}
	const wsdl = `<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:w" xmlns:w1="urn:w">
		<w:types><xs:schema><xs:import namespace="urn:t" schemaLocation="t.xsd"/></xs:schema></w:types>
		<w:message name="M"><w:part name="p" element="t:R"/></w:message>
		<w:portType name="P"><w:operation name="O"><w:input message="w1:M"/><w:output message="w1:M"/></w:operation></w:portType>
		<w:binding name="B" type="w1:P"><w:operation name="O"><s:operation soapAction="urn:a"/></w:operation></w:binding>
		<w:service name="P"/></w:definitions>`
	for name, tt := range tests {
		dir := t.TempDir()
		for file, content := range map[string]string{"t.wsdl": wsdl, "t.xsd": tt.schema} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := load(dir, []source{{file: "t.wsdl"}}); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
