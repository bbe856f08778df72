package web

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"preavviso/internal/fault"
)

// TestVectorsOfTheRFC checks the algorithms with the signatures of RFC 9421
// appendix B.2.4 and B.2.6 and the keys of B.1.3 and B.1.4. They cover components
// that we do not admit, so their bases are given.
func TestVectorsOfTheRFC(t *testing.T) {
	for _, v := range []struct{ alg, key, base, signature string }{
		{
			algEd25519, "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
			`"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
		},
		{
			algP256, "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==",
			`"@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`,
			"wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
		},
	} {
		key := publicKey(t, v.key)
		signature, err := base64.StdEncoding.DecodeString(v.signature)
		if err != nil {
			t.Fatal(err)
		}
		s := &Signature{alg: v.alg, base: v.base, signature: signature}
		if err := s.Verify(key); err != nil {
			t.Errorf("%s: %v", v.alg, err)
		}
		for i := range signature {
			s.signature = bytes.Clone(signature)
			s.signature[i] ^= 1
			if s.Verify(key) == nil {
				t.Errorf("%s: a signature with another bit %d was taken", v.alg, i)
			}
		}
		s = &Signature{alg: v.alg, base: v.base + " ", signature: signature}
		if s.Verify(key) == nil {
			t.Errorf("%s: another base was taken", v.alg)
		}
	}
}

func publicKey(t *testing.T, text string) crypto.PublicKey {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const goodInput = `a=("@method" "@authority");created=1;expires=2;nonce="n";keyid="k";alg="ed25519"`

// TestSignatureInput: what is read is written back in its canonical form, which is
// what was signed; all else is refused.
func TestSignatureInput(t *testing.T) {
	const params = `("@method" "@authority");created=1;expires=2;nonce="n";keyid="k";alg="ed25519"`
	for _, tt := range []struct{ name, input, want string }{
		{"canonical", goodInput, params},
		{"spaces", `  a=(  "@method"   "@authority" );  created=1;expires=2; nonce="n";keyid="k";alg="ed25519"  `, params},
		{"another order", `a=("x");alg="ed25519";keyid="k";nonce="n";expires=2;created=1`, `("x");alg="ed25519";keyid="k";nonce="n";expires=2;created=1`},
		{"no components", `a=();created=1;expires=2;nonce="n";keyid="k";alg="ed25519"`, `();created=1;expires=2;nonce="n";keyid="k";alg="ed25519"`},
		{"nothing", ``, ""},
		{"no label", goodInput[1:], ""},
		{"a label in capitals", "A" + goodInput[1:], ""},
		{"a tail", goodInput + ",", ""},
		{"two members", goodInput + "," + goodInput, ""},
		{"no list", `a;created=1;expires=2;nonce="n";keyid="k";alg="ed25519"`, ""},
		{"an open list", `a=("@method";created=1`, ""},
		{"components without a space", strings.Replace(goodInput, `" "`, `""`, 1), ""},
		{"a comma between components", strings.Replace(goodInput, `" "`, `","`, 1), ""},
		{"a tab between components", strings.Replace(goodInput, `" "`, "\"\t\"", 1), ""},
		{"a component as a token", strings.Replace(goodInput, `"@method"`, `method`, 1), ""},
		{"a component twice", strings.Replace(goodInput, `"@method"`, `"@authority"`, 1), ""},
		{"an escape", strings.Replace(goodInput, `"n"`, `"\""`, 1), ""},
		{"a control character", strings.Replace(goodInput, `"n"`, "\"\x01\"", 1), ""},
		{"beyond ASCII", strings.Replace(goodInput, `"n"`, `"é"`, 1), ""},
		{"an open string", strings.Replace(goodInput, `"ed25519"`, `"ed25519`, 1), ""},
		{"no nonce", strings.Replace(goodInput, `nonce="n";`, "", 1), ""},
		{"an empty nonce", strings.Replace(goodInput, `"n"`, `""`, 1), ""},
		{"a long nonce", strings.Replace(goodInput, `"n"`, `"`+strings.Repeat("n", maxNonce+1)+`"`, 1), ""},
		{"a nonce as a number", strings.Replace(goodInput, `"n"`, `1`, 1), ""},
		{"a time as a string", strings.Replace(goodInput, `created=1`, `created="1"`, 1), ""},
		{"a time before the epoch", strings.Replace(goodInput, `created=1`, `created=-1`, 1), ""},
		{"a time with a fraction", strings.Replace(goodInput, `created=1`, `created=1.5`, 1), ""},
		{"a time with a leading zero", strings.Replace(goodInput, `created=1`, `created=01`, 1), ""},
		{"a time beyond all time", strings.Replace(goodInput, `created=1`, `created=1000000000000000`, 1), ""},
		{"a time without digits", strings.Replace(goodInput, `created=1`, `created=`, 1), ""},
		{"a parameter without a value", strings.Replace(goodInput, `created=1`, `created`, 1), ""},
		{"a parameter twice", goodInput + ";created=1", ""},
		{"a parameter that is not ours", goodInput + `;tag="x"`, ""},
	} {
		s, _, err := parseSignature(http.Header{"Signature-Input": {tt.input}, "Signature": {"a=:AAAA:"}})
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err == nil && s.base != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s.base, tt.want)
		}
	}
	for name, signature := range map[string]string{"another label": "b=:AAAA:", "no colons": "a=AAAA", "not base64": "a=:!:", "open": "a=:AAAA", "empty": ""} {
		if _, _, err := parseSignature(http.Header{"Signature-Input": {goodInput}, "Signature": {signature}}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// FuzzSignatureInput: what is accepted is canonical the second time.
func FuzzSignatureInput(f *testing.F) {
	f.Add(goodInput)
	f.Add(`a=(  "@method" );  created=1;expires=2; nonce="n";keyid="k";alg="ed25519"`)
	f.Add(`*a-_.9=("x");created=999999999999999;expires=0;nonce="~";keyid="";alg=""`)
	f.Fuzz(func(t *testing.T, input string) {
		read := func(in string) (*Signature, error) {
			s, _, err := parseSignature(http.Header{"Signature-Input": {in}, "Signature": {in[:strings.IndexByte(in+"=", '=')] + "=:AAAA:"}})
			return s, err
		}
		s, err := read(strings.TrimSpace(input))
		if err != nil {
			return
		}
		again, err := read("a=" + s.base)
		if err != nil || again.base != s.base || again.created != s.created || again.KeyID != s.KeyID {
			t.Errorf("%q reads as %q, which reads as %+v, %v", input, s.base, again, err)
		}
	})
}

// TestTimely is when a signature is good, in seconds from now.
func TestTimely(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		created, expires int
		code             string
	}{
		{0, 300, ""}, {0, 1, ""}, {300, 600, ""}, {-299, 1, ""}, {-100, 1, ""},
		{0, 301, codeBadSignature}, {0, 0, codeBadSignature}, {0, -1, codeBadSignature}, {-600, 1, codeBadSignature},
		{301, 302, codeClockSkew}, {-301, -1, codeClockSkew}, {-100, 0, codeExpired}, {-300, 0, codeExpired},
	} {
		s := &Signature{created: now.Add(time.Duration(tt.created) * time.Second), expires: now.Add(time.Duration(tt.expires) * time.Second)}
		err := s.timely(now)
		if (err == nil) != (tt.code == "") || err != nil && fault.Of(err).Code != tt.code {
			t.Errorf("from %d to %d: %v, want %q", tt.created, tt.expires, err, tt.code)
		}
	}
}

// TestForgottenIsRefused: a generation that is forgotten while our clock is wrong
// leaves nothing that could come again.
func TestForgottenIsRefused(t *testing.T) {
	r, err := newReplays(bytes.NewReader(make([]byte, 8)))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	sig := func(nonce string, expires time.Time) *Signature {
		return &Signature{KeyID: "k", nonce: nonce, expires: expires}
	}
	future := at.Add(24 * time.Hour) // somebody set our clock a day ahead
	old := sig("1", future.Add(time.Minute))
	if err := r.take(old, future); err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // generations go by
		if err := r.take(sig(string(rune(0x61+i)), future.Add(time.Duration(i)*11*time.Minute+time.Minute)), future.Add(time.Duration(i)*11*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if r.take(old, at.Add(24*time.Hour)) == nil {
		t.Error("a signature came twice")
	}
}

// TestTooMany: one key cannot make us remember without end, others do not notice,
// and later it is welcome again.
func TestTooMany(t *testing.T) {
	r, err := newReplays(bytes.NewReader(make([]byte, 8)))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	take := func(key string, n int, at time.Time) error {
		return r.take(&Signature{KeyID: key, nonce: strings.Repeat("x", n), expires: at.Add(time.Minute)}, at)
	}
	for n := range maxNonces {
		if err := take("loud", n, at); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
	}
	if err := take("loud", maxNonces, at); !errors.Is(err, fault.Unavailable) {
		t.Errorf("there is no end: %v", err)
	}
	if err := take("quiet", 0, at); err != nil {
		t.Errorf("another key: %v", err)
	}
	if err := take("loud", maxNonces, at.Add(2*maxAge)); err != nil {
		t.Errorf("later: %v", err)
	}
}
