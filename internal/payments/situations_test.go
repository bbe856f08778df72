package payments_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// street is a service with one handheld and the codes it was lent.
type street struct {
	*webtest.World
	device multe.Device
	codes  []multe.Code
	told   int
}

func openStreet(t *testing.T) *street {
	w := webtest.New(t)
	s := &street{World: w}
	s.device, _ = w.Device(t, webtest.Torino)
	w.AddCodes(t, webtest.Torino, 6)
	codes, err := w.Pool.Lease(t.Context(), webtest.Torino, s.device.ID, multe.LeaseID(w.ID(t)), 4)
	if err != nil {
		t.Fatal(err)
	}
	s.codes = codes
	return s
}

// issue prints a preavviso on code n: 29,40 through the fifth day, then 42,00.
func (s *street) issue(t *testing.T, n int, at time.Time) multe.Verbale {
	t.Helper()
	k := s.codes[n]
	slip := multe.Slip{ID: multe.VerbaleID(s.ID(t)), Position: k.Position, Number: k.Number, Plate: "AB123CD", Nation: "IT", Place: "via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17", IssuedAt: at,
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(at).Plus(5)}, {Cents: 4200}}}
	v, _, err := s.Verbali.Issue(t.Context(), webtest.Torino, s.device.ID, slip, multe.DigestOf([]byte(slip.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s *street) pay(t *testing.T, iuv, iur string, cents multe.Cents) {
	t.Helper()
	s.payTo(t, webtest.Torino, iuv, iur, cents)
}

// payTo hears of money paid today.
func (s *street) payTo(t *testing.T, c multe.CreditorID, iuv, iur string, cents multe.Cents) {
	t.Helper()
	s.told++
	m := fmt.Sprint("TNP", s.told)
	n := multe.Notice{Creditor: c, Message: m, Payments: []multe.Payment{{IUV: iuv, IUR: iur, Cents: cents, PaidOn: multe.DayOf(s.Now())}}}
	if err := s.Store.Update(t.Context(), func(tx store.Tx) error { return s.Payments.Hear(tx, n, multe.MessageID(m), s.Now()) }); err != nil {
		t.Fatal(err)
	}
}

func (s *street) cancel(t *testing.T, v multe.Verbale) {
	t.Helper()
	if _, _, err := s.Verbali.Cancel(t.Context(), "operator:o", webtest.Torino, v.Slip.ID, multe.Cancellation{Reason: "Autotutela"}); err != nil {
		t.Fatal(err)
	}
}

func (s *street) refund(t *testing.T, iuv string, cents multe.Cents) (multe.Refund, error) {
	t.Helper()
	return s.Payments.Refund(t.Context(), "operator:o", multe.Refund{Creditor: webtest.Torino, ID: multe.RefundID(s.ID(t)), IUV: iuv, Cents: cents,
		RefundedOn: multe.DayOf(s.Now()), Reason: "Non dovuto", Mandate: "Mandato 7/2026"})
}

// open lists the kinds that somebody must look at, of Torino and of the installation.
func (s *street) open(t *testing.T) string {
	t.Helper()
	var kinds []string
	for _, c := range []multe.CreditorID{webtest.Torino, ""} {
		list, err := s.Discrepancies(t.Context(), c, true, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			kinds = append(kinds, d.Kind)
			if d.Detail != multe.GuideTo(d.Kind).Text() {
				t.Errorf("%s tells %q, not its guide", d.Kind, d.Detail)
			}
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

func (s *street) state(t *testing.T, v multe.Verbale) multe.VerbaleState {
	t.Helper()
	got, _, err := s.Verbali.Get(t.Context(), webtest.Torino, v.Slip.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got.State
}

const days = 24 * time.Hour

// situations is every way in which money can come: what the verbale is afterwards
// ("" where there is none) and which work items are open.
var situations = []struct {
	name  string
	do    func(*testing.T, *street) multe.Verbale
	state multe.VerbaleState
	told  string
}{
	{"as it should be", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.activate(t, v)
		s.pay(t, iuvOf(v), "A", 2940)
		return v
	}, multe.VerbaleSettled, ""},
	{"early: activation not yet confirmed", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 2940)
		return v
	}, multe.VerbaleSettled, ""},
	{"early: the slip is not here yet", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, s.codes[0].Number.IUV(), "A", 2940)
		return multe.Verbale{}
	}, "", multe.TroubleUnexpected},
	{"early, then the slip comes", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, s.codes[0].Number.IUV(), "A", 2940)
		return s.issue(t, 0, s.Now())
	}, multe.VerbaleSettled, ""},
	{"early and less, then the slip comes", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, s.codes[0].Number.IUV(), "A", 2939)
		return s.issue(t, 0, s.Now())
	}, multe.VerbaleIssued, multe.TroubleShort},
	{"early and more, then the slip comes", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, s.codes[0].Number.IUV(), "A", 4200)
		return s.issue(t, 0, s.Now())
	}, multe.VerbaleSettled, multe.TroubleOver},
	{"early and twice, then the slip comes", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, s.codes[0].Number.IUV(), "A", 2940)
		s.pay(t, s.codes[0].Number.IUV(), "B", 2940)
		return s.issue(t, 0, s.Now())
	}, multe.VerbaleSettled, multe.TroubleDouble},
	{"late: the discount is over", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.Pass(6 * days)
		s.pay(t, iuvOf(v), "A", 2940)
		return v
	}, multe.VerbaleIssued, multe.TroubleShort},
	{"late, and what is due then", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.Pass(6 * days)
		s.pay(t, iuvOf(v), "A", 4200)
		return v
	}, multe.VerbaleSettled, ""},
	{"twice", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 2940)
		s.pay(t, iuvOf(v), "B", 2940)
		return v
	}, multe.VerbaleSettled, multe.TroubleDouble},
	{"less", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 100)
		return v
	}, multe.VerbaleIssued, multe.TroubleShort},
	{"more", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 4200)
		return v
	}, multe.VerbaleSettled, multe.TroubleOver},
	{"the same told with another amount", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 2940)
		s.pay(t, iuvOf(v), "A", 2941)
		return v
	}, multe.VerbaleSettled, multe.TroubleChanged},
	{"after the verbale was annulled", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.cancel(t, v)
		s.pay(t, iuvOf(v), "A", 2940)
		return v
	}, multe.VerbaleCancelled, multe.TroubleCancelled},
	{"annulled after it was paid", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 2940)
		s.cancel(t, v)
		return v
	}, multe.VerbaleCancelled, multe.TroubleRefundDue},
	{"annulled after it was paid, and thought better of", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.pay(t, iuvOf(v), "A", 2940)
		s.cancel(t, v)
		if _, _, err := s.Verbali.UndoCancel(t.Context(), "operator:o", webtest.Torino, v.Slip.ID); err != nil {
			t.Fatal(err)
		}
		return v
	}, multe.VerbaleSettled, ""},
	{"on a code that was never lent", func(t *testing.T, s *street) multe.Verbale {
		var free multe.Code
		if err := s.Store.View(t.Context(), func(r store.Reader) error {
			codes, err := r.CodesIn(webtest.Torino, multe.CodeAvailable, "", 1)
			if err == nil {
				free = codes[0]
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		s.pay(t, free.Number.IUV(), "A", 2940)
		return multe.Verbale{}
	}, "", multe.TroubleUnexpected},
	{"on a code that was annulled", func(t *testing.T, s *street) multe.Verbale {
		s.change(t, s.codes[0], func(k multe.Code) multe.Code { k.State = multe.CodeVoid; return k })
		s.pay(t, s.codes[0].Number.IUV(), "A", 2940)
		return multe.Verbale{}
	}, "", multe.TroubleVoidCode},
	{"after a refund", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.cancel(t, v)
		s.pay(t, iuvOf(v), "A", 2940)
		if _, err := s.refund(t, iuvOf(v), 2940); err != nil {
			t.Fatal(err)
		}
		s.pay(t, iuvOf(v), "B", 2940)
		return v
	}, multe.VerbaleCancelled, multe.TroubleAfterRefund + " " + multe.TroubleCancelled + " " + multe.TroubleDouble},
	{"of an IUV that is none of ours", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, "01000000000000099", "A", 2940)
		return multe.Verbale{}
	}, "", multe.TroubleUnknownIUV},
	{"to a creditor that is not served", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.payTo(t, "80087670016", iuvOf(v), "A", 2940)
		return v
	}, multe.VerbaleIssued, multe.TroubleUnknownCreditor},
	{"to another creditor that is", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.payTo(t, webtest.Alba, iuvOf(v), "A", 2940)
		return v
	}, multe.VerbaleIssued, ""}, // Alba is told, nobody else
	{"after it left in a list of acts to notify", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.export(t, v)
		s.Pass(6 * days)
		s.pay(t, iuvOf(v), "A", 4200)
		return v
	}, multe.VerbaleSettled, multe.TroubleRecall},
	{"in a notification whose totals do not fit", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.hear(t, multe.Notice{Creditor: webtest.Torino, Message: "X", Mismatch: true, Payments: []multe.Payment{{IUV: iuvOf(v), IUR: "A", Cents: 2940, PaidOn: multe.DayOf(s.Now())}}})
		return v
	}, multe.VerbaleSettled, multe.TroubleMismatch},
	{"in a notification that is read in part", func(t *testing.T, s *street) multe.Verbale {
		v := s.issue(t, 0, s.Now())
		s.hear(t, multe.Notice{Creditor: webtest.Torino, Message: "X", Unread: 1})
		return v
	}, multe.VerbaleIssued, multe.TroubleUnread},
	{"on both codes of a verbale", func(t *testing.T, s *street) multe.Verbale {
		v := s.issueTwo(t)
		s.pay(t, v.Slip.Full.Number.IUV(), "A", 4200)
		s.pay(t, iuvOf(v), "B", 2940)
		return v
	}, multe.VerbaleSettled, multe.TroubleBothCodes},
	{"on both codes, before the slip", func(t *testing.T, s *street) multe.Verbale {
		s.pay(t, s.codes[0].Number.IUV(), "A", 2940)
		s.pay(t, s.codes[1].Number.IUV(), "B", 4200)
		return s.issueTwo(t)
	}, multe.VerbaleSettled, multe.TroubleBothCodes},
}

func iuvOf(v multe.Verbale) string { return v.Slip.Number.IUV() }

func (s *street) hear(t *testing.T, n multe.Notice) {
	t.Helper()
	if err := s.Store.Update(t.Context(), func(tx store.Tx) error { return s.Payments.Hear(tx, n, multe.MessageID(n.Message), s.Now()) }); err != nil {
		t.Fatal(err)
	}
}

func (s *street) change(t *testing.T, k multe.Code, do func(multe.Code) multe.Code) {
	t.Helper()
	if err := s.Store.Update(t.Context(), func(tx store.Tx) error {
		now, err := tx.Code(k.Creditor, k.Position)
		if err != nil {
			return err
		}
		now = do(now)
		now.Version++
		return tx.PutCode(now)
	}); err != nil {
		t.Fatal(err)
	}
}

// activate is the platform's word that the code can be paid.
func (s *street) activate(t *testing.T, v multe.Verbale) {
	t.Helper()
	s.change(t, s.codes[0], func(k multe.Code) multe.Code { k.State = multe.CodeActive; return k })
}

// export puts the verbale in a list of acts to notify.
func (s *street) export(t *testing.T, v multe.Verbale) {
	t.Helper()
	if err := s.Store.Update(t.Context(), func(tx store.Tx) error {
		id := multe.ExportID(s.ID(t))
		if err := tx.PutExportLine(multe.ExportLine{Creditor: v.Creditor, Export: id, N: 1, Verbale: v.Slip.ID, Version: 1}); err != nil {
			return err
		}
		return tx.PutExport(multe.Export{Creditor: v.Creditor, ID: id, Kind: multe.ExportNotify, Count: 1, Version: 1})
	}); err != nil {
		t.Fatal(err)
	}
}

// issueTwo prints a preavviso with two codes.
func (s *street) issueTwo(t *testing.T) multe.Verbale {
	t.Helper()
	if err := s.Store.Update(t.Context(), func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		if err != nil {
			return err
		}
		c.Policies, c.Version = []multe.Policy{{From: multe.Day{Year: 2020, Month: 1, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountTwoCodes}}, c.Version+1
		return tx.PutCreditor(c)
	}); err != nil {
		t.Fatal(err)
	}
	a, b, at := s.codes[0], s.codes[1], s.Now()
	slip := multe.Slip{ID: multe.VerbaleID(s.ID(t)), Position: a.Position, Number: a.Number, Plate: "AB123CD", Nation: "IT", Place: "via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17", IssuedAt: at,
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(at).Plus(5)}, {Cents: 4200}}, Full: &multe.SlipCode{Position: b.Position, Number: b.Number}}
	v, _, err := s.Verbali.Issue(t.Context(), webtest.Torino, s.device.ID, slip, multe.DigestOf([]byte(slip.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestEverySituation lets money come in every way there is, through the real use
// cases on a real store. Every kind of trouble must be reached, and have a guide.
func TestEverySituation(t *testing.T) {
	reached := map[string]bool{}
	for _, tt := range situations {
		t.Run(tt.name, func(t *testing.T) {
			s := openStreet(t)
			v := tt.do(t, s)
			told := s.open(t)
			for k := range strings.FieldsSeq(told) {
				reached[k] = true
			}
			if told != tt.told {
				t.Errorf("told %q, want %q", told, tt.told)
			}
			if tt.state == "" {
				return
			}
			if got := s.state(t, v); got != tt.state {
				t.Errorf("verbale %s, want %s", got, tt.state)
			}
		})
	}
	for _, kind := range multe.MoneyTroubles() {
		g := multe.GuideTo(kind)
		if !reached[kind] || len(g.Happened) < 40 || len(g.Means) < 40 || len(g.Do) < 40 {
			t.Errorf("%s: reached %v, guide %+v", kind, reached[kind], g)
		}
	}
}

// TestPaidTwice is the story of somebody who pays on the street and again at home.
func TestPaidTwice(t *testing.T) {
	s := openStreet(t)
	v := s.issue(t, 0, s.Now())
	s.pay(t, iuvOf(v), "A", 2940)
	s.Pass(days)
	s.pay(t, iuvOf(v), "B", 2940)
	m := s.money(t, v)
	if m.Balance != (multe.Balance{Owed: 2940, Paid: 5880}) || m.Balance.Excess() != 2940 || len(m.Payments) != 2 || len(m.Troubles) != 1 {
		t.Fatalf("%+v", m)
	}
	for cents, code := range map[multe.Cents]string{2941: "refund.beyond_excess", 5881: "refund.too_much"} {
		if _, err := s.refund(t, iuvOf(v), cents); fault.Of(err).Code != code {
			t.Errorf("refund of %d: %v", cents, err)
		}
	}
	half := multe.Refund{Creditor: webtest.Torino, ID: multe.RefundID(s.ID(t)), IUV: iuvOf(v), Cents: 1470, RefundedOn: multe.DayOf(s.Now()), Reason: "Pagato due volte", Mandate: "7/2026"}
	for range 2 { // repeated
		got, err := s.Payments.Refund(t.Context(), "operator:o", half)
		if err != nil || got.Verbale != v.Slip.ID || got.By != "operator:o" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	other := half
	other.Cents = 1
	if _, err := s.Payments.Refund(t.Context(), "operator:o", other); !errors.Is(err, fault.Conflict) {
		t.Errorf("another refund under the same id: %v", err)
	}
	if got := s.open(t); got != multe.TroubleDouble {
		t.Errorf("half given back: %q", got)
	}
	if _, err := s.refund(t, iuvOf(v), 1470); err != nil {
		t.Fatal(err)
	}
	m = s.money(t, v)
	if got := s.open(t); got != "" || m.Balance.Excess() != 0 || m.Balance.Left() != 2940 || len(m.Refunds) != 2 || m.Verbale.State != multe.VerbaleSettled {
		t.Errorf("told %q, %+v", got, m)
	}
	list, err := s.Payments.Refunds(t.Context(), webtest.Torino, "", 10)
	if err != nil || len(list) != 2 {
		t.Errorf("%d refunds, %v", len(list), err)
	}
}

// TestAnnulledAfterPayment is the story of a fine that should never have been.
func TestAnnulledAfterPayment(t *testing.T) {
	s := openStreet(t)
	v := s.issue(t, 0, s.Now())
	s.pay(t, iuvOf(v), "A", 2940)
	s.Pass(3 * days)
	s.cancel(t, v)
	m := s.money(t, v)
	if m.Due != 0 || m.Balance.Excess() != 2940 || len(m.Troubles) != 1 || !m.Troubles[0].Open || m.Troubles[0].Subject != string(v.Slip.ID) {
		t.Fatalf("%+v", m)
	}
	if _, err := s.refund(t, iuvOf(v), 2940); err != nil {
		t.Fatal(err)
	}
	m = s.money(t, v)
	if got := s.open(t); got != "" || m.Balance.Left() != 0 || len(m.Troubles) != 1 || m.Troubles[0].Open {
		t.Errorf("told %q, %+v", got, m)
	}
	if _, err := s.refund(t, iuvOf(v), 1); fault.Of(err).Code != "refund.too_much" {
		t.Errorf("gave back what is not here: %v", err)
	}
}

// TestRefundOfNoVerbale gives back money that was for nothing of ours.
func TestRefundOfNoVerbale(t *testing.T) {
	s := openStreet(t)
	s.pay(t, "01000000000000099", "A", 500)
	if _, err := s.refund(t, "01000000000000099", 500); err != nil {
		t.Fatal(err)
	}
	if got := s.open(t); got != "" {
		t.Errorf("told %q", got)
	}
	if _, err := s.refund(t, "01000000000000098", 500); fault.Of(err).Code != "refund.too_much" {
		t.Errorf("gave back what never came: %v", err)
	}
	v := s.issue(t, 0, s.Now())
	s.pay(t, iuvOf(v), "A", 2940)
	r := multe.Refund{Creditor: webtest.Torino, ID: multe.RefundID(s.ID(t)), IUV: iuvOf(v), Cents: 2940, RefundedOn: multe.DayOf(s.Now()), Reason: "Sentenza", Mandate: "8", Beyond: true}
	if _, err := s.Payments.Refund(t.Context(), "operator:o", r); err != nil {
		t.Errorf("more than the excess, and said so: %v", err)
	}
}

func (s *street) money(t *testing.T, v multe.Verbale) payments.Money {
	t.Helper()
	m, err := s.Payments.Of(t.Context(), webtest.Torino, v.Slip.ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
