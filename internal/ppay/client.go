package ppay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
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

// Config says how to reach the platform.
type Config struct {
	URL      string // of the Enti2EPaywso proxy, http or https, without credentials
	User     string // of HTTP Basic; "" for no authentication
	Password Secret
	Version  string // of this program, for the User-Agent; may be ""

	// Transport carries the calls; nil means one of our own, that trusts what the
	// machine trusts and ignores proxy settings of the environment.
	Transport http.RoundTripper
	Timeout   time.Duration // of a whole call; 0 means 15 s
}

// Client sends batches to PiemontePAY. It may be used by several goroutines.
type Client struct {
	url       string
	user      string
	password  Secret
	userAgent string
	timeout   time.Duration
	http      http.Client
}

// NewClient returns a client of the platform at cfg.URL. It does not call it.
func NewClient(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	// The URL appears in errors and logs; the error of Parse would quote it.
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "ppay.bad_url", "L'indirizzo di PiemontePAY deve essere un URL http o https senza credenziali.")
	}
	if (cfg.User == "") != cfg.Password.IsZero() {
		return nil, fault.New(fault.Invalid, "ppay.bad_credentials", "Per PiemontePAY servono sia l'utente sia la password, oppure nessuno dei due.")
	}
	if cfg.Timeout < 0 {
		return nil, fault.New(fault.Invalid, "ppay.bad_timeout", "Il tempo massimo di una chiamata a PiemontePAY non può essere negativo.")
	}
	c := &Client{
		url: u.String(), user: cfg.User, password: cfg.Password,
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
	if c.http.Transport == nil {
		c.http.Transport = newTransport()
	}
	return c, nil
}

func newTransport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
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
func (c *Client) Submit(ctx context.Context, _ multe.Creditor, b multe.Batch) (string, error) {
	action, ok := soapActions[b.Operation]
	if !ok || len(b.Body) == 0 {
		return "", cannotSend(errors.New("a batch without operation or body"))
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(b.Body))
	if err != nil {
		return "", fmt.Errorf("preparing a call: %w", err)
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("Accept", "text/xml")
	req.Header.Set("SOAPAction", action)
	req.Header.Set("User-Agent", c.userAgent)
	if c.user != "" {
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
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return "", fault.Wrap(fault.Unavailable, "ppay.auth", "PiemontePAY ha rifiutato le credenziali del servizio: verificarle.", fmt.Errorf("HTTP status %d", resp.StatusCode))
	case resp.StatusCode != http.StatusOK:
		return "", unknownOutcome(fmt.Errorf("HTTP status %d", resp.StatusCode))
	}
	code, err := readAnswer(resp.Body)
	if err != nil {
		return "", unknownOutcome(err)
	}
	if code >= "100" {
		return code, &multe.Refusal{Code: code, Verdict: VerdictOf(PlaceAnswer, code)}
	}
	return code, nil
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
		return "", errors.New("SOAP fault")
	default:
		return "", errors.New("answer of another kind")
	}
}
