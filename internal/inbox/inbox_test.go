package inbox_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/store/storetest"
)

// world has an inbox whose messages are one word: what to make of them.
type world struct {
	*inbox.Inbox
	store  store.Store
	clock  time.Time
	nudges int
	fails  map[string]error
	speaks map[string]multe.CreditorID // nil: everybody for everybody
}

func open(t *testing.T) *world {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "test.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{store: storetest.Twice(s), clock: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), fails: map[string]error{}}
	read := func(raw []byte) (multe.Event, error) {
		kind, rest, _ := strings.Cut(string(raw), " ")
		switch kind {
		case "esito":
			return multe.Event{Kind: kind, Esito: &multe.Esito{Batch: multe.BatchID(rest)}}, nil
		case "notice":
			return multe.Event{Kind: kind, Notice: &multe.Notice{Message: rest}}, nil
		case "rt":
			return multe.Event{Kind: "TrasmettiRT", Receipts: &multe.Bundle[multe.Receipt]{Items: []multe.Receipt{{ID: rest}}}}, nil
		case "revoca":
			return multe.Event{Kind: kind, Revocations: &multe.Bundle[multe.Revocation]{Items: []multe.Revocation{{ID: rest}}}}, nil
		case "scaduti":
			return multe.Event{Kind: kind, Expiries: &multe.Bundle[multe.Expiry]{Items: []multe.Expiry{{IUV: rest}}}}, nil
		case "other":
			return multe.Event{Kind: "unknown"}, nil
		case "about": // a creditor
			return multe.Event{Kind: kind, Esito: &multe.Esito{Creditor: multe.CreditorID(rest), Batch: "a"}}, nil
		case "bomb":
			panic("reader")
		}
		return multe.Event{}, errors.New("no such thing")
	}
	// Hearing leaves a line in the history, so that what was undone leaves none.
	hear := func(tx store.Tx, what string) error {
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: "c", Action: what}); err != nil {
			return err
		}
		if what == "panic" {
			panic("hearer")
		}
		return w.fails[what]
	}
	w.Inbox = inbox.New(w.store, inbox.Config{
		Read:       read,
		HearEsito:  func(tx store.Tx, e multe.Esito, _ time.Time) error { return hear(tx, string(e.Batch)) },
		HearNotice: func(tx store.Tx, n multe.Notice, _ multe.MessageID, _ time.Time) error { return hear(tx, n.Message) },
		HearReceipts: func(tx store.Tx, b multe.Bundle[multe.Receipt], _ multe.MessageID, _ time.Time) error {
			return hear(tx, b.Items[0].ID)
		},
		HearRevocations: func(tx store.Tx, b multe.Bundle[multe.Revocation], _ multe.MessageID, _ time.Time) error {
			return hear(tx, b.Items[0].ID)
		},
		HearExpiries: func(tx store.Tx, b multe.Bundle[multe.Expiry], _ multe.MessageID, _ time.Time) error {
			return hear(tx, b.Items[0].IUV)
		},
		MaySpeak: func(caller string, c multe.CreditorID) bool { return w.speaks == nil || w.speaks[caller] == c },
		Now:      func() time.Time { return w.clock }, Random: rand.Reader, Nudge: func() { w.nudges++ },
	})
	return w
}

func (w *world) receive(t *testing.T, raws ...string) {
	t.Helper()
	for _, raw := range raws {
		w.clock = w.clock.Add(time.Millisecond) // ids sort by time
		if err := w.Receive(t.Context(), "epay", "X", []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) work(t *testing.T) (more bool) {
	t.Helper()
	more, err := w.Work(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return more
}

// look returns what was heard, how many messages are in each state, and the open
// troubles.
func (w *world) look(t *testing.T) (heard []string, states map[multe.MessageState]int, troubles []string) {
	t.Helper()
	states = map[multe.MessageState]int{}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		entries, err := r.Audit("c", "", 0, store.MaxPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			heard = append(heard, e.Action)
		}
		for _, s := range []multe.MessageState{multe.MessageNew, multe.MessageDone, multe.MessageDead} {
			ms, err := r.MessagesIn(s, "", store.MaxPage)
			if err != nil {
				return err
			}
			states[s] = len(ms)
		}
		ds, err := r.Discrepancies("", true, "", store.MaxPage)
		for _, d := range ds {
			troubles = append(troubles, d.Kind)
			if len(d.Detail) < 80 {
				t.Errorf("%s tells a person too little: %q", d.Kind, d.Detail)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return heard, states, troubles
}

func TestReceiveKeepsTheBytes(t *testing.T) {
	w := open(t)
	w.receive(t, "esito a", "esito a")
	if w.nudges != 2 {
		t.Errorf("%d nudges, want 2", w.nudges)
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		ms, err := r.MessagesIn(multe.MessageNew, "", 10)
		if err != nil || len(ms) != 2 {
			t.Fatalf("%d messages, %v", len(ms), err)
		}
		m := ms[1]
		if string(m.Raw) != "esito a" || m.Digest != multe.DigestOf(m.Raw) || m.Kind != "X" || m.Caller != "epay" || !m.Received.Equal(w.clock) {
			t.Errorf("kept %+v", m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReceiveFailsWithTheStore(t *testing.T) {
	w := open(t)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Receive(t.Context(), "epay", "X", []byte("esito a")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Receive = %v, want fault.Unavailable", err)
	}
	if w.nudges != 0 {
		t.Error("nudged for a message that is not kept")
	}
}

// TestWork works one message of each sort, the bad ones first.
func TestWork(t *testing.T) {
	conflict := fault.New(fault.Conflict, "x", "")
	for _, test := range []struct {
		raw   string
		fail  error
		state multe.MessageState
		kind  string // of the trouble
		heard bool
	}{
		{raw: "esito a", state: multe.MessageDone, heard: true},
		{raw: "notice a", state: multe.MessageDone, heard: true},
		{raw: "rt a", state: multe.MessageDone, heard: true},
		{raw: "revoca a", state: multe.MessageDone, heard: true},
		{raw: "scaduti a", state: multe.MessageDone, heard: true},
		{raw: "other a", state: multe.MessageDone},
		{raw: "rt panic", state: multe.MessageDead, kind: "message.failed"},
		{raw: "gibberish a", state: multe.MessageDead, kind: "message.unreadable"},
		{raw: "bomb a", state: multe.MessageDead, kind: "message.unreadable"},
		{raw: "notice panic", state: multe.MessageDead, kind: "message.failed"},
		{raw: "esito a", fail: errors.New("our bug"), state: multe.MessageDead, kind: "message.failed"},
		{raw: "esito a", fail: fault.New(fault.Invalid, "x", ""), state: multe.MessageDead, kind: "message.failed"},
		{raw: "esito a", fail: conflict, state: multe.MessageNew},
		{raw: "notice a", fail: fmt.Errorf("hearing: %w", fault.Unavailable), state: multe.MessageNew},
	} {
		t.Run(fmt.Sprint(test.raw, "/", test.fail), func(t *testing.T) {
			w := open(t)
			w.fails["a"] = test.fail
			w.receive(t, test.raw, "esito good")
			if more := w.work(t); more {
				t.Error("more after everything was looked at")
			}
			heard, states, troubles := w.look(t)
			want := []string{"good"}
			if test.heard {
				want = []string{"a", "good"}
			}
			if !slices.Equal(heard, want) {
				t.Errorf("heard %q, want %q: a failure leaves nothing and holds nobody back", heard, want)
			}
			wantStates := map[multe.MessageState]int{multe.MessageNew: 0, multe.MessageDone: 1, multe.MessageDead: 0}
			wantStates[test.state]++
			if fmt.Sprint(states) != fmt.Sprint(wantStates) {
				t.Errorf("states = %v, want %v", states, wantStates)
			}
			if got := strings.Join(troubles, " "); got != test.kind {
				t.Errorf("troubles = %q, want %q", got, test.kind)
			}
		})
	}
}

// TestPassingFailure lets a message fail for a while: it is tried ever more
// slowly, whatever nudges come, and heard once when it can be.
func TestPassingFailure(t *testing.T) {
	w := open(t)
	w.fails["a"] = fault.Unavailable
	w.receive(t, "esito a")
	start, tries, last := w.clock, 0, 0
	for w.clock.Before(start.Add(2 * time.Minute)) {
		w.work(t)
		w.clock = w.clock.Add(time.Second)
		if n := w.tries(t); n != last {
			tries, last = tries+1, n
		}
	}
	if tries != 5 { // at 0, 5, 15, 35 and 75 s
		t.Errorf("%d tries in two minutes, want 5", tries)
	}
	delete(w.fails, "a")
	w.clock = w.clock.Add(10 * time.Minute)
	w.work(t)
	w.work(t)
	if heard, states, _ := w.look(t); !slices.Equal(heard, []string{"a"}) || states[multe.MessageDone] != 1 {
		t.Errorf("heard %q, states %v", heard, states)
	}
}

// TestHopeless lets a message fail for ever.
func TestHopeless(t *testing.T) {
	w := open(t)
	w.fails["a"] = fault.Conflict
	w.receive(t, "esito a")
	for range 12 {
		if _, states, _ := w.look(t); states[multe.MessageNew] != 1 {
			t.Fatal("given up too early")
		}
		w.work(t)
		w.clock = w.clock.Add(10 * time.Minute)
	}
	_, states, troubles := w.look(t)
	if states[multe.MessageDead] != 1 || !slices.Equal(troubles, []string{"message.failed"}) {
		t.Errorf("states %v, troubles %v", states, troubles)
	}
}

func (w *world) tries(t *testing.T) int {
	t.Helper()
	n := 0
	err := w.store.View(t.Context(), func(r store.Reader) error {
		ms, err := r.MessagesIn(multe.MessageNew, "", 1)
		if len(ms) == 1 {
			n = ms[0].Tries
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRacersWorkOnce lets four instances work the same messages.
func TestRacersWorkOnce(t *testing.T) {
	w := open(t)
	for range 30 {
		w.receive(t, "esito a")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := w.Work(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if heard, states, _ := w.look(t); len(heard) != 30 || states[multe.MessageDone] != 30 {
		t.Errorf("%d heard, %v", len(heard), states)
	}
}

// TestRoundIsBounded fills the inbox, with a crowd of failing messages in front.
func TestRoundIsBounded(t *testing.T) {
	w := open(t)
	w.fails["bad"] = fault.Conflict
	err := w.store.Update(t.Context(), func(tx store.Tx) error {
		for i := range 450 {
			raw := "esito good"
			if i < 220 {
				raw = "esito bad"
			}
			m := multe.Message{ID: multe.MessageID(fmt.Sprintf("%032x", i)), State: multe.MessageNew, Raw: []byte(raw), Version: 1}
			if err := tx.PutMessage(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rounds := 1
	for w.work(t) {
		if rounds++; rounds > 5 {
			t.Fatal("no end")
		}
	}
	heard, _, _ := w.look(t)
	if len(heard) != 230 || rounds != 3 {
		t.Errorf("%d good messages heard in %d rounds, want 230 in 3", len(heard), rounds)
	}
}

// TestMessagesAreShownAndReplayed is what an administrator does about dead ones.
func TestMessagesAreShownAndReplayed(t *testing.T) {
	w := open(t)
	w.fails["a"] = errors.New("our bug")
	var raws []string
	for i := range 25 { // more than a page
		raws = append(raws, fmt.Sprintf("gibberish %d", i))
	}
	w.receive(t, append(raws, "esito a", "esito good")...)
	w.work(t)
	dead, err := w.List(t.Context(), multe.MessageDead, "", 100)
	if err != nil || len(dead) != 26 {
		t.Fatalf("%d dead, %v", len(dead), err)
	}
	for i, h := range dead[:25] {
		if h.Problem != "message.unreadable" || h.Bytes != len(raws[i]) || h.Caller != "epay" || h.Kind != "X" || h.Received.IsZero() {
			t.Errorf("dead = %+v", h)
		}
		if raw, err := w.Raw(t.Context(), h.ID); err != nil || string(raw) != raws[i] {
			t.Errorf("raw = %q, %v", raw, err)
		}
	}
	some, err := w.List(t.Context(), multe.MessageDead, dead[3].ID, 12)
	if err != nil || len(some) != 12 || some[0] != dead[4] || some[11] != dead[15] {
		t.Errorf("a page of twelve = %+v, %v", some, err)
	}

	failed := dead[25]
	if failed.Problem != "message.failed" {
		t.Fatalf("failed = %+v", failed)
	}
	delete(w.fails, "a")
	nudges := w.nudges
	head, err := w.Replay(t.Context(), failed.ID)
	if err != nil || head.State != multe.MessageNew || head.Problem != "" || w.nudges != nudges+1 {
		t.Errorf("replayed = %+v, %v, %d nudges", head, err, w.nudges-nudges)
	}
	if _, err := w.Replay(t.Context(), failed.ID); fault.Of(err).Code != "message.wrong_state" {
		t.Errorf("replayed while it waits: %v", err)
	}
	w.work(t)
	heard, states, troubles := w.look(t)
	if !slices.Equal(heard, []string{"good", "a"}) || states[multe.MessageDone] != 2 || slices.Contains(troubles, "message.failed") {
		t.Errorf("heard %v, %v, open %v", heard, states, troubles)
	}
	if _, err := w.Replay(t.Context(), failed.ID); err != nil { // a done one, too
		t.Error(err)
	}
	for _, call := range []func() error{
		func() error { _, err := w.Raw(t.Context(), "none"); return err },
		func() error { _, err := w.Replay(t.Context(), "none"); return err },
	} {
		if err := call(); fault.Of(err).Code != "message.unknown" || !errors.Is(err, fault.NotFound) {
			t.Errorf("of no message: %v", err)
		}
	}
	// One that dies of the same again is reported again.
	if _, err := w.Replay(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, _, troubles := w.look(t); len(troubles) != 24 {
		t.Errorf("%d troubles are open while one is tried again, want 24", len(troubles))
	}
	w.work(t)
	if _, _, troubles := w.look(t); len(troubles) != 25 {
		t.Errorf("%d troubles are open after it died again, want 25", len(troubles))
	}
}

// TestWhoMaySpeak buries what somebody says about another's creditor, and hears
// it once the configuration is mended.
func TestWhoMaySpeak(t *testing.T) {
	w := open(t)
	w.speaks = map[string]multe.CreditorID{"epay": "torino"}
	w.receive(t, "about alba", "about torino", "other a")
	w.work(t)
	heard, states, troubles := w.look(t)
	if len(heard) != 1 || states[multe.MessageDone] != 2 || !slices.Equal(troubles, []string{"message.wrong_caller"}) {
		t.Errorf("heard %v, %v, %v", heard, states, troubles)
	}
	dead, err := w.List(t.Context(), multe.MessageDead, "", 10)
	if err != nil || len(dead) != 1 || dead[0].Problem != "message.wrong_caller" {
		t.Fatalf("dead = %+v, %v", dead, err)
	}
	w.speaks["epay"] = "alba"
	if _, err := w.Replay(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	w.work(t)
	if heard, _, troubles := w.look(t); len(heard) != 2 || len(troubles) != 0 {
		t.Errorf("heard %v, %v", heard, troubles)
	}
}
