package ppaysim_test

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/flussi"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/ppaysim"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// flowWorld has n positions, all paid: P0 with 42.00, P1 with 43.00 and so on,
// the second half with an accounting reference of its own.
func flowWorld(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t)
	w.cfg.Enti[0].FlowEndpoint, w.cfg.Enti[0].ReportEndpoint = listen+"/flussi", listen+"/rendicontazione"
	w.must("PUT", "enti", fmt.Sprintf(`{"enti":[{"cf":%q,"endpoint":%q,"flow_endpoint":"%s/flussi","report_endpoint":"%s/rendicontazione","user":"ppay","password":"segreta","segregation":"12",`+
		`"types":[{"code":"MU01","entries":[{"dsr":"9/1/"},{"year":2026,"number":"77","dsr":"9/2/"}]},{"code":"MU02"}]}]}`, cf, listen, listen, listen))
	avvisi := w.pool(n)
	for i, a := range avvisi {
		amount := multe.Cents(4200 + 100*i).Decimal()
		part := ""
		if i >= n/2 {
			part = fmt.Sprintf(`<e:ComponentiImporto><e:ComponenteImporto><e:Importo>%s</e:Importo><e:CausaleDescrittiva>x</e:CausaleDescrittiva><e:AnnoAccertamento>2026</e:AnnoAccertamento><e:NumeroAccertamento>77</e:NumeroAccertamento></e:ComponenteImporto></e:ComponentiImporto>`, amount)
		}
		p := fmt.Sprintf(`<e:PosizioneDaAggiornare><e:TipoAggiornamento>MODIFICA</e:TipoAggiornamento><e:IdPosizioneDebitoria>P%d</e:IdPosizioneDebitoria><e:ImportoTotale>%s</e:ImportoTotale>%s</e:PosizioneDaAggiornare>`, i, amount, part)
		if got := w.do(update(fmt.Sprint("U", i), p)); !strings.HasPrefix(got, "000") {
			t.Fatal(got)
		}
		if ko := w.counter("pay", fmt.Sprintf(`{"avviso":%q,"iur":"IUR%d","payer":%s}`, a, i, []string{`null`, `{"cf":"RSSMRA80A01L219M","cognome":"De Rossi","nome":"Mario"}`}[i%2])); ko != "" {
			t.Fatal(ko)
		}
	}
	return w
}

// sendFlow asks for a flow.
func (w *world) sendFlow(path, in string) (f ppaysim.Flow) {
	w.Helper()
	if status := w.control("POST", path, in, &f); status != 200 {
		w.Fatalf("%s %s: HTTP %d", path, in, status)
	}
	return f
}

// inside returns the document in a message, and the message.
func inside(t *testing.T, body, element string) (doc []byte, message string) {
	t.Helper()
	_, rest, _ := strings.Cut(body, element+">")
	text, _, _ := strings.Cut(rest, "<")
	doc, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(doc) == 0 {
		t.Fatalf("no document: %v in %s", err, body)
	}
	_, message, _ = strings.Cut(body, "<s:Body>")
	message, _, _ = strings.Cut(message, "</s:Body>")
	return doc, strings.Replace(message, ">", ` xmlns:c="http://www.csi.it/epay/epaywso/types">`, 1)
}

func TestS20FlowIsAsItIsMade(t *testing.T) {
	w := flowWorld(t, 4)
	w.calls = nil
	f := w.sendFlow("flows", `{"cf":"`+cf+`","unknown":1,"unknown_cents":500,"outcome":{"IUR3":"3","IUR2":"9"}}`)
	if len(w.calls) != 1 || f.State != ppaysim.FlowAcquired || len(f.Payments) != 4 {
		t.Fatalf("%d calls, %+v", len(w.calls), f)
	}
	c := w.calls[0]
	if c.action != `"http://www.csi.it/epay/epaywso/FlussiCompletiPSP/TrasmettiFlussiPagoPA"` || c.auth != "ppay:segreta" {
		t.Errorf("action %s, credentials %s", c.action, c.auth)
	}
	doc, message := inside(t, c.body, "f:FlussoCompleto")
	for _, want := range []string{
		"<c:flussoCompletoType xmlns:c=", "<c:EsitoPagamento>9<", "<c:EsitoPagamento>3<", "<c:ImportoSingoloVersamento>-45.00<", "<c:Nome>Mario</c:Nome>", "<c:Cognome>De Rossi</c:Cognome>",
		"<c:NumeroTotalePagamentiFlusso>5<", "<c:ImportoTotalePagamentiFlusso>89.00<", "<c:ImportoTotalePagamentiIntermediati>84.00<", "<c:AccertamentoNumero>77<", "<c:DataPagamento>2026-11-23T00:00:00.000+01:00<",
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("%s is not in %s", want, doc)
		}
	}
	if got := strings.Count(string(doc), "<c:AnagraficaPagatore>"); got != 2 || strings.Count(string(doc), "<c:SingolaRigaDettaglio>") != 4 {
		t.Errorf("%d payers in %s", got, doc)
	}
	if strings.Count(message, "<f:CodiceVersamento>MU01<") != 2 {
		t.Errorf("codes in %s", message)
	}
	again := w.sendFlow("flows/send", fmt.Sprintf(`{"cf":%q,"name":%q}`, cf, f.Name))
	if len(again.Sent) != 2 || again.Sent[0].Message == again.Sent[1].Message && again.Sent[0].At != again.Sent[1].At || len(again.Sent[0].Message) != 35 {
		t.Errorf("sent %+v", again.Sent)
	}
	valid(t, "EPayFlussiCompletiPSPType.xsd", message)
	// Apart from its root, and payers that are not there, the document keeps to its schema.
	repaired := strings.ReplaceAll(strings.ReplaceAll(string(doc), "c:flussoCompletoType", "k:FlussoCompleto"), "<k:FlussoCompleto xmlns:c=", `<k:FlussoCompleto xmlns:k="http://www.csi.it/epay/epaywso/FlussoCompleto" xmlns:c=`)
	d := xml.NewDecoder(strings.NewReader(repaired))
	for {
		if _, err := d.Token(); err != nil {
			if err.Error() != "EOF" {
				t.Error(err)
			}
			break
		}
	}

	r := w.sendFlow("flows/send", fmt.Sprintf(`{"cf":%q,"name":%q,"kind":"riversamento"}`, cf, f.Name))
	doc, message = inside(t, w.calls[len(w.calls)-1].body, "r:FlussoRiversamento")
	if r.State != ppaysim.FlowAcquired || strings.Count(string(doc), "<datiSingoliPagamenti>") != 5 || !strings.Contains(string(doc), "<singoloImportoPagato>5.00<") {
		t.Errorf("%s: %s", r.State, doc)
	}
	valid(t, "ServiziRendicontazioneTypes.xsd", message)
	valid(t, "FlussoRiversamento_1_0_4.xsd", string(doc))
	if status := w.control("POST", "flows", `{"cf":"`+cf+`"}`, nil); status != http.StatusConflict {
		t.Errorf("a flow of nothing: HTTP %d", status)
	}
	for in, want := range map[string]int{`{"cf":"x"}`: 400, `{"cf":"` + cf + `","kind":"x"}`: 400, `{"cf":"` + cf + `","outcome":{"a":"1"}}`: 400, `{"cf":"` + cf + `","unknown_cents":1}`: 400, `{"cf":"` + cf + `","unknown":-1}`: 400} {
		if status := w.control("POST", "flows", in, nil); status != want {
			t.Errorf("%s: HTTP %d", in, status)
		}
	}
	if status := w.control("POST", "flows/send", `{"cf":"x","name":"y"}`, nil); status != 404 {
		t.Errorf("an unknown flow: HTTP %d", status)
	}
}

// valid asks xmllint about a message by our own schemas.
func valid(t *testing.T, schema, doc string) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Log("xmllint is not installed")
		return
	}
	file := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", "../../../wsdl/"+schema, file).CombinedOutput(); err != nil {
		t.Errorf("%s: %s", schema, out)
	}
}

// TestS20WhatBecomesOfAFlow: only 000 acquires it, and whatever the answer it is
// not sent again by itself.
func TestS20WhatBecomesOfAFlow(t *testing.T) {
	answer := func(code string) string { return strings.Replace(ok000, "000", code, 1) }
	for name, test := range map[string]struct {
		status int
		body   string
		err    error
		want   ppaysim.FlowState
	}{
		"000":       {200, ok000, nil, ppaysim.FlowAcquired},
		"a warning": {200, answer("012"), nil, ppaysim.FlowRefused},
		"refused":   {200, answer("101"), nil, ppaysim.FlowRefused},
		"later":     {200, answer("200"), nil, ppaysim.FlowRefused},
		"HTTP 500":  {500, ok000, nil, ppaysim.FlowFailed},
		"no answer": {0, "", errors.New("broken"), ppaysim.FlowFailed},
		"not XML":   {200, "ok", nil, ppaysim.FlowFailed},
	} {
		t.Run(name, func(t *testing.T) {
			w := flowWorld(t, 1)
			w.listen = func(*http.Request) (int, string, error) { return test.status, test.body, test.err }
			f := w.sendFlow("flows", `{"cf":"`+cf+`"}`)
			calls := len(w.calls)
			w.listen = nil
			w.wait(48 * time.Hour)
			w.step()
			w.restart()
			flows := 0
			for _, c := range w.calls[calls:] {
				if strings.Contains(c.body, "TrasmettiFlussiPagoPA") {
					flows++
				}
			}
			var out struct{ Flows []ppaysim.Flow }
			w.control("GET", "flows?cf="+cf, "", &out)
			if f.State != test.want || flows != 0 || len(out.Flows) != 1 || out.Flows[0].State != test.want {
				t.Errorf("%s, %d sent again, kept %+v", f.State, flows, out.Flows)
			}
		})
	}
}

// TestS20AgainstOurSide sends notifications and flows to the real listener, and
// reconciles them to the cent.
func TestS20AgainstOurSide(t *testing.T) {
	w := flowWorld(t, 6)
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "ours.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	paid, flows := payments.New(s, w.clock), flussi.New(s, w.clock, flussi.DefaultDays)
	in := inbox.New(s, inbox.Config{
		Read: ppay.Read, HearFlusso: flows.Hear, Now: w.clock, Random: strings.NewReader(strings.Repeat("0123456789abcdef", 100)), Nudge: func() {},
		HearNotice: func(tx store.Tx, n multe.Notice, m multe.MessageID, at time.Time) error {
			return errors.Join(paid.Hear(tx, n, m, at), flows.Paid(tx, n, at))
		},
	})
	err = s.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutCreditor(multe.Creditor{ID: cf, CodiceVersamento: "MU01", PoolLow: 1, PoolTarget: 10, Version: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := ppay.NewListener(in, ppay.ListenerConfig{Callers: []ppay.Caller{{User: "ppay", Passwords: []ppay.Secret{ppay.NewSecret("segreta")}}}, Now: w.clock})
	w.listen = func(r *http.Request) (int, string, error) {
		rec := httptest.NewRecorder()
		again := httptest.NewRequest(http.MethodPost, r.URL.Path, strings.NewReader(w.calls[len(w.calls)-1].body))
		again.Header = r.Header
		listener.ServeHTTP(rec, again)
		return rec.Code, rec.Body.String(), nil
	}
	work := func() {
		t.Helper()
		if _, err := in.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f := w.sendFlow("flows", `{"cf":"`+cf+`","unknown":1,"unknown_cents":999,"outcome":{"IUR5":"3"}}`)
	r := w.sendFlow("flows/send", fmt.Sprintf(`{"cf":%q,"name":%q,"kind":"riversamento"}`, cf, f.Name))
	if f.State != ppaysim.FlowAcquired || r.State != ppaysim.FlowAcquired {
		t.Fatalf("%s, %s", f.State, r.State)
	}
	work()
	day := multe.DayOf(w.clock())
	look := func(want string) {
		t.Helper()
		es, err := flows.Accounting(t.Context(), cf, day, day)
		if err != nil {
			t.Fatal(err)
		}
		got := map[flussi.Match]int{}
		var sum multe.Cents
		for _, e := range es {
			got[e.Match]++
			sum += e.Cents
		}
		if text := fmt.Sprint(got, sum); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
	// One flow, of which the copy with accounting references is in force; the
	// payment that the platform does not know is missing from its rows.
	list, err := flows.List(t.Context(), cf, "", 10)
	if err != nil || len(list) != 1 || list[0].Cents-list[0].LinesCents != 999 || list[0].Kind != multe.FlussoCompleto || len(list[0].Copies) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	look("map[revoked:1 unknown:5] 17300") // 42, 43, 44, 45 and 46 euro, less 47
	w.must("POST", "notify", "")
	w.step()
	work()
	look("map[matched:5 revoked:1 waiting:1] 22000") // with the 47 that were paid before they went back
}
