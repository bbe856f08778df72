package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// What the history says of codes that come back. They are stored: [Pool.Account]
// reads them.
const (
	actionAssigned    = "code.assigned"
	actionIssued      = "code.issued"
	actionQuarantined = "code.quarantined"
	actionReturned    = "code.returned"
	actionSpoiled     = "code.spoiled"
	actionUnprinted   = "code.unprinted"
)

// kindSpoiled is the trouble that a spoiled slip makes: a person must annul it.
const kindSpoiled = "code.spoiled"

const detailSpoiled = "Un palmare ha segnalato un preavviso rovinato, sbagliato o smarrito. Il codice è messo da parte e non sarà più usato. Se la carta non è stata lasciata a nessuno, annullare il codice; se è sul parabrezza, il preavviso va trasmesso o annullato in autotutela."

// Return takes back codes that device d says it never printed, each for itself:
// refused[i] is why positions[i] stays where it is, nil if it went back to the
// pool. id is the handheld's own for this request: repeating it gives the same
// answer and takes nothing back again, though the code may have been lent to the
// same handheld since, and printed.
func (p *Pool) Return(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.ReturnID, positions []multe.PositionID) (refused []error, err error) {
	if !multe.ValidID(string(id)) {
		return nil, fault.New(fault.Invalid, "return.bad_id", "L'identificativo della richiesta deve essere di 32 cifre esadecimali minuscole.")
	}
	if len(positions) < 1 || len(positions) > multe.MaxLease {
		return nil, fault.New(fault.Invalid, "return.bad_positions", fmt.Sprintf("Si possono restituire da 1 a %d codici per volta.", multe.MaxLease))
	}
	at := p.now()
	err = p.store.Update(ctx, func(tx store.Tx) error {
		refused = make([]error, len(positions))
		for i, pos := range positions {
			err := takeBack(tx, c, d, id, pos, at)
			if errors.Is(err, fault.Conflict) || errors.Is(err, fault.NotFound) {
				refused[i], err = err, nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("taking codes back: %w", err)
	}
	return refused, nil
}

func takeBack(tx store.Tx, c multe.CreditorID, d multe.DeviceID, id multe.ReturnID, pos multe.PositionID, at time.Time) error {
	old, err := code(tx, c, pos)
	if err != nil {
		return err
	}
	done, said := false, false
	err = each(tx, c, pos, func(e multe.AuditEntry) {
		done = done || e.Action == actionReturned && e.Actor == device(d) && e.Subject == string(id)
		said = said || e.Action == actionUnprinted && e.Actor == device(d)
	})
	if err != nil || done {
		return err
	}
	next, err := old.Return(d, at)
	if old.Stale(d) && !said {
		// Too late for the pool: the office may have given the code up, or be about
		// to. But with the device's word it need not look for paper.
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: c, At: multe.Instant(at), Actor: device(d), Action: actionUnprinted,
			Position: pos, Subject: string(id), From: string(old.State), To: string(old.State)}); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := tx.PutCode(next); err != nil {
		return err
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: next.Changed, Actor: device(d), Action: actionReturned,
		Position: pos, Subject: string(id), From: string(old.State), To: string(next.State)})
}

// Spoil sets aside a code whose slip device d says is no good, and tells the
// office. The first reason stays, and is returned to whoever repeats it.
func (p *Pool) Spoil(ctx context.Context, c multe.CreditorID, d multe.DeviceID, pos multe.PositionID, reason multe.SpoilReason) (multe.SpoilReason, error) {
	at := p.now()
	var said multe.SpoilReason
	err := p.store.Update(ctx, func(tx store.Tx) error {
		said = ""
		old, err := code(tx, c, pos)
		if err != nil {
			return err
		}
		err = each(tx, c, pos, func(e multe.AuditEntry) {
			if said == "" && e.Action == actionSpoiled && e.Actor == device(d) {
				said = multe.SpoilReason(e.Subject)
			}
		})
		if err != nil || said != "" {
			return err
		}
		said = reason
		next, err := old.Spoil(d, reason, at)
		if err != nil {
			return err
		}
		if err := tx.PutCode(next); err != nil {
			return err
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: c, At: next.Changed, Actor: device(d), Action: actionSpoiled,
			Position: pos, Subject: string(reason), From: string(old.State), To: string(next.State)}); err != nil {
			return err
		}
		return store.Report(tx, c, kindSpoiled, string(pos), detailSpoiled, at)
	})
	if err != nil {
		return "", fmt.Errorf("setting a spoiled code aside: %w", err)
	}
	return said, nil
}

// Outcome is what became of a code that was lent.
type Outcome string

const (
	Held      Outcome = "held"      // not heard of: it may be printed at any moment, or be on paper
	Issued    Outcome = "issued"    // on a verbale that we have
	Returned  Outcome = "returned"  // not printed: back in the pool
	Spoiled   Outcome = "spoiled"   // printed, or perhaps, and set aside for the reason given
	Aside     Outcome = "aside"     // set aside because its handheld was lost or fell silent
	Unprinted Outcome = "unprinted" // aside, and its handheld said later that it did not print it
	Paid      Outcome = "paid"      // paid, and still on no verbale: the slip exists
)

// Accounted is one code of one lease, and the proof of what became of it.
type Accounted struct {
	Code    multe.Code // as it is now; of a returned code, perhaps lent to another since
	Lease   multe.LeaseID
	Lent    time.Time
	Outcome Outcome
	At      time.Time // when that happened
	Proof   string    // issued: id of the verbale; returned, unprinted: of the request; spoiled: the reason
}

// Open reports whether nobody knows where the code is.
func (a Accounted) Open() bool { return a.Outcome == Held || a.Outcome == Aside || a.Outcome == Paid }

// Account tells of every code lent to device d on a day, in the order it was
// lent, what became of it. An unknown device was lent nothing.
func (p *Pool) Account(ctx context.Context, c multe.CreditorID, d multe.DeviceID, day multe.Day) ([]Accounted, error) {
	var list []Accounted
	err := p.store.View(ctx, func(r store.Reader) error {
		list = nil
		return store.Each(func(after multe.LeaseID) ([]multe.Lease, error) { return r.LeasesOf(c, d, after, store.MaxPage) },
			func(l multe.Lease) multe.LeaseID { return l.ID },
			func(l multe.Lease) error {
				if multe.DayOf(l.At) != day {
					return nil
				}
				for _, pos := range l.Positions {
					a, err := account(r, l, pos)
					if err != nil {
						return err
					}
					list = append(list, a)
				}
				return nil
			})
	})
	return list, err
}

// account follows one code from its lease on, until it went back to the pool.
func account(r store.Reader, l multe.Lease, pos multe.PositionID) (Accounted, error) {
	k, err := r.Code(l.Creditor, pos)
	if err != nil {
		return Accounted{}, err
	}
	a := Accounted{Code: k, Lease: l.ID, Lent: l.At, Outcome: Held, At: l.At}
	mine := false
	err = each(r, l.Creditor, pos, func(e multe.AuditEntry) {
		if e.Action == actionAssigned {
			mine = e.Subject == string(l.ID)
		}
		if !mine {
			return
		}
		become := func(o Outcome, proof string) { a.Outcome, a.At, a.Proof = o, e.At, proof }
		switch e.Action {
		case actionIssued:
			become(Issued, e.Subject)
		case actionReturned:
			become(Returned, e.Subject)
		case actionSpoiled:
			become(Spoiled, e.Subject)
		case actionQuarantined:
			become(Aside, "")
		case actionUnprinted:
			become(Unprinted, e.Subject)
		}
	})
	if a.Open() && k.State == multe.CodePaid {
		a.Outcome, a.At = Paid, k.Changed
	}
	return a, err
}

// each reads the whole history of a position.
func each(r store.Reader, c multe.CreditorID, pos multe.PositionID, fn func(multe.AuditEntry)) error {
	return store.Each(func(after uint64) ([]multe.AuditEntry, error) { return r.Audit(c, pos, after, store.MaxPage) },
		func(e multe.AuditEntry) uint64 { return e.Seq },
		func(e multe.AuditEntry) error { fn(e); return nil })
}

func code(r store.Reader, c multe.CreditorID, pos multe.PositionID) (multe.Code, error) {
	k, err := r.Code(c, pos)
	if errors.Is(err, fault.NotFound) {
		return k, fault.Wrap(fault.NotFound, "code.unknown", "Il codice non risulta tra quelli dell'ente.", err)
	}
	return k, err
}

// device is who a handheld is in the history.
func device(d multe.DeviceID) string { return "device:" + string(d) }
