package api_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// hearPaid lets a payment of the rig's verbale come today.
func (r *rig) hearPaid(t *testing.T, v multe.Verbale, iur string, cents multe.Cents) {
	t.Helper()
	n := multe.Notice{Creditor: webtest.Torino, Message: iur, Payments: []multe.Payment{{IUV: v.Slip.Number.IUV(), IUR: iur, Cents: cents, PaidOn: multe.DayOf(r.Now())}}}
	if err := r.Store.Update(t.Context(), func(tx store.Tx) error { return r.Payments.Hear(tx, n, multe.MessageID(iur), r.Now()) }); err != nil {
		t.Fatal(err)
	}
}

// TestMoneyOfAVerbale pays twice, takes the work item, gives back, and closes
// another by hand.
func TestMoneyOfAVerbale(t *testing.T) {
	r := newRig(t)
	r.hearPaid(t, r.verbale, "A", 2940)
	r.hearPaid(t, r.verbale, "B", 2940)
	var m api.VerbaleMoney
	r.call(t, "GET", r.verbalePath()+"/money", "").Decode(t, 200, &m)
	if m.ExcessCents != 2940 || m.PaidCents != 5880 || m.OwedCents != 2940 || len(m.Payments) != 2 || len(m.Discrepancies) != 1 {
		t.Fatalf("%+v", m)
	}
	item := torino + "/discrepancies/" + m.Discrepancies[0].Id
	var d api.Discrepancy
	r.call(t, "POST", item+"/taking", "").Decode(t, 200, &d)
	if !strings.HasPrefix(d.TakenBy, "operator:") || d.TakenAt.IsZero() || !d.Open {
		t.Errorf("taken: %+v", d)
	}
	refund := map[string]any{"id": r.ID(t), "iuv": r.verbale.Slip.Number.IUV(), "cents": 2940, "refunded_on": "2026-03-02", "reason": "Pagato due volte", "mandate": "7/2026"}
	for _, tt := range []struct {
		change map[string]any
		code   string
	}{
		{map[string]any{"cents": 5880}, "refund.beyond_excess"},
		{map[string]any{"cents": 9000, "beyond": true}, "refund.too_much"},
		{map[string]any{"refunded_on": "2026-03-03"}, "refund.bad_day"},
		{map[string]any{"cents": 0}, "request.invalid"},
		{map[string]any{"mandate": nil}, "request.invalid"},
	} {
		if p := r.call(t, "POST", torino+"/refunds", encode(t, with(refund, tt.change))).Problem(t); p.Code != tt.code {
			t.Errorf("%v: %s", tt.change, p.Code)
		}
	}
	var recorded api.Refund
	for range 2 {
		r.call(t, "POST", torino+"/refunds", encode(t, refund)).Decode(t, 200, &recorded)
	}
	if recorded.Verbale != string(r.verbale.Slip.ID) || recorded.Cents != 2940 {
		t.Errorf("%+v", recorded)
	}
	if p := r.call(t, "POST", torino+"/refunds", encode(t, with(refund, map[string]any{"cents": 1}))).Problem(t); p.Code != "refund.other_body" {
		t.Errorf("another refund under the same id: %s", p.Code)
	}
	var page api.RefundPage
	r.call(t, "GET", torino+"/refunds", "").Decode(t, 200, &page)
	r.call(t, "GET", r.verbalePath()+"/money", "").Decode(t, 200, &m)
	if len(page.Refunds) != 1 || m.ExcessCents != 0 || m.RefundedCents != 2940 || len(m.Refunds) != 1 || m.Discrepancies[0].Open {
		t.Errorf("%+v, %+v", page, m)
	}
	if p := r.call(t, "POST", item+"/closure", `{"outcome":"kept","note":"x"}`).Problem(t); p.Code != "work.closed" {
		t.Errorf("closed what is closed: %s", p.Code)
	}

	v := r.issue(t, r.codes[1])
	r.hearPaid(t, v, "C", 100)
	item = torino + "/discrepancies/" + multe.TroubleShort + ":" + string(v.Slip.Position)
	for _, body := range []string{`{"outcome":"by_itself","note":"x"}`, `{"outcome":"kept","note":""}`, `{"outcome":"kept"}`} {
		if p := r.call(t, "POST", item+"/closure", body).Problem(t); p.Code != "request.invalid" {
			t.Errorf("%s: %s", body, p.Code)
		}
	}
	r.call(t, "POST", item+"/closure", `{"outcome":"kept","note":"Si lascia così.\nVisto."}`).Decode(t, 200, &d)
	if d.Open || d.Outcome != "kept" || d.ClosedBy == "" || d.Note != "Si lascia così.\nVisto." {
		t.Errorf("closed: %+v", d)
	}
	if a := r.Do(t, webtest.Request{Method: "POST", Path: "/v1/discrepancies/message.unreadable:x/taking", Token: webtest.Admin}); a.Problem(t).Code != "work.unknown" {
		t.Errorf("the installation's: %d", a.Status)
	}
	if p := r.call(t, "GET", torino+"/verbali/"+r.ID(t)+"/money", "").Problem(t); p.Code != "verbale.unknown" {
		t.Errorf("money of nothing: %s", p.Code)
	}
}

// extract is a file of owners for the rig's plate.
const extract = "Targa;Dal;Cognome;Nome;Ragione sociale;Codice fiscale;Comune\nAB 123 CD;01/02/2020;Rossi;Maria;;RSSMRA80A01L219X;Torino\n"

// TestOwnersOverTheAPI shows a file, refuses it for one wrong row, imports it and
// proposes its owner.
func TestOwnersOverTheAPI(t *testing.T) {
	r := newRig(t)
	post := func(file string, more map[string]any) webtest.Answer {
		body := with(map[string]any{"file": base64.StdEncoding.EncodeToString([]byte(file))}, more)
		return r.call(t, "POST", torino+"/owners/import", encode(t, body))
	}
	var seen api.OwnerImport
	post(extract, nil).Decode(t, 200, &seen)
	if seen.Committed || seen.Rows != 1 || seen.Preview[0].Owner.Surname != "Rossi" || seen.Mapping["cf"] != "Codice fiscale" || seen.Encoding != "utf-8" {
		t.Errorf("preview %+v", seen)
	}
	wrong := extract + "CD456EF;31/02/2020;Verdi;Ugo;;VRDGUO80A01L219X;Torino\n"
	post(wrong, map[string]any{"commit": true}).Decode(t, 200, &seen)
	if seen.Committed || seen.Bad != 1 || seen.Wrong[0].Line != 3 || seen.Wrong[0].Column != 2 || seen.Wrong[0].Field != "from" {
		t.Errorf("with one wrong row %+v", seen)
	}
	var hints api.OwnerHintList
	r.call(t, "GET", r.verbalePath()+"/owner-hints", "").Decode(t, 200, &hints)
	if len(hints.Hints) != 0 {
		t.Errorf("half of a file was imported: %+v", hints)
	}
	for i, fresh := range []int{1, 0} {
		seen = api.OwnerImport{}
		post(extract, map[string]any{"commit": true}).Decode(t, 200, &seen)
		if !seen.Committed || seen.Fresh != fresh {
			t.Errorf("import %d: %+v", i, seen)
		}
	}
	r.call(t, "GET", r.verbalePath()+"/owner-hints", "").Decode(t, 200, &hints)
	if len(hints.Hints) != 1 || !hints.Hints[0].Fits || hints.Hints[0].Owner.Cf != "RSSMRA80A01L219X" {
		t.Errorf("proposed %+v", hints)
	}
	for name, tt := range map[string]struct {
		file string
		more map[string]any
		code string
	}{
		"no table":        {"\x00", nil, "owners.bad_nul"},
		"no such column":  {extract, map[string]any{"mapping": map[string]any{"plate": "Nessuna"}}, "owners.bad_mapping"},
		"no such field":   {extract, map[string]any{"mapping": map[string]any{"colour": "Targa"}}, "owners.bad_mapping"},
		"nothing to keep": {"Targa;Ditta\n", map[string]any{"commit": true}, "owners.bad_count"},
	} {
		if p := post(tt.file, tt.more).Problem(t); p.Code != tt.code || p.Detail == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := post(strings.Repeat("x", 4<<20), nil).Problem(t); p.Code != "request.too_large" {
		t.Errorf("a body of 5 MiB: %s", p.Code)
	}
	if p := post(strings.Repeat("x", 3<<20), nil).Problem(t); p.Code != "owners.bad_line" {
		t.Errorf("a line of 3 MiB: %s", p.Code)
	}
	if p := r.call(t, "POST", torino+"/refunds", strings.Repeat(" ", 65<<10)).Problem(t); p.Code != "request.too_large" {
		t.Errorf("a large body where no file belongs: %s", p.Code)
	}
	if strings.Contains(r.Logged.String(), "Rossi") || strings.Contains(r.Logged.String(), "RSSMRA") {
		t.Error("personal data in the log")
	}
}

// TestListOfActs makes a list to notify, fetches it, and cannot any more once
// somebody in it has paid.
func TestListOfActs(t *testing.T) {
	r := newRig(t)
	r.Pass(9 * 24 * time.Hour)
	r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())).Decode(t, 200, new(api.VerbaleAndCode))
	ask := map[string]any{"id": r.ID(t), "kind": "notify"}
	var x api.Export
	for range 2 {
		r.call(t, "POST", torino+"/exports", encode(t, ask)).Decode(t, 200, &x)
	}
	if x.Count != 1 || x.More || x.Kind != "notify" || !x.At.Equal(r.Now()) || len(x.Digest) != 64 {
		t.Fatalf("%+v", x)
	}
	path := torino + "/exports/" + x.Id
	csv := r.call(t, "GET", path+"/file.csv", "")
	if csv.Status != 200 || !strings.HasPrefix(string(csv.Body), "\ufeffelenco;aggiornato_al;") || !strings.Contains(string(csv.Body), ";Rossi;Maria;") {
		t.Errorf("%d %s", csv.Status, csv.Body)
	}
	var file api.ExportFile
	r.call(t, "GET", path+"/file.json", "").Decode(t, 200, &file)
	if len(file.Rows) != 1 || file.Rows[0].Debtor.Surname != "Rossi" || file.Rows[0].DueCents != 4200 {
		t.Errorf("%+v", file)
	}
	r.Pass(2 * 24 * time.Hour)
	r.hearPaid(t, r.verbale, "A", 4200)
	if p := r.call(t, "GET", path+"/file.csv", "").Problem(t); p.Code != "export.stale" || p.Status != 409 {
		t.Errorf("%+v", p)
	}
	var lines api.ExportAndLines
	r.call(t, "GET", path+"?limit=1", "").Decode(t, 200, &lines)
	if len(lines.Lines) != 1 || lines.Lines[0].Out != "state" || lines.Lines[0].State != "settled" || lines.Lines[0].Reference != "V/2026/17" || lines.Next != 1 {
		t.Errorf("%+v", lines)
	}
	var m api.VerbaleMoney
	r.call(t, "GET", r.verbalePath()+"/money", "").Decode(t, 200, &m)
	if len(m.Exports) != 1 || len(m.Discrepancies) != 1 || m.Discrepancies[0].Kind != multe.TroubleRecall {
		t.Errorf("%+v", m)
	}
	r.call(t, "DELETE", path, "").Decode(t, 200, &x)
	if !x.Withdrawn {
		t.Errorf("%+v", x)
	}
	var page api.ExportPage
	r.call(t, "GET", torino+"/exports", "").Decode(t, 200, &page)
	if len(page.Exports) != 1 || !page.Exports[0].Withdrawn {
		t.Errorf("%+v", page)
	}
	for _, body := range []map[string]any{{"id": "x", "kind": "notify"}, {"id": r.ID(t), "kind": "party"}, {"kind": "notify"}} {
		if p := r.call(t, "POST", torino+"/exports", encode(t, body)).Problem(t); p.Code != "request.invalid" {
			t.Errorf("%v: %s", body, p.Code)
		}
	}
}
