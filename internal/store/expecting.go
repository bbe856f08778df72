package store

import (
	"context"

	"preavviso/internal/multe"
)

// Expecting returns s, refusing an update whose context expects another version of
// a record ([multe.WithExpected]) than the one it replaces. An update that puts
// nothing of that record passes: what is asked for is there already.
func Expecting(s Store) Store { return expecting{s} }

type expecting struct{ Store }

func (s expecting) Update(ctx context.Context, fn func(Tx) error) error {
	want, ok := multe.ExpectedIn(ctx)
	if !ok {
		return s.Store.Update(ctx, fn)
	}
	return s.Store.Update(ctx, func(tx Tx) error { return fn(&expectingTx{Tx: tx, want: want}) })
}

type expectingTx struct {
	Tx
	want multe.Expected
	met  bool // the record was put: what follows in the same update replaces our own
}

func (t *expectingTx) check(c multe.CreditorID, kind, id string, next uint64, put func() error) error {
	if !t.met {
		if err := t.want.Check(c, kind, id, next); err != nil {
			return err
		}
	}
	t.met = t.met || c == t.want.Creditor && kind == t.want.Kind && id == t.want.ID
	return put()
}

func (t *expectingTx) PutVerbale(v multe.Verbale) error {
	return t.check(v.Creditor, "verbali", string(v.Slip.ID), v.Version, func() error { return t.Tx.PutVerbale(v) })
}

func (t *expectingTx) PutOperator(o multe.Operator) error {
	return t.check(o.Creditor, "operators", string(o.ID), o.Version, func() error { return t.Tx.PutOperator(o) })
}

func (t *expectingTx) PutDevice(d multe.Device) error {
	return t.check(d.Creditor, "devices", string(d.ID), d.Version, func() error { return t.Tx.PutDevice(d) })
}

// PutDocument takes the N of the last document of a kind for its version.
func (t *expectingTx) PutDocument(d multe.Document) error {
	return t.check(d.Creditor, "documents", string(d.Kind), d.N, func() error { return t.Tx.PutDocument(d) })
}
