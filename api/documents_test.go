package api_test

import (
	"bytes"
	"image"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"preavviso/api"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
	"preavviso/pdf"
)

// TestDocuments gives a catalogue: looks first, gives it, gives it again, reads it.
func TestDocuments(t *testing.T) {
	r := newRig(t)
	base := "/v1/creditors/" + string(webtest.Torino) + "/documents/"
	put := func(kind, query, body string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: "PUT", Path: base + kind + query, Token: r.operator, Body: body, Type: "application/octet-stream"})
	}
	get := func(path string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: "GET", Path: base + path, Token: r.operator})
	}
	before := r.Dump(t)
	var added api.AddedDocument
	put("catalogue", "?dry_run=true&from=2026-03-01", string(cds.Sample())).Decode(t, 200, &added)
	if !added.DryRun || added.Document.N != 1 || len(added.Findings) == 0 || r.Dump(t) != before {
		t.Errorf("dry run = %+v", added)
	}
	first := put("catalogue", "?from=2026-03-01", string(cds.Sample()))
	first.Decode(t, 200, &added)
	if again := put("catalogue", "?from=2026-03-01", string(cds.Sample())); again.Body != first.Body {
		t.Errorf("the same again is %s, was %s", again.Body, first.Body)
	}
	put("streets", "", "Via Po").Decode(t, 200, &added)
	if added.Document.From.String() != "2026-03-02" {
		t.Errorf("from = %v, want today", added.Document.From)
	}
	var page api.DocumentPage
	get("catalogue").Decode(t, 200, &page)
	if len(page.Documents) != 1 || page.Documents[0].Actor == "" || page.Next != 0 {
		t.Errorf("list = %+v", page)
	}
	if a := get("catalogue/1"); a.Status != 200 || a.Body != string(cds.Sample()) {
		t.Errorf("the document reads %d %.40q", a.Status, a.Body)
	}
	for name, tt := range map[string]struct {
		answer webtest.Answer
		status int
		code   string
	}{
		"not a catalogue": {put("catalogue", "", "catalogue: no"), 422, "catalogue.invalid"},
		"other kind":      {put("songs", "", "la"), 422, "request.invalid"},
		"no such day":     {put("streets", "?from=2026-02-30", "Via Po"), 422, "document.bad_from"},
		"JSON":            {r.Do(t, webtest.Request{Method: "PUT", Path: base + "streets", Token: r.operator, Body: `"Via Po"`}), 415, "request.bad_type"},
		"too large":       {put("streets", "", strings.Repeat("Via Po\n", 1<<18)), 422, "document.bad_size"},
		"another number":  {get("catalogue/2"), 404, "document.unknown"},
		"another's": {r.Do(t, webtest.Request{Method: "GET", Path: "/v1/creditors/" + string(webtest.Alba) + "/documents/streets", Token: r.operator}),
			403, "auth.wrong_creditor"},
	} {
		if p := tt.answer.Problem(t); p.Status != tt.status || p.Code != tt.code {
			t.Errorf("%s: %d %s, want %d %s", name, p.Status, p.Code, tt.status, tt.code)
		}
	}
}

// TestLogo gives logos as offices have them: huge. What is kept is what prints.
func TestLogo(t *testing.T) {
	r := newRig(t)
	path := "/v1/creditors/" + string(webtest.Torino) + "/documents/logo"
	put := func(body []byte) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: "PUT", Path: path, Token: r.operator, Body: string(body), Type: "application/octet-stream"})
	}
	noisy := image.NewNRGBA(image.Rect(0, 0, 1100, 1130)) // as little compressed as a PNG can be
	if _, err := rand.NewChaCha8([32]byte{}).Read(noisy.Pix); err != nil {
		t.Fatal(err)
	}
	for i := 3; i < len(noisy.Pix); i += 4 {
		noisy.Pix[i] = 0xFF
	}
	var file bytes.Buffer
	if err := png.Encode(&file, noisy); err != nil {
		t.Fatal(err)
	}
	if n := file.Len(); n < 3<<20 || n > pdf.MaxLogoBytes {
		t.Fatalf("the file has %d bytes", n)
	}
	var added api.AddedDocument
	put(file.Bytes()).Decode(t, 200, &added)
	kept := r.Do(t, webtest.Request{Method: "GET", Path: path + "/1", Token: r.operator})
	small, err := png.DecodeConfig(strings.NewReader(kept.Body))
	if err != nil || small.Height != 480 || len(kept.Body) > multe.MaxDocument { // 30 mm at 400 dpi
		t.Errorf("%d bytes are kept, %dx%d, %v", len(kept.Body), small.Width, small.Height, err)
	}
	for name, tt := range map[string]struct {
		body         []byte
		status       int
		code, detail string
	}{
		"a byte more than 5 MB": {append(file.Bytes(), make([]byte, pdf.MaxLogoBytes+1-file.Len())...), 422, "logo.too_large", "Il file dello stemma supera i 5 MB."},
		"far more":              {make([]byte, 9<<20), 413, "request.too_large", "Quanto inviato è troppo grande: al massimo 8 MB."},
		"no picture":            {make([]byte, 2<<20), 422, "logo.not_image", "Lo stemma deve essere un'immagine PNG o JPEG integra."},
	} {
		if p := put(tt.body).Problem(t); p.Status != tt.status || p.Code != tt.code || p.Detail != tt.detail {
			t.Errorf("%s: %d %s %q", name, p.Status, p.Code, p.Detail)
		}
	}
}

// TestChangeCreditor changes settings under If-Match.
func TestChangeCreditor(t *testing.T) {
	r := newRig(t)
	path := "/v1/creditors/" + string(webtest.Torino)
	read := r.Do(t, webtest.Request{Method: "GET", Path: path, Token: r.operator})
	etag := read.Header.Get("ETag")
	put := func(etag, body string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: "PUT", Path: path, Token: r.operator, Body: body, Header: map[string]string{"If-Match": etag}})
	}
	const policy = `{"from":"2026-04-01","debtor":"reset","amount":"two-codes","patron":"06-24","slip":{"days":15,"working":true},"no_slip_discount":true,"discount":{"days":30}}`
	settings := func(more string) string {
		return `{"cf":"` + string(webtest.Torino) + `","name":"Comune di Torino","codice_versamento":"PM01","pool":{"low":10,"target":20}` + more + `}`
	}
	same := put(etag, settings(""))
	if same.Status != 200 || same.Header.Get("ETag") != etag {
		t.Errorf("no change: %d, ETag %s, was %s", same.Status, same.Header.Get("ETag"), etag)
	}
	changed := put(etag, settings(`,"policies":[`+policy+`]`))
	if changed.Status != 200 || changed.Header.Get("ETag") == etag || !strings.Contains(changed.Body, `"patron":"06-24","slip":{"days":15,"working":true}`) {
		t.Errorf("= %d %s %s", changed.Status, changed.Header.Get("ETag"), changed.Body)
	}
	if again := put(etag, settings(`,"policies":[`+policy+`]`)); again.Body != changed.Body || again.Header.Get("ETag") != changed.Header.Get("ETag") {
		t.Errorf("the same change again: %d %s", again.Status, again.Body)
	}
	for name, tt := range map[string]struct {
		answer webtest.Answer
		status int
		code   string
	}{
		"stale":        {put(etag, settings("")), 412, "creditor.changed"},
		"no If-Match":  {put("", settings("")), 422, "request.invalid"},
		"bad If-Match": {put("*", settings("")), 422, "request.invalid"},
		"huge version": {put(`"9999999999999999999"`, settings("")), 412, "creditor.changed"},
		"bad patron":   {put(etag, settings(`,"policies":[`+strings.Replace(policy, "06-24", "02-30", 1)+`]`)), 422, "calendar.bad_patron"},
		"other cf":     {put(etag, strings.Replace(settings(""), string(webtest.Torino), string(webtest.Alba), 1)), 422, "creditor.other_cf"},
	} {
		if p := tt.answer.Problem(t); p.Status != tt.status || p.Code != tt.code {
			t.Errorf("%s: %d %s, want %d %s", name, p.Status, p.Code, tt.status, tt.code)
		}
	}
	var page api.CreditorPage
	r.Do(t, webtest.Request{Method: "GET", Path: "/v1/creditors?limit=1", Token: webtest.Admin}).Decode(t, 200, &page)
	if len(page.Creditors) != 1 || page.Creditors[0].Cf != string(webtest.Alba) || page.Next != string(webtest.Alba) {
		t.Errorf("list = %+v", page)
	}
	if p := r.Do(t, webtest.Request{Method: "GET", Path: "/v1/creditors", Token: r.operator}).Problem(t); p.Code != "auth.admin_only" {
		t.Errorf("an operator lists creditors: %+v", p)
	}
}
