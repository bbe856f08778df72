package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"image"
	_ "image/jpeg" // the two formats a logo may have
	"image/png"
	"io"

	"preavviso/internal/fault"
)

// Bounds of a logo as it is handed in.
const (
	MaxLogoBytes  = 5 << 20
	MaxLogoPixels = 4096 // along a side: 4096² decoded is 64 MB, once, when it is set up
	// logoPixels is what is kept along a side: 30 mm at a little over 400 dpi, more
	// than an office printer shows.
	logoPixels = 480
)

// Logo is the coat of arms of a creditor, ready to be put into documents. It is
// never changed and may be used by many at once.
type Logo struct {
	width, height int
	packed        []byte // deflated: RGB, or of a picture one bit a dot
	bilevel       bool
	digest        [sha256.Size]byte
}

// NewLogo checks a PNG or JPEG file and redraws it: only pixels reach a
// document, nothing else that the file carries. What is transparent becomes
// white paper. Errors are [fault.Invalid].
func NewLogo(file []byte) (*Logo, error) {
	if len(file) > MaxLogoBytes {
		return nil, fault.New(fault.Invalid, "logo.too_large", fmt.Sprintf("Il file dello stemma supera i %d MB.", MaxLogoBytes>>20))
	}
	bad := func(err error) (*Logo, error) {
		return nil, fault.Wrap(fault.Invalid, "logo.not_image", "Lo stemma deve essere un'immagine PNG o JPEG integra.", err)
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return bad(err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > MaxLogoPixels || size.Height > MaxLogoPixels {
		return nil, fault.New(fault.Invalid, "logo.too_many_pixels", fmt.Sprintf("Lo stemma deve avere al massimo %d pixel per lato.", MaxLogoPixels))
	}
	picture, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return bad(err)
	}
	l := &Logo{width: size.Width, height: size.Height}
	if longer := max(size.Width, size.Height); longer > logoPixels {
		l.width, l.height = max(1, size.Width*logoPixels/longer), max(1, size.Height*logoPixels/longer)
	}
	pixels := shrink(picture, l.width, l.height)
	l.digest = sha256.Sum256(fmt.Appendf(pixels, "%d", l.width)) // appends to a copy or past the end: pixels stays
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(pixels); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	l.packed = packed.Bytes()
	return l, nil
}

// PNG returns the logo as a file that [NewLogo] reads as the same logo.
func (l *Logo) PNG() ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(l.packed))
	if err != nil {
		return nil, err
	}
	pixels, err := io.ReadAll(io.LimitReader(z, 3*logoPixels*logoPixels))
	if err != nil {
		return nil, err
	}
	m := image.NewRGBA(image.Rect(0, 0, l.width, l.height))
	for i := range l.width * l.height {
		copy(m.Pix[4*i:], pixels[3*i:3*i+3])
		m.Pix[4*i+3] = 0xFF
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// shrink returns an image as w by h pixels of RGB on white, each the mean of
// those it covers.
func shrink(from image.Image, w, h int) []byte {
	b := from.Bounds()
	out := make([]byte, 0, 3*w*h+8)
	for y := range h {
		y0, y1 := b.Min.Y+y*b.Dy()/h, b.Min.Y+(y+1)*b.Dy()/h
		for x := range w {
			x0, x1 := b.Min.X+x*b.Dx()/w, b.Min.X+(x+1)*b.Dx()/w
			var sum [3]uint64
			n := uint64((x1 - x0) * (y1 - y0))
			for v := y0; v < y1; v++ {
				for u := x0; u < x1; u++ {
					r, g, bl, a := from.At(u, v).RGBA() // premultiplied
					white := 0xFFFF - a
					sum[0] += uint64(r + white)
					sum[1] += uint64(g + white)
					sum[2] += uint64(bl + white)
				}
			}
			for _, s := range sum {
				out = append(out, byte(s/n>>8))
			}
		}
	}
	return out
}

// box returns the size in millimetres of the logo inside a square.
func (l *Logo) box(side float64) (w, h float64) {
	longer := float64(max(l.width, l.height))
	return side * float64(l.width) / longer, side * float64(l.height) / longer
}
