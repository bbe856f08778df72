package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"time"

	"preavviso/internal/fault"
)

// Picture is a page of dots: what a thermal printer will burn, to be looked at on
// a screen or printed in the office. Nothing is read back here; whoever made the
// dots has.
type Picture struct {
	Title         string
	At            time.Time
	Width, Height int    // in dots; rows are whole bytes
	Dots          []byte // from the top left, the highest bit first; 1 is black
	PerMillimetre float64
}

func (d Picture) draw(p *printing) error {
	if d.Width < 1 || d.Height < 1 || len(d.Dots) != (d.Width+7)/8*d.Height || !(d.PerMillimetre > 0) {
		return fault.New(fault.Invalid, "print.bad_picture", "L'anteprima non è un'immagine valida.")
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(d.Dots); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	p.about = about{d.Title, d.At, "it-IT"}
	p.size = [2]float64{float64(d.Width) / d.PerMillimetre, float64(d.Height) / d.PerMillimetre}
	l := &Logo{width: d.Width, height: d.Height, packed: packed.Bytes(), bilevel: true, digest: sha256.Sum256(d.Dots)}
	// From the bottom of the page, which is where its corner is.
	p.newPage().logo(l, 0, pageHeight-p.size[1], p.size[0], p.size[1])
	return nil
}
