package firmwareapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// vector is a file of testdata/vectors: requests in order, and their answers.
// README.md says what the placeholders mean.
type vector struct {
	About     string
	Exchanges []struct {
		About   string
		Request struct {
			Method, Path, Token string
			Body                json.RawMessage
		}
		Response struct {
			Status int
			Body   json.RawMessage
		}
	}
}

// TestVectors replays every vector, in the order of their names, against the
// real service. Any firmware author can do the same.
func TestVectors(t *testing.T) {
	w := webtest.New(t)
	client := webtest.NewClient(t, handler(w), "openapi.yaml")
	w.AddCodes(t, webtest.Torino, 2)
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", true)
	if err != nil {
		t.Fatal(err)
	}
	today := multe.DayOf(w.Now())
	vars := map[string]string{
		"code": code, "now": w.Now().Format(time.RFC3339), "day5": today.Plus(5).String(), "day60": today.Plus(60).String(),
		"lease": w.ID(t), "verbale": w.ID(t), "other": w.ID(t),
	}
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	slices.Sort(files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, e := range v.Exchanges {
			a := client.Do(t, webtest.Request{
				Method: e.Request.Method, Path: fill(e.Request.Path, vars), Token: fill(e.Request.Token, vars), Body: fill(string(e.Request.Body), vars)})
			var want, got any
			if err := json.Unmarshal(e.Response.Body, &want); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if a.Status != e.Response.Status || !match(want, got, vars) {
				t.Fatalf("%s: %s: %d %s, want %d %s", file, e.About, a.Status, a.Body, e.Response.Status, fill(string(e.Response.Body), vars))
			}
		}
	}
}

func fill(s string, vars map[string]string) string {
	for name, value := range vars {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}
	return s
}

// match compares an answer with what a vector says. A string that is only a
// placeholder takes the value it meets first, and must meet it ever after; {*}
// is any string.
func match(want, got any, vars map[string]string) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for k := range want {
			if v, present := g[k]; !present || !match(want[k], v, vars) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !match(want[i], g[i], vars) {
				return false
			}
		}
		return true
	case string:
		g, ok := got.(string)
		if !ok || want == "{*}" {
			return ok
		}
		if name, isVar := strings.CutPrefix(want, "{"); isVar {
			name = strings.TrimSuffix(name, "}")
			if _, known := vars[name]; !known {
				vars[name] = g
			}
			return vars[name] == g
		}
		return want == g
	}
	return want == got
}
