// Package epaywso holds the messages of PiemontePAY's SOAP services, ready for
// encoding/xml: what a creditor sends (Enti2EPaywsoService), what it is sent
// (EPaywso2EntiService), and the flows that its accounting is sent
// (EPayFlussiCompletiPSP, ServiziRendicontazione and, with names that begin with
// Riconciliazione, EPayRiconciliazioneVersamentiPSP).
//
// The files named *_gen.go are generated from the WSDLs in the folder above by
// "go generate ./wsdl" and are never edited. The scalars and the helpers of the
// Validate methods are written by hand.
//
// How a schema becomes Go:
//
//   - The zero value of a text, a number, a date or an instant is no value of
//     any schema type here. It means that the element is absent, also where the
//     schema wants one; an absent element is not written.
//   - Amounts and booleans have a meaningful zero. They are pointers where they
//     may be absent, and are always written where they may not. One that a
//     message lacks against the schema reads as 0.00 or false, and Validate
//     cannot tell.
//   - A complex element is a pointer where it may be absent, and a plain value
//     where it may not, so that a reader of a poor message never meets a nil.
//     Alone RichiestaDiRevocaResponse and AnagraficaPagatore are pointers though
//     the schema wants them, because the platform leaves them out.
//
// Reading therefore accepts messages that the schema does not, as a listener
// must: the platform sends some. What cannot be read at all (an amount that is
// no number, a day that does not exist) is an error and never a zero. Call
// Validate to know whether a message keeps to the schema, and always before
// sending one.
package epaywso
