package backoffice

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// formPage is a page that is one form, with the act it is about beside it.
type formPage struct {
	Back, BackText string
	Title, Intro   string
	Problems       []problem
	Action, Button string
	ID             string // made here, so that sending the form twice does it once; "" if it needs none
	Version        uint64 // of the record that the form was drawn from; 0 if none is changed
	Groups         []fieldGroup
	Slip           *slipView
}

// fieldGroup is some fields that belong together.
type fieldGroup struct {
	Legend string // "" at the top
	Fields []field
}

// showForm answers with a form; what is wrong stands beside its field.
func (s *server) showForm(c *gin.Context, status int, p formPage, v func(string) string) {
	for i := range p.Groups {
		p.Groups[i].Fields = filled(p.Groups[i].Fields, p.Problems, v)
	}
	s.render(c, status, "modulo.html", p)
}

// filled puts what was typed, and what is wrong with it, into fields.
func filled(fields []field, problems []problem, v func(string) string) []field {
	wrong := map[string]string{}
	for _, x := range problems {
		if x.Field != "" {
			wrong[x.Field] = x.Text
		}
	}
	out := make([]field, len(fields))
	for i, f := range fields {
		f.Value, f.Error = v(f.Name), wrong[f.Name]
		options := make([]choice, len(f.Options))
		for j, o := range f.Options {
			o.Chosen = o.Value == f.Value
			options[j] = o
		}
		f.Options = options
		out[i] = f
	}
	return out
}

// typedIn reads a form, without the spaces around what was typed.
func typedIn(c *gin.Context) func(string) string {
	return func(name string) string { return strings.TrimSpace(c.PostForm(name)) }
}

// proposed is a form as it is first shown.
func proposed(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

// typedDay reads a day; "" is none.
func typedDay(s, code string) (multe.Day, error) {
	if s == "" {
		return multe.Day{}, nil
	}
	d, err := multe.ParseDay(s)
	if err != nil {
		return d, fault.Wrap(fault.Invalid, code, "La data non esiste: va scritta come giorno, mese e anno.", err)
	}
	return d, nil
}

// newID makes the id of something that a form is about to make.
func (s *server) newID(c *gin.Context) (string, bool) {
	id, err := multe.NewID(s.Now(), s.Random)
	if err != nil {
		s.fail(c, err)
		return "", false
	}
	return id, true
}

// sinceID is below every id that is made from a day on: ours begin with their
// instant (UUIDv7).
func sinceID(d multe.Day) string { return fmt.Sprintf("%012x%020d", d.Start().UnixMilli(), 0) }

// maxRecent bounds a list that is shown from its end: a few years of what an
// office makes once a day.
const maxRecent = 1000

// latest reads a list from a day on and returns it backwards: the newest is what
// somebody looks for. full says that there was more, which is older.
func latest[T any](read func(after string, limit int) ([]T, error), id func(T) string, after string, page int) (list []T, full bool, err error) {
	for {
		next, err := read(after, page)
		if err != nil {
			return nil, false, err
		}
		list = append(list, next...)
		if len(next) < page {
			break
		}
		if len(list) >= maxRecent {
			full = true
			break
		}
		after = id(next[len(next)-1])
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, full, nil
}

// file answers with a file to keep. Its name says nothing of anybody.
func file(c *gin.Context, name, media string, body []byte) {
	c.Header("Content-Disposition", `attachment; filename="`+name+`"`)
	c.Data(http.StatusOK, media, body)
	c.Abort()
}

// options are the choices of a select.
func options(pairs ...[2]string) []choice {
	cs := make([]choice, len(pairs))
	for i, p := range pairs {
		cs[i] = choice{Value: p[0], Text: p[1]}
	}
	return cs
}
