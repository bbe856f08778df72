package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
)

// Cents is an avviso.Cents that is a JSON number with two decimals: 29.40.
type Cents avviso.Cents

var errAmount = errors.New("amount is not a number of cents from 0 to 99999999999")

// MarshalJSON writes 29.40. Less than nothing and more than avviso.MaxCents are
// refused.
func (c Cents) MarshalJSON() ([]byte, error) {
	if c < 0 || avviso.Cents(c) > avviso.MaxCents {
		return nil, errAmount
	}
	return []byte(avviso.Cents(c).Decimal()), nil
}

// UnmarshalJSON reads a JSON number of whole cents, with an exponent if it has
// one: a Java BigDecimal may write 1E+2 for a hundred euro.
func (c *Cents) UnmarshalJSON(text []byte) error {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(text)), "e")
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -maxDigits || shift > maxDigits {
			return errAmount
		}
	}
	whole, decimals, _ := strings.Cut(mantissa, ".")
	digits := whole + decimals
	point := len(whole) + shift // where it stands in digits
	if len(digits) > maxDigits || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return errAmount // a sign, a quote, null
	}
	digits = strings.Repeat("0", max(0, -point)) + digits
	point = max(0, point)
	digits += strings.Repeat("0", max(0, point-len(digits)))
	v, err := avviso.ParseDecimal("0" + digits[:point] + "." + digits[point:])
	if err != nil {
		return errAmount
	}
	*c = Cents(v)
	return nil
}

// maxDigits is above the digits of any amount, and keeps an exponent from asking
// for gigabytes of zeros.
const maxDigits = 30

// Date is a civil day. The zero Date is none.
type Date multe.Day

// IsZero reports whether there is no day; omitzero asks.
func (d Date) IsZero() bool { return multe.Day(d).IsZero() }

// exists reports whether the day is in the calendar, and in four digits.
func (d Date) exists() bool {
	return d.Year >= 1 && d.Year <= 9999 && multe.DayOf(multe.Day(d).Start()) == multe.Day(d)
}

// javaTime is RFC 3339 with milliseconds and an offset in digits, which all
// versions of Jackson read.
const javaTime = "2006-01-02T15:04:05.000-07:00"

// MarshalJSON writes the first instant of the day in Rome:
// "2026-11-23T00:00:00.000+01:00".
func (d Date) MarshalJSON() ([]byte, error) {
	if !d.exists() {
		return nil, errors.New("no such day")
	}
	return json.Marshal(multe.Day(d).Start().Format(javaTime))
}

// Instant is a time as the platform writes it; zero if it wrote none.
type Instant struct{ time.Time }

// MarshalJSON writes RFC 3339, or null for none.
func (i Instant) MarshalJSON() ([]byte, error) {
	if i.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(i.UTC().Format(time.RFC3339))
}

// UnmarshalJSON reads milliseconds since 1970, which Jackson writes unless told
// otherwise, or ISO 8601, which the YAML promises. A time without a zone is
// Rome's.
func (i *Instant) UnmarshalJSON(text []byte) error {
	*i = Instant{}
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	if text[0] != '"' {
		ms, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || ms < -maxMillis || ms > maxMillis {
			return errors.New("time is not a number of milliseconds")
		}
		i.Time = time.UnixMilli(ms).UTC()
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, multe.Rome()); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			i.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("time of %d characters is not ISO 8601", len(s))
}

// maxMillis is in the year 9999.
const maxMillis = 253_370_764_800_000
