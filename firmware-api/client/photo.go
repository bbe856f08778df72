package client

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// chunk is how much of a photo goes in one request, the most that the service
	// takes.
	chunk = 64 << 10
	// maxPhoto is the largest photo that the service takes.
	maxPhoto = 2 << 20
)

// ErrPhoto says that a photo is empty or too large for the service, or already
// gone.
var ErrPhoto = errors.New("client: a photo has from 1 byte to 2 MiB")

// photo is one photo on the device: its bytes are in the folder "photos".
type photo struct {
	ID      string `json:"id"`
	Verbale string `json:"verbale,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Size    int    `json:"size,omitempty"`
	Reason  string `json:"reason,omitempty"` // why the service does not want it: an error code
}

func (s *state) endPhoto(id, reason string) {
	for i := range s.Photos {
		if s.Photos[i].ID != id {
			continue
		}
		if s.Photos[i].Reason = reason; reason == "" {
			s.Photos = slices.Delete(s.Photos, i, i+1)
		}
		return
	}
}

func (d *Device) photoPath(id string) string { return filepath.Join(d.dir, "photos", id) }

// AddPhoto takes a photo of the slip with an id, a JPEG as the camera made it, and
// returns the photo's own id. When it returns the bytes are on the device's disk;
// the next [Device.Sync] sends them, after all slips.
func (d *Device) AddPhoto(verbale string, file []byte) (string, error) {
	if len(file) == 0 || len(file) > maxPhoto {
		return "", ErrPhoto
	}
	id, err := d.newID()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "photos"), 0o700); err != nil {
		return "", err
	}
	// The file first: a file that the journal does not know is nobody's.
	d.step("before photo file")
	if err := writeFile(d.photoPath(id), file); err != nil {
		return "", err
	}
	d.step("after photo file")
	sum := sha256.Sum256(file)
	d.mu.Lock()
	defer d.mu.Unlock()
	return id, d.write(event{Kind: evPhoto, Photo: &photo{ID: id, Verbale: verbale, SHA256: hex.EncodeToString(sum[:]), Size: len(file)}})
}

// Photos returns the photos on the device that the service has not got, as a JSON
// list, oldest first: id, verbale, sha256, size and, where the service does not want
// one, its error code as reason. The office may want the file: it is in the folder
// "photos", under its id.
func (d *Device) Photos() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := json.Marshal(d.state.Photos)
	if err != nil || d.state.Photos == nil {
		return "[]"
	}
	return string(b)
}

// sweepPhotos removes the files that a crash left behind: of photos that were sent,
// or never added.
func (d *Device) sweepPhotos() error {
	files, err := os.ReadDir(filepath.Join(d.dir, "photos"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		if !slices.ContainsFunc(d.state.Photos, func(p photo) bool { return p.ID == f.Name() }) {
			err = errors.Join(err, os.Remove(filepath.Join(d.dir, "photos", f.Name())))
		}
	}
	return err
}

// sendPhoto sends the oldest photo, from where the service says that it goes on.
func (d *Device) sendPhoto() (done bool, err error) {
	d.mu.Lock()
	i := slices.IndexFunc(d.state.Photos, func(p photo) bool { return p.Reason == "" })
	if i < 0 {
		d.mu.Unlock()
		return true, nil
	}
	p := d.state.Photos[i]
	d.mu.Unlock()
	file, err := os.ReadFile(d.photoPath(p.ID))
	if err != nil || len(file) != p.Size {
		return false, d.endPhoto(p.ID, "file.damaged")
	}
	no, wrong, err := final(d.sendBytes(p, file))
	if err != nil {
		return false, err
	}
	if wrong {
		return false, d.endPhoto(p.ID, no.Code)
	}
	return false, d.endPhoto(p.ID, "")
}

// endPhoto forgets a photo that was sent, and its file after it; or keeps it, and
// why it is not wanted.
func (d *Device) endPhoto(id, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.write(event{Kind: evPhotoEnd, Photo: &photo{ID: id}, Reason: reason}); err != nil || reason != "" {
		return err
	}
	if err := os.Remove(d.photoPath(id)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sendBytes declares a photo and sends what the service has not got.
func (d *Device) sendBytes(p photo, file []byte) error {
	var at struct {
		State  string
		Offset int
	}
	body, err := json.Marshal(map[string]any{"id": p.ID, "verbale": p.Verbale, "sha256": p.SHA256, "size": p.Size, "media": "image/jpeg"})
	if err != nil {
		return err
	}
	answer, err := d.call(http.MethodPost, "/v1/photos", body)
	// Each request sends at least one byte more, so this many are enough, whatever
	// the service says.
	for range 2 + 2*maxPhoto/chunk {
		if err == nil {
			err = json.Unmarshal(answer, &at)
		}
		if err != nil {
			return err
		}
		if at.State != "uploading" {
			return nil // whole there, with its verbale or without
		}
		if at.Offset < 0 || at.Offset >= p.Size {
			break
		}
		var got incoming
		got, err = d.callWith(outgoing{method: http.MethodPut, path: fmt.Sprintf("/v1/photos/%s/chunks/%d", p.ID, at.Offset),
			kind: kindBytes, body: file[at.Offset:min(p.Size, at.Offset+chunk)]})
		answer = got.body
		if no, ok := errors.AsType[*Refusal](err); ok && no.Code == "photo.wrong_offset" {
			at.Offset, answer, err = no.Offset, []byte("{}"), nil
		}
	}
	return errors.New("client: the service does not say where a photo goes on")
}

// Seen reports whether the service, or a slip still on this device, says that a
// plate may have got a slip in the same street lately: look at the windscreen. It
// may be wrong, about once in a hundred on a busy day. It knows what the last
// [Device.Hear] fetched.
func (d *Device) Seen(plate, place string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	plate = plainPlate(plate)
	for _, k := range d.state.Codes {
		var s struct{ Plate, Place string }
		if json.Unmarshal(k.Slip, &s) == nil && plainPlate(s.Plate) == plate && Street(s.Place) == Street(place) {
			return true
		}
	}
	for _, day := range d.sightings.Days {
		want := Sighting(day.Salt, plate, place)
		for i := 0; i+len(want) <= len(day.Values); i += len(want) {
			if day.Values[i:i+len(want)] == want {
				return true
			}
		}
	}
	return false
}

// plainPlate is a plate as the service has it: letters and digits, in capitals.
func plainPlate(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' {
			return -1
		}
		return r
	}, strings.ToUpper(s))
}
