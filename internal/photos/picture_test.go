package photos

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"preavviso/internal/fault"
)

// exif returns a JPEG segment that says how the camera was held, and where it was.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("MM")
	if order == binary.LittleEndian {
		b = []byte("II")
	}
	b = order.AppendUint16(b, 42)
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2) // entries
	for _, e := range [][2]uint16{{0x010F, 7}, {0x0112, orientation}} {
		b = order.AppendUint16(b, e[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, e[1])
		b = append(b, 0, 0)
	}
	b = append([]byte("Exif\x00\x00"), append(b, "45.07 N 7.68 E secret"...)...)
	return append(binary.BigEndian.AppendUint16([]byte{0xFF, 0xE1}, uint16(len(b)+2)), b...)
}

// corner is a picture of w by h that is red at its upper left quarter.
func corner(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{0x20, 0x20, 0x20, 0xFF}
			if x < w/2 && y < h/2 {
				c = color.RGBA{0xE0, 0x10, 0x10, 0xFF}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, segment []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return append(append([]byte{0xFF, 0xD8}, segment...), b.Bytes()[2:]...)
}

// TestCopy turns a photo as the camera says it was held, and checks that nothing of
// the camera is left in the copy.
func TestCopy(t *testing.T) {
	for o, red := range map[uint16][2]bool{ // is the red quarter right, low?
		0: {false, false}, 1: {false, false}, 2: {true, false}, 3: {true, true}, 4: {false, true},
		5: {false, false}, 6: {true, false}, 7: {true, true}, 8: {false, true}, 9: {false, false},
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			file := encoded(t, corner(400, 300), exif(order, o))
			got, err := copyOf(file, 200)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(got, []byte("secret")) || bytes.Contains(got, []byte("Exif")) {
				t.Errorf("%d: the camera's data are in the copy", o)
			}
			m, err := jpeg.Decode(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			w, h := 200, 150
			if o >= 5 && o <= 8 {
				w, h = h, w
			}
			if m.Bounds() != image.Rect(0, 0, w, h) {
				t.Errorf("%d: the copy is %v", o, m.Bounds())
				continue
			}
			for _, right := range []bool{false, true} {
				for _, low := range []bool{false, true} {
					x, y := w/4, h/4
					if right {
						x = 3 * w / 4
					}
					if low {
						y = 3 * h / 4
					}
					r, _, _, _ := m.At(x, y).RGBA()
					if (r > 0x8000) != (red == [2]bool{right, low}) {
						t.Errorf("orientation %d: at %d, %d red is %x", o, x, y, r)
					}
				}
			}
		}
	}
}

// TestCopySizes checks that nothing is blown up, nothing vanishes, and that what is
// too large or cut off is told.
func TestCopySizes(t *testing.T) {
	for _, tt := range []struct{ w, h, wantW, wantH int }{{100, 50, 100, 50}, {320, 320, 320, 320}, {3, 1000, 1, 320}, {641, 333, 320, 166}} {
		for _, m := range []image.Image{corner(tt.w, tt.h), image.NewGray(image.Rect(0, 0, tt.w, tt.h))} {
			got, err := copyOf(encoded(t, m, nil), sides[Thumbnail])
			if err != nil {
				t.Fatal(err)
			}
			if c, err := jpeg.DecodeConfig(bytes.NewReader(got)); err != nil || c.Width != tt.wantW || c.Height != tt.wantH {
				t.Errorf("%dx%d became %dx%d, %v", tt.w, tt.h, c.Width, c.Height, err)
			}
		}
	}
	file := encoded(t, corner(400, 300), nil)
	large := bytes.Clone(file)
	at := bytes.Index(large, []byte{0xFF, 0xC0}) + 5
	copy(large[at:], []byte{0x20, 0, 0x20, 0}) // 8192 by 8192, it says
	for name, b := range map[string][]byte{"empty": nil, "cut off": file[:len(file)/2], "too large": large} {
		if got, err := copyOf(b, 320); got != nil || fault.Of(err).Code != "photo.not_shown" || len(fault.Of(err).Detail) < 40 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzCopy checks that no file makes a copy of it fail otherwise than by telling.
func FuzzCopy(f *testing.F) {
	f.Add(encoded(f, corner(16, 8), exif(binary.LittleEndian, 6)))
	f.Add(encoded(f, image.NewGray(image.Rect(0, 0, 8, 8)), exif(binary.BigEndian, 3))[:60])
	f.Fuzz(func(t *testing.T, file []byte) {
		if o := orientation(file); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<20 {
			t.Skip("slow")
		}
		got, err := copyOf(file, 320)
		if err != nil && fault.Of(err).Code != "photo.not_shown" {
			t.Error(err)
		}
		if err == nil {
			if c, err := jpeg.DecodeConfig(bytes.NewReader(got)); err != nil || c.Width > 320 || c.Height > 320 {
				t.Errorf("%v, %+v", err, c)
			}
		}
	})
}

// BenchmarkCopy is a photo of a handheld made ready for a page.
func BenchmarkCopy(b *testing.B) {
	file := encoded(b, corner(4000, 3000), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := copyOf(file, sides[Page]); err != nil {
			b.Fatal(err)
		}
	}
}
