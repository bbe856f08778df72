package certify

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// The operations, as the document has them.
const (
	opEnrol  = "POST /v1/enrolments"
	opLease  = "POST /v1/leases"
	opReturn = "POST /v1/returns"
	opSpoil  = "POST /v1/spoils"
	opIssue  = "POST /v1/verbali"
	opRead   = "GET /v1/verbali/{id}"
	opState  = "GET /v1/state"
	opShift  = "GET /v1/shift"
	opBatch  = "POST /v1/verbali/batch"
	opPhoto  = "POST /v1/photos"

	opPhotoRead = "GET /v1/photos/{id}"
	opChunk     = "PUT /v1/photos/{id}/chunks/{offset}"
	opFeedback  = "GET /v1/feedback"
	opConfirm   = "POST /v1/messages/{id}/read"

	opForeign = "richiesta a un'altra chiave" // whatever it was, it should not have been sent
	opOther   = "altro"                       // whatever it was, it may hold anything
)

// exchange is one request and what became of it.
type exchange struct {
	ctx context.Context

	at     time.Time
	skew   time.Duration // of the service's clock
	rule   string        // during which it came
	op     string
	target string // path and query as they came; not for the report
	body   []byte
	input  string // Signature-Input
	sig    string
	nonce  string
	fields request // of the body

	status   int    // what the service decided; 0: it was not asked
	code     string // the service's error code
	pointers []string
	flags    []string // codes of what the service noticed on a slip
	state    string   // of a photo
	offset   int      // up to where the service has the photo
	given    int      // what status the device was sent; 0: none
	whole    bool     // the device was sent the whole answer of the service
	fault    string
	done     bool
}

// request is what the bodies of requests have in common.
type request struct {
	ID        string      `json:"id"`
	Position  string      `json:"position"`
	Positions []string    `json:"positions"`
	Avviso    string      `json:"avviso"`
	Code      string      `json:"code"`
	PublicKey string      `json:"public_key"`
	Plate     string      `json:"plate"`
	Warden    string      `json:"warden"`
	IssuedAt  string      `json:"issued_at"`
	Want      json.Number `json:"want"`
	Violation struct {
		Code string `json:"code"`
	} `json:"violation"`
	Steps []struct {
		Cents json.RawMessage `json:"cents"`
	} `json:"steps"`
}

// stored reports whether the service took the request and the device knows.
func (e *exchange) stored() bool { return e.whole && e.given == e.status && e.status/100 == 2 }

// code lent to the device.
type loan struct {
	avviso  string
	order   int    // oldest first
	rule    string // during which it was lent
	used    bool   // on a slip, spoiled or given back
	strange bool   // lent with a state that no document describes
}

// plan is what happens to the next requests of an operation ("" is any). left is
// how many; below 0 it is all of them.
type plan struct {
	op   string
	skip int // so many go well first
	left int
	mishap
}

// kit is the server. Everything below mu is guarded by it.
type kit struct {
	service *service
	tls     *foreign

	mu        sync.Mutex
	changed   chan struct{}
	exchanges []*exchange
	rule      string
	plan      plan
	loans     map[string]*loan // by position
	orders    int
}

func newKit(s *service, f *foreign) *kit {
	k := &kit{service: s, tls: f, changed: make(chan struct{}, 1), loans: map[string]*loan{}}
	f.heard = k.poke
	return k
}

var nonceForm = regexp.MustCompile(`;\s*nonce="([^"]*)"`)

var idForm = regexp.MustCompile(`^([A-Z]+ /v1/[a-z]+/)[0-9a-f]{32}(/.*)?$`)

func operation(r *http.Request) string {
	if r.TLS != nil {
		return opForeign
	}
	key := r.Method + " " + r.URL.Path
	switch key {
	case opEnrol, opLease, opReturn, opSpoil, opIssue, opState, opShift, opBatch, opPhoto, opFeedback:
		return key
	}
	if m := idForm.FindStringSubmatch(key); m != nil {
		switch m[1] + "{id}" + m[2] {
		case opPhotoRead, opConfirm:
			return m[1] + "{id}" + m[2]
		}
		if m[1] == "PUT /v1/photos/" && strings.HasPrefix(m[2], "/chunks/") {
			return opChunk
		}
	}
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/verbali/") {
		return opRead
	}
	return opOther
}

// begin writes a request down and decides its fate.
func (k *kit) begin(r *http.Request, body []byte) (*exchange, mishap) {
	e := &exchange{ctx: r.Context(), at: time.Now(), skew: time.Duration(k.service.skew.Load()), op: operation(r), target: r.URL.RequestURI(), body: body,
		input: r.Header.Get("Signature-Input"), sig: r.Header.Get("Signature")}
	if m := nonceForm.FindStringSubmatch(e.input); m != nil {
		e.nonce = m[1]
	}
	_ = json.Unmarshal(body, &e.fields) // what is no JSON the service refuses
	k.mu.Lock()
	defer k.mu.Unlock()
	e.rule = k.rule
	k.exchanges = append(k.exchanges, e)
	if e.op == opForeign {
		return e, mishap{kind: reset}
	}
	if k.plan.left == 0 || k.plan.op != "" && e.op != k.plan.op {
		return e, mishap{}
	}
	if k.plan.skip > 0 {
		k.plan.skip--
		return e, mishap{}
	}
	k.plan.left--
	e.fault = k.plan.name()
	return e, k.plan.mishap
}

// excuse takes back a fault that would have meant something else: the service
// refused the request, so that nothing was done whose answer could be lost.
func (k *kit) excuse(e *exchange) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e.fault = ""
	k.plan.left++
}

// decided notes what the service answered, and which codes it lent or took back.
func (k *kit) decided(e *exchange, a *answer) {
	var told struct {
		Code  string
		Codes []struct {
			Position, Avviso, State string
			Returned                bool
		}
		Errors []struct{ Pointer string }
		Flags  []struct{ Code string }
		State  string
		Offset int
	}
	_ = json.Unmarshal(a.body.Bytes(), &told)
	k.mu.Lock()
	defer k.mu.Unlock()
	e.status, e.code, e.pointers = a.status, told.Code, nil
	for _, f := range told.Errors {
		e.pointers = append(e.pointers, f.Pointer)
	}
	e.flags, e.state, e.offset = nil, told.State, told.Offset
	for _, f := range told.Flags {
		e.flags = append(e.flags, f.Code)
	}
	if a.status != http.StatusOK {
		return
	}
	switch e.op {
	case opLease:
		for i, c := range told.Codes {
			if k.loans[c.Position] == nil && c.State == "assigned" {
				k.orders++
				k.loans[c.Position] = &loan{avviso: c.Avviso, order: k.orders, rule: k.rule, strange: e.fault == names[change] && k.rule == ruleStrange && i == 0}
			}
		}
	case opReturn:
		for _, c := range told.Codes {
			if c.Returned {
				delete(k.loans, c.Position)
			}
		}
	case opIssue, opSpoil:
		if l := k.loans[e.fields.Position]; l != nil {
			l.used = true
		}
	}
}

func (k *kit) gave(e *exchange, status int, whole bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e.given, e.whole = status, whole && e.status != 0
}

func (k *kit) end(e *exchange) {
	k.mu.Lock()
	e.done = true
	k.mu.Unlock()
	k.poke()
}

// poke has who waits look again.
func (k *kit) poke() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// same reports whether two bodies say the same: the order of members and space do
// not matter.
func same(a, b []byte) bool {
	read := func(text []byte) string {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return string(text)
		}
		out, err := json.Marshal(v)
		if err != nil {
			return string(text)
		}
		return string(out)
	}
	return read(a) == read(b)
}
