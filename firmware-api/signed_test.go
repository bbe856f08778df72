package firmwareapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/firmware-api/client"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

const address = "http://palmari.example"

// signer is a handheld that signs, against the real service.
type signer struct {
	*webtest.World
	key    *client.Key
	conn   *client.Conn
	device multe.Device
	net    webtest.Transport
}

func newSigner(t testing.TB, key *client.Key) *signer {
	t.Helper()
	w := webtest.New(t)
	s := &signer{World: w, key: key, device: w.Signer(t, webtest.Torino, key.PublicKey()), net: webtest.Transport{Handler: handler(w)}}
	s.conn = s.connect(t, key)
	return s
}

func (s *signer) connect(t testing.TB, k client.Signer) *client.Conn {
	t.Helper()
	c, err := client.NewConn(address, k)
	if err != nil {
		t.Fatal(err)
	}
	c.SetTransport(s.net)
	c.SetNow(s.Now)
	if _, err := c.Do("GET", "/v1/state", nil); err != nil { // learns the challenge
		var no *client.Refusal
		if !asRefusal(err, &no) {
			t.Fatal(err)
		}
	}
	return c
}

func asRefusal(err error, no **client.Refusal) bool { return errors.As(err, no) }

// send sends a request as it is and returns the status and the error code.
func (s *signer) send(t testing.TB, req *http.Request) (int, map[string]any) {
	t.Helper()
	resp, err := s.net.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p map[string]any
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, p
}

func generate(t testing.TB) *client.Key {
	t.Helper()
	k, err := client.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func setBody(r *http.Request, body string) {
	r.Body = io.NopCloser(strings.NewReader(body))
	r.ContentLength = int64(len(body))
}

func digestHeader(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// TestSignedRequests is everything that may happen to a signed request on its way,
// and what it is answered.
func TestSignedRequests(t *testing.T) {
	for _, k := range []struct {
		alg string
		key *client.Key
	}{{"ed25519", generate(t)}, {"ecdsa-p256-sha256", vectorKey(t, "p256")}} {
		s := newSigner(t, k.key)
		s.AddCodes(t, webtest.Torino, 20)
		other := generate(t)
		s.Signer(t, webtest.Torino, other.PublicKey())
		stranger := generate(t)
		input := func(old, new string) func(*http.Request) {
			return func(r *http.Request) {
				before := r.Header.Get("Signature-Input")
				r.Header.Set("Signature-Input", strings.Replace(before, old, new, 1))
				if r.Header.Get("Signature-Input") == before {
					t.Fatalf("%q is not in %s", old, before)
				}
			}
		}
		for _, tt := range []struct {
			name   string
			change func(*http.Request)
			code   string
		}{
			{"as it is", func(*http.Request) {}, ""},
			{"spaces where they may be", input("(", "(  "), ""},
			{"another body", func(r *http.Request) { setBody(r, `{"id":"00000000000000000000000000000000","want":9}`) }, "auth.bad_digest"},
			{"another body with its digest", func(r *http.Request) {
				const body = `{"id":"00000000000000000000000000000000","want":9}`
				setBody(r, body)
				r.Header.Set("Content-Digest", digestHeader(body))
			}, "auth.bad_signature"},
			{"no body", func(r *http.Request) { setBody(r, "") }, "auth.bad_digest"},
			{"no digest", func(r *http.Request) { r.Header.Del("Content-Digest") }, "auth.bad_signature"},
			{"two digests", func(r *http.Request) { r.Header.Add("Content-Digest", digestHeader("")) }, "auth.bad_signature"},
			{"another media type", func(r *http.Request) { r.Header.Set("Content-Type", "application/json;x=1") }, "auth.bad_signature"},
			{"another method", func(r *http.Request) { r.Method = "GET"; r.URL.Path = "/v1/state" }, "auth.bad_signature"},
			{"another path", func(r *http.Request) { r.URL.Path = "/v1/spoils" }, "auth.bad_signature"},
			{"another query", func(r *http.Request) { r.URL.RawQuery = "a=b" }, "auth.bad_signature"},
			{"another host", func(r *http.Request) { r.URL.Host = "palmari.example.com" }, "auth.bad_signature"},
			{"another port", func(r *http.Request) { r.URL.Host += ":8080" }, "auth.bad_signature"},
			{"the same host in capitals, with the default port", func(r *http.Request) { r.URL.Host = "PALMARI.example:443" }, ""},
			{"components in another order", input(`"@method" "@authority"`, `"@authority" "@method"`), "auth.bad_signature"},
			{"without the method", input(`"@method" `, ""), "auth.uncovered"},
			{"without the host", input(`"@authority" `, ""), "auth.uncovered"},
			{"without the path", input(`"@path" `, ""), "auth.uncovered"},
			{"without the query", input(`"@query" `, ""), "auth.uncovered"},
			{"without the media type", input(`"content-type" `, ""), "auth.uncovered"},
			{"without the digest", input(` "content-digest"`, ""), "auth.uncovered"},
			{"a component twice", input(`"@method"`, `"@method" "@method"`), "auth.bad_signature"},
			{"a component that is not ours", input(`"@method"`, `"@method" "date"`), "auth.bad_signature"},
			{"a component with a parameter", input(`"@method"`, `"@method";req`), "auth.bad_signature"},
			{"a longer life", input(";expires=1772442120", ";expires=1772442121"), "auth.bad_signature"},
			{"too long a life", input(";expires=1772442120", ";expires=1772442301"), "auth.bad_signature"},
			{"no life", input(";expires=1772442120", ";expires=1772442000"), "auth.bad_signature"},
			{"no end", input(";expires=1772442120", ""), "auth.bad_signature"},
			{"a beginning twice", input(";expires", ";created=1772442000;expires"), "auth.bad_signature"},
			{"a parameter that is not ours", input(";expires", `;tag="x";expires`), "auth.bad_signature"},
			{"another nonce", input(`;nonce="`+challengeOf(t, s), `;nonce="`+challengeOf(t, s)+"0"), "auth.challenge"},
			{"another nonce of today", func(r *http.Request) {
				in := r.Header.Get("Signature-Input")
				at := strings.Index(in, ";keyid") - 2
				r.Header.Set("Signature-Input", in[:at]+string('a'+(in[at]+1)%5)+in[at+1:])
			}, "auth.bad_signature"},
			{"a key of another handheld", input(s.conn.KeyID(), s.connect(t, other).KeyID()), "auth.bad_signature"},
			{"a key that nobody has", input(s.conn.KeyID(), s.connect(t, stranger).KeyID()), "auth.unknown_key"},
			{"a key that is no name", input(s.conn.KeyID(), "x"), "auth.unknown_key"},
			{"the other algorithm", input(k.alg, map[string]string{"ed25519": "ecdsa-p256-sha256", "ecdsa-p256-sha256": "ed25519"}[k.alg]), "auth.bad_signature"},
			{"an algorithm that is not ours", input(k.alg, "hmac-sha256"), "auth.bad_signature"},
			{"no signature", func(r *http.Request) { r.Header.Del("Signature") }, "auth.bad_signature"},
			{"no parameters", func(r *http.Request) { r.Header.Del("Signature-Input") }, "auth.bad_signature"},
			{"neither", func(r *http.Request) { r.Header.Del("Signature"); r.Header.Del("Signature-Input") }, "auth.unsigned"},
			{"two signatures", func(r *http.Request) { r.Header.Add("Signature", r.Header.Get("Signature")) }, "auth.bad_signature"},
			{"a signature under another name", func(r *http.Request) { r.Header.Set("Signature", "x"+r.Header.Get("Signature")) }, "auth.bad_signature"},
			{"a signature cut short", func(r *http.Request) { r.Header.Set("Signature", r.Header.Get("Signature")[:40]+":") }, "auth.bad_signature"},
			{"a signature of nothing", func(r *http.Request) { r.Header.Set("Signature", "sig=::") }, "auth.bad_signature"},
			{"a token beside it", func(r *http.Request) { r.Header.Set("Authorization", "Bearer pvd_x") }, ""},
		} {
			t.Run(k.alg+"/"+tt.name, func(t *testing.T) {
				body := fmt.Sprintf(`{"id":%q,"want":1}`, s.ID(t))
				req, err := s.conn.Request("POST", "/v1/leases", []byte(body))
				if err != nil {
					t.Fatal(err)
				}
				tt.change(req)
				before := s.Dump(t)
				status, p := s.send(t, req)
				if tt.code == "" {
					if status != 200 {
						t.Errorf("= %d %v", status, p)
					}
					return
				}
				if status != 401 || p["code"] != tt.code {
					t.Errorf("= %d %v, want 401 %s", status, p, tt.code)
				}
				if s.Dump(t) != before {
					t.Error("something was written")
				}
			})
		}
	}
}

// challengeOf is what the service wants nonces to begin with.
func challengeOf(t testing.TB, s *signer) string {
	t.Helper()
	c, err := client.NewConn(address, s.key)
	if err != nil {
		t.Fatal(err)
	}
	c.SetNow(s.Now)
	req, err := c.Request("GET", "/v1/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	status, p := s.send(t, req)
	challenge, ok := p["challenge"].(string)
	if status != 401 || p["code"] != "auth.challenge" || !ok || len(challenge) != 16 {
		t.Fatalf("without a challenge: %d %v", status, p)
	}
	return challenge
}

// TestReplay: what was taken once is taken never again, whatever the clocks do and
// however often the service starts.
func TestReplay(t *testing.T) {
	for _, ahead := range []time.Duration{-290 * time.Second, 0, 290 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			s := newSigner(t, generate(t))
			s.conn.SetNow(func() time.Time { return s.Now().Add(ahead) })
			if ahead < 0 { // its signatures would have expired on arrival
				s.conn.SetNow(func() time.Time { return s.Now().Add(-100 * time.Second) })
			}
			req, err := s.conn.Request("GET", "/v1/state", nil)
			if err != nil {
				t.Fatal(err)
			}
			again := func(want ...string) {
				t.Helper()
				if status, p := s.send(t, req.Clone(t.Context())); status != 401 || !slices.Contains(want, p["code"].(string)) {
					t.Errorf("again: %d %v, want %v", status, p["code"], want)
				}
			}
			if status, p := s.send(t, req.Clone(t.Context())); status != 200 {
				t.Fatalf("= %d %v", status, p)
			}
			again("auth.replayed")
			for range 80 {
				s.Pass(9 * time.Second)
				again("auth.replayed", "auth.expired", "auth.clock_skew")
				if _, err := s.conn.Do("GET", "/v1/state", nil); err != nil { // life goes on
					t.Fatal(err)
				}
			}
			s.Pass(-12 * time.Minute) // somebody set our clock back
			again("auth.expired", "auth.replayed")

			s.net.Handler = handler(s.World) // and the service starts again
			again("auth.challenge")
			if _, err := s.conn.Do("GET", "/v1/state", nil); err != nil {
				t.Errorf("a client that is told the challenge: %v", err)
			}
		})
	}
}

// TestClockOfTheDevice: a wrong clock is told the right time, and then is welcome.
func TestClockOfTheDevice(t *testing.T) {
	s := newSigner(t, generate(t))
	for _, wrong := range []time.Duration{-365 * 24 * time.Hour, -301 * time.Second, -130 * time.Second, 301 * time.Second, 40 * 365 * 24 * time.Hour} {
		s.conn = s.connect(t, s.key)
		s.conn.SetNow(func() time.Time { return s.Now().Add(wrong) })
		req, err := s.conn.Request("GET", "/v1/state", nil)
		if err != nil {
			t.Fatal(err)
		}
		want := "auth.clock_skew"
		if wrong.Abs() < 300*time.Second {
			want = "auth.expired"
		}
		status, p := s.send(t, req)
		if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(p["server_time"])); status != 401 || p["code"] != want || err != nil || !at.Equal(s.Now()) {
			t.Errorf("%v: %d %v, %v", wrong, status, p, err)
		}
		if _, err := s.conn.Do("GET", "/v1/state", nil); err != nil {
			t.Errorf("%v: once it was told the time: %v", wrong, err)
		}
		if off := s.conn.Now().Sub(s.Now()); off.Abs() > time.Second {
			t.Errorf("%v: the client believes it is %v off", wrong, off)
		}
	}
}

// TestRevokedAtOnce: the next request after a revocation, or a new invitation, is
// refused.
func TestRevokedAtOnce(t *testing.T) {
	s := newSigner(t, generate(t))
	if _, err := s.conn.Do("GET", "/v1/state", nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Registry.RevokeDevice(t.Context(), "admin", webtest.Torino, s.device.ID); err != nil {
		t.Fatal(err)
	}
	var no *client.Refusal
	if _, err := s.conn.Do("GET", "/v1/state", nil); !asRefusal(err, &no) || no.Status != 401 || no.Code != "auth.unknown_key" {
		t.Errorf("= %v", err)
	}
}

// TestEnrolment: who enrols proves to have the key, and a code makes one handheld.
func TestEnrolment(t *testing.T) {
	s := newSigner(t, generate(t))
	enrol := func(k client.Signer, code string, public []byte) (int, map[string]any) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"code": code, "public_key": base64.StdEncoding.EncodeToString(public)})
		if err != nil {
			t.Fatal(err)
		}
		req, err := s.connect(t, k).Request("POST", "/v1/enrolments", body)
		if err != nil {
			t.Fatal(err)
		}
		return s.send(t, req)
	}
	invite := func(bearer bool) string {
		t.Helper()
		_, code, err := s.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Nuovo", bearer)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	code, mine, theirs := invite(false), generate(t), generate(t)
	if status, p := enrol(theirs, code, mine.PublicKey()); status != 401 || p["code"] != "auth.bad_signature" {
		t.Errorf("somebody else's key: %d %v", status, p)
	}
	for name, forged := range map[string]forger{
		"their signature under my name": {theirs, mine.PublicKey()},
		"my signature under their name": {mine, theirs.PublicKey()},
	} {
		if status, p := enrol(forged, code, mine.PublicKey()); status != 401 || p["code"] != "auth.bad_signature" {
			t.Errorf("%s: %d %v", name, status, p)
		}
	}
	unsigned := webtest.NewClient(t, s.net.Handler, "openapi.yaml")
	for name, tt := range map[string]struct {
		body, code string
		status     int
	}{
		"a key, unsigned": {fmt.Sprintf(`{"code":%q,"public_key":%q}`, code, base64.StdEncoding.EncodeToString(mine.PublicKey())), "auth.unsigned", 401},
		"no key":          {fmt.Sprintf(`{"code":%q}`, code), "enrolment.key_required", 403},
		"a wrong key":     {fmt.Sprintf(`{"code":%q,"public_key":"AAAA"}`, code), "enrolment.bad_key", 422},
	} {
		if p := unsigned.Do(t, webtest.Request{Method: "POST", Path: "/v1/enrolments", Body: tt.body}).Problem(t); p.Code != tt.code || p.Status != tt.status {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for range 2 {
		if status, p := enrol(mine, code, mine.PublicKey()); status != 201 || p["token"] != nil || p["name"] != "Nuovo" {
			t.Errorf("enrolling: %d %v", status, p)
		}
	}
	if status, p := enrol(theirs, code, theirs.PublicKey()); status != 403 || p["code"] != "enrolment.unknown" {
		t.Errorf("a second handheld: %d %v", status, p)
	}
	if status, p := enrol(mine, invite(false), mine.PublicKey()); status != 409 || p["code"] != "enrolment.key_in_use" {
		t.Errorf("one key for two handhelds: %d %v", status, p)
	}
	if status, p := enrol(theirs, invite(true), theirs.PublicKey()); status != 201 || p["token"] != nil {
		t.Errorf("a key where a token would do: %d %v", status, p)
	}
}

// forger signs with one key and says that it is another.
type forger struct {
	*client.Key
	public []byte
}

func (f forger) PublicKey() []byte { return f.public }
