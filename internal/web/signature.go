package web

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/fault"
)

// The algorithms (RFC 9421 §3.3.4 and §3.3.6; §6.2.2 names them).
const (
	algEd25519 = "ed25519"
	algP256    = "ecdsa-p256-sha256"
)

const (
	// maxAge is how far the clock of a signer may be from ours, and the longest
	// life a signature may give itself.
	maxAge = 300 * time.Second
	// maxNonce bounds a nonce, our challenge included.
	maxNonce = 100
)

// covered is what every signature covers, and covered by those of a request with
// a body.
var (
	covered     = []string{"@method", "@authority", "@path", "@query"}
	coveredBody = []string{"content-type", "content-digest"}
)

// Signature is an HTTP Message Signature (RFC 9421) as it arrived: its form is
// right, its time has not passed and it covers what it must, the body included.
// Whether the key made it only [Signature.Verify] tells.
type Signature struct {
	KeyID string // as the signer says

	alg       string
	created   time.Time
	expires   time.Time
	nonce     string
	base      string // what was signed (§2.5)
	signature []byte
}

// Verify checks that the holder of key, an ed25519.PublicKey or an
// *ecdsa.PublicKey on P-256, made the signature.
func (s *Signature) Verify(key crypto.PublicKey) error {
	ok := false
	switch k := key.(type) {
	case ed25519.PublicKey:
		ok = s.alg == algEd25519 && ed25519.Verify(k, []byte(s.base), s.signature)
	case *ecdsa.PublicKey:
		if s.alg == algP256 && len(s.signature) == 64 {
			sum := sha256.Sum256([]byte(s.base))
			ok = ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(s.signature[:32]), new(big.Int).SetBytes(s.signature[32:]))
		}
	}
	if !ok {
		return errBadSignature(errors.New("the key did not make it"))
	}
	return nil
}

func errBadSignature(err error) error {
	return fault.Wrap(fault.Forbidden, codeBadSignature, "La firma della richiesta non è valida.", err)
}

// signed reports whether a request claims to be signed.
func signed(h http.Header) bool {
	return h.Get("Signature") != "" || h.Get("Signature-Input") != ""
}

// readSignature reads the signature of a request. body is nil if the operation
// takes none.
func readSignature(r *http.Request, body []byte, now time.Time) (*Signature, error) {
	s, components, err := parseSignature(r.Header)
	if err != nil {
		return nil, errBadSignature(err)
	}
	want := covered
	if body != nil {
		want = slices.Concat(covered, coveredBody)
	}
	for _, name := range want {
		if !slices.Contains(components, name) {
			return nil, fault.Wrap(fault.Forbidden, codeUncovered, "La firma non copre tutte le parti della richiesta.", errors.New(name))
		}
	}
	if err := s.build(r, components); err != nil {
		return nil, errBadSignature(err)
	}
	if body != nil {
		if err := checkDigest(r.Header, body); err != nil {
			return nil, err
		}
	}
	return s, s.timely(now)
}

// timely checks the clock of the signer.
func (s *Signature) timely(now time.Time) error {
	life := s.expires.Sub(s.created)
	switch {
	case life <= 0 || life > maxAge:
		return errBadSignature(fmt.Errorf("it lives %v", life))
	case s.created.After(now.Add(maxAge)), s.created.Before(now.Add(-maxAge)):
		return fault.New(fault.Forbidden, codeClockSkew, "L'orologio del palmare è sbagliato: correggerlo con l'ora del servizio e ripetere.")
	case !now.Before(s.expires):
		return errExpired()
	}
	return nil
}

func errExpired() error {
	return fault.New(fault.Forbidden, codeExpired, "La firma della richiesta è scaduta: firmarla di nuovo.")
}

// build makes the signature base from the request. s.base holds the signature
// parameters so far.
func (s *Signature) build(r *http.Request, components []string) error {
	var b strings.Builder
	for _, name := range components {
		var value string
		switch name {
		case "@method":
			value = r.Method
		case "@authority":
			value = authority(r.Host)
		case "@path":
			if value = r.URL.EscapedPath(); value == "" {
				value = "/"
			}
		case "@query":
			value = "?" + r.URL.RawQuery
		case "content-type", "content-digest":
			lines := r.Header.Values(name)
			if len(lines) != 1 {
				return fmt.Errorf("%d lines of %s", len(lines), name)
			}
			value = strings.TrimSpace(lines[0])
		default:
			return errors.New("a component that is not ours")
		}
		fmt.Fprintf(&b, "%q: %s\n", name, value)
	}
	fmt.Fprintf(&b, "\"@signature-params\": %s", s.base)
	s.base = b.String()
	return nil
}

// authority normalises a Host (RFC 9421 §2.2.3): lower case, without the default
// port. Which of the two is the default only the proxy in front of us knows;
// nobody serves https on 80.
func authority(host string) string {
	host = strings.ToLower(host)
	host = strings.TrimSuffix(host, ":443")
	return strings.TrimSuffix(host, ":80")
}

// checkDigest holds the body against its Content-Digest (RFC 9530), which must
// have a sha-256.
func checkDigest(h http.Header, body []byte) error {
	bad := fault.New(fault.Forbidden, codeBadDigest, "Il corpo della richiesta non è quello firmato.")
	for member := range strings.SplitSeq(h.Get("Content-Digest"), ",") {
		text, ok := strings.CutPrefix(strings.TrimSpace(member), "sha-256=:")
		if !ok || !strings.HasSuffix(text, ":") {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, ":"))
		want := sha256.Sum256(body)
		if err != nil || subtle.ConstantTimeCompare(got, want[:]) != 1 {
			return bad
		}
		return nil
	}
	return bad
}

// parseSignature reads Signature-Input and Signature, one signature and no more.
// The result has the signature parameters, as they are to be signed, for a base.
func parseSignature(h http.Header) (s *Signature, components []string, err error) {
	if len(h.Values("Signature-Input")) != 1 || len(h.Values("Signature")) != 1 {
		return nil, nil, errors.New("not one signature")
	}
	p := &structured{rest: strings.TrimSpace(h.Get("Signature-Input"))}
	label := p.key()
	p.want("=")
	components = p.components()
	s = p.parameters()
	if p.rest != "" {
		p.fail("something follows the parameters")
	}
	if p.err != nil {
		return nil, nil, p.err
	}
	var params strings.Builder
	params.WriteString("(")
	for i, c := range components {
		if slices.Contains(components[:i], c) {
			return nil, nil, errors.New("a component twice")
		}
		if i > 0 {
			params.WriteString(" ")
		}
		params.WriteString(strconv.Quote(c))
	}
	s.base = params.String() + ")" + s.base
	text, ok := strings.CutPrefix(strings.TrimSpace(h.Get("Signature")), label+"=:")
	text, closed := strings.CutSuffix(text, ":")
	if !ok || !closed {
		return nil, nil, errors.New("the signature has another name, or is not bytes")
	}
	if s.signature, err = base64.StdEncoding.DecodeString(text); err != nil {
		return nil, nil, err
	}
	return s, components, nil
}

// structured reads the part of Structured Fields (RFC 9651) that a
// Signature-Input of ours is made of. The first error stays.
type structured struct {
	rest string
	err  error
}

func (p *structured) fail(what string) {
	if p.err == nil {
		p.err = errors.New(what)
	}
	p.rest = ""
}

func (p *structured) want(s string) {
	rest, ok := strings.CutPrefix(p.rest, s)
	if !ok {
		p.fail("no " + s)
		return
	}
	p.rest = rest
}

func (p *structured) spaces() { p.rest = strings.TrimLeft(p.rest, " ") }

// key reads a key (RFC 9651 §3.1.2).
func (p *structured) key() string {
	n := 0
	for n < len(p.rest) {
		c := p.rest[n]
		if c >= 'a' && c <= 'z' || c == '*' || n > 0 && (c >= '0' && c <= '9' || strings.IndexByte("_-.", c) >= 0) {
			n++
			continue
		}
		break
	}
	if n == 0 {
		p.fail("no key")
		return ""
	}
	k := p.rest[:n]
	p.rest = p.rest[n:]
	return k
}

// text reads a string without escapes: nothing of ours needs one.
func (p *structured) text() string {
	p.want(`"`)
	s, rest, ok := strings.Cut(p.rest, `"`)
	if !ok || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		p.fail("not a plain string")
		return ""
	}
	p.rest = rest
	return s
}

// instant reads a time in Unix seconds.
func (p *structured) instant() time.Time {
	n := 0
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(p.rest[:n], 10, 64)
	if err != nil || n > 15 || n > 1 && p.rest[0] == '0' { // 15 digits: RFC 9651 §3.3.1
		p.fail("not a time")
		return time.Time{}
	}
	p.rest = p.rest[n:]
	return time.Unix(v, 0)
}

// components reads an inner list of names without parameters.
func (p *structured) components() (names []string) {
	p.want("(")
	for p.spaces(); p.err == nil && !strings.HasPrefix(p.rest, ")"); p.spaces() {
		names = append(names, p.text())
		if !strings.HasPrefix(p.rest, " ") && !strings.HasPrefix(p.rest, ")") {
			p.fail("no space between components")
		}
	}
	p.want(")")
	return names
}

// parameters reads the five parameters of a signature, in any order, each once.
// The base of the result is their canonical text (RFC 9651 §4.1.1.2).
func (p *structured) parameters() *Signature {
	s := &Signature{}
	var seen []string
	for strings.HasPrefix(p.rest, ";") {
		p.want(";")
		p.spaces()
		name := p.key()
		p.want("=")
		if slices.Contains(seen, name) {
			p.fail("a parameter twice")
		}
		seen = append(seen, name)
		value := p.rest
		switch name {
		case "created":
			s.created = p.instant()
		case "expires":
			s.expires = p.instant()
		case "nonce":
			s.nonce = p.text()
		case "keyid":
			s.KeyID = p.text()
		case "alg":
			s.alg = p.text()
		default:
			p.fail("a parameter that is not ours")
		}
		if p.err == nil {
			s.base += ";" + name + "=" + value[:len(value)-len(p.rest)]
		}
	}
	if len(seen) != 5 || s.nonce == "" || len(s.nonce) > maxNonce {
		p.fail("not the five parameters")
	}
	return s
}
