package boltstore

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"

	"preavviso/internal/fault"
)

// maxKeyPart is more bytes than any identifier of ours or of the platform has,
// and keeps four of them in one index row of any database.
const maxKeyPart = 512

// key is the name of a row. Texts end in a NUL, which no text contains, and
// numbers have eight bytes, so that no two lists of parts make the same key, the
// order of keys is that of their parts, and the key of the first parts is the
// common prefix of all the rows below them. The nil key names no row.
type key struct {
	b   []byte
	err error
}

// keyOf returns the key with the given texts, the creditor first.
func keyOf(parts ...string) key {
	var k key
	for _, p := range parts {
		k = k.text(p)
	}
	return k
}

func (k key) text(s string) key {
	if len(s) > maxKeyPart || !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		k.err = fault.New(fault.Invalid, "store.bad_key", "Un identificativo è troppo lungo o contiene caratteri non ammessi.")
	}
	return key{append(append(k.b, s...), 0), k.err}
}

func (k key) number(n uint64) key { return key{binary.BigEndian.AppendUint64(k.b, n), k.err} }

// instant sorts instants before 1970 first.
func (k key) instant(t time.Time) key { return k.number(uint64(t.UnixMicro()) ^ 1<<63) }
