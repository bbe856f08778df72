package pool_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const (
	ente  multe.CreditorID = "00514490010"
	other multe.CreditorID = "80087670016"
)

type world struct {
	*pool.Pool
	store  store.Store
	clock  time.Time
	nudges atomic.Int32
	serial int
}

func open(t *testing.T) *world {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "test.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{store: storetest.Twice(s), clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.Pool = pool.New(w.store, func() time.Time { return w.clock }, rand.Reader, func() { w.nudges.Add(1) })
	return w
}

func (w *world) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (w *world) creditor(t *testing.T, id multe.CreditorID, low, target int) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		return tx.PutCreditor(multe.Creditor{ID: id, Name: "Comune", CodiceVersamento: "MULT", PoolLow: low, PoolTarget: target, Version: 1})
	})
}

func (w *world) device(t *testing.T, id multe.DeviceID, s multe.DeviceState) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		return tx.PutDevice(multe.Device{Creditor: ente, ID: id, State: s, Version: 1})
	})
}

// deliver plays the platform: it gives n requested codes their numbers.
func (w *world) deliver(t *testing.T, n int) {
	t.Helper()
	for ; n > store.MaxPage; n -= store.MaxPage {
		w.deliver(t, store.MaxPage)
	}
	if n == 0 {
		return
	}
	start := w.serial
	w.update(t, func(tx store.Tx) error {
		w.serial = start
		cs, err := tx.CodesIn(ente, multe.CodeRequested, "", n)
		if err == nil && len(cs) != n {
			err = fmt.Errorf("%d codes are requested, want %d", len(cs), n)
		}
		for _, c := range cs {
			w.serial++
			if err == nil {
				c, err = c.Acknowledge(number(w.serial), w.clock)
			}
			if err == nil {
				err = tx.PutCode(c)
			}
		}
		return err
	})
}

func number(i int) avviso.Number {
	head := fmt.Sprintf("301%013d", i)
	n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err)
	}
	return n
}

func (w *world) counts(t *testing.T, c multe.CreditorID) map[multe.CodeState]int {
	t.Helper()
	s, err := w.Stock(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s.Counts
}

func id(i int) multe.LeaseID { return multe.LeaseID(fmt.Sprintf("%032x", i)) }

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || fault.Of(err).Code != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}

func TestReplenish(t *testing.T) {
	for _, test := range []struct {
		name                 string
		low, target          int
		available, requested int
		want                 int // requested afterwards
	}{
		{"empty", 10, 50, 0, 0, 50},
		{"several batches", 10, 620, 0, 0, 620},
		{"one short", 10, 50, 9, 0, 41},
		{"at the mark", 10, 50, 10, 0, 0},
		{"asked for already", 10, 50, 0, 10, 10},
		{"asked for in part", 10, 50, 3, 6, 47},
		{"the mark is the target", 50, 50, 49, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.creditor(t, ente, 1, max(test.available+test.requested, 1))
			if test.available+test.requested > 0 {
				if _, err := w.Replenish(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.deliver(t, test.available)
			}
			w.update(t, func(tx store.Tx) error {
				c, err := tx.Creditor(ente)
				c.PoolLow, c.PoolTarget, c.Version = test.low, test.target, 2
				return errors.Join(err, tx.PutCreditor(c))
			})
			for range 3 { // a platform that says nothing is not asked again
				if more, err := w.Replenish(t.Context()); err != nil || more {
					t.Fatalf("Replenish = %v, %v", more, err)
				}
				if got := w.counts(t, ente)[multe.CodeRequested]; got != test.want {
					t.Fatalf("%d codes requested, want %d", got, test.want)
				}
			}
		})
	}
}

// TestRequestIsWhole checks what one requested code leaves behind.
func TestRequestIsWhole(t *testing.T) {
	w := open(t)
	w.creditor(t, ente, 1, 12)
	w.creditor(t, other, 1, 10)
	if _, err := w.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.nudges.Load() != 1 {
		t.Errorf("%d nudges, want 1", w.nudges.Load())
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		codes, err := r.CodesIn(ente, multe.CodeRequested, "", 100)
		if err != nil || len(codes) != 12 {
			t.Fatalf("%d codes, %v", len(codes), err)
		}
		c := codes[0]
		if !multe.ValidID(string(c.Position)) {
			t.Errorf("position %q", c.Position)
		}
		changes, err := r.ChangesOf(ente, c.Position, 0, 10)
		want := multe.NewChange(ente, c.Position, 1, multe.ChangeRequest, multe.Desired{Causale: "Preavviso CdS"}, w.clock)
		if diff := cmp.Diff([]multe.Change{want}, changes); diff != "" || err != nil {
			t.Errorf("changes (-want +got) %v:\n%s", err, diff)
		}
		if _, err := multe.ParseCausale(string(want.Want.Causale)); err != nil {
			t.Error(err)
		}
		history, err := r.Audit(ente, c.Position, 0, 10)
		if err != nil || len(history) != 1 || history[0].Action != "code.requested" || history[0].To != "requested" {
			t.Errorf("history = %+v, %v", history, err)
		}
		if others, err := r.CodesIn(other, multe.CodeRequested, "", 100); err != nil || len(others) != 10 {
			t.Errorf("the other creditor has %d, %v", len(others), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRefusedCodesAreNotAskedForInARush plays a platform that refuses every
// position for good: ids must not be spent as fast as it can refuse.
func TestRefusedCodesAreNotAskedForInARush(t *testing.T) {
	w := open(t)
	w.creditor(t, ente, 10, 20)
	for range 60 { // ten minutes, a round every ten seconds
		if _, err := w.Replenish(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.update(t, func(tx store.Tx) error {
			cs, err := tx.CodesIn(ente, multe.CodeRequested, "", 100)
			for _, c := range cs {
				if c, err = c.Void("163", w.clock); err != nil {
					return err
				}
				if err := tx.PutCode(c); err != nil {
					return err
				}
			}
			return err
		})
		w.clock = w.clock.Add(10 * time.Second)
	}
	if got := w.counts(t, ente)[multe.CodeVoid]; got != 20 {
		t.Errorf("%d ids spent in ten minutes, want 20", got)
	}
	w.clock = w.clock.Add(10 * time.Minute)
	if _, err := w.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.counts(t, ente)[multe.CodeRequested]; got != 20 {
		t.Errorf("%d codes requested after the pause, want 20", got)
	}
}

func filled(t *testing.T, n int) *world {
	t.Helper()
	w := open(t)
	w.creditor(t, ente, 1, n)
	if _, err := w.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.deliver(t, n)
	return w
}

func TestLease(t *testing.T) {
	w, ctx := filled(t, 30), t.Context()
	w.device(t, "d1", multe.DeviceEnrolled)
	w.device(t, "d2", multe.DeviceEnrolled)
	w.device(t, "lost", multe.DeviceRevoked)

	first, err := w.Lease(ctx, ente, "d1", id(1), 10)
	if err != nil || len(first) != 10 {
		t.Fatalf("Lease = %d codes, %v", len(first), err)
	}
	if !slices.IsSortedFunc(first, func(a, b multe.Code) int { return strings.Compare(string(a.Position), string(b.Position)) }) {
		t.Error("the oldest codes do not go first")
	}
	for _, c := range first {
		if c.State != multe.CodeAssigned || c.Device != "d1" || c.Lease != id(1) || c.Number.IsZero() {
			t.Fatalf("lent %+v", c)
		}
	}
	again, err := w.Lease(ctx, ente, "d1", id(1), 10)
	if diff := cmp.Diff(first, again, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("the same request got another answer: %v\n%s", err, diff)
	}
	_, err = w.Lease(ctx, ente, "d1", id(1), 11)
	wantCode(t, err, "lease.other_request")

	// The same id of another handheld is another request.
	second, err := w.Lease(ctx, ente, "d2", id(1), 15)
	if err != nil || len(second) != 15 {
		t.Fatalf("Lease = %d codes, %v", len(second), err)
	}
	rest, err := w.Lease(ctx, ente, "d1", id(2), 10)
	if err != nil || len(rest) != 5 {
		t.Fatalf("a short pool gave %d codes, %v; want 5", len(rest), err)
	}
	_, err = w.Lease(ctx, ente, "d1", id(3), 1)
	wantCode(t, err, "pool.empty")
	if !errors.Is(err, fault.Exhausted) {
		t.Errorf("an empty pool is %v", err)
	}
	if short, err := w.Lease(ctx, ente, "d1", id(2), 10); err != nil || len(short) != 5 {
		t.Errorf("the short block repeated: %d codes, %v", len(short), err)
	}
	// An empty answer was no answer: the same request may succeed later.
	if _, err := w.Replenish(ctx); err != nil {
		t.Fatal(err)
	}
	w.deliver(t, 30)
	if late, err := w.Lease(ctx, ente, "d1", id(3), 1); err != nil || len(late) != 1 {
		t.Errorf("after the pool filled: %d codes, %v", len(late), err)
	}

	for _, bad := range []struct {
		id   multe.LeaseID
		want int
		code string
	}{
		{"", 1, "lease.bad_id"}, {"A0000000000000000000000000000000", 1, "lease.bad_id"},
		{id(9), -1, "lease.bad_want"}, {id(9), multe.MaxLease + 1, "lease.bad_want"},
	} {
		_, err := w.Lease(ctx, ente, "d1", bad.id, bad.want)
		wantCode(t, err, bad.code)
	}
	_, err = w.Lease(ctx, ente, "lost", id(1), 1)
	wantCode(t, err, "device.not_enrolled")
	_, err = w.Lease(ctx, ente, "nobody", id(1), 1)
	wantCode(t, err, "device.not_enrolled")

	held, err := w.Held(ctx, ente, "d2")
	if err != nil || len(held) != 15 {
		t.Errorf("Held = %d codes, %v; want 15", len(held), err)
	}
}

// TestRepeatShowsThePresent repeats a lease after one of its codes was printed.
func TestRepeatShowsThePresent(t *testing.T) {
	w, ctx := filled(t, 10), t.Context()
	w.device(t, "d1", multe.DeviceEnrolled)
	block, err := w.Lease(ctx, ente, "d1", id(1), 3)
	if err != nil {
		t.Fatal(err)
	}
	w.update(t, func(tx store.Tx) error {
		issued, err := block[1].Issue("v1", "d1", w.clock)
		if err != nil {
			return err
		}
		aside, err := block[2].Quarantine(w.clock)
		return errors.Join(err, tx.PutCode(issued), tx.PutCode(aside))
	})
	again, err := w.Lease(ctx, ente, "d1", id(1), 3)
	if err != nil || len(again) != 3 || again[0].State != multe.CodeAssigned || again[1].State != multe.CodeIssued || again[2].State != multe.CodeQuarantined {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	held, err := w.Held(ctx, ente, "d1")
	if err != nil || len(held) != 2 {
		t.Errorf("Held = %d codes, %v; want the unprinted two", len(held), err)
	}
}

func TestOneHandheldCannotHoardCodes(t *testing.T) {
	w, ctx := filled(t, 2*multe.MaxLease+100), t.Context()
	w.device(t, "d1", multe.DeviceEnrolled)
	for i := range 2 {
		if got, err := w.Lease(ctx, ente, "d1", id(i), multe.MaxLease); err != nil || len(got) != multe.MaxLease {
			t.Fatalf("Lease = %d codes, %v", len(got), err)
		}
	}
	_, err := w.Lease(ctx, ente, "d1", id(9), 1)
	wantCode(t, err, "lease.too_many_held")
}

// TestNoCodeGoesToTwoHandhelds lets sixteen handhelds empty a pool at once, each
// repeating every request, as after a lost answer.
func TestNoCodeGoesToTwoHandhelds(t *testing.T) {
	const racers, block = 16, 7
	w := filled(t, 200)
	taken := make([][]multe.PositionID, racers)
	for i := range racers {
		w.device(t, multe.DeviceID(fmt.Sprint("d", i)), multe.DeviceEnrolled)
	}
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			d := multe.DeviceID(fmt.Sprint("d", i))
			for n := 0; ; n++ {
				var codes, again []multe.Code
				var err error
				retry(t.Context(), func() error { codes, err = w.Lease(t.Context(), ente, d, id(n), block); return err })
				if errors.Is(err, fault.Exhausted) {
					return
				}
				retry(t.Context(), func() error { again, err = w.Lease(t.Context(), ente, d, id(n), block); return err })
				if err != nil || len(codes) != len(again) {
					t.Errorf("%s: %d codes, then %d, %v", d, len(codes), len(again), err)
					return
				}
				for _, c := range codes {
					taken[i] = append(taken[i], c.Position)
				}
			}
		})
	}
	wg.Wait()
	owner := map[multe.PositionID]int{}
	for i, positions := range taken {
		for _, p := range positions {
			if j, ok := owner[p]; ok {
				t.Errorf("%s went to %d and %d", p, j, i)
			}
			owner[p] = i
		}
	}
	if len(owner) != 200 {
		t.Errorf("%d codes lent, want 200", len(owner))
	}
}

// retry repeats what lost a race, as a handheld does.
func retry(ctx context.Context, f func() error) {
	for ctx.Err() == nil {
		if err := f(); !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Unavailable) {
			return
		}
	}
}

func TestStock(t *testing.T) {
	w := filled(t, 12)
	w.device(t, "d1", multe.DeviceEnrolled)
	s, err := w.Stock(t.Context(), ente)
	if err != nil || s.Short || s.Low != 1 || s.Target != 12 || s.Counts[multe.CodeAvailable] != 12 {
		t.Errorf("Stock = %+v, %v", s, err)
	}
	if _, err := w.Lease(t.Context(), ente, "d1", id(1), 12); err != nil {
		t.Fatal(err)
	}
	if s, err := w.Stock(t.Context(), ente); err != nil || !s.Short {
		t.Errorf("Stock = %+v, %v; want short", s, err)
	}
	_, err = w.Stock(t.Context(), other)
	wantCode(t, err, "creditor.unknown")
}
