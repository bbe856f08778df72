package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func idempotency(c multe.CreditorID, key string, expires time.Time) multe.Idempotency {
	return multe.Idempotency{Creditor: c, Actor: "operator:O1", Operation: "AddDevice", Key: digest(key), Request: digest("body"), Run: "r1",
		Status: 201, Type: "application/json", ETag: `"1"`, Reply: []byte("{}\x00\xff"), Expires: expires, Version: 1}
}

func idempotencyKinds(c multe.CreditorID) []kind {
	return []kind{kindOf("idempotency", func() multe.Idempotency { return idempotency(c, "k", noon) },
		func(i *multe.Idempotency) *uint64 { return &i.Version }, store.Tx.PutIdempotency,
		func(r store.Reader) (multe.Idempotency, error) {
			return r.Idempotency(c, "operator:O1", "AddDevice", digest("k"))
		}, func(i *multe.Idempotency) { i.Reply[0] = '?' })}
}

// idempotenciesAreForgotten checks their order, that one that is dropped is gone
// from every list, that an update that fails drops nothing, and that the place of
// one is free again.
func idempotenciesAreForgotten(t *testing.T, s store.Store) {
	list := func(after multe.Idempotency, limit int) (got []multe.Digest) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			page, err := r.Idempotencies(after, limit)
			for _, i := range page {
				got = append(got, i.Key)
			}
			return err
		})
		return got
	}
	late, early, none := idempotency(ours, "late", noon.Add(time.Hour)), idempotency(theirs, "early", noon), idempotency("", "none", noon.Add(time.Minute))
	update(t, s, func(tx store.Tx) error {
		for _, i := range []multe.Idempotency{late, early, none} {
			if err := tx.PutIdempotency(i); err != nil {
				return err
			}
		}
		return nil
	})
	if diff := cmp.Diff([]multe.Digest{early.Key, none.Key, late.Key}, list(multe.Idempotency{}, 10)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]multe.Digest{none.Key}, list(early, 1)); diff != "" {
		t.Errorf("after one (-want +got):\n%s", diff)
	}
	drop := func(tx store.Tx, i multe.Idempotency) error {
		return tx.DropIdempotency(i.Creditor, i.Actor, i.Operation, i.Key)
	}
	failed := s.Update(t.Context(), func(tx store.Tx) error {
		if err := drop(tx, early); err != nil {
			return err
		}
		return tx.PutIdempotency(late) // out of step
	})
	if failed == nil || len(list(multe.Idempotency{}, 10)) != 3 {
		t.Errorf("a failed update dropped one: %v", failed)
	}
	for range 2 {
		update(t, s, func(tx store.Tx) error { return drop(tx, early) })
	}
	if diff := cmp.Diff([]multe.Digest{none.Key, late.Key}, list(multe.Idempotency{}, 10)); diff != "" {
		t.Errorf("after the drop (-want +got):\n%s", diff)
	}
	update(t, s, func(tx store.Tx) error { return tx.PutIdempotency(early) })
}
