package store

import "preavviso/internal/multe"

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
