package ppaysim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"preavviso/internal/avviso"
)

// Namespaces of the contract (wsdl/*.xsd) and of SOAP 1.1.
const (
	nsRequest  = "http://www.csi.it/epay/epaywso/enti2epaywso/types"
	nsCommon   = "http://www.csi.it/epay/epaywso/types"
	nsCallback = "http://www.csi.it/epay/epaywso/epaywso2enti/types"
	nsSOAP     = "http://schemas.xmlsoap.org/soap/envelope/"
	nsXSI      = "http://www.w3.org/2001/XMLSchema-instance"
)

// A node is an XML element: what is left of a message once prefixes are gone.
type node struct {
	name  xml.Name
	text  string     // of its own, without that of its children
	attrs []xml.Attr // but for xmlns and xsi, which any element may have
	kids  []*node
}

// child returns the first child with that local name, or nil.
func (n *node) child(local string) *node {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name.Local == local {
			return k
		}
	}
	return nil
}

// at goes down by local names; any step may be missing.
func (n *node) at(path ...string) *node {
	for _, p := range path {
		n = n.child(p)
	}
	return n
}

// value returns the text at a path, "" when there is none.
func (n *node) value(path ...string) string {
	if n = n.at(path...); n == nil {
		return ""
	}
	return n.text
}

var errNotXML = errors.New("not an XML document this service reads")

// parseXML reads a document. A document type is refused: nothing here needs
// one, and entities are how parsers are attacked.
func parseXML(raw []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	var (
		root  *node
		stack []*node
		nodes int
	)
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotXML, err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			nodes++
			n := &node{name: t.Name}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && a.Name.Space != nsXSI {
					n.attrs = append(n.attrs, a)
				}
			}
			switch {
			case nodes > maxNodes || len(stack) == maxDepth:
				return nil, fmt.Errorf("%w: too many elements", errNotXML)
			case len(stack) > 0:
				top := stack[len(stack)-1]
				top.kids = append(top.kids, n)
			case root != nil:
				return nil, fmt.Errorf("%w: two roots", errNotXML)
			default:
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(t)
			} else if strings.Trim(string(t), xmlSpace) != "" {
				return nil, fmt.Errorf("%w: text outside the root", errNotXML)
			}
		case xml.Directive:
			return nil, fmt.Errorf("%w: document types are refused", errNotXML)
		}
	}
	if root == nil {
		return nil, fmt.Errorf("%w: empty", errNotXML)
	}
	return root, nil
}

// xmlSpace is what may stand around a value that is no string.
const xmlSpace = " \t\r\n"

// A rule is one element of the schema: a leaf with a check of its text, or a
// sequence of children. A rule without a name is a choice of one of its kids.
type rule struct {
	space, name string
	min, max    int
	leaf        func(string) bool
	kids        []rule
}

// schemaFault says which element broke the schema, and its value if it is a leaf.
type schemaFault struct{ element, value string }

// check walks the children of n along the sequence, in order, as a validating
// parser does. nil means valid.
//
//parity:s2 W2/enumeration/IssueEnum.java (101)
func (r rule) check(n *node) *schemaFault {
	if len(n.attrs) > 0 {
		return &schemaFault{n.name.Local, ""}
	}
	if r.leaf != nil {
		if len(n.kids) > 0 || !r.leaf(n.text) {
			return &schemaFault{n.name.Local, n.text}
		}
		return nil
	}
	if strings.Trim(n.text, xmlSpace) != "" {
		return &schemaFault{n.name.Local, n.text}
	}
	rest := n.kids
	for _, k := range r.kids {
		alternatives := []rule{k}
		if k.name == "" {
			alternatives = k.kids
		}
		count := 0
		for len(rest) > 0 && count < k.max {
			alt := pick(alternatives, rest[0].name)
			if alt == nil {
				break
			}
			if f := alt.check(rest[0]); f != nil {
				return f
			}
			rest, count = rest[1:], count+1
		}
		if count < k.min {
			return &schemaFault{alternatives[0].name, ""}
		}
	}
	if len(rest) > 0 {
		return &schemaFault{rest[0].name.Local, rest[0].text}
	}
	return nil
}

// tolerate returns what a reader without schema makes of n, as the platform's own
// classes do: elements in any order, those it does not know left out, values
// unchecked. Of a valid element that is all of it.
//
//parity:s2 ES/ws/EPaywso2SportelloService/PosizioneDaAggiornareType.java:85-101
func (r rule) tolerate(n *node) *node {
	out := &node{name: n.name, text: n.text}
	if r.leaf != nil {
		return out
	}
	var known []rule
	for _, k := range r.kids {
		if k.name == "" {
			known = append(known, k.kids...)
		} else {
			known = append(known, k)
		}
	}
	for _, k := range n.kids {
		if kr := pick(known, k.name); kr != nil {
			out.kids = append(out.kids, kr.tolerate(k))
		}
	}
	return out
}

func pick(rules []rule, name xml.Name) *rule {
	for i := range rules {
		if rules[i].name == name.Local && rules[i].space == name.Space {
			return &rules[i]
		}
	}
	return nil
}

func req(name string, min, max int, kids ...rule) rule {
	return rule{space: nsRequest, name: name, min: min, max: max, kids: kids}
}

func reqLeaf(name string, min int, leaf func(string) bool) rule {
	return rule{space: nsRequest, name: name, min: min, max: 1, leaf: leaf}
}

func comLeaf(name string, min int, leaf func(string) bool) rule {
	return rule{space: nsCommon, name: name, min: min, max: 1, leaf: leaf}
}

// The grammar of the two requests (Enti2EPaywsoServiceTypes.xsd and
// EPaywsoCommonTypes.xsd, in document order).
var (
	subject = []rule{
		{min: 1, max: 1, kids: []rule{
			{space: nsCommon, name: "PersonaFisica", kids: []rule{
				comLeaf("Cognome", 1, chars(70)),
				comLeaf("Nome", 1, chars(70)),
			}},
			{space: nsCommon, name: "PersonaGiuridica", kids: []rule{
				comLeaf("RagioneSociale", 1, chars(70)),
			}},
		}},
		comLeaf("IdentificativoUnivocoFiscale", 1, chars(35)),
		comLeaf("Indirizzo", 0, chars(70)),
		comLeaf("Civico", 0, chars(16)),
		comLeaf("CAP", 0, chars(16)),
		comLeaf("Localita", 0, chars(35)),
		comLeaf("Provincia", 0, chars(35)),
		comLeaf("Nazione", 0, matches(`[A-Z]{2}`, 2)),
		comLeaf("EMail", 0, matches(`[a-zA-Z0-9_.+\-]+@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*`, 256)),
	}
	component = []rule{
		reqLeaf("Importo", 1, isAmount),
		reqLeaf("CausaleDescrittiva", 1, chars(80)),
		reqLeaf("AnnoAccertamento", 0, number(1900, 2900)),
		reqLeaf("NumeroAccertamento", 0, chars(35)),
	}
	references = []rule{req("Riferimento", 1, 5,
		reqLeaf("Nome", 1, chars(70)),
		reqLeaf("Valore", 1, chars(70)),
	)}
	heading = []rule{
		reqLeaf("IdMessaggio", 1, chars(35)),
		reqLeaf("CFEnteCreditore", 1, chars(35)),
		reqLeaf("CodiceVersamento", 1, chars(4)),
		reqLeaf("MultiBeneficiario", 0, isBoolean),
		reqLeaf("NumeroPosizioniDebitorie", 1, number(1, 999_999)),
	}
	insertRule = req("InserisciListaDiCaricoRequest", 1, 1,
		req("Testata", 1, 1, append(heading[:len(heading):len(heading)],
			reqLeaf("ImportoTotaleListaDiCarico", 1, isAmount))...),
		req("ListaDiCarico", 1, 1, req("PosizioniDaInserire", 1, 1, req("PosizioneDaInserire", 1, 1000,
			reqLeaf("IdPosizioneDebitoria", 1, chars(50)),
			reqLeaf("AnnoRiferimento", 0, number(1900, 2900)),
			reqLeaf("ImportoTotale", 1, isAmount),
			reqLeaf("ImportoPrincipale", 0, isAmount),
			reqLeaf("ImportoSecondarioAltroEnte", 0, isAmount),
			reqLeaf("DataScadenza", 0, isDate),
			reqLeaf("DataInizioValidita", 0, isDate),
			reqLeaf("DataFineValidita", 0, isDate),
			reqLeaf("DescrizioneCausaleVersamento", 1, chars(100)),
			reqLeaf("DescrizioneRata", 0, chars(16)),
			req("ComponentiImporto", 0, 1, req("ComponenteImporto", 1, 5, component...)),
			req("RiferimentiPagamento", 0, 1, references...),
			req("SoggettoPagatore", 1, 1, subject...),
			reqLeaf("NotePerIlPagatore", 0, chars(1000)),
			req("ComponentiImportoSecondario", 0, 1, req("ComponenteImporto", 0, 1, component...)),
		))),
	)
	updateRule = req("AggiornaPosizioniDebitorieRequest", 1, 1,
		req("Testata", 1, 1, heading...),
		req("ElencoPosizioniDaAggiornare", 1, 1, req("PosizioniDaAggiornare", 1, 1, req("PosizioneDaAggiornare", 1, 1000,
			reqLeaf("TipoAggiornamento", 1, matches(`MODIFICA|ANNULLAMENTO`, 12)),
			reqLeaf("IdPosizioneDebitoria", 1, chars(50)),
			reqLeaf("DataScadenza", 0, isDate),
			reqLeaf("DataInizioValidita", 0, isDate),
			reqLeaf("DataFineValidita", 0, isDate),
			reqLeaf("ImportoTotale", 0, isAmount),
			reqLeaf("ImportoPrincipale", 0, isAmount),
			reqLeaf("ImportoSecondarioAltroEnte", 0, isAmount),
			req("ComponentiImporto", 0, 1, req("ComponenteImporto", 1, 5, component...)),
			reqLeaf("DescrizioneCausaleVersamento", 0, chars(100)),
			reqLeaf("Motivazione", 0, chars(400)),
			req("RiferimentiPagamento", 0, 1, references...),
			req("SoggettoPagatore", 0, 1, subject...),
			req("ComponentiImportoSecondario", 0, 1, req("ComponenteImporto", 0, 1, component...)),
		))),
	)
)

// chars accepts 1 to n characters, spaces included.
func chars(n int) func(string) bool {
	return func(s string) bool { l := utf8.RuneCountInString(s); return l >= 1 && l <= n }
}

func matches(pattern string, n int) func(string) bool {
	re := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	return func(s string) bool { return len(s) <= n && re.MatchString(s) }
}

func number(lo, hi int) func(string) bool {
	return func(s string) bool {
		n, err := strconv.Atoi(strings.Trim(s, xmlSpace))
		return err == nil && n >= lo && n <= hi
	}
}

func isBoolean(s string) bool { _, err := parseBool(s); return err == nil }

func isAmount(s string) bool { _, err := parseAmount(s); return err == nil }

func isDate(s string) bool { _, err := parseDate(s); return err == nil }

func parseBool(s string) (bool, error) {
	switch strings.Trim(s, xmlSpace) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errNotXML
}

// parseAmount reads an xs:decimal; there is a negative zero, and it is zero.
func parseAmount(s string) (Cents, error) {
	s = strings.Trim(s, xmlSpace)
	digits, negative := strings.CutPrefix(s, "-")
	if !negative || strings.HasPrefix(digits, "+") {
		return avviso.ParseDecimal(s)
	}
	c, err := avviso.ParseDecimal(digits)
	if err == nil && c != 0 {
		return 0, errNotXML
	}
	return c, err
}

// parseDate reads an xs:date as the instant the platform makes of it: midnight
// of the zone in it, or of Rome's when there is none (piemontepay.md §2.6).
//
//parity:s22 SPORT/InserisciListaDiCarico.java:206 (verificaValiditaPagamento: midnight of the zone given)
func parseDate(s string) (time.Time, error) {
	s = strings.Trim(s, xmlSpace)
	for _, layout := range []string{"2006-01-02Z07:00", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, rome); err == nil {
			if _, offset := t.Zone(); t.Year() < 1 || offset < -14*3600 || offset > 14*3600 {
				return time.Time{}, errNotXML
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, errNotXML
}
