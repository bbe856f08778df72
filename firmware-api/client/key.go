package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// The algorithms that the service knows (RFC 9421 §6.2.2).
const (
	Ed25519 = "ed25519"
	P256    = "ecdsa-p256-sha256"
)

// Signer has the private key of a device. An app whose key lives in hardware
// brings its own; [Key] keeps one in a file.
type Signer interface {
	Algorithm() string // Ed25519 or P256
	PublicKey() []byte // SubjectPublicKeyInfo, DER
	// Sign signs a signature base: with Ed25519 the base itself, with P256 its
	// SHA-256. A P256 signature is r and s, 32 bytes each, as RFC 9421 §3.3.4 has
	// it; Android's keystore makes ASN.1 of them, see [RawP256].
	Sign(base []byte) ([]byte, error)
}

// Key is a Signer whose private key is in memory.
type Key struct {
	alg     string
	public  []byte
	private crypto.Signer
}

// GenerateKey makes an Ed25519 key.
func GenerateKey() (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

func newKey(private crypto.Signer) (*Key, error) {
	k := &Key{private: private}
	switch private.Public().(type) {
	case ed25519.PublicKey:
		k.alg = Ed25519
	case *ecdsa.PublicKey:
		k.alg = P256
	default:
		return nil, errors.New("client: not an Ed25519 or P-256 key")
	}
	var err error
	k.public, err = x509.MarshalPKIXPublicKey(private.Public())
	return k, err
}

// ParseKey reads a private key: PKCS #8 in PEM.
func ParseKey(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("client: not a private key in PEM")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	s, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("client: not a key that signs")
	}
	return newKey(s)
}

// LoadKey reads the key in a file, or makes one there for this user only.
func LoadKey(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return ParseKey(text)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	k, err := GenerateKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	return k, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (k *Key) Algorithm() string { return k.alg }
func (k *Key) PublicKey() []byte { return k.public }

// Sign makes the signature that RFC 9421 §3.3 asks for.
func (k *Key) Sign(base []byte) ([]byte, error) {
	if k.alg == Ed25519 {
		return k.private.Sign(rand.Reader, base, crypto.Hash(0))
	}
	sum := sha256.Sum256(base)
	der, err := k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return RawP256(der)
}

// RawP256 turns an ECDSA signature on P-256 from ASN.1 (SEQUENCE of two INTEGERs,
// RFC 3279 §2.2.3) into r and s, 32 bytes each.
func RawP256(der []byte) ([]byte, error) {
	bad := errors.New("client: not an ECDSA signature on P-256 in ASN.1")
	if len(der) < 2 || der[0] != 0x30 || int(der[1]) != len(der)-2 {
		return nil, bad
	}
	raw := make([]byte, 0, 64)
	rest := der[2:]
	for range 2 {
		if len(rest) < 3 || rest[0] != 0x02 || int(rest[1]) > len(rest)-2 {
			return nil, bad
		}
		n := rest[2 : 2+int(rest[1])]
		rest = rest[2+len(n):]
		for len(n) > 0 && n[0] == 0 {
			n = n[1:]
		}
		if len(n) > 32 {
			return nil, bad
		}
		raw = append(append(raw, make([]byte, 32-len(n))...), n...)
	}
	if len(rest) > 0 {
		return nil, bad
	}
	return raw, nil
}
