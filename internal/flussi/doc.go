// Package flussi records what PiemontePAY's flows say was paid over, and holds it
// against what was notified.
//
// # The problem
//
// A notification says that somebody paid; a flow (flusso) says that the PSP paid
// over, days later, many payments in one transfer. The two travel by different
// roads, and either can be lost, early, late, twice, or changed. Only when both
// are there is money accounted for. And a flow is of the whole creditor: most of
// its rows may be school meals.
//
// # The way out
//
// A flow is named by PSP and IdentificativoFlusso; its message id is new at every
// sending. The newest copy is in force, and the one with accounting references
// before that of the PSP. Every copy is kept raw, and one that says the same
// changes nothing.
//
// What a line means is not stored but judged, by IUV and IUR, from the lines and
// the payments that there are: so it cannot matter which came first.
//
//	other    of an IUV that is none of ours
//	matched  the payment was notified, and the amounts are the same
//	amount   it was notified with another amount
//	unknown  it was never notified: this is how a lost notification is found
//	revoked  the money went back
//	no_rpt   paid although nobody had asked the platform
//
// After every change of either side, all that is wrong about an IUV is told to a
// person, and what is no longer wrong is closed. A payment that no flow contains
// after some days is told too.
//
// # What is not done here
//
// No flow is ever refused, whatever its totals: the platform would not send it
// again. No line makes a payment: that a verbale is paid only a notification says.
package flussi
