package storetest

import (
	"fmt"
	"slices"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// scan is one list that a store gives. seed puts a record that the list of c
// must show as shown(id); these come back in the order of their bytes.
type scan struct {
	name   string
	global bool // the list is not of one creditor
	shown  func(id string) string
	seed   func(tx store.Tx, c multe.CreditorID, id string) error
	page   func(r store.Reader, c multe.CreditorID, limit int) (int, error)            // length of the first page
	all    func(r store.Reader, c multe.CreditorID, limit int) (ids []string, e error) // page by page
}

func scanOf[T, C any](name string, seed func(tx store.Tx, c multe.CreditorID, id string) error,
	next func(r store.Reader, c multe.CreditorID, after C, limit int) ([]T, error), cursor func(T) C, id func(T) string) scan {
	return scan{
		name:  name,
		shown: func(id string) string { return id },
		seed:  seed,
		page: func(r store.Reader, c multe.CreditorID, limit int) (int, error) {
			page, err := next(r, c, *new(C), limit)
			return len(page), err
		},
		all: func(r store.Reader, c multe.CreditorID, limit int) (ids []string, err error) {
			err = store.Each(func(after C) ([]T, error) {
				page, err := next(r, c, after, limit)
				if len(page) > limit {
					err = fmt.Errorf("page of %d, limit %d", len(page), limit)
				}
				return page, err
			}, cursor, func(rec T) error {
				ids = append(ids, id(rec))
				return nil
			})
			return ids, err
		},
	}
}

// idScan is a scan whose cursor is the id.
func idScan[T any, C ~string](name string, seed func(tx store.Tx, c multe.CreditorID, id string) error,
	next func(r store.Reader, c multe.CreditorID, after C, limit int) ([]T, error), cursor func(T) C) scan {
	return scanOf(name, seed, next, cursor, func(rec T) string { return string(cursor(rec)) })
}

func scans() []scan {
	creditors := idScan("Creditors", func(tx store.Tx, _ multe.CreditorID, id string) error {
		return tx.PutCreditor(multe.Creditor{ID: multe.CreditorID(id), Version: 1})
	}, func(r store.Reader, _, after multe.CreditorID, limit int) ([]multe.Creditor, error) {
		return r.Creditors(after, limit)
	}, func(c multe.Creditor) multe.CreditorID { return c.ID })
	creditors.global = true

	messages := idScan("MessagesIn", func(tx store.Tx, _ multe.CreditorID, id string) error {
		return tx.PutMessage(message(id))
	}, func(r store.Reader, _ multe.CreditorID, after multe.MessageID, limit int) ([]multe.Message, error) {
		return r.MessagesIn(multe.MessageNew, after, limit)
	}, func(m multe.Message) multe.MessageID { return m.ID })
	messages.global = true

	changes := scanOf("ChangesIn", func(tx store.Tx, c multe.CreditorID, id string) error {
		return tx.PutChange(multe.NewChange(c, multe.PositionID(id), 1, multe.ChangeRequest, multe.Desired{}, noon))
	}, func(r store.Reader, c multe.CreditorID, after multe.Change, limit int) ([]multe.Change, error) {
		return r.ChangesIn(c, multe.ChangeWaiting, after, limit)
	}, func(ch multe.Change) multe.Change { return ch }, func(ch multe.Change) string { return string(ch.ID()) })
	changes.shown = func(id string) string { return id + "-0001" }

	position := func(c multe.Code) multe.PositionID { return c.Position }
	verbaleID := func(v multe.Verbale) multe.VerbaleID { return v.Slip.ID }
	return slices.Concat(moneyScans(), feedbackScans(), printScans(), []scan{
		creditors, messages, changes,
		idScan("Operators", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutOperator(operator(c, id)) },
			store.Reader.Operators, func(o multe.Operator) multe.OperatorID { return o.ID }),
		idScan("Devices", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutDevice(device(c, id)) },
			store.Reader.Devices, func(d multe.Device) multe.DeviceID { return d.ID }),
		idScan("CodesIn", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutCode(code(c, id, multe.CodeAvailable))
		}, func(r store.Reader, c multe.CreditorID, after multe.PositionID, limit int) ([]multe.Code, error) {
			return r.CodesIn(c, multe.CodeAvailable, after, limit)
		}, position),
		idScan("CodesOf", func(tx store.Tx, c multe.CreditorID, id string) error {
			rec := code(c, id, multe.CodeAssigned)
			rec.Device = "D1"
			return tx.PutCode(rec)
		}, func(r store.Reader, c multe.CreditorID, after multe.PositionID, limit int) ([]multe.Code, error) {
			return r.CodesOf(c, "D1", multe.CodeAssigned, after, limit)
		}, position),
		idScan("LeasesOf", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutLease(multe.Lease{Creditor: c, Device: "D1", ID: multe.LeaseID(id), Version: 1})
		}, func(r store.Reader, c multe.CreditorID, after multe.LeaseID, limit int) ([]multe.Lease, error) {
			return r.LeasesOf(c, "D1", after, limit)
		}, func(l multe.Lease) multe.LeaseID { return l.ID }),
		idScan("Verbali", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutVerbale(verbale(c, id)) },
			store.Reader.Verbali, verbaleID),
		idScan("VerbaliOf", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutVerbale(verbale(c, id)) },
			func(r store.Reader, c multe.CreditorID, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
				return r.VerbaliOf(c, "D1", after, limit)
			}, verbaleID),
		idScan("BatchesIn", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutBatch(multe.Batch{Creditor: c, ID: multe.BatchID(id), State: multe.BatchSealed, Version: 1})
		}, func(r store.Reader, c multe.CreditorID, after multe.BatchID, limit int) ([]multe.Batch, error) {
			return r.BatchesIn(c, multe.BatchSealed, after, limit)
		}, func(b multe.Batch) multe.BatchID { return b.ID }),
		idScan("Webhooks", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutWebhook(multe.Webhook{Creditor: c, ID: multe.WebhookID(id), Version: 1})
		}, store.Reader.Webhooks, func(w multe.Webhook) multe.WebhookID { return w.ID }),
		idScan("Discrepancies", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutDiscrepancy(multe.Discrepancy{Creditor: c, ID: id, Open: true, Version: 1})
		}, func(r store.Reader, c multe.CreditorID, after string, limit int) ([]multe.Discrepancy, error) {
			return r.Discrepancies(c, true, after, limit)
		}, func(d multe.Discrepancy) string { return d.ID }),
		scanOf("Payments", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutPayment(payment(c, "IUV", id, noon))
		}, store.Reader.Payments, func(p multe.Payment) multe.Payment { return p }, func(p multe.Payment) string { return p.IUR }),
	})
}

// later is n microseconds after noon.
func later(n int) time.Time { return noon.Add(time.Duration(n) * time.Microsecond) }
