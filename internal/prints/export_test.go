package prints

import (
	"crypto/sha256"
	"io"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/store"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// InChunks is New with another number of acts between two commits.
func InChunks(n int, s store.Store, spool Spool, now func() time.Time, random io.Reader) *Prints {
	p := New(s, spool, now, random, func() {})
	p.chunk = n
	return p
}

// Misread makes every page read back as something else.
func Misread(p *Prints) {
	err := fault.New(fault.Internal, selfCheck, "La stampa non è riuscita: il documento riletto non corrisponde.")
	p.draw = func(pdf.Document, texts.Set) ([]byte, [sha256.Size]byte, error) {
		return nil, [sha256.Size]byte{}, err
	}
	p.add = func(*pdf.Batch, pdf.Document, texts.Set, string) ([sha256.Size]byte, error) {
		return [sha256.Size]byte{}, err
	}
}
