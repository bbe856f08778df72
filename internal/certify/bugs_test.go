package certify_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/firmware-api/client"
	"preavviso/internal/certify"
)

// bug is what is wrong with a device, during one rule.
type bug struct {
	during    string
	transport func(d *device, next http.RoundTripper) http.RoundTripper
	after     func(d *device, a certify.Action) // once it has done what it was asked
	prints    bool                              // though revoked, or on a lease that has passed
	careless  bool                              // does not do what the rule is about
	reckons   bool                              // amounts by itself
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func uploads(r *http.Request) bool { return r.URL.Path == "/v1/verbali" }
func leases(r *http.Request) bool  { return r.URL.Path == "/v1/leases" }

// careless takes whatever goes wrong with a request for a success.
func careless(of func(*http.Request) bool, answer func(*http.Request) string) func(*device, http.RoundTripper) http.RoundTripper {
	return func(_ *device, next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			if !of(r) {
				return next.RoundTrip(r)
			}
			resp, err := next.RoundTrip(r)
			body, err := read(resp, err)
			if err == nil && (resp.StatusCode/100 == 2 || bytes.Contains(body, []byte("auth.challenge"))) {
				return resp, nil
			}
			return made(r, http.StatusOK, answer(r)), nil
		})
	}
}

func empty(*http.Request) string { return "{}" }

// altered shows answers to the device otherwise than they are.
func altered(of func(*http.Request) bool, change func(*http.Response, []byte) []byte) func(*device, http.RoundTripper) http.RoundTripper {
	return func(_ *device, next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if !of(r) {
				return resp, err
			}
			body, err := read(resp, err)
			if err != nil {
				return nil, err
			}
			out := made(r, resp.StatusCode, string(change(resp, body)))
			out.Header = resp.Header
			out.Header.Del("Content-Length")
			return out, nil
		})
	}
}

func every(*http.Request) bool { return true }

// before does something on the side, once in a session.
func before(of func(*http.Request) bool, do func(d *device, r *http.Request)) func(*device, http.RoundTripper) http.RoundTripper {
	return func(d *device, next http.RoundTripper) http.RoundTripper {
		var once sync.Once
		return trip(func(r *http.Request) (*http.Response, error) {
			if of(r) {
				once.Do(func() { do(d, r) })
			}
			return next.RoundTrip(r)
		})
	}
}

// behind is before, after a success.
func behind(of func(*http.Request) bool, do func(d *device, r *http.Request)) func(*device, http.RoundTripper) http.RoundTripper {
	return func(d *device, next http.RoundTripper) http.RoundTripper {
		var once sync.Once
		return trip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if _, err := read(resp, err); err == nil && resp.StatusCode/100 == 2 && of(r) {
				once.Do(func() { do(d, r) })
			}
			return resp, err
		})
	}
}

// failed is before, after an answer that did not come.
func failed(of func(*http.Request) bool, do func(d *device, r *http.Request)) func(*device, http.RoundTripper) http.RoundTripper {
	return func(d *device, next http.RoundTripper) http.RoundTripper {
		var once sync.Once
		return trip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err != nil && of(r) {
				once.Do(func() { do(d, r) })
			}
			return resp, err
		})
	}
}

// post sends a request past the device, under its key.
func (d *device) post(path string, body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Error(err)
	}
	answer, _ := d.extra.Do(http.MethodPost, path, text) // the refusal is the point, where there is one
	return answer
}

// changed returns a body with other members.
func changed(body []byte, members map[string]any) map[string]any {
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		m = map[string]any{}
	}
	for k, v := range members {
		m[k] = v
	}
	return m
}

// id makes a UUID of a version.
func id(version byte) string {
	var b [16]byte
	_, _ = rand.Read(b[6:])
	ms := time.Now().UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
}

// clockless hides from a device what time it is for the service.
var clockless = altered(every, func(resp *http.Response, body []byte) []byte {
	resp.Header.Del("Date")
	return bytes.ReplaceAll(body, []byte("auth.clock_skew"), []byte("auth.something"))
})

// hasty does not look at Retry-After.
var hasty = altered(uploads, func(resp *http.Response, body []byte) []byte {
	resp.Header.Del("Retry-After")
	return body
})

// deaf reads answers from one connection as they come, also those that nobody asked
// for.
func deaf(d *device, next http.RoundTripper) http.RoundTripper {
	var (
		mu   sync.Mutex
		conn net.Conn
		in   *bufio.Reader
	)
	return trip(func(r *http.Request) (*http.Response, error) {
		if !uploads(r) {
			return next.RoundTrip(r)
		}
		mu.Lock()
		defer mu.Unlock()
		if conn == nil {
			var err error
			if conn, err = d.net.dial(r.Context(), "", ""); err != nil {
				return nil, err
			}
			in = bufio.NewReader(conn)
			d.later(func() { <-d.ctx.Done(); conn.Close() })
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		failed := func(err error) (*http.Response, error) {
			conn.Close()
			conn = nil
			return nil, err
		}
		if err := r.Write(conn); err != nil {
			return failed(err)
		}
		resp, err := http.ReadResponse(in, r)
		if _, err := read(resp, err); err != nil {
			return failed(err)
		}
		return resp, nil
	})
}

// bugs has a device for every rule that keeps all the others.
var bugs = map[string]bug{
	"C01": {transport: failedStatus(http.StatusForbidden, func(d *device, r *http.Request) {
		for range 5 {
			_, _ = d.extra.Do(http.MethodPost, r.URL.Path, bodyOf(r))
		}
	})},
	"C02": {transport: failed(every, func(d *device, r *http.Request) {
		key, err := client.GenerateKey()
		if err != nil {
			d.t.Error(err)
			return
		}
		other, err := client.NewConn(d.server, key)
		if err != nil {
			d.t.Error(err)
			return
		}
		other.SetTransport(d.base)
		body, err := json.Marshal(changed(bodyOf(r), map[string]any{"public_key": base64.StdEncoding.EncodeToString(key.PublicKey())}))
		if err != nil {
			d.t.Error(err)
		}
		_, _ = other.Do(http.MethodPost, r.URL.Path, body)
	})},
	"C03": {transport: failed(leases, func(d *device, _ *http.Request) {
		d.post("/v1/leases", map[string]any{"id": id(7), "want": 1})
	})},
	"C04": {transport: stubborn},
	"C05": {transport: clockless},
	"C06": {transport: clockless},
	"C07": {transport: careless(uploads, empty)},
	"C08": {transport: careless(uploads, empty)},
	"C09": {transport: careless(uploads, empty)},
	"C10": {transport: hasty},
	"C11": {transport: hasty},
	"C12": {transport: careless(uploads, empty)},
	"C13": {transport: func(_ *device, next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode/100 == 2 {
				resp.Header.Set("Content-Type", "application/json") // whatever it is, it is 2xx
			}
			return resp, err
		})
	}},
	"C14": {transport: careless(uploads, empty)},
	"C15": {transport: careless(uploads, empty)},
	"C16": {transport: careless(uploads, empty)},
	"C17": {transport: deaf},
	"C18": {transport: func(_ *device, next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			body, err := read(resp, err)
			if err == nil && bytes.Contains(body, []byte("estensione_futura")) {
				return nil, errors.New("a field that I do not know")
			}
			return resp, err
		})
	}},
	"C19": {transport: careless(uploads, empty)},
	"C20": {transport: careless(uploads, empty)},
	"C21": {transport: careless(func(r *http.Request) bool { return r.URL.Path == "/v1/spoils" }, empty)},
	"C22": {transport: careless(func(r *http.Request) bool { return r.URL.Path == "/v1/returns" }, func(r *http.Request) string {
		var asked struct{ Positions []string }
		if err := json.Unmarshal(bodyOf(r), &asked); err != nil {
			return "{}"
		}
		var list []string
		for _, p := range asked.Positions {
			list = append(list, `{"position":"`+p+`","returned":true}`)
		}
		return `{"codes":[` + strings.Join(list, ",") + `]}`
	})},
	"C23": {transport: altered(leases, func(_ *http.Response, body []byte) []byte {
		return bytes.ReplaceAll(body, []byte("riservato_2030"), []byte("assigned"))
	})},
	"C24": {transport: behind(leases, func(d *device, _ *http.Request) {
		for range 4 {
			d.post("/v1/leases", map[string]any{"id": id(7), "want": 1})
		}
	})},
	"C25": {transport: failedStatus(http.StatusConflict, func(d *device, r *http.Request) {
		for range 8 {
			_, _ = d.extra.Do(http.MethodPost, r.URL.Path, bodyOf(r))
		}
	})},
	"C26": {prints: true},
	"C27": {during: "C21", transport: before(uploads, func(d *device, r *http.Request) {
		r.Header.Set("Signature", "sig=:"+base64.StdEncoding.EncodeToString(make([]byte, 64))+":")
	})},
	"C28": {during: "C06", transport: behind(func(r *http.Request) bool { return r.Method == http.MethodGet }, func(d *device, r *http.Request) {
		_, _ = read(d.base.RoundTrip(r.Clone(d.ctx)))
	})},
	"C29": {during: "C09", after: func(d *device, _ certify.Action) {
		_, _ = d.extra.Do(http.MethodGet, "/v1/state?targa=ab-123.cd", nil)
	}},
	"C30": {during: "C09", after: func(d *device, _ certify.Action) {
		d.post("/v1/leases", map[string]any{"id": id(4), "want": 1})
	}},
	"C31": {during: "C04", transport: before(uploads, func(d *device, r *http.Request) {
		_, _ = d.extra.Do(http.MethodGet, "/v1/state", nil) // learns the challenge
		d.post("/v1/verbali", changed(bodyOf(r), map[string]any{"steps": []any{map[string]any{"cents": 29.4, "last_day": "2099-01-01"}, map[string]any{"cents": "4200"}}}))
	})},
	"C32": {during: "C04", transport: before(uploads, func(d *device, r *http.Request) {
		_, _ = d.extra.Do(http.MethodGet, "/v1/state", nil) // learns the challenge
		d.post("/v1/verbali", changed(bodyOf(r), map[string]any{"colore": "grigio"}))
	})},
	"C33": {during: "C16", transport: behind(uploads, func(d *device, r *http.Request) {
		d.post("/v1/verbali", changed(bodyOf(r), map[string]any{"id": id(7)}))
	})},
	"C34": {during: "C16", transport: behind(uploads, func(d *device, r *http.Request) {
		d.post("/v1/verbali", changed(bodyOf(r), map[string]any{"id": id(7), "position": id(7)}))
	})},
	"C35": {during: "C16", transport: behind(uploads, func(d *device, r *http.Request) {
		var block struct {
			Codes []struct{ Position, Avviso string }
		}
		if err := json.Unmarshal(d.post("/v1/leases", map[string]any{"id": id(7), "want": 2}), &block); err != nil {
			d.t.Error(err)
		}
		slices.Reverse(block.Codes)
		for _, k := range block.Codes {
			time.Sleep(time.Second)
			d.post("/v1/verbali", changed(bodyOf(r), map[string]any{"id": id(7), "position": k.Position, "avviso": k.Avviso}))
		}
	})},
	"C36": {during: "C19", transport: failed(uploads, func(d *device, r *http.Request) {
		for range 20 {
			_, _ = d.extra.Do(http.MethodPost, r.URL.Path, bodyOf(r))
		}
	})},
	"C37": {during: "C19", transport: behind(uploads, func(d *device, r *http.Request) {
		_, _ = d.extra.Do(http.MethodPost, r.URL.Path, bodyOf(r))
	})},
	"C38": {during: "C07", transport: failed(uploads, func(d *device, r *http.Request) {
		d.post("/v1/verbali", changed(bodyOf(r), map[string]any{"place": "Via Roma 14"}))
	})},
	"C39": {careless: true},
	"C40": {transport: func(_ *device, next http.RoundTripper) http.RoundTripper {
		return trip(func(r *http.Request) (*http.Response, error) {
			r.Header.Del("If-None-Match")
			return next.RoundTrip(r)
		})
	}},
	"C41": {during: "C09", reckons: true},
	"C42": {transport: altered(func(r *http.Request) bool { return r.URL.Path == "/v1/verbali/batch" }, func(_ *http.Response, body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(`"status":503`), []byte(`"status":200`)) // the batch was answered
	})},
	"C43": {transport: func(d *device, next http.RoundTripper) http.RoundTripper {
		var once sync.Once
		return altered(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/chunks/65536") }, func(_ *http.Response, body []byte) []byte {
			once.Do(func() { body = regexp.MustCompile(`"offset":[0-9]+`).ReplaceAll(body, []byte(`"offset":0`)) }) // from the beginning
			return body
		})(d, next)
	}},
	"C44": {during: "C42", after: func(d *device, a certify.Action) {
		if a.Verb == certify.Slip {
			if err := d.shoot(true); err != nil {
				d.t.Error(err)
			}
		}
	}},
	"C45": {prints: true},
	"C46": {careless: true},
	"C47": {careless: true},
}

// failedStatus is before, after an answer with a status.
func failedStatus(status int, do func(*device, *http.Request)) func(*device, http.RoundTripper) http.RoundTripper {
	return func(d *device, next http.RoundTripper) http.RoundTripper {
		var once sync.Once
		return trip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if _, err := read(resp, err); err == nil && resp.StatusCode == status {
				once.Do(func() { do(d, r) })
			}
			return resp, err
		})
	}
}

// stubborn does not hear the challenge of a service that started again, for some
// time.
func stubborn(_ *device, next http.RoundTripper) http.RoundTripper {
	heard := 0
	var mu sync.Mutex
	return trip(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		body, err := read(resp, err)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && bytes.Contains(body, []byte("auth.challenge")) && heard < 5 {
			heard++
			return made(r, resp.StatusCode, `{"code":"auth.something"}`), nil
		}
		return resp, err
	})
}

// TestEveryRuleCatchesItsBug is the test of the kit: a device that breaks one rule
// fails that rule and no other.
func TestEveryRuleCatchesItsBug(t *testing.T) {
	for _, r := range certify.Rules() {
		b, ok := bugs[r.ID]
		if !ok {
			t.Errorf("no device breaks %s", r.ID)
			continue
		}
		if b.during == "" {
			b.during = r.ID
		}
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			var rules []string
			if testing.Short() {
				rules = []string{"C03", b.during, r.ID} // C03: somebody must enrol it
			}
			report := session(t, b, rules...)
			bad := slices.Concat(with(report, certify.Failed), with(report, certify.NotRun), with(report, certify.Warned))
			if r.Mild != (len(with(report, certify.Warned)) == 1) {
				t.Errorf("warned of %v", with(report, certify.Warned))
			}
			if !slices.Equal(bad, []string{r.ID}) {
				dump(t, report, append(bad, r.ID)...)
				t.Errorf("failed %v, not run %v", with(report, certify.Failed), with(report, certify.NotRun))
			}
		})
	}
}
