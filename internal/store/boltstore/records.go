package boltstore

import (
	"bytes"

	bolt "go.etcd.io/bbolt"

	"preavviso/internal/multe"
)

// What is kept, and under which keys. The names are stored: they never change
// meaning.

var creditors = &table[multe.Creditor]{
	name:    "creditor",
	key:     func(c multe.Creditor) key { return keyOf(string(c.ID)) },
	version: func(c multe.Creditor) uint64 { return c.Version },
}

var operators = &table[multe.Operator]{
	name:    "operator",
	key:     func(o multe.Operator) key { return keyOf(string(o.Creditor), string(o.ID)) },
	version: func(o multe.Operator) uint64 { return o.Version },
	indexes: []*index[multe.Operator]{operatorToken, operatorLogin, operatorInvite, operatorSubject},
}

var operatorToken = &index[multe.Operator]{name: "operator.token", unique: true,
	key: func(o multe.Operator) key { return digestKey(o.Token) }}

var devices = &table[multe.Device]{
	name:    "device",
	key:     func(d multe.Device) key { return keyOf(string(d.Creditor), string(d.ID)) },
	version: func(d multe.Device) uint64 { return d.Version },
	indexes: []*index[multe.Device]{deviceToken, deviceInvite},
}

var deviceToken = &index[multe.Device]{name: "device.token", unique: true,
	key: func(d multe.Device) key { return digestKey(d.Token) }}

var deviceInvite = &index[multe.Device]{name: "device.invite", unique: true,
	key: func(d multe.Device) key { return digestKey(d.Invite) }}

var codes = &table[multe.Code]{
	name:    "code",
	key:     func(c multe.Code) key { return keyOf(string(c.Creditor), string(c.Position)) },
	version: func(c multe.Code) uint64 { return c.Version },
	indexes: []*index[multe.Code]{codeIUV, codeState, codeDevice},
	tally: func(c multe.Code) []key {
		sums := []key{keyOf("code.state", string(c.Creditor), string(c.State))}
		if c.Device != "" {
			sums = append(sums, keyOf("code.device", string(c.Creditor), string(c.Device), string(c.State)))
		}
		return sums
	},
}

var codeIUV = &index[multe.Code]{name: "code.iuv", unique: true, key: func(c multe.Code) key {
	if c.Number.IsZero() {
		return key{}
	}
	return keyOf(string(c.Creditor), c.Number.IUV())
}}

var codeState = &index[multe.Code]{name: "code.state", key: func(c multe.Code) key {
	return keyOf(string(c.Creditor), string(c.State), string(c.Position))
}}

var codeDevice = &index[multe.Code]{name: "code.device", key: func(c multe.Code) key {
	if c.Device == "" {
		return key{}
	}
	return keyOf(string(c.Creditor), string(c.Device), string(c.State), string(c.Position))
}}

var leases = &table[multe.Lease]{
	name:    "lease",
	key:     func(l multe.Lease) key { return keyOf(string(l.Creditor), string(l.Device), string(l.ID)) },
	version: func(l multe.Lease) uint64 { return l.Version },
}

var verbali = &table[multe.Verbale]{
	name:    "verbale",
	key:     func(v multe.Verbale) key { return keyOf(string(v.Creditor), string(v.Slip.ID)) },
	version: func(v multe.Verbale) uint64 { return v.Version },
	indexes: []*index[multe.Verbale]{verbalePosition, verbaleRegister, verbaleDevice, verbalePlate, verbaleState, verbaleDue},
	tally: func(v multe.Verbale) []key {
		return []key{keyOf("verbale.state", string(v.Creditor), string(v.State))}
	},
}

var verbalePosition = &index[multe.Verbale]{name: "verbale.position", unique: true, key: func(v multe.Verbale) key {
	return keyOf(string(v.Creditor), string(v.Slip.Position))
}}

var verbaleRegister = &index[multe.Verbale]{name: "verbale.register", unique: true, key: func(v multe.Verbale) key {
	if v.Record == nil {
		return key{}
	}
	return keyOf(string(v.Creditor), v.Record.Register)
}}

var verbaleDevice = &index[multe.Verbale]{name: "verbale.device", key: func(v multe.Verbale) key {
	return keyOf(string(v.Creditor), string(v.Device), string(v.Slip.ID))
}}

var verbalePlate = &index[multe.Verbale]{name: "verbale.plate", key: func(v multe.Verbale) key {
	return keyOf(string(v.Creditor), string(v.Slip.Plate), string(v.Slip.ID))
}}

var verbaleState = &index[multe.Verbale]{name: "verbale.state", key: func(v multe.Verbale) key {
	return keyOf(string(v.Creditor), string(v.State), string(v.Slip.ID))
}}

var changes = &table[multe.Change]{
	name:    "change",
	key:     func(c multe.Change) key { return keyOf(string(c.Creditor), string(c.ID())) },
	version: func(c multe.Change) uint64 { return c.Version },
	indexes: []*index[multe.Change]{changePosition, changeState},
}

var changePosition = &index[multe.Change]{name: "change.position", key: func(c multe.Change) key {
	return keyOf(string(c.Creditor), string(c.Position)).number(uint64(c.Seq))
}}

var changeState = &index[multe.Change]{name: "change.state", key: func(c multe.Change) key {
	return changeStateKey(c.Creditor, c.State, c)
}}

func changeStateKey(c multe.CreditorID, s multe.ChangeState, at multe.Change) key {
	return keyOf(string(c), string(s)).instant(at.NotBefore).text(string(at.ID()))
}

var batches = &table[multe.Batch]{
	name:    "batch",
	key:     func(b multe.Batch) key { return keyOf(string(b.Creditor), string(b.ID)) },
	version: func(b multe.Batch) uint64 { return b.Version },
	indexes: []*index[multe.Batch]{batchState},
}

var batchState = &index[multe.Batch]{name: "batch.state", key: func(b multe.Batch) key {
	return keyOf(string(b.Creditor), string(b.State), string(b.ID))
}}

var payments = &table[multe.Payment]{
	name:    "payment",
	key:     func(p multe.Payment) key { return keyOf(string(p.Creditor), p.IUV, p.IUR) },
	version: func(p multe.Payment) uint64 { return p.Version },
	indexes: []*index[multe.Payment]{paymentArrival},
}

var paymentArrival = &index[multe.Payment]{name: "payment.arrival", key: func(p multe.Payment) key {
	return paymentArrivalKey(p.Creditor, p)
}}

func paymentArrivalKey(c multe.CreditorID, p multe.Payment) key {
	return keyOf(string(c)).instant(p.Received).text(p.IUV).text(p.IUR)
}

var receipts = &table[multe.Receipt]{
	name:    "receipt",
	key:     func(r multe.Receipt) key { return keyOf(string(r.Creditor), r.IUV, r.Digest.String()) },
	version: func(r multe.Receipt) uint64 { return r.Version },
}

var revocations = &table[multe.Revocation]{
	name:    "revocation",
	key:     func(r multe.Revocation) key { return keyOf(string(r.Creditor), r.IUV, r.ID) },
	version: func(r multe.Revocation) uint64 { return r.Version },
}

var expiries = &table[multe.Expiry]{
	name:    "expiry",
	key:     func(e multe.Expiry) key { return expiryKey(e.Creditor, e.IUV, e.DueOn) },
	version: func(e multe.Expiry) uint64 { return e.Version },
}

func expiryKey(c multe.CreditorID, iuv string, due multe.Day) key {
	return keyOf(string(c), iuv, due.String())
}

var flussi = &table[multe.Flusso]{
	name:    "flusso",
	key:     func(f multe.Flusso) key { return keyOf(string(f.Creditor), string(f.ID)) },
	version: func(f multe.Flusso) uint64 { return f.Version },
	indexes: []*index[multe.Flusso]{flussoDay},
}

var flussoDay = &index[multe.Flusso]{name: "flusso.day", key: func(f multe.Flusso) key {
	return flussoDayKey(f.Creditor, f)
}}

func flussoDayKey(c multe.CreditorID, f multe.Flusso) key {
	if f.ID == "" {
		return keyOf(string(c)) // the zero Flusso: from the start
	}
	return keyOf(string(c), f.Day().String(), string(f.ID))
}

var flussoLines = &table[multe.FlussoLine]{
	name:    "flusso.line",
	key:     func(l multe.FlussoLine) key { return keyOf(string(l.Creditor), string(l.Flusso)).number(uint64(l.N)) },
	version: func(l multe.FlussoLine) uint64 { return l.Version },
	indexes: []*index[multe.FlussoLine]{flussoLineIUV},
}

var flussoLineIUV = &index[multe.FlussoLine]{name: "flusso.line.iuv", key: func(l multe.FlussoLine) key {
	if l.Gone {
		return key{}
	}
	return keyOf(string(l.Creditor), l.IUV, string(l.Flusso)).number(uint64(l.N))
}}

// documents are numbered without a gap, so their count is the number of the last.
var documents = &table[multe.Document]{
	name: "document",
	key: func(d multe.Document) key {
		return keyOf(string(d.Creditor), string(d.Kind)).number(d.N)
	},
	tally: func(d multe.Document) []key { return []key{documentCount(d.Creditor, d.Kind)} },
}

func documentCount(c multe.CreditorID, kind multe.DocumentKind) key {
	return keyOf("document", string(c), string(kind))
}

var messages = &table[multe.Message]{
	name:    "message",
	key:     func(m multe.Message) key { return keyOf(string(m.ID)) },
	version: func(m multe.Message) uint64 { return m.Version },
	indexes: []*index[multe.Message]{messageState},
}

var messageState = &index[multe.Message]{name: "message.state", key: func(m multe.Message) key {
	return keyOf(string(m.State), string(m.ID))
}}

var discrepancies = &table[multe.Discrepancy]{
	name:    "discrepancy",
	key:     func(d multe.Discrepancy) key { return keyOf(string(d.Creditor), d.ID) },
	version: func(d multe.Discrepancy) uint64 { return d.Version },
	indexes: []*index[multe.Discrepancy]{discrepancyOpen},
}

var discrepancyOpen = &index[multe.Discrepancy]{name: "discrepancy.open", key: func(d multe.Discrepancy) key {
	return keyOf(string(d.Creditor), openOrClosed(d.Open), d.ID)
}}

func openOrClosed(open bool) string {
	if open {
		return "open"
	}
	return "closed"
}

var webhooks = &table[multe.Webhook]{
	name:    "webhook",
	key:     func(w multe.Webhook) key { return keyOf(string(w.Creditor), string(w.ID)) },
	version: func(w multe.Webhook) uint64 { return w.Version },
}

var audit = &table[multe.AuditEntry]{
	name:    "audit",
	key:     func(e multe.AuditEntry) key { return keyOf(string(e.Creditor)).number(e.Seq) },
	indexes: []*index[multe.AuditEntry]{auditPosition},
	tally:   func(e multe.AuditEntry) []key { return []key{auditSeq(e.Creditor)} },
}

func auditSeq(c multe.CreditorID) key { return keyOf("audit.seq", string(c)) }

var auditPosition = &index[multe.AuditEntry]{name: "audit.position", key: func(e multe.AuditEntry) key {
	if e.Position == "" {
		return key{}
	}
	return keyOf(string(e.Creditor), string(e.Position)).number(e.Seq)
}}

// digestKey is a whole key: a token is looked up before its creditor is known.
func digestKey(d multe.Digest) key {
	if d.IsZero() {
		return key{}
	}
	return key{b: d[:]}
}

// tables are all of them, for what is done to each.
var tables = []interface {
	buckets() []string
	reindex(tx *bolt.Tx) error
	check(tx *bolt.Tx, sums map[string]uint64, report func(error))
}{
	creditors,
	operators,
	sessions,
	devices,
	codes,
	leases,
	verbali,
	changes,
	batches,
	payments,
	receipts,
	revocations,
	expiries,
	flussi,
	flussoLines,
	refunds,
	exports,
	exportLines,
	ownerHints,
	idempotencies,
	documents,
	messages,
	discrepancies,
	audit,
	slipMarks,
	photos,
	photoChunks,
	bulletins,
	bulletinReads,
	printJobs,
	printItems,
	prints,
	webhooks,
}

func (t *table[T]) buckets() []string {
	names := []string{t.name}
	for _, ix := range t.indexes {
		names = append(names, ix.name)
	}
	return names
}

// reader is store.Reader on a bbolt transaction.
type reader struct{ tx *bolt.Tx }

func (r reader) Creditor(id multe.CreditorID) (multe.Creditor, error) {
	return creditors.get(r.tx, keyOf(string(id)))
}

func (r reader) Creditors(after multe.CreditorID, limit int) ([]multe.Creditor, error) {
	return creditors.list(r.tx, nil, key{}, keyOf(string(after)), limit)
}

func (r reader) Operator(c multe.CreditorID, id multe.OperatorID) (multe.Operator, error) {
	return operators.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) OperatorByToken(token multe.Digest) (multe.Operator, error) {
	return operators.find(r.tx, operatorToken, digestKey(token))
}

func (r reader) Operators(c multe.CreditorID, after multe.OperatorID, limit int) ([]multe.Operator, error) {
	return operators.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) Device(c multe.CreditorID, id multe.DeviceID) (multe.Device, error) {
	return devices.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) DeviceByToken(token multe.Digest) (multe.Device, error) {
	return devices.find(r.tx, deviceToken, digestKey(token))
}

func (r reader) DeviceByInvite(code multe.Digest) (multe.Device, error) {
	return devices.find(r.tx, deviceInvite, digestKey(code))
}

func (r reader) Devices(c multe.CreditorID, after multe.DeviceID, limit int) ([]multe.Device, error) {
	return devices.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) Code(c multe.CreditorID, p multe.PositionID) (multe.Code, error) {
	return codes.get(r.tx, keyOf(string(c), string(p)))
}

func (r reader) CodeByIUV(c multe.CreditorID, iuv string) (multe.Code, error) {
	return codes.find(r.tx, codeIUV, keyOf(string(c), iuv))
}

func (r reader) CodesIn(c multe.CreditorID, s multe.CodeState, after multe.PositionID, limit int) ([]multe.Code, error) {
	return codes.list(r.tx, codeState, keyOf(string(c), string(s)), keyOf(string(c), string(s), string(after)), limit)
}

func (r reader) CodesOf(c multe.CreditorID, d multe.DeviceID, s multe.CodeState, after multe.PositionID, limit int) ([]multe.Code, error) {
	return codes.list(r.tx, codeDevice, keyOf(string(c), string(d), string(s)), keyOf(string(c), string(d), string(s), string(after)), limit)
}

func (r reader) CountCodesOf(c multe.CreditorID, d multe.DeviceID) (map[multe.CodeState]int, error) {
	return counts[multe.CodeState](r, "code.device", string(c), string(d))
}

func (r reader) CountCodes(c multe.CreditorID) (map[multe.CodeState]int, error) {
	return counts[multe.CodeState](r, "code.state", string(c))
}

// counts reads the tallies under a prefix; the rest of their keys is a state.
func counts[S ~string](r reader, parts ...string) (map[S]int, error) {
	prefix := keyOf(parts...)
	if prefix.err != nil {
		return nil, prefix.err
	}
	sums := map[S]int{}
	cur := r.tx.Bucket([]byte(tallies)).Cursor()
	for k, v := cur.Seek(prefix.b); bytes.HasPrefix(k, prefix.b); k, v = cur.Next() {
		state := k[len(prefix.b) : len(k)-1] // without its NUL
		sums[S(state)] = int(number(v))
	}
	return sums, nil
}

func (r reader) Lease(c multe.CreditorID, d multe.DeviceID, id multe.LeaseID) (multe.Lease, error) {
	return leases.get(r.tx, keyOf(string(c), string(d), string(id)))
}

func (r reader) LeasesOf(c multe.CreditorID, d multe.DeviceID, after multe.LeaseID, limit int) ([]multe.Lease, error) {
	return leases.list(r.tx, nil, keyOf(string(c), string(d)), keyOf(string(c), string(d), string(after)), limit)
}

func (r reader) Verbale(c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, error) {
	return verbali.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) VerbaleByRegister(c multe.CreditorID, register string) (multe.Verbale, error) {
	return verbali.find(r.tx, verbaleRegister, keyOf(string(c), register))
}

func (r reader) Verbali(c multe.CreditorID, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
	return verbali.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) VerbaliOf(c multe.CreditorID, d multe.DeviceID, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
	return verbali.list(r.tx, verbaleDevice, keyOf(string(c), string(d)), keyOf(string(c), string(d), string(after)), limit)
}

func (r reader) Change(c multe.CreditorID, id multe.ChangeID) (multe.Change, error) {
	return changes.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) ChangesOf(c multe.CreditorID, p multe.PositionID, after int, limit int) ([]multe.Change, error) {
	prefix := keyOf(string(c), string(p))
	return changes.list(r.tx, changePosition, prefix, prefix.number(uint64(max(0, after))), limit)
}

func (r reader) ChangesIn(c multe.CreditorID, s multe.ChangeState, after multe.Change, limit int) ([]multe.Change, error) {
	return changes.list(r.tx, changeState, keyOf(string(c), string(s)), changeStateKey(c, s, after), limit)
}

func (r reader) Batch(c multe.CreditorID, id multe.BatchID) (multe.Batch, error) {
	return batches.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) BatchesIn(c multe.CreditorID, s multe.BatchState, after multe.BatchID, limit int) ([]multe.Batch, error) {
	return batches.list(r.tx, batchState, keyOf(string(c), string(s)), keyOf(string(c), string(s), string(after)), limit)
}

func (r reader) Payment(c multe.CreditorID, iuv, iur string) (multe.Payment, error) {
	return payments.get(r.tx, keyOf(string(c), iuv, iur))
}

func (r reader) PaymentsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Payment, error) {
	prefix := keyOf(string(c), iuv)
	return payments.list(r.tx, nil, prefix, prefix, limit)
}

func (r reader) Payments(c multe.CreditorID, after multe.Payment, limit int) ([]multe.Payment, error) {
	return payments.list(r.tx, paymentArrival, keyOf(string(c)), paymentArrivalKey(c, after), limit)
}

func (r reader) Receipt(c multe.CreditorID, iuv string, xml multe.Digest) (multe.Receipt, error) {
	return receipts.get(r.tx, keyOf(string(c), iuv, xml.String()))
}

func (r reader) ReceiptsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Receipt, error) {
	prefix := keyOf(string(c), iuv)
	return receipts.list(r.tx, nil, prefix, prefix, limit)
}

func (r reader) Revocation(c multe.CreditorID, iuv, id string) (multe.Revocation, error) {
	return revocations.get(r.tx, keyOf(string(c), iuv, id))
}

func (r reader) RevocationsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Revocation, error) {
	prefix := keyOf(string(c), iuv)
	return revocations.list(r.tx, nil, prefix, prefix, limit)
}

func (r reader) Expiry(c multe.CreditorID, iuv string, due multe.Day) (multe.Expiry, error) {
	return expiries.get(r.tx, expiryKey(c, iuv, due))
}

func (r reader) ExpiriesOf(c multe.CreditorID, iuv string, limit int) ([]multe.Expiry, error) {
	prefix := keyOf(string(c), iuv)
	return expiries.list(r.tx, nil, prefix, prefix, limit)
}

func (r reader) Flusso(c multe.CreditorID, id multe.FlussoID) (multe.Flusso, error) {
	return flussi.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) Flussi(c multe.CreditorID, after multe.Flusso, limit int) ([]multe.Flusso, error) {
	return flussi.list(r.tx, flussoDay, keyOf(string(c)), flussoDayKey(c, after), limit)
}

func (r reader) FlussoLines(c multe.CreditorID, id multe.FlussoID, after int, limit int) ([]multe.FlussoLine, error) {
	prefix := keyOf(string(c), string(id))
	return flussoLines.list(r.tx, nil, prefix, prefix.number(uint64(max(0, after))), limit)
}

func (r reader) FlussoLinesOf(c multe.CreditorID, iuv string, limit int) ([]multe.FlussoLine, error) {
	prefix := keyOf(string(c), iuv)
	return flussoLines.list(r.tx, flussoLineIUV, prefix, prefix, limit)
}

func (r reader) VerbaliByPlate(c multe.CreditorID, plate multe.Plate, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
	return verbali.list(r.tx, verbalePlate, keyOf(string(c), string(plate)), keyOf(string(c), string(plate), string(after)), limit)
}

func (r reader) VerbaliIn(c multe.CreditorID, s multe.VerbaleState, after multe.VerbaleID, limit int) ([]multe.Verbale, error) {
	return verbali.list(r.tx, verbaleState, keyOf(string(c), string(s)), keyOf(string(c), string(s), string(after)), limit)
}

func (r reader) CountVerbali(c multe.CreditorID) (map[multe.VerbaleState]int, error) {
	return counts[multe.VerbaleState](r, "verbale.state", string(c))
}

func (r reader) Document(c multe.CreditorID, kind multe.DocumentKind, n uint64) (multe.Document, error) {
	return documents.get(r.tx, keyOf(string(c), string(kind)).number(n))
}

func (r reader) CountDocuments(c multe.CreditorID, kind multe.DocumentKind) (uint64, error) {
	k := documentCount(c, kind)
	if k.err != nil {
		return 0, k.err
	}
	return r.tally(k), nil
}

func (r reader) LastDocument(c multe.CreditorID, kind multe.DocumentKind) (multe.Document, error) {
	n, err := r.CountDocuments(c, kind)
	if err != nil {
		return multe.Document{}, err
	}
	return r.Document(c, kind, n)
}

func (r reader) Message(id multe.MessageID) (multe.Message, error) {
	return messages.get(r.tx, keyOf(string(id)))
}

func (r reader) MessagesIn(s multe.MessageState, after multe.MessageID, limit int) ([]multe.Message, error) {
	return messages.list(r.tx, messageState, keyOf(string(s)), keyOf(string(s), string(after)), limit)
}

func (r reader) Discrepancy(c multe.CreditorID, id string) (multe.Discrepancy, error) {
	return discrepancies.get(r.tx, keyOf(string(c), id))
}

func (r reader) Discrepancies(c multe.CreditorID, open bool, after string, limit int) ([]multe.Discrepancy, error) {
	prefix := keyOf(string(c), openOrClosed(open))
	return discrepancies.list(r.tx, discrepancyOpen, prefix, prefix.text(after), limit)
}

func (r reader) Webhook(c multe.CreditorID, id multe.WebhookID) (multe.Webhook, error) {
	return webhooks.get(r.tx, keyOf(string(c), string(id)))
}

func (r reader) Webhooks(c multe.CreditorID, after multe.WebhookID, limit int) ([]multe.Webhook, error) {
	return webhooks.list(r.tx, nil, keyOf(string(c)), keyOf(string(c), string(after)), limit)
}

func (r reader) LastAudit(c multe.CreditorID) (uint64, error) {
	k := auditSeq(c)
	if k.err != nil {
		return 0, k.err
	}
	return r.tally(k), nil
}

func (r reader) Audit(c multe.CreditorID, p multe.PositionID, after uint64, limit int) ([]multe.AuditEntry, error) {
	if p == "" {
		prefix := keyOf(string(c))
		return audit.list(r.tx, nil, prefix, prefix.number(after), limit)
	}
	prefix := keyOf(string(c), string(p))
	return audit.list(r.tx, auditPosition, prefix, prefix.number(after), limit)
}

func (w *txn) PutCreditor(c multe.Creditor) error       { return creditors.put(w, c) }
func (w *txn) PutOperator(o multe.Operator) error       { return operators.put(w, o) }
func (w *txn) PutDevice(d multe.Device) error           { return devices.put(w, d) }
func (w *txn) PutLease(l multe.Lease) error             { return leases.put(w, l) }
func (w *txn) PutBatch(b multe.Batch) error             { return batches.put(w, b) }
func (w *txn) PutPayment(p multe.Payment) error         { return payments.put(w, p) }
func (w *txn) PutReceipt(r multe.Receipt) error         { return receipts.put(w, r) }
func (w *txn) PutRevocation(r multe.Revocation) error   { return revocations.put(w, r) }
func (w *txn) PutExpiry(e multe.Expiry) error           { return expiries.put(w, e) }
func (w *txn) PutFlusso(f multe.Flusso) error           { return flussi.put(w, f) }
func (w *txn) PutFlussoLine(l multe.FlussoLine) error   { return flussoLines.put(w, l) }
func (w *txn) PutDocument(d multe.Document) error       { return documents.put(w, d) }
func (w *txn) PutMessage(m multe.Message) error         { return messages.put(w, m) }
func (w *txn) PutWebhook(h multe.Webhook) error         { return webhooks.put(w, h) }
func (w *txn) PutDiscrepancy(d multe.Discrepancy) error { return discrepancies.put(w, d) }

func (w *txn) AppendAudit(e multe.AuditEntry) error {
	e.Seq = w.tally(auditSeq(e.Creditor)) + 1
	return audit.put(w, e)
}
