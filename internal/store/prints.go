package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// PrintReader reads what was printed, and what is to be.
type PrintReader interface {
	PrintJob(c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	// PrintJobs lists all, by id.
	PrintJobs(c multe.CreditorID, after multe.PrintJobID, limit int) ([]multe.PrintJob, error)
	// PrintJobsIn lists those in a state, by id.
	PrintJobsIn(c multe.CreditorID, s multe.PrintJobState, after multe.PrintJobID, limit int) ([]multe.PrintJob, error)
	// PrintItems lists the items of a job by N, greater than after.
	PrintItems(c multe.CreditorID, id multe.PrintJobID, after int, limit int) ([]multe.PrintItem, error)
	// PrintErrors lists those that were left out, by N, greater than after.
	PrintErrors(c multe.CreditorID, id multe.PrintJobID, after int, limit int) ([]multe.PrintItem, error)
	Print(c multe.CreditorID, id multe.PrintID) (multe.Print, error)
	// PrintsOf lists the prints of a verbale, by id.
	PrintsOf(c multe.CreditorID, v multe.VerbaleID, after multe.PrintID, limit int) ([]multe.Print, error)
	// CountPrints counts the prints of a verbale of one kind.
	CountPrints(c multe.CreditorID, v multe.VerbaleID, kind multe.PrintKind) (int, error)
}

// PrintWriter puts what [PrintReader] reads.
type PrintWriter interface {
	PutPrintJob(multe.PrintJob) error
	PutPrintItem(multe.PrintItem) error
	PutPrint(multe.Print) error
}

// SaveCreditor puts a creditor and keeps what it was made of as a document:
// what was printed while it was in force can be printed again. Whoever changes a
// creditor calls this and not PutCreditor.
func SaveCreditor(tx Tx, c multe.Creditor, actor string, at time.Time) error {
	if c.Version > 1 { // one from before there were snapshots
		old, err := tx.Creditor(c.ID)
		if err != nil {
			return err
		}
		if err := KeepCreditor(tx, old, actor); err != nil {
			return err
		}
	}
	if err := tx.PutCreditor(c); err != nil {
		return err
	}
	return snapshot(tx, c, actor, at)
}

// KeepCreditor sees to it that there is a snapshot of a stored creditor.
func KeepCreditor(tx Tx, c multe.Creditor, actor string) error {
	_, err := tx.LastDocument(c.ID, multe.DocumentCreditor)
	if errors.Is(err, fault.NotFound) {
		return snapshot(tx, c, actor, c.Changed)
	}
	return err
}

func snapshot(tx Tx, c multe.Creditor, actor string, at time.Time) error {
	last, err := tx.LastDocument(c.ID, multe.DocumentCreditor)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keeping a creditor: %w", err)
	}
	d, err := multe.NewDocument(last, c.ID, multe.DocumentCreditor, multe.DayOf(at), "application/json", body, actor, at)
	if err != nil {
		return err
	}
	return tx.PutDocument(d)
}

// CreditorAt returns a creditor as it was at an instant, and the number of the
// document that says so; before the first, as it first was; 0 if there is none
// and it is the present one.
func CreditorAt(r Reader, id multe.CreditorID, at time.Time) (multe.Creditor, uint64, error) {
	d, err := r.LastDocument(id, multe.DocumentCreditor)
	if errors.Is(err, fault.NotFound) {
		c, err := r.Creditor(id)
		return c, 0, err
	}
	for err == nil && d.At.After(at) && d.N > 1 {
		d, err = r.Document(id, multe.DocumentCreditor, d.N-1)
	}
	if err != nil {
		return multe.Creditor{}, 0, err
	}
	c, err := CreditorOf(d)
	return c, d.N, err
}

// CreditorOf reads the snapshot of a creditor.
func CreditorOf(d multe.Document) (multe.Creditor, error) {
	var c multe.Creditor
	if err := json.Unmarshal(d.Body, &c); err != nil {
		return c, fmt.Errorf("reading creditor document %d: %w", d.N, err)
	}
	return c, nil
}
