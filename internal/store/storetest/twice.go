package storetest

import (
	"context"
	"errors"

	"preavviso/internal/store"
)

// Twice returns s with every update function run two times, the first time for
// nothing. A backend that never repeats a function then catches in a test what
// one that does would do in the field: a result kept from the run that did not
// count, a function that is not ready to run again.
func Twice(s store.Store) store.Store { return twice{s} }

type twice struct{ store.Store }

var errRehearsal = errors.New("storetest: rehearsal, not kept")

func (s twice) Update(ctx context.Context, fn func(store.Tx) error) error {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errRehearsal
	})
	if !errors.Is(err, errRehearsal) {
		return err
	}
	return s.Store.Update(ctx, fn)
}
