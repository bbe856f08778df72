package backoffice

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"preavviso/api"
	"preavviso/internal/access"
	"preavviso/internal/guide"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

const (
	torino    = webtest.Torino
	alba      = webtest.Alba
	goodWords = "quattro cavalli al bar"
)

// office is the pages on a real store, with two creditors.
type office struct {
	t      testing.TB
	world  *webtest.World
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

func newOffice(t testing.TB) *office { t.Helper(); return officeOf(t, webtest.New(t)) }

// officeOf is the pages of a world.
func officeOf(t testing.TB, w *webtest.World) *office {
	t.Helper()
	o := &office{t: t, world: w, store: w.Store, access: w.Access, http: httptest.NewUnstartedServer(nil)}
	o.base = "http://" + o.http.Listener.Addr().String()
	var err error
	o.server, err = newServer(Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Random: w.Random, Now: w.Now, URL: o.base, Access: w.Access,
		Office: Office{Store: w.Store, Registry: w.Registry, Pool: w.Pool, Verbali: w.Verbali, Payments: w.Payments, Flussi: w.Flussi, Receipts: w.Receipts,
			Messages: w.Inbox, Worklist: w.Worklist, Printer: w.Prints, Lists: w.Exports, Life: w.Verbali, Money: w.Payments, Photos: w.Photos, Settings: w.Registry, Documents: w.Documents, Bulletins: w.Feedback, Webhooks: w.Webhooks, Owners: w.Owners, Read: ppay.Read, Sentence: api.Sentence,
			Enrolment: func(string) (string, string, error) { return "", "", nil },
			Explain:   func(string, string) (guide.Text, bool) { return guide.Text{}, false }}})
	if err != nil {
		t.Fatal(err)
	}
	o.restart()
	o.http.Start()
	t.Cleanup(o.http.Close)
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
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return page{resp.StatusCode, resp.Header, ""} // it has no end
	}
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

func (p page) want(t testing.TB, status int, location string) page {
	t.Helper()
	if p.status != status || p.header.Get("Location") != location {
		t.Fatalf("got %d to %q, want %d to %q:\n%s", p.status, p.header.Get("Location"), status, location, p.body)
	}
	return p
}

var secretText = regexp.MustCompile(`chiave: <code>([A-Z2-7]+)</code>`)

func (o *office) code(secret string) string {
	o.t.Helper()
	code, err := totp.GenerateCode(secret, o.world.Now())
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
	o.world.Pass(time.Minute)
	form := url.Values{"email": {"Lucia@Example.it "}, "password": {goodWords}, "codice": {o.code(secret)}, "da": {"/?pagina=2"}}
	b.do(http.MethodPost, pathSignIn, form).want(t, http.StatusSeeOther, "/?pagina=2")
	b.get("/").want(t, http.StatusOK, "")
	if p := o.browser().do(http.MethodPost, pathSignIn, form); p.status != http.StatusForbidden {
		t.Errorf("the same code twice: %d", p.status)
	}
}
