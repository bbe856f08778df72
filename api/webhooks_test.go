package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"preavviso/internal/web/webtest"
)

// TestWebhooks is the life of a webhook through the API: its secret is shown once.
func TestWebhooks(t *testing.T) {
	r := newRig(t)
	path := torino + "/webhooks/" + r.ID(t)
	do := func(status int, method, path, body string) map[string]json.RawMessage {
		t.Helper()
		var got map[string]json.RawMessage
		r.call(t, method, path, body).Decode(t, status, &got)
		return got
	}
	const body = `{"url":"https://comune.example/eventi","families":["verbale","payment"]}`
	first := do(http.StatusOK, "PUT", path, body)
	if len(first["secret"]) < 40 {
		t.Errorf("new webhook: %s", first["secret"])
	}
	if again := do(http.StatusOK, "PUT", path, body); again["secret"] != nil || string(again["webhook"]) != string(first["webhook"]) {
		t.Errorf("again: %v, want %s and no secret", again, first["webhook"])
	}
	if got := do(http.StatusOK, "POST", path+"/secret", ""); len(got["secret"]) < 40 || string(got["secret"]) == string(first["secret"]) {
		t.Errorf("rotated: %s", got["secret"])
	}
	if got := do(http.StatusOK, "POST", path+"/pause", ""); string(got["state"]) != `"paused"` {
		t.Errorf("paused: %s", got["state"])
	}
	if got := do(http.StatusOK, "POST", path+"/resume", `{"after":0}`); string(got["state"]) != `"active"` || string(got["next_seq"]) != "1" {
		t.Errorf("resumed: %s from %s", got["state"], got["next_seq"])
	}
	if got := do(http.StatusOK, "POST", path+"/resume", `{}`); string(got["next_seq"]) != "1" {
		t.Errorf("resumed where it was: from %s", got["next_seq"])
	}
	if got := do(http.StatusOK, "GET", torino+"/webhooks", ""); len(got["webhooks"]) < 100 {
		t.Errorf("list: %s", got["webhooks"])
	}
	for _, tt := range []struct{ method, path, body, code string }{
		{"PUT", path, `{"url":"https://u:p@a.example/"}`, "webhook.bad_url"},
		{"POST", path + "/resume", `{"after":1000000}`, "webhook.bad_seq"},
		{"POST", torino + "/webhooks/" + r.ID(t) + "/pause", "", "webhook.unknown"},
	} {
		if p := r.call(t, tt.method, tt.path, tt.body).Problem(t); p.Code != tt.code {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.body, p.Code, tt.code)
		}
	}
	if a := r.Do(t, webtest.Request{Method: "PUT", Path: path, Token: r.operator, Body: `{"url":"https://a.example/","families":["session"]}`}); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a family that is nobody's business: %d", a.Status)
	}
}

// TestEvents reads the history page by page, and none of the personal data in it.
func TestEvents(t *testing.T) {
	r := newRig(t)
	var types []string
	next := "0"
	for {
		var page struct {
			Events []struct {
				Seq  int
				Type string
			}
			Next json.Number
		}
		r.call(t, "GET", torino+"/events?families=verbale,code&limit=3&after="+next, "").Decode(t, http.StatusOK, &page)
		for _, e := range page.Events {
			types = append(types, e.Type)
		}
		if page.Next.String() == next {
			break
		}
		next = page.Next.String()
	}
	count := map[string]int{}
	for _, typ := range types {
		count[typ]++
	}
	if count["code.assigned"] != 4 || count["code.issued"] != 1 || count["verbale.issued"] != 1 || len(count) != 3 {
		t.Errorf("events = %v", count)
	}
}
