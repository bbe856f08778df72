package pool_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/store"
)

// lent is a world where D1 holds n codes and D2 one.
func lent(t *testing.T, n int) (*world, []multe.Code, multe.Code) {
	t.Helper()
	w := open(t)
	w.creditor(t, ente, n+5, n+5)
	w.device(t, "D1", multe.DeviceEnrolled)
	w.device(t, "D2", multe.DeviceEnrolled)
	if _, err := w.Replenish(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.deliver(t, n+5)
	mine, err := w.Lease(t.Context(), ente, "D1", leaseID(1), n)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := w.Lease(t.Context(), ente, "D2", leaseID(2), 1)
	if err != nil {
		t.Fatal(err)
	}
	return w, mine, theirs[0]
}

func (w *world) codeAt(t *testing.T, p multe.PositionID) (k multe.Code) {
	t.Helper()
	w.update(t, func(tx store.Tx) (err error) {
		k, err = tx.Code(ente, p)
		return err
	})
	return k
}

func leaseID(n int) multe.LeaseID   { return multe.LeaseID(fmt.Sprintf("%032x", n)) }
func returnID(n int) multe.ReturnID { return multe.ReturnID(fmt.Sprintf("%032x", n)) }

// TestReturn: each code is decided for itself, and a repeated request takes nothing
// back that was lent anew.
func TestReturn(t *testing.T) {
	w, mine, theirs := lent(t, 4)
	ctx := t.Context()
	if _, err := w.Spoil(ctx, ente, "D1", mine[3].Position, multe.SpoilWrong); err != nil {
		t.Fatal(err)
	}
	request := []multe.PositionID{mine[0].Position, theirs.Position, "unknown", mine[1].Position, mine[3].Position, mine[0].Position}
	want := []string{"", "code.other_device", "code.unknown", "", "code.wrong_state", ""}
	for _, again := range []string{"first", "again", "after the code was lent again"} {
		refused, err := w.Return(ctx, ente, "D1", returnID(9), request)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		for i, e := range refused {
			code := ""
			if e != nil {
				code = fault.Of(e).Code
			}
			if code != want[i] {
				t.Errorf("%s: code %d: %q, want %q", again, i, code, want[i])
			}
		}
		if again == "again" {
			block, err := w.Lease(ctx, ente, "D1", leaseID(3), 9)
			if err != nil || !slices.ContainsFunc(block, func(k multe.Code) bool { return k.Position == mine[0].Position }) {
				t.Fatalf("the code that came back was not lent again: %v", err)
			}
		}
		if again == "after the code was lent again" {
			if k := w.codeAt(t, mine[0].Position); k.State != multe.CodeAssigned || k.Lease != leaseID(3) {
				t.Errorf("a late repetition took back what may be printed by now: %+v", k)
			}
		}
	}
	for name, tt := range map[string]struct {
		id        multe.ReturnID
		positions []multe.PositionID
		code      string
	}{
		"id":       {"x", request, "return.bad_id"},
		"nothing":  {returnID(8), nil, "return.bad_positions"},
		"too many": {returnID(8), make([]multe.PositionID, multe.MaxLease+1), "return.bad_positions"},
	} {
		if _, err := w.Return(ctx, ente, "D1", tt.id, tt.positions); err == nil || fault.Of(err).Code != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
}

// TestSpoil: the first word stays, the code never comes back, and the office is told
// once.
func TestSpoil(t *testing.T) {
	w, mine, theirs := lent(t, 2)
	ctx := t.Context()
	for _, reason := range []multe.SpoilReason{multe.SpoilLost, multe.SpoilUnreadable} {
		if said, err := w.Spoil(ctx, ente, "D1", mine[0].Position, reason); err != nil || said != multe.SpoilLost {
			t.Errorf("Spoil = %s, %v", said, err)
		}
	}
	k := w.codeAt(t, mine[0].Position)
	if k.State != multe.CodeQuarantined || k.Reason != "spoiled: lost" || k.Device != "D1" {
		t.Errorf("spoiled code = %+v", k)
	}
	if _, err := k.Issue("V", "D1", w.clock); err != nil {
		t.Errorf("the paper turned up: %v", err)
	}
	for name, tt := range map[string]struct {
		position multe.PositionID
		reason   multe.SpoilReason
		code     string
	}{
		"of another": {theirs.Position, multe.SpoilLost, "code.other_device"},
		"unknown":    {"unknown", multe.SpoilLost, "code.unknown"},
		"no reason":  {mine[1].Position, "", "code.bad_reason"},
	} {
		if _, err := w.Spoil(ctx, ente, "D1", tt.position, tt.reason); err == nil || fault.Of(err).Code != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	w.update(t, func(tx store.Tx) error {
		open, err := tx.Discrepancies(ente, true, "", 10)
		if len(open) != 1 || open[0].Kind != "code.spoiled" || open[0].Count != 1 {
			t.Errorf("the office sees %+v", open)
		}
		quarantined, err2 := mine[1].Quarantine(w.clock) // its handheld fell silent
		if err2 != nil {
			return err2
		}
		if err := tx.PutCode(quarantined); err != nil {
			return err
		}
		return err
	})
	if said, err := w.Spoil(ctx, ente, "D1", mine[1].Position, multe.SpoilWrong); err != nil || said != multe.SpoilWrong {
		t.Errorf("a code that was aside: %s, %v", said, err)
	}
}

// TestAccount: every code of a day is told of, with what became of it under that
// lease, whoever has it now.
func TestAccount(t *testing.T) {
	w, mine, _ := lent(t, 6)
	ctx := t.Context()
	day := multe.DayOf(w.clock)
	w.clock = w.clock.Add(time.Hour)
	if _, err := w.Return(ctx, ente, "D1", returnID(7), []multe.PositionID{mine[0].Position}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Spoil(ctx, ente, "D1", mine[1].Position, multe.SpoilWrong); err != nil {
		t.Fatal(err)
	}
	w.update(t, func(tx store.Tx) error {
		put := func(k multe.Code, err error, action, subject string) error {
			if err != nil {
				return err
			}
			if err := tx.PutCode(k); err != nil {
				return err
			}
			return tx.AppendAudit(multe.AuditEntry{Creditor: ente, At: w.clock, Actor: "x", Action: action, Position: k.Position, Subject: subject})
		}
		issued, err := mine[2].Issue("V1", "D1", w.clock)
		if err := put(issued, err, "code.issued", "V1"); err != nil {
			return err
		}
		gone, err := mine[3].Quarantine(w.clock)
		if err := put(gone, err, "code.quarantined", "D1"); err != nil {
			return err
		}
		paid, err := mine[4].Pay(w.clock)
		return put(paid, err, "code.paid", "")
	})
	again, err := w.Lease(ctx, ente, "D2", leaseID(5), 5)
	if err != nil || !slices.ContainsFunc(again, func(k multe.Code) bool { return k.Position == mine[0].Position }) {
		t.Fatalf("the returned code was not lent to another: %v", err)
	}
	if _, err := w.Spoil(ctx, ente, "D2", mine[0].Position, multe.SpoilLost); err != nil { // another's matter
		t.Fatal(err)
	}
	list, err := w.Account(ctx, ente, "D1", day)
	if err != nil || len(list) != 6 {
		t.Fatalf("%d codes, %v", len(list), err)
	}
	for i, want := range []struct {
		outcome pool.Outcome
		proof   string
		open    bool
	}{
		{pool.Returned, string(returnID(7)), false}, {pool.Spoiled, "wrong", false}, {pool.Issued, "V1", false},
		{pool.Aside, "", true}, {pool.Paid, "", true}, {pool.Held, "", true},
	} {
		a := list[i]
		if a.Outcome != want.outcome || a.Proof != want.proof || a.Open() != want.open || a.Lease != leaseID(1) || a.Code.Position != mine[i].Position ||
			a.At.Equal(a.Lent) != (want.outcome == pool.Held) {
			t.Errorf("code %d: %+v, want %+v", i, a, want)
		}
	}
	for _, other := range []multe.Day{day.Plus(1), day.Plus(-1)} {
		if list, err := w.Account(ctx, ente, "D1", other); err != nil || len(list) != 0 {
			t.Errorf("on %s: %d codes, %v", other, len(list), err)
		}
	}
}
