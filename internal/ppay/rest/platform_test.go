package rest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/ppaysim"
	"preavviso/internal/ppay/rest"
)

// TestEveryOperationEveryStatus tells the simulator to refuse with each code and
// status, and to break connections, and makes every call.
func TestEveryOperationEveryStatus(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ setting, want string }{
		{`{"refuse_next":1,"refuse_code":"100"}`, "100 unknown"},
		{`{"refuse_next":1,"refuse_code":"168"}`, "168 refused"},
		{`{"refuse_next":1,"refuse_code":"189"}`, "189 fix"},
		{`{"refuse_next":1,"refuse_code":"200"}`, "200 fix"},
		{`{"refuse_next":1,"refuse_code":"218"}`, "218 refused"},
		{`{"refuse_next":1,"refuse_code":"299"}`, "299 unknown"},
		{`{"refuse_next":1,"refuse_code":"401"}`, "ppay.auth"},
		{`{"refuse_next":1,"refuse_code":"403"}`, "ppay.auth"},
		{`{"refuse_next":1,"refuse_code":"404"}`, "lost"},
		{`{"refuse_next":1,"refuse_code":"500"}`, "lost"},
		{`{"refuse_next":1,"refuse_code":"503"}`, "lost"},
		{`{"drop_requests_next":1}`, "lost"},
		{`{"drop_answers_next":1}`, "lost"},
	} {
		for _, op := range operations() {
			w.control("PUT", "settings", c.setting, nil)
			want := c.want
			if want == "lost" {
				want = map[bool]string{true: "ppay.no_answer", false: "ppay.unknown_outcome"}[op.method == "GET"]
			}
			if got := kindOf(op.call(t.Context(), w.client)); got != want {
				t.Errorf("%s, %s: %s, want %s", op.name, c.setting, got, want)
			}
		}
	}
}

// TestLife is a position from its making to its receipt.
func TestLife(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ref := w.inactive("P1")
	if ref.ID != "P1" || ref.Number.IUV() != ref.IUV {
		t.Fatalf("%+v", ref)
	}
	day := rest.Date{Year: 2026, Month: 12, Day: 24}
	if err := w.client.Update(ctx, creditor, typ, ref.IUV, rest.Update{Cents: cents(2940), Causale: "Preavviso 7", Reason: "nota", To: day, Due: day,
		References: []rest.Reference{{Name: "Targa", Value: "AB123CD"}}, CostUpdate: true}); err != nil {
		t.Fatal(err)
	}
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	p := w.position(ref.IUV)
	if midnight := time.Date(2026, 12, 24, 0, 0, 0, 0, rome); p.Cents != 2940 || p.Causale != "Preavviso 7" || p.Note != "nota" || !p.To.Equal(midnight) || !p.Due.Equal(midnight) ||
		!cmp.Equal(p.References, []ppaysim.Reference{{Name: "Targa", Value: "AB123CD"}}) || p.Updated != 1 {
		t.Errorf("%+v", p)
	}
	// Late owner: SOAP would say 196. And the cost flag is gone, since it was not said again.
	w.costUpdate(ref.IUV, "true")
	if err := w.client.Update(ctx, creditor, typ, ref.IUV, rest.Update{Payer: mario}); err != nil {
		t.Fatal(err)
	}
	w.costUpdate(ref.IUV, "")
	if p = w.position(ref.IUV); p.Debtor.CF != string(mario.CF) || p.Debtor.Cognome != "Rossi" || p.Cents != 2940 {
		t.Errorf("%+v", p.Debtor)
	}
	if got := kindOf(w.client.Update(ctx, creditor, typ, ref.IUV, rest.Update{Payer: mario})); got != "218 refused" {
		t.Errorf("a second debtor: %s", got)
	}
	data, err := w.client.PaymentData(ctx, creditor, typ, ref.IUV)
	if err != nil || *data.Cents != 2940 || data.CF != mario.CF || data.Debtor != "Mario Rossi" || data.Avviso != ref.Number.String() || data.Causale != "Preavviso 7" || data.IUR != "" || !data.Operation.IsZero() {
		t.Errorf("%v, %+v", err, *data.Cents)
	}
	pdf, err := w.client.Notice(ctx, creditor, typ, ref.IUV)
	if err != nil || !bytes.Contains(pdf, []byte(ref.Number.String())) {
		t.Errorf("%v: %s", err, pdf)
	}
	receipt := rest.ReceiptRequest{ID: "P1", CF: mario.CF, IUV: ref.IUV, Format: "PDF", Creditor: creditor}
	if _, err := w.client.Receipt(ctx, receipt); kindOf(err) != "100 unknown" {
		t.Errorf("a receipt of nothing: %v", err)
	}
	url, err := w.client.PaymentURL(ctx, creditor, ref.IUV)
	if err != nil || url.IUV != ref.IUV || !strings.HasPrefix(url.URL, "https://") {
		t.Errorf("%v, %+v", err, url)
	}
	if got := kindOf(w.client.Delete(ctx, creditor, typ, ref.IUV)); got != "300 fix" {
		t.Errorf("deleting while somebody pays: %s", got)
	}
	w.state(ref.IUV, rest.StateUnpaid) // also while somebody pays
	w.control("POST", "pay", `{"iuv":"`+ref.IUV+`"}`, nil)
	w.state(ref.IUV, rest.StatePaid)
	if data, err = w.client.PaymentData(ctx, creditor, typ, ref.IUV); err != nil || data.IUR == "" || data.PSP == "" || data.Operation.IsZero() || data.Transaction == "" {
		t.Errorf("%v, %q %q", err, data.IUR, data.PSP)
	}
	r, err := w.client.Receipt(ctx, receipt)
	if err != nil || r.Kind != "RECEIPT" || !bytes.HasPrefix(r.PDF, []byte("%PDF-")) || r.XML != nil || r.State == "" || r.IUV != ref.IUV {
		t.Errorf("%v, %+v", err, r)
	}
	receipt.Format = "XML"
	if r, err = w.client.Receipt(ctx, receipt); err != nil || r.PDF != nil || r.XML != nil {
		t.Errorf("%v, %+v", err, r)
	}
	receipt.CF = "ANONIMO"
	if _, err = w.client.Receipt(ctx, receipt); kindOf(err) != "300 fix" {
		t.Errorf("by another tax code: %v", err)
	}
	if _, err := w.client.Notice(ctx, creditor, typ, ref.IUV); kindOf(err) != "400 refused" {
		t.Errorf("the notice of a paid position: %v", err)
	}
}

func (w *world) state(iuv string, want rest.State) {
	w.Helper()
	s, err := w.client.Status(w.Context(), creditor, typ, iuv)
	if err != nil || s.State != want || s.Text == "" {
		w.Errorf("%v, %+v, want %s", err, s, want)
	}
}

func (w *world) costUpdate(iuv, want string) {
	w.Helper()
	var x struct {
		Cost *bool `json:"cost_update"`
	}
	w.control("GET", "rest/"+iuv, "", &x)
	got := ""
	if x.Cost != nil {
		got = fmt.Sprint(*x.Cost)
	}
	if got != want {
		w.Errorf("requiresCostUpdate is %q, want %q", got, want)
	}
}

// TestOneUpdateOfEverything: what SOAP needs two updates for, here is one.
func TestOneUpdateOfEverything(t *testing.T) {
	w := newWorld(t)
	ref := w.inactive("P1")
	if err := w.client.Update(t.Context(), creditor, typ, ref.IUV, rest.Update{Payer: rest.Payer{CF: "01234567890", Company: "Ditta S.r.l."}, Cents: cents(100),
		Components: []rest.UpdateComponent{{Cents: 60, Causale: "sanzione"}, {Cents: 40, Causale: "spese"}}}); err != nil {
		t.Fatal(err)
	}
	if p := w.position(ref.IUV); p.Cents != 100 || len(p.Components) != 2 || p.Debtor.RagioneSociale != "Ditta S.r.l." || !p.Debtor.Company {
		t.Errorf("%+v", p)
	}
}

func TestShared(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ref, err := w.client.CreateShared(ctx, creditor, shared, two())
	if err != nil {
		t.Fatal(err)
	}
	data, err := w.client.PaymentData(ctx, creditor, shared, ref.IUV)
	if err != nil || *data.Cents != 3000 || *data.MainCents != 2940 || len(data.Shares) != 1 || *data.Shares[0].Cents != 60 || data.Shares[0].Creditor != "11111111111" {
		t.Errorf("%v, %+v", err, data.Shares)
	}
	if err := w.client.UpdateShared(ctx, creditor, shared, ref.IUV, rest.SharedPosition{Cents: cents(10), MainCents: cents(4), OtherCents: cents(6)}); err != nil {
		t.Fatal(err)
	}
	if data, err = w.client.PaymentData(ctx, creditor, shared, ref.IUV); err != nil || *data.Cents != 10 || *data.Shares[0].Cents != 6 {
		t.Errorf("%v, %v", err, *data.Cents)
	}
	// Each kind of position has its own calls.
	if got := kindOf(w.client.Update(ctx, creditor, shared, ref.IUV, rest.Update{Cents: cents(1)})); got != "300 fix" {
		t.Error(got)
	}
	if got := kindOf(w.client.UpdateShared(ctx, creditor, typ, w.due("P2", 1).IUV, rest.SharedPosition{Causale: "x"})); got != "300 fix" {
		t.Error(got)
	}
	p := two()
	p.ID = "P3"
	if _, err := w.client.CreateShared(ctx, creditor, typ, p); kindOf(err) != "300 fix" {
		t.Error(err)
	}
	if _, err := w.client.Create(ctx, creditor, shared, rest.NewPosition{Payer: mario, ID: "P4", Causale: "x", Cents: cents(1)}); kindOf(err) != "300 fix" {
		t.Error(err)
	}
}

func TestPayAndStampTax(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ref, err := w.client.Pay(ctx, creditor, typ, rest.Spontaneous{Payer: mario, ID: "S1", Causale: "Mensa", Cents: cents(500)})
	if err != nil || ref.IUV == "" || ref.URL == "" || w.position(ref.IUV).State != ppaysim.Started {
		t.Errorf("%v, %+v", err, ref)
	}
	s := stamp("B1")
	s.Hash, s.Quantity = strings.Repeat("a", 43)+"=", 2
	got, err := w.client.StampTax(ctx, creditor, document, s)
	if err != nil || len(got.Stamps) != 2 || got.Document != "" || got.URL == "" {
		t.Fatalf("%v, %+v", err, got)
	}
	if _, err := w.client.StampTaxAttachment(ctx, creditor, document, got.Stamps[0]); kindOf(err) != "300 fix" {
		t.Errorf("before it is paid: %v", err)
	}
	w.control("POST", "pay", `{"iuv":"`+got.Stamps[0]+`"}`, nil)
	xml, err := w.client.StampTaxAttachment(ctx, creditor, document, got.Stamps[0])
	if err != nil || !bytes.Contains(xml, []byte(s.Hash)) {
		t.Errorf("%v, %s", err, xml)
	}
	if _, err := w.client.StampTax(ctx, creditor, document, s); kindOf(err) != "300 fix" {
		t.Errorf("the same id: %v", err)
	}
	s.ID, s.Only, s.Type, s.Cents = "B2", false, document, cents(1000)
	if got, err = w.client.StampTax(ctx, creditor, document, s); err != nil || got.Document == "" || len(got.Stamps) != 2 {
		t.Errorf("%v, %+v", err, got)
	}
	s.ID, s.Type = "B3", typ
	if _, err := w.client.StampTax(ctx, creditor, document, s); kindOf(err) != "300 fix" {
		t.Errorf("a document without marca: %v", err)
	}
	s.ID, s.StampCents, s.Only = "B4", cents(200), true
	if _, err := w.client.StampTax(ctx, creditor, document, s); kindOf(err) != "300 fix" {
		t.Errorf("a marca of 2 euro: %v", err)
	}
}

// TestIDsAreSpent: an identificativo is taken once for the whole platform, also by
// what was then refused.
func TestIDsAreSpent(t *testing.T) {
	w := newWorld(t)
	make := func(id multe.PositionID, typ string) string {
		_, err := w.client.Create(t.Context(), creditor, typ, rest.NewPosition{Payer: mario, ID: id, Causale: "x", Cents: cents(1)})
		return kindOf(err)
	}
	for _, c := range []struct {
		id        multe.PositionID
		typ, want string
	}{{"A", typ, "done"}, {"A", typ, "300 fix"}, {"A", "MU02", "300 fix"}, {"B", "XX99", "300 fix"}, {"B", typ, "300 fix"}, {"C", typ, "done"}} {
		if got := make(c.id, c.typ); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.id, c.typ, got, c.want)
		}
	}
	w.control("PUT", "settings", `{"drop_answers_next":1}`, nil)
	if got := make("D", typ); got != "ppay.unknown_outcome" {
		t.Error(got)
	}
	if got := make("D", typ); got != "300 fix" {
		t.Errorf("again: %s", got)
	}
}

// TestCallers is who may what.
func TestCallers(t *testing.T) {
	w := newWorld(t)
	ref := w.due("P1", 100)
	w.control("PUT", "callers", `{"callers":[
		{"code":"all","passphrase":"secret-1","scopes":["CREAZIONE_IUV","CREAZIONE_IUV_MULTIBEN","STAMPA_RT_GE","RICHIESTA_STATO_POS_DEB","RICHIESTA_DATI_PAGAMENTO","STAMPA_AVVISO_PAGAMENTO","STAMPA_XML_MB"],"types":["01234567890/MU01"]},
		{"code":"other","passphrase":"secret-2","scopes":["CREAZIONE_IUV","RICHIESTA_STATO_POS_DEB","STAMPA_AVVISO_PAGAMENTO"],"types":["01234567890/MU02"]}]}`, nil)
	status := func(c *rest.Client) error {
		_, err := c.Status(t.Context(), creditor, typ, ref.IUV)
		return err
	}
	notice := func(c *rest.Client) error {
		_, err := c.Notice(t.Context(), creditor, typ, ref.IUV)
		return err
	}
	data := func(c *rest.Client) error {
		_, err := c.PaymentData(t.Context(), creditor, typ, ref.IUV)
		return err
	}
	update := func(c *rest.Client) error { return c.Update(t.Context(), creditor, typ, ref.IUV, rest.Update{}) }
	for _, c := range []struct {
		name, user, password string
		call                 func(*rest.Client) error
		want                 string
	}{
		{"enabled", "all", "secret-1", status, "done"},
		{"enabled", "all", "secret-1", update, "done"},
		{"enabled", "all", "secret-1", notice, "done"},
		{"type", "other", "secret-2", status, "200 fix"},
		{"type", "other", "secret-2", update, "200 fix"},
		{"type, by the notice", "other", "secret-2", notice, "400 refused"},
		{"scope", "other", "secret-2", data, "ppay.auth"},
		{"passphrase", "all", "secret-2", status, "ppay.auth"},
		{"stranger", user, password, status, "ppay.auth"},
	} {
		if got := kindOf(c.call(w.as(c.user, c.password))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := kindOf(status(newClient(t, rest.Config{URL: "http://ppay.test" + ppaysim.RESTBase, Transport: w}))); got != "ppay.auth" {
		t.Errorf("nobody: %s", got)
	}
}

// TestSOAPAndRESTShareAPosition changes by REST what SOAP made, and the other way
// round.
func TestSOAPAndRESTShareAPosition(t *testing.T) {
	w := newWorld(t)
	const head = `<e:Testata><e:IdMessaggio>%s</e:IdMessaggio><e:CFEnteCreditore>01234567890</e:CFEnteCreditore><e:CodiceVersamento>MU01</e:CodiceVersamento><e:NumeroPosizioniDebitorie>1</e:NumeroPosizioniDebitorie>`
	w.soap(fmt.Sprintf(`<e:InserisciListaDiCaricoRequest>`+head+`<e:ImportoTotaleListaDiCarico>0.00</e:ImportoTotaleListaDiCarico></e:Testata><e:ListaDiCarico><e:PosizioniDaInserire><e:PosizioneDaInserire>`+
		`<e:IdPosizioneDebitoria>Q1</e:IdPosizioneDebitoria><e:ImportoTotale>0.00</e:ImportoTotale><e:DescrizioneCausaleVersamento>Preavviso</e:DescrizioneCausaleVersamento><e:SoggettoPagatore>`+
		`<c:PersonaFisica><c:Cognome>ANONIMO</c:Cognome><c:Nome>ANONIMO</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>ANONIMO</c:IdentificativoUnivocoFiscale></e:SoggettoPagatore>`+
		`</e:PosizioneDaInserire></e:PosizioniDaInserire></e:ListaDiCarico></e:InserisciListaDiCaricoRequest>`, "M1"))
	var out struct{ Positions []ppaysim.Position }
	w.control("GET", "positions?id=Q1", "", &out)
	if len(out.Positions) != 1 {
		t.Fatal("no position")
	}
	iuv := out.Positions[0].IUV
	if err := w.client.Update(t.Context(), creditor, typ, iuv, rest.Update{Cents: cents(4200)}); err != nil {
		t.Fatal(err)
	}
	w.soap(fmt.Sprintf(`<e:AggiornaPosizioniDebitorieRequest>`+head+`</e:Testata><e:ElencoPosizioniDaAggiornare><e:PosizioniDaAggiornare><e:PosizioneDaAggiornare><e:TipoAggiornamento>ANNULLAMENTO</e:TipoAggiornamento>`+
		`<e:IdPosizioneDebitoria>Q1</e:IdPosizioneDebitoria><e:Motivazione>errore</e:Motivazione></e:PosizioneDaAggiornare></e:PosizioniDaAggiornare></e:ElencoPosizioniDaAggiornare></e:AggiornaPosizioniDebitorieRequest>`, "M2"))
	w.state(iuv, rest.StateVoid)
	if p := w.position(iuv); p.Cents != 4200 || p.State != ppaysim.Void || p.Updated != 2 {
		t.Errorf("%+v", p)
	}
	if got := kindOf(w.client.Delete(t.Context(), creditor, typ, iuv)); got != "300 fix" {
		t.Errorf("deleting again: %s", got)
	}
}

// soap queues a list and works it off.
func (w *world) soap(body string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), "POST", "http://ppay.test"+ppaysim.Endpoint, strings.NewReader(
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:e="http://www.csi.it/epay/epaywso/enti2epaywso/types" xmlns:c="http://www.csi.it/epay/epaywso/types"><s:Body>`+body+`</s:Body></s:Envelope>`))
	if err != nil {
		w.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	resp, err := w.sim.Transport().RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !bytes.Contains(raw, []byte(">000<")) {
		w.Fatalf("HTTP %d: %s", resp.StatusCode, raw)
	}
	if _, err := w.sim.Step(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// whole is the creditor as our records have it.
var whole = multe.Creditor{ID: creditor, CodiceVersamento: typ}

// change wants amount, causale and perhaps a debtor.
func change(kind multe.ChangeKind, c multe.Cents, d *multe.Debtor) multe.Change {
	return multe.Change{Creditor: creditor, Position: "P1", Seq: 2, Kind: kind, Want: multe.Desired{Cents: c, Causale: "Verbale 9", References: []multe.Reference{{Name: "Targa", Value: "AB123CD"}}, Debtor: d, ValidTo: multe.Day{Year: 2026, Month: 12, Day: 24}}}
}

var rossi = &multe.Debtor{Surname: "Rossi", Name: "Mario", CF: "RSSMRA80A01L219M", Address: "Via Roma"}

func TestApply(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ref := w.inactive("P1")
	apply := func(ch multe.Change) string {
		t.Helper()
		code, err := w.client.Apply(ctx, whole, ref.Number, ch)
		if r, ok := errors.AsType[*multe.Refusal](err); ok != (code != "000" && code != "") || ok && r.Code != code {
			t.Errorf("code %q with %v", code, err)
		}
		return kindOf(err)
	}
	steps := []struct {
		name   string
		before func()
		ch     multe.Change
		want   string
		cents  multe.Cents
	}{
		{"activated", nil, change(multe.ChangeActivate, 2940, nil), "done", 2940},
		{"somebody pays", func() { w.control("POST", "in-progress", `{"iuv":"`+ref.IUV+`"}`, nil) }, change(multe.ChangeUpdate, 4200, rossi), "300 fix", 2940},
		{"nobody pays", func() { w.control("POST", "abandon", `{"iuv":"`+ref.IUV+`"}`, nil) }, change(multe.ChangeUpdate, 4200, rossi), "done", 4200},
		{"the same again", nil, change(multe.ChangeUpdate, 4200, rossi), "done", 4200},
		{"another amount, the same debtor", nil, change(multe.ChangeUpdate, 8400, rossi), "done", 8400},
		{"another debtor", nil, change(multe.ChangeUpdate, 1, &multe.Debtor{Surname: "Bianchi", Name: "Ada", CF: "BNCDAA80A41L219X"}), "218 refused", 8400},
		{"platform fails", func() { w.control("PUT", "settings", `{"refuse_next":1,"refuse_code":"100"}`, nil) }, change(multe.ChangeUpdate, 1, rossi), "100 unknown", 8400},
		{"answer lost", func() { w.control("PUT", "settings", `{"drop_answers_next":1}`, nil) }, change(multe.ChangeUpdate, 7, nil), "ppay.unknown_outcome", 7},
		{"paid", func() { w.control("POST", "pay", `{"iuv":"`+ref.IUV+`"}`, nil) }, change(multe.ChangeUpdate, 9, nil), "300 paid", 7},
		{"reset", nil, change(multe.ChangeReset, 0, nil), "ppay.cannot_send", 7},
		{"void", nil, change(multe.ChangeVoid, 0, nil), "ppay.cannot_send", 7},
	}
	for _, s := range steps {
		if s.before != nil {
			s.before()
		}
		if got := apply(s.ch); got != s.want {
			t.Errorf("%s: %s, want %s", s.name, got, s.want)
		}
		if p := w.position(ref.IUV); p.Cents != s.cents {
			t.Errorf("%s: %d cents, want %d", s.name, p.Cents, s.cents)
		}
	}
	if p := w.position(ref.IUV); p.Debtor.Cognome != "Rossi" || p.Causale != "Verbale 9" || p.To.IsZero() || p.References[0].Value != "AB123CD" {
		t.Errorf("%+v", p)
	}
	other := w.inactive("P2")
	if err := w.client.Delete(ctx, creditor, typ, other.IUV); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Apply(ctx, whole, other.Number, change(multe.ChangeActivate, 1, nil)); kindOf(err) != "300 voided" {
		t.Errorf("on a void position: %v", err)
	}
	foreign := change(multe.ChangeActivate, 1, nil)
	foreign.Creditor = "99999999999"
	if _, err := w.client.Apply(ctx, whole, ref.Number, foreign); !errors.Is(err, fault.Invalid) {
		t.Errorf("of another creditor: %v", err)
	}
}

// TestApplyInTheDark: what Apply answers when its second question is not answered.
func TestApplyInTheDark(t *testing.T) {
	w := newWorld(t)
	ref := w.inactive("P1")
	if _, err := w.client.Apply(t.Context(), whole, ref.Number, change(multe.ChangeUpdate, 1, rossi)); err != nil {
		t.Fatal(err)
	}
	// A question that gets lost can be asked again.
	for _, path := range []string{"/paymentdata", "/status"} {
		deaf := newClient(t, rest.Config{URL: "http://ppay.test" + ppaysim.RESTBase, User: user, Password: ppay.NewSecret(password), Transport: lossy{w, path}})
		ch := change(multe.ChangeUpdate, 2, rossi)
		if path == "/status" {
			w.control("POST", "in-progress", `{"iuv":"`+ref.IUV+`"}`, nil)
		}
		if code, err := deaf.Apply(t.Context(), whole, ref.Number, ch); code != "" || kindOf(err) != "ppay.no_answer" {
			t.Errorf("%s: %q, %v", path, code, err)
		}
	}
	// A caller who may not ask gets the refusal as it was.
	w.control("PUT", "callers", `{"callers":[{"code":"a","passphrase":"b","scopes":["CREAZIONE_IUV"],"types":["01234567890/MU01"]}]}`, nil)
	if _, err := w.as("a", "b").Apply(t.Context(), whole, ref.Number, change(multe.ChangeUpdate, 2, rossi)); kindOf(err) != "300 fix" {
		t.Errorf("%v", err)
	}
	w.control("POST", "abandon", `{"iuv":"`+ref.IUV+`"}`, nil)
	if _, err := w.as("a", "b").Apply(t.Context(), whole, ref.Number, change(multe.ChangeUpdate, 2, rossi)); kindOf(err) != "218 refused" {
		t.Errorf("%v", err)
	}
}

// lossy loses the calls to a path.
type lossy struct {
	http.RoundTripper
	path string
}

// RoundTrip breaks the connection where it is told to.
func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, l.path) {
		return nil, io.ErrUnexpectedEOF
	}
	return l.RoundTripper.RoundTrip(r)
}

func TestRescue(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ref := w.inactive("P1")
	got, err := w.client.Rescue(ctx, creditor, typ, ref.IUV, "P1")
	want := rest.Rescued{Number: ref.Number, State: rest.StateUnpaid, Anonymous: true, Causale: "Preavviso CdS", Match: rest.MatchUnclear}
	if err != nil || got != want {
		t.Errorf("%v, %+v", err, got)
	}
	want.Match = rest.MatchNo
	if got, err = w.client.Rescue(ctx, creditor, typ, ref.IUV, "P2"); err != nil || got != want {
		t.Errorf("%v, %+v", err, got)
	}
	if err := w.client.Update(ctx, creditor, typ, ref.IUV, rest.Update{Payer: mario, Cents: cents(2940)}); err != nil {
		t.Fatal(err)
	}
	w.control("POST", "pay", `{"iuv":"`+ref.IUV+`"}`, nil)
	want = rest.Rescued{Number: ref.Number, Cents: 2940, State: rest.StatePaid, Causale: "Preavviso CdS", Match: rest.MatchYes}
	if got, err = w.client.Rescue(ctx, creditor, typ, ref.IUV, "P1"); err != nil || got != want {
		t.Errorf("%v, %+v", err, got)
	}
	for name, c := range map[string]struct{ typ, iuv, want string }{
		"another type": {"MU02", ref.IUV, "300 fix"}, "no such IUV": {typ, iuv0, "300 fix"}, "no IUV": {typ, "1", "ppay.cannot_send"},
	} {
		if _, err := w.client.Rescue(ctx, creditor, c.typ, c.iuv, "P1"); kindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRescueOfAnother: an answer about another position is not believed.
func TestRescueOfAnother(t *testing.T) {
	for name, body := range map[string]string{
		"another IUV":      strings.ReplaceAll(everything("000"), `"codiceAvviso"`, `"codiceFiscaleEnteBeneficiario":"01234567890","identificativoUnicoVersamento":"12263270000471238","codiceAvviso"`),
		"another number":   strings.ReplaceAll(everything("000"), `"codiceAvviso":"3`+iuv0+`"`, `"codiceFiscaleEnteBeneficiario":"01234567890","identificativoUnicoVersamento":"`+iuv0+`","codiceAvviso":"301000000000499213"`),
		"another creditor": strings.ReplaceAll(everything("000"), `"codiceAvviso"`, `"codiceFiscaleEnteBeneficiario":"11111111111","identificativoUnicoVersamento":"`+iuv0+`","codiceAvviso"`),
		"no amount":        strings.ReplaceAll(strings.ReplaceAll(everything("000"), `"codiceAvviso"`, `"codiceFiscaleEnteBeneficiario":"01234567890","identificativoUnicoVersamento":"`+iuv0+`","codiceAvviso"`), "29.4", "null"),
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		if _, err := newClient(t, rest.Config{URL: s.URL}).Rescue(context.Background(), creditor, typ, iuv0, "P1"); fault.Of(err).Code != "ppay.other_position" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRescueByARefusedReceipt: a refusal that names the state of the position came
// after the identifier was found to be right.
func TestRescueByARefusedReceipt(t *testing.T) {
	data := strings.ReplaceAll(everything("000"), `"codiceAvviso"`, `"codiceFiscaleEnteBeneficiario":"01234567890","identificativoUnicoVersamento":"`+iuv0+`","codiceFiscalePIva":"ANONIMO","codiceAvviso"`)
	for state, want := range map[string]rest.Match{"Da pagare": rest.MatchYes, "": rest.MatchNo} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/rt" {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"codiceEsito":"300","descrizioneStatoPagamento":%q}`, state)
				return
			}
			fmt.Fprint(w, data)
		})
		if got, err := newClient(t, rest.Config{URL: s.URL}).Rescue(t.Context(), creditor, typ, iuv0, "P1"); err != nil || got.Match != want || !got.Anonymous || got.Cents != 2940 {
			t.Errorf("%q: %v, %+v", state, err, got)
		}
	}
}
