package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"preavviso/internal/multe"
)

// TestOldestFirst: whoever waits longest at the side of the road becomes payable
// first, whatever the ids of the codes, and over more batches than one.
func TestOldestFirst(t *testing.T) {
	w := open(t)
	const n = multe.MaxBatch + 30
	start := w.clock
	var want []multe.ChangeID
	for i := range n {
		k := (i*37 + 11) % n // 37 and n have no common factor: each number once
		w.clock = start.Add(time.Duration(i) * time.Second)
		w.put(t, k, multe.CodeIssued, "activate")
		want = append(want, multe.Change{Position: position(k), Seq: 1}.ID())
	}
	for w.submit(t) {
	}
	var got []multe.ChangeID
	for _, b := range w.gateway.sent {
		got = append(got, b.Changes...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d changes in %d batches are not in the order of their slips", len(got), len(w.gateway.sent))
	}
}
