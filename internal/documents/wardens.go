package documents

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"preavviso/internal/multe"
)

const (
	// MaxWardens is above any town of Piemonte; Torino has some 1,500 agents, who do
	// not share one roster of handhelds. Hashing as many PINs takes a quarter of a minute.
	MaxWardens = 300
	maxName    = 60

	// PINIterations costs a handheld of some years ago a third of a second, once for
	// each warden who logs in.
	PINIterations = 200_000
	pinAlgorithm  = "pbkdf2-sha256"
	saltBytes     = 16
	hashBytes     = 32
)

var (
	pins       = regexp.MustCompile(`^[0-9]{4,12}$`)
	matricolas = regexp.MustCompile(`^[A-Za-z0-9./-]{1,20}$`) // at most multe.MaxWarden
)

// roster is the wardens as they are kept and as handhelds get them.
type roster struct {
	Wardens []warden `json:"wardens"`
}

type warden struct {
	Matricola string  `json:"matricola"`
	Name      string  `json:"name"`
	PIN       *hashed `json:"pin"`
}

// hashed is a PIN nobody can read back: Hash is the PBKDF2 of its digits.
type hashed struct {
	Algorithm  string `json:"alg"`
	Iterations int    `json:"iterations"`
	Salt       []byte `json:"salt"` // base64, as all bytes in JSON
	Hash       []byte `json:"hash"`
}

// given is a roster as the office writes it.
type given struct {
	Wardens []struct {
		Matricola string `json:"matricola"`
		Name      string `json:"name"`
		PIN       string `json:"pin,omitempty"`
	} `json:"wardens"`
}

// checkWardens reads a roster and hashes its PINs. A PIN that is what it was keeps
// its salt, so that the same roster again is the same document.
func (d *Documents) checkWardens(ctx context.Context, body, before []byte) (Checked, error) {
	var bad wrong
	refused := func() (Checked, error) { return Checked{}, bad.err("wardens.invalid", "L'elenco degli agenti") }
	var g given
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		bad.add("non è JSON nella forma {\"wardens\":[{\"matricola\":…,\"name\":…,\"pin\":…}]}")
		return refused()
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		bad.add("dopo l'elenco c'è altro")
	}
	known := map[string]*hashed{}
	if before != nil {
		var old roster
		if err := json.Unmarshal(before, &old); err != nil {
			return Checked{}, fmt.Errorf("reading the roster before: %w", err)
		}
		for _, w := range old.Wardens {
			known[w.Matricola] = w.PIN
		}
	}
	if n := len(g.Wardens); n == 0 || n > MaxWardens {
		bad.add("servono da 1 a %d agenti", MaxWardens)
		return refused()
	}
	seen := map[string]bool{}
	for i, w := range g.Wardens {
		switch {
		case !matricolas.MatchString(w.Matricola):
			bad.add("voce %d: la matricola ha da 1 a %d caratteri tra lettere, cifre, punto, barra e trattino", i+1, multe.MaxWarden)
		case seen[w.Matricola]:
			bad.add("voce %d: la matricola è ripetuta", i+1)
		case !oneLine(w.Name, maxName):
			bad.add("voce %d: il nome è obbligatorio, al massimo %d caratteri", i+1, maxName)
		case w.PIN == "" && known[w.Matricola] == nil:
			bad.add("voce %d: manca il PIN, e non ce n'è uno precedente da mantenere", i+1)
		case w.PIN != "" && !pins.MatchString(w.PIN):
			bad.add("voce %d: il PIN ha da 4 a 12 cifre", i+1)
		}
		seen[w.Matricola] = true
	}
	if len(bad) > 0 {
		return refused()
	}
	var next roster
	for _, w := range g.Wardens {
		if err := ctx.Err(); err != nil {
			return Checked{}, err
		}
		pin, err := d.keepOrHash(w.PIN, known[w.Matricola])
		if err != nil {
			return Checked{}, err
		}
		next.Wardens = append(next.Wardens, warden{w.Matricola, w.Name, pin})
	}
	out, err := json.Marshal(next)
	return Checked{Type: "application/json", Body: out}, err
}

// keepOrHash returns the hash that is kept if it is that of pin, or if no pin is
// given, and a new one otherwise.
func (d *Documents) keepOrHash(pin string, kept *hashed) (*hashed, error) {
	if kept != nil {
		same, err := kept.is(pin)
		if pin == "" || err != nil || same {
			return kept, err
		}
	}
	h := &hashed{Algorithm: pinAlgorithm, Iterations: PINIterations, Salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(d.random, h.Salt); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	var err error
	h.Hash, err = pbkdf2.Key(sha256.New, pin, h.Salt, h.Iterations, hashBytes)
	return h, err
}

// is reports whether pin has this hash.
func (h *hashed) is(pin string) (bool, error) {
	if pin == "" || h.Iterations != PINIterations || h.Algorithm != pinAlgorithm {
		return false, nil // of an earlier cost: the next PIN is hashed at today's
	}
	sum, err := pbkdf2.Key(sha256.New, pin, h.Salt, h.Iterations, len(h.Hash))
	return hmac.Equal(sum, h.Hash), err
}

// withoutPINs returns a roster as the office may give it again.
func withoutPINs(body []byte) ([]byte, error) {
	var r roster
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reading a roster: %w", err)
	}
	var g given
	for _, w := range r.Wardens {
		g.Wardens = append(g.Wardens, struct {
			Matricola string `json:"matricola"`
			Name      string `json:"name"`
			PIN       string `json:"pin,omitempty"`
		}{w.Matricola, w.Name, ""})
	}
	return json.Marshal(g)
}
