package ppaysim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, rome)

func dayStart(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, rome) }

func anonymous() *Subject { return &Subject{Cognome: "ANONIMO", Nome: "ANONIMO", CF: "ANONIMO"} }

func mario() *Subject { return &Subject{Cognome: "Rossi", Nome: "Mario", CF: "RSSMRA80A01L219M"} }

func acme() *Subject { return &Subject{Company: true, RagioneSociale: "ACME", CF: "01234567890"} }

func cents(c Cents) *Cents { return &c }

// creditor has the type MU01.
func creditor(change func(*PaymentType)) *Creditor {
	t := PaymentType{Code: "MU01"}
	if change != nil {
		change(&t)
	}
	return &Creditor{CF: "01234567890", Segregation: "12", Types: []PaymentType{t}}
}

func goodFacts() facts {
	return facts{now: noon, creditor: creditor(nil), taxonomy: true, catalog: true}
}

func goodList(o op) list {
	return list{op: o, id: "M1", cf: "01234567890", code: "MU01", count: "1", total: cents(4200),
		items: []item{{kind: kindEdit, id: "P1", cents: cents(4200), causale: "Verbale 1", subject: anonymous()}}}
}

// A headerFault breaks a list or what is known about it.
type headerFault struct {
	code  string
	apply func(*list, *facts)
}

// TestHeaderOrder makes every two faults at once: the one that comes first in
// the table wins. The table is the order of piemontepay.md §1.6 and §1.7.
func TestHeaderOrder(t *testing.T) {
	kind := func(f func(*PaymentType)) func(*list, *facts) {
		return func(_ *list, x *facts) {
			if x.creditor != nil {
				f(&x.creditor.Types[0])
			}
		}
	}
	common := []headerFault{
		{"150", func(_ *list, f *facts) { f.repeated = true }},
		{"151", func(_ *list, f *facts) { f.creditor.Missing = true }},
		{"152", kind(func(t *PaymentType) { t.Lookup = "missing" })},
		{"153", kind(func(t *PaymentType) { t.Lookup = "ambiguous" })},
		{"189", func(l *list, _ *facts) { l.multi = true }},
		{"157", kind(func(t *PaymentType) { t.End = noon.AddDate(0, 0, -1) })},
		{"158", kind(func(t *PaymentType) { t.Kind = "REDS" })},
		{"159", kind(func(t *PaymentType) { t.Kind = "MABL" })},
		{"197", kind(func(t *PaymentType) { t.Kind = "PS" })},
	}
	missing := headerFault{"156", func(l *list, _ *facts) { l.items[0].cents = nil }}
	count := headerFault{"154", func(l *list, _ *facts) { l.count = "2" }}
	total := headerFault{"155", func(l *list, _ *facts) { l.total = cents(1) }}
	taxonomy := headerFault{"157", func(_ *list, f *facts) { f.taxonomy = false }}
	for _, tt := range []struct {
		op     op
		rules  []headerRule
		faults []headerFault
	}{
		{opInsert, insertHeader, append(common[:len(common):len(common)], missing, count, total, taxonomy)},
		{opUpdate, updateHeader, append(common[:len(common):len(common)], count, taxonomy)},
	} {
		check := func(want string, faults ...headerFault) {
			t.Helper()
			l, f := goodList(tt.op), goodFacts()
			for _, x := range faults {
				x.apply(&l, &f)
			}
			if got := firstObjection(l, f, tt.rules); got.Code != want {
				t.Errorf("%s, %s: %s %s", tt.op, codesOf(faults), got.Code, got.Text)
			}
		}
		check("")
		for i, a := range tt.faults {
			check(a.code, a)
			for _, b := range tt.faults[i+1:] {
				// These exclude each other: they are values of one field.
				if lookup := "152 153"; strings.Contains(lookup, a.code) && strings.Contains(lookup, b.code) {
					continue
				}
				if kinds := "158 159 197"; strings.Contains(kinds, a.code) && strings.Contains(kinds, b.code) {
					continue
				}
				check(a.code, b, a)
			}
		}
	}
}

func codesOf(fs []headerFault) (s string) {
	for _, f := range fs {
		s += f.code + " "
	}
	return s
}

// TestMultiFlag: 189 both ways (S5).
func TestMultiFlag(t *testing.T) {
	for _, tt := range []struct {
		configured, sent bool
		want             string
	}{{false, false, ""}, {true, true, ""}, {true, false, "189"}, {false, true, "189"}} {
		l, f := goodList(opUpdate), goodFacts()
		l.multi, f.creditor.Types[0].Multi = tt.sent, tt.configured
		if got := firstObjection(l, f, updateHeader); got.Code != tt.want {
			t.Errorf("configured %v, sent %v: %q", tt.configured, tt.sent, got.Code)
		}
	}
}

// An itemFault breaks a position or what is known about it. Faults of one group
// exclude each other.
type itemFault struct {
	code, group string
	apply       func(*item, *itemFacts)
}

// TestInsertOrder makes every two faults at once, in the order of §1.6.
func TestInsertOrder(t *testing.T) {
	person := func(code string, s func() *Subject) itemFault {
		return itemFault{code, "subject", func(it *item, _ *itemFacts) { it.subject = s() }}
	}
	faults := []itemFault{
		{"162", "", func(it *item, _ *itemFacts) { it.id = "  " }},
		{"164", "", func(it *item, _ *itemFacts) { it.causale = " " }},
		person("165", func() *Subject { return nil }),
		person("166", func() *Subject { return &Subject{neither: true, CF: "X"} }),
		person("168", func() *Subject { s := mario(); s.Nome, s.Cognome = " ", " "; return s }),
		person("169", func() *Subject { s := mario(); s.Cognome = " "; return s }),
		person("170", func() *Subject { s := acme(); s.RagioneSociale = " "; return s }),
		{"163", "", func(it *item, _ *itemFacts) { it.cents = cents(0) }},
		person("167", func() *Subject { s := mario(); s.CF = " "; return s }),
		{"161", "", func(_ *item, f *itemFacts) { f.used = true }},
		{"191", "component", func(it *item, _ *itemFacts) { it.components = []Component{{Cents: 4200, Number: "7"}} }},
		{"192", "component", func(it *item, _ *itemFacts) { it.components = []Component{{Cents: 4200, Year: "2026"}} }},
		{"187", "", func(it *item, _ *itemFacts) { it.to = dayStart(2026, 11, 23) }},
		{"188", "type", func(it *item, f *itemFacts) { // before the type starts; 187 when that is past too
			if it.to.IsZero() {
				it.to = dayStart(2027, 1, 1)
			}
			f.kind.Start = dayStart(2028, 1, 1)
		}},
		{"193", "reference", func(it *item, _ *itemFacts) { it.references = []Reference{{Name: "Targa"}} }},
		{"194", "reference", func(it *item, _ *itemFacts) { it.references = []Reference{{"Targa", "AB123CD"}} }},
		{"189", "", func(_ *item, f *itemFacts) { f.kind.Multi = true }},
		{"184", "component", func(it *item, _ *itemFacts) { it.components = []Component{{Cents: 1}} }},
		{"157", "", func(_ *item, f *itemFacts) { f.catalog = false }},
		{"183", "component", func(it *item, _ *itemFacts) { it.components = make([]Component, 6); it.components[0].Cents = *it.cents }},
	}
	good := func() (item, itemFacts) {
		l := goodList(opInsert)
		it := l.items[0]
		it.subject = mario()
		f := goodFacts()
		return it, itemFacts{facts: f, list: l, kind: f.ptype(l)}
	}
	check := func(want string, fs ...itemFault) {
		t.Helper()
		it, f := good()
		for _, x := range fs {
			x.apply(&it, &f)
		}
		if p, v := insertPosition(it, f, "12263270000471237"); v.Code != want || v.bad() != (p.ID == "") {
			t.Errorf("%v: %q %s", fs, v.Code, v.Text)
		}
	}
	check("")
	for i, a := range faults {
		check(a.code, a)
		for _, b := range faults[i+1:] {
			if a.group == "" || a.group != b.group {
				check(a.code, b, a)
			}
		}
	}
	// The same inside a group, where both fit in one value.
	check("168", person("168+167", func() *Subject { return &Subject{Nome: " ", Cognome: " ", CF: " "} }))
	check("169", person("169+167", func() *Subject { return &Subject{Nome: "M", Cognome: " ", CF: " "} }))
	check("170", person("170+167", func() *Subject { return &Subject{Company: true, RagioneSociale: " ", CF: " "} }))
}

// TestAnonymous is S9: zero amounts and references are for exactly ANONIMO.
func TestAnonymous(t *testing.T) {
	anonymousCompany := func() *Subject { return &Subject{Company: true, RagioneSociale: "ANONIMO", CF: "ANONIMO"} }
	changed := func(f func(*Subject)) *Subject { s := anonymous(); f(s); return s }
	for _, tt := range []struct {
		name      string
		s         *Subject
		zero, ref string
	}{
		{"person", anonymous(), "", ""},
		{"company", anonymousCompany(), "", ""},
		{"known person", mario(), "163", "194"},
		{"known company", acme(), "163", "195"},
		{"space after the name", changed(func(s *Subject) { s.Nome += " " }), "163", "194"},
		{"lower case", changed(func(s *Subject) { s.Cognome = "anonimo" }), "163", "194"},
		{"tax code only", changed(func(s *Subject) { s.Nome, s.Cognome = "M", "R" }), "163", "194"},
		{"all but the tax code", changed(func(s *Subject) { s.CF = "X" }), "163", "194"},
	} {
		l, f := goodList(opInsert), goodFacts()
		x := itemFacts{facts: f, list: l, kind: f.ptype(l)}
		it := l.items[0]
		it.subject, it.cents = tt.s, cents(0)
		if _, v := insertPosition(it, x, ""); v.Code != tt.zero {
			t.Errorf("%s, amount zero: %q, want %q", tt.name, v.Code, tt.zero)
		}
		it.cents, it.references = cents(100), []Reference{{"Targa", "AB123CD"}}
		if _, v := insertPosition(it, x, ""); v.Code != tt.ref {
			t.Errorf("%s, reference: %q, want %q", tt.name, v.Code, tt.ref)
		}
	}
	// The dead end: a company stored as ANONIMO never gets a debtor.
	p := Position{ID: "P1", Debtor: *anonymousCompany(), Components: []Component{{}}}
	if _, _, v := updatePosition(&p, item{id: "P1", kind: kindEdit, cents: cents(1), subject: mario()}, editFacts()); v.Code != "218" {
		t.Errorf("debtor for an ANONIMO company: %q, want 218", v.Code)
	}
}

func editFacts() itemFacts {
	l, f := goodList(opUpdate), goodFacts()
	return itemFacts{facts: f, list: l, kind: f.ptype(l)}
}

// stored is an anonymous position of no amount with one component.
func stored() Position {
	return Position{CF: "01234567890", Type: "MU01", ID: "P1", IUV: "1", Causale: "Preavviso", Debtor: *anonymous(), Note: "nota",
		Components: []Component{{Causale: "Preavviso", DSR: defaultDSR}}}
}

// TestUpdateOrder makes every two faults at once, in the order of §2.4: a paid
// position with a debtor answers 196 or 218, an expired one 187, not 178.
func TestUpdateOrder(t *testing.T) {
	type fault struct {
		code, group string
		apply       func(*Position, *item, *itemFacts)
	}
	faults := []fault{
		{"180", "", func(_ *Position, it *item, _ *itemFacts) { it.id = " " }},
		{"173", "kind", func(_ *Position, it *item, _ *itemFacts) { it.kind = " " }},
		{"174", "kind", func(_ *Position, it *item, _ *itemFacts) { it.kind = "CAMBIO" }},
		{"185", "dates", func(p *Position, it *item, _ *itemFacts) { p.To, it.from = dayStart(2027, 1, 1), dayStart(2027, 2, 1) }},
		{"191", "component", func(_ *Position, it *item, _ *itemFacts) { it.components = []Component{{Cents: 4200, Number: "7"}} }},
		{"192", "component", func(_ *Position, it *item, _ *itemFacts) { it.components = []Component{{Cents: 4200, Year: "2026"}} }},
		{"193", "", func(_ *Position, it *item, _ *itemFacts) { it.references = []Reference{{Value: "x"}} }},
		{"187", "dates", func(p *Position, _ *item, _ *itemFacts) { p.To = dayStart(2026, 11, 23) }},
		{"188", "", func(p *Position, it *item, f *itemFacts) { // the quirk: both have dates, the position starts later
			f.kind.Start, f.kind.End = dayStart(2020, 1, 1), dayStart(2030, 1, 1)
			if it.from.IsZero() {
				p.From = dayStart(2021, 1, 1)
			}
		}},
		{"218", "", func(p *Position, it *item, _ *itemFacts) { p.Debtor = *mario(); debtor(it) }},
		{"196", "", func(p *Position, it *item, _ *itemFacts) { p.Cents = 4200; debtor(it) }},
		{"168", "subject", func(_ *Position, it *item, _ *itemFacts) { it.subject = &Subject{Nome: " ", Cognome: "R", CF: "X"} }},
		{"169", "subject", func(_ *Position, it *item, _ *itemFacts) { it.subject = &Subject{Nome: "M", Cognome: " ", CF: "X"} }},
		{"170", "subject", func(_ *Position, it *item, _ *itemFacts) { it.subject = &Subject{Company: true, CF: "X"} }},
		{"167", "subject", func(_ *Position, it *item, _ *itemFacts) { it.subject = &Subject{Nome: "M", Cognome: "R", CF: " "} }},
		{"177", "state", func(p *Position, _ *item, _ *itemFacts) { p.State = Started }},
		{"178", "state", func(p *Position, _ *item, _ *itemFacts) { p.State = Paid }},
		{"179", "state", func(p *Position, _ *item, _ *itemFacts) { p.State = Void }},
		{"181", "state", func(p *Position, _ *item, _ *itemFacts) { p.State = Compiled }},
		{"175", "amount", func(_ *Position, it *item, _ *itemFacts) { it.cents = nil }},
		{"184", "component", func(_ *Position, it *item, _ *itemFacts) { it.components = []Component{{Cents: 1}} }},
		{"157", "component", func(p *Position, _ *item, f *itemFacts) { p.Components, f.noYear = nil, true }},
	}
	check := func(want string, fs ...fault) {
		t.Helper()
		p, it, f := stored(), item{kind: kindEdit, id: "P1", cents: cents(4200)}, editFacts()
		for _, x := range fs {
			x.apply(&p, &it, &f)
		}
		if _, _, v := updatePosition(&p, it, f); v.Code != want {
			t.Errorf("%v: %q %s", fs, v.Code, v.Text)
		}
	}
	check("")
	for i, a := range faults {
		check(a.code, a)
		for _, b := range faults[i+1:] {
			if a.group == "" || a.group != b.group {
				check(a.code, b, a)
			}
		}
	}
	if _, _, v := updatePosition(nil, item{kind: kindEdit, id: "P9"}, editFacts()); v.Code != "176" {
		t.Errorf("unknown position: %q", v.Code)
	}
}

// debtor puts a debtor into an update that has none.
func debtor(it *item) {
	if it.subject == nil {
		it.subject = mario()
	}
}

// TestStates pins what each state lets an update and a payer do (S12, §2.5).
func TestStates(t *testing.T) {
	for _, tt := range []struct {
		state        State
		update, paid string
	}{
		{ToPay, "", ""},
		{Compiled, "181", "PAA_PAGAMENTO_IN_CORSO"},
		{Waiting, "177", "PAA_PAGAMENTO_IN_CORSO"},
		{Failed, "", ""},
		{Paid, "178", "PAA_PAGAMENTO_DUPLICATO"},
		{ByPayer, "", ""},
		{Initialised, "177", ""},
		{Started, "177", "PAA_PAGAMENTO_IN_CORSO"},
		{Broken, "", ""},
		{Void, "179", "PAA_PAGAMENTO_ANNULLATO"},
		{Revoked, "181", "PAA_PAGAMENTO_ANNULLATO"},
		{WaitSecondRT, "181", "PAA_PAGAMENTO_SCADUTO"},
	} {
		p := stored()
		p.State, p.Cents = tt.state, 100
		for _, kind := range []string{kindEdit, kindVoid} {
			if _, written, v := updatePosition(&p, item{id: "P1", kind: kind, cents: cents(1)}, editFacts()); v.Code != tt.update || written != (tt.update == "") {
				t.Errorf("%s of %v: %q", kind, states[tt.state].name, v.Code)
			}
		}
		got := ""
		if no := payable(p, PaymentType{}, noon); no != nil {
			got = no.Code
		}
		if got != tt.paid {
			t.Errorf("paying %v: %q, want %q", states[tt.state].name, got, tt.paid)
		}
	}
}

// TestUpdateWrites is the writing half of S10 and S11.
func TestUpdateWrites(t *testing.T) {
	two := []Component{{Cents: 1000, DSR: "a"}, {Cents: 2000, DSR: "b"}}
	for _, tt := range []struct {
		name  string
		was   func(*Position)
		send  item
		facts func(*itemFacts)
		code  string
		want  func(*Position) // from what it was
	}{
		{name: "amount and debtor in one", send: item{cents: cents(4200), subject: &Subject{Nome: "Mario", Cognome: "Rossi", CF: "rssmra80a01l219m"}},
			want: func(p *Position) {
				p.Cents, p.Components[0].Cents = 4200, 4200
				p.Debtor = Subject{Nome: "Mario", Cognome: "Rossi", CF: "rssmra80a01l219m"} // the case is kept here
			}},
		{name: "back to zero", was: func(p *Position) { p.Cents, p.Components[0].Cents = 4200, 4200 }, send: item{cents: cents(0)},
			want: func(p *Position) { p.Cents, p.Components[0].Cents = 0, 0 }},
		{name: "a new debtor forgets the address of the old one", was: func(p *Position) { p.Debtor.Indirizzo = "Via Roma" },
			send: item{cents: cents(0), subject: mario()}, want: func(p *Position) { p.Debtor = *mario() }},
		{name: "note and causale overwritten, dates only if sent", was: func(p *Position) { p.Due = dayStart(2027, 1, 1) },
			send: item{cents: cents(0), causale: " Nuova ", note: "motivo", to: dayStart(2027, 6, 1)},
			want: func(p *Position) { p.Causale, p.Note, p.To = "Nuova", "motivo", dayStart(2027, 6, 1) }},
		{name: "blank causale ignored", send: item{cents: cents(0), causale: " "}, want: func(*Position) {}},
		{name: "references replace all, also of a known debtor", was: func(p *Position) { p.Debtor, p.References = *mario(), []Reference{{"a", "1"}, {"b", "2"}} },
			send: item{cents: cents(0), references: []Reference{{"c", "3"}}}, want: func(p *Position) { p.References = []Reference{{"c", "3"}} }},
		{name: "several components keep their amounts", was: func(p *Position) { p.Cents, p.Components = 3000, two }, send: item{cents: cents(9999)},
			want: func(p *Position) { p.Cents = 9999 }},
		{name: "no component becomes one", was: func(p *Position) { p.Components = nil }, send: item{cents: cents(7)},
			want: func(p *Position) {
				p.Cents, p.Components = 7, []Component{{Cents: 7, Causale: "Preavviso", DSR: defaultDSR}}
			}},
		{name: "components with their entry", send: item{cents: cents(3), components: []Component{{Cents: 3, Causale: "x", Year: "2026", Number: "1"}}},
			want: func(p *Position) {
				p.Cents, p.Components = 3, []Component{{Cents: 3, Causale: "x", Year: "2026", Number: "1", DSR: defaultDSR}}
			}},
		{name: "components never fall back to the default entry", code: "175",
			send: item{cents: cents(3), causale: "Scritta", note: "scritta", references: []Reference{{"c", "3"}}, to: dayStart(2027, 6, 1),
				components: []Component{{Cents: 3, Causale: "x"}}, subject: mario()},
			want: func(p *Position) { // half applied
				p.Causale, p.Note, p.References = "Scritta", "scritta", []Reference{{"c", "3"}}
			}},
		{name: "no catalogue, no components: 157 and half applied", was: func(p *Position) { p.Components = nil }, code: "157",
			send: item{cents: cents(3), causale: "Scritta"}, facts: func(f *itemFacts) { f.noYear = true },
			want: func(p *Position) { p.Causale = "Scritta" }},
		{name: "no amount: 175 and nothing written", code: "175", send: item{causale: "Nuova"}, want: func(*Position) {}},
		{name: "annulment without a reason wipes the note", send: item{kind: kindVoid}, want: func(p *Position) { p.State, p.Note = Void, "" }},
		{name: "annulment of an expired position", was: func(p *Position) { p.To = dayStart(2020, 1, 1) },
			send: item{kind: kindVoid, note: "autotutela"}, want: func(p *Position) { p.State, p.Note = Void, "autotutela" }},
		{name: "an expired position revives with a new end", was: func(p *Position) { p.To = dayStart(2020, 1, 1) },
			send: item{cents: cents(1), to: dayStart(2027, 1, 1)},
			want: func(p *Position) { p.To, p.Cents, p.Components[0].Cents = dayStart(2027, 1, 1), 1, 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was, f := stored(), editFacts()
			if tt.was != nil {
				tt.was(&was)
			}
			if tt.facts != nil {
				tt.facts(&f)
			}
			if tt.send.id = "P1"; tt.send.kind == "" {
				tt.send.kind = kindEdit
			}
			want := was
			want.Components = append([]Component(nil), was.Components...)
			tt.want(&want)
			kept := append([]Component(nil), was.Components...)
			got, _, v := updatePosition(&was, tt.send, f)
			if v.Code != tt.code {
				t.Fatalf("code %q, want %q", v.Code, tt.code)
			}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(Subject{})); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(kept, was.Components); d != "" {
				t.Errorf("the stored position was changed in place: %s", d)
			}
		})
	}
}

// TestCatalogue is the insert half of the accounting references (§1.6).
func TestCatalogue(t *testing.T) {
	entry, other, def := Entry{2026, "10", "9/A"}, Entry{2026, "11", "9/B"}, Entry{DSR: "9/D"}
	old := Entry{2025, "10", "9/O"}
	for _, tt := range []struct {
		name       string
		entries    []Entry
		components []Component
		noYear     bool
		want       string // DSR of the first component; "" is 157
	}{
		{"the only one", []Entry{entry, def}, nil, false, "9/A"},
		{"two of this year", []Entry{entry, other}, nil, false, ""},
		{"none of this year", []Entry{old, def}, nil, false, ""},
		{"January 1st", nil, nil, true, ""},
		{"matching component", []Entry{entry, other, def}, []Component{{Cents: 4200, Year: "2026", Number: "11"}}, false, "9/B"},
		{"default for another", []Entry{entry, def}, []Component{{Cents: 4200, Year: "2024", Number: "1"}}, false, "9/D"},
		{"default for none", []Entry{entry, def}, []Component{{Cents: 4200}}, false, "9/D"},
		{"no default", []Entry{entry}, []Component{{Cents: 4200}}, false, ""},
	} {
		l, f := goodList(opInsert), goodFacts()
		f.noYear = tt.noYear
		f.creditor.Types[0].Entries = tt.entries
		it := l.items[0]
		it.components = tt.components
		p, v := insertPosition(it, itemFacts{facts: f, list: l, kind: f.ptype(l)}, "1")
		switch {
		case tt.want == "" && v.Code != "157":
			t.Errorf("%s: %q, want 157", tt.name, v.Code)
		case tt.want != "" && (v.bad() || p.Components[0].DSR != tt.want):
			t.Errorf("%s: %q, %+v", tt.name, v.Code, p.Components)
		}
	}
}

// TestPayableOrder is S13: the order and the days of §2.3.
func TestPayableOrder(t *testing.T) {
	today, yesterday, tomorrow := dayStart(2026, 11, 23), dayStart(2026, 11, 22), dayStart(2026, 11, 24)
	for _, tt := range []struct {
		name string
		p    Position
		t    PaymentType
		want string
	}{
		{"fine", Position{Cents: 1}, PaymentType{}, ""},
		{"paid beats zero", Position{State: Paid, To: yesterday}, PaymentType{}, "PAA_PAGAMENTO_DUPLICATO"},
		{"zero beats void and expired", Position{State: Void, To: yesterday}, PaymentType{}, "PAA_SYSTEM_ERROR"},
		{"expired beats in progress", Position{Cents: 1, State: Started, To: yesterday}, PaymentType{}, "PAA_PAGAMENTO_ANNULLATO"},
		{"last day", Position{Cents: 1, To: today}, PaymentType{}, ""},
		{"first day", Position{Cents: 1, From: today}, PaymentType{}, ""},
		{"not yet", Position{Cents: 1, From: tomorrow}, PaymentType{}, "PAA_PAGAMENTO_SCADUTO"},
		{"void beats not yet", Position{Cents: 1, From: tomorrow, State: Void}, PaymentType{}, "PAA_PAGAMENTO_ANNULLATO"},
		{"overdue is payable", Position{Cents: 1, Due: yesterday}, PaymentType{}, ""},
		{"type over", Position{Cents: 1}, PaymentType{End: yesterday}, "PAA_PAGAMENTO_SCADUTO"},
		{"type's last day", Position{Cents: 1}, PaymentType{End: today}, ""},
		{"type not begun", Position{Cents: 1}, PaymentType{Start: tomorrow}, "PAA_PAGAMENTO_SCADUTO"},
	} {
		got := ""
		if no := payable(tt.p, tt.t, noon); no != nil {
			got = no.Code
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestJudge is the verdict of a delivery (S16).
func TestJudge(t *testing.T) {
	answer := func(inner string) string {
		return `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Body>` + inner + `</e:Body></e:Envelope>`
	}
	result := func(code string) string {
		return answer(`<x:EPaywsoServiceResponse xmlns:x="` + nsCommon + `"><x:Result><x:Codice>` + code + `</x:Codice></x:Result></x:EPaywsoServiceResponse>`)
	}
	for _, tt := range []struct {
		name      string
		status    int
		body      string
		delivered bool
	}{
		{"000", 200, result("000"), true},
		{"a warning", 200, result("099"), true},
		{"100", 200, result("100"), false},
		{"another element", 200, answer(`<TrasmettiNotifichePagamentoResponse><Result><Codice>000</Codice></Result></TrasmettiNotifichePagamentoResponse>`), true},
		{"accepted is not 200", 202, result("000"), false},
		{"500 with a good body", 500, result("000"), false},
		{"fault", 200, answer(`<e:Fault><faultcode>e:Server</faultcode></e:Fault>`), false},
		{"empty body", 200, answer(""), false},
		{"nothing", 200, "", false},
		{"HTML", 200, "<html><body>ok</body></html>", false},
		{"no code", 200, result(""), false},
		{"no number", 200, result("0K0"), false},
	} {
		if _, failure := judge(tt.status, []byte(tt.body)); (failure == "") != tt.delivered {
			t.Errorf("%s: %q", tt.name, failure)
		}
	}
}

// TestMakeIUV pins the form of §7.1 (S7).
func TestMakeIUV(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		seq  int64
		want string
	}{
		{noon, 4712, "12263270000471237"}, // piemontepay's examples, in contract/examples
		// Still the old year in London, already the new one in Rome.
		{time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC), 1, "122700100000001"},
		{time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC), 99_999_999, "122836699999999"},
	} {
		if got := makeIUV("12", tt.at, tt.seq); !strings.HasPrefix(got, tt.want) || len(got) != 17 {
			t.Errorf("makeIUV(%v, %d) = %s", tt.at, tt.seq, got)
		}
	}
}

func TestAbbreviate(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""}, {"àbcdefgh", "àbcdefgh"}, {"àbcdefghi", "àbcde..."},
	} {
		if got := abbreviate(tt.in, 8); got != tt.want {
			t.Errorf("abbreviate(%q) = %q", tt.in, got)
		}
	}
}
