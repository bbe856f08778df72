// Package symbol makes the square and bar symbols of notices, and reads them
// back.
//
// What is printed on paper cannot be recalled, so every symbol is read again,
// from the modules that were drawn, by somebody who had no hand in making it:
//
//	           made by                            read by
//	QR         this package, error correction     gozxing
//	           by boombuler; equal to boombuler's
//	           own symbol, module by module
//	Data Matrix gozxing                           this package
//	Code 128   boombuler                          gozxing
//
// internal/docs/adr/0008-print-writer.md has the reasons and the figures.
package symbol
