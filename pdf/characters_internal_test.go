package pdf

import (
	"encoding/binary"
	"testing"
	"unicode"

	"preavviso/internal/assets"
)

// TestGlyphsAreInEveryFont reads the fonts themselves, so that a newer font
// with fewer letters is noticed here and not on paper.
func TestGlyphsAreInEveryFont(t *testing.T) {
	for _, name := range []string{assets.TitilliumRegular, assets.TitilliumBold, assets.RobotoMonoBold} {
		font, err := assets.Font(name)
		if err != nil {
			t.Fatal(err)
		}
		has := characters(font)
		if len(has) < 300 {
			t.Fatalf("%s: only %d characters found", name, len(has))
		}
		for r := range rune(0x10000) {
			if unicode.Is(glyphs, r) && !has[r] {
				t.Errorf("%s lacks %U %q", name, r, r)
			}
		}
	}
}

// characters returns what a TrueType font can draw, from the segments of its
// cmap tables of format 4.
func characters(font []byte) map[rune]bool {
	u16 := func(at int) int { return int(binary.BigEndian.Uint16(font[at:])) }
	u32 := func(at int) int { return int(binary.BigEndian.Uint32(font[at:])) }
	has := map[rune]bool{}
	for i := range u16(4) {
		entry := 12 + 16*i
		if string(font[entry:entry+4]) != "cmap" {
			continue
		}
		cmap := u32(entry + 8)
		for j := range u16(cmap + 2) {
			table := cmap + u32(cmap+4+8*j+4)
			if u16(table) != 4 {
				continue
			}
			segX2 := u16(table + 6)
			for k := 0; k < segX2; k += 2 {
				for r := u16(table + 16 + segX2 + k); r <= u16(table+14+k); r++ {
					has[rune(r)] = true
				}
			}
		}
	}
	return has
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		" \t\n ":                      "",
		"Città è più giù":             "Città è più giù",
		"e\u0301 composto":            "é composto",
		"a  b\u00a0c\nd":              "a b c d",
		"Kovačić Łukasz Straße œuvre": "Kovačić Łukasz Straße œuvre",
		"Nguyễn Ṭ ẞ":                  "Nguyen T SS",
		"« “ ” „ ‚ ’ – — … € º ª § ·": "« “ ” „ ‚ ’ – — … € º ª § ·",
		"ﬁ １２ a\u2011b ℃":             "fi 12 a-b °C",
	} {
		if got, ok := printable(in); got != want || !ok {
			t.Errorf("printable(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"違反", "Пётр", "a\x00b", "a\x1bb", "a😀", "\xff", "a\u200bb", "a\ufffdb"} {
		if got, ok := printable(in); ok {
			t.Errorf("printable(%q) = %q, want it refused", in, got)
		}
	}
}

// FuzzPrintable checks that whatever is called printable has a glyph for every
// character and needs no second cleaning.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "Città", "e\u0301", "違", "Ṭ", "\xff", "ẞ\u0301", "a\u0301\u0302 \u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := printable(s)
		if !ok {
			if got != "" {
				t.Fatalf("printable(%q) = %q, false", s, got)
			}
			return
		}
		for _, r := range got {
			if !unicode.Is(glyphs, r) {
				t.Fatalf("printable(%q) = %q has %U", s, got, r)
			}
		}
		if again, ok := printable(got); !ok || again != got {
			t.Fatalf("printable(%q) = %q, then %q, %v", s, got, again, ok)
		}
	})
}
