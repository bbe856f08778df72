package prints

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

const (
	// chunk is how many acts are drawn between two commits: a fifth of a second of
	// work to lose, and a transaction that handhelds hardly notice.
	chunk = 100
	// roundItems is how many acts a job prints before the others have their turn.
	roundItems = 1000
	// jobsPage is how many running jobs of a creditor one round looks at.
	jobsPage = 50
)

// outputName names the output of a job in the spool: no person can be read from it.
func outputName(j multe.PrintJob) string { return string(j.Creditor) + "-" + string(j.ID) }

// Run does one round: outputs that are over go, and every running job prints some
// of its acts. more says that some are left.
func (p *Prints) Run(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, p.store)
	if err != nil {
		return false, err
	}
	if err := p.sweep(ctx); err != nil {
		return false, err
	}
	for _, c := range creditors {
		if err := p.expire(ctx, c.ID); err != nil {
			return false, err
		}
		var jobs []multe.PrintJob
		if err := p.store.View(ctx, func(r store.Reader) (err error) {
			jobs, err = r.PrintJobsIn(c.ID, multe.PrintRunning, "", jobsPage)
			return err
		}); err != nil {
			return false, fmt.Errorf("listing print jobs: %w", err)
		}
		for _, j := range jobs {
			left, e := p.round(ctx, j)
			if errors.Is(e, fault.Conflict) { // cancelled, or an act printed elsewhere in the meantime: the next round reads anew
				left, e = true, nil
			}
			if e != nil { // others go on: a job that fails for ever must not hold them up
				err = errors.Join(err, fmt.Errorf("print job %s: %w", j.ID, e))
			}
			more = more || left
		}
	}
	return more && err == nil, err
}

// sweep removes outputs that no job has any more.
func (p *Prints) sweep(ctx context.Context) error {
	names, err := p.spool.Names()
	if err != nil {
		return fmt.Errorf("listing the spool: %w", err)
	}
	for _, name := range names {
		c, id, _ := strings.Cut(name, "-")
		keep := false
		if err := p.store.View(ctx, func(r store.Reader) error {
			j, err := r.PrintJob(multe.CreditorID(c), multe.PrintJobID(id))
			if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Invalid) {
				keep = false
				return nil
			}
			keep = j.State == multe.PrintRunning || j.State == multe.PrintDone
			return err
		}); err != nil {
			return err
		}
		if keep {
			continue
		}
		if err := p.spool.Remove(name); err != nil {
			return fmt.Errorf("sweeping the spool: %w", err)
		}
	}
	return nil
}

// expire ends the time of outputs that were kept long enough.
func (p *Prints) expire(ctx context.Context, c multe.CreditorID) error {
	at := multe.Instant(p.now())
	var over []multe.PrintJob
	if err := p.store.View(ctx, func(r store.Reader) error {
		over = nil
		return store.Each(func(after multe.PrintJobID) ([]multe.PrintJob, error) {
			return r.PrintJobsIn(c, multe.PrintDone, after, jobsPage)
		}, func(j multe.PrintJob) multe.PrintJobID { return j.ID }, func(j multe.PrintJob) error {
			if !at.Before(j.Expires) {
				over = append(over, j)
			}
			return nil
		})
	}); err != nil || len(over) == 0 {
		return err
	}
	return p.store.Update(ctx, func(tx store.Tx) error {
		for _, j := range over {
			next, err := j.Expire(at)
			if err != nil {
				return err
			}
			if err := put(tx, j, next, "loop:prints", "print.expired", at); err != nil {
				return err
			}
		}
		return nil
	})
}

// put puts a job that moved, and writes it into the history.
func put(tx store.Tx, from, to multe.PrintJob, actor, action string, at time.Time) error {
	if err := tx.PutPrintJob(to); err != nil {
		return err
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: to.Creditor, At: at, Actor: actor, Action: action, Subject: string(to.ID),
		From: string(from.State), To: string(to.State), Code: to.Problem})
}

// change moves a job on somebody's word; one that is there already stays.
func (p *Prints) change(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID, action string, to multe.PrintJobState, move func(multe.PrintJob, time.Time) (multe.PrintJob, error)) (multe.PrintJob, error) {
	at := multe.Instant(p.now())
	var next multe.PrintJob
	err := p.store.Update(ctx, func(tx store.Tx) error {
		job, err := findJob(tx, c, id)
		if err != nil || job.State == to {
			next = job
			return err
		}
		if next, err = move(job, at); err != nil {
			return err
		}
		return put(tx, job, next, actor, action, at)
	})
	if err != nil {
		return multe.PrintJob{}, fmt.Errorf("changing print job: %w", err)
	}
	p.nudge()
	return next, nil
}

// press is a job under way: its open output and the batch that writes there.
type press struct {
	*Prints
	job   multe.PrintJob
	out   Output
	batch *pdf.Batch
}

// round prints up to roundItems acts of a job.
func (p *Prints) round(ctx context.Context, j multe.PrintJob) (more bool, err error) {
	w := press{Prints: p, job: j}
	err = w.open()
	if errors.Is(err, fault.NotFound) { // the spool lost it: from the beginning
		w.job = j.Rewind(p.now())
		if err := p.store.Update(ctx, func(tx store.Tx) error { return tx.PutPrintJob(w.job) }); err != nil {
			return false, err
		}
		err = w.open()
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.out.Close()) }()
	for printed := 0; w.job.Done < w.job.Total; printed += w.chunk {
		if printed >= roundItems {
			return true, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		err := w.step(ctx)
		if fault.Of(err).Code == notReproduced {
			return false, w.fail(ctx, notReproduced)
		}
		if err != nil {
			return false, err
		}
	}
	return false, w.finish(ctx)
}

// titles name an output to readers.
var titles = map[multe.PrintKind]string{multe.PrintPreavviso: "Preavvisi", multe.PrintAvviso: "Avvisi di pagamento", multe.PrintVerbale: "Verbali"}

func (w *press) open() (err error) {
	name := outputName(w.job)
	if w.out, err = w.spool.Open(name, w.job.Size); err != nil {
		return fmt.Errorf("opening the output: %w", err)
	}
	set, err := texts.Builtin()
	if err == nil && w.job.Done == 0 {
		w.batch, err = pdf.NewBatch(w.out, pdf.Form(w.job.Form), set, titles[w.job.Kind], w.job.At)
	} else if err == nil {
		var checkpoint []byte
		if checkpoint, err = w.spool.Checkpoint(name, w.job.Done); err == nil {
			w.batch, err = pdf.ResumeBatch(w.out, checkpoint, set)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("opening the output: %w", err), w.out.Close())
	}
	return nil
}

// outcome is what becomes of one item.
type outcome struct {
	item  multe.PrintItem
	act   ready
	err   error // why it is left out
	isNew bool  // the act was not printed by this job before
}

// step prints the next chunk and commits it.
func (w *press) step(ctx context.Context) error {
	at := multe.Instant(w.now())
	var todo []outcome
	err := w.store.View(ctx, func(r store.Reader) error {
		items, err := r.PrintItems(w.job.Creditor, w.job.ID, w.job.Done, w.chunk)
		if err != nil {
			return err
		}
		todo = make([]outcome, len(items))
		for i, item := range items {
			if todo[i], err = w.next(r, item, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(todo) == 0 {
		return fmt.Errorf("items after %d of %d are missing", w.job.Done, w.job.Total)
	}
	left := w.job.Errors
	for i := range todo {
		if err := w.item(&todo[i]); err != nil {
			return err
		}
		if todo[i].err != nil || todo[i].item.Code != "" {
			left++
		}
	}
	checkpoint, err := w.batch.Checkpoint()
	if err != nil {
		return err
	}
	name, was, done := outputName(w.job), w.job.Done, w.job.Done+len(todo)
	// Durable in this order: what the commit says is there, is there.
	if err := errors.Join(w.out.Sync(), w.spool.Keep(name, done, checkpoint)); err != nil {
		return fmt.Errorf("making the output durable: %w", err)
	}
	job := w.job.Progress(done, left, w.batch.Size(), at)
	err = w.store.Update(ctx, func(tx store.Tx) error {
		for _, o := range todo {
			if err := settle(tx, o, at); err != nil {
				return err
			}
		}
		return tx.PutPrintJob(job)
	})
	if errors.Is(err, errOvertaken) {
		return fault.Wrap(fault.Conflict, "print.busy", "Un atto è in stampa anche altrove.", err)
	}
	if err != nil {
		return fmt.Errorf("committing a chunk: %w", err)
	}
	w.job = job
	if was > 0 {
		if err := w.spool.Forget(name, was); err != nil {
			return fmt.Errorf("dropping a checkpoint: %w", err)
		}
	}
	return nil
}

// next says what is to be done about an item. An error is not of the item alone.
func (w *press) next(r store.Reader, item multe.PrintItem, at time.Time) (outcome, error) {
	o := outcome{item: item}
	if item.Code != "" { // a job that is made again leaves out what it left out
		return o, nil
	}
	v, err := findVerbale(r, item.Creditor, item.Verbale)
	if err == nil && item.Print != "" {
		print, e := findPrint(r, item.Creditor, item.Print)
		if e != nil {
			return o, e
		}
		o.act, err = w.read(r, print, v)
		return o, err
	}
	if err == nil {
		o.act, err = w.prepare(r, v, w.job.Kind, w.job.Language, at)
	}
	if err == nil {
		o.isNew = true
		id, e := multe.NewID(at, w.random)
		if e != nil {
			return o, e
		}
		o.act.print.ID, o.act.print.Actor, o.act.print.Job = multe.PrintID(id), w.job.Actor, w.job.ID
		return o, nil
	}
	o.act.verbale = v
	return o, ofItem(&o, err)
}

// ofItem leaves an item out for an error that is its own: one with a code and
// nothing that may pass. Others are returned.
func ofItem(o *outcome, err error) error {
	f := fault.Of(err)
	if f.Code == selfCheck || f.Kind != fault.Internal && f.Kind != fault.Unavailable && f.Kind != fault.Exhausted {
		o.err = err
		return nil
	}
	return err
}

// item draws one item into the batch.
func (w *press) item(o *outcome) error {
	if o.err != nil || o.item.Code != "" {
		return nil
	}
	label := name(o.act.verbale)
	if w.job.Form == multe.PrintZIP {
		label = fmt.Sprintf("%05d-%s", o.item.N, fileName(label))
	}
	pages, err := w.add(w.batch, o.act.sheet(), o.act.sources.texts, label)
	if failed := w.batch.Failed(); failed != nil {
		return failed
	}
	if err != nil {
		return ofItem(o, err)
	}
	if o.isNew {
		o.act.print = drawn(o.act.print, pages)
		return nil
	}
	return same(o.act.print, pages)
}

// fileName makes a register number fit to be a file's name anywhere.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

// settle writes what became of an item.
func settle(tx store.Tx, o outcome, at time.Time) error {
	switch {
	case o.err != nil:
		f := fault.Of(o.err)
		o.item.Code, o.item.Detail, o.item.Version = f.Code, f.Detail, o.item.Version+1
		if f.Code == selfCheck {
			if err := reportSelfCheck(tx, "loop:prints", o.act.verbale, at); err != nil {
				return err
			}
		}
		return tx.PutPrintItem(o.item)
	case o.isNew:
		o.item.Print, o.item.Version = o.act.print.ID, o.item.Version+1
		if err := record(tx, o.act.print, o.act.verbale); err != nil {
			return err
		}
		return tx.PutPrintItem(o.item)
	}
	return nil
}

// finish writes the end of the output, and tells how it came out.
func (w *press) finish(ctx context.Context) error {
	at := multe.Instant(w.now())
	if w.job.Errors == w.job.Total {
		return w.fail(ctx, "print.empty")
	}
	if err := w.batch.Close(); err != nil {
		return err
	}
	if err := w.out.Sync(); err != nil {
		return fmt.Errorf("making the output durable: %w", err)
	}
	in, size, err := w.spool.Read(outputName(w.job))
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, in)
	if err := errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("reading the output: %w", err)
	}
	digest := multe.Digest(sum.Sum(nil))
	err = w.end(ctx, "print.done", at, func(j multe.PrintJob) (multe.PrintJob, error) { return j.Finish(size, digest, at) })
	if fault.Of(err).Code == notReproduced {
		return w.fail(ctx, notReproduced)
	}
	if err != nil {
		return err
	}
	return w.spool.Forget(outputName(w.job), w.job.Done)
}

// fail gives the job up; sweep removes what there is of it.
func (w *press) fail(ctx context.Context, problem string) error {
	at := multe.Instant(w.now())
	return w.end(ctx, "print.failed", at, func(j multe.PrintJob) (multe.PrintJob, error) { return j.Fail(problem, at) })
}

func (w *press) end(ctx context.Context, action string, at time.Time, move func(multe.PrintJob) (multe.PrintJob, error)) error {
	return w.store.Update(ctx, func(tx store.Tx) error {
		next, err := move(w.job)
		if err != nil {
			return err
		}
		return put(tx, w.job, next, "loop:prints", action, at)
	})
}
