package api

import (
	"bytes"
	"context"
	"fmt"

	"preavviso/internal/fault"
	"preavviso/internal/flussi"
	"preavviso/internal/multe"
)

// ListFlussi serves GET /v1/creditors/{cf}/flussi.
func (s *server) ListFlussi(ctx context.Context, r ListFlussiRequestObject) (ListFlussiResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Flussi.List(ctx, multe.CreditorID(r.Cf), multe.FlussoID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := FlussoPage{Flussi: each(list, flussoBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListFlussi200JSONResponse(page), nil
}

// ReadFlusso serves GET /v1/creditors/{cf}/flussi/{id}.
func (s *server) ReadFlusso(ctx context.Context, r ReadFlussoRequestObject) (ReadFlussoResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	f, lines, err := s.Flussi.Get(ctx, multe.CreditorID(r.Cf), multe.FlussoID(r.Id), r.Params.After, limit)
	if err != nil {
		return nil, err
	}
	page := FlussoAndLines{Flusso: flussoBody(f), Lines: each(lines, flussoLineBody)}
	if len(lines) == limit {
		page.Next = lines[limit-1].N
	}
	return ReadFlusso200JSONResponse(page), nil
}

// ReadAccounting serves GET /v1/creditors/{cf}/accounting.json.
func (s *server) ReadAccounting(ctx context.Context, r ReadAccountingRequestObject) (ReadAccountingResponseObject, error) {
	from, to, entries, err := s.accounting(ctx, r.Cf, r.Params.From, r.Params.To)
	if err != nil {
		return nil, err
	}
	out := Accounting{From: from, To: to, Entries: each(entries, entryOfAccounting)}
	for _, e := range entries {
		out.TotalCents += int64(e.Cents)
	}
	return ReadAccounting200JSONResponse(out), nil
}

// ReadAccountingCSV serves GET /v1/creditors/{cf}/accounting.csv.
func (s *server) ReadAccountingCSV(ctx context.Context, r ReadAccountingCSVRequestObject) (ReadAccountingCSVResponseObject, error) {
	_, _, entries, err := s.accounting(ctx, r.Cf, r.Params.From, r.Params.To)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := flussi.WriteCSV(&b, entries); err != nil {
		return nil, fmt.Errorf("accounting: %w", err)
	}
	return ReadAccountingCSV200TextcsvResponse{Body: &b, ContentLength: int64(b.Len())}, nil
}

func (s *server) accounting(ctx context.Context, cf, from, to string) (first, last multe.Day, entries []flussi.Entry, err error) {
	first, err1 := multe.ParseDay(from)
	last, err2 := multe.ParseDay(to)
	if err1 != nil || err2 != nil || first.Year < 1970 { // before there were computers, instants cannot be told
		return first, last, nil, fault.New(fault.Invalid, "accounting.bad_period", "Il periodo va indicato con il primo e l'ultimo giorno, nella forma AAAA-MM-GG.")
	}
	entries, err = s.Flussi.Accounting(ctx, multe.CreditorID(cf), first, last)
	return first, last, entries, err
}

func flussoBody(f multe.Flusso) Flusso {
	return Flusso{
		Id: string(f.ID), Kind: FlussoKind(f.Kind), Psp: f.PSP, PspName: f.PSPName, Name: f.Name, Trn: f.TRN, SettledOn: f.SettledOn,
		Declared: !f.Undeclared, Count: f.Count, Cents: int64(f.Cents), Lines: f.Lines, LinesCents: int64(f.LinesCents), Unread: f.Unread,
		Copies: len(f.Copies), Received: f.Received,
	}
}

func flussoLineBody(l flussi.Line) FlussoLine {
	return FlussoLine{
		N: l.N, Iuv: l.IUV, Iur: l.IUR, Index: l.Index, Cents: int64(l.Cents), Outcome: FlussoLineOutcome(l.Outcome), PaidOn: l.PaidOn,
		CodiceVersamento: l.CodiceVersamento, Capitolo: l.Capitolo, Articolo: l.Articolo, Pdc: l.PdC,
		AccertamentoYear: l.AccertamentoYear, AccertamentoNumber: l.AccertamentoNumber,
		Match: Match(l.Match), Position: string(l.Position), Verbale: string(l.Verbale),
	}
}

func entryOfAccounting(e flussi.Entry) AccountingEntry {
	return AccountingEntry{
		PaidOn: e.PaidOn, Iuv: e.IUV, Avviso: e.Avviso, Reference: e.Reference, Causale: e.Causale, Cents: int64(e.Cents), Iur: e.IUR, Psp: e.PSP,
		Flusso: e.Flusso, Trn: e.TRN, SettledOn: e.SettledOn, FlowCents: int64(e.FlowCents),
		CodiceVersamento: e.CodiceVersamento, Capitolo: e.Capitolo, Articolo: e.Articolo, Pdc: e.PdC,
		AccertamentoYear: e.AccertamentoYear, AccertamentoNumber: e.AccertamentoNumber, Match: Match(e.Match),
	}
}
