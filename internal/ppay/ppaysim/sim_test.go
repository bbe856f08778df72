package ppaysim_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/ppay/ppaysim"
)

// TestS1AsyncOneListAtATime: the answer is at once, the outcome after the delay,
// and the lists of one operation wait for each other while the other operation
// goes on.
func TestS1AsyncOneListAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bubble(t, func(s *ppaysim.Settings) {
			s.DelayMin, s.DelayMax = ppaysim.Duration(10*time.Second), ppaysim.Duration(10*time.Second)
		})
		start := time.Now()
		w.queue(insert("A", "0.00", inactive("A1")))
		w.queue(insert("B", "0.00", inactive("B1")))
		w.queue(update("C", edit("X", "", "1.00", "")))
		if d := time.Since(start); d != 0 {
			t.Errorf("answers took %v", d)
		}
		time.Sleep(25 * time.Second)
		synctest.Wait()
		var got []string
		for i, e := range w.esiti() {
			got = append(got, fmt.Sprintf("%s@%v", e.ID, w.calls[i].at.Sub(start)))
		}
		slices.Sort(got) // A and C are due at the same instant
		if want := []string{"A@10s", "B@20s", "C@10s"}; !slices.Equal(got, want) {
			t.Errorf("esiti %v, want %v", got, want)
		}
	})
}

// bubble is a world on bubble time with Run running.
func bubble(t *testing.T, settings ...func(*ppaysim.Settings)) *world {
	w := newWorld(t, settings...)
	w.inBubble, w.cfg.Now = true, time.Now
	w.restart()
	w.run()
	return w
}

// run runs the Sim until the end of the test.
func (w *world) run() {
	done := make(chan error, 1)
	ctx, stop := contextWithCancel(w)
	sim := w.sim
	go func() { done <- sim.Run(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

// TestDelayIsBetweenItsLimits draws many delays.
func TestDelayIsBetweenItsLimits(t *testing.T) {
	w := newWorld(t, func(s *ppaysim.Settings) {
		s.DelayMin, s.DelayMax = ppaysim.Duration(10*time.Second), ppaysim.Duration(12*time.Second)
	})
	seen := map[time.Duration]bool{}
	for i := range 20 {
		w.queue(update(fmt.Sprint("M", i), void("X", "")))
		for d := time.Duration(0); ; d += 100 * time.Millisecond {
			if w.step(); len(w.calls) > i {
				if d < 10*time.Second || d > 12*time.Second {
					t.Fatalf("delay %v", d)
				}
				seen[d] = true
				break
			}
			w.wait(100 * time.Millisecond)
		}
	}
	if len(seen) < 5 {
		t.Errorf("delays hardly differ: %v", seen)
	}
}

// TestS4DuplicateMessage: the register is one for all creditors, one per
// operation; header failures burn an id, a crash does not.
func TestS4DuplicateMessage(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "enti", `{"enti":[{"cf":"98765432109","endpoint":"http://ente.test/soap","segregation":"13","types":[{"code":"MU01"}]}]}`)
	for _, tt := range []struct{ name, body, want string }{
		{"first", insert("M", "0.00", inactive("A")), "000 000"},
		{"again", insert("M", "0.00", inactive("B")), "150"},
		{"another creditor", insertAs("98765432109", "MU01", "M", "0.00", inactive("A")), "150"},
		{"another codice versamento", insertAs(cf, "MU02", "M", "0.00", inactive("A")), "150"},
		{"another operation", update("M", edit("A", "", "1.00", "")), "000 000"},
		{"a wrong total", insert("N", "1.00", inactive("C")), "155"},
		{"burns the id", insert("N", "0.00", inactive("C")), "150"},
		{"blank", insert(" ", "0.00", inactive("C")), "150"},
		{"blank again", insert(" ", "0.00", inactive("C")), "150"},
	} {
		if got := w.do(tt.body); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	w.must("PUT", "settings", `{"crash_next":1}`)
	if got := w.do(insert("O", "0.00", inactive("D"))); got != "200" {
		t.Errorf("crash: %s", got)
	}
	if got := w.do(insert("O", "0.00", inactive("D"))); got != "000 000" {
		t.Errorf("after a crash: %s", got)
	}
	// The synchronous answer.
	w.must("PUT", "settings", `{"duplicate_answer":"012"}`)
	for _, tt := range []struct{ body, want string }{
		{insert("O", "0.00", inactive("E")), "012"},
		{insert("P", "0.00", inactive("E")), "000"},
		{insert("P", "0.00", inactive("E")), "012"},
		{insertAs(cf, "MU02", "P", "0.00", inactive("E")), "000"}, // the bus keys on more than the back end
	} {
		if got := w.send(tt.body); got != tt.want {
			t.Errorf("synchronous %s, want %s", got, tt.want)
		}
	}
	before := len(w.calls)
	w.step()
	if got := len(w.calls) - before; got != 4 {
		t.Errorf("%d esiti for 4 lists: a repeated id must be stored all the same", got)
	}
	if p := w.position("E"); p.Inserted != 1 {
		t.Errorf("E inserted %d times", p.Inserted)
	}
}

// TestS5Headers goes through the whole service once per header code; the order
// is TestHeaderOrder's.
func TestS5Headers(t *testing.T) {
	for _, tt := range []struct{ ente, settings, sync, insert, update string }{
		{sync: "102", ente: `"cf":"other"`},
		{sync: "103", ente: `"types":[{"code":"MU09"}]`},
		{insert: "151", update: "151", ente: `"missing":true`},
		{insert: "152", update: "152", ente: `"types":[{"code":"MU01","lookup":"missing"}]`},
		{insert: "153", update: "153", ente: `"types":[{"code":"MU01","lookup":"ambiguous"}]`},
		{insert: "189", update: "189", ente: `"types":[{"code":"MU01","multi":true}]`},
		{insert: "157", update: "157", ente: `"types":[{"code":"MU01","end":"2026-01-01T00:00:00Z"}]`},
		{insert: "158", update: "158", ente: `"types":[{"code":"MU01","kind":"REDS"}]`},
		{insert: "159", update: "159", ente: `"types":[{"code":"MU01","kind":"MABL"}]`},
		{insert: "197", update: "197", ente: `"types":[{"code":"MU01","kind":"PS"}]`},
		{insert: "157", update: "157", settings: `"taxonomy_down":true`},
		{insert: "250", update: "051 176", settings: `"iuv_down":true`},
	} {
		w := newWorld(t)
		ente := map[string]string{"cf": cf, "types": `[{"code":"MU01"}]`}
		fields := []string{}
		if tt.ente != "" {
			name, value, _ := strings.Cut(tt.ente, ":")
			ente[strings.Trim(name, `"`)] = value
		}
		for k, v := range ente {
			if k == "cf" && v == cf {
				v = `"` + cf + `"`
			}
			fields = append(fields, `"`+k+`":`+v)
		}
		if tt.sync == "102" {
			if got := w.send(insertAs("unknown", "MU01", "M", "0.00", inactive("A"))); got != "102" {
				t.Errorf("unknown creditor: %s", got)
			}
			continue
		}
		w.must("PUT", "enti", `{"enti":[{"endpoint":"http://ente.test/soap","segregation":"12",`+strings.Join(fields, ",")+`}]}`)
		w.must("PUT", "settings", `{`+tt.settings+`}`)
		if tt.sync != "" {
			if got := w.send(insert("M", "0.00", inactive("A"))); got != tt.sync {
				t.Errorf("synchronous %s, want %s", got, tt.sync)
			}
			if w.step(); len(w.calls) != 0 {
				t.Error("a refused list was elaborated")
			}
			continue
		}
		if got := w.do(insert("M", "0.00", inactive("A"))); got != tt.insert {
			t.Errorf("%s%s: insert %s, want %s", tt.ente, tt.settings, got, tt.insert)
		}
		if e := w.last(); e.Insert != nil {
			t.Error("EsitoInserimento after a header failure")
		}
		if got := w.do(update("M", void("A", ""))); got != tt.update {
			t.Errorf("%s%s: update %s, want %s", tt.ente, tt.settings, got, tt.update)
		}
	}
}

// TestS6Positions: each position for itself, all echoed in order, numbers only
// for the good ones, whose id comes back trimmed.
func TestS6Positions(t *testing.T) {
	w := newWorld(t)
	got := w.do(insert("M1", "0.00", inactive(" A "), inactive("A"), position("B", "0.00", "", mario), inactive("C")))
	if want := "050 000 161 163 000"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	e := w.last()
	for i, want := range []struct {
		id   string
		good bool
	}{{"A", true}, {"A", false}, {"B", false}, {"C", true}} {
		p := e.Positions[i]
		if p.ID != want.id || (p.IUV != "") != want.good || (p.Avviso != "") != want.good || p.Text == "" {
			t.Errorf("position %d: %+v", i, p)
		}
	}
	if got := w.do(insert("M2", "0.00", inactive(" A"), inactive("C"))); got != "051 161 161" {
		t.Errorf("all refused: %s", got)
	}
	if id := w.last().Positions[0].ID; id != " A" {
		t.Errorf("a refused id came back as %q", id)
	}
	// 051 says «inserita» of updates too.
	if got := w.do(update("M3", edit("Z", "", "1.00", ""))); got != "051 176" || w.last().Text != "Nessuna posizione debitoria inserita" {
		t.Errorf("update of none: %s %q", got, w.last().Text)
	}
	// Ids are per codice versamento.
	w.queue(insertAs(cf, "MU02", "M4", "0.00", inactive("A")))
	if w.step(); w.last().codes() != "000 000" {
		t.Errorf("same id, other type: %s", w.last().codes())
	}
	// Stored trimmed, the tax code in capitals.
	lower := strings.ReplaceAll(mario, "RSSMRA80A01L219M", " rssmra80a01l219m ")
	if got := w.do(insert("M5", "42.00", position("D", "42.00", "", lower))); got != "000 000" {
		t.Fatal(got)
	}
	if p := w.position("D"); p.Debtor.CF != "RSSMRA80A01L219M" || p.Cents != 4200 {
		t.Errorf("stored as %+v", p)
	}
}

// TestS7Numbers: valid, increasing, with gaps, and one lost for each refused
// position.
func TestS7Numbers(t *testing.T) {
	w := newWorld(t)
	var ps []string
	for i := range 100 {
		ps = append(ps, inactive(fmt.Sprint("A", i)))
	}
	w.do(insert("M1", "0.00", append(ps, inactive("A0"), inactive("last"))...))
	var seqs []string
	for _, p := range w.last().Positions {
		if p.Avviso == "" {
			continue
		}
		n, err := avviso.ParseNumber(p.Avviso)
		if err != nil || n.IUV() != p.IUV || p.Avviso != "3"+p.IUV || !strings.HasPrefix(p.IUV, "1226327") {
			t.Fatalf("%s: %v", p.Avviso, err)
		}
		seqs = append(seqs, p.IUV[7:15])
	}
	if !slices.IsSorted(seqs) || len(slices.Compact(slices.Clone(seqs))) != 101 {
		t.Errorf("sequence %v", seqs)
	}
	gaps := 0
	for i := range seqs[1:] {
		var a, b int
		fmt.Sscan(strings.TrimLeft(seqs[i], "0"), &a)
		fmt.Sscan(strings.TrimLeft(seqs[i+1], "0"), &b)
		if b-a > 1 {
			gaps++
		}
		if i == 99 && b-a < 2 {
			t.Error("the refused position cost no IUV")
		}
	}
	if gaps == 0 {
		t.Error("no gaps")
	}
}

// TestS8Threshold: above it the list fails whole, and nothing but its id is lost.
func TestS8Threshold(t *testing.T) {
	w := newWorld(t, func(s *ppaysim.Settings) { s.Threshold = 2 })
	three := []string{inactive("A"), inactive("B"), inactive("C")}
	if got := w.do(insert("M1", "0.00", three...)); got != "250" || w.last().Insert != nil {
		t.Errorf("three: %s", got)
	}
	if got := w.do(insert("M1", "0.00", three[:2]...)); got != "150" {
		t.Errorf("same id: %s", got)
	}
	if got := w.do(insert("M2", "0.00", three[:2]...)); got != "000 000 000" {
		t.Errorf("two: %s", got)
	}
	// Updates ask for no IUV.
	if got := w.do(update("M3", void("A", ""), void("B", ""), void("C", ""))); got != "050 000 000 176" {
		t.Errorf("update of three: %s", got)
	}
	w.must("PUT", "settings", `{"threshold":0}`)
	if got := w.do(insert("M4", "0.00", inactive("C"), inactive("D"), inactive("E"))); got != "000 000 000 000" {
		t.Errorf("no threshold: %s", got)
	}
}

// TestS10LifeOfAFine walks a code through the service: activation, the reset that
// lets a debtor in, the debtor, and what is refused on the way.
func TestS10LifeOfAFine(t *testing.T) {
	w := newWorld(t)
	w.pool(1)
	for i, tt := range []struct{ name, change, want string }{
		{"without an amount", edit("P0", "", "", "<e:DescrizioneCausaleVersamento>Verbale</e:DescrizioneCausaleVersamento>"), "051 175"},
		{"activation", edit("P0", "", "29.40", ""), "000 000"},
		{"late debtor", edit("P0", "", "29.40", mario), "051 196"},
		{"back to zero", edit("P0", "", "0.00", ""), "000 000"},
		{"debtor and amount", edit("P0", "", "42.00", mario), "000 000"},
		{"another debtor", edit("P0", "", "42.00", mario), "051 218"},
		{"repricing", edit("P0", "", "87.00", ""), "000 000"},
		{"unknown", edit("P9", "", "1.00", ""), "051 176"},
		{"annulment", void("P0", "autotutela"), "000 000"},
		{"annulled", edit("P0", "", "1.00", ""), "051 179"},
		{"annulled, debtor", edit("P0", "", "1.00", mario), "051 218"},
	} {
		if got := w.do(update(fmt.Sprint("U", i), tt.change)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	p := w.position("P0")
	if p.Cents != 8700 || p.Debtor.Cognome != "Rossi" || p.State != ppaysim.Void || p.Inserted != 1 || p.Updated != 5 || len(p.Writes) != 6 {
		t.Errorf("%+v", p)
	}
	if last := p.Writes[5]; last.Message != "U8" || last.Kind != "ANNULLAMENTO" || last.Code != "000" {
		t.Errorf("last write %+v", last)
	}
}

// TestS10HalfApplied: a failed update leaves what it wrote first, and the
// position's history says so.
func TestS10HalfApplied(t *testing.T) {
	w := newWorld(t)
	w.pool(1)
	component := "<e:ComponentiImporto><e:ComponenteImporto><e:Importo>1.00</e:Importo><e:CausaleDescrittiva>x</e:CausaleDescrittiva></e:ComponenteImporto></e:ComponentiImporto>"
	if got := w.do(update("U1", edit("P0", "", "1.00", component+"<e:DescrizioneCausaleVersamento>Scritta</e:DescrizioneCausaleVersamento>"))); got != "051 175" {
		t.Fatal(got)
	}
	if p := w.position("P0"); p.Causale != "Scritta" || p.Cents != 0 || p.Updated != 1 || p.Writes[1].Code != "175" {
		t.Errorf("%+v", p)
	}
}

// TestInjectedFailures: 160 and 175, written or not.
func TestInjectedFailures(t *testing.T) {
	w := newWorld(t)
	w.pool(1)
	w.must("PUT", "settings", `{"fail_positions_next":2}`)
	if got := w.do(insert("M1", "0.00", inactive("A"), inactive("P0"))); got != "051 160 161" {
		t.Errorf("insert: %s", got)
	}
	if got := w.do(update("U1", edit("P0", "", "1.00", ""))); got != "051 175" || w.position("P0").Cents != 0 {
		t.Errorf("update: %s", got)
	}
	w.must("PUT", "settings", `{"fail_positions_next":2,"fail_applied":true}`)
	if got := w.do(insert("M2", "0.00", inactive("A"))); got != "051 160" || w.position("A").Inserted != 1 {
		t.Errorf("insert, applied: %s", got)
	}
	if got := w.do(update("U2", edit("P0", "", "1.00", ""))); got != "051 175" || w.position("P0").Cents != 100 {
		t.Errorf("update, applied: %s", got)
	}
	if got := w.do(update("U3", edit("P0", "", "2.00", ""))); got != "000 000" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestS11Annulment: the note goes, nothing comes back, dates play no part.
func TestS11Annulment(t *testing.T) {
	w := newWorld(t)
	far := "<e:DataFineValidita>2026-11-30</e:DataFineValidita>"
	if got := w.do(insert("M", "0.00", position("A", "0.00", far, anonimo+"<e:NotePerIlPagatore>nota</e:NotePerIlPagatore>"))); got != "000 000" {
		t.Fatal(got)
	}
	w.must("PUT", "clock", `{"now":"2026-12-15T09:00:00Z"}`)
	if got := w.do(update("U1", edit("A", "", "1.00", ""))); got != "051 187" {
		t.Errorf("expired: %s", got)
	}
	if got := w.do(update("U2", void("A", ""))); got != "000 000" || w.position("A").Note != "" {
		t.Errorf("annulment: %s, note %q", got, w.position("A").Note)
	}
	if got := w.do(update("U3", void("A", "ancora"))); got != "051 179" || w.position("A").Note != "" {
		t.Errorf("again: %s", got)
	}
}

// TestS12PaymentInProgress: nothing can be changed while somebody pays, and
// nothing afterwards.
func TestS12PaymentInProgress(t *testing.T) {
	w := newWorld(t)
	a := w.pool(1)[0]
	w.do(update("U1", edit("P0", "", "42.00", "")))
	if ko := w.counter("in-progress", `{"avviso":"`+a+`"}`); ko != "" {
		t.Fatal(ko)
	}
	if got := w.do(update("U2", edit("P0", "", "87.00", ""))); got != "051 177" {
		t.Errorf("in progress: %s", got)
	}
	if got := w.do(update("U3", void("P0", ""))); got != "051 177" {
		t.Errorf("annulment in progress: %s", got)
	}
	if ko := w.counter("verify", `{"avviso":"`+a+`"}`); ko != "PAA_PAGAMENTO_IN_CORSO" {
		t.Errorf("second payer: %q", ko)
	}
	if ko := w.counter("abandon", `{"avviso":"`+a+`"}`); ko != "" {
		t.Error(ko)
	}
	if ko := w.counter("abandon", `{"avviso":"`+a+`"}`); ko != "NOT_IN_PROGRESS" {
		t.Errorf("abandoned twice: %q", ko)
	}
	if got := w.do(update("U4", edit("P0", "", "87.00", ""))); got != "000 000" {
		t.Errorf("abandoned: %s", got)
	}
	w.counter("in-progress", `{"avviso":"`+a+`"}`)
	if ko := w.counter("pay", `{"avviso":"`+a+`"}`); ko != "" {
		t.Errorf("the payer who began: %q", ko)
	}
	if got := w.do(update("U5", edit("P0", "", "1.00", ""))); got != "051 178" {
		t.Errorf("paid: %s", got)
	}
	if got := w.do(update("U6", edit("P0", "", "1.00", mario))); got != "051 196" {
		t.Errorf("paid, with a debtor: %s", got)
	}
}

// TestS13Counter: what pagoPA answers along the life of a code.
func TestS13Counter(t *testing.T) {
	w := newWorld(t)
	a := w.pool(2)
	at := func(i int) string { return `{"avviso":"` + a[i] + `"}` }
	check := func(name, act, in, want string) {
		t.Helper()
		if got := w.counter(act, in); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	check("unknown", "verify", `{"iuv":"12263270000471237"}`, "PAA_PAGAMENTO_SCONOSCIUTO")
	check("nothing", "verify", `{}`, "PAA_PAGAMENTO_SCONOSCIUTO")
	check("before activation", "verify", at(0), "PAA_SYSTEM_ERROR")
	check("before activation", "pay", at(0), "PAA_SYSTEM_ERROR")
	w.do(update("U1", edit("P0", "", "42.00", "")))
	check("active", "verify", at(0), "")
	check("by IUV", "verify", `{"iuv":"`+a[0][1:]+`"}`, "")
	check("another amount", "pay", `{"avviso":"`+a[0]+`","cents":4100}`, "PAA_ATTIVA_RPT_IMPORTO_NON_VALIDO")
	check("pay", "pay", `{"avviso":"`+a[0]+`","cents":4200,"iur":"R1"}`, "")
	check("paid", "verify", at(0), "PAA_PAGAMENTO_DUPLICATO")
	check("paid", "pay", at(0), "PAA_PAGAMENTO_DUPLICATO")
	check("forced, same receipt", "pay", `{"avviso":"`+a[0]+`","iur":"R1","force":true}`, "IUR_USED")
	check("forced twice", "pay", `{"avviso":"`+a[0]+`","cents":1,"force":true}`, "")
	w.do(update("U2", void("P1", "")))
	check("zero and void", "verify", at(1), "PAA_SYSTEM_ERROR")
	check("forced though void", "pay", `{"avviso":"`+a[1]+`","cents":4200,"force":true}`, "")
	if p := w.position("P0"); len(p.Payments) != 2 || p.Payments[0].IUR != "R1" || p.Payments[0].Cents != 4200 || p.Payments[1].Cents != 1 {
		t.Errorf("payments %+v", p.Payments)
	}
	if p := w.position("P1"); p.State != ppaysim.Paid {
		t.Errorf("state %v", p.State)
	}
}

type notice struct {
	ID    string `xml:"Testata>IdMessaggio"`
	Code  string `xml:"Testata>CodiceVersamento"`
	Count int    `xml:"Testata>NumeroPagamenti"`
	Total string `xml:"Testata>ImportoTotalePagamenti"`
	Items []struct {
		Inner string `xml:",innerxml"`
		IUV   string
	} `xml:"CorpoNotifichePagamento>ElencoNotifichePagamento>NotificaPagamento"`
}

func (w *world) notices() (ns []notice) {
	for _, c := range w.calls {
		if strings.Contains(c.action, "Notifiche") {
			ns = append(ns, body[notice](w, c.body))
		}
	}
	return ns
}

// TestS14Notifications: at most 50 a message, one message for each codice
// versamento and run, each payment once, a new id when the bus failed.
func TestS14Notifications(t *testing.T) {
	w := newWorld(t)
	w.pool(120)
	var ups []string
	for i := range 120 {
		ups = append(ups, edit(fmt.Sprint("P", i), "", "1.00", ""))
	}
	w.do(update("UP", ups...))
	for _, p := range w.last().Positions {
		if ko := w.counter("pay", `{"avviso":"`+p.Avviso+`"}`); ko != "" {
			t.Fatal(ko)
		}
	}
	w.queue(insertAs(cf, "MU02", "OTHER", "5.00", position("Q", "5.00", "<e:DataScadenza>2026-12-31</e:DataScadenza>", mario)))
	w.step()
	w.counter("pay", `{"avviso":"`+w.last().Positions[0].Avviso+`","iur":"RQ","payer":{"cognome":"Verdi","nome":"Anna","cf":"VRDNNA80A41L219X"}}`)

	w.must("PUT", "settings", `{"bus_down":true}`)
	w.must("POST", "notify", ``)
	if w.step(); len(w.notices()) != 0 {
		t.Fatal("the bus was down")
	}
	w.must("PUT", "settings", `{"bus_down":false}`)
	for range 4 {
		w.must("POST", "notify", ``)
		w.step()
	}
	ids, ivus, sizes := map[string]bool{}, map[string]int{}, map[string][]int{}
	for _, n := range w.notices() {
		if !regexp.MustCompile(`\ATNP[0-9a-f]{32}\z`).MatchString(n.ID) || ids[n.ID] {
			t.Errorf("IdMessaggio %s", n.ID)
		}
		ids[n.ID] = true
		sizes[n.Code] = append(sizes[n.Code], n.Count)
		if n.Count != len(n.Items) {
			t.Errorf("%d payments, %d said", len(n.Items), n.Count)
		}
		sorted := true
		for i, p := range n.Items {
			ivus[p.IUV]++
			sorted = sorted && (i == 0 || n.Items[i-1].IUV < p.IUV)
		}
		if n.Count == 50 && (sorted || n.Total != "50.00") {
			t.Errorf("sorted %v, total %s", sorted, n.Total)
		}
	}
	if !slices.Equal(sizes["MU01"], []int{50, 50, 20}) || !slices.Equal(sizes["MU02"], []int{1}) || len(ivus) != 121 {
		t.Errorf("messages %v, %d payments", sizes, len(ivus))
	}
	for iuv, n := range ivus {
		if n != 1 {
			t.Errorf("%s told %d times", iuv, n)
		}
	}
	q := w.position("Q").Payments[0]
	if len(q.Lost) != 1 || ids[q.Lost[0]] || !ids[q.Told] {
		t.Errorf("told under %q, lost under %q", q.Told, q.Lost)
	}
	// The shape, element by element.
	p := w.position("Q")
	want := "<n:IdPosizioneDebitoria>Q</n:IdPosizioneDebitoria><n:IUV>" + p.IUV + "</n:IUV><n:ImportoPagato>5.00</n:ImportoPagato><n:DataScadenza>2026-12-31+01:00</n:DataScadenza>" +
		"<n:DescrizioneCausaleVersamento>Preavviso</n:DescrizioneCausaleVersamento><n:DataEsitoPagamento>2026-11-23+01:00</n:DataEsitoPagamento>" +
		"<n:SoggettoDebitore><c:PersonaFisica><c:Cognome>Rossi</c:Cognome><c:Nome>Mario</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>RSSMRA80A01L219M</c:IdentificativoUnivocoFiscale></n:SoggettoDebitore>" +
		"<n:SoggettoVersante><c:PersonaFisica><c:Cognome>Verdi</c:Cognome><c:Nome>Anna</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>VRDNNA80A41L219X</c:IdentificativoUnivocoFiscale></n:SoggettoVersante>" +
		"<n:DatiTransazionePSP><n:IdPSP>ABI12345</n:IdPSP><n:RagioneSocialePSP>BANCA DI PROVA S.P.A.</n:RagioneSocialePSP><n:TipoVersamento>PO</n:TipoVersamento>" +
		"<n:DataOraAvvioTransazione>2026-11-23T00:00:00.000+01:00</n:DataOraAvvioTransazione><n:IUR>RQ</n:IUR><n:ImportoTransato>5.00</n:ImportoTransato></n:DatiTransazionePSP>" +
		"<n:DatiSpecificiRiscossione>9/0101101IM/</n:DatiSpecificiRiscossione><n:CodiceAvviso>" + p.Avviso + "</n:CodiceAvviso>"
	for _, n := range w.notices() {
		if n.Code == "MU02" && n.Items[0].Inner != want {
			t.Errorf("got  %s\nwant %s", n.Items[0].Inner, want)
		}
		if n.Code == "MU01" && !strings.Contains(n.Items[0].Inner, "<n:SoggettoDebitore><c:PersonaFisica><c:Cognome>ANONIMO") {
			t.Errorf("debtor of a fine paid early: %s", n.Items[0].Inner)
		}
	}
}

// TestS16Delivery: each way to fail is retried with the same id and a doubling
// pause, then the queue stops, blocking what comes after, until it is enabled.
func TestS16Delivery(t *testing.T) {
	for name, listen := range map[string]func(*http.Request) (int, string, error){
		"result 100":  func(*http.Request) (int, string, error) { return 200, strings.ReplaceAll(ok000, "000", "100"), nil },
		"HTTP 503":    func(*http.Request) (int, string, error) { return 503, ok000, nil },
		"no body":     func(*http.Request) (int, string, error) { return 200, "", nil },
		"broken":      func(*http.Request) (int, string, error) { return 0, "", errBroken },
		"fault":       func(*http.Request) (int, string, error) { return 500, "<x/>", nil },
		"never heard": func(r *http.Request) (int, string, error) { <-r.Context().Done(); return 0, "", r.Context().Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := bubble(t, func(s *ppaysim.Settings) { s.Retries, s.Backoff = 2, ppaysim.Duration(time.Minute) })
				w.listen = listen
				timeout := time.Duration(0)
				if name == "never heard" {
					timeout = 30 * time.Second
				}
				start := time.Now()
				w.queue(update("U1", void("X", "")))
				time.Sleep(time.Second)
				w.queue(update("U2", void("X", "")))
				time.Sleep(time.Hour)
				synctest.Wait()
				var got []time.Duration
				for i, e := range w.esiti() {
					if e.ID != "U1" {
						t.Errorf("%s overtook", e.ID)
					}
					got = append(got, w.calls[i].at.Sub(start))
				}
				want := []time.Duration{0, time.Minute + timeout, 3*time.Minute + 2*timeout}
				if !slices.Equal(got, want) {
					t.Fatalf("tries at %v, want %v", got, want)
				}
				var out struct{ Queues []ppaysim.Queue }
				w.control("GET", "deliveries", "", &out)
				if q := out.Queues[0]; q.Stopped == nil || q.Waiting != 2 || q.Head.Failure == "" {
					t.Errorf("queue %+v", q)
				}
				w.must("POST", "deliveries/"+cf+"/enable", "")
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(w.calls) != 6 {
					t.Errorf("%d tries after enabling once, want 3 more", len(w.calls))
				}
				w.mu.Lock()
				w.listen = nil
				w.mu.Unlock()
				time.Sleep(24 * time.Hour)
				if len(w.calls) != 6 {
					t.Error("a stopped queue went on")
				}
				w.must("POST", "deliveries/"+cf+"/enable", "")
				synctest.Wait()
				if es := w.esiti(); len(es) != 8 || es[6].ID != "U1" || es[7].ID != "U2" {
					t.Errorf("after enabling: %d", len(es))
				}
				if status := w.control("POST", "deliveries/"+cf+"/enable", "", nil); status != 404 {
					t.Errorf("enabling what runs: HTTP %d", status)
				}
			})
		})
	}
}

// TestS16Envelope: credentials, soapAction, and warnings count as delivered.
func TestS16Envelope(t *testing.T) {
	w := newWorld(t)
	w.listen = func(*http.Request) (int, string, error) { return 200, strings.ReplaceAll(ok000, "000", "099"), nil }
	w.do(update("U1", void("X", "")))
	if len(w.calls) != 1 || w.calls[0].auth != "ppay:segreta" || w.calls[0].action != `"http://www.csi.it/epay/epaywso/service/EsitoAggiornaPosizioniDebitorie"` {
		t.Errorf("%+v", w.calls)
	}
	var out struct{ Messages []ppaysim.Message }
	w.control("GET", "messages", "", &out)
	if len(out.Messages) != 2 || out.Messages[0].Direction != "in" || out.Messages[0].Code != "000" || out.Messages[0].Body != soap(update("U1", void("X", ""))) ||
		out.Messages[1].Direction != "out" || out.Messages[1].Code != "099" || out.Messages[1].Body != w.calls[0].body {
		t.Errorf("%+v", out.Messages)
	}
	if strings.Contains(fmt.Sprint(out), "segreta") {
		t.Error("the password is in the messages")
	}
}

// TestOneCreditorDoesNotBlockAnother: queues are apart.
func TestOneCreditorDoesNotBlockAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bubble(t)
		w.must("PUT", "enti", `{"enti":[{"cf":"98765432109","endpoint":"http://slow.test/","segregation":"13","types":[{"code":"MU01"}]}]}`)
		w.listen = func(r *http.Request) (int, string, error) {
			if r.URL.Host == "slow.test" {
				<-r.Context().Done()
				return 0, "", r.Context().Err()
			}
			return 200, ok000, nil
		}
		w.queue(insertAs("98765432109", "MU01", "SLOW", "0.00", inactive("A")))
		time.Sleep(time.Second)
		w.queue(insert("FAST", "0.00", inactive("A")))
		time.Sleep(time.Second)
		synctest.Wait()
		if es := w.esiti(); len(es) != 2 || es[1].ID != "FAST" {
			t.Errorf("%d esiti", len(es))
		}
	})
}

// TestS22Clock: the day inside a IUV, the last day of validity, and midnight in
// Rome, over more than a day of running.
func TestS22Clock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bubble(t, func(s *ppaysim.Settings) { s.NotifyEvery = ppaysim.Duration(time.Hour) })
		w.must("PUT", "clock", `{"now":"2026-12-30T21:00:00Z"}`) // 22 o'clock in Rome
		send := func(body string) string {
			t.Helper()
			w.queue(body)
			time.Sleep(time.Minute)
			synctest.Wait()
			return w.last().codes()
		}
		until := "<e:DataFineValidita>2026-12-31</e:DataFineValidita>"
		if got := send(insert("M1", "42.00", position("A", "42.00", until, mario))); got != "000 000" {
			t.Fatal(got)
		}
		first := w.last().Positions[0]
		if first.IUV[2:7] != "26364" {
			t.Errorf("day %s, want 26364", first.IUV[2:7])
		}
		if got := send(update("U1", edit("A", "", "41.00", ""))); got != "000 000" {
			t.Errorf("the day before: %s", got)
		}
		time.Sleep(2 * time.Hour) // past midnight: the last day
		if got := send(update("U2", edit("A", "", "40.00", ""))); got != "051 187" {
			t.Errorf("on the last day: %s", got)
		}
		if ko := w.counter("verify", `{"avviso":"`+first.Avviso+`"}`); ko != "" {
			t.Errorf("payable on the last day: %q", ko)
		}
		if got := send(insert("M2", "42.00", position("B", "42.00", until, mario))); got != "051 187" {
			t.Errorf("insert on the last day: %s", got)
		}
		if got := send(update("U3", edit("A", "<e:DataFineValidita>2027-01-01</e:DataFineValidita>", "40.00", ""))); got != "000 000" {
			t.Errorf("with a later end: %s", got)
		}
		if ko := w.counter("pay", `{"avviso":"`+first.Avviso+`"}`); ko != "" {
			t.Error(ko)
		}
		time.Sleep(24 * time.Hour) // New Year's Day
		synctest.Wait()
		if ns := w.notices(); len(ns) != 1 || !strings.Contains(ns[0].Items[0].Inner, "<n:DataEsitoPagamento>2026-12-31+01:00<") {
			t.Errorf("%d notifications", len(ns))
		}
		if got := send(insert("M3", "0.00", inactive("C"))); got != "000 000" || w.last().Positions[0].IUV[2:7] != "27001" {
			t.Errorf("%s, day %s", got, w.last().Positions[0].IUV[2:7])
		}
	})
}

// TestS22ZoneOfADate: midnight is of the zone in the date.
func TestS22ZoneOfADate(t *testing.T) {
	w := newWorld(t)
	w.must("PUT", "clock", `{"now":"2026-11-23T04:00:00Z"}`)
	for _, tt := range []struct{ date, want string }{
		{"2026-11-23", "051 187"},       // midnight in Rome was 5 hours ago
		{"2026-11-23Z", "051 187"},      // 4 hours ago
		{"2026-11-23-05:00", "000 000"}, // in one hour
		{"2026-11-24", "000 000"},
	} {
		if got := w.do(insert("M"+tt.date, "0.00", position(tt.date, "0.00", "<e:DataFineValidita>"+tt.date+"</e:DataFineValidita>", anonimo))); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.date, got, tt.want)
		}
	}
}

// TestS23Restart: lists, queues, stops, register, positions, untold payments, the
// sequence and the clock survive.
func TestS23Restart(t *testing.T) {
	w := newWorld(t, func(s *ppaysim.Settings) {
		s.DelayMin, s.DelayMax = ppaysim.Duration(time.Minute), ppaysim.Duration(time.Minute)
	})
	w.must("PUT", "clock", `{"offset":"48h"}`)
	w.queue(insert("M1", "42.00", position("A", "42.00", "", mario)))
	w.restart()
	w.step()
	if len(w.calls) != 0 {
		t.Fatal("a restart forgot the delay")
	}
	w.wait(time.Minute)
	w.listen = func(*http.Request) (int, string, error) { return 503, "", nil }
	w.step() // elaborated, not delivered, and without retries stopped
	w.restart()
	w.listen = nil
	if w.step(); len(w.calls) != 1 {
		t.Fatal("a restart started a stopped queue")
	}
	w.must("POST", "deliveries/"+cf+"/enable", "")
	w.step()
	e := w.last()
	if e.codes() != "000 000" || e.Positions[0].IUV[2:7] != "26329" {
		t.Fatalf("%s %s", e.codes(), e.Positions[0].IUV)
	}
	if ko := w.counter("pay", `{"iuv":"`+e.Positions[0].IUV+`"}`); ko != "" {
		t.Fatal(ko)
	}
	w.restart()
	w.must("POST", "notify", "")
	if w.step(); len(w.notices()) != 1 {
		t.Error("the payment was forgotten")
	}
	w.queue(insert("M1", "0.00", inactive("B")))
	w.queue(insert("M2", "0.00", inactive("A"), inactive("B")))
	w.restart()
	w.wait(time.Hour)
	w.step()
	es := w.esiti()
	if got := es[len(es)-2].codes() + " | " + es[len(es)-1].codes(); got != "150 | 050 161 000" {
		t.Errorf("after all restarts: %s", got)
	}
	if last := es[len(es)-1].Positions[1].IUV; last[7:15] <= e.Positions[0].IUV[7:15] {
		t.Error("the sequence went back")
	}
	d, err := w.sim.Dump()
	if err != nil || len(d.Positions) != 2 || len(d.Register) != 2 || d.Positions[0].Inserted != 1 || !d.Now.Equal(w.clock().Add(48*time.Hour)) {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestLostAnswers: what a client cannot tell apart.
func TestLostAnswers(t *testing.T) {
	w := newWorld(t)
	for i, tt := range []struct {
		settings string
		queued   bool
	}{
		{`{"drop_requests_next":1}`, false},
		{`{"drop_answers_next":1}`, true},
		{`{"refuse_next":1,"refuse_code":"200"}`, false},
		{`{"refuse_next":1,"refuse_code":"503"}`, false},
		{`{"refuse_next":1,"refuse_code":"500"}`, false},
	} {
		w.must("PUT", "settings", tt.settings)
		id := fmt.Sprint("M", i)
		resp, raw, err := w.post(soap(insert(id, "0.00", inactive(id))))
		switch i {
		case 0, 1:
			if err == nil || !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
				t.Errorf("%s: %v", tt.settings, err)
			}
		case 2:
			if err != nil || resp.StatusCode != 200 || !strings.Contains(raw, ">200<") {
				t.Errorf("%s: %v %s", tt.settings, err, raw)
			}
		case 3:
			if err != nil || resp.StatusCode != 503 {
				t.Errorf("%s: %v", tt.settings, err)
			}
		case 4:
			if err != nil || resp.StatusCode != 500 || !strings.Contains(raw, "s:Server") {
				t.Errorf("%s: %v %s", tt.settings, err, raw)
			}
		}
		before := len(w.calls)
		w.step()
		if queued := len(w.calls) > before; queued != tt.queued {
			t.Errorf("%s: queued %v", tt.settings, queued)
		}
		if got := w.send(insert(id+"b", "0.00", inactive(id+"b"))); got != "000" {
			t.Errorf("after %s: %s", tt.settings, got)
		}
		w.step()
	}
}

// TestSlow: the list is queued although the client did not wait.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bubble(t, func(s *ppaysim.Settings) { s.Slow = ppaysim.Duration(time.Minute) })
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://ppay.test"+ppaysim.Endpoint, strings.NewReader(soap(update("U1", void("X", "")))))
		start := time.Now()
		if _, err := (&http.Client{Transport: w.sim.Transport(), Timeout: 15 * time.Second}).Do(r); err == nil || time.Since(start) != 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if len(w.esiti()) != 1 {
			t.Error("not queued")
		}
	})
}

// TestAuthentication: Basic when configured.
func TestAuthentication(t *testing.T) {
	w := newWorld(t)
	w.cfg.User, w.cfg.Password = "comune", "parola"
	w.restart()
	for _, tt := range []struct {
		user, password string
		want           int
	}{{"", "", 401}, {"comune", "x", 401}, {"x", "parola", 401}, {"comune", "parola", 200}} {
		r, _ := http.NewRequest("POST", "http://ppay.test"+ppaysim.Endpoint, strings.NewReader(soap(update("U", void("X", "")))))
		if tt.user != "" {
			r.SetBasicAuth(tt.user, tt.password)
		}
		resp, err := w.sim.Transport().RoundTrip(r)
		if err != nil || resp.StatusCode != tt.want {
			t.Errorf("%s:%s: %v %v", tt.user, tt.password, resp.StatusCode, err)
		}
	}
}
