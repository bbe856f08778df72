package boltstore

import (
	"errors"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

var idempotencies = &table[multe.Idempotency]{
	name: "idempotency",
	key: func(i multe.Idempotency) key {
		return idempotencyKey(i.Creditor, i.Actor, i.Operation, i.Key)
	},
	version: func(i multe.Idempotency) uint64 { return i.Version },
	indexes: []*index[multe.Idempotency]{idempotencyExpires},
}

var idempotencyExpires = &index[multe.Idempotency]{name: "idempotency.expires", key: idempotencyExpiresKey}

func idempotencyKey(c multe.CreditorID, actor, operation string, k multe.Digest) key {
	return keyOf(string(c), actor, operation, k.String())
}

func idempotencyExpiresKey(i multe.Idempotency) key {
	return key{}.instant(i.Expires).text(string(i.Creditor)).text(i.Actor).text(i.Operation).text(i.Key.String())
}

func (r reader) Idempotency(c multe.CreditorID, actor, operation string, k multe.Digest) (multe.Idempotency, error) {
	return idempotencies.get(r.tx, idempotencyKey(c, actor, operation, k))
}

func (r reader) Idempotencies(after multe.Idempotency, limit int) ([]multe.Idempotency, error) {
	from := key{}
	if !after.Expires.IsZero() {
		from = idempotencyExpiresKey(after)
	}
	return idempotencies.list(r.tx, idempotencyExpires, key{}, from, limit)
}

func (w *txn) PutIdempotency(i multe.Idempotency) error { return idempotencies.put(w, i) }

func (w *txn) DropIdempotency(c multe.CreditorID, actor, operation string, k multe.Digest) error {
	return idempotencies.drop(w, idempotencyKey(c, actor, operation, k))
}

// drop deletes a record and its index rows; it must not be counted. A record that
// is not there is no error.
func (t *table[T]) drop(w *txn, pk key) error {
	old, err := t.get(w.tx, pk)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, ix := range t.indexes {
		if k := ix.key(old); k.b != nil {
			if err := w.set(ix.name, k.b, nil); err != nil {
				return err
			}
		}
	}
	return w.set(t.name, pk.b, nil)
}
