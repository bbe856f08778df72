package app

import (
	"net/http"

	"preavviso/api"
	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/config"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// firmwareAPI returns what handhelds speak with; what would never end by itself
// ends there when stopping is closed.
func (c core) firmwareAPI(cfg config.Service, d Deps, stopping <-chan struct{}) http.Handler {
	return firmwareapi.New(firmwareapi.Config{
		Log: d.Log, Now: d.Now, Random: d.Random, Limits: limits(cfg, cfg.DeviceRate), Registry: c.registry, Pool: c.pool, Verbali: c.verbali,
		Prints: c.prints, Photos: c.photos, Feedback: c.feedback, Shifts: c.documents, Stopping: stopping})
}

// officeAPI returns what programs of the office speak with.
func (c core) officeAPI(cfg config.Service, d Deps, st store.Store, admin []multe.Digest, enrol *enrolment) http.Handler {
	return api.New(api.Config{
		Log:           d.Log,
		Now:           d.Now,
		Random:        d.Random,
		Limits:        limits(cfg, cfg.OperatorRate),
		Enrolment:     enrol.show,
		Admin:         admin,
		Registry:      c.registry,
		Access:        c.access,
		Repeats:       c.repeats,
		OfficeURL:     cfg.OfficeURL,
		Pool:          c.pool,
		Verbali:       c.verbali,
		Payments:      c.payments,
		Photos:        c.photos,
		Feedback:      c.feedback,
		Flussi:        c.flussi,
		Documents:     c.documents,
		Receipts:      c.receipts,
		Webhooks:      c.webhooks,
		Messages:      c.inbox,
		Discrepancies: troubles{st},
		Prints:        c.prints,
		Worklist:      c.worklist,
		Money:         c.payments,
		Exports:       c.exports,
		Owners:        c.owners,
	})
}
