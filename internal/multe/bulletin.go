package multe

import (
	"time"
	"unicode/utf8"

	"preavviso/internal/fault"
)

// BulletinID names a bulletin; ours, 32 hex digits.
type BulletinID string

// Bulletin is a short text of the office to one handheld or to all of a creditor.
type Bulletin struct {
	Creditor CreditorID
	ID       BulletinID
	Device   DeviceID // "" is all
	Text     string
	Actor    string // who wrote it
	Written  time.Time
	Expires  time.Time // nobody is shown it from then on
	Version  uint64
}

// BulletinRead says that a warden has seen a bulletin on a handheld.
type BulletinRead struct {
	Creditor CreditorID
	Bulletin BulletinID
	Device   DeviceID
	At       time.Time
	Version  uint64
}

// The bounds of a bulletin.
const (
	MaxBulletin     = 280                 // characters: what a small screen shows at once
	MaxBulletinLife = 30 * 24 * time.Hour // what is true for longer belongs elsewhere
	// MaxBulletins is how many a handheld may be shown at once, and so how many may
	// be in force for it, and for all, at a time.
	MaxBulletins = 20
)

// NewBulletin returns a bulletin. It holds no personal data: whoever finds the
// handheld can read it.
func NewBulletin(c CreditorID, id BulletinID, d DeviceID, text, actor string, expires, at time.Time) (Bulletin, error) {
	at, expires = Instant(at), Instant(expires)
	if n := utf8.RuneCountInString(text); n < 1 || n > MaxBulletin || checkText(text, len(text)) != nil {
		return Bulletin{}, fault.New(fault.Invalid, "message.bad_text", "Il messaggio deve avere da 1 a 280 caratteri, senza caratteri di controllo.")
	}
	if !expires.After(at) || expires.After(at.Add(MaxBulletinLife)) {
		return Bulletin{}, fault.New(fault.Invalid, "message.bad_expiry", "La scadenza del messaggio deve essere nel futuro ed entro 30 giorni.")
	}
	return Bulletin{Creditor: c, ID: id, Device: d, Text: text, Actor: actor, Written: at, Expires: expires, Version: 1}, nil
}

// For reports whether the bulletin is for a handheld.
func (b Bulletin) For(d DeviceID) bool { return b.Device == "" || b.Device == d }
