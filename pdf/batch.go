package pdf

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/texts"
)

// Form is how a batch is delivered.
type Form string

// The forms of a batch.
const (
	OnePDF Form = "pdf" // one document, a bookmark for each item
	Zip    Form = "zip" // a document for each item
)

// MaxBatch bounds the items of a batch: a print shop's day, and 700 MB as a ZIP,
// which is far from the 4 GB and the 65,535 entries of that format.
const MaxBatch = 10_000

// Batch writes many documents to one file. What it keeps of each is where it is:
// some tens of bytes. It may be stopped after any item and gone on with by
// [ResumeBatch]; the file comes out as if it had never been stopped.
//
// A batch is for one goroutine.
type Batch struct {
	state batchState
	texts texts.Set
	types *typeCase
	out   *counter
	file  *file       // OnePDF
	zip   *zip.Writer // Zip
	err   error       // of writing: nothing goes on after it
}

// batchState is what a checkpoint holds.
type batchState struct {
	Form  Form
	About about
	Items int // added, printed or not
	Size  int64
	File  *fileState `json:",omitempty"`
	Zip   []zipEntry `json:",omitempty"`
}

type zipEntry struct {
	Name string
	CRC  uint32
	Size int64
}

// counter passes on what is behind skip and knows how much there was in all.
type counter struct {
	out  io.Writer
	skip int64
	size int64
}

func (c *counter) Write(b []byte) (int, error) {
	dropped := min(c.skip, int64(len(b)))
	c.skip -= dropped
	c.size += dropped
	n, err := c.out.Write(b[dropped:])
	c.size += int64(n)
	return int(dropped) + n, err
}

// NewBatch begins a file. at is the instant that the file says it is of; title
// names it to readers and must say nothing of the cases inside.
func NewBatch(out io.Writer, form Form, t texts.Set, title string, at time.Time) (*Batch, error) {
	b := &Batch{texts: t, out: &counter{out: out}, state: batchState{Form: form, About: about{title, at.UTC(), "it-IT"}}}
	if err := b.begin(); err != nil {
		return nil, err
	}
	if form == OnePDF {
		b.file = newFile(b.out, b.types, b.state.About)
		b.err = b.file.err
	}
	return b, b.err
}

func (b *Batch) begin() (err error) {
	switch b.state.Form {
	case OnePDF:
		b.types, err = allTypes()
		return err
	case Zip:
		b.zip = zip.NewWriter(b.out)
		return nil
	}
	return fault.New(fault.Invalid, "print.bad_form", "La stampa può essere un solo PDF oppure uno ZIP.")
}

// ResumeBatch goes on from a checkpoint. out must be where the first
// [Batch.Size] bytes, and no more, are written.
func ResumeBatch(out io.Writer, checkpoint []byte, t texts.Set) (*Batch, error) {
	b := &Batch{texts: t, out: &counter{out: out}}
	if err := json.Unmarshal(checkpoint, &b.state); err != nil {
		return nil, fmt.Errorf("reading a checkpoint: %w", err)
	}
	if err := b.begin(); err != nil {
		return nil, err
	}
	if b.state.Form == OnePDF {
		if b.state.File == nil {
			return nil, fmt.Errorf("checkpoint of a PDF without its state")
		}
		b.out.size = b.state.Size
		b.file = &file{fileState: *b.state.File, out: b.out}
		return b, nil
	}
	// The table at the end of a ZIP wants every entry, so all are written again,
	// as zeros and into nothing.
	b.out.skip = b.state.Size
	zeros := make([]byte, 64<<10)
	for _, e := range b.state.Zip {
		w, err := b.zip.CreateRaw(b.header(e))
		if err != nil {
			return nil, err
		}
		for left := e.Size; left > 0; left -= min(left, int64(len(zeros))) {
			if _, err := w.Write(zeros[:min(left, int64(len(zeros)))]); err != nil {
				return nil, err
			}
		}
	}
	if err := b.zip.Flush(); err != nil {
		return nil, err
	}
	if b.out.size != b.state.Size || b.out.skip != 0 {
		return nil, fmt.Errorf("checkpoint of %d bytes has entries of %d", b.state.Size, b.out.size)
	}
	return b, nil
}

func (b *Batch) header(e zipEntry) *zip.FileHeader {
	return &zip.FileHeader{Name: e.Name, Method: zip.Store, CRC32: e.CRC, Modified: b.state.About.At,
		CompressedSize64: uint64(e.Size), UncompressedSize64: uint64(e.Size)}
}

// Add prints one document. name is its bookmark, or its name in the ZIP without
// ending: a register number, nothing personal.
//
// An error whose [fault.Error] has a code is of this item alone: it is left out,
// counted, and the batch goes on. Any other ends the batch, and [Batch.Failed]
// is it.
func (b *Batch) Add(d Document, name string) error {
	_, err := b.AddWith(d, b.texts, name)
	return err
}

// AddWith is Add with texts of this item's own. It returns what [DrawPages] does.
func (b *Batch) AddWith(d Document, t texts.Set, name string) (pages [sha256.Size]byte, err error) {
	if b.err != nil {
		return pages, b.err
	}
	if b.state.Items >= MaxBatch {
		return pages, fault.New(fault.Invalid, "print.batch_full", fmt.Sprintf("Una stampa può avere al massimo %d documenti.", MaxBatch))
	}
	b.state.Items++
	if b.state.Form == Zip {
		return b.addZip(d, t, name)
	}
	p, err := lay(d, t, b.types, options{})
	if err != nil {
		return pages, err
	}
	defer p.free()
	for i, c := range p.pages {
		bookmark := ""
		if i == 0 {
			bookmark = name
		}
		b.file.page(c, p.size[0], p.size[1], bookmark)
	}
	b.err = b.file.err
	return p.digest(), b.err
}

func (b *Batch) addZip(d Document, t texts.Set, name string) (pages [sha256.Size]byte, err error) {
	if name == "" || strings.Trim(name, ".") == "" || strings.ContainsAny(name, "/\\:\x00") {
		return pages, fault.New(fault.Invalid, "print.bad_name", "Il nome del documento nello ZIP non è valido.")
	}
	if slices.ContainsFunc(b.state.Zip, func(e zipEntry) bool { return e.Name == name+".pdf" }) {
		return pages, fault.New(fault.Invalid, "print.same_name", "Due documenti della stampa hanno lo stesso nome.")
	}
	doc, pages, err := DrawPages(d, t)
	if err != nil {
		return pages, err
	}
	e := zipEntry{name + ".pdf", crc32.ChecksumIEEE(doc), int64(len(doc))}
	w, err := b.zip.CreateRaw(b.header(e))
	if err == nil {
		if _, err = w.Write(doc); err == nil {
			err = b.zip.Flush()
		}
	}
	if err != nil {
		b.err = err
		return pages, err
	}
	b.state.Zip = append(b.state.Zip, e)
	return pages, nil
}

// Items is how many documents were added, those left out among them: where to go
// on.
func (b *Batch) Items() int { return b.state.Items }

// Size is how many bytes are written.
func (b *Batch) Size() int64 { return b.out.size }

// Failed is the error that ended the batch, or nil.
func (b *Batch) Failed() error { return b.err }

// Checkpoint returns what [ResumeBatch] needs to go on from here.
func (b *Batch) Checkpoint() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	s := b.state
	s.Size = b.out.size
	if b.file != nil {
		f := b.file.fileState
		f.Logos = maps.Clone(f.Logos)
		s.File = &f
	}
	return json.Marshal(s)
}

// Close writes the end of the file. The batch cannot be used any more.
func (b *Batch) Close() error {
	if b.err != nil {
		return b.err
	}
	b.err = fmt.Errorf("batch is closed")
	if b.zip != nil {
		return b.zip.Close()
	}
	if b.file.Pages == 0 {
		return fault.New(fault.Invalid, "print.empty", "Nessun documento da stampare.")
	}
	return b.file.close()
}
