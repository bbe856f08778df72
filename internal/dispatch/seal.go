package dispatch

import (
	"context"
	"errors"
	"slices"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// seal puts what is due into batches, at most one for each operation. more says
// that a batch was full.
func (d *Dispatch) seal(ctx context.Context, c multe.CreditorID) (more bool, err error) {
	due := map[multe.Operation][]multe.ChangeID{}
	err = d.store.View(ctx, func(r store.Reader) (err error) {
		due, err = d.due(r, c)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, op := range []multe.Operation{multe.OperationUpdate, multe.OperationInsert, multe.OperationPut} {
		for ids := range slices.Chunk(due[op], changesOf[op]) {
			if err := d.sealBatch(ctx, c, op, ids); err != nil {
				return false, err
			}
		}
		more = more || len(due[op]) == sealsPerRound[op]
	}
	return more, nil
}

// changesOf is how many changes one batch carries, sealsPerRound how many are
// sealed in a round. A REST call is one change, and has its answer at once: no
// more are sealed than are sent.
var (
	changesOf     = map[multe.Operation]int{multe.OperationUpdate: multe.MaxBatch, multe.OperationInsert: multe.MaxBatch, multe.OperationPut: 1}
	sealsPerRound = map[multe.Operation]int{multe.OperationUpdate: multe.MaxBatch, multe.OperationInsert: multe.MaxBatch, multe.OperationPut: sendsPerRound}
)

// due lists, for each operation, at most one batch of changes that may leave
// now. It only reads; sealBatch looks again at each before it writes.
func (d *Dispatch) due(r store.Reader, c multe.CreditorID) (map[multe.Operation][]multe.ChangeID, error) {
	now := d.now()
	due := map[multe.Operation][]multe.ChangeID{}
	enough := errors.New("enough")
	err := store.Each(func(after multe.Change) ([]multe.Change, error) {
		return r.ChangesIn(c, multe.ChangeWaiting, after, store.MaxPage)
	}, func(ch multe.Change) multe.Change { return ch }, func(ch multe.Change) error {
		op := ch.Operation()
		full := func(op multe.Operation) bool { return len(due[op]) == sealsPerRound[op] }
		switch {
		case ch.NotBefore.After(now): // they are listed by NotBefore
			return enough
		case full(multe.OperationInsert) && full(multe.OperationUpdate):
			return enough
		case full(op):
			return nil
		}
		turn, err := turnOf(r, ch)
		if err != nil || turn == turnWait {
			return err
		}
		due[op] = append(due[op], ch.ID())
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return due, err
}

// turn is whether a waiting change may leave.
type turn int

const (
	turnGo    turn = iota
	turnWait       // an earlier change of the position is not over
	turnNever      // it was to follow a reset that was refused
	turnPaid       // the code is paid: the platform changes nothing any more (178)
)

// turnOf decides whether a waiting change may leave: only when every earlier
// change of its position has come to its end, because the platform promises no
// order. An unknown one has not: nobody knows what this one would be applied to,
// which matters to all but an annulment.
func turnOf(r store.Reader, ch multe.Change) (turn, error) {
	if ch.Seq == 1 {
		return turnGo, nil
	}
	changes, err := r.ChangesOf(ch.Creditor, ch.Position, 0, store.MaxPage)
	if err != nil {
		return turnWait, err
	}
	t := turnGo
	for _, e := range changes {
		switch {
		case e.Seq == ch.Seq:
		case e.State == multe.ChangeSealed || e.State == multe.ChangeQueued:
			return turnWait, nil // whatever its place: one at a time
		case e.Seq > ch.Seq:
		case e.State == multe.ChangeUnknown && ch.Kind == multe.ChangeVoid:
			// whatever the position is worth, it is to be worth nothing
		case e.State == multe.ChangeWaiting || e.State == multe.ChangeUnknown:
			return turnWait, nil
		case e.Seq == ch.Seq-1 && e.Kind == multe.ChangeReset && e.State == multe.ChangeRefused && ch.Want.Debtor != nil:
			t = turnNever
		}
	}
	code, err := r.Code(ch.Creditor, ch.Position)
	if err != nil {
		return turnWait, err
	}
	if code.State == multe.CodePaid {
		t = turnPaid
	}
	return t, nil
}

// The codes of ours for changes that never left.
const (
	codePaid        = "paid"
	codeBlocked     = "blocked"
	codeUnencodable = "unencodable"
	codeNoREST      = "no-rest"
)

// sealBatch fixes the id and the bytes of one batch and stores both.
func (d *Dispatch) sealBatch(ctx context.Context, c multe.CreditorID, op multe.Operation, ids []multe.ChangeID) error {
	at := d.now()
	id, err := multe.NewBatchID(at, d.random)
	if err != nil {
		return err
	}
	return d.store.Update(ctx, func(tx store.Tx) error {
		b := book{tx: tx, creditor: c, actor: submitter, at: at}
		cr, err := tx.Creditor(c)
		if err != nil {
			return err
		}
		waiting, err := b.ready(ids, op)
		if err != nil {
			return err
		}
		batch := multe.Batch{Creditor: c, ID: id, Operation: op, State: multe.BatchSealed,
			NotBefore: multe.Instant(at), Version: 1, Sealed: multe.Instant(at), Changed: multe.Instant(at)}
		for i, ch := range waiting {
			code, err := tx.Code(c, ch.Position)
			if err != nil {
				return err
			}
			waiting[i].Upstream, waiting[i].Want.ValidTo = code.UpstreamID, validity(ch, code, cr, multe.DayOf(at))
		}
		if op != multe.OperationPut { // which says what its change wants, and has no form of its own
			if batch.Body, waiting, err = d.encode(b, batch, cr, waiting); err != nil {
				return err
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		for _, ch := range waiting {
			next, err := ch.Seal(id, at)
			if err != nil {
				return err
			}
			if err := b.change(ch, next); err != nil {
				return err
			}
			batch.Changes = append(batch.Changes, ch.ID())
		}
		return b.batch("batch.sealed", "", batch)
	})
}

// ready reads changes again, inside the transaction that seals them: those that
// may still leave are returned, those that never will are refused.
func (b book) ready(ids []multe.ChangeID, op multe.Operation) ([]multe.Change, error) {
	var waiting []multe.Change
	for _, id := range ids {
		ch, err := b.tx.Change(b.creditor, id)
		if err != nil {
			return nil, err
		}
		if ch.State != multe.ChangeWaiting || ch.NotBefore.After(b.at) || ch.Operation() != op {
			continue
		}
		t, err := turnOf(b.tx, ch)
		if err != nil {
			return nil, err
		}
		switch t {
		case turnGo:
			waiting = append(waiting, ch)
		case turnNever:
			err = b.giveUp(ch, codeBlocked, kindBlocked)
		case turnPaid:
			err = b.giveUp(ch, codePaid, "")
		}
		if err != nil {
			return nil, err
		}
	}
	return waiting, nil
}

// wall is how many days before its end a position is given a later one: an update
// that is worked after the first instant of the last day is refused (187) although
// the position can still be paid, and a list may lie in a queue for a day.
const wall = 2

// validity returns the end of validity that an update travels with; zero if none
// was ever set. What is stored is kept, and said again, until it comes near.
func validity(ch multe.Change, code multe.Code, c multe.Creditor, today multe.Day) multe.Day {
	if ch.Kind == multe.ChangeRequest || ch.Kind == multe.ChangeVoid {
		return multe.Day{}
	}
	end := ch.Want.ValidTo
	if end.IsZero() {
		end = code.UpstreamEnd
	}
	if end.IsZero() || end.Compare(today.Plus(wall)) >= 0 {
		return end
	}
	return today.Plus(max(c.ValidityDays, wall))
}

// giveUp refuses a change that will not be told, and tells a person unless kind
// is "".
func (b book) giveUp(ch multe.Change, code, kind string) error {
	next, err := ch.Refuse(code, b.at)
	if err != nil {
		return err
	}
	if err := b.change(ch, next); err != nil || kind == "" {
		return err
	}
	return b.report(kind, string(ch.ID()))
}

// encode returns the bytes of the batch and the changes in it. A change that
// cannot be said is given up, so that it does not hold back the others for ever.
func (d *Dispatch) encode(b book, batch multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, []multe.Change, error) {
	if len(changes) == 0 {
		return nil, nil, nil
	}
	body, whole := d.gateway.Encode(batch, c, changes)
	if whole == nil {
		return body, changes, nil
	}
	var good []multe.Change
	for _, ch := range changes {
		if _, err := d.gateway.Encode(batch, c, []multe.Change{ch}); err == nil {
			good = append(good, ch)
			continue
		}
		if err := b.giveUp(ch, codeUnencodable, kindUnencodable); err != nil {
			return nil, nil, err
		}
	}
	switch len(good) {
	case 0:
		return nil, nil, nil
	case len(changes):
		return nil, nil, whole // none is wrong alone: our bug
	}
	body, err := d.gateway.Encode(batch, c, good)
	return body, good, err
}
