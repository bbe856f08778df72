package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
)

// statuses is the only place where a kind of error becomes an HTTP status.
var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Exhausted:   http.StatusConflict,
	fault.Forbidden:   http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// SchemeSignature is the security scheme under which a document admits those who
// sign.
const SchemeSignature = "signature"

// The codes under which Forbidden means "we do not know you", which HTTP calls
// 401, and not "you may not".
const (
	codeNoToken      = "auth.missing"
	codeBadToken     = "auth.bad_token"
	codeUnsigned     = "auth.unsigned"
	codeUnknownKey   = "auth.unknown_key"
	codeBadSignature = "auth.bad_signature"
	codeUncovered    = "auth.uncovered"
	codeBadDigest    = "auth.bad_digest"
	codeClockSkew    = "auth.clock_skew"
	codeExpired      = "auth.expired"
	codeChallenge    = "auth.challenge"
	codeReplayed     = "auth.replayed"
)

// challenges is how a 401 says what would do (RFC 9110 §11.6.1), by code. There
// is no registered scheme for message signatures; RFC 9421 §5.1 would have us
// repeat the profile, which the document tells better.
var challenges = map[string]string{
	codeNoToken: "Bearer", codeBadToken: "Bearer",
	codeUnsigned: "Signature", codeUnknownKey: "Signature", codeBadSignature: "Signature", codeUncovered: "Signature", codeBadDigest: "Signature",
	codeClockSkew: "Signature", codeExpired: "Signature", codeChallenge: "Signature", codeReplayed: "Signature",
}

// preconditions are the codes of a Conflict that HTTP calls 412: what If-Match named
// is not what is there.
var preconditions = map[string]bool{"creditor.changed": true, "record.changed": true}

// BadToken is the answer to a token that nobody holds.
func BadToken() error {
	return fault.New(fault.Forbidden, codeBadToken, "Credenziali non valide o revocate.")
}

// retryAfter is what a client is asked to wait when nothing was decided: longer
// than a restart or a repeated transaction takes.
const retryAfter = 5 * time.Second

// problem is an RFC 9457 body. Clients switch on Code and show Detail. Type is
// always about:blank, so Title is the name of the status.
type problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
	Trace  string  `json:"trace"` // finds the log line
	Errors []field `json:"errors,omitempty"`

	// What lets a signer mend its next request.
	ServerTime string `json:"server_time,omitempty"` // with auth.clock_skew and auth.expired
	Challenge  string `json:"challenge,omitempty"`   // with auth.challenge

	Offset *int `json:"offset,omitempty"` // where an upload goes on, with photo.wrong_offset
}

// field tells what is wrong with one member of the body (Pointer, RFC 6901) or
// with one path or query parameter.
type field struct {
	Pointer   *string `json:"pointer,omitempty"` // "" is the whole body
	Parameter string  `json:"parameter,omitempty"`
	Detail    string  `json:"detail"`
}

// WithOffset makes the problem that err is tell where an upload goes on, in bytes
// from its beginning.
func WithOffset(err error, offset int) error { return resumable{err, offset} }

type resumable struct {
	error
	offset int
}

func (r resumable) Unwrap() error { return r.error }

// Fail answers with the problem that err is, and logs it if it is ours. The
// handler must not have written anything.
func (s *Server) Fail(c *gin.Context, err error) {
	e := fault.Of(err)
	gone := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case gone && e.Kind == fault.Internal:
		e = fault.Of(fault.Unavailable) // the client hung up, or we are stopping
	case e.Kind == fault.Internal:
		e = fault.Of(nil) // the client learns nothing about our insides
	}
	status := statuses[e.Kind]
	p := problem{Code: e.Code, Detail: e.Detail}
	if challenge, ok := challenges[e.Code]; ok {
		status = http.StatusUnauthorized
		c.Header("WWW-Authenticate", challenge)
	}
	if preconditions[e.Code] {
		status = http.StatusPreconditionFailed
	}
	switch e.Code {
	case codeClockSkew, codeExpired:
		p.ServerTime = s.now().UTC().Format(time.RFC3339Nano)
	case codeChallenge:
		p.Challenge = s.replays.challenge
	}
	if r, ok := errors.AsType[resumable](err); ok {
		p.Offset = &r.offset
	}
	if e.Kind == fault.Unavailable {
		c.Header("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	if status >= http.StatusInternalServerError && !gone {
		s.log.ErrorContext(c.Request.Context(), "request failed", "route", c.FullPath(), "trace", trace(c), "err", err)
	}
	refuseWith(c, status, p)
}

// refuse writes a problem and ends the request.
func refuse(c *gin.Context, status int, code, detail string, fields ...field) {
	refuseWith(c, status, problem{Code: code, Detail: detail, Errors: fields})
}

func refuseWith(c *gin.Context, status int, p problem) {
	c.Abort()
	c.Set(keyCode, p.Code)
	p.Type, p.Title, p.Status, p.Trace = "about:blank", http.StatusText(status), status, trace(c)
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // impossible: strings and a number
	}
	c.Data(status, "application/problem+json", append(body, '\n'))
}
