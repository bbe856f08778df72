package ppaysim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/avviso"
)

// RESTBase is where the REST interface is. More abbreviations:
//
//	API    epayapi …/it/csi/epay/epayapi/api
//	SPLIT  epayservices …/business/v1/ChiamataEsternaSincronaSplitBean.java
//	OLD    epayservices …/business/ChiamataEsternaSincronaSplitBean.java
//	MB     epayservices …/business/v1/PagamentoMarcaDaBolloBean.java
const RESTBase = "/epayapi/api/v1"

// The scopes of a caller (API/v1/ChiamataEsternaSincronaV1Api.java).
const (
	scopeCreate = "CREAZIONE_IUV"
	scopeShared = "CREAZIONE_IUV_MULTIBEN"
	scopeRT     = "STAMPA_RT_GE"
	scopeStatus = "RICHIESTA_STATO_POS_DEB"
	scopeData   = "RICHIESTA_DATI_PAGAMENTO"
	scopeNotice = "STAMPA_AVVISO_PAGAMENTO"
	scopeStamp  = "STAMPA_XML_MB"
)

// Caller is a program that may use the REST interface. While there is none,
// whoever shows the credentials of SOAP may do everything (ours).
type Caller struct {
	Code       string   `json:"code"`
	Passphrase string   `json:"passphrase,omitempty"` // never shown again
	Scopes     []string `json:"scopes"`
	Types      []string `json:"types"` // "cf/codice versamento" each
}

// A restCall is one call, authenticated.
type restCall struct {
	sim    *Sim
	caller *Caller // nil: everything is allowed
	org    string
	code   string // codice versamento
	iuv    string
	body   []byte
	set    Settings
}

// mayType reports whether the caller is enabled for a payment type.
func (c restCall) mayType(cf, code string) bool {
	return c.caller == nil || slices.Contains(c.caller.Types, cf+"/"+code)
}

// A restAnswer is a body with a code in it.
type restAnswer interface{ code() string }

// esitoBody begins the answers of calls that create or pay.
type esitoBody struct {
	CodiceEsito      string `json:"codiceEsito"`
	DescrizioneEsito string `json:"descrizioneEsito"`
}

func (b esitoBody) code() string { return b.CodiceEsito }

func (v verdict) esito() esitoBody { return esitoBody{v.Code, v.Text} }

// resultBody ends the answers of the other calls. The YAML promises it bare for
// PUT and DELETE; in the source it is always inside (AbstractOutput.java).
type resultBody struct {
	Result struct {
		Code        string `json:"code"`
		Description string `json:"description"`
	} `json:"result"`
}

func (b resultBody) code() string { return b.Result.Code }

func (v verdict) result() (b resultBody) {
	b.Result.Code, b.Result.Description = v.Code, v.Text
	return b
}

// restStatus is the HTTP status of a code.
//
// parity:S18 API/impl/v1/ChiamataEsternaSincronaV1ApiImpl.java:491-505
func restStatus(code string) int {
	switch code {
	case "000":
		return http.StatusOK
	case "200":
		return http.StatusForbidden
	case "300":
		return http.StatusBadRequest
	default:
		return http.StatusInternalServerError
	}
}

// An apiError is what API/impl/ErrorHandlerApiImpl.java makes of an exception.
type apiError struct {
	Codice    string `json:"codice"`
	Status    int    `json:"status"`
	Messaggio string `json:"messaggio"`
	Dettagli  any    `json:"dettagli"`
}

// Error gives the code.
func (e *apiError) Error() string { return e.Codice }

func apiFailure(status int, code, text string) error {
	return &apiError{Codice: code, Status: status, Messaggio: text}
}

// rest adds the REST interface, and the control of its callers, to mux.
func (s *Sim) rest(mux *http.ServeMux) {
	const (
		typ = "/organizations/{org}/paymenttypes/{type}"
		pos = typ + "/debtpositions/{iuv}"
	)
	for pattern, op := range map[string]struct {
		scope string
		run   func(tx, restCall) (restAnswer, error)
	}{
		"POST " + typ + "/payment":                   {scopeCreate, restSpontaneous},
		"POST " + typ + "/debtpositions":             {scopeCreate, restCreate},
		"POST " + typ + "/debtpositions/multipayees": {scopeShared, restCreateShared},
		"PUT " + pos:                  {scopeCreate, restUpdate},
		"PUT " + pos + "/multipayees": {scopeShared, restUpdateShared},
		"DELETE " + pos:               {scopeCreate, restDelete},
		"POST /organizations/{org}/debtpositions/{iuv}/payment": {scopeCreate, restPayment},
		"POST " + typ + "/stamptaxpayment":                      {scopeCreate, restStampTax},
		"POST /rt":                                              {scopeRT, restRT},
		"GET " + pos + "/status":                                {scopeStatus, restPositionStatus},
		"GET " + pos + "/paymentdata":                           {scopeData, restPaymentData},
		"GET " + pos + "/paymentnotice":                         {scopeNotice, restNotice},
		"GET " + pos + "/stampTaxAttachment":                    {scopeStamp, restStampAttachment},
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+RESTBase+path, func(w http.ResponseWriter, r *http.Request) {
			s.serveREST(w, r, op.scope, op.run)
		})
	}
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"GET /control/v1/callers":    s.getCallers,
		"PUT /control/v1/callers":    s.putCallers,
		"GET /control/v1/rest/{iuv}": s.getRESTExtra,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := h(r)
			s.answer(w, r, v, err)
		})
	}
}

// serveREST answers one call. The fail modes of SOAP that break connections,
// refuse and delay work here too.
func (s *Sim) serveREST(w http.ResponseWriter, r *http.Request, scope string, run func(tx, restCall) (restAnswer, error)) {
	if s.spend(func(x *Settings) *int { return &x.DropRequestsNext }) {
		panic(http.ErrAbortHandler)
	}
	c := restCall{sim: s, org: r.PathValue("org"), code: r.PathValue("type"), iuv: r.PathValue("iuv"), set: s.Settings()}
	var (
		status int
		body   []byte
		read   error
	)
	if c.body, read = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); read != nil {
		if tooLarge := (*http.MaxBytesError)(nil); !errors.As(read, &tooLarge) {
			return // the caller went away
		}
	}
	err := s.update(func(t tx) (err error) {
		if c.caller, err = s.restCaller(t, r, scope); err != nil {
			return err
		}
		if err := checkPath(r); err != nil {
			return err
		}
		if read != nil {
			return apiFailure(http.StatusBadRequest, "HTTP_ERROR_READER_ERROR", "Il server non puo' interpretare la richiesta nel formato specificato.")
		}
		if s.spend(func(x *Settings) *int { return &x.RefuseNext }) {
			if n, _ := strconv.Atoi(c.set.RefuseCode); n >= 300 {
				return &apiError{Status: n}
			}
			v := verdict{c.set.RefuseCode, "Richiesta rifiutata dal simulatore"}
			status, body = restStatus(v.Code), mustJSON(struct {
				esitoBody
				resultBody
			}{v.esito(), v.result()})
			return nil
		}
		answer, err := run(t, c)
		if err != nil {
			return err
		}
		status, body = restStatus(answer.code()), mustJSON(answer)
		return s.record(t, Message{Direction: "in", Operation: "REST " + r.Method + " " + strings.TrimPrefix(r.URL.Path, RESTBase), CF: c.org, Code: answer.code(), Body: string(c.body), Answer: string(body)})
	})
	if failure, ok := errors.AsType[*apiError](err); ok {
		if status = failure.Status; failure.Codice != "" {
			body = mustJSON(failure)
		}
	} else if err != nil {
		s.log.Error("REST request failed", "route", r.Pattern, "err", err)
		status, body = http.StatusInternalServerError, mustJSON(&apiError{"HTTP_ERROR_UNEXPECTED", 500, "Si e' verificato un errore imprevisto.", nil})
	}
	if c.set.Slow > 0 {
		timer := time.NewTimer(time.Duration(c.set.Slow))
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
		}
	}
	if s.spend(func(x *Settings) *int { return &x.DropAnswersNext }) {
		panic(http.ErrAbortHandler)
	}
	if body == nil { // a container's page, or the simulator's refusal
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="epayapi"`)
		}
		http.Error(w, strconv.Itoa(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that has gone away learns nothing anyway
}

func mustJSON[T any](v T) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // impossible: texts, numbers, bytes and times within years
	}
	return raw
}

// restCaller is both checks of the credentials. The container's comes first and
// knows only its own (epayapi …/WEB-INF/web.xml:57-73), then the application looks
// for a caller with that passphrase (API …/ProfilazioneClientServiceImpl.java:90-110)
// and for the scope (API/interceptors/SecurityInterceptor.java).
func (s *Sim) restCaller(t tx, r *http.Request, scope string) (*Caller, error) {
	callers, _, err := get[[]Caller](t, bMeta, []byte(kCallers))
	if err != nil {
		return nil, err
	}
	user, password, ok := r.BasicAuth()
	if len(callers) == 0 {
		if s.user != "" && (!same(user, s.user) || !same(password, s.password)) {
			return nil, &apiError{Status: http.StatusUnauthorized}
		}
		return nil, nil
	}
	if !ok || user == "" {
		return nil, &apiError{Status: http.StatusUnauthorized}
	}
	i := slices.IndexFunc(callers, func(c Caller) bool { return c.Code == user })
	switch {
	case i < 0:
		return nil, apiFailure(http.StatusForbidden, "AUTH_FAILED_INVALID_CLIENT_CODE", "Nessun fruitore valido per il codice specificato")
	case !same(password, callers[i].Passphrase):
		return nil, apiFailure(http.StatusForbidden, "AUTH_FAILED_INVALID_PASSWORD", "Password non valida")
	case !slices.Contains(callers[i].Scopes, scope):
		return nil, apiFailure(http.StatusUnauthorized, "HTTP_ERROR_UNAUTHORIZED", "Non sei autorizzato a compiere l'operazione richiesta.")
	}
	return &callers[i], nil
}

const kCallers = "callers" // in the meta bucket

var (
	orgForm  = regexp.MustCompile(`\A[a-zA-Z0-9]{11,16}\z`)
	typeForm = regexp.MustCompile(`\A[a-zA-Z0-9]{4}\z`)
	iuvForm  = regexp.MustCompile(`\A[0-9]{17,35}\z`)
	stampIUV = regexp.MustCompile(`\A[a-zA-Z0-9]{17,35}\z`)
	mailForm = regexp.MustCompile(`\A[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*\z`)
	alnum    = regexp.MustCompile(`\A[a-zA-Z0-9]+\z`)
)

// checkPath: the patterns of API/v1/ChiamataEsternaSincronaV1Api.java:49-205; the
// status is that of API/impl/ErrorHandlerApiImpl.java.
func checkPath(r *http.Request) error {
	form := iuvForm
	if strings.HasSuffix(r.URL.Path, "/stampTaxAttachment") {
		form = stampIUV
	}
	for name, f := range map[string]*regexp.Regexp{"org": orgForm, "type": typeForm, "iuv": form} {
		if strings.Contains(r.Pattern, "{"+name+"}") && !f.MatchString(r.PathValue(name)) {
			return apiFailure(http.StatusBadRequest, "HTTP_ERROR_CONSTRAINT_VIOLATION_EXCEPTION_ARGS", "I dati inviati non sono validi: "+name+"; ")
		}
	}
	return nil
}

// decodeREST reads a body as Jackson does by default: an unknown field is an
// error (that the platform has not changed the default is an inference).
func decodeREST[T any](raw []byte) (v T, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || d.Decode(&struct{}{}) != io.EOF {
		return v, apiFailure(http.StatusBadRequest, "HTTP_ERROR_READER_ERROR", "Il server non puo' interpretare la richiesta nel formato specificato.")
	}
	return v, nil
}

// restAmount is an amount in a body. It may be negative, which only some calls
// look at; fractions of a cent and exponents cannot be read (ours).
type restAmount Cents

// UnmarshalJSON reads a JSON number.
func (a *restAmount) UnmarshalJSON(text []byte) error {
	digits, negative := strings.CutPrefix(string(text), "-")
	c, err := avviso.ParseDecimal(digits)
	if err != nil || strings.HasPrefix(digits, "+") {
		return errors.New("not an amount")
	}
	if negative {
		c = -c
	}
	*a = restAmount(c)
	return nil
}

// MarshalJSON writes a JSON number.
func (a restAmount) MarshalJSON() ([]byte, error) { return []byte(Cents(a).Decimal()), nil }

func (a *restAmount) cents() *Cents {
	if a == nil {
		return nil
	}
	return (*Cents)(a)
}

// restTime is a java.util.Date as Jackson reads and, by default, writes it:
// milliseconds out; milliseconds, ISO 8601 or a day at midnight UTC in.
type restTime struct{ time.Time }

// UnmarshalJSON reads what Jackson reads.
func (v *restTime) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	if ms, err := strconv.ParseInt(string(text), 10, 64); err == nil && ms > -1e14 && ms < 1e14 {
		v.Time = time.UnixMilli(ms).UTC()
		return nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			v.Time = t.UTC()
			return nil
		}
	}
	return errors.New("not a date")
}

// MarshalJSON writes milliseconds.
func (v restTime) MarshalJSON() ([]byte, error) {
	if v.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, v.UnixMilli(), 10), nil
}

// restExtra is what only REST knows of a position.
type restExtra struct {
	CostUpdate *bool  `json:"cost_update,omitempty"` // as the last PUT left it
	MainCents  *Cents `json:"main_cents,omitempty"`  // of a position of several creditors
	OtherCents *Cents `json:"other_cents,omitempty"`
	OtherCF    string `json:"other_cf,omitempty"`
	Hash       string `json:"hash,omitempty"` // of the document of a marca da bollo
	Document   string `json:"document,omitempty"`
}

func extraKey(iuv string) []byte { return []byte("rest/" + iuv) }

func (s *Sim) getRESTExtra(r *http.Request) (any, error) {
	var x restExtra
	err := s.view(func(t tx) (err error) {
		x, _, err = get[restExtra](t, bMeta, extraKey(r.PathValue("iuv")))
		return err
	})
	return x, err
}

func (s *Sim) getCallers(*http.Request) (any, error) {
	out := []Caller{}
	err := s.view(func(t tx) error {
		cs, _, err := get[[]Caller](t, bMeta, []byte(kCallers))
		for _, c := range cs {
			c.Passphrase = ""
			out = append(out, c)
		}
		return err
	})
	return map[string][]Caller{"callers": out}, err
}

// putCallers replaces all callers.
func (s *Sim) putCallers(r *http.Request) (any, error) {
	var in struct {
		Callers []Caller `json:"callers"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	for _, c := range in.Callers {
		if c.Code == "" || c.Passphrase == "" || strings.Contains(c.Code, ":") {
			return nil, badRequest("callers: code, without a colon, and passphrase")
		}
	}
	if err := s.update(func(t tx) error { return put(t, bMeta, []byte(kCallers), in.Callers) }); err != nil {
		return nil, err
	}
	return s.getCallers(r)
}
