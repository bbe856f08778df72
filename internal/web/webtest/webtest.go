// Package webtest is the service without a network: the real use cases on a
// fresh store, and requests whose answers are held against the OpenAPI document.
package webtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"preavviso/internal/access"
	"preavviso/internal/avviso"
	"preavviso/internal/documents"
	"preavviso/internal/exports"
	"preavviso/internal/feedback"
	"preavviso/internal/flussi"
	"preavviso/internal/idempotency"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/payments"
	"preavviso/internal/photos"
	"preavviso/internal/pool"
	"preavviso/internal/ppay"
	"preavviso/internal/prints"
	"preavviso/internal/receipts"
	"preavviso/internal/registry"
	"preavviso/internal/spool"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/verbali"
	"preavviso/internal/webhooks"
	"preavviso/internal/worklist"
)

// The creditors of a World, and its administrator's token.
const (
	Torino = multe.CreditorID("00514490010")
	Alba   = multe.CreditorID("00184260040")
	Admin  = "the-administrator-of-this-installation"
)

// World is the service without its edges.
type World struct {
	Store    *boltstore.Store
	Access   *access.Access
	Registry *registry.Registry
	Pool     *pool.Pool
	Verbali  *verbali.Verbali
	Payments *payments.Payments
	Flussi   *flussi.Flussi
	Receipts *receipts.Receipts
	Webhooks *webhooks.Webhooks
	Inbox    *inbox.Inbox
	Worklist *worklist.Worklist
	Exports  *exports.Exports
	Owners   *owners.Owners
	Repeats  *idempotency.Keeper

	Documents *documents.Documents
	Prints    *prints.Prints

	Photos   *photos.Photos
	Feedback *feedback.Feedback
	Bell     *feedback.Bell

	Log    *slog.Logger
	Logged *Buffer
	Random *Random

	mu    sync.Mutex
	now   time.Time
	codes int
}

// start is when every World begins.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// New returns a World with two creditors, at nine in the morning of 2 March
// 2026, UTC. Nothing in it depends on chance.
func New(t testing.TB) *World {
	t.Helper()
	w := on(t, filepath.Join(t.TempDir(), "store.db"))
	for id, name := range map[multe.CreditorID]string{Torino: "Comune di Torino", Alba: "Comune di Alba"} {
		c := multe.Creditor{ID: id, Name: name, CodiceVersamento: "PM01", PoolLow: 10, PoolTarget: 20}
		if _, err := w.Registry.AddCreditor(t.Context(), "admin", c); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// on returns the World whose store is in a file.
func on(t testing.TB, path string) *World {
	t.Helper()
	file, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	s := store.Expecting(file)
	logged := &Buffer{}
	w := &World{Store: file, Logged: logged, Log: slog.New(slog.NewJSONHandler(logged, nil)),
		Random: &Random{c: rand.NewChaCha8([32]byte{7})}, now: start}
	nudge := func() {}
	w.Registry = registry.New(s, w.Now, w.Random)
	if w.Access, err = access.New(access.Config{Store: s, Now: w.Now, Random: w.Random}); err != nil {
		t.Fatal(err)
	}
	w.Pool = pool.New(s, w.Now, w.Random, nudge)
	w.Verbali = verbali.New(s, w.Now, nudge)
	w.Payments = payments.New(s, w.Now)
	w.Flussi = flussi.New(s, w.Now, flussi.DefaultDays)
	w.Receipts = receipts.New(s)
	w.Prints = prints.New(s, spool.New(filepath.Join(t.TempDir(), "spool")), w.Now, w.Random, nudge)
	w.Photos = photos.New(s, w.Now)
	w.Bell = &feedback.Bell{}
	w.Feedback = feedback.New(s, w.Now, func(string) string { return "" }, w.Bell)
	w.Documents = documents.New(documents.Config{Store: s, Now: w.Now, Random: w.Random,
		Checks: map[multe.DocumentKind]documents.Check{multe.DocumentLogo: func(body []byte) (documents.Checked, error) {
			kept, mediaType, err := prints.CheckLogo(body)
			return documents.Checked{Type: mediaType, Body: kept}, err
		}},
		SlipTexts: func(custom []byte, _ multe.Day) (map[string]string, error) {
			return map[string]string{"title": "PREAVVISO" + string(custom)}, nil
		}})
	w.Webhooks = webhooks.New(s, nil, w.Now, w.Random, func() {})
	w.Inbox = inbox.New(s, inbox.Config{
		Read:       ppay.Read,
		HearEsito:  func(store.Tx, multe.Esito, time.Time) error { return nil }, // who waits for one is not part of a World
		HearNotice: w.Payments.Hear, HearReceipts: w.Receipts.HearReceipts,
		HearRevocations: w.Receipts.HearRevocations, HearExpiries: w.Receipts.HearExpiries, HearFlusso: w.Flussi.Hear,
		Now: w.Now, Random: w.Random, Nudge: nudge,
	})
	w.Worklist = worklist.New(s, w.Now)
	w.Owners = owners.New(s, w.Now)
	if w.Repeats, err = idempotency.New(s, w.Now, &Random{c: rand.NewChaCha8([32]byte{8})}); err != nil {
		t.Fatal(err)
	}
	w.Exports = exports.New(s, w.Now, func(ctx context.Context) error {
		_, err := w.Inbox.Work(ctx)
		return err
	})
	return w
}

// Now is the clock of the World.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// ID makes an id as a handheld would.
func (w *World) ID(t testing.TB) string {
	t.Helper()
	id, err := multe.NewID(w.Now(), w.Random)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// AddCodes puts n available codes into a pool, as if the platform had made them.
func (w *World) AddCodes(t testing.TB, c multe.CreditorID, n int) []multe.Code {
	t.Helper()
	var codes []multe.Code
	for range n {
		w.codes++
		head := fmt.Sprintf("3%015d", w.codes)
		number, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
		if err != nil {
			t.Fatal(err)
		}
		requested := multe.RequestCode(c, multe.PositionID(w.ID(t)), w.Now())
		code, err := requested.Acknowledge(number, w.Now())
		if err != nil {
			t.Fatal(err)
		}
		err = w.Store.Update(t.Context(), func(tx store.Tx) error {
			if err := tx.PutCode(requested); err != nil {
				return err
			}
			return tx.PutCode(code)
		})
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, code)
	}
	return codes
}

// Device returns an enrolled handheld whose firmware cannot sign, and its token.
func (w *World) Device(t testing.TB, c multe.CreditorID) (multe.Device, string) {
	t.Helper()
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", c, "Palmare", true)
	if err != nil {
		t.Fatal(err)
	}
	d, _, token, err := w.Registry.Enrol(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return d, token
}

// Signer enrols a handheld whose public key is der.
func (w *World) Signer(t testing.TB, c multe.CreditorID, der []byte) multe.Device {
	t.Helper()
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", c, "Palmare", false)
	if err != nil {
		t.Fatal(err)
	}
	key, err := multe.ParseDeviceKey(base64.StdEncoding.EncodeToString(der))
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := w.Registry.EnrolKey(t.Context(), code, key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Operator returns the token of a new operator.
func (w *World) Operator(t testing.TB, c multe.CreditorID) string {
	t.Helper()
	_, token, err := w.Registry.AddOperator(t.Context(), "admin", c, "Ufficio", "")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Discrepancies lists what the use cases reported.
func (w *World) Discrepancies(ctx context.Context, c multe.CreditorID, open bool, after string, limit int) (list []multe.Discrepancy, err error) {
	err = w.Store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.Discrepancies(c, open, after, limit)
		return err
	})
	return list, err
}

// Dump writes down every record of both creditors: two equal dumps mean that
// nothing was written in between.
func (w *World) Dump(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	err := w.Store.View(t.Context(), func(r store.Reader) error {
		creditors, err := r.Creditors("", store.MaxPage)
		if err != nil {
			return err
		}
		for _, c := range creditors {
			if err := dumpCreditor(e, r, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func dumpCreditor(e *json.Encoder, r store.Reader, c multe.Creditor) error {
	errs := []error{e.Encode(c)}
	operators, err := r.Operators(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(operators))
	devices, err := r.Devices(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(devices))
	for _, s := range multe.CodeStates() {
		codes, err := r.CodesIn(c.ID, s, "", store.MaxPage)
		errs = append(errs, err, e.Encode(codes))
		for _, k := range codes {
			changes, err := r.ChangesOf(c.ID, k.Position, 0, store.MaxPage)
			errs = append(errs, err, e.Encode(changes))
		}
	}
	list, err := r.Verbali(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(list))
	audit, err := r.Audit(c.ID, "", 0, store.MaxPage)
	errs = append(errs, err, e.Encode(audit))
	for _, open := range []bool{true, false} {
		troubles, err := r.Discrepancies(c.ID, open, "", store.MaxPage)
		errs = append(errs, err, e.Encode(troubles))
	}
	refunds, err := r.Refunds(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(refunds))
	lists, err := r.Exports(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(lists))
	hints, err := r.OwnerHints(c.ID, multe.OwnerHint{}, store.MaxPage)
	errs = append(errs, err, e.Encode(hints))
	hooks, err := r.Webhooks(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(hooks))
	bulletins, err := r.Bulletins(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(bulletins))
	jobs, err := r.PrintJobs(c.ID, "", store.MaxPage)
	errs = append(errs, err, e.Encode(jobs))
	for _, v := range list {
		prints, err := r.PrintsOf(c.ID, v.Slip.ID, "", store.MaxPage)
		errs = append(errs, err, e.Encode(prints))
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Request is one call of an API.
type Request struct {
	Method, Path, Token, Body string
	Type                      string // Content-Type; "" is JSON, if there is a body
	Header                    map[string]string
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Problem is the body of an error.
type Problem struct {
	Type, Title, Code, Detail, Trace string
	Status                           int
	Errors                           []struct{ Pointer, Parameter, Detail string }
}

// Problem reads the body as an RFC 9457 problem.
func (a Answer) Problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("not a problem: %d %s %q", a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(a.Status) || p.Status != a.Status || p.Code == "" || p.Detail == "" || len(p.Trace) != 16 {
		t.Fatalf("an incomplete problem: %+v", p)
	}
	return p
}

// Decode reads the body into v.
func (a Answer) Decode(t testing.TB, status int, v any) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("= %d %s, want %d", a.Status, a.Body, status)
	}
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatal(err)
	}
}

// Client calls a handler and holds every answer against its document.
type Client struct {
	h    http.Handler
	doc  *openapi3.T
	keys int
}

// NewClient returns a Client of h, which document describes.
func NewClient(t testing.TB, h http.Handler, document string) *Client {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &Client{h: h, doc: doc}
}

// Document is what the client holds answers against.
func (c *Client) Document() *openapi3.T { return c.doc }

// Do makes a request.
func (c *Client) Do(t testing.TB, r Request) Answer {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), r.Method, "/", strings.NewReader(r.Body))
	path, query, _ := strings.Cut(r.Path, "?")
	req.URL.Path, req.URL.RawQuery, req.RequestURI = path, query, r.Path
	switch {
	case r.Type != "":
		req.Header.Set("Content-Type", r.Type)
	case r.Body != "":
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if op := c.operation(r.Method, path); op != nil && op.Extensions["x-idempotency"] == "key" {
		c.keys++
		req.Header.Set("Idempotency-Key", fmt.Sprintf("%q", fmt.Sprintf("webtest-%d", c.keys))) // another for each request, unless the test has one
	}
	for name, value := range r.Header {
		if value == "" {
			req.Header.Del(name)
			continue
		}
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	c.h.ServeHTTP(rec, req)
	a := Answer{rec.Code, rec.Header(), rec.Body.String()}
	if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: security headers are missing: %v", r.Method, r.Path, a.Header)
	}
	if err := c.conforms(r.Method, path, a); err != nil {
		t.Errorf("%s %s: %v: %s", r.Method, r.Path, err, a.Body)
	}
	return a
}

// conforms checks an answer against the document.
func (c *Client) conforms(method, path string, a Answer) error {
	op := c.operation(method, path)
	if op == nil {
		if a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed {
			return fmt.Errorf("%d outside the document", a.Status)
		}
		return nil
	}
	response := op.Responses.Status(a.Status)
	if response == nil {
		if a.Status < 400 {
			return fmt.Errorf("%d is not in the document", a.Status)
		}
		response = op.Responses.Default()
	}
	if len(response.Value.Content) == 0 && a.Body == "" {
		return nil
	}
	media, ok := response.Value.Content[a.Header.Get("Content-Type")]
	if !ok {
		return fmt.Errorf("%q is not in the document", a.Header.Get("Content-Type"))
	}
	if !strings.HasSuffix(a.Header.Get("Content-Type"), "json") || a.Header.Get("Content-Encoding") != "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		return err
	}
	return media.Schema.Value.VisitJSON(v, openapi3.VisitAsResponse(), openapi3.MultiErrors())
}

func (c *Client) operation(method, path string) *openapi3.Operation {
	got := strings.Split(path, "/")
	for pattern, item := range c.doc.Paths.Map() {
		want := strings.Split(pattern, "/")
		if len(got) != len(want) {
			continue
		}
		fits := true
		for i := range want {
			fits = fits && (want[i] == got[i] || strings.HasPrefix(want[i], "{"))
		}
		if op := item.GetOperation(method); fits && op != nil {
			return op
		}
	}
	return nil
}

// Transport is the network between a client and a handler, without a network.
type Transport struct{ http.Handler }

// RoundTrip makes the request as a server sees it.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	in := httptest.NewRequestWithContext(req.Context(), req.Method, req.URL.RequestURI(), req.Body)
	in.Host, in.Header = req.URL.Host, req.Header.Clone()
	rec := httptest.NewRecorder()
	t.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// Buffer is a log that may be written by many.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Random is the same sequence in every run, for many readers.
type Random struct {
	mu sync.Mutex
	c  *rand.ChaCha8
}

func (r *Random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.c.Read(p)
}
