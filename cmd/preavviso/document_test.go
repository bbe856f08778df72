package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportCatalogue gives a file to the service: dry unless told otherwise.
func TestImportCatalogue(t *testing.T) {
	var asked, got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, got = r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("Authorization"), string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"document":{"n":3,"from":"2026-03-01"},"findings":[{"line":7,"detail":"da verificare"}],"dry_run":true}`)
	}))
	defer srv.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("t", 47)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flags       []string
		query, says string
	}{
		{nil, "dry_run=true", "Anteprima: sarebbe il catalogo n. 3, in vigore dal 01/03/2026"},
		{[]string{"--commit", "--from", "2026-03-01"}, "dry_run=false&from=2026-03-01", "Catalogo n. 3 importato"},
	} {
		var out strings.Builder
		args := append([]string{"-", "--url", srv.URL, "--creditor", "00514490010", "--token-file", token}, tt.flags...)
		if err := importCatalogue(t.Context(), args, strings.NewReader("catalogue: preavviso-1"), &out); err != nil {
			t.Fatal(err)
		}
		if want := "PUT /v1/creditors/00514490010/documents/catalogue?" + tt.query + " application/octet-stream Bearer " + strings.Repeat("t", 47); asked != want || got != "catalogue: preavviso-1" {
			t.Errorf("asked %q with %q, want %q", asked, got, want)
		}
		if !strings.Contains(out.String(), tt.says) || !strings.Contains(out.String(), "riga 7: da verificare") {
			t.Errorf("says %q", out.String())
		}
	}
}
