package backoffice

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/assets"
	"preavviso/internal/fault"
	"preavviso/internal/flussi"
	"preavviso/internal/guide"
	"preavviso/internal/inbox"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/store"
)

// Office is what the pages show and do: the same use cases that the API has, and
// the store to read from.
type Office struct {
	Store    store.Store
	Registry Registry
	Pool     Pool
	Verbali  Verbali
	Payments Payments
	Flussi   Flussi
	Receipts Receipts
	Messages Messages
	Worklist Worklist
	Printer  Printer
	Lists    Lists
	Owners   Owners
	Life     Life
	Money    Money
	Photos   Photos

	Settings  Settings
	Documents Documents
	Bulletins Bulletins
	Webhooks  Webhooks

	// Explain tells what a code of PiemontePAY means, said about a list, a request
	// or a change.
	Explain func(about, code string) (guide.Text, bool)
	// Sentence tells a line of the history.
	Sentence func(multe.AuditEntry) string
	// Enrolment makes the QR code of an enrolment code, with the service's address, as
	// SVG; "" where nobody knows the address.
	Enrolment func(code string) (uri, svg string, err error)
	// Read understands a message of PiemontePAY; it tells whose it is.
	Read func(raw []byte) (multe.Event, error)
}

// Registry knows the handhelds; package registry does it.
type Registry interface {
	AddDevice(ctx context.Context, actor string, c multe.CreditorID, name string, bearer bool) (multe.Device, string, error)
	InviteDevice(ctx context.Context, actor string, c multe.CreditorID, id multe.DeviceID) (multe.Device, string, error)
	RevokeDevice(ctx context.Context, actor string, c multe.CreditorID, id multe.DeviceID) (multe.Device, []multe.Code, error)
}

// Pool gives codes up and accounts for them; package pool does it.
type Pool interface {
	Void(ctx context.Context, actor string, c multe.CreditorID, p multe.PositionID, reason string) (multe.Code, error)
	UndoVoid(ctx context.Context, actor string, c multe.CreditorID, p multe.PositionID) (multe.Code, error)
	Account(ctx context.Context, c multe.CreditorID, d multe.DeviceID, day multe.Day) ([]pool.Accounted, error)
}

// Verbali records and annuls; package verbali does it.
type Verbali interface {
	Record(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Record) (multe.Verbale, multe.Code, error)
	Cancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, want multe.Cancellation) (multe.Verbale, multe.Code, error)
	ApproveCancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error)
	UndoCancel(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID) (multe.Verbale, multe.Code, error)
	FindCode(ctx context.Context, c multe.CreditorID, avvisoOrPosition string) (multe.Code, error)
	Timeline(ctx context.Context, c multe.CreditorID, p multe.PositionID) (multe.Code, []multe.AuditEntry, error)
}

// Payments lists what was paid; package payments does it.
type Payments interface {
	OfIUV(ctx context.Context, c multe.CreditorID, iuv string) ([]multe.Payment, error)
}

// Flussi tells what the flows say; package flussi does it.
type Flussi interface {
	List(ctx context.Context, c multe.CreditorID, after multe.FlussoID, limit int) ([]multe.Flusso, error)
	Get(ctx context.Context, c multe.CreditorID, id multe.FlussoID, after, limit int) (multe.Flusso, []flussi.Line, error)
}

// Receipts shows the receipts of a verbale; package receipts does it.
type Receipts interface {
	OfVerbale(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]multe.Receipt, error)
}

// Messages shows what the platform sent; package inbox does it.
type Messages interface {
	List(ctx context.Context, s multe.MessageState, after multe.MessageID, limit int) ([]inbox.Head, error)
	Raw(ctx context.Context, id multe.MessageID) ([]byte, error)
	Replay(ctx context.Context, id multe.MessageID) (inbox.Head, error)
}

// Worklist looks after what a person must see; package worklist does it.
type Worklist interface {
	Take(ctx context.Context, by string, c multe.CreditorID, id string) (multe.Discrepancy, error)
	Close(ctx context.Context, by string, c multe.CreditorID, id string, o multe.WorkOutcome, note string) (multe.Discrepancy, error)
}

// desk is what the pages keep in memory. All of it can be lost.
type desk struct {
	static   *static
	icons    icons
	searches *searches
	streams  *streams
	sent     *sent

	mu     sync.Mutex
	trends map[multe.CreditorID]trend
}

func newDesk(cfg Config) (*desk, error) {
	st, err := newStatic()
	if err != nil {
		return nil, err
	}
	ic, err := newIcons()
	if err != nil {
		return nil, err
	}
	return &desk{static: st, icons: ic, searches: newSearches(cfg.Now, cfg.Random), streams: newStreams(), sent: newSent(cfg.Now), trends: map[multe.CreditorID]trend{}}, nil
}

// functions are what templates can call.
func (o *desk) functions() template.FuncMap {
	return template.FuncMap{"static": o.static.href, "icon": o.icons.draw, "instant": instant, "euro": euro, "longDay": longDay,
		"inc": func(i int) int { return i + 1 }, "arg": func(page view, data any) part { return part{page, data} }}
}

// part is what a part of a page gets that has forms of its own.
type part struct {
	Page view
	Data any
}

// officeRoutes are the pages of the work.
func (s *server) officeRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, StaticPath + "*file", public, 0, gin.WrapH(s.desk.static)},
		{get, "/accessibilita", public, 0, func(c *gin.Context) { s.render(c, http.StatusOK, "accessibilita.html", nil) }},

		{get, "/", signedIn, 0, s.todayPage},
		{get, pathNumbers, signedIn, 0, s.liveNumbers},
		{post, "/oggi/prendi", multe.MayHandleTrouble, 0, s.takeTrouble},
		{post, "/oggi/chiudi", multe.MayHandleTrouble, 0, s.closeTrouble},

		{get, "/codici", signedIn, 0, s.codesPage},
		{post, "/codici/cerca", signedIn, 0, s.findCode},
		{get, "/codici/:position", signedIn, 0, s.codePage},
		{post, "/codici/:position/annulla", multe.MayHandleCodes, 0, s.voidCode},
		{post, "/codici/:position/ripristina", multe.MayHandleCodes, 0, s.restoreCode},

		{get, "/verbali", signedIn, 0, s.verbaliPage},
		{post, "/verbali/cerca", signedIn, 0, s.search},
		{get, "/verbali/trovati/:search", multe.MaySeePersonal, 0, s.foundPage},
		{get, "/verbali/prossimo", multe.MayRecord, 0, s.nextToRecord},
		{get, "/verbale/:id", signedIn, 0, s.verbalePage},
		{get, "/verbale/:id/preavviso.pdf", multe.MaySeePersonal, 0, s.slipPDF},
		{get, "/verbale/:id/registra", multe.MayRecord, 0, s.recordPage},
		{post, "/verbale/:id/registra", multe.MayRecord, 0, s.record},
		{post, "/verbale/:id/annulla", multe.MayCancel, 0, s.cancel},
		{post, "/verbale/:id/approva", multe.MayApprove, 0, s.approveCancel},
		{post, "/verbale/:id/ripensa", multe.MayCancel, 0, s.undoCancel},

		{get, "/pagamenti", signedIn, 0, s.paymentsPage},
		{get, "/pagamenti/:iuv", signedIn, 0, s.paymentPage},
		{get, "/flussi", signedIn, 0, s.flowsPage},
		{get, "/flussi/:id", signedIn, 0, s.flowPage},

		{get, "/dispositivi", signedIn, 0, s.devicesPage},
		{post, "/dispositivi", multe.MayManageDevices, 0, s.addDevice},
		{get, "/dispositivi/:id", signedIn, 0, s.devicePage},
		{post, "/dispositivi/:id/invito", multe.MayManageDevices, 0, s.inviteDevice},
		{post, "/dispositivi/:id/revoca", multe.MayManageDevices, 0, s.revokeDevice},

		{get, "/messaggi", multe.MayHandleTrouble, 0, s.messagesPage},
		{get, "/messaggi/:id", multe.MayHandleTrouble, 0, s.messagePage},
		{post, "/messaggi/:id/rielabora", multe.MayHandleTrouble, 0, s.replayMessage},

		{get, "/registro", multe.MaySeeAudit, 0, s.registerPage},
		{get, "/salute", signedIn, 0, s.healthPage},
	}
}

// section is one entry of the navigation.
type section struct {
	Href, Text string
	need       multe.Permission
	paths      []string // other first parts of an address that belong to it
}

var sections = []section{
	{"/", "Oggi", signedIn, []string{"/oggi"}},
	{"/codici", "Codici", signedIn, nil},
	{"/verbali", "Verbali", signedIn, []string{"/verbale"}},
	{"/stampe", "Stampe", multe.MayPrint, nil},
	{"/elenchi", "Elenchi", multe.MayExport, []string{"/proprietari"}},
	{"/pagamenti", "Pagamenti", signedIn, []string{"/flussi"}},
	{"/dispositivi", "Dispositivi", signedIn, []string{"/comunicazioni"}},
	{"/messaggi", "Messaggi", multe.MayHandleTrouble, nil},
	{"/registro", "Registro", multe.MaySeeAudit, nil},
	{"/salute", "Impostazioni e salute", signedIn, []string{"/operatori", "/impostazioni", "/collegamenti"}},
}

type navItem struct {
	Href, Text string
	Current    bool
}

// titles are those of pages that are no section.
var titles = map[string]string{
	"/accesso": "Accesso", "/invito": "Invito", "/conto": "Conto", "/accessibilita": "Accessibilità", "/flussi": "Flussi", "/verbale": "Verbale",
}

// menu returns the navigation of a person and the title of a page, by its path.
func menu(path string, may func(multe.Permission) bool) (nav []navItem, title string) {
	first := path
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		first = path[:i+1]
	}
	title = titles[first]
	for _, s := range sections {
		current := s.Href == first
		for _, p := range s.paths {
			current = current || p == first
		}
		if current && title == "" {
			title = s.Text
		}
		if s.need == signedIn || may(s.need) {
			nav = append(nav, navItem{s.Href, s.Text, current})
		}
	}
	if title == "" {
		title = "Preavviso"
	}
	return nav, title
}

// frame fills in what stands around a page. Without the name of the creditor it
// is still a page.
func (s *server) frame(c *gin.Context, v *view) {
	v.Nav, v.Title = menu(v.Path, v.Who.May)
	if v.Who.Operator == "" || v.Who.Limited {
		v.Nav = nil
	}
	if v.Who.Creditor != "" {
		err := s.Store.View(c.Request.Context(), func(r store.Reader) error {
			cr, err := r.Creditor(v.Who.Creditor)
			v.Ente, v.Settore = cr.Name, cr.Settore
			return err
		})
		if err != nil {
			s.Log.ErrorContext(c.Request.Context(), "naming the creditor", "err", err)
		}
	}
	if v.Ente == "" {
		v.Ente = "Multe con preavviso"
	}
	if f, ok := flashes[c.Query("fatto")]; ok {
		v.Flash = &f
	}
}

// look reads the store for a page, or answers why not.
func (s *server) look(c *gin.Context, fn func(store.Reader) error) bool {
	if err := s.Store.View(c.Request.Context(), fn); err != nil {
		s.fail(c, err)
		return false
	}
	return true
}

// seen records a look at personal data; who may not see them has seen nothing.
func (s *server) seen(c *gin.Context, what, subject string, p multe.PositionID) bool {
	w := who(c)
	if !w.May(multe.MaySeePersonal) {
		return true
	}
	if err := s.Access.Look(c.Request.Context(), w, what, subject, p); err != nil {
		s.fail(c, err)
		return false
	}
	return true
}

// trend brings the trend of a creditor up to date. Two pages at once may both
// read; the one that read more is kept.
func (s *server) trend(r store.Reader, c multe.CreditorID) (trend, error) {
	s.desk.mu.Lock()
	t := s.desk.trends[c]
	s.desk.mu.Unlock()
	next, err := follow(r, c, t, multe.DayOf(s.Now()))
	if err != nil {
		return t, fmt.Errorf("adding up the history: %w", err)
	}
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	if next.seq >= s.desk.trends[c].seq {
		s.desk.trends[c] = next
	}
	return next, nil
}

// flash is what happened, said on the page after.
type flash struct{ Tone, Text string }

// flashes are what a page can be told to say, by the "fatto" in its address: only
// words of ours, so that nobody can put theirs into a link.
var flashes = map[string]flash{
	"registrato":  {"good", "Verbale registrato. Ecco il prossimo."},
	"finito":      {"good", "Non ci sono altri verbali da registrare."},
	"annullato":   {"good", "Annullato. Finché PiemontePAY non viene avvisata si può ripensarci."},
	"ripreso":     {"good", "Annullamento ritirato: tutto torna com'era."},
	"preso":       {"good", "Segnalazione presa in carico."},
	"operatore":   {"good", "Fatto: vale dalla prossima richiesta di quella persona."},
	"impostato":   {"good", "Impostazioni salvate."},
	"caricato":    {"good", "File caricato."},
	"scritto":     {"good", "Comunicazione mandata ai palmari."},
	"notificato":  {"good", "Notifica registrata: da quel giorno corrono i termini."},
	"ricorso":     {"good", "Ricorso registrato: l'importo resta fermo fino all'esito."},
	"esito":       {"good", "Esito registrato."},
	"corretto":    {"good", "Registrazione corretta. La versione di prima resta nella storia."},
	"rimborsato":  {"good", "Rimborso registrato."},
	"ritirato":    {"good", "Elenco ritirato: i suoi atti possono stare in un altro."},
	"proprietari": {"good", "Proprietari importati. Nel registrare un verbale il proprietario viene proposto dalla targa."},
	"chiuso":      {"good", "Segnalazione chiusa. Se il problema si ripresenta, si riapre da sola."},
	"rielabora":   {"good", "Il messaggio viene rielaborato adesso. Ricaricare la pagina tra qualche secondo."},
	"revocato":    {"good", "Palmare revocato. I codici che aveva in mano sono messi da parte."},
}

// problem is one thing to correct in a form.
type problem struct{ Field, Text string }

// problemsOf makes something to correct of a refusal, or answers if it is none.
func (s *server) problemsOf(c *gin.Context, err error, fields map[string]string) ([]problem, bool) {
	f := fault.Of(err)
	if f.Kind != fault.Invalid && f.Kind != fault.Conflict {
		s.fail(c, err)
		return nil, false
	}
	return []problem{{fields[f.Code], f.Detail}}, true
}

// icons are the symbols of bootstrap-italia's sprites, drawn into the page so
// that nobody has to load all of them.
type icons map[string]template.HTML

// symbols finds the icons: the file is made by a machine, one symbol after another.
var symbols = regexp.MustCompile(`<symbol id="([a-z0-9-]+)" viewBox="([0-9. -]+)">(.*?)</symbol>`)

func newIcons() (icons, error) {
	sprites, err := assets.File(assets.Sprites)
	if err != nil {
		return nil, err
	}
	all := icons{}
	for _, m := range symbols.FindAllStringSubmatch(string(sprites), -1) {
		all[m[1]] = template.HTML(`<svg class="icona" viewBox="` + m[2] + `" aria-hidden="true" focusable="false">` + m[3] + `</svg>`)
	}
	if len(all) < 50 {
		return nil, fmt.Errorf("only %d icons in %s", len(all), assets.Sprites)
	}
	return all, nil
}

func (i icons) draw(name string) (template.HTML, error) {
	h, ok := i[name]
	if !ok {
		return "", fmt.Errorf("no icon %s", name)
	}
	return h, nil
}

// pageSize is how many rows a list shows.
const pageSize = 50

// deadline of a search or a stream in memory.
const searchLife = 15 * time.Minute

func isNotFound(err error) bool { return errors.Is(err, fault.NotFound) }
