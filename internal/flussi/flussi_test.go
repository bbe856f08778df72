package flussi_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/flussi"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const (
	ente  multe.CreditorID = "00514490010"
	altro multe.CreditorID = "00184260040"
)

var (
	today   = time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	paidDay = multe.Day{Year: 2026, Month: 3, Day: 5}
	settled = multe.Day{Year: 2026, Month: 3, Day: 6}
)

// world has the two use cases that meet over an IUV, joined as package app does.
type world struct {
	*flussi.Flussi
	payments *payments.Payments
	store    store.Store
	clock    time.Time
}

func open(t *testing.T) *world {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "test.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Check(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{store: storetest.Twice(s), clock: today}
	now := func() time.Time { return w.clock }
	w.Flussi, w.payments = flussi.New(w.store, now, flussi.DefaultDays), payments.New(w.store, now)
	for _, c := range []multe.CreditorID{ente, altro} {
		w.update(t, func(tx store.Tx) error {
			return tx.PutCreditor(multe.Creditor{ID: c, CodiceVersamento: "PM01", PoolLow: 1, PoolTarget: 10, Version: 1})
		})
	}
	return w
}

func (w *world) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func number(n int) avviso.Number {
	head := fmt.Sprintf("301%013d", n)
	p, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err)
	}
	return p
}

func iuv(n int) string { return number(n).IUV() }

// issue puts codes on verbali of 42,00.
func (w *world) issue(t *testing.T, c multe.CreditorID, ns ...int) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		for _, n := range ns {
			p, v := multe.PositionID(fmt.Sprintf("%032d", n)), multe.VerbaleID(fmt.Sprintf("v%d", n))
			code := multe.Code{Creditor: c, Position: p, Number: number(n), State: multe.CodeActive, Device: "d", Verbale: v, Version: 1}
			slip := multe.Slip{ID: v, Position: p, Number: number(n), Reference: fmt.Sprintf("2026.%d", n), IssuedAt: today.AddDate(0, 0, -10), Steps: []multe.Step{{Cents: 4200}}}
			if err := errors.Join(tx.PutCode(code), tx.PutVerbale(multe.IssueVerbale(c, "d", slip, multe.Digest{1}, today))); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) hear(t *testing.T, id string, f multe.FlussoTold) {
	t.Helper()
	w.hearAt(t, id, w.clock, f)
}

// hearAt works a message that was received at some time, as package inbox does.
func (w *world) hearAt(t *testing.T, id string, at time.Time, f multe.FlussoTold) {
	t.Helper()
	m := multe.MessageID(id)
	w.update(t, func(tx store.Tx) error {
		if _, err := tx.Message(m); errors.Is(err, fault.NotFound) {
			if err := tx.PutMessage(multe.Message{ID: m, State: multe.MessageNew, Received: at, Version: 1, Changed: at}); err != nil {
				return err
			}
		}
		return w.Hear(tx, f, m, w.clock)
	})
}

func (w *world) notify(t *testing.T, ps ...multe.Payment) {
	t.Helper()
	n := multe.Notice{Creditor: ente, Message: "TNP", Payments: ps}
	w.update(t, func(tx store.Tx) error {
		if err := w.payments.Hear(tx, n, "M", w.clock); err != nil {
			return err
		}
		return w.Paid(tx, n, w.clock)
	})
}

func paid(n int, iur string, cents multe.Cents) multe.Payment {
	return multe.Payment{IUV: iuv(n), IUR: iur, Cents: cents, PaidOn: paidDay, PSP: "ABI1"}
}

func row(n int, iur string, cents multe.Cents) multe.FlussoRow {
	r := multe.FlussoRow{IUV: iuv(n), IUR: iur, Index: 1, Cents: cents, Outcome: multe.FlussoPaid, PaidOn: paidDay, CodiceVersamento: "PM01",
		Capitolo: "3020", AccertamentoYear: 2026, AccertamentoNumber: 7}
	if cents < 0 {
		r.Outcome = multe.FlussoRevoked
	}
	return r
}

// flow returns a flow whose totals add up.
func flow(name string, rows ...multe.FlussoRow) multe.FlussoTold {
	f := multe.FlussoTold{Creditor: ente, Rows: rows, FlussoHead: multe.FlussoHead{Kind: multe.FlussoCompleto, PSP: "ABI1", Name: name, TRN: "TRN-" + name, SettledOn: settled, Count: len(rows)}}
	for _, r := range rows {
		f.Cents += r.Cents
	}
	f.QuotaCents = f.Cents
	return f
}

// riversamento is the same flow as the PSP made it.
func riversamento(f multe.FlussoTold) multe.FlussoTold {
	f.Kind, f.QuotaCents, f.Rows = multe.FlussoRiversamento, 0, slices.Clone(f.Rows)
	for i := range f.Rows {
		r := &f.Rows[i]
		r.CodiceVersamento, r.Capitolo, r.AccertamentoYear, r.AccertamentoNumber = "", "", 0, 0
	}
	return f
}

// troubles lists what is open, as "kind:subject".
func (w *world) troubles(t *testing.T) []string {
	t.Helper()
	var all []string
	err := w.store.View(t.Context(), func(r store.Reader) error {
		all = nil
		for _, c := range []multe.CreditorID{"", ente, altro} {
			ds, err := r.Discrepancies(c, true, "", store.MaxPage)
			if err != nil {
				return err
			}
			for _, d := range ds {
				if strings.HasPrefix(d.Kind, "payment.") {
					continue // of package payments
				}
				all = append(all, d.ID)
				if len(d.Detail) < 80 || len(d.ID) > 120 {
					t.Errorf("%s: id of %d characters, detail %q", d.Kind, len(d.ID), d.Detail)
				}
				if strings.HasPrefix(d.Kind, "accounting.") && !strings.Contains(d.Detail, d.Subject) {
					t.Errorf("%s does not name its IUV: %q", d.Kind, d.Detail)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (w *world) wantTroubles(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.troubles(t)); diff != "" {
		t.Errorf("troubles (-want +got):\n%s", diff)
	}
}

// matches lists the lines in force of every flow, as "name n match".
func (w *world) matches(t *testing.T) []string {
	t.Helper()
	var all []string
	flows, err := w.List(t.Context(), ente, "", store.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		_, lines, err := w.Get(t.Context(), ente, f.ID, 0, store.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != f.Lines {
			t.Errorf("%s has %d lines, says %d", f.Name, len(lines), f.Lines)
		}
		for _, l := range lines {
			all = append(all, fmt.Sprintf("%s %d %s", f.Name, l.N, l.Match))
		}
	}
	return all
}

// TestOneIUV pins what lines and payments of one IUV make of each other, told in
// either order, each side twice.
func TestOneIUV(t *testing.T) {
	noRPT := func(r multe.FlussoRow) multe.FlussoRow {
		r.Outcome = multe.FlussoNoRPT
		return r
	}
	second := row(1, "R1", 1200)
	second.Index = 2
	for name, test := range map[string]struct {
		payments []multe.Payment
		rows     []multe.FlussoRow
		want     string // matches, by line
		told     string // kinds, without "accounting."
	}{
		"as it should be":          {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R1", 4200)}, "matched", ""},
		"a cent less":              {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R1", 4199)}, "amount", "amount"},
		"never notified":           {nil, []multe.FlussoRow{row(1, "R1", 4200)}, "unknown", "never_notified"},
		"another receipt":          {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R2", 4200)}, "unknown", "never_notified"},
		"notified without receipt": {[]multe.Payment{paid(1, "", 4200)}, []multe.FlussoRow{row(1, "R1", 4200)}, "matched", ""},
		"a line without receipt":   {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "", 4200)}, "matched", ""},
		"neither, other amount":    {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "", 4100)}, "unknown", "never_notified"},
		"paid twice":               {[]multe.Payment{paid(1, "R1", 4200), paid(1, "R2", 4200)}, []multe.FlussoRow{row(1, "R1", 4200), row(1, "R2", 4200)}, "matched matched", ""},
		"paid twice, one in flow":  {[]multe.Payment{paid(1, "R1", 4200), paid(1, "R2", 4200)}, []multe.FlussoRow{row(1, "R2", 4200)}, "matched", ""},
		"a receipt in two parts":   {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R1", 3000), second}, "matched matched", ""},
		"one part missing":         {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{second}, "amount", "amount"},
		"twice in the flow":        {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R1", 4200), row(1, "R1", 4200)}, "amount amount", "amount"},
		"revoked":                  {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R1", -4200)}, "revoked", "revoked"},
		"paid and revoked":         {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{row(1, "R1", 4200), row(1, "R1", -4200)}, "matched revoked", "revoked"},
		"without RPT, unknown":     {nil, []multe.FlussoRow{noRPT(row(1, "R1", 4200))}, "no_rpt", "no_rpt"},
		"without RPT, notified":    {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{noRPT(row(1, "R1", 4200))}, "no_rpt", ""},
		"without RPT, other":       {[]multe.Payment{paid(1, "R1", 4200)}, []multe.FlussoRow{noRPT(row(1, "R1", 1))}, "no_rpt", "amount"},
	} {
		for _, flowFirst := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " ", flowFirst), func(t *testing.T) {
				w := open(t)
				w.issue(t, ente, 1)
				steps := []func(){func() { w.hear(t, "m1", flow("F", test.rows...)) }, func() { w.notify(t, test.payments...) }}
				if !flowFirst {
					slices.Reverse(steps)
				}
				steps = append(steps, steps...)
				for _, step := range steps {
					step()
				}
				var got, told []string
				for _, m := range w.matches(t) {
					got = append(got, strings.Fields(m)[2])
				}
				for _, id := range w.troubles(t) {
					told = append(told, strings.TrimPrefix(strings.TrimSuffix(id, ":"+iuv(1)), "accounting."))
				}
				if g := strings.Join(got, " "); g != test.want || strings.Join(told, " ") != test.told {
					t.Errorf("%s, told %v; want %s, told %s", g, told, test.want, test.told)
				}
			})
		}
	}
}

// TestEveryOrder works the same messages in every order; the end must not depend
// on it. The flow comes three times, the second time the same and the third with
// a row less and another amount, and once as the PSP made it.
func TestEveryOrder(t *testing.T) {
	at := func(n int) time.Time { return today.Add(time.Duration(n) * time.Minute) }
	first := flow("F", row(1, "R1", 4200), row(2, "R2", 4200), row(3, "R3", 4200))
	last := flow("F", row(1, "R1", 4200), row(2, "R2", 4100))
	events := map[string]func(t *testing.T, w *world){
		"A notice": func(t *testing.T, w *world) { w.notify(t, paid(1, "R1", 4200), paid(2, "R2", 4200)) },
		"B flow":   func(t *testing.T, w *world) { w.hearAt(t, "m1", at(1), first) },
		"C again":  func(t *testing.T, w *world) { w.hearAt(t, "m2", at(2), first) },
		"D other":  func(t *testing.T, w *world) { w.hearAt(t, "m3", at(3), last) },
		"E as PSP": func(t *testing.T, w *world) { w.hearAt(t, "m4", at(4), riversamento(first)) },
	}
	names := []string{"A notice", "B flow", "C again", "D other", "E as PSP"}
	var want string
	for i, order := range permutations(names) {
		w := open(t)
		w.issue(t, ente, 1, 2, 3)
		for _, name := range order {
			events[name](t, w)
			events[name](t, w) // every message may be worked twice
		}
		flows, err := w.List(t.Context(), ente, "", 10)
		if err != nil || len(flows) != 1 {
			t.Fatalf("%d flows, %v", len(flows), err)
		}
		f := flows[0]
		slices.Sort(f.Copies) // in the order of work
		f.Version, f.Changed = 0, time.Time{}
		rows, err := w.Accounting(t.Context(), ente, paidDay, paidDay)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%+v\n%v\n%v\n%+v", f, w.matches(t), w.troubles(t), rows)
		if want == "" {
			want = got
			for _, part := range []string{"[F 1 matched F 2 amount]", "[accounting.amount:" + iuv(2) + " flusso.changed:" + string(f.ID) + "]", "Message:m3", "Copies:[m1 m2 m3 m4]"} {
				if !strings.Contains(got, part) {
					t.Errorf("%s is not in %s", part, got)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("order %d, %v:\n%s", i, order, diff)
		}
	}
}

func permutations(names []string) [][]string {
	if len(names) < 2 {
		return [][]string{names}
	}
	var all [][]string
	for i := range names {
		rest := slices.Delete(slices.Clone(names), i, i+1)
		for _, tail := range permutations(rest) {
			all = append(all, append([]string{names[i]}, tail...))
		}
	}
	return all
}

// TestCopies follows the troubles of a flow that changes.
func TestCopies(t *testing.T) {
	w := open(t)
	w.issue(t, ente, 1, 2)
	id := string(multe.NewFlussoID("ABI1", "F"))
	pass := func() { w.clock = w.clock.Add(time.Hour) }
	w.notify(t, paid(1, "R1", 4200))
	w.hear(t, "m1", flow("F", row(1, "R1", 4200), row(2, "R2", 4200)))
	w.wantTroubles(t, "accounting.never_notified:"+iuv(2))
	pass()
	w.hear(t, "m2", flow("F", row(1, "R1", 4200), row(2, "R2", 4200))) // the same
	w.wantTroubles(t, "accounting.never_notified:"+iuv(2))
	pass()
	w.hear(t, "m3", flow("F", row(1, "R1", 4200)))
	w.wantTroubles(t, "flusso.changed:"+id)
	pass()
	wrong := flow("F", row(1, "R1", 4200), row(2, "R2", 4200))
	wrong.Count, wrong.Cents, wrong.Unread = 3, 12600, 1
	w.hear(t, "m4", wrong)
	w.wantTroubles(t, "accounting.never_notified:"+iuv(2), "flusso.changed:"+id, "flusso.totals:"+id, "flusso.unread:"+id)
	pass()
	w.hear(t, "m5", flow("F", row(1, "R1", 4200), row(2, "R2", 4200)))
	w.wantTroubles(t, "accounting.never_notified:"+iuv(2), "flusso.changed:"+id)
	w.notify(t, paid(2, "R2", 4200))
	w.wantTroubles(t, "flusso.changed:"+id)

	f, _, err := w.Get(t.Context(), ente, multe.FlussoID(id), 0, 10)
	if err != nil || fmt.Sprint(f.Copies) != "[m1 m2 m3 m4 m5]" || f.Message != "m5" {
		t.Errorf("copies %v, in force %s, %v", f.Copies, f.Message, err)
	}
}

// TestTimeline: the verbale's history has its lines, and those of a copy that
// says nothing new are not there again.
func TestTimeline(t *testing.T) {
	w := open(t)
	w.issue(t, ente, 1)
	w.hear(t, "m1", flow("F1", row(1, "R1", 4200), row(9, "R9", 100)))
	w.hear(t, "m2", flow("F1", row(1, "R1", 4200), row(9, "R9", 100)))
	w.hear(t, "m3", flow("F2", row(1, "R1", -4200)))
	var got []string
	err := w.store.View(t.Context(), func(r store.Reader) error {
		entries, err := r.Audit(ente, multe.PositionID(fmt.Sprintf("%032d", 1)), 0, 100)
		for _, e := range entries {
			got = append(got, e.Action+" "+e.Subject)
		}
		return err
	})
	if err != nil || !slices.Equal(got, []string{"flusso.accounted F1/R1", "flusso.revoked F2/R1"}) {
		t.Errorf("history %q, %v", got, err)
	}
}

// TestWhatIsNotOurs: a flow is of the whole creditor.
func TestWhatIsNotOurs(t *testing.T) {
	w := open(t)
	w.issue(t, ente, 1)
	w.issue(t, altro, 2)
	meals := row(3, "R3", 500)
	meals.CodiceVersamento = "ME01"
	neighbours := row(2, "R2", 4200)
	neighbours.CodiceVersamento = "" // as a PSP's flow has it
	w.hear(t, "m1", flow("F", meals, neighbours, row(4, "R4", 4200)))
	if diff := cmp.Diff([]string{"F 1 other", "F 2 other", "F 3 unknown"}, w.matches(t)); diff != "" {
		t.Error(diff)
	}
	w.wantTroubles(t, "accounting.never_notified:"+iuv(4)) // of our codice versamento

	nobody := flow("F", row(4, "R4", 4200))
	nobody.Creditor, nobody.Count = "99999999990", 7
	w.hear(t, "m2", nobody)
	if got := w.troubles(t)[0]; !strings.HasPrefix(got, "flusso.totals:") {
		t.Errorf("of a creditor that we do not have: %s, want it told to the installation", got)
	}
	if flows, err := w.List(t.Context(), altro, "", 10); err != nil || len(flows) != 0 {
		t.Errorf("the neighbour has %d flows, %v", len(flows), err)
	}
}

func TestTotalsAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*multe.FlussoTold)
		want   []string // in the sentence; none: nothing is told
	}{
		"they add up":     {func(*multe.FlussoTold) {}, nil},
		"more declared":   {func(f *multe.FlussoTold) { f.Count, f.Cents = 3, 126_000_00 }, []string{"3 pagamenti per 126.000,00 euro", "2 per 0,00 euro", "differenza 126.000,00"}},
		"less declared":   {func(f *multe.FlussoTold) { f.Cents = -1 }, []string{"-0,01 euro", "differenza -0,01"}},
		"only the number": {func(f *multe.FlussoTold) { f.Count = 1 }, []string{"1 pagamenti"}},
		"not declared":    {func(f *multe.FlussoTold) { f.Undeclared = true }, []string{"non dichiara"}},
		"the synthesis":   {func(f *multe.FlussoTold) { f.QuotaCents = 5 }, []string{"sintesi sommano 0,05 euro"}},
		"no synthesis":    {func(f *multe.FlussoTold) { f.Kind, f.QuotaCents = multe.FlussoRiversamento, 5 }, nil},
	} {
		w := open(t)
		w.notify(t, paid(1, "R1", 4200))
		f := flow("F/è", row(1, "R1", 4200), row(1, "R1", -4200))
		test.change(&f)
		w.hear(t, "m1", f)
		var got string
		err := w.store.View(t.Context(), func(r store.Reader) error {
			d, err := r.Discrepancy(ente, "flusso.totals:"+string(multe.NewFlussoID("ABI1", "F/è")))
			got = d.Detail
			if errors.Is(err, fault.NotFound) {
				return nil
			}
			return err
		})
		if err != nil || (got == "") != (test.want == nil) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		for _, part := range test.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q lacks %q", name, got, part)
			}
		}
	}
}

func TestOverdue(t *testing.T) {
	w := open(t)
	w.issue(t, ente, 1, 2, 3)
	w.notify(t, paid(1, "R1", 4200), paid(2, "R2", 4200), paid(3, "R3", 4200), paid(3, "R4", 4200))
	w.hear(t, "m1", flow("F", row(1, "R1", 4200), row(3, "R3", 4200)))
	look := func() {
		t.Helper()
		if more, err := w.Overdue(t.Context()); more || err != nil {
			t.Fatal(more, err)
		}
	}
	w.clock = today.AddDate(0, 0, flussi.DefaultDays).Add(-time.Second)
	look()
	w.wantTroubles(t)
	w.clock = w.clock.Add(2 * time.Second)
	look()
	look()
	w.wantTroubles(t, "accounting.no_flow:"+iuv(2), "accounting.no_flow:"+iuv(3))
	w.hear(t, "m2", flow("G", row(2, "R2", 4200), row(3, "R4", 4200)))
	w.wantTroubles(t)
	look()
	w.wantTroubles(t)
	w.clock = w.clock.AddDate(1, 0, 0)
	w.notify(t, paid(4, "R5", 100))
	look()
	w.wantTroubles(t) // heard just now
}

// TestMonth is a month of a city in which everything happens: reconciled to the
// cent with a model that only adds.
func TestMonth(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { month(t, rand.New(rand.NewPCG(seed, 7))) })
	}
}

func month(t *testing.T, rng *rand.Rand) {
	const days, perDay = 30, 5
	w := open(t)
	start := multe.Day{Year: 2026, Month: 3, Day: 1}
	var all []multe.Payment
	want := map[flussi.Match]int{}
	var sum, back multe.Cents
	var later []multe.Payment // notifications that come at the end of the month
	rows := map[string][]multe.FlussoRow{}
	codes := make([]int, days*perDay)
	for i := range codes {
		codes[i] = i + 1
	}
	w.issue(t, ente, codes...)
	for d := range days {
		var told []multe.Payment
		for range perDay {
			n := len(all) + 1
			p := paid(n, fmt.Sprintf("R%d", n), multe.Cents(1+rng.IntN(20000)))
			p.PaidOn = start.Plus(d)
			all = append(all, p)
			sum += p.Cents
			w.clock = p.PaidOn.Start().Add(12 * time.Hour).UTC()
			if rng.IntN(10) == 0 {
				later = append(later, p)
			} else {
				told = append(told, p)
			}
			if rng.IntN(15) == 0 {
				continue // in no flow
			}
			r := row(n, p.IUR, p.Cents)
			r.PaidOn = p.PaidOn
			name := fmt.Sprintf("%s-%d", p.PaidOn, rng.IntN(3))
			if cut := multe.Cents(rng.IntN(int(p.Cents))); cut > 0 && rng.IntN(4) == 0 { // in two parts
				second := r
				r.Cents, second.Cents, second.Index = r.Cents-cut, cut, 2
				rows[name] = append(rows[name], second)
			}
			rows[name] = append(rows[name], r)
			if rng.IntN(20) == 0 {
				gone := row(n, p.IUR, -p.Cents)
				gone.PaidOn = p.PaidOn
				rows[name] = append(rows[name], gone)
				back += p.Cents
				want[flussi.MatchRevoked]++
			}
		}
		for range 1 + rng.IntN(2) { // the job may tell the same again
			w.notify(t, told...)
		}
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range rows {
			if !yield(n) {
				return
			}
		}
	})
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	w.clock = start.Plus(days + 1).Start().UTC()
	for i, name := range names {
		f := flow(name, rows[name]...)
		f.SettledOn, _ = multe.ParseDay(name[:10])
		f.SettledOn = f.SettledOn.Plus(1)
		if rng.IntN(3) == 0 {
			w.hear(t, fmt.Sprint("p", i), riversamento(f))
		}
		if rng.IntN(4) == 0 { // first as a copy that is wrong
			bad := f
			bad.Rows = slices.Clone(f.Rows)
			bad.Rows[0].Cents++
			w.hearAt(t, fmt.Sprint("b", i), w.clock.Add(-time.Hour), bad)
		}
		for range 1 + rng.IntN(2) {
			w.hear(t, fmt.Sprint("c", i, rng.Uint32()), f)
		}
	}
	entries := func() []flussi.Entry {
		es, err := w.Accounting(t.Context(), ente, start, start.Plus(days-1))
		if err != nil {
			t.Fatal(err)
		}
		return es
	}
	// A payment never notified that no flow has is one that nobody told us of.
	silent := multe.Cents(0)
	inFlow := map[string]bool{}
	for _, rs := range rows {
		for _, r := range rs {
			inFlow[r.IUR] = true
		}
	}
	for _, p := range later {
		if !inFlow[p.IUR] {
			silent += p.Cents
		}
	}
	if got := total(entries()); got != sum-back-silent {
		t.Errorf("before the late notifications: %d cents, want %d", got, sum-back-silent)
	}
	w.notify(t, later...)
	got := map[flussi.Match]int{}
	es := entries()
	for _, e := range es {
		got[e.Match]++
		if e.Match == flussi.Matched && e.FlowCents != e.Cents {
			t.Errorf("%s matched with %d cents of %d", e.IUV, e.FlowCents, e.Cents)
		}
	}
	if total(es) != sum-back {
		t.Errorf("%d cents, want %d", total(es), sum-back)
	}
	for _, p := range all {
		if inFlow[p.IUR] {
			want[flussi.Matched]++
		} else if multe.DayOf(w.clock).Plus(-flussi.DefaultDays).Compare(multe.DayOf(p.PaidOn.Start().Add(12*time.Hour))) >= 0 && !slices.ContainsFunc(later, func(q multe.Payment) bool { return q.IUR == p.IUR }) {
			want[flussi.MatchNoFlow]++
		} else {
			want[flussi.MatchWaiting]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	for _, id := range w.troubles(t) {
		if !strings.HasPrefix(id, "accounting.revoked:") && !strings.HasPrefix(id, "flusso.changed:") {
			t.Errorf("still open: %s", id)
		}
	}
}

func total(es []flussi.Entry) (sum multe.Cents) {
	for _, e := range es {
		sum += e.Cents
	}
	return sum
}

// TestLongFlow has more lines than a page, and then fewer.
func TestLongFlow(t *testing.T) {
	w := open(t)
	var rows []multe.FlussoRow
	for n := range store.MaxPage + 50 {
		r := row(n, "R", 1)
		r.CodiceVersamento = "ME01"
		rows = append(rows, r)
	}
	w.hear(t, "m1", flow("F", rows...))
	w.clock = w.clock.Add(time.Second)
	w.hear(t, "m2", flow("F", rows[1:store.MaxPage-20]...))
	w.clock = w.clock.Add(time.Second)
	w.hear(t, "m3", flow("F", rows[:store.MaxPage+1]...))
	id := multe.NewFlussoID("ABI1", "F")
	n := 0
	for {
		_, lines, err := w.Get(t.Context(), ente, id, n, 300)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			break
		}
		for _, l := range lines {
			if n++; l.N != n || l.IUV != rows[n-1].IUV {
				t.Fatalf("line %d: %+v", n, l)
			}
		}
	}
	if n != store.MaxPage+1 {
		t.Errorf("%d lines", n)
	}
}

func TestAccounting(t *testing.T) {
	w := open(t)
	w.issue(t, ente, 1, 2, 3)
	w.update(t, func(tx store.Tx) error {
		v, err := tx.Verbale(ente, "v2")
		if err != nil {
			return err
		}
		v.Record, v.Version = &multe.Record{Register: "=1+2", Cents: 4200, Causale: "Verbale; n. \"2\"", At: today}, 2
		return tx.PutVerbale(v)
	})
	w.notify(t, paid(1, "R1", 4200), paid(2, "-R2", 102099))
	r := row(3, "R3", 4200)
	r.Capitolo, r.PdC = "@cap", "\tE.3"
	w.hear(t, "m1", flow("F", row(2, "-R2", 102099), r, row(2, "-R2", -99)))
	es, err := w.Accounting(t.Context(), ente, paidDay, paidDay)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := flussi.WriteCSV(&b, es); err != nil {
		t.Fatal(err)
	}
	want := "\ufeffdata_pagamento;iuv;codice_avviso;numero_verbale;causale;importo;iur;psp;flusso;regolamento;data_regolamento;importo_flusso;codice_versamento;capitolo;articolo;pdc;accertamento_anno;accertamento_numero;stato\r\n" +
		"2026-03-05;" + iuv(1) + ";" + number(1).String() + ";2026.1;Preavviso CdS n. 2026.1 del 28.02.2026;42,00;R1;ABI1;;;;;;;;;;;waiting\r\n" +
		"2026-03-05;" + iuv(2) + ";" + number(2).String() + ";'=1+2;\"Verbale; n. \"\"2\"\"\";-0,99;'-R2;ABI1;F;TRN-F;2026-03-06;-0,99;PM01;3020;;;2026;7;revoked\r\n" +
		"2026-03-05;" + iuv(2) + ";" + number(2).String() + ";'=1+2;\"Verbale; n. \"\"2\"\"\";1020,99;'-R2;ABI1;F;TRN-F;2026-03-06;1020,99;PM01;3020;;;2026;7;matched\r\n" +
		"2026-03-05;" + iuv(3) + ";" + number(3).String() + ";2026.3;Preavviso CdS n. 2026.3 del 28.02.2026;42,00;R3;ABI1;F;TRN-F;2026-03-06;42,00;PM01;'@cap;;\" E.3\";2026;7;unknown\r\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}

	for _, period := range [][2]multe.Day{{paidDay.Plus(1), paidDay.Plus(9)}, {paidDay.Plus(-9), paidDay.Plus(-1)}} {
		if es, err := w.Accounting(t.Context(), ente, period[0], period[1]); err != nil || len(es) != 0 {
			t.Errorf("%v: %d entries, %v", period, len(es), err)
		}
	}
	for _, period := range [][2]multe.Day{{paidDay, paidDay.Plus(-1)}, {paidDay, paidDay.Plus(flussi.MaxDays)}} {
		if _, err := w.Accounting(t.Context(), ente, period[0], period[1]); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v, want it invalid", period, err)
		}
	}
	if es, err := w.Accounting(t.Context(), altro, paidDay, paidDay); err != nil || len(es) != 0 {
		t.Errorf("the neighbour has %d entries, %v", len(es), err)
	}
	if err := flussi.WriteCSV(failing{}, es); err == nil {
		t.Error("a full disk went unnoticed")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// FuzzCSV: whatever a stranger wrote, the file has the columns it should, and no
// cell of text begins as a formula.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"=1+1", "+1", "-1", "@x", "\t=1", "a\r\n=b", "a;b", `"`, `="`, "＝1", "\u00a0=1", " -2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		e := flussi.Entry{IUV: s, Reference: s, Causale: s, IUR: s, PSP: s, Flusso: s, TRN: s, Capitolo: s, Articolo: s, PdC: s, CodiceVersamento: s, Cents: -1}
		if err := flussi.WriteCSV(&b, []flussi.Entry{e, e}); err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff")))
		r.Comma = ';'
		all, err := r.ReadAll()
		if err != nil || len(all) != 3 {
			t.Fatalf("%d rows, %v: %q", len(all), err, b.String())
		}
		for i, cell := range all[1] {
			if column := all[0][i]; strings.HasPrefix(column, "importo") {
				continue
			}
			if c := strings.TrimLeft(cell, " \t\r\n\u00a0"); c != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(c)[0]) {
				t.Errorf("column %s: %q", all[0][i], cell)
			}
		}
	})
}
