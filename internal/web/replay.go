package web

import (
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"sync"
	"time"

	"preavviso/internal/fault"
)

// maxNonces is how many requests one key may sign in a generation: five a second
// without a pause. It bounds what one handheld can make us remember, to some 100
// KiB.
const maxNonces = 3000

// replays refuses what was signed before (ADR 14). It remembers the nonces of this
// process only; those of a process before begin with another challenge and are
// refused for that.
type replays struct {
	challenge string
	seed      maphash.Seed // nobody outside can make two nonces collide

	mu       sync.Mutex
	now, old generation
	floor    time.Time // what expired by then may have been forgotten
}

// generation is the nonces of a stretch of time, by key.
type generation struct {
	since time.Time
	last  time.Time // when the last of them expires
	seen  map[string]map[uint64]struct{}
}

func newReplays(random io.Reader) (*replays, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return &replays{challenge: hex.EncodeToString(b[:]), seed: maphash.MakeSeed()}, nil
}

// challenged checks that a signature was made for this process. The signer may
// not know its challenge yet: the answer tells it.
func (r *replays) challenged(s *Signature) error {
	if !strings.HasPrefix(s.nonce, r.challenge+".") {
		return fault.New(fault.Forbidden, codeChallenge, "Il servizio è ripartito: firmare di nuovo con il codice di sessione indicato.")
	}
	return nil
}

// take refuses a signature that was taken before. It must be called last: what
// is refused for another reason must not use up its nonce, and a stranger's nonce
// must not be remembered.
func (r *replays) take(s *Signature, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A signature lives at most 2·maxAge from now, so a generation that is at
	// least that old has expired whole, unless our clock was set back meanwhile:
	// then floor refuses what could have been in it.
	if r.now.seen == nil || now.Sub(r.now.since) >= 2*maxAge {
		if r.old.last.After(r.floor) {
			r.floor = r.old.last
		}
		r.old, r.now = r.now, generation{since: now, seen: map[string]map[uint64]struct{}{}}
	}
	if !s.expires.After(r.floor) {
		return errExpired()
	}
	sum := maphash.String(r.seed, s.nonce)
	_, young := r.now.seen[s.KeyID][sum]
	_, older := r.old.seen[s.KeyID][sum]
	if young || older {
		return fault.New(fault.Forbidden, codeReplayed, "La richiesta firmata è già stata ricevuta: firmarla di nuovo con un altro nonce.")
	}
	of := r.now.seen[s.KeyID]
	if of == nil {
		of = map[uint64]struct{}{}
		r.now.seen[s.KeyID] = of
	}
	if len(of) >= maxNonces {
		return fault.New(fault.Unavailable, "auth.too_many", "Troppe richieste da questo palmare: riprovare più tardi.")
	}
	of[sum] = struct{}{}
	if s.expires.After(r.now.last) {
		r.now.last = s.expires
	}
	return nil
}
