package boltstore

import (
	"time"

	"preavviso/internal/multe"
)

// verbaleDue finds the verbali whose amount changes next without reading all.
var verbaleDue = &index[multe.Verbale]{name: "verbale.due", key: func(v multe.Verbale) key {
	at := v.NextStep()
	if at.IsZero() {
		return key{}
	}
	return verbaleDueKey(v, at)
}}

func verbaleDueKey(v multe.Verbale, at time.Time) key {
	return keyOf(string(v.Creditor)).instant(at).text(string(v.Slip.ID))
}

func (r reader) VerbaliDue(c multe.CreditorID, after multe.Verbale, limit int) ([]multe.Verbale, error) {
	from := keyOf(string(c))
	if at := after.NextStep(); !at.IsZero() {
		after.Creditor = c
		from = verbaleDueKey(after, at)
	}
	return verbali.list(r.tx, verbaleDue, keyOf(string(c)), from, limit)
}
