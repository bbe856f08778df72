package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	producer = "preavviso"
	// pagesPerNode bounds how many pages one node of the page tree names, so that a
	// reader finds page 9,999 of a batch without reading all of them.
	pagesPerNode = 100
	// fastDeflate: pages are small and many. The best compression would take off a
	// tenth of the bytes, which are mostly fonts, and double the time.
	fastDeflate = 1
)

// Objects with a place of their own. From firstFont on there are the fonts.
const (
	objCatalog  = 1
	objPages    = 2
	objInfo     = 3
	objMetadata = 4
)

// about is what a file says of itself. It holds nothing of the case.
type about struct {
	Title string
	At    time.Time
	Lang  string // of the document: it-IT
}

// fileState is all that a half-written file needs to be gone on with: where each
// object is, and what the end of the file must name.
type fileState struct {
	About   about
	Size    int64   // bytes written
	Offsets []int64 // by object number; 0 if not written
	Fonts   int     // number of the font resources
	Nodes   []int   // of the page tree
	Kids    []int   // pages of the last node, which is not written yet
	Node    int     // number of the last node
	Pages   int
	Marks   []mark         // bookmarks
	Logos   map[string]int // hex digest of a logo to its object
	Seen    []byte         // digest of all contents so far: the file's /ID
}

type mark struct {
	Title string
	Page  int // object
}

// file writes a PDF document, page by page. What it keeps grows by some tens of
// bytes a page, whatever is on it.
type file struct {
	fileState
	out     io.Writer
	err     error // the first; nothing is written after it
	scratch bytes.Buffer
}

// newFile begins a file with its fonts.
func newFile(out io.Writer, t *typeCase, a about) *file {
	f := &file{out: out}
	f.About, f.Logos = a, map[string]int{}
	f.Offsets = make([]int64, firstFont+len(t.offsets), firstFont+len(t.offsets)+16)
	f.write([]byte("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n"))
	for i, at := range t.offsets {
		f.Offsets[firstFont+i] = f.Size + int64(at)
	}
	f.write(t.objects)
	f.Fonts = f.reserve()
	f.object(f.Fonts, "<< "+t.fontRes+">>")
	return f
}

func (f *file) write(b []byte) {
	if f.err != nil {
		return
	}
	n, err := f.out.Write(b)
	f.Size += int64(n)
	f.err = err
}

func (f *file) reserve() int {
	f.Offsets = append(f.Offsets, 0)
	return len(f.Offsets) - 1
}

func (f *file) object(n int, body string) {
	f.Offsets[n] = f.Size
	f.write(fmt.Appendf(nil, "%d 0 obj\n%s\nendobj\n", n, body))
}

func (f *file) stream(n int, dict string, data []byte) {
	f.Offsets[n] = f.Size
	f.scratch.Reset()
	fmt.Fprintf(&f.scratch, "%d 0 obj\n<< %s/Length %d >>\nstream\n", n, dict, len(data))
	f.scratch.Write(data)
	f.scratch.WriteString("\nendstream\nendobj\n")
	f.write(f.scratch.Bytes())
}

// deflater is a compressor and what it wrote, to be used again: allocating one
// costs more than a page does.
type deflater struct {
	z   *zlib.Writer
	out bytes.Buffer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.z, _ = zlib.NewWriterLevel(&d.out, fastDeflate) // cannot fail: the level exists
	return d
}}

func (d *deflater) pack(data []byte) ([]byte, error) {
	d.out.Reset()
	d.z.Reset(&d.out)
	if _, err := d.z.Write(data); err != nil {
		return nil, err
	}
	if err := d.z.Close(); err != nil {
		return nil, err
	}
	return d.out.Bytes(), nil
}

// page writes a page. With a bookmark it can be found by it.
func (f *file) page(c *content, width, height float64, bookmark string) {
	logos := ""
	for i, l := range c.logos {
		key := hex.EncodeToString(l.digest[:])
		n, known := f.Logos[key]
		if !known {
			n = f.reserve()
			f.Logos[key] = n
			kind := "/ColorSpace /DeviceRGB /BitsPerComponent 8"
			if l.bilevel {
				kind = "/ColorSpace /DeviceGray /BitsPerComponent 1 /Decode [1 0]"
			}
			f.stream(n, fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d %s /Filter /FlateDecode ", l.width, l.height, kind), l.packed)
		}
		logos += fmt.Sprintf("/L%d %d 0 R ", i, n)
	}
	if logos != "" {
		logos = "/XObject << " + logos + ">> "
	}
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	data, err := d.pack(c.b)
	if err != nil {
		f.err = err
		return
	}
	digest := sha256.Sum256(data)
	seen := sha256.Sum256(append(f.Seen, digest[:]...))
	f.Seen = seen[:]

	stream := f.reserve()
	f.stream(stream, "/Filter /FlateDecode ", data)
	if len(f.Kids) == pagesPerNode {
		f.node()
	}
	if len(f.Kids) == 0 {
		f.Node = f.reserve()
	}
	page := f.reserve()
	f.object(page, fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Resources << /Font %d 0 R %s>> /Contents %d 0 R >>",
		f.Node, width/pointMM, height/pointMM, f.Fonts, logos, stream))
	f.Kids = append(f.Kids, page)
	f.Pages++
	if bookmark != "" {
		f.Marks = append(f.Marks, mark{bookmark, page})
	}
}

func references(numbers []int) string {
	var b strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&b, "%d 0 R ", n)
	}
	return b.String()
}

// node writes the node of the pages that wait for one.
func (f *file) node() {
	if len(f.Kids) == 0 {
		return
	}
	f.object(f.Node, fmt.Sprintf("<< /Type /Pages /Parent %d 0 R /Count %d /Kids [ %s] >>", objPages, len(f.Kids), references(f.Kids)))
	f.Nodes, f.Kids = append(f.Nodes, f.Node), nil
}

// close writes what only the end of a file can say.
func (f *file) close() error {
	f.node()
	f.object(objPages, fmt.Sprintf("<< /Type /Pages /Count %d /Kids [ %s] >>", f.Pages, references(f.Nodes)))

	outlines := ""
	if len(f.Marks) > 0 {
		root := f.reserve()
		first := len(f.Offsets)
		for range f.Marks {
			f.reserve()
		}
		last := first + len(f.Marks) - 1
		for i, m := range f.Marks {
			n := first + i
			around := ""
			if n > first {
				around += fmt.Sprintf("/Prev %d 0 R ", n-1)
			}
			if n < last {
				around += fmt.Sprintf("/Next %d 0 R ", n+1)
			}
			f.object(n, fmt.Sprintf("<< /Title %s /Parent %d 0 R %s/Dest [%d 0 R /Fit] >>", utf16String(m.Title), root, around, m.Page))
		}
		f.object(root, fmt.Sprintf("<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>", first, last, len(f.Marks)))
		outlines = fmt.Sprintf("/Outlines %d 0 R /PageMode /UseOutlines ", root)
	}

	day := f.About.At.UTC().Format("20060102150405")
	f.object(objInfo, fmt.Sprintf("<< /Title %s /Producer (%s) /CreationDate (D:%sZ) /ModDate (D:%sZ) >>", utf16String(f.About.Title), producer, day, day))
	stamp := f.About.At.UTC().Format(time.RFC3339)
	f.stream(objMetadata, "/Type /Metadata /Subtype /XML ", fmt.Appendf(nil, xmp, html.EscapeString(f.About.Title), f.About.Lang, producer, stamp, stamp))
	f.object(objCatalog, fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R /Metadata %d 0 R /Lang (%s) /ViewerPreferences << /DisplayDocTitle true >> %s>>",
		objPages, objMetadata, f.About.Lang, outlines))

	table := f.Size
	var b bytes.Buffer
	b.Grow(20*len(f.Offsets) + 300)
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(f.Offsets))
	for _, at := range f.Offsets[1:] {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	id := hex.EncodeToString(f.Seen[:min(16, len(f.Seen))])
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%s> <%s>] >>\nstartxref\n%d\n%%%%EOF\n", len(f.Offsets), objCatalog, objInfo, id, id, table)
	f.write(b.Bytes())
	return f.err
}

// utf16String writes a text string as PDF has them outside of pages.
func utf16String(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, r := range s { // all our characters are below 0x10000
		fmt.Fprintf(&b, "%04X", r)
	}
	return b.String() + ">"
}

const xmp = `<?xpacket begin="` + "\uFEFF" + `" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">%s</rdf:li></rdf:Alt></dc:title><dc:language><rdf:Bag><rdf:li>%s</rdf:li></rdf:Bag></dc:language>
<pdf:Producer>%s</pdf:Producer><xmp:CreateDate>%s</xmp:CreateDate><xmp:ModifyDate>%s</xmp:ModifyDate>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>`
