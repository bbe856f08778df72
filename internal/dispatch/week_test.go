package dispatch_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/dispatch"
	"preavviso/internal/fault"
	"preavviso/internal/inbox"
	"preavviso/internal/loop"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/pool"
	"preavviso/internal/registry"
	"preavviso/internal/store"
	"preavviso/internal/verbali"
)

// service is all the use cases and loops on one store, as package app joins them.
type service struct {
	store    store.Store
	registry *registry.Registry
	pool     *pool.Pool
	verbali  *verbali.Verbali
	payments *payments.Payments
	inbox    *inbox.Inbox
	loops    []*loop.Loop
}

func newService(s store.Store, g *moody) *service {
	v := &service{store: s, registry: registry.New(s, time.Now, rand.Reader), payments: payments.New(s, time.Now)}
	nudge := func() {
		for _, l := range v.loops {
			l.Nudge()
		}
	}
	d := dispatch.New(s, g, time.Now, rand.Reader, dispatch.Options{Positions: g})
	v.pool = pool.New(s, time.Now, rand.Reader, nudge)
	v.verbali = verbali.New(s, time.Now, nudge)
	read := func(raw []byte) (e multe.Event, err error) { err = json.Unmarshal(raw, &e); return e, err }
	v.inbox = inbox.New(s, inbox.Config{Read: read, HearEsito: d.Hear, HearNotice: v.payments.Hear, Now: time.Now, Random: rand.Reader, Nudge: nudge})
	log := slog.New(slog.DiscardHandler)
	v.loops = []*loop.Loop{
		loop.New("replenish", 5*time.Minute, log, v.pool.Replenish),
		loop.New("submit", 30*time.Second, log, d.Submit),
		loop.New("inbox", 30*time.Second, log, v.inbox.Work),
	}
	return v
}

// TestWeek runs a small police force against a moody platform for some days of
// bubble time: handhelds that repeat everything, an office that looks up owners
// days later, citizens who pay when they can. Then the platform calms down, and
// when all is quiet both sides must believe the same.
func TestWeek(t *testing.T) {
	seeds := 1
	if os.Getenv(soak) != "" {
		seeds = 8
	}
	begin := multe.Day{Year: 1999, Month: 12, Day: 1} // a bubble begins in the year 2000
	weeks := map[string]multe.Policy{
		"reset":               {From: begin, Debtor: multe.DebtorReset, Amount: multe.AmountOneCode},
		"rest":                {From: begin, Debtor: multe.DebtorREST, Amount: multe.AmountOneCode},
		"reissue":             {From: begin, Debtor: multe.DebtorReissue, Amount: multe.AmountOneCode},
		"two codes, register": {From: begin, Debtor: multe.DebtorRegister, Amount: multe.AmountTwoCodes},
		"two codes, reissue":  {From: begin, Debtor: multe.DebtorReissue, Amount: multe.AmountTwoCodes},
	}
	if os.Getenv(soak) == "" { // seconds each: what these two do, the others do too
		delete(weeks, "reissue")
		delete(weeks, "two codes, register")
	}
	for name, p := range weeks {
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { week(t, seed, p) }) })
		}
	}
}

func week(t *testing.T, seed uint64, p multe.Policy) {
	const devices = 3
	d := newDice(seed)
	m := &moody{region: newRegion(), dice: d}
	s := newService(openStore(t), m)
	m.receive = func(kind string, raw []byte) {
		if err := s.inbox.Receive(t.Context(), "", kind, raw); err != nil {
			t.Error(err)
		}
	}
	c := multe.Creditor{ID: ente, Name: "Comune di Torino", CodiceVersamento: "MULT", PoolLow: 40, PoolTarget: 80, ValidityDays: int(seed%2) * 60, Policies: []multe.Policy{p}}
	if _, err := s.registry.AddCreditor(t.Context(), "admin", c); err != nil {
		t.Fatal(err)
	}

	var loops, people sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	open, closeOffice := context.WithCancel(t.Context())
	for _, l := range s.loops {
		loops.Go(func() { _ = l.Run(ctx) })
	}
	for i := range devices {
		people.Go(func() { s.warden(t, d, fmt.Sprint("Palmare ", i), p.Amount) })
	}
	people.Go(func() { m.citizens(open) })
	people.Go(func() { s.office(open, t, d) })

	time.Sleep(4 * 24 * time.Hour)
	d.calmDown()
	closeOffice()
	people.Wait()
	time.Sleep(36 * time.Hour) // the longest pause is six hours, and there may be several
	stop()
	loops.Wait()
	m.running.Wait()
	s.audit(t, m.region)
}

// warden enrols a handheld, takes codes and writes three days of slips, each
// uploaded once or twice, at once or hours later.
func (s *service) warden(t *testing.T, d dice, name string, amount multe.AmountPolicy) {
	ctx := t.Context()
	_, invite, err := s.registry.AddDevice(ctx, "admin", ente, name, true)
	if err != nil {
		t.Error(err)
		return
	}
	dev, _, _, err := s.registry.Enrol(ctx, invite)
	if err != nil {
		t.Error(err)
		return
	}
	var codes []multe.Code
	var uploads sync.WaitGroup
	defer uploads.Wait()
	for end := time.Now().Add(3 * 24 * time.Hour); time.Now().Before(end); {
		d.between(30*time.Minute, 4*time.Hour)
		if len(codes) < 2 {
			id := multe.LeaseID(newID(t))
			for range 2 { // repeated as after a lost answer
				codes, err = s.pool.Lease(ctx, ente, dev.ID, id, 6)
				if err != nil && !errors.Is(err, fault.Exhausted) {
					t.Error(err)
				}
			}
			continue
		}
		code := codes[0]
		codes = codes[1:]
		at := multe.Instant(time.Now())
		slip := multe.Slip{ID: multe.VerbaleID(newID(t)), Position: code.Position, Number: code.Number, Plate: "AB123CD", Nation: "IT",
			Place: "Via Roma 1", Violation: multe.Violation{Norm: "art. 158", Conduct: "Sosta"}, Warden: "1", IssuedAt: at,
			Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(at).Plus(d.below(3))}, {Cents: 4200}}}
		if amount == multe.AmountTwoCodes {
			slip.Full = &multe.SlipCode{Position: codes[0].Position, Number: codes[0].Number}
			codes = codes[1:]
		}
		uploads.Go(func() {
			if slip.Offline = d.luck(30); slip.Offline {
				d.between(time.Hour, 12*time.Hour)
			}
			for range 2 {
				if _, _, err := s.verbali.Issue(ctx, ente, dev.ID, slip, multe.DigestOf([]byte(slip.ID))); err != nil {
					t.Error(err)
				}
				d.between(time.Second, time.Minute)
			}
		})
	}
}

// office records, now and then, some verbale that is not recorded yet.
func (s *service) office(ctx context.Context, t *testing.T, d dice) {
	for n := 0; ctx.Err() == nil; n++ {
		d.between(time.Hour, 2*time.Hour)
		all, err := s.verbali.List(t.Context(), ente, "", store.MaxPage)
		if err != nil {
			t.Error(err)
		}
		all = slices.DeleteFunc(all, func(v multe.Verbale) bool { return v.Record != nil || v.State == multe.VerbaleCancelled })
		if len(all) == 0 {
			continue
		}
		v := all[d.below(len(all))]
		if d.below(10) == 0 { // a change of mind, now and then of that too
			s.cancel(t, d, v.Slip.ID)
			continue
		}
		r := multe.Record{Register: fmt.Sprint("V", n), Cents: v.DueOn(multe.DayOf(time.Now())), Causale: "Verbale", Debtor: &debtor}
		if d.luck(30) {
			r.Debtor = nil
		}
		if _, _, err := s.verbali.Record(t.Context(), "operator:1", ente, v.Slip.ID, r); err != nil && !errors.Is(err, fault.Exhausted) {
			t.Error(err)
		}
	}
}

// cancel annuls a verbale, and takes half of those back within the window.
func (s *service) cancel(t *testing.T, d dice, id multe.VerbaleID) {
	if _, _, err := s.verbali.Cancel(t.Context(), "operator:1", ente, id, multe.Cancellation{Reason: "Autotutela"}); err != nil {
		if !errors.Is(err, fault.Conflict) { // recorded or annulled meanwhile
			t.Error(err)
		}
		return
	}
	d.between(time.Minute, 50*time.Minute)
	if d.below(2) == 0 {
		if _, _, err := s.verbali.UndoCancel(t.Context(), "operator:1", ente, id); err != nil && !errors.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
}

func newID(t *testing.T) string {
	id, err := multe.NewID(time.Now(), rand.Reader)
	if err != nil {
		t.Error(err)
	}
	return id
}

// audit compares the two sides once all is quiet.
func (s *service) audit(t *testing.T, region *region) {
	err := s.store.View(t.Context(), func(r store.Reader) error {
		doubtful := map[multe.PositionID]bool{}
		unsure := map[multe.PositionID]bool{} // of the debtor only
		var told []string
		ds, err := r.Discrepancies(ente, true, "", store.MaxPage)
		if err != nil {
			return err
		}
		for _, d := range ds {
			switch d.Kind {
			case "change.unknown":
				doubtful[multe.ChangeID(d.Subject).Position()] = true
			case "change.debtor_unsure":
				unsure[multe.ChangeID(d.Subject).Position()] = true
			case "batch.refused", "batch.later", "batch.already", "change.debtor_refused", "change.configuration", "change.blocked",
				"payment.short", "payment.over", "payment.cancelled", "payment.both_codes", "payment.void_code", "refund.due", "batch.abandoned":
			default:
				told = append(told, d.ID)
			}
		}
		if len(told) > 0 {
			t.Errorf("still told %v", told)
		}
		for _, state := range []multe.ChangeState{multe.ChangeWaiting, multe.ChangeSealed, multe.ChangeQueued} {
			chs, err := r.ChangesIn(ente, state, multe.Change{}, store.MaxPage)
			if err != nil {
				return err
			}
			for _, ch := range chs {
				if !doubtful[ch.Position] && !ch.NotBefore.After(time.Now()) { // the end of a discount may be days away
					t.Errorf("change %s (%s) is still %s, try %d, code %q", ch.ID(), ch.Kind, state, ch.Tries, ch.Code)
				}
			}
		}
		for _, state := range []multe.MessageState{multe.MessageNew, multe.MessageDead} {
			if ms, err := r.MessagesIn(state, "", 10); err != nil || len(ms) > 0 {
				t.Errorf("%d messages are still %s, %v", len(ms), state, err)
			}
		}
		paid, slips := 0, 0
		on := map[multe.VerbaleID][]multe.PositionID{}
		for _, state := range multe.CodeStates() {
			codes, err := r.CodesIn(ente, state, "", store.MaxPage)
			if err != nil {
				return err
			}
			for _, c := range codes {
				u := region.positions[c.Position]
				if u == nil || u.number != c.Number {
					t.Errorf("code %s (%s) has number %q, the region disagrees", c.Position, state, c.Number)
					continue
				}
				if c.Verbale != "" {
					if len(on[c.Verbale]) == 0 {
						slips++
					}
					on[c.Verbale] = append(on[c.Verbale], c.Position)
				}
				if err := s.auditCode(t, r, c, *u, doubtful[c.Position], unsure[c.Position]); err != nil {
					return err
				}
				if u.paid > 0 {
					paid++
				}
			}
		}
		unpaid := 0
		for id, ps := range on {
			if !slices.ContainsFunc(ps, func(p multe.PositionID) bool { return region.positions[p].paid > 0 }) {
				unpaid++
			}
			s.auditVerbale(t, r, region, id, ps, doubtful)
		}
		if slips < 20 || paid < 10 || unpaid < 5 {
			t.Errorf("only %d slips and %d payments: the test tests little", slips, paid)
		}
		t.Logf("%d slips, %d payments, %d in doubt, %d positions upstream", slips, paid, len(doubtful), len(region.positions))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// auditCode compares one code with its position.
func (s *service) auditCode(t *testing.T, r store.Reader, c multe.Code, u upstream, doubtful, unsure bool) error {
	ps, err := r.PaymentsOf(ente, c.Number.IUV(), 10)
	if err != nil {
		return err
	}
	var came []multe.Cents
	for _, p := range ps {
		if p.Cents != 0 {
			came = append(came, p.Cents)
		}
	}
	switch {
	case u.paid > 0 && (c.State != multe.CodePaid || len(came) != 1 || came[0] != u.paid):
		t.Errorf("code %s is %s with payments %v; the region was paid %d once", c.Position, c.State, came, u.paid)
	case u.paid == 0 && (c.State == multe.CodePaid || len(came) > 0):
		t.Errorf("code %s is %s with payments %v that nobody made", c.Position, c.State, came)
	}
	if u.paid > 0 || doubtful {
		return nil
	}
	if (c.State == multe.CodeVoid) != u.void {
		t.Errorf("code %s is %s; the region has it void: %t", c.Position, c.State, u.void)
	}
	if c.State == multe.CodeVoid {
		return nil
	}
	if c.UpstreamCents != u.cents || !unsure && c.UpstreamDebtor != u.debtor {
		t.Errorf("code %s: we believe %d cents, debtor %t; the region %d, %t", c.Position, c.UpstreamCents, c.UpstreamDebtor, u.cents, u.debtor)
	}
	if c.Verbale == "" {
		if u.cents != 0 {
			t.Errorf("code %s is worth %d without a slip", c.Position, u.cents)
		}
		return nil
	}
	v, err := r.Verbale(ente, c.Verbale)
	if err != nil {
		return err
	}
	if c.State != multe.CodeActive || u.cents == 0 || c.Position == v.Carrier() && v.Record != nil && u.cents != v.Record.Cents {
		t.Errorf("code %s is %s and worth %d upstream; its verbale is %s", c.Position, c.State, u.cents, v.State)
	}
	return nil
}

// auditVerbale checks that no more can be paid for a verbale than is meant: one
// code, or the two of its slip, and none once it was paid or cancelled.
func (s *service) auditVerbale(t *testing.T, r store.Reader, region *region, id multe.VerbaleID, ps []multe.PositionID, doubtful map[multe.PositionID]bool) {
	v, err := r.Verbale(ente, id)
	if err != nil {
		t.Error(err)
		return
	}
	slices.Sort(ps)
	if want := slices.Sorted(slices.Values(v.Positions())); !slices.Equal(ps, want) {
		t.Errorf("verbale %s is on %v, and says %v", id, ps, want)
	}
	payable, paid := 0, 0
	for _, p := range ps {
		if doubtful[p] {
			return
		}
		u := region.positions[p]
		if u.paid > 0 {
			paid++
		} else if !u.void && u.cents > 0 {
			payable++
		}
	}
	most := 1
	switch {
	case paid > 0 || v.State == multe.VerbaleCancelled:
		most = 0
	case v.Slip.Full != nil && v.Slip.Steps[0].LastDay.Compare(multe.DayOf(time.Now())) >= 0:
		most = 2
	}
	least := most
	if v.Slip.Full != nil {
		least = min(most, 1)
	}
	if payable < least || payable > most {
		t.Errorf("verbale %s (%s, codes %v): %d can be paid and %d were, want %d to %d", id, v.State, ps, payable, paid, least, most)
	}
}
