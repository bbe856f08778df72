package backoffice

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Bulletins writes to handhelds; package feedback does it.
type Bulletins interface {
	Write(ctx context.Context, actor string, c multe.CreditorID, id multe.BulletinID, d multe.DeviceID, text string, expires time.Time) (multe.Bulletin, error)
	Bulletins(ctx context.Context, c multe.CreditorID, after multe.BulletinID, limit int) ([]multe.Bulletin, error)
	Bulletin(ctx context.Context, c multe.CreditorID, id multe.BulletinID) (multe.Bulletin, []multe.BulletinRead, error)
}

func (s *server) bulletinRoutes() []route {
	return []route{
		{http.MethodGet, "/comunicazioni", multe.MayManageDevices, 0, s.bulletinsPage},
		{http.MethodPost, "/comunicazioni", multe.MayManageDevices, 0, s.writeBulletin},
	}
}

// bulletinsPage is what the office wrote to handhelds, and who has read it.
type bulletinsPage struct {
	Rows     []bulletinRow
	Problems []problem
	ID       string
	Fields   []field
}

type bulletinRow struct {
	Text, To, By     string
	Written, Expires time.Time
	Over             bool
	Readers          []string
}

// maxReaders is how many handhelds the list to choose from holds: more than any
// town of Piemonte has.
const maxReaders = 2000

// bulletinsPage serves GET /comunicazioni.
func (s *server) bulletinsPage(c *gin.Context) {
	s.showBulletins(c, http.StatusOK, proposed(map[string]string{"fino": multe.DayOf(s.Now()).Plus(1).String(), "a": c.Query("a")}), nil)
}

func (s *server) showBulletins(c *gin.Context, status int, v func(string) string, problems []problem) {
	w, ctx := who(c), c.Request.Context()
	names, to := map[multe.DeviceID]string{}, []choice{{Value: "", Text: "Tutti i palmari"}}
	if !s.look(c, func(r store.Reader) error {
		clear(names)
		to = to[:1]
		for after := multe.DeviceID(""); len(names) < maxReaders; {
			ds, err := r.Devices(w.Creditor, after, store.MaxPage)
			if err != nil {
				return err
			}
			for _, d := range ds {
				names[d.ID], after = d.Name, d.ID
				if d.State == multe.DeviceEnrolled {
					to = append(to, choice{Value: string(d.ID), Text: d.Name})
				}
			}
			if len(ds) < store.MaxPage {
				break
			}
		}
		return nil
	}) {
		return
	}
	list, _, err := latest(func(after string, n int) ([]multe.Bulletin, error) {
		return s.Bulletins.Bulletins(ctx, w.Creditor, multe.BulletinID(after), n)
	}, func(b multe.Bulletin) string { return string(b.ID) }, sinceID(multe.DayOf(s.Now()).Plus(-listDays)), store.MaxPage)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := bulletinsPage{Problems: problems}
	if p.ID = v("id"); p.ID == "" {
		var ok bool
		if p.ID, ok = s.newID(c); !ok {
			return
		}
	}
	for _, b := range list[:min(len(list), pageSize)] {
		_, reads, err := s.Bulletins.Bulletin(ctx, w.Creditor, b.ID)
		if err != nil {
			s.fail(c, err)
			return
		}
		row := bulletinRow{Text: b.Text, To: "tutti", By: actorWord(b.Actor), Written: b.Written, Expires: b.Expires, Over: !s.Now().Before(b.Expires)}
		if b.Device != "" {
			row.To = names[b.Device]
		}
		for _, x := range reads {
			row.Readers = append(row.Readers, names[x.Device]+" ("+instant(x.At)+")")
		}
		p.Rows = append(p.Rows, row)
	}
	p.Fields = filled([]field{{Name: "testo", Label: "Testo", Help: "Senza dati personali: lo legge chiunque trovi il palmare.", Lines: 3, Max: multe.MaxBulletin},
		{Name: "a", Label: "A chi", Options: to}, {Name: "fino", Label: "Si legge fino al", Help: "Compreso; al massimo 30 giorni.", Type: "date"}}, problems, v)
	s.render(c, status, "comunicazioni.html", p)
}

// writeBulletin serves POST /comunicazioni.
func (s *server) writeBulletin(c *gin.Context) {
	w, v := who(c), typedIn(c)
	day, err := typedDay(v("fino"), "message.bad_expiry")
	if err == nil {
		text := strings.Join(strings.Fields(v("testo")), " ") // a small screen breaks lines itself
		_, err = s.Bulletins.Write(c.Request.Context(), w.Actor(), w.Creditor, multe.BulletinID(v("id")), multe.DeviceID(v("a")), text, day.Plus(1).Start())
	}
	if err != nil {
		if problems, ok := s.problemsOf(c, err, map[string]string{"message.bad_text": "testo", "message.bad_expiry": "fino"}); ok {
			s.showBulletins(c, statuses[fault.Of(err).Kind], v, problems)
		}
		return
	}
	see(c, "/comunicazioni?fatto=scritto")
}
