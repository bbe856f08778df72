package firmwareapi_test

import (
	"strings"
	"testing"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// TestSlip prints a handheld's own slip for every printer, and nobody else's.
func TestSlip(t *testing.T) {
	r := newRig(t)
	var receipt firmwareapi.Receipt
	r.call(t, "POST", "/v1/verbali", encode(t, r.slip(t, r.codes[0]))).Decode(t, 200, &receipt)
	path := "/v1/verbali/" + receipt.Id + "/slip"
	for printer, begins := range map[string]string{"escpos": "\x1b@", "zpl": "^XA", "cpcl": "! 0 "} {
		for _, own := range []bool{false, true} {
			ask := map[string]any{"printer": printer, "width": 80, "dpi": 203, "own_font": own}
			first := r.call(t, "POST", path, encode(t, ask))
			if first.Status != 200 || first.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(first.Body, begins) {
				t.Errorf("%s = %d %.40q", printer, first.Status, first.Body)
			}
			if again := r.call(t, "POST", path, encode(t, ask)); again.Body != first.Body {
				t.Errorf("%s: the same request got other bytes", printer)
			}
			ask["reprint"] = true
			if marked := r.call(t, "POST", path, encode(t, ask)); marked.Body == first.Body {
				t.Errorf("%s: a reprint is not marked", printer)
			}
		}
	}
	for name, ask := range map[string]map[string]any{
		"printer": {"printer": "pcl", "width": 80, "dpi": 203}, "width": {"printer": "zpl", "width": 79, "dpi": 203}, "no dpi": {"printer": "zpl", "width": 80},
	} {
		if p := r.call(t, "POST", path, encode(t, ask)).Problem(t); p.Status != 422 && p.Status != 400 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	_, other := r.Device(t, webtest.Torino)
	ask := encode(t, map[string]any{"printer": "zpl", "width": 80, "dpi": 203})
	if p := r.Do(t, webtest.Request{Method: "POST", Path: path, Token: other, Body: ask}).Problem(t); p.Code != "verbale.unknown" {
		t.Errorf("another handheld's: %+v", p)
	}
	if p := r.call(t, "POST", "/v1/verbali/"+string(multe.VerbaleID(r.ID(t)))+"/slip", ask).Problem(t); p.Code != "verbale.unknown" {
		t.Errorf("nobody's: %+v", p)
	}
}
