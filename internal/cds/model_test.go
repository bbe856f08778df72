package cds_test

import (
	"testing"

	"preavviso/internal/cds"
	"preavviso/internal/multe"
)

// lawTable is what the law says is due on each day for a verbale, worked out by
// hand with a calendar. It shares nothing with the code but the catalogue's
// minimum and maximum: a row can be checked with a pencil.
//
// Each scenario is a verbale notified on the day of its first row. A row holds
// from its day until the day before the next one.
var lawTable = []struct {
	name      string
	code      string // of the sample
	seen      string
	patron    cds.Patron
	costs     multe.Cents
	last      string // the last day walked
	from, due []string
}{
	{
		// 42–173. Day 5 is Sat 7 March, a working day. Day 60 is Fri 1 May, a
		// holiday: Sat 2 May. 29,40 + 14,20; 42,00 + 14,20; 86,50 + 14,20.
		name: "parking, day 60 on the first of May",
		code: "158-6", seen: "2026-02-10 10:00", costs: 1420, last: "2027-12-31",
		from: []string{"2026-03-02", "2026-03-08", "2026-05-03"},
		due:  []string{"43,60", "56,20", "100,70"},
	},
	{
		// 87–344. Day 5 is Easter Sunday, then Easter Monday: Tue 7 April. Day 60 is
		// Sat 30 May. 60,90 + 13,80; 87,00 + 13,80; 172,00 + 13,80.
		name: "parking on the pavement, over Easter",
		code: "158-5", seen: "2026-03-01 18:00", costs: 1380, last: "2027-12-31",
		from: []string{"2026-03-31", "2026-04-08", "2026-05-31"},
		due:  []string{"74,70", "100,80", "185,80"},
	},
	{
		// 173–694 and a third: 230,67; less 30 %: 161,47; half of 925,33: 462,67. Day
		// 5 is Sun 6 December: Mon 7. Day 60 is Sat 30 January 2027.
		name: "speed in the night of the autumn change of clocks",
		code: "142-8", seen: "2026-10-24 23:30", costs: 1380, last: "2027-12-31",
		from: []string{"2026-12-01", "2026-12-08", "2027-01-31"},
		due:  []string{"175,27", "244,47", "476,47"},
	},
	{
		// By day and contested on the spot, so without costs. Day 5 is Christmas, then
		// St Stephen, then Sunday: Mon 28. Day 60 is Thu 18 February 2027.
		name: "speed, contested on the Sunday before Christmas",
		code: "142-8", seen: "2026-12-20 15:00", last: "2027-12-31",
		from: []string{"2026-12-20", "2026-12-29", "2027-02-19"},
		due:  []string{"121,10", "173,00", "347,00"},
	},
	{
		// Notified before the spring change of clocks, day 5 after it: Wed 1 April.
		// Day 60 is Tue 26 May.
		name: "limited traffic zone, over the spring change of clocks",
		code: "7-14", seen: "2026-03-01 08:00", costs: 1500, last: "2027-12-31",
		from: []string{"2026-03-27", "2026-04-02", "2026-05-27"},
		due:  []string{"73,10", "98,00", "181,00"},
	},
	{
		// Day 60 is Mon 4 October 2027, San Francesco: Tue 5.
		name: "day 60 on San Francesco",
		code: "158-6", seen: "2027-07-01 10:00", costs: 1420, last: "2027-12-31",
		from: []string{"2027-08-05", "2027-08-11", "2027-10-06"},
		due:  []string{"43,60", "56,20", "100,70"},
	},
	{
		// Day 5 is Wed 24 June, San Giovanni: Thu 25. Day 60 is Tue 18 August.
		name: "day 5 on the patron's day",
		code: "158-4B", seen: "2026-06-01 10:00", patron: turin, costs: 1420, last: "2027-12-31",
		from: []string{"2026-06-19", "2026-06-26", "2026-08-19"},
		due:  []string{"245,20", "344,20", "509,20"},
	},
	{
		// 223–444: half of the maximum is one euro less than the minimum. Day 5 is Sat
		// 27 March 2027, the day before Easter. Day 60 is Fri 21 May.
		name: "engine running, where the law gets cheaper",
		code: "157-7B", seen: "2027-03-01 10:00", costs: 1000, last: "2027-12-31",
		from: []string{"2027-03-22", "2027-03-28", "2027-05-22"},
		due:  []string{"166,10", "233,00", "232,00"},
	},
	{
		// Day 5 is Tue 29 February. Day 60 is Mon 24 April, the day before a holiday.
		name: "leap year",
		code: "158-6", seen: "2028-02-01 10:00", costs: 1420, last: "2028-12-31",
		from: []string{"2028-02-24", "2028-03-01", "2028-04-25"},
		due:  []string{"43,60", "56,20", "100,70"},
	},
}

// TestLaw walks every day of every scenario and compares what is due with the
// table.
func TestLaw(t *testing.T) {
	c := sample(t)
	for _, s := range lawTable {
		f, err := violation(t, c, s.code).FineAt(at(t, s.seen))
		if err != nil {
			t.Fatal(err)
		}
		v := multe.Verbale{Slip: multe.Slip{Steps: f.Notified(cds.Policy{Patron: s.patron}, day(t, s.from[0]), s.costs)}}
		row, rows, days := -1, len(s.from), 0
		for d := day(t, s.from[0]); d.Compare(day(t, s.last)) <= 0; d = d.Plus(1) {
			if row+1 < rows && d.String() == s.from[row+1] {
				row++
			}
			if got := v.DueOn(d).Italian(); got != s.due[row] {
				t.Errorf("%s: on %v %s is due, want %s", s.name, d, got, s.due[row])
			}
			days++
		}
		if row != rows-1 || days < 80 {
			t.Errorf("%s: %d days walked, through row %d of %d", s.name, days, row+1, rows)
		}
	}
}

// TestLawWithoutDiscount is the same for a violation with suspension of the
// licence: notified on Mon 12 January 2026, day 60 is Fri 13 March.
func TestLawWithoutDiscount(t *testing.T) {
	c := catalogueOf(t, `
  - {code: A, article: 148, comma: 16, norm: art. 148 c. 16 CdS, text: Sorpasso, no_discount: sospensione della patente, accessory: [suspension], amounts: [{from: 2021-01-01, min: 167, max: 665}]}`)
	f, err := violation(t, c, "A").FineAt(at(t, "2026-01-12 10:00"))
	if err != nil {
		t.Fatal(err)
	}
	v := multe.Verbale{Slip: multe.Slip{Steps: f.Notified(cds.Policy{}, day(t, "2026-01-12"), 1500)}}
	for d := day(t, "2026-01-12"); d.Year < 2028; d = d.Plus(1) {
		want := "182,00"
		if d.Compare(day(t, "2026-03-13")) > 0 {
			want = "347,50"
		}
		if got := v.DueOn(d).Italian(); got != want {
			t.Errorf("on %v %s is due, want %s", d, got, want)
		}
	}
	if got := f.Slip(cds.Policy{}, day(t, "2026-01-12")); len(got) != 1 || got[0].Cents != 16700 {
		t.Errorf("slip %v", got)
	}
}
