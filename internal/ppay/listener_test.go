package ppay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
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
	"testing/iotest"
	"testing/synctest"
	"time"

	"preavviso/internal/ppay"
	"preavviso/wsdl/epaywso"
)

// keeper is a Receiver that remembers.
type keeper struct {
	err     error
	callers []string
	kinds   []string
	raws    [][]byte
}

func (k *keeper) Receive(_ context.Context, caller, kind string, raw []byte) error {
	if k.err != nil {
		return k.err
	}
	k.callers = append(k.callers, caller)
	k.kinds, k.raws = append(k.kinds, kind), append(k.raws, bytes.Clone(raw))
	return nil
}

var trusted = ppay.ListenerConfig{Callers: []ppay.Caller{{User: user, Passwords: []ppay.Secret{ppay.NewSecret("old"), ppay.NewSecret(password)}}}}

func call(body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/soap/EPaywso2Enti", body)
	r.Header.Set("Content-Type", "text/xml; charset=UTF-8")
	r.SetBasicAuth(user, password)
	return r
}

// result returns the code and message of an EPaywsoServiceResponse, strictly.
func result(t testing.TB, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	var e struct {
		XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
		Body    struct {
			Response epaywso.EPaywsoServiceResponse
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	if err := e.Body.Response.Validate(); err != nil {
		t.Fatalf("answer: %v", err)
	}
	if got := w.Header().Get("Content-Type"); got != "text/xml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	return e.Body.Response.Result.Codice, e.Body.Response.Result.Messaggio
}

// TestListenerKeeps is what is kept, as it came, and answered 000.
func TestListenerKeeps(t *testing.T) {
	bodies := map[string]string{}
	kinds := map[string]string{
		"esito-insert-partial": "EsitoInserimentoListaDiCarico", "esito-insert-refused": "EsitoInserimentoListaDiCarico",
		"esito-update-partial": "EsitoAggiornaPosizioniDebitorie", "notice-two": "TrasmettiNotifichePagamento",
		"notice-poor": "TrasmettiNotifichePagamento", "notice-wss": "TrasmettiNotifichePagamento", "rt": "TrasmettiRT",
		"revoca-as-sent": "TrasmettiRichiesteDiRevoca", "scaduti": "TrasmettiAvvisiScaduti",
		"unknown operation": "unknown", "unknown namespace": "unknown", "our own request": "unknown", "receipts of 5 MiB": "TrasmettiRT", "nonsense inside": "TrasmettiNotifichePagamento",
	}
	for name, raw := range samples(t) {
		bodies[name] = string(raw)
	}
	bodies["unknown operation"] = inbound("TrasmettiAltro", "x")
	bodies["unknown namespace"] = soap(`<TrasmettiRTRequest xmlns="urn:x"/>`)
	bodies["our own request"] = soap(`<InserisciListaDiCaricoRequest xmlns="` + epaywso.NSEnti2EPaywso + `"/>`)
	bodies["receipts of 5 MiB"] = inbound("TrasmettiRT", strings.Repeat("x", 5<<20))
	bodies["nonsense inside"] = inbound("TrasmettiNotifichePagamento", "<a><b/>nonsense</a>")
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			k := &keeper{}
			h := ppay.NewListener(k, trusted)
			for range 2 { // a duplicate is answered alike
				w := httptest.NewRecorder()
				h.ServeHTTP(w, call(strings.NewReader(body)))
				if code, _ := result(t, w); w.Code != 200 || code != "000" {
					t.Fatalf("answer %d %s", w.Code, w.Body)
				}
			}
			body = strings.Replace(body, ">nothing</wsse:Password>", ">***</wsse:Password>", 1) // all but a password
			if len(k.raws) != 2 || string(k.raws[0]) != body || string(k.raws[1]) != body || k.kinds[0] != kinds[name] {
				t.Errorf("kept %d messages of kind %v, want %s", len(k.raws), k.kinds, kinds[name])
			}
		})
	}
}

// TestListenerRefuses is what is not kept. No answer and no log line may hold
// anything of the message or of the credentials.
func TestListenerRefuses(t *testing.T) {
	const canary = "canarino"
	good := inbound("TrasmettiNotifichePagamento", canary)
	for _, c := range []struct {
		name string
		make func() *http.Request
		recv error
		want string // HTTP status, or the code in a 200
	}{
		{"GET", func() *http.Request { r := call(nil); r.Method = "GET"; return r }, nil, "HTTP 405"},
		{"GET ?wsdl", func() *http.Request {
			r := httptest.NewRequest("GET", "/soap/EPaywso2Enti?wsdl", nil)
			r.SetBasicAuth(user, password)
			return r
		}, nil, "HTTP 405"},
		{"PUT", func() *http.Request { r := call(strings.NewReader(good)); r.Method = "PUT"; return r }, nil, "HTTP 405"},
		{"no credentials", func() *http.Request {
			r := call(strings.NewReader(good))
			r.Header.Del("Authorization")
			return r
		}, nil, "HTTP 401"},
		{"another user", func() *http.Request { r := call(strings.NewReader(good)); r.SetBasicAuth("x", password); return r }, nil, "HTTP 401"},
		{"another password", func() *http.Request { r := call(strings.NewReader(good)); r.SetBasicAuth(user, "x"); return r }, nil, "HTTP 401"},
		{"empty password", func() *http.Request { r := call(strings.NewReader(good)); r.SetBasicAuth(user, ""); return r }, nil, "HTTP 401"},
		{"half a password", func() *http.Request {
			r := call(strings.NewReader(good))
			r.SetBasicAuth(user, password[:8])
			return r
		}, nil, "HTTP 401"},
		{"bearer", func() *http.Request {
			r := call(strings.NewReader(good))
			r.Header.Set("Authorization", "Bearer "+password)
			return r
		}, nil, "HTTP 401"},

		{"attachments", func() *http.Request {
			r := call(strings.NewReader(good))
			r.Header.Set("Content-Type", `multipart/related; boundary=x`)
			return r
		}, nil, "101"},
		{"JSON", func() *http.Request {
			r := call(strings.NewReader(`{"a":"` + canary + `"}`))
			r.Header.Set("Content-Type", "application/json")
			return r
		}, nil, "101"},
		{"broken content type", func() *http.Request { r := call(strings.NewReader(good)); r.Header.Set("Content-Type", ";"); return r }, nil, "101"},
		{"empty", func() *http.Request { return call(nil) }, nil, "101"},
		{"text", func() *http.Request { return call(strings.NewReader(canary)) }, nil, "101"},
		{"truncated", func() *http.Request { return call(strings.NewReader(good[:len(good)-9])) }, nil, "101"},
		{"junk after", func() *http.Request { return call(strings.NewReader(good + canary)) }, nil, "101"},
		{"two roots", func() *http.Request { return call(strings.NewReader(good + "<" + canary + "/>")) }, nil, "101"},
		{"two messages", func() *http.Request { return call(strings.NewReader(soap(small + small))) }, nil, "101"},
		{"fault", func() *http.Request { return call(strings.NewReader("<Fault>" + canary + "</Fault>")) }, nil, "101"},
		{"document type", func() *http.Request {
			return call(strings.NewReader("<!DOCTYPE a [<!ENTITY " + canary + " SYSTEM \"file:///etc/passwd\">]>" + good))
		}, nil, "101"},
		{"nested 2 million times", func() *http.Request { return call(strings.NewReader(soap(strings.Repeat("<a>", 2_000_000)))) }, nil, "101"},
		{"300,000 attributes", func() *http.Request {
			return call(strings.NewReader(soap("<a" + strings.Repeat(" a='1'", 300_000) + "/>")))
		}, nil, "101"},
		{"oversize", func() *http.Request { return call(strings.NewReader(good + strings.Repeat(" ", ppay.MaxMessage))) }, nil, "101"},
		{"oversize by its word", func() *http.Request {
			r := call(iotest.ErrReader(errors.New("must not be read")))
			r.ContentLength = ppay.MaxRTMessage + 1
			return r
		}, nil, "101"},

		{"interrupted", func() *http.Request {
			return call(io.MultiReader(strings.NewReader(good[:200]), iotest.ErrReader(io.ErrUnexpectedEOF)))
		}, nil, "200"},
		{"store fails", func() *http.Request { return call(strings.NewReader(good)) }, errors.New("disk full"), "200"},
		{"store fails for an unknown kind", func() *http.Request { return call(strings.NewReader(inbound("Altro", canary))) }, context.DeadlineExceeded, "200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			cfg := trusted
			cfg.Log = slog.New(slog.NewJSONHandler(&log, nil))
			k := &keeper{err: c.recv}
			w := httptest.NewRecorder()
			ppay.NewListener(k, cfg).ServeHTTP(w, c.make())
			got, message := fmt.Sprintf("HTTP %d", w.Code), ""
			if w.Code == 200 {
				got, message = result(t, w)
				if message == "" {
					t.Error("no reason given")
				}
			}
			if got != c.want || len(k.raws) != 0 {
				t.Errorf("answer %s with %d messages kept, want %s", got, len(k.raws), c.want)
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without a challenge")
			}
			for _, text := range []string{w.Body.String(), log.String()} {
				if strings.Contains(text, canary) {
					t.Errorf("%q holds a part of the call", text)
				}
			}
			if w.Code != 405 && log.Len() == 0 {
				t.Error("nothing logged")
			}
		})
	}
}

// TestListenerLogs checks that a kept message is one line without its content.
func TestListenerLogs(t *testing.T) {
	var log bytes.Buffer
	cfg := trusted
	cfg.Log = slog.New(slog.NewJSONHandler(&log, nil))
	raw := samples(t)["notice-two"]
	ppay.NewListener(&keeper{}, cfg).ServeHTTP(httptest.NewRecorder(), call(bytes.NewReader(raw)))
	line := log.String()
	for _, want := range []string{`"kind":"TrasmettiNotifichePagamento"`, fmt.Sprintf(`"bytes":%d`, len(raw)), `"digest":"`, `"took":`} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	for _, secret := range []string{"VERDI", "VRDDAA80A41L219X", "47263270000010181", password, user} {
		if strings.Contains(line, secret) {
			t.Errorf("%s in %s", secret, line)
		}
	}
	if strings.Count(line, "\n") != 1 {
		t.Errorf("not one line: %s", line)
	}
}

// TestListenerWhoMayCall is the matrix of credentials.
func TestListenerWhoMayCall(t *testing.T) {
	none := ppay.ListenerConfig{Callers: []ppay.Caller{{User: user}}}
	empty := ppay.ListenerConfig{Callers: []ppay.Caller{{User: user, Passwords: []ppay.Secret{ppay.NewSecret("")}}}}
	open := ppay.ListenerConfig{Open: true}
	for _, c := range []struct {
		name           string
		cfg            ppay.ListenerConfig
		user, password string
		in             bool
	}{
		{"new password", trusted, user, password, true},
		{"old password", trusted, user, "old", true},
		{"both passwords in one", trusted, user, "old" + password, false},
		{"password as user", trusted, password, user, false},
		{"nobody configured", none, user, "", false},
		{"nobody configured, a guess", none, user, password, false},
		{"empty password configured", empty, user, "", false},
		{"nothing configured at all", ppay.ListenerConfig{}, "", "", false},
		{"open", open, "", "", true},
		{"open, with credentials", open, "x", "y", true},
	} {
		r := call(strings.NewReader(soap(small)))
		r.SetBasicAuth(c.user, c.password)
		w := httptest.NewRecorder()
		k := &keeper{}
		ppay.NewListener(k, c.cfg).ServeHTTP(w, r)
		if in := w.Code == 200; in != c.in || len(k.raws) == 1 != c.in {
			t.Errorf("%s: HTTP %d, %d kept", c.name, w.Code, len(k.raws))
		}
	}
}

type receiverFunc func() error

func (f receiverFunc) Receive(context.Context, string, string, []byte) error { return f() }

// TestListenerKeepsBeforeAnswering watches the wire: not a byte of an answer may
// leave before Receive has returned.
func TestListenerKeepsBeforeAnswering(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	var kept atomic.Bool
	server := httptest.NewServer(ppay.NewListener(receiverFunc(func() error {
		entered <- true
		<-release
		kept.Store(true)
		return nil
	}), ppay.ListenerConfig{Open: true}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := soap(small)
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	first := make(chan bool)
	go func() {
		r := bufio.NewReader(conn)
		_, _ = r.Peek(1) // an error shows as kept being false, or as no answer below
		first <- kept.Load()
		_, _ = io.Copy(io.Discard, r)
	}()
	<-entered
	select {
	case <-first:
		t.Fatal("answered before it was kept")
	case <-time.After(50 * time.Millisecond):
	}
	release <- true
	if !<-first {
		t.Error("answered before it was kept")
	}
}

// TestListenerBusy checks that only so many messages are in hand, that others
// wait for their turn, and that waiting has an end.
func TestListenerBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan bool)
		var inHand, most atomic.Int32
		h := ppay.NewListener(receiverFunc(func() error {
			most.Store(max(most.Load(), inHand.Add(1)))
			<-release
			inHand.Add(-1)
			return nil
		}), trusted)
		start := func(done chan int) {
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, call(strings.NewReader(soap(small))))
				done <- w.Code
			}()
			synctest.Wait()
		}
		first, late, tooLate := make(chan int, 4), make(chan int, 1), make(chan int, 1)
		for range 4 {
			start(first)
		}
		start(late)
		time.Sleep(4 * time.Second)
		release <- true // one of the first; the late one takes its turn
		if code := <-first; code != 200 {
			t.Errorf("the first answer is HTTP %d", code)
		}
		synctest.Wait()
		start(tooLate)
		time.Sleep(6 * time.Second)
		if code := <-tooLate; code != http.StatusServiceUnavailable {
			t.Errorf("after waiting: HTTP %d", code)
		}
		close(release)
		if code := <-late; code != 200 {
			t.Errorf("the one that waited: HTTP %d", code)
		}
		if most.Load() != 4 {
			t.Errorf("%d messages in hand at once", most.Load())
		}
	})
}

// FuzzListener checks that nothing panics, that every answer to the platform is a
// valid EPaywsoServiceResponse, and that a code below 100 is said exactly when
// the bytes were kept as they came.
func FuzzListener(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b, "text/xml", false)
	}
	f.Add([]byte(soap(small)), "", true)
	f.Add([]byte(soap(small)), "text/xml; charset=x", false)
	f.Fuzz(func(t *testing.T, body []byte, contentType string, fails bool) {
		k := &keeper{}
		if fails {
			k.err = errors.New("disk full")
		}
		r := call(bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		ppay.NewListener(k, trusted).ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("HTTP %d", w.Code)
		}
		code, _ := result(t, w)
		// A password in a header is not kept; what it is replaced by shows that.
		kept := len(k.raws) == 1 && (bytes.Equal(k.raws[0], body) || bytes.Contains(k.raws[0], []byte(">***</")))
		if kept != (code < "100") || len(k.raws) > 1 || fails && kept {
			t.Fatalf("code %s, %d kept", code, len(k.raws))
		}
	})
}
