package verbali

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// ReferenceName names, upstream and on the slip, the number that the regional
// portal asks the citizen to type.
const ReferenceName = "Preavviso"

// Verbali issues and records verbali.
type Verbali struct {
	store store.Store
	now   func() time.Time
	nudge func()

	catalogues cds.Shelf
}

// New returns a Verbali. nudge is called, outside any transaction, when the
// platform must be told something. It must not block.
func New(s store.Store, now func() time.Time, nudge func()) *Verbali {
	return &Verbali{store: s, now: now, nudge: nudge}
}

// Upload records a preavviso that device d printed. body is the digest of the
// request: the same verbale with the same digest gets the same answer, with
// another it is a [fault.Conflict]. A code that is quarantined, or paid before we
// heard of the slip, is accepted too. skew is our clock minus the handheld's, as the
// upload showed, nil if it did not. What differs from the creditor's catalogue and
// policy is taken as it was printed, and flagged.
func (v *Verbali) Upload(ctx context.Context, c multe.CreditorID, d multe.DeviceID, slip multe.Slip, body multe.Digest, skew *time.Duration) (multe.Verbale, multe.Code, error) {
	at := multe.Instant(v.now())
	invalid := slip.Validate(at)
	if !multe.ValidID(string(slip.ID)) {
		return multe.Verbale{}, multe.Code{}, invalid
	}
	var (
		issued  multe.Verbale
		code    multe.Code
		refused error
	)
	err := v.store.Update(ctx, func(tx store.Tx) (err error) {
		refused = nil
		issued, err = tx.Verbale(c, slip.ID)
		switch {
		case err == nil && (issued.Device != d || issued.Digest != body):
			return fault.New(fault.Conflict, "verbale.other_body", "Un verbale con lo stesso identificativo è già stato trasmesso con un contenuto diverso.")
		case err == nil:
			code, err = tx.Code(c, issued.Slip.Position)
			return err
		case !errors.Is(err, fault.NotFound):
			return err
		case invalid != nil: // only now: what was accepted once stays accepted
			return invalid
		}
		if refused, err = givenUp(tx, c, d, slip, at); err != nil || refused != nil {
			return err
		}
		issued, code, err = v.issue(tx, c, d, slip, body, skew, at)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return multe.Verbale{}, multe.Code{}, fmt.Errorf("issuing verbale: %w", err)
	}
	v.nudge()
	return issued, code, nil
}

// issue writes a new verbale, its codes and what the platform must be told.
func (v *Verbali) issue(tx store.Tx, c multe.CreditorID, d multe.DeviceID, slip multe.Slip, body multe.Digest, skew *time.Duration, at time.Time) (multe.Verbale, multe.Code, error) {
	fail := func(err error) (multe.Verbale, multe.Code, error) { return multe.Verbale{}, multe.Code{}, err }
	cr, err := tx.Creditor(c)
	if err != nil {
		return fail(err)
	}
	issued := multe.IssueVerbale(c, d, slip, body, at)
	if issued.Flags, err = v.judge(tx, cr, slip, skew); err != nil {
		return fail(err)
	}
	if skew != nil {
		ms := skew.Milliseconds()
		issued.SkewMS = &ms
	}
	h := history{tx: tx, creditor: c, actor: "device:" + string(d), at: at}
	old, code, err := h.print(d, slip.ID, multe.SlipCode{Position: slip.Position, Number: slip.Number})
	if err != nil {
		return fail(err)
	}
	if err := tx.PutVerbale(issued); err != nil {
		return fail(err)
	}
	h.position = slip.Position
	action := "verbale.issued"
	if slip.Offline {
		action = "verbale.issued_offline"
	}
	if err := h.add(action, string(slip.ID), "", string(issued.State)); err != nil {
		return fail(err)
	}
	if err := h.add("code.issued", string(slip.ID), string(old.State), string(code.State)); err != nil {
		return fail(err)
	}
	if err := h.report(slip.ID, issued.Flags); err != nil {
		return fail(err)
	}
	codes := []multe.Code{code}
	if slip.Full != nil {
		old, full, err := h.print(d, slip.ID, *slip.Full)
		if err != nil {
			return fail(err)
		}
		h.position = full.Position
		if err := h.add("code.issued", string(slip.ID), string(old.State), string(full.State)); err != nil {
			return fail(err)
		}
		codes = append(codes, full)
	}
	if slices.ContainsFunc(codes, isPaid) {
		issued, err = h.settleEarly(issued, codes)
		return issued, code, err
	}
	return issued, code, h.tellSlip(issued, cr)
}

func isPaid(k multe.Code) bool { return k.State == multe.CodePaid }

// print puts one printed code onto its verbale.
func (h history) print(d multe.DeviceID, id multe.VerbaleID, printed multe.SlipCode) (old, code multe.Code, err error) {
	if old, err = findCode(h.tx, h.creditor, printed.Position); err != nil {
		return old, code, err
	}
	if code, err = onto(old, id, d, h.at); err != nil {
		return old, code, err
	}
	if code.Number != printed.Number {
		return old, code, fault.New(fault.Invalid, "verbale.number_mismatch", "Il codice avviso stampato non è quello della posizione indicata.")
	}
	return old, code, h.tx.PutCode(code)
}

// tellSlip leaves for the platform what a new slip makes payable: what the paper
// says for today, for a late slip may be past its first step.
func (h history) tellSlip(v multe.Verbale, c multe.Creditor) error {
	today, first := multe.DayOf(h.at), v.Slip.Steps[0].LastDay
	for _, p := range v.Positions() {
		want := desired(v, p, c, today)
		discounted := v.Slip.Full != nil && p == v.Slip.Position
		if discounted {
			want.ValidTo = first
		}
		if !discounted || today.Compare(first) <= 0 {
			ch := multe.NewChange(h.creditor, p, 0, multe.ChangeActivate, want, h.at)
			ch.Verbale = v.Slip.ID
			if err := store.Tell(h.tx, h.actor, ch, h.at); err != nil {
				return err
			}
		}
		if discounted {
			// The end of validity closes it on time where it can be set (it cannot
			// on the last day itself), the annulment in any case.
			over := first.Plus(1).Start()
			if over.Before(h.at) {
				over = h.at
			}
			if err := store.Annul(h.tx, h.actor, h.creditor, p, v.Slip.ID, store.ReasonDiscount, over, h.at); err != nil {
				return err
			}
		}
	}
	return nil
}

// desired is all that the platform is to know about position p of a verbale.
func desired(v multe.Verbale, p multe.PositionID, c multe.Creditor, today multe.Day) multe.Desired {
	want := multe.Desired{Cents: v.DueOnPosition(p, today), Causale: v.Causale(), References: references(v.Slip)}
	if c.ValidityDays > 0 {
		want.ValidTo = multe.DayOf(v.Slip.IssuedAt).Plus(c.ValidityDays)
	}
	return want
}

// onto puts the code onto a verbale. One that was paid while nobody knew its slip
// (after a restore, say) stays paid: money does not wait for paper, and the slip
// must still be found under its code.
func onto(code multe.Code, id multe.VerbaleID, d multe.DeviceID, at time.Time) (multe.Code, error) {
	if code.State == multe.CodePaid && code.Verbale == "" && code.Device == d {
		code.Verbale, code.Version, code.Changed = id, code.Version+1, at
		return code, nil
	}
	return code.Issue(id, d, at)
}

// settleEarly finds the money that overtook the slip and settles the verbale as
// if they had come in order. A code of the slip that nobody paid is annulled.
func (h history) settleEarly(v multe.Verbale, codes []multe.Code) (multe.Verbale, error) {
	enough := false
	for _, code := range codes {
		if !isPaid(code) {
			if err := store.Annul(h.tx, h.actor, h.creditor, code.Position, v.Slip.ID, store.ReasonSibling, h.at, h.at); err != nil {
				return v, err
			}
			continue
		}
		h.position = code.Position
		paid, err := h.paid(v, code)
		if err != nil {
			return v, err
		}
		enough = enough || paid
	}
	if !enough {
		return v, store.Report(h.tx, h.creditor, multe.TroubleShort, string(h.position), multe.GuideTo(multe.TroubleShort).Text(), h.at)
	}
	next, err := v.Settle(h.at)
	if err != nil {
		return v, err
	}
	// The verbale was put a moment ago in this transaction, at version 1.
	if err := h.tx.PutVerbale(next); err != nil {
		return v, err
	}
	if err := store.EarlyExcess(h.tx, next, h.at); err != nil {
		return v, err
	}
	return next, h.add("verbale.settled", string(v.Slip.ID), string(v.State), string(next.State))
}

// paid joins the payments of one code to its verbale, and reports whether they
// are enough.
func (h history) paid(v multe.Verbale, code multe.Code) (enough bool, err error) {
	payments, err := h.tx.PaymentsOf(h.creditor, code.Number.IUV(), store.MaxPage)
	if err != nil {
		return false, err
	}
	var came multe.Cents
	for _, p := range payments {
		day := p.PaidOn
		if day.IsZero() {
			day = multe.DayOf(p.Received)
		}
		came += p.Cents
		enough = enough || came >= v.DueOn(day)
		p.Verbale, p.Version = v.Slip.ID, p.Version+1
		if err := h.tx.PutPayment(p); err != nil {
			return false, err
		}
	}
	return enough, errors.Join(h.close(multe.TroubleUnexpected, string(code.Position)), h.close(multe.TroubleVoidCode, string(code.Position)))
}

// Record adds what the office knows: register number, final amount, causale and
// debtor. The debtor policy is the creditor's of today. Repeating a record gets
// the same answer; another record, or a register number in use, is a
// [fault.Conflict].
func (v *Verbali) Record(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Record) (multe.Verbale, multe.Code, error) {
	if r.Cents != 0 { // else it is worked out first
		if err := r.Validate(); err != nil {
			return multe.Verbale{}, multe.Code{}, err
		}
	}
	at := multe.Instant(v.now())
	var (
		recorded multe.Verbale
		code     multe.Code
	)
	err := v.store.Update(ctx, func(tx store.Tx) error {
		old, err := findVerbale(tx, c, id)
		if err != nil {
			return err
		}
		if code, err = tx.Code(c, old.Slip.Position); err != nil {
			return err
		}
		carrier, err := tx.Code(c, old.Carrier())
		if err != nil {
			return err
		}
		if first := old.FirstRecord(); first != nil && sameRequest(*first, r) {
			recorded = old
			return nil
		}
		cr, err := tx.Creditor(c)
		if err != nil {
			return err
		}
		if old.Record != nil {
			_, err := old.Finalise(r, at)
			return err // it is a conflict, whatever r costs
		}
		h := history{tx: tx, creditor: c, position: carrier.Position, actor: actor, at: at}
		record, err := h.price(old, r, cr)
		if err != nil {
			return err
		}
		record.By, record.Policy = actor, cr.PolicyOn(multe.DayOf(at)).Debtor
		if recorded, err = old.Finalise(record, at); err != nil {
			return err
		}
		if err := registerFree(tx, c, r.Register); err != nil {
			return err
		}
		if err := h.add("verbale.recorded", string(id), string(old.State), string(recorded.State)); err != nil {
			return err
		}
		recorded, err = h.tellRecord(recorded, carrier, cr)
		if err != nil {
			return err
		}
		return tx.PutVerbale(recorded)
	})
	if err != nil {
		return multe.Verbale{}, multe.Code{}, fmt.Errorf("recording verbale: %w", err)
	}
	v.nudge()
	return recorded, code, nil
}

func registerFree(tx store.Tx, c multe.CreditorID, register string) error {
	_, err := tx.VerbaleByRegister(c, register)
	if err == nil {
		return fault.New(fault.Conflict, "verbale.register_used", "Il numero di registro è già di un altro verbale.")
	}
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// tellRecord leaves for the platform what a recorded verbale changes there. It
// returns the verbale, which may have got another code.
func (h history) tellRecord(v multe.Verbale, code multe.Code, c multe.Creditor) (multe.Verbale, error) {
	if v.State == multe.VerbaleSettled || code.State == multe.CodePaid || code.State == multe.CodeVoid {
		return v, nil // nothing can be changed upstream any more
	}
	waiting, err := h.waitingActivation()
	if err != nil {
		return v, err
	}
	whole := desired(v, code.Position, c, multe.DayOf(h.at))
	whole.Debtor = v.Record.Debtor
	anonymous, zero := whole, whole
	anonymous.Debtor = nil
	zero.Debtor, zero.Cents = nil, 0

	policy := v.Record.Policy
	if whole.Debtor == nil || code.UpstreamDebtor {
		policy = multe.DebtorRegister
	}
	if waiting != nil && waiting.Tries == 0 && !code.UpstreamDebtor { // everything travels whole, under every policy
		return v, h.replace(*waiting, multe.ChangeUpdate, whole)
	}
	switch policy {
	case multe.DebtorReset:
		// A waiting activation may have arrived: a debtor would be refused (196).
		if waiting != nil {
			err = h.replace(*waiting, multe.ChangeReset, zero)
		} else {
			err = h.tell(multe.ChangeReset, v.Slip.ID, zero)
		}
		if err == nil {
			err = h.tell(multe.ChangeUpdate, v.Slip.ID, whole)
		}
		return v, err
	case multe.DebtorREST:
		ch := multe.NewChange(h.creditor, h.position, 0, multe.ChangeUpdate, whole, h.at)
		ch.Verbale, ch.Route = v.Slip.ID, multe.RouteREST
		return v, store.Tell(h.tx, h.actor, ch, h.at)
	case multe.DebtorReissue:
		return h.reissue(v, whole)
	}
	if waiting != nil {
		return v, h.replace(*waiting, multe.ChangeUpdate, anonymous)
	}
	return v, h.tell(multe.ChangeUpdate, v.Slip.ID, anonymous)
}

// reissue gives the verbale a code that was never on paper, and that takes debtor
// and amount in one update. Package dispatch annuls the old one when that is done.
func (h history) reissue(v multe.Verbale, whole multe.Desired) (multe.Verbale, error) {
	free, err := h.tx.CodesIn(h.creditor, multe.CodeAvailable, "", 1)
	if err != nil {
		return v, err
	}
	if len(free) == 0 {
		return v, fault.New(fault.Exhausted, "pool.empty", "Non ci sono codici disponibili per emettere il nuovo avviso: altri sono stati richiesti, riprovare tra qualche minuto.")
	}
	fresh, err := free[0].Reissue(v.Slip.ID, h.at)
	if err != nil {
		return v, err
	}
	if err := h.tx.PutCode(fresh); err != nil {
		return v, err
	}
	v.Reissued = fresh.Position
	h.position = fresh.Position
	if err := h.add("code.reissued", string(v.Slip.ID), string(free[0].State), string(fresh.State)); err != nil {
		return v, err
	}
	return v, h.tell(multe.ChangeUpdate, v.Slip.ID, whole)
}

// waitingActivation returns the activation of the position if it waits.
func (h history) waitingActivation() (*multe.Change, error) {
	changes, err := h.changes()
	for i := range changes {
		if changes[i].Kind == multe.ChangeActivate && changes[i].State == multe.ChangeWaiting {
			return &changes[i], err
		}
	}
	return nil, err
}

// history is one position being written about in one transaction.
type history struct {
	tx       store.Tx
	creditor multe.CreditorID
	position multe.PositionID
	actor    string
	at       time.Time
}

func (h history) add(action, subject, from, to string) error {
	return h.tx.AppendAudit(multe.AuditEntry{Creditor: h.creditor, At: h.at, Actor: h.actor, Action: action,
		Position: h.position, Subject: subject, From: from, To: to})
}

// changes lists what the platform was or will be told about the position; a life
// has a handful of them.
func (h history) changes() ([]multe.Change, error) {
	return h.tx.ChangesOf(h.creditor, h.position, 0, store.MaxPage)
}

// tell leaves one more change for the platform, after those there are.
func (h history) tell(k multe.ChangeKind, id multe.VerbaleID, want multe.Desired) error {
	ch := multe.NewChange(h.creditor, h.position, 0, k, want, h.at)
	ch.Verbale = id
	return store.Tell(h.tx, h.actor, ch, h.at)
}

// replace gives a change that has not left another content.
func (h history) replace(ch multe.Change, k multe.ChangeKind, want multe.Desired) error {
	next, err := ch.Replace(k, want, h.at)
	if err != nil {
		return err
	}
	if err := h.tx.PutChange(next); err != nil {
		return err
	}
	return h.add("change."+string(k), string(ch.ID()), string(ch.State), string(next.State))
}

// close closes a trouble that this transaction ended, if it is open.
func (h history) close(kind, subject string) error {
	d, err := h.tx.Discrepancy(h.creditor, kind+":"+subject)
	switch {
	case errors.Is(err, fault.NotFound) || err == nil && !d.Open:
		return nil
	case err != nil:
		return err
	}
	return h.tx.PutDiscrepancy(d.Close(h.at))
}

// references are printed on the slip exactly so: the portal compares them letter
// by letter (piemontepay.md §2.3).
func references(s multe.Slip) []multe.Reference {
	return []multe.Reference{{Name: ReferenceName, Value: s.ReferenceOrCode()}}
}

// Get returns a verbale and the code on its slip.
func (v *Verbali) Get(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error) {
	var (
		verbale multe.Verbale
		code    multe.Code
	)
	err := v.store.View(ctx, func(r store.Reader) (err error) {
		if verbale, err = findVerbale(r, c, id); err != nil {
			return err
		}
		code, err = r.Code(c, verbale.Slip.Position)
		return err
	})
	return verbale, code, err
}

// ByDevice lists the verbali that a handheld issued, by id, after the given one,
// at most limit (≤ [store.MaxPage]).
func (v *Verbali) ByDevice(ctx context.Context, c multe.CreditorID, d multe.DeviceID, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
	var list []multe.Verbale
	err := v.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.VerbaliOf(c, d, after, limit)
		return err
	})
	return list, err
}

// List lists a creditor's verbali by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (v *Verbali) List(ctx context.Context, c multe.CreditorID, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
	var list []multe.Verbale
	err := v.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.Verbali(c, after, limit)
		return err
	})
	return list, err
}

// Timeline returns a code and its history, oldest first.
func (v *Verbali) Timeline(ctx context.Context, c multe.CreditorID, p multe.PositionID) (multe.Code, []multe.AuditEntry, error) {
	var (
		code    multe.Code
		history []multe.AuditEntry
	)
	err := v.store.View(ctx, func(r store.Reader) (err error) {
		history = nil
		if code, err = findCode(r, c, p); err != nil {
			return err
		}
		return store.Each(func(after uint64) ([]multe.AuditEntry, error) { return r.Audit(c, p, after, store.MaxPage) },
			func(e multe.AuditEntry) uint64 { return e.Seq },
			func(e multe.AuditEntry) error { history = append(history, e); return nil })
	})
	return code, history, err
}

// FindCode finds a code by what a person has in hand: the 18 digits of a notice,
// in groups or not, or our position.
func (v *Verbali) FindCode(ctx context.Context, c multe.CreditorID, avvisoOrPosition string) (multe.Code, error) {
	var code multe.Code
	err := v.store.View(ctx, func(r store.Reader) (err error) {
		n, err := avviso.ParseNumber(avvisoOrPosition)
		if err != nil {
			code, err = findCode(r, c, multe.PositionID(strings.TrimSpace(avvisoOrPosition)))
			return err
		}
		code, err = r.CodeByIUV(c, n.IUV())
		if errors.Is(err, fault.NotFound) || err == nil && code.Number != n {
			return errUnknownCode()
		}
		return err
	})
	return code, err
}

func findCode(r store.Reader, c multe.CreditorID, p multe.PositionID) (multe.Code, error) {
	if !multe.ValidID(string(p)) { // every position is one of our ids
		return multe.Code{}, errUnknownCode()
	}
	code, err := r.Code(c, p)
	if errors.Is(err, fault.NotFound) {
		return code, errUnknownCode()
	}
	return code, err
}

func errUnknownCode() error {
	return fault.New(fault.NotFound, "code.unknown", "Il codice avviso non risulta tra quelli dell'ente.")
}

func findVerbale(r store.Reader, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, error) {
	if !multe.ValidID(string(id)) {
		return multe.Verbale{}, errUnknownVerbale()
	}
	v, err := r.Verbale(c, id)
	if errors.Is(err, fault.NotFound) {
		return v, errUnknownVerbale()
	}
	return v, err
}

func errUnknownVerbale() error {
	return fault.New(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.")
}
