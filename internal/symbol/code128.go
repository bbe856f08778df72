package symbol

import (
	"fmt"
	"image/color"

	"github.com/boombuler/barcode/code128"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
)

// code128Quiet is the light space at both ends, in modules (ISO/IEC 15417 §4.2).
const code128Quiet = 10

// MaxCode128 is the longest text for bars: more would be wider than a page, at
// modules that a hand scanner still reads.
const MaxCode128 = 30

// Bars are the modules of a Code 128 from left to right, true where dark and
// without quiet zone.
type Bars []bool

// Code128 returns the bars of 1 to [MaxCode128] characters of printable ASCII.
func Code128(text string) (Bars, error) {
	if len(text) < 1 || len(text) > MaxCode128 {
		return nil, fmt.Errorf("%d characters for a Code 128, want 1 to %d", len(text), MaxCode128)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return nil, fmt.Errorf("character %d of a Code 128 is not printable ASCII", i+1)
		}
	}
	code, err := code128.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("encoding Code 128: %w", err)
	}
	bars := make(Bars, code.Bounds().Dx())
	for x := range bars {
		bars[x] = code.At(x, 0) == color.Black
	}
	return bars, nil
}

// Runs calls yield for each dark bar: it begins at module x and is n wide.
func (b Bars) Runs(yield func(x, n int)) {
	for x := 0; x < len(b); x++ {
		from := x
		for x < len(b) && b[x] {
			x++
		}
		if x > from {
			yield(from, x-from)
		}
	}
}

// ReadCode128 reads bars back. Its errors are internal, with code
// «print.self_check».
func ReadCode128(b Bars) (string, error) {
	row := gozxing.NewBitArray(len(b) + 2*code128Quiet)
	for x, dark := range b {
		if dark {
			row.Set(x + code128Quiet)
		}
	}
	reader, ok := oned.NewCode128Reader().(oned.RowDecoder)
	if !ok {
		return "", unreadable("Code 128", fmt.Errorf("no row decoder"))
	}
	r, err := reader.DecodeRow(0, row, nil)
	if err != nil {
		return "", unreadable("Code 128", err)
	}
	return r.GetText(), nil
}
