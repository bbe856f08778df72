package firmwareapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	firmwareapi "preavviso/firmware-api"
	"preavviso/firmware-api/client"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// What handhelds do to one code, as the history has it. A lease of several codes is
// one act on each.
type (
	act struct {
		position string
		device   int
		what     string // "lease", "return", "issue" or "spoil"
	}
	// where a code is: in the pool (device −1), on a device, or past the pool.
	where struct {
		device int
		state  string // "pool", "held", "aside" or "issued"
	}
)

// codeModel is what one code does when acts on it come one after the other. The
// output of an act is whether it was done.
var codeModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, op := range history {
			p := op.Input.(act).position
			by[p] = append(by[p], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range by {
			out = append(out, ops)
		}
		return out
	},
	Init: func() any { return where{-1, "pool"} },
	Step: func(state, input, output any) (bool, any) {
		s, a, done := state.(where), input.(act), output.(bool)
		holds := s.device == a.device && s.state == "held"
		switch a.what {
		case "lease": // is in the history only where it was done
			return s.state == "pool", where{a.device, "held"}
		case "return":
			if !done {
				return !holds, s
			}
			return holds, where{-1, "pool"}
		case "spoil":
			may := s.device == a.device && (s.state == "held" || s.state == "aside")
			if !done {
				return !may, s
			}
			return may, where{a.device, "aside"}
		}
		may := s.device == a.device && (s.state == "held" || s.state == "aside")
		if !done {
			return !may, s
		}
		return may, where{a.device, "issued"}
	},
}

const (
	linearDevices = 64
	linearCodes   = 160 // too few, so that they go from hand to hand
	linearActs    = 14
)

// fleet is handhelds that act at once on one service, through a network that resets
// connections before and after the service has seen them.
type fleet struct {
	t       *testing.T
	began   time.Time
	mu      sync.Mutex
	history []porcupine.Operation
	resets  atomic.Int64
}

func (f *fleet) note(device int, position, what string, done bool, from time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = append(f.history, porcupine.Operation{ClientId: device, Input: act{position, device, what}, Output: done,
		Call: int64(from), Return: int64(time.Since(f.began))})
}

// resetting resets one connection in eight, half of them when it is too late.
type resetting struct {
	next   http.RoundTripper
	random *rand.Rand
	f      *fleet
}

func (n resetting) RoundTrip(r *http.Request) (*http.Response, error) {
	dice := n.random.IntN(16)
	if dice == 0 {
		n.f.resets.Add(1)
		return nil, errors.New("reset before it was heard")
	}
	resp, err := n.next.RoundTrip(r)
	if dice == 1 {
		n.f.resets.Add(1)
		return nil, errors.New("reset before it was answered")
	}
	return resp, err
}

// play lets every handheld act, and returns the history.
func (f *fleet) play(w *webtest.World, api http.Handler) []porcupine.Operation {
	t := f.t
	f.began = time.Now()
	var wg sync.WaitGroup
	for i := range linearDevices {
		key := generate(t)
		w.Signer(t, webtest.Torino, key.PublicKey())
		conn, err := client.NewConn(address, key)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(42, uint64(i)))
		conn.SetNow(w.Now)
		conn.SetTransport(resetting{webtest.Transport{Handler: api}, random, f})
		wg.Go(func() { f.handheld(w, i, conn, random) })
	}
	wg.Wait()
	return f.history
}

// handheld acts on codes that it holds, or held once.
func (f *fleet) handheld(w *webtest.World, device int, conn *client.Conn, random *rand.Rand) {
	t := f.t
	type held struct{ Position, Avviso string }
	var mine []held
	// do repeats a request, under its id, until it is answered.
	do := func(path string, body any) (answer []byte, code string) {
		text, err := json.Marshal(body)
		if err != nil {
			t.Error(err)
		}
		for {
			answer, err := conn.Do("POST", path, text)
			var no *client.Refusal
			switch {
			case err == nil:
				return answer, ""
			case errors.As(err, &no) && no.Status == 409:
				return nil, no.Code
			case errors.As(err, &no) && no.Status < 500:
				t.Errorf("%s: %v", path, err)
				return nil, no.Code
			}
		}
	}
	for range linearActs {
		from := time.Since(f.began)
		if len(mine) == 0 || random.IntN(4) == 0 {
			answer, code := do("/v1/leases", map[string]any{"id": w.ID(t), "want": 1 + random.IntN(3)})
			if code != "" && code != "pool.empty" {
				t.Errorf("lease: %s", code)
			}
			var block struct{ Codes []held }
			if code == "" {
				if err := json.Unmarshal(answer, &block); err != nil {
					t.Error(err)
				}
			}
			for _, k := range block.Codes {
				f.note(device, k.Position, "lease", true, from)
			}
			mine = append(mine, block.Codes...)
			continue
		}
		k := mine[random.IntN(len(mine))]
		switch random.IntN(8) {
		case 0, 1, 2, 3, 4:
			answer, code := do("/v1/returns", map[string]any{"id": w.ID(t), "positions": []string{k.Position}})
			var told firmwareapi.Returned
			if err := json.Unmarshal(answer, &told); err != nil || len(told.Codes) != 1 {
				t.Errorf("return: %s %s %v", answer, code, err)
				continue
			}
			f.note(device, k.Position, "return", told.Codes[0].Returned, from)
		case 5:
			_, code := do("/v1/spoils", map[string]any{"position": k.Position, "reason": "wrong"})
			// What was spoiled once stays so: its repetition changes nothing, and is
			// answered alike when the code has gone on.
			if code != "" || !f.spoiled(device, k.Position) {
				f.note(device, k.Position, "spoil", code == "", from)
			}
		default:
			_, code := do("/v1/verbali", map[string]any{
				"id": w.ID(t), "position": k.Position, "avviso": k.Avviso, "plate": "AB123CD", "nation": "IT", "place": "via Roma 1", "warden": "M",
				"violation": map[string]any{"norm": "art. 7", "conduct": "Sosta"}, "issued_at": w.Now().Format(time.RFC3339), "offline": false,
				"steps": []any{map[string]any{"cents": 4200}},
			})
			f.note(device, k.Position, "issue", code == "", from)
		}
	}
}

func (f *fleet) spoiled(device int, position string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range f.history {
		if op.Input == (act{position, device, "spoil"}) && op.Output == true {
			return true
		}
	}
	return false
}

func linear(t *testing.T, double bool) (porcupine.CheckResult, int) {
	t.Helper()
	w := webtest.New(t)
	w.AddCodes(t, webtest.Torino, linearCodes)
	codes := w.Pool
	if double {
		codes = pool.New(&forgetful{Store: w.Store}, w.Now, w.Random, func() {})
	}
	api := firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: codes, Verbali: w.Verbali, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents})
	f := &fleet{t: t}
	history := f.play(w, api)
	t.Logf("%d acts on %d codes by %d handhelds, %d resets", len(history), linearCodes, linearDevices, f.resets.Load())
	if f.resets.Load() == 0 {
		t.Error("nothing was reset")
	}
	return porcupine.CheckOperationsTimeout(codeModel, history, time.Minute), len(history)
}

// TestLinearizable: whatever 64 handhelds do at once, each code sees it in some
// order in which every answer is right.
func TestLinearizable(t *testing.T) {
	if result, acts := linear(t, false); result != porcupine.Ok || acts < linearDevices {
		t.Errorf("%s after %d acts", result, acts)
	}
}

// TestLinearizableBites plants a pool that now and then lends a code twice.
func TestLinearizableBites(t *testing.T) {
	if result, _ := linear(t, true); result != porcupine.Illegal {
		t.Errorf("a code was lent twice and nobody saw it: %s", result)
	}
}

// forgetful is a store that has forgotten, each time the pool is asked for free
// codes, that one of them was lent.
type forgetful struct{ store.Store }

func (s *forgetful) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return fn(forgetfulTx{tx}) })
}

type forgetfulTx struct{ store.Tx }

func (tx forgetfulTx) CodesIn(c multe.CreditorID, s multe.CodeState, after multe.PositionID, limit int) ([]multe.Code, error) {
	list, err := tx.Tx.CodesIn(c, s, after, limit)
	if err != nil || s != multe.CodeAvailable || len(list) == 0 {
		return list, err
	}
	lent, err := tx.Tx.CodesIn(c, multe.CodeAssigned, "", 1)
	if err != nil || len(lent) == 0 {
		return list, err
	}
	k := lent[0]
	k.State, k.Device, k.Lease = multe.CodeAvailable, "", ""
	list[0] = k
	return list, nil
}
