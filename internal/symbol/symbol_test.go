package symbol_test

import (
	"fmt"
	"image/color"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix/decoder"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/symbol"
)

// sameAsBoombuler compares a QR code of ours with the customer's library,
// module by module.
func sameAsBoombuler(t *testing.T, payload string) {
	t.Helper()
	m, err := symbol.QR(payload)
	if err != nil {
		t.Fatal(err)
	}
	want, err := qr.Encode(payload, qr.M, qr.Unicode)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds().Dx() != m.Side() {
		t.Fatalf("%q: side %d, boombuler has %d", payload, m.Side(), want.Bounds().Dx())
	}
	for y := range m.Side() {
		for x := range m.Side() {
			if m.Dark(x, y) != (want.At(x, y) == color.Black) {
				t.Fatalf("%q: module %d, %d differs from boombuler's", payload, x, y)
			}
		}
	}
	if got, err := symbol.ReadQR(&m); err != nil || got != payload {
		t.Fatalf("reads %q, %v; want %q", got, err, payload)
	}
}

func TestQRIsBoombulers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 4))
	for range 300 {
		head := fmt.Sprintf("3%015d", r.Int64N(1e15))
		n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := avviso.QR(n, "00514490010", avviso.Cents(1+r.Int64N(int64(avviso.MaxPrintable))>>r.IntN(30)))
		if err != nil {
			t.Fatal(err)
		}
		sameAsBoombuler(t, payload)
	}
}

func TestQRLengths(t *testing.T) {
	for n := range 70 {
		payload := strings.Repeat("PAGOPA|002|", 7)[:n]
		m, err := symbol.QR(payload)
		if ok := n >= 1 && n <= 62; (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err != nil {
			continue
		}
		if got, err := symbol.ReadQR(&m); m.Side() != symbol.QRSide || err != nil || got != payload {
			t.Errorf("%d bytes: side %d, reads %q, %v", n, m.Side(), got, err)
		}
		if n >= 43 { // shorter ones are of a smaller version at boombuler
			sameAsBoombuler(t, payload)
		}
	}
}

// FuzzQR checks that bytes of any kind come back and look as boombuler draws
// them.
func FuzzQR(f *testing.F) {
	f.Add("PAGOPA|002|301000000000004992|00514490010|4200")
	f.Add(strings.Repeat("\x00\xff", 30))
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 43 || len(s) > 62 || strings.IndexFunc(s, func(r rune) bool { return r < 1 || r > 126 }) >= 0 {
			t.Skip() // gozxing guesses at the character set of what is not ASCII
		}
		sameAsBoombuler(t, s)
	})
}

func payload(t testing.TB, name, causale string) string {
	t.Helper()
	n, err := avviso.ParseNumber("301000000000004992")
	if err != nil {
		t.Fatal(err)
	}
	s, err := avviso.DataMatrix(avviso.DataMatrixInput{Number: n, Account: "123456", Amount: 4200, CreditorCF: "00514490010",
		DebtorCF: avviso.Anonymous, DebtorName: name, Causale: causale})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDataMatrixSizes(t *testing.T) {
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
		s := payload(t, tt.name, tt.causale)
		m, err := symbol.DataMatrix(s)
		if err != nil || m.Side() != tt.side {
			t.Errorf("%s: side %d, %v; want %d", tt.what, m.Side(), err, tt.side)
			continue
		}
		if got, err := symbol.ReadDataMatrix(&m); err != nil || got != s {
			t.Errorf("%s: reads %q, %v", tt.what, got, err)
		}
	}
	if m, err := symbol.DataMatrix(strings.Repeat("\xe9", 400)); err == nil {
		t.Errorf("400 characters: side %d, want an error", m.Side())
	}
}

// FuzzDataMatrix packs text of every kind, so that each way of packing is read
// by our reader and by gozxing's alike.
func FuzzDataMatrix(f *testing.F) {
	for _, s := range []string{"codfase=NBPA;18", "ABC123", "abc def", "*>\r AB12", strings.Repeat("9", 100), strings.Repeat("a.B,", 30), "\x01\x02",
		strings.Repeat("AB*>", 20), strings.Repeat("#$%&", 30) + "ABCD", "A^B^C^D^E^F^G^H", strings.Repeat("@A.,", 9) + "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) == 0 || len(s) > 200 || strings.IndexFunc(s, func(r rune) bool { return r > 127 }) >= 0 {
			t.Skip()
		}
		m, err := symbol.DataMatrix(s)
		if err != nil {
			t.Skip()
		}
		got, err := symbol.ReadDataMatrix(&m)
		if err != nil || got != s {
			// The encoder itself errs on some sequences: only what its twin reads is ours to read.
			grid, e := gozxing.NewSquareBitMatrix(m.Side())
			if e != nil {
				t.Fatal(e)
			}
			m.Runs(func(x, y, n int) {
				for i := range n {
					grid.Set(x+i, y)
				}
			})
			if r, e := decoder.NewDecoder().Decode(grid); e == nil && r.GetText() == s {
				t.Fatalf("%q reads %q, %v", s, got, err)
			}
		}
	})
}

// TestOneWrongModule turns over each module of each symbol: a scanner would mend
// it, the self-check must not.
func TestOneWrongModule(t *testing.T) {
	q, err := symbol.QR("PAGOPA|002|301000000000004992|00514490010|4200")
	if err != nil {
		t.Fatal(err)
	}
	d, err := symbol.DataMatrix(payload(t, "ROSSI MARIA", "Preavviso"))
	if err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		m    symbol.Matrix
		read func(*symbol.Matrix) (string, error)
	}{"QR": {q, symbol.ReadQR}, "Data Matrix": {d, symbol.ReadDataMatrix}} {
		want, err := tt.read(&tt.m)
		if err != nil {
			t.Fatal(err)
		}
		unseen := 0
		for y := range tt.m.Side() {
			for x := range tt.m.Side() {
				spoilt := symbol.NewMatrix(tt.m.Side())
				for v := range tt.m.Side() {
					for u := range tt.m.Side() {
						if tt.m.Dark(u, v) != (u == x && v == y) {
							spoilt.Set(u, v)
						}
					}
				}
				got, err := tt.read(&spoilt)
				if err == nil && got != want {
					t.Fatalf("%s with module %d, %d wrong reads %q", what, x, y, got)
				}
				if err == nil {
					unseen++
				} else if fault.Of(err).Code != "print.self_check" {
					t.Fatalf("%s: %v", what, err)
				}
			}
		}
		if unseen > 0 {
			t.Errorf("%s: %d wrong modules go unseen", what, unseen)
		}
	}
}

func TestWrongSquares(t *testing.T) {
	for _, side := range []int{-1, 0, 1, 21, 33, 48, 52, 64, 65} {
		m := symbol.NewMatrix(side)
		if s, err := symbol.ReadQR(&m); err == nil {
			t.Errorf("a light square of %d reads as QR %q", side, s)
		}
		if s, err := symbol.ReadDataMatrix(&m); err == nil {
			t.Errorf("a light square of %d reads as Data Matrix %q", side, s)
		}
	}
}

func TestCode128(t *testing.T) {
	for _, s := range []string{"301000000000004992", "2026/0001234", "V-2026.00012", "a", "Ab 12~", strings.Repeat("9", symbol.MaxCode128)} {
		bars, err := symbol.Code128(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if got, err := symbol.ReadCode128(bars); err != nil || got != s {
			t.Errorf("%q reads %q, %v", s, got, err)
		}
		again := make(symbol.Bars, len(bars))
		bars.Runs(func(x, n int) {
			for i := range n {
				again[x+i] = true
			}
		})
		if fmt.Sprint(again) != fmt.Sprint(bars) {
			t.Errorf("%q: the runs are not the bars", s)
		}
	}
	for _, s := range []string{"", "è", "a\nb", strings.Repeat("9", symbol.MaxCode128+1)} {
		if _, err := symbol.Code128(s); err == nil {
			t.Errorf("%q became a Code 128", s)
		}
	}
	if s, err := symbol.ReadCode128(make(symbol.Bars, 100)); err == nil {
		t.Errorf("no bars read %q", s)
	}
}

func Benchmark(b *testing.B) {
	const q = "PAGOPA|002|301000000000004992|00514490010|4200"
	d := payload(b, "ROSSI MARIA", "Preavviso CdS n. 2026-0001234 del 12.03.2026")
	qm, _ := symbol.QR(q)
	dm, _ := symbol.DataMatrix(d)
	for _, bb := range []struct {
		name string
		f    func() error
	}{
		{"QR", func() error { _, err := symbol.QR(q); return err }},
		{"QR/boombuler", func() error { _, err := qr.Encode(q, qr.M, qr.Unicode); return err }},
		{"DataMatrix", func() error { _, err := symbol.DataMatrix(d); return err }},
		{"ReadQR", func() error { _, err := symbol.ReadQR(&qm); return err }},
		{"ReadDataMatrix", func() error { _, err := symbol.ReadDataMatrix(&dm); return err }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bb.f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
