package escpos_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/escpos"
	"preavviso/internal/fault"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

var update = flag.Bool("update", false, "write the golden files anew")

func builtin(t testing.TB) texts.Set {
	t.Helper()
	s, err := texts.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func notice(t testing.TB) pdf.Notice {
	t.Helper()
	d, err := pdf.Sample(texts.Preavviso, "")
	if err != nil {
		t.Fatal(err)
	}
	return d.(pdf.Notice)
}

var widths = map[int]map[int]int{203: {58: 384, 80: 576, 112: 832}, 300: {58: 560, 80: 848, 112: 1224}}

// each runs a test for every printer, paper and way of setting text.
func each(t *testing.T, test func(t *testing.T, o escpos.Options)) {
	for _, p := range []escpos.Printer{escpos.ESCPOS, escpos.ZPL, escpos.CPCL} {
		for _, width := range []int{58, 80, 112} {
			for _, dpi := range []int{203, 300} {
				for _, own := range []bool{false, true} {
					if own && dpi == 300 {
						continue
					}
					name := fmt.Sprintf("%s/%d/%d", p, width, dpi)
					if own {
						name += "/own"
					}
					t.Run(name, func(t *testing.T) {
						test(t, escpos.Options{Printer: p, Width: width, DPI: dpi, OwnFont: own, Postal: true})
					})
				}
			}
		}
	}
}

func printOut(t *testing.T, n pdf.Notice, o escpos.Options) printed {
	t.Helper()
	b, err := escpos.Print(n, builtin(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return printers[string(o.Printer)](t, b, widths[o.DPI][o.Width])
}

// TestSlipsReadBack prints on printers that know only their manuals and reads
// the paper with programs that know nothing of ours.
func TestSlipsReadBack(t *testing.T) {
	n := notice(t)
	wantQR, err := avviso.QR(n.Number, n.Creditor.CF, n.Steps[0].Amount)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, o escpos.Options) {
		t.Parallel()
		p := printOut(t, n, o)
		img := p.pgm()
		if got := string(run(t, img, "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", "-")); got != wantQR+"\n" {
			t.Errorf("QR code reads %q, want %q", got, wantQR)
		}
		file := filepath.Join(t.TempDir(), "slip.pgm")
		if err := os.WriteFile(file, img, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := avviso.ParseDataMatrix(string(run(t, nil, "dmtxread", "-N1", "-s52x52", "-m20000", file)))
		if err != nil {
			t.Fatal(err)
		}
		if d.Number != n.Number || d.Amount != n.Steps[0].Amount || d.CreditorCF != n.Creditor.CF || d.DebtorCF != avviso.Anonymous {
			t.Errorf("Data Matrix reads %+v", d)
		}
		text := strings.Join(p.lines, " ")
		for _, want := range []string{"PREAVVISO DI VIOLAZIONE", "29,40", "42,00", "3010 0000 0000 0049 92", "00514490010", "000000123456", "entro il 17/03/2026", "così come", "ricorso"} {
			if o.OwnFont && !strings.Contains(text, want) {
				t.Errorf("the slip does not say %q:\n%s", want, strings.Join(p.lines, "\n"))
			}
		}
		if !o.OwnFont && len(p.lines) > 0 {
			t.Errorf("the printer sets %q", p.lines)
		}
	})
}

// TestOneLayout checks that all printers burn the same dots, which are those of
// the preview.
func TestOneLayout(t *testing.T) {
	n := notice(t)
	for dpi, of := range widths {
		for width := range of {
			o := escpos.Options{Width: width, DPI: dpi, Postal: true}
			preview, err := escpos.PNG(n, builtin(t), o)
			if err != nil {
				t.Fatal(err)
			}
			img, err := png.Decode(bytes.NewReader(preview))
			if err != nil {
				t.Fatal(err)
			}
			dots, ok := img.(*image.Paletted)
			if !ok {
				t.Fatalf("the preview is a %T", img)
			}
			for name := range printers {
				o.Printer = escpos.Printer(name)
				p := printOut(t, n, o)
				wrong := 0
				for y := range img.Bounds().Dy() {
					for x := range img.Bounds().Dx() {
						if (dots.ColorIndexAt(x, y) == 1) != (p.dots.GrayAt(x, y).Y == 0) {
							wrong++
						}
					}
				}
				if wrong > 0 {
					t.Errorf("%s at %d mm, %d dpi: %d dots are not those of the preview", name, width, dpi, wrong)
				}
			}
		}
	}
}

// TestGolden holds every language and width byte by byte, in the printer's own
// letters: there every command is used and text can be read.
func TestGolden(t *testing.T) {
	each(t, func(t *testing.T, o escpos.Options) {
		if !o.OwnFont {
			t.Skip("too many dots to read; TestOneLayout has them")
		}
		p := printOut(t, notice(t), o)
		got := []byte(strings.Join(p.notes, "\n"))
		file := filepath.Join("testdata", "golden", fmt.Sprintf("%s_%d.hex", o.Printer, o.Width))
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs; if that is meant, run go test ./internal/escpos -update and say why in the commit", file)
		}
	})
}

func TestSameSlipSameBytes(t *testing.T) {
	o := escpos.Options{Printer: escpos.ESCPOS, Width: 80, DPI: 203}
	want, err := escpos.Print(notice(t), builtin(t), o)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got, err := escpos.Print(notice(t), builtin(t), o); err != nil || !bytes.Equal(got, want) {
				t.Errorf("slips printed at once differ (%v)", err)
			}
		})
	}
	wg.Wait()
}

// TestWithoutAuthorisation prints no Data Matrix unless the creditor may and
// asks for it.
func TestWithoutAuthorisation(t *testing.T) {
	for name, spoil := range map[string]func(*pdf.Notice, *escpos.Options){
		"not asked for":    func(_ *pdf.Notice, o *escpos.Options) { o.Postal = false },
		"no account":       func(n *pdf.Notice, _ *escpos.Options) { n.Creditor.PostalAccount = "" },
		"no authorisation": func(n *pdf.Notice, _ *escpos.Options) { n.Creditor.PosteAuthorisation = "" },
	} {
		n, o := notice(t), escpos.Options{Printer: escpos.ZPL, Width: 80, DPI: 203, OwnFont: true, Postal: true}
		spoil(&n, &o)
		p := printOut(t, n, o)
		if text := strings.Join(p.lines, "\n"); strings.Contains(text, "BOLLETTINO") || strings.Contains(text, "C/C") {
			t.Errorf("%s: there is a bollettino", name)
		}
	}
}

// crowded has the longest texts, letters that code pages lack, and characters
// that are commands.
func crowded(t testing.TB) pdf.Notice {
	n := notice(t)
	n.Creditor.Name = "Unione dei Comuni Montani dell’Alta Valle dello Scrivia e delle Terre di Mezzo fra Langhe e Roero"
	n.Place = strings.TrimSpace(strings.Repeat("Kovačić ^FS ~JA _5E «x» Ł œ ", 5))[:140]
	n.Violation = strings.Repeat("Wm", 300)
	n.Steps = []pdf.Step{
		{Amount: 1, Label: "Importo scontato del 30%", Term: "entro cinque giorni dalla data di questo preavviso, giorni festivi compresi"},
		{Amount: avviso.MaxPrintable, Label: strings.Repeat("W", 50), By: time.Date(2026, 4, 11, 0, 0, 0, 0, time.UTC)},
		{Amount: 4200, Label: "Altro", Term: "dopo"}, {Amount: 8650, Label: "Altro", Term: "dopo"},
	}
	n.Reprint = true
	return n
}

func TestCrowdedSlips(t *testing.T) {
	n := crowded(t)
	each(t, func(t *testing.T, o escpos.Options) {
		p := printOut(t, n, o) // whose printers refuse what is off the paper or no command
		if o.OwnFont {
			text := strings.Join(p.lines, " ")
			for _, want := range []string{"99.999.999,99", "RISTAMPA", "^FS ~JA _5E", "Kova"} {
				if !strings.Contains(text, want) {
					t.Errorf("the slip does not say %q", want)
				}
			}
		}
	})
}

func TestPreviewPDF(t *testing.T) {
	b, err := escpos.PDF(notice(t), builtin(t), escpos.Options{Width: 80, DPI: 203, Postal: true})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "slip.pdf")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := run(t, nil, "qpdf", "--check", file); !bytes.Contains(out, []byte("No syntax or stream encoding errors")) {
		t.Errorf("%s", out)
	}
	if got := string(run(t, run(t, b, "pdftoppm", "-gray", "-png", "-r", "300"), "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", "-")); !strings.HasPrefix(got, "PAGOPA|002|") {
		t.Errorf("QR code reads %q", got)
	}
}

func TestRefusals(t *testing.T) {
	good := escpos.Options{Printer: escpos.ESCPOS, Width: 80, DPI: 203}
	for name, tt := range map[string]struct {
		spoil func(*pdf.Notice, *escpos.Options)
		code  string
	}{
		"printer":      {func(_ *pdf.Notice, o *escpos.Options) { o.Printer = "star" }, "print.bad_option"},
		"width":        {func(_ *pdf.Notice, o *escpos.Options) { o.Width = 57 }, "print.bad_option"},
		"density":      {func(_ *pdf.Notice, o *escpos.Options) { o.DPI = 600 }, "print.bad_option"},
		"small letter": {func(_ *pdf.Notice, o *escpos.Options) { o.DPI, o.OwnFont = 300, true }, "print.bad_option"},
		"no place":     {func(n *pdf.Notice, _ *escpos.Options) { n.Place = "" }, "print.missing_field"},
		"no number":    {func(n *pdf.Notice, _ *escpos.Options) { n.Number = avviso.Number{} }, "print.no_number"},
		"creditor":     {func(n *pdf.Notice, _ *escpos.Options) { n.Creditor.CF = "12345678901" }, "print.bad_payload"},
		"control":      {func(n *pdf.Notice, _ *escpos.Options) { n.Place = "a\x1b@b" }, "print.bad_character"},
	} {
		n, o := notice(t), good
		tt.spoil(&n, &o)
		b, err := escpos.Print(n, builtin(t), o)
		if e := fault.Of(err); b != nil || !errors.Is(err, fault.Invalid) || e.Code != tt.code || e.Detail == "" {
			t.Errorf("%s: %d bytes, %v; want %s", name, len(b), err, tt.code)
		}
	}
}

func Benchmark(b *testing.B) {
	for _, o := range []escpos.Options{
		{Printer: escpos.ESCPOS, Width: 80, DPI: 203}, {Printer: escpos.ESCPOS, Width: 80, DPI: 203, OwnFont: true}, {Printer: escpos.ZPL, Width: 112, DPI: 300, Postal: true},
	} {
		b.Run(fmt.Sprintf("%s/%d/%d/own=%v", o.Printer, o.Width, o.DPI, o.OwnFont), func(b *testing.B) {
			b.ReportAllocs()
			n := notice(b)
			for b.Loop() {
				if _, err := escpos.Print(n, builtin(b), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// run pipes stdin through a program that the machine has for this. Where
// PREAVVISO_TEST_REQUIRE contains "decoders", as in CI, a missing one is a
// failure.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if strings.Contains(os.Getenv("PREAVVISO_TEST_REQUIRE"), "decoders") {
			t.Fatal(err)
		}
		t.Skipf("%v; install poppler-utils, qpdf, zbar-tools and dmtx-utils", err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, complaint.Bytes())
	}
	return out
}
