package ppaysim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/ppay/ppaysim"
)

// exercise makes every kind of message, with everything optional and nothing.
func exercise(w *world) {
	w.Helper()
	a := w.pool(3)
	w.do(insert("POOL", "0.00", inactive("X")))               // 150
	w.do(insert("M0", "1.00", inactive("X")))                 // 155
	w.do(insert("M1", "0.00", inactive("P0"), inactive("X"))) // 050
	long := "<e:SoggettoPagatore><c:PersonaGiuridica><c:RagioneSociale>" + strings.Repeat("à&amp;", 35) + "</c:RagioneSociale></c:PersonaGiuridica><c:IdentificativoUnivocoFiscale>01234567890</c:IdentificativoUnivocoFiscale>" +
		"<c:Indirizzo>Via &lt;Roma&gt;</c:Indirizzo><c:Civico>1</c:Civico><c:CAP>10100</c:CAP><c:Localita>Torino</c:Localita><c:Provincia>TO</c:Provincia><c:Nazione>IT</c:Nazione><c:EMail>a@b.it</c:EMail></e:SoggettoPagatore>"
	w.do(update("U1", edit("P0", "", "42.00", long), edit("P1", "<e:DataScadenza>2026-12-31</e:DataScadenza>", "29.40", "<e:Motivazione> </e:Motivazione>"),
		edit(strings.Repeat("è", 50), "", "1.00", ""))) // a text above 200 characters
	w.do(update("U1", void("P2", ""))) // 150
	w.do(update("U2", void("P2", "")))
	for i, in := range []string{`"payer":{"company":true,"ragione_sociale":"ACME & C.","cf":"01234567890"}`, `"iur":"` + strings.Repeat("R", 35) + `"`, `"force":true`} {
		if ko := w.counter("pay", `{"avviso":"`+a[i]+`",`+in+`}`); ko != "" {
			w.Fatal(ko)
		}
	}
	w.must("PUT", "settings", `{"bus_down":true}`)
	w.must("POST", "notify", "")
	w.must("PUT", "settings", `{"bus_down":false}`)
	w.must("POST", "notify", "")
	w.step()
	w.send(update("BAD", edit("P0", "", "1,00", ""))) // 101
	w.send(insertAs("nobody", "MU01", "N", "0.00", inactive("A")))
}

func (w *world) messages() []ppaysim.Message {
	w.Helper()
	var out struct{ Messages []ppaysim.Message }
	w.control("GET", "messages", "", &out)
	return out.Messages
}

// TestMessagesAreValid validates all that was exchanged, answers included.
func TestMessagesAreValid(t *testing.T) {
	folders := ppaysim.ContractFolders(t)
	w := newWorld(t)
	exercise(w)
	kinds := map[string]bool{}
	bySchema := map[string][]string{}
	add := func(schema, envelope string) {
		bySchema[schema] = append(bySchema[schema], ppaysim.BodyOf(t, envelope))
	}
	for _, m := range w.messages() {
		kinds[m.Direction+" "+m.Operation] = true
		if m.Direction == "out" {
			add("EPaywso2EntiServiceTypes.xsd", m.Body)
			continue
		}
		if m.Code != "101" {
			add("Enti2EPaywsoServiceTypes.xsd", m.Body)
		}
		add("EPaywsoCommonTypes.xsd", m.Answer)
	}
	for _, folder := range folders {
		for schema, docs := range bySchema {
			ppaysim.Lint(t, filepath.Join(folder, schema), docs)
		}
	}
	if len(kinds) != 5 {
		t.Errorf("exchanged %v, want all five", kinds)
	}
}

// TestContractExamples sends the published examples.
func TestContractExamples(t *testing.T) {
	files, _ := filepath.Glob("/work/shared/contract/examples/[01]*.xml")
	if len(files) == 0 {
		t.Skip("no examples here")
	}
	w := newWorld(t)
	slices.Sort(files)
	got := map[string]string{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if i := strings.Index(text, "?>"); i >= 0 {
			text = text[i+2:]
		}
		before := len(w.calls)
		code := w.send(text)
		if w.step(); len(w.calls) > before {
			code += " " + w.last().codes()
		}
		got[filepath.Base(f)[:2]] = code
	}
	// 04 and 15, as large as the schema allows, are multi-beneficiary; 11 comes
	// after 10, which is the same annulment; 16 has a position nobody inserted.
	want := map[string]string{
		"01": "000 000 000", "02": "000 000 000 000 000", "03": "000 000 000", "04": "000 189", "05": "000 000 000",
		"10": "000 000 000", "11": "000 051 179", "12": "000 000 000", "13": "000 000 000", "14": "000 000 000", "15": "000 189", "16": "000 050 000 000 176",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestControlRefusals: what the control API does not take.
func TestControlRefusals(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "enti", `{"enti":[{"cf":"1","segregation":"1","types":[{"code":"A"}]}]}`, 400},
		{"PUT", "enti", `{"enti":[{"cf":"1","segregation":"12","types":[]}]}`, 400},
		{"PUT", "enti", `{"enti":[{"cf":"1","segregation":"12","types":[{"code":"ABCDE"}]}]}`, 400},
		{"PUT", "enti", `{"enti":[{"cf":"1","segregation":"12","types":[{"code":"A"},{"code":"A"}]}]}`, 400},
		{"PUT", "enti", `{"enti":[{"cf":"1","segregation":"12","types":[{"code":"A","kind":"X"}]}]}`, 400},
		{"PUT", "enti", `{"entes":[]}`, 400},
		{"PUT", "enti", `{`, 400},
		{"PUT", "settings", `{"delay_min":"1m"}`, 400},
		{"PUT", "settings", `{"slow":"-1s"}`, 400},
		{"PUT", "settings", `{"retries":-1}`, 400},
		{"PUT", "settings", `{"refuse_next":1}`, 400},
		{"PUT", "settings", `{"unknown":1}`, 400},
		{"PUT", "clock", `{}`, 400},
		{"PUT", "clock", `{"now":"2026-01-01T00:00:00Z","offset":"1h"}`, 400},
		{"POST", "pay", `{"avviso":"1","cents":-1}`, 400},
		{"POST", "pay", `{"avviso":"1","payer":{"nome":"Mario"}}`, 400},
		{"POST", "pay", `{"avviso":"1"}`, 404},
		{"POST", "deliveries/1/enable", ``, 404},
		{"GET", "positions?limit=0", ``, 400},
		{"GET", "positions?after=!", ``, 400},
		{"GET", "messages?after=x", ``, 400},
		{"DELETE", "positions", ``, 405},
	} {
		if got := w.control(tt.method, tt.path, tt.body, nil); got != tt.want {
			t.Errorf("%s %s %s: HTTP %d, want %d", tt.method, tt.path, tt.body, got, tt.want)
		}
	}
	if got := w.sim.Settings(); got != w.cfg.Settings {
		t.Errorf("a refused change was kept: %+v", got)
	}
}

// TestControlPages walks positions and the register page by page, and never
// shows a password.
func TestControlPages(t *testing.T) {
	w := newWorld(t)
	w.pool(7)
	for _, path := range []string{"positions", "register"} {
		n, after := 0, ""
		for {
			var out map[string]json.RawMessage
			w.control("GET", path+"?limit=3&after="+after, "", &out)
			var page []json.RawMessage
			if err := json.Unmarshal(out[path], &page); err != nil {
				t.Fatal(err)
			}
			n += len(page)
			if out["next"] == nil {
				break
			}
			if err := json.Unmarshal(out["next"], &after); err != nil {
				t.Fatal(err)
			}
		}
		if want := map[string]int{"positions": 7, "register": 1}[path]; n != want {
			t.Errorf("%d %s, want %d", n, path, want)
		}
	}
	var enti json.RawMessage
	w.control("GET", "enti", "", &enti)
	if strings.Contains(string(enti), "segreta") || !strings.Contains(string(enti), cf) {
		t.Errorf("%s", enti)
	}
}

// TestOverTheNetwork: the same handler behind a real server, where a dropped
// answer is a broken connection.
func TestOverTheNetwork(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.sim.Handler())
	defer srv.Close()
	send := func(id string) error {
		resp, err := http.Post(srv.URL+ppaysim.Endpoint, "text/xml", strings.NewReader(soap(insert(id, "0.00", inactive(id)))))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := send("A"); err != nil {
		t.Fatal(err)
	}
	w.must("PUT", "settings", `{"drop_answers_next":-1}`)
	if err := send("B"); err == nil {
		t.Error("the answer was not dropped")
	}
	if err := send("C"); err == nil {
		t.Error("-1 ended")
	}
	w.step()
	if es := w.esiti(); len(es) != 3 {
		t.Errorf("%d lists queued, want 3", len(es))
	}
}

// FuzzSOAP posts anything: a response or a fault comes back, always. The Sim
// remembers, so a repeated input runs other code, and minimising never ends: run
// it with -fuzzminimizetime=10x.
func FuzzSOAP(f *testing.F) {
	f.Add([]byte(soap(insert("M", "0.00", inactive("A")))))
	f.Add([]byte(soap(update("M", edit("A", "", "1.00", mario), void("B", "x")))))
	f.Add([]byte(soap("<e:X/>")))
	f.Add([]byte(soap("")))
	f.Add([]byte(`<!DOCTYPE x><x/>`))
	f.Add([]byte(``))
	f.Add([]byte("\xff\xfe<"))
	sim, err := ppaysim.Open(filepath.Join(f.TempDir(), "sim.db"), ppaysim.Config{
		Enti: []ppaysim.Creditor{{CF: cf, Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := sim.Close(); err != nil {
			f.Error(err)
		}
	})
	h := sim.Handler()
	f.Fuzz(func(t *testing.T, raw []byte) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("POST", ppaysim.Endpoint, strings.NewReader(string(raw))))
		got := rec.Body.String()
		if rec.Code == 200 != strings.Contains(got, "<c:EPaywsoServiceResponse>") || rec.Code == 500 != strings.Contains(got, "<s:Fault>") || rec.Code != 200 && rec.Code != 500 {
			t.Fatalf("HTTP %d: %s", rec.Code, got)
		}
		if _, err := sim.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
