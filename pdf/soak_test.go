package pdf_test

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/pdf"
)

// randomNotice is one of many: names up to the limits, accents, amounts from a
// cent to the most, with and without bollettino, one number or two.
func randomNotice(t *testing.T, r *rand.Rand) pdf.Document {
	t.Helper()
	letters := []rune("abcdefghilmnopqrstuvzABCDEFGHILMNOPQRSTUVZàèéìòùÀÈčćšžßœŁőñç'’.-,:& 0123456789")
	text := func(most int) string {
		var b strings.Builder
		b.WriteByte('N')
		for range r.IntN(most) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	number := func() avviso.Number {
		head := fmt.Sprintf("3%02d%013d", r.IntN(46), r.Int64N(1e13))
		n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	amount := func() avviso.Cents {
		switch r.IntN(5) {
		case 0:
			return 1
		case 1:
			return 9_999_999 // the most a verbale can be
		}
		return avviso.Cents(1 + r.Int64N(9_999_998))
	}
	c := windscreen(t).Creditor
	c.Name, c.CBILL = text(100), strings.ToUpper(text(3))
	c.PostalAccount = fmt.Sprint(1 + r.Int64N(999_999_999_999))
	if r.IntN(3) == 0 {
		c = withoutPostal(c)
	}
	debtor := pdf.Debtor{}
	if r.IntN(2) == 0 {
		debtor = pdf.Debtor{Name: text(70), CF: "RSSMRA80A01L219M", Address: text(140)}
	}
	at := time.Unix(1_780_000_000+r.Int64N(1e8), 0)
	if r.IntN(2) == 0 {
		if debtor.Name == "" {
			debtor.Name = text(70)
		}
		small := amount()
		a := pdf.Avviso{Creditor: c, Debtor: debtor, Object: text(90), Causale: text(110), Date: at,
			Language: []string{"", "en", "fr", "de", "sl"}[r.IntN(5)], Amounts: []pdf.Amount{{Number: number(), Amount: small}}}
		if r.IntN(2) == 0 {
			a.Amounts = append(a.Amounts, pdf.Amount{Number: number(), Amount: small + amount()})
		}
		return a
	}
	p := windscreen(t)
	p.Creditor, p.Debtor, p.IssuedAt, p.Number, p.Causale = c, debtor, at, number(), text(100)
	p.Place, p.Vehicle, p.Violation, p.Reference = text(150), text(80), text(300), text(20)
	p.Steps[0].Amount, p.Steps[1].Amount = amount(), amount()
	if r.IntN(3) == 0 {
		p.Full = number()
	}
	return p
}

// asked is what the symbols of a document must say, page by page.
type asked struct {
	number   avviso.Number
	amount   avviso.Cents
	creditor pdf.Creditor
}

func payments(d pdf.Document) (pages [][]asked) {
	var all []asked
	var c pdf.Creditor
	switch d := d.(type) {
	case pdf.Notice:
		c = d.Creditor
		for _, b := range d.Boxes() {
			all = append(all, asked{b.Number, b.Step.Amount, c})
		}
	case pdf.Avviso:
		c = d.Creditor
		for _, m := range d.Amounts {
			all = append(all, asked{m.Number, m.Amount, c})
		}
	}
	if c.PosteAuthorisation == "" {
		return [][]asked{all}
	}
	for _, a := range all {
		pages = append(pages, []asked{a})
	}
	return pages
}

// TestRandomNotices prints many notices as a thermal and as an office printer
// would, spoils the paper as life does, and reads it with programs that know
// nothing of ours: every symbol is read, and none wrongly. Each notice is spoilt
// in one way; the soak spoils a thousand in every way.
func TestRandomNotices(t *testing.T) {
	notices, soak := 60, os.Getenv("PREAVVISO_TEST_SOAK") != ""
	if soak { // some twenty minutes on two cores
		notices = 1000
	}
	spoils := []struct {
		name string
		how  func(*image.Gray) *image.Gray
	}{
		{"clean", func(g *image.Gray) *image.Gray { return g }}, {"blurred", blurred}, {"rotated", rotated}, {"pale", pale},
	}
	for i := range notices {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 2026))
			d := randomNotice(t, r)
			file := draw(t, d)
			for page, want := range payments(d) {
				for k, dpi := range []int{203, 300} {
					if !soak && k != i%2 {
						continue
					}
					left, right := part(t, file, page, dpi, 0, 125, 45), part(t, file, page, dpi, 165, 165, 45)
					for n, s := range spoils {
						if soak || n == i/2%len(spoils) {
							t.Run(fmt.Sprintf("page %d at %d dpi, %s", page+1, dpi, s.name), func(t *testing.T) {
								readQRs(t, s.how(left), want)
								readDataMatrix(t, s.how(right), want[0])
							})
						}
					}
				}
			}
		})
	}
}

// part renders the page from x, y, which are millimetres, to its bottom.
func part(t *testing.T, file []byte, page, dpi, x, y, w int) *image.Gray {
	t.Helper()
	at := func(mm int) string { return fmt.Sprint(mm * dpi * 10 / 254) }
	return readPGM(t, run(t, file, "pdftoppm", "-gray", "-r", fmt.Sprint(dpi), "-f", fmt.Sprint(page+1), "-l", fmt.Sprint(page+1),
		"-x", at(x), "-y", at(y), "-W", at(w), "-H", at(297-y)))
}

// readQRs holds what a program reads against what must be there.
func readQRs(t *testing.T, img *image.Gray, want []asked) {
	t.Helper()
	got := strings.Fields(string(run(t, pgm(img), "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", "-")))
	if len(got) != len(want) {
		t.Errorf("%d QR codes read, want %d", len(got), len(want))
	}
	for _, g := range got {
		n, cf, c, err := avviso.ParseQR(g)
		found := false
		for _, w := range want {
			found = found || err == nil && n == w.number && c == w.amount && cf == w.creditor.CF
		}
		if !found {
			t.Errorf("QR code reads %q, %v", g, err)
		}
	}
}

func readDataMatrix(t *testing.T, img *image.Gray, want asked) {
	t.Helper()
	if want.creditor.PosteAuthorisation == "" {
		return
	}
	name := filepath.Join(t.TempDir(), "corner.pgm")
	if err := os.WriteFile(name, pgm(img), 0o644); err != nil {
		t.Fatal(err)
	}
	text := string(run(t, nil, "dmtxread", "-N1", "-m20000", name))
	d, err := avviso.ParseDataMatrix(text)
	if err != nil || d.Number != want.number || d.Amount != want.amount || d.CreditorCF != want.creditor.CF ||
		strings.TrimLeft(d.Account, "0") != strings.TrimLeft(want.creditor.PostalAccount, "0") {
		t.Errorf("Data Matrix reads %q, %v", text, err)
	}
}

// readPGM reads the plainest form of a picture. PNG would cost more time, under
// the race detector, than all the rest.
func readPGM(t *testing.T, b []byte) *image.Gray {
	t.Helper()
	var w, h, most int
	if _, err := fmt.Sscanf(string(b[:min(40, len(b))]), "P5\n%d %d\n%d\n", &w, &h, &most); err != nil || most != 255 || len(b) < w*h {
		t.Fatalf("not a picture of greys: %v", err)
	}
	return &image.Gray{Pix: b[len(b)-w*h:], Stride: w, Rect: image.Rect(0, 0, w, h)}
}

func pgm(g *image.Gray) []byte {
	return append(fmt.Appendf(nil, "P5\n%d %d\n255\n", g.Rect.Dx(), g.Rect.Dy()), g.Pix...)
}

// blurred is a picture out of focus by a pixel.
func blurred(g *image.Gray) *image.Gray {
	out := &image.Gray{Pix: bytes.Clone(g.Pix), Stride: g.Stride, Rect: g.Rect}
	n, p := g.Stride, g.Pix
	for y := 1; y < g.Rect.Dy()-1; y++ {
		for i := y*n + 1; i < y*n+n-1; i++ {
			around := int(p[i-n-1]) + int(p[i-n+1]) + int(p[i+n-1]) + int(p[i+n+1])
			beside := int(p[i-n]) + int(p[i+n]) + int(p[i-1]) + int(p[i+1])
			out.Pix[i] = uint8((around + 2*beside + 4*int(p[i])) / 16)
		}
	}
	return out
}

// rotated is a picture held askew by 3 degrees, a little smaller so that its
// corners stay in.
func rotated(g *image.Gray) *image.Gray {
	const smaller, one = 1.08, 256
	sin, cos := math.Sincos(3 * math.Pi / 180)
	du, dv := int(cos*smaller*one), int(sin*smaller*one)
	w, h := g.Rect.Dx(), g.Rect.Dy()
	out := image.NewGray(g.Rect)
	for y := range h {
		u, v := (-w/2)*du-(y-h/2)*dv+w/2*one, (-w/2)*dv+(y-h/2)*du+h/2*one
		for x := range w {
			x0, y0, fx, fy := u>>8, v>>8, u&0xFF, v&0xFF
			value := 255
			if x0 >= 0 && y0 >= 0 && x0+1 < w && y0+1 < h {
				p := g.Pix[y0*w+x0:]
				value = ((int(p[0])*(one-fx)+int(p[1])*fx)*(one-fy) + (int(p[w])*(one-fx)+int(p[w+1])*fx)*fy) / one / one
			}
			out.Pix[y*w+x] = uint8(value)
			u, v = u+du, v+dv
		}
	}
	return out
}

// pale is old thermal paper: 60 % of the contrast.
func pale(g *image.Gray) *image.Gray {
	out := image.NewGray(g.Rect)
	for i, v := range g.Pix {
		out.Pix[i] = uint8(51 + int(v)*6/10)
	}
	return out
}
