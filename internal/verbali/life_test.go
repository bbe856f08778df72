package verbali_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// parking is the fine of most of these tests.
func parking() *multe.Fine { return &multe.Fine{Reduced: 4200, Discounted: 2940, Late: 8650} }

// TestRecordOfTheSlipsCode finds the fine by the code that the handheld sent, in
// the catalogue of the day of the violation, not of today.
func TestRecordOfTheSlipsCode(t *testing.T) {
	w := open(t)
	w.code(t, 1, multe.CodeAssigned, device)
	day := multe.DayOf(w.clock)
	w.update(t, func(tx store.Tx) error {
		then, err := multe.NewDocument(multe.Document{}, ente, multe.DocumentCatalogue, day, "application/yaml", cds.Sample(), "admin", w.clock)
		dearer := []byte(strings.ReplaceAll(string(cds.Sample()), "min: 42, max: 173", "min: 43, max: 177"))
		now, nerr := multe.NewDocument(then, ente, multe.DocumentCatalogue, day.Plus(1), "application/yaml", dearer, "admin", w.clock)
		return errors.Join(err, nerr, tx.PutDocument(then), tx.PutDocument(now))
	})
	s := w.slip(1)
	s.Violation.Code = "158-6"
	if _, _, err := w.issue(t, s); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(20 * 24 * time.Hour)
	r := multe.Record{Register: "1", Causale: "Verbale", CostsCents: 1420}
	for range 2 {
		v, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, r)
		if err != nil || *v.Record.Fine != *parking() || v.Record.Cents != 5620 || v.Record.By != "operator:1" {
			t.Fatalf("recorded %+v, %v", v.Record.Fine, err)
		}
	}
	r.CostsCents = 1
	_, _, err := w.Record(t.Context(), "operator:1", ente, s.ID, r)
	wantCode(t, err, "verbale.already_recorded")
	r.Violation = "999"
	_, _, err = w.Correct(t.Context(), "operator:1", ente, s.ID, r, "Refuso")
	wantCode(t, err, "amount.unknown_violation")
}

// TestRepriceTells is what becomes of a step at its hour, by how far the change
// before it has come.
func TestRepriceTells(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"waiting", "activate:4200::waiting"}, // never left: nobody was told of the discount
		{"gone", "activate:2940::sealed, update:4200::waiting"},
		{"recorded", "update:5620::waiting+debtor"}, // the office was before it
		{"paid", "activate:2940::sealed"},
		{"cancelled", "activate:2940::sealed, void:0::waiting"},
		{"void", "activate:2940::sealed"},
	} {
		w := open(t)
		w.code(t, 1, multe.CodeAssigned, device)
		s := w.slip(1)
		if _, _, err := w.issue(t, s); err != nil {
			t.Fatal(err)
		}
		if tt.name != "waiting" && tt.name != "recorded" {
			w.left(t, 1)
		}
		var err error
		switch tt.name {
		case "recorded":
			_, _, err = w.Record(t.Context(), "operator:1", ente, s.ID, multe.Record{Register: "1", Cents: 5620, Causale: "Verbale", Debtor: &debtor})
		case "cancelled":
			_, _, err = w.Cancel(t.Context(), "operator:1", ente, s.ID, multe.Cancellation{Reason: "x"})
		case "paid", "void":
			w.update(t, func(tx store.Tx) error {
				k, err := tx.Code(ente, s.Position)
				if err != nil {
					return err
				}
				if tt.name == "paid" { // too little: the verbale stays open
					k, err = k.Pay(w.clock)
				} else {
					k, err = k.Void("179", w.clock)
				}
				return errors.Join(err, tx.PutCode(k))
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(30 * 24 * time.Hour)
		for range 2 { // the second round finds nothing
			more, err := w.Reprice(t.Context())
			if err != nil || more {
				t.Fatalf("%s: more = %t, %v", tt.name, more, err)
			}
			if got := w.all(t, 1); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		}
	}
}

// TestRepriceIsBounded moves a night's worth of verbali, a commit at a time.
func TestRepriceIsBounded(t *testing.T) {
	w := open(t)
	const n = 230
	for i := range n {
		w.code(t, i, multe.CodeAssigned, device)
		if _, _, err := w.issue(t, w.slip(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.clock = multe.DayOf(w.clock).Plus(6).Start().Add(5 * time.Minute).UTC()
	nudged, rounds := w.nudges, 0
	for more := true; more; rounds++ {
		var err error
		if more, err = w.Reprice(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for i := range n {
		if strings.HasSuffix(w.all(t, i), "4200::waiting") {
			told++
		}
	}
	if rounds != 3 || told != n || w.nudges != nudged+3 {
		t.Errorf("%d of %d told in %d rounds, %d nudges", told, n, rounds, w.nudges-nudged)
	}
}

// TestCorrectDebtor is what the platform hears of another debtor: nothing twice,
// and a person where it will not listen.
func TestCorrectDebtor(t *testing.T) {
	other := multe.Debtor{Company: "Autonoleggio Srl", CF: "01234567897", Nation: "DE", City: "München"}
	for _, tt := range []struct {
		name         string
		from, to     *multe.Debtor
		gone         bool
		told, report string
	}{
		{"not told yet", &debtor, &other, false, "update:5620::waiting+debtor", ""},
		{"not told yet, and now none", &debtor, nil, false, "update:5620::waiting", ""},
		{"on its way", &debtor, &other, true, "update:5620::sealed+debtor", "verbale.other_debtor"},
		{"none before", nil, &other, true, "update:5620::sealed, reset:0::waiting, update:5620::waiting+debtor", ""},
		{"none before, none now", nil, nil, true, "update:5620::sealed", ""},
	} {
		w := open(t)
		w.code(t, 1, multe.CodeAssigned, device)
		s := w.slip(1)
		_, _, ierr := w.issue(t, s)
		w.clock = w.clock.Add(8 * 24 * time.Hour)
		r := multe.Record{Register: "1", Causale: "Verbale", Fine: parking(), CostsCents: 1420, Debtor: tt.from}
		_, _, rerr := w.Record(t.Context(), "operator:1", ente, s.ID, r)
		if err := errors.Join(ierr, rerr); err != nil {
			t.Fatal(err)
		}
		if tt.gone {
			w.left(t, 1)
		}
		r.Debtor, r.Register = tt.to, "2"
		for range 2 {
			v, _, err := w.Correct(t.Context(), "operator:2", ente, s.ID, r, "Proprietario errato")
			if err != nil || len(v.History) != 1 || v.Record.Register != "2" || v.Record.By != "operator:2" || v.Record.Why != "Proprietario errato" {
				t.Fatalf("%s: %+v, %v", tt.name, v.History, err)
			}
		}
		if got := w.all(t, 1); got != tt.told {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.told)
		}
		var open []string
		if err := w.store.View(t.Context(), func(r store.Reader) error {
			ds, err := r.Discrepancies(ente, true, "", 10)
			for _, d := range ds {
				open = append(open, d.Kind)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(open, " "); got != tt.report && got != tt.report+" "+tt.report {
			t.Errorf("%s: a person was told %q, want %q", tt.name, got, tt.report)
		}
	}
}

// TestCorrectRegister frees the number that a verbale gives up, and takes nobody
// else's.
func TestCorrectRegister(t *testing.T) {
	w := open(t)
	record := func(register string) multe.Record {
		return multe.Record{Register: register, Causale: "Verbale", Cents: 4200}
	}
	for i := 1; i <= 2; i++ {
		w.code(t, i, multe.CodeAssigned, device)
		if _, _, err := w.issue(t, w.slip(i)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, a, b := t.Context(), w.slip(1).ID, w.slip(2).ID
	if _, _, err := w.Record(ctx, "operator:1", ente, a, record("A")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Correct(ctx, "operator:1", ente, b, record("A"), "x"); err == nil {
		t.Error("corrected what was never recorded")
	} else {
		wantCode(t, err, "verbale.not_recorded")
	}
	if _, _, err := w.Record(ctx, "operator:1", ente, b, record("B")); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.Correct(ctx, "operator:1", ente, b, record("A"), "Scambiati")
	wantCode(t, err, "verbale.register_used")
	_, _, err = w.Correct(ctx, "operator:1", ente, b, record("C"), "")
	wantCode(t, err, "verbale.bad_reason")
	if _, _, err := w.Correct(ctx, "operator:1", ente, a, record("C"), "Refuso"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Correct(ctx, "operator:1", ente, b, record("A"), "Scambiati"); err != nil {
		t.Errorf("a number that was given up: %v", err)
	}
}
