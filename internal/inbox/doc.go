// Package inbox keeps what PiemontePAY tells us before answering it, and works
// it afterwards.
//
// # The problem
//
// Once we have answered, the platform forgets: a payment told and lost is told
// by nobody again. If we do not answer, or answer with an error, it keeps the
// message at the head of our queue and everything behind it waits. And what it
// sends is not always what its contract says.
//
// # The way out
//
// Receiving stores the bytes and decides nothing; only then may the caller
// answer. Working a message reads it and hands what it says to whoever it is
// for, in one transaction with the mark that it was worked, so that it is worked
// once however often the process dies.
//
//	new ─▶ done
//	 ↺ may pass
//	 └──▶ dead: cannot be understood, or failed too often
//
// A message that fails waits a little longer each time while the others go on. A
// dead one is kept whole and a person is told; once the cause is mended it can be
// worked again, and so can a done one.
//
// A message about a creditor that its caller may not speak for is dead, too. It
// was answered 000 all the same: the platform must not stop its queue because of
// a mistake that may be in our own configuration.
//
// # What is not done here
//
// Nothing is deduplicated: whoever hears a message must not mind hearing it
// twice.
package inbox
