package worklist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Worklist keeps who looks after which trouble.
type Worklist struct {
	store store.Store
	now   func() time.Time
}

// New returns a Worklist.
func New(s store.Store, now func() time.Time) *Worklist { return &Worklist{store: s, now: now} }

// Take records that by looks after a trouble of creditor c ("": of the
// installation). Repeating it changes nothing.
func (w *Worklist) Take(ctx context.Context, by string, c multe.CreditorID, id string) (multe.Discrepancy, error) {
	return w.change(ctx, by, c, id, "work.taken", func(d multe.Discrepancy, at time.Time) (multe.Discrepancy, error) {
		if d.Open && d.Taken.By == by {
			return d, nil
		}
		return d.Take(by, at)
	})
}

// Close ends a trouble with what a person says about it. Repeating it changes
// nothing; another closure of what is closed is a [fault.Conflict].
func (w *Worklist) Close(ctx context.Context, by string, c multe.CreditorID, id string, o multe.WorkOutcome, note string) (multe.Discrepancy, error) {
	return w.change(ctx, by, c, id, "work.closed", func(d multe.Discrepancy, at time.Time) (multe.Discrepancy, error) {
		if k := d.Closed; !d.Open && k.By == by && k.Outcome == o && k.Note == note {
			return d, nil
		}
		return d.Conclude(by, o, note, at)
	})
}

func (w *Worklist) change(ctx context.Context, by string, c multe.CreditorID, id, action string,
	do func(multe.Discrepancy, time.Time) (multe.Discrepancy, error)) (multe.Discrepancy, error) {
	at := multe.Instant(w.now())
	var next multe.Discrepancy
	err := w.store.Update(ctx, func(tx store.Tx) error {
		old, err := tx.Discrepancy(c, id)
		if errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "work.unknown", "La segnalazione non risulta.", err)
		}
		if err != nil {
			return err
		}
		if next, err = do(old, at); err != nil || next.Version == old.Version {
			return err
		}
		if err := tx.PutDiscrepancy(next); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: by, Action: action, Subject: id, To: string(next.Closed.Outcome)})
	})
	if err != nil {
		return multe.Discrepancy{}, fmt.Errorf("changing a work item: %w", err)
	}
	return next, nil
}
