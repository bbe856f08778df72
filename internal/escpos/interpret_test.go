package escpos_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// printed is what came out of a printer: dots on paper, and lines of text in the
// printer's own letters.
type printed struct {
	dots  *image.Gray
	lines []string
	notes []string // one for each command: where it begins, and what it is
}

// The printers are written from the manuals, and know nothing of package escpos.
// An unknown command is a mistake: paper would come out covered with it.
var printers = map[string]func(t *testing.T, data []byte, width int) printed{
	"escpos": escposPrinter, "zpl": zplPrinter, "cpcl": cpclPrinter,
}

func blank(width, height int) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, width, height))
	for i := range g.Pix {
		g.Pix[i] = 0xFF
	}
	return g
}

// burn puts rows of dots on the paper.
func burn(t *testing.T, g *image.Gray, x, y, stride int, data []byte) {
	t.Helper()
	for i, b := range data {
		for bit := range 8 {
			if b>>(7-bit)&1 == 1 {
				at := image.Pt(x+i%stride*8+bit, y+i/stride)
				if !at.In(g.Rect) {
					t.Fatalf("dot %v is off the paper of %v", at, g.Rect)
				}
				g.SetGray(at.X, at.Y, color.Gray{})
			}
		}
	}
}

func escposPrinter(t *testing.T, data []byte, width int) printed {
	const longest = 8000
	p := printed{dots: blank(width, longest)}
	y, spacing, big := 0, 30, false
	rest := data
	take := func(n int) []byte {
		if n > len(rest) {
			t.Fatalf("command is cut off: % x", rest)
		}
		out := rest[:n]
		rest = rest[n:]
		return out
	}
	for len(rest) > 0 {
		start := rest
		note := ""
		switch {
		case bytes.HasPrefix(rest, []byte("\x1b@")):
			take(2)
			note = "ESC @, begin anew"
		case bytes.HasPrefix(rest, []byte("\x1bt")):
			note = fmt.Sprintf("ESC t, code page %d", take(3)[2])
		case bytes.HasPrefix(rest, []byte("\x1b3")):
			spacing = int(take(3)[2])
			note = fmt.Sprintf("ESC 3, lines of %d dots", spacing)
		case bytes.HasPrefix(rest, []byte("\x1ba")):
			note = fmt.Sprintf("ESC a, align %d", take(3)[2])
		case bytes.HasPrefix(rest, []byte("\x1bE")):
			note = fmt.Sprintf("ESC E, bold %d", take(3)[2])
		case bytes.HasPrefix(rest, []byte("\x1d!")):
			size := take(3)[2]
			big = size != 0
			note = fmt.Sprintf("GS !, size %02x", size)
		case bytes.HasPrefix(rest, []byte("\x1bJ")):
			n := int(take(3)[2])
			y += n
			note = fmt.Sprintf("ESC J, feed %d dots", n)
		case bytes.HasPrefix(rest, []byte("\x1bd")):
			n := int(take(3)[2])
			y += n * spacing
			note = fmt.Sprintf("ESC d, feed %d lines", n)
		case bytes.HasPrefix(rest, []byte("\x1dv0\x00")):
			h := take(8)
			stride, rows := int(h[4])|int(h[5])<<8, int(h[6])|int(h[7])<<8
			if stride > 255 || rows > 255 {
				t.Fatalf("raster of %d bytes by %d rows: too much for small buffers", stride, rows)
			}
			burn(t, p.dots, 0, y, stride, take(stride*rows))
			y += rows
			note = fmt.Sprintf("GS v 0, %d bytes by %d rows", stride, rows)
		case rest[0] < ' ':
			t.Fatalf("unknown command % x", rest[:min(8, len(rest))])
		default:
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				t.Fatal("line without end")
			}
			text, err := charmap.CodePage858.NewDecoder().String(string(take(end + 1)[:end]))
			if err != nil || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
				t.Fatalf("control characters in a line: %q, %v", text, err)
			}
			cell := 12
			if big {
				cell = 24
			}
			if len([]rune(text))*cell > width {
				t.Fatalf("%q is wider than the paper", text)
			}
			p.lines = append(p.lines, text)
			y += spacing
			note = strconv.Quote(text)
		}
		p.note(note, start[:len(start)-len(rest)])
	}
	p.dots = p.dots.SubImage(image.Rect(0, 0, width, y)).(*image.Gray)
	return p
}

var (
	zplHead    = regexp.MustCompile(`^\^XA\^MNN\^PON\^LH0,0\^LT0\^CI28\^PW(\d+)\^LL(\d+)\r\n`)
	zplGraphic = regexp.MustCompile(`^\^FO(\d+),(\d+)\^GFA,(\d+),(\d+),(\d+),([0-9A-Fg-zG-Y,:]*)\^FS\r\n`)
	zplLine    = regexp.MustCompile(`^\^FO(\d+),(\d+)\^ADN,(\d+),(\d+)\^FH\^FD([^^~]*)\^FS\r\n`)
)

func ints(t *testing.T, s []string) []int {
	t.Helper()
	out := make([]int, len(s))
	for i := range s {
		var err error
		if out[i], err = strconv.Atoi(s[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func zplPrinter(t *testing.T, data []byte, width int) printed {
	rest := string(data)
	m := zplHead.FindStringSubmatch(rest)
	if m == nil {
		t.Fatalf("no label: %.100q", rest)
	}
	size := ints(t, m[1:])
	if size[0] != width {
		t.Fatalf("label is %d dots wide, want %d", size[0], width)
	}
	p := printed{dots: blank(width, size[1])}
	p.note("label", []byte(m[0]))
	for rest = rest[len(m[0]):]; rest != "^XZ\r\n"; {
		if m := zplGraphic.FindStringSubmatch(rest); m != nil {
			n := ints(t, m[1:6])
			dots := unpackZPL(t, m[6], n[4])
			if len(dots) != n[2] || n[2] != n[3] {
				t.Fatalf("graphic of %d bytes holds %d", n[2], len(dots))
			}
			burn(t, p.dots, n[0], n[1], n[4], dots)
			p.note(fmt.Sprintf("graphic, %d bytes by %d rows", n[4], n[2]/n[4]), []byte(m[0]))
			rest = rest[len(m[0]):]
			continue
		}
		m := zplLine.FindStringSubmatch(rest)
		if m == nil {
			t.Fatalf("unknown command %.100q", rest)
		}
		n := ints(t, m[1:5])
		text, err := regexp.MustCompile(`_([0-9A-F]{2})`), error(nil)
		plain := text.ReplaceAllStringFunc(m[5], func(s string) string {
			var b []byte
			if b, err = hex.DecodeString(s[1:]); err != nil {
				t.Fatal(err)
			}
			return string(b)
		})
		if n[0]+len([]rune(plain))*12*(n[2]/18) > width || n[1]+2*n[2] > size[1]+n[2] {
			t.Fatalf("%q is off the paper", plain)
		}
		p.lines = append(p.lines, plain)
		p.note(strconv.Quote(plain), []byte(m[0]))
		rest = rest[len(m[0]):]
	}
	p.note("end of label", []byte(rest))
	return p
}

// unpackZPL reads the short form of ^GF.
func unpackZPL(t *testing.T, s string, stride int) []byte {
	t.Helper()
	var rows, row strings.Builder
	last := strings.Repeat("0", 2*stride)
	flush := func() {
		last = row.String()
		rows.WriteString(last)
		row.Reset()
	}
	repeat := 0
	for _, c := range s {
		switch {
		case c == ':':
			if row.Len() > 0 {
				t.Fatal(": in the middle of a row")
			}
			rows.WriteString(last)
		case c == ',':
			row.WriteString(strings.Repeat("0", 2*stride-row.Len()))
			flush()
		case c >= 'G' && c <= 'Y':
			repeat += int(c-'G') + 1
		case c >= 'g' && c <= 'z':
			repeat += 20 * (int(c-'g') + 1)
		default:
			row.WriteString(strings.Repeat(string(c), max(1, repeat)))
			repeat = 0
			if row.Len() == 2*stride {
				flush()
			}
		}
		if row.Len() > 2*stride {
			t.Fatal("row is too long")
		}
	}
	if row.Len() > 0 || repeat > 0 {
		t.Fatal("row is cut off")
	}
	out, err := hex.DecodeString(rows.String())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func cpclPrinter(t *testing.T, data []byte, width int) printed {
	rest := data
	line := func() string {
		at := bytes.Index(rest, []byte("\r\n"))
		if at < 0 {
			t.Fatalf("line without end: %.100q", rest)
		}
		l := string(rest[:at])
		rest = rest[at+2:]
		return l
	}
	var height, wide int
	head := rest
	if _, err := fmt.Sscanf(line(), "! 0 200 200 %d 1", &height); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(line(), "PAGE-WIDTH %d", &wide); err != nil || wide != width {
		t.Fatalf("page is %d dots wide, want %d: %v", wide, width, err)
	}
	p := printed{dots: blank(width, height)}
	p.note("label", head[:len(head)-len(rest)])
	for len(rest) > 0 {
		start := rest
		note := ""
		if bytes.HasPrefix(rest, []byte("CG ")) {
			var stride, rows, x, y int
			if _, err := fmt.Sscanf(string(rest[:min(40, len(rest))]), "CG %d %d %d %d ", &stride, &rows, &x, &y); err != nil {
				t.Fatal(err)
			}
			at := len(fmt.Sprintf("CG %d %d %d %d ", stride, rows, x, y))
			if at+stride*rows+2 > len(rest) || string(rest[at+stride*rows:at+stride*rows+2]) != "\r\n" {
				t.Fatal("graphic is cut off")
			}
			burn(t, p.dots, x, y, stride, rest[at:at+stride*rows])
			rest = rest[at+stride*rows+2:]
			p.note(fmt.Sprintf("CG, %d bytes by %d rows", stride, rows), start[:len(start)-len(rest)])
			continue
		}
		l := line()
		word, _, _ := strings.Cut(l, " ")
		switch word {
		case "COUNTRY", "SETBOLD", "SETMAG", "FORM", "PRINT":
			note = l
		case "T":
			var font, size, x, y int
			if _, err := fmt.Sscanf(l, "T %d %d %d %d", &font, &size, &x, &y); err != nil || font != 7 || size != 0 {
				t.Fatalf("%q: %v", l, err)
			}
			text, err := charmap.CodePage850.NewDecoder().String(strings.SplitN(l, " ", 6)[5])
			if err != nil || x+12*len([]rune(text)) > width || y >= height {
				t.Fatalf("%q is off the paper: %v", text, err)
			}
			p.lines = append(p.lines, text)
			note = "font 7: " + strconv.Quote(text)
		default:
			t.Fatalf("unknown command %q", l)
		}
		p.note(note, start[:len(start)-len(rest)])
	}
	if !bytes.HasSuffix(data, []byte("FORM\r\nPRINT\r\n")) {
		t.Error("the label does not end")
	}
	return p
}

// note keeps a command as a golden file has it: a comment and the bytes. Of rows
// of dots that are alike, one is written.
func (p *printed) note(what string, data []byte) {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", what)
	same, before := 0, ""
	flush := func() {
		if same > 1 {
			fmt.Fprintf(&b, "# the same %d times\n", same)
		}
	}
	for len(data) > 0 {
		n := min(len(data), 48)
		row := hex.EncodeToString(data[:n])
		data = data[n:]
		if row == before {
			same++
			continue
		}
		flush()
		same, before = 1, row
		b.WriteString(row + "\n")
	}
	flush()
	p.notes = append(p.notes, b.String())
}

// pgm is the paper as a picture, with a white border: readers want to see its
// edge.
func (p *printed) pgm() []byte {
	const border = 40
	w, h := p.dots.Rect.Dx(), p.dots.Rect.Dy()
	out := fmt.Appendf(nil, "P5\n%d %d\n255\n", w+2*border, h+2*border)
	light := bytes.Repeat([]byte{0xFF}, border*(w+2*border))
	out = append(out, light...)
	for y := range h {
		out = append(out, light[:border]...)
		out = append(out, p.dots.Pix[y*p.dots.Stride:y*p.dots.Stride+w]...)
		out = append(out, light[:border]...)
	}
	return append(out, light...)
}
