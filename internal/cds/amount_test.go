package cds_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

func sample(t testing.TB) *cds.Catalogue {
	t.Helper()
	c, _, err := cds.Parse(cds.Sample())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func violation(t testing.TB, c *cds.Catalogue, code string) cds.Violation {
	t.Helper()
	v, ok := c.Violation(code)
	if !ok {
		t.Fatalf("no violation %s", code)
	}
	return v
}

// at reads "2026-03-02 23:30" on a clock in Rome.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	i, err := time.ParseInLocation("2006-01-02 15:04", s, multe.Rome())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestIsNight(t *testing.T) {
	for s, want := range map[string]bool{
		"2026-01-15T20:59:59Z": false, // 21:59 in winter
		"2026-01-15T21:00:00Z": false, // 22:00 is not after 22
		"2026-01-15T21:00:59Z": false, // printed as 22:00
		"2026-01-15T21:01:00Z": true,
		"2026-01-15T23:30:00Z": true, // past midnight
		"2026-01-15T05:59:59Z": true,
		"2026-01-15T06:00:00Z": false, // 7:00 is not before 7
		"2026-07-15T20:00:00Z": false, // 22:00 in summer
		"2026-07-15T20:01:00Z": true,
		"2026-07-15T04:59:00Z": true,
		"2026-07-15T05:00:00Z": false,
		"2026-03-28T06:00:00Z": false, // the mornings around both changes of clocks
		"2026-03-29T04:59:00Z": true,
		"2026-03-29T05:00:00Z": false,
		"2026-10-24T05:00:00Z": false,
		"2026-10-25T05:00:00Z": true, // six again
		"2026-10-25T06:00:00Z": false,
		"2026-10-25T00:30:00Z": true, // 2:30, twice
		"2026-10-25T01:30:00Z": true,
	} {
		i, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := cds.IsNight(i); got != want {
			t.Errorf("IsNight(%s) = %t", s, got)
		}
	}
}

// TestFineAt is §8.5 of the fact sheet, with what the rounding and the dates of
// the law make of it.
func TestFineAt(t *testing.T) {
	c := sample(t)
	for _, test := range []struct {
		code, at                  string
		discounted, reduced, late multe.Cents
	}{
		{"158-6", "2026-03-02 10:00", 2940, 4200, 8650},
		{"158-6", "2026-03-02 23:30", 2940, 4200, 8650}, // parking costs the same at night
		{"158-6-M", "2026-03-02 10:00", 1820, 2600, 5100},
		{"158-5", "2026-03-02 10:00", 6090, 8700, 17200},
		{"158-4B", "2024-12-13 23:59", 11550, 16500, 33000},
		{"158-4B", "2024-12-14 00:00", 23100, 33000, 49500}, // L. 177/2024
		{"158-4B-M", "2026-03-02 10:00", 11550, 16500, 33000},
		{"157-7B", "2026-03-02 10:00", 15610, 22300, 22200},
		{"7-14", "2026-03-02 10:00", 5810, 8300, 16600},
		{"188-4", "2026-03-02 10:00", 11760, 16800, 33600},
		{"142-8", "2026-03-02 22:00", 12110, 17300, 34700},
		{"142-8", "2026-03-02 22:01", 16147, 23067, 46267},
		{"142-8", "2026-03-03 06:59", 16147, 23067, 46267},
		{"142-8", "2026-03-03 07:00", 12110, 17300, 34700},
	} {
		got, err := violation(t, c, test.code).FineAt(at(t, test.at))
		want := cds.Fine{Discounted: test.discounted, Reduced: test.reduced, Late: test.late}
		if err != nil || got != want {
			t.Errorf("%s at %s = %+v, %v; want %+v", test.code, test.at, got, err, want)
		}
	}
}

func TestFineAtRefuses(t *testing.T) {
	c := catalogueOf(t, `
  - {code: A, article: 176, comma: 19, norm: art. 176 c. 19 CdS, text: Inversione, no_reduced: art. 202 c. 3-bis, amounts: [{from: 2021-01-01, min: 2046, max: 8186}]}
  - {code: B, article: 158, comma: 6, norm: art. 158 CdS, text: Sosta, amounts: [{from: 2021-01-01, until: 2025-12-31, min: 42, max: 173}]}`)
	for _, test := range []struct{ code, at, want string }{
		{"A", "2026-03-02 10:00", "amount.no_reduced_payment"},
		{"B", "2020-12-31 10:00", "amount.not_in_force"},
		{"B", "2026-01-01 00:00", "amount.not_in_force"},
	} {
		_, err := violation(t, c, test.code).FineAt(at(t, test.at))
		if !errors.Is(err, fault.Invalid) || fault.Of(err).Code != test.want {
			t.Errorf("%s at %s: %v, want %s", test.code, test.at, err, test.want)
		}
	}
	if _, err := violation(t, c, "B").FineAt(at(t, "2025-12-31 23:59")); err != nil {
		t.Errorf("last day of a period: %v", err)
	}
}

// TestRounding holds every euro that a penalty may have against the law in
// integers: whole euro by day are exact, a third and the discount on it are right
// to half a cent, and it does not matter which of the two is rounded first.
func TestRounding(t *testing.T) {
	for euro := 1; euro <= cds.MaxEuro; euro++ {
		if euro > 3000 && euro%7 != 0 { // thirds and tenths repeat long before
			continue
		}
		a := cds.Amount{From: multe.Day{Year: 2021, Month: 1, Day: 1}, Min: multe.Cents(euro) * 100, Max: multe.Cents(euro) * 100}
		v := cds.Violation{Night: true, Amounts: []cds.Amount{a}}
		noon, err := v.FineAt(time.Date(2026, 3, 2, 12, 0, 0, 0, multe.Rome()))
		if err != nil {
			t.Fatal(err)
		}
		if noon.Reduced != a.Min || noon.Discounted*10 != a.Min*7 || noon.Late*2 != a.Max {
			t.Fatalf("%d euro by day: %+v", euro, noon)
		}
		night, err := v.FineAt(time.Date(2026, 3, 2, 23, 0, 0, 0, multe.Rome()))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct {
			name     string
			got      multe.Cents
			num, den multe.Cents // the exact sum is a.Min·num/den
		}{
			{"a third more", night.Reduced, 4, 3},
			{"less 30 % of that", night.Discounted, 14, 15},
			{"half of a third more", night.Late, 2, 3},
		} {
			// Half up: got - 1/2 ≤ exact < got + 1/2.
			if exact2 := 2 * a.Min * f.num; exact2 < (2*f.got-1)*f.den || exact2 >= (2*f.got+1)*f.den {
				t.Fatalf("%s on %d euro = %d cents", f.name, euro, f.got)
			}
		}
	}
}

func steps(t *testing.T, s string) []multe.Step {
	t.Helper()
	var out []multe.Step
	for f := range strings.FieldsSeq(s) {
		var cents int64
		sum, until, _ := strings.Cut(f, "→")
		if _, err := fmt.Sscanf(strings.Replace(sum, ",", "", 1), "%d", &cents); err != nil {
			t.Fatal(err)
		}
		step := multe.Step{Cents: multe.Cents(cents)}
		if until != "" {
			step.LastDay = day(t, until)
		}
		out = append(out, step)
	}
	return out
}

func TestSlip(t *testing.T) {
	c := sample(t)
	for _, test := range []struct {
		code, at string
		policy   cds.Policy
		want     string
	}{
		{"158-6", "2026-03-02 10:00", cds.Policy{}, "29,40→2026-03-07 42,00"},
		{"158-6", "2026-03-02 23:59", cds.Policy{}, "29,40→2026-03-07 42,00"},
		{"158-6", "2026-03-02 10:00", cds.Policy{Slip: cds.Term{Days: 8}}, "29,40→2026-03-10 42,00"},
		{"158-6", "2026-12-20 10:00", cds.Policy{Slip: cds.Term{Days: 15, Working: true}}, "29,40→2027-01-11 42,00"},
		{"158-6", "2026-03-02 10:00", cds.Policy{Slip: cds.Term{Days: 30}}, "29,40→2026-04-01 42,00"},
		{"158-6", "2026-03-02 10:00", cds.Policy{Discount: cds.Term{Days: 30}}, "29,40→2026-03-07 42,00"}, // is for verbali
		{"158-6", "2026-06-19 10:00", cds.Policy{Patron: turin}, "29,40→2026-06-25 42,00"},
		{"158-6", "2026-03-02 10:00", cds.Policy{NoSlipDiscount: true}, "42,00"},
		{"142-8", "2026-03-02 23:30", cds.Policy{}, "161,47→2026-03-07 230,67"},
	} {
		f, err := violation(t, c, test.code).FineAt(at(t, test.at))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(steps(t, test.want), f.Slip(test.policy, multe.DayOf(at(t, test.at)))); diff != "" {
			t.Errorf("%s at %s, %+v (-want +got):\n%s", test.code, test.at, test.policy, diff)
		}
	}
}

func TestNotifiedWithoutALaterAmount(t *testing.T) {
	f := cds.Fine{Discounted: 7000, Reduced: 10000, Late: 10000} // minimum 100, maximum 200
	want := steps(t, "84,20→2026-03-07 114,20")
	if diff := cmp.Diff(want, f.Notified(cds.Policy{}, day(t, "2026-03-02"), 1420)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPolicyValidate(t *testing.T) {
	for _, p := range []cds.Policy{{}, {Slip: cds.Term{Days: 1}}, {Slip: cds.Term{Days: 30, Working: true}, Discount: cds.Term{Days: 30}}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, term := range []cds.Term{{Days: -1}, {Days: 31}, {Working: true}} {
		for _, p := range []cds.Policy{{Slip: term}, {Discount: term}} {
			if err := p.Validate(); !errors.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v, want a refusal", p, err)
			}
		}
	}
}

// TestStepsAlways holds, for every violation of the sample, every day of three
// years and every policy in use: sums grow except where the law makes them fall,
// no step ends on a Sunday or a holiday, costs are in each step and never
// discounted.
func TestStepsAlways(t *testing.T) {
	const costs = 1420
	policies := []cds.Policy{{}, {Patron: turin, Slip: cds.Term{Days: 15, Working: true}}, {Slip: cds.Term{Days: 30, Working: true}, Discount: cds.Term{Days: 30, Working: true}}}
	for _, v := range sample(t).All() {
		for d := (multe.Day{Year: 2026, Month: 1, Day: 1}); d.Year < 2029; d = d.Plus(1) {
			seen := d.Start().Add(23 * time.Hour)
			f, err := v.FineAt(seen)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range policies {
				slip, notified := f.Slip(p, d), f.Notified(p, d, costs)
				if len(slip) != 2 || len(notified) != 3 {
					t.Fatalf("%s on %v: %v, %v", v.Code, d, slip, notified)
				}
				if slip[0].Cents >= slip[1].Cents || notified[0].Cents >= notified[1].Cents {
					t.Fatalf("%s on %v: %v, %v do not grow", v.Code, d, slip, notified)
				}
				a, _ := v.AmountOn(d)
				if grows := notified[2].Cents > notified[1].Cents; grows != (a.Max > 2*a.Min) {
					t.Fatalf("%s on %v: %v", v.Code, d, notified)
				}
				for i, s := range []multe.Cents{f.Discounted, f.Reduced, f.Late} {
					if notified[i].Cents-s != costs {
						t.Fatalf("%s on %v: step %d of %v is not %d and costs", v.Code, d, i, notified, s)
					}
				}
				for _, s := range []multe.Step{slip[0], notified[0], notified[1]} {
					if cds.IsHoliday(s.LastDay, p.Patron) || s.LastDay.Compare(d.Plus(cds.DiscountDays)) < 0 {
						t.Fatalf("%s on %v: a step ends on %v", v.Code, d, s.LastDay)
					}
				}
				if notified[0].LastDay.Compare(notified[1].LastDay) >= 0 {
					t.Fatalf("%s on %v: %v", v.Code, d, notified)
				}
			}
		}
	}
}
