package multe

import (
	"encoding/hex"
	"time"
)

// FlussoID names a flow within a creditor: 32 hex digits made of what the PSP
// calls itself and its flow, which may be any text.
type FlussoID string

// NewFlussoID returns the id of the flow that a PSP (IdPSP) calls by a name
// (IdentificativoFlusso).
func NewFlussoID(psp, name string) FlussoID {
	d := DigestOf([]byte(psp + "\x00" + name))
	return FlussoID(hex.EncodeToString(d[:16]))
}

// FlussoKind is the document that told of a flow. The strings are stored.
type FlussoKind string

const (
	FlussoCompleto     FlussoKind = "completo"     // with accounting references, by PiemontePAY
	FlussoRiversamento FlussoKind = "riversamento" // as the PSP made it
)

// FlussoOutcome is what became of one payment (FlussoRiversamento_1_0_4.xsd
// codiceEsitoSingoloPagamento).
type FlussoOutcome string

const (
	FlussoPaid    FlussoOutcome = "paid"    // 0
	FlussoRevoked FlussoOutcome = "revoked" // 3: the money went back, the amount is negative
	FlussoNoRPT   FlussoOutcome = "no_rpt"  // 9: paid although nobody had asked the platform
)

// FlussoHead is what a flow says about itself: the payments that one PSP paid
// over in one transfer.
type FlussoHead struct {
	Kind      FlussoKind
	PSP       string
	PSPName   string `json:",omitempty"`
	Name      string // IdentificativoFlusso
	TRN       string // IdentificativoUnivocoRegolamento: the transfer that brought the money
	SettledOn Day    // of that transfer; zero if it does not say

	// Totals as declared, over all payments of the creditor and not only ours.
	// Undeclared says that they are missing or no numbers.
	Count      int
	Cents      Cents
	Undeclared bool `json:",omitempty"`
	// QuotaCents is the sum of the synthesis rows; only of a FlussoCompleto.
	QuotaCents Cents `json:",omitempty"`
	// Unread rows could not be understood; they are in the raw message.
	Unread int `json:",omitempty"`
}

// FlussoRow is one payment in a flow. Who paid, and what for in words, is not
// taken over: most rows are not ours, and ours are known better here.
type FlussoRow struct {
	IUV     string
	IUR     string
	Index   int   `json:",omitempty"` // of the payment within its receipt, from 1
	Cents   Cents // negative when it was revoked
	Outcome FlussoOutcome
	PaidOn  Day // zero if it does not say

	// Accounting references, as far as the platform has them.
	CodiceVersamento   string `json:",omitempty"`
	Capitolo           string `json:",omitempty"`
	Articolo           string `json:",omitempty"`
	PdC                string `json:",omitempty"` // piano dei conti
	AccertamentoYear   int    `json:",omitempty"`
	AccertamentoNumber int    `json:",omitempty"`
}

// FlussoTold is what one message says about a flow.
type FlussoTold struct {
	Creditor CreditorID
	FlussoHead
	Rows []FlussoRow
}

// Flusso is a flow as its last copy has it. The platform sends a flow again under
// a new message id; every copy is kept raw as a [Message].
type Flusso struct {
	Creditor CreditorID
	ID       FlussoID
	FlussoHead
	Lines      int    // the lines in force are 1 to Lines
	LinesCents Cents  // their sum
	Digest     Digest // of what the copy in force says
	Message    MessageID
	Received   time.Time   // of that copy
	Copies     []MessageID // every message that carried the flow, the last ones if there are many
	Version    uint64
	Changed    time.Time
}

// Day is when the flow was settled, or heard of if it does not say.
func (f Flusso) Day() Day {
	if f.SettledOn.IsZero() {
		return DayOf(f.Received)
	}
	return f.SettledOn
}

// FlussoLine is one row of a flow.
type FlussoLine struct {
	Creditor CreditorID
	Flusso   FlussoID
	N        int // from 1, in the order of the document
	FlussoRow
	Gone    bool `json:",omitempty"` // a later copy of the flow has fewer rows
	Version uint64
}
