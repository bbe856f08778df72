// Package fault classifies errors, so that every edge can answer without
// knowing who failed.
//
// An error is created where the knowledge is, wrapped with %w on the way up and
// handled once, at an edge: package web turns it into a problem document, the
// command line into an exit status. Edges look only at the [Kind] and at the
// [Error.Code]; nobody compares texts.
package fault

import (
	"errors"
	"fmt"
)

// Kind is what a caller may do about an error. It is itself an error, so that
// errors.Is(err, fault.Conflict) works through any number of wrappings.
type Kind uint8

// The zero Kind is Internal: an error nobody classified is our bug.
const (
	Internal    Kind = iota // our bug; the text is for logs only
	Invalid                 // the request can never succeed as it is
	NotFound                // no such thing, or not for this caller
	Conflict                // not in the present state of things
	Exhausted               // nothing left to give; may succeed later
	Forbidden               // the caller may not do this
	Unavailable             // nothing was decided; repeat the same request
)

var kindNames = [...]string{"internal", "invalid", "not found", "conflict", "exhausted", "forbidden", "unavailable"}

// Kinds returns every kind, so that tables keyed by Kind can be tested whole.
func Kinds() []Kind {
	ks := make([]Kind, len(kindNames))
	for i := range ks {
		ks[i] = Kind(i)
	}
	return ks
}

// Error makes a Kind an error. An unknown Kind reads as a number.
func (k Kind) Error() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("fault.Kind(%d)", uint8(k))
}

// Error is an error with a kind, a code and a text for people.
type Error struct {
	Kind   Kind
	Code   string // stable and dotted, such as "code.other_device"; clients switch on it
	Detail string // in Italian, shown on handhelds and pages; holds no personal data
	Err    error  // the cause, for logs only; may be nil
}

// New returns an Error without a cause.
func New(k Kind, code, detail string) *Error {
	return &Error{Kind: k, Code: code, Detail: detail}
}

// Wrap returns an Error with cause err, which stays visible to errors.Is.
func Wrap(k Kind, code, detail string, err error) *Error {
	return &Error{Kind: k, Code: code, Detail: detail, Err: err}
}

// Error gives the code, the detail and the cause: for logs, not for clients.
func (e *Error) Error() string {
	s := e.Code
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes both the kind and the cause visible to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Internal texts never leave the process; this is what is said instead.
const (
	internalCode   = "internal"
	internalDetail = "Errore interno del servizio. Riprovare; se continua, comunicare all'assistenza il codice di traccia."
)

// Of returns the classification of err: the outermost [Error] in it, or an
// Internal one that tells nothing when there is none or err is nil. A bare Kind
// in the chain, such as one from a store, keeps its kind.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if k, ok := errors.AsType[Kind](err); ok && k != Internal {
		return &Error{Kind: k, Code: genericCodes[k], Detail: genericDetails[k], Err: err}
	}
	return &Error{Kind: Internal, Code: internalCode, Detail: internalDetail, Err: err}
}

var genericCodes = map[Kind]string{
	Invalid:     "request.invalid",
	NotFound:    "not_found",
	Conflict:    "conflict",
	Exhausted:   "exhausted",
	Forbidden:   "forbidden",
	Unavailable: "unavailable",
}

var genericDetails = map[Kind]string{
	Invalid:     "La richiesta non è valida.",
	NotFound:    "L'elemento richiesto non esiste.",
	Conflict:    "Lo stato è cambiato nel frattempo: rileggere e riprovare.",
	Exhausted:   "Risorsa esaurita: riprovare più tardi.",
	Forbidden:   "Operazione non consentita.",
	Unavailable: "Servizio momentaneamente non disponibile: ripetere la stessa richiesta.",
}
