package backoffice

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

//go:embed templates
var templateFiles embed.FS

// Config is what the pages are made of.
type Config struct {
	Log    *slog.Logger
	Random io.Reader // of trace ids; safe for concurrent use
	Now    func() time.Time

	// URL is where browsers find us, such as "https://multe.comune.example.it". Plain
	// HTTP is for this machine alone.
	URL string
	// Proxies are whom we believe about the address of a browser.
	Proxies []netip.Prefix

	// Stopping is closed when the service is about to stop: streams end then; nil is
	// never.
	Stopping <-chan struct{}

	Access *access.Access
	OIDC   *OIDC // nil: people sign in here alone

	Office
}

// server answers with pages.
type server struct {
	Config
	pages  *template.Template
	desk   *desk
	cross  *http.CrossOriginProtection
	secure bool            // browsers reach us by TLS
	gets   map[string]bool // the patterns of pages

	provider *provider // nil where there is no OIDC
}

// route is one thing that a browser can ask for.
type route struct {
	method, path string
	need         multe.Permission // or one of those below
	maxBody      int64            // bytes; 0 means maxForm
	handler      gin.HandlerFunc
}

// What a route can need besides a permission. None of them is ever a role's.
const (
	public    multe.Permission = "+public"    // nobody need be signed in
	enrolling multe.Permission = "+enrolling" // signed in, the second factor still to come or not
	signedIn  multe.Permission = "+signed-in" // whatever the role
)

// maxForm is the largest form: a verbale with every field full has 5 KiB.
const maxForm = 64 << 10

// routes are all of them.
func (s *server) routes() []route {
	return slices.Concat(s.authRoutes(), s.oidcRoutes(), s.officeRoutes(), s.printRoutes(), s.listRoutes(), s.ownerRoutes(), s.actRoutes(), s.peopleRoutes(), s.settingsRoutes(), s.bulletinRoutes(), s.webhookRoutes())
}

// New returns the pages.
func New(cfg Config) (http.Handler, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	return s.engine()
}

func newServer(cfg Config) (*server, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("the address of the pages must be https://host")
	}
	s := &server{Config: cfg, secure: u.Scheme == "https", cross: http.NewCrossOriginProtection()}
	s.URL = u.Scheme + "://" + u.Host
	if err := s.cross.AddTrustedOrigin(s.URL); err != nil {
		return nil, fmt.Errorf("the address of the pages: %w", err)
	}
	if cfg.OIDC != nil {
		if s.provider, err = newProvider(*cfg.OIDC, s.URL, cfg.Now, cfg.Random); err != nil {
			return nil, err
		}
	}
	if s.desk, err = newDesk(cfg); err != nil {
		return nil, err
	}
	if s.pages, err = template.New("").Funcs(s.desk.functions()).ParseFS(templateFiles, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	return s, nil
}

func (s *server) engine() (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	var proxies []string
	for _, p := range s.Proxies {
		proxies = append(proxies, p.String())
	}
	if err := e.SetTrustedProxies(proxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	e.Use(s.recovered, s.headers, s.sameOrigin)
	s.gets = map[string]bool{}
	for _, r := range s.routes() {
		s.gets[r.path] = s.gets[r.path] || r.method == http.MethodGet
		e.Handle(r.method, r.path, s.admit(r), r.handler)
	}
	e.NoRoute(func(c *gin.Context) { s.fail(c, errNoPage()) })
	e.NoMethod(func(c *gin.Context) { s.fail(c, errNoPage()) })
	return e, nil
}

func errNoPage() error {
	return fault.New(fault.NotFound, "page.none", "La pagina non esiste o è stata spostata. Ripartire da «Oggi».")
}

// view is what every template gets.
type view struct {
	Who  access.Who // the zero Who on public pages
	CSRF string     // {{template "csrf" .}} puts it into a form
	Once string     // {{template "once" .}} does, where sending it twice would add two
	Path string
	Data any // of the page; templates know no types

	Ente, Settore string // "" on public pages
	Nav           []navItem
	Title         string
	Flash         *flash
}

// render answers with a page. Nothing is sent before the whole page is made.
func (s *server) render(c *gin.Context, status int, name string, data any) {
	w := who(c)
	v := view{Who: w, CSRF: w.CSRF, Path: c.Request.URL.Path, Data: data}
	s.frame(c, &v)
	var err error
	if v.Once, err = multe.NewID(s.Now(), s.Random); err != nil {
		s.Log.ErrorContext(c.Request.Context(), "naming a form", "err", err)
	}
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, v); err != nil {
		s.Log.ErrorContext(c.Request.Context(), "drawing a page", "page", name, "err", err)
		c.String(http.StatusInternalServerError, "Errore interno del servizio. Riprovare; se continua, avvisare l'assistenza.")
		c.Abort()
		return
	}
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
	c.Abort()
}

var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Exhausted:   http.StatusTooManyRequests,
	fault.Forbidden:   http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// fail answers with a page that says what happened. It is the one place where an
// error becomes an answer.
func (s *server) fail(c *gin.Context, err error) {
	f := fault.Of(err)
	trace := ""
	if f.Kind == fault.Internal {
		if trace, err = s.trace(err, c); err != nil {
			s.Log.ErrorContext(c.Request.Context(), "naming a failure", "err", err)
		}
	}
	if f.Code == "oidc.refused" || f.Code == "oidc.unreachable" {
		// What is wrong is between us and the provider: the person can do nothing.
		s.Log.WarnContext(c.Request.Context(), "sign-in by OpenID Connect failed", "code", f.Code, "err", f.Err)
	}
	s.render(c, statuses[f.Kind], "error.html", failure{Code: f.Code, Detail: f.Detail, Trace: trace})
}

type failure struct {
	Code, Detail, Trace string
}

// trace logs a failure of ours under a name that the page shows.
func (s *server) trace(cause error, c *gin.Context) (string, error) {
	id, err := multe.NewID(s.Now(), s.Random)
	s.Log.ErrorContext(c.Request.Context(), "request failed", "route", c.FullPath(), "trace", id, "err", cause)
	return id, err
}

func (s *server) recovered(c *gin.Context) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.fail(c, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	c.Next()
}

// see sends the browser to another page of ours, by GET.
func see(c *gin.Context, path string) {
	c.Redirect(http.StatusSeeOther, path)
	c.Abort()
}
