package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// maxTries is how often a message may fail for a reason that may pass. With
	// the pauses below that is about an hour.
	maxTries = 12

	// firstPause doubles with each failure up to longestPause.
	firstPause   = 5 * time.Second
	longestPause = 10 * time.Minute

	// roundSize bounds one round; a message may be 4 MiB, so pages are small.
	roundSize = 200
	pageSize  = 10
)

// The troubles a person is told about, and what they read.
const (
	kindUnreadable = "message.unreadable"
	kindFailed     = "message.failed"
)

var details = map[string]string{
	kindUnreadable: "È arrivato da PiemontePAY un messaggio che il servizio non riesce a leggere. Il messaggio è conservato intero, ma quello che dice (un esito o un pagamento) non è stato registrato. Inviarlo all'assistenza; dopo la correzione va rielaborato.",
	kindFailed:     "Un messaggio di PiemontePAY è leggibile ma la sua registrazione non è riuscita. Il messaggio è conservato intero. Comunicare all'assistenza l'identificativo; dopo la correzione va rielaborato.",
}

// Read understands a raw message. An error says that nobody can. It must be pure.
type Read func(raw []byte) (multe.Event, error)

// Inbox keeps and works messages.
type Inbox struct {
	store      store.Store
	read       Read
	hearEsito  func(store.Tx, multe.Esito, time.Time) error
	hearNotice func(store.Tx, multe.Notice, multe.MessageID, time.Time) error
	now        func() time.Time
	random     io.Reader
	nudge      func()
}

// New returns an Inbox. The two hearers run inside the transaction that marks the
// message worked, and must not mind hearing a message twice. nudge is called when
// a message was stored; it must not block.
func New(s store.Store, read Read, hearEsito func(store.Tx, multe.Esito, time.Time) error,
	hearNotice func(store.Tx, multe.Notice, multe.MessageID, time.Time) error,
	now func() time.Time, random io.Reader, nudge func()) *Inbox {
	return &Inbox{store: s, read: read, hearEsito: hearEsito, hearNotice: hearNotice, now: now, random: random, nudge: nudge}
}

// Receive stores a message. When it returns nil the message survives anything
// that happens next, and the platform may be answered 000. kind is the body
// element without "Request".
func (in *Inbox) Receive(ctx context.Context, kind string, raw []byte) error {
	at := multe.Instant(in.now())
	id, err := multe.NewID(at, in.random)
	if err != nil {
		return err
	}
	m := multe.Message{ID: multe.MessageID(id), State: multe.MessageNew, Kind: kind, Raw: raw, Digest: multe.DigestOf(raw),
		Received: at, Version: 1, Changed: at}
	if err := in.store.Update(ctx, func(tx store.Tx) error { return tx.PutMessage(m) }); err != nil {
		return fmt.Errorf("storing message: %w", err)
	}
	in.nudge()
	return nil
}

// Work does one round: every new message that is not pausing, up to a bound. more
// says that the bound was reached. An error is one of the store itself.
func (in *Inbox) Work(ctx context.Context) (more bool, err error) {
	var after multe.MessageID
	for worked := 0; worked < roundSize; {
		var page []multe.Message
		err := in.store.View(ctx, func(r store.Reader) (err error) {
			page, err = r.MessagesIn(multe.MessageNew, after, pageSize)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("listing messages: %w", err)
		}
		if len(page) == 0 {
			return false, nil
		}
		for _, m := range page {
			after = m.ID
			if in.pausing(m) {
				continue
			}
			worked++
			if err := in.work(ctx, m.ID); err != nil {
				return false, fmt.Errorf("working message %s: %w", m.ID, err)
			}
		}
	}
	return true, nil
}

// pausing reports whether m failed too recently to be tried again.
func (in *Inbox) pausing(m multe.Message) bool {
	return m.Tries > 0 && in.now().Before(m.Changed.Add(pause(m.Tries)))
}

// pause is how long a message waits after so many failures.
func pause(tries int) time.Duration {
	if tries > 7 { // 5 s doubled seven times is past ten minutes
		return longestPause
	}
	return min(firstPause<<(tries-1), longestPause)
}

// work works one message. If its hearer fails, what it did is undone and the
// failure is noted in a transaction of its own.
func (in *Inbox) work(ctx context.Context, id multe.MessageID) error {
	at := in.now()
	var failure error // of the message, not of the store
	err := in.store.Update(ctx, func(tx store.Tx) error {
		failure = nil
		m, err := tx.Message(id)
		if err != nil || m.State != multe.MessageNew {
			return err // somebody else worked it
		}
		event, err := in.understand(m.Raw)
		if err != nil {
			return bury(tx, m, kindUnreadable, at)
		}
		if err := in.hear(tx, event, m.ID, at); err != nil {
			failure = err
			return err
		}
		done, err := m.Done(at)
		if err != nil {
			return err
		}
		return tx.PutMessage(done)
	})
	if failure == nil {
		return err
	}
	return in.note(ctx, id, failure, at)
}

// note counts a failure that may pass, and gives the message up after one that
// cannot or after too many.
func (in *Inbox) note(ctx context.Context, id multe.MessageID, failure error, at time.Time) error {
	passing := errors.Is(failure, fault.Conflict) || errors.Is(failure, fault.Unavailable)
	return in.store.Update(ctx, func(tx store.Tx) error {
		m, err := tx.Message(id)
		if err != nil || m.State != multe.MessageNew {
			return err
		}
		next, err := m.Retry(at)
		if err != nil {
			return err
		}
		if !passing || next.Tries >= maxTries {
			return bury(tx, m, kindFailed, at)
		}
		return tx.PutMessage(next)
	})
}

func bury(tx store.Tx, m multe.Message, kind string, at time.Time) error {
	dead, err := m.Bury(kind, at)
	if err != nil {
		return err
	}
	if err := tx.PutMessage(dead); err != nil {
		return err
	}
	return store.Report(tx, "", kind, string(m.ID), details[kind], at)
}

// hear hands an event to whoever it is for. A panic is our bug: it is an error
// of this message, so that the messages behind it are still worked.
func (in *Inbox) hear(tx store.Tx, e multe.Event, id multe.MessageID, at time.Time) (err error) {
	defer asError(&err)
	switch {
	case e.Esito != nil:
		return in.hearEsito(tx, *e.Esito, at)
	case e.Notice != nil:
		return in.hearNotice(tx, *e.Notice, id, at)
	}
	return nil // kept, but nothing to us
}

func (in *Inbox) understand(raw []byte) (e multe.Event, err error) {
	defer asError(&err)
	return in.read(raw)
}

func asError(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}
