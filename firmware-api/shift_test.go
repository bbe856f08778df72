package firmwareapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// catalogue gives the creditor the sample catalogue.
func (r *rig) catalogue(t testing.TB) {
	t.Helper()
	if _, _, err := r.Documents.Add(t.Context(), "admin", webtest.Torino, multe.DocumentCatalogue, multe.Day{Year: 2026, Month: 1, Day: 1}, cds.Sample(), false); err != nil {
		t.Fatal(err)
	}
}

// TestReadShift fetches a shift whole, compressed and again.
func TestReadShift(t *testing.T) {
	r := newRig(t)
	r.catalogue(t)
	get := func(header map[string]string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: "GET", Path: "/v1/shift", Token: r.token, Header: header})
	}
	plain := get(nil)
	var shift firmwareapi.Shift
	plain.Decode(t, 200, &shift)
	etag := plain.Header.Get("ETag")
	if shift.Format != 1 || len(shift.Catalogue.Violations) == 0 || len(shift.Catalogue.Holidays) == 0 || shift.Codes.Amounts != "one-code" || shift.Creditor.Cf != string(webtest.Torino) || etag == "" {
		t.Errorf("shift = %+v, ETag %q", shift, etag)
	}
	for accept, want := range map[string]string{"": "", "identity": "", "gzip": "gzip", "br, GZIP;q=0.5": "gzip", "gzip;q=0": "", "gzipped": ""} {
		a := r.Do(t, webtest.Request{Method: "GET", Path: "/v1/shift", Token: r.token, Header: map[string]string{"Accept-Encoding": accept, "If-None-Match": `"other"`}})
		body := []byte(a.Body)
		if want == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if a.Status != 200 || a.Header.Get("Content-Encoding") != want || a.Header.Get("Vary") != "Accept-Encoding" || string(body) != plain.Body {
			t.Errorf("Accept-Encoding %q: %d %q, %d bytes", accept, a.Status, a.Header.Get("Content-Encoding"), len(a.Body))
		}
	}
	for _, tag := range []string{etag, strings.TrimPrefix(etag, "W/"), `"x", ` + etag, "*"} {
		if a := get(map[string]string{"If-None-Match": tag}); a.Status != 304 || a.Body != "" || a.Header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d %q", tag, a.Status, a.Body)
		}
	}
	if p := r.Do(t, webtest.Request{Method: "GET", Path: "/v1/shift"}).Problem(t); p.Status != 401 {
		t.Errorf("a stranger's shift: %+v", p)
	}
}

// TestFlags is what is taken as it was printed, and what is said about it.
func TestFlags(t *testing.T) {
	violation := func(code string) map[string]any {
		return map[string]any{"code": code, "norm": "art. 158 c. 2 e 6 CdS", "conduct": "Sosta sul passo carrabile"}
	}
	steps := func(cents ...int) []any {
		list := []any{map[string]any{"cents": cents[0], "last_day": "2026-03-07"}, map[string]any{"cents": cents[1]}}
		return list[2-len(cents):]
	}
	good := map[string]any{"violation": violation("158-6"), "steps": steps(2940, 4200), "vehicle_class": "other",
		"gps": map[string]any{"lat_e6": 45070312, "lon_e6": 7686864, "accuracy_m": 12}, "clock_skew_ms": -1500}
	for _, tt := range []struct {
		name    string
		changes map[string]any
		date    time.Duration // of the handheld's clock, against ours
		flags   []string
	}{
		{"as the catalogue says", nil, 0, nil},
		{"no code", map[string]any{"violation": map[string]any{"norm": "art. 7 CdS", "conduct": "Sosta"}, "steps": steps(1, 2)}, 0, nil},
		{"amount not in catalogue", map[string]any{"steps": steps(2940, 4300)}, 0, []string{"amount.differs"}},
		{"code not in catalogue", map[string]any{"violation": violation("999")}, 0, []string{"amount.unknown_violation"}},
		{"wrong vehicle", map[string]any{"vehicle_class": "two-wheeler"}, 0, []string{"amount.wrong_vehicle"}},
		{"other day", map[string]any{"steps": []any{map[string]any{"cents": 2940, "last_day": "2026-03-09"}, map[string]any{"cents": 4200}}}, 0, []string{"amount.last_day_differs"}},
		{"before the catalogue", map[string]any{"issued_at": "2025-12-30T10:00:00+01:00", "steps": []any{map[string]any{"cents": 2940, "last_day": "2026-01-04"}, map[string]any{"cents": 4200}}}, 0, []string{"amount.no_catalogue"}},
		{"clock corrected as it should", map[string]any{"clock_skew_ms": 7200_000}, -2 * time.Hour, nil},
		{"clock not corrected", nil, -2 * time.Hour, []string{"clock.skewed"}},
		{"clock corrected too much", map[string]any{"clock_skew_ms": 7200_000}, 0, []string{"clock.skewed"}},
		{"nearly right", nil, 4 * time.Minute, nil},
		{"offline, and why", map[string]any{"offline": true, "offline_reason": "no_answer"}, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.catalogue(t)
			body := encode(t, with(with(r.slip(t, r.codes[0]), good), tt.changes))
			post := func() webtest.Answer {
				return r.Do(t, webtest.Request{Method: "POST", Path: "/v1/verbali", Token: r.token, Body: body,
					Header: map[string]string{"Date": r.Now().Add(tt.date).UTC().Format(http.TimeFormat)}})
			}
			first := post()
			var receipt firmwareapi.Receipt
			first.Decode(t, 200, &receipt)
			var codes []string
			for _, f := range receipt.Flags {
				codes = append(codes, f.Code)
			}
			if diff := cmp.Diff(tt.flags, codes); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
			r.Pass(time.Hour)
			if again := post(); again.Body != first.Body {
				t.Errorf("repeated: %s, want %s", again.Body, first.Body)
			}
			list, err := r.Discrepancies(t.Context(), webtest.Torino, true, "", 10)
			if err != nil || (len(list) == 1) != (len(tt.flags) > 0) || len(list) > 0 && (list[0].Kind != "verbale.flagged" || list[0].Subject != receipt.Id || !strings.Contains(list[0].Detail, receipt.Flags[0].Detail)) {
				t.Errorf("the office is told %+v, %v", list, err)
			}
			v, _, err := r.Verbali.Get(t.Context(), webtest.Torino, multe.VerbaleID(receipt.Id))
			if err != nil || v.SkewMS == nil || *v.SkewMS != -tt.date.Milliseconds() || len(v.Flags) != len(tt.flags) || v.Slip.GPS == nil || *v.Slip.GPS != (multe.GPS{LatE6: 45070312, LonE6: 7686864, AccuracyM: 12}) {
				t.Errorf("stored: %+v, %v", v, err)
			}
		})
	}
}

// TestCircumstancesAreRefused is what no handheld can have printed.
func TestCircumstancesAreRefused(t *testing.T) {
	r := newRig(t)
	for name, tt := range map[string]struct {
		changes map[string]any
		code    string
	}{
		"vehicle class":        {map[string]any{"vehicle_class": "bus"}, "request.invalid"},
		"GPS at 91° north":     {map[string]any{"gps": map[string]any{"lat_e6": 91000000, "lon_e6": 0, "accuracy_m": 1}}, "request.invalid"},
		"half a GPS":           {map[string]any{"gps": map[string]any{"lat_e6": 1}}, "request.invalid"},
		"reason while there":   {map[string]any{"offline": false, "offline_reason": "no_network"}, "verbale.bad_offline_reason"},
		"another reason":       {map[string]any{"offline": true, "offline_reason": "tired"}, "request.invalid"},
		"skew of a millennium": {map[string]any{"clock_skew_ms": 31536000000000}, "request.invalid"},
		"code of a novel":      {map[string]any{"violation": map[string]any{"code": strings.Repeat("1", 13), "norm": "x", "conduct": "y"}}, "request.invalid"},
	} {
		if p := r.call(t, "POST", "/v1/verbali", encode(t, with(r.slip(t, r.codes[0]), tt.changes))).Problem(t); p.Code != tt.code || p.Status != 422 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestBatch uploads good and bad slips together: each is as if it had come alone, and
// all of it can be repeated.
func TestBatch(t *testing.T) {
	r := newRig(t)
	alone := r.slip(t, r.codes[0])
	single := r.call(t, "POST", "/v1/verbali", encode(t, alone))
	bad := with(r.slip(t, r.codes[1]), map[string]any{"place": nil})
	foreign := r.slip(t, r.AddCodes(t, webtest.Torino, 1)[0])
	good := r.slip(t, r.codes[2])
	changed := with(alone, map[string]any{"plate": "XX999XX"})
	body := encode(t, map[string]any{"verbali": []any{alone, bad, foreign, map[string]any{"id": 5}, good, changed, good}})
	first := r.call(t, "POST", "/v1/verbali/batch", body)
	var out firmwareapi.BatchOutcome
	first.Decode(t, 200, &out)
	type outcome struct {
		ID     string
		Status int
		Code   string
	}
	var got []outcome
	for _, o := range out.Verbali {
		got = append(got, outcome{o.Id, o.Status, o.Problem.Code})
		if (o.Receipt.Id == "") != (o.Status != 200) || (o.Problem.Detail == "") != (o.Status == 200) {
			t.Errorf("outcome %+v", o)
		}
	}
	id := func(m map[string]any) string { return m["id"].(string) }
	want := []outcome{
		{id(alone), 200, ""}, {id(bad), 422, "request.invalid"}, {id(foreign), 409, "code.other_device"}, {"", 422, "request.invalid"},
		{id(good), 200, ""}, {id(alone), 409, "verbale.other_body"}, {id(good), 200, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	receipt, err := json.Marshal(out.Verbali[0].Receipt)
	if err != nil || string(receipt)+"\n" != single.Body {
		t.Errorf("in a batch %s, alone %s", receipt, single.Body)
	}
	r.Pass(24 * time.Hour)
	if again := r.call(t, "POST", "/v1/verbali/batch", body); again.Body != first.Body {
		t.Errorf("repeated: %s, want %s", again.Body, first.Body)
	}
	for name, tt := range map[string]struct {
		body string
		code string
	}{
		"none":      {`{"verbali":[]}`, "request.invalid"},
		"too many":  {`{"verbali":[` + strings.Repeat("{},", 50) + `{}]}`, "request.invalid"},
		"too large": {`{"verbali":["` + strings.Repeat("x", 257<<10) + `"]}`, "request.too_large"},
		"no JSON":   {`{"verbali":[{]}`, "request.malformed"},
	} {
		if p := r.call(t, "POST", "/v1/verbali/batch", tt.body).Problem(t); p.Code != tt.code {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if a := r.call(t, "POST", "/v1/verbali/batch", `{"verbali":[`+strings.TrimSuffix(strings.Repeat(`{"place":"`+strings.Repeat("x", 4<<10)+`"},`, 50), ",")+`]}`); a.Status != 200 {
		t.Errorf("fifty full slips do not fit: %d", a.Status)
	}
}
