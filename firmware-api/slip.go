package firmwareapi

import (
	"bytes"
	"context"

	"preavviso/internal/escpos"
	"preavviso/internal/multe"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// PrintSlip serves POST /v1/verbali/{id}/slip.
func (s *server) PrintSlip(ctx context.Context, r PrintSlipRequestObject) (PrintSlipResponseObject, error) {
	d, b := caller(ctx), r.Body
	o := escpos.Options{Printer: escpos.Printer(b.Printer), Width: b.Width, DPI: b.Dpi, OwnFont: b.OwnFont, Postal: b.Postal}
	out, err := s.prints.Slip(ctx, "device:"+string(d.ID), d.Creditor, d.ID, multe.VerbaleID(r.Id), b.Reprint,
		func(n pdf.Notice, t texts.Set) ([]byte, error) { return escpos.Print(n, t, o) })
	if err != nil {
		return nil, err
	}
	return PrintSlip200ApplicationoctetStreamResponse{Body: bytes.NewReader(out), ContentLength: int64(len(out))}, nil
}
