// Package webhooks tells the town's own software what happens.
//
// # The problem
//
// The program that keeps the town's accounts or its register wants to know that a
// verbale was paid, without asking every minute. It is down at night, answers
// twice, or moves without telling anybody; what it misses must not be lost, and
// what it is told must not tell strangers who was fined.
//
// # The way out
//
// Everything that happens leaves a line in the creditor's history, in the same
// transaction and numbered without a gap. A webhook is a place in that history:
// the lines after it are posted, in order, and when they are taken the place
// moves on. Nothing has to be queued, a restart goes on where it was, and telling
// everything again from some line on is moving the place back. A line may arrive
// twice; its id tells.
//
// A line names records by our ids: no plate, owner or amount leaves this way, the
// receiver asks the office's API for those, with its own right to see them.
//
// Each delivery is signed as Standard Webhooks 1.0 says (HMAC-SHA256 over id,
// time and body). A receiver that fails is tried again, ever more rarely, and
// paused after some days; the office is told.
//
// # What is not done here
//
// Nothing here opens a connection, or decides which addresses may be called: the
// [Sender] does.
package webhooks
