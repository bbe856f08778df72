package exports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// MaxLines is the longest list: what one transaction can look at and put in
	// some tenths of a second, while handhelds wait. What is left is for the next
	// list.
	MaxLines = 2000
	// scanPage is how many acts one look at the store takes.
	scanPage = 500
	// messagePage is small: a message may have 4 MiB.
	messagePage = 10
)

// moneyMessages are the kinds of message that tell of payments.
var moneyMessages = map[string]bool{"TrasmettiNotifichePagamento": true}

// Exports makes and keeps lists of acts.
type Exports struct {
	store  store.Store
	now    func() time.Time
	settle func(context.Context) error
}

// New returns an Exports. settle works what is in the inbox.
func New(s store.Store, now func() time.Time, settle func(context.Context) error) *Exports {
	return &Exports{store: s, now: now, settle: settle}
}

// Request asks for a list.
type Request struct {
	Creditor multe.CreditorID
	ID       multe.ExportID // made by whoever asks: 32 hex digits
	Kind     multe.ExportKind
	Again    bool // acts of earlier lists too
	Despite  bool // although messages about payments cannot be read: the operator has looked at the portal
}

// Make makes a list. Repeating a request gets the same answer; another request
// under the same id is a [fault.Conflict]. A list may be empty.
func (e *Exports) Make(ctx context.Context, by string, q Request) (multe.Export, error) {
	if !multe.ValidID(string(q.ID)) {
		return multe.Export{}, fault.New(fault.Invalid, "export.bad_id", "L'identificativo dell'elenco deve essere di 32 cifre esadecimali minuscole.")
	}
	if q.Kind != multe.ExportLookup && q.Kind != multe.ExportNotify {
		return multe.Export{}, fault.New(fault.Invalid, "export.bad_kind", "Il tipo di elenco deve essere «lookup» oppure «notify».")
	}
	if err := e.settle(ctx); err != nil {
		return multe.Export{}, fmt.Errorf("working the inbox before a list: %w", err)
	}
	found, err := e.find(ctx, q)
	if err != nil {
		return multe.Export{}, fmt.Errorf("looking for acts: %w", err)
	}
	var made multe.Export
	err = e.store.Update(ctx, func(tx store.Tx) error {
		at := multe.Instant(e.now())
		known, err := tx.Export(q.Creditor, q.ID)
		switch {
		case err == nil && known.Kind == q.Kind && known.Again == q.Again:
			made = known
			return nil
		case err == nil:
			return fault.New(fault.Conflict, "export.other_body", "Con questo identificativo esiste già un altro elenco.")
		case !errors.Is(err, fault.NotFound):
			return err
		}
		if err := clear(tx, q); err != nil {
			return err
		}
		l := look{tx, q.Kind, multe.DayOf(at)}
		made = multe.Export{Creditor: q.Creditor, ID: q.ID, Kind: q.Kind, At: at, By: by, Again: q.Again, Version: 1, Changed: at}
		var rows []Row
		for _, id := range found {
			v, err := tx.Verbale(q.Creditor, id)
			if err != nil {
				return err
			}
			row, ok, err := l.row(v, q.Again)
			if err != nil {
				return err
			}
			if !ok {
				continue // paid or annulled since it was found
			}
			if made.Count == MaxLines {
				made.More = true
				break
			}
			made.Count++
			if err := tx.PutExportLine(multe.ExportLine{Creditor: q.Creditor, Export: q.ID, N: made.Count, Verbale: id, Version: 1}); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		if made.Digest, err = digestOf(rows); err != nil {
			return err
		}
		if err := tx.PutExport(made); err != nil {
			return err
		}
		action := "export.made"
		if q.Despite {
			action = "export.made_despite"
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: q.Creditor, At: at, Actor: by, Action: action, Subject: string(q.ID), To: string(q.Kind)})
	})
	if err != nil {
		return multe.Export{}, fmt.Errorf("making a list: %w", err)
	}
	return made, nil
}

// find returns the acts that look as if they belonged in the list, one more than
// fit. Each page is read in a moment of its own: a look at a hundred thousand
// acts must not hold up the store, and Make looks at each again.
func (e *Exports) find(ctx context.Context, q Request) ([]multe.VerbaleID, error) {
	state := multe.VerbaleIssued
	if q.Kind == multe.ExportNotify {
		state = multe.VerbaleFinalised
	}
	var (
		found []multe.VerbaleID
		after multe.VerbaleID
	)
	for {
		var (
			some []multe.VerbaleID
			last multe.VerbaleID
		)
		err := e.store.View(ctx, func(r store.Reader) error {
			some, last = nil, ""
			page, err := r.VerbaliIn(q.Creditor, state, after, scanPage)
			if err != nil || len(page) == 0 {
				return err
			}
			l := look{r, q.Kind, multe.DayOf(e.now())}
			for _, v := range page {
				last = v.Slip.ID
				_, ok, err := l.row(v, q.Again)
				if err != nil {
					return err
				}
				if ok {
					some = append(some, v.Slip.ID)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if found = append(found, some...); last == "" || len(found) > MaxLines {
			return found[:min(len(found), MaxLines+1)], nil
		}
		after = last
	}
}

// clear refuses a list while money may have come that nobody knows of.
func clear(r store.Reader, q Request) error {
	waiting, err := anyMoney(r, multe.MessageNew)
	if err != nil {
		return err
	}
	if waiting {
		return fault.New(fault.Unavailable, "export.unworked", "C'è una notifica di pagamento appena arrivata e non ancora registrata: l'elenco potrebbe contenere chi ha già pagato. Riprovare tra qualche minuto.")
	}
	doubtful, err := anyMoney(r, multe.MessageDead)
	if err != nil {
		return err
	}
	for _, kind := range []string{multe.TroubleUnread, multe.TroubleMismatch} {
		// Their ids begin with the kind and a colon.
		open, err := r.Discrepancies(q.Creditor, true, kind+":", 1)
		if err != nil {
			return err
		}
		doubtful = doubtful || len(open) > 0 && open[0].Kind == kind
	}
	if doubtful && !q.Despite {
		return fault.New(fault.Conflict, "export.doubtful", "C'è una notifica di pagamento che non si riesce a leggere per intero: l'elenco potrebbe contenere chi ha già pagato. Verificare i pagamenti sul portale PiemontePAY; dopo la verifica l'elenco si può chiedere lo stesso, dichiarandolo.")
	}
	return nil
}

// anyMoney reports whether there is a message about payments in a state. A dead one
// stays dead: it counts until a person has closed what was told of it.
func anyMoney(r store.Reader, s multe.MessageState) (bool, error) {
	for after := multe.MessageID(""); ; {
		page, err := r.MessagesIn(s, after, messagePage)
		if err != nil || len(page) == 0 {
			return false, err
		}
		for _, m := range page {
			after = m.ID
			if !moneyMessages[m.Kind] {
				continue
			}
			told, err := r.Discrepancy("", m.Problem+":"+string(m.ID)) // see package inbox
			if err != nil && !errors.Is(err, fault.NotFound) {
				return false, err
			}
			if s != multe.MessageDead || err != nil || told.Open {
				return true, nil
			}
		}
	}
}

// Get returns one list.
func (e *Exports) Get(ctx context.Context, c multe.CreditorID, id multe.ExportID) (multe.Export, error) {
	var x multe.Export
	err := e.store.View(ctx, func(r store.Reader) (err error) {
		x, err = export(r, c, id)
		return err
	})
	return x, err
}

// List lists a creditor's lists by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (e *Exports) List(ctx context.Context, c multe.CreditorID, after multe.ExportID, limit int) ([]multe.Export, error) {
	var list []multe.Export
	err := e.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.Exports(c, after, limit)
		return err
	})
	return list, err
}

// Line is an act in a list, and how it stands today.
type Line struct {
	N       int
	Verbale multe.Verbale
	Out     string // why it would not be in a list of today, as in [Row]; "" if it would
}

// Lines lists the acts of a list by N, after the given one, at most limit
// (≤ [store.MaxPage]).
func (e *Exports) Lines(ctx context.Context, c multe.CreditorID, id multe.ExportID, after, limit int) (multe.Export, []Line, error) {
	var (
		x    multe.Export
		list []Line
	)
	err := e.store.View(ctx, func(r store.Reader) (err error) {
		list = nil
		if x, err = export(r, c, id); err != nil {
			return err
		}
		lines, err := r.ExportLines(c, id, after, limit)
		if err != nil {
			return err
		}
		l := look{r, x.Kind, multe.DayOf(e.now())}
		for _, line := range lines {
			v, err := r.Verbale(c, line.Verbale)
			if err != nil {
				return err
			}
			out, _, err := l.judge(v)
			if err != nil {
				return err
			}
			list = append(list, Line{line.N, v, out})
		}
		return nil
	})
	return x, list, err
}

// File returns the rows of a list as they were when it was made. If an act is no
// longer to be written to, or says something else today, that is a
// [fault.Conflict]: nobody may fetch a list that chases the paid.
func (e *Exports) File(ctx context.Context, c multe.CreditorID, id multe.ExportID) (multe.Export, []Row, error) {
	var (
		x    multe.Export
		rows []Row
	)
	if err := e.settle(ctx); err != nil {
		return x, nil, fmt.Errorf("working the inbox before a list: %w", err)
	}
	stale := fault.New(fault.Conflict, "export.stale", "Da quando l'elenco è stato fatto, uno o più atti sono stati pagati, annullati o modificati: l'elenco non si può più scaricare. Guardare quali sono, ritirare l'elenco e farne un altro.")
	err := e.store.View(ctx, func(r store.Reader) (err error) {
		rows = nil
		if x, err = export(r, c, id); err != nil {
			return err
		}
		if x.Withdrawn {
			return fault.New(fault.Conflict, "export.withdrawn", "L'elenco è stato ritirato: i suoi atti possono essere in un altro.")
		}
		if waiting, err := anyMoney(r, multe.MessageNew); err != nil {
			return err
		} else if waiting {
			return fault.New(fault.Unavailable, "export.unworked", "C'è una notifica di pagamento appena arrivata e non ancora registrata. Riprovare tra qualche minuto.")
		}
		l := look{r, x.Kind, multe.DayOf(x.At)}
		err = store.Each(func(after int) ([]multe.ExportLine, error) { return r.ExportLines(c, id, after, store.MaxPage) },
			func(line multe.ExportLine) int { return line.N },
			func(line multe.ExportLine) error {
				v, err := r.Verbale(c, line.Verbale)
				if err != nil {
					return err
				}
				out, b, err := l.judge(v)
				if err != nil {
					return err
				}
				if out != "" {
					return stale
				}
				row, err := l.describe(v, b)
				rows = append(rows, row)
				return err
			})
		if err != nil {
			return err
		}
		d, err := digestOf(rows)
		if err == nil && d != x.Digest {
			err = stale
		}
		return err
	})
	return x, rows, err
}

// Withdraw says that a list was not used: its acts may be in another, and need no
// recalling. Repeating it changes nothing.
func (e *Exports) Withdraw(ctx context.Context, by string, c multe.CreditorID, id multe.ExportID) (multe.Export, error) {
	at := multe.Instant(e.now())
	var next multe.Export
	err := e.store.Update(ctx, func(tx store.Tx) error {
		x, err := export(tx, c, id)
		if next = x; err != nil || x.Withdrawn {
			return err
		}
		next.Withdrawn, next.Version, next.Changed = true, x.Version+1, at
		if err := tx.PutExport(next); err != nil {
			return err
		}
		var lines []multe.ExportLine
		err = store.Each(func(after int) ([]multe.ExportLine, error) { return tx.ExportLines(c, id, after, store.MaxPage) },
			func(l multe.ExportLine) int { return l.N },
			func(l multe.ExportLine) error { lines = append(lines, l); return nil })
		if err != nil {
			return err
		}
		for _, l := range lines {
			if listed, err := (look{tx, multe.ExportNotify, multe.Day{}}).listed(c, l.Verbale); err != nil {
				return err
			} else if listed {
				continue
			}
			if err := store.Close(tx, c, multe.TroubleRecall, string(l.Verbale), at); err != nil {
				return err
			}
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: by, Action: "export.withdrawn", Subject: string(id), To: string(x.Kind)})
	})
	if err != nil {
		return multe.Export{}, fmt.Errorf("withdrawing a list: %w", err)
	}
	return next, nil
}

func export(r store.Reader, c multe.CreditorID, id multe.ExportID) (multe.Export, error) {
	x, err := r.Export(c, id)
	if errors.Is(err, fault.NotFound) {
		return x, fault.Wrap(fault.NotFound, "export.unknown", "L'elenco non risulta tra quelli dell'ente.", err)
	}
	return x, err
}

func digestOf(rows []Row) (multe.Digest, error) {
	b, err := json.Marshal(rows)
	return multe.DigestOf(b), err
}
