package documents_test

import (
	"bytes"
	"compress/gzip"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/cds"
	"preavviso/internal/documents"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

const town = webtest.Torino

func day(s string) multe.Day {
	d, err := multe.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

func add(t *testing.T, w *webtest.World, kind multe.DocumentKind, from, body string) (multe.Document, []documents.Finding) {
	t.Helper()
	d, findings, err := w.Documents.Add(t.Context(), "operator:O", town, kind, day(from), []byte(body), false)
	if err != nil {
		t.Fatal(err)
	}
	return d, findings
}

func shift(t *testing.T, w *webtest.World) documents.Shift {
	t.Helper()
	s, err := w.Documents.Shift(t.Context(), town)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAddRefuses checks that what cannot be used is refused whole, with what to
// mend, and that nothing is kept of it.
func TestAddRefuses(t *testing.T) {
	w := webtest.New(t)
	for name, tt := range map[string]struct {
		kind       multe.DocumentKind
		body, code string
		detail     string
	}{
		"catalogue":         {"catalogue", "catalogue: preavviso-1\n", "catalogue.invalid", "violations"},
		"no kind":           {"songs", "la la la", "document.unknown_kind", ""},
		"kind of ours":      {"creditor", "{}", "document.unknown_kind", ""},
		"logo no picture":   {"logo", "PNG", "logo.not_image", "PNG o JPEG"},
		"empty streets":     {"streets", " \n\n", "streets.invalid", "da 1 a 20000"},
		"long street":       {"streets", "Via Po\n" + strings.Repeat("x", 101), "streets.invalid", "riga 2"},
		"street with a tab": {"streets", "Via\tPo", "streets.invalid", "riga 1"},
		"too large":         {"streets", strings.Repeat("x", multe.MaxDocument+1), "document.bad_size", ""},
		"wardens no JSON":   {"wardens", "M042;Rossi", "wardens.invalid", "JSON"},
		"wardens more":      {"wardens", `{"wardens":[{"matricola":"M1","name":"A","pin":"1234"}]} {}`, "wardens.invalid", "altro"},
		"other member":      {"wardens", `{"wardens":[{"matricola":"M1","name":"A","pin":"1234","tel":"1"}]}`, "wardens.invalid", ""},
		"no wardens":        {"wardens", `{"wardens":[]}`, "wardens.invalid", "da 1 a 300"},
		"twice":             {"wardens", `{"wardens":[{"matricola":"M1","name":"A","pin":"1234"},{"matricola":"M1","name":"B","pin":"1234"}]}`, "wardens.invalid", "voce 2"},
		"no PIN":            {"wardens", `{"wardens":[{"matricola":"M1","name":"A"}]}`, "wardens.invalid", "manca il PIN"},
		"short PIN":         {"wardens", `{"wardens":[{"matricola":"M1","name":"A","pin":"123"}]}`, "wardens.invalid", "da 4 a 12"},
		"PIN of letters":    {"wardens", `{"wardens":[{"matricola":"M1","name":"A","pin":"1a34"}]}`, "wardens.invalid", "da 4 a 12"},
		"no name":           {"wardens", `{"wardens":[{"matricola":"M1","name":"","pin":"1234"}]}`, "wardens.invalid", "nome"},
		"bad matricola":     {"wardens", `{"wardens":[{"matricola":"M 1","name":"A","pin":"1234"}]}`, "wardens.invalid", "matricola"},
	} {
		_, _, err := w.Documents.Add(t.Context(), "operator:O", town, tt.kind, day("2026-03-02"), []byte(tt.body), false)
		if e := fault.Of(err); e.Code != tt.code || !strings.Contains(e.Detail, tt.detail) || strings.Contains(e.Detail, "Rossi") {
			t.Errorf("%s: %v %q, want %s with %q", name, err, e.Detail, tt.code, tt.detail)
		}
	}
	for _, kind := range []multe.DocumentKind{"catalogue", "streets", "wardens"} {
		if list, err := w.Documents.List(t.Context(), town, kind, 0, 10); err != nil || len(list) > 0 {
			t.Errorf("%s: %v, %v", kind, list, err)
		}
	}
}

// TestAdd walks through the life of a kind.
func TestAdd(t *testing.T) {
	w := webtest.New(t)
	ctx := t.Context()
	dry, findings, err := w.Documents.Add(ctx, "operator:O", town, "streets", day("2026-03-02"), []byte("Via Po\n\n  Via Roma\r\nvia po\n"), true)
	if err != nil || dry.N != 1 || string(dry.Body) != "Via Po\nVia Roma\n" {
		t.Errorf("dry = %+v, %v", dry, err)
	}
	if want := []documents.Finding{{Line: 4, Detail: "il nome è già alla riga 1"}}; !cmp.Equal(findings, want) {
		t.Errorf("findings = %v", findings)
	}
	if list, _ := w.Documents.List(ctx, town, "streets", 0, 10); len(list) != 0 {
		t.Errorf("a dry run kept %v", list)
	}
	first, _ := add(t, w, "streets", "2026-03-02", "Via Po\nVia Roma")
	again, _ := add(t, w, "streets", "2026-03-02", "Via Po\n Via Roma\n")
	if first.N != 1 || again.N != 1 {
		t.Errorf("the same twice is %d and %d", first.N, again.N)
	}
	future, _ := add(t, w, "streets", "2026-04-01", "Via Po")
	correction, findings := add(t, w, "streets", "2026-03-10", "Via Po\nVia Roma\nVia Nizza")
	if future.N != 2 || correction.N != 3 || len(findings) != 1 || !strings.Contains(findings[0].Detail, "n. 2") {
		t.Errorf("%d, %d, findings %v", future.N, correction.N, findings)
	}
	list, err := w.Documents.List(ctx, town, "streets", 0, 2)
	if err != nil || len(list) != 2 || list[0].N != 3 || list[1].N != 2 || list[0].Body != nil {
		t.Errorf("list = %+v, %v", list, err)
	}
	if list, err = w.Documents.List(ctx, town, "streets", 2, 2); err != nil || len(list) != 1 || list[0].N != 1 {
		t.Errorf("next page = %+v, %v", list, err)
	}
	if got, err := w.Documents.Get(ctx, town, "streets", 2); err != nil || string(got.Body) != "Via Po\n" {
		t.Errorf("Get = %+v, %v", got, err)
	}
	if _, err := w.Documents.Get(ctx, webtest.Alba, "streets", 1); fault.Of(err).Code != "document.unknown" {
		t.Errorf("another's document: %v", err)
	}
	var audited int
	err = w.Store.View(ctx, func(r store.Reader) error {
		audit, err := r.Audit(town, "", 0, store.MaxPage)
		for _, e := range audit {
			if e.Action == "document.added" {
				audited++
			}
		}
		return err
	})
	if err != nil || audited != 3 {
		t.Errorf("%d lines of history, %v", audited, err)
	}
}

// TestPINs checks that a PIN can be verified offline by what is documented, is never
// kept, and stays where the office does not give it again.
func TestPINs(t *testing.T) {
	w := webtest.New(t)
	first, _ := add(t, w, "wardens", "2026-03-02", `{"wardens":[{"matricola":"M042","name":"Anna Rossi","pin":"493817"},{"matricola":"M7","name":"Ugo Bo","pin":"493817"}]}`)
	if bytes.Contains(first.Body, []byte("493817")) {
		t.Fatal("the PIN is kept")
	}
	type roster struct {
		Wardens []struct {
			Matricola, Name string
			PIN             *struct {
				Alg        string
				Iterations int
				Salt, Hash []byte
			}
		}
	}
	var r roster
	if err := json.Unmarshal(shift(t, w).Body, &r); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"M042", "M7"} {
		p := r.Wardens[i].PIN
		sum, err := pbkdf2.Key(sha256.New, "493817", p.Salt, p.Iterations, len(p.Hash))
		if err != nil || !bytes.Equal(sum, p.Hash) || p.Alg != "pbkdf2-sha256" || len(p.Salt) != 16 || r.Wardens[i].Matricola != want {
			t.Errorf("warden %d = %+v", i, r.Wardens[i])
		}
	}
	if bytes.Equal(r.Wardens[0].PIN.Hash, r.Wardens[1].PIN.Hash) {
		t.Error("equal PINs have equal hashes")
	}
	got, err := w.Documents.Get(t.Context(), town, "wardens", 1)
	if want := `{"wardens":[{"matricola":"M042","name":"Anna Rossi"},{"matricola":"M7","name":"Ugo Bo"}]}`; err != nil || string(got.Body) != want {
		t.Errorf("the office reads %s, %v", got.Body, err)
	}
	if same, _ := add(t, w, "wardens", "2026-03-02", `{"wardens":[{"matricola":"M042","name":"Anna Rossi","pin":"493817"},{"matricola":"M7","name":"Ugo Bo"}]}`); same.N != 1 {
		t.Errorf("the same roster is number %d", same.N)
	}
	add(t, w, "wardens", "2026-03-02", `{"wardens":[{"matricola":"M042","name":"Anna Rossi","pin":"0000"},{"matricola":"M7","name":"Ugo Bo"}]}`)
	var next roster
	if err := json.Unmarshal(shift(t, w).Body, &next); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(next.Wardens[0].PIN.Hash, r.Wardens[0].PIN.Hash) || !bytes.Equal(next.Wardens[1].PIN.Hash, r.Wardens[1].PIN.Hash) {
		t.Error("the PIN that was given is to change, the other is not")
	}
}

// TestShiftChangesWithWhatItIsMadeFrom checks that a shift keeps its ETag until
// something in it changes, and says until when nothing will.
func TestShiftChangesWithWhatItIsMadeFrom(t *testing.T) {
	w := webtest.New(t)
	bare := shift(t, w)
	if bare.ValidUntil != day("2027-10-31") {
		t.Errorf("valid until %v", bare.ValidUntil)
	}
	differs := func(what string, from documents.Shift, want bool) documents.Shift {
		t.Helper()
		s := shift(t, w)
		if (s.ETag != from.ETag) != want {
			t.Errorf("%s: changed = %v, want %v", what, !want, want)
		}
		return s
	}
	add(t, w, "catalogue", "2026-03-01", string(cds.Sample()))
	s := differs("a catalogue", bare, true)
	w.Pass(24 * time.Hour)
	differs("a day later", s, false)
	add(t, w, "streets", "2026-03-20", "Via Po")
	s = differs("streets to come", s, true)
	if s.ValidUntil != day("2026-03-19") || bytes.Contains(s.Body, []byte("Via Po")) {
		t.Errorf("valid until %v", s.ValidUntil)
	}
	change := func(f func(*multe.Creditor)) {
		t.Helper()
		c, err := w.Registry.Creditor(t.Context(), town)
		if err != nil {
			t.Fatal(err)
		}
		f(&c)
		if _, err := w.Registry.ChangeCreditor(t.Context(), "admin", c, c.Version); err != nil {
			t.Fatal(err)
		}
	}
	change(func(c *multe.Creditor) { c.PoolTarget++ })
	differs("a setting that is not in it", s, false)
	change(func(c *multe.Creditor) {
		c.Policies = []multe.Policy{{From: day("2026-03-10"), Debtor: "reset", Amount: "two-codes", NoSlipDiscount: true}}
	})
	s = differs("a policy to come", s, true)
	if s.ValidUntil != day("2026-03-09") || !bytes.Contains(s.Body, []byte(`"amounts":"one-code"`)) {
		t.Errorf("valid until %v", s.ValidUntil)
	}
	w.Pass(7 * 24 * time.Hour) // 10 March
	s = differs("the policy's day", s, true)
	if s.ValidUntil != day("2026-03-19") || !bytes.Contains(s.Body, []byte(`"amounts":"two-codes"`)) || bytes.Contains(s.Body, []byte(`"discounted"`)) {
		t.Errorf("valid until %v", s.ValidUntil)
	}
	w.Pass(10 * 24 * time.Hour)
	s = differs("the streets' day", s, true)
	if !bytes.Contains(s.Body, []byte("Via Po")) {
		t.Error("the streets are missing")
	}
	if _, err := w.Documents.Shift(t.Context(), "00000000000"); !errors.Is(err, fault.NotFound) {
		t.Errorf("nobody's shift: %v", err)
	}
}

// normalTown gives a town 400 violations, 1,500 streets and 60 wardens.
func normalTown(t testing.TB, w *webtest.World) {
	t.Helper()
	var yaml, names, wardens strings.Builder
	yaml.WriteString("catalogue: preavviso-1\nname: Prova\nviolations:\n")
	for i := range 400 {
		fmt.Fprintf(&yaml, "  - code: \"%04d\"\n    article: %d\n    comma: %d\n    norm: art. %d c. %d CdS\n    text: Circolava o sostava in violazione della prescrizione numero %d, imposta con segnale %d in %s.\n    amounts:\n      - {from: 2021-01-01, min: %d, max: %d}\n",
			i, i%60+1, i%17+1, i%60+1, i%17+1, i*7919%100003, i*104729%99991, []string{"via", "corso", "piazza"}[i%3], 26+i, 102+4*i)
	}
	for i := range 1500 {
		fmt.Fprintf(&names, "%s %s %s\n", []string{"Via", "Corso", "Piazza", "Vicolo", "Largo"}[i%5], syllables(i*7919+13), syllables(i*104729+7))
	}
	wardens.WriteString(`{"wardens":[`)
	for i := range 60 {
		salt, hash := make([]byte, 16), make([]byte, 32)
		random := rand.NewChaCha8([32]byte{byte(i)})
		random.Read(salt)
		random.Read(hash)
		fmt.Fprintf(&wardens, `%s{"matricola":"M%03d","name":"%s %s","pin":{"alg":"pbkdf2-sha256","iterations":200000,"salt":"%s","hash":"%s"}}`, map[bool]string{true: ","}[i > 0], i,
			syllables(i*31+5), syllables(i*577+3), base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(hash))
	}
	wardens.WriteString("]}")
	// The roster is put as it would be kept: sixty PINs take a minute under -race.
	roster := []byte(wardens.String())
	if err := w.Store.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutDocument(multe.Document{Creditor: town, Kind: "wardens", N: 1, From: day("2026-03-01"), Type: "application/json", Body: roster, Digest: multe.DigestOf(roster), Actor: "operator:O", At: w.Now()})
	}); err != nil {
		t.Fatal(err)
	}
	for kind, body := range map[multe.DocumentKind]string{"catalogue": yaml.String(), "streets": names.String()} {
		if _, _, err := w.Documents.Add(t.Context(), "operator:O", town, kind, day("2026-03-01"), []byte(body), false); err != nil {
			t.Fatal(err)
		}
	}
}

// syllables makes names that compress no better than real ones.
func syllables(n int) string {
	parts := strings.Fields("mo ra ti ber no sal va gar do pel li na cu sto ri fe gal lo tre ve zan pi co mi")
	name := ""
	for n > 0 {
		name, n = name+parts[n%len(parts)], n/len(parts)
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// TestShiftOfANormalTown holds the size a handheld fetches against its bound.
func TestShiftOfANormalTown(t *testing.T) {
	w := webtest.New(t)
	normalTown(t, w)
	s := shift(t, w)
	t.Logf("%d bytes, %d compressed", len(s.Body), len(s.Gzip))
	if len(s.Gzip) > cds.MaxSheet {
		t.Errorf("a shift of %d bytes", len(s.Gzip))
	}
	r, err := gzip.NewReader(bytes.NewReader(s.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, s.Body) {
		t.Errorf("the compressed shift is another: %v", err)
	}
}

// BenchmarkShift is what one of thousands of handhelds costs at the start of a shift.
func BenchmarkShift(b *testing.B) {
	w := webtest.New(b)
	normalTown(b, w)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Documents.Shift(b.Context(), town); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzStreets(f *testing.F) {
	f.Add("Via Po\n\nVia Roma")
	w := webtest.New(f)
	f.Fuzz(func(t *testing.T, text string) {
		d, _, err := w.Documents.Add(t.Context(), "operator:O", town, "streets", day("2026-03-01"), []byte(text), true)
		if err != nil {
			return
		}
		again, _, err := w.Documents.Add(t.Context(), "operator:O", town, "streets", day("2026-03-01"), d.Body, true)
		if err != nil || !bytes.Equal(again.Body, d.Body) {
			t.Errorf("%q is read as %q, and that as %q (%v)", text, d.Body, again.Body, err)
		}
	})
}

func FuzzWardens(f *testing.F) {
	f.Add(`{"wardens":[{"matricola":"M1","name":"A"}]}`)
	w := webtest.New(f)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "pin") > 2 {
			return // hashing takes its time
		}
		_, _, _ = w.Documents.Add(t.Context(), "operator:O", town, "wardens", day("2026-03-01"), []byte(text), true)
	})
}
