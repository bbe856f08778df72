package cds

import (
	"sync"

	"preavviso/internal/multe"
)

// maxShelf is how many catalogues a Shelf keeps: every town of a large supplier. One
// of 400 violations takes some 300 KiB.
const maxShelf = 200

// Documents is what a Shelf reads from; a reader of package store is one.
type Documents interface {
	CountDocuments(c multe.CreditorID, kind multe.DocumentKind) (uint64, error)
	Document(c multe.CreditorID, kind multe.DocumentKind, n uint64) (multe.Document, error)
}

// Shelf keeps catalogues that were read once: reading one of 400 violations takes
// longer than all else about a slip. Documents never change, so what is kept is
// never out of date. The zero Shelf is empty; many goroutines may use it.
type Shelf struct {
	mu   sync.Mutex
	kept map[place]kept
}

type place struct {
	creditor multe.CreditorID
	n        uint64
}

type kept struct {
	from      multe.Day
	catalogue *Catalogue
}

// On returns the catalogue that is in force for creditor c on a day, nil if none
// is, or if it cannot be read any more. used is false if the creditor has never given one.
func (s *Shelf) On(r Documents, c multe.CreditorID, day multe.Day) (_ *Catalogue, used bool, _ error) {
	last, err := r.CountDocuments(c, multe.DocumentCatalogue)
	if err != nil {
		return nil, false, err
	}
	for n := last; n > 0; n-- {
		k, err := s.get(r, place{c, n})
		if err != nil {
			return nil, true, err
		}
		if k.from.Compare(day) <= 0 {
			return k.catalogue, true, nil
		}
	}
	return nil, last > 0, nil
}

func (s *Shelf) get(r Documents, at place) (kept, error) {
	s.mu.Lock()
	k, ok := s.kept[at]
	s.mu.Unlock()
	if ok {
		return k, nil
	}
	d, err := r.Document(at.creditor, multe.DocumentCatalogue, at.n)
	if err != nil {
		return kept{}, err
	}
	c, _, err := Parse(d.Body)
	if err != nil {
		c = nil // a newer program may read more strictly; no slip is refused for that
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxShelf {
		s.kept = map[place]kept{} // begin again: what is in use is read again
	}
	k = kept{d.From, c}
	s.kept[at] = k
	return k, nil
}
