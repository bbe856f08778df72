package backoffice

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

const (
	pathSignIn   = "/accesso"
	pathInvite   = "/invito"
	pathTOTP     = "/conto/secondo-fattore"
	pathPassword = "/conto/password"
	pathSessions = "/conto/sessioni"
)

func (s *server) authRoutes() []route {
	return []route{
		{http.MethodGet, pathSignIn, public, 0, s.signInPage},
		{http.MethodPost, pathSignIn, public, 0, s.signIn},
		{http.MethodGet, pathInvite, public, 0, s.invitePage},
		{http.MethodPost, pathInvite, public, 0, s.acceptInvite},
		{http.MethodPost, "/esci", enrolling, 0, s.signOut},
		{http.MethodGet, pathTOTP, enrolling, 0, s.totpPage},
		{http.MethodGet, pathTOTP + "/qr.png", enrolling, 0, s.totpQR},
		{http.MethodPost, pathTOTP, enrolling, 0, s.confirmTOTP},
		{http.MethodGet, pathPassword, signedIn, 0, s.passwordPage},
		{http.MethodPost, pathPassword, signedIn, 0, s.changePassword},
		{http.MethodGet, pathSessions, signedIn, 0, s.sessionsPage},
		{http.MethodPost, pathSessions, signedIn, 0, s.endSession},
	}
}

// signInForm is what the login page shows.
type signInForm struct {
	Ended   string // why the last session ended, "" if it did not
	Lost    string // what was sent after it had ended and is not saved
	Problem string
	Login   string
	Next    string
	OIDC    bool // there is a provider to sign in with
}

// endings are the ways a session ends, by the code in the address.
var endings = map[string]string{
	"idle":     "La sessione è stata chiusa dopo 30 minuti senza attività. Dopo l'accesso si torna alla pagina di prima.",
	"too_long": "La sessione è stata chiusa perché durava da 12 ore. Dopo l'accesso si torna alla pagina di prima.",
	"closed":   "La sessione non è più aperta: è stata chiusa da un'altra postazione o dall'amministratore. Dopo l'accesso si torna alla pagina di prima.",
}

func (s *server) signInPage(c *gin.Context) {
	next := safeNext(c.Query("da"))
	if w, err := s.session(c); err == nil && !w.Limited {
		see(c, next)
		return
	}
	s.render(c, http.StatusOK, "login.html", signInForm{Ended: endings[c.Query("fine")], Lost: lost(c.Query("perso")), Next: next, OIDC: s.provider != nil})
}

func (s *server) signIn(c *gin.Context) {
	if err := parseForm(c); err != nil {
		s.fail(c, err)
		return
	}
	form := signInForm{Login: c.PostForm("email"), Next: safeNext(c.PostForm("da")), OIDC: s.provider != nil}
	token, err := s.Access.SignIn(c.Request.Context(), access.Credentials{Login: form.Login, Password: c.PostForm("password"), Code: c.PostForm("codice")}, from(c))
	if err != nil {
		f := fault.Of(err)
		if f.Code != "access.refused" && f.Code != "access.too_many" {
			s.fail(c, err)
			return
		}
		form.Problem = f.Detail
		s.render(c, statuses[f.Kind], "login.html", form)
		return
	}
	s.signedIn(c, token, form.Next)
}

// signedIn gives the browser its new session; one it had before ends, so that
// nobody who knew its token knows this one.
func (s *server) signedIn(c *gin.Context, token, next string) {
	if old, err := s.session(c); err == nil {
		if err := s.Access.SignOut(c.Request.Context(), old); err != nil {
			s.fail(c, err)
			return
		}
	}
	s.setCookie(c, token)
	see(c, next)
}

type inviteForm struct {
	Code, Name, Login, Problem string
	OIDC                       bool
}

func (s *server) invitePage(c *gin.Context) {
	code := c.Query("codice")
	o, err := s.Access.Invited(c.Request.Context(), code)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.render(c, http.StatusOK, "invite.html", inviteForm{Code: code, Name: o.Name, Login: o.Login, OIDC: s.provider != nil})
}

func (s *server) acceptInvite(c *gin.Context) {
	if err := parseForm(c); err != nil {
		s.fail(c, err)
		return
	}
	code, password := c.PostForm("codice"), c.PostForm("password")
	o, err := s.Access.Invited(c.Request.Context(), code)
	if err != nil {
		s.fail(c, err)
		return
	}
	form := inviteForm{Code: code, Name: o.Name, Login: o.Login, OIDC: s.provider != nil}
	if password != c.PostForm("ripeti") {
		form.Problem = "Le due password non sono uguali."
		s.render(c, http.StatusUnprocessableEntity, "invite.html", form)
		return
	}
	token, err := s.Access.Accept(c.Request.Context(), code, password, from(c))
	if f := fault.Of(err); err != nil && f.Kind == fault.Invalid {
		form.Problem = f.Detail
		s.render(c, http.StatusUnprocessableEntity, "invite.html", form)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.signedIn(c, token, pathTOTP)
}

func (s *server) signOut(c *gin.Context) {
	if err := s.Access.SignOut(c.Request.Context(), who(c)); err != nil {
		s.fail(c, err)
		return
	}
	s.clearCookie(c)
	see(c, pathSignIn)
}

type totpForm struct {
	Enrolled        bool
	Secret, Problem string
	Recovery        []string // shown once
}

func (s *server) totpPage(c *gin.Context) {
	s.showTOTP(c, http.StatusOK, "")
}

func (s *server) showTOTP(c *gin.Context, status int, problem string) {
	e, err := s.Access.Enrolment(c.Request.Context(), who(c))
	if f := fault.Of(err); err != nil && f.Code != "totp.enrolled" {
		s.fail(c, err)
		return
	}
	s.render(c, status, "totp.html", totpForm{Enrolled: err != nil, Secret: e.Secret, Problem: problem})
}

func (s *server) totpQR(c *gin.Context) {
	e, err := s.Access.Enrolment(c.Request.Context(), who(c))
	if err != nil {
		s.fail(c, err)
		return
	}
	png, err := e.QR()
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "image/png", png)
}

func (s *server) confirmTOTP(c *gin.Context) {
	recovery, token, err := s.Access.ConfirmTOTP(c.Request.Context(), who(c), c.PostForm("codice"))
	if f := fault.Of(err); err != nil && (f.Kind == fault.Invalid || f.Kind == fault.Exhausted) {
		s.showTOTP(c, statuses[f.Kind], f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.setCookie(c, token)
	w, err := s.Access.Session(c.Request.Context(), token) // the forms of this page are already of the new session
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Set(whoKey, w)
	s.render(c, http.StatusOK, "totp.html", totpForm{Enrolled: true, Recovery: recovery})
}

type passwordForm struct{ Problem, Done string }

func (s *server) passwordPage(c *gin.Context) {
	s.render(c, http.StatusOK, "password.html", passwordForm{})
}

func (s *server) changePassword(c *gin.Context) {
	if c.PostForm("nuova") != c.PostForm("ripeti") {
		s.render(c, http.StatusUnprocessableEntity, "password.html", passwordForm{Problem: "Le due password non sono uguali."})
		return
	}
	token, err := s.Access.ChangePassword(c.Request.Context(), who(c), c.PostForm("attuale"), c.PostForm("nuova"))
	if f := fault.Of(err); err != nil && (f.Kind == fault.Invalid || f.Kind == fault.Exhausted) {
		s.render(c, statuses[f.Kind], "password.html", passwordForm{Problem: f.Detail})
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.setCookie(c, token)
	see(c, pathSessions) // a page with this session's old token in its forms would be of no use
}

type sessionsPage struct {
	Own  int
	Open []multe.Session
}

func (s *server) sessionsPage(c *gin.Context) {
	w := who(c)
	open, err := s.Access.Sessions(c.Request.Context(), w.Creditor, w.Operator)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.render(c, http.StatusOK, "sessions.html", sessionsPage{Own: w.Session, Open: open})
}

// endSession ends one of the caller's own sessions.
func (s *server) endSession(c *gin.Context) {
	w := who(c)
	n, err := strconv.Atoi(c.PostForm("n"))
	if err != nil || n < 1 || n > multe.MaxSessions {
		s.fail(c, fault.New(fault.Invalid, "session.bad_number", "La sessione indicata non esiste."))
		return
	}
	if err := s.Access.Kill(c.Request.Context(), w.Actor(), w.Creditor, w.Operator, n); err != nil {
		s.fail(c, err)
		return
	}
	see(c, pathSessions)
}
