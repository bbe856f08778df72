package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"preavviso/api/client"
)

// TestClient lets the generated client work with the real API.
func TestClient(t *testing.T) {
	r := newRig(t)
	srv := httptest.NewServer(handler(r.World))
	defer srv.Close()
	dial := func(token string) *client.ClientWithResponses {
		t.Helper()
		c, err := client.Dial(client.Options{URL: srv.URL, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ctx, c := t.Context(), dial(r.operator)

	got, err := c.ReadVerbaleWithResponse(ctx, "00514490010", string(r.verbale.Slip.ID))
	if err != nil || client.Check(got.HTTPResponse, got.Body) != nil || got.JSON200 == nil {
		t.Fatalf("reading a verbale: %v, %v, %s", err, client.Check(got.HTTPResponse, got.Body), got.Body)
	}
	if v := got.JSON200.Verbale; v.Plate != plate || v.Id != string(r.verbale.Slip.ID) {
		t.Errorf("verbale = %+v", v)
	}
	rec, err := c.RecordVerbaleWithResponse(ctx, "00514490010", got.JSON200.Verbale.Id, nil, client.RecordVerbaleJSONRequestBody{Register: "V/2026/1", Cents: 4200, Causale: "Verbale CdS n. 1", Anonymous: true})
	if err != nil || rec.JSON200 == nil || rec.JSON200.Verbale.State != "finalised" {
		t.Errorf("recording a verbale: %v, %s", err, rec.Body)
	}

	// What is not given is not asked: the first page, of the default size.
	open := false
	closed, err := c.ListDiscrepanciesWithResponse(ctx, "00514490010", &client.ListDiscrepanciesParams{Open: &open})
	if err != nil || closed.JSON200 == nil {
		t.Errorf("listing what is closed: %v, %s", err, closed.Body)
	}
	page, err := c.ListVerbaliWithResponse(ctx, "00514490010", &client.ListVerbaliParams{Limit: 1})
	if err != nil || page.JSON200 == nil || len(page.JSON200.Verbali) != 1 {
		t.Errorf("listing one verbale: %v, %s", err, page.Body)
	}

	for name, tt := range map[string]struct {
		c      *client.ClientWithResponses
		cf, id string
		want   client.Refusal
	}{
		"nobody's token":     {dial("pvo_wrong"), "00514490010", got.JSON200.Verbale.Id, client.Refusal{Status: 401, Code: "auth.bad_token"}},
		"another creditor":   {c, "00184260040", got.JSON200.Verbale.Id, client.Refusal{Status: 403, Code: "auth.wrong_creditor"}},
		"an unknown verbale": {c, "00514490010", "0123456789abcdef0123456789abcdef", client.Refusal{Status: 404, Code: "verbale.unknown"}},
	} {
		reply, err := tt.c.ReadVerbaleWithResponse(ctx, tt.cf, tt.id)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var refused *client.Refusal
		if !errors.As(client.Check(reply.HTTPResponse, reply.Body), &refused) {
			t.Errorf("%s: not refused", name)
			continue
		}
		if refused.Status != tt.want.Status || refused.Code != tt.want.Code || refused.Detail == "" || refused.Trace == "" {
			t.Errorf("%s: %+v, want %+v", name, refused, tt.want)
		}
	}
}

// TestClientManners is what the client does with answers that are not ours.
func TestClientManners(t *testing.T) {
	shown := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			shown++
		}
	}))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/creditors/redirect/stock":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/v1/creditors/proxy/stock":
			w.WriteHeader(http.StatusBadGateway)
			w.Write([]byte("<html>nginx</html>"))
		case "/v1/creditors/short/stock":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte(`{"available":1`))
		case "/v1/creditors/slow/stock":
			<-r.Context().Done()
		}
	}))
	defer srv.Close()
	c, err := client.Dial(client.Options{URL: srv.URL, Token: "pvo_secret", Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for cf, status := range map[string]int{"redirect": 307, "proxy": 502} {
		reply, err := c.ReadStockWithResponse(t.Context(), cf)
		var refused *client.Refusal
		if err != nil || !errors.As(client.Check(reply.HTTPResponse, reply.Body), &refused) || refused.Status != status || refused.Code != "" {
			t.Errorf("%s: %v, %+v; want a refusal with %d", cf, err, refused, status)
		}
	}
	for _, cf := range []string{"short", "slow"} {
		if reply, err := c.ReadStockWithResponse(t.Context(), cf); err == nil {
			t.Errorf("%s: %s, want an error", cf, reply.Body)
		} else if cf == "slow" && !os.IsTimeout(err) {
			t.Errorf("%s: %v, want a timeout", cf, err)
		}
	}
	if shown > 0 {
		t.Error("the token was shown to whom the service points to")
	}
	for _, bad := range []string{"", "127.0.0.1:8082", "ftp://host", "http://", "http://user:word@host", "http://host/path"} {
		if _, err := client.Dial(client.Options{URL: bad}); !errors.Is(err, client.ErrAddress) {
			t.Errorf("Dial(%q): %v, want ErrAddress", bad, err)
		}
	}
}
