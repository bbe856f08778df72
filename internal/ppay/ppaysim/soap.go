package ppaysim

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Endpoint is the path of the service, that of the platform's test proxy.
const Endpoint = "/wso001/services/Enti2EPaywsoProxy"

// Handler serves the SOAP service at [Endpoint], REST under [RESTBase], the
// control API under /control/v1/ (README.md), /healthz, and a page for people at
// the root. What changes something is refused to the pages of other sites: a
// browser that reaches the loopback would be their way in.
func (s *Sim) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Endpoint, s.serveSOAP)
	s.control(mux)
	s.rest(mux)
	s.page(mux)
	return http.NewCrossOriginProtection().Handler(mux)
}

// refusal is what Settings.RefuseCode may be.
var refusal = regexp.MustCompile(`\A[1-5][0-9]{2}\z`)

// serveSOAP answers one call: always a response or a fault, unless it was told
// to break the connection, which it does as net/http prescribes, by panicking
// with http.ErrAbortHandler.
func (s *Sim) serveSOAP(w http.ResponseWriter, r *http.Request) {
	if s.spend(func(x *Settings) *int { return &x.DropRequestsNext }) {
		s.keep(Message{Failure: "connection broken before anything was read"})
		panic(http.ErrAbortHandler)
	}
	set := s.Settings()
	mode := s.authMode(set)
	if s.basicRefused(r, mode) {
		s.keep(Message{Failure: "HTTP 401"})
		w.Header().Set("WWW-Authenticate", `Basic realm="PiemontePAY"`)
		http.Error(w, "401", http.StatusUnauthorized)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		s.fault(w, Message{}, "s:Client", "message too large")
		return
	}
	if err != nil {
		return // the caller went away
	}
	root, err := parseXML(raw)
	if err != nil {
		s.fault(w, Message{Body: string(redact(raw))}, "s:Client", "malformed XML")
		return
	}
	code, text := s.wssRefused(root, mode)
	raw = redact(raw) // from here on nobody sees credentials, nor what they were
	m := Message{Body: string(raw)}
	if code != "" {
		s.fault(w, m, "wsse:"+code, text)
		return
	}
	body, failure := findRequest(root, r.Header.Get("SOAPAction"), set.ActionChecked)
	if body != nil {
		l := readList(body)
		m.Operation, m.CF, m.ID = body.name.Local, cut(l.cf, maxID), cut(l.id, maxID)
	}
	if failure != "" {
		s.fault(w, m, "s:Client", failure)
		return
	}
	if s.spend(func(x *Settings) *int { return &x.RefuseNext }) {
		m.Failure = "refused by the simulator: " + set.RefuseCode
		s.keep(m)
		refuse(w, set.RefuseCode)
		return
	}
	drop := s.spend(func(x *Settings) *int { return &x.DropAnswersNext })
	if drop {
		m.Failure = "answer lost by the simulator"
	}
	early := s.spend(func(x *Settings) *int { return &x.EsitoFirstNext })
	answer, queued, err := s.take(body, m, set, early)
	if err != nil {
		s.log.Error("request failed", "err", err)
		s.fault(w, m, "s:Server", "internal error")
		return
	}
	s.nudge()
	if early && queued {
		s.workAhead(r.Context(), body)
	}
	if set.Slow > 0 {
		timer := time.NewTimer(time.Duration(set.Slow))
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
		}
	}
	if drop {
		panic(http.ErrAbortHandler)
	}
	writeXML(w, http.StatusOK, answer)
}

// fault answers with a SOAP fault and keeps the message that earned it.
func (s *Sim) fault(w http.ResponseWriter, m Message, code, text string) {
	answer := soapFault(code, text)
	m.Failure, m.Answer = "fault "+code+": "+text, string(answer)
	s.keep(m)
	writeXML(w, http.StatusInternalServerError, answer)
}

// keep records an inbound message that was not queued.
func (s *Sim) keep(m Message) {
	m.Direction = "in"
	s.log.Info("request not taken", "operation", m.Operation, "message", m.ID, "failure", m.Failure)
	if err := s.update(func(t tx) error { return s.record(t, m) }); err != nil {
		s.log.Error("message not recorded", "err", err)
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuse answers as RefuseCode says; nothing was stored.
func refuse(w http.ResponseWriter, code string) {
	n, _ := strconv.Atoi(code) // checked when it was set
	switch {
	case n < 300:
		writeXML(w, http.StatusOK, response(verdict{code, "Richiesta rifiutata dal simulatore"}))
	case n == http.StatusInternalServerError:
		writeXML(w, n, soapFault("s:Server", "refused by the simulator"))
	default:
		http.Error(w, code, n)
	}
}

// findRequest finds the request in an envelope. The operation is that of the
// body's qualified name; the soapAction is advice, unless checked, when one that
// names another operation is refused (an empty one never is). What the platform
// does is not known; real listeners are published under other names and work.
//
//parity:s2 regione-piemonte/piemontepay WSDL/Enti2EPaywsoService.wsdl (soapAction and document/literal bare body)
func findRequest(root *node, action string, checked bool) (body *node, failure string) {
	body = soapBody(root)
	switch action = strings.Trim(action, `" `); {
	case body == nil:
		return nil, "not a SOAP 1.1 envelope with one element in its body"
	case requestRule(body) == nil:
		return nil, "unknown operation"
	case checked && action != "" && action != soapAction+strings.TrimSuffix(body.name.Local, "Request"):
		return body, "the SOAPAction is not that of the body"
	default:
		return body, ""
	}
}

// soapBody returns the only element of the body of a SOAP 1.1 envelope, or nil.
func soapBody(root *node) *node {
	if root.name.Space != nsSOAP || root.name.Local != "Envelope" {
		return nil
	}
	for _, k := range root.kids {
		if k.name.Space == nsSOAP && k.name.Local == "Body" && len(k.kids) == 1 {
			return k.kids[0]
		}
	}
	return nil
}

func requestRule(body *node) *rule { return pick([]rule{insertRule, updateRule}, body.name) }

// take holds a request against the schema, unless lenient, queues its list, and
// returns the answer and whether the list was queued. Request and answer are
// recorded with it.
func (s *Sim) take(body *node, m Message, set Settings, early bool) (answer []byte, queued bool, err error) {
	l := readList(body)
	err = s.update(func(t tx) error {
		v := s.objection(body, l, set)
		if !v.bad() {
			if v, err = s.accept(t, l, []byte(m.Body), set, early); err != nil {
				return err
			}
		}
		queued = v.Code < "100"
		answer = response(v)
		s.log.Info("request", "operation", string(l.op), "message", l.id, "code", v.Code, "positions", len(l.items))
		m.Direction, m.Code, m.Answer = "in", v.Code, string(answer)
		return s.record(t, m)
	})
	return answer, queued, err
}

// objection is what the bus finds wrong with a message before it looks who sent
// it. Lenient, it holds nothing against a schema, as far as the one client that
// sends what no schema has shows; the registry still wants an id it can keep.
//
//parity:s2 W2/enumeration/IssueEnum.java (101, and 183 for a wrong length)
//parity:s2 regione-piemonte/risca RichiestaIUVApiServiceImpl.java:554
func (s *Sim) objection(body *node, l list, set Settings) verdict {
	if !set.Lenient {
		if f := requestRule(body).check(body); f != nil {
			return vSchema(f.element, f.value)
		}
		return verdict{}
	}
	return unless(utf8.RuneCountInString(l.id) <= maxID, vTooLong("IdMessaggio"))
}

func writeXML(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that has gone away learns nothing anyway
}

// Transport calls Handler without a network, so that a Sim works inside a
// [testing/synctest] bubble. A broken connection is [io.ErrUnexpectedEOF].
func (s *Sim) Transport() http.RoundTripper { return transport{s.Handler()} }

type transport struct{ handler http.Handler }

// RoundTrip runs the handler in a goroutine of its own, so that a caller that
// stops waiting does not stop the platform.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		defer in.Body.Close()
		defer func() {
			if p := recover(); p == http.ErrAbortHandler {
				done <- result{nil, io.ErrUnexpectedEOF}
			} else if p != nil {
				panic(p)
			}
		}()
		t.handler.ServeHTTP(rec, in)
		done <- result{rec.response(r), nil}
	}()
	select {
	case res := <-done:
		return res.resp, res.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
