package boltstore

import (
	"bytes"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// slipMarks is the order in which the verbali of a handheld changed. Its records
// are written by the puts of verbali, codes and changes, so that no use case can
// forget to.
var slipMarks = &table[multe.SlipMark]{
	name:    "slip.mark",
	key:     func(m multe.SlipMark) key { return keyOf(string(m.Creditor), string(m.Verbale)) },
	version: func(m multe.SlipMark) uint64 { return m.Version },
	indexes: []*index[multe.SlipMark]{slipMarkSeq},
}

var slipMarkSeq = &index[multe.SlipMark]{name: "slip.mark.seq", unique: true, key: func(m multe.SlipMark) key {
	return keyOf(string(m.Creditor), string(m.Device)).number(m.Seq)
}}

var photos = &table[multe.Photo]{
	name:    "photo",
	key:     func(p multe.Photo) key { return keyOf(string(p.Creditor), string(p.Device), string(p.ID)) },
	version: func(p multe.Photo) uint64 { return p.Version },
	indexes: []*index[multe.Photo]{photoVerbale, photoState},
	tally: func(p multe.Photo) []key {
		if !p.Open() {
			return nil
		}
		return []key{openPhotos(p.Creditor, p.Device)}
	},
}

func openPhotos(c multe.CreditorID, d multe.DeviceID) key {
	return keyOf("photo.open", string(c), string(d))
}

var photoVerbale = &index[multe.Photo]{name: "photo.verbale", key: func(p multe.Photo) key {
	return keyOf(string(p.Creditor), string(p.Device), string(p.Verbale), string(p.ID))
}}

var photoState = &index[multe.Photo]{name: "photo.state", key: func(p multe.Photo) key {
	return photoStateKey(p.Creditor, p.State, p)
}}

func photoStateKey(c multe.CreditorID, s multe.PhotoState, p multe.Photo) key {
	if p.ID == "" {
		return keyOf(string(c), string(s)) // the zero Photo: from the start
	}
	return keyOf(string(c), string(s)).instant(p.Declared).text(string(p.Device)).text(string(p.ID))
}

var photoChunks = &table[multe.PhotoChunk]{
	name: "photo.chunk",
	key: func(c multe.PhotoChunk) key {
		return keyOf(string(c.Creditor), string(c.Device), string(c.Photo)).number(uint64(c.N))
	},
	version: func(c multe.PhotoChunk) uint64 { return c.Version },
}

var bulletins = &table[multe.Bulletin]{
	name:    "bulletin",
	key:     func(b multe.Bulletin) key { return keyOf(string(b.Creditor), string(b.ID)) },
	version: func(b multe.Bulletin) uint64 { return b.Version },
	indexes: []*index[multe.Bulletin]{bulletinExpiry},
}

var bulletinExpiry = &index[multe.Bulletin]{name: "bulletin.expiry", key: func(b multe.Bulletin) key {
	return keyOf(string(b.Creditor), string(b.Device)).instant(b.Expires).text(string(b.ID))
}}

var bulletinReads = &table[multe.BulletinRead]{
	name:    "bulletin.read",
	key:     func(r multe.BulletinRead) key { return keyOf(string(r.Creditor), string(r.Bulletin), string(r.Device)) },
	version: func(r multe.BulletinRead) uint64 { return r.Version },
}

func (r reader) SlipMarks(c multe.CreditorID, d multe.DeviceID, after uint64, limit int) ([]multe.SlipMark, error) {
	prefix := keyOf(string(c), string(d))
	return slipMarks.list(r.tx, slipMarkSeq, prefix, prefix.number(after), limit)
}

func (r reader) Photo(c multe.CreditorID, d multe.DeviceID, id multe.PhotoID) (multe.Photo, error) {
	return photos.get(r.tx, keyOf(string(c), string(d), string(id)))
}

func (r reader) PhotosOf(c multe.CreditorID, d multe.DeviceID, v multe.VerbaleID, after multe.PhotoID, limit int) ([]multe.Photo, error) {
	prefix := keyOf(string(c), string(d), string(v))
	return photos.list(r.tx, photoVerbale, prefix, prefix.text(string(after)), limit)
}

func (r reader) PhotosIn(c multe.CreditorID, s multe.PhotoState, after multe.Photo, limit int) ([]multe.Photo, error) {
	return photos.list(r.tx, photoState, keyOf(string(c), string(s)), photoStateKey(c, s, after), limit)
}

func (r reader) CountOpenPhotos(c multe.CreditorID, d multe.DeviceID) (int, error) {
	k := openPhotos(c, d)
	if k.err != nil {
		return 0, k.err
	}
	return int(r.tally(k)), nil
}

func (r reader) PhotoChunks(c multe.CreditorID, d multe.DeviceID, id multe.PhotoID, after int, limit int) ([]multe.PhotoChunk, error) {
	prefix := keyOf(string(c), string(d), string(id))
	return photoChunks.list(r.tx, nil, prefix, prefix.number(uint64(max(0, after))), limit)
}

func (r reader) Bulletin(c multe.CreditorID, id multe.BulletinID) (multe.Bulletin, error) {
	return bulletins.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) Bulletins(c multe.CreditorID, after multe.BulletinID, limit int) ([]multe.Bulletin, error) {
	return bulletins.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) BulletinsFor(c multe.CreditorID, d multe.DeviceID, expire time.Time, limit int) ([]multe.Bulletin, error) {
	prefix := keyOf(string(c), string(d))
	// The first key of the next microsecond: whatever expires at expire is over.
	return bulletins.list(r.tx, bulletinExpiry, prefix, prefix.instant(expire.Add(time.Microsecond)), limit)
}

func (r reader) BulletinRead(c multe.CreditorID, id multe.BulletinID, d multe.DeviceID) (multe.BulletinRead, error) {
	return bulletinReads.get(r.tx, keyOf(string(c), string(id), string(d)))
}

func (r reader) BulletinReads(c multe.CreditorID, id multe.BulletinID, after multe.DeviceID, limit int) ([]multe.BulletinRead, error) {
	prefix := keyOf(string(c), string(id))
	return bulletinReads.list(r.tx, nil, prefix, prefix.text(string(after)), limit)
}

func (w *txn) PutPhoto(p multe.Photo) error               { return photos.put(w, p) }
func (w *txn) PutPhotoChunk(c multe.PhotoChunk) error     { return photoChunks.put(w, c) }
func (w *txn) PutBulletin(b multe.Bulletin) error         { return bulletins.put(w, b) }
func (w *txn) PutBulletinRead(r multe.BulletinRead) error { return bulletinReads.put(w, r) }

func (w *txn) PutVerbale(v multe.Verbale) error {
	return putAndTouch(w, verbali, v, v.Creditor, v.Slip.ID, v.Changed)
}

func (w *txn) PutCode(c multe.Code) error {
	return putAndTouch(w, codes, c, c.Creditor, c.Verbale, c.Changed)
}

func (w *txn) PutChange(c multe.Change) error {
	return putAndTouch(w, changes, c, c.Creditor, c.Verbale, c.Changed)
}

// putAndTouch puts a record and gives the verbale it is about, if any, its new
// place in the order of changes, or does neither.
func putAndTouch[T any](w *txn, t *table[T], rec T, c multe.CreditorID, v multe.VerbaleID, at time.Time) error {
	n := len(w.undo)
	if err := t.put(w, rec); err != nil || v == "" {
		return err
	}
	if err := w.touch(c, v, at); err != nil {
		return errors.Join(err, w.revert(n))
	}
	return nil
}

// touch gives a verbale its place in the order of changes, once in an update.
func (w *txn) touch(c multe.CreditorID, v multe.VerbaleID, at time.Time) error {
	id := string(c) + "\x00" + string(v)
	if w.touched[id] {
		return nil
	}
	mark, err := slipMarks.get(w.tx, keyOf(string(c), string(v)))
	if errors.Is(err, fault.NotFound) {
		verbale, err := w.Verbale(c, v)
		if errors.Is(err, fault.NotFound) {
			return nil // it is about to be put
		}
		if err != nil {
			return err
		}
		mark = multe.SlipMark{Creditor: c, Device: verbale.Device, Verbale: v}
	} else if err != nil {
		return err
	}
	mark.Version++
	mark.Seq = w.nextSeq(c, mark.Device, at)
	if err := slipMarks.put(w, mark); err != nil {
		return err
	}
	if w.touched == nil {
		w.touched = map[string]bool{}
	}
	w.touched[id] = true
	return nil
}

// nextSeq is one more than the last of the device, and at least the time in
// microseconds: a store that was put back to an older copy does not give a second
// time what a handheld may have seen.
func (w *txn) nextSeq(c multe.CreditorID, d multe.DeviceID, at time.Time) uint64 {
	prefix := keyOf(string(c), string(d))
	return max(lastNumber(w.tx.Bucket([]byte(slipMarkSeq.name)).Cursor(), prefix)+1, uint64(max(0, at.UnixMicro())))
}

// lastNumber returns the number at the end of the greatest key that is prefix and
// a number; 0 if there is none.
func lastNumber(c *bolt.Cursor, prefix key) uint64 {
	k, _ := c.Seek(prefix.number(1<<64 - 1).b)
	if k == nil {
		k, _ = c.Last()
	} else if !bytes.HasPrefix(k, prefix.b) {
		k, _ = c.Prev()
	}
	if !bytes.HasPrefix(k, prefix.b) {
		return 0
	}
	return number(k[len(prefix.b):])
}
