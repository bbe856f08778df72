package api

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
)

func creditorOf(b NewCreditor) multe.Creditor {
	c := multe.Creditor{
		ID: multe.CreditorID(b.Cf), Name: b.Name, Settore: b.Settore, Info: b.Info, CBILL: b.Cbill,
		CodiceVersamento: b.CodiceVersamento, PoolLow: b.Pool.Low, PoolTarget: b.Pool.Target,
		ValidityDays: b.ValidityDays, UndoMinutes: b.UndoMinutes, LeaseHours: b.LeaseHours, PhotoMonths: b.PhotoMonths, Portal: b.Portal,
	}
	if b.Postal != (PostalAccount{}) {
		c.Postal = &multe.PostalAccount{Number: b.Postal.Number, Holder: b.Postal.Holder, Authorization: b.Postal.Authorization}
	}
	for _, p := range b.Policies {
		c.Policies = append(c.Policies, multe.Policy{From: p.From, Debtor: multe.DebtorPolicy(p.Debtor), Amount: multe.AmountPolicy(p.Amount),
			Patron: p.Patron, Slip: multe.Term(p.Slip), NoSlipDiscount: p.NoSlipDiscount, Discount: multe.Term(p.Discount), CostsCents: multe.Cents(p.CostsCents)})
	}
	return c
}

func creditorBody(c multe.Creditor) Creditor {
	b := Creditor{
		Cf: string(c.ID), Name: c.Name, Settore: c.Settore, Info: c.Info, Cbill: c.CBILL,
		CodiceVersamento: c.CodiceVersamento, Pool: PoolLevels{Low: c.PoolLow, Target: c.PoolTarget},
		ValidityDays: c.ValidityDays, UndoMinutes: c.UndoMinutes, LeaseHours: c.LeaseHours, PhotoMonths: c.PhotoMonths, Portal: c.Portal,
		Policies: each(c.Policies, func(p multe.Policy) Policy {
			return Policy{From: p.From, Debtor: PolicyDebtor(p.Debtor), Amount: PolicyAmount(p.Amount),
				Patron: p.Patron, Slip: Term(p.Slip), NoSlipDiscount: p.NoSlipDiscount, Discount: Term(p.Discount), CostsCents: int64(p.CostsCents)}
		}),
	}
	if p := c.Postal; p != nil {
		b.Postal = PostalAccount{Number: p.Number, Holder: p.Holder, Authorization: p.Authorization}
	}
	return b
}

func deviceBody(d multe.Device) Device {
	return Device{Id: string(d.ID), Name: d.Name, State: DeviceState(d.State), Signs: d.Key != "", Changed: d.Changed, Version: int64(d.Version), Seen: d.Seen}
}

func accountedBody(a pool.Accounted) AccountedCode {
	return AccountedCode{Position: string(a.Code.Position), Avviso: a.Code.Number.String(), Lease: string(a.Lease), Lent: a.Lent,
		Outcome: AccountedCodeOutcome(a.Outcome), At: a.At, Proof: a.Proof, State: CodeState(a.Code.State)}
}

func codeBody(k multe.Code) Code {
	return Code{
		Position: string(k.Position), Avviso: k.Number.String(), Iuv: k.Number.IUV(), State: CodeState(k.State),
		Device: string(k.Device), Verbale: string(k.Verbale), Reason: k.Reason,
		UpstreamCents: int64(k.UpstreamCents), UpstreamDebtor: k.UpstreamDebtor, Changed: k.Changed,
	}
}

func (s *server) verbaleBody(v multe.Verbale) Verbale {
	b := Verbale{
		Id: string(v.Slip.ID), Device: string(v.Device), State: VerbaleState(v.State),
		Position: string(v.Slip.Position), Avviso: v.Slip.Number.String(), Reference: v.Slip.Reference,
		Plate: string(v.Slip.Plate), Nation: v.Slip.Nation, Vehicle: v.Slip.Vehicle, Place: v.Slip.Place,
		Violation: Violation{Code: v.Slip.Violation.Code, Norm: v.Slip.Violation.Norm, Conduct: v.Slip.Violation.Conduct}, Warden: v.Slip.Warden,
		IssuedAt: v.Slip.IssuedAt, ReceivedAt: v.ReceivedAt, Offline: v.Slip.Offline,
		Steps:    each(v.Slip.Steps, stepBody),
		DueCents: int64(v.DueOn(multe.DayOf(s.Now()))), Causale: string(v.Causale()), Changed: v.Changed, Version: int64(v.Version),
	}
	b.Reissued, b.Reason = string(v.Reissued), v.Reason
	b.VehicleClass, b.OfflineReason = VerbaleVehicleClass(v.Slip.VehicleClass), VerbaleOfflineReason(v.Slip.OfflineReason)
	b.ClockSkewMs, b.MeasuredSkewMs = v.Slip.SkewMS, v.SkewMS
	if g := v.Slip.GPS; g != nil {
		b.Gps = &GPS{LatE6: g.LatE6, LonE6: g.LonE6, AccuracyM: g.AccuracyM}
	}
	for _, f := range v.Flags {
		b.Flags = append(b.Flags, Flag{Code: f.Code, Detail: f.Detail})
	}
	if f := v.Slip.Full; f != nil {
		b.Full = SlipCode{Position: string(f.Position), Avviso: f.Number.String()}
	}
	if r := v.Record; r != nil {
		b.Record = recordBody(*r)
	}
	if c := v.Cancellation; c != nil {
		b.Cancellation = cancellationBody(*c)
	}
	b.Appeals, b.StepsNow = each(v.Appeals, appealBody), each(v.StepsNow(), stepBody)
	return b
}

func stepBody(p multe.Step) Step { return Step{Cents: int64(p.Cents), LastDay: p.LastDay} }

// recordOf demands the choice between a debtor and none.
func recordOf(b RecordRequest) (multe.Record, error) {
	known := b.Debtor != (Debtor{})
	if known == b.Anonymous {
		return multe.Record{}, fault.New(fault.Invalid, "verbale.debtor_or_anonymous", "Indicare il debitore oppure scegliere di registrare senza debitore (anonymous), non entrambi.")
	}
	r := multe.Record{Register: b.Register, Cents: multe.Cents(b.Cents), Causale: multe.Causale(b.Causale),
		On: b.Day, Violation: b.Violation, Fine: fineOf(b.Fine)}
	if b.CostsCents != nil {
		r.CostsCents = multe.Cents(*b.CostsCents)
	}
	if d := b.Debtor; known {
		r.Debtor = &multe.Debtor{
			Surname: d.Surname, Name: d.Name, Company: d.Company, CF: multe.CF(d.Cf), Address: d.Address, Civico: d.Civico,
			CAP: d.Cap, City: d.City, Province: d.Province, Nation: d.Nation, Email: d.Email,
		}
	}
	return r, nil
}

func entryBody(e multe.AuditEntry) Entry {
	return Entry{At: e.At, Actor: e.Actor, Action: e.Action, Subject: e.Subject, From: e.From, To: e.To, Code: e.Code, Text: Sentence(e)}
}

// paymentBody leaves out the payer: who paid somebody else's fine is not ours to
// pass on.
func paymentBody(p multe.Payment) Payment {
	return Payment{
		Iuv: p.IUV, Iur: p.IUR, Avviso: p.Number.String(), Position: string(p.Position), Verbale: string(p.Verbale),
		Cents: int64(p.Cents), PaidOn: p.PaidOn, Psp: p.PSP, PspName: p.PSPName, Received: p.Received,
	}
}

func receiptBody(r multe.Receipt) Receipt {
	return Receipt{
		Digest: r.Digest.String(), Id: r.ID, Iuv: r.IUV, Iur: r.IUR, Outcome: r.Outcome, Cents: int64(r.Cents), PaidOn: r.PaidOn,
		Psp: r.PSP, PspName: r.PSPName, Bytes: len(r.XML), Received: r.Received,
	}
}

func messageBody(h inbox.Head) Message {
	return Message{
		Id: string(h.ID), State: MessageState(h.State), Kind: h.Kind, Caller: h.Caller, Problem: h.Problem, Tries: h.Tries,
		Bytes: h.Bytes, Received: h.Received, Changed: h.Changed,
	}
}

func discrepancyBody(d multe.Discrepancy) Discrepancy {
	return Discrepancy{
		Id: d.ID, Kind: d.Kind, Subject: d.Subject, Detail: d.Detail, Count: d.Count, Open: d.Open,
		Opened: d.Opened, Changed: d.Changed, TakenBy: d.Taken.By, TakenAt: d.Taken.At,
		ClosedBy: d.Closed.By, ClosedAt: d.Closed.At, Outcome: DiscrepancyOutcome(d.Closed.Outcome), Note: d.Closed.Note,
	}
}

// cursor is what the store goes on from in a list of payments.
type cursor struct {
	Received time.Time `json:"r"`
	IUV      string    `json:"v"`
	IUR      string    `json:"u"`
}

func paymentCursor(p multe.Payment) string {
	b, err := json.Marshal(cursor{p.Received, p.IUV, p.IUR})
	if err != nil {
		return "" // impossible: the store keeps only instants that JSON can hold
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parsePaymentCursor reads what paymentCursor wrote; "" is the start.
func parsePaymentCursor(s string) (multe.Payment, error) {
	if s == "" {
		return multe.Payment{}, nil
	}
	bad := fault.New(fault.Invalid, "request.bad_cursor", "Il parametro after non è tra quelli restituiti dal servizio.")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return multe.Payment{}, bad
	}
	var c cursor
	if err := json.Unmarshal(b, &c); err != nil || strings.ContainsRune(c.IUV+c.IUR, 0) {
		return multe.Payment{}, bad
	}
	return multe.Payment{Received: multe.Instant(c.Received), IUV: c.IUV, IUR: c.IUR}, nil
}
