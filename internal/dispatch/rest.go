package dispatch

import (
	"context"
	"errors"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// put makes the REST call of a batch of one change. The answer is the outcome, so
// it is heard as an esito is.
func (d *Dispatch) put(ctx context.Context, c multe.Creditor, batch multe.Batch) (answered bool, err error) {
	var (
		ch   multe.Change
		code multe.Code
	)
	err = d.store.View(ctx, func(r store.Reader) (err error) {
		if ch, err = r.Change(c.ID, batch.Changes[0]); err != nil {
			return err
		}
		code, err = r.Code(c.ID, ch.Position)
		return err
	})
	if err != nil {
		return false, err
	}
	said, failure := "", multe.ErrNoREST
	if d.options.Positions != nil {
		said, failure = d.options.Positions.Apply(ctx, c, code.Number, ch)
	}
	keep := context.WithoutCancel(ctx)
	refusal, refused := errors.AsType[*multe.Refusal](failure)
	switch {
	case failure == nil:
		return true, d.conclude(keep, batch, func(b book, batch multe.Batch) error {
			return b.heardPut(batch, multe.Outcome{Code: said, Verdict: multe.VerdictApplied})
		})
	case errors.Is(failure, multe.ErrNoREST):
		return true, d.conclude(keep, batch, book.noREST)
	case refused:
		return true, d.conclude(keep, batch, func(b book, batch multe.Batch) error { return b.putRefused(batch, *refusal) })
	case errors.Is(failure, multe.ErrNotSent):
		d.options.Log.WarnContext(ctx, "position not sent", "batch", batch.ID, "err", failure)
		return false, d.conclude(keep, batch, book.notSent)
	}
	d.options.Log.WarnContext(ctx, "position not answered", "batch", batch.ID, "attempts", batch.Attempts, "err", failure)
	return false, d.conclude(keep, batch, book.unanswered)
}

// heardPut hears what a REST call came to.
func (b book) heardPut(batch multe.Batch, o multe.Outcome) error {
	changes, err := b.changesOf(batch)
	if err != nil {
		return err
	}
	o.Position = changes[0].UpstreamID()
	return b.heardEach(batch, multe.Esito{Creditor: b.creditor, Batch: batch.ID, Operation: batch.Operation,
		Code: o.Code, Verdict: o.Verdict, Outcomes: []multe.Outcome{o}})
}

// putRefused hears a no. The interface says the same number for a wrong field, a
// payment under way and a missing permission, so a no that may pass is repeated a
// few times and then taken for one that stays: the debtor is not worth the amount.
func (b book) putRefused(batch multe.Batch, r multe.Refusal) error {
	changes, err := b.changesOf(batch)
	if err != nil {
		return err
	}
	o := multe.Outcome{Code: r.Code, Verdict: r.Verdict}
	passing := r.Verdict == multe.VerdictFix || r.Verdict == multe.VerdictUnknown
	switch {
	case r.Verdict == multe.VerdictUnknown && batch.Attempts < maxRepeats:
		return b.unanswered(batch) // perhaps done: the same again does no harm
	case passing && (changes[0].Tries >= maxRepeats || batch.Attempts >= maxRepeats):
		o.Verdict = multe.VerdictRefused
	}
	if o.Verdict == multe.VerdictRefused && batch.Attempts > 1 && changes[0].Want.Debtor != nil {
		// An attempt that got no answer may have stored the debtor; no other is
		// taken then (218).
		if err := b.report(kindDebtorUnsure, string(changes[0].ID())); err != nil {
			return err
		}
	}
	return b.heardPut(batch, o)
}

// noREST falls back to keeping the debtor in our register only.
func (b book) noREST(batch multe.Batch) error {
	changes, err := b.changesOf(batch)
	if err != nil {
		return err
	}
	ch := changes[0]
	if err := b.refuse(ch, codeNoREST); err != nil {
		return err
	}
	if err := b.withoutDebtor(ch); err != nil {
		return err
	}
	if err := b.report(kindNoREST, "rest"); err != nil { // one for the creditor, not for each verbale
		return err
	}
	return b.closeBatch(batch, codeNoREST)
}
