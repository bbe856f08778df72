package multe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

var at = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func number(t testing.TB) avviso.Number {
	t.Helper()
	n, err := avviso.ParseNumber("301000000000004992")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wantCode checks the stable code of an error; "" wants no error.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	switch {
	case code == "" && err != nil:
		t.Errorf("%s: %v, want no error", what, err)
	case code != "" && (err == nil || fault.Of(err).Code != code):
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// TestCodeGuards is what the moves of a code check beyond the matrix.
func TestCodeGuards(t *testing.T) {
	must := func(c multe.Code, err error) multe.Code {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := multe.RequestCode("12345678903", "P1", at)
	_, err := c.Acknowledge(avviso.Number{}, at)
	wantCode(t, "acknowledge without number", err, "code.no_number")
	c = must(c.Acknowledge(number(t), at))
	assigned := must(c.Assign("D1", "L1", at))
	_, err = assigned.Return("D2", at)
	wantCode(t, "return by another device", err, "code.other_device")
	if back := must(assigned.Return("D1", at)); back.Device != "" || back.Lease != "" || back.State != multe.CodeAvailable || back.Number != number(t) {
		t.Errorf("returned code = %+v", back)
	}
	_, err = assigned.Issue("V1", "D2", at)
	wantCode(t, "issue by another device", err, "code.other_device")
	issued := must(assigned.Issue("V1", "D1", at))
	if issued.Verbale != "V1" || issued.State != multe.CodeIssued {
		t.Errorf("issued code = %+v", issued)
	}
	if again := must(issued.Issue("V1", "D1", at.Add(time.Hour))); again != issued {
		t.Errorf("issuing again changed the code: %+v", again)
	}
	_, err = issued.Issue("V2", "D1", at)
	wantCode(t, "issue on a second verbale", err, "code.wrong_state")
	if late := must(must(assigned.Quarantine(at)).Issue("V1", "D1", at)); late.State != multe.CodeIssued {
		t.Errorf("late verbale of a silent device: %+v", late)
	}
	if active := must(issued.Confirm(2940, false, at)); active.State != multe.CodeActive || active.UpstreamCents != 2940 || active.UpstreamDebtor {
		t.Errorf("confirmed code = %+v", active)
	}
	if zero := must(issued.Confirm(0, false, at)); zero.State != multe.CodeIssued || zero.Version != issued.Version+1 {
		t.Errorf("code confirmed at zero = %+v", zero)
	}
	paid := must(issued.Pay(at))
	if told := must(paid.Confirm(8700, true, at)); told.State != multe.CodePaid || told.UpstreamCents != 8700 || !told.UpstreamDebtor {
		t.Errorf("paid code that is confirmed = %+v", told)
	}
	if told := must(must(paid.Confirm(8700, true, at)).Confirm(0, false, at)); !told.UpstreamDebtor {
		t.Error("a debtor once stored upstream is forgotten")
	}
	if void := must(issued.Void("161", at)); void.Reason != "161" {
		t.Errorf("void code = %+v", void)
	}
	orphan := must(multe.RequestCode("12345678903", "P1", at).Orphan("161", at))
	if orphan.Reason != "161" || !orphan.Number.IsZero() {
		t.Errorf("orphaned code = %+v", orphan)
	}
	if found := must(orphan.Acknowledge(number(t), at)); found.State != multe.CodeAvailable || found.Reason != "" || found.Number != number(t) {
		t.Errorf("recovered code = %+v", found)
	}
	if again := must(c.Reissue("V9", at)); again.State != multe.CodeIssued || again.Verbale != "V9" || again.Device != "" {
		t.Errorf("reissued code = %+v", again)
	}
	for _, before := range []multe.Code{orphan, c, must(assigned.Quarantine(at))} {
		back := must(must(before.Void("operator", at)).Restore(at))
		if back.State != before.State || back.Number != before.Number || back.Reason != "" {
			t.Errorf("a void %s code comes back as %+v", before.State, back)
		}
	}
}

func TestDeviceGuards(t *testing.T) {
	invite, token := multe.DigestOf([]byte("i")), multe.DigestOf([]byte("t"))
	d := multe.Device{State: multe.DeviceInvited, Bearer: true, Invite: invite, InviteBy: at, Version: 1}
	for _, tt := range []struct {
		when time.Time
		code string
	}{{at.Add(-time.Microsecond), ""}, {at, "enrolment.expired"}, {at.Add(time.Hour), "enrolment.expired"}} {
		_, err := d.Enrol(token, tt.when)
		wantCode(t, tt.when.String(), err, tt.code)
	}
	enrolled, err := d.Enrol(token, at.Add(-time.Second))
	if err != nil || enrolled.Token != token || !enrolled.Invite.IsZero() || !enrolled.InviteBy.IsZero() {
		t.Errorf("enrolled = %+v, %v", enrolled, err)
	}
	again, err := enrolled.Reinvite(invite, at, at)
	if err != nil || again.Invite != invite || !again.Token.IsZero() || again.InviteBy != at {
		t.Errorf("invited again = %+v, %v; the old token must be gone", again, err)
	}
	gone, err := again.Revoke(at)
	if err != nil || !gone.Invite.IsZero() || !gone.Token.IsZero() {
		t.Errorf("revoked = %+v, %v; no secret may be left", gone, err)
	}
}

func TestChangeGuards(t *testing.T) {
	c := multe.NewChange("12345678903", "P1", 2, multe.ChangeActivate, multe.Desired{Cents: 2940}, at)
	if c.ID() != "P1-0002" || c.ID().Position() != "P1" || multe.ChangeID("x").Position() != "" {
		t.Errorf("id %s of position %s", c.ID(), c.ID().Position())
	}
	r, err := c.Replace(multe.ChangeUpdate, multe.Desired{Cents: 8700}, at)
	if err != nil || r.Kind != multe.ChangeUpdate || r.Want.Cents != 8700 || r.Version != 2 {
		t.Errorf("replaced = %+v, %v", r, err)
	}
	sealed, err := c.Seal("B1", at)
	if err != nil || sealed.Batch != "B1" || sealed.Tries != 1 {
		t.Errorf("sealed = %+v, %v", sealed, err)
	}
	_, err = sealed.Replace(multe.ChangeUpdate, multe.Desired{}, at)
	wantCode(t, "replace of what may have left", err, "change.wrong_state")
	wait := at.Add(time.Hour)
	back, err := sealed.Retry("177", wait, at)
	if err != nil || back.State != multe.ChangeWaiting || back.NotBefore != wait || back.Code != "177" || back.Tries != 1 {
		t.Errorf("retried = %+v, %v", back, err)
	}
	for state, open := range map[multe.ChangeState]bool{
		multe.ChangeWaiting: true, multe.ChangeSealed: true, multe.ChangeQueued: true,
		multe.ChangeApplied: false, multe.ChangeRefused: false, multe.ChangeUnknown: false,
	} {
		if state.Open() != open {
			t.Errorf("%s open: %v, want %v", state, !open, open)
		}
	}
	for kind, op := range map[multe.ChangeKind]multe.Operation{
		multe.ChangeRequest: multe.OperationInsert, multe.ChangeActivate: multe.OperationUpdate, multe.ChangeReset: multe.OperationUpdate,
		multe.ChangeUpdate: multe.OperationUpdate, multe.ChangeVoid: multe.OperationUpdate,
	} {
		if kind.Operation() != op {
			t.Errorf("%s travels by %s, want %s", kind, kind.Operation(), op)
		}
	}
}

func TestBatchAttempts(t *testing.T) {
	retry := at.Add(time.Minute)
	b, err := multe.Batch{State: multe.BatchSealed}.Attempt(retry, at)
	if err != nil || b.Attempts != 1 || b.NotBefore != retry {
		t.Errorf("attempted = %+v, %v", b, err)
	}
	for range 2 { // taking back never goes below none
		if b, err = b.NotSent(retry, at); err != nil || b.Attempts != 0 {
			t.Errorf("not sent = %+v, %v", b, err)
		}
	}
	b, err = b.Queue("000", at)
	if err != nil || b.Code != "000" {
		t.Errorf("queued = %+v, %v", b, err)
	}
	if b, err = b.Close("", at); err != nil || b.Code != "000" {
		t.Errorf("closed without a word = %+v, %v; the last word stays", b, err)
	}
}

func TestMessageTries(t *testing.T) {
	m := multe.Message{State: multe.MessageNew}
	m, err := m.Retry(at)
	if err != nil || m.Tries != 1 {
		t.Errorf("retried = %+v, %v", m, err)
	}
	m, err = m.Bury("message.odd", at)
	if err != nil || m.Problem != "message.odd" {
		t.Errorf("buried = %+v, %v", m, err)
	}
	m, err = m.Replay(at)
	if err != nil || m.Tries != 0 || m.Problem != "" || m.State != multe.MessageNew {
		t.Errorf("replayed = %+v, %v", m, err)
	}
}

func TestVerbale(t *testing.T) {
	first := multe.Day{Year: 2026, Month: 3, Day: 6}
	slip := slip(t)
	slip.Steps = []multe.Step{{Cents: 2940, LastDay: first}, {Cents: 4200, LastDay: first.Plus(55)}, {Cents: 8700}}
	slip.IssuedAt = at.In(multe.Rome()).Add(999)
	v := multe.IssueVerbale("12345678903", "D1", slip, multe.Digest{1}, at)
	if v.State != multe.VerbaleIssued || v.Version != 1 || v.Slip.IssuedAt != at || v.ReceivedAt != at {
		t.Errorf("issued = %+v", v)
	}
	for _, tt := range []struct {
		day  multe.Day
		want multe.Cents
	}{
		{first.Plus(-5), 2940}, {first, 2940}, {first.Plus(1), 4200}, {first.Plus(55), 4200}, {first.Plus(56), 8700}, {first.Plus(9999), 8700},
	} {
		if got := v.DueOn(tt.day); got != tt.want {
			t.Errorf("due on %v = %d, want %d", tt.day, got, tt.want)
		}
	}
	if got := v.Causale(); got != "Preavviso CdS n. 2026.0001234 del 01.03.2026" {
		t.Errorf("causale = %q", got)
	}
	unnamed := v
	unnamed.Slip.Reference = ""
	if got := unnamed.Causale(); got != "Preavviso CdS n. 301000000000004992 del 01.03.2026" {
		t.Errorf("causale without reference = %q", got)
	}

	r := multe.Record{Register: "V/17", Cents: 10000, Causale: "Verbale n. 17"}
	f, err := v.Finalise(r, at)
	if err != nil || f.State != multe.VerbaleFinalised || f.Record.At != at || f.DueOn(first) != 10000 || f.Causale() != "Verbale n. 17" {
		t.Errorf("finalised = %+v, %v", f, err)
	}
	if v.Record != nil {
		t.Error("finalising changed the receiver")
	}
	_, err = f.Finalise(r, at)
	wantCode(t, "finalise again", err, "verbale.already_recorded")
	_, err = v.Finalise(multe.Record{}, at)
	wantCode(t, "finalise with nothing", err, "verbale.bad_register")
	s, err := v.Settle(at)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.Finalise(r, at); err != nil || s.State != multe.VerbaleSettled || s.Record == nil {
		t.Errorf("settled, then recorded = %+v, %v", s, err)
	}
	_, err = v.Cancel(multe.Cancellation{Reason: ""}, "operator:1", at)
	wantCode(t, "cancel without a reason", err, "verbale.bad_reason")
	_, err = v.Cancel(multe.Cancellation{Reason: strings.Repeat("x", multe.MaxReason+1)}, "operator:1", at)
	wantCode(t, "cancel with a long reason", err, "verbale.bad_reason")
	c, err := v.Cancel(multe.Cancellation{Reason: "Targa errata"}, "operator:1", at)
	if err != nil || c.Reason != "Targa errata" {
		t.Fatal(c.Reason, err)
	}
	if u, err := c.UndoCancel(at); err != nil || u.State != multe.VerbaleIssued || u.Reason != "" {
		t.Errorf("undone = %+v, %v", u, err)
	}
	if fc, err := f.Cancel(multe.Cancellation{Reason: "Autotutela"}, "operator:1", at); err != nil {
		t.Error(err)
	} else if u, err := fc.UndoCancel(at); err != nil || u.State != multe.VerbaleFinalised || u.Record == nil {
		t.Errorf("undone after its record = %+v, %v", u, err)
	}
	_, err = v.UndoCancel(at)
	wantCode(t, "undo of nothing", err, "verbale.wrong_state")
	if _, err := c.Finalise(r, at); !errors.Is(err, fault.Conflict) {
		t.Errorf("recording what was cancelled: %v, want a conflict", err)
	}
}

func TestDiscrepancy(t *testing.T) {
	d := multe.NewDiscrepancy("12345678903", "payment.double", "P1", "Due volte.", at)
	if d.ID != "payment.double:P1" || d.Count != 1 || !d.Open || d.Version != 1 {
		t.Errorf("new = %+v", d)
	}
	c := d.Close(at)
	if c.Open || c.Version != 2 {
		t.Errorf("closed = %+v", c)
	}
	if a := c.Again("Ancora.", at); !a.Open || a.Count != 2 || a.Version != 3 || a.Detail != "Ancora." || a.Opened != d.Opened {
		t.Errorf("again = %+v", a)
	}
}

// TestPositions is which codes stand for a verbale and what each is worth.
func TestPositions(t *testing.T) {
	day := multe.Day{Year: 2026, Month: 3, Day: 6}
	one := multe.Verbale{Slip: multe.Slip{Position: "P1", Steps: []multe.Step{{Cents: 2940, LastDay: day}, {Cents: 4200, LastDay: day.Plus(55)}, {Cents: 8700}}}}
	two, reissued, recorded := one, one, one
	two.Slip.Full = &multe.SlipCode{Position: "P2"}
	reissued.Reissued = "P3"
	recorded = two
	recorded.Record = &multe.Record{Cents: 9900}
	for _, tt := range []struct {
		name    string
		v       multe.Verbale
		p       multe.PositionID
		day     multe.Day
		want    multe.Cents
		carrier multe.PositionID
	}{
		{"one code, discount", one, "P1", day, 2940, "P1"},
		{"one code, after", one, "P1", day.Plus(1), 4200, "P1"},
		{"two codes, the discounted", two, "P1", day, 2940, "P2"},
		{"two codes, the discounted never grows", two, "P1", day.Plus(99), 2940, "P2"},
		{"two codes, the full has no discount", two, "P2", day.Plus(-3), 4200, "P2"},
		{"two codes, the full in time", two, "P2", day.Plus(55), 4200, "P2"},
		{"two codes, the full grows", two, "P2", day.Plus(56), 8700, "P2"},
		{"two codes, recorded", recorded, "P2", day, 9900, "P2"},
		{"two codes, recorded, the discounted", recorded, "P1", day, 2940, "P2"},
		{"reissued", reissued, "P3", day, 2940, "P3"},
	} {
		if got := tt.v.DueOnPosition(tt.p, tt.day); got != tt.want || tt.v.Carrier() != tt.carrier {
			t.Errorf("%s: due %d on %s, carrier %s; want %d, %s", tt.name, got, tt.p, tt.v.Carrier(), tt.want, tt.carrier)
		}
	}
}

func TestUndo(t *testing.T) {
	if got := (multe.Creditor{}).Undo(); got != 30*time.Minute {
		t.Errorf("undo by default = %v", got)
	}
	if got := (multe.Creditor{UndoMinutes: 5}).Undo(); got != 5*time.Minute {
		t.Errorf("undo = %v", got)
	}
}

func TestPolicyOn(t *testing.T) {
	day := multe.Day{Year: 2026, Month: 3, Day: 1}
	register := multe.Policy{From: day, Debtor: multe.DebtorRegister, Amount: multe.AmountOneCode}
	reset := multe.Policy{From: day.Plus(10), Debtor: multe.DebtorReset, Amount: multe.AmountOneCode}
	c := multe.Creditor{Policies: []multe.Policy{register, reset}}
	for _, tt := range []struct {
		day  multe.Day
		want multe.Policy
	}{{day.Plus(-1), multe.DefaultPolicy}, {day, register}, {day.Plus(9), register}, {day.Plus(10), reset}, {day.Plus(99), reset}} {
		if got := c.PolicyOn(tt.day); got != tt.want {
			t.Errorf("policy on %v = %+v, want %+v", tt.day, got, tt.want)
		}
	}
}
