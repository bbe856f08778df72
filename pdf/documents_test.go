package pdf_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sampleAvviso(t testing.TB, language string) pdf.Avviso {
	t.Helper()
	d, err := pdf.Sample(texts.Avviso, language)
	if err != nil {
		t.Fatal(err)
	}
	return d.(pdf.Avviso)
}

func sampleVerbale(t testing.TB, language string) pdf.Verbale {
	t.Helper()
	d, err := pdf.Sample(texts.Verbale, language)
	if err != nil {
		t.Fatal(err)
	}
	return d.(pdf.Verbale)
}

// TestForeignDebtor prints for a company abroad, whose number no Data Matrix can
// carry; one that is not said to be foreign is a mistyped codice fiscale.
func TestForeignDebtor(t *testing.T) {
	v := sampleVerbale(t, "")
	v.Debtor = pdf.Debtor{Name: "Spedition GmbH", CF: "DE129273398", Foreign: true, Address: "Ring 1, 80331 München – DE"}
	if text := pdfText(t, draw(t, v)); !strings.Contains(text, "DE129273398") {
		t.Error("the number is not on the page")
	}
	v.Debtor.Foreign = false
	if _, err := pdf.Draw(v, builtin(t)); !errors.Is(err, fault.Invalid) {
		t.Errorf("a codice fiscale of 11 letters and digits: %v", err)
	}
}

// withoutPostal takes the account away.
func withoutPostal(c pdf.Creditor) pdf.Creditor {
	c.PostalAccount, c.PostalHolder, c.PosteAuthorisation = "", "", ""
	return c
}

// coat is a coat of arms: a shield with a hole in it.
func coat(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if (x-w/2)*(x-w/2)+(y-h/2)*(y-h/2) > w*w/25 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / w), 0x30, uint8(y * 255 / h), 0xFF})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// documents is every variant of every document in every language.
func documents(t testing.TB) map[string]pdf.Document {
	t.Helper()
	all := map[string]pdf.Document{}
	for name, notice := range cases {
		all["preavviso_"+name] = notice(t)
	}
	two := windscreen(t)
	two.Full = number(t, "301000000000005000")
	all["preavviso_two_codes_postal"] = two
	two.Creditor = withoutPostal(two.Creditor)
	all["preavviso_two_codes"] = two
	for _, language := range builtin(t).Languages(texts.Avviso) {
		a := sampleAvviso(t, language)
		all["avviso_cds_postal_"+language] = a
		one := a
		one.Amounts = []pdf.Amount{{Number: a.Amounts[0].Number, Amount: 4200, By: a.Date}}
		all["avviso_one_postal_"+language] = one
		one.Creditor = withoutPostal(one.Creditor)
		all["avviso_one_"+language] = one
		one.Amounts = []pdf.Amount{{Number: a.Amounts[0].Number, Amount: 4200}}
		all["avviso_one_undated_"+language] = one
		a.Creditor = withoutPostal(a.Creditor)
		all["avviso_cds_"+language] = a
		a.Amounts = slices.Clone(a.Amounts)
		a.Amounts[1].Number = a.Amounts[0].Number
		all["avviso_cds_one_code_"+language] = a
		a.Discount = pdf.Term{Days: 15}
		all["avviso_cds_15_days_"+language] = a
		a.Discount.Working = true
		all["avviso_cds_15_working_days_"+language] = a
		a.Discount = pdf.Term{}
		a.Amounts = []pdf.Amount{{Number: a.Amounts[0].Number, Amount: 4360, By: a.Date}, {Number: a.Amounts[0].Number, Amount: 5620, By: a.Date.AddDate(0, 0, 55)}}
		all["avviso_cds_dated_"+language] = a
		all["verbale_"+language] = sampleVerbale(t, language)
	}
	logo, err := pdf.NewLogo(coat(t, 90, 100))
	if err != nil {
		t.Fatal(err)
	}
	a := sampleAvviso(t, "")
	a.Creditor.Logo, a.Reprint = logo, true
	all["avviso_logo_reprint"] = a
	v := sampleVerbale(t, "")
	v.Creditor.Logo, v.Reprint, v.Discounted, v.Points, v.NotServed, v.Liable, v.Statement = logo, true, 0, 0, "", false, "Andavo via subito."
	v.Creditor = withoutPostal(v.Creditor)
	all["verbale_logo_no_discount"] = v
	all["verbale_no_reduced"] = notReduced(t)
	v = sampleVerbale(t, "")
	v.Discount = pdf.Term{Days: 30}
	all["verbale_30_days"] = v
	v.Discount = pdf.Term{Days: 15, Working: true}
	all["verbale_15_working_days"] = v
	v.Discount, v.Late = pdf.Term{}, true
	all["verbale_late"] = v
	return all
}

// notReduced is a verbale of a violation that cannot be settled by paying.
func notReduced(t testing.TB) pdf.Verbale {
	v := sampleVerbale(t, "")
	v.NoReduced = "Guida contromano in curva (art. 143, c. 12, CdS)"
	v.Discounted, v.Reduced, v.Full, v.Costs, v.Number, v.DiscountedNumber, v.Causale = 0, 0, 0, 0, avviso.Number{}, avviso.Number{}, ""
	return v
}

// TestNotReducedAsksForNothing checks that a verbale that goes to the Prefetto
// shows no amount and nothing to pay with.
func TestNotReducedAsksForNothing(t *testing.T) {
	v := notReduced(t)
	page, err := pdf.Readable(v, builtin(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"€", "page 2", "scontato", "metà del massimo", "codice avviso"} {
		if strings.Contains(page, never) {
			t.Errorf("the page says %q", never)
		}
	}
	for _, want := range []string{"non è ammesso il pagamento in misura ridotta", "Prefetto di Alessandria", "ordinanza", v.NoReduced} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	v.Reduced = 4200
	if _, err := pdf.Draw(v, builtin(t)); !errors.Is(err, fault.Invalid) {
		t.Errorf("with an amount: %v", err)
	}
}

// TestPagesDigest checks that it does not matter to the digest of a document
// whether it is alone or in a batch, and that it tells a reprint.
func TestPagesDigest(t *testing.T) {
	v := sampleVerbale(t, "de")
	_, alone, err := pdf.DrawPages(v, builtin(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []pdf.Form{pdf.OnePDF, pdf.Zip} {
		b, err := pdf.NewBatch(io.Discard, form, builtin(t), "Verbali", v.DrawnUp)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.AddWith(v, builtin(t), "1"); err != nil || got != alone {
			t.Errorf("%s: %x, %v; alone %x", form, got, err, alone)
		}
		v.Reprint = !v.Reprint
		if got, err := b.AddWith(v, builtin(t), "2"); err != nil || got == alone {
			t.Errorf("%s: a reprint has the same digest, %v", form, err)
		}
		v.Reprint = !v.Reprint
	}
}

// TestLogoPNG checks that a logo survives being kept.
func TestLogoPNG(t *testing.T) {
	l, err := pdf.NewLogo(coat(t, 900, 1000))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := l.PNG()
	if err != nil {
		t.Fatal(err)
	}
	again, err := pdf.NewLogo(kept)
	if err != nil {
		t.Fatal(err)
	}
	a, b := sampleAvviso(t, ""), sampleAvviso(t, "")
	a.Creditor.Logo, b.Creditor.Logo = l, again
	if !bytes.Equal(draw(t, a), draw(t, b)) {
		t.Error("the logo that was kept prints otherwise")
	}
}

// TestGolden holds every document byte by byte. A file each says what is on its
// pages; the sums are of the whole files, fonts and all.
func TestGolden(t *testing.T) {
	var sums strings.Builder
	all := documents(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(draw(t, all[name])), name)
		got, err := pdf.Readable(all[name], builtin(t))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", got)
	}
	golden(t, "SHA256SUMS", sums.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is meant, run go test ./pdf -update and say why in the commit", file)
	}
}

// TestDocuments holds of every document what must hold of each.
func TestDocuments(t *testing.T) {
	for name, d := range documents(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "document.pdf") // qpdf reads no pipes
			b := draw(t, d)
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if out := run(t, nil, "qpdf", "--check", file); !bytes.Contains(out, []byte("No syntax or stream encoding errors")) {
				t.Errorf("%s", out)
			}
			noOverlap(t, name, b)
			text := pdfText(t, b)
			for _, never := range []string{"null", "%!", "{", "}"} {
				if strings.Contains(text, never) {
					t.Errorf("the page says %q", never)
				}
			}
			for _, line := range strings.Split(string(run(t, b, "pdffonts", "-")), "\n")[2:] {
				if f := strings.Fields(line); len(f) > 5 && (f[4] != "yes" || f[5] != "yes" || f[6] != "yes") {
					t.Errorf("font is not embedded, subset and readable: %s", line)
				}
			}
		})
	}
}

// TestAvvisoText looks for what the guide wants on the notice, in both languages
// and in the order of reading.
func TestAvvisoText(t *testing.T) {
	a := sampleAvviso(t, "fr")
	a.Creditor = withoutPostal(a.Creditor)
	text := string(bytes.Join(bytes.Fields(run(t, draw(t, a), "pdftotext", "-raw", "-", "-")), []byte(" ")))
	at := 0
	for _, want := range []string{
		"AVVISO DI PAGAMENTO / AVIS DE PAIEMENT", "Verbale CdS n. V-2026.0001234", "ENTE CREDITORE", "DESTINATARIO AVVISO", "Comune di Borgo San Martino",
		"QUANTO E QUANDO PAGARE?", "DOVE PAGARE?", "Importo scontato del 30%", "Montant avec remise", "€ 43,60", "entro 5 giorni", "Importo ridotto", "€ 56,20", "dal 6º al 60º giorno",
		"DATI PER IL PAGAMENTO / DONNÉES POUR LE PAIEMENT", "43,60", "Maria Vittoria Rossi", "3010 0000 0000 0049 92", "00514490010",
		"DATI PER IL PAGAMENTO", "56,20", "3010 0000 0000 0050 00",
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("the page does not say %q after %q:\n%s", want, text[:at], text[at:])
		}
		at += i
	}
}

func TestVerbaleText(t *testing.T) {
	raw := func(v pdf.Verbale) string {
		return string(bytes.Join(bytes.Fields(run(t, draw(t, v), "pdftotext", "-raw", "-", "-")), []byte(" ")))
	}
	text := raw(sampleVerbale(t, ""))
	for _, want := range []string{
		"n. V-2026.0001234", "redatto il 01/04/2026", "12/03/2026, ore 10:35", "Corso Vittorio Emanuele II", "AB123CD (I)", "0417, 0423", "art. 158", "così come indicato",
		"assenza del trasgressore", "Maria Vittoria Rossi", "RSSMVT80A41L219X", "Via Òstia 12", "1 gennaio 1980", "U1X234567Y", "2 punti",
		"€ 29,40", "€ 42,00", "€ 86,50", "€ 14,20", "€ 43,60", "€ 56,20", "€ 100,70",
		"Entro 60 giorni dalla contestazione o notificazione, al Prefetto di Alessandria", "entro 30 giorni dalla contestazione o notificazione", "Giudice di Pace di Casale Monferrato",
		"titolo esecutivo", "126-bis", "D.Lgs. 39/1993", "Comandante del Corpo", "3010 0000 0000 0049 92", "3010 0000 0000 0050 00", "BOLLETTINO POSTALE PA",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document does not say %q", want)
		}
	}
	v := sampleVerbale(t, "")
	v.Discounted, v.Points = 0, 0
	text = raw(v)
	if !strings.Contains(text, "non è ammessa la riduzione del 30%") || strings.Contains(text, "scontato del 30%") || strings.Contains(text, "126-bis") {
		t.Errorf("a verbale without discount and points says %s", text)
	}
}

// TestTemplatesOfTheDay prints the words that were in force on the day of the
// document, whenever it is printed.
func TestTemplatesOfTheDay(t *testing.T) {
	ours, err := builtin(t).On(texts.Preavviso, texts.Italian, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	changed := *ours
	changed.From, changed.Texts = "2026-03-13", maps.Clone(ours.Texts)
	changed.Texts["title"] = "AVVISO NUOVO"
	set := builtin(t).With(&changed)
	p := windscreen(t)
	old, err := pdf.Draw(p, set)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, draw(t, p)) {
		t.Error("a text of tomorrow changes the print of today")
	}
	p.IssuedAt = time.Date(2026, 3, 12, 23, 30, 0, 0, time.UTC) // in Rome it is the 13th
	b, err := pdf.Draw(p, set)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(pdfText(t, b), "AVVISO NUOVO") {
		t.Error("the new text is not printed on its first day")
	}
	changed.Texts["note1"] = strings.Repeat("parola ", 900)
	if _, err := pdf.Draw(p, set); fault.Of(err).Code != "print.no_room" {
		t.Errorf("a text longer than the page: %v", err)
	}
	changed.Texts["note1"] = "улица"
	if _, err := pdf.Draw(p, set); fault.Of(err).Code != "print.bad_character" {
		t.Errorf("a text in letters that no font has: %v", err)
	}
}

func TestDocumentRefusals(t *testing.T) {
	amount := func(c avviso.Cents) pdf.Amount { return pdf.Amount{Number: number(t, "301000000000004992"), Amount: c} }
	for name, tt := range map[string]struct {
		spoil func(*pdf.Avviso)
		code  string
	}{
		"no amount":       {func(a *pdf.Avviso) { a.Amounts = nil }, "print.bad_steps"},
		"three amounts":   {func(a *pdf.Avviso) { a.Amounts = []pdf.Amount{amount(1), amount(2), amount(3)} }, "print.bad_steps"},
		"discount higher": {func(a *pdf.Avviso) { a.Amounts = []pdf.Amount{amount(2), amount(2)} }, "print.bad_steps"},
		"nothing due":     {func(a *pdf.Avviso) { a.Amounts = []pdf.Amount{amount(0)} }, "print.bad_amount"},
		"no number":       {func(a *pdf.Avviso) { a.Amounts = []pdf.Amount{{Amount: 1}} }, "print.no_number"},
		"no name":         {func(a *pdf.Avviso) { a.Debtor.Name = " " }, "print.missing_field"},
		"null name":       {func(a *pdf.Avviso) { a.Debtor.Name = "NULL" }, "print.missing_field"},
		"no object":       {func(a *pdf.Avviso) { a.Object = "" }, "print.missing_field"},
		"long object":     {func(a *pdf.Avviso) { a.Object = strings.Repeat("x", 91) }, "print.too_long"},
		"no day":          {func(a *pdf.Avviso) { a.Date = time.Time{} }, "print.missing_field"},
		"language":        {func(a *pdf.Avviso) { a.Language = "es" }, "template.missing"},
		"60 days less":    {func(a *pdf.Avviso) { a.Discount.Days = 60 }, "print.bad_term"},
		"creditor CF":     {func(a *pdf.Avviso) { a.Creditor.CF = "00514490011" }, "print.bad_payload"},
	} {
		a := sampleAvviso(t, "")
		tt.spoil(&a)
		if b, err := pdf.Draw(a, builtin(t)); b != nil || !errors.Is(err, fault.Invalid) || fault.Of(err).Code != tt.code {
			t.Errorf("avviso, %s: %d bytes, %v; want %s", name, len(b), err, tt.code)
		}
	}
	for name, tt := range map[string]struct {
		spoil func(*pdf.Verbale)
		code  string
	}{
		"no register":      {func(v *pdf.Verbale) { v.Register = "" }, "print.missing_field"},
		"no signature":     {func(v *pdf.Verbale) { v.Signature = "" }, "print.missing_field"},
		"no Prefetto":      {func(v *pdf.Verbale) { v.Prefect = "" }, "print.missing_field"},
		"no Giudice":       {func(v *pdf.Verbale) { v.Judge = "" }, "print.missing_field"},
		"no residence":     {func(v *pdf.Verbale) { v.Debtor.Address = "" }, "print.missing_field"},
		"before the fact":  {func(v *pdf.Verbale) { v.DrawnUp = v.FoundAt.Add(-time.Hour) }, "print.bad_date"},
		"too many points":  {func(v *pdf.Verbale) { v.Points = 16 }, "print.bad_points"},
		"no full amount":   {func(v *pdf.Verbale) { v.Full = 0 }, "print.bad_amount"},
		"discount above":   {func(v *pdf.Verbale) { v.Discounted = v.Reduced }, "print.bad_steps"},
		"negative costs":   {func(v *pdf.Verbale) { v.Costs = -1 }, "print.bad_steps"},
		"no number":        {func(v *pdf.Verbale) { v.Number = avviso.Number{} }, "print.no_number"},
		"no second number": {func(v *pdf.Verbale) { v.DiscountedNumber = avviso.Number{} }, "print.no_number"},
		"too dear":         {func(v *pdf.Verbale) { v.Full = avviso.MaxPrintable }, "print.bad_amount"},
	} {
		v := sampleVerbale(t, "")
		tt.spoil(&v)
		if b, err := pdf.Draw(v, builtin(t)); b != nil || !errors.Is(err, fault.Invalid) || fault.Of(err).Code != tt.code {
			t.Errorf("verbale, %s: %d bytes, %v; want %s", name, len(b), err, tt.code)
		}
	}
	p := windscreen(t)
	p.Full = p.Number
	if _, err := pdf.Draw(p, builtin(t)); fault.Of(err).Code != "print.bad_steps" {
		t.Errorf("the same number twice: %v", err)
	}
	if _, err := pdf.Sample("multa", ""); fault.Of(err).Code != "print.no_sample" {
		t.Error(err)
	}
}

func TestLogo(t *testing.T) {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 1000, 20)), nil); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"small": coat(t, 3, 5), "large": coat(t, 1200, 700), "jpeg": photo.Bytes()} {
		l, err := pdf.NewLogo(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a := sampleAvviso(t, "")
		a.Creditor.Logo = l
		if out := draw(t, a); bytes.Count(out, []byte("/Subtype /Image")) != 1 { // on two pages
			t.Errorf("%s: the logo is in the file %d times", name, bytes.Count(out, []byte("/Subtype /Image")))
		}
	}
	header := coat(t, 1, 1)
	copy(header[16:], []byte{0, 0, 0x10, 0x01, 0, 0, 0, 1}) // 4097 pixels wide, it says
	for name, tt := range map[string]struct {
		file []byte
		code string
	}{
		"empty":     {nil, "logo.not_image"},
		"text":      {[]byte("<svg/>"), "logo.not_image"},
		"cut off":   {coat(t, 50, 50)[:200], "logo.not_image"},
		"5 MB":      {make([]byte, pdf.MaxLogoBytes+1), "logo.too_large"},
		"too wide":  {coat(t, pdf.MaxLogoPixels+1, 1), "logo.too_many_pixels"},
		"bad check": {header, "logo.not_image"},
	} {
		if l, err := pdf.NewLogo(tt.file); l != nil || !errors.Is(err, fault.Invalid) || fault.Of(err).Code != tt.code || fault.Of(err).Detail == "" {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
}

// TestQPDF has every kind of document checked by a stranger.
func TestQPDF(t *testing.T) {
	all := documents(t)
	for _, name := range []string{"verbale_no_reduced", "verbale_it", "avviso_cds_dated_de", "avviso_logo_reprint", "preavviso_windscreen"} {
		file := filepath.Join(t.TempDir(), name+".pdf")
		if err := os.WriteFile(file, draw(t, all[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := string(run(t, nil, "qpdf", "--check", file)); !strings.Contains(got, "No syntax or stream encoding errors") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
