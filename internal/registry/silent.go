package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// expirer is who sets codes aside, in the history.
	expirer = "loop:expire"

	// kindSilent is the trouble that a silent handheld makes; its subject is the
	// handheld.
	kindSilent = "device.silent"

	// maxSilent is how many handhelds one round works through, each in one commit of
	// at most a thousand codes.
	maxSilent = 50
)

// Heard notes that a handheld called. Most calls cost nothing: see
// [multe.Device.Hear].
func (r *Registry) Heard(ctx context.Context, d multe.Device) error {
	at := r.now()
	if _, news := d.Hear(at); !news {
		return nil
	}
	err := r.store.Update(ctx, func(tx store.Tx) error {
		stored, err := device(tx, d.Creditor, d.ID)
		if err != nil {
			return err
		}
		next, news := stored.Hear(at)
		if !news {
			return nil
		}
		return tx.PutDevice(next)
	})
	if err != nil {
		return fmt.Errorf("noting that a device called: %w", err)
	}
	return nil
}

// Expire sets aside the codes of handhelds that fell silent, and tells the office.
// They never go back to the pool: each may be on paper. more says that handhelds
// were left for another round. One creditor's trouble does not stop the others.
func (r *Registry) Expire(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, r.store)
	if err != nil {
		return false, err
	}
	var errs []error
	left := maxSilent
	for _, c := range creditors {
		n, err := r.expire(ctx, c, left)
		if left -= n; err != nil {
			errs = append(errs, fmt.Errorf("expiring leases of %s: %w", c.ID, err))
		}
	}
	return left <= 0 && len(errs) == 0, errors.Join(errs...)
}

// expire works at most limit handhelds of one creditor.
func (r *Registry) expire(ctx context.Context, c multe.Creditor, limit int) (worked int, err error) {
	at := r.now()
	var silent []multe.DeviceID
	err = r.store.View(ctx, func(rd store.Reader) error {
		silent = nil
		return store.Each(func(after multe.DeviceID) ([]multe.Device, error) { return rd.Devices(c.ID, after, store.MaxPage) },
			func(d multe.Device) multe.DeviceID { return d.ID },
			func(d multe.Device) error {
				if len(silent) >= limit || !d.Silent(c.LeaseTime(), at) {
					return nil
				}
				counts, err := rd.CountCodesOf(c.ID, d.ID)
				if err == nil && counts[multe.CodeAssigned] > 0 {
					silent = append(silent, d.ID)
				}
				return err
			})
	})
	for _, id := range silent {
		if err != nil {
			break
		}
		err = r.store.Update(ctx, func(tx store.Tx) error { return expireOne(tx, c, id, at) })
		worked++
	}
	return worked, err
}

func expireOne(tx store.Tx, c multe.Creditor, id multe.DeviceID, at time.Time) error {
	d, err := device(tx, c.ID, id)
	if err != nil || !d.Silent(c.LeaseTime(), at) {
		return err // it called meanwhile
	}
	if d.Seen.IsZero() {
		// It was lent codes before calls were noted. Its time begins now.
		next, _ := d.Hear(at)
		return tx.PutDevice(next)
	}
	n, err := quarantine(tx, expirer, c.ID, id, multe.Code.SetAside, at)
	if err != nil || n == 0 {
		return err
	}
	return store.Report(tx, c.ID, kindSilent, string(id), silentDetail(n, c.LeaseTime()), at)
}

func silentDetail(codes int, lease time.Duration) string {
	return fmt.Sprintf("Un palmare non si fa sentire da oltre %d ore: i codici che ha in carico (%d) sono stati messi da parte e non saranno dati ad altri, perché potrebbero essere su preavvisi non ancora trasmessi. "+
		"Cercare il palmare e accenderlo dove c'è rete: i preavvisi già stampati saranno accettati. Se è perso, revocarlo. Annullare i codici rimasti solo quando è certo che non sono su carta.",
		int(lease.Hours()), codes)
}
