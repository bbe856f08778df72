package backoffice

import (
	"maps"
	"strings"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The bounds of what the plots look back on.
const (
	trendDays = 28      // four of each weekday, for the forecast
	trendRead = 200_000 // entries read at once; what is older than that is not drawn
)

// waits are the classes of the time from print to payable. The last is open.
var waits = []struct {
	under time.Duration
	label string
}{
	{time.Minute, "entro 1 minuto"},
	{5 * time.Minute, "da 1 a 5 minuti"},
	{15 * time.Minute, "da 5 a 15 minuti"},
	{time.Hour, "da 15 a 60 minuti"},
	{24 * time.Hour, "da 1 a 24 ore"},
	{0, "più di 24 ore"},
}

// tally is one civil day of a creditor.
type tally struct {
	Taken     int // codes that went to handhelds, less those that came back
	Moved     int // by how much the pool grew, or shrank
	Issued    int
	Paid      int
	PaidCents multe.Cents
	Waits     [6]int // slips that became payable, by the time since their print
}

// trend is what the history of one creditor adds up to. It is read once and then
// carried on: a page reads what is new.
type trend struct {
	seq  uint64        // the last entry read
	paid multe.Payment // the last payment read
	days map[multe.Day]*tally

	recorded multe.VerbaleID              // the verbale that was recorded last; "" if none was of late
	heard    map[multe.DeviceID]time.Time // when each handheld last did something; none: not in these days
}

func (t *trend) day(d multe.Day) *tally {
	if t.days == nil {
		t.days = map[multe.Day]*tally{}
	}
	if t.days[d] == nil {
		t.days[d] = &tally{}
	}
	return t.days[d]
}

// note adds one line of the history. printed is when the slip of a code that
// became payable was printed, zero if that is not known.
func (t *trend) note(e multe.AuditEntry, printed time.Time) {
	t.seq = e.Seq
	if e.Action == "verbale.recorded" {
		t.recorded = multe.VerbaleID(e.Subject)
	}
	if d, ok := strings.CutPrefix(e.Actor, "device:"); ok {
		t.hear(multe.DeviceID(d), e.At)
	}
	if !strings.HasPrefix(e.Action, "code.") || e.From == e.To {
		return
	}
	d := t.day(multe.DayOf(e.At))
	available := string(multe.CodeAvailable)
	switch {
	case e.From == available:
		d.Moved--
	case e.To == available:
		d.Moved++
	}
	switch {
	case e.From == available && (e.To == string(multe.CodeAssigned) || e.To == string(multe.CodeIssued)):
		d.Taken++
	case e.From == string(multe.CodeAssigned) && e.To == available:
		d.Taken--
	}
	if e.To == string(multe.CodeIssued) {
		d.Issued++
	}
	if e.To == string(multe.CodeActive) && !printed.IsZero() {
		d.Waits[waitClass(e.At.Sub(printed))]++
	}
}

func (t *trend) hear(d multe.DeviceID, at time.Time) {
	if t.heard == nil {
		t.heard = map[multe.DeviceID]time.Time{}
	}
	t.heard[d] = at
}

// pay adds one payment, on the day it was heard of.
func (t *trend) pay(p multe.Payment) {
	t.paid = p
	d := t.day(multe.DayOf(p.Received))
	d.Paid++
	d.PaidCents += p.Cents
}

// forget drops what is before a day.
func (t *trend) forget(before multe.Day) {
	for d := range t.days {
		if d.Compare(before) < 0 {
			delete(t.days, d)
		}
	}
}

func waitClass(d time.Duration) int {
	for i, w := range waits {
		if w.under > 0 && d <= w.under {
			return i
		}
	}
	return len(waits) - 1
}

// last returns the tallies of the n days that end with day to, oldest first.
func (t trend) last(n int, to multe.Day) []tally {
	out := make([]tally, n)
	for i := range n {
		if d := t.days[to.Plus(i-n+1)]; d != nil {
			out[i] = *d
		}
	}
	return out
}

// follow reads what is new since t, or since the first of the days that are
// drawn. It returns the trend with it; t itself stays as it was, since a
// transaction may run again.
func follow(r store.Reader, c multe.CreditorID, t trend, today multe.Day) (trend, error) {
	next := trend{seq: t.seq, paid: t.paid, recorded: t.recorded, days: map[multe.Day]*tally{}, heard: maps.Clone(t.heard)}
	for d, x := range t.days {
		kept := *x
		next.days[d] = &kept
	}
	from := today.Plus(-trendDays).Start()
	if next.seq == 0 {
		seq, err := seqAt(r, c, from)
		if err != nil {
			return t, err
		}
		next.seq = seq
		next.paid = multe.Payment{Received: multe.Instant(from)}
	}
	for read := 0; read < trendRead; {
		page, err := r.Audit(c, "", next.seq, store.MaxPage)
		if err != nil {
			return t, err
		}
		for _, e := range page {
			printed, err := printedAt(r, e)
			if err != nil {
				return t, err
			}
			next.note(e, printed)
		}
		if read += len(page); len(page) < store.MaxPage {
			break
		}
	}
	for read := 0; read < trendRead; {
		page, err := r.Payments(c, next.paid, store.MaxPage)
		if err != nil {
			return t, err
		}
		for _, p := range page {
			next.pay(p)
		}
		if read += len(page); len(page) < store.MaxPage {
			break
		}
	}
	next.forget(today.Plus(-trendDays))
	return next, nil
}

// printedAt returns when the slip was printed whose code became payable.
func printedAt(r store.Reader, e multe.AuditEntry) (time.Time, error) {
	if e.To != string(multe.CodeActive) || e.From != string(multe.CodeIssued) {
		return time.Time{}, nil
	}
	k, err := r.Code(e.Creditor, e.Position)
	if err != nil || k.Verbale == "" {
		return time.Time{}, err
	}
	v, err := r.Verbale(e.Creditor, k.Verbale)
	return v.Slip.IssuedAt, err
}

// seqAt returns the Seq of the last entry before an instant, 0 if there is none:
// entries are in the order they happened, so it can be halved down to.
func seqAt(r store.Reader, c multe.CreditorID, at time.Time) (uint64, error) {
	before := func(seq uint64) (bool, error) { // is the entry after seq there, and before at?
		page, err := r.Audit(c, "", seq, 1)
		return err == nil && len(page) == 1 && page[0].At.Before(at), err
	}
	var lo, hi uint64 = 0, 1
	for {
		yes, err := before(hi)
		if err != nil {
			return 0, err
		}
		if !yes || hi >= 1<<62 {
			break
		}
		lo, hi = hi, hi*2
	}
	for lo < hi {
		mid := lo + (hi-lo)/2
		yes, err := before(mid)
		if err != nil {
			return 0, err
		}
		if yes {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}
