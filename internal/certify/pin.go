package certify

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"net"
	"sync/atomic"
	"time"
)

// foreign is a service with another key than its enrolment code says, at the address
// of the kit: who begins with a TLS record is answered by it.
type foreign struct {
	pin    string // of a key that nobody has
	config *tls.Config
	hellos atomic.Int64 // handshakes that a device began
	heard  func()       // called after each
}

func newForeign() (*foreign, error) {
	said, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(said.Public())
	if err != nil {
		return nil, err
	}
	shown, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "preavviso certify"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(48 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, shown.Public(), shown)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(spki)
	f := &foreign{heard: func() {}, pin: base64.RawURLEncoding.EncodeToString(sum[:])}
	f.config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: shown}},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			f.hellos.Add(1)
			f.heard()
			return nil, nil
		}}
	return f, nil
}

// sniffer is a listener that speaks TLS with who begins it.
type sniffer struct {
	net.Listener
	foreign *foreign
	conns   chan net.Conn
	done    chan struct{}
	err     error // why there are no more
}

const (
	// helloWait is how long a connection may say nothing: devices open some ahead.
	helloWait = 10 * time.Second
	// handshakeRecord begins every TLS connection (RFC 8446 §5.1), and no request.
	handshakeRecord = 0x16
)

func newSniffer(l net.Listener, f *foreign) *sniffer {
	s := &sniffer{Listener: l, foreign: f, conns: make(chan net.Conn), done: make(chan struct{})}
	go s.accept()
	return s
}

func (s *sniffer) accept() {
	defer close(s.done)
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			s.err = err
			return
		}
		go s.sniff(c)
	}
}

func (s *sniffer) sniff(c net.Conn) {
	r := bufio.NewReader(c)
	_ = c.SetReadDeadline(time.Now().Add(helloWait))
	first, err := r.Peek(1)
	_ = c.SetReadDeadline(time.Time{})
	if err != nil {
		_ = c.Close()
		return
	}
	var out net.Conn = peeked{c, r}
	if first[0] == handshakeRecord {
		out = tls.Server(out, s.foreign.config)
	}
	select {
	case s.conns <- out:
	case <-s.done:
		_ = c.Close()
	}
}

func (s *sniffer) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, errors.Join(s.err)
	}
}

// peeked is a connection whose first bytes were read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }
