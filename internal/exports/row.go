package exports

import (
	"errors"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// graceDays is how long after the last day of the slip's discount its
	// payment may still be on its way to us: the PSP's day, the platform's queue,
	// a weekend.
	graceDays = 2
	// slipDays is the discount of art. 202 CdS, for a slip with one amount only.
	slipDays = 5
)

// Why an act is not in a list. The strings are shown by the API.
const (
	OutState   = "state"    // not in the state that the list is of: settled, cancelled, not yet recorded …
	OutPaid    = "paid"     // money has come
	OutDoubt   = "in_doubt" // the platform or a flow says that money has come
	OutEarly   = "early"    // the slip's term, and the way of its payment to us, are not over
	OutOwner   = "owner"    // lookup: the owner is known; notify: the owner is not
	OutListed  = "listed"   // it is in an earlier list
	OutNothing = "nothing"  // nothing is due
	OutSent    = "notified" // notify: it was notified already
	OutWaiting = "waiting"  // a ricorso is pending, or somebody asked to annul it
)

// doubts are troubles that mean that money has come although no payment is here.
var doubts = []string{"position.already_paid", "position.paid_unnotified", "accounting.never_notified", "accounting.no_rpt"}

// Row is an act as the list says it. What does not belong into a list of its kind
// is left empty.
type Row struct {
	Verbale   multe.VerbaleID
	Register  string // notify
	Reference string // number of the preavviso, or codice avviso
	Avviso    string // notify: the codice avviso to pay
	Plate     string
	Nation    string
	Vehicle   string
	At        time.Time // of the violation
	Place     string
	Norm      string        // notify
	Conduct   string        // notify
	Warden    string        // notify
	Debtor    *multe.Debtor // notify
	Causale   string        // notify
	Due       multe.Cents   // notify: on the day of the list
	Paid      multe.Cents   // notify: what has come and was not given back
}

// look is one look at acts for a list of a kind, on a day.
type look struct {
	r     store.Reader
	kind  multe.ExportKind
	today multe.Day
}

// row returns the row of an act, if it belongs in a new list.
func (l look) row(v multe.Verbale, again bool) (Row, bool, error) {
	if !again { // first: it is cheap, and most acts were in a list long ago
		if listed, err := l.listed(v.Creditor, v.Slip.ID); err != nil || listed {
			return Row{}, false, err
		}
	}
	out, b, err := l.judge(v)
	if err != nil || out != "" {
		return Row{}, false, err
	}
	if l.kind == multe.ExportLookup {
		if known, err := l.owner(v); err != nil || known {
			return Row{}, false, err
		}
	}
	row, err := l.describe(v, b)
	return row, err == nil, err
}

// listed reports whether an act is in a list of this kind that was not withdrawn.
func (l look) listed(c multe.CreditorID, v multe.VerbaleID) (bool, error) {
	lines, err := l.r.ExportLinesOf(c, v, store.MaxPage)
	if err != nil {
		return false, err
	}
	for _, line := range lines {
		x, err := l.r.Export(c, line.Export)
		if err != nil {
			return false, err
		}
		if x.Kind == l.kind && !x.Withdrawn {
			return true, nil
		}
	}
	return false, nil
}

// owner reports whether an extract has told who owned the vehicle on the day.
func (l look) owner(v multe.Verbale) (bool, error) {
	hints, err := l.r.OwnerHintsOf(v.Creditor, v.Slip.Plate, store.MaxPage)
	if err != nil {
		return false, err
	}
	day := multe.DayOf(v.Slip.IssuedAt)
	for _, h := range hints {
		if h.Covers(day) {
			return true, nil
		}
	}
	return false, nil
}

// judge says why an act must not be in the list, "" if it may, and what came for
// it.
func (l look) judge(v multe.Verbale) (out string, b multe.Balance, err error) {
	if out := l.judgeAct(v); out != "" {
		return out, b, nil
	}
	if b, err = store.BalanceOf(l.r, v); err != nil {
		return "", b, err
	}
	waived := false // somebody has said that the act goes on although money has come
	for _, p := range v.Positions() {
		code, err := l.r.Code(v.Creditor, p)
		if err != nil {
			return "", b, err
		}
		subjects := []string{string(p)}
		if !code.Number.IsZero() {
			subjects = append(subjects, code.Number.IUV())
		}
		for _, kind := range doubts {
			for _, s := range subjects {
				d, err := l.r.Discrepancy(v.Creditor, kind+":"+s)
				if err != nil && !errors.Is(err, fault.NotFound) {
					return "", b, err
				}
				if err == nil && d.Open {
					return OutDoubt, b, nil
				}
			}
		}
		d, err := l.r.Discrepancy(v.Creditor, multe.TroubleShort+":"+string(p))
		if err != nil && !errors.Is(err, fault.NotFound) {
			return "", b, err
		}
		waived = waived || err == nil && !d.Open && d.Closed.Outcome != ""
	}
	if b.Left() > 0 && !waived {
		return OutPaid, b, nil
	}
	return "", b, nil
}

// judgeAct says why the act itself keeps it out of the list.
func (l look) judgeAct(v multe.Verbale) string {
	if v.AppealPending() || v.CancelRequested() {
		return OutWaiting
	}
	if l.kind == multe.ExportNotify {
		switch {
		case v.State != multe.VerbaleFinalised || v.Record == nil:
			return OutState
		case v.Record.Notification != nil:
			return OutSent
		case v.Record.Debtor == nil:
			return OutOwner
		case v.DueOn(l.today) == 0:
			return OutNothing
		case l.early(v):
			return OutEarly
		}
		return ""
	}
	switch {
	case v.State != multe.VerbaleIssued:
		return OutState
	case v.Record != nil:
		return OutOwner
	case l.early(v):
		return OutEarly
	}
	return ""
}

// early reports whether somebody may still pay, or have paid, what the slip
// promises to who pays at once. A list would say that amount too, which is over
// before the act arrives.
func (l look) early(v multe.Verbale) bool {
	return l.today.Compare(lastDay(v.Slip).Plus(graceDays)) <= 0
}

// lastDay is the last day of what the slip promises to who pays at once.
func lastDay(s multe.Slip) multe.Day {
	if first := s.Steps[0]; !first.LastDay.IsZero() {
		return first.LastDay
	}
	return multe.DayOf(s.IssuedAt).Plus(slipDays)
}

// describe says what the list says about an act.
func (l look) describe(v multe.Verbale, b multe.Balance) (Row, error) {
	s := v.Slip
	row := Row{Verbale: s.ID, Reference: s.ReferenceOrCode(), Plate: string(s.Plate), Nation: s.Nation, Vehicle: s.Vehicle, At: s.IssuedAt, Place: s.Place}
	if l.kind != multe.ExportNotify {
		return row, nil
	}
	code, err := l.r.Code(v.Creditor, v.Carrier())
	if err != nil {
		return Row{}, err
	}
	row.Register, row.Debtor, row.Causale, row.Avviso = v.Record.Register, v.Record.Debtor, string(v.Record.Causale), code.Number.String()
	row.Norm, row.Conduct, row.Warden = s.Violation.Norm, s.Violation.Conduct, s.Warden
	row.Due, row.Paid = v.DueOn(l.today), b.Left()
	return row, nil
}
