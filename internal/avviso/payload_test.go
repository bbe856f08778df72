package avviso_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
)

const torino = "00514490010" // Comune di Torino

func TestValidCreditorCF(t *testing.T) {
	for _, s := range []string{torino, "12345678903", "00085240950", "80087670016"} {
		if err := avviso.ValidCreditorCF(s); err != nil {
			t.Errorf("ValidCreditorCF(%s) = %v", s, err)
		}
	}
	for _, s := range []string{"", "0051449001", "005144900100", "12345678901", "00514490011", "0051449001O", "RSSMRA80A01L219M"} {
		if err := avviso.ValidCreditorCF(s); !errors.Is(err, avviso.ErrMalformed) {
			t.Errorf("ValidCreditorCF(%q) = %v, want it refused", s, err)
		}
	}
}

// TestValidCreditorCFNoticesOneWrongDigit is what the check digit is for.
func TestValidCreditorCFNoticesOneWrongDigit(t *testing.T) {
	for i := range len(torino) {
		for d := byte('0'); d <= '9'; d++ {
			s := torino[:i] + string(d) + torino[i+1:]
			if err := avviso.ValidCreditorCF(s); (err == nil) != (s == torino) {
				t.Errorf("ValidCreditorCF(%s) = %v", s, err)
			}
		}
	}
}

func TestQR(t *testing.T) {
	n := number(t, "301000000000004992")
	for _, tt := range []struct {
		amount avviso.Cents
		want   string
	}{
		{1, "PAGOPA|002|301000000000004992|00514490010|01"},
		{5, "PAGOPA|002|301000000000004992|00514490010|05"},
		{99, "PAGOPA|002|301000000000004992|00514490010|99"},
		{2940, "PAGOPA|002|301000000000004992|00514490010|2940"},
		{4200, "PAGOPA|002|301000000000004992|00514490010|4200"},
		{avviso.MaxPrintable, "PAGOPA|002|301000000000004992|00514490010|9999999999"},
	} {
		got, err := avviso.QR(n, torino, tt.amount)
		if err != nil || got != tt.want {
			t.Errorf("QR(%d) = %q, %v; want %q", tt.amount, got, err, tt.want)
		}
	}
	for name, try := range map[string]func() (string, error){
		"no number":      func() (string, error) { return avviso.QR(avviso.Number{}, torino, 4200) },
		"no amount":      func() (string, error) { return avviso.QR(n, torino, 0) },
		"a debt of ours": func() (string, error) { return avviso.QR(n, torino, -1) },
		"eleven digits":  func() (string, error) { return avviso.QR(n, torino, avviso.MaxPrintable+1) },
		"no creditor":    func() (string, error) { return avviso.QR(n, "", 4200) },
		"wrong creditor": func() (string, error) { return avviso.QR(n, "12345678901", 4200) },
	} {
		if got, err := try(); !errors.Is(err, avviso.ErrMalformed) || got != "" {
			t.Errorf("%s: QR = %q, %v; want it refused", name, got, err)
		}
	}
}

func TestParseQR(t *testing.T) {
	for _, tt := range []struct {
		payload string
		number  string
		amount  avviso.Cents
	}{
		{"PAGOPA|002|301000000000004992|00514490010|4200", "301000000000004992", 4200},
		// GovPay's stampe test and SANP's sample image, with a creditor that exists.
		{"PAGOPA|002|001340000013900808|12345678903|5000", "001340000013900808", 5000},
		{"PAGOPA|002|123456789012345678|12345678903|1234567801", "123456789012345678", 1234567801},
		// What others write: the guide's own sample is padded, GovPay pads to four, IO takes one digit.
		{"PAGOPA|002|302032002700000251|12345678903|0000015000", "302032002700000251", 15000},
		{"PAGOPA|002|302032002700000251|12345678903|0500", "302032002700000251", 500},
		{"PAGOPA|002|302032002700000251|12345678903|7", "302032002700000251", 7},
	} {
		n, cf, amount, err := avviso.ParseQR(tt.payload)
		if err != nil || n.String() != tt.number || cf != tt.payload[30:41] || amount != tt.amount {
			t.Errorf("ParseQR(%q) = %v, %s, %d, %v", tt.payload, n, cf, amount, err)
		}
	}
	for _, s := range []string{
		"",
		"PAGOPA|002|301000000000004992|00514490010|",
		"PAGOPA|002|301000000000004992|00514490010|00",
		"PAGOPA|002|301000000000004992|00514490010|-42",
		"PAGOPA|002|301000000000004992|00514490010|42,00",
		"PAGOPA|002|301000000000004992|00514490010|42000000000",
		"PAGOPA|002|301000000000004992|00514490010|4200|",
		"PAGOPA|002|301000000000004992|00514490010|4200\n",
		" PAGOPA|002|301000000000004992|00514490010|4200",
		"PAGOPA|001|301000000000004992|00514490010|4200",
		"pagopa|002|301000000000004992|00514490010|4200",
		"PAGOPA|002|301000000000004991|00514490010|4200",
		"PAGOPA|002|3010 00000000004992|00514490010|420",
		"PAGOPA|002|123456789012345678|12345678901|1234567801", // SANP as printed: no such creditor
		"PAGOPA;002;301000000000004992;00514490010;4200",
	} {
		n, cf, amount, err := avviso.ParseQR(s)
		if !errors.Is(err, avviso.ErrMalformed) || !n.IsZero() || cf != "" || amount != 0 {
			t.Errorf("ParseQR(%q) = %v, %q, %d, %v; want it refused", s, n, cf, amount, err)
		}
	}
}

// FuzzQR checks both directions: what is read can be written and read again
// with the same meaning, and what is written is 44 to 52 ASCII characters.
func FuzzQR(f *testing.F) {
	for _, s := range []string{
		"PAGOPA|002|301000000000004992|00514490010|4200", "PAGOPA|002|302032002700000251|12345678903|0000015000",
		"PAGOPA|002|112345678901234567|12345678903|7", "PAGOPA|002|301000000000004992|00514490010|", "PAGOPA|002||||", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, cf, amount, err := avviso.ParseQR(s)
		if err != nil {
			if !errors.Is(err, avviso.ErrMalformed) {
				t.Fatalf("ParseQR(%q): %v is not classified", s, err)
			}
			return
		}
		again, err := avviso.QR(n, cf, amount)
		if err != nil || len(again) < 44 || len(again) > 52 || !isASCII(again) {
			t.Fatalf("QR(%v, %s, %d) = %q, %v", n, cf, amount, again, err)
		}
		if m, cf2, amount2, err := avviso.ParseQR(again); err != nil || m != n || cf2 != cf || amount2 != amount {
			t.Fatalf("%q came back as %v, %s, %d, %v", again, m, cf2, amount2, err)
		}
	})
}

func TestCodeline(t *testing.T) {
	n := number(t, "301000000000004992")
	const want = "18301000000000004992120000001234561000000042003896"
	for _, account := range []string{"123456", "000000123456"} {
		if got, err := avviso.Codeline(n, account, 4200); err != nil || got != want {
			t.Errorf("Codeline(%s) = %q, %v; want %q", account, got, err, want)
		}
	}
	for _, account := range []string{"", "0", "000000000000", "1234567890123", "12345A", "-1", " 1"} {
		if got, err := avviso.Codeline(n, account, 4200); !errors.Is(err, avviso.ErrMalformed) || got != "" {
			t.Errorf("Codeline(%q) = %q, %v; want it refused", account, got, err)
		}
	}
	for _, amount := range []avviso.Cents{0, -1, avviso.MaxPrintable + 1} {
		if got, err := avviso.Codeline(n, "123456", amount); !errors.Is(err, avviso.ErrMalformed) || got != "" {
			t.Errorf("Codeline(%d) = %q, %v; want it refused", amount, got, err)
		}
	}
	if got, err := avviso.Codeline(avviso.Number{}, "123456", 4200); !errors.Is(err, avviso.ErrMalformed) || got != "" {
		t.Errorf("Codeline of no number = %q, %v; want it refused", got, err)
	}
}

func anonymous(t testing.TB) avviso.DataMatrixInput {
	return avviso.DataMatrixInput{
		Number:     number(t, "301000000000004992"),
		Account:    "123456",
		Amount:     4200,
		CreditorCF: torino,
		DebtorCF:   avviso.Anonymous,
		Causale:    "Preavviso CdS n. 2026/0001234 del 12.03.2026",
	}
}

func TestDataMatrix(t *testing.T) {
	got, err := avviso.DataMatrix(anonymous(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "codfase=NBPA;" + "18301000000000004992120000001234561000000042003896" + "1P1" + torino +
		pad("ANONIMO", 16) + pad("", 40) + pad("PREAVVISO CDS N. 2026 0001234 DEL 12.03.2026", 110) + pad("", 12) + "A"
	if got != want {
		t.Errorf("DataMatrix =\n%q, want\n%q", got, want)
	}
	if len(got) != 256 {
		t.Errorf("%d characters, want 256", len(got))
	}
}

func TestDataMatrixTexts(t *testing.T) {
	for _, tt := range []struct{ in, name, causale string }{
		{"à È ì Ò ù", "A E I O U", ""},
		{"Größe Straße œuvre Æther", "GROSSE STRASSE OEUVRE AETHER", ""},
		{"Kovačić Łukasz Đorđe Þór Șerban ıİ", "KOVACIC LUKASZ DORDE THOR SERBAN II", ""},
		{"e\u0301 combining", "E COMBINING", ""},
		{"  many \t\n  spaces\u00a0here ", "MANY SPACES HERE", ""},
		{"D’Angelo – n.º 5/B (ex 3)", "D'ANGELO - N.O 5 B EX 3", ""},
		{"A&B-C.D:E_F,G'H", "A&B-C.D:E_F,G'H", ""},
		{"a|b;c*d€e😀f\xffg", "A B C D E F G", ""},
		{"ﬁrma １２", "FIRMA 12", ""},
		{strings.Repeat("è", 200), strings.Repeat("E", 40), strings.Repeat("E", 110)},
		{strings.Repeat("ß", 100), strings.Repeat("S", 40), strings.Repeat("S", 110)},
		{strings.Repeat("x", 39) + " y", strings.Repeat("X", 39), strings.Repeat("X", 39) + " Y"},
	} {
		d := anonymous(t)
		d.DebtorName, d.Causale = tt.in, tt.in
		s, err := avviso.DataMatrix(d)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if tt.causale == "" {
			tt.causale = tt.name
		}
		if got, want := s[93:133], pad(tt.name, 40); got != want {
			t.Errorf("%q as name = %q, want %q", tt.in, got, want)
		}
		if got, want := s[133:243], pad(tt.causale, 110); got != want {
			t.Errorf("%q as causale = %q, want %q", tt.in, got, want)
		}
		if len(s) != 256 || !isASCII(s) {
			t.Errorf("%q: %d bytes: %q", tt.in, len(s), s)
		}
	}
}

func TestDataMatrixRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*avviso.DataMatrixInput){
		"no number":               func(d *avviso.DataMatrixInput) { d.Number = avviso.Number{} },
		"no amount":               func(d *avviso.DataMatrixInput) { d.Amount = 0 },
		"eleven digits of amount": func(d *avviso.DataMatrixInput) { d.Amount = avviso.MaxPrintable + 1 },
		"no account":              func(d *avviso.DataMatrixInput) { d.Account = "" },
		"IBAN for account":        func(d *avviso.DataMatrixInput) { d.Account = "IT60X0760101000000000123456" },
		"wrong creditor":          func(d *avviso.DataMatrixInput) { d.CreditorCF = "12345678901" },
		"no debtor":               func(d *avviso.DataMatrixInput) { d.DebtorCF = "" },
		"debtor of ten digits":    func(d *avviso.DataMatrixInput) { d.DebtorCF = "1234567890" },
		"accent in debtor":        func(d *avviso.DataMatrixInput) { d.DebtorCF = "RSSMRA80A01L21à" },
		"no causale":              func(d *avviso.DataMatrixInput) { d.Causale = "" },
		"nothing left of causale": func(d *avviso.DataMatrixInput) { d.Causale = "|| ★ 違反" },
	} {
		d := anonymous(t)
		spoil(&d)
		if got, err := avviso.DataMatrix(d); !errors.Is(err, avviso.ErrMalformed) || got != "" {
			t.Errorf("%s: DataMatrix = %q, %v; want it refused", name, got, err)
		}
	}
}

// ioDataMatrix is the string of the IO app's unit test.
var ioDataMatrix = "codfase=NBPA;183007157000000000321200001630209310000000000138961P100085240950BSCMTT83A12L719R" +
	pad("Name Surname", 40) + pad("test", 110) + pad("", 12) + "A"

func TestParseDataMatrix(t *testing.T) {
	got, err := avviso.ParseDataMatrix(ioDataMatrix)
	if err != nil {
		t.Fatal(err)
	}
	want := avviso.DataMatrixInput{
		Number:     number(t, "300715700000000032"),
		Account:    "000016302093",
		Amount:     1,
		CreditorCF: "00085240950",
		DebtorCF:   "BSCMTT83A12L719R",
		DebtorName: "Name Surname",
		Causale:    "test",
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); diff != "" {
		t.Errorf("ParseDataMatrix (-want +got):\n%s", diff)
	}
}

func TestParseDataMatrixRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"empty":                    "",
		"cut":                      ioDataMatrix[:255],
		"one more":                 ioDataMatrix + "A",
		"upper-case prefix":        strings.Replace(ioDataMatrix, "codfase", "CODFASE", 1),
		"eleven digits of amount":  strings.Replace(ioDataMatrix, "1000000000013896", "11000000000013896", 1)[:256],
		"another document type":    strings.Replace(ioDataMatrix, "3896", "3674", 1),
		"another phase":            strings.Replace(ioDataMatrix, "1P1", "1P2", 1),
		"wrong check digits":       strings.Replace(ioDataMatrix, "0032", "0033", 1),
		"no amount":                strings.Replace(ioDataMatrix, "0000000001", "0000000000", 1),
		"terminator before filler": ioDataMatrix[:243] + "A" + pad("", 12),
		"lower-case terminator":    ioDataMatrix[:255] + "a",
		"character Poste refuses":  strings.Replace(ioDataMatrix, "test", "te|t", 1),
		"two spaces":               strings.Replace(ioDataMatrix, "Name Surname ", "Name  Surname", 1),
		"long s":                   strings.Replace(ioDataMatrix, "test ", "teſt", 1),
	} {
		if d, err := avviso.ParseDataMatrix(s); !errors.Is(err, avviso.ErrMalformed) || d != (avviso.DataMatrixInput{}) {
			t.Errorf("%s: ParseDataMatrix = %+v, %v; want it refused", name, d, err)
		}
	}
}

// FuzzDataMatrix checks that any texts become 256 ASCII characters that read
// back to themselves, and that reading anything else never panics and is
// always classified.
func FuzzDataMatrix(f *testing.F) {
	f.Add("ANONIMO", "", "Preavviso CdS n. 2026/0001234 del 12.03.2026", int64(4200), "")
	f.Add("RSSMRA80A01L219M", "Rossi Nicolò", "Größe|œ\xff", int64(1), ioDataMatrix)
	f.Add("12345678903", "e\u0301", strings.Repeat("è", 300), int64(avviso.MaxPrintable), ioDataMatrix[:255])
	f.Fuzz(func(t *testing.T, debtorCF, name, causale string, cents int64, raw string) {
		if d, err := avviso.ParseDataMatrix(raw); err == nil {
			if again, err := avviso.DataMatrix(d); err != nil || !strings.EqualFold(again, raw) {
				t.Fatalf("%q was read but is written as %q, %v", raw, again, err)
			}
		} else if !errors.Is(err, avviso.ErrMalformed) {
			t.Fatalf("ParseDataMatrix(%q): %v is not classified", raw, err)
		}

		d := anonymous(t)
		d.DebtorCF, d.DebtorName, d.Causale, d.Amount = debtorCF, name, causale, avviso.Cents(cents)
		s, err := avviso.DataMatrix(d)
		if err != nil {
			if !errors.Is(err, avviso.ErrMalformed) || s != "" {
				t.Fatalf("DataMatrix(%+v) = %q, %v", d, s, err)
			}
			return
		}
		if len(s) != 256 || !isASCII(s) {
			t.Fatalf("DataMatrix(%+v) = %q, %d bytes", d, s, len(s))
		}
		back, err := avviso.ParseDataMatrix(s)
		if err != nil || back.Number != d.Number || back.Amount != d.Amount || back.CreditorCF != d.CreditorCF {
			t.Fatalf("%q came back as %+v, %v", s, back, err)
		}
		if again, err := avviso.DataMatrix(back); err != nil || again != s {
			t.Fatalf("%q was read but is written as %q, %v", s, again, err)
		}
	})
}

func pad(s string, width int) string { return s + strings.Repeat(" ", width-len(s)) }

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
