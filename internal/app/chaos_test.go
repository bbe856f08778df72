package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/config"
	"preavviso/internal/dispatch"
	"preavviso/internal/fault"
	"preavviso/internal/loop"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/ppaysim"
	"preavviso/internal/ppay/rest"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// TestChaos sends a hundred lists, a thousand in the long form, to a platform that misbehaves in every way it
// knows, switched on and off at random, while towns with every policy issue,
// record, cancel and are paid. Then the platform comes to its senses, and after
// some days what it believes is what we believe; what is not, a person was told.
func TestChaos(t *testing.T) {
	lists, seeds := int64(100), 1
	if os.Getenv("PREAVVISO_TEST_SOAK") != "" {
		lists, seeds = 1000, 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				w := newChaos(t, dir, uint64(seed), 5*time.Minute)
				w.storm(lists)
				w.heal()
				w.compare()
			})
		})
	}
}

// chaos is the service without sockets, the platform, and who works with both.
type chaos struct {
	t      *testing.T
	random *rand.Rand
	core   core
	store  *boltstore.Store
	sim    *ppaysim.Sim
	sealed atomic.Int64 // lists
	slips  map[multe.CreditorID][]multe.Slip
	device map[multe.CreditorID]multe.DeviceID
	stop   func() // ends it all, files closed

	storePath, simPath string
}

// towns are the creditors, one for each way of doing things.
var towns = []struct {
	id     multe.CreditorID
	policy multe.Policy
	days   int
}{
	{"01234567897", multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}, 0},
	{"00514490010", multe.Policy{Debtor: multe.DebtorRegister, Amount: multe.AmountOneCode}, 30},
	{"12345678903", multe.Policy{Debtor: multe.DebtorREST, Amount: multe.AmountOneCode}, 0},
	{"00905811006", multe.Policy{Debtor: multe.DebtorReissue, Amount: multe.AmountOneCode}, 0},
	{"01234560017", multe.Policy{Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}, 0},
}

// inProcess carries calls to a handler without a network.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// counted counts the lists that are sealed.
type counted struct {
	dispatch.Gateway
	sealed *atomic.Int64
}

func (g counted) Encode(b multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, error) {
	g.sealed.Add(1)
	return g.Gateway.Encode(b, c, changes)
}

// seeded is a source of bytes for several goroutines.
type seeded struct {
	mu sync.Mutex
	c  *rand.ChaCha8
}

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.Read(p)
}

// newChaos begins; the loops look around by themselves every pace or so.
func newChaos(t *testing.T, dir string, seed uint64, pace time.Duration) *chaos {
	w := &chaos{t: t, random: rand.New(rand.NewPCG(seed, 1)), slips: map[multe.CreditorID][]multe.Slip{}, device: map[multe.CreditorID]multe.DeviceID{}}
	w.storePath, w.simPath = filepath.Join(dir, "preavviso.db"), filepath.Join(dir, "ppaysim.db")
	var err error
	w.store, err = boltstore.Open(w.storePath, boltstore.Options{Fatal: func(err error) { panic(err) }})
	w.must(err)

	// The platform calls the handler that is made from what calls the platform.
	var soap atomic.Value
	settings := ppaysim.DefaultSettings()
	settings.NotifyEvery = ppaysim.Duration(10 * time.Minute)
	settings.Retries = 1000
	w.sim, err = ppaysim.Open(w.simPath, ppaysim.Config{Settings: settings,
		Client: &http.Client{Transport: inProcess{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { soap.Load().(http.Handler).ServeHTTP(rw, r) })}}})
	w.must(err)

	gateway, err := ppay.NewClient(ppay.Config{URL: "http://piemontepay.test" + ppaysim.Endpoint, Auth: ppay.AuthNone, Transport: w.sim.Transport()})
	w.must(err)
	positions, err := rest.NewClient(rest.Config{URL: "http://piemontepay.test" + ppaysim.RESTBase, User: "caller", Password: ppay.NewSecret("passphrase"), Transport: w.sim.Transport()})
	w.must(err)
	cfg := config.Service{SOAPAuth: "none", ReplenishEvery: 2 * pace, SubmitEvery: pace, InboxEvery: pace, ResendAfter: 2 * time.Minute, AccountingDays: 5}
	w.core = newCore(cfg, Deps{Now: time.Now, Random: &seeded{c: rand.NewChaCha8([32]byte{byte(seed)})}, Log: slog.New(slog.DiscardHandler)}, w.store,
		counted{gateway, &w.sealed}, restCallers{common: positions}, ppay.ListenerConfig{Open: true}, nil)
	soap.Store(w.core.soap)

	caller := ppaysim.Caller{Code: "caller", Passphrase: "passphrase", Scopes: []string{"CREAZIONE_IUV", "RICHIESTA_STATO_POS_DEB"}}
	for _, town := range towns {
		caller.Types = append(caller.Types, string(town.id)+"/MU01")
	}
	w.control("PUT", "/callers", map[string]any{"callers": []ppaysim.Caller{caller}})
	for _, town := range towns {
		w.control("PUT", "/enti", map[string]any{"enti": []ppaysim.Creditor{{CF: string(town.id), Segregation: "12", Endpoint: "http://preavviso.test" + SOAPPath, Types: []ppaysim.PaymentType{{Code: "MU01"}}}}})
		town.policy.From = multe.Day{Year: 1999, Month: 1, Day: 1}
		_, err := w.core.registry.AddCreditor(t.Context(), "admin", multe.Creditor{ID: town.id, Name: "Comune", CodiceVersamento: "MU01",
			PoolLow: 30, PoolTarget: 60, ValidityDays: town.days, Policies: []multe.Policy{town.policy}})
		w.must(err)
		w.device[town.id] = w.enrol(town.id)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	// Those that look around all the time: here nobody listens, and nobody prints.
	idle := []string{"webhooks", "prints"}
	loops := slices.DeleteFunc(slices.Clone(w.core.loops), func(l *loop.Loop) bool { return slices.Contains(idle, l.Name()) })
	for _, l := range loops {
		go func() { done <- l.Run(ctx) }()
	}
	go func() { done <- w.sim.Run(ctx) }()
	w.stop = func() {
		cancel()
		for range len(loops) + 1 {
			w.must(<-done)
		}
		w.must(errors.Join(w.store.Close(), w.sim.Close()))
	}
	return w
}

func (w *chaos) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// control asks the simulator, and wants no refusal.
func (w *chaos) control(method, path string, in any) []byte {
	w.t.Helper()
	answer, status := w.ask(method, path, in)
	if status/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

func (w *chaos) ask(method, path string, in any) ([]byte, int) {
	w.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		w.must(err)
		body = bytes.NewReader(b)
	}
	rec := httptest.NewRecorder()
	w.sim.Handler().ServeHTTP(rec, httptest.NewRequest(method, "http://piemontepay.test/control/v1"+path, body))
	return rec.Body.Bytes(), rec.Code
}

func (w *chaos) enrol(c multe.CreditorID) multe.DeviceID {
	w.t.Helper()
	_, code, err := w.core.registry.AddDevice(w.t.Context(), "admin", c, "Palmare", true)
	w.must(err)
	d, _, _, err := w.core.registry.Enrol(w.t.Context(), code)
	w.must(err)
	return d.ID
}

// storm goes on until so many lists were sealed.
func (w *chaos) storm(lists int64) {
	for w.sealed.Load() < lists {
		time.Sleep(time.Duration(20+w.random.IntN(400)) * time.Second)
		town := towns[w.random.IntN(len(towns))]
		switch n := w.random.IntN(20); {
		case n < 8:
			w.issue(town.id, town.policy.Amount == multe.AmountTwoCodes)
		case n < 11:
			w.record(town.id)
		case n < 14:
			w.pay(town.id)
		case n < 15:
			w.cancel(town.id)
		default:
			w.misbehave()
		}
	}
	w.t.Logf("%d lists in %v of platform time", w.sealed.Load(), time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Round(time.Hour))
}

// misbehave switches one misbehaviour on or off.
func (w *chaos) misbehave() {
	few := func() int { return 1 + w.random.IntN(3) }
	modes := []map[string]any{
		{"drop_requests_next": few()}, {"drop_answers_next": few()}, {"duplicate_answer": "012"}, {"duplicate_answer": "000"},
		{"refuse_next": few(), "refuse_code": "200"}, {"refuse_next": few(), "refuse_code": "101"}, {"refuse_next": few(), "refuse_code": "500"}, {"refuse_next": few(), "refuse_code": "503"},
		{"slow": "20s"}, {"slow": "0s"}, {"crash_next": few()},
		{"fail_positions_next": few(), "fail_applied": true}, {"fail_positions_next": few(), "fail_applied": false},
		{"iuv_down": true}, {"iuv_down": false}, {"taxonomy_down": true}, {"taxonomy_down": false}, {"catalog_down": true}, {"catalog_down": false},
		{"bus_down": true}, {"bus_down": false}, {"delay_max": "3m"}, {"delay_max": "30s"},
		{"esito_first_next": few()}, {"esito_late_next": few()}, {"esito_twice_next": few()}, {"esito_lost_next": few()},
		{"pay_twice_next": 1}, {"pay_other_next": 1}, {"notify_no_psp_next": few()}, {"notify_joined_next": few()}, {"notify_no_code_next": few()},
		{"notify_total_next": few()}, {"notify_twice_next": few()}, {"notify_again_next": few()}, {"notify_plain_dates": true}, {"notify_plain_dates": false},
	}
	w.control("PUT", "/settings", modes[w.random.IntN(len(modes))])
}

// issue leaves a slip on a windscreen.
func (w *chaos) issue(c multe.CreditorID, two bool) {
	want := 1
	if two {
		want = 2
	}
	id := func() string {
		s, err := multe.NewID(time.Now(), rand.NewChaCha8([32]byte{byte(w.random.Uint32()), byte(w.random.Uint32()), byte(w.random.Uint32()), byte(w.random.Uint32())}))
		w.must(err)
		return s
	}
	codes, err := w.core.pool.Lease(w.t.Context(), c, w.device[c], multe.LeaseID(id()), want)
	if errors.Is(err, fault.Exhausted) || len(codes) < want {
		return // the pool is dry; a lone code stays with the handheld
	}
	w.must(err)
	at := time.Now()
	s := multe.Slip{ID: multe.VerbaleID(id()), Position: codes[0].Position, Number: codes[0].Number, Plate: "AB123CD", Nation: "IT", Place: "Via Roma",
		Violation: multe.Violation{Norm: "art. 158", Conduct: "Sosta vietata."}, Warden: "1", IssuedAt: at,
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(at).Plus(5)}, {Cents: 4200}}}
	if two {
		s.Full = &multe.SlipCode{Position: codes[1].Position, Number: codes[1].Number}
	}
	_, _, err = w.core.verbali.Issue(w.t.Context(), c, w.device[c], s, multe.DigestOf([]byte(s.ID)))
	w.must(err)
	w.slips[c] = append(w.slips[c], s)
}

// some returns one of the last slips.
func (w *chaos) some(c multe.CreditorID) (multe.Slip, bool) {
	list := w.slips[c]
	if len(list) == 0 {
		return multe.Slip{}, false
	}
	return list[max(0, len(list)-1-w.random.IntN(20))], true
}

// may accepts the refusals that a person at work meets.
func (w *chaos) may(err error) {
	w.t.Helper()
	if err != nil && !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Exhausted) {
		w.t.Fatal(err)
	}
}

func (w *chaos) record(c multe.CreditorID) {
	if s, ok := w.some(c); ok {
		r := multe.Record{Register: string(s.ID[:20]), Cents: 5580, Causale: "Verbale CdS", Debtor: &multe.Debtor{Surname: "Bianchi", Name: "Lucia", CF: "BNCLCU80A41L219X"}}
		_, _, err := w.core.verbali.Record(w.t.Context(), "operator:1", c, s.ID, r)
		w.may(err)
	}
}

func (w *chaos) cancel(c multe.CreditorID) {
	if s, ok := w.some(c); ok {
		_, _, err := w.core.verbali.Cancel(w.t.Context(), "operator:1", c, s.ID, multe.Cancellation{Reason: "Annullato in autotutela"})
		w.may(err)
		if w.random.IntN(3) == 0 {
			_, _, err := w.core.verbali.UndoCancel(w.t.Context(), "operator:1", c, s.ID)
			w.may(err)
		}
	}
}

// pay is a citizen at a counter, who may give up half way, and may be refused.
func (w *chaos) pay(c multe.CreditorID) {
	s, ok := w.some(c)
	if !ok {
		return
	}
	n := s.Number
	if s.Full != nil && w.random.IntN(2) == 0 {
		n = s.Full.Number
	}
	switch notice := map[string]any{"avviso": n.String()}; w.random.IntN(4) {
	case 0:
		w.ask("POST", "/in-progress", notice)
	case 1:
		w.ask("POST", "/abandon", notice)
	default:
		w.ask("POST", "/pay", notice)
	}
}

// heal ends every misbehaviour and waits until nothing moves by itself any more.
func (w *chaos) heal() {
	settings, err := json.Marshal(ppaysim.DefaultSettings())
	w.must(err)
	w.control("PUT", "/settings", json.RawMessage(settings))
	w.control("PUT", "/settings", map[string]any{"notify_every": "10m"})
	for _, town := range towns {
		w.ask("POST", "/deliveries/"+string(town.id)+"/release", nil)
		w.ask("POST", "/deliveries/"+string(town.id)+"/enable", nil)
	}
	for _, p := range w.dump().Positions {
		w.ask("POST", "/abandon", map[string]any{"avviso": p.Avviso})
	}
	time.Sleep(10 * 24 * time.Hour)
	synctest.Wait()
}

func (w *chaos) dump() ppaysim.Dump {
	d, err := w.sim.Dump()
	w.must(err)
	return d
}

// compare holds what we believe of every position against what the platform
// holds. A difference must be one that a person was told.
func (w *chaos) compare() {
	w.stop()
	t := w.t
	positions := map[string]ppaysim.Position{}
	// The simulator and the store are closed: both are read as a restart would.
	sim, err := ppaysim.Open(w.simPath, ppaysim.Config{Settings: ppaysim.DefaultSettings()})
	w.must(err)
	defer sim.Close()
	dump, err := sim.Dump()
	w.must(err)
	for _, p := range dump.Positions {
		positions[p.ID] = p
		if p.Inserted > 1 {
			t.Errorf("position %s was inserted %d times", p.ID, p.Inserted)
		}
		seen := map[string]bool{}
		for _, wr := range p.Writes {
			if seen[wr.Message] {
				t.Errorf("position %s was written twice by list %s", p.ID, wr.Message)
			}
			seen[wr.Message] = true
		}
	}
	s, err := boltstore.Open(w.storePath, boltstore.Options{})
	w.must(err)
	defer s.Close()
	w.must(s.Check(t.Context()))

	codes, told, differences := 0, 0, 0
	w.must(s.View(t.Context(), func(r store.Reader) error {
		for _, town := range towns {
			var troubles []multe.Discrepancy
			if err := store.Each(func(after string) ([]multe.Discrepancy, error) {
				return r.Discrepancies(town.id, true, after, store.MaxPage)
			},
				func(d multe.Discrepancy) string { return d.ID }, func(d multe.Discrepancy) error { troubles = append(troubles, d); return nil }); err != nil {
				return err
			}
			told += len(troubles)
			for _, state := range multe.CodeStates() {
				if err := store.Each(func(after multe.PositionID) ([]multe.Code, error) {
					return r.CodesIn(town.id, state, after, store.MaxPage)
				},
					func(k multe.Code) multe.PositionID { return k.Position },
					func(k multe.Code) error {
						codes++
						p, exists := positions[string(k.Position)]
						delete(positions, string(k.Position))
						why := differ(k, p, exists)
						if why == "" {
							return nil
						}
						differences++
						if !slices.ContainsFunc(troubles, func(d multe.Discrepancy) bool { return concerns(r, d, k) && d.Detail != "" }) {
							t.Errorf("%s %s: %s, and nobody was told", town.policy.Debtor, k.Position, why)
						}
						return nil
					}); err != nil {
					return err
				}
			}
			for _, state := range []multe.ChangeState{multe.ChangeWaiting, multe.ChangeSealed, multe.ChangeQueued} {
				left, err := r.ChangesIn(town.id, state, multe.Change{}, store.MaxPage)
				if err != nil {
					return err
				}
				for _, ch := range left {
					k, err := r.Code(town.id, ch.Position)
					if err != nil {
						return err
					}
					all, err := r.ChangesOf(town.id, ch.Position, 0, store.MaxPage)
					if err != nil {
						return err
					}
					// Behind one of which nobody knows the end, a change waits for a person.
					behind := slices.ContainsFunc(all, func(o multe.Change) bool { return o.Seq < ch.Seq && o.State == multe.ChangeUnknown })
					if !behind || !slices.ContainsFunc(troubles, func(d multe.Discrepancy) bool { return concerns(r, d, k) }) {
						t.Errorf("%s: change %s (%s) is still %s: %s, not before %v", town.policy.Debtor, ch.ID(), ch.Kind, state, lives(all), ch.NotBefore)
					}
				}
			}
		}
		dead, err := r.MessagesIn(multe.MessageDead, "", store.MaxPage)
		for _, m := range dead {
			t.Errorf("message %s of kind %s is dead: %s", m.ID, m.Kind, m.Problem)
		}
		return err
	}))
	for id := range positions {
		t.Errorf("the platform holds position %s, of which we know nothing", id)
	}
	t.Logf("%d codes, %d differences, %d open discrepancies", codes, differences, told)
}

// lives lists changes for an error message.
func lives(all []multe.Change) string {
	var b strings.Builder
	for _, ch := range all {
		fmt.Fprintf(&b, " %d:%s %s %s", ch.Seq, ch.Kind, ch.State, ch.Code)
	}
	return b.String()
}

// differ says how our belief about a code differs from the platform's.
func differ(k multe.Code, p ppaysim.Position, exists bool) string {
	paid := p.State == ppaysim.Paid || p.State == ppaysim.WaitSecondRT
	switch {
	case !exists && k.State != multe.CodeRequested && k.State != multe.CodeVoid:
		return fmt.Sprintf("is %s and the platform has no such position", k.State)
	case !exists:
		return ""
	case k.State == multe.CodeRequested:
		return "exists at the platform and has no number here"
	case !k.Number.IsZero() && k.Number.String() != p.Avviso:
		return "has another number at the platform"
	case paid != (k.State == multe.CodePaid):
		return fmt.Sprintf("is %s here and %v there", k.State, p.State)
	case p.State == ppaysim.Void != (k.State == multe.CodeVoid) && !paid:
		return fmt.Sprintf("is %s here and %v there", k.State, p.State)
	case !paid && p.State != ppaysim.Void && k.UpstreamCents != p.Cents:
		return fmt.Sprintf("is worth %d cents here and %d there", k.UpstreamCents, p.Cents)
	case !paid && p.State != ppaysim.Void && k.UpstreamDebtor == (p.Debtor.CF == "ANONIMO"):
		return "has a debtor on one side only"
	}
	return ""
}

// concerns reports whether d tells of code k: by its position, number, verbale,
// a change of it, or a batch that carried one.
func concerns(r store.Reader, d multe.Discrepancy, k multe.Code) bool {
	for _, name := range []string{string(k.Position), string(k.Verbale)} {
		if name != "" && strings.Contains(d.Subject, name) {
			return true
		}
	}
	if iuv := k.Number.IUV(); iuv != "" && strings.Contains(d.Subject, iuv) {
		return true
	}
	changes, err := r.ChangesOf(k.Creditor, k.Position, 0, store.MaxPage)
	return err == nil && slices.ContainsFunc(changes, func(ch multe.Change) bool { return ch.Batch != "" && d.Subject == string(ch.Batch) })
}
