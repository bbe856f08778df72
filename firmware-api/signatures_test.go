package firmwareapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/firmware-api/client"
	"preavviso/internal/web/webtest"
)

var update = flag.Bool("update", false, "write testdata/signatures.json anew")

// signatures is testdata/signatures.json: signed requests byte by byte, and what the
// service answers at a given time with a given challenge. README.md explains it.
type signatures struct {
	About     string          `json:"about"`
	Now       time.Time       `json:"now"`
	Challenge string          `json:"challenge"`
	Keys      []signatureKey  `json:"keys"`
	Requests  []signedRequest `json:"requests"`
}

type signatureKey struct {
	Name      string `json:"name"`
	Algorithm string `json:"alg"`
	Private   string `json:"private_pem"`
	Public    string `json:"public_key"`
	KeyID     string `json:"keyid"`
}

type signedRequest struct {
	About   string            `json:"about"`
	Key     string            `json:"key"`
	Method  string            `json:"method"`
	Host    string            `json:"host"`
	Target  string            `json:"target"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body,omitempty"`
	Base    string            `json:"base,omitempty"` // what was signed; absent where the request was changed afterwards
	Status  int               `json:"status"`
	Code    string            `json:"code,omitempty"`
}

const signaturesFile = "testdata/signatures.json"

// TestSignatures sends the requests of the file to the service, in order, as they
// stand there.
func TestSignatures(t *testing.T) {
	if *update {
		writeSignatures(t)
	}
	raw, err := os.ReadFile(signaturesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file signatures
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	challenge, err := hex.DecodeString(file.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	w := webtest.New(t)
	w.Pass(file.Now.Sub(w.Now()))
	api := firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: io.MultiReader(bytes.NewReader(challenge), w.Random), Now: w.Now, Registry: w.Registry, Pool: w.Pool, Verbali: w.Verbali, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents})
	w.AddCodes(t, webtest.Torino, 20)
	for _, k := range file.Keys {
		der, err := base64.StdEncoding.DecodeString(k.Public)
		if err != nil {
			t.Fatal(err)
		}
		w.Signer(t, webtest.Torino, der)
	}
	for _, r := range file.Requests {
		req := httptest.NewRequest(r.Method, r.Target, strings.NewReader(r.Body))
		req.Host = r.Host
		for name, value := range r.Headers {
			req.Header.Set(name, value)
		}
		rec := httptest.NewRecorder()
		api.ServeHTTP(rec, req)
		var p struct{ Code string }
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if rec.Code != r.Status || p.Code != r.Code {
			t.Errorf("%s, %s: %d %s, want %d %s", r.Key, r.About, rec.Code, p.Code, r.Status, r.Code)
		}
	}
	if len(file.Requests) < 20 {
		t.Errorf("only %d requests", len(file.Requests))
	}
}

// writeSignatures makes the file. An ECDSA signature is another each time.
func writeSignatures(t *testing.T) {
	file := signatures{
		About: "Signed requests as they go over the wire, and their answers. The keys are public: never use them. " +
			"Compare your base with `base`; an Ed25519 signature of it must be the same bytes, an ECDSA one must verify.",
		Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Challenge: "00112233aabbccdd",
	}
	for _, name := range []string{"ed25519", "p256"} {
		k := vectorKey(t, name)
		text, err := os.ReadFile("testdata/keys/" + name + ".pem")
		if err != nil {
			t.Fatal(err)
		}
		conn := offline(t, k, file)
		file.Keys = append(file.Keys, signatureKey{name, k.Algorithm(), string(text), base64.StdEncoding.EncodeToString(k.PublicKey()), conn.KeyID()})
		n := 0
		add := func(about, method, target, body string, status int, code string, change func(*http.Request)) {
			n++
			var text []byte
			if body != "" {
				text = []byte(strings.ReplaceAll(body, "{id}", fmt.Sprintf("%031x%x", len(file.Requests), n%16)))
			}
			req, err := conn.Request(method, target, text)
			if err != nil {
				t.Fatal(err)
			}
			base := rebuild(req)
			r := signedRequest{About: about, Key: name, Method: method, Host: req.URL.Host, Target: target, Body: string(text), Status: status, Code: code, Headers: map[string]string{}}
			if change == nil {
				r.Base = base
			} else {
				change(req)
				r.Host, r.Target, r.Method = req.URL.Host, req.URL.RequestURI(), req.Method
				if req.Header.Get("Test-Body") != "" {
					r.Body = req.Header.Get("Test-Body")
					req.Header.Del("Test-Body")
				}
			}
			for name := range req.Header {
				r.Headers[name] = req.Header.Get(name)
			}
			file.Requests = append(file.Requests, r)
		}
		const lease = `{"id":"{id}","want":1}`
		replace := func(header, old, new string) func(*http.Request) {
			return func(r *http.Request) {
				r.Header.Set(header, strings.Replace(r.Header.Get(header), old, new, 1))
			}
		}
		add("without a body", "GET", "/v1/state", "", 200, "", nil)
		add("with a body", "POST", "/v1/leases", lease, 200, "", nil)
		add("a query that the service does not know: signed well, refused later", "GET", "/v1/state?a=b%20c", "", 422, "request.invalid", nil)
		add("to another host", "POST", "/v1/leases", lease, 401, "auth.bad_signature", func(r *http.Request) { r.URL.Host = "altro.example" })
		add("to another path", "POST", "/v1/leases", lease, 401, "auth.bad_signature", func(r *http.Request) { r.URL.Path = "/v1/returns" })
		add("with another body", "POST", "/v1/leases", lease, 401, "auth.bad_digest", func(r *http.Request) { r.Header.Set("Test-Body", `{"id":"00000000000000000000000000000000","want":9}`) })
		add("without the digest covered", "POST", "/v1/leases", lease, 401, "auth.uncovered", replace("Signature-Input", ` "content-digest"`, ""))
		add("with the components in another order", "POST", "/v1/leases", lease, 401, "auth.bad_signature", replace("Signature-Input", `"@method" "@authority"`, `"@authority" "@method"`))
		add("of another service, or of this one before it started again", "GET", "/v1/state", "", 401, "auth.challenge", replace("Signature-Input", file.Challenge, "0000000000000000"))
		add("without a signature", "GET", "/v1/state", "", 401, "auth.unsigned", func(r *http.Request) { r.Header.Del("Signature"); r.Header.Del("Signature-Input") })
		add("by a key that is not in force", "GET", "/v1/state", "", 401, "auth.unknown_key", replace("Signature-Input", conn.KeyID(), strings.Repeat("0", 64)))
		conn.SetNow(func() time.Time { return file.Now.Add(-10 * time.Minute) })
		add("by a clock that is ten minutes late", "GET", "/v1/state", "", 401, "auth.clock_skew", nil)
		conn.SetNow(func() time.Time { return file.Now.Add(-150 * time.Second) })
		add("expired on the way", "GET", "/v1/state", "", 401, "auth.expired", nil)
		again := file.Requests[len(file.Requests)-n]
		again.About, again.Status, again.Code = "the first one of this key, again", 401, "auth.replayed"
		file.Requests = append(file.Requests, again)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(signaturesFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// offline is a connection that knows the challenge of the file.
func offline(t *testing.T, k *client.Key, file signatures) *client.Conn {
	t.Helper()
	conn, err := client.NewConn(address, k)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetNow(func() time.Time { return file.Now })
	conn.SetTransport(webtest.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		fmt.Fprintf(w, `{"code":"auth.challenge","challenge":%q}`, file.Challenge)
	})})
	_, _ = conn.Do("GET", "/v1/state", nil) // refused, and told the challenge
	return conn
}

// rebuild makes the signature base of a request from the request alone, as the
// reader of a vector would.
func rebuild(r *http.Request) string {
	_, params, _ := strings.Cut(r.Header.Get("Signature-Input"), "=")
	names, _, _ := strings.Cut(strings.TrimPrefix(params, "("), ")")
	var b strings.Builder
	for _, name := range strings.Fields(names) {
		value := map[string]string{
			`"@method"`: r.Method, `"@authority"`: r.URL.Host, `"@path"`: r.URL.EscapedPath(), `"@query"`: "?" + r.URL.RawQuery,
			`"content-type"`: r.Header.Get("Content-Type"), `"content-digest"`: r.Header.Get("Content-Digest"),
		}[name]
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	return b.String() + `"@signature-params": ` + params
}
