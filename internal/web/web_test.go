package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/web"
)

const document = `
openapi: 3.0.3
info: {title: things, version: "1"}
security: [{key: []}]
paths:
  /open:
    get: {operationId: Open, security: [], responses: {"200": {description: ok}}}
  /{cf}/things:
    get:
      operationId: List
      parameters:
        - {name: cf, in: path, required: true, schema: {type: string, pattern: "^[0-9]+$"}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 9}}
        - {name: old, in: query, schema: {type: boolean}}
        - {name: day, in: query, required: true, schema: {type: string, format: date}}
      responses: {"200": {description: ok}}
    post:
      operationId: Add
      parameters: [{name: cf, in: path, required: true, schema: {type: string}}]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [name]
              properties:
                name: {type: string, minLength: 2, maxLength: 4, pattern: "^[a-z]+$"}
                cents: {type: integer, format: int64, minimum: 1}
                flag: {type: boolean}
                kind: {type: string, enum: [a, b]}
                at: {type: string, format: date-time}
                day: {type: string, format: date}
                list: {type: array, minItems: 1, maxItems: 2, items: {type: object, additionalProperties: false, required: [n], properties: {n: {type: integer}}}}
      responses: {"200": {description: ok}}
components:
  securitySchemes:
    key: {type: http, scheme: bearer}
`

// zeros is enough randomness for a trace.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type rig struct {
	*web.Server
	log bytes.Buffer
}

// newRig serves the document; every operation does what do does.
func newRig(t *testing.T, do func(*gin.Context) error) *rig {
	t.Helper()
	r := &rig{}
	s, err := web.New(web.Config{
		Contract: []byte(document), Log: slog.New(slog.NewJSONHandler(&r.log, nil)), Random: zeros{}, Now: time.Now,
		Admit: func(ctx context.Context, token string, call web.Call) (context.Context, error) {
			switch {
			case token != "good":
				return nil, web.BadToken()
			case call.Creditor == "2":
				return nil, fault.New(fault.Forbidden, "auth.wrong_creditor", "No.")
			}
			return ctx, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	handle := func(c *gin.Context) {
		if err := do(c); err != nil {
			s.Fail(c, err)
		}
	}
	s.Routes().GET("/open", handle)
	s.Routes().GET("/:cf/things", handle)
	s.Routes().POST("/:cf/things", handle)
	s.Routes().GET("/forgotten", handle) // not in the document
	r.Server = s
	return r
}

func (r *rig) do(method, path, auth, media, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	return rec
}

type problem struct {
	Type, Title, Code, Detail, Trace string
	Status                           int
	Errors                           []map[string]string
}

func read(t *testing.T, rec *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %q", err, rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if p.Status != rec.Code || p.Type != "about:blank" || p.Title != http.StatusText(rec.Code) || p.Trace != "0000000000000000" {
		t.Errorf("an incomplete problem: %+v", p)
	}
	return p
}

func ok(c *gin.Context) error { c.Status(http.StatusOK); return nil }

func TestEveryKindHasAStatus(t *testing.T) {
	want := map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 422, fault.NotFound: 404, fault.Conflict: 409,
		fault.Exhausted: 409, fault.Forbidden: 403, fault.Unavailable: 503,
	}
	for _, k := range fault.Kinds() {
		for name, err := range map[string]error{
			"classified": fmt.Errorf("outer: %w", fault.Wrap(k, "thing.bad", "Testo.", errors.New("secret"))),
			"bare":       fmt.Errorf("secret: %w", k),
		} {
			t.Run(k.Error()+"/"+name, func(t *testing.T) {
				r := newRig(t, func(*gin.Context) error { return err })
				rec := r.do("GET", "/open", "", "", "")
				p := read(t, rec)
				if rec.Code != want[k] {
					t.Errorf("status = %d, want %d", rec.Code, want[k])
				}
				if strings.Contains(rec.Body.String(), "secret") {
					t.Errorf("the cause leaks: %s", rec.Body)
				}
				if classified := name == "classified" && k != fault.Internal; classified != (p.Code == "thing.bad") {
					t.Errorf("code = %q", p.Code)
				}
				if got := rec.Header().Get("Retry-After") != ""; got != (k == fault.Unavailable) {
					t.Errorf("Retry-After = %q", rec.Header().Get("Retry-After"))
				}
				if got := strings.Contains(r.log.String(), "secret"); got != (rec.Code >= 500) {
					t.Errorf("log = %s", r.log.String())
				}
			})
		}
	}
}

func TestUnclassifiedErrorTellsNothing(t *testing.T) {
	r := newRig(t, func(*gin.Context) error { return errors.New("secret") })
	rec := r.do("GET", "/open", "", "", "")
	if p := read(t, rec); p.Code != "internal" || rec.Code != 500 || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("= %d %s", rec.Code, rec.Body)
	}
}

// TestClientGone: a client that hung up is no bug of ours.
func TestClientGone(t *testing.T) {
	r := newRig(t, func(*gin.Context) error { return fmt.Errorf("reading: %w", context.Canceled) })
	rec := r.do("GET", "/open", "", "", "")
	if rec.Code != 503 || strings.Contains(r.log.String(), "ERROR") {
		t.Errorf("= %d, log %s", rec.Code, r.log.String())
	}
}

func TestPanicIsA500(t *testing.T) {
	r := newRig(t, func(*gin.Context) error { panic("secret") })
	rec := r.do("GET", "/open", "", "", "")
	if p := read(t, rec); rec.Code != 500 || p.Code != "internal" || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("= %d %s", rec.Code, rec.Body)
	}
	for _, want := range []string{`"stack":`, `"trace":"0000000000000000"`, `"status":500`} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, r.log.String())
		}
	}
}

func TestPanicAfterTheAnswerBegan(t *testing.T) {
	r := newRig(t, func(c *gin.Context) error { c.String(200, "begun"); panic("late") })
	if rec := r.do("GET", "/open", "", "", ""); rec.Body.String() != "begun" {
		t.Errorf("body = %q", rec.Body)
	}
}

func TestWhoIsCalling(t *testing.T) {
	for _, tt := range []struct {
		name, method, path, auth string
		status                   int
		code                     string
	}{
		{"nobody", "GET", "/1/things", "", 401, "auth.missing"},
		{"other scheme", "GET", "/1/things", "Basic good", 401, "auth.missing"},
		{"no token", "GET", "/1/things", "Bearer", 401, "auth.missing"},
		{"empty token", "GET", "/1/things", "Bearer ", 401, "auth.missing"},
		{"unknown token", "GET", "/1/things", "Bearer bad", 401, "auth.bad_token"},
		{"two spaces", "GET", "/1/things", "Bearer  good", 401, "auth.bad_token"},
		{"long token", "GET", "/1/things", "Bearer " + strings.Repeat("x", 8000), 401, "auth.bad_token"},
		{"other creditor", "GET", "/2/things", "Bearer good", 403, "auth.wrong_creditor"},
		{"before the body is read", "POST", "/2/things", "Bearer good", 403, "auth.wrong_creditor"},
		{"welcome", "GET", "/1/things?day=2026-03-02", "Bearer good", 200, ""},
		{"scheme in any case", "GET", "/1/things?day=2026-03-02", "bearer good", 200, ""},
		{"open to all", "GET", "/open", "", 200, ""},
		{"a route that the document forgot", "GET", "/forgotten", "Bearer good", 500, "internal"},
		{"no such address", "GET", "/nowhere", "Bearer good", 404, "route.unknown"},
		{"no such method", "DELETE", "/1/things", "Bearer good", 405, "route.bad_method"},
		{"no redirect", "GET", "/1/things/", "Bearer good", 404, "route.unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := newRig(t, ok).do(tt.method, tt.path, tt.auth, "", "")
			if rec.Code != tt.status {
				t.Fatalf("status = %d %s, want %d", rec.Code, rec.Body, tt.status)
			}
			if got := rec.Header().Get("WWW-Authenticate"); (got == "Bearer") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate = %q", got)
			}
			if tt.code == "" {
				return
			}
			if p := read(t, rec); p.Code != tt.code {
				t.Errorf("code = %q, want %q", p.Code, tt.code)
			}
		})
	}
}

func TestWhatTheDocumentRefuses(t *testing.T) {
	at := func(pointer, detail string) map[string]string {
		return map[string]string{"pointer": pointer, "detail": detail}
	}
	const integer = "Serve un numero intero, senza decimali."
	for _, tt := range []struct {
		name, body string
		status     int
		code       string
		errors     []map[string]string
	}{
		{"fine", `{"name":"abc","cents":9007199254740993,"flag":true,"kind":"b","at":"2026-03-02T10:00:00+01:00","day":"2026-02-28","list":[{"n":-1}]}`, 200, "", nil},
		{"space around it", " {\"name\":\"abc\"}\r\n\t", 200, "", nil},
		{"nothing", ``, 400, "request.malformed", nil},
		{"cut off", `{"name":"abc"`, 400, "request.malformed", nil},
		{"a tail", `{"name":"abc"} {}`, 400, "request.malformed", nil},
		{"a tail of rubbish", `{"name":"abc"}x`, 400, "request.malformed", nil},
		{"a key twice", `{"name":"abc","name":"abd"}`, 400, "request.malformed", nil},
		{"a key twice, deep", `{"name":"abc","list":[{"n":1,"n":1}]}`, 400, "request.malformed", nil},
		{"a key twice, escaped", `{"name":"abc","n\u0061me":"abc"}`, 400, "request.malformed", nil},
		{"not UTF-8", "{\"name\":\"ab\xff\"}", 400, "request.malformed", nil},
		{"a comment", `{"name":"abc"/**/}`, 400, "request.malformed", nil},
		{"a trailing comma", `{"name":"abc",}`, 400, "request.malformed", nil},
		{"a leading zero", `{"name":"abc","cents":01}`, 400, "request.malformed", nil},
		{"NaN", `{"name":"abc","cents":NaN}`, 400, "request.malformed", nil},
		{"too deep", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), 400, "request.malformed", nil},
		{"not an object", `[]`, 422, "request.invalid", []map[string]string{at("", "Serve un oggetto.")}},
		{"null", `null`, 422, "request.invalid", []map[string]string{at("", "Il valore null non è ammesso.")}},
		{"missing", `{}`, 422, "request.invalid", []map[string]string{at("/name", "Campo obbligatorio mancante.")}},
		{"unknown", `{"name":"abc","Secret":1}`, 422, "request.invalid", []map[string]string{at("/Secret", "Campo non previsto.")}},
		{"unknown, other case", `{"name":"abc","Name":"abc"}`, 422, "request.invalid", []map[string]string{at("/Name", "Campo non previsto.")}},
		{"unknown, to be escaped", `{"name":"abc","a/b~c":1}`, 422, "request.invalid", []map[string]string{at("/a~1b~0c", "Campo non previsto.")}},
		{"wrong types", `{"name":7,"cents":"1","flag":1,"list":{}}`, 422, "request.invalid", []map[string]string{
			at("/cents", integer), at("/flag", "Serve true oppure false."), at("/list", "Serve un elenco."), at("/name", "Serve un testo.")}},
		{"null inside", `{"name":null}`, 422, "request.invalid", []map[string]string{at("/name", "Il valore null non è ammesso.")}},
		{"a fraction", `{"name":"abc","cents":10.5}`, 422, "request.invalid", []map[string]string{at("/cents", integer)}},
		{"a fraction that is whole", `{"name":"abc","cents":10.0}`, 422, "request.invalid", []map[string]string{at("/cents", integer)}},
		{"an exponent", `{"name":"abc","cents":1e2}`, 422, "request.invalid", []map[string]string{at("/cents", integer)}},
		{"beyond 64 bits", `{"name":"abc","cents":9223372036854775808}`, 422, "request.invalid", []map[string]string{at("/cents", integer)}},
		{"negative", `{"name":"abc","cents":-1}`, 422, "request.invalid", []map[string]string{at("/cents", "Numero fuori dai limiti: almeno 1.")}},
		{"too short", `{"name":"a"}`, 422, "request.invalid", []map[string]string{at("/name", "Lunghezza non ammessa: da 2 a 4 caratteri.")}},
		{"too long", `{"name":"abcde"}`, 422, "request.invalid", []map[string]string{at("/name", "Lunghezza non ammessa: da 2 a 4 caratteri.")}},
		{"other form", `{"name":"ABC"}`, 422, "request.invalid", []map[string]string{at("/name", "Formato non ammesso.")}},
		{"a line feed at the end", `{"name":"abc\n"}`, 422, "request.invalid", []map[string]string{at("/name", "Formato non ammesso.")}},
		{"not of the list", `{"name":"abc","kind":"c"}`, 422, "request.invalid", []map[string]string{at("/kind", "Valore non tra quelli previsti.")}},
		{"no such day", `{"name":"abc","day":"2026-02-29"}`, 422, "request.invalid", []map[string]string{at("/day", "Data o ora non valida.")}},
		{"a day before computers", `{"name":"abc","day":"0001-01-01"}`, 422, "request.invalid", []map[string]string{at("/day", "Data o ora non valida.")}},
		{"an instant without zone", `{"name":"abc","at":"2026-03-02T10:00:00"}`, 422, "request.invalid", []map[string]string{at("/at", "Data o ora non valida.")}},
		{"an hour that is not", `{"name":"abc","at":"2026-03-02T25:00:00Z"}`, 422, "request.invalid", []map[string]string{at("/at", "Data o ora non valida.")}},
		{"too few", `{"name":"abc","list":[]}`, 422, "request.invalid", []map[string]string{at("/list", "Numero di elementi non ammesso: da 1 a 2 elementi.")}},
		{"too many", `{"name":"abc","list":[{"n":1},{"n":1},{"n":1}]}`, 422, "request.invalid", []map[string]string{at("/list", "Numero di elementi non ammesso: da 1 a 2 elementi.")}},
		{"deep", `{"name":"abc","list":[{"n":1},{}]}`, 422, "request.invalid", []map[string]string{at("/list/1/n", "Campo obbligatorio mancante.")}},
		{"deep fraction", `{"name":"abc","list":[{"n":1},{"n":1.5}]}`, 422, "request.invalid", []map[string]string{at("/list/1/n", integer)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var arrived string
			r := newRig(t, func(c *gin.Context) error {
				b, err := c.GetRawData()
				arrived = string(b)
				return errors.Join(err, ok(c))
			})
			rec := r.do("POST", "/1/things", "Bearer good", "application/json; charset=utf-8", tt.body)
			if rec.Code != tt.status {
				t.Fatalf("= %d %s, want %d", rec.Code, rec.Body, tt.status)
			}
			if tt.status == 200 {
				if arrived != tt.body {
					t.Errorf("the handler got %q", arrived)
				}
				return
			}
			p := read(t, rec)
			if p.Code != tt.code {
				t.Errorf("code = %q, want %q", p.Code, tt.code)
			}
			if diff := cmp.Diff(tt.errors, p.Errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyWrongFieldsAreCut(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	rec := newRig(t, ok).do("POST", "/1/things", "Bearer good", "application/json", "{"+b.String()+`"name":"abc"}`)
	if p := read(t, rec); len(p.Errors) != 20 {
		t.Errorf("%d errors, want 20", len(p.Errors))
	}
}

func TestBodyLimits(t *testing.T) {
	fill := func(n int) string { return `{"name":"abc"` + strings.Repeat(" ", n-len(`{"name":"abc"}`)) + "}" }
	for _, tt := range []struct {
		name, media, body string
		status            int
		code              string
	}{
		{"as large as may be", "application/json", fill(64 << 10), 200, ""},
		{"one byte more", "application/json", fill(64<<10 + 1), 413, "request.too_large"},
		{"no media type", "", `{"name":"abc"}`, 415, "request.not_json"},
		{"a form", "application/x-www-form-urlencoded", `name=abc`, 415, "request.not_json"},
		{"text that is JSON", "text/plain", `{"name":"abc"}`, 415, "request.not_json"},
		{"a broken media type", "application/json; =", `{"name":"abc"}`, 415, "request.not_json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := newRig(t, ok).do("POST", "/1/things", "Bearer good", tt.media, tt.body)
			if rec.Code != tt.status {
				t.Fatalf("= %d %s, want %d", rec.Code, rec.Body, tt.status)
			}
			if tt.code != "" {
				if p := read(t, rec); p.Code != tt.code {
					t.Errorf("code = %q, want %q", p.Code, tt.code)
				}
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for query, want := range map[string][]map[string]string{
		"?day=2026-03-02":                  nil,
		"?limit=9&old=true&day=2026-03-02": nil,
		"":                                 {{"parameter": "day", "detail": "Parametro obbligatorio mancante."}},
		"?day=2026-02-29":                  {{"parameter": "day", "detail": "Data o ora non valida."}},
		"?limit=10&day=2026-03-02":         {{"parameter": "limit", "detail": "Numero fuori dai limiti: almeno 1 al massimo 9."}},
		"?limit=x&day=2026-03-02":          {{"parameter": "limit", "detail": "Serve un numero intero, senza decimali."}},
		"?limit=&day=2026-03-02":           {{"parameter": "limit", "detail": "Serve un numero intero, senza decimali."}},
		"?old=1&day=2026-03-02":            {{"parameter": "old", "detail": "Serve true oppure false."}},
		"?limit=1&limit=2&day=2026-03-02":  {{"parameter": "limit", "detail": "Il parametro è ripetuto."}},
		"?secret=RSSMRA&day=2026-03-02":    {{"parameter": "?", "detail": "L'indirizzo contiene parametri non previsti."}},
		"?limit=%zz&day=2026-03-02":        {{"parameter": "?", "detail": "I parametri dell'indirizzo non sono scritti correttamente."}},
	} {
		t.Run(query, func(t *testing.T) {
			r := newRig(t, ok)
			req := httptest.NewRequest("GET", "/1/things", nil)
			req.URL.RawQuery = strings.TrimPrefix(query, "?")
			req.Header.Set("Authorization", "Bearer good")
			rec := httptest.NewRecorder()
			r.ServeHTTP(rec, req)
			if want == nil {
				if rec.Code != 200 {
					t.Fatalf("= %d %s", rec.Code, rec.Body)
				}
				return
			}
			if diff := cmp.Diff(want, read(t, rec).Errors); diff != "" || rec.Code != 422 {
				t.Errorf("%d, errors (-want +got):\n%s", rec.Code, diff)
			}
		})
	}
	rec := newRig(t, ok).do("GET", "/x/things?day=2026-03-02", "Bearer good", "", "")
	if diff := cmp.Diff([]map[string]string{{"parameter": "cf", "detail": "Formato non ammesso."}}, read(t, rec).Errors); diff != "" {
		t.Errorf("path (-want +got):\n%s", diff)
	}
}

// TestLogHoldsNothingOfTheClient: paths, queries, headers, methods and bodies
// may hold anything.
func TestLogHoldsNothingOfTheClient(t *testing.T) {
	r := newRig(t, ok)
	r.do("GET", "/SECRET/things?limit=SECRET&SECRET=1", "Bearer good", "", "")
	r.do("GET", "/SECRET", "Bearer SECRET", "", "")
	r.do("SECRET", "/open", "", "", "")
	r.do("POST", "/1/things", "Bearer SECRET", "application/json", `{"name":"SECRET"}`)
	r.do("POST", "/1/things", "Bearer good", "application/json", `{"name":"SECRET","SECRET":"SECRET"}`)
	if log := r.log.String(); strings.Contains(log, "SECRET") || strings.Count(log, `"msg":"request"`) != 5 {
		t.Errorf("log:\n%s", log)
	}
	for _, want := range []string{`"route":"/:cf/things"`, `"status":422`, `"code":"request.invalid"`, `"method":"other"`} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, r.log.String())
		}
	}
}

func TestNewRefusesABrokenDocument(t *testing.T) {
	for name, doc := range map[string]string{
		"not YAML":   "\t",
		"no OpenAPI": "a: b",
		"two bodies": strings.Replace(document, "application/json:", "text/plain: {}\n          application/json:", 1),
	} {
		if _, err := web.New(web.Config{Contract: []byte(doc)}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
