package photos

import (
	"context"
	"sync"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// maxCopies bounds the copies in memory, in bytes: some hundred pages, or a
// thousand thumbnails. A full cache begins anew.
const maxCopies = 32 << 20

// copies are those made lately. They are made one at a time: one takes up to 200 MB.
type copies struct {
	making sync.Mutex
	mu     sync.Mutex
	made   map[copyKey][]byte
	size   int
}

type copyKey struct {
	creditor multe.CreditorID
	device   multe.DeviceID
	photo    multe.PhotoID
	size     Size
}

func (c *copies) get(k copyKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.made[k]
	return b, ok
}

func (c *copies) put(k copyKey, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || c.size+len(b) > maxCopies {
		c.made, c.size = map[copyKey][]byte{}, 0
	}
	c.made[k] = b
	c.size += len(b)
}

// Show returns a copy of a photo to be looked at: upright, of a size, and without
// what the camera wrote into the file. The look is in the history.
func (p *Photos) Show(ctx context.Context, actor string, c multe.CreditorID, v multe.VerbaleID, id multe.PhotoID, size Size) ([]byte, error) {
	side, ok := sides[size]
	if !ok {
		return nil, fault.New(fault.Invalid, "photo.bad_size", "La dimensione della foto deve essere «page» oppure «thumbnail».")
	}
	photo, err := p.look(ctx, actor, "photo.seen", c, v, id)
	if err != nil {
		return nil, err
	}
	key := copyKey{c, photo.Device, id, size}
	if b, ok := p.copies.get(key); ok {
		return b, nil
	}
	p.copies.making.Lock()
	defer p.copies.making.Unlock()
	if b, ok := p.copies.get(key); ok { // made while we waited
		return b, nil
	}
	file, err := p.file(ctx, photo)
	if err != nil {
		return nil, err
	}
	b, err := copyOf(file, side)
	if err == nil {
		p.copies.put(key, b)
	}
	return b, err
}

// look finds a photo of a verbale that has its bytes, and leaves in the history that
// actor looked at it.
func (p *Photos) look(ctx context.Context, actor, action string, c multe.CreditorID, v multe.VerbaleID, id multe.PhotoID) (multe.Photo, error) {
	at := multe.Instant(p.now())
	var photo multe.Photo
	err := p.store.Update(ctx, func(tx store.Tx) error {
		verbale, err := findVerbale(tx, c, v)
		if err != nil {
			return err
		}
		if photo, err = find(tx, c, verbale.Device, id); err != nil {
			return err
		}
		switch {
		case photo.Verbale != v:
			return errUnknown()
		case photo.State == multe.PhotoExpired:
			return errExpired()
		case photo.State != multe.PhotoKept && photo.State != multe.PhotoWaiting:
			return fault.New(fault.Conflict, "photo.no_bytes", "La foto non è ancora arrivata per intero, oppure è stata rifiutata o eliminata.")
		}
		return book{tx, actor, at}.add(action, verbale, photo.State, photo)
	})
	return photo, err
}
