package pdf

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
	_ "time/tzdata" // a server without zone files prints the same page

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/symbol"
	"preavviso/internal/texts"
)

var rome = sync.OnceValues(func() (*time.Location, error) { return time.LoadLocation("Europe/Rome") })

// Document is what can be printed: a [Notice], an [Avviso], a [Verbale] or a
// [Picture]. Drawing it leaves it alone.
type Document interface {
	// draw lays the document out, page by page.
	draw(*printing) error
}

// Draw prints a document with the texts that were in force on its day. Equal
// documents and texts give equal bytes.
//
// Its errors are [fault.Invalid], with codes that begin with «print.», when the
// document cannot be printed as it is. They are internal otherwise: when the
// fonts are not in this build, or with code «print.self_check» when what was
// drawn does not read back as what is printed beside it.
func Draw(d Document, t texts.Set) ([]byte, error) {
	doc, _, err := render(d, t, options{})
	return doc, err
}

// Drawing counts the changes of how documents are drawn. Prints remember it: what
// an earlier one drew may come out otherwise today, and its digest tells.
const Drawing = 1

// DrawPages is [Draw], and returns a digest of what is on the pages: it is the
// same whether a document is alone or in a batch.
func DrawPages(d Document, t texts.Set) (doc []byte, pages [sha256.Size]byte, err error) {
	return render(d, t, options{})
}

// digest is that of DrawPages.
func (p *printing) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, c := range p.pages {
		page := sha256.Sum256(c.b)
		h.Write(page[:])
		for _, l := range c.logos {
			h.Write(l.digest[:])
		}
	}
	h.Sum(sum[:0])
	return sum
}

// options exist for tests: golden files want to be read, and what symbols and
// self-check cost wants to be known.
type options struct {
	noSymbols bool // neither made nor checked
	unchecked bool
	all       bool // the larger type case, whatever the text
}

// printing is a document being drawn.
type printing struct {
	options
	texts texts.Set
	zone  *time.Location
	types *typeCase
	about about
	pages []*content
	on    func() canvas // in tests: draws on something else
	size  [2]float64    // of its pages, in millimetres
}

var contents = sync.Pool{New: func() any { return &content{} }}

// newPage begins a page and returns it as a sheet.
func (p *printing) newPage() *sheet {
	if p.on != nil {
		return &sheet{canvas: p.on(), types: p.types}
	}
	c := contents.Get().(*content)
	c.reset()
	p.pages = append(p.pages, c)
	return &sheet{canvas: c, types: p.types}
}

// measure is a sheet on which nothing is drawn.
func (p *printing) measure() *sheet { return &sheet{types: p.types, dry: true} }

func (p *printing) free() {
	for _, c := range p.pages {
		contents.Put(c)
	}
	p.pages = nil
}

// lay draws the pages of a document and reads them back.
func lay(d Document, t texts.Set, types *typeCase, o options) (*printing, error) {
	zone, err := rome()
	if err != nil {
		return nil, fmt.Errorf("loading Europe/Rome: %w", err)
	}
	p := &printing{options: o, texts: t, zone: zone, types: types, size: [2]float64{pageWidth, pageHeight}}
	if err := d.draw(p); err != nil {
		p.free()
		return nil, err
	}
	for _, c := range p.pages {
		var err error
		switch {
		case c.alien: // fields were looked at before: it is a text
			err = invalid("bad_character", "I testi del documento contengono caratteri che non si possono stampare.")
		case !o.unchecked && !o.noSymbols:
			err = selfCheck(c.b)
		}
		if err != nil {
			p.free()
			return nil, err
		}
	}
	return p, nil
}

// written is big enough for a page with the smaller fonts.
const written = 48 << 10

func render(d Document, t texts.Set, o options) (doc []byte, pages [sha256.Size]byte, err error) {
	types, err := commonTypes()
	if o.all {
		types, err = allTypes()
	}
	if err != nil {
		return nil, pages, err
	}
	p, err := lay(d, t, types, o)
	if err != nil {
		return nil, pages, err
	}
	defer p.free()
	if !o.all && !p.onlyCommon() {
		o.all = true
		return render(d, t, o)
	}
	var out bytes.Buffer
	out.Grow(written)
	f := newFile(&out, types, p.about)
	for _, c := range p.pages {
		f.page(c, p.size[0], p.size[1], "")
	}
	if err := f.close(); err != nil {
		return nil, pages, err
	}
	return out.Bytes(), p.digest(), nil
}

// onlyCommon reports whether all that was drawn is in the type case it was drawn
// with: what is not there has no width.
func (p *printing) onlyCommon() bool {
	for _, c := range p.pages {
		if c.rare {
			return false
		}
	}
	return true
}

// paid is what the two symbols of a payment box carry.
type paid struct {
	number  avviso.Number
	amount  avviso.Cents
	causale string
	qr, dm  symbol.Matrix // dm is the zero Matrix when there is no bollettino
}

// symbols makes the symbols of one amount.
func (p *printing) symbols(c Creditor, d Debtor, n avviso.Number, amount avviso.Cents, causale string) (paid, error) {
	out := paid{number: n, amount: amount, causale: causale}
	if p.noSymbols {
		return out, nil
	}
	invalid := func(err error) (paid, error) {
		return paid{}, fault.Wrap(fault.Invalid, "print.bad_payload",
			"I dati per il pagamento non sono validi: controllare codice fiscale dell'ente, conto postale e destinatario.", err)
	}
	payload, err := avviso.QR(n, c.CF, amount)
	if err != nil {
		return invalid(err)
	}
	if out.qr, err = symbol.QR(payload); err != nil {
		return paid{}, err
	}
	if !c.postal() {
		return out, nil
	}
	debtorCF := d.CF
	if debtorCF == "" || d.Foreign {
		debtorCF = avviso.Anonymous
	}
	payload, err = avviso.DataMatrix(avviso.DataMatrixInput{
		Number: n, Account: c.PostalAccount, Amount: amount, CreditorCF: c.CF,
		DebtorCF: debtorCF, DebtorName: d.Name, Causale: causale,
	})
	if err != nil {
		return invalid(err)
	}
	out.dm, err = symbol.DataMatrix(payload)
	return out, err
}
