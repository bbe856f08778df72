package dispatch_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/dispatch"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const ente multe.CreditorID = "00514490010"

var debtor = multe.Debtor{Surname: "Rossi", Name: "Anna", CF: "RSSNNA80A41L219X"}

// gateway is a platform of one function.
type gateway struct {
	answer func(b multe.Batch) (string, error) // nil: queued
	sent   []multe.Batch
}

const unsayable multe.Causale = "unsayable"

func (g *gateway) Encode(b multe.Batch, c multe.Creditor, changes []multe.Change) ([]byte, error) {
	for _, ch := range changes {
		if ch.Want.Causale == unsayable {
			return nil, errors.New("cannot be said")
		}
	}
	return json.Marshal(changes)
}

func (g *gateway) Submit(_ context.Context, _ multe.Creditor, b multe.Batch) (string, error) {
	g.sent = append(g.sent, b)
	if g.answer == nil {
		return "000", nil
	}
	return g.answer(b)
}

type world struct {
	*dispatch.Dispatch
	store   store.Store
	clock   time.Time
	gateway *gateway
	rest    dispatch.Positions // nil: none
}

func openStore(t testing.TB) store.Store {
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
	return storetest.Twice(s)
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{store: openStore(t), clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), gateway: &gateway{}}
	w.restart()
	w.update(t, func(tx store.Tx) error {
		return tx.PutCreditor(multe.Creditor{ID: ente, Name: "Comune", CodiceVersamento: "MULT", PoolLow: 1, PoolTarget: 10, Version: 1})
	})
	return w
}

// restart begins a new process on the same store.
func (w *world) restart() {
	w.Dispatch = dispatch.New(w.store, w.gateway, func() time.Time { return w.clock }, rand.Reader, dispatch.Options{Positions: w.rest})
}

func (w *world) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (w *world) view(t *testing.T, fn func(store.Reader) error) {
	t.Helper()
	if err := w.store.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func position(i int) multe.PositionID { return multe.PositionID(fmt.Sprintf("%032x", i)) }

func number(i int) avviso.Number {
	head := fmt.Sprintf("301%013d", i)
	n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err)
	}
	return n
}

// put stores a code in a state and changes of it that wait, in order.
func (w *world) put(t *testing.T, i int, s multe.CodeState, kinds ...string) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		c := multe.Code{Creditor: ente, Position: position(i), State: s, Version: 1}
		if s != multe.CodeRequested {
			c.Number = number(i)
		}
		if err := tx.PutCode(c); err != nil {
			return err
		}
		for seq, kind := range kinds {
			k, want := multe.ChangeKind(kind), multe.Desired{Cents: 4200, Causale: "Preavviso"}
			switch kind {
			case "request", "reset", "void":
				want.Cents = 0
			case "debtor":
				k, want.Debtor = multe.ChangeUpdate, &debtor
			}
			if err := tx.PutChange(multe.NewChange(ente, position(i), seq+1, k, want, w.clock)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) submit(t *testing.T) (more bool) {
	t.Helper()
	more, err := w.Submit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return more
}

func (w *world) hear(t *testing.T, e multe.Esito) {
	t.Helper()
	w.update(t, func(tx store.Tx) error { return w.Hear(tx, e, w.clock) })
}

// esito answers a batch, every position with the same verdict.
func esito(b multe.Batch, v multe.Verdict) multe.Esito {
	e := multe.Esito{Creditor: ente, Batch: b.ID, Operation: b.Operation, Code: "000", Verdict: multe.VerdictApplied}
	for _, id := range b.Changes {
		var i int
		fmt.Sscanf(string(id.Position()), "%x", &i)
		e.Outcomes = append(e.Outcomes, multe.Outcome{Position: id.Position(), Number: number(i), Code: "999", Verdict: v})
	}
	return e
}

func (w *world) code(t *testing.T, i int) (c multe.Code) {
	t.Helper()
	w.view(t, func(r store.Reader) (err error) { c, err = r.Code(ente, position(i)); return err })
	return c
}

// states returns the states of the changes of a position, in order.
func (w *world) states(t *testing.T, i int) string {
	t.Helper()
	var all []string
	w.view(t, func(r store.Reader) error {
		all = nil
		cs, err := r.ChangesOf(ente, position(i), 0, 100)
		for _, c := range cs {
			all = append(all, string(c.State))
		}
		return err
	})
	return strings.Join(all, " ")
}

func (w *world) batch(t *testing.T, id multe.BatchID) (b multe.Batch) {
	t.Helper()
	w.view(t, func(r store.Reader) (err error) { b, err = r.Batch(ente, id); return err })
	return b
}

// troubles returns the kinds of the open discrepancies, sorted.
func (w *world) troubles(t *testing.T) string {
	t.Helper()
	var all []string
	w.view(t, func(r store.Reader) error {
		all = nil
		for _, c := range []multe.CreditorID{"", ente} {
			ds, err := r.Discrepancies(c, true, "", 1000)
			if err != nil {
				return err
			}
			for _, d := range ds {
				all = append(all, d.Kind)
				if len(d.Detail) < 100 {
					t.Errorf("%s tells a person too little: %q", d.Kind, d.Detail)
				}
				if len(d.ID) > 120 {
					t.Errorf("the id of %s has %d characters", d.Kind, len(d.ID))
				}
			}
		}
		return nil
	})
	slices.Sort(all)
	return strings.Join(all, " ")
}

// snapshot is everything that a second hearing must not change.
func (w *world) snapshot(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	w.view(t, func(r store.Reader) error {
		b.Reset()
		for _, s := range multe.CodeStates() {
			cs, err := r.CodesIn(ente, s, "", 1000)
			if err != nil {
				return err
			}
			fmt.Fprintln(&b, cs)
			for _, c := range cs {
				chs, err := r.ChangesOf(ente, c.Position, 0, 1000)
				if err != nil {
					return err
				}
				fmt.Fprintln(&b, chs)
			}
		}
		for _, s := range []multe.BatchState{multe.BatchSealed, multe.BatchQueued, multe.BatchRefused, multe.BatchDone, multe.BatchAbandoned} {
			bs, err := r.BatchesIn(ente, s, "", 1000)
			if err != nil {
				return err
			}
			fmt.Fprintln(&b, bs)
		}
		for _, open := range []bool{true, false} {
			ds, err := r.Discrepancies(ente, open, "", 1000)
			if err != nil {
				return err
			}
			fmt.Fprintln(&b, ds)
		}
		history, err := r.Audit(ente, "", 0, 1000)
		fmt.Fprintln(&b, history)
		return err
	})
	return b.String()
}

var _ dispatch.Gateway = (*gateway)(nil)

func unavailable() error { return fault.New(fault.Unavailable, "ppay.no_answer", "") }

func newDispatch(s store.Store, g dispatch.Gateway, now func() time.Time) *dispatch.Dispatch {
	return dispatch.New(s, g, now, rand.Reader, dispatch.Options{})
}
