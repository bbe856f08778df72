package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// silent is a world with n enrolled handhelds that hold two codes each and called
// just now.
func silent(t *testing.T, n int) (*world, []multe.Device) {
	t.Helper()
	w := open(t)
	var ds []multe.Device
	for i := range n {
		_, code, err := w.AddDevice(t.Context(), "admin", ente, "Palmare", true)
		if err != nil {
			t.Fatal(err)
		}
		d, _, _, err := w.Enrol(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Heard(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		w.put(t, func(tx store.Tx) error {
			for k := range 2 {
				code := multe.Code{Creditor: ente, Position: multe.PositionID(fmt.Sprintf("%s-%d", d.ID, k)), State: multe.CodeAssigned, Device: d.ID, Lease: multe.LeaseID(fmt.Sprint(i)), Version: 1}
				if err := tx.PutCode(code); err != nil {
					return err
				}
			}
			return nil
		})
		ds = append(ds, w.device(t, d.ID))
	}
	return w, ds
}

func (w *world) put(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (w *world) device(t *testing.T, id multe.DeviceID) (d multe.Device) {
	t.Helper()
	w.put(t, func(tx store.Tx) (err error) { d, err = tx.Device(ente, id); return err })
	return d
}

func (w *world) count(t *testing.T, id multe.DeviceID, s multe.CodeState) (n int) {
	t.Helper()
	w.put(t, func(tx store.Tx) error {
		counts, err := tx.CountCodesOf(ente, id)
		n = counts[s]
		return err
	})
	return n
}

func (w *world) expire(t *testing.T) (more bool) {
	t.Helper()
	more, err := w.Expire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return more
}

// TestExpire: only who was silent for the whole lease loses what it holds, once,
// and the office hears of it.
func TestExpire(t *testing.T) {
	w, ds := silent(t, 3)
	w.clock = w.clock.Add(multe.DefaultLease)
	if err := w.Heard(t.Context(), ds[1]); err != nil {
		t.Fatal(err)
	}
	w.expire(t)
	if n := w.count(t, ds[0].ID, multe.CodeAssigned); n != 2 {
		t.Fatalf("set aside too early: %d are left", n)
	}
	w.put(t, func(tx store.Tx) error { // an older service did not note calls
		d := ds[2]
		d.Seen, d.Version = time.Time{}, d.Version+1
		return tx.PutDevice(d)
	})
	w.clock = w.clock.Add(multe.SeenEvery)
	for range 2 {
		if w.expire(t) {
			t.Error("there is more to do")
		}
	}
	for i, want := range []int{0, 2, 2} {
		if n := w.count(t, ds[i].ID, multe.CodeAssigned); n != want {
			t.Errorf("handheld %d holds %d codes, want %d", i, n, want)
		}
	}
	if n := w.count(t, ds[0].ID, multe.CodeQuarantined); n != 2 {
		t.Errorf("%d codes were set aside", n)
	}
	if d := w.device(t, ds[2].ID); !d.Seen.Equal(w.clock) {
		t.Errorf("its time did not begin: %v", d.Seen)
	}
	w.put(t, func(tx store.Tx) error {
		list, err := tx.Discrepancies(ente, true, "", 10)
		if err != nil {
			return err
		}
		if len(list) != 1 || list[0].Kind != "device.silent" || list[0].Subject != string(ds[0].ID) || list[0].Count != 1 || !strings.Contains(list[0].Detail, "72 ore") {
			t.Errorf("the office is told %+v", list)
		}
		history, err := tx.Audit(ente, multe.PositionID(string(ds[0].ID)+"-0"), 0, 10)
		if len(history) != 1 || history[0].Actor != "loop:expire" || history[0].To != "quarantined" {
			t.Errorf("history = %+v", history)
		}
		return err
	})
	if d := w.device(t, ds[0].ID); d.State != multe.DeviceEnrolled {
		t.Errorf("the handheld is %s: it may still upload", d.State)
	}
}

// TestExpireInRounds: a round is bounded, and together they leave nothing.
func TestExpireInRounds(t *testing.T) {
	w, ds := silent(t, 60)
	w.clock = w.clock.Add(multe.DefaultLease + multe.SeenEvery)
	if !w.expire(t) {
		t.Error("sixty in one round")
	}
	if w.expire(t) {
		t.Error("there is more after two rounds")
	}
	for i, d := range ds {
		if n := w.count(t, d.ID, multe.CodeQuarantined); n != 2 {
			t.Errorf("handheld %d: %d set aside", i, n)
		}
	}
}
