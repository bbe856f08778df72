package boltstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// table keeps the records of one kind in a bucket of its name.
type table[T any] struct {
	name    string
	key     func(T) key
	version func(T) uint64 // nil: a record is written once
	indexes []*index[T]
	tally   func(T) []key // what a record is counted under, in the bucket tallies; nil: not counted
}

// index keeps, in a bucket of its name, the keys of records under another key.
type index[T any] struct {
	name   string
	unique bool
	key    func(T) key // the nil key: the record is not in the index
}

// reindex writes the rows of every index and the tallies anew, from the records:
// the tallies and the indexes' buckets are empty.
func (t *table[T]) reindex(tx *bolt.Tx) error {
	w := &txn{reader: reader{tx}}
	return tx.Bucket([]byte(t.name)).ForEach(func(k, v []byte) error {
		rec, err := decode[T](t.name, v)
		if err != nil {
			return err
		}
		for _, ix := range t.indexes {
			if err := ix.move(w, key{b: k}, nil, rec); err != nil {
				return err
			}
		}
		w.undo = nil // nothing here is taken back alone
		return t.move(w, nil, rec)
	})
}

// tallies holds how many records there are of a kind: the codes by state, also of
// each device, and the lines of the audit, which is also the last sequence number.
const tallies = "tallies"

// txn is an update in progress. Every write goes through set, which remembers
// how to take it back: many updates share one bbolt transaction, and one that
// fails must leave it as it found it.
type txn struct {
	reader
	undo    []change
	touched map[string]bool // verbali that have got their place in the order of changes
}

type change struct {
	bucket   *bolt.Bucket
	key, old []byte
}

// set puts a value, or deletes the key if value is nil.
func (w *txn) set(bucket string, k, value []byte) error {
	b := w.tx.Bucket([]byte(bucket))
	w.undo = append(w.undo, change{b, k, b.Get(k)}) // bbolt keeps old values readable until the commit
	return write(b, k, value)
}

// revert takes back what was set since the undo log had n entries.
func (w *txn) revert(n int) error {
	for len(w.undo) > n {
		c := w.undo[len(w.undo)-1]
		if err := write(c.bucket, c.key, c.old); err != nil {
			return fmt.Errorf("taking back a write: %w", err)
		}
		w.undo = w.undo[:len(w.undo)-1]
	}
	return nil
}

func write(b *bolt.Bucket, k, value []byte) error {
	if value == nil {
		return b.Delete(k)
	}
	return b.Put(k, value)
}

// count adds delta to the tally k.
func (w *txn) count(k key, delta int) error {
	if k.err != nil {
		return k.err
	}
	sum := w.tally(k) + uint64(delta)
	if sum == 0 {
		return w.set(tallies, k.b, nil)
	}
	return w.set(tallies, k.b, binary.BigEndian.AppendUint64(nil, sum))
}

// tally returns the tally k, 0 if there is none.
func (r reader) tally(k key) uint64 { return number(r.tx.Bucket([]byte(tallies)).Get(k.b)) }

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// get returns the record with key k.
func (t *table[T]) get(tx *bolt.Tx, k key) (T, error) {
	if k.err != nil {
		return *new(T), k.err
	}
	value := tx.Bucket([]byte(t.name)).Get(k.b)
	if value == nil {
		return *new(T), errMissing(t.name)
	}
	return decode[T](t.name, value)
}

// find returns the record that a unique index has under k.
func (t *table[T]) find(tx *bolt.Tx, ix *index[T], k key) (T, error) {
	if k.err != nil {
		return *new(T), k.err
	}
	pk := tx.Bucket([]byte(ix.name)).Get(k.b)
	if pk == nil {
		return *new(T), errMissing(ix.name)
	}
	return t.get(tx, key{b: pk})
}

// list returns the records under prefix whose keys are greater than after, in
// the order of index ix, or of the table if ix is nil.
func (t *table[T]) list(tx *bolt.Tx, ix *index[T], prefix, after key, limit int) ([]T, error) {
	if err := errors.Join(prefix.err, after.err); err != nil {
		return nil, err
	}
	if limit < 1 || limit > store.MaxPage {
		return nil, fault.New(fault.Invalid, "store.bad_limit", fmt.Sprintf("Il numero di elementi richiesti va da 1 a %d.", store.MaxPage))
	}
	bucket := t.name
	if ix != nil {
		bucket = ix.name
	}
	var page []T
	c := tx.Bucket([]byte(bucket)).Cursor()
	for k, v := c.Seek(after.b); k != nil && bytes.HasPrefix(k, prefix.b) && len(page) < limit; k, v = c.Next() {
		if bytes.Equal(k, after.b) {
			continue
		}
		var rec T
		var err error
		if ix == nil {
			rec, err = decode[T](t.name, v)
		} else if rec, err = t.get(tx, key{b: v}); errors.Is(err, fault.NotFound) {
			err = errDamaged(ix.name, errors.New("row without record"))
		}
		if err != nil {
			return nil, err
		}
		page = append(page, rec)
	}
	return page, nil
}

// put writes a record, its index rows and its tally, or nothing.
func (t *table[T]) put(w *txn, rec T) error {
	n := len(w.undo)
	err := t.write(w, rec)
	if err != nil {
		err = errors.Join(err, w.revert(n))
	}
	return err
}

func (t *table[T]) write(w *txn, rec T) error {
	pk := t.key(rec)
	if pk.err != nil {
		return pk.err
	}
	value, err := encode(rec)
	if err != nil {
		return err
	}
	var old *T
	if was, err := t.get(w.tx, pk); err == nil {
		old = &was
	} else if !errors.Is(err, fault.NotFound) {
		return err
	}
	if err := t.step(old, rec); err != nil {
		return err
	}
	for _, ix := range t.indexes {
		if err := ix.move(w, pk, old, rec); err != nil {
			return err
		}
	}
	if err := t.move(w, old, rec); err != nil {
		return err
	}
	return w.set(t.name, pk.b, value)
}

// step refuses a version that is not the next one.
func (t *table[T]) step(old *T, rec T) error {
	var stored, next uint64 = 0, 1
	if old != nil {
		stored = 1
	}
	if t.version != nil {
		next = t.version(rec)
		if old != nil {
			stored = t.version(*old)
		}
	}
	switch {
	case old == nil && next > 1:
		return errMissing(t.name)
	case next != stored+1:
		return fault.Wrap(fault.Conflict, "store.stale", "Il dato è cambiato nel frattempo: rileggere e riprovare.",
			fmt.Errorf("%s: version %d over %d", t.name, next, stored))
	}
	return nil
}

// move brings the index from the row of old, if any, to that of rec.
func (ix *index[T]) move(w *txn, pk key, old *T, rec T) error {
	var from key
	if old != nil {
		from = ix.key(*old)
	}
	to := ix.key(rec)
	if err := errors.Join(from.err, to.err); err != nil {
		return err
	}
	if bytes.Equal(from.b, to.b) {
		return nil
	}
	if to.b != nil {
		if ix.unique && w.tx.Bucket([]byte(ix.name)).Get(to.b) != nil {
			return fault.Wrap(fault.Conflict, "store.duplicate", "Esiste già un altro elemento con lo stesso identificativo.", errors.New(ix.name))
		}
		if err := w.set(ix.name, to.b, pk.b); err != nil {
			return err
		}
	}
	if from.b == nil {
		return nil
	}
	return w.set(ix.name, from.b, nil)
}

// move counts rec instead of old.
func (t *table[T]) move(w *txn, old *T, rec T) error {
	if t.tally == nil {
		return nil
	}
	to := t.tally(rec)
	if old != nil {
		from := t.tally(*old)
		if slices.EqualFunc(from, to, func(a, b key) bool { return bytes.Equal(a.b, b.b) }) {
			return nil
		}
		for _, k := range from {
			if err := w.count(k, -1); err != nil {
				return err
			}
		}
	}
	for _, k := range to {
		if err := w.count(k, 1); err != nil {
			return err
		}
	}
	return nil
}

// A format is the first byte of every stored record. Tests pin both forms; a change
// of one is another format.
const (
	// format is followed by the JSON form of the domain type.
	format = 1
	// formatBlob is followed by the length of the JSON form, in four bytes, by that
	// form without the bytes of the record's blob, and by those bytes.
	formatBlob = 2
)

// blob is where a record keeps bytes that mean nothing to us, nil in most: base64
// would make them a third longer.
func blob(rec any) *[]byte {
	if c, ok := rec.(*multe.PhotoChunk); ok {
		return &c.Data
	}
	return nil
}

func encode[T any](rec T) ([]byte, error) {
	var raw []byte
	if p := blob(&rec); p != nil {
		raw, *p = *p, nil // rec is ours
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", rec, err)
	}
	if !storable(b) {
		return nil, fault.New(fault.Invalid, "store.bad_text", "Un testo contiene caratteri non ammessi.")
	}
	if len(raw) == 0 {
		return append([]byte{format}, b...), nil
	}
	value := make([]byte, 0, 5+len(b)+len(raw))
	value = binary.BigEndian.AppendUint32(append(value, formatBlob), uint32(len(b)))
	return append(append(value, b...), raw...), nil
}

// storable reports whether no string in the JSON text b held a NUL or bytes that
// are not UTF-8, which package json writes as escapes and no store could give
// back as they were.
func storable(b []byte) bool {
	for i := bytes.IndexByte(b, '\\'); i >= 0; {
		rest := b[i+1:]
		if bytes.HasPrefix(rest, []byte("u0000")) || bytes.HasPrefix(rest, []byte("ufffd")) {
			return false
		}
		next := bytes.IndexByte(rest[1:], '\\') // rest[0] is what was escaped, perhaps a backslash
		if next < 0 {
			return true
		}
		i += 2 + next
	}
	return true
}

// decode reads what encode wrote. name is for the error only.
func decode[T any](name string, value []byte) (T, error) {
	var rec T
	if len(value) == 0 {
		return rec, errDamaged(name, errors.New("no format"))
	}
	text, raw := value[1:], []byte(nil)
	p := blob(&rec)
	switch {
	case value[0] == formatBlob && p != nil && len(text) >= 4 && uint64(binary.BigEndian.Uint32(text)) <= uint64(len(text)-4):
		n := 4 + int(binary.BigEndian.Uint32(text))
		text, raw = text[4:n], slices.Clone(text[n:]) // the pages of bbolt are not ours
	case value[0] != format:
		return rec, errDamaged(name, errors.New("unknown format"))
	}
	if err := json.Unmarshal(text, &rec); err != nil {
		return *new(T), errDamaged(name, err)
	}
	if raw != nil {
		*p = raw
	}
	return rec, nil
}

func errMissing(where string) error {
	return fault.Wrap(fault.NotFound, "not_found", "L'elemento richiesto non esiste.", errors.New(where))
}

func errDamaged(where string, err error) error {
	return fault.Wrap(fault.Internal, "store.damaged", "L'archivio è danneggiato: chiamare l'assistenza e non riavviare prima di averne fatto una copia.",
		fmt.Errorf("%s: %w", where, err))
}
