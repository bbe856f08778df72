package photos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// OrphanAfter is how long a photo may stay without change before it is whole
	// and its verbale is here. A handheld that has a network sends both within
	// the day; a month covers a repair.
	OrphanAfter = 30 * 24 * time.Hour
	// maxDeclared bounds the photos of one verbale, those refused and dropped
	// included: a handheld that never gets one right stops here.
	maxDeclared = 4 * multe.MaxPhotos
	// maxOpen bounds what one handheld may leave unfinished: it sends one photo
	// after the other, after their verbali.
	maxOpen = 100
	// maxPixels bounds what a small file may claim to be: 50 million, more than
	// the camera of any handheld, less than makes whoever shows it run out of memory.
	maxPixels = 50_000_000
	// sweepRound is how many photos one round of Sweep changes.
	sweepRound = 500

	sweeper = "loop:photos"
)

// The troubles a person is told about.
const (
	kindRefused = "photo.refused"
	kindDropped = "photo.dropped"
)

// details are what the office reads: what happened, what it means, what to do.
var details = map[string]string{
	kindRefused: "Una foto inviata da un palmare non è integra o non è un'immagine JPEG valida: non è stata conservata. Il verbale è valido ma manca questa prova. Controllare il palmare e, se la foto è ancora lì, farla inviare di nuovo.",
	kindDropped: "Una foto dichiarata da un palmare è stata eliminata: in 30 giorni non è arrivata per intero, oppure non è mai arrivato il suo verbale. Verificare se il palmare ha ancora dati da trasmettere.",
}

// Photos keeps photos.
type Photos struct {
	store  store.Store
	now    func() time.Time
	copies copies
}

// New returns a Photos.
func New(s store.Store, now func() time.Time) *Photos { return &Photos{store: s, now: now} }

// Declare says that a handheld is about to send a photo, and returns what is known
// of it: it goes on at Have. The same photo with another sheet is a
// [fault.Conflict].
func (p *Photos) Declare(ctx context.Context, c multe.CreditorID, d multe.DeviceID, sheet multe.PhotoSheet) (multe.Photo, error) {
	if err := sheet.Validate(); err != nil {
		return multe.Photo{}, err
	}
	at := multe.Instant(p.now())
	var photo multe.Photo
	err := p.store.Update(ctx, func(tx store.Tx) (err error) {
		photo, err = tx.Photo(c, d, sheet.ID)
		switch {
		case err == nil && photo.PhotoSheet != sheet:
			return fault.New(fault.Conflict, "photo.other_body", "Una foto con lo stesso identificativo è già stata dichiarata con altri dati.")
		case err == nil:
			return gone(photo)
		case !errors.Is(err, fault.NotFound):
			return err
		}
		v, err := verbaleOf(tx, c, d, sheet.Verbale)
		if err != nil {
			return err
		}
		if v.Slip.ID == "" {
			_, err = tx.Verbale(c, sheet.Verbale) // another handheld's looks like none
			if err == nil {
				return fault.New(fault.NotFound, "verbale.unknown", "Il verbale non risulta inviato da questo palmare.")
			}
			if !errors.Is(err, fault.NotFound) {
				return err
			}
		}
		if err := room(tx, c, d, sheet.Verbale); err != nil {
			return err
		}
		photo = multe.DeclarePhoto(c, d, sheet, at)
		if err := tx.PutPhoto(photo); err != nil {
			return err
		}
		return book{tx, "device:" + string(d), at}.add("photo.declared", v, "", photo)
	})
	if err != nil {
		return multe.Photo{}, fmt.Errorf("declaring photo: %w", err)
	}
	return p.finish(ctx, photo) // stored whole before a crash, and not judged
}

// room refuses a photo too many.
func room(r store.Reader, c multe.CreditorID, d multe.DeviceID, v multe.VerbaleID) error {
	of, err := r.PhotosOf(c, d, v, "", maxDeclared)
	if err != nil {
		return err
	}
	good := 0
	for _, other := range of {
		if !other.Gone() {
			good++
		}
	}
	if good >= multe.MaxPhotos || len(of) >= maxDeclared {
		return fault.New(fault.Conflict, "photo.too_many", fmt.Sprintf("Il verbale ha già %d foto, il massimo.", multe.MaxPhotos))
	}
	open, err := r.CountOpenPhotos(c, d)
	if err != nil {
		return err
	}
	if open >= maxOpen {
		return fault.New(fault.Exhausted, "photo.too_many_open", "Il palmare ha troppe foto iniziate: completare l'invio di quelle e dei loro verbali prima di iniziarne altre.")
	}
	return nil
}

// gone is what a photo answers whose bytes are not kept.
func gone(p multe.Photo) error {
	switch p.State {
	case multe.PhotoRefused:
		return fault.New(fault.Invalid, p.Reason, refusals[p.Reason])
	case multe.PhotoDropped:
		return fault.New(fault.Conflict, "photo.dropped", "La foto è stata eliminata perché non completata, o senza verbale, entro 30 giorni.")
	}
	if p.State == multe.PhotoExpired {
		return errExpired()
	}
	return nil
}

func errExpired() error {
	return fault.New(fault.Conflict, "photo.expired", "La foto è stata cancellata: il verbale è chiuso da più tempo di quanto l'ente conserva le foto.")
}

// Add stores data, the bytes of a photo from offset on, and returns the photo: it
// goes on at Have. Where that is not offset, the error is "photo.wrong_offset" and
// the photo is returned too. Repeating the last data changes nothing.
func (p *Photos) Add(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.PhotoID, offset int, data []byte) (multe.Photo, error) {
	at := multe.Instant(p.now())
	var photo multe.Photo
	err := p.store.Update(ctx, func(tx store.Tx) (err error) {
		if photo, err = find(tx, c, d, id); err != nil {
			return err
		}
		if err := gone(photo); err != nil {
			return err
		}
		if photo.State != multe.PhotoUploading || photo.Whole() {
			return nil // all is here: a repetition
		}
		if repeated, err := isLast(tx, photo, offset, data); err != nil || repeated {
			return err
		}
		next, chunk, err := photo.Add(offset, data, at)
		if err != nil {
			return err
		}
		photo = next
		if err := tx.PutPhoto(photo); err != nil {
			return err
		}
		return tx.PutPhotoChunk(chunk)
	})
	if err != nil {
		return photo, fmt.Errorf("adding to a photo: %w", err)
	}
	return p.finish(ctx, photo)
}

// isLast reports whether data is what was stored last.
func isLast(r store.Reader, p multe.Photo, offset int, data []byte) (bool, error) {
	if p.Chunks == 0 || offset+len(data) != p.Have {
		return false, nil
	}
	last, err := r.PhotoChunks(p.Creditor, p.Device, p.ID, p.Chunks-1, 1)
	return err == nil && len(last) == 1 && last[0].Offset == offset && bytes.Equal(last[0].Data, data), err
}

// finish judges a photo whose bytes are all here. They are read and decoded
// outside the update, which others wait for; they do not change any more.
func (p *Photos) finish(ctx context.Context, photo multe.Photo) (multe.Photo, error) {
	if photo.State != multe.PhotoUploading || !photo.Whole() {
		return photo, nil
	}
	var file []byte
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		file, err = read(r, photo)
		return err
	})
	if err != nil {
		return photo, fmt.Errorf("reading a photo: %w", err)
	}
	verdict := judge(photo.PhotoSheet, file)
	at := multe.Instant(p.now())
	err = p.store.Update(ctx, func(tx store.Tx) (err error) {
		old, err := find(tx, photo.Creditor, photo.Device, photo.ID)
		if err != nil {
			return err
		}
		photo = old
		if old.State != multe.PhotoUploading {
			return nil // judged by another request
		}
		v, err := verbaleOf(tx, old.Creditor, old.Device, old.Verbale)
		if err != nil {
			return err
		}
		b := book{tx, "device:" + string(old.Device), at}
		switch {
		case verdict != "":
			if photo, err = old.Refuse(verdict, at); err != nil {
				return err
			}
			if err := empty(tx, photo); err != nil {
				return err
			}
			if err := store.Report(tx, old.Creditor, kindRefused, string(old.ID), details[kindRefused], at); err != nil {
				return err
			}
		case v.Slip.ID == "":
			photo, err = old.Wait(at)
		default:
			photo, err = old.Keep(at)
		}
		if err != nil {
			return err
		}
		if err := tx.PutPhoto(photo); err != nil {
			return err
		}
		return b.add("photo."+string(photo.State), v, old.State, photo)
	})
	if err != nil {
		return photo, fmt.Errorf("finishing a photo: %w", err)
	}
	return photo, gone(photo)
}

// refusals are what a handheld is told about a photo that is no good, by code.
var refusals = map[string]string{
	"photo.wrong_hash": "La foto ricevuta non corrisponde all'impronta SHA-256 dichiarata: inviarla di nuovo come nuova foto.",
	"photo.not_jpeg":   "Il file ricevuto non è un'immagine JPEG leggibile.",
	"photo.too_big":    "L'immagine ha troppi punti: ridurre la risoluzione della fotocamera.",
}

// judge returns why a file is not the photo that was declared, "" if it is.
func judge(s multe.PhotoSheet, file []byte) string {
	if len(file) != s.Size || multe.DigestOf(file) != s.Digest {
		return "photo.wrong_hash"
	}
	if !bytes.HasPrefix(file, []byte{0xff, 0xd8, 0xff}) {
		return "photo.not_jpeg"
	}
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(file))
	switch {
	case err != nil || cfg.Width < 1 || cfg.Height < 1:
		return "photo.not_jpeg"
	case cfg.Width > maxPixels/cfg.Height:
		return "photo.too_big"
	}
	return ""
}

// read puts the chunks of a photo together.
func read(r store.Reader, p multe.Photo) ([]byte, error) {
	file := make([]byte, 0, p.Size)
	err := store.Each(func(after int) ([]multe.PhotoChunk, error) {
		return r.PhotoChunks(p.Creditor, p.Device, p.ID, after, store.MaxPage)
	}, func(c multe.PhotoChunk) int { return c.N }, func(c multe.PhotoChunk) error {
		file = append(file, c.Data...)
		return nil
	})
	return file, err
}

// empty takes the bytes out of a photo's chunks.
func empty(tx store.Tx, p multe.Photo) error {
	var chunks []multe.PhotoChunk
	err := store.Each(func(after int) ([]multe.PhotoChunk, error) {
		return tx.PhotoChunks(p.Creditor, p.Device, p.ID, after, store.MaxPage)
	}, func(c multe.PhotoChunk) int { return c.N }, func(c multe.PhotoChunk) error {
		chunks = append(chunks, c.Empty())
		return nil
	})
	for _, c := range chunks {
		err = errors.Join(err, tx.PutPhotoChunk(c))
	}
	return err
}

// Get returns a photo of a handheld.
func (p *Photos) Get(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.PhotoID) (multe.Photo, error) {
	var photo multe.Photo
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		photo, err = find(r, c, d, id)
		return err
	})
	return photo, err
}

// OfVerbale lists the photos of a verbale, by id.
func (p *Photos) OfVerbale(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]multe.Photo, error) {
	var list []multe.Photo
	err := p.store.View(ctx, func(r store.Reader) error {
		v, err := findVerbale(r, c, id)
		if err != nil {
			return err
		}
		list, err = r.PhotosOf(c, v.Device, id, "", maxDeclared)
		return err
	})
	return list, err
}

// Bytes returns a photo of a verbale as the camera made it: evidence, with all that
// the camera wrote into it. That actor took it is in the history.
func (p *Photos) Bytes(ctx context.Context, actor string, c multe.CreditorID, v multe.VerbaleID, id multe.PhotoID) (multe.Photo, []byte, error) {
	photo, err := p.look(ctx, actor, "photo.taken", c, v, id)
	if err != nil {
		return photo, nil, err
	}
	file, err := p.file(ctx, photo)
	return photo, file, err
}

// file reads the bytes of a photo, and checks them.
func (p *Photos) file(ctx context.Context, photo multe.Photo) (file []byte, err error) {
	err = p.store.View(ctx, func(r store.Reader) (err error) {
		file, err = read(r, photo)
		return err
	})
	if err == nil && multe.DigestOf(file) != photo.Digest {
		err = fmt.Errorf("photo %s is not what was stored", photo.ID)
	}
	return file, err
}

// Sweep keeps the photos whose verbale has come, drops those that nobody
// completed in time, and takes the bytes out of those whose verbale was closed long
// ago.
func (p *Photos) Sweep(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, p.store)
	if err != nil {
		return false, err
	}
	at, n := multe.Instant(p.now()), 0
	for _, c := range creditors {
		due, err := p.due(ctx, c, at)
		if err != nil {
			return false, err
		}
		for _, photo := range due {
			if n++; n > sweepRound {
				return true, nil
			}
			if err := p.sweep(ctx, photo, at); err != nil {
				return false, fmt.Errorf("sweeping a photo: %w", err)
			}
		}
	}
	return false, nil
}

// expired lists the photos of a creditor whose verbale was closed too long ago, at
// most a round of them. Photos come in the order in which they were declared, so
// those that cannot be old enough are not looked at.
func expired(r store.Reader, c multe.Creditor, at time.Time) ([]multe.Photo, error) {
	var list []multe.Photo
	for after := (multe.Photo{}); len(list) < sweepRound; {
		page, err := r.PhotosIn(c.ID, multe.PhotoKept, after, store.MaxPage)
		for _, photo := range page {
			if c.PhotosUntil(photo.Declared).After(at) {
				return list, err
			}
			v, err := verbaleOf(r, c.ID, photo.Device, photo.Verbale)
			if err != nil {
				return nil, err
			}
			if overdue(c, v, photo, at) {
				list = append(list, photo)
			}
			after = photo
		}
		if err != nil || len(page) < store.MaxPage {
			return list, err
		}
	}
	return list, nil
}

// overdue reports whether a photo has been kept as long as the creditor wants since
// its verbale was paid or annulled and nothing about either changed.
func overdue(c multe.Creditor, v multe.Verbale, p multe.Photo, at time.Time) bool {
	last := p.Changed
	if v.Changed.After(last) {
		last = v.Changed
	}
	return v.Closed() && !c.PhotosUntil(last).After(at)
}

// due lists the open photos of a creditor that something is to be done about.
func (p *Photos) due(ctx context.Context, creditor multe.Creditor, at time.Time) ([]multe.Photo, error) {
	var due []multe.Photo
	c := creditor.ID
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		if due, err = expired(r, creditor, at); err != nil {
			return err
		}
		for _, state := range []multe.PhotoState{multe.PhotoUploading, multe.PhotoWaiting} {
			err := store.Each(func(after multe.Photo) ([]multe.Photo, error) { return r.PhotosIn(c, state, after, store.MaxPage) },
				func(p multe.Photo) multe.Photo { return p },
				func(p multe.Photo) error {
					v, err := verbaleOf(r, c, p.Device, p.Verbale)
					if old(p, at) || state == multe.PhotoWaiting && v.Slip.ID != "" {
						due = append(due, p)
					}
					return err
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return due, err
}

// old reports whether a photo has waited long enough.
func old(p multe.Photo, at time.Time) bool { return at.Sub(p.Changed) >= OrphanAfter }

// sweep keeps or drops one photo, if that is still right.
func (p *Photos) sweep(ctx context.Context, photo multe.Photo, at time.Time) error {
	return p.store.Update(ctx, func(tx store.Tx) error {
		was, err := find(tx, photo.Creditor, photo.Device, photo.ID)
		if err != nil || was.Version != photo.Version {
			return err // it moved on
		}
		v, err := verbaleOf(tx, was.Creditor, was.Device, was.Verbale)
		if err != nil {
			return err
		}
		var next multe.Photo
		switch {
		case was.State == multe.PhotoKept:
			c, err := tx.Creditor(was.Creditor)
			if err != nil || !overdue(c, v, was, at) {
				return err
			}
			if next, err = was.Expire(at); err != nil {
				return err
			}
			if err := empty(tx, was); err != nil {
				return err
			}
		case was.State == multe.PhotoWaiting && v.Slip.ID != "":
			next, err = was.Keep(at)
		default:
			if next, err = was.Drop(at); err != nil {
				return err
			}
			if err = empty(tx, was); err == nil {
				err = store.Report(tx, was.Creditor, kindDropped, string(was.ID), details[kindDropped], at)
			}
		}
		if err != nil {
			return err
		}
		if err := tx.PutPhoto(next); err != nil {
			return err
		}
		return book{tx, sweeper, at}.add("photo."+string(next.State), v, was.State, next)
	})
}

// book writes the history.
type book struct {
	tx    store.Tx
	actor string
	at    time.Time
}

// add writes a line about a photo; v is its verbale, zero if it is not here.
func (b book) add(action string, v multe.Verbale, from multe.PhotoState, p multe.Photo) error {
	return b.tx.AppendAudit(multe.AuditEntry{Creditor: p.Creditor, At: b.at, Actor: b.actor, Action: action,
		Position: v.Slip.Position, Subject: "photo:" + string(p.ID), From: string(from), To: string(p.State), Code: p.Reason})
}

// verbaleOf returns the verbale of a handheld, or the zero Verbale if the handheld
// has sent none under this id.
func verbaleOf(r store.Reader, c multe.CreditorID, d multe.DeviceID, id multe.VerbaleID) (multe.Verbale, error) {
	v, err := r.Verbale(c, id)
	if errors.Is(err, fault.NotFound) || err == nil && v.Device != d {
		return multe.Verbale{}, nil
	}
	return v, err
}

func findVerbale(r store.Reader, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, error) {
	v, err := r.Verbale(c, id)
	if errors.Is(err, fault.NotFound) {
		return v, fault.New(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.")
	}
	return v, err
}

func find(r store.Reader, c multe.CreditorID, d multe.DeviceID, id multe.PhotoID) (multe.Photo, error) {
	p, err := r.Photo(c, d, id)
	if errors.Is(err, fault.NotFound) {
		return p, errUnknown()
	}
	return p, err
}

func errUnknown() error {
	return fault.New(fault.NotFound, "photo.unknown", "La foto non risulta dichiarata.")
}
