package receipts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// actor is who tells us.
const actor = "piemontepay"

// The troubles a person is told about. The strings are stored and never change
// meaning.
const (
	kindRevocation = "revocation.requested"
	kindUnlinked   = "receipt.unknown_iuv"
	kindUnread     = "message.partly_unread"
)

var details = map[string]string{
	kindRevocation: "Il prestatore di servizi di pagamento ha chiesto la revoca (lo storno) di un pagamento. Nel servizio non è cambiato nulla: il pagamento e il verbale restano come sono. Verificare con PiemontePAY se l'importo è stato restituito; se sì, il verbale va riaperto a mano.",
	kindUnlinked:   "È arrivata da PiemontePAY una ricevuta telematica di uno IUV che non risulta tra i codici di questo ente, oppure che non dice il suo IUV. La ricevuta è conservata. Verificare sul portale PiemontePAY a quale posizione si riferisce.",
	kindUnread:     "In un messaggio di PiemontePAY una o più ricevute, richieste di revoca o segnalazioni di avvisi scaduti non sono leggibili e non sono state registrate; le altre sì. Il messaggio è conservato: comunicarlo all'assistenza.",
}

// Receipts hears and lists receipts.
type Receipts struct{ store store.Store }

// New returns a Receipts.
func New(s store.Store) *Receipts { return &Receipts{store: s} }

// OfVerbale lists the receipts of a verbale's codes, code by code and then by
// digest. There is at most one for each attempt to pay.
func (rs *Receipts) OfVerbale(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]multe.Receipt, error) {
	var list []multe.Receipt
	err := rs.store.View(ctx, func(r store.Reader) error {
		list = nil
		v, err := r.Verbale(c, id)
		if errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.", err)
		}
		if err != nil {
			return err
		}
		for _, p := range v.Positions() {
			code, err := r.Code(c, p)
			if err != nil {
				return err
			}
			if code.Number.IsZero() {
				continue // asked for, not yet given: nobody can have paid it
			}
			some, err := r.ReceiptsOf(c, code.Number.IUV(), store.MaxPage)
			if err != nil {
				return err
			}
			list = append(list, some...)
		}
		return nil
	})
	return list, err
}

// Get returns one receipt of a verbale's codes.
func (rs *Receipts) Get(ctx context.Context, c multe.CreditorID, id multe.VerbaleID, xml multe.Digest) (multe.Receipt, error) {
	list, err := rs.OfVerbale(ctx, c, id)
	if err != nil {
		return multe.Receipt{}, err
	}
	for _, r := range list {
		if r.Digest == xml {
			return r, nil
		}
	}
	return multe.Receipt{}, fault.New(fault.NotFound, "receipt.unknown", "La ricevuta non risulta tra quelle del verbale.")
}

// HearReceipts records receipts, inside the caller's transaction. m is the message
// that brought them. Hearing them again changes nothing.
func (rs *Receipts) HearReceipts(tx store.Tx, b multe.Bundle[multe.Receipt], m multe.MessageID, at time.Time) error {
	return hear(tx, b, m, at, func(h hearing, r multe.Receipt) error {
		r.Creditor, r.Message, r.Received, r.Version = b.Creditor, m, h.received, 1
		if fresh, err := isNew(tx.Receipt(r.Creditor, r.IUV, r.Digest)); !fresh {
			return err
		}
		if err := tx.PutReceipt(r); err != nil {
			return err
		}
		linked, err := h.audit("receipt.recorded", r.IUV, r.Digest.String()[:16])
		if err != nil || linked {
			return err
		}
		about := r.IUV
		if about == "" {
			about = r.Digest.String()[:32]
		}
		return h.once(kindUnlinked, about)
	})
}

// HearRevocations does the same for requests to take a payment back.
func (rs *Receipts) HearRevocations(tx store.Tx, b multe.Bundle[multe.Revocation], m multe.MessageID, at time.Time) error {
	return hear(tx, b, m, at, func(h hearing, r multe.Revocation) error {
		r.Creditor, r.Message, r.Received, r.Version = b.Creditor, m, h.received, 1
		if fresh, err := isNew(tx.Revocation(r.Creditor, r.IUV, r.ID)); !fresh {
			return err
		}
		if err := tx.PutRevocation(r); err != nil {
			return err
		}
		if _, err := h.audit("revocation.recorded", r.IUV, r.ID); err != nil {
			return err
		}
		return h.report(kindRevocation, r.IUV)
	})
}

// HearExpiries does the same for expired avvisi.
func (rs *Receipts) HearExpiries(tx store.Tx, b multe.Bundle[multe.Expiry], m multe.MessageID, at time.Time) error {
	return hear(tx, b, m, at, func(h hearing, e multe.Expiry) error {
		e.Creditor, e.Message, e.Received, e.Version = b.Creditor, m, h.received, 1
		if fresh, err := isNew(tx.Expiry(e.Creditor, e.IUV, e.DueOn)); !fresh {
			return err
		}
		if err := tx.PutExpiry(e); err != nil {
			return err
		}
		_, err := h.audit("expiry.recorded", e.IUV, e.DueOn.String())
		return err
	})
}

// isNew turns what a read of a record returned into whether there is none yet.
func isNew[T any](_ T, err error) (bool, error) {
	if errors.Is(err, fault.NotFound) {
		return true, nil
	}
	return false, err
}

// hearing is one message being worked.
type hearing struct {
	tx       store.Tx
	creditor multe.CreditorID
	reports  multe.CreditorID // who is told of troubles
	at       time.Time
	received time.Time
}

func hear[T any](tx store.Tx, b multe.Bundle[T], m multe.MessageID, at time.Time, one func(hearing, T) error) error {
	at = multe.Instant(at)
	h := hearing{tx: tx, creditor: b.Creditor, reports: b.Creditor, at: at, received: at}
	switch msg, err := tx.Message(m); {
	case err == nil:
		h.received = msg.Received // a message worked again a week later was still received then
	case !errors.Is(err, fault.NotFound):
		return err
	}
	switch _, err := tx.Creditor(b.Creditor); {
	case errors.Is(err, fault.NotFound):
		h.reports = "" // nobody looks at the troubles of a creditor we do not have
	case err != nil:
		return err
	}
	if b.Unread > 0 {
		if err := h.once(kindUnread, string(m)); err != nil {
			return err
		}
	}
	for _, item := range b.Items {
		if err := one(h, item); err != nil {
			return fmt.Errorf("recording what was told of an IUV: %w", err)
		}
	}
	return nil
}

// audit writes a line in the history of the code with an IUV, and says whether
// there is one. A line about no code is in the history of the creditor.
func (h hearing) audit(action, iuv, what string) (linked bool, err error) {
	e := multe.AuditEntry{Creditor: h.creditor, At: h.at, Actor: actor, Action: action, Subject: iuv + "/" + what}
	if iuv != "" {
		code, err := h.tx.CodeByIUV(h.creditor, iuv)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return false, err
		}
		e.Position, linked = code.Position, err == nil
	}
	return linked, h.tx.AppendAudit(e)
}

// report tells a person.
func (h hearing) report(kind, about string) error {
	return store.Report(h.tx, h.reports, kind, multe.Subject(about), details[kind], h.at)
}

// once tells a person what is true of a message whenever it is heard.
func (h hearing) once(kind, about string) error {
	_, err := h.tx.Discrepancy(h.reports, multe.NewDiscrepancy("", kind, multe.Subject(about), "", h.at).ID)
	if errors.Is(err, fault.NotFound) {
		return h.report(kind, about)
	}
	return err
}
