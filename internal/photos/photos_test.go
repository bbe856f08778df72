package photos_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"path/filepath"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/photos"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const (
	ente  multe.CreditorID = "00514490010"
	dev   multe.DeviceID   = "d1"
	other multe.DeviceID   = "d2"
)

type world struct {
	*photos.Photos
	path  string
	bolt  *boltstore.Store
	store store.Store
	clock time.Time
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{path: filepath.Join(t.TempDir(), "test.db"), clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.reopen(t)
	t.Cleanup(func() {
		if err := w.bolt.Check(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		if err := w.bolt.Close(); err != nil {
			t.Error(err)
		}
	})
	w.update(t, func(tx store.Tx) error { return tx.PutCreditor(multe.Creditor{ID: ente, Version: 1}) })
	return w
}

// reopen is a crash: whatever was not durable is gone.
func (w *world) reopen(t *testing.T) {
	t.Helper()
	if w.bolt != nil {
		if err := w.bolt.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := boltstore.Open(w.path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.bolt, w.store = s, storetest.Twice(s)
	w.Photos = photos.New(w.store, func() time.Time { return w.clock })
}

func (w *world) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func hex(i int) string { return fmt.Sprintf("%032x", i) }

// verbale puts verbale i of a handheld.
func (w *world) verbale(t *testing.T, i int, d multe.DeviceID) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		return tx.PutVerbale(multe.Verbale{Creditor: ente, Device: d, State: multe.VerbaleIssued, Version: 1, Changed: w.clock,
			Slip: multe.Slip{ID: multe.VerbaleID(hex(i)), Position: multe.PositionID(hex(100 + i))}})
	})
}

// picture is a JPEG of some size; what follows its end is a camera's business.
func picture(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), bytes.Repeat([]byte{'x'}, max(0, size-b.Len()))...)
}

func sheet(photo, verbale int, file []byte) multe.PhotoSheet {
	return multe.PhotoSheet{ID: multe.PhotoID(hex(photo)), Verbale: multe.VerbaleID(hex(verbale)), Digest: multe.DigestOf(file), Size: len(file), Media: multe.MediaJPEG}
}

// send declares a photo and sends all of it.
func (w *world) send(t *testing.T, s multe.PhotoSheet, file []byte) (multe.Photo, error) {
	t.Helper()
	p, err := w.Declare(t.Context(), ente, dev, s)
	for err == nil && p.State == multe.PhotoUploading {
		p, err = w.Add(t.Context(), ente, dev, s.ID, p.Have, file[p.Have:min(len(file), p.Have+multe.MaxChunk)])
	}
	return p, err
}

func want(t *testing.T, step string, p multe.Photo, err error, state multe.PhotoState, have int) {
	t.Helper()
	if err != nil || p.State != state || p.Have != have {
		t.Fatalf("%s: %s with %d bytes, %v; want %s with %d", step, p.State, p.Have, err, state, have)
	}
}

func wantCode(t *testing.T, step string, err error, code string) {
	t.Helper()
	if got := fault.Of(err).Code; err == nil || got != code {
		t.Errorf("%s: %v, want %s", step, err, code)
	}
}

// TestUploadOverCrashes sends a photo with a crash after every step, repeats each
// step, and reads back what was sent.
func TestUploadOverCrashes(t *testing.T) {
	w := open(t)
	w.verbale(t, 1, dev)
	file := picture(t, 2*multe.MaxChunk+100)
	s := sheet(10, 1, file)
	for i := range 2 {
		p, err := w.Declare(t.Context(), ente, dev, s)
		want(t, fmt.Sprint("declaring ", i), p, err, multe.PhotoUploading, 0)
		w.reopen(t)
	}
	for from := 0; from < len(file); from += multe.MaxChunk {
		to := min(len(file), from+multe.MaxChunk)
		for range 2 { // the answer was lost
			state := multe.PhotoUploading
			if to == len(file) {
				state = multe.PhotoKept
			}
			p, err := w.Add(t.Context(), ente, dev, s.ID, from, file[from:to])
			want(t, fmt.Sprint("chunk at ", from), p, err, state, to)
			w.reopen(t)
			again, err := w.Declare(t.Context(), ente, dev, s)
			want(t, "declaring again", again, err, state, to)
		}
	}
	got, raw, err := w.Bytes(t.Context(), "operator:o", ente, s.Verbale, s.ID)
	if err != nil || !bytes.Equal(raw, file) || got.Digest != s.Digest {
		t.Errorf("read back: %d bytes, %v", len(raw), err)
	}
	list, err := w.OfVerbale(t.Context(), ente, s.Verbale)
	if err != nil || len(list) != 1 || list[0].ID != s.ID {
		t.Errorf("of its verbale: %v, %v", list, err)
	}
	var history []string
	err = w.store.View(t.Context(), func(r store.Reader) error {
		entries, err := r.Audit(ente, multe.PositionID(hex(101)), 0, 100)
		history = nil
		for _, e := range entries {
			history = append(history, e.Actor+" "+e.Action)
		}
		return err
	})
	if want := "[device:d1 photo.declared device:d1 photo.kept operator:o photo.taken]"; err != nil || fmt.Sprint(history) != want {
		t.Errorf("history = %v, %v; want %s", history, err, want)
	}
}

// TestStoredAndNotJudged: a crash between the last chunk and the verdict.
func TestStoredAndNotJudged(t *testing.T) {
	w := open(t)
	w.verbale(t, 1, dev)
	file := picture(t, 5000)
	s := sheet(10, 1, file)
	if _, err := w.Declare(t.Context(), ente, dev, s); err != nil {
		t.Fatal(err)
	}
	whole := func() {
		w.update(t, func(tx store.Tx) error {
			p, err := tx.Photo(ente, dev, s.ID)
			if err != nil {
				return err
			}
			next, chunk, err := p.Add(0, file, w.clock)
			return errors.Join(err, tx.PutPhoto(next), tx.PutPhotoChunk(chunk))
		})
	}
	whole()
	p, err := w.Add(t.Context(), ente, dev, s.ID, 0, file)
	want(t, "the last chunk again", p, err, multe.PhotoKept, len(file))

	s.ID = multe.PhotoID(hex(11))
	if _, err := w.Declare(t.Context(), ente, dev, s); err != nil {
		t.Fatal(err)
	}
	whole()
	p, err = w.Declare(t.Context(), ente, dev, s)
	want(t, "declared again", p, err, multe.PhotoKept, len(file))
}

func TestWrongOffsets(t *testing.T) {
	w := open(t)
	w.verbale(t, 1, dev)
	file := picture(t, 30_000)
	s := sheet(10, 1, file)
	if _, err := w.Declare(t.Context(), ente, dev, s); err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{0, 10_000} {
		if _, err := w.Add(t.Context(), ente, dev, s.ID, from, file[from:from+10_000]); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct{ from, to int }{
		"the first again": {0, 10_000}, "a gap": {25_000, 30_000}, "half of the last": {15_000, 20_000}, "the last from its middle": {15_000, 25_000},
	} {
		p, err := w.Add(t.Context(), ente, dev, s.ID, test.from, file[test.from:test.to])
		wantCode(t, name, err, "photo.wrong_offset")
		if p.Have != 20_000 {
			t.Errorf("%s: goes on at %d, want 20000", name, p.Have)
		}
	}
	if _, err := w.Add(t.Context(), ente, dev, s.ID, 10_000, make([]byte, 10_000)); err == nil {
		t.Error("other bytes in place of the last were taken for a repetition")
	}
	if _, err := w.Add(t.Context(), ente, dev, s.ID, 20_000, make([]byte, 10_001)); fault.Of(err).Code != "photo.too_long" {
		t.Errorf("more than declared: %v", err)
	}
	p, err := w.Add(t.Context(), ente, dev, s.ID, 20_000, file[20_000:])
	want(t, "the rest", p, err, multe.PhotoKept, 30_000)
}

// TestRefused: bytes that are not what was declared, and what becomes of them.
func TestRefused(t *testing.T) {
	w := open(t)
	w.verbale(t, 1, dev)
	good := picture(t, 6000)
	huge := bytes.Clone(good)
	sof := bytes.Index(huge, []byte{0xff, 0xc0}) // height and width, 16 bits each, after length and precision
	copy(huge[sof+5:], []byte{0xff, 0xff, 0xff, 0xff})
	for i, test := range []struct {
		name, code string
		file       []byte
		declared   []byte
	}{
		{"another file", "photo.wrong_hash", append(bytes.Clone(good[:5999]), 'y'), good},
		{"a PNG", "photo.not_jpeg", append([]byte("\x89PNG\r\n\x1a\n"), good...), nil},
		{"no image", "photo.not_jpeg", append([]byte{0xff, 0xd8, 0xff}, make([]byte, 5000)...), nil},
		{"a bomb", "photo.too_big", huge, nil},
	} {
		if test.declared == nil {
			test.declared = test.file
		}
		s := sheet(10+i, 1, test.declared)
		_, err := w.send(t, s, test.file)
		wantCode(t, test.name, err, test.code)
		_, err = w.Declare(t.Context(), ente, dev, s)
		wantCode(t, test.name+", again", err, test.code)
		p, err := w.Get(t.Context(), ente, dev, s.ID)
		want(t, test.name, p, err, multe.PhotoRefused, s.Size)
		if p.Reason != test.code {
			t.Errorf("%s: reason %q", test.name, p.Reason)
		}
		_, _, err = w.Bytes(t.Context(), "operator:o", ente, s.Verbale, s.ID)
		wantCode(t, test.name+", looked at", err, "photo.no_bytes")
		w.wantNoBytes(t, s.ID)
		w.wantTrouble(t, "photo.refused:"+string(s.ID))
	}
}

func (w *world) wantNoBytes(t *testing.T, id multe.PhotoID) {
	t.Helper()
	err := w.store.View(t.Context(), func(r store.Reader) error {
		chunks, err := r.PhotoChunks(ente, dev, id, 0, store.MaxPage)
		for _, c := range chunks {
			if len(c.Data) > 0 {
				t.Errorf("chunk %d still has its bytes", c.N)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (w *world) wantTrouble(t *testing.T, id string) {
	t.Helper()
	err := w.store.View(t.Context(), func(r store.Reader) error { _, err := r.Discrepancy(ente, id); return err })
	if err != nil {
		t.Errorf("nobody is told: %v", err)
	}
}

func TestWhoseAndHowMany(t *testing.T) {
	w := open(t)
	w.verbale(t, 1, dev)
	w.verbale(t, 2, other)
	file := picture(t, 5000)
	_, err := w.Declare(t.Context(), ente, dev, sheet(10, 2, file))
	wantCode(t, "another handheld's verbale", err, "verbale.unknown")
	_, err = w.Get(t.Context(), ente, other, multe.PhotoID(hex(10)))
	wantCode(t, "of nobody", err, "photo.unknown")
	for i := range multe.MaxPhotos {
		if p, err := w.send(t, sheet(20+i, 1, file), file); err != nil || p.State != multe.PhotoKept {
			t.Fatal(p, err)
		}
	}
	_, err = w.Declare(t.Context(), ente, dev, sheet(30, 1, file))
	wantCode(t, "one too many", err, "photo.too_many")
	if p, err := w.Declare(t.Context(), ente, dev, sheet(20, 1, file)); err != nil || p.State != multe.PhotoKept {
		t.Errorf("one of them again: %v", err)
	}
	changed := sheet(20, 1, file)
	changed.Size++
	_, err = w.Declare(t.Context(), ente, dev, changed)
	wantCode(t, "another content", err, "photo.other_body")
	for name, call := range map[string]func() error{
		"read":  func() error { _, err := w.Get(t.Context(), ente, other, multe.PhotoID(hex(20))); return err },
		"added": func() error { _, err := w.Add(t.Context(), ente, other, multe.PhotoID(hex(20)), 0, file); return err },
		"elsewhere": func() error {
			_, _, err := w.Bytes(t.Context(), "operator:o", ente, multe.VerbaleID(hex(2)), multe.PhotoID(hex(20)))
			return err
		},
		"of another town": func() error {
			_, err := w.Get(t.Context(), "00184260040", dev, multe.PhotoID(hex(20)))
			return err
		},
	} {
		wantCode(t, name, call(), "photo.unknown")
	}
	// The same id on another handheld is another photo.
	if p, err := w.Declare(t.Context(), ente, other, sheet(20, 2, file)); err != nil || p.Have != 0 {
		t.Errorf("a foreign id: %+v, %v", p, err)
	}
}

func TestUnfinishedAreBounded(t *testing.T) {
	w := open(t)
	file := picture(t, 5000)
	for i := range 200 {
		_, err := w.Declare(t.Context(), ente, dev, sheet(1000+i, 5000+i, file))
		if i < 100 != (err == nil) {
			t.Fatalf("photo %d: %v", i, err)
		}
		if err != nil {
			wantCode(t, "beyond", err, "photo.too_many_open")
			return
		}
	}
}

// TestBeforeItsVerbale: a photo comes first, and its verbale later, or never.
func TestBeforeItsVerbale(t *testing.T) {
	w := open(t)
	file := picture(t, 5000)
	for i := range 3 {
		p, err := w.send(t, sheet(10+i, 1+i, file), file)
		want(t, "whole, alone", p, err, multe.PhotoWaiting, len(file))
	}
	half := sheet(20, 9, file)
	if _, err := w.Declare(t.Context(), ente, dev, half); err != nil {
		t.Fatal(err)
	}
	w.verbale(t, 1, dev)
	w.verbale(t, 2, other) // somebody else's: the photo does not become its evidence
	for id, n := range map[int]int{1: 1, 2: 0} {
		list, err := w.OfVerbale(t.Context(), ente, multe.VerbaleID(hex(id)))
		if err != nil || len(list) != n {
			t.Errorf("photos of verbale %d: %v, %v; want %d", id, list, err, n)
		}
	}
	states := func(step string, want ...multe.PhotoState) {
		t.Helper()
		if more, err := w.Sweep(t.Context()); err != nil || more {
			t.Fatal(more, err)
		}
		var got []multe.PhotoState
		for _, id := range []int{10, 11, 12, 20} {
			p, err := w.Get(t.Context(), ente, dev, multe.PhotoID(hex(id)))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.State)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", step, got, want)
		}
	}
	states("one came", multe.PhotoKept, multe.PhotoWaiting, multe.PhotoWaiting, multe.PhotoUploading)
	w.clock = w.clock.Add(photos.OrphanAfter - time.Second)
	states("nearly a month", multe.PhotoKept, multe.PhotoWaiting, multe.PhotoWaiting, multe.PhotoUploading)
	w.clock = w.clock.Add(time.Second)
	states("a month", multe.PhotoKept, multe.PhotoDropped, multe.PhotoDropped, multe.PhotoDropped)
	w.wantNoBytes(t, multe.PhotoID(hex(11)))
	w.wantTrouble(t, "photo.dropped:"+hex(11))
	_, err := w.Declare(t.Context(), ente, dev, half)
	wantCode(t, "dropped", err, "photo.dropped")
	_, err = w.Add(t.Context(), ente, dev, half.ID, 0, file)
	wantCode(t, "dropped", err, "photo.dropped")
}
