package firmwareapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/avviso"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/store"
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
			Headers             map[string]string
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
	}
	for file, v := range vectors(t) {
		quiet := api.Handler
		for _, e := range v.Exchanges {
			if e.Event != "" {
				happen(t, w, api, e.Event, vars)
				continue
			}
			for _, m := range placeholder.FindAllStringSubmatch(e.Request.Path+string(e.Request.Body), -1) {
				if _, known := vars[m[1]]; !known {
					vars[m[1]] = w.ID(t)
				}
			}
			request := webtest.Request{
				Method: e.Request.Method, Path: fill(e.Request.Path, vars), Token: fill(e.Request.Token, vars), Body: fill(string(e.Request.Body), vars), Header: map[string]string{}}
			for name, value := range e.Request.Headers {
				request.Header[name] = fill(value, vars)
			}
			if e.Request.Bytes != nil {
				request.Body, request.Type = string(e.Request.Bytes), "application/octet-stream"
			}
			a := client.Do(t, request)
			var want, got any // nil: no body
			if e.Response.Body != nil {
				if err := json.Unmarshal(e.Response.Body, &want); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			}
			if a.Body != "" {
				if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
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

// vectors reads the vectors in the order of their names.
func vectors(t *testing.T) iter.Seq2[string, vector] {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	slices.Sort(files)
	return func(yield func(string, vector) bool) {
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
			if !yield(file, v) {
				return
			}
		}
	}
}

// placeholder is a name that stands for a value; {*} stands for any.
var placeholder = regexp.MustCompile(`\{([a-z_]+[0-9]*)\}`)

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
	case "catalogue":
		_, _, err = w.Documents.Add(t.Context(), "operator:1", webtest.Torino, multe.DocumentCatalogue, multe.Day{Year: 2026, Month: 1, Day: 1}, cds.Sample(), false)
	case "codes":
		w.AddCodes(t, webtest.Torino, 8)
	case "two-codes":
		err = setPolicies(t, w, multe.Policy{From: multe.DayOf(w.Now()), Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes})
	case "one-code":
		err = setPolicies(t, w)
	case "neighbour":
		neighbour(t, w, api, vars)
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

// setPolicies writes the creditor as the office's form does.
func setPolicies(t *testing.T, w *webtest.World, list ...multe.Policy) error {
	return w.Store.Update(t.Context(), func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		if err != nil {
			return err
		}
		c.Policies = list
		c.Version++
		return tx.PutCreditor(c)
	})
}

// neighbour is another handheld with a code and a slip of its own.
func neighbour(t *testing.T, w *webtest.World, api http.Handler, vars map[string]string) {
	t.Helper()
	w.AddCodes(t, webtest.Torino, 2)
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 2", true)
	if err != nil {
		t.Fatal(err)
	}
	_, _, token, err := w.Registry.Enrol(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	other := &rig{World: w, Client: webtest.NewClient(t, api, "openapi.yaml"), token: token}
	var block struct {
		Codes []struct{ Position, Avviso string }
	}
	other.call(t, "POST", "/v1/leases", encode(t, map[string]any{"id": w.ID(t), "want": 2})).Decode(t, 200, &block)
	number, err := avviso.ParseNumber(block.Codes[0].Avviso)
	if err != nil {
		t.Fatal(err)
	}
	slip := other.slip(t, multe.Code{Position: multe.PositionID(block.Codes[0].Position), Number: number})
	other.call(t, "POST", "/v1/verbali", encode(t, slip)).Decode(t, 200, &struct{}{})
	vars["their_verbale"] = fmt.Sprint(slip["id"])
	vars["theirs"], vars["their_avviso"] = block.Codes[1].Position, block.Codes[1].Avviso
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
// is anything.
func match(want, got any, vars map[string]string) bool {
	if want == "{*}" {
		return got != nil
	}
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
		if !ok {
			return false
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
