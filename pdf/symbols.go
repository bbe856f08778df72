package pdf

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
	"github.com/jung-kurt/gofpdf"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix"
)

// symbol is a square of dark and light modules, without its quiet zone.
type symbol struct {
	side int
	dark func(x, y int) bool // from the top left
}

// qrModules is the side of a QR code of version 4, which the notice guide
// prescribes («Codice QR»: version 4, error correction M).
const qrModules = 33

// qrSymbol draws the payload of [avviso.QR]. Its 43 to 52 characters need
// exactly version 4 at level M as long as they are bytes: a mode that packs
// digits would come out at version 3.
func qrSymbol(payload string) (symbol, error) {
	code, err := qr.Encode(payload, qr.M, qr.Unicode)
	if err != nil {
		return symbol{}, fmt.Errorf("encoding QR code: %w", err)
	}
	if side := code.Bounds().Dx(); side != qrModules {
		return symbol{}, fmt.Errorf("QR code of %d modules, want %d", side, qrModules)
	}
	return symbol{qrModules, func(x, y int) bool { return code.At(x, y) == color.Black }}, nil
}

// Sides of a Data Matrix. PiemontePAY prints 52 and so do we; a text that packs
// badly, mostly signs, gets the next size.
const (
	dataMatrixModules     = 52
	dataMatrixModulesMore = 64
)

// dataMatrixSymbol draws the payload of [avviso.DataMatrix]. The encoder must
// know C40: in plain ASCII the 256 characters never fit into 52 modules.
func dataMatrixSymbol(payload string) (symbol, error) {
	for _, side := range []int{dataMatrixModules, dataMatrixModulesMore} {
		dim, err := gozxing.NewDimension(side, side)
		if err != nil {
			return symbol{}, fmt.Errorf("encoding Data Matrix: %w", err)
		}
		m, err := datamatrix.NewDataMatrixWriter().Encode(payload, gozxing.BarcodeFormat_DATA_MATRIX, side, side,
			map[gozxing.EncodeHintType]interface{}{gozxing.EncodeHintType_MIN_SIZE: dim, gozxing.EncodeHintType_MAX_SIZE: dim})
		if err != nil {
			continue // does not fit, which the encoder tells only in words
		}
		if m.GetWidth() != side || m.GetHeight() != side {
			return symbol{}, fmt.Errorf("Data Matrix of %d by %d modules, want %d", m.GetWidth(), m.GetHeight(), side)
		}
		return symbol{side, m.Get}, nil
	}
	return symbol{}, fmt.Errorf("Data Matrix payload does not fit into %d modules", dataMatrixModulesMore)
}

// draw fills the symbol as one path on a grid of whole modules, its top left
// corner at x, y and its side in millimetres. One path has no seams between
// modules, at whatever resolution it is rendered.
func (s symbol) draw(pdf *gofpdf.Fpdf, x, y, side float64) {
	k := pdf.GetConversionRatio()
	_, height := pdf.GetPageSize()
	m := side * k / float64(s.side)
	var b strings.Builder
	fmt.Fprintf(&b, "q 0 g %.5f 0 0 %.5f %.5f %.5f cm\n", m, -m, x*k, (height-y)*k)
	for row := range s.side {
		for col := 0; col < s.side; col++ {
			from := col
			for col < s.side && s.dark(col, row) {
				col++
			}
			if col > from {
				fmt.Fprintf(&b, "%d %d %d 1 re\n", from, row, col-from)
			}
		}
	}
	b.WriteString("f Q")
	pdf.RawWriteStr(b.String())
}
