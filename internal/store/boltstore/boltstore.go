// Package boltstore is the store contract on one bbolt file.
//
// A bucket holds the records of one kind, as JSON behind a format byte; further
// buckets hold their indexes and sums, written in the same transaction. A file is
// used by one process at a time.
//
// # Durability
//
// Updates that wait at the same time share one commit, so that the disk is asked
// once for all of them: each still succeeds or fails alone. A commit that reports
// an error may have happened or not (reliability-security.md 0.6), so the store
// then stops for good and tells [Options.Fatal], whose part it is to end the
// process; the restart reads the truth.
package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"preavviso/internal/fault"
	"preavviso/internal/store"
)

const (
	// schema counts the changes of what the buckets mean. A file with a higher
	// one was written by a newer program; in one with a lower one the indexes are
	// made anew. 2: verbali by plate and by state. 3: verbali by their next step;
	// a change of multe.Verbale.NextStep is another. 4: the bytes of photos
	// as they are, which older programs cannot read.
	schema = 4

	// maxGroup bounds the updates of one commit: beyond it the cost of the disk
	// is already shared out to nothing, and the first one in waits for the last.
	maxGroup = 512

	// maxRows bounds the rows written by one commit, give or take an update: their
	// pages are held in memory, and lending 500 codes is some thousands of them.
	maxRows = 5000

	// lockWait is how long Open waits for another process to let the file go: a
	// mistake is told at once, a predecessor's last commit is waited for.
	lockWait = 2 * time.Second

	// addresses is how much address space is reserved for the file at once: 16
	// GiB where addresses have 64 bits. bbolt must stop all readers to reserve
	// more, and a backup is a reader that may take minutes.
	addresses = math.MaxInt >> 29
)

// Names in the bucket of the file's own data.
var (
	metaBucket = []byte("meta")
	schemaKey  = []byte("schema")
)

// Options are what Open may be told. The zero value is ready.
type Options struct {
	// Fatal is told, once, why the store stopped for good: the process must end,
	// for nobody knows what the last commit did. The updates in doubt get their
	// answer after it returns. nil does nothing.
	Fatal func(error)
}

// Store is a store.Store and a store.Backuper on a bbolt file. Use [Open].
type Store struct {
	db    *bolt.DB
	fatal func(error)

	mu     sync.RWMutex // held for reading by every call under way
	closed bool

	turns   chan *group   // offers the open group to whoever waits
	quit    chan struct{} // closed by Close
	failed  chan struct{} // closed when the store stops for good
	stopped chan struct{} // closed when the committer has gone
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Backuper = (*Store)(nil)
)

// Open opens the store in the file at path, or makes a new one readable by this
// user only. The file stays locked until Close. A file of another process is a
// fault.Unavailable; one that is damaged, of another program or of a newer
// version is a fault.Invalid.
func Open(path string, o Options) (*Store, error) {
	if err := checkWhole(path); err != nil {
		return nil, err
	}
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	if err := prepare(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{
		db: db, fatal: o.Fatal,
		turns: make(chan *group), quit: make(chan struct{}), failed: make(chan struct{}), stopped: make(chan struct{}),
	}
	go s.committer()
	return s, nil
}

// checkWhole refuses a file that ends before its last page: touching what is
// missing would end the process by a signal that Go cannot turn into an error.
func checkWhole(path string) error {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // to be made
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return errOpen(path, err)
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(path)
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("%d bytes, want at least %d", info.Size(), tx.Size())
		}
		if err != nil {
			return errOpen(path, err)
		}
		return nil
	})
}

// openFile opens the file for writing. bbolt walks all its pages to find the
// free ones, and panics where they make no sense.
func openFile(path string) (db *bolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errOpen(path, fmt.Errorf("%v", p))
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         lockWait,
		FreelistType:    bolt.FreelistMapType,
		NoFreelistSync:  true, // a list that is not stored cannot be stored wrong; finding it again costs 0.3 s per 10 million codes (tech.md §5)
		InitialMmapSize: addresses,
	})
	if err != nil {
		return nil, errOpen(path, err)
	}
	return db, nil
}

// prepare makes the buckets of a new file, and checks the schema of an old one.
func prepare(db *bolt.DB, path string) error {
	err := db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if first, _ := tx.Cursor().First(); meta == nil && first != nil {
			return fault.Wrap(fault.Invalid, "store.foreign", "Il file indicato non è un archivio di questo programma.", errors.New(path))
		}
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		written := number(meta.Get(schemaKey))
		if written > schema {
			return fault.Wrap(fault.Invalid, "store.newer_schema", "L'archivio è stato scritto da una versione più recente del programma: usare quella.",
				fmt.Errorf("%s: schema %d, want %d", path, written, schema))
		}
		derived := []string{tallies}
		for _, t := range tables {
			names := t.buckets()
			if _, err := tx.CreateBucketIfNotExists([]byte(names[0])); err != nil {
				return err
			}
			derived = append(derived, names[1:]...)
		}
		for _, name := range derived {
			if written < schema {
				if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
					return err
				}
			}
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		if written < schema {
			for _, t := range tables {
				if err := t.reindex(tx); err != nil {
					return err
				}
			}
		}
		return meta.Put(schemaKey, binary.BigEndian.AppendUint64(nil, schema))
	})
	if err != nil {
		return errOpen(path, err)
	}
	// A new file is only as durable as its name.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return errOpen(path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func errOpen(path string, err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return fault.Wrap(fault.Unavailable, "store.locked", "L'archivio è già aperto da un altro processo: fermarlo prima.", fmt.Errorf("%s: %w", path, err))
	case errors.Is(err, os.ErrPermission), errors.Is(err, os.ErrNotExist):
		return fault.Wrap(fault.Invalid, "store.unreadable", "Il file dell'archivio non si può aprire: controllare percorso e permessi.", err)
	}
	return fault.Wrap(fault.Invalid, "store.damaged_file", "Il file dell'archivio è danneggiato o incompleto: ripristinare una copia.", fmt.Errorf("%s: %w", path, err))
}

// View runs fn on a snapshot. Views run beside each other and beside updates.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.RUnlock()
	return s.db.View(func(tx *bolt.Tx) error { return fn(reader{tx}) })
}

// Update runs fn, in the caller's goroutine, when its turn comes, and returns
// when what it put is on the disk. A context that ends while fn runs undoes fn;
// one that ends later comes too late.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.RUnlock()
	select {
	case g := <-s.turns:
		if err := g.run(ctx, s.db, fn); err != nil {
			return err
		}
		<-g.done
		return g.err
	case <-ctx.Done():
		return errCancelled(ctx.Err())
	case <-s.failed:
		return errFailed()
	}
}

// Backup writes a consistent copy of the file, which is itself a store. Updates
// go on meanwhile; the pages they free are kept until it ends, so the file grows
// with the time it takes.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.RUnlock()
	return s.db.View(func(tx *bolt.Tx) error {
		if _, err := tx.WriteTo(writer{ctx, w}); err != nil {
			return fmt.Errorf("writing backup: %w", err)
		}
		return nil
	})
}

// writer stops writing when its context ends.
type writer struct {
	ctx context.Context
	w   io.Writer
}

func (w writer) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, errCancelled(err)
	}
	return w.w.Write(p)
}

// Close waits for the calls under way, then releases the file. Calls that come
// later get fault.Unavailable. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.quit)
	<-s.stopped
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing store: %w", err)
	}
	return nil
}

// enter begins a call; the caller must release s.mu if there is no error.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return errCancelled(err)
	}
	s.mu.RLock()
	err := error(nil)
	select {
	case <-s.failed:
		err = errFailed()
	default:
		if s.closed {
			err = fault.New(fault.Unavailable, "store.closed", "Il servizio si sta fermando: ripetere la stessa richiesta.")
		}
	}
	if err != nil {
		s.mu.RUnlock()
	}
	return err
}

func errFailed() error {
	return fault.New(fault.Unavailable, "store.failed", "L'archivio non è disponibile: ripetere la stessa richiesta.")
}

func errCancelled(err error) error {
	return fault.Wrap(fault.Unavailable, "store.cancelled", "La richiesta è stata interrotta: ripeterla.", err)
}

// group is the updates that share one bbolt transaction. It is handed from one
// caller to the next, so that each function runs in the goroutine of its caller
// and a panic goes where it belongs; only the holder touches it.
type group struct {
	tx     *bolt.Tx // begun by the first caller
	rows   int      // written and to be committed
	broken error    // an update could not be undone: the group must be thrown away

	ran  chan struct{} // one signal for each turn taken
	done chan struct{} // closed when err is known
	err  error         // of all the updates that did not fail by themselves
}

var errNotUndone = errors.New("an update could not be undone")

// run takes a turn. It must be called by whoever received g, once.
func (g *group) run(ctx context.Context, db *bolt.DB, fn func(store.Tx) error) (err error) {
	defer func() { g.ran <- struct{}{} }()
	g.broken = errNotUndone
	if g.tx == nil {
		if g.tx, err = db.Begin(true); err != nil {
			return fmt.Errorf("beginning update: %w", err)
		}
	}
	w := &txn{reader: reader{g.tx}}
	keep := false
	defer func() { // also when fn panics or ends its goroutine
		if keep {
			g.rows += len(w.undo)
		} else if undoErr := w.revert(0); undoErr != nil {
			err = errors.Join(err, undoErr)
			return
		}
		g.broken = nil
	}()
	if err := fn(w); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return errCancelled(err)
	}
	keep = true
	return nil
}

// committer offers one group after the other and commits each. It ends when the
// store is closed or has failed.
func (s *Store) committer() {
	defer close(s.stopped)
	for {
		g := &group{ran: make(chan struct{}), done: make(chan struct{})}
		select {
		case s.turns <- g:
			<-g.ran
		case <-s.quit:
			return
		}
		for n := 1; n < maxGroup && g.rows < maxRows && g.broken == nil && s.offer(g); n++ {
		}
		g.err = s.commit(g)
		close(g.done)
		if g.err != nil {
			return
		}
	}
}

// offer gives a turn to a caller that waits now, if there is one. It looks twice:
// callers that the last commit has just released need the processor to come back.
func (s *Store) offer(g *group) bool {
	for try := range 2 {
		if try > 0 {
			runtime.Gosched()
		}
		select {
		case s.turns <- g:
			<-g.ran
			return true
		default:
		}
	}
	return false
}

// commit makes the group durable. An error means that the store has stopped.
func (s *Store) commit(g *group) error {
	err := g.broken
	if err == nil && g.rows > 0 {
		err = g.tx.Commit()
	}
	if g.tx != nil {
		_ = g.tx.Rollback() // an error says that it is committed
	}
	if err == nil {
		return nil
	}
	close(s.failed)
	if s.fatal != nil {
		s.fatal(fmt.Errorf("commit failed, the store is in doubt: %w", err))
	}
	return errFailed()
}
