package firmwareapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"preavviso/firmware-api/client"
)

// TestVectorsClient gives the reference client every answer of the vectors: it says
// what the service said, and asks again where the table of errors says so.
func TestVectorsClient(t *testing.T) {
	key, err := client.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for file, v := range vectors(t) {
		for _, e := range v.Exchanges {
			if e.Event != "" || e.Request.Bytes != nil || e.Response.Status == http.StatusNotModified {
				continue // Conn.Do speaks JSON; photo_test.go and shift_client_test.go have the rest
			}
			played++
			conn, err := client.NewConn("http://palmari.example", key)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if r.Method != e.Request.Method || r.URL.RequestURI() != e.Request.Path || !bytes.Equal(body, e.Request.Body) || r.Header.Get("Signature") == "" {
					t.Errorf("%s: %s: the client sends %s %s %s", file, e.About, r.Method, r.URL.RequestURI(), body)
				}
				kind := "application/json"
				if e.Response.Status/100 != 2 {
					kind = "application/problem+json"
				}
				h := http.Header{"Content-Type": {kind}}
				for name, value := range e.Response.Headers {
					h.Set(name, value)
				}
				return &http.Response{StatusCode: e.Response.Status, Header: h, Body: io.NopCloser(bytes.NewReader(e.Response.Body)), Request: r}, err
			}))
			path := strings.NewReplacer("{", "%7B", "}", "%7D").Replace(e.Request.Path)
			e.Request.Path = path
			answer, err := conn.Do(e.Request.Method, path, e.Request.Body)
			if e.Response.Status/100 == 2 {
				if err != nil || !bytes.Equal(answer, e.Response.Body) {
					t.Errorf("%s: %s: %s, %v", file, e.About, answer, err)
				}
				continue
			}
			var want struct {
				Code   string
				Offset int
			}
			if err := json.Unmarshal(e.Response.Body, &want); err != nil {
				t.Fatal(err)
			}
			pause, _ := strconv.Atoi(e.Response.Headers["Retry-After"])
			no, ok := errors.AsType[*client.Refusal](err)
			if !ok || no.Status != e.Response.Status || no.Code != want.Code || no.Offset != want.Offset || no.RetryAfter != pause {
				t.Errorf("%s: %s: %v", file, e.About, err)
				continue
			}
			if again := e.Response.Status == 429 || e.Response.Status >= 500; no.Temporary() != again {
				t.Errorf("%s: %s: %s is temporary: %t", file, e.About, no.Code, no.Temporary())
			}
		}
	}
	if played < 40 {
		t.Errorf("only %d exchanges were played", played)
	}
}

// TestVectorsCover: what a firmware author must have met before the street has an
// exchange that shows it.
func TestVectorsCover(t *testing.T) {
	seen, err := os.ReadFile(signaturesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors(t) {
		for _, e := range v.Exchanges {
			seen = append(seen, e.Response.Body...)
		}
	}
	seen = bytes.ReplaceAll(seen, []byte(`": "`), []byte(`":"`))
	for what, code := range map[string]string{
		"a wrong signature": "auth.bad_signature", "another body": "auth.bad_digest", "a replayed nonce": "auth.replayed", "an old challenge": "auth.challenge",
		"a foreign device's code": "code.other_device", "a foreign device's slip": "verbale.unknown",
		"a revoked device that signs": "auth.unknown_key", "a revoked device with a token": "auth.bad_token",
		"a stale lease": "lease.stale", "an annulled code": "code.void",
		"an oversized photo": "photo.too_large", "a wrong offset": "photo.wrong_offset", "a wrong hash": "photo.wrong_hash",
		"a violation not in the catalogue": "amount.unknown_violation", "an amount not in the catalogue": "amount.differs",
		"a device's share": "request.too_many", "a full service": "service.busy",
	} {
		if !bytes.Contains(seen, []byte(`"code":"`+code+`"`)) {
			t.Errorf("no vector shows %s (%s)", what, code)
		}
	}
}
