package multe

import "time"

// ExportID is made by whoever asks for a list: 32 hex digits, the idempotency key
// of the request.
type ExportID string

// ExportKind says what a list of acts is for. The strings are stored.
type ExportKind string

const (
	ExportLookup ExportKind = "lookup" // plates whose owners are to be looked up
	ExportNotify ExportKind = "notify" // acts for SEND, or for whoever prints and posts them
)

// Export is a list of acts that left the service at an instant. What was in it
// are its lines; what its file said is made again from the records, and is the
// same as long as Digest fits.
type Export struct {
	Creditor  CreditorID
	ID        ExportID
	Kind      ExportKind
	At        time.Time // all that was known then is taken into account
	By        string    // as in [AuditEntry]
	Count     int       // its lines are 1 to Count
	More      bool      `json:",omitzero"` // there were more acts than one list takes
	Again     bool      `json:",omitzero"` // acts of earlier lists were asked for too
	Digest    Digest    // of the rows as they were
	Withdrawn bool      `json:",omitzero"` // it was not used: its acts may be in another
	Version   uint64
	Changed   time.Time
}

// ExportLine says that an act was in a list.
type ExportLine struct {
	Creditor CreditorID
	Export   ExportID
	N        int // from 1
	Verbale  VerbaleID
	Version  uint64
}
