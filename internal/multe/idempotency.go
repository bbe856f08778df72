package multe

import (
	"time"

	"preavviso/internal/fault"
)

const (
	// IdempotencyFor is how long a request may be repeated under its key: a night
	// and a morning, until somebody looks at what failed.
	IdempotencyFor = 24 * time.Hour
	// MaxReply is the largest answer that is kept, in bytes: ten times that of a
	// verbale, less than a page of a list.
	MaxReply = 64 << 10
)

// Idempotency is a request that came with an Idempotency-Key, and what was
// answered (draft-ietf-httpapi-idempotency-key-header).
type Idempotency struct {
	Creditor  CreditorID `json:",omitzero"` // "" for what belongs to the installation
	Actor     string     // who asked
	Operation string     // operationId
	Key       Digest     // of the Idempotency-Key
	Request   Digest     // of the request: another one under the same key is refused
	Run       string     `json:",omitzero"` // the process that works on it; "" if none does
	Status    int        `json:",omitzero"` // of HTTP; 0 while there is no answer
	Type      string     `json:",omitzero"` // media type of Reply
	ETag      string     `json:",omitzero"`
	Reply     []byte     `json:",omitzero"` // at most MaxReply; nil if it was not kept
	Expires   time.Time
	Version   uint64
}

// Repeat judges a request that comes again as want: it returns an error, or whether
// the answer of r is to be given again; if not, the request is to be done again.
// natural says that this changes nothing that was done.
func (r Idempotency) Repeat(want Idempotency, natural bool) (replay bool, err error) {
	switch {
	case r.Request != want.Request:
		return false, fault.New(fault.Invalid, "idempotency.other_request", "Con questa Idempotency-Key è già arrivata una richiesta diversa: per una nuova richiesta serve una nuova chiave.")
	case r.Status != 0 && r.Reply != nil:
		return true, nil
	case r.Status == 0 && r.Run == want.Run:
		return false, fault.New(fault.Conflict, "idempotency.in_progress", "La stessa richiesta è ancora in corso: attendere qualche secondo e ripetere.")
	case natural:
		return false, nil
	case r.Status != 0:
		return false, fault.New(fault.Conflict, "idempotency.done", "La richiesta è già stata eseguita e la risposta conteneva un dato segreto, che non si conserva: chiederne uno nuovo con un'altra chiave.")
	}
	return false, fault.New(fault.Conflict, "idempotency.unknown", "Il servizio si è interrotto durante questa richiesta e non sa se è stata eseguita: rileggere i dati e, se serve, ripetere con un'altra chiave.")
}
