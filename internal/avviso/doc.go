// Package avviso holds the numbers and payloads printed on a pagoPA payment
// notice. It is pure: it reads no clock, no file and no network.
package avviso
