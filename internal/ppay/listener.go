package ppay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"

	"preavviso/internal/multe"
	"preavviso/wsdl/epaywso"
)

// Receiver keeps what the platform sends. When Receive returns nil the message is
// durable; after that the platform never sends it again.
type Receiver interface {
	Receive(ctx context.Context, kind string, raw []byte) error
}

// ListenerConfig says whom to listen to.
type ListenerConfig struct {
	User string
	// Passwords are accepted alike: two while one replaces the other. Without any,
	// nobody is let in.
	Passwords []Secret
	// Open lets everybody in and ignores User and Passwords: for a network where
	// something else tells who is calling.
	Open bool
	Log  *slog.Logger // nil for none
}

const (
	// maxConcurrent bounds the memory of the messages in hand: each can take five
	// times [MaxRTMessage] while its largest text is read.
	maxConcurrent = 4
	// maxQueue is how long a message waits for its turn. The platform may stop a
	// queue whose messages fail too often, so waiting is better than refusing.
	maxQueue = 5 * time.Second
)

// NewListener returns the handler of EPaywso2EntiService, the calls that the
// platform makes to a creditor. It answers on every path that it is given.
//
// A message is answered with a code below 100 only after recv has kept it: the
// platform then forgets it. Everything else it offers again, and a message that
// is refused for ever may stop all those behind it (piemontepay.md §4.7). So a
// SOAP message from the authenticated platform is kept and answered 000 even if
// it is of no kind we know; a person will be told when it is worked. What cannot
// be kept is answered:
//
//	401, 405            HTTP: not the platform, not a call
//	101                 no SOAP message within the limits of [Gate]
//	200                 recv failed, or the message did not arrive whole: later
//	503                 HTTP: too many messages in hand
//
// Duplicates are kept and answered like any other. Headers, WS-Security among
// them, are ignored whatever they demand.
func NewListener(recv Receiver, cfg ListenerConfig) http.Handler {
	l := &listener{recv: recv, open: cfg.Open, user: sha256.Sum256([]byte(cfg.User)), log: cfg.Log, turns: make(chan struct{}, maxConcurrent)}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	for _, p := range cfg.Passwords {
		if !p.IsZero() {
			l.passwords = append(l.passwords, sha256.Sum256([]byte(p.reveal())))
		}
	}
	return l
}

type listener struct {
	recv      Receiver
	open      bool
	user      [sha256.Size]byte
	passwords [][sha256.Size]byte
	log       *slog.Logger
	turns     chan struct{}
}

// ServeHTTP does one call.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	case !l.knows(r):
		l.log.WarnContext(r.Context(), "platform call without valid credentials")
		w.Header().Set("WWW-Authenticate", `Basic realm="EPaywso2Enti", charset="UTF-8"`)
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	case !l.enter(r.Context()):
		l.log.WarnContext(r.Context(), "platform call refused: too many in hand")
		w.Header().Set("Retry-After", "5")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	defer func() { <-l.turns }()

	kind, raw, err := l.take(r)
	took := slog.Duration("took", time.Since(start))
	size := slog.Int("bytes", len(raw))
	digest := slog.String("digest", multe.DigestOf(raw).String()[:16])
	var refused GateError
	switch {
	case err == nil:
		l.log.InfoContext(r.Context(), "platform message kept", "kind", kind, size, digest, took)
		l.answer(w, r, "000", "")
	case errors.As(err, &refused):
		l.log.WarnContext(r.Context(), "platform message refused", size, digest, took, "reason", refused.Error())
		l.answer(w, r, "101", "Messaggio non conservato: "+refused.Error())
	default:
		l.log.ErrorContext(r.Context(), "platform message not kept", "kind", kind, size, digest, took, "err", err)
		l.answer(w, r, "200", "Messaggio non conservato: riprovare")
	}
}

// take reads a message and has it kept.
func (l *listener) take(r *http.Request) (kind string, raw []byte, err error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "text/xml" && media != "application/xml" {
			return "", nil, ErrNotSOAP // attachments or SOAP 1.2
		}
	}
	// The charset of the header is not looked at: the gate accepts UTF-8 only.
	if r.ContentLength > MaxRTMessage {
		return "", nil, ErrTooLarge
	}
	var buf bytes.Buffer
	name, err := Gate(io.TeeReader(r.Body, &buf))
	if err != nil {
		return "", buf.Bytes(), err
	}
	kind, _ = kindOf(name)
	return kind, buf.Bytes(), l.recv.Receive(r.Context(), kind, buf.Bytes())
}

// knows reports whether the caller is the platform. Digests have one length, and
// all are compared whatever the others gave, so that the time taken tells nothing.
func (l *listener) knows(r *http.Request) bool {
	if l.open {
		return true
	}
	user, password, _ := r.BasicAuth()
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	ok := 0
	for _, want := range l.passwords {
		ok |= subtle.ConstantTimeCompare(p[:], want[:])
	}
	return ok&subtle.ConstantTimeCompare(u[:], l.user[:]) == 1
}

// enter waits for a turn.
func (l *listener) enter(ctx context.Context) bool {
	wait := time.NewTimer(maxQueue)
	defer wait.Stop()
	select {
	case l.turns <- struct{}{}:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// answer writes an EPaywsoServiceResponse. message holds nothing of what was
// received.
func (l *listener) answer(w http.ResponseWriter, r *http.Request, code, message string) {
	body, err := envelope(epaywso.EPaywsoServiceResponse{Result: epaywso.ResultType{Codice: code, Messaggio: message}})
	if err != nil { // impossible: two texts of ours
		l.log.ErrorContext(r.Context(), "platform answer", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if _, err := w.Write(body); err != nil {
		l.log.WarnContext(r.Context(), "platform answer not sent", "err", err)
	}
}
