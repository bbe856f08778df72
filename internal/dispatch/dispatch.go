package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The actors of the history.
const (
	submitter = "loop:submit"
	platform  = "piemontepay"
)

// Options are what an installation may tune; the zero value is good.
type Options struct {
	// ResendAfter is how long an unanswered batch waits for its esito before the
	// same bytes go out again; it doubles with each attempt up to resendCap.
	// Default two minutes: the platform's own time-outs are 30 s.
	ResendAfter time.Duration
	// OverdueAfter is how long a queued batch may be without esito before a
	// person is told. Default two hours.
	OverdueAfter time.Duration
	// ReconcileAfter is how long a queued batch may be without esito before it is
	// given up and what it carried is told again under a new id. Default a day.
	ReconcileAfter time.Duration
	// SilentAfter is how long no esito at all may come, while batches wait for
	// one, before a person is told that the platform seems to have stopped
	// delivering. Default six hours.
	SilentAfter time.Duration
	// Positions is the REST interface; nil if there is none.
	Positions Positions
	// Log tells why a batch got no answer. Default: nobody.
	Log *slog.Logger
}

const (
	defaultResendAfter  = 2 * time.Minute
	defaultOverdueAfter = 2 * time.Hour

	defaultReconcileAfter = 24 * time.Hour
	defaultSilentAfter    = 6 * time.Hour
)

// Dispatch tells the platform what changed.
type Dispatch struct {
	store   store.Store
	gateway Gateway
	now     func() time.Time
	random  io.Reader
	options Options

	mu     sync.Mutex
	looked map[multe.CreditorID]time.Time // when troubles were last looked for
	heard  map[multe.CreditorID]time.Time // when an esito last came, as far as this process knows
	began  time.Time
}

// New returns a Dispatch.
func New(s store.Store, g Gateway, now func() time.Time, random io.Reader, o Options) *Dispatch {
	if o.ResendAfter <= 0 {
		o.ResendAfter = defaultResendAfter
	}
	if o.OverdueAfter <= 0 {
		o.OverdueAfter = defaultOverdueAfter
	}
	if o.ReconcileAfter <= 0 {
		o.ReconcileAfter = defaultReconcileAfter
	}
	if o.SilentAfter <= 0 {
		o.SilentAfter = defaultSilentAfter
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Dispatch{store: s, gateway: g, now: now, random: random, options: o,
		looked: map[multe.CreditorID]time.Time{}, heard: map[multe.CreditorID]time.Time{}, began: now()}
}

// Submit does one bounded round for every creditor: it seals at most one batch
// for each of the two SOAP operations and a few REST calls, sends what is due, and
// looks after what has not come for too long. An error is one of ours or of the store; a
// platform that does not answer is no error, its batches just wait. One
// creditor's trouble does not stop the others.
func (d *Dispatch) Submit(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, d.store)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, c := range creditors {
		m, err := d.submitFor(ctx, c)
		more = more || m
		if err != nil {
			errs = append(errs, fmt.Errorf("submitting for %s: %w", c.ID, err))
		}
	}
	return more, errors.Join(errs...)
}

func (d *Dispatch) submitFor(ctx context.Context, c multe.Creditor) (more bool, err error) {
	if c.Portal {
		return false, nil // what waits is carried by hand: see package pool
	}
	more, err = d.seal(ctx, c.ID)
	if err != nil {
		return false, fmt.Errorf("sealing: %w", err)
	}
	left, err := d.send(ctx, c)
	if err != nil {
		return false, fmt.Errorf("sending: %w", err)
	}
	if err := d.lookAfter(ctx, c.ID); err != nil {
		return false, fmt.Errorf("looking after what has not come: %w", err)
	}
	return more || left, nil
}

// book is one creditor's records being written in one transaction by one actor.
type book struct {
	tx       store.Tx
	creditor multe.CreditorID
	actor    string
	at       time.Time
}

// change puts the next state of a change and its line of history.
func (b book) change(from, next multe.Change) error {
	if err := b.tx.PutChange(next); err != nil {
		return err
	}
	action := "change." + string(next.State)
	if next.State == multe.ChangeWaiting {
		action = "change.postponed"
	}
	return b.audit(action, next.Position, string(next.ID()), string(from.State), string(next.State), next.Code)
}

// batch puts the next state of a batch and its line of history.
func (b book) batch(action string, from multe.BatchState, next multe.Batch) error {
	if err := b.tx.PutBatch(next); err != nil {
		return err
	}
	return b.audit(action, "", string(next.ID), string(from), string(next.State), next.Code)
}

// code puts the next state of a code and its line of history.
func (b book) code(action string, from, next multe.Code, ch multe.Change, code string) error {
	if err := b.tx.PutCode(next); err != nil {
		return err
	}
	return b.audit(action, next.Position, string(ch.ID()), string(from.State), string(next.State), code)
}

func (b book) audit(action string, p multe.PositionID, subject, from, to, code string) error {
	return b.tx.AppendAudit(multe.AuditEntry{Creditor: b.creditor, At: multe.Instant(b.at), Actor: b.actor, Action: action,
		Position: p, Subject: subject, From: from, To: to, Code: code})
}

// report tells a person about a new trouble.
func (b book) report(kind, subject string) error {
	return store.Report(b.tx, b.creditor, kind, subject, details[kind], b.at)
}

// once tells a person about a trouble that lasts, unless they were told before.
func (b book) once(kind, subject string) error {
	_, err := b.tx.Discrepancy(b.creditor, kind+":"+subject)
	if errors.Is(err, fault.NotFound) {
		return b.report(kind, subject)
	}
	return err
}

// alert tells a person about a trouble that comes and goes, unless it is open.
func (b book) alert(kind, subject string) error {
	t, err := b.tx.Discrepancy(b.creditor, kind+":"+subject)
	switch {
	case err == nil && t.Open:
		return nil
	case err != nil && !errors.Is(err, fault.NotFound):
		return err
	}
	return b.report(kind, subject)
}

// close closes a trouble that ended by itself, if it is open.
func (b book) close(kind, subject string) error {
	t, err := b.tx.Discrepancy(b.creditor, kind+":"+subject)
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && !t.Open:
		return nil
	case err != nil:
		return err
	}
	return b.tx.PutDiscrepancy(t.Close(b.at))
}

// changesOf reads the changes of a batch in its order.
func (b book) changesOf(batch multe.Batch) ([]multe.Change, error) {
	changes := make([]multe.Change, len(batch.Changes))
	for i, id := range batch.Changes {
		ch, err := b.tx.Change(b.creditor, id)
		if err != nil {
			return nil, err
		}
		changes[i] = ch
	}
	return changes, nil
}

// inFlight reports whether ch is in batch b and nothing was decided about it.
func inFlight(ch multe.Change, b multe.Batch) bool {
	return ch.Batch == b.ID && (ch.State == multe.ChangeSealed || ch.State == multe.ChangeQueued)
}

// postpone puts what is still in flight in a batch back to wait, each change by
// its own count of tries.
func (b book) postpone(batch multe.Batch, code string, pause backoff) error {
	changes, err := b.changesOf(batch)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if !inFlight(ch, batch) {
			continue
		}
		next, err := ch.Retry(code, b.at.Add(pause.after(ch.Tries)), b.at)
		if err != nil {
			return err
		}
		if err := b.change(ch, next); err != nil {
			return err
		}
	}
	return nil
}

// backoff is a pause that doubles with each try up to a bound.
type backoff struct{ first, longest time.Duration }

// The pauses, by what the platform said.
var (
	laterBatch    = backoff{time.Minute, time.Hour}          // busy or broken: usually over in minutes
	laterPosition = backoff{5 * time.Minute, time.Hour}      // somebody is paying: a session lasts minutes
	fix           = backoff{10 * time.Minute, 6 * time.Hour} // a person must act first: hours
)

// resendCap bounds the pause between two sendings of the same bytes.
const resendCap = time.Hour

// after returns the pause after so many tries.
func (b backoff) after(tries int) time.Duration {
	d := b.first
	for range max(tries-1, 0) {
		if d >= b.longest {
			break
		}
		d *= 2
	}
	return min(d, b.longest)
}
