package web

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
)

// Config is what a Server is made of.
type Config struct {
	Contract []byte // the OpenAPI 3.0 document, in YAML
	Log      *slog.Logger
	Random   io.Reader // of trace ids; safe for concurrent use, as crypto/rand.Reader is
	Now      func() time.Time
	Limits   Limits

	// Admit finds who holds a bearer token and decides whether they may ask for
	// call. The handler gets the context it returns. A token that nobody holds is
	// [BadToken]; anything else that is fault.Forbidden is a 403.
	Admit func(ctx context.Context, token string, call Call) (context.Context, error)

	// AdmitSigned is Admit for whoever signs, where the document has the security
	// scheme "signature". It must find the key and call [Signature.Verify].
	AdmitSigned func(ctx context.Context, s *Signature, call Call) (context.Context, error)

	// Repeats keeps what was answered to requests with an Idempotency-Key, where the
	// document has x-idempotency; Actor says who asks, out of what Admit returned.
	// nil: the header means nothing.
	Repeats Repeats
	Actor   func(ctx context.Context) string
}

// Call is what a caller wants, as far as that decides whether they may.
type Call struct {
	Operation string // operationId of the document
	Schemes   []string
	Creditor  string // path parameter cf; "" if the path has none

	// Permission is x-permission of the document; "" if it has none, which an API
	// with roles takes for nobody's.
	Permission string
}

// Server is the part of a JSON API that does not depend on what it does.
type Server struct {
	engine     *gin.Engine
	routes     *gin.RouterGroup
	log        *slog.Logger
	random     io.Reader
	now        func() time.Time
	admit      func(context.Context, string, Call) (context.Context, error)
	signed     func(context.Context, *Signature, Call) (context.Context, error)
	replays    *replays
	load       *admission
	operations map[string]operation
	repeats    Repeats
	actor      func(context.Context) string
}

// New returns a Server without handlers; they are added to [Server.Routes]. It
// fails when the document is not valid.
func New(cfg Config) (*Server, error) {
	operations, err := readContract(cfg.Contract)
	if err != nil {
		return nil, err
	}
	replays, err := newReplays(cfg.Random)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{engine: gin.New(), log: cfg.Log, random: cfg.Random, now: cfg.Now, admit: cfg.Admit, signed: cfg.AdmitSigned,
		replays: replays, load: newAdmission(cfg.Limits, cfg.Log, cfg.Random), operations: operations, repeats: cfg.Repeats, actor: cfg.Actor}
	e := s.engine
	if err := e.SetTrustedProxies(nil); err != nil { // addresses are not used, so no header may forge one
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	e.ContextWithFallback = true // *gin.Context as context.Context is that of the request
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.Use(s.begin, s.recover)
	e.NoRoute(func(c *gin.Context) {
		refuse(c, http.StatusNotFound, "route.unknown", "L'indirizzo richiesto non esiste.")
	})
	e.NoMethod(func(c *gin.Context) {
		refuse(c, http.StatusMethodNotAllowed, "route.bad_method", "Operazione non prevista a questo indirizzo.")
	})
	s.routes = e.Group("/", s.admission, s.authenticate, s.check, s.repeat)
	return s, nil
}

// Routes is where handlers are added, under the paths of the document.
func (s *Server) Routes() gin.IRouter { return s.routes }

// Permission returns x-permission of an operation of the document, "" if it has
// none.
func (s *Server) Permission(operation string) string {
	for _, op := range s.operations {
		if op.OperationID == operation {
			return op.permission
		}
	}
	return ""
}

// Registered lists "METHOD /path/{parameter}" of every handler, sorted.
func (s *Server) Registered() []string {
	var keys []string
	for _, r := range s.engine.Routes() {
		keys = append(keys, routeKey(r.Method, r.Path))
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// The keys under which a request carries what the log needs.
const (
	keyTrace = "trace"
	keyCode  = "code"
)

func trace(c *gin.Context) string { return c.GetString(keyTrace) }

// begin gives the request its trace and the headers of every answer, and logs it
// when it is over.
func (s *Server) begin(c *gin.Context) {
	start := s.now()
	var id [8]byte
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		s.log.Error("no randomness for a trace", "err", err)
	}
	c.Set(keyTrace, hex.EncodeToString(id[:]))
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // answers hold tokens and personal data
	c.Next()
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "request",
		slog.String("method", knownMethod(c.Request.Method)),
		slog.String("route", c.FullPath()), // the pattern: a path may hold anything
		slog.Int("status", c.Writer.Status()),
		slog.String("code", c.GetString(keyCode)),
		slog.String("trace", trace(c)),
		slog.Duration("duration", s.now().Sub(start)))
}

// knownMethod keeps text that a client chose out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

// recover answers 500 to a panic, which is our bug; the process lives.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p) // net/http's own way to drop a connection
		}
		s.log.ErrorContext(c.Request.Context(), "panic", "route", c.FullPath(), "trace", trace(c), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		c.Abort()
		if !c.Writer.Written() {
			e := fault.Of(nil)
			refuse(c, http.StatusInternalServerError, e.Code, e.Detail)
		}
	}()
	c.Next()
}

// maxToken is far above our own tokens: 256 bits in base64 and a prefix.
const maxToken = 200

// authenticate asks Admit or AdmitSigned, unless the document says that anybody
// may call. A caller who need not say who it is, and signs all the same, is left
// to the handler: see [SignatureOf].
func (s *Server) authenticate(c *gin.Context) {
	op := s.operations[routeKey(c.Request.Method, c.FullPath())]
	if op.Operation == nil {
		s.Fail(c, fmt.Errorf("route %s is not in the document", c.FullPath())) // nothing is open by mistake
		return
	}
	call := Call{Operation: op.OperationID, Schemes: op.schemes, Creditor: c.Param("cf"), Permission: op.permission}
	maySign := slices.Contains(op.schemes, SchemeSignature)
	switch {
	case maySign && signed(c.Request.Header):
		s.checkSignature(c, op, call)
	case op.open:
	default:
		s.checkToken(c, maySign, call)
	}
}

func (s *Server) checkToken(c *gin.Context, maySign bool, call Call) {
	scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		if maySign {
			s.Fail(c, fault.New(fault.Forbidden, codeUnsigned, "La richiesta deve essere firmata."))
			return
		}
		s.Fail(c, fault.New(fault.Forbidden, codeNoToken, "Mancano le credenziali: serve l'intestazione Authorization con un token Bearer."))
		return
	}
	if len(token) > maxToken {
		s.Fail(c, BadToken())
		return
	}
	ctx, err := s.admit(c.Request.Context(), token, call)
	if err != nil {
		s.Fail(c, err)
		return
	}
	if !s.throttle(c, token) {
		return
	}
	c.Request = c.Request.WithContext(ctx)
}

type signatureKey struct{}

// SignatureOf returns the signature of a request to an operation that is open to
// all: of good form and never seen before, but by a key that the handler must
// find and check. nil if it was not signed.
func SignatureOf(ctx context.Context) *Signature {
	s, _ := ctx.Value(signatureKey{}).(*Signature)
	return s
}

// checkSignature reads the body too: what is signed is its digest.
func (s *Server) checkSignature(c *gin.Context, op operation, call Call) {
	var body []byte
	if op.body != nil || op.raw != "" {
		var ok bool
		if body, ok = readAll(c, op.limit); !ok {
			return
		}
		c.Request.Body = io.NopCloser(bytes.NewReader(body))
	}
	now := s.now()
	sig, err := readSignature(c.Request, body, now)
	if err == nil {
		err = s.replays.challenged(sig)
	}
	if err != nil {
		s.Fail(c, err)
		return
	}
	ctx := context.WithValue(c.Request.Context(), signatureKey{}, sig)
	if !op.open {
		if ctx, err = s.signed(ctx, sig, call); err != nil {
			s.Fail(c, err)
			return
		}
		if !s.throttle(c, sig.KeyID) {
			return
		}
		if err := s.replays.take(sig, now); err != nil {
			s.Fail(c, err)
			return
		}
	}
	c.Request = c.Request.WithContext(ctx)
}
