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
		}
		if v, ok := doc.(pdf.Verbale); ok {
			v.NoReduced = "Guida contromano in curva (art. 143, c. 12, CdS)"
			v.Discounted, v.Reduced, v.Full, v.Costs = 0, 0, 0, 0
			picture(t, v, set, filepath.Join(dir, name+"-senza-riduzione.png"))
		}
		if a, ok := doc.(pdf.Avviso); ok && d.language == "" {
			a.Reprint, a.Amounts = true, []pdf.Amount{{Number: a.Amounts[0].Number, Amount: 4360, By: a.Date.AddDate(0, 0, 25)}, {Number: a.Amounts[0].Number, Amount: 5620, By: a.Date.AddDate(0, 0, 80)}}
			picture(t, a, set, filepath.Join(dir, name+"-notificato-ristampa.png"))
		}
		if n, ok := doc.(pdf.Notice); ok {
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
