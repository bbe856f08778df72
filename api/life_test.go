package api_test

import (
	"fmt"
	"testing"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// verbaleState is what these tests look at of a verbale.
type verbaleState struct {
	Verbale struct {
		State        string
		DueCents     int64             `json:"due_cents"`
		StepsNow     []map[string]any  `json:"steps_now"`
		Cancellation map[string]string `json:"cancellation"`
		Appeals      []map[string]any  `json:"appeals"`
		Record       map[string]any    `json:"record"`
	}
}

// TestLife walks one verbale through all that the office can do, every call twice:
// the same body gets the same answer, and says the same.
func TestLife(t *testing.T) {
	r := newRig(t)
	today := multe.DayOf(r.Now())
	path := r.verbalePath()
	fine := `"fine":{"reduced_cents":4200,"discounted_cents":2940,"late_cents":8650}`
	do := func(method, where, body string, due int64, steps int) verbaleState {
		t.Helper()
		var v verbaleState
		for range 2 {
			v = verbaleState{}
			r.call(t, method, path+where, body).Decode(t, 200, &v)
			if v.Verbale.DueCents != due || len(v.Verbale.StepsNow) != steps {
				t.Fatalf("%s %s: %d cents in %d steps, want %d in %d", method, where, v.Verbale.DueCents, len(v.Verbale.StepsNow), due, steps)
			}
		}
		return v
	}
	refused(t, r.call(t, "POST", path+"/spot-payment", ""), 409, "verbale.no_spot_payment")
	refused(t, r.call(t, "PUT", path+"/notification", fmt.Sprintf(`{"how":"consegna","day":"%s"}`, today)), 409, "verbale.not_recorded")
	refused(t, r.call(t, "POST", path+"/appeal", fmt.Sprintf(`{"authority":"prefetto","number":"1","day":"%s"}`, today)), 409, "appeal.preavviso")
	refused(t, r.call(t, "PUT", path+"/record", `{"register":"V/1","anonymous":true}`), 422, "verbale.bad_amount")
	refused(t, r.call(t, "PUT", path+"/record", `{"register":"V/1","anonymous":true,"violation":"7158"}`), 409, "verbale.no_catalogue")

	// Recorded in time: the paper holds through its last day.
	do("PUT", "/record", `{"register":"V/1","anonymous":true,"costs_cents":1420,"day":"2026-03-02",`+fine+`}`, 2940, 2)
	do("PUT", "/notification", fmt.Sprintf(`{"how":"consegna","day":"%s"}`, today), 2940+1420, 3)
	refused(t, r.call(t, "PUT", path+"/notification", fmt.Sprintf(`{"how":"pec","day":"%s"}`, today)), 409, "verbale.already_notified")
	refused(t, r.call(t, "PUT", path+"/notification", fmt.Sprintf(`{"how":"pec","day":"%s"}`, today.Plus(1))), 409, "verbale.already_notified")
	do("POST", "/corrections", fmt.Sprintf(`{"reason":"Spese errate","record":{"register":"V/2","anonymous":true,"costs_cents":1000,%s},"notification":{"how":"giacenza","day":"%s"}}`, fine, today), 2940+1000, 3)
	refused(t, r.call(t, "POST", path+"/cancellation", `{"kind":"archiviazione","cause":"duplicato"}`), 409, "verbale.notified")

	var h struct {
		Versions []map[string]any
	}
	r.call(t, "GET", path+"/history", "").Decode(t, 200, &h)
	if len(h.Versions) != 3 || h.Versions[0]["register"] != "V/1" || h.Versions[2]["why"] != "Spese errate" || h.Versions[2]["notification"].(map[string]any)["notified"] != today.Plus(10).String() {
		t.Errorf("history = %v", h.Versions)
	}

	v := do("POST", "/appeal", fmt.Sprintf(`{"authority":"prefetto","number":"12/2026","day":"%s"}`, today), 3940, 3)
	if len(v.Verbale.Appeals) != 1 {
		t.Errorf("appeals = %v", v.Verbale.Appeals)
	}
	refused(t, r.call(t, "POST", path+"/appeal", fmt.Sprintf(`{"authority":"giudice","number":"3","day":"%s"}`, today)), 409, "appeal.pending")
	refused(t, r.call(t, "POST", path+"/appeal/outcome", fmt.Sprintf(`{"verdetto":"rinuncia","day":"%s","cents":5}`, today)), 422, "appeal.bad_ruling")
	do("POST", "/appeal/outcome", fmt.Sprintf(`{"verdetto":"respinto","day":"%s","number":"77","cents":8400}`, today), 8400, 1)
	refused(t, r.call(t, "POST", path+"/appeal/outcome", fmt.Sprintf(`{"verdetto":"accolto","day":"%s"}`, today)), 409, "appeal.decided")
}

// TestSecondYes has two people annul a verbale.
func TestSecondYes(t *testing.T) {
	r := newRig(t)
	if err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		if err != nil {
			return err
		}
		c.ApproveCancellations, c.Version = true, c.Version+1
		return tx.PutCreditor(c)
	}); err != nil {
		t.Fatal(err)
	}
	path, other := r.verbalePath()+"/cancellation", r.Operator(t, webtest.Torino)
	approve := func(who string) webtest.Answer {
		return r.Do(t, webtest.Request{Method: "POST", Path: path + "/approval", Token: who})
	}
	refused(t, approve(other), 409, "verbale.no_request")
	var v verbaleState
	for range 2 {
		r.call(t, "POST", path, `{"cause":"targa-errata","reason":"una lettera"}`).Decode(t, 200, &v)
		if v.Verbale.State != "issued" || v.Verbale.Cancellation["reason"] != "Targa trascritta in modo errato: una lettera" {
			t.Fatalf("asked for = %+v", v)
		}
	}
	refused(t, r.call(t, "POST", path, `{"cause":"duplicato"}`), 409, "verbale.other_request")
	refused(t, approve(r.operator), 403, "verbale.same_person")
	for range 2 {
		approve(other).Decode(t, 200, &v)
		if v.Verbale.State != "cancelled" || v.Verbale.Cancellation["approved"] == v.Verbale.Cancellation["by"] {
			t.Fatalf("approved = %+v", v)
		}
	}
	// Undone, asked for again, and withdrawn.
	v = verbaleState{}
	r.call(t, "DELETE", path, "").Decode(t, 200, &v)
	if v.Verbale.State != "issued" || v.Verbale.Cancellation != nil {
		t.Errorf("undone = %+v", v)
	}
	r.call(t, "POST", path, `{"cause":"duplicato"}`).Decode(t, 200, &v)
	v = verbaleState{}
	r.call(t, "DELETE", path, "").Decode(t, 200, &v)
	if v.Verbale.State != "issued" || v.Verbale.Cancellation != nil {
		t.Errorf("withdrawn = %+v", v)
	}
	refused(t, approve(other), 409, "verbale.no_request")
}
