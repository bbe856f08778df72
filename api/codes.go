package api

import (
	"context"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/portal"
)

// VoidCode serves POST /v1/creditors/{cf}/codes/{code}/void.
func (s *server) VoidCode(ctx context.Context, r VoidCodeRequestObject) (VoidCodeResponseObject, error) {
	c := multe.CreditorID(r.Cf)
	k, err := s.Verbali.FindCode(ctx, c, r.Code)
	if err != nil {
		return nil, err
	}
	if k, err = s.Pool.Void(ctx, actor(ctx), c, k.Position, r.Body.Reason); err != nil {
		return nil, err
	}
	return VoidCode200JSONResponse(codeBody(k)), nil
}

// UndoVoid serves DELETE /v1/creditors/{cf}/codes/{code}/void.
func (s *server) UndoVoid(ctx context.Context, r UndoVoidRequestObject) (UndoVoidResponseObject, error) {
	c := multe.CreditorID(r.Cf)
	k, err := s.Verbali.FindCode(ctx, c, r.Code)
	if err != nil {
		return nil, err
	}
	if k, err = s.Pool.UndoVoid(ctx, actor(ctx), c, k.Position); err != nil {
		return nil, err
	}
	return UndoVoid200JSONResponse(codeBody(k)), nil
}

// ListOrphans serves GET /v1/creditors/{cf}/orphans.
func (s *server) ListOrphans(ctx context.Context, r ListOrphansRequestObject) (ListOrphansResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Pool.Orphans(ctx, multe.CreditorID(r.Cf), multe.PositionID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := CodePage{Codes: each(list, codeBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].Position)
	}
	return ListOrphans200JSONResponse(page), nil
}

// ImportCodes serves POST /v1/creditors/{cf}/orphans/import.
func (s *server) ImportCodes(ctx context.Context, r ImportCodesRequestObject) (ImportCodesResponseObject, error) {
	found := make([]multe.Found, len(r.Body.Rows))
	for i, row := range r.Body.Rows {
		n, err := avviso.ParseNumber(row.Avviso)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "avviso.malformed", "Un codice avviso non è corretto: le cifre di controllo non corrispondono.", err)
		}
		found[i] = multe.Found{Line: row.Line, Position: multe.PositionID(row.Position), Number: n, Upstream: row.Upstream}
	}
	list, committed, err := s.Pool.Recover(ctx, actor(ctx), multe.CreditorID(r.Cf), found, r.Body.Commit)
	if err != nil {
		return nil, err
	}
	return ImportCodes200JSONResponse{Committed: committed, Rows: each(list, func(k pool.Recovered) ImportedCode {
		return ImportedCode{Line: k.Line, Position: string(k.Position), Avviso: k.Number.String(), Outcome: ImportedCodeOutcome(k.Outcome), Detail: k.Detail}
	})}, nil
}

// MakePortalList serves POST /v1/creditors/{cf}/lista-di-carico.
func (s *server) MakePortalList(ctx context.Context, r MakePortalListRequestObject) (MakePortalListResponseObject, error) {
	l, err := s.Pool.List(ctx, actor(ctx), multe.CreditorID(r.Cf), portal.List)
	if err != nil {
		return nil, err
	}
	return MakePortalList200JSONResponse{Id: string(l.ID), Size: l.Size, File: string(l.File), Instructions: portal.Instructions(l.Size)}, nil
}
