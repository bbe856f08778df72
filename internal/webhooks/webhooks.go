package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// maxEvents bounds a delivery: some 30 kB.
	maxEvents = 100
	// maxLines is how far one round reads on for lines that the webhook wants.
	maxLines = store.MaxPage
	// maxParallel bounds the deliveries under way: a slow receiver keeps others
	// waiting for one round at most.
	maxParallel = 8
	maxURL      = 500 // characters
)

// Delivery is one request to a receiver.
type Delivery struct {
	URL     string
	Headers map[string]string
	Body    []byte
}

// Sender makes the request, and returns the HTTP status of the answer. An error
// means that there was none, or that the address may not be called.
type Sender interface {
	Send(ctx context.Context, d Delivery) (status int, err error)
}

// Webhooks keeps webhooks and tells them.
type Webhooks struct {
	store  store.Store
	sender Sender
	now    func() time.Time
	random io.Reader
	nudge  func()
}

// New returns a Webhooks. random must be a cryptographic source. nudge is called
// when there may be something to tell; it must not block.
func New(s store.Store, sender Sender, now func() time.Time, random io.Reader, nudge func()) *Webhooks {
	return &Webhooks{store: s, sender: sender, now: now, random: random, nudge: nudge}
}

// Event is a line of the history as a receiver gets it.
type Event struct {
	ID       string    `json:"id"` // the same however often it is told
	Seq      uint64    `json:"seq"`
	Type     string    `json:"type"` // such as "verbale.settled"
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	Position string    `json:"position,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Code     string    `json:"code,omitempty"` // of PiemontePAY
}

// body is what is posted.
type body struct {
	Creditor string  `json:"creditor"`
	Events   []Event `json:"events"`
}

func event(e multe.AuditEntry) Event {
	return Event{ID: fmt.Sprintf("%s-%d", e.Creditor, e.Seq), Seq: e.Seq, Type: e.Action, At: e.At, Actor: e.Actor, Position: string(e.Position),
		Subject: e.Subject, From: e.From, To: e.To, Code: e.Code}
}

// Put adds the webhook id, which is told everything from now on, or gives the one
// that is there another address and other families. The secret of a new one is
// returned here and never again; it is "" for one that was there.
func (h *Webhooks) Put(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID, address string, families []string) (multe.Webhook, multe.WebhookSecret, error) {
	if !multe.ValidID(string(id)) {
		return multe.Webhook{}, "", fault.New(fault.Invalid, "webhook.bad_id", "L'identificativo deve essere un UUID di 32 cifre esadecimali minuscole.")
	}
	address, err := parseURL(address)
	if err != nil {
		return multe.Webhook{}, "", err
	}
	if families, err = multe.ParseFamilies(families); err != nil {
		return multe.Webhook{}, "", err
	}
	fresh, err := h.secret()
	if err != nil {
		return multe.Webhook{}, "", err
	}
	var (
		next   multe.Webhook
		secret multe.WebhookSecret
		at     = multe.Instant(h.now())
	)
	err = h.store.Update(ctx, func(tx store.Tx) error {
		secret = ""
		w, err := tx.Webhook(c, id)
		switch {
		case err == nil && w.URL == address && slices.Equal(w.Families, families):
			next = w // a repetition
			return nil
		case err == nil:
			next = w
			next.URL, next.Families, next.Version, next.Changed = address, families, w.Version+1, at
			return put(tx, actor, "webhook.changed", w.State, next)
		case !errors.Is(err, fault.NotFound):
			return err
		}
		there, err := tx.Webhooks(c, "", multe.MaxWebhooks)
		if err != nil {
			return err
		}
		if len(there) == multe.MaxWebhooks {
			return fault.New(fault.Conflict, "webhook.too_many", fmt.Sprintf("L'ente ha già %d webhook: modificarne uno.", multe.MaxWebhooks))
		}
		last, err := tx.LastAudit(c)
		if err != nil {
			return err
		}
		secret = fresh
		next = multe.Webhook{Creditor: c, ID: id, URL: address, Families: families, Secret: secret, State: multe.WebhookActive, Cursor: last, Version: 1, Changed: at}
		return put(tx, actor, "webhook.added", "", next)
	})
	if err != nil {
		return multe.Webhook{}, "", fmt.Errorf("putting webhook: %w", err)
	}
	return next, secret, nil
}

// List lists a creditor's webhooks: at most [multe.MaxWebhooks].
func (h *Webhooks) List(ctx context.Context, c multe.CreditorID) ([]multe.Webhook, error) {
	var ws []multe.Webhook
	err := h.store.View(ctx, func(r store.Reader) (err error) {
		ws, err = r.Webhooks(c, "", multe.MaxWebhooks)
		return err
	})
	return ws, err
}

// Pause stops telling a webhook; what happens meanwhile is told when it resumes.
func (h *Webhooks) Pause(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID) (multe.Webhook, error) {
	return h.change(ctx, actor, "webhook.paused", c, id, func(_ store.Reader, w multe.Webhook) (multe.Webhook, error) {
		if w.State == multe.WebhookPaused {
			return w, nil
		}
		return w.Pause(h.now()), nil
	})
}

// Resume tells a webhook again: what came after the line with Seq after, or, if
// after is nil, what it has not been told yet. A receiver that lost its data is
// told everything from 0 on.
func (h *Webhooks) Resume(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID, after *uint64) (multe.Webhook, error) {
	w, err := h.change(ctx, actor, "webhook.resumed", c, id, func(r store.Reader, w multe.Webhook) (multe.Webhook, error) {
		from := w.Cursor
		if after != nil {
			from = *after
		}
		last, err := r.LastAudit(c)
		if err != nil {
			return w, err
		}
		if from > last {
			return w, fault.New(fault.Invalid, "webhook.bad_seq", "Non c'è ancora alcun evento con quel numero.")
		}
		return w.Resume(from, h.now()), nil
	})
	if err == nil {
		h.nudge()
	}
	return w, err
}

// Rotate gives a webhook another secret, which is returned here and never again.
// For [multe.SecretOverlap] the one before signs too.
func (h *Webhooks) Rotate(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID) (multe.Webhook, multe.WebhookSecret, error) {
	secret, err := h.secret()
	if err != nil {
		return multe.Webhook{}, "", err
	}
	w, err := h.change(ctx, actor, "webhook.rotated", c, id, func(_ store.Reader, w multe.Webhook) (multe.Webhook, error) {
		return w.Replace(secret, h.now()), nil
	})
	return w, secret, err
}

// Events lists what a webhook would be told: at most limit lines after Seq after,
// and the Seq to go on from. A page may be empty though more follow.
func (h *Webhooks) Events(ctx context.Context, c multe.CreditorID, families []string, after uint64, limit int) (events []Event, next uint64, err error) {
	if families, err = multe.ParseFamilies(families); err != nil {
		return nil, 0, err
	}
	wanted := multe.Webhook{Creditor: c, Families: families}
	err = h.store.View(ctx, func(r store.Reader) (err error) {
		events, next, err = read(r, wanted, after, limit)
		return err
	})
	return events, next, err
}

// read lists the lines after a Seq that w wants, at most limit, and returns up to
// where it looked.
func read(r store.Reader, w multe.Webhook, after uint64, limit int) ([]Event, uint64, error) {
	lines, err := r.Audit(w.Creditor, "", after, maxLines)
	if err != nil {
		return nil, 0, err
	}
	events := []Event{}
	for _, e := range lines {
		if w.Wants(e) {
			if len(events) == limit {
				break
			}
			events = append(events, event(e))
		}
		after = e.Seq
	}
	return events, after, nil
}

// Deliver tells every webhook that is due what came last, one delivery each. more
// says that there may be more to tell.
func (h *Webhooks) Deliver(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, h.store)
	if err != nil {
		return false, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallel)
	progress := make(chan bool, len(creditors)*multe.MaxWebhooks)
	for _, c := range creditors {
		ws, err := h.List(ctx, c.ID)
		if err != nil {
			return false, errors.Join(err, group.Wait())
		}
		for _, w := range ws {
			if w.State != multe.WebhookActive || h.now().Before(w.NotBefore) {
				continue
			}
			group.Go(func() error {
				moved, err := h.deliver(ctx, w)
				progress <- moved
				return err
			})
		}
	}
	err = group.Wait()
	close(progress)
	for moved := range progress {
		more = more || moved
	}
	return more, err
}

// deliver makes one delivery, and reports whether w moved on.
func (h *Webhooks) deliver(ctx context.Context, w multe.Webhook) (moved bool, err error) {
	var (
		events []Event
		seq    uint64
	)
	err = h.store.View(ctx, func(r store.Reader) (err error) {
		events, seq, err = read(r, w, w.Cursor, maxEvents)
		return err
	})
	if err != nil || seq == w.Cursor {
		return false, err
	}
	status := 0
	if len(events) > 0 {
		d, err := pack(w, events, h.now())
		if err != nil {
			return false, err
		}
		var sent error
		status, sent = h.sender.Send(ctx, d)
		if ctx.Err() != nil {
			return false, ctx.Err() // it may have been told; it will be again
		}
		if sent != nil || status < 200 || status > 299 {
			return false, h.settle(ctx, w, func(tx store.Tx) error { return failed(tx, w.Failed(status, h.now()), h.now()) })
		}
	}
	return true, h.settle(ctx, w, func(tx store.Tx) error { return took(tx, w.Took(seq, status, h.now()), h.now()) })
}

// settle records what became of a delivery of w. If somebody changed w meanwhile,
// what they said holds: the lines are told again.
func (h *Webhooks) settle(ctx context.Context, w multe.Webhook, record func(store.Tx) error) error {
	return h.store.Update(ctx, func(tx store.Tx) error {
		is, err := tx.Webhook(w.Creditor, w.ID)
		if err != nil || is.Version != w.Version {
			return err
		}
		return record(tx)
	})
}

const kindPaused = "webhook.paused"

// failed records a failure, and tells the office when it was the last one.
func failed(tx store.Tx, w multe.Webhook, at time.Time) error {
	if err := tx.PutWebhook(w); err != nil {
		return err
	}
	if w.State != multe.WebhookPaused {
		return nil
	}
	if err := logged(tx, "loop:webhooks", "webhook.paused", string(multe.WebhookActive), w); err != nil {
		return err
	}
	return store.Report(tx, w.Creditor, kindPaused, string(w.ID),
		"Un programma dell'ente collegato con un webhook non risponde da giorni: gli avvisi automatici sono sospesi e quel programma non sa dei pagamenti recenti. Nulla è perduto. Chiamare chi lo gestisce; quando funziona, riattivare il webhook: riceverà tutto ciò che manca.", at)
}

// took records that lines were taken, and ends the trouble there was.
func took(tx store.Tx, w multe.Webhook, at time.Time) error {
	if err := tx.PutWebhook(w); err != nil {
		return err
	}
	d, err := tx.Discrepancy(w.Creditor, multe.NewDiscrepancy(w.Creditor, kindPaused, string(w.ID), "", at).ID)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err != nil || !d.Open:
		return err
	}
	return tx.PutDiscrepancy(d.Close(at))
}

// pack makes the request for some events: Standard Webhooks 1.0, whose id is the
// same for the same events.
func pack(w multe.Webhook, events []Event, at time.Time) (Delivery, error) {
	raw, err := json.Marshal(body{Creditor: string(w.Creditor), Events: events})
	if err != nil {
		return Delivery{}, fmt.Errorf("packing events: %w", err)
	}
	id := fmt.Sprintf("%s-%d-%d", w.ID, events[0].Seq, events[len(events)-1].Seq)
	stamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, secret := range w.Secrets(at) {
		key, err := secret.Key()
		if err != nil {
			return Delivery{}, fmt.Errorf("key of a webhook: %w", err)
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.", id, stamp)
		mac.Write(raw)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return Delivery{URL: w.URL, Body: raw, Headers: map[string]string{
		"Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": strings.Join(signatures, " ")}}, nil
}

func (h *Webhooks) change(ctx context.Context, actor, action string, c multe.CreditorID, id multe.WebhookID, fn func(store.Reader, multe.Webhook) (multe.Webhook, error)) (multe.Webhook, error) {
	var next multe.Webhook
	err := h.store.Update(ctx, func(tx store.Tx) error {
		w, err := tx.Webhook(c, id)
		if errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "webhook.unknown", "Il webhook non esiste.", err)
		}
		if err != nil {
			return err
		}
		if next, err = fn(tx, w); err != nil || next.Version == w.Version {
			return err // or it is as it should be
		}
		return put(tx, actor, action, w.State, next)
	})
	return next, err
}

// parseURL checks the address of a receiver: https, without user. Whether
// it may be called is decided when it is.
func parseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURL || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "", fault.New(fault.Invalid, "webhook.bad_url", "L'indirizzo deve essere https://…, senza nome utente, al massimo 500 caratteri.")
	}
	return s, nil
}

func (h *Webhooks) secret() (multe.WebhookSecret, error) {
	var key [32]byte
	if _, err := io.ReadFull(h.random, key[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return multe.NewWebhookSecret(key), nil
}

func put(tx store.Tx, actor, action string, from multe.WebhookState, w multe.Webhook) error {
	if err := tx.PutWebhook(w); err != nil {
		return err
	}
	return logged(tx, actor, action, string(from), w)
}

func logged(tx store.Tx, actor, action, from string, w multe.Webhook) error {
	return tx.AppendAudit(multe.AuditEntry{Creditor: w.Creditor, At: w.Changed, Actor: actor, Action: action, Subject: string(w.ID), From: from, To: string(w.State)})
}
