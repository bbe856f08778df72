package pdf

import (
	"strings"
)

// Measures in millimetres, from the notice guide («Margini e spazi»).
const (
	pageWidth  = 210.0
	pageHeight = 297.0
	margin     = 10.0
	rightEdge  = pageWidth - margin
	barHeight  = 7.9
	pointMM    = 25.4 / 72
)

// face is a font at a size in points.
type face struct {
	font font
	size float64
}

func regular(size float64) face { return face{titillium, size} }
func bold(size float64) face    { return face{titilliumBold, size} }
func mono(size float64) face    { return face{robotoMono, size} }

// line is the height of a line, in millimetres.
func (f face) line() float64 { return f.size * pointMM * 1.22 }

// sheet is a page being laid out, in a few words of our own. All y are tops.
type sheet struct {
	canvas
	types  *typeCase
	dry    bool // nothing is drawn, only measured
	colour colour
}

// width measures t.
func (s *sheet) width(f face, t string) float64 {
	n, widths := 0, &s.types.widths[f.font]
	for _, r := range t {
		if r <= lastRune {
			n += int(widths[r])
		}
	}
	return float64(n) * f.size * pointMM / 1000
}

// line writes one line.
func (s *sheet) line(f face, x, y float64, t string) {
	if !s.dry && t != "" {
		s.canvas.text(f, x, y+0.95*f.size*pointMM, t, s.colour)
	}
}

// lineRight writes one line that ends at x.
func (s *sheet) lineRight(f face, x, y float64, t string) { s.line(f, x-s.width(f, t), y, t) }

// box fills a rectangle.
func (s *sheet) box(x, y, w, h float64, c colour) {
	if !s.dry {
		s.fill(x, y, w, h, c)
	}
}

// in draws with another colour.
func (s *sheet) in(c colour, draw func()) {
	before := s.colour
	s.colour = c
	draw()
	s.colour = before
}

// fit writes one line of at most w millimetres: if t is wider it is set smaller,
// down to three quarters, and if that is not enough it ends in an ellipsis. It is
// for names, which may be cut, never for what the law wants said.
func (s *sheet) fit(f face, x, y, w float64, t string) {
	baseline := y + 0.95*f.size*pointMM
	if full := s.width(f, t); full > w {
		f.size *= max(0.75, w/full)
	}
	for r := []rune(t); s.width(f, t) > w && len(r) > 0; {
		r = r[:len(r)-1]
		t = strings.TrimRight(string(r), " ") + "…"
	}
	s.line(f, x, baseline-0.95*f.size*pointMM, t)
}

// wrap breaks t into lines of at most w millimetres, inside a word only when
// the word alone is longer.
func (s *sheet) wrap(f face, w float64, t string) []string {
	var lines []string
	space := s.width(f, " ")
	from, to, used := 0, 0, 0.0 // of the line so far, in t
	for rest := t; ; {
		rest = strings.TrimLeft(rest, " ")
		if rest == "" {
			break
		}
		word, after, _ := strings.Cut(rest, " ")
		start := len(t) - len(rest)
		rest = after
		wide := s.width(f, word)
		if to > from && used+space+wide <= w {
			to, used = start+len(word), used+space+wide
			continue
		}
		if to > from {
			lines = append(lines, t[from:to])
		}
		for ; wide > w && len(word) > 1; wide = s.width(f, word) {
			n, part := 0, 0.0
			for i, r := range word {
				if part += s.width(f, string(r)); part > w && i > 0 {
					break
				}
				n = i + len(string(r))
			}
			if n == len(word) {
				break
			}
			lines = append(lines, word[:n])
			start, word = start+n, word[n:]
		}
		from, to, used = start, start+len(word), wide
	}
	return append(lines, t[from:to])
}

// paragraph writes t in lines of at most w and returns where it ends.
func (s *sheet) paragraph(f face, x, y, w float64, t string) float64 {
	if t == "" {
		return y
	}
	for _, l := range s.wrap(f, w, t) {
		s.line(f, x, y, l)
		y += f.line()
	}
	return y
}

// bar writes the heading of a section over the whole width of the paper.
func (s *sheet) bar(y float64, left, right string) float64 {
	s.box(0, y, pageWidth, barHeight, barGrey)
	f := bold(10)
	s.line(f, margin, y+1.9, left)
	room := rightEdge - margin - s.width(f, left) - 8
	s.fit(f, max(rightEdge-s.width(f, right), rightEdge-room), y+1.9, room, right)
	return y + barHeight
}

// labelled writes a small label and its value below it, and returns where it
// ends. Without a value there is no label either.
func (s *sheet) labelled(label string, f face, x, y, w float64, value string) float64 {
	if value == "" {
		return y
	}
	small := regular(min(f.size, 8))
	s.line(small, x, y, label)
	return s.paragraph(f, x, y+small.line(), w, value)
}
