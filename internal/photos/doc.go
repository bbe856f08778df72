// Package photos takes the photos of violations, in pieces, and keeps them as
// evidence.
//
// A handheld declares a photo, sends its bytes from where the last answer said
// that they go on, and is told when all of them are stored and are what was
// declared. Every step can be repeated. A photo may come before its verbale: the
// two name each other by the verbale's id and belong together when they are of
// the same handheld, so nothing has to be joined and no handheld can put a photo
// onto another's verbale. What nobody completes is dropped, and said so.
//
// The bytes are kept as the camera made them, with what it wrote into them about
// place and time: they are evidence, and the SHA-256 is theirs. Every look at
// them is in the history.
package photos
