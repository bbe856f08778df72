package ppaysim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/ppay/ppaysim"
)

// rest calls the REST interface; the path is below the organization of the world.
func (w *world) rest(method, path, body string) (status int, answer string) {
	w.Helper()
	return w.restAs("", "", method, "/organizations/"+cf+path, body)
}

func (w *world) restAs(user, password, method, path, body string) (status int, answer string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://ppay.test"+ppaysim.RESTBase+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	resp, err := (&http.Client{Transport: w.sim.Transport()}).Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// said is an answer in one line: its status and its code, of whichever form.
func said(status int, answer string) string {
	var b struct {
		CodiceEsito string
		Result      struct{ Code string }
		Codice      string
	}
	_ = json.Unmarshal([]byte(answer), &b) // a container's page has no code
	return strings.TrimSpace(fmt.Sprint(status, " ", b.CodiceEsito+b.Result.Code+b.Codice))
}

// call is rest in one line.
func (w *world) call(method, path, body string) string {
	w.Helper()
	return said(w.rest(method, path, body))
}

// create makes a position of type MU01 by REST and returns its IUV; more are
// fields besides the mandatory ones.
func (w *world) create(id, amount, more string) string {
	w.Helper()
	status, answer := w.rest("POST", "/paymenttypes/MU01/debtpositions", fmt.Sprintf(`{"identificativoPagamento":%q,"causale":"Preavviso","importo":%s,"codiceFiscalePartitaIVAPagatore":"ANONIMO","nome":"ANONIMO","cognome":"ANONIMO"%s}`, id, amount, more))
	var b struct{ IUV string }
	if err := json.Unmarshal([]byte(answer), &b); err != nil || status != 200 || b.IUV == "" {
		w.Fatalf("%s: HTTP %d, %v: %s", id, status, err, answer)
	}
	return b.IUV
}

func pos(iuv string) string { return "/paymenttypes/MU01/debtpositions/" + iuv }

const rossi = `"codiceFiscalePartitaIVAPagatore":"RSSMRA80A01L219M","nome":"Mario","cognome":"Rossi"`

// TestRESTCreate is the input checks in their order: each body mends what the one
// before it lacked.
func TestRESTCreate(t *testing.T) {
	w := newWorld(t)
	const path = "/paymenttypes/MU01/debtpositions"
	for _, c := range []struct{ body, want, text string }{
		{``, "400 HTTP_ERROR_READER_ERROR", ""},
		{`{"altro":1}`, "400 HTTP_ERROR_READER_ERROR", ""},
		{`{} {}`, "400 HTTP_ERROR_READER_ERROR", ""},
		{`{"importo":"1"}`, "400 HTTP_ERROR_READER_ERROR", ""},
		{`{"importo":1.001}`, "400 HTTP_ERROR_READER_ERROR", ""},
		{`{"dataScadenza":"domani"}`, "400 HTTP_ERROR_READER_ERROR", ""},
		{`{}`, "400 300", "identificativoPagamento e' obbligatorio"},
		{`{"identificativoPagamento":"` + strings.Repeat("x", 51) + `"}`, "400 300", "minore di 50"},
		{`{"identificativoPagamento":"A"}`, "400 300", "causale"},
		{`{"identificativoPagamento":"A","causale":"x"}`, "400 300", "importo e' obbligatorio"},
		{`{"identificativoPagamento":"A","causale":"x","importo":-0.01}`, "400 300", "importo non e' valido"},
		{`{"identificativoPagamento":"A","causale":"x","importo":0,"nome":"Mario"}`, "400 300", "nome e cognome"},
		{`{"identificativoPagamento":"A","causale":"x","importo":0,"nome":"Mario","cognome":"Rossi"}`, "400 300", "codiceFiscalePartitaIVAPagatore"},
		{`{"identificativoPagamento":"A","causale":"x","importo":0,` + rossi + `,"dataInizioValidita":"2026-12-02","dataFineValidita":"2026-12-01"}`, "400 300", "precedente"},
		{`{"identificativoPagamento":"A","causale":"x","importo":0,` + rossi + `,"email":"x"}`, "400 300", "email"},
		{`{"identificativoPagamento":"A","causale":"x","importo":0,` + rossi + `,"email":"a@b"}`, "200 000", ""}, // and 0 for somebody
		{`{"identificativoPagamento":"A","causale":"x","importo":0,` + rossi + `}`, "400 300", "duplicato"},
		{`{"identificativoPagamento":"B","causale":"x","importo":1,` + rossi + `,"componentiPagamento":[{"importo":0.5}]}`, "400 300", "somma"},
		{`{"identificativoPagamento":"B","causale":"x","importo":1,` + rossi + `}`, "400 300", "duplicato"}, // spent by the refusal
		{`{"identificativoPagamento":"C","causale":"x","importo":1,` + rossi + `,"componentiPagamento":[{"importo":1,"annoAccertamento":2026}]}`, "400 300", "Numero accertamento"},
		{`{"identificativoPagamento":"D","causale":"x","importo":1,` + rossi + `,"componentiPagamento":[{"importo":1,"numeroAccertamento":"1"}]}`, "400 300", "Anno accertamento"},
		{`{"identificativoPagamento":"E","causale":"x","importo":1,` + rossi + `,"componentiPagamento":[{"importo":1,"causale":"y"}]}`, "200 000", ""},
	} {
		status, answer := w.rest("POST", path, c.body)
		if got := said(status, answer); got != c.want || !strings.Contains(answer, c.text) {
			t.Errorf("%s: %s, want %s %s: %s", c.body, got, c.want, c.text, answer)
		}
	}
	// An id that SOAP has used is free for the trace, and fails later.
	w.pool(1)
	body := `{"identificativoPagamento":"P0","causale":"x","importo":1,` + rossi + `}`
	if got := w.call("POST", path, body); got != "500 100" {
		t.Errorf("an id of SOAP: %s", got)
	}
	w.create("S0", "0", "")
	if got := w.do(insert("AGAIN", "0.00", inactive("S0"))); got != "051 161" {
		t.Errorf("an id of REST: %s", got)
	}
}

// TestRESTCreateTypes is what the type, the catalogue and the IUV service say.
func TestRESTCreateTypes(t *testing.T) {
	w := newWorld(t)
	day := 24 * time.Hour
	types := []ppaysim.PaymentType{
		{Code: "MU01"}, {Code: "FUTU", Start: w.now.Add(day)}, {Code: "PAST", End: w.now.Add(-day)}, {Code: "LAST", End: w.now.Add(-time.Hour)},
		{Code: "MULT", Multi: true}, {Code: "NONE", Lookup: "missing"}, {Code: "TWO2", Lookup: "ambiguous"}, {Code: "NODS", Entries: []ppaysim.Entry{{Year: 2025, Number: "1"}}},
	}
	raw, err := json.Marshal(map[string][]ppaysim.Creditor{"enti": {{CF: cf, Segregation: "12", Types: types}, {CF: "11111111111", Segregation: "12", Types: types, Missing: true}}})
	if err != nil {
		t.Fatal(err)
	}
	w.must("PUT", "enti", string(raw))
	n := 0
	make := func(org, typ, kind string) string {
		n++
		amounts := `"importo":1`
		if kind != "" {
			amounts = `"importoTotale":1,"importoTotaleEntePrimario":0.4,"importoTotaleEntiSecondari":0.6`
		}
		return said(w.restAs("", "", "POST", "/organizations/"+org+"/paymenttypes/"+typ+"/debtpositions"+kind, fmt.Sprintf(`{"identificativoPagamento":"T%d","causale":"x",%s,%s}`, n, amounts, rossi)))
	}
	for typ, want := range map[string]string{"MU01": "200 000", "FUTU": "400 300", "PAST": "400 300", "LAST": "200 000", "MULT": "400 300", "NONE": "400 300", "TWO2": "400 300", "XXXX": "400 300", "NODS": "400 300"} {
		if got := make(cf, typ, ""); got != want {
			t.Errorf("%s: %s, want %s", typ, got, want)
		}
	}
	for typ, want := range map[string]string{"MU01": "400 300", "MULT": "200 000"} {
		if got := make(cf, typ, "/multipayees"); got != want {
			t.Errorf("several creditors, %s: %s, want %s", typ, got, want)
		}
	}
	for org, want := range map[string]string{"11111111111": "400 300", "22222222222": "400 300", "short": "400 HTTP_ERROR_CONSTRAINT_VIOLATION_EXCEPTION_ARGS"} {
		if got := make(org, "MU01", ""); got != want {
			t.Errorf("%s: %s, want %s", org, got, want)
		}
	}
	w.must("PUT", "settings", `{"iuv_down":true}`)
	if got := make(cf, "MU01", ""); got != "500 100" {
		t.Errorf("without IUVs: %s", got)
	}
}

// TestRESTUpdateRules are the checks of a PUT: their order is not that of SOAP.
func TestRESTUpdateRules(t *testing.T) {
	const ago, ahead = `"2026-11-22"`, `"2026-12-31"`
	for name, c := range map[string]struct {
		amount, more string // of the position
		before       string // what happens to it: pay, in-progress, DELETE
		body, want   string
	}{
		"nothing at all":               {"0", "", "", `{}`, "200 000"},
		"unknown field":                {"0", "", "", `{"debitore":"x"}`, "400 HTTP_ERROR_READER_ERROR"},
		"amount":                       {"0", "", "", `{"importo":29.4}`, "200 000"},
		"negative amount":              {"0", "", "", `{"importo":-1}`, "200 000"}, // nobody looks
		"debtor at zero":               {"0", "", "", `{` + rossi + `}`, "200 000"},
		"debtor at an amount":          {"5", "", "", `{` + rossi + `}`, "200 000"}, // SOAP: 196
		"debtor and amount":            {"5", "", "", `{"importo":1,` + rossi + `}`, "200 000"},
		"tax code alone is nobody":     {"5", "", "", `{"codiceFiscalePartitaIVAPagatore":"X"}`, "200 000"},
		"name alone":                   {"5", "", "", `{"nome":"Mario"}`, "500 169"},
		"surname alone":                {"5", "", "", `{"cognome":"Rossi"}`, "500 168"},
		"without tax code":             {"5", "", "", `{"nome":"Mario","cognome":"Rossi"}`, "500 167"},
		"company":                      {"5", "", "", `{"ragioneSociale":"Ditta","codiceFiscalePartitaIVAPagatore":"X"}`, "200 000"},
		"paid":                         {"5", "", "pay", `{"importo":1}`, "400 300"},
		"paid, before the debtor":      {"5", "", "pay", `{` + rossi + `}`, "400 300"}, // SOAP: 196
		"in progress":                  {"5", "", "in-progress", `{}`, "400 300"},
		"annulled":                     {"5", "", "DELETE", `{}`, "400 300"},
		"expired":                      {"5", `,"dataFineValidita":` + ago, "", `{"importo":1}`, "400 300"},
		"expired, revived":             {"5", `,"dataFineValidita":` + ago, "", `{"dataFineValidita":` + ahead + `}`, "200 000"},
		"expired, before the debtor":   {"5", `,"dataFineValidita":` + ago, "", `{"nome":"x"}`, "400 300"},
		"ends before it starts":        {"5", `,"dataInizioValidita":` + ahead, "", `{"dataFineValidita":"2026-12-01"}`, "400 300"},
		"half a reference":             {"5", "", "", `{"riferimentiPagamento":[{"nome":"Targa","valore":""}]}`, "400 300"},
		"reference":                    {"5", "", "", `{"riferimentiPagamento":[{"nome":"Targa","valore":"AB123CD"}]}`, "200 000"},
		"components":                   {"5", "", "", `{"importo":3,"componentiImporto":[{"importo":1,"causaleDescrittiva":"a"},{"importo":2,"causaleDescrittiva":"b"}]}`, "200 000"},
		"components, another sum":      {"5", "", "", `{"importo":4,"componentiImporto":[{"importo":3,"causaleDescrittiva":"a"}]}`, "400 300"},
		"components, no amount":        {"5", "", "", `{"componentiImporto":[{"importo":5,"causaleDescrittiva":"a"}]}`, "500 100"},
		"components, no text":          {"5", "", "", `{"importo":5,"componentiImporto":[{"importo":5}]}`, "400 300"},
		"components, no year":          {"5", "", "", `{"importo":5,"componentiImporto":[{"importo":5,"causaleDescrittiva":"a","numeroAccertamento":"1"}]}`, "400 300"},
		"components, unknown one":      {"5", "", "", `{"importo":5,"componentiImporto":[{"importo":5,"causaleDescrittiva":"a","annoAccertamento":2020,"numeroAccertamento":"9"}]}`, "200 000"}, // the default one
		"several creditors by the way": {"5", "", "", `{"importoTotale":5}`, "400 HTTP_ERROR_READER_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			iuv := w.create("R1", c.amount, c.more)
			switch c.before {
			case "":
			case "DELETE":
				if got := w.call("DELETE", pos(iuv), ""); got != "200 000" {
					t.Fatal(got)
				}
			default:
				w.must("POST", c.before, `{"iuv":"`+iuv+`"}`)
			}
			if got := w.call("PUT", pos(iuv), c.body); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestRESTWhere: what is wrong around the position.
func TestRESTWhere(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "enti", `{"enti":[{"cf":"`+cf+`","segregation":"12","types":[{"code":"MU01"},{"code":"MU02"},{"code":"REDS","kind":"REDS"},{"code":"MABL","kind":"MABL"},{"code":"SPON","kind":"PS"},{"code":"MULT","multi":true},{"code":"OLD1","end":"2026-01-01T00:00:00Z"}]}]}`)
	iuv := w.create("R1", "5", "")
	const bad = "400 HTTP_ERROR_CONSTRAINT_VIOLATION_EXCEPTION_ARGS"
	for _, c := range []struct{ path, put, del, get string }{
		{"/paymenttypes/MU02/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/XXXX/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/REDS/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/MABL/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/SPON/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/MULT/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/OLD1/debtpositions/" + iuv, "400 300", "400 300", "400 300"},
		{"/paymenttypes/MU01/debtpositions/99999999999999999", "400 300", "400 300", "400 300"},
		{"/paymenttypes/MU1/debtpositions/" + iuv, bad, bad, bad},
		{"/paymenttypes/MU01/debtpositions/123", bad, bad, bad},
		{"/paymenttypes/MU01/debtpositions/" + iuv[1:] + "x", bad, bad, bad},
		{pos(iuv), "200 000", "200 000", "200 000"},
	} {
		if got := w.call("PUT", c.path, `{}`); got != c.put {
			t.Errorf("PUT %s: %s, want %s", c.path, got, c.put)
		}
		for _, what := range []string{"/status", "/paymentdata"} {
			if got := w.call("GET", c.path+what, ""); got != c.get {
				t.Errorf("GET %s%s: %s, want %s", c.path, what, got, c.get)
			}
		}
		if got := w.call("DELETE", c.path, ""); got != c.del {
			t.Errorf("DELETE %s: %s, want %s", c.path, got, c.del)
		}
	}
}

// TestRESTUpdateWrites is what a PUT changes and what it leaves.
func TestRESTUpdateWrites(t *testing.T) {
	w := newWorld(t)
	iuv := w.create("R1", "5", `,"notePerIlPagatore":"prima","requiresCostUpdate":true`)
	cost := func() string {
		var x struct {
			Cost *bool `json:"cost_update"`
		}
		w.control("GET", "rest/"+iuv, "", &x)
		if x.Cost == nil {
			return "null"
		}
		return fmt.Sprint(*x.Cost)
	}
	if got := cost(); got != "true" {
		t.Errorf("requiresCostUpdate %s", got)
	}
	if got := w.call("PUT", pos(iuv), `{}`); got != "200 000" || cost() != "null" {
		t.Errorf("%s, requiresCostUpdate %s", got, cost())
	}
	p := w.position("R1")
	if p.Cents != 500 || p.Causale != "Preavviso" || p.Note != "prima" || p.Updated != 1 {
		t.Errorf("an empty PUT changed %+v", p)
	}
	if got := w.call("PUT", pos(iuv), `{"importo":7,"requiresCostUpdate":false,"ragioneSociale":" Ditta ","codiceFiscalePartitaIVAPagatore":" x1 ","email":"a@b.it"}`); got != "200 000" || cost() != "false" {
		t.Errorf("%s, requiresCostUpdate %s", got, cost())
	}
	// Of ANONIMO the names stay beside a company's; the tax code keeps its case.
	if d := w.position("R1").Debtor; !d.Company || d.RagioneSociale != "Ditta" || d.CF != "x1" || d.Cognome != "ANONIMO" || d.Nome != "ANONIMO" || d.EMail != "a@b.it" {
		t.Errorf("%+v", d)
	}
	if got := w.call("PUT", pos(iuv), `{`+rossi+`}`); got != "500 218" {
		t.Errorf("a second debtor: %s", got)
	}
	if p = w.position("R1"); len(p.Components) != 1 || p.Components[0].Cents != 700 {
		t.Errorf("the only component does not follow: %+v", p.Components)
	}
	// The reference of the catalogue fails after the rest was written, and that stays.
	w.must("PUT", "settings", `{"catalog_down":true}`)
	if got := w.call("PUT", pos(iuv), `{"importo":9,"causale":"nuova","componentiImporto":[{"importo":9,"causaleDescrittiva":"a"}]}`); got != "500 100" {
		t.Errorf("without a catalogue: %s", got)
	}
	if p = w.position("R1"); p.Causale != "nuova" || p.Cents != 900 {
		t.Errorf("%+v", p)
	}
	w.must("PUT", "settings", `{"catalog_down":false}`)
	if got := w.call("DELETE", pos(iuv), ""); got != "200 000" {
		t.Errorf("DELETE: %s", got)
	}
	if p = w.position("R1"); p.State != ppaysim.Void || p.Note != "prima" {
		t.Errorf("%+v", p)
	}
	if got := w.do(update("AFTER", edit("R1", "", "1.00", ""))); got != "051 179" {
		t.Errorf("SOAP after DELETE: %s", got)
	}
}

// TestRESTStatus is a position in time.
func TestRESTStatus(t *testing.T) {
	w := newWorld(t) // 23 November
	for id, c := range map[string]struct{ more, act, want string }{
		"A": {"", "", "1"},
		"B": {`,"dataInizioValidita":"2026-11-24T00:00:00+01:00"`, "", "3"},
		"C": {`,"dataInizioValidita":"2026-11-23T00:00:00+01:00"`, "", "1"},
		"D": {`,"dataFineValidita":"2026-11-22T00:00:00+01:00"`, "", "4"},
		"E": {`,"dataFineValidita":"2026-11-23T00:00:00+01:00"`, "", "1"},
		"F": {"", "in-progress", "1"},
		"G": {"", "pay", "0"},
		"H": {"", "DELETE", "2"},
		"I": {`,"dataFineValidita":1795302000000`, "", "4"}, // milliseconds
	} {
		iuv := w.create(id, "5", c.more)
		switch c.act {
		case "":
		case "DELETE":
			w.call("DELETE", pos(iuv), "")
		default:
			w.must("POST", c.act, `{"iuv":"`+iuv+`"}`)
		}
		_, answer := w.rest("GET", pos(iuv)+"/status", "")
		var b struct{ Code string }
		if err := json.Unmarshal([]byte(answer), &b); err != nil || b.Code != c.want {
			t.Errorf("%s: %v, %s, want %s", id, err, answer, c.want)
		}
	}
}

// TestRESTNotice: every refusal is 400, under HTTP 500.
func TestRESTNotice(t *testing.T) {
	w := newWorld(t)
	live := w.create("A", "5", "")
	zero := w.create("B", "0", "")
	rich := w.create("C", "1000000", "")
	past := w.create("D", "5", `,"dataFineValidita":"2026-11-22T00:00:00+01:00"`)
	paid := w.create("E", "5", "")
	w.must("POST", "pay", `{"iuv":"`+paid+`"}`)
	for _, c := range []struct{ path, want string }{
		{pos(live), "200 000"}, {pos(zero), "200 000"}, {pos(rich), "500 400"}, {pos(past), "500 400"}, {pos(paid), "500 400"}, {pos("99999999999999999"), "500 400"},
		{"/paymenttypes/XXXX/debtpositions/" + live, "500 400"},
		{"/paymenttypes/MU02/debtpositions/" + live, "200 000"}, // the type of the position is not compared
	} {
		if got := w.call("GET", c.path+"/paymentnotice", ""); got != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	if got := said(w.restAs("", "", "GET", "/organizations/22222222222"+pos(live)+"/paymentnotice", "")); got != "500 400" {
		t.Errorf("another creditor: %s", got)
	}
}

// TestRESTNoticeIsAPDF asks a reader of PDFs.
func TestRESTNoticeIsAPDF(t *testing.T) {
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		if strings.Contains(os.Getenv("PREAVVISO_TEST_REQUIRE"), "decoders") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	w := newWorld(t)
	iuv := w.create("A", "5", "")
	if got := w.call("PUT", pos(iuv), `{"causale":"a (b) \\ c è"}`); got != "200 000" {
		t.Fatal(got)
	}
	_, answer := w.rest("GET", pos(iuv)+"/paymentnotice", "")
	var b struct{ Paymentnotice string }
	if err := json.Unmarshal([]byte(answer), &b); err != nil {
		t.Fatal(err)
	}
	pdf, err := base64.StdEncoding.DecodeString(b.Paymentnotice)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool, path, "-").CombinedOutput()
	if want := "Avviso 3" + iuv + `, euro 5.00, a (b) \ c ?`; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

func TestRESTReceipt(t *testing.T) {
	w := newWorld(t)
	iuv := w.create("A", "5", "")
	rt := func(id, debtor, iuv, format, ente string) string {
		return said(w.restAs("", "", "POST", "/rt", fmt.Sprintf(`{"identificativoPagamento":%q,"codiceFiscale":%q,"iuv":%q,"formatoRT":%q,"codiceFiscaleEnte":%q}`, id, debtor, iuv, format, ente)))
	}
	if got := rt("A", "ANONIMO", iuv, "PDF", cf); got != "500 100" {
		t.Errorf("before it is paid: %s", got)
	}
	w.must("POST", "pay", `{"iuv":"`+iuv+`"}`)
	for _, c := range [][6]string{
		{"A", "ANONIMO", iuv, "PDF", cf, "200 000"}, {"A", "ANONIMO", iuv, "xml", cf, "200 000"},
		{"", "ANONIMO", iuv, "PDF", cf, "400 300"}, {"A", "", iuv, "PDF", cf, "400 300"}, {"A", "A-B", iuv, "PDF", cf, "400 300"}, {"A", "ANONIMO", "", "PDF", cf, "400 300"},
		{"A", "ANONIMO", "-", "PDF", cf, "400 300"}, {"A", "ANONIMO", iuv, "", cf, "400 300"}, {"A", "ANONIMO", iuv, "TXT", cf, "400 300"}, {"A", "ANONIMO", iuv, "PDF", "", "400 300"}, {"A", "ANONIMO", iuv, "PDF", "a b", "400 300"},
		{"A", "ANONIMO", "99999999999999999", "PDF", cf, "400 300"}, {"B", "ANONIMO", iuv, "PDF", cf, "400 300"}, {"A", "anonimo", iuv, "PDF", cf, "400 300"}, {"A", "ANONIMO", iuv, "PDF", "22222222222", "400 300"},
	} {
		if got := rt(c[0], c[1], c[2], c[3], c[4]); got != c[5] {
			t.Errorf("%q: %s", c, got)
		}
	}
}

func TestRESTPaymentOnline(t *testing.T) {
	w := newWorld(t)
	pay := func(org, iuv string) string {
		return said(w.restAs("", "", "POST", "/organizations/"+org+"/debtpositions/"+iuv+"/payment", ""))
	}
	iuv, zero, past := w.create("A", "5", ""), w.create("B", "0", ""), w.create("C", "5", `,"dataFineValidita":"2026-11-22T00:00:00+01:00"`)
	for _, c := range [][3]string{
		{cf, "99999999999999999", "400 300"}, {cf, zero, "500 100"}, {cf, past, "400 300"}, {"22222222222", iuv, "400 300"},
		{cf, iuv, "200 000"}, {cf, iuv, "400 300"}, // in progress
	} {
		if got := pay(c[0], c[1]); got != c[2] {
			t.Errorf("%q: %s", c, got)
		}
	}
	if got := w.do(update("U", edit("A", "", "1.00", ""))); got != "051 177" {
		t.Errorf("SOAP meanwhile: %s", got)
	}
	if got := w.call("POST", "/paymenttypes/MU01/payment", `{"identificativoPagamento":"S","causale":"x","importo":5,`+rossi+`}`); got != "200 000" {
		t.Errorf("spontaneous: %s", got)
	}
	if p := w.position("S"); p.State != ppaysim.Started {
		t.Errorf("%+v", p)
	}
}

func TestRESTStampTax(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "enti", `{"enti":[{"cf":"`+cf+`","segregation":"12","types":[{"code":"MU01"},{"code":"BOLL"},{"code":"ISTA","kind":"MABL"}]}]}`)
	n := 0
	stamp := func(fields string) (string, string) {
		n++
		status, answer := w.rest("POST", "/paymenttypes/BOLL/stamptaxpayment", fmt.Sprintf(`{"identificativoPagamento":"B%d",%s}`, n, fields))
		return said(status, answer), answer
	}
	hash := strings.Repeat("a", 44)
	base := `"causale":"x",` + rossi + `,"email":"a@b.it","provincia":"TO",`
	good := base + `"hashDocumento":"` + hash + `","importoBollo":16,"tipoBollo":"01","quantita":2,`
	for name, c := range map[string]struct{ fields, want string }{
		"good":               {good + `"flagSoloMarca":true`, "200 000"},
		"no flag":            {good + `"importo":1`, "500 100"},
		"no email":           {`"causale":"x",` + rossi, "400 300"},
		"bad email":          {`"causale":"x",` + rossi + `,"email":"x"`, "400 300"},
		"no causale":         {rossi, "400 300"},
		"no payer":           {`"causale":"x"`, "400 300"},
		"no tax code":        {`"causale":"x","nome":"a","cognome":"b","email":"a@b.it"`, "400 300"},
		"no hash":            {base + `"flagSoloMarca":true`, "400 300"},
		"no province":        {`"causale":"x",` + rossi + `,"email":"a@b.it","hashDocumento":"x"`, "400 300"},
		"short hash":         {base + `"hashDocumento":"x","importoBollo":16,"tipoBollo":"01","quantita":1,"flagSoloMarca":true`, "400 300"},
		"another amount":     {base + `"hashDocumento":"` + hash + `","importoBollo":2,"tipoBollo":"01","quantita":1,"flagSoloMarca":true`, "400 300"},
		"too many":           {base + `"hashDocumento":"` + hash + `","importoBollo":16,"tipoBollo":"01","quantita":11,"flagSoloMarca":true`, "400 300"},
		"nothing":            {base + `"hashDocumento":"` + hash + `","flagSoloMarca":true`, "500 100"},
		"document":           {good + `"flagSoloMarca":false,"tipoPagamento":"ISTA","importo":10`, "200 000"},
		"document of a type": {good + `"flagSoloMarca":false,"tipoPagamento":"MU01","importo":10`, "400 300"},
		"unknown type":       {good + `"flagSoloMarca":false,"tipoPagamento":"XXXX","importo":10`, "400 300"},
		"unknown document":   {good + `"flagSoloMarca":false,"iuvIstanzaAssociata":"99999999999999999"`, "400 300"},
	} {
		if got, answer := stamp(c.fields); got != c.want {
			t.Errorf("%s: %s, want %s: %s", name, got, c.want, answer)
		}
	}
	var b struct {
		IuvDocumento        string
		ElencoIuvMarcaBollo []string
	}
	_, answer := stamp(good + `"flagSoloMarca":false,"tipoPagamento":"ISTA","importo":10`)
	if err := json.Unmarshal([]byte(answer), &b); err != nil || b.IuvDocumento == "" || len(b.ElencoIuvMarcaBollo) != 2 {
		t.Fatalf("%v: %s", err, answer)
	}
	if got, answer := stamp(good + `"flagSoloMarca":false,"iuvIstanzaAssociata":"` + b.IuvDocumento + `"`); got != "200 000" {
		t.Errorf("a document that is there: %s: %s", got, answer)
	}
	for _, iuv := range append(b.ElencoIuvMarcaBollo, b.IuvDocumento) {
		w.must("POST", "pay", `{"iuv":"`+iuv+`"}`)
	}
	for path, want := range map[string]string{"BOLL/debtpositions/" + b.ElencoIuvMarcaBollo[0]: "200 000", "ISTA/debtpositions/" + b.IuvDocumento: "400 300", "BOLL/debtpositions/" + strings.Repeat("a", 17): "400 300"} {
		if got := w.call("GET", "/paymenttypes/"+path+"/stampTaxAttachment", ""); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestRESTCallers: the container, then the application, then its scopes.
func TestRESTCallers(t *testing.T) {
	w := newWorld(t)
	iuv := w.create("A", "5", "")
	status := func(user, password string) string {
		return said(w.restAs(user, password, "GET", "/organizations/"+cf+pos(iuv)+"/status", ""))
	}
	if got := status("", ""); got != "200 000" {
		t.Errorf("while there is no caller: %s", got)
	}
	w.must("PUT", "callers", `{"callers":[{"code":"a","passphrase":"p","scopes":["RICHIESTA_STATO_POS_DEB"],"types":["`+cf+`/MU01"]},{"code":"b","passphrase":"q","scopes":["CREAZIONE_IUV"],"types":["`+cf+`/MU01"]},{"code":"c","passphrase":"r","scopes":["RICHIESTA_STATO_POS_DEB","STAMPA_AVVISO_PAGAMENTO"],"types":[]}]}`)
	w.restart() // they are kept
	for _, c := range [][3]string{
		{"", "", "401"}, {"x", "p", "403 AUTH_FAILED_INVALID_CLIENT_CODE"}, {"a", "q", "403 AUTH_FAILED_INVALID_PASSWORD"}, {"a", "", "403 AUTH_FAILED_INVALID_PASSWORD"},
		{"b", "q", "401 HTTP_ERROR_UNAUTHORIZED"}, {"c", "r", "403 200"}, {"a", "p", "200 000"},
	} {
		if got := status(c[0], c[1]); got != c[2] {
			t.Errorf("%q: %s", c, got)
		}
	}
	if got := said(w.restAs("c", "r", "GET", "/organizations/"+cf+pos(iuv)+"/paymentnotice", "")); got != "500 400" {
		t.Errorf("a notice without the type: %s", got)
	}
	var raw json.RawMessage
	w.control("GET", "callers", "", &raw)
	if strings.Contains(string(raw), `"passphrase"`) {
		t.Errorf("passphrases are shown: %s", raw)
	}
	if got := w.control("PUT", "callers", `{"callers":[{"code":"a"}]}`, nil); got != 400 {
		t.Errorf("a caller without a passphrase: HTTP %d", got)
	}
}

// TestRESTIsRecorded: calls are among the messages, without credentials.
func TestRESTIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "callers", `{"callers":[{"code":"canarino","passphrase":"segretissima","scopes":["RICHIESTA_STATO_POS_DEB"],"types":[]}]}`)
	w.restAs("canarino", "segretissima", "GET", "/organizations/"+cf+pos("99999999999999999")+"/status", "")
	var out struct{ Messages []ppaysim.Message }
	w.control("GET", "messages", "", &out)
	if len(out.Messages) != 1 || !strings.HasPrefix(out.Messages[0].Operation, "REST GET /organizations/") || out.Messages[0].Code != "300" || strings.Contains(fmt.Sprint(out), "segretissima") {
		t.Errorf("%+v", out.Messages)
	}
}

// FuzzRESTBody sends any body to every call that has one: there is always an
// answer of the interface, never a crash.
func FuzzRESTBody(f *testing.F) {
	for _, s := range []string{``, `{}`, `null`, `[]`, `{"importo":1e9}`, `{"importo":-1.5,"dataFineValidita":1795302000000}`, `{"componentiImporto":[null]}`, `{"riferimentiPagamento":[{}]}`,
		`{"identificativoPagamento":"F","causale":"x","importo":1,` + rossi + `}`, `{"identificativoPagamento":"F","iuv":"1","formatoRT":"PDF"}`, `{"flagSoloMarca":null,"quantita":-1}`, `{"importoTotale":1}`} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, body []byte) {
		sim, err := ppaysim.Open(filepath.Join(dir, "fuzz.db"), ppaysim.Config{Enti: []ppaysim.Creditor{{CF: cf, Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}, {Code: "MULT", Multi: true}}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		for _, c := range [][2]string{
			{"POST", "/organizations/" + cf + "/paymenttypes/MU01/debtpositions"}, {"POST", "/organizations/" + cf + "/paymenttypes/MULT/debtpositions/multipayees"},
			{"PUT", "/organizations/" + cf + "/paymenttypes/MU01/debtpositions/12345678901234567"}, {"PUT", "/organizations/" + cf + "/paymenttypes/MULT/debtpositions/12345678901234567/multipayees"},
			{"POST", "/organizations/" + cf + "/paymenttypes/MU01/payment"}, {"POST", "/organizations/" + cf + "/paymenttypes/MU01/stamptaxpayment"}, {"POST", "/rt"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), c[0], "http://ppay.test"+ppaysim.RESTBase+c[1], strings.NewReader(string(body)))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := sim.Transport().RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := io.ReadAll(resp.Body)
			if s := said(resp.StatusCode, string(raw)); !json.Valid(raw) || !strings.Contains(s, " ") || strings.Contains(s, "UNEXPECTED") {
				t.Errorf("%s %s with %q: %s: %s", c[0], c[1], body, s, raw)
			}
		}
	})
}
