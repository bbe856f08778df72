package access

import (
	"errors"
	"testing"

	"preavviso/internal/fault"
)

// TestFloodIsRefused: who comes when too many wait is told so at once, and leaves
// nothing behind.
func TestFloodIsRefused(t *testing.T) {
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range cap(a.waiting) {
		a.waiting <- struct{}{}
	}
	if err := a.withHash(t.Context(), func() { t.Error("it was worked all the same") }); !errors.Is(err, fault.Unavailable) {
		t.Errorf("in a flood: %v", err)
	}
	<-a.waiting
	for range 2 {
		ran := false
		if err := a.withHash(t.Context(), func() { ran = true }); err != nil || !ran {
			t.Errorf("after it: %t, %v", ran, err)
		}
	}
}
