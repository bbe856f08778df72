package firmwareapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/multe"
	"preavviso/internal/web"
	"preavviso/internal/web/webtest"
)

// vector is a file of testdata/vectors: requests in order, and their answers.
// README.md says what the placeholders mean.
type vector struct {
	About     string
	Exchanges []struct {
		About   string
		Event   string // instead of a request: what happens elsewhere
		Request struct {
			Method, Path, Token string
			Body                json.RawMessage
			Bytes               []byte // in place of a JSON body
		}
		Response struct {
			Status  int
			Headers map[string]string
			Body    json.RawMessage
		}
	}
}

// TestVectors replays every vector, in the order of their names, against the
// real service. Any firmware author can do the same.
func TestVectors(t *testing.T) {
	w := webtest.New(t)
	api := &switched{Handler: handler(w)}
	client := webtest.NewClient(t, api, "openapi.yaml")
	w.AddCodes(t, webtest.Torino, 2)
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", true)
	if err != nil {
		t.Fatal(err)
	}
	today := multe.DayOf(w.Now())
	vars := map[string]string{
		"code": code, "now": w.Now().Format(time.RFC3339), "day5": today.Plus(5).String(), "day60": today.Plus(60).String(),
		"lease": w.ID(t), "verbale": w.ID(t), "other": w.ID(t), "return": w.ID(t),
		"photo": w.ID(t), "photo2": w.ID(t), "photo3": w.ID(t),
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
		quiet := api.Handler
		for _, e := range v.Exchanges {
			if e.Event != "" {
				happen(t, w, api, e.Event, vars)
				continue
			}
			request := webtest.Request{
				Method: e.Request.Method, Path: fill(e.Request.Path, vars), Token: fill(e.Request.Token, vars), Body: fill(string(e.Request.Body), vars)}
			if e.Request.Bytes != nil {
				request.Body, request.Type = string(e.Request.Bytes), "application/octet-stream"
			}
			a := client.Do(t, request)
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
			for name, want := range e.Response.Headers {
				if got := a.Header.Get(name); got == "" || !match(want, got, vars) {
					t.Errorf("%s: %s: %s: %q, want %q", file, e.About, name, got, want)
				}
			}
		}
		api.Handler = quiet
	}
}

// switched is a service that can be replaced.
type switched struct{ http.Handler }

// happen makes an event of a vector happen.
func happen(t *testing.T, w *webtest.World, api *switched, event string, vars map[string]string) {
	t.Helper()
	var err error
	switch event {
	case "silent":
		w.Pass(multe.DefaultLease + multe.SeenEvery)
		_, err = w.Registry.Expire(t.Context())
	case "annul":
		_, err = w.Pool.Void(t.Context(), "operator:1", webtest.Torino, multe.PositionID(vars["position2"]), "Palmare senza contatti")
	case "revoke":
		_, _, err = w.Registry.RevokeDevice(t.Context(), "operator:1", webtest.Torino, multe.DeviceID(vars["device"]))
	case "burst":
		for range 300 {
			send(t, api, vars, nil)
		}
	case "busy":
		// A service for two, and two who are long in sending.
		w.Pass(time.Minute)
		cfg := config(w)
		cfg.Limits = web.Limits{Slots: 1, Queue: 1}
		api.Handler = firmwareapi.New(cfg)
		for range 2 {
			sending := &pause{reached: make(chan bool), end: make(chan bool)}
			over := make(chan bool)
			busy := api.Handler
			go func() { send(t, busy, vars, sending); close(over) }()
			<-sending.reached
			t.Cleanup(func() { close(sending.end); <-over })
		}
	default:
		t.Fatalf("nobody knows the event %q", event)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// send makes a request whose answer nobody looks at.
func send(t *testing.T, api http.Handler, vars map[string]string, body io.Reader) {
	method, path := "GET", "/v1/state"
	if body != nil {
		method, path = "POST", "/v1/leases"
	}
	req := httptest.NewRequestWithContext(t.Context(), method, path, body)
	req.Header.Set("Authorization", "Bearer "+vars["token"])
	req.Header.Set("Content-Type", "application/json")
	api.ServeHTTP(httptest.NewRecorder(), req)
}

// pause is a body that does not come.
type pause struct {
	once         sync.Once
	reached, end chan bool
}

func (p *pause) Read([]byte) (int, error) {
	p.once.Do(func() { close(p.reached) })
	<-p.end
	return 0, io.ErrUnexpectedEOF
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
