// Package dispatch tells PiemontePAY what changed, and believes only what
// PiemontePAY answers.
//
// # The problem
//
// The platform queues what it is sent and says what became of it (esito) minutes
// or days later, in a call of its own, position by position, in no order.
// Anything may be lost between the two: our message, its acceptance, the esito,
// this process. And the platform may fail half way through a change. Still
// everything must be told, nothing may be done twice that does harm twice, and a
// person must be able to see where each change stands.
//
// # The way out
//
// A change is written in the same transaction as the fact behind it, and then
// moves by itself:
//
//	            ┌── the same bytes, while nobody knows whether they arrived
//	            ▼ │
//	waiting ─▶ sealed ─▶ queued ─▶ applied
//	   ▲          └────────┼─────▶ refused   a person is told
//	   ├───────────────────┤
//	   │ later, or the     └─────▶ unknown   perhaps done, in whole or in part
//	   │ batch was refused           │
//	   └─────────────────────────────┘       a later esito, or a person, decides
//
// Sealing gives a batch its IdMessaggio and its exact bytes and stores both, and
// each attempt is stored before it is made; so a process that dies sends nothing
// twice in a hurry, and what it sends again is the same message. Once the
// platform has refused a batch its id is spent, and what is still worth telling
// goes into another.
//
// The changes of one position leave one at a time, in the order of the facts. An
// unknown one holds back those behind it: the platform would apply them to we do
// not know what. Where repeating the whole state does no harm, an unknown change
// is first repeated.
//
// An esito is matched with its batch position by position. What it does not
// mention becomes unknown, never applied. It may come before the answer to the
// call, after it, or twice: a change that has come to its end is left alone.
//
// A change by REST is a batch of one, whose answer is its outcome. A list that is
// queued and gets no esito within a day is given up and told again under a new id:
// the platform then says of each position whether it had been done. A request that
// had been (161) is an orphan: its change stays in doubt until somebody brings the
// number.
//
// A position never comes near the end of its validity, where it could be paid and
// not be changed: an update within two days of it carries a later one.
//
// # What is not done here
//
// Nothing waits for the network inside a transaction, and no handler calls the
// platform. Nothing here says that a code is paid: only a payment does. Which
// code of the platform means what is decided where its protocol is known; here
// are only the consequences.
package dispatch
