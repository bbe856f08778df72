package symbol

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/boombuler/barcode/qr"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// maxScreenText is what the largest QR code holds that fits a [Matrix]: version 11
// at level M, in bytes (ISO/IEC 18004 table 7).
const maxScreenText = 251

// ScreenQR returns the smallest QR code of level M that holds a text of 1 to 251
// bytes, for a screen: paper wants [QR], whose version the guide prescribes. It has
// been read back.
func ScreenQR(text string) (Matrix, error) {
	if len(text) < 1 || len(text) > maxScreenText {
		return Matrix{}, fmt.Errorf("QR text of %d bytes, want 1 to %d", len(text), maxScreenText)
	}
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return Matrix{}, fmt.Errorf("making a QR code: %w", err)
	}
	m := NewMatrix(code.Bounds().Dx())
	for y := range m.side {
		for x := range m.side {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				m.Set(x, y)
			}
		}
	}
	if got, err := readAnyQR(&m); err != nil || got != text {
		return Matrix{}, unreadable("QR code", errors.Join(err, errors.New("it says something else")))
	}
	return m, nil
}

func readAnyQR(m *Matrix) (string, error) {
	grid, err := gozxing.NewSquareBitMatrix(max(1, m.side))
	if err != nil {
		return "", err
	}
	m.Runs(func(x, y, n int) {
		for i := range n {
			grid.Set(x+i, y)
		}
	})
	got, err := decoder.NewDecoder().DecodeWithoutHint(grid)
	if err != nil {
		return "", err
	}
	return got.GetText(), nil
}

// quietZone is the light border that a reader of QR codes needs, in modules.
const quietZone = 4

// SVG draws a symbol with its quiet zone as an SVG image of one path, a module a
// unit wide. Whoever shows it gives it a size.
func (m *Matrix) SVG() string {
	side := m.side + 2*quietZone
	b := fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, side, side, side, side)
	m.Runs(func(x, y, n int) {
		b = append(b, 'M')
		b = strconv.AppendInt(b, int64(x+quietZone), 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(y+quietZone), 10)
		b = append(b, 'h')
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, "v1h-"...)
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, 'z')
	})
	return string(append(b, `"/></svg>`...))
}
