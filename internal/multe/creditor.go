package multe

import (
	"slices"
	"time"

	"preavviso/internal/fault"
)

// Creditor is an ente creditore: a municipality, or a union of them, that issues
// verbali in its own name. Every other record belongs to one creditor.
type Creditor struct {
	ID      CreditorID
	Name    string // as on notices, ≤ 100 (guida tecnica 3.5.1, ENTE.NOME)
	Settore string // the office, ≤ 50
	Info    string // how to reach it, ≤ 100
	CBILL   string // interbank code, ≤ 10; "" if none

	// CodiceVersamento is what PiemontePAY calls the kind of payment: 1 to 4
	// characters, given by the region.
	CodiceVersamento string

	Postal *PostalAccount // nil if the creditor has no account at Poste

	// The pool: below PoolLow codes (available plus requested) more are asked
	// for, up to PoolTarget.
	PoolLow    int
	PoolTarget int

	// ValidityDays is how many days after its issue a position stays payable;
	// 0 sets no end, which is the practice of mod. Multe.
	ValidityDays int `json:",omitzero"`

	// UndoMinutes is how long an annulment can be taken back; 0 means
	// [DefaultUndo].
	UndoMinutes int `json:",omitzero"`

	// LeaseHours is how long a handheld may be silent before the codes it holds are
	// set aside; 0 means [DefaultLease].
	LeaseHours int `json:",omitzero"`

	// PhotoMonths is how long the photos of a verbale are kept when it is paid or
	// annulled; 0 means [DefaultPhotoMonths].
	PhotoMonths int `json:",omitzero"`

	// Portal is true for a creditor without a SOAP integration: nothing is sent,
	// an operator carries lists to the portal and back as files.
	Portal bool `json:",omitzero"`

	// ApproveCancellations is true where a verbale is annulled only when a second
	// person says so too.
	ApproveCancellations bool `json:",omitzero"`

	Policies []Policy // by From, ascending; the last one that has begun applies

	Version uint64
	Changed time.Time
}

// PostalAccount is what the Data Matrix and the bollettino need. It is printed
// only when Poste has authorised it.
type PostalAccount struct {
	Number        string // conto corrente postale, up to 12 digits
	Holder        string // intestatario, ≤ 50
	Authorization string // "AUT. DB/…": without it no Data Matrix may be printed
}

// DebtorPolicy says what happens upstream with a debtor who becomes known after
// activation, when SOAP refuses them (code 196).
type DebtorPolicy string

const (
	DebtorReset    DebtorPolicy = "reset"    // back to 0.00, then debtor and amount in one MODIFICA
	DebtorRegister DebtorPolicy = "register" // the debtor stays in our register only
	DebtorREST     DebtorPolicy = "rest"     // debtor and amount in one REST PUT, which knows no 196
	DebtorReissue  DebtorPolicy = "reissue"  // a fresh code takes both, then the old one is annulled
)

// AmountPolicy says how the steps of an amount become codes.
type AmountPolicy string

const (
	// AmountOneCode is one codice avviso whose amount is changed on the legal
	// days: the practice of Piemonte and AgID.
	AmountOneCode AmountPolicy = "one-code"
	// AmountTwoCodes is a slip with a codice avviso for the discounted amount and
	// one for the full amount (the CdS notice of pagoPA); paying one annuls the
	// other.
	AmountTwoCodes AmountPolicy = "two-codes"
)

// Policy is a choice of the creditor, in force from a day on.
//
// What it says about terms is left empty by a creditor that follows the law; see
// package cds, which reads it.
type Policy struct {
	From   Day
	Debtor DebtorPolicy
	Amount AmountPolicy

	Patron         string `json:",omitzero"` // day of the patron saint, "06-24"; "" is not counted as a holiday
	Slip           Term   `json:",omitzero"` // of the discount on a preavviso, from the day of the violation
	NoSlipDiscount bool   `json:",omitzero"` // the preavviso shows only the minimum
	Discount       Term   `json:",omitzero"` // of the discount on a verbale, from its notification
	CostsCents     Cents  `json:",omitzero"` // accertamento and notification, where the office types none
}

// Term is how long something is granted. The zero Term is what the law says.
type Term struct {
	Days    int  `json:"days"`
	Working bool `json:"working,omitzero"` // Sundays and holidays are not counted; Saturdays are
}

// DefaultPolicy applies before the first Policy of a creditor.
var DefaultPolicy = Policy{Debtor: DebtorReset, Amount: AmountOneCode}

// PolicyOn returns the policy in force on day d.
func (c Creditor) PolicyOn(d Day) Policy {
	p := DefaultPolicy
	for _, q := range c.Policies {
		if q.From.Compare(d) <= 0 {
			p = q
		}
	}
	return p
}

// DefaultUndo is how long an annulment waits before it is told to the platform,
// where it cannot be undone.
const DefaultUndo = 30 * time.Minute

// Undo returns how long an annulment of this creditor can be taken back.
func (c Creditor) Undo() time.Duration {
	if c.UndoMinutes == 0 {
		return DefaultUndo
	}
	return time.Duration(c.UndoMinutes) * time.Minute
}

// The bounds of the options. A validity shorter than the discount of art. 202 CdS
// would end before what the slip promises; an undo of more than a day is no slip
// of the finger.
const (
	MinValidityDays = 5
	MaxValidityDays = 3650
	MaxUndoMinutes  = 24 * 60
)

// The bounds of a pool. A block of codes is at most [MaxLease], so a target
// below one block makes no sense; above the maximum a burnt pool hurts.
const (
	MinPoolTarget = 10
	MaxPoolTarget = 20_000
)

// Validate checks a creditor as an administrator typed it.
func (c Creditor) Validate() error {
	bad := func(field, detail string) error { return fault.New(fault.Invalid, "creditor.bad_"+field, detail) }
	if _, err := ParseCreditorID(string(c.ID)); err != nil {
		return err
	}
	for _, f := range []struct {
		name, value, detail string
		max                 int
		required            bool
	}{
		{"name", c.Name, "Il nome dell'ente è obbligatorio, al massimo 100 caratteri.", 100, true},
		{"settore", c.Settore, "Il settore può avere al massimo 50 caratteri.", 50, false},
		{"info", c.Info, "I recapiti possono avere al massimo 100 caratteri.", 100, false},
	} {
		if err := checkText(f.value, f.max); err != nil || f.required && f.value == "" {
			return bad(f.name, f.detail)
		}
	}
	if !alnum(c.CodiceVersamento) || len(c.CodiceVersamento) < 1 || len(c.CodiceVersamento) > 4 {
		return bad("codice_versamento", "Il codice versamento ha da 1 a 4 lettere o cifre, come comunicato da PiemontePAY.")
	}
	if c.CBILL != "" && (!alnum(c.CBILL) || len(c.CBILL) > 10) {
		return bad("cbill", "Il codice CBILL ha al massimo 10 lettere o cifre.")
	}
	if p := c.Postal; p != nil {
		if len(p.Number) < 1 || len(p.Number) > 12 || !digits(p.Number) {
			return bad("postal", "Il conto corrente postale ha al massimo 12 cifre.")
		}
		if checkText(p.Holder, 50) != nil || p.Holder == "" || checkText(p.Authorization, 60) != nil {
			return bad("postal", "Intestatario del conto (al massimo 50 caratteri) o autorizzazione di Poste non validi.")
		}
	}
	if c.PoolTarget < MinPoolTarget || c.PoolTarget > MaxPoolTarget || c.PoolLow < 1 || c.PoolLow > c.PoolTarget {
		return bad("pool", "La scorta di codici va da 10 a 20000 e la soglia minima da 1 alla scorta.")
	}
	if v := c.ValidityDays; v != 0 && (v < MinValidityDays || v > MaxValidityDays) {
		return bad("validity", "La validità va da 5 a 3650 giorni, oppure 0 per nessuna scadenza.")
	}
	if c.UndoMinutes < 0 || c.UndoMinutes > MaxUndoMinutes {
		return bad("undo", "Il tempo per ripensare un annullamento va da 1 a 1440 minuti.")
	}
	if h := c.LeaseHours; h != 0 && (h < MinLeaseHours || h > MaxLeaseHours) {
		return bad("lease", "Un palmare può tenere i codici senza farsi sentire da 12 a 336 ore.")
	}
	if m := c.PhotoMonths; m < 0 || m > MaxPhotoMonths {
		return bad("photos", "Le foto di un verbale chiuso si conservano da 1 a 120 mesi.")
	}
	for i, p := range c.Policies {
		if p.From.IsZero() || i > 0 && c.Policies[i-1].From.Compare(p.From) >= 0 {
			return bad("policies", "Le regole dell'ente devono avere date di decorrenza crescenti.")
		}
		if !slices.Contains([]DebtorPolicy{DebtorReset, DebtorRegister, DebtorREST, DebtorReissue}, p.Debtor) {
			return bad("policies", "La regola sul debitore deve essere «reset», «register», «rest» oppure «reissue».")
		}
		if p.CostsCents < 0 || p.CostsCents > MaxCostsCents {
			return bad("policies", "Le spese di accertamento e notifica vanno da 0 a 100 euro.")
		}
		if p.Amount != AmountOneCode && p.Amount != AmountTwoCodes {
			return bad("policies", "La regola sugli importi deve essere «one-code» oppure «two-codes».")
		}
	}
	return nil
}

func alnum(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// DeviceState says how far a handheld may be trusted.
type DeviceState string

const (
	DeviceInvited  DeviceState = "invited"  // has an enrolment code, not yet used
	DeviceEnrolled DeviceState = "enrolled" // has a key, or a token
	DeviceRevoked  DeviceState = "revoked"  // final: lost, stolen or retired
)

type deviceMove string

var deviceMoves = moves[DeviceState, deviceMove]{
	"invite": {from: []DeviceState{DeviceInvited, DeviceEnrolled}, to: DeviceInvited}, // enrolled: a re-installed app
	"enrol":  {from: []DeviceState{DeviceInvited}, to: DeviceEnrolled},
	"revoke": {from: []DeviceState{DeviceInvited, DeviceEnrolled}, to: DeviceRevoked},
}

// Device is one handheld of one creditor.
type Device struct {
	Creditor CreditorID
	ID       DeviceID
	Name     string // as the office calls it, ≤ 50
	State    DeviceState
	Invite   Digest    // of the one-time enrolment code; zero once used
	InviteBy time.Time // the enrolment code is worthless from then on
	Token    Digest    // of the bearer token, or of Key; zero unless enrolled
	Key      DeviceKey `json:",omitempty"` // checks its signatures; "" unless enrolled with one
	Bearer   bool      `json:",omitempty"` // may enrol without a key: its firmware cannot sign
	Seen     time.Time `json:",omitzero"`  // when it last called, as exactly as [SeenEvery]; zero: never since that is noted
	Version  uint64
	Changed  time.Time
}

// Reinvite gives the device a new one-time enrolment code. A key or token it had
// stops working: two holders of one identity must never be.
func (d Device) Reinvite(code Digest, by, at time.Time) (Device, error) {
	next, err := d.move("invite", at)
	if err != nil {
		return d, err
	}
	next.Invite, next.InviteBy, next.Token, next.Key = code, Instant(by), Digest{}, ""
	return next, nil
}

// Enrol turns the one-time code into a token, for a device that may have one. A
// code past its time is refused.
func (d Device) Enrol(token Digest, at time.Time) (Device, error) {
	if d.State == DeviceInvited && !d.Bearer {
		return d, fault.New(fault.Forbidden, "enrolment.key_required", "Il palmare deve attivarsi con una propria chiave e firmare le richieste: aggiornare il programma o rivolgersi all'ufficio.")
	}
	return d.enrol(token, "", at)
}

// EnrolKey turns the one-time code into the right to sign with key, of which the
// caller has shown to hold the private half.
func (d Device) EnrolKey(key DeviceKey, at time.Time) (Device, error) {
	return d.enrol(key.ID(), key, at)
}

func (d Device) enrol(token Digest, key DeviceKey, at time.Time) (Device, error) {
	if d.State == DeviceInvited && !at.Before(d.InviteBy) {
		return d, fault.New(fault.Forbidden, "enrolment.expired", "Il codice di attivazione del palmare è scaduto: chiederne uno nuovo all'ufficio.")
	}
	next, err := d.move("enrol", at)
	if err != nil {
		return d, err
	}
	next.Invite, next.InviteBy, next.Token, next.Key = Digest{}, time.Time{}, token, key
	return next, nil
}

// Revoke ends the device for good.
func (d Device) Revoke(at time.Time) (Device, error) {
	next, err := d.move("revoke", at)
	if err != nil {
		return d, err
	}
	next.Invite, next.InviteBy, next.Token, next.Key = Digest{}, time.Time{}, Digest{}, ""
	return next, nil
}

func (d Device) move(m deviceMove, at time.Time) (Device, error) {
	to, err := deviceMoves.next(d.State, m, "device.wrong_state", "il palmare")
	if err != nil {
		return d, err
	}
	d.State, d.Version, d.Changed = to, d.Version+1, Instant(at)
	return d, nil
}
