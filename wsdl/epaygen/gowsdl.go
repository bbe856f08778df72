package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hooklift/gowsdl"
)

// scalars are the types under which gowsdl sees simple content. Importo and
// Base64 are ours, for it would make them float64 and raw bytes: it refers to a
// type it is not told about by its bare name. Its own dates swallow errors, but
// their names cannot be avoided; rewrite replaces them.
var scalars = map[kind]string{
	kindText: "xs:string", kindInt: "xs:integer", kindBool: "xs:boolean",
	kindDate: "xs:date", kindDateTime: "xs:dateTime", kindImporto: "tns:Importo", kindBase64: "tns:Base64",
	kindSigned: "tns:ImportoSigned", kindWhole: "xs:integer", kindNullInt: "tns:NullInt",
}

// normalised writes the contract as one WSDL that gowsdl v0.5.0 understands:
// one schema, only named types, only flat sequences, every list unbounded (it
// ignores any other maxOccurs), our scalars, plain strings for limited ones.
func normalised(c *contract) []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) {
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = escape(s)
			}
		}
		fmt.Fprintf(&b, format, args...)
	}
	p(`<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"`)
	p(` xmlns:xs="%s" xmlns:tns="urn:epaygen" targetNamespace="urn:epaygen"><types><xs:schema targetNamespace="urn:epaygen">`, xsd)
	for _, s := range c.simples {
		if s.kind != kindEnum {
			continue
		}
		p(`<xs:simpleType name="%s">%s<xs:restriction base="xs:string">`, s.name.Local, annotation(s.doc))
		for _, v := range s.facets.enumeration {
			p(`<xs:enumeration value="%s"/>`, v)
		}
		p(`</xs:restriction></xs:simpleType>`)
	}
	elements := func(ct *complexType) {
		p(`<xs:sequence>`)
		for _, e := range ct.elements {
			typ := scalars[e.kind]
			switch e.kind {
			case kindComplex:
				typ = "tns:" + e.complex.goName
			case kindEnum:
				typ = "tns:" + e.simple.name.Local
			}
			p(`<xs:element name="%s" type="%s"`, e.name.Local, typ)
			if e.repeated() {
				p(` maxOccurs="unbounded"`)
			}
			p(`>%s</xs:element>`, annotation(e.doc))
		}
		p(`</xs:sequence>`)
	}
	for _, m := range c.messages {
		p(`<xs:element name="%s"><xs:complexType>`, m.goName)
		elements(m)
		p(`</xs:complexType></xs:element>`)
	}
	for _, t := range c.types {
		p(`<xs:complexType name="%s">`, t.goName)
		elements(t)
		p(`</xs:complexType>`)
	}
	p(`</xs:schema></types>`)
	for _, s := range c.services {
		for _, o := range s.operations {
			p(`<message name="%s"><part name="parameters" element="tns:%s"/></message>`, o.goName+"In", o.input.goName)
			p(`<message name="%s"><part name="parameters" element="tns:%s"/></message>`, o.goName+"Out", o.output.goName)
		}
		p(`<portType name="%s">`, s.name)
		for _, o := range s.operations {
			p(`<operation name="%s"><input message="tns:%s"/><output message="tns:%s"/></operation>`, o.name, o.goName+"In", o.goName+"Out")
		}
		p(`</portType><binding name="%s" type="tns:%s">`, s.binding, s.name)
		for _, o := range s.operations {
			p(`<operation name="%s"><soap:operation soapAction="%s"/></operation>`, o.name, o.soapAction)
		}
		p(`</binding>`)
	}
	p(`</definitions>`)
	return b.Bytes()
}

// raw marks text that is XML already.
type raw []byte

func annotation(doc string) raw {
	if doc == "" {
		return nil
	}
	return raw("<xs:annotation><xs:documentation>" + escape(strings.Join(wrap(doc), "\n")) + "</xs:documentation></xs:annotation>")
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer does not fail
	return b.String()
}

// runGowsdl returns one Go source with everything that gowsdl makes of c.
func runGowsdl(c *contract) ([]byte, error) {
	dir, err := os.MkdirTemp("", "epaygen")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "normalised.wsdl")
	if err := os.WriteFile(file, normalised(c), 0o600); err != nil {
		return nil, err
	}
	g, err := gowsdl.NewGoWSDL(file, "epaywso", false, true)
	if err != nil {
		return nil, err
	}
	// Start writes one map from two goroutines without a lock. On one processor
	// they take turns, and none can be stopped in the middle of a write.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	parts, err := g.Start()
	if err != nil {
		return nil, err
	}
	var src []byte
	for _, name := range []string{"header", "types", "operations"} {
		if len(parts[name]) == 0 {
			return nil, errors.New("gowsdl made no " + name) // it only logs why
		}
		src = append(src, parts[name]...)
	}
	return src, nil
}
