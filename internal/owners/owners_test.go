package owners_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

func debtor(name string) multe.Debtor {
	return multe.Debtor{Surname: name, Name: "Maria", CF: "RSSMRA80A01L219X"}
}

// TestHints proposes the owners of a plate, who fits first.
func TestHints(t *testing.T) {
	w := webtest.New(t)
	d, _ := w.Device(t, webtest.Torino)
	w.AddCodes(t, webtest.Torino, 5)
	codes, err := w.Pool.Lease(t.Context(), webtest.Torino, d.ID, multe.LeaseID(w.ID(t)), 1)
	if err != nil {
		t.Fatal(err)
	}
	slip := multe.Slip{ID: multe.VerbaleID(w.ID(t)), Position: codes[0].Position, Number: codes[0].Number, Plate: "AB123CD", Nation: "IT", Place: "via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17", IssuedAt: w.Now(), Steps: []multe.Step{{Cents: 4200}}}
	if _, _, err := w.Verbali.Issue(t.Context(), webtest.Torino, d.ID, slip, multe.Digest{1}); err != nil {
		t.Fatal(err)
	}
	today := multe.DayOf(w.Now())
	list := []owners.Owner{
		{Plate: "AB123CD", From: today.Plus(-900), Until: today.Plus(-300), Debtor: debtor("Before")},
		{Plate: "AB123CD", Debtor: debtor("Undated")},
		{Plate: "AB123CD", From: today.Plus(-299), Debtor: debtor("Now")},
		{Plate: "AB123CD", From: today.Plus(1), Debtor: debtor("After")},
		{Plate: "AB123CE", Debtor: debtor("Neighbour")},
	}
	for i, want := range []int{5, 0} { // a file imported twice is kept once
		fresh, err := w.Owners.Import(t.Context(), "operator:o", webtest.Torino, list)
		if err != nil || fresh != want {
			t.Fatalf("import %d: %d fresh, %v", i, fresh, err)
		}
	}
	show := func() string {
		hints, err := w.Owners.Hints(t.Context(), webtest.Torino, slip.ID)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, h := range hints {
			out = append(out, fmt.Sprint(h.Debtor.Surname, h.Fits))
		}
		return strings.Join(out, " ")
	}
	if got := show(); got != "Nowtrue Undatedtrue Afterfalse Beforefalse" {
		t.Errorf("proposed %s", got)
	}
	if _, err := w.Owners.Hints(t.Context(), webtest.Alba, slip.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("another creditor's verbale: %v", err)
	}

	w.Pass(50 * 24 * time.Hour)
	if _, err := w.Owners.Import(t.Context(), "operator:o", webtest.Torino, list[2:3]); err != nil {
		t.Fatal(err)
	}
	w.Pass(multe.OwnerHintFor - 50*24*time.Hour)
	if got := show(); got != "Nowtrue" {
		t.Errorf("after their time: %s", got)
	}
	if more, err := w.Owners.Purge(t.Context()); err != nil || more {
		t.Fatal(more, err)
	}
	err = w.Store.View(t.Context(), func(r store.Reader) error {
		left, err := r.OwnerHints(webtest.Torino, multe.OwnerHint{}, 10)
		if len(left) != 1 || left[0].Debtor.Surname != "Now" {
			t.Errorf("%d are left", len(left))
		}
		if err != nil {
			return err
		}
		h, err := multe.NewOwnerHint(webtest.Torino, list[0].Plate, list[0].From, list[0].Until, list[0].Debtor, w.Now())
		if err != nil {
			return err
		}
		gone, err := r.OwnerHint(webtest.Torino, h.ID)
		if !gone.Gone || gone.Debtor != nil || gone.Plate != "" {
			t.Errorf("not forgotten: %+v", gone)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if fresh, err := w.Owners.Import(t.Context(), "operator:o", webtest.Torino, list); err != nil || fresh != 4 {
		t.Errorf("what was forgotten came back as %d fresh, %v", fresh, err)
	}
}

// TestPurgeGoesOn forgets more than one transaction takes.
func TestPurgeGoesOn(t *testing.T) {
	w := webtest.New(t)
	var list []owners.Owner
	for i := range 501 {
		list = append(list, owners.Owner{Plate: multe.Plate(fmt.Sprintf("AA%05d", i)), Debtor: debtor("Rossi")})
	}
	if _, err := w.Owners.Import(t.Context(), "operator:o", webtest.Torino, list); err != nil {
		t.Fatal(err)
	}
	w.Pass(multe.OwnerHintFor)
	for i, want := range []bool{true, false, false} {
		if more, err := w.Owners.Purge(t.Context()); err != nil || more != want {
			t.Errorf("round %d: more %v, %v", i, more, err)
		}
	}
}

func TestImportIsBounded(t *testing.T) {
	w := webtest.New(t)
	for _, n := range []int{0, owners.MaxImport + 1} {
		if _, err := w.Owners.Import(t.Context(), "operator:o", webtest.Torino, make([]owners.Owner, n)); fault.Of(err).Code != "owners.bad_count" {
			t.Errorf("%d owners: %v", n, err)
		}
	}
}
