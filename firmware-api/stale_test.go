package firmwareapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/firmware-api/client"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/web/webtest"
)

// TestStaleLease is a handheld that was silent for too long: what it printed is
// taken, what it did not print is nobody's, and the office knows which is which.
func TestStaleLease(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	var state firmwareapi.DeviceState
	a := r.call(t, "GET", "/v1/state", "")
	a.Decode(t, 200, &state)
	if want := r.Now().Add(multe.DefaultLease); !state.Expires.Equal(want) || a.Header.Get("Preavviso-Expires") != want.Format(time.RFC3339) {
		t.Errorf("the lease expires at %v, %q", state.Expires, a.Header.Get("Preavviso-Expires"))
	}
	printed := encode(t, r.slip(t, r.codes[0]))
	late := encode(t, r.slip(t, r.codes[1]))
	r.Pass(multe.DefaultLease + multe.SeenEvery)
	if _, err := r.Registry.Expire(ctx); err != nil {
		t.Fatal(err)
	}

	if a := r.call(t, "POST", "/v1/verbali", printed); a.Status != 200 {
		t.Errorf("a late verbale: %d %s", a.Status, a.Body)
	}
	var told firmwareapi.Returned
	back := encode(t, map[string]any{"id": r.ID(t), "positions": []any{string(r.codes[2].Position), string(r.codes[1].Position)}})
	first := r.call(t, "POST", "/v1/returns", back)
	first.Decode(t, 200, &told)
	for _, k := range told.Codes {
		if k.Returned || k.Code != "lease.stale" || k.Detail == "" {
			t.Errorf("given back: %+v", k)
		}
	}
	if again := r.call(t, "POST", "/v1/returns", back); again.Body != first.Body {
		t.Errorf("repeated: %s, then %s", first.Body, again.Body)
	}
	r.call(t, "GET", "/v1/state", "").Decode(t, 200, &state)
	for _, k := range state.Held {
		if k.State != firmwareapi.CodeState(multe.CodeQuarantined) {
			t.Errorf("held %+v", k)
		}
	}
	if len(state.Held) != 4 || !state.Expires.After(r.Now()) {
		t.Errorf("%d codes held until %v", len(state.Held), state.Expires)
	}

	// The office gives two up. One turns up on paper after all, which the handheld
	// had denied.
	for _, k := range r.codes[1:3] {
		if _, err := r.Pool.Void(ctx, "operator:1", webtest.Torino, k.Position, "Palmare senza contatti"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if p := r.call(t, "POST", "/v1/verbali", late).Problem(t); p.Status != 409 || p.Code != "code.void" {
			t.Errorf("a slip on a code that was given up: %+v", p)
		}
	}
	list, err := r.Discrepancies(ctx, webtest.Torino, true, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, d := range list {
		kinds = append(kinds, d.Kind+" "+d.Subject)
	}
	slices.Sort(kinds)
	if got, want := strings.Join(kinds, ", "), "code.void_on_paper "+string(r.codes[1].Position)+", device.silent "+string(r.device.ID); got != want {
		t.Errorf("the office is told of %s, want %s", got, want)
	}

	accounts, err := r.Pool.Account(ctx, webtest.Torino, r.device.ID, multe.DayOf(r.Now().Add(-multe.DefaultLease-multe.SeenEvery)))
	if err != nil || len(accounts) != 5 {
		t.Fatalf("%d accounted, %v", len(accounts), err)
	}
	for i, want := range []pool.Outcome{pool.Issued, pool.Unprinted, pool.Unprinted, pool.Aside, pool.Aside} {
		if got := accounts[i]; got.Outcome != want || got.Open() != (want == pool.Aside) {
			t.Errorf("code %d: %s, open %v; want %s", i, got.Outcome, got.Open(), want)
		}
	}
	if stock, err := r.Pool.Stock(ctx, webtest.Torino); err != nil || stock.Counts[multe.CodeAvailable] != 7 {
		t.Errorf("%d codes in the pool, %v: something came back", stock.Counts[multe.CodeAvailable], err)
	}

	var block firmwareapi.LeasedCodes
	r.call(t, "POST", "/v1/leases", encode(t, map[string]any{"id": r.ID(t), "want": 3})).Decode(t, 200, &block)
	if len(block.Codes) != 3 || !block.Expires.Equal(r.Now().Add(multe.DefaultLease)) {
		t.Errorf("a new block: %d codes until %v", len(block.Codes), block.Expires)
	}
}

// TestLeaseWithoutWant: the service decides, from what the handheld used, and the
// same request keeps its answer.
func TestLeaseWithoutWant(t *testing.T) {
	r := newRig(t)
	r.AddCodes(t, webtest.Torino, 40)
	for i := range 4 {
		if a := r.call(t, "POST", "/v1/verbali", encode(t, r.slip(t, r.codes[i]))); a.Status != 200 {
			t.Fatal(a.Body)
		}
	}
	ask := func(body map[string]any) (block firmwareapi.LeasedCodes) {
		t.Helper()
		r.call(t, "POST", "/v1/leases", encode(t, body)).Decode(t, 200, &block)
		return block
	}
	if n := len(ask(map[string]any{"id": r.ID(t)}).Codes); n != multe.DefaultBlock {
		t.Errorf("on its first day it got %d codes", n)
	}
	r.Pass(24 * time.Hour)
	id := r.ID(t)
	block := ask(map[string]any{"id": id})
	if len(block.Codes) != 5 {
		t.Errorf("after a shift of four it got %d codes", len(block.Codes))
	}
	if !slices.IsSortedFunc(block.Codes, func(a, b firmwareapi.Code) int { return strings.Compare(a.Position, b.Position) }) {
		t.Error("not oldest first")
	}
	r.Pass(time.Hour)
	if again := ask(map[string]any{"id": id}); !slices.Equal(again.Codes, block.Codes) {
		t.Errorf("repeated: %v, then %v", block.Codes, again.Codes)
	}
	if p := r.call(t, "POST", "/v1/leases", encode(t, map[string]any{"id": id, "want": 5})).Problem(t); p.Code != "lease.other_request" {
		t.Errorf("the same id with a want: %+v", p)
	}
}

// TestClientObeysTheLease: once its lease has passed the reference client prints
// nothing more, also after a restart and before it has asked; then it goes on.
func TestClientObeysTheLease(t *testing.T) {
	w := webtest.New(t)
	w.AddCodes(t, webtest.Torino, 40)
	_, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare", false)
	if err != nil {
		t.Fatal(err)
	}
	api := handler(w)
	online := true
	network := roundTrip(func(r *http.Request) (*http.Response, error) {
		if !online {
			return nil, errors.New("no network")
		}
		return webtest.Transport{Handler: api}.RoundTrip(r)
	})
	dir := t.TempDir()
	var d *client.Device
	restart := func() {
		t.Helper()
		if d != nil {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if d, err = client.Open(dir, "http://palmari.example"); err != nil {
			t.Fatal(err)
		}
		d.Conn().SetTransport(network)
		d.Conn().SetNow(w.Now)
		d.SetSleep(func(time.Duration) {})
	}
	print := func() error {
		slip := (&rig{World: w}).slip(t, multe.Code{})
		for _, name := range []string{"id", "position", "avviso", "issued_at"} {
			delete(slip, name)
		}
		text, err := d.Issue(encode(t, slip))
		if err != nil {
			return err
		}
		var s struct{ ID string }
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return err
		}
		return d.Printed(s.ID)
	}
	restart()
	if err := d.Enrol(code); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Lease(0); err != nil || n != multe.DefaultBlock {
		t.Fatalf("lent %d, %v", n, err)
	}
	w.Pass(50 * time.Hour)
	if err := errors.Join(print(), d.Sync()); err != nil { // heard: its time begins anew
		t.Fatal(err)
	}
	online = false
	w.Pass(50 * time.Hour)
	restart()
	if err := print(); err != nil {
		t.Fatalf("within the lease, offline, after a restart: %v", err)
	}
	w.Pass(30 * time.Hour)
	if err := print(); !errors.Is(err, client.ErrStale) {
		t.Fatalf("past the lease: %v", err)
	}
	restart()
	if err := print(); !errors.Is(err, client.ErrStale) {
		t.Fatalf("past the lease, after a restart: %v", err)
	}
	if _, err := w.Registry.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	online = true
	if _, err := d.Conn().Do("GET", "/v1/state", nil); err != nil { // an answer alone does not do
		t.Fatal(err)
	}
	if err := print(); !errors.Is(err, client.ErrStale) {
		t.Fatalf("with an answer that nobody compared: %v", err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if d.Sent() != 2 || d.Count("free") != 0 || d.Count("aside") != multe.DefaultBlock-2 {
		t.Errorf("%d sent, codes %s", d.Sent(), d.Codes())
	}
	if n, err := d.Lease(0); err != nil || n != 5 || print() != nil || d.Sync() != nil || d.Sent() != 3 {
		t.Errorf("a new block: %d, %v; %d sent", n, err, d.Sent())
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
