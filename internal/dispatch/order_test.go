package dispatch_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/store"
	"preavviso/internal/verbali"
)

// letterbox is a region that answers only when asked to.
type letterbox struct {
	*region
	pending []multe.Batch
}

func (l *letterbox) Submit(_ context.Context, _ multe.Creditor, b multe.Batch) (string, error) {
	l.pending = append(l.pending, b)
	return "000", nil
}

// soak, in the environment, asks for the long form of a test: every order, more
// weeks.
const soak = "PREAVVISO_TEST_SOAK"

// TestEveryOrder lets the things that can happen to one fine happen in every
// order that paper allows, each on a code of its own, and demands one end.
// Sending and the esito come where they come; the payment is told twice, with and
// without its receipt; the upload may come after everything else.
func TestEveryOrder(t *testing.T) {
	box := &letterbox{region: newRegion()}
	w := &world{store: openStore(t), clock: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.clock }
	w.Dispatch = newDispatch(w.store, box, now)
	slips := verbali.New(w.store, now, func() {})
	money := payments.New(w.store, now)
	w.update(t, func(tx store.Tx) error {
		return tx.PutCreditor(multe.Creditor{ID: ente, PoolLow: 1, PoolTarget: 10, Version: 1})
	})

	var (
		i       int // the code being fined
		message int
	)
	tell := func(iur string) {
		message++
		if u := box.positions[position(i)]; u.paid == 0 {
			u.paid = 2940
		}
		n := multe.Notice{Creditor: ente, Message: fmt.Sprint("TNP", message), Payments: []multe.Payment{
			{IUV: number(i).IUV(), IUR: iur, Cents: 2940, PaidOn: multe.DayOf(w.clock)}}}
		w.update(t, func(tx store.Tx) error { return money.Hear(tx, n, multe.MessageID(n.Message), w.clock) })
	}
	deliver := func() {
		for _, b := range box.pending {
			e := box.take(b, never)
			w.hear(t, e)
			w.hear(t, e)
		}
		box.pending = nil
	}
	upload := func() {
		s := multe.Slip{ID: multe.VerbaleID(fmt.Sprintf("%032x", 1<<20+i)), Position: position(i), Number: number(i), Plate: "AB123CD", Nation: "IT",
			Place: "Via Roma 1", Violation: multe.Violation{Norm: "art. 158", Conduct: "Sosta"}, Warden: "1", IssuedAt: w.clock.Truncate(time.Hour),
			Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(w.clock).Plus(5)}, {Cents: 4200}}}
		if _, _, err := slips.Issue(t.Context(), ente, "d", s, multe.Digest{1}); err != nil {
			t.Fatal(err)
		}
	}
	record := func() {
		r := multe.Record{Register: fmt.Sprint("R", i), Cents: 4200, Causale: "Verbale", Debtor: &debtor}
		if _, _, err := slips.Record(t.Context(), "operator:1", ente, multe.VerbaleID(fmt.Sprintf("%032x", 1<<20+i)), r); err != nil {
			t.Fatal(err)
		}
	}
	events := map[byte]func(){
		'U': upload,
		'S': func() { w.submit(t) },
		'E': deliver,
		'R': record,
		'P': func() { tell("R1") },
		'N': func() { tell("") },
	}

	const want = "paid settled true [R1:2940] [] []"
	orders := 0
	for _, order := range orderings("USERPN") {
		if strings.IndexByte(order, 'R') < strings.IndexByte(order, 'U') {
			continue // the office records what it has seen
		}
		orders++
		if os.Getenv(soak) == "" && orders%4 != 0 {
			continue
		}
		i = orders
		w.put(t, i, multe.CodeAssigned, "request")
		w.update(t, func(tx store.Tx) error {
			c, err := tx.Code(ente, position(i))
			if err != nil {
				return err
			}
			ch, err := tx.Change(ente, multe.Change{Position: position(i), Seq: 1}.ID())
			if err != nil {
				return err
			}
			c.Device, c.Version = "d", 2
			ch.State, ch.Version = multe.ChangeApplied, 2
			if err := tx.PutCode(c); err != nil {
				return err
			}
			return tx.PutChange(ch)
		})
		box.positions[position(i)] = &upstream{number: number(i)}
		for _, e := range []byte(order) {
			events[e]()
			if e == 'U' || e == 'R' { // a lost answer: the same again
				events[e]()
			}
		}
		for moving := true; moving; deliver() { // until nothing moves any more
			w.clock = w.clock.Add(time.Second)
			w.submit(t)
			moving = len(box.pending) > 0
		}
		if got := w.end(t, i); got != want {
			t.Errorf("%s ends as %s\nwant %s", order, got, want)
		}
	}
	if orders != 360 {
		t.Errorf("%d orders, want 360", orders)
	}
}

// orderings returns every order of the letters of s, none twice.
func orderings(s string) []string {
	if len(s) < 2 {
		return []string{s}
	}
	var all []string
	for i := range len(s) {
		for _, tail := range orderings(s[:i] + s[i+1:]) {
			all = append(all, s[i:i+1]+tail)
		}
	}
	return all
}

// end describes what must not depend on the order: the code, the verbale, the
// payments, what is still to be told, and what a person is told.
func (w *world) end(t *testing.T, i int) string {
	t.Helper()
	var out string
	w.view(t, func(r store.Reader) error {
		c, err := r.Code(ente, position(i))
		if err != nil {
			return err
		}
		v, err := r.Verbale(ente, c.Verbale)
		if err != nil {
			return err
		}
		ps, err := r.PaymentsOf(ente, number(i).IUV(), 10)
		if err != nil {
			return err
		}
		var money, open []string
		for _, p := range ps {
			if p.Cents != 0 {
				money = append(money, fmt.Sprintf("%s:%d", p.IUR, p.Cents))
			}
			if p.Verbale != v.Slip.ID {
				money = append(money, "unlinked")
			}
		}
		chs, err := r.ChangesOf(ente, position(i), 0, 100)
		for _, ch := range chs {
			if ch.State.Open() || ch.State == multe.ChangeUnknown {
				open = append(open, string(ch.Kind)+string(ch.State))
			}
		}
		ds, err2 := r.Discrepancies(ente, true, "", 100)
		var told []string
		for _, d := range ds {
			told = append(told, d.ID)
		}
		slices.Sort(told)
		out = fmt.Sprintf("%s %s %t %v %v %v", c.State, v.State, v.Record != nil, money, open, told)
		if err == nil {
			err = err2
		}
		return err
	})
	return out
}
