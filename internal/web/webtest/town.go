package webtest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// What a large town has, besides its verbali.
const (
	townVersion = 2 // a change of what is made here is another: towns are kept between runs
	townYears   = 3
	townDevices = 60
	townHeld    = 100    // codes in hand, of every other handheld, since days
	townPool    = 800    // codes available
	townPlates  = 40_000 // the cars of a town; some are fined more often
	townPeople  = 30
	townKept    = 10_000 // verbali from which on making a town takes longer than copying it
)

// BusyPlate is on one verbale in 250 of a [Town]: a van of deliveries.
const BusyPlate = multe.Plate("ZZ999ZZ")

// Town is a World in which Torino has issued so many verbali in the three years
// up to now, with their codes, changes, payments, flows, receipts, messages,
// refunds, papers and history: what pages and lists cost when the service is no
// longer new. Nothing in it depends on chance. A large one is made once, in the
// machine's folder for temporary files, and each caller gets a copy.
func Town(t testing.TB, verbali int) *World {
	t.Helper()
	mine := filepath.Join(t.TempDir(), "store.db")
	if verbali < townKept {
		if err := build(t, mine, verbali); err != nil {
			t.Fatal(err)
		}
		return on(t, mine)
	}
	kept := filepath.Join(os.TempDir(), fmt.Sprintf("preavviso-town-v%d-%d.db", townVersion, verbali))
	if _, err := os.Stat(kept); err != nil {
		began := time.Now()
		fresh := filepath.Join(t.TempDir(), "town.db")
		if err := build(t, fresh, verbali); err != nil {
			t.Fatal(err)
		}
		if err := copyFile(kept, fresh); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(kept)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a town of %d verbali made in %v: %s, %d MB", verbali, time.Since(began).Round(time.Second), kept, info.Size()>>20)
	}
	if err := copyFile(mine, kept); err != nil {
		t.Fatal(err)
	}
	return on(t, mine)
}

// copyFile makes a copy that is there whole or not at all.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), "town-*.part")
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Close()
	}
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		os.Remove(out.Name())
	}
	return err
}

// town is one that is being made.
type town struct {
	rnd    *rand.Rand
	random *Random
	ids    error // of the first id that could not be made
	puts   []func(store.Tx) error
	later  map[multe.Day][]multe.AuditEntry
	paid   map[multe.Day][]multe.Payment // by the day on which the money is transferred
	n      int
	recs   int // recorded
}

func build(t testing.TB, path string, verbali int) error {
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	w := &town{rnd: rand.New(rand.NewPCG(1, 2)), random: &Random{c: rand.NewChaCha8([32]byte{9})},
		later: map[multe.Day][]multe.AuditEntry{}, paid: map[multe.Day][]multe.Payment{}}
	flush := func() error {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			for _, put := range w.puts {
				if err := put(tx); err != nil {
					return err
				}
			}
			return nil
		})
		w.puts = nil
		return err
	}
	today := multe.DayOf(start)
	first := today.Plus(-365 * townYears)
	w.settle(first)
	for d := first; d.Compare(today) <= 0; d = d.Plus(1) {
		w.day(d, verbali*(1+daysBetween(first, d))/(1+daysBetween(first, today)))
		if len(w.puts) > 20_000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	w.now()
	if w.ids != nil {
		return w.ids
	}
	return flush()
}

func daysBetween(a, b multe.Day) int { return int(b.Start().Sub(a.Start()).Hours()+12) / 24 }

func (w *town) put(fn func(store.Tx) error) { w.puts = append(w.puts, fn) }

func (w *town) id(at time.Time) string {
	id, err := multe.NewID(at, w.random)
	if err != nil && w.ids == nil {
		w.ids = err
	}
	return id
}

func deviceOf(n int) multe.DeviceID { return multe.DeviceID(fmt.Sprintf("d%031x", n)) }

func personOf(n int) multe.OperatorID { return multe.OperatorID(fmt.Sprintf("e%031x", n)) }

// settle puts who and what there is before the first slip.
func (w *town) settle(first multe.Day) {
	at := multe.Instant(first.Start())
	for id, name := range map[multe.CreditorID]string{Torino: "Comune di Torino", Alba: "Comune di Alba"} {
		w.put(func(tx store.Tx) error {
			return tx.PutCreditor(multe.Creditor{ID: id, Name: name, CodiceVersamento: "PM01", PoolLow: 200, PoolTarget: 1000, Version: 1, Changed: at})
		})
	}
	for i := range townDevices {
		w.put(func(tx store.Tx) error {
			return tx.PutDevice(multe.Device{Creditor: Torino, ID: deviceOf(i), Name: fmt.Sprintf("Palmare %d", i+1), State: multe.DeviceEnrolled,
				Token: multe.DigestOf([]byte(deviceOf(i))), Version: 1, Changed: at})
		})
	}
	for i := range townPeople {
		w.put(func(tx store.Tx) error {
			return tx.PutOperator(multe.Operator{Creditor: Torino, ID: personOf(i), Name: fmt.Sprintf("Persona %d", i+1), Role: multe.RoleAddetto,
				Login: fmt.Sprintf("persona%d@example.it", i+1), Version: 1, Changed: at})
		})
	}
}

// day makes verbali until there are so many, and writes down what else happened.
func (w *town) day(d multe.Day, until int) {
	begin := d.Start()
	leases := map[multe.DeviceID]*multe.Lease{}
	for w.n < until {
		dev := deviceOf((daysBetween(multe.Day{Year: 2020, Month: 1, Day: 1}, d) + w.rnd.IntN(12)) % townDevices)
		if leases[dev] == nil {
			leases[dev] = &multe.Lease{Creditor: Torino, Device: dev, ID: multe.LeaseID(w.id(begin)), Want: 20, At: multe.Instant(begin.Add(7 * time.Hour)), Version: 1}
		}
		at := begin.Add(8*time.Hour + time.Duration(w.rnd.IntN(11*3600))*time.Second)
		if at.After(start) {
			at = start.Add(-time.Minute)
		}
		leases[dev].Positions = append(leases[dev].Positions, w.verbale(dev, leases[dev].ID, at))
	}
	for _, l := range leases {
		w.put(func(tx store.Tx) error { return tx.PutLease(*l) })
	}
	w.flows(d)
	lines := w.later[d]
	delete(w.later, d)
	for range 40 { // people look at things all day
		at := begin.Add(8*time.Hour + time.Duration(w.rnd.IntN(9*3600))*time.Second)
		lines = append(lines, multe.AuditEntry{Creditor: Torino, At: multe.Instant(at), Actor: "operator:" + string(personOf(w.rnd.IntN(townPeople))), Action: "seen.verbale", Subject: w.id(at)})
	}
	slices.SortStableFunc(lines, func(a, b multe.AuditEntry) int { return a.At.Compare(b.At) })
	for _, e := range lines {
		if !e.At.After(start) {
			w.put(func(tx store.Tx) error { return tx.AppendAudit(e) })
		}
	}
}

// audit writes a line down for its day.
func (w *town) audit(at time.Time, actor, action string, p multe.PositionID, subject, from, to string) {
	d := multe.DayOf(at)
	w.later[d] = append(w.later[d], multe.AuditEntry{Creditor: Torino, At: multe.Instant(at), Actor: actor, Action: action, Position: p, Subject: subject, From: from, To: to})
}

// code is the nth code of the town.
func code(n int) avviso.Number {
	head := fmt.Sprintf("3%015d", 1_000_000+n)
	number, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
	if err != nil {
		panic(err) // impossible: 16 digits and their check
	}
	return number
}

func plateOf(n int) multe.Plate {
	const letters = "ABCDEFGHJKLMNPRSTVWXYZ"
	l := func(i int) byte { return letters[n/i%len(letters)] }
	return multe.Plate(fmt.Sprintf("%c%c%03d%c%c", l(1), l(22), n%1000, l(7), l(301)))
}

var (
	townStreets = []string{"via Roma", "corso Vittorio Emanuele II", "piazza San Carlo", "via Po", "corso Regina Margherita", "via dell'Università", "lungo Po Cadorna"}
	townFines   = []struct {
		v    multe.Violation
		full multe.Cents
	}{
		{multe.Violation{Code: "158-2", Norm: "art. 158 c. 2 CdS", Conduct: "Sostava in corrispondenza di un passo carrabile"}, 4200},
		{multe.Violation{Code: "157-8", Norm: "art. 157 c. 8 CdS", Conduct: "Sostava oltre il tempo consentito, senza disco orario"}, 2900},
		{multe.Violation{Code: "188-5", Norm: "art. 188 c. 5 CdS", Conduct: "Sostava nello spazio riservato ai veicoli delle persone invalide"}, 16_800},
		{multe.Violation{Code: "7-14", Norm: "art. 7 c. 14 CdS", Conduct: "Circolava nella zona a traffico limitato senza autorizzazione"}, 8300},
	}
)

// verbale makes one and its whole life up to now. It returns its position.
func (w *town) verbale(dev multe.DeviceID, lease multe.LeaseID, at time.Time) multe.PositionID {
	n := w.n
	w.n++
	at = multe.Instant(at)
	id, pos, number := multe.VerbaleID(w.id(at)), multe.PositionID(w.id(at.Add(-240*time.Hour))), code(n)
	plate := plateOf(w.rnd.IntN(townPlates))
	if n%250 == 7 {
		plate = BusyPlate
	}
	f := townFines[w.rnd.IntN(len(townFines))]
	day := multe.DayOf(at)
	slip := multe.Slip{ID: id, Position: pos, Number: number, Reference: fmt.Sprintf("%d.%07d", day.Year, n), Plate: plate, Nation: "IT", Vehicle: "autovettura bianca",
		Place: fmt.Sprintf("%s %d", townStreets[w.rnd.IntN(len(townStreets))], 1+w.rnd.IntN(200)), Violation: f.v, Warden: fmt.Sprintf("M-%d", 1+w.rnd.IntN(80)), IssuedAt: at,
		Steps: []multe.Step{{Cents: f.full * 7 / 10, LastDay: day.Plus(5)}, {Cents: f.full}}}
	k := multe.Code{Creditor: Torino, Position: pos, Number: number, State: multe.CodeActive, Device: dev, Lease: lease, Verbale: id, UpstreamCents: f.full,
		Payable: at.Add(10 * time.Minute), Version: 1, Changed: at.Add(10 * time.Minute)}
	v := multe.Verbale{Creditor: Torino, Device: dev, Slip: slip, Digest: multe.DigestOf([]byte(id)), ReceivedAt: at.Add(time.Minute), State: multe.VerbaleIssued, Version: 1, Changed: at}

	asked := at.Add(-240 * time.Hour)
	actor := "device:" + string(dev)
	w.change(k, 1, multe.ChangeRequest, multe.ChangeApplied, asked, multe.Desired{})
	for _, e := range []multe.AuditEntry{
		{At: at.Add(-3 * time.Hour), Actor: actor, Action: "code.assigned", Subject: string(lease), From: "available", To: "assigned"},
		{At: at.Add(time.Minute), Actor: actor, Action: "verbale.issued", Subject: string(id), To: "issued"},
		{At: at.Add(time.Minute), Actor: actor, Action: "code.issued", Subject: string(id), From: "assigned", To: "issued"},
		{At: at.Add(2 * time.Minute), Actor: "loop:dispatch", Action: "change.sealed", Subject: string(pos) + "-0002", From: "waiting", To: "sealed"},
		{At: at.Add(10 * time.Minute), Actor: "piemontepay", Action: "change.applied", Subject: string(pos) + "-0002", From: "queued", To: "applied"},
		{At: at.Add(10 * time.Minute), Actor: "piemontepay", Action: "code.payable", Subject: string(pos) + "-0002", From: "issued", To: "active"},
	} {
		w.audit(e.At, e.Actor, e.Action, pos, e.Subject, e.From, e.To)
	}
	state := multe.ChangeApplied
	if at.Add(10 * time.Minute).After(start) {
		k.State, state = multe.CodeIssued, multe.ChangeWaiting
	}
	w.change(k, 2, multe.ChangeActivate, state, at.Add(time.Minute), multe.Desired{Cents: f.full, Causale: multe.CausaleOfSlip(slip)})

	pay := func(when time.Time, cents multe.Cents) {
		if when.After(start) {
			return
		}
		v.State, k.State = multe.VerbaleSettled, multe.CodePaid
		w.payment(v, when, cents)
	}
	record := func(when time.Time) bool {
		if when.After(start) {
			return false
		}
		w.recs++
		v.State = multe.VerbaleFinalised
		v.Record = &multe.Record{Register: fmt.Sprintf("V/%d/%06d", day.Year, w.recs), Cents: f.full + 1500, Causale: multe.CausaleOfSlip(slip), Debtor: owner(w.rnd.IntN(townPlates)),
			At: multe.Instant(when), On: multe.DayOf(when), CostsCents: 1500, By: "operator:" + string(personOf(3))}
		w.audit(when, "operator:"+string(personOf(n%townPeople)), "verbale.recorded", pos, string(id), "issued", "finalised")
		w.change(k, 3, multe.ChangeUpdate, multe.ChangeApplied, when, multe.Desired{Cents: f.full + 1500, Debtor: v.Record.Debtor, Causale: v.Record.Causale})
		w.put(func(tx store.Tx) error {
			return tx.PutPrint(multe.Print{Creditor: Torino, ID: multe.PrintID(id), Verbale: id, Kind: multe.PrintVerbale, Copy: 1, Actor: v.Record.By, At: multe.Instant(when),
				Face: multe.PrintFace{Register: v.Record.Register, Debtor: v.Record.Debtor, Full: f.full, Costs: 1500, Number: number}, Drawing: 1, Version: 1})
		})
		return true
	}
	switch fate := w.rnd.IntN(100); {
	case fate < 40:
		pay(at.Add(time.Duration(1+w.rnd.IntN(4*24))*time.Hour), f.full*7/10)
	case fate < 58:
		pay(at.Add(time.Duration(6*24+w.rnd.IntN(50*24))*time.Hour), f.full)
	case fate < 61:
		if when := at.Add(96 * time.Hour); !when.After(start) {
			v.State, k.State, v.Was, v.Reason = multe.VerbaleCancelled, multe.CodeVoid, multe.VerbaleIssued, "Veicolo con contrassegno invalidi"
			w.audit(when, "operator:"+string(personOf(2)), "verbale.cancelled", pos, string(id), "issued", "cancelled")
		}
	default:
		when := at.Add(time.Duration(60*24+w.rnd.IntN(25*24)) * time.Hour)
		if record(when) && fate < 80 {
			pay(when.Add(time.Duration(20*24+w.rnd.IntN(40*24))*time.Hour), f.full+1500)
		}
	}
	w.put(func(tx store.Tx) error { return tx.PutCode(k) })
	w.put(func(tx store.Tx) error { return tx.PutVerbale(v) })
	return pos
}

func owner(n int) *multe.Debtor {
	return &multe.Debtor{Surname: fmt.Sprintf("Rossi%d", n%977), Name: "Maria", CF: "RSSMRA80A01L219M", Address: "Via Roma", Civico: fmt.Sprint(n % 200), CAP: "10121", City: "Torino", Province: "TO", Nation: "IT"}
}

func (w *town) change(k multe.Code, seq int, kind multe.ChangeKind, s multe.ChangeState, at time.Time, want multe.Desired) {
	ch := multe.NewChange(Torino, k.Position, seq, kind, want, at)
	ch.State = s
	if seq > 1 {
		ch.Verbale = k.Verbale
	}
	if s == multe.ChangeApplied {
		ch.Code = "000"
	}
	w.put(func(tx store.Tx) error { return tx.PutChange(ch) })
}

// payment puts a payment, what it was told by, its receipt and its line of a flow.
func (w *town) payment(v multe.Verbale, when time.Time, cents multe.Cents) {
	when = multe.Instant(when)
	iuv, iur, pos := v.Slip.Number.IUV(), fmt.Sprintf("IUR%012d", w.n), v.Slip.Position
	xml := fmt.Appendf(nil, "<RT><datiPagamento><identificativoUnivocoVersamento>%s</identificativoUnivocoVersamento></datiPagamento>%0300d</RT>", iuv, 0)
	m := multe.Message{ID: multe.MessageID(w.id(when)), State: multe.MessageDone, Kind: "TrasmettiRT", Received: when, Version: 1, Changed: when}
	m.Raw = envelope("TrasmettiRT", "<n:CorpoRT><n:ElencoRT><n:RT><n:Id>T"+iuv+"</n:Id><n:XML>"+base64.StdEncoding.EncodeToString(xml)+"</n:XML></n:RT></n:ElencoRT></n:CorpoRT>")
	m.Digest = multe.DigestOf(m.Raw)
	p := multe.Payment{Creditor: Torino, IUV: iuv, IUR: iur, Number: v.Slip.Number, Position: pos, Verbale: v.Slip.ID, Cents: cents, PaidOn: multe.DayOf(when), PSP: "BCITITMM",
		PSPName: "Banca di Esempio", Message: m.ID, Received: when, Version: 1}
	r := multe.Receipt{Creditor: Torino, IUV: iuv, Digest: multe.DigestOf(xml), XML: xml, Outcome: "0", Cents: cents, IUR: iur, PSP: p.PSP, PSPName: p.PSPName, PaidOn: p.PaidOn, Message: m.ID, Received: when, Version: 1}
	w.put(func(tx store.Tx) error { return tx.PutMessage(m) })
	w.put(func(tx store.Tx) error { return tx.PutPayment(p) })
	w.put(func(tx store.Tx) error { return tx.PutReceipt(r) })
	w.audit(when, "piemontepay", "payment.received", pos, iuv, "", "")
	w.audit(when, "piemontepay", "code.paid", pos, iuv, "active", "paid")
	w.audit(when, "piemontepay", "verbale.settled", pos, string(v.Slip.ID), "issued", "settled")
	w.paid[p.PaidOn.Plus(1)] = append(w.paid[p.PaidOn.Plus(1)], p)
	if w.n%100 == 0 {
		x := multe.Refund{Creditor: Torino, ID: multe.RefundID(w.id(when)), IUV: iuv, Verbale: v.Slip.ID, Cents: 100, RefundedOn: p.PaidOn, Reason: "pagato in eccesso", Mandate: "M-1", By: "operator:x", At: when, Version: 1}
		w.put(func(tx store.Tx) error { return tx.PutRefund(x) })
	}
}

// envelope is a message of PiemontePAY for Torino.
func envelope(name, content string) []byte {
	return fmt.Appendf(nil, `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><n:%[1]sRequest xmlns:n="http://www.csi.it/epay/epaywso/epaywso2enti/types">`+
		`<n:Testata><n:CFEnteCreditore>%[2]s</n:CFEnteCreditore></n:Testata>%[3]s</n:%[1]sRequest></S:Body></S:Envelope>`, name, Torino, content)
}

// flows puts the transfers of a day: one for each of three banks.
func (w *town) flows(d multe.Day) {
	paid := w.paid[d]
	delete(w.paid, d)
	at := multe.Instant(d.Start().Add(5 * time.Hour))
	for bank := range 3 {
		name := fmt.Sprintf("%sBCITITMM-%d", d, bank)
		f := multe.Flusso{Creditor: Torino, ID: multe.NewFlussoID("BCITITMM", name), Received: at, Version: 1, Changed: at,
			FlussoHead: multe.FlussoHead{Kind: multe.FlussoCompleto, PSP: "BCITITMM", PSPName: "Banca di Esempio", Name: name, TRN: "TRN" + name, SettledOn: d}}
		for i := bank; i < len(paid); i += 3 {
			f.Lines++
			f.LinesCents += paid[i].Cents
			l := multe.FlussoLine{Creditor: Torino, Flusso: f.ID, N: f.Lines, Version: 1,
				FlussoRow: multe.FlussoRow{IUV: paid[i].IUV, IUR: paid[i].IUR, Index: 1, Cents: paid[i].Cents, Outcome: multe.FlussoPaid, PaidOn: paid[i].PaidOn}}
			w.put(func(tx store.Tx) error { return tx.PutFlussoLine(l) })
		}
		f.Count, f.Cents = f.Lines, f.LinesCents
		w.put(func(tx store.Tx) error { return tx.PutFlusso(f) })
	}
}

// now puts what waits this morning: codes, changes, troubles, lists, a dead message.
func (w *town) now() {
	at := multe.Instant(start.Add(-60 * time.Hour)) // handhelds said nothing over the weekend
	n := 10_000_000
	more := func(s multe.CodeState, dev multe.DeviceID) multe.Code {
		n++
		k := multe.Code{Creditor: Torino, Position: multe.PositionID(w.id(at)), Number: code(n), State: s, Device: dev, Version: 1, Changed: at}
		w.put(func(tx store.Tx) error { return tx.PutCode(k) })
		return k
	}
	for range townPool {
		w.change(more(multe.CodeAvailable, ""), 1, multe.ChangeRequest, multe.ChangeApplied, at, multe.Desired{})
	}
	for i := range townDevices {
		for range townHeld * (i % 2) {
			more(multe.CodeAssigned, deviceOf(i))
		}
		for range i % 7 {
			more(multe.CodeQuarantined, deviceOf(i))
		}
	}
	for i := range 600 { // some leave now, some on their day
		k := more(multe.CodeRequested, "")
		ch := multe.NewChange(Torino, k.Position, 1, multe.ChangeRequest, multe.Desired{}, start.Add(time.Duration(i-300)*time.Hour))
		w.put(func(tx store.Tx) error { return tx.PutChange(ch) })
	}
	for i := range 600 {
		kinds := []string{multe.TroubleDouble, multe.TroubleShort, multe.TroubleUnknownIUV, "code.spoiled"}
		d := multe.NewDiscrepancy(Torino, kinds[i%len(kinds)], code(i*97).IUV(), "Il pagamento è arrivato due volte: rimborsare.", start.Add(-time.Duration(i)*time.Hour))
		if i >= 150 {
			d.Open, d.Closed = false, multe.Closure{By: "operator:x", Outcome: multe.WorkDone, Note: "fatto", At: multe.Instant(start)}
		}
		w.put(func(tx store.Tx) error { return tx.PutDiscrepancy(d) })
	}
	for i := range 12 * townYears {
		x := multe.Export{Creditor: Torino, ID: multe.ExportID(w.id(start.AddDate(0, -i, 0))), Kind: multe.ExportNotify, At: multe.Instant(start.AddDate(0, -i, 0)), By: "operator:x", Count: 200, Version: 1, Changed: at}
		w.put(func(tx store.Tx) error { return tx.PutExport(x) })
		for l := range x.Count {
			w.put(func(tx store.Tx) error {
				return tx.PutExportLine(multe.ExportLine{Creditor: Torino, Export: x.ID, N: l + 1, Verbale: multe.VerbaleID(hex.EncodeToString([]byte(fmt.Sprintf("%016d", l)))), Version: 1})
			})
		}
	}
	dead := multe.Message{ID: multe.MessageID(w.id(at)), State: multe.MessageDead, Kind: "TrasmettiRT", Raw: envelope("TrasmettiAvvisiScaduti", "<n:odd/>"), Received: at, Problem: "message.odd", Version: 1, Changed: at}
	w.put(func(tx store.Tx) error { return tx.PutMessage(dead) })
}
