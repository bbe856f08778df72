package feedback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Write leaves a text for a handheld, or for all of a creditor (device ""). id is
// the caller's own, 32 hex digits: the same request under the same id is answered
// the same, another is a [fault.Conflict].
func (f *Feedback) Write(ctx context.Context, actor string, c multe.CreditorID, id multe.BulletinID, d multe.DeviceID, text string, expires time.Time) (multe.Bulletin, error) {
	at := multe.Instant(f.now())
	if !multe.ValidID(string(id)) {
		return multe.Bulletin{}, fault.New(fault.Invalid, "message.bad_id", "L'identificativo del messaggio deve essere un UUID di 32 cifre esadecimali minuscole.")
	}
	var written multe.Bulletin
	err := f.store.Update(ctx, func(tx store.Tx) (err error) {
		written, err = tx.Bulletin(c, id)
		switch {
		case err == nil && (written.Device != d || written.Text != text || !written.Expires.Equal(multe.Instant(expires))):
			return fault.New(fault.Conflict, "message.other_body", "Un messaggio con lo stesso identificativo è già stato scritto con un altro contenuto.")
		case err == nil || !errors.Is(err, fault.NotFound):
			return err
		}
		if written, err = multe.NewBulletin(c, id, d, text, actor, expires, at); err != nil {
			return err
		}
		if d != "" {
			_, err := tx.Device(c, d)
			if errors.Is(err, fault.NotFound) {
				return fault.New(fault.NotFound, "device.unknown", "Il palmare non risulta tra quelli dell'ente.")
			}
			if err != nil {
				return err
			}
		}
		inForce, err := tx.BulletinsFor(c, d, at, multe.MaxBulletins)
		if err != nil {
			return err
		}
		if len(inForce) >= multe.MaxBulletins {
			return fault.New(fault.Exhausted, "message.too_many", fmt.Sprintf("Ci sono già %d messaggi in vigore per gli stessi palmari: attendere che scadano.", multe.MaxBulletins))
		}
		if err := tx.PutBulletin(written); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "message.written", Subject: "message:" + string(id), To: string(d)})
	})
	if err != nil {
		return multe.Bulletin{}, fmt.Errorf("writing message: %w", err)
	}
	f.bell.Ring()
	return written, nil
}

// Read records that a handheld showed a bulletin and the warden confirmed it. It
// may be repeated; the first time counts. A bulletin for others looks like none.
func (f *Feedback) Read(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.BulletinID) (multe.BulletinRead, error) {
	at := multe.Instant(f.now())
	var read multe.BulletinRead
	err := f.store.Update(ctx, func(tx store.Tx) error {
		b, err := findBulletin(tx, c, id)
		if err != nil {
			return err
		}
		if !b.For(d) {
			return errNoBulletin()
		}
		read, err = tx.BulletinRead(c, id, d)
		if err == nil || !errors.Is(err, fault.NotFound) {
			return err
		}
		read = multe.BulletinRead{Creditor: c, Bulletin: id, Device: d, At: at, Version: 1}
		if err := tx.PutBulletinRead(read); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: "device:" + string(d), Action: "message.read", Subject: "message:" + string(id)})
	})
	if err != nil {
		return read, fmt.Errorf("reading message: %w", err)
	}
	return read, nil
}

// Bulletins lists what the office wrote, by id, at most limit (≤ [store.MaxPage]).
func (f *Feedback) Bulletins(ctx context.Context, c multe.CreditorID, after multe.BulletinID, limit int) ([]multe.Bulletin, error) {
	var list []multe.Bulletin
	err := f.store.View(ctx, func(r store.Reader) (err error) {
		list, err = r.Bulletins(c, after, limit)
		return err
	})
	return list, err
}

// maxReaders is more handhelds than any police has.
const maxReaders = 10_000

// Bulletin returns what the office wrote, and who has read it, by device.
func (f *Feedback) Bulletin(ctx context.Context, c multe.CreditorID, id multe.BulletinID) (multe.Bulletin, []multe.BulletinRead, error) {
	var (
		b     multe.Bulletin
		reads []multe.BulletinRead
	)
	errFull := errors.New("enough")
	err := f.store.View(ctx, func(r store.Reader) (err error) {
		reads = nil
		if b, err = findBulletin(r, c, id); err != nil {
			return err
		}
		return store.Each(func(after multe.DeviceID) ([]multe.BulletinRead, error) {
			return r.BulletinReads(c, id, after, store.MaxPage)
		}, func(read multe.BulletinRead) multe.DeviceID { return read.Device }, func(read multe.BulletinRead) error {
			if len(reads) == maxReaders {
				return errFull
			}
			reads = append(reads, read)
			return nil
		})
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return b, reads, err
}

func findBulletin(r store.Reader, c multe.CreditorID, id multe.BulletinID) (multe.Bulletin, error) {
	b, err := r.Bulletin(c, id)
	if errors.Is(err, fault.NotFound) {
		return b, errNoBulletin()
	}
	return b, err
}

func errNoBulletin() error {
	return fault.New(fault.NotFound, "message.unknown", "Il messaggio non esiste.")
}
