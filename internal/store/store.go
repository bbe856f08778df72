// Package store is the contract between the use cases and whatever keeps their
// records.
//
// # Transactions
//
// A transaction function may run more than once, for a backend may have to
// repeat it; it must therefore set its results anew each time, must not call the
// Store again, and does no I/O of its own. If it returns an error, or its context
// ends before the commit, nothing it put is kept. When Update returns nil, what
// was put survives the end of the process and of the machine's power.
//
// # Records
//
// Every record carries a Version. A put states the version it makes: 1 for a new
// record, else one more than what is stored. A put that is out of step is a
// fault.Conflict; a put of version 2 or more on a record that does not exist is a
// fault.NotFound. Records are copies: changing one changes nothing stored.
// Strings are valid UTF-8 without NUL; times are UTC in whole microseconds.
//
// # Scans
//
// Every scan takes where to go on (exclusive; the zero value means from the
// start) and a limit, at most [MaxPage]. Order is that of the bytes of the key,
// on every backend.
//
// # Errors
//
// Reads of a missing record are fault.NotFound. fault.Unavailable means that
// nothing was decided and the same call may be repeated. The store never reports
// a success it cannot keep: a backend that cannot tell whether a commit happened
// ends the process (reliability-security.md 0.6), and the restart reads the truth.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// MaxPage is the largest limit of a scan: a page is held in memory whole.
const MaxPage = 1000

// Store keeps records. Its methods may be called from many goroutines.
type Store interface {
	// View runs fn on a consistent snapshot.
	View(ctx context.Context, fn func(Reader) error) error
	// Update runs fn and commits what it put, all or nothing.
	Update(ctx context.Context, fn func(Tx) error) error
	// Close waits for what is running, then releases the store.
	Close() error
}

// Backuper is a store that can write a consistent copy of itself while it works.
type Backuper interface {
	Backup(ctx context.Context, w io.Writer) error
}

// Reader reads records. All are of one creditor, except where no creditor is
// asked for. It must not be used after its function returned.
type Reader interface {
	Creditor(id multe.CreditorID) (multe.Creditor, error)
	// Creditors lists all, by id.
	Creditors(after multe.CreditorID, limit int) ([]multe.Creditor, error)

	Operator(c multe.CreditorID, id multe.OperatorID) (multe.Operator, error)
	// OperatorByToken finds who holds a token, in any creditor.
	OperatorByToken(token multe.Digest) (multe.Operator, error)
	// OperatorByLogin finds a person, in any creditor.
	OperatorByLogin(login string) (multe.Operator, error)
	// OperatorByInvite finds whom a one-time code is for, in any creditor.
	OperatorByInvite(code multe.Digest) (multe.Operator, error)
	// OperatorBySubject finds a person by what an OpenID Connect provider calls
	// them, in any creditor.
	OperatorBySubject(issuer, subject string) (multe.Operator, error)
	Operators(c multe.CreditorID, after multe.OperatorID, limit int) ([]multe.Operator, error)

	// SessionByToken finds a session that has not ended, in any creditor.
	SessionByToken(token multe.Digest) (multe.Session, error)
	// SessionsOf lists the sessions of a person by N, those that have ended too.
	SessionsOf(c multe.CreditorID, o multe.OperatorID) ([]multe.Session, error)

	Device(c multe.CreditorID, id multe.DeviceID) (multe.Device, error)
	// DeviceByToken finds who holds a token, in any creditor.
	DeviceByToken(token multe.Digest) (multe.Device, error)
	// DeviceByInvite finds whom an enrolment code is for, in any creditor.
	DeviceByInvite(code multe.Digest) (multe.Device, error)
	Devices(c multe.CreditorID, after multe.DeviceID, limit int) ([]multe.Device, error)

	Code(c multe.CreditorID, p multe.PositionID) (multe.Code, error)
	// CodeByIUV finds the code whose number contains an IUV.
	CodeByIUV(c multe.CreditorID, iuv string) (multe.Code, error)
	// CodesIn lists the codes in a state, oldest position first.
	CodesIn(c multe.CreditorID, s multe.CodeState, after multe.PositionID, limit int) ([]multe.Code, error)
	// CodesOf lists the codes of a device in a state, oldest position first.
	CodesOf(c multe.CreditorID, d multe.DeviceID, s multe.CodeState, after multe.PositionID, limit int) ([]multe.Code, error)
	// CountCodesOf counts the codes of a device by state; absent means none.
	CountCodesOf(c multe.CreditorID, d multe.DeviceID) (map[multe.CodeState]int, error)
	// CountCodes counts the codes of a creditor by state; absent means none.
	CountCodes(c multe.CreditorID) (map[multe.CodeState]int, error)
	Lease(c multe.CreditorID, d multe.DeviceID, id multe.LeaseID) (multe.Lease, error)
	// LeasesOf lists the leases of a device, by id.
	LeasesOf(c multe.CreditorID, d multe.DeviceID, after multe.LeaseID, limit int) ([]multe.Lease, error)

	Verbale(c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, error)
	// VerbaleByRegister finds a recorded verbale by its register number.
	VerbaleByRegister(c multe.CreditorID, register string) (multe.Verbale, error)
	// Verbali lists all, by id.
	Verbali(c multe.CreditorID, after multe.VerbaleID, limit int) ([]multe.Verbale, error)
	// VerbaliOf lists those that a device issued, by id.
	VerbaliOf(c multe.CreditorID, d multe.DeviceID, after multe.VerbaleID, limit int) ([]multe.Verbale, error)

	// VerbaliByPlate lists those of a plate, by id.
	VerbaliByPlate(c multe.CreditorID, plate multe.Plate, after multe.VerbaleID, limit int) ([]multe.Verbale, error)
	// VerbaliIn lists those in a state, by id.
	VerbaliIn(c multe.CreditorID, s multe.VerbaleState, after multe.VerbaleID, limit int) ([]multe.Verbale, error)
	// VerbaliDue lists those whose amount is to change by itself, by the instant
	// when the platform must be told ([multe.Verbale.NextStep]), then id. The
	// cursor is the last verbale of the page before, or the zero Verbale.
	VerbaliDue(c multe.CreditorID, after multe.Verbale, limit int) ([]multe.Verbale, error)
	// CountVerbali counts the verbali of a creditor by state; absent means none.
	CountVerbali(c multe.CreditorID) (map[multe.VerbaleState]int, error)

	// SlipMarks lists the verbali of a device by Seq, greater than after: in the
	// order of the last put of each, of one of its codes or of a change about them.
	// What is put after a page was read has a greater Seq than that page, so a
	// reader who goes on from there misses nothing.
	SlipMarks(c multe.CreditorID, d multe.DeviceID, after uint64, limit int) ([]multe.SlipMark, error)

	Photo(c multe.CreditorID, d multe.DeviceID, id multe.PhotoID) (multe.Photo, error)
	// PhotosOf lists the photos that a device declared for a verbale, by id.
	PhotosOf(c multe.CreditorID, d multe.DeviceID, v multe.VerbaleID, after multe.PhotoID, limit int) ([]multe.Photo, error)
	// PhotosIn lists the photos in a state by Declared, then device and id. The
	// cursor is the last photo of the page before, or the zero Photo.
	PhotosIn(c multe.CreditorID, s multe.PhotoState, after multe.Photo, limit int) ([]multe.Photo, error)
	// CountOpenPhotos counts the photos of a device that are uploading or waiting.
	CountOpenPhotos(c multe.CreditorID, d multe.DeviceID) (int, error)
	// PhotoChunks lists the chunks of a photo by N, greater than after.
	PhotoChunks(c multe.CreditorID, d multe.DeviceID, id multe.PhotoID, after int, limit int) ([]multe.PhotoChunk, error)

	Bulletin(c multe.CreditorID, id multe.BulletinID) (multe.Bulletin, error)
	// Bulletins lists all, by id.
	Bulletins(c multe.CreditorID, after multe.BulletinID, limit int) ([]multe.Bulletin, error)
	// BulletinsFor lists those written to a device ("" lists those to all) that
	// expire after an instant, by expiry then id.
	BulletinsFor(c multe.CreditorID, d multe.DeviceID, expire time.Time, limit int) ([]multe.Bulletin, error)
	BulletinRead(c multe.CreditorID, id multe.BulletinID, d multe.DeviceID) (multe.BulletinRead, error)
	// BulletinReads lists who has read a bulletin, by device.
	BulletinReads(c multe.CreditorID, id multe.BulletinID, after multe.DeviceID, limit int) ([]multe.BulletinRead, error)

	Change(c multe.CreditorID, id multe.ChangeID) (multe.Change, error)
	// ChangesOf lists the changes of a position by Seq, greater than after.
	ChangesOf(c multe.CreditorID, p multe.PositionID, after int, limit int) ([]multe.Change, error)
	// ChangesIn lists the changes in a state by NotBefore, then id. The cursor is
	// the last change of the page before, or the zero Change.
	ChangesIn(c multe.CreditorID, s multe.ChangeState, after multe.Change, limit int) ([]multe.Change, error)

	Batch(c multe.CreditorID, id multe.BatchID) (multe.Batch, error)
	BatchesIn(c multe.CreditorID, s multe.BatchState, after multe.BatchID, limit int) ([]multe.Batch, error)

	Payment(c multe.CreditorID, iuv, iur string) (multe.Payment, error)
	// PaymentsOf lists the payments of an IUV, by IUR.
	PaymentsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Payment, error)
	// Payments lists all, by arrival then IUV and IUR. The cursor is the last
	// payment of the page before, or the zero Payment.
	Payments(c multe.CreditorID, after multe.Payment, limit int) ([]multe.Payment, error)

	Receipt(c multe.CreditorID, iuv string, xml multe.Digest) (multe.Receipt, error)
	// ReceiptsOf lists the receipts of an IUV, by digest; "" lists those that do
	// not tell theirs.
	ReceiptsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Receipt, error)
	Revocation(c multe.CreditorID, iuv, id string) (multe.Revocation, error)
	// RevocationsOf lists the revocations of an IUV, by id.
	RevocationsOf(c multe.CreditorID, iuv string, limit int) ([]multe.Revocation, error)
	Expiry(c multe.CreditorID, iuv string, due multe.Day) (multe.Expiry, error)
	// ExpiriesOf lists the expiries of an IUV, by day; no day comes first.
	ExpiriesOf(c multe.CreditorID, iuv string, limit int) ([]multe.Expiry, error)

	Flusso(c multe.CreditorID, id multe.FlussoID) (multe.Flusso, error)
	// Flussi lists all, by Day then id. The cursor is the last flow of the page
	// before, or the zero Flusso.
	Flussi(c multe.CreditorID, after multe.Flusso, limit int) ([]multe.Flusso, error)
	// FlussoLines lists the lines of a flow by N, greater than after; those that
	// are gone too.
	FlussoLines(c multe.CreditorID, id multe.FlussoID, after int, limit int) ([]multe.FlussoLine, error)
	// FlussoLinesOf lists the lines of an IUV in any flow, by flow then N; not
	// those that are gone.
	FlussoLinesOf(c multe.CreditorID, iuv string, limit int) ([]multe.FlussoLine, error)

	Document(c multe.CreditorID, kind multe.DocumentKind, n uint64) (multe.Document, error)
	// CountDocuments is the N of the last one, 0 if there is none. It reads no body.
	CountDocuments(c multe.CreditorID, kind multe.DocumentKind) (uint64, error)
	// LastDocument is the one that was put last, in force or not.
	LastDocument(c multe.CreditorID, kind multe.DocumentKind) (multe.Document, error)
	MoneyReader
	PrintReader
	IdempotencyReader

	// Message reads one message of any creditor: it is stored before anybody
	// knows whose it is.
	Message(id multe.MessageID) (multe.Message, error)
	MessagesIn(s multe.MessageState, after multe.MessageID, limit int) ([]multe.Message, error)

	Discrepancy(c multe.CreditorID, id string) (multe.Discrepancy, error)
	// Discrepancies lists the open ones, or the closed ones, by id.
	Discrepancies(c multe.CreditorID, open bool, after string, limit int) ([]multe.Discrepancy, error)

	Webhook(c multe.CreditorID, id multe.WebhookID) (multe.Webhook, error)
	Webhooks(c multe.CreditorID, after multe.WebhookID, limit int) ([]multe.Webhook, error)

	// LastAudit is the Seq of the last line of a creditor's history, 0 if there is
	// none.
	LastAudit(c multe.CreditorID) (uint64, error)
	// Audit lists the history of a position ("" lists all of the creditor), in
	// the order it happened, with Seq greater than after.
	Audit(c multe.CreditorID, p multe.PositionID, after uint64, limit int) ([]multe.AuditEntry, error)
}

// Tx reads and writes. What it put it reads back at once.
//
// These are unique and a put that would repeat one is a fault.Conflict: an
// operator's, a device's and a session's token, an operator's and a device's
// invite, an operator's login and OpenID Connect subject, a code's IUV and a
// verbale's position and register number within a creditor.
type Tx interface {
	Reader

	PutCreditor(multe.Creditor) error
	PutOperator(multe.Operator) error
	PutSession(multe.Session) error
	PutDevice(multe.Device) error
	PutCode(multe.Code) error
	PutLease(multe.Lease) error
	PutVerbale(multe.Verbale) error
	PutChange(multe.Change) error
	PutBatch(multe.Batch) error
	PutPayment(multe.Payment) error
	PutReceipt(multe.Receipt) error
	PutRevocation(multe.Revocation) error
	PutExpiry(multe.Expiry) error
	PutFlusso(multe.Flusso) error
	PutFlussoLine(multe.FlussoLine) error
	// PutDocument adds a document; one that is there is never changed.
	PutDocument(multe.Document) error
	MoneyWriter
	PrintWriter
	IdempotencyWriter
	PutMessage(multe.Message) error
	PutPhoto(multe.Photo) error
	PutPhotoChunk(multe.PhotoChunk) error
	PutBulletin(multe.Bulletin) error
	PutBulletinRead(multe.BulletinRead) error
	PutDiscrepancy(multe.Discrepancy) error
	PutWebhook(multe.Webhook) error
	// AppendAudit adds a line to the history and gives it its Seq.
	AppendAudit(multe.AuditEntry) error
}

// Each calls fn for every record that a scan lists, page by page, until fn or
// the scan fails. next reads the page after its argument.
func Each[T, C any](next func(after C) ([]T, error), cursor func(T) C, fn func(T) error) error {
	var after C
	for {
		page, err := next(after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			if err := fn(r); err != nil {
				return err
			}
		}
		after = cursor(page[len(page)-1])
	}
}

// AllCreditors lists every creditor. They are few: a supplier serves hundreds of
// towns at most.
func AllCreditors(ctx context.Context, s Store) ([]multe.Creditor, error) {
	var creditors []multe.Creditor
	err := s.View(ctx, func(r Reader) error {
		creditors = nil
		return Each(func(after multe.CreditorID) ([]multe.Creditor, error) { return r.Creditors(after, MaxPage) },
			func(c multe.Creditor) multe.CreditorID { return c.ID },
			func(c multe.Creditor) error { creditors = append(creditors, c); return nil })
	})
	if err != nil {
		return nil, fmt.Errorf("listing creditors: %w", err)
	}
	return creditors, nil
}

// Report opens a discrepancy, or counts it up if it is known. It belongs in the
// transaction of what it is about.
func Report(tx Tx, c multe.CreditorID, kind, subject, detail string, at time.Time) error {
	d := multe.NewDiscrepancy(c, kind, subject, detail, at)
	known, err := tx.Discrepancy(c, d.ID)
	switch {
	case err == nil:
		return tx.PutDiscrepancy(known.Again(detail, at))
	case errors.Is(err, fault.NotFound):
		return tx.PutDiscrepancy(d)
	}
	return err
}

// DocumentOn returns the document of a kind that is in force on a day. None is a
// fault.NotFound.
func DocumentOn(r Reader, c multe.CreditorID, kind multe.DocumentKind, day multe.Day) (multe.Document, error) {
	d, err := r.LastDocument(c, kind)
	for err == nil && d.From.Compare(day) > 0 {
		d, err = r.Document(c, kind, d.N-1)
	}
	return d, err
}
