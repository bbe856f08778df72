package avviso

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Anonymous stands for the tax code of a debtor who is not known yet, on paper
// as in PiemontePAY's positions.
const Anonymous = "ANONIMO"

// Widths of the fields of the Data Matrix of a «bollettino postale PA».
const (
	accountLen    = 12
	amountLen     = 10
	debtorCFLen   = 16
	debtorNameLen = 40
	causaleLen    = 110
	fillerLen     = 12
	dataMatrixLen = 256
)

const (
	dmPrefix   = "codfase=NBPA;" // read by every reader, in this letter case
	dmDocument = "3896"          // length and type of the document: TD 896
	dmPhase    = "1P1"           // Data Matrix 1, payment phase P1
	dmEnd      = "A"
)

// DataMatrixInput is what the Data Matrix of a «bollettino postale PA» says.
type DataMatrixInput struct {
	Number     Number
	Account    string // conto corrente postale, 1 to 12 digits
	Amount     Cents  // as printed: one cent to MaxPrintable
	CreditorCF string // 11 digits
	DebtorCF   string // 11 digits, 16 letters and digits, or Anonymous
	DebtorName string // may be empty; cut at 40 characters
	Causale    string // cut at 110 characters
}

// Codeline returns the 50 digits that a post office reads of a bollettino:
// number, account, amount and document type, each after its own length. Errors
// match [ErrMalformed].
func Codeline(n Number, account string, amount Cents) (string, error) {
	if n.IsZero() {
		return "", fmt.Errorf("%w: no number", ErrMalformed)
	}
	if len(account) > accountLen || !digitsOnly(account) || strings.Trim(account, "0") == "" {
		return "", fmt.Errorf("%w: postal account is not 1 to %d digits", ErrMalformed, accountLen)
	}
	if err := checkAmount(amount); err != nil {
		return "", err
	}
	account = strings.Repeat("0", accountLen-len(account)) + account
	return fmt.Sprintf("18%s%d%s%d%010d%s", n, accountLen, account, amountLen, amount, dmDocument), nil
}

// DataMatrix returns the payload of the Data Matrix of a bollettino: exactly
// 256 ASCII characters, upper-case but for the prefix. Texts are put into the
// characters Poste reads: accents are dropped, letters without an ASCII twin
// spelled out (ß as SS, œ as OE), anything else becomes a space, and spaces run
// together. Errors match [ErrMalformed].
//
//	 0  codfase=NBPA;     77  debtor's tax code (16)
//	13  codeline (50)     93  debtor's name (40)
//	63  1P1              133  causale (110)
//	66  creditor CF      243  spaces (12) and A
//
// Source: what pagopa-print-payment-notice-generator and GovPay write and what
// the IO app reads; Poste's own manual is not public.
func DataMatrix(d DataMatrixInput) (string, error) {
	if err := checkPrinted(d.Number, d.CreditorCF, d.Amount); err != nil {
		return "", err
	}
	codeline, err := Codeline(d.Number, d.Account, d.Amount)
	if err != nil {
		return "", err
	}
	debtorCF := strings.ToUpper(d.DebtorCF)
	if !FiscalCode(debtorCF) {
		return "", fmt.Errorf("%w: debtor tax code is neither 11 digits nor 16 characters nor %s", ErrMalformed, Anonymous)
	}
	causale := posteText(d.Causale, causaleLen)
	if causale == "" {
		return "", fmt.Errorf("%w: no causale", ErrMalformed)
	}
	return fmt.Sprintf("%s%s%s%s%-*s%-*s%-*s%*s%s", dmPrefix, codeline, dmPhase, d.CreditorCF,
		debtorCFLen, debtorCF, debtorNameLen, posteText(d.DebtorName, debtorNameLen), causaleLen, causale,
		fillerLen, "", dmEnd), nil
}

// ParseDataMatrix reads the payload of a Data Matrix: exactly what [DataMatrix]
// writes, or the same with lower-case letters in the texts, which others leave
// there. Its errors match [ErrMalformed].
func ParseDataMatrix(s string) (DataMatrixInput, error) {
	if len(s) != dataMatrixLen {
		return DataMatrixInput{}, fmt.Errorf("%w: Data Matrix payload of %d characters, want %d", ErrMalformed, len(s), dataMatrixLen)
	}
	n, err := ParseNumber(s[15:33])
	if err != nil {
		return DataMatrixInput{}, err
	}
	amount, err := parsePrinted(s[49:59])
	if err != nil {
		return DataMatrixInput{}, err
	}
	d := DataMatrixInput{
		Number:     n,
		Account:    s[35:47],
		Amount:     amount,
		CreditorCF: s[66:77],
		DebtorCF:   strings.TrimRight(s[77:93], " "),
		DebtorName: strings.TrimRight(s[93:133], " "),
		Causale:    strings.TrimRight(s[133:243], " "),
	}
	// Writing it again is the shortest complete check of everything else.
	again, err := DataMatrix(d)
	if err != nil {
		return DataMatrixInput{}, err
	}
	const texts = 77
	if again[:texts] != s[:texts] || again[texts:] != asciiUpper(s[texts:]) || !strings.HasSuffix(s, dmEnd) {
		return DataMatrixInput{}, fmt.Errorf("%w: not the Data Matrix payload of a bollettino", ErrMalformed)
	}
	return d, nil
}

// FiscalCode reports whether s can stand for a debtor in a Data Matrix: 11 digits,
// 16 capitals and digits, or [Anonymous]. What other countries give does not.
func FiscalCode(s string) bool {
	switch len(s) {
	case 11:
		return digitsOnly(s)
	case debtorCFLen:
		return strings.IndexFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) < 0
	default:
		return s == Anonymous
	}
}

// asciiUpper leaves all but a–z alone, so that no other letter can pass as one
// of them.
func asciiUpper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// undecomposed holds what Unicode does not take apart into ASCII and a mark:
// the other letters of the languages around us, and signs that word processors
// put in.
var undecomposed = map[rune]string{
	'ß': "SS", 'ẞ': "SS", 'Œ': "OE", 'Æ': "AE", 'Ł': "L", 'Ø': "O", 'Đ': "D", 'Ð': "D", 'Þ': "TH",
	'’': "'", '‘': "'", 'ʼ': "'", '–': "-", '—': "-", '‐': "-", '‑': "-",
}

// posteText returns s in at most width of the characters Poste reads.
func posteText(s string, width int) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(norm.NFKD.String(s)) {
		switch t := undecomposed[r]; {
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("&'-.:_,", r):
			b.WriteRune(r)
		case t != "":
			b.WriteString(t)
		case !unicode.Is(unicode.Mn, r): // an accent that came off its letter leaves nothing
			b.WriteByte(' ')
		}
	}
	t := strings.Join(strings.Fields(b.String()), " ")
	return strings.TrimRight(t[:min(len(t), width)], " ")
}
