package store

import (
	"time"

	"preavviso/internal/multe"
)

// The reasons that go to the platform with an annulment that no person asked for.
const (
	ReasonReissued = "Sostituito da un altro avviso"
	ReasonSibling  = "Pagato con un altro avviso"
	ReasonDiscount = "Termine per l'importo scontato trascorso"
)

// Tell leaves a change for the platform, behind those its position has; ch.Seq is
// given here. It belongs in the transaction of the fact behind it.
func Tell(tx Tx, actor string, ch multe.Change, at time.Time) error {
	changes, err := tx.ChangesOf(ch.Creditor, ch.Position, 0, MaxPage) // a life has a handful
	if err != nil {
		return err
	}
	ch.Seq = 1
	if n := len(changes); n > 0 {
		ch.Seq = changes[n-1].Seq + 1
	}
	if err := tx.PutChange(ch); err != nil {
		return err
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: ch.Creditor, At: multe.Instant(at), Actor: actor, Action: "change." + string(ch.Kind),
		Position: ch.Position, Subject: string(ch.ID()), To: string(ch.State)})
}

// Annul leaves the annulment of a position for the platform, from notBefore on,
// unless one waits, is on its way or was done.
func Annul(tx Tx, actor string, c multe.CreditorID, p multe.PositionID, v multe.VerbaleID, reason string, notBefore, at time.Time) error {
	changes, err := tx.ChangesOf(c, p, 0, MaxPage)
	if err != nil {
		return err
	}
	for _, e := range changes {
		if e.Kind == multe.ChangeVoid && e.State != multe.ChangeRefused {
			return nil
		}
	}
	ch := multe.NewChange(c, p, 0, multe.ChangeVoid, multe.Desired{Reason: reason}, at)
	ch.Verbale, ch.NotBefore = v, multe.Instant(notBefore)
	return Tell(tx, actor, ch, at)
}

// Drop refuses the changes of a position that have not left; code is why. With
// doubtful, also those whose fate nobody knows.
func Drop(tx Tx, actor string, c multe.CreditorID, p multe.PositionID, code string, doubtful bool, at time.Time) error {
	changes, err := tx.ChangesOf(c, p, 0, MaxPage)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if ch.State != multe.ChangeWaiting && !(doubtful && ch.State == multe.ChangeUnknown) {
			continue
		}
		next, err := ch.Refuse(code, at)
		if err != nil {
			return err
		}
		if err := tx.PutChange(next); err != nil {
			return err
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: c, At: multe.Instant(at), Actor: actor, Action: "change.refused",
			Position: p, Subject: string(ch.ID()), From: string(ch.State), To: string(next.State)}); err != nil {
			return err
		}
	}
	return nil
}
