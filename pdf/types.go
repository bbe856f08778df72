package pdf

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/jung-kurt/gofpdf"

	"preavviso/internal/assets"
)

// font is one of the fonts that every document has.
type font int

const (
	titillium font = iota
	titilliumBold
	robotoMono
	fonts = 3
)

// fontFiles names each font for gofpdf, in the file we embed and in the
// documents we write: there with six letters before, as a subset must have.
var fontFiles = [fonts]struct{ family, style, file, name string }{
	titillium:     {"titillium", "", assets.TitilliumRegular, "TitilliumWeb-Regular"},
	titilliumBold: {"titillium", "B", assets.TitilliumBold, "TitilliumWeb-Bold"},
	robotoMono:    {"mono", "B", assets.RobotoMonoBold, "RobotoMono-Bold"},
}

// lastRune is the highest character of glyphs, the euro sign.
const lastRune = 0x20AC

// typeCase is the fonts of a document, cut to some characters: the objects that
// gofpdf writes for them, once per process, and how wide each character is.
// It is never changed.
type typeCase struct {
	objects []byte // one after another, numbered from firstFont on
	offsets []int  // of each in objects
	fontRes string // "/F0 4 0 R /F1 …"
	widths  [fonts][lastRune + 1]uint16
}

// firstFont is the number of the first font object: gofpdf has four objects
// before it, the page tree, the resources, a page and its content. Keeping its
// numbers keeps its references.
const firstFont = 5

// common are the characters of nearly every notice, in the languages that
// notices have. What needs others is drawn again with the larger type case: twice
// the bytes, and the fonts are most of a file.
func common(r rune) bool {
	return r >= 0x20 && r <= 0x7E || strings.ContainsRune("ÀÈÉÌÒÙàèéìòù€–—’“”«»…·º°ªÄÖÜäöüßÇçÊêËëÎîÏïÔôÛûČčŠšŽž", r)
}

var (
	commonTypes = sync.OnceValues(func() (*typeCase, error) { return cast(common) })
	allTypes    = sync.OnceValues(func() (*typeCase, error) {
		return cast(func(r rune) bool { return unicode.Is(glyphs, r) })
	})
)

// cast lets gofpdf write a document with every wanted character in every font
// and takes the font objects out of it: parsing, cutting and packing fonts is
// what it does well, and needs doing once.
func cast(wanted func(rune) bool) (*typeCase, error) {
	var alphabet []rune
	for r := rune(0x20); r <= lastRune; r++ {
		if wanted(r) {
			alphabet = append(alphabet, r)
		}
	}
	g, err := newGofpdf(time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	g.AddPage()
	t := &typeCase{}
	for i, f := range fontFiles {
		g.SetFont(f.family, f.style, 10)
		g.Text(0, 10, string(alphabet))
		for _, r := range alphabet {
			t.widths[i][r] = uint16(g.GetStringSymbolWidth(string(r)))
		}
	}
	var out bytes.Buffer
	if err := g.Output(&out); err != nil {
		return nil, fmt.Errorf("gofpdf casting fonts: %w", err)
	}
	if err := t.take(out.Bytes()); err != nil {
		return nil, fmt.Errorf("taking fonts from gofpdf: %w", err)
	}
	return t, nil
}

// newGofpdf returns gofpdf as we want it: deterministic, with our fonts.
func newGofpdf(at time.Time) (*gofpdf.Fpdf, error) {
	g := gofpdf.New("P", "mm", "A4", "")
	g.SetCatalogSort(true)
	g.SetCreationDate(at.UTC())
	g.SetModificationDate(at.UTC())
	g.SetProducer(producer, true)
	g.SetAutoPageBreak(false, 0)
	g.SetMargins(0, 0, 0)
	for _, f := range fontFiles {
		b, err := assets.Font(f.file)
		if err != nil {
			return nil, err
		}
		g.AddUTF8FontFromBytes(f.family, f.style, b)
	}
	return g, g.Error()
}

// take finds the font objects of a document of one page: all after the page's
// content but the last two, which are its description and its catalogue.
func (t *typeCase) take(doc []byte) error {
	table := bytes.LastIndex(doc, []byte("\nxref\n"))
	if table < 0 {
		return fmt.Errorf("no table")
	}
	lines := strings.Split(string(doc[table+1:]), "\n")
	_, size, ok := strings.Cut(lines[1], " ")
	n, err := strconv.Atoi(size)
	if !ok || err != nil || n < firstFont+3 || len(lines) < 2+n {
		return fmt.Errorf("strange table")
	}
	for i := firstFont; i < n-2; i++ {
		at, err := strconv.Atoi(lines[2+i][:10])
		if err != nil || at < 0 || at >= table {
			return fmt.Errorf("object %d is nowhere", i)
		}
		body := doc[at:table]
		end := bytes.Index(body, []byte("\nendobj\n"))
		if end < 0 || !bytes.HasPrefix(body, fmt.Appendf(nil, "%d 0 obj", i)) {
			return fmt.Errorf("object %d does not begin or end", i)
		}
		body = body[:end+len("\nendobj\n")]
		if !bytes.Contains(body, []byte("stream")) {
			for k, f := range fontFiles {
				key := "utf8" + f.family + f.style
				body = bytes.ReplaceAll(body, []byte("/"+key+"\n"), fmt.Appendf(nil, "/PREAV%c+%s\n", 'A'+k, f.name))
				body = bytes.ReplaceAll(body, []byte("/"+key+" "), fmt.Appendf(nil, "/PREAV%c+%s ", 'A'+k, f.name))
			}
			for k, f := range fontFiles {
				if bytes.Contains(body, []byte("/Type0")) && bytes.Contains(body, []byte("+"+f.name+"\n")) {
					t.fontRes += fmt.Sprintf("/F%d %d 0 R ", k, i)
				}
			}
		}
		t.offsets = append(t.offsets, len(t.objects))
		t.objects = append(t.objects, body...)
	}
	if strings.Count(t.fontRes, "/F") != fonts {
		return fmt.Errorf("found fonts %q", t.fontRes)
	}
	return nil
}
