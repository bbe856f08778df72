package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"preavviso/internal/avviso"
	"preavviso/internal/escpos"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// TestPrints draws every document from its sample into PREAVVISO_DOCS, which is
// internal/docs/prints under "make docs", as small pictures. Without it there is
// nothing to do.
func TestPrints(t *testing.T) {
	dir := os.Getenv("PREAVVISO_DOCS")
	if dir == "" {
		t.Skip("only for make docs")
	}
	set, err := texts.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct{ document, language string }{
		{texts.Preavviso, ""}, {texts.Avviso, ""}, {texts.Avviso, "de"}, {texts.Avviso, "en"}, {texts.Avviso, "fr"}, {texts.Avviso, "sl"}, {texts.Verbale, ""},
	} {
		doc, err := pdf.Sample(d.document, d.language)
		if err != nil {
			t.Fatal(err)
		}
		name := d.document
		if d.language != "" {
			name += "-" + d.language
		}
		picture(t, doc, set, filepath.Join(dir, name+".png"))
		if a, ok := doc.(pdf.Avviso); ok && d.language == "" {
			a.Creditor.PostalAccount, a.Creditor.PosteAuthorisation = "", ""
			picture(t, a, set, filepath.Join(dir, name+"-senza-poste.png"))
			a.Creditor.Logo, a.Discount = arms(t), pdf.Term{Days: 15, Working: true}
			picture(t, a, set, filepath.Join(dir, name+"-15-giorni-lavorativi.png"))
		}
		if v, ok := doc.(pdf.Verbale); ok {
			late := v
			late.Creditor.Logo, late.Late = arms(t), true
			picture(t, late, set, filepath.Join(dir, name+"-oltre-60-giorni.png"))
			v.NoReduced = "Guida contromano in curva (art. 143, c. 12, CdS)"
			v.Discounted, v.Reduced, v.Full, v.Costs = 0, 0, 0, 0
			picture(t, v, set, filepath.Join(dir, name+"-senza-riduzione.png"))
		}
		if a, ok := doc.(pdf.Avviso); ok && d.language == "" {
			a.Reprint, a.Amounts = true, []pdf.Amount{{Number: a.Amounts[0].Number, Amount: 4360, By: a.Date.AddDate(0, 0, 25)}, {Number: a.Amounts[0].Number, Amount: 5620, By: a.Date.AddDate(0, 0, 80)}}
			picture(t, a, set, filepath.Join(dir, name+"-notificato-ristampa.png"))
		}
		if n, ok := doc.(pdf.Notice); ok {
			two := n
			two.Full, two.Creditor.Logo = second(t), arms(t)
			two.Creditor.PostalAccount, two.Creditor.PosteAuthorisation = "", ""
			picture(t, two, set, filepath.Join(dir, name+"-due-codici.png"))
			for _, width := range []int{58, 80, 112} {
				b, err := escpos.PNG(n, set, escpos.Options{Width: width, DPI: 203, Postal: true})
				if err != nil {
					t.Fatal(err)
				}
				file := map[int]string{58: "slip-58.png", 80: "slip-80.png", 112: "slip-112.png"}[width]
				if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// arms is an invented coat of arms: a shield, per pale, with a ring.
func arms(t *testing.T) *pdf.Logo {
	t.Helper()
	const w, h = 300, 360
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			dx, dy := x-w/2, y-h/3
			if y > h/2 && 4*dx*dx*h*h/4+4*(y-h/2)*(y-h/2)*w*w/4 > w*w*h*h/4 {
				continue // outside: paper
			}
			c := color.NRGBA{0x1C, 0x4E, 0x80, 0xFF}
			if r := dx*dx + dy*dy; r > 60*60 && r < 85*85 {
				c = color.NRGBA{0xE8, 0xC5, 0x47, 0xFF}
			} else if x > w/2 {
				c = color.NRGBA{0xA6, 0x1C, 0x28, 0xFF}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	l, err := pdf.NewLogo(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// second is the number of a second code.
func second(t *testing.T) avviso.Number {
	t.Helper()
	n, err := avviso.ParseNumber("301000000000005000")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// picture shows the first page at 90 dpi in 16 greys: letters can be read, and it
// is some 50 kB.
func picture(t *testing.T, d pdf.Document, set texts.Set, name string) {
	t.Helper()
	b, err := pdf.Draw(d, set)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "pdftoppm", "-gray", "-png", "-r", "90", "-l", "1")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	page, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var greys color.Palette
	for i := range 16 {
		greys = append(greys, color.Gray{Y: uint8(i * 17)})
	}
	few := image.NewPaletted(page.Bounds(), greys)
	draw.Draw(few, few.Rect, page, page.Bounds().Min, draw.Src)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, few); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
