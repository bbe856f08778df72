package certify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxBody is what the kit reads of a request: above what the service takes (a
	// batch, 256 KiB), so that it is the service that refuses.
	maxBody = 512 << 10

	// lateBy is longer than any device should wait; a device that waits longer gets
	// the answer.
	lateBy = 30 * time.Second
	// slowFor is how long a slow answer takes, in slowSteps pieces.
	slowFor   = 40 * time.Second
	slowSteps = 40
	// doubleFor is how long a connection stays open after an answer was written to
	// it twice: enough for a device to use it again.
	doubleFor = 20 * time.Second
)

// kind is what is done to one exchange.
type kind int

const (
	none   kind = iota
	lost        // the service decides, the connection breaks before the answer
	reset       // the connection breaks, the service hears nothing
	status      // an answer of the kit's own; the service hears nothing
	half        // half of the answer
	page        // 200 and a web page; the service hears nothing
	late        // the answer after lateBy
	slow        // the answer over slowFor
	twice       // the service hears it twice, the second answer is given
	double      // the answer is written twice on one connection
	change      // the answer is changed
)

// names is how the report calls the kinds.
var names = map[kind]string{
	lost: "risposta persa dopo l'elaborazione", reset: "connessione interrotta prima dell'elaborazione", half: "risposta troncata a metà",
	page: "pagina web al posto della risposta", late: "risposta dopo 30 secondi", slow: "risposta lentissima",
	twice: "richiesta consegnata due volte", double: "risposta scritta due volte", change: "risposta modificata",
}

type mishap struct {
	kind       kind
	status     int // of kind status
	retryAfter int // seconds; 0: not said
	change     func(answer map[string]any)
	good       bool // of kind change: only an answer of success is changed
}

func (m mishap) name() string {
	if m.kind == status {
		return fmt.Sprintf("risposta %d", m.status)
	}
	return names[m.kind]
}

// answer is what the service wrote.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(s int) {
	if a.status == 0 {
		a.status = s
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// ServeHTTP sees a request, decides its fate and carries it out.
func (k *kit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	e, m := k.begin(r, body)
	if err != nil {
		drop(w) // it did not arrive whole
		return
	}
	defer k.end(e)
	switch m.kind {
	case reset:
		drop(w)
		return
	case status:
		k.give(e, w, own(m), 1)
		return
	case page:
		k.give(e, w, portal(), 1)
		return
	}
	a := k.serve(e, r)
	if a.status/100 != 2 && a.status != http.StatusNotModified && m.kind != none && (m.kind != change || m.good) {
		k.excuse(e)
		m.kind = none
	}
	switch m.kind {
	case lost:
		drop(w)
	case half:
		k.headers(w, a)
		_, _ = w.Write(a.body.Bytes()[:a.body.Len()/2])
		k.gave(e, a.status, false)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case late:
		select {
		case <-time.After(lateBy):
			k.give(e, w, a, 1)
		case <-r.Context().Done():
		}
	case slow:
		k.give(e, w, a, slowSteps)
	case twice:
		k.give(e, w, k.serve(e, r), 1)
	case double:
		k.double(e, w, a)
	case change:
		told := bytes.Clone(a.body.Bytes())
		alter(a, m.change)
		k.give(e, w, a, 1)
		if e.op == opBatch {
			k.items(e, told, a.body.Bytes())
		}
	default:
		k.give(e, w, a, 1)
		if e.op == opBatch {
			k.items(e, a.body.Bytes(), a.body.Bytes())
		}
	}
}

// own is an answer with a status that the service did not give.
func own(m mishap) *answer {
	a := &answer{header: http.Header{}, status: m.status}
	a.header.Set("Content-Type", "application/problem+json")
	if m.retryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(m.retryAfter))
	}
	code := "unavailable"
	if m.status == http.StatusInternalServerError {
		code = "internal"
	}
	fmt.Fprintf(&a.body, `{"type":"about:blank","title":%q,"status":%d,"code":%q,"detail":"Guasto simulato dal kit di certificazione.","trace":"0000000000000000"}`,
		http.StatusText(m.status), m.status, code)
	return a
}

// portal is the page of a network that wants its guests to log in.
func portal() *answer {
	a := &answer{header: http.Header{}, status: http.StatusOK}
	a.header.Set("Content-Type", "text/html; charset=utf-8")
	a.body.WriteString("<!DOCTYPE html><title>Accesso alla rete</title><p>Accettare le condizioni d'uso della rete.</p>")
	return a
}

// serve lets the service answer, without the device seeing it.
func (k *kit) serve(e *exchange, r *http.Request) *answer {
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(bytes.NewReader(e.body))
	if e.fault != "" {
		in.Header.Del("Accept-Encoding") // what is to be changed must be legible
	}
	a := &answer{header: http.Header{}}
	k.service.ServeHTTP(a, in)
	k.decided(e, a)
	return a
}

func (k *kit) headers(w http.ResponseWriter, a *answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Date", k.service.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.status)
}

// give writes an answer in so many pieces, over slowFor if there are several.
func (k *kit) give(e *exchange, w http.ResponseWriter, a *answer, pieces int) {
	k.headers(w, a)
	control := http.NewResponseController(w)
	rest := a.body.Bytes()
	for n := pieces; n > 0; n-- {
		piece := rest[:len(rest)/n]
		rest = rest[len(piece):]
		if n == 1 { // told before it is written: whoever reads it may be quicker than we are
			k.gave(e, a.status, true)
		}
		_, err := w.Write(piece)
		if n > 1 && err == nil {
			err = control.Flush()
			select {
			case <-time.After(slowFor / time.Duration(pieces)):
			case <-e.ctx.Done():
				err = e.ctx.Err()
			}
		}
		if err != nil {
			k.gave(e, a.status, false)
			return
		}
	}
}

// double writes an answer twice and leaves the connection open, deaf.
func (k *kit) double(e *exchange, w http.ResponseWriter, a *answer) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		drop(w)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(doubleFor))
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Length: %d\r\n", a.status, http.StatusText(a.status),
		k.service.now().UTC().Format(http.TimeFormat), a.body.Len())
	_ = a.header.Write(&b)
	b.WriteString("\r\n")
	b.Write(a.body.Bytes())
	k.gave(e, a.status, true)
	k.end(e)
	go discard(conn, rw.Reader)
	_, _ = conn.Write(append(bytes.Clone(b.Bytes()), b.Bytes()...))
	time.Sleep(doubleFor)
}

func discard(conn net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, io.MultiReader(r, conn)) }

// drop breaks the connection, with a reset where TCP has one.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// alter changes an answer that is a JSON object.
func alter(a *answer, change func(map[string]any)) {
	d := json.NewDecoder(bytes.NewReader(a.body.Bytes()))
	d.UseNumber()
	var object map[string]any
	if d.Decode(&object) != nil {
		return
	}
	change(object)
	if text, err := json.Marshal(object); err == nil {
		a.body.Reset()
		a.body.Write(text)
	}
}

// extend adds members that no document describes to every object.
func extend(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if name != "texts" { // which has words only
				extend(member)
			}
		}
		v["estensione_futura"] = map[string]any{"versione": 2, "note": []any{"nuovo", nil, true}}
	case []any:
		for _, item := range v {
			extend(item)
		}
	}
}

// strange gives the first code of a block a state that no document describes.
func strange(block map[string]any) {
	if codes, ok := block["codes"].([]any); ok && len(codes) > 0 {
		if code, ok := codes[0].(map[string]any); ok {
			code["state"] = "riservato_2030"
		}
	}
}
