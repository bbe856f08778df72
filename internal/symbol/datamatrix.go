package symbol

import (
	"errors"
	"fmt"
	"sync"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix"
)

// Sides of a Data Matrix. PiemontePAY prints 52 and so do we; a text that packs
// badly, mostly signs, gets the next size.
const (
	DataMatrixSide     = 52
	DataMatrixSideMore = 64
)

// DataMatrix returns the Data Matrix (ECC 200) of a payload in ASCII. The encoder
// must know C40: in plain ASCII the 256 characters of a bollettino never fit into
// 52 modules.
func DataMatrix(payload string) (Matrix, error) {
	for _, side := range []int{DataMatrixSide, DataMatrixSideMore} {
		dim, err := gozxing.NewDimension(side, side)
		if err != nil {
			return Matrix{}, fmt.Errorf("encoding Data Matrix: %w", err)
		}
		grid, err := datamatrix.NewDataMatrixWriter().Encode(payload, gozxing.BarcodeFormat_DATA_MATRIX, side, side,
			map[gozxing.EncodeHintType]interface{}{gozxing.EncodeHintType_MIN_SIZE: dim, gozxing.EncodeHintType_MAX_SIZE: dim})
		if err != nil {
			continue // does not fit, which the encoder tells only in words
		}
		if grid.GetWidth() != side || grid.GetHeight() != side {
			return Matrix{}, fmt.Errorf("Data Matrix of %d by %d modules, want %d", grid.GetWidth(), grid.GetHeight(), side)
		}
		m := Matrix{side: side}
		for y := range side {
			for x := range side {
				if grid.Get(x, y) {
					m.Set(x, y)
				}
			}
		}
		return m, nil
	}
	return Matrix{}, fmt.Errorf("Data Matrix payload does not fit into %d modules", DataMatrixSideMore)
}

// dmSize is one of the two symbols (ISO/IEC 16022 table 7). Both have two
// interleaved blocks.
type dmSize struct {
	regions   int // along a side
	inner     int // modules of a region along a side, without its border
	data, ecc int // codewords in all
}

const dmBlocks = 2

var dmSizes = map[int]dmSize{
	DataMatrixSide:     {regions: 2, inner: 24, data: 204, ecc: 84},
	DataMatrixSideMore: {regions: 4, inner: 14, data: 280, ecc: 112},
}

// dmPlace is where the eight bits of each codeword are, highest first, among the
// inner modules of all regions put together.
type dmPlace [][8][2]int16

var dmPlaces = sync.OnceValue(func() map[int]dmPlace {
	all := map[int]dmPlace{}
	for side, s := range dmSizes {
		all[side] = dmPlacement(s.regions*s.inner, s.data+s.ecc)
	}
	return all
})

// dmPlacement walks the square as ISO/IEC 16022 annex F lays it out: diagonals
// of L-shaped codewords, upwards and downwards in turn, and four special shapes
// for corners.
func dmPlacement(n, codewords int) dmPlace {
	taken := make([]bool, n*n)
	place := make(dmPlace, 0, codewords)
	at := func(row, col int) [2]int16 {
		if row < 0 {
			row, col = row+n, col+4-(n+4)%8
		}
		if col < 0 {
			col, row = col+n, row+4-(n+4)%8
		}
		taken[row*n+col] = true
		return [2]int16{int16(row), int16(col)}
	}
	shape := func(r, c int) {
		place = append(place, [8][2]int16{
			at(r-2, c-2), at(r-2, c-1), at(r-1, c-2), at(r-1, c-1), at(r-1, c), at(r, c-2), at(r, c-1), at(r, c),
		})
	}
	corner := func(rc ...int) {
		var p [8][2]int16
		for i := range p {
			p[i] = at((rc[2*i]+n)%n, (rc[2*i+1]+n)%n)
		}
		place = append(place, p)
	}
	for row, col := 4, 0; row < n || col < n; {
		switch {
		case row == n && col == 0:
			corner(-1, 0, -1, 1, -1, 2, 0, -2, 0, -1, 1, -1, 2, -1, 3, -1)
		case row == n-2 && col == 0 && n%4 != 0:
			corner(-3, 0, -2, 0, -1, 0, 0, -4, 0, -3, 0, -2, 0, -1, 1, -1)
		case row == n-2 && col == 0 && n%8 == 4:
			corner(-3, 0, -2, 0, -1, 0, 0, -2, 0, -1, 1, -1, 2, -1, 3, -1)
		case row == n+4 && col == 2 && n%8 == 0:
			corner(-1, 0, -1, -1, 0, -3, 0, -2, 0, -1, 1, -3, 1, -2, 1, -1)
		}
		for ; row >= 0 && col < n; row, col = row-2, col+2 {
			if row < n && !taken[row*n+col] {
				shape(row, col)
			}
		}
		row, col = row+1, col+3
		for ; row < n && col >= 0; row, col = row+2, col-2 {
			if row >= 0 && col < n && !taken[row*n+col] {
				shape(row, col)
			}
		}
		row, col = row+3, col+1
	}
	return place
}

// ReadDataMatrix reads a Data Matrix of either size, as it was meant: a frame
// module or a codeword that error correction would have to mend is an error. Its
// errors are internal, with code «print.self_check».
func ReadDataMatrix(m *Matrix) (string, error) {
	text, err := readDataMatrix(m)
	if err != nil {
		return "", unreadable("Data Matrix", err)
	}
	return text, nil
}

func readDataMatrix(m *Matrix) (string, error) {
	s, ok := dmSizes[m.side]
	if !ok {
		return "", fmt.Errorf("%d modules", m.side)
	}
	// Around each region: solid at the left and below, alternating above and at
	// the right.
	outer := s.inner + 2
	for y := range m.side {
		for x := range m.side {
			rx, ry := x%outer, y%outer
			var want bool
			switch {
			case rx == 0 || ry == outer-1:
				want = true
			case ry == 0:
				want = rx%2 == 0
			case rx == outer-1:
				want = ry%2 == 1
			default:
				continue
			}
			if m.Dark(x, y) != want {
				return "", fmt.Errorf("frame is wrong at %d, %d", x, y)
			}
		}
	}
	place := dmPlaces()[m.side]
	if len(place) != s.data+s.ecc {
		return "", fmt.Errorf("%d codewords, want %d", len(place), s.data+s.ecc)
	}
	words := make([]byte, len(place))
	for i, bits := range place {
		for _, at := range bits {
			row, col := int(at[0]), int(at[1])
			words[i] <<= 1
			if m.Dark(col/s.inner*outer+1+col%s.inner, row/s.inner*outer+1+row%s.inner) {
				words[i] |= 1
			}
		}
	}
	for b := range dmBlocks {
		if !dmSound(words[b:], s.ecc/dmBlocks) {
			return "", errors.New("error correction does not fit")
		}
	}
	return dmText(words[:s.data])
}

// dmField is the field of ISO/IEC 16022 §5.7: powers of 2 modulo 0x12D, and
// back.
var dmField = sync.OnceValue(func() *struct{ exp, log [512]int } {
	var f struct{ exp, log [512]int }
	x := 1
	for i := range 255 {
		f.exp[i], f.exp[i+255], f.log[x] = x, x, i
		if x <<= 1; x > 0xFF {
			x ^= 0x12D
		}
	}
	return &f
})

// dmSound reports whether every second word from the first on is a codeword of
// the code: zero at the first ecc powers of 2.
func dmSound(words []byte, ecc int) bool {
	f := dmField()
	for power := 1; power <= ecc; power++ {
		sum := 0
		for i := 0; i < len(words); i += dmBlocks {
			if sum != 0 {
				sum = f.exp[f.log[sum]+power]
			}
			sum ^= int(words[i])
		}
		if sum != 0 {
			return false
		}
	}
	return true
}

// Codewords with a meaning of their own while in ASCII (ISO/IEC 16022 table 2).
const (
	dmPad        = 129
	dmDigits     = 130 // to 229: two digits
	dmC40        = 230
	dmBase256    = 231
	dmUpperShift = 235
	dmX12        = 238
	dmTextSet    = 239
	dmEdifact    = 240
	dmUnlatch    = 254 // from C40, Text and X12
)

// The sets of C40; Text has the letters of the first and the last swapped.
const (
	dmBasic  = " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	dmShift2 = "!\"#$%&'()*+,-./:;<=>?@[\\]^_"
	dmShift3 = "`ABCDEFGHIJKLMNOPQRSTUVWXYZ{|}~\x7f"
	dmX12Set = "\r*> 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func dmText(words []byte) (string, error) {
	var out []byte
	for i := 0; i < len(words); {
		w := words[i]
		i++
		switch {
		case w >= 1 && w <= 128:
			out = append(out, w-1)
		case w == dmPad:
			return string(out), nil
		case w >= dmDigits && w < dmC40:
			out = append(out, '0'+(w-dmDigits)/10, '0'+(w-dmDigits)%10)
		case w == dmC40, w == dmTextSet, w == dmX12:
			var err error
			if i, out, err = dmTriples(words, i, out, w); err != nil {
				return "", err
			}
		case w == dmEdifact:
			i, out = dmEdifactText(words, i, out)
		case w == dmBase256:
			plain := func(at int) int { return (int(words[at]) - (149*(at+1)%255 + 1) + 256) % 256 }
			n := plain(i)
			i++
			if n == 0 {
				n = len(words) - i
			} else if n >= 250 && i < len(words) {
				n = (n-249)*250 + plain(i)
				i++
			}
			if n > len(words)-i {
				return "", errors.New("bytes past the end")
			}
			for ; n > 0; n-- {
				out = append(out, byte(plain(i)))
				i++
			}
		default: // upper shift and worse: nothing beyond ASCII is ever printed
			return "", fmt.Errorf("codeword %d", w)
		}
	}
	return string(out), nil
}

// dmTriples reads pairs of codewords that hold three values each, up to an
// unlatch or the end.
func dmTriples(words []byte, i int, out []byte, set byte) (int, []byte, error) {
	shift := 0
	for i < len(words) && words[i] != dmUnlatch {
		if i+1 == len(words) {
			return i, out, nil // one codeword is left for ASCII
		}
		v := int(words[i])<<8 + int(words[i+1]) - 1
		i += 2
		for _, c := range [3]int{v / 1600, v / 40 % 40, v % 40} {
			var from string
			at := c
			switch {
			case set == dmX12:
				from = dmX12Set
			case shift == 1:
				if c > 31 {
					return 0, nil, errors.New("no such control character")
				}
				out, shift = append(out, byte(c)), 0
				continue
			case shift == 2:
				from = dmShift2
			case shift == 3:
				from = dmShift3
			case c < 3:
				shift = c + 1
				continue
			default:
				from, at = dmBasic, c-3
			}
			if at >= len(from) {
				return 0, nil, fmt.Errorf("value %d in set %d of codeword %d", c, shift, set)
			}
			b := from[at]
			if b >= 'A' && b <= 'Z' && (set == dmC40 && shift == 3 || set == dmTextSet && shift == 0) {
				b += 'a' - 'A'
			}
			out, shift = append(out, b), 0
		}
	}
	return i + 1, out, nil
}

// dmEdifactText reads three codewords of four characters each, up to an unlatch
// or until fewer than three are left.
func dmEdifactText(words []byte, i int, out []byte) (int, []byte) {
	const unlatch = 31
	for i+2 < len(words) {
		v := int(words[i])<<16 | int(words[i+1])<<8 | int(words[i+2])
		for k := range 4 {
			c := byte(v >> (18 - 6*k) & 63)
			if c == unlatch {
				return i + k + 1 - k/3, out // the codeword that holds it is the last; what is left of it is filling
			}
			if c < 32 {
				c += 64
			}
			out = append(out, c)
		}
		i += 3
	}
	return i, out
}
