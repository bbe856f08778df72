package pdf_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"preavviso/internal/avviso"
	"preavviso/internal/symbol"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// BenchmarkTenThousand prints the largest batch and tells how much memory the
// process ever had, of which the fonts and this test are some 30 MB.
func BenchmarkTenThousand(b *testing.B) {
	for _, form := range []pdf.Form{pdf.OnePDF, pdf.Zip} {
		b.Run(string(form), func(b *testing.B) {
			items := make([]pdf.Document, 100)
			for i := range items {
				p := windscreen(b)
				p.Reference = fmt.Sprintf("2026-%07d", i)
				items[i] = p
			}
			var size int64
			for b.Loop() {
				out, err := pdf.NewBatch(io.Discard, form, builtin(b), "Preavvisi", batchDay)
				if err != nil {
					b.Fatal(err)
				}
				for i := range pdf.MaxBatch {
					if err := out.Add(items[i%len(items)], strconv.Itoa(i)); err != nil {
						b.Fatal(err)
					}
				}
				size = out.Size()
				if err := out.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(pdf.MaxBatch)*float64(b.N)/b.Elapsed().Seconds(), "notices/s")
			b.ReportMetric(float64(size)/1e6, "MB")
			status, err := os.ReadFile("/proc/self/status")
			if err != nil {
				b.Skip(err)
			}
			if m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); m != nil {
				kb, err := strconv.Atoi(string(m[1]))
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(kb)/1e3, "peak-RSS-MB")
			}
		})
	}
}

// BenchmarkChromium prints a comparable page as many do, from HTML: the same
// texts, and the symbols as one path each.
func BenchmarkChromium(b *testing.B) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
		}
	}
	if browser == "" {
		b.Skip("no Chromium here")
	}
	p := windscreen(b)
	page, err := pdf.Readable(p, builtin(b))
	if err != nil {
		b.Fatal(err)
	}
	var doc bytes.Buffer
	doc.WriteString(`<!doctype html><html lang="it"><meta charset="utf-8"><style>@page{size:A4;margin:10mm}</style>`)
	for _, l := range strings.Split(page, "\n") {
		if text, ok := strings.CutPrefix(l, "ET"); ok {
			fmt.Fprintf(&doc, "<p>%s</p>", html.EscapeString(text))
		}
	}
	payload, err := avviso.QR(p.Number, p.Creditor.CF, p.Steps[0].Amount)
	if err != nil {
		b.Fatal(err)
	}
	qr, err := symbol.QR(payload)
	if err != nil {
		b.Fatal(err)
	}
	payload, err = avviso.DataMatrix(avviso.DataMatrixInput{Number: p.Number, Account: p.Creditor.PostalAccount, Amount: p.Steps[0].Amount,
		CreditorCF: p.Creditor.CF, DebtorCF: avviso.Anonymous, Causale: p.Causale})
	if err != nil {
		b.Fatal(err)
	}
	dm, err := symbol.DataMatrix(payload)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range []symbol.Matrix{qr, dm} {
		fmt.Fprintf(&doc, `<svg width="25mm" height="25mm" viewBox="0 0 %d %d"><path d="`, m.Side(), m.Side())
		m.Runs(func(x, y, n int) { fmt.Fprintf(&doc, "M%d %dh%dv1h-%dz", x, y, n, n) })
		doc.WriteString(`"/></svg>`)
	}
	dir := b.TempDir()
	in, out := filepath.Join(dir, "notice.html"), filepath.Join(dir, "notice.pdf")
	if err := os.WriteFile(in, doc.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cmd := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--print-to-pdf="+out, "file://"+in)
		if said, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, said)
		}
	}
}

// BenchmarkDocuments is every kind of page, read back and not.
func BenchmarkDocuments(b *testing.B) {
	set := builtin(b)
	all := documents(b)
	for _, name := range []string{"avviso_one_it", "avviso_one_postal_it", "avviso_cds_it", "avviso_cds_postal_fr", "verbale_it"} {
		for _, k := range []struct {
			what   string
			render func(pdf.Document, texts.Set) ([]byte, error)
		}{{"checked", pdf.Draw}, {"unchecked", pdf.Unchecked}} {
			b.Run(name+"/"+k.what, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := k.render(all[name], set); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
