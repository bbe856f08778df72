package verbali

import (
	"context"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Why changes that had not left are given up. A change dropped by a cancellation
// comes back when that is undone.
const (
	codeCancelled = "cancelled"
	codeUndone    = "undone"
)

// Cancel annuls a verbale, or asks for it where the creditor wants two people to
// say so: then it waits for [Verbali.ApproveCancel]. The platform, where this cannot be undone,
// is told after the creditor's undo window; until then [Verbali.UndoCancel] takes
// it back. The reason goes to the platform as Motivazione, so it must name nobody.
// Repeating a cancellation gets the same answer. Money that had come must go back,
// and a list of acts that left with the verbale be recalled: both are told to a
// person.
func (v *Verbali) Cancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, want multe.Cancellation) (multe.Verbale, multe.Code, error) {
	return v.change(ctx, actor, c, id, "cancelling verbale", func(h history, old multe.Verbale) (multe.Verbale, error) {
		if old.IsCancelled(want) {
			return old, nil
		}
		cr, err := h.tx.Creditor(c)
		if err != nil {
			return old, err
		}
		if !cr.ApproveCancellations {
			next, err := old.Cancel(want, actor, h.at)
			if err != nil {
				return old, err
			}
			return next, h.cancelled(old, next, cr)
		}
		next, err := old.AskCancel(want, actor, h.at)
		if err != nil {
			return old, err
		}
		if err := h.tx.PutVerbale(next); err != nil {
			return old, err
		}
		if err := h.add("verbale.cancel_requested", string(id), string(old.State), string(next.State)); err != nil {
			return old, err
		}
		return next, store.Report(h.tx, c, kindApproval, string(id), details[kindApproval], h.at)
	})
}

// ApproveCancel annuls a verbale on the word of a second person: who asked for it
// is refused ([fault.Forbidden]). Approving again gets the same answer.
func (v *Verbali) ApproveCancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error) {
	return v.change(ctx, actor, c, id, "approving a cancellation", func(h history, old multe.Verbale) (multe.Verbale, error) {
		if old.State == multe.VerbaleCancelled && old.Cancellation != nil && old.Cancellation.Approved == actor {
			return old, nil
		}
		next, err := old.ApproveCancel(actor, h.at)
		if err != nil {
			return old, err
		}
		cr, err := h.tx.Creditor(c)
		if err != nil {
			return old, err
		}
		return next, h.cancelled(old, next, cr)
	})
}

// cancelled writes an annulled verbale, and leaves the annulment of its positions
// for the platform.
func (h history) cancelled(old, next multe.Verbale, cr multe.Creditor) error {
	if err := h.tx.PutVerbale(next); err != nil {
		return err
	}
	if err := store.Annulled(h.tx, next, h.at); err != nil {
		return err
	}
	if err := h.close(kindApproval, string(old.Slip.ID)); err != nil { // a ricorso may be upheld while somebody asks
		return err
	}
	if err := h.add("verbale.cancelled", string(old.Slip.ID), string(old.State), string(next.State)); err != nil {
		return err
	}
	for _, p := range old.Positions() {
		code, err := h.tx.Code(h.creditor, p)
		if err != nil {
			return err
		}
		if code.State == multe.CodePaid || code.State == multe.CodeVoid {
			continue
		}
		if err := store.Drop(h.tx, h.actor, h.creditor, p, codeCancelled, false, h.at); err != nil {
			return err
		}
		if err := store.Annul(h.tx, h.actor, h.creditor, p, old.Slip.ID, next.Reason, h.at.Add(cr.Undo()), h.at); err != nil {
			return err
		}
	}
	return nil
}

// UndoCancel takes a cancellation back, or the request for one. Once the platform may have heard of it, or
// money came, that is a [fault.Conflict].
func (v *Verbali) UndoCancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error) {
	return v.change(ctx, actor, c, id, "undoing a cancellation", func(h history, old multe.Verbale) (multe.Verbale, error) {
		next, err := old.UndoCancel(h.at)
		if err != nil {
			return old, err
		}
		if old.CancelRequested() {
			if err := h.tx.PutVerbale(next); err != nil {
				return old, err
			}
			if err := h.add("verbale.cancel_withdrawn", string(id), string(old.State), string(next.State)); err != nil {
				return old, err
			}
			return next, h.close(kindApproval, string(id))
		}
		for _, p := range old.Positions() {
			if err := h.restore(p, old.Changed); err != nil {
				return old, err
			}
		}
		if err := h.tx.PutVerbale(next); err != nil {
			return old, err
		}
		if err := store.Restored(h.tx, next, h.at); err != nil {
			return old, err
		}
		if err := h.add("verbale.restored", string(id), string(old.State), string(next.State)); err != nil {
			return old, err
		}
		cr, err := h.tx.Creditor(c)
		if err != nil {
			return old, err
		}
		return next, h.retell(next, cr) // a step may have ended meanwhile
	})
}

// restore gives up the annulment that a cancellation left for a position, and
// tells again what it dropped.
func (h history) restore(p multe.PositionID, cancelled time.Time) error {
	h.position = p
	changes, err := h.changes()
	if err != nil {
		return err
	}
	last := changes[len(changes)-1]
	if last.Kind != multe.ChangeVoid || !last.Created.Equal(cancelled) {
		return nil // paid or void before, or on its way to be
	}
	if last.State != multe.ChangeWaiting || last.Tries > 0 {
		return fault.New(fault.Conflict, "verbale.undo_too_late", "L'annullamento non può più essere ripensato: è già stato comunicato a PiemontePAY, oppure è arrivato un pagamento.")
	}
	if err := store.Drop(h.tx, h.actor, h.creditor, p, codeUndone, false, h.at); err != nil {
		return err
	}
	for _, ch := range changes {
		if ch.Code != codeCancelled || !ch.Changed.Equal(cancelled) {
			continue
		}
		again := multe.NewChange(h.creditor, p, 0, ch.Kind, ch.Want, h.at)
		again.Verbale, again.Route = ch.Verbale, ch.Route
		if ch.NotBefore.After(h.at) {
			again.NotBefore = ch.NotBefore
		}
		if err := store.Tell(h.tx, h.actor, again, h.at); err != nil {
			return err
		}
	}
	return nil
}

// change runs one act of the office on a verbale.
func (v *Verbali) change(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, what string,
	do func(history, multe.Verbale) (multe.Verbale, error)) (multe.Verbale, multe.Code, error) {
	at := multe.Instant(v.now())
	var (
		next multe.Verbale
		code multe.Code
	)
	err := v.store.Update(ctx, func(tx store.Tx) error {
		old, err := findVerbale(tx, c, id)
		if err != nil {
			return err
		}
		h := history{tx: tx, creditor: c, position: old.Slip.Position, actor: actor, at: at}
		if next, err = do(h, old); err != nil {
			return err
		}
		code, err = tx.Code(c, old.Slip.Position)
		return err
	})
	if err != nil {
		return multe.Verbale{}, multe.Code{}, fmt.Errorf("%s: %w", what, err)
	}
	v.nudge()
	return next, code, nil
}
