package dispatch

import (
	"context"

	"preavviso/internal/avviso"
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

// Positions is PiemontePAY's REST interface, for creditors that have a caller
// there. It changes one position at a time and answers at once.
type Positions interface {
	// Apply gives the position with number n all that ch wants of it, so that
	// doing it twice is doing it once; code is the platform's. The error says what
	// is known:
	//
	//	nil                       done
	//	*multe.Refusal            not done; its verdict says what follows
	//	multe.ErrNoREST           this creditor has no caller: nothing left here
	//	multe.ErrNotSent          nothing left here
	//	fault.Unavailable, other  nobody knows whether it was done
	//
	// Apply must return soon after ctx ends.
	Apply(ctx context.Context, c multe.Creditor, n avviso.Number, ch multe.Change) (code string, err error)
}
