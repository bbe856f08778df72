package verbali_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
	"preavviso/internal/verbali"
)

const (
	ente   multe.CreditorID = "00514490010"
	device multe.DeviceID   = "d1"
)

var debtor = multe.Debtor{Surname: "Rossi", Name: "Anna", CF: "RSSNNA80A41L219X"}

type world struct {
	*verbali.Verbali
	store  store.Store
	clock  time.Time
	nudges int
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
	w.Verbali = verbali.New(w.store, func() time.Time { return w.clock }, func() { w.nudges++ })
	w.update(t, func(tx store.Tx) error {
		return tx.PutCreditor(multe.Creditor{ID: ente, PoolLow: 1, PoolTarget: 10, Version: 1})
	})
	return w
}

func (w *world) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func hex(i int) string { return fmt.Sprintf("%032x", i) }

func number(i int) avviso.Number {
	head := fmt.Sprintf("301%013d", i)
	n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err)
	}
	return n
}

// code stores code i in a state, with its request applied.
func (w *world) code(t *testing.T, i int, s multe.CodeState, d multe.DeviceID) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		p := multe.PositionID(hex(i))
		request := multe.NewChange(ente, p, 1, multe.ChangeRequest, multe.Desired{Causale: "Preavviso CdS"}, w.clock)
		request.State = multe.ChangeApplied
		if err := tx.PutChange(request); err != nil {
			return err
		}
		return tx.PutCode(multe.Code{Creditor: ente, Position: p, Number: number(i), State: s, Device: d, Version: 1})
	})
}

// slip is what the handheld says about code i: 29,40 for five days, then 42,00.
func (w *world) slip(i int) multe.Slip {
	day := multe.DayOf(w.clock)
	return multe.Slip{ID: multe.VerbaleID(hex(1000 + i)), Position: multe.PositionID(hex(i)), Number: number(i), Plate: "AB123CD", Nation: "IT",
		Place: "Via Roma 1", Violation: multe.Violation{Norm: "art. 158 CdS", Conduct: "Sosta vietata"}, Warden: "123", IssuedAt: w.clock,
		Steps: []multe.Step{{Cents: 2940, LastDay: day.Plus(5)}, {Cents: 4200}}}
}

func (w *world) issue(t *testing.T, s multe.Slip) (multe.Verbale, multe.Code, error) {
	t.Helper()
	body, err := multe.DigestJSON(s)
	if err != nil {
		t.Fatal(err)
	}
	return w.Issue(t.Context(), ente, device, s, body)
}

func (w *world) changes(t *testing.T, i int) (cs []multe.Change) {
	t.Helper()
	err := w.store.View(t.Context(), func(r store.Reader) (err error) {
		cs, err = r.ChangesOf(ente, multe.PositionID(hex(i)), 1, 100) // without the request
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// told returns the changes after the request as "kind:cents:debtor:state".
func (w *world) told(t *testing.T, i int) string {
	t.Helper()
	var out []string
	for _, c := range w.changes(t, i) {
		who := "-"
		if c.Want.Debtor != nil {
			who = "debtor"
		}
		out = append(out, fmt.Sprintf("%s:%d:%s:%s", c.Kind, c.Want.Cents, who, c.State))
	}
	return strings.Join(out, " ")
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || fault.Of(err).Code != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}

func TestIssue(t *testing.T) {
	w := open(t)
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	s.Reference, s.Offline = "P-2026.17", true
	v, c, err := w.issue(t, s)
	if err != nil || v.State != multe.VerbaleIssued || c.State != multe.CodeIssued || c.Verbale != s.ID {
		t.Fatalf("Issue = %+v, %+v, %v", v, c, err)
	}
	want := multe.NewChange(ente, s.Position, 2, multe.ChangeActivate, multe.Desired{Cents: 2940,
		Causale: "Preavviso CdS n. P-2026.17 del 02.03.2026", References: []multe.Reference{{Name: "Preavviso", Value: "P-2026.17"}}}, w.clock)
	want.Verbale = s.ID
	if diff := cmp.Diff([]multe.Change{want}, w.changes(t, 1)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if w.nudges != 1 {
		t.Errorf("%d nudges", w.nudges)
	}
	again, code, err := w.issue(t, s)
	if diff := cmp.Diff(v, again, cmp.Comparer(func(a, b avviso.Number) bool { return a == b })); err != nil || diff != "" || code != c {
		t.Errorf("the same slip got another answer: %v\n%s", err, diff)
	}
	if n := len(w.changes(t, 1)); n != 1 {
		t.Errorf("%d changes after a repetition", n)
	}
	w.clock = w.clock.Add(400 * 24 * time.Hour) // too late for a new slip, not for a repetition
	if _, _, err := w.issue(t, s); err != nil {
		t.Errorf("a late repetition: %v", err)
	}
	other := s
	other.Place = "Via Po 2"
	_, _, err = w.issue(t, other)
	wantCode(t, err, "verbale.other_body")
	_, _, err = w.Issue(t.Context(), ente, "d2", s, v.Digest)
	wantCode(t, err, "verbale.other_body") // not for another handheld's eyes
	_, history, err := w.Timeline(t.Context(), ente, s.Position)
	var actions []string
	for _, e := range history {
		actions = append(actions, e.Action)
	}
	if got := strings.Join(actions, " "); err != nil || got != "verbale.issued_offline code.issued change.activate" {
		t.Errorf("history %s, %v", got, err)
	}
}

func TestIssueRefusals(t *testing.T) {
	w := open(t)
	for i, s := range []multe.CodeState{multe.CodeRequested, multe.CodeAvailable, multe.CodeAssigned, multe.CodeQuarantined,
		multe.CodeIssued, multe.CodeActive, multe.CodePaid, multe.CodeVoid} {
		w.code(t, i, s, device)
	}
	w.code(t, 20, multe.CodeAssigned, "d2")
	w.code(t, 21, multe.CodePaid, "d2")
	for _, test := range []struct {
		name string
		slip func() multe.Slip
		want string
	}{
		{"requested", func() multe.Slip { return w.slip(0) }, "code.wrong_state"},
		{"available", func() multe.Slip { return w.slip(1) }, "code.wrong_state"},
		{"assigned", func() multe.Slip { return w.slip(2) }, ""},
		{"quarantined", func() multe.Slip { return w.slip(3) }, ""},
		{"issued", func() multe.Slip { return w.slip(4) }, "code.wrong_state"},
		{"active", func() multe.Slip { return w.slip(5) }, "code.wrong_state"},
		{"void", func() multe.Slip { return w.slip(7) }, "code.void"},
		{"another's", func() multe.Slip { return w.slip(20) }, "code.other_device"},
		{"another's, paid", func() multe.Slip { return w.slip(21) }, "code.other_device"},
		{"unknown", func() multe.Slip { return w.slip(99) }, "code.unknown"},
		{"strange position", func() multe.Slip { s := w.slip(2); s.ID = multe.VerbaleID(hex(7)); s.Position = "\x00"; return s }, "code.unknown"},
		{"strange id", func() multe.Slip { s := w.slip(2); s.ID = "\x00"; return s }, "verbale.bad_id"},
		{"invalid", func() multe.Slip { s := w.slip(2); s.ID = multe.VerbaleID(hex(8)); s.Place = ""; return s }, "verbale.bad_place"},
		{"too late", func() multe.Slip {
			s := w.slip(2)
			s.ID, s.IssuedAt = multe.VerbaleID(hex(9)), w.clock.AddDate(-1, 0, 0)
			return s
		}, "verbale.bad_issued_at"},
		{"another verbale", func() multe.Slip { s := w.slip(2); s.ID = multe.VerbaleID(hex(10)); return s }, "code.wrong_state"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.slip()
			_, _, err := w.issue(t, s)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, test.want)
			if _, _, err := w.Get(t.Context(), ente, s.ID); err == nil {
				t.Error("a refused slip left a verbale")
			}
		})
	}
	w.code(t, 30, multe.CodeAssigned, device)
	s := w.slip(30)
	s.Number = number(31)
	_, _, err := w.issue(t, s)
	wantCode(t, err, "verbale.number_mismatch")
}

// TestLateSlip uploads slips days after they were printed: the platform is told
// what the paper says for today.
func TestLateSlip(t *testing.T) {
	for days, want := range map[int]multe.Cents{0: 2940, 5: 2940, 6: 4200, 80: 4200} {
		w := open(t)
		w.code(t, 1, multe.CodeQuarantined, device)
		s := w.slip(1)
		w.clock = w.clock.AddDate(0, 0, days)
		if _, _, err := w.issue(t, s); err != nil {
			t.Fatal(err)
		}
		if got := w.changes(t, 1)[0].Want.Cents; got != want {
			t.Errorf("after %d days the platform is told %d, want %d", days, got, want)
		}
	}
}

// TestMoneyBeforeTheSlip issues a slip whose code was paid already.
func TestMoneyBeforeTheSlip(t *testing.T) {
	for _, test := range []struct {
		cents []multe.Cents
		want  multe.VerbaleState
		told  string
	}{
		{[]multe.Cents{2940}, multe.VerbaleSettled, ""},
		{[]multe.Cents{2939}, multe.VerbaleIssued, "payment.short"},
		{[]multe.Cents{1000, 1940}, multe.VerbaleSettled, ""},
	} {
		w := open(t)
		w.code(t, 1, multe.CodePaid, device)
		s := w.slip(1)
		w.update(t, func(tx store.Tx) error {
			for i, cents := range test.cents {
				p := multe.Payment{Creditor: ente, IUV: number(1).IUV(), IUR: fmt.Sprint("R", i), Position: s.Position, Cents: cents,
					PaidOn: multe.DayOf(w.clock), Received: w.clock, Version: 1}
				if err := tx.PutPayment(p); err != nil {
					return err
				}
			}
			return store.Report(tx, ente, "payment.unexpected", string(s.Position), "", w.clock)
		})
		for range 2 {
			v, c, err := w.issue(t, s)
			if err != nil || v.State != test.want || c.State != multe.CodePaid || c.Verbale != s.ID {
				t.Fatalf("%v: Issue = %s, %+v, %v", test.cents, v.State, c, err)
			}
		}
		if got := w.told(t, 1); got != "" {
			t.Errorf("the platform is told %s about a paid position", got)
		}
		err := w.store.View(t.Context(), func(r store.Reader) error {
			ds, err := r.Discrepancies(ente, true, "", 10)
			var open []string
			for _, d := range ds {
				open = append(open, d.Kind)
			}
			if got := strings.Join(open, " "); got != test.told {
				t.Errorf("%v: told %q, want %q", test.cents, got, test.told)
			}
			ps, err2 := r.PaymentsOf(ente, number(1).IUV(), 10)
			for _, p := range ps {
				if p.Verbale != s.ID {
					t.Errorf("payment %s is not linked", p.IUR)
				}
			}
			if err == nil {
				err = err2
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecord pins what the platform is told, by policy and by how far the
// activation has come.
func TestRecord(t *testing.T) {
	const (
		reset     = "reset"
		register  = "register"
		anonymous = "anonymous" // no debtor, whatever the policy
	)
	for _, test := range []struct {
		choice     string
		activation multe.ChangeState
		tries      int
		code       func(*multe.Code)
		want       string
	}{
		{reset, multe.ChangeWaiting, 0, nil, "update:9000:debtor:waiting"},
		{register, multe.ChangeWaiting, 0, nil, "update:9000:debtor:waiting"}, // B18.3: under every policy
		{anonymous, multe.ChangeWaiting, 0, nil, "update:9000:-:waiting"},
		// It left once and came back: the amount may be there.
		{reset, multe.ChangeWaiting, 1, nil, "reset:0:-:waiting update:9000:debtor:waiting"},
		{register, multe.ChangeWaiting, 1, nil, "update:9000:-:waiting"},
		{anonymous, multe.ChangeWaiting, 1, nil, "update:9000:-:waiting"},
		{reset, multe.ChangeSealed, 1, nil, "activate:2940:-:sealed reset:0:-:waiting update:9000:debtor:waiting"},
		{reset, multe.ChangeQueued, 1, nil, "activate:2940:-:queued reset:0:-:waiting update:9000:debtor:waiting"},
		{reset, multe.ChangeApplied, 1, nil, "activate:2940:-:applied reset:0:-:waiting update:9000:debtor:waiting"},
		{reset, multe.ChangeUnknown, 1, nil, "activate:2940:-:unknown reset:0:-:waiting update:9000:debtor:waiting"},
		{reset, multe.ChangeRefused, 1, nil, "activate:2940:-:refused reset:0:-:waiting update:9000:debtor:waiting"},
		{register, multe.ChangeApplied, 1, nil, "activate:2940:-:applied update:9000:-:waiting"},
		{anonymous, multe.ChangeApplied, 1, nil, "activate:2940:-:applied update:9000:-:waiting"},
		{reset, multe.ChangeApplied, 1, func(c *multe.Code) { c.UpstreamDebtor = true }, "activate:2940:-:applied update:9000:-:waiting"},
		{reset, multe.ChangeApplied, 1, func(c *multe.Code) { c.State = multe.CodePaid }, "activate:2940:-:applied"},
		{reset, multe.ChangeApplied, 1, func(c *multe.Code) { c.State = multe.CodeVoid }, "activate:2940:-:applied"},
	} {
		t.Run(fmt.Sprint(test.choice, test.activation, test.tries, test.code != nil), func(t *testing.T) {
			w := open(t)
			w.code(t, 1, multe.CodeAssigned, device)
			s := w.slip(1)
			if _, _, err := w.issue(t, s); err != nil {
				t.Fatal(err)
			}
			w.update(t, func(tx store.Tx) error {
				cr, err := tx.Creditor(ente)
				if err != nil {
					return err
				}
				policy := multe.Policy{From: multe.DayOf(w.clock), Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}
				if test.choice == register {
					policy.Debtor = multe.DebtorRegister
				}
				later := policy
				later.From, later.Debtor = policy.From.Plus(1), "not yet"
				cr.Policies, cr.Version = []multe.Policy{policy, later}, 2
				if err := tx.PutCreditor(cr); err != nil {
					return err
				}
				cs, err := tx.ChangesOf(ente, s.Position, 1, 1)
				if err != nil {
					return err
				}
				a := cs[0]
				a.State, a.Tries, a.Version = test.activation, test.tries, a.Version+1
				if err := tx.PutChange(a); err != nil {
					return err
				}
				if test.code == nil {
					return nil
				}
				c, err := tx.Code(ente, s.Position)
				if err != nil {
					return err
				}
				test.code(&c)
				c.Version++
				return tx.PutCode(c)
			})
			r := multe.Record{Register: "V/2026/1", Cents: 9000, Causale: "Verbale 1 del 02.03.2026", Debtor: &debtor}
			if test.choice == anonymous {
				r.Debtor = nil
			}
			for range 2 { // the second time is the same request
				v, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, r)
				if err != nil || v.State != multe.VerbaleFinalised || v.Record == nil || v.Record.Register != r.Register {
					t.Fatalf("Record = %+v, %v", v, err)
				}
			}
			if got := w.told(t, 1); got != test.want {
				t.Errorf("the platform is told\n%s, want\n%s", got, test.want)
			}
			for i, c := range w.changes(t, 1) {
				if c.Seq != i+2 || len(c.Want.References) != 1 || c.Want.References[0].Value != s.ReferenceOrCode() || c.Verbale != s.ID {
					t.Errorf("change %d: %+v", i, c)
				}
			}
		})
	}
}

func TestRecordRefusals(t *testing.T) {
	w, ctx := open(t), t.Context()
	for i := range 3 {
		w.code(t, i, multe.CodeAssigned, device)
		if _, _, err := w.issue(t, w.slip(i)); err != nil {
			t.Fatal(err)
		}
	}
	id := func(i int) multe.VerbaleID { return multe.VerbaleID(hex(1000 + i)) }
	r := multe.Record{Register: "1", Cents: 4200, Causale: "Verbale 1"}
	if _, _, err := w.Record(ctx, "operator:1", ente, id(0), r); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.Record(ctx, "operator:1", ente, id(1), r)
	wantCode(t, err, "verbale.register_used")
	other := r
	other.Cents = 4300
	_, _, err = w.Record(ctx, "operator:1", ente, id(0), other)
	wantCode(t, err, "verbale.already_recorded")
	_, _, err = w.Record(ctx, "operator:1", ente, id(9), r)
	wantCode(t, err, "verbale.unknown")
	_, _, err = w.Record(ctx, "operator:1", ente, "\x00", r)
	wantCode(t, err, "verbale.unknown")
	bad := r
	bad.Register = "\x00"
	_, _, err = w.Record(ctx, "operator:1", ente, id(1), bad)
	wantCode(t, err, "verbale.bad_register")
	w.update(t, func(tx store.Tx) error {
		v, err := tx.Verbale(ente, id(2))
		if err != nil {
			return err
		}
		if v, err = v.Cancel(multe.Cancellation{Reason: "Autotutela"}, "operator:1", w.clock); err != nil {
			return err
		}
		return tx.PutVerbale(v)
	})
	fine := r
	fine.Register = "3"
	_, _, err = w.Record(ctx, "operator:1", ente, id(2), fine)
	wantCode(t, err, "verbale.wrong_state")
}

// TestRecordOfASettledVerbale changes nothing upstream.
func TestRecordOfASettledVerbale(t *testing.T) {
	w := open(t)
	w.code(t, 1, multe.CodeAssigned, device)
	s := w.slip(1)
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.update(t, func(tx store.Tx) error {
		v, err := tx.Verbale(ente, s.ID)
		if err != nil {
			return err
		}
		if v, err = v.Settle(w.clock); err != nil {
			return err
		}
		return tx.PutVerbale(v)
	})
	before := w.told(t, 1)
	v, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, multe.Record{Register: "1", Cents: 4200, Causale: "Verbale 1", Debtor: &debtor})
	if err != nil || v.State != multe.VerbaleSettled || v.Record == nil {
		t.Fatalf("Record = %+v, %v", v, err)
	}
	if got := w.told(t, 1); got != before {
		t.Errorf("the platform is told %s", got)
	}
}

// TestRacersIssueOnce lets a handheld upload one slip over many connections, and
// two slips on one code: one verbale comes of it.
func TestRacersIssueOnce(t *testing.T) {
	w := open(t)
	w.code(t, 1, multe.CodeAssigned, device)
	var (
		wg sync.WaitGroup
		mu sync.Mutex
		by = map[multe.VerbaleID]int{}
	)
	v := verbali.New(w.store, func() time.Time { return w.clock }, func() {})
	for i := range 16 {
		wg.Go(func() {
			s := w.slip(1)
			s.ID = multe.VerbaleID(hex(2000 + i%2))
			_, c, err := v.Issue(t.Context(), ente, device, s, multe.Digest{1})
			if err == nil {
				mu.Lock()
				by[c.Verbale]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(by) != 1 {
		t.Errorf("accepted %v", by)
	}
	if cs := w.changes(t, 1); len(cs) != 1 {
		t.Errorf("%d changes", len(cs))
	}
}

func TestFindCode(t *testing.T) {
	w, ctx := open(t), t.Context()
	w.code(t, 1, multe.CodeAvailable, "")
	for _, in := range []string{number(1).String(), number(1).Grouped(), hex(1), " " + hex(1) + "\n"} {
		if c, err := w.FindCode(ctx, ente, in); err != nil || c.Position != multe.PositionID(hex(1)) {
			t.Errorf("FindCode(%q) = %+v, %v", in, c, err)
		}
	}
	for _, in := range []string{"", "\x00", number(2).String(), "1" + number(1).IUV(), hex(2), "AB123CD", strings.Repeat("9", 10000)} {
		_, err := w.FindCode(ctx, ente, in)
		wantCode(t, err, "code.unknown")
	}
	_, err := w.FindCode(ctx, "80087670016", hex(1))
	wantCode(t, err, "code.unknown")
	_, _, err = w.Timeline(ctx, ente, "")
	wantCode(t, err, "code.unknown")
}

func TestLists(t *testing.T) {
	w, ctx := open(t), t.Context()
	for i := range 5 {
		w.code(t, i, multe.CodeAssigned, device)
		if _, _, err := w.issue(t, w.slip(i)); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(vs []multe.Verbale) (out []string) {
		for _, v := range vs {
			out = append(out, string(v.Slip.ID))
		}
		return out
	}
	page, err := w.List(ctx, ente, multe.VerbaleID(hex(1001)), 2)
	if want := []string{hex(1002), hex(1003)}; err != nil || !slices.Equal(ids(page), want) {
		t.Errorf("List = %v, %v", ids(page), err)
	}
	if mine, err := w.ByDevice(ctx, ente, device, "", 10); err != nil || len(mine) != 5 {
		t.Errorf("ByDevice = %v, %v", ids(mine), err)
	}
	if others, err := w.ByDevice(ctx, ente, "d2", "", 10); err != nil || len(others) != 0 {
		t.Errorf("ByDevice of another = %v, %v", ids(others), err)
	}
}
