package api

import (
	"context"
	"net/http"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/verbali"
)

// SearchVerbali serves POST /v1/creditors/{cf}/verbali/search.
func (s *server) SearchVerbali(ctx context.Context, r SearchVerbaliRequestObject) (SearchVerbaliResponseObject, error) {
	q := verbali.Query{Register: r.Body.Register, State: multe.VerbaleState(r.Body.State), From: r.Body.IssuedFrom, To: r.Body.IssuedTo,
		Unpaid: r.Body.Unpaid, Unrecorded: r.Body.Unrecorded}
	if r.Body.Plate != "" {
		var err error
		if q.Plate, err = multe.ParsePlate(r.Body.Plate); err != nil {
			return nil, err
		}
	}
	list, next, err := s.Verbali.Search(ctx, multe.CreditorID(r.Cf), q, multe.VerbaleID(r.Body.After), pageSize(r.Body.Limit))
	if err != nil {
		return nil, err
	}
	return SearchVerbali200JSONResponse{Verbali: each(list, s.verbaleBody), Next: string(next)}, nil
}

// ListAudit serves GET /v1/creditors/{cf}/audit.
func (s *server) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	from, to, err := days(r.Params.From, r.Params.To)
	if err != nil {
		return nil, err
	}
	list, next, err := s.Verbali.Audit(ctx, multe.CreditorID(r.Cf),
		verbali.AuditQuery{Actor: r.Params.Actor, Action: r.Params.Action, From: from, To: to}, uint64(r.Params.After), pageSize(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	return ListAudit200JSONResponse{Next: int64(next), Entries: each(list, func(e multe.AuditEntry) AuditEntry {
		return AuditEntry{Seq: int64(e.Seq), At: e.At, Actor: e.Actor, Action: e.Action, Position: string(e.Position), Subject: e.Subject,
			From: e.From, To: e.To, Code: e.Code, Text: Sentence(e)}
	})}, nil
}

// days reads a range of days, either of which may be open: the zero Day.
func days(from, to string) (first, last multe.Day, err error) {
	for _, d := range []struct {
		text string
		day  *multe.Day
	}{{from, &first}, {to, &last}} {
		if d.text == "" {
			continue
		}
		if *d.day, err = multe.ParseDay(d.text); err != nil {
			return first, last, fault.Wrap(fault.Invalid, "request.bad_day", "Una data dell'intervallo non esiste: serve AAAA-MM-GG.", err)
		}
	}
	return first, last, nil
}

// many does n things one by one, each in its own transaction, and says what became
// of each. What of the service fails is tried for the others all the same.
func (s *server) many(ctx context.Context, n int, do func(i int) (ItemOutcome, error)) Outcomes {
	out := Outcomes{Items: make([]ItemOutcome, n)}
	for i := range n {
		item, err := do(i)
		item.N, item.Status = i+1, http.StatusOK
		if err == nil {
			out.Done++
		} else {
			out.Failed++
			status, e := s.web.Outcome(ctx, err)
			item.Status, item.Code, item.Detail = status, e.Code, e.Detail
		}
		out.Items[i] = item
	}
	return out
}

// RecordVerbali serves POST /v1/creditors/{cf}/verbali/records.
func (s *server) RecordVerbali(ctx context.Context, r RecordVerbaliRequestObject) (RecordVerbaliResponseObject, error) {
	c := multe.CreditorID(r.Cf)
	return RecordVerbali200JSONResponse(s.many(ctx, len(r.Body.Items), func(i int) (ItemOutcome, error) {
		b, out := r.Body.Items[i], ItemOutcome{Verbale: r.Body.Items[i].Verbale}
		record, err := s.record(ctx, c, multe.VerbaleID(b.Verbale), b.Record, multe.Verbale.FirstRecord)
		if err != nil {
			return out, err
		}
		_, _, err = s.Verbali.Record(ctx, actor(ctx), c, multe.VerbaleID(b.Verbale), record)
		return out, err
	})), nil
}

// NotifyVerbali serves POST /v1/creditors/{cf}/verbali/notifications.
func (s *server) NotifyVerbali(ctx context.Context, r NotifyVerbaliRequestObject) (NotifyVerbaliResponseObject, error) {
	c := multe.CreditorID(r.Cf)
	return NotifyVerbali200JSONResponse(s.many(ctx, len(r.Body.Items), func(i int) (ItemOutcome, error) {
		b := r.Body.Items[i]
		out := ItemOutcome{Verbale: b.Verbale}
		switch {
		case (b.Verbale == "") == (b.Register == ""):
			return out, fault.New(fault.Invalid, "verbale.id_or_register", "Indicare il verbale oppure il suo numero di registro, non entrambi.")
		case b.Register != "":
			list, _, err := s.Verbali.Search(ctx, c, verbali.Query{Register: b.Register}, "", 1)
			if err != nil {
				return out, err
			}
			if len(list) == 0 {
				return out, fault.New(fault.NotFound, "verbale.unknown_register", "Nessun verbale dell'ente ha questo numero di registro.")
			}
			out.Verbale = string(list[0].Slip.ID)
		}
		_, _, err := s.Verbali.Notify(ctx, actor(ctx), c, multe.VerbaleID(out.Verbale), multe.Notification{How: multe.NotificationHow(b.How), Day: b.Day})
		return out, err
	})), nil
}

// VoidCodes serves POST /v1/creditors/{cf}/codes/void.
func (s *server) VoidCodes(ctx context.Context, r VoidCodesRequestObject) (VoidCodesResponseObject, error) {
	c := multe.CreditorID(r.Cf)
	return VoidCodes200JSONResponse(s.many(ctx, len(r.Body.Codes), func(i int) (ItemOutcome, error) {
		code, err := s.Verbali.FindCode(ctx, c, r.Body.Codes[i])
		if err != nil {
			return ItemOutcome{}, err
		}
		_, err = s.Pool.Void(ctx, actor(ctx), c, code.Position, r.Body.Reason)
		return ItemOutcome{Position: string(code.Position)}, err
	})), nil
}
