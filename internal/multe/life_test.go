package multe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// lifeAt is 10 March 2026, when all that is tried below is tried.
var lifeAt = time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)

// alive is a verbale of 1 March in a state of its life.
func alive(t *testing.T, state string) multe.Verbale {
	t.Helper()
	day := multe.Day{Year: 2026, Month: 3, Day: 1}
	v := multe.Verbale{State: multe.VerbaleIssued, Version: 1, ReceivedAt: day.Start(),
		Slip: multe.Slip{ID: "V", Position: "P", IssuedAt: day.Start(), Steps: []multe.Step{{Cents: 2940, LastDay: day.Plus(5)}, {Cents: 4200}}}}
	r := multe.Record{Register: "1", Causale: "Verbale", Cents: 5620, CostsCents: 1420, Fine: &multe.Fine{Reduced: 4200, Discounted: 2940, Late: 8650}}
	do := func(next multe.Verbale, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		v = next
	}
	for word := range strings.SplitSeq(state, "+") {
		switch word {
		case "issued":
		case "recorded":
			do(v.Finalise(r, lifeAt))
		case "notified":
			r.Notification = &multe.Notification{How: multe.NotifiedConsegna, Day: day.Plus(4), Notified: day.Plus(4)}
			r.Steps = []multe.Step{{Cents: 4360, LastDay: day.Plus(9)}, {Cents: 5620, LastDay: day.Plus(64)}, {Cents: 10070}}
			do(v.Revise(r, lifeAt))
		case "paid":
			do(v.Settle(lifeAt))
		case "asked":
			do(v.AskCancel(multe.Cancellation{Kind: multe.CancelAutotutela, Reason: "x"}, "operator:1", lifeAt))
		case "cancelled":
			do(v.Cancel(multe.Cancellation{Kind: multe.CancelAutotutela, Reason: "x"}, "operator:1", lifeAt))
		case "appealed":
			do(v.Appeal(multe.Appeal{Authority: multe.AuthorityPrefetto, Number: "1", Day: day.Plus(6)}, multe.DayOf(lifeAt), lifeAt))
		case "rejected":
			do(v.Rule(multe.Ruling{Verdetto: multe.RicorsoRespinto, Day: day.Plus(8), Cents: 9820}, multe.DayOf(lifeAt), lifeAt))
		default:
			t.Fatal(word)
		}
	}
	return v
}

// TestLifeMoves tries everything that the office can do in every state: a cell is
// ok, or the code of the refusal. A refused move changes nothing.
func TestLifeMoves(t *testing.T) {
	today := multe.DayOf(lifeAt)
	autotutela, other := multe.Cancellation{Kind: multe.CancelAutotutela, Reason: "x"}, multe.Cancellation{Kind: multe.CancelAutotutela, Reason: "y"}
	archive := multe.Cancellation{Kind: multe.CancelArchiviazione, Reason: "x"}
	moves := map[string]func(v multe.Verbale) (multe.Verbale, error){
		"notify": func(v multe.Verbale) (multe.Verbale, error) {
			r := multe.Record{Register: "1", Causale: "Verbale", Cents: 5620}
			if v.Record != nil {
				r = *v.Record
			}
			r.Notification = &multe.Notification{How: multe.NotifiedPEC, Day: today, Notified: today}
			return v.Revise(r, lifeAt)
		},
		"register": func(v multe.Verbale) (multe.Verbale, error) {
			r := multe.Record{Register: "1", Causale: "Verbale", Cents: 5620}
			if v.Record != nil {
				r = *v.Record
			}
			r.Register, r.Debtor = "2", &multe.Debtor{Company: "Srl", CF: "01234567897"}
			return v.Revise(r, lifeAt)
		},
		"appeal": func(v multe.Verbale) (multe.Verbale, error) {
			return v.Appeal(multe.Appeal{Authority: multe.AuthorityGiudice, Number: "2", Day: today}, today, lifeAt)
		},
		"rule": func(v multe.Verbale) (multe.Verbale, error) {
			return v.Rule(multe.Ruling{Verdetto: multe.RicorsoRinuncia, Day: today}, today, lifeAt)
		},
		"ask":     func(v multe.Verbale) (multe.Verbale, error) { return v.AskCancel(other, "operator:1", lifeAt) },
		"cancel":  func(v multe.Verbale) (multe.Verbale, error) { return v.Cancel(autotutela, "operator:2", lifeAt) },
		"archive": func(v multe.Verbale) (multe.Verbale, error) { return v.Cancel(archive, "operator:2", lifeAt) },
		"same":    func(v multe.Verbale) (multe.Verbale, error) { return v.ApproveCancel("operator:1", lifeAt) },
		"approve": func(v multe.Verbale) (multe.Verbale, error) { return v.ApproveCancel("operator:2", lifeAt) },
		"undo":    func(v multe.Verbale) (multe.Verbale, error) { return v.UndoCancel(lifeAt) },
	}
	table := `
                               notify                register              appeal               rule             ask                    cancel               archive                same                  approve             undo
issued                         verbale.not_recorded  verbale.not_recorded  appeal.preavviso     appeal.none      ok                     ok                   ok                     verbale.no_request    verbale.no_request  verbale.wrong_state
recorded                       ok                    ok                    ok                   appeal.none      ok                     ok                   ok                     verbale.no_request    verbale.no_request  verbale.wrong_state
recorded+notified              ok                    ok                    ok                   appeal.none      ok                     ok                   verbale.notified       verbale.no_request    verbale.no_request  verbale.wrong_state
recorded+notified+paid         verbale.paid          ok                    appeal.wrong_state   appeal.none      ok                     ok                   verbale.notified       verbale.no_request    verbale.no_request  verbale.wrong_state
recorded+notified+appealed     ok                    ok                    appeal.pending       ok               ok                     ok                   verbale.notified       verbale.no_request    verbale.no_request  verbale.wrong_state
recorded+appealed+rejected     ok                    ok                    ok                   appeal.decided   ok                     ok                   ok                     verbale.no_request    verbale.no_request  verbale.wrong_state
issued+asked                   verbale.not_recorded  verbale.not_recorded  appeal.preavviso     appeal.none      verbale.other_request  ok                   verbale.other_request  verbale.same_person   ok                  ok
recorded+asked                 ok                    ok                    ok                   appeal.none      verbale.other_request  ok                   verbale.other_request  verbale.same_person   ok                  ok
recorded+cancelled             verbale.cancelled     verbale.cancelled     appeal.wrong_state   appeal.none      verbale.wrong_state    verbale.wrong_state  verbale.wrong_state    verbale.no_request    verbale.no_request  ok`
	rows := strings.Split(strings.TrimSpace(table), "\n")
	columns := strings.Fields(rows[0])
	if len(columns) != len(moves) {
		t.Fatalf("%d columns for %d moves", len(columns), len(moves))
	}
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		for i, want := range cells[1:] {
			v := alive(t, cells[0])
			before := fmt.Sprintf("%+v", v)
			next, err := moves[columns[i]](v)
			got := "ok"
			if err != nil {
				got = fault.Of(err).Code
			}
			if got != want {
				t.Errorf("%s of %s: %s, want %s", columns[i], cells[0], got, want)
			}
			switch {
			case err == nil && next.Version != v.Version+1:
				t.Errorf("%s of %s: version %d after %d", columns[i], cells[0], next.Version, v.Version)
			case err != nil && next.Version != v.Version, fmt.Sprintf("%+v", v) != before:
				t.Errorf("%s of %s changed what it was refused, or its receiver", columns[i], cells[0])
			}
		}
	}
}

// TestDueOn is what is due, and when the platform must next be told, in the states
// of a verbale of 1 March.
func TestDueOn(t *testing.T) {
	day := func(m time.Month, d int) multe.Day { return multe.Day{Year: 2026, Month: m, Day: d} }
	for _, tt := range []struct {
		state string
		next  string // when the platform is told, in Rome
		due   map[multe.Day]multe.Cents
	}{
		{"issued", "2026-03-07 00:05", map[multe.Day]multe.Cents{day(3, 1): 2940, day(3, 6): 2940, day(3, 7): 4200, day(9, 1): 4200}},
		{"issued+paid", "", map[multe.Day]multe.Cents{day(3, 6): 2940}},
		{"issued+cancelled", "", map[multe.Day]multe.Cents{day(3, 6): 2940}},
		{"issued+asked", "2026-03-07 00:05", nil}, // a request holds nothing up
		{"recorded", "", map[multe.Day]multe.Cents{day(3, 1): 5620, day(9, 1): 5620}},
		{"recorded+notified", "2026-03-11 00:05", map[multe.Day]multe.Cents{day(3, 10): 4360, day(3, 11): 5620, day(5, 4): 5620, day(5, 5): 10070}},
		{"recorded+notified+appealed", "", map[multe.Day]multe.Cents{day(3, 7): 4360, day(3, 11): 4360, day(5, 5): 4360}},
		{"recorded+notified+appealed+rejected", "", map[multe.Day]multe.Cents{day(3, 7): 4360, day(3, 8): 4360, day(3, 9): 9820, day(9, 9): 9820}},
	} {
		v := alive(t, tt.state)
		got := ""
		if next := v.NextStep(); !next.IsZero() {
			got = next.In(multe.Rome()).Format("2006-01-02 15:04")
		}
		if got != tt.next {
			t.Errorf("%s: told next %q, want %q", tt.state, got, tt.next)
		}
		for d, want := range tt.due {
			if due := v.DueOn(d); due != want {
				t.Errorf("%s: %s due on %s, want %s", tt.state, due.Italian(), d, want.Italian())
			}
			if steps := v.StepsOn(d); v.AppealPending() == false && len(v.Appeals) == 0 && steps[0].Cents != want {
				t.Errorf("%s: the first step of %s is %s, want %s", tt.state, d, steps[0].Cents.Italian(), want.Italian())
			}
		}
	}
	// Told of the last step, there is none.
	if v := alive(t, "issued").Price(day(3, 7), lifeAt); !v.NextStep().IsZero() || v.Version != 2 {
		t.Errorf("told of its last step, it is due again at %v", v.NextStep())
	}
}

// TestUndoOfARicorso takes back an outcome that was the mistake of a clerk: the
// ricorso is pending again, and its true outcome can be registered.
func TestUndoOfARicorso(t *testing.T) {
	v, today := alive(t, "recorded+notified+appealed"), multe.DayOf(lifeAt)
	ruled, err := v.Rule(multe.Ruling{Verdetto: multe.RicorsoAccolto, Day: today}, today, lifeAt)
	if err != nil || !v.AppealPending() || ruled.AppealPending() {
		t.Fatal(err)
	}
	gone, err := ruled.Cancel(multe.Cancellation{Kind: multe.CancelRicorso, Reason: "Ricorso accolto"}, "operator:1", lifeAt)
	if err != nil {
		t.Fatal(err)
	}
	back, err := gone.UndoCancel(lifeAt)
	if err != nil || !back.AppealPending() || back.State != multe.VerbaleFinalised || back.Cancellation != nil || gone.AppealPending() {
		t.Errorf("undone = %v, %v", back.Appeals, err)
	}
}

// TestOwedAfterCorrections takes what was asked on a day for enough, although the
// office asked for more later that day or after.
func TestOwedAfterCorrections(t *testing.T) {
	v := alive(t, "recorded+notified") // both on 10 March, when 29,40, 42,00 and 56,20 had been asked
	more := *v.Record
	more.Steps = []multe.Step{{Cents: 99999}}
	v, err := v.Revise(more, lifeAt.Add(72*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[int]multe.Cents{5: 2940, 10: 4200, 11: 5620, 13: 5620, 14: 99999} {
		if got := v.OwedFor("P", multe.Day{Year: 2026, Month: 3, Day: d}); got != want {
			t.Errorf("on the %dth %s was enough, want %s", d, got.Italian(), want.Italian())
		}
	}
	if len(v.History) != 2 || v.FirstRecord().Notification != nil || v.Record.At != lifeAt.Add(72*time.Hour) {
		t.Errorf("history of %d versions", len(v.History))
	}
}

// TestNewCancellation is what the platform is told, by cause and words.
func TestNewCancellation(t *testing.T) {
	for _, tt := range []struct{ kind, cause, words, want, code string }{
		{"", "", "Targa errata", "Targa errata", ""},
		{"archiviazione", "duplicato", "", "Violazione già accertata con un altro verbale", ""},
		{"autotutela", "furto", "denuncia del 3 marzo", "Veicolo rubato o perdita di possesso anteriore: denuncia del 3 marzo", ""},
		{"", "altro", "", "", "verbale.bad_cause"},
		{"", "inventato", "x", "", "verbale.bad_cause"},
		{"condono", "furto", "", "", "verbale.bad_cancel_kind"},
		{"", "", "", "", "verbale.bad_reason"},
		{"", "furto", strings.Repeat("x", multe.MaxReason), "", "verbale.bad_reason"},
	} {
		c, err := multe.NewCancellation(multe.CancelKind(tt.kind), tt.cause, tt.words)
		if tt.code != "" {
			wantCode(t, fmt.Sprint(tt), err, tt.code)
		} else if err != nil || c.Reason != tt.want {
			t.Errorf("%v = %q, %v", tt, c.Reason, err)
		}
	}
	for _, c := range multe.Causes {
		if got, err := multe.NewCancellation("", c.Code, "x"); err != nil || !strings.HasPrefix(got.Reason, c.Label) {
			t.Errorf("%s: %q, %v", c.Code, got.Reason, err)
		}
	}
}

// TestLifeValidate refuses what the office cannot mean.
func TestLifeValidate(t *testing.T) {
	violation, today := multe.Day{Year: 2026, Month: 3, Day: 1}, multe.Day{Year: 2026, Month: 3, Day: 10}
	for _, tt := range []struct {
		n  multe.Notification
		ok bool
	}{
		{multe.Notification{How: multe.NotifiedConsegna, Day: violation}, true},
		{multe.Notification{How: multe.NotifiedSEND, Day: today}, true},
		{multe.Notification{How: multe.NotifiedSEND, Day: today.Plus(1)}, false},
		{multe.Notification{How: multe.NotifiedSEND, Day: violation.Plus(-1)}, false},
		{multe.Notification{How: multe.NotifiedSEND}, false},
		{multe.Notification{How: "piccione", Day: today}, false},
	} {
		if err := tt.n.Validate(violation, today); tt.ok != (err == nil) {
			t.Errorf("%v: %v", tt.n, err)
		}
	}
	for _, tt := range []struct {
		f     multe.Fine
		costs multe.Cents
		ok    bool
	}{
		{multe.Fine{Reduced: 4200, Discounted: 2940, Late: 8650}, 1420, true},
		{multe.Fine{Reduced: 4200, Late: 8650}, 0, true},
		{multe.Fine{Reduced: 22300, Discounted: 15610, Late: 22200}, 0, true}, // art. 157 c. 7-bis
		{multe.Fine{Reduced: 4200, Discounted: 4200, Late: 8650}, 0, false},
		{multe.Fine{Reduced: 4200, Discounted: -1, Late: 8650}, 0, false},
		{multe.Fine{Late: 8650}, 0, false},
		{multe.Fine{Reduced: 4200}, 0, false},
		{multe.Fine{Reduced: 4200, Late: multe.MaxFineCents}, 1, false},
	} {
		if err := tt.f.Validate(tt.costs); tt.ok != (err == nil) {
			t.Errorf("%v: %v", tt.f, err)
		}
	}
	r := multe.Record{Register: "1", Causale: "Verbale", Cents: 1, CostsCents: multe.MaxCostsCents + 1}
	wantCode(t, "too high costs", r.Validate(), "verbale.bad_costs")
	wantCode(t, "payment on the spot", multe.SpotPayment(), "verbale.no_spot_payment")
}
