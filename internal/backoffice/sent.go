package backoffice

import (
	"sync"
	"time"

	"preavviso/internal/multe"
)

// The bounds of what is remembered of forms that were sent: a day's work of a
// large office, and longer than anybody leaves a page open to send it again.
const (
	maxSent  = 10_000
	sentLife = 12 * time.Hour
)

// sent remembers forms that add something, so that the same form sent twice adds
// it once.
type sent struct {
	now func() time.Time

	mu  sync.Mutex
	all map[multe.Digest]time.Time // until when
}

func newSent(now func() time.Time) *sent { return &sent{now: now, all: map[multe.Digest]time.Time{}} }

// claim reports whether a form was not sent before, and remembers it.
func (s *sent) claim(form multe.Digest) bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, ok := s.all[form]; ok && now.Before(until) {
		return false
	}
	if len(s.all) >= maxSent {
		for k, until := range s.all {
			if !now.Before(until) || len(s.all) >= maxSent {
				delete(s.all, k)
			}
		}
	}
	s.all[form] = now.Add(sentLife)
	return true
}

// release forgets a form that was refused.
func (s *sent) release(form multe.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, form)
}
