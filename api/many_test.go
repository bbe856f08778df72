package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// TestSearch finds verbali by all that an office knows of them.
func TestSearch(t *testing.T) {
	r := newRig(t)
	r.Pass(48 * time.Hour)
	second := r.issue(t, r.codes[1])
	if a := r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())); a.Status != 200 {
		t.Fatal(a.Body)
	}
	r.hearPaid(t, second, "A", 4200)
	one, two := string(r.verbale.Slip.ID), string(second.Slip.ID)
	for body, want := range map[string][]string{
		`{}`:                       {one, two},
		`{"plate":"ab 123 cd"}`:    {one, two},
		`{"plate":"ZZ999ZZ"}`:      nil,
		`{"register":"V/2026/17"}`: {one},
		`{"register":"V/2026"}`:    nil,
		`{"register":"V/2026/17","state":"issued"}`: nil,
		`{"state":"finalised"}`:                     {one},
		`{"unpaid":true}`:                           {one},
		`{"unrecorded":true}`:                       nil,
		`{"issued_from":"2026-03-03"}`:              {two},
		`{"issued_to":"2026-03-02"}`:                {one},
		`{"after":"` + one + `"}`:                   {two},
		`{"issued_from":"2026-03-05"}`:              nil,
		`{"plate":"AB123CD","limit":1}`:             {one},
	} {
		var page api.VerbalePage
		r.call(t, "POST", torino+"/verbali/search", body).Decode(t, 200, &page)
		var got []string
		for _, v := range page.Verbali {
			got = append(got, v.Id)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
		if strings.Contains(body, `"limit":1`) != (page.Next == one) {
			t.Errorf("%s: next %q", body, page.Next)
		}
	}
	refused(t, r.call(t, "POST", torino+"/verbali/search", `{"plate":"?"}`), 422, "verbale.bad_plate")
	refused(t, r.call(t, "GET", torino+"/verbali/search", ""), 422, "request.invalid") // search is no id
}

// TestMany does many things at once, some of which cannot be done.
func TestMany(t *testing.T) {
	r := newRig(t)
	second := r.issue(t, r.codes[1])
	unknown := r.ID(t)
	outcomes := func(path string, body any) (got api.Outcomes) {
		t.Helper()
		r.call(t, "POST", torino+path, encode(t, body)).Decode(t, 200, &got)
		return got
	}
	want := func(got api.Outcomes, codes ...string) {
		t.Helper()
		failed := 0
		for i, item := range got.Items {
			if item.N != i+1 || item.Code != codes[i] || (item.Code == "") != (item.Status == 200) || (item.Code == "") != (item.Detail == "") {
				t.Errorf("item %d = %+v, want %s", i+1, item, codes[i])
			}
			if item.Code != "" {
				failed++
			}
		}
		if got.Failed != failed || got.Done != len(codes)-failed || len(got.Items) != len(codes) {
			t.Errorf("%+v", got)
		}
	}
	item := func(id, register string) map[string]any {
		return map[string]any{"verbale": id, "record": with(record(), map[string]any{"register": register})}
	}
	records := map[string]any{"items": []any{item(string(r.verbale.Slip.ID), "1"), item(unknown, "2"), item(string(second.Slip.ID), "1")}}
	for range 2 { // the same again does what is missing
		want(outcomes("/verbali/records", records), "", "verbale.unknown", "verbale.register_used")
	}
	records["items"] = []any{item(string(second.Slip.ID), "3")}
	want(outcomes("/verbali/records", records), "")

	pec := func(key, value string) map[string]any {
		return map[string]any{key: value, "how": "pec", "day": "2026-03-02"}
	}
	for range 2 {
		want(outcomes("/verbali/notifications", map[string]any{"items": []any{
			pec("register", "1"), pec("verbale", string(second.Slip.ID)), pec("register", "99"), with(pec("register", "1"), map[string]any{"verbale": unknown}),
			with(pec("register", "1"), map[string]any{"how": "send"}),
		}}), "", "", "verbale.unknown_register", "verbale.id_or_register", "verbale.already_notified")
	}

	free, err := r.Pool.Stock(t.Context(), webtest.Torino)
	if err != nil || free.Counts[multe.CodeAvailable] != 2 {
		t.Fatal(free, err)
	}
	fresh := r.AddCodes(t, webtest.Torino, 2)
	for range 2 {
		want(outcomes("/codes/void", map[string]any{"reason": "Scorta di troppo", "codes": []string{
			string(fresh[0].Position), fresh[1].Number.String(), unknown, second.Slip.Number.String()}}), "", "", "code.unknown", "code.on_verbale")
	}
	var raw []json.RawMessage
	for range 201 {
		raw = append(raw, json.RawMessage(encode(t, pec("register", "1"))))
	}
	refused(t, r.call(t, "POST", torino+"/verbali/notifications", encode(t, map[string]any{"items": raw})), 422, "request.invalid")
}

// TestAudit reads the register of who did what, whole and in part.
func TestAudit(t *testing.T) {
	r := newRig(t)
	r.Pass(72 * time.Hour)
	if a := r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())); a.Status != 200 {
		t.Fatal(a.Body)
	}
	read := func(query string) (page api.AuditPage) {
		t.Helper()
		r.call(t, "GET", torino+"/audit?"+query, "").Decode(t, 200, &page)
		return page
	}
	all := read("")
	var walked []api.AuditEntry
	for next := int64(0); ; {
		page := read(fmt.Sprintf("limit=3&after=%d", next))
		walked = append(walked, page.Entries...)
		if next = page.Next; next == 0 {
			break
		}
	}
	if len(all.Entries) < 6 || len(walked) != len(all.Entries) {
		t.Fatalf("%d lines, %d page by page", len(all.Entries), len(walked))
	}
	last := all.Entries[len(all.Entries)-1]
	for query, fits := range map[string]func(api.AuditEntry) bool{
		"actor=admin":                   func(e api.AuditEntry) bool { return e.Actor == "admin" },
		"action=verbale.":               func(e api.AuditEntry) bool { return strings.HasPrefix(e.Action, "verbale.") },
		"action=" + last.Action:         func(e api.AuditEntry) bool { return e.Action == last.Action },
		"from=2026-03-05":               func(e api.AuditEntry) bool { return e.At.After(time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)) },
		"to=2026-03-04":                 func(e api.AuditEntry) bool { return e.At.Before(time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)) },
		"from=2026-03-03&to=2026-03-04": func(api.AuditEntry) bool { return false },
	} {
		n := 0
		for _, e := range all.Entries {
			if fits(e) {
				n++
			}
		}
		if got := read(query); len(got.Entries) != n {
			t.Errorf("%s: %d lines, want %d", query, len(got.Entries), n)
		}
	}
	refused(t, r.call(t, "GET", torino+"/audit?from=2026-02-30", ""), 422, "request.bad_day")
}

// TestFilters lists payments by days and work items by kind.
func TestFilters(t *testing.T) {
	r := newRig(t)
	r.hearPaid(t, r.verbale, "A", 2940)
	r.Pass(24 * time.Hour)
	r.hearPaid(t, r.verbale, "B", 2940)
	for query, want := range map[string]int{"": 2, "from=2026-03-03": 1, "to=2026-03-02": 1, "from=2026-03-02&to=2026-03-03": 2, "from=2026-03-04": 0, "to=2026-03-01": 0,
		"from=2026-03-02&limit=1": 1} {
		var page api.PaymentPage
		r.call(t, "GET", torino+"/payments?"+query, "").Decode(t, 200, &page)
		if len(page.Payments) != want {
			t.Errorf("%s: %d payments, want %d", query, len(page.Payments), want)
		}
	}
	var all api.DiscrepancyPage
	r.call(t, "GET", torino+"/discrepancies", "").Decode(t, 200, &all)
	if len(all.Discrepancies) == 0 {
		t.Fatal("nothing to filter")
	}
	kind := all.Discrepancies[0].Kind
	for query, want := range map[string]bool{"kind=" + kind: true, "kind=" + kind[:len(kind)-1]: false, "kind=a": false} {
		var page api.DiscrepancyPage
		r.call(t, "GET", torino+"/discrepancies?"+query, "").Decode(t, 200, &page)
		if (len(page.Discrepancies) > 0) != want {
			t.Errorf("%s: %d", query, len(page.Discrepancies))
		}
	}
}
