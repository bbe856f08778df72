package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/firmware-api/client"
	"preavviso/internal/config"
)

// TestEnrolmentText: what the office shows is what the client reads.
func TestEnrolmentText(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t)
	certFile, keyFile := ca.issue(t, dir, leaf{name: "multe.example.it"})
	spki, err := x509.MarshalPKIXPublicKey(ca.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := writePEM(t, filepath.Join(dir, "public.pem"), "PUBLIC KEY", spki)
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := serverTLS(certFile, keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	ownPin, err := pinFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	const code = "pvi_AAAAAAAAAAAAAAAAAAAAAA"
	for name, tt := range map[string]struct {
		url, file, listens string
		own                bool
		want               *client.Enrolment // nil: nothing is shown
	}{
		"plain, on this machine":      {"", "", "127.0.0.1:8081", false, &client.Enrolment{Server: "http://127.0.0.1:8081", Code: code}},
		"plain, IPv6":                 {"", "", "[::1]:8081", false, &client.Enrolment{Server: "http://[::1]:8081", Code: code}},
		"on all addresses":            {"", "", "0.0.0.0:8081", true, nil},
		"on all addresses, IPv6":      {"", "", "[::]:8081", true, nil},
		"our own TLS":                 {"", "", "192.0.2.1:8081", true, &client.Enrolment{Server: "https://192.0.2.1:8081", Pin: ownPin, Code: code}},
		"our own TLS, by name":        {"https://multe.example.it", "", "[::]:8081", true, &client.Enrolment{Server: "https://multe.example.it", Pin: ownPin, Code: code}},
		"a proxy nobody knows of":     {"https://multe.example.it", "", "127.0.0.1:8081", false, &client.Enrolment{Server: "https://multe.example.it", Code: code}},
		"a proxy and its public key":  {"https://multe.example.it", public, "127.0.0.1:8081", false, &client.Enrolment{Server: "https://multe.example.it", Pin: pin(spki), Code: code}},
		"a proxy before our own TLS":  {"https://multe.example.it", public, "127.0.0.1:8081", true, &client.Enrolment{Server: "https://multe.example.it", Pin: pin(spki), Code: code}},
		"a proxy and its certificate": {"https://multe.example.it", certFile, "127.0.0.1:8081", false, &client.Enrolment{Server: "https://multe.example.it", Pin: ownPin, Code: code}},
	} {
		ours := own
		if !tt.own {
			ours = nil
		}
		e, err := newEnrolment(config.Service{FirmwareURL: tt.url, FirmwarePinFile: tt.file}, ours)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e.listensAt(tt.listens)
		uri, svg, err := e.show(code)
		if tt.want == nil {
			if uri != "" || svg != "" || err != nil {
				t.Errorf("%s: %q, %v", name, uri, err)
			}
			continue
		}
		got, perr := client.ParseEnrolment(uri)
		if err != nil || perr != nil || *got != *tt.want || !strings.HasPrefix(svg, "<svg ") {
			t.Errorf("%s: %q, %v, %v: %+v", name, uri, err, perr, got)
		}
	}
	for name, file := range map[string]string{"no file": filepath.Join(dir, "none"), "no PEM": text, "a private key": keyFile} {
		if _, err := newEnrolment(config.Service{FirmwareURL: "https://x", FirmwarePinFile: file}, nil); err == nil || !strings.Contains(err.Error(), "firmware-pin-file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEnrolFromQR is the whole way over TLS with a certificate that no machine
// trusts: the office's answer is all that the handheld has.
func TestEnrolFromQR(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t) // which the office trusts, and nobody else
	cert, key := ca.issue(t, dir, leaf{name: "127.0.0.1"})
	admin := filepath.Join(dir, "admin")
	token := strings.Repeat("a", minAdminToken)
	if err := os.WriteFile(admin, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(config.Service{
		Data: filepath.Join(dir, "db"), FirmwareListen: "127.0.0.1:0", APIListen: "127.0.0.1:0", SOAPListen: "127.0.0.1:0",
		AdminTokenFile: admin, TLSCertFile: cert, TLSKeyFile: key,
		PPayURL: "http://127.0.0.1:9/", PPayAuth: "none", PPayTimeout: time.Second, SOAPAuth: "none",
		ReplenishEvery: time.Hour, SubmitEvery: time.Hour, InboxEvery: time.Hour, ResendAfter: time.Minute,
	}, Deps{Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	office := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 10 * time.Second}
	post := func(path, body string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+a.Addr("api")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", rand.Text())
		resp, err := office.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 201 {
			t.Fatalf("%s: %d %s, %v", path, resp.StatusCode, answer, err)
		}
		return answer
	}
	post("/v1/creditors", `{"cf":"00514490010","name":"Comune","codice_versamento":"MU01","pool":{"low":1,"target":10}}`)
	var shown struct {
		Enrolment string
		QR        string `json:"qr_svg"`
	}
	if err := json.Unmarshal(post("/v1/creditors/00514490010/devices", `{"name":"Palmare 1"}`), &shown); err != nil || !strings.Contains(shown.QR, "<path") {
		t.Fatalf("%v: %+v", err, shown)
	}

	e, err := client.ParseEnrolment(shown.Enrolment)
	if err != nil || e.Pin == "" {
		t.Fatalf("%q: %+v, %v", shown.Enrolment, e, err)
	}
	d, err := client.Open(filepath.Join(dir, "device"), e.Server)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Conn().SetPin(e.Pin); err != nil {
		t.Fatal(err)
	}
	if err := d.Enrol(e.Code); err != nil {
		t.Fatal(err)
	}
	if err := d.Conn().SetPin(pin([]byte("another key"))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Conn().Do("GET", "/v1/state", nil); !errors.Is(err, client.ErrPin) {
		t.Errorf("with another pin: %v", err)
	}
}
