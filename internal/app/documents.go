package app

import (
	"fmt"

	"preavviso/internal/documents"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/texts"
)

// newDocuments tells the documents how those kinds are read that only the edges
// know.
func newDocuments(st store.Store, d Deps) *documents.Documents {
	return documents.New(documents.Config{Store: st, Now: d.Now, Random: d.Random,
		Checks:    map[multe.DocumentKind]documents.Check{},
		SlipTexts: slipTexts,
	})
}

// slipTexts returns the words of a slip printed on a day.
func slipTexts(custom []byte, day multe.Day) (map[string]string, error) {
	set, err := texts.Builtin()
	if err != nil {
		return nil, fmt.Errorf("reading our texts: %w", err)
	}
	if t, err := texts.Parse(custom); err == nil && t.Document == texts.Slip {
		set = set.With(t)
	}
	t, err := set.On(texts.Slip, texts.Italian, day.Start())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "internal", "I testi del preavviso mancano.", err)
	}
	return t.Texts, nil
}
