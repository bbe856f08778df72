package app

import (
	"context"
	"net/http"
	"time"

	"preavviso/internal/access"
	"preavviso/internal/config"
	"preavviso/internal/dispatch"
	"preavviso/internal/documents"
	"preavviso/internal/exports"
	"preavviso/internal/feedback"
	"preavviso/internal/flussi"
	"preavviso/internal/idempotency"
	"preavviso/internal/inbox"
	"preavviso/internal/loop"
	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/payments"
	"preavviso/internal/photos"
	"preavviso/internal/pool"
	"preavviso/internal/ppay"
	"preavviso/internal/prints"
	"preavviso/internal/receipts"
	"preavviso/internal/registry"
	"preavviso/internal/spool"
	"preavviso/internal/store"
	"preavviso/internal/verbali"
	"preavviso/internal/webhooks"
	"preavviso/internal/worklist"
)

// accountingEvery is how often payments without flow are looked for. Flows come
// by the day.
const accountingEvery = time.Hour

// expireEvery is how often silent handhelds are looked for: they have been silent
// for days.
const expireEvery = 15 * time.Minute

// repriceEvery is how late after its hour an amount may change. Nobody pays a fine
// by the minute at five past midnight.
const repriceEvery = 5 * time.Minute

// forgetEvery is how often imported owners are forgotten. They are kept for months.
const forgetEvery = time.Hour

// photosEvery is how often unfinished photos are looked through. They are dropped
// after a month.
const photosEvery = time.Hour

// printsEvery is how often print jobs are looked for that nobody nudged about: those
// of before a restart, and outputs that are over.
const printsEvery = time.Minute

// spoolDir is where the outputs of print jobs are kept.
func spoolDir(cfg config.Service) string {
	if cfg.Spool != "" {
		return cfg.Spool
	}
	return cfg.Data + ".spool"
}

// core is the service without its sockets: the use cases, the loops that work
// between them and what answers PiemontePAY.
type core struct {
	access   *access.Access // nil where the pages are off
	registry *registry.Registry
	pool     *pool.Pool
	verbali  *verbali.Verbali
	payments *payments.Payments
	flussi   *flussi.Flussi
	receipts *receipts.Receipts
	webhooks *webhooks.Webhooks
	inbox    *inbox.Inbox

	documents *documents.Documents
	prints    *prints.Prints
	photos    *photos.Photos
	feedback  *feedback.Feedback

	worklist *worklist.Worklist
	exports  *exports.Exports
	owners   *owners.Owners
	repeats  *idempotency.Keeper

	loops []*loop.Loop
	soap  http.Handler
}

// newCore is where the use cases meet: one leaves a fact, and nudges the loop
// that works on it.
func newCore(cfg config.Service, d Deps, st store.Store, gateway dispatch.Gateway, callers dispatch.Positions, from ppay.ListenerConfig, hooks webhooks.Sender) core {
	var submit, replenish, work, tell, printing *loop.Loop
	bell := &feedback.Bell{} // what a handheld hears of changes here, or in a round of a loop
	c := core{
		registry: registry.New(st, d.Now, d.Random),
		pool:     pool.New(st, d.Now, d.Random, func() { replenish.Nudge(); submit.Nudge() }),
		verbali:  verbali.New(st, d.Now, func() { submit.Nudge(); bell.Ring() }),
		payments: payments.New(st, d.Now),
		flussi:   flussi.New(st, d.Now, cfg.AccountingDays),
		receipts: receipts.New(st),

		documents: newDocuments(st, d),
		prints:    prints.New(st, spool.New(spoolDir(cfg)), d.Now, d.Random, func() { printing.Nudge() }),
		photos:    photos.New(st, d.Now),
		feedback:  feedback.New(st, d.Now, refusal, bell),
		webhooks:  webhooks.New(st, hooks, d.Now, d.Random, func() { tell.Nudge() }),
	}
	c.worklist, c.owners = worklist.New(st, d.Now), owners.New(st, d.Now)
	// A list of acts is made of what is known once the inbox is empty.
	c.exports = exports.New(st, d.Now, func(ctx context.Context) error {
		for more := true; more; {
			var err error
			if more, err = c.inbox.Work(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	outbox := dispatch.New(st, gateway, d.Now, d.Random, dispatch.Options{
		ResendAfter: cfg.ResendAfter, ReconcileAfter: cfg.ReconcileAfter, SilentAfter: cfg.SilentAfter, Log: d.Log, Positions: callers})
	// A payment may be what a flow was waiting for.
	hearNotice := func(tx store.Tx, n multe.Notice, m multe.MessageID, at time.Time) error {
		if err := c.payments.Hear(tx, n, m, at); err != nil {
			return err
		}
		return c.flussi.Paid(tx, n, at)
	}
	c.inbox = inbox.New(st, inbox.Config{
		Read: ppay.Read, HearEsito: outbox.Hear, HearNotice: hearNotice, HearFlusso: c.flussi.Hear,
		HearReceipts: c.receipts.HearReceipts, HearRevocations: c.receipts.HearRevocations, HearExpiries: c.receipts.HearExpiries,
		MaySpeak: maySpeak(cfg), Now: d.Now, Random: d.Random, Nudge: func() { work.Nudge() },
	})

	replenish = loop.New("replenish", cfg.ReplenishEvery, d.Log, c.pool.Replenish)
	reprice := loop.New("reprice", repriceEvery, d.Log, c.verbali.Reprice)
	submit = loop.New("submit", cfg.SubmitEvery, d.Log, func(ctx context.Context) (bool, error) {
		defer bell.Ring()
		return outbox.Submit(ctx)
	})
	// A code acknowledged or refused changes what the pool needs, and an esito
	// frees a position for its next change.
	work = loop.New("inbox", cfg.InboxEvery, d.Log, func(ctx context.Context) (bool, error) {
		more, err := c.inbox.Work(ctx)
		submit.Nudge()
		replenish.Nudge()
		bell.Ring()
		return more, err
	})
	tell = loop.New("webhooks", webhookEvery, d.Log, c.webhooks.Deliver)
	printing = loop.New("prints", printsEvery, d.Log, c.prints.Run)
	c.loops = []*loop.Loop{
		printing,
		replenish,
		submit,
		work,
		reprice,
		tell,
		loop.New("accounting", accountingEvery, d.Log, c.flussi.Overdue),
		loop.New("expire", expireEvery, d.Log, c.registry.Expire),
		loop.New("owners", forgetEvery, d.Log, c.owners.Purge),
		loop.New("photos", photosEvery, d.Log, c.photos.Sweep),
	}

	mux, listener := http.NewServeMux(), ppay.NewListener(c.inbox, from)
	for _, path := range []string{SOAPPath, FlussiPath, RendicontazionePath} {
		mux.Handle(path, listener)
	}
	c.soap = mux
	return c
}

// refusal is what a refusal of the platform means, for the warden.
func refusal(code string) string {
	e, _ := ppay.Explain(ppay.PlaceUpdate, code)
	return e.Meaning
}
