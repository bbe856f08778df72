package backoffice

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

func (s *server) facts(c *gin.Context) (f facts, ok bool) {
	w := who(c)
	ok = s.look(c, func(r store.Reader) error {
		t, err := s.trend(r, w.Creditor)
		if err != nil {
			return err
		}
		f, err = readFacts(r, w.Creditor, s.Now(), t)
		return err
	})
	return f, ok
}

// todayPage serves GET /.
func (s *server) todayPage(c *gin.Context) {
	f, ok := s.facts(c)
	if !ok {
		return
	}
	w, p := who(c), today(f)
	p.MayClose, p.MayRecord = w.May(multe.MayHandleTrouble), w.May(multe.MayRecord)
	s.render(c, http.StatusOK, "oggi.html", p)
}

// takeTrouble serves POST /oggi/prendi.
func (s *server) takeTrouble(c *gin.Context) {
	w := who(c)
	if _, err := s.Worklist.Take(c.Request.Context(), w.Actor(), w.Creditor, c.PostForm("id")); err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/?fatto=preso")
}

// closeTrouble serves POST /oggi/chiudi.
func (s *server) closeTrouble(c *gin.Context) {
	w := who(c)
	_, err := s.Worklist.Close(c.Request.Context(), w.Actor(), w.Creditor, c.PostForm("id"), multe.WorkOutcome(c.PostForm("esito")), c.PostForm("nota"))
	if err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/?fatto=chiuso")
}
