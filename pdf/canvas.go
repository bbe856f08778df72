package pdf

import (
	"strconv"
	"unicode"

	"preavviso/internal/symbol"
)

// colour is 0xRRGGBB.
type colour uint32

const (
	black   colour = 0x000000
	barGrey colour = 0xECECEC // K7, section bars
	second  colour = 0x7C7C7B // K50, the second language
	poste   colour = 0x4D4D4D // 70 % black, the authorisation of Poste
	frame   colour = 0xD9D9D9 // corners around a Data Matrix
)

// canvas is what layout draws on: the content of a page, or in tests gofpdf.
// Lengths are millimetres from the top left corner of the page.
type canvas interface {
	text(f face, x, baseline float64, t string, c colour)
	fill(x, y, w, h float64, c colour)
	symbol(m *symbol.Matrix, x, y, side float64)
	bars(b symbol.Bars, x, y, w, h float64)
	logo(l *Logo, x, y, w, h float64)
	// begin and end enclose what belongs to one symbol: a payment box.
	begin(section string)
	end()
}

// Names of sections, as the file calls them.
const (
	sectionPay    = "Pay"
	sectionPostal = "Postal"
	sectionBars   = "Bars"
)

// content is the content stream of a page.
type content struct {
	b      []byte
	font   font
	size   float64
	colour colour
	logos  []*Logo // used on this page
	rare   bool    // some character is not a common one
	alien  bool    // some character is in no font
}

func (c *content) reset() {
	*c = content{b: c.b[:0], font: -1}
}

// num appends a length in points.
func (c *content) num(points float64) {
	c.b = append(strconv.AppendFloat(c.b, points, 'f', 2, 64), ' ')
}

func (c *content) op(s string) { c.b = append(append(c.b, s...), '\n') }

func (c *content) paint(to colour) {
	if to == c.colour {
		return
	}
	c.colour = to
	for _, v := range [3]colour{to >> 16, to >> 8 & 0xFF, to & 0xFF} {
		c.b = append(strconv.AppendFloat(c.b, float64(v)/255, 'f', 3, 64), ' ')
	}
	c.op("rg")
}

// text writes characters as gofpdf's fonts want them: two bytes each, which are
// their numbers in Unicode.
func (c *content) text(f face, x, baseline float64, t string, to colour) {
	if t == "" {
		return
	}
	c.paint(to)
	c.b = append(c.b, "BT "...)
	if f.font != c.font || f.size != c.size {
		c.font, c.size = f.font, f.size
		c.b = append(c.b, '/', 'F', '0'+byte(f.font), ' ')
		c.num(f.size)
		c.b = append(c.b, "Tf "...)
	}
	c.num(x / pointMM)
	c.num((pageHeight - baseline) / pointMM)
	c.b = append(c.b, "Td ("...)
	for _, r := range t {
		if !common(r) {
			c.rare = true
			c.alien = c.alien || !unicode.Is(glyphs, r)
		}
		for _, b := range [2]byte{byte(r >> 8), byte(r)} {
			switch b {
			case '(', ')', '\\':
				c.b = append(c.b, '\\', b)
			case '\r':
				c.b = append(c.b, `\r`...) // a bare one would be read as a line feed
			default:
				c.b = append(c.b, b)
			}
		}
	}
	c.op(") Tj ET")
}

func (c *content) fill(x, y, w, h float64, to colour) {
	c.paint(to)
	c.num(x / pointMM)
	c.num((pageHeight - y) / pointMM)
	c.num(w / pointMM)
	c.num(-h / pointMM)
	c.op("re f")
}

// grid begins a path in modules of w by h millimetres, from x, y downwards.
func (c *content) grid(x, y, w, h float64) {
	c.paint(black)
	c.b = append(c.b, "q "...)
	for _, v := range [...]float64{w / pointMM, 0, 0, -h / pointMM, x / pointMM, (pageHeight - y) / pointMM} {
		c.b = append(strconv.AppendFloat(c.b, v, 'f', 5, 64), ' ')
	}
	c.op("cm")
}

func (c *content) run(x, y, n int) {
	for _, v := range [...]int{x, y, n} {
		c.b = append(strconv.AppendInt(c.b, int64(v), 10), ' ')
	}
	c.op("1 re")
}

// symbol fills one path on a grid of whole modules. One path has no seams
// between modules, at whatever resolution it is rendered.
func (c *content) symbol(m *symbol.Matrix, x, y, side float64) {
	module := side / float64(m.Side())
	c.grid(x, y, module, module)
	m.Runs(c.run)
	c.op("f Q")
}

func (c *content) bars(b symbol.Bars, x, y, w, h float64) {
	c.grid(x, y, w/float64(len(b)), h)
	b.Runs(func(x, n int) { c.run(x, 0, n) })
	c.op("f Q")
}

func (c *content) logo(l *Logo, x, y, w, h float64) {
	at := -1
	for i, have := range c.logos {
		if have == l {
			at = i
		}
	}
	if at < 0 {
		at = len(c.logos)
		c.logos = append(c.logos, l)
	}
	c.b = append(c.b, "q "...)
	c.num(w / pointMM)
	c.b = append(c.b, "0 0 "...)
	c.num(h / pointMM)
	c.num(x / pointMM)
	c.num((pageHeight - y - h) / pointMM)
	c.b = append(c.b, "cm /L"...)
	c.b = strconv.AppendInt(c.b, int64(at), 10)
	c.op(" Do Q")
}

func (c *content) begin(section string) { c.op("/" + section + " BMC") }
func (c *content) end()                 { c.op("EMC") }
