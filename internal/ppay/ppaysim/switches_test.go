package ppaysim_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/ppay/ppaysim"
)

// call posts an envelope with headers and returns the status and the answer.
func (w *world) callSOAP(envelope string, header func(*http.Request)) (int, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), "POST", "http://ppay.test"+ppaysim.Endpoint, strings.NewReader(envelope))
	if err != nil {
		w.Fatal(err)
	}
	if header != nil {
		header(r)
	}
	resp, err := w.sim.Transport().RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// odd are messages the schema refuses and the platform's own classes read.
var odd = map[string]string{
	"wrong order": `<e:AggiornaPosizioniDebitorieRequest><e:Testata><e:NumeroPosizioniDebitorie>1</e:NumeroPosizioniDebitorie><e:CodiceVersamento>MU01</e:CodiceVersamento>` +
		`<e:IdMessaggio>ODD1</e:IdMessaggio><e:CFEnteCreditore>` + cf + `</e:CFEnteCreditore></e:Testata><e:ElencoPosizioniDaAggiornare><e:PosizioniDaAggiornare>` +
		edit("P0", "", "42.00", "") + `</e:PosizioniDaAggiornare></e:ElencoPosizioniDaAggiornare></e:AggiornaPosizioniDebitorieRequest>`,
	"the debtor's old place": update("ODD2", edit("P0", "", "42.00", mario+"<e:DescrizioneCausaleVersamento>Verbale</e:DescrizioneCausaleVersamento>")),
	"unknown element":        update("ODD3", edit("P0", "", "42.00", "<e:Inventato><e:Altro>1</e:Altro></e:Inventato>")),
	"RequiresCostUpdate":     update("ODD4", edit("P0", "", "42.00", "<e:RequiresCostUpdate>true</e:RequiresCostUpdate>")),
	"DatiSpecificiRiscossione": update("ODD5", edit("P0", "", "42.00", "<e:ComponentiImporto><e:ComponenteImporto><e:Importo>42.00</e:Importo><e:CausaleDescrittiva>x</e:CausaleDescrittiva>"+
		"<e:DatiSpecificiRiscossione>9/0101101IM/</e:DatiSpecificiRiscossione><e:AnnoAccertamento>2026</e:AnnoAccertamento><e:NumeroAccertamento>1</e:NumeroAccertamento></e:ComponenteImporto></e:ComponentiImporto>")),
}

// TestS2LenientMode: what the strict schema answers with 101 is read in lenient
// mode, and the back end's own checks come to light.
func TestS2LenientMode(t *testing.T) {
	for name, body := range odd {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pool(1)
			if got := w.send(body); got != "101" {
				t.Errorf("strict: %s", got)
			}
			w.must("PUT", "settings", `{"lenient":true}`)
			if got := w.do(body); got != "000 000" {
				t.Errorf("lenient: %s", got)
			}
			if p := w.position("P0"); p.Cents != 4200 {
				t.Errorf("%+v", p)
			}
		})
	}
	w := newWorld(t, func(s *ppaysim.Settings) { s.Lenient = true })
	no := func(element string) string {
		p := position("X", "1.00", "", mario)
		start, end := strings.Index(p, "<"+element+">"), strings.Index(p, "</"+element+">")
		return p[:start] + p[end+len("</"+element+">"):]
	}
	for i, tt := range []struct{ body, want string }{
		{no("e:IdPosizioneDebitoria"), "051 162"},
		{no("e:ImportoTotale"), "156"},
		{no("e:DescrizioneCausaleVersamento"), "051 164"},
		{no("e:SoggettoPagatore"), "051 165"},
		{no("c:PersonaFisica"), "051 166"},
		{no("c:Nome"), "051 168"},
		{no("c:IdentificativoUnivocoFiscale"), "051 167"},
		{strings.ReplaceAll(position("X", "1.00", "", mario), "e:DescrizioneCausale", "c:DescrizioneCausale"), "051 164"},
		{strings.ReplaceAll(position("X", "1.00", "", mario), "Preavviso", strings.Repeat("à", 141)), "051 160"},
		{position("Y", "1.00", "", mario), "000 000"},
	} {
		if got := w.do(insert(fmt.Sprint("L", i), "1.00", tt.body)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.body, got, tt.want)
		}
	}
	if got := w.send(insert(strings.Repeat("M", 36), "1.00", position("Z", "1.00", "", mario))); got != "183" {
		t.Errorf("an id too long: %s", got)
	}
}

// TestS2Dispatch: the qualified name of the body decides; the soapAction only
// when it is told to.
func TestS2Dispatch(t *testing.T) {
	const service = "http://www.csi.it/epay/epaywso/service/"
	w := newWorld(t)
	for _, tt := range []struct {
		action           string
		advisory, strict int
	}{
		{"", 200, 200}, {`""`, 200, 200}, {`"` + service + `AggiornaPosizioniDebitorie"`, 200, 200}, {service + "AggiornaPosizioniDebitorie", 200, 200},
		{`"` + service + `InserisciListaDiCarico"`, 200, 500}, {`"urn:x"`, 200, 500},
	} {
		for i, want := range []int{tt.advisory, tt.strict} {
			w.must("PUT", "settings", fmt.Sprintf(`{"action_checked":%v}`, i == 1))
			got, answer := w.callSOAP(soap(update("U", void("X", ""))), func(r *http.Request) { r.Header.Set("SOAPAction", tt.action) })
			if got != want {
				t.Errorf("%s, checked %v: HTTP %d, want %d: %s", tt.action, i == 1, got, want, answer)
			}
		}
	}
	for _, body := range []string{"<e:Altro/>", strings.ReplaceAll(update("U", void("X", "")), "e:Aggiorna", "c:Aggiorna")} {
		if got, _ := w.callSOAP(soap(body), nil); got != 500 {
			t.Errorf("%s: HTTP %d", body, got)
		}
	}
}

// secure puts a wsse:Security header with a secret password before the body.
func secure(body, security string) string {
	return strings.Replace(soap(body), "<soapenv:Header/>", `<soapenv:Header><wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"`+
		` xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" soapenv:mustUnderstand="1">`+security+`</wsse:Security></soapenv:Header>`, 1)
}

func timestamp(created, expires time.Time) string {
	const layout = "2006-01-02T15:04:05.000Z"
	return `<wsu:Timestamp wsu:Id="TS-1"><wsu:Created>` + created.UTC().Format(layout) + `</wsu:Created><wsu:Expires>` + expires.UTC().Format(layout) + `</wsu:Expires></wsu:Timestamp>`
}

const textPassword = ` Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"`

func token(user, kind, password string) string {
	return `<wsse:UsernameToken wsu:Id="UT-1"><wsse:Username>` + user + `</wsse:Username><wsse:Password` + kind + `>` + password + `</wsse:Password></wsse:UsernameToken>`
}

// TestS3Authentication: each mode, and each way to be refused by it.
func TestS3Authentication(t *testing.T) {
	w := newWorld(t)
	w.cfg.User, w.cfg.Password = "comune", "parola-segreta"
	w.restart()
	now := w.clock()
	good := timestamp(now, now.Add(5*time.Minute))
	right := token("comune", textPassword, "parola-segreta")
	body := update("U", void("X", ""))
	for _, tt := range []struct {
		name, mode string
		security   string // "": no header
		basic      string
		want       string // fault, HTTP status, or ""
	}{
		{"nothing asked", "none", "", "", ""},
		{"nothing asked, all shown", "none", good + right, "comune:parola-segreta", ""},
		{"basic by default", "", "", "", "401"},
		{"basic", "basic", "", "comune:parola-segreta", ""},
		{"basic, wrong", "basic", "", "comune:parola", "401"},
		{"basic, only WSS", "basic", good + right, "", "401"},
		{"wss", "wss", good + right, "", ""},
		{"wss, token first", "wss", right + good, "", ""},
		{"wss, no type", "wss", good + token("comune", "", "parola-segreta"), "", ""},
		{"wss, Expires far away", "wss", timestamp(now.Add(-time.Hour), now.Add(30_000*time.Second)) + right, "", ""},
		{"wss, a clock 59 s ahead", "wss", timestamp(now.Add(59*time.Second), now.Add(5*time.Minute)) + right, "", ""},
		{"wss, no header", "wss", "", "comune:parola-segreta", "wsse:InvalidSecurity"},
		{"wss, no timestamp", "wss", right, "", "wsse:InvalidSecurity"},
		{"wss, no token", "wss", good, "", "wsse:InvalidSecurity"},
		{"wss, two tokens", "wss", good + right + right, "", "wsse:InvalidSecurity"},
		{"wss, expired", "wss", timestamp(now.Add(-10*time.Minute), now) + right, "", "wsse:InvalidSecurity"},
		{"wss, from the future", "wss", timestamp(now.Add(61*time.Second), now.Add(5*time.Minute)) + right, "", "wsse:InvalidSecurity"},
		{"wss, ends before it begins", "wss", timestamp(now.Add(50*time.Second), now.Add(40*time.Second)) + right, "", "wsse:InvalidSecurity"},
		{"wss, no instant", "wss", "<wsu:Timestamp><wsu:Created>ieri</wsu:Created><wsu:Expires>domani</wsu:Expires></wsu:Timestamp>" + right, "", "wsse:InvalidSecurity"},
		{"wss, no password", "wss", good + "<wsse:UsernameToken><wsse:Username>comune</wsse:Username></wsse:UsernameToken>", "", "wsse:InvalidSecurity"},
		{"wss, wrong password", "wss", good + token("comune", textPassword, "parola"), "", "wsse:FailedAuthentication"},
		{"wss, wrong user", "wss", good + token("altro", textPassword, "parola-segreta"), "", "wsse:FailedAuthentication"},
		{"wss, a digest", "wss", good + token("comune", strings.Replace(textPassword, "PasswordText", "PasswordDigest", 1), "parola-segreta"), "", "wsse:FailedAuthentication"},
		{"both", "both", good + right, "comune:parola-segreta", ""},
		{"both, no basic", "both", good + right, "", "401"},
		{"both, no WSS", "both", "", "comune:parola-segreta", "wsse:InvalidSecurity"},
	} {
		w.must("PUT", "settings", `{"auth":"`+tt.mode+`"}`)
		envelope := soap(body)
		if tt.security != "" {
			envelope = secure(body, tt.security)
		}
		status, answer := w.callSOAP(envelope, func(r *http.Request) {
			if user, password, ok := strings.Cut(tt.basic, ":"); ok {
				r.SetBasicAuth(user, password)
			}
		})
		var env struct {
			Code string `xml:"Body>Fault>faultcode"`
		}
		got := fmt.Sprint(status)
		if status == 500 && xml.Unmarshal([]byte(answer), &env) == nil {
			got = env.Code
		}
		if want := map[bool]string{true: "200", false: tt.want}[tt.want == ""]; got != want {
			t.Errorf("%s: %s, want %s: %s", tt.name, got, want, answer)
		}
	}
	if status := w.control("PUT", "settings", `{"auth":"digest"}`, nil); status != 400 {
		t.Errorf("auth digest: HTTP %d", status)
	}
	if kept := fmt.Sprint(w.messages()); strings.Contains(kept, "parola") || !strings.Contains(kept, "credentials removed") {
		t.Error("credentials are in the messages, or nothing was redacted")
	}
	// Nobody knows a password where there is none.
	w.cfg.User, w.cfg.Password = "", ""
	w.restart()
	w.must("PUT", "settings", `{"auth":"wss"}`)
	if status, _ := w.callSOAP(secure(body, good+token("", "", "")), nil); status != 500 {
		t.Errorf("no credentials configured: HTTP %d", status)
	}
}

// TestS3NothingInTheFile: a list that waits, and all that was recorded, without
// the password of its caller.
func TestS3NothingInTheFile(t *testing.T) {
	w := newWorld(t, func(s *ppaysim.Settings) {
		s.DelayMin, s.DelayMax = ppaysim.Duration(time.Hour), ppaysim.Duration(time.Hour)
	})
	w.cfg.User, w.cfg.Password = "comune", "parola-segreta"
	w.restart()
	w.must("PUT", "settings", `{"auth":"wss"}`)
	now := w.clock()
	if status, answer := w.callSOAP(secure(update("U", void("X", "")), timestamp(now, now.Add(time.Minute))+token("comune", "", "parola-segreta")), nil); status != 200 {
		t.Fatal(answer)
	}
	broken := secure("<e:Broken>", token("comune", "", "parola-segreta"))
	if status, _ := w.callSOAP(broken, nil); status != 500 {
		t.Fatal("not broken")
	}
	raw, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "parola-segreta") || strings.Contains(string(raw), base64.StdEncoding.EncodeToString([]byte("parola-segreta"))) {
		t.Error("the password is in the file")
	}
	w.wait(time.Hour)
	if w.step(); len(w.esiti()) != 1 {
		t.Error("the list was not elaborated")
	}
}

// paid makes one active position P0 of a pool, paid.
func (w *world) paid() ppaysim.Position {
	w.Helper()
	a := w.pool(1)
	w.do(update("UP", edit("P0", "", "42.00", "")))
	if ko := w.counter("pay", `{"avviso":"`+a[0]+`"}`); ko != "" {
		w.Fatal(ko)
	}
	return w.position("P0")
}

// tell runs the job and returns the bodies of what it told.
func (w *world) tell() (bodies []string) {
	w.Helper()
	before := len(w.calls)
	w.must("POST", "notify", "")
	w.step()
	for _, c := range w.calls[before:] {
		if strings.Contains(c.action, "Notifiche") {
			bodies = append(bodies, c.body)
		}
	}
	return bodies
}

// TestS15NastyNotifications: each way a message of payments departs from the
// contract, once, and then no more.
func TestS15NastyNotifications(t *testing.T) {
	has := func(parts ...string) func(*testing.T, ppaysim.Position, []string) {
		return func(t *testing.T, _ ppaysim.Position, bodies []string) {
			for _, b := range bodies {
				for _, part := range parts {
					if not, without := strings.CutPrefix(part, "!"); without == strings.Contains(b, not) {
						t.Errorf("%q: %s", part, b)
					}
				}
			}
			if len(bodies) != 1 {
				t.Errorf("%d messages", len(bodies))
			}
		}
	}
	for name, tt := range map[string]struct {
		settings string
		check    func(*testing.T, ppaysim.Position, []string)
	}{
		"no PSP":       {`{"notify_no_psp_next":1}`, has("!IdPSP", "!IUR", "!DataEsito", "!DataOraAvvio", "TipoVersamento>PO<", "CodiceAvviso")},
		"wrong total":  {`{"notify_total_next":1}`, has("ImportoTotalePagamenti>42.01<", "ImportoPagato>42.00<")},
		"no code":      {`{"notify_no_code_next":1}`, has("!CodiceAvviso", "IdPSP")},
		"plain dates":  {`{"notify_plain_dates":true}`, has("DataEsitoPagamento>2026-11-23<", "DataOraAvvioTransazione>2026-11-23T00:00:00<")},
		"other amount": {`{"pay_other_next":1}`, has("ImportoPagato>43.00<", "ImportoTotalePagamenti>43.00<")},
		"joined IURs": {`{"notify_joined_next":1}`, func(t *testing.T, p ppaysim.Position, bodies []string) {
			if iur := p.Payments[0].IUR; !strings.Contains(bodies[0], "IUR>"+iur+iur+"<") || 2*len(iur) <= 35 {
				t.Errorf("%s", bodies[0])
			}
		}},
		"delivered twice": {`{"notify_twice_next":1}`, func(t *testing.T, _ ppaysim.Position, bodies []string) {
			if len(bodies) != 2 || bodies[0] != bodies[1] {
				t.Errorf("%d messages, not the same twice", len(bodies))
			}
		}},
		"paid twice": {`{"pay_twice_next":1}`, func(t *testing.T, p ppaysim.Position, bodies []string) {
			n := body[notice](t, bodies[0])
			if len(n.Items) != 2 || n.Items[0].IUV != n.Items[1].IUV || n.Items[0].Inner == n.Items[1].Inner || n.Total != "84.00" || len(p.Payments) != 2 || p.Payments[0].IUR == p.Payments[1].IUR {
				t.Errorf("%+v", n)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must("PUT", "settings", tt.settings)
			p := w.paid()
			tt.check(t, p, w.tell())
			if again := w.tell(); len(again) != 0 {
				t.Error("told again")
			}
		})
	}
	t.Run("told again under another id", func(t *testing.T) {
		w := newWorld(t, func(s *ppaysim.Settings) { s.NotifyAgainNext = 1 })
		w.paid()
		a, b, c := w.tell(), w.tell(), w.tell()
		if len(a) != 1 || len(b) != 1 || len(c) != 0 {
			t.Fatalf("%d, %d, %d messages", len(a), len(b), len(c))
		}
		x, y := body[notice](t, a[0]), body[notice](t, b[0])
		if x.ID == y.ID || x.Items[0].Inner != y.Items[0].Inner {
			t.Errorf("%s, %s", x.ID, y.ID)
		}
	})
	t.Run("before the outcome of the activation", func(t *testing.T) {
		w := newWorld(t)
		a := w.pool(1)
		w.must("PUT", "settings", `{"esito_late_next":1}`)
		w.queue(update("UP", edit("P0", "", "42.00", "")))
		w.step()
		w.restart() // what is held survives
		w.counter("pay", `{"avviso":"`+a[0]+`"}`)
		w.must("POST", "notify", "")
		w.step()
		if n := len(w.calls); n != 3 || !strings.Contains(w.calls[1].action, "Notifiche") || !strings.Contains(w.calls[2].action, "EsitoAggiorna") {
			t.Errorf("%d calls, the last to %s", n, w.calls[n-1].action)
		}
	})
}

// TestS16Esiti: outcomes out of order, twice, never, and released by hand.
func TestS16Esiti(t *testing.T) {
	ids := func(w *world) (ids []string) {
		for _, e := range w.esiti() {
			ids = append(ids, e.ID)
		}
		return ids
	}
	for _, tt := range []struct {
		settings string
		want     []string
	}{
		{`{}`, []string{"A", "B", "C"}},
		{`{"esito_late_next":1}`, []string{"B", "A", "C"}},
		{`{"esito_late_next":2}`, []string{"C", "A", "B"}},
		{`{"esito_twice_next":1}`, []string{"A", "A", "B", "C"}},
		{`{"esito_lost_next":2}`, []string{"C"}},
		{`{"esito_late_next":-1}`, nil},
	} {
		w := newWorld(t)
		w.must("PUT", "settings", tt.settings)
		for _, id := range []string{"A", "B", "C"} {
			w.queue(update(id, void("X", "")))
			w.step()
		}
		if got := ids(w); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.settings, got, tt.want)
		}
		w.must("POST", "deliveries/"+cf+"/release", "")
		w.step()
		if got := ids(w); tt.want == nil && !slices.Equal(got, []string{"A", "B", "C"}) {
			t.Errorf("released: %v", got)
		}
	}
	w := newWorld(t)
	w.must("POST", "deliveries/"+cf+"/stop", "")
	w.queue(update("A", void("X", "")))
	if w.step(); len(w.calls) != 0 {
		t.Error("a queue stopped by hand goes on")
	}
	w.must("POST", "deliveries/"+cf+"/enable", "")
	if w.step(); len(w.calls) != 1 {
		t.Error("an enabled queue stands still")
	}
	if status := w.control("POST", "deliveries/nobody/stop", "", nil); status != 404 {
		t.Errorf("stopping nobody's queue: HTTP %d", status)
	}
}

// TestS16SecurityHeader: a creditor whose listener asks for WS-Security gets what
// our own endpoint would take, and nothing of it is kept.
func TestS16SecurityHeader(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "enti", `{"enti":[{"cf":"`+cf+`","endpoint":"http://ente.test/soap","user":"ppay","password":"segreta&<>","wss":true,"segregation":"12","types":[{"code":"MU01"}]}]}`)
	w.do(update("U", void("X", "")))
	sent := w.calls[0].body
	for _, part := range []string{`s:mustUnderstand="1"`, "<wsu:Created>2026-11-23T10:00:00.000Z<", "<wsu:Expires>2026-11-23T10:05:00.000Z<", "#PasswordText\">segreta&amp;&lt;&gt;<"} {
		if !strings.Contains(sent, part) {
			t.Errorf("no %s in %s", part, sent)
		}
	}
	if kept := fmt.Sprint(w.messages()); strings.Contains(kept, "segreta") || !strings.Contains(kept, "EsitoAggiornaPosizioniDebitorie") {
		t.Errorf("%s", kept)
	}
}

// TestS1EsitoBeforeTheAnswer: the outcome is delivered while the caller waits,
// past lists and messages that wait, and past a creditor that does not listen.
func TestS1EsitoBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bubble(t, func(s *ppaysim.Settings) {
			s.DelayMin, s.DelayMax = ppaysim.Duration(time.Hour), ppaysim.Duration(time.Hour)
		})
		w.queue(update("WAITS", void("X", "")))
		w.must("PUT", "settings", `{"esito_first_next":1}`)
		w.queue(update("FIRST", void("X", "")))
		if es := w.esiti(); len(es) != 1 || es[0].ID != "FIRST" {
			t.Errorf("%d esiti when the answer came", len(es))
		}
		w.listen = func(*http.Request) (int, string, error) { return 503, "", nil }
		w.must("PUT", "settings", `{"esito_first_next":1}`)
		w.queue(update("DEAF", void("X", "")))
		w.must("PUT", "settings", `{"esito_first_next":1}`)
		if got := w.send(update("REFUSED", edit("X", "", "1,00", ""))); got != "101" {
			t.Errorf("%s", got)
		}
	})
}

// TestS17OnDemand: receipts one a message and tried once, revocations in the
// shape of the job, expired notices.
func TestS17OnDemand(t *testing.T) {
	w := newWorld(t)
	p := w.paid()
	if ko := w.counter("rt", `{"avviso":"`+p.Avviso+`"}`); ko != "" {
		t.Fatal(ko)
	}
	w.step()
	rt := w.calls[len(w.calls)-1]
	got := body[struct {
		ID    string `xml:"Testata>IdMessaggio"`
		Count int    `xml:"Testata>NumeroRT"`
		Own   string `xml:"CorpoRT>ElencoRT>RT>Id"`
		XML   string `xml:"CorpoRT>ElencoRT>RT>XML"`
	}](t, rt.body)
	raw, err := base64.StdEncoding.DecodeString(got.XML)
	if err != nil || got.ID != got.Own || !strings.HasPrefix(got.ID, "TRT"+p.IUV) || len(got.ID) != 27 || got.Count != 1 || !strings.Contains(rt.action, "TrasmettiRT") {
		t.Errorf("%+v, %v", got, err)
	}
	var inner struct {
		XMLName xml.Name
		Outcome string `xml:"datiPagamento>codiceEsitoPagamento"`
		Paid    string `xml:"datiPagamento>importoTotalePagato"`
		IUV     string `xml:"datiPagamento>identificativoUnivocoVersamento"`
		IUR     string `xml:"datiPagamento>datiSingoloPagamento>identificativoUnivocoRiscossione"`
	}
	if err := xml.Unmarshal(raw, &inner); err != nil || inner.XMLName.Space != "http://www.digitpa.gov.it/schemas/2011/Pagamenti/" || inner.Outcome != "0" || inner.Paid != "42.00" || inner.IUV != p.IUV || inner.IUR != p.Payments[0].IUR {
		t.Errorf("%+v, %v", inner, err)
	}
	// Not tried again, and nothing behind it is held up.
	w.listen = func(*http.Request) (int, string, error) { return 503, "", nil }
	w.counter("rt", `{"avviso":"`+p.Avviso+`","negative":true}`)
	before := len(w.calls)
	w.step()
	w.wait(24 * time.Hour)
	w.listen = nil
	w.queue(update("NEXT", void("X", "")))
	w.step()
	if n := len(w.calls) - before; n != 2 || w.last().ID != "NEXT" {
		t.Errorf("%d calls", n)
	}
	// The schema wants a response and a codice versamento of 4 characters.
	if ko := w.counter("revoke", `{"avviso":"`+p.Avviso+`"}`); ko != "" {
		t.Fatal(ko)
	}
	w.step()
	revoked := w.calls[len(w.calls)-1].body
	for _, part := range []string{"<n:CodiceVersamento>n/a-CONTESTO<", "<n:XML>AAECAwQFBgcICQo=<", "<n:TipoRevoca>0<", "<n:IUV>" + p.IUV + "<"} {
		if !strings.Contains(revoked, part) {
			t.Errorf("no %s in %s", part, revoked)
		}
	}
	if strings.Contains(revoked, "RichiestaDiRevocaResponse") {
		t.Error("the job sends no response")
	}
	if got := w.counter("verify", `{"avviso":"`+p.Avviso+`"}`); got != "PAA_PAGAMENTO_ANNULLATO" {
		t.Errorf("after a revocation: %s", got)
	}
	for act, want := range map[string]string{"rt": "PAA_PAGAMENTO_SCONOSCIUTO", "revoke": "PAA_PAGAMENTO_SCONOSCIUTO"} {
		if got := w.counter(act, `{"avviso":"312345678901234567"}`); got != want {
			t.Errorf("%s of nothing: %s", act, got)
		}
	}
	// Expired: unpaid and past the day it was due.
	w.queue(insert("EXP", "3.00", position("E0", "1.00", "<e:DataScadenza>2026-11-23</e:DataScadenza>", mario), position("E1", "1.00", "<e:DataScadenza>2026-11-24</e:DataScadenza>", mario), position("E2", "1.00", "", mario)))
	w.step()
	if got := w.counter("rt", `{"avviso":"`+w.position("E2").Avviso+`"}`); got != "NOT_PAID" {
		t.Errorf("receipt of nothing paid: %s", got)
	}
	w.must("POST", "expired", "")
	w.step()
	expired := w.calls[len(w.calls)-1]
	if !strings.Contains(expired.action, "TrasmettiAvvisiScaduti") || strings.Count(expired.body, "<n:AvvisoScaduto>") != 1 || !strings.Contains(expired.body, w.position("E0").IUV) {
		t.Errorf("%s", expired.body)
	}
	for _, folder := range ppaysim.ContractFolders(t) {
		ppaysim.Lint(t, filepath.Join(folder, "EPaywso2EntiServiceTypes.xsd"), []string{ppaysim.BodyOf(t, rt.body), ppaysim.BodyOf(t, expired.body)})
	}
}

// TestS9InactiveCodes goes through the service: an amount of zero is for
// ANONIMO alone, exactly written, and a company of that name never gets a debtor.
func TestS9InactiveCodes(t *testing.T) {
	w := newWorld(t)
	company := "<e:SoggettoPagatore><c:PersonaGiuridica><c:RagioneSociale>ANONIMO</c:RagioneSociale></c:PersonaGiuridica><c:IdentificativoUnivocoFiscale>ANONIMO</c:IdentificativoUnivocoFiscale></e:SoggettoPagatore>"
	got := w.do(insert("M", "0.00", inactive("A"), position("B", "0.00", "", mario), position("C", "0.00", "", strings.ReplaceAll(anonimo, "ANONIMO", "Anonimo")),
		position("D", "0.00", "", strings.Replace(anonimo, "ANONIMO", "ANONIMO ", 1)), position("E", "0.00", "", company)))
	if got != "050 000 163 163 163 000" {
		t.Errorf("%s", got)
	}
	if got := w.do(update("U", edit("A", "", "42.00", mario), edit("E", "", "42.00", mario))); got != "050 000 218" {
		t.Errorf("%s", got)
	}
}

// TestS21Catalogue: January 1st without the new year's reference, a catalogue
// and a taxonomy that do not answer.
func TestS21Catalogue(t *testing.T) {
	w := newWorld(t)
	w.pool(1)
	for i, tt := range []struct{ settings, insert, update string }{
		{`{"no_accertamento":true}`, "051 157", "000 000"},
		{`{"no_accertamento":false,"catalog_down":true}`, "051 157", "000 000"},
		{`{"catalog_down":false,"taxonomy_down":true}`, "157", "157"},
		{`{"taxonomy_down":false}`, "000 000", "000 000"},
	} {
		w.must("PUT", "settings", tt.settings)
		id := fmt.Sprint("M", i)
		if got := w.do(insert(id, "0.00", inactive(id))); got != tt.insert {
			t.Errorf("%s: insert %s", tt.settings, got)
		}
		if got := w.do(update(id, edit("P0", "", "1.00", ""))); got != tt.update {
			t.Errorf("%s: update %s", tt.settings, got)
		}
	}
	// The year turns: the reference of type MU03 is last year's.
	w.must("PUT", "enti", `{"enti":[{"cf":"`+cf+`","endpoint":"http://ente.test/soap","segregation":"12","types":[{"code":"MU01","entries":[{"year":2026,"number":"7","dsr":"9/X/"}]}]}]}`)
	if got := w.do(insert("OLD", "0.00", inactive("OLD"))); got != "000 000" {
		t.Errorf("in November: %s", got)
	}
	w.must("PUT", "clock", `{"now":"2026-12-31T23:00:00Z"}`)
	if got := w.do(insert("NEW", "0.00", inactive("NEW"))); got != "051 157" {
		t.Errorf("on January 1st: %s", got)
	}
}

// TestS24EverythingIsRecorded: also what was refused, lost, or could not be read.
func TestS24EverythingIsRecorded(t *testing.T) {
	w := newWorld(t)
	send := func(settings, envelope string) {
		w.must("PUT", "settings", settings)
		if _, _, err := w.post(envelope); err != nil && !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
			t.Error(err)
		}
	}
	send(`{}`, "<broken")
	send(`{}`, soap("<e:Altro/>"))
	send(`{"refuse_next":1,"refuse_code":"503"}`, soap(update("A", void("X", ""))))
	send(`{"drop_answers_next":1}`, soap(update("B", void("X", ""))))
	send(`{"drop_requests_next":1}`, soap(update("C", void("X", ""))))
	send(`{"auth":"basic"}`, soap(update("D", void("X", ""))))
	send(`{"auth":"none","esito_lost_next":1}`, soap(update("E", void("X", ""))))
	w.step()
	var got []string
	for _, m := range w.messages() {
		got = append(got, m.Direction+" "+m.ID+" "+m.Failure)
	}
	want := []string{"in  fault s:Client: malformed XML", "in  fault s:Client: unknown operation", "in A refused by the simulator: 503", "in B answer lost by the simulator",
		"in  connection broken before anything was read", "in  HTTP 401", "in E "}
	for i, line := range want {
		if i >= len(got) || got[i] != line {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
	if w.messages()[0].Body != "<broken" {
		t.Error("the raw text is not kept")
	}
	var lost bool
	for _, m := range w.messages()[len(want):] {
		lost = lost || m.Direction == "out" && m.Failure == "never sent by the simulator"
	}
	if !lost {
		t.Error("an esito that was never sent is not recorded")
	}
}

// TestResetAndSeed: a pool and active positions without a list, and a platform
// as it was on the first day.
func TestResetAndSeed(t *testing.T) {
	w := newWorld(t)
	var out struct{ Positions []ppaysim.Position }
	if status := w.control("POST", "seed", `{"cf":"`+cf+`","type":"MU01","count":3,"cents":4200}`, &out); status != 200 || len(out.Positions) != 3 || out.Positions[2].Cents != 4200 {
		t.Fatalf("HTTP %d: %+v", status, out)
	}
	if ko := w.counter("pay", `{"avviso":"`+out.Positions[0].Avviso+`"}`); ko != "" {
		t.Error(ko)
	}
	for _, in := range []string{`{"cf":"x","type":"MU01","count":1}`, `{"cf":"` + cf + `","type":"MU99","count":1}`, `{"cf":"` + cf + `","type":"MU01","count":0}`, `{"cf":"` + cf + `","type":"MU01","count":1,"cents":-1}`} {
		if status := w.control("POST", "seed", in, nil); status != 400 {
			t.Errorf("%s: HTTP %d", in, status)
		}
	}
	w.must("PUT", "settings", `{"threshold":7,"lenient":true}`)
	w.must("PUT", "clock", `{"advance":"24h"}`)
	w.must("PUT", "callers", `{"callers":[{"code":"kept","passphrase":"p","scopes":[],"types":[]}]}`)
	w.must("POST", "reset", "")
	var callers struct{ Callers []ppaysim.Caller }
	if w.control("GET", "callers", "", &callers); len(callers.Callers) != 1 || callers.Callers[0].Code != "kept" {
		t.Errorf("callers after a reset: %+v", callers)
	}
	if d, err := w.sim.Dump(); err != nil || len(d.Positions)+len(d.Register)+len(w.messages()) != 0 || !d.Now.Equal(w.clock()) {
		t.Errorf("after a reset: %+v, %v", d, err)
	}
	if got := w.sim.Settings(); got != w.cfg.Settings {
		t.Errorf("%+v", got)
	}
	if a := w.pool(2); len(a) != 2 {
		t.Error("the creditor is gone")
	}
}

// TestMagicCausale: a code asked for in the text of a position.
func TestMagicCausale(t *testing.T) {
	w := newWorld(t)
	ask := func(p, code string) string { return strings.Replace(p, "Preavviso", "Preavviso SIM:"+code, 1) }
	if got := w.do(insert("M", "0.00", ask(inactive("A"), "160"), inactive("B"), ask(inactive("C"), "999"))); got != "050 160 000 000" {
		t.Errorf("%s", got)
	}
	if got := w.do(update("U", edit("B", "", "1.00", "<e:DescrizioneCausaleVersamento>[SIM:177]</e:DescrizioneCausaleVersamento>"))); got != "051 177" {
		t.Errorf("%s", got)
	}
	if p := w.position("B"); p.Cents != 0 || p.Updated != 0 {
		t.Errorf("%+v", p)
	}
}

// FuzzSecurity reads any header: the message is let in or answered with a fault.
func FuzzSecurity(f *testing.F) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	f.Add(timestamp(at, at.Add(time.Minute)) + token("comune", textPassword, "parola-segreta"))
	f.Add(timestamp(at, at.Add(time.Minute)))
	f.Add(token("comune", "", "parola-segreta"))
	f.Add("<wsse:Security><wsse:Password>parola-segreta</wsse:Password></wsse:Security>")
	f.Add("</wsse:Security></soapenv:Header><soapenv:Header><wsse:Security>")
	sim, err := ppaysim.Open(filepath.Join(f.TempDir(), "sim.db"), ppaysim.Config{User: "comune", Password: "parola-segreta", Now: func() time.Time { return at },
		Settings: ppaysim.Settings{Auth: ppaysim.AuthWSS}, Enti: []ppaysim.Creditor{{CF: cf, Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := sim.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, security string) {
		r, _ := http.NewRequest("POST", "http://ppay.test"+ppaysim.Endpoint, strings.NewReader(secure(update("U", void("X", "")), security)))
		resp, err := sim.Transport().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		if in := strings.Contains(string(raw), "EPaywsoServiceResponse"); in != (resp.StatusCode == 200) || !in && !strings.Contains(string(raw), "s:Fault") {
			t.Fatalf("HTTP %d: %s", resp.StatusCode, raw)
		}
		if resp.StatusCode == 200 && !strings.Contains(security, "comune") && !strings.Contains(security, "&#") {
			t.Fatalf("let in: %s", security)
		}
	})
}
