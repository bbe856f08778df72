package firmwareapi

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"preavviso/internal/fault"
	"preavviso/internal/feedback"
	"preavviso/internal/multe"
)

// Feedback knows what handhelds want to hear; package feedback does it.
type Feedback interface {
	Start() uint64
	Wait() <-chan struct{}
	Poll(ctx context.Context, c multe.CreditorID, d multe.DeviceID, after uint64, limit int) (feedback.Page, error)
	Read(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.BulletinID) (multe.BulletinRead, error)
	Sightings(ctx context.Context, c multe.CreditorID) ([]feedback.SightingDay, error)
}

// ReadFeedback serves GET /v1/feedback.
func (s *server) ReadFeedback(ctx context.Context, r ReadFeedbackRequestObject) (ReadFeedbackResponseObject, error) {
	d := caller(ctx)
	after, err := s.cursor(r.Params.After)
	if err != nil {
		return nil, err
	}
	limit := r.Params.Limit
	if limit == 0 {
		limit = feedback.MaxPoll
	}
	page, err := s.feedback.Poll(ctx, d.Creditor, d.ID, after, limit)
	if err != nil {
		return nil, err
	}
	return ReadFeedback200JSONResponse(feedbackBody(page)), nil
}

// cursor reads where a handheld wants to go on.
func (s *server) cursor(after string) (uint64, error) {
	if after == "" {
		return s.feedback.Start(), nil
	}
	n, err := strconv.ParseUint(after, 10, 64)
	if err != nil { // impossible: the document says at most 19 digits
		return 0, fault.Wrap(fault.Invalid, "feedback.bad_cursor", "Il punto da cui continuare non è valido.", err)
	}
	return n, nil
}

func feedbackBody(p feedback.Page) FeedbackPage {
	out := FeedbackPage{Cursor: strconv.FormatUint(p.Cursor, 10), More: p.More, Slips: []SlipFeedback{}, Messages: []Message{}}
	for _, item := range p.Slips {
		out.Slips = append(out.Slips, SlipFeedback{Id: string(item.Verbale), Status: SlipFeedbackStatus(item.Status),
			Since: item.Since, Code: item.Code, Detail: item.Detail})
	}
	for _, b := range p.Bulletins {
		out.Messages = append(out.Messages, Message{Id: string(b.ID), Text: b.Text, WrittenAt: b.Written, ExpiresAt: b.Expires})
	}
	return out
}

// ConfirmMessage serves POST /v1/messages/{id}/read.
func (s *server) ConfirmMessage(ctx context.Context, r ConfirmMessageRequestObject) (ConfirmMessageResponseObject, error) {
	d := caller(ctx)
	read, err := s.feedback.Read(ctx, d.Creditor, d.ID, multe.BulletinID(r.Id))
	if err != nil {
		return nil, err
	}
	return ConfirmMessage200JSONResponse{Id: r.Id, ReadAt: read.At}, nil
}

// ReadSightings serves GET /v1/sightings.
func (s *server) ReadSightings(ctx context.Context, r ReadSightingsRequestObject) (ReadSightingsResponseObject, error) {
	list, err := s.feedback.Sightings(ctx, caller(ctx).Creditor)
	if err != nil {
		return nil, err
	}
	out := Sightings{Hours: feedback.SightingHours, Digits: multe.SightingDigits, Days: []SightingDay{}}
	for _, day := range list {
		out.Days = append(out.Days, SightingDay{Salt: day.Salt, Values: day.Values})
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	tag := `"` + multe.DigestOf(raw).String()[:32] + `"`
	if strings.TrimPrefix(r.Params.IfNoneMatch, "W/") == tag { // a proxy that compresses makes it weak
		return ReadSightings304Response{Headers: ReadSightings304ResponseHeaders{ETag: tag}}, nil
	}
	return ReadSightings200JSONResponse{Body: out, Headers: ReadSightings200ResponseHeaders{ETag: tag}}, nil
}
