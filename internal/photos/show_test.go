package photos_test

import (
	"bytes"
	"errors"
	"image/jpeg"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/photos"
	"preavviso/internal/store"
)

// looks lists who looked at photos, and how.
func (w *world) looks(t *testing.T) (list []string) {
	t.Helper()
	err := w.store.View(t.Context(), func(r store.Reader) error {
		list = nil
		entries, err := r.Audit(ente, "", 0, store.MaxPage)
		for _, e := range entries {
			if e.Action == "photo.seen" || e.Action == "photo.taken" || e.Action == "photo.expired" {
				list = append(list, e.Actor+" "+e.Action)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestShow looks at copies, from many sides at once, and takes the original.
func TestShow(t *testing.T) {
	w := open(t)
	w.verbale(t, 1, dev)
	file := picture(t, 5000)
	s := sheet(10, 1, file)
	p, err := w.send(t, s, file)
	want(t, "sending", p, err, multe.PhotoKept, len(file))
	var all sync.WaitGroup
	for range 4 {
		for _, size := range []photos.Size{photos.Page, photos.Thumbnail} {
			all.Go(func() {
				b, err := w.Show(t.Context(), "operator:O", ente, s.Verbale, s.ID, size)
				if c, cerr := jpeg.DecodeConfig(bytes.NewReader(b)); errors.Join(err, cerr) != nil || c.Width != 64 || c.Height != 48 {
					t.Errorf("%s: %d bytes, %v", size, len(b), errors.Join(err, cerr))
				}
			})
		}
	}
	all.Wait()
	if _, b, err := w.Bytes(t.Context(), "operator:O", ente, s.Verbale, s.ID); err != nil || !bytes.Equal(b, file) {
		t.Errorf("the original is %d bytes, %v", len(b), err)
	}
	if got := w.looks(t); len(got) != 9 || strings.Join(got[:8], ",") != strings.Repeat("operator:O photo.seen,", 7)+"operator:O photo.seen" || got[8] != "operator:O photo.taken" {
		t.Errorf("the history has %q", got)
	}
	_, err = w.Show(t.Context(), "operator:O", ente, s.Verbale, s.ID, "huge")
	wantCode(t, "another size", err, "photo.bad_size")
	_, err = w.Show(t.Context(), "operator:O", ente, multe.VerbaleID(hex(2)), s.ID, photos.Page)
	wantCode(t, "another verbale", err, "verbale.unknown")
}

// TestExpired keeps photos as long as the creditor says since their verbale was
// closed, and not a day longer.
func TestExpired(t *testing.T) {
	w := open(t)
	file := picture(t, 5000)
	// Verbale 1 is paid, 2 annulled, 3 is still owed.
	for i := 1; i <= 3; i++ {
		w.verbale(t, i, dev)
		p, err := w.send(t, sheet(10+i, i, file), file)
		want(t, "sending", p, err, multe.PhotoKept, len(file))
	}
	start := w.clock
	w.clock = start.AddDate(1, 0, 0)
	w.update(t, func(tx store.Tx) error {
		var err error
		for i, state := range map[int]multe.VerbaleState{1: multe.VerbaleSettled, 2: multe.VerbaleCancelled} {
			v, rerr := tx.Verbale(ente, multe.VerbaleID(hex(i)))
			v.State, v.Version, v.Changed = state, v.Version+1, w.clock
			err = errors.Join(err, rerr, tx.PutVerbale(v))
		}
		return err
	})
	states := func(step string, want ...multe.PhotoState) {
		t.Helper()
		if more, err := w.Sweep(t.Context()); err != nil || more {
			t.Fatal(more, err)
		}
		for i, state := range want {
			p, err := w.Get(t.Context(), ente, dev, multe.PhotoID(hex(11+i)))
			if err != nil || p.State != state {
				t.Errorf("%s: photo %d is %s, %v; want %s", step, i+1, p.State, err, state)
			}
		}
	}
	const kept, gone = multe.PhotoKept, multe.PhotoExpired
	w.clock = start.AddDate(6, 0, -1)
	states("a day before five years", kept, kept, kept)
	w.clock = start.AddDate(6, 0, 0)
	if b, err := w.Show(t.Context(), "operator:O", ente, multe.VerbaleID(hex(1)), multe.PhotoID(hex(11)), photos.Page); err != nil || len(b) == 0 {
		t.Error(err)
	}
	states("five years after", gone, gone, kept)
	states("once more", gone, gone, kept)
	for name, err := range map[string]error{
		"a copy, also one that was in memory": func() error {
			_, err := w.Show(t.Context(), "operator:O", ente, multe.VerbaleID(hex(1)), multe.PhotoID(hex(11)), photos.Page)
			return err
		}(),
		"the original": func() error {
			_, _, err := w.Bytes(t.Context(), "operator:O", ente, multe.VerbaleID(hex(1)), multe.PhotoID(hex(11)))
			return err
		}(),
		"the handheld again": func() error {
			_, err := w.Declare(t.Context(), ente, dev, sheet(11, 1, file))
			return err
		}(),
	} {
		wantCode(t, name, err, "photo.expired")
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		chunks, err := r.PhotoChunks(ente, dev, multe.PhotoID(hex(11)), 0, 10)
		for _, c := range chunks {
			if len(c.Data) > 0 {
				t.Error("bytes of an expired photo are still stored")
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := strings.Join(w.looks(t), ","); got != "operator:O photo.seen,loop:photos photo.expired,loop:photos photo.expired" {
		t.Errorf("the history has %q", got)
	}
	// The creditor keeps them for a shorter time from now on; the third is paid.
	w.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(ente)
		c.PhotoMonths, c.Version = 2, c.Version+1
		v, verr := tx.Verbale(ente, multe.VerbaleID(hex(3)))
		v.State, v.Version, v.Changed = multe.VerbaleSettled, v.Version+1, w.clock
		return errors.Join(err, verr, tx.PutCreditor(c), tx.PutVerbale(v))
	})
	w.clock = w.clock.AddDate(0, 2, 0).Add(-time.Hour)
	states("before two months", gone, gone, kept)
	w.clock = w.clock.Add(time.Hour)
	states("two months after", gone, gone, gone)
}

// TestManyExpire sweeps more photos than a round changes.
func TestManyExpire(t *testing.T) {
	w := open(t)
	w.update(t, func(tx store.Tx) error {
		v := multe.Verbale{Creditor: ente, Device: dev, State: multe.VerbaleSettled, Version: 1, Changed: w.clock,
			Slip: multe.Slip{ID: multe.VerbaleID(hex(1)), Position: multe.PositionID(hex(101))}}
		err := tx.PutVerbale(v)
		for i := range 501 {
			err = errors.Join(err, tx.PutPhoto(multe.Photo{Creditor: ente, Device: dev, State: multe.PhotoKept, Declared: w.clock, Changed: w.clock, Version: 1,
				PhotoSheet: multe.PhotoSheet{ID: multe.PhotoID(hex(1000 + i)), Verbale: v.Slip.ID, Digest: multe.DigestOf(nil), Size: 1, Media: multe.MediaJPEG}}))
		}
		return err
	})
	w.clock = w.clock.AddDate(10, 0, 0)
	for range 10 {
		more, err := w.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
	}
	left := 0
	if err := w.store.View(t.Context(), func(r store.Reader) error {
		list, err := r.PhotosIn(ente, multe.PhotoKept, multe.Photo{}, store.MaxPage)
		left = len(list)
		return err
	}); err != nil || left != 0 {
		t.Errorf("%d photos are left, %v", left, err)
	}
}
