package prints

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Request is what somebody wants printed. Either Verbali or Filter selects the
// acts; for an avviso or a verbale a filter takes only what is recorded and not
// annulled, and, unless it names a state, not paid.
type Request struct {
	ID       multe.PrintJobID
	Kind     multe.PrintKind
	Form     multe.PrintForm
	Order    multe.PrintOrder
	Language string
	Verbali  []multe.VerbaleID
	Filter   multe.PrintFilter
}

func (q Request) validate() error {
	bad := func(field, detail string) error { return fault.New(fault.Invalid, "print.bad_"+field, detail) }
	switch {
	case !multe.ValidID(string(q.ID)):
		return bad("id", "L'identificativo della stampa deve essere un UUID di 32 cifre esadecimali minuscole.")
	case q.Form != multe.PrintPDF && q.Form != multe.PrintZIP:
		return bad("form", "La stampa può essere un solo PDF oppure uno ZIP.")
	case q.Order != multe.PrintByRegister && q.Order != multe.PrintByCAP:
		return bad("order", "La stampa si può ordinare per numero di registro o per CAP.")
	case len(q.Verbali) > 0 && q.Filter != (multe.PrintFilter{}):
		return bad("selection", "Indicare i verbali oppure un filtro, non entrambi.")
	case len(q.Verbali) > multe.MaxPrintItems:
		return errTooMany()
	}
	return multe.ValidPrint(q.Kind, q.Language)
}

func errTooMany() error {
	return fault.New(fault.Invalid, "print.too_many", fmt.Sprintf("La selezione supera i %d atti: restringerla, per giorni o per numeri di registro.", multe.MaxPrintItems))
}

// Start begins a job; Run prints it. The same request gets the same job, another
// one with the same id is a [fault.Conflict].
func (p *Prints) Start(ctx context.Context, actor string, c multe.CreditorID, q Request) (multe.PrintJob, error) {
	if err := q.validate(); err != nil {
		return multe.PrintJob{}, err
	}
	digest, err := multe.DigestJSON(q)
	if err != nil {
		return multe.PrintJob{}, err
	}
	if err := p.keepCreditor(ctx, actor, c); err != nil {
		return multe.PrintJob{}, err
	}
	var acts []multe.Verbale // without what the order does not look at
	known := false
	err = p.store.View(ctx, func(r store.Reader) (err error) {
		if _, err = r.PrintJob(c, q.ID); !errors.Is(err, fault.NotFound) {
			known = err == nil
			return err
		}
		acts, err = selected(r, c, q)
		return err
	})
	if err != nil {
		return multe.PrintJob{}, fmt.Errorf("selecting what to print: %w", err)
	}
	if !known && len(acts) == 0 {
		return multe.PrintJob{}, fault.New(fault.Invalid, "print.empty", "La selezione non contiene nessun atto da stampare.")
	}
	slices.SortFunc(acts, before(q.Order))
	at := multe.Instant(p.now())
	language := q.Language
	if language == "it" || q.Kind == multe.PrintPreavviso {
		language = ""
	}
	var job multe.PrintJob
	err = p.store.Update(ctx, func(tx store.Tx) (err error) {
		job, err = tx.PrintJob(c, q.ID)
		switch {
		case err == nil && job.Request != digest:
			return fault.New(fault.Conflict, "print.other_request", "Una stampa con lo stesso identificativo è già stata chiesta per altro.")
		case err == nil || !errors.Is(err, fault.NotFound):
			return err
		}
		job = multe.PrintJob{Creditor: c, ID: q.ID, Actor: actor, Request: digest, Kind: q.Kind, Form: q.Form, Order: q.Order, Language: language,
			At: at, State: multe.PrintRunning, Total: len(acts), Version: 1, Changed: at}
		if err := tx.PutPrintJob(job); err != nil {
			return err
		}
		for i, v := range acts {
			if err := tx.PutPrintItem(multe.PrintItem{Creditor: c, Job: q.ID, N: i + 1, Verbale: v.Slip.ID, Version: 1}); err != nil {
				return err
			}
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "print.job", Subject: string(q.ID), To: string(job.State)})
	})
	if err != nil {
		return multe.PrintJob{}, fmt.Errorf("starting a print job: %w", err)
	}
	p.nudge()
	return job, nil
}

// selected lists the acts of a request, each once.
func selected(r store.Reader, c multe.CreditorID, q Request) ([]multe.Verbale, error) {
	var acts []multe.Verbale
	take := func(v multe.Verbale) error {
		if len(acts) == multe.MaxPrintItems {
			return errTooMany()
		}
		slim := multe.Verbale{Slip: multe.Slip{ID: v.Slip.ID, Reference: v.Slip.Reference, Number: v.Slip.Number}}
		if v.Record != nil {
			slim.Record = &multe.Record{Register: v.Record.Register, Debtor: v.Record.Debtor}
		}
		acts = append(acts, slim)
		return nil
	}
	if len(q.Verbali) > 0 {
		seen := map[multe.VerbaleID]bool{}
		for _, id := range q.Verbali {
			if seen[id] {
				continue
			}
			seen[id] = true
			v, err := findVerbale(r, c, id)
			if err != nil {
				return nil, err
			}
			if err := take(v); err != nil {
				return nil, err
			}
		}
		return acts, nil
	}
	page := func(after multe.VerbaleID) ([]multe.Verbale, error) { return r.Verbali(c, after, store.MaxPage) }
	if q.Filter.State != "" {
		page = func(after multe.VerbaleID) ([]multe.Verbale, error) {
			return r.VerbaliIn(c, q.Filter.State, after, store.MaxPage)
		}
	}
	err := store.Each(page, func(v multe.Verbale) multe.VerbaleID { return v.Slip.ID }, func(v multe.Verbale) error {
		if !q.Filter.Selects(v) || q.Kind != multe.PrintPreavviso && !due(v, q.Filter.State) {
			return nil
		}
		if q.Filter.Unprinted {
			if n, err := r.CountPrints(c, v.Slip.ID, q.Kind); err != nil || n > 0 {
				return err
			}
		}
		return take(v)
	})
	return acts, err
}

// due reports whether a filter takes an act for an avviso or a verbale.
func due(v multe.Verbale, asked multe.VerbaleState) bool {
	return v.Record != nil && v.State != multe.VerbaleCancelled && (asked != "" || v.State != multe.VerbaleSettled)
}

// Job returns a job.
func (p *Prints) Job(ctx context.Context, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error) {
	var job multe.PrintJob
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		job, err = findJob(r, c, id)
		return err
	})
	return job, err
}

// Jobs lists jobs by id, after the given one, at most limit (≤ [store.MaxPage]).
func (p *Prints) Jobs(ctx context.Context, c multe.CreditorID, after multe.PrintJobID, limit int) ([]multe.PrintJob, error) {
	var list []multe.PrintJob
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.PrintJobs(c, after, limit)
		return err
	})
	return list, err
}

// Items lists the items of a job, or only those that were left out, by N, greater
// than after.
func (p *Prints) Items(ctx context.Context, c multe.CreditorID, id multe.PrintJobID, errorsOnly bool, after, limit int) ([]multe.PrintItem, error) {
	var list []multe.PrintItem
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		if _, err = findJob(r, c, id); err != nil {
			return err
		}
		if errorsOnly {
			list, err = r.PrintErrors(c, id, after, limit)
		} else {
			list, err = r.PrintItems(c, id, after, limit)
		}
		return err
	})
	return list, err
}

// Cancel stops a job. Cancelling twice changes nothing.
func (p *Prints) Cancel(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error) {
	return p.change(ctx, actor, c, id, "print.cancelled", multe.PrintCancelled, multe.PrintJob.Cancel)
}

// Rerun has the output of a job made again, exactly as it was. Asking twice
// changes nothing.
func (p *Prints) Rerun(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error) {
	return p.change(ctx, actor, c, id, "print.job_again", multe.PrintRunning, multe.PrintJob.Again)
}

// Output opens what a job made: a PDF or a ZIP. That it was fetched is in the
// history.
func (p *Prints) Output(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, io.ReadSeekCloser, error) {
	job, err := p.Job(ctx, c, id)
	switch {
	case err != nil:
		return job, nil, err
	case job.State == multe.PrintRunning:
		return job, nil, fault.New(fault.Conflict, "print.not_ready", fmt.Sprintf("La stampa non è ancora pronta: %d atti su %d.", job.Done, job.Total))
	case job.State != multe.PrintDone:
		return job, nil, fault.New(fault.Conflict, "print.no_output", "La stampa non c'è: è stata annullata, non è riuscita o è scaduta. Una stampa scaduta o non riuscita si può rifare.")
	}
	out, size, err := p.spool.Read(outputName(job))
	if err == nil && size != job.Size {
		err = errors.Join(fault.New(fault.Unavailable, "print.damaged", "Il file della stampa è danneggiato: rifare la stampa."), out.Close())
	}
	if err != nil {
		return job, nil, fmt.Errorf("opening the output of job %s: %w", id, err)
	}
	at := multe.Instant(p.now())
	err = p.store.Update(ctx, func(tx store.Tx) error {
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "print.fetched", Subject: string(id)})
	})
	if err != nil {
		return job, nil, errors.Join(err, out.Close())
	}
	return job, out, nil
}

func findJob(r store.Reader, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error) {
	job, err := r.PrintJob(c, id)
	if errors.Is(err, fault.NotFound) {
		return job, fault.New(fault.NotFound, "print.unknown_job", "La stampa non risulta tra quelle dell'ente.")
	}
	return job, err
}
