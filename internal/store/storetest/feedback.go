package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func photo(c multe.CreditorID, id string) multe.Photo {
	return multe.Photo{Creditor: c, Device: "D1", State: multe.PhotoUploading, Declared: noon, Version: 1, Changed: noon,
		PhotoSheet: multe.PhotoSheet{ID: multe.PhotoID(id), Verbale: "V1", Digest: digest(id), Size: 9000, Media: multe.MediaJPEG}}
}

// feedbackKinds are the records of photos and bulletins.
func feedbackKinds(c multe.CreditorID) []kind {
	return []kind{
		kindOf("photo", func() multe.Photo {
			p := photo(c, "F1")
			p.State, p.Have, p.Chunks, p.Reason = multe.PhotoRefused, 9000, 2, "photo.wrong_hash"
			return p
		}, func(p *multe.Photo) *uint64 { return &p.Version }, store.Tx.PutPhoto,
			func(r store.Reader) (multe.Photo, error) { return r.Photo(c, "D1", "F1") }, nil),
		kindOf("photo chunk", func() multe.PhotoChunk {
			return multe.PhotoChunk{Creditor: c, Device: "D1", Photo: "F1", N: 2, Offset: 4096, Data: []byte("\xff\xd8\x00\n\\")}
		}, func(p *multe.PhotoChunk) *uint64 { return &p.Version }, store.Tx.PutPhotoChunk,
			func(r store.Reader) (multe.PhotoChunk, error) {
				page, err := r.PhotoChunks(c, "D1", "F1", 1, 1)
				if err == nil && len(page) == 0 {
					err = fault.NotFound
				}
				return append(page, multe.PhotoChunk{})[0], err
			}, func(p *multe.PhotoChunk) { p.Data[0] = '?' }),
		kindOf("bulletin", func() multe.Bulletin {
			return multe.Bulletin{Creditor: c, ID: "B1", Device: "D1", Text: "Corteo in via Pò", Actor: "operator:O1", Written: noon, Expires: later(5)}
		}, func(b *multe.Bulletin) *uint64 { return &b.Version }, store.Tx.PutBulletin,
			func(r store.Reader) (multe.Bulletin, error) { return r.Bulletin(c, "B1") }, nil),
		kindOf("bulletin read", func() multe.BulletinRead {
			return multe.BulletinRead{Creditor: c, Bulletin: "B1", Device: "D1", At: noon}
		}, func(b *multe.BulletinRead) *uint64 { return &b.Version }, store.Tx.PutBulletinRead,
			func(r store.Reader) (multe.BulletinRead, error) { return r.BulletinRead(c, "B1", "D1") }, nil),
	}
}

func feedbackScans() []scan {
	photoID := func(p multe.Photo) multe.PhotoID { return p.ID }
	return []scan{
		idScan("PhotosOf", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutPhoto(photo(c, id)) },
			func(r store.Reader, c multe.CreditorID, after multe.PhotoID, limit int) ([]multe.Photo, error) {
				return r.PhotosOf(c, "D1", "V1", after, limit)
			}, photoID),
		scanOf("PhotosIn", func(tx store.Tx, c multe.CreditorID, id string) error {
			p := photo(c, id)
			p.State = multe.PhotoWaiting
			return tx.PutPhoto(p)
		}, func(r store.Reader, c multe.CreditorID, after multe.Photo, limit int) ([]multe.Photo, error) {
			return r.PhotosIn(c, multe.PhotoWaiting, after, limit)
		}, func(p multe.Photo) multe.Photo { return p }, func(p multe.Photo) string { return string(p.ID) }),
		idScan("Bulletins", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutBulletin(multe.Bulletin{Creditor: c, ID: multe.BulletinID(id), Version: 1})
		}, store.Reader.Bulletins, func(b multe.Bulletin) multe.BulletinID { return b.ID }),
		idScan("BulletinReads", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutBulletinRead(multe.BulletinRead{Creditor: c, Bulletin: "B1", Device: multe.DeviceID(id), Version: 1})
		}, func(r store.Reader, c multe.CreditorID, after multe.DeviceID, limit int) ([]multe.BulletinRead, error) {
			return r.BulletinReads(c, "B1", after, limit)
		}, func(b multe.BulletinRead) multe.DeviceID { return b.Device }),
	}
}

// marksAreInOrder checks the order in which verbali changed.
func marksAreInOrder(t *testing.T, s store.Store) {
	list := func(c multe.CreditorID, d multe.DeviceID, after uint64, limit int) (marks []multe.SlipMark) {
		view(t, s, func(r store.Reader) (err error) {
			marks, err = r.SlipMarks(c, d, after, limit)
			return err
		})
		return marks
	}
	names := func(marks []multe.SlipMark) (ids []multe.VerbaleID) {
		for _, m := range marks {
			ids = append(ids, m.Verbale)
		}
		return ids
	}
	want := func(step string, got []multe.SlipMark, ids ...multe.VerbaleID) {
		t.Helper()
		if !slices.Equal(names(got), ids) {
			t.Errorf("%s: %v, want %v", step, names(got), ids)
		}
	}
	for _, c := range []multe.CreditorID{ours, theirs} {
		for _, id := range []string{"V3", "V1", "V2"} {
			update(t, s, func(tx store.Tx) error {
				// A code comes before its verbale, as an issue puts them, and counts all
				// the same.
				k := code(c, "P-"+id, multe.CodeIssued)
				k.Verbale, k.Device = multe.VerbaleID(id), "D1"
				return errors.Join(tx.PutCode(k), tx.PutVerbale(verbale(c, id)))
			})
		}
	}
	update(t, s, func(tx store.Tx) error {
		v := verbale(ours, "V0")
		v.Device = "D1x"
		return tx.PutVerbale(v)
	})
	first := list(ours, "D1", 0, 10)
	want("as they were put", first, "V3", "V1", "V2")
	if floor := uint64(noon.UnixMicro()); first[0].Seq < floor || first[1].Seq <= first[0].Seq || first[2].Seq <= first[1].Seq {
		t.Errorf("Seq = %v, want growing from the time of the change, %d", first, floor)
	}
	want("one", list(ours, "D1", 0, 1), "V3")
	want("after one", list(ours, "D1", first[0].Seq, 10), "V1", "V2")
	want("of another device", list(ours, "D1x", 0, 10), "V0")

	change := func(id string, version uint64) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			ch := multe.NewChange(ours, multe.PositionID("P-"+id), 1, multe.ChangeActivate, multe.Desired{}, noon)
			ch.Verbale, ch.Version = multe.VerbaleID(id), version
			return tx.PutChange(ch)
		})
	}
	if err := change("V3", 1); err != nil {
		t.Fatal(err)
	}
	cursor := first[2].Seq
	want("a change about it", list(ours, "D1", cursor, 10), "V3")
	cursor = list(ours, "D1", cursor, 10)[0].Seq
	if err := change("V1", 2); !errors.Is(err, fault.NotFound) {
		t.Fatalf("a change out of step: %v", err)
	}
	want("nothing was put", list(ours, "D1", cursor, 10))
	update(t, s, func(tx store.Tx) error {
		k := code(ours, "P-V1", multe.CodeActive)
		k.Verbale, k.Device, k.Version = "V1", "", 2 // as one that a verbale got later
		if err := tx.PutCode(k); err != nil {
			return err
		}
		// A reader of this moment sees it, and a second put moves it no further.
		seen, err := tx.SlipMarks(ours, "D1", cursor, 10)
		if err != nil || len(seen) != 1 {
			return fmt.Errorf("in the update: %v, %v", seen, err)
		}
		v := verbale(ours, "V1")
		v.Version = 2
		return tx.PutVerbale(v)
	})
	want("its code and itself", list(ours, "D1", cursor, 10), "V1")
	want("each once", list(ours, "D1", 0, 10), "V2", "V3", "V1")
	want("a neighbour's", list(theirs, "D1", 0, 10), "V3", "V1", "V2")

	// A clock that was set back does not let what comes later hide.
	cursor = list(ours, "D1", cursor, 10)[0].Seq
	update(t, s, func(tx store.Tx) error {
		v := verbale(ours, "V2")
		v.Version, v.Changed = 2, noon.Add(-time.Hour)
		return tx.PutVerbale(v)
	})
	want("with the clock back", list(ours, "D1", cursor, 10), "V2")
	if err := s.View(t.Context(), func(r store.Reader) error { _, err := r.SlipMarks(ours, "D1", 0, 0); return err }); !errors.Is(err, fault.Invalid) {
		t.Errorf("without limit: %v", err)
	}
}

// photosAndBulletinsAreInOrder checks the scans that are not by id alone.
func photosAndBulletinsAreInOrder(t *testing.T, s store.Store) {
	for _, c := range []multe.CreditorID{ours, theirs} {
		update(t, s, func(tx store.Tx) error {
			for i, id := range []string{"c", "a", "b"} {
				p := photo(c, id)
				p.Declared = later(i)
				if err := tx.PutPhoto(p); err != nil {
					return err
				}
			}
			for i, n := range []int{300, 1, 2} {
				if err := tx.PutPhotoChunk(multe.PhotoChunk{Creditor: c, Device: "D1", Photo: "c", N: n, Offset: i, Version: 1}); err != nil {
					return err
				}
			}
			for id, b := range map[string]struct {
				d  multe.DeviceID
				at int
			}{"x": {"D1", 2}, "y": {"D1", 1}, "z": {"", 1}, "v": {"D1x", 1}, "w": {"D1", 0}} {
				if err := tx.PutBulletin(multe.Bulletin{Creditor: c, ID: multe.BulletinID(id), Device: b.d, Expires: later(b.at), Version: 1}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	view(t, s, func(r store.Reader) error {
		var got []string
		var after multe.Photo
		for range 3 {
			page, err := r.PhotosIn(ours, multe.PhotoUploading, after, 1)
			if err != nil || len(page) != 1 {
				return fmt.Errorf("photos: %v, %v", page, err)
			}
			after = page[0]
			got = append(got, string(after.ID))
		}
		chunks, err := r.PhotoChunks(ours, "D1", "c", 1, 10)
		for _, c := range chunks {
			got = append(got, fmt.Sprint(c.N))
		}
		for d, want := range map[multe.DeviceID]int{"D1": 3, "D": 0, "D1x": 0} {
			if n, err := r.CountOpenPhotos(ours, d); err != nil || n != want {
				t.Errorf("open photos of %s: %d, %v; want %d", d, n, err, want)
			}
		}
		mine, err2 := r.BulletinsFor(ours, "D1", noon, 10)
		all, err3 := r.BulletinsFor(ours, "", noon, 10)
		for _, b := range append(mine, all...) {
			got = append(got, string(b.ID))
		}
		if want := []string{"c", "a", "b", "2", "300", "y", "x", "z"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		return errors.Join(err, err2, err3)
	})
	update(t, s, func(tx store.Tx) error {
		p := photo(ours, "a")
		p.State, p.Declared, p.Version = multe.PhotoKept, later(1), 2
		return tx.PutPhoto(p)
	})
	view(t, s, func(r store.Reader) error {
		n, err := r.CountOpenPhotos(ours, "D1")
		if n != 2 {
			t.Errorf("open photos, one kept: %d", n)
		}
		return err
	})
}
