package app

import (
	"context"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// troubles lists discrepancies. They are opened by several use cases and belong
// to none.
type troubles struct{ store store.Store }

func (t troubles) Discrepancies(ctx context.Context, c multe.CreditorID, open bool, after string, limit int) ([]multe.Discrepancy, error) {
	var out []multe.Discrepancy
	err := t.store.View(ctx, func(r store.Reader) (err error) {
		out, err = r.Discrepancies(c, open, after, limit)
		return err
	})
	return out, err
}
