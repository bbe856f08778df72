package api_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"strings"
	"testing"
	"time"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// TestPhotosOfAVerbale: the office lists them and looks at one, and the look stays
// in the history; another creditor, and another verbale, see nothing.
func TestPhotosOfAVerbale(t *testing.T) {
	r := newRig(t)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 640, 480)), nil); err != nil {
		t.Fatal(err)
	}
	path := r.verbalePath()
	id := multe.VerbaleID(path[strings.LastIndex(path, "/")+1:])
	v, _, err := r.Verbali.Get(t.Context(), webtest.Torino, id)
	if err != nil {
		t.Fatal(err)
	}
	sheet := multe.PhotoSheet{ID: multe.PhotoID(r.ID(t)), Verbale: id, Digest: multe.DigestOf(b.Bytes()), Size: b.Len(), Media: multe.MediaJPEG}
	if _, err := r.Photos.Declare(t.Context(), webtest.Torino, v.Device, sheet); err != nil {
		t.Fatal(err)
	}
	one := path + "/photos/" + string(sheet.ID)
	if p := r.call(t, "GET", one, "").Problem(t); p.Code != "photo.no_bytes" || p.Status != 409 {
		t.Errorf("incomplete: %+v", p)
	}
	if _, err := r.Photos.Add(t.Context(), webtest.Torino, v.Device, sheet.ID, 0, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	var list api.PhotoList
	r.call(t, "GET", path+"/photos", "").Decode(t, 200, &list)
	if len(list.Photos) != 1 || list.Photos[0].Id != string(sheet.ID) || list.Photos[0].State != "kept" || list.Photos[0].Sha256 != sheet.Digest.String() {
		t.Errorf("list = %+v", list)
	}
	for path, side := range map[string]int{one: 640, one + "?size=page": 640, one + "?size=thumbnail": 320} {
		a := r.call(t, "GET", path, "")
		c, err := jpeg.DecodeConfig(strings.NewReader(a.Body))
		if a.Status != 200 || a.Header.Get("Content-Type") != "image/jpeg" || err != nil || c.Width != side {
			t.Errorf("%s = %d %s, %d pixels wide, %v", path, a.Status, a.Header.Get("Content-Type"), c.Width, err)
		}
	}
	if p := r.call(t, "GET", one+"?size=original", "").Problem(t); p.Status != 422 {
		t.Errorf("original by size: %+v", p)
	}
	if a := r.call(t, "GET", one+"/original", ""); a.Status != 200 || a.Header.Get("Content-Type") != "image/jpeg" || a.Body != b.String() {
		t.Errorf("= %d %s, %d bytes", a.Status, a.Header.Get("Content-Type"), len(a.Body))
	}
	looks := 0
	err = r.Store.View(t.Context(), func(tx store.Reader) error {
		entries, err := tx.Audit(webtest.Torino, v.Slip.Position, 0, store.MaxPage)
		for _, e := range entries {
			if (e.Action == "photo.seen" || e.Action == "photo.taken") && strings.HasPrefix(e.Actor, "operator:") {
				looks++
			}
		}
		return err
	})
	if err != nil || looks != 4 {
		t.Errorf("%d looks in the history, %v; want 4", looks, err)
	}
	for name, test := range map[string]struct{ path, token, code string }{
		"another verbale": {strings.Replace(one, string(id), r.ID(t), 1), r.operator, "verbale.unknown"},
		"no photo":        {path + "/photos/" + r.ID(t), r.operator, "photo.unknown"},
		"another town":    {one, r.Operator(t, webtest.Alba), "auth.wrong_creditor"},
	} {
		if p := r.Do(t, webtest.Request{Method: "GET", Path: test.path, Token: test.token}).Problem(t); p.Code != test.code {
			t.Errorf("%s: %+v, want %s", name, p, test.code)
		}
	}
}

func TestMessagesToHandhelds(t *testing.T) {
	r := newRig(t)
	d, _ := r.World.Device(t, webtest.Torino)
	foreign, _ := r.World.Device(t, webtest.Alba)
	expires := r.Now().Add(time.Hour)
	body := func(id string, change map[string]any) string {
		b := map[string]any{"id": id, "text": "Corteo: evitare via Pò", "expires_at": expires.Format(time.RFC3339)}
		for k, v := range change {
			b[k] = v
		}
		return encode(t, b)
	}
	messages := "/v1/creditors/" + string(webtest.Torino) + "/messages"
	id := r.ID(t)
	first := r.call(t, "POST", messages, body(id, nil))
	if first.Status != 201 {
		t.Fatal(first.Status, first.Body)
	}
	if again := r.call(t, "POST", messages, body(id, nil)); again.Body != first.Body || again.Status != 201 {
		t.Errorf("repeated: %d %s", again.Status, again.Body)
	}
	for name, test := range map[string]struct {
		id     string
		change map[string]any
		code   string
	}{
		"another text":     {id, map[string]any{"text": "Altro"}, "message.other_body"},
		"to another":       {id, map[string]any{"device": string(d.ID)}, "message.other_body"},
		"foreign handheld": {r.ID(t), map[string]any{"device": string(foreign.ID)}, "device.unknown"},
		"too long":         {r.ID(t), map[string]any{"text": strings.Repeat("x", 281)}, "request.invalid"},
		"over already":     {r.ID(t), map[string]any{"expires_at": r.Now().Format(time.RFC3339)}, "message.bad_expiry"},
		"for ever":         {r.ID(t), map[string]any{"expires_at": r.Now().AddDate(1, 0, 0).Format(time.RFC3339)}, "message.bad_expiry"},
	} {
		if p := r.call(t, "POST", messages, body(test.id, test.change)).Problem(t); p.Code != test.code {
			t.Errorf("%s: %+v, want %s", name, p, test.code)
		}
	}
	r.Pass(time.Millisecond) // ids of one millisecond are in no order
	second := r.ID(t)
	if a := r.call(t, "POST", messages, body(second, map[string]any{"device": string(d.ID)})); a.Status != 201 {
		t.Fatal(a.Body)
	}
	if _, err := r.World.Feedback.Read(t.Context(), webtest.Torino, d.ID, multe.BulletinID(id)); err != nil {
		t.Fatal(err)
	}
	var read api.ReadDeviceMessage
	r.call(t, "GET", messages+"/"+id, "").Decode(t, 200, &read)
	if len(read.Readers) != 1 || read.Readers[0].Device != string(d.ID) || !strings.HasPrefix(read.Message.WrittenBy, "operator:") {
		t.Errorf("read = %+v", read)
	}
	var page api.DeviceMessagePage
	r.call(t, "GET", messages+"?limit=1", "").Decode(t, 200, &page)
	if len(page.Messages) != 1 || page.Next != id {
		t.Errorf("page = %+v", page)
	}
	r.call(t, "GET", messages+"?after="+page.Next, "").Decode(t, 200, &page)
	if len(page.Messages) != 1 || page.Messages[0].Device != string(d.ID) {
		t.Errorf("page = %+v", page)
	}
	if strings.Contains(r.Logged.String(), "Corteo") {
		t.Error("the text of a message is in the log")
	}
	for range multe.MaxBulletins - 1 {
		if a := r.call(t, "POST", messages, body(r.ID(t), nil)); a.Status != 201 {
			t.Fatal(a.Body)
		}
	}
	if p := r.call(t, "POST", messages, body(r.ID(t), nil)).Problem(t); p.Code != "message.too_many" {
		t.Errorf("one too many: %+v", p)
	}
}
