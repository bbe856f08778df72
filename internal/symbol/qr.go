package symbol

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/boombuler/barcode/utils"
)

// QRSide is the side of a QR code of version 4, which the notice guide
// prescribes («Codice QR»: version 4, error correction M).
const QRSide = 33

// Version 4 at level M (ISO/IEC 18004 table 9): two blocks of 32 bytes of data
// and 18 of correction.
const (
	qrBlocks  = 2
	qrData    = 32
	qrECC     = 18
	qrHeader  = 2  // mode and length take 12 bits, and the last 4 close the text
	qrMaxText = 62 // bytes
	qrMinText = 1
)

// qrFormats is the format information of level M for each mask: 15 bits, the
// first drawn is the highest (ISO/IEC 18004 annex C).
var qrFormats = [8]uint16{0x5412, 0x5125, 0x5E7C, 0x5B4B, 0x45F9, 0x40CE, 0x4F97, 0x4AA0}

// qrMasks are the conditions of ISO/IEC 18004 table 10: the module in column x of
// row y is turned over where the mask says so.
var qrMasks = [8]func(x, y int) bool{
	func(x, y int) bool { return (x+y)%2 == 0 },
	func(_, y int) bool { return y%2 == 0 },
	func(x, _ int) bool { return x%3 == 0 },
	func(x, y int) bool { return (x+y)%3 == 0 },
	func(x, y int) bool { return (y/2+x/3)%2 == 0 },
	func(x, y int) bool { return x*y%2+x*y%3 == 0 },
	func(x, y int) bool { return (x*y%2+x*y%3)%2 == 0 },
	func(x, y int) bool { return ((x+y)%2+x*y%3)%2 == 0 },
}

// qrFrame is all of a symbol that does not depend on its text.
type qrFrame struct {
	masked [8]Matrix  // the fixed patterns with the format, and the mask over the rest
	path   [][2]uint8 // where the bits of the codewords go, in order
	rs     *utils.ReedSolomonEncoder
}

// qrParts builds the frame once. It is never written again.
var qrParts = sync.OnceValue(func() *qrFrame {
	var fixed, taken Matrix
	fixed.side, taken.side = QRSide, QRSide
	put := func(m *Matrix, x, y int, dark bool) {
		taken.Set(x, y)
		if dark {
			m.Set(x, y)
		}
	}
	finder := func(cx, cy int) { // with its light border
		for dy := -4; dy <= 4; dy++ {
			for dx := -4; dx <= 4; dx++ {
				r := max(dx, -dx, dy, -dy)
				put(&fixed, cx+dx, cy+dy, r != 2 && r != 4)
			}
		}
	}
	finder(3, 3)
	finder(QRSide-4, 3)
	finder(3, QRSide-4)
	for dy := -2; dy <= 2; dy++ { // version 4 has one alignment pattern, at 26, 26
		for dx := -2; dx <= 2; dx++ {
			put(&fixed, 26+dx, 26+dy, max(dx, -dx, dy, -dy) != 1)
		}
	}
	for i := 8; i < QRSide-8; i++ {
		put(&fixed, i, 6, i%2 == 0)
		put(&fixed, 6, i, i%2 == 0)
	}
	put(&fixed, 8, QRSide-8, true)

	f := &qrFrame{rs: utils.NewReedSolomonEncoder(utils.NewGaloisField(0x11D, 256, 0))}
	for i, format := range qrFormats {
		f.masked[i] = fixed
		for b := range 15 {
			dark := format>>(14-b)&1 == 1
			// Beside the top left finder, around its corner and past the timing pattern.
			x, y := b, 8
			switch {
			case b == 6:
				x = 7
			case b == 7:
				x, y = 8, 8
			case b == 8:
				x, y = 8, 7
			case b > 8:
				x, y = 8, 14-b
			}
			put(&f.masked[i], x, y, dark)
			// And again, below and beside the other two.
			if x, y = 8, QRSide-1-b; b > 6 {
				x, y = QRSide-15+b, 8
			}
			put(&f.masked[i], x, y, dark)
		}
	}
	// Two columns at a time from the right, up and down in turn, past the
	// vertical timing pattern.
	up := true
	for right := QRSide - 1; right > 0; right -= 2 {
		if right == 6 {
			right--
		}
		for i := range QRSide {
			y := i
			if up {
				y = QRSide - 1 - i
			}
			for _, x := range [2]int{right, right - 1} {
				if !taken.Dark(x, y) {
					f.path = append(f.path, [2]uint8{uint8(x), uint8(y)})
				}
			}
		}
		up = !up
	}
	for i, turns := range qrMasks {
		for _, at := range f.path {
			if turns(int(at[0]), int(at[1])) {
				f.masked[i].Set(int(at[0]), int(at[1]))
			}
		}
	}
	return f
})

// QR returns the QR code of a payload of 1 to 62 bytes: always version 4, level
// M, in bytes. A version chosen by length would come out smaller for some
// payloads, and the guide prescribes this one.
func QR(payload string) (Matrix, error) {
	if len(payload) < qrMinText || len(payload) > qrMaxText {
		return Matrix{}, fmt.Errorf("QR payload of %d bytes, want %d to %d", len(payload), qrMinText, qrMaxText)
	}
	f := qrParts()

	// 4 bits of mode (byte), 8 of length, the text, 4 of end; then the two bytes
	// that fill in turn.
	const all = qrBlocks * qrData
	var data [all]int
	set := func(i int, b byte) { // half a byte after i
		data[i] |= int(b >> 4)
		data[i+1] |= int(b&0xF) << 4
	}
	data[0] = 4 << 4
	set(0, byte(len(payload)))
	for i := range len(payload) {
		set(i+1, payload[i])
	}
	for i, fill := len(payload)+qrHeader, 0xEC; i < all; i, fill = i+1, fill^0xEC^0x11 {
		data[i] = fill
	}

	var words [qrBlocks * (qrData + qrECC)]byte
	for b := range qrBlocks {
		block := data[b*qrData : (b+1)*qrData]
		for i, w := range block {
			words[i*qrBlocks+b] = byte(w)
		}
		for i, w := range f.rs.Encode(block, qrECC) {
			words[all+i*qrBlocks+b] = byte(w)
		}
	}
	var text Matrix
	for i, at := range f.path {
		if i < len(words)*8 && words[i/8]>>(7-i%8)&1 == 1 {
			text.rows[at[1]] |= 1 << at[0]
		}
	}

	var best Matrix
	least := int(^uint(0) >> 1)
	for i := range f.masked {
		m := f.masked[i]
		for y := range QRSide {
			m.rows[y] ^= text.rows[y]
		}
		if p := qrPenalty(&m); p < least {
			best, least = m, p
		}
	}
	return best, nil
}

// qrPenalty is how hard a symbol is to read (ISO/IEC 18004 §7.8.3): long runs,
// blocks, what looks like a finder, and too much of one colour.
func qrPenalty(m *Matrix) int {
	const whole = 1<<QRSide - 1
	var turned [QRSide]uint64
	dark := 0
	for y := range QRSide {
		dark += bits.OnesCount64(m.rows[y])
		for row := m.rows[y]; row != 0; row &= row - 1 {
			turned[bits.TrailingZeros64(row)] |= 1 << y
		}
	}
	p := 0
	for _, lines := range [2][]uint64{m.rows[:QRSide], turned[:]} {
		for _, line := range lines {
			// A bit of same is set where a module is like the next one, so a run of
			// n modules is n-1 bits.
			same := ^(line ^ line>>1) & (whole >> 1)
			for same != 0 {
				x := bits.TrailingZeros64(same)
				n := bits.TrailingZeros64(^(same >> x))
				if n+1 >= 5 {
					p += n + 1 - 2
				}
				same &^= (1<<n - 1) << x
			}
			p += 40 * (occurrences(line, 0b00001011101) + occurrences(line, 0b10111010000))
		}
	}
	for y := range QRSide - 1 {
		a, b := m.rows[y], m.rows[y+1]
		p += 3 * bits.OnesCount64(^(a^b)&^(a^a>>1)&^(b^b>>1)&(whole>>1))
	}
	const total = QRSide * QRSide
	below := dark * 20 / total // in steps of 5 %
	above := (dark*20 + total - 1) / total
	return p + 10*min(max(below-10, 10-below), max(above-10, 10-above))
}

// occurrences counts where the 11 modules of pattern stand in a line.
func occurrences(line uint64, pattern uint) int {
	const length = 11
	found := uint64(1)<<(QRSide-length+1) - 1
	for i := range length {
		if pattern>>i&1 == 1 {
			found &= line >> i
		} else {
			found &^= line >> i
		}
	}
	return bits.OnesCount64(found)
}

// ReadQR reads a QR code. It wants the symbol as it was meant: version 4, level
// M and not one module that error correction had to mend. Its errors are
// internal, with code «print.self_check».
func ReadQR(m *Matrix) (string, error) {
	text, err := readQR(m)
	if err != nil {
		return "", unreadable("QR code", err)
	}
	return text, nil
}

func readQR(m *Matrix) (string, error) {
	if m.side != QRSide {
		return "", fmt.Errorf("%d modules", m.side)
	}
	got, err := readAnyQR(m)
	if err != nil {
		return "", err
	}
	// The decoder mends errors without a word. A symbol drawn afresh from what it
	// read tells whether it had to.
	meant, err := QR(got)
	if err != nil {
		return "", err
	}
	if *m != meant {
		return "", errors.New("modules are wrong, though few enough for a reader to mend")
	}
	return got, nil
}
