package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"preavviso/internal/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	cause := errors.New("disk on fire")
	for _, k := range fault.Kinds() {
		err := fmt.Errorf("outer: %w", fmt.Errorf("inner: %w", fault.Wrap(k, "a.b", "Testo.", cause)))
		for _, other := range fault.Kinds() {
			if got, want := errors.Is(err, other), k == other; got != want {
				t.Errorf("errors.Is(%v, %v) = %v, want %v", k, other, got, want)
			}
		}
		if !errors.Is(err, cause) {
			t.Errorf("%v hides its cause", k)
		}
		if e := fault.Of(err); e.Kind != k || e.Code != "a.b" || e.Detail != "Testo." {
			t.Errorf("Of(%v) = %+v", k, e)
		}
	}
}

func TestOfUnclassified(t *testing.T) {
	for _, err := range []error{nil, errors.New("secret"), fault.Internal} {
		if e := fault.Of(err); e.Kind != fault.Internal || e.Code != "internal" || e.Detail == "" {
			t.Errorf("Of(%v) = %+v, want a plain internal error", err, e)
		}
	}
}

func TestOfBareKind(t *testing.T) {
	for _, k := range fault.Kinds()[1:] {
		e := fault.Of(fmt.Errorf("reading code: %w", k))
		if e.Kind != k || e.Code == "" || e.Detail == "" || e.Code == "internal" {
			t.Errorf("Of(wrapped %v) = %+v", k, e)
		}
	}
}
