package prints

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// Spool keeps the outputs of jobs while they are made and until they are fetched.
// Names are of letters, digits and dashes. What is not there is a
// [fault.NotFound].
type Spool interface {
	// Open opens an output to go on from size: what is behind is cut off. One that
	// is shorter is not there; with size 0 it is made.
	Open(name string, size int64) (Output, error)
	// Keep keeps checkpoint n of an output, durable when it returns; Checkpoint
	// reads it, and Forget drops it.
	Keep(name string, n int, checkpoint []byte) error
	Checkpoint(name string, n int) ([]byte, error)
	Forget(name string, n int) error
	// Read opens an output to be read, and tells its size.
	Read(name string) (io.ReadSeekCloser, int64, error)
	// Remove removes an output and its checkpoints, if they are there.
	Remove(name string) error
	// Names lists the outputs that there are, whole or not.
	Names() ([]string, error)
}

// Output is an output being written.
type Output interface {
	io.WriteCloser
	Sync() error // makes what was written durable
}

// Prints prints acts. Its methods may be called from many goroutines, but Run from
// one only.
type Prints struct {
	store  store.Store
	spool  Spool
	now    func() time.Time
	random io.Reader
	nudge  func()
	docs   docs
	chunk  int

	draw func(pdf.Document, texts.Set) ([]byte, [sha256.Size]byte, error)
	add  func(*pdf.Batch, pdf.Document, texts.Set, string) ([sha256.Size]byte, error)
}

// New returns a Prints. nudge is called, outside any transaction, when there is a
// job for Run. It must not block.
func New(s store.Store, spool Spool, now func() time.Time, random io.Reader, nudge func()) *Prints {
	return &Prints{store: s, spool: spool, now: now, random: random, nudge: nudge, chunk: chunk, draw: pdf.DrawPages, add: (*pdf.Batch).AddWith}
}

// ready is a print that can be drawn.
type ready struct {
	print   multe.Print
	sources sources
	verbale multe.Verbale
}

func (r ready) sheet() pdf.Document { return sheet(r.print, r.sources, r.verbale) }

// prepare freezes an act and reads what it is made from.
func (p *Prints) prepare(r store.Reader, v multe.Verbale, kind multe.PrintKind, language string, at time.Time) (ready, error) {
	frozen, err := p.docs.freeze(r, v, kind, language, at)
	if err != nil {
		return ready{}, err
	}
	return p.read(r, frozen, v)
}

// read reads what a print was made from.
func (p *Prints) read(r store.Reader, print multe.Print, v multe.Verbale) (ready, error) {
	made := v.Slip.IssuedAt
	if print.Kind != multe.PrintPreavviso {
		made = print.Face.Drawn
	}
	s, err := p.docs.of(r, print.Creditor, print.Sources, made)
	return ready{print, s, v}, err
}

// Look draws a paper of an act as it would be printed now, for a screen: nothing
// is counted as printed. One that was printed before says «ristampa», but for the
// preavviso, which is shown as it was left. The look is in the history.
func (p *Prints) Look(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, kind multe.PrintKind, language string) ([]byte, error) {
	if err := multe.ValidPrint(kind, language); err != nil {
		return nil, err
	}
	at := multe.Instant(p.now())
	var act ready
	err := p.store.View(ctx, func(r store.Reader) error {
		v, err := findVerbale(r, c, id)
		if err != nil {
			return err
		}
		act, err = p.prepare(r, v, kind, language, at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking at a print: %w", err)
	}
	if kind == multe.PrintPreavviso {
		act.print.Copy = 1
	}
	doc, _, err := p.draw(act.sheet(), act.sources.texts)
	if err != nil {
		return nil, p.refused(ctx, actor, act.verbale, err)
	}
	if kind == multe.PrintPreavviso { // it has always been there to be looked at
		return doc, nil
	}
	err = p.store.Update(ctx, func(tx store.Tx) error {
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "print.looked", Position: act.verbale.Slip.Position, Subject: string(id), To: string(kind)})
	})
	return doc, err
}

// maxTries is how often a print is begun again because another of the same act
// came between: two clerks at one counter.
const maxTries = 5

// Print prints a paper of an act and keeps what it was made from. id is made by the
// caller: the same id gives the same bytes, with other wishes it is a
// [fault.Conflict]. From the second print on the paper says «ristampa».
func (p *Prints) Print(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID, v multe.VerbaleID, kind multe.PrintKind, language string) (multe.Print, []byte, error) {
	if err := multe.ValidPrint(kind, language); err != nil {
		return multe.Print{}, nil, err
	}
	if !multe.ValidID(string(id)) {
		return multe.Print{}, nil, fault.New(fault.Invalid, "print.bad_id", "L'identificativo della stampa deve essere un UUID di 32 cifre esadecimali minuscole.")
	}
	if err := p.keepCreditor(ctx, actor, c); err != nil {
		return multe.Print{}, nil, err
	}
	for range maxTries {
		print, doc, err := p.print(ctx, actor, c, id, v, kind, language)
		if !errors.Is(err, errOvertaken) {
			return print, doc, err
		}
	}
	return multe.Print{}, nil, fault.New(fault.Unavailable, "print.busy", "Lo stesso atto è in stampa anche altrove: ripetere.")
}

// errOvertaken means that the act was printed while we were drawing it.
var errOvertaken = errors.New("printed in the meantime")

func (p *Prints) print(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID, v multe.VerbaleID, kind multe.PrintKind, language string) (multe.Print, []byte, error) {
	at := multe.Instant(p.now())
	var act ready
	known := false
	err := p.store.View(ctx, func(r store.Reader) error {
		verbale, err := findVerbale(r, c, v)
		if err != nil {
			return err
		}
		old, err := r.Print(c, id)
		switch {
		case err == nil && (old.Verbale != v || old.Kind != kind || old.Language != language && language != "it"):
			return fault.New(fault.Conflict, "print.other_request", "Una stampa con lo stesso identificativo è già stata chiesta per altro.")
		case err == nil:
			known = true
			act, err = p.read(r, old, verbale)
			return err
		case !errors.Is(err, fault.NotFound):
			return err
		}
		known = false
		act, err = p.prepare(r, verbale, kind, language, at)
		return err
	})
	if err != nil {
		return multe.Print{}, nil, fmt.Errorf("printing an act: %w", err)
	}
	doc, pages, err := p.draw(act.sheet(), act.sources.texts)
	if err != nil {
		return multe.Print{}, nil, p.refused(ctx, actor, act.verbale, err)
	}
	if known {
		return act.print, doc, same(act.print, pages)
	}
	act.print.ID, act.print.Actor = id, actor
	act.print = drawn(act.print, pages)
	if err := p.store.Update(ctx, func(tx store.Tx) error { return record(tx, act.print, act.verbale) }); err != nil {
		return multe.Print{}, nil, fmt.Errorf("keeping a print: %w", err)
	}
	return act.print, doc, nil
}

// drawn is a print of which the pages are known.
func drawn(print multe.Print, pages [sha256.Size]byte) multe.Print {
	print.Drawing, print.Digest, print.Version = pdf.Drawing, pages, 1
	return print
}

// record keeps a print, if it still is the one it says it is, and writes it into
// the history.
func record(tx store.Tx, print multe.Print, v multe.Verbale) error {
	n, err := tx.CountPrints(print.Creditor, print.Verbale, print.Kind)
	if err != nil {
		return err
	}
	if n != print.Copy-1 {
		return errOvertaken
	}
	if err := tx.PutPrint(print); err != nil {
		return err
	}
	which := "first"
	if print.Reprint() {
		which = "reprint"
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: print.Creditor, At: print.At, Actor: print.Actor, Action: "print." + string(print.Kind),
		Position: v.Slip.Position, Subject: string(print.ID), From: string(print.Job), To: which})
}

// notReproduced is the code of a print that comes out otherwise than it did. As a
// problem of a job package multe writes it too.
const notReproduced = "print.not_reproduced"

// same refuses pages that are not those that were printed.
func same(print multe.Print, pages [sha256.Size]byte) error {
	if print.Digest == pages {
		return nil
	}
	return fault.New(fault.Conflict, notReproduced, fmt.Sprintf("La stampa rifatta non è identica all'originale: è stata disegnata con la versione %d del disegno, questa è la %d.", print.Drawing, pdf.Drawing))
}

// Again draws a print again, byte for byte as it was: for evidence. It is in the
// history, and is no new print; for one to send see Print.
func (p *Prints) Again(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID) (multe.Print, []byte, error) {
	var act ready
	err := p.store.View(ctx, func(r store.Reader) error {
		print, err := findPrint(r, c, id)
		if err != nil {
			return err
		}
		v, err := findVerbale(r, c, print.Verbale)
		if err != nil {
			return err
		}
		act, err = p.read(r, print, v)
		return err
	})
	if err != nil {
		return multe.Print{}, nil, fmt.Errorf("printing again: %w", err)
	}
	doc, pages, err := p.draw(act.sheet(), act.sources.texts)
	if err != nil {
		return multe.Print{}, nil, p.refused(ctx, actor, act.verbale, err)
	}
	if err := same(act.print, pages); err != nil {
		return multe.Print{}, nil, err
	}
	at := multe.Instant(p.now())
	err = p.store.Update(ctx, func(tx store.Tx) error {
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "print.again", Position: act.verbale.Slip.Position, Subject: string(id)})
	})
	return act.print, doc, err
}

// Get returns a print.
func (p *Prints) Get(ctx context.Context, c multe.CreditorID, id multe.PrintID) (multe.Print, error) {
	var print multe.Print
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		print, err = findPrint(r, c, id)
		return err
	})
	return print, err
}

// Of lists the prints of a verbale by id, after the given one, at most limit
// (≤ [store.MaxPage]).
func (p *Prints) Of(ctx context.Context, c multe.CreditorID, v multe.VerbaleID, after multe.PrintID, limit int) ([]multe.Print, error) {
	var list []multe.Print
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		if _, err = findVerbale(r, c, v); err != nil {
			return err
		}
		list, err = r.PrintsOf(c, v, after, limit)
		return err
	})
	return list, err
}

// Slip returns what a preavviso says, to be drawn on thermal paper by draw, with
// the creditor and the texts of its day. For device ("" is the office) it must be
// one of its own. A slip for a device is in the history.
func (p *Prints) Slip(ctx context.Context, actor string, c multe.CreditorID, device multe.DeviceID, id multe.VerbaleID, reprint bool, draw func(pdf.Notice, texts.Set) ([]byte, error)) ([]byte, error) {
	var act ready
	err := p.store.View(ctx, func(r store.Reader) error {
		v, err := findVerbale(r, c, id)
		if err != nil {
			return err
		}
		if device != "" && v.Device != device {
			return errUnknownVerbale()
		}
		act, err = p.prepare(r, v, multe.PrintPreavviso, "", multe.Instant(p.now()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("printing a slip: %w", err)
	}
	out, err := draw(noticeOf(act.sources, act.verbale.Slip, reprint), act.sources.texts)
	if err != nil {
		return nil, p.refused(ctx, actor, act.verbale, err)
	}
	if device == "" {
		return out, nil
	}
	which := "first"
	if reprint {
		which = "reprint"
	}
	at := multe.Instant(p.now())
	err = p.store.Update(ctx, func(tx store.Tx) error {
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "print.slip", Position: act.verbale.Slip.Position, Subject: string(id), To: which})
	})
	return out, err
}

// selfCheck is the code of a print that does not read back as what it says.
const selfCheck = "print.self_check"

// refused returns err. If the print did not read back as what it says, a person is
// told too.
func (p *Prints) refused(ctx context.Context, actor string, v multe.Verbale, err error) error {
	err = fmt.Errorf("drawing: %w", err)
	if fault.Of(err).Code != selfCheck {
		return err
	}
	at := multe.Instant(p.now())
	return errors.Join(err, p.store.Update(ctx, func(tx store.Tx) error { return reportSelfCheck(tx, actor, v, at) }))
}

func reportSelfCheck(tx store.Tx, actor string, v multe.Verbale, at time.Time) error {
	if err := tx.AppendAudit(multe.AuditEntry{Creditor: v.Creditor, At: at, Actor: actor, Action: selfCheck, Position: v.Slip.Position, Subject: string(v.Slip.ID)}); err != nil {
		return err
	}
	return store.Report(tx, v.Creditor, selfCheck, string(v.Slip.ID),
		"Una stampa è stata rifiutata: riletta prima di uscire, non corrispondeva a quanto doveva dire. Non è uscito nulla e l'atto resta com'è. Riprovare; se si ripete, è un difetto del programma: segnalarlo all'assistenza.", at)
}

// keepCreditor sees to it that what a print says of the creditor is kept.
func (p *Prints) keepCreditor(ctx context.Context, actor string, id multe.CreditorID) error {
	kept := false
	if err := p.store.View(ctx, func(r store.Reader) error {
		_, err := r.LastDocument(id, multe.DocumentCreditor)
		kept = err == nil
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}); err != nil || kept {
		return err
	}
	return p.store.Update(ctx, func(tx store.Tx) error {
		c, err := tx.Creditor(id)
		if err != nil {
			return err
		}
		return store.KeepCreditor(tx, c, actor)
	})
}

func findVerbale(r store.Reader, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, error) {
	if !multe.ValidID(string(id)) {
		return multe.Verbale{}, errUnknownVerbale()
	}
	v, err := r.Verbale(c, id)
	if errors.Is(err, fault.NotFound) {
		return v, errUnknownVerbale()
	}
	return v, err
}

func errUnknownVerbale() error {
	return fault.New(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.")
}

func findPrint(r store.Reader, c multe.CreditorID, id multe.PrintID) (multe.Print, error) {
	p, err := r.Print(c, id)
	if errors.Is(err, fault.NotFound) {
		return p, fault.New(fault.NotFound, "print.unknown", "La stampa non risulta tra quelle dell'ente.")
	}
	return p, err
}
