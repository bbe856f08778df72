package multe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func sheet(size int) multe.PhotoSheet {
	return multe.PhotoSheet{ID: id, Verbale: id, Digest: multe.DigestOf([]byte("x")), Size: size, Media: multe.MediaJPEG}
}

func TestPhotoSheetValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*multe.PhotoSheet)
		code   string
	}{
		"good":      {func(*multe.PhotoSheet) {}, ""},
		"largest":   {func(s *multe.PhotoSheet) { s.Size = multe.MaxPhoto }, ""},
		"too large": {func(s *multe.PhotoSheet) { s.Size = multe.MaxPhoto + 1 }, "photo.too_large"},
		"empty":     {func(s *multe.PhotoSheet) { s.Size = 0 }, "photo.empty"},
		"no id":     {func(s *multe.PhotoSheet) { s.ID = "x" }, "photo.bad_id"},
		"no slip":   {func(s *multe.PhotoSheet) { s.Verbale = "" }, "photo.bad_id"},
		"no hash":   {func(s *multe.PhotoSheet) { s.Digest = multe.Digest{} }, "photo.bad_hash"},
		"png":       {func(s *multe.PhotoSheet) { s.Media = "image/png" }, "photo.bad_media"},
	} {
		s := sheet(9000)
		test.change(&s)
		err := s.Validate()
		if test.code == "" && err != nil || test.code != "" && fault.Of(err).Code != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
}

// TestPhotoMoves pins every pair of state and move.
func TestPhotoMoves(t *testing.T) {
	const u, w, k, r, d, x = multe.PhotoUploading, multe.PhotoWaiting, multe.PhotoKept, multe.PhotoRefused, multe.PhotoDropped, multe.PhotoExpired
	moves := map[string]func(multe.Photo) (multe.Photo, error){
		"wait":   func(p multe.Photo) (multe.Photo, error) { return p.Wait(noon) },
		"keep":   func(p multe.Photo) (multe.Photo, error) { return p.Keep(noon) },
		"refuse": func(p multe.Photo) (multe.Photo, error) { return p.Refuse("photo.not_jpeg", noon) },
		"expire": func(p multe.Photo) (multe.Photo, error) { return p.Expire(noon) },
		"drop":   func(p multe.Photo) (multe.Photo, error) { return p.Drop(noon) },
		"add": func(p multe.Photo) (multe.Photo, error) {
			next, _, err := p.Add(0, make([]byte, 9000), noon)
			return next, err
		},
	}
	want := map[string]map[multe.PhotoState]multe.PhotoState{
		"add": {u: u}, "wait": {u: w}, "keep": {u: k, w: k}, "refuse": {u: r}, "drop": {u: d, w: d}, "expire": {k: x},
	}
	for name, move := range moves {
		for _, from := range []multe.PhotoState{u, w, k, r, d, x} {
			p := multe.DeclarePhoto("C", "D", sheet(9000), noon)
			p.State = from
			next, err := move(p)
			to, ok := want[name][from]
			switch {
			case !ok && (!errors.Is(err, fault.Conflict) || next != p):
				t.Errorf("%s of %s: %v, %v; want a conflict", name, from, next.State, err)
			case ok && (err != nil || next.State != to || next.Version != p.Version+1):
				t.Errorf("%s of %s: %v, %v; want %s", name, from, next, err, to)
			}
		}
	}
}

func TestPhotoAdd(t *testing.T) {
	p := multe.DeclarePhoto("C", "D", sheet(multe.MaxChunk+5000), noon)
	p, first, err := p.Add(0, make([]byte, multe.MaxChunk), noon.Add(time.Minute))
	if err != nil || p.Have != multe.MaxChunk || p.Chunks != 1 || p.Whole() || first.N != 1 || first.Offset != 0 || first.Photo != p.ID {
		t.Fatalf("first: %+v, %v, %v", p, first, err)
	}
	for name, test := range map[string]struct {
		offset, size int
		code         string
	}{
		"before":        {0, 5000, "photo.wrong_offset"},
		"beyond":        {multe.MaxChunk + 1, 4999, "photo.wrong_offset"},
		"too long":      {multe.MaxChunk, 5001, "photo.too_long"},
		"too small":     {multe.MaxChunk, multe.MinChunk - 1, "photo.bad_chunk"},
		"nothing":       {multe.MaxChunk, 0, "photo.bad_chunk"},
		"below nothing": {-1, 5000, "photo.wrong_offset"},
	} {
		if next, _, err := p.Add(test.offset, make([]byte, test.size), noon); fault.Of(err).Code != test.code || next != p {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	big := multe.DeclarePhoto("C", "D", sheet(multe.MaxPhoto), noon)
	if _, _, err := big.Add(0, make([]byte, multe.MaxChunk+1), noon); fault.Of(err).Code != "photo.bad_chunk" {
		t.Errorf("a chunk too large: %v", err)
	}
	p, second, err := p.Add(multe.MaxChunk, make([]byte, multe.MinChunk), noon)
	if err != nil || second.N != 2 || second.Offset != multe.MaxChunk {
		t.Fatal(second, err)
	}
	p, last, err := p.Add(p.Have, make([]byte, 5000-multe.MinChunk), noon)
	if err != nil || !p.Whole() || last.N != 3 {
		t.Fatal("the last may be small:", p, err)
	}
	if gone := last.Empty(); gone.Data != nil || gone.Version != 2 || last.Data == nil {
		t.Errorf("emptied: %+v", gone)
	}
}

func TestNewBulletin(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		life time.Duration
		code string
	}{
		"good":     {"Corteo: evitare via Pò", time.Hour, ""},
		"longest":  {strings.Repeat("è", multe.MaxBulletin), multe.MaxBulletinLife, ""},
		"too long": {strings.Repeat("è", multe.MaxBulletin+1), time.Hour, "message.bad_text"},
		"empty":    {"", time.Hour, "message.bad_text"},
		"control":  {"a\x00b", time.Hour, "message.bad_text"},
		"past":     {"a", 0, "message.bad_expiry"},
		"far":      {"a", multe.MaxBulletinLife + time.Second, "message.bad_expiry"},
	} {
		b, err := multe.NewBulletin("C", id, "D", test.text, "operator:O", noon.Add(test.life), noon)
		if test.code == "" && (err != nil || b.Version != 1) || test.code != "" && fault.Of(err).Code != test.code {
			t.Errorf("%s: %+v, %v; want %q", name, b, err, test.code)
		}
	}
	all, one := multe.Bulletin{}, multe.Bulletin{Device: "D"}
	if !all.For("D") || !one.For("D") || one.For("E") {
		t.Error("a bulletin is for the wrong handhelds")
	}
}
