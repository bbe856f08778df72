package boltstore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// TestOldSchema opens a file as version 1 left it: without the newer indexes,
// and with sums that a newer program counts otherwise.
func TestOldSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, boltstore.Options{})
	for i := range 20 {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			id := fmt.Sprint(i)
			return errors.Join(
				tx.PutVerbale(multe.Verbale{Creditor: "C", Version: 1, State: multe.VerbaleIssued,
					Slip: multe.Slip{ID: multe.VerbaleID(id), Position: multe.PositionID(id), Plate: "AB123CD"}}),
				tx.AppendAudit(multe.AuditEntry{Creditor: "C", Action: "test"}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(db.Update(func(tx *bolt.Tx) error {
		return errors.Join(
			tx.DeleteBucket([]byte("verbale.plate")), tx.DeleteBucket([]byte("verbale.state")), tx.DeleteBucket([]byte("verbale.due")), tx.DeleteBucket([]byte("document")),
			tx.Bucket([]byte("tallies")).Put([]byte("of old\x00"), binary.BigEndian.AppendUint64(nil, 7)),
			tx.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, 1)))
	}), db.Close())
	if err != nil {
		t.Fatal(err)
	}

	s = open(t, path, boltstore.Options{})
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	err = s.Update(t.Context(), func(tx store.Tx) error {
		vs, err := tx.VerbaliByPlate("C", "AB123CD", "", 100)
		if err != nil || len(vs) != 20 {
			t.Errorf("by plate: %d verbali, %v; want 20", len(vs), err)
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: "C", Action: "after"}); err != nil {
			return err
		}
		lines, err := tx.Audit("C", "", 20, 10)
		if err != nil || len(lines) != 1 || lines[0].Seq != 21 {
			t.Errorf("audit after 20 = %+v, %v; want one line, 21", lines, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
