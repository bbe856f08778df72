package store

import (
	"errors"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// MoneyReader reads what went back, which acts left in lists, and owners.
type MoneyReader interface {
	Refund(c multe.CreditorID, id multe.RefundID) (multe.Refund, error)
	// RefundsOf lists the refunds of an IUV, by id.
	RefundsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Refund, error)
	// Refunds lists all, by id.
	Refunds(c multe.CreditorID, after multe.RefundID, limit int) ([]multe.Refund, error)

	Export(c multe.CreditorID, id multe.ExportID) (multe.Export, error)
	// Exports lists all, by id.
	Exports(c multe.CreditorID, after multe.ExportID, limit int) ([]multe.Export, error)
	// ExportLines lists the lines of a list by N, greater than after.
	ExportLines(c multe.CreditorID, id multe.ExportID, after int, limit int) ([]multe.ExportLine, error)
	// ExportLinesOf lists the lines of a verbale in any list, by list.
	ExportLinesOf(c multe.CreditorID, v multe.VerbaleID, limit int) ([]multe.ExportLine, error)

	OwnerHint(c multe.CreditorID, id multe.OwnerHintID) (multe.OwnerHint, error)
	// OwnerHintsOf lists what is known about a plate, by id; not what is gone.
	OwnerHintsOf(c multe.CreditorID, p multe.Plate, limit int) ([]multe.OwnerHint, error)
	// OwnerHints lists all by Expires, then id; not what is gone. The cursor is
	// the last hint of the page before, or the zero OwnerHint.
	OwnerHints(c multe.CreditorID, after multe.OwnerHint, limit int) ([]multe.OwnerHint, error)
}

// MoneyWriter puts what [MoneyReader] reads.
type MoneyWriter interface {
	PutRefund(multe.Refund) error
	PutExport(multe.Export) error
	PutExportLine(multe.ExportLine) error
	PutOwnerHint(multe.OwnerHint) error
}

// BalanceOf adds up the money of a verbale, over all its codes.
func BalanceOf(r Reader, v multe.Verbale) (multe.Balance, error) {
	payments, refunds, err := MoneyOf(r, v)
	return v.Balance(payments, refunds), err
}

// MoneyOf collects what came for a verbale and what went back, code by code.
func MoneyOf(r Reader, v multe.Verbale) (payments []multe.Payment, refunds []multe.Refund, err error) {
	for _, p := range v.Positions() {
		code, err := r.Code(v.Creditor, p)
		if err != nil {
			return nil, nil, err
		}
		if code.Number.IsZero() {
			continue // asked for, not yet given: nobody can have paid it
		}
		ps, rs, err := MoneyOfIUV(r, v.Creditor, code.Number.IUV())
		if err != nil {
			return nil, nil, err
		}
		payments, refunds = append(payments, ps...), append(refunds, rs...)
	}
	return payments, refunds, nil
}

// MoneyOfIUV does the same for one IUV. The places that payments without receipt
// have left are not shown.
func MoneyOfIUV(r Reader, c multe.CreditorID, iuv string) ([]multe.Payment, []multe.Refund, error) {
	all, err := r.PaymentsOf(c, iuv, MaxPage)
	if err != nil {
		return nil, nil, err
	}
	var payments []multe.Payment
	for _, p := range all {
		if p.Cents != 0 {
			payments = append(payments, p)
		}
	}
	refunds, err := r.RefundsOf(c, iuv, MaxPage)
	return payments, refunds, err
}

// Annulled tells a person what a cancelled verbale leaves to do: money to give
// back, a list to recall it from.
func Annulled(tx Tx, v multe.Verbale, at time.Time) error {
	b, err := BalanceOf(tx, v)
	if err != nil {
		return err
	}
	if b.Excess() > 0 {
		if err := guide(tx, v.Creditor, multe.TroubleRefundDue, string(v.Slip.ID), at); err != nil {
			return err
		}
	}
	return Recall(tx, v, at)
}

// Restored takes back what Annulled told; v is as it was before.
func Restored(tx Tx, v multe.Verbale, at time.Time) error {
	if err := Close(tx, v.Creditor, multe.TroubleRefundDue, string(v.Slip.ID), at); err != nil {
		return err
	}
	if v.State == multe.VerbaleSettled {
		return nil // not to be notified either way
	}
	return Close(tx, v.Creditor, multe.TroubleRecall, string(v.Slip.ID), at)
}

// EarlyExcess tells a person what must go back of money that came before its
// slip. Two payments of one code were told when they came.
func EarlyExcess(tx Tx, v multe.Verbale, at time.Time) error {
	payments, refunds, err := MoneyOf(tx, v)
	if err != nil || v.Balance(payments, refunds).Excess() == 0 {
		return err
	}
	last := payments[len(payments)-1]
	kind, subject := multe.TroubleOver, string(last.Position)
	switch first := payments[0]; {
	case first.IUV != last.IUV:
		kind, subject = multe.TroubleBothCodes, last.IUV
	case len(payments) > 1:
		return nil
	}
	return guide(tx, v.Creditor, kind, multe.Subject(subject), at)
}

// Recall tells a person that an act which left in a list is not to be notified. One
// that was notified is past recalling, and is paid as it should be.
func Recall(tx Tx, v multe.Verbale, at time.Time) error {
	if v.Record != nil && v.Record.Notification != nil {
		return nil
	}
	lines, err := tx.ExportLinesOf(v.Creditor, v.Slip.ID, MaxPage)
	if err != nil {
		return err
	}
	for _, l := range lines {
		e, err := tx.Export(l.Creditor, l.Export)
		if err != nil {
			return err
		}
		if e.Kind == multe.ExportNotify && !e.Withdrawn {
			return guide(tx, v.Creditor, multe.TroubleRecall, string(v.Slip.ID), at)
		}
	}
	return nil
}

func guide(tx Tx, c multe.CreditorID, kind, subject string, at time.Time) error {
	return Report(tx, c, kind, subject, multe.GuideTo(kind).Text(), at)
}

// Close closes a trouble that the course of things has ended, if it is open.
func Close(tx Tx, c multe.CreditorID, kind, subject string, at time.Time) error {
	d, err := tx.Discrepancy(c, kind+":"+subject)
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && !d.Open:
		return nil
	case err != nil:
		return err
	}
	return tx.PutDiscrepancy(d.Close(at))
}
