package pdf_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
	"preavviso/pdf"
)

var batchDay = time.Date(2026, 4, 1, 8, 0, 0, 0, time.UTC)

// batchItem is one of many; every seventh cannot be printed, every fifth has
// letters from far away.
func batchItem(t testing.TB, i int) (pdf.Document, string) {
	p := windscreen(t)
	p.Reference = fmt.Sprintf("2026-%07d", i)
	p.Causale = "Preavviso CdS n. " + p.Reference
	switch {
	case i%7 == 3:
		p.Place = ""
	case i%5 == 0:
		p.Place = "Via Kovačić"
	}
	return p, p.Reference
}

func fill(t *testing.T, b *pdf.Batch, to int) {
	t.Helper()
	for i := b.Items(); i < to; i++ {
		d, name := batchItem(t, i)
		err := b.Add(d, name)
		if want := i%7 == 3; errors.Is(err, fault.Invalid) != want || !want && err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
		if b.Items() != i+1 || b.Failed() != nil {
			t.Fatalf("item %d: %d items, %v", i, b.Items(), b.Failed())
		}
	}
}

// TestBatchGoesOn stops a batch after every item, throws away what was written
// past the checkpoint, and goes on: the file is the one that never stopped.
func TestBatchGoesOn(t *testing.T) {
	const items = 23
	for _, form := range []pdf.Form{pdf.OnePDF, pdf.Zip} {
		var whole bytes.Buffer
		b, err := pdf.NewBatch(&whole, form, builtin(t), "Preavvisi", batchDay)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, b, items)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}

		var out bytes.Buffer
		if b, err = pdf.NewBatch(&out, form, builtin(t), "Preavvisi", batchDay); err != nil {
			t.Fatal(err)
		}
		for stop := 1; stop <= items; stop++ {
			fill(t, b, stop)
			saved, err := b.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			size := b.Size()
			if d, name := batchItem(t, stop); stop%7 != 3 {
				if err := b.Add(d, name); err != nil { // lost in the crash
					t.Fatal(err)
				}
			}
			out.Truncate(int(size))
			if b, err = pdf.ResumeBatch(&out, saved, builtin(t)); err != nil {
				t.Fatal(err)
			}
			if b.Size() != size || b.Items() != stop {
				t.Fatalf("%s goes on at %d bytes, %d items; want %d, %d", form, b.Size(), b.Items(), size, stop)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), whole.Bytes()) {
			t.Errorf("%s: %d bytes after stops, %d without", form, out.Len(), whole.Len())
		}
	}
}

func TestBatchPDF(t *testing.T) {
	const items = 230 // three nodes of the page tree
	file := filepath.Join(t.TempDir(), "batch.pdf")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pdf.NewBatch(out, pdf.OnePDF, builtin(t), "Preavvisi", batchDay)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, b, items)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	printed := 0
	for i := range items {
		if i%7 != 3 {
			printed++
		}
	}
	if got := string(run(t, nil, "qpdf", "--check", file)); !strings.Contains(got, "No syntax or stream encoding errors") {
		t.Error(got)
	}
	if got := strings.TrimSpace(string(run(t, nil, "qpdf", "--show-npages", file))); got != fmt.Sprint(printed) {
		t.Errorf("%s pages, want %d", got, printed)
	}
	outline := string(run(t, nil, "qpdf", "--json=2", "--json-key=outlines", file))
	if n := strings.Count(outline, `"title": "2026-`); n != printed || !strings.Contains(outline, `"destpageposfrom1": 197`) {
		t.Errorf("%d bookmarks, want %d", n, printed)
	}
	last := string(run(t, nil, "pdftotext", "-f", fmt.Sprint(printed), file, "-"))
	if !strings.Contains(last, "n. 2026-0000229") {
		t.Errorf("the last page is not the last item: %.200s", last)
	}
}

func TestBatchZip(t *testing.T) {
	var out bytes.Buffer
	b, err := pdf.NewBatch(&out, pdf.Zip, builtin(t), "Preavvisi", batchDay)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, b, 9)
	d, name := batchItem(t, 1)
	for n, code := range map[string]string{name: "print.same_name", "": "print.bad_name", "..": "print.bad_name", "a/b": "print.bad_name", `a\b`: "print.bad_name"} {
		if err := b.Add(d, n); fault.Of(err).Code != code {
			t.Errorf("%q: %v, want %s", n, err, code)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 8 {
		t.Errorf("%d documents", len(z.File))
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r) // checks the CRC
		if err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscanf(f.Name, "2026-%d.pdf", &i); err != nil {
			t.Fatal(err)
		}
		want, _ := batchItem(t, i)
		if !bytes.Equal(got, draw(t, want)) {
			t.Errorf("%s is not that document", f.Name)
		}
	}
}

// brokenDisk takes some bytes and then no more.
type brokenDisk struct{ room int }

func (d *brokenDisk) Write(b []byte) (int, error) {
	n := min(d.room, len(b))
	if d.room -= n; n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestBatchOnABrokenDisk(t *testing.T) {
	for _, form := range []pdf.Form{pdf.OnePDF, pdf.Zip} {
		b, err := pdf.NewBatch(&brokenDisk{room: 100_000}, form, builtin(t), "Preavvisi", batchDay)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := batchItem(t, 1)
		for i := 0; err == nil && i < 100; i++ {
			err = b.Add(d, fmt.Sprint(i))
		}
		if err == nil || errors.Is(err, fault.Invalid) || b.Failed() == nil {
			t.Errorf("%s: %v, %v", form, err, b.Failed())
		}
		if _, err := b.Checkpoint(); err == nil {
			t.Errorf("%s: a checkpoint of what is not on disk", form)
		}
		if err := b.Close(); err == nil {
			t.Errorf("%s closes", form)
		}
	}
}

func TestBatchRefuses(t *testing.T) {
	if _, err := pdf.NewBatch(io.Discard, "doc", builtin(t), "x", batchDay); fault.Of(err).Code != "print.bad_form" {
		t.Error(err)
	}
	b, err := pdf.NewBatch(io.Discard, pdf.OnePDF, builtin(t), "x", batchDay)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); fault.Of(err).Code != "print.empty" {
		t.Error(err)
	}
	for _, s := range []string{"", "{}", `{"Form":"pdf"}`, `{"Form":"zip","Size":7}`} {
		if _, err := pdf.ResumeBatch(io.Discard, []byte(s), builtin(t)); err == nil {
			t.Errorf("goes on from %q", s)
		}
	}
}

// TestBatchMemoryIsFlat holds what a thousand documents leave behind against
// what they weigh.
func TestBatchMemoryIsFlat(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		for range 3 { // a pool keeps what it has over one collection
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	b, err := pdf.NewBatch(io.Discard, pdf.OnePDF, builtin(t), "x", batchDay)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, b, 50)
	before := heap()
	fill(t, b, 550)
	const each = 400 // bytes: where two objects are, and a bookmark, with room to grow
	if grown := heap() - before; grown > 500*each+256<<10 {
		t.Errorf("500 documents left %d bytes", grown)
	}
	runtime.KeepAlive(b)
}

func BenchmarkBatch(b *testing.B) {
	d, _ := batchItem(b, 1)
	out, err := pdf.NewBatch(io.Discard, pdf.OnePDF, builtin(b), "x", batchDay)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if out.Items() == pdf.MaxBatch {
			if out, err = pdf.NewBatch(io.Discard, pdf.OnePDF, builtin(b), "x", batchDay); err != nil {
				b.Fatal(err)
			}
		}
		if err := out.Add(d, "2026-0000001"); err != nil {
			b.Fatal(err)
		}
	}
}
