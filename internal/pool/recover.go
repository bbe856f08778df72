package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// importedCode is what a change says that a person, not an esito, answered.
const importedCode = "imported"

// The troubles that package dispatch opens and a number ends.
var endedByNumber = []string{"change.unknown", "esito.missing", "code.no_number"} // of the change

const kindOrphan = "code.orphan" // of the position

// Outcomes of one found number.
const (
	FoundNew     = "recovered" // the code was waiting for it
	FoundKnown   = "known"     // the code has it already
	FoundForeign = "foreign"   // none of our codes
	FoundWrong   = "wrong"     // contradicts what we know
)

// Recovered is what a found number means.
type Recovered struct {
	multe.Found
	Outcome string // FoundNew …
	Detail  string // in Italian, of a wrong one
}

// Recover gives codes the numbers that no esito brought: those that were found on
// the portal, or that REST confirmed. Without commit it only says what would
// happen. If any number is wrong none is taken, because a file that contradicts us
// once may be another's; committed is false then.
func (p *Pool) Recover(ctx context.Context, actor string, c multe.CreditorID, found []multe.Found, commit bool) (list []Recovered, committed bool, err error) {
	at := p.now()
	look := func(r store.Reader) error {
		list, committed = nil, false
		numbers, owners := map[multe.PositionID]avviso.Number{}, map[avviso.Number]multe.PositionID{}
		for _, f := range found {
			k, err := judge(r, c, f, numbers, owners)
			if err != nil {
				return err
			}
			numbers[f.Position], owners[f.Number] = f.Number, f.Position
			list = append(list, k)
			committed = committed || k.Outcome == FoundWrong // for now: whether any is
		}
		committed = commit && !committed
		return nil
	}
	if !commit {
		err = p.store.View(ctx, look)
		return list, false, err
	}
	err = p.store.Update(ctx, func(tx store.Tx) error {
		if err := look(tx); err != nil || !committed {
			return err
		}
		a := act{tx: tx, creditor: c, actor: actor, at: multe.Instant(at)}
		for _, k := range list {
			if k.Outcome == FoundNew {
				if err := a.take(k.Found); err != nil {
					return err
				}
			}
		}
		return a.closeList()
	})
	if err != nil {
		return nil, false, fmt.Errorf("recovering codes: %w", err)
	}
	if committed {
		p.nudge()
	}
	return list, committed, nil
}

// judge decides what a found number means; numbers and owners are what the rows
// before it said.
func judge(r store.Reader, c multe.CreditorID, f multe.Found, numbers map[multe.PositionID]avviso.Number, owners map[avviso.Number]multe.PositionID) (Recovered, error) {
	k := Recovered{Found: f, Outcome: FoundWrong}
	if !multe.ValidID(string(f.Position)) || f.Number.IsZero() {
		k.Detail = "Manca la posizione o il codice avviso."
		return k, nil
	}
	code, err := r.Code(c, f.Position)
	if errors.Is(err, fault.NotFound) {
		k.Outcome = FoundForeign
		return k, nil
	}
	if err != nil {
		return k, err
	}
	other, err := r.CodeByIUV(c, f.Number.IUV())
	if err != nil && !errors.Is(err, fault.NotFound) {
		return k, err
	}
	before, twice := numbers[f.Position]
	owner, taken := owners[f.Number]
	switch {
	case twice && before != f.Number:
		k.Detail = "Nel file la stessa posizione ha due codici avviso: la lista è stata caricata due volte sul portale. Annullare sul portale le posizioni in più e riprovare con le altre."
	case err == nil && other.Position != f.Position || taken && owner != f.Position:
		k.Detail = "Il codice avviso è già di un altro codice dell'ente."
	case !code.Number.IsZero() && code.Number != f.Number:
		k.Detail = "Il codice ha già un altro codice avviso."
	case twice || !code.Number.IsZero():
		k.Outcome = FoundKnown
	case code.State != multe.CodeRequested && code.State != multe.CodeOrphaned:
		k.Detail = "Il codice è stato annullato: non può più essere usato. Annullarlo anche sul portale."
	default:
		k.Outcome = FoundNew
	}
	return k, nil
}

// act is one person's doing in one transaction.
type act struct {
	tx       store.Tx
	creditor multe.CreditorID
	actor    string
	at       time.Time
}

// take gives a code its number, and ends the change that asked for it.
func (a act) take(f multe.Found) error {
	code, err := a.tx.Code(a.creditor, f.Position)
	if err != nil {
		return err
	}
	next, err := code.Acknowledge(f.Number, a.at)
	if err != nil {
		return err
	}
	next.UpstreamID = f.Upstream
	if err := a.tx.PutCode(next); err != nil {
		return err
	}
	if err := a.audit("code.available", f.Position, importedCode, string(code.State), string(next.State)); err != nil {
		return err
	}
	changes, err := a.tx.ChangesOf(a.creditor, f.Position, 0, 1) // the request is the first
	if err != nil || len(changes) == 0 || changes[0].State == multe.ChangeApplied || changes[0].State == multe.ChangeRefused {
		return err
	}
	ch := changes[0]
	if ch.State == multe.ChangeWaiting { // it left after all
		if ch, err = ch.Seal(ch.Batch, a.at); err != nil {
			return err
		}
		if err := a.tx.PutChange(ch); err != nil {
			return err
		}
	}
	done, err := ch.Apply(importedCode, a.at)
	if err != nil {
		return err
	}
	if err := a.tx.PutChange(done); err != nil {
		return err
	}
	if err := a.audit("change.applied", f.Position, string(ch.ID()), string(ch.State), string(done.State)); err != nil {
		return err
	}
	for _, kind := range endedByNumber {
		if err := a.close(kind, string(ch.ID())); err != nil {
			return err
		}
	}
	return a.close(kindOrphan, string(f.Position))
}

func (a act) audit(action string, p multe.PositionID, subject, from, to string) error {
	return a.tx.AppendAudit(multe.AuditEntry{Creditor: a.creditor, At: a.at, Actor: a.actor, Action: action, Position: p, Subject: subject, From: from, To: to})
}

// close closes a trouble that this act ended, if it is open.
func (a act) close(kind, subject string) error {
	t, err := a.tx.Discrepancy(a.creditor, kind+":"+subject)
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && !t.Open:
		return nil
	case err != nil:
		return err
	}
	return a.tx.PutDiscrepancy(t.Close(a.at))
}

// List is a list of codes to be asked for by hand.
type List struct {
	ID   multe.BatchID
	File []byte // exactly as it was first given
	Size int    // codes it asks for
}

// List returns the list that an operator carries to the portal, for a creditor
// without SOAP. It is the same until all its numbers have come back, so that no
// code is asked for twice: a list loaded twice makes two positions of each.
// encode writes the file, and must be pure.
func (p *Pool) List(ctx context.Context, actor string, c multe.CreditorID, encode func([]multe.PositionID, multe.Causale) []byte) (List, error) {
	at := p.now()
	id, err := multe.NewBatchID(at, p.random)
	if err != nil {
		return List{}, err
	}
	var l List
	err = p.store.Update(ctx, func(tx store.Tx) error {
		cr, err := creditor(tx, c)
		if err != nil {
			return err
		}
		if !cr.Portal {
			return fault.New(fault.Conflict, "creditor.not_portal", "L'ente invia le richieste a PiemontePAY da solo: caricarle anche a mano creerebbe codici doppi.")
		}
		a := act{tx: tx, creditor: c, actor: actor, at: multe.Instant(at)}
		open, err := a.openList()
		if err != nil {
			return err
		}
		if open == nil {
			if open, err = a.newList(id, encode); err != nil {
				return err
			}
		}
		l = List{ID: open.ID, File: open.Body, Size: len(open.Changes)}
		return nil
	})
	if err != nil {
		return List{}, fmt.Errorf("listing codes to ask for: %w", err)
	}
	return l, nil
}

// openList returns the list that is out, or nil.
func (a act) openList() (*multe.Batch, error) {
	var open *multe.Batch
	err := store.Each(func(after multe.BatchID) ([]multe.Batch, error) {
		return a.tx.BatchesIn(a.creditor, multe.BatchQueued, after, listPage)
	}, func(b multe.Batch) multe.BatchID { return b.ID }, func(b multe.Batch) error {
		if b.Operation == multe.OperationPortal {
			open = &b
		}
		return nil
	})
	return open, err
}

// listPage is small: each batch holds its whole file.
const listPage = 50

// newList puts the oldest requests that wait into a list.
func (a act) newList(id multe.BatchID, encode func([]multe.PositionID, multe.Causale) []byte) (*multe.Batch, error) {
	var requests []multe.Change
	enough := errors.New("enough")
	err := store.Each(func(after multe.Change) ([]multe.Change, error) {
		return a.tx.ChangesIn(a.creditor, multe.ChangeWaiting, after, store.MaxPage)
	}, func(ch multe.Change) multe.Change { return ch }, func(ch multe.Change) error {
		if ch.Kind != multe.ChangeRequest {
			return nil
		}
		if requests = append(requests, ch); len(requests) == multe.MaxBatch {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return nil, err
	}
	if len(requests) == 0 {
		return nil, fault.New(fault.NotFound, "pool.nothing_to_ask", "Non ci sono codici da chiedere: la scorta dell'ente è al livello previsto.")
	}
	b := multe.Batch{Creditor: a.creditor, ID: id, Operation: multe.OperationPortal, State: multe.BatchSealed,
		NotBefore: a.at, Attempts: 1, Version: 1, Sealed: a.at, Changed: a.at}
	positions := make([]multe.PositionID, len(requests))
	for i, ch := range requests {
		positions[i] = ch.Position
		b.Changes = append(b.Changes, ch.ID())
		sealed, err := ch.Seal(id, a.at)
		if err != nil {
			return nil, err
		}
		if err := a.tx.PutChange(sealed); err != nil {
			return nil, err
		}
		queued, err := sealed.Queue(a.at)
		if err != nil {
			return nil, err
		}
		if err := a.tx.PutChange(queued); err != nil {
			return nil, err
		}
		if err := a.audit("change.queued", ch.Position, string(ch.ID()), string(ch.State), string(queued.State)); err != nil {
			return nil, err
		}
	}
	b.Body = encode(positions, requestCausale)
	if err := a.tx.PutBatch(b); err != nil {
		return nil, err
	}
	queued, err := b.Queue("", a.at)
	if err != nil {
		return nil, err
	}
	if err := a.tx.PutBatch(queued); err != nil {
		return nil, err
	}
	return &queued, a.audit("batch.listed", "", string(id), "", string(queued.State))
}

// closeList ends the list that is out once every number of it has come.
func (a act) closeList() error {
	open, err := a.openList()
	if err != nil || open == nil {
		return err
	}
	for _, id := range open.Changes {
		ch, err := a.tx.Change(a.creditor, id)
		if err != nil || ch.State.Open() {
			return err
		}
	}
	done, err := open.Close(importedCode, a.at)
	if err != nil {
		return err
	}
	if err := a.tx.PutBatch(done); err != nil {
		return err
	}
	return a.audit("batch.done", "", string(done.ID), string(open.State), string(done.State))
}

// Orphans lists the codes that exist upstream under a number that never reached
// us, oldest first, after the given one, at most limit (≤ [store.MaxPage]).
func (p *Pool) Orphans(ctx context.Context, c multe.CreditorID, after multe.PositionID, limit int) ([]multe.Code, error) {
	var list []multe.Code
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.CodesIn(c, multe.CodeOrphaned, after, limit)
		return err
	})
	return list, err
}
