package backoffice

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"preavviso/internal/access"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

const (
	torino    multe.CreditorID = "00514490010"
	novara    multe.CreditorID = "00125680033"
	goodWords                  = "quattro cavalli al bar"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// office is the pages on a real store, with two creditors.
type office struct {
	t      *testing.T
	clock  *clock
	store  store.Store
	access *access.Access
	server *server
	base   string
	http   *httptest.Server
}

// restart has the pages made again, after the server changed.
func (o *office) restart() {
	o.t.Helper()
	h, err := o.server.engine()
	if err != nil {
		o.t.Fatal(err)
	}
	o.http.Config.Handler = h
}

func newOffice(t *testing.T) *office {
	t.Helper()
	st, err := boltstore.Open(filepath.Join(t.TempDir(), "office.db"), boltstore.Options{Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	o := &office{t: t, clock: &clock{t: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}, store: st}
	err = st.Update(t.Context(), func(tx store.Tx) error {
		for _, c := range []multe.CreditorID{torino, novara} {
			if err := tx.PutCreditor(multe.Creditor{ID: c, Name: "Comune " + string(c), Version: 1, Changed: o.clock.now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.access, err = access.New(access.Config{Store: st, Now: o.clock.now, Random: rand.Reader, Key: [32]byte{1}}); err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewUnstartedServer(nil)
	o.base = "http://" + hs.Listener.Addr().String()
	if o.server, err = newServer(Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Random: rand.Reader, Now: o.clock.now, URL: o.base, Access: o.access, Office: Office{Store: st, Sentence: func(e multe.AuditEntry) string { return e.Action }}}); err != nil {
		t.Fatal(err)
	}
	o.http = hs
	o.restart()
	hs.Start()
	t.Cleanup(hs.Close)
	return o
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	o      *office
	client *http.Client
}

func (o *office) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return &browser{o, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type page struct {
	status int
	header http.Header
	body   string
}

func (b *browser) do(method, path string, form url.Values, headers ...string) page {
	b.o.t.Helper()
	req, err := http.NewRequestWithContext(b.o.t.Context(), method, b.o.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.o.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.o.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.o.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(body)}
}

func (b *browser) get(path string) page { b.o.t.Helper(); return b.do(http.MethodGet, path, nil) }

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post sends a form with the CSRF token of the session.
func (b *browser) post(path string, form url.Values) page {
	b.o.t.Helper()
	if m := csrfField.FindStringSubmatch(b.get(pathTOTP).body); m != nil {
		form.Set("csrf", m[1])
	}
	return b.do(http.MethodPost, path, form)
}

func (p page) want(t *testing.T, status int, location string) page {
	t.Helper()
	if p.status != status || p.header.Get("Location") != location {
		t.Fatalf("got %d to %q, want %d to %q:\n%s", p.status, p.header.Get("Location"), status, location, p.body)
	}
	return p
}

var secretText = regexp.MustCompile(`chiave: <code>([A-Z2-7]+)</code>`)

func (o *office) code(secret string) string {
	o.t.Helper()
	code, err := totp.GenerateCode(secret, o.clock.now())
	if err != nil {
		o.t.Fatal(err)
	}
	return code
}

// enrolled invites somebody and takes them through the door. It returns the
// browser, and the secret of the second factor.
func (o *office) enrolled(c multe.CreditorID, login string, role multe.Role) (*browser, string) {
	o.t.Helper()
	_, code, err := o.access.Invite(o.t.Context(), "admin", c, "Prova "+string(role), login, role)
	if err != nil {
		o.t.Fatal(err)
	}
	b := o.browser()
	if p := b.get(pathInvite + "?codice=" + code); p.status != http.StatusOK || !strings.Contains(p.body, login) {
		o.t.Fatalf("the invitation: %d %s", p.status, p.body)
	}
	b.do(http.MethodPost, pathInvite, url.Values{"codice": {code}, "password": {goodWords}, "ripeti": {goodWords}}).want(o.t, http.StatusSeeOther, pathTOTP)
	m := secretText.FindStringSubmatch(b.get(pathTOTP).body)
	if m == nil {
		o.t.Fatal("no secret on the page")
	}
	if p := b.post(pathTOTP, url.Values{"codice": {o.code(m[1])}}); p.status != http.StatusOK || strings.Count(p.body, "<li><code>") != 10 {
		o.t.Fatalf("enrolment: %d %s", p.status, p.body)
	}
	return b, m[1]
}

func TestThroughTheDoor(t *testing.T) {
	o := newOffice(t)
	b, secret := o.enrolled(torino, "lucia@example.it", multe.RoleAddetto)
	b.get("/").want(t, http.StatusOK, "")
	b.post("/esci", url.Values{}).want(t, http.StatusSeeOther, pathSignIn)
	b.get("/?pagina=2").want(t, http.StatusSeeOther, pathSignIn+"?da=%2F%3Fpagina%3D2")
	o.clock.move(time.Minute)
	form := url.Values{"email": {"Lucia@Example.it "}, "password": {goodWords}, "codice": {o.code(secret)}, "da": {"/?pagina=2"}}
	b.do(http.MethodPost, pathSignIn, form).want(t, http.StatusSeeOther, "/?pagina=2")
	b.get("/").want(t, http.StatusOK, "")
	if p := o.browser().do(http.MethodPost, pathSignIn, form); p.status != http.StatusForbidden {
		t.Errorf("the same code twice: %d", p.status)
	}
}
