package multe_test

import (
	"testing"
	"time"

	"preavviso/internal/multe"
)

func day(s string) multe.Day {
	d, err := multe.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

// TestDayOf is about midnight in Rome, winter and summer, and the two nights on
// which the clock changes.
func TestDayOf(t *testing.T) {
	for _, tt := range []struct{ instant, want string }{
		{"2026-03-01T22:59:59.999999999Z", "2026-03-01"},
		{"2026-03-01T23:00:00Z", "2026-03-02"},
		{"2026-07-01T21:59:59Z", "2026-07-01"},
		{"2026-07-01T22:00:00Z", "2026-07-02"},
		{"2026-03-28T22:59:59Z", "2026-03-28"}, // the night of 23 hours begins
		{"2026-03-28T23:00:00Z", "2026-03-29"},
		{"2026-03-29T00:59:59Z", "2026-03-29"}, // 01:59:59, then 03:00:00
		{"2026-03-29T01:00:00Z", "2026-03-29"},
		{"2026-03-29T21:59:59Z", "2026-03-29"},
		{"2026-03-29T22:00:00Z", "2026-03-30"},
		{"2026-10-24T22:00:00Z", "2026-10-25"}, // the day of 25 hours
		{"2026-10-25T00:30:00Z", "2026-10-25"}, // 02:30, twice
		{"2026-10-25T01:30:00Z", "2026-10-25"},
		{"2026-10-25T22:59:59Z", "2026-10-25"},
		{"2026-10-25T23:00:00Z", "2026-10-26"},
		{"2028-02-28T23:00:00Z", "2028-02-29"},
		{"2028-02-29T23:00:00Z", "2028-03-01"},
		{"2027-02-28T23:00:00Z", "2027-03-01"},
		{"2026-12-31T23:00:00Z", "2027-01-01"},
		{"2026-03-02T08:00:00+09:00", "2026-03-02"}, // the zone it was written in does not matter
		{"2026-03-02T07:59:59+09:00", "2026-03-01"},
	} {
		instant, err := time.Parse(time.RFC3339Nano, tt.instant)
		if err != nil {
			t.Fatal(err)
		}
		if got := multe.DayOf(instant); got.String() != tt.want {
			t.Errorf("DayOf(%s) = %v, want %s", tt.instant, got, tt.want)
		}
	}
}

func TestDayStart(t *testing.T) {
	for d, want := range map[string]string{
		"2026-03-29": "2026-03-28T23:00:00Z", "2026-03-30": "2026-03-29T22:00:00Z",
		"2026-10-25": "2026-10-24T22:00:00Z", "2026-10-26": "2026-10-25T23:00:00Z", "2028-02-29": "2028-02-28T23:00:00Z",
	} {
		start := day(d).Start()
		if got := start.UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s starts at %s, want %s", d, got, want)
		}
		if multe.DayOf(start) != day(d) || multe.DayOf(start.Add(-1)) != day(d).Plus(-1) {
			t.Errorf("%s does not begin at its start", d)
		}
	}
}

func TestDayPlus(t *testing.T) {
	for _, tt := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-03-28", 1, "2026-03-29"}, {"2026-03-29", 1, "2026-03-30"}, {"2026-03-24", 5, "2026-03-29"}, {"2026-03-25", 60, "2026-05-24"},
		{"2026-10-24", 1, "2026-10-25"}, {"2026-10-25", 1, "2026-10-26"}, {"2026-10-26", -1, "2026-10-25"},
		{"2028-02-28", 1, "2028-02-29"}, {"2028-02-29", 1, "2028-03-01"}, {"2027-02-28", 1, "2027-03-01"}, {"2028-02-29", 366, "2029-03-01"},
		{"2026-12-31", 1, "2027-01-01"}, {"2027-01-01", -1, "2026-12-31"}, {"2026-03-01", 0, "2026-03-01"}, {"2100-02-28", 1, "2100-03-01"},
	} {
		if got := day(tt.from).Plus(tt.n); got.String() != tt.want {
			t.Errorf("%s plus %d = %v, want %s", tt.from, tt.n, got, tt.want)
		}
	}
	// Ten years, day by day: each is one more than the one before.
	for d, end := day("2024-01-01"), day("2034-01-01"); d != end; d = d.Plus(1) {
		next := d.Plus(1)
		if d.Compare(next) != -1 || next.Compare(d) != 1 || d.Compare(d) != 0 || next.Plus(-1) != d {
			t.Fatalf("%v and %v are not in order", d, next)
		}
		if multe.DayOf(d.Start()) != d || multe.DayOf(next.Start().Add(-time.Nanosecond)) != d {
			t.Fatalf("%v does not reach from its start to the next one's", d)
		}
	}
}

func TestDayText(t *testing.T) {
	for s, ok := range map[string]bool{
		"2026-03-01": true, "2028-02-29": true, "2027-02-29": false, "2026-02-30": false, "2026-13-01": false, "2026-00-01": false, "2026-3-1": false,
		"01/03/2026": false, "": false, "2026-03-01 ": false, "2026-03-01T00:00:00Z": false, "26-03-01": false,
	} {
		d, err := multe.ParseDay(s)
		if (err == nil) != ok || ok && d.String() != s || !ok && !d.IsZero() {
			t.Errorf("ParseDay(%q) = %v, %v", s, d, err)
		}
		var back multe.Day
		if err := back.UnmarshalText([]byte(s)); (err == nil) != (ok || s == "") || back != d {
			t.Errorf("UnmarshalText(%q) = %v, %v", s, back, err)
		}
	}
	if got := day("2026-03-01").Italian(); got != "01/03/2026" {
		t.Errorf("Italian = %s", got)
	}
	if none := (multe.Day{}); none.String() != "" || none.Italian() != "" || !none.IsZero() {
		t.Errorf("no day = %q, %q", none.String(), none.Italian())
	}
}
