package client

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// callTimeout is how long one request may take: a poor network needs seconds.
	callTimeout = 20 * time.Second
	// signatureLife is how long a signature is good for: the way to the service.
	signatureLife = 120 * time.Second
	// maxAnswer is far above any answer: 500 codes are 60 KiB.
	maxAnswer = 4 << 20
	// smallSkew is what the one second of a Date header and a slow answer explain.
	smallSkew = 3 * time.Second
)

// Conn sends signed requests. It learns what the service wants of a signature, its
// challenge and its time, from the answers. Many goroutines may use it.
type Conn struct {
	base   *url.URL
	signer Signer
	keyID  string
	http   *http.Client
	now    func() time.Time

	mu        sync.Mutex
	challenge string
	offset    time.Duration // the service's clock minus ours
	low       bool
	expires   time.Time
}

// NewConn returns a Conn to a service, such as "https://multe.example.it".
func NewConn(server string, s Signer) (*Conn, error) {
	u, err := parseServer(server)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(s.PublicKey())
	return &Conn{base: u, signer: s, keyID: hex.EncodeToString(sum[:]), http: &http.Client{Timeout: callTimeout, CheckRedirect: stay}, now: time.Now}, nil
}

// stay keeps a request where it was sent: the service never points elsewhere, and
// whoever is there is not the one whose key or certificate was checked.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// parseServer reads the address of a service.
func parseServer(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("client: the address of a service is http(s)://host[:port]")
	}
	// A default port is not part of @authority (RFC 9421 §2.2.3), nor of the Host.
	if p := u.Port(); u.Scheme == "http" && p == "80" || u.Scheme == "https" && p == "443" {
		u.Host = u.Hostname()
		if strings.Contains(u.Host, ":") {
			u.Host = "[" + u.Host + "]"
		}
	}
	u.Host, u.Path = strings.ToLower(u.Host), ""
	return u, nil
}

// SetTransport sets what carries the requests. Call it before the first.
func (c *Conn) SetTransport(t http.RoundTripper) { c.http.Transport = t }

// Transport returns what carries the requests: after [Conn.SetPin] it holds the
// service to its key.
func (c *Conn) Transport() http.RoundTripper {
	if c.http.Transport == nil {
		return http.DefaultTransport
	}
	return c.http.Transport
}

// SetNow sets the clock of the device. Call it before the first request.
func (c *Conn) SetNow(now func() time.Time) { c.now = now }

// KeyID is under what name the key signs: the SHA-256 of its SubjectPublicKeyInfo,
// in hex.
func (c *Conn) KeyID() string { return c.keyID }

// Now is the time as the service has it, as far as we know.
func (c *Conn) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Add(c.offset)
}

// skew is the service's clock minus ours, as far as we know.
func (c *Conn) skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// StockLow reports whether the service last said that codes run short.
func (c *Conn) StockLow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.low
}

// Expires returns until when the handheld may keep silent, as the service last said;
// zero if it never did.
func (c *Conn) Expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expires
}

// Refusal is an answer other than 2xx.
type Refusal struct {
	Status     int
	Code       string // to switch on; "" if the answer was not the service's
	Detail     string // Italian, to be shown
	Trace      string
	RetryAfter int // seconds; 0 if the service did not say
	Offset     int // with photo.wrong_offset: where the photo goes on
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("client: refused with %d %s: %s", r.Status, r.Code, r.Detail)
}

// Temporary reports whether the same request may succeed later.
func (r *Refusal) Temporary() bool {
	return r.Status >= 500 || r.Status == http.StatusTooManyRequests || r.Code == "pool.empty" || r.Code == "photo.too_many_open" || r.Code == ""
}

// tries is how often a request is signed at once: for the challenge and for the
// clock, and once more for a service that starts again between the two.
const tries = 4

// Do makes a request and returns the body of a 2xx answer. body is JSON, or nil.
// Another answer is a *Refusal; any other error says that nobody knows whether the
// request arrived.
func (c *Conn) Do(method, path string, body []byte) ([]byte, error) {
	a, err := c.do(outgoing{method: method, path: path, kind: kindJSON, body: body})
	return a.body, err
}

// fetch reads what is at path, unless it is what etag names: then it returns nil.
func (c *Conn) fetch(path, etag string) (answer []byte, tag string, err error) {
	a, err := c.do(outgoing{method: http.MethodGet, path: path, tag: etag})
	return a.body, a.tag, err
}

// What a body may be.
const (
	kindJSON  = "application/json"
	kindBytes = "application/octet-stream"
)

// outgoing is a request to be signed.
type outgoing struct {
	method, path string
	kind         string // of the body
	body         []byte // nil: none
	tag          string // of the answer that is known already; "" is none
	want         string // of the answer's body; "" is JSON
}

// incoming is a good answer.
type incoming struct {
	body []byte
	tag  string // "" if it has none
	same bool   // what is known already is still true; there is no body
}

func (c *Conn) do(o outgoing) (incoming, error) {
	for try := 1; ; try++ {
		answer, again, err := c.once(o)
		if !again || try == tries {
			return answer, err
		}
	}
}

// once makes a request. again says that c has learnt how to sign it better.
func (c *Conn) once(o outgoing) (_ incoming, again bool, err error) {
	req, err := c.request(o)
	if err != nil {
		return incoming{}, false, err
	}
	sent := c.now()
	resp, err := c.http.Do(req)
	if err != nil {
		return incoming{}, false, fmt.Errorf("client: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return incoming{}, false, fmt.Errorf("client: %w", err)
	}
	tag := resp.Header.Get("ETag")
	if o.tag != "" && tag == o.tag && resp.StatusCode == http.StatusNotModified {
		return incoming{tag: tag, same: true}, false, nil
	}
	// A guest network answers 200 with a page of its own: who looks at the status
	// alone takes it for a receipt, and forgets a slip that nobody has.
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	ok := resp.StatusCode/100 == 2
	if ok && kind != cmp.Or(o.want, kindJSON) {
		return incoming{}, false, fmt.Errorf("client: %d with %q is not the service's answer", resp.StatusCode, kind)
	}
	middle := sent.Add(c.now().Sub(sent) / 2)
	if ok || kind == "application/problem+json" {
		c.learn(resp.Header, middle)
	}
	if ok {
		return incoming{body: answer, tag: tag}, false, nil
	}
	var p struct {
		Code, Detail, Trace, Challenge string
		ServerTime                     time.Time `json:"server_time"`
		Offset                         int
	}
	_ = json.Unmarshal(answer, &p) // an answer of some proxy has no code
	r := &Refusal{Status: resp.StatusCode, Code: p.Code, Detail: p.Detail, Trace: p.Trace, RetryAfter: c.retryAfter(resp.Header), Offset: p.Offset}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch p.Code {
	case "auth.challenge":
		c.challenge = p.Challenge
		again = p.Challenge != ""
	case "auth.clock_skew", "auth.expired":
		if again = !p.ServerTime.IsZero(); again {
			c.offset = p.ServerTime.Sub(middle)
		}
	case "auth.replayed":
		again = true // the network delivered it twice; the first may have been lost
	}
	return incoming{}, again, r
}

// retryAfter reads Retry-After in both its forms (RFC 9110 §10.2.3), in seconds;
// 0 is none.
func (c *Conn) retryAfter(h http.Header) int {
	word := h.Get("Retry-After")
	if at, err := http.ParseTime(word); err == nil {
		return max(0, int(at.Sub(c.Now()).Seconds()))
	}
	n, _ := strconv.Atoi(word)
	return max(0, n)
}

// learn reads what every answer of the service tells.
func (c *Conn) learn(h http.Header, middle time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if word := h.Get("Preavviso-Stock"); word != "" {
		c.low = word == "low"
	}
	if t, err := time.Parse(time.RFC3339, h.Get("Preavviso-Expires")); err == nil {
		c.expires = t
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		if skew := date.Sub(middle) - c.offset; skew.Abs() > smallSkew {
			c.offset += skew
		}
	}
}

// Request returns a signed request.
func (c *Conn) Request(method, path string, body []byte) (*http.Request, error) {
	return c.request(outgoing{method: method, path: path, kind: kindJSON, body: body})
}

func (c *Conn) request(o outgoing) (*http.Request, error) {
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	u, err := c.base.Parse(o.path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(o.method, u.String(), bytes.NewReader(o.body))
	if err != nil {
		return nil, err
	}
	// The device's own clock, not corrected: see clock_skew_ms of a slip.
	req.Header.Set("Date", c.now().UTC().Format(http.TimeFormat))
	if o.tag != "" {
		req.Header.Set("If-None-Match", o.tag)
	}
	if o.body != nil {
		sum := sha256.Sum256(o.body)
		req.Header.Set("Content-Type", o.kind)
		req.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	}
	created := c.Now().Unix()
	c.mu.Lock()
	challenge := c.challenge
	c.mu.Unlock()
	base, params := signatureBase(req, created, created+int64(signatureLife.Seconds()), challenge+"."+hex.EncodeToString(nonce[:]), c.keyID, c.signer.Algorithm())
	sig, err := c.signer.Sign([]byte(base))
	if err != nil {
		return nil, fmt.Errorf("client: signing: %w", err)
	}
	req.Header.Set("Signature-Input", "sig="+params)
	req.Header.Set("Signature", "sig=:"+base64.StdEncoding.EncodeToString(sig)+":")
	return req, nil
}

// signatureBase is RFC 9421 §2.5: one line for each component, and the signature
// parameters, which are also what Signature-Input says.
func signatureBase(req *http.Request, created, expires int64, nonce, keyID, alg string) (base, params string) {
	lines := [][2]string{
		{"@method", req.Method},
		{"@authority", req.URL.Host},
		{"@path", req.URL.EscapedPath()},
		{"@query", "?" + req.URL.RawQuery},
	}
	if digest := req.Header.Get("Content-Digest"); digest != "" {
		lines = append(lines, [2]string{"content-type", req.Header.Get("Content-Type")}, [2]string{"content-digest", digest})
	}
	var b, names strings.Builder
	for i, l := range lines {
		fmt.Fprintf(&b, "\"%s\": %s\n", l[0], l[1])
		if i > 0 {
			names.WriteByte(' ')
		}
		fmt.Fprintf(&names, "\"%s\"", l[0])
	}
	params = fmt.Sprintf("(%s);created=%d;expires=%d;nonce=\"%s\";keyid=\"%s\";alg=\"%s\"", names.String(), created, expires, nonce, keyID, alg)
	return b.String() + "\"@signature-params\": " + params, params
}

// unreachable reports whether err says that there is no network, as opposed to a
// network that lost an answer.
func unreachable(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
