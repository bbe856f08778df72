package access

import (
	"sync"
	"time"
)

const (
	// freeTries of one login: who cannot type a password five times asks a
	// colleague. Then a login waits, twice as long each time, to waitMost: a guesser
	// gets a hundred tries a day, and a person who is being guessed at waits a coffee.
	freeTries = 5
	waitFirst = 30 * time.Second
	waitMost  = 15 * time.Minute
	// freeTriesOfAddress: a whole town hall may have one address.
	freeTriesOfAddress = 100
	// forgetAfter a while without failures, counting begins anew.
	forgetAfter = time.Hour
	// maxTries bounds what is remembered of strangers: 4096 entries are 400 KiB.
	maxTries = 4096
)

// failures is what is known of one login or address.
type failures struct {
	n     int
	until time.Time // nothing is looked at before
}

// again counts one more failure.
func (f failures) again(free int, now time.Time) failures {
	if now.Sub(f.until) > forgetAfter {
		f.n = 0
	}
	f.n++
	f.until = now
	if over := f.n - free; over >= 0 {
		wait := waitMost
		if over < 16 { // beyond, the doubling would overflow
			wait = min(waitFirst<<over, waitMost)
		}
		f.until = now.Add(wait)
	}
	return f
}

// tries remembers failures by key, at most maxTries of them: the oldest makes room.
type tries struct {
	free int

	mu sync.Mutex
	of map[string]failures
}

func newTries(free int) *tries { return &tries{free: free, of: map[string]failures{}} }

func (t *tries) waiting(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.of[key].until)
}

// failed counts a failure, and reports whether key was not already waiting.
func (t *tries) failed(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, known := t.of[key]
	if now.Before(f.until) {
		return false
	}
	if !known && len(t.of) >= maxTries {
		oldest := ""
		for k, f := range t.of {
			if oldest == "" || f.until.Before(t.of[oldest].until) {
				oldest = k
			}
		}
		delete(t.of, oldest)
	}
	t.of[key] = f.again(t.free, now)
	return true
}
