package client

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// TestRedirectIsNoReceipt: where an answer points to is not the service. Following it
// would hand a slip, signed, to whoever is there, in clear if that is what it says,
// and take what they answer for a receipt.
func TestRedirectIsNoReceipt(t *testing.T) {
	for _, status := range []int{http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		asked := 0
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Content-Type", kindJSON)
			_, _ = w.Write([]byte(`{}`))
		}))
		defer other.Close()
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}))
		defer front.Close()
		c, err := NewConn(front.URL, testSigner(t))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(http.MethodPost, "/v1/verbali", []byte(`{}`))
		if no, is := errors.AsType[*Refusal](err); !is || !no.Temporary() || asked != 0 {
			t.Errorf("%d: %v, the other was asked %d times; want a refusal that is tried again", status, err, asked)
		}
	}
}

func testSigner(t *testing.T) Signer {
	t.Helper()
	key, err := LoadKey(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestReadMeansDurable: a program that was killed between writing a record and
// syncing it finds the record again in the memory of the system. Before it acts on
// it, the record must be on the disk: else a flat battery takes it back, and its
// code goes on a second slip.
func TestReadMeansDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, record([]byte("uno")), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := &synced{file: f}
	if _, payloads, err := resume(path, &resumed{s, f}); err != nil || len(payloads) != 1 {
		t.Fatalf("%d records, %v", len(payloads), err)
	}
	if s.did != "s" {
		t.Errorf("a journal that was read was used like this: %q, want it synced once", s.did)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// resumed is a synced file that can also be cut.
type resumed struct {
	*synced
	f *os.File
}

func (r *resumed) Read(p []byte) (int, error)              { return r.f.Read(p) }
func (r *resumed) Truncate(n int64) error                  { return r.f.Truncate(n) }
func (r *resumed) Seek(n int64, whence int) (int64, error) { return r.f.Seek(n, whence) }

// TestLostCompaction: where compacting failed after the new file took the name, what
// is written into the old one is in no file that anybody will read.
func TestLostCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.append(bytes.Repeat([]byte("x"), 100)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the folder cannot be synced")
	if err := j.replace([]byte("due"), func(path string, data []byte) error { return errors.Join(writeFile(path, data), broken) }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if err := j.append([]byte("tre")); err == nil {
		_, payloads, err := openJournal(path)
		t.Errorf("a record was written that is not read again: %q, %v", payloads, err)
	}
}

// TestFailedCompactionIsHarmless: where the new file never took the name, the warden
// goes on with the old one.
func TestFailedCompactionIsHarmless(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	full := errors.New("no space")
	if err := j.replace([]byte("due"), func(string, []byte) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if err := j.append([]byte("tre")); err != nil {
		t.Fatal(err)
	}
	again, payloads, err := openJournal(path)
	if err != nil || len(payloads) != 1 || string(payloads[0]) != "tre" {
		t.Fatalf("%q, %v", payloads, err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}

// TestOneProgramAtATime: two programs on one folder would each put another slip on
// the same free code.
func TestOneProgramAtATime(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir, "http://palmari.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "http://palmari.example"); !errors.Is(err, ErrInUse) {
		t.Fatalf("a folder in use: %v, want ErrInUse", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(dir, "http://palmari.example"); err != nil {
		t.Fatal("a folder that was closed:", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
