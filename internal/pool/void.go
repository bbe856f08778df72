package pool

import (
	"context"
	"fmt"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Void gives up a code that is on no slip: available, set aside, or orphaned. It
// is out of use at once; the platform, where this cannot be undone, is told after
// the creditor's undo window. reason goes to the platform. Repeating it changes
// nothing. A code on a slip is annulled with its verbale.
func (p *Pool) Void(ctx context.Context, actor string, c multe.CreditorID, pos multe.PositionID, reason string) (multe.Code, error) {
	if _, err := multe.ParseReason(reason); err != nil {
		return multe.Code{}, err
	}
	return p.onCode(ctx, actor, c, pos, "voiding a code", func(a act, code multe.Code) (multe.Code, error) {
		switch {
		case code.State == multe.CodeVoid && code.Reason == reason:
			return code, nil
		case code.Verbale != "":
			return code, fault.New(fault.Conflict, "code.on_verbale", "Il codice è su un preavviso: annullare il verbale in autotutela.")
		case code.State == multe.CodeRequested:
			return code, fault.New(fault.Conflict, "code.wrong_state", "Il codice è stato chiesto a PiemontePAY e deve ancora arrivare: si può annullare dopo.")
		}
		next, err := code.Void(reason, a.at)
		if err != nil {
			return code, err
		}
		cr, err := creditor(a.tx, c)
		if err != nil {
			return code, err
		}
		if err := a.tx.PutCode(next); err != nil {
			return code, err
		}
		if err := a.audit("code.void", pos, "", string(code.State), string(next.State)); err != nil {
			return code, err
		}
		return next, store.Annul(a.tx, a.actor, c, pos, "", reason, a.at.Add(cr.Undo()), a.at)
	})
}

// UndoVoid takes a Void back, while the platform has not heard of it.
func (p *Pool) UndoVoid(ctx context.Context, actor string, c multe.CreditorID, pos multe.PositionID) (multe.Code, error) {
	return p.onCode(ctx, actor, c, pos, "undoing a void", func(a act, code multe.Code) (multe.Code, error) {
		changes, err := a.tx.ChangesOf(c, pos, 0, store.MaxPage)
		if err != nil {
			return code, err
		}
		tooLate := fault.New(fault.Conflict, "code.undo_too_late", "L'annullamento del codice non può più essere ripensato: è già stato comunicato a PiemontePAY.")
		if len(changes) == 0 || code.Verbale != "" {
			return code, tooLate
		}
		if last := changes[len(changes)-1]; last.Kind != multe.ChangeVoid || last.State != multe.ChangeWaiting || last.Tries > 0 {
			return code, tooLate
		}
		next, err := code.Restore(a.at)
		if err != nil {
			return code, err
		}
		if err := a.tx.PutCode(next); err != nil {
			return code, err
		}
		if err := a.audit("code.restored", pos, "", string(code.State), string(next.State)); err != nil {
			return code, err
		}
		return next, store.Drop(a.tx, a.actor, c, pos, "undone", false, a.at)
	})
}

func (p *Pool) onCode(ctx context.Context, actor string, c multe.CreditorID, pos multe.PositionID, what string,
	do func(act, multe.Code) (multe.Code, error)) (multe.Code, error) {
	at := p.now()
	var next multe.Code
	err := p.store.Update(ctx, func(tx store.Tx) error {
		code, err := tx.Code(c, pos)
		if err != nil {
			return err
		}
		next, err = do(act{tx: tx, creditor: c, actor: actor, at: multe.Instant(at)}, code)
		return err
	})
	if err != nil {
		return multe.Code{}, fmt.Errorf("%s: %w", what, err)
	}
	p.nudge()
	return next, nil
}
