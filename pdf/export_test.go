package pdf

import "preavviso/internal/texts"

// Plain draws like [Draw] but leaves the pages readable in an editor.
func Plain(d Document, t texts.Set) ([]byte, error) { return render(d, t, options{plain: true}) }

// WithoutSymbols draws the same page with nothing to scan: what is left when the
// symbols cost nothing.
func WithoutSymbols(d Document, t texts.Set) ([]byte, error) {
	return render(d, t, options{noSymbols: true})
}

// Unchecked draws without reading back.
func Unchecked(d Document, t texts.Set) ([]byte, error) {
	return render(d, t, options{unchecked: true})
}
