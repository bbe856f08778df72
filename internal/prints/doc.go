// Package prints prints acts: one at once, or thousands in a stored job.
//
// # From records to paper
//
//	slip, record ─▶ face ─┐
//	creditor as it was ───┼─▶ pdf.Document ─▶ pages, checked by reading them back
//	settings, texts, logo ┘                     │
//	         ▲                                  ▼
//	   multe.Print: numbers and face        output, digest
//
// A [multe.Print] keeps what the paper was made from: the face (what the records
// said that day) and the numbers of the creditor's documents. The same print is
// drawn again byte for byte; a new print of the same act says «ristampa».
//
// # Jobs
//
// A round of [Prints.Run] draws some hundred acts of a job into its output in the
// spool, makes them durable, and only then commits what became of them:
//
//	cut output to job.Size ─▶ draw chunk ─▶ sync ─▶ keep checkpoint ─▶ commit
//
// Stopped anywhere, the next round cuts the output to what is committed and goes
// on; the file comes out as if nothing had happened. An act that cannot be
// printed is left out, with a sentence for the clerk. Whatever else goes wrong
// leaves the job as it is, for the next round.
//
// # Refusals
//
// Money is asked for only as the platform would take it: an amount that is not the
// one confirmed there is not printed. A page that does not read back as what it
// says is not printed either, and leaves an audit line and a discrepancy.
package prints
