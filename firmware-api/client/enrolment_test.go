package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"preavviso/firmware-api/client"
)

const aPin = "LoxNu2WE-hrLBFSR7x2x4qi_3OB9-hERjkBZlDpfaek"

func TestParseEnrolment(t *testing.T) {
	const code = "pvi_AAAAAAAAAAAAAAAAAAAAAA"
	for uri, want := range map[string]*client.Enrolment{
		"preavviso:enrol?u=https://multe.example.it&p=" + aPin + "&c=" + code:     {Server: "https://multe.example.it", Pin: aPin, Code: code},
		"preavviso:enrol?c=" + code + "&u=https://multe.example.it:8443":          {Server: "https://multe.example.it:8443", Code: code},
		"preavviso:enrol?u=http://127.0.0.1:8081&c=" + code:                       {Server: "http://127.0.0.1:8081", Code: code},
		"preavviso:enrol?u=https%3A%2F%2Fmulte.example.it&c=" + code + "&later=1": {Server: "https://multe.example.it", Code: code},
		"":                                    nil,
		code:                                  nil,
		"https://multe.example.it":            nil,
		"preavviso:enrol?c=" + code:           nil,
		"preavviso:enrol?u=https://x":         nil,
		"preavviso:enrol?u=https://x&c=pvd_":  nil,
		"preavviso:enrol?u=ftp://x&c=" + code: nil,
		"preavviso:enrol?u=https://a:b@x&c=" + code:                                nil,
		"preavviso:enrol?u=https://x/path&c=" + code:                               nil,
		"preavviso:enrol?u=http://x&p=" + aPin + "&c=" + code:                      nil, // a pin of what shows no key
		"preavviso:enrol?u=https://x&p=AAAA&c=" + code:                             nil,
		"preavviso:enrol?u=https://x&p=" + aPin + "=&c=" + code:                    nil,
		"preavviso:enrol?u=https://x&u=https://y&c=" + code:                        nil,
		"preavviso:enrol?u=https://x&c=" + code + "&z=" + strings.Repeat("x", 600): nil,
	} {
		got, err := client.ParseEnrolment(uri)
		switch {
		case want == nil && !errors.Is(err, client.ErrEnrolment):
			t.Errorf("%s: %+v, %v", uri, got, err)
		case want != nil && (err != nil || *got != *want):
			t.Errorf("%s: %+v, %v; want %+v", uri, got, err, want)
		}
	}
}

// FuzzParseEnrolment: what is accepted can be used.
func FuzzParseEnrolment(f *testing.F) {
	f.Add("preavviso:enrol?u=https://multe.example.it&p=" + aPin + "&c=pvi_AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("preavviso:enrol?u=http://[::1]:80&c=pvi_")
	key, err := client.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		e, err := client.ParseEnrolment(uri)
		if err != nil {
			return
		}
		conn, err := client.NewConn(e.Server, key)
		if err != nil {
			t.Fatalf("%q: %v", uri, err)
		}
		if e.Pin != "" {
			if err := conn.SetPin(e.Pin); err != nil {
				t.Fatalf("%q: %v", uri, err)
			}
		}
	})
}

// certificate is self-signed, for another name, and long expired.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "elsewhere"}, DNSNames: []string{"elsewhere.example"},
		NotBefore: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestPin: a connection with a pin talks to whoever holds that key, and to nobody
// else, not even to one whose certificate is good, or that has the pinned one
// further up in its chain.
func TestPin(t *testing.T) {
	pinned, pin := certificate(t)
	other, _ := certificate(t)
	behind := other // of another, who shows the pinned certificate behind its own
	behind.Certificate = [][]byte{other.Certificate[0], pinned.Certificate[0]}
	for name, tt := range map[string]struct {
		cert tls.Certificate
		ok   bool
	}{"the key": {pinned, true}, "another key": {other, false}, "the key behind another": {behind, false}} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, "{}")
			}))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{tt.cert}}
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			defer s.Close()
			key, err := client.GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := client.NewConn(s.URL, key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Do("GET", "/v1/state", nil); err == nil {
				t.Error("without a pin the certificate is good")
			}
			if err := conn.SetPin(pin); err != nil {
				t.Fatal(err)
			}
			_, err = conn.Do("GET", "/v1/state", nil)
			if (err == nil) != tt.ok || !tt.ok && !errors.Is(err, client.ErrPin) {
				t.Errorf("err = %v", err)
			}
			if got := calls.Load() > 0; got != tt.ok {
				t.Errorf("requests arrived: %v", got)
			}
		})
	}
	plain, err := client.NewConn("http://127.0.0.1:1", nilSigner{})
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.SetPin(pin); err == nil {
		t.Error("a pin over plain HTTP")
	}
}

type nilSigner struct{}

func (nilSigner) PublicKey() []byte           { return nil }
func (nilSigner) Algorithm() string           { return "ed25519" }
func (nilSigner) Sign([]byte) ([]byte, error) { return nil, errors.New("no") }
