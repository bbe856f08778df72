package api

import (
	"bytes"
	"context"
	"io"

	"preavviso/internal/documents"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Documents keeps the files of a creditor's office; package documents does it.
type Documents interface {
	Add(ctx context.Context, actor string, c multe.CreditorID, kind multe.DocumentKind, from multe.Day, body []byte, dry bool) (multe.Document, []documents.Finding, error)
	List(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, before uint64, limit int) ([]multe.Document, error)
	Get(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, n uint64) (multe.Document, error)
}

// ListCreditors serves GET /v1/creditors.
func (s *server) ListCreditors(ctx context.Context, r ListCreditorsRequestObject) (ListCreditorsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Registry.Creditors(ctx, multe.CreditorID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := CreditorPage{Creditors: each(list, creditorBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListCreditors200JSONResponse(page), nil
}

// ChangeCreditor serves PUT /v1/creditors/{cf}.
func (s *server) ChangeCreditor(ctx context.Context, r ChangeCreditorRequestObject) (ChangeCreditorResponseObject, error) {
	if r.Body.Cf != r.Cf {
		return nil, fault.New(fault.Invalid, "creditor.other_cf", "Il codice fiscale nel corpo non è quello dell'indirizzo: un ente non cambia codice fiscale.")
	}
	version, err := versionOf(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	c, err := s.Registry.ChangeCreditor(ctx, actor(ctx), creditorOf(*r.Body), version)
	if err != nil {
		return nil, err
	}
	return ChangeCreditor200JSONResponse{creditorVersion(c)}, nil
}

func creditorVersion(c multe.Creditor) CreditorVersionJSONResponse {
	return CreditorVersionJSONResponse{Body: creditorBody(c), Headers: CreditorVersionResponseHeaders{ETag: etag(c.Version)}}
}

// AddDocument serves PUT /v1/creditors/{cf}/documents/{kind}.
func (s *server) AddDocument(ctx context.Context, r AddDocumentRequestObject) (AddDocumentResponseObject, error) {
	from := multe.DayOf(s.Now())
	if r.Params.From != "" {
		var err error
		if from, err = multe.ParseDay(r.Params.From); err != nil {
			return nil, fault.Wrap(fault.Invalid, "document.bad_from", "La data da cui il file è in vigore non esiste.", err)
		}
	}
	body, err := io.ReadAll(r.Body) // package web has read and bounded it
	if err != nil {
		return nil, err
	}
	d, findings, err := s.Documents.Add(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.DocumentKind(r.Kind), from, body, r.Params.DryRun)
	if err != nil {
		return nil, err
	}
	return AddDocument200JSONResponse{Document: documentBody(d), DryRun: r.Params.DryRun,
		Findings: each(findings, func(f documents.Finding) Finding { return Finding{Line: f.Line, Detail: f.Detail} })}, nil
}

// ListDocuments serves GET /v1/creditors/{cf}/documents/{kind}.
func (s *server) ListDocuments(ctx context.Context, r ListDocumentsRequestObject) (ListDocumentsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Documents.List(ctx, multe.CreditorID(r.Cf), multe.DocumentKind(r.Kind), uint64(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := DocumentPage{Documents: each(list, documentBody)}
	if len(list) == limit && list[limit-1].N > 1 {
		page.Next = int64(list[limit-1].N)
	}
	return ListDocuments200JSONResponse(page), nil
}

// ReadDocument serves GET /v1/creditors/{cf}/documents/{kind}/{n}.
func (s *server) ReadDocument(ctx context.Context, r ReadDocumentRequestObject) (ReadDocumentResponseObject, error) {
	d, err := s.Documents.Get(ctx, multe.CreditorID(r.Cf), multe.DocumentKind(r.Kind), uint64(r.N))
	if err != nil {
		return nil, err
	}
	return ReadDocument200ApplicationoctetStreamResponse{Body: bytes.NewReader(d.Body), ContentLength: int64(len(d.Body))}, nil
}

func documentBody(d multe.Document) Document {
	return Document{Kind: string(d.Kind), N: int64(d.N), From: d.From, Type: d.Type, Digest: d.Digest.String(), Actor: d.Actor, At: d.At}
}
