package multe

import (
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"time"
)

// OwnerHintID names an owner within a creditor: 32 hex digits made of what is
// known, so that importing an extract twice keeps it once.
type OwnerHintID string

// OwnerHintFor is how long an imported owner is kept: an act must be notified
// within 90 days (art. 201 CdS), and whoever records one after that knows the
// owner from elsewhere.
const OwnerHintFor = 100 * 24 * time.Hour

// OwnerHint is who owned a vehicle, says an extract of a vehicle register. It is
// proposed when an act is recorded, never taken for granted, and forgotten after
// [OwnerHintFor].
type OwnerHint struct {
	Creditor CreditorID
	ID       OwnerHintID
	Plate    Plate
	From     Day // first day of ownership; zero: the extract does not say
	Until    Day // last day; zero: still, or the extract does not say
	Debtor   *Debtor
	Imported time.Time
	Expires  time.Time
	Gone     bool `json:",omitzero"` // forgotten: only the id is left
	Version  uint64
}

// NewOwnerHint returns the hint that a row of an extract makes.
func NewOwnerHint(c CreditorID, p Plate, from, until Day, d Debtor, at time.Time) (OwnerHint, error) {
	b, err := json.Marshal(struct {
		Plate       string
		From, Until Day
		Debtor      Debtor
	}{string(p), from, until, d})
	if err != nil {
		return OwnerHint{}, err
	}
	id := DigestOf(b)
	return OwnerHint{Creditor: c, ID: OwnerHintID(hex.EncodeToString(id[:16])), Plate: p, From: from, Until: until, Debtor: &d,
		Imported: Instant(at), Expires: Instant(at.Add(OwnerHintFor)), Version: 1}, nil
}

// Covers reports whether the vehicle was the owner's on a day, as far as the
// extract says.
func (h OwnerHint) Covers(d Day) bool {
	return (h.From.IsZero() || h.From.Compare(d) <= 0) && (h.Until.IsZero() || d.Compare(h.Until) <= 0)
}

// Forget drops everything personal.
func (h OwnerHint) Forget() OwnerHint {
	return OwnerHint{Creditor: h.Creditor, ID: h.ID, Imported: h.Imported, Expires: h.Expires, Gone: true, Version: h.Version + 1}
}

// LogValue names the hint in logs.
func (h OwnerHint) LogValue() slog.Value { return slog.StringValue(string(h.ID)) }
