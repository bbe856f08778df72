package backoffice

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"golang.org/x/oauth2"

	"preavviso/internal/access"
	"preavviso/internal/fault"
)

// OIDC is the town's OpenID Connect provider, and what it knows us as.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string
}

const (
	pathOIDC     = "/accesso/oidc"
	pathOIDCBack = "/accesso/oidc/ritorno"

	// errandFor bounds how long somebody may take at the provider's pages.
	errandFor = 10 * time.Minute
	// providerTimeout bounds one call of ours to the provider: a person waits.
	providerTimeout = 10 * time.Second
)

// provider speaks to the town's OpenID Connect provider. It is looked up at the
// first login and not when we start, for it may start later than we do.
type provider struct {
	OIDC
	back   string // where it sends browsers
	now    func() time.Time
	client *http.Client
	aead   cipher.AEAD // seals errands; of this process alone

	mu    sync.Mutex
	known *oidc.Provider
}

func newProvider(o OIDC, url string, now func() time.Time, random io.Reader) (*provider, error) {
	var key [32]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: providerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // it is where it says it is
	return &provider{OIDC: o, back: url + pathOIDCBack, now: now, client: client, aead: aead}, nil
}

// find returns the provider and our side of the code flow.
func (p *provider) find(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		// Its keys are fetched again when they change, long after this request.
		known, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
		if err != nil {
			return nil, nil, fault.Wrap(fault.Unavailable, "oidc.unreachable", "Il sistema di identità dell'ente non risponde: riprovare tra poco, o accedere con e-mail e password.", err)
		}
		p.known = known
	}
	return p.known, &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: p.known.Endpoint(),
		RedirectURL: p.back, Scopes: []string{oidc.ScopeOpenID, "email"}}, nil
}

// errand is what we must remember while somebody is at the provider's pages. Their
// browser keeps it, sealed: a login that somebody else began cannot be ended here.
type errand struct {
	State, Nonce, Verifier, Next string
	Until                        time.Time
}

func (p *provider) seal(e errand, random io.Reader) (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, p.aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(p.aead.Seal(nonce, nonce, text, nil)), nil
}

func (p *provider) open(s string) (e errand, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < p.aead.NonceSize() {
		return errand{}, false
	}
	n := p.aead.NonceSize()
	text, err := p.aead.Open(nil, b[:n], b[n:], nil)
	if err != nil || json.Unmarshal(text, &e) != nil || !p.now().Before(e.Until) {
		return errand{}, false
	}
	return e, true
}

func (s *server) oidcRoutes() []route {
	if s.provider == nil {
		return nil
	}
	return []route{
		{http.MethodGet, pathOIDC, public, 0, s.toProvider},
		{http.MethodGet, pathOIDCBack, public, 0, s.fromProvider},
	}
}

func (s *server) errandCookie(value string, maxAge int) *http.Cookie {
	name := "oidc"
	if s.secure {
		name = "__Host-oidc"
	}
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// toProvider sends somebody to the provider's pages.
func (s *server) toProvider(c *gin.Context) {
	_, cfg, err := s.provider.find(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	e := errand{Verifier: oauth2.GenerateVerifier(), Next: safeNext(c.Query("da")), Until: s.Now().Add(errandFor)}
	for _, text := range []*string{&e.State, &e.Nonce} {
		b := make([]byte, 32)
		if _, err := io.ReadFull(s.Random, b); err != nil {
			s.fail(c, fmt.Errorf("reading randomness: %w", err))
			return
		}
		*text = base64.RawURLEncoding.EncodeToString(b)
	}
	sealed, err := s.provider.seal(e, s.Random)
	if err != nil {
		s.fail(c, err)
		return
	}
	http.SetCookie(c.Writer, s.errandCookie(sealed, int(errandFor.Seconds())))
	see(c, cfg.AuthCodeURL(e.State, oidc.Nonce(e.Nonce), oauth2.S256ChallengeOption(e.Verifier)))
}

// fromProvider is where somebody comes back to, with a code or a refusal.
func (s *server) fromProvider(c *gin.Context) {
	cookie, err := c.Request.Cookie(s.errandCookie("", 0).Name)
	http.SetCookie(c.Writer, s.errandCookie("", -1)) // one errand, one answer
	var e errand
	ok := err == nil
	if ok {
		e, ok = s.provider.open(cookie.Value)
	}
	if !ok || subtle.ConstantTimeCompare([]byte(c.Query("state")), []byte(e.State)) != 1 {
		s.fail(c, fault.New(fault.Forbidden, "oidc.stale", "L'accesso non era stato iniziato da questo browser, o è passato troppo tempo. Ripetere l'accesso dall'inizio."))
		return
	}
	claims, err := s.provider.claims(c.Request.Context(), c.Query("code"), e)
	if err != nil {
		s.fail(c, err)
		return
	}
	token, err := s.Access.SignInOIDC(c.Request.Context(), claims, from(c))
	if err != nil {
		s.fail(c, err)
		return
	}
	s.signedIn(c, token, e.Next)
}

// claims turns a code into what the provider says of a person, all of it checked.
func (p *provider) claims(ctx context.Context, code string, e errand) (access.Claims, error) {
	refused := func(err error) error {
		return fault.Wrap(fault.Forbidden, "oidc.refused", "Il sistema di identità dell'ente non ha confermato l'accesso. Riprovare; se continua, avvisare l'amministratore.", err)
	}
	if code == "" || len(code) > maxCode {
		return access.Claims{}, refused(errors.New("no code"))
	}
	known, cfg, err := p.find(ctx)
	if err != nil {
		return access.Claims{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	answer, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(e.Verifier))
	if err != nil {
		return access.Claims{}, refused(err)
	}
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return access.Claims{}, refused(errors.New("no id_token"))
	}
	token, err := known.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return access.Claims{}, refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(e.Nonce)) != 1 {
		return access.Claims{}, refused(errors.New("another nonce"))
	}
	var more struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := token.Claims(&more); err != nil {
		return access.Claims{}, refused(err)
	}
	cl := access.Claims{Issuer: token.Issuer, Subject: token.Subject}
	if more.Verified {
		cl.Email = more.Email
	}
	return cl, nil
}

// maxCode bounds an authorization code: providers stay below 1 KiB, some put a
// whole token into it.
const maxCode = 4 << 10
