package prints

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// Settings is what acts say of an office besides the creditor itself: the body of a
// document of kind [multe.DocumentSettings]. All may be empty; a verbale needs all
// but Contacts, Privacy and NotServed.
type Settings struct {
	Contacts  string `json:"contacts,omitempty"`   // telephone, PEC; ≤ 100
	Privacy   string `json:"privacy,omitempty"`    // where the whole privacy notice is; ≤ 100
	Office    string `json:"office,omitempty"`     // where to pay and write to; ≤ 100
	Officer   string `json:"officer,omitempty"`    // responsabile del procedimento; ≤ 60
	Signature string `json:"signature,omitempty"`  // who signs, printed; ≤ 60 (art. 385 Reg.; D.Lgs. 39/1993)
	Prefect   string `json:"prefect,omitempty"`    // of which province; ≤ 40
	Judge     string `json:"judge,omitempty"`      // of which place; ≤ 40
	NotServed string `json:"not_served,omitempty"` // why it was not contested on the spot, if no other reason is known; ≤ 300
}

// maxSettings is far above eight short texts.
const maxSettings = 8 << 10

// ReadSettings checks a file of settings as the office gives it.
func ReadSettings(body []byte) (Settings, error) {
	var s Settings
	if len(body) > maxSettings {
		return s, fault.New(fault.Invalid, "print.bad_settings", "Il file con i dati dell'ufficio è troppo grande.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fault.Wrap(fault.Invalid, "print.bad_settings", "Il file con i dati dell'ufficio non è nel formato JSON previsto: contacts, privacy, office, officer, signature, prefect, judge, not_served.", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, fault.New(fault.Invalid, "print.bad_settings", "Il file con i dati dell'ufficio contiene altro dopo i dati.")
	}
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{"contacts", s.Contacts, 100}, {"privacy", s.Privacy, 100}, {"office", s.Office, 100}, {"officer", s.Officer, 60},
		{"signature", s.Signature, 60}, {"prefect", s.Prefect, 40}, {"judge", s.Judge, 40}, {"not_served", s.NotServed, 300},
	} {
		if utf8.RuneCountInString(f.value) > f.max {
			return s, fault.New(fault.Invalid, "print.bad_settings", fmt.Sprintf("Nei dati dell'ufficio «%s» supera i %d caratteri.", f.name, f.max))
		}
	}
	return s, nil
}

// CheckSettings, CheckTexts and CheckLogo are what a document must pass before it
// is kept. They return what is kept, and its media type.

// CheckSettings checks a document of kind [multe.DocumentSettings].
func CheckSettings(body []byte) ([]byte, string, error) {
	_, err := ReadSettings(body)
	return body, "application/json", err
}

// CheckTexts checks a document of kind [multe.DocumentTexts]: the templates of
// package texts, and a sample is drawn with each, for what does not fit is to be
// found here and not on paper.
func CheckTexts(body []byte) ([]byte, string, error) {
	own, err := texts.ParseAll(body)
	if err != nil {
		return nil, "", err
	}
	set, err := texts.Builtin()
	if err != nil {
		return nil, "", err
	}
	for _, t := range own {
		drawn := *t
		drawn.From = "2026-01-01" // the samples are of spring 2026, whatever the template is for
		if t.Document == texts.Slip {
			continue // laid out line by line: it always fits
		}
		sample, err := pdf.Sample(t.Document, t.Language)
		if err != nil {
			return nil, "", err
		}
		if _, err := pdf.Draw(sample, set.With(&drawn)); err != nil {
			return nil, "", err
		}
	}
	return body, "application/json", nil
}

// CheckLogo checks a document of kind [multe.DocumentLogo] and redraws it: only
// pixels are kept, and no more than print well.
func CheckLogo(body []byte) ([]byte, string, error) {
	l, err := pdf.NewLogo(body)
	if err != nil {
		return nil, "", err
	}
	kept, err := l.PNG()
	return kept, "image/png", err
}

// sources is what a print was made from besides its face and the slip.
type sources struct {
	creditor multe.Creditor
	settings Settings
	texts    texts.Set
	logo     *pdf.Logo
}

// maxRead bounds what a cache holds: a job meets a handful of versions and some
// months of days. A full cache begins anew.
const maxRead = 256

// docs reads documents of creditors, each once: the acts of a job have the same.
// Safe for concurrent use.
type docs struct {
	mu   sync.Mutex
	read map[docKey]sources
	laws map[docKey]*cds.Catalogue
}

type docKey struct {
	creditor multe.CreditorID
	of       multe.PrintSources
	day      multe.Day
}

// of returns the sources of a print that says it is of an instant.
func (d *docs) of(r store.Reader, c multe.CreditorID, of multe.PrintSources, at time.Time) (sources, error) {
	key := docKey{c, of, multe.DayOf(at)}
	d.mu.Lock()
	s, known := d.read[key]
	d.mu.Unlock()
	if known {
		return s, nil
	}
	s, err := readSources(r, c, of, at)
	if err != nil {
		return s, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read == nil || len(d.read) >= maxRead {
		d.read = map[docKey]sources{}
	}
	d.read[key] = s
	return s, nil
}

// law returns a catalogue.
func (d *docs) law(doc multe.Document) (*cds.Catalogue, error) {
	key := docKey{creditor: doc.Creditor, of: multe.PrintSources{Creditor: doc.N}}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, known := d.laws[key]; known {
		return c, nil
	}
	c, _, err := cds.Parse(doc.Body)
	if err != nil {
		return nil, fmt.Errorf("reading catalogue %d: %w", doc.N, err)
	}
	if d.laws == nil || len(d.laws) >= maxRead {
		d.laws = map[docKey]*cds.Catalogue{}
	}
	d.laws[key] = c
	return c, nil
}

func readSources(r store.Reader, c multe.CreditorID, of multe.PrintSources, at time.Time) (s sources, err error) {
	if of.Creditor == 0 {
		if s.creditor, err = r.Creditor(c); err != nil {
			return s, err
		}
	} else if err := with(r, c, multe.DocumentCreditor, of.Creditor, func(d multe.Document) error {
		s.creditor, err = store.CreditorOf(d)
		return err
	}); err != nil {
		return s, err
	}
	if s.texts, err = texts.Builtin(); err != nil {
		return s, err
	}
	return s, errors.Join(
		with(r, c, multe.DocumentSettings, of.Settings, func(d multe.Document) (err error) {
			s.settings, err = ReadSettings(d.Body)
			return err
		}),
		with(r, c, multe.DocumentTexts, of.Texts, func(d multe.Document) (err error) {
			s.texts, err = s.texts.Own(d.Body, at.In(multe.Rome()))
			return err
		}),
		with(r, c, multe.DocumentLogo, of.Logo, func(d multe.Document) (err error) {
			s.logo, err = pdf.NewLogo(d.Body)
			return err
		}))
}

// with reads a document, if there is one.
func with(r store.Reader, c multe.CreditorID, kind multe.DocumentKind, n uint64, fn func(multe.Document) error) error {
	if n == 0 {
		return nil
	}
	d, err := r.Document(c, kind, n)
	if err == nil {
		err = fn(d)
	}
	if err != nil {
		return fmt.Errorf("reading document %s %d: %w", kind, n, err)
	}
	return nil
}
