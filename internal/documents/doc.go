// Package documents keeps the files that a creditor's office gives: catalogue of
// violations, texts, logo, streets and wardens; and makes of them what a handheld
// takes along on a shift.
//
// # Documents
//
// A document takes effect as a whole on a day of the office's choice and is never
// changed: the next one gets the next number. [Documents.Add] reads it as strictly as its kind
// wants, tells what a person should look at again, and adds nothing under dry run.
// The same file for the same day again is the document that is there.
//
// # PINs
//
// A PIN is hashed when the roster comes in, with PBKDF2-HMAC-SHA256, a salt of its
// own and [PINIterations], and never stored, so that a handheld can tell wardens
// apart without a network. That is no more than it is: whoever holds a roster tries
// the 10,000 PINs of four digits in minutes. Handhelds keep it in protected storage
// and count failures. An entry without a PIN keeps the one of the roster before.
//
// # Shift
//
// [Documents.Shift] is one JSON document: who the creditor is, how codes go onto slips, the
// catalogue with every sum ready to print, texts, streets, wardens. The same
// documents give the same bytes, so that its ETag holds for days; ValidUntil is the
// last day on which nothing that is known today will have changed. It is made once
// for all handhelds of a creditor and kept in memory: five thousand of them ask for it at eight in
// the morning.
package documents
