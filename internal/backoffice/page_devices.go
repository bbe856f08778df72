package backoffice

import (
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/store"
)

// devicesPage is the handhelds.
type devicesPage struct {
	Rows    []deviceRow
	Next    string
	MayDo   bool
	Name    string
	Problem string
}

type deviceRow struct {
	ID      multe.DeviceID
	Name    string
	Sign    sign
	Held    int
	Aside   int
	Changed time.Time
}

// devicesPage serves GET /dispositivi.
func (s *server) devicesPage(c *gin.Context) { s.showDevices(c, http.StatusOK, "", "") }

func (s *server) showDevices(c *gin.Context, status int, name, detail string) {
	w := who(c)
	p := devicesPage{MayDo: w.May(multe.MayManageDevices), Name: name, Problem: detail}
	if !s.look(c, func(r store.Reader) error {
		p.Rows, p.Next = nil, ""
		ds, err := r.Devices(w.Creditor, multe.DeviceID(c.Query("dopo")), pageSize+1)
		if err != nil {
			return err
		}
		if len(ds) > pageSize {
			ds = ds[:pageSize]
			p.Next = "/dispositivi?dopo=" + string(ds[pageSize-1].ID)
		}
		for _, d := range ds {
			n, err := r.CountCodesOf(w.Creditor, d.ID)
			if err != nil {
				return err
			}
			p.Rows = append(p.Rows, deviceRow{d.ID, d.Name, deviceSign(d.State), n[multe.CodeAssigned], n[multe.CodeQuarantined], d.Changed})
		}
		return nil
	}) {
		return
	}
	s.render(c, status, "dispositivi.html", p)
}

// devicePage is one handheld.
type devicePage struct {
	deviceRow
	State    multe.DeviceState
	Key      string
	Bearer   bool
	Day      string
	Codes    []accountRow
	Open     int
	MayDo    bool
	Invite   *invite
	Problem  string
	Exposed  []codeRow
	InviteBy time.Time
	Version  uint64
}

// invite is an enrolment code on the screen, shown once.
type invite struct {
	Code string
	Till time.Time
	QR   template.HTML // the same with the service's address; "" where nobody knows it
}

// invited is what the screen shows of a new enrolment code.
func (s *server) invited(code string, till time.Time) (*invite, error) {
	_, svg, err := s.Enrolment(code)
	return &invite{code, till, template.HTML(svg)}, err // ours: a path, drawn from the code
}

type accountRow struct {
	Position multe.PositionID
	Number   string
	Outcome  sign
	Lent     time.Time
	Verbale  multe.VerbaleID
}

var outcomeSigns = map[pool.Outcome]sign{
	pool.Held:      {"in mano al palmare", "wait", "it-clock"},
	pool.Issued:    {"su un preavviso", "good", "it-check-circle"},
	pool.Returned:  {"restituito", "good", "it-check-circle"},
	pool.Spoiled:   {"rovinato o smarrito", "bad", "it-warning-circle"},
	pool.Aside:     {"messo da parte", "bad", "it-warning-circle"},
	pool.Unprinted: {"non stampato, messo da parte", "good", "it-check-circle"},
	pool.Paid:      {"pagato senza verbale", "bad", "it-error"},
}

func outcomeSign(o pool.Outcome) sign { return signOf(outcomeSigns, o) }

// devicePage serves GET /dispositivi/:id.
func (s *server) devicePage(c *gin.Context) {
	s.showDevice(c, http.StatusOK, multe.DeviceID(c.Param("id")), nil, "")
}

func (s *server) showDevice(c *gin.Context, status int, id multe.DeviceID, inv *invite, detail string) {
	w := who(c)
	day, err := multe.ParseDay(c.Query("giorno"))
	if err != nil {
		day = multe.DayOf(s.Now())
	}
	p := devicePage{Day: day.String(), MayDo: w.May(multe.MayManageDevices), Invite: inv, Problem: detail}
	if !s.look(c, func(r store.Reader) error {
		d, err := r.Device(w.Creditor, id)
		if err != nil {
			return noDevice(err)
		}
		n, err := r.CountCodesOf(w.Creditor, d.ID)
		if err != nil {
			return err
		}
		p.deviceRow = deviceRow{d.ID, d.Name, deviceSign(d.State), n[multe.CodeAssigned], n[multe.CodeQuarantined], d.Changed}
		p.State, p.Bearer, p.InviteBy, p.Version = d.State, d.Bearer, d.InviteBy, d.Version
		if d.Key != "" {
			p.Key = d.Key.ID().String()[:16]
		}
		p.Exposed = nil
		aside, err := r.CodesOf(w.Creditor, d.ID, multe.CodeQuarantined, "", store.MaxPage)
		for _, k := range aside {
			p.Exposed = append(p.Exposed, codeRow{k.Position, k.Number.Grouped(), codeSign(k.State), k.Changed})
		}
		return err
	}) {
		return
	}
	list, err := s.Pool.Account(c.Request.Context(), w.Creditor, id, day)
	if err != nil {
		s.fail(c, err)
		return
	}
	for _, a := range list {
		if a.Open() {
			p.Open++
		}
		p.Codes = append(p.Codes, accountRow{a.Code.Position, a.Code.Number.Grouped(), outcomeSign(a.Outcome), a.Lent, a.Code.Verbale})
	}
	s.render(c, status, "dispositivo.html", p)
}

func noDevice(err error) error {
	if fault.Of(err).Kind == fault.NotFound {
		return fault.Wrap(fault.NotFound, "device.unknown", "Il palmare non risulta tra quelli dell'ente.", err)
	}
	return err
}

// addDevice serves POST /dispositivi. The code is on the answer and nowhere else,
// so this one does not send the browser on.
func (s *server) addDevice(c *gin.Context) {
	w, name := who(c), strings.TrimSpace(c.PostForm("nome"))
	d, code, err := s.Registry.AddDevice(c.Request.Context(), w.Actor(), w.Creditor, name, c.PostForm("senza-chiave") != "")
	if f := fault.Of(err); err != nil && f.Kind == fault.Invalid {
		s.showDevices(c, statuses[f.Kind], name, f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	shown, err := s.invited(code, d.InviteBy)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.showDevice(c, http.StatusCreated, d.ID, shown, "")
}

// inviteDevice serves POST /dispositivi/:id/invito.
func (s *server) inviteDevice(c *gin.Context) {
	w, id := who(c), multe.DeviceID(c.Param("id"))
	d, code, err := s.Registry.InviteDevice(c.Request.Context(), w.Actor(), w.Creditor, id)
	if f := fault.Of(err); err != nil && f.Kind == fault.Conflict {
		s.showDevice(c, statuses[f.Kind], id, nil, f.Detail)
		return
	}
	if err != nil {
		s.fail(c, noDevice(err))
		return
	}
	shown, err := s.invited(code, d.InviteBy)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.showDevice(c, http.StatusCreated, d.ID, shown, "")
}

// revokeDevice serves POST /dispositivi/:id/revoca.
func (s *server) revokeDevice(c *gin.Context) {
	w, id := who(c), multe.DeviceID(c.Param("id"))
	if c.PostForm("conferma") == "" {
		s.showDevice(c, http.StatusUnprocessableEntity, id, nil, "Per revocare il palmare spuntare la conferma: non si può tornare indietro.")
		return
	}
	_, _, err := s.Registry.RevokeDevice(c.Request.Context(), w.Actor(), w.Creditor, id)
	if f := fault.Of(err); err != nil && f.Kind == fault.Conflict {
		s.showDevice(c, statuses[f.Kind], id, nil, f.Detail)
		return
	}
	if err != nil {
		s.fail(c, noDevice(err))
		return
	}
	see(c, "/dispositivi/"+string(id)+"?fatto=revocato")
}
