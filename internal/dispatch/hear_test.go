package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// TestVerdicts pins what each verdict on each kind of change does. Read it as the
// specification: a cell is the state of the change, of the code, and what a
// person is told.
func TestVerdicts(t *testing.T) {
	const matrix = `
          request                            activate                              update                                debtor                                   reset                                 void
before    requested                          issued                                active                                active                                   active                                active
applied   applied,available                  applied,active                        applied,active                        applied,active                           applied,active                        applied,void
later     waiting,requested                  waiting,issued                        waiting,active                        waiting,active                           waiting,active                        waiting,active
fix       waiting,requested,change.configuration waiting,issued,change.configuration waiting,active,change.configuration waiting,active,change.configuration waiting,active,change.configuration waiting,active,change.configuration
refused   refused,void,code.refused          refused,issued,change.refused         refused,active,change.refused         refused+waiting,active,change.debtor_refused refused,active,change.refused     refused,active,change.refused
paid      refused,void,code.refused          refused,issued,position.already_paid  refused,active,position.already_paid  refused,active,position.already_paid     refused,active,position.already_paid  refused,active,position.already_paid
voided    refused,void,code.refused          refused,void,position.already_void    refused,void,position.already_void    refused,void,position.already_void       refused,void,position.already_void    applied,void
expired   refused,void,code.refused          waiting,issued                        waiting,active                        waiting,active                           waiting,active                        waiting,active
orphan    unknown,orphaned,code.orphan       refused,issued,change.refused         refused,active,change.refused         refused+waiting,active,change.debtor_refused refused,active,change.refused     refused,active,change.refused
unknown   unknown,requested,change.unknown   waiting,issued                        waiting,active                        unknown,active,change.unknown            waiting,active                        waiting,active
already   unknown,requested,change.unknown   unknown,issued,change.unknown         unknown,active,change.unknown         unknown,active,change.unknown            unknown,active,change.unknown         unknown,active,change.unknown`

	rows := strings.Split(strings.TrimLeft(matrix, "\n"), "\n")
	kinds, before := strings.Fields(rows[0]), strings.Fields(rows[1])[1:]
	for _, row := range rows[2:] {
		cells := strings.Fields(row)
		for i, want := range cells[1:] {
			t.Run(cells[0]+"/"+kinds[i], func(t *testing.T) {
				w := open(t)
				w.put(t, 1, multe.CodeState(before[i]), kinds[i])
				w.submit(t)
				e := esito(w.gateway.sent[0], multe.Verdict(cells[0]))
				w.hear(t, e)
				got := strings.ReplaceAll(w.states(t, 1), " ", "+") + "," + string(w.code(t, 1).State)
				if tr := w.troubles(t); tr != "" {
					got += "," + tr
				}
				if got != want {
					t.Errorf("= %s, want %s", got, want)
				}
				if s := w.batch(t, e.Batch).State; s != multe.BatchDone {
					t.Errorf("the batch is %s", s)
				}
				once := w.snapshot(t)
				w.clock = w.clock.Add(time.Second)
				w.hear(t, e)
				if twice := w.snapshot(t); twice != once {
					t.Errorf("hearing it again changed something:\n%s\n%s", once, twice)
				}
				if strings.Contains(want, "waiting") {
					w.clock = w.clock.Add(6 * time.Hour)
					w.submit(t)
					if len(w.gateway.sent) != 2 || w.gateway.sent[1].ID == w.gateway.sent[0].ID {
						t.Error("what waits does not leave in a batch of its own")
					}
				}
			})
		}
	}
}

// TestEffects checks what we believe about a position after each kind of change.
func TestEffects(t *testing.T) {
	for _, test := range []struct {
		kind   string
		before multe.CodeState
		cents  multe.Cents
		debtor bool
	}{
		{"activate", multe.CodeIssued, 4200, false},
		{"update", multe.CodeActive, 4200, false},
		{"debtor", multe.CodeActive, 4200, true},
		{"debtor", multe.CodeIssued, 4200, true},
		{"reset", multe.CodeActive, 0, false},
		{"activate", multe.CodePaid, 4200, false}, // paid before we heard: stays paid, and is no error
		{"update", multe.CodeVoid, 4200, false},
		{"void", multe.CodePaid, 0, false},
		{"request", multe.CodeVoid, 0, false}, // given up while it was asked for
	} {
		t.Run(test.kind+" on "+string(test.before), func(t *testing.T) {
			w := open(t)
			w.put(t, 1, test.before, test.kind)
			w.submit(t)
			w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
			c := w.code(t, 1)
			if c.UpstreamCents != test.cents || c.UpstreamDebtor != test.debtor {
				t.Errorf("we believe %d cents, debtor %t; want %d, %t", c.UpstreamCents, c.UpstreamDebtor, test.cents, test.debtor)
			}
			if (test.before == multe.CodePaid || test.before == multe.CodeVoid) && c.State != test.before {
				t.Errorf("a %s code became %s", test.before, c.State)
			}
		})
	}
}

// TestUnknownIsRepeatedThreeTimes lets the platform fail half way for ever.
func TestUnknownIsRepeatedThreeTimes(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeIssued, "activate")
	for range 3 {
		w.submit(t)
		w.hear(t, esito(w.gateway.sent[len(w.gateway.sent)-1], multe.VerdictUnknown))
		w.clock = w.clock.Add(time.Hour)
	}
	w.submit(t)
	if len(w.gateway.sent) != 3 || w.states(t, 1) != "unknown" || w.troubles(t) != "change.unknown" {
		t.Errorf("sent %d times, %s, told %q", len(w.gateway.sent), w.states(t, 1), w.troubles(t))
	}
	// The truth may still come, and ends the doubt.
	w.hear(t, esito(w.gateway.sent[2], multe.VerdictApplied))
	if w.states(t, 1) != "applied" || w.code(t, 1).State != multe.CodeActive || w.troubles(t) != "" {
		t.Errorf("after the truth: %s, %s, told %q", w.states(t, 1), w.code(t, 1).State, w.troubles(t))
	}
}

// TestRefusedDebtorLeavesTheAmount checks that the citizen can pay even if the
// platform does not take the debtor.
func TestRefusedDebtorLeavesTheAmount(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "reset", "debtor")
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[1], multe.VerdictRefused))
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[2], multe.VerdictApplied))
	if c := w.code(t, 1); w.states(t, 1) != "applied refused applied" || c.UpstreamCents != 4200 || c.UpstreamDebtor {
		t.Errorf("%s, %d cents, debtor %t", w.states(t, 1), c.UpstreamCents, c.UpstreamDebtor)
	}
}

// TestRefusedDebtorKeepsTheLaterAmount checks that what was told after the debtor
// stays the last word.
func TestRefusedDebtorKeepsTheLaterAmount(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "reset", "debtor")
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
	w.submit(t)
	w.update(t, func(tx store.Tx) error { // a step ended while the debtor was on its way
		later := multe.NewChange(ente, position(1), 0, multe.ChangeUpdate, multe.Desired{Cents: 8650, Causale: "Verbale"}, w.clock)
		return store.Tell(tx, "loop:reprice", later, w.clock)
	})
	w.hear(t, esito(w.gateway.sent[1], multe.VerdictRefused))
	for i := 2; i < 4; i++ {
		w.submit(t)
		if len(w.gateway.sent) > i {
			w.hear(t, esito(w.gateway.sent[i], multe.VerdictApplied))
		}
	}
	if c := w.code(t, 1); c.UpstreamCents != 8650 || w.states(t, 1) != "applied refused applied" {
		t.Errorf("%d cents after %s", c.UpstreamCents, w.states(t, 1))
	}
}

func TestNumbers(t *testing.T) {
	for name, test := range map[string]struct {
		number avviso.Number
		want   string
	}{
		"good":            {number(1), "applied available "},
		"missing":         {avviso.Number{}, "unknown requested code.no_number"},
		"of another code": {number(2), "unknown requested code.no_number"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.put(t, 1, multe.CodeRequested, "request")
			w.put(t, 2, multe.CodeAvailable)
			w.submit(t)
			e := esito(w.gateway.sent[0], multe.VerdictApplied)
			e.Outcomes[0].Number = test.number
			w.hear(t, e)
			if got := w.states(t, 1) + " " + string(w.code(t, 1).State) + " " + w.troubles(t); got != test.want {
				t.Errorf("= %s, want %s", got, test.want)
			}
			if test.want[0] == 'u' { // the platform sends it again, whole this time
				w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
				if c := w.code(t, 1); c.State != multe.CodeAvailable || c.Number != number(1) || w.troubles(t) != "" {
					t.Errorf("after the second esito: %+v, %s", c, w.troubles(t))
				}
			}
		})
	}
}

// TestOddLists gives esiti that do not fit their batch.
func TestOddLists(t *testing.T) {
	for _, test := range []struct {
		name     string
		bend     func(*multe.Esito)
		states   string // of the two changes
		troubles string
	}{
		{"whole", func(*multe.Esito) {}, "applied applied", ""},
		{"turned round", func(e *multe.Esito) { e.Outcomes[0], e.Outcomes[1] = e.Outcomes[1], e.Outcomes[0] }, "applied applied", ""},
		{"one missing", func(e *multe.Esito) { e.Outcomes = e.Outcomes[:1] }, "applied unknown", "esito.missing"},
		{"all missing", func(e *multe.Esito) { e.Outcomes = nil }, "unknown unknown", "esito.missing esito.missing"},
		{"one too many", func(e *multe.Esito) {
			e.Outcomes = append(e.Outcomes, multe.Outcome{Position: "stranger", Verdict: multe.VerdictApplied})
		}, "applied applied", "esito.extra_positions"},
		{"another's position", func(e *multe.Esito) { e.Outcomes[1].Position = position(3) }, "applied unknown", "esito.extra_positions esito.missing"},
		{"one twice", func(e *multe.Esito) {
			again := e.Outcomes[0]
			again.Verdict = multe.VerdictRefused
			e.Outcomes = append(e.Outcomes, again)
		}, "applied applied", ""},
		{"some refused", func(e *multe.Esito) { e.Code, e.Outcomes[1].Verdict = "050", multe.VerdictRefused }, "applied refused", "change.refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.put(t, 1, multe.CodeIssued, "activate")
			w.put(t, 2, multe.CodeIssued, "activate")
			w.put(t, 3, multe.CodeIssued) // nothing is asked for it
			w.submit(t)
			e := esito(w.gateway.sent[0], multe.VerdictApplied)
			test.bend(&e)
			w.hear(t, e)
			w.hear(t, e)
			if got := w.states(t, 1) + " " + w.states(t, 2); got != test.states || w.troubles(t) != test.troubles {
				t.Errorf("= %s, told %q; want %s, %q", got, w.troubles(t), test.states, test.troubles)
			}
			if s := w.code(t, 3).State; s != multe.CodeIssued {
				t.Errorf("an uninvited position became %s", s)
			}
			if s := w.batch(t, e.Batch).State; s != multe.BatchDone {
				t.Errorf("the batch is %s", s)
			}
		})
	}
}

// TestWholeLists gives esiti about a list that failed as a whole.
func TestWholeLists(t *testing.T) {
	for _, test := range []struct {
		verdict  multe.Verdict
		attempts int
		batch    multe.BatchState
		change   string
		after    time.Duration // when the change leaves again; 0: not by itself
		troubles string
	}{
		{multe.VerdictLater, 1, multe.BatchRefused, "waiting", time.Minute, "batch.later"},
		{multe.VerdictFix, 1, multe.BatchRefused, "waiting", 10 * time.Minute, "batch.refused"},
		{multe.VerdictRefused, 1, multe.BatchRefused, "waiting", 10 * time.Minute, "batch.refused"},
		{multe.VerdictAlready, 1, multe.BatchSealed, "sealed", 0, "batch.already"},
		{multe.VerdictAlready, 2, multe.BatchSealed, "sealed", 0, ""},
		{multe.VerdictUnknown, 1, multe.BatchDone, "unknown", 0, "esito.missing"},
	} {
		t.Run(string(test.verdict), func(t *testing.T) {
			w := open(t)
			w.put(t, 1, multe.CodeIssued, "activate")
			w.gateway.answer = func(multe.Batch) (string, error) { return "", unavailable() }
			for range test.attempts {
				w.submit(t)
				w.clock = w.clock.Add(2 * time.Minute)
			}
			b := w.gateway.sent[0]
			e := multe.Esito{Creditor: ente, Batch: b.ID, Operation: b.Operation, Code: "999", Verdict: test.verdict}
			w.hear(t, e)
			w.hear(t, e)
			if w.batch(t, b.ID).State != test.batch || w.states(t, 1) != test.change || w.troubles(t) != test.troubles {
				t.Errorf("batch %s, change %s, told %q", w.batch(t, b.ID).State, w.states(t, 1), w.troubles(t))
			}
			if test.after == 0 {
				return
			}
			w.clock = w.clock.Add(test.after - time.Second)
			w.submit(t)
			early := len(w.gateway.sent)
			w.clock = w.clock.Add(time.Second)
			w.submit(t)
			if early != test.attempts || len(w.gateway.sent) != test.attempts+1 || w.gateway.sent[test.attempts].ID == b.ID {
				t.Errorf("sent %d, then %d batches", early, len(w.gateway.sent))
			}
		})
	}
}

func TestStrayEsiti(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeIssued, "activate")
	w.submit(t)
	before := w.states(t, 1)
	b := w.gateway.sent[0]
	strange := esito(b, multe.VerdictApplied)
	strange.Batch = "è un'altra\x01 lista " + multe.BatchID(strings.Repeat("x", 200))
	foreign := esito(b, multe.VerdictApplied)
	foreign.Creditor = "80087670016"
	insert := esito(b, multe.VerdictApplied)
	insert.Operation = multe.OperationInsert
	for _, e := range []multe.Esito{strange, strange, foreign, insert} {
		w.hear(t, e)
	}
	if got := w.states(t, 1); got != before {
		t.Errorf("a stray esito made the change %s", got)
	}
	if got, want := w.troubles(t), "esito.unknown_batch esito.unknown_batch esito.unknown_batch"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestPaidMeanwhile hears a refusal because of a payment that we know already.
func TestPaidMeanwhile(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeActive, "reset", "debtor")
	w.submit(t)
	w.update(t, func(tx store.Tx) error {
		c, err := tx.Code(ente, position(1))
		if err != nil {
			return err
		}
		if c, err = c.Pay(w.clock); err != nil {
			return err
		}
		return tx.PutCode(c)
	})
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictPaid))
	w.submit(t)
	if w.states(t, 1) != "refused refused" || w.troubles(t) != "" || len(w.gateway.sent) != 1 {
		t.Errorf("%s, told %q, sent %d", w.states(t, 1), w.troubles(t), len(w.gateway.sent))
	}
}

// TestRefusedBatchThatWasDone hears the esito of a batch that the platform had
// refused to our face: the number it made is told once, so it is taken.
func TestRefusedBatchThatWasDone(t *testing.T) {
	for _, resent := range []bool{false, true} {
		w := open(t)
		w.put(t, 1, multe.CodeRequested, "request")
		w.gateway.answer = func(multe.Batch) (string, error) {
			return "", &multe.Refusal{Code: "200", Verdict: multe.VerdictLater}
		}
		w.submit(t)
		w.gateway.answer = nil
		if resent {
			w.clock = w.clock.Add(time.Minute)
			w.submit(t)
		}
		w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
		if c := w.code(t, 1); c.State != multe.CodeAvailable || w.states(t, 1) != "applied" {
			t.Errorf("resent %t: code %s, change %s", resent, c.State, w.states(t, 1))
		}
		if resent { // the repetition finds its own position
			w.hear(t, esito(w.gateway.sent[1], multe.VerdictOrphan))
			if c := w.code(t, 1); c.State != multe.CodeAvailable || w.troubles(t) != "batch.later" {
				t.Errorf("after the repetition: code %s, told %q", c.State, w.troubles(t))
			}
		}
	}
}

// TestDebtorStoredByARefusedBatch hears that a debtor was stored by a batch that
// was taken for refused: storing it again would be refused (218), and we would
// believe that there is none.
func TestDebtorStoredByARefusedBatch(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodeIssued, "debtor")
	w.gateway.answer = func(multe.Batch) (string, error) { return "", &multe.Refusal{Code: "103", Verdict: multe.VerdictFix} }
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictApplied))
	if c := w.code(t, 1); c.State != multe.CodeActive || !c.UpstreamDebtor || w.states(t, 1) != "applied" {
		t.Errorf("code %s, debtor %t, change %s", c.State, c.UpstreamDebtor, w.states(t, 1))
	}
}

// TestWhatWaitsBehindAnEndIsGivenUp hears that nothing can be changed any more.
func TestWhatWaitsBehindAnEndIsGivenUp(t *testing.T) {
	w := open(t)
	w.put(t, 1, multe.CodePaid, "activate") // the first of a life is not looked up
	w.submit(t)
	w.hear(t, esito(w.gateway.sent[0], multe.VerdictVoided))
	if s := w.code(t, 1).State; s != multe.CodePaid || w.states(t, 1) != "refused" {
		t.Errorf("a paid code is %s, its change %s", s, w.states(t, 1))
	}
	for verdict, told := range map[multe.Verdict]string{
		multe.VerdictPaid:   "position.already_paid",
		multe.VerdictVoided: "position.already_void",
	} {
		w := open(t)
		w.put(t, 1, multe.CodeActive, "reset", "debtor")
		w.submit(t)
		w.hear(t, esito(w.gateway.sent[0], verdict))
		w.submit(t)
		if w.states(t, 1) != "refused refused" || w.troubles(t) != told || len(w.gateway.sent) != 1 {
			t.Errorf("%s: %s, told %q, sent %d", verdict, w.states(t, 1), w.troubles(t), len(w.gateway.sent))
		}
	}
}
