package cds_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

func day(t *testing.T, s string) multe.Day {
	t.Helper()
	d, err := multe.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// turin is the patron of the examples: San Giovanni.
var turin = cds.Patron{Month: time.June, Day: 24}

// holidays is the calendar on the wall: what a printed Italian calendar shows in
// red, Sundays aside, copied by hand.
var holidays = map[int]string{
	1977: "01-01 04-11 04-25 05-01 08-15 11-01 12-08 12-25 12-26", // neither Epiphany nor 2 June
	2000: "01-01 01-06 04-24 04-25 05-01 08-15 11-01 12-08 12-25 12-26",
	2025: "01-01 01-06 04-21 04-25 05-01 06-02 08-15 11-01 12-08 12-25 12-26", // 4 October not yet
	2026: "01-01 01-06 04-06 04-25 05-01 06-02 08-15 10-04 11-01 12-08 12-25 12-26",
	2027: "01-01 01-06 03-29 04-25 05-01 06-02 08-15 10-04 11-01 12-08 12-25 12-26",
	2028: "01-01 01-06 04-17 04-25 05-01 06-02 08-15 10-04 11-01 12-08 12-25 12-26",
}

func TestHolidays(t *testing.T) {
	for year, want := range holidays {
		var got []string
		for _, d := range cds.Holidays(year, cds.Patron{}) {
			got = append(got, d.String()[5:])
		}
		if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
			t.Errorf("%d (-want +got):\n%s", year, diff)
		}
	}
	if got := len(cds.Holidays(2026, turin)); got != 13 {
		t.Errorf("%d holidays with a patron, want 13", got)
	}
}

// TestEasterMonday compares with the published dates of Easter Sunday: the
// earliest and the latest of these years, and 1954, 1981, 2049 and 2076, which
// the computus would otherwise put a week too late.
func TestEasterMonday(t *testing.T) {
	for _, sunday := range strings.Fields(`1954-04-18 1981-04-19 2049-04-18 2076-04-19 2000-04-23 2008-03-23 2011-04-24 2019-04-21 2021-04-04 2022-04-17 2023-04-09 2024-03-31
		2025-04-20 2026-04-05 2027-03-28 2028-04-16 2029-04-01 2030-04-21 2031-04-13 2032-03-28 2033-04-17 2034-04-09
		2035-03-25 2036-04-13 2037-04-05 2038-04-25 2039-04-10 2040-04-01`) {
		monday := day(t, sunday).Plus(1)
		var springs []multe.Day
		for _, d := range cds.Holidays(monday.Year, cds.Patron{}) {
			if d.Month == time.March || d.Month == time.April && d.Day != 25 || d == monday {
				springs = append(springs, d)
			}
		}
		if len(springs) != 1 || springs[0] != monday {
			t.Errorf("spring holidays %v, want %v", springs, monday)
		}
	}
}

func TestDeadline(t *testing.T) {
	for _, test := range []struct {
		name   string
		from   string
		days   int
		patron cds.Patron
		want   string
	}{
		{"fifth day a Saturday: a working day", "2026-03-02", 5, cds.Patron{}, "2026-03-07"},
		{"sixtieth day on 1 May", "2026-03-02", 60, cds.Patron{}, "2026-05-02"},
		{"Christmas, St Stephen, then Saturday (Maranello)", "2025-12-20", 5, cds.Patron{}, "2025-12-27"},
		{"Christmas, St Stephen, then Sunday", "2026-12-20", 5, cds.Patron{}, "2026-12-28"},
		{"Easter and its Monday", "2026-03-31", 5, cds.Patron{}, "2026-04-07"},
		{"San Francesco not yet", "2025-08-05", 60, cds.Patron{}, "2025-10-04"},
		{"San Francesco", "2027-08-05", 60, cds.Patron{}, "2027-10-05"},
		{"San Francesco on a Sunday", "2026-09-29", 5, cds.Patron{}, "2026-10-05"},
		{"patron not set", "2026-06-19", 5, cds.Patron{}, "2026-06-24"},
		{"patron set", "2026-06-19", 5, turin, "2026-06-25"},
		{"over 29 February", "2028-02-24", 5, cds.Patron{}, "2028-02-29"},
		{"without 29 February", "2026-02-24", 5, cds.Patron{}, "2026-03-02"}, // 1 March is a Sunday
		{"over the spring change of clocks", "2026-03-27", 5, cds.Patron{}, "2026-04-01"},
		{"over the autumn change of clocks", "2026-10-23", 5, cds.Patron{}, "2026-10-28"},
		{"New Year's Eve", "2026-12-31", 5, cds.Patron{}, "2027-01-05"},
		{"the same day", "2026-03-02", 0, cds.Patron{}, "2026-03-02"},
	} {
		if got := cds.Deadline(day(t, test.from), test.days, test.patron); got.String() != test.want {
			t.Errorf("%s: %d days from %s end on %v, want %s", test.name, test.days, test.from, got, test.want)
		}
	}
}

func TestTerm(t *testing.T) {
	for _, test := range []struct {
		term   cds.Term
		from   string
		patron cds.Patron
		want   string
	}{
		{cds.Term{}, "2026-03-02", cds.Patron{}, "2026-03-07"}, // the law's five
		{cds.Term{Days: 8}, "2026-03-02", cds.Patron{}, "2026-03-10"},
		{cds.Term{Days: 30}, "2026-03-02", cds.Patron{}, "2026-04-01"},
		// 21-24, 28-31 December, 2, 4, 5, 7, 8, 9, 11 January: fifteen.
		{cds.Term{Days: 15, Working: true}, "2026-12-20", cds.Patron{}, "2027-01-11"},
		// 2-6, 8-13, 15-18 June without the 2nd; and with a patron in between.
		{cds.Term{Days: 15, Working: true}, "2026-06-01", cds.Patron{}, "2026-06-19"},
		{cds.Term{Days: 15, Working: true}, "2026-06-08", turin, "2026-06-26"},
	} {
		if got := test.term.LastDay(day(t, test.from), test.patron); got.String() != test.want {
			t.Errorf("%+v from %s ends on %v, want %s", test.term, test.from, got, test.want)
		}
	}
}

func TestNotifiedByGiacenza(t *testing.T) {
	notified := cds.NotifiedByGiacenza(day(t, "2026-03-02"))
	if got, want := notified.String(), "2026-03-12"; got != want {
		t.Fatalf("notified on %s, want %s", got, want)
	}
	// Counted from the eleventh day: 13, 14, 15, 16, 17 March.
	if got, want := cds.Deadline(notified, cds.DiscountDays, cds.Patron{}).String(), "2026-03-17"; got != want {
		t.Errorf("discount through %s, want %s", got, want)
	}
}

// TestEveryDayOfThreeYears walks every day from 2026 through 2028 with the
// calendar on the wall: one morning at a time on a clock in Rome, which is put
// forward and back six times on the way.
func TestEveryDayOfThreeYears(t *testing.T) {
	red := func(morning time.Time) bool {
		return morning.Weekday() == time.Sunday || strings.Contains(holidays[morning.Year()], morning.Format("01-02"))
	}
	next := func(morning time.Time) time.Time {
		y, m, d := morning.Date()
		return time.Date(y, m, d+1, 9, 0, 0, 0, multe.Rome())
	}
	n := 0
	for from := time.Date(2026, 1, 1, 9, 0, 0, 0, multe.Rome()); from.Year() < 2029; from = next(from) {
		for _, days := range []int{5, 8, 30, 60} {
			last := from
			for range days {
				last = next(last)
			}
			for red(last) {
				last = next(last)
			}
			if last.Year() > 2028 {
				continue // not on the wall
			}
			n++
			if got := cds.Deadline(multe.DayOf(from), days, cds.Patron{}); got != multe.DayOf(last) {
				t.Errorf("%d days from %v end on %v, want %v", days, multe.DayOf(from), got, multe.DayOf(last))
			}
		}
	}
	if n < 4*1096-120 {
		t.Errorf("only %d terms compared", n)
	}
}

func TestParsePatron(t *testing.T) {
	for s, want := range map[string]cds.Patron{"": {}, "06-24": turin, "12-07": {Month: time.December, Day: 7}} {
		got, err := cds.ParsePatron(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("ParsePatron(%q) = %v, %v", s, got, err)
		}
		var back cds.Patron
		text, _ := got.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != want {
			t.Errorf("round trip of %q: %v, %v", s, back, err)
		}
	}
	for _, s := range []string{"24-06", "6-24", "06-31", "02-29", "06-24 ", "giugno"} {
		if p, err := cds.ParsePatron(s); !errors.Is(err, fault.Invalid) {
			t.Errorf("ParsePatron(%q) = %v, %v, want a refusal", s, p, err)
		}
	}
}
