package ppaysim

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// Endpoint is the path of the service, that of the platform's test proxy.
const Endpoint = "/wso001/services/Enti2EPaywsoProxy"

// Handler serves the SOAP service at [Endpoint], the control API under
// /control/v1/ (README.md) and /healthz.
func (s *Sim) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Endpoint, s.serveSOAP)
	s.control(mux)
	return mux
}

// refusal is what Settings.RefuseCode may be.
var refusal = regexp.MustCompile(`\A[1-5][0-9]{2}\z`)

// serveSOAP answers one call: always a response or a fault, unless it was told
// to break the connection, which it does as net/http prescribes, by panicking
// with http.ErrAbortHandler.
func (s *Sim) serveSOAP(w http.ResponseWriter, r *http.Request) {
	if s.spend(func(x *Settings) *int { return &x.DropRequestsNext }) {
		panic(http.ErrAbortHandler)
	}
	if user, password, _ := r.BasicAuth(); s.user != "" && (!same(user, s.user) || !same(password, s.password)) {
		w.Header().Set("WWW-Authenticate", `Basic realm="PiemontePAY"`)
		http.Error(w, "401", http.StatusUnauthorized)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		writeXML(w, http.StatusInternalServerError, soapFault("Client", "message too large"))
		return
	}
	if err != nil {
		return // the caller went away
	}
	body, failure := readRequest(raw)
	if failure != "" {
		writeXML(w, http.StatusInternalServerError, soapFault("Client", failure))
		return
	}
	set := s.Settings()
	if s.spend(func(x *Settings) *int { return &x.RefuseNext }) {
		s.refuse(w, set.RefuseCode)
		return
	}
	answer, err := s.take(body, raw, set)
	if err != nil {
		s.log.Error("request failed", "err", err)
		writeXML(w, http.StatusInternalServerError, soapFault("Server", "internal error"))
		return
	}
	s.nudge()
	if set.Slow > 0 {
		timer := time.NewTimer(time.Duration(set.Slow))
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
		}
	}
	if s.spend(func(x *Settings) *int { return &x.DropAnswersNext }) {
		panic(http.ErrAbortHandler)
	}
	writeXML(w, http.StatusOK, answer)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// refuse answers as RefuseCode says; nothing was stored.
func (s *Sim) refuse(w http.ResponseWriter, code string) {
	n, _ := strconv.Atoi(code) // checked when it was set
	switch {
	case n < 300:
		writeXML(w, http.StatusOK, response(verdict{code, "Richiesta rifiutata dal simulatore"}))
	case n == http.StatusInternalServerError:
		writeXML(w, n, soapFault("Server", "refused by the simulator"))
	default:
		http.Error(w, code, n)
	}
}

// readRequest finds the request in an envelope. The operation is that of the
// body; the soapAction is not looked at.
func readRequest(raw []byte) (body *node, failure string) {
	root, err := parseXML(raw)
	if err != nil {
		return nil, "malformed XML"
	}
	switch body = soapBody(root); {
	case body == nil:
		return nil, "not a SOAP 1.1 envelope with one element in its body"
	case requestRule(body) == nil:
		return nil, "unknown operation"
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

// take checks a request against the schema, queues its list, and returns the
// answer. Request and answer are recorded with it.
func (s *Sim) take(body *node, raw []byte, set Settings) (answer []byte, err error) {
	l := readList(body)
	err = s.update(func(t tx) error {
		v := verdict{}
		if f := requestRule(body).check(body); f != nil {
			v = vSchema(f.element, f.value)
		} else if v, err = s.accept(t, l, raw, set); err != nil {
			return err
		}
		answer = response(v)
		s.log.Info("request", "operation", string(l.op), "message", l.id, "code", v.Code, "positions", len(l.items))
		return s.record(t, Message{Direction: "in", Operation: body.name.Local, CF: l.cf, ID: l.id, Code: v.Code, Body: string(raw), Answer: string(answer)})
	})
	return answer, err
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
