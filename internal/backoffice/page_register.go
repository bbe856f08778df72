package backoffice

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// registerPage is the history of everything.
type registerPage struct {
	From, About, By string
	Areas           []choice
	Rows            []auditRow
	Next            string
	More            bool // the filters left out so much that the page is not full
}

type auditRow struct {
	Seq      uint64
	At       time.Time
	Who      string
	Text     string
	Action   string
	Position multe.PositionID
	Subject  string
	Change   string
}

// auditAreas are what lines can be filtered by: the first part of an action.
var auditAreas = []choice{
	{Value: "", Text: "Tutto"}, {Value: "verbale.", Text: "Verbali"}, {Value: "code.", Text: "Codici"}, {Value: "change.", Text: "Comunicazioni"},
	{Value: "batch.", Text: "Liste"}, {Value: "payment.", Text: "Pagamenti"}, {Value: "flusso.", Text: "Flussi"}, {Value: "device.", Text: "Palmari"},
	{Value: "operator.", Text: "Operatori"}, {Value: "session.", Text: "Accessi"}, {Value: "seen.", Text: "Dati personali visti"},
}

// auditRead is how many lines are looked at for one page: a filter that few lines
// pass must not read the history of years.
const auditRead = 5000

// registerPage serves GET /registro.
func (s *server) registerPage(c *gin.Context) {
	w, today := who(c), multe.DayOf(s.Now())
	from, err := multe.ParseDay(c.Query("dal"))
	if err != nil {
		from = today
	}
	p := registerPage{From: from.String(), About: c.Query("area"), By: c.Query("chi")}
	for _, a := range auditAreas {
		a.Chosen = a.Value == p.About
		p.Areas = append(p.Areas, a)
	}
	after, noCursor := strconv.ParseUint(c.Query("dopo"), 10, 64)
	var last uint64
	if !s.look(c, func(r store.Reader) (err error) {
		p.Rows, p.Next, p.More, last = nil, "", false, after
		if noCursor != nil {
			if last, err = seqAt(r, w.Creditor, from.Start()); err != nil {
				return err
			}
		}
		for read := 0; len(p.Rows) < pageSize; {
			page, err := r.Audit(w.Creditor, "", last, store.MaxPage)
			if err != nil {
				return err
			}
			for _, e := range page {
				last = e.Seq
				if p.passes(e) {
					p.Rows = append(p.Rows, s.auditRow(e))
				}
				if len(p.Rows) == pageSize {
					p.More = true
					break
				}
			}
			if len(page) < store.MaxPage {
				break
			}
			if read += len(page); read >= auditRead {
				p.More = true
				break
			}
		}
		return nil
	}) {
		return
	}
	if p.More {
		p.Next = "/registro?" + url.Values{"dal": {p.From}, "area": {p.About}, "chi": {p.By}, "dopo": {strconv.FormatUint(last, 10)}}.Encode()
	}
	if !s.seen(c, "registro", p.From, "") {
		return
	}
	s.render(c, http.StatusOK, "registro.html", p)
}

func (p registerPage) passes(e multe.AuditEntry) bool {
	return strings.HasPrefix(e.Action, p.About) && (p.By == "" || strings.Contains(e.Actor, p.By))
}

func (s *server) auditRow(e multe.AuditEntry) auditRow {
	row := auditRow{Seq: e.Seq, At: e.At, Who: actorWord(e.Actor), Text: s.Sentence(e), Action: e.Action, Position: e.Position, Subject: short(e.Subject)}
	if what, seen := strings.CutPrefix(e.Action, "seen."); seen {
		row.Text = "Dati personali visti (" + what + ")."
	}
	if e.From != e.To {
		row.Change = strings.TrimSpace(stateWord(e.Action, e.From) + " → " + stateWord(e.Action, e.To))
	}
	return row
}
