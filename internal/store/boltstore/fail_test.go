package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

const creditor multe.CreditorID = "12345678903"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func put(p string) func(store.Tx) error {
	return func(tx store.Tx) error {
		c := multe.RequestCode(creditor, multe.PositionID(p), noon)
		return errors.Join(tx.PutCode(c), tx.AppendAudit(multe.AuditEntry{Creditor: creditor, Position: c.Position, At: noon}))
	}
}

func has(t *testing.T, s store.Store, p string) bool {
	t.Helper()
	err := s.View(context.Background(), func(r store.Reader) error {
		_, err := r.Code(creditor, multe.PositionID(p))
		return err
	})
	if err != nil && !errors.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// TestGroupCommit runs updates that share commits and fail in every way: each
// gets its own answer, and only the good ones are kept.
func TestGroupCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, boltstore.Options{})
	const callers, each = 40, 10
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				p := fmt.Sprintf("%02d-%02d", c, i)
				ctx, cancel := context.WithCancel(t.Context())
				var err error
				func() {
					defer func() { _ = recover() }()
					err = errors.New("panicked")
					err = s.Update(ctx, func(tx store.Tx) error {
						if err := put(p)(tx); err != nil {
							return err
						}
						switch c % 5 {
						case 1:
							return fault.Exhausted
						case 2:
							panic("a bug of ours")
						case 3:
							cancel()
						case 4: // a refused put that the function gets over leaves nothing either
							if err := put("00-00")(tx); c > 4 && i == each-1 && !errors.Is(err, fault.Conflict) {
								return fmt.Errorf("a code put twice: %w", err)
							}
						}
						return nil
					})
				}()
				cancel()
				if good := c%5 == 0 || c%5 == 4; good != (err == nil) {
					t.Errorf("%s: %v", p, err)
				}
			}
		})
		if c == 0 {
			wg.Wait() // 00-00 is there before anybody puts it twice
		}
	}
	wg.Wait()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, boltstore.Options{})
	defer s.Close()
	for c := range callers {
		for i := range each {
			p := fmt.Sprintf("%02d-%02d", c, i)
			if good := c%5 == 0 || c%5 == 4; has(t, s, p) != good {
				t.Errorf("%s is there: %v, want %v", p, !good, good)
			}
		}
	}
}

// TestEndedGoroutine: a function that ends its goroutine, as t.Fatal does, must
// not take the store with it.
func TestEndedGoroutine(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"), boltstore.Options{})
	defer s.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Update(t.Context(), func(tx store.Tx) error {
			if err := put("P1")(tx); err != nil {
				t.Error(err)
			}
			runtime.Goexit()
			return nil
		})
	})
	wg.Wait()
	if has(t, s, "P1") {
		t.Error("what it put was kept")
	}
	if err := s.Update(t.Context(), put("P2")); err != nil || !has(t, s, "P2") {
		t.Errorf("the next update: %v", err)
	}
}

// TestCloseWaits: what was begun before Close is kept, what comes later decides
// nothing.
func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, boltstore.Options{})
	running, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			close(running)
			<-release
			return put("slow")(tx)
		})
		if err != nil {
			t.Errorf("an update that ran when the store was closed: %v", err)
		}
	})
	<-running
	acked := make([]error, 20)
	for i := range acked {
		wg.Go(func() { acked[i] = s.Update(t.Context(), put(fmt.Sprint(i))) })
	}
	wg.Go(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	close(release)
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	s = open(t, path, boltstore.Options{})
	defer s.Close()
	if !has(t, s, "slow") {
		t.Error("an update that ran when the store was closed is gone")
	}
	for i, err := range acked {
		if err != nil && !errors.Is(err, fault.Unavailable) {
			t.Errorf("%d: %v", i, err)
		}
		if has(t, s, fmt.Sprint(i)) != (err == nil) {
			t.Errorf("%d: told %v, but stored %v", i, err, err != nil)
		}
	}
}

// TestWaitingEndsWithItsContext: nobody waits for a turn longer than they want.
func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "store"), boltstore.Options{})
		defer s.Close()
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Update(t.Context(), func(store.Tx) error { <-release; return nil }); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // until it runs
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			err := s.Update(ctx, func(store.Tx) error { t.Error("it ran"); return nil })
			if !errors.Is(err, context.Canceled) || !errors.Is(err, fault.Unavailable) {
				t.Errorf("Update: %v, want it canceled and unavailable", err)
			}
			close(release)
		})
		synctest.Wait() // until it waits
		cancel()
		wg.Wait()
	})
}

// TestRefusedPut: a put that is refused half way, which the function gets over,
// leaves nothing of itself.
func TestRefusedPut(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"), boltstore.Options{})
	defer s.Close()
	dev := func(id string, token, invite byte) multe.Device {
		return multe.Device{Creditor: creditor, ID: multe.DeviceID(id), Token: multe.Digest{token}, Invite: multe.Digest{invite}, Version: 1}
	}
	err := s.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.PutDevice(dev("D1", 1, 1)); err != nil {
			return err
		}
		if err := tx.PutDevice(dev("D2", 2, 1)); !errors.Is(err, fault.Conflict) {
			t.Errorf("a second invite: %v, want a conflict", err)
		}
		if _, err := tx.DeviceByToken(multe.Digest{2}); !errors.Is(err, fault.NotFound) {
			t.Errorf("the token of what was refused: %v, want not found", err)
		}
		return tx.PutDevice(dev("D3", 2, 3))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCommitFailureStops puts a descriptor that cannot be written in the place of
// the store's own: its writes fail, as on a broken disk.
func TestCommitFailureStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	fatal := make(chan error, 2)
	s := open(t, path, boltstore.Options{Fatal: func(err error) { fatal <- err }})
	if err := s.Update(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	breakFile(t, path)

	const callers = 8
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { errs[i] = s.Update(t.Context(), put(fmt.Sprint(i))) })
	}
	wg.Wait()
	for i, err := range errs {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%d: %v, want unavailable", i, err)
		}
	}
	if err := s.View(t.Context(), func(store.Reader) error { return nil }); fault.Of(err).Code != "store.failed" {
		t.Errorf("View: %v, want store.failed", err)
	}
	if err := s.Backup(t.Context(), &bytes.Buffer{}); fault.Of(err).Code != "store.failed" {
		t.Errorf("Backup: %v, want store.failed", err)
	}
	if len(fatal) != 1 {
		t.Errorf("Fatal was called %d times, want once", len(fatal))
	} else if err := <-fatal; !errors.Is(err, unix.EBADF) {
		t.Errorf("Fatal was told %v, want what the disk said", err)
	}
	_ = s.Close() // must end; what it says about a broken file does not matter

	s = open(t, path, boltstore.Options{})
	defer s.Close()
	if !has(t, s, "before") {
		t.Error("what was acknowledged before is gone")
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// breakFile makes every write to the open file at path fail.
func breakFile(t *testing.T, path string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to == path {
			var n int
			if _, err := fmt.Sscan(fd.Name(), &n); err != nil {
				t.Fatal(err)
			}
			if n == int(readOnly.Fd()) {
				continue
			}
			if err := unix.Dup3(int(readOnly.Fd()), n, unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("the store's file is not open")
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store"), boltstore.Options{})
	defer s.Close()
	for i := range 100 {
		if err := s.Update(t.Context(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // the copy is of one moment
		for i := 100; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.Update(t.Context(), put(fmt.Sprint(i))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var image bytes.Buffer
	err := s.Backup(t.Context(), &image)
	close(stop)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(dir, "restored")
	if err := os.WriteFile(restored, image.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, restored, boltstore.Options{})
	defer r.Close()
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for i := range 100 {
		if !has(t, r, fmt.Sprint(i)) {
			t.Errorf("%d is not in the copy", i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Backup(ctx, writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })); !strings.Contains(fmt.Sprint(err), "canceled") {
		t.Errorf("Backup whose context ends: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestOpenRefuses(t *testing.T) {
	whole := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "store")
		s := open(t, path, boltstore.Options{})
		for i := range 50 {
			if err := s.Update(t.Context(), put(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	edit := func(t *testing.T, path string, fn func(tx *bolt.Tx) error) {
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Update(fn); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		code  string
		kind  fault.Kind
	}{
		{"a file of another process", func(t *testing.T, path string) {
			s := open(t, path, boltstore.Options{})
			t.Cleanup(func() { s.Close() })
		}, "store.locked", fault.Unavailable},
		{"a newer schema", func(t *testing.T, path string) {
			edit(t, path, func(tx *bolt.Tx) error {
				return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte{0, 0, 0, 0, 0, 0, 1, 0})
			})
		}, "store.newer_schema", fault.Invalid},
		{"another program's bbolt file", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			edit(t, path, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
		}, "store.foreign", fault.Invalid},
		{"a text file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("ciao "), 10000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged_file", fault.Invalid},
		{"a file of one byte", func(t *testing.T, path string) {
			if err := os.Truncate(path, 1); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged_file", fault.Invalid},
		{"a file cut in the middle", func(t *testing.T, path string) {
			if err := os.Truncate(path, 3*4096+17); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged_file", fault.Invalid},
		{"a directory", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged_file", fault.Invalid},
		{"no such directory", func(t *testing.T, path string) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, "store.unreadable", fault.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := whole(t)
			tt.spoil(t, path)
			s, err := boltstore.Open(path, boltstore.Options{})
			if err == nil {
				s.Close()
				t.Fatal("it opened")
			}
			if e := fault.Of(err); e.Code != tt.code || e.Kind != tt.kind || e.Detail == "" {
				t.Errorf("%v, want %s", err, tt.code)
			}
		})
	}
}

// TestCheckFinds plants faults that bbolt itself cannot see.
func TestCheckFinds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(tx *bolt.Tx) error
		want  string // the table that is named
	}{
		{"nothing", func(*bolt.Tx) error { return nil }, ""},
		{"a row too many", func(tx *bolt.Tx) error { return tx.Bucket([]byte("code.device")).Put([]byte("x"), []byte("y")) }, "code.device"},
		{"a row missing", func(tx *bolt.Tx) error {
			k, _ := tx.Bucket([]byte("code.state")).Cursor().First()
			return tx.Bucket([]byte("code.state")).Delete(k)
		}, "code.state"},
		{"a row of another record", func(tx *bolt.Tx) error {
			k, _ := tx.Bucket([]byte("code.state")).Cursor().First()
			return tx.Bucket([]byte("code.state")).Put(k, []byte("y"))
		}, "code.state"},
		{"a record under another key", func(tx *bolt.Tx) error {
			_, v := tx.Bucket([]byte("code")).Cursor().First()
			return tx.Bucket([]byte("code")).Put([]byte("x"), v)
		}, "code"},
		{"a record that cannot be read", func(tx *bolt.Tx) error { return tx.Bucket([]byte("lease")).Put([]byte("x"), []byte("y")) }, "lease"},
		{"a wrong sum", func(tx *bolt.Tx) error {
			k, _ := tx.Bucket([]byte("tallies")).Cursor().First()
			return tx.Bucket([]byte("tallies")).Put(k, []byte{0, 0, 0, 0, 0, 0, 0, 9})
		}, "tallies"},
		{"a sum missing", func(tx *bolt.Tx) error {
			k, _ := tx.Bucket([]byte("tallies")).Cursor().First()
			return tx.Bucket([]byte("tallies")).Delete(k)
		}, "tallies"},
	} {
		path := filepath.Join(t.TempDir(), "store")
		s := open(t, path, boltstore.Options{})
		if err := errors.Join(s.Update(t.Context(), put("P1")), s.Close()); err != nil {
			t.Fatal(err)
		}
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(tt.spoil), db.Close()); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, boltstore.Options{})
		err = errors.Join(s.Check(t.Context()), s.Close())
		if tt.want == "" && err != nil || tt.want != "" && (fault.Of(err).Code != "store.damaged" || !strings.Contains(err.Error(), ": "+tt.want+": ")) {
			t.Errorf("%s: %v, want %q named", tt.name, err, tt.want)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, boltstore.Options{})
	defer s.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

// The tests below run this program again as another process, which may die.
const (
	childEnv  = "BOLTSTORE_TEST_CHILD"
	childPath = "BOLTSTORE_TEST_PATH"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "write":
		childWrites(os.Getenv(childPath))
	case "open":
		s, err := boltstore.Open(os.Getenv(childPath), boltstore.Options{})
		if err == nil {
			err = errors.Join(s.Check(context.Background()), s.Close())
		}
		if err != nil {
			fmt.Println("refused:", err)
			os.Exit(1)
		}
	}
}

func child(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+what, childPath+"="+path,
		"GORACE=atexit_sleep_ms=0") // the race detector sleeps before it lets a process go
	return cmd
}

// childWrites moves codes along from eight goroutines for ever, and prints each
// position and version once it is acknowledged.
func childWrites(path string) {
	s, err := boltstore.Open(path, boltstore.Options{Fatal: func(err error) { panic(err) }})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				p := multe.PositionID(fmt.Sprintf("%d-%d-%06d", os.Getpid(), w, i))
				c := multe.RequestCode(creditor, p, noon)
				for _, next := range []multe.CodeState{multe.CodeAvailable, multe.CodeAssigned, multe.CodeIssued} {
					err := s.Update(context.Background(), func(tx store.Tx) error {
						return errors.Join(tx.PutCode(c), tx.AppendAudit(multe.AuditEntry{Creditor: creditor, Position: p, At: noon}))
					})
					if err != nil {
						fmt.Println(err)
						os.Exit(1)
					}
					// One write: a line is there whole or not at all.
					_, _ = os.Stdout.WriteString(fmt.Sprintf("ok %s %d\n", p, c.Version))
					c.State, c.Device, c.Version = next, multe.DeviceID(fmt.Sprint("D", w)), c.Version+1
				}
			}
		})
	}
	wg.Wait()
}

// TestKilled kills a writer at moments it does not choose, again and again on
// the same file: whatever was acknowledged is there, and all agrees.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "store")
	acked := map[multe.PositionID]uint64{}
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 0))
	for range 12 {
		cmd := child(t, "write", path)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100*time.Millisecond + time.Duration(rng.IntN(150_000))*time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		before := len(acked)
		for line := range strings.Lines(out.String()) {
			var p string
			var v uint64
			if _, err := fmt.Sscanf(line, "ok %s %d\n", &p, &v); err != nil {
				t.Fatalf("the writer said %q", line)
			}
			acked[multe.PositionID(p)] = max(acked[multe.PositionID(p)], v)
		}
		t.Logf("killed after %d more codes", len(acked)-before)

		s := open(t, path, boltstore.Options{})
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		err := s.View(t.Context(), func(r store.Reader) error {
			for p, v := range acked {
				if c, err := r.Code(creditor, p); err != nil || c.Version < v {
					t.Errorf("%s: version %d, %v; %d was acknowledged", p, c.Version, err, v)
				}
			}
			return nil
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) == 0 {
		t.Error("nothing was ever written: the test proves nothing")
	}
}

// TestDamagedFile spoils pages of a file at random and opens it in another
// process: it may work, refuse, or at the worst end with a trace that names the
// damage, but never hang or say nothing.
func TestDamagedFile(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, boltstore.Options{})
	for i := range 300 {
		if err := s.Update(t.Context(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	var image bytes.Buffer
	if err := errors.Join(s.Backup(t.Context(), &image), s.Close()); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	outcomes := map[string]int{}
	for i := range 24 {
		b := bytes.Clone(image.Bytes())
		what := "nothing"
		if i > 0 {
			at := rng.IntN(len(b))
			n := 1 << rng.IntN(13)
			what = fmt.Sprintf("%d bytes at %d", n, at)
			for j := at; j < min(at+n, len(b)); j++ {
				b[j] = byte(rng.Uint32())
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := child(t, "open", path).CombinedOutput()
		switch text := string(out); {
		case err == nil:
			outcomes["works"]++
		case strings.Contains(text, "refused:"): // perhaps after a race that bbolt runs with itself over bad pages
			outcomes["refused"]++
		case strings.Contains(text, "panic:") || strings.Contains(text, "fatal error:"):
			outcomes["crashed"]++
		default:
			t.Errorf("%s spoilt: %v: %s", what, err, text)
		}
		if i == 0 && err != nil {
			t.Fatalf("nothing spoilt: %v: %s", err, out)
		}
	}
	if outcomes["refused"] == 0 {
		t.Error("nothing was ever refused: the test proves nothing")
	}
	t.Log(outcomes)
}
