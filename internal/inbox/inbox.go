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
	kindForeign    = "message.wrong_caller"
)

var details = map[string]string{
	kindUnreadable: "È arrivato da PiemontePAY un messaggio che il servizio non riesce a leggere. Il messaggio è conservato intero, ma quello che dice (un esito o un pagamento) non è stato registrato. Inviarlo all'assistenza; dopo la correzione va rielaborato.",
	kindForeign:    "È arrivato un messaggio su un ente per il quale chi lo ha inviato non è autorizzato: le credenziali usate sono di un altro ente. Il messaggio è conservato intero e non è stato registrato nulla. Se le credenziali configurate sono sbagliate, correggerle e rielaborare il messaggio; altrimenti avvisare PiemontePAY e cambiare la password.",
	kindFailed:     "Un messaggio di PiemontePAY è leggibile ma la sua registrazione non è riuscita. Il messaggio è conservato intero. Comunicare all'assistenza l'identificativo; dopo la correzione va rielaborato.",
}

// Read understands a raw message. An error says that nobody can. It must be pure.
type Read func(raw []byte) (multe.Event, error)

// Config is what an Inbox is made of.
//
// The hearers run inside the transaction that marks the message worked, and must
// not mind hearing a message twice.
type Config struct {
	Read            Read
	HearEsito       func(store.Tx, multe.Esito, time.Time) error
	HearNotice      func(store.Tx, multe.Notice, multe.MessageID, time.Time) error
	HearReceipts    func(store.Tx, multe.Bundle[multe.Receipt], multe.MessageID, time.Time) error
	HearRevocations func(store.Tx, multe.Bundle[multe.Revocation], multe.MessageID, time.Time) error
	HearExpiries    func(store.Tx, multe.Bundle[multe.Expiry], multe.MessageID, time.Time) error
	HearFlusso      func(store.Tx, multe.FlussoTold, multe.MessageID, time.Time) error

	// MaySpeak reports whether a caller may speak for a creditor; nil lets every
	// caller speak for all. It must be pure.
	MaySpeak func(caller string, c multe.CreditorID) bool

	Now    func() time.Time
	Random io.Reader
	Nudge  func() // called when there is a new message; must not block
}

// Inbox keeps and works messages.
type Inbox struct {
	store store.Store
	Config
}

// New returns an Inbox.
func New(s store.Store, cfg Config) *Inbox {
	if cfg.MaySpeak == nil {
		cfg.MaySpeak = func(string, multe.CreditorID) bool { return true }
	}
	return &Inbox{store: s, Config: cfg}
}

// Receive stores a message. When it returns nil the message survives anything
// that happens next, and the platform may be answered 000. kind is the body
// element without "Request".
//
// caller is who showed credentials. Whether they may speak for the creditor is
// asked when the message is worked: refusing it now would hold up the platform's
// queue, and lose it if the mistake is in our configuration.
func (in *Inbox) Receive(ctx context.Context, caller, kind string, raw []byte) error {
	at := multe.Instant(in.Now())
	id, err := multe.NewID(at, in.Random)
	if err != nil {
		return err
	}
	m := multe.Message{ID: multe.MessageID(id), State: multe.MessageNew, Kind: kind, Caller: caller, Raw: raw, Digest: multe.DigestOf(raw),
		Received: at, Version: 1, Changed: at}
	if err := in.store.Update(ctx, func(tx store.Tx) error { return tx.PutMessage(m) }); err != nil {
		return fmt.Errorf("storing message: %w", err)
	}
	in.Nudge()
	return nil
}

// Head is a message without its bytes.
type Head struct {
	ID       multe.MessageID
	State    multe.MessageState
	Kind     string
	Caller   string
	Problem  string // stable code of why it is dead
	Tries    int
	Bytes    int
	Received time.Time
	Changed  time.Time
}

func headOf(m multe.Message) Head {
	return Head{ID: m.ID, State: m.State, Kind: m.Kind, Caller: m.Caller, Problem: m.Problem, Tries: m.Tries, Bytes: len(m.Raw), Received: m.Received, Changed: m.Changed}
}

// List lists the messages in a state, oldest first, after the given one ("": from
// the start), at most limit.
func (in *Inbox) List(ctx context.Context, s multe.MessageState, after multe.MessageID, limit int) ([]Head, error) {
	var list []Head
	err := in.store.View(ctx, func(r store.Reader) error {
		list = nil
		for at := after; len(list) < limit; {
			page, err := r.MessagesIn(s, at, min(pageSize, limit-len(list)))
			if err != nil || len(page) == 0 {
				return err
			}
			for _, m := range page {
				list = append(list, headOf(m))
			}
			at = page[len(page)-1].ID
		}
		return nil
	})
	return list, err
}

// Raw returns the bytes of a message as they were kept.
func (in *Inbox) Raw(ctx context.Context, id multe.MessageID) ([]byte, error) {
	var raw []byte
	err := in.store.View(ctx, func(r store.Reader) error {
		m, err := message(r, id)
		raw = m.Raw
		return err
	})
	return raw, err
}

// Replay has a dead or done message worked again, soon. What it says is recorded
// once, whatever was recorded before.
func (in *Inbox) Replay(ctx context.Context, id multe.MessageID) (Head, error) {
	var head Head
	at := in.Now()
	err := in.store.Update(ctx, func(tx store.Tx) error {
		m, err := message(tx, id)
		if err != nil {
			return err
		}
		next, err := m.Replay(at)
		if err != nil {
			return err
		}
		head = headOf(next)
		if err := tx.PutMessage(next); err != nil || m.State != multe.MessageDead {
			return err
		}
		// If it dies again, that is reported again.
		d, err := tx.Discrepancy("", multe.NewDiscrepancy("", m.Problem, string(m.ID), "", at).ID)
		if errors.Is(err, fault.NotFound) || err == nil && !d.Open {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.PutDiscrepancy(d.Close(at))
	})
	if err != nil {
		return Head{}, err
	}
	in.Nudge()
	return head, nil
}

func message(r store.Reader, id multe.MessageID) (multe.Message, error) {
	m, err := r.Message(id)
	if errors.Is(err, fault.NotFound) {
		return m, fault.Wrap(fault.NotFound, "message.unknown", "Il messaggio non esiste.", err)
	}
	return m, err
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
	return m.Tries > 0 && in.Now().Before(m.Changed.Add(pause(m.Tries)))
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
	at := in.Now()
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
		if c := event.Creditor(); c != "" && !in.MaySpeak(m.Caller, c) {
			return bury(tx, m, kindForeign, at)
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
		return in.HearEsito(tx, *e.Esito, at)
	case e.Notice != nil:
		return in.HearNotice(tx, *e.Notice, id, at)
	case e.Receipts != nil:
		return in.HearReceipts(tx, *e.Receipts, id, at)
	case e.Revocations != nil:
		return in.HearRevocations(tx, *e.Revocations, id, at)
	case e.Expiries != nil:
		return in.HearExpiries(tx, *e.Expiries, id, at)
	case e.Flusso != nil:
		return in.HearFlusso(tx, *e.Flusso, id, at)
	}
	return nil // kept, but nothing to us
}

func (in *Inbox) understand(raw []byte) (e multe.Event, err error) {
	defer asError(&err)
	return in.Read(raw)
}

func asError(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}
