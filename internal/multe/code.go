package multe

import (
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

// CodeState says where a code is in its life. The strings are stored and shown
// by both APIs, so they never change meaning.
type CodeState string

const (
	CodeRequested   CodeState = "requested"   // asked of PiemontePAY; has no number yet
	CodeOrphaned    CodeState = "orphaned"    // exists upstream, but its number never reached us
	CodeAvailable   CodeState = "available"   // in the pool; worth nothing, not payable
	CodeAssigned    CodeState = "assigned"    // on a handheld, which may print it at any moment
	CodeQuarantined CodeState = "quarantined" // its handheld fell silent: it may be on paper
	CodeIssued      CodeState = "issued"      // on a preavviso; the platform has not confirmed it
	CodeActive      CodeState = "active"      // payable, confirmed by the platform
	CodePaid        CodeState = "paid"        // final
	CodeVoid        CodeState = "void"        // not to be used; only a payment can follow
)

// CodeStates returns every state, in the order of a code's life.
func CodeStates() []CodeState {
	return []CodeState{CodeRequested, CodeOrphaned, CodeAvailable, CodeAssigned, CodeQuarantined, CodeIssued, CodeActive, CodePaid, CodeVoid}
}

// MaxLease is the largest block of codes one request may give a handheld: more
// than any shift uses, few enough that a lost device costs little.
const MaxLease = 500

// Code is one avviso code. Its methods return the changed copy and leave the
// receiver alone, so a transaction that fails has changed nothing.
type Code struct {
	Creditor CreditorID
	Position PositionID
	Number   avviso.Number // zero while requested or orphaned
	State    CodeState
	Device   DeviceID  // set from assigned on
	Lease    LeaseID   // the request that assigned it
	Verbale  VerbaleID // set from issued on
	Reason   string    // why it is void: the platform's code, or ours

	// What the platform last confirmed about the position. Debtor true means a
	// real debtor is stored there, which no later update may replace (218).
	UpstreamCents  Cents
	UpstreamDebtor bool
	UpstreamEnd    Day    `json:",omitzero"` // last day of validity there; zero: none was ever set
	UpstreamID     string `json:",omitzero"` // the platform's own IdPosizioneDebitoria, of a code that the portal made; "" means Position

	Payable time.Time `json:",omitzero"` // when it became active; zero: it is not, or became so before this was kept

	Version uint64
	Changed time.Time
}

type codeMove string

// codeMoves is the life of a code: style.md B6 as data.
var codeMoves = moves[CodeState, codeMove]{
	"acknowledge": {from: []CodeState{CodeRequested, CodeOrphaned}, to: CodeAvailable},
	"orphan":      {from: []CodeState{CodeRequested}, to: CodeOrphaned},
	"assign":      {from: []CodeState{CodeAvailable}, to: CodeAssigned},
	"return":      {from: []CodeState{CodeAssigned}, to: CodeAvailable},
	"quarantine":  {from: []CodeState{CodeAssigned}, to: CodeQuarantined},
	"issue":       {from: []CodeState{CodeAssigned, CodeQuarantined}, to: CodeIssued},
	"reissue":     {from: []CodeState{CodeAvailable}, to: CodeIssued},
	"activate":    {from: []CodeState{CodeIssued}, to: CodeActive},
	"pay":         {from: []CodeState{CodeAvailable, CodeAssigned, CodeQuarantined, CodeIssued, CodeActive, CodeVoid}, to: CodePaid},
	"void":        {from: []CodeState{CodeRequested, CodeOrphaned, CodeAvailable, CodeQuarantined, CodeIssued, CodeActive}, to: CodeVoid},

	// An operator's annulment that has not left yet is taken back to where the
	// code was.
	"restore orphaned":    {from: []CodeState{CodeVoid}, to: CodeOrphaned},
	"restore available":   {from: []CodeState{CodeVoid}, to: CodeAvailable},
	"restore quarantined": {from: []CodeState{CodeVoid}, to: CodeQuarantined},
}

// RequestCode returns a new code that is about to be asked of the platform.
func RequestCode(c CreditorID, p PositionID, at time.Time) Code {
	return Code{Creditor: c, Position: p, State: CodeRequested, Version: 1, Changed: Instant(at)}
}

// Acknowledge gives the code the number that the platform made for it.
func (c Code) Acknowledge(n avviso.Number, at time.Time) (Code, error) {
	if n.IsZero() {
		return c, fault.New(fault.Invalid, "code.no_number", "Manca il numero dell'avviso.")
	}
	next, err := c.move("acknowledge", at)
	if err != nil {
		return c, err
	}
	next.Number, next.Reason = n, ""
	return next, nil
}

// Orphan records that the position exists upstream and its number was lost on
// the way (161). The number may still come: late, from the portal's export, or by
// REST.
func (c Code) Orphan(reason string, at time.Time) (Code, error) {
	next, err := c.move("orphan", at)
	if err != nil {
		return c, err
	}
	next.Reason = reason
	return next, nil
}

// Assign lends the code to a device.
func (c Code) Assign(d DeviceID, l LeaseID, at time.Time) (Code, error) {
	next, err := c.move("assign", at)
	if err != nil {
		return c, err
	}
	next.Device, next.Lease = d, l
	return next, nil
}

// Return takes back a code on the word of the device that it was not printed.
func (c Code) Return(by DeviceID, at time.Time) (Code, error) {
	if c.Stale(by) {
		return c, errStale()
	}
	if c.Device != by {
		return c, errOtherDevice()
	}
	next, err := c.move("return", at)
	if err != nil {
		return c, err
	}
	next.Device, next.Lease = "", ""
	return next, nil
}

// Quarantine sets aside a code whose device fell silent or was lost. It keeps
// its device: that device's late verbale is still accepted.
func (c Code) Quarantine(at time.Time) (Code, error) { return c.move("quarantine", at) }

// Issue writes the code onto verbale v. Issuing it again on the same verbale
// changes nothing, so a handheld may repeat a request whose answer was lost.
// A code held by another device, or already on another verbale, is a
// [fault.Conflict].
func (c Code) Issue(v VerbaleID, by DeviceID, at time.Time) (Code, error) {
	if c.Verbale != "" && c.Verbale == v {
		return c, nil
	}
	if c.Device != by {
		return c, errOtherDevice()
	}
	next, err := c.move("issue", at)
	if err != nil {
		return c, err
	}
	next.Verbale = v
	return next, nil
}

// Reissue puts a code that was never on paper onto verbale v, in place of the
// one on the slip (policy "reissue").
func (c Code) Reissue(v VerbaleID, at time.Time) (Code, error) {
	next, err := c.move("reissue", at)
	if err != nil {
		return c, err
	}
	next.Verbale = v
	return next, nil
}

// Confirm records what the platform now believes about the position: an amount,
// and whether a real debtor is stored. The first confirmed amount above zero
// makes an issued code active. A paid or void code keeps its state.
func (c Code) Confirm(amount Cents, debtor bool, at time.Time) (Code, error) {
	next := c
	if c.State == CodeIssued && amount > 0 {
		moved, err := c.move("activate", at)
		if err != nil {
			return c, err
		}
		next = moved
		next.Payable = next.Changed
	} else {
		next.Version, next.Changed = c.Version+1, Instant(at)
	}
	next.UpstreamCents, next.UpstreamDebtor = amount, c.UpstreamDebtor || debtor
	return next, nil
}

// Pay records that money came. It starts from every state that has a number,
// because money is a fact.
func (c Code) Pay(at time.Time) (Code, error) { return c.move("pay", at) }

// Void puts the code out of use; reason is the platform's code or ours. A code
// on a handheld cannot be voided: it may be coming out of a printer now.
func (c Code) Void(reason string, at time.Time) (Code, error) {
	next, err := c.move("void", at)
	if err != nil {
		return c, err
	}
	next.Reason = reason
	return next, nil
}

// Restore takes back a Void that nobody outside has heard of. It is for codes
// that were on no slip: a code on a slip is annulled with its verbale.
func (c Code) Restore(at time.Time) (Code, error) {
	m := codeMove("restore available")
	switch {
	case c.Number.IsZero():
		m = "restore orphaned"
	case c.Device != "":
		m = "restore quarantined"
	}
	next, err := c.move(m, at)
	if err != nil {
		return c, err
	}
	next.Reason = ""
	return next, nil
}

// move is the only place where a state changes.
func (c Code) move(m codeMove, at time.Time) (Code, error) {
	to, err := codeMoves.next(c.State, m, "code.wrong_state", "il codice")
	if err != nil {
		return c, err
	}
	c.State, c.Version, c.Changed = to, c.Version+1, Instant(at)
	return c, nil
}

func errOtherDevice() error {
	return fault.New(fault.Conflict, "code.other_device", "Il codice non è assegnato a questo palmare.")
}

// Lease is one answered request of codes: what a device got, so that the same
// request always gets the same block.
type Lease struct {
	Creditor  CreditorID
	Device    DeviceID
	ID        LeaseID
	Want      int // 0: the device left it to us
	Positions []PositionID
	At        time.Time

	// How many codes the device had put on slips by then; it means nothing unless
	// Counted, which older leases are not.
	Used    int  `json:",omitzero"`
	Counted bool `json:",omitzero"`

	Version uint64
}
