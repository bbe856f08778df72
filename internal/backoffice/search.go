package backoffice

import (
	"encoding/hex"
	"io"
	"sync"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// maxSearches bounds what is remembered: some for everybody in a large office.
const maxSearches = 1000

// searches remembers what was searched for, so that no plate stands in an
// address: the browser is sent to a name that means nothing to anybody else.
type searches struct {
	now    func() time.Time
	random io.Reader

	mu  sync.Mutex
	all map[string]search
}

type search struct {
	creditor multe.CreditorID
	operator multe.OperatorID
	plate    multe.Plate
	until    time.Time
}

func newSearches(now func() time.Time, random io.Reader) *searches {
	return &searches{now: now, random: random, all: map[string]search{}}
}

// keep remembers a search and returns its name.
func (s *searches) keep(c multe.CreditorID, o multe.OperatorID, p multe.Plate) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return "", err
	}
	name, now := hex.EncodeToString(b[:]), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.all {
		if now.After(v.until) || len(s.all) >= maxSearches {
			delete(s.all, k) // any of them: it can be asked for again
		}
	}
	s.all[name] = search{c, o, p, now.Add(searchLife)}
	return name, nil
}

// plate returns what an operator searched for under a name.
func (s *searches) plate(c multe.CreditorID, o multe.OperatorID, name string) (multe.Plate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.all[name]
	if !ok || found.creditor != c || found.operator != o || s.now().After(found.until) {
		return "", fault.New(fault.NotFound, "search.over", "La ricerca è scaduta: ripeterla dalla pagina Verbali.")
	}
	return found.plate, nil
}
