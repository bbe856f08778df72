package app

import (
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/ppay/ppaysim"
	"preavviso/internal/store"
)

// TestSeventyDays leaves one slip in a town of every policy, records it, notifies
// it and waits: every evening PiemontePAY must ask for what is due that day, and
// who pays at the end has paid exactly that. In one town somebody begins to pay
// the discounted amount at ten to midnight of its last day.
func TestSeventyDays(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newChaos(t, dir, 1, time.Hour)
		for len(w.slips) < len(towns) {
			time.Sleep(time.Hour) // until the pools are full
			for _, town := range towns {
				if len(w.slips[town.id]) == 0 {
					w.issue(town.id, town.policy.Amount == multe.AmountTwoCodes)
				}
			}
		}
		begin := multe.DayOf(time.Now())
		fine := cds.Fine{Reduced: 4200, Discounted: 2940, Late: 8650}
		lingers := w.slips[towns[0].id][0]
		amounts := map[multe.Cents]int{}
		until := func(d multe.Day, h, m int) {
			time.Sleep(time.Until(d.Start().Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)))
		}
		for n := range 80 {
			day := begin.Plus(n)
			if n > 0 {
				until(day, 0, 30)
				if day == lingers.Steps[0].LastDay.Plus(1) {
					w.control("POST", "/abandon", map[string]any{"avviso": lingers.Number.String()})
				}
				until(day, 10, 0)
			}
			for _, town := range towns {
				id := w.slips[town.id][0].ID
				switch n {
				case 10:
					_, _, err := w.core.verbali.Record(t.Context(), "operator:1", town.id, id, multe.Record{Register: "1", Causale: "Verbale 1", CostsCents: 1420,
						Fine: (*multe.Fine)(&fine), Debtor: &multe.Debtor{Surname: "Bianchi", Name: "Lucia", CF: "BNCLCU80A41L219X"}})
					w.must(err)
				case 14:
					_, _, err := w.core.verbali.Notify(t.Context(), "operator:1", town.id, id, multe.Notification{How: multe.NotifiedConsegna, Day: day})
					w.must(err)
				}
			}
			until(day, 22, 0)
			amounts[w.evening(day)]++
			if day == lingers.Steps[0].LastDay {
				until(day, 23, 50)
				w.control("POST", "/in-progress", map[string]any{"avviso": lingers.Number.String()})
			}
		}
		// 29,40 and 42,00 on the paper, 56,20 recorded, 43,60 and 56,20 notified, then 100,70.
		for _, want := range []multe.Cents{2940, 4200, 5620, 4360, 10070} {
			if amounts[want] == 0 {
				t.Errorf("no evening on which %s was due: %v", want.Italian(), amounts)
			}
		}
		for _, town := range towns {
			v, _, err := w.core.verbali.Get(t.Context(), town.id, w.slips[town.id][0].ID)
			w.must(err)
			var code multe.Code
			w.must(w.store.View(t.Context(), func(r store.Reader) (err error) { code, err = r.Code(town.id, v.Carrier()); return err }))
			w.control("POST", "/pay", map[string]any{"avviso": code.Number.String()})
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		for _, town := range towns {
			v, _, err := w.core.verbali.Get(t.Context(), town.id, w.slips[town.id][0].ID)
			w.must(err)
			if v.State != multe.VerbaleSettled {
				t.Errorf("%s: paid what was asked, and the verbale is %s", town.policy.Debtor, v.State)
			}
			var open []multe.Discrepancy
			w.must(w.store.View(t.Context(), func(r store.Reader) (err error) { open, err = r.Discrepancies(town.id, true, "", 10); return err }))
			for _, d := range open {
				t.Errorf("%s: a person was told %s", town.policy.Debtor, d.ID)
			}
		}
		w.compare()
	})
}

// evening compares what the platform asks with what is due, for every town, and
// returns what is due in the first.
func (w *chaos) evening(day multe.Day) multe.Cents {
	w.t.Helper()
	positions := map[string]ppaysim.Position{}
	for _, p := range w.dump().Positions {
		positions[p.ID] = p
	}
	var first multe.Cents
	for i, town := range towns {
		v, _, err := w.core.verbali.Get(w.t.Context(), town.id, w.slips[town.id][0].ID)
		w.must(err)
		for _, id := range v.Positions() {
			over := id == v.Slip.Position && v.Slip.Full != nil && day.Compare(v.Slip.Steps[0].LastDay) > 0 || id != v.Carrier() && v.Reissued != ""
			p, want := positions[string(id)], v.DueOnPosition(id, day)
			if over != (p.State == ppaysim.Void) || !over && multe.Cents(p.Cents) != want {
				w.t.Errorf("%s, %s: the platform asks %d for %s (%v), due is %d, over is %t", day, town.policy.Debtor, p.Cents, id, p.State, want, over)
			}
		}
		if i == 0 {
			first = v.DueOn(day)
		}
	}
	return first
}
