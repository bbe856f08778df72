package backoffice

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/fault"
)

// What every answer says. Nothing may be loaded from elsewhere, nothing is inline,
// nobody may frame us, and no address of ours leaves with a link. data: is for the
// small pictures inside the style sheet.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

var securityHeaders = map[string]string{
	"Content-Security-Policy":      contentPolicy,
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Cache-Control":                "no-store", // an asset says otherwise itself
}

// hsts is a year, the least that ASVS 3.4.1 asks for.
const hsts = "max-age=31536000"

func (s *server) headers(c *gin.Context) {
	for k, v := range securityHeaders {
		c.Header(k, v)
	}
	if s.secure {
		c.Header("Strict-Transport-Security", hsts)
	}
}

// sameOrigin refuses what another site had the browser send.
func (s *server) sameOrigin(c *gin.Context) {
	if err := s.cross.Check(c.Request); err != nil {
		s.fail(c, fault.Wrap(fault.Forbidden, "request.cross_site", "La richiesta arriva da un altro sito e non è stata eseguita. Aprire la pagina dal sito dell'ufficio e riprovare.", err))
	}
}

const whoKey = "who"

// who returns who asks; the zero Who on public pages.
func who(c *gin.Context) access.Who {
	w, _ := c.Value(whoKey).(access.Who)
	return w
}

// admit lets through who may use a route.
func (s *server) admit(r route) gin.HandlerFunc {
	limit := r.maxBody
	if limit == 0 {
		limit = maxForm
	}
	return func(c *gin.Context) {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		if r.need == public {
			return
		}
		w, err := s.session(c)
		if err != nil {
			s.signInFirst(c, err)
			return
		}
		c.Set(whoKey, w)
		switch {
		case !safeMethod(c.Request.Method) && !s.ownForm(c, w):
			return
		case r.need == enrolling:
		case w.Limited:
			see(c, pathTOTP)
		case r.need != signedIn && !w.May(r.need):
			s.fail(c, fault.New(fault.Forbidden, "role.may_not", "Il suo ruolo non permette questa operazione. Se serve, chiedere a un responsabile o all'amministratore."))
		}
	}
}

func safeMethod(m string) bool { return m == http.MethodGet || m == http.MethodHead }

// ownForm reports whether a form is of this session, or answers why not.
func (s *server) ownForm(c *gin.Context, w access.Who) bool {
	token := c.GetHeader("X-CSRF-Token")
	if token == "" {
		if err := parseForm(c); err != nil {
			s.fail(c, err)
			return false
		}
		token = c.PostForm("csrf")
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(w.CSRF)) == 1 {
		return true
	}
	s.fail(c, fault.New(fault.Conflict, "request.old_form", "Il modulo era stato aperto in una sessione precedente e non è stato inviato. Tornare indietro, ricaricare la pagina e riprovare: nulla è stato modificato."))
	return false
}

func parseForm(c *gin.Context) error {
	var err error
	if strings.HasPrefix(c.ContentType(), "multipart/") {
		err = c.Request.ParseMultipartForm(maxForm) // what is larger waits on disk
	} else {
		err = c.Request.ParseForm()
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return fault.New(fault.Invalid, "request.too_large", "I dati inviati sono troppo grandi per questa pagina.")
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, "request.malformed", "I dati non sono arrivati per intero. Riprovare.", err)
	}
	return nil
}

// signInFirst sends to the login page, and from there back.
func (s *server) signInFirst(c *gin.Context, err error) {
	f := fault.Of(err)
	if !strings.HasPrefix(f.Code, "session.") {
		s.fail(c, err)
		return
	}
	s.clearCookie(c)
	to := pathSignIn
	q := url.Values{}
	if f.Code != "session.none" {
		q.Set("fine", strings.TrimPrefix(f.Code, "session."))
	}
	if c.Request.Method == http.MethodGet && c.Request.URL.RequestURI() != "/" && c.GetHeader("HX-Request") == "" {
		q.Set("da", c.Request.URL.RequestURI())
	}
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	if c.GetHeader("HX-Request") != "" {
		c.Header("HX-Redirect", to) // htmx would put the login page into a corner of this one
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	see(c, to)
}

// maxNext bounds an address to go back to: none of ours is longer.
const maxNext = 512

// safeNext returns where to go after signing in: a path of ours, else the first
// page. Browsers take "//host" and "/\host" for other sites.
func safeNext(s string) string {
	if len(s) > maxNext || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }) {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, "/\\") {
		return "/"
	}
	return s
}

// cookieName is bound to this host by its prefix, which browsers grant to TLS
// alone. On plain HTTP, which config allows on this machine only, there is none.
func (s *server) cookieName() string {
	if s.secure {
		return "__Host-sessione"
	}
	return "sessione"
}

func (s *server) session(c *gin.Context) (access.Who, error) {
	token, err := c.Request.Cookie(s.cookieName())
	if err != nil {
		return s.Access.Session(c.Request.Context(), "")
	}
	return s.Access.Session(c.Request.Context(), token.Value)
}

// setCookie gives the browser a session. It is Lax and not Strict: a link in an
// e-mail of a colleague must not ask to sign in again, and nothing is changed by GET.
func (s *server) setCookie(c *gin.Context, token string) {
	http.SetCookie(c.Writer, &http.Cookie{Name: s.cookieName(), Value: token, Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (s *server) clearCookie(c *gin.Context) {
	http.SetCookie(c.Writer, &http.Cookie{Name: s.cookieName(), Path: "/", MaxAge: -1, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// from tells where a browser is.
func from(c *gin.Context) access.From {
	return access.From{Address: network(c.ClientIP()), Agent: agent(c.Request.UserAgent())}
}

// network is an address as far as one subscriber has it: IPv6 gives them a /64.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "?"
	}
	a = a.Unmap()
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return "?"
	}
	return p.String()
}

// agent is the class of a browser: enough to know one's own in a list.
func agent(header string) string {
	find := func(table [][2]string, none string) string {
		for _, row := range table {
			if strings.Contains(header, row[0]) {
				return row[1]
			}
		}
		return none
	}
	// The order matters: each calls itself by the names that follow.
	browser := find([][2]string{{"Firefox/", "Firefox"}, {"Edg/", "Edge"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}, "altro browser")
	system := find([][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Macintosh", "macOS"}, {"Linux", "Linux"}}, "altro sistema")
	return browser + " su " + system
}
