package cds

import (
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// The terms of the law, in days.
const (
	DiscountDays = 5  // art. 202 c. 1 CdS: less 30 %
	ReducedDays  = 60 // art. 202 c. 1 and 203 CdS: the minimum; afterwards half of the maximum
	GiacenzaDays = 10 // art. 8 L. 890/1982: an act nobody fetched counts as notified
)

// MaxTermDays bounds a term of the discount. It is the longest in use (30 days at
// Verrès), and even as working days it ends before the 60 days of the law.
const MaxTermDays = 30

// Patron is the day of a creditor's patron saint. Where it is set, a term that
// would end on it ends on the next working day; the zero Patron means that the
// creditor does not count it as a holiday, because no law says that it must.
type Patron struct {
	Month time.Month
	Day   int
}

// ParsePatron reads "06-24", month first; "" is none. 29 February is refused: a
// feast that is there every fourth year is a typing error.
func ParsePatron(s string) (Patron, error) {
	if s == "" {
		return Patron{}, nil
	}
	t, err := time.Parse(time.DateOnly, "2026-"+s)
	if err != nil {
		return Patron{}, fault.New(fault.Invalid, "calendar.bad_patron", "La festa del patrono va indicata con mese e giorno, per esempio 06-24.")
	}
	return Patron{t.Month(), t.Day()}, nil
}

// String returns what ParsePatron reads.
func (p Patron) String() string {
	if p == (Patron{}) {
		return ""
	}
	return fmt.Sprintf("%02d-%02d", p.Month, p.Day)
}

// MarshalText writes what String returns.
func (p Patron) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Patron) UnmarshalText(text []byte) error {
	q, err := ParsePatron(string(text))
	if err != nil {
		return err
	}
	*p = q
	return nil
}

// fixed are the national holidays that fall on the same date every year, with
// the first year since which they have done so without a break.
//
// Source: L. 260/1949 art. 1 and 2 as amended. Epiphany came back with D.P.R.
// 792/1985, 2 June with L. 336/2000; 4 October is in L. 260/1949 since 1 January
// 2026 by L. 151/2025 (Normattiva, "Testo in vigore dal 1-1-2026"). 4 November,
// Ascension, Corpus Domini, 19 March and 29 June stopped with L. 54/1977 (29 June
// remains in Rome, as the patron's day).
var fixed = []struct {
	month time.Month
	day   int
	since int
}{
	{time.January, 1, 1949},
	{time.January, 6, 1986},
	{time.April, 25, 1949},
	{time.May, 1, 1949},
	{time.June, 2, 2001},
	{time.August, 15, 1949},
	{time.October, 4, 2026},
	{time.November, 1, 1949},
	{time.December, 8, 1949},
	{time.December, 25, 1949},
	{time.December, 26, 1949},
}

// Holidays returns the holidays of a year that are not just Sundays, in order:
// the national ones, Easter Monday and the patron's day.
func Holidays(year int, p Patron) []multe.Day {
	var days []multe.Day
	for d := (multe.Day{Year: year, Month: time.January, Day: 1}); d.Year == year; d = d.Plus(1) {
		if namedHoliday(d, p) {
			days = append(days, d)
		}
	}
	return days
}

// IsHoliday reports whether nothing falls due on d: a Sunday or a holiday.
// Saturday is a working day for payments.
func IsHoliday(d multe.Day, p Patron) bool {
	return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC).Weekday() == time.Sunday || namedHoliday(d, p)
}

func namedHoliday(d multe.Day, p Patron) bool {
	if d.Month == p.Month && d.Day == p.Day {
		return true
	}
	for _, h := range fixed {
		if d.Month == h.month && d.Day == h.day {
			return d.Year >= h.since
		}
	}
	return d == easter(d.Year).Plus(1)
}

// easter returns Easter Sunday of a Gregorian year. The names are those of the
// computus: the golden number and the epact give the day after the paschal full
// moon, the rest finds the Sunday (Meeus, Astronomical Algorithms, chapter 8).
func easter(year int) multe.Day {
	golden, century, rest := year%19, year/100, year%100
	epact := (19*golden + century - century/4 - (century-(century+8)/25+1)/3 + 15) % 30
	weekday := (32 + 2*(century%4) + 2*(rest/4) - epact - rest%4) % 7
	late := (golden + 11*epact + 22*weekday) / 451
	n := epact + weekday - 7*late + 114
	return multe.Day{Year: year, Month: time.Month(n / 31), Day: n%31 + 1}
}

// Deadline returns the last day of a term of so many days that begins with what
// happened on from: that day is not counted, all others are, holidays too; a term
// that would end on a Sunday or holiday ends on the first working day after it.
//
// Source: art. 2963 c.c. and 155 c.p.c., which Cass. 24375/2010 applies to the
// Codice della Strada; the fixed text of the pagoPA notice for violations says
// the same.
func Deadline(from multe.Day, days int, p Patron) multe.Day {
	d := from.Plus(days)
	for IsHoliday(d, p) {
		d = d.Plus(1)
	}
	return d
}

// Term is how long something is granted. The zero Term means the
// [DiscountDays] of the law.
type Term multe.Term

// LastDay returns the last day of the term; from is not counted.
func (t Term) LastDay(from multe.Day, p Patron) multe.Day {
	if t.Days == 0 {
		t.Days = DiscountDays
	}
	if !t.Working {
		return Deadline(from, t.Days, p)
	}
	d := from
	for n := 0; n < t.Days; {
		d = d.Plus(1)
		if !IsHoliday(d, p) {
			n++
		}
	}
	return d
}

// NotifiedByGiacenza returns the day on which an act that nobody fetched counts
// as notified: the tenth after the deposit (the sending of the notice of
// deposit). Terms run from the eleventh. An act fetched earlier is notified on
// the day it is fetched.
//
// The tenth day is taken as it falls, which is what the pagoPA notice tells the
// citizen. Cass. S.U. 1418/2012 would move it on from a Saturday or holiday;
// whether to follow it is the creditor's lawyers' to say.
func NotifiedByGiacenza(deposit multe.Day) multe.Day { return deposit.Plus(GiacenzaDays) }
