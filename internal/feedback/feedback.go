package feedback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// MaxPoll is how many slips one answer tells of: 100 are 25 KiB.
const MaxPoll = 100

// beginning is how far back a handheld without a cursor is told: its shift and the
// one before.
const beginning = 48 * time.Hour

// Feedback answers handhelds, and the office that writes to them.
type Feedback struct {
	store   store.Store
	now     func() time.Time
	explain func(code string) string
	bell    *Bell
	seen    sightings
}

// New returns a Feedback. explain gives what a refusal code of the platform means,
// in Italian, "" if nobody knows; bell is rung when the office has written.
func New(s store.Store, now func() time.Time, explain func(code string) string, bell *Bell) *Feedback {
	return &Feedback{store: s, now: now, explain: explain, bell: bell}
}

// Wait is [Bell.Wait] of the bell that rings when there may be news.
func (f *Feedback) Wait() <-chan struct{} { return f.bell.Wait() }

// Item is what became of one slip.
type Item struct {
	multe.Feedback
	Detail string // Italian, to be shown; "" where the status says all
}

// Page is the answer to a poll.
type Page struct {
	Cursor    uint64 // where the next poll goes on
	More      bool   // the next poll would not be empty
	Slips     []Item
	Bulletins []multe.Bulletin // in force and not yet read; all of them, in every page
}

// Start is the cursor of a handheld that has none: what happened before it is not
// told.
func (f *Feedback) Start() uint64 { return uint64(f.now().Add(-beginning).UnixMicro()) }

// Poll tells a handheld what changed after a cursor, at most limit (≤ [MaxPoll])
// slips. A handheld that is revoked meanwhile is told nothing.
func (f *Feedback) Poll(ctx context.Context, c multe.CreditorID, d multe.DeviceID, after uint64, limit int) (Page, error) {
	if limit < 1 || limit > MaxPoll {
		return Page{}, fault.New(fault.Invalid, "feedback.bad_limit", fmt.Sprintf("Il numero di elementi richiesti va da 1 a %d.", MaxPoll))
	}
	at := multe.Instant(f.now())
	var page Page
	err := f.store.View(ctx, func(r store.Reader) error {
		page = Page{Cursor: after}
		device, err := r.Device(c, d)
		if err != nil {
			return err
		}
		if device.State != multe.DeviceEnrolled {
			return fault.New(fault.Forbidden, "device.revoked", "Il palmare è stato revocato.")
		}
		marks, err := r.SlipMarks(c, d, after, limit+1)
		if err != nil {
			return err
		}
		if page.More = len(marks) > limit; page.More {
			marks = marks[:limit]
		}
		for _, m := range marks {
			item, err := f.item(r, m)
			if err != nil {
				return err
			}
			page.Slips = append(page.Slips, item)
			page.Cursor = m.Seq
		}
		page.Bulletins, err = unread(r, c, d, at)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("polling feedback: %w", err)
	}
	return page, nil
}

func (f *Feedback) item(r store.Reader, m multe.SlipMark) (Item, error) {
	v, err := r.Verbale(m.Creditor, m.Verbale)
	if err != nil {
		return Item{}, err
	}
	var (
		codes   []multe.Code
		changes [][]multe.Change
	)
	for _, p := range v.Positions() {
		k, err := r.Code(m.Creditor, p)
		if err != nil {
			return Item{}, err
		}
		of, err := r.ChangesOf(m.Creditor, p, 0, store.MaxPage) // a life has a handful of them
		if err != nil {
			return Item{}, err
		}
		codes, changes = append(codes, k), append(changes, of)
	}
	item := Item{Feedback: multe.FeedbackOf(v, codes, changes)}
	switch item.Status {
	case multe.SlipRefused:
		item.Detail = "PiemontePAY non ha accettato il preavviso, che non è pagabile. L'ufficio è avvisato: non ristampare."
		if meaning := f.explain(item.Code); meaning != "" {
			item.Detail += " Motivo: " + meaning
		}
	case multe.SlipCancelled:
		item.Detail = "L'ufficio ha annullato il verbale: non deve essere pagato."
	}
	return item, nil
}

// unread lists the bulletins in force for a handheld that it has not read.
func unread(r store.Reader, c multe.CreditorID, d multe.DeviceID, at time.Time) ([]multe.Bulletin, error) {
	var list []multe.Bulletin
	for _, to := range []multe.DeviceID{d, ""} {
		written, err := r.BulletinsFor(c, to, at, multe.MaxBulletins)
		if err != nil {
			return nil, err
		}
		for _, b := range written {
			_, err := r.BulletinRead(c, b.ID, d)
			if errors.Is(err, fault.NotFound) {
				list, err = append(list, b), nil
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
