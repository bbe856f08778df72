package avviso

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMalformed is matched by every error that this package returns for text it
// cannot accept.
var ErrMalformed = errors.New("avviso: malformed")

// Number is a numero avviso: the 18 decimal digits that name one notice of one
// creditor at every pagoPA counter. Its first digit (the aux digit) fixes the
// rest:
//
//	0  application code (2)  IUV (15) = base (13) + check (2)
//	1  IUV (17), no check
//	2  IUV (17) = base (15) + check (2)
//	3  IUV (17) = segregation code (2) + base (13) + check (2)
//
// The check is the first 16 digits modulo 93. New notices use only 3; the
// others are read because old ones are still paid.
//
// A Number can only be made by [ParseNumber]; the zero Number means "none yet".
// Numbers are comparable.
//
// Source: SACI 1.3.1 §2.2 and 3.2.1; the modulus also as PiemontePAY computes
// it (mdpmultiiuvsrv, MdpMultiIuvImpl.java, makeIuvOttico).
type Number struct{ digits string }

// ParseNumber reads a number with or without the spaces that group its digits
// on paper. Its errors match [ErrMalformed].
func ParseNumber(s string) (Number, error) {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) != 18 {
		return Number{}, fmt.Errorf("%w: %d characters, want 18", ErrMalformed, len(s))
	}
	if !digitsOnly(s) {
		return Number{}, fmt.Errorf("%w: not all digits", ErrMalformed)
	}
	if s[0] > '3' {
		return Number{}, fmt.Errorf("%w: aux digit %c", ErrMalformed, s[0])
	}
	if s[0] != '1' && s[16:] != CheckDigits(s[:16]) {
		return Number{}, fmt.Errorf("%w: check digits do not match", ErrMalformed)
	}
	return Number{digits: s}, nil
}

// CheckDigits returns the two check digits that close a numero avviso: the first
// 16 digits modulo 93. It returns "" for anything but 16 digits.
func CheckDigits(first16 string) string {
	if len(first16) != 16 || !digitsOnly(first16) {
		return ""
	}
	n, _ := strconv.ParseUint(first16, 10, 64) // cannot fail: 16 digits
	return fmt.Sprintf("%02d", n%93)
}

// IUV returns the creditor's payment reference inside the number: its last 15
// digits under aux digit 0, its last 17 otherwise, none for the zero Number.
func (n Number) IUV() string {
	switch {
	case n.IsZero():
		return ""
	case n.digits[0] == '0':
		return n.digits[3:]
	default:
		return n.digits[1:]
	}
}

// IsZero reports whether there is no number.
func (n Number) IsZero() bool { return n.digits == "" }

// String returns the 18 digits, or "" for the zero Number.
func (n Number) String() string { return n.digits }

// Grouped returns the digits as a notice prints them, in fours from the left
// ("3010 0000 0000 0049 92"), or "" for the zero Number.
func (n Number) Grouped() string {
	var b strings.Builder
	for i := range len(n.digits) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(n.digits[i])
	}
	return b.String()
}

// MarshalText writes the 18 digits, or nothing for the zero Number.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.digits), nil }

// UnmarshalText reads what MarshalText wrote, checking it again: a damaged
// record is noticed when it is read.
func (n *Number) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = Number{}
		return nil
	}
	p, err := ParseNumber(string(text))
	if err != nil {
		return err
	}
	*n = p
	return nil
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
