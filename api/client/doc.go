// Package client speaks the back office's JSON API, from its openapi.yaml: for
// the command line, and for the town's own software.
//
// The generated [ClientWithResponses] has a method for each operation. [Dial]
// makes one with the limits and the manners that the service expects; [Check]
// reads what it refused. Every write may be repeated: see the description of the
// API.
package client
