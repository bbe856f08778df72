// Package assets embeds the fonts that npm delivers.
//
// They are fetched into dist by "make assets" and never committed, so a fresh
// clone builds without them; only what needs a font fails, and says why.
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

//go:embed all:dist
var dist embed.FS

// Font returns a TrueType font as bytes of the caller's own: gofpdf writes into
// the fonts it is given.
func Font(name string) ([]byte, error) {
	b, err := dist.ReadFile("dist/" + name)
	if err != nil {
		return nil, fmt.Errorf(`assets: %s is not in this build, run "make assets" and build again: %w`, name, err)
	}
	return b, nil
}
