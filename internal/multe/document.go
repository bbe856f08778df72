package multe

import (
	"time"

	"preavviso/internal/fault"
)

// DocumentKind is what a document of a creditor is for. The strings are stored.
type DocumentKind string

const (
	DocumentCatalogue DocumentKind = "catalogue" // violations with their amounts, YAML (package cds)
	DocumentTexts     DocumentKind = "texts"     // what prints say, where it differs from ours, YAML (package texts)
	DocumentLogo      DocumentKind = "logo"      // PNG or JPEG, as printed
	DocumentStreets   DocumentKind = "streets"   // one name a line
	DocumentCreditor  DocumentKind = "creditor"  // the creditor itself, JSON, written whenever it changes (store.SaveCreditor)
	DocumentSettings  DocumentKind = "prints"    // what acts say of the office beyond that, JSON (package prints)
	DocumentWardens   DocumentKind = "wardens"   // matricola, name and hashed PIN, JSON
)

// MaxDocument is the largest document: the longest catalogue, and far above a
// logo that prints well.
const MaxDocument = 1 << 20

// Document is something that a creditor's office gives as a file and that takes
// effect as a whole. A new one never replaces an old one: what was printed
// yesterday can be printed again.
type Document struct {
	Creditor CreditorID
	Kind     DocumentKind
	N        uint64 // 1, 2, 3 … within creditor and kind
	From     Day    // in force from then on; of two with the same day the later one
	Type     string // media type of Body
	Body     []byte // ≤ MaxDocument
	Digest   Digest // of Body
	Actor    string // who gave it
	At       time.Time
}

// NewDocument returns the document after the last, which is the zero Document if
// there is none.
func NewDocument(last Document, c CreditorID, kind DocumentKind, from Day, mediaType string, body []byte, actor string, at time.Time) (Document, error) {
	if len(body) == 0 || len(body) > MaxDocument {
		return Document{}, fault.New(fault.Invalid, "document.bad_size", "Il file è vuoto o supera 1 MB.")
	}
	if from.IsZero() {
		return Document{}, fault.New(fault.Invalid, "document.bad_from", "Manca la data da cui il file è in vigore.")
	}
	return Document{Creditor: c, Kind: kind, N: last.N + 1, From: from, Type: mediaType, Body: body, Digest: DigestOf(body), Actor: actor, At: Instant(at)}, nil
}
