package ppaysim

import (
	"fmt"
	"strings"
	"time"
)

// lookup is how status and paymentdata find a position; that of another type
// or creditor is not found (SPLIT doGetStatoPosizioneDebitoria). The type's end is
// looked at even here.
func (c restCall) lookup(t tx) (Position, itemFacts, verdict, error) {
	f, err := c.facts(t)
	if err != nil {
		return Position{}, f, verdict{}, err
	}
	if v := firstREST(c, f, restCreditor, restType); v.bad() {
		return Position{}, f, v, nil
	}
	p, found, err := c.position(t)
	if err != nil {
		return Position{}, f, verdict{}, err
	}
	if !found {
		return Position{}, f, inconsistent(fmt.Sprintf("Pagamento non trovato per ente con C.F. %s, codice versamento %s, IUV %s", c.org, c.code, c.iuv)), nil
	}
	return p, f, restMay(c, f), nil
}

// statusBody is Status.
type statusBody struct {
	Code        *string `json:"code"`
	Description *string `json:"description"`
	resultBody
}

func (b statusBody) code() string { return b.Result.Code }

// restPositionStatus: SPLIT doGetStatoPosizioneDebitoria.
//
// parity:S18 SPLIT:744-790
func restPositionStatus(t tx, c restCall) (restAnswer, error) {
	p, f, v, err := c.lookup(t)
	if err != nil || v.bad() {
		return statusBody{resultBody: v.result()}, err
	}
	code, text := statusOf(p, f.now)
	return statusBody{&code, &text, vOK.result()}, nil
}

// statusOf: ES …/v1/ChiamataEsternaSincronaSplitBean.java:744-790. A payment in
// progress is "Non Pagato".
func statusOf(p Position, now time.Time) (code, text string) {
	y, m, d := now.In(rome).Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, rome)
	editable := states[p.State].editable
	switch {
	case p.State == Paid || p.State == WaitSecondRT:
		return "0", "Pagato"
	case p.State == Void:
		return "2", "Annullato dall'ente"
	case editable && !p.From.IsZero() && p.From.After(midnight):
		return "3", "Non ancora attiva"
	case editable && !p.To.IsZero() && p.To.Before(midnight):
		return "4", "Non piu' attiva"
	default:
		return "1", "Non Pagato"
	}
}

// dataBody is PaymentDataResult. importoPagatoTotale is the amount of the
// position, whether paid or not.
type dataBody struct {
	ImportoPagatoTotale            *restAmount `json:"importoPagatoTotale"`
	EnteBeneficiario               *string     `json:"enteBeneficiario"`
	CodiceFiscaleEnteBeneficiario  *string     `json:"codiceFiscaleEnteBeneficiario"`
	TipologiaVersamento            *string     `json:"tipologiaVersamento"`
	ImportoPagato                  *restAmount `json:"importoPagato"`
	DatiMultibeneficiario          []shareBody `json:"datiMultibeneficiario,omitempty"`
	NomeECognomeRagioneSociale     *string     `json:"nomeECognomeRagioneSociale"`
	CodiceFiscalePIva              *string     `json:"codiceFiscalePIva"`
	CodiceAvviso                   *string     `json:"codiceAvviso"`
	IdentificativoUnicoVersamento  *string     `json:"identificativoUnicoVersamento"`
	NumeroTransazione              *string     `json:"numeroTransazione"`
	PrestatoreDiServiziDiPagamento *string     `json:"prestatoreDiServiziDiPagamento"`
	DataEOraOperazione             restTime    `json:"dataEOraOperazione"`
	DataEsitoPagamento             restTime    `json:"dataEsitoPagamento"`
	IdentificativoUnicoRiscossione *string     `json:"identificativoUnicoRiscossione"`
	InfoAggiuntive                 *string     `json:"infoAggiuntive"`
	resultBody
}

// shareBody is PaymentDataMultipayeeResult.
type shareBody struct {
	EnteBeneficiario              string      `json:"enteBeneficiario"`
	CodiceFiscaleEnteBeneficiario string      `json:"codiceFiscaleEnteBeneficiario"`
	TipologiaVersamento           string      `json:"tipologiaVersamento"`
	ImportoPagato                 *restAmount `json:"importoPagato"`
}

// restPaymentData: SPLIT doGetDatiPagamentoChiamanteEsterno.
//
// parity:S18 SPLIT doGetDatiPagamentoChiamanteEsterno
func restPaymentData(t tx, c restCall) (restAnswer, error) {
	p, f, v, err := c.lookup(t)
	if err != nil || v.bad() {
		return dataBody{resultBody: v.result()}, err
	}
	x, _, err := get[restExtra](t, bMeta, extraKey(p.IUV))
	if err != nil {
		return nil, err
	}
	total, name, ente, typ := restAmount(p.Cents), p.Debtor.RagioneSociale, "ENTE "+p.CF, "Codice versamento "+p.Type
	if name == "" {
		name = p.Debtor.Nome + " " + p.Debtor.Cognome
	}
	b := dataBody{
		ImportoPagatoTotale: &total, EnteBeneficiario: &ente, CodiceFiscaleEnteBeneficiario: &p.CF, TipologiaVersamento: &typ, ImportoPagato: (*restAmount)(x.MainCents),
		NomeECognomeRagioneSociale: &name, CodiceFiscalePIva: &p.Debtor.CF, CodiceAvviso: &p.Avviso, IdentificativoUnicoVersamento: &p.IUV, InfoAggiuntive: &p.Causale, resultBody: vOK.result(),
	}
	if f.kind.Multi {
		b.DatiMultibeneficiario = []shareBody{{"ENTE " + x.OtherCF, x.OtherCF, p.Causale, (*restAmount)(x.OtherCents)}}
	}
	if len(p.Payments) > 0 {
		pay, psp := p.Payments[0], "BANCA DI PROVA S.P.A."
		transaction := "TRX" + pay.IUR
		b.NumeroTransazione, b.PrestatoreDiServiziDiPagamento, b.IdentificativoUnicoRiscossione = &transaction, &psp, &pay.IUR
		b.DataEOraOperazione, b.DataEsitoPagamento = restTime{pay.At}, restTime{pay.At}
	}
	return b, nil
}

// activeNow is the query behind a notice and a payment online
// (EpayTPagamento.findByIuvAndActive, jpqlQueries.xml:300-309): both ends
// inclusive; the amount plays no part.
func activeNow(p Position, t PaymentType, now time.Time) bool {
	today := dayOf(now)
	return (p.From.IsZero() || dayOf(p.From) <= today) && (p.To.IsZero() || dayOf(p.To) >= today) &&
		(t.Start.IsZero() || dayOf(t.Start) <= today) && (t.End.IsZero() || dayOf(t.End) >= today) && states[p.State].payable
}

// noticeBody is PaymentNotice.
type noticeBody struct {
	Paymentnotice []byte `json:"paymentnotice"`
	resultBody
}

// restNotice: API/impl/v1/ChiamataEsternaSincronaV1ApiImpl.java:238-313 and SPLIT
// ricercaPagamentoByIUV. Everything is 400, also a caller without the type, and
// the position is sought before the creditor in the path is.
//
// parity:S18 API/impl/v1/ChiamataEsternaSincronaV1ApiImpl.java:238-313
func restNotice(t tx, c restCall) (restAnswer, error) {
	_, p, kind, err := find(t, "", c.iuv)
	if err != nil {
		return nil, err
	}
	f, err := c.facts(t)
	if err != nil {
		return nil, err
	}
	refused := func(text string) (restAnswer, error) {
		return noticeBody{resultBody: verdict{"400", text}.result()}, nil
	}
	switch {
	case p.IUV == "":
		return refused("Codice IUV inesistente")
	case !activeNow(p, kind, f.now):
		return refused("Codice Iuv riferito a pagamento effettuato, annullato o in attesa di ricevuta oppure non piu' valido perche' scaduto.")
	}
	if v := firstREST(c, f, restCreditor, restType, restNotShared, restMay); v.bad() {
		return refused(v.Text)
	}
	if p.Cents > maxNotice {
		return refused("Importo dovuto superiore al max consentito: 999999.99")
	}
	return noticeBody{tinyPDF("Avviso " + p.Avviso + ", euro " + p.Cents.Decimal() + ", " + p.Causale), vOK.result()}, nil
}

// maxNotice is Constants.MAX_IMPORTO.
const maxNotice Cents = 99_999_999

// tinyPDF is a valid PDF of one page with one line of text.
func tinyPDF(line string) []byte {
	safe := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, line)
	text := "BT /F 10 Tf 40 800 Td (" + strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`).Replace(safe) + ") Tj ET"
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, object := range []string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(text), text),
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
	} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return []byte(b.String())
}

// rtInput is the body of POST /rt.
type rtInput struct {
	IdentificativoPagamento string `json:"identificativoPagamento"`
	CodiceFiscale           string `json:"codiceFiscale"`
	IUV                     string `json:"iuv"`
	FormatoRT               string `json:"formatoRT"`
	CodiceFiscaleEnte       string `json:"codiceFiscaleEnte"`
}

// rtBody is the answer to POST /rt.
type rtBody struct {
	esitoBody
	IdentificativoPagamento   string  `json:"identificativoPagamento"`
	DescrizioneStatoPagamento string  `json:"descrizioneStatoPagamento"`
	IuvOriginario             string  `json:"iuvOriginario"`
	IuvEffettivo              string  `json:"iuvEffettivo"`
	RicevutaPdf               []byte  `json:"ricevutaPdf"`
	RtXML                     []byte  `json:"rtXml"`
	Ricevuta                  *string `json:"ricevuta"`
}

// restRT: OLD:720-883, doGetRTChiamanteEsterno, in its order. Without a payment
// the register's row has no outcome, which the source follows all the same: 100
// (an inference). Payments here have come as receipts (modality 5): no XML.
//
// parity:S18 OLD:720-883
func restRT(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[rtInput](c.body)
	if err != nil {
		return nil, err
	}
	out := rtBody{IdentificativoPagamento: b.IdentificativoPagamento}
	refuse := func(v verdict) (restAnswer, error) {
		out.esitoBody = v.esito()
		return out, nil
	}
	if v := rtInputRules(b); v.bad() {
		return refuse(v)
	}
	_, p, _, err := find(t, "", b.IUV)
	if err != nil {
		return nil, err
	}
	switch {
	case p.IUV == "":
		return refuse(inconsistent("Pagamento con iuv: [ " + b.IUV + " ] non presente su Sportello"))
	case b.IdentificativoPagamento != p.ID:
		return refuse(inconsistent("Identificativo pagamento: [ " + b.IdentificativoPagamento + " ] non associato allo IUV"))
	case b.CodiceFiscale != p.Debtor.CF:
		return refuse(inconsistent("Pagamento con iuv : [" + b.IUV + " ] non associato al codice fiscale ricevuto"))
	case b.CodiceFiscaleEnte != p.CF:
		return refuse(inconsistent("Pagamento con iuv : [" + b.IUV + "] non associato al codice fiscale ente ricevuto"))
	case len(p.Payments) == 0:
		return refuse(failed("Errore generico"))
	}
	kind := "RECEIPT"
	out.esitoBody, out.DescrizioneStatoPagamento, out.IuvOriginario, out.IuvEffettivo, out.Ricevuta = vOK.esito(), "Successo", p.IUV, p.IUV, &kind
	if strings.EqualFold(b.FormatoRT, "PDF") {
		out.RicevutaPdf = tinyPDF("Ricevuta " + p.IUV + ", euro " + p.Payments[0].Cents.Decimal())
	}
	return out, nil
}

// rtInputRules: OLD validaInputRT.
func rtInputRules(b rtInput) verdict {
	for _, r := range []struct {
		fine bool
		text string
	}{
		{!blank(b.IdentificativoPagamento), "Il campo identificativoPagamento e' obbligatorio"},
		{!blank(b.CodiceFiscale), "Il campo codiceFiscale e' obbligatorio"},
		{alnum.MatchString(b.CodiceFiscale), "Il campo codiceFiscale contiene caratteri non accettati"},
		{!blank(b.IUV), "Il campo IUV e' obbligatorio"},
		{alnum.MatchString(b.IUV), "Il campo iuv contiene caratteri non accettati"},
		{!blank(b.FormatoRT), "Il campo formato RT e' obbligatorio"},
		{!blank(b.CodiceFiscaleEnte), "Il campo codiceFiscaleEnte e' obbligatorio"},
		{alnum.MatchString(b.CodiceFiscaleEnte), "Il campo codice fiscale ente contiene caratteri non accettati"},
		{strings.EqualFold(b.FormatoRT, "PDF") || strings.EqualFold(b.FormatoRT, "XML"), "Il campo formato RT non e' valorizzato correttamente: " + b.FormatoRT},
	} {
		if !r.fine {
			return inconsistent(r.text)
		}
	}
	return verdict{}
}
