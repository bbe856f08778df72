package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"preavviso/internal/multe"
)

const (
	// maxBody is the largest request: a slip with every field full has 5 KiB. An
	// operation that needs more says so in the document, as extensionLimit.
	maxBody = 64 << 10
	// extensionLimit is the largest body of an operation, in bytes.
	extensionLimit = "x-max-body"
	// maxFields is how many wrong fields one answer names: enough to mend a form.
	maxFields = 20
)

// operation is one operation of the document.
type operation struct {
	*openapi3.Operation
	permission string // extension x-permission; "" if there is none
	repeat     string // extension x-idempotency; "" if there is none
	secret     bool   // extension x-secret

	schemes []string              // security schemes, any of which will do
	open    bool                  // anybody may call
	outside bool                  // takes no slot
	body    *openapi3.Schema      // of JSON; nil if it takes none
	raw     string                // media type of a body that is no JSON; "" if it takes none
	limit   int64                 // of the body, in bytes
	params  []*openapi3.Parameter // of the path and of the operation
}

// readContract reads and checks an OpenAPI document.
func readContract(doc []byte) (map[string]operation, error) {
	t, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	if err := t.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("checking the OpenAPI document: %w", err)
	}
	operations := map[string]operation{}
	for path, item := range t.Paths.Map() {
		for method, op := range item.Operations() {
			o := operation{Operation: op, limit: maxBody}
			if n, ok := op.Extensions[extensionLimit].(float64); ok {
				o.limit = int64(n)
			}
			security := t.Security
			if op.Security != nil {
				security = *op.Security
			}
			o.open = len(security) == 0
			for _, requirement := range security {
				o.open = o.open || len(requirement) == 0
				for scheme := range requirement {
					o.schemes = append(o.schemes, scheme)
				}
			}
			slices.Sort(o.schemes)
			o.outside, _ = op.Extensions[noAdmission].(bool)
			o.secret, _ = op.Extensions[extensionSecret].(bool)
			if o.repeat, _ = op.Extensions[extensionRepeat].(string); o.repeat != "" && o.repeat != repeatNatural && o.repeat != repeatKey {
				return nil, fmt.Errorf("operation %s: x-idempotency is %q", op.OperationID, o.repeat)
			}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				o.params = append(o.params, p.Value)
			}
			if op.RequestBody != nil {
				content := op.RequestBody.Value.Content
				if len(content) != 1 {
					return nil, fmt.Errorf("operation %s takes more than one kind of body", op.OperationID)
				}
				for kind, media := range content {
					if kind == "application/json" {
						o.body = media.Schema.Value
					} else {
						o.raw = kind
					}
				}
			}
			if x, given := op.Extensions["x-permission"]; given {
				permission, ok := x.(string)
				if !ok || permission == "" {
					return nil, fmt.Errorf("operation %s: x-permission is no text", op.OperationID)
				}
				o.permission = permission
			}
			operations[method+" "+path] = o
		}
	}
	return operations, nil
}

// routeKey names an operation as the document does, given gin's pattern.
func routeKey(method, pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return method + " " + strings.Join(parts, "/")
}

// check lets through only what the document describes.
func (s *Server) check(c *gin.Context) {
	op := s.operations[routeKey(c.Request.Method, c.FullPath())]
	fields := checkParameters(op, c)
	if op.raw != "" {
		body, ok := readBody(c, op.raw, op.limit)
		if !ok {
			return
		}
		c.Request.Body = io.NopCloser(bytes.NewReader(body))
	}
	if op.body != nil {
		body, ok := readBody(c, "application/json", op.limit)
		if !ok {
			return
		}
		v, err := parseJSON(body)
		if n, ok := errors.AsType[errNumber](err); ok {
			fields = append(fields, inBody(n.pointer, "Serve un numero intero, senza decimali."))
		} else if err != nil {
			refuse(c, http.StatusBadRequest, "request.malformed", "Il corpo della richiesta non è JSON valido.")
			return
		} else {
			fields = append(fields, checkSchema(op.body, v)...)
		}
		c.Request.Body = io.NopCloser(bytes.NewReader(body))
	}
	if len(fields) > 0 {
		refuseFields(c, fields)
	}
}

func refuseFields(c *gin.Context, fields []field) {
	refuse(c, http.StatusUnprocessableEntity, "request.invalid", "La richiesta non è valida: controllare i campi indicati.", fields...)
}

// Unbound answers a request that passed the document and still does not fit our
// types. It is the RequestErrorHandlerFunc of the generated code and should
// never be needed.
func (s *Server) Unbound(c *gin.Context, err error) {
	s.log.WarnContext(c.Request.Context(), "the document allows what the code cannot read", "route", c.FullPath(), "trace", trace(c))
	refuseFields(c, nil)
}

// readBody returns the whole body, or answers why not.
func readBody(c *gin.Context, kind string, limit int64) ([]byte, bool) {
	if media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || media != kind {
		code := "request.not_json"
		if kind != "application/json" {
			code = "request.bad_type"
		}
		refuse(c, http.StatusUnsupportedMediaType, code, "La richiesta deve avere Content-Type "+kind+".")
		return nil, false
	}
	return readAll(c, limit)
}

func readAll(c *gin.Context, limit int64) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		_, _ = io.CopyN(io.Discard, c.Request.Body, maxDrain) // who still sends does not read the answer
		refuse(c, http.StatusRequestEntityTooLarge, "request.too_large", "Quanto inviato è troppo grande: al massimo "+bytesItalian(limit)+".")
		return nil, false
	}
	if err != nil {
		refuse(c, http.StatusBadRequest, "request.malformed", "La richiesta non è arrivata per intero.")
		return nil, false
	}
	return body, true
}

// maxDrain is how much of a request that is too large is thrown away, so that the
// caller gets an answer and not a broken connection.
const maxDrain = 32 << 20

// bytesItalian says a size as people do.
func bytesItalian(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", n>>10)
}

// checkParameters checks path and query. A query parameter that is unknown or
// given twice is refused: a filter that is silently ignored misleads.
func checkParameters(op operation, c *gin.Context) []field {
	var fields []field
	bad := func(name, detail string) { fields = append(fields, field{Parameter: name, Detail: detail}) }
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		bad("?", "I parametri dell'indirizzo non sono scritti correttamente.")
	}
	for _, p := range op.params {
		var text string
		switch {
		case p.Name == headerKey: // see repeat
			continue
		case p.In == openapi3.ParameterInPath:
			text = c.Param(p.Name)
		case p.In == openapi3.ParameterInHeader:
			text = c.GetHeader(p.Name)
		case len(query[p.Name]) == 1:
			text = query[p.Name][0]
		case len(query[p.Name]) > 1:
			bad(p.Name, "Il parametro è ripetuto.")
		}
		given := p.In == openapi3.ParameterInPath || p.In == openapi3.ParameterInHeader && text != "" || p.In == openapi3.ParameterInQuery && len(query[p.Name]) == 1
		missing := p.Required && !given && (p.In != openapi3.ParameterInQuery || len(query[p.Name]) == 0)
		if p.In == openapi3.ParameterInQuery {
			delete(query, p.Name)
		}
		if missing {
			bad(p.Name, "Parametro obbligatorio mancante.")
		}
		if !given {
			continue
		}
		for _, f := range checkSchema(p.Schema.Value, typed(text, p.Schema.Value)) {
			bad(p.Name, f.Detail)
		}
	}
	if len(query) > 0 {
		bad("?", "L'indirizzo contiene parametri non previsti.") // their names may be anything
	}
	return fields[:min(len(fields), maxFields)]
}

// typed gives a parameter the JSON type that its schema wants, or leaves it a
// string, which the schema then refuses.
func typed(text string, s *openapi3.Schema) any {
	switch {
	case s.Type.Is("integer"):
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case s.Type.Is("boolean") && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}

// checkSchema returns what is wrong with v, by pointer.
func checkSchema(s *openapi3.Schema, v any) []field {
	err := s.VisitJSON(v, openapi3.MultiErrors(), openapi3.VisitAsRequest(),
		openapi3.WithStringFormatValidator("date", dayFormat{}),
		openapi3.WithStringFormatValidator("date-time", instantFormat{}))
	fields := explain(nil, err, map[string]bool{})
	slices.SortFunc(fields, func(a, b field) int {
		return cmp.Or(cmp.Compare(*a.Pointer, *b.Pointer), cmp.Compare(a.Detail, b.Detail))
	})
	return fields[:min(len(fields), maxFields)]
}

type dayFormat struct{}

func (dayFormat) Validate(s string) error {
	if d, err := multe.ParseDay(s); err != nil || d.Year < minYear {
		return errors.New("not a day")
	}
	return nil
}

type instantFormat struct{}

func (instantFormat) Validate(s string) error {
	if t, err := time.Parse(time.RFC3339, s); err != nil || t.Year() < minYear {
		return errors.New("not an instant")
	}
	return nil
}

// minYear keeps arithmetic on days and the stores away from the ends of time.
const minYear = 1970

// explain adds what err says to fields. kin-openapi reports every unknown key of
// an object by pointing at the object; objects holds those already looked
// through, for a body may have thousands of keys.
func explain(fields []field, err error, objects map[string]bool) []field {
	if all, ok := errors.AsType[openapi3.MultiError](err); ok {
		for _, e := range all {
			fields = explain(fields, e, objects)
		}
		return fields
	}
	if err == nil {
		return fields
	}
	e, ok := errors.AsType[*openapi3.SchemaError](err)
	if !ok {
		return append(fields, inBody("", "Valore non valido."))
	}
	pointer := ""
	for _, p := range e.JSONPointer() {
		pointer += "/" + escape(p)
	}
	if object, ok := e.Value.(map[string]any); ok && e.SchemaField == "properties" {
		if objects[pointer] {
			return fields
		}
		objects[pointer] = true
		for key := range object {
			if _, known := e.Schema.Properties[key]; !known {
				fields = append(fields, inBody(pointer+"/"+escape(key), "Campo non previsto."))
			}
		}
		return fields
	}
	return append(fields, inBody(pointer, sentence(e)))
}

func inBody(pointer, detail string) field { return field{Pointer: &pointer, Detail: detail} }

// sentence says in Italian which rule was broken, never with which value.
func sentence(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "required":
		return "Campo obbligatorio mancante."
	case "nullable":
		return "Il valore null non è ammesso."
	case "type":
		switch {
		case s.Type.Is("string"):
			return "Serve un testo."
		case s.Type.Is("integer"):
			return "Serve un numero intero, senza decimali."
		case s.Type.Is("boolean"):
			return "Serve true oppure false."
		case s.Type.Is("array"):
			return "Serve un elenco."
		}
		return "Serve un oggetto."
	case "minLength", "maxLength":
		return "Lunghezza non ammessa: " + bounds(s.MinLength, s.MaxLength, "caratteri")
	case "minItems", "maxItems":
		return "Numero di elementi non ammesso: " + bounds(s.MinItems, s.MaxItems, "elementi")
	case "minimum", "maximum":
		text := "Numero fuori dai limiti:"
		if s.Min != nil {
			text += fmt.Sprintf(" almeno %.0f", *s.Min)
		}
		if s.Max != nil {
			text += fmt.Sprintf(" al massimo %.0f", *s.Max)
		}
		return text + "."
	case "pattern":
		return "Formato non ammesso."
	case "format":
		return "Data o ora non valida."
	case "enum":
		return "Valore non tra quelli previsti."
	}
	return "Valore non valido."
}

func bounds(low uint64, high *uint64, unit string) string {
	if high == nil {
		return fmt.Sprintf("almeno %d %s.", low, unit)
	}
	return fmt.Sprintf("da %d a %d %s.", low, *high, unit)
}

// escape writes a key as one step of a JSON Pointer (RFC 6901 §3).
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// UnboundParameter is Unbound for path and query: the ErrorHandler of the
// generated code.
func (s *Server) UnboundParameter(c *gin.Context, err error, _ int) { s.Unbound(c, err) }
