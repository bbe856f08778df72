package firmwareapi

import (
	"testing"
	"time"

	"preavviso/internal/multe"
)

// TestDigestsAreForEver: a stored digest must still be that of the same request
// after an upgrade, or every late repetition becomes a conflict.
func TestDigestsAreForEver(t *testing.T) {
	s, err := slipOf(Slip{
		Id: "01960000000070008000000000000001", Position: "01960000000070008000000000000002", Avviso: "301000000000004992",
		Reference: "2026-P-1", Plate: "ab 123 cd", Nation: "IT", Vehicle: "auto", Place: "via Roma 1",
		Violation: Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17",
		IssuedAt: time.Date(2026, 3, 2, 8, 55, 0, 123456789, time.UTC), Offline: true,
		Steps: []Step{{Cents: 2940, LastDay: multe.Day{Year: 2026, Month: 3, Day: 7}}, {Cents: 4200}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := digestOf(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := "e56f15dc33a81951ee327be36c1b65ec7cb5e6d4505e0e5b392b30f113a8f720"; got.String() != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
	// The second code of a slip came later: it counts where there is one, and
	// changes nothing where there is none.
	s.Full = &multe.SlipCode{Position: "01960000000070008000000000000003", Number: s.Number}
	two, err := digestOf(s)
	if err != nil {
		t.Fatal(err)
	}
	s.Full = &multe.SlipCode{Position: "01960000000070008000000000000004", Number: s.Number}
	if other, err := digestOf(s); err != nil || other == two || two == got {
		t.Errorf("digests of one code %s, two %s, two others %s, %v", got, two, other, err)
	}
	if want := "8a4e89b35df50a52dbc294a2180d2151ef0abf34c21cd9c346ab8351345f51cd"; two.String() != want {
		t.Errorf("digest with two codes = %s, want %s", two, want)
	}
}
