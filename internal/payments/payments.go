package payments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// actor is who tells us about payments.
const actor = "piemontepay"

// paidCode is why a change that was still waiting is given up.
const paidCode = "paid"

// Payments hears and lists payments.
type Payments struct {
	store store.Store
	now   func() time.Time
}

// New returns a Payments.
func New(s store.Store, now func() time.Time) *Payments { return &Payments{store: s, now: now} }

// List lists a creditor's payments in the order they were heard, after the given
// one (the zero Payment: from the start), at most limit (≤ [store.MaxPage]).
func (p *Payments) List(ctx context.Context, c multe.CreditorID, after multe.Payment, limit int) ([]multe.Payment, error) {
	var list []multe.Payment
	err := p.store.View(ctx, func(r store.Reader) error {
		list = nil
		for cursor := after; len(list) < limit; {
			page, err := r.Payments(c, cursor, limit)
			if err != nil || len(page) == 0 {
				return err
			}
			cursor = page[len(page)-1]
			list = append(list, told(page)...)
		}
		list = list[:min(len(list), limit)]
		return nil
	})
	return list, err
}

// OfIUV returns the payments of one IUV: more than one is a double payment.
func (p *Payments) OfIUV(ctx context.Context, c multe.CreditorID, iuv string) ([]multe.Payment, error) {
	var list []multe.Payment
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		list, err = paymentsOf(r, c, iuv)
		return err
	})
	return list, err
}

// Hear records what a notice says, inside the caller's transaction. m is the
// message that said it. Hearing it again changes nothing.
func (p *Payments) Hear(tx store.Tx, n multe.Notice, m multe.MessageID, at time.Time) error {
	at = multe.Instant(at)
	h := hearing{tx: tx, creditor: n.Creditor, reports: n.Creditor, message: m, at: at, received: at}
	switch msg, err := tx.Message(m); {
	case err == nil:
		h.received = msg.Received // a message worked again a week later was still received then
	case !errors.Is(err, fault.NotFound):
		return err
	}
	switch _, err := tx.Creditor(n.Creditor); {
	case errors.Is(err, fault.NotFound):
		h.reports = "" // nobody looks at the troubles of a creditor we do not have
	case err != nil:
		return err
	}
	if n.Mismatch {
		if err := h.once(multe.TroubleMismatch, string(m)); err != nil {
			return err
		}
	}
	if n.Unread > 0 {
		if err := h.once(multe.TroubleUnread, string(m)); err != nil {
			return err
		}
	}
	for _, item := range n.Payments {
		if !storable(item) {
			if err := h.once(multe.TroubleUnread, string(m)); err != nil {
				return err
			}
			continue // the others are money too
		}
		if err := h.payment(item); err != nil {
			return fmt.Errorf("recording a payment: %w", err)
		}
	}
	return nil
}

// maxKey bounds the references of a payment, which are its key. The schema says
// 35; several receipts joined into one are longer (piemontepay.md §4.2).
const maxKey = 300

// storable reports whether a payment can be told from others.
func storable(p multe.Payment) bool {
	return p.IUV != "" && len(p.IUV) <= maxKey && len(p.IUR) <= maxKey && p.Cents > 0
}

// hearing is one notice being worked.
type hearing struct {
	tx       store.Tx
	creditor multe.CreditorID
	reports  multe.CreditorID // who is told of troubles
	message  multe.MessageID
	at       time.Time
	received time.Time
}

// payment records one item.
func (h hearing) payment(item multe.Payment) error {
	item.Creditor, item.Message, item.Received, item.Version = h.creditor, h.message, h.received, 1
	known, err := paymentsOf(h.tx, h.creditor, item.IUV)
	if err != nil {
		return err
	}
	if same, ok := find(known, item); ok {
		return h.again(same, item)
	}
	code, err := h.tx.CodeByIUV(h.creditor, item.IUV)
	switch {
	case errors.Is(err, fault.NotFound):
		if err := h.put(item); err != nil {
			return err
		}
		kind := multe.TroubleUnknownIUV
		if h.reports == "" {
			kind = multe.TroubleUnknownCreditor
		}
		if err := h.report(kind, item.IUV); err != nil {
			return err
		}
		return h.refunded(item.IUV)
	case err != nil:
		return err
	}
	item.Number, item.Position, item.Verbale = code.Number, code.Position, code.Verbale
	if err := h.put(item); err != nil {
		return err
	}
	if code.State == multe.CodePaid {
		if err := h.report(multe.TroubleDouble, item.IUV); err != nil {
			return err
		}
	} else if err := h.pay(code); err != nil {
		return err
	}
	if code.Verbale == "" {
		return h.refunded(item.IUV)
	}
	v, err := h.tx.Verbale(h.creditor, code.Verbale)
	if err != nil {
		return err
	}
	if err := store.Recall(h.tx, v, h.at); err != nil {
		return err
	}
	if _, refunds, err := store.MoneyOf(h.tx, v); err != nil {
		return err
	} else if len(refunds) > 0 {
		if err := h.report(multe.TroubleAfterRefund, item.IUV); err != nil {
			return err
		}
	}
	if err := h.siblings(v, code.Position, item.IUV); err != nil {
		return err
	}
	return h.settle(v, item, known)
}

// refunded tells a person if money of no verbale had gone back before this came.
func (h hearing) refunded(iuv string) error {
	refunds, err := h.tx.RefundsOf(h.creditor, iuv, 1)
	if err != nil || len(refunds) == 0 {
		return err
	}
	return h.report(multe.TroubleAfterRefund, iuv)
}

// put stores a payment heard for the first time. Where a payment without receipt
// has left its place (see again), the next one without receipt takes it.
func (h hearing) put(p multe.Payment) error {
	old, err := h.tx.Payment(p.Creditor, p.IUV, p.IUR)
	switch {
	case err == nil:
		p.Version = old.Version + 1
	case !errors.Is(err, fault.NotFound):
		return err
	}
	if err := h.tx.PutPayment(p); err != nil {
		return err
	}
	return h.audit("payment.recorded", p.Position, receipt(p), "", "")
}

// find returns the known payment that item repeats. The receipt tells; where
// either lacks one, the same amount on the same IUV is taken for the same
// payment, because a notification without receipt is one the platform sent too
// early, not a second payment.
func find(known []multe.Payment, item multe.Payment) (multe.Payment, bool) {
	for _, k := range known {
		if k.IUR == item.IUR {
			return k, true
		}
	}
	for _, k := range known {
		if (k.IUR == "" || item.IUR == "") && k.Cents == item.Cents {
			return k, true
		}
	}
	return multe.Payment{}, false
}

// again hears a payment that is known. If this time it has its receipt, it is
// the same payment under the key it should have had: it is stored under that key,
// and the record without receipt stays as an empty place of zero cents, which no
// list shows. The store deletes nothing, and keeping the old key instead would
// make a true second payment of the same amount look like this one.
func (h hearing) again(known, item multe.Payment) error {
	switch {
	case known.IUR == "" && item.IUR != "":
		item.Position, item.Verbale, item.Number = known.Position, known.Verbale, known.Number
		item.Message, item.Received = known.Message, known.Received
		if item.PaidOn.IsZero() {
			item.PaidOn = known.PaidOn
		}
		if err := h.tx.PutPayment(item); err != nil {
			return err
		}
		known.Cents, known.Payer, known.Version = 0, nil, known.Version+1
		if err := h.tx.PutPayment(known); err != nil {
			return err
		}
		if err := h.audit("payment.receipt", item.Position, receipt(item), "", ""); err != nil {
			return err
		}
		return h.onTime(item, known)
	case known.Cents != item.Cents:
		return h.once(multe.TroubleChanged, item.IUV)
	}
	return nil
}

// onTime settles a verbale whose payment was taken for too little while its day
// was unknown.
func (h hearing) onTime(p, heard multe.Payment) error {
	if p.Verbale == "" || p.Day() == heard.Day() {
		return nil
	}
	v, err := h.tx.Verbale(h.creditor, p.Verbale)
	if err != nil || v.State != multe.VerbaleIssued && v.State != multe.VerbaleFinalised {
		return err
	}
	all, err := paymentsOf(h.tx, h.creditor, p.IUV)
	if err != nil {
		return err
	}
	came := multe.Cents(0)
	for _, o := range all {
		came += o.Cents
	}
	if came < v.OwedFor(p.Position, p.Day()) {
		return nil // told when it came
	}
	others := slices.DeleteFunc(all, func(o multe.Payment) bool { return o.IUR == p.IUR })
	return h.settle(v, p, others)
}

// pay marks the code paid, gives up what the platform need not be told any more,
// and closes what only waited for this payment.
func (h hearing) pay(code multe.Code) error {
	paid, err := code.Pay(h.at)
	if err != nil {
		return err
	}
	if err := h.tx.PutCode(paid); err != nil {
		return err
	}
	if err := h.audit("code.paid", code.Position, string(code.Verbale), string(code.State), string(paid.State)); err != nil {
		return err
	}
	switch code.State {
	case multe.CodeIssued, multe.CodeActive: // the platform may be faster to sell than to say that it can
	case multe.CodeVoid:
		err = h.report(multe.TroubleVoidCode, string(code.Position))
	default:
		err = h.report(multe.TroubleUnexpected, string(code.Position))
	}
	if err != nil {
		return err
	}
	// The platform changes nothing on a paid position (178).
	if err := store.Drop(h.tx, actor, h.creditor, code.Position, paidCode, true, h.at); err != nil {
		return err
	}
	if err := h.close(kindUnnotified, string(code.Position)); err != nil {
		return err
	}
	return h.close(kindAlreadyPaid, string(code.Position))
}

// siblings sees to the other codes of a verbale of which one was paid: they are
// annulled, or, if one was paid too, a person is told.
func (h hearing) siblings(v multe.Verbale, paid multe.PositionID, iuv string) error {
	for _, p := range v.Positions() {
		if p == paid {
			continue
		}
		code, err := h.tx.Code(h.creditor, p)
		if err != nil {
			return err
		}
		switch code.State {
		case multe.CodePaid:
			err = h.report(multe.TroubleBothCodes, iuv)
		case multe.CodeVoid:
		default:
			if err = store.Drop(h.tx, actor, h.creditor, p, paidCode, true, h.at); err == nil {
				err = store.Annul(h.tx, actor, h.creditor, p, v.Slip.ID, store.ReasonSibling, h.at, h.at)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle compares what came with what was due, and closes the verbale if it is
// enough. others are the payments known before on the same IUV: money that came
// in two parts counts whole.
func (h hearing) settle(v multe.Verbale, p multe.Payment, others []multe.Payment) error {
	switch v.State {
	case multe.VerbaleSettled:
		return nil // a double payment, reported as such
	case multe.VerbaleCancelled:
		return h.report(multe.TroubleCancelled, string(p.Position))
	}
	day := p.Day()
	due, came := v.OwedFor(p.Position, day), p.Cents
	for _, o := range others {
		came += o.Cents
	}
	if came < due {
		return h.report(multe.TroubleShort, string(p.Position))
	}
	if came > v.FullPrice(p.Position, day) && len(others) == 0 {
		if err := h.report(multe.TroubleOver, string(p.Position)); err != nil {
			return err
		}
	}
	next, err := v.Settle(h.at)
	if err != nil {
		return err
	}
	if err := h.tx.PutVerbale(next); err != nil {
		return err
	}
	if err := h.audit("verbale.settled", p.Position, string(v.Slip.ID), string(v.State), string(next.State)); err != nil {
		return err
	}
	return h.close(multe.TroubleShort, string(p.Position))
}

// paymentsOf lists the payments of an IUV, without the empty places that again
// leaves.
func paymentsOf(r store.Reader, c multe.CreditorID, iuv string) ([]multe.Payment, error) {
	all, err := r.PaymentsOf(c, iuv, store.MaxPage)
	return told(all), err
}

func told(ps []multe.Payment) []multe.Payment {
	var out []multe.Payment
	for _, p := range ps {
		if p.Cents != 0 || p.IUR != "" {
			out = append(out, p)
		}
	}
	return out
}

// receipt names a payment in the history.
func receipt(p multe.Payment) string { return p.IUV + "/" + p.IUR }

func (h hearing) audit(action string, p multe.PositionID, subject, from, to string) error {
	return h.tx.AppendAudit(multe.AuditEntry{Creditor: h.creditor, At: h.at, Actor: actor, Action: action, Position: p, Subject: subject, From: from, To: to})
}

// report tells a person. It is only called for what is new, so that a message
// heard twice is told once.
func (h hearing) report(kind, about string) error {
	return store.Report(h.tx, h.reports, kind, multe.Subject(about), multe.GuideTo(kind).Text(), h.at)
}

// once tells a person what is true of the message whenever it is heard.
func (h hearing) once(kind, about string) error {
	_, err := h.tx.Discrepancy(h.reports, id(kind, about))
	if errors.Is(err, fault.NotFound) {
		return h.report(kind, about)
	}
	return err
}

// close closes a trouble that this payment ended, if it is open.
func (h hearing) close(kind, about string) error {
	return store.Close(h.tx, h.reports, kind, multe.Subject(about), h.at)
}

func id(kind, about string) string {
	return multe.NewDiscrepancy("", kind, multe.Subject(about), "", time.Time{}).ID
}
