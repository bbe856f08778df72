package backoffice

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	"preavviso/internal/assets"
)

//go:embed static
var ownFiles embed.FS

// StaticPath is where styles, scripts and fonts are. They are the same for
// everybody, signed in or not.
const StaticPath = "/static/"

// static are the files that pages load, under a path that changes when any of
// them does: a browser may keep them for ever.
type static struct {
	version string
	files   map[string]staticFile
}

type staticFile struct {
	mime   string
	plain  []byte
	zipped []byte // nil where it gains nothing
}

var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".woff2": "font/woff2", ".svg": "image/svg+xml",
}

func newStatic() (*static, error) {
	s := &static{files: map[string]staticFile{}}
	all := sha256.New()
	add := func(name string, b []byte) error {
		f := staticFile{mime: staticTypes[path.Ext(name)], plain: b}
		if f.mime == "" {
			return fmt.Errorf("%s has no media type", name)
		}
		if path.Ext(name) != ".woff2" { // which is compressed
			var buf bytes.Buffer
			z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
			if err != nil {
				return err
			}
			if _, err := z.Write(b); err != nil {
				return err
			}
			if err := z.Close(); err != nil {
				return err
			}
			f.zipped = buf.Bytes()
		}
		s.files[name] = f
		fmt.Fprintf(all, "%s %x\n", name, sha256.Sum256(b))
		return nil
	}
	for _, name := range []string{assets.Style, assets.Htmx, assets.TitilliumWeb, assets.TitilliumWebBold, assets.RobotoMonoWeb} {
		b, err := assets.File(name)
		if err == nil {
			err = add(name, b)
		}
		if err != nil {
			return nil, err
		}
	}
	own, err := ownFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	for _, e := range own {
		b, err := ownFiles.ReadFile("static/" + e.Name())
		if err == nil {
			err = add(e.Name(), b)
		}
		if err != nil {
			return nil, err
		}
	}
	s.version = hex.EncodeToString(all.Sum(nil)[:8])
	return s, nil
}

// href returns the address of a file.
func (s *static) href(name string) (string, error) {
	if _, ok := s.files[name]; !ok {
		return "", fmt.Errorf("no static file %s", name)
	}
	return StaticPath + s.version + "/" + name, nil
}

// ServeHTTP serves StaticPath.
func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, StaticPath), "/")
	f, ok := s.files[name]
	if !ok || version != s.version {
		http.NotFound(w, r)
		return
	}
	h, body := w.Header(), f.plain
	h.Set("Content-Type", f.mime)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	if f.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the browser went away
	}
}
