package pdf

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// glyphs are the characters that all our fonts have. What is not here would be
// printed as an empty box.
var glyphs = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x20, Hi: 0x7E, Stride: 1},
		{Lo: 0xA1, Hi: 0xAC, Stride: 1},
		{Lo: 0xAE, Hi: 0xFF, Stride: 1},
		{Lo: 0x100, Hi: 0x131, Stride: 1},
		{Lo: 0x134, Hi: 0x137, Stride: 1},
		{Lo: 0x139, Hi: 0x13E, Stride: 1},
		{Lo: 0x141, Hi: 0x148, Stride: 1},
		{Lo: 0x14A, Hi: 0x17E, Stride: 1},
		{Lo: 0x218, Hi: 0x21B, Stride: 1},
		{Lo: 0x2013, Hi: 0x2014, Stride: 1},
		{Lo: 0x2018, Hi: 0x201A, Stride: 1},
		{Lo: 0x201C, Hi: 0x201E, Stride: 1},
		{Lo: 0x2022, Hi: 0x2022, Stride: 1},
		{Lo: 0x2026, Hi: 0x2026, Stride: 1},
		{Lo: 0x20AC, Hi: 0x20AC, Stride: 1},
	},
	LatinOffset: 3,
}

// similar holds letters and signs that people type and fonts lack.
var similar = map[rune]string{'ẞ': "SS", 'ʼ': "’", '‐': "-", '‑': "-", '−': "-", '′': "’", '″': "”"}

// printable returns s in characters that the fonts have, with white space
// collapsed: a letter with a mark they lack loses the mark. It reports false if
// something would be lost altogether, such as a word in another script.
func printable(s string) (string, bool) {
	var b strings.Builder
	for _, r := range norm.NFC.String(oneLine(s)) {
		switch t := similar[r]; {
		case unicode.Is(glyphs, r):
			b.WriteRune(r)
		case t != "":
			b.WriteString(t)
		default:
			bare := strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return r
			}, norm.NFKD.String(string(r)))
			if bare == "" {
				continue // a mark on nothing
			}
			for _, r := range bare {
				if !unicode.Is(glyphs, r) {
					return "", false
				}
			}
			b.WriteString(bare)
		}
	}
	return oneLine(b.String()), true // a mark on a space may have gone
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
