// Package certify is the certification kit for handhelds: a service that
// misbehaves on purpose, watches a device from outside, and writes down which
// rules it keeps.
//
// Behind the faults is the real service: the real use cases on a store in a
// temporary folder, under the real openapi.yaml. A kit of doubles would certify
// devices for a service that does not exist.
//
// # Rules
//
// [Rules] is the table. A rule either plays a scene (it plans a fault, asks the
// [Operator] for what only a hand on the device can do, and waits) or judges all
// that was seen. Ids are stable: a report of last year names the same rules. A mild
// rule that is not kept is a warning.
//
// A rule is passed by what arrives over the network. The kit believes nothing the
// device says about itself, with one exception: whether a revoked device refuses
// to print, the operator sees.
//
// # What it remembers
//
// Bodies are kept in memory while the kit runs. The [Report] has times, routes,
// ids, codes and statuses: no plate, place, warden, key, token or enrolment code.
//
// Limits: batches are answered 404 but for one rule, so that each slip meets its own
// fault, and so are streams; devices that sign; a bearer token is not certified. One device at a time.
package certify
