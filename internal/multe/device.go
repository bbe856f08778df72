package multe

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"

	"preavviso/internal/fault"
)

// DeviceKey is the public half of a handheld's key pair, Ed25519 or ECDSA on
// P-256: its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) as DER, in base64 (RFC
// 4648 §4). It can only be made by [ParseDeviceKey]; "" is none.
type DeviceKey string

// maxKey is far above the 91 bytes of a P-256 key, 124 characters.
const maxKey = 200

// ParseDeviceKey checks a public key. What it accepts has one spelling, so the
// same key always has the same [DeviceKey.ID].
func ParseDeviceKey(s string) (DeviceKey, error) {
	pub, err := parseKey(s)
	if err == nil {
		var der []byte
		if der, err = x509.MarshalPKIXPublicKey(pub); err == nil && base64.StdEncoding.EncodeToString(der) != s {
			err = errors.New("not the canonical form")
		}
	}
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "enrolment.bad_key", "La chiave pubblica non è valida: serve Ed25519 o ECDSA P-256, SubjectPublicKeyInfo DER in base64.", err)
	}
	return DeviceKey(s), nil
}

func parseKey(s string) (crypto.PublicKey, error) {
	if len(s) > maxKey {
		return nil, errors.New("too long")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, errors.New("neither Ed25519 nor ECDSA P-256")
}

// Public returns the key itself: an ed25519.PublicKey or an *ecdsa.PublicKey.
func (k DeviceKey) Public() (crypto.PublicKey, error) { return parseKey(string(k)) }

// ID is the SHA-256 of the SubjectPublicKeyInfo, in hex what a signature names
// as its keyid. It stands where the digest of a bearer token would: no token of
// ours, which is text, is the DER of a key.
func (k DeviceKey) ID() Digest {
	der, err := base64.StdEncoding.DecodeString(string(k))
	if err != nil || len(der) == 0 {
		return Digest{}
	}
	return DigestOf(der)
}
