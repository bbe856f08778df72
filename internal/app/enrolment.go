package app

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"

	"preavviso/internal/config"
	"preavviso/internal/symbol"
	"preavviso/internal/web"
)

// enrolment says to handhelds where the service is and which key it shows there.
type enrolment struct {
	url string // "" if nobody knows
	pin func() (string, error)
	tls bool
}

// newEnrolment finds out which key handhelds see: that of a proxy, ours, or none
// that we know of. Where there is one it must be readable now.
func newEnrolment(cfg config.Service, ours *tls.Config) (*enrolment, error) {
	e := &enrolment{url: cfg.FirmwareURL, tls: ours != nil, pin: func() (string, error) { return "", nil }}
	switch {
	case cfg.FirmwarePinFile != "":
		e.pin = func() (string, error) { return pinFile(cfg.FirmwarePinFile) } // anew each time: it may be renewed
	case ours != nil:
		e.pin = func() (string, error) {
			c, err := ours.GetCertificate(nil) // which does not look at who asks
			if err != nil {
				return "", err
			}
			return pin(c.Leaf.RawSubjectPublicKeyInfo), nil
		}
	}
	if _, err := e.pin(); err != nil {
		return nil, fmt.Errorf("firmware-pin-file: %w", err)
	}
	return e, nil
}

// listensAt gives the address that holds where no other was configured. One that
// stands for all of the machine's says nothing.
func (e *enrolment) listensAt(addr string) {
	ap, err := netip.ParseAddrPort(addr)
	if e.url != "" || err != nil || ap.Addr().IsUnspecified() {
		return
	}
	e.url = "http://" + ap.String()
	if e.tls {
		e.url = "https://" + ap.String()
	}
}

// show returns what a handheld needs as one text, and as a QR code.
func (e *enrolment) show(code string) (uri, svg string, err error) {
	if e.url == "" {
		return "", "", nil
	}
	p, err := e.pin()
	if err != nil {
		return "", "", fmt.Errorf("finding the key that handhelds see: %w", err)
	}
	uri = "preavviso:enrol?u=" + e.url // a query may have ":" and "/" (RFC 3986 §3.4)
	if p != "" {
		uri += "&p=" + p
	}
	uri += "&c=" + code
	m, err := symbol.ScreenQR(uri)
	if err != nil {
		return "", "", err
	}
	return uri, m.SVG(), nil
}

// pin is the SHA-256 of a SubjectPublicKeyInfo in base64url.
func pin(spki []byte) string {
	sum := sha256.Sum256(spki)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// pinFile reads the pin of the first certificate, or public key, in a PEM file.
func pinFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s is not in PEM form", path)
	}
	switch block.Type {
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return pin(c.RawSubjectPublicKeyInfo), nil
	case "PUBLIC KEY":
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		return pin(block.Bytes), nil
	}
	return "", fmt.Errorf("%s begins with a %s, want a certificate or a public key", path, block.Type)
}

// limits is what one of the JSON APIs takes on.
func limits(cfg config.Service, rate int) web.Limits {
	return web.Limits{Slots: cfg.Slots, Queue: cfg.Queue, Wait: cfg.QueueWait, Rate: float64(rate)}
}
