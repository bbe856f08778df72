// Package ppay speaks PiemontePAY's SOAP in both directions and knows all its
// error codes.
//
// # The problem
//
// The platform answers a call with a receipt, never with a result: the result
// comes later, in a call that the platform makes to us. Neither direction is as
// its contract says. Calls may be answered by a proxy, by a page of HTML, or not
// at all after the list was taken; messages to us come without what the schema
// demands, and one that is refused for ever stops all those behind it.
//
// # The way out
//
// Outward, [Client] writes a batch once, as bytes, and sends these; a header with
// credentials is put before its body on the way out. It says only what it knows: the platform has the batch, the platform refused it, nothing
// left this machine, or nobody knows. The last is the ordinary case of a failure.
//
// Inward, everything passes one gate that bounds what it may cost. The listener
// hands what passes to a [Receiver] as it came, and says 000 when that has it on
// disk. What it means is found out afterwards by [Read], which takes what it can
// from every message and counts what it cannot.
//
//	platform ─▶ listener ─▶ gate ─▶ Receiver ─▶ 000
//	                                   ┊
//	                                 Read ─▶ Esito, Notice, receipts, …
//
// One table turns each code of the platform, in the place where it came, into
// what it obliges us to do, and into words for the office; see [Explain].
//
// # What is not done here
//
// Nothing is stored, retried or decided about a code or a verbale. No message of
// the platform is ever written again from what was read: evidence is the bytes.
package ppay
