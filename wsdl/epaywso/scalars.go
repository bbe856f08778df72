package epaywso

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // an instant without a zone is Rome's, whatever the machine has installed

	"preavviso/internal/avviso"
)

// ErrMalformed is matched by the errors of reading a scalar. Their text never
// holds what was read.
var ErrMalformed = errors.New("epaywso: malformed value")

// xmlSpace is what XML Schema lets stand around a value (whiteSpace=collapse).
const xmlSpace = " \t\r\n"

// Importo is an amount in euro cents, from 0 to 999,999,999.99 euro
// (EPaywsoCommonTypes.xsd ImportoType). It is [avviso.Cents] on the wire.
type Importo avviso.Cents

// MarshalText writes a point and two decimals, "1000000.00". An amount outside
// the limits is an error: no message can carry it.
func (i Importo) MarshalText() ([]byte, error) {
	if !i.valid() {
		return nil, fmt.Errorf("%w: amount outside the limits", ErrMalformed)
	}
	return []byte(avviso.Cents(i).Decimal()), nil
}

func (i Importo) valid() bool { return i >= 0 && avviso.Cents(i) <= avviso.MaxCents }

// UnmarshalText reads an xs:decimal with at most two decimals, "87" or "87.50".
func (i *Importo) UnmarshalText(text []byte) error {
	c, err := avviso.ParseDecimal(strings.Trim(string(text), xmlSpace))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	*i = Importo(c)
	return nil
}

// Date is a civil day. The zero Date means none and is not written. It has the
// fields of multe.Day, and converts to it.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// IsZero reports whether there is no day.
func (d Date) IsZero() bool { return d == Date{} }

// valid reports whether the day exists and its year has four digits.
func (d Date) valid() bool {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
	return d.Year >= 1 && d.Year <= 9999 && d == Date{t.Year(), t.Month(), t.Day()}
}

// MarshalText writes "2026-03-02", without a zone: the platform would take
// midnight of it. A day that does not exist is an error, and so is the zero Date.
func (d Date) MarshalText() ([]byte, error) {
	if !d.valid() {
		return nil, fmt.Errorf("%w: no such day", ErrMalformed)
	}
	return fmt.Appendf(nil, "%04d-%02d-%02d", d.Year, d.Month, d.Day), nil
}

// MarshalXML writes an element with the day, or nothing for the zero Date.
func (d Date) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return encodeUnlessZero(e, start, d)
}

// UnmarshalText reads an xs:date with a year of four digits. A zone, as the
// platform adds it, is checked and dropped: the civil day is what was meant.
func (d *Date) UnmarshalText(text []byte) error {
	day, rest, err := cutDate(strings.Trim(string(text), xmlSpace))
	if err != nil {
		return err
	}
	if _, err := parseZone(rest); err != nil {
		return err
	}
	*d = day
	return nil
}

// DateTime is an instant. The zero instant means none and is not written.
type DateTime struct{ time.Time }

// MarshalText writes an instant with its offset, "2026-11-23T10:15:00+01:00",
// and with as many decimals of a second as it has. The zero instant is an error.
func (t DateTime) MarshalText() ([]byte, error) {
	v := t.Time
	if _, offset := v.Zone(); offset%60 != 0 || offset < -maxOffset || offset > maxOffset {
		v = v.UTC() // no xs:dateTime has such an offset
	}
	if v.IsZero() || v.Year() < 1 || v.Year() > 9999 {
		return nil, fmt.Errorf("%w: no instant of the years 1 to 9999", ErrMalformed)
	}
	return v.AppendFormat(nil, time.RFC3339Nano), nil
}

// MarshalXML writes an element with the instant, or nothing for the zero one.
func (t DateTime) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return encodeUnlessZero(e, start, t)
}

// UnmarshalText reads an xs:dateTime with a year of four digits. Without a zone
// it is Rome's time; in the hour that autumn repeats it is the second of the
// two, and the hour that spring leaves out is moved forward. Decimals of a
// second beyond the ninth are dropped.
func (t *DateTime) UnmarshalText(text []byte) error {
	malformed := fmt.Errorf("%w: not an xs:dateTime", ErrMalformed)
	day, rest, err := cutDate(strings.Trim(string(text), xmlSpace))
	if err != nil {
		return err
	}
	const clock = "T00:00:00"
	if len(rest) < len(clock) || rest[0] != 'T' || rest[3] != ':' || rest[6] != ':' {
		return malformed
	}
	h, ok1 := digits(rest[1:3])
	m, ok2 := digits(rest[4:6])
	s, ok3 := digits(rest[7:9])
	if !ok1 || !ok2 || !ok3 || m > 59 || s > 59 {
		return malformed
	}
	rest = rest[len(clock):]
	nanos := 0
	if dec, ok := strings.CutPrefix(rest, "."); ok {
		n := len(dec) - len(strings.TrimLeft(dec, "0123456789"))
		if n == 0 {
			return malformed
		}
		nanos, _ = digits((dec[:n] + "000000000")[:9]) // cannot fail: only digits are left
		rest = dec[n:]
	}
	// 24:00:00 is how XML Schema may write the end of a day.
	if h > 24 || h == 24 && (m != 0 || s != 0 || nanos != 0) {
		return malformed
	}
	zone, err := parseZone(rest)
	if err != nil {
		return err
	}
	if zone == nil {
		if zone, err = rome(); err != nil {
			return err
		}
	}
	v := DateTime{time.Date(day.Year, day.Month, day.Day, h, m, s, nanos, zone)}
	if _, err := v.MarshalText(); err != nil { // such as the zero instant, which means none
		return err
	}
	*t = v
	return nil
}

var rome = sync.OnceValues(func() (*time.Location, error) { return time.LoadLocation("Europe/Rome") })

// cutDate reads the day at the beginning of s and returns what follows it.
func cutDate(s string) (Date, string, error) {
	malformed := fmt.Errorf("%w: not a day", ErrMalformed)
	const layout = "2006-01-02"
	if len(s) < len(layout) || s[4] != '-' || s[7] != '-' {
		return Date{}, "", malformed
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:10])
	day := Date{y, time.Month(m), d}
	if !ok1 || !ok2 || !ok3 || !day.valid() {
		return Date{}, "", malformed
	}
	return day, s[len(layout):], nil
}

// maxOffset is the largest offset of a zone in XML Schema, in seconds.
const maxOffset = 14 * 60 * 60

// parseZone reads "Z", "+01:00", or nothing, for which it returns nil.
func parseZone(s string) (*time.Location, error) {
	if s == "" {
		return nil, nil
	}
	if s == "Z" {
		return time.UTC, nil
	}
	malformed := fmt.Errorf("%w: not a zone", ErrMalformed)
	if len(s) != len("+01:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return nil, malformed
	}
	h, ok1 := digits(s[1:3])
	m, ok2 := digits(s[4:6])
	offset := (h*60 + m) * 60
	if !ok1 || !ok2 || m > 59 || offset > maxOffset {
		return nil, malformed
	}
	if s[0] == '-' {
		offset = -offset
	}
	return time.FixedZone("", offset), nil
}

// digits reads a number of at most nine digits and nothing else.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// Base64 is binary content. Nil means none was read.
type Base64 []byte

// MarshalText writes base64 in one line.
func (b Base64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads base64, in which XML allows spaces and line ends anywhere.
func (b *Base64) UnmarshalText(text []byte) error {
	packed := strings.Map(func(r rune) rune {
		if strings.ContainsRune(xmlSpace, r) {
			return -1
		}
		return r
	}, string(text))
	v, err := base64.StdEncoding.Strict().DecodeString(packed)
	if err != nil {
		return fmt.Errorf("%w: not base64", ErrMalformed)
	}
	*b = v
	return nil
}

// encodeUnlessZero writes an element, unless its value is the zero one, which
// means that it is absent.
func encodeUnlessZero(e *xml.Encoder, start xml.StartElement, v interface {
	IsZero() bool
	MarshalText() ([]byte, error)
}) error {
	if v.IsZero() {
		return nil
	}
	text, err := v.MarshalText()
	if err != nil {
		return err
	}
	return e.EncodeElement(string(text), start)
}

// ImportoSigned is an amount in euro cents that is negative where money went
// back: what the accounting services call ImportoSignedType, stImporto or
// xs:decimal. It never has fractions of a cent.
type ImportoSigned avviso.Cents

// maxSigned is the largest amount of any flow: stImportoTotalePagamenti has 18
// digits, two of them cents.
const maxSigned = 999_999_999_999_999_999

// MarshalText writes a point and two decimals, "-42.00".
func (i ImportoSigned) MarshalText() ([]byte, error) {
	if i < -maxSigned || i > maxSigned {
		return nil, fmt.Errorf("%w: amount outside the limits", ErrMalformed)
	}
	return []byte(avviso.Cents(i).Decimal()), nil
}

// UnmarshalText reads an xs:decimal with at most two decimals and a sign.
func (i *ImportoSigned) UnmarshalText(text []byte) error {
	c, err := avviso.ParseSigned(strings.Trim(string(text), xmlSpace))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	*i = ImportoSigned(c)
	return nil
}

// NullInt is a number that its schema wants and lets be nil. The zero NullInt is
// nil, and is written so.
type NullInt struct {
	Int   int
	Valid bool
}

const xsiNS = "http://www.w3.org/2001/XMLSchema-instance"

// MarshalXML writes an element with the number, or an empty one that is nil.
func (n NullInt) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if n.Valid {
		return e.EncodeElement(n.Int, start)
	}
	start.Attr = append(start.Attr, xml.Attr{Name: xml.Name{Space: xsiNS, Local: "nil"}, Value: "true"})
	return e.EncodeElement("", start)
}

// UnmarshalXML reads either.
func (n *NullInt) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	for _, a := range start.Attr {
		if v := strings.Trim(a.Value, xmlSpace); a.Name == (xml.Name{Space: xsiNS, Local: "nil"}) && (v == "true" || v == "1") {
			*n = NullInt{}
			return d.Skip()
		}
	}
	var v int
	if err := d.DecodeElement(&v, &start); err != nil {
		return fmt.Errorf("%w: not a number", ErrMalformed)
	}
	*n = NullInt{Int: v, Valid: true}
	return nil
}
