package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"preavviso/internal/avviso"
	"preavviso/internal/config"
	"preavviso/internal/multe"
)

// TestRESTCallers gives each creditor its own caller, the common one, or none.
func TestRESTCallers(t *testing.T) {
	const common, own, none multe.CreditorID = "00514490010", "80087670016", "01234560017"
	var users []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		users = append(users, user+" "+r.Method+" "+r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"code":"000","description":"ok"}`))
	}))
	defer srv.Close()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("una password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	service := func(user string) config.Service {
		return config.Service{RESTURL: srv.URL, RESTUser: user, RESTPasswordFile: password}
	}
	cfg := service("tutti")
	cfg.Creditors = map[multe.CreditorID]config.Service{own: service("uno"), none: {}}
	c, err := newRESTCallers(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n, err := avviso.ParseNumber("301000000000004992")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id   multe.CreditorID
		user string
		err  error
	}{{common, "tutti", nil}, {own, "uno", nil}, {none, "", multe.ErrNoREST}} {
		users = nil
		cr := multe.Creditor{ID: tt.id, CodiceVersamento: "MULT"}
		ch := multe.Change{Creditor: tt.id, Kind: multe.ChangeUpdate, Want: multe.Desired{Cents: 4200, Causale: "Verbale"}}
		code, err := c.Apply(t.Context(), cr, n, ch)
		if !errors.Is(err, tt.err) || tt.err == nil && (code != "000" || len(users) != 1 || users[0] != tt.user+" PUT /organizations/"+string(tt.id)+"/paymenttypes/MULT/debtpositions/"+n.IUV()) {
			t.Errorf("%s: %q, %v, calls %q", tt.id, code, err, users)
		}
	}
	if c, err := newRESTCallers(config.Service{}); err != nil || c.common != nil {
		t.Errorf("without an address: %v, %v", c, err)
	}
	if _, err := newRESTCallers(config.Service{RESTURL: srv.URL, RESTUser: "x", RESTPasswordFile: password + "x"}); err == nil {
		t.Error("without its password it starts")
	}
}
