package api

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/photos"
)

// Photos shows the photos of verbali; package photos does it.
type Photos interface {
	OfVerbale(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]multe.Photo, error)
	Show(ctx context.Context, actor string, c multe.CreditorID, v multe.VerbaleID, id multe.PhotoID, size photos.Size) ([]byte, error)
	Bytes(ctx context.Context, actor string, c multe.CreditorID, v multe.VerbaleID, id multe.PhotoID) (multe.Photo, []byte, error)
}

// Feedback carries messages to handhelds; package feedback does it.
type Feedback interface {
	Write(ctx context.Context, actor string, c multe.CreditorID, id multe.BulletinID, d multe.DeviceID, text string, expires time.Time) (multe.Bulletin, error)
	Bulletins(ctx context.Context, c multe.CreditorID, after multe.BulletinID, limit int) ([]multe.Bulletin, error)
	Bulletin(ctx context.Context, c multe.CreditorID, id multe.BulletinID) (multe.Bulletin, []multe.BulletinRead, error)
}

// ListPhotos serves GET /v1/creditors/{cf}/verbali/{id}/photos.
func (s *server) ListPhotos(ctx context.Context, r ListPhotosRequestObject) (ListPhotosResponseObject, error) {
	list, err := s.Photos.OfVerbale(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id))
	if err != nil {
		return nil, err
	}
	return ListPhotos200JSONResponse{Photos: each(list, func(p multe.Photo) Photo {
		return Photo{Id: string(p.ID), State: PhotoState(p.State), Sha256: p.Digest.String(), Size: p.Size, Received: p.Have,
			Media: p.Media, Reason: p.Reason, Declared: p.Declared, Changed: p.Changed}
	})}, nil
}

// ReadPhoto serves GET /v1/creditors/{cf}/verbali/{id}/photos/{photo}.
func (s *server) ReadPhoto(ctx context.Context, r ReadPhotoRequestObject) (ReadPhotoResponseObject, error) {
	shown, err := s.Photos.Show(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id), multe.PhotoID(r.Photo), cmp.Or(photos.Size(r.Params.Size), photos.Page))
	if err != nil {
		return nil, err
	}
	return ReadPhoto200ImagejpegResponse{Body: bytes.NewReader(shown), ContentLength: int64(len(shown))}, nil
}

// ReadPhotoOriginal serves GET /v1/creditors/{cf}/verbali/{id}/photos/{photo}/original.
// A photo is JPEG, or it would not be kept; package web forbids to guess another type.
func (s *server) ReadPhotoOriginal(ctx context.Context, r ReadPhotoOriginalRequestObject) (ReadPhotoOriginalResponseObject, error) {
	_, file, err := s.Photos.Bytes(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id), multe.PhotoID(r.Photo))
	if err != nil {
		return nil, err
	}
	return ReadPhotoOriginal200ImagejpegResponse{Body: bytes.NewReader(file), ContentLength: int64(len(file))}, nil
}

// SendDeviceMessage serves POST /v1/creditors/{cf}/messages.
func (s *server) SendDeviceMessage(ctx context.Context, r SendDeviceMessageRequestObject) (SendDeviceMessageResponseObject, error) {
	b, err := s.Feedback.Write(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.BulletinID(r.Body.Id), multe.DeviceID(r.Body.Device), r.Body.Text, r.Body.ExpiresAt)
	if err != nil {
		return nil, err
	}
	return SendDeviceMessage201JSONResponse(deviceMessageBody(b)), nil
}

// ListDeviceMessages serves GET /v1/creditors/{cf}/messages.
func (s *server) ListDeviceMessages(ctx context.Context, r ListDeviceMessagesRequestObject) (ListDeviceMessagesResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Feedback.Bulletins(ctx, multe.CreditorID(r.Cf), multe.BulletinID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := DeviceMessagePage{Messages: each(list, deviceMessageBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListDeviceMessages200JSONResponse(page), nil
}

// ReadDeviceMessage serves GET /v1/creditors/{cf}/messages/{id}.
func (s *server) ReadDeviceMessage(ctx context.Context, r ReadDeviceMessageRequestObject) (ReadDeviceMessageResponseObject, error) {
	b, reads, err := s.Feedback.Bulletin(ctx, multe.CreditorID(r.Cf), multe.BulletinID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadDeviceMessage200JSONResponse{Message: deviceMessageBody(b), Readers: each(reads, func(read multe.BulletinRead) MessageReader {
		return MessageReader{Device: string(read.Device), ReadAt: read.At}
	})}, nil
}

func deviceMessageBody(b multe.Bulletin) DeviceMessage {
	return DeviceMessage{Id: string(b.ID), Device: string(b.Device), Text: b.Text, WrittenBy: b.Actor, WrittenAt: b.Written, ExpiresAt: b.Expires}
}
