package api_test

import (
	"image/png"
	"strings"
	"testing"
	"time"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// printable makes the rig's verbale recorded, payable upstream, and the office
// known.
func (r *rig) printable(t testing.TB) {
	t.Helper()
	at := multe.Instant(r.Now())
	if err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		v, err := tx.Verbale(webtest.Torino, r.verbale.Slip.ID)
		if err != nil {
			return err
		}
		k, err := tx.Code(webtest.Torino, v.Slip.Position)
		if err != nil {
			return err
		}
		k.State, k.UpstreamCents, k.Version = multe.CodeActive, 4360, k.Version+1
		v.State, v.Version = multe.VerbaleFinalised, v.Version+1
		v.Record = &multe.Record{Register: "V/2026/17", Cents: 4360, Causale: "Verbale CdS n. 17", At: at, CostsCents: 1420,
			Fine:   &multe.Fine{Discounted: 2940, Reduced: 4200, Late: 8650},
			Debtor: &multe.Debtor{Surname: "Rossi", Name: "Anna", CF: "RSSNNA80A41L219X", Address: "Via Po", Civico: "1", CAP: "10123", City: "Torino", Province: "TO"}}
		body := []byte(encode(t, prints.Settings{Office: "Ufficio verbali", Officer: "Comandante", Signature: "Ag. 17", Prefect: "Torino", Judge: "Torino"}))
		d, err := multe.NewDocument(multe.Document{}, webtest.Torino, multe.DocumentSettings, multe.DayOf(at), "application/json", body, "admin", at)
		if err != nil {
			return err
		}
		for _, err := range []error{tx.PutCode(k), tx.PutVerbale(v), tx.PutDocument(d)} {
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestPrints looks at every paper, prints one twice, and makes the first again.
func TestPrints(t *testing.T) {
	r := newRig(t)
	r.printable(t)
	pdf := func(method, path, body string) string {
		t.Helper()
		a := r.call(t, method, path, body)
		if a.Status != 200 || !strings.HasPrefix(a.Body, "%PDF") {
			t.Fatalf("%s %s = %d %.300q", method, path, a.Status, a.Body)
		}
		return a.Body
	}
	for _, paper := range []string{"preavviso.pdf", "avviso.pdf", "avviso.pdf?language=de", "verbale.pdf", "verbale.pdf?language=sl", "slip.pdf", "slip.pdf?width=58&dpi=300"} {
		pdf("GET", r.verbalePath()+"/"+paper, "")
	}
	picture := r.call(t, "GET", r.verbalePath()+"/slip.png?width=112", "")
	if m, err := png.Decode(strings.NewReader(picture.Body)); err != nil || m.Bounds().Dx() != 832 {
		t.Errorf("slip.png: %v", err)
	}
	id := r.ID(t)
	r.Pass(time.Second) // ids sort by time
	next := r.ID(t)
	first := pdf("POST", r.verbalePath()+"/prints", encode(t, map[string]any{"id": id, "kind": "verbale", "language": "fr"}))
	if pdf("POST", r.verbalePath()+"/prints", encode(t, map[string]any{"id": id, "kind": "verbale", "language": "fr"})) != first {
		t.Error("the same request printed other bytes")
	}
	if p := r.call(t, "POST", r.verbalePath()+"/prints", encode(t, map[string]any{"id": id, "kind": "avviso"})).Problem(t); p.Code != "print.other_request" {
		t.Errorf("%+v", p)
	}
	if pdf("POST", r.verbalePath()+"/prints", encode(t, map[string]any{"id": next, "kind": "verbale", "language": "fr"})) == first {
		t.Error("a reprint is not marked")
	}
	if pdf("POST", torino+"/prints/"+id+"/again", "") != first {
		t.Error("the first print cannot be made again")
	}
	var page api.PrintPage
	r.call(t, "GET", r.verbalePath()+"/prints", "").Decode(t, 200, &page)
	if len(page.Prints) != 2 || page.Prints[0].Id != id || page.Prints[0].Copy != 1 || page.Prints[1].Copy != 2 || page.Prints[0].Language != "fr" {
		t.Errorf("%+v", page)
	}
	var one api.Print
	r.call(t, "GET", torino+"/prints/"+next, "").Decode(t, 200, &one)
	if one != page.Prints[1] || one.Sources.Creditor != 1 || one.Sources.Prints != 1 {
		t.Errorf("%+v", one)
	}
}

// TestPrintJobs prints a job, fetches it, and cannot cancel it any more.
func TestPrintJobs(t *testing.T) {
	r := newRig(t)
	r.printable(t)
	other := r.issue(t, r.codes[1]) // not recorded: it is left out
	id := r.ID(t)
	ask := map[string]any{"id": id, "kind": "avviso", "form": "zip", "order": "cap", "verbali": []string{string(other.Slip.ID), string(r.verbale.Slip.ID)}}
	var job api.PrintJob
	for range 2 {
		r.call(t, "POST", torino+"/print-jobs", encode(t, ask)).Decode(t, 201, &job)
	}
	if job.State != "running" || job.Total != 2 {
		t.Errorf("%+v", job)
	}
	if p := r.call(t, "GET", torino+"/print-jobs/"+id+"/output", "").Problem(t); p.Code != "print.not_ready" || p.Status != 409 {
		t.Errorf("%+v", p)
	}
	if _, err := r.Prints.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.call(t, "GET", torino+"/print-jobs/"+id, "").Decode(t, 200, &job)
	if job.State != "done" || job.Done != 2 || job.Errors != 1 || job.Expires.IsZero() {
		t.Errorf("%+v", job)
	}
	var items api.PrintItemPage
	r.call(t, "GET", torino+"/print-jobs/"+id+"/items?errors=true", "").Decode(t, 200, &items)
	if len(items.Items) != 1 || items.Items[0].Code != "print.not_recorded" || items.Items[0].Detail == "" {
		t.Errorf("%+v", items)
	}
	r.call(t, "GET", torino+"/print-jobs/"+id+"/items", "").Decode(t, 200, &items)
	if len(items.Items) != 2 || items.Items[1].Print == "" {
		t.Errorf("%+v", items)
	}
	out := r.call(t, "GET", torino+"/print-jobs/"+id+"/output", "")
	if out.Status != 200 || out.Header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(out.Body, "PK") || multe.DigestOf([]byte(out.Body)).String() != job.Digest {
		t.Errorf("%d %v %.20q", out.Status, out.Header, out.Body)
	}
	etag := out.Header.Get("ETag")
	for name, tt := range map[string]struct {
		header map[string]string
		status int
		body   string
	}{
		"the rest":              {map[string]string{"Range": "bytes=100-", "If-Range": etag}, 206, out.Body[100:]},
		"the last 50":           {map[string]string{"Range": "bytes=-50"}, 206, out.Body[len(out.Body)-50:]},
		"of another output":     {map[string]string{"Range": "bytes=100-", "If-Range": `"0"`}, 200, out.Body},
		"several":               {map[string]string{"Range": "bytes=0-1,5-6"}, 200, out.Body},
		"outside":               {map[string]string{"Range": "bytes=99999999-"}, 422, ""},
		"an If-Range by itself": {map[string]string{"If-Range": etag}, 200, out.Body},
	} {
		got := r.Do(t, webtest.Request{Method: "GET", Path: torino + "/print-jobs/" + id + "/output", Token: r.operator, Header: tt.header})
		if got.Status != tt.status || tt.status != 422 && got.Body != tt.body {
			t.Errorf("%s: %d, %d bytes", name, got.Status, len(got.Body))
		}
	}
	var jobs api.PrintJobPage
	r.call(t, "GET", torino+"/print-jobs", "").Decode(t, 200, &jobs)
	if len(jobs.Jobs) != 1 || jobs.Jobs[0].Id != id {
		t.Errorf("%+v", jobs)
	}
	for _, path := range []string{"/cancel", "/again"} {
		if p := r.call(t, "POST", torino+"/print-jobs/"+id+path, "").Problem(t); path == "/cancel" && p.Code != "print.wrong_state" {
			t.Errorf("%s: %+v", path, p)
		}
	}
	pdf := with(ask, map[string]any{"id": r.ID(t), "form": "pdf", "verbali": nil, "filter": map[string]any{"state": "finalised", "from": "2026-03-01", "to_register": "V/2026/17"}})
	r.call(t, "POST", torino+"/print-jobs", encode(t, pdf)).Decode(t, 201, &job)
	if job.Total != 1 {
		t.Errorf("%+v", job)
	}
	r.call(t, "POST", torino+"/print-jobs/"+job.Id+"/cancel", "").Decode(t, 200, &job)
	if job.State != "cancelled" {
		t.Errorf("%+v", job)
	}
}

// TestPrintRefusals are what a clerk must understand.
func TestPrintRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*multe.Verbale, *multe.Code)
		path   string
		body   map[string]any
		code   string
	}{
		"not repriced":  {func(_ *multe.Verbale, k *multe.Code) { k.UpstreamCents = 2940 }, "avviso.pdf", nil, "print.amount_differs"},
		"not confirmed": {func(_ *multe.Verbale, k *multe.Code) { k.State = multe.CodeIssued }, "verbale.pdf", nil, "print.not_active"},
		"null":          {func(v *multe.Verbale, _ *multe.Code) { v.Record.Debtor = &multe.Debtor{Company: "null", CF: "X1"} }, "avviso.pdf", nil, "print.missing_field"},
		"name of 300":   {func(v *multe.Verbale, _ *multe.Code) { v.Record.Debtor.Surname = strings.Repeat("Rossi ", 50) }, "avviso.pdf", nil, ""}, // cut (guide 3.5.1)
		"no address":    {func(v *multe.Verbale, _ *multe.Code) { v.Record.Debtor = &multe.Debtor{Company: "Acme", CF: "X1"} }, "verbale.pdf", nil, "print.missing_field"},
		"language":      {nil, "avviso.pdf?language=es", nil, "request.invalid"},
		"width":         {nil, "slip.pdf?width=57", nil, "request.invalid"},
		"kind":          {nil, "prints", map[string]any{"id": strings.Repeat("a", 32), "kind": "multa"}, "request.invalid"},
		"no id":         {nil, "prints", map[string]any{"kind": "avviso"}, "request.invalid"},
		"nothing":       {nil, "../../print-jobs", map[string]any{"id": strings.Repeat("a", 32), "kind": "avviso", "form": "pdf", "filter": map[string]any{"to": "2020-01-01"}}, "print.empty"},
		"no such day":   {nil, "../../print-jobs", map[string]any{"id": strings.Repeat("a", 32), "kind": "avviso", "form": "pdf", "filter": map[string]any{"to": "2026-02-30"}}, "print.bad_day"},
		"both":          {nil, "../../print-jobs", map[string]any{"id": strings.Repeat("a", 32), "kind": "avviso", "form": "pdf", "verbali": []string{strings.Repeat("a", 32)}, "filter": map[string]any{"unprinted": true}}, "print.bad_selection"},
		"unknown":       {nil, "../../print-jobs", map[string]any{"id": strings.Repeat("a", 32), "kind": "avviso", "form": "pdf", "verbali": []string{strings.Repeat("a", 32)}}, "verbale.unknown"},
		"unknown print": {nil, "../../prints/" + strings.Repeat("a", 32) + "/again", map[string]any{}, "print.unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.printable(t)
			if tt.change != nil {
				if err := r.Store.Update(t.Context(), func(tx store.Tx) error {
					v, err := tx.Verbale(webtest.Torino, r.verbale.Slip.ID)
					if err != nil {
						return err
					}
					k, err := tx.Code(webtest.Torino, v.Slip.Position)
					if err != nil {
						return err
					}
					tt.change(&v, &k)
					v.Version++
					k.Version++
					if err := tx.PutCode(k); err != nil {
						return err
					}
					return tx.PutVerbale(v)
				}); err != nil {
					t.Fatal(err)
				}
			}
			path, method, body := r.verbalePath()+"/"+tt.path, "GET", ""
			if rest, ok := strings.CutPrefix(tt.path, "../../"); ok {
				path = torino + "/" + rest
			}
			if tt.body != nil {
				method, body = "POST", encode(t, tt.body)
			}
			if strings.HasSuffix(path, "/again") {
				body = ""
			}
			a := r.call(t, method, path, body)
			if tt.code == "" {
				if a.Status != 200 {
					t.Errorf("%d %.300s", a.Status, a.Body)
				}
				return
			}
			if p := a.Problem(t); p.Code != tt.code || p.Status >= 500 || len(p.Detail) < 20 {
				t.Errorf("%+v, want %s", p, tt.code)
			}
		})
	}
}

// TestPrintIsOfTheCreditor: nobody prints another town's act.
func TestPrintIsOfTheCreditor(t *testing.T) {
	r := newRig(t)
	r.printable(t)
	alba := r.Operator(t, webtest.Alba)
	ours := "/v1/creditors/" + string(webtest.Alba)
	for _, path := range []string{ours + "/verbali/" + string(r.verbale.Slip.ID) + "/avviso.pdf", ours + "/verbali/" + string(r.verbale.Slip.ID) + "/slip.png"} {
		if p := r.Do(t, webtest.Request{Method: "GET", Path: path, Token: alba}).Problem(t); p.Code != "verbale.unknown" {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if strings.Contains(r.Dump(t), "print.looked") {
		t.Error("a look that was refused is in the history")
	}
}
