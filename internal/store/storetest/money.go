package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func refund(c multe.CreditorID, iuv, id string) multe.Refund {
	return multe.Refund{Creditor: c, ID: multe.RefundID(id), IUV: iuv, Verbale: "V1", Cents: 4200, RefundedOn: multe.Day{Year: 2024, Month: 2, Day: 29},
		Reason: "Pagato «due volte»", Mandate: "Mandato 12/2024", Beyond: true, By: "operator:O1", At: noon, Version: 1}
}

func exportLine(c multe.CreditorID, id string, n int, v string) multe.ExportLine {
	return multe.ExportLine{Creditor: c, Export: multe.ExportID(id), N: n, Verbale: multe.VerbaleID(v), Version: 1}
}

func ownerHint(c multe.CreditorID, id string, expires time.Time) multe.OwnerHint {
	return multe.OwnerHint{Creditor: c, ID: multe.OwnerHintID(id), Plate: "AB123CD", From: multe.Day{Year: 2024, Month: 2, Day: 29},
		Until: multe.Day{Year: 2026, Month: 2, Day: 28}, Debtor: debtor(), Imported: noon, Expires: expires, Version: 1}
}

// moneyKinds are refunds, lists of acts and owners.
func moneyKinds(c multe.CreditorID) []kind {
	return []kind{
		kindOf("refund", func() multe.Refund { return refund(c, "01000000000000123", "R1") },
			func(r *multe.Refund) *uint64 { return &r.Version }, store.Tx.PutRefund,
			func(r store.Reader) (multe.Refund, error) { return r.Refund(c, "R1") }, nil),
		kindOf("export", func() multe.Export {
			return multe.Export{Creditor: c, ID: "E1", Kind: multe.ExportNotify, At: noon, By: "operator:O1", Count: 3, More: true, Again: true,
				Digest: digest("rows"), Withdrawn: true, Changed: noon}
		}, func(e *multe.Export) *uint64 { return &e.Version }, store.Tx.PutExport,
			func(r store.Reader) (multe.Export, error) { return r.Export(c, "E1") }, nil),
		kindOf("export line", func() multe.ExportLine { return exportLine(c, "E1", 2, "V1") },
			func(l *multe.ExportLine) *uint64 { return &l.Version }, store.Tx.PutExportLine,
			func(r store.Reader) (multe.ExportLine, error) {
				ls, err := r.ExportLines(c, "E1", 1, 1)
				if err == nil && len(ls) == 0 {
					err = fault.NotFound
				}
				return append(ls, multe.ExportLine{})[0], err
			}, nil),
		kindOf("owner hint", func() multe.OwnerHint { return ownerHint(c, "H1", noon) },
			func(h *multe.OwnerHint) *uint64 { return &h.Version }, store.Tx.PutOwnerHint,
			func(r store.Reader) (multe.OwnerHint, error) { return r.OwnerHint(c, "H1") },
			func(h *multe.OwnerHint) { h.Debtor.CF = "scribble" }),
	}
}

func moneyScans() []scan {
	return []scan{
		idScan("Refunds", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutRefund(refund(c, "IUV", id)) },
			store.Reader.Refunds, func(r multe.Refund) multe.RefundID { return r.ID }),
		idScan("Exports", func(tx store.Tx, c multe.CreditorID, id string) error {
			return tx.PutExport(multe.Export{Creditor: c, ID: multe.ExportID(id), Version: 1})
		}, store.Reader.Exports, func(e multe.Export) multe.ExportID { return e.ID }),
		scanOf("OwnerHints", func(tx store.Tx, c multe.CreditorID, id string) error { return tx.PutOwnerHint(ownerHint(c, id, noon)) },
			store.Reader.OwnerHints, func(h multe.OwnerHint) multe.OwnerHint { return h }, func(h multe.OwnerHint) string { return string(h.ID) }),
	}
}

// moneyFollows checks the lists of what belongs to an IUV, a verbale, a plate.
func moneyFollows(t *testing.T, s store.Store) {
	gone := ownerHint(ours, "H4", noon).Forget()
	gone.Version = 1
	other := ownerHint(ours, "H5", noon)
	other.Plate = "AB123CE"
	update(t, s, func(tx store.Tx) error {
		for _, err := range []error{
			tx.PutRefund(refund(ours, "12", "R2")), tx.PutRefund(refund(ours, "12", "R1")), tx.PutRefund(refund(ours, "123", "R3")), tx.PutRefund(refund(theirs, "12", "R4")),
			tx.PutExportLine(exportLine(ours, "E2", 1, "V1")), tx.PutExportLine(exportLine(ours, "E1", 2, "V1")), tx.PutExportLine(exportLine(ours, "E1", 1, "V2")),
			tx.PutExportLine(exportLine(theirs, "E1", 1, "V1")),
			tx.PutOwnerHint(ownerHint(ours, "H1", noon.Add(time.Hour))), tx.PutOwnerHint(ownerHint(ours, "H2", noon)), tx.PutOwnerHint(ownerHint(theirs, "H3", noon)),
			tx.PutOwnerHint(gone), tx.PutOwnerHint(other),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(r store.Reader) error {
		var got [][]string
		refunds, err := r.RefundsOf(ours, "12", 10)
		if err != nil {
			return err
		}
		got = append(got, names(refunds, func(r multe.Refund) string { return string(r.ID) }))
		lines, err := r.ExportLinesOf(ours, "V1", 10)
		if err != nil {
			return err
		}
		got = append(got, names(lines, func(l multe.ExportLine) string { return string(l.Export) }))
		lines, err = r.ExportLines(ours, "E1", 0, 10)
		if err != nil {
			return err
		}
		got = append(got, names(lines, func(l multe.ExportLine) string { return string(l.Verbale) }))
		hints, err := r.OwnerHintsOf(ours, "AB123CD", 10)
		if err != nil {
			return err
		}
		got = append(got, names(hints, func(h multe.OwnerHint) string { return string(h.ID) }))
		if hints, err = r.OwnerHints(ours, multe.OwnerHint{}, 10); err != nil {
			return err
		}
		got = append(got, names(hints, func(h multe.OwnerHint) string { return string(h.ID) }))
		want := [][]string{{"R1", "R2"}, {"E1", "E2"}, {"V2", "V1"}, {"H1", "H2"}, {"H2", "H5", "H1"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

func names[T any](list []T, name func(T) string) []string {
	var out []string
	for _, x := range list {
		out = append(out, name(x))
	}
	return out
}
