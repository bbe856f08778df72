package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	bolt "go.etcd.io/bbolt"
)

// maxFindings is how many faults Check tells: the first ones say what happened.
const maxFindings = 20

// Check reads the whole store and returns what is wrong with it, joined: pages
// that bbolt cannot account for, records that cannot be read, index rows without
// record or missing, sums that do not add up. It sees one consistent snapshot
// while the store works on. It is for restored copies and for suspicion; its
// errors name tables, never records.
func (s *Store) Check(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.RUnlock()
	var found []error
	report := func(err error) {
		if len(found) < maxFindings {
			found = append(found, err)
		}
	}
	err := s.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			report(errDamaged("pages", err))
		}
		sums := map[string]uint64{}
		for _, t := range tables {
			if err := ctx.Err(); err != nil {
				return errCancelled(err)
			}
			t.check(tx, sums, report)
		}
		stored := map[string]uint64{}
		_ = tx.Bucket([]byte(tallies)).ForEach(func(k, v []byte) error {
			stored[string(k)] = number(v)
			return nil
		})
		if !maps.Equal(stored, sums) {
			report(errDamaged(tallies, errors.New("sums do not add up")))
		}
		return nil
	})
	return errors.Join(append(found, err)...)
}

// check compares the records of one table with its index rows, and counts them
// into sums.
func (t *table[T]) check(tx *bolt.Tx, sums map[string]uint64, report func(error)) {
	want := make([]int, len(t.indexes)) // rows each index should have
	_ = tx.Bucket([]byte(t.name)).ForEach(func(k, v []byte) error {
		rec, err := decode[T](t.name, v)
		if err != nil {
			report(err)
			return nil
		}
		if !bytes.Equal(t.key(rec).b, k) {
			report(errDamaged(t.name, errors.New("record under another key")))
		}
		for i, ix := range t.indexes {
			at := ix.key(rec).b
			if at == nil {
				continue
			}
			want[i]++
			if !bytes.Equal(tx.Bucket([]byte(ix.name)).Get(at), k) {
				report(errDamaged(ix.name, errors.New("row missing or of another record")))
			}
		}
		if t.tally != nil {
			for _, k := range t.tally(rec) {
				sums[string(k.b)]++
			}
		}
		return nil
	})
	for i, ix := range t.indexes {
		have := 0
		_ = tx.Bucket([]byte(ix.name)).ForEach(func(_, _ []byte) error { have++; return nil })
		if have != want[i] {
			report(errDamaged(ix.name, fmt.Errorf("%d rows, want %d", have, want[i])))
		}
	}
}
