package ppay

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/wsdl/epaywso"
)

// maxFlowElements bounds the document inside of a flow: at the 17 elements of a
// complete row, twenty thousand payments, which are the 12 MiB that a message
// has room for.
const maxFlowElements = 400_000

// maxRowCents is the largest amount of one payment (FlussoRiversamento_1_0_4.xsd
// stImporto, 12 digits). It also keeps the sum of a flow within 64 bits.
const maxRowCents = 999_999_999_999

// rowCents reads the amount of a row, which may be negative.
func rowCents(s string) (multe.Cents, bool) {
	c, err := avviso.ParseSigned(s)
	if err != nil || c > maxRowCents || c < -maxRowCents {
		return 0, false
	}
	return c, true
}

// flowKind returns the kind of a message that carries a flow, by the name of its
// body element. Services are called under their own namespace or that of their
// types. With provvisori the flow comes as elements and not in base64.
func flowKind(name xml.Name) (string, bool) {
	switch space := strings.TrimSuffix(name.Space, "/types"); {
	case name.Local == epaywso.OpTrasmettiFlussiPagoPA+"Request" &&
		(space == strings.TrimSuffix(epaywso.NSEPayFlussiCompletiPSP, "/types") || space == strings.TrimSuffix(epaywso.NSEPayRiconciliazioneVersamentiPSP, "/types")):
		return epaywso.OpTrasmettiFlussiPagoPA, true
	case name.Local == epaywso.OpTrasmettiFlussoRendicontazione+"Request" && space == epaywso.NSServiziRendicontazione:
		return epaywso.OpTrasmettiFlussoRendicontazione, true
	}
	return KindUnknown, false
}

// answerTo returns the envelope that answers a call. That to a TrasmettiFlussiPagoPA is an
// element of its own, everywhere else it is EPaywsoServiceResponse. A message
// that was refused may have no name; then the soapAction tells.
func answerTo(name xml.Name, action, code, message string) ([]byte, error) {
	result := epaywso.ResultType{Codice: code, Messaggio: message}
	action = strings.Trim(action, `"`)
	switch {
	case name.Space == epaywso.NSEPayRiconciliazioneVersamentiPSP && name.Local == epaywso.OpTrasmettiFlussiPagoPA+"Request",
		name == xml.Name{} && action == epaywso.ActionRiconciliazioneTrasmettiFlussiPagoPA:
		return envelope(epaywso.RiconciliazioneTrasmettiFlussiPagoPAResponse{Result: epaywso.RiconciliazioneResultType(result)})
	case name.Local == epaywso.OpTrasmettiFlussiPagoPA+"Request", name == xml.Name{} && action == epaywso.ActionTrasmettiFlussiPagoPA:
		return envelope(epaywso.TrasmettiFlussiPagoPAResponse{Result: result})
	}
	return envelope(epaywso.EPaywsoServiceResponse{Result: result})
}

// readFlow reads what a message says about a flow. It needs whose flow it is and
// which; of the document inside, rows that cannot be read are counted.
func readFlow(kind string, m *node) (*multe.FlussoTold, error) {
	doc, head := "FlussoCompleto", "Testata"
	if kind == epaywso.OpTrasmettiFlussoRendicontazione {
		doc = "FlussoRiversamento"
	}
	inner, ok := m.one(doc)
	switch {
	case !ok:
		return nil, errors.New("two documents")
	case inner == nil && len(m.all("TestataFlusso")) > 0:
		inner, head = m, "TestataFlusso"
	case inner == nil || inner.children != nil:
		return nil, errors.New("no document")
	default:
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(inner.text), ""))
		if err != nil {
			return nil, errors.New("the document is not base64")
		}
		if inner, err = document(raw, maxFlowElements); err != nil {
			return nil, err
		}
	}
	t := &multe.FlussoTold{}
	if kind == epaywso.OpTrasmettiFlussoRendicontazione {
		readRiversamento(t, inner)
	} else {
		readCompleto(t, inner)
	}
	// What names the flow stands in the heading, and again inside.
	for _, f := range []struct {
		to   *string
		name string
	}{
		{(*string)(&t.Creditor), "CFEnteCreditore"},
		{&t.PSP, "IdPSP"},
		{&t.Name, "IdentificativoFlusso"},
	} {
		v, ok := m.value(maxHeading, head, f.name)
		if !ok {
			return nil, errors.New("an ambiguous heading")
		}
		if v != "" {
			*f.to = v
		}
	}
	if t.Creditor == "" || t.Name == "" {
		return nil, errors.New("no heading that tells which flow it is")
	}
	return t, nil
}

// texts returns the values of elements, "" for one that cannot be told.
func texts(n *node) func(max int, path ...string) string {
	return func(max int, path ...string) string {
		v, _ := n.value(max, path...)
		return v
	}
}

// totals takes over what a flow declares.
func totals(h *multe.FlussoHead, count, cents string) {
	var err1, err2 error
	h.Count, err1 = strconv.Atoi(count)
	h.Cents, err2 = avviso.ParseSigned(cents)
	if err1 != nil || err2 != nil || h.Count < 0 {
		h.Count, h.Cents, h.Undeclared = 0, 0, true
	}
}

// readCompleto reads a FlussoCompleto by local names: the platform does not send
// the root of its schema, and puts everything in another namespace (piemontepay.md
// §6.1).
func readCompleto(t *multe.FlussoTold, doc *node) {
	field := texts(doc)
	t.FlussoHead = multe.FlussoHead{
		Kind:      multe.FlussoCompleto,
		PSP:       field(maxHeading, "TestataFlusso", "IdPSP"),
		PSPName:   field(maxAnything, "TestataFlusso", "DenominazionePSP"),
		Name:      field(maxHeading, "TestataFlusso", "IdentificativoFlusso"),
		TRN:       field(maxAnything, "TestataFlusso", "IdentificativoUnivocoRegolamento"),
		SettledOn: readDay(field(maxHeading, "TestataFlusso", "DataRegolamento")),
	}
	t.Creditor = multe.CreditorID(field(maxHeading, "TestataFlusso", "CFEnteCreditore"))
	totals(&t.FlussoHead, field(maxHeading, "TestataFlusso", "NumeroTotalePagamentiFlusso"), field(maxHeading, "TestataFlusso", "ImportoTotalePagamentiFlusso"))
	for _, s := range doc.all("RigheSintesi", "SingolaRigaSintesi") {
		field := texts(s)
		quota, ok := rowCents(field(maxHeading, "ImportoQuotaAggregazione"))
		if !ok {
			t.Unread++
		}
		t.QuotaCents += quota
		number := field(maxHeading, "AccertamentoNumero")
		if number == "" {
			number = field(maxHeading, "AccertamentoNro") // with provvisori
		}
		for _, d := range s.all("RigheDettaglio", "SingolaRigaDettaglio") {
			row, ok := readRow(d, rowNames{
				iuv: "IdentificativoUnivocoVersamento", iur: "IdentificativoUnivocoRiscossione", index: "IndiceSingoloVersamento",
				cents: "ImportoSingoloVersamento", outcome: "EsitoPagamento", paid: "DataPagamento",
			})
			if !ok {
				t.Unread++
				continue
			}
			row.CodiceVersamento = field(maxHeading, "CodiceVersamento")
			row.Capitolo = field(maxAnything, "Capitolo")
			row.Articolo = field(maxAnything, "Articolo")
			row.PdC = field(maxAnything, "PdC")
			row.AccertamentoYear = positive(field(maxHeading, "AccertamentoAnno"))
			row.AccertamentoNumber = positive(number)
			t.Rows = append(t.Rows, row)
		}
	}
}

// readRiversamento reads a FlussoRiversamento.
func readRiversamento(t *multe.FlussoTold, doc *node) {
	field := texts(doc)
	t.FlussoHead = multe.FlussoHead{
		Kind:      multe.FlussoRiversamento,
		PSP:       field(maxHeading, "istitutoMittente", "identificativoUnivocoMittente", "codiceIdentificativoUnivoco"),
		PSPName:   field(maxAnything, "istitutoMittente", "denominazioneMittente"),
		Name:      field(maxHeading, "identificativoFlusso"),
		TRN:       field(maxAnything, "identificativoUnivocoRegolamento"),
		SettledOn: readDay(field(maxHeading, "dataRegolamento")),
	}
	t.Creditor = multe.CreditorID(field(maxHeading, "istitutoRicevente", "identificativoUnivocoRicevente", "codiceIdentificativoUnivoco"))
	totals(&t.FlussoHead, field(maxHeading, "numeroTotalePagamenti"), field(maxHeading, "importoTotalePagamenti"))
	for _, d := range doc.all("datiSingoliPagamenti") {
		row, ok := readRow(d, rowNames{
			iuv: "identificativoUnivocoVersamento", iur: "identificativoUnivocoRiscossione", index: "indiceDatiSingoloPagamento",
			cents: "singoloImportoPagato", outcome: "codiceEsitoSingoloPagamento", paid: "dataEsitoSingoloPagamento",
		})
		if !ok {
			t.Unread++
			continue
		}
		t.Rows = append(t.Rows, row)
	}
}

// rowNames are what the two documents call the parts of a payment.
type rowNames struct{ iuv, iur, index, cents, outcome, paid string }

// maxFlowIUV is what FlussoCompleto allows for an IUV and for an IUR.
const maxFlowIUV = 70

// readRow reads one payment. It needs an IUV and an amount.
func readRow(n *node, names rowNames) (multe.FlussoRow, bool) {
	iuv, ok1 := n.value(maxFlowIUV, names.iuv)
	iur, ok2 := n.value(maxFlowIUV, names.iur)
	amount, ok3 := n.value(maxHeading, names.cents)
	cents, ok4 := rowCents(amount)
	if !ok1 || !ok2 || !ok3 || !ok4 || iuv == "" {
		return multe.FlussoRow{}, false
	}
	field := texts(n)
	r := multe.FlussoRow{
		IUV: iuv, IUR: iur, Index: positive(field(maxHeading, names.index)), Cents: cents,
		Outcome: multe.FlussoPaid, PaidOn: readMoment(field(maxHeading, names.paid)),
	}
	switch field(maxFlowIUV, names.outcome) {
	case "3":
		r.Outcome = multe.FlussoRevoked
	case "9":
		r.Outcome = multe.FlussoNoRPT
	}
	if cents < 0 {
		r.Outcome = multe.FlussoRevoked // whatever it says: the money went back
	}
	return r, true
}

// positive reads a number of at most nine digits; what is none is 0.
func positive(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 999_999_999 {
		return 0
	}
	return n
}

// readMoment reads the civil day in Rome of an xs:dateTime, or an xs:date.
func readMoment(s string) multe.Day {
	var t epaywso.DateTime
	if err := t.UnmarshalText([]byte(s)); err != nil {
		return readDay(s)
	}
	return multe.DayOf(t.Time)
}
