package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// DefaultTimeout is longer than the service may take to write an answer.
	DefaultTimeout = 2 * time.Minute
	// maxAnswer is above the largest answer: a print job of 10,000 acts of some 100
	// KiB, of which a caller streams the body.
	maxAnswer = 1 << 30
)

// Options are what Dial is told.
type Options struct {
	URL     string         // of the service, without path: https://host:port
	Token   string         // the operator's, or the administrator's
	Roots   *x509.CertPool // whom to trust; nil trusts the system's
	Timeout time.Duration  // of a call, its answer included; 0 means DefaultTimeout
}

// ErrAddress is in the chain of the error of an address that cannot be called.
var ErrAddress = errors.New("want http://host:port or https://host:port")

// Dial returns a client of the service. It does not call it yet.
//
// A write without an Idempotency-Key gets one; whoever wants to repeat it states its
// own in the parameters of the call, the same each time.
//
// The token is shown to the service only: redirects are not followed. An answer
// that ends early, or never ends, is an error and not a shorter answer.
func Dial(o Options) (*ClientWithResponses, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%q: %w", o.URL, ErrAddress)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	return NewClientWithResponses(u.Scheme+"://"+u.Host,
		WithHTTPClient(&http.Client{Transport: whole{transport}, Timeout: o.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}),
		WithRequestEditorFn(OmitZero),
		WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+o.Token)
			if r.Method != http.MethodGet && r.Header.Get("Idempotency-Key") == "" {
				r.Header.Set("Idempotency-Key", fmt.Sprintf("%q", rand.Text()))
			}
			return nil
		}))
}

// OmitZero leaves out of a request what was not given: the generated code writes
// "after=" and "limit=0" for the zero values of a Params, which the service
// refuses. No parameter has 0 or "" for a meaning of its own. [Dial] does it; who
// makes a client without Dial passes it to [WithRequestEditorFn].
func OmitZero(_ context.Context, r *http.Request) error {
	q := r.URL.Query()
	for name, values := range q {
		if len(values) == 1 && (values[0] == "" || values[0] == "0") {
			delete(q, name)
		}
	}
	r.URL.RawQuery = q.Encode()
	return nil
}

// whole bounds what is read of an answer.
type whole struct{ next http.RoundTripper }

func (t whole) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		resp.Body = &bounded{ReadCloser: resp.Body, left: maxAnswer}
	}
	return resp, err
}

type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is too large")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Refusal is an answer that is no success (RFC 9457).
type Refusal struct {
	Status int    // of HTTP
	Code   string // stable and dotted; "" if the answer is not one of the service's
	Detail string // for a person, in Italian
	Trace  string // finds the request in the service's log
}

func (r *Refusal) Error() string {
	if r.Code == "" {
		return fmt.Sprintf("the service answered with HTTP status %d", r.Status)
	}
	return r.Code + ": " + r.Detail
}

// Check returns what the service refused, nil if it did not. Give it the
// HTTPResponse and the Body of an answer.
func Check(resp *http.Response, body []byte) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	var p struct{ Code, Detail, Trace string }
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		// What cannot be read says as much as what is not there.
		_ = json.Unmarshal(body, &p)
	}
	return &Refusal{Status: resp.StatusCode, Code: p.Code, Detail: p.Detail, Trace: p.Trace}
}
