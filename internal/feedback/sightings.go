package feedback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// SightingHours is how far back slips are listed. A prohibited stop is fined
	// again for each calendar day (art. 158 c. 7 CdS), and for each 24 hours in the
	// case of art. 7 c. 15: what is older is another violation.
	SightingHours = 24
	// maxSightings bounds the list, to 25 KiB: more slips than a town writes in a
	// day. The latest stay.
	maxSightings = 5000
	// sightingsAge is how old an answer may be: the list is the same for every
	// handheld of a creditor, and reading it for each would be the most expensive
	// thing they ask for.
	sightingsAge = time.Minute
	// maxClock is how far the clock in an id may be off: see [multe.MaxFuture].
	maxClock = multe.MaxFuture
)

// SightingDay is the sightings of the slips that were left on one day.
type SightingDay struct {
	Salt   string
	Values string // sorted, [multe.SightingDigits] each, one after the other
}

// sightings remembers the last answer for each creditor.
type sightings struct {
	mu   sync.Mutex
	last map[multe.CreditorID]sighted
}

type sighted struct {
	at   time.Time
	days []SightingDay
}

// Sightings lists where slips of a creditor were left in the last [SightingHours],
// by day, such that a handheld can tell that it is about to leave a second one,
// and nobody can tell the plates. It may be a minute old.
func (f *Feedback) Sightings(ctx context.Context, c multe.CreditorID) ([]SightingDay, error) {
	now := f.now()
	f.seen.mu.Lock()
	last, known := f.seen.last[c]
	f.seen.mu.Unlock()
	if age := now.Sub(last.at); known && age >= 0 && age < sightingsAge {
		return last.days, nil
	}
	var days []SightingDay
	err := f.store.View(ctx, func(r store.Reader) (err error) {
		days, err = sight(r, c, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing sightings: %w", err)
	}
	f.seen.mu.Lock()
	defer f.seen.mu.Unlock()
	if f.seen.last == nil {
		f.seen.last = map[multe.CreditorID]sighted{}
	}
	f.seen.last[c] = sighted{now, days}
	return days, nil
}

var errEnough = errors.New("enough")

// sight reads the verbali by id, which begins with the time of the slip. One whose
// handheld makes its ids otherwise is not warned about.
func sight(r store.Reader, c multe.CreditorID, now time.Time) ([]SightingDay, error) {
	since := now.Add(-SightingHours * time.Hour)
	from := multe.VerbaleID(fmt.Sprintf("%012x", since.Add(-maxClock).UnixMilli()))
	var recent []multe.Slip
	err := store.Each(func(after multe.VerbaleID) ([]multe.Verbale, error) {
		return r.Verbali(c, max(after, from), store.MaxPage)
	}, func(v multe.Verbale) multe.VerbaleID { return v.Slip.ID }, func(v multe.Verbale) error {
		if v.Slip.IssuedAt.Before(since) || v.State == multe.VerbaleCancelled {
			return nil
		}
		recent = append(recent, v.Slip)
		if len(recent) == 2*maxSightings {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.SortFunc(recent, func(a, b multe.Slip) int { return b.IssuedAt.Compare(a.IssuedAt) })
	recent = recent[:min(len(recent), maxSightings)]
	values := map[string][]string{}
	var salts []string
	for _, s := range recent { // each under the salt of its own day, so that no two values are of the same slip
		salt := multe.SightingSalt(c, multe.DayOf(s.IssuedAt))
		if values[salt] == nil {
			salts = append(salts, salt)
		}
		values[salt] = append(values[salt], multe.Sighting(salt, s.Plate, s.Place))
	}
	days := []SightingDay{}
	for _, salt := range salts {
		slices.Sort(values[salt])
		days = append(days, SightingDay{Salt: salt, Values: strings.Join(slices.Compact(values[salt]), "")})
	}
	return days, nil
}
