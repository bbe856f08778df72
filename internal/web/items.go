package web

import (
	"context"
	"errors"
	"net/http"

	"preavviso/internal/fault"
)

// What an operation that takes several things at once needs: each is checked and
// answered as if it had come alone.

// CheckBody checks what would be the body of another operation, named as
// "POST /v1/things".
func (s *Server) CheckBody(key string, body []byte) error {
	op := s.operations[key]
	if op.Operation == nil || op.body == nil {
		return errors.New("the document has no such body: " + key)
	}
	v, err := parseJSON(body)
	if _, number := errors.AsType[errNumber](err); err != nil && !number {
		return fault.Wrap(fault.Invalid, "request.invalid", "Il contenuto non è JSON valido.", err)
	} else if number {
		return fault.Wrap(fault.Invalid, "request.invalid", "Un numero non è intero.", err)
	}
	fields := checkSchema(op.body, v)
	if len(fields) == 0 {
		return nil
	}
	detail := "Il contenuto non è valido:"
	for i, f := range fields {
		if i > 0 {
			detail += ";"
		}
		detail += " " + *f.Pointer + " " + f.Detail
	}
	return fault.New(fault.Invalid, "request.invalid", detail)
}

// Outcome is what [Server.Fail] would answer, for one of several things. It logs
// what is ours.
func (s *Server) Outcome(ctx context.Context, err error) (status int, e *fault.Error) {
	e = fault.Of(err)
	if e.Kind == fault.Internal {
		s.log.ErrorContext(ctx, "an item failed", "err", err)
		e = fault.Of(nil)
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			e = fault.Of(fault.Unavailable)
		}
	}
	if status = statuses[e.Kind]; status == 0 {
		status = http.StatusInternalServerError
	}
	return status, e
}
