package verbali

import (
	"context"
	"strings"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The trouble of a slip that says what they should not. The paper is in the street:
// it is taken as it is, and a person decides.
const kindFlagged = "verbale.flagged" // of the verbale

// Issue is [Verbali.Upload] for a slip of which nobody measured the clock.
func (v *Verbali) Issue(ctx context.Context, c multe.CreditorID, d multe.DeviceID, slip multe.Slip, body multe.Digest) (multe.Verbale, multe.Code, error) {
	return v.Upload(ctx, c, d, slip, body, nil)
}

// judge returns what differs between a slip and what it should say, by the policy and
// the catalogue in force on its day. It refuses nothing.
func (v *Verbali) judge(r store.Reader, c multe.Creditor, s multe.Slip, skew *time.Duration) ([]multe.Flag, error) {
	var flags []multe.Flag
	day := multe.DayOf(s.IssuedAt)
	if two := c.PolicyOn(day).Amount == multe.AmountTwoCodes && len(s.Steps) > 1; two != (s.Full != nil) {
		flags = append(flags, multe.Flag{Code: "codes.other_policy",
			Detail: "Il numero di codici avviso sul preavviso non è quello previsto dall'ente per quel giorno: il palmare non era aggiornato. Ogni codice stampato vale il suo importo."})
	}
	if skew != nil {
		if f, wrong := multe.SkewFlag(s, *skew); wrong {
			flags = append(flags, f)
		}
	}
	if s.Violation.Code == "" {
		return flags, nil
	}
	catalogue, used, err := v.catalogues.On(r, c.ID, day)
	switch {
	case err != nil:
		return nil, err
	case !used:
		return flags, nil // the codes are the firmware's own
	case catalogue == nil:
		return append(flags, multe.Flag{Code: "amount.no_catalogue",
			Detail: "L'ente non aveva un catalogo in vigore quel giorno: gli importi stampati non sono stati controllati."}), nil
	}
	policy, err := cds.PolicyOn(c, day)
	if err != nil {
		return nil, err
	}
	_, differences := cds.Recompute(catalogue, policy, cds.Facts{Code: s.Violation.Code, Vehicle: s.VehicleClass, At: s.IssuedAt, Printed: s.Steps})
	return append(flags, differences...), nil
}

// report tells the office about the flags of a slip.
func (h history) report(id multe.VerbaleID, flags []multe.Flag) error {
	if len(flags) == 0 {
		return nil
	}
	details := []string{"Il preavviso è stato accettato com'è stampato, ma qualcosa non torna."}
	for _, f := range flags {
		details = append(details, f.Detail)
	}
	details = append(details, "Resta valido l'importo stampato. Se è sbagliato a danno del cittadino, correggerlo alla registrazione o annullare il verbale.")
	return store.Report(h.tx, h.creditor, kindFlagged, string(id), strings.Join(details, " "), h.at)
}
