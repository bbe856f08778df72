package multe

import (
	"context"

	"preavviso/internal/fault"
)

// Expected is the version of a record that somebody saw before they asked for a
// change of it. It travels with the request, beside who asks: the store checks it
// where the change is put, so that nothing can come in between.
type Expected struct {
	Creditor CreditorID
	Kind     string // as in the paths of the API: verbali, operators, devices, documents
	ID       string
	Version  uint64
}

type expectedKey struct{}

// WithExpected returns a context in which a change of the record is refused if it
// is no longer of that version.
func WithExpected(ctx context.Context, e Expected) context.Context {
	return context.WithValue(ctx, expectedKey{}, e)
}

// ExpectedIn returns what WithExpected put.
func ExpectedIn(ctx context.Context) (Expected, bool) {
	e, ok := ctx.Value(expectedKey{}).(Expected)
	return e, ok
}

// Check judges the first put of a record: next is the version that it makes.
func (e Expected) Check(c CreditorID, kind, id string, next uint64) error {
	if e.Creditor != c || e.Kind != kind || e.ID != id || next == e.Version+1 {
		return nil
	}
	return fault.New(fault.Conflict, "record.changed", "Il dato è stato modificato da altri dopo che lo si è letto: rileggerlo e ripetere la modifica.")
}
