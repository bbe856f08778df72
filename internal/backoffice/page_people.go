package backoffice

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func (s *server) peopleRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/operatori", multe.MayManage, 0, s.peoplePage},
		{post, "/operatori", multe.MayManage, 0, s.invitePerson},
		{post, "/operatori/:id/ruolo", multe.MayManage, 0, s.setRole},
		{post, "/operatori/:id/accesso", multe.MayManage, 0, s.setDisabled},
		{post, "/operatori/:id/azzera", multe.MayManage, 0, s.resetPerson},
	}
}

// peoplePage is who works here.
type peoplePage struct {
	Rows     []personRow
	Next     string
	Link     string // of an invitation, shown once
	LinkFor  string
	Till     time.Time
	Problems []problem
	Fields   []field
}

type personRow struct {
	ID          multe.OperatorID
	Name, Login string
	Sign        sign
	Person      bool
	Oneself     bool
	Disabled    bool
	Roles       []choice
	Role        string
}

// roleWords say what each role is for.
var roleWords = map[multe.Role]string{
	multe.RoleAgente: "agente", multe.RoleAddetto: "addetto", multe.RoleResponsabile: "responsabile", multe.RoleContabile: "contabile",
	multe.RoleAmministratore: "amministratore", multe.RoleSolaLettura: "sola lettura", multe.RoleProgramma: "programma",
}

func roleOptions(chosen multe.Role) []choice {
	var cs []choice
	for _, r := range multe.Roles {
		if r != multe.RoleProgramma {
			cs = append(cs, choice{string(r), roleWords[r], r == chosen})
		}
	}
	return cs
}

func personSign(o multe.Operator) sign {
	switch {
	case o.Disabled:
		return sign{"disabilitato", "plain", "it-ban"}
	case o.Login == "":
		return sign{"programma", "plain", "it-settings"}
	case !o.Invite.IsZero():
		return sign{"invitato", "wait", "it-clock"}
	}
	return sign{"attivo", "good", "it-check-circle"}
}

// peoplePage serves GET /operatori.
func (s *server) peoplePage(c *gin.Context) {
	s.showPeople(c, http.StatusOK, peoplePage{}, proposed(map[string]string{"ruolo": string(multe.RoleAddetto)}))
}

func (s *server) showPeople(c *gin.Context, status int, p peoplePage, v func(string) string) {
	w := who(c)
	list, err := s.Access.Operators(c.Request.Context(), w.Creditor, multe.OperatorID(c.Query("dopo")), store.MaxPage)
	if err != nil {
		s.fail(c, err)
		return
	}
	if len(list) == store.MaxPage {
		p.Next = "/operatori?dopo=" + url.QueryEscape(string(list[len(list)-1].ID))
	}
	for _, o := range list {
		p.Rows = append(p.Rows, personRow{o.ID, o.Name, o.Login, personSign(o), o.Login != "", o.ID == w.Operator, o.Disabled, roleOptions(o.RoleOf()), roleWords[o.RoleOf()]})
	}
	p.Fields = filled([]field{{Name: "nome", Label: "Nome e cognome", Max: 100}, {Name: "email", Label: "E-mail", Help: "Serve per entrare: una per persona.", Type: "email", Max: maxDebtorField},
		{Name: "ruolo", Label: "Ruolo", Options: roleOptions("")}}, p.Problems, v)
	s.render(c, status, "operatori.html", p)
}

// invited shows the link of an invitation: here, and nowhere else.
func (s *server) invitedPerson(c *gin.Context, o multe.Operator, code string) {
	s.showPeople(c, http.StatusCreated, peoplePage{Link: s.URL + pathInvite + "?codice=" + url.QueryEscape(code), LinkFor: o.Name, Till: o.InviteBy},
		proposed(map[string]string{"ruolo": string(multe.RoleAddetto)}))
}

// invitePerson serves POST /operatori.
func (s *server) invitePerson(c *gin.Context) {
	w, v := who(c), typedIn(c)
	o, code, err := s.Access.Invite(c.Request.Context(), w.Actor(), w.Creditor, v("nome"), v("email"), multe.Role(v("ruolo")))
	if err != nil {
		fields := map[string]string{"operator.bad_name": "nome", "operator.bad_login": "email", "operator.login_taken": "email", "operator.bad_role": "ruolo"}
		if problems, ok := s.problemsOf(c, err, fields); ok {
			s.showPeople(c, statuses[fault.Of(err).Kind], peoplePage{Problems: problems}, v)
		}
		return
	}
	s.invitedPerson(c, o, code)
}

func (s *server) afterPerson(c *gin.Context, err error) bool {
	if err == nil {
		return true
	}
	if problems, ok := s.problemsOf(c, err, nil); ok {
		s.showPeople(c, statuses[fault.Of(err).Kind], peoplePage{Problems: problems}, proposed(nil))
	}
	return false
}

// setRole serves POST /operatori/:id/ruolo.
func (s *server) setRole(c *gin.Context) {
	w := who(c)
	_, err := s.Access.SetRole(c.Request.Context(), w.Actor(), w.Creditor, multe.OperatorID(c.Param("id")), multe.Role(c.PostForm("ruolo")))
	if s.afterPerson(c, err) {
		see(c, "/operatori?fatto=operatore")
	}
}

// setDisabled serves POST /operatori/:id/accesso.
func (s *server) setDisabled(c *gin.Context) {
	w := who(c)
	_, err := s.Access.Disable(c.Request.Context(), w.Actor(), w.Creditor, multe.OperatorID(c.Param("id")), c.PostForm("chiuso") != "")
	if s.afterPerson(c, err) {
		see(c, "/operatori?fatto=operatore")
	}
}

// resetPerson serves POST /operatori/:id/azzera.
func (s *server) resetPerson(c *gin.Context) {
	w := who(c)
	o, code, err := s.Access.Reset(c.Request.Context(), w.Actor(), w.Creditor, multe.OperatorID(c.Param("id")))
	if s.afterPerson(c, err) {
		s.invitedPerson(c, o, code)
	}
}
