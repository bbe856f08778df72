package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
)

// region is a PiemontePAY in memory: what it believes about every position, and
// how it answers. It follows piemontepay.md §2.4: a debtor is taken only while
// the amount is zero and only once, and a paid position takes nothing.
type region struct {
	mu        sync.Mutex
	positions map[multe.PositionID]*upstream
	batches   map[multe.BatchID]bool
	serial    int
}

type upstream struct {
	number avviso.Number
	cents  multe.Cents
	debtor bool
	void   bool
	end    multe.Day // last day of validity; zero: none
	paid   multe.Cents
}

func newRegion() *region {
	return &region{positions: map[multe.PositionID]*upstream{}, batches: map[multe.BatchID]bool{}}
}

// Encode makes a body that the region can read back.
func (*region) Encode(_ multe.Batch, _ multe.Creditor, changes []multe.Change) ([]byte, error) {
	return json.Marshal(changes)
}

// take does what a batch asks and returns the esito. An id that was taken before
// is refused whole. odd says, for one change, that the platform answers with that
// verdict instead; done whether it did it all the same.
func (r *region) take(b multe.Batch, odd func(multe.Change) (v multe.Verdict, done bool)) multe.Esito {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := multe.Esito{Creditor: b.Creditor, Batch: b.ID, Operation: b.Operation, Code: "000", Verdict: multe.VerdictApplied}
	if r.batches[b.ID] {
		e.Code, e.Verdict = "150", multe.VerdictAlready
		return e
	}
	r.batches[b.ID] = true
	var changes []multe.Change
	if err := json.Unmarshal(b.Body, &changes); err != nil {
		panic(err)
	}
	for _, ch := range changes {
		o := multe.Outcome{Position: ch.Position, Code: "999"}
		var done bool
		if o.Verdict, done = odd(ch); o.Verdict == "" || done {
			verdict := r.do(ch)
			if o.Verdict == "" {
				o.Verdict = verdict
			}
		}
		if p := r.positions[ch.Position]; p != nil && o.Verdict == multe.VerdictApplied {
			o.Number, o.IUV = p.number, p.number.IUV()
		}
		e.Outcomes = append(e.Outcomes, o)
	}
	return e
}

func (r *region) do(ch multe.Change) multe.Verdict {
	p := r.positions[ch.Position]
	switch {
	case ch.Kind == multe.ChangeRequest && p != nil:
		return multe.VerdictOrphan
	case ch.Kind == multe.ChangeRequest:
		r.serial++
		r.positions[ch.Position] = &upstream{number: number(r.serial)}
		return multe.VerdictApplied
	case p == nil:
		return multe.VerdictRefused
	case ch.Kind == multe.ChangeVoid:
		switch {
		case p.paid != 0:
			return multe.VerdictPaid
		case p.void:
			return multe.VerdictVoided
		}
		p.void = true
		return multe.VerdictApplied
	case past(ch.Want.ValidTo, p.end): // 187: before everything else
		return multe.VerdictExpired
	case ch.Want.Debtor != nil && (p.debtor || p.cents != 0): // 218 or 196, before the state is looked at
		return multe.VerdictRefused
	case p.paid != 0:
		return multe.VerdictPaid
	case p.void:
		return multe.VerdictVoided
	}
	if !ch.Want.ValidTo.IsZero() {
		p.end = ch.Want.ValidTo
	}
	p.cents, p.debtor = ch.Want.Cents, p.debtor || ch.Want.Debtor != nil
	return multe.VerdictApplied
}

// past reports whether the end of validity, as it would be, is not after now: its
// first instant counts (piemontepay.md §2.6).
func past(asked, stored multe.Day) bool {
	end := stored
	if !asked.IsZero() {
		end = asked
	}
	return !end.IsZero() && end.Start().Before(time.Now())
}

// put is the REST interface: no 196, and 300 for everything that is wrong.
func (r *region) put(iuv string, want multe.Desired) *multe.Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.positions {
		if p.number.IUV() != iuv {
			continue
		}
		switch {
		case past(want.ValidTo, p.end), p.paid != 0, p.void:
			return &multe.Refusal{Code: "300", Verdict: multe.VerdictFix}
		case want.Debtor != nil && p.debtor:
			return &multe.Refusal{Code: "218", Verdict: multe.VerdictRefused}
		}
		p.cents, p.debtor = want.Cents, p.debtor || want.Debtor != nil
		if !want.ValidTo.IsZero() {
			p.end = want.ValidTo
		}
		return nil
	}
	return &multe.Refusal{Code: "300", Verdict: multe.VerdictFix}
}

func never(multe.Change) (multe.Verdict, bool) { return "", false }

// pay pays a position that is worth something. It returns what was paid, 0 if
// nothing could be.
func (r *region) pay(p multe.PositionID) (avviso.Number, multe.Cents) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.positions[p]
	if u == nil || u.cents == 0 || u.paid != 0 || u.void || u.over() {
		return avviso.Number{}, 0
	}
	u.paid = u.cents
	return u.number, u.paid
}

// over reports whether the last day of validity, which still counts, is past.
func (u upstream) over() bool { return !u.end.IsZero() && u.end.Compare(multe.DayOf(time.Now())) < 0 }

// worth lists the positions that can be paid, in order, without those of citizens
// who never will.
func (r *region) worth() []multe.PositionID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ps []multe.PositionID
	for _, p := range slices.Sorted(maps.Keys(r.positions)) {
		if u := r.positions[p]; u.cents > 0 && u.paid == 0 && !u.void && p[len(p)-1]%5 < 2 {
			ps = append(ps, p)
		}
	}
	return ps
}

// moody is a region behind a bad line: it loses calls and answers, refuses for a
// while, is late, repeats itself and mixes up the order.
type moody struct {
	*region
	dice
	receive func(kind string, raw []byte)
	running sync.WaitGroup
}

// dice are random numbers that many goroutines may draw.
type dice struct {
	mu  *sync.Mutex
	rng *rand.Rand
	// calm ends the bad luck, not the randomness of delays.
	calm *bool
}

func newDice(seed uint64) dice {
	return dice{mu: new(sync.Mutex), rng: rand.New(rand.NewPCG(seed, 1)), calm: new(bool)}
}

func (d dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n)
}

// luck reports, so many times in a hundred, that something goes wrong.
func (d dice) luck(percent int) bool {
	n := d.below(100)
	d.mu.Lock()
	defer d.mu.Unlock()
	return n < percent && !*d.calm
}

func (d dice) calmDown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	*d.calm = true
}

// between waits for a random time, in odd microseconds so that few things happen
// at one instant.
func (d dice) between(least, most time.Duration) {
	time.Sleep(least + time.Duration(d.below(int(most-least)/1000))*time.Microsecond)
}

func (m *moody) Submit(ctx context.Context, _ multe.Creditor, b multe.Batch) (string, error) {
	m.between(10*time.Millisecond, 3*time.Second)
	switch {
	case m.luck(8):
		return "", fmt.Errorf("dialing: %w", multe.ErrNotSent)
	case m.luck(8): // lost on the way there
		return "", unavailable()
	case m.luck(5):
		return "", &multe.Refusal{Code: "200", Verdict: multe.VerdictLater}
	case m.luck(5):
		return "", &multe.Refusal{Code: "103", Verdict: multe.VerdictFix}
	}
	m.running.Go(func() { m.elaborate(b) })
	if m.luck(10) { // lost on the way back
		return "", unavailable()
	}
	if m.luck(20) { // the answer comes after the esito
		m.between(time.Second, 15*time.Second)
	}
	return "000", nil
}

// Apply loses calls and answers like Submit.
func (m *moody) Apply(_ context.Context, _ multe.Creditor, n avviso.Number, ch multe.Change) (string, error) {
	m.between(10*time.Millisecond, 3*time.Second)
	switch {
	case m.luck(8):
		return "", fmt.Errorf("dialing: %w", multe.ErrNotSent)
	case m.luck(8):
		return "", unavailable()
	}
	refusal := m.put(n.IUV(), ch.Want)
	if m.luck(15) {
		return "", unavailable()
	}
	if refusal != nil {
		return refusal.Code, refusal
	}
	return "000", nil
}

// elaborate works a batch some time after it was accepted.
func (m *moody) elaborate(b multe.Batch) {
	m.between(100*time.Millisecond, 2*time.Minute)
	e := m.take(b, func(ch multe.Change) (multe.Verdict, bool) {
		switch {
		case m.luck(5):
			return multe.VerdictLater, false
		case m.luck(6) && ch.Kind != multe.ChangeRequest:
			return multe.VerdictUnknown, m.luck(50)
		}
		return "", false
	})
	if m.luck(10) {
		m.between(2*time.Hour, 4*time.Hour)
	}
	m.tell("esito", multe.Event{Esito: &e})
}

// tell delivers an event, perhaps twice.
func (m *moody) tell(kind string, e multe.Event) {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	m.receive(kind, raw)
	if m.luck(25) {
		m.between(time.Second, time.Hour)
		m.receive(kind, raw)
	}
}

// citizens pay now and then what can be paid, until ctx ends.
func (m *moody) citizens(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		m.between(10*time.Minute, time.Hour)
		ps := m.worth()
		if len(ps) == 0 {
			continue
		}
		p := ps[m.below(len(ps))]
		num, cents := m.pay(p)
		if cents == 0 {
			continue
		}
		payment := multe.Payment{IUV: num.IUV(), IUR: fmt.Sprint("IUR", n), Number: num, Cents: cents, PaidOn: multe.DayOf(time.Now())}
		m.running.Go(func() {
			m.between(time.Second, 6*time.Hour)
			if m.luck(20) { // told before the receipt is there
				early := payment
				early.IUR = ""
				m.tell("notice", multe.Event{Notice: &multe.Notice{Creditor: ente, Message: fmt.Sprint("TNPx", n), Payments: []multe.Payment{early}}})
			}
			m.tell("notice", multe.Event{Notice: &multe.Notice{Creditor: ente, Message: fmt.Sprint("TNP", n), Payments: []multe.Payment{payment}}})
		})
	}
}
