package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
)

// Refusal is the platform's no to one call. Nothing was done, unless Verdict is
// multe.VerdictUnknown. It is also a *multe.Refusal, for callers that do not know
// this package.
type Refusal struct {
	Status  int // of HTTP
	Code    string
	Verdict multe.Verdict
	Text    string // the platform's, for people; it may quote what was sent
}

// Error gives code and status only.
func (r *Refusal) Error() string {
	return fmt.Sprintf("piemontepay refused the call with code %s (HTTP status %d)", r.Code, r.Status)
}

// Unwrap returns the refusal without HTTP.
func (r *Refusal) Unwrap() error { return &multe.Refusal{Code: r.Code, Verdict: r.Verdict} }

// An envelope is the result of a call, in any of the forms it takes:
//
//	{"codiceEsito", "descrizioneEsito", …}     calls that create or pay
//	{"result": {"code", "description"}, …}     the others, in the source
//	{"code", "description"}                    PUT and DELETE, in the YAML
//	{"codice", "messaggio", "status"}          errors of the API itself
type envelope struct {
	CodiceEsito      string `json:"codiceEsito"`
	DescrizioneEsito string `json:"descrizioneEsito"`
	Result           *struct {
		Code        string `json:"code"`
		Description string `json:"description"`
	} `json:"result"`
	Code        string `json:"code"`
	Description string `json:"description"`
	Codice      string `json:"codice"`
}

// result returns the code and text of the platform; no code if there is none of
// three digits.
func (e envelope) result() (code, text string) {
	switch {
	case e.Result != nil:
		code, text = e.Result.Code, e.Result.Description
	case e.CodiceEsito != "":
		code, text = e.CodiceEsito, e.DescrizioneEsito
	default:
		code, text = e.Code, e.Description
	}
	if len(code) != 3 || strings.Trim(code, "0123456789") != "" {
		return "", ""
	}
	return code, text
}

// read decides what an answer says. With 000 it fills out. With a [Refusal] it
// fills what the answer has of it.
func read[T any](status int, raw []byte, out *T) error {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		e = envelope{}
	}
	code, text := e.result()
	success := status >= 200 && status < 300
	switch {
	case code == "000" && success:
		if err := json.Unmarshal(raw, out); err != nil {
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
		return nil
	case code == "000":
		return fmt.Errorf("%w: code 000 with HTTP status %d", errAnswer, status)
	case code != "":
		var partial T
		if json.Unmarshal(raw, &partial) == nil {
			*out = partial
		}
		return &Refusal{Status: status, Code: code, Verdict: ppay.VerdictOf(ppay.PlaceREST, code), Text: readable(text)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.Wrap(fault.Unavailable, "ppay.auth", "PiemontePAY ha rifiutato le credenziali, o il chiamante non è abilitato all'operazione: verificarle.", fmt.Errorf("HTTP status %d", status))
	case status == http.StatusBadRequest && e.Codice != "":
		return fault.Wrap(fault.Invalid, "ppay.rejected", "PiemontePAY ha giudicato la richiesta mal formata: non è stata eseguita.", fmt.Errorf("HTTP status %d", status))
	default:
		return fmt.Errorf("%w: no code, HTTP status %d", errAnswer, status)
	}
}

// errAnswer is an answer that says nothing.
var errAnswer = errors.New("answer cannot be understood")

// maxText is above the 200 characters to which the platform cuts its messages.
const maxText = 500

// readable is s without what could move a terminal's cursor, cut to maxText.
func readable(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxText {
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
