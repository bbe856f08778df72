package multe

import (
	"errors"
	"fmt"
	"time"

	"preavviso/internal/avviso"
)

// ChangeKind says what a change does upstream.
type ChangeKind string

const (
	ChangeRequest  ChangeKind = "request"  // insert an inactive position: amount 0, payer ANONIMO
	ChangeActivate ChangeKind = "activate" // amount, causale and references of an issued verbale
	ChangeReset    ChangeKind = "reset"    // back to amount 0, so that a debtor is accepted
	ChangeUpdate   ChangeKind = "update"   // amount, causale and debtor of a recorded verbale
	ChangeVoid     ChangeKind = "void"     // ANNULLAMENTO; cannot be undone
)

// ChangeState says how far a change has come.
type ChangeState string

const (
	ChangeWaiting ChangeState = "waiting" // in the outbox
	ChangeSealed  ChangeState = "sealed"  // in a batch, whose bytes are fixed; perhaps sent
	ChangeQueued  ChangeState = "queued"  // the platform said it has it; the esito will come
	ChangeApplied ChangeState = "applied" // the platform did it
	ChangeRefused ChangeState = "refused" // the platform will not do it; a person is told
	ChangeUnknown ChangeState = "unknown" // the platform failed half way: it may have done it
)

type changeMove string

// changeMoves is the life of a change. An esito may overtake the answer to the
// call, so everything an esito can say is allowed from sealed too.
var changeMoves = moves[ChangeState, changeMove]{
	"seal":   {from: []ChangeState{ChangeWaiting}, to: ChangeSealed},
	"queue":  {from: []ChangeState{ChangeSealed}, to: ChangeQueued},
	"apply":  {from: []ChangeState{ChangeSealed, ChangeQueued, ChangeUnknown}, to: ChangeApplied},
	"refuse": {from: []ChangeState{ChangeWaiting, ChangeSealed, ChangeQueued, ChangeUnknown}, to: ChangeRefused},
	"retry":  {from: []ChangeState{ChangeSealed, ChangeQueued, ChangeUnknown}, to: ChangeWaiting},
	"doubt":  {from: []ChangeState{ChangeSealed, ChangeQueued}, to: ChangeUnknown},
}

// Open reports whether more can still happen by itself: a change that is
// waiting, sealed or queued. At most one open change per position is past
// waiting, because the platform does not promise order.
func (s ChangeState) Open() bool {
	return s == ChangeWaiting || s == ChangeSealed || s == ChangeQueued
}

// Reference is one RiferimentoPagamento: printed on the slip exactly as sent,
// because the regional portal asks the citizen to type it back.
type Reference struct {
	Name  string // ≤ 70
	Value string // ≤ 70
}

// Desired is the full state a change asks for: the platform can apply a failed
// update in part, so every update repeats everything.
type Desired struct {
	Cents      Cents
	Causale    Causale
	References []Reference
	Debtor     *Debtor
	Reason     string // Motivazione, of a void; without it the platform wipes its note

	// ValidTo is the DataFineValidita to be set; zero leaves what is stored. It
	// is looked at again when the change is sealed: see package dispatch.
	ValidTo Day `json:",omitzero"`
}

// Route is how a change reaches the platform.
type Route string

const (
	RouteSOAP Route = ""     // in a list; its esito comes later
	RouteREST Route = "rest" // alone, answered at once (piemontepay.md §5.3)
)

// Change is one thing the platform must be told about one position. It is
// written in the same transaction as the fact behind it. The changes of a
// position are told in the order of Seq, one at a time.
type Change struct {
	Creditor  CreditorID
	Position  PositionID
	Seq       int // 1 for the request of the code
	Kind      ChangeKind
	State     ChangeState
	Want      Desired
	Route     Route     `json:",omitzero"`
	Upstream  string    `json:",omitzero"` // IdPosizioneDebitoria there, if it is not Position; set when sealed
	Verbale   VerbaleID // "" for a request
	Batch     BatchID   // the last batch that carried it
	Tries     int       // how often it was sealed
	NotBefore time.Time // not sealed earlier
	Code      string    // what the platform last said about it
	Version   uint64
	Created   time.Time
	Changed   time.Time
}

// NewChange returns the change number seq of position p.
func NewChange(c CreditorID, p PositionID, seq int, k ChangeKind, want Desired, at time.Time) Change {
	at = Instant(at)
	return Change{Creditor: c, Position: p, Seq: seq, Kind: k, State: ChangeWaiting, Want: want,
		NotBefore: at, Version: 1, Created: at, Changed: at}
}

// ID names the change among those of its creditor; ids of one position sort by
// Seq.
func (c Change) ID() ChangeID { return ChangeID(fmt.Sprintf("%s-%04d", c.Position, c.Seq)) }

// UpstreamID names the position as the platform does.
func (c Change) UpstreamID() PositionID {
	if c.Upstream != "" {
		return PositionID(c.Upstream)
	}
	return c.Position
}

// Position returns the position part of the id.
func (id ChangeID) Position() PositionID {
	if len(id) < 5 {
		return ""
	}
	return PositionID(id[:len(id)-5])
}

// Replace gives a change that still waits another content: a verbale recorded
// before its activation left travels whole, in one update (style.md B18.3).
func (c Change) Replace(k ChangeKind, want Desired, at time.Time) (Change, error) {
	if c.State != ChangeWaiting {
		return c, errChange(c.State)
	}
	c.Kind, c.Want, c.Version, c.Changed = k, want, c.Version+1, Instant(at)
	return c, nil
}

// Postpone moves a change that waits to another instant.
func (c Change) Postpone(notBefore, at time.Time) (Change, error) {
	if c.State != ChangeWaiting {
		return c, errChange(c.State)
	}
	c.NotBefore, c.Version, c.Changed = Instant(notBefore), c.Version+1, Instant(at)
	return c, nil
}

// Seal puts the change into batch b.
func (c Change) Seal(b BatchID, at time.Time) (Change, error) {
	next, err := c.move("seal", at)
	if err != nil {
		return c, err
	}
	next.Batch, next.Tries = b, c.Tries+1
	return next, nil
}

// Queue records that the platform has the batch.
func (c Change) Queue(at time.Time) (Change, error) { return c.move("queue", at) }

// Apply records that the platform did it.
func (c Change) Apply(code string, at time.Time) (Change, error) { return c.told("apply", code, at) }

// Refuse records that it will not be done; code is the platform's, or ours.
func (c Change) Refuse(code string, at time.Time) (Change, error) { return c.told("refuse", code, at) }

// Doubt records that nobody knows whether it was done.
func (c Change) Doubt(code string, at time.Time) (Change, error) { return c.told("doubt", code, at) }

// Retry puts the change back to wait until notBefore.
func (c Change) Retry(code string, notBefore, at time.Time) (Change, error) {
	next, err := c.told("retry", code, at)
	if err != nil {
		return c, err
	}
	next.NotBefore = Instant(notBefore)
	return next, nil
}

func (c Change) told(m changeMove, code string, at time.Time) (Change, error) {
	next, err := c.move(m, at)
	if err != nil {
		return c, err
	}
	next.Code = code
	return next, nil
}

func (c Change) move(m changeMove, at time.Time) (Change, error) {
	to, err := changeMoves.next(c.State, m, "change.wrong_state", "la comunicazione")
	if err != nil {
		return c, err
	}
	c.State, c.Version, c.Changed = to, c.Version+1, Instant(at)
	return c, nil
}

func errChange(s ChangeState) error {
	_, err := changeMoves.next(s, "seal", "change.wrong_state", "la comunicazione")
	return err
}

// Operation is how a batch travels.
type Operation string

const (
	OperationInsert Operation = "insert" // InserisciListaDiCarico
	OperationUpdate Operation = "update" // AggiornaPosizioniDebitorie
	OperationPut    Operation = "put"    // PUT debtpositions/{iuv}: one change, whose answer is its outcome
	OperationPortal Operation = "portal" // a file that a person carries to the portal
)

// Operation returns the call that carries the change.
func (c Change) Operation() Operation {
	if c.Route == RouteREST {
		return OperationPut
	}
	return c.Kind.Operation()
}

// Operation returns the SOAP call that carries changes of kind k.
func (k ChangeKind) Operation() Operation {
	if k == ChangeRequest {
		return OperationInsert
	}
	return OperationUpdate
}

// MaxBatch is how many changes one batch may carry: the limit in the region's
// paper, far below the schema's 1,000 (piemontepay.md §1.4).
const MaxBatch = 250

// BatchState says how far a batch has come.
type BatchState string

const (
	BatchSealed  BatchState = "sealed"  // bytes fixed; after the first attempt nobody knows whether it arrived
	BatchQueued  BatchState = "queued"  // the platform said it has it
	BatchRefused BatchState = "refused" // refused whole; its changes wait for another batch
	BatchDone    BatchState = "done"    // the esito came

	// BatchAbandoned: the esito did not come in time, and its changes travel in
	// another batch. What a late esito still says is heard.
	BatchAbandoned BatchState = "abandoned"
)

type batchMove string

var batchMoves = moves[BatchState, batchMove]{
	"attempt": {from: []BatchState{BatchSealed}, to: BatchSealed},
	"queue":   {from: []BatchState{BatchSealed}, to: BatchQueued},
	"refuse":  {from: []BatchState{BatchSealed, BatchQueued}, to: BatchRefused},
	"close":   {from: []BatchState{BatchSealed, BatchQueued}, to: BatchDone},
	"abandon": {from: []BatchState{BatchQueued}, to: BatchAbandoned},
}

// Batch is a list of changes under one IdMessaggio. Its bytes are durable before
// it is first sent, and never change: a repetition is the same message.
type Batch struct {
	Creditor  CreditorID
	ID        BatchID
	Operation Operation
	State     BatchState
	Body      []byte // the SOAP envelope, exactly as sent
	Changes   []ChangeID
	Attempts  int       // how often it may have been sent
	NotBefore time.Time // of the next attempt
	Code      string    // the platform's last word on the whole batch
	Version   uint64
	Sealed    time.Time
	Changed   time.Time
}

// Attempt records, before the network is touched, that the batch may be about to
// arrive; the same bytes may go out again from retry on.
func (b Batch) Attempt(retry, at time.Time) (Batch, error) {
	next, err := b.move("attempt", "", at)
	if err != nil {
		return b, err
	}
	next.Attempts, next.NotBefore = b.Attempts+1, Instant(retry)
	return next, nil
}

// NotSent takes back an attempt that surely did not reach the platform.
func (b Batch) NotSent(retry, at time.Time) (Batch, error) {
	next, err := b.move("attempt", "", at)
	if err != nil {
		return b, err
	}
	next.Attempts, next.NotBefore = max(0, b.Attempts-1), Instant(retry)
	return next, nil
}

// Queue records that the platform has the batch.
func (b Batch) Queue(code string, at time.Time) (Batch, error) { return b.move("queue", code, at) }

// Refuse records that the platform refused the batch whole; its id is spent.
func (b Batch) Refuse(code string, at time.Time) (Batch, error) { return b.move("refuse", code, at) }

// Close records that the esito came.
func (b Batch) Close(code string, at time.Time) (Batch, error) { return b.move("close", code, at) }

// Abandon records that the esito has not come in time.
func (b Batch) Abandon(at time.Time) (Batch, error) { return b.move("abandon", "", at) }

func (b Batch) move(m batchMove, code string, at time.Time) (Batch, error) {
	to, err := batchMoves.next(b.State, m, "batch.wrong_state", "la lista")
	if err != nil {
		return b, err
	}
	b.State, b.Version, b.Changed = to, b.Version+1, Instant(at)
	if code != "" {
		b.Code = code
	}
	return b, nil
}

// Verdict is what a code of the platform obliges us to do. The table from code
// to verdict is in package ppay.
type Verdict string

const (
	VerdictApplied Verdict = "applied" // done (000), or the list has outcomes of its own (050, 051)
	VerdictAlready Verdict = "already" // an earlier copy arrived: wait for its esito (150)
	VerdictLater   Verdict = "later"   // try again by ourselves (177, 200, 250)
	VerdictFix     Verdict = "fix"     // configuration is wrong here or there: a person is told, and we try again slowly (152)
	VerdictRefused Verdict = "refused" // will never be done; a person is told
	VerdictPaid    Verdict = "paid"    // already paid: the notification is on its way (178)
	VerdictVoided  Verdict = "voided"  // already annulled (179)
	VerdictOrphan  Verdict = "orphan"  // exists upstream, its number unknown to us (161)
	VerdictExpired Verdict = "expired" // not changed: its validity is over, and can be set later (187)
	VerdictUnknown Verdict = "unknown" // may have been done in part (160, 175)
)

// Esito is what the platform says, later, about one batch.
type Esito struct {
	Creditor  CreditorID
	Batch     BatchID
	Operation Operation
	Code      string // Result/Codice
	Verdict   Verdict
	Outcomes  []Outcome // empty when the whole list failed
}

// Outcome is what the platform says about one position of a batch.
type Outcome struct {
	Position PositionID
	Number   avviso.Number // zero if absent or malformed
	IUV      string        // as received
	Code     string        // CodiceEsito
	Verdict  Verdict
}

// ErrNotSent is in the chain of an error of a call that surely did not reach the
// platform, so that it may be repeated at once.
var ErrNotSent = errors.New("surely not sent")

// ErrNoREST is in the chain of an error of a REST call for a creditor that has
// no REST caller.
var ErrNoREST = errors.New("no REST caller is configured")

// Refusal is the platform's synchronous no to a whole batch.
type Refusal struct {
	Code    string // three digits
	Verdict Verdict
}

// Error gives the code only: the platform's text may quote what was sent.
func (r *Refusal) Error() string { return "piemontepay refused the batch with code " + r.Code }
