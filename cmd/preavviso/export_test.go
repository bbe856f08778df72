package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExport is the command against a service that answers in every way.
func TestExport(t *testing.T) {
	const sheet = "\ufeffdata_pagamento;iuv\r\n"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+strings.Repeat("t", 40):
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		case r.URL.Path == "/v1/creditors/00514490010/accounting.csv" && r.URL.RawQuery == "from=2026-03-01&to=2026-03-31":
			_, _ = w.Write([]byte(sheet))
		case r.URL.Path == "/v1/creditors/00514490010/accounting.json":
			w.Header().Set("Location", "http://127.0.0.1:1/stolen")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/v1/creditors/1/accounting.csv":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(sheet))
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"code":"auth.wrong_creditor","detail":"Le credenziali non valgono per questo ente."}`))
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("t", 40)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"--url", srv.URL, "--creditor", "00514490010", "--from", "2026-03-01", "--to", "2026-03-31", "--token-file", token}
	for name, test := range map[string]struct {
		args   []string
		status int
		out    string
		err    string
	}{
		"to standard output": {append(good, "--out", "-"), 0, sheet, ""},
		"a redirect":         {append(good, "--out", "-", "--format", "json"), 1, "", "[export.refused]"},
		"another creditor":   {append(good, "--out", "-", "--creditor", "2"), 1, "", "[auth.wrong_creditor]"},
		"half of it":         {append(good, "--out", "-", "--creditor", "1"), 1, sheet, "[export.incomplete]"},
		"nobody there":       {append(good, "--out", "-", "--url", "http://127.0.0.1:1"), 1, "", "[export.unreachable]"},
		"no period":          {[]string{"--out", "-", "--creditor", "1", "--token-file", token, "--from", "2026-03-01"}, 2, "", "--to"},
		"another format":     {append(good, "--out", "-", "--format", "xls"), 2, "", "--format"},
		"a password in it":   {append(good, "--out", "-", "--url", "http://a:b@h"), 2, "", "--url"},
		"no such token":      {append(good, "--out", "-", "--token-file", filepath.Join(dir, "none")), 1, "", "token-file"},
		"no such folder":     {append(good, "--out", filepath.Join(dir, "none", "x.csv")), 1, "", "writing the export"},
		"an extra argument":  {append(good, "--out", "-", "x"), 2, "", "argomento"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			got := run(t.Context(), append([]string{"export", "accounting"}, test.args...), nil, &stdout, &stderr)
			if got != test.status || stdout.String() != test.out || !strings.Contains(stderr.String(), test.err) || strings.Contains(stderr.String(), "tttt") {
				t.Errorf("= %d, %q, %q", got, stdout.String(), stderr.String())
			}
		})
	}

	path := filepath.Join(dir, "out.csv")
	var stderr bytes.Buffer
	if got := run(t.Context(), append([]string{"export", "accounting", "--out", path}, good...), nil, &stderr, &stderr); got != 0 {
		t.Fatalf("= %d, %s", got, &stderr)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != sheet {
		t.Errorf("the file has %q, %v", raw, err)
	}
	// A failure leaves the file of the last time, and nothing beside it.
	if got := run(t.Context(), append([]string{"export", "accounting", "--out", path}, append(good, "--creditor", "1")...), nil, &stderr, &stderr); got != 1 {
		t.Errorf("= %d", got)
	}
	files, err := os.ReadDir(dir)
	if raw, err2 := os.ReadFile(path); err != nil || err2 != nil || string(raw) != sheet || len(files) != 2 {
		t.Errorf("%d files, %q, %v, %v", len(files), raw, err, err2)
	}
}
