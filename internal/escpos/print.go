package escpos

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"preavviso/internal/texts"
	"preavviso/pdf"
)

// Print returns the bytes to send to a printer. Equal notices, texts and options
// give equal bytes.
//
// Its errors are [fault.Invalid] when the notice cannot be printed as it is, and
// internal with code «print.self_check» when the dots do not read back as what
// is printed around them.
func Print(n pdf.Notice, t texts.Set, o Options) ([]byte, error) {
	encode, known := encoders[o.Printer]
	if !known {
		return nil, bad("La stampante può essere escpos, zpl o cpcl.")
	}
	s, b, err := drawn(n, t, o)
	if err != nil {
		return nil, err
	}
	return encode(s, b), nil
}

var encoders = map[Printer]func(*slip, *bitmap) []byte{ESCPOS: escposBytes, ZPL: zplBytes, CPCL: cpclBytes}

// PNG returns the slip as an image with a pixel for each dot.
func PNG(n pdf.Notice, t texts.Set, o Options) ([]byte, error) {
	o.OwnFont = false // nobody knows what that looks like
	_, b, err := drawn(n, t, o)
	if err != nil {
		return nil, err
	}
	return b.png()
}

// PDF returns the slip as a page of its own size.
func PDF(n pdf.Notice, t texts.Set, o Options) ([]byte, error) {
	o.OwnFont = false
	_, b, err := drawn(n, t, o)
	if err != nil {
		return nil, err
	}
	perMillimetre := map[int]float64{203: 8, 300: 300 / 25.4}
	return pdf.Draw(pdf.Picture{Title: "Preavviso di violazione al Codice della Strada", At: n.IssuedAt, Width: b.width, Height: b.height,
		Dots: b.bits, PerMillimetre: perMillimetre[o.DPI]}, t)
}

// drawn lays a slip out, draws it and reads it back.
func drawn(n pdf.Notice, t texts.Set, o Options) (*slip, *bitmap, error) {
	s, err := layOut(n, t, o)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.bitmap()
	if err != nil {
		return nil, nil, err
	}
	return s, b, s.check(b)
}

// asciiFor is for what no code page of a printer has.
var asciiFor = map[rune]string{'’': "'", '‘': "'", '“': `"`, '”': `"`, '„': `"`, '–': "-", '—': "-", '…': "...", '•': "*", 'ł': "l", 'Ł': "L", 'đ': "d", 'Đ': "D", 'œ': "oe", 'Œ': "OE", '€': "EUR"}

// pages are the characters of the printers' own fonts. ZPL takes UTF-8, and its
// font D has those of page 850.
var pages = map[Printer]*charmap.Charmap{ESCPOS: charmap.CodePage858, ZPL: charmap.CodePage850, CPCL: charmap.CodePage850}

// sayable returns text in the characters of a page.
func sayable(page *charmap.Charmap, text string) string {
	var out strings.Builder
	for _, r := range text {
		if _, ok := page.EncodeRune(r); ok {
			out.WriteRune(r)
			continue
		}
		if t := asciiFor[r]; t != "" {
			out.WriteString(t)
			continue
		}
		bare := []rune(norm.NFKD.String(string(r)))[0] // a letter without its mark
		if _, ok := page.EncodeRune(bare); !ok {
			bare = '?'
		}
		out.WriteRune(bare)
	}
	return out.String()
}

// inPage encodes what is sayable.
func inPage(page *charmap.Charmap, text string) []byte {
	var out []byte
	for _, r := range text {
		b, _ := page.EncodeRune(r)
		out = append(out, b)
	}
	return out
}

// bands cuts rows of dots into pieces of at most n.
func bands(from, to, n int, yield func(y, height int)) {
	for y := from; y < to; {
		h := min(n, to-y)
		yield(y, h)
		y += h
	}
}

// u16 appends n as two bytes, the lower first.
func u16(out []byte, n int) []byte { return append(out, byte(n), byte(n>>8)) }

func line(out []byte, format string, args ...any) []byte {
	return append(fmt.Appendf(out, format, args...), '\r', '\n')
}
