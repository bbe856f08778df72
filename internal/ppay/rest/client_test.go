package rest_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/rest"
)

// An operation is one call of the interface, with what it sends.
type operation struct {
	name   string
	method string
	path   string // below the base
	body   string // "" for none
	call   func(context.Context, *rest.Client) error
}

// operations is all of them. Each reads the answer that everything satisfies.
func operations() []operation {
	const (
		base  = "/organizations/01234567890/paymenttypes/MU01/"
		payer = `"codiceFiscalePartitaIVAPagatore":"RSSMRA80A01L219M","cognome":"Rossi","nome":"Mario","email":"mario@example.com"`
	)
	day := rest.Date{Year: 2026, Month: 7, Day: 1}
	return []operation{
		{"payment", "POST", base + "payment", `{` + payer + `,"identificativoPagamento":"P1","causale":"Verbale","importo":29.40,"notePerIlPagatore":"nota"}`,
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.Pay(ctx, creditor, typ, rest.Spontaneous{Payer: mario, ID: "P1", Causale: "Verbale", Cents: cents(2940), Note: "nota"})
				return err
			}},
		{"create", "POST", base + "debtpositions", `{` + payer + `,"identificativoPagamento":"P1","causale":"Verbale","importo":0.07,"componentiPagamento":[{"importo":0.07,"causale":"sanzione","annoAccertamento":2026,"numeroAccertamento":"12","datiSpecificiRiscossione":"9/x","progressivo":1}],` +
			`"dataInizioValidita":"2026-07-01T00:00:00.000+02:00","dataFineValidita":"2026-12-01T00:00:00.000+01:00","dataScadenza":"2026-07-01T00:00:00.000+02:00","notePerIlPagatore":"nota","requiresCostUpdate":true}`,
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.Create(ctx, creditor, typ, rest.NewPosition{Payer: mario, ID: "P1", Causale: "Verbale", Cents: cents(7),
					Components: []rest.Component{{Cents: 7, Causale: "sanzione", Year: 2026, Number: "12", DSR: "9/x", Order: 1}},
					From:       day, To: rest.Date{Year: 2026, Month: 12, Day: 1}, Due: day, Note: "nota", CostUpdate: true})
				return err
			}},
		{"create multipayees", "POST", base + "debtpositions/multipayees", `{` + payer + `,"identificativoPagamento":"P1","causale":"Verbale","importoTotale":30.00,"importoTotaleEntePrimario":29.40,"importoTotaleEntiSecondari":0.60,` +
			`"componentiPagamentoEntePrimario":[{"importo":29.40}],"componentiPagamentoEntiSecondari":[{"importo":0.60,"codiceFiscaleEnte":"11111111111","codiceVersamento":"XX01"}]}`,
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.CreateShared(ctx, creditor, typ, two())
				return err
			}},
		{"update", "PUT", base + "debtpositions/" + iuv0, `{` + payer + `,"importo":0.00,"componentiImporto":[{"importo":0.00,"causaleDescrittiva":"sanzione"}],"causale":"Verbale 2","motivazione":"perché","riferimentiPagamento":[{"nome":"Targa","valore":"AB123CD"}],"dataFineValidita":"2026-07-01T00:00:00.000+02:00"}`,
			func(ctx context.Context, c *rest.Client) error {
				return c.Update(ctx, creditor, typ, iuv0, rest.Update{Payer: mario, Cents: cents(0), Causale: "Verbale 2", Reason: "perché", To: day,
					Components: []rest.UpdateComponent{{Causale: "sanzione"}}, References: []rest.Reference{{Name: "Targa", Value: "AB123CD"}}})
			}},
		{"update multipayees", "PUT", base + "debtpositions/" + iuv0 + "/multipayees", `{"causale":"Verbale 3","dataScadenza":"2026-07-01T00:00:00.000+02:00"}`,
			func(ctx context.Context, c *rest.Client) error {
				return c.UpdateShared(ctx, creditor, typ, iuv0, rest.SharedPosition{Causale: "Verbale 3", Due: day})
			}},
		{"delete", "DELETE", base + "debtpositions/" + iuv0, "",
			func(ctx context.Context, c *rest.Client) error { return c.Delete(ctx, creditor, typ, iuv0) }},
		{"status", "GET", base + "debtpositions/" + iuv0 + "/status", "",
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.Status(ctx, creditor, typ, iuv0)
				return err
			}},
		{"paymentdata", "GET", base + "debtpositions/" + iuv0 + "/paymentdata", "",
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.PaymentData(ctx, creditor, typ, iuv0)
				return err
			}},
		{"paymentnotice", "GET", base + "debtpositions/" + iuv0 + "/paymentnotice", "",
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.Notice(ctx, creditor, typ, iuv0)
				return err
			}},
		{"iuv payment", "POST", "/organizations/01234567890/debtpositions/" + iuv0 + "/payment", "",
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.PaymentURL(ctx, creditor, iuv0)
				return err
			}},
		{"rt", "POST", "/rt", `{"identificativoPagamento":"P1","codiceFiscale":"ANONIMO","iuv":"` + iuv0 + `","formatoRT":"PDF","codiceFiscaleEnte":"01234567890"}`,
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.Receipt(ctx, rest.ReceiptRequest{ID: "P1", CF: "ANONIMO", IUV: iuv0, Format: "PDF", Creditor: creditor})
				return err
			}},
		{"stamptaxpayment", "POST", base + "stamptaxpayment", `{` + payer + `,"identificativoPagamento":"P1","causale":"Istanza","flagSoloMarca":true,"hashDocumento":"aGFzaA==","importoBollo":16.00,"provincia":"TO","quantita":1,"tipoBollo":"01"}`,
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.StampTax(ctx, creditor, typ, stamp("P1"))
				return err
			}},
		{"stampTaxAttachment", "GET", base + "debtpositions/" + iuv0 + "/stampTaxAttachment", "",
			func(ctx context.Context, c *rest.Client) error {
				_, err := c.StampTaxAttachment(ctx, creditor, typ, iuv0)
				return err
			}},
	}
}

func two() rest.SharedPosition {
	return rest.SharedPosition{Payer: mario, ID: "P1", Causale: "Verbale", Cents: cents(3000), MainCents: cents(2940), OtherCents: cents(60),
		Components: []rest.Component{{Cents: 2940}}, OtherComponents: []rest.OtherComponent{{Component: rest.Component{Cents: 60}, Creditor: "11111111111", Type: "XX01"}}}
}

func stamp(id multe.PositionID) rest.StampTax {
	return rest.StampTax{Payer: mario, ID: id, Causale: "Istanza", Only: true, Hash: "aGFzaA==", StampCents: cents(1600), Province: "TO", Quantity: 1, Kind: "01"}
}

// everything is an answer with all that any call reads.
func everything(code string) string {
	return `{"codiceEsito":"` + code + `","descrizioneEsito":"testo","result":{"code":"` + code + `","description":"testo"},"code":"1","description":"Non Pagato",` +
		`"iuv":"` + iuv0 + `","codiceAvviso":"3` + iuv0 + `","identificativoPagamento":"P1","paymentUrl":"https://x/","iuvDocumento":null,"elencoIuvMarcaBollo":["1"],` +
		`"importoPagatoTotale":29.4,"importoPagato":null,"datiMultibeneficiario":null,"dataEOraOperazione":1795428000000,"dataEsitoPagamento":null,` +
		`"paymentnotice":"` + base64.StdEncoding.EncodeToString([]byte("%PDF-1.4")) + `","ricevutaPdf":null,"rtXml":null,"ricevuta":null,"ricevutaXML":"PHg+PC94Pg=="}`
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// TestRequests pins what each call sends, byte by byte.
func TestRequests(t *testing.T) {
	for _, op := range operations() {
		var got *http.Request
		var body []byte
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			fmt.Fprint(w, everything("000"))
		})
		c := newClient(t, rest.Config{URL: s.URL + "/epayapi/api/v1/", User: user, Password: ppay.NewSecret(password), Version: "1.2.3"})
		if err := op.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", op.name, err)
			continue
		}
		if got.Method != op.method || got.URL.RequestURI() != "/epayapi/api/v1"+op.path || string(body) != op.body {
			t.Errorf("%s: %s %s\n%s, want %s %s\n%s", op.name, got.Method, got.URL, body, op.method, op.path, op.body)
		}
		contentType := ""
		if op.body != "" {
			contentType = "application/json"
		}
		for name, want := range map[string]string{"Content-Type": contentType, "Accept": "application/json", "User-Agent": "preavviso/1.2.3",
			"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), "Accept-Encoding": ""} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %s: %q, want %q", op.name, name, got.Header.Get(name), want)
			}
		}
	}
}

// kindOf is an error in one word: a refusal by its code and verdict, a fault by
// its code.
func kindOf(err error) string {
	if r, ok := errors.AsType[*rest.Refusal](err); ok {
		return r.Code + " " + string(r.Verdict)
	}
	if err == nil {
		return "done"
	}
	return fault.Of(err).Code
}

// TestAnswers is every call against every kind of answer. "lost" is an answer
// that says nothing.
func TestAnswers(t *testing.T) {
	wrap := map[string]func(string) string{
		"esito":  func(c string) string { return `{"codiceEsito":"` + c + `","descrizioneEsito":"` + password + `"}` },
		"result": func(c string) string { return `{"result":{"code":"` + c + `","description":"` + password + `"}}` },
		"flat":   func(c string) string { return `{"code":"` + c + `","description":"` + password + `"}` },
		"mixed":  func(c string) string { return `{"code":null,"description":null,"result":{"code":"` + c + `"}}` },
	}
	handler := func(codice string, status int) string {
		return fmt.Sprintf(`{"codice":%q,"status":%d,"messaggio":"x","dettagli":null}`, codice, status)
	}
	type answer struct {
		name   string
		status int
		body   string
		want   string
	}
	answers := []answer{
		{"done", 200, everything("000"), "done"},
		{"done as the YAML says", 201, everything("000"), "done"},
		{"credentials, container", 401, "<html>401</html>", "ppay.auth"},
		{"credentials, application", 403, handler("AUTH_FAILED_INVALID_PASSWORD", 403), "ppay.auth"},
		{"scope", 401, handler("HTTP_ERROR_UNAUTHORIZED", 401), "ppay.auth"},
		{"path", 400, handler("HTTP_ERROR_CONSTRAINT_VIOLATION_EXCEPTION_ARGS", 400), "ppay.rejected"},
		{"proxy 400", 400, "<html>", "lost"},
		{"done with 500", 500, everything("000"), "lost"},
		{"server error", 500, handler("HTTP_ERROR_UNEXPECTED", 500), "lost"},
		{"not found", 404, handler("HTTP_ERROR_NOT_FOUND", 404), "lost"},
		{"proxy", 502, "<html>", "lost"},
		{"redirect", 302, "", "lost"},
		{"HTML", 200, "<html>", "lost"},
		{"empty", 200, "", "lost"},
		{"no code", 200, "{}", "lost"},
		{"null", 200, "null", "lost"},
		{"list", 200, "[]", "lost"},
		{"short code", 500, `{"codiceEsito":"30"}`, "lost"},
		{"odd code", 500, `{"codiceEsito":"3x0"}`, "lost"},
		{"number", 500, `{"codiceEsito":300}`, "lost"},
		{"truncated", 200, everything("000")[:200], "lost"},
		{"twice", 200, everything("000") + "{}", "lost"},
		{"too large", 200, everything("000") + strings.Repeat(" ", 8<<20), "lost"},
		{"none", 0, "", "lost"},
	}
	for shape, f := range wrap {
		for _, c := range []struct {
			status        int
			code, verdict string
		}{
			{400, "300", "fix"}, {403, "200", "fix"}, {500, "100", "unknown"}, {500, "168", "refused"}, {500, "218", "refused"}, {500, "189", "fix"},
			{500, "301", "later"}, {500, "400", "refused"}, {500, "500", "later"}, {500, "999", "unknown"}, {500, "050", "unknown"}, {200, "300", "fix"},
		} {
			answers = append(answers, answer{fmt.Sprint(shape, " ", c.status, " ", c.code), c.status, f(c.code), c.code + " " + c.verdict})
		}
	}
	var now atomic.Pointer[answer]
	var elsewhere atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		a := now.Load()
		if a.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	})
	c := newClient(t, rest.Config{URL: s.URL, User: user, Password: ppay.NewSecret(password)})
	for _, a := range answers {
		for _, op := range operations() {
			if strings.HasPrefix(a.name, "flat") && op.name == "status" {
				continue // its own code is there
			}
			want := a.want
			if want == "lost" {
				want = map[bool]string{true: "ppay.no_answer", false: "ppay.unknown_outcome"}[op.method == "GET"]
			}
			now.Store(&a)
			err := op.call(t.Context(), c)
			if got := kindOf(err); got != want {
				t.Errorf("%s, %s: %s, want %s", op.name, a.name, got, want)
			}
			if err == nil {
				continue
			}
			if errors.Is(err, multe.ErrNotSent) {
				t.Errorf("%s, %s: surely not sent, but it was", op.name, a.name)
			}
			if strings.HasPrefix(want, "ppay.") && want != "ppay.rejected" != errors.Is(err, fault.Unavailable) {
				t.Errorf("%s, %s: kind %v", op.name, a.name, fault.Of(err).Kind)
			}
			if r, ok := errors.AsType[*rest.Refusal](err); ok {
				m, ok := errors.AsType[*multe.Refusal](err)
				if !ok || m.Code != r.Code || m.Verdict != r.Verdict || r.Status != a.status {
					t.Errorf("%s, %s: %+v as %+v", op.name, a.name, r, m)
				}
			}
			for _, secret := range []string{password, s.URL} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: the error quotes %q", op.name, a.name, secret)
				}
			}
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestDoneButUnreadable: code 000 with an answer that lacks what was asked for.
func TestDoneButUnreadable(t *testing.T) {
	for name, change := range map[string][2]string{
		"create":             {`"codiceAvviso":"3` + iuv0, `"codiceAvviso":"3` + iuv0[:16] + "9"},
		"create multipayees": {`"iuv":"` + iuv0, `"iuv":"1` + iuv0[1:16] + `1`},
		"paymentnotice":      {"JVBERi0xLjQ=", "PGh0bWw+"},
		"paymentdata":        {"29.4", "29.405"},
		"payment":            {"https://x/", ""},
		"iuv payment":        {"https://x/", "javascript:alert(1)"},
		"stamptaxpayment":    {"https://x/", "/x"},
	} {
		body := strings.ReplaceAll(everything("000"), change[0], change[1])
		if body == everything("000") {
			t.Fatalf("%s: nothing changed", name)
		}
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		c := newClient(t, rest.Config{URL: s.URL})
		for _, op := range operations() {
			if op.name == name {
				if err := op.call(t.Context(), c); !errors.Is(err, fault.Unavailable) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

func TestNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, rest.Config{URL: "http://" + l.Addr().String()})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, op := range operations() {
		for name, ctx := range map[string]context.Context{"nobody listens": t.Context(), "cancelled": done} {
			if err := op.call(ctx, c); !errors.Is(err, multe.ErrNotSent) || !errors.Is(err, fault.Unavailable) || fault.Of(err).Code != "ppay.unreachable" {
				t.Errorf("%s, %s: %v", op.name, name, err)
			}
		}
	}
}

func TestTimeout(t *testing.T) {
	hang := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	c := newClient(t, rest.Config{URL: s.URL, Timeout: 20 * time.Millisecond})
	if err := c.Update(t.Context(), creditor, typ, iuv0, rest.Update{}); fault.Of(err).Code != "ppay.unknown_outcome" || errors.Is(err, multe.ErrNotSent) {
		t.Error(err)
	}
}

// TestOneConnection: calls after each other share a connection.
func TestOneConnection(t *testing.T) {
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, everything("000")) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(t, rest.Config{URL: s.URL})
	for range 3 {
		for _, op := range operations() {
			if err := op.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestTLS: whom to trust is said from outside.
func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, everything("000")) }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer s.Close()
	call := func(trust *tls.Config) error {
		_, err := newClient(t, rest.Config{URL: s.URL, TLS: trust}).Status(t.Context(), creditor, typ, iuv0)
		return err
	}
	if err := call(nil); !errors.Is(err, multe.ErrNotSent) {
		t.Errorf("a stranger: %v", err)
	}
	if err := call(s.Client().Transport.(*http.Transport).TLSClientConfig); err != nil {
		t.Error(err)
	}
}

func TestNewClient(t *testing.T) {
	for _, c := range []struct {
		cfg  rest.Config
		code string
	}{
		{rest.Config{URL: "ppay.test/epayapi"}, "ppay.bad_url"},
		{rest.Config{URL: "ftp://ppay.test"}, "ppay.bad_url"},
		{rest.Config{URL: "https://"}, "ppay.bad_url"},
		{rest.Config{URL: "https://" + user + ":" + password + "@ppay.test"}, "ppay.bad_url"},
		{rest.Config{URL: "https://ppay.test?x=1"}, "ppay.bad_url"},
		{rest.Config{URL: "https://ppay.test#x"}, "ppay.bad_url"},
		{rest.Config{URL: "https://%zz" + password}, "ppay.bad_url"},
		{rest.Config{URL: "https://ppay.test", User: user}, "ppay.bad_credentials"},
		{rest.Config{URL: "https://ppay.test", Password: ppay.NewSecret(password)}, "ppay.bad_credentials"},
		{rest.Config{URL: "https://ppay.test", User: "a:b", Password: ppay.NewSecret(password)}, "ppay.bad_credentials"},
		{rest.Config{URL: "https://ppay.test", Timeout: -1}, "ppay.bad_timeout"},
	} {
		_, err := rest.NewClient(c.cfg)
		if fault.Of(err).Code != c.code || !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", c.cfg.URL, err)
		}
	}
}

// TestNothingPersonalInPrints: requests and answers print as nothing, however.
func TestNothingPersonalInPrints(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	for _, v := range []fmt.Formatter{
		mario, rest.Spontaneous{Payer: mario}, rest.NewPosition{Payer: mario}, rest.SharedPosition{Payer: mario}, rest.Update{Payer: mario}, rest.StampTax{Payer: mario},
		rest.PaymentData{Debtor: "Rossi Mario", CF: mario.CF},
	} {
		logger.Info("x", "v", v)
		log.WriteString(fmt.Sprintf("%v %+v %#v %s %v", v, v, v, v, &v))
	}
	for _, s := range []string{"Rossi", "Mario", "RSSMRA80A01L219M", "mario@"} {
		if strings.Contains(log.String(), s) {
			t.Errorf("%s was printed: %s", s, log.String())
		}
	}
}

// TestRefusedBeforeSending: nothing of this reaches the platform.
func TestRefusedBeforeSending(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	base := rest.NewPosition{Payer: mario, ID: "P", Causale: "x", Cents: cents(1)}
	create := func(f func(*rest.NewPosition)) error {
		p := base
		f(&p)
		_, err := w.client.Create(ctx, creditor, typ, p)
		return err
	}
	update := func(u rest.Update) error { return w.client.Update(ctx, creditor, typ, iuv0, u) }
	status := func(o multe.CreditorID, typ, iuv string) error {
		_, err := w.client.Status(ctx, o, typ, iuv)
		return err
	}
	make2 := func(f func(*rest.SharedPosition)) error {
		p := two()
		f(&p)
		_, err := w.client.CreateShared(ctx, creditor, shared, p)
		return err
	}
	buy := func(f func(*rest.StampTax)) error {
		s := stamp("S")
		f(&s)
		_, err := w.client.StampTax(ctx, creditor, typ, s)
		return err
	}
	receipt := func(r rest.ReceiptRequest) error { _, err := w.client.Receipt(ctx, r); return err }
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"short creditor":      {status("0123456789", typ, iuv0), "organization"},
		"creditor with slash": {status("0123456789/", typ, iuv0), "organization"},
		"type of 3":           {status(creditor, "MU1", iuv0), "paymentType"},
		"type of 5":           {status(creditor, "MU012", iuv0), "paymentType"},
		"type up":             {status(creditor, "../x", iuv0), "paymentType"},
		"iuv of 16":           {status(creditor, typ, iuv0[1:]), "iuv"},
		"iuv of 36":           {status(creditor, typ, strings.Repeat("1", 36)), "iuv"},
		"iuv with letter":     {status(creditor, typ, iuv0[1:]+"a"), "iuv"},
		"iuv with newline":    {status(creditor, typ, iuv0+"\n"), "iuv"},

		"no id":           {create(func(p *rest.NewPosition) { p.ID = " " }), "identificativoPagamento"},
		"long id":         {create(func(p *rest.NewPosition) { p.ID = multe.PositionID(strings.Repeat("x", 51)) }), "identificativoPagamento"},
		"no causale":      {create(func(p *rest.NewPosition) { p.Causale = "" }), "causale"},
		"long causale":    {create(func(p *rest.NewPosition) { p.Causale = strings.Repeat("x", 141) }), "causale"},
		"no amount":       {create(func(p *rest.NewPosition) { p.Cents = nil }), "importo"},
		"negative amount": {create(func(p *rest.NewPosition) { p.Cents = cents(-1) }), "importo"},
		"huge amount":     {create(func(p *rest.NewPosition) { p.Cents = cents(100_000_000_000) }), "importo"},
		"no payer":        {create(func(p *rest.NewPosition) { p.Payer = rest.Payer{} }), "codiceFiscalePartitaIVAPagatore"},
		"half a person":   {create(func(p *rest.NewPosition) { p.Name = "" }), "cognome"},
		"person, company": {create(func(p *rest.NewPosition) { p.Company = "X" }), "ragioneSociale"},
		"bad email":       {create(func(p *rest.NewPosition) { p.Email = "a@b" }), "email"},
		"ends too soon": {create(func(p *rest.NewPosition) {
			p.From, p.To = rest.Date{Year: 2026, Month: 2, Day: 2}, rest.Date{Year: 2026, Month: 2, Day: 1}
		}), "dataFineValidita"},
		"no such day":      {create(func(p *rest.NewPosition) { p.To = rest.Date{Year: 2026, Month: 2, Day: 30} }), "data non esiste"},
		"components":       {create(func(p *rest.NewPosition) { p.Components = []rest.Component{{Cents: 2}} }), "somma"},
		"year, no number":  {create(func(p *rest.NewPosition) { p.Components = []rest.Component{{Cents: 1, Year: 2026}} }), "numeroAccertamento"},
		"update component": {update(rest.Update{Components: []rest.UpdateComponent{{Cents: 1, Causale: "x"}}}), "componentiImporto"},
		"no causale of it": {update(rest.Update{Cents: cents(1), Components: []rest.UpdateComponent{{Cents: 1}}}), "causaleDescrittiva"},
		"update payer":     {update(rest.Update{Payer: rest.Payer{CF: "X"}}), "cognome"},
		"update reference": {update(rest.Update{References: []rest.Reference{{Name: "Targa"}}}), "riferimentiPagamento"},
		"update amount":    {update(rest.Update{Cents: cents(-1)}), "importo"},

		"sum of two":        {make2(func(p *rest.SharedPosition) { p.OtherCents = cents(61) }), "importoTotale"},
		"one amount of two": {make2(func(p *rest.SharedPosition) { p.OtherCents = nil }), "importoTotaleEntiSecondari"},
		"two without id":    {make2(func(p *rest.SharedPosition) { p.ID = "" }), "identificativoPagamento"},
		"two without payer": {make2(func(p *rest.SharedPosition) { p.Payer = rest.Payer{} }), "codiceFiscalePartitaIVAPagatore"},

		"stamp without hash":     {buy(func(s *rest.StampTax) { s.Hash = "" }), "hashDocumento"},
		"stamp without province": {buy(func(s *rest.StampTax) { s.Province = "" }), "provincia"},
		"stamp without email":    {buy(func(s *rest.StampTax) { s.Email = "" }), "email"},
		"stamp without amount":   {buy(func(s *rest.StampTax) { s.StampCents = nil }), "importoBollo"},
		"no stamps":              {buy(func(s *rest.StampTax) { s.Quantity = 0 }), "quantita"},
		"stamp and no document":  {buy(func(s *rest.StampTax) { s.Only = false }), "documento"},
		"stamp of no document":   {buy(func(s *rest.StampTax) { s.Document = "1" }), "iuvIstanzaAssociata"},

		"receipt format":   {receipt(rest.ReceiptRequest{ID: "P", CF: "ANONIMO", IUV: iuv0, Format: "pdf", Creditor: creditor}), "formatoRT"},
		"receipt CF":       {receipt(rest.ReceiptRequest{ID: "P", CF: "", IUV: iuv0, Format: "PDF", Creditor: creditor}), "codiceFiscale"},
		"receipt id":       {receipt(rest.ReceiptRequest{CF: "X", IUV: iuv0, Format: "PDF", Creditor: creditor}), "identificativoPagamento"},
		"receipt creditor": {receipt(rest.ReceiptRequest{ID: "P", CF: "X", IUV: iuv0, Format: "PDF"}), "organization"},
	} {
		if !errors.Is(c.err, fault.Invalid) || fault.Of(c.err).Code != "ppay.cannot_send" || !strings.Contains(fault.Of(c.err).Detail, c.says) {
			t.Errorf("%s: %v, want a word of %s", name, c.err, c.says)
		}
	}
	if n := w.calls.Load(); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// TestCents reads and writes amounts digit by digit.
func TestCents(t *testing.T) {
	for text, want := range map[string]rest.Cents{
		"0": 0, "0.00": 0, "0.07": 7, "29.4": 2940, "29.40": 2940, "29.400": 2940, "1E+2": 10000, "1e2": 10000, "2.94e1": 2940, "2940e-2": 2940,
		"7E-2": 7, "1020.99": 102099, "999999999.99": 99999999999, "0E+10": 0, "100": 10000, "0.1": 10, "8.1": 810, "1.1": 110, "4.35": 435, "0e-30": 0,
	} {
		var c rest.Cents
		if err := json.Unmarshal([]byte(text), &c); err != nil || c != want {
			t.Errorf("%s: %d, %v; want %d", text, c, err, want)
		}
	}
	for _, text := range []string{"-1", "-0.01", "0.001", "29.405", "1000000000", "1e9", "1e31", "1e-31", "7e-3", "1E+999999999999", `"29.40"`, "true", "{}", "[]", "1e99999999999999999999", "0." + strings.Repeat("0", 40)} {
		var c rest.Cents
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s was read as %d", text, c)
		}
	}
	for c, want := range map[rest.Cents]string{0: "0.00", 7: "0.07", 2940: "29.40", 100_000_000: "1000000.00", 99_999_999_999: "999999999.99"} {
		if got, err := json.Marshal(c); err != nil || string(got) != want {
			t.Errorf("%d: %s, %v; want %s", c, got, err, want)
		}
	}
	for _, c := range []rest.Cents{-1, 100_000_000_000} {
		if got, err := json.Marshal(c); err == nil {
			t.Errorf("%d was written as %s", c, got)
		}
	}
}

func TestInstant(t *testing.T) {
	want := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, text := range []string{"1795424400000", `"2026-11-23T10:00:00+01:00"`, `"2026-11-23T10:00:00.000+0100"`, `"2026-11-23T09:00:00Z"`, `"2026-11-23T10:00:00"`} {
		var i rest.Instant
		if err := json.Unmarshal([]byte(text), &i); err != nil || !i.Equal(want) {
			t.Errorf("%s: %v, %v", text, i, err)
		}
	}
	var i rest.Instant
	if err := json.Unmarshal([]byte(`"2026-11-23"`), &i); err != nil || !i.Equal(time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("a day: %v, %v", i, err)
	}
	if err := json.Unmarshal([]byte("null"), &i); err != nil || !i.IsZero() {
		t.Errorf("null: %v, %v", i, err)
	}
	for _, text := range []string{"1.5", "true", `"ieri"`, `""`, "999999999999999999", "{}"} {
		if err := json.Unmarshal([]byte(text), &i); err == nil {
			t.Errorf("%s was read as %v", text, i)
		}
	}
}
