// Package escpos prints the preavviso on thermal paper: 58, 80 or 112 mm wide, at
// 203 or 300 dots per inch, for printers that speak ESC/POS, ZPL or CPCL.
//
// One layout serves all: lines of characters of one width, and rows of symbols.
//
//	pdf.Notice ─▶ layout ─▶ bitmap ─┬▶ ESC/POS, ZPL, CPCL: all as dots, or
//	                                │  only the symbols and text for the printer's own font
//	                                ├▶ PNG
//	                                └▶ PDF
//
// Symbols are always dots of ours, a whole number for each module and with their
// quiet zone: printers cannot be told the version of a QR code, their commands for
// a Data Matrix differ by maker, and an image that a printer scales stops being
// read. Before a slip leaves, its symbols are read back from those dots and its
// figures are compared with what they say.
package escpos
