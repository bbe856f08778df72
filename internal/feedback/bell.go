package feedback

import "sync"

// Bell wakes everybody who waits. The zero Bell is ready.
type Bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// Ring wakes those who wait now. It never blocks.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Wait returns a channel that the next Ring closes. Take it before looking at what
// you wait for: what changes between the two then rings it.
func (b *Bell) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}
