package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"preavviso/api/client"
	firmware "preavviso/firmware-api/client"
	"preavviso/internal/cds"
	"preavviso/internal/config"
	"preavviso/internal/idempotency"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/ppaysim"
	"preavviso/internal/ppay/rest"
	"preavviso/internal/store/boltstore"
)

// townCF is the creditor of every story.
const townCF = "01234567897"

// town is a municipality with its office, its handheld and the platform: the
// service behind its own APIs, without sockets, so that its clock can be moved.
type town struct {
	t        *testing.T
	core     core
	store    *boltstore.Store
	sim      *ppaysim.Sim
	office   *client.ClientWithResponses
	handheld *firmware.Device
	policy   client.Policy
	random   *seeded
	asleep   string    // name of a loop that does not run
	day0     multe.Day // of the slip
	slip     multe.VerbaleID
	papers   []paper
}

// served carries the calls of a program to a handler, as a server would hand them
// over. If strict, an answer other than 2xx is an error.
type served struct {
	handler http.Handler
	strict  bool
}

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), body)
	in.Header = r.Header.Clone()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, in)
	resp := w.Result()
	if s.strict {
		if err := client.Check(resp, w.Body.Bytes()); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
		}
	}
	return resp, nil
}

// newTown opens a town with one handheld and a full pool, at eight of a Monday
// morning.
func newTown(t *testing.T, policy client.Policy) *town {
	dir := t.TempDir()
	time.Sleep(time.Until(time.Date(2026, 3, 2, 8, 0, 0, 0, multe.Rome())))
	w := &town{t: t, policy: policy, day0: multe.DayOf(time.Now()), random: &seeded{c: rand.NewChaCha8([32]byte{1})}}
	must := w.must
	cfg := config.Service{Data: filepath.Join(dir, "preavviso.db"), SOAPAuth: "none", ReplenishEvery: 10 * time.Minute, SubmitEvery: 5 * time.Minute, InboxEvery: 5 * time.Minute,
		ResendAfter: 2 * time.Minute, AccountingDays: 5}
	var err error
	w.store, err = boltstore.Open(cfg.Data, boltstore.Options{Fatal: func(err error) { panic(err) }})
	must(err)
	t.Cleanup(func() { w.must(w.store.Close()) })

	// The platform calls the handler that is made from what calls the platform.
	var soap atomic.Value
	w.sim, err = ppaysim.Open(filepath.Join(dir, "ppaysim.db"), ppaysim.Config{Settings: ppaysim.DefaultSettings(), Random: w.random,
		Client: &http.Client{Transport: inProcess{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { soap.Load().(http.Handler).ServeHTTP(rw, r) })}}})
	must(err)
	t.Cleanup(func() { w.must(w.sim.Close()) })
	gateway, err := ppay.NewClient(ppay.Config{URL: "http://piemontepay.test" + ppaysim.Endpoint, Auth: ppay.AuthNone, Transport: w.sim.Transport()})
	must(err)
	positions, err := rest.NewClient(rest.Config{URL: "http://piemontepay.test" + ppaysim.RESTBase, User: "caller", Password: ppay.NewSecret("passphrase"), Transport: w.sim.Transport()})
	must(err)
	d := Deps{Now: time.Now, Random: w.random, Log: slog.New(slog.DiscardHandler)}
	w.core = newCore(cfg, d, w.store, gateway, restCallers{common: positions}, ppay.ListenerConfig{Open: true}, nil)
	w.core.access, err = newAccess(cfg, d, w.store)
	must(err)
	w.core.repeats, err = idempotency.New(w.store, d.Now, d.Random)
	must(err)
	soap.Store(w.core.soap)

	w.control("PUT", "/callers", map[string]any{"callers": []ppaysim.Caller{{Code: "caller", Passphrase: "passphrase", Scopes: []string{"CREAZIONE_IUV", "RICHIESTA_STATO_POS_DEB"}, Types: []string{townCF + "/MU01"}}}})
	w.control("PUT", "/enti", map[string]any{"enti": []ppaysim.Creditor{{CF: townCF, Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}},
		Endpoint: "http://preavviso.test" + SOAPPath, FlowEndpoint: "http://preavviso.test" + FlussiPath, ReportEndpoint: "http://preavviso.test" + RendicontazionePath}}})

	admin := strings.Repeat("a", minAdminToken)
	enrol, err := newEnrolment(cfg, nil)
	must(err)
	ufficio := w.core.officeAPI(cfg, d, w.store, []multe.Digest{multe.DigestOf([]byte(admin))}, enrol)
	founder := w.speaking(ufficio, admin)
	_, err = founder.AddCreditorWithResponse(t.Context(), nil, client.NewCreditor{Cf: townCF, Name: "Comune di Esempio", Settore: "Polizia Locale", Info: "tel. 011 0000000", Cbill: "A0B1C",
		CodiceVersamento: "MU01", Pool: client.PoolLevels{Low: 10, Target: 20}, Policies: []client.Policy{policy},
		Postal: client.PostalAccount{Number: "000000123456", Holder: "Comune di Esempio", Authorization: "AUT. DB/SSIC/E 00000 DEL 01/01/2026"}})
	must(err)
	operator, err := founder.AddOperatorWithResponse(t.Context(), townCF, nil, client.NewOperator{Name: "Ufficio verbali"})
	must(err)
	w.office = w.speaking(ufficio, operator.JSON201.Token)
	for kind, body := range map[client.DocumentKind][]byte{"catalogue": cds.Sample(),
		"prints": []byte(`{"office":"Ufficio verbali","officer":"Il Comandante","signature":"Ag. M042","prefect":"Torino","judge":"Torino"}`)} {
		_, err = w.office.AddDocumentWithBodyWithResponse(t.Context(), townCF, kind, &client.AddDocumentParams{From: "2026-01-01"}, "application/octet-stream", bytes.NewReader(body))
		must(err)
	}
	device, err := w.office.AddDeviceWithResponse(t.Context(), townCF, nil, client.NewDevice{Name: "Palmare 1"})
	must(err)
	key, err := firmware.GenerateKey()
	must(err)
	must(os.Mkdir(filepath.Join(dir, "palmare"), 0o700))
	w.handheld, err = firmware.OpenWith(filepath.Join(dir, "palmare"), "http://palmare.test", key)
	must(err)
	t.Cleanup(func() { w.must(w.handheld.Close()) })
	w.handheld.Conn().SetTransport(served{handler: w.core.firmwareAPI(cfg, d, nil)})
	must(w.handheld.Enrol(device.JSON201.Code))
	w.run(10 * time.Minute) // until the pool is full
	return w
}

// speaking is a program of the office with a token.
func (w *town) speaking(h http.Handler, token string) *client.ClientWithResponses {
	c, err := client.NewClientWithResponses("http://ufficio.test", client.WithHTTPClient(&http.Client{Transport: served{h, true}}),
		client.WithRequestEditorFn(client.OmitZero),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			if r.Method != http.MethodGet {
				r.Header.Set("Idempotency-Key", w.id())
			}
			return nil
		}))
	w.must(err)
	return c
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", time.Now().In(multe.Rome()).Format("02/01 15:04"), err)
	}
}

// control asks the simulator, and wants no refusal.
func (w *town) control(method, path string, in any) []byte {
	w.t.Helper()
	b, err := json.Marshal(in)
	w.must(err)
	rec := httptest.NewRecorder()
	w.sim.Handler().ServeHTTP(rec, httptest.NewRequest(method, "http://piemontepay.test/control/v1"+path, bytes.NewReader(b)))
	if rec.Code/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return rec.Body.Bytes()
}

// run lets the service and the platform work for a while, and stops both again:
// between two of their hours the clock moves at no cost, and each time the service
// goes on from what is on its disk.
func (w *town) run(d time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	done, n := make(chan error), 1
	for _, l := range w.core.loops {
		if l.Name() == "webhooks" || l.Name() == w.asleep { // nobody listens to webhooks here
			continue
		}
		n++
		go func() { done <- l.Run(ctx) }()
	}
	go func() { done <- w.sim.Run(ctx) }()
	time.Sleep(d)
	synctest.Wait()
	cancel()
	for range n {
		w.must(<-done)
	}
}

// until moves the clock to an hour of day n after the slip. Every night on the way
// the service does what it does by the calendar.
func (w *town) until(n, hour int) {
	w.t.Helper()
	for day := multe.DayOf(time.Now()).Plus(1); day.Compare(w.day0.Plus(n)) <= 0; day = day.Plus(1) {
		time.Sleep(time.Until(day.Start().Add(time.Minute)))
		w.run(9 * time.Minute)
	}
	at := w.day0.Plus(n).Start().Add(time.Duration(hour) * time.Hour) // no change of clocks between midnight and office hours here
	if !at.After(time.Now()) {
		w.t.Fatalf("day %d at %d is over", n, hour)
	}
	time.Sleep(time.Until(at))
}

func (w *town) id() string {
	id, err := multe.NewID(time.Now(), w.random)
	w.must(err)
	return id
}

func date(d multe.Day) openapi_types.Date {
	return openapi_types.Date{Time: d.Start().Add(12 * time.Hour)}
}

// leave puts a slip under a windscreen: the shift begins, the handheld prints out
// of its own catalogue, the evening brings the slip to the service.
func (w *town) leave(plate, nation string) {
	w.t.Helper()
	_, err := w.handheld.SyncShift()
	w.must(err)
	_, err = w.handheld.Lease(4)
	w.must(err)
	draft, err := w.handheld.Price(fmt.Sprintf(`{"plate":%q,"nation":%q,"vehicle":"autovettura grigia","place":"Via Roma, fronte civico 12","reference":"PV-1","warden":"M042","vehicle_class":"other","violation":{"code":"158-6"},"offline":false}`, plate, nation))
	w.must(err)
	text, err := w.handheld.Issue(draft)
	w.must(err)
	var slip struct{ ID multe.VerbaleID }
	w.must(json.Unmarshal([]byte(text), &slip))
	w.slip = slip.ID
	w.must(w.handheld.Printed(string(slip.ID)))
	w.must(w.handheld.Sync())
	_, err = w.handheld.GiveBack()
	w.must(err)
	w.must(w.handheld.Sync())
	w.run(10 * time.Minute)
}

// verbale is the act of the story as the office sees it.
func (w *town) verbale() client.Verbale {
	w.t.Helper()
	v, err := w.office.ReadVerbaleWithResponse(w.t.Context(), townCF, string(w.slip))
	w.must(err)
	return v.JSON200.Verbale
}

func (w *town) position(id string) ppaysim.Position {
	w.t.Helper()
	d, err := w.sim.Dump()
	w.must(err)
	i := slices.IndexFunc(d.Positions, func(p ppaysim.Position) bool { return p.ID == id })
	if i < 0 {
		w.t.Fatalf("the platform has no position %s", id)
	}
	return d.Positions[i]
}

// carrier is the code that what is due in the long run is on.
func carrier(v client.Verbale) string {
	switch {
	case v.Reissued != "":
		return v.Reissued
	case v.Full.Position != "":
		return v.Full.Position
	}
	return v.Position
}

// pay is the citizen at a counter: the position is paid as the platform asks.
func (w *town) pay(position string, force bool) {
	w.t.Helper()
	w.control("POST", "/pay", map[string]any{"avviso": w.position(position).Avviso, "force": force})
	w.run(10 * time.Minute)
}

// flow is two days later: the PSP has paid over what came.
func (w *town) flow(day int) {
	w.t.Helper()
	w.until(day, 6)
	w.control("POST", "/flows", map[string]any{"cf": townCF})
	w.run(10 * time.Minute)
}

// owner brings the extract of a vehicle register in and records the act with the
// owner that it proposes. What it lacks is filled in from debtor.
func (w *town) owner(csv, register string, costs *int64, lacking func(*client.Debtor)) {
	w.t.Helper()
	lookup, err := w.office.MakeExportWithResponse(w.t.Context(), townCF, nil, client.NewExport{Id: w.id(), Kind: "lookup"})
	w.must(err)
	if n := lookup.JSON200.Count; n != 1 {
		w.t.Errorf("%d plates to look up, want 1", n)
	}
	for _, commit := range []bool{false, true} {
		got, err := w.office.ImportOwnersWithResponse(w.t.Context(), townCF, nil, client.OwnerFile{File: []byte(csv), Commit: commit})
		w.must(err)
		if o := got.JSON200; o.Bad != 0 || o.Committed != commit || o.Rows != 2 {
			w.t.Fatalf("import: %+v", o)
		}
	}
	hints, err := w.office.ListOwnerHintsWithResponse(w.t.Context(), townCF, string(w.slip))
	w.must(err)
	h := hints.JSON200.Hints
	if len(h) != 2 || !h[0].Fits || h[1].Fits {
		w.t.Fatalf("owners proposed: %d", len(h))
	}
	debtor := client.Debtor(h[0].Owner)
	if lacking != nil {
		lacking(&debtor)
	}
	_, err = w.office.RecordVerbaleWithResponse(w.t.Context(), townCF, string(w.slip), nil, client.RecordRequest{Register: register, Day: date(multe.DayOf(time.Now())),
		Causale: "Verbale CdS n. " + register, CostsCents: costs, Debtor: debtor})
	w.must(err)
	w.run(time.Hour) // longer than an annulment can be undone
}

// toNotify makes the list of acts to notify, and says how many are in it.
func (w *town) toNotify() (rows []client.ExportRow) {
	w.t.Helper()
	id := w.id()
	made, err := w.office.MakeExportWithResponse(w.t.Context(), townCF, nil, client.NewExport{Id: id, Kind: "notify"})
	w.must(err)
	file, err := w.office.ReadExportFileWithResponse(w.t.Context(), townCF, id)
	w.must(err)
	if made.JSON200.Count != len(file.JSON200.Rows) {
		w.t.Errorf("a list of %d acts has %d rows", made.JSON200.Count, len(file.JSON200.Rows))
	}
	return file.JSON200.Rows
}

func (w *town) notified(how client.NotificationHow) {
	w.t.Helper()
	_, err := w.office.NotifyVerbaleWithResponse(w.t.Context(), townCF, string(w.slip), nil, client.NotificationRequest{How: how, Day: date(multe.DayOf(time.Now()))})
	w.must(err)
	w.run(10 * time.Minute)
}

// print prints a paper of the act and reads its symbols back.
func (w *town) print(kind client.PrintKind) {
	w.t.Helper()
	doc, err := w.office.PrintVerbaleWithResponse(w.t.Context(), townCF, string(w.slip), nil, client.NewPrint{Id: w.id(), Kind: kind})
	w.must(err)
	w.keep(doc.Body)
}

// glance reads the preavviso back as it was left.
func (w *town) glance() {
	w.t.Helper()
	doc, err := w.office.ReadPreavvisoWithResponse(w.t.Context(), townCF, string(w.slip))
	w.must(err)
	w.keep(doc.Body)
}

func (w *town) keep(doc []byte) {
	w.t.Helper()
	p := readPaper(w.t, doc)
	d, err := w.sim.Dump()
	w.must(err)
	p.held = d.Positions
	w.papers = append(w.papers, p)
}

// refund records that all that came too much went back, as the office's accounts
// did it.
func (w *town) refund(position string, cents int64) {
	w.t.Helper()
	_, err := w.office.RecordRefundWithResponse(w.t.Context(), townCF, nil, client.NewRefund{Id: w.id(), Iuv: w.position(position).IUV, Cents: cents,
		RefundedOn: date(multe.DayOf(time.Now())), Reason: "Somma non dovuta", Mandate: "mandato 2026/118"})
	w.must(err)
}

// open lists the kinds of the work items that wait for a person, in order.
func (w *town) open() []string {
	w.t.Helper()
	kinds := []string{}
	for _, d := range w.discrepancies(true) {
		kinds = append(kinds, d.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func (w *town) discrepancies(open bool) []client.Discrepancy {
	w.t.Helper()
	mine, err := w.office.ListDiscrepanciesWithResponse(w.t.Context(), townCF, &client.ListDiscrepanciesParams{Open: &open})
	w.must(err)
	return mine.JSON200.Discrepancies
}
