package ppaysim

import (
	"path/filepath"
	"testing"
)

// TestMessagesAreBounded fills the record beyond both of its limits.
func TestMessagesAreBounded(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "sim.db"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := func() (first, last uint64, n int) {
		t.Helper()
		if err := s.view(func(x tx) error {
			return scan(x, bMessages, nil, nil, func(_ []byte, m Message) (bool, error) {
				if n++; n == 1 {
					first = m.Seq
				}
				last = m.Seq
				return true, nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		return first, last, n
	}
	record := func(n int, body string) {
		t.Helper()
		if err := s.update(func(x tx) error {
			for range n {
				if err := s.record(x, Message{Body: body}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	record(maxMessages+10, "x")
	if first, last, n := kept(); first != 11 || last != maxMessages+10 || n != maxMessages {
		t.Errorf("%d messages, %d to %d", n, first, last)
	}
	// As if the messages kept were as large as all may be together.
	if err := s.update(func(x tx) error { return put(x, bMeta, []byte(kBytes), maxMessageBytes) }); err != nil {
		t.Fatal(err)
	}
	record(1, "a message that takes the place of others")
	if first, last, n := kept(); n >= maxMessages || first <= 12 || last != maxMessages+11 {
		t.Errorf("%d messages, %d to %d", n, first, last)
	}
}

// TestNewFileIsReadable: a file that was just made can be read.
func TestNewFileIsReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sim.db")
	s, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.Dump(); err != nil || len(d.Positions) != 0 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := Open(path, Config{}); err == nil {
		t.Error("the file was opened twice")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
