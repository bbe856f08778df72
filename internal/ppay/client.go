package ppay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/wsdl/epaywso"
)

// The limits of a call.
const (
	defaultTimeout = 15 * time.Second // of a whole call: the platform only queues the list

	connectTimeout = 5 * time.Second // the call is given up early where nothing can have been sent
	idleTimeout    = 4 * time.Second // shorter than any server's (Apache: 5 s), so that none closes a connection under our feet
	maxAnswer      = 1 << 20         // bytes; a real answer has 500
	maxHeaders     = 64 << 10        // bytes of the headers of an answer
	maxDrain       = 64 << 10        // bytes read for nothing so that a connection can be used again
)

// Auth is how we show who we are. The region's presentation says Basic, real
// clients of the secure proxy show WS-Security, one of them both
// (piemontepay.md §8.4).
type Auth string

// The ways.
const (
	AuthNone  Auth = "none"
	AuthBasic Auth = "basic"
	AuthWSS   Auth = "wss"  // a wsse:UsernameToken with its password as text, and a Timestamp
	AuthBoth  Auth = "both" // wss and basic
)

func (a Auth) basic() bool { return a == AuthBasic || a == AuthBoth }
func (a Auth) wss() bool   { return a == AuthWSS || a == AuthBoth }

// Config says how to reach the platform.
type Config struct {
	URL      string // of the Enti2EPaywso proxy, http or https, without credentials
	Auth     Auth   // "" is none
	User     string
	Password Secret
	Version  string // of this program, for the User-Agent; may be ""

	// TLS says whom to trust and what to show; nil means what the machine trusts.
	TLS *tls.Config
	// Transport carries the calls; nil means one of our own, that obeys TLS and
	// ignores proxy settings of the environment.
	Transport http.RoundTripper
	Timeout   time.Duration // of a whole call; 0 means 15 s

	Now      func() time.Time // for the Timestamp of wss; nil means time.Now
	Lifetime time.Duration    // of that Timestamp; 0 means a minute

	// Own replaces all of this for single creditors. Their own Own is not looked at.
	Own map[multe.CreditorID]Config
}

// Client sends batches to PiemontePAY. It may be used by several goroutines.
type Client struct {
	every *line
	own   map[multe.CreditorID]*line
}

// NewClient returns a client of the platform at cfg.URL. It does not call it.
func NewClient(cfg Config) (*Client, error) {
	every, err := newLine(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{every: every, own: map[multe.CreditorID]*line{}}
	for id, own := range cfg.Own {
		if c.own[id], err = newLine(own); err != nil {
			return nil, fmt.Errorf("creditor %s: %w", id, err)
		}
	}
	return c, nil
}

// line is one way to the platform.
type line struct {
	url       string
	auth      Auth
	user      string
	password  Secret
	now       func() time.Time
	lifetime  time.Duration
	userAgent string
	timeout   time.Duration
	http      http.Client
}

func newLine(cfg Config) (*line, error) {
	u, err := url.Parse(cfg.URL)
	// The URL appears in errors and logs; the error of Parse would quote it.
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "ppay.bad_url", "L'indirizzo di PiemontePAY deve essere un URL http o https senza credenziali.")
	}
	shown := cfg.Auth.basic() || cfg.Auth.wss()
	switch {
	case !shown && cfg.Auth != AuthNone && cfg.Auth != "":
		return nil, fault.New(fault.Invalid, "ppay.bad_auth", "L'autenticazione verso PiemontePAY può essere none, basic, wss o both.")
	case (cfg.User != "") != shown, cfg.Password.IsZero() == shown:
		return nil, fault.New(fault.Invalid, "ppay.bad_credentials", "Per PiemontePAY servono sia l'utente sia la password, oppure nessuno dei due se l'autenticazione è none.")
	case cfg.Auth.basic() && strings.Contains(cfg.User, ":"), cfg.Auth.wss() && !(sayable(cfg.User) && sayable(cfg.Password.reveal())):
		return nil, fault.New(fault.Invalid, "ppay.bad_credentials", "L'utente o la password di PiemontePAY contengono caratteri che questa autenticazione non può trasportare.")
	}
	if cfg.Timeout < 0 || cfg.Lifetime < 0 {
		return nil, fault.New(fault.Invalid, "ppay.bad_timeout", "Il tempo massimo di una chiamata a PiemontePAY non può essere negativo.")
	}
	c := &line{
		url: u.String(), auth: cfg.Auth, user: cfg.User, password: cfg.Password,
		now: cfg.Now, lifetime: cfg.Lifetime,
		userAgent: "preavviso/" + cfg.Version, timeout: cfg.Timeout,
		http: http.Client{
			Transport:     cfg.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if cfg.Version == "" {
		c.userAgent = "preavviso"
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.lifetime == 0 {
		c.lifetime = defaultLifetime
	}
	if c.http.Transport == nil {
		c.http.Transport = newTransport(cfg.TLS)
	}
	return c, nil
}

func newTransport(trust *tls.Config) *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		TLSClientConfig:        trust,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		MaxResponseHeaderBytes: maxHeaders,
		MaxConnsPerHost:        4, // the platform works one list at a time anyway
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true, // an answer is small, and a bomb stays one
		Protocols:              &http1,
	}
}

// soapActions are sent quoted, as SOAP 1.1 §6.1.1 wants them.
var soapActions = map[multe.Operation]string{
	multe.OperationInsert: `"` + epaywso.ActionInserisciListaDiCarico + `"`,
	multe.OperationUpdate: `"` + epaywso.ActionAggiornaPosizioniDebitorie + `"`,
}

// Submit sends b.Body once and returns the platform's code.
//
// The error says what is known:
//
//	nil                 the platform has queued the batch (a code below 100)
//	*multe.Refusal      the platform refused the batch as a whole
//	multe.ErrNotSent    surely nothing left this machine (ppay.unreachable)
//	fault.Invalid       b is no batch to send: nothing was sent
//	fault.Unavailable   nobody knows: ppay.auth if credentials were refused on the
//	                    way, else ppay.unknown_outcome
//
// What is multe.ErrNotSent is fault.Unavailable as well: ask for it first. No
// error holds credentials or the body of an answer.
//
// The header of wss is made here, for each attempt anew: what is stored of a
// batch holds neither a password nor a time.
func (c *Client) Submit(ctx context.Context, of multe.Creditor, b multe.Batch) (string, error) {
	if own, ok := c.own[of.ID]; ok {
		return own.submit(ctx, b)
	}
	return c.every.submit(ctx, b)
}

func (c *line) submit(ctx context.Context, b multe.Batch) (string, error) {
	action, ok := soapActions[b.Operation]
	if !ok || len(b.Body) == 0 {
		return "", cannotSend(errors.New("a batch without operation or body"))
	}
	body := b.Body
	if c.auth.wss() {
		var err error
		if body, err = secure(b.Body, c.user, c.password.reveal(), c.now(), c.lifetime); err != nil {
			return "", cannotSend(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return "", notSent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	// Until the transport has a connection, nothing can have been written. That it
	// has one is told before it begins to write; that it has written is told by
	// another goroutine, perhaps after Do has returned. A transport that tells
	// neither is never believed not to have sent.
	var looking, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { looking.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("preparing a call: %w", err)
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("Accept", "text/xml")
	req.Header.Set("SOAPAction", action)
	req.Header.Set("User-Agent", c.userAgent)
	if c.auth.basic() {
		c.password.Authenticate(req, c.user)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if looking.Load() && !connected.Load() {
			return "", notSent(cause(err))
		}
		return "", unknownOutcome(cause(err))
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		_ = resp.Body.Close() // after the answer is read there is nothing left to fail
	}()
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return "", badCredentials(fmt.Errorf("HTTP status %d", resp.StatusCode))
	}
	code, err := readAnswer(resp.Body)
	switch {
	case errors.Is(err, errSecurity):
		return "", badCredentials(err)
	case resp.StatusCode != http.StatusOK:
		return "", unknownOutcome(fmt.Errorf("HTTP status %d", resp.StatusCode))
	case err != nil:
		return "", unknownOutcome(err)
	}
	if code >= "100" {
		return code, &multe.Refusal{Code: code, Verdict: VerdictOf(PlaceAnswer, code)}
	}
	return code, nil
}

// errSecurity is a fault about our wsse header.
var errSecurity = errors.New("SOAP fault of WS-Security")

// securityFaults are the fault codes of WS-Security, by local name (OASIS WSS
// SOAP Message Security 1.0 §12). A proxy that checks the header answers with one
// of them, under HTTP 500.
var securityFaults = []string{
	"FailedAuthentication", "FailedCheck", "InvalidSecurity", "InvalidSecurityToken", "MessageExpired",
	"SecurityTokenUnavailable", "UnsupportedAlgorithm", "UnsupportedSecurityToken",
}

func badCredentials(err error) error {
	return fault.Wrap(fault.Unavailable, "ppay.auth", "PiemontePAY ha rifiutato le credenziali del servizio: verificarle, e con WS-Security verificare anche l'orologio.", err)
}

func notSent(err error) error {
	return fault.Wrap(fault.Unavailable, "ppay.unreachable", "PiemontePAY non è raggiungibile: nulla è stato inviato.", fmt.Errorf("%w: %w", multe.ErrNotSent, err))
}

func unknownOutcome(err error) error {
	return fault.Wrap(fault.Unavailable, "ppay.unknown_outcome", "Non è noto se PiemontePAY abbia ricevuto la comunicazione: si attende l'esito.", err)
}

// cause takes the URL out of an error: it may carry a secret in its query.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// readAnswer returns the code of an EPaywsoServiceResponse, whatever namespace a
// proxy gave it.
func readAnswer(body io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	if len(raw) > maxAnswer {
		return "", fmt.Errorf("answer: %w", ErrTooLarge)
	}
	if len(raw) == 0 {
		return "", errors.New("empty answer")
	}
	name, m, err := parse(raw)
	if err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	switch name.Local {
	case "EPaywsoServiceResponse":
		if code, ok := m.value(maxHeading, "Result", "Codice"); ok && threeDigits(code) {
			return code, nil
		}
		return "", errors.New("answer without a code")
	case "Fault":
		// faultcode has no namespace and a QName for a text (SOAP 1.1 §4.4).
		code, _ := m.value(maxAnything, "faultcode")
		if slices.Contains(securityFaults, code[strings.IndexByte(code, ':')+1:]) {
			return "", errSecurity
		}
		return "", errors.New("SOAP fault")
	default:
		return "", errors.New("answer of another kind")
	}
}
