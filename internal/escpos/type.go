package escpos

import (
	"fmt"
	"image"
	"image/draw"
	"sync"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"preavviso/internal/assets"
)

// style is how a line is set.
type style int

const (
	plain style = iota
	strong
	large // strong, and twice as wide and tall
	styles
)

// scale is how many cells of the grid a character takes each way.
func (s style) scale() int {
	if s == large {
		return 2
	}
	return 1
}

// typeface is every character of a font at one size, as dots.
type typeface struct {
	cell   int // width of a character, in dots
	glyphs map[rune][]bool
}

// lastRune is the highest character that notices have, the euro sign.
const lastRune = 0x20AC

type faceKey struct {
	style style
	cell  int // of a plain character
}

// typefaces are drawn once, in some tens of milliseconds, and never changed.
var typefaces = sync.OnceValues(func() (map[faceKey]*typeface, error) {
	all := map[faceKey]*typeface{}
	for s := range styles {
		file := assets.RobotoMonoBold
		if s == plain {
			file = assets.RobotoMonoRegular
		}
		b, err := assets.Font(file)
		if err != nil {
			return nil, err
		}
		font, err := sfnt.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", file, err)
		}
		for _, p := range papers {
			cell := p[80].cell
			t := &typeface{cell * s.scale(), map[rune][]bool{}}
			var buf sfnt.Buffer
			for r := rune(' '); r <= lastRune; r++ {
				index, err := font.GlyphIndex(&buf, r)
				if err != nil {
					return nil, err
				}
				if index == 0 {
					continue
				}
				if t.glyphs[r], err = rasterise(font, &buf, index, t.cell); err != nil {
					return nil, fmt.Errorf("drawing %U of %s: %w", r, file, err)
				}
			}
			all[faceKey{s, cell}] = t
		}
	}
	return all, nil
})

// The letters of Roboto Mono are 0.6 em wide; their height is cut to the cell,
// which is twice as tall as wide. Of it, this much is above the baseline.
const (
	advance  = 0.6
	baseline = 0.78
	ink      = 0x70 // of 0xFF: from here on a dot is burnt
)

// rasterise returns the dots of a character, cell wide and twice as tall.
func rasterise(font *sfnt.Font, buf *sfnt.Buffer, index sfnt.GlyphIndex, cell int) ([]bool, error) {
	w, h := cell, 2*cell
	ppem := fixed.Int26_6(float64(w) / advance * 64)
	segments, err := font.LoadGlyph(buf, index, ppem, nil)
	if err != nil {
		return nil, err
	}
	z := vector.NewRasterizer(w, h)
	at := func(p fixed.Point26_6) (x, y float32) {
		return float32(p.X) / 64, float32(p.Y)/64 + float32(h)*baseline
	}
	for _, s := range segments {
		x0, y0 := at(s.Args[0])
		x1, y1 := at(s.Args[1])
		x2, y2 := at(s.Args[2])
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			z.ClosePath()
			z.MoveTo(x0, y0)
		case sfnt.SegmentOpLineTo:
			z.LineTo(x0, y0)
		case sfnt.SegmentOpQuadTo:
			z.QuadTo(x0, y0, x1, y1)
		case sfnt.SegmentOpCubeTo:
			z.CubeTo(x0, y0, x1, y1, x2, y2)
		}
	}
	z.ClosePath()
	z.DrawOp = draw.Src
	grey := image.NewAlpha(image.Rect(0, 0, w, h))
	z.Draw(grey, grey.Bounds(), image.Opaque, image.Point{})
	g := make([]bool, w*h)
	for i, a := range grey.Pix {
		g[i] = a >= ink
	}
	return g, nil
}

// write draws a line of text with the top left corner of its first cell at x, y.
func (b *bitmap) write(s style, cell, x, y int, text string) error {
	all, err := typefaces()
	if err != nil {
		return err
	}
	face := all[faceKey{s, cell}]
	for _, r := range text {
		for i, dark := range face.glyphs[r] {
			if dark {
				b.fill(x+i%face.cell, y+i/face.cell, 1, 1)
			}
		}
		x += face.cell
	}
	return nil
}
