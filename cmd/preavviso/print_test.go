package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"preavviso/internal/fault"
)

// TestPrintCommand starts a job, waits for it, fetches it and tells what was left
// out.
func TestPrintCommand(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("t", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	looks, state := 0, "done"
	var id string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/creditors/00514490010/print-jobs", func(w http.ResponseWriter, r *http.Request) {
		var ask struct {
			ID, Kind, Form, Order string
			Filter                map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || ask.Kind != "avviso" || ask.Form != "zip" || ask.Order != "cap" || ask.Filter["from"] != "2026-01-31" || ask.Filter["unprinted"] != true {
			t.Errorf("asked %+v, %v", ask, err)
		}
		id = ask.ID
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "state": "running", "total": 3})
	})
	mux.HandleFunc("GET /v1/creditors/00514490010/print-jobs/{id}", func(w http.ResponseWriter, r *http.Request) {
		looks++
		answer := map[string]any{"id": r.PathValue("id"), "state": "running", "total": 3, "done": 1}
		if looks > 1 {
			answer["state"], answer["done"], answer["errors"] = state, 3, 1
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("GET /v1/creditors/00514490010/print-jobs/{id}/items", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{map[string]any{"n": 2, "verbale": "V2", "code": "print.paid", "detail": "Il verbale è già pagato."}}})
	})
	mux.HandleFunc("GET /v1/creditors/00514490010/print-jobs/{id}/output", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("PK the output"))
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/output") {
			w.Header().Set("Content-Type", "application/json")
		}
		mux.ServeHTTP(w, r)
	}))
	defer server.Close()
	out := filepath.Join(dir, "out.zip")
	args := []string{"--url", server.URL, "--creditor", "00514490010", "--token-file", token, "--out", out, "--kind", "avviso", "--form", "zip", "--order", "cap",
		"--from", "2026-01-31", "--unprinted"}
	var said bytes.Buffer
	if err := runPrint(t.Context(), args, &said); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "PK the output" {
		t.Errorf("%q, %v", b, err)
	}
	for _, want := range []string{"stampa " + id + ": 3 atti", "1 di 3", "3 di 3", "print.paid", "Il verbale è già pagato.", "2 atti, 1 rimasti fuori"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("does not say %q: %s", want, said.String())
		}
	}
	state = "failed"
	if err := runPrint(t.Context(), append(args, "--job", id), &said); fault.Of(err).Code != "print.no_output" {
		t.Errorf("a job that failed: %v", err)
	}
}
