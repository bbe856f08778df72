package main

import (
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// TestActs walks both ways between the office and those outside, with the real
// API: plates go out, owners come in, acts go out.
func TestActs(t *testing.T) {
	w := webtest.New(t)
	device, _ := w.Device(t, webtest.Torino)
	w.AddCodes(t, webtest.Torino, 10)
	codes, err := w.Pool.Lease(t.Context(), webtest.Torino, device.ID, multe.LeaseID(w.ID(t)), 1)
	if err != nil {
		t.Fatal(err)
	}
	slip := multe.Slip{ID: multe.VerbaleID(w.ID(t)), Position: codes[0].Position, Number: codes[0].Number, Plate: "AB123CD", Nation: "IT", Place: "via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17", IssuedAt: w.Now(), Steps: []multe.Step{{Cents: 4200}}}
	if _, _, err := w.Verbali.Issue(t.Context(), webtest.Torino, device.ID, slip, multe.Digest{1}); err != nil {
		t.Fatal(err)
	}
	w.Pass(8 * 24 * time.Hour)
	srv := httptest.NewServer(api.New(api.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Access: w.Access, Repeats: w.Repeats, Verbali: w.Verbali,
		Exports: w.Exports, Owners: w.Owners}))
	defer srv.Close()

	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flags := []string{"--url", srv.URL, "--creditor", string(webtest.Torino), "--token-file", file("token", w.Operator(t, webtest.Torino)+"\n")}
	const header = "Veicolo;Targa;Cognome;Nome;Codice fiscale;Comune\n"
	good := file("good.csv", header+"Fiat;AB123CD;Rossi;Maria;RSSMRA80A01L219X;Torino\n")
	odd := file("odd.csv", strings.Replace(header, "Cognome", "Chi", 1)+"Fiat;AB123CD;Verdi;Ugo;VRDGUO80A01L219X;Torino\n")
	wrong := file("wrong.csv", header+"Fiat;AB123CD;=1;Maria;RSSMRA80A01L219X;Torino\n")
	out := filepath.Join(dir, "list.csv")
	call := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), append(args, flags...), nil, &stdout, &stderr)
		return status, stdout.String(), stderr.String()
	}
	for _, tt := range []struct {
		args   []string
		status int
		out    string // part of what is printed
		file   string // part of the list, if one is written
	}{
		{[]string{"export", "lookup", "--out", out}, exitOK, "atti: 1, pagamenti conosciuti fino alle 10:00:00 del 10/03/2026", ";AB123CD;IT;"},
		{[]string{"export", "lookup", "--out", out}, exitOK, "atti: 0", "targa"},
		{[]string{"export", "lookup", "--out", out, "--again", "--format", "json"}, exitOK, "atti: 1", `"plate":"AB123CD"`},
		{[]string{"export", "notify", "--out", "-"}, exitOK, "importo_dovuto", ""},
		{[]string{"export", "notify"}, exitUsage, "manca --out", ""},
		{[]string{"export", "notify", "--out", "-", "--list", "x"}, exitUsage, "--list", ""},
		{[]string{"export", "notify", "--out", "-", "--format", "pdf"}, exitUsage, "--format", ""},
		{[]string{"export", "notify", "--out", "-", "x"}, exitUsage, "di troppo", ""},
		{[]string{"import", "owners", good}, exitOK, "Anteprima, righe 1", ""},
		{[]string{"import", "owners", wrong, "--commit"}, exitError, "colonna 3", ""},
		{[]string{"import", "owners", odd}, exitError, "owners.bad_header", ""},
		{[]string{"import", "owners", odd, "--map", "surname=Chi", "--map", "city="}, exitOK, "«Chi»", ""},
		{[]string{"import", "owners", good, "--commit"}, exitOK, "intestatari 1, nuovi 1", ""},
		{[]string{"import", "owners", good, "--map", "targa"}, exitUsage, "--map", ""},
		{[]string{"import", "owners"}, exitUsage, "manca il file", ""},
		{[]string{"operator", "invite", "--name", "Anna Neri", "--email", "anna@comune.example.it", "--role", "addetto"}, exitOK, "Codice: ", ""},
		{[]string{"operator", "invite", "--name", "Anna Neri", "--email", "anna@comune.example.it", "--role", "addetto"}, exitError, "[operator.login_taken]", ""},
		{[]string{"import", "owners", filepath.Join(dir, "none.csv")}, exitError, "none.csv", ""},
	} {
		status, stdout, stderr := call(tt.args...)
		if status != tt.status || !strings.Contains(stdout+stderr, tt.out) {
			t.Errorf("%v: %d\n%s%s", tt.args, status, stdout, stderr)
		}
		if tt.file != "" {
			b, err := os.ReadFile(out)
			if err != nil || !strings.Contains(string(b), tt.file) {
				t.Errorf("%v wrote %s, %v", tt.args, b, err)
			}
		}
	}
	hints, err := w.Owners.Hints(t.Context(), webtest.Torino, slip.ID)
	if err != nil || len(hints) != 1 || hints[0].Debtor.Surname != "Rossi" {
		t.Errorf("%d owners, %v", len(hints), err)
	}
	for _, command := range []string{"export", "import"} {
		var help bytes.Buffer
		if status := run(t.Context(), []string{command, "--help"}, nil, &help, io.Discard); status != exitOK || !strings.Contains(help.String(), "import owners") {
			t.Errorf("%s --help: %d %s", command, status, help.String())
		}
	}
}
