package ppay

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// freeTries is how many wrong credentials cost nothing: a person who configures
	// the other side mistypes.
	freeTries = 5
	// The pause after one more doubles from the first to the longest. That is short
	// on purpose: the platform's own calls come from the same address, and a queue
	// that fails too long is stopped (piemontepay.md §4.7).
	firstPause   = time.Second
	longestPause = time.Minute
	// maxSources bounds the table; whoever has failed longest ago is forgotten.
	maxSources = 1024
)

// doors remembers from where wrong credentials came.
type doors struct {
	now     func() time.Time
	mu      sync.Mutex
	sources map[netip.Addr]source
}

type source struct {
	wrong int
	last  time.Time
}

func (s source) pause() time.Duration {
	n := s.wrong - freeTries
	if n <= 0 {
		return 0
	}
	if n > 6 { // a second doubled six times is past a minute
		return longestPause
	}
	return min(firstPause<<(n-1), longestPause)
}

// closed returns how long a source must wait, 0 if it need not. What comes while
// it must is not looked at, and does not count.
func (d *doors) closed(from netip.Addr) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sources[network(from)]
	return max(0, s.last.Add(s.pause()).Sub(d.now()))
}

// wrong counts wrong credentials.
func (d *doors) wrong(from netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sources == nil {
		d.sources = map[netip.Addr]source{}
	}
	from = network(from)
	s, known := d.sources[from]
	if !known && len(d.sources) >= maxSources {
		var oldest netip.Addr
		var last time.Time
		for a, s := range d.sources {
			if last.IsZero() || s.last.Before(last) {
				oldest, last = a, s.last
			}
		}
		delete(d.sources, oldest)
	}
	d.sources[from] = source{wrong: s.wrong + 1, last: d.now()}
}

// open forgets what a source did wrong.
func (d *doors) open(from netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sources, network(from))
}

// network is whom an address counts as: an IPv6 host has a whole /64.
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// peer returns the address of the other end of the connection.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// allowed reports whether a list lets an address in. No list lets all in.
func allowed(list []netip.Prefix, a netip.Addr) bool {
	if len(list) == 0 {
		return true
	}
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
