package pdf

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jung-kurt/gofpdf"

	"preavviso/internal/symbol"
	"preavviso/internal/texts"
)

// onGofpdf is a canvas that gofpdf draws: what we write is held against it.
type onGofpdf struct{ g *gofpdf.Fpdf }

func (o onGofpdf) text(f face, x, baseline float64, t string, c colour) {
	o.g.SetFont(fontFiles[f.font].family, fontFiles[f.font].style, f.size)
	o.g.SetTextColor(int(c>>16), int(c>>8&0xFF), int(c&0xFF))
	o.g.Text(x, baseline, t)
}

func (o onGofpdf) fill(x, y, w, h float64, c colour) {
	o.g.SetFillColor(int(c>>16), int(c>>8&0xFF), int(c&0xFF))
	o.g.Rect(x, y, w, h, "F")
}

// symbol draws a rectangle for each module, as one does with gofpdf.
func (o onGofpdf) symbol(m *symbol.Matrix, x, y, side float64) {
	d := side / float64(m.Side())
	for row := range m.Side() {
		for col := range m.Side() {
			if m.Dark(col, row) {
				o.fill(x+float64(col)*d, y+float64(row)*d, d, d, black)
			}
		}
	}
}

func (o onGofpdf) bars(b symbol.Bars, x, y, w, h float64) {
	b.Runs(func(at, n int) {
		d := w / float64(len(b))
		o.fill(x+float64(at)*d, y, float64(n)*d, h, black)
	})
}

func (o onGofpdf) logo(*Logo, float64, float64, float64, float64) {}
func (o onGofpdf) begin(string)                                   {}
func (o onGofpdf) end()                                           {}

// byGofpdf draws a document with the same layout, each page by gofpdf.
func byGofpdf(d Document, t texts.Set, o options) ([]byte, error) {
	zone, err := rome()
	if err != nil {
		return nil, err
	}
	types, err := allTypes()
	if err != nil {
		return nil, err
	}
	g, err := newGofpdf(time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	p := &printing{options: o, texts: t, zone: zone, types: types, on: func() canvas { g.AddPage(); return onGofpdf{g} }}
	if err := d.draw(p); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = g.Output(&out)
	return out.Bytes(), err
}

func rendered(t *testing.T, file []byte, page int) [][]uint8 {
	t.Helper()
	cmd := exec.Command("pdftoppm", "-gray", "-png", "-r", "75", "-f", fmt.Sprint(page), "-l", fmt.Sprint(page))
	cmd.Stdin = bytes.NewReader(file)
	out, err := cmd.Output()
	if err != nil {
		t.Skip(err)
	}
	img, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]uint8, img.Bounds().Dy())
	for y := range rows {
		rows[y] = make([]uint8, img.Bounds().Dx())
		for x := range rows[y] {
			rows[y][x] = color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y
		}
	}
	return rows
}

// TestLooksLikeGofpdf renders the same layout as we write it and as gofpdf does.
// Positions are rounded the same way, so that only the edges of letters may
// differ a little.
func TestLooksLikeGofpdf(t *testing.T) {
	set, err := texts.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{texts.Preavviso, texts.Avviso, texts.Verbale} {
		d, err := Sample(document, "sl")
		if err != nil {
			t.Fatal(err)
		}
		// Symbols are left out: a renderer snaps gofpdf's many rectangles to pixels
		// and leaves one path alone. They are read back instead.
		without := options{noSymbols: true}
		ours, _, err := render(d, set, without)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := byGofpdf(d, set, without)
		if err != nil {
			t.Fatal(err)
		}
		a, b := rendered(t, ours, 1), rendered(t, theirs, 1)
		if len(a) != len(b) || len(a[0]) != len(b[0]) {
			t.Fatalf("%s: pages of different sizes", document)
		}
		dark, off := 0, 0
		for y := range a {
			for x := range a[y] {
				if b[y][x] < 128 {
					dark++
				}
				if math.Abs(float64(a[y][x])-float64(b[y][x])) > 64 {
					off++
				}
			}
		}
		if dark < 5000 || off > dark/100 {
			t.Errorf("%s: %d pixels of %d dark ones differ from gofpdf's", document, off, dark)
		}
	}
}

// content stream of the sample, to be spoilt.
func stream(t *testing.T, document string) []byte {
	t.Helper()
	set, err := texts.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Sample(document, "")
	if err != nil {
		t.Fatal(err)
	}
	types, err := commonTypes()
	if err != nil {
		t.Fatal(err)
	}
	p, err := lay(d, set, types, options{})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(p.pages[0].b)
}

func wide(s string) string {
	var c content
	c.reset()
	c.text(face{robotoMono, 1}, 0, 0, s, black)
	from := bytes.IndexByte(c.b, '(') + 1
	return string(c.b[from:bytes.LastIndexByte(c.b, ')')])
}

// TestSelfCheckSees spoils a page in every way a mistake of ours could: each is
// refused.
func TestSelfCheckSees(t *testing.T) {
	good := stream(t, texts.Preavviso)
	if err := selfCheck(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"number":              {wide("3010 0000 0000 0049 92"), wide("3010 0000 0000 0050 00")},
		"one digit":           {wide("3010 0000 0000 0049 92"), wide("3010 0000 0000 0049 93")},
		"no number":           {wide("3010 0000 0000 0049 92"), wide(" ")},
		"creditor":            {wide("00514490010"), wide("00514490011")},
		"no creditor":         {wide("00514490010"), wide("x")},
		"account":             {wide("000000123456"), wide("000000123457")},
		"amount":              {wide("29,40"), wide("29,41")},
		"amount in thousand":  {wide("29,40"), wide("2.929,40")},
		"amount above":        {wide("€ 29,40"), wide("€ 39,40")},
		"module gone":         {"0 0 7 1 re\n", "0 0 6 1 re\n"},
		"module too many":     {"0 0 7 1 re\n", "0 0 8 1 re\n"},
		"half a module":       {"0 0 7 1 re\n", "0 0 7.5 1 re\n"},
		"tall module":         {"0 0 7 1 re\n", "0 0 7 2 re\n"},
		"symbol gone":         {"f Q\n", "n Q\n"},
		"small symbol":        {"2.14746 0.00000 0.00000 -2.14746", "0.50000 0.00000 0.00000 -0.50000"},
		"leaning symbol":      {"2.14746 0.00000 0.00000 -2.14746", "2.14746 0.50000 0.00000 -2.14746"},
		"mirrored symbol":     {"2.14746 0.00000 0.00000 -2.14746", "2.14746 0.00000 0.00000 2.14746"},
		"section gone":        {"/Pay BMC\n", ""},
		"section without end": {"EMC\n", ""},
		"unknown section":     {"/Pay BMC\n", "/Gift BMC\n"},
	} {
		bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, good) {
			t.Errorf("%s: nothing was changed", name)
		} else if err := selfCheck(bad); err == nil {
			t.Errorf("%s: not seen", name)
		}
	}
	if err := selfCheck(good[:bytes.IndexByte(good, '(')+3]); err == nil {
		t.Error("a stream that ends in a string: not seen")
	}
	verbale := stream(t, texts.Verbale)
	for name, change := range map[string][2]string{
		"register": {wide("n. V-2026.0001234"), wide("n. V-2026.0001235")},
		"a bar":    {"0 0 2 1 re\n", "0 0 3 1 re\n"},
	} {
		bad := bytes.Replace(verbale, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, verbale) {
			t.Errorf("%s: nothing was changed", name)
		} else if err := selfCheck(bad); err == nil {
			t.Errorf("verbale, %s: not seen", name)
		}
	}
}

// FuzzSelfCheck reads anything without falling over.
func FuzzSelfCheck(f *testing.F) {
	f.Add([]byte("/Pay BMC q 1 0 0 -1 0 0 cm 0 0 1 1 re f Q (x) Tj EMC"))
	f.Add([]byte("Tf Tj BMC EMC (\\"))
	f.Add([]byte("/Bars BMC q 9 0 0 -9 0 0 cm 9999999 0 1 1 re 0 0 -1 1 re f Q EMC"))
	f.Fuzz(func(t *testing.T, b []byte) { _ = selfCheck(b) })
}

func TestUTF16RoundTrip(t *testing.T) {
	for _, s := range []string{"a", `(\)`, "č", "Č\u010D", "€…", "\u0128\u0129\u015C\u200D", strings.Repeat("Ĩ", 9)} {
		if got := decodeUTF16([]byte(wide(s))); got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	}
}

func BenchmarkUntuned(b *testing.B) {
	set, err := texts.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	d, err := Sample(texts.Preavviso, "")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := byGofpdf(d, set, options{}); err != nil {
			b.Fatal(err)
		}
	}
}
