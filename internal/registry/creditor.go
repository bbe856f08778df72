package registry

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// ChangeCreditor changes all settings of a creditor at once. version is that of the
// settings the caller has seen: if they were changed meanwhile this is the
// [fault.Conflict] "creditor.changed". The settings that are there again are no change.
func (r *Registry) ChangeCreditor(ctx context.Context, actor string, c multe.Creditor, version uint64) (multe.Creditor, error) {
	if err := validCreditor(c); err != nil {
		return multe.Creditor{}, err
	}
	at := multe.Instant(r.now())
	var next multe.Creditor
	err := r.store.Update(ctx, func(tx store.Tx) error {
		old, err := creditor(tx, c.ID)
		if err != nil {
			return err
		}
		next = c
		next.Version, next.Changed = old.Version, old.Changed
		if sameSettings(old, next) {
			return nil
		}
		if old.Version != version {
			return fault.New(fault.Conflict, "creditor.changed", "Le impostazioni dell'ente sono cambiate nel frattempo: rileggerle e riprovare.")
		}
		next.Version, next.Changed = old.Version+1, at
		if err := store.SaveCreditor(tx, next, actor, next.Changed); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c.ID, At: at, Actor: actor, Action: "creditor.changed", Subject: string(c.ID)})
	})
	if err != nil {
		return multe.Creditor{}, fmt.Errorf("changing creditor: %w", err)
	}
	return next, nil
}

// sameSettings compares what an administrator can see; no policies are none.
func sameSettings(a, b multe.Creditor) bool {
	if len(a.Policies) == 0 && len(b.Policies) == 0 {
		a.Policies, b.Policies = nil, nil
	}
	a.Changed, b.Changed = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

// validCreditor checks a creditor as an administrator typed it, the terms of its
// policies included.
func validCreditor(c multe.Creditor) error {
	if err := c.Validate(); err != nil {
		return err
	}
	for _, p := range c.Policies {
		if _, err := cds.PolicyOn(c, p.From); err != nil {
			return err
		}
	}
	return nil
}
