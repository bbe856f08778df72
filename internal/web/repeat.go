package web

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Repeats keeps what was answered to requests with an Idempotency-Key; package
// idempotency does it.
type Repeats interface {
	Begin(ctx context.Context, want multe.Idempotency, natural bool) (multe.Idempotency, error)
	End(ctx context.Context, i multe.Idempotency) error
	Forget(ctx context.Context, i multe.Idempotency) error
}

// The names of the headers, and how the document says what an operation is.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
	// extensionRepeat is how an operation may be repeated: repeatNatural or
	// repeatKey. Without it the header means nothing.
	extensionRepeat = "x-idempotency"
	repeatNatural   = "natural" // doing it twice is doing it once
	repeatKey       = "key"     // it asks for an Idempotency-Key
	// extensionSecret marks answers with secrets, which are never kept.
	extensionSecret = "x-secret"
)

// maxKey is the longest Idempotency-Key: a UUID four times over.
const maxKey = 150

// readKey reads an Idempotency-Key: a string as in structured fields (RFC 8941),
// or the same without quotes, as many clients write it. ok is false if it is
// neither; it needs 8 characters at least, for a counter is no key.
func readKey(h http.Header) (key string, ok bool) {
	values := h.Values(headerKey)
	if len(values) != 1 {
		return "", len(values) == 0
	}
	key = values[0]
	if inner, quoted := strings.CutPrefix(key, `"`); quoted {
		if key, quoted = strings.CutSuffix(inner, `"`); !quoted {
			return "", false
		}
	}
	bad := strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' || r == ',' })
	return key, !bad && len(key) >= 8 && len(key) <= maxKey
}

// repeat answers a request that was answered before as it was answered, and sees to
// it that one that may be done only once is.
func (s *Server) repeat(c *gin.Context) {
	op := s.operations[routeKey(c.Request.Method, c.FullPath())]
	if s.repeats == nil || op.repeat == "" {
		return
	}
	key, ok := readKey(c.Request.Header)
	switch natural := op.repeat == repeatNatural; {
	case !ok:
		refuse(c, http.StatusBadRequest, "idempotency.bad_key", "L'intestazione Idempotency-Key deve essere una sola, da 8 a 150 caratteri senza spazi.")
		return
	case key == "" && natural, natural && op.secret:
		return // to repeat it does no harm; of an answer with a secret there is nothing to keep
	case key == "":
		refuse(c, http.StatusBadRequest, "idempotency.missing", "Questa operazione non si può ripetere da sola: serve l'intestazione Idempotency-Key, diversa per ogni richiesta.")
		return
	}
	body, err := io.ReadAll(c.Request.Body) // bounded: check has read it
	if err != nil {
		s.Fail(c, err)
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	known, err := s.repeats.Begin(c.Request.Context(), multe.Idempotency{
		Creditor: multe.CreditorID(c.Param("cf")), Actor: s.actor(c.Request.Context()), Operation: op.OperationID,
		Key: multe.DigestOf([]byte(key)), Request: digestOf(c.Request, body),
	}, op.repeat == repeatNatural)
	switch {
	case err != nil:
		s.Fail(c, err)
		return
	case known.Status != 0:
		c.Abort()
		c.Header(headerReplayed, "true")
		if known.ETag != "" {
			c.Header("ETag", known.ETag)
		}
		c.Data(known.Status, known.Type, known.Reply)
		return
	}
	s.once(c, op, known)
}

// once runs the handler and puts down what it answers before it is sent.
func (s *Server) once(c *gin.Context, op operation, known multe.Idempotency) {
	w := &held{ResponseWriter: c.Writer, status: http.StatusOK}
	// The work is done whoever still waits for the answer.
	ctx := context.WithoutCancel(c.Request.Context())
	end := s.repeats.End
	finished := false
	defer func() { // also after a panic: then there is no status, and nobody knows
		c.Writer = w.ResponseWriter
		if err := end(ctx, known); err != nil {
			// The answer holds all the same. The key stays "in progress" until this
			// process ends or the key expires, which is on the safe side.
			s.log.ErrorContext(ctx, "an answer was not kept", "route", c.FullPath(), "trace", trace(c), "err", err)
		}
		if finished {
			w.release()
		}
	}()
	c.Writer = w
	c.Next()
	finished = true
	switch media, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type")); {
	case w.status < http.StatusBadRequest:
		known.Status, known.Type, known.ETag = w.status, w.Header().Get("Content-Type"), w.Header().Get("ETag")
		if media == "application/json" && !op.secret && !w.through {
			known.Reply = w.body.Bytes()
		}
	case w.status < http.StatusInternalServerError, w.status == statuses[fault.Unavailable]:
		end = s.repeats.Forget // nothing was changed
	}
}

// digestOf tells requests apart.
func digestOf(r *http.Request, body []byte) multe.Digest {
	return multe.DigestOf(append([]byte(r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery+"\n"), body...))
}

// held keeps an answer back until it is released, or is too large to be kept.
type held struct {
	gin.ResponseWriter
	status  int
	body    bytes.Buffer
	wrote   bool
	through bool
}

func (h *held) WriteHeader(status int) {
	if h.through {
		h.ResponseWriter.WriteHeader(status)
		return
	}
	h.status, h.wrote = status, true
}

func (h *held) WriteHeaderNow() { h.wrote = true }
func (h *held) Status() int     { return h.status }
func (h *held) Written() bool   { return h.wrote }
func (h *held) Size() int       { return h.body.Len() }
func (h *held) Flush()          { h.pass() }

func (h *held) Write(b []byte) (int, error) {
	h.wrote = true
	if !h.through && h.body.Len()+len(b) > multe.MaxReply {
		h.pass()
	}
	if h.through {
		return h.ResponseWriter.Write(b)
	}
	return h.body.Write(b)
}

func (h *held) WriteString(s string) (int, error) { return h.Write([]byte(s)) }

// pass sends what was kept back; from then on nothing is.
func (h *held) pass() {
	if h.through {
		return
	}
	h.through = true
	h.ResponseWriter.WriteHeader(h.status)
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // whoever hung up is told nothing
}

// release sends the answer, if there is one.
func (h *held) release() {
	if h.wrote {
		h.pass()
	}
}
