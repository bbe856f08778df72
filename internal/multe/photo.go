package multe

import (
	"time"

	"preavviso/internal/fault"
)

// PhotoID names a photo: made by the handheld, 32 hex digits, its idempotency key.
type PhotoID string

// PhotoState says where a photo is in its life. The strings are stored.
type PhotoState string

const (
	PhotoUploading PhotoState = "uploading" // declared; its bytes are coming
	PhotoWaiting   PhotoState = "waiting"   // whole, and its verbale is not here yet
	PhotoKept      PhotoState = "kept"      // whole, and evidence of its verbale
	PhotoRefused   PhotoState = "refused"   // its bytes were not what was declared; they are gone
	PhotoDropped   PhotoState = "dropped"   // it, or its verbale, did not come in time; its bytes are gone
	PhotoExpired   PhotoState = "expired"   // its verbale was closed long ago; its bytes are gone
)

type photoMove string

// photoMoves is the life of a photo. Evidence that is kept moves only when it is
// none any more.
var photoMoves = moves[PhotoState, photoMove]{
	"add":    {from: []PhotoState{PhotoUploading}, to: PhotoUploading},
	"wait":   {from: []PhotoState{PhotoUploading}, to: PhotoWaiting},
	"keep":   {from: []PhotoState{PhotoUploading, PhotoWaiting}, to: PhotoKept},
	"refuse": {from: []PhotoState{PhotoUploading}, to: PhotoRefused},
	"drop":   {from: []PhotoState{PhotoUploading, PhotoWaiting}, to: PhotoDropped},
	"expire": {from: []PhotoState{PhotoKept}, to: PhotoExpired},
}

// The bounds of a photo.
const (
	// MaxPhoto is 1600 × 1200 points of JPEG at good quality, twice over: a plate
	// and a sign can be read on a quarter of it.
	MaxPhoto = 2 << 20
	// MaxPhotos is how many a verbale may have: the vehicle from four sides, the
	// plate, the sign.
	MaxPhotos = 6
	// MaxChunk is the largest body of our APIs.
	MaxChunk = 64 << 10
	// MinChunk keeps a photo to 512 chunks; only the last may be smaller.
	MinChunk = 4 << 10
	// MediaJPEG is the only kind of photo: every camera makes it, and the service
	// can tell whether it is one.
	MediaJPEG = "image/jpeg"
)

// PhotoSheet is what a handheld declares before it sends a photo. Two sheets are
// the same request exactly when they are equal.
type PhotoSheet struct {
	ID      PhotoID
	Verbale VerbaleID // of the same handheld; it may come later
	Digest  Digest    // SHA-256 of the whole file
	Size    int       // bytes
	Media   string
}

// Validate checks a sheet as it arrived.
func (s PhotoSheet) Validate() error {
	switch {
	case !ValidID(string(s.ID)) || !ValidID(string(s.Verbale)):
		return fault.New(fault.Invalid, "photo.bad_id", "Gli identificativi di foto e verbale devono essere UUID di 32 cifre esadecimali minuscole.")
	case s.Digest.IsZero():
		return fault.New(fault.Invalid, "photo.bad_hash", "Manca l'impronta SHA-256 della foto.")
	case s.Size < 1:
		return fault.New(fault.Invalid, "photo.empty", "La foto dichiarata è vuota.")
	case s.Size > MaxPhoto:
		return fault.New(fault.Invalid, "photo.too_large", "La foto supera 2 MiB: ridurre la risoluzione della fotocamera.")
	case s.Media != MediaJPEG:
		return fault.New(fault.Invalid, "photo.bad_media", "Il formato della foto non è ammesso: serve JPEG.")
	}
	return nil
}

// Photo is one photo of a violation. Its bytes, as the camera made them, are in
// its chunks.
type Photo struct {
	Creditor CreditorID
	Device   DeviceID
	PhotoSheet
	State    PhotoState
	Have     int       // bytes stored
	Chunks   int       // chunks stored
	Reason   string    `json:",omitzero"` // why it was refused: an error code
	Declared time.Time // when we first heard of it
	Version  uint64
	Changed  time.Time
}

// PhotoChunk is a part of a photo.
type PhotoChunk struct {
	Creditor CreditorID
	Device   DeviceID
	Photo    PhotoID
	N        int    // from 1, in the order of the file
	Offset   int    // of its first byte
	Data     []byte // empty once the photo is refused or dropped
	Version  uint64
}

// DeclarePhoto returns the photo that a valid sheet makes.
func DeclarePhoto(c CreditorID, d DeviceID, s PhotoSheet, at time.Time) Photo {
	return Photo{Creditor: c, Device: d, PhotoSheet: s, State: PhotoUploading, Declared: Instant(at), Version: 1, Changed: Instant(at)}
}

// Whole reports whether all bytes are stored.
func (p Photo) Whole() bool { return p.Have == p.Size }

// Open reports whether something must still come: its bytes, or its verbale.
func (p Photo) Open() bool { return p.State == PhotoUploading || p.State == PhotoWaiting }

// Gone reports whether its bytes are not kept any more.
func (p Photo) Gone() bool {
	return p.State == PhotoRefused || p.State == PhotoDropped || p.State == PhotoExpired
}

// Add appends data at offset and returns the photo and its new chunk. An offset
// other than Have is a [fault.Conflict]: the answer tells the right one.
func (p Photo) Add(offset int, data []byte, at time.Time) (Photo, PhotoChunk, error) {
	next, err := p.move("add", at)
	if err != nil {
		return p, PhotoChunk{}, err
	}
	end := offset + len(data)
	switch {
	case offset != p.Have:
		return p, PhotoChunk{}, fault.New(fault.Conflict, "photo.wrong_offset", "La parte di foto inviata non è quella attesa: riprendere dal punto indicato.")
	case end > p.Size:
		return p, PhotoChunk{}, fault.New(fault.Invalid, "photo.too_long", "La foto è più lunga di quanto dichiarato.")
	case len(data) > MaxChunk || len(data) < MinChunk && end != p.Size || len(data) == 0:
		return p, PhotoChunk{}, fault.New(fault.Invalid, "photo.bad_chunk", "Ogni parte della foto ha da 4 a 64 KiB; solo l'ultima può essere più corta.")
	}
	next.Have, next.Chunks = end, p.Chunks+1
	return next, PhotoChunk{Creditor: p.Creditor, Device: p.Device, Photo: p.ID, N: next.Chunks, Offset: offset, Data: data, Version: 1}, nil
}

// Wait says that the photo is whole and good, and its verbale not here yet.
func (p Photo) Wait(at time.Time) (Photo, error) { return p.move("wait", at) }

// Keep says that the photo is whole and good, and its verbale is here.
func (p Photo) Keep(at time.Time) (Photo, error) { return p.move("keep", at) }

// Refuse says that the bytes are not what was declared. The caller empties the
// chunks.
func (p Photo) Refuse(code string, at time.Time) (Photo, error) {
	next, err := p.move("refuse", at)
	if err != nil {
		return p, err
	}
	next.Reason = code
	return next, nil
}

// Drop gives up a photo that nobody needs any more. The caller empties the chunks.
func (p Photo) Drop(at time.Time) (Photo, error) { return p.move("drop", at) }

// Expire gives up a photo whose verbale has been closed for as long as its creditor
// keeps photos. The caller empties the chunks.
func (p Photo) Expire(at time.Time) (Photo, error) { return p.move("expire", at) }

// How long photos are kept once a verbale is paid or annulled.
const (
	// DefaultPhotoMonths is five years: until then a fine could be asked for again, or
	// its payment back (art. 209 CdS and art. 28 L. 689/1981: the claim ends after
	// five years), and a photo may have to be shown.
	DefaultPhotoMonths = 60
	// MaxPhotoMonths is ten years, the longest a claim lasts (art. 2946 c.c.).
	MaxPhotoMonths = 120
)

// PhotosUntil returns until when the creditor keeps the photos of what was closed at
// an instant.
func (c Creditor) PhotosUntil(closed time.Time) time.Time {
	months := c.PhotoMonths
	if months == 0 {
		months = DefaultPhotoMonths
	}
	return closed.AddDate(0, months, 0)
}

// Empty returns the chunk without its bytes.
func (c PhotoChunk) Empty() PhotoChunk {
	c.Data, c.Version = nil, c.Version+1
	return c
}

func (p Photo) move(m photoMove, at time.Time) (Photo, error) {
	to, err := photoMoves.next(p.State, m, "photo.wrong_state", "la foto")
	if err != nil {
		return p, err
	}
	p.State, p.Version, p.Changed = to, p.Version+1, Instant(at)
	return p, nil
}
