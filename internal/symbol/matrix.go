package symbol

import (
	"fmt"
	"math/bits"

	"preavviso/internal/fault"
)

// maxSide is the side of the largest symbol we print, a Data Matrix of 64: a row
// is one machine word.
const maxSide = 64

// Matrix is a square of dark and light modules without its quiet zone. The zero
// Matrix is no symbol.
type Matrix struct {
	side int
	rows [maxSide]uint64 // bit x of rows[y] is set where the module is dark
}

// NewMatrix returns a light square, to be filled with Set. It is for those who
// read back what they drew. A side outside 1 to 64 gives the zero Matrix.
func NewMatrix(side int) Matrix {
	if side < 1 || side > maxSide {
		return Matrix{}
	}
	return Matrix{side: side}
}

// Side is the number of modules of a side.
func (m *Matrix) Side() int { return m.side }

// Dark reports whether the module in column x of row y, from the top left, is
// dark. Outside the symbol there is only light.
func (m *Matrix) Dark(x, y int) bool {
	return x >= 0 && y >= 0 && x < m.side && y < m.side && m.rows[y]>>x&1 == 1
}

// Set makes a module dark. Outside the symbol it does nothing.
func (m *Matrix) Set(x, y int) {
	if x >= 0 && y >= 0 && x < m.side && y < m.side {
		m.rows[y] |= 1 << x
	}
}

// Runs calls yield for each run of dark modules of a row, from the top left: it
// begins in column x of row y and is n modules long.
func (m *Matrix) Runs(yield func(x, y, n int)) {
	for y := range m.side {
		for row := m.rows[y]; row != 0; {
			x := bits.TrailingZeros64(row)
			n := bits.TrailingZeros64(^(row >> x))
			yield(x, y, n)
			row &^= (1<<n - 1) << x
		}
	}
}

// unreadable is the error of everything in this package that reads.
func unreadable(what string, err error) error {
	return fault.Wrap(fault.Internal, "print.self_check", "La stampa non è riuscita: un simbolo stampato non si rilegge.", fmt.Errorf("reading %s back: %w", what, err))
}
