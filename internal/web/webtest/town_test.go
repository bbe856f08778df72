package webtest_test

import (
	"testing"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// TestTown makes a small one: it is whole, it is the same each time, and it has
// verbali in every state.
func TestTown(t *testing.T) {
	a, b := webtest.Town(t, 300), webtest.Town(t, 300)
	if err := a.Store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	var counts []map[multe.VerbaleState]int
	for _, w := range []*webtest.World{a, b} {
		err := w.Store.View(t.Context(), func(r store.Reader) error {
			n, err := r.CountVerbali(webtest.Torino)
			counts = append(counts, n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all := 0
	for s, n := range counts[0] {
		if all += n; counts[1][s] != n {
			t.Errorf("%s: %d and %d", s, n, counts[1][s])
		}
	}
	if len(counts[0]) != 4 || all != 300 {
		t.Errorf("states: %v", counts[0])
	}
}
