package documents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The bounds of streets.
const (
	MaxStreets = 20_000 // Rome has 16,000
	MaxStreet  = 100    // leaves room for a number within multe.MaxPlace
)

// Finding is something about a document that a person should read.
type Finding struct {
	Line   int    // 0: the document as a whole
	Detail string // Italian
}

// Checked is a document that may be kept.
type Checked struct {
	Type     string // media type
	Body     []byte // to be kept; nil is what was given
	Findings []Finding
}

// Check reads a document of one kind. An error is a [fault.Invalid] that says to a
// person what to mend.
type Check func(body []byte) (Checked, error)

// Documents keeps documents.
type Documents struct {
	store     store.Store
	now       func() time.Time
	random    io.Reader
	checks    map[multe.DocumentKind]Check
	slipTexts func(custom []byte, day multe.Day) (map[string]string, error)

	making sync.Mutex // one shift at a time: the others find it made
	mu     sync.Mutex
	made   map[multe.CreditorID]madeShift
	days   map[place]multe.Day
}

// Config is what Documents are made of.
type Config struct {
	Store  store.Store
	Now    func() time.Time
	Random io.Reader // of salts; cryptographic, safe for concurrent use
	// Checks reads the kinds that are not read here. A kind without one is not kept.
	Checks map[multe.DocumentKind]Check
	// SlipTexts returns the texts that a slip needs on a day; custom is the
	// creditor's document, nil if there is none.
	SlipTexts func(custom []byte, day multe.Day) (map[string]string, error)
}

// New returns Documents.
func New(cfg Config) *Documents {
	d := &Documents{store: cfg.Store, now: cfg.Now, random: cfg.Random, slipTexts: cfg.SlipTexts,
		checks: map[multe.DocumentKind]Check{multe.DocumentCatalogue: checkCatalogue, multe.DocumentStreets: checkStreets}}
	for kind, check := range cfg.Checks {
		d.checks[kind] = check
	}
	return d
}

// Add adds a document that is in force from a day on, and returns it with what a
// person should look at. With dry it only looks. The last document given again, for
// the same day, is returned as it is.
func (d *Documents) Add(ctx context.Context, actor string, c multe.CreditorID, kind multe.DocumentKind, from multe.Day, body []byte, dry bool) (multe.Document, []Finding, error) {
	last, checked, err := d.read(ctx, c, kind, body)
	if err != nil {
		return multe.Document{}, nil, err
	}
	if checked.Body == nil {
		checked.Body = body
	}
	at := multe.Instant(d.now())
	next, err := multe.NewDocument(last, c, kind, from, checked.Type, checked.Body, actor, at)
	if err != nil {
		return multe.Document{}, nil, err
	}
	findings := checked.Findings
	if last.N > 0 && last.From.Compare(from) > 0 {
		findings = append(findings, Finding{0, fmt.Sprintf("il file n. %d, previsto dal %s, non avrà più effetto: quello dato per ultimo vale anche per i giorni seguenti", last.N, last.From.Italian())})
	}
	if last.N > 0 && last.From == from && last.Digest == next.Digest {
		return last, findings, nil
	}
	if dry {
		return next, findings, nil
	}
	err = d.store.Update(ctx, func(tx store.Tx) error {
		if n, err := tx.CountDocuments(c, kind); err != nil || n != last.N {
			return errors.Join(err, fault.New(fault.Conflict, "document.changed", "Un altro file dello stesso tipo è stato caricato nello stesso momento: rileggere e riprovare."))
		}
		if err := tx.PutDocument(next); err != nil {
			return err
		}
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: at, Actor: actor, Action: "document.added", Subject: fmt.Sprintf("%s/%d", kind, next.N)})
	})
	if err != nil {
		return multe.Document{}, nil, fmt.Errorf("adding a document: %w", err)
	}
	return next, findings, nil
}

// read checks a document, and returns it with the one before. Wardens are read with
// that one: an entry without a PIN keeps the PIN it had.
func (d *Documents) read(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, body []byte) (multe.Document, Checked, error) {
	check := d.checks[kind]
	if check == nil && kind != multe.DocumentWardens {
		return multe.Document{}, Checked{}, fault.New(fault.NotFound, "document.unknown_kind", "Il servizio non conosce questo tipo di file.")
	}
	// A logo is redrawn by its check, which has its own bound: what is kept is small.
	if kind != multe.DocumentLogo && len(body) > multe.MaxDocument {
		return multe.Document{}, Checked{}, fault.New(fault.Invalid, "document.bad_size", "Il file è vuoto o supera 1 MB.")
	}
	var last multe.Document
	err := d.store.View(ctx, func(r store.Reader) (err error) {
		last, err = r.LastDocument(c, kind)
		if errors.Is(err, fault.NotFound) {
			last, err = multe.Document{}, nil
		}
		return err
	})
	if err != nil {
		return last, Checked{}, err
	}
	var checked Checked
	if kind == multe.DocumentWardens {
		checked, err = d.checkWardens(ctx, body, last.Body)
	} else {
		checked, err = check(body)
	}
	return last, checked, err
}

// List lists the documents of a kind, the latest first, with N less than before (0:
// from the last), without their bodies.
func (d *Documents) List(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, before uint64, limit int) ([]multe.Document, error) {
	var list []multe.Document
	err := d.store.View(ctx, func(r store.Reader) error {
		list = nil
		last, err := r.CountDocuments(c, kind)
		if before > 0 {
			last = min(last, before-1)
		}
		for n := last; err == nil && n > 0 && len(list) < limit; n-- {
			var doc multe.Document
			if doc, err = r.Document(c, kind, n); err == nil {
				doc.Body = nil
				list = append(list, doc)
			}
		}
		return err
	})
	return list, err
}

// Get returns a document. A roster comes without its PINs, in the form in which it
// can be given again.
func (d *Documents) Get(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, n uint64) (multe.Document, error) {
	var doc multe.Document
	err := d.store.View(ctx, func(r store.Reader) (err error) {
		doc, err = r.Document(c, kind, n)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return doc, fault.Wrap(fault.NotFound, "document.unknown", "Il file richiesto non esiste.", err)
	}
	if err == nil && kind == multe.DocumentWardens {
		doc.Body, err = withoutPINs(doc.Body)
	}
	return doc, err
}

func checkCatalogue(body []byte) (Checked, error) {
	_, doubtful, err := cds.Parse(body)
	if err != nil {
		return Checked{}, err
	}
	out := Checked{Type: "application/yaml"}
	for _, f := range doubtful {
		out.Findings = append(out.Findings, Finding{f.Line, f.Detail})
	}
	return out, nil
}

// maxWrong bounds what one refusal tells: who mends twenty lines checks again
// anyway.
const maxWrong = 20

// wrong is what has to be mended before a document can be kept.
type wrong []string

func (w *wrong) add(format string, args ...any) {
	if len(*w) < maxWrong {
		*w = append(*w, fmt.Sprintf(format, args...))
	}
}

func (w wrong) err(code, what string) error {
	if len(w) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, code, what+" non è valido:\n  "+strings.Join(w, "\n  "))
}

// checkStreets reads one name a line. Empty lines go, and so do names given twice;
// the order is the office's.
func checkStreets(body []byte) (Checked, error) {
	var (
		bad   wrong
		out   = Checked{Type: "text/plain; charset=utf-8"}
		seen  = map[string]int{}
		names []string
	)
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(body), "\ufeff")) {
		n++
		name := strings.TrimSpace(line)
		key := strings.ToLower(name)
		switch first := seen[key]; {
		case name == "":
		case !oneLine(name, MaxStreet):
			bad.add("riga %d: il nome supera %d caratteri o contiene caratteri non ammessi", n, MaxStreet)
		case first > 0:
			out.Findings = append(out.Findings, Finding{n, fmt.Sprintf("il nome è già alla riga %d", first)})
		default:
			seen[key] = n
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(names) > MaxStreets {
		bad.add("servono da 1 a %d nomi, uno per riga", MaxStreets)
	}
	out.Body = []byte(strings.Join(names, "\n") + "\n")
	return out, bad.err("streets.invalid", "L'elenco delle vie")
}

// oneLine accepts what can be shown on one line.
func oneLine(s string, longest int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= longest && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// streets reads what checkStreets wrote.
func streets(body []byte) []string {
	return slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(string(body)) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	})
}
