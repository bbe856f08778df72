package dispatch

import (
	"context"

	"preavviso/internal/multe"
)

// Gateway is all that this package knows about PiemontePAY.
type Gateway interface {
	// Encode returns the exact bytes of a batch. It is pure: the same batch
	// gives the same bytes, and it runs inside a transaction. An error says that
	// one of the changes can never be said.
	Encode(b multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, error)

	// Submit sends b.Body and returns when the platform has answered; code is
	// its answer. The error says what is known:
	//
	//	nil                       it has the batch; the esito will come
	//	*multe.Refusal            it refused the batch whole
	//	multe.ErrNotSent          nothing left here
	//	fault.Unavailable, other  nobody knows whether it has the batch
	//
	// Submit must return soon after ctx ends.
	Submit(ctx context.Context, c multe.Creditor, b multe.Batch) (code string, err error)
}
