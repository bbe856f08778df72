package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
)

// The limits of a call.
const (
	defaultTimeout = 30 * time.Second // the platform makes a IUV or a PDF meanwhile; its own limit for the IUV is 30 s

	connectTimeout = 5 * time.Second // given up early where nothing can have been sent
	idleTimeout    = 4 * time.Second // shorter than any server's (Apache: 5 s), so that none closes a connection under our feet
	maxAnswer      = 8 << 20         // bytes; a notice of two pages in base64 has 300 kB
	maxHeaders     = 64 << 10        // bytes of the headers of an answer
	maxDrain       = 64 << 10        // bytes read for nothing so that a connection can be used again
	maxConns       = 4               // at once: people wait for it, not a batch
)

// Config says how to reach the interface.
type Config struct {
	URL      string // up to and with /epayapi/api/v1, http or https, without credentials
	User     string // of HTTP Basic; "" for no authentication
	Password ppay.Secret
	Version  string // of this program, for the User-Agent; may be ""

	TLS *tls.Config // nil: trust what the machine trusts

	// Transport carries the calls; nil means one of our own, with TLS, that ignores
	// proxy settings of the environment.
	Transport http.RoundTripper
	Timeout   time.Duration // of a whole call; 0 means 30 s
}

// Client calls the interface. It may be used by several goroutines.
type Client struct {
	base      string
	user      string
	password  ppay.Secret
	userAgent string
	timeout   time.Duration
	http      http.Client
}

// NewClient returns a client of the interface at cfg.URL. It does not call it.
func NewClient(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	// The URL appears in errors and logs; the error of Parse would quote it.
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
		return nil, fault.New(fault.Invalid, "ppay.bad_url", "L'indirizzo REST di PiemontePAY deve essere un URL http o https, senza credenziali e senza parametri.")
	}
	if (cfg.User == "") != cfg.Password.IsZero() || strings.Contains(cfg.User, ":") {
		return nil, fault.New(fault.Invalid, "ppay.bad_credentials", "Per PiemontePAY servono sia l'utente, senza due punti, sia la password, oppure nessuno dei due.")
	}
	if cfg.Timeout < 0 {
		return nil, fault.New(fault.Invalid, "ppay.bad_timeout", "Il tempo massimo di una chiamata a PiemontePAY non può essere negativo.")
	}
	c := &Client{
		base: strings.TrimRight(u.String(), "/"), user: cfg.User, password: cfg.Password,
		userAgent: "preavviso", timeout: cfg.Timeout,
		http: http.Client{
			Transport:     cfg.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if cfg.Version != "" {
		c.userAgent += "/" + cfg.Version
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.http.Transport == nil {
		c.http.Transport = newTransport(cfg.TLS)
	}
	return c, nil
}

func newTransport(t *tls.Config) *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:        t,
		TLSHandshakeTimeout:    connectTimeout,
		MaxResponseHeaderBytes: maxHeaders,
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true, // a bomb stays one
		Protocols:              &http1,
	}
}

// Pay begins a spontaneous payment of creditor o and returns where the payer goes
// on. It must not be repeated with the same ID.
func (c *Client) Pay(ctx context.Context, o multe.CreditorID, typ string, p Spontaneous) (PaymentRef, error) {
	path, err := under(o, typ, "payment")
	ref, err := send[PaymentRef](ctx, c, http.MethodPost, path, errors.Join(err, p.check()), p)
	return ref, goesOn(ref.URL, err)
}

// Create makes a position. It must not be repeated with the same p.ID, which the
// platform may have spent even when it refuses.
func (c *Client) Create(ctx context.Context, o multe.CreditorID, typ string, p NewPosition) (PositionRef, error) {
	path, err := under(o, typ, "debtpositions")
	return created(send[PositionRef](ctx, c, http.MethodPost, path, errors.Join(err, p.check()), p))
}

// CreateShared makes a position of several creditors. See [Client.Create].
func (c *Client) CreateShared(ctx context.Context, o multe.CreditorID, typ string, p SharedPosition) (PositionRef, error) {
	path, err := under(o, typ, "debtpositions/multipayees")
	return created(send[PositionRef](ctx, c, http.MethodPost, path, errors.Join(err, p.check(), p.complete()), p))
}

// created wants a number of what was made.
func created(r PositionRef, err error) (PositionRef, error) {
	if err == nil && (r.Number.IsZero() || r.Number.IUV() != r.IUV) {
		return PositionRef{}, unknownOutcome(http.MethodPost, fmt.Errorf("%w: no codice avviso, or not that of the IUV", errAnswer))
	}
	return r, err
}

// Update changes a position, whoever made it, REST or SOAP.
func (c *Client) Update(ctx context.Context, o multe.CreditorID, typ, iuv string, u Update) error {
	path, err := position(o, typ, iuv, "")
	_, err = send[none](ctx, c, http.MethodPut, path, errors.Join(err, u.check()), u)
	return err
}

// UpdateShared changes a position of several creditors.
func (c *Client) UpdateShared(ctx context.Context, o multe.CreditorID, typ, iuv string, p SharedPosition) error {
	path, err := position(o, typ, iuv, "/multipayees")
	_, err = send[none](ctx, c, http.MethodPut, path, errors.Join(err, p.check()), p)
	return err
}

// Delete annuls a position; it cannot be undone. The platform asks for no reason.
func (c *Client) Delete(ctx context.Context, o multe.CreditorID, typ, iuv string) error {
	path, err := position(o, typ, iuv, "")
	_, err = get[none](ctx, c, http.MethodDelete, path, err)
	return err
}

// Status says where a position stands.
func (c *Client) Status(ctx context.Context, o multe.CreditorID, typ, iuv string) (Status, error) {
	path, err := position(o, typ, iuv, "/status")
	return get[Status](ctx, c, http.MethodGet, path, err)
}

// PaymentData returns what the platform holds of a position and of its payment.
func (c *Client) PaymentData(ctx context.Context, o multe.CreditorID, typ, iuv string) (PaymentData, error) {
	path, err := position(o, typ, iuv, "/paymentdata")
	return get[PaymentData](ctx, c, http.MethodGet, path, err)
}

// Notice returns the platform's own notice of a payable position, as a PDF.
func (c *Client) Notice(ctx context.Context, o multe.CreditorID, typ, iuv string) ([]byte, error) {
	path, err := position(o, typ, iuv, "/paymentnotice")
	n, err := get[notice](ctx, c, http.MethodGet, path, err)
	if err == nil && !bytes.HasPrefix(n.PDF, []byte("%PDF-")) {
		return nil, unknownOutcome(http.MethodGet, fmt.Errorf("%w: not a PDF", errAnswer))
	}
	return n.PDF, err
}

// PaymentURL returns where an existing position can be paid online. With it a
// payment begins: until it ends or expires, the position refuses changes.
func (c *Client) PaymentURL(ctx context.Context, o multe.CreditorID, iuv string) (PaymentRef, error) {
	err := errors.Join(checkCreditor(o), checkIUV(iuv))
	ref, err := get[PaymentRef](ctx, c, http.MethodPost, "/organizations/"+string(o)+"/debtpositions/"+iuv+"/payment", err)
	return ref, goesOn(ref.URL, err)
}

// Receipt returns the copy of a receipt. With a [Refusal] the Receipt still has a
// State if ID, CF and creditor matched the IUV.
func (c *Client) Receipt(ctx context.Context, r ReceiptRequest) (Receipt, error) {
	return send[Receipt](ctx, c, http.MethodPost, "/rt", r.check(), r)
}

// StampTax begins the payment of marche da bollo of type typ. It must not be
// repeated with the same ID.
func (c *Client) StampTax(ctx context.Context, o multe.CreditorID, typ string, s StampTax) (StampTaxRef, error) {
	path, err := under(o, typ, "stamptaxpayment")
	ref, err := send[StampTaxRef](ctx, c, http.MethodPost, path, errors.Join(err, s.check()), s)
	return ref, goesOn(ref.URL, err)
}

// StampTaxAttachment returns the XML of a marca da bollo that was paid.
func (c *Client) StampTaxAttachment(ctx context.Context, o multe.CreditorID, typ, iuv string) ([]byte, error) {
	path, err := position(o, typ, iuv, "/stampTaxAttachment")
	a, err := get[attachment](ctx, c, http.MethodGet, path, err)
	return a.XML, err
}

// goesOn wants an address that a payer can be sent to.
func goesOn(address string, err error) error {
	if err != nil {
		return err
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return unknownOutcome(http.MethodPost, fmt.Errorf("%w: no paymentUrl", errAnswer))
	}
	return nil
}

// send calls with a body, unless invalid says why not.
func send[Out, In any](ctx context.Context, c *Client, method, path string, invalid error, in In) (out Out, err error) {
	if invalid != nil {
		return out, cannotSend(invalid)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("encoding a call: %w", err) // impossible: it was checked
	}
	return call[Out](ctx, c, method, path, body)
}

// get calls without a body, unless invalid says why not.
func get[Out any](ctx context.Context, c *Client, method, path string, invalid error) (out Out, err error) {
	if invalid != nil {
		return out, cannotSend(invalid)
	}
	return call[Out](ctx, c, method, path, nil)
}

func call[Out any](ctx context.Context, c *Client, method, path string, body []byte) (out Out, err error) {
	if err := ctx.Err(); err != nil {
		return out, notSent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	// As in ppay.Client.Submit: without a connection nothing can have been sent, and
	// a transport that tells nothing is not believed.
	var looking, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { looking.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("preparing a call: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if c.user != "" {
		c.password.Authenticate(req, c.user)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL
		}
		if looking.Load() && !connected.Load() {
			return out, notSent(err)
		}
		return out, unknownOutcome(method, err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		_ = resp.Body.Close() // after the answer is read there is nothing left to fail
	}()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return out, unknownOutcome(method, fmt.Errorf("reading the answer: %w", err))
	}
	if len(raw) > maxAnswer {
		return out, unknownOutcome(method, fmt.Errorf("answer of more than %d bytes", maxAnswer))
	}
	err = read(resp.StatusCode, raw, &out)
	if errors.Is(err, errAnswer) {
		var empty Out
		return empty, unknownOutcome(method, err)
	}
	return out, err
}

func notSent(err error) error {
	return fault.Wrap(fault.Unavailable, "ppay.unreachable", "PiemontePAY non è raggiungibile: nulla è stato inviato.", fmt.Errorf("%w: %w", multe.ErrNotSent, err))
}

func unknownOutcome(method string, err error) error {
	if method == http.MethodGet {
		return fault.Wrap(fault.Unavailable, "ppay.no_answer", "PiemontePAY non ha risposto, o la risposta non è comprensibile: riprovare.", err)
	}
	return fault.Wrap(fault.Unavailable, "ppay.unknown_outcome", "Non è noto se PiemontePAY abbia eseguito l'operazione: leggere i dati della posizione prima di ripeterla.", err)
}
