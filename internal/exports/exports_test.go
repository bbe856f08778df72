package exports_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/exports"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

const day = 24 * time.Hour

// office is a service with some slips in it.
type office struct {
	*webtest.World
	device multe.Device
	codes  []multe.Code
}

func open(t *testing.T) *office {
	w := webtest.New(t)
	o := &office{World: w}
	o.device, _ = w.Device(t, webtest.Torino)
	w.AddCodes(t, webtest.Torino, 20)
	codes, err := w.Pool.Lease(t.Context(), webtest.Torino, o.device.ID, multe.LeaseID(w.ID(t)), 15)
	if err != nil {
		t.Fatal(err)
	}
	o.codes = codes
	return o
}

func (o *office) issue(t *testing.T, n int, plate multe.Plate) multe.Verbale {
	t.Helper()
	k := o.codes[n]
	slip := multe.Slip{ID: multe.VerbaleID(o.ID(t)), Position: k.Position, Number: k.Number, Plate: plate, Nation: "IT", Place: "=via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta; \"vietata\""}, Warden: "M-17", IssuedAt: o.Now(),
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(o.Now()).Plus(5)}, {Cents: 4200}}}
	v, _, err := o.Verbali.Issue(t.Context(), webtest.Torino, o.device.ID, slip, multe.DigestOf([]byte(slip.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (o *office) record(t *testing.T, v multe.Verbale, debtor bool) {
	t.Helper()
	r := multe.Record{Register: "V" + string(v.Slip.ID[20:]), Cents: 5700, Causale: "Verbale"}
	if debtor {
		r.Debtor = &multe.Debtor{Surname: "Rossi", Name: "Maria", CF: "RSSMRA80A01L219X", Address: "via Roma", City: "Torino"}
	}
	if _, _, err := o.Verbali.Record(t.Context(), "operator:o", webtest.Torino, v.Slip.ID, r); err != nil {
		t.Fatal(err)
	}
}

func (o *office) hear(t *testing.T, v multe.Verbale, iur string, cents multe.Cents) {
	t.Helper()
	n := multe.Notice{Creditor: webtest.Torino, Message: iur, Payments: []multe.Payment{{IUV: v.Slip.Number.IUV(), IUR: iur, Cents: cents, PaidOn: multe.DayOf(o.Now())}}}
	o.update(t, func(tx store.Tx) error { return o.Payments.Hear(tx, n, multe.MessageID(iur), o.Now()) })
}

// approving says whether an annulment needs a second person.
func (o *office) approving(t *testing.T, yes bool) {
	t.Helper()
	o.update(t, func(tx store.Tx) error {
		c, err := tx.Creditor(webtest.Torino)
		if err != nil {
			return err
		}
		c.ApproveCancellations, c.Version = yes, c.Version+1
		return tx.PutCreditor(c)
	})
}

func (o *office) cancel(t *testing.T, v multe.Verbale) {
	t.Helper()
	if _, _, err := o.Verbali.Cancel(t.Context(), "operator:o", webtest.Torino, v.Slip.ID, multe.Cancellation{Reason: "Autotutela"}); err != nil {
		t.Fatal(err)
	}
}

func (o *office) notify(t *testing.T, v multe.Verbale) {
	t.Helper()
	n := multe.Notification{How: multe.NotifiedPEC, Day: multe.DayOf(o.Now())}
	if _, _, err := o.Verbali.Notify(t.Context(), "operator:o", webtest.Torino, v.Slip.ID, n); err != nil {
		t.Fatal(err)
	}
}

func (o *office) update(t *testing.T, fn func(store.Tx) error) {
	t.Helper()
	if err := o.Store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (o *office) report(t *testing.T, kind, subject string) {
	t.Helper()
	o.update(t, func(tx store.Tx) error { return store.Report(tx, webtest.Torino, kind, subject, "x", o.Now()) })
}

func (o *office) request(t *testing.T, k multe.ExportKind) exports.Request {
	t.Helper()
	return exports.Request{Creditor: webtest.Torino, ID: multe.ExportID(o.ID(t)), Kind: k}
}

// list makes a list and returns the plates in its file.
func (o *office) list(t *testing.T, q exports.Request) (multe.Export, string) {
	t.Helper()
	x, err := o.Exports.Make(t.Context(), "operator:o", q)
	if err != nil {
		t.Fatal(err)
	}
	_, rows, err := o.Exports.File(t.Context(), webtest.Torino, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	var plates []string
	for _, r := range rows {
		plates = append(plates, r.Plate)
	}
	slices.Sort(plates)
	if len(plates) != x.Count {
		t.Errorf("%d rows of %d", len(plates), x.Count)
	}
	return x, strings.Join(plates, " ")
}

// TestWhoIsNotified makes a list out of one act of every fate: only the ones that
// nobody paid, and that somebody can be written to, are in it.
func TestWhoIsNotified(t *testing.T) {
	o := open(t)
	fates := map[multe.Plate]func(multe.Verbale){
		"UNPAID1": func(multe.Verbale) {},
		"PAID001": func(v multe.Verbale) { o.hear(t, v, "A", 5700) },
		"SHORT01": func(v multe.Verbale) { o.hear(t, v, "B", 2940) },
		"WAIVED1": func(v multe.Verbale) {
			o.hear(t, v, "C", 2940)
			if _, err := o.Worklist.Close(t.Context(), "operator:o", webtest.Torino, multe.TroubleShort+":"+string(v.Slip.Position), multe.WorkKept, "Si chiede la differenza"); err != nil {
				t.Fatal(err)
			}
		},
		"DOUBT01": func(v multe.Verbale) { o.report(t, "position.paid_unnotified", string(v.Slip.Position)) },
		"FLOW001": func(v multe.Verbale) { o.report(t, "accounting.never_notified", v.Slip.Number.IUV()) },
		"SENT001": func(v multe.Verbale) { o.notify(t, v) },
		"ASKED01": func(v multe.Verbale) {
			o.approving(t, true)
			defer o.approving(t, false)
			o.cancel(t, v)
		},
		"VOID001": func(v multe.Verbale) {
			o.cancel(t, v)
		},
	}
	var acts []multe.Verbale
	for _, plate := range slices.Sorted(maps.Keys(fates)) {
		v := o.issue(t, len(acts), plate)
		acts = append(acts, v)
	}
	nobody := o.issue(t, len(acts), "NOBODY1")
	o.issue(t, len(acts)+1, "NOTYET1") // not recorded
	o.Pass(10 * day)
	o.record(t, nobody, false)
	o.Pass(day) // what the paper said holds through the day of the record
	for _, v := range acts {
		o.record(t, v, true)
	}
	o.Pass(day)
	for _, v := range acts {
		fates[v.Slip.Plate](v)
	}
	x, got := o.list(t, o.request(t, multe.ExportNotify))
	if got != "UNPAID1 WAIVED1" {
		t.Errorf("to notify: %s", got)
	}
	var file bytes.Buffer
	_, rows, err := o.Exports.File(t.Context(), webtest.Torino, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := exports.WriteCSV(&file, x, rows); err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.String(), "\ufeff")))
	r.Comma = ';'
	table, err := r.ReadAll()
	if err != nil || len(table) != 3 || !strings.HasPrefix(file.String(), "\ufeff") {
		t.Fatalf("%d rows, %v", len(table), err)
	}
	for i, row := range table[1:] {
		cell := map[string]string{}
		for j, name := range table[0] {
			cell[name] = row[j]
		}
		want := []string{"0,00", "29,40"}[i]
		if rows[0].Plate == "WAIVED1" {
			want = []string{"29,40", "0,00"}[i]
		}
		if cell["aggiornato_al"] != "2026-03-14 10:00:00" || cell["elenco"] != string(x.ID) || cell["luogo"] != "'=via Roma 1" || cell["fatto"] != "Sosta; \"vietata\"" ||
			cell["importo_dovuto"] != "57,00" || cell["importo_versato"] != want || cell["cognome"] != "Rossi" || len(cell["codice_avviso"]) != 18 {
			t.Errorf("row %v", cell)
		}
	}

	if _, got := o.list(t, o.request(t, multe.ExportNotify)); got != "" {
		t.Errorf("in two lists: %s", got)
	}
	again := o.request(t, multe.ExportNotify)
	again.Again = true
	if _, got := o.list(t, again); got != "UNPAID1 WAIVED1" {
		t.Errorf("asked for again: %s", got)
	}
}

// TestDeadMessageIsLookedAt ends the doubt about a notice that cannot be read when a
// person has closed what was told of it.
func TestDeadMessageIsLookedAt(t *testing.T) {
	o := open(t)
	m := multe.Message{ID: "m1", State: multe.MessageDead, Kind: "TrasmettiNotifichePagamento", Raw: []byte("x"), Problem: "message.unreadable", Received: o.Now(), Version: 1}
	trouble := multe.NewDiscrepancy("", m.Problem, string(m.ID), "x", o.Now())
	o.update(t, func(tx store.Tx) error { return errors.Join(tx.PutMessage(m), tx.PutDiscrepancy(trouble)) })
	if _, err := o.Exports.Make(t.Context(), "operator:o", o.request(t, multe.ExportNotify)); fault.Of(err).Code != "export.doubtful" {
		t.Fatalf("not looked at: %v", err)
	}
	o.update(t, func(tx store.Tx) error { return tx.PutDiscrepancy(trouble.Close(o.Now())) })
	if _, err := o.Exports.Make(t.Context(), "operator:o", o.request(t, multe.ExportNotify)); err != nil {
		t.Errorf("looked at: %v", err)
	}
}

// TestNotifyWaitsForTheSlip keeps an act that was recorded at once out of the list
// while its slip may still be paid, or its payment be on its way: the list would
// also ask for the discount of the slip.
func TestNotifyWaitsForTheSlip(t *testing.T) {
	o := open(t)
	v := o.issue(t, 0, "AB123CD")
	o.record(t, v, true)
	for range 7 {
		if _, got := o.list(t, o.request(t, multe.ExportNotify)); got != "" {
			t.Fatalf("%s in the list of %s", got, multe.DayOf(o.Now()))
		}
		o.Pass(day)
	}
	o.Pass(day)
	if _, got := o.list(t, o.request(t, multe.ExportNotify)); got != "AB123CD" {
		t.Errorf("afterwards: %q", got)
	}
}

// TestWhoIsLookedUp lists plates whose slip has had its time.
func TestWhoIsLookedUp(t *testing.T) {
	o := open(t)
	o.issue(t, 0, "UNPAID1")
	o.hear(t, o.issue(t, 1, "PAID001"), "A", 2940)
	o.hear(t, o.issue(t, 2, "SHORT01"), "B", 100)
	o.record(t, o.issue(t, 3, "RECORD1"), true)
	o.issue(t, 4, "KNOWN01")
	o.issue(t, 5, "FORMER1")
	d := multe.Debtor{Company: "Ditta", CF: "12345678901"}
	if _, err := o.Owners.Import(t.Context(), "operator:o", webtest.Torino, []owners.Owner{{Plate: "KNOWN01", Debtor: d},
		{Plate: "FORMER1", Until: multe.DayOf(o.Now()).Plus(-1), Debtor: d}}); err != nil {
		t.Fatal(err)
	}
	o.Pass(7 * day)
	if _, got := o.list(t, o.request(t, multe.ExportLookup)); got != "" {
		t.Errorf("on the seventh day: %s", got)
	}
	o.Pass(day)
	o.issue(t, 6, "YOUNG01")
	x, got := o.list(t, o.request(t, multe.ExportLookup))
	if got != "FORMER1 UNPAID1" {
		t.Errorf("on the eighth day: %s", got)
	}
	_, rows, err := o.Exports.File(t.Context(), webtest.Torino, x.ID)
	if err != nil || rows[0].Debtor != nil || rows[0].Warden != "" {
		t.Errorf("more than is needed: %+v, %v", rows[0], err)
	}
}

// TestInbox makes no list while money lies unworked or unread.
func TestInbox(t *testing.T) {
	o := open(t)
	v := o.issue(t, 0, "UNPAID1")
	o.Pass(9 * day)
	o.record(t, v, true)
	put := func(id string, s multe.MessageState, kind string) {
		o.update(t, func(tx store.Tx) error {
			return tx.PutMessage(multe.Message{ID: multe.MessageID(id), State: s, Kind: kind, Tries: 3, Received: o.Now(), Changed: o.Now(), Version: 1})
		})
	}
	put("m1", multe.MessageNew, "TrasmettiRT") // tells of no money
	put("m2", multe.MessageNew, "TrasmettiNotifichePagamento")
	q := o.request(t, multe.ExportNotify)
	if _, err := o.Exports.Make(t.Context(), "operator:o", q); fault.Of(err).Code != "export.unworked" || !errors.Is(err, fault.Unavailable) {
		t.Errorf("with a notification that is pausing: %v", err)
	}
	o.Pass(time.Hour) // it is tried again, and nobody can read it
	if _, err := o.Exports.Make(t.Context(), "operator:o", q); fault.Of(err).Code != "export.doubtful" {
		t.Errorf("with a notification that nobody can read: %v", err)
	}
	q.Despite = true
	if x, err := o.Exports.Make(t.Context(), "operator:o", q); err != nil || x.Count != 1 {
		t.Errorf("%+v, %v", x, err)
	}
	for _, kind := range []string{multe.TroubleUnread, multe.TroubleMismatch} {
		o := open(t)
		o.report(t, kind, "m")
		if _, err := o.Exports.Make(t.Context(), "operator:o", o.request(t, multe.ExportNotify)); fault.Of(err).Code != "export.doubtful" {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestFileOfThePaid refuses a file in which somebody has paid meanwhile, and tells
// a person; withdrawn, the rest can be in another list.
func TestFileOfThePaid(t *testing.T) {
	o := open(t)
	a, b, c := o.issue(t, 0, "AAAAAA1"), o.issue(t, 1, "BBBBBB1"), o.issue(t, 2, "CCCCCC1")
	o.Pass(9 * day)
	for _, v := range []multe.Verbale{a, b, c} {
		o.record(t, v, true)
	}
	q := o.request(t, multe.ExportNotify)
	x, got := o.list(t, q)
	if got != "AAAAAA1 BBBBBB1 CCCCCC1" {
		t.Fatal(got)
	}
	if again, err := o.Exports.Make(t.Context(), "operator:p", q); err != nil || again != x {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if _, err := o.Exports.Make(t.Context(), "operator:o", exports.Request{Creditor: webtest.Torino, ID: q.ID, Kind: multe.ExportLookup}); !errors.Is(err, fault.Conflict) {
		t.Errorf("another list under the same id: %v", err)
	}
	o.Pass(2 * day)
	o.hear(t, a, "A", 5700)
	o.cancel(t, b)
	if _, _, err := o.Exports.File(t.Context(), webtest.Torino, x.ID); fault.Of(err).Code != "export.stale" {
		t.Errorf("a file with somebody who paid: %v", err)
	}
	_, lines, err := o.Exports.Lines(t.Context(), webtest.Torino, x.ID, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	outs := map[multe.Plate]string{}
	for _, l := range lines {
		outs[l.Verbale.Slip.Plate] = l.Out
	}
	if outs["AAAAAA1"] != exports.OutState || outs["BBBBBB1"] != exports.OutState || outs["CCCCCC1"] != "" {
		t.Errorf("lines: %+v", len(lines))
	}
	want := []string{string(a.Slip.ID), string(b.Slip.ID)}
	slices.Sort(want)
	if got := o.recalled(t); got != strings.Join(want, " ") {
		t.Errorf("recalled %s", got)
	}
	for range 2 {
		if w, err := o.Exports.Withdraw(t.Context(), "operator:o", webtest.Torino, x.ID); err != nil || !w.Withdrawn {
			t.Fatal(err)
		}
	}
	if got := o.recalled(t); got != "" {
		t.Errorf("still recalled %s", got)
	}
	if _, _, err := o.Exports.File(t.Context(), webtest.Torino, x.ID); fault.Of(err).Code != "export.withdrawn" {
		t.Errorf("a withdrawn file: %v", err)
	}
	if _, got := o.list(t, o.request(t, multe.ExportNotify)); got != "CCCCCC1" {
		t.Errorf("in the next list: %s", got)
	}
	if _, err := o.Exports.Get(t.Context(), webtest.Alba, x.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("another creditor's list: %v", err)
	}
	all, err := o.Exports.List(t.Context(), webtest.Torino, "", 10)
	if err != nil || len(all) != 2 {
		t.Errorf("%d lists, %v", len(all), err)
	}
}

// TestChangedSinceTheList refuses a file that would say something else today.
func TestChangedSinceTheList(t *testing.T) {
	o := open(t)
	v := o.issue(t, 0, "AAAAAA1")
	o.Pass(9 * day)
	o.record(t, v, true)
	x, _ := o.list(t, o.request(t, multe.ExportNotify))
	now, _, err := o.Verbali.Get(t.Context(), webtest.Torino, v.Slip.ID)
	if err != nil {
		t.Fatal(err)
	}
	r := *now.Record
	r.Debtor = &multe.Debtor{Surname: "Verdi", Name: "Ugo", CF: "VRDGUO80A01L219X"}
	if _, _, err := o.Verbali.Correct(t.Context(), "operator:o", webtest.Torino, v.Slip.ID, r, "Intestatario sbagliato"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Exports.File(t.Context(), webtest.Torino, x.ID); fault.Of(err).Code != "export.stale" {
		t.Errorf("a file with who owned it before: %v", err)
	}
}

// TestPaidAfterWithdrawal recalls nothing from a list that was not used.
func TestPaidAfterWithdrawal(t *testing.T) {
	o := open(t)
	v := o.issue(t, 0, "AAAAAA1")
	o.Pass(9 * day)
	o.record(t, v, true)
	x, _ := o.list(t, o.request(t, multe.ExportNotify))
	if _, err := o.Exports.Withdraw(t.Context(), "operator:o", webtest.Torino, x.ID); err != nil {
		t.Fatal(err)
	}
	o.Pass(day)
	o.hear(t, v, "A", 5700)
	if got := o.recalled(t); got != "" {
		t.Errorf("recalled %s", got)
	}
}

// TestLongList leaves for the next list what one does not take.
func TestLongList(t *testing.T) {
	o := open(t)
	o.update(t, func(tx store.Tx) error {
		for i := range exports.MaxLines + 3 {
			id := fmt.Sprintf("%032x", i+1)
			slip := multe.Slip{ID: multe.VerbaleID(id), Position: multe.PositionID(id), Plate: "AB123CD", IssuedAt: o.Now(), Steps: []multe.Step{{Cents: 4200}}}
			v := multe.IssueVerbale(webtest.Torino, "d", slip, multe.Digest{1}, o.Now())
			if err := errors.Join(tx.PutVerbale(v), tx.PutCode(multe.Code{Creditor: webtest.Torino, Position: slip.Position, State: multe.CodeActive, Version: 1})); err != nil {
				return err
			}
		}
		return nil
	})
	o.Pass(8 * day)
	for i, want := range []int{exports.MaxLines, 3, 0} {
		x, _ := o.list(t, o.request(t, multe.ExportLookup))
		if x.Count != want || x.More != (i == 0) {
			t.Errorf("list %d: %d, more %v", i, x.Count, x.More)
		}
	}
}

// TestPaidAfterNotification recalls nothing: who pays what was notified was not
// chased.
func TestPaidAfterNotification(t *testing.T) {
	o := open(t)
	v := o.issue(t, 0, "AAAAAA1")
	o.Pass(9 * day)
	o.record(t, v, true)
	o.list(t, o.request(t, multe.ExportNotify))
	o.Pass(3 * day)
	o.notify(t, v)
	o.Pass(day)
	o.hear(t, v, "A", 5700)
	if got := o.recalled(t); got != "" {
		t.Errorf("recalled %s", got)
	}
}

// recalled lists the acts that are not to be notified.
func (o *office) recalled(t *testing.T) string {
	t.Helper()
	list, err := o.Discrepancies(t.Context(), webtest.Torino, true, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range list {
		if d.Kind == multe.TroubleRecall {
			ids = append(ids, d.Subject)
		}
	}
	return strings.Join(ids, " ")
}

// TestPaidWhileTheListIsMade lets money come between the search and the list: the
// inbox is worked in the middle, as another request would.
func TestPaidWhileTheListIsMade(t *testing.T) {
	o := open(t)
	v := o.issue(t, 0, "AAAAAA1")
	o.Pass(9 * day)
	o.record(t, v, true)
	o.Pass(day)
	racing := &racer{Store: o.Store, between: func() { o.hear(t, v, "A", 5700) }}
	e := exports.New(racing, o.Now, func(context.Context) error { return nil })
	x, err := e.Make(t.Context(), "operator:o", o.request(t, multe.ExportNotify))
	if err != nil || x.Count != 0 || racing.between != nil {
		t.Errorf("%+v, %v", x, err)
	}
}

// racer does something before the first update.
type racer struct {
	store.Store
	between func()
}

func (r *racer) Update(ctx context.Context, fn func(store.Tx) error) error {
	if b := r.between; b != nil {
		r.between = nil
		b()
	}
	return r.Store.Update(ctx, fn)
}
