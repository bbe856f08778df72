package multe

import (
	"fmt"
	"time"
	_ "time/tzdata" // the law counts days in Rome, whatever the machine has installed
)

// Day is a civil day in Europe/Rome, where the law's deadlines are counted.
// The zero Day means none. Days are comparable with ==; see also [Day.Compare].
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

var rome = loadRome()

func loadRome() *time.Location {
	l, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err) // impossible: the zone data are embedded
	}
	return l
}

// Rome is the time zone of every creditor.
func Rome() *time.Location { return rome }

// DayOf returns the civil day in Rome at instant t.
func DayOf(t time.Time) Day {
	y, m, d := t.In(rome).Date()
	return Day{y, m, d}
}

// ParseDay reads "2026-03-02". A day that does not exist is refused.
func ParseDay(s string) (Day, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, rome)
	if err != nil {
		return Day{}, fmt.Errorf("day %q is not YYYY-MM-DD", s)
	}
	return DayOf(t), nil
}

// Start returns the first instant of d.
func (d Day) Start() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, rome) }

// Plus returns the day n days after d (before, if n is negative).
func (d Day) Plus(n int) Day {
	t := time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC) // no daylight changes in UTC
	return Day{t.Year(), t.Month(), t.Day()}
}

// Compare returns -1, 0 or 1 as d is before, the same as or after e.
func (d Day) Compare(e Day) int {
	a, b := d.ordinal(), e.ordinal()
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (d Day) ordinal() int { return (d.Year*16+int(d.Month))*32 + d.Day }

// IsZero reports whether there is no day.
func (d Day) IsZero() bool { return d == Day{} }

// String returns "2026-03-02", or "" for none.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Italian returns "02/03/2026" as notices print it, or "" for none.
func (d Day) Italian() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%02d/%02d/%04d", d.Day, d.Month, d.Year)
}

// MarshalText writes what String returns.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Day) UnmarshalText(text []byte) error {
	*d = Day{}
	if len(text) == 0 {
		return nil
	}
	p, err := ParseDay(string(text))
	if err != nil {
		return err
	}
	*d = p
	return nil
}
