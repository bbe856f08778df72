// Package payments records what was paid and settles the verbale it was for.
//
// # The problem
//
// A notification is a fact about money, and it may come early, late, twice, for
// less, for more, for a code that nobody used or that we gave up, or for one
// that is none of ours. It may repeat itself under a new message id, and may
// lack even the receipt that tells one payment from another.
//
// # The way out
//
// One (IUV, IUR) is one payment, however often it is told. Two receipts on one
// IUV are two payments, and both are kept. No payment is ever refused: what does
// not fit is recorded all the same, and a person is told.
//
// A verbale is settled when what came is at least what was due on the day it was
// paid, not the day we heard of it. What the paper promised until the office
// recorded something else is honoured.
//
// # What is not done here
//
// No esito marks anything paid; only a notification does. Nothing is paid back:
// a double payment is shown to a person.
package payments
