package app

import (
	"fmt"

	"preavviso/internal/documents"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/store"
	"preavviso/internal/texts"
)

// newDocuments tells the documents how those kinds are read that only the edges
// know.
func newDocuments(st store.Store, d Deps) *documents.Documents {
	return documents.New(documents.Config{Store: st, Now: d.Now, Random: d.Random,
		Checks: map[multe.DocumentKind]documents.Check{
			multe.DocumentTexts:    checked(prints.CheckTexts),
			multe.DocumentLogo:     checked(prints.CheckLogo),
			multe.DocumentSettings: checked(prints.CheckSettings),
		},
		SlipTexts: slipTexts,
	})
}

// checked makes a check of package prints one of package documents.
func checked(check func([]byte) ([]byte, string, error)) documents.Check {
	return func(body []byte) (documents.Checked, error) {
		kept, mediaType, err := check(body)
		return documents.Checked{Type: mediaType, Body: kept}, err
	}
}

// slipTexts returns the words of a slip printed on a day.
func slipTexts(custom []byte, day multe.Day) (map[string]string, error) {
	set, err := texts.Builtin()
	if err != nil {
		return nil, fmt.Errorf("reading our texts: %w", err)
	}
	if custom != nil {
		if set, err = set.Own(custom, day.Start()); err != nil {
			return nil, fmt.Errorf("reading the creditor's texts: %w", err)
		}
	}
	t, err := set.On(texts.Slip, texts.Italian, day.Start())
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "internal", "I testi del preavviso mancano.", err)
	}
	return t.Texts, nil
}
