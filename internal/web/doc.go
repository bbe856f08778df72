// Package web is what both HTTP APIs share: errors, limits and identities.
//
// A [Server] is made from an OpenAPI document, which is the truth about the API.
// Before a handler runs, its request has passed these gates, in this order:
//
//	a trace id, the security headers, the access log, recovery from panics
//	404, 405         there is such an operation
//	401, 403         somebody we know, who may ask for it ([Config.Admit],
//	                 [Config.AdmitSigned], whose requests come once)
//	415, 413, 400    a JSON body of bounded size, without double keys or a tail
//	422              parameters and body are what the document says
//	400, 409, 422    it is not done twice under one Idempotency-Key ([Repeats])
//
// What is refused is answered as RFC 9457 with a stable code and an Italian text
// that names the field and never repeats its value. Handlers return errors; one
// table makes a status of their kind, and the text of an unclassified error stays
// in the log.
//
// Logs carry route patterns, statuses and traces: no path, query, header or body.
package web
