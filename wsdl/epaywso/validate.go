package epaywso

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"unicode/utf8"

	"preavviso/internal/avviso"
)

// InvalidError says which element of a message its schema refuses, and why. It
// never holds the value, which may be personal.
type InvalidError struct {
	Path   string // such as "…/PosizioniDaInserire/PosizioneDaInserire[3]/ImportoTotale", counting from 1
	Reason string
}

func (e *InvalidError) Error() string { return "epaywso: " + e.Path + ": " + e.Reason }

func invalid(name, format string, args ...any) error {
	return &InvalidError{Path: name, Reason: fmt.Sprintf(format, args...)}
}

// in puts the name of an element in front of the path of an error.
func in(name string, err error) error {
	if e, ok := errors.AsType[*InvalidError](err); ok {
		return &InvalidError{Path: name + "/" + e.Path, Reason: e.Reason}
	}
	return err
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// need says whether an element may be absent.
type need bool

const (
	optional need = false
	required need = true
)

// missing refuses an element that is absent and may not be.
func missing(name string, n need) error {
	if n == optional {
		return nil
	}
	return invalid(name, "missing")
}

// textLimits are the facets of a text; those that are zero do not limit it.
type textLimits struct {
	minLength, maxLength int // in characters
	pattern              *regexp.Regexp
	values               []string
}

func text(name, v string, n need, l textLimits) error {
	if v == "" {
		return missing(name, n)
	}
	if !utf8.ValidString(v) {
		return invalid(name, "not UTF-8")
	}
	for _, r := range v {
		// encoding/xml would replace them without a word.
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return invalid(name, "holds a character that XML cannot carry")
		}
	}
	switch length := utf8.RuneCountInString(v); {
	case length < l.minLength:
		return invalid(name, "shorter than %d characters", l.minLength)
	case l.maxLength > 0 && length > l.maxLength:
		return invalid(name, "longer than %d characters", l.maxLength)
	case l.pattern != nil && !l.pattern.MatchString(v):
		return invalid(name, "does not match its pattern")
	case l.values != nil && !slices.Contains(l.values, v):
		return invalid(name, "not one of the values allowed")
	}
	return nil
}

// unbounded is the limit of a list that has none.
const unbounded = math.MaxInt

func texts(name string, vs []string, least, most int, l textLimits) error {
	if len(vs) < least || len(vs) > most {
		return invalid(name, "%d of them, not from %d to %d", len(vs), least, most)
	}
	for i, v := range vs {
		if err := text(fmt.Sprintf("%s[%d]", name, i+1), v, required, l); err != nil {
			return err
		}
	}
	return nil
}

// intLimits are the bounds of a number, both allowed and both above 0.
type intLimits struct{ min, max int }

func integer(name string, v int, n need, l intLimits) error {
	if v == 0 {
		return missing(name, n)
	}
	if v < l.min || v > l.max {
		return invalid(name, "not from %d to %d", l.min, l.max)
	}
	return nil
}

// amount accepts nil as an absent amount; one that is required is never nil.
func amount(name string, v *Importo) error {
	if v != nil && !v.valid() {
		return invalid(name, "not from 0.00 to %s", avviso.MaxCents.Decimal())
	}
	return nil
}

// signedLimits are the limits of an amount that may be negative; those that are
// zero do not limit it.
type signedLimits struct {
	min, max ImportoSigned
	digits   int // totalDigits: the significant ones, on both sides of the point
}

func signed(name string, v *ImportoSigned, l signedLimits) error {
	if v == nil {
		return nil
	}
	n, digits := *v, 0
	for range 2 {
		if n%10 == 0 {
			n /= 10 // a zero after the point is not significant
		} else {
			break
		}
	}
	for ; n != 0; n /= 10 {
		digits++
	}
	switch {
	case l.digits > 0 && digits > l.digits, digits > maxSignedDigits:
		return invalid(name, "more digits than allowed")
	case l.min != l.max && (*v < l.min || *v > l.max):
		return invalid(name, "outside the limits")
	}
	return nil
}

// maxSignedDigits are those of maxSigned.
const maxSignedDigits = 18

// moment checks a day or an instant.
func moment(name string, v interface {
	IsZero() bool
	MarshalText() ([]byte, error)
}, n need) error {
	if v.IsZero() {
		return missing(name, n)
	}
	if _, err := v.MarshalText(); err != nil {
		return invalid(name, "not a date")
	}
	return nil
}

// binary checks that there is content, if only an empty one.
func binary(name string, v Base64) error {
	if v == nil {
		return missing(name, required)
	}
	return nil
}

// validator is a pointer to a generated type.
type validator[T any] interface {
	*T
	Validate() error
}

func child[T any, P validator[T]](name string, v P, n need) error {
	if v == nil {
		return missing(name, n)
	}
	return in(name, v.Validate())
}

func list[T any, P validator[T]](name string, vs []T, least, most int) error {
	if len(vs) < least || len(vs) > most {
		return invalid(name, "%d of them, not from %d to %d", len(vs), least, most)
	}
	for i := range vs {
		if err := P(&vs[i]).Validate(); err != nil {
			return in(fmt.Sprintf("%s[%d]", name, i+1), err)
		}
	}
	return nil
}

// oneOf checks a choice.
func oneOf(names string, set ...bool) error {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	if n != 1 {
		return invalid(names, "%d of them, not 1", n)
	}
	return nil
}
