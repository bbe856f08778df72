package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/firmware-api/client"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// street is a service and the folder of a handheld.
type street struct {
	*webtest.World
	api *webtest.Transport
	dir string
}

func newStreet(t *testing.T) *street {
	t.Helper()
	w := webtest.New(t)
	w.AddCodes(t, webtest.Torino, 5)
	api := firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: w.Pool, Verbali: w.Verbali, Photos: w.Photos, Feedback: w.Feedback})
	s := &street{w, &webtest.Transport{Handler: api}, t.TempDir()}
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare", false)
	if err != nil {
		t.Fatal(err)
	}
	d := s.open(t)
	defer d.Close()
	if err := d.Enrol(code); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lease(3); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *street) open(t *testing.T) *client.Device {
	t.Helper()
	d, err := client.Open(s.dir, "http://multe.example")
	if err != nil {
		t.Fatal(err)
	}
	d.Conn().SetTransport(s.api)
	d.Conn().SetNow(s.Now)
	d.SetSleep(func(time.Duration) {})
	return d
}

func issue(t *testing.T, s *street, d *client.Device) string {
	t.Helper()
	slip, err := d.Issue(`{"plate":"AB123CD","nation":"IT","place":"via Roma 1","violation":{"norm":"art. 158","conduct":"Sosta"},"warden":"M-1","offline":true,"steps":[{"cents":4200}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ ID string }
	if err := json.Unmarshal([]byte(slip), &v); err != nil {
		t.Fatal(err)
	}
	if err := d.Printed(v.ID); err != nil {
		t.Fatal(err)
	}
	return v.ID
}

func camera(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), bytes.Repeat([]byte{'x'}, max(0, size-b.Len()))...)
}

var errKilled = errors.New("killed")

// life opens the device and runs fn, which is killed at step n.
func (s *street) life(t *testing.T, n int, fn func(*client.Device) error) (err error) {
	t.Helper()
	d := s.open(t)
	defer d.Close()
	defer func() {
		if p := recover(); p == errKilled {
			err = errKilled
		} else if p != nil {
			panic(p)
		}
	}()
	d.SetStep(func(string) {
		if n--; n == 0 {
			panic(errKilled)
		}
	})
	return fn(d)
}

// TestPhotosSurvive kills the device at every step of taking and sending a photo:
// in the end the service has it once for each time that AddPhoto may have said so,
// byte for byte, and the device nothing.
func TestPhotosSurvive(t *testing.T) {
	s := newStreet(t)
	d := s.open(t)
	id := issue(t, s, d)
	d.Close()
	file := camera(t, 3*65536+7)
	for n := 1; ; n++ {
		if n > 200 {
			t.Fatal("a photo takes more than 200 steps")
		}
		added := false
		err := s.life(t, n, func(d *client.Device) error {
			if strings.Count(d.Photos(), `"id"`) == 0 {
				if _, err := d.AddPhoto(id, file); err != nil {
					return err
				}
			}
			added = true
			return d.Sync()
		})
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		// Alive again it has the photo if it was told so, and sends it.
		d := s.open(t)
		if held := d.Photos(); added && held == "[]" && len(s.photos(t, id)) == 0 {
			t.Fatalf("killed at step %d: the photo is nowhere", n)
		}
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		if d.Photos() != "[]" {
			t.Fatalf("killed at step %d: %s is left", n, d.Photos())
		}
		d.Close()
		if len(s.photos(t, id)) >= multe.MaxPhotos { // the verbale is full: go on with another
			d := s.open(t)
			if _, err := d.Lease(1); err != nil {
				t.Fatal(err)
			}
			id = issue(t, s, d)
			d.Close()
			s.AddCodes(t, webtest.Torino, 1)
		}
	}
	for _, p := range s.photos(t, id) {
		_, got, err := s.Photos.Bytes(t.Context(), "test", webtest.Torino, multe.VerbaleID(id), p.ID)
		if err != nil || !bytes.Equal(got, file) {
			t.Errorf("photo %s: %d bytes, %v", p.ID, len(got), err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "photos")); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func (s *street) photos(t *testing.T, verbale string) []multe.Photo {
	t.Helper()
	list, err := s.Photos.OfVerbale(t.Context(), webtest.Torino, multe.VerbaleID(verbale))
	if err != nil && !strings.Contains(err.Error(), "verbale.unknown") {
		t.Fatal(err)
	}
	var whole []multe.Photo
	for _, p := range list {
		if p.State == multe.PhotoKept || p.State == multe.PhotoWaiting {
			whole = append(whole, p)
		}
	}
	return whole
}

// TestRefusedPhotosStay: what the service does not want is kept, and does not hold
// up the next.
func TestRefusedPhotosStay(t *testing.T) {
	s := newStreet(t)
	d := s.open(t)
	defer d.Close()
	id := issue(t, s, d)
	bad, err := d.AddPhoto(id, []byte("no picture"))
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := d.AddPhoto(id, camera(t, 5000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddPhoto(id, camera(t, 6000)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "photos", damaged), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	var left []struct{ ID, Reason string }
	if err := json.Unmarshal([]byte(d.Photos()), &left); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[{%s photo.not_jpeg} {%s file.damaged}]", bad, damaged); fmt.Sprint(left) != want {
		t.Errorf("left = %v, want %s", left, want)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "photos", bad)); err != nil {
		t.Error("the file that the office may want is gone:", err)
	}
	if n := len(s.photos(t, id)); n != 1 {
		t.Errorf("the service has %d photos, want 1", n)
	}
	for _, size := range []int{0, 2<<20 + 1} {
		if _, err := d.AddPhoto(id, make([]byte, size)); !errors.Is(err, client.ErrPhoto) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestHear: pages come in order and once, over restarts; a page that was not kept
// comes again.
func TestHear(t *testing.T) {
	s := newStreet(t)
	d := s.open(t)
	if d.Seen("AB123CD", "Via Roma, 9") {
		t.Error("seen before anything was left")
	}
	first := issue(t, s, d)
	if !d.Seen("ab 123 cd", "Via Roma, 9") || d.Seen("AB123CD", "via Po 9") {
		t.Error("a slip of its own, not yet sent, is not seen")
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	var heard []string
	hear := func(page string) error {
		var p struct{ Slips []struct{ ID, Status string } }
		err := json.Unmarshal([]byte(page), &p)
		for _, slip := range p.Slips {
			heard = append(heard, slip.ID+" "+slip.Status)
		}
		return err
	}
	if err := d.Hear(func(string) error { return errKilled }); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	d.Close()
	d = s.open(t)
	for range 2 {
		if err := d.Hear(hear); err != nil {
			t.Fatal(err)
		}
	}
	if want := fmt.Sprint([]string{first + " queued"}); fmt.Sprint(heard) != want {
		t.Errorf("heard %v, want %s", heard, want)
	}
	if !d.Seen("AB123CD", "via Roma 40") || d.Seen("AB123CE", "via Roma 40") {
		t.Error("what the service lists is not seen, or too much is")
	}
	b, err := s.Feedback.Write(t.Context(), "operator:o", webtest.Torino, multe.BulletinID(s.ID(t)), "", "Ciao", s.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Confirm(string(b.ID)); err != nil {
		t.Fatal(err)
	}
	if _, reads, err := s.Feedback.Bulletin(t.Context(), webtest.Torino, b.ID); err != nil || len(reads) != 1 {
		t.Errorf("read by %v, %v", reads, err)
	}
	d.Close()
}

// TestSightings holds the function against the file that pins it, here and in the
// service.
func TestSightings(t *testing.T) {
	raw, err := os.ReadFile("../testdata/sightings.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Salt      string
		Sightings []struct{ Plate, Place, Street, Value string }
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Sightings) < 10 {
		t.Fatal(err, len(file.Sightings))
	}
	for _, v := range file.Sightings {
		if got := client.Street(v.Place); got != v.Street {
			t.Errorf("street of %q = %q, want %q", v.Place, got, v.Street)
		}
		if got := client.Sighting(file.Salt, v.Plate, v.Place); got != v.Value {
			t.Errorf("sighting in %q = %s, want %s", v.Place, got, v.Value)
		}
	}
}

// FuzzSighting: the service and the client never disagree about a place.
func FuzzSighting(f *testing.F) {
	f.Add("AB123CD", "Via dell'Università, 5/B")
	f.Add("X1", "piazza 4 Novembre 12 N")
	f.Fuzz(func(t *testing.T, plate, place string) {
		if ours, theirs := client.Sighting("s", plate, place), multe.Sighting("s", multe.Plate(plate), place); ours != theirs {
			t.Errorf("%q: %s and %s, by %q and %q", place, ours, theirs, client.Street(place), multe.Street(place))
		}
	})
}

// TestListen: a stream brings the same pages, and its end is no error.
func TestListen(t *testing.T) {
	s := newStreet(t)
	d := s.open(t)
	defer d.Close()
	issue(t, s, d)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	api := firmwareapi.New(firmwareapi.Config{Log: s.Log, Random: s.Random, Now: s.Now, Registry: s.Registry, Pool: s.Pool,
		Verbali: s.Verbali, Photos: s.Photos, Feedback: s.Feedback, Stopping: stop})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.Now().Format(http.TimeFormat)) // the device learns the time from it
		api.ServeHTTP(w, r)
	}))
	defer server.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := client.Open(s.dir, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Conn().SetNow(s.Now)
	if err := d.Confirm(s.ID(t)); err == nil { // learns the challenge, as any request does
		t.Fatal("a message that does not exist is confirmed")
	}
	pages := 0
	err = d.Listen(func(page string) error {
		if pages++; !strings.Contains(page, `"queued"`) {
			t.Errorf("page = %s", page)
		}
		close(stop)
		return nil
	})
	if err != nil || pages != 1 {
		t.Errorf("%d pages, %v", pages, err)
	}
	if err := d.Hear(func(page string) error {
		if strings.Contains(page, `"queued"`) {
			t.Errorf("heard twice: %s", page)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
