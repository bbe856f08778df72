package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"preavviso/internal/config"
)

// clientTLS says whom we trust when we call, and what we show. Without caFile that
// is whom the machine trusts, with it nobody else.
func clientTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pool, err := certPool(caFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	if certFile != "" {
		c, err := loadCertificate(certFile, keyFile)
		if err != nil {
			return nil, err
		}
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.now() }
	}
	return cfg, nil
}

// serverTLS says what we show to who calls us. With clientCAFile a caller must
// show a certificate of theirs.
func serverTLS(certFile, keyFile, clientCAFile string) (*tls.Config, error) {
	c, err := loadCertificate(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now() },
	}
	if clientCAFile != "" {
		if cfg.ClientCAs, err = certPool(clientCAFile); err != nil {
			return nil, err
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

// newServerTLS returns the TLS of our addresses, and that of the one where
// PiemontePAY calls; both nil if somebody in front does it.
func newServerTLS(cfg config.Service) (ours, soap *tls.Config, err error) {
	if cfg.TLSCertFile == "" {
		return nil, nil, nil
	}
	if ours, err = serverTLS(cfg.TLSCertFile, cfg.TLSKeyFile, ""); err == nil {
		soap, err = serverTLS(cfg.TLSCertFile, cfg.TLSKeyFile, cfg.SOAPClientCAFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("tls-cert-file, tls-key-file, soap-client-ca-file: %w", err)
	}
	return ours, soap, nil
}

func certPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", path)
	}
	return pool, nil
}

// certificate is a pair of files that is read again when one of them has changed:
// certificates are renewed every few weeks, and nobody restarts a service for it.
type certificate struct {
	certFile, keyFile string

	mu    sync.Mutex
	stamp [2]stamp // of the files as they were last looked at
	cert  *tls.Certificate
}

// stamp tells one content of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
}

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if info, err := os.Stat(keyFile); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it", keyFile)
	}
	if _, err := c.now(); err != nil {
		return nil, err
	}
	return c, nil
}

// now returns the certificate in the files. While they hold none, as in the middle
// of a renewal, it is the one before.
func (c *certificate) now() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var stamps [2]stamp
	var errs [2]error
	for i, path := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			errs[i] = err
			continue
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	if err := errors.Join(errs[:]...); err != nil || c.cert != nil && stamps == c.stamp {
		return c.keep(err)
	}
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return c.keep(err)
	}
	c.stamp, c.cert = stamps, &cert
	return c.cert, nil
}

func (c *certificate) keep(err error) (*tls.Certificate, error) {
	if c.cert == nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return c.cert, nil
}
