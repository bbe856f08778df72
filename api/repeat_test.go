package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"preavviso/internal/fault"
	"preavviso/internal/idempotency"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// keyed are the operations that do something anew each time; every other write of
// the document is idempotent by nature, which TestEveryWriteTwice shows.
var keyed = []string{"AddDevice", "AddOperator", "InviteDevice", "InviteOperator", "ResetOperator", "ResumeWebhook", "RotateToken", "RotateWebhook"}

// TestDocumentRepeats holds what the document says of repeating against the table.
func TestDocumentRepeats(t *testing.T) {
	r := newRig(t)
	var got []string
	for path, item := range r.Document().Paths.Map() {
		for method, op := range item.Operations() {
			repeat, _ := op.Extensions["x-idempotency"].(string)
			name := method + " " + path
			if len(op.Tags) != 1 || op.Summary == "" || op.OperationID == "" {
				t.Errorf("%s: tags %v, summary %q", name, op.Tags, op.Summary)
			}
			key := op.Parameters.GetByInAndName("header", "Idempotency-Key")
			switch {
			case method == "GET" || op.OperationID == "PayOnTheSpot" || op.OperationID == "SearchVerbali":
				if repeat != "" {
					t.Errorf("%s writes nothing and is %s", name, repeat)
				}
			case repeat == "key":
				got = append(got, op.OperationID)
				if key == nil || !key.Required {
					t.Errorf("%s does not ask for a key", name)
				}
			case repeat != "natural":
				t.Errorf("%s does not say how it may be repeated", name)
			}
			if next := item.Get; method == "GET" && next != nil && op.Parameters.GetByInAndName("query", "after") != nil &&
				op.Parameters.GetByInAndName("query", "limit") == nil {
				t.Errorf("%s has a cursor and no limit", name)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, keyed) {
		t.Errorf("ask for a key: %v, want %v", got, keyed)
	}
}

// TestIdempotencyKey repeats requests in every way.
func TestIdempotencyKey(t *testing.T) {
	r := newRig(t)
	do := func(method, path, key, body string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: method, Path: path, Token: r.operator, Body: body, Header: map[string]string{"Idempotency-Key": key}})
	}
	refused := func(a webtest.Answer, status int, code string) {
		t.Helper()
		if p := a.Problem(t); a.Status != status || p.Code != code {
			t.Errorf("= %d %s, want %d %s", a.Status, p.Code, status, code)
		}
	}
	devices := torino + "/devices"

	// The answer holds a secret: it is not kept, and the device is not made twice.
	if a := do("POST", devices, `"aaaaaaaa"`, `{"name":"Palmare 7"}`); a.Status != 201 {
		t.Fatalf("= %d %s", a.Status, a.Body)
	}
	before := r.Dump(t)
	refused(do("POST", devices, `"aaaaaaaa"`, `{"name":"Palmare 7"}`), 409, "idempotency.done")
	refused(do("POST", devices, "aaaaaaaa", `{"name":"Palmare 8"}`), 422, "idempotency.other_request")
	if r.Dump(t) != before {
		t.Error("a repeated request wrote something")
	}
	for _, bad := range []string{`"aaaaaaa`, "short", "with a space", `"` + strings.Repeat("x", 151) + `"`, `"a","b"`} {
		refused(do("POST", devices, bad, `{"name":"Palmare 9"}`), 400, "idempotency.bad_key")
	}
	missing := r.Do(t, webtest.Request{Method: "POST", Path: devices, Token: r.operator, Body: `{"name":"Palmare 9"}`, Header: map[string]string{"Idempotency-Key": ""}})
	refused(missing, 400, "idempotency.missing")
	// Another operator may use the same key.
	other := r.Do(t, webtest.Request{Method: "POST", Path: devices, Token: r.World.Operator(t, webtest.Torino), Body: `{"name":"Palmare 7"}`,
		Header: map[string]string{"Idempotency-Key": `"aaaaaaaa"`}})
	if other.Status != 201 {
		t.Errorf("another operator: %d %s", other.Status, other.Body)
	}

	// An answer without secrets comes again as it was, although things have moved on.
	record := encode(t, record())
	first := do("PUT", r.verbalePath()+"/record", "bbbbbbbb", record)
	if a := r.call(t, "PUT", r.verbalePath()+"/notification", `{"how":"pec","day":"2026-03-02"}`); a.Status != 200 {
		t.Fatalf("= %d %s", a.Status, a.Body)
	}
	again := do("PUT", r.verbalePath()+"/record", "bbbbbbbb", record)
	if first.Status != 200 || again.Body != first.Body || again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("= %d %s %s, want %s", again.Status, again.Header, again.Body, first.Body)
	}
	// What was refused may be tried again under its key.
	refused(do("PUT", r.verbalePath()+"/record", "cccccccc", encode(t, with(recordMap(t, record), map[string]any{"register": "other"}))), 409, "verbale.already_recorded")
	if a := do("PUT", r.verbalePath()+"/record", "cccccccc", record); a.Status != 200 {
		t.Errorf("= %d %s", a.Status, a.Body)
	}
	// A day later the key is free, and nothing of the answers is left.
	r.Pass(multe.IdempotencyFor)
	if a := do("POST", devices, "aaaaaaaa", `{"name":"Palmare 8"}`); a.Status != 201 {
		t.Errorf("a day later: %d %s", a.Status, a.Body)
	}
	if _, err := r.Repeats.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := keys(t, r.World)
	if len(left) != 1 || left[0].Reply != nil {
		t.Errorf("%d keys are left", len(left))
	}
}

func recordMap(t testing.TB, body string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func keys(t testing.TB, w *webtest.World) (list []multe.Idempotency) {
	t.Helper()
	err := w.Store.View(t.Context(), func(r store.Reader) (err error) {
		list, err = r.Idempotencies(multe.Idempotency{}, store.MaxPage)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestNoSecretIsKept searches what is kept for the secrets that were answered.
func TestNoSecretIsKept(t *testing.T) {
	r := newRig(t)
	var added struct{ Code string }
	r.call(t, "POST", torino+"/devices", `{"name":"Palmare 7"}`).Decode(t, 201, &added)
	var hook struct{ Secret string }
	r.Do(t, webtest.Request{Method: "PUT", Path: torino + "/webhooks/" + r.ID(t), Token: r.operator, Body: `{"url":"https://comune.example/eventi"}`,
		Header: map[string]string{"Idempotency-Key": "dddddddd"}}).Decode(t, 200, &hook)
	if added.Code == "" || hook.Secret == "" {
		t.Fatal("no secrets")
	}
	for _, k := range keys(t, r.World) {
		if strings.Contains(string(k.Reply), added.Code) || strings.Contains(string(k.Reply), hook.Secret) {
			t.Errorf("%s keeps a secret", k.Operation)
		}
	}
}

// crash is a Keeper whose process ends after the work and before the answer is put
// down.
type crash struct{ *idempotency.Keeper }

var errCrash = errors.New("the process ended")

func (crash) End(context.Context, multe.Idempotency) error    { return errCrash }
func (crash) Forget(context.Context, multe.Idempotency) error { return errCrash }

// TestCrashBeforeTheAnswerIsKept ends the process between the commit of the use
// case and that of its answer. After the restart an operation that is idempotent by
// nature is done again and changes nothing; another is refused. Nothing is done
// twice.
func TestCrashBeforeTheAnswerIsKept(t *testing.T) {
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"natural", "PUT", "/verbali/{verbale}/record", encode(t, record()), 200, ""},
		{"key", "POST", "/devices", `{"name":"Palmare 7"}`, 409, "idempotency.unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			keeper, err := idempotency.New(r.Store, r.Now, r.Random)
			if err != nil {
				t.Fatal(err)
			}
			before := config(r.World)
			before.Repeats = crash{keeper}
			r.Client = webtest.NewClient(t, newAPI(before), "openapi.yaml")
			request := webtest.Request{Method: tt.method, Path: torino + strings.ReplaceAll(tt.path, "{verbale}", string(r.verbale.Slip.ID)), Token: r.operator, Body: tt.body,
				Header: map[string]string{"Idempotency-Key": `"eeeeeeee"`}}
			if a := r.Do(t, request); a.Status >= 300 {
				t.Fatalf("= %d %s", a.Status, a.Body)
			}
			if a := r.Do(t, request); a.Problem(t).Code != "idempotency.in_progress" || a.Status != 409 {
				t.Errorf("while it is in progress: %d %s", a.Status, a.Body)
			}
			done := r.Dump(t)

			r.Pass(1e9)
			after := config(r.World)
			if after.Repeats, err = idempotency.New(r.Store, r.Now, r.Random); err != nil {
				t.Fatal(err)
			}
			r.Client = webtest.NewClient(t, newAPI(after), "openapi.yaml")
			a := r.Do(t, request)
			if a.Status != tt.status || tt.code != "" && a.Problem(t).Code != tt.code {
				t.Errorf("= %d %s, want %d %s", a.Status, a.Body, tt.status, tt.code)
			}
			if r.Dump(t) != done {
				t.Error("it was done twice")
			}
		})
	}
}

// TestPanicIsUnknown makes the work panic: nobody knows what became of it.
func TestPanicIsUnknown(t *testing.T) {
	r := newRig(t)
	cfg := config(r.World)
	cfg.Enrolment = func(string) (string, string, error) { panic("after the commit") }
	r.Client = webtest.NewClient(t, newAPI(cfg), "openapi.yaml")
	request := webtest.Request{Method: "POST", Path: torino + "/devices", Token: r.operator, Body: `{"name":"Palmare 7"}`, Header: map[string]string{"Idempotency-Key": `"ffffffff"`}}
	if a := r.Do(t, request); a.Status != 500 || a.Problem(t).Code != fault.Of(nil).Code {
		t.Errorf("= %d %s", a.Status, a.Body)
	}
	if a := r.Do(t, request); a.Status != 409 || a.Problem(t).Code != "idempotency.unknown" {
		t.Errorf("= %d %s", a.Status, a.Body)
	}
}

// TestIfMatch refuses a change of what was changed meanwhile, and lets a repeated
// one through.
func TestIfMatch(t *testing.T) {
	r := newRig(t)
	put := func(method, path, etag, body string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: method, Path: path, Token: r.operator, Body: body, Header: map[string]string{"If-Match": etag}})
	}
	seen := r.call(t, "GET", r.verbalePath(), "").Header.Get("ETag")
	if a := put("PUT", r.verbalePath()+"/record", seen, encode(t, record())); a.Status != 200 {
		t.Fatalf("= %d %s", a.Status, a.Body)
	}
	if a := put("PUT", r.verbalePath()+"/record", seen, encode(t, record())); a.Status != 200 {
		t.Errorf("repeated: %d %s", a.Status, a.Body)
	}
	before := r.Dump(t)
	stale := put("PUT", r.verbalePath()+"/notification", seen, `{"how":"pec","day":"2026-03-02"}`)
	if stale.Status != 412 || stale.Problem(t).Code != "record.changed" || r.Dump(t) != before {
		t.Errorf("stale: %d %s", stale.Status, stale.Body)
	}
	if a := put("PUT", r.verbalePath()+"/notification", r.call(t, "GET", r.verbalePath(), "").Header.Get("ETag"), `{"how":"pec","day":"2026-03-02"}`); a.Status != 200 {
		t.Errorf("read again: %d %s", a.Status, a.Body)
	}
	if a := put("DELETE", torino+"/devices/"+string(r.device.ID), `"99"`, ""); a.Status != 412 {
		t.Errorf("a device: %d %s", a.Status, a.Body)
	}
	if a := put("DELETE", torino+"/devices/"+string(r.device.ID), `x`, ""); a.Status != 422 {
		t.Errorf("no ETag: %d %s", a.Status, a.Body)
	}
}
