package multe_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
)

func spki(t *testing.T, pub crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestParseDeviceKey(t *testing.T) {
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := func(c elliptic.Curve) string {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return spki(t, k.Public())
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := spki(t, edwards)
	for name, tt := range map[string]struct {
		key string
		ok  bool
	}{
		"Ed25519":          {good, true},
		"P-256":            {curve(elliptic.P256()), true},
		"P-384":            {curve(elliptic.P384()), false},
		"RSA":              {spki(t, old.Public()), false},
		"nothing":          {"", false},
		"not base64":       {"-----BEGIN", false},
		"a line feed":      {good + "\n", false},
		"base64url":        {strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(good), "=") + "_", false},
		"cut":              {good[:len(good)-4], false},
		"a tail":           {good + "AAAA", false},
		"the private half": {"MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF", false},
		"very long":        {strings.Repeat("A", 1<<20), false},
	} {
		k, err := multe.ParseDeviceKey(tt.key)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if !tt.ok {
			if k != "" {
				t.Errorf("%s: a key came with the error", name)
			}
			continue
		}
		if pub, err := k.Public(); err != nil || spki(t, pub) != tt.key || k.ID().IsZero() {
			t.Errorf("%s: Public = %v, %v", name, pub, err)
		}
	}
}

// TestWhoMayEnrolHow: a token is for devices that the office has said cannot
// sign; a key is always welcome.
func TestWhoMayEnrolHow(t *testing.T) {
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := multe.ParseDeviceKey(spki(t, edwards))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, bearer := range []bool{false, true} {
		d := multe.Device{State: multe.DeviceInvited, Bearer: bearer, InviteBy: at.Add(time.Minute), Version: 1}
		if _, err := d.Enrol(multe.Digest{1}, at); (err == nil) != bearer {
			t.Errorf("bearer %t with a token: %v", bearer, err)
		}
		signs, err := d.EnrolKey(key, at)
		if err != nil || signs.Token != key.ID() || signs.Key != key {
			t.Fatalf("bearer %t with a key: %+v, %v", bearer, signs, err)
		}
		if _, err := d.EnrolKey(key, at.Add(time.Minute)); err == nil {
			t.Error("a late code was taken")
		}
		again, err := signs.Reinvite(multe.Digest{2}, at, at)
		if err != nil || again.Key != "" || !again.Token.IsZero() {
			t.Errorf("a key outlives a new invitation: %+v, %v", again, err)
		}
		if gone, err := signs.Revoke(at); err != nil || gone.Key != "" || !gone.Token.IsZero() {
			t.Errorf("a key outlives its device: %+v, %v", gone, err)
		}
	}
}
