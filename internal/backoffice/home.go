package backoffice

import (
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"
)

// functions are what templates can call.
var functions = template.FuncMap{}

func (s *server) homeRoutes() []route {
	return []route{{http.MethodGet, "/", signedIn, 0, func(c *gin.Context) { s.render(c, http.StatusOK, "home.html", nil) }}}
}
