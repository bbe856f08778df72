// Package worklist lets people look after what the service tells them.
//
// A discrepancy is opened where something does not fit, and closed there when the
// course of things ends it. Here a person takes one in charge, and closes it with
// an outcome and a note. Met again, it opens again, with nobody in charge: what
// was said is in the history.
package worklist
