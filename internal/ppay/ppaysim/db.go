package ppaysim

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// Buckets. Parts of a key are joined by NUL, which no XML text can hold.
const (
	bMeta      = "meta"
	bCreditors = "creditors" // cf → Creditor
	bRegistry  = "registry"  // op, cf, code, IdMessaggio → nothing: what the bus has seen
	bRegister  = "register"  // op, IdMessaggio → RegisterEntry: what was elaborated
	bLists     = "lists"     // op, seq → waiting
	bPositions = "positions" // cf, code, id → Position
	bIUVs      = "iuvs"      // iuv → key of the position
	bUntold    = "untold"    // cf, code, iuv, iur → nothing: payments to tell
	bQueue     = "queue"     // cf, seq → Delivery
	bHeld      = "held"      // cf, seq → Delivery: until something else is sent
	bStopped   = "stopped"   // cf → Stop
	bMessages  = "messages"  // seq → Message
	bFlows     = "flows"     // cf, name → Flow
)

var buckets = []string{bMeta, bCreditors, bRegistry, bRegister, bLists, bPositions, bIUVs, bUntold, bQueue, bHeld, bStopped, bMessages, bFlows}

// Keys of the meta bucket.
const (
	kOffset   = "offset"   // of platform time, a time.Duration
	kSequence = "sequence" // last one in a IUV
	kBytes    = "bytes"    // of the recorded messages
	kLastDue  = "due/"     // and an op: when its worker is free
)

// RegisterEntry is one elaborated list. The register is one for all creditors.
type RegisterEntry struct {
	Operation string    `json:"operation"`
	Message   string    `json:"message"`
	CF        string    `json:"cf"`
	Type      string    `json:"type"`
	Code      string    `json:"code"` // result of the list
	At        time.Time `json:"at"`   // platform time
}

// tx is a transaction whose buckets exist.
type tx struct{ *bbolt.Tx }

func (t tx) in(bucket string) *bbolt.Bucket { return t.Bucket([]byte(bucket)) }

func (s *Sim) update(f func(tx) error) error {
	return s.db.Update(func(b *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := b.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return f(tx{b})
	})
}

func (s *Sim) view(f func(tx) error) error {
	return s.db.View(func(b *bbolt.Tx) error { return f(tx{b}) })
}

func key(parts ...string) []byte { return []byte(strings.Join(parts, "\x00")) }

// prefix is what the keys of everything under parts begin with.
func prefix(parts ...string) []byte { return append(key(parts...), 0) }

func seqKey(n uint64, under ...string) []byte {
	var k []byte
	if len(under) > 0 {
		k = prefix(under...)
	}
	return binary.BigEndian.AppendUint64(k, n)
}

func put[T any](t tx, bucket string, k []byte, v T) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.in(bucket).Put(k, raw)
}

// get reads a record; found is false when there is none.
func get[T any](t tx, bucket string, k []byte) (v T, found bool, err error) {
	raw := t.in(bucket).Get(k)
	if raw == nil {
		return v, false, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, false, fmt.Errorf("record %q of %s: %w", k, bucket, err)
	}
	return v, true, nil
}

// scan calls f for the records under a prefix, in key order, from the first key
// after the cursor; f returns false to stop.
func scan[T any](t tx, bucket string, under, after []byte, f func(k []byte, v T) (bool, error)) error {
	c := t.in(bucket).Cursor()
	k, raw := c.Seek(under)
	if len(after) > 0 && bytes.Compare(after, under) >= 0 {
		if k, raw = c.Seek(after); bytes.Equal(k, after) {
			k, raw = c.Next()
		}
	}
	for ; k != nil && bytes.HasPrefix(k, under); k, raw = c.Next() {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("record %q of %s: %w", k, bucket, err)
		}
		if more, err := f(bytes.Clone(k), v); err != nil || !more {
			return err
		}
	}
	return nil
}

// first returns the first record under a prefix; a nil key when there is none.
func first[T any](t tx, bucket string, under []byte) (k []byte, v T, err error) {
	err = scan(t, bucket, under, nil, func(fk []byte, fv T) (bool, error) {
		k, v = fk, fv
		return false, nil
	})
	return k, v, err
}

// offset is how far platform time is ahead of the clock.
func (t tx) offset() (time.Duration, error) {
	d, _, err := get[time.Duration](t, bMeta, []byte(kOffset))
	return d, err
}

// platformNow is the civil time of the platform.
func (s *Sim) platformNow(t tx) (time.Time, error) {
	d, err := t.offset()
	return s.now().Add(d).UTC(), err
}

// Message is one message as it went over the wire, without credentials: headers
// of the transport are not in it, and those of WS-Security are cut out.
type Message struct {
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`        // of the clock, not of the platform
	Direction string    `json:"direction"` // in: a creditor called; out: a creditor was called
	Operation string    `json:"operation"` // name of the body element
	CF        string    `json:"cf"`
	ID        string    `json:"id"`                // IdMessaggio
	Code      string    `json:"code"`              // what was answered; "" when nothing readable was
	Failure   string    `json:"failure,omitempty"` // why it does not count as delivered or queued, or what was done to the answer
	Body      string    `json:"body"`              // the SOAP envelope
	Answer    string    `json:"answer,omitempty"`  // likewise
}

// record keeps a message and drops the oldest ones over the limits.
//
//parity:s24 ours: every message, raw, as long as there is room
func (s *Sim) record(t tx, m Message) error {
	b := t.in(bMessages)
	var err error
	if m.Seq, err = b.NextSequence(); err != nil {
		return err
	}
	m.At = s.now().UTC()
	size, _, err := get[int](t, bMeta, []byte(kBytes))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := b.Put(seqKey(m.Seq), raw); err != nil {
		return err
	}
	size += len(raw)
	for c := b.Cursor(); ; {
		k, old := c.First()
		if k == nil || m.Seq-binary.BigEndian.Uint64(k) < maxMessages && size <= maxMessageBytes {
			break
		}
		size -= len(old)
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return put(t, bMeta, []byte(kBytes), size)
}
