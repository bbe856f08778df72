package multe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

// VerbaleState says where a verbale is in its life.
type VerbaleState string

const (
	VerbaleIssued    VerbaleState = "issued"    // the slip is on the windscreen
	VerbaleFinalised VerbaleState = "finalised" // the office recorded it, with a register number
	VerbaleSettled   VerbaleState = "settled"   // paid at least what was due on the day
	VerbaleCancelled VerbaleState = "cancelled" // annulled in autotutela; final once the platform was told
)

type verbaleMove string

// verbaleMoves is the life of a verbale: style.md B6 and B18.5. A settled one
// may still be finalised: points on a licence need the owner even when the money
// has come; it stays settled.
var verbaleMoves = moves[VerbaleState, verbaleMove]{
	"finalise":         {from: []VerbaleState{VerbaleIssued}, to: VerbaleFinalised},
	"finalise settled": {from: []VerbaleState{VerbaleSettled}, to: VerbaleSettled},
	"settle":           {from: []VerbaleState{VerbaleIssued, VerbaleFinalised}, to: VerbaleSettled},
	"cancel":           {from: []VerbaleState{VerbaleIssued, VerbaleFinalised, VerbaleSettled}, to: VerbaleCancelled}, // money that came goes back
	"undo issued":      {from: []VerbaleState{VerbaleCancelled}, to: VerbaleIssued},
	"undo finalised":   {from: []VerbaleState{VerbaleCancelled}, to: VerbaleFinalised},
	"undo settled":     {from: []VerbaleState{VerbaleCancelled}, to: VerbaleSettled},
}

// The bounds of what a warden may enter.
const (
	MaxPlace      = 140 // one line and a half of the slip
	MaxVehicle    = 70
	MaxNorm       = 40
	MaxConduct    = 300
	MaxWarden     = 20
	MaxReference  = 20
	MaxSteps      = 4         // what fits side by side on a slip
	MaxFineCents  = 9_999_999 // 99,999.99 euro: no fine of the Codice della Strada comes near
	MaxFuture     = 15 * time.Minute
	MaxPast       = 90 * 24 * time.Hour // art. 201 CdS: later nothing can be notified
	MaxReason     = 400                 // Motivazione in the XSD
	MaxRegister   = 30
	MaxViolation  = 12 // code in a catalogue
	causaleLength = 90 // what a notice prints (guida tecnica 3.5.1, AVVISO.OGGETTO); the XSD allows 100
)

// Violation is what the warden saw.
type Violation struct {
	Code    string `json:",omitzero"` // in the creditor's catalogue; "" if the handheld has none
	Norm    string // "art. 158 c. 2 e 6 CdS"
	Conduct string // the fact, in words
}

// Step is one printed amount: due through LastDay, the last step for ever.
type Step struct {
	Cents   Cents
	LastDay Day // zero in the last step only
}

// Slip is what a handheld says about a preavviso it printed. It is the body of
// an issue: two slips are the same request exactly when they are equal.
type Slip struct {
	ID        VerbaleID
	Position  PositionID
	Number    avviso.Number
	Reference string // number printed on the slip; "" means the codice avviso is used
	Plate     Plate
	Nation    string // of the plate, ISO 3166 alpha-2
	Vehicle   string // kind, make and colour as seen; may be ""
	Place     string
	Violation Violation
	Warden    string // matricola
	IssuedAt  time.Time
	Offline   bool // no network when it was printed
	Steps     []Step

	VehicleClass  VehicleClass  `json:",omitzero"` // as the amounts of the catalogue tell them apart
	GPS           *GPS          `json:",omitzero"`
	SkewMS        int64         `json:",omitzero"` // the service's clock minus the handheld's, in ms, by which IssuedAt is corrected already
	OfflineReason OfflineReason `json:",omitzero"`

	// Full is the second codice avviso of a slip under policy "two-codes": Number
	// is then worth the first step through its last day, Full what is due
	// without that discount. Nil under "one-code".
	Full *SlipCode `json:",omitzero"`
}

// SlipCode is a codice avviso as it was printed.
type SlipCode struct {
	Position PositionID
	Number   avviso.Number
}

// Validate checks a slip as it arrived; received is the server's time. The error
// names the field, never personal data.
func (s Slip) Validate(received time.Time) error {
	bad := func(field, detail string) error { return fault.New(fault.Invalid, "verbale.bad_"+field, detail) }
	switch {
	case !ValidID(string(s.ID)):
		return bad("id", "L'identificativo del verbale deve essere un UUID di 32 cifre esadecimali minuscole.")
	case s.Position == "" || s.Number.IsZero():
		return bad("code", "Manca il codice avviso.")
	case !nations.MatchString(s.Nation):
		return bad("nation", "La nazione della targa va indicata con due lettere maiuscole, per esempio IT.")
	case s.IssuedAt.After(received.Add(MaxFuture)):
		return bad("issued_at", "La data del verbale è nel futuro: controllare l'orologio del palmare.")
	case s.IssuedAt.Before(received.Add(-MaxPast)):
		return bad("issued_at", "La data del verbale è troppo indietro nel tempo: controllare l'orologio del palmare.")
	case s.Reference != "" && !validReference(s.Reference, MaxReference):
		return bad("reference", "Il numero del preavviso ha al massimo 20 caratteri: lettere, cifre, punto e trattino.")
	}
	if p, err := ParsePlate(string(s.Plate)); err != nil || p != s.Plate {
		return bad("plate", "La targa deve avere da 2 a 12 lettere maiuscole o cifre.")
	}
	for _, f := range []struct {
		name, value string
		max         int
		required    bool
	}{
		{"vehicle", s.Vehicle, MaxVehicle, false},
		{"place", s.Place, MaxPlace, true},
		{"norm", s.Violation.Norm, MaxNorm, true},
		{"conduct", s.Violation.Conduct, MaxConduct, true},
		{"warden", s.Warden, MaxWarden, true},
	} {
		if checkText(f.value, f.max) != nil || f.required && f.value == "" {
			return bad(f.name, fmt.Sprintf("Un campo del verbale manca, supera %d caratteri o contiene caratteri non ammessi.", f.max))
		}
	}
	if f := s.Full; f != nil {
		switch {
		case f.Position == "" || f.Number.IsZero() || f.Position == s.Position || f.Number == s.Number:
			return bad("full", "Il secondo codice avviso manca o è uguale al primo.")
		case len(s.Steps) < 2:
			return bad("full", "Con due codici avviso servono l'importo scontato e quello pieno.")
		}
	}
	if err := s.validateCircumstances(); err != nil {
		return err
	}
	return checkSteps(s.Steps, DayOf(s.IssuedAt))
}

func checkSteps(steps []Step, issued Day) error {
	bad := fault.New(fault.Invalid, "verbale.bad_steps", "Gli importi devono essere da 1 a 4, crescenti, ciascuno con la sua ultima data valida; l'ultimo senza data.")
	if len(steps) < 1 || len(steps) > MaxSteps {
		return bad
	}
	for i, s := range steps {
		last := i == len(steps)-1
		if s.Cents < 1 || s.Cents > MaxFineCents || last != s.LastDay.IsZero() {
			return bad
		}
		if i > 0 && s.Cents <= steps[i-1].Cents {
			return bad
		}
		if !last && s.LastDay.Compare(issued) < 0 || !last && i > 0 && s.LastDay.Compare(steps[i-1].LastDay) <= 0 {
			return bad
		}
	}
	return nil
}

func validReference(s string, max int) bool {
	if len(s) == 0 || len(s) > max {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alnum(s[i:i+1]) && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// Verbale is the warden's record of a violation. What was printed (Slip) never
// changes; what the office adds is in Record.
type Verbale struct {
	Creditor   CreditorID
	Device     DeviceID
	Slip       Slip
	Digest     Digest // of the body that issued it: tells a repetition from a conflict
	ReceivedAt time.Time
	State      VerbaleState
	Record     *Record // nil until finalised
	// Reissued is the position that took over from the one on the slip (policy
	// "reissue"); "" if none did.
	Reissued PositionID   `json:",omitzero"`
	Reason   string       `json:",omitzero"` // why it was cancelled; it goes to the platform as Motivazione
	Was      VerbaleState `json:",omitzero"` // what it was before it was cancelled
	// Cancellation is who annulled it and how, or who asked for it; nil if nobody
	// did. Annulments of old have a Reason only.
	Cancellation *Cancellation `json:",omitzero"`
	History      []Record      `json:",omitzero"` // the records it had before, oldest first
	Appeals      []Appeal      `json:",omitzero"` // ricorsi, oldest first; only the last can be pending
	Priced       Day           `json:",omitzero"` // the day whose amount the platform was told, if that was since Record.At

	// SkewMS is the service's clock minus the handheld's, in ms, as the upload
	// showed; nil if it did not.
	SkewMS *int64 `json:",omitzero"`
	Flags  []Flag `json:",omitzero"` // by the upload; see Issue of package verbali

	Version uint64
	Changed time.Time
}

// Record is what the office adds when it finalises a verbale. One with an amount
// and no Fine is due as it is for ever; with a Fine, Cents is asked until the
// verbale is notified, and the law's steps from then on.
type Record struct {
	Register string // number in the creditor's register, given by the creditor
	Cents    Cents  // due from now on, costs and all
	Causale  Causale
	Debtor   *Debtor // nil under the explicit choice to stay anonymous
	Policy   DebtorPolicy
	At       time.Time // of this version

	On           Day           `json:",omitzero"` // of the registration
	Violation    string        `json:",omitzero"` // code in the catalogue that Fine is from; "" if it is the slip's, or Fine was typed
	Fine         *Fine         `json:",omitzero"`
	CostsCents   Cents         `json:",omitzero"` // accertamento and notification: part of every step, never discounted
	Notification *Notification `json:",omitzero"`
	Steps        []Step        `json:",omitzero"` // worked out of the above; none: Cents, for ever
	By           string        `json:",omitzero"` // who made this version
	Why          string        `json:",omitzero"` // why it replaced the one before; "" if it only added something
}

// IssueVerbale returns the verbale that a valid slip makes.
func IssueVerbale(c CreditorID, d DeviceID, s Slip, body Digest, at time.Time) Verbale {
	s.IssuedAt = Instant(s.IssuedAt)
	return Verbale{Creditor: c, Device: d, Slip: s, Digest: body, ReceivedAt: Instant(at), State: VerbaleIssued, Version: 1, Changed: Instant(at)}
}

// Reference is the number that names the slip on paper and in the causale.
func (s Slip) ReferenceOrCode() string {
	if s.Reference != "" {
		return s.Reference
	}
	return s.Number.String()
}

// Positions returns every position that stands for the verbale: paying any of
// them pays it.
func (v Verbale) Positions() []PositionID {
	ps := []PositionID{v.Slip.Position}
	if v.Slip.Full != nil {
		ps = append(ps, v.Slip.Full.Position)
	}
	if v.Reissued != "" {
		ps = append(ps, v.Reissued)
	}
	return ps
}

// Carrier is the position that carries what is due in the long run: the one that
// the office's amount and debtor go to.
func (v Verbale) Carrier() PositionID {
	ps := v.Positions()
	return ps[len(ps)-1]
}

// DueOnPosition returns what position p is to be worth on day d. Under
// "two-codes" the first code is always the first step, and the full one never is.
func (v Verbale) DueOnPosition(p PositionID, d Day) Cents {
	if v.Slip.Full == nil {
		return v.DueOn(d)
	}
	if p == v.Slip.Position {
		return v.Slip.Steps[0].Cents
	}
	if v.Record == nil && d.Compare(v.Slip.Steps[0].LastDay) <= 0 {
		d = v.Slip.Steps[0].LastDay.Plus(1)
	}
	return v.DueOn(d)
}

// Closed reports whether the verbale is paid or annulled.
func (v Verbale) Closed() bool { return v.State == VerbaleSettled || v.State == VerbaleCancelled }

// Causale is the payment description in force.
func (v Verbale) Causale() Causale {
	if v.Record != nil {
		return v.Record.Causale
	}
	return CausaleOfSlip(v.Slip)
}

// Validate checks a record as the office typed it.
func (r Record) Validate() error {
	bad := func(field, detail string) error { return fault.New(fault.Invalid, "verbale.bad_"+field, detail) }
	if r.Register == "" || checkText(r.Register, MaxRegister) != nil {
		return bad("register", "Il numero di registro è obbligatorio, al massimo 30 caratteri.")
	}
	if r.Cents < 1 || r.Cents > MaxFineCents {
		return bad("amount", "L'importo deve essere maggiore di zero e al massimo 99.999,99 euro.")
	}
	if r.CostsCents < 0 || r.CostsCents > MaxCostsCents {
		return bad("costs", "Le spese di accertamento e notifica vanno da 0 a 100 euro.")
	}
	if r.Fine != nil {
		if err := r.Fine.Validate(r.CostsCents); err != nil {
			return err
		}
	}
	if r.Violation != "" && checkText(r.Violation, MaxViolation) != nil {
		return bad("violation", "Il codice della violazione ha al massimo 12 caratteri.")
	}
	if _, err := ParseCausale(string(r.Causale)); err != nil {
		return err
	}
	if r.Debtor != nil {
		return r.Debtor.Validate()
	}
	return nil
}

// Finalise records the verbale in the creditor's register. A settled verbale is
// finalised too, and stays settled (style.md B18.5). Finalising twice is a
// conflict.
func (v Verbale) Finalise(r Record, at time.Time) (Verbale, error) {
	if v.Record != nil {
		return v, fault.New(fault.Conflict, "verbale.already_recorded", "Il verbale è già registrato.")
	}
	if err := r.Validate(); err != nil {
		return v, err
	}
	m := verbaleMove("finalise")
	if v.State == VerbaleSettled {
		m = "finalise settled"
	}
	next, err := v.move(m, at)
	if err != nil {
		return v, err
	}
	r.At = Instant(at)
	next.Record = &r
	return next, nil
}

// Settle closes the verbale because at least what was due was paid; the caller
// has compared the amounts.
func (v Verbale) Settle(at time.Time) (Verbale, error) { return v.move("settle", at) }

// Cancel annuls the verbale. The reason goes to the platform, and must hold no
// personal data.
func (v Verbale) Cancel(c Cancellation, by string, at time.Time) (Verbale, error) {
	if err := v.mayCancel(c); err != nil {
		return v, err
	}
	c.By, c.At = by, Instant(at)
	return v.cancel(c, at)
}

// UndoCancel takes a cancellation back that the platform has not heard of, or that
// nobody has approved yet.
func (v Verbale) UndoCancel(at time.Time) (Verbale, error) {
	if v.CancelRequested() {
		v.Cancellation, v.Version, v.Changed = nil, v.Version+1, Instant(at)
		return v, nil
	}
	m := verbaleMove("undo issued")
	if v.Record != nil {
		m = "undo finalised"
	}
	if v.Was == VerbaleSettled {
		m = "undo settled"
	}
	next, err := v.move(m, at)
	if err != nil {
		return v, err
	}
	if c := v.Cancellation; c != nil && c.Kind == CancelRicorso && len(v.Appeals) > 0 {
		next.Appeals = slices.Clone(v.Appeals) // its outcome was the mistake
		next.Appeals[len(next.Appeals)-1].Ruling = nil
	}
	next.Reason, next.Was, next.Cancellation = "", "", nil
	return next, nil
}

func (v Verbale) move(m verbaleMove, at time.Time) (Verbale, error) {
	to, err := verbaleMoves.next(v.State, m, "verbale.wrong_state", "il verbale")
	if err != nil {
		return v, err
	}
	v.State, v.Version, v.Changed = to, v.Version+1, Instant(at)
	return v, nil
}

// Causale is a payment description: what the citizen sees in their app. It
// carries the number of the verbale, never the plate.
type Causale string

// ParseCausale accepts up to 90 characters out of letters, digits, space and
// . , : ' - ( ) +, which survive every step to the citizen's app
// (piemontepay.md §8.3; a slash would look like a field of the pagoPA causale).
func ParseCausale(s string) (Causale, error) {
	bad := fault.New(fault.Invalid, "verbale.bad_causale", "La causale ha da 1 a 90 caratteri: lettere senza accenti, cifre, spazio e . , : ' - ( ) +")
	if s == "" || len(s) > causaleLength || strings.TrimSpace(s) != s {
		return "", bad
	}
	for i := range len(s) {
		if !alnum(s[i:i+1]) && !strings.ContainsRune(" .,:'-()+", rune(s[i])) {
			return "", bad
		}
	}
	return Causale(s), nil
}

// CausaleOfSlip is the description of a preavviso: its number and day.
func CausaleOfSlip(s Slip) Causale {
	d := DayOf(s.IssuedAt)
	return Causale(fmt.Sprintf("Preavviso CdS n. %s del %02d.%02d.%04d", s.ReferenceOrCode(), d.Day, d.Month, d.Year))
}
