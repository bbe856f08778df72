package ppay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"preavviso/internal/ppay"
	"preavviso/wsdl/epaywso"
)

const soapNS = "http://schemas.xmlsoap.org/soap/envelope/"

// soap wraps the content of a body.
func soap(content string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="` + soapNS + `"><S:Body>` + content + `</S:Body></S:Envelope>`
}

// inbound makes a message of an operation of EPaywso2Enti.
func inbound(operation, content string) string {
	return soap(`<` + operation + `Request xmlns="` + epaywso.NSEPaywso2Enti + `">` + content + `</` + operation + `Request>`)
}

const small = `<n:TrasmettiRTRequest xmlns:n="` + epaywso.NSEPaywso2Enti + `"/>`

// TestGate is what the gate lets through and what it does not.
func TestGate(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d="1"`, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"plain", soap(small), nil},
		{"no declaration", strings.TrimPrefix(soap(small), `<?xml version="1.0" encoding="UTF-8"?>`), nil},
		{"byte order mark", "\ufeff" + soap(small), nil},
		{"header of every demand", strings.Replace(soap(small), "<S:Body>", `<S:Header><x:y xmlns:x="urn:x" S:mustUnderstand="1"><x:z/></x:y></S:Header><S:Body>`, 1), nil},
		{"comments and CDATA", soap(`<!-- <a b="> --><a xmlns="urn:a"><![CDATA[<!DOCTYPE <? ]] > ]]></a>`) + "<!---->\n ", nil},
		{"almost the end of a comment", soap(`<!-- -> <!DOCTYPE a> --><a><![CDATA[ ]> <!DOCTYPE a> ]]></a>`), nil},
		{"elements after the body", strings.Replace(soap(small), "</S:Body>", "</S:Body><a><b/></a>", 1), nil},
		{"quotes with ends of tags", soap(`<a b='">' c=">'"/>`), nil},
		{"everything at its limit", soap(deep(30)), nil},
		{"attributes at the limit", soap("<a" + attrs(32) + "/>"), nil},
		{"tag at the limit", soap(`<a b="` + strings.Repeat("x", 8<<10-len(`<a b=""/>`)) + `"/>`), nil},
		{"elements at the limit", soap("<a>" + strings.Repeat("<b/>", 200_000-3) + "</a>"), nil},

		{"empty", "", ppay.ErrNotSOAP},
		{"space only", "  \n", ppay.ErrNotSOAP},
		{"text", "hello", ppay.ErrNotXML},
		{"HTML", "<html><body><br></body></html>", ppay.ErrNotSOAP},
		{"truncated", soap(small)[:150], ppay.ErrNotXML},
		{"truncated in a tag", soap(small)[:len(soap(small))-3], ppay.ErrNotXML},
		{"wrong end tag", soap("<a></b>"), ppay.ErrNotXML},
		{"unknown entity", soap("<a>&nbsp;</a>"), ppay.ErrNotXML},
		{"NUL", soap("<a>\x00</a>"), ppay.ErrNotXML},
		{"Latin-1 bytes", soap("<a>citt\xe0</a>"), ppay.ErrNotXML},
		{"Latin-1 bytes in a comment", soap("<a><!--citt\xe0--></a>"), ppay.ErrNotXML},
		{"declared Latin-1", strings.Replace(soap(small), "UTF-8", "ISO-8859-1", 1), ppay.ErrNotXML},
		{"UTF-16", "\xff\xfe<\x00a\x00", ppay.ErrNotXML},
		{"junk after", soap(small) + "junk", ppay.ErrNotXML},
		{"junk before", "junk" + soap(small), ppay.ErrNotXML},
		{"second root", soap(small) + "<a/>", ppay.ErrNotSOAP},
		{"second root with a good name", soap(small) + `<S:Envelope xmlns:S="` + soapNS + `"/>`, ppay.ErrNotSOAP},
		{"second envelope", soap(small) + strings.TrimPrefix(soap(small), `<?xml version="1.0" encoding="UTF-8"?>`), ppay.ErrNotSOAP},
		{"second body", strings.Replace(soap(small), "</S:Envelope>", "<S:Body/></S:Envelope>", 1), ppay.ErrNotSOAP},
		{"two messages", soap(small + small), ppay.ErrNotSOAP},
		{"no message", soap(""), ppay.ErrNotSOAP},
		{"no body", `<S:Envelope xmlns:S="` + soapNS + `"/>`, ppay.ErrNotSOAP},
		{"SOAP 1.2", strings.ReplaceAll(soap(small), soapNS, "http://www.w3.org/2003/05/soap-envelope"), ppay.ErrNotSOAP},
		{"no namespace", `<Envelope><Body><a/></Body></Envelope>`, ppay.ErrNotSOAP},
		{"body of another namespace", `<S:Envelope xmlns:S="` + soapNS + `"><Body><a/></Body></S:Envelope>`, ppay.ErrNotSOAP},
		{"DOCTYPE", `<!DOCTYPE a [<!ENTITY b "c">]>` + soap(small), ppay.ErrDoctype},
		{"DOCTYPE in small letters", `<!doctype a>` + soap(small), ppay.ErrDoctype},
		{"declaration inside", soap(`<a><!ELEMENT b ANY></a>`), ppay.ErrDoctype},
		{"almost CDATA", soap(`<a><![CDATX[]]></a>`), ppay.ErrDoctype},
		{"instruction at the beginning", `<?php ?>` + soap(small), ppay.ErrInstruction},
		{"instruction inside", soap(`<a><?php ?></a>`), ppay.ErrInstruction},
		{"stylesheet", `<?xml version="1.0"?><?xml-stylesheet href="a"?>` + soap(small), ppay.ErrInstruction},
		{"depth 33", soap(deep(31)), ppay.ErrTooDeep},
		{"depth 2 million", soap(strings.Repeat("<a>", 1_300_000)), ppay.ErrTooDeep},
		{"200,001 elements", soap("<a>" + strings.Repeat("<b/>", 200_000-2) + "</a>"), ppay.ErrTooMany},
		{"33 attributes", soap("<a" + attrs(33) + "/>"), ppay.ErrTagTooLarge},
		{"300,000 attributes", soap("<a" + attrs(300_000) + "/>"), ppay.ErrTagTooLarge},
		{"300,000 namespaces", soap("<a" + strings.ReplaceAll(attrs(300_000), " a", " xmlns:a") + "/>"), ppay.ErrTagTooLarge},
		{"endless name", soap("<" + strings.Repeat("a", 1<<20)), ppay.ErrTagTooLarge},
		{"endless declaration", `<?xml ` + strings.Repeat("a", 1<<20), ppay.ErrTagTooLarge},
		{"4 MiB and more", inbound("TrasmettiAvvisiScaduti", strings.Repeat("x", ppay.MaxMessage)), ppay.ErrTooLarge},
		{"4 MiB and more of receipts", inbound("TrasmettiRT", strings.Repeat("x", ppay.MaxMessage)), nil},
		{"16 MiB and more of receipts", inbound("TrasmettiRT", strings.Repeat("x", ppay.MaxRTMessage)), ppay.ErrTooLarge},
		{"a namesake of receipts", soap("<TrasmettiRTRequest>" + strings.Repeat("x", ppay.MaxMessage) + "</TrasmettiRTRequest>"), ppay.ErrTooLarge},
		{"4 MiB and more before the message", strings.Replace(soap(small), "<S:Body>", "<S:Header>"+strings.Repeat("x", ppay.MaxMessage)+"</S:Header><S:Body>", 1), ppay.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ppay.Gate(strings.NewReader(c.in)); err != c.want {
				t.Errorf("Gate = %v, want %v", err, c.want)
			}
		})
	}
}

func TestGateName(t *testing.T) {
	name, err := ppay.Gate(iotest.OneByteReader(strings.NewReader(soap(small))))
	if err != nil || name.Space != epaywso.NSEPaywso2Enti || name.Local != "TrasmettiRTRequest" {
		t.Fatalf("Gate = %v, %v", name, err)
	}
}

// TestGateStopsEarly checks that a message is refused while most of it has not
// been read, and that an interrupted one is not taken for a malformed one.
func TestGateStopsEarly(t *testing.T) {
	in := &counter{r: strings.NewReader(soap(strings.Repeat("<a>", 1_000_000)))}
	if _, err := ppay.Gate(in); err != ppay.ErrTooDeep || in.n > 64<<10 {
		t.Errorf("Gate = %v after %d bytes", err, in.n)
	}
	broken := errors.New("connection reset")
	for _, cut := range []int{0, 1, 60, 150} {
		_, err := ppay.Gate(io.MultiReader(strings.NewReader(soap(small)[:cut]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("cut at %d: Gate = %v, want the error of the reader", cut, err)
		}
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// samples returns the messages of testdata.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".xml")] = b
	}
	return all
}

// FuzzGate checks that what the gate lets through is within its limits, and that
// it says the same however the bytes come.
func FuzzGate(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Add([]byte(soap(small)))
	f.Add([]byte(soap(`<a b="'>" c='">'><!-- - -- ><![CDATA[]]]]></a>`)))
	f.Add([]byte(`<!DOCTYPE a><a/>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		name, err := ppay.Gate(bytes.NewReader(in))
		again, err2 := ppay.Gate(iotest.OneByteReader(bytes.NewReader(in)))
		if name != again || err != err2 {
			t.Fatalf("Gate = %v, %v; byte by byte %v, %v", name, err, again, err2)
		}
		if err != nil {
			if _, ok := err.(ppay.GateError); !ok {
				t.Fatalf("error %v is no GateError", err)
			}
			return
		}
		if len(in) > ppay.MaxRTMessage || name.Local == "" {
			t.Fatalf("%d bytes named %v passed", len(in), name)
		}
		if strictXML(in) != nil {
			t.Fatalf("passed but is not well-formed: %v", strictXML(in))
		}
	})
}
