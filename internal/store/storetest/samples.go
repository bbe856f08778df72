package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Two creditors, the id of one a prefix of the other's: the sharpest neighbours
// that a key scheme can have.
const (
	ours   multe.CreditorID = "1234567890"
	theirs multe.CreditorID = "12345678903"
)

// noon is an instant with all six decimals that a store must keep.
var noon = time.Date(2026, 3, 29, 0, 59, 59, 123456000, time.UTC)

func number(n int) avviso.Number {
	first := fmt.Sprintf("301%013d", n)
	p, err := avviso.ParseNumber(first + avviso.CheckDigits(first))
	if err != nil {
		panic(err) // impossible: 16 digits and their check
	}
	return p
}

func digest(s string) multe.Digest { return multe.DigestOf([]byte(s)) }

func debtor() *multe.Debtor {
	return &multe.Debtor{
		Surname: "D'Agostàro-Ñuñez", Name: "Mària \"Lù\" <x> & \\", CF: "RSSMRA80A01L219M", Address: "Via dell'Università",
		Civico: "5/B", CAP: "10121", City: "Torino", Province: "TO", Nation: "IT", Email: "maria@example.it",
	}
}

func code(c multe.CreditorID, p string, s multe.CodeState) multe.Code {
	return multe.Code{Creditor: c, Position: multe.PositionID(p), State: s, Version: 1, Changed: noon}
}

func verbale(c multe.CreditorID, id string) multe.Verbale {
	return multe.Verbale{
		Creditor: c, Device: "D1", Digest: digest(id), ReceivedAt: noon, State: multe.VerbaleIssued, Version: 1, Changed: noon,
		Slip: multe.Slip{
			ID: multe.VerbaleID(id), Position: multe.PositionID("P-" + id), Number: number(1), Reference: "2026.0001234",
			Plate: "AB123CD", Nation: "IT", Vehicle: "autovettura bianca", Place: "Via Po, 1\nangolo piazza", Warden: "M-17",
			Violation: multe.Violation{Norm: "art. 158 c. 2 e 6 CdS", Conduct: "Sostava «in doppia fila» ☂"},
			IssuedAt:  noon, Offline: true,
			Steps: []multe.Step{{Cents: 2940, LastDay: multe.Day{Year: 2026, Month: 4, Day: 3}}, {Cents: 4200}},
		},
	}
}

func device(c multe.CreditorID, id string) multe.Device {
	return multe.Device{Creditor: c, ID: multe.DeviceID(id), Name: "Palmare 1", State: multe.DeviceInvited, Bearer: true, Key: "key",
		Invite: digest("invite " + string(c) + id), InviteBy: noon, Version: 1, Changed: noon}
}

func operator(c multe.CreditorID, id string) multe.Operator {
	return multe.Operator{Creditor: c, ID: multe.OperatorID(id), Name: "Ufficio verbali", Token: digest("token " + string(c) + id), Version: 1, Changed: noon}
}

func message(id string) multe.Message {
	return multe.Message{ID: multe.MessageID(id), State: multe.MessageNew, Kind: "TrasmettiRT", Caller: "epay", Raw: []byte("<a>\x00\xff</a>"),
		Digest: digest(id), Received: noon, Tries: 3, Problem: "message.odd", Version: 1, Changed: noon}
}

func flusso(c multe.CreditorID, id string, day multe.Day) multe.Flusso {
	return multe.Flusso{Creditor: c, ID: multe.FlussoID(id), FlussoHead: multe.FlussoHead{SettledOn: day}, Received: noon, Version: 1, Changed: noon}
}

func payment(c multe.CreditorID, iuv, iur string, at time.Time) multe.Payment {
	return multe.Payment{Creditor: c, IUV: iuv, IUR: iur, Received: at, Cents: 4200, Version: 1}
}

func receipt(c multe.CreditorID, iuv, xml string) multe.Receipt {
	return multe.Receipt{Creditor: c, IUV: iuv, Digest: digest(xml), XML: []byte(xml), Received: noon, Version: 1}
}

// kind is one kind of record, with a sample in which every field is set.
type kind struct {
	name    string
	put     func(tx store.Tx, version uint64) error
	get     func(store.Reader) (any, error)
	want    func(version uint64) any
	scratch func(r store.Reader) (any, error) // gets the record and scribbles over what it refers to; nil if it refers to nothing
}

func kindOf[T any](name string, sample func() T, version func(*T) *uint64, put func(store.Tx, T) error,
	get func(store.Reader) (T, error), scribble func(*T)) kind {
	at := func(v uint64) T {
		rec := sample()
		*version(&rec) = v
		return rec
	}
	k := kind{
		name: name,
		want: func(v uint64) any { return at(v) },
		get:  func(r store.Reader) (any, error) { return get(r) },
		put: func(tx store.Tx, v uint64) error {
			rec := at(v)
			err := put(tx, rec)
			if scribble != nil {
				scribble(&rec) // what the caller does afterwards is none of the store's
			}
			return err
		},
	}
	if scribble != nil {
		k.scratch = func(r store.Reader) (any, error) {
			rec, err := get(r)
			if err == nil {
				scribble(&rec)
			}
			return rec, err
		}
	}
	return k
}

// kinds are all the records that have a version, of creditor c.
func kinds(c multe.CreditorID) []kind {
	pay := func() multe.Payment {
		p := payment(c, "01000000000000123", "IUR-1", noon)
		p.Number, p.Position, p.Verbale, p.PaidOn = number(9), "P1", "V1", multe.Day{Year: 2024, Month: 2, Day: 29}
		p.PSP, p.PSPName, p.Payer, p.Message = "BCITITMM", "Intesa Sanpàolo", debtor(), "M1"
		return p
	}
	return slices.Concat(moneyKinds(c), feedbackKinds(c), printKinds(c), idempotencyKinds(c), []kind{
		kindOf("creditor", func() multe.Creditor {
			return multe.Creditor{
				ID: c, Name: "Comune di Torìno", Settore: "Polizia locale", Info: "tel. 011", CBILL: "ABCDE", CodiceVersamento: "ZZ01",
				Postal:  &multe.PostalAccount{Number: "123456", Holder: "Comune", Authorization: "AUT. DB/1"},
				PoolLow: 10, PoolTarget: 100, ValidityDays: 90, UndoMinutes: 15, LeaseHours: 48, PhotoMonths: 24, Portal: true, Changed: noon,
				Policies: []multe.Policy{{From: multe.Day{Year: 2026, Month: 1, Day: 1}, Debtor: multe.DebtorRegister, Amount: multe.AmountOneCode}},
			}
		}, func(r *multe.Creditor) *uint64 { return &r.Version }, store.Tx.PutCreditor,
			func(r store.Reader) (multe.Creditor, error) { return r.Creditor(c) },
			func(r *multe.Creditor) { r.Postal.Number, r.Policies[0].Debtor = "scribble", "scribble" }),
		kindOf("operator", func() multe.Operator { return operator(c, "O1") },
			func(r *multe.Operator) *uint64 { return &r.Version }, store.Tx.PutOperator,
			func(r store.Reader) (multe.Operator, error) { return r.Operator(c, "O1") }, nil),
		kindOf("person", func() multe.Operator { return person(c, "O2", string(c)+"@example.it", "i"+string(c), "s"+string(c)) },
			func(r *multe.Operator) *uint64 { return &r.Version }, store.Tx.PutOperator,
			func(r store.Reader) (multe.Operator, error) { return r.Operator(c, "O2") },
			func(r *multe.Operator) { r.TOTP.Sealed[0], r.TOTP.Recovery[0] = '?', multe.Digest{} }),
		kindOf("session", func() multe.Session { return session(c, "O2", 1) },
			func(r *multe.Session) *uint64 { return &r.Version }, store.Tx.PutSession,
			func(r store.Reader) (multe.Session, error) { return r.SessionByToken(session(c, "O2", 1).Token) }, nil),
		kindOf("device", func() multe.Device {
			d := device(c, "D1")
			d.Token, d.Seen = digest("token "+string(c)), noon
			return d
		}, func(r *multe.Device) *uint64 { return &r.Version }, store.Tx.PutDevice,
			func(r store.Reader) (multe.Device, error) { return r.Device(c, "D1") }, nil),
		kindOf("code", func() multe.Code {
			return multe.Code{Creditor: c, Position: "P1", Number: number(1), State: multe.CodeVoid, Device: "D1", Lease: "L1", Verbale: "V1",
				Reason: "161", UpstreamCents: 99_999_999_999, UpstreamDebtor: true,
				UpstreamEnd: multe.Day{Year: 2026, Month: 12, Day: 31}, UpstreamID: "01234_0000_1", Payable: noon, Changed: noon}
		}, func(r *multe.Code) *uint64 { return &r.Version }, store.Tx.PutCode,
			func(r store.Reader) (multe.Code, error) { return r.Code(c, "P1") }, nil),
		kindOf("lease", func() multe.Lease {
			return multe.Lease{Creditor: c, Device: "D1", ID: "L1", Want: 3, Positions: []multe.PositionID{"P2", "P1"}, At: noon, Used: 12, Counted: true}
		}, func(r *multe.Lease) *uint64 { return &r.Version }, store.Tx.PutLease,
			func(r store.Reader) (multe.Lease, error) { return r.Lease(c, "D1", "L1") },
			func(r *multe.Lease) { r.Positions[0] = "scribble" }),
		kindOf("verbale", func() multe.Verbale {
			v := verbale(c, "V1")
			v.State, v.Reissued, v.Reason = multe.VerbaleFinalised, "P3", "Autotutela: targa errata"
			v.Slip.Full = &multe.SlipCode{Position: "P2", Number: number(2)}
			day := multe.Day{Year: 2024, Month: 2, Day: 29}
			v.Record = &multe.Record{Register: "V/2026/17", Cents: 8700, Causale: "Verbale CdS n. 17", Debtor: debtor(), Policy: multe.DebtorReset, At: noon,
				On: day, Violation: "7158", Fine: &multe.Fine{Reduced: 4200, Discounted: 2940, Late: 8650}, CostsCents: 1420, By: "operator:O1", Why: "Refuso",
				Notification: &multe.Notification{How: multe.NotifiedGiacenza, Day: day, Notified: day.Plus(10)},
				Steps:        []multe.Step{{Cents: 4360, LastDay: day.Plus(15)}, {Cents: 5620}}}
			v.History = []multe.Record{{Register: "V/2026/16", Cents: 1, At: noon}}
			v.Appeals = []multe.Appeal{{Authority: multe.AuthorityPrefetto, Number: "12/2026", Day: day, By: "operator:O1",
				Ruling: &multe.Ruling{Verdetto: multe.RicorsoRespinto, Day: day, Number: "13", Cents: 8400, LastDay: day.Plus(30), By: "operator:O2"}}}
			v.Cancellation = &multe.Cancellation{Kind: multe.CancelAutotutela, Cause: "targa-errata", Reason: "Targa", By: "operator:O1", At: noon, Approved: "operator:O2"}
			v.Priced = day
			return v
		}, func(r *multe.Verbale) *uint64 { return &r.Version }, store.Tx.PutVerbale,
			func(r store.Reader) (multe.Verbale, error) { return r.Verbale(c, "V1") },
			func(r *multe.Verbale) {
				r.Slip.Steps[0].Cents, r.Record.Debtor.CF, r.Record.Register = 1, "scribble", "scribble"
				r.Slip.Full.Position = "scribble"
				r.Record.Fine.Late, r.Record.Notification.How, r.Record.Steps[0].Cents = 1, "scribble", 1
				r.History[0].Register, r.Appeals[0].Ruling.Number, r.Cancellation.Reason = "scribble", "scribble", "scribble"
			}),
		kindOf("change", func() multe.Change {
			return multe.Change{Creditor: c, Position: "P1", Seq: 12, Kind: multe.ChangeUpdate, State: multe.ChangeUnknown, Verbale: "V1", Batch: "B1",
				Want: multe.Desired{Cents: 8700, Causale: "Verbale CdS n. 17", References: []multe.Reference{{Name: "Verbale n.", Value: "17 \\ \"x\""}},
					Debtor: debtor(), Reason: "autotutela", ValidTo: multe.Day{Year: 2026, Month: 12, Day: 31}},
				Route: multe.RouteREST, Upstream: "01234_0000_1", Tries: 4, NotBefore: noon, Code: "175", Created: noon, Changed: noon}
		}, func(r *multe.Change) *uint64 { return &r.Version }, store.Tx.PutChange,
			func(r store.Reader) (multe.Change, error) { return r.Change(c, "P1-0012") },
			func(r *multe.Change) { r.Want.References[0].Value, r.Want.Debtor.Surname = "scribble", "scribble" }),
		kindOf("batch", func() multe.Batch {
			return multe.Batch{Creditor: c, ID: "B1", Operation: multe.OperationUpdate, State: multe.BatchQueued, Body: []byte("<a>\x00\xff</a>"),
				Changes: []multe.ChangeID{"P1-0012", "P2-0001"}, Attempts: 2, NotBefore: noon, Code: "150", Sealed: noon, Changed: noon}
		}, func(r *multe.Batch) *uint64 { return &r.Version }, store.Tx.PutBatch,
			func(r store.Reader) (multe.Batch, error) { return r.Batch(c, "B1") },
			func(r *multe.Batch) { r.Body[0], r.Changes[0] = '?', "scribble" }),
		kindOf("payment", pay, func(r *multe.Payment) *uint64 { return &r.Version }, store.Tx.PutPayment,
			func(r store.Reader) (multe.Payment, error) { return r.Payment(c, "01000000000000123", "IUR-1") },
			func(r *multe.Payment) { r.Payer.CF = "scribble" }),
		kindOf("receipt", func() multe.Receipt {
			r := receipt(c, "01000000000000123", "<RT>\x00\xff</RT>")
			r.ID, r.Outcome, r.Cents, r.IUR, r.PSP, r.PSPName = "TRT1", "0", 4200, "IUR-1", "BCITITMM", "Intesa Sanpàolo"
			r.PaidOn, r.Message = multe.Day{Year: 2024, Month: 2, Day: 29}, "M1"
			return r
		}, func(r *multe.Receipt) *uint64 { return &r.Version }, store.Tx.PutReceipt,
			func(r store.Reader) (multe.Receipt, error) {
				return r.Receipt(c, "01000000000000123", digest("<RT>\x00\xff</RT>"))
			},
			func(r *multe.Receipt) { r.XML[0] = '?' }),
		kindOf("revocation", func() multe.Revocation {
			return multe.Revocation{Creditor: c, IUV: "01000000000000123", ID: "RR1", Type: "0", Cents: 4200, Reason: "Storno «richiesto»", IUR: "IUR-1",
				PSP: "BCITITMM", PSPName: "Intesa Sanpàolo", AskedOn: multe.Day{Year: 2024, Month: 2, Day: 29}, Message: "M1", Received: noon}
		}, func(r *multe.Revocation) *uint64 { return &r.Version }, store.Tx.PutRevocation,
			func(r store.Reader) (multe.Revocation, error) { return r.Revocation(c, "01000000000000123", "RR1") }, nil),
		kindOf("expiry", func() multe.Expiry {
			return multe.Expiry{Creditor: c, IUV: "01000000000000123", DueOn: multe.Day{Year: 2024, Month: 2, Day: 29}, Cents: 4200, Message: "M1", Received: noon}
		}, func(e *multe.Expiry) *uint64 { return &e.Version }, store.Tx.PutExpiry,
			func(r store.Reader) (multe.Expiry, error) {
				return r.Expiry(c, "01000000000000123", multe.Day{Year: 2024, Month: 2, Day: 29})
			}, nil),
		kindOf("flusso", func() multe.Flusso {
			f := flusso(c, "F1", multe.Day{Year: 2024, Month: 2, Day: 29})
			f.FlussoHead = multe.FlussoHead{Kind: multe.FlussoCompleto, PSP: "ABI1", PSPName: "Banca d'Italià", Name: "2026-03-29ABI1", TRN: "TRN/1", SettledOn: f.SettledOn,
				Count: 3, Cents: 12600, Undeclared: true, QuotaCents: -4200, Unread: 1}
			f.Lines, f.LinesCents, f.Digest, f.Message, f.Copies = 2, -4200, digest("flow"), "M1", []multe.MessageID{"M0", "M1"}
			return f
		}, func(f *multe.Flusso) *uint64 { return &f.Version }, store.Tx.PutFlusso,
			func(r store.Reader) (multe.Flusso, error) { return r.Flusso(c, "F1") },
			func(f *multe.Flusso) { f.Copies[0] = "scribble" }),
		kindOf("flusso line", func() multe.FlussoLine {
			return multe.FlussoLine{Creditor: c, Flusso: "F1", N: 2, FlussoRow: multe.FlussoRow{IUV: "01000000000000123", IUR: "IUR-1", Index: 1, Cents: -4200,
				Outcome: multe.FlussoRevoked, PaidOn: multe.Day{Year: 2024, Month: 2, Day: 29}, CodiceVersamento: "ZZ01", Capitolo: "3020", Articolo: "1", PdC: "E.3",
				AccertamentoYear: 2024, AccertamentoNumber: 77}}
		}, func(l *multe.FlussoLine) *uint64 { return &l.Version }, store.Tx.PutFlussoLine,
			func(r store.Reader) (multe.FlussoLine, error) {
				ls, err := r.FlussoLines(c, "F1", 1, 1)
				if err == nil && len(ls) == 0 {
					err = fault.NotFound
				}
				return append(ls, multe.FlussoLine{})[0], err
			}, nil),
		kindOf("message", func() multe.Message { return message("M-" + string(c)) },
			func(r *multe.Message) *uint64 { return &r.Version }, store.Tx.PutMessage,
			func(r store.Reader) (multe.Message, error) { return r.Message(multe.MessageID("M-" + c)) },
			func(r *multe.Message) { r.Raw[0] = '?' }),
		kindOf("webhook", func() multe.Webhook {
			return multe.Webhook{Creditor: c, ID: "W1", URL: "https://comune.example/eventi", Families: []string{"payment", "verbale"}, Secret: "whsec_a", Before: "whsec_b", BeforeUntil: noon,
				State: multe.WebhookPaused, Cursor: 7, Tries: 3, Failing: noon, NotBefore: noon, Status: 503, Told: noon, Changed: noon}
		}, func(r *multe.Webhook) *uint64 { return &r.Version }, store.Tx.PutWebhook,
			func(r store.Reader) (multe.Webhook, error) { return r.Webhook(c, "W1") },
			func(r *multe.Webhook) { r.Families[0] = "scribble" }),
		kindOf("discrepancy", func() multe.Discrepancy {
			return multe.Discrepancy{Creditor: c, ID: "payment.double:30100", Kind: "payment.double", Subject: "30100",
				Detail: "Il codice è stato pagato due volte.", Count: 7, Open: true, Opened: noon, Changed: noon,
				Taken:  multe.Taking{By: "operator:O1", At: noon},
				Closed: multe.Closure{By: "operator:O2", Outcome: multe.WorkKept, Note: "Visto.\nResta così.", At: noon}}
		}, func(r *multe.Discrepancy) *uint64 { return &r.Version }, store.Tx.PutDiscrepancy,
			func(r store.Reader) (multe.Discrepancy, error) { return r.Discrepancy(c, "payment.double:30100") }, nil),
	})
}

func auditEntry(c multe.CreditorID, p multe.PositionID, action string) multe.AuditEntry {
	return multe.AuditEntry{Creditor: c, At: noon, Actor: "operator:O1", Action: action, Position: p, Subject: "verbale:V1",
		From: "issued", To: "void", Code: "161"}
}

// update and view fail the test on any error: for steps that are not the point.
func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s store.Store, fn func(store.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}
