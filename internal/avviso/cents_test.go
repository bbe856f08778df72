package avviso_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"preavviso/internal/avviso"
)

func TestCentsTexts(t *testing.T) {
	for _, tt := range []struct {
		c       avviso.Cents
		decimal string
		italian string
	}{
		{0, "0.00", "0,00"},
		{1, "0.01", "0,01"},
		{99, "0.99", "0,99"},
		{100, "1.00", "1,00"},
		{2940, "29.40", "29,40"},
		{99999, "999.99", "999,99"},
		{100000, "1000.00", "1.000,00"},
		{102099, "1020.99", "1.020,99"},
		{99999999, "999999.99", "999.999,99"},
		{100000000, "1000000.00", "1.000.000,00"},
		{avviso.MaxPrintable, "99999999.99", "99.999.999,99"},
		{avviso.MaxCents, "999999999.99", "999.999.999,99"},
		{math.MaxInt64, "92233720368547758.07", "92.233.720.368.547.758,07"},
		{-1, "-0.01", "-0,01"},
		{-2940, "-29.40", "-29,40"},
		{-100000, "-1000.00", "-1.000,00"},
		{math.MinInt64, "-92233720368547758.08", "-92.233.720.368.547.758,08"},
	} {
		if got := tt.c.Decimal(); got != tt.decimal {
			t.Errorf("Cents(%d).Decimal() = %q, want %q", int64(tt.c), got, tt.decimal)
		}
		if got := tt.c.Italian(); got != tt.italian {
			t.Errorf("Cents(%d).Italian() = %q, want %q", int64(tt.c), got, tt.italian)
		}
	}
}

func TestParseDecimal(t *testing.T) {
	for s, want := range map[string]avviso.Cents{
		"0": 0, "0.00": 0, ".5": 50, "5.": 500, "87": 8700, "87.5": 8750, "87.50": 8750, "+1.00": 100,
		"0.01": 1, "1.0100000": 101, "00000000000001.00": 100, "1000000.00": 100_000_000, "999999999.99": avviso.MaxCents,
	} {
		if got, err := avviso.ParseDecimal(s); err != nil || got != want {
			t.Errorf("ParseDecimal(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", ".", "+", "-1", "-0.01", "++1", "1,00", "1.001", "1e2", "1E+06", "NaN", "INF", " 1", "1 ", "1.0.0",
		"1000000000", "1000000000.00", "٣", strings.Repeat("9", 400),
	} {
		if got, err := avviso.ParseDecimal(s); !errors.Is(err, avviso.ErrMalformed) || got != 0 {
			t.Errorf("ParseDecimal(%q) = %d, %v; want it refused", s, got, err)
		}
	}
}

func TestParseSigned(t *testing.T) {
	for s, want := range map[string]avviso.Cents{
		"0": 0, "-0": 0, "-0.00": 0, ".5": 50, "-.5": -50, "5.": 500, "+1.00": 100, "-87.50": -8750, "-1.0100000": -101, "0000000000000000000001": 100,
		"9999999999999999.99": 999_999_999_999_999_999, "-9999999999999999.99": -999_999_999_999_999_999,
	} {
		if got, err := avviso.ParseSigned(s); err != nil || got != want {
			t.Errorf("ParseSigned(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "+", "-", "--1", "-+1", "+-1", "- 1", "1,00", "1.001", "-1.001", "1e2", "NaN", " 1", "1.0.0", "10000000000000000", "٣", strings.Repeat("9", 400)} {
		if got, err := avviso.ParseSigned(s); !errors.Is(err, avviso.ErrMalformed) || got != 0 {
			t.Errorf("ParseSigned(%q) = %d, %v; want it refused", s, got, err)
		}
	}
}

// FuzzParseSigned is FuzzParseDecimal with a sign: what either accepts alike is
// the same amount.
func FuzzParseSigned(f *testing.F) {
	for _, s := range []string{"", "87", "-87.50", "+1.00", "-.5", "5.", "9999999999999999.99", "1.001", "--1", "1e6"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := avviso.ParseSigned(s)
		if err != nil {
			if !errors.Is(err, avviso.ErrMalformed) || c != 0 {
				t.Fatalf("ParseSigned(%q) = %d, %v", s, c, err)
			}
			return
		}
		if again, err := avviso.ParseSigned(c.Decimal()); err != nil || again != c {
			t.Fatalf("%q = %d cents, read again %d, %v", s, c, again, err)
		}
		if d, err := avviso.ParseDecimal(s); err == nil && d != c {
			t.Fatalf("%q is %d, and without sign %d", s, c, d)
		}
	})
}

// FuzzParseDecimal checks that no text makes the parser panic, that every
// refusal is classified, and that what is accepted is in range and survives
// being written and read again.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"", "87", "87.50", "+1.00", ".5", "5.", "999999999.99", "1000000000", "1.001", "1.0000", "-1", "1e6"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := avviso.ParseDecimal(s)
		if err != nil {
			if !errors.Is(err, avviso.ErrMalformed) || c != 0 {
				t.Fatalf("ParseDecimal(%q) = %d, %v", s, c, err)
			}
			return
		}
		if c < 0 || c > avviso.MaxCents {
			t.Fatalf("ParseDecimal(%q) = %d, out of range", s, c)
		}
		if again, err := avviso.ParseDecimal(c.Decimal()); err != nil || again != c {
			t.Fatalf("round trip of %d through %q = %d, %v", c, c.Decimal(), again, err)
		}
	})
}
