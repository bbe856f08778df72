// Package pool keeps codes in supply: asks for them, lends them to handhelds,
// takes them back.
//
// # The problem
//
// PiemontePAY makes a code minutes after it is asked, or not today. A warden in
// the street needs one now, perhaps without a network, and what is printed cannot
// be recalled: a code given to two handhelds would be two fines with one payment.
//
// # The way out
//
// Codes are asked for ahead of need. What is asked but not yet answered counts
// as supply, so a silent platform is never asked twice for the same shortage.
//
//	requested ─▶ available ─▶ assigned ─▶ issued …
//
// A handheld takes a block under an id that it made and stored first. The answer
// is kept for ever: the same request gets the same block, whatever was lost on
// the way, and another request gets another block.
//
// # What is not done here
//
// Nothing here talks to the platform; a request is a change that waits in the
// outbox. A code never returns to the pool because time has passed.
package pool
