package owners

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

const (
	// MaxImport is how many owners one import may bring: what one transaction puts
	// within a second.
	MaxImport = 5000
	// purgePage is how many hints one transaction forgets.
	purgePage = 500
)

// Owners keeps hints of owners.
type Owners struct {
	store store.Store
	now   func() time.Time
}

// New returns an Owners.
func New(s store.Store, now func() time.Time) *Owners { return &Owners{store: s, now: now} }

// Owner is who owned a vehicle, from a day to a day.
type Owner struct {
	Plate       multe.Plate
	From, Until multe.Day // zero: not said
	Debtor      multe.Debtor
}

// Import keeps owners, all of them or none. It says how many were not known
// before; those that were are kept longer.
func (o *Owners) Import(ctx context.Context, by string, c multe.CreditorID, list []Owner) (fresh int, err error) {
	if len(list) == 0 || len(list) > MaxImport {
		return 0, fault.New(fault.Invalid, "owners.bad_count", fmt.Sprintf("Si possono importare da 1 a %d intestatari alla volta.", MaxImport))
	}
	at := multe.Instant(o.now())
	err = o.store.Update(ctx, func(tx store.Tx) error {
		fresh = 0
		for _, x := range list {
			h, err := multe.NewOwnerHint(c, x.Plate, x.From, x.Until, x.Debtor, at)
			if err != nil {
				return err
			}
			switch known, err := tx.OwnerHint(c, h.ID); {
			case err == nil:
				h.Version = known.Version + 1
				if known.Gone {
					fresh++
				}
			case errors.Is(err, fault.NotFound):
				fresh++
			default:
				return err
			}
			if err := tx.PutOwnerHint(h); err != nil {
				return err
			}
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: by, Action: "owners.imported", To: fmt.Sprint(len(list))})
	})
	if err != nil {
		return 0, fmt.Errorf("importing owners: %w", err)
	}
	return fresh, nil
}

// Hint is an owner proposed for an act.
type Hint struct {
	multe.OwnerHint
	Fits bool // the days of ownership cover that of the violation, as far as they are known
}

// Hints proposes owners for a verbale by its plate: first those who owned the
// vehicle on the day, those with known days before those without.
func (o *Owners) Hints(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]Hint, error) {
	var hints []Hint
	now := o.now()
	err := o.store.View(ctx, func(r store.Reader) error {
		hints = nil
		v, err := r.Verbale(c, id)
		if errors.Is(err, fault.NotFound) {
			return fault.Wrap(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.", err)
		}
		if err != nil {
			return err
		}
		day := multe.DayOf(v.Slip.IssuedAt)
		list, err := r.OwnerHintsOf(c, v.Slip.Plate, store.MaxPage)
		for _, h := range list {
			if h.Expires.After(now) {
				hints = append(hints, Hint{h, h.Covers(day)})
			}
		}
		return err
	})
	slices.SortStableFunc(hints, func(a, b Hint) int {
		switch {
		case a.Fits != b.Fits && a.Fits, a.Fits == b.Fits && !a.From.IsZero() && b.From.IsZero():
			return -1
		case a.Fits != b.Fits, !b.From.IsZero() && a.From.IsZero():
			return 1
		}
		return b.From.Compare(a.From) // who bought it last
	})
	return hints, err
}

// Purge forgets the hints whose time is over, some of each creditor. more says
// that there are others.
func (o *Owners) Purge(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, o.store)
	if err != nil {
		return false, err
	}
	at := multe.Instant(o.now())
	for _, c := range creditors {
		var forgotten int
		err := o.store.Update(ctx, func(tx store.Tx) error {
			forgotten = 0
			page, err := tx.OwnerHints(c.ID, multe.OwnerHint{}, purgePage) // those that expire first
			if err != nil {
				return err
			}
			for _, h := range page {
				if h.Expires.After(at) {
					break
				}
				if err := tx.PutOwnerHint(h.Forget()); err != nil {
					return err
				}
				forgotten++
			}
			if forgotten == 0 {
				return nil
			}
			return tx.AppendAudit(multe.AuditEntry{Creditor: c.ID, At: at, Actor: "loop:owners", Action: "owners.forgotten", To: fmt.Sprint(forgotten)})
		})
		if err != nil {
			return false, fmt.Errorf("forgetting owners: %w", err)
		}
		more = more || forgotten == purgePage
	}
	return more, nil
}
