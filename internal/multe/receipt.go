package multe

import "time"

// Bundle is what one message of the platform says of one kind: its items, and how
// many could not be understood. Those are kept in the raw message.
type Bundle[T any] struct {
	Creditor CreditorID
	Items    []T
	Unread   int
}

// Receipt is a ricevuta telematica (RT): what the PSP testified about one attempt
// to pay. It may be negative, and most payments have none (piemontepay.md §4.3),
// so nothing is ever settled by it. It is evidence: XML holds the bytes as the
// platform sent them, and the fields what could be read of them.
//
// The same bytes for the same IUV are the same receipt, under whatever Id.
type Receipt struct {
	Creditor CreditorID
	IUV      string // "" if neither the receipt nor its Id tells
	Digest   Digest // of XML
	ID       string // the platform's Id; "" if it gave none
	XML      []byte
	Outcome  string // codiceEsitoPagamento: 0 paid, 1 not paid, 2 and more in part; or OK, KO
	Cents    Cents  // importoTotalePagato; 0 if it does not say
	IUR      string // of its first payment
	PSP      string
	PSPName  string
	PaidOn   Day       // zero if it does not say
	Message  MessageID // where it was heard first
	Received time.Time
	Version  uint64
}

// Revocation is the PSP's request to take a payment back. It changes no payment
// and no verbale: whether money goes back is for a person to decide.
//
// One (IUV, ID) is one request, however often it is told. If it is told in two
// ways, both are kept: nobody can say which is meant.
type Revocation struct {
	Creditor CreditorID
	IUV      string
	ID       string // IdentificativoMessaggioRevoca, a point and a digest of what was said
	Type     string // TipoRevoca; 0 is outside the schema and does come (piemontepay.md §4.4)
	Cents    Cents  // what is asked back; the whole payment if the parts do not say
	Reason   string // the PSP's words, of the first part
	IUR      string // of the first part
	PSP      string
	PSPName  string
	AskedOn  Day       // zero if it does not say
	Message  MessageID // where it was heard first
	Received time.Time
	Version  uint64
}

// Expiry says that the platform counts an avviso as expired. It ends nothing: a
// verbale is due until it is paid.
//
// One (IUV, DueOn) is one expiry, however often it is told.
type Expiry struct {
	Creditor CreditorID
	IUV      string
	DueOn    Day // zero if the platform did not say
	Cents    Cents
	Message  MessageID // where it was heard first
	Received time.Time
	Version  uint64
}
