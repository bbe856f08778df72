package api

import (
	"bytes"
	"context"
	"fmt"

	"preavviso/internal/exports"
	"preavviso/internal/multe"
)

// Exports makes and keeps lists of acts; package exports does it.
type Exports interface {
	Make(ctx context.Context, by string, q exports.Request) (multe.Export, error)
	List(ctx context.Context, c multe.CreditorID, after multe.ExportID, limit int) ([]multe.Export, error)
	Lines(ctx context.Context, c multe.CreditorID, id multe.ExportID, after, limit int) (multe.Export, []exports.Line, error)
	File(ctx context.Context, c multe.CreditorID, id multe.ExportID) (multe.Export, []exports.Row, error)
	Withdraw(ctx context.Context, by string, c multe.CreditorID, id multe.ExportID) (multe.Export, error)
}

// MakeExport serves POST /v1/creditors/{cf}/exports.
func (s *server) MakeExport(ctx context.Context, r MakeExportRequestObject) (MakeExportResponseObject, error) {
	x, err := s.Exports.Make(ctx, actor(ctx), exports.Request{Creditor: multe.CreditorID(r.Cf), ID: multe.ExportID(r.Body.Id),
		Kind: multe.ExportKind(r.Body.Kind), Again: r.Body.Again, Despite: r.Body.Despite})
	if err != nil {
		return nil, err
	}
	return MakeExport200JSONResponse(exportBody(x)), nil
}

// ListExports serves GET /v1/creditors/{cf}/exports.
func (s *server) ListExports(ctx context.Context, r ListExportsRequestObject) (ListExportsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Exports.List(ctx, multe.CreditorID(r.Cf), multe.ExportID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := ExportPage{Exports: each(list, exportBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListExports200JSONResponse(page), nil
}

// ReadExport serves GET /v1/creditors/{cf}/exports/{id}.
func (s *server) ReadExport(ctx context.Context, r ReadExportRequestObject) (ReadExportResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	x, lines, err := s.Exports.Lines(ctx, multe.CreditorID(r.Cf), multe.ExportID(r.Id), r.Params.After, limit)
	if err != nil {
		return nil, err
	}
	page := ExportAndLines{Export: exportBody(x), Lines: each(lines, func(l exports.Line) ExportLine {
		line := ExportLine{N: l.N, Verbale: string(l.Verbale.Slip.ID), Reference: l.Verbale.Slip.ReferenceOrCode(), State: VerbaleState(l.Verbale.State), Out: ExportLineOut(l.Out)}
		if rec := l.Verbale.Record; rec != nil {
			line.Reference = rec.Register
		}
		return line
	})}
	if len(lines) == limit {
		page.Next = lines[limit-1].N
	}
	return ReadExport200JSONResponse(page), nil
}

// WithdrawExport serves DELETE /v1/creditors/{cf}/exports/{id}.
func (s *server) WithdrawExport(ctx context.Context, r WithdrawExportRequestObject) (WithdrawExportResponseObject, error) {
	x, err := s.Exports.Withdraw(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.ExportID(r.Id))
	if err != nil {
		return nil, err
	}
	return WithdrawExport200JSONResponse(exportBody(x)), nil
}

// ReadExportFile serves GET /v1/creditors/{cf}/exports/{id}/file.json.
func (s *server) ReadExportFile(ctx context.Context, r ReadExportFileRequestObject) (ReadExportFileResponseObject, error) {
	x, rows, err := s.Exports.File(ctx, multe.CreditorID(r.Cf), multe.ExportID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadExportFile200JSONResponse{Export: exportBody(x), Rows: each(rows, exportRowBody)}, nil
}

// ReadExportCSV serves GET /v1/creditors/{cf}/exports/{id}/file.csv.
func (s *server) ReadExportCSV(ctx context.Context, r ReadExportCSVRequestObject) (ReadExportCSVResponseObject, error) {
	x, rows, err := s.Exports.File(ctx, multe.CreditorID(r.Cf), multe.ExportID(r.Id))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer // a list is whole or not at all; it has at most 2,000 rows
	if err := exports.WriteCSV(&b, x, rows); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return ReadExportCSV200TextcsvResponse{Body: &b, ContentLength: int64(b.Len())}, nil
}

func exportBody(x multe.Export) Export {
	return Export{Id: string(x.ID), Kind: ExportKind(x.Kind), At: x.At, By: x.By, Count: x.Count, More: x.More, Again: x.Again,
		Digest: x.Digest.String(), Withdrawn: x.Withdrawn}
}

func exportRowBody(r exports.Row) ExportRow {
	out := ExportRow{Verbale: string(r.Verbale), Reference: r.Reference, Plate: r.Plate, Nation: r.Nation, Vehicle: r.Vehicle, At: r.At, Place: r.Place,
		Register: r.Register, Avviso: r.Avviso, Norm: r.Norm, Conduct: r.Conduct, Warden: r.Warden, Causale: r.Causale, DueCents: int64(r.Due), PaidCents: int64(r.Paid)}
	if r.Debtor != nil {
		out.Debtor = ownerBody(*r.Debtor)
	}
	return out
}
