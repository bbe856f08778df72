package ppay_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/wsdl/epaywso"
)

func num(t testing.TB, s string) avviso.Number {
	t.Helper()
	n, err := avviso.ParseNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	pos1, pos2, pos3, pos4 = "0199a1b2c3d47e8f9012345678900001", "0199a1b2c3d47e8f9012345678900002", "0199a1b2c3d47e8f9012345678900003", "0199a1b2c3d47e8f9012345678900004"
	tnp                    = "TNPfedcba9876543210fedcba9876543210"
)

// TestReadSamples is what each message of testdata means.
func TestReadSamples(t *testing.T) {
	const ente = multe.CreditorID("01219860010")
	paid := multe.Payment{
		Creditor: ente, IUV: "47263270000010181", IUR: "20261123IUR101", Number: num(t, "347263270000010181"), Position: pos1,
		Cents: 2940, PaidOn: multe.Day{Year: 2026, Month: 11, Day: 23}, PSP: "ABI90909", PSPName: "Banca d'Esempio & Figli",
		Payer: &multe.Debtor{Surname: "VERDI", Name: "ADA", CF: "VRDDAA80A41L219X"},
	}
	want := map[string]multe.Event{
		"esito-insert-partial": {Kind: "EsitoInserimentoListaDiCarico", Esito: &multe.Esito{
			Creditor: ente, Batch: batchID, Operation: multe.OperationInsert, Code: "050", Verdict: multe.VerdictApplied,
			Outcomes: []multe.Outcome{
				{Position: pos1, Number: num(t, "347263270000010181"), IUV: "47263270000010181", Code: "000", Verdict: multe.VerdictApplied},
				{Position: pos2, Number: num(t, "347263270000010383"), IUV: "47263270000010383", Code: "000", Verdict: multe.VerdictApplied},
				{Position: pos3, Code: "161", Verdict: multe.VerdictOrphan},
				{Position: pos4, Code: "157", Verdict: multe.VerdictFix},
			}}},
		"esito-insert-refused": {Kind: "EsitoInserimentoListaDiCarico", Esito: &multe.Esito{
			Creditor: ente, Batch: batchID, Operation: multe.OperationInsert, Code: "250", Verdict: multe.VerdictLater}},
		"esito-update-partial": {Kind: "EsitoAggiornaPosizioniDebitorie", Esito: &multe.Esito{
			Creditor: ente, Batch: batchID, Operation: multe.OperationUpdate, Code: "050", Verdict: multe.VerdictApplied,
			Outcomes: []multe.Outcome{
				{Position: pos1, Number: num(t, "347263270000010181"), IUV: "47263270000010181", Code: "000", Verdict: multe.VerdictApplied},
				{Position: pos2, Code: "178", Verdict: multe.VerdictPaid},
				{Position: pos3, Code: "196", Verdict: multe.VerdictRefused},
			}}},
		"notice-two": {Kind: "TrasmettiNotifichePagamento", Notice: &multe.Notice{Creditor: ente, Message: tnp, Payments: []multe.Payment{
			paid,
			{Creditor: ente, IUV: "47263270000010787", IUR: "IUR00000000000/IUR00000000001/IUR00000000002/IUR00000000003/IUR00000000004",
				Number: num(t, "347263270000010787"), Cents: 8400, PaidOn: multe.Day{Year: 2026, Month: 11, Day: 24}, PSP: "ABI90909"},
		}}},
		"notice-poor": {Kind: "TrasmettiNotifichePagamento", Notice: &multe.Notice{Creditor: ente, Message: tnp, Unread: 2, Mismatch: true, Payments: []multe.Payment{
			{Creditor: ente, IUV: "47263270000010383", Number: num(t, "347263270000010383"), Cents: 4200},
			paid,
		}}},
		"notice-wss": {Kind: "TrasmettiNotifichePagamento", Notice: &multe.Notice{Creditor: ente, Message: tnp, Payments: []multe.Payment{paid}}},
		"rt": {Kind: "TrasmettiRT", Receipts: &multe.Bundle[multe.Receipt]{Creditor: ente, Items: []multe.Receipt{
			{Creditor: ente, IUV: "47263270000010181", ID: "TRT472632700000101811234567", Digest: multe.DigestOf([]byte("<RT/>")), XML: []byte("<RT/>")}}}},
		"revoca-as-sent": {Kind: "TrasmettiRichiesteDiRevoca", Revocations: &multe.Bundle[multe.Revocation]{Creditor: ente, Items: []multe.Revocation{
			{Creditor: ente, IUV: "47263270000010181", Type: "0", ID: ".6f0043dd1f62e6d2"}}}},
		"scaduti": {Kind: "TrasmettiAvvisiScaduti", Expiries: &multe.Bundle[multe.Expiry]{Creditor: ente, Items: []multe.Expiry{
			{Creditor: ente, IUV: "47263270000010989", Cents: 4200}}}},
	}
	all := samples(t)
	if len(all) != len(want) {
		t.Errorf("%d samples, %d expected", len(all), len(want))
	}
	for name, raw := range all {
		t.Run(name, func(t *testing.T) {
			got, err := ppay.Read(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[name], got, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const headEsito = `<TestataEsito><IdMessaggio>` + batchID + `</IdMessaggio><CFEnteCreditore>01219860010</CFEnteCreditore></TestataEsito>`

// TestReadOutcome is one position of an esito, in all its poor shapes.
func TestReadOutcome(t *testing.T) {
	const avvisoOK, iuvOK = "<CodiceAvviso>347263270000010181</CodiceAvviso>", "<IUV>47263270000010181</IUV>"
	for _, c := range []struct {
		name, in string
		number   string
		code     string
		verdict  multe.Verdict
	}{
		{"full", iuvOK + avvisoOK + "<CodiceEsito>000</CodiceEsito>", "347263270000010181", "000", multe.VerdictApplied},
		{"number alone", avvisoOK + "<CodiceEsito>000</CodiceEsito>", "347263270000010181", "000", multe.VerdictApplied},
		{"IUV alone", iuvOK + "<CodiceEsito>000</CodiceEsito>", "347263270000010181", "000", multe.VerdictApplied},
		{"space around", "<IUV>\n 47263270000010181 </IUV><CodiceEsito> 000 </CodiceEsito>", "347263270000010181", "000", multe.VerdictApplied},
		{"wrong check digits", "<CodiceAvviso>347263270000010182</CodiceAvviso><CodiceEsito>000</CodiceEsito>", "", "000", multe.VerdictApplied},
		{"IUV with wrong check digits", "<IUV>47263270000010182</IUV><CodiceEsito>000</CodiceEsito>", "", "000", multe.VerdictApplied},
		{"number of another IUV", "<IUV>47263270000010383</IUV>" + avvisoOK + "<CodiceEsito>000</CodiceEsito>", "", "000", multe.VerdictApplied},
		{"two numbers", avvisoOK + avvisoOK + "<CodiceEsito>000</CodiceEsito>", "", "000", multe.VerdictApplied},
		{"IUV of modello 1", "<IUV>RF47000000000001234567890</IUV><CodiceEsito>000</CodiceEsito>", "", "000", multe.VerdictApplied},
		{"none", "<CodiceEsito>000</CodiceEsito>", "", "000", multe.VerdictApplied},
		{"no code", avvisoOK, "347263270000010181", "", multe.VerdictUnknown},
		{"two codes", "<CodiceEsito>000</CodiceEsito><CodiceEsito>161</CodiceEsito>", "", "", multe.VerdictUnknown},
		{"a code of another namespace", `<CodiceEsito>161</CodiceEsito><x:CodiceEsito xmlns:x="urn:x">000</x:CodiceEsito>`, "", "161", multe.VerdictOrphan},
		{"a code inside another namespace", `<CodiceEsito>161</CodiceEsito><x:a xmlns:x="urn:x"><CodiceEsito>000</CodiceEsito></x:a>`, "", "161", multe.VerdictOrphan},
		{"elements in a code", "<CodiceEsito><a>000</a></CodiceEsito>", "", "", multe.VerdictUnknown},
		{"code above 299", "<CodiceEsito>300</CodiceEsito>", "", "300", multe.VerdictUnknown},
		{"half done", "<CodiceEsito>160</CodiceEsito>", "", "160", multe.VerdictUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := inbound("EsitoInserimentoListaDiCarico", `<Result><Codice>050</Codice></Result>`+headEsito+
				`<EsitoInserimento><ElencoPosizioniDebitorieInserite><PosizioneDebitoriaInserita><IdPosizioneDebitoria>`+pos1+`</IdPosizioneDebitoria>`+c.in+
				`</PosizioneDebitoriaInserita></ElencoPosizioniDebitorieInserite></EsitoInserimento>`)
			e, err := ppay.Read([]byte(raw))
			if err != nil || e.Esito == nil || len(e.Esito.Outcomes) != 1 {
				t.Fatalf("Read = %+v, %v", e, err)
			}
			o := e.Esito.Outcomes[0]
			if o.Position != pos1 || o.Number.String() != c.number || o.Code != c.code || o.Verdict != c.verdict {
				t.Errorf("= %+v", o)
			}
		})
	}
}

// TestReadPayment is one payment, in all its poor shapes: it is read, or counted.
func TestReadPayment(t *testing.T) {
	day := multe.Day{Year: 2026, Month: 11, Day: 23}
	const iuv, paid = "<IUV>47263270000010181</IUV>", "<ImportoPagato>29.40</ImportoPagato>"
	base := multe.Payment{Creditor: "01219860010", IUV: "47263270000010181", Cents: 2940, Number: num(t, "347263270000010181")}
	with := func(f func(*multe.Payment)) *multe.Payment { p := base; f(&p); return &p }
	subject := func(role, content string) string { return "<" + role + ">" + content + "</" + role + ">" }
	const anon = "<PersonaFisica><Cognome>ANONIMO</Cognome><Nome>ANONIMO</Nome></PersonaFisica><IdentificativoUnivocoFiscale>ANONIMO</IdentificativoUnivocoFiscale>"
	for _, c := range []struct {
		name, in string
		want     *multe.Payment // nil: counted as unread
	}{
		{"IUV and amount", iuv + paid, &base},
		{"in any order", paid + iuv, &base},
		{"with elements we do not know", "<Nuovo><IUV>1</IUV></Nuovo>" + iuv + paid, &base},
		{"amount without decimals", iuv + "<ImportoPagato> 29.4 </ImportoPagato>", &base},
		{"plain day", iuv + paid + "<DataEsitoPagamento>2026-11-23</DataEsitoPagamento>", with(func(p *multe.Payment) { p.PaidOn = day })},
		{"day with offset", iuv + paid + "<DataEsitoPagamento>2026-11-23+01:00</DataEsitoPagamento>", with(func(p *multe.Payment) { p.PaidOn = day })},
		{"day in UTC", iuv + paid + "<DataEsitoPagamento>2026-11-23Z</DataEsitoPagamento>", with(func(p *multe.Payment) { p.PaidOn = day })},
		{"instant", iuv + paid + "<DataEsitoPagamento>2026-11-23T23:59:59.000+01:00</DataEsitoPagamento>", with(func(p *multe.Payment) { p.PaidOn = day })},
		{"no such day", iuv + paid + "<DataEsitoPagamento>2026-11-31</DataEsitoPagamento>", &base},
		{"Italian day", iuv + paid + "<DataEsitoPagamento>23/11/2026</DataEsitoPagamento>", &base},
		{"two days", iuv + paid + strings.Repeat("<DataEsitoPagamento>2026-11-23</DataEsitoPagamento>", 2), &base},
		{"wrong number", iuv + paid + "<CodiceAvviso>1</CodiceAvviso>", with(func(p *multe.Payment) { p.Number = avviso.Number{} })},
		{"long position", iuv + paid + "<IdPosizioneDebitoria>" + strings.Repeat("x", 51) + "</IdPosizioneDebitoria>", &base},
		{"IUV of modello 1", "<IUV>RF47000000000001234567890</IUV>" + paid, with(func(p *multe.Payment) { p.IUV, p.Number = "RF47000000000001234567890", avviso.Number{} })},
		{"debtor is no payer", iuv + paid + subject("SoggettoDebitore", "<PersonaFisica><Cognome>VERDI</Cognome></PersonaFisica>"), &base},
		{"anonymous payer", iuv + paid + subject("SoggettoVersante", anon), &base},
		{"empty payer", iuv + paid + subject("SoggettoVersante", ""), &base},
		{"payer without tax code", iuv + paid + subject("SoggettoVersante", "<PersonaGiuridica><RagioneSociale>ACME</RagioneSociale></PersonaGiuridica>"),
			with(func(p *multe.Payment) { p.Payer = &multe.Debtor{Company: "ACME"} })},
		{"IUR of 1,000 characters", iuv + paid + "<DatiTransazionePSP><IUR>" + strings.Repeat("è", 1000) + "</IUR></DatiTransazionePSP>",
			with(func(p *multe.Payment) { p.IUR = strings.Repeat("è", 1000) })},

		{"no IUV", paid, nil},
		{"empty IUV", "<IUV/>" + paid, nil},
		{"long IUV", "<IUV>" + strings.Repeat("1", 36) + "</IUV>" + paid, nil},
		{"two IUVs", iuv + iuv + paid, nil},
		{"IUV of another namespace", `<x:IUV xmlns:x="urn:x">47263270000010181</x:IUV>` + paid, nil},
		{"no amount", iuv, nil},
		{"two amounts", iuv + paid + paid, nil},
		{"comma", iuv + "<ImportoPagato>29,40</ImportoPagato>", nil},
		{"negative", iuv + "<ImportoPagato>-29.40</ImportoPagato>", nil},
		{"fraction of a cent", iuv + "<ImportoPagato>29.405</ImportoPagato>", nil},
		{"exponent", iuv + "<ImportoPagato>1e3</ImportoPagato>", nil},
		{"two IURs", iuv + paid + "<DatiTransazionePSP><IUR>a</IUR><IUR>b</IUR></DatiTransazionePSP>", nil},
		{"endless IUR", iuv + paid + "<DatiTransazionePSP><IUR>" + strings.Repeat("x", 1001) + "</IUR></DatiTransazionePSP>", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A good payment on either side must survive whatever this one is.
			good := "<NotificaPagamento>" + iuv + "<ImportoPagato>1</ImportoPagato></NotificaPagamento>"
			e, err := ppay.Read([]byte(inbound("TrasmettiNotifichePagamento", `<Testata><CFEnteCreditore>01219860010</CFEnteCreditore></Testata>`+
				`<CorpoNotifichePagamento><ElencoNotifichePagamento>`+good+`<NotificaPagamento>`+c.in+`</NotificaPagamento>`+good+`</ElencoNotifichePagamento></CorpoNotifichePagamento>`)))
			if err != nil || e.Notice == nil {
				t.Fatalf("Read = %+v, %v", e, err)
			}
			wantAll := []multe.Payment{base, base}
			wantAll[0].Cents, wantAll[1].Cents = 100, 100
			unread := 1
			if c.want != nil {
				wantAll, unread = []multe.Payment{wantAll[0], *c.want, wantAll[1]}, 0
			}
			if diff := cmp.Diff(wantAll, e.Notice.Payments, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); diff != "" || e.Notice.Unread != unread {
				t.Errorf("unread %d, want %d; %s", e.Notice.Unread, unread, diff)
			}
		})
	}
}

func TestReadMismatch(t *testing.T) {
	for _, c := range []struct {
		count, total string
		want         bool
	}{
		{"3", "31.00", false}, {"3", "31", false}, {" 03 ", "31.0", false},
		{"2", "31.00", true}, {"4", "31.00", true}, {"3", "30.99", true}, {"3", "trentuno", true}, {"tre", "31.00", true}, {"", "31.00", true}, {"3", "", true},
	} {
		item := func(cents string) string {
			return "<NotificaPagamento><IUV>47263270000010181</IUV><ImportoPagato>" + cents + "</ImportoPagato></NotificaPagamento>"
		}
		e, err := ppay.Read([]byte(inbound("TrasmettiNotifichePagamento", `<Testata><CFEnteCreditore>01219860010</CFEnteCreditore><NumeroPagamenti>`+c.count+
			`</NumeroPagamenti><ImportoTotalePagamenti>`+c.total+`</ImportoTotalePagamenti></Testata>`+
			`<CorpoNotifichePagamento><ElencoNotifichePagamento>`+item("10.50")+item("unread, but counted")+item("20.50")+`</ElencoNotifichePagamento></CorpoNotifichePagamento>`)))
		if err != nil || e.Notice.Mismatch != c.want || len(e.Notice.Payments) != 2 {
			t.Errorf("%q, %q: %+v, %v", c.count, c.total, e.Notice, err)
		}
	}
}

// TestReadRefuses is what has no meaning. No error may hold what was read.
func TestReadRefuses(t *testing.T) {
	const secret = "SEGRETO"
	esito := func(content string) string { return inbound("EsitoInserimentoListaDiCarico", content) }
	const ok = "<Result><Codice>000</Codice></Result>"
	for _, c := range []struct{ name, in, code string }{
		{"no XML", secret, "ppay.unreadable"},
		{"document type", "<!DOCTYPE " + secret + ">" + soap(small), "ppay.unreadable"},
		{"another operation", inbound(secret, ""), "ppay.unknown_operation"},
		{"another namespace", soap(`<TrasmettiRTRequest xmlns="urn:` + secret + `"/>`), "ppay.unknown_operation"},
		{"no namespace", soap(`<TrasmettiRTRequest/>`), "ppay.unknown_operation"},
		{"the other service", soap(`<TrasmettiRTRequest xmlns="` + epaywso.NSEnti2EPaywso + `"/>`), "ppay.unknown_operation"},
		{"esito without heading", esito(ok), "ppay.unreadable"},
		{"esito without id", esito(ok + `<TestataEsito><CFEnteCreditore>` + secret + `</CFEnteCreditore></TestataEsito>`), "ppay.unreadable"},
		{"esito without creditor", esito(ok + `<TestataEsito><IdMessaggio>` + secret + `</IdMessaggio></TestataEsito>`), "ppay.unreadable"},
		{"esito with two headings", esito(ok + headEsito + headEsito), "ppay.unreadable"},
		{"esito with a long id", esito(ok + strings.Replace(headEsito, batchID, strings.Repeat(secret, 6), 1)), "ppay.unreadable"},
		{"esito without result", esito(headEsito), "ppay.unreadable"},
		{"esito with two results", esito(ok + ok + headEsito), "ppay.unreadable"},
		{"esito with a word for a result", esito(`<Result><Codice>` + secret + `</Codice></Result>` + headEsito), "ppay.unreadable"},
		{"notice without heading", inbound("TrasmettiNotifichePagamento", secret), "ppay.unreadable"},
		{"notice with two creditors", inbound("TrasmettiNotifichePagamento", `<Testata>`+strings.Repeat(`<CFEnteCreditore>`+secret+`</CFEnteCreditore>`, 2)+`</Testata>`), "ppay.unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := ppay.Read([]byte(c.in))
			if !errors.Is(err, fault.Invalid) || fault.Of(err).Code != c.code || e != (multe.Event{}) {
				t.Fatalf("Read = %+v, %v; want %s", e, err, c.code)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error %q holds what was read", err)
			}
		})
	}
}

// TestReadOtherNamespaces checks the shapes that listeners of other creditors are
// called with: the namespace of the service, and children without one.
func TestReadOtherNamespaces(t *testing.T) {
	for name, root := range map[string]string{
		"service":     `<EsitoInserimentoListaDiCaricoRequest xmlns="http://www.csi.it/epay/epaywso/epaywso2entisrv">`,
		"unqualified": `<n:EsitoInserimentoListaDiCaricoRequest xmlns:n="` + epaywso.NSEPaywso2Enti + `">`,
	} {
		end := "</" + strings.Fields(strings.Trim(root, "<>"))[0] + ">"
		e, err := ppay.Read([]byte(soap(root + `<Result><Codice>150</Codice></Result>` + headEsito + end)))
		if err != nil || e.Esito.Batch != batchID || e.Esito.Verdict != multe.VerdictAlready {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// TestReadContract reads the messages that go with the platform's contract, where
// it is at hand: those that keep to it and those that the platform really sends.
func TestReadContract(t *testing.T) {
	const dir = "/work/shared/contract/examples/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the contract's examples are not here")
	}
	var files []string
	for _, pattern := range []string{"[3-8]?-*.xml", "soap/s0[567]-*.xml", "nonconforming/revoca-*.xml", "nonconforming/notifica-*.xml", "nonconforming/esito-*.xml"} {
		found, err := filepath.Glob(dir + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	for _, f := range files {
		t.Run(strings.TrimPrefix(f, dir), func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text := string(raw)
			if !strings.Contains(text, soapNS) {
				_, text, _ = strings.Cut(text, "?>")
				text = soap(text)
			}
			e, err := ppay.Read([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			items := strings.Count(text, "<c:CodiceEsito>") + strings.Count(text, "<n:NotificaPagamento>")
			switch {
			case e.Esito != nil:
				if e.Esito.Creditor != "01234567890" || e.Esito.Batch == "" || len(e.Esito.Outcomes) != items {
					t.Errorf("esito %+v, want %d outcomes", e.Esito, items)
				}
				for _, o := range e.Esito.Outcomes {
					if o.Code == "000" && o.Number.IsZero() || o.Position == "" {
						t.Errorf("outcome %+v", o)
					}
				}
			case e.Notice != nil:
				if e.Notice.Creditor != "01234567890" || len(e.Notice.Payments) != items || e.Notice.Unread != 0 || e.Notice.Mismatch {
					t.Errorf("notice %+v, want %d payments", e.Notice, items)
				}
			case items > 0 || !strings.Contains(text, e.Kind+"Request"):
				t.Errorf("only kind %s", e.Kind)
			}
		})
	}
}

// FuzzRead checks that reading never panics, that every refusal is classified,
// and that what is understood can be kept: keys are there and bounded.
func FuzzRead(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Add([]byte(inbound("EsitoAggiornaPosizioniDebitorie", `<Result><Codice>999</Codice></Result>`+headEsito)))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := ppay.Read(in)
		if err != nil {
			if !errors.Is(err, fault.Invalid) || e != (multe.Event{}) {
				t.Fatalf("Read = %+v, %v", e, err)
			}
			return
		}
		if e.Kind == "" || e.Esito != nil && e.Notice != nil {
			t.Fatalf("Read = %+v", e)
		}
		if s := e.Esito; s != nil {
			if s.Creditor == "" || s.Batch == "" || len(s.Batch) > 4*35 || len(s.Code) != 3 || s.Verdict == "" {
				t.Fatalf("esito %+v", s)
			}
			for _, o := range s.Outcomes {
				if o.Verdict == "" || len(o.Position) > 4*50 || !o.Number.IsZero() && o.IUV != "" && o.Number.IUV() != o.IUV {
					t.Fatalf("outcome %+v", o)
				}
			}
		}
		if n := e.Notice; n != nil {
			for _, p := range n.Payments {
				if p.Creditor != n.Creditor || p.IUV == "" || len(p.IUV) > 4*35 || len(p.IUR) > 4*1000 || p.Cents < 0 || p.Cents > avviso.MaxCents {
					t.Fatalf("payment %+v", p)
				}
			}
		}
	})
}

// notices makes a message of n payments in the shape of the platform's job.
func notices(n int) []byte {
	var b strings.Builder
	for i := range n {
		head := fmt.Sprintf("34726327%08d", i)
		number := head + avviso.CheckDigits(head)
		fmt.Fprintf(&b, `<n:NotificaPagamento><n:IdPosizioneDebitoria>%s</n:IdPosizioneDebitoria><n:IUV>%s</n:IUV><n:ImportoPagato>29.40</n:ImportoPagato>`+
			`<n:DataScadenza>2027-01-22+01:00</n:DataScadenza><n:DescrizioneCausaleVersamento>Verbale V 2026 104</n:DescrizioneCausaleVersamento><n:DataEsitoPagamento>2026-11-23+01:00</n:DataEsitoPagamento>`+
			`<n:SoggettoDebitore><c:PersonaFisica><c:Cognome>ANONIMO</c:Cognome><c:Nome>ANONIMO</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>ANONIMO</c:IdentificativoUnivocoFiscale></n:SoggettoDebitore>`+
			`<n:SoggettoVersante><c:PersonaFisica><c:Cognome>VERDI</c:Cognome><c:Nome>ADA</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>VRDDAA80A41L219X</c:IdentificativoUnivocoFiscale></n:SoggettoVersante>`+
			`<n:DatiTransazionePSP><n:IdPSP>ABI90909</n:IdPSP><n:RagioneSocialePSP>BANCA DI PROVA S.P.A.</n:RagioneSocialePSP><n:TipoVersamento>PO</n:TipoVersamento><n:DataOraAvvioTransazione>2026-11-23T00:00:00.000+01:00</n:DataOraAvvioTransazione><n:IUR>20261123IUR%d</n:IUR><n:ImportoTransato>29.40</n:ImportoTransato></n:DatiTransazionePSP>`+
			`<n:DatiSpecificiRiscossione>9/0000000XX/</n:DatiSpecificiRiscossione><n:CodiceAvviso>%s</n:CodiceAvviso></n:NotificaPagamento>`, position(i), number[1:], i, number)
	}
	return []byte(soap(fmt.Sprintf(`<n:TrasmettiNotifichePagamentoRequest xmlns:n="%s" xmlns:c="%s"><n:Testata><n:IdMessaggio>%s</n:IdMessaggio><n:CFEnteCreditore>01219860010</n:CFEnteCreditore><n:CodiceVersamento>PM47</n:CodiceVersamento><n:PagamentiSpontanei>false</n:PagamentiSpontanei><n:NumeroPagamenti>%d</n:NumeroPagamenti><n:ImportoTotalePagamenti>%s</n:ImportoTotalePagamenti></n:Testata><n:CorpoNotifichePagamento><n:ElencoNotifichePagamento>%s</n:ElencoNotifichePagamento></n:CorpoNotifichePagamento></n:TrasmettiNotifichePagamentoRequest>`,
		epaywso.NSEPaywso2Enti, epaywso.NSCommon, tnp, n, multe.Cents(n*2940).Decimal(), b.String())))
}

// TestReadMany checks the largest message that the schema allows.
func TestReadMany(t *testing.T) {
	raw := notices(1000)
	e, err := ppay.Read(raw)
	if err != nil || len(e.Notice.Payments) != 1000 || e.Notice.Unread != 0 || e.Notice.Mismatch || e.Notice.Payments[999].Number.IsZero() {
		t.Fatalf("Read of %d bytes = %v, %v", len(raw), e.Kind, err)
	}
}

func BenchmarkGate1000(b *testing.B) {
	raw := notices(1000)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ppay.Gate(strings.NewReader(string(raw))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead50(b *testing.B) {
	raw := notices(50)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ppay.Read(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadEsito250 reads the outcomes of a full list.
func BenchmarkReadEsito250(b *testing.B) {
	var positions strings.Builder
	for i := range multe.MaxBatch {
		number := fmt.Sprintf("31226327%08d", i)
		number += avviso.CheckDigits(number)
		fmt.Fprintf(&positions, `<c:PosizioneDebitoriaInserita><c:IdPosizioneDebitoria>%032x</c:IdPosizioneDebitoria><c:IUV>%s</c:IUV><c:CodiceAvviso>%s</c:CodiceAvviso><c:CodiceEsito>000</c:CodiceEsito><c:DescrizioneEsito>Operazione completata con esito positivo</c:DescrizioneEsito></c:PosizioneDebitoriaInserita>`, i, number[1:], number)
	}
	raw := []byte(soap(fmt.Sprintf(`<n:EsitoInserimentoListaDiCaricoRequest xmlns:n="%s" xmlns:c="%s"><c:Result><c:Codice>000</c:Codice></c:Result><n:TestataEsito><n:IdMessaggio>M</n:IdMessaggio><n:CFEnteCreditore>01219860010</n:CFEnteCreditore><n:CodiceVersamento>PM47</n:CodiceVersamento></n:TestataEsito><n:EsitoInserimento><c:ElencoPosizioniDebitorieInserite>%s</c:ElencoPosizioniDebitorieInserite></n:EsitoInserimento></n:EsitoInserimentoListaDiCaricoRequest>`,
		epaywso.NSEPaywso2Enti, epaywso.NSCommon, &positions)))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if e, err := ppay.Read(raw); err != nil || len(e.Esito.Outcomes) != multe.MaxBatch {
			b.Fatal(e.Kind, err)
		}
	}
}
