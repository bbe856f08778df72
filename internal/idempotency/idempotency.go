// Package idempotency keeps what was answered to requests with an Idempotency-Key,
// so that the same request gets the same answer and is not done twice.
//
// # What happens when
//
// Before a request is worked its key is put down with the process that works it;
// after that, what was answered. Both are commits of their own beside that of the
// use case, which knows nothing of keys. A process that ends in between leaves a
// key without an answer. The same request again then depends on the operation: one
// that is idempotent by nature is done again, which changes nothing that was done;
// another is refused (idempotency.unknown), for nobody knows whether it was done.
// Nothing is ever done twice under one key.
//
// What was refused changed nothing and is forgotten: the key may be used again.
// Answers with secrets are not kept (idempotency.done).
package idempotency

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// purgePage is how many are forgotten at once, while handhelds wait.
const purgePage = 500

// Keeper keeps keys and answers.
type Keeper struct {
	store store.Store
	now   func() time.Time
	run   string // names this process
}

// New returns a Keeper. It fails when there is no randomness.
func New(s store.Store, now func() time.Time, random io.Reader) (*Keeper, error) {
	var run [8]byte
	if _, err := io.ReadFull(random, run[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return &Keeper{s, now, hex.EncodeToString(run[:])}, nil
}

// Begin puts down that want is being worked. What it returns has a Status if want
// was answered before, and that answer is to be given; else it goes to End. want
// has no Run, no answer and no version.
func (k *Keeper) Begin(ctx context.Context, want multe.Idempotency, natural bool) (multe.Idempotency, error) {
	at := multe.Instant(k.now())
	want.Run, want.Expires = k.run, at.Add(multe.IdempotencyFor)
	var got multe.Idempotency
	err := k.store.Update(ctx, func(tx store.Tx) error {
		got = want
		known, err := tx.Idempotency(want.Creditor, want.Actor, want.Operation, want.Key)
		switch {
		case errors.Is(err, fault.NotFound):
		case err != nil:
			return err
		case !known.Expires.After(at):
			if err := tx.DropIdempotency(want.Creditor, want.Actor, want.Operation, want.Key); err != nil {
				return err
			}
			known = multe.Idempotency{}
		default:
			replay, err := known.Repeat(want, natural)
			if replay {
				got = known
			}
			if replay || err != nil {
				return err
			}
		}
		got.Version = known.Version + 1
		return tx.PutIdempotency(got)
	})
	if err != nil {
		return multe.Idempotency{}, fmt.Errorf("beginning a request with a key: %w", err)
	}
	return got, nil
}

// End puts down what was answered to what Begin returned. Without a Status nobody
// knows what became of the request.
func (k *Keeper) End(ctx context.Context, i multe.Idempotency) error {
	i.Run, i.Version = "", i.Version+1
	if err := k.store.Update(ctx, func(tx store.Tx) error { return tx.PutIdempotency(i) }); err != nil {
		return fmt.Errorf("ending a request with a key: %w", err)
	}
	return nil
}

// Forget drops what Begin returned: the request changed nothing.
func (k *Keeper) Forget(ctx context.Context, i multe.Idempotency) error {
	err := k.store.Update(ctx, func(tx store.Tx) error {
		return tx.DropIdempotency(i.Creditor, i.Actor, i.Operation, i.Key)
	})
	if err != nil {
		return fmt.Errorf("forgetting a request with a key: %w", err)
	}
	return nil
}

// Purge forgets the keys whose time is over, some at a time. more says that there
// are others.
func (k *Keeper) Purge(ctx context.Context) (more bool, err error) {
	at := multe.Instant(k.now())
	err = k.store.Update(ctx, func(tx store.Tx) error {
		more = false
		page, err := tx.Idempotencies(multe.Idempotency{}, purgePage)
		if err != nil {
			return err
		}
		for _, i := range page {
			if i.Expires.After(at) {
				return nil
			}
			if err := tx.DropIdempotency(i.Creditor, i.Actor, i.Operation, i.Key); err != nil {
				return err
			}
		}
		more = len(page) == purgePage
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("forgetting keys: %w", err)
	}
	return more, nil
}
