package client

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrEnrolment is the error of what is not an enrolment of the service.
var ErrEnrolment = errors.New("client: not an enrolment code of the service")

// ErrPin is what a connection fails with when the service shows another key than
// that of the enrolment.
var ErrPin = errors.New("client: the service shows another key than its enrolment said")

// Enrolment is what the office's QR code tells.
type Enrolment struct {
	Server string // for [Open]
	Pin    string // for [Conn.SetPin]; "" if the service has none
	Code   string // for [Device.Enrol]
}

// maxEnrolment is far above what fits the QR code.
const maxEnrolment = 512

// ParseEnrolment reads the text of the QR code that the office shows:
// preavviso:enrol?u=SERVER&p=PIN&c=CODE. Parameters that it does not know are for
// versions to come.
func ParseEnrolment(uri string) (*Enrolment, error) {
	query, ok := strings.CutPrefix(uri, "preavviso:enrol?")
	if !ok || len(uri) > maxEnrolment {
		return nil, ErrEnrolment
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, ErrEnrolment
	}
	for _, v := range values {
		if len(v) != 1 {
			return nil, ErrEnrolment
		}
	}
	e := &Enrolment{Server: values.Get("u"), Pin: values.Get("p"), Code: values.Get("c")}
	server, err := parseServer(e.Server)
	if err != nil || !strings.HasPrefix(e.Code, "pvi_") {
		return nil, ErrEnrolment
	}
	if e.Pin != "" {
		if _, err := parsePin(e.Pin); err != nil || server.Scheme != "https" {
			return nil, ErrEnrolment
		}
	}
	return e, nil
}

func parsePin(pin string) (sum [sha256.Size]byte, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(pin)
	if err != nil || len(b) != len(sum) {
		return sum, ErrEnrolment
	}
	return [sha256.Size]byte(b), nil
}

// SetPin makes the connection accept one key of the service and no other: that of
// the certificate whose SubjectPublicKeyInfo has this SHA-256, in base64url. The
// names, the dates and the issuer of the certificate do not matter then: the office
// has shown the key itself, which says more than 150 authorities, works for a town
// with its own authority, and for a handheld whose clock has lost its time. Call it
// before the first request; it replaces [Conn.SetTransport].
func (c *Conn) SetPin(pin string) error {
	want, err := parsePin(pin)
	if err != nil {
		return err
	}
	if c.base.Scheme != "https" {
		return errors.New("client: a key can only be pinned over https")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The chain is not checked, the key of its leaf is: TLS proves that who
		// answers holds the private half. It runs for resumed connections too.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo) != want {
				return ErrPin
			}
			return nil
		},
	}
	c.http.Transport = t
	return nil
}
