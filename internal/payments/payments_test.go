package payments_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const ente multe.CreditorID = "00514490010"

var (
	today   = time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	printed = multe.Day{Year: 2026, Month: 3, Day: 2}
)

const pos multe.PositionID = "00000000000000000000000000000001"

type world struct {
	*payments.Payments
	store store.Store
	clock time.Time
	heard int
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
	w := &world{store: storetest.Twice(s), clock: today}
	w.Payments = payments.New(w.store, func() time.Time { return w.clock })
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

func number() avviso.Number {
	const head = "3010000000000001"
	n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err)
	}
	return n
}

var iuv = number().IUV()

// put stores a code in a state, on a verbale in a state ("" for none) whose paper
// says 29,40 through the fifth day and 42,00 afterwards.
func (w *world) put(t *testing.T, s multe.CodeState, v multe.VerbaleState) {
	t.Helper()
	w.update(t, func(tx store.Tx) error {
		c := multe.Code{Creditor: ente, Position: pos, Number: number(), State: s, Device: "d", Version: 1}
		if v == "" {
			return tx.PutCode(c)
		}
		slip := multe.Slip{ID: "v", Position: pos, Number: number(), IssuedAt: printed.Start().UTC(),
			Steps: []multe.Step{{Cents: 2940, LastDay: printed.Plus(5)}, {Cents: 4200}}}
		verbale := multe.IssueVerbale(ente, "d", slip, multe.Digest{1}, today)
		verbale.State = v
		if v == multe.VerbaleFinalised {
			verbale.Record = &multe.Record{Register: "1", Cents: 9000, Causale: "Verbale", At: printed.Plus(6).Start().UTC()}
		}
		c.Verbale = "v"
		if err := tx.PutCode(c); err != nil {
			return err
		}
		return tx.PutVerbale(verbale)
	})
}

func paid(iur string, cents multe.Cents, day multe.Day) multe.Payment {
	return multe.Payment{IUV: iuv, IUR: iur, Cents: cents, PaidOn: day, PSP: "PSP"}
}

func (w *world) hear(t *testing.T, ps ...multe.Payment) {
	t.Helper()
	w.heard++
	n := multe.Notice{Creditor: ente, Message: fmt.Sprint("TNP", w.heard), Payments: ps}
	w.hearNotice(t, n)
}

func (w *world) hearNotice(t *testing.T, n multe.Notice) {
	t.Helper()
	m := multe.MessageID(n.Message)
	w.update(t, func(tx store.Tx) error { return w.Hear(tx, n, m, w.clock) })
}

// look returns the code's state, the verbale's and the open troubles.
func (w *world) look(t *testing.T) (code multe.CodeState, verbale multe.VerbaleState, troubles string) {
	t.Helper()
	err := w.store.View(t.Context(), func(r store.Reader) error {
		c, err := r.Code(ente, pos)
		if err != nil {
			return err
		}
		code = c.State
		if c.Verbale != "" {
			v, err := r.Verbale(ente, c.Verbale)
			if err != nil {
				return err
			}
			verbale = v.State
		}
		troubles = kinds(t, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return code, verbale, troubles
}

func kinds(t *testing.T, r store.Reader) string {
	t.Helper()
	var all []string
	for _, c := range []multe.CreditorID{"", ente} {
		ds, err := r.Discrepancies(c, true, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			all = append(all, d.Kind)
			if len(d.Detail) < 80 || len(d.ID) > 120 {
				t.Errorf("%s: id of %d characters, detail %q", d.Kind, len(d.ID), d.Detail)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// payments returns what is listed, as "IUR:cents".
func (w *world) payments(t *testing.T) string {
	t.Helper()
	all, err := w.List(t.Context(), ente, multe.Payment{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range all {
		out = append(out, fmt.Sprintf("%s:%d", p.IUR, p.Cents))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestOnePayment pins what one payment does, by where the code and the verbale
// are, what was paid and when.
func TestOnePayment(t *testing.T) {
	none := multe.Day{}
	for _, test := range []struct {
		code    multe.CodeState
		verbale multe.VerbaleState
		cents   multe.Cents
		day     multe.Day
		want    multe.VerbaleState
		told    string
	}{
		{"active", "issued", 2940, printed.Plus(5), "settled", ""},
		{"active", "issued", 2940, printed.Plus(6), "issued", "payment.short"},
		{"active", "issued", 4200, printed.Plus(6), "settled", ""},
		{"active", "issued", 4200, printed.Plus(5), "settled", "payment.over"},
		{"active", "issued", 2939, printed, "issued", "payment.short"},
		{"active", "issued", 4200, none, "settled", ""}, // received on the eighth day
		{"active", "issued", 2940, none, "issued", "payment.short"},
		{"issued", "issued", 2940, printed, "settled", ""}, // before the esito of the activation
		{"active", "finalised", 9000, printed.Plus(7), "settled", ""},
		{"active", "finalised", 4200, printed.Plus(7), "finalised", "payment.short"},
		{"active", "finalised", 2940, printed.Plus(5), "settled", ""}, // paid what the paper said before the record
		{"active", "finalised", 4200, printed.Plus(6), "settled", ""}, // on the day of the record both hold
		{"active", "cancelled", 2940, printed, "cancelled", "payment.cancelled"},
		{"void", "cancelled", 2940, printed, "cancelled", "payment.cancelled payment.void_code"},
		{"void", "issued", 2940, printed, "settled", "payment.void_code"},
		{"available", "", 2940, printed, "", "payment.unexpected"},
		{"assigned", "", 2940, printed, "", "payment.unexpected"},
		{"quarantined", "", 2940, printed, "", "payment.unexpected"},
	} {
		t.Run(fmt.Sprint(test.code, test.verbale, test.cents, test.day), func(t *testing.T) {
			w := open(t)
			w.put(t, test.code, test.verbale)
			for range 3 { // told three times, each in a message of its own
				w.hear(t, paid("R1", test.cents, test.day))
			}
			code, verbale, told := w.look(t)
			if code != multe.CodePaid || verbale != test.want || told != test.told {
				t.Errorf("code %s, verbale %q, told %q; want paid, %q, %q", code, verbale, told, test.want, test.told)
			}
			list, err := w.OfIUV(t.Context(), ente, iuv)
			if err != nil || len(list) != 1 {
				t.Fatalf("%d payments, %v", len(list), err)
			}
			p := list[0]
			if p.Position != pos || p.Number != number() || (p.Verbale != "") != (test.verbale != "") || p.Message != "TNP1" || !p.Received.Equal(today) {
				t.Errorf("recorded %+v", p)
			}
		})
	}
}

// TestSeveralPayments hears sets of payments in every order, and each twice; the
// end must not depend on it.
func TestSeveralPayments(t *testing.T) {
	for _, test := range []struct {
		name    string
		heard   []multe.Payment
		want    string // payments
		verbale multe.VerbaleState
		told    string
	}{
		{"two receipts", []multe.Payment{paid("R1", 2940, printed), paid("R2", 2940, printed)},
			"R1:2940 R2:2940", "settled", "payment.double"},
		{"short and whole", []multe.Payment{paid("R1", 1000, printed), paid("R2", 2940, printed)},
			"R1:1000 R2:2940", "settled", "payment.double"},
		{"in two parts", []multe.Payment{paid("R1", 1000, printed), paid("R2", 1940, printed)},
			"R1:1000 R2:1940", "settled", "payment.double"},
		{"receipt comes later", []multe.Payment{paid("", 2940, printed), paid("R1", 2940, printed)},
			"R1:2940", "settled", ""},
		{"no receipt at all", []multe.Payment{paid("", 2940, printed), paid("", 2940, printed)},
			":2940", "settled", ""},
		{"receipt later and a true second", []multe.Payment{paid("", 2940, printed), paid("R1", 2940, printed), paid("R2", 2940, printed)},
			"R1:2940 R2:2940", "settled", "payment.double"},
		{"another amount without receipt", []multe.Payment{paid("", 1000, printed), paid("R1", 2940, printed)},
			":1000 R1:2940", "settled", "payment.double"},
	} {
		for i, order := range permutations(test.heard) {
			t.Run(fmt.Sprint(test.name, i), func(t *testing.T) {
				w := open(t)
				w.put(t, multe.CodeActive, multe.VerbaleIssued)
				w.hear(t, order...)
				for _, p := range order {
					w.hear(t, p)
				}
				code, verbale, told := w.look(t)
				if got := w.payments(t); got != test.want || code != multe.CodePaid || verbale != test.verbale || told != test.told {
					t.Errorf("%s, code %s, verbale %s, told %q\nwant %s, %s, %q", got, code, verbale, told, test.want, test.verbale, test.told)
				}
			})
		}
	}
}

func permutations(ps []multe.Payment) [][]multe.Payment {
	if len(ps) < 2 {
		return [][]multe.Payment{ps}
	}
	var all [][]multe.Payment
	for i := range ps {
		rest := slices.Delete(slices.Clone(ps), i, i+1)
		for _, tail := range permutations(rest) {
			all = append(all, append([]multe.Payment{ps[i]}, tail...))
		}
	}
	return all
}

func TestWhatDoesNotFit(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	stranger := multe.Payment{IUV: "è\x01strano/" + strings.Repeat("9", 200), IUR: "R9", Cents: 1, PaidOn: printed}
	endless := paid(strings.Repeat("R", 5000), 1, printed)
	nothing := paid("R0", 0, printed)
	w.hear(t, stranger, endless, multe.Payment{Cents: 5}, nothing, paid("R1", 2940, printed))
	code, verbale, told := w.look(t)
	if code != multe.CodePaid || verbale != multe.VerbaleSettled {
		t.Errorf("code %s, verbale %s: one bad item stopped a good one", code, verbale)
	}
	if told != "notice.unread payment.unknown_iuv" {
		t.Errorf("told %q", told)
	}
	if list, err := w.List(t.Context(), ente, multe.Payment{}, 10); err != nil || len(list) != 2 {
		t.Errorf("%d payments listed, %v; want the good one and the stranger's", len(list), err)
	}

	w.hear(t, paid("R1", 2941, printed))
	if _, _, told := w.look(t); told != "notice.unread payment.changed payment.unknown_iuv" {
		t.Errorf("told %q", told)
	}
}

func TestNotices(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	n := multe.Notice{Creditor: ente, Message: "TNP1", Mismatch: true, Unread: 2, Payments: []multe.Payment{paid("R1", 2940, printed)}}
	for range 3 {
		w.hearNotice(t, n)
	}
	code, _, told := w.look(t)
	if code != multe.CodePaid || told != "notice.mismatch notice.unread" {
		t.Errorf("code %s, told %q", code, told)
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		ds, err := r.Discrepancies(ente, true, "", 10)
		for _, d := range ds {
			if d.Count != 1 {
				t.Errorf("%s was told %d times", d.Kind, d.Count)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStrangersMoney keeps a payment to a creditor that we do not serve.
func TestStrangersMoney(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	w.hearNotice(t, multe.Notice{Creditor: "80087670016", Message: "TNP1", Payments: []multe.Payment{paid("R1", 2940, printed)}})
	if code, _, told := w.look(t); code != multe.CodeActive || told != "payment.unknown_creditor" {
		t.Errorf("code %s, told %q: creditors must not mix", code, told)
	}
	if list, err := w.OfIUV(t.Context(), "80087670016", iuv); err != nil || len(list) != 1 || list[0].Position != "" {
		t.Errorf("kept %+v, %v", list, err)
	}
}

// TestPaymentEndsTheTalk checks which changes of a paid position are given up,
// and that the trouble that waited for the payment is closed.
func TestPaymentEndsTheTalk(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	states := []multe.ChangeState{multe.ChangeApplied, multe.ChangeSealed, multe.ChangeUnknown, multe.ChangeWaiting, multe.ChangeRefused}
	w.update(t, func(tx store.Tx) error {
		for i, s := range states {
			ch := multe.NewChange(ente, pos, i+1, multe.ChangeUpdate, multe.Desired{}, today)
			ch.State = s
			if err := tx.PutChange(ch); err != nil {
				return err
			}
		}
		return store.Report(tx, ente, "position.already_paid", string(pos), strings.Repeat("x", 100), today)
	})
	w.hear(t, paid("R1", 2940, printed))
	var got []string
	err := w.store.View(t.Context(), func(r store.Reader) error {
		cs, err := r.ChangesOf(ente, pos, 0, 10)
		for _, c := range cs {
			got = append(got, string(c.State)+c.Code)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "applied sealed refusedpaid refusedpaid refused"; strings.Join(got, " ") != want {
		t.Errorf("changes %v, want %s", got, want)
	}
	if _, _, told := w.look(t); told != "" {
		t.Errorf("still told %q", told)
	}
}

// TestReceiptComesLater keeps where and when a payment was heard first.
func TestReceiptComesLater(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	w.hear(t, paid("", 2940, printed))
	w.clock = w.clock.Add(time.Hour)
	w.hear(t, paid("R1", 2940, multe.Day{}))
	list, err := w.OfIUV(t.Context(), ente, iuv)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d payments, %v", len(list), err)
	}
	p := list[0]
	if p.IUR != "R1" || p.Message != "TNP1" || !p.Received.Equal(today) || p.PaidOn != printed || p.Verbale != "v" || p.Position != pos {
		t.Errorf("recorded %+v", p)
	}
}

// TestDayComesLater hears of money without its day when the discount was over, and
// then that it was paid in time.
func TestDayComesLater(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	w.clock = printed.Plus(8).Start().UTC()
	w.hear(t, paid("", 2940, multe.Day{}))
	if _, state, told := w.look(t); state != multe.VerbaleIssued || told != multe.TroubleShort {
		t.Fatalf("without its day: %s, told %q", state, told)
	}
	for range 2 {
		w.hear(t, paid("R1", 2940, printed.Plus(5)))
		if _, state, told := w.look(t); state != multe.VerbaleSettled || told != "" {
			t.Errorf("paid in time: %s, told %q", state, told)
		}
	}
}

// TestListPages walks the list a page at a time, over the places that payments
// without receipt have left.
func TestListPages(t *testing.T) {
	w := open(t)
	for i := range 7 {
		p := multe.Payment{IUV: fmt.Sprint("30100000000000", i), Cents: 100, PaidOn: printed}
		w.hear(t, p)
		p.IUR = "R"
		w.hear(t, p)
		w.clock = w.clock.Add(time.Second)
	}
	var seen []string
	err := store.Each(func(after multe.Payment) ([]multe.Payment, error) { return w.List(t.Context(), ente, after, 2) },
		func(p multe.Payment) multe.Payment { return p },
		func(p multe.Payment) error { seen = append(seen, p.IUV+p.IUR); return nil })
	if err != nil || len(seen) != 7 || !slices.IsSorted(seen) {
		t.Errorf("listed %v, %v", seen, err)
	}
}

// TestReceivedWhenItArrived works a message days after it arrived, about a
// payment whose day the platform does not say.
func TestReceivedWhenItArrived(t *testing.T) {
	w := open(t)
	w.put(t, multe.CodeActive, multe.VerbaleIssued)
	arrived := printed.Plus(5).Start().UTC()
	w.update(t, func(tx store.Tx) error {
		return tx.PutMessage(multe.Message{ID: "m", State: multe.MessageNew, Received: arrived, Version: 1})
	})
	w.hearNotice(t, multe.Notice{Creditor: ente, Message: "m", Payments: []multe.Payment{paid("R1", 2940, multe.Day{})}})
	if _, verbale, told := w.look(t); verbale != multe.VerbaleSettled || told != "" {
		t.Errorf("verbale %s, told %q: the day of arrival was the fifth", verbale, told)
	}
	if list, err := w.OfIUV(t.Context(), ente, iuv); err != nil || !list[0].Received.Equal(arrived) {
		t.Errorf("received %v, %v", list, err)
	}
}
