package backoffice

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
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
		if c.Request.ContentLength > limit {
			// Browsers send all of it before they read: an answer before that is
			// a broken connection to them, and not a page.
			_, _ = io.CopyN(io.Discard, c.Request.Body, maxDrain)
			s.fail(c, errTooLarge())
			return
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		if r.need == public {
			return
		}
		ask := s.session
		if r.path == pathNumbers {
			ask = s.peek
		}
		w, err := ask(c)
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
		case !safeMethod(c.Request.Method):
			s.expect(c, r, w)
			s.once(c, w)
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

// versioned are the records whose pages carry the version that was shown, by the
// first part of the path of their forms.
var versioned = map[string]string{"verbale": "verbali", "dispositivi": "devices"}

// expect hands the version that a form was drawn from on to where the change is
// made: who goes back in the browser must not change what somebody else changed.
func (s *server) expect(c *gin.Context, r route, w access.Who) {
	version, err := strconv.ParseUint(c.PostForm("versione"), 10, 64)
	first, _, _ := strings.Cut(r.path[1:], "/")
	if kind, ok := versioned[first]; ok && err == nil {
		c.Request = c.Request.WithContext(multe.WithExpected(c.Request.Context(), multe.Expected{Creditor: w.Creditor, Kind: kind, ID: c.Param("id"), Version: version}))
	}
}

// once refuses a form that adds something and was sent before: a second click, or
// a page loaded again. What was refused may be sent again.
func (s *server) once(c *gin.Context, w access.Who) {
	if c.PostForm("richiesta") == "" {
		return
	}
	key := multe.DigestOf([]byte(string(w.Creditor) + "/" + string(w.Operator) + c.Request.URL.Path + "?" + c.Request.PostForm.Encode()))
	if !s.desk.sent.claim(key) {
		s.fail(c, fault.New(fault.Conflict, "request.sent_already", "Questo modulo era già stato inviato ed è stato eseguito una volta sola: guardare il risultato nella pagina da cui si era partiti. Per farne un altro, aprire di nuovo la pagina."))
		return
	}
	c.Next()
	if c.Writer.Status() >= http.StatusBadRequest {
		s.desk.sent.release(key)
	}
}

// maxDrain is how much of a form that is too large is read and thrown away, so
// that a page can say so: what people send by mistake is a photo or a scan.
const maxDrain = 32 << 20

func errTooLarge() error {
	return fault.New(fault.Invalid, "request.too_large", "I dati inviati sono troppo grandi per questa pagina: nulla è stato salvato. Controllare di avere scelto il file giusto, o dividerlo.")
}

func parseForm(c *gin.Context) error {
	var err error
	if strings.HasPrefix(c.ContentType(), "multipart/") {
		err = c.Request.ParseMultipartForm(maxForm) // what is larger waits on disk
	} else {
		err = c.Request.ParseForm()
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return errTooLarge()
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
	_, err = c.Request.Cookie(s.cookieName())
	held := err == nil // it had a session, which is no more
	s.clearCookie(c)
	to := pathSignIn
	q := url.Values{}
	if f.Code != "session.none" {
		q.Set("fine", strings.TrimPrefix(f.Code, "session."))
	} else if held {
		q.Set("fine", "closed")
	}
	back := c.Request.URL.RequestURI()
	if c.Request.Method != http.MethodGet {
		back = s.pageOf(c.FullPath(), c.Request.URL.Path)
		if c.FullPath() != "/esci" {
			q.Set("perso", c.FullPath())
		}
	}
	if back != "/" && c.GetHeader("HX-Request") == "" {
		q.Set("da", back)
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

// pageOf returns the page that a form stands on: the nearest above where it goes to.
func (s *server) pageOf(pattern, path string) string {
	for pattern != "" {
		if s.gets[pattern] {
			return path
		}
		pattern, path = pattern[:strings.LastIndexByte(pattern, '/')], path[:max(0, strings.LastIndexByte(path, '/'))]
	}
	return "/"
}

// lostForms are what is not saved if a session ends before a form is sent.
var lostForms = map[string]string{
	"/verbale/:id/registra":        "la registrazione del verbale",
	"/verbale/:id/annulla":         "l'annullamento del verbale",
	"/verbale/:id/approva":         "l'approvazione dell'annullamento",
	"/verbale/:id/ripensa":         "il ritiro dell'annullamento",
	"/codici/:position/annulla":    "l'annullamento del codice",
	"/codici/:position/ripristina": "il ripristino del codice",
	"/dispositivi":                 "il nuovo palmare",
	"/dispositivi/:id/invito":      "il nuovo codice di attivazione",
	"/dispositivi/:id/revoca":      "la revoca del palmare",
	"/oggi/prendi":                 "la presa in carico della segnalazione",
	"/oggi/chiudi":                 "la chiusura della segnalazione, con la sua nota",
	"/messaggi/:id/rielabora":      "la rielaborazione del messaggio",
	"/verbali/cerca":               "la ricerca",
	"/codici/cerca":                "la ricerca",
	pathPassword:                   "la nuova password",
	"/operatori":                   "l'invito",
	"/operatori/:id/ruolo":         "il nuovo ruolo",
	"/impostazioni":                "le impostazioni",
	"/impostazioni/file/:file":     "il file",
	"/comunicazioni":               "la comunicazione ai palmari",
	"/collegamenti":                "il collegamento",
	"/verbale/:id/notifica":        "la notifica",
	"/verbale/:id/correggi":        "la correzione della registrazione",
	"/verbale/:id/ricorso":         "il ricorso",
	"/verbale/:id/esito":           "l'esito del ricorso",
	"/verbale/:id/stampa":          "la stampa",
	"/pagamenti/:iuv/rimborso":     "il rimborso",
	"/stampe":                      "la stampa chiesta",
	"/elenchi":                     "l'elenco",
	"/elenchi/:id/ritira":          "il ritiro dell'elenco",
	"/proprietari":                 "l'importazione dei proprietari",
}

// lost tells what was not saved, by the pattern of its route.
func lost(pattern string) string {
	if pattern == "" {
		return ""
	}
	if w, ok := lostForms[pattern]; ok {
		return w
	}
	return "quello che era stato appena inviato"
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
	return s.Access.Session(c.Request.Context(), s.token(c))
}

// peek is session for what a page asks while nobody may be looking.
func (s *server) peek(c *gin.Context) (access.Who, error) {
	return s.Access.Peek(c.Request.Context(), s.token(c))
}

// token is what the browser shows; "" if nothing.
func (s *server) token(c *gin.Context) string {
	cookie, err := c.Request.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return cookie.Value
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
