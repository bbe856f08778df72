package api

import (
	"cmp"
	"context"

	"preavviso/internal/multe"
)

// Life is what the office does to a verbale after its slip; package verbali does
// it.
type Life interface {
	Notify(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, n multe.Notification) (multe.Verbale, multe.Code, error)
	Correct(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Record, reason string) (multe.Verbale, multe.Code, error)
	Appeal(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, a multe.Appeal) (multe.Verbale, multe.Code, error)
	Rule(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Ruling) (multe.Verbale, multe.Code, error)
	Cancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, want multe.Cancellation) (multe.Verbale, multe.Code, error)
	ApproveCancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error)
	UndoCancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error)
}

func (s *server) both(v multe.Verbale, k multe.Code, err error) (VerbaleAndCode, error) {
	if err != nil {
		return VerbaleAndCode{}, err
	}
	return VerbaleAndCode{Verbale: s.verbaleBody(v), Code: codeBody(k)}, nil
}

// RecordVerbale serves PUT /v1/creditors/{cf}/verbali/{id}/record.
func (s *server) RecordVerbale(ctx context.Context, r RecordVerbaleRequestObject) (RecordVerbaleResponseObject, error) {
	c, id := multe.CreditorID(r.Cf), multe.VerbaleID(r.Id)
	record, err := s.record(ctx, c, id, *r.Body, multe.Verbale.FirstRecord)
	if err != nil {
		return nil, err
	}
	body, err := s.both(s.Verbali.Record(ctx, actor(ctx), c, id, record))
	if err != nil {
		return nil, err
	}
	return RecordVerbale200JSONResponse(body), nil
}

// record reads what the office typed, and adds what it left to us out of the record
// there is: the causale and the costs. Before there is one they are the slip's and
// the creditor's.
func (s *server) record(ctx context.Context, c multe.CreditorID, id multe.VerbaleID, b RecordRequest, base func(multe.Verbale) *multe.Record) (multe.Record, error) {
	record, err := recordOf(b)
	if err != nil {
		return record, err
	}
	byLaw := record.Fine != nil || record.Violation != "" || record.Cents == 0
	if record.Causale != "" && (b.CostsCents != nil || !byLaw) {
		return record, nil
	}
	v, _, err := s.Verbali.Get(ctx, c, id)
	if err != nil {
		return record, err
	}
	from := multe.Record{Causale: multe.CausaleOfSlip(v.Slip)}
	if had := base(v); had != nil {
		from = *had
	} else if byLaw && b.CostsCents == nil {
		cr, err := s.Registry.Creditor(ctx, c)
		if err != nil {
			return record, err
		}
		from.CostsCents = cr.PolicyOn(multe.DayOf(s.Now())).CostsCents
	}
	record.Causale = cmp.Or(record.Causale, from.Causale)
	if byLaw && b.CostsCents == nil {
		record.CostsCents = from.CostsCents
	}
	return record, nil
}

// NotifyVerbale serves PUT /v1/creditors/{cf}/verbali/{id}/notification.
func (s *server) NotifyVerbale(ctx context.Context, r NotifyVerbaleRequestObject) (NotifyVerbaleResponseObject, error) {
	body, err := s.both(s.Verbali.Notify(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id), notificationOf(*r.Body)))
	if err != nil {
		return nil, err
	}
	return NotifyVerbale200JSONResponse(body), nil
}

// CorrectVerbale serves POST /v1/creditors/{cf}/verbali/{id}/corrections.
func (s *server) CorrectVerbale(ctx context.Context, r CorrectVerbaleRequestObject) (CorrectVerbaleResponseObject, error) {
	c, id := multe.CreditorID(r.Cf), multe.VerbaleID(r.Id)
	record, err := s.record(ctx, c, id, r.Body.Record, func(v multe.Verbale) *multe.Record { return v.Record })
	if err != nil {
		return nil, err
	}
	if n := r.Body.Notification; n != (NotificationRequest{}) {
		notified := notificationOf(n)
		record.Notification = &notified
	}
	body, err := s.both(s.Verbali.Correct(ctx, actor(ctx), c, id, record, r.Body.Reason))
	if err != nil {
		return nil, err
	}
	return CorrectVerbale200JSONResponse(body), nil
}

// ReadHistory serves GET /v1/creditors/{cf}/verbali/{id}/history.
func (s *server) ReadHistory(ctx context.Context, r ReadHistoryRequestObject) (ReadHistoryResponseObject, error) {
	v, _, err := s.Verbali.Get(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id))
	if err != nil {
		return nil, err
	}
	versions := v.History
	if v.Record != nil {
		versions = append(versions, *v.Record)
	}
	return ReadHistory200JSONResponse{Versions: each(versions, recordBody)}, nil
}

// AppealVerbale serves POST /v1/creditors/{cf}/verbali/{id}/appeal.
func (s *server) AppealVerbale(ctx context.Context, r AppealVerbaleRequestObject) (AppealVerbaleResponseObject, error) {
	body, err := s.both(s.Verbali.Appeal(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id),
		multe.Appeal{Authority: multe.Authority(r.Body.Authority), Number: r.Body.Number, Day: r.Body.Day}))
	if err != nil {
		return nil, err
	}
	return AppealVerbale200JSONResponse(body), nil
}

// RuleAppeal serves POST /v1/creditors/{cf}/verbali/{id}/appeal/outcome.
func (s *server) RuleAppeal(ctx context.Context, r RuleAppealRequestObject) (RuleAppealResponseObject, error) {
	b := *r.Body
	body, err := s.both(s.Verbali.Rule(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id),
		multe.Ruling{Verdetto: multe.Verdetto(b.Verdetto), Day: b.Day, Number: b.Number, Cents: multe.Cents(b.Cents), LastDay: b.LastDay}))
	if err != nil {
		return nil, err
	}
	return RuleAppeal200JSONResponse(body), nil
}

// CancelVerbale serves POST /v1/creditors/{cf}/verbali/{id}/cancellation.
func (s *server) CancelVerbale(ctx context.Context, r CancelVerbaleRequestObject) (CancelVerbaleResponseObject, error) {
	want, err := multe.NewCancellation(multe.CancelKind(r.Body.Kind), string(r.Body.Cause), r.Body.Reason)
	if err != nil {
		return nil, err
	}
	body, err := s.both(s.Verbali.Cancel(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id), want))
	if err != nil {
		return nil, err
	}
	return CancelVerbale200JSONResponse(body), nil
}

// ApproveCancellation serves POST /v1/creditors/{cf}/verbali/{id}/cancellation/approval.
func (s *server) ApproveCancellation(ctx context.Context, r ApproveCancellationRequestObject) (ApproveCancellationResponseObject, error) {
	body, err := s.both(s.Verbali.ApproveCancel(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id)))
	if err != nil {
		return nil, err
	}
	return ApproveCancellation200JSONResponse(body), nil
}

// UndoCancellation serves DELETE /v1/creditors/{cf}/verbali/{id}/cancellation.
func (s *server) UndoCancellation(ctx context.Context, r UndoCancellationRequestObject) (UndoCancellationResponseObject, error) {
	body, err := s.both(s.Verbali.UndoCancel(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.VerbaleID(r.Id)))
	if err != nil {
		return nil, err
	}
	return UndoCancellation200JSONResponse(body), nil
}

// PayOnTheSpot serves POST /v1/creditors/{cf}/verbali/{id}/spot-payment: never.
func (s *server) PayOnTheSpot(context.Context, PayOnTheSpotRequestObject) (PayOnTheSpotResponseObject, error) {
	return nil, multe.SpotPayment()
}

func notificationOf(b NotificationRequest) multe.Notification {
	return multe.Notification{How: multe.NotificationHow(b.How), Day: b.Day}
}

func fineOf(b Fine) *multe.Fine {
	if b == (Fine{}) {
		return nil
	}
	return &multe.Fine{Reduced: multe.Cents(b.ReducedCents), Discounted: multe.Cents(b.DiscountedCents), Late: multe.Cents(b.LateCents)}
}

func recordBody(r multe.Record) Record {
	b := Record{
		Register: r.Register, Cents: int64(r.Cents), Causale: string(r.Causale), Anonymous: r.Debtor == nil,
		Policy: RecordPolicy(r.Policy), At: r.At, Day: r.On, Violation: r.Violation, CostsCents: int64(r.CostsCents), By: r.By, Why: r.Why,
	}
	if d := r.Debtor; d != nil {
		b.Debtor = Debtor{
			Surname: d.Surname, Name: d.Name, Company: d.Company, Cf: string(d.CF), Address: d.Address, Civico: d.Civico,
			Cap: d.CAP, City: d.City, Province: d.Province, Nation: d.Nation, Email: d.Email,
		}
	}
	if f := r.Fine; f != nil {
		b.Fine = Fine{ReducedCents: int64(f.Reduced), DiscountedCents: int64(f.Discounted), LateCents: int64(f.Late)}
	}
	if n := r.Notification; n != nil {
		b.Notification = Notification{How: NotificationHow(n.How), Day: n.Day, Notified: n.Notified}
	}
	return b
}

func cancellationBody(c multe.Cancellation) Cancellation {
	return Cancellation{Kind: CancellationKind(c.Kind), Cause: c.Cause, Reason: c.Reason, By: c.By, At: c.At, Approved: c.Approved}
}

func appealBody(a multe.Appeal) Appeal {
	b := Appeal{Authority: AppealAuthority(a.Authority), Number: a.Number, Day: a.Day, By: a.By}
	if r := a.Ruling; r != nil {
		b.Outcome = Ruling{Verdetto: RulingVerdetto(r.Verdetto), Day: r.Day, Number: r.Number, Cents: int64(r.Cents), LastDay: r.LastDay, By: r.By}
	}
	return b
}
