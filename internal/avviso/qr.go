package avviso

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxPrintable is the largest amount a QR code or a Data Matrix can carry:
// ten digits of cents, 99,999,999.99 euro (SANP 2.5.1; Poste TD 896).
const MaxPrintable Cents = 9_999_999_999

const (
	qrPrefix = "PAGOPA|002|"
	qrMinLen = 43 // an amount of one digit: older notices have them, we do not write them
	qrMaxLen = 52 // an amount of ten digits
)

// QR returns the payload of the QR code of a notice: 44 to 52 ASCII characters
//
//	PAGOPA|002|<number>|<creditor CF>|<cents>
//
// with the cents unpadded but of at least two digits. The amount is the one
// printed beside the symbol, so it is at least one cent and at most
// [MaxPrintable]: a notice of nothing is never printed. Errors match
// [ErrMalformed].
//
// Source: Guida all'avviso di pagamento 3.6, «Codice QR»; SANP 2.5.1.
func QR(n Number, creditorCF string, amount Cents) (string, error) {
	if err := checkPrinted(n, creditorCF, amount); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%s|%s|%02d", qrPrefix, n, creditorCF, amount), nil
}

// ParseQR reads the payload of a QR code. It also takes what others write: one
// digit of cents, or leading zeros up to ten digits. Its errors match
// [ErrMalformed].
func ParseQR(s string) (n Number, creditorCF string, amount Cents, err error) {
	fail := func(err error) (Number, string, Cents, error) { return Number{}, "", 0, err }
	if len(s) < qrMinLen || len(s) > qrMaxLen {
		return fail(fmt.Errorf("%w: QR payload of %d characters, want %d to %d", ErrMalformed, len(s), qrMinLen, qrMaxLen))
	}
	rest, ok := strings.CutPrefix(s, qrPrefix)
	parts := strings.Split(rest, "|")
	if !ok || len(parts) != 3 {
		return fail(fmt.Errorf("%w: not a pagoPA QR payload of version 002", ErrMalformed))
	}
	if len(parts[0]) != 18 { // ParseNumber would forgive spaces
		return fail(fmt.Errorf("%w: number of %d characters in the QR payload", ErrMalformed, len(parts[0])))
	}
	if n, err = ParseNumber(parts[0]); err != nil {
		return fail(err)
	}
	if amount, err = parsePrinted(parts[2]); err != nil {
		return fail(err)
	}
	creditorCF = parts[1]
	if err := checkPrinted(n, creditorCF, amount); err != nil {
		return fail(err)
	}
	return n, creditorCF, amount, nil
}

// checkPrinted holds what the two symbols have in common.
func checkPrinted(n Number, creditorCF string, amount Cents) error {
	if n.IsZero() {
		return fmt.Errorf("%w: no number", ErrMalformed)
	}
	if err := checkAmount(amount); err != nil {
		return err
	}
	return ValidCreditorCF(creditorCF)
}

func checkAmount(amount Cents) error {
	if amount <= 0 || amount > MaxPrintable {
		return fmt.Errorf("%w: amount is not between one cent and %s euro", ErrMalformed, MaxPrintable.Decimal())
	}
	return nil
}

// parsePrinted reads one to ten digits of cents.
func parsePrinted(s string) (Cents, error) {
	if s == "" || len(s) > amountLen || !digitsOnly(s) {
		return 0, fmt.Errorf("%w: amount is not 1 to %d digits", ErrMalformed, amountLen)
	}
	c, _ := strconv.ParseInt(s, 10, 64) // cannot fail: at most ten digits
	return Cents(c), nil
}
