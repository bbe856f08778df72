package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"preavviso/api/client"
)

// TestPortalFiles is both commands against a service that answers in every way.
func TestPortalFiles(t *testing.T) {
	const p1, p2, a1 = "0199a1b2c3d47e8f9012345600000001", "0199a1b2c3d47e8f9012345600000002", "301000000000004992"
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(raw))
		var body client.Import
		w.Header().Set("Content-Type", "application/json")
		_ = json.Unmarshal(raw, &body)
		switch {
		case r.Header.Get("Authorization") != "Bearer "+strings.Repeat("t", 40):
			t.Errorf("authorization %q", r.Header.Get("Authorization"))
		case r.URL.Path == "/v1/creditors/00514490010/lista-di-carico":
			_, _ = w.Write([]byte(`{"id":"B1","size":2,"file":"a;b\r\n","instructions":"Caricare."}`))
		case r.URL.Path == "/v1/creditors/00514490010/orphans/import" && body.Rows[0].Position == p2:
			_, _ = w.Write([]byte(`{"committed":false,"rows":[{"line":2,"position":"` + p2 + `","avviso":"` + a1 + `","outcome":"wrong","detail":"Già di un altro."}]}`))
		case r.URL.Path == "/v1/creditors/00514490010/orphans/import" && body.Commit:
			_, _ = w.Write([]byte(`{"committed":true,"rows":[{"line":2,"position":"` + p1 + `","avviso":"` + a1 + `","outcome":"recovered"}]}`))
		case r.URL.Path == "/v1/creditors/00514490010/orphans/import":
			_, _ = w.Write([]byte(`{"committed":false,"rows":[{"line":2,"position":"` + p1 + `","avviso":"` + a1 + `","outcome":"recovered"}]}`))
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"code":"creditor.not_portal","detail":"No."}`))
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := file("token", strings.Repeat("t", 40)+"\n")
	good, wrong := file("good.csv", "Codice avviso;x\n"+a1+";"+p1+"\n"), file("wrong.csv", "Codice avviso;x\n"+a1+";"+p2+"\n")
	half := file("half.csv", "Codice avviso;x\n"+a1+";"+p1+"\n1;"+p2+"\n")
	flags := []string{"--url", srv.URL, "--creditor", "00514490010", "--token-file", token}
	out := filepath.Join(dir, "list.csv")
	for name, test := range map[string]struct {
		args   []string
		status int
		out    string // part of it
		err    string
		asked  string // part of the last request; "" if there was none
	}{
		"a list":                {append([]string{"export", "lista-di-carico", "--out", out}, flags...), 0, "2 codici da chiedere", "", "POST /v1/creditors/00514490010/lista-di-carico "},
		"a list, to output":     {append([]string{"export", "lista-di-carico", "--out", "-"}, flags...), 0, "a;b\r\n", "", "POST"},
		"not for the creditor":  {append(append([]string{"export", "lista-di-carico", "--out", out}, flags...), "--creditor", "1"), 1, "", "[creditor.not_portal]", "POST"},
		"a preview":             {append([]string{"import", "iuv", good}, flags...), 0, "Anteprima", "", `{"rows":[{"avviso":"` + a1 + `","line":2,"position":"` + p1 + `"}]}`},
		"an import":             {append([]string{"import", "iuv", good, "--commit"}, flags...), 0, "Importazione eseguita", "", `{"commit":true,`},
		"flags first":           {append(append([]string{"import", "iuv"}, flags...), good), 0, "da importare", "", `{"rows":`},
		"a wrong row":           {append([]string{"import", "iuv", wrong, "--commit"}, flags...), 1, "Già di un altro.", "[portal.wrong_rows]", `{"commit":true,`},
		"an unreadable row":     {append([]string{"import", "iuv", half, "--commit"}, flags...), 1, "riga 3", "[portal.wrong_rows]", `{"rows":`},
		"nothing of ours":       {append([]string{"import", "iuv", file("none.csv", "IUV\n1\n")}, flags...), 1, "", "[portal.nothing]", ""},
		"no file of the portal": {append([]string{"import", "iuv", token}, flags...), 1, "", "[portal.bad_file]", ""},
		"no file":               {append([]string{"import", "iuv"}, flags...), 2, "", "manca il file", ""},
		"no such file":          {append([]string{"import", "iuv", dir + "/x"}, flags...), 1, "", "reading the export", ""},
		"two files":             {append([]string{"import", "iuv", good, wrong}, flags...), 2, "", "argomento di troppo", ""},
		"nobody there":          {append(append([]string{"import", "iuv", good}, flags...), "--url", "http://127.0.0.1:1"), 1, "", "[export.unreachable]", ""},
		"no creditor":           {[]string{"import", "iuv", good, "--token-file", token}, 2, "", "--creditor", ""},
		"no out":                {append([]string{"export", "lista-di-carico"}, flags...), 2, "", "--out", ""},
		"something else":        {[]string{"import", "pagamenti"}, 2, "", "importazione sconosciuta", ""},
		"help":                  {[]string{"import", "--help"}, 0, "preavviso import iuv", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			var stdout, stderr bytes.Buffer
			got := run(t.Context(), test.args, nil, &stdout, &stderr)
			last := strings.Join(asked, "\n")
			if got != test.status || !strings.Contains(stdout.String(), test.out) || !strings.Contains(stderr.String(), test.err) ||
				!strings.Contains(last, test.asked) || test.asked == "" && last != "" || strings.Contains(stderr.String(), "tttt") {
				t.Errorf("= %d, %q, %q, asked %q", got, stdout.String(), stderr.String(), last)
			}
		})
	}
	if raw, err := os.ReadFile(out); err != nil || string(raw) != "a;b\r\n" {
		t.Errorf("the list has %q, %v", raw, err)
	}
}
