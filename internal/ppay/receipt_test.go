package ppay_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
	"preavviso/internal/ppay"
)

const rt62 = `<?xml version="1.0" encoding="UTF-8"?><RT xmlns="http://www.digitpa.gov.it/schemas/2011/Pagamenti/">
<versioneOggetto>6.2</versioneOggetto><dominio><identificativoDominio>01219860010</identificativoDominio></dominio>
<dataOraMessaggioRicevuta>2026-11-24T08:00:00</dataOraMessaggioRicevuta>
<istitutoAttestante><identificativoUnivocoAttestante><tipoIdentificativoUnivoco>B</tipoIdentificativoUnivoco><codiceIdentificativoUnivoco>ABI90909</codiceIdentificativoUnivoco></identificativoUnivocoAttestante><denominazioneAttestante>Banca d&apos;Esempio</denominazioneAttestante></istitutoAttestante>
<enteBeneficiario><identificativoUnivocoBeneficiario><codiceIdentificativoUnivoco>01219860010</codiceIdentificativoUnivoco></identificativoUnivocoBeneficiario></enteBeneficiario>
<soggettoPagatore><anagraficaPagatore>VERDI ADA</anagraficaPagatore></soggettoPagatore>
<datiPagamento><codiceEsitoPagamento>0</codiceEsitoPagamento><importoTotalePagato>29.40</importoTotalePagato><identificativoUnivocoVersamento>47263270000010181</identificativoUnivocoVersamento>
<datiSingoloPagamento><singoloImportoPagato>29.40</singoloImportoPagato><dataEsitoSingoloPagamento>2026-11-23</dataEsitoSingoloPagamento><identificativoUnivocoRiscossione>20261123IUR101</identificativoUnivocoRiscossione></datiSingoloPagamento></datiPagamento></RT>`

// TestReadReceipt is what a receipt says, in every dialect, and what little a
// broken one does.
func TestReadReceipt(t *testing.T) {
	full := multe.Receipt{IUV: "47263270000010181", Outcome: "0", Cents: 2940, IUR: "20261123IUR101", PSP: "ABI90909", PSPName: "Banca d'Esempio", PaidOn: multe.Day{Year: 2026, Month: 11, Day: 23}}
	with := func(change func(*multe.Receipt)) multe.Receipt {
		r := full
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		raw  string
		want multe.Receipt
	}{
		"as the paper says":  {rt62, full},
		"with prefixes":      {strings.NewReplacer("<?", "<?", "</", "</p:", "<", "<p:", "xmlns=", "xmlns:p=").Replace(rt62), full},
		"of no namespace":    {strings.Replace(rt62, ` xmlns="http://www.digitpa.gov.it/schemas/2011/Pagamenti/"`, "", 1), full},
		"in Latin-1":         {strings.NewReplacer("UTF-8", "ISO-8859-1", "Banca d&apos;Esempio", "Citt\xe0").Replace(rt62), with(func(r *multe.Receipt) { r.PSPName = "Città" })},
		"not paid":           {strings.NewReplacer("<codiceEsitoPagamento>0", "<codiceEsitoPagamento>1", "29.40", "0.00").Replace(rt62), with(func(r *multe.Receipt) { r.Outcome, r.Cents = "1", 0 })},
		"an amount in words": {strings.ReplaceAll(rt62, "29.40", "dieci"), with(func(r *multe.Receipt) { r.Cents = 0 })},
		"no day of payment":  {strings.Replace(rt62, "<dataEsitoSingoloPagamento>2026-11-23</dataEsitoSingoloPagamento>", "", 1), with(func(r *multe.Receipt) { r.PaidOn.Day = 24 })},
		"an IUV too long":    {strings.Replace(rt62, "47263270000010181", strings.Repeat("4", 36), 1), with(func(r *multe.Receipt) { r.IUV = "" })},
		"of the new calls": {`<receipt><receiptId>R1</receiptId><fiscalCode>01219860010</fiscalCode><outcome>OK</outcome><creditorReferenceId>47263270000010181</creditorReferenceId><paymentAmount>29.40</paymentAmount><idPSP>BCITITMM</idPSP><PSPCompanyName>Banca</PSPCompanyName><paymentDateTime>2026-11-23T10:00:00</paymentDateTime></receipt>`,
			multe.Receipt{IUV: "47263270000010181", Outcome: "OK", Cents: 2940, IUR: "R1", PSP: "BCITITMM", PSPName: "Banca", PaidOn: multe.Day{Year: 2026, Month: 11, Day: 23}}},
		"says nothing":           {"<RT/>", multe.Receipt{}},
		"cut":                    {rt62[:len(rt62)-9], multe.Receipt{}},
		"no XML":                 {"\x00\x01\x02\x03\x04", multe.Receipt{}},
		"two documents":          {"<RT/><RT/>", multe.Receipt{}},
		"document type":          {"<!DOCTYPE RT [<!ENTITY x 'y'>]>" + "<RT/>", multe.Receipt{}},
		"a charset of elsewhere": {strings.Replace(rt62, "UTF-8", "EBCDIC", 1), multe.Receipt{}},
		"very deep":              {strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), multe.Receipt{}},
		"two hundred attributes": {"<RT " + strings.Repeat("a='1' ", 200) + "/>", multe.Receipt{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.XML, c.want.Digest = []byte(c.raw), multe.DigestOf([]byte(c.raw))
			if diff := cmp.Diff(c.want, ppay.ReadReceipt([]byte(c.raw))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadReceiptOfAMessage is one RT of a message, in all its poor shapes.
func TestReadReceiptOfAMessage(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		in     string
		iuv    string
		id     string
		unread bool
	}{
		"full":                     {in: "<Id>TRT472632700000103831234567</Id><XML>" + b64(rt62) + "</XML>", iuv: "47263270000010181", id: "TRT472632700000103831234567"}, // what is inside wins
		"by its id":                {in: "<Id>TRT472632700000101811234567</Id><XML>" + b64("<RT/>") + "</XML>", iuv: "47263270000010181", id: "TRT472632700000101811234567"},
		"an id of another make":    {in: "<Id>TRT47263270000010181</Id><XML>" + b64("<RT/>") + "</XML>", id: "TRT47263270000010181"},
		"an id with letters":       {in: "<Id>TRT4726327000001018X1234567</Id><XML>" + b64("<RT/>") + "</XML>", id: "TRT4726327000001018X1234567"},
		"two ids":                  {in: "<Id>a</Id><Id>b</Id><XML>" + b64(rt62) + "</XML>", iuv: "47263270000010181"},
		"no id":                    {in: "<XML>" + b64(rt62) + "</XML>", iuv: "47263270000010181"},
		"in lines":                 {in: "<XML>\n" + b64(rt62)[:76] + "\r\n  " + b64(rt62)[76:] + "\n</XML>", iuv: "47263270000010181"},
		"no bytes":                 {in: "<Id>x</Id>", unread: true},
		"empty bytes":              {in: "<Id>x</Id><XML/>", unread: true},
		"no base64":                {in: "<XML>è</XML>", unread: true},
		"XML as it is":             {in: "<XML><RT/></XML>", unread: true},
		"two":                      {in: "<XML>AAAA</XML><XML>BBBB</XML>", unread: true},
		"a placeholder, as of job": {in: "<XML>AAECAwQFBgcICQo=</XML>"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := ppay.Read([]byte(inbound("TrasmettiRT", "<Testata><CFEnteCreditore>01219860010</CFEnteCreditore></Testata><CorpoRT><ElencoRT><RT>"+c.in+"</RT></ElencoRT></CorpoRT>")))
			if err != nil || e.Receipts == nil || e.Creditor() != "01219860010" {
				t.Fatalf("Read = %+v, %v", e, err)
			}
			if c.unread {
				if e.Receipts.Unread != 1 || len(e.Receipts.Items) != 0 {
					t.Errorf("= %+v", e.Receipts)
				}
				return
			}
			if len(e.Receipts.Items) != 1 || e.Receipts.Unread != 0 || e.Receipts.Items[0].IUV != c.iuv || e.Receipts.Items[0].ID != c.id {
				t.Errorf("= %+v", *e.Receipts)
			}
		})
	}
}

// TestReadRevocation is one request to revoke, in all its poor shapes.
func TestReadRevocation(t *testing.T) {
	const iuv = "<IUV>47263270000010181</IUV>"
	part := func(cents, iur, reason string) string {
		return "<DatiSingolaRevoca><SingoloImportoRevocato>" + cents + "</SingoloImportoRevocato><IUR>" + iur + "</IUR><Causale>" + reason + "</Causale></DatiSingolaRevoca>"
	}
	read := func(t *testing.T, in string) *multe.Bundle[multe.Revocation] {
		t.Helper()
		e, err := ppay.Read([]byte(inbound("TrasmettiRichiesteDiRevoca", "<Testata><CFEnteCreditore>01219860010</CFEnteCreditore></Testata><CorpoRichiesteDiRevoca><ElencoRichiesteDiRevoca><RichiestaDiRevoca>"+in+"</RichiestaDiRevoca></ElencoRichiesteDiRevoca></CorpoRichiesteDiRevoca>")))
		if err != nil || e.Revocations == nil || e.Creditor() != "01219860010" {
			t.Fatalf("Read = %+v, %v", e, err)
		}
		return e.Revocations
	}
	base := multe.Revocation{Creditor: "01219860010", IUV: "47263270000010181"}
	for name, c := range map[string]struct {
		in   string
		want *multe.Revocation // without its ID; nil: cannot be read
	}{
		"full": {"<IdentificativoMessaggioRevoca>RR1</IdentificativoMessaggioRevoca><DataOraMessaggioRevoca>2026-11-23T10:10:00</DataOraMessaggioRevoca>" +
			"<IstitutoAttestante><PersonaGiuridica><RagioneSociale>Banca</RagioneSociale></PersonaGiuridica><IdentificativoUnivocoFiscale>ABI1</IdentificativoUnivocoFiscale></IstitutoAttestante>" +
			"<ImportoPagato>42.00</ImportoPagato>" + iuv + "<TipoRevoca>1</TipoRevoca><ListaDatiSingolaRevoca>" + part("2.00", "I1", "Storno") + part("40.00", "I2", "x") + "</ListaDatiSingolaRevoca>",
			&multe.Revocation{Creditor: "01219860010", IUV: base.IUV, Type: "1", Cents: 4200, Reason: "Storno", IUR: "I1", PSP: "ABI1", PSPName: "Banca", AskedOn: multe.Day{Year: 2026, Month: 11, Day: 23}}},
		"an IUV alone":       {iuv, &base},
		"no parts":           {iuv + "<ImportoPagato>42.00</ImportoPagato>", &multe.Revocation{Creditor: base.Creditor, IUV: base.IUV, Cents: 4200}},
		"a part in words":    {iuv + "<ListaDatiSingolaRevoca>" + part("dieci", "I", "R") + part("1.00", "J", "S") + "</ListaDatiSingolaRevoca>", &multe.Revocation{Creditor: base.Creditor, IUV: base.IUV, Cents: 100, IUR: "I", Reason: "R"}},
		"type 0":             {iuv + "<TipoRevoca>0</TipoRevoca>", &multe.Revocation{Creditor: base.Creditor, IUV: base.IUV, Type: "0"}},
		"no IUV":             {"<ImportoPagato>42.00</ImportoPagato>", nil},
		"an empty IUV":       {"<IUV/>", nil},
		"two IUVs":           {iuv + iuv, nil},
		"an IUV without end": {"<IUV>" + strings.Repeat("4", 36) + "</IUV>", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := read(t, c.in)
			if c.want == nil {
				if b.Unread != 1 || len(b.Items) != 0 {
					t.Errorf("= %+v", b)
				}
				return
			}
			if len(b.Items) != 1 || b.Unread != 0 {
				t.Fatalf("= %+v", b)
			}
			got := b.Items[0]
			if got.ID == "" || len(got.ID) > 60 {
				t.Errorf("id %q", got.ID)
			}
			got.ID = ""
			if diff := cmp.Diff(*c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// The same request has the same id, whatever stands for its XML; another way of
	// telling it has another.
	id := func(in string) string { return read(t, in).Items[0].ID }
	const rr = "<IdentificativoMessaggioRevoca>RR1</IdentificativoMessaggioRevoca>"
	if a, b := id(iuv+rr+"<XML>AAECAwQFBgcICQo=</XML>"), id(iuv+rr+"<XML>PFJSLz4=</XML>"); a != b || !strings.HasPrefix(a, "RR1.") {
		t.Errorf("ids %s and %s of one request", a, b)
	}
	if a, b := id(iuv+rr), id(iuv+rr+"<ImportoPagato>1.00</ImportoPagato>"); a == b {
		t.Errorf("two tellings have one id %s", a)
	}
}

// TestReadExpiry is one expired avviso.
func TestReadExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want *multe.Expiry
	}{
		"full":            {"<IUV>1</IUV><DataScadenza>2026-11-22</DataScadenza><Importo>42.00</Importo>", &multe.Expiry{IUV: "1", DueOn: multe.Day{Year: 2026, Month: 11, Day: 22}, Cents: 4200}},
		"with a zone":     {"<IUV>1</IUV><DataScadenza>2026-11-22+01:00</DataScadenza>", &multe.Expiry{IUV: "1", DueOn: multe.Day{Year: 2026, Month: 11, Day: 22}}},
		"no day":          {"<IUV>1</IUV><DataScadenza>ieri</DataScadenza><Importo>-1</Importo>", &multe.Expiry{IUV: "1"}},
		"no IUV":          {"<Importo>42.00</Importo>", nil},
		"an IUV in parts": {"<IUV><a>1</a></IUV>", nil},
	} {
		e, err := ppay.Read([]byte(inbound("TrasmettiAvvisiScaduti", "<Testata><CFEnteCreditore>01219860010</CFEnteCreditore></Testata><CorpoAvvisiScaduti><ElencoAvvisiScaduti><AvvisoScaduto>"+c.in+"</AvvisoScaduto></ElencoAvvisiScaduti></CorpoAvvisiScaduti>")))
		if err != nil || e.Expiries == nil || e.Creditor() != "01219860010" {
			t.Fatalf("%s: Read = %+v, %v", name, e, err)
		}
		want := multe.Bundle[multe.Expiry]{Creditor: "01219860010", Unread: 1}
		if c.want != nil {
			c.want.Creditor = "01219860010"
			want = multe.Bundle[multe.Expiry]{Creditor: "01219860010", Items: []multe.Expiry{*c.want}}
		}
		if diff := cmp.Diff(want, *e.Expiries); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, kind := range []string{"TrasmettiRT", "TrasmettiRichiesteDiRevoca", "TrasmettiAvvisiScaduti"} {
		if e, err := ppay.Read([]byte(inbound(kind, "<Testata/>"))); err == nil {
			t.Errorf("%s of nobody is read as %+v", kind, e)
		}
	}
}
