package firmwareapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"strings"
	"testing"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// camera makes a JPEG of some size.
func camera(t testing.TB, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), bytes.Repeat([]byte{'x'}, max(0, size-b.Len()))...)
}

func declaration(id, verbale string, file []byte) map[string]any {
	return map[string]any{"id": id, "verbale": verbale, "sha256": multe.DigestOf(file).String(), "size": len(file), "media": "image/jpeg"}
}

func (r *rig) chunk(t testing.TB, token, id string, offset int, data []byte) webtest.Answer {
	t.Helper()
	return r.Do(t, webtest.Request{Method: "PUT", Path: fmt.Sprintf("/v1/photos/%s/chunks/%d", id, offset), Token: token, Body: string(data), Type: "application/octet-stream"})
}

func TestPhotoUpload(t *testing.T) {
	r := newRig(t)
	slip := r.slip(t, r.codes[0])
	file := camera(t, 100_000)
	id := r.ID(t)
	photo := declaration(id, slip["id"].(string), file)
	var status firmwareapi.PhotoStatus
	r.call(t, "POST", "/v1/photos", encode(t, photo)).Decode(t, 200, &status) // before its verbale
	if status.State != "uploading" || status.Offset != 0 || status.Size != len(file) {
		t.Fatalf("declared: %+v", status)
	}
	r.chunk(t, r.token, id, 0, file[:65536]).Decode(t, 200, &status)
	if status.Offset != 65536 {
		t.Fatalf("a chunk: %+v", status)
	}
	for name, test := range map[string]struct {
		answer webtest.Answer
		status int
		code   string
	}{
		"a gap":               {r.chunk(t, r.token, id, 70_000, file[70_000:]), 409, "photo.wrong_offset"},
		"from the start":      {r.chunk(t, r.token, id, 0, file[:5000]), 409, "photo.wrong_offset"},
		"more than a chunk":   {r.chunk(t, r.token, id, 65536, make([]byte, 65537)), 413, "request.too_large"},
		"more than declared":  {r.chunk(t, r.token, id, 65536, make([]byte, 60_000)), 422, "photo.too_long"},
		"too little":          {r.chunk(t, r.token, id, 65536, file[65536:66000]), 422, "photo.bad_chunk"},
		"beyond any photo":    {r.chunk(t, r.token, id, 1<<21, file), 413, "request.too_large"},
		"offset out of range": {r.chunk(t, r.token, id, 1<<21, file[:5000]), 422, "request.invalid"},
		"nothing":             {r.chunk(t, r.token, id, 65536, nil), 422, "photo.bad_chunk"},
		"JSON": {r.Do(t, webtest.Request{Method: "PUT", Path: "/v1/photos/" + id + "/chunks/65536", Token: r.token, Body: "{}"}),
			415, "request.bad_type"},
		"not declared": {r.chunk(t, r.token, r.ID(t), 0, file[:5000]), 404, "photo.unknown"},
	} {
		p := test.answer.Problem(t)
		if p.Status != test.status || p.Code != test.code {
			t.Errorf("%s: %+v, want %d %s", name, p, test.status, test.code)
		}
		var extra struct{ Offset *int }
		if err := json.Unmarshal([]byte(test.answer.Body), &extra); err != nil || (test.code == "photo.wrong_offset") != (extra.Offset != nil && *extra.Offset == 65536) {
			t.Errorf("%s: offset %v, %v", name, extra.Offset, err)
		}
	}
	r.chunk(t, r.token, id, 65536, file[65536:]).Decode(t, 200, &status)
	if status.State != "waiting" || status.Offset != len(file) {
		t.Errorf("whole: %+v", status)
	}
	if a := r.call(t, "POST", "/v1/verbali", encode(t, slip)); a.Status != 200 {
		t.Fatal(a.Body)
	}
	list, err := r.Photos.OfVerbale(t.Context(), webtest.Torino, multe.VerbaleID(slip["id"].(string)))
	if err != nil || len(list) != 1 {
		t.Errorf("of its verbale: %v, %v", list, err)
	}
	r.call(t, "GET", "/v1/photos/"+id, "").Decode(t, 200, &status)
	if status.Offset != len(file) {
		t.Errorf("read: %+v", status)
	}
	photo["size"] = 5
	for name, test := range map[string]struct {
		body map[string]any
		code string
	}{
		"another content": {photo, "photo.other_body"},
		"too large":       {map[string]any{"id": r.ID(t), "verbale": slip["id"], "sha256": strings.Repeat("a", 64), "size": multe.MaxPhoto + 1, "media": "image/jpeg"}, "photo.too_large"},
		"PNG":             {map[string]any{"id": r.ID(t), "verbale": slip["id"], "sha256": strings.Repeat("a", 64), "size": 9, "media": "image/png"}, "photo.bad_media"},
		"a hash too many": {map[string]any{"id": r.ID(t), "verbale": slip["id"], "sha256": strings.Repeat("a", 66), "size": 9, "media": "image/jpeg"}, "request.invalid"},
	} {
		if p := r.call(t, "POST", "/v1/photos", encode(t, test.body)).Problem(t); p.Code != test.code {
			t.Errorf("%s: %+v, want %s", name, p, test.code)
		}
	}
	// Another handheld sees nothing of it, of this town or another.
	for _, c := range []multe.CreditorID{webtest.Torino, webtest.Alba} {
		_, token := r.World.Device(t, c)
		if p := r.chunk(t, token, id, 0, file[:5000]).Problem(t); p.Code != "photo.unknown" || p.Status != 404 {
			t.Errorf("another handheld's chunk: %+v", p)
		}
		if p := r.Do(t, webtest.Request{Method: "GET", Path: "/v1/photos/" + id, Token: token}).Problem(t); p.Code != "photo.unknown" || p.Status != 404 {
			t.Errorf("another handheld's look: %+v", p)
		}
	}
	_, token := r.World.Device(t, webtest.Torino)
	stolen := declaration(r.ID(t), slip["id"].(string), file)
	if p := r.Do(t, webtest.Request{Method: "POST", Path: "/v1/photos", Token: token, Body: encode(t, stolen)}).Problem(t); p.Code != "verbale.unknown" || p.Status != 404 {
		t.Errorf("a photo on another's verbale: %+v", p)
	}
	if strings.Contains(r.Logged.String(), "AB123CD") || strings.Contains(r.Logged.String(), id) {
		t.Error("the log says more than it should")
	}
}
