package store

import "preavviso/internal/multe"

// IdempotencyReader reads what was answered to requests with an Idempotency-Key.
type IdempotencyReader interface {
	Idempotency(c multe.CreditorID, actor, operation string, key multe.Digest) (multe.Idempotency, error)
	// Idempotencies lists those of every creditor by Expires. The cursor is the
	// last of the page before, or the zero Idempotency.
	Idempotencies(after multe.Idempotency, limit int) ([]multe.Idempotency, error)
}

// IdempotencyWriter puts and forgets them.
type IdempotencyWriter interface {
	PutIdempotency(multe.Idempotency) error
	// DropIdempotency forgets one, with what was answered; none is no error. It is
	// the one record that may be dropped: it says nothing that another does not.
	DropIdempotency(c multe.CreditorID, actor, operation string, key multe.Digest) error
}
