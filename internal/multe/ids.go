package multe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

// Cents is an amount of euro in whole cents.
type Cents = avviso.Cents

// The identifiers of the domain. All are plain ASCII without spaces, so that
// they sort the same in every store.
type (
	CreditorID string // the creditor's codice fiscale: 11 digits
	OperatorID string // a person or program of the back office; ours, 32 hex digits
	DeviceID   string // one handheld; ours, 32 hex digits
	PositionID string // IdPosizioneDebitoria: ours, 32 hex digits (the XSD allows 50), never reused
	VerbaleID  string // made by the handheld before it prints: 32 hex digits, the idempotency key of an issue
	LeaseID    string // made by the handheld for one request of codes: 32 hex digits, its idempotency key
	ChangeID   string // position and sequence number: see [Change]
	BatchID    string // IdMessaggio: ours, 35 characters, unique across the whole platform for ever
	MessageID  string // one message of the platform as it arrived; ours, 32 hex digits
)

// NewID returns a UUIDv7 as 32 lower-case hex digits without dashes: it sorts by
// time, carries nothing personal and fits every identifier of the platform. The
// error is that of random.
func NewID(now time.Time, random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[6:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70 // version 7
	b[8] = b[8]&0x3f | 0x80 // RFC 9562 variant
	return hex.EncodeToString(b[:]), nil
}

// NewBatchID returns an IdMessaggio: a UUIDv7 and 12 more random bits, 35
// characters with 86 random bits. The platform compares it with the ids of every
// creditor it serves, and an id is spent even by a list that fails
// (InserisciListaDiCarico.java:608-638), so it must never be guessable or reused.
func NewBatchID(now time.Time, random io.Reader) (BatchID, error) {
	id, err := NewID(now, random)
	if err != nil {
		return "", err
	}
	var b [2]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return BatchID(id + hex.EncodeToString(b[:])[:3]), nil
}

// ValidID reports whether s is what NewID makes in form: 32 lower-case hex
// digits. Ids made by handhelds are only checked for this.
func ValidID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ParseCreditorID checks a creditor's codice fiscale, check digit included.
func ParseCreditorID(s string) (CreditorID, error) {
	if err := avviso.ValidCreditorCF(s); err != nil {
		return "", fault.Wrap(fault.Invalid, "creditor.bad_cf", "Il codice fiscale dell'ente non è valido: servono 11 cifre con la cifra di controllo corretta.", err)
	}
	return CreditorID(s), nil
}

// Instant brings t to what every store keeps: UTC, whole microseconds.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Digest is a SHA-256. Secrets are stored only as their Digest: they are long
// and random, so a slow hash would protect nothing more. The zero Digest means
// none.
type Digest [sha256.Size]byte

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns 64 hex digits, or "" for none.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText writes what String returns.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error {
	*d = Digest{}
	if len(text) == 0 {
		return nil
	}
	if len(text) != 2*len(d) {
		return fmt.Errorf("digest of %d characters, want %d", len(text), 2*len(d))
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	return nil
}

// DigestJSON returns the digest of the JSON form of v: of what was meant, so
// that a repetition with other white space is still the same request. v must be
// made of strings, numbers, booleans, slices and structs.
func DigestJSON[T any](v T) (Digest, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Digest{}, fmt.Errorf("digest of a request: %w", err)
	}
	return DigestOf(b), nil
}
