package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/jung-kurt/gofpdf"

	"preavviso/internal/assets"
)

// Measures in millimetres, from the notice guide («Margini e spazi»).
const (
	pageWidth  = 210.0
	pageHeight = 297.0
	margin     = 10.0
	rightEdge  = pageWidth - margin
	barHeight  = 7.9
	pointMM    = 25.4 / 72
)

// face is a font at a size in points.
type face struct {
	family, style string
	size          float64
}

func regular(size float64) face { return face{"titillium", "", size} }
func bold(size float64) face    { return face{"titillium", "B", size} }
func mono(size float64) face    { return face{"mono", "B", size} }

// line is the height of a line, in millimetres.
func (f face) line() float64 { return f.size * pointMM * 1.22 }

// sheet is a page being drawn, in a few words of our own. All y are tops.
type sheet struct {
	pdf *gofpdf.Fpdf
	dry bool // nothing is drawn, only measured
}

// newSheet returns a sheet without a page: there, widths can be measured and
// nothing is written. at is the date that the file says it is of.
func newSheet(at time.Time) (*sheet, error) {
	pdf := gofpdf.New("P", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(at.UTC())
	pdf.SetModificationDate(at.UTC())
	pdf.SetProducer("preavviso", true)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetMargins(0, 0, 0)
	for _, f := range []struct{ family, style, file string }{
		{"titillium", "", assets.TitilliumRegular},
		{"titillium", "B", assets.TitilliumBold},
		{"mono", "B", assets.RobotoMonoBold},
	} {
		font, err := assets.Font(f.file)
		if err != nil {
			return nil, err
		}
		pdf.AddUTF8FontFromBytes(f.family, f.style, font)
	}
	return &sheet{pdf: pdf}, pdf.Error()
}

// bytes closes the document and tells readers its language, which gofpdf
// cannot: the catalogue is its last object, so that only the pointer to the
// table behind it moves.
func (s *sheet) bytes() ([]byte, error) {
	var out bytes.Buffer
	if err := s.pdf.Output(&out); err != nil {
		return nil, err
	}
	const catalog, language = "/Type /Catalog\n", "/Lang (it-IT)\n/ViewerPreferences <</DisplayDocTitle true>>\n"
	b := out.Bytes()
	table := bytes.LastIndex(b, []byte("\nxref\n")) + 1
	end := bytes.LastIndex(b, []byte("startxref\n"))
	at := bytes.LastIndex(b[:max(table, 0)], []byte(catalog)) + len(catalog)
	if table < 1 || end < table || at < len(catalog) {
		return nil, fmt.Errorf("gofpdf wrote a document without catalogue or table")
	}
	var done bytes.Buffer
	done.Grow(len(b) + len(language))
	done.Write(b[:at])
	done.WriteString(language)
	done.Write(b[at:end])
	fmt.Fprintf(&done, "startxref\n%d\n%%%%EOF\n", table+len(language))
	return done.Bytes(), nil
}

// width measures t.
func (s *sheet) width(f face, t string) float64 {
	s.pdf.SetFont(f.family, f.style, f.size)
	return s.pdf.GetStringWidth(t)
}

// text writes one line.
func (s *sheet) text(f face, x, y float64, t string) {
	if s.dry || t == "" {
		return
	}
	s.pdf.SetFont(f.family, f.style, f.size)
	s.pdf.Text(x, y+0.95*f.size*pointMM, t)
}

// textRight writes one line that ends at x.
func (s *sheet) textRight(f face, x, y float64, t string) { s.text(f, x-s.width(f, t), y, t) }

// fit writes one line of at most w millimetres: if t is wider it is set smaller,
// down to three quarters, and if that is not enough it ends in an ellipsis. It is
// for names, which may be cut, never for what the law wants said.
func (s *sheet) fit(f face, x, y, w float64, t string) {
	baseline := y + 0.95*f.size*pointMM
	if full := s.width(f, t); full > w {
		f.size *= max(0.75, w/full)
	}
	for r := []rune(t); s.width(f, t) > w && len(r) > 0; {
		r = r[:len(r)-1]
		t = strings.TrimRight(string(r), " ") + "…"
	}
	s.text(f, x, baseline-0.95*f.size*pointMM, t)
}

// wrap breaks t into lines of at most w millimetres, inside a word only when
// the word alone is longer.
func (s *sheet) wrap(f face, w float64, t string) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(t) {
		joined := strings.TrimPrefix(line+" "+word, " ")
		if s.width(f, joined) <= w {
			line = joined
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for line = word; s.width(f, line) > w; {
			r := []rune(line)
			n := len(r) - 1
			for n > 1 && s.width(f, string(r[:n])) > w {
				n--
			}
			lines, line = append(lines, string(r[:n])), string(r[n:])
		}
	}
	return append(lines, line)
}

// paragraph writes t in lines of at most w and returns where it ends.
func (s *sheet) paragraph(f face, x, y, w float64, t string) float64 {
	if t == "" {
		return y
	}
	for _, l := range s.wrap(f, w, t) {
		s.text(f, x, y, l)
		y += f.line()
	}
	return y
}

// bar writes the heading of a section over the whole width of the paper.
func (s *sheet) bar(y float64, left, right string) float64 {
	if !s.dry {
		s.pdf.SetFillColor(0xEC, 0xEC, 0xEC) // K7
		s.pdf.Rect(0, y, pageWidth, barHeight, "F")
	}
	f := bold(10)
	s.text(f, margin, y+1.9, left)
	room := rightEdge - margin - s.width(f, left) - 8
	s.fit(f, max(rightEdge-s.width(f, right), rightEdge-room), y+1.9, room, right)
	return y + barHeight
}

// labelled writes a small label and its value below it, and returns where it
// ends. Without a value there is no label either.
func (s *sheet) labelled(label string, f face, x, y, w float64, value string) float64 {
	if value == "" {
		return y
	}
	small := regular(min(f.size, 8))
	s.text(small, x, y, label)
	return s.paragraph(f, x, y+small.line(), w, value)
}
