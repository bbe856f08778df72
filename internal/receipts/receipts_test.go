package receipts_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/receipts"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

const torino, alba = multe.CreditorID("00514490010"), multe.CreditorID("00184260040")

var (
	noon    = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	arrived = noon.Add(-48 * time.Hour)
)

const told multe.MessageID = "00000000000000000000000000000abc"

func number(t testing.TB, i int) avviso.Number {
	t.Helper()
	head := fmt.Sprintf("3%015d", i)
	n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type world struct {
	*receipts.Receipts
	store store.Store
}

// open returns a world with Torino, a message that arrived two days ago, and
// codes 1 to 3.
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
	w := &world{store: storetest.Twice(s)}
	w.Receipts = receipts.New(w.store)
	w.update(t, func(tx store.Tx) error {
		errs := []error{
			tx.PutCreditor(multe.Creditor{ID: torino, Version: 1}),
			tx.PutMessage(multe.Message{ID: told, State: multe.MessageNew, Received: arrived, Version: 1}),
		}
		for i := 1; i <= 3; i++ {
			errs = append(errs, tx.PutCode(multe.Code{Creditor: torino, Position: position(i), Number: number(t, i), State: multe.CodeIssued, Version: 1}))
		}
		return errors.Join(append(errs, tx.PutCode(multe.Code{Creditor: torino, Position: position(4), State: multe.CodeRequested, Version: 1}))...)
	})
	return w
}

func position(i int) multe.PositionID { return multe.PositionID(fmt.Sprintf("P%d", i)) }

func (w *world) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := w.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// look returns the history and the open troubles of a creditor.
func (w *world) look(t *testing.T, c multe.CreditorID) (history, troubles []string) {
	t.Helper()
	err := w.store.View(t.Context(), func(r store.Reader) error {
		entries, err := r.Audit(c, "", 0, store.MaxPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Actor != "piemontepay" || !e.At.Equal(noon) {
				t.Errorf("entry %+v", e)
			}
			history = append(history, e.Action+" "+string(e.Position)+" "+e.Subject)
		}
		ds, err := r.Discrepancies(c, true, "", store.MaxPage)
		for _, d := range ds {
			troubles = append(troubles, fmt.Sprintf("%s×%d", d.ID, d.Count))
			if len(d.Detail) < 80 || len(d.ID) > 120 {
				t.Errorf("trouble %s tells %q", d.ID, d.Detail)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return history, troubles
}

func receipt(iuv, xml string) multe.Receipt {
	return multe.Receipt{Creditor: "said by nobody", IUV: iuv, Digest: multe.DigestOf([]byte(xml)), XML: []byte(xml), Outcome: "0", Cents: 4200}
}

func bundle[T any](c multe.CreditorID, items ...T) multe.Bundle[T] {
	return multe.Bundle[T]{Creditor: c, Items: items}
}

func short(xml string) string { return multe.DigestOf([]byte(xml)).String()[:16] }

// TestHearReceipts tells the same receipts again and again: ours, another's, and
// one that says no IUV.
func TestHearReceipts(t *testing.T) {
	w := open(t)
	iuv := number(t, 1).IUV()
	b := bundle(torino, receipt(iuv, "<a/>"), receipt(iuv, "<b/>"), receipt("è\x01/ é", "<c/>"), receipt("", "<d/>"), receipt(iuv, "<a/>"))
	b.Unread = 2
	for range 3 {
		w.update(t, func(tx store.Tx) error { return w.HearReceipts(tx, b, told, noon) })
	}
	history, troubles := w.look(t, torino)
	if diff := cmp.Diff([]string{
		"receipt.recorded P1 " + iuv + "/" + short("<a/>"), "receipt.recorded P1 " + iuv + "/" + short("<b/>"),
		"receipt.recorded  è\x01/ é/" + short("<c/>"), "receipt.recorded  /" + short("<d/>"),
	}, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	want := []string{"message.partly_unread:" + string(told) + "×1", "receipt.unknown_iuv:_____×1", "receipt.unknown_iuv:" + multe.DigestOf([]byte("<d/>")).String()[:32] + "×1"}
	slices.Sort(want)
	if slices.Sort(troubles); !slices.Equal(troubles, want) {
		t.Errorf("troubles %q, want %q", troubles, want)
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		got, err := r.Receipt(torino, iuv, multe.DigestOf([]byte("<a/>")))
		want := receipt(iuv, "<a/>")
		want.Creditor, want.Message, want.Received, want.Version = torino, told, arrived, 1
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the record (-want +got):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHearRevocations opens work for a person, and changes nothing else.
func TestHearRevocations(t *testing.T) {
	w := open(t)
	iuv := number(t, 2).IUV()
	w.update(t, func(tx store.Tx) error {
		return tx.PutPayment(multe.Payment{Creditor: torino, IUV: iuv, IUR: "R", Cents: 4200, Position: position(2), Version: 1})
	})
	rev := multe.Revocation{IUV: iuv, ID: "RR1.a", Cents: 4200}
	other := rev
	other.ID = "RR1.b"
	for range 2 {
		w.update(t, func(tx store.Tx) error {
			return w.HearRevocations(tx, bundle(torino, rev, multe.Revocation{IUV: "none", ID: "RR2.c"}, other), told, noon)
		})
	}
	history, troubles := w.look(t, torino)
	if diff := cmp.Diff([]string{"revocation.recorded P2 " + iuv + "/RR1.a", "revocation.recorded  none/RR2.c", "revocation.recorded P2 " + iuv + "/RR1.b"}, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if want := []string{"revocation.requested:" + iuv + "×2", "revocation.requested:none×1"}; !slices.Equal(troubles, want) {
		t.Errorf("troubles %q, want %q", troubles, want)
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		p, err1 := r.Payment(torino, iuv, "R")
		k, err2 := r.Code(torino, position(2))
		if p.Version != 1 || k.Version != 1 {
			t.Errorf("a revocation changed %+v or %+v", p, k)
		}
		return errors.Join(err1, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestHearExpiries(t *testing.T) {
	w := open(t)
	iuv := number(t, 3).IUV()
	day := multe.Day{Year: 2026, Month: 3, Day: 1}
	for range 2 {
		w.update(t, func(tx store.Tx) error {
			return w.HearExpiries(tx, bundle(torino, multe.Expiry{IUV: iuv, DueOn: day, Cents: 4200}, multe.Expiry{IUV: iuv}, multe.Expiry{IUV: "none"}), told, noon)
		})
	}
	history, troubles := w.look(t, torino)
	if diff := cmp.Diff([]string{"expiry.recorded P3 " + iuv + "/2026-03-01", "expiry.recorded P3 " + iuv + "/", "expiry.recorded  none/"}, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if len(troubles) != 0 {
		t.Errorf("troubles %q: an expired avviso is owed as before", troubles)
	}
}

// TestOfACreditorWeDoNotHave: what is told is kept, and the administrator hears of
// it.
func TestOfACreditorWeDoNotHave(t *testing.T) {
	w := open(t)
	w.update(t, func(tx store.Tx) error {
		return errors.Join(
			w.HearReceipts(tx, bundle(alba, receipt(number(t, 1).IUV(), "<a/>")), "a message that is not stored", noon),
			w.HearRevocations(tx, bundle(alba, multe.Revocation{IUV: "x", ID: "y"}), told, noon))
	})
	history, none := w.look(t, alba)
	_, troubles := w.look(t, "")
	if len(history) != 2 || strings.Contains(strings.Join(history, ""), "P1") || len(none) != 0 || len(troubles) != 2 {
		t.Errorf("history %q, troubles %q and %q", history, none, troubles)
	}
}

// TestOfVerbale lists the receipts of every code that stands for a verbale.
func TestOfVerbale(t *testing.T) {
	w := open(t)
	v := multe.Verbale{Creditor: torino, State: multe.VerbaleIssued, Reissued: position(4), Version: 1,
		Slip: multe.Slip{ID: "V1", Position: position(1), Number: number(t, 1), Full: &multe.SlipCode{Position: position(2), Number: number(t, 2)}}}
	w.update(t, func(tx store.Tx) error {
		return errors.Join(tx.PutVerbale(v), w.HearReceipts(tx, bundle(torino,
			receipt(number(t, 2).IUV(), "<full/>"), receipt(number(t, 1).IUV(), "<first/>"), receipt(number(t, 3).IUV(), "<another's/>"), receipt("", "<nobody's/>")), told, noon))
	})
	list, err := w.OfVerbale(t.Context(), torino, "V1")
	var got []string
	for _, r := range list {
		got = append(got, string(r.XML))
	}
	if err != nil || !slices.Equal(got, []string{"<first/>", "<full/>"}) {
		t.Errorf("= %q, %v", got, err)
	}
	if r, err := w.Get(t.Context(), torino, "V1", multe.DigestOf([]byte("<full/>"))); err != nil || string(r.XML) != "<full/>" {
		t.Errorf("Get = %v, %v", r, err)
	}
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"of another creditor": {second(w.OfVerbale(t.Context(), alba, "V1")), "verbale.unknown"},
		"of no verbale":       {second(w.OfVerbale(t.Context(), torino, "V2")), "verbale.unknown"},
		"another's":           {second(w.Get(t.Context(), torino, "V1", multe.DigestOf([]byte("<another's/>")))), "receipt.unknown"},
		"one of no verbale":   {second(w.Get(t.Context(), torino, "V2", multe.DigestOf([]byte("<full/>")))), "verbale.unknown"},
	} {
		if !errors.Is(c.err, fault.NotFound) || fault.Of(c.err).Code != c.code {
			t.Errorf("%s: %v, want %s", name, c.err, c.code)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestAFailureLeavesNothing: what could not all be written is not written.
func TestAFailureLeavesNothing(t *testing.T) {
	w := open(t)
	long := strings.Repeat("x", 600) // longer than any key
	for name, hear := range map[string]func(store.Tx) error{
		"receipts": func(tx store.Tx) error {
			return w.HearReceipts(tx, bundle(torino, receipt("a", "<a/>"), receipt(long, "<b/>")), told, noon)
		},
		"revocations": func(tx store.Tx) error {
			return w.HearRevocations(tx, bundle(torino, multe.Revocation{IUV: "a"}, multe.Revocation{IUV: long}), told, noon)
		},
		"expiries": func(tx store.Tx) error {
			return w.HearExpiries(tx, bundle(torino, multe.Expiry{IUV: "a"}, multe.Expiry{IUV: long}), told, noon)
		},
	} {
		if err := w.store.Update(t.Context(), hear); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if history, troubles := w.look(t, torino); len(history) != 0 || len(troubles) != 0 {
		t.Errorf("left %q, %q", history, troubles)
	}
}
