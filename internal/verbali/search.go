package verbali

import (
	"context"
	"errors"
	"sort"
	"strings"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// searchScan is how many records one search looks at, so that it holds nobody up; a
// search that finds little goes on in the next page.
const searchScan = 2000

// Query says which verbali are wanted; what is zero does not matter.
type Query struct {
	Plate      multe.Plate
	Register   string
	State      multe.VerbaleState
	From, To   multe.Day // of the violation
	Unpaid     bool      // neither settled nor cancelled
	Unrecorded bool      // issued, and not in the register
}

func (q Query) fits(v multe.Verbale) bool {
	day := multe.DayOf(v.Slip.IssuedAt)
	return (q.Plate == "" || v.Slip.Plate == q.Plate) &&
		(q.Register == "" || v.Record != nil && v.Record.Register == q.Register) &&
		(q.State == "" || v.State == q.State) &&
		(q.From.IsZero() || day.Compare(q.From) >= 0) && (q.To.IsZero() || day.Compare(q.To) <= 0) &&
		(!q.Unpaid || v.State == multe.VerbaleIssued || v.State == multe.VerbaleFinalised) &&
		(!q.Unrecorded || v.State == multe.VerbaleIssued && v.Record == nil)
}

// Search lists the verbali that fit, by id, after the given one, at most limit
// (≤ [store.MaxPage]). next is where to go on, "" at the end; a page may be short
// though there is one.
func (v *Verbali) Search(ctx context.Context, c multe.CreditorID, q Query, after multe.VerbaleID, limit int) (list []multe.Verbale, next multe.VerbaleID, err error) {
	err = v.store.View(ctx, func(r store.Reader) error {
		list, next = nil, ""
		if q.Register != "" {
			known, err := r.VerbaleByRegister(c, q.Register)
			if errors.Is(err, fault.NotFound) || err == nil && (known.Slip.ID <= after || !q.fits(known)) {
				return nil
			}
			list = append(list, known)
			return err
		}
		state := q.State
		if state == "" && q.Unrecorded {
			state = multe.VerbaleIssued
		}
		for seen := 0; ; {
			page, err := candidates(r, c, q, state, after)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, found := range page {
				after, seen = found.Slip.ID, seen+1
				if q.fits(found) {
					list = append(list, found)
				}
				if len(list) == limit || seen == searchScan {
					next = after
					return nil
				}
			}
		}
	})
	return list, next, err
}

// candidates reads a page by the index that leaves out most.
func candidates(r store.Reader, c multe.CreditorID, q Query, state multe.VerbaleState, after multe.VerbaleID) ([]multe.Verbale, error) {
	const page = 200
	switch {
	case q.Plate != "":
		return r.VerbaliByPlate(c, q.Plate, after, page)
	case state != "":
		return r.VerbaliIn(c, state, after, page)
	}
	return r.Verbali(c, after, page)
}

// AuditQuery says which lines of the history are wanted; what is zero does not
// matter.
type AuditQuery struct {
	Actor    string
	Action   string // with a dot at the end: all that begin so
	From, To multe.Day
}

func (q AuditQuery) fits(e multe.AuditEntry) bool {
	return (q.Actor == "" || e.Actor == q.Actor) &&
		(q.Action == "" || e.Action == q.Action || strings.HasSuffix(q.Action, ".") && strings.HasPrefix(e.Action, q.Action)) &&
		(q.From.IsZero() || !e.At.Before(q.From.Start())) && (q.To.IsZero() || e.At.Before(q.To.Plus(1).Start()))
}

// disorder is how much later than its neighbours a line may be put: its instant is
// taken before the transaction, which may wait.
const disorder = time.Hour

// Audit lists the lines of a creditor's history that fit, in order, with Seq greater
// than after, at most limit (≤ [store.MaxPage]). next is where to go on, 0 at the
// end; a page may be short though there is one.
func (v *Verbali) Audit(ctx context.Context, c multe.CreditorID, q AuditQuery, after uint64, limit int) (list []multe.AuditEntry, next uint64, err error) {
	err = v.store.View(ctx, func(r store.Reader) error {
		list, next = nil, 0
		from := after
		if !q.From.IsZero() {
			first, err := firstSince(r, c, q.From.Start().Add(-disorder))
			if err != nil {
				return err
			}
			from = max(from, first)
		}
		for seen := 0; ; {
			page, err := r.Audit(c, "", from, store.MaxPage)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, e := range page {
				if !q.To.IsZero() && !e.At.Before(q.To.Plus(1).Start().Add(disorder)) {
					return nil
				}
				from, seen = e.Seq, seen+1
				if q.fits(e) {
					list = append(list, e)
				}
				if len(list) == limit || seen == searchScan {
					next = from
					return nil
				}
			}
		}
	})
	return list, next, err
}

// firstSince returns the Seq after which the lines since an instant begin: lines are
// in the order of time, or nearly.
func firstSince(r store.Reader, c multe.CreditorID, at time.Time) (uint64, error) {
	last, err := r.LastAudit(c)
	if err != nil {
		return 0, err
	}
	n := sort.Search(int(last), func(seq int) bool {
		page, e := r.Audit(c, "", uint64(seq), 1)
		if e != nil {
			err = e
		}
		return len(page) == 0 || !page[0].At.Before(at)
	})
	return uint64(n), err
}
