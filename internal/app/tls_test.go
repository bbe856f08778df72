package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/config"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// authority is a CA of the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// leaf is a certificate to be, as far as a test cares.
type leaf struct {
	name    string // of a host, or an address
	expired bool
	serial  int64
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// file writes the CA's certificate.
func (a authority) file(t *testing.T) string {
	t.Helper()
	return writePEM(t, filepath.Join(t.TempDir(), "ca.pem"), "CERTIFICATE", a.cert.Raw)
}

// issue writes a certificate and its key into a folder.
func (a authority) issue(t *testing.T, dir string, l leaf) (certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(l.serial + 2), Subject: pkix.Name{CommonName: l.name}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if l.expired {
		template.NotAfter = time.Now().Add(-time.Hour)
	}
	if ip := net.ParseIP(l.name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{l.name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", der), writePEM(t, filepath.Join(dir, "key.pem"), "EC PRIVATE KEY", keyDER)
}

func (a authority) pair(t *testing.T, l leaf) tls.Certificate {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(a.issue(t, t.TempDir(), l))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

const queued = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><c:EPaywsoServiceResponse xmlns:c="http://www.csi.it/epay/epaywso/types"><c:Result><c:Codice>000</c:Codice></c:Result></c:EPaywsoServiceResponse></S:Body></S:Envelope>`

// serve runs a platform in TLS, which takes one call a connection, and returns its
// address. It is no httptest server: that has a certificate of its own.
func serve(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{TLSConfig: cfg, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, queued)
	})}
	done := make(chan error)
	go func() { done <- s.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String()
}

// submit sends a batch as the service would under cfg.
func submit(t *testing.T, cfg config.Service) error {
	t.Helper()
	if cfg.PPayAuth == "" {
		cfg.PPayAuth = "none"
	}
	g, err := newGateway(cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Submit(t.Context(), multe.Creditor{ID: "00514490010"}, multe.Batch{Operation: multe.OperationInsert, Body: []byte("<x/>")})
	return err
}

// TestWhomWeTrust is whom we send people's names to.
func TestWhomWeTrust(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	mine, mineKey := ca.issue(t, t.TempDir(), leaf{name: "comune"})
	stranger, strangerKey := other.issue(t, t.TempDir(), leaf{name: "comune"})
	is := func(l leaf) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{ca.pair(t, l)}} }
	demands := is(leaf{name: "127.0.0.1"})
	demands.ClientAuth, demands.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
	older := is(leaf{name: "127.0.0.1"})
	older.MinVersion, older.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	twelve := is(leaf{name: "127.0.0.1"})
	twelve.MaxVersion = tls.VersionTLS12
	for _, c := range []struct {
		name   string
		server *tls.Config
		cfg    config.Service
		ok     bool
		maybe  bool // what refuses comes after the handshake: nobody knows what was read
	}{
		{name: "good", server: is(leaf{name: "127.0.0.1"}), cfg: config.Service{PPayCAFile: ca.file(t)}, ok: true},
		{name: "good, TLS 1.2", server: twelve, cfg: config.Service{PPayCAFile: ca.file(t)}, ok: true},
		{name: "expired", server: is(leaf{name: "127.0.0.1", expired: true}), cfg: config.Service{PPayCAFile: ca.file(t)}},
		{name: "another's name", server: is(leaf{name: "pay.example"}), cfg: config.Service{PPayCAFile: ca.file(t)}},
		{name: "another's authority", server: is(leaf{name: "127.0.0.1"}), cfg: config.Service{PPayCAFile: other.file(t)}},
		{name: "an authority the machine does not know", server: is(leaf{name: "127.0.0.1"})},
		{name: "TLS 1.1", server: older, cfg: config.Service{PPayCAFile: ca.file(t)}},
		{name: "our certificate is asked for and shown", server: demands, cfg: config.Service{PPayCAFile: ca.file(t), PPayCertFile: mine, PPayKeyFile: mineKey}, ok: true},
		{name: "our certificate is asked for, there is none", server: demands, cfg: config.Service{PPayCAFile: ca.file(t)}, maybe: true},
		{name: "our certificate is of another authority", server: demands, cfg: config.Service{PPayCAFile: ca.file(t), PPayCertFile: stranger, PPayKeyFile: strangerKey}, maybe: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.PPayURL = serve(t, c.server)
			err := submit(t, c.cfg)
			switch {
			case c.ok && err != nil:
				t.Errorf("Submit = %v", err)
			case !c.ok && !errors.Is(err, fault.Unavailable):
				t.Errorf("Submit = %v, want it to fail", err)
			case !c.ok && errors.Is(err, multe.ErrNotSent) == c.maybe:
				t.Errorf("Submit = %v; want surely not sent: %v", err, !c.maybe)
			}
			// For one creditor alone, the same.
			own := c.cfg
			c.cfg = config.Service{PPayURL: "http://127.0.0.1:1/", PPayAuth: "none", Creditors: map[multe.CreditorID]config.Service{"00514490010": own}}
			own.PPayAuth = "none"
			c.cfg.Creditors["00514490010"] = own
			if err := submit(t, c.cfg); (err == nil) != c.ok {
				t.Errorf("for one creditor: %v", err)
			}
		})
	}
}

// TestOurCertificateIsRenewed shows a new certificate in each direction without a
// restart, and the one before while a renewal is half done.
func TestOurCertificateIsRenewed(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	certFile, keyFile := ca.issue(t, dir, leaf{name: "127.0.0.1", serial: 100})

	var shown int64 // by our client
	platform := &tls.Config{Certificates: []tls.Certificate{ca.pair(t, leaf{name: "127.0.0.1"})}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
		VerifyConnection: func(c tls.ConnectionState) error {
			shown = c.PeerCertificates[0].SerialNumber.Int64() - 2
			return nil
		}}
	cfg := config.Service{PPayURL: serve(t, platform), PPayAuth: "none", PPayCAFile: ca.file(t), PPayCertFile: certFile, PPayKeyFile: keyFile}
	g, err := newGateway(cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := serverTLS(certFile, keyFile, "")
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(serve(t, ours), "https://")
	look := func() (client, server int64) {
		t.Helper()
		if _, err := g.Submit(t.Context(), multe.Creditor{}, multe.Batch{Operation: multe.OperationInsert, Body: []byte("<x/>")}); err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.pool()})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return shown, conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64() - 2
	}
	check := func(when string, wantClient, want int64) {
		t.Helper()
		if client, server := look(); client != wantClient || server != want {
			t.Errorf("%s: our client shows %d, our server %d; want %d and %d", when, client, server, wantClient, want)
		}
	}
	check("at first", 100, 100)
	if err := os.WriteFile(certFile, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("in the middle of a renewal", 100, 100)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	check("without a key", 100, 100)
	ca.issue(t, dir, leaf{name: "127.0.0.1", serial: 200})
	check("renewed", 200, 200)
}

// TestWhoMayConnect is what our addresses demand in TLS.
func TestWhoMayConnect(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	certFile, keyFile := ca.issue(t, t.TempDir(), leaf{name: "127.0.0.1"})
	for _, c := range []struct {
		name     string
		clientCA string
		client   *tls.Config
		ok       bool
	}{
		{"anybody", "", &tls.Config{}, true},
		{"TLS 1.2", "", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"TLS 1.1", "", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{"no certificate", ca.file(t), &tls.Config{}, false},
		{"a certificate", ca.file(t), &tls.Config{Certificates: []tls.Certificate{ca.pair(t, leaf{name: "epay"})}}, true},
		{"an expired one", ca.file(t), &tls.Config{Certificates: []tls.Certificate{ca.pair(t, leaf{name: "epay", expired: true})}}, false},
		{"one of another authority", ca.file(t), &tls.Config{Certificates: []tls.Certificate{other.pair(t, leaf{name: "epay"})}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := serverTLS(certFile, keyFile, c.clientCA)
			if err != nil {
				t.Fatal(err)
			}
			c.client.RootCAs = ca.pool()
			h := http.Client{Transport: &http.Transport{TLSClientConfig: c.client, DisableKeepAlives: true}}
			resp, err := h.Get(serve(t, cfg))
			if (err == nil) != c.ok {
				t.Errorf("Get: %v, want ok: %v", err, c.ok)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		})
	}
}

// TestBadTLSFiles stop a start.
func TestBadTLSFiles(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := ca.issue(t, t.TempDir(), leaf{name: "127.0.0.1"})
	_, otherKey := ca.issue(t, t.TempDir(), leaf{name: "127.0.0.1"})
	loose := filepath.Join(t.TempDir(), "key.pem")
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(loose, key, 0o600), os.Chmod(loose, 0o640)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ ca, cert, key string }{
		"no such authority":          {ca: "/nonexistent"},
		"a key for an authority":     {ca: keyFile},
		"no such certificate":        {cert: "/nonexistent", key: keyFile},
		"no such key":                {cert: certFile, key: "/nonexistent"},
		"the key of another":         {cert: certFile, key: otherKey},
		"a key that others may read": {cert: certFile, key: loose},
	} {
		if _, err := clientTLS(c.ca, c.cert, c.key); err == nil || bytes.Contains([]byte(err.Error()), key) {
			t.Errorf("client, %s: %v", name, err)
		}
		if c.cert == "" {
			c.cert, c.key = certFile, keyFile
		}
		if _, err := serverTLS(c.cert, c.key, c.ca); err == nil {
			t.Errorf("server, %s: no error", name)
		}
	}
}
