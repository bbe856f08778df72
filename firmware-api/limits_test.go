package firmwareapi_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/firmware-api/client"
	"preavviso/internal/multe"
	"preavviso/internal/web"
	"preavviso/internal/web/webtest"
)

// TestClientUnderLimits: the reference client, with a shift to upload and a share
// that is far too small for it, waits as long as it is told and gets through in one
// Sync, hardly ever refused twice in a row.
func TestClientUnderLimits(t *testing.T) {
	const slips = 60
	w := webtest.New(t)
	w.AddCodes(t, webtest.Torino, slips)
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare", false)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(w)
	cfg.Limits = web.Limits{Rate: 0.2, Burst: 1} // one call in five seconds
	api := firmwareapi.New(cfg)
	refused, uploads := 0, 0
	d, err := client.Open(t.TempDir(), "http://palmari.example")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Conn().SetTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := webtest.Transport{Handler: api}.RoundTrip(r)
		switch resp.StatusCode {
		case http.StatusTooManyRequests:
			refused++
		case http.StatusOK:
			uploads++
		}
		return resp, err
	}))
	d.Conn().SetNow(w.Now)
	d.SetSleep(w.Pass)
	if err := d.Enrol(code); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Lease(slips); err != nil || n != slips {
		t.Fatalf("lent %d, %v", n, err)
	}
	for range slips {
		draft := (&rig{World: w}).slip(t, multe.Code{})
		for _, name := range []string{"id", "position", "avviso", "issued_at"} {
			delete(draft, name)
		}
		text, err := d.Issue(encode(t, draft))
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ ID string }
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if err := d.Printed(s.ID); err != nil {
			t.Fatal(err)
		}
	}
	start := w.Now()
	if err := d.Sync(); err != nil || d.Sent() != slips {
		t.Fatalf("%d sent, %v", d.Sent(), err)
	}
	if took := w.Now().Sub(start); refused == 0 || refused > uploads || took > time.Duration(uploads)*10*time.Second {
		t.Errorf("%d refused, %d uploads, in %v", refused, uploads, took)
	}
}
