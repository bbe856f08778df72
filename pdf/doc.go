// Package pdf draws payment notices.
//
// A notice is one A4 page in the look of the pagoPA notice: what happened, what
// it costs and until when, what the law says about it, and at the foot the
// boxes with the symbols that a phone, a bank or a post office reads.
//
// The same notice always gives the same bytes. Dates come from the notice, fonts
// are subset in a fixed order, and nothing reads a clock; so a page can be
// thrown away and drawn again, and a test can hold it against a file.
//
// Symbols are vector paths on a grid of whole modules, never images: they stay
// sharp on any printer and nothing resamples them.
//
// The marks of pagoPA, Poste Italiane and BancoPosta are not drawn. They are
// trademarks with rules of their own and belong to whoever may use them.
package pdf
