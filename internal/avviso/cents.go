package avviso

import (
	"fmt"
	"strconv"
	"strings"
)

// Cents is an amount of euro in whole cents. No amount in this program is ever
// a floating point number.
type Cents int64

// MaxCents is the largest amount PiemontePAY can carry, 999,999,999.99 euro
// (EPaywsoCommonTypes.xsd ImportoType).
const MaxCents Cents = 99_999_999_999

// Decimal writes the amount with a point and two decimals and no grouping, as
// XML and machines want it: "1020.99".
func (c Cents) Decimal() string {
	sign, u := "", uint64(c)
	if c < 0 {
		sign, u = "-", uint64(-c)
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// Italian writes the amount as an Italian notice prints it, grouped by points
// and with a decimal comma: "1.020,99". There is no euro sign.
func (c Cents) Italian() string {
	s := c.Decimal()
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	whole, dec := s[:len(s)-3], s[len(s)-2:]
	var b strings.Builder
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte('.')
		}
		b.WriteByte(whole[i])
	}
	return sign + b.String() + "," + dec
}

// ParseDecimal reads a non-negative decimal with at most two decimals and at
// most [MaxCents], as ImportoType allows it ("87", "87.5", "87.50", "+1.00").
// Its errors match [ErrMalformed].
func ParseDecimal(s string) (Cents, error) {
	t := strings.TrimPrefix(s, "+")
	whole, dec, _ := strings.Cut(t, ".")
	if whole == "" && dec == "" {
		return 0, fmt.Errorf("%w: empty amount", ErrMalformed)
	}
	if !digitsOnly(whole) || !digitsOnly(dec) {
		return 0, fmt.Errorf("%w: amount is not a decimal number", ErrMalformed)
	}
	if extra := strings.TrimRight(dec, "0"); len(extra) > 2 {
		return 0, fmt.Errorf("%w: amount has fractions of a cent", ErrMalformed)
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 9 {
		return 0, fmt.Errorf("%w: amount is too large", ErrMalformed)
	}
	n, _ := strconv.ParseInt("0"+whole+(dec + "00")[:2], 10, 64) // cannot fail: at most 12 digits
	return Cents(n), nil
}

// ParseSigned reads a decimal with at most two decimals that may be negative, as
// the accounting flows carry it: 16 digits before the point at most
// (FlussoRiversamento_1_0_4.xsd stImportoTotalePagamenti). Its errors match
// [ErrMalformed].
func ParseSigned(s string) (Cents, error) {
	t, negative := strings.CutPrefix(s, "-")
	if !negative {
		t = strings.TrimPrefix(s, "+")
	}
	whole, dec, _ := strings.Cut(t, ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" && strings.HasPrefix(t, "0") {
		whole = "0"
	}
	switch {
	case whole == "" && dec == "":
		return 0, fmt.Errorf("%w: empty amount", ErrMalformed)
	case !digitsOnly(whole) || !digitsOnly(dec):
		return 0, fmt.Errorf("%w: amount is not a decimal number", ErrMalformed)
	case len(strings.TrimRight(dec, "0")) > 2:
		return 0, fmt.Errorf("%w: amount has fractions of a cent", ErrMalformed)
	case len(whole) > 16:
		return 0, fmt.Errorf("%w: amount is too large", ErrMalformed)
	}
	n, _ := strconv.ParseInt("0"+whole+(dec + "00")[:2], 10, 64) // cannot fail: at most 18 digits
	if negative {
		n = -n
	}
	return Cents(n), nil
}
