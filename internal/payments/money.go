package payments

import (
	"context"
	"errors"
	"slices"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Money is everything about the money of one verbale.
type Money struct {
	Verbale     multe.Verbale
	Due         multe.Cents // today, if nothing had come
	Balance     multe.Balance
	Payments    []multe.Payment
	Refunds     []multe.Refund
	Receipts    []multe.Receipt
	Revocations []multe.Revocation
	Flows       []Flow
	Troubles    []multe.Discrepancy // of these codes, open ones first
	Exports     []multe.Export      // lists of acts that it was in
}

// Flow is a line of a flow, and where its money is.
type Flow struct {
	multe.FlussoLine
	Name      string // IdentificativoFlusso
	TRN       string
	SettledOn multe.Day
}

// otherTroubles are the kinds about money that other packages report of an IUV or
// a position.
var otherTroubles = []string{
	kindAlreadyPaid, kindUnnotified, "revocation.requested",
	"accounting.never_notified", "accounting.amount", "accounting.revoked", "accounting.no_rpt", "accounting.no_flow",
}

// Of collects what there is about the money of a verbale: payments, refunds,
// receipts, flows, work items and lists.
func (p *Payments) Of(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) (Money, error) {
	var m Money
	err := p.store.View(ctx, func(r store.Reader) error {
		v, err := r.Verbale(c, id)
		if errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.", err)
		}
		if err != nil {
			return err
		}
		m = Money{Verbale: v, Due: v.DueOn(multe.DayOf(p.now()))}
		if v.State == multe.VerbaleCancelled {
			m.Due = 0
		}
		if m.Payments, m.Refunds, err = store.MoneyOf(r, v); err != nil {
			return err
		}
		m.Balance = v.Balance(m.Payments, m.Refunds)
		subjects := []string{string(id)}
		for _, pos := range v.Positions() {
			code, err := r.Code(c, pos)
			if err != nil {
				return err
			}
			subjects = append(subjects, string(pos))
			if code.Number.IsZero() {
				continue
			}
			subjects = append(subjects, code.Number.IUV())
			if err := m.told(r, c, code.Number.IUV()); err != nil {
				return err
			}
		}
		if err := m.troubles(r, c, subjects); err != nil {
			return err
		}
		lines, err := r.ExportLinesOf(c, id, store.MaxPage)
		if err != nil {
			return err
		}
		for _, l := range lines {
			e, err := r.Export(c, l.Export)
			if err != nil {
				return err
			}
			m.Exports = append(m.Exports, e)
		}
		return nil
	})
	return m, err
}

// told adds what the platform testified about one IUV.
func (m *Money) told(r store.Reader, c multe.CreditorID, iuv string) error {
	receipts, err := r.ReceiptsOf(c, iuv, store.MaxPage)
	if err != nil {
		return err
	}
	revocations, err := r.RevocationsOf(c, iuv, store.MaxPage)
	if err != nil {
		return err
	}
	lines, err := r.FlussoLinesOf(c, iuv, store.MaxPage)
	if err != nil {
		return err
	}
	m.Receipts, m.Revocations = append(m.Receipts, receipts...), append(m.Revocations, revocations...)
	for _, l := range lines {
		f, err := r.Flusso(c, l.Flusso)
		if err != nil {
			return err
		}
		m.Flows = append(m.Flows, Flow{l, f.Name, f.TRN, f.SettledOn})
	}
	return nil
}

// troubles adds the work items about what they may be about.
func (m *Money) troubles(r store.Reader, c multe.CreditorID, subjects []string) error {
	for _, kind := range slices.Concat(multe.MoneyTroubles(), otherTroubles) {
		for _, s := range subjects {
			d, err := r.Discrepancy(c, id(kind, s))
			if errors.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			m.Troubles = append(m.Troubles, d)
		}
	}
	slices.SortFunc(m.Troubles, func(a, b multe.Discrepancy) int {
		switch {
		case a.Open && !b.Open:
			return -1
		case b.Open && !a.Open:
			return 1
		}
		return a.Opened.Compare(b.Opened)
	})
	return nil
}
