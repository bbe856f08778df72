package app

import (
	"bytes"
	stdcmp "cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"preavviso/api/client"
	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/ppay/ppaysim"
)

// paper is a print, as a citizen's app and a counter of Poste read it.
type paper struct {
	qr, matrix []asked
	held       []ppaysim.Position // by the platform when it was printed
}

// asked is what one symbol asks for.
type asked struct {
	avviso string
	cents  int64
}

// none is what decoders exit with where they found no symbol.
var none = map[string]int{"dmtxread": 1, "zbarimg": 4}

// readPaper prints a PDF as a laser printer would and reads its symbols with
// decoders that share nothing with our encoders.
func readPaper(t *testing.T, doc []byte) paper {
	t.Helper()
	dir := t.TempDir()
	file, page := filepath.Join(dir, "paper.pdf"), filepath.Join(dir, "page")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(name string, args ...string) []byte {
		t.Helper()
		path, err := exec.LookPath(name)
		if err != nil {
			if strings.Contains(os.Getenv("PREAVVISO_TEST_REQUIRE"), "decoders") {
				t.Fatal(err)
			}
			t.Skipf("%v; install poppler-utils, zbar-tools and dmtx-utils", err)
		}
		out, err := exec.Command(path, args...).Output()
		var exit *exec.ExitError
		if err != nil && !(errors.As(err, &exit) && none[name] == exit.ExitCode()) {
			t.Fatalf("%s: %v", name, err)
		}
		return out
	}
	read("pdftoppm", "-r", "203", "-gray", file, page) // as PGM: to pack a page as PNG takes longer than all the rest
	pages, err := filepath.Glob(page + "*.pgm")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	var p paper
	for _, page := range pages {
		codes := 0
		for line := range bytes.Lines(read("zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", page)) {
			n, cf, cents, err := avviso.ParseQR(strings.TrimSpace(string(line)))
			if err != nil || cf != townCF {
				t.Fatalf("a QR of %s: %v", cf, err)
			}
			p.qr = append(p.qr, asked{n.String(), int64(cents)})
			codes++
		}
		if codes == 0 {
			continue // a page without payments: looking for a Data Matrix takes as long as it may
		}
		for line := range bytes.Lines(read("dmtxread", "-n", fmt.Sprintf("-N%d", codes), "-m5000", page)) {
			d, err := avviso.ParseDataMatrix(strings.TrimSuffix(string(line), "\n"))
			if err != nil || d.CreditorCF != townCF {
				t.Fatalf("a Data Matrix of %s: %v", d.CreditorCF, err)
			}
			p.matrix = append(p.matrix, asked{d.Number.String(), int64(d.Amount)})
		}
	}
	return p
}

// want is how things stand at a moment of a story, worked out by hand from the law
// and from what its people did.
type want struct {
	state          client.VerbaleState
	asked          []int64 // what the platform asks for the act, in order; none: nothing
	paper          []int64 // what the symbols of the last paper ask, in order
	paid, refunded int64   // so far
	owed           int64   // what should stay here of it
	open           []string
}

// books are the four places in which a story is told, and what a person is told.
type books struct {
	platform []ppaysim.Position // all of them

	verbale  client.Verbale
	money    client.VerbaleMoney
	codes    map[string]client.Code // by position
	history  map[string][]client.Entry
	payments []client.Payment
	refunds  []client.Refund

	paper paper

	accounts client.Accounting
	flows    []client.Flusso

	open   []string
	debtor client.PolicyDebtor
}

// agree holds what the platform, the register, the last paper and the accounts say
// against each other and against want, to the cent, and that nothing waits for a
// person but what must.
func (w *town) agree(want want) {
	w.t.Helper()
	for _, d := range w.books().differences(want) {
		w.t.Errorf("%s: %s", time.Now().In(multe.Rome()).Format("02/01 15:04"), d)
	}
}

// books asks for all of it, the platform at its control, the rest by the office's
// API.
func (w *town) books() books {
	w.t.Helper()
	ctx, o := w.t.Context(), w.office
	dump, err := w.sim.Dump()
	w.must(err)
	b := books{platform: dump.Positions, verbale: w.verbale(), codes: map[string]client.Code{}, history: map[string][]client.Entry{}, open: w.open(), debtor: w.policy.Debtor}
	money, err := o.ReadMoneyWithResponse(ctx, townCF, string(w.slip))
	w.must(err)
	b.money = *money.JSON200
	for _, p := range dump.Positions {
		k, err := o.ReadTimelineWithResponse(ctx, townCF, p.ID)
		w.must(err)
		b.codes[p.ID], b.history[p.ID] = k.JSON200.Code, k.JSON200.Entries
	}
	payments, err := o.ListPaymentsWithResponse(ctx, townCF, nil)
	w.must(err)
	refunds, err := o.ListRefundsWithResponse(ctx, townCF, nil)
	w.must(err)
	b.payments, b.refunds = payments.JSON200.Payments, refunds.JSON200.Refunds
	b.paper = w.papers[len(w.papers)-1]
	accounts, err := o.ReadAccountingWithResponse(ctx, townCF, &client.ReadAccountingParams{From: w.day0.String(), To: w.day0.Plus(300).String()})
	w.must(err)
	flows, err := o.ListFlussiWithResponse(ctx, townCF, nil)
	w.must(err)
	b.accounts, b.flows = *accounts.JSON200, flows.JSON200.Flussi
	return b
}

// differences says where the books contradict each other or want.
func (b books) differences(want want) (out []string) {
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	same := func(what string, got, want any) {
		if d := cmp.Diff(want, got); d != "" {
			bad("%s (-want +got):\n%s", what, d)
		}
	}
	v := b.verbale

	// The platform and the codes of the register; what it asks, and of whom.
	type money struct {
		IUV, IUR string
		Cents    int64
		Day      string
	}
	var received []money
	var asks []int64
	var total int64
	for _, p := range b.platform {
		k, known := b.codes[p.ID]
		if !known || p.CF != townCF || p.Inserted != 1 {
			bad("position %s of %s, inserted %d times, is in no register", p.ID, p.CF, p.Inserted)
			continue
		}
		n, err := avviso.ParseNumber(k.Avviso)
		if err != nil {
			bad("position %s: %v", p.ID, err)
		}
		if d := differ(multe.Code{State: multe.CodeState(k.State), Number: n, UpstreamCents: multe.Cents(k.UpstreamCents), UpstreamDebtor: k.UpstreamDebtor}, p, true); d != "" {
			bad("position %s %s", p.ID, d)
		}
		ours := k.Verbale == v.Id
		payable := p.State == ppaysim.ToPay && p.Cents > 0
		switch {
		case payable && ours:
			asks = append(asks, int64(p.Cents))
		case payable:
			bad("the platform asks %d for position %s, which is on no act", p.Cents, p.ID)
		}
		if strings.Contains(p.Causale, v.Plate) {
			bad("position %s tells the plate: %s", p.ID, p.Causale)
		}
		known = v.Record.Debtor != (client.Debtor{}) && p.ID == carrier(v) && b.debtor != "register"
		if whom := p.Debtor.CF; ours && p.State != ppaysim.Void && (known && whom != v.Record.Debtor.Cf || !known && whom != avviso.Anonymous) {
			bad("position %s is asked of %s", p.ID, whom)
		}
		told := 0
		for _, e := range b.history[p.ID] {
			if e.Action == "payment.recorded" {
				told++
			}
		}
		if told != len(p.Payments) {
			bad("position %s was paid %d times, and its history says %d", p.ID, len(p.Payments), told)
		}
		for _, m := range p.Payments {
			received = append(received, money{p.IUV, m.IUR, int64(m.Cents), multe.DayOf(m.At).String()})
			total += int64(m.Cents)
		}
	}
	slices.Sort(asks)
	same("what the platform asks", asks, want.asked)
	same("what came to the platform", total, want.paid)

	// The register, and the money in it.
	if v.State != want.state || b.money.State != want.state {
		bad("the act is %s (its money: %s), want %s", v.State, b.money.State, want.state)
	}
	if len(asks) > 0 && !slices.Contains(asks, v.DueCents) {
		bad("due is %d, and the platform asks %v", v.DueCents, asks)
	}
	same("the balance: paid, refunded, owed, excess", []int64{b.money.PaidCents, b.money.RefundedCents, b.money.OwedCents, b.money.ExcessCents},
		[]int64{want.paid, want.refunded, want.owed, want.paid - want.refunded - want.owed})
	list := func(ps []client.Payment) (out []money) {
		for _, p := range ps {
			out = append(out, money{p.Iuv, p.Iur, p.Cents, p.PaidOn.Format(time.DateOnly)})
		}
		return out
	}
	order := cmpopts.SortSlices(func(a, b money) bool { return a.IUV+a.IUR < b.IUV+b.IUR })
	for where, ps := range map[string][]client.Payment{"of the creditor": b.payments, "of the act": b.money.Payments} {
		if d := cmp.Diff(received, list(ps), order, cmpopts.EquateEmpty()); d != "" {
			bad("payments %s (-platform +register):\n%s", where, d)
		}
	}
	var back int64
	for _, r := range b.refunds {
		back += r.Cents
	}
	same("what went back", back, want.refunded)

	// The paper: both kinds of symbol say the same, and what the platform held.
	for _, symbols := range [][]asked{b.paper.qr, b.paper.matrix} {
		var sums []int64
		for _, a := range symbols {
			sums = append(sums, a.cents)
		}
		slices.Sort(sums)
		same("the last paper", sums, want.paper)
	}
	then := map[string]int64{} // by codice avviso
	for _, p := range b.paper.held {
		then[p.Avviso] = int64(p.Cents)
	}
	for _, a := range slices.Concat(b.paper.qr, b.paper.matrix) {
		if !slices.ContainsFunc(slices.Concat(b.paper.qr, b.paper.matrix), func(o asked) bool { return o.avviso == a.avviso && o.cents == then[a.avviso] }) {
			bad("the paper asks %d under %s, for which the platform held %d", a.cents, a.avviso, then[a.avviso])
		}
	}

	// The accounts: every payment once, in one flow, to the cent.
	var entered, flowed int64
	var entries []money
	for _, e := range b.accounts.Entries {
		entered += e.Cents
		entries = append(entries, money{e.Iuv, e.Iur, e.Cents, e.PaidOn.Format(time.DateOnly)})
		if e.Match != "matched" || e.FlowCents != e.Cents {
			bad("the account of %s is %s: %d of %d", e.Iuv, e.Match, e.FlowCents, e.Cents)
		}
		if ref := stdcmp.Or(v.Record.Register, v.Reference); e.Reference != ref {
			bad("the account of %s is of %q, want %q", e.Iuv, e.Reference, ref)
		}
	}
	if d := cmp.Diff(received, entries, order, cmpopts.EquateEmpty()); d != "" {
		bad("accounts (-platform +accounts):\n%s", d)
	}
	for _, f := range b.flows {
		flowed += f.LinesCents
		if !f.Declared || f.Cents != f.LinesCents {
			bad("flow %s declares %d and has %d", f.Name, f.Cents, f.LinesCents)
		}
	}
	same("the accounts: their total, their sum, the flows", []int64{b.accounts.TotalCents, entered, flowed}, []int64{total, total, total})

	same("work items", b.open, append([]string{}, want.open...))
	return out
}
