package dispatch

import (
	"errors"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// maxRepeats is how often a change whose fate is unknown is repeated by itself,
// where repeating does no harm. What fails half way three times is not bad luck.
const maxRepeats = 3

// The codes of ours for what an esito failed to say.
const (
	codeMissing  = "missing"   // the position is not in the esito
	codeNoEsito  = "no-esito"  // its list had none in time
	codeNoNumber = "no-number" // created, but its number is unreadable or another's
)

// Hear records what the platform says about a batch, inside the caller's
// transaction. Hearing it again changes nothing.
func (d *Dispatch) Hear(tx store.Tx, e multe.Esito, at time.Time) error {
	b := book{tx: tx, creditor: e.Creditor, actor: platform, at: at}
	d.hears(e.Creditor)
	if err := b.close(kindPlatformSilent, "esiti"); err != nil {
		return err
	}
	batch, err := tx.Batch(e.Creditor, e.Batch)
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && batch.Operation != e.Operation:
		return b.stray(e)
	case err != nil:
		return err
	}
	if len(e.Outcomes) == 0 && e.Verdict != multe.VerdictApplied && e.Verdict != multe.VerdictUnknown {
		return b.heardWhole(batch, e)
	}
	return b.heardEach(batch, e)
}

// stray tells a person about an esito of a batch that we never sent. It is kept
// in its message.
func (b book) stray(e multe.Esito) error {
	_, err := b.tx.Creditor(e.Creditor)
	if errors.Is(err, fault.NotFound) {
		b.creditor, err = "", nil // nobody looks at the troubles of a creditor we do not have
	}
	if err != nil {
		return err
	}
	return b.once(kindUnknownBatch, multe.Subject(string(e.Batch)))
}

// heardWhole hears an esito about a list that failed as a whole.
func (b book) heardWhole(batch multe.Batch, e multe.Esito) error {
	open := batch.State == multe.BatchSealed || batch.State == multe.BatchQueued
	switch {
	case !open:
		return nil
	case e.Verdict == multe.VerdictAlready && batch.Attempts > 1:
		return nil // of our repetition; the first copy's esito comes, or came
	case e.Verdict == multe.VerdictAlready:
		return b.once(kindAlready, string(batch.ID))
	case e.Verdict == multe.VerdictLater:
		return b.spend(batch, e.Code, laterBatch, kindBatchLater)
	}
	return b.spend(batch, e.Code, fix, kindBatchRefused)
}

// heardEach hears an esito position by position.
func (b book) heardEach(batch multe.Batch, e multe.Esito) error {
	changes, err := b.changesOf(batch)
	if err != nil {
		return err
	}
	outcomes := map[multe.PositionID]multe.Outcome{}
	for _, o := range e.Outcomes {
		if _, repeated := outcomes[o.Position]; !repeated { // the first counts
			outcomes[o.Position] = o
		}
	}
	for _, ch := range changes {
		o, said := outcomes[ch.UpstreamID()]
		delete(outcomes, ch.UpstreamID())
		if err := b.heardOne(batch, ch, o, said); err != nil {
			return err
		}
	}
	if len(outcomes) > 0 {
		if err := b.once(kindExtra, string(batch.ID)); err != nil {
			return err
		}
	}
	return b.closeBatch(batch, e.Code)
}

func (b book) closeBatch(batch multe.Batch, code string) error {
	if batch.State != multe.BatchSealed && batch.State != multe.BatchQueued {
		return nil
	}
	next, err := batch.Close(code, b.at)
	if err != nil {
		return err
	}
	if err := b.batch("batch.done", batch.State, next); err != nil {
		return err
	}
	for _, kind := range []string{kindOverdue, kindSilent} {
		if err := b.close(kind, string(batch.ID)); err != nil {
			return err
		}
	}
	return nil
}

// heardOne decides about one change. Only one that this batch carried last, and
// that has not come to its end, is touched; with one exception.
func (b book) heardOne(batch multe.Batch, ch multe.Change, o multe.Outcome, said bool) error {
	unknown := ch.Batch == batch.ID && ch.State == multe.ChangeUnknown
	switch {
	case !unknown && !inFlight(ch, batch):
		return b.heardLate(ch, o)
	case !said:
		return b.doubt(ch, codeMissing, kindMissing)
	case o.Verdict == multe.VerdictApplied:
		return b.applied(ch, o)
	case o.Verdict == multe.VerdictLater:
		return b.retry(ch, o.Code, laterPosition)
	case o.Verdict == multe.VerdictFix:
		if err := b.report(kindFix, multe.Subject(o.Code)); err != nil {
			return err
		}
		return b.retry(ch, o.Code, fix)
	case o.Verdict == multe.VerdictUnknown && repeatable(ch):
		return b.retry(ch, o.Code, laterBatch)
	case o.Verdict == multe.VerdictOrphan && ch.Kind == multe.ChangeRequest:
		return b.orphan(ch, o)
	case o.Verdict == multe.VerdictExpired && ch.Kind != multe.ChangeRequest && ch.Tries < maxRepeats:
		return b.extend(ch, o)
	case o.Verdict == multe.VerdictVoided && ch.Kind == multe.ChangeVoid: // by an earlier copy, or a person
		return b.applied(ch, o)
	case (o.Verdict == multe.VerdictRefused || o.Verdict == multe.VerdictOrphan || o.Verdict == multe.VerdictPaid || o.Verdict == multe.VerdictVoided || o.Verdict == multe.VerdictExpired) && ch.Kind == multe.ChangeRequest:
		return b.requestRefused(ch, o)
	case o.Verdict == multe.VerdictPaid:
		return b.alreadyPaid(ch, o)
	case o.Verdict == multe.VerdictVoided:
		return b.alreadyVoid(ch, o)
	case o.Verdict == multe.VerdictRefused || o.Verdict == multe.VerdictOrphan || o.Verdict == multe.VerdictExpired:
		return b.refused(ch, o)
	}
	return b.doubt(ch, o.Code, kindUnknown)
}

// repeatable reports whether ch may be repeated without knowing what became of
// it. An update says the whole state, so that doing it twice is doing it once;
// with a debtor it is not, for the second would be refused (218), and neither is
// a request, which would find its own position (161).
func repeatable(ch multe.Change) bool {
	return ch.Kind != multe.ChangeRequest && ch.Want.Debtor == nil && ch.Tries < maxRepeats
}

// heardLate hears about a change that waits again, or travels in another batch:
// this batch was taken for refused, or the change for failed, and still something
// was done. What can be done only once is taken for done now: a code's number is
// told once, and a debtor stored once. Anything else will be repeated whole, and
// needs no memory.
func (b book) heardLate(ch multe.Change, o multe.Outcome) error {
	over := ch.State == multe.ChangeApplied || ch.State == multe.ChangeRefused
	if over || o.Verdict != multe.VerdictApplied {
		return nil
	}
	if number := ch.Kind == multe.ChangeRequest && !o.Number.IsZero(); !number && ch.Want.Debtor == nil {
		return nil
	}
	if ch.State == multe.ChangeWaiting {
		sealed, err := ch.Seal(ch.Batch, b.at) // it was in that batch after all
		if err != nil {
			return err
		}
		if err := b.change(ch, sealed); err != nil {
			return err
		}
		ch = sealed
	}
	return b.applied(ch, o)
}

// applied records that the platform did what ch asked.
func (b book) applied(ch multe.Change, o multe.Outcome) error {
	code, err := b.tx.Code(b.creditor, ch.Position)
	if err != nil {
		return err
	}
	if ch.Kind == multe.ChangeRequest {
		ok, err := b.usable(code, o)
		if err != nil {
			return err
		}
		if !ok {
			return b.doubt(ch, codeNoNumber, kindNoNumber)
		}
	}
	next, err := ch.Apply(o.Code, b.at)
	if err != nil {
		return err
	}
	if err := b.change(ch, next); err != nil {
		return err
	}
	if err := b.clear(next); err != nil {
		return err
	}
	if ch.Kind == multe.ChangeRequest || ch.Kind == multe.ChangeVoid {
		if err := b.close(kindOrphan, string(ch.Position)); err != nil {
			return err
		}
	}
	if err := b.effect(code, next, o); err != nil {
		return err
	}
	return b.supersede(next)
}

// clear closes the doubts about a change.
func (b book) clear(ch multe.Change) error {
	for _, kind := range []string{kindUnknown, kindMissing, kindNoNumber} {
		if err := b.close(kind, string(ch.ID())); err != nil {
			return err
		}
	}
	return nil
}

// supersede annuls the code on the slip once the one that took over from it
// (policy "reissue") is worth something. Until the annulment leaves, both can be
// paid: whichever is paid first pays the verbale.
func (b book) supersede(ch multe.Change) error {
	if ch.Verbale == "" || ch.Want.Cents == 0 {
		return nil
	}
	v, err := b.tx.Verbale(b.creditor, ch.Verbale)
	if err != nil || v.Reissued != ch.Position || v.State == multe.VerbaleCancelled || v.State == multe.VerbaleSettled {
		return err
	}
	c, err := b.tx.Creditor(b.creditor)
	if err != nil {
		return err
	}
	for _, p := range v.Positions() {
		if p == v.Reissued {
			continue
		}
		code, err := b.tx.Code(b.creditor, p)
		if err != nil {
			return err
		}
		if code.State == multe.CodePaid || code.State == multe.CodeVoid {
			continue
		}
		if err := store.Annul(b.tx, b.actor, b.creditor, p, v.Slip.ID, store.ReasonReissued, b.at.Add(c.Undo()), b.at); err != nil {
			return err
		}
	}
	return nil
}

// usable reports whether the number that came with a new code can be its own.
func (b book) usable(code multe.Code, o multe.Outcome) (bool, error) {
	if o.Number.IsZero() {
		return false, nil
	}
	other, err := b.tx.CodeByIUV(b.creditor, o.Number.IUV())
	if errors.Is(err, fault.NotFound) {
		return true, nil
	}
	return other.Position == code.Position, err
}

// effect does to the code what the platform did to the position.
func (b book) effect(code multe.Code, ch multe.Change, o multe.Outcome) error {
	var (
		next   multe.Code
		action string
		err    error
	)
	switch ch.Kind {
	case multe.ChangeRequest:
		if code.State != multe.CodeRequested && code.State != multe.CodeOrphaned {
			return nil // given up meanwhile: it stays out of use
		}
		next, err = code.Acknowledge(o.Number, b.at)
		action = "code.available"
	case multe.ChangeActivate, multe.ChangeUpdate:
		next, err = code.Confirm(ch.Want.Cents, ch.Want.Debtor != nil, b.at)
		action = "code.updated"
		if code.State == multe.CodeIssued {
			action = "code.payable"
		}
	case multe.ChangeReset:
		next, err = code.Confirm(0, false, b.at)
		action = "code.reset"
	case multe.ChangeVoid:
		if code.State == multe.CodePaid || code.State == multe.CodeVoid {
			return nil // money is a fact
		}
		next, err = code.Void(o.Code, b.at)
		action = "code.void"
	}
	if err != nil {
		return err
	}
	if !ch.Want.ValidTo.IsZero() {
		next.UpstreamEnd = ch.Want.ValidTo
	}
	return b.code(action, code, next, ch, o.Code)
}

// afterExpiry is how far away the end of validity is set after the platform has
// called it past: the change then passes however long its list lies in a queue.
const afterExpiry = 30

// extend repeats an update that found the validity over, with a later end.
func (b book) extend(ch multe.Change, o multe.Outcome) error {
	next, err := ch.Retry(o.Code, b.at, b.at)
	if err != nil {
		return err
	}
	next.Want.ValidTo = multe.DayOf(b.at).Plus(afterExpiry)
	return b.change(ch, next)
}

// retry lets ch wait for another batch.
func (b book) retry(ch multe.Change, code string, pause backoff) error {
	next, err := ch.Retry(code, b.at.Add(pause.after(ch.Tries)), b.at)
	if err != nil {
		return err
	}
	return b.change(ch, next)
}

// doubt records that nobody knows what became of ch, and tells a person.
func (b book) doubt(ch multe.Change, code, kind string) error {
	if ch.State == multe.ChangeUnknown {
		return nil // told before
	}
	next, err := ch.Doubt(code, b.at)
	if err != nil {
		return err
	}
	if err := b.change(ch, next); err != nil {
		return err
	}
	return b.report(kind, string(ch.ID()))
}

// refuse records the platform's no.
func (b book) refuse(ch multe.Change, code string) error {
	next, err := ch.Refuse(code, b.at)
	if err != nil {
		return err
	}
	return b.change(ch, next)
}

// orphan sets aside a code that exists upstream under a number that never reached
// us. The change stays in doubt: a late esito, or a person, still brings the
// number.
func (b book) orphan(ch multe.Change, o multe.Outcome) error {
	if err := b.clear(ch); err != nil {
		return err
	}
	if ch.State != multe.ChangeUnknown {
		next, err := ch.Doubt(o.Code, b.at)
		if err != nil {
			return err
		}
		if err := b.change(ch, next); err != nil {
			return err
		}
	}
	code, err := b.tx.Code(b.creditor, ch.Position)
	if err != nil || code.State != multe.CodeRequested {
		return err
	}
	next, err := code.Orphan(o.Code, b.at)
	if err != nil {
		return err
	}
	if err := b.code("code.orphaned", code, next, ch, o.Code); err != nil {
		return err
	}
	return b.report(kindOrphan, string(ch.Position))
}

// requestRefused gives up a code that the platform will not make.
func (b book) requestRefused(ch multe.Change, o multe.Outcome) error {
	if err := b.refuse(ch, o.Code); err != nil {
		return err
	}
	if err := b.void(ch, o.Code); err != nil {
		return err
	}
	return b.report(kindRequestRefused, multe.Subject(o.Code))
}

// void puts the code of ch out of use where its state lets it.
func (b book) void(ch multe.Change, reason string) error {
	code, err := b.tx.Code(b.creditor, ch.Position)
	if err != nil {
		return err
	}
	next, err := code.Void(reason, b.at)
	if errors.Is(err, fault.Conflict) {
		return nil // paid, void already, or on a handheld
	}
	if err != nil {
		return err
	}
	return b.code("code.void", code, next, ch, reason)
}

// refused records a no that stays a no. A debtor that the platform will not take
// must not keep the amount from it: after a reset the position is worth nothing,
// and the citizen could not pay.
func (b book) refused(ch multe.Change, o multe.Outcome) error {
	if err := b.refuse(ch, o.Code); err != nil {
		return err
	}
	if ch.Kind != multe.ChangeUpdate || ch.Want.Debtor == nil {
		return b.report(kindRefused, string(ch.ID()))
	}
	if err := b.withoutDebtor(ch); err != nil {
		return err
	}
	return b.report(kindDebtorRefused, string(ch.ID()))
}

// withoutDebtor tells the rest of an update, whose debtor stays in our register,
// unless something later is on its way: that amount is the newer one.
func (b book) withoutDebtor(ch multe.Change) error {
	behind, err := b.tx.ChangesOf(b.creditor, ch.Position, ch.Seq, store.MaxPage)
	if err != nil {
		return err
	}
	for _, later := range behind {
		if later.State != multe.ChangeRefused {
			return nil
		}
	}
	want := ch.Want
	want.Debtor = nil
	again := multe.NewChange(b.creditor, ch.Position, 0, multe.ChangeUpdate, want, b.at)
	again.Verbale = ch.Verbale
	return store.Tell(b.tx, b.actor, again, b.at)
}

// alreadyPaid records that the platform has the money. What waited behind ch is
// given up too. The code is not paid before the notification says so; a person is
// told only if that has not come yet.
func (b book) alreadyPaid(ch multe.Change, o multe.Outcome) error {
	if err := b.refuseAll(ch, o.Code); err != nil {
		return err
	}
	code, err := b.tx.Code(b.creditor, ch.Position)
	if err != nil || code.State == multe.CodePaid {
		return err
	}
	return b.report(kindAlreadyPaid, string(ch.Position))
}

// alreadyVoid records that the position was annulled upstream: nobody can pay it.
func (b book) alreadyVoid(ch multe.Change, o multe.Outcome) error {
	if err := b.refuseAll(ch, o.Code); err != nil {
		return err
	}
	if err := b.void(ch, o.Code); err != nil {
		return err
	}
	return b.report(kindAlreadyVoid, string(ch.Position))
}

// refuseAll refuses ch and what waits behind it.
func (b book) refuseAll(ch multe.Change, code string) error {
	if err := b.refuse(ch, code); err != nil {
		return err
	}
	changes, err := b.tx.ChangesOf(b.creditor, ch.Position, ch.Seq, store.MaxPage)
	if err != nil {
		return err
	}
	for _, behind := range changes {
		if behind.State != multe.ChangeWaiting {
			continue
		}
		if err := b.refuse(behind, code); err != nil {
			return err
		}
	}
	return nil
}
