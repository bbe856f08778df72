package ppaysim_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/ppay/ppaysim"
)

const (
	cf     = "01234567890"
	listen = "http://ente.test/soap"
)

// A world is a Sim with one creditor, whose listener is in memory.
type world struct {
	*testing.T
	path string
	cfg  ppaysim.Config
	sim  *ppaysim.Sim

	inBubble bool // the clock is package time

	mu     sync.Mutex
	now    time.Time
	calls  []call                                     // to the listener
	listen func(r *http.Request) (int, string, error) // nil: 000
}

// A call is one message the listener got.
type call struct {
	at     time.Time
	action string
	auth   string
	body   string
}

// newWorld starts at 11 o'clock of a Monday in Rome, without delays or retries
// and without a running job.
func newWorld(t *testing.T, settings ...func(*ppaysim.Settings)) *world {
	t.Helper()
	w := &world{T: t, path: filepath.Join(t.TempDir(), "sim.db"), now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	set := ppaysim.Settings{Threshold: 250}
	for _, f := range settings {
		f(&set)
	}
	seed := [32]byte{1}
	w.cfg = ppaysim.Config{
		Settings: set, Now: w.clock, Random: rand.NewChaCha8(seed), Client: &http.Client{Transport: listener{w}},
		Enti: []ppaysim.Creditor{{CF: cf, Endpoint: listen, User: "ppay", Password: "segreta", Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}, {Code: "MU02"}}}},
	}
	w.open()
	t.Cleanup(func() {
		if err := w.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) open() {
	w.Helper()
	sim, err := ppaysim.Open(w.path, w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.sim = sim
}

// restart closes the file and opens it again with the same configuration.
func (w *world) restart() {
	w.Helper()
	if err := w.sim.Close(); err != nil {
		w.Fatal(err)
	}
	w.open()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// listener is the creditor's side.
type listener struct{ w *world }

const ok000 = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><c:EPaywsoServiceResponse xmlns:c="http://www.csi.it/epay/epaywso/types"><c:Result><c:Codice>000</c:Codice></c:Result></c:EPaywsoServiceResponse></s:Body></s:Envelope>`

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	user, password, _ := r.BasicAuth()
	l.w.mu.Lock()
	l.w.calls = append(l.w.calls, call{l.w.at(), r.Header.Get("SOAPAction"), user + ":" + password, string(raw)})
	answer := l.w.listen
	l.w.mu.Unlock()
	status, body := 200, ok000
	if answer != nil {
		if status, body, err = answer(r); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// post sends a body to the SOAP endpoint.
func (w *world) post(body string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(w.Context(), "POST", "http://ppay.test"+ppaysim.Endpoint, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	resp, err := (&http.Client{Transport: w.sim.Transport()}).Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp, string(raw), err
}

// send posts a request and returns the synchronous code.
func (w *world) send(body string) string {
	w.Helper()
	resp, raw, err := w.post(soap(body))
	if err != nil {
		w.Fatal(err)
	}
	if resp.StatusCode != 200 {
		w.Fatalf("HTTP %d: %s", resp.StatusCode, raw)
	}
	var env struct {
		Code string `xml:"Body>EPaywsoServiceResponse>Result>Codice"`
	}
	if err := xml.Unmarshal([]byte(raw), &env); err != nil || env.Code == "" {
		w.Fatalf("%v: %s", err, raw)
	}
	return env.Code
}

// queue sends a request that must be queued.
func (w *world) queue(body string) {
	w.Helper()
	if code := w.send(body); code != "000" {
		w.Fatalf("synchronous answer %s", code)
	}
}

// step does all that is due.
func (w *world) step() {
	w.Helper()
	for range 100 {
		worked, err := w.sim.Step(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if !worked {
			return
		}
	}
	w.Fatal("never quiet")
}

// An esito is what the listener was told of a list.
type esito struct {
	XMLName   xml.Name
	Code      string     `xml:"Result>Codice"`
	Text      string     `xml:"Result>Messaggio"`
	ID        string     `xml:"TestataEsito>IdMessaggio"`
	Insert    *positions `xml:"EsitoInserimento>ElencoPosizioniDebitorieInserite"`
	Update    *positions `xml:"EsitoAggiornamento>ElencoPosizioniDebitorieAggiornate"`
	Positions []struct {
		ID     string `xml:"IdPosizioneDebitoria"`
		IUV    string
		Avviso string `xml:"CodiceAvviso"`
		Code   string `xml:"CodiceEsito"`
		Text   string `xml:"DescrizioneEsito"`
	} `xml:"-"`
}

type positions struct {
	Inserted []struct {
		ID     string `xml:"IdPosizioneDebitoria"`
		IUV    string
		Avviso string `xml:"CodiceAvviso"`
		Code   string `xml:"CodiceEsito"`
		Text   string `xml:"DescrizioneEsito"`
	} `xml:",any"`
}

// body unmarshals the child of the SOAP body.
func body[T any](t testing.TB, envelope string) (v T) {
	t.Helper()
	var env struct {
		Body struct {
			Inner []byte `xml:",innerxml"`
		}
	}
	if err := xml.Unmarshal([]byte(envelope), &env); err != nil {
		t.Fatalf("%v: %s", err, envelope)
	}
	if err := xml.Unmarshal(env.Body.Inner, &v); err != nil {
		t.Fatalf("%v: %s", err, envelope)
	}
	return v
}

// esiti returns all outcomes delivered so far, retries included.
func (w *world) esiti() (es []esito) {
	w.Helper()
	for _, c := range w.calls {
		if strings.Contains(c.action, "Esito") {
			e := body[esito](w, c.body)
			for _, p := range []*positions{e.Insert, e.Update} {
				if p != nil {
					e.Positions = append(e.Positions, p.Inserted...)
				}
			}
			es = append(es, e)
		}
	}
	return es
}

// last is the last outcome.
func (w *world) last() esito {
	w.Helper()
	es := w.esiti()
	if len(es) == 0 {
		w.Fatal("no esito")
	}
	return es[len(es)-1]
}

// codes is an outcome in one line: the result, then the positions'.
func (e esito) codes() string {
	s := e.Code
	for _, p := range e.Positions {
		s += " " + p.Code
	}
	return s
}

// do queues a request, works it off and returns the outcome in one line.
func (w *world) do(body string) string {
	w.Helper()
	w.queue(body)
	w.step()
	return w.last().codes()
}

// control calls the control API; v may be nil.
func (w *world) control(method, path, in string, v any) int {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://ppay.test/control/v1/"+path, strings.NewReader(in))
	if err != nil {
		w.Fatal(err)
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
	if v != nil {
		if err := json.Unmarshal(raw, v); err != nil {
			w.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	return resp.StatusCode
}

// must is control with a call that succeeds.
func (w *world) must(method, path, in string) {
	w.Helper()
	var answer json.RawMessage
	if status := w.control(method, path, in, &answer); status != 200 {
		w.Fatalf("%s %s: HTTP %d: %s", method, path, status, answer)
	}
}

// counter acts at the counter and returns the KO code, "" if none.
func (w *world) counter(act, in string) string {
	w.Helper()
	var ko struct{ Code string }
	if w.control("POST", act, in, &ko) == 200 {
		return ""
	}
	return ko.Code
}

// position returns the stored position of an id.
func (w *world) position(id string) ppaysim.Position {
	w.Helper()
	var out struct{ Positions []ppaysim.Position }
	w.control("GET", "positions?id="+id, "", &out)
	if len(out.Positions) != 1 {
		w.Fatalf("%d positions %s", len(out.Positions), id)
	}
	return out.Positions[0]
}

// soap wraps a body.
func soap(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" ` +
		`xmlns:e="http://www.csi.it/epay/epaywso/enti2epaywso/types" xmlns:c="http://www.csi.it/epay/epaywso/types"><soapenv:Header/><soapenv:Body>` +
		body + `</soapenv:Body></soapenv:Envelope>`
}

const anonimo = `<e:SoggettoPagatore><c:PersonaFisica><c:Cognome>ANONIMO</c:Cognome><c:Nome>ANONIMO</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>ANONIMO</c:IdentificativoUnivocoFiscale></e:SoggettoPagatore>`

const mario = `<e:SoggettoPagatore><c:PersonaFisica><c:Cognome>Rossi</c:Cognome><c:Nome>Mario</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>RSSMRA80A01L219M</c:IdentificativoUnivocoFiscale></e:SoggettoPagatore>`

// inactive is a position without amount and debtor.
func inactive(id string) string { return position(id, "0.00", "", anonimo) }

// position is a PosizioneDaInserire; dates are the elements after the amount.
func position(id, amount, dates, subject string) string {
	return "<e:PosizioneDaInserire><e:IdPosizioneDebitoria>" + id + "</e:IdPosizioneDebitoria><e:ImportoTotale>" + amount + "</e:ImportoTotale>" + dates +
		"<e:DescrizioneCausaleVersamento>Preavviso</e:DescrizioneCausaleVersamento>" + subject + "</e:PosizioneDaInserire>"
}

// edit is a MODIFICA; before and after stand around the amount's place.
func edit(id, before, amount, after string) string {
	if amount != "" {
		amount = "<e:ImportoTotale>" + amount + "</e:ImportoTotale>"
	}
	return "<e:PosizioneDaAggiornare><e:TipoAggiornamento>MODIFICA</e:TipoAggiornamento><e:IdPosizioneDebitoria>" + id + "</e:IdPosizioneDebitoria>" +
		before + amount + after + "</e:PosizioneDaAggiornare>"
}

// void is an ANNULLAMENTO.
func void(id, reason string) string {
	if reason != "" {
		reason = "<e:Motivazione>" + reason + "</e:Motivazione>"
	}
	return "<e:PosizioneDaAggiornare><e:TipoAggiornamento>ANNULLAMENTO</e:TipoAggiornamento><e:IdPosizioneDebitoria>" + id + "</e:IdPosizioneDebitoria>" + reason + "</e:PosizioneDaAggiornare>"
}

// insert is a request with the given positions and total.
func insert(id, total string, ps ...string) string { return insertAs(cf, "MU01", id, total, ps...) }

func insertAs(cf, code, id, total string, ps ...string) string {
	return fmt.Sprintf("<e:InserisciListaDiCaricoRequest><e:Testata><e:IdMessaggio>%s</e:IdMessaggio><e:CFEnteCreditore>%s</e:CFEnteCreditore><e:CodiceVersamento>%s</e:CodiceVersamento>"+
		"<e:NumeroPosizioniDebitorie>%d</e:NumeroPosizioniDebitorie><e:ImportoTotaleListaDiCarico>%s</e:ImportoTotaleListaDiCarico></e:Testata><e:ListaDiCarico><e:PosizioniDaInserire>%s"+
		"</e:PosizioniDaInserire></e:ListaDiCarico></e:InserisciListaDiCaricoRequest>", id, cf, code, len(ps), total, strings.Join(ps, ""))
}

// update is a request with the given changes.
func update(id string, ps ...string) string {
	return fmt.Sprintf("<e:AggiornaPosizioniDebitorieRequest><e:Testata><e:IdMessaggio>%s</e:IdMessaggio><e:CFEnteCreditore>%s</e:CFEnteCreditore><e:CodiceVersamento>MU01</e:CodiceVersamento>"+
		"<e:NumeroPosizioniDebitorie>%d</e:NumeroPosizioniDebitorie></e:Testata><e:ElencoPosizioniDaAggiornare><e:PosizioniDaAggiornare>%s</e:PosizioniDaAggiornare></e:ElencoPosizioniDaAggiornare>"+
		"</e:AggiornaPosizioniDebitorieRequest>", id, cf, len(ps), strings.Join(ps, ""))
}

// pool inserts n inactive positions P0, P1, … and returns their avvisi.
func (w *world) pool(n int) (avvisi []string) {
	w.Helper()
	var ps []string
	for i := range n {
		ps = append(ps, inactive(fmt.Sprintf("P%d", i)))
	}
	if got := w.do(insert("POOL", "0.00", ps...)); !strings.HasPrefix(got, "000") {
		w.Fatalf("pool: %s", got)
	}
	for _, p := range w.last().Positions {
		avvisi = append(avvisi, p.Avviso)
	}
	return avvisi
}

var errBroken = errors.New("broken on purpose")

// at is the time of a call; mu is held.
func (w *world) at() time.Time {
	if w.inBubble {
		return time.Now()
	}
	return w.now
}

// contextWithCancel outlives the test function, so that Cleanup can stop what runs.
func contextWithCancel(w *world) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(w.Context()))
}
