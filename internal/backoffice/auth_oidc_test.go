package backoffice

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	clientID     = "preavviso"
	clientSecret = "only for tests, all of it"
)

// withProvider has an office use the provider at issuer.
func (o *office) withProvider(issuer string) {
	o.t.Helper()
	p, err := newProvider(OIDC{Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret}, o.base, o.world.Now, rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	o.server.provider = p
	o.restart()
}

func (o *office) invite(login string) {
	o.t.Helper()
	if _, _, err := o.access.Invite(o.t.Context(), "admin", torino, "Prova", login, multe.RoleAddetto); err != nil {
		o.t.Fatal(err)
	}
}

// liar is a provider that does all a provider does, and then lies as it is told.
type liar struct {
	base   string
	key    *rsa.PrivateKey
	lie    func(claims map[string]any)
	alg    string // of the token's header; "" for RS256, signed
	signer *rsa.PrivateKey

	nonce, challenge string
	verified         bool // the client proved that it began this
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": l.base, "authorization_endpoint": l.base + "/auth", "token_endpoint": l.base + "/token", "jwks_uri": l.base + "/jwks",
			"id_token_signing_alg_values_supported": []string{"RS256", "none", "HS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		l.verified = base64.RawURLEncoding.EncodeToString(sum[:]) == l.challenge
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": l.token(t)})
	})
	hs := httptest.NewServer(mux)
	t.Cleanup(hs.Close)
	l.base = hs.URL
	return l
}

// epoch is when tests begin, as the office's clock has it.
var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func (l *liar) token(t *testing.T) string {
	claims := map[string]any{"iss": l.base, "sub": "lucia", "aud": clientID, "iat": epoch.Unix(), "exp": epoch.Add(time.Hour).Unix(),
		"nonce": l.nonce, "email": "lucia@example.it", "email_verified": true}
	if l.lie != nil {
		l.lie(claims)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(claims)
	if err != nil {
		t.Error(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	if l.alg == "none" {
		return b64([]byte(`{"alg":"none"}`)) + "." + b64(text) + "."
	}
	key := jose.SigningKey{Algorithm: jose.RS256, Key: l.key}
	if l.signer != nil {
		key.Key = l.signer
	}
	if l.alg == "HS256" { // the public key taken for a shared secret
		key = jose.SigningKey{Algorithm: jose.HS256, Key: l.key.N.Bytes()}
	}
	s, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		t.Error(err)
	}
	signed, err := s.Sign(text)
	if err != nil {
		t.Error(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return compact
}

// begin goes to the provider and returns the state it was sent with.
func (l *liar) begin(t *testing.T, b *browser, next string) string {
	t.Helper()
	p := b.get(pathOIDC + "?da=" + url.QueryEscape(next))
	to, err := url.Parse(p.header.Get("Location"))
	if err != nil || p.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), l.base+"/auth?") {
		t.Fatalf("to the provider: %d %q %s", p.status, p.header.Get("Location"), p.body)
	}
	q := to.Query()
	l.nonce, l.challenge = q.Get("nonce"), q.Get("code_challenge")
	if q.Get("code_challenge_method") != "S256" || len(l.nonce) < 40 || len(q.Get("state")) < 40 || q.Get("redirect_uri") != b.o.base+pathOIDCBack {
		t.Errorf("asked the provider with %v", q)
	}
	return q.Get("state")
}

func back(state string) string {
	return pathOIDCBack + "?" + url.Values{"state": {state}, "code": {"c"}}.Encode()
}

func TestTheProviderIsBelieved(t *testing.T) {
	o, l := newOffice(t), newLiar(t)
	o.withProvider(l.base)
	o.invite("lucia@example.it")
	b := o.browser()
	b.get(back(l.begin(t, b, "/?pagina=2"))).want(t, http.StatusSeeOther, "/?pagina=2")
	if !l.verified {
		t.Error("the code verifier is not that of the challenge")
	}
	b.get("/").want(t, http.StatusOK, "")

	// Afterwards the subject is enough, whatever the address.
	l.lie = func(c map[string]any) { c["email"] = nil }
	again := o.browser()
	again.get(back(l.begin(t, again, "//evil.example"))).want(t, http.StatusSeeOther, "/")
	// Another subject with the same address is somebody else.
	l.lie = func(c map[string]any) { c["sub"] = "other" }
	other := o.browser()
	if p := other.get(back(l.begin(t, other, "/"))); p.status != http.StatusForbidden {
		t.Errorf("another subject with the same address: %d", p.status)
	}
}

func TestTheProviderIsNotBelieved(t *testing.T) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := func(k string, v any) func(*liar) {
		return func(l *liar) { l.lie = func(c map[string]any) { c[k] = v } }
	}
	for name, lie := range map[string]func(*liar){
		"no signature":          func(l *liar) { l.alg = "none" },
		"shared secret":         func(l *liar) { l.alg = "HS256" },
		"somebody else's key":   func(l *liar) { l.signer = stranger },
		"other nonce":           set("nonce", "another"),
		"no nonce":              set("nonce", nil),
		"other audience":        set("aud", "somebody-else"),
		"no audience":           set("aud", nil),
		"other issuer":          set("iss", "https://evil.example"),
		"expired":               set("exp", epoch.Add(-time.Minute).Unix()),
		"not yet":               set("nbf", epoch.Add(time.Hour).Unix()),
		"no expiry":             set("exp", nil),
		"no subject":            set("sub", nil),
		"address not verified":  set("email_verified", false),
		"verified is no truth":  set("email_verified", "true"),
		"nobody was invited":    set("email", "mario@example.it"),
		"no address":            set("email", nil),
		"address of two people": set("email", "lucia@example.it, mario@example.it"),
	} {
		t.Run(name, func(t *testing.T) {
			o, l := newOffice(t), newLiar(t)
			o.withProvider(l.base)
			o.invite("lucia@example.it")
			lie(l)
			b := o.browser()
			p := b.get(back(l.begin(t, b, "/")))
			if p.status != http.StatusForbidden {
				t.Errorf("%d to %q", p.status, p.header.Get("Location"))
			}
			b.get("/").want(t, http.StatusSeeOther, pathSignIn)
			// The invitation is still good for the truth.
			l.lie, l.alg, l.signer = nil, "", nil
			b.get(back(l.begin(t, b, "/"))).want(t, http.StatusSeeOther, "/")
		})
	}
}

func TestOnlyWhoBeganMayEnd(t *testing.T) {
	o, l := newOffice(t), newLiar(t)
	o.withProvider(l.base)
	o.invite("lucia@example.it")
	b, victim := o.browser(), o.browser()
	state := l.begin(t, b, "/")
	for name, p := range map[string]page{
		"another browser": victim.get(back(state)),
		"no state":        b.get(pathOIDCBack + "?code=c"),
	} {
		if p.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, p.status)
		}
	}
	if p := b.get(back(state)); p.status != http.StatusForbidden {
		t.Errorf("the errand was over after one answer: %d", p.status)
	}
	state = l.begin(t, b, "/")
	if p := b.get(back(state + "x")); p.status != http.StatusForbidden {
		t.Errorf("another state: %d", p.status)
	}
	state = l.begin(t, b, "/")
	o.world.Pass(errandFor)
	if p := b.get(back(state)); p.status != http.StatusForbidden {
		t.Errorf("too late: %d", p.status)
	}
}

func TestDisabledIsOutAtTheProviderToo(t *testing.T) {
	o, l := newOffice(t), newLiar(t)
	o.withProvider(l.base)
	o.invite("lucia@example.it")
	b := o.browser()
	b.get(back(l.begin(t, b, "/"))).want(t, http.StatusSeeOther, "/")
	var who multe.Operator
	if err := o.store.View(t.Context(), func(r store.Reader) (err error) { who, err = r.OperatorByLogin("lucia@example.it"); return err }); err != nil {
		t.Fatal(err)
	}
	if _, err := o.access.Disable(t.Context(), "admin", torino, who.ID, true); err != nil {
		t.Fatal(err)
	}
	b.get("/").want(t, http.StatusSeeOther, pathSignIn+"?fine=closed")
	if p := b.get(back(l.begin(t, b, "/"))); p.status != http.StatusForbidden {
		t.Errorf("a disabled person: %d", p.status)
	}
}

func TestProviderDown(t *testing.T) {
	o := newOffice(t)
	o.withProvider("http://127.0.0.1:1")
	if p := o.browser().get(pathOIDC); p.status != http.StatusServiceUnavailable {
		t.Errorf("%d, want 503", p.status)
	}
}

// TestRealProvider signs in with oidc-provider, which is certified, in a process of
// its own. It needs node, and «make provider».
func TestRealProvider(t *testing.T) {
	dir := filepath.Join("testdata", "idp")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		if os.Getenv("PREAVVISO_TEST_REQUIRE") != "" {
			t.Fatalf("the provider is missing, run «make provider»: %v", err)
		}
		t.Skipf("the provider is missing, run «make provider»: %v", err)
	}
	o := newOffice(t)
	o.world.Pass(time.Since(o.world.Now())) // its tokens are of today
	o.invite("lucia@example.it")
	o.invite("mario@example.it")
	cmd := exec.CommandContext(t.Context(), "node", "idp.mjs", clientID, clientSecret, o.base+pathOIDCBack)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	issuer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider did not start: %v", err)
	}
	o.withProvider(strings.TrimSpace(issuer))

	walk := func(as string) page {
		t.Helper()
		b := o.browser()
		to := o.base + pathOIDC
		for range 12 {
			req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, to, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := b.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			next, err := resp.Location()
			if err != nil || next.String() == o.base+"/" {
				return b.get("/")
			}
			if strings.HasPrefix(next.Path, "/who/") {
				next.RawQuery = "as=" + as
			}
			to = next.String()
		}
		t.Fatal("no end of redirects")
		return page{}
	}
	walk("lucia").want(t, http.StatusOK, "")
	walk("mario").want(t, http.StatusSeeOther, pathSignIn) // its address is not verified
	fmt.Fprintln(t.Output(), "issuer", issuer)
}
