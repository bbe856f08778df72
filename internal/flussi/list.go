package flussi

import (
	"context"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Line is a line of a flow, judged.
type Line struct {
	multe.FlussoLine
	Match    Match
	Position multe.PositionID // "" if the IUV is none of ours
	Verbale  multe.VerbaleID  // "" if there is none on the code
}

// List lists the flows of a creditor by day of settlement, after the one with the
// given id ("": from the start), at most limit (≤ [store.MaxPage]).
func (f *Flussi) List(ctx context.Context, c multe.CreditorID, after multe.FlussoID, limit int) ([]multe.Flusso, error) {
	var list []multe.Flusso
	err := f.store.View(ctx, func(r store.Reader) (err error) {
		var cursor multe.Flusso
		if after != "" {
			if cursor, err = r.Flusso(c, after); err != nil {
				return err
			}
		}
		list, err = r.Flussi(c, cursor, limit)
		return err
	})
	return list, err
}

// Get returns a flow and its lines with N greater than after, at most limit.
func (f *Flussi) Get(ctx context.Context, c multe.CreditorID, id multe.FlussoID, after, limit int) (multe.Flusso, []Line, error) {
	var flow multe.Flusso
	var lines []Line
	err := f.store.View(ctx, func(r store.Reader) (err error) {
		lines = nil
		if flow, err = r.Flusso(c, id); err != nil {
			return err
		}
		creditor, err := r.Creditor(c)
		if err != nil {
			return err
		}
		page, err := r.FlussoLines(c, id, after, limit)
		if err != nil {
			return err
		}
		for _, l := range page {
			if l.Gone {
				break // those that are gone come last
			}
			g, err := ledgerOf(r, c, creditor.CodiceVersamento, l.IUV)
			if err != nil {
				return err
			}
			lines = append(lines, Line{FlussoLine: l, Match: g.match(l), Position: g.code.Position, Verbale: g.code.Verbale})
		}
		return nil
	})
	return flow, lines, err
}
