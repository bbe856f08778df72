package storetest

import (
	"slices"
	"testing"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// verbaliByNextStep checks that what is due next comes first, that a verbale moves
// on when its amount was told, and goes when nothing will change any more.
func verbaliByNextStep(t *testing.T, s store.Store) {
	day := func(d int) multe.Day { return multe.Day{Year: 2026, Month: 4, Day: d} }
	due := func(c multe.CreditorID, id string, last multe.Day) multe.Verbale {
		v := verbale(c, id)
		v.Slip.Steps[0].LastDay = last
		return v
	}
	a, b, same, never, other := due(ours, "a", day(20)), due(ours, "b", day(10)), due(ours, "c", day(10)), verbale(ours, "d"), due(theirs, "e", day(5))
	never.Slip.Steps = []multe.Step{{Cents: 4200}}
	all := []multe.Verbale{a, b, same, never, other}
	update(t, s, func(tx store.Tx) error {
		for _, v := range all {
			if err := tx.PutVerbale(v); err != nil {
				return err
			}
		}
		return nil
	})
	want := func(step string, c multe.CreditorID, after multe.Verbale, limit int, want ...multe.VerbaleID) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			list, err := r.VerbaliDue(c, after, limit)
			var got []multe.VerbaleID
			for _, v := range list {
				got = append(got, v.Slip.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", step, got, want)
			}
			return err
		})
	}
	want("all", ours, multe.Verbale{}, 10, "b", "c", "a")
	want("one", ours, multe.Verbale{}, 1, "b")
	want("the next", ours, b, 1, "c")
	want("after a", ours, a, 10)
	want("theirs", theirs, multe.Verbale{}, 10, "e")
	update(t, s, func(tx store.Tx) error {
		settled, err := a.Settle(noon)
		if err != nil {
			return err
		}
		if err := tx.PutVerbale(settled); err != nil {
			return err
		}
		return tx.PutVerbale(b.Price(day(11), noon))
	})
	want("told and paid", ours, multe.Verbale{}, 10, "c")
}
