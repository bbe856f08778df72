package verbali

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The troubles that a person must end.
const (
	kindApproval    = "verbale.approval"
	kindOtherDebtor = "verbale.other_debtor"
)

// details are what the office reads: what happened, what it means, what to do.
var details = map[string]string{
	kindApproval:    "Un operatore ha chiesto di annullare il verbale e l'ente vuole che un'altra persona approvi. Finché nessuno lo fa il verbale resta valido e pagabile. Approvare o ritirare la richiesta.",
	kindOtherDebtor: "Il debitore è stato corretto dopo che il precedente era già stato comunicato a PiemontePAY, che non permette di cambiarlo. Nel registro vale quello corretto; sulla posizione resta il precedente, che la vede tra i propri avvisi. Se non deve vederla, annullare il verbale oppure chiedere la correzione all'assistenza PiemontePAY.",
}

// repricer is the actor of what happens by the calendar.
const repricer = "loop:reprice"

// repricesPerRound is how many verbali one commit moves to their next amount: a
// town's worth of a night, and short enough for a handheld that waits behind it.
const repricesPerRound = 100

// Reprice does one bounded round: it leaves for the platform the new amount of
// verbali whose last day is over. A verbale comes up once for each of its steps,
// at five past midnight or when the service runs again.
func (v *Verbali) Reprice(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, v.store)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, c := range creditors {
		n, err := v.repriceFor(ctx, c.ID)
		if err != nil {
			errs = append(errs, fmt.Errorf("repricing for %s: %w", c.ID, err))
		}
		more = more || n == repricesPerRound
	}
	return more, errors.Join(errs...)
}

func (v *Verbali) repriceFor(ctx context.Context, c multe.CreditorID) (int, error) {
	at := multe.Instant(v.now())
	due := func(r store.Reader, limit int) ([]multe.Verbale, error) {
		list, err := r.VerbaliDue(c, multe.Verbale{}, limit)
		for i, e := range list {
			if e.NextStep().After(at) { // they are listed by it
				return list[:i], err
			}
		}
		return list, err
	}
	n := 0
	if err := v.store.View(ctx, func(r store.Reader) error { // most rounds find nothing, and cost no commit
		first, err := due(r, 1)
		n = len(first)
		return err
	}); err != nil || n == 0 {
		return 0, err
	}
	err := v.store.Update(ctx, func(tx store.Tx) error {
		cr, err := tx.Creditor(c)
		if err != nil {
			return err
		}
		list, err := due(tx, repricesPerRound)
		if n = len(list); err != nil {
			return err
		}
		for _, old := range list {
			if err := (history{tx: tx, creditor: c, position: old.Carrier(), actor: repricer, at: at}).reprice(old, cr); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	v.nudge()
	return n, nil
}

// reprice moves one verbale to the amount of today.
func (h history) reprice(old multe.Verbale, cr multe.Creditor) error {
	today := multe.DayOf(h.at)
	next := old.Price(today, h.at)
	if err := h.tx.PutVerbale(next); err != nil {
		return err
	}
	was, is := old.DueOnPosition(h.position, multe.DayOf(old.NextStep()).Plus(-1)), next.DueOnPosition(h.position, today)
	if err := h.add("verbale.repriced", string(old.Slip.ID), cents(was), cents(is)); err != nil {
		return err
	}
	return h.retell(next, cr)
}

func cents(c multe.Cents) string { return strconv.FormatInt(int64(c), 10) }

// retell leaves for the platform what the verbale is worth today, unless it was
// told exactly that. A change that has not left is replaced; the debtor in it
// stays.
func (h history) retell(v multe.Verbale, cr multe.Creditor) error {
	h.position = v.Carrier()
	code, err := h.tx.Code(h.creditor, h.position)
	if err != nil || code.State == multe.CodePaid || code.State == multe.CodeVoid {
		return err
	}
	changes, err := h.changes()
	if err != nil {
		return err
	}
	want := desired(v, h.position, cr, multe.DayOf(h.at))
	for i := len(changes) - 1; i >= 0; i-- {
		last := changes[i]
		switch {
		case last.State == multe.ChangeRefused:
			continue
		case last.Kind == multe.ChangeVoid:
			return nil // it is to be worth nothing
		case last.Want.Cents == want.Cents && last.Want.Causale == want.Causale:
			return nil
		case last.State == multe.ChangeWaiting && last.Tries == 0 && (last.Kind == multe.ChangeActivate || last.Kind == multe.ChangeUpdate):
			want.Debtor = last.Want.Debtor
			return h.replace(last, last.Kind, want)
		}
		break
	}
	return h.tell(multe.ChangeUpdate, v.Slip.ID, want)
}

// price works out of what the office typed what the verbale costs: the fine of the
// catalogue in force on the day of the violation, where a code was given instead
// of sums, what is asked before the notification, and the steps of the law after
// it. A record with an amount alone is left as it is.
func (h history) price(v multe.Verbale, r multe.Record, cr multe.Creditor) (multe.Record, error) {
	r.Steps = nil
	if r.Fine == nil && r.Violation == "" && r.Cents != 0 {
		return r, h.notified(v, &r)
	}
	if r.Fine == nil {
		fine, err := h.fine(v, cmp.Or(r.Violation, v.Slip.Violation.Code))
		if err != nil {
			return r, err
		}
		r.Fine = &fine
	}
	if err := r.Fine.Validate(r.CostsCents); err != nil {
		return r, err
	}
	r.Cents = cmp.Or(r.Cents, r.Fine.Reduced+r.CostsCents)
	if err := h.notified(v, &r); err != nil {
		return r, err
	}
	if n := r.Notification; n != nil {
		policy, err := cds.PolicyOn(cr, n.Notified)
		if err != nil {
			return r, err
		}
		r.Steps = cds.Fine(*r.Fine).Notified(policy, n.Notified, r.CostsCents)
		return r, nil
	}
	// The paper in the citizen's hand holds through its last day, unless it asked
	// for too much. Of two codes the other one sees to that.
	if steps := v.Slip.Steps; v.Slip.Full == nil && len(steps) > 1 && steps[0].Cents < r.Cents && multe.DayOf(h.at).Compare(steps[0].LastDay) <= 0 {
		r.Steps = []multe.Step{steps[0], {Cents: r.Cents}}
	}
	return r, nil
}

// notified checks the notification of a record, if there is one, and sets the day
// that the terms run from.
func (h history) notified(v multe.Verbale, r *multe.Record) error {
	if r.Notification == nil {
		return nil
	}
	n := *r.Notification
	if err := n.Validate(multe.DayOf(v.Slip.IssuedAt), multe.DayOf(h.at)); err != nil {
		return err
	}
	n.Notified = n.Day
	if n.How == multe.NotifiedGiacenza {
		n.Notified = cds.NotifiedByGiacenza(n.Day)
	}
	r.Notification = &n
	return nil
}

// fine looks the violation up in the creditor's catalogue of its day.
func (h history) fine(v multe.Verbale, code string) (multe.Fine, error) {
	if code == "" {
		return multe.Fine{}, fault.New(fault.Invalid, "verbale.bad_amount", "Indicare l'importo, oppure il codice della violazione nel catalogo, oppure gli importi ridotto, scontato e metà del massimo.")
	}
	doc, err := store.DocumentOn(h.tx, h.creditor, multe.DocumentCatalogue, multe.DayOf(v.Slip.IssuedAt))
	if errors.Is(err, fault.NotFound) {
		return multe.Fine{}, fault.New(fault.Conflict, "verbale.no_catalogue", "L'ente non ha un catalogo delle violazioni in vigore nel giorno della violazione: indicare gli importi a mano oppure caricare il catalogo.")
	}
	if err != nil {
		return multe.Fine{}, err
	}
	catalogue, _, err := cds.Parse(doc.Body)
	if err != nil {
		return multe.Fine{}, fmt.Errorf("reading catalogue %d: %w", doc.N, err)
	}
	violation, ok := catalogue.Violation(code)
	if !ok {
		return multe.Fine{}, fault.New(fault.Invalid, "amount.unknown_violation", "Il codice della violazione non è nel catalogo in vigore nel giorno della violazione.")
	}
	fine, err := violation.FineAt(v.Slip.IssuedAt)
	return multe.Fine(fine), err
}

// sameRequest reports whether what the office typed is what a record was made of.
// What it left to us counts as it was worked out then.
func sameRequest(have, want multe.Record) bool {
	if want.Fine == nil && want.Violation == have.Violation && (want.Violation != "" || want.Cents == 0) {
		want.Fine = have.Fine
	}
	if want.Cents == 0 {
		want.Cents = have.Cents
	}
	if have.Notification != nil && want.Notification != nil {
		n := *want.Notification
		n.Notified = have.Notification.Notified
		want.Notification = &n
	}
	want.At, want.Policy, want.By, want.Why, want.Steps = have.At, have.Policy, have.By, have.Why, have.Steps
	return reflect.DeepEqual(have, want)
}

// Notify records that a recorded verbale was notified, from which the terms of the
// law run: the amount changes with them by itself. The same notification again
// gets the same answer; another is a [fault.Conflict], to be corrected with
// [Verbali.Correct].
func (v *Verbali) Notify(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, n multe.Notification) (multe.Verbale, multe.Code, error) {
	return v.change(ctx, actor, c, id, "recording a notification", func(h history, old multe.Verbale) (multe.Verbale, error) {
		if old.Record != nil && old.Record.Notification != nil {
			if had := old.Record.Notification; had.How == n.How && had.Day == n.Day {
				return old, nil
			}
			return old, fault.New(fault.Conflict, "verbale.already_notified", "La notifica è già registrata con un altro modo o un'altra data: se è sbagliata, correggerla indicando il motivo.")
		}
		if old.Record == nil {
			return old.Revise(multe.Record{}, h.at) // says what is missing
		}
		r := *old.Record
		r.Notification = &n
		return h.revise(old, r, "", "verbale.notified")
	})
}

// Correct replaces what the office recorded; the old version and the reason are
// kept. r is the whole record as it should be; without its notification that is
// taken back. What the platform was told follows where it can. The same record
// again gets the same answer.
func (v *Verbali) Correct(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Record, reason string) (multe.Verbale, multe.Code, error) {
	if _, err := multe.ParseReason(reason); err != nil {
		return multe.Verbale{}, multe.Code{}, err
	}
	return v.change(ctx, actor, c, id, "correcting a record", func(h history, old multe.Verbale) (multe.Verbale, error) {
		if old.Record == nil {
			return old.Revise(r, h.at)
		}
		if sameRequest(*old.Record, r) {
			return old, nil
		}
		if r.Register != old.Record.Register {
			if err := registerFree(h.tx, c, r.Register); err != nil {
				return old, err
			}
		}
		return h.revise(old, r, reason, "verbale.corrected")
	})
}

// revise writes another version of the record and leaves for the platform what it
// changes there.
func (h history) revise(old multe.Verbale, r multe.Record, why, action string) (multe.Verbale, error) {
	cr, err := h.tx.Creditor(h.creditor)
	if err != nil {
		return old, err
	}
	if r, err = h.price(old, r, cr); err != nil {
		return old, err
	}
	r.By, r.Why, r.Policy = h.actor, why, old.Record.Policy
	otherDebtor := !reflect.DeepEqual(r.Debtor, old.Record.Debtor)
	if otherDebtor {
		r.Policy = cr.PolicyOn(multe.DayOf(h.at)).Debtor
	}
	next, err := old.Revise(r, h.at)
	if err != nil {
		return old, err
	}
	h.position = old.Carrier()
	if err := h.add(action, string(old.Slip.ID), string(old.State), string(next.State)); err != nil {
		return old, err
	}
	switch {
	case next.State != multe.VerbaleFinalised:
	case otherDebtor:
		next, err = h.retellDebtor(next, cr)
	default:
		err = h.retell(next, cr)
	}
	if err != nil {
		return old, err
	}
	return next, h.tx.PutVerbale(next)
}

// retellDebtor leaves for the platform that the debtor is another. It stores one
// only once: what was told before and may have arrived stays there, and a person
// is told.
func (h history) retellDebtor(v multe.Verbale, cr multe.Creditor) (multe.Verbale, error) {
	code, err := h.tx.Code(h.creditor, h.position)
	if err != nil || code.State == multe.CodePaid || code.State == multe.CodeVoid {
		return v, err
	}
	changes, err := h.changes()
	if err != nil {
		return v, err
	}
	arrived := code.UpstreamDebtor
	for _, ch := range changes {
		switch {
		case ch.Want.Debtor == nil || ch.State == multe.ChangeRefused || ch.State == multe.ChangeApplied:
		case ch.State == multe.ChangeWaiting && ch.Tries == 0:
			want := desired(v, h.position, cr, multe.DayOf(h.at))
			want.Debtor = v.Record.Debtor
			return v, h.replace(ch, ch.Kind, want)
		default:
			arrived = true // or may have
		}
	}
	switch {
	case arrived:
		if err := store.Report(h.tx, h.creditor, kindOtherDebtor, string(v.Slip.ID), details[kindOtherDebtor], h.at); err != nil {
			return v, err
		}
	case v.Record.Debtor != nil:
		return h.tellRecord(v, code, cr)
	}
	return v, h.retell(v, cr)
}

// Appeal registers a ricorso against a recorded verbale. Until its outcome the
// amount stands still as it was on its day.
func (v *Verbali) Appeal(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, a multe.Appeal) (multe.Verbale, multe.Code, error) {
	return v.change(ctx, actor, c, id, "registering an appeal", func(h history, old multe.Verbale) (multe.Verbale, error) {
		a.By, a.Ruling = actor, nil
		next, err := old.Appeal(a, multe.DayOf(h.at), h.at)
		if err != nil || next.Version == old.Version {
			return next, err
		}
		return next, h.appealed(old, next, "appeal.registered")
	})
}

// Rule registers the outcome of the pending ricorso. Upheld, it annuls the verbale;
// rejected, the sum of the ordinanza is due if there is one; otherwise what is due
// is what the days gone by say, for a ricorso does not stop the terms of art. 202
// and 203 CdS.
func (v *Verbali) Rule(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Ruling) (multe.Verbale, multe.Code, error) {
	return v.change(ctx, actor, c, id, "registering the outcome of an appeal", func(h history, old multe.Verbale) (multe.Verbale, error) {
		r.By = actor
		next, err := old.Rule(r, multe.DayOf(h.at), h.at)
		if err != nil || next.Version == old.Version {
			return next, err
		}
		if r.Verdetto != multe.RicorsoAccolto {
			return next, h.appealed(old, next, "appeal.decided")
		}
		// What the days gone by say is not told in between: it would be asked for
		// if the annulment were taken back.
		if err := h.wrote(old, next, "appeal.decided"); err != nil {
			return old, err
		}
		why, err := multe.NewCancellation(multe.CancelRicorso, "ricorso-accolto", "")
		if err != nil {
			return old, err
		}
		cr, err := h.tx.Creditor(c)
		if err != nil {
			return old, err
		}
		gone, err := next.Cancel(why, actor, h.at)
		if err != nil {
			return old, err
		}
		return gone, h.cancelled(next, gone, cr)
	})
}

func (h history) wrote(old, next multe.Verbale, action string) error {
	if err := h.tx.PutVerbale(next); err != nil {
		return err
	}
	return h.add(action, string(old.Slip.ID), string(old.State), string(next.State))
}

func (h history) appealed(old, next multe.Verbale, action string) error {
	if err := h.wrote(old, next, action); err != nil {
		return err
	}
	cr, err := h.tx.Creditor(h.creditor)
	if err != nil || next.State != multe.VerbaleFinalised {
		return err
	}
	return h.retell(next, cr)
}
