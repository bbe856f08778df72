package avviso_test

import (
	"errors"
	"testing"

	"preavviso/internal/avviso"
)

// number parses a number that the test knows to be good.
func number(t testing.TB, s string) avviso.Number {
	t.Helper()
	n, err := avviso.ParseNumber(s)
	if err != nil {
		t.Fatalf("ParseNumber(%q): %v", s, err)
	}
	return n
}

func TestParseNumber(t *testing.T) {
	for _, tt := range []struct{ digits, iuv, source string }{
		{"001110000000000164", "110000000000164", "GovPay docs"},
		{"001340809425510244", "340809425510244", "GovPay integration-test"},
		{"001340000013900808", "340000013900808", "GovPay stampe test"},
		{"002152784547130177", "152784547130177", "GovPay docs"},
		{"300715700000000032", "00715700000000032", "IO app Data Matrix test"},
		{"302032002700000251", "02032002700000251", "io-pagopa-commons tests"},
		{"322201151398574181", "22201151398574181", "IO app test"},
		{"301188340000064356", "01188340000064356", "init datamatrix example"},
		{"001123456789012313", "123456789012313", "computed"},
		{"012000000000000116", "000000000000116", "computed"},
		{"112345678901234567", "12345678901234567", "computed; aux 1 has no check digits"},
		{"212345678901234544", "12345678901234544", "computed"},
		{"200000000000000103", "00000000000000103", "computed"},
		{"301123456789012316", "01123456789012316", "computed"},
		{"305000000000000118", "05000000000000118", "computed"},
		{"348260150000004265", "48260150000004265", "computed"},
		{"301000000000004992", "01000000000004992", "computed; largest check"},
		{"301000000000005000", "01000000000005000", "computed; smallest check"},
	} {
		n, err := avviso.ParseNumber(tt.digits)
		if err != nil {
			t.Errorf("ParseNumber(%s) (%s): %v", tt.digits, tt.source, err)
			continue
		}
		if n.String() != tt.digits || n.IUV() != tt.iuv || n.IsZero() {
			t.Errorf("ParseNumber(%s) (%s) = %v, IUV %s; want IUV %s", tt.digits, tt.source, n, n.IUV(), tt.iuv)
		}
		if again, err := avviso.ParseNumber(n.Grouped()); err != nil || again != n || len(n.Grouped()) != 22 {
			t.Errorf("ParseNumber(%q) = %v, %v; want %v", n.Grouped(), again, err, n)
		}
	}
	if got, want := number(t, "301000000000004992").Grouped(), "3010 0000 0000 0049 92"; got != want {
		t.Errorf("Grouped() = %q, want %q", got, want)
	}
}

func TestParseNumberRefuses(t *testing.T) {
	for s, why := range map[string]string{
		"":                      "empty",
		"30203200270000025":     "17 digits",
		"3020320027000002510":   "19 digits",
		"302032002700000252":    "wrong check",
		"302032002700000250":    "wrong check",
		"3O2032002700000251":    "a letter",
		"３02032002700000251":    "a digit of another script",
		"302032002700000251\n":  "a line end",
		"3020-3200-2700-000251": "dashes",
		"301000000000000093":    "a check of 93 cannot be",
		"444444444444444444":    "aux 4",
		"501000000000000000":    "aux 5",
		"470000008800999051":    "aux 4, PagoPA print service fixture",
		"347000000880099905":    "wrong check, SANP sample",
		"044012345678901200":    "wrong check",
		"344012345678901200":    "wrong check",
		"301000001234567890":    "wrong check",
		"310000000000000001":    "wrong check",
	} {
		if n, err := avviso.ParseNumber(s); !errors.Is(err, avviso.ErrMalformed) || !n.IsZero() {
			t.Errorf("ParseNumber(%q) (%s) = %v, %v; want it refused", s, why, n, err)
		}
	}
}

func TestZeroNumber(t *testing.T) {
	var n avviso.Number
	if !n.IsZero() || n.String() != "" || n.Grouped() != "" || n.IUV() != "" {
		t.Errorf("zero Number = %q, %q, %q", n.String(), n.Grouped(), n.IUV())
	}
}

func TestNumberText(t *testing.T) {
	for _, s := range []string{"", "301000000000004992"} {
		var n avviso.Number
		if err := n.UnmarshalText([]byte(s)); err != nil {
			t.Errorf("UnmarshalText(%q): %v", s, err)
		}
		if b, err := n.MarshalText(); err != nil || string(b) != s {
			t.Errorf("MarshalText() = %q, %v; want %q", b, err, s)
		}
	}
	n := number(t, "301000000000004992")
	if err := n.UnmarshalText([]byte("301000000000004991")); !errors.Is(err, avviso.ErrMalformed) {
		t.Errorf("UnmarshalText of a damaged number = %v", err)
	}
	if n != number(t, "301000000000004992") {
		t.Errorf("a refused UnmarshalText changed the number to %v", n)
	}
}

func TestCheckDigits(t *testing.T) {
	for first16, want := range map[string]string{
		"3010000000000049": "92", "3010000000000050": "00", "9999999999999999": "09", "0000000000000000": "00",
		"": "", "301000000000004": "", "30100000000000490": "", "30100000000000x9": "",
	} {
		if got := avviso.CheckDigits(first16); got != want {
			t.Errorf("CheckDigits(%q) = %q, want %q", first16, got, want)
		}
	}
}

// FuzzParseNumber checks that parsing never panics, that every refusal is
// classified, that one wrong digit is never accepted where there is a check,
// and that what is accepted survives a round trip with its IUV in place.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{
		"302032002700000251", "3020 3200 2700 0002 51", "001340809425510244", "112345678901234567", "301000000000004992",
		"", "30203200270000025", "302032002700000252", "3O2032002700000251", "402032002700000251",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := avviso.ParseNumber(s)
		if err != nil {
			if !errors.Is(err, avviso.ErrMalformed) || !n.IsZero() {
				t.Fatalf("ParseNumber(%q) = %v, %v", s, n, err)
			}
			return
		}
		if again, err := avviso.ParseNumber(n.String()); err != nil || again != n {
			t.Fatalf("round trip of %v = %v, %v", n, again, err)
		}
		if again, err := avviso.ParseNumber(n.Grouped()); err != nil || again != n {
			t.Fatalf("round trip of %q = %v, %v", n.Grouped(), again, err)
		}
		if got, want := len(n.IUV()), map[bool]int{true: 15, false: 17}[n.String()[0] == '0']; got != want {
			t.Fatalf("IUV of %v has %d digits, want %d", n, got, want)
		}
		if d := []byte(n.String()); d[0] != '1' {
			d[1] = '0' + (d[1]-'0'+1)%10 // 9*10^14 and 10^14 are no multiples of 93
			if m, err := avviso.ParseNumber(string(d)); err == nil {
				t.Fatalf("both %v and %v are accepted", n, m)
			}
		}
	})
}
