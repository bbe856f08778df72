package worklist_test

import (
	"errors"
	"testing"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// TestWorkItem is taken in charge, closed, met again, and closed by another.
func TestWorkItem(t *testing.T) {
	for _, c := range []multe.CreditorID{webtest.Torino, ""} { // the installation's too
		w := webtest.New(t)
		report := func() {
			if err := w.Store.Update(t.Context(), func(tx store.Tx) error {
				return store.Report(tx, c, multe.TroubleOver, "p", "detail", w.Now())
			}); err != nil {
				t.Fatal(err)
			}
		}
		report()
		const id = multe.TroubleOver + ":p"
		for range 2 {
			if d, err := w.Worklist.Take(t.Context(), "operator:a", c, id); err != nil || d.Taken.By != "operator:a" || d.Version != 2 {
				t.Fatalf("%+v, %v", d, err)
			}
		}
		if d, err := w.Worklist.Take(t.Context(), "operator:b", c, id); err != nil || d.Taken.By != "operator:b" {
			t.Fatalf("taken over: %+v, %v", d, err)
		}
		for range 2 {
			if d, err := w.Worklist.Close(t.Context(), "operator:b", c, id, multe.WorkKept, "Visto"); err != nil || d.Open || d.Version != 4 {
				t.Fatalf("%+v, %v", d, err)
			}
		}
		if _, err := w.Worklist.Close(t.Context(), "operator:b", c, id, multe.WorkDone, "Visto"); fault.Of(err).Code != "work.closed" {
			t.Errorf("closed in another way: %v", err)
		}
		if _, err := w.Worklist.Take(t.Context(), "operator:a", c, id); fault.Of(err).Code != "work.closed" {
			t.Errorf("took what is closed: %v", err)
		}
		report()
		d, err := w.Worklist.Close(t.Context(), "operator:c", c, id, multe.WorkDone, "Fatto")
		if err != nil || d.Closed.By != "operator:c" || d.Count != 2 || d.Taken.By != "" {
			t.Errorf("met again: %+v, %v", d, err)
		}
		if _, err := w.Worklist.Take(t.Context(), "operator:a", webtest.Alba, id); !errors.Is(err, fault.NotFound) {
			t.Errorf("another creditor's: %v", err)
		}
		var actions []string
		if err := w.Store.View(t.Context(), func(r store.Reader) error {
			es, err := r.Audit(c, "", 0, 100)
			for _, e := range es {
				if e.Subject == id {
					actions = append(actions, e.Action)
				}
			}
			return err
		}); err != nil || len(actions) != 4 {
			t.Errorf("history %v, %v", actions, err)
		}
	}
}
