package multe

import (
	"strings"
	"time"

	"preavviso/internal/avviso"
)

// Payment is a fact: money was paid for an IUV. One (IUV, IUR) is one payment,
// however often it is told; a second IUR on the same IUV is a second payment.
type Payment struct {
	Creditor CreditorID
	IUV      string        // as received
	IUR      string        // receipt of the PSP; "" if the platform did not have it yet
	Number   avviso.Number // zero if absent and not ours
	Position PositionID    // "" if the IUV is none of ours
	Verbale  VerbaleID     // "" if there is none on the code
	Cents    Cents
	PaidOn   Day // zero if the platform did not say
	PSP      string
	PSPName  string
	Payer    *Debtor   // who paid, if the platform says
	Message  MessageID // where it was heard first
	Received time.Time
	Version  uint64
}

// Notice is what one TrasmettiNotifichePagamento says.
type Notice struct {
	Creditor CreditorID
	Message  string // the platform's IdMessaggio; new at each of its retries
	Payments []Payment
	Unread   int  // items that could not be understood: kept in the raw message
	Mismatch bool // header totals differ from the items (piemontepay.md §4.2)
}

// Event is a platform message, understood. At most one of the pointers is set;
// with none, Kind says what came, and the raw message is kept.
type Event struct {
	Kind        string // body element without "Request", such as "TrasmettiRT"
	Esito       *Esito
	Notice      *Notice
	Receipts    *Bundle[Receipt]
	Revocations *Bundle[Revocation]
	Expiries    *Bundle[Expiry]
	Flusso      *FlussoTold
}

// Creditor returns whom the event is about, "" if it does not say.
func (e Event) Creditor() CreditorID {
	switch {
	case e.Esito != nil:
		return e.Esito.Creditor
	case e.Notice != nil:
		return e.Notice.Creditor
	case e.Receipts != nil:
		return e.Receipts.Creditor
	case e.Revocations != nil:
		return e.Revocations.Creditor
	case e.Expiries != nil:
		return e.Expiries.Creditor
	case e.Flusso != nil:
		return e.Flusso.Creditor
	}
	return ""
}

// MessageState says how far an inbound message has come.
type MessageState string

const (
	MessageNew  MessageState = "new"  // stored, answered 000, not yet worked
	MessageDone MessageState = "done" // worked
	MessageDead MessageState = "dead" // could not be worked; a person is told
)

// Message is a platform message exactly as it arrived, stored before 000 was
// answered.
type Message struct {
	ID       MessageID
	State    MessageState
	Kind     string // as in [Event]
	Caller   string `json:",omitempty"` // the user who showed credentials; "" if none were asked for
	Raw      []byte // without the password of a wsse:UsernameToken
	Digest   Digest // of Raw
	Received time.Time
	Tries    int    // how often working it failed for a passing reason
	Problem  string // stable code of why it is dead
	Version  uint64
	Changed  time.Time
}

type messageMove string

var messageMoves = moves[MessageState, messageMove]{
	"done":   {from: []MessageState{MessageNew}, to: MessageDone},
	"bury":   {from: []MessageState{MessageNew}, to: MessageDead},
	"retry":  {from: []MessageState{MessageNew}, to: MessageNew},
	"replay": {from: []MessageState{MessageDead, MessageDone}, to: MessageNew},
}

// Done records that the message was worked.
func (m Message) Done(at time.Time) (Message, error) { return m.move("done", at) }

// Bury gives the message up, for a person to look at.
func (m Message) Bury(problem string, at time.Time) (Message, error) {
	next, err := m.move("bury", at)
	if err != nil {
		return m, err
	}
	next.Problem = problem
	return next, nil
}

// Retry counts a failure that may pass.
func (m Message) Retry(at time.Time) (Message, error) {
	next, err := m.move("retry", at)
	if err != nil {
		return m, err
	}
	next.Tries = m.Tries + 1
	return next, nil
}

// Replay has the message worked again: working twice is harmless.
func (m Message) Replay(at time.Time) (Message, error) {
	next, err := m.move("replay", at)
	if err != nil {
		return m, err
	}
	next.Tries, next.Problem = 0, ""
	return next, nil
}

func (m Message) move(mv messageMove, at time.Time) (Message, error) {
	to, err := messageMoves.next(m.State, mv, "message.wrong_state", "il messaggio")
	if err != nil {
		return m, err
	}
	m.State, m.Version, m.Changed = to, m.Version+1, Instant(at)
	return m, nil
}

// Discrepancy is something a person must look at: the platform refused, money
// does not fit, a message makes no sense. The same trouble met again counts up.
type Discrepancy struct {
	Creditor CreditorID // "" for trouble that belongs to the installation
	ID       string     // kind and subject, such as "payment.double:3012…"; at most 120 ASCII characters
	Kind     string     // stable and dotted
	Subject  string     // position, batch or message it is about
	Detail   string     // in Italian: what happened, what it means, what to do; no personal data
	Count    int
	Open     bool
	Opened   time.Time
	Taken    Taking  `json:",omitzero"` // who looks after it
	Closed   Closure `json:",omitzero"` // how a person ended it; zero while it is open, or if it ended by itself
	Changed  time.Time
	Version  uint64
}

// maxSubject keeps the id of a discrepancy within its 120 characters.
const maxSubject = 80

// Subject makes a subject of what a stranger may have written: plain ASCII, and
// not too long.
func Subject(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), maxSubject)]
}

// NewDiscrepancy returns the first sighting of a trouble.
func NewDiscrepancy(c CreditorID, kind, subject, detail string, at time.Time) Discrepancy {
	at = Instant(at)
	return Discrepancy{Creditor: c, ID: kind + ":" + subject, Kind: kind, Subject: subject, Detail: detail,
		Count: 1, Open: true, Opened: at, Changed: at, Version: 1}
}

// Again records that the same trouble was met again: if it was closed it is open
// as on the first day. What was said about it before is in the history.
func (d Discrepancy) Again(detail string, at time.Time) Discrepancy {
	if !d.Open {
		d.Taken, d.Closed = Taking{}, Closure{}
	}
	d.Detail, d.Count, d.Open, d.Version, d.Changed = detail, d.Count+1, true, d.Version+1, Instant(at)
	return d
}

// Close records that the course of things settled it; [Discrepancy.Conclude] is
// what a person does.
func (d Discrepancy) Close(at time.Time) Discrepancy {
	d.Open, d.Version, d.Changed = false, d.Version+1, Instant(at)
	return d
}

// AuditEntry is one line of the history, written in the same transaction as
// what it tells. It names records and states, never people outside the office.
type AuditEntry struct {
	Creditor CreditorID
	Seq      uint64 // given by the store, growing
	At       time.Time
	Actor    string // "device:…", "operator:…", "piemontepay" or "loop:…"
	Action   string // dotted, such as "code.assign"
	Position PositionID
	Subject  string // the record: a verbale, change, batch, device …
	From, To string // states
	Code     string // the platform's code, if it decided
}
