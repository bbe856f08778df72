package firmwareapi

import (
	"context"
	"encoding/hex"
	"io"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/web"
)

// Photos takes the photos of violations; package photos does it.
type Photos interface {
	Declare(ctx context.Context, c multe.CreditorID, d multe.DeviceID, s multe.PhotoSheet) (multe.Photo, error)
	Add(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.PhotoID, offset int, data []byte) (multe.Photo, error)
	Get(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.PhotoID) (multe.Photo, error)
}

// DeclarePhoto serves POST /v1/photos.
func (s *server) DeclarePhoto(ctx context.Context, r DeclarePhotoRequestObject) (DeclarePhotoResponseObject, error) {
	var sum multe.Digest
	if _, err := hex.Decode(sum[:], []byte(r.Body.Sha256)); err != nil {
		return nil, err // impossible: the document says 64 hex digits
	}
	d := caller(ctx)
	p, err := s.photos.Declare(ctx, d.Creditor, d.ID, multe.PhotoSheet{
		ID: multe.PhotoID(r.Body.Id), Verbale: multe.VerbaleID(r.Body.Verbale), Digest: sum, Size: r.Body.Size, Media: r.Body.Media})
	if err != nil {
		return nil, err
	}
	return DeclarePhoto200JSONResponse(photoBody(p)), nil
}

// ReadPhoto serves GET /v1/photos/{id}.
func (s *server) ReadPhoto(ctx context.Context, r ReadPhotoRequestObject) (ReadPhotoResponseObject, error) {
	d := caller(ctx)
	p, err := s.photos.Get(ctx, d.Creditor, d.ID, multe.PhotoID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadPhoto200JSONResponse(photoBody(p)), nil
}

// SendPhotoChunk serves PUT /v1/photos/{id}/chunks/{offset}.
func (s *server) SendPhotoChunk(ctx context.Context, r SendPhotoChunkRequestObject) (SendPhotoChunkResponseObject, error) {
	data, err := io.ReadAll(r.Body) // bounded, and in memory already: package web has read it
	if err != nil {
		return nil, err
	}
	d := caller(ctx)
	p, err := s.photos.Add(ctx, d.Creditor, d.ID, multe.PhotoID(r.Id), r.Offset, data)
	if fault.Of(err).Code == "photo.wrong_offset" {
		return nil, web.WithOffset(err, p.Have)
	}
	if err != nil {
		return nil, err
	}
	return SendPhotoChunk200JSONResponse(photoBody(p)), nil
}

func photoBody(p multe.Photo) PhotoStatus {
	return PhotoStatus{Id: string(p.ID), State: PhotoStatusState(p.State), Offset: p.Have, Size: p.Size, Code: p.Reason}
}
