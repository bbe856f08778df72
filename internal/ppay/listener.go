package ppay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"preavviso/internal/multe"
)

// Receiver keeps what the platform sends. When Receive returns nil the message is
// durable; after that the platform never sends it again.
type Receiver interface {
	// Receive keeps a message. caller is the user who showed credentials, "" if
	// none were asked for.
	Receive(ctx context.Context, caller, kind string, raw []byte) error
}

// Caller is somebody who may call.
type Caller struct {
	User string
	// Passwords are accepted alike: two while one replaces the other. Without any,
	// the caller is not let in.
	Passwords []Secret
	Allow     []netip.Prefix // where the caller calls from; none: anywhere
}

// ListenerConfig says whom to listen to. Whom a caller may speak for is not asked
// here: a message is kept first.
type ListenerConfig struct {
	Callers []Caller
	// WSS takes a wsse:UsernameToken, with its password as text and a Timestamp of
	// now, as well as Basic.
	WSS bool
	// Open lets everybody in from where Allow says, and ignores Callers and WSS: for
	// a network where something else tells who is calling.
	Open  bool
	Allow []netip.Prefix // none: anywhere

	Now func() time.Time // nil for time.Now
	Log *slog.Logger     // nil for none
}

const (
	// maxConcurrent bounds the memory of the messages in hand: each can take five
	// times [MaxRTMessage] while its largest text is read.
	maxConcurrent = 4
	// maxQueue is how long a message waits for its turn. The platform may stop a
	// queue whose messages fail too often, so waiting is better than refusing.
	maxQueue = 5 * time.Second
)

// NewListener returns the handler of the calls that the platform makes to a
// creditor: EPaywso2EntiService, EPayFlussiCompletiPSP and ServiziRendicontazione.
// It answers on every path that it is given. One handler is meant to serve all of
// them, for its limits are on what it holds in hand at once.
//
// A message is answered with a code below 100 only after recv has kept it: the
// platform then forgets it. Everything else it offers again, and a message that
// is refused for ever may stop all those behind it (piemontepay.md §4.7). So a
// SOAP message from the authenticated platform is kept and answered 000 even if
// it is of no kind we know; a person will be told when it is worked. What cannot
// be kept is answered:
//
//	401, 403, 405       HTTP: not the platform, not from there, not a call
//	429                 HTTP: too many wrong credentials from there
//	101                 no SOAP message within the limits of [Gate]
//	200                 recv failed, or the message did not arrive whole: later
//	503                 HTTP: too many messages in hand
//
// Duplicates are kept and answered like any other. SOAP headers are ignored
// whatever they demand, but for the UsernameToken where one is asked for; of a
// message with one, everything but the password is kept.
//
// Only the address of the TCP connection is looked at: a header that names
// another could be anybody's.
func NewListener(recv Receiver, cfg ListenerConfig) http.Handler {
	l := &listener{recv: recv, open: cfg.Open, wss: cfg.WSS, now: cfg.Now, log: cfg.Log, turns: make(chan struct{}, maxConcurrent)}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.doors = doors{now: l.now}
	if l.open {
		l.allow = [][]netip.Prefix{cfg.Allow}
		return l
	}
	for _, c := range cfg.Callers {
		k := knownCaller{name: c.User, user: sha256.Sum256([]byte(c.User)), allow: c.Allow}
		for _, p := range c.Passwords {
			if !p.IsZero() {
				k.passwords = append(k.passwords, sha256.Sum256([]byte(p.reveal())))
			}
		}
		l.callers = append(l.callers, k)
		l.allow = append(l.allow, c.Allow)
	}
	return l
}

type listener struct {
	recv    Receiver
	open    bool
	wss     bool
	callers []knownCaller
	allow   [][]netip.Prefix // any of which must let an address in
	doors   doors
	now     func() time.Time
	log     *slog.Logger
	turns   chan struct{}
}

type knownCaller struct {
	name      string
	user      [sha256.Size]byte
	passwords [][sha256.Size]byte
	allow     []netip.Prefix
}

// The reasons to turn a call away before its message is looked at.
var (
	errStranger  = errors.New("no valid credentials")
	errElsewhere = errors.New("address not allowed")
	errBusy      = errors.New("too many messages in hand")
)

// ServeHTTP does one call.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	from := peer(r)
	if !slices.ContainsFunc(l.allow, func(a []netip.Prefix) bool { return allowed(a, from) }) {
		l.turnAway(w, r, from, errElsewhere)
		return
	}
	if wait := l.doors.closed(from); wait > 0 {
		l.log.WarnContext(r.Context(), "platform call refused: too many wrong credentials", "from", from.String())
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		http.Error(w, "too many wrong credentials", http.StatusTooManyRequests)
		return
	}
	c := call{listener: l, from: from}
	defer c.leave()
	kind, raw, err := c.take(r)
	switch {
	case errors.Is(err, errStranger), errors.Is(err, errElsewhere), errors.Is(err, errBusy):
		l.turnAway(w, r, from, err)
		return
	case c.known && !l.open:
		l.doors.open(from)
	}
	took := slog.Duration("took", time.Since(start))
	size := slog.Int("bytes", len(raw))
	digest := slog.String("digest", multe.DigestOf(raw).String()[:16])
	var refused GateError
	switch {
	case err == nil:
		l.log.InfoContext(r.Context(), "platform message kept", "kind", kind, size, digest, took)
		l.answer(w, r, c.name, "000", "")
	case errors.As(err, &refused):
		l.log.WarnContext(r.Context(), "platform message refused", size, digest, took, "reason", refused.Error())
		l.answer(w, r, c.name, "101", "Messaggio non conservato: "+refused.Error())
	default:
		l.log.ErrorContext(r.Context(), "platform message not kept", "kind", kind, size, digest, took, "err", err)
		l.answer(w, r, c.name, "200", "Messaggio non conservato: riprovare")
	}
}

// turnAway answers a call that is not the platform's, or that cannot wait.
func (l *listener) turnAway(w http.ResponseWriter, r *http.Request, from netip.Addr, why error) {
	l.log.WarnContext(r.Context(), "platform call refused", "reason", why.Error(), "from", from.String())
	switch why {
	case errStranger:
		l.doors.wrong(from)
		w.Header().Set("WWW-Authenticate", `Basic realm="EPaywso2Enti", charset="UTF-8"`)
		http.Error(w, "unauthorized", http.StatusUnauthorized)
	case errElsewhere:
		http.Error(w, "forbidden", http.StatusForbidden)
	default:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "busy", http.StatusServiceUnavailable)
	}
}

// call is one call on its way in.
type call struct {
	*listener
	from   netip.Addr
	who    knownCaller
	known  bool
	inside bool     // has a turn
	name   xml.Name // of the body element, when it passed the gate
}

func (c *call) leave() {
	if c.inside {
		<-c.turns
	}
}

// take reads a message and has it kept. Who calls is known before the body is
// read: by Basic before anything is, by a UsernameToken when the header has been.
func (c *call) take(r *http.Request) (kind string, raw []byte, err error) {
	if c.known = c.open; !c.known {
		user, password, _ := r.BasicAuth()
		c.who, c.known = c.find(sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password)))
	}
	if !c.known && !c.wss {
		return "", nil, errStranger
	}
	var header security
	admit := func() error {
		if !c.known && header.fresh(c.now()) {
			c.who, c.known = c.find(header.credentials())
		}
		switch {
		case !c.known:
			return errStranger
		case !allowed(c.who.allow, c.from):
			return errElsewhere
		case !c.enter(r.Context()):
			return errBusy
		}
		c.inside = true
		return nil
	}
	kind, raw, err = c.read(r, hooks{header: header.token, admit: admit})
	if err != nil && !c.known {
		return "", nil, errStranger // who is not known learns nothing else
	}
	if err != nil {
		return kind, raw, err
	}
	raw = header.withoutPasswords(raw)
	return kind, raw, c.recv.Receive(r.Context(), c.who.name, kind, raw)
}

// read reads a message through the gate.
func (c *call) read(r *http.Request, h hooks) (kind string, raw []byte, err error) {
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
	name, err := gate(io.TeeReader(r.Body, &buf), h)
	if err != nil {
		return "", buf.Bytes(), err
	}
	c.name = name
	kind, _ = kindOf(name)
	return kind, buf.Bytes(), nil
}

// find returns the caller with a user and a password. Digests have one length,
// and all are compared whatever the others gave, so that the time taken tells
// nothing.
func (l *listener) find(user, password [sha256.Size]byte) (found knownCaller, ok bool) {
	for _, k := range l.callers {
		match := 0
		for _, want := range k.passwords {
			match |= subtle.ConstantTimeCompare(password[:], want[:])
		}
		if match&subtle.ConstantTimeCompare(user[:], k.user[:]) == 1 {
			found, ok = k, true
		}
	}
	return found, ok
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

// answer writes the answer to a call. message holds nothing of what was received.
func (l *listener) answer(w http.ResponseWriter, r *http.Request, name xml.Name, code, message string) {
	body, err := answerTo(name, r.Header.Get("SOAPAction"), code, message)
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
