// Package multe is the domain: codes, verbali, payments, and the only moves
// each may make.
//
// It decides and never acts: no file, no network, no clock. Every method that
// changes a record returns the changed copy with the next Version, and leaves
// the receiver alone, so that a transaction that fails has changed nothing.
// Instants are arguments; they are kept in UTC to the microsecond, which is what
// every store can hold.
//
// The life of each record is a table ([CodeState], [VerbaleState],
// [ChangeState], [BatchState]); the tests pin every pair of state and move.
//
// Money is [Cents]. Personal data live in the types [Plate], [CF] and [Debtor],
// which print as a redaction wherever they are logged or formatted by accident.
package multe
