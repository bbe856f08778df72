// Package pdf draws A4 prints: the preavviso that is left on a windscreen, the
// pagoPA notice of the national guide, and the verbale that is served.
//
// The same document and texts always give the same bytes. Dates come from the
// document, fonts are cut once and in a fixed order, and nothing reads a clock;
// so a print can be thrown away and drawn again, with the words of its day.
//
//	Document ─▶ layout (sheet) ─▶ content of each page ─▶ self-check ─▶ file
//	                 ▲                                                   ▲
//	              widths ─────────── typeCase: gofpdf, once ────────── fonts
//
// Symbols are vector paths on a grid of whole modules, never images: they stay
// sharp on any printer and nothing resamples them. Every page is read back from
// the bytes that go into the file, and what its symbols say is compared with
// what is printed beside them.
//
// The marks of pagoPA, Poste Italiane and BancoPosta are not drawn. They are
// trademarks with rules of their own and belong to whoever may use them.
//
// internal/docs/adr/0008-print-writer.md says why pages are written here and not
// by gofpdf.
package pdf
