package flussi

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

// actor is who tells us about flows.
const actor = "piemontepay"

const (
	// DefaultDays is how long a payment may be in no flow: a PSP pays over on the
	// next working day, and the platform tells a day or two later.
	DefaultDays = 5

	// maxCopies bounds the messages that a flow remembers; all are kept.
	maxCopies = 50

	// lookBack is how far Overdue looks for payments without flow; what is older
	// was told when it was younger.
	lookBack = 90 * 24 * time.Hour

	// pageSize bounds one transaction of Overdue.
	pageSize = 200
)

// Flussi hears and lists flows.
type Flussi struct {
	store store.Store
	now   func() time.Time
	days  int
}

// New returns a Flussi that expects every payment in a flow within some days.
func New(s store.Store, now func() time.Time, days int) *Flussi {
	return &Flussi{store: s, now: now, days: days}
}

// Hear records what a message says about a flow, inside the caller's transaction.
// Hearing it again changes nothing.
func (f *Flussi) Hear(tx store.Tx, t multe.FlussoTold, m multe.MessageID, at time.Time) error {
	h, err := hear(tx, t.Creditor, at)
	if err != nil {
		return err
	}
	received := h.at
	switch msg, err := tx.Message(m); {
	case err == nil:
		received = msg.Received // a message worked again a week later was still received then
	case !errors.Is(err, fault.NotFound):
		return err
	}
	digest, err := multe.DigestJSON(t)
	if err != nil {
		return err
	}
	id := multe.NewFlussoID(t.PSP, t.Name)
	next := multe.Flusso{Creditor: t.Creditor, ID: id, FlussoHead: t.FlussoHead, Lines: len(t.Rows), Digest: digest,
		Message: m, Received: received, Version: 1, Changed: h.at}
	for _, r := range t.Rows {
		next.LinesCents += r.Cents
	}
	old, err := tx.Flusso(t.Creditor, id)
	known := err == nil
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	next.Version, next.Copies = old.Version+1, copies(old.Copies, m)
	if known && !supersedes(next, old) {
		if slices.Equal(next.Copies, old.Copies) {
			return nil
		}
		old.Version, old.Copies, old.Changed = next.Version, next.Copies, h.at
		if err := tx.PutFlusso(old); err != nil || !differs(next, old) {
			return err
		}
		return h.set(kindChanged, string(id), sentence(kindChanged, old.Name), true, true)
	}
	if err := tx.PutFlusso(next); err != nil {
		return err
	}
	if known && next.Digest == old.Digest {
		return nil // the same again: only who said it last is new
	}
	if err := h.replace(next, old, t.Rows); err != nil {
		return fmt.Errorf("recording the lines of a flow: %w", err)
	}
	return h.reportFlow(next, known, differs(next, old))
}

// differs reports whether two copies of one kind do not say the same.
func differs(a, b multe.Flusso) bool { return a.Kind == b.Kind && a.Digest != b.Digest }

// copies adds a message to those that carried a flow.
func copies(old []multe.MessageID, m multe.MessageID) []multe.MessageID {
	if slices.Contains(old, m) {
		return old
	}
	all := append(slices.Clone(old), m)
	return all[max(0, len(all)-maxCopies):]
}

// supersedes reports whether a copy takes the place of the one in force: one with
// accounting references that of one without, else the later one. Of two received
// in one instant the message ids decide, so that the order of work does not.
func supersedes(next, old multe.Flusso) bool {
	if next.Kind != old.Kind {
		return next.Kind == multe.FlussoCompleto
	}
	if c := next.Received.Compare(old.Received); c != 0 {
		return c > 0
	}
	return next.Message >= old.Message
}

// hearing is one change being worked.
type hearing struct {
	tx       store.Tx
	creditor multe.CreditorID
	reports  multe.CreditorID // who is told of troubles
	versa    string           // codice versamento of the creditor
	at       time.Time
}

func hear(tx store.Tx, c multe.CreditorID, at time.Time) (hearing, error) {
	h := hearing{tx: tx, creditor: c, reports: c, at: multe.Instant(at)}
	switch creditor, err := tx.Creditor(c); {
	case errors.Is(err, fault.NotFound):
		h.reports = "" // nobody looks at the troubles of a creditor we do not have
	case err != nil:
		return h, err
	default:
		h.versa = creditor.CodiceVersamento
	}
	return h, nil
}

// replace puts the rows of the copy in force over those of the one before, and
// judges every IUV that either is about.
func (h hearing) replace(f, old multe.Flusso, rows []multe.FlussoRow) error {
	touched := map[string]bool{}
	var order []string // so that the history does not depend on the order of a map
	touch := func(iuv string) {
		if !touched[iuv] {
			touched[iuv] = true
			order = append(order, iuv)
		}
	}
	n := 0
	put := func(before multe.FlussoLine) error {
		n++
		line := multe.FlussoLine{Creditor: f.Creditor, Flusso: f.ID, N: n, Version: before.Version + 1}
		if n <= len(rows) {
			line.FlussoRow = rows[n-1]
		} else {
			line.FlussoRow, line.Gone = before.FlussoRow, true
		}
		if before.Version > 0 && before.FlussoRow == line.FlussoRow && before.Gone == line.Gone {
			return nil
		}
		if before.Version > 0 && !before.Gone {
			touch(before.IUV)
		}
		if err := h.tx.PutFlussoLine(line); err != nil {
			return err
		}
		if line.Gone {
			return nil
		}
		touch(line.IUV)
		return h.history(f, line)
	}
	if old.Version > 0 {
		for more := true; more; {
			page, err := h.tx.FlussoLines(f.Creditor, f.ID, n, store.MaxPage)
			if err != nil {
				return err
			}
			for _, before := range page {
				if err := put(before); err != nil {
					return err
				}
			}
			more = len(page) == store.MaxPage
		}
	}
	for n < len(rows) {
		if err := put(multe.FlussoLine{}); err != nil {
			return err
		}
	}
	for _, iuv := range order {
		if err := h.review(iuv, true); err != nil {
			return err
		}
	}
	return nil
}

// history writes a line into the timeline of the code it is about.
func (h hearing) history(f multe.Flusso, l multe.FlussoLine) error {
	code, err := h.tx.CodeByIUV(h.creditor, l.IUV)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	action := "flusso.accounted"
	if l.Outcome == multe.FlussoRevoked {
		action = "flusso.revoked"
	}
	return h.audit(action, code.Position, f.Name+"/"+l.IUR)
}

func (h hearing) audit(action string, p multe.PositionID, about string) error {
	return h.tx.AppendAudit(multe.AuditEntry{Creditor: h.creditor, At: h.at, Actor: actor, Action: action, Position: p, Subject: about})
}

// ledgerOf reads all that is known about an IUV.
func ledgerOf(r store.Reader, c multe.CreditorID, versa, iuv string) (ledger, error) {
	var g ledger
	var err error
	if g.lines, err = r.FlussoLinesOf(c, iuv, store.MaxPage); err != nil {
		return g, err
	}
	payments, err := r.PaymentsOf(c, iuv, store.MaxPage)
	if err != nil {
		return g, err
	}
	for _, p := range payments {
		if p.Cents != 0 { // not the empty place that a receipt leaves (package payments)
			g.payments = append(g.payments, p)
		}
	}
	switch code, err := r.CodeByIUV(c, iuv); {
	case err == nil:
		g.code, g.ours = code, true
	case !errors.Is(err, fault.NotFound):
		return g, err
	}
	g.ours = g.ours || len(g.payments) > 0 || versa != "" && slices.ContainsFunc(g.lines, func(l multe.FlussoLine) bool { return l.CodiceVersamento == versa })
	return g, nil
}

// review tells a person what is wrong about an IUV and closes what no longer is.
// news says that a line is new or other: then what was closed is opened again.
func (h hearing) review(iuv string, news bool) error {
	g, err := ledgerOf(h.tx, h.creditor, h.versa, iuv)
	if err != nil {
		return err
	}
	wrong := g.troubles()
	for _, kind := range judged {
		if err := h.set(kind, iuv, sentence(kind, iuv), wrong[kind], news); err != nil {
			return err
		}
	}
	if g.covered() {
		return h.set(kindNoFlow, iuv, "", false, false)
	}
	return nil
}

func sentence(kind, about string) string { return fmt.Sprintf(details[kind], multe.Subject(about)) }

// set opens or closes a trouble. One that was closed stays so unless there is
// news, and one that is open is not counted again.
func (h hearing) set(kind, about, detail string, wrong, news bool) error {
	d, err := h.tx.Discrepancy(h.reports, multe.NewDiscrepancy("", kind, multe.Subject(about), "", time.Time{}).ID)
	known := err == nil
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	switch {
	case wrong && (!known || !d.Open && news || d.Open && d.Detail != detail):
		return store.Report(h.tx, h.reports, kind, multe.Subject(about), detail, h.at)
	case !wrong && known && d.Open:
		return h.tx.PutDiscrepancy(d.Close(h.at))
	}
	return nil
}

// reportFlow tells what is wrong about the flow itself.
func (h hearing) reportFlow(f multe.Flusso, again, changed bool) error {
	action := "flusso.received"
	if again {
		action = "flusso.replaced"
	}
	if err := h.audit(action, "", f.Name); err != nil {
		return err
	}
	differ := totals(f)
	if err := h.set(kindTotals, string(f.ID), differ, differ != "", true); err != nil {
		return err
	}
	if err := h.set(kindUnread, string(f.ID), sentence(kindUnread, f.Name), f.Unread > 0, true); err != nil {
		return err
	}
	if !changed {
		return nil
	}
	return h.set(kindChanged, string(f.ID), sentence(kindChanged, f.Name), true, true)
}

// Paid judges anew what a notice is about, inside the transaction that recorded
// its payments: a flow may have come first.
func (f *Flussi) Paid(tx store.Tx, n multe.Notice, at time.Time) error {
	h, err := hear(tx, n.Creditor, at)
	if err != nil {
		return err
	}
	for _, p := range n.Payments {
		if p.IUV == "" || len(p.IUV) > maxIUV {
			continue // nobody recorded it, and no line can be about it
		}
		if err := h.review(p.IUV, false); err != nil {
			return fmt.Errorf("comparing a payment with the flows: %w", err)
		}
	}
	return nil
}

// maxIUV is the longest IUV of a payment that is recorded (package payments).
const maxIUV = 300

// Overdue tells a person of payments that should be in a flow by now and are not.
// It is one round of a loop; an error is one of the store.
func (f *Flussi) Overdue(ctx context.Context) (more bool, err error) {
	now := f.now()
	until := multe.Instant(now.AddDate(0, 0, -f.days))
	creditors, err := store.AllCreditors(ctx, f.store)
	if err != nil {
		return false, err
	}
	for _, c := range creditors {
		for after := (multe.Payment{Received: multe.Instant(now.Add(-lookBack))}); ; {
			var page []multe.Payment
			err := f.store.View(ctx, func(r store.Reader) (err error) {
				page, err = r.Payments(c.ID, after, pageSize)
				return err
			})
			if err != nil {
				return false, fmt.Errorf("listing payments: %w", err)
			}
			if n := slices.IndexFunc(page, func(p multe.Payment) bool { return p.Received.After(until) }); n >= 0 {
				page = page[:n]
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1]
			if err := f.overdue(ctx, c, page, now); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// overdue looks at one page of payments, and writes only if one of them is
// missing and nobody was told.
func (f *Flussi) overdue(ctx context.Context, c multe.Creditor, page []multe.Payment, now time.Time) error {
	var missing []string
	err := f.store.View(ctx, func(r store.Reader) error {
		missing = nil
		for _, p := range page {
			if p.Cents == 0 || slices.Contains(missing, p.IUV) {
				continue
			}
			g, err := ledgerOf(r, c.ID, c.CodiceVersamento, p.IUV)
			if err != nil {
				return err
			}
			if lines, _ := g.about(p); len(lines) > 0 {
				continue
			}
			_, err = r.Discrepancy(c.ID, multe.NewDiscrepancy("", kindNoFlow, multe.Subject(p.IUV), "", time.Time{}).ID)
			if errors.Is(err, fault.NotFound) {
				missing = append(missing, p.IUV)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for payments without flow: %w", err)
	}
	if len(missing) == 0 {
		return nil
	}
	err = f.store.Update(ctx, func(tx store.Tx) error {
		h, err := hear(tx, c.ID, now)
		if err != nil {
			return err
		}
		for _, iuv := range missing {
			g, err := ledgerOf(tx, c.ID, c.CodiceVersamento, iuv) // a flow may have come in between
			if err != nil {
				return err
			}
			if g.covered() {
				continue
			}
			if err := h.set(kindNoFlow, iuv, sentence(kindNoFlow, iuv), true, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reporting payments without flow: %w", err)
	}
	return nil
}
