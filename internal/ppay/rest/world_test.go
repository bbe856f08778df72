package rest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/ppaysim"
	"preavviso/internal/ppay/rest"
)

const (
	creditor multe.CreditorID = "01234567890"

	typ      = "MU01" // expected payments
	shared   = "MB01" // of two creditors
	document = "ML01" // documents that need a marca da bollo
	iuv0     = "12263270000471237"
	user     = "utente-canarino"
	password = "password-canarino"
)

// A world is a platform and a client of it, without a network between them.
type world struct {
	*testing.T
	sim    *ppaysim.Sim
	client *rest.Client
	calls  atomic.Int64 // that reached the platform
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var err error
	w.sim, err = ppaysim.Open(filepath.Join(t.TempDir(), "sim.db"), ppaysim.Config{
		Now: func() time.Time { return now }, Random: rand.NewChaCha8([32]byte{1}), User: user, Password: password,
		Enti: []ppaysim.Creditor{{CF: string(creditor), Segregation: "12", Types: []ppaysim.PaymentType{
			{Code: typ}, {Code: "MU02"}, {Code: shared, Multi: true}, {Code: document, Kind: "MABL"},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	w.client = w.as(user, password)
	return w
}

// as is a client with other credentials.
func (w *world) as(user, password string) *rest.Client {
	w.Helper()
	return newClient(w, rest.Config{URL: "http://ppay.test" + ppaysim.RESTBase, User: user, Password: ppay.NewSecret(password), Transport: w})
}

// RoundTrip counts.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.calls.Add(1)
	return w.sim.Transport().RoundTrip(r)
}

func newClient(t testing.TB, cfg rest.Config) *rest.Client {
	t.Helper()
	c, err := rest.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// control calls the simulator's control API, which must answer 200.
func (w *world) control(method, path, in string, out any) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://ppay.test/control/v1/"+path, strings.NewReader(in))
	if err != nil {
		w.Fatal(err)
	}
	resp, err := w.sim.Transport().RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		w.Fatalf("%s %s: HTTP %d, %v: %s", method, path, resp.StatusCode, err, raw)
	}
	if out != nil {
		if err := json.NewDecoder(bytes.NewReader(raw)).Decode(out); err != nil {
			w.Fatal(err)
		}
	}
}

// position is what the platform holds.
func (w *world) position(iuv string) ppaysim.Position {
	w.Helper()
	var out struct{ Positions []ppaysim.Position }
	w.control("GET", "positions?iuv="+iuv, "", &out)
	if len(out.Positions) != 1 {
		w.Fatalf("%d positions with IUV %s", len(out.Positions), iuv)
	}
	return out.Positions[0]
}

func cents(c rest.Cents) *rest.Cents { return &c }

var (
	anonimo = rest.Payer{CF: "ANONIMO", Surname: "ANONIMO", Name: "ANONIMO"}
	mario   = rest.Payer{CF: "RSSMRA80A01L219M", Surname: "Rossi", Name: "Mario", Email: "mario@example.com"}
)

// inactive makes a code in advance.
func (w *world) inactive(id multe.PositionID) rest.PositionRef {
	w.Helper()
	ref, err := w.client.Create(w.Context(), creditor, typ, rest.NewPosition{Payer: anonimo, ID: id, Causale: "Preavviso CdS", Cents: cents(0)})
	if err != nil {
		w.Fatal(err)
	}
	return ref
}

// due makes a position to be paid.
func (w *world) due(id multe.PositionID, c rest.Cents) rest.PositionRef {
	w.Helper()
	ref, err := w.client.Create(w.Context(), creditor, typ, rest.NewPosition{Payer: mario, ID: id, Causale: "Verbale 1", Cents: &c})
	if err != nil {
		w.Fatal(err)
	}
	return ref
}
