package escpos

import (
	"bytes"
	"image"
	"image/color"
	"image/png"

	"preavviso/internal/symbol"
)

// bitmap is dots on paper: a row is a whole number of bytes, its highest bit the
// leftmost dot, as all three printer languages want it. 1 is black.
type bitmap struct {
	width, height int // width is a multiple of 8
	bits          []byte
}

func newBitmap(width, height int) *bitmap {
	return &bitmap{width, height, make([]byte, width/8*height)}
}

func (b *bitmap) stride() int      { return b.width / 8 }
func (b *bitmap) row(y int) []byte { return b.bits[y*b.stride() : (y+1)*b.stride()] }

func (b *bitmap) dark(x, y int) bool {
	return x >= 0 && y >= 0 && x < b.width && y < b.height && b.row(y)[x/8]>>(7-x%8)&1 == 1
}

// fill blackens a rectangle, as far as it is on the paper.
func (b *bitmap) fill(x, y, w, h int) {
	for v := max(y, 0); v < min(y+h, b.height); v++ {
		row := b.row(v)
		for u := max(x, 0); u < min(x+w, b.width); u++ {
			row[u/8] |= 0x80 >> (u % 8)
		}
	}
}

// draw puts a symbol with its top left module at x, y.
func (b *bitmap) draw(m *symbol.Matrix, x, y, dots int) {
	m.Runs(func(col, row, n int) { b.fill(x+col*dots, y+row*dots, n*dots, dots) })
}

// png is the slip as an image file: one bit a dot.
func (b *bitmap) png() ([]byte, error) {
	img := image.NewPaletted(image.Rect(0, 0, b.width, b.height), color.Palette{color.White, color.Black})
	for y := range b.height {
		for x := range b.width {
			if b.dark(x, y) {
				img.Pix[y*img.Stride+x] = 1
			}
		}
	}
	var out bytes.Buffer
	err := png.Encode(&out, img)
	return out.Bytes(), err
}
