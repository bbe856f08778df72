package ppay

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
)

// readBundle reads the items at path, each for itself.
func readBundle[T any](m *node, read func(*node, multe.CreditorID) (T, bool), path ...string) (*multe.Bundle[T], error) {
	creditor, ok := m.value(maxHeading, "Testata", "CFEnteCreditore")
	if !ok || creditor == "" {
		return nil, errors.New("no heading that tells whose they are")
	}
	b := &multe.Bundle[T]{Creditor: multe.CreditorID(creditor)}
	for _, n := range m.all(path...) {
		if item, ok := read(n, b.Creditor); ok {
			b.Items = append(b.Items, item)
		} else {
			b.Unread++
		}
	}
	return b, nil
}

// readReceipt reads one RT. It needs bytes to keep; what they say is taken as far
// as it can be read.
func readReceipt(n *node, c multe.CreditorID) (multe.Receipt, bool) {
	x, ok := n.one("XML")
	if !ok || x == nil || x.children != nil {
		return multe.Receipt{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(x.text), ""))
	if err != nil || len(raw) == 0 {
		return multe.Receipt{}, false
	}
	id, _ := n.value(maxID, "Id")
	r := ReadReceipt(raw)
	r.Creditor, r.ID = c, id
	if r.IUV == "" {
		r.IUV = iuvOfID(id)
	}
	return r, true
}

// iuvOfID returns the IUV in an Id as the platform makes it: TRT, the IUV and
// seven digits of a clock (MDPS:604-690).
func iuvOfID(id string) string {
	digits, ok := strings.CutPrefix(id, "TRT")
	if !ok || len(digits) != 17+7 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits[:17]
}

// ReadReceipt says what a receipt holds, by the local names of the RT (6.2) and
// of the receipt of newer pagoPA calls. It is pure and never fails: what cannot
// be read is left out, and the bytes are kept whatever they are.
func ReadReceipt(raw []byte) multe.Receipt {
	r := multe.Receipt{Digest: multe.DigestOf(raw), XML: raw}
	root, err := document(raw, maxElements)
	if err != nil {
		return r
	}
	r.IUV = first(root, maxHeading, "identificativoUnivocoVersamento", "creditorReferenceId")
	r.Outcome = first(root, maxHeading, "codiceEsitoPagamento", "outcome")
	r.IUR = first(root, maxIUR, "identificativoUnivocoRiscossione", "receiptId")
	r.PSPName = first(root, maxAnything, "denominazioneAttestante", "PSPCompanyName", "pspCompanyName")
	r.PaidOn = readDay(first(root, maxHeading, "dataEsitoSingoloPagamento", "paymentDateTime", "dataOraMessaggioRicevuta"))
	if psp := find(root, "istitutoAttestante"); psp != nil {
		r.PSP = first(psp, maxHeading, "codiceIdentificativoUnivoco")
	} else {
		r.PSP = first(root, maxHeading, "idPSP")
	}
	if cents, err := avviso.ParseDecimal(first(root, maxHeading, "importoTotalePagato", "paymentAmount")); err == nil {
		r.Cents = cents
	}
	return r
}

// document reads any XML, within the limits of the gate but for that of elements,
// into nodes of whatever namespace.
func document(raw []byte, most int) (*node, error) {
	in := &tagReader{r: bufio.NewReader(bytes.NewReader(raw)), limit: MaxRTMessage}
	d := xml.NewDecoder(in)
	d.CharsetReader = western
	t := tree{any: true}
	for depth, elements := 0, 0; ; {
		tok, err := d.Token()
		switch {
		case in.err != nil:
			return nil, in.err
		case errors.Is(err, io.EOF) && t.root != nil:
			return t.root, nil
		case err != nil:
			return nil, ErrNotXML
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			depth, elements = depth+1, elements+1
			switch {
			case depth > maxDepth:
				return nil, ErrTooDeep
			case elements > most:
				return nil, ErrTooMany
			case len(tok.Attr) > maxAttrs:
				return nil, ErrTagTooLarge
			case depth == 1 && t.root != nil:
				return nil, ErrNotXML
			}
		case xml.EndElement:
			depth--
		default:
			if depth == 0 {
				continue
			}
		}
		t.token(tok)
	}
}

// western reads the one other charset that old receipts are written in.
func western(label string, in io.Reader) (io.Reader, error) {
	if l := strings.ToLower(label); l != "iso-8859-1" && l != "latin1" {
		return nil, ErrNotXML
	}
	bytes, ok := in.(io.ByteReader) // a tagReader, of which nothing else may be asked
	if !ok {
		return nil, ErrNotXML
	}
	return latin1{bytes}, nil
}

// latin1 turns ISO 8859-1, where a byte is its code point, into UTF-8.
type latin1 struct{ in io.ByteReader }

// Read reads one character; the tokenizer buffers.
func (l latin1) Read(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, io.ErrShortBuffer
	}
	c, err := l.in.ReadByte()
	if err != nil {
		return 0, err
	}
	return copy(p, string(rune(c))), nil
}

// find returns the first element with a name, however deep, or nil.
func find(n *node, name string) *node {
	if n.name == name {
		return n
	}
	for _, c := range n.children {
		if f := find(c, name); f != nil {
			return f
		}
	}
	return nil
}

// first returns the text of the first element there is of some names.
func first(n *node, max int, names ...string) string {
	for _, name := range names {
		if f := find(n, name); f != nil {
			v, _ := f.value(max)
			return v
		}
	}
	return ""
}

// readRevocation reads one RichiestaDiRevoca. It needs the IUV. The platform puts
// a placeholder where its XML should be, and its codice versamento is not one
// (piemontepay.md §4.4): neither is looked at.
func readRevocation(n *node, c multe.CreditorID) (multe.Revocation, bool) {
	iuv, ok := n.value(maxHeading, "IUV")
	if !ok || iuv == "" {
		return multe.Revocation{}, false
	}
	field := func(max int, path ...string) string {
		v, _ := n.value(max, path...)
		return v
	}
	r := multe.Revocation{
		Creditor: c, IUV: iuv,
		Type:    field(maxHeading, "TipoRevoca"),
		PSP:     field(maxHeading, "IstitutoAttestante", "IdentificativoUnivocoFiscale"),
		PSPName: field(maxAnything, "IstitutoAttestante", "PersonaGiuridica", "RagioneSociale"),
		AskedOn: readDay(field(maxHeading, "DataOraMessaggioRevoca")),
	}
	for i, part := range n.all("ListaDatiSingolaRevoca", "DatiSingolaRevoca") {
		if i == 0 {
			r.IUR, _ = part.value(maxIUR, "IUR")
			r.Reason, _ = part.value(maxAnything, "Causale")
		}
		amount, _ := part.value(maxHeading, "SingoloImportoRevocato")
		if cents, err := avviso.ParseDecimal(amount); err == nil {
			r.Cents += cents
		}
	}
	if r.Cents == 0 {
		r.Cents, _ = avviso.ParseDecimal(field(maxHeading, "ImportoPagato")) // 0 if that is none either
	}
	said, err := multe.DigestJSON(r)
	if err != nil {
		return multe.Revocation{}, false // impossible: texts and numbers
	}
	r.ID = field(maxHeading, "IdentificativoMessaggioRevoca") + "." + said.String()[:16]
	return r, true
}

// readExpiry reads one AvvisoScaduto. It needs the IUV.
func readExpiry(n *node, c multe.CreditorID) (multe.Expiry, bool) {
	iuv, ok := n.value(maxHeading, "IUV")
	if !ok || iuv == "" {
		return multe.Expiry{}, false
	}
	due, _ := n.value(maxHeading, "DataScadenza")
	amount, _ := n.value(maxHeading, "Importo")
	e := multe.Expiry{Creditor: c, IUV: iuv, DueOn: readDay(due)}
	e.Cents, _ = avviso.ParseDecimal(amount) // 0 if it is none
	return e, true
}
