package api

import (
	"context"

	"preavviso/internal/multe"
	"preavviso/internal/payments"
)

// Worklist lets people look after discrepancies; package worklist does it.
type Worklist interface {
	Take(ctx context.Context, by string, c multe.CreditorID, id string) (multe.Discrepancy, error)
	Close(ctx context.Context, by string, c multe.CreditorID, id string, o multe.WorkOutcome, note string) (multe.Discrepancy, error)
}

// Money tells what came and records what went back; package payments does it.
type Money interface {
	Refund(ctx context.Context, by string, r multe.Refund) (multe.Refund, error)
	Refunds(ctx context.Context, c multe.CreditorID, after multe.RefundID, limit int) ([]multe.Refund, error)
	Of(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) (payments.Money, error)
}

// TakeDiscrepancy serves POST /v1/creditors/{cf}/discrepancies/{id}/taking.
func (s *server) TakeDiscrepancy(ctx context.Context, r TakeDiscrepancyRequestObject) (TakeDiscrepancyResponseObject, error) {
	d, err := s.Worklist.Take(ctx, actor(ctx), multe.CreditorID(r.Cf), r.Id)
	if err != nil {
		return nil, err
	}
	return TakeDiscrepancy200JSONResponse(discrepancyBody(d)), nil
}

// TakeInstallationDiscrepancy serves POST /v1/discrepancies/{id}/taking.
func (s *server) TakeInstallationDiscrepancy(ctx context.Context, r TakeInstallationDiscrepancyRequestObject) (TakeInstallationDiscrepancyResponseObject, error) {
	d, err := s.Worklist.Take(ctx, actor(ctx), "", r.Id)
	if err != nil {
		return nil, err
	}
	return TakeInstallationDiscrepancy200JSONResponse(discrepancyBody(d)), nil
}

// CloseDiscrepancy serves POST /v1/creditors/{cf}/discrepancies/{id}/closure.
func (s *server) CloseDiscrepancy(ctx context.Context, r CloseDiscrepancyRequestObject) (CloseDiscrepancyResponseObject, error) {
	d, err := s.Worklist.Close(ctx, actor(ctx), multe.CreditorID(r.Cf), r.Id, multe.WorkOutcome(r.Body.Outcome), r.Body.Note)
	if err != nil {
		return nil, err
	}
	return CloseDiscrepancy200JSONResponse(discrepancyBody(d)), nil
}

// CloseInstallationDiscrepancy serves POST /v1/discrepancies/{id}/closure.
func (s *server) CloseInstallationDiscrepancy(ctx context.Context, r CloseInstallationDiscrepancyRequestObject) (CloseInstallationDiscrepancyResponseObject, error) {
	d, err := s.Worklist.Close(ctx, actor(ctx), "", r.Id, multe.WorkOutcome(r.Body.Outcome), r.Body.Note)
	if err != nil {
		return nil, err
	}
	return CloseInstallationDiscrepancy200JSONResponse(discrepancyBody(d)), nil
}

// RecordRefund serves POST /v1/creditors/{cf}/refunds.
func (s *server) RecordRefund(ctx context.Context, r RecordRefundRequestObject) (RecordRefundResponseObject, error) {
	b := r.Body
	refund, err := s.Money.Refund(ctx, actor(ctx), multe.Refund{Creditor: multe.CreditorID(r.Cf), ID: multe.RefundID(b.Id), IUV: b.Iuv, Cents: multe.Cents(b.Cents),
		RefundedOn: b.RefundedOn, Reason: b.Reason, Mandate: b.Mandate, Beyond: b.Beyond})
	if err != nil {
		return nil, err
	}
	return RecordRefund200JSONResponse(refundBody(refund)), nil
}

// ListRefunds serves GET /v1/creditors/{cf}/refunds.
func (s *server) ListRefunds(ctx context.Context, r ListRefundsRequestObject) (ListRefundsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Money.Refunds(ctx, multe.CreditorID(r.Cf), multe.RefundID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := RefundPage{Refunds: each(list, refundBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListRefunds200JSONResponse(page), nil
}

// ReadMoney serves GET /v1/creditors/{cf}/verbali/{id}/money.
func (s *server) ReadMoney(ctx context.Context, r ReadMoneyRequestObject) (ReadMoneyResponseObject, error) {
	m, err := s.Money.Of(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadMoney200JSONResponse{Verbale: string(m.Verbale.Slip.ID), State: VerbaleState(m.Verbale.State), DueCents: int64(m.Due),
		OwedCents: int64(m.Balance.Owed), PaidCents: int64(m.Balance.Paid), RefundedCents: int64(m.Balance.Refunded), ExcessCents: int64(m.Balance.Excess()),
		Payments: each(m.Payments, paymentBody), Refunds: each(m.Refunds, refundBody), Receipts: each(m.Receipts, receiptBody),
		Revocations: each(m.Revocations, revocationBody), Flows: each(m.Flows, moneyFlowBody), Discrepancies: each(m.Troubles, discrepancyBody),
		Exports: each(m.Exports, exportBody)}, nil
}

func refundBody(r multe.Refund) Refund {
	return Refund{Id: string(r.ID), Iuv: r.IUV, Verbale: string(r.Verbale), Cents: int64(r.Cents), RefundedOn: r.RefundedOn, Reason: r.Reason,
		Mandate: r.Mandate, Beyond: r.Beyond, By: r.By, At: r.At}
}

func revocationBody(r multe.Revocation) MoneyRevocation {
	return MoneyRevocation{Iuv: r.IUV, Id: r.ID, Iur: r.IUR, Cents: int64(r.Cents), Reason: r.Reason, AskedOn: r.AskedOn, Received: r.Received}
}

func moneyFlowBody(f payments.Flow) MoneyFlow {
	return MoneyFlow{Flusso: string(f.Flusso), Name: f.Name, Trn: f.TRN, SettledOn: f.SettledOn, N: f.N, Iuv: f.IUV, Iur: f.IUR,
		Cents: int64(f.Cents), Outcome: MoneyFlowOutcome(f.Outcome), PaidOn: f.PaidOn}
}
