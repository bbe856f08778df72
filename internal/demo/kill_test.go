package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/app"
	"preavviso/internal/ppay/ppaysim"
)

// TestKills plays a shift while `preavviso serve` is killed with SIGKILL again
// and again: before a request reaches it, after it answered but before the
// answer arrives, before its call reaches the platform and before it hears what
// the platform said. Whoever talks to it repeats what was not answered. In the
// end nothing is lost and nothing was done twice.
func TestKills(t *testing.T) {
	kills, slips := 25, 12
	if os.Getenv("PREAVVISO_TEST_SOAK") != "" {
		kills, slips = 400, 150
	}
	const seed = 20261123
	t.Logf("%d kills, seed %d", kills, seed)
	w := newWorld(t, kills, rand.New(rand.NewPCG(seed, 0)))
	w.play(t, slips)
	if left := w.killer.stop(); left > 0 {
		t.Errorf("the shift ended before %d of the kills", left)
	}
	w.check(t, slips)
}

// poolLow is where the pool asks for more: often, in so short a shift.
const poolLow = 10

// world is a service that is killed, the platform, and the ways between them,
// each of which passes a tap where a kill can happen.
type world struct {
	sim      *ppaysim.Sim
	killer   *killer
	office   client
	handheld client
	base     string
}

func newWorld(t *testing.T, kills int, random *rand.Rand) *world {
	dir := t.TempDir()
	settings := ppaysim.DefaultSettings()
	settings.DelayMin, settings.DelayMax = ppaysim.Duration(10*time.Millisecond), ppaysim.Duration(80*time.Millisecond)
	settings.NotifyEvery = ppaysim.Duration(100 * time.Millisecond)
	settings.Retries, settings.Backoff = 1000, ppaysim.Duration(50*time.Millisecond)
	sim, err := ppaysim.Open(filepath.Join(dir, "ppaysim.db"), ppaysim.Config{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sim.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ran, sim.Close()); err != nil {
			t.Error(err)
		}
	})

	k := &killer{t: t, left: kills, random: random}
	platform := httptest.NewServer(sim.Handler())
	t.Cleanup(platform.Close)
	secret := func(name, value string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const admin, password = "0123456789abcdef0123456789abcdef", "listener-password"
	firmware, api, soap := freeAddr(t), freeAddr(t), freeAddr(t)
	k.args = []string{"serve",
		"--data", filepath.Join(dir, "preavviso.db"),
		"--firmware-listen", firmware, "--api-listen", api, "--soap-listen", soap,
		"--admin-token-file", secret("admin.secret", admin),
		"--ppay-url", k.tap(platform.URL).URL + ppaysim.Endpoint, "--ppay-timeout", "2s",
		"--soap-user", simUser, "--soap-password-file", secret("soap.secret", password),
		"--replenish-every", "200ms", "--submit-every", "100ms", "--inbox-every", "100ms", "--resend-after", "1s",
	}
	k.binary = build(t, dir)
	k.ready = "http://" + api + "/v1/health"
	k.log = filepath.Join(dir, "log.jsonl")
	k.start()
	t.Cleanup(k.end)

	w := &world{sim: sim, killer: k, base: "/v1/creditors/" + creditorCF}
	direct := client{base: "http://" + api, token: admin}
	w.office = client{base: k.tap("http://" + api).URL, token: admin}

	// The shift begins with a town and a handheld that are known.
	ctx := t.Context()
	d := demo{firmware: k.tap("http://" + firmware).URL, sim: client{base: platform.URL}}
	must(t, d.sim.do(ctx, "PUT", "/control/v1/enti", map[string]any{"enti": []ppaysim.Creditor{{
		CF: creditorCF, Segregation: "12", Endpoint: k.tap("http://"+soap).URL + app.SOAPPath,
		User: simUser, Password: password, Types: []ppaysim.PaymentType{{Code: codiceVersamento}},
	}}}, nil))
	must(t, direct.do(ctx, "POST", "/v1/creditors", map[string]any{
		"cf": creditorCF, "name": "Comune di Esempio", "codice_versamento": codiceVersamento, "pool": map[string]int{"low": poolLow, "target": 2 * poolLow},
	}, nil))
	handheld, _, err := d.enrol(ctx, direct, w.base)
	must(t, err)
	w.handheld = handheld
	k.arm()
	return w
}

// play is the shift: blocks of codes, slips, and for each third slip a payment,
// for each other third a record by the office.
func (w *world) play(t *testing.T, slips int) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var issued []slip
	for len(issued) < slips {
		var block struct {
			Codes []code `json:"codes"`
		}
		lease := map[string]any{"id": newID(time.Now()), "want": 4}
		stubborn(t, ctx, func() error { return w.handheld.do(ctx, "POST", "/v1/leases", lease, &block) })
		for _, k := range block.Codes {
			s := (&demo{}).newSlip(k, fmt.Sprintf("PV-%04d", len(issued)), "AB123CD", 2940, 4200, len(issued)%2 == 0)
			var r receipt
			stubborn(t, ctx, func() error { return w.handheld.do(ctx, "POST", "/v1/verbali", s, &r) })
			issued = append(issued, s)
		}
	}
	for i, s := range issued {
		stubborn(t, ctx, func() error {
			var st status
			if err := w.handheld.do(ctx, "GET", "/v1/verbali/"+s.ID, nil, &st); err != nil {
				return err
			}
			if !st.Payable {
				return errNotYet
			}
			return nil
		})
		switch i % 3 {
		case 0:
			must(t, (&demo{sim: w.direct()}).pay(ctx, s.Avviso))
		case 1:
			record := map[string]any{"register": s.Reference, "cents": 5580, "debtor": map[string]any{"surname": "Bianchi", "name": "Lucia", "cf": "BNCLCU80A41L219X"}}
			stubborn(t, ctx, func() error { return w.office.do(ctx, "PUT", w.base+"/verbali/"+s.ID+"/record", record, nil) })
		}
	}
	for i, s := range issued {
		want := [3]string{"settled", "finalised", "issued"}[i%3]
		stubborn(t, ctx, func() error {
			var v verbaleAndCode
			if err := w.office.do(ctx, "GET", w.base+"/verbali/"+s.ID, nil, &v); err != nil {
				return err
			}
			if v.Verbale.State != want || i%3 == 1 && !v.Code.Debtor {
				return errNotYet
			}
			return nil
		})
	}
}

// check compares the service with the platform once both are quiet.
func (w *world) check(t *testing.T, slips int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stock struct {
		Counts map[string]int `json:"counts"`
	}
	// The pool refills itself as slips use it up: the last list must have come.
	stubborn(t, ctx, func() error {
		if err := w.office.do(ctx, "GET", w.base+"/stock", nil, &stock); err != nil {
			return err
		}
		if stock.Counts["requested"] > 0 || stock.Counts["available"] < poolLow {
			return errNotYet
		}
		return nil
	})
	dump, err := w.sim.Dump()
	must(t, err)
	seen := map[string]bool{}
	written := map[int]int{} // how many positions were updated how often
	for _, p := range dump.Positions {
		var k code
		must(t, w.office.do(ctx, "GET", w.base+"/codes/"+p.ID, nil, &k))
		if k.Avviso != p.Avviso || k.Upstream != int64(p.Cents) {
			t.Errorf("position %s: we believe %+v, the platform holds %s with %d cents", p.ID, k, p.Avviso, p.Cents)
		}
		if p.Inserted != 1 || seen[p.Avviso] {
			t.Errorf("position %s: inserted %d times, or its code is another's too", p.ID, p.Inserted)
		}
		seen[p.Avviso] = true
		written[p.Updated]++
		if len(p.Payments) > 1 {
			t.Errorf("position %s: paid %d times", p.ID, len(p.Payments))
		}
	}
	// An activation is one update; a record under «reset» is two more.
	recorded := (slips + 1) / 3
	if len(written) != 3 || written[1] != slips-recorded || written[3] != recorded {
		t.Errorf("positions by number of updates: %v, want 1:%d and 3:%d", written, slips-recorded, recorded)
	}
	// Nothing is sent twice: what may have arrived is repeated under the same
	// IdMessaggio, which the platform works once.
	var messages []ppaysim.Message
	for {
		var page struct {
			Messages []ppaysim.Message `json:"messages"`
		}
		path := "/control/v1/messages?limit=1000"
		if n := len(messages); n > 0 {
			path += fmt.Sprintf("&after=%d", messages[n-1].Seq)
		}
		must(t, w.direct().do(ctx, "GET", path, nil, &page))
		if len(page.Messages) == 0 {
			break
		}
		messages = append(messages, page.Messages...)
	}
	ids := regexp.MustCompile(`<IdPosizioneDebitoria[^>]*>([0-9a-f]{32})<`)
	told, repeated := map[string]map[string]bool{}, 0
	sent := map[string]bool{}
	for _, m := range messages {
		if m.Direction != "in" {
			continue
		}
		if sent[m.ID] {
			repeated++
		}
		sent[m.ID] = true
		for _, id := range ids.FindAllStringSubmatch(m.Body, -1) {
			if told[id[1]] == nil {
				told[id[1]] = map[string]bool{}
			}
			told[id[1]][m.ID] = true
		}
	}
	t.Logf("%d lists, %d of them sent again", len(sent), repeated)
	for _, p := range dump.Positions {
		if len(told[p.ID]) != p.Inserted+p.Updated {
			t.Errorf("position %s was written %d times and told in %d lists", p.ID, p.Inserted+p.Updated, len(told[p.ID]))
		}
	}
	for _, e := range dump.Register {
		if e.Code != "000" && e.Code != "150" {
			t.Errorf("list %s ended with %s", e.Message, e.Code)
		}
	}

	sum := 0
	for _, n := range stock.Counts {
		sum += n
	}
	paid := (slips + 2) / 3
	if sum != len(dump.Positions) || stock.Counts["void"] != 0 || stock.Counts["paid"] != paid || stock.Counts["active"] != slips-paid {
		t.Errorf("stock %v, the platform holds %d positions, %d slips", stock.Counts, len(dump.Positions), slips)
	}
	var payments struct {
		Payments []struct {
			IUV string `json:"iuv"`
		} `json:"payments"`
	}
	must(t, w.office.do(ctx, "GET", w.base+"/payments", nil, &payments))
	if len(payments.Payments) != paid {
		t.Errorf("%d payments recorded, want %d", len(payments.Payments), paid)
	}
	var open struct {
		Discrepancies []struct {
			ID     string `json:"id"`
			Detail string `json:"detail"`
		} `json:"discrepancies"`
	}
	must(t, w.office.do(ctx, "GET", w.base+"/discrepancies", nil, &open))
	for _, d := range open.Discrepancies {
		t.Errorf("discrepancy %s: %s", d.ID, d.Detail)
	}
}

// direct reaches the simulator's controls past all taps.
func (w *world) direct() client { return client{base: w.killer.platform} }

// errNotYet makes stubborn ask again.
var errNotYet = errors.New("not yet")

// stubborn repeats do until it succeeds, as handhelds and offices do: only a
// refusal that repeating cannot change stops it.
func stubborn(t *testing.T, ctx context.Context, do func() error) {
	t.Helper()
	for {
		err := do()
		var no *refusal
		switch {
		case err == nil:
			return
		case errors.As(err, &no) && no.status < 500 && no.Code != "pool.empty":
			t.Fatalf("refused: %v", err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("gave up: %v", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// killer runs the service and kills it at chosen points of its conversations.
type killer struct {
	t        *testing.T
	binary   string
	args     []string
	ready    string // answers 200 when the service serves
	log      string
	platform string // address of the simulator

	mu     sync.Mutex
	random *rand.Rand
	armed  bool
	left   int // kills to come
	next   int // points to pass before the next one
	cmd    *exec.Cmd
}

// tap stands before target. Each exchange has two points where a kill can fall:
// before it goes on, and after it was answered.
func (k *killer) tap(target string) *httptest.Server {
	u, err := url.Parse(target)
	must(k.t, err)
	if k.platform == "" {
		k.platform = target
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // a signature covers it
		},
		ModifyResponse: func(resp *http.Response) error {
			if k.point() {
				return errors.New("killed before the answer arrived")
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.point() {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		proxy.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = nil
	s.Start()
	k.t.Cleanup(s.Close)
	return s
}

// point counts, kills when it is time, and says whether it did.
func (k *killer) point() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.armed || k.left == 0 {
		return false
	}
	if k.next--; k.next > 0 {
		return false
	}
	k.left--
	k.next = 1 + k.random.IntN(12)
	k.kill()
	k.start()
	return true
}

func (k *killer) arm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed, k.next = true, 3
}

// stop ends the killing and says how many kills were left.
func (k *killer) stop() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed = false
	return k.left
}

func (k *killer) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kill()
	if k.t.Failed() {
		text, _ := os.ReadFile(k.log)
		lines := strings.Split(string(text), "\n")
		k.t.Logf("the last of its log:\n%s", strings.Join(lines[max(0, len(lines)-30):], "\n"))
	}
}

func (k *killer) kill() {
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Errorf("kill: %v", err)
	}
	_ = k.cmd.Wait() // it was killed: that is the point
}

// start runs the service and waits until it serves.
func (k *killer) start() {
	log, err := os.OpenFile(k.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer log.Close()
	k.cmd = exec.Command(k.binary, k.args...)
	k.cmd.Stderr = log
	if err := k.cmd.Start(); err != nil {
		k.t.Error(err)
		return
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if resp, err := http.Get(k.ready); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	k.t.Error("the service did not come back")
}

// build makes the real binary, with the race detector.
func build(t *testing.T, dir string) string {
	binary := filepath.Join(dir, "preavviso")
	if out, err := exec.Command("go", "build", "-race", "-o", binary, "preavviso/cmd/preavviso").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// freeAddr returns a loopback address that nobody uses now.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
