package documents

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// maxMade is how many creditors' shifts are kept in memory; one of a normal town
	// is some 250 KiB.
	maxMade = 200
	// maxDays is how many days of effect are remembered, of documents that are in
	// force or will be.
	maxDays = 10_000
	// defaultBlock is how many codes a handheld asks for at the start of a shift.
	defaultBlock = 25
)

// shiftKinds is what a shift is made of.
var shiftKinds = []multe.DocumentKind{multe.DocumentCatalogue, multe.DocumentTexts, multe.DocumentStreets, multe.DocumentWardens}

// Shift is what a handheld takes along.
type Shift struct {
	Body       []byte // JSON
	Gzip       []byte // the same, compressed
	ETag       string // weak: the same for both
	ValidUntil multe.Day
}

type place struct {
	creditor multe.CreditorID
	kind     multe.DocumentKind
	n        uint64
}

// madeShift is a Shift and what it was made from.
type madeShift struct {
	from  string
	shift Shift
}

// shiftBody is the JSON of a shift. A field is only ever added.
type shiftBody struct {
	Format     int               `json:"format"`
	ValidUntil multe.Day         `json:"valid_until"`
	Creditor   shiftCreditor     `json:"creditor"`
	Codes      shiftCodes        `json:"codes"`
	Catalogue  json.RawMessage   `json:"catalogue,omitempty"` // see cds.Catalogue.Sheet
	Texts      map[string]string `json:"texts"`
	Streets    []string          `json:"streets,omitempty"`
	Wardens    []warden          `json:"wardens,omitempty"`
	Printer    shiftPrinter      `json:"printer"`
}

type shiftCreditor struct {
	CF      string       `json:"cf"`
	Name    string       `json:"name"`
	Settore string       `json:"settore,omitempty"`
	Info    string       `json:"info,omitempty"`
	CBILL   string       `json:"cbill,omitempty"`
	Postal  *shiftPostal `json:"postal,omitempty"` // absent: no Data Matrix may be printed
}

type shiftPostal struct {
	Number        string `json:"number"`
	Holder        string `json:"holder"`
	Authorization string `json:"authorization"`
}

type shiftCodes struct {
	Amounts multe.AmountPolicy `json:"amounts"`
	Block   int                `json:"block"`
	Max     int                `json:"max"`
}

// shiftPrinter is how symbols go onto thermal paper. Lengths are micrometres.
type shiftPrinter struct {
	QR         shiftSymbol `json:"qr"`
	DataMatrix shiftSymbol `json:"data_matrix"`
}

type shiftSymbol struct {
	ModuleUM int    `json:"module_um"`
	Quiet    int    `json:"quiet"` // modules left white on every side
	ECC      string `json:"ecc,omitempty"`
	Side     int    `json:"side,omitempty"` // modules, where it is fixed
}

// printer is the guide's QR of level M and Poste's Data Matrix of 52 modules, at
// sizes that belt printers of 203 dpi print and tired phones read (pagoPA SANP, Denso
// Wave: at least four dots a module, always a whole number).
var printer = shiftPrinter{
	QR:         shiftSymbol{ModuleUM: 750, Quiet: 4, ECC: "M"},
	DataMatrix: shiftSymbol{ModuleUM: 500, Quiet: 2, Side: 52},
}

// material is what a shift is made from.
type material struct {
	creditor  multe.Creditor
	today     multe.Day
	until     multe.Day
	documents map[multe.DocumentKind]multe.Document
}

// Shift returns what the handhelds of a creditor need today.
func (d *Documents) Shift(ctx context.Context, c multe.CreditorID) (Shift, error) {
	if s, _, err := d.look(ctx, c); err != nil || s.ETag != "" {
		return s, err
	}
	d.making.Lock()
	defer d.making.Unlock()
	s, m, err := d.look(ctx, c) // another may have made it meanwhile
	if err != nil || s.ETag != "" {
		return s, err
	}
	if s, err = d.make(m); err != nil {
		return Shift{}, fmt.Errorf("making a shift: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made == nil || len(d.made) >= maxMade {
		d.made = map[multe.CreditorID]madeShift{}
	}
	d.made[c] = madeShift{m.key(), s}
	return s, nil
}

// look returns the shift if it is made, or else what to make it from.
func (d *Documents) look(ctx context.Context, c multe.CreditorID) (Shift, material, error) {
	var (
		s Shift
		m material
	)
	err := d.store.View(ctx, func(r store.Reader) (err error) {
		s, m = Shift{}, material{today: multe.DayOf(d.now()), documents: map[multe.DocumentKind]multe.Document{}}
		if m.creditor, err = r.Creditor(c); err != nil {
			return err
		}
		m.until = lastKnown(m.creditor, m.today)
		for _, kind := range shiftKinds {
			n, next, err := d.inForce(r, place{creditor: c, kind: kind}, m.today)
			if err != nil {
				return err
			}
			if !next.IsZero() && next.Plus(-1).Compare(m.until) < 0 {
				m.until = next.Plus(-1)
			}
			m.documents[kind] = multe.Document{N: n}
		}
		d.mu.Lock()
		made := d.made[c]
		d.mu.Unlock()
		if made.from == m.key() {
			s = made.shift
			return nil
		}
		for kind, head := range m.documents {
			if head.N == 0 {
				continue
			}
			if m.documents[kind], err = r.Document(c, kind, head.N); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, fault.NotFound) {
		err = fault.Wrap(fault.NotFound, "creditor.unknown", "L'ente non è registrato.", err)
	}
	return s, m, err
}

// lastKnown is the last day before the creditor's policy changes. The catalogue
// lists the holidays of two years, which the terms that begin by October end in.
func lastKnown(c multe.Creditor, today multe.Day) multe.Day {
	until := multe.Day{Year: today.Year + 1, Month: time.October, Day: 31}
	for _, p := range c.Policies {
		if p.From.Compare(today) > 0 && p.From.Plus(-1).Compare(until) < 0 {
			until = p.From.Plus(-1)
		}
	}
	return until
}

// inForce returns the number of the document of a kind that is in force on a day, 0
// if none is, and the day on which the next one will be, zero if none is known.
func (d *Documents) inForce(r store.Reader, at place, today multe.Day) (n uint64, next multe.Day, err error) {
	n, err = r.CountDocuments(at.creditor, at.kind)
	for ; err == nil && n > 0; n-- {
		at.n = n
		var from multe.Day
		if from, err = d.from(r, at); err != nil || from.Compare(today) <= 0 {
			break
		}
		if next.IsZero() || from.Compare(next) < 0 {
			next = from
		}
	}
	return n, next, err
}

// from returns from when on a document is in force. Documents never change.
func (d *Documents) from(r store.Reader, at place) (multe.Day, error) {
	d.mu.Lock()
	day, ok := d.days[at]
	d.mu.Unlock()
	if ok {
		return day, nil
	}
	doc, err := r.Document(at.creditor, at.kind, at.n)
	if err != nil {
		return multe.Day{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.days == nil || len(d.days) >= maxDays {
		d.days = map[place]multe.Day{}
	}
	d.days[at] = doc.From
	return doc.From, nil
}

// key tells two materials apart whose shifts may differ.
func (m material) key() string {
	key := fmt.Sprintf("%d %d %s %s", m.creditor.Version, m.today.Year, m.creditor.PolicyOn(m.today).From, m.until)
	for _, kind := range shiftKinds {
		key += fmt.Sprintf(" %d", m.documents[kind].N)
	}
	return key
}

func (d *Documents) make(m material) (Shift, error) {
	c := m.creditor
	b := shiftBody{
		Format: 1, ValidUntil: m.until,
		Creditor: shiftCreditor{CF: string(c.ID), Name: c.Name, Settore: c.Settore, Info: c.Info, CBILL: c.CBILL},
		Codes:    shiftCodes{Amounts: c.PolicyOn(m.today).Amount, Block: defaultBlock, Max: multe.MaxLease},
		Streets:  streets(m.documents[multe.DocumentStreets].Body),
		Printer:  printer,
	}
	if p := c.Postal; p != nil && p.Authorization != "" {
		b.Creditor.Postal = &shiftPostal{p.Number, p.Holder, p.Authorization}
	}
	if body := m.documents[multe.DocumentCatalogue].Body; body != nil {
		policy, err := cds.PolicyOn(c, m.today)
		if err != nil {
			return Shift{}, err
		}
		catalogue, _, err := cds.Parse(body)
		if err != nil {
			return Shift{}, err
		}
		if b.Catalogue, _, err = catalogue.Sheet(policy, m.today.Year); err != nil {
			return Shift{}, err
		}
	}
	var err error
	if b.Texts, err = d.slipTexts(m.documents[multe.DocumentTexts].Body, m.today); err != nil {
		return Shift{}, err
	}
	if body := m.documents[multe.DocumentWardens].Body; body != nil {
		var r roster
		if err := json.Unmarshal(body, &r); err != nil {
			return Shift{}, err
		}
		b.Wardens = r.Wardens
	}
	return pack(b)
}

func pack(b shiftBody) (Shift, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return Shift{}, err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return Shift{}, err
	}
	if _, err := w.Write(body); err != nil {
		return Shift{}, err
	}
	if err := w.Close(); err != nil {
		return Shift{}, err
	}
	sum := sha256.Sum256(body)
	return Shift{Body: body, Gzip: packed.Bytes(), ETag: `W/"` + hex.EncodeToString(sum[:16]) + `"`, ValidUntil: b.ValidUntil}, nil
}
