package api_test

import (
	"fmt"
	"strings"
	"testing"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// orphan makes a code that exists upstream without a number of ours.
func (r *rig) orphan(t *testing.T, creditor multe.CreditorID) multe.Code {
	t.Helper()
	k, err := multe.RequestCode(creditor, multe.PositionID(r.ID(t)), r.Now()).Orphan("161", r.Now())
	if err != nil {
		t.Fatal(err)
	}
	k.Version = 1
	if err := r.Store.Update(t.Context(), func(tx store.Tx) error { return tx.PutCode(k) }); err != nil {
		t.Fatal(err)
	}
	return k
}

func refused(t *testing.T, a webtest.Answer, status int, code string) {
	t.Helper()
	if p := a.Problem(t); p.Status != status || p.Code != code {
		t.Errorf("= %d %s, want %d %s", p.Status, p.Code, status, code)
	}
}

func TestCancellation(t *testing.T) {
	r := newRig(t)
	path := r.verbalePath() + "/cancellation"
	var body struct {
		Verbale struct{ State, Reason string }
	}
	for range 2 {
		r.call(t, "POST", path, `{"reason":"Targa errata"}`).Decode(t, 200, &body)
		if body.Verbale.State != "cancelled" || body.Verbale.Reason != "Targa errata" {
			t.Errorf("cancelled = %+v", body)
		}
	}
	body.Verbale.Reason = ""
	r.call(t, "DELETE", path, "").Decode(t, 200, &body)
	if body.Verbale.State != "issued" || body.Verbale.Reason != "" {
		t.Errorf("undone = %+v", body)
	}
	refused(t, r.call(t, "DELETE", path, ""), 409, "verbale.wrong_state")
	refused(t, r.call(t, "POST", path, `{"reason":" x"}`), 422, "verbale.bad_reason")
	refused(t, r.call(t, "POST", path, `{}`), 422, "verbale.bad_reason")
	refused(t, r.call(t, "POST", torino+"/verbali/"+r.ID(t)+"/cancellation", `{"reason":"x"}`), 404, "verbale.unknown")
}

func TestVoidCode(t *testing.T) {
	r := newRig(t)
	free, err := r.Pool.Lease(t.Context(), webtest.Torino, r.device.ID, multe.LeaseID(r.ID(t)), 1)
	if err != nil {
		t.Fatal(err)
	}
	orphan := r.orphan(t, webtest.Torino)
	path := torino + "/codes/" + string(orphan.Position) + "/void"
	var body struct{ State, Reason string }
	r.call(t, "POST", path, `{"reason":"Non recuperabile"}`).Decode(t, 200, &body)
	if body.State != "void" || body.Reason != "Non recuperabile" {
		t.Errorf("void = %+v", body)
	}
	r.call(t, "DELETE", path, "").Decode(t, 200, &body)
	if body.State != "orphaned" {
		t.Errorf("undone = %+v", body)
	}
	refused(t, r.call(t, "DELETE", path, ""), 409, "code.undo_too_late")
	refused(t, r.call(t, "POST", torino+"/codes/"+free[0].Number.String()+"/void", `{"reason":"x"}`), 409, "code.wrong_state")
	refused(t, r.call(t, "POST", torino+"/codes/"+r.verbale.Slip.Number.String()+"/void", `{"reason":"x"}`), 409, "code.on_verbale")
}

func TestOrphans(t *testing.T) {
	r := newRig(t)
	a, b := r.orphan(t, webtest.Torino), r.orphan(t, webtest.Torino)
	foreign := r.orphan(t, webtest.Alba)
	var page struct {
		Codes []struct{ Position, State, Avviso string }
		Next  string
	}
	r.call(t, "GET", torino+"/orphans?limit=1", "").Decode(t, 200, &page)
	if len(page.Codes) != 1 || page.Codes[0].Position != string(a.Position) || page.Codes[0].State != "orphaned" || page.Next != string(a.Position) {
		t.Errorf("first page = %+v", page)
	}
	row := func(line int, p multe.PositionID, avviso string) string {
		return fmt.Sprintf(`{"line":%d,"position":"%s","avviso":"%s","upstream":"x-%d"}`, line, p, avviso, line)
	}
	const free1, free2 = "301000009999999925", "301000009999999824"
	rows := func(commit bool, rows ...string) string {
		return fmt.Sprintf(`{"commit":%t,"rows":[%s]}`, commit, strings.Join(rows, ","))
	}
	var result struct {
		Committed bool
		Rows      []struct {
			Line            int
			Outcome, Detail string
		}
	}
	imported := func(body string) string {
		t.Helper()
		result.Rows = nil
		r.call(t, "POST", torino+"/orphans/import", body).Decode(t, 200, &result)
		out := fmt.Sprint(result.Committed)
		for _, w := range result.Rows {
			out += fmt.Sprintf(" %d:%s", w.Line, w.Outcome)
			if (w.Detail != "") != (w.Outcome == "wrong") {
				t.Errorf("detail %q of %s", w.Detail, w.Outcome)
			}
		}
		return out
	}
	for _, tt := range []struct{ body, want string }{
		{rows(false, row(2, a.Position, free1), row(3, foreign.Position, free2)), "false 2:recovered 3:foreign"},
		{rows(true, row(2, a.Position, free1), row(3, b.Position, free1)), "false 2:recovered 3:wrong"},
		{rows(true, row(2, a.Position, free1), row(4, b.Position, r.verbale.Slip.Number.String())), "false 2:recovered 4:wrong"},
		{rows(true, row(2, a.Position, free1), row(3, b.Position, free2)), "true 2:recovered 3:recovered"},
		{rows(true, row(2, a.Position, free1)), "true 2:known"},
	} {
		if got := imported(tt.body); got != tt.want {
			t.Errorf("import = %s, want %s", got, tt.want)
		}
	}
	refused(t, r.call(t, "POST", torino+"/orphans/import", rows(true, row(1, a.Position, "301000009999999926"))), 422, "avviso.malformed")
	refused(t, r.call(t, "POST", torino+"/orphans/import", `{"rows":[]}`), 422, "request.invalid")
	r.call(t, "GET", torino+"/orphans", "").Decode(t, 200, &page)
	if len(page.Codes) != 0 {
		t.Errorf("still orphans: %+v", page)
	}
}

func TestPortalList(t *testing.T) {
	r := newRig(t)
	refused(t, r.call(t, "POST", torino+"/lista-di-carico", ""), 409, "creditor.not_portal")
	if err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		c.Portal, c.Version = true, c.Version+1
		if err != nil {
			return err
		}
		return tx.PutCreditor(c)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Pool.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list struct {
		ID, File, Instructions string
		Size                   int
	}
	r.call(t, "POST", torino+"/lista-di-carico", "").Decode(t, 200, &list)
	if lines := strings.Count(list.File, "\r\n"); list.Size < 1 || lines != list.Size+1 || !strings.Contains(list.Instructions, fmt.Sprint(list.Size)) {
		t.Errorf("list of %d codes in %d lines: %s", list.Size, lines, list.Instructions)
	}
	first := list
	r.call(t, "POST", torino+"/lista-di-carico", "").Decode(t, 200, &list)
	if list != first {
		t.Error("another list the second time")
	}
}
