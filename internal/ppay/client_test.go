package ppay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
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

	gowsdl "github.com/hooklift/gowsdl/soap"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/wsdl/epaywso"
)

const (
	user     = "utente-canarino"
	password = "password-canarino"
)

func newClient(t testing.TB, cfg ppay.Config) *ppay.Client {
	t.Helper()
	c, err := ppay.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sealed() multe.Batch {
	return multe.Batch{Creditor: creditor.ID, ID: batchID, Operation: multe.OperationInsert, Body: []byte("<the exact bytes/>")}
}

// answer is a response of the platform.
func answer(code string) string {
	return soap(`<c:EPaywsoServiceResponse xmlns:c="` + epaywso.NSCommon + `"><c:Result><c:Codice>` + code + `</c:Codice><c:Messaggio>` + password + `</c:Messaggio></c:Result></c:EPaywsoServiceResponse>`)
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have gone
	}
}

func TestSubmitSends(t *testing.T) {
	for _, c := range []struct {
		op     multe.Operation
		action string
	}{
		{multe.OperationInsert, `"http://www.csi.it/epay/epaywso/service/InserisciListaDiCarico"`},
		{multe.OperationUpdate, `"http://www.csi.it/epay/epaywso/service/AggiornaPosizioniDebitorie"`},
	} {
		for _, auth := range []string{"", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))} {
			var got *http.Request
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				reply(200, answer("000"))(w, r)
			}))
			cfg := ppay.Config{URL: server.URL + "/wso001/services/Enti2EPaywsoProxy", Version: "1.2.3"}
			if auth != "" {
				cfg.Auth, cfg.User, cfg.Password = ppay.AuthBasic, user, ppay.NewSecret(password)
			}
			b := sealed()
			b.Operation = c.op
			code, err := newClient(t, cfg).Submit(t.Context(), creditor, b)
			server.Close()
			if code != "000" || err != nil {
				t.Fatalf("Submit = %q, %v", code, err)
			}
			for header, want := range map[string]string{
				"SOAPAction": c.action, "Content-Type": "text/xml; charset=utf-8", "User-Agent": "preavviso/1.2.3",
				"Authorization": auth, "Accept-Encoding": "", "Content-Length": fmt.Sprint(len(b.Body)),
			} {
				if got.Header.Get(header) != want {
					t.Errorf("%s: %q, want %q", header, got.Header.Get(header), want)
				}
			}
			if got.Method != "POST" || got.URL.Path != "/wso001/services/Enti2EPaywsoProxy" || !bytes.Equal(body, b.Body) {
				t.Errorf("%s %s with %q", got.Method, got.URL, body)
			}
		}
	}
}

// TestSubmitAnswers is what each answer means. "unknown" and "auth" are the codes
// of fault.Unavailable; a verdict is that of a refusal.
func TestSubmitAnswers(t *testing.T) {
	gz := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.String()
	}
	fault11 := soap(`<S:Fault><faultcode>S:Server</faultcode><faultstring>` + password + `</faultstring></S:Fault>`)
	header := func(key, value string, h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			h(&withHeader{ResponseWriter: w, key: key, value: value}, r)
		}
	}
	for _, c := range []struct {
		name   string
		server http.HandlerFunc
		want   string
	}{
		{"queued", reply(200, answer("000")), "000"},
		{"duplicate", reply(200, answer("012")), "012"},
		{"warning", reply(200, answer("099")), "099"},
		{"without message", reply(200, strings.NewReplacer("<c:Messaggio>"+password+"</c:Messaggio>", "").Replace(answer("000"))), "000"},
		{"declared as HTML", header("Content-Type", "text/html", reply(200, answer("000"))), "000"},
		{"other namespaces", reply(200, strings.ReplaceAll(answer("000"), epaywso.NSCommon, "urn:proxy")), "000"},
		{"no namespaces", reply(200, soap(`<EPaywsoServiceResponse><Result><Codice>000</Codice></Result></EPaywsoServiceResponse>`)), "000"},
		{"chunked", func(w http.ResponseWriter, r *http.Request) {
			for _, c := range answer("000") {
				_, _ = io.WriteString(w, string(c))
				w.(http.Flusher).Flush()
			}
		}, "000"},

		{"refused 100", reply(200, answer("100")), "fix"},
		{"refused 101", reply(200, answer("101")), "fix"},
		{"refused 112", reply(200, answer("112")), "already"},
		{"refused 150", reply(200, answer("150")), "already"},
		{"refused 199", reply(200, answer("199")), "fix"},
		{"refused 200", reply(200, answer("200")), "later"},
		{"refused 299", reply(200, answer("299")), "later"},
		{"refused 300", reply(200, answer("300")), "fix"},

		{"500 with an answer", reply(500, answer("000")), "unknown"},
		{"500 with a fault", reply(500, fault11), "unknown"},
		{"200 with a fault", reply(200, fault11), "unknown"},
		{"502", reply(502, "<html>"), "unknown"},
		{"503", reply(503, ""), "unknown"},
		{"404 page", reply(404, "<html><br></html>"), "unknown"},
		{"200 page", reply(200, "<html><body>accesso</body></html>"), "unknown"},
		{"202 empty", reply(202, ""), "unknown"},
		{"204", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }, "unknown"},
		{"200 empty", reply(200, ""), "unknown"},
		{"401", reply(401, password), "auth"},
		{"403", reply(403, password), "auth"},
		{"redirect", header("Location", "/elsewhere", reply(302, "")), "unknown"},
		{"redirect that keeps the method", header("Location", "/elsewhere", reply(307, "")), "unknown"},
		{"empty body", reply(200, soap("")), "unknown"},
		{"another message", reply(200, soap(small)), "unknown"},
		{"SOAP 1.2", reply(200, strings.ReplaceAll(answer("000"), soapNS, "http://www.w3.org/2003/05/soap-envelope")), "unknown"},
		{"no envelope", reply(200, `<EPaywsoServiceResponse><Result><Codice>000</Codice></Result></EPaywsoServiceResponse>`), "unknown"},
		{"no code", reply(200, soap(`<EPaywsoServiceResponse><Result/></EPaywsoServiceResponse>`)), "unknown"},
		{"two codes", reply(200, soap(`<EPaywsoServiceResponse><Result><Codice>000</Codice><Codice>101</Codice></Result></EPaywsoServiceResponse>`)), "unknown"},
		{"word for a code", reply(200, answer(password)), "unknown"},
		{"document type", reply(200, `<!DOCTYPE a>`+answer("000")), "unknown"},
		{"truncated XML", reply(200, answer("000")[:200]), "unknown"},
		{"two answers", reply(200, answer("000")+answer("000")), "unknown"},
		{"Latin-1", reply(200, strings.Replace(answer("\xe8"), "UTF-8", "ISO-8859-1", 1)), "unknown"},
		{"UTF-16", reply(200, "\xff\xfe<\x00"), "unknown"},
		{"compressed though not asked for", header("Content-Encoding", "gzip", reply(200, gz(answer("000")))), "unknown"},
		{"bomb", header("Content-Encoding", "gzip", reply(200, gz(strings.Repeat(" ", 40<<20)+answer("000")))), "unknown"},
		{"2 MB of space after", reply(200, answer("000")+strings.Repeat(" ", 2<<20)), "unknown"},
		{"40 MB", reply(200, strings.Repeat(" ", 40<<20)+answer("000")), "unknown"},
		{"deep", reply(200, soap(strings.Repeat("<a>", 100_000))), "unknown"},
		{"headers without end", header("X", strings.Repeat("x", 100<<10), reply(200, answer("000"))), "unknown"},
		{"reset before the answer", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "unknown"},
		{"reset in the answer", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, answer("000")[:100])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "unknown"},
		{"stall before the answer", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the server notices that the client has gone
			<-r.Context().Done()
		}, "unknown"},
		{"stall in the answer", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, answer("000")[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var elsewhere, calls atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					elsewhere.Add(1)
				}
				calls.Add(1)
				c.server(w, r)
			}))
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			server.Start()
			defer server.Close()
			cfg := ppay.Config{URL: server.URL, Auth: ppay.AuthBasic, User: user, Password: ppay.NewSecret(password)}
			if strings.HasPrefix(c.name, "stall") {
				cfg.Timeout = 50 * time.Millisecond
			}
			code, err := newClient(t, cfg).Submit(t.Context(), creditor, sealed())
			var refusal *multe.Refusal
			got := code
			switch {
			case errors.As(err, &refusal):
				got = string(refusal.Verdict)
				if refusal.Code != code {
					t.Errorf("code %q, refusal %q", code, refusal.Code)
				}
			case errors.Is(err, fault.Unavailable):
				got = map[string]string{"ppay.unknown_outcome": "unknown", "ppay.auth": "auth"}[fault.Of(err).Code]
			}
			if got != c.want || (err == nil) != (got == code) || errors.Is(err, multe.ErrNotSent) {
				t.Errorf("Submit = %q, %v; want %s", code, err, c.want)
			}
			if elsewhere.Load() != 0 || calls.Load() != 1 {
				t.Errorf("%d calls, %d of them elsewhere", calls.Load(), elsewhere.Load())
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), user)) {
				t.Errorf("error %q holds a secret", err)
			}
		})
	}
}

// withHeader adds a header just before the status is written.
type withHeader struct {
	http.ResponseWriter
	key, value string
}

func (w *withHeader) WriteHeader(status int) {
	w.Header().Set(w.key, w.value)
	w.ResponseWriter.WriteHeader(status)
}

// TestSubmitNotSent is when a batch surely did not leave, and when that only
// seems so.
func TestSubmitNotSent(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(reply(200, answer("000")))
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	noTLS := httptest.NewServer(reply(200, answer("000")))
	defer noTLS.Close()
	// Accepts and hangs up, having read nothing.
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rude.Close() }()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	for _, c := range []struct {
		name      string
		ctx       context.Context
		url       string
		transport http.RoundTripper
		notSent   bool
	}{
		{"connection refused", t.Context(), closed.URL, nil, true},
		{"no such host", t.Context(), "https://preavviso.invalid/", nil, true},
		{"certificate nobody trusts", t.Context(), untrusted.URL, nil, true},
		{"no TLS on the other side", t.Context(), strings.Replace(noTLS.URL, "http:", "https:", 1), nil, true},
		{"cancelled before", cancelled, noTLS.URL, nil, true},
		{"hung up at once", t.Context(), "http://" + rude.Addr().String(), nil, false},
		{"a transport that does not tell", t.Context(), closed.URL, roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("it says")}
		}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := newClient(t, ppay.Config{URL: c.url + "?key=" + password, Auth: ppay.AuthBasic, User: user, Password: ppay.NewSecret(password), Transport: c.transport, Timeout: 10 * time.Second})
			code, err := client.Submit(c.ctx, creditor, sealed())
			if code != "" || !errors.Is(err, fault.Unavailable) || errors.Is(err, multe.ErrNotSent) != c.notSent {
				t.Errorf("Submit = %q, %v; want not sent: %v", code, err, c.notSent)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), user)) {
				t.Errorf("error %q holds a secret", err)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSubmitLostOnOldConnection checks the connection that was good a moment ago:
// what was written to it may have been read.
func TestSubmitLostOnOldConnection(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		reply(200, answer("000"))(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	defer server.Close()
	c := newClient(t, ppay.Config{URL: server.URL})
	if _, err := c.Submit(t.Context(), creditor, sealed()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(t.Context(), creditor, sealed())
	if fault.Of(err).Code != "ppay.unknown_outcome" || errors.Is(err, multe.ErrNotSent) || calls.Load() != 2 {
		t.Errorf("Submit = %v after %d calls, want an unknown outcome and no silent repetition", err, calls.Load())
	}
}

// TestSubmitKeepsAlive proves that calls share a connection, also after answers
// that nobody read to their end.
func TestSubmitKeepsAlive(t *testing.T) {
	var connections, calls atomic.Int32
	bodies := []http.HandlerFunc{reply(200, answer("000")), reply(200, answer("200")), reply(500, strings.Repeat("x", 30<<10)), reply(401, "no")}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bodies[int(calls.Add(1))%len(bodies)](w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := newClient(t, ppay.Config{URL: server.URL})
	for range 20 {
		_, _ = c.Submit(t.Context(), creditor, sealed()) // what each means is tested above
	}
	if calls.Load() != 20 || connections.Load() != 1 {
		t.Errorf("%d connections for %d calls", connections.Load(), calls.Load())
	}
}

func TestSubmitNoBatch(t *testing.T) {
	c := newClient(t, ppay.Config{URL: "http://127.0.0.1:1"})
	for _, b := range []multe.Batch{{Body: []byte("x")}, {Operation: multe.OperationInsert}, {Operation: "query", Body: []byte("x")}} {
		if _, err := c.Submit(t.Context(), creditor, b); !errors.Is(err, fault.Invalid) {
			t.Errorf("Submit(%+v) = %v", b, err)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	for _, cfg := range []ppay.Config{
		{}, {URL: "pay.example.it/x"}, {URL: "ftp://pay.example.it"}, {URL: "https://"}, {URL: "https:///x"},
		{URL: "https://" + user + ":" + password + "@pay.example.it"}, {URL: "https://pay.example.it/#x"}, {URL: "https://" + password + "\x7f"},
		{URL: "https://pay.example.it", User: user}, {URL: "https://pay.example.it", Auth: ppay.AuthWSS, User: user}, {URL: "https://pay.example.it", Password: ppay.NewSecret(password)},
		{URL: "https://pay.example.it", Timeout: -1},
	} {
		c, err := ppay.NewClient(cfg)
		if c != nil || !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), password) {
			t.Errorf("NewClient(%q) = %v, %v", cfg.URL, c, err)
		}
	}
}

// TestSecretNeverPrints tries the ways a password gets into a log.
func TestSecretNeverPrints(t *testing.T) {
	cfg := ppay.Config{URL: "https://pay.example.it", Auth: ppay.AuthBasic, User: user, Password: ppay.NewSecret(password)}
	client := newClient(t, cfg)
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, format+"\n", cfg.Password)
		fmt.Fprintf(&out, format+"\n", cfg)
		fmt.Fprintf(&out, format+"\n", client)
		fmt.Fprintf(&out, format+"\n", struct{ hidden ppay.Config }{cfg})
		fmt.Fprintf(&out, format+"\n", trusted)
	}
	if err := json.NewEncoder(&out).Encode(struct{ P ppay.Secret }{cfg.Password}); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", cfg.Password, "cfg", cfg)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", cfg.Password, "cfg", cfg)
	if strings.Contains(out.String(), password) {
		t.Errorf("a secret is printed:\n%s", out.String())
	}
}

// BenchmarkSubmit is one call on an open connection beside the same call as
// gowsdl's client makes it, which opens a connection for each.
func BenchmarkSubmit(b *testing.B) {
	plain, secure := httptest.NewServer(reply(200, answer("000"))), httptest.NewTLSServer(reply(200, answer("000")))
	defer plain.Close()
	defer secure.Close()
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	trust.RootCAs.AddCert(secure.Certificate())
	request := &epaywso.InserisciListaDiCaricoRequest{Testata: epaywso.TestataListaCarico{IdMessaggio: "M", CFEnteCreditore: string(creditor.ID), CodiceVersamento: "MU01", NumeroPosizioniDebitorie: 1},
		ListaDiCarico: epaywso.ListaDiCarico{PosizioniDaInserire: epaywso.PosizioniDaInserire{PosizioneDaInserire: []epaywso.PosizioneDaInserireType{{IdPosizioneDebitoria: "P", DescrizioneCausaleVersamento: "Preavviso"}}}}}
	for _, where := range []struct {
		name, url string
	}{{"http", plain.URL}, {"https", secure.URL}} {
		b.Run(where.name+"/preavviso", func(b *testing.B) {
			c := newClient(b, ppay.Config{URL: where.url, Auth: ppay.AuthBasic, User: user, Password: ppay.NewSecret(password), TLS: trust})
			for b.Loop() {
				if _, err := c.Submit(b.Context(), creditor, sealed()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(where.name+"/gowsdl", func(b *testing.B) {
			c := epaywso.NewEnti2EPaywsoService(gowsdl.NewClient(where.url, gowsdl.WithBasicAuth(user, password), gowsdl.WithTLS(trust)))
			for b.Loop() {
				if r, err := c.InserisciListaDiCarico(b.Context(), request); err != nil || r.Result.Codice != "000" {
					b.Fatal(r, err)
				}
			}
		})
	}
}
