package pdf

import (
	"strings"
	"testing"

	"preavviso/internal/avviso"
)

func TestQRIsAlwaysVersion4(t *testing.T) {
	const payload = "PAGOPA|002|301000000000004992|00514490010|9999999999"
	for n := 43; n <= len(payload); n++ {
		s, err := qrSymbol(payload[:n])
		if err != nil || s.side != qrModules {
			t.Errorf("%d characters: side %d, %v", n, s.side, err)
		}
	}
	for _, n := range []int{10, 42, 63, 100} { // version 3 holds 42, version 4 holds 62
		if s, err := qrSymbol(strings.Repeat("x", n)); err == nil {
			t.Errorf("%d characters: side %d, want an error", n, s.side)
		}
	}
}

func TestDataMatrixSizes(t *testing.T) {
	n, err := avviso.ParseNumber("301000000000004992")
	if err != nil {
		t.Fatal(err)
	}
	d := avviso.DataMatrixInput{Number: n, Account: "123456", Amount: 4200, CreditorCF: "00514490010", DebtorCF: avviso.Anonymous}
	for _, tt := range []struct {
		what, name, causale string
		side                int
	}{
		{"short", "", "x", 52}, // 48 would do, and is not what PiemontePAY prints
		{"full letters", strings.Repeat("N", 40), strings.Repeat("C", 110), 52},
		{"usual signs", "ROSSI MARIA", "Preavviso CdS n. 2026-0001234 del 12.03.2026", 52},
		{"nothing but signs", strings.Repeat(".:", 20), strings.Repeat(".,", 55), 52},
		{"one letter, one sign", strings.Repeat("AA_-1", 8), strings.Repeat("-1_A--", 18), 64},
	} {
		d.DebtorName, d.Causale = tt.name, tt.causale
		payload, err := avviso.DataMatrix(d)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := dataMatrixSymbol(payload); err != nil || s.side != tt.side {
			t.Errorf("%s: side %d, %v; want %d", tt.what, s.side, err, tt.side)
		}
	}
	if s, err := dataMatrixSymbol(strings.Repeat("\xe9", 400)); err == nil {
		t.Errorf("400 characters: side %d, want an error", s.side)
	}
}
