package escpos

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// bandRows is the most rows of dots in one command: belt printers have small
// buffers, and 255 is the most that some take in a byte.
const bandRows = 240

// escposBytes writes ESC/POS as Epson has it (TM command reference), in the few
// commands that its imitators share.
func escposBytes(s *slip, b *bitmap) []byte {
	out := []byte{0x1B, '@'} // as after power-on
	raster := func(from, to int) {
		bands(from, to, bandRows, func(y, h int) {
			out = append(out, 0x1D, 'v', '0', 0)
			out = u16(u16(out, b.stride()), h)
			out = append(out, b.bits[y*b.stride():(y+h)*b.stride()]...)
		})
	}
	if s.own == nil {
		raster(0, s.height)
		return append(out, 0x1B, 'd', 3) // to the tear bar
	}
	// Code page 19, which is 858: Western letters and the euro sign. Lines are as
	// far apart as dots say.
	out = append(out, 0x1B, 't', 19)
	for _, r := range s.rows {
		switch {
		case len(r.symbols) > 0 || r.rule:
			raster(r.y, r.y+r.height)
		case r.text == "":
			out = append(out, 0x1B, 'J', byte(min(r.height, 255)))
		default:
			out = append(out, 0x1B, '3', byte(r.height), 0x1B, 'a', 0)
			if r.x > 0 {
				out[len(out)-1] = 1 // in the middle
			}
			out = append(out, 0x1B, 'E', 0, 0x1D, '!', 0)
			if r.style != plain {
				out[len(out)-4] = 1
			}
			if r.style == large {
				out[len(out)-1] = 0x11 // twice as wide and tall
			}
			out = append(append(out, inPage(pages[ESCPOS], r.text)...), '\n')
		}
	}
	return append(out, 0x1B, 'd', 3)
}

// zplBytes writes ZPL II (Zebra programming guide): one label, on paper without
// gaps, as long as the slip.
func zplBytes(s *slip, b *bitmap) []byte {
	var out []byte
	out = line(out, "^XA^MNN^PON^LH0,0^LT0^CI28^PW%d^LL%d", s.width, s.height)
	graphic := func(from, to int) {
		out = line(out, "^FO0,%d^GFA,%d,%d,%d,%s^FS", from, (to-from)*b.stride(), (to-from)*b.stride(), b.stride(), zplDots(b, from, to))
	}
	if s.own == nil {
		bands(0, s.height, bandRows, func(y, h int) { graphic(y, y+h) })
		return line(out, "^XZ")
	}
	for _, r := range s.rows {
		switch {
		case len(r.symbols) > 0 || r.rule:
			graphic(r.y, r.y+r.height)
		case r.text != "":
			// Font D: cells of 12 by 20 dots, enlarged by whole factors.
			k := r.style.scale()
			out = line(out, "^FO%d,%d^ADN,%d,%d^FH^FD%s^FS", r.x, r.y, 18*k, 10*k, zplText(r.text))
		}
	}
	return line(out, "^XZ")
}

// zplText keeps commands out of data: with ^FH, _xx is a byte.
func zplText(t string) string {
	return strings.NewReplacer("_", "_5F", "^", "_5E", "~", "_7E").Replace(t)
}

// zplDots writes rows as hexadecimal in the short form of ^GF: a letter repeats
// the next digit (G to Y 1 to 19, g to z 20 to 400), «,» fills a row with
// light, «:» repeats the row before.
func zplDots(b *bitmap, from, to int) string {
	var out strings.Builder
	for y := from; y < to; y++ {
		if y > from && bytes.Equal(b.row(y), b.row(y-1)) {
			out.WriteByte(':')
			continue
		}
		digits := strings.ToUpper(hex.EncodeToString(b.row(y)))
		end := strings.TrimRight(digits, "0")
		for i := 0; i < len(end); {
			n := 1
			for i+n < len(end) && end[i+n] == end[i] {
				n++
			}
			for left := n; left > 1; {
				if left < 20 {
					out.WriteByte("GHIJKLMNOPQRSTUVWXY"[left-1])
					break
				}
				k := min(left/20, 20)
				out.WriteByte("ghijklmnopqrstuvwxyz"[k-1])
				if left -= 20 * k; left == 1 { // what is left over is a digit of its own
					out.WriteByte('G')
				}
			}
			out.WriteByte(end[i])
			i += n
		}
		if len(end) < len(digits) {
			out.WriteByte(',')
		}
	}
	return out.String()
}

// cpclBytes writes CPCL (Zebra CPCL manual): one label as long as the slip.
func cpclBytes(s *slip, b *bitmap) []byte {
	var out []byte
	out = line(out, "! 0 200 200 %d 1", s.height)
	out = line(out, "PAGE-WIDTH %d", s.width)
	graphic := func(from, to int) {
		out = fmt.Appendf(out, "CG %d %d 0 %d ", b.stride(), to-from, from)
		out = append(append(out, b.bits[from*b.stride():to*b.stride()]...), '\r', '\n')
	}
	if s.own == nil {
		bands(0, s.height, bandRows, func(y, h int) { graphic(y, y+h) })
	} else {
		out = line(out, "COUNTRY CP850")
		for _, r := range s.rows {
			switch {
			case len(r.symbols) > 0 || r.rule:
				graphic(r.y, r.y+r.height)
			case r.text != "":
				bold := 0
				if r.style != plain {
					bold = 2
				}
				k := r.style.scale()
				out = line(out, "SETBOLD %d", bold)
				out = line(out, "SETMAG %d %d", k, k)
				// Font 7, size 0: cells of 12 by 24 dots.
				out = fmt.Appendf(out, "T 7 0 %d %d ", r.x, r.y)
				out = append(append(out, inPage(pages[CPCL], r.text)...), '\r', '\n')
			}
		}
	}
	out = line(out, "FORM")
	return line(out, "PRINT")
}
