package avviso

import "fmt"

// ValidCreditorCF checks the tax code of a creditor: 11 digits, the last of
// which is the check digit of a partita IVA (DM 23 December 1976: every second
// digit doubled, the digits of the doubles added, the whole a multiple of ten).
// Its errors match [ErrMalformed].
//
// A public body always has such a code; the 16 characters of a person cannot be
// carried by a QR code or a Data Matrix.
func ValidCreditorCF(s string) error {
	if len(s) != creditorCFLen || !digitsOnly(s) {
		return fmt.Errorf("%w: creditor tax code is not %d digits", ErrMalformed, creditorCFLen)
	}
	sum := 0
	for i := range len(s) {
		d := int(s[i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	if sum%10 != 0 {
		return fmt.Errorf("%w: check digit of the creditor tax code does not match", ErrMalformed)
	}
	return nil
}

const creditorCFLen = 11
