package pdf

// Plain draws like Preavviso but leaves the page readable in an editor.
func Plain(p Notice) ([]byte, error) { return render(p, options{symbols: true}) }

// WithoutSymbols draws the same page with nothing to scan: what is left when the
// symbols cost nothing.
func WithoutSymbols(p Notice) ([]byte, error) { return render(p, options{compress: true}) }
