package prints_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

const (
	ours  = multe.CreditorID("00514490010")
	clerk = "operator:O1"
)

var noon = time.Date(2026, 3, 12, 11, 0, 0, 0, time.UTC)

const catalogue = `
catalogue: preavviso-1
name: Prova
violations:
  - {code: 158-6, article: 158, comma: 6, norm: art. 158 c. 2 e 6 CdS, text: Sostava dove la sosta è vietata., amounts: [{from: 2021-01-01, min: 42, max: 173}]}
  - {code: 143-12, article: 143, comma: 12, norm: art. 143 c. 12 CdS, text: Circolava contromano in curva., no_reduced: art. 202 c. 3-bis, points: 10, amounts: [{from: 2021-01-01, min: 327, max: 1308}]}
`

var settings = prints.Settings{Contacts: "tel. 011", Office: "Ufficio verbali", Officer: "Comandante", Signature: "Ag. matr. 1", Prefect: "Torino", Judge: "Torino",
	NotServed: "Assenza del trasgressore (art. 201 c. 1-bis CdS)."}

// rig is a Prints over a store on disk and a spool in memory.
type rig struct {
	*prints.Prints
	store *boltstore.Store
	spool *memory
	now   time.Time
	chaos *rand.ChaCha8
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "store.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{store: s, spool: newMemory(), now: noon, chaos: rand.NewChaCha8([32]byte{1})}
	r.Prints = prints.New(s, r.spool, func() time.Time { return r.now }, r.chaos, func() {})
	r.update(t, func(tx store.Tx) error {
		c := multe.Creditor{ID: ours, Name: "Comune di Torino", Settore: "Polizia locale", CBILL: "AB123", CodiceVersamento: "MU01", PoolLow: 1, PoolTarget: 10,
			Version: 1, Changed: noon.AddDate(0, -1, 0)}
		return store.SaveCreditor(tx, c, "admin", c.Changed)
	})
	r.document(t, multe.DocumentCatalogue, []byte(catalogue))
	body, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	r.document(t, multe.DocumentSettings, body)
	return r
}

func (r *rig) update(t testing.TB, fn func(store.Tx) error) {
	t.Helper()
	if err := r.store.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// document gives a file that is in force from the beginning of the year.
func (r *rig) document(t testing.TB, kind multe.DocumentKind, body []byte) {
	t.Helper()
	r.update(t, func(tx store.Tx) error {
		last, err := tx.LastDocument(ours, kind)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		d, err := multe.NewDocument(last, ours, kind, multe.Day{Year: 2026, Month: 1, Day: 1}, "", body, clerk, r.now)
		if err != nil {
			return err
		}
		return tx.PutDocument(d)
	})
}

func number(t testing.TB, n int) avviso.Number {
	t.Helper()
	head := fmt.Sprintf("301%013d", n)
	var sum int
	for _, d := range head {
		sum = (sum*10 + int(d-'0')) % 93
	}
	num, err := avviso.ParseNumber(fmt.Sprintf("%s%02d", head, sum))
	if err != nil {
		t.Fatal(err)
	}
	return num
}

func id(n int) string { return fmt.Sprintf("%032x", n) }

// act puts verbale n, recorded and payable, after change, and returns it. Its
// code is active with what is due.
func (r *rig) act(t testing.TB, n int, change func(*multe.Verbale, *multe.Code)) multe.Verbale {
	t.Helper()
	day := multe.DayOf(noon)
	v := multe.Verbale{Creditor: ours, Device: multe.DeviceID(id(1)), State: multe.VerbaleFinalised, ReceivedAt: noon, Version: 1, Changed: noon,
		Slip: multe.Slip{ID: multe.VerbaleID(id(n)), Position: multe.PositionID(id(1_000_000 + n)), Number: number(t, n), Reference: fmt.Sprintf("P-%d", n), Plate: "AB123CD", Nation: "IT",
			Vehicle: "Fiat Panda", Place: "Via Po 1", Violation: multe.Violation{Norm: "art. 158 c. 2 e 6 CdS", Conduct: "Sostava dove la sosta è vietata."}, Warden: "0417",
			IssuedAt: noon.Add(-2 * time.Hour), Steps: []multe.Step{{Cents: 2940, LastDay: day.Plus(5)}, {Cents: 4200}}},
		Record: &multe.Record{Register: fmt.Sprintf("V/%d", n), Cents: 4200, Causale: multe.Causale(fmt.Sprintf("Verbale CdS n. %d", n)), At: noon,
			Debtor: &multe.Debtor{Surname: "Rossi", Name: "Anna", CF: "RSSNNA80A41L219X", Address: "Via Òstia", Civico: "12", CAP: fmt.Sprintf("%05d", 10100-n%7), City: "Torino", Province: "TO"}}}
	k := multe.Code{Creditor: ours, Position: v.Slip.Position, Number: v.Slip.Number, State: multe.CodeActive, Device: v.Device, Verbale: v.Slip.ID, UpstreamCents: 4200, Version: 1, Changed: noon}
	if change != nil {
		change(&v, &k)
	}
	r.update(t, func(tx store.Tx) error { return errors.Join(tx.PutVerbale(v), tx.PutCode(k)) })
	return v
}

func (r *rig) audit(t testing.TB) (actions []string) {
	t.Helper()
	if err := r.store.View(t.Context(), func(rd store.Reader) error {
		es, err := rd.Audit(ours, "", 0, store.MaxPage)
		for _, e := range es {
			if strings.HasPrefix(e.Action, "print.") {
				actions = append(actions, e.Action+" "+e.To)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return actions
}

// text is what is written on the pages of a PDF, without spaces.
func text(t testing.TB, doc []byte) string {
	t.Helper()
	if !bytes.HasPrefix(doc, []byte("%PDF")) {
		t.Fatalf("no PDF: %.60q", doc)
	}
	s, err := readPDF(doc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReprint checks what the first print, the next and the same once more are.
func TestReprint(t *testing.T) {
	for _, kind := range multe.PrintKinds() {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t)
			v := r.act(t, 1, nil)
			print := func(n int) (multe.Print, []byte) {
				t.Helper()
				p, doc, err := r.Print(t.Context(), clerk, ours, multe.PrintID(id(n)), v.Slip.ID, kind, "")
				if err != nil {
					t.Fatal(err)
				}
				return p, doc
			}
			_, first := print(100)
			_, repeated := print(100)
			r.now = r.now.Add(time.Hour)
			second, marked := print(101)
			if !bytes.Equal(first, repeated) {
				t.Error("the same request printed other bytes")
			}
			if strings.Contains(text(t, first), "RISTAMPA") || !strings.Contains(text(t, marked), "RISTAMPA") || second.Copy != 2 {
				t.Errorf("the second print must say «ristampa», the first not (copy %d)", second.Copy)
			}
			// A year, another name, other words and another logo later the first is still what it was.
			r.now = r.now.AddDate(1, 0, 0)
			r.update(t, func(tx store.Tx) error {
				c, err := tx.Creditor(ours)
				if err != nil {
					return err
				}
				c.Name, c.Version, c.Changed = "Unione di Comuni", c.Version+1, r.now
				return store.SaveCreditor(tx, c, "admin", r.now)
			})
			words, err := texts.Builtin()
			if err != nil {
				t.Fatal(err)
			}
			mine, err := words.On(string(kind), texts.Italian, noon)
			if err != nil {
				t.Fatal(err)
			}
			own := *mine
			own.From, own.Texts = "2026-01-01", maps.Clone(mine.Texts)
			own.Texts["title"] = "TITOLO NUOVO"
			body, err := json.Marshal(own)
			if err != nil {
				t.Fatal(err)
			}
			r.document(t, multe.DocumentTexts, body)
			logo, _, err := prints.CheckLogo(coat(t))
			if err != nil {
				t.Fatal(err)
			}
			r.document(t, multe.DocumentLogo, logo)
			for n, want := range map[int][]byte{100: first, 101: marked} {
				_, again, err := r.Again(t.Context(), "operator:O2", ours, multe.PrintID(id(n)))
				if err != nil || !bytes.Equal(again, want) {
					t.Errorf("print %d again: %v, equal: %t", n, err, bytes.Equal(again, want))
				}
			}
			_, now := print(102)
			if s := text(t, now); !strings.Contains(s, "TITOLO NUOVO") {
				t.Error("a print of today does not have the words of today")
			}
			name := string(kind)
			want := []string{"print." + name + " first", "print." + name + " reprint", "print.again ", "print.again ", "print." + name + " reprint"}
			if got := r.audit(t); !slices.Equal(got, want) {
				t.Errorf("history %q, want %q", got, want)
			}
		})
	}
}

// TestCreditorOfTheDay checks whose name a preavviso carries: that of the day it
// was issued.
func TestCreditorOfTheDay(t *testing.T) {
	r := newRig(t)
	v := r.act(t, 1, nil)
	r.now = r.now.AddDate(0, 0, 1)
	r.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(ours)
		if err != nil {
			return err
		}
		c.Name, c.Version, c.Changed = "Unione di Comuni", c.Version+1, r.now
		return store.SaveCreditor(tx, c, "admin", r.now)
	})
	look := func(kind multe.PrintKind) string {
		doc, err := r.Look(t.Context(), clerk, ours, v.Slip.ID, kind, "")
		if err != nil {
			t.Fatal(err)
		}
		return text(t, doc)
	}
	for kind, want := range map[multe.PrintKind]string{multe.PrintPreavviso: "Comune di Torino", multe.PrintVerbale: "Comune di Torino", multe.PrintAvviso: "Unione di Comuni"} {
		if got := look(kind); !strings.Contains(got, want) {
			t.Errorf("%s is not of «%s»", kind, want)
		}
	}
}

// TestRefusals prints what must not be printed.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		kind   multe.PrintKind
		change func(*multe.Verbale, *multe.Code)
		want   string
	}{
		"fine":                  {multe.PrintVerbale, nil, ""},
		"fine avviso":           {multe.PrintAvviso, nil, ""},
		"discount active":       {multe.PrintVerbale, func(v *multe.Verbale, k *multe.Code) { v.Record.Cents, k.UpstreamCents = 2940, 2940 }, ""},
		"other amount upstream": {multe.PrintAvviso, func(_ *multe.Verbale, k *multe.Code) { k.UpstreamCents = 2940 }, "print.amount_differs"},
		"nothing upstream":      {multe.PrintVerbale, func(_ *multe.Verbale, k *multe.Code) { k.UpstreamCents = 0 }, "print.amount_differs"},
		"amount of no law":      {multe.PrintVerbale, func(v *multe.Verbale, k *multe.Code) { v.Record.Cents, k.UpstreamCents = 5000, 5000 }, "print.amount_differs"},
		"not confirmed":         {multe.PrintAvviso, func(_ *multe.Verbale, k *multe.Code) { k.State = multe.CodeIssued }, "print.not_active"},
		"paid":                  {multe.PrintAvviso, func(v *multe.Verbale, k *multe.Code) { v.State, k.State = multe.VerbaleSettled, multe.CodePaid }, "print.paid"},
		"void":                  {multe.PrintAvviso, func(_ *multe.Verbale, k *multe.Code) { k.State = multe.CodeVoid }, "print.void"},
		"cancelled":             {multe.PrintVerbale, func(v *multe.Verbale, _ *multe.Code) { v.State = multe.VerbaleCancelled }, "print.cancelled"},
		"not recorded":          {multe.PrintAvviso, func(v *multe.Verbale, _ *multe.Code) { v.State, v.Record = multe.VerbaleIssued, nil }, "print.not_recorded"},
		"anonymous":             {multe.PrintAvviso, func(v *multe.Verbale, _ *multe.Code) { v.Record.Debtor = nil }, "print.no_debtor"},
		"null name": {multe.PrintAvviso, func(v *multe.Verbale, _ *multe.Code) {
			v.Record.Debtor = &multe.Debtor{Company: "null", CF: "00514490010"}
		}, "print.missing_field"},
		"no address": {multe.PrintVerbale, func(v *multe.Verbale, _ *multe.Code) {
			v.Record.Debtor = &multe.Debtor{Company: "Acme", CF: "00514490010"}
		}, "print.missing_field"},
		"name of 300": {multe.PrintAvviso, func(v *multe.Verbale, _ *multe.Code) { v.Record.Debtor.Surname = strings.Repeat("Rossi ", 50) }, ""}, // cut, as the guide has it
		"preavviso before recording": {multe.PrintPreavviso, func(v *multe.Verbale, k *multe.Code) {
			v.State, v.Record, k.State = multe.VerbaleIssued, nil, multe.CodeIssued
		}, ""},
		"unknown violation":                      {multe.PrintVerbale, func(v *multe.Verbale, _ *multe.Code) { v.Slip.Violation.Norm = "art. 1 CdS" }, "print.no_fine"},
		"typed fine":                             {multe.PrintVerbale, func(v *multe.Verbale, k *multe.Code) { fined(v, k); v.Slip.Violation.Norm = "art. 1 CdS" }, ""},
		"typed fine, avviso":                     {multe.PrintAvviso, fined, ""},
		"notified, avviso":                       {multe.PrintAvviso, func(v *multe.Verbale, k *multe.Code) { notified(v, k, 0, 4360) }, ""},
		"discount over, avviso":                  {multe.PrintAvviso, func(v *multe.Verbale, k *multe.Code) { notified(v, k, -10, 5620) }, ""},
		"not repriced, avviso":                   {multe.PrintAvviso, func(v *multe.Verbale, k *multe.Code) { notified(v, k, -10, 4360) }, "print.amount_differs"},
		"60 days over, avviso":                   {multe.PrintAvviso, func(v *multe.Verbale, k *multe.Code) { notified(v, k, -70, 10070) }, ""},
		"60 days over, verbale":                  {multe.PrintVerbale, func(v *multe.Verbale, k *multe.Code) { notified(v, k, -70, 10070) }, ""},
		"60 days over and not repriced, verbale": {multe.PrintVerbale, func(v *multe.Verbale, k *multe.Code) { notified(v, k, -70, 5620) }, "print.amount_differs"},
		"ordinanza, verbale":                     {multe.PrintVerbale, ruled, "print.amount_differs"},
		"ordinanza, avviso":                      {multe.PrintAvviso, ruled, ""},
		"not reduced, avviso":                    {multe.PrintAvviso, wrongWay, "print.not_reduced"},
		"not reduced":                            {multe.PrintVerbale, wrongWay, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v := r.act(t, 1, tt.change)
			_, doc, err := r.Print(t.Context(), clerk, ours, multe.PrintID(id(9)), v.Slip.ID, tt.kind, "")
			if tt.want == "" {
				if err != nil || !bytes.HasPrefix(doc, []byte("%PDF")) {
					t.Fatalf("%v", err)
				}
				return
			}
			if f := fault.Of(err); f.Code != tt.want || f.Kind == fault.Internal || len(f.Detail) < 20 {
				t.Fatalf("%v, want %s", err, tt.want)
			}
			if got := r.audit(t); len(got) > 0 {
				t.Errorf("history of what was not printed: %q", got)
			}
		})
	}
}

// fined gives the act amounts of the law and costs.
func fined(v *multe.Verbale, k *multe.Code) {
	v.Record.Fine, v.Record.CostsCents = &multe.Fine{Discounted: 2940, Reduced: 4200, Late: 8650}, 1420
	v.Record.Cents, k.UpstreamCents = 4360, 4360
}

// notified is fined, and notified some days from noon; the platform says cents.
func notified(v *multe.Verbale, k *multe.Code, days int, cents multe.Cents) {
	fined(v, k)
	day := multe.DayOf(noon).Plus(days)
	v.Record.Notification = &multe.Notification{How: multe.NotifiedPEC, Day: day, Notified: day}
	v.Record.Steps = []multe.Step{{Cents: 4360, LastDay: day.Plus(5)}, {Cents: 5620, LastDay: day.Plus(60)}, {Cents: 10070}}
	k.UpstreamCents = cents
}

// TestDaysOfAnAvviso checks what an avviso says of an act that was notified: the
// days of the law, and only amounts that are still to come.
func TestDaysOfAnAvviso(t *testing.T) {
	for _, tt := range []struct {
		days        int
		upstream    multe.Cents
		says, never []string
	}{
		{0, 4360, []string{"43,60", "17/03/2026", "56,20", "11/05/2026"}, []string{"100,70"}},
		{-10, 5620, []string{"56,20", "01/05/2026"}, []string{"43,60", "100,70"}},
		{-70, 10070, []string{"100,70"}, []string{"43,60", "56,20"}},
	} {
		r := newRig(t)
		v := r.act(t, 1, func(v *multe.Verbale, k *multe.Code) { notified(v, k, tt.days, tt.upstream) })
		doc, err := r.Look(t.Context(), clerk, ours, v.Slip.ID, multe.PrintAvviso, "de")
		if err != nil {
			t.Fatal(err)
		}
		page := text(t, doc)
		for _, s := range tt.says {
			if !strings.Contains(page, s) {
				t.Errorf("notified %d days ago: does not say %s", -tt.days, s)
			}
		}
		for _, s := range tt.never {
			if strings.Contains(page, s) {
				t.Errorf("notified %d days ago: says %s", -tt.days, s)
			}
		}
	}
}

// ruled is notified, and the prefetto has fixed another sum.
func ruled(v *multe.Verbale, k *multe.Code) {
	notified(v, k, -70, 20000)
	day := multe.DayOf(noon)
	v.Appeals = []multe.Appeal{{Day: day.Plus(-40), Ruling: &multe.Ruling{Day: day.Plus(-1), Cents: 20000}}}
}

// TestVerbaleAfter60Days checks that a verbale printed when the reduced payment is
// over says so, and that its notice asks for half of the maximum alone.
func TestVerbaleAfter60Days(t *testing.T) {
	r := newRig(t)
	v := r.act(t, 1, func(v *multe.Verbale, k *multe.Code) { notified(v, k, -70, 10070) })
	_, doc, err := r.Print(t.Context(), clerk, ours, multe.PrintID(id(9)), v.Slip.ID, multe.PrintVerbale, "")
	if err != nil {
		t.Fatal(err)
	}
	page := text(t, doc)
	for _, s := range []string{"I 60 giorni dalla notifica sono passati", "metà del massimo", "100,70"} {
		if !strings.Contains(page, s) {
			t.Errorf("does not say %q", s)
		}
	}
	for s, times := range map[string]int{"43,60": 1, "56,20": 1} { // in the table of the law, and in no payment box
		if n := strings.Count(page, s); n != times {
			t.Errorf("says %s %d times", s, n)
		}
	}
	if again := text(t, again(t, r, id(9))); again != page {
		t.Error("it is another one when printed again")
	}
}

// again draws a print once more.
func again(t testing.TB, r *rig, print string) []byte {
	t.Helper()
	_, doc, err := r.Again(t.Context(), clerk, ours, multe.PrintID(print))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestWordsFollowThePolicy checks that papers promise the discount for as long as
// the creditor grants it, by the rules of their day, and that what was printed
// before the rules changed stays as it was.
func TestWordsFollowThePolicy(t *testing.T) {
	r := newRig(t)
	v := r.act(t, 1, fined)
	first := map[multe.PrintKind][]byte{}
	for i, kind := range []multe.PrintKind{multe.PrintAvviso, multe.PrintVerbale} {
		_, doc, err := r.Print(t.Context(), clerk, ours, multe.PrintID(id(20+i)), v.Slip.ID, kind, "")
		if err != nil {
			t.Fatal(err)
		}
		if first[kind] = doc; !strings.Contains(text(t, doc), "ntro 5 giorni dalla notifica") {
			t.Errorf("%s does not say 5 days", kind)
		}
	}
	r.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(ours)
		if err != nil {
			return err
		}
		c.Policies = []multe.Policy{{From: multe.DayOf(noon), Debtor: multe.DebtorReset, Amount: multe.AmountOneCode, Discount: multe.Term{Days: 30}},
			{From: multe.DayOf(noon).Plus(1), Debtor: multe.DebtorReset, Amount: multe.AmountOneCode, Discount: multe.Term{Days: 15, Working: true}}}
		c.Version, c.Changed = c.Version+1, r.now
		return store.SaveCreditor(tx, c, "admin", r.now)
	})
	for _, tt := range []struct {
		days int
		want string
	}{{0, "ntro 30 giorni dalla notifica"}, {1, "ntro 15 giorni lavorativi"}} {
		r.now = noon.AddDate(0, 0, tt.days)
		for _, kind := range []multe.PrintKind{multe.PrintAvviso, multe.PrintVerbale} {
			doc, err := r.Look(t.Context(), clerk, ours, v.Slip.ID, kind, "")
			if err != nil {
				t.Fatal(err)
			}
			if page := text(t, doc); !strings.Contains(page, tt.want) || strings.Contains(page, "ntro 5 giorni") {
				t.Errorf("%s in %d days does not say %q", kind, tt.days, tt.want)
			}
		}
	}
	for i, kind := range []multe.PrintKind{multe.PrintAvviso, multe.PrintVerbale} {
		if !bytes.Equal(again(t, r, id(20+i)), first[kind]) {
			t.Errorf("%s of before the rules is another one", kind)
		}
	}
}

func wrongWay(v *multe.Verbale, _ *multe.Code) {
	v.Slip.Violation = multe.Violation{Norm: "art. 143 c. 12 CdS", Conduct: "Circolava contromano in curva."}
}

// TestSelfCheck checks that a page that does not read back as what it says stays
// inside, and that people are told.
func TestSelfCheck(t *testing.T) {
	r := newRig(t)
	v := r.act(t, 1, nil)
	prints.Misread(r.Prints)
	if _, _, err := r.Print(t.Context(), clerk, ours, multe.PrintID(id(9)), v.Slip.ID, multe.PrintAvviso, ""); fault.Of(err).Code != "print.self_check" {
		t.Fatalf("%v", err)
	}
	job := r.start(t, prints.Request{Kind: multe.PrintAvviso})
	r.run(t)
	job, err := r.Job(t.Context(), ours, job.ID)
	if err != nil || job.State != multe.PrintFailed || job.Errors != 1 {
		t.Errorf("job %+v, %v", job, err)
	}
	if got, want := r.audit(t), []string{"print.self_check ", "print.job running", "print.self_check ", "print.failed failed"}; !slices.Equal(got, want) {
		t.Errorf("history %q, want %q", got, want)
	}
	if err := r.store.View(t.Context(), func(rd store.Reader) error {
		d, err := rd.Discrepancy(ours, "print.self_check:"+string(v.Slip.ID))
		if err == nil && (!d.Open || d.Count != 2) {
			t.Errorf("%+v", d)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// start begins a job of everything.
func (r *rig) start(t testing.TB, q prints.Request) multe.PrintJob {
	t.Helper()
	if q.ID == "" {
		q.ID = multe.PrintJobID(id(777))
	}
	if q.Form == "" {
		q.Form = multe.PrintPDF
	}
	if q.Order == "" {
		q.Order = multe.PrintByRegister
	}
	job, err := r.Start(t.Context(), clerk, ours, q)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// run runs rounds until nothing is left.
func (r *rig) run(t testing.TB) {
	t.Helper()
	for {
		more, err := r.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func (r *rig) output(t testing.TB, job multe.PrintJobID) (multe.PrintJob, []byte) {
	t.Helper()
	j, out, err := r.Output(t.Context(), clerk, ours, job)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(out)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	if multe.DigestOf(b) != j.Digest || int64(len(b)) != j.Size {
		t.Error("the output is not what the job says")
	}
	return j, b
}

// TestJob prints a selection, one act of which cannot be printed.
func TestJob(t *testing.T) {
	for _, order := range []multe.PrintOrder{multe.PrintByRegister, multe.PrintByCAP} {
		r := newRig(t)
		for n := 1; n <= 12; n++ {
			r.act(t, n, func(v *multe.Verbale, k *multe.Code) {
				switch n {
				case 5:
					k.UpstreamCents = 2940
				case 6:
					v.State = multe.VerbaleCancelled
				case 7:
					v.Record = nil
				}
			})
		}
		q := prints.Request{Kind: multe.PrintVerbale, Form: multe.PrintZIP, Order: order, Filter: multe.PrintFilter{FromRegister: "V/1", ToRegister: "V/12"}}
		job := r.start(t, q)
		if again := r.start(t, q); again.ID != job.ID || again.Version != job.Version {
			t.Errorf("asking again made %+v", again)
		}
		q.Language, q.ID, q.Form = "de", job.ID, multe.PrintZIP
		if _, err := r.Start(t.Context(), clerk, ours, q); fault.Of(err).Code != "print.other_request" {
			t.Errorf("another request with the same id: %v", err)
		}
		if _, _, err := r.Output(t.Context(), clerk, ours, job.ID); fault.Of(err).Code != "print.not_ready" {
			t.Errorf("output too early: %v", err)
		}
		r.run(t)
		job, out := r.output(t, job.ID)
		if job.State != multe.PrintDone || job.Total != 10 || job.Done != 10 || job.Errors != 1 {
			t.Errorf("%+v", job)
		}
		left, err := r.Items(t.Context(), ours, job.ID, true, 0, 10)
		if err != nil || len(left) != 1 || left[0].Code != "print.amount_differs" || !strings.Contains(left[0].Detail, "29,40") {
			t.Errorf("left out: %+v, %v", left, err)
		}
		z, err := zip.NewReader(bytes.NewReader(out), int64(len(out)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range z.File {
			names = append(names, f.Name)
		}
		want := []string{"00001-V-1.pdf", "00002-V-2.pdf", "00003-V-3.pdf", "00004-V-4.pdf", "00006-V-8.pdf", "00007-V-9.pdf", "00008-V-10.pdf", "00009-V-11.pdf", "00010-V-12.pdf"}
		if order == multe.PrintByCAP { // 10100 is of 7, 14 …; 10094 of 6: the CAP falls with n mod 7
			want = []string{"00002-V-12.pdf", "00003-V-4.pdf", "00004-V-11.pdf", "00005-V-3.pdf", "00006-V-10.pdf", "00007-V-2.pdf", "00008-V-9.pdf", "00009-V-1.pdf", "00010-V-8.pdf"}
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: %q, want %q", order, names, want)
		}
		// Each file is the print it says, to be made again alone.
		list, err := r.Of(t.Context(), ours, multe.VerbaleID(id(8)), "", 10)
		if err != nil || len(list) != 1 || list[0].Job != job.ID {
			t.Fatalf("%+v, %v", list, err)
		}
		f, err := z.Open(want[slices.IndexFunc(want, func(s string) bool { return strings.HasSuffix(s, "V-8.pdf") })])
		if err != nil {
			t.Fatal(err)
		}
		inside, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		_, alone, err := r.Again(t.Context(), clerk, ours, list[0].ID)
		if err != nil || !bytes.Equal(alone, inside) {
			t.Errorf("alone it is another file: %v", err)
		}
	}
}

// TestJobAgain lets an output expire and makes it again.
func TestJobAgain(t *testing.T) {
	for _, form := range []multe.PrintForm{multe.PrintPDF, multe.PrintZIP} {
		r := newRig(t)
		for n := range 5 {
			r.act(t, n+1, nil)
		}
		job := r.start(t, prints.Request{Kind: multe.PrintVerbale, Form: form})
		r.run(t)
		_, first := r.output(t, job.ID)
		r.now = r.now.Add(multe.PrintFor)
		r.run(t) // expires
		r.run(t) // sweeps
		if names, _ := r.spool.Names(); len(names) != 0 {
			t.Errorf("left in the spool: %q", names)
		}
		if _, _, err := r.Output(t.Context(), clerk, ours, job.ID); fault.Of(err).Code != "print.no_output" {
			t.Errorf("expired: %v", err)
		}
		if _, err := r.Rerun(t.Context(), clerk, ours, job.ID); err != nil {
			t.Fatal(err)
		}
		r.run(t)
		if _, again := r.output(t, job.ID); !bytes.Equal(again, first) {
			t.Errorf("%s: made again it is another file", form)
		}
		if list, err := r.Of(t.Context(), ours, multe.VerbaleID(id(1)), "", 10); err != nil || len(list) != 1 {
			t.Errorf("making it again is no new print: %d, %v", len(list), err)
		}
	}
}

// TestCancel stops a job half way.
func TestCancel(t *testing.T) {
	r := newRig(t)
	r.act(t, 1, nil)
	job := r.start(t, prints.Request{Kind: multe.PrintAvviso})
	for range 2 {
		if got, err := r.Cancel(t.Context(), clerk, ours, job.ID); err != nil || got.State != multe.PrintCancelled {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	r.run(t)
	if _, _, err := r.Output(t.Context(), clerk, ours, job.ID); fault.Of(err).Code != "print.no_output" {
		t.Errorf("%v", err)
	}
}

// errKilled is what a spool or store says from the moment the process is dead.
var errKilled = errors.New("killed")

// TestKilledBetweenAnySteps kills the process before and after every step that
// leaves a trace, with and without what was written but not synced, and checks
// that the output and the prints come out as if nothing had happened.
func TestKilledBetweenAnySteps(t *testing.T) {
	const acts = 10 // in chunks of four
	for _, form := range []multe.PrintForm{multe.PrintPDF, multe.PrintZIP} {
		play := func(kill int, lose bool) (steps int, out []byte) {
			r := newRig(t)
			for n := range acts {
				r.act(t, n+1, func(_ *multe.Verbale, k *multe.Code) {
					if n == 6 {
						k.UpstreamCents = 1
					}
				})
			}
			job := r.start(t, prints.Request{Kind: multe.PrintAvviso, Form: form})
			s := &dying{Store: r.store, left: kill}
			r.spool.die, r.spool.lose = s.step, lose
			r.Prints = prints.InChunks(4, s, r.spool, func() time.Time { return r.now }, r.chaos)
			for dead := false; ; {
				more, err := r.Run(t.Context())
				if err != nil && (dead || !errors.Is(err, errKilled)) {
					t.Fatal(err)
				}
				if err != nil { // a new process, on what is on disk
					dead = true
					r.spool.crash()
					r.spool.die = func() error { return nil }
					r.Prints = prints.InChunks(4, r.store, r.spool, func() time.Time { return r.now }, r.chaos)
					continue
				}
				if !more {
					break
				}
			}
			steps = s.steps
			s.left = -1
			r.spool.die = func() error { return nil }
			j, out := r.output(t, job.ID)
			if j.Done != acts || j.Errors != 1 {
				t.Errorf("%+v", j)
			}
			for _, n := range []int{1, 4, 5, acts} {
				if list, err := r.Of(t.Context(), ours, multe.VerbaleID(id(n)), "", 10); err != nil || len(list) != 1 {
					t.Errorf("act %d was printed %d times, %v", n, len(list), err)
				}
			}
			return steps, out
		}
		steps, want := play(-1, false)
		if steps < 20 {
			t.Fatalf("only %d steps", steps)
		}
		for k := range steps {
			for _, lose := range []bool{false, true} {
				if _, got := play(k, lose); !bytes.Equal(got, want) {
					t.Errorf("%s: killed at step %d of %d (unsynced lost: %t) it is another file", form, k, steps, lose)
				}
			}
		}
	}
}

// TestChecks are the documents that a clerk gives.
func TestChecks(t *testing.T) {
	var big bytes.Buffer
	noise := image.NewNRGBA(image.Rect(0, 0, 1500, 1500))
	if _, err := rand.NewChaCha8([32]byte{}).Read(noise.Pix); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&big, noise); err != nil || big.Len() <= pdf.MaxLogoBytes {
		t.Fatal(err, big.Len())
	}
	for name, tt := range map[string]struct {
		check func([]byte) ([]byte, string, error)
		body  []byte
		want  string
	}{
		"logo of more than 5 MB": {prints.CheckLogo, big.Bytes(), "logo.too_large"},
		"no logo":                {prints.CheckLogo, []byte("<svg/>"), "logo.not_image"},
		"logo":                   {prints.CheckLogo, coat(t), ""},
		"no settings":            {prints.CheckSettings, []byte("x"), "print.bad_settings"},
		"unknown setting":        {prints.CheckSettings, []byte(`{"prefetto":"Torino"}`), "print.bad_settings"},
		"long setting":           {prints.CheckSettings, []byte(`{"prefect":"` + strings.Repeat("x", 41) + `"}`), "print.bad_settings"},
		"settings":               {prints.CheckSettings, []byte(`{"prefect":"Torino"}`), ""},
		"no texts":               {prints.CheckTexts, []byte("{"), "template.not_json"},
	} {
		kept, _, err := tt.check(tt.body)
		if tt.want == "" && (err != nil || len(kept) == 0) || tt.want != "" && (fault.Of(err).Code != tt.want || !errors.Is(err, fault.Invalid)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"prefect":"Torino"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := prints.ReadSettings(body)
		if err != nil && !errors.Is(err, fault.Invalid) {
			t.Error(err)
		}
		if err == nil {
			again, err := json.Marshal(s)
			if back, err2 := prints.ReadSettings(again); err != nil || err2 != nil || len(again) <= 8<<10 && back != s && json.Valid([]byte(fmt.Sprintf("%q", s))) {
				t.Errorf("%+v became %+v, %v, %v", s, back, err, err2)
			}
		}
	})
}

func coat(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 90, 100))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
