package pdf_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

func number(t testing.TB, s string) avviso.Number {
	t.Helper()
	n, err := avviso.ParseNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// windscreen is a notice like most: nobody knows the debtor, and the town has a
// postal account. Everything in it is invented.
func windscreen(t testing.TB) pdf.Notice {
	return pdf.Notice{
		Creditor: pdf.Creditor{
			Name:               "Comune di Borgo San Martino",
			Settore:            "Corpo di Polizia Locale",
			Info:               "Piazza del Municipio 1, 15032 Borgo San Martino (AL) · lun–ven 9–12",
			Contacts:           "tel. 0142 000 000 · polizialocale@pec.borgosanmartino.example",
			Privacy:            "www.borgosanmartino.example/privacy",
			CF:                 "00514490010",
			CBILL:              "AB123",
			PostalAccount:      "123456",
			PostalHolder:       "Comune di Borgo San Martino – Servizio Tesoreria",
			PosteAuthorisation: "AUT. DB/0001/XYZ 12345 DEL 01/02/2026",
		},
		Reference: "2026/0001234",
		IssuedAt:  time.Date(2026, 3, 12, 9, 35, 0, 0, time.UTC),
		Place:     "Corso Vittorio Emanuele II, altezza civico 48",
		Plate:     "AB123CD",
		Vehicle:   "Autovettura Fiat Panda, bianca",
		Norm:      "art. 158, c. 2 lett. d) e c. 6, CdS",
		Violation: "Sostava nello spazio riservato alla fermata degli autobus, così come indicato dalla segnaletica orizzontale e verticale.",
		Warden:    "0417",
		Number:    number(t, "301000000000004992"),
		Causale:   "Preavviso CdS n. 2026/0001234 del 12.03.2026",
		Steps: []pdf.Step{
			{Amount: 2940, Label: "Importo scontato del 30%", By: time.Date(2026, 3, 17, 23, 0, 0, 0, time.UTC).Add(-time.Second)},
			{Amount: 4200, Label: "Importo ridotto", By: time.Date(2026, 4, 11, 0, 0, 0, 0, time.UTC)},
		},
	}
}

// bankOnly is the notice of a town without a postal account.
func bankOnly(t testing.TB) pdf.Notice {
	p := windscreen(t)
	p.Creditor.PostalAccount, p.Creditor.PostalHolder, p.Creditor.PosteAuthorisation = "", "", ""
	return p
}

// crowded has about as much text as a page holds, and letters from far away.
func crowded(t testing.TB) pdf.Notice {
	p := windscreen(t)
	p.Creditor.Name = "Unione dei Comuni Montani dell’Alta Valle dello Scrivia e delle Terre di Mezzo fra Langhe e Roero"
	p.Creditor.PostalHolder = strings.Repeat("M", 50)
	p.Creditor.PostalAccount = "123456789012"
	p.Debtor = pdf.Debtor{Name: "Maria Vittoria Alessandra Kovačić-Łukaszewska de’ Conti di San Quirico", CF: "KVCMVT80A41L219X"}
	p.Reference = strings.Repeat("2026/001-", 4) + "Z/99"
	p.Place = strings.TrimSpace(strings.Repeat("Via Òstia, Città è più giù, ", 5))
	p.Violation = strings.TrimSpace(strings.Repeat("Sostava in corrispondenza di un’intersezione: àèìòù ", 11))
	p.Causale = strings.Repeat("Wm", 50)
	p.Vehicle = strings.TrimSpace(strings.Repeat("Autocarro ", 8))
	p.Norm = strings.TrimSpace(strings.Repeat("art. 158 c. 2, ", 6))
	p.Steps = []pdf.Step{
		{Amount: 9, Label: "Importo scontato del 30%", Term: "entro cinque giorni dalla data di questo preavviso, giorni festivi compresi"},
		{Amount: 4200, Label: "Importo ridotto", By: time.Date(2026, 4, 11, 0, 0, 0, 0, time.UTC)},
		{Amount: avviso.MaxPrintable, Label: "Importo pieno (metà del massimo edittale)", Term: "oltre il sessantesimo giorno dalla notifica del verbale, con le spese"},
		{Amount: 8650, Label: "Altro", Term: "dopo"},
	}
	return p
}

// bare has only what must be there.
func bare(t testing.TB) pdf.Notice {
	p := windscreen(t)
	p.Creditor = pdf.Creditor{Name: "Comune di Ivrea", CF: p.Creditor.CF}
	p.Vehicle = ""
	p.Steps = p.Steps[:1]
	return p
}

var cases = map[string]func(testing.TB) pdf.Notice{
	"windscreen": windscreen, "bank_only": bankOnly, "crowded": crowded, "bare": bare,
}

func builtin(t testing.TB) texts.Set {
	t.Helper()
	s, err := texts.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func draw(t testing.TB, p pdf.Document) []byte {
	t.Helper()
	b, err := pdf.Draw(p, builtin(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSameNoticeSameBytes draws in turn and at once: gofpdf writes into fonts
// and walks maps, and neither may show.
func TestSameNoticeSameBytes(t *testing.T) {
	for name, notice := range cases {
		want, times := draw(t, notice(t)), 2
		if name == "windscreen" {
			times = 20
		}
		for range times {
			if !bytes.Equal(draw(t, notice(t)), want) {
				t.Fatalf("%s: two drawings differ", name)
			}
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if got, err := pdf.Preavviso(notice(t)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: drawings made at once differ (%v)", name, err)
				}
			})
		}
		wg.Wait()
	}
}

func TestNoticeIsLeftAlone(t *testing.T) {
	p := windscreen(t)
	p.Steps[0].Label = "  Importo   scontato "
	draw(t, p)
	if p.Steps[0].Label != "  Importo   scontato " {
		t.Errorf("the caller's step now reads %q", p.Steps[0].Label)
	}
}

func TestText(t *testing.T) {
	text := pdfText(t, draw(t, windscreen(t)))
	for _, want := range []string{
		"Comune di Borgo San Martino", "Corpo di Polizia Locale", "lun–ven 9–12",
		"PREAVVISO DI VIOLAZIONE", "n. 2026/0001234",
		"12/03/2026, ore 10:35", "Corso Vittorio Emanuele II, altezza civico 48", "AB123CD", "Fiat Panda", "0417",
		"art. 158, c. 2 lett. d) e c. 6, CdS", "così come indicato",
		"€ 29,40", "entro il 17/03/2026", "€ 42,00", "entro il 11/04/2026",
		"DATI PER IL PAGAMENTO", "Euro 29,40", "3010 0000 0000 0049 92", "00514490010", "AB123", "Trasgressore o obbligato in solido",
		"Preavviso CdS n. 2026/0001234 del 12.03.2026",
		"BOLLETTINO POSTALE PA", "000000123456", "P1", "Servizio Tesoreria", "AUT. DB/0001/XYZ 12345",
		"non è ammesso ricorso", "art. 201 CdS", "entro pochi minuti dall'emissione", "www.borgosanmartino.example/privacy",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if text := pdfText(t, draw(t, crowded(t))); !strings.Contains(text, "Kovačić-Łukaszewska de’ Conti") || !strings.Contains(text, "€ 99.999.999,99") {
		t.Errorf("the crowded page lost its letters: %s", text)
	}
}

// TestAbsentFields checks that what is not known leaves no trace, least of all
// the word for it in some programming language.
func TestAbsentFields(t *testing.T) {
	text := pdfText(t, draw(t, bare(t)))
	for _, word := range []string{"null", "NULL", "nil", "%!", "BOLLETTINO", "C/C", "CBILL", "Veicolo", "ANONIMO", "{", "01/01/0001"} {
		if strings.Contains(text, word) {
			t.Errorf("the bare page says %q", word)
		}
	}
	if !strings.Contains(text, "presso gli uffici dell'ente") {
		t.Error("the bare page does not say where the privacy notice is")
	}
}

func TestTimeIsThatOfRome(t *testing.T) {
	for utc, want := range map[string]string{
		"2026-01-15T23:30:00Z": "16/01/2026, ore 00:30", // winter, and the day after
		"2026-07-15T22:30:00Z": "16/07/2026, ore 00:30", // summer
		"2026-03-29T00:59:00Z": "29/03/2026, ore 01:59", // before the clocks change
		"2026-03-29T01:00:00Z": "29/03/2026, ore 03:00", // and after
		"2028-02-29T11:00:00Z": "29/02/2028, ore 12:00",
	} {
		p := bare(t)
		var err error
		if p.IssuedAt, err = time.Parse(time.RFC3339, utc); err != nil {
			t.Fatal(err)
		}
		if text := pdfText(t, draw(t, p)); !strings.Contains(text, want) {
			t.Errorf("%s is not printed as %s", utc, want)
		}
	}
}

// TestFileTellsNothing checks what a file says about itself: its language and
// kind, and nothing about the case.
func TestFileTellsNothing(t *testing.T) {
	b := draw(t, crowded(t))
	if !bytes.Contains(b, []byte("/Lang (it-IT)")) {
		t.Error("the catalogue has no language")
	}
	info := string(run(t, b, "pdfinfo", "-"))
	for _, want := range []string{"Preavviso di violazione al Codice della Strada", "Pages:           1", "A4", "2026"} {
		if !strings.Contains(info, want) {
			t.Errorf("pdfinfo does not say %q:\n%s", want, info)
		}
	}
	for _, secret := range []string{"AB123CD", "Kova", "KVCMVT", "2026/001", "Òstia"} {
		if strings.Contains(info, secret) {
			t.Errorf("pdfinfo tells %q", secret)
		}
	}
}

// noOverlap looks at where every word came out: inside the margins, and not upon
// another.
func noOverlap(t *testing.T, name string, file []byte) {
	t.Helper()
	const point, page, margin, slack = 25.4 / 72, 210.0, 10.0, 0.3
	type word struct {
		X0   float64 `xml:"xMin,attr"`
		Y0   float64 `xml:"yMin,attr"`
		X1   float64 `xml:"xMax,attr"`
		Y1   float64 `xml:"yMax,attr"`
		Text string  `xml:",chardata"`
	}
	var doc struct {
		Pages []struct {
			Words []word `xml:"word"`
		} `xml:"body>doc>page"`
	}
	if err := xml.Unmarshal(run(t, file, "pdftotext", "-bbox", "-", "-"), &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range doc.Pages {
		if len(p.Words) < 80 {
			t.Fatalf("%s: only %d words", name, len(p.Words))
		}
		for i, a := range p.Words {
			if a.X0*point < margin-slack || a.X1*point > page-margin+slack || a.Y1*point > 297-margin/2 {
				t.Errorf("%s: %q is outside the margins: %.1f to %.1f mm, down to %.1f mm", name, a.Text, a.X0*point, a.X1*point, a.Y1*point)
			}
			for _, b := range p.Words[:i] {
				// The boxes are those of the fonts, which are a third taller than their letters.
				w := min(a.X1, b.X1) - max(a.X0, b.X0)
				h := min(a.Y1, b.Y1) - max(a.Y0, b.Y0)
				if w > 0.5 && h > 0.35*min(a.Y1-a.Y0, b.Y1-b.Y0) {
					t.Errorf("%s: %q and %q overlap by %.1f by %.1f points", name, a.Text, b.Text, w, h)
				}
			}
		}
	}
}

// TestSymbolsReadBack prints each page as a thermal and as an office printer
// would and reads its symbols with programs that know nothing of ours.
func TestSymbolsReadBack(t *testing.T) {
	for name, notice := range cases {
		p := notice(t)
		wantQR, err := avviso.QR(p.Number, p.Creditor.CF, p.Steps[0].Amount)
		if err != nil {
			t.Fatal(err)
		}
		file := draw(t, p)
		for _, dpi := range []float64{203, 300} {
			t.Run(fmt.Sprintf("%s/%v", name, dpi), func(t *testing.T) {
				png := run(t, file, "pdftoppm", "-gray", "-r", fmt.Sprint(dpi))
				got := run(t, png, "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", "-")
				if string(got) != wantQR+"\n" {
					t.Errorf("QR code reads %q, want %q", got, wantQR)
				}

				// The lower right corner, where the Data Matrix is.
				at := func(mm float64) string { return fmt.Sprint(math.Round(mm / 25.4 * dpi)) }
				png = run(t, file, "pdftoppm", "-gray", "-png", "-r", fmt.Sprint(dpi), "-x", at(170), "-y", at(233), "-W", at(40), "-H", at(60))
				image := filepath.Join(t.TempDir(), "corner.png")
				if err := os.WriteFile(image, png, 0o644); err != nil {
					t.Fatal(err)
				}
				if p.Creditor.PosteAuthorisation == "" {
					if out, err := exec.Command(tool(t, "dmtxread"), "-N1", "-m500", image).Output(); err == nil || len(out) > 0 {
						t.Errorf("a page without bollettino has a Data Matrix: %q", out)
					}
					return
				}
				d, err := avviso.ParseDataMatrix(string(run(t, nil, "dmtxread", "-N1", "-m20000", image)))
				if err != nil {
					t.Fatal(err)
				}
				wantCF := p.Debtor.CF
				if wantCF == "" {
					wantCF = avviso.Anonymous
				}
				if d.Number != p.Number || d.Amount != p.Steps[0].Amount || d.CreditorCF != p.Creditor.CF ||
					strings.TrimLeft(d.Account, "0") != p.Creditor.PostalAccount || d.DebtorCF != wantCF {
					t.Errorf("Data Matrix reads %+v", d)
				}
			})
		}
	}
}

func TestPostalPartNeedsBoth(t *testing.T) {
	for name, spoil := range map[string]func(*pdf.Creditor){
		"no account":       func(c *pdf.Creditor) { c.PostalAccount = "" },
		"no authorisation": func(c *pdf.Creditor) { c.PosteAuthorisation = "" },
	} {
		p := windscreen(t)
		spoil(&p.Creditor)
		if text := pdfText(t, draw(t, p)); strings.Contains(text, "BOLLETTINO") || strings.Contains(text, "AUT.") {
			t.Errorf("%s: there is a bollettino", name)
		}
	}
}

// TestLongNames cuts who it is for, as the guide does, and nothing else.
func TestLongNames(t *testing.T) {
	p := windscreen(t)
	p.Debtor.Name = strings.Repeat("Wilhelmine ", 28)
	if text := pdfText(t, draw(t, p)); !strings.Contains(text, "Wilhelmine Wilhelmine") || !strings.Contains(text, "…") || strings.Count(text, "Wilhelmine") > 2*7 {
		t.Errorf("a name of 300 characters prints as %s", text)
	}
}

func TestRefusals(t *testing.T) {
	wide := func(n int) string { return strings.Repeat("W", n) }
	widen := func(p *pdf.Notice) {
		p.Place, p.Violation, p.Norm, p.Warden = wide(150), wide(600), wide(100), wide(40)
		step := pdf.Step{Amount: 1, Label: wide(50), Term: wide(80)}
		p.Steps = []pdf.Step{step, step, step, step}
	}
	for name, tt := range map[string]struct {
		spoil func(*pdf.Notice)
		code  string
	}{
		"no creditor":             {func(p *pdf.Notice) { p.Creditor.Name = "" }, "print.missing_field"},
		"no creditor CF":          {func(p *pdf.Notice) { p.Creditor.CF = "" }, "print.missing_field"},
		"no reference":            {func(p *pdf.Notice) { p.Reference = " \t" }, "print.missing_field"},
		"no instant":              {func(p *pdf.Notice) { p.IssuedAt = time.Time{} }, "print.missing_field"},
		"no place":                {func(p *pdf.Notice) { p.Place = "" }, "print.missing_field"},
		"no plate":                {func(p *pdf.Notice) { p.Plate = "" }, "print.missing_field"},
		"no norm":                 {func(p *pdf.Notice) { p.Norm = "" }, "print.missing_field"},
		"no violation":            {func(p *pdf.Notice) { p.Violation = "" }, "print.missing_field"},
		"no warden":               {func(p *pdf.Notice) { p.Warden = "" }, "print.missing_field"},
		"no causale":              {func(p *pdf.Notice) { p.Causale = "" }, "print.missing_field"},
		"no holder":               {func(p *pdf.Notice) { p.Creditor.PostalHolder = "" }, "print.missing_field"},
		"no label":                {func(p *pdf.Notice) { p.Steps[1].Label = "" }, "print.missing_field"},
		"no number":               {func(p *pdf.Notice) { p.Number = avviso.Number{} }, "print.no_number"},
		"no steps":                {func(p *pdf.Notice) { p.Steps = nil }, "print.bad_steps"},
		"five steps":              {func(p *pdf.Notice) { p.Steps = append(p.Steps, p.Steps[0], p.Steps[0], p.Steps[0]) }, "print.bad_steps"},
		"no term":                 {func(p *pdf.Notice) { p.Steps[1].By = time.Time{} }, "print.bad_term"},
		"two terms":               {func(p *pdf.Notice) { p.Steps[1].Term = "entro domani" }, "print.bad_term"},
		"zero due":                {func(p *pdf.Notice) { p.Steps[0].Amount = 0 }, "print.bad_amount"},
		"zero later":              {func(p *pdf.Notice) { p.Steps[1].Amount = 0 }, "print.bad_amount"},
		"negative":                {func(p *pdf.Notice) { p.Steps[0].Amount = -1 }, "print.bad_amount"},
		"eleven digits":           {func(p *pdf.Notice) { p.Steps[0].Amount = avviso.MaxPrintable + 1 }, "print.bad_amount"},
		"long plate":              {func(p *pdf.Notice) { p.Plate = wide(21) }, "print.too_long"},
		"long violation":          {func(p *pdf.Notice) { p.Violation = wide(601) }, "print.too_long"},
		"null":                    {func(p *pdf.Notice) { p.Vehicle = "null" }, "print.missing_field"},
		"undefined":               {func(p *pdf.Notice) { p.Place = " Undefined " }, "print.missing_field"},
		"wide everything":         {widen, "print.no_room"},
		"another script":          {func(p *pdf.Notice) { p.Place = "ул. Ленина" }, "print.bad_character"},
		"control character":       {func(p *pdf.Notice) { p.Violation = "a\x1b[31mb" }, "print.bad_character"},
		"wrong creditor CF":       {func(p *pdf.Notice) { p.Creditor.CF = "12345678901" }, "print.bad_payload"},
		"IBAN-like account":       {func(p *pdf.Notice) { p.Creditor.PostalAccount = "IT60X0760101" }, "print.bad_payload"},
		"account of wide letters": {func(p *pdf.Notice) { p.Creditor.PostalAccount = "èèèèèèèèèèèè" }, "print.bad_payload"},
		"half a debtor CF":        {func(p *pdf.Notice) { p.Debtor.CF = "KVCMVT" }, "print.bad_payload"},
	} {
		p := windscreen(t)
		tt.spoil(&p)
		b, err := pdf.Preavviso(p)
		if e := fault.Of(err); b != nil || !errors.Is(err, fault.Invalid) || e.Code != tt.code || e.Detail == "" {
			t.Errorf("%s: %d bytes, %v; want %s", name, len(b), err, tt.code)
		} else if strings.Contains(e.Detail, "WWW") || strings.Contains(e.Detail, "KVCMVT") || strings.Contains(e.Detail, "Ленина") {
			t.Errorf("%s: the detail repeats what was given: %s", name, e.Detail)
		}
	}
}

func BenchmarkPreavviso(b *testing.B)          { benchmark(b, pdf.Draw) }
func BenchmarkPreavvisoNoSymbols(b *testing.B) { benchmark(b, pdf.WithoutSymbols) }
func BenchmarkPreavvisoUnchecked(b *testing.B) { benchmark(b, pdf.Unchecked) }

func benchmark(b *testing.B, render func(pdf.Document, texts.Set) ([]byte, error)) {
	for name, p := range map[string]pdf.Notice{"bank": bankOnly(b), "postal": windscreen(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := render(p, builtin(b)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func pdfText(t *testing.T, file []byte) string {
	t.Helper()
	return string(bytes.Join(bytes.Fields(run(t, file, "pdftotext", "-layout", "-", "-")), []byte(" ")))
}

// run pipes stdin through a program that the machine has for this.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, complaint.Bytes())
	}
	return out
}

// tool finds a program that reads what we draw. Where PREAVVISO_TEST_REQUIRE
// contains "decoders", as in CI, a missing one is a failure.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if strings.Contains(os.Getenv("PREAVVISO_TEST_REQUIRE"), "decoders") {
			t.Fatal(err)
		}
		t.Skipf("%v; install poppler-utils, qpdf, zbar-tools and dmtx-utils", err)
	}
	return path
}
