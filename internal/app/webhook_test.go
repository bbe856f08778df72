package app

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"preavviso/internal/config"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/webhooks"
)

// TestWebhookOverTLS tells a real server, which checks the signature with the
// reference implementation of Standard Webhooks.
func TestWebhookOverTLS(t *testing.T) {
	var secret multe.WebhookSecret
	verified := 0
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		v, err := standard.NewWebhook(string(secret))
		if err != nil {
			t.Error(err)
		} else if err := v.Verify(body, r.Header); err != nil {
			t.Error(err)
		} else if bytes.Contains(body, []byte(`"type":"verbale.issued"`)) {
			verified++
		}
	}))
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	sender, err := newWebhookSender(config.Service{WebhookAllow: "127.0.0.0/8", WebhookCAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	st, err := boltstore.Open(filepath.Join(t.TempDir(), "store"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	hooks := webhooks.New(st, sender, time.Now, rand.NewChaCha8([32]byte{}), func() {})
	const c = multe.CreditorID("00514490010")
	update := func(fn func(store.Tx) error) {
		t.Helper()
		if err := st.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error { return tx.PutCreditor(multe.Creditor{ID: c, Version: 1}) })
	if _, secret, err = hooks.Put(t.Context(), "operator:1", c, "0193c3d4e5f60000000000000000000a", srv.URL, nil); err != nil {
		t.Fatal(err)
	}
	update(func(tx store.Tx) error {
		return tx.AppendAudit(multe.AuditEntry{Creditor: c, Action: "verbale.issued"})
	})
	if _, err := hooks.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if verified != 1 {
		t.Errorf("%d deliveries arrived and were good, want 1", verified)
	}
}

// TestWebhookStaysOutside lets operators name addresses that are none of theirs.
func TestWebhookStaysOutside(t *testing.T) {
	called := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	defer inside.Close()
	insideTLS := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
	insideTLS.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	insideTLS.StartTLS()
	defer insideTLS.Close()
	redirect := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	defer redirect.Close()
	sender := func(allow string) *webhookSender {
		t.Helper()
		s, err := newWebhookSender(config.Service{WebhookAllow: allow})
		if err != nil {
			t.Fatal(err)
		}
		s.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // whom it meets is not the point
		return s
	}
	send := func(s *webhookSender, url string) (int, error) {
		return s.Send(t.Context(), webhooks.Delivery{URL: url, Body: []byte("{}")})
	}
	closed := sender("")
	for _, url := range []string{
		inside.URL, insideTLS.URL, strings.Replace(insideTLS.URL, "127.0.0.1", "localhost", 1), strings.Replace(insideTLS.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1),
		strings.Replace(insideTLS.URL, "127.0.0.1", "2130706433", 1), "http://comune.example/",
	} {
		if status, err := send(closed, url); err == nil {
			t.Errorf("%s answered %d", url, status)
		}
	}
	if called > 0 {
		t.Errorf("somebody inside was called %d times", called)
	}
	open := sender("127.0.0.0/8")
	if status, err := send(open, redirect.URL); status != http.StatusTemporaryRedirect || err != nil || called > 0 {
		t.Errorf("a redirect: %d, %v, followed %t", status, err, called > 0)
	}
	if status, err := send(open, insideTLS.URL); status != http.StatusOK || err != nil || called != 1 {
		t.Errorf("what is allowed: %d, %v", status, err)
	}

	for addr, may := range map[string]bool{
		"93.184.215.14": true, "2606:2800:21f::1": true, "10.1.2.3": true, // 10.0.0.0/8 is allowed below
		"127.0.0.1": false, "::1": false, "0.0.0.0": false, "169.254.169.254": false, "fe80::1": false, "172.16.0.1": false, "192.168.1.1": false,
		"100.64.0.1": false, "fd00::1": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false,
	} {
		if got := sender("10.0.0.0/8").mayCall(netip.MustParseAddr(addr)); got != may {
			t.Errorf("mayCall(%s) = %t", addr, got)
		}
	}
	if _, err := send(closed, insideTLS.URL); !errors.Is(err, errForbiddenAddress) {
		t.Errorf("a forbidden address: %v", err)
	}
}
