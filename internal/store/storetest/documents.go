package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// documentsSucceedEachOther checks that documents are never replaced, and which
// one is in force.
func documentsSucceedEachOther(t *testing.T, s store.Store) {
	day := func(d int) multe.Day { return multe.Day{Year: 2026, Month: 3, Day: d} }
	document := func(c multe.CreditorID, kind multe.DocumentKind, n uint64, from multe.Day, body string) multe.Document {
		return multe.Document{Creditor: c, Kind: kind, N: n, From: from, Type: "text/plain", Body: []byte(body), Digest: digest(body), Actor: "operator:O1", At: noon}
	}
	first, future, correction := document(ours, "texts", 1, day(1), "first"), document(ours, "texts", 2, day(20), "future"), document(ours, "texts", 3, day(10), "correction")
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutDocument(first), tx.PutDocument(future), tx.PutDocument(correction),
			tx.PutDocument(document(ours, "text", 1, day(1), "of another kind")), tx.PutDocument(document(theirs, "texts", 1, day(1), "theirs")))
	})
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutDocument(first) }); !errors.Is(err, fault.Conflict) {
		t.Errorf("putting a document again: %v, want a conflict", err)
	}
	view(t, s, func(r store.Reader) error {
		if last, err := r.LastDocument(ours, "texts"); err != nil || !cmp.Equal(last, correction) {
			t.Errorf("LastDocument = %+v, %v; want %+v", last, err, correction)
		}
		for kind, want := range map[multe.DocumentKind]uint64{"texts": 3, "text": 1, "logo": 0} {
			if n, err := r.CountDocuments(ours, kind); err != nil || n != want {
				t.Errorf("CountDocuments(%s) = %d, %v; want %d", kind, n, err, want)
			}
		}
		if got, err := r.Document(ours, "texts", 1); err != nil || !cmp.Equal(got, first) {
			t.Errorf("Document 1 = %+v, %v; want %+v", got, err, first)
		}
		for d, want := range map[int]string{1: "first", 9: "first", 10: "correction", 19: "correction", 31: "correction"} {
			if got, err := store.DocumentOn(r, ours, "texts", day(d)); err != nil || string(got.Body) != want {
				t.Errorf("in force on %d: %q, %v; want %q", d, got.Body, err, want)
			}
		}
		_, before := store.DocumentOn(r, ours, "texts", multe.Day{Year: 2025, Month: 12, Day: 31})
		_, none := r.LastDocument(ours, "logo")
		_, other := r.Document(theirs, "texts", 2)
		for _, err := range []error{before, none, other} {
			if !errors.Is(err, fault.NotFound) {
				t.Errorf("missing document: %v, want NotFound", err)
			}
		}
		return nil
	})
}

// verbaliByPlateAndState checks that plates that begin alike are not mixed, and
// that a state is left when another is entered.
func verbaliByPlateAndState(t *testing.T, s store.Store) {
	newVerbale := func(c multe.CreditorID, id string, plate multe.Plate) multe.Verbale {
		return multe.Verbale{Creditor: c, State: multe.VerbaleIssued, Version: 1, Changed: noon,
			Slip: multe.Slip{ID: multe.VerbaleID(id), Position: multe.PositionID("P" + id), Plate: plate}}
	}
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutVerbale(newVerbale(ours, "1", "AB1")), tx.PutVerbale(newVerbale(ours, "2", "AB12")), tx.PutVerbale(newVerbale(ours, "3", "AB1")), tx.PutVerbale(newVerbale(theirs, "4", "AB1")))
	})
	update(t, s, func(tx store.Tx) error {
		v, err := tx.Verbale(ours, "3")
		if err != nil {
			return err
		}
		v.State, v.Version = multe.VerbaleSettled, 2
		return tx.PutVerbale(v)
	})
	view(t, s, func(r store.Reader) error {
		ids := func(vs []multe.Verbale, err error) []string {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			var got []string
			for _, v := range vs {
				got = append(got, string(v.Slip.ID))
			}
			return got
		}
		for _, tt := range []struct {
			name      string
			got, want []string
		}{
			{"AB1", ids(r.VerbaliByPlate(ours, "AB1", "", 9)), []string{"1", "3"}},
			{"AB1 after 1", ids(r.VerbaliByPlate(ours, "AB1", "1", 9)), []string{"3"}},
			{"AB12", ids(r.VerbaliByPlate(ours, "AB12", "", 9)), []string{"2"}},
			{"AB", ids(r.VerbaliByPlate(ours, "AB", "", 9)), nil},
			{"issued", ids(r.VerbaliIn(ours, multe.VerbaleIssued, "", 9)), []string{"1", "2"}},
			{"issued, one", ids(r.VerbaliIn(ours, multe.VerbaleIssued, "", 1)), []string{"1"}},
			{"settled", ids(r.VerbaliIn(ours, multe.VerbaleSettled, "", 9)), []string{"3"}},
			{"theirs", ids(r.VerbaliIn(theirs, multe.VerbaleSettled, "", 9)), nil},
		} {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		if n, err := r.CountVerbali(ours); err != nil || !cmp.Equal(n, map[multe.VerbaleState]int{multe.VerbaleIssued: 2, multe.VerbaleSettled: 1}) {
			t.Errorf("CountVerbali = %v, %v", n, err)
		}
		return nil
	})
}
