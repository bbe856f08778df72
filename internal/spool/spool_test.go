package spool_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"preavviso/internal/fault"
	"preavviso/internal/spool"
)

// TestSpool writes an output, loses its end, goes on and removes it.
func TestSpool(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := spool.New(dir)
	if names, err := s.Names(); err != nil || len(names) != 0 {
		t.Fatalf("a spool that is not there yet: %q, %v", names, err)
	}
	write := func(name string, size int64, text string) error {
		o, err := s.Open(name, size)
		if err != nil {
			return err
		}
		_, err = io.WriteString(o, text)
		return errors.Join(err, o.Sync(), o.Close())
	}
	read := func(name string) string {
		t.Helper()
		in, size, err := s.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil || int64(len(b)) != size {
			t.Fatal(err, size)
		}
		return string(b)
	}
	if err := errors.Join(write("a-1", 0, "one two"), s.Keep("a-1", 1, []byte("state")), write("a-1", 4, "three"), write("a-2", 0, "other")); err != nil {
		t.Fatal(err)
	}
	if got := read("a-1"); got != "one three" {
		t.Errorf("%q", got)
	}
	if b, err := s.Checkpoint("a-1", 1); err != nil || string(b) != "state" {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".state-half"), nil, 0o600); err != nil { // of a process that was killed
		t.Fatal(err)
	}
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"a-1", "a-2"}) {
		t.Errorf("%q, %v", names, err)
	}
	for name, err := range map[string]error{
		"longer than it is": write("a-1", 10, ""), "not there": write("b", 1, ""),
		"no checkpoint": func() error { _, err := s.Checkpoint("a-1", 2); return err }(),
		"no output":     func() error { _, _, err := s.Read("b"); return err }(),
	} {
		if !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want NotFound", name, err)
		}
	}
	if err := errors.Join(s.Forget("a-1", 1), s.Forget("a-1", 1), s.Keep("a-1", 2, nil), s.Remove("a-1")); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "a-2.out" {
		t.Errorf("left: %v, %v", left, err)
	}
	if info, err := left[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info, err)
	}
}
