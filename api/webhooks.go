package api

import (
	"context"
	"strings"

	"preavviso/internal/multe"
	"preavviso/internal/webhooks"
)

// Webhooks tells other programs what happens; package webhooks does it.
type Webhooks interface {
	List(ctx context.Context, c multe.CreditorID) ([]multe.Webhook, error)
	Put(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID, url string, families []string) (multe.Webhook, multe.WebhookSecret, error)
	Pause(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID) (multe.Webhook, error)
	Resume(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID, after *uint64) (multe.Webhook, error)
	Rotate(ctx context.Context, actor string, c multe.CreditorID, id multe.WebhookID) (multe.Webhook, multe.WebhookSecret, error)
	Events(ctx context.Context, c multe.CreditorID, families []string, after uint64, limit int) ([]webhooks.Event, uint64, error)
}

// ListEvents serves GET /v1/creditors/{cf}/events.
func (s *server) ListEvents(ctx context.Context, r ListEventsRequestObject) (ListEventsResponseObject, error) {
	var families []string
	if r.Params.Families != "" {
		families = strings.Split(r.Params.Families, ",")
	}
	events, next, err := s.Webhooks.Events(ctx, multe.CreditorID(r.Cf), families, uint64(r.Params.After), pageSize(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	return ListEvents200JSONResponse(EventPage{Next: int64(next), Events: each(events, func(e webhooks.Event) Event {
		return Event{Id: e.ID, Seq: int64(e.Seq), Type: e.Type, At: e.At, Actor: e.Actor, Position: e.Position, Subject: e.Subject, From: e.From, To: e.To, Code: e.Code}
	})}), nil
}

// ListWebhooks serves GET /v1/creditors/{cf}/webhooks.
func (s *server) ListWebhooks(ctx context.Context, r ListWebhooksRequestObject) (ListWebhooksResponseObject, error) {
	ws, err := s.Webhooks.List(ctx, multe.CreditorID(r.Cf))
	if err != nil {
		return nil, err
	}
	return ListWebhooks200JSONResponse(WebhookList{Webhooks: each(ws, webhookBody)}), nil
}

// PutWebhook serves PUT /v1/creditors/{cf}/webhooks/{id}.
func (s *server) PutWebhook(ctx context.Context, r PutWebhookRequestObject) (PutWebhookResponseObject, error) {
	families := each(r.Body.Families, func(f EventFamily) string { return string(f) })
	w, secret, err := s.Webhooks.Put(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.WebhookID(r.Id), r.Body.Url, families)
	if err != nil {
		return nil, err
	}
	return PutWebhook200JSONResponse(WebhookAndSecret{Webhook: webhookBody(w), Secret: string(secret)}), nil
}

// PauseWebhook serves POST /v1/creditors/{cf}/webhooks/{id}/pause.
func (s *server) PauseWebhook(ctx context.Context, r PauseWebhookRequestObject) (PauseWebhookResponseObject, error) {
	w, err := s.Webhooks.Pause(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.WebhookID(r.Id))
	if err != nil {
		return nil, err
	}
	return PauseWebhook200JSONResponse(webhookBody(w)), nil
}

// ResumeWebhook serves POST /v1/creditors/{cf}/webhooks/{id}/resume.
func (s *server) ResumeWebhook(ctx context.Context, r ResumeWebhookRequestObject) (ResumeWebhookResponseObject, error) {
	var after *uint64
	if a := r.Body.After; a != nil {
		from := uint64(*a)
		after = &from
	}
	w, err := s.Webhooks.Resume(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.WebhookID(r.Id), after)
	if err != nil {
		return nil, err
	}
	return ResumeWebhook200JSONResponse(webhookBody(w)), nil
}

// RotateWebhook serves POST /v1/creditors/{cf}/webhooks/{id}/secret.
func (s *server) RotateWebhook(ctx context.Context, r RotateWebhookRequestObject) (RotateWebhookResponseObject, error) {
	w, secret, err := s.Webhooks.Rotate(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.WebhookID(r.Id))
	if err != nil {
		return nil, err
	}
	return RotateWebhook200JSONResponse(WebhookAndSecret{Webhook: webhookBody(w), Secret: string(secret)}), nil
}

func webhookBody(w multe.Webhook) Webhook {
	return Webhook{Id: string(w.ID), Url: w.URL, Families: each(w.Families, func(f string) EventFamily { return EventFamily(f) }), State: WebhookState(w.State),
		NextSeq: int64(w.Cursor) + 1, Tries: w.Tries, FailingSince: w.Failing, NextTry: w.NotBefore, LastStatus: w.Status, LastTaken: w.Told}
}
