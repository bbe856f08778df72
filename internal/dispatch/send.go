package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// sendsPerRound bounds one creditor's part of a round: a call may take 15 s
	// and the others wait.
	sendsPerRound = 8

	// notSentAfter is the pause after a call that surely did not leave: nothing
	// is lost by trying soon.
	notSentAfter = 15 * time.Second

	// silentAttempts is after how many unanswered attempts a person is told:
	// with the default pauses, about an hour.
	silentAttempts = 6

	// lookEvery is how often one looks for what has not come: an alarm measured in hours need not be asked for every second.
	lookEvery = 10 * time.Minute
)

// send sends what is due, by SOAP and by REST. Each way ends at the first batch
// that gets no answer: the next one would not get one either, and each attempt
// leaves a doubt.
func (d *Dispatch) send(ctx context.Context, c multe.Creditor) (left bool, err error) {
	due := map[multe.Operation][]multe.BatchID{}
	now, enough := d.now(), errors.New("enough")
	err = d.store.View(ctx, func(r store.Reader) error {
		clear(due)
		found := 0
		return store.Each(func(after multe.BatchID) ([]multe.Batch, error) {
			return r.BatchesIn(c.ID, multe.BatchSealed, after, batchPage)
		}, func(b multe.Batch) multe.BatchID { return b.ID }, func(b multe.Batch) error {
			if b.NotBefore.After(now) {
				return nil
			}
			if found++; found > sendsPerRound {
				return enough
			}
			due[b.Operation] = append(due[b.Operation], b.ID)
			return nil
		})
	})
	left = errors.Is(err, enough)
	if err != nil && !left {
		return false, err
	}
	soap := slices.Concat(due[multe.OperationUpdate], due[multe.OperationInsert]) // a slip in the street before the supply
	for _, way := range [][]multe.BatchID{soap, due[multe.OperationPut]} {
		for _, id := range way {
			answered, err := d.sendOne(ctx, c, id)
			if err != nil {
				return false, err
			}
			if !answered {
				left = false
				break
			}
		}
	}
	return left, nil
}

// batchPage is small: each batch holds its whole message.
const batchPage = 50

// sendOne makes one attempt. That it is made is stored before it is made, and
// what came of it afterwards, even if ctx has ended meanwhile.
func (d *Dispatch) sendOne(ctx context.Context, c multe.Creditor, id multe.BatchID) (answered bool, err error) {
	batch, due, err := d.attempt(ctx, c.ID, id)
	if err != nil || !due {
		return true, err
	}
	if batch.Operation == multe.OperationPut {
		return d.put(ctx, c, batch)
	}
	code, failure := d.gateway.Submit(ctx, c, batch)
	keep := context.WithoutCancel(ctx)
	refusal, refused := errors.AsType[*multe.Refusal](failure)
	switch {
	case failure == nil:
		return true, d.conclude(keep, batch, func(b book, batch multe.Batch) error { return b.queued(batch, code) })
	case refused:
		return true, d.conclude(keep, batch, func(b book, batch multe.Batch) error { return b.refusedWhole(batch, *refusal) })
	case errors.Is(failure, multe.ErrNotSent):
		d.options.Log.WarnContext(ctx, "batch not sent", "batch", id, "err", failure)
		return false, d.conclude(keep, batch, book.notSent)
	}
	d.options.Log.WarnContext(ctx, "batch not answered", "batch", id, "attempts", batch.Attempts, "err", failure)
	return false, d.conclude(keep, batch, book.unanswered)
}

// attempt records that the batch is about to be sent. due is false if it need not
// be any more.
func (d *Dispatch) attempt(ctx context.Context, c multe.CreditorID, id multe.BatchID) (next multe.Batch, due bool, err error) {
	at := d.now()
	err = d.store.Update(ctx, func(tx store.Tx) error {
		due = false
		batch, err := tx.Batch(c, id)
		if err != nil || batch.State != multe.BatchSealed || batch.NotBefore.After(at) {
			return err
		}
		pause := backoff{d.options.ResendAfter, max(resendCap, d.options.ResendAfter)}
		if next, err = batch.Attempt(at.Add(pause.after(batch.Attempts+1)), at); err != nil {
			return err
		}
		due = true
		return book{tx: tx, creditor: c, actor: submitter, at: at}.batch("batch.attempted", batch.State, next)
	})
	return next, due, err
}

// conclude stores what an attempt came to, unless an esito overtook the answer.
func (d *Dispatch) conclude(ctx context.Context, sent multe.Batch, what func(book, multe.Batch) error) error {
	at := d.now()
	return d.store.Update(ctx, func(tx store.Tx) error {
		batch, err := tx.Batch(sent.Creditor, sent.ID)
		if err != nil || batch.State != multe.BatchSealed {
			return err
		}
		return what(book{tx: tx, creditor: sent.Creditor, actor: submitter, at: at}, batch)
	})
}

// queued records that the platform has the batch.
func (b book) queued(batch multe.Batch, code string) error {
	next, err := batch.Queue(code, b.at)
	if err != nil {
		return err
	}
	if err := b.batch("batch.queued", batch.State, next); err != nil {
		return err
	}
	changes, err := b.changesOf(batch)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if !inFlight(ch, batch) || ch.State != multe.ChangeSealed {
			continue
		}
		next, err := ch.Queue(b.at)
		if err != nil {
			return err
		}
		if err := b.change(ch, next); err != nil {
			return err
		}
	}
	return b.close(kindSilent, string(batch.ID))
}

// refusedWhole records the platform's synchronous no.
func (b book) refusedWhole(batch multe.Batch, r multe.Refusal) error {
	switch r.Verdict {
	case multe.VerdictAlready, multe.VerdictApplied: // an earlier attempt arrived
		return b.queued(batch, r.Code)
	case multe.VerdictLater:
		if batch.Attempts > 1 {
			// An earlier copy may be on its way through. Another batch beside it
			// could be overtaken by it; the same bytes cannot.
			return b.unanswered(batch)
		}
		return b.spend(batch, r.Code, laterBatch, kindBatchLater)
	}
	return b.spend(batch, r.Code, fix, kindBatchRefused)
}

// spend gives up a batch, whose id the platform takes for used, and lets its
// changes wait for another.
func (b book) spend(batch multe.Batch, code string, pause backoff, kind string) error {
	next, err := batch.Refuse(code, b.at)
	if err != nil {
		return err
	}
	if err := b.batch("batch.refused", batch.State, next); err != nil {
		return err
	}
	if err := b.postpone(batch, code, pause); err != nil {
		return err
	}
	return b.report(kind, string(batch.Operation)+"-"+multe.Subject(code)) // one for each cause, not for each batch
}

// notSent takes the attempt back.
func (b book) notSent(batch multe.Batch) error {
	next, err := batch.NotSent(b.at.Add(notSentAfter), b.at)
	if err != nil {
		return err
	}
	return b.batch("batch.not_sent", batch.State, next)
}

// unanswered leaves the batch as the attempt left it: sealed, and due again after
// a pause.
func (b book) unanswered(batch multe.Batch) error {
	if err := b.audit("batch.unanswered", "", string(batch.ID), string(batch.State), string(batch.State), ""); err != nil {
		return err
	}
	if batch.Attempts < silentAttempts {
		return nil
	}
	return b.once(kindSilent, string(batch.ID))
}

// mayLook reports whether it is time to look again.
func (d *Dispatch) mayLook(c multe.CreditorID, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.looked[c]; ok && at.Before(last.Add(lookEvery)) {
		return false
	}
	d.looked[c] = at
	return true
}
