package api

import (
	"context"

	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/visure"
)

// previewRows is how many rows of an extract are shown as understood: enough to
// see that the columns are the right ones.
const previewRows = 10

// Owners keeps who owned a vehicle; package owners does it.
type Owners interface {
	Import(ctx context.Context, by string, c multe.CreditorID, list []owners.Owner) (fresh int, err error)
	Hints(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]owners.Hint, error)
}

// ImportOwners serves POST /v1/creditors/{cf}/owners/import.
func (s *server) ImportOwners(ctx context.Context, r ImportOwnersRequestObject) (ImportOwnersResponseObject, error) {
	mapping := visure.Mapping{}
	for field, title := range r.Body.Mapping {
		mapping[visure.Field(field)] = title
	}
	sheet, err := visure.Read(r.Body.File, mapping)
	if err != nil {
		return nil, err
	}
	out := OwnerImport{Encoding: OwnerImportEncoding(sheet.Encoding), Header: sheet.Header, Mapping: map[string]string{}, Rows: len(sheet.Rows), Bad: sheet.Bad,
		Wrong: each(sheet.Wrong, wrongRowBody), Preview: each(sheet.Rows[:min(len(sheet.Rows), previewRows)], ownerRowBody)}
	for field, title := range sheet.Mapping {
		out.Mapping[string(field)] = title
	}
	if r.Body.Commit && sheet.Bad == 0 {
		list := each(sheet.Rows, func(r visure.Row) owners.Owner {
			return owners.Owner{Plate: r.Plate, From: r.From, Until: r.Until, Debtor: r.Debtor}
		})
		if out.Fresh, err = s.Owners.Import(ctx, actor(ctx), multe.CreditorID(r.Cf), list); err != nil {
			return nil, err
		}
		out.Committed = true
	}
	return ImportOwners200JSONResponse(out), nil
}

// ListOwnerHints serves GET /v1/creditors/{cf}/verbali/{id}/owner-hints.
func (s *server) ListOwnerHints(ctx context.Context, r ListOwnerHintsRequestObject) (ListOwnerHintsResponseObject, error) {
	list, err := s.Owners.Hints(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id))
	if err != nil {
		return nil, err
	}
	return ListOwnerHints200JSONResponse{Hints: each(list, func(h owners.Hint) OwnerHint {
		return OwnerHint{Fits: h.Fits, From: h.From, Until: h.Until, Owner: ownerBody(*h.Debtor), Imported: h.Imported, Expires: h.Expires}
	})}, nil
}

func wrongRowBody(w visure.Wrong) WrongRow {
	return WrongRow{Line: w.Line, Column: w.Column, Field: OwnerField(w.Field), Detail: w.Detail}
}

func ownerRowBody(r visure.Row) OwnerRow {
	return OwnerRow{Line: r.Line, Plate: string(r.Plate), From: r.From, Until: r.Until, Owner: ownerBody(r.Debtor)}
}

func ownerBody(d multe.Debtor) Owner {
	return Owner{Surname: d.Surname, Name: d.Name, Company: d.Company, Cf: string(d.CF), Address: d.Address, Civico: d.Civico, Cap: d.CAP,
		City: d.City, Province: d.Province, Nation: d.Nation, Email: d.Email}
}
