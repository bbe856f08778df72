package pdf

import "preavviso/internal/texts"

// words are the texts of a document in Italian and, where it has one, in a
// second language that stands beside it in grey.
type words struct{ it, other *texts.Template }

// wordsOf finds the texts of p's day. An empty language, or Italian, is no second
// one.
func (p *printing) wordsOf(document, language string) (words, error) {
	at := p.about.At.In(p.zone)
	it, err := p.texts.On(document, texts.Italian, at)
	if err != nil {
		return words{}, err
	}
	w := words{it: it}
	if language != "" && language != texts.Italian {
		if w.other, err = p.texts.On(document, language, at); err != nil {
			return words{}, err
		}
	}
	return w, nil
}

func (w words) get(key string, pairs ...string) string { return w.it.Get(key, pairs...) }

// second returns the text in the other language, or "".
func (w words) second(key string, pairs ...string) string {
	if w.other == nil {
		return ""
	}
	return w.other.Get(key, pairs...)
}

// label writes a label on one line, the second language after it in grey, set
// smaller if both are wider than w.
func (s *sheet) label(words words, f face, x, y, w float64, key string) {
	it, other := words.get(key), words.second(key)
	if other == "" {
		s.fit(f, x, y, w, it)
		return
	}
	it += " / "
	baseline := y + 0.95*f.size*pointMM
	f.size *= min(1, max(0.6, w/s.width(f, it+other)))
	y = baseline - 0.95*f.size*pointMM
	s.line(f, x, y, it)
	at := s.width(f, it)
	s.in(second, func() { s.fit(f, x+at, y, w-at, other) })
}

// stacked writes a label whose room is a column: with a second language the
// Italian goes up a line. x is where it begins, or ends if end is set.
func (s *sheet) stacked(w words, x, y, width float64, key string, end bool) {
	const size, smaller = 8.0, 7.0
	put := func(f face, y float64, t string) {
		at := x
		if end {
			at -= min(width, s.width(f, t))
		}
		s.fit(f, at, y, width+0.01, t)
	}
	other := w.second(key)
	if other == "" {
		put(regular(size), y, w.get(key))
		return
	}
	put(regular(smaller), y-2.4, w.get(key))
	s.in(second, func() { put(regular(smaller), y+0.5, other) })
}

// heading writes the bar of a section; what stands at its right is already in
// words.
func (s *sheet) heading(words words, y float64, key, right string) float64 {
	s.box(0, y, pageWidth, barHeight, barGrey)
	const roomy = 120
	room := rightEdge - margin
	if right != "" {
		wide := s.width(bold(10), right)
		room = max(room-wide-8, room-roomy)
		s.fit(bold(10), max(rightEdge-wide, margin+room+8), y+1.9, rightEdge-margin-room-8, right)
	}
	s.label(words, bold(10), margin, y+1.9, room, key)
	return y + barHeight
}

// both writes a paragraph and, a little smaller and in grey, the same in the
// second language. It returns where they end.
func (s *sheet) both(words words, f face, x, y, w float64, key string, pairs ...string) float64 {
	y = s.paragraph(f, x, y, w, words.get(key, pairs...))
	if other := words.second(key, pairs...); other != "" {
		g := f
		g.size = max(6, f.size-1)
		s.in(second, func() { y = s.paragraph(g, x, y, w, other) })
	}
	return y
}
