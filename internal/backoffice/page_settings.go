package backoffice

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/documents"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Settings changes a creditor; package registry does it.
type Settings interface {
	ChangeCreditor(ctx context.Context, actor string, c multe.Creditor, version uint64) (multe.Creditor, error)
}

// Documents keeps the files of a creditor's office; package documents does it.
type Documents interface {
	Add(ctx context.Context, actor string, c multe.CreditorID, kind multe.DocumentKind, from multe.Day, body []byte, dry bool) (multe.Document, []documents.Finding, error)
	List(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, before uint64, limit int) ([]multe.Document, error)
	Get(ctx context.Context, c multe.CreditorID, kind multe.DocumentKind, n uint64) (multe.Document, error)
}

func (s *server) settingsRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/impostazioni", multe.MayManage, 0, s.settingsPage},
		{post, "/impostazioni", multe.MayManage, 0, s.changeSettings},
		{get, "/impostazioni/file/:file", multe.MayManage, 0, s.documentPage},
		{post, "/impostazioni/file/:file", multe.MayManage, multe.MaxDocument + maxForm, s.addDocument},
		{get, "/impostazioni/file/:file/:n", multe.MayManage, 0, s.documentFile},
	}
}

// documentWords are the files an office can give, in the order of a list.
var documentWords = []struct {
	Kind       multe.DocumentKind
	Name, Help string
}{
	{multe.DocumentCatalogue, "Catalogo delle violazioni", "YAML: violazioni e importi."},
	{multe.DocumentTexts, "Testi delle stampe", "YAML: solo ciò che differisce dai nostri."},
	{multe.DocumentSettings, "Che cosa dicono gli atti dell'ufficio", "JSON: recapiti, firma, prefetto, giudice."},
	{multe.DocumentLogo, "Stemma", "PNG o JPEG."},
	{multe.DocumentStreets, "Strade", "Un nome per riga."},
	{multe.DocumentWardens, "Agenti", "JSON: matricola, nome, PIN."},
}

func documentName(k multe.DocumentKind) (name, help string, ok bool) {
	for _, d := range documentWords {
		if d.Kind == k {
			return d.Name, d.Help, true
		}
	}
	return "", "", false
}

// settingsFields are the inputs, by the code of what can be wrong with each.
var settingsFields = map[string]string{
	"creditor.bad_name": "nome", "creditor.bad_settore": "settore", "creditor.bad_info": "recapiti", "creditor.bad_codice_versamento": "codice", "creditor.bad_cbill": "cbill",
	"creditor.bad_postal": "conto", "creditor.bad_pool": "scorta", "creditor.bad_low": "soglia", "creditor.bad_validity": "validita", "creditor.bad_undo": "ripensamento", "creditor.bad_lease": "silenzio",
	"creditor.bad_policies": "dal", "creditor.bad_policy_costs": "spese",
}

func settingsGroups() []fieldGroup {
	return []fieldGroup{
		{"L'ente, come sta sugli avvisi", []field{{Name: "nome", Label: "Nome", Max: 100, Mode: ""}, {Name: "settore", Label: "Ufficio", Max: 50, Optional: true}, {Name: "recapiti", Label: "Recapiti", Max: 100, Optional: true},
			{Name: "cbill", Label: "Codice CBILL", Max: 10, Optional: true}, {Name: "codice", Label: "Codice versamento", Help: "Dato dalla Regione.", Max: 4}}},
		{"Il conto postale", []field{{Name: "conto", Label: "Numero", Mode: "numeric", Max: 12, Optional: true}, {Name: "intestatario", Label: "Intestatario", Max: 50, Optional: true}, {Name: "autorizzazione", Label: "Autorizzazione di Poste", Max: 60, Optional: true}}},
		{"I codici", []field{{Name: "soglia", Label: "Se ne chiedono altri sotto", Mode: "numeric", Max: 5}, {Name: "scorta", Label: "Fino a", Mode: "numeric", Max: 5},
			{Name: "silenzio", Label: "Ore di silenzio di un palmare", Help: "Poi i codici che ha sono messi da parte; 0 è il valore del servizio.", Mode: "numeric", Max: 3},
			{Name: "validita", Label: "Giorni in cui un codice si può pagare", Help: "0: senza scadenza.", Mode: "numeric", Max: 4}}},
		{"Gli annullamenti", []field{{Name: "ripensamento", Label: "Minuti per ripensarci", Help: "0 è il valore del servizio: 30.", Mode: "numeric", Max: 4}, {Name: "due", Label: "Serve il sì di una seconda persona", Tick: true}}},
		{"Regole nuove, da un giorno in poi", []field{{Name: "dal", Label: "Dal giorno", Help: "Vuoto: le regole non cambiano.", Type: "date", Optional: true},
			{Name: "debitore", Label: "Quando si conosce il debitore", Options: options([2]string{string(multe.DebtorReset), "Azzera la posizione, poi debitore e importo"}, [2]string{string(multe.DebtorRegister), "Resta solo nel nostro registro"},
				[2]string{string(multe.DebtorREST), "Una chiamata REST"}, [2]string{string(multe.DebtorReissue), "Un codice nuovo, poi si annulla il vecchio"})},
			{Name: "importi", Label: "Codici sul preavviso", Options: options([2]string{string(multe.AmountOneCode), "Uno, l'importo cambia"}, [2]string{string(multe.AmountTwoCodes), "Due: scontato e intero"})},
			{Name: "patrono", Label: "Santo patrono", Help: "Mese e giorno, per esempio 06-24.", Max: 5, Optional: true}, {Name: "spese", Label: "Spese proposte, in euro", Mode: "decimal", Max: 10}}},
	}
}

// settingsForm is a creditor as the form shows it.
func settingsForm(c multe.Creditor, today multe.Day) map[string]string {
	p := c.PolicyOn(today)
	m := map[string]string{"nome": c.Name, "settore": c.Settore, "recapiti": c.Info, "cbill": c.CBILL, "codice": c.CodiceVersamento, "soglia": strconv.Itoa(c.PoolLow), "scorta": strconv.Itoa(c.PoolTarget),
		"silenzio": strconv.Itoa(c.LeaseHours), "validita": strconv.Itoa(c.ValidityDays), "ripensamento": strconv.Itoa(c.UndoMinutes), "debitore": string(p.Debtor), "importi": string(p.Amount),
		"patrono": p.Patron, "spese": p.CostsCents.Italian(), "versione": strconv.FormatUint(c.Version, 10)}
	if c.ApproveCancellations {
		m["due"] = "1"
	}
	if c.Postal != nil {
		m["conto"], m["intestatario"], m["autorizzazione"] = c.Postal.Number, c.Postal.Holder, c.Postal.Authorization
	}
	return m
}

// settingsTyped puts what was typed into a creditor; what the form does not show
// stays.
func settingsTyped(c multe.Creditor, v func(string) string, today multe.Day) (multe.Creditor, error) {
	for name, to := range map[string]*int{"soglia": &c.PoolLow, "scorta": &c.PoolTarget, "silenzio": &c.LeaseHours, "validita": &c.ValidityDays, "ripensamento": &c.UndoMinutes} {
		n, err := strconv.Atoi(v(name))
		if err != nil {
			code := map[string]string{"soglia": "low", "scorta": "pool", "silenzio": "lease", "validita": "validity", "ripensamento": "undo"}[name]
			return c, fault.Wrap(fault.Invalid, "creditor.bad_"+code, "Va scritto un numero intero.", err)
		}
		*to = n
	}
	c.Name, c.Settore, c.Info, c.CBILL, c.CodiceVersamento, c.ApproveCancellations = v("nome"), v("settore"), v("recapiti"), v("cbill"), v("codice"), v("due") != ""
	c.Postal = nil
	if v("conto") != "" || v("intestatario") != "" {
		c.Postal = &multe.PostalAccount{Number: v("conto"), Holder: v("intestatario"), Authorization: v("autorizzazione")}
	}
	if v("dal") == "" {
		return c, nil
	}
	from, err := typedDay(v("dal"), "creditor.bad_policies")
	if err != nil {
		return c, err
	}
	if from.Compare(today) < 0 {
		return c, fault.New(fault.Invalid, "creditor.bad_policies", "Le regole nuove valgono da oggi in poi: quelle di ieri hanno già fatto stampare degli importi.")
	}
	p := c.PolicyOn(from)
	p.From, p.Debtor, p.Amount, p.Patron = from, multe.DebtorPolicy(v("debitore")), multe.AmountPolicy(v("importi")), v("patrono")
	if p.CostsCents, err = typedEuro(v("spese")); err != nil {
		return c, fault.Wrap(fault.Invalid, "creditor.bad_policy_costs", "Le spese vanno scritte in euro e centesimi, per esempio 12,50.", err)
	}
	c.Policies = append(slices.DeleteFunc(slices.Clone(c.Policies), func(q multe.Policy) bool { return q.From == from }), p)
	slices.SortFunc(c.Policies, func(a, b multe.Policy) int { return a.From.Compare(b.From) })
	return c, nil
}

// settingsPage serves GET /impostazioni.
func (s *server) settingsPage(c *gin.Context) {
	cr, ok := s.creditor(c)
	if ok {
		s.showSettings(c, http.StatusOK, proposed(settingsForm(cr, multe.DayOf(s.Now()))), nil)
	}
}

func (s *server) creditor(c *gin.Context) (cr multe.Creditor, ok bool) {
	ok = s.look(c, func(r store.Reader) (err error) {
		cr, err = r.Creditor(who(c).Creditor)
		return err
	})
	return cr, ok
}

func (s *server) showSettings(c *gin.Context, status int, v func(string) string, problems []problem) {
	version, err := strconv.ParseUint(v("versione"), 10, 64)
	if err != nil {
		version = 0 // a form that shows no version changes nothing: there is none with it
	}
	s.showForm(c, status, formPage{Title: "Impostazioni dell'ente", Intro: "Ciò che si stampa da qui in poi dice le impostazioni nuove; ciò che è stampato resta com'è.", Problems: problems, Version: version,
		Back: "/salute", BackText: "Impostazioni e salute", Action: "/impostazioni", Button: "Salva", Groups: settingsGroups()}, v)
}

// changeSettings serves POST /impostazioni.
func (s *server) changeSettings(c *gin.Context) {
	w, v := who(c), typedIn(c)
	cr, ok := s.creditor(c)
	if !ok {
		return
	}
	version, err := strconv.ParseUint(v("versione"), 10, 64)
	if err != nil {
		err = fault.Wrap(fault.Invalid, "request.malformed", "I dati non sono arrivati per intero. Riprovare.", err)
	}
	next := cr
	if err == nil {
		next, err = settingsTyped(cr, v, multe.DayOf(s.Now()))
	}
	if err == nil {
		_, err = s.Settings.ChangeCreditor(c.Request.Context(), w.Actor(), next, version)
	}
	if err != nil {
		if problems, ok := s.problemsOf(c, err, settingsFields); ok {
			s.showSettings(c, statuses[fault.Of(err).Kind], v, problems)
		}
		return
	}
	see(c, "/salute?fatto=impostato")
}

// documentPage is the versions of one file.
type documentPage struct {
	Kind       multe.DocumentKind
	Name, Help string
	Rows       []documentRow
	Next       string
	From       string
	Problem    string
	Tried      bool // looked at, and not kept
	Findings   []documents.Finding
}

type documentRow struct {
	N     uint64
	From  string
	By    string
	At    time.Time
	Force bool
}

// documentPage serves GET /impostazioni/file/:file.
func (s *server) documentPage(c *gin.Context) {
	s.showDocument(c, http.StatusOK, documentPage{From: multe.DayOf(s.Now()).String()})
}

func (s *server) showDocument(c *gin.Context, status int, p documentPage) {
	w := who(c)
	p.Kind = multe.DocumentKind(c.Param("file"))
	var ok bool
	if p.Name, p.Help, ok = documentName(p.Kind); !ok {
		s.fail(c, errNoPage())
		return
	}
	before, err := strconv.ParseUint(cmp.Or(c.Query("prima"), "0"), 10, 63)
	if err != nil {
		before = 0
	}
	list, err := s.Documents.List(c.Request.Context(), w.Creditor, p.Kind, before, pageSize)
	if err != nil {
		s.fail(c, err)
		return
	}
	today, found := multe.DayOf(s.Now()), before != 0
	for _, d := range list {
		force := !found && d.From.Compare(today) <= 0
		found = found || force
		p.Rows = append(p.Rows, documentRow{d.N, d.From.Italian(), actorWord(d.Actor), d.At, force})
	}
	if len(list) == pageSize && list[pageSize-1].N > 1 {
		p.Next = "/impostazioni/file/" + string(p.Kind) + "?prima=" + strconv.FormatUint(list[pageSize-1].N, 10)
	}
	s.render(c, status, "file.html", p)
}

// addDocument serves POST /impostazioni/file/:file.
func (s *server) addDocument(c *gin.Context) {
	w, v, kind := who(c), typedIn(c), multe.DocumentKind(c.Param("file"))
	if _, _, ok := documentName(kind); !ok {
		s.fail(c, errNoPage())
		return
	}
	dry := v("prova") != ""
	body, err := uploaded(c, "file", multe.MaxDocument)
	var from multe.Day
	if err == nil {
		if from, err = typedDay(v("dal"), "document.bad_from"); err == nil && from.IsZero() {
			from = multe.DayOf(s.Now())
		}
	}
	p := documentPage{From: v("dal")}
	if err == nil {
		_, p.Findings, err = s.Documents.Add(c.Request.Context(), w.Actor(), w.Creditor, kind, from, body, dry)
	}
	if err != nil {
		f := fault.Of(err)
		if f.Kind != fault.Invalid && f.Kind != fault.Conflict {
			s.fail(c, err)
			return
		}
		p.Problem = f.Detail
		s.showDocument(c, statuses[f.Kind], p)
		return
	}
	if p.Tried = dry; dry || len(p.Findings) > 0 {
		s.showDocument(c, http.StatusOK, p)
		return
	}
	see(c, "/impostazioni/file/"+string(kind)+"?fatto=caricato")
}

// documentFile serves GET /impostazioni/file/:file/:n.
func (s *server) documentFile(c *gin.Context) {
	kind := multe.DocumentKind(c.Param("file"))
	n, err := strconv.ParseUint(c.Param("n"), 10, 63)
	if _, _, ok := documentName(kind); !ok || err != nil {
		s.fail(c, errNoPage())
		return
	}
	d, err := s.Documents.Get(c.Request.Context(), who(c).Creditor, kind, n)
	if err != nil {
		s.fail(c, err)
		return
	}
	file(c, string(kind)+"-"+strconv.FormatUint(n, 10), "application/octet-stream", d.Body)
}
