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
}
