package app

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/api/client"
	"preavviso/internal/multe"
	"preavviso/internal/ppay/ppaysim"
)

// The fine of every story: double parking, art. 158 c. 2 and 6 CdS, from 42 to 173
// euro. What the law makes of it, in cents:
const (
	discounted int64 = 2940 // 42,00 less 30 %, through the fifth day
	reduced    int64 = 4200
	costs      int64 = 1420 // accertamento and notification, of the town's policy; never discounted
	abroad     int64 = 2500 // the same, by registered letter to another country
)

// The states of an act.
const (
	issued    = client.VerbaleState("issued")
	finalised = client.VerbaleState("finalised")
	settled   = client.VerbaleState("settled")
	cancelled = client.VerbaleState("cancelled")
)

// story is what happens to one fine in the town of a policy.
type story struct {
	name    string
	debtors []client.PolicyDebtor // the policies for owners that it is told under, with one code
	tell    func(w *town, two bool)
}

var (
	anyDebtor   = []client.PolicyDebtor{"reset"} // no owner is ever told
	everyDebtor = []client.PolicyDebtor{"reset", "register", "rest", "reissue"}
)

// stories are those of issue 6. Day 0 is Monday 2 March 2026; the discount of the
// slip ends on Saturday the 7th.
var stories = []story{
	{"paid on day 3", anyDebtor, paidEarly},
	{"paid on day 30", anyDebtor, paidLate},
	{"recorded, notified, paid with costs", everyDebtor, notified},
	{"annulled after payment", anyDebtor, annulled},
	{"paid twice", anyDebtor, paidTwice},
	{"a foreign company", everyDebtor, foreigner},
}

// TestStories tells each story through the APIs of the office and of the handheld,
// against the simulator, with the clock moved from day to day. Along the way and
// at the end platform, register, print and accounts agree to the cent.
func TestStories(t *testing.T) {
	for _, s := range stories {
		for _, debtor := range s.debtors {
			t.Run(fmt.Sprintf("%s/one code, %s", s.name, debtor), func(t *testing.T) { s.in(t, debtor, "one-code") })
		}
		t.Run(s.name+"/two codes", func(t *testing.T) { s.in(t, "reset", "two-codes") })
	}
}

// in tells the story in a town of its own.
func (s story) in(t *testing.T, debtor client.PolicyDebtor, amount client.PolicyAmount) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, client.Policy{From: date(multe.Day{Year: 2026, Month: 1, Day: 1}), Debtor: debtor, Amount: amount, CostsCents: costs})
		s.tell(w, amount == "two-codes")
	})
}

// begin leaves the slip and looks at it once it can be paid.
func (w *town) begin(two bool, plate, nation string) {
	w.t.Helper()
	w.leave(plate, nation)
	w.glance()
	w.agree(slipped(two))
}

// slipped is how things stand while the discount of the slip lasts.
func slipped(two bool) want {
	if two {
		return want{state: issued, asked: []int64{discounted, reduced}, paper: []int64{discounted, reduced}}
	}
	return want{state: issued, asked: []int64{discounted}, paper: []int64{discounted}}
}

// paidEarly: a citizen finds the slip and pays the discounted amount.
func paidEarly(w *town, two bool) {
	w.begin(two, "AB123CD", "IT")
	w.until(3, 18)
	w.pay(w.verbale().Position, false)
	w.flow(5)
	w.agree(want{state: settled, paper: slipped(two).paper, paid: discounted, owed: discounted})
	w.until(12, 9)
	if rows := w.toNotify(); len(rows) != 0 {
		w.t.Errorf("who has paid is to be notified: %d acts", len(rows))
	}
	w.agree(want{state: settled, paper: slipped(two).paper, paid: discounted, owed: discounted})
}

// paidLate: the discount is over, the full amount is paid before anybody wrote.
func paidLate(w *town, two bool) {
	w.begin(two, "AB123CD", "IT")
	w.until(5, 23) // the last hour of the discount
	w.agree(slipped(two))
	w.until(6, 9)
	w.agree(want{state: issued, asked: []int64{reduced}, paper: slipped(two).paper})
	w.until(30, 18)
	w.pay(carrier(w.verbale()), false)
	w.flow(32)
	w.agree(want{state: settled, paper: slipped(two).paper, paid: reduced, owed: reduced})
}

const italians = "Targa;Dal;Al;Cognome;Nome;Codice fiscale;Indirizzo;Civico;CAP;Comune;Provincia;Stato\n" +
	"AB123CD;01/02/2020;;Bianchi;Lucia;BNCLCU80A41L219X;via Po;3;10123;Torino;TO;Italia\n" +
	"AB123CD;05/06/2015;31/01/2020;Rossi;Maria;RSSMRA80A01L219X;via Roma;5;10121;Torino;TO;Italia\n"

// notified: nobody pays the slip. The owner is looked up, the act recorded, sent
// and delivered, and paid with its costs a month later.
func notified(w *town, two bool) {
	w.begin(two, "AB123CD", "IT")
	w.until(15, 9)
	w.owner(italians, "2026-000123", nil, nil)
	due := reduced + costs
	w.print("verbale")
	both := []int64{discounted + costs, due}
	w.agree(want{state: finalised, asked: []int64{due}, paper: both})
	if rows := w.toNotify(); len(rows) != 1 || rows[0].DueCents != due || rows[0].Avviso != w.position(carrier(w.verbale())).Avviso || rows[0].Debtor.Cf != "BNCLCU80A41L219X" {
		w.t.Errorf("acts to notify: %d", len(rows))
	}
	w.until(24, 11) // 26 March
	w.notified("consegna")
	w.agree(want{state: finalised, asked: []int64{discounted + costs}, paper: both})
	w.until(29, 23) // 31 March, the fifth day
	w.agree(want{state: finalised, asked: []int64{discounted + costs}, paper: both})
	w.until(45, 9)
	w.print("avviso")
	w.agree(want{state: finalised, asked: []int64{due}, paper: []int64{due}})
	w.until(50, 18)
	w.pay(carrier(w.verbale()), false)
	w.flow(52)
	w.agree(want{state: settled, paper: []int64{due}, paid: due, owed: due})
	if rows := w.toNotify(); len(rows) != 0 {
		w.t.Errorf("what was notified and paid is to be notified again")
	}
}

const foreigners = "Targa;Dal;Al;Denominazione;Codice fiscale;Indirizzo;Civico;CAP;Comune;Provincia;Stato\n" +
	"BAB1234;01.02.2020;;Müller & Söhne Spedition GmbH;;Hauptstraße;7;80331;München;;Germania\n" +
	"BAB1234;05.06.2015;31.01.2020;Autohaus Lang KG;;Ring;1;80331;München;;Germania\n"

// foreigner: the vehicle is a company's in Germany, whose letter costs more and
// which pays within five days of it.
func foreigner(w *town, two bool) {
	w.begin(two, "BAB1234", "DE")
	w.until(15, 9)
	letter := abroad
	w.owner(foreigners, "2026-000124", &letter, func(d *client.Debtor) { d.Cf = "DE129273398" }) // its VAT number, from VIES: registers of vehicles have none
	w.print("verbale")
	both := []int64{discounted + abroad, reduced + abroad}
	w.agree(want{state: finalised, asked: []int64{reduced + abroad}, paper: both})
	if rows := w.toNotify(); len(rows) != 1 || rows[0].Debtor.Company != "Müller & Söhne Spedition GmbH" || rows[0].Debtor.Nation != "DE" {
		w.t.Errorf("acts to notify: %d", len(rows))
	}
	w.until(40, 11)
	w.notified("consegna")
	w.agree(want{state: finalised, asked: []int64{discounted + abroad}, paper: both})
	w.until(43, 18)
	w.pay(carrier(w.verbale()), false)
	w.flow(45)
	w.agree(want{state: settled, paper: both, paid: discounted + abroad, owed: discounted + abroad})
}

// annulled: the slip was paid, and the office finds that it was wrong.
func annulled(w *town, two bool) {
	w.begin(two, "AB123CD", "IT")
	w.until(3, 18)
	w.pay(w.verbale().Position, false)
	w.flow(5)
	w.until(10, 9)
	_, err := w.office.CancelVerbaleWithResponse(w.t.Context(), townCF, string(w.slip), nil, client.CancellationRequest{Cause: "autorizzato"})
	w.must(err)
	w.run(time.Hour) // longer than it can be undone
	w.agree(want{state: cancelled, paper: slipped(two).paper, paid: discounted, open: []string{"refund.due"}})
	w.until(20, 9)
	w.refund(w.verbale().Position, discounted)
	w.agree(want{state: cancelled, paper: slipped(two).paper, paid: discounted, refunded: discounted})
}

// paidTwice: husband and wife both find the slip. Of two codes, one begins to pay
// the full one before the other has paid the discounted one.
func paidTwice(w *town, two bool) {
	w.begin(two, "AB123CD", "IT")
	w.until(3, 18)
	v := w.verbale()
	trouble, excess := "payment.double", discounted
	if two {
		trouble, excess = "payment.both_codes", reduced
		w.control("POST", "/in-progress", map[string]any{"avviso": v.Full.Avviso})
	}
	w.pay(v.Position, false)
	w.pay(carrier(v), !two)
	w.flow(5)
	w.agree(want{state: settled, paper: slipped(two).paper, paid: discounted + excess, owed: discounted, open: []string{trouble}})
	w.until(20, 9)
	w.refund(carrier(v), excess)
	w.agree(want{state: settled, paper: slipped(two).paper, paid: discounted + excess, refunded: excess, owed: discounted})
	if closed := w.discrepancies(false); !slices.ContainsFunc(closed, func(d client.Discrepancy) bool { return d.Kind == trouble }) {
		w.t.Errorf("%s was never closed", trouble)
	}
}

// TestAgreeNotices spoils one of the four books by a cent, or takes something out
// of one, and wants to hear of it: a comparison that cannot fail proves nothing.
func TestAgreeNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, client.Policy{From: date(multe.Day{Year: 2026, Month: 1, Day: 1}), Debtor: "reset", Amount: "one-code", CostsCents: costs})
		paidTwice(w, false)
		end := want{state: settled, paper: []int64{discounted}, paid: 2 * discounted, refunded: discounted, owed: discounted}
		paidAt := func(b *books) *ppaysim.Position {
			i := slices.IndexFunc(b.platform, func(p ppaysim.Position) bool { return p.State == ppaysim.Paid })
			return &b.platform[i]
		}
		for name, spoil := range map[string]func(*books){
			"":                                       func(*books) {},
			"platform: a payment":                    func(b *books) { paidAt(b).Payments[0].Cents++ },
			"platform: a code of the pool":           func(b *books) { b.platform[len(b.platform)-1].Cents++ },
			"platform: one payment less":             func(b *books) { p := paidAt(b); p.Payments = p.Payments[:1] },
			"platform: inserted twice":               func(b *books) { b.platform[0].Inserted++ },
			"register: the state":                    func(b *books) { b.verbale.State = issued },
			"register: a payment":                    func(b *books) { b.payments[0].Cents-- },
			"register: the balance":                  func(b *books) { b.money.PaidCents++ },
			"register: a refund that is not counted": func(b *books) { b.money.RefundedCents -= discounted; b.money.ExcessCents += discounted },
			"register: a refund":                     func(b *books) { b.refunds[0].Cents++ },
			"register: no refund":                    func(b *books) { b.refunds = nil },
			"register: what is owed":                 func(b *books) { b.money.OwedCents++ },
			"register: a line of the history": func(b *books) {
				id := paidAt(b).ID
				b.history[id] = slices.DeleteFunc(b.history[id], func(e client.Entry) bool { return e.Action == "payment.recorded" })
			},
			"print: the QR":             func(b *books) { b.paper.qr[0].cents++ },
			"print: the Data Matrix":    func(b *books) { b.paper.matrix[0].cents++ },
			"print: the number":         func(b *books) { b.paper.qr[0].avviso = "312260610550234341" },
			"print: no Data Matrix":     func(b *books) { b.paper.matrix = nil },
			"accounts: an entry":        func(b *books) { b.accounts.Entries[0].Cents++ },
			"accounts: the total":       func(b *books) { b.accounts.TotalCents++ },
			"accounts: a flow":          func(b *books) { b.flows[0].LinesCents-- },
			"accounts: in no flow":      func(b *books) { b.accounts.Entries[0].Match = "waiting" },
			"accounts: another verbale": func(b *books) { b.accounts.Entries[0].Reference = "PV-2" },
			"a work item is left":       func(b *books) { b.open = []string{"payment.double"} },
		} {
			b := w.books()
			b.paper.qr, b.paper.matrix = slices.Clone(b.paper.qr), slices.Clone(b.paper.matrix)
			spoil(&b)
			if found := b.differences(end); (len(found) > 0) != (name != "") {
				t.Errorf("%s: %d differences: %s", name, len(found), found)
			}
		}
	})
}

// TestAgreeNoticesABug tells a story in a service whose calendar stands still: the
// amount of the slip is never raised.
func TestAgreeNoticesABug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, client.Policy{From: date(multe.Day{Year: 2026, Month: 1, Day: 1}), Debtor: "reset", Amount: "one-code", CostsCents: costs})
		w.asleep = "reprice"
		w.begin(false, "AB123CD", "IT")
		w.until(6, 9)
		if found := w.books().differences(want{state: issued, asked: []int64{reduced}, paper: []int64{discounted}}); len(found) == 0 {
			t.Error("the platform asks for the discount after its last day, and nobody noticed")
		}
	})
}
