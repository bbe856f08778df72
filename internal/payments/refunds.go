package payments

import (
	"context"
	"errors"
	"fmt"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Refund records that money went back, and closes what waited for that. The
// service moves no money. More than was paid in excess needs r.Beyond, and more
// than is here is a [fault.Conflict] whatever is said. Repeating a recording gets
// the same answer; another refund under the same id is a [fault.Conflict].
func (p *Payments) Refund(ctx context.Context, by string, r multe.Refund) (multe.Refund, error) {
	at := multe.Instant(p.now())
	if err := r.Validate(multe.DayOf(at)); err != nil {
		return multe.Refund{}, err
	}
	r.By, r.At, r.Version = by, at, 1
	var recorded multe.Refund
	err := p.store.Update(ctx, func(tx store.Tx) error {
		known, err := tx.Refund(r.Creditor, r.ID)
		switch {
		case err == nil && known.Same(r):
			recorded = known
			return nil
		case err == nil:
			return fault.New(fault.Conflict, "refund.other_body", "Con questo identificativo è già registrato un altro rimborso.")
		case !errors.Is(err, fault.NotFound):
			return err
		}
		a, err := accountOf(tx, r.Creditor, r.IUV)
		if err != nil {
			return err
		}
		b := a.balance()
		switch {
		case r.Cents > b.Left():
			return fault.New(fault.Conflict, "refund.too_much", "Il rimborso supera quanto risulta incassato e non ancora restituito: controllare i pagamenti e i rimborsi già registrati.")
		case r.Cents > b.Excess() && !r.Beyond:
			return fault.New(fault.Conflict, "refund.beyond_excess", "Il rimborso supera quanto è stato pagato in più del dovuto. Se è voluto, va dichiarato espressamente.")
		}
		recorded = r
		recorded.Verbale = a.verbale.Slip.ID
		if err := tx.PutRefund(recorded); err != nil {
			return err
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: r.Creditor, At: at, Actor: by, Action: "refund.recorded", Position: a.position,
			Subject: string(r.ID), To: r.Cents.Decimal()}); err != nil {
			return err
		}
		a.refunds = append(a.refunds, recorded)
		return a.settled(tx, recorded)
	})
	if err != nil {
		return multe.Refund{}, fmt.Errorf("recording a refund: %w", err)
	}
	return recorded, nil
}

// Refunds lists a creditor's refunds by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (p *Payments) Refunds(ctx context.Context, c multe.CreditorID, after multe.RefundID, limit int) ([]multe.Refund, error) {
	var list []multe.Refund
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.Refunds(c, after, limit)
		return err
	})
	return list, err
}

// account is the money that one refund can be of: that of a verbale, or of an
// IUV that is on none.
type account struct {
	creditor multe.CreditorID
	position multe.PositionID // of the IUV; "" if it is none of ours
	verbale  multe.Verbale    // zero if there is none
	payments []multe.Payment
	refunds  []multe.Refund
}

func accountOf(r store.Reader, c multe.CreditorID, iuv string) (account, error) {
	a := account{creditor: c}
	code, err := r.CodeByIUV(c, iuv)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return a, err
	}
	if a.position = code.Position; code.Verbale != "" {
		if a.verbale, err = r.Verbale(c, code.Verbale); err != nil {
			return a, err
		}
		a.payments, a.refunds, err = store.MoneyOf(r, a.verbale)
		return a, err
	}
	a.payments, a.refunds, err = store.MoneyOfIUV(r, c, iuv)
	return a, err
}

// balance owes nothing where there is no verbale: all of it may go back.
func (a account) balance() multe.Balance {
	v := a.verbale
	if v.Slip.ID == "" {
		v.State = multe.VerbaleCancelled
	}
	return v.Balance(a.payments, a.refunds)
}

// settled closes what a refund has ended, once nothing is left in excess.
func (a account) settled(tx store.Tx, r multe.Refund) error {
	if a.balance().Excess() > 0 {
		return nil
	}
	kinds := []string{multe.TroubleDouble, multe.TroubleBothCodes, multe.TroubleOver, multe.TroubleCancelled, multe.TroubleRefundDue, multe.TroubleAfterRefund}
	if a.balance().Left() == 0 { // nothing of it is ours any more
		kinds = append(kinds, multe.TroubleUnknownIUV, multe.TroubleUnexpected, multe.TroubleVoidCode)
	}
	subjects := map[string]bool{r.IUV: true, string(a.position): true, string(a.verbale.Slip.ID): true}
	for _, p := range a.payments {
		subjects[p.IUV], subjects[string(p.Position)] = true, true
	}
	for s := range subjects {
		for _, k := range kinds {
			if err := store.Close(tx, a.creditor, k, multe.Subject(s), r.At); err != nil {
				return err
			}
		}
	}
	return nil
}
