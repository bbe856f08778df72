package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// TestAccounting is what the accountant sees of a flow with a line of ours that
// was never notified, one that is not ours, and one that went back.
func TestAccounting(t *testing.T) {
	r := newRig(t)
	day := multe.DayOf(r.Now())
	n := r.verbale.Slip.Number
	ours := multe.FlussoRow{IUV: n.IUV(), IUR: "R1", Index: 1, Cents: 2940, Outcome: multe.FlussoPaid, PaidOn: day, CodiceVersamento: "PM01", Capitolo: "3020", AccertamentoYear: 2026, AccertamentoNumber: 7}
	meals := multe.FlussoRow{IUV: "77777777777777777", IUR: "R2", Cents: 500, Outcome: multe.FlussoPaid, PaidOn: day, CodiceVersamento: "ME01"}
	back := ours
	back.Cents, back.Outcome = -2940, multe.FlussoRevoked
	told := multe.FlussoTold{Creditor: webtest.Torino, Rows: []multe.FlussoRow{ours, meals, back},
		FlussoHead: multe.FlussoHead{Kind: multe.FlussoCompleto, PSP: "ABI1", Name: "2026-03-03ABI1", TRN: "TRN1", SettledOn: day.Plus(1), Count: 3, Cents: 500, QuotaCents: 500}}
	err := r.Store.Update(t.Context(), func(tx store.Tx) error { return r.Flussi.Hear(tx, told, "m1", r.Now()) })
	if err != nil {
		t.Fatal(err)
	}

	var page api.FlussoPage
	r.call(t, "GET", torino+"/flussi?limit=1", "").Decode(t, 200, &page)
	if len(page.Flussi) != 1 || page.Flussi[0].Name != told.Name || page.Flussi[0].Trn != "TRN1" || page.Next != page.Flussi[0].Id {
		t.Fatalf("page %+v", page)
	}
	path := torino + "/flussi/" + page.Flussi[0].Id
	var flow api.FlussoAndLines
	r.call(t, "GET", path+"?limit=2", "").Decode(t, 200, &flow)
	if len(flow.Lines) != 2 || flow.Next != 2 || flow.Lines[0].Match != "unknown" || flow.Lines[0].Verbale != string(r.verbale.Slip.ID) || flow.Lines[1].Match != "other" {
		t.Errorf("lines %+v, next %d", flow.Lines, flow.Next)
	}
	flow = api.FlussoAndLines{}
	r.call(t, "GET", path+"?after=2", "").Decode(t, 200, &flow)
	if len(flow.Lines) != 1 || flow.Next != 0 || flow.Lines[0].Match != "revoked" || flow.Lines[0].Cents != -2940 {
		t.Errorf("lines %+v, next %d", flow.Lines, flow.Next)
	}
	page = api.FlussoPage{}
	r.call(t, "GET", torino+"/flussi?after="+flow.Flusso.Id, "").Decode(t, 200, &page)
	if len(page.Flussi) != 0 {
		t.Errorf("after the last: %+v", page)
	}

	period := "?from=" + day.String() + "&to=" + day.String()
	var all api.Accounting
	r.call(t, "GET", torino+"/accounting.json"+period, "").Decode(t, 200, &all)
	if len(all.Entries) != 2 || all.TotalCents != 0 || all.Entries[1].Match != "unknown" || all.Entries[1].Avviso != n.String() || all.Entries[1].Capitolo != "3020" {
		t.Errorf("accounting %+v", all)
	}
	sheet := r.call(t, "GET", torino+"/accounting.csv"+period, "")
	rows := strings.Split(strings.TrimSuffix(sheet.Body, "\r\n"), "\r\n")
	if sheet.Status != 200 || len(rows) != 3 || !strings.HasPrefix(rows[0], "\ufeffdata_pagamento;") || !strings.Contains(rows[2], ";29,40;R1;ABI1;2026-03-03ABI1;TRN1;") {
		t.Errorf("= %d %q", sheet.Status, rows)
	}
	for _, personal := range []string{plate, "via Roma"} {
		if strings.Contains(sheet.Body, personal) {
			t.Errorf("the sheet tells %q", personal)
		}
	}

	var timeline api.Timeline
	r.call(t, "GET", torino+"/codes/"+n.String()+"/timeline", "").Decode(t, 200, &timeline)
	var texts []string
	for _, e := range timeline.Entries {
		if strings.HasPrefix(e.Action, "flusso.") {
			texts = append(texts, e.Action+" "+e.Subject)
		}
	}
	if diff := cmp.Diff([]string{"flusso.accounted 2026-03-03ABI1/R1", "flusso.revoked 2026-03-03ABI1/R1"}, texts); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

func TestAccountingRefuses(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/accounting.csv":                                 {422, "request.invalid"},
		"/accounting.csv?from=2026-03-01":                 {422, "request.invalid"},
		"/accounting.json?from=1/3/2026&to=2026-03-01":    {422, "request.invalid"},
		"/accounting.json?from=2026-02-30&to=2026-03-01":  {422, "accounting.bad_period"},
		"/accounting.json?from=2026-03-02&to=2026-03-01":  {422, "accounting.bad_period"},
		"/accounting.json?from=2024-01-01&to=2026-03-01":  {422, "accounting.bad_period"},
		"/accounting.json?from=0001-01-01&to=0001-01-01":  {422, "accounting.bad_period"},
		"/flussi/" + strings.Repeat("0", 32):              {404, "not_found"},
		"/flussi?after=" + strings.Repeat("0", 32):        {404, "not_found"},
		"/flussi/" + strings.Repeat("0", 32) + "?after=0": {422, "request.invalid"},
	} {
		a := r.call(t, "GET", torino+path, "")
		if p := a.Problem(t); a.Status != want.status || p.Code != want.code {
			t.Errorf("%s: %d %s, want %d %s", path, a.Status, p.Code, want.status, want.code)
		}
	}
	alba := r.Operator(t, webtest.Alba)
	for _, path := range []string{"/flussi", "/accounting.csv?from=2026-03-01&to=2026-03-01"} {
		if a := r.Do(t, webtest.Request{Method: "GET", Path: torino + path, Token: alba}); a.Status != 403 {
			t.Errorf("%s with a neighbour's token: %d", path, a.Status)
		}
	}
}
