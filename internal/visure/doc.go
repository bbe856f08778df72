// Package visure reads extracts (visure) of vehicle registers: who owned which
// vehicle, from when until when.
//
// # The problem
//
// Every supplier's extract has its own columns, titles, dates and encoding; it
// went through a spreadsheet on the way; and it is personal data that will be
// written to. A row that is half understood is worse than one that is refused.
//
// # The way out
//
// Columns are found by their titles, leniently, and what is found can be
// overridden. A file is understood whole or not at all: what cannot be a table is
// refused with its line; a row that makes no sense is shown with its line, its
// column and a reason, and whoever imports decides nothing by halves: with one
// wrong row nothing is imported.
//
// UTF-8, with or without a byte order mark, and Windows-1252 are told apart by
// their bytes. A cell that a spreadsheet would run as a formula is wrong.
package visure
