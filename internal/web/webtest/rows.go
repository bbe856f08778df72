package webtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"preavviso/internal/multe"
)

// Rows returns everything that the store's file has about a creditor, of every
// kind of record there is or will be, and every message: a refused request leaves
// it as it was.
func (w *World) Rows(t testing.TB, c multe.CreditorID) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.db")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.Backup(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := map[string]string{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				if bytes.Contains(k, []byte(c)) || bytes.HasPrefix(name, []byte("message")) {
					rows[fmt.Sprintf("%s %q", name, k)] = string(v)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
