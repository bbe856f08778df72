package photos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"

	"preavviso/internal/fault"
)

// Size is how large a copy of a photo is: for a page, or among others.
type Size string

const (
	Page      Size = "page"
	Thumbnail Size = "thumbnail"
)

// sides are the longest sides in pixels. On 1600 a plate and a sign can be read;
// 320 fits three times on a telephone.
var sides = map[Size]int{Page: 1600, Thumbnail: 320}

const (
	// maxShown bounds the pixels of a photo that is decoded to be shown: 16 million
	// are 50 MB, and 200 MB from a progressive file. Phones take 12.
	maxShown = 16_000_000
	// quality of the copies: the artefacts of 85 are not seen beside a camera's own.
	quality = 85
)

// copyOf redraws a photo with the longest side of at most side pixels, upright.
// Only pixels are in the copy: not where and when it was taken, nor with what.
func copyOf(file []byte, side int) ([]byte, error) {
	bad := func(err error) ([]byte, error) {
		return nil, fault.Wrap(fault.Conflict, "photo.not_shown", "L'immagine non si può mostrare: i suoi dati sono rovinati. L'originale è conservato com'è arrivato.", err)
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return bad(err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxShown/size.Height {
		return nil, fault.New(fault.Conflict, "photo.not_shown", "L'immagine ha troppi punti per essere mostrata: scaricare l'originale.")
	}
	photo, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		return bad(err)
	}
	w, h := size.Width, size.Height
	if longest := max(w, h); longest > side {
		w, h = max(1, w*side/longest), max(1, h*side/longest)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, upright(shrink(photo, w, h), orientation(file)), &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// shrink returns a picture with w by h pixels, each the mean of those it covers: w
// and h are not above its own.
func shrink(from image.Image, w, h int) *image.RGBA {
	at := func(x, y int) (r, g, b uint32) {
		r, g, b, _ = from.At(x, y).RGBA()
		return r >> 8, g >> 8, b >> 8
	}
	if y, ok := from.(*image.YCbCr); ok { // what cameras make, without an interface for each pixel
		at = func(x, v int) (uint32, uint32, uint32) {
			c := y.YCbCrAt(x, v)
			r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			return uint32(r), uint32(g), uint32(b)
		}
	}
	box := from.Bounds()
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := box.Min.Y+y*box.Dy()/h, box.Min.Y+(y+1)*box.Dy()/h
		for x := range w {
			x0, x1 := box.Min.X+x*box.Dx()/w, box.Min.X+(x+1)*box.Dx()/w
			var red, green, blue uint32 // a photo of maxShown pixels in one sums up to 4080 million
			for v := y0; v < y1; v++ {
				for u := x0; u < x1; u++ {
					r, g, b := at(u, v)
					red, green, blue = red+r, green+g, blue+b
				}
			}
			n := uint32((x1 - x0) * (y1 - y0))
			to.SetRGBA(x, y, color.RGBA{uint8(red / n), uint8(green / n), uint8(blue / n), 0xFF})
		}
	}
	return to
}

// upright turns a picture as an EXIF orientation says: 1 to 8, of which 5 to 8 lie on
// their side.
func upright(p *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 || orientation > 8 {
		return p
	}
	w, h := p.Rect.Dx(), p.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			u, v := x, y
			switch orientation {
			case 2:
				u = w - 1 - x
			case 3:
				u, v = w-1-x, h-1-y
			case 4:
				v = h - 1 - y
			case 5:
				u, v = y, x
			case 6:
				u, v = h-1-y, x
			case 7:
				u, v = h-1-y, w-1-x
			case 8:
				u, v = y, w-1-x
			}
			out.SetRGBA(u, v, p.RGBAAt(x, y))
		}
	}
	return out
}

var errNoExif = errors.New("no orientation")

// orientation reads how a camera was held from the EXIF data of a JPEG file: tag
// 0x0112 of the first directory (Exif 2.32, 4.6.4 A). 1, upright, if it does not say.
func orientation(file []byte) int {
	for rest := file[min(2, len(file)):]; len(rest) >= 4 && rest[0] == 0xFF; {
		marker, size := rest[1], int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xDA || size < 2 || size > len(rest)-2 { // the picture itself begins
			break
		}
		segment := rest[4 : 2+size]
		if marker == 0xE1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			if n, err := fromTIFF(segment[6:]); err == nil {
				return n
			}
		}
		rest = rest[2+size:]
	}
	return 1
}

func fromTIFF(b []byte) (int, error) {
	const header, entry, tag, short = 8, 12, 0x0112, 3
	if len(b) < header {
		return 0, errNoExif
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 0, errNoExif
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < entry {
			break
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if n := int(order.Uint16(entries[8:])); n >= 1 && n <= 8 {
				return n, nil
			}
		}
		entries = entries[entry:]
	}
	return 0, errNoExif
}
