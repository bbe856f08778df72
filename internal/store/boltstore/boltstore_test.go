package boltstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

func open(t testing.TB, path string, o boltstore.Options) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.Store, func() store.Store) {
		path := filepath.Join(t.TempDir(), "store")
		s := open(t, path, boltstore.Options{})
		t.Cleanup(func() { // after the test has closed it
			s := open(t, path, boltstore.Options{})
			defer s.Close()
			if err := s.Check(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return s, func() store.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			s = open(t, path, boltstore.Options{})
			return s
		}
	})
}
