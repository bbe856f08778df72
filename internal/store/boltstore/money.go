package boltstore

import "preavviso/internal/multe"

var refunds = &table[multe.Refund]{
	name:    "refund",
	key:     func(r multe.Refund) key { return keyOf(string(r.Creditor), string(r.ID)) },
	version: func(r multe.Refund) uint64 { return r.Version },
	indexes: []*index[multe.Refund]{refundIUV},
}

var refundIUV = &index[multe.Refund]{name: "refund.iuv", key: func(r multe.Refund) key {
	return keyOf(string(r.Creditor), r.IUV, string(r.ID))
}}

var exports = &table[multe.Export]{
	name:    "export",
	key:     func(e multe.Export) key { return keyOf(string(e.Creditor), string(e.ID)) },
	version: func(e multe.Export) uint64 { return e.Version },
}

var exportLines = &table[multe.ExportLine]{
	name:    "export.line",
	key:     func(l multe.ExportLine) key { return keyOf(string(l.Creditor), string(l.Export)).number(uint64(l.N)) },
	version: func(l multe.ExportLine) uint64 { return l.Version },
	indexes: []*index[multe.ExportLine]{exportLineVerbale},
}

var exportLineVerbale = &index[multe.ExportLine]{name: "export.line.verbale", key: func(l multe.ExportLine) key {
	return keyOf(string(l.Creditor), string(l.Verbale), string(l.Export)).number(uint64(l.N))
}}

var ownerHints = &table[multe.OwnerHint]{
	name:    "owner",
	key:     func(h multe.OwnerHint) key { return keyOf(string(h.Creditor), string(h.ID)) },
	version: func(h multe.OwnerHint) uint64 { return h.Version },
	indexes: []*index[multe.OwnerHint]{ownerPlate, ownerExpires},
}

var ownerPlate = &index[multe.OwnerHint]{name: "owner.plate", key: func(h multe.OwnerHint) key {
	if h.Gone {
		return key{}
	}
	return keyOf(string(h.Creditor), string(h.Plate), string(h.ID))
}}

var ownerExpires = &index[multe.OwnerHint]{name: "owner.expires", key: func(h multe.OwnerHint) key {
	if h.Gone {
		return key{}
	}
	return ownerExpiresKey(h.Creditor, h)
}}

func ownerExpiresKey(c multe.CreditorID, h multe.OwnerHint) key {
	return keyOf(string(c)).instant(h.Expires).text(string(h.ID))
}

func (r reader) Refund(c multe.CreditorID, id multe.RefundID) (multe.Refund, error) {
	return refunds.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) RefundsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Refund, error) {
	prefix := keyOf(string(c), iuv)
	return refunds.list(r.tx, refundIUV, prefix, prefix, limit)
}

func (r reader) Refunds(c multe.CreditorID, after multe.RefundID, limit int) ([]multe.Refund, error) {
	return refunds.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) Export(c multe.CreditorID, id multe.ExportID) (multe.Export, error) {
	return exports.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) Exports(c multe.CreditorID, after multe.ExportID, limit int) ([]multe.Export, error) {
	return exports.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) ExportLines(c multe.CreditorID, id multe.ExportID, after int, limit int) ([]multe.ExportLine, error) {
	prefix := keyOf(string(c), string(id))
	return exportLines.list(r.tx, nil, prefix, prefix.number(uint64(max(0, after))), limit)
}

func (r reader) ExportLinesOf(c multe.CreditorID, v multe.VerbaleID, limit int) ([]multe.ExportLine, error) {
	prefix := keyOf(string(c), string(v))
	return exportLines.list(r.tx, exportLineVerbale, prefix, prefix, limit)
}

func (r reader) OwnerHint(c multe.CreditorID, id multe.OwnerHintID) (multe.OwnerHint, error) {
	return ownerHints.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) OwnerHintsOf(c multe.CreditorID, p multe.Plate, limit int) ([]multe.OwnerHint, error) {
	prefix := keyOf(string(c), string(p))
	return ownerHints.list(r.tx, ownerPlate, prefix, prefix, limit)
}

func (r reader) OwnerHints(c multe.CreditorID, after multe.OwnerHint, limit int) ([]multe.OwnerHint, error) {
	if after.ID == "" {
		return ownerHints.list(r.tx, ownerExpires, keyOf(string(c)), keyOf(string(c)), limit)
	}
	return ownerHints.list(r.tx, ownerExpires, keyOf(string(c)), ownerExpiresKey(c, after), limit)
}

func (w *txn) PutRefund(r multe.Refund) error         { return refunds.put(w, r) }
func (w *txn) PutExport(e multe.Export) error         { return exports.put(w, e) }
func (w *txn) PutExportLine(l multe.ExportLine) error { return exportLines.put(w, l) }
func (w *txn) PutOwnerHint(h multe.OwnerHint) error   { return ownerHints.put(w, h) }
