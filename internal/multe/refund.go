package multe

import (
	"time"

	"preavviso/internal/fault"
)

// RefundID is made by whoever records a refund: 32 hex digits, the idempotency
// key of the recording.
type RefundID string

// Refund records that money was paid back. The service moves no money: the
// creditor's accounts do, and this says who did it, when and by which act.
type Refund struct {
	Creditor   CreditorID
	ID         RefundID
	IUV        string    // of the money that goes back
	Verbale    VerbaleID // that it was for; "" if there is none
	Cents      Cents
	RefundedOn Day
	Reason     string // the office's words
	Mandate    string // number of the mandato di pagamento or of the determina
	Beyond     bool   `json:",omitzero"` // more goes back than was paid in excess, and the operator said so
	By         string // as in [AuditEntry]
	At         time.Time
	Version    uint64
}

// The bounds of a refund.
const (
	MaxMandate      = 60
	MaxRefundReason = 400
)

// Validate checks a refund as the office typed it; today bounds its day.
func (r Refund) Validate(today Day) error {
	bad := func(field, detail string) error { return fault.New(fault.Invalid, "refund.bad_"+field, detail) }
	switch {
	case !ValidID(string(r.ID)):
		return bad("id", "L'identificativo del rimborso deve essere di 32 cifre esadecimali minuscole.")
	case r.IUV == "" || len(r.IUV) > 300:
		return bad("iuv", "Indicare lo IUV del pagamento da rimborsare.")
	case r.Cents < 1:
		return bad("amount", "L'importo del rimborso deve essere maggiore di zero.")
	case r.RefundedOn.IsZero() || r.RefundedOn.Compare(today) > 0:
		return bad("day", "La data del rimborso manca o è nel futuro: si registra un rimborso già disposto.")
	case r.Reason == "" || checkText(r.Reason, MaxRefundReason) != nil:
		return bad("reason", "Il motivo del rimborso è obbligatorio, al massimo 400 caratteri.")
	case r.Mandate == "" || checkText(r.Mandate, MaxMandate) != nil:
		return bad("mandate", "Il riferimento del mandato di pagamento è obbligatorio, al massimo 60 caratteri.")
	}
	return nil
}

// Same reports whether r records the same refund as o, whoever and whenever.
func (r Refund) Same(o Refund) bool {
	r.By, r.At, r.Version, r.Verbale = o.By, o.At, o.Version, o.Verbale
	return r == o
}
