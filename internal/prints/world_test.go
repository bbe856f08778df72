package prints_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"preavviso/internal/fault"
	"preavviso/internal/prints"
	"preavviso/internal/store"
)

// memory is a spool that forgets, in a crash, what was not synced.
type memory struct {
	files, durable map[string][]byte
	die            func() error // called before and after every step
	lose           bool
}

func newMemory() *memory {
	return &memory{files: map[string][]byte{}, durable: map[string][]byte{}, die: func() error { return nil }}
}

// crash leaves what is on disk.
func (m *memory) crash() {
	if m.lose {
		m.files = maps.Clone(m.durable)
	}
}

func (m *memory) step(fn func()) error {
	if err := m.die(); err != nil {
		return err
	}
	fn()
	return m.die()
}

var errGone = fault.New(fault.NotFound, "print.spool", "Non c'è.")

func (m *memory) Open(name string, size int64) (prints.Output, error) {
	if b, ok := m.files[name]; size > 0 && (!ok || int64(len(b)) < size) {
		return nil, errGone
	}
	err := m.step(func() { m.files[name] = slices.Clone(m.files[name][:size]) })
	return &sheet{m, name}, err
}

func (m *memory) put(name string, b []byte) { m.files[name], m.durable[name] = b, b }

func checkpointName(name string, n int) string { return fmt.Sprintf("%s.%d", name, n) }

func (m *memory) Keep(name string, n int, b []byte) error {
	return m.step(func() { m.put(checkpointName(name, n), b) })
}

func (m *memory) Checkpoint(name string, n int) ([]byte, error) {
	if b, ok := m.files[checkpointName(name, n)]; ok {
		return b, nil
	}
	return nil, errGone
}

func (m *memory) Forget(name string, n int) error {
	return m.step(func() {
		delete(m.files, checkpointName(name, n))
		delete(m.durable, checkpointName(name, n))
	})
}

func (m *memory) Read(name string) (io.ReadSeekCloser, int64, error) {
	b, ok := m.files[name]
	if !ok {
		return nil, 0, errGone
	}
	return openBytes{bytes.NewReader(b)}, int64(len(b)), nil
}

// openBytes is an output being read.
type openBytes struct{ *bytes.Reader }

func (openBytes) Close() error { return nil }

func (m *memory) Remove(name string) error {
	for k := range m.files {
		if k == name || strings.HasPrefix(k, name+".") {
			delete(m.files, k)
			delete(m.durable, k)
		}
	}
	return nil
}

func (m *memory) Names() ([]string, error) {
	var names []string
	for k := range m.files {
		name, _, _ := strings.Cut(k, ".")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

type sheet struct {
	m    *memory
	name string
}

func (s *sheet) Write(b []byte) (int, error) {
	s.m.files[s.name] = append(s.m.files[s.name], b...)
	return len(b), nil
}

func (s *sheet) Sync() error {
	return s.m.step(func() { s.m.durable[s.name] = slices.Clone(s.m.files[s.name]) })
}

func (s *sheet) Close() error { return nil }

// dying is a store whose process is killed at a step: before or after a commit.
type dying struct {
	store.Store
	left, steps int
}

func (d *dying) step() error {
	d.steps++
	if d.left == 0 {
		return errKilled
	}
	d.left--
	return nil
}

func (d *dying) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := d.step(); err != nil {
		return err
	}
	return errors.Join(d.Store.Update(ctx, fn), d.step())
}

var streams = regexp.MustCompile(`(?s)/Filter /FlateDecode /Length (\d+) >>\nstream\n`)

// readPDF returns the texts of the pages of a document of ours, one a line.
func readPDF(doc []byte) (string, error) {
	var out strings.Builder
	for _, at := range streams.FindAllSubmatchIndex(doc, -1) {
		z, err := zlib.NewReader(bytes.NewReader(doc[at[1]:]))
		if err != nil {
			return "", err
		}
		page, err := io.ReadAll(z)
		if err != nil {
			return "", err
		}
		if !bytes.Contains(page, []byte(" Tj")) {
			continue
		}
		for rest := page; ; {
			from := bytes.IndexByte(rest, '(')
			if from < 0 {
				break
			}
			var units []byte
			i := from + 1
			for ; i < len(rest) && rest[i] != ')'; i++ {
				if rest[i] == '\\' {
					i++
					switch rest[i] {
					case 'r':
						units = append(units, '\r')
						continue
					}
				}
				units = append(units, rest[i])
			}
			var text []uint16
			for k := 0; k+1 < len(units); k += 2 {
				text = append(text, uint16(units[k])<<8|uint16(units[k+1]))
			}
			out.WriteString(string(utf16.Decode(text)) + "\n")
			rest = rest[i:]
		}
	}
	return out.String(), nil
}
