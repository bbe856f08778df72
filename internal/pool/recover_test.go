package pool_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/store"
)

// TestRecoverEndsTroubles closes what only waited for the number.
func TestRecoverEndsTroubles(t *testing.T) {
	w := open(t)
	w.creditor(t, ente, 1, 10)
	w.code(t, 1, multe.CodeOrphaned, multe.ChangeUnknown)
	ids := map[string]string{"code.orphan": string(position(1)), "esito.missing": string(position(1)) + "-0001", "change.unknown": string(position(1)) + "-0001", "code.no_number": string(position(1)) + "-0001"}
	w.update(t, func(tx store.Tx) error {
		for kind, subject := range ids {
			if err := store.Report(tx, ente, kind, subject, "x", w.clock); err != nil {
				return err
			}
		}
		return nil
	})
	if _, committed, err := w.Recover(t.Context(), "operator:1", ente, []multe.Found{{Position: position(1), Number: number(1)}}, true); err != nil || !committed {
		t.Fatal(committed, err)
	}
	if err := w.store.View(t.Context(), func(r store.Reader) error {
		ds, err := r.Discrepancies(ente, true, "", 100)
		for _, d := range ds {
			t.Errorf("%s is still open", d.ID)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestOrphansBrake asks for no more codes at once when those asked for became
// orphans: the next ones probably would too.
func TestOrphansBrake(t *testing.T) {
	w := open(t)
	w.creditor(t, ente, 5, 10)
	if _, err := w.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.update(t, func(tx store.Tx) error {
		cs, err := tx.CodesIn(ente, multe.CodeRequested, "", 10)
		for _, k := range cs {
			if err == nil {
				k, err = k.Orphan("161", w.clock)
			}
			if err == nil {
				err = tx.PutCode(k)
			}
		}
		return err
	})
	for _, tt := range []struct {
		pass time.Duration
		want int
	}{{0, 0}, {9 * time.Minute, 0}, {time.Minute, 10}} {
		w.clock = w.clock.Add(tt.pass)
		if _, err := w.Replenish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.counts(t, ente)[multe.CodeRequested]; got != tt.want {
			t.Errorf("after %v: %d codes asked for, want %d", tt.pass, got, tt.want)
		}
	}
}

func position(i int) multe.PositionID { return multe.PositionID(fmt.Sprintf("%032x", i)) }

// code stores code i in a state, with its request in another.
func (w *world) code(t *testing.T, i int, s multe.CodeState, ch multe.ChangeState) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		k := multe.Code{Creditor: ente, Position: position(i), State: s, Version: 1}
		switch s {
		case multe.CodeRequested, multe.CodeOrphaned:
		default:
			k.Number = number(i)
		}
		if s == multe.CodeAssigned || s == multe.CodeQuarantined {
			k.Device = "d1"
		}
		if s == multe.CodeIssued {
			k.Verbale = "v1"
		}
		if err := tx.PutCode(k); err != nil {
			return err
		}
		request := multe.NewChange(ente, position(i), 1, multe.ChangeRequest, multe.Desired{}, w.clock)
		request.State = ch
		return tx.PutChange(request)
	})
}

// told returns the changes of code i as "kind:state:code", and its state.
func (w *world) told(t *testing.T, i int) string {
	t.Helper()
	var out []string
	err := w.store.View(t.Context(), func(r store.Reader) error {
		out = nil
		k, err := r.Code(ente, position(i))
		if err != nil {
			return err
		}
		out = append(out, string(k.State))
		chs, err := r.ChangesOf(ente, position(i), 0, 100)
		for _, ch := range chs {
			out = append(out, fmt.Sprintf("%s:%s:%s", ch.Kind, ch.State, ch.Code))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// TestRecover is what a found number does to a code, by what is known of it.
func TestRecover(t *testing.T) {
	for _, tt := range []struct {
		name    string
		state   multe.CodeState
		change  multe.ChangeState
		number  int
		outcome string
		after   string
	}{
		{"an orphan", multe.CodeOrphaned, multe.ChangeUnknown, 1, pool.FoundNew, "available request:applied:imported"},
		{"esito not come", multe.CodeRequested, multe.ChangeQueued, 1, pool.FoundNew, "available request:applied:imported"},
		{"answer not come", multe.CodeRequested, multe.ChangeSealed, 1, pool.FoundNew, "available request:applied:imported"},
		{"taken for refused", multe.CodeRequested, multe.ChangeWaiting, 1, pool.FoundNew, "available request:applied:imported"},
		{"in the pool", multe.CodeAvailable, multe.ChangeApplied, 1, pool.FoundKnown, "available request:applied:"},
		{"on a slip", multe.CodeIssued, multe.ChangeApplied, 1, pool.FoundKnown, "issued request:applied:"},
		{"under another number", multe.CodeAvailable, multe.ChangeApplied, 9, pool.FoundWrong, "available request:applied:"},
		{"under another code's number", multe.CodeOrphaned, multe.ChangeUnknown, 2, pool.FoundWrong, "orphaned request:unknown:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			w.creditor(t, ente, 1, 10)
			w.code(t, 1, tt.state, tt.change)
			w.code(t, 2, multe.CodeAvailable, multe.ChangeApplied)
			before := w.told(t, 1)
			found := []multe.Found{{Line: 2, Position: position(1), Number: number(tt.number), Upstream: "x_1"}, {Line: 3, Position: position(99), Number: number(99)}}
			list, committed, err := w.Recover(t.Context(), "operator:1", ente, found, false)
			if err != nil || committed || list[0].Outcome != tt.outcome || list[1].Outcome != pool.FoundForeign || w.told(t, 1) != before {
				t.Fatalf("preview = %+v, %v, %v; code %s", list, committed, err, w.told(t, 1))
			}
			for range 2 { // the second time finds what the first did
				_, committed, err = w.Recover(t.Context(), "operator:1", ente, found, true)
				if err != nil || committed != (tt.outcome != pool.FoundWrong) || w.told(t, 1) != tt.after {
					t.Errorf("committed %t, %v; code %s, want %s", committed, err, w.told(t, 1), tt.after)
				}
			}
		})
	}
}

// TestRecoverAllOrNothing imports a file of which one row is wrong.
func TestRecoverAllOrNothing(t *testing.T) {
	w := open(t)
	w.creditor(t, ente, 1, 10)
	w.code(t, 1, multe.CodeOrphaned, multe.ChangeUnknown)
	w.code(t, 2, multe.CodeOrphaned, multe.ChangeUnknown)
	list, committed, err := w.Recover(t.Context(), "operator:1", ente, []multe.Found{
		{Line: 2, Position: position(1), Number: number(1)},
		{Line: 3, Position: position(2), Number: number(2)},
		{Line: 4, Position: position(2), Number: number(3)}, // the list was loaded twice
	}, true)
	if err != nil || committed || list[2].Outcome != pool.FoundWrong || list[2].Detail == "" || list[0].Outcome != pool.FoundNew {
		t.Errorf("= %+v, %v, %v", list, committed, err)
	}
	if w.told(t, 1) != "orphaned request:unknown:" || w.told(t, 2) != "orphaned request:unknown:" {
		t.Errorf("half imported: %s, %s", w.told(t, 1), w.told(t, 2))
	}
}

// TestPortalList asks for codes by hand: the same list until it has come back.
func TestPortalList(t *testing.T) {
	w := open(t)
	w.creditor(t, ente, 20, 30)
	encode := func(ps []multe.PositionID, c multe.Causale) []byte { return fmt.Append(nil, c, ps) }
	if _, err := w.List(t.Context(), "operator:1", ente, encode); fault.Of(err).Code != "creditor.not_portal" {
		t.Errorf("list of a creditor with SOAP: %v", err)
	}
	w.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(ente)
		c.Portal, c.Version = true, c.Version+1
		if err != nil {
			return err
		}
		return tx.PutCreditor(c)
	})
	if _, err := w.List(t.Context(), "operator:1", ente, encode); fault.Of(err).Code != "pool.nothing_to_ask" {
		t.Errorf("list of nothing: %v", err)
	}
	if _, err := w.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := w.List(t.Context(), "operator:1", ente, encode)
	if err != nil || first.Size != 30 {
		t.Fatalf("= %d codes, %v", first.Size, err)
	}
	if again, err := w.List(t.Context(), "operator:1", ente, encode); err != nil || again.ID != first.ID || string(again.File) != string(first.File) {
		t.Errorf("asked again = %s, %v", again.ID, err)
	}
	var found []multe.Found
	err = w.store.View(t.Context(), func(r store.Reader) error {
		cs, err := r.CodesIn(ente, multe.CodeRequested, "", 100)
		found = nil
		for i, k := range cs {
			found = append(found, multe.Found{Position: k.Position, Number: number(100 + i), Upstream: fmt.Sprint("portal_", i)})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]multe.Found{found[:29], found} {
		if _, committed, err := w.Recover(t.Context(), "operator:1", ente, part, true); err != nil || !committed {
			t.Fatal(committed, err)
		}
		state := multe.BatchQueued
		if len(part) == 30 {
			state = multe.BatchDone
		}
		err := w.store.View(t.Context(), func(r store.Reader) error {
			b, err := r.Batch(ente, first.ID)
			if b.State != state {
				t.Errorf("after %d of 30 the list is %s", len(part), b.State)
			}
			k, _ := r.Code(ente, found[0].Position)
			if k.State != multe.CodeAvailable || k.UpstreamID != "portal_0" {
				t.Errorf("code %+v", k)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.List(t.Context(), "operator:1", ente, encode); fault.Of(err).Code != "pool.nothing_to_ask" {
		t.Errorf("list after all came: %v", err)
	}
}

func TestVoid(t *testing.T) {
	for _, tt := range []struct {
		state  multe.CodeState
		refuse string
	}{
		{multe.CodeAvailable, ""}, {multe.CodeQuarantined, ""}, {multe.CodeOrphaned, ""},
		{multe.CodeRequested, "code.wrong_state"}, {multe.CodeAssigned, "code.wrong_state"}, {multe.CodeIssued, "code.on_verbale"},
	} {
		w := open(t)
		w.creditor(t, ente, 1, 10)
		w.code(t, 1, tt.state, multe.ChangeApplied)
		k, err := w.Void(t.Context(), "operator:1", ente, position(1), "Palmare smarrito")
		if tt.refuse != "" {
			if fault.Of(err).Code != tt.refuse {
				t.Errorf("%s: %v, want %s", tt.state, err, tt.refuse)
			}
			continue
		}
		if err != nil || k.State != multe.CodeVoid || w.told(t, 1) != "void request:applied: void:waiting:" {
			t.Errorf("%s: %v, %s", tt.state, err, w.told(t, 1))
		}
		if _, err := w.Void(t.Context(), "operator:1", ente, position(1), "Palmare smarrito"); err != nil || w.told(t, 1) != "void request:applied: void:waiting:" {
			t.Errorf("%s again: %v, %s", tt.state, err, w.told(t, 1))
		}
		if _, err := w.Void(t.Context(), "operator:1", ente, position(1), ""); fault.Of(err).Code != "verbale.bad_reason" {
			t.Errorf("%s without a reason: %v", tt.state, err)
		}
		var ch multe.Change
		if err := w.store.View(t.Context(), func(r store.Reader) (err error) {
			ch, err = r.Change(ente, multe.ChangeID(position(1)+"-0002"))
			return err
		}); err != nil || !ch.NotBefore.Equal(w.clock.Add(30*time.Minute)) || ch.Want.Reason != "Palmare smarrito" {
			t.Errorf("%s: annulment %+v, %v", tt.state, ch, err)
		}
		if k, err := w.UndoVoid(t.Context(), "operator:1", ente, position(1)); err != nil || k.State != tt.state || w.told(t, 1) != string(tt.state)+" request:applied: void:refused:undone" {
			t.Errorf("%s undone: %v, %s", tt.state, err, w.told(t, 1))
		}
		if _, err := w.UndoVoid(t.Context(), "operator:1", ente, position(1)); fault.Of(err).Code != "code.undo_too_late" {
			t.Errorf("%s undone twice: %v", tt.state, err)
		}
		if _, err := w.Void(t.Context(), "operator:1", ente, position(1), "Palmare smarrito"); err != nil {
			t.Error(err)
		}
		w.update(t, func(tx store.Tx) error { // it leaves
			ch, err := tx.Change(ente, multe.ChangeID(position(1)+"-0003"))
			if err != nil {
				return err
			}
			if ch, err = ch.Seal("B1", w.clock); err != nil {
				return err
			}
			return tx.PutChange(ch)
		})
		for range 2 {
			if _, err := w.UndoVoid(t.Context(), "operator:1", ente, position(1)); fault.Of(err).Code != "code.undo_too_late" {
				t.Errorf("%s undone after it left: %v", tt.state, err)
			}
			w.update(t, func(tx store.Tx) error { // its list is refused: it may have arrived all the same
				ch, err := tx.Change(ente, multe.ChangeID(position(1)+"-0003"))
				if err != nil || ch.State == multe.ChangeWaiting {
					return err
				}
				if ch, err = ch.Retry("200", w.clock, w.clock); err != nil {
					return err
				}
				return tx.PutChange(ch)
			})
		}
	}
}
