// Package assets embeds the fonts, styles and scripts that npm delivers.
//
// They are fetched into dist by "make assets" and never committed, so a fresh
// clone builds without them; only what needs one fails, and says why.
package assets

import (
	"embed"
	"fmt"
)

// The fonts of the pagoPA notice (Guida all'avviso di pagamento, «Tipografia»).
const (
	TitilliumRegular  = "TitilliumWeb-Regular.ttf"
	TitilliumBold     = "TitilliumWeb-Bold.ttf"
	RobotoMonoRegular = "RobotoMono-Regular.ttf"
	RobotoMonoBold    = "RobotoMono-Bold.ttf"
)

// What the office's pages are made of.
const (
	Style            = "bootstrap-italia.min.css"
	Sprites          = "sprites.svg" // the icons, each a symbol
	Htmx             = "htmx.min.js"
	TitilliumWeb     = "TitilliumWeb-Regular.woff2"
	TitilliumWebBold = "TitilliumWeb-Bold.woff2"
	RobotoMonoWeb    = "RobotoMono-Regular.woff2"
)

//go:embed all:dist
var dist embed.FS

// Font returns a TrueType font as bytes of the caller's own: gofpdf writes into
// the fonts it is given.
func Font(name string) ([]byte, error) { return File(name) }

// File returns one of the files as bytes of the caller's own.
func File(name string) ([]byte, error) {
	b, err := dist.ReadFile("dist/" + name)
	if err != nil {
		return nil, fmt.Errorf(`assets: %s is not in this build, run "make assets" and build again: %w`, name, err)
	}
	return b, nil
}
