package dispatch

import (
	"context"
	"strings"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// lookAfter deals with what has not come for too long: an esito, all esiti, a
// payment that the platform says it has.
func (d *Dispatch) lookAfter(ctx context.Context, c multe.CreditorID) error {
	at := d.now()
	if !d.mayLook(c, at) {
		return nil
	}
	var late absent
	err := d.store.View(ctx, func(r store.Reader) (err error) {
		late, err = d.absent(r, c, at)
		return err
	})
	if err != nil || late.none() {
		return err
	}
	return d.store.Update(ctx, func(tx store.Tx) error {
		return d.tell(book{tx: tx, creditor: c, actor: submitter, at: at}, late)
	})
}

// absent is what has not come.
type absent struct {
	overdue   []multe.BatchID  // queued, without esito for long
	hopeless  []multe.BatchID  // … for too long: told again
	doubtful  []multe.ChangeID // of unknown fate for too long, and harmless to repeat
	unheard   []multe.PositionID
	allSilent bool
}

func (a absent) none() bool {
	return len(a.overdue)+len(a.hopeless)+len(a.doubtful)+len(a.unheard) == 0 && !a.allSilent
}

func (d *Dispatch) absent(r store.Reader, c multe.CreditorID, at time.Time) (absent, error) {
	var a absent
	since := func(t time.Time, long time.Duration) bool { return !at.Before(t.Add(long)) }
	silence := d.lastHeard(c)
	err := store.Each(func(after multe.BatchID) ([]multe.Batch, error) {
		return r.BatchesIn(c, multe.BatchQueued, after, batchPage)
	}, func(b multe.Batch) multe.BatchID { return b.ID }, func(b multe.Batch) error {
		queued := b.Changed
		switch {
		case b.Operation == multe.OperationPortal: // a person's pace
			return nil
		case since(queued, d.options.ReconcileAfter):
			a.hopeless = append(a.hopeless, b.ID)
		case since(queued, d.options.OverdueAfter):
			a.overdue = append(a.overdue, b.ID)
		}
		a.allSilent = a.allSilent || since(queued, d.options.SilentAfter) && since(silence, d.options.SilentAfter)
		return nil
	})
	if err != nil {
		return a, err
	}
	err = store.Each(func(after multe.Change) ([]multe.Change, error) {
		return r.ChangesIn(c, multe.ChangeUnknown, after, store.MaxPage)
	}, func(ch multe.Change) multe.Change { return ch }, func(ch multe.Change) error {
		if since(ch.Changed, d.options.ReconcileAfter) && tellAgain(ch) {
			a.doubtful = append(a.doubtful, ch.ID())
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	const prefix = kindAlreadyPaid + ":"
	err = store.Each(func(after string) ([]multe.Discrepancy, error) {
		page, err := r.Discrepancies(c, true, max(after, prefix), store.MaxPage)
		if len(page) > 0 && !strings.HasPrefix(page[0].ID, prefix) {
			return nil, err
		}
		return page, err
	}, func(t multe.Discrepancy) string { return t.ID }, func(t multe.Discrepancy) error {
		if strings.HasPrefix(t.ID, prefix) && since(t.Opened, noticeWithin) {
			a.unheard = append(a.unheard, multe.PositionID(t.Subject))
		}
		return nil
	})
	return a, err
}

// noticeWithin is how long the notification of a payment may be on its way once
// the platform has called the position paid: its job runs at night.
const noticeWithin = 24 * time.Hour

// tellAgain reports whether a change that nobody knows the fate of is told again
// once enough time has passed. A request is: either its position is made now, or
// it was made before and is called an orphan (161). So is what an esito forgot to
// mention. What failed half way again and again is left to a person.
func tellAgain(ch multe.Change) bool {
	return ch.Tries < maxRepeats && (ch.Kind == multe.ChangeRequest || ch.Code == codeMissing)
}

func (d *Dispatch) tell(b book, late absent) error {
	for _, id := range late.overdue {
		batch, err := b.tx.Batch(b.creditor, id)
		if err != nil {
			return err
		}
		if batch.State != multe.BatchQueued {
			continue // its esito came between the two transactions
		}
		if err := b.once(kindOverdue, string(id)); err != nil {
			return err
		}
	}
	for _, id := range late.hopeless {
		if err := b.abandon(id); err != nil {
			return err
		}
	}
	for _, id := range late.doubtful {
		if err := b.again(id); err != nil {
			return err
		}
	}
	for _, p := range late.unheard {
		if err := b.once(kindUnnotified, string(p)); err != nil {
			return err
		}
	}
	if late.allSilent {
		return b.alert(kindPlatformSilent, "esiti")
	}
	return nil
}

// abandon gives up waiting for an esito: what the batch carried is told again
// under a new id. If the old one was worked after all, the new one is told so
// (161, 218, 179), and a late esito is still heard.
func (b book) abandon(id multe.BatchID) error {
	batch, err := b.tx.Batch(b.creditor, id)
	if err != nil || batch.State != multe.BatchQueued {
		return err
	}
	next, err := batch.Abandon(b.at)
	if err != nil {
		return err
	}
	if err := b.batch("batch.abandoned", batch.State, next); err != nil {
		return err
	}
	if err := b.postpone(batch, codeNoEsito, backoff{}); err != nil {
		return err
	}
	if err := b.close(kindOverdue, string(id)); err != nil {
		return err
	}
	return b.report(kindAbandoned, string(batch.Operation))
}

// again lets a change of unknown fate wait for another batch.
func (b book) again(id multe.ChangeID) error {
	ch, err := b.tx.Change(b.creditor, id)
	if err != nil || ch.State != multe.ChangeUnknown {
		return err
	}
	code, err := b.tx.Code(b.creditor, ch.Position)
	if err != nil {
		return err
	}
	if ch.Kind == multe.ChangeRequest && code.State != multe.CodeRequested {
		return nil // an orphan waits for its number, not for another no
	}
	return b.retry(ch, ch.Code, backoff{})
}

// lastHeard is when an esito of a creditor last came. This process counts from its
// own start, so a restart delays the alarm and never raises it.
func (d *Dispatch) lastHeard(c multe.CreditorID) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t, ok := d.heard[c]; ok {
		return t
	}
	return d.began
}

func (d *Dispatch) hears(c multe.CreditorID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard[c] = d.now()
}
