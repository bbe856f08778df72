// Package storetest is the store contract as tests. Every backend calls [Run]
// from one test function; what only one backend does is tested there.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Run checks a backend. open returns a new, empty store, and a function that
// closes it and opens again what it kept; Run closes what is open at the end.
func Run(t *testing.T, open func(t *testing.T) (s store.Store, reopen func() store.Store)) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"RecordsComeBackWhole", recordsComeBackWhole},
		{"RecordsAreCopies", recordsAreCopies},
		{"VersionsAreInStep", versionsAreInStep},
		{"UniqueIsUnique", uniqueIsUnique},
		{"NothingIsMissingQuietly", nothingIsMissingQuietly},
		{"FailedUpdateLeavesNoTrace", failedUpdateLeavesNoTrace},
		{"FailedChangeLeavesNoTrace", failedChangeLeavesNoTrace},
		{"PanicLeavesNoTrace", panicLeavesNoTrace},
		{"DoneContextCommitsNothing", doneContextCommitsNothing},
		{"UpdateReadsWhatItPut", updateReadsWhatItPut},
		{"ViewSeesOneMoment", viewSeesOneMoment},
		{"ScansAreInByteOrder", scansAreInByteOrder},
		{"ScansAreLimited", scansAreLimited},
		{"ScanGoesPastAPage", scanGoesPastAPage},
		{"ChangesAreInOrder", changesAreInOrder},
		{"PaymentsAreInOrder", paymentsAreInOrder},
		{"FlussiAreInOrder", flussiAreInOrder},
		{"ToldOfAnIUVIsItsOwn", toldOfAnIUVIsItsOwn},
		{"DocumentsSucceedEachOther", documentsSucceedEachOther},
		{"SessionsAreOfOnePerson", sessionsAreOfOnePerson},
		{"VerbaliByPlateAndState", verbaliByPlateAndState},
		{"VerbaliByNextStep", verbaliByNextStep},
		{"MoneyFollows", moneyFollows},
		{"PrintsFollow", printsFollow},
		{"IdempotenciesAreForgotten", idempotenciesAreForgotten},
		{"CreditorsAreRemembered", creditorsAreRemembered},
		{"AuditIsInOrder", auditIsInOrder},
		{"MarksAreInOrder", marksAreInOrder},
		{"PhotosAndBulletinsAreInOrder", photosAndBulletinsAreInOrder},
		{"IndexesFollowTheRecords", indexesFollowTheRecords},
		{"CountsEqualScans", countsEqualScans},
		{"BadTextIsRefused", badTextIsRefused},
		{"ReportCountsUp", reportCountsUp},
		{"RacersNeverTakeTheSameCode", racersNeverTakeTheSameCode},
		{"RacersOnTwice", func(t *testing.T, s store.Store) { racersNeverTakeTheSameCode(t, Twice(s)) }},
		{"ClosedStoreDecidesNothing", closedStoreDecidesNothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test.run(t, s)
		})
	}
	t.Run("ReopeningKeepsEverything", func(t *testing.T) {
		t.Parallel()
		s, reopen := open(t)
		reopeningKeepsEverything(t, s, reopen)
	})
}

func recordsComeBackWhole(t *testing.T, s store.Store) {
	for _, c := range []multe.CreditorID{ours, theirs} {
		for _, k := range kinds(c) {
			update(t, s, func(tx store.Tx) error { return k.put(tx, 1) })
		}
	}
	for _, c := range []multe.CreditorID{ours, theirs} {
		for _, k := range kinds(c) {
			check(t, s, k, 1)
		}
	}
}

// same compares records. Times are compared as values, for they must come back in
// UTC, where package cmp takes the same instant in two zones for equal.
var same = cmp.Options{
	cmp.Comparer(func(a, b avviso.Number) bool { return a == b }),
	cmp.Comparer(func(a, b time.Time) bool { return a == b }),
}

// check compares a record with its sample.
func check(t *testing.T, s store.Store, k kind, version uint64) {
	t.Helper()
	view(t, s, func(r store.Reader) error {
		got, err := k.get(r)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		if diff := cmp.Diff(k.want(version), got, same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", k.name, diff)
		}
		return nil
	})
}

func recordsAreCopies(t *testing.T, s store.Store) {
	for _, k := range kinds(ours) {
		if k.scratch == nil {
			continue
		}
		// put scribbles over the record after it was put, and a read before the
		// commit must not hand out what will be committed.
		update(t, s, func(tx store.Tx) error {
			if err := k.put(tx, 1); err != nil {
				return err
			}
			_, err := k.scratch(tx)
			return err
		})
		view(t, s, func(r store.Reader) error {
			_, err := k.scratch(r)
			return err
		})
		check(t, s, k, 1)
	}
}

func versionsAreInStep(t *testing.T, s store.Store) {
	for _, k := range kinds(ours) {
		for _, step := range []struct {
			version uint64
			want    error
		}{
			{0, fault.Conflict}, {2, fault.NotFound}, {3, fault.NotFound}, {1, nil},
			{0, fault.Conflict}, {1, fault.Conflict}, {3, fault.Conflict}, {2, nil}, {2, fault.Conflict}, {1, fault.Conflict}, {3, nil},
		} {
			err := s.Update(t.Context(), func(tx store.Tx) error { return k.put(tx, step.version) })
			if !errors.Is(err, step.want) {
				t.Errorf("%s: put of version %d: %v, want %v", k.name, step.version, err, step.want)
			}
		}
		check(t, s, k, 3)
	}
}

func uniqueIsUnique(t *testing.T, s store.Store) {
	numbered := func(c multe.CreditorID, p string, n int) multe.Code {
		rec := code(c, p, multe.CodeAvailable)
		rec.Number = number(n)
		return rec
	}
	withToken := func(d multe.Device, token string) multe.Device {
		d.Token = digest(token)
		return d
	}
	withInvite := func(d multe.Device, invite string) multe.Device {
		d.Invite = digest(invite)
		return d
	}
	operatorWith := func(c multe.CreditorID, id, token string) multe.Operator {
		o := operator(c, id)
		o.Token = digest(token)
		return o
	}
	at := func(c multe.CreditorID, id, position string) multe.Verbale {
		v := verbale(c, id)
		v.Slip.Position = multe.PositionID(position)
		return v
	}
	recorded := func(c multe.CreditorID, id, register string) multe.Verbale {
		v := verbale(c, id)
		v.Record = &multe.Record{Register: register, At: noon}
		return v
	}
	for _, tt := range []struct {
		name              string
		first, same, fine func(store.Tx) error // fine repeats it where that is allowed
	}{
		{"operator token, in any creditor",
			func(tx store.Tx) error { return tx.PutOperator(operatorWith(ours, "O1", "x")) },
			func(tx store.Tx) error { return tx.PutOperator(operatorWith(theirs, "O2", "x")) },
			func(tx store.Tx) error { return tx.PutDevice(withToken(device(ours, "D0"), "x")) }},
		{"no operator token is no token",
			func(tx store.Tx) error { return tx.PutOperator(multe.Operator{Creditor: ours, ID: "O3", Version: 1}) },
			nil,
			func(tx store.Tx) error { return tx.PutOperator(multe.Operator{Creditor: ours, ID: "O4", Version: 1}) }},
		{"operator login, in any creditor",
			func(tx store.Tx) error { return tx.PutOperator(person(ours, "O5", "a@example.it", "i", "s")) },
			func(tx store.Tx) error { return tx.PutOperator(person(theirs, "O6", "a@example.it", "j", "t")) },
			func(tx store.Tx) error { return tx.PutOperator(person(theirs, "O6", "b@example.it", "j", "t")) }},
		{"operator invite, in any creditor",
			func(tx store.Tx) error { return tx.PutOperator(person(ours, "O7", "c@example.it", "k", "u")) },
			func(tx store.Tx) error { return tx.PutOperator(person(theirs, "O8", "d@example.it", "k", "v")) },
			func(tx store.Tx) error { return tx.PutDevice(withInvite(device(theirs, "D9"), "k")) }},
		{"operator subject, of one issuer",
			func(tx store.Tx) error { return tx.PutOperator(person(ours, "O9", "e@example.it", "l", "w")) },
			func(tx store.Tx) error { return tx.PutOperator(person(theirs, "O10", "f@example.it", "m", "w")) },
			func(tx store.Tx) error {
				o := person(theirs, "O10", "f@example.it", "m", "w")
				o.Issuer = "https://other.example.it"
				return tx.PutOperator(o)
			}},
		{"session token, in any creditor",
			func(tx store.Tx) error { return tx.PutSession(session(ours, "O1", 1)) },
			func(tx store.Tx) error {
				s := session(theirs, "O2", 2)
				s.Token = session(ours, "O1", 1).Token
				return tx.PutSession(s)
			},
			func(tx store.Tx) error { return tx.PutSession(session(theirs, "O2", 2)) }},
		{"no session token is no token",
			func(tx store.Tx) error {
				return tx.PutSession(multe.Session{Creditor: ours, Operator: "O3", N: 1, Version: 1})
			},
			nil,
			func(tx store.Tx) error {
				return tx.PutSession(multe.Session{Creditor: ours, Operator: "O3", N: 2, Version: 1})
			}},
		{"device token, in any creditor",
			func(tx store.Tx) error { return tx.PutDevice(withToken(device(ours, "D1"), "y")) },
			func(tx store.Tx) error { return tx.PutDevice(withToken(device(theirs, "D2"), "y")) },
			func(tx store.Tx) error { return tx.PutDevice(withToken(device(theirs, "D2"), "z")) }},
		{"device invite, in any creditor",
			func(tx store.Tx) error { return tx.PutDevice(withInvite(device(ours, "D3"), "i")) },
			func(tx store.Tx) error { return tx.PutDevice(withInvite(device(theirs, "D4"), "i")) },
			func(tx store.Tx) error { return tx.PutDevice(withInvite(device(theirs, "D4"), "j")) }},
		{"no device invite is no invite",
			func(tx store.Tx) error { return tx.PutDevice(multe.Device{Creditor: ours, ID: "D5", Version: 1}) },
			nil,
			func(tx store.Tx) error { return tx.PutDevice(multe.Device{Creditor: ours, ID: "D6", Version: 1}) }},
		{"IUV, in a creditor",
			func(tx store.Tx) error { return tx.PutCode(numbered(ours, "P1", 7)) },
			func(tx store.Tx) error { return tx.PutCode(numbered(ours, "P2", 7)) },
			func(tx store.Tx) error { return tx.PutCode(numbered(theirs, "P1", 7)) }},
		{"no IUV is no IUV",
			func(tx store.Tx) error { return tx.PutCode(code(ours, "P3", multe.CodeRequested)) },
			nil,
			func(tx store.Tx) error { return tx.PutCode(code(ours, "P4", multe.CodeRequested)) }},
		{"position of a verbale, in a creditor",
			func(tx store.Tx) error { return tx.PutVerbale(at(ours, "V1", "P1")) },
			func(tx store.Tx) error { return tx.PutVerbale(at(ours, "V2", "P1")) },
			func(tx store.Tx) error { return tx.PutVerbale(at(theirs, "V1", "P1")) }},
		{"register, in a creditor",
			func(tx store.Tx) error { return tx.PutVerbale(recorded(ours, "V3", "17")) },
			func(tx store.Tx) error { return tx.PutVerbale(recorded(ours, "V4", "17")) },
			func(tx store.Tx) error { return tx.PutVerbale(recorded(theirs, "V3", "17")) }},
		{"verbali without a record have no register",
			func(tx store.Tx) error { return tx.PutVerbale(verbale(ours, "V5")) },
			nil,
			func(tx store.Tx) error { return tx.PutVerbale(verbale(ours, "V6")) }},
	} {
		update(t, s, tt.first)
		if tt.same != nil {
			if err := s.Update(t.Context(), tt.same); !errors.Is(err, fault.Conflict) {
				t.Errorf("%s: second: %v, want a conflict", tt.name, err)
			}
		}
		if err := s.Update(t.Context(), tt.fine); err != nil {
			t.Errorf("%s: where it may be repeated: %v", tt.name, err)
		}
	}
	// Also against a record of the same transaction, and by a record that changes.
	if err := s.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.PutCode(numbered(ours, "Q1", 8)), tx.PutCode(numbered(ours, "Q2", 8)))
	}); !errors.Is(err, fault.Conflict) {
		t.Errorf("two of the same transaction: %v, want a conflict", err)
	}
	late := numbered(ours, "P3", 7)
	late.Version = 2
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutCode(late) }); !errors.Is(err, fault.Conflict) {
		t.Errorf("a record that takes another's IUV: %v, want a conflict", err)
	}
}

// missing are reads of single records that are not there.
func missing(c multe.CreditorID) map[string]func(store.Reader) error {
	m := map[string]func(store.Reader) error{
		"OperatorByToken":      func(r store.Reader) error { _, err := r.OperatorByToken(digest("none")); return err },
		"OperatorByToken zero": func(r store.Reader) error { _, err := r.OperatorByToken(multe.Digest{}); return err },
		"OperatorByLogin":      func(r store.Reader) error { _, err := r.OperatorByLogin("nobody@example.it"); return err },
		"OperatorByLogin none": func(r store.Reader) error { _, err := r.OperatorByLogin(""); return err },
		"OperatorByInvite":     func(r store.Reader) error { _, err := r.OperatorByInvite(digest("none")); return err },
		"OperatorByInvite 0":   func(r store.Reader) error { _, err := r.OperatorByInvite(multe.Digest{}); return err },
		"OperatorBySubject":    func(r store.Reader) error { _, err := r.OperatorBySubject("https://idp", "none"); return err },
		"OperatorBySubject 0":  func(r store.Reader) error { _, err := r.OperatorBySubject("", ""); return err },
		"SessionByToken":       func(r store.Reader) error { _, err := r.SessionByToken(digest("none")); return err },
		"SessionByToken zero":  func(r store.Reader) error { _, err := r.SessionByToken(multe.Digest{}); return err },
		"DeviceByToken":        func(r store.Reader) error { _, err := r.DeviceByToken(digest("none")); return err },
		"DeviceByToken zero":   func(r store.Reader) error { _, err := r.DeviceByToken(multe.Digest{}); return err },
		"DeviceByInvite":       func(r store.Reader) error { _, err := r.DeviceByInvite(digest("none")); return err },
		"DeviceByInvite zero":  func(r store.Reader) error { _, err := r.DeviceByInvite(multe.Digest{}); return err },
		"CodeByIUV":            func(r store.Reader) error { _, err := r.CodeByIUV(c, number(1).IUV()); return err },
		"CodeByIUV empty":      func(r store.Reader) error { _, err := r.CodeByIUV(c, ""); return err },
		"VerbaleByRegister":    func(r store.Reader) error { _, err := r.VerbaleByRegister(c, "17"); return err },
		"VerbaleByRegister empty": func(r store.Reader) error {
			_, err := r.VerbaleByRegister(c, "")
			return err
		},
	}
	for _, k := range kinds(c) {
		m[k.name] = func(r store.Reader) error { _, err := k.get(r); return err }
	}
	return m
}

func nothingIsMissingQuietly(t *testing.T, s store.Store) {
	for _, k := range kinds(theirs) { // a neighbour's records are no help
		update(t, s, func(tx store.Tx) error { return k.put(tx, 1) })
	}
	// Records without what an index is over must not be found by its zero value.
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.PutOperator(multe.Operator{Creditor: ours, ID: "O9", Version: 1}),
			tx.PutDevice(multe.Device{Creditor: ours, ID: "D9", Version: 1}),
			tx.PutCode(code(ours, "P9", multe.CodeRequested)),
			tx.PutVerbale(verbale(ours, "V9")))
	})
	for name, read := range missing(ours) {
		if err := s.View(t.Context(), read); !errors.Is(err, fault.NotFound) {
			t.Errorf("%s of nothing: %v, want not found", name, err)
		}
	}
}

// everything puts one record of every kind and a line of history.
func everything(tx store.Tx, c multe.CreditorID) error {
	for _, k := range kinds(c) {
		if err := k.put(tx, 1); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return tx.AppendAudit(auditEntry(c, "P1", "code.assign"))
}

// wantNothing checks that no read and no list shows anything of creditor c.
func wantNothing(t *testing.T, s store.Store, c multe.CreditorID) {
	t.Helper()
	for name, read := range missing(c) {
		if err := s.View(t.Context(), read); !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
	view(t, s, func(r store.Reader) error {
		for _, sc := range scans() {
			if n, err := sc.page(r, c, 10); err != nil || n != 0 {
				t.Errorf("%s: %d records, %v; want none", sc.name, n, err)
			}
		}
		counts, err := r.CountCodes(c)
		if err != nil || len(counts) != 0 {
			t.Errorf("CountCodes = %v, %v; want none", counts, err)
		}
		for _, p := range []multe.PositionID{"", "P1"} {
			if lines, err := r.Audit(c, p, 0, 10); err != nil || len(lines) != 0 {
				t.Errorf("Audit(%q) = %v, %v; want none", p, lines, err)
			}
		}
		return nil
	})
}

func failedUpdateLeavesNoTrace(t *testing.T, s store.Store) {
	cause := errors.New("no")
	err := s.Update(t.Context(), func(tx store.Tx) error {
		if err := everything(tx, ours); err != nil {
			t.Error(err)
		}
		return cause
	})
	if !errors.Is(err, cause) {
		t.Fatalf("Update: %v, want the error of the function", err)
	}
	wantNothing(t, s, ours)
	update(t, s, func(tx store.Tx) error { return everything(tx, ours) })
	for _, k := range kinds(ours) {
		check(t, s, k, 1)
	}
	view(t, s, func(r store.Reader) error {
		lines, err := r.Audit(ours, "", 0, 10)
		if err != nil || len(lines) != 1 || lines[0].Seq != 1 {
			t.Errorf("Audit = %+v, %v; want one line with Seq 1", lines, err)
		}
		return nil
	})
}

// failedChangeLeavesNoTrace is the same over records that were there before.
func failedChangeLeavesNoTrace(t *testing.T, s store.Store) {
	before := code(ours, "P1", multe.CodeAvailable)
	before.Number = number(1)
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutCode(before), tx.PutDevice(device(ours, "D1")), tx.AppendAudit(auditEntry(ours, "P1", "code.acknowledge")))
	})
	err := s.Update(t.Context(), func(tx store.Tx) error {
		c, err := before.Assign("D1", "L1", later(1))
		if err != nil {
			return err
		}
		c.Number = number(2) // nobody does, but the index must follow
		paid, err := c.Pay(later(2))
		if err != nil {
			return err
		}
		d, err := device(ours, "D1").Revoke(later(1))
		if err != nil {
			return err
		}
		return errors.Join(tx.PutCode(c), tx.PutCode(paid), tx.PutDevice(d), tx.AppendAudit(auditEntry(ours, "P1", "code.pay")), fault.Exhausted)
	})
	if !errors.Is(err, fault.Exhausted) {
		t.Fatal(err)
	}
	view(t, s, func(r store.Reader) error {
		if c, err := r.Code(ours, "P1"); err != nil || c != before {
			t.Errorf("Code = %+v, %v; want %+v", c, err, before)
		}
		if c, err := r.CodeByIUV(ours, number(1).IUV()); err != nil || c != before {
			t.Errorf("CodeByIUV = %+v, %v; want %+v", c, err, before)
		}
		if _, err := r.CodeByIUV(ours, number(2).IUV()); !errors.Is(err, fault.NotFound) {
			t.Errorf("CodeByIUV of what was taken back: %v", err)
		}
		if d, err := r.DeviceByInvite(device(ours, "D1").Invite); err != nil || d != device(ours, "D1") {
			t.Errorf("DeviceByInvite = %+v, %v", d, err)
		}
		for state, want := range map[multe.CodeState]int{multe.CodeAvailable: 1, multe.CodeAssigned: 0, multe.CodePaid: 0} {
			if cs, err := r.CodesIn(ours, state, "", 10); err != nil || len(cs) != want {
				t.Errorf("%d codes %s, %v; want %d", len(cs), state, err, want)
			}
		}
		if cs, err := r.CodesOf(ours, "D1", multe.CodeAssigned, "", 10); err != nil || len(cs) != 0 {
			t.Errorf("CodesOf = %v, %v; want none", cs, err)
		}
		if n, err := r.CountCodes(ours); err != nil || !cmp.Equal(n, map[multe.CodeState]int{multe.CodeAvailable: 1}) {
			t.Errorf("CountCodes = %v, %v", n, err)
		}
		if lines, err := r.Audit(ours, "", 0, 10); err != nil || len(lines) != 1 {
			t.Errorf("Audit = %v, %v; want one line", lines, err)
		}
		return nil
	})
}

// panicLeavesNoTrace lets the store pass the panic on or make it an error.
func panicLeavesNoTrace(t *testing.T, s store.Store) {
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v", p)
			}
		}()
		return s.Update(t.Context(), func(tx store.Tx) error {
			if err := everything(tx, ours); err != nil {
				t.Error(err)
			}
			panic("a bug of ours")
		})
	}()
	if err == nil {
		t.Fatal("a panic was swallowed")
	}
	wantNothing(t, s, ours)
	update(t, s, func(tx store.Tx) error { return everything(tx, ours) })
}

func doneContextCommitsNothing(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, when := range []string{"while the function runs", "before"} {
		err := s.Update(ctx, func(tx store.Tx) error {
			if err := everything(tx, ours); err != nil {
				t.Error(err)
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("context that ends %s: %v, want it canceled", when, err)
		}
		wantNothing(t, s, ours)
	}
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("View: %v, want it canceled", err)
	}
}

func updateReadsWhatItPut(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error {
		if err := everything(tx, ours); err != nil {
			return err
		}
		for _, k := range kinds(ours) {
			if err := k.put(tx, 2); err != nil {
				return err
			}
			if got, err := k.get(tx); err != nil || !cmp.Equal(k.want(2), got, same) {
				t.Errorf("%s = %v, %v; want version 2", k.name, got, err)
			}
		}
		if cs, err := tx.CodesIn(ours, multe.CodeVoid, "", 10); err != nil || len(cs) != 1 || cs[0].Version != 2 {
			t.Errorf("CodesIn = %v, %v", cs, err)
		}
		if c, err := tx.CodeByIUV(ours, number(1).IUV()); err != nil || c.Version != 2 {
			t.Errorf("CodeByIUV = %v, %v", c, err)
		}
		if n, err := tx.CountCodes(ours); err != nil || n[multe.CodeVoid] != 1 {
			t.Errorf("CountCodes = %v, %v", n, err)
		}
		if lines, err := tx.Audit(ours, "P1", 0, 10); err != nil || len(lines) != 1 || lines[0].Seq != 1 {
			t.Errorf("Audit = %v, %v", lines, err)
		}
		return nil
	})
}

func viewSeesOneMoment(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Tx) error { return tx.PutCode(code(ours, "P1", multe.CodeAvailable)) })
	view(t, s, func(r store.Reader) error {
		before, err := r.CountCodes(ours)
		if err != nil {
			return err
		}
		done := make(chan error)
		go func() {
			done <- s.Update(t.Context(), func(tx store.Tx) error { return tx.PutCode(code(ours, "P2", multe.CodeAvailable)) })
		}()
		if err := <-done; err != nil {
			return err
		}
		after, err := r.CountCodes(ours)
		if err != nil {
			return err
		}
		cs, err := r.CodesIn(ours, multe.CodeAvailable, "", 10)
		if err != nil || len(cs) != 1 || !cmp.Equal(before, after) {
			t.Errorf("a commit shows in a view that began before: %v, %d codes, %v", after, len(cs), err)
		}
		return nil
	})
}

// oddIDs sort differently under any collation that knows letters.
var oddIDs = []string{"b", "Z", "a-b", "aB", "ab", "0", "A", "a", "a-", "Aa", "00", "AB", "_", "a.b", "B", "1", "z", "a_b"}

func scansAreInByteOrder(t *testing.T, s store.Store) {
	for i, sc := range scans() {
		// Creditors of its own for each scan, one the prefix of the other.
		first := multe.CreditorID(fmt.Sprintf("C%02d", i))
		creditors := map[multe.CreditorID]string{first: "", first + "x": "x"} // what ids end in, so that a mix shows
		if sc.global {
			creditors = map[multe.CreditorID]string{first: ""}
		}
		for c, end := range creditors {
			update(t, s, func(tx store.Tx) error {
				for _, id := range oddIDs {
					if err := sc.seed(tx, c, id+end); err != nil {
						return fmt.Errorf("%s: %w", sc.name, err)
					}
				}
				return nil
			})
		}
		for c, end := range creditors {
			var want []string
			for _, id := range oddIDs {
				want = append(want, sc.shown(id+end))
			}
			slices.Sort(want)
			for _, limit := range []int{1, 7, store.MaxPage} {
				view(t, s, func(r store.Reader) error {
					got, err := sc.all(r, c, limit)
					if err != nil {
						return fmt.Errorf("%s: %w", sc.name, err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s of %s by %d (-want +got):\n%s", sc.name, c, limit, diff)
					}
					return nil
				})
			}
		}
	}
}

func scansAreLimited(t *testing.T, s store.Store) {
	list := map[string]func(r store.Reader, limit int) error{
		"ChangesOf":     func(r store.Reader, limit int) error { _, err := r.ChangesOf(ours, "P1", 0, limit); return err },
		"PaymentsOf":    func(r store.Reader, limit int) error { _, err := r.PaymentsOf(ours, "IUV", limit); return err },
		"ReceiptsOf":    func(r store.Reader, limit int) error { _, err := r.ReceiptsOf(ours, "IUV", limit); return err },
		"RevocationsOf": func(r store.Reader, limit int) error { _, err := r.RevocationsOf(ours, "IUV", limit); return err },
		"ExpiriesOf":    func(r store.Reader, limit int) error { _, err := r.ExpiriesOf(ours, "IUV", limit); return err },
		"Audit":         func(r store.Reader, limit int) error { _, err := r.Audit(ours, "", 0, limit); return err },
		"Audit of a position": func(r store.Reader, limit int) error {
			_, err := r.Audit(ours, "P1", 0, limit)
			return err
		},
	}
	for _, sc := range scans() {
		list[sc.name] = func(r store.Reader, limit int) error { _, err := sc.page(r, ours, limit); return err }
	}
	for name, scan := range list {
		for limit, want := range map[int]error{-1: fault.Invalid, 0: fault.Invalid, 1: nil, store.MaxPage: nil, store.MaxPage + 1: fault.Invalid} {
			if err := s.View(t.Context(), func(r store.Reader) error { return scan(r, limit) }); !errors.Is(err, want) {
				t.Errorf("%s with limit %d: %v, want %v", name, limit, err, want)
			}
		}
	}
}

func scanGoesPastAPage(t *testing.T, s store.Store) {
	const n = store.MaxPage + 5
	for from := 0; from < n; from += 500 {
		update(t, s, func(tx store.Tx) error {
			for i := from; i < min(from+500, n); i++ {
				if err := tx.PutCode(code(ours, fmt.Sprintf("%04d", i), multe.CodeAvailable)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	view(t, s, func(r store.Reader) error {
		first, err := r.CodesIn(ours, multe.CodeAvailable, "", store.MaxPage)
		if err != nil || len(first) != store.MaxPage || first[0].Position != "0000" {
			t.Fatalf("first page: %d codes, %v", len(first), err)
		}
		rest, err := r.CodesIn(ours, multe.CodeAvailable, first[store.MaxPage-1].Position, store.MaxPage)
		if err != nil || len(rest) != 5 || rest[0].Position != "1000" {
			t.Fatalf("second page: %v, %v", rest, err)
		}
		if none, err := r.CodesIn(ours, multe.CodeAvailable, rest[4].Position, store.MaxPage); err != nil || len(none) != 0 {
			t.Fatalf("third page: %v, %v", none, err)
		}
		if counts, err := r.CountCodes(ours); err != nil || counts[multe.CodeAvailable] != n {
			t.Errorf("CountCodes = %v, %v", counts, err)
		}
		return nil
	})
}

func changesAreInOrder(t *testing.T, s store.Store) {
	put := func(p string, seq, wait int) {
		t.Helper()
		for _, c := range []multe.CreditorID{ours, theirs} {
			update(t, s, func(tx store.Tx) error {
				ch := multe.NewChange(c, multe.PositionID(p), seq, multe.ChangeUpdate, multe.Desired{}, noon)
				ch.NotBefore = later(wait)
				return tx.PutChange(ch)
			})
		}
	}
	put("P2", 1, 5)
	put("P1", 10, 3)
	put("P1", 9, 3) // the same instant: by id
	put("P10", 1, 3)
	put("P3", 1, 1)
	put("P1", 1, 9)
	update(t, s, func(tx store.Tx) error { // one that no longer waits
		ch, err := tx.Change(ours, "P3-0001")
		if err != nil {
			return err
		}
		ch, err = ch.Seal("B1", later(10))
		if err != nil {
			return err
		}
		return tx.PutChange(ch)
	})
	id := func(ch multe.Change) multe.ChangeID { return ch.ID() }
	view(t, s, func(r store.Reader) error {
		for limit := range 4 {
			limit++
			var waiting, sealed, of []multe.ChangeID
			each := func(into *[]multe.ChangeID, state multe.ChangeState) error {
				return store.Each(func(after multe.Change) ([]multe.Change, error) { return r.ChangesIn(ours, state, after, limit) },
					func(ch multe.Change) multe.Change { return ch },
					func(ch multe.Change) error { *into = append(*into, id(ch)); return nil })
			}
			err := errors.Join(each(&waiting, multe.ChangeWaiting), each(&sealed, multe.ChangeSealed),
				store.Each(func(after int) ([]multe.Change, error) { return r.ChangesOf(ours, "P1", after, limit) },
					func(ch multe.Change) int { return ch.Seq },
					func(ch multe.Change) error { of = append(of, id(ch)); return nil }))
			if err != nil {
				return err
			}
			for _, tt := range []struct {
				name      string
				got, want []multe.ChangeID
			}{
				{"waiting", waiting, []multe.ChangeID{"P1-0009", "P1-0010", "P10-0001", "P2-0001", "P1-0001"}},
				{"sealed", sealed, []multe.ChangeID{"P3-0001"}},
				{"of P1", of, []multe.ChangeID{"P1-0001", "P1-0009", "P1-0010"}},
			} {
				if diff := cmp.Diff(tt.want, tt.got); diff != "" {
					t.Errorf("changes %s by %d (-want +got):\n%s", tt.name, limit, diff)
				}
			}
		}
		return nil
	})
}

// toldOfAnIUVIsItsOwn lists receipts, revocations and expiries of IUVs that are
// prefixes of each other, and of none.
func toldOfAnIUVIsItsOwn(t *testing.T, s store.Store) {
	day := multe.Day{Year: 2026, Month: 3, Day: 1}
	iuvs := []string{"", "A", "AB", "B"}
	digests := []string{"x", "y"}
	slices.SortFunc(digests, func(a, b string) int { return strings.Compare(digest(a).String(), digest(b).String()) })
	for _, c := range []multe.CreditorID{ours, theirs} {
		for _, iuv := range iuvs {
			update(t, s, func(tx store.Tx) error {
				return errors.Join(
					tx.PutReceipt(receipt(c, iuv, "x")), tx.PutReceipt(receipt(c, iuv, "y")),
					tx.PutRevocation(multe.Revocation{Creditor: c, IUV: iuv, ID: "R2", Version: 1}),
					tx.PutRevocation(multe.Revocation{Creditor: c, IUV: iuv, ID: "R10", Version: 1}),
					tx.PutExpiry(multe.Expiry{Creditor: c, IUV: iuv, DueOn: day, Version: 1}),
					tx.PutExpiry(multe.Expiry{Creditor: c, IUV: iuv, Version: 1}))
			})
		}
	}
	view(t, s, func(r store.Reader) error {
		for _, iuv := range iuvs {
			for limit := 1; limit <= 3; limit++ {
				rts, err1 := r.ReceiptsOf(ours, iuv, limit)
				revs, err2 := r.RevocationsOf(ours, iuv, limit)
				exps, err3 := r.ExpiriesOf(ours, iuv, limit)
				if err := errors.Join(err1, err2, err3); err != nil {
					return err
				}
				var got, want []string
				for _, rt := range rts {
					got = append(got, rt.IUV+" "+string(rt.XML))
				}
				for _, rev := range revs {
					got = append(got, rev.IUV+" "+rev.ID)
				}
				for _, e := range exps {
					got = append(got, e.IUV+" "+e.DueOn.String())
				}
				n := min(limit, 2)
				for _, list := range [][]string{digests, {"R10", "R2"}, {"", day.String()}} {
					for _, last := range list[:n] {
						want = append(want, iuv+" "+last)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("told of %q by %d (-want +got):\n%s", iuv, limit, diff)
				}
			}
		}
		return nil
	})
}

func paymentsAreInOrder(t *testing.T, s store.Store) {
	for _, p := range []struct {
		iuv, iur string
		wait     int
	}{{"B", "1", 3}, {"B", "10", 1}, {"A", "2", 3}, {"B", "", 2}, {"AB", "1", 0}} {
		for _, c := range []multe.CreditorID{ours, theirs} {
			update(t, s, func(tx store.Tx) error { return tx.PutPayment(payment(c, p.iuv, p.iur, later(p.wait))) })
		}
	}
	name := func(p multe.Payment) string { return p.IUV + "/" + p.IUR }
	view(t, s, func(r store.Reader) error {
		for limit := range 6 {
			limit++
			var got []string
			err := store.Each(func(after multe.Payment) ([]multe.Payment, error) { return r.Payments(ours, after, limit) },
				func(p multe.Payment) multe.Payment { return p },
				func(p multe.Payment) error { got = append(got, name(p)); return nil })
			if err != nil {
				return err
			}
			if diff := cmp.Diff([]string{"AB/1", "B/10", "B/", "A/2", "B/1"}, got); diff != "" {
				t.Errorf("Payments by %d (-want +got):\n%s", limit, diff)
			}
		}
		for iuv, want := range map[string][]string{"A": {"A/2"}, "AB": {"AB/1"}, "B": {"B/", "B/1", "B/10"}, "C": nil, "": nil} {
			ps, err := r.PaymentsOf(ours, iuv, 10)
			if err != nil {
				return err
			}
			var got []string
			for _, p := range ps {
				got = append(got, name(p))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("PaymentsOf %s (-want +got):\n%s", iuv, diff)
			}
		}
		if ps, err := r.PaymentsOf(ours, "B", 2); err != nil || len(ps) != 2 {
			t.Errorf("PaymentsOf with limit 2 = %d payments, %v", len(ps), err)
		}
		return nil
	})
}

// auditIsInOrder writes from many goroutines, some of which fail: every creditor
// still has 1, 2, 3 … in the order in which its lines were written.
func flussiAreInOrder(t *testing.T, s store.Store) {
	days := map[string]multe.Day{
		"z": {Year: 2026, Month: 3, Day: 1}, "b": {Year: 2026, Month: 3, Day: 10}, "a": {Year: 2026, Month: 3, Day: 10},
		"n": {}, // counts as the day it was received
	}
	line := func(c multe.CreditorID, f string, n int, iuv string) multe.FlussoLine {
		return multe.FlussoLine{Creditor: c, Flusso: multe.FlussoID(f), N: n, FlussoRow: multe.FlussoRow{IUV: iuv, Cents: multe.Cents(n)}, Version: 1}
	}
	for _, c := range []multe.CreditorID{ours, theirs} {
		update(t, s, func(tx store.Tx) error {
			for id, day := range days {
				if err := tx.PutFlusso(flusso(c, id, day)); err != nil {
					return err
				}
			}
			return errors.Join(tx.PutFlussoLine(line(c, "b", 256, "I1")), tx.PutFlussoLine(line(c, "b", 1, "I1")), tx.PutFlussoLine(line(c, "b", 2, "I10")),
				tx.PutFlussoLine(line(c, "a", 9, "I1")), tx.PutFlussoLine(line(c, "bb", 1, "I")))
		})
	}
	list := func(read func(r store.Reader) ([]multe.FlussoLine, error)) (got []string) {
		view(t, s, func(r store.Reader) error {
			ls, err := read(r)
			for _, l := range ls {
				got = append(got, fmt.Sprint(l.Flusso, l.N))
			}
			return err
		})
		return got
	}
	wantList := func(step string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", step, got, want)
		}
	}
	wantDays := func(step string, want ...multe.FlussoID) {
		t.Helper()
		for limit := 1; limit <= 5; limit++ {
			var got []multe.FlussoID
			view(t, s, func(r store.Reader) error {
				return store.Each(func(after multe.Flusso) ([]multe.Flusso, error) { return r.Flussi(ours, after, limit) },
					func(f multe.Flusso) multe.Flusso { return f },
					func(f multe.Flusso) error { got = append(got, f.ID); return nil })
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", step, got, want)
			}
		}
	}
	wantDays("flows", "z", "a", "b", "n")
	wantList("lines", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLines(ours, "b", 0, 10) }), "b1", "b2", "b256")
	wantList("lines after", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLines(ours, "b", 1, 1) }), "b2")
	wantList("of an IUV", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLinesOf(ours, "I1", 10) }), "a9", "b1", "b256")

	// A new copy moves a flow and its lines.
	moved := flusso(ours, "z", multe.Day{Year: 2026, Month: 3, Day: 11})
	gone, other := line(ours, "b", 256, "I1"), line(ours, "b", 1, "I2")
	moved.Version, gone.Version, gone.Gone, other.Version = 2, 2, true, 2
	update(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutFlusso(moved), tx.PutFlussoLine(gone), tx.PutFlussoLine(other))
	})
	wantDays("moved", "a", "b", "z", "n")
	wantList("gone", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLinesOf(ours, "I1", 10) }), "a9")
	wantList("other IUV", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLinesOf(ours, "I2", 10) }), "b1")
	wantList("all the same", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLines(ours, "b", 0, 10) }), "b1", "b2", "b256")
	wantList("a neighbour's", list(func(r store.Reader) ([]multe.FlussoLine, error) { return r.FlussoLinesOf(theirs, "I1", 10) }), "a9", "b1", "b256")
}

func auditIsInOrder(t *testing.T, s store.Store) {
	const writers, lines = 8, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			c, p := []multe.CreditorID{ours, theirs}[w%2], []multe.PositionID{"P1", "P10", "", "P1"}[w/2%4]
			for i := range lines {
				for {
					err := s.Update(t.Context(), func(tx store.Tx) error {
						e := auditEntry(c, p, fmt.Sprintf("w%d.%02d", w, i))
						e.Seq = 77 // given by the store, whatever it says
						if err := tx.AppendAudit(e); err != nil {
							return err
						}
						if i%3 == 0 {
							e.Action += "+"
							return tx.AppendAudit(e)
						}
						return nil
					})
					if err == nil {
						break
					}
					if !errors.Is(err, fault.Unavailable) && !errors.Is(err, fault.Conflict) {
						t.Error(err)
						return
					}
				}
				_ = s.Update(t.Context(), func(tx store.Tx) error { // must leave no gap
					return errors.Join(tx.AppendAudit(auditEntry(c, p, "none")), fault.Exhausted)
				})
			}
		})
	}
	wg.Wait()
	const perCreditor = writers / 2 * (lines + lines/3)
	for _, c := range []multe.CreditorID{ours, theirs} {
		view(t, s, func(r store.Reader) error {
			var all []multe.AuditEntry
			err := store.Each(func(after uint64) ([]multe.AuditEntry, error) { return r.Audit(c, "", after, 7) },
				func(e multe.AuditEntry) uint64 { return e.Seq },
				func(e multe.AuditEntry) error { all = append(all, e); return nil })
			if err != nil {
				return err
			}
			if last, err := r.LastAudit(c); err != nil || last != perCreditor {
				t.Errorf("LastAudit of %s = %d, %v; want %d", c, last, err, perCreditor)
			}
			if len(all) != perCreditor {
				t.Errorf("%s has %d lines, want %d", c, len(all), perCreditor)
			}
			byPosition := map[multe.PositionID][]multe.AuditEntry{}
			last := map[byte]string{}
			for i, e := range all {
				if e.Seq != uint64(i+1) {
					t.Errorf("%s: line %d has Seq %d", c, i+1, e.Seq)
				}
				if want := auditEntry(c, e.Position, e.Action); !cmp.Equal(e, withSeq(want, e.Seq)) {
					t.Errorf("line = %+v, want %+v", e, want)
				}
				if w := e.Action[1]; e.Action <= last[w] {
					t.Errorf("%s after %s", e.Action, last[w])
				}
				last[e.Action[1]] = e.Action
				byPosition[e.Position] = append(byPosition[e.Position], e)
			}
			for _, p := range []multe.PositionID{"P1", "P10", "P", "P100"} {
				got, err := r.Audit(c, p, 0, store.MaxPage)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(byPosition[p], got); diff != "" {
					t.Errorf("Audit of %s (-want +got):\n%s", p, diff)
				}
				if len(got) > 3 {
					rest, err := r.Audit(c, p, got[2].Seq, store.MaxPage)
					if err != nil || !cmp.Equal(got[3:], rest) {
						t.Errorf("Audit of %s after %d = %v, %v", p, got[2].Seq, rest, err)
					}
				}
			}
			return nil
		})
	}
}

func withSeq(e multe.AuditEntry, seq uint64) multe.AuditEntry {
	e.Seq = seq
	return e
}

func indexesFollowTheRecords(t *testing.T, s store.Store) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(fn func(store.Tx) error) {
		t.Helper()
		update(t, s, fn)
	}
	// lists counts a code, a message, a batch and a discrepancy in each list.
	type lists map[string]int
	want := func(step string, w lists) {
		t.Helper()
		got := lists{}
		add := func(name string, n int) {
			if n > 0 {
				got[name] = n
			}
		}
		view(t, s, func(r store.Reader) error {
			for _, st := range multe.CodeStates() {
				cs, err := r.CodesIn(ours, st, "", 10)
				if err != nil {
					return err
				}
				add("code "+string(st), len(cs))
			}
			for _, d := range []multe.DeviceID{"", "D", "D1", "D10"} {
				n, err := r.CountCodesOf(ours, d)
				if err != nil {
					return err
				}
				held := 0
				for _, st := range multe.CodeStates() {
					cs, err := r.CodesOf(ours, d, st, "", 10)
					if err != nil {
						return err
					}
					held += len(cs)
					if len(cs) != n[st] {
						t.Errorf("%d codes of %s are %s, CountCodesOf says %d", len(cs), d, st, n[st])
					}
				}
				add("code of "+string(d), held)
			}
			for _, st := range []multe.MessageState{multe.MessageNew, multe.MessageDone, multe.MessageDead} {
				ms, err := r.MessagesIn(st, "", 10)
				if err != nil {
					return err
				}
				add("message "+string(st), len(ms))
			}
			for _, st := range []multe.BatchState{multe.BatchSealed, multe.BatchQueued, multe.BatchRefused, multe.BatchDone} {
				bs, err := r.BatchesIn(ours, st, "", 10)
				if err != nil {
					return err
				}
				add("batch "+string(st), len(bs))
			}
			for _, open := range []bool{true, false} {
				ds, err := r.Discrepancies(ours, open, "", 10)
				if err != nil {
					return err
				}
				add(fmt.Sprint("discrepancy ", open), len(ds))
			}
			return nil
		})
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
	}

	c := code(ours, "P1", multe.CodeRequested)
	m, d := message("M1"), multe.NewDiscrepancy(ours, "payment.double", "P1", "Due volte.", noon)
	b := multe.Batch{Creditor: ours, ID: "B1", State: multe.BatchSealed, Version: 1}
	all := func(tx store.Tx) error {
		return errors.Join(tx.PutCode(c), tx.PutMessage(m), tx.PutBatch(b), tx.PutDiscrepancy(d))
	}
	put(all)
	want("new", lists{"code requested": 1, "message new": 1, "batch sealed": 1, "discrepancy true": 1})
	var err error
	c, err = c.Acknowledge(number(5), later(1))
	must(err)
	m, err = m.Done(later(1))
	must(err)
	b, err = b.Queue("000", later(1))
	must(err)
	d = d.Close(later(1))
	put(all)
	want("moved", lists{"code available": 1, "message done": 1, "batch queued": 1, "discrepancy false": 1})
	c, err = c.Assign("D1", "L1", later(2))
	must(err)
	m, err = m.Replay(later(2))
	must(err)
	b, err = b.Close("000", later(2))
	must(err)
	d = d.Again("Ancora.", later(2))
	put(all)
	want("moved again", lists{"code assigned": 1, "code of D1": 1, "message new": 1, "batch done": 1, "discrepancy true": 1})
	c, err = c.Return("D1", later(3))
	must(err)
	put(func(tx store.Tx) error { return tx.PutCode(c) })
	want("returned", lists{"code available": 1, "message new": 1, "batch done": 1, "discrepancy true": 1})
	c, err = c.Assign("D10", "L2", later(4))
	must(err)
	put(func(tx store.Tx) error { return tx.PutCode(c) })
	c, err = c.Issue("V1", "D10", later(5))
	must(err)
	put(func(tx store.Tx) error { return tx.PutCode(c) })
	want("issued elsewhere", lists{"code issued": 1, "code of D10": 1, "message new": 1, "batch done": 1, "discrepancy true": 1})

	// Secrets stop working when they are spent.
	dev := device(ours, "D1")
	put(func(tx store.Tx) error { return tx.PutDevice(dev) })
	enrolled, err := dev.Enrol(digest("bearer"), noon.Add(-1))
	must(err)
	put(func(tx store.Tx) error { return tx.PutDevice(enrolled) })
	op := operator(ours, "O1")
	put(func(tx store.Tx) error { return tx.PutOperator(op) })
	view(t, s, func(r store.Reader) error {
		if got, err := r.DeviceByToken(digest("bearer")); err != nil || got != enrolled {
			t.Errorf("DeviceByToken = %+v, %v", got, err)
		}
		if _, err := r.DeviceByInvite(dev.Invite); !errors.Is(err, fault.NotFound) {
			t.Errorf("a spent invite: %v, want not found", err)
		}
		if got, err := r.OperatorByToken(op.Token); err != nil || !cmp.Equal(got, op) {
			t.Errorf("OperatorByToken = %+v, %v", got, err)
		}
		return nil
	})
	revoked, err := enrolled.Revoke(later(1))
	must(err)
	gone := op
	gone.Token, gone.Version = multe.Digest{}, 2
	v := verbale(ours, "V1")
	put(func(tx store.Tx) error {
		return errors.Join(tx.PutDevice(revoked), tx.PutOperator(gone), tx.PutVerbale(v))
	})
	v.Record, v.Version = &multe.Record{Register: "V/17", At: noon}, 2
	put(func(tx store.Tx) error { return tx.PutVerbale(v) })
	view(t, s, func(r store.Reader) error {
		if _, err := r.DeviceByToken(digest("bearer")); !errors.Is(err, fault.NotFound) {
			t.Errorf("a revoked token: %v, want not found", err)
		}
		if _, err := r.OperatorByToken(op.Token); !errors.Is(err, fault.NotFound) {
			t.Errorf("a revoked operator: %v, want not found", err)
		}
		if got, err := r.VerbaleByRegister(ours, "V/17"); err != nil || got.Slip.ID != "V1" {
			t.Errorf("VerbaleByRegister = %+v, %v", got, err)
		}
		return nil
	})
	// What a revoked device no longer has, another may take.
	other := device(theirs, "D1")
	other.Token = digest("bearer")
	put(func(tx store.Tx) error { return tx.PutDevice(other) })
}

// countsEqualScans moves codes about at random, and now and then fails.
func countsEqualScans(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(1, 2))
	states := multe.CodeStates()
	stored := map[multe.CreditorID]map[multe.PositionID]multe.Code{ours: {}, theirs: {}}
	for range 60 {
		c := []multe.CreditorID{ours, theirs}[rng.IntN(2)]
		fails := rng.IntN(4) == 0
		var puts []multe.Code
		for range 5 {
			p := multe.PositionID(fmt.Sprintf("P%d", rng.IntN(20)))
			if slices.ContainsFunc(puts, func(q multe.Code) bool { return q.Position == p }) {
				continue
			}
			rec := code(c, string(p), states[rng.IntN(len(states))])
			rec.Version = stored[c][p].Version + 1
			puts = append(puts, rec)
		}
		err := s.Update(t.Context(), func(tx store.Tx) error {
			for _, rec := range puts {
				if err := tx.PutCode(rec); err != nil {
					return err
				}
			}
			if fails {
				return fault.Exhausted
			}
			return nil
		})
		if fails != errors.Is(err, fault.Exhausted) || !fails && err != nil {
			t.Fatal(err)
		}
		for _, rec := range puts {
			if !fails {
				stored[c][rec.Position] = rec
			}
		}
	}
	for _, c := range []multe.CreditorID{ours, theirs} {
		want := map[multe.CodeState]int{}
		for _, rec := range stored[c] {
			want[rec.State]++
		}
		view(t, s, func(r store.Reader) error {
			counts, err := r.CountCodes(c)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, counts); diff != "" {
				t.Errorf("CountCodes of %s (-want +got):\n%s", c, diff)
			}
			for _, st := range states {
				cs, err := r.CodesIn(c, st, "", store.MaxPage)
				if err != nil || len(cs) != want[st] {
					t.Errorf("%s has %d codes %s, %v; want %d", c, len(cs), st, err, want[st])
				}
				for _, rec := range cs {
					if rec != stored[c][rec.Position] {
						t.Errorf("%+v, want %+v", rec, stored[c][rec.Position])
					}
				}
			}
			return nil
		})
	}
}

func badTextIsRefused(t *testing.T, s store.Store) {
	for _, bad := range []string{"a\x00b", "\x00", "a\xffb", "\xed\xa0\x80"} {
		for name, put := range map[string]func(store.Tx) error{
			"id":       func(tx store.Tx) error { return tx.PutCode(code(ours, bad, multe.CodeAvailable)) },
			"creditor": func(tx store.Tx) error { return tx.PutCode(code(multe.CreditorID(bad), "P1", multe.CodeAvailable)) },
			"text": func(tx store.Tx) error {
				v := verbale(ours, "V1")
				v.Slip.Place = `\u0000 \ufffd` + bad
				return tx.PutVerbale(v)
			},
			"audit": func(tx store.Tx) error { return tx.AppendAudit(auditEntry(ours, "P1", bad)) },
		} {
			if err := s.Update(t.Context(), put); !errors.Is(err, fault.Invalid) {
				t.Errorf("%q as %s: %v, want it invalid", bad, name, err)
			}
		}
		for name, read := range map[string]func(store.Reader) error{
			"id":     func(r store.Reader) error { _, err := r.Verbale(ours, multe.VerbaleID(bad)); return err },
			"IUV":    func(r store.Reader) error { _, err := r.CodeByIUV(ours, bad); return err },
			"cursor": func(r store.Reader) error { _, err := r.Verbali(ours, multe.VerbaleID(bad), 10); return err },
		} {
			if err := s.View(t.Context(), read); !errors.Is(err, fault.Invalid) {
				t.Errorf("%q as %s: %v, want it invalid", bad, name, err)
			}
		}
	}
	wantNothing(t, s, ours)
	// These only look bad.
	v := verbale(ours, "V1")
	v.Slip.Place = `\u0000 \\u0000 \ufffd � \`
	update(t, s, func(tx store.Tx) error { return tx.PutVerbale(v) })
	view(t, s, func(r store.Reader) error {
		got, err := r.Verbale(ours, "V1")
		if err != nil || got.Slip.Place != v.Slip.Place {
			t.Errorf("Place = %q, %v; want %q", got.Slip.Place, err, v.Slip.Place)
		}
		return nil
	})
}

func reportCountsUp(t *testing.T, s store.Store) {
	report := func(c multe.CreditorID) {
		t.Helper()
		update(t, s, func(tx store.Tx) error { return store.Report(tx, c, "message.odd", "M1", "Non si capisce.", noon) })
	}
	report("") // trouble of the installation has no creditor
	report(ours)
	report(ours)
	update(t, s, func(tx store.Tx) error {
		d, err := tx.Discrepancy(ours, "message.odd:M1")
		if err != nil {
			return err
		}
		return tx.PutDiscrepancy(d.Close(later(1)))
	})
	report(ours)
	view(t, s, func(r store.Reader) error {
		for c, count := range map[multe.CreditorID]int{"": 1, ours: 3} {
			ds, err := r.Discrepancies(c, true, "", 10)
			if err != nil || len(ds) != 1 || ds[0].Count != count {
				t.Errorf("Discrepancies of %q = %+v, %v; want one, counted %d", c, ds, err, count)
			}
		}
		if ds, err := r.Discrepancies(ours, false, "", 10); err != nil || len(ds) != 0 {
			t.Errorf("closed = %+v, %v; want none", ds, err)
		}
		return nil
	})
}

// racersNeverTakeTheSameCode is why the store has transactions: handhelds that
// empty a pool at the same time each get codes of their own.
func racersNeverTakeTheSameCode(t *testing.T, s store.Store) {
	const pool, racers = 60, 8
	update(t, s, func(tx store.Tx) error {
		for i := range pool {
			if err := tx.PutCode(code(ours, fmt.Sprintf("P%03d", i), multe.CodeAvailable)); err != nil {
				return err
			}
		}
		return nil
	})
	took := make([][]multe.PositionID, racers)
	var wg sync.WaitGroup
	for r := range racers {
		wg.Go(func() {
			me := multe.DeviceID(fmt.Sprintf("D%d", r))
			for {
				var got multe.PositionID
				err := s.Update(t.Context(), func(tx store.Tx) error {
					got = "" // of an earlier run
					free, err := tx.CodesIn(ours, multe.CodeAvailable, "", 1)
					if err != nil || len(free) == 0 {
						return err
					}
					c, err := free[0].Assign(me, "L1", noon)
					if err != nil {
						return err
					}
					got = c.Position
					return tx.PutCode(c)
				})
				switch {
				case errors.Is(err, fault.Conflict), errors.Is(err, fault.Unavailable):
					continue // the contract allows to lose a race
				case err != nil:
					t.Errorf("racer %d: %v", r, err)
					return
				case got == "":
					return
				}
				took[r] = append(took[r], got)
			}
		})
	}
	wg.Wait()
	total := 0
	for r := range racers {
		total += len(took[r])
		view(t, s, func(rd store.Reader) error {
			has, err := rd.CodesOf(ours, multe.DeviceID(fmt.Sprintf("D%d", r)), multe.CodeAssigned, "", store.MaxPage)
			if err != nil {
				return err
			}
			var stored []multe.PositionID
			for _, c := range has {
				stored = append(stored, c.Position)
			}
			if diff := cmp.Diff(stored, took[r]); diff != "" {
				t.Errorf("racer %d (-stored +told):\n%s", r, diff)
			}
			return nil
		})
	}
	if total != pool {
		t.Errorf("%d codes taken, want %d", total, pool)
	}
}

func closedStoreDecidesNothing(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fn := func() error { t.Error("a function ran on a closed store"); return nil }
	if err := s.View(t.Context(), func(store.Reader) error { return fn() }); !errors.Is(err, fault.Unavailable) {
		t.Errorf("View: %v, want unavailable", err)
	}
	if err := s.Update(t.Context(), func(store.Tx) error { return fn() }); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Update: %v, want unavailable", err)
	}
}

func reopeningKeepsEverything(t *testing.T, s store.Store, reopen func() store.Store) {
	update(t, s, func(tx store.Tx) error { return everything(tx, ours) })
	for _, v := range []uint64{2, 3} {
		s = reopen()
		for _, k := range kinds(ours) {
			check(t, s, k, v-1)
			update(t, s, func(tx store.Tx) error { return k.put(tx, v) })
		}
		update(t, s, func(tx store.Tx) error { return tx.AppendAudit(auditEntry(ours, "P1", "again")) })
	}
	view(t, s, func(r store.Reader) error {
		lines, err := r.Audit(ours, "P1", 0, 10)
		if err != nil || len(lines) != 3 || lines[2].Seq != 3 {
			t.Errorf("Audit = %+v, %v; want three lines", lines, err)
		}
		counts, err := r.CountCodes(ours)
		if err != nil || !cmp.Equal(counts, map[multe.CodeState]int{multe.CodeVoid: 1}) {
			t.Errorf("CountCodes = %v, %v", counts, err)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
