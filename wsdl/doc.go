// Package wsdl is PiemontePAY's contract as files: two WSDLs and their schemas,
// written by us and wire-compatible with what the platform publishes. The Go
// types of package epaywso are generated from them.
package wsdl
