package ppay_test

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/wsdl/epaywso"
)

// completo wraps a document in a TrasmettiFlussiPagoPA, as the platform sends it.
func completo(doc string) string {
	return soap(`<f:TrasmettiFlussiPagoPARequest xmlns:f="` + epaywso.NSEPayFlussiCompletiPSP + `"><f:Testata><f:IdMessaggio>2026-11-24-03:00:00.123-00000000042</f:IdMessaggio>` +
		`<f:CFEnteCreditore>01234567890</f:CFEnteCreditore><f:IdentificativoFlusso>F1</f:IdentificativoFlusso><f:DataOraFlusso>2026-11-24T03:00:00</f:DataOraFlusso><f:IdPSP>ABI1</f:IdPSP></f:Testata>` +
		`<f:FlussoCompleto>` + base64.StdEncoding.EncodeToString([]byte(doc)) + `</f:FlussoCompleto><f:DatiAggiuntivi><f:ElencoCodiciVersamento><f:CodiceVersamento>MU01</f:CodiceVersamento>` +
		`<f:CodiceVersamento>MU01</f:CodiceVersamento></f:ElencoCodiciVersamento></f:DatiAggiuntivi></f:TrasmettiFlussiPagoPARequest>`)
}

func rendicontazione(doc string) string {
	return soap(`<r:TrasmettiFlussoRendicontazioneRequest xmlns:r="` + epaywso.NSServiziRendicontazione + `"><r:Testata><r:IdMessaggio>1</r:IdMessaggio><r:CFEnteCreditore>01234567890</r:CFEnteCreditore>` +
		`<r:IdPSP>ABI1</r:IdPSP><r:IdentificativoFlusso>F1</r:IdentificativoFlusso></r:Testata><r:FlussoRiversamento>` + base64.StdEncoding.EncodeToString([]byte(doc)) +
		`</r:FlussoRiversamento></r:TrasmettiFlussoRendicontazioneRequest>`)
}

// inner is a document with the root that the platform really sends.
func inner(head, rows string) string {
	return `<c:flussoCompletoType xmlns:c="` + epaywso.NSCommon + `"><c:TestataFlusso>` + head + `</c:TestataFlusso><c:RigheSintesi>` + rows + `</c:RigheSintesi></c:flussoCompletoType>`
}

const heading = `<c:DenominazionePSP>Banca</c:DenominazionePSP><c:IdentificativoUnivocoRegolamento>TRN1</c:IdentificativoUnivocoRegolamento><c:DataRegolamento>2026-11-24+01:00</c:DataRegolamento>` +
	`<c:NumeroTotalePagamentiFlusso>2</c:NumeroTotalePagamentiFlusso><c:ImportoTotalePagamentiFlusso>30.00</c:ImportoTotalePagamentiFlusso>`

// synthesis is one row of the synthesis with what stands in its payments.
func synthesis(payments ...string) string {
	var b strings.Builder
	for _, p := range payments {
		b.WriteString(`<c:SingolaRigaDettaglio>` + p + `</c:SingolaRigaDettaglio>`)
	}
	return `<c:SingolaRigaSintesi><c:CodiceVersamento>MU01</c:CodiceVersamento><c:ImportoQuotaAggregazione>30.00</c:ImportoQuotaAggregazione><c:Capitolo>3020</c:Capitolo>` +
		`<c:AccertamentoAnno>2026</c:AccertamentoAnno><c:AccertamentoNumero>77</c:AccertamentoNumero><c:RigheDettaglio>` + b.String() + `</c:RigheDettaglio></c:SingolaRigaSintesi>`
}

// detail is one payment without AnagraficaPagatore, as the platform leaves it out.
func detail(iuv, iur, amount, outcome, paid string) string {
	return `<c:DataPagamento>` + paid + `</c:DataPagamento><c:EsitoPagamento>` + outcome + `</c:EsitoPagamento><c:ImportoSingoloVersamento>` + amount + `</c:ImportoSingoloVersamento>` +
		`<c:IndiceSingoloVersamento>1</c:IndiceSingoloVersamento><c:IdentificativoUnivocoVersamento>` + iuv + `</c:IdentificativoUnivocoVersamento>` +
		`<c:IdentificativoUnivocoRiscossione>` + iur + `</c:IdentificativoUnivocoRiscossione>`
}

func flowOf(t *testing.T, raw string) *multe.FlussoTold {
	t.Helper()
	e, err := ppay.Read([]byte(raw))
	if err != nil || e.Flusso == nil {
		t.Fatalf("read: %+v, %v", e, err)
	}
	if e.Creditor() != e.Flusso.Creditor || e.Creditor() == "" {
		t.Errorf("creditor %q", e.Creditor())
	}
	return e.Flusso
}

func TestReadFlow(t *testing.T) {
	noon := "2026-11-23T12:00:00"
	got := flowOf(t, completo(inner(heading, synthesis(
		detail("I1", "R1", "42.00", "0", noon),
		detail("I2", "R2", "-12.00", "0", "2026-11-22T23:30:00Z"), // the 23rd in Rome
		detail("I3", "", "12", "3", "2026-11-23"),
		detail("I4", "R4", "1.50", "9", "ieri"),
		detail("", "R5", "1.00", "0", noon),
		detail("I6", "R6", "1.005", "0", noon),
		detail("I7", "R7", "100000000000.00", "0", noon),
		`<c:AnagraficaPagatore><c:PersonaFisica><c:Cognome>Segreto</c:Cognome></c:PersonaFisica></c:AnagraficaPagatore>`+detail("I8", "R8", "0.01", "PAGATO", noon),
		detail("I9", "R9", "1.00", "0", noon)+`<c:ImportoSingoloVersamento>2.00</c:ImportoSingoloVersamento>`))))
	day := multe.Day{Year: 2026, Month: 11, Day: 23}
	row := func(iuv, iur string, cents multe.Cents, outcome multe.FlussoOutcome, on multe.Day) multe.FlussoRow {
		return multe.FlussoRow{IUV: iuv, IUR: iur, Index: 1, Cents: cents, Outcome: outcome, PaidOn: on, CodiceVersamento: "MU01", Capitolo: "3020", AccertamentoYear: 2026, AccertamentoNumber: 77}
	}
	want := &multe.FlussoTold{
		Creditor: "01234567890",
		FlussoHead: multe.FlussoHead{Kind: multe.FlussoCompleto, PSP: "ABI1", PSPName: "Banca", Name: "F1", TRN: "TRN1", SettledOn: multe.Day{Year: 2026, Month: 11, Day: 24},
			Count: 2, Cents: 3000, QuotaCents: 3000, Unread: 4},
		Rows: []multe.FlussoRow{
			row("I1", "R1", 4200, multe.FlussoPaid, day), row("I2", "R2", -1200, multe.FlussoRevoked, day), row("I3", "", 1200, multe.FlussoRevoked, day),
			row("I4", "R4", 150, multe.FlussoNoRPT, multe.Day{}), row("I8", "R8", 1, multe.FlussoPaid, day),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flow (-want +got):\n%s", diff)
	}
}

// TestReadFlowLeniently changes how the same flow is written; what it says is the
// same, or said to be missing.
func TestReadFlowLeniently(t *testing.T) {
	rows := synthesis(detail("I1", "R1", "30.00", "0", "2026-11-23T12:00:00"))
	plain := flowOf(t, completo(inner(heading, rows)))
	for name, raw := range map[string]string{
		"the root of the schema":   completo(strings.ReplaceAll(strings.ReplaceAll(inner(heading, rows), "flussoCompletoType", "FlussoCompleto"), epaywso.NSCommon, epaywso.NSFlussoCompleto)),
		"no namespace":             completo(strings.ReplaceAll(strings.ReplaceAll(inner(heading, rows), "c:", ""), ` xmlns:c="`+epaywso.NSCommon+`"`, "")),
		"a declaration":            completo(xml.Header + inner(heading, rows)),
		"broken lines of base64":   strings.Replace(completo(inner(heading, rows)), "<f:FlussoCompleto>", "<f:FlussoCompleto>\r\n ", 1),
		"the service's namespace":  strings.Replace(completo(inner(heading, rows)), epaywso.NSEPayFlussiCompletiPSP, strings.TrimSuffix(epaywso.NSEPayFlussiCompletiPSP, "/types"), 1),
		"a row without payments":   completo(inner(heading, rows+`<c:SingolaRigaSintesi><c:ImportoQuotaAggregazione>0.00</c:ImportoQuotaAggregazione></c:SingolaRigaSintesi>`)),
		"names of the flow inside": completo(inner(heading+`<c:IdPSP>other</c:IdPSP><c:IdentificativoFlusso>other</c:IdentificativoFlusso><c:CFEnteCreditore>other</c:CFEnteCreditore>`, rows)),
	} {
		if diff := cmp.Diff(plain, flowOf(t, raw)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	bare := flowOf(t, strings.Replace(completo(inner(`<c:IdPSP>P9</c:IdPSP>`, "")), "<f:IdPSP>ABI1</f:IdPSP>", "", 1))
	if bare.PSP != "P9" || !bare.Undeclared || bare.Rows != nil || !bare.SettledOn.IsZero() {
		t.Errorf("a bare flow: %+v", bare)
	}
	// With provvisori the flow is not in base64.
	with := soap(`<v:TrasmettiFlussiPagoPARequest xmlns:v="` + epaywso.NSEPayRiconciliazioneVersamentiPSP + `" xmlns:c="` + epaywso.NSEPayRiconciliazioneVersamentiPSP + `">` +
		`<v:TestataFlusso><v:CFEnteCreditore>01234567890</v:CFEnteCreditore><v:IdPSP>ABI1</v:IdPSP><v:IdentificativoFlusso>F1</v:IdentificativoFlusso>` + heading + `</v:TestataFlusso><v:RigheSintesi>` +
		strings.ReplaceAll(rows, "AccertamentoNumero", "AccertamentoNro") + `</v:RigheSintesi></v:TrasmettiFlussiPagoPARequest>`)
	if diff := cmp.Diff(plain, flowOf(t, with)); diff != "" {
		t.Errorf("with provvisori:\n%s", diff)
	}
}

func TestReadRiversamento(t *testing.T) {
	doc := `<p:FlussoRiversamento xmlns:p="` + epaywso.NSFlussoRiversamento + `"><p:identificativoFlusso>inside</p:identificativoFlusso><p:identificativoUnivocoRegolamento>TRN1</p:identificativoUnivocoRegolamento>` +
		`<p:dataRegolamento>2026-11-24</p:dataRegolamento><p:istitutoMittente><p:denominazioneMittente>Banca</p:denominazioneMittente></p:istitutoMittente>` +
		`<p:numeroTotalePagamenti>2</p:numeroTotalePagamenti><p:importoTotalePagamenti>-2.00</p:importoTotalePagamenti>` +
		`<p:datiSingoliPagamenti><p:identificativoUnivocoVersamento>I1</p:identificativoUnivocoVersamento><p:identificativoUnivocoRiscossione>R1</p:identificativoUnivocoRiscossione>` +
		`<p:singoloImportoPagato>-2.00</p:singoloImportoPagato><p:codiceEsitoSingoloPagamento>3</p:codiceEsitoSingoloPagamento><p:dataEsitoSingoloPagamento>2026-11-23</p:dataEsitoSingoloPagamento></p:datiSingoliPagamenti>` +
		`<p:datiSingoliPagamenti/></p:FlussoRiversamento>`
	want := &multe.FlussoTold{Creditor: "01234567890",
		FlussoHead: multe.FlussoHead{Kind: multe.FlussoRiversamento, PSP: "ABI1", PSPName: "Banca", Name: "F1", TRN: "TRN1", SettledOn: multe.Day{Year: 2026, Month: 11, Day: 24}, Count: 2, Cents: -200, Unread: 1},
		Rows:       []multe.FlussoRow{{IUV: "I1", IUR: "R1", Cents: -200, Outcome: multe.FlussoRevoked, PaidOn: multe.Day{Year: 2026, Month: 11, Day: 23}}}}
	if diff := cmp.Diff(want, flowOf(t, rendicontazione(doc))); diff != "" {
		t.Errorf("flow (-want +got):\n%s", diff)
	}
}

// TestPublishedFlows reads the published examples as they would arrive.
func TestPublishedFlows(t *testing.T) {
	const examples = "../../../shared/contract/examples"
	if _, err := os.Stat(examples); err != nil {
		t.Skip("the published contract is not here")
	}
	for name, want := range map[string]string{ // rows, sum, unread
		"92-rendicontazione-min.xml":                 "1 4200 0 true",
		"93-rendicontazione-2-codici.xml":            "2 8400 0 true",
		"96-flussi-completi-request-min.xml":         "0 0 0 false",
		"97-flussi-completi-request-come-emessa.xml": "1 4200 0 false",
		"a0-riconciliazione-flussi-min.xml":          "0 0 0 false",
		"a1-riconciliazione-flussi-max.xml":          "1 4200 0 true",
	} {
		doc, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			t.Fatal(err)
		}
		f := flowOf(t, soap(strings.TrimPrefix(string(doc), `<?xml version="1.0" encoding="UTF-8"?>`)))
		var sum multe.Cents
		for _, r := range f.Rows {
			sum += r.Cents
		}
		if got := fmt.Sprint(len(f.Rows), sum, f.Unread, f.Count == len(f.Rows) && f.Cents == sum); got != want || f.Name != "2026-11-24ABI12345-0000000001" || f.TRN != "TRN0000000001" || f.PSP != "ABI12345" {
			t.Errorf("%s: %s, %+v; want %s", name, got, f.FlussoHead, want)
		}
	}
}

// TestHostileFlows: what is inside passes the same gate as what is outside, and
// no error tells anything of it.
func TestHostileFlows(t *testing.T) {
	const canary = "canarino"
	for name, raw := range map[string]string{
		"document type":       completo(`<!DOCTYPE a [<!ENTITY x "` + canary + `">]><a>&x;</a>`),
		"billion laughs":      completo(`<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>` + inner("&b;", "")),
		"instruction":         completo(`<a/><?php echo ` + "`" + canary + "`" + `?>`),
		"deep":                completo(strings.Repeat("<a>", 33) + canary + strings.Repeat("</a>", 33)),
		"deep beyond a stack": completo(strings.Repeat("<a>", 100_000)),
		"too many elements":   completo("<a>" + strings.Repeat("<b/>", 400_000) + "</a>"),
		"huge tag":            completo(`<a b="` + strings.Repeat("x", 9<<10) + `"/>`),
		"not XML":             completo(canary),
		"two roots":           completo("<a/><b/>"),
		"nothing":             completo(""),
		"base64 of base64":    completo(base64.StdEncoding.EncodeToString([]byte("<a/>"))),
		"no base64":           strings.Replace(completo("<a/>"), "<f:FlussoCompleto>", "<f:FlussoCompleto>%"+canary, 1),
		"elements in base64":  strings.Replace(completo("<a/>"), "<f:FlussoCompleto>", "<f:FlussoCompleto><f:x>"+canary+"</f:x>", 1),
		"two documents":       strings.Replace(completo("<a/>"), "<f:FlussoCompleto>", "<f:FlussoCompleto>AA==</f:FlussoCompleto><f:FlussoCompleto>", 1),
		"no document":         strings.Replace(rendicontazione("<a/>"), "FlussoRiversamento>", "Flusso>", 2),
		"no flow is named":    strings.Replace(completo("<a/>"), "<f:IdentificativoFlusso>F1</f:IdentificativoFlusso>", "", 1),
		"whose it is twice":   strings.Replace(completo("<a/>"), "<f:IdPSP>", "<f:CFEnteCreditore>1</f:CFEnteCreditore><f:IdPSP>", 1),
	} {
		e, err := ppay.Read([]byte(raw))
		if !errors.Is(err, fault.Invalid) || e.Flusso != nil || strings.Contains(fmt.Sprint(err), canary) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	// What is large but within the limits is read.
	empty := flowOf(t, completo(inner(heading, synthesis(strings.Split(strings.Repeat(",", 99_999), ",")...))))
	if empty.Unread != 100_000 || empty.Rows != nil {
		t.Errorf("%d empty rows, %d rows", empty.Unread, len(empty.Rows))
	}
	long := make([]string, 5_000)
	for i := range long {
		long[i] = detail(fmt.Sprint("I", i), fmt.Sprint("R", i), "9999999999.99", "0", "2026-11-23")
	}
	if f := flowOf(t, completo(inner(heading, synthesis(long...)))); len(f.Rows) != len(long) || f.Rows[4_999].IUV != "I4999" {
		t.Errorf("%d rows", len(f.Rows))
	}
}

// TestListenerAnswersFlows: 000 acquires a flow, and stands in the element that
// the operation has.
func TestListenerAnswersFlows(t *testing.T) {
	with := soap(`<v:TrasmettiFlussiPagoPARequest xmlns:v="` + epaywso.NSEPayRiconciliazioneVersamentiPSP + `"/>`)
	big := completo(strings.Repeat("x", 13<<20))
	for name, test := range map[string]struct {
		body, action string
		recv         error
		space, local string
		code, kind   string
	}{
		"completo":        {completo("<a/>"), "", nil, epaywso.NSEPayFlussiCompletiPSP, "TrasmettiFlussiPagoPAResponse", "000", "TrasmettiFlussiPagoPA"},
		"not stored":      {completo("<a/>"), "", errors.New("disk"), epaywso.NSEPayFlussiCompletiPSP, "TrasmettiFlussiPagoPAResponse", "200", ""},
		"with provvisori": {with, "", nil, epaywso.NSEPayRiconciliazioneVersamentiPSP, "TrasmettiFlussiPagoPAResponse", "000", "TrasmettiFlussiPagoPA"},
		"rendicontazione": {rendicontazione("<a/>"), "", nil, epaywso.NSCommon, "EPaywsoServiceResponse", "000", "TrasmettiFlussoRendicontazione"},
		"too large":       {big, epaywso.ActionTrasmettiFlussiPagoPA, nil, epaywso.NSEPayFlussiCompletiPSP, "TrasmettiFlussiPagoPAResponse", "101", ""},
		"not SOAP":        {"<a/>", epaywso.ActionRiconciliazioneTrasmettiFlussiPagoPA, nil, epaywso.NSEPayRiconciliazioneVersamentiPSP, "TrasmettiFlussiPagoPAResponse", "101", ""},
		"not SOAP either": {"<a/>", "", nil, epaywso.NSCommon, "EPaywsoServiceResponse", "101", ""},
		"5 MiB":           {completo(strings.Repeat("x", 4<<20)), "", nil, epaywso.NSEPayFlussiCompletiPSP, "TrasmettiFlussiPagoPAResponse", "000", "TrasmettiFlussiPagoPA"},
	} {
		t.Run(name, func(t *testing.T) {
			k := &keeper{err: test.recv}
			r := call(strings.NewReader(test.body))
			r.ContentLength = -1
			r.Header.Set("SOAPAction", `"`+test.action+`"`)
			w := httptest.NewRecorder()
			ppay.NewListener(k, trusted).ServeHTTP(w, r)
			var e struct {
				Body struct {
					Answer struct {
						XMLName xml.Name
						Result  epaywso.ResultType `xml:"http://www.csi.it/epay/epaywso/types Result"`
					} `xml:",any"`
				} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
			}
			if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 200 {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			if a := e.Body.Answer; a.XMLName != (xml.Name{Space: test.space, Local: test.local}) || a.Result.Codice != test.code {
				t.Errorf("answer %+v", a)
			}
			if test.kind != "" && (len(k.raws) != 1 || k.kinds[0] != test.kind || !bytes.Equal(k.raws[0], []byte(test.body))) {
				t.Errorf("kept %v", k.kinds)
			}
		})
	}
}

// FuzzFlow: whatever is inside, reading ends, tells nothing in its error, and
// gives only rows that can be stored and summed.
func FuzzFlow(f *testing.F) {
	f.Add([]byte(inner(heading, synthesis(detail("I1", "R1", "42.00", "0", "2026-11-23T12:00:00")))), false)
	f.Add([]byte(`<FlussoRiversamento><datiSingoliPagamenti><identificativoUnivocoVersamento>1</identificativoUnivocoVersamento><singoloImportoPagato>-1</singoloImportoPagato></datiSingoliPagamenti></FlussoRiversamento>`), true)
	f.Add([]byte(`<!DOCTYPE a><a/>`), false)
	f.Add([]byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe0</a>"), true)
	f.Fuzz(func(t *testing.T, doc []byte, riversamento bool) {
		raw := completo(string(doc))
		if riversamento {
			raw = rendicontazione(string(doc))
		}
		e, err := ppay.Read([]byte(raw))
		if err != nil {
			if !errors.Is(err, fault.Invalid) || e.Flusso != nil {
				t.Fatalf("%+v, %v", e, err)
			}
			return
		}
		told := e.Flusso
		if told.Creditor != "01234567890" || told.Name != "F1" || told.PSP != "ABI1" || told.Count < 0 || told.Unread < 0 {
			t.Fatalf("heading %+v", told.FlussoHead)
		}
		for _, r := range told.Rows {
			if r.IUV == "" || len(r.IUV) > 280 || len(r.IUR) > 280 || r.Cents > 999_999_999_999 || r.Cents < -999_999_999_999 || r.Cents < 0 && r.Outcome != multe.FlussoRevoked || r.Index < 0 {
				t.Fatalf("row %+v", r)
			}
		}
		again, err := ppay.Read([]byte(raw))
		if err != nil || !cmp.Equal(told, again.Flusso) {
			t.Fatal("another reading of the same bytes")
		}
	})
}
