package verbali_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/verbali"
)

// lawCase is one case of testdata/legge.txt.
type lawCase struct {
	title, options string
	rows           []lawRow
}

type lawRow struct {
	day   multe.Day
	event string
	want  string
}

func lawCases(t *testing.T) (cases []lawCase) {
	t.Helper()
	data, err := os.ReadFile("testdata/legge.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "== "); ok {
			i := strings.LastIndex(title, ": ")
			cases = append(cases, lawCase{title: title[:i], options: title[i+2:]})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "|")
		day, err := multe.ParseDay(strings.TrimSpace(cells[0]))
		if err != nil || len(cells) != 4 {
			t.Fatalf("%q is no row: %v", line, err)
		}
		c := &cases[len(cases)-1]
		c.rows = append(c.rows, lawRow{day, strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
	}
	return cases
}

// clerk is the office and the platform of one case: a creditor of its own.
type clerk struct {
	t     *testing.T
	v     *verbali.Verbali
	store store.Store
	clock *time.Time
	c     multe.CreditorID
	lawCase
	id     multe.VerbaleID
	device multe.DeviceID
	n      int
	codes  []multe.PositionID // first, second if the slip has two
	costs  multe.Cents
}

func (k *clerk) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%s, %s: %v", k.title, multe.DayOf(*k.clock), err)
	}
}

func euro(t *testing.T, s string) multe.Cents {
	t.Helper()
	var e, c int64
	if _, err := fmt.Sscanf(s, "%d,%2d", &e, &c); err != nil {
		t.Fatalf("%q is no amount: %v", s, err)
	}
	return multe.Cents(e*100 + c)
}

// do is what happens on a day of the table.
func (k *clerk) do(event string) {
	t, ctx := k.t, k.t.Context()
	today := multe.DayOf(*k.clock)
	has := func(o string) bool { return strings.Contains(k.options, o) }
	word, rest, _ := strings.Cut(event, " ")
	var err error
	switch word {
	case "":
	case "preavviso":
		fine := k.fine()
		s := multe.Slip{ID: k.id, Position: k.codes[0], Number: k.number(0), Plate: "AB123CD", Nation: "IT", Place: "Via Roma 1",
			Violation: multe.Violation{Norm: "art. 158 CdS", Conduct: "Sosta"}, Warden: "17", IssuedAt: *k.clock, Steps: []multe.Step{{Cents: fine.Reduced}}}
		if last, ok := strings.CutPrefix(rest, "fino al "); ok {
			day, err := multe.ParseDay(last)
			k.must(err)
			s.Steps = []multe.Step{{Cents: fine.Discounted, LastDay: day}, {Cents: fine.Reduced}}
		}
		if has("due codici") {
			s.Full = &multe.SlipCode{Position: k.codes[1], Number: k.number(1)}
		}
		_, _, err = k.v.Issue(ctx, k.c, k.device, s, multe.DigestOf([]byte(k.id)))
	case "registrato":
		_, _, err = k.v.Record(ctx, "operator:1", k.c, k.id, k.record(rest))
	case "consegna", "pec", "send", "giacenza":
		day, perr := multe.ParseDay(rest)
		k.must(perr)
		_, _, err = k.v.Notify(ctx, "operator:1", k.c, k.id, multe.Notification{How: multe.NotificationHow(word), Day: day})
	case "spese":
		k.costs = euro(t, rest)
		r := k.record("")
		v, _, gerr := k.v.Get(ctx, k.c, k.id)
		k.must(gerr)
		r.Notification = v.Record.Notification
		_, _, err = k.v.Correct(ctx, "operator:1", k.c, k.id, r, "Spese errate")
	case "notifica":
		_, _, err = k.v.Correct(ctx, "operator:1", k.c, k.id, k.record(""), "Notifica di un altro verbale")
	case "ricorso":
		day, perr := multe.ParseDay(rest)
		k.must(perr)
		_, _, err = k.v.Appeal(ctx, "operator:1", k.c, k.id, multe.Appeal{Authority: multe.AuthorityPrefetto, Number: "1", Day: day})
	case "respinto", "rinuncia", "accolto":
		r := multe.Ruling{Verdetto: multe.Verdetto(word), Day: today}
		if rest != "" {
			r.Cents = euro(t, rest)
		}
		_, _, err = k.v.Rule(ctx, "operator:1", k.c, k.id, r)
	case "archiviato":
		c, cerr := multe.NewCancellation(multe.CancelArchiviazione, "duplicato", "")
		k.must(cerr)
		_, _, err = k.v.Cancel(ctx, "operator:1", k.c, k.id, c)
	case "pagato":
		err = k.store.Update(ctx, func(tx store.Tx) error {
			v, err := tx.Verbale(k.c, k.id)
			if err != nil {
				return err
			}
			code, err := tx.Code(k.c, v.Carrier())
			if err != nil {
				return err
			}
			v, err = v.Settle(*k.clock)
			code, cerr := code.Pay(*k.clock)
			return errors.Join(err, cerr, tx.PutVerbale(v), tx.PutCode(code))
		})
	default:
		t.Fatalf("%s: nobody knows how to do %q", k.title, event)
	}
	k.must(err)
}

// fine is what the title of the case says, found in the catalogue's file or typed.
func (k *clerk) fine() multe.Fine {
	if code, _, _ := strings.Cut(k.options, ","); !strings.HasPrefix(code, "0-") {
		catalogue, _, err := cds.Parse(cds.Sample())
		k.must(err)
		v, _ := catalogue.Violation(code)
		f, err := v.FineAt(k.rows[0].day.Start().Add(10 * time.Hour))
		k.must(err)
		return multe.Fine(f)
	}
	return multe.Fine{Reduced: 8700, Late: 17200}
}

func (k *clerk) record(rest string) multe.Record {
	r := multe.Record{Register: "V/" + string(k.c), Causale: "Verbale", CostsCents: k.costs}
	if strings.Contains(k.options, "con debitore") {
		r.Debtor = &debtor
	}
	code, _, _ := strings.Cut(k.options, ",")
	switch amount, fixed := strings.CutPrefix(rest, "a "); {
	case fixed:
		r.Cents = euro(k.t, amount)
	case strings.HasPrefix(code, "0-"):
		f := k.fine()
		r.Fine = &f
	default:
		r.Violation = code
	}
	return r
}

// platform does what it is told, in order, and says what is payable now: an amount
// for each code of the slip, of the last that carries the verbale where it is one.
func (k *clerk) platform(ctx context.Context) string {
	at := *k.clock
	var out []string
	err := k.store.Update(ctx, func(tx store.Tx) error {
		out = nil
		v, err := tx.Verbale(k.c, k.id)
		if err != nil {
			return err
		}
		for _, p := range v.Positions() {
			chs, err := tx.ChangesOf(k.c, p, 0, store.MaxPage)
			if err != nil {
				return err
			}
			code, err := tx.Code(k.c, p)
			if err != nil {
				return err
			}
			for _, ch := range chs {
				if ch.State != multe.ChangeWaiting || ch.NotBefore.After(at) || code.State == multe.CodePaid {
					continue
				}
				if ch.Want.Debtor != nil && (code.UpstreamDebtor || code.UpstreamCents > 0) {
					k.t.Errorf("%s, %s: a debtor for %d cents (196, 218)", k.title, multe.DayOf(at), code.UpstreamCents)
				}
				sealed, err := ch.Seal("B1", at)
				if err != nil {
					return err
				}
				applied, err := sealed.Apply("000", at)
				applied.Version = ch.Version + 1
				if err := errors.Join(err, tx.PutChange(applied)); err != nil {
					return err
				}
				if ch.Kind == multe.ChangeVoid {
					code, err = code.Void("000", at)
				} else {
					code, err = code.Confirm(ch.Want.Cents, ch.Want.Debtor != nil, at)
				}
				if err := errors.Join(err, tx.PutCode(code)); err != nil {
					return err
				}
			}
			worth := code.UpstreamCents.Italian()
			if code.State == multe.CodeVoid {
				worth = "annullato"
			}
			out = append(out, worth)
		}
		if v.Reissued != "" {
			out = out[len(out)-1:] // the old one is annulled by package dispatch
		}
		return nil
	})
	k.must(err)
	return strings.Join(out, " e ")
}

func (k *clerk) number(i int) avviso.Number { return number(10*k.n + i) }

func newClerk(t *testing.T, v *verbali.Verbali, s store.Store, clock *time.Time, n int, c lawCase) *clerk {
	k := &clerk{t: t, v: v, store: s, clock: clock, n: n, lawCase: c, c: multe.CreditorID(fmt.Sprintf("%011d", n)),
		id: multe.VerbaleID(hex(5000 + n)), device: device, costs: 1420}
	policy := multe.Policy{From: multe.Day{Year: 2020, Month: time.January, Day: 1}, Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}
	for o := range strings.SplitSeq(c.options, ", ") {
		switch {
		case o == "due codici":
			policy.Amount = multe.AmountTwoCodes
		case o == "nuovo codice":
			policy.Debtor = multe.DebtorReissue
		case strings.HasPrefix(o, "patrono "):
			policy.Patron = strings.TrimPrefix(o, "patrono ")
		}
	}
	at := policy.From.Start().UTC()
	k.must(s.Update(t.Context(), func(tx store.Tx) error {
		doc, err := multe.NewDocument(multe.Document{}, k.c, multe.DocumentCatalogue, policy.From, "application/yaml", cds.Sample(), "admin", at)
		err = errors.Join(err, tx.PutDocument(doc), tx.PutCreditor(multe.Creditor{ID: k.c, PoolLow: 1, PoolTarget: 10, Policies: []multe.Policy{policy}, Version: 1}))
		for i, state := range []multe.CodeState{multe.CodeAssigned, multe.CodeAssigned, multe.CodeAvailable} {
			p := multe.PositionID(hex(10*n + i))
			k.codes = append(k.codes, p)
			request := multe.NewChange(k.c, p, 1, multe.ChangeRequest, multe.Desired{}, at)
			request.State = multe.ChangeApplied
			code := multe.Code{Creditor: k.c, Position: p, Number: k.number(i), State: state, Version: 1}
			if state == multe.CodeAssigned {
				code.Device = device
			}
			err = errors.Join(err, tx.PutChange(request), tx.PutCode(code))
		}
		return err
	}))
	// The paper promises what the law and the creditor say.
	if last, ok := strings.CutPrefix(c.rows[0].event, "preavviso fino al "); ok {
		p, err := cds.PolicyOn(multe.Creditor{Policies: []multe.Policy{policy}}, c.rows[0].day)
		k.must(err)
		if got := cds.Fine(k.fine()).Slip(p, c.rows[0].day)[0].LastDay.String(); got != last {
			t.Errorf("%s: on the paper the discount ends on %s, in the table on %s", c.title, got, last)
		}
	}
	return k
}

// TestEveryDayOfTwoYears holds what the platform asks for against a table that was
// written by hand from the law: at four past midnight still the amount of the day
// before, at five past that of the day, and at its end what the acts of the day
// made of it.
func TestEveryDayOfTwoYears(t *testing.T) {
	db, err := boltstore.Open(filepath.Join(t.TempDir(), "law.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var clock time.Time
	v := verbali.New(db, func() time.Time { return clock }, func() {})
	var clerks []*clerk
	for n, c := range lawCases(t) {
		clerks = append(clerks, newClerk(t, v, db, &clock, n, c))
	}
	if len(clerks) < 25 {
		t.Fatalf("only %d cases", len(clerks))
	}
	last := multe.Day{Year: 2028, Month: time.December, Day: 31}
	for day := (multe.Day{Year: 2027, Month: time.January, Day: 1}); day.Compare(last) <= 0; day = day.Plus(1) {
		look := func(h, m int, want func(k *clerk) string) {
			clock = time.Date(day.Year, day.Month, day.Day, h, m, 0, 0, multe.Rome()).UTC()
			if _, err := v.Reprice(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, k := range clerks {
				if w := want(k); w != "" {
					if got := k.platform(t.Context()); got != w {
						t.Errorf("%s: %s alle %d:%02d si paga %s, la tabella dice %s", k.title, day, h, m, got, w)
					}
				}
			}
		}
		look(0, 4, func(k *clerk) string {
			if strings.Contains(k.options, "due codici") {
				return "" // the discounted one is annulled at midnight
			}
			return k.amount(day.Plus(-1))
		})
		look(0, 5, func(k *clerk) string {
			if event := k.today(day); event != "" {
				return "" // its row says what is due after it
			}
			return k.amount(day)
		})
		clock = time.Date(day.Year, day.Month, day.Day, 10, 0, 0, 0, multe.Rome()).UTC()
		for _, k := range clerks {
			k.do(k.today(day))
		}
		look(23, 59, func(k *clerk) string { return k.amount(day) })
	}
}

// amount is what the table says for the end of a day, "" before the first row.
func (k *clerk) amount(d multe.Day) (want string) {
	for _, r := range k.rows {
		if r.day.Compare(d) <= 0 {
			want = r.want
		}
	}
	return want
}

func (k *clerk) today(d multe.Day) string {
	for _, r := range k.rows {
		if r.day == d {
			return r.event
		}
	}
	return ""
}
