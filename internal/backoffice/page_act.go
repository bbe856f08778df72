package backoffice

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/payments"
	"preavviso/internal/photos"
	"preavviso/internal/store"
)

// Life is what the office does to a verbale after it is recorded; package verbali
// does it.
type Life interface {
	Notify(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, n multe.Notification) (multe.Verbale, multe.Code, error)
	Correct(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Record, reason string) (multe.Verbale, multe.Code, error)
	Appeal(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, a multe.Appeal) (multe.Verbale, multe.Code, error)
	Rule(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, r multe.Ruling) (multe.Verbale, multe.Code, error)
}

// Money tells what came for a verbale and records what went back; package payments
// does it.
type Money interface {
	Of(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) (payments.Money, error)
	Refund(ctx context.Context, by string, r multe.Refund) (multe.Refund, error)
}

// Photos shows the photos of a verbale; package photos does it.
type Photos interface {
	OfVerbale(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]multe.Photo, error)
	Show(ctx context.Context, actor string, c multe.CreditorID, v multe.VerbaleID, id multe.PhotoID, size photos.Size) ([]byte, error)
}

func (s *server) actRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/verbale/:id/notifica", multe.MayRecord, 0, s.notifyPage},
		{post, "/verbale/:id/notifica", multe.MayRecord, 0, s.notify},
		{get, "/verbale/:id/correggi", multe.MayRecord, 0, s.correctPage},
		{post, "/verbale/:id/correggi", multe.MayRecord, 0, s.correct},
		{get, "/verbale/:id/ricorso", multe.MayRecord, 0, s.appealPage},
		{post, "/verbale/:id/ricorso", multe.MayRecord, 0, s.appeal},
		{get, "/verbale/:id/esito", multe.MayRecord, 0, s.rulePage},
		{post, "/verbale/:id/esito", multe.MayRecord, 0, s.rule},
		{get, "/verbale/:id/foto/:foto", multe.MaySeePersonal, 0, s.photo},
		{get, "/pagamenti/:iuv/rimborso", multe.MayHandleMoney, 0, s.refundPage},
		{post, "/pagamenti/:iuv/rimborso", multe.MayHandleMoney, 0, s.refund},
	}
}

var howWords = map[multe.NotificationHow]string{
	multe.NotifiedConsegna: "consegna per posta o messo", multe.NotifiedGiacenza: "compiuta giacenza", multe.NotifiedPEC: "PEC",
	multe.NotifiedSEND: "SEND", multe.NotifiedContestazione: "contestazione immediata",
}

var authorityWords = map[multe.Authority]string{multe.AuthorityPrefetto: "Prefetto", multe.AuthorityGiudice: "Giudice di pace"}

var verdettoWords = map[multe.Verdetto]string{multe.RicorsoAccolto: "accolto: il verbale è annullato", multe.RicorsoRespinto: "respinto", multe.RicorsoRinuncia: "rinuncia di chi l'ha presentato", multe.RicorsoInammesso: "non ammesso"}

var cancelWords = map[multe.CancelKind]string{multe.CancelAutotutela: "annullamento in autotutela", multe.CancelArchiviazione: "archiviazione", multe.CancelRicorso: "ricorso accolto"}

// actView is what the office did with a verbale, and may do.
type actView struct {
	ID        multe.VerbaleID
	Flags     []string
	Notified  string
	Terms     string // the day that the terms run from, where it is another
	Costs     string
	Address   string
	Steps     []stepRow
	Appeals   []appealRow
	Cancelled *cancelView
	Versions  []versionRow
	Photos    []multe.PhotoID
	Papers    []paperRow
	Money     *moneyView

	MayNotify, MayCorrect, MayAppeal, MayRule, MayPrint, MayLook bool
	Recorded                                                     bool
	PrintID                                                      string
	Languages                                                    []choice
}

// PhotoPath is where its photos are.
func (p actView) PhotoPath() string { return "/verbale/" + string(p.ID) + "/foto/" }

type appealRow struct {
	Authority, Number, Day, By string
	Ruling                     string // "" while it is pending
}

type cancelView struct {
	Kind, Reason, By, Approved string
	At                         time.Time
}

// versionRow is one version of a record and what it changed.
type versionRow struct {
	At      time.Time
	By, Why string
	Changes []changeRow
}

type changeRow struct{ Field, Before, After string }

type paperRow struct {
	ID   multe.PrintID
	Kind string
	Copy int
	At   time.Time
	By   string
}

type moneyView struct {
	Owed, Paid, Refunded, Excess string
	Over, Some                   bool
	Refunds                      []refundRow
	Revocations                  []string
	Flows                        []flowLineRow
	Lists                        []listRow
	Refundable                   []string // IUV of money that may go back
}

type refundRow struct{ Amount, Day, Mandate, Reason, By string }

// act collects what the office did with a verbale, as far as a person may see it.
func (s *server) act(c *gin.Context, v multe.Verbale) (*actView, bool) {
	w, day := who(c), multe.DayOf(s.Now())
	p := actOf(v, w, day)
	fail := func(err error) (*actView, bool) { s.fail(c, err); return nil, false }
	if w.May(multe.MaySeePersonal) {
		list, err := s.Photos.OfVerbale(c.Request.Context(), w.Creditor, v.Slip.ID)
		if err != nil {
			return fail(err)
		}
		p.Photos = shown(list)
	}
	papers, err := s.Printer.Of(c.Request.Context(), w.Creditor, v.Slip.ID, "", store.MaxPage)
	if err != nil {
		return fail(err)
	}
	for _, x := range papers {
		p.Papers = append(p.Papers, paperRow{x.ID, string(x.Kind), x.Copy, x.At, actorWord(x.Actor)})
	}
	m, err := s.Money.Of(c.Request.Context(), w.Creditor, v.Slip.ID)
	if err != nil {
		return fail(err)
	}
	p.Money = moneyOf(m, w)
	if p.MayPrint {
		var ok bool
		if p.PrintID, ok = s.newID(c); !ok {
			return nil, false
		}
	}
	return p, true
}

// shown are the photos whose bytes are here.
func shown(list []multe.Photo) []multe.PhotoID {
	var ids []multe.PhotoID
	for _, x := range list {
		if x.State == multe.PhotoKept {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

func actOf(v multe.Verbale, w access.Who, day multe.Day) *actView {
	recorded, live := v.Record != nil, v.State == multe.VerbaleFinalised
	p := &actView{ID: v.Slip.ID, Recorded: recorded, Languages: printLanguages,
		MayNotify: w.May(multe.MayRecord) && live && v.Record.Notification == nil, MayCorrect: w.May(multe.MayRecord) && recorded && v.State != multe.VerbaleCancelled,
		MayAppeal: w.May(multe.MayRecord) && live && !v.AppealPending(), MayRule: w.May(multe.MayRecord) && live && v.AppealPending(),
		MayLook: w.May(multe.MaySeePersonal), MayPrint: w.May(multe.MayPrint)}
	for _, f := range v.Flags {
		p.Flags = append(p.Flags, f.Detail)
	}
	if recorded {
		p.Costs = euro(v.Record.CostsCents)
		p.Steps = stepRows(v.StepsNow(), day, live && !v.AppealPending())
		if d := v.Record.Debtor; d != nil && w.May(multe.MaySeePersonal) {
			p.Address = address(*d)
		}
		if n := v.Record.Notification; n != nil {
			p.Notified = howWords[n.How] + ", " + n.Day.Italian()
			if n.Notified != n.Day {
				p.Terms = n.Notified.Italian()
			}
		}
		p.Versions = versions(append(slices.Clone(v.History), *v.Record), w)
	}
	for _, a := range v.Appeals {
		row := appealRow{Authority: authorityWords[a.Authority], Number: a.Number, Day: a.Day.Italian(), By: actorWord(a.By)}
		if r := a.Ruling; r != nil {
			row.Ruling = verdettoWords[r.Verdetto] + ", " + r.Day.Italian()
			if r.Cents > 0 {
				row.Ruling += ", somma " + euro(r.Cents)
			}
		}
		p.Appeals = append(p.Appeals, row)
	}
	if k := v.Cancellation; k != nil {
		p.Cancelled = &cancelView{cancelWords[k.Kind], k.Reason, actorWord(k.By), "", k.At}
		if k.Approved != "" {
			p.Cancelled.Approved = actorWord(k.Approved)
		}
	}
	return p
}

// stepRows shows amounts by their last day; of steps that run, the one of today is
// marked.
func stepRows(steps []multe.Step, day multe.Day, running bool) []stepRow {
	rows := make([]stepRow, len(steps))
	for i, st := range steps {
		until := "fino al " + st.LastDay.Italian()
		if st.LastDay.IsZero() {
			until = "dopo"
			if i == 0 {
				until = "sempre"
			}
		}
		rows[i] = stepRow{Until: until, Amount: euro(st.Cents)}
		if running && (st.LastDay.IsZero() || day.Compare(st.LastDay) <= 0) {
			rows[i].Now, running = true, false
		}
	}
	return rows
}

// address is where a debtor is written to, on one line.
func address(d multe.Debtor) string {
	var parts []string
	for _, p := range []string{strings.TrimSpace(d.Address + " " + d.Civico), strings.TrimSpace(d.CAP + " " + d.City + " " + d.Province), d.Nation, d.Email} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// versions says what each version of a record changed, the newest first.
func versions(rs []multe.Record, w access.Who) []versionRow {
	var out []versionRow
	for i := len(rs) - 1; i >= 0; i-- {
		row := versionRow{At: rs[i].At, By: actorWord(rs[i].By), Why: rs[i].Why}
		if i > 0 {
			before, after := recordWords(rs[i-1]), recordWords(rs[i])
			for j, a := range after {
				if b := before[j]; a.value != b.value {
					if a.personal && !w.May(multe.MaySeePersonal) {
						a.value, b.value = "coperto", "coperto"
					}
					row.Changes = append(row.Changes, changeRow{a.name, cmp.Or(b.value, "niente"), cmp.Or(a.value, "niente")})
				}
			}
		}
		out = append(out, row)
	}
	return out
}

type recordWord struct {
	name, value string
	personal    bool
}

// recordWords is a record in words, always the same in the same order.
func recordWords(r multe.Record) []recordWord {
	var name, cf, where, notified string
	if d := r.Debtor; d != nil {
		name, cf, where = cmp.Or(d.Company, strings.TrimSpace(d.Surname+" "+d.Name)), string(d.CF), address(*d)
	}
	if n := r.Notification; n != nil {
		notified = howWords[n.How] + ", " + n.Day.Italian()
	}
	fine := ""
	if f := r.Fine; f != nil {
		fine = "ridotto " + euro(f.Reduced) + ", scontato " + euro(f.Discounted) + ", metà del massimo " + euro(f.Late)
	}
	return []recordWord{
		{"Numero di registro", r.Register, false}, {"Giorno di registro", r.On.Italian(), false}, {"Importo", euro(r.Cents), false}, {"Importi di legge", fine, false},
		{"Spese", euro(r.CostsCents), false}, {"Causale", string(r.Causale), false}, {"Debitore", name, true}, {"Codice fiscale", cf, true},
		{"Recapito", where, true}, {"Notifica", notified, false},
	}
}

func moneyOf(m payments.Money, w access.Who) *moneyView {
	p := &moneyView{Owed: euro(m.Balance.Owed), Paid: euro(m.Balance.Paid), Refunded: euro(m.Balance.Refunded), Excess: euro(m.Balance.Excess()), Over: m.Balance.Excess() > 0,
		Some: m.Balance.Paid > 0 || len(m.Refunds)+len(m.Revocations)+len(m.Flows)+len(m.Exports) > 0}
	for _, r := range m.Refunds {
		p.Refunds = append(p.Refunds, refundRow{euro(r.Cents), r.RefundedOn.Italian(), r.Mandate, r.Reason, actorWord(r.By)})
	}
	for _, r := range m.Revocations {
		p.Revocations = append(p.Revocations, euro(r.Cents)+" il "+r.AskedOn.Italian())
	}
	for _, f := range m.Flows {
		p.Flows = append(p.Flows, flowLineRow{Flusso: f.Flusso, N: f.N, IUV: f.IUV, Amount: euro(f.Cents), Paid: f.SettledOn.Italian()})
	}
	for _, x := range m.Exports {
		p.Lists = append(p.Lists, listRowOf(x))
	}
	if w.May(multe.MayHandleMoney) && m.Balance.Left() > 0 {
		for _, x := range m.Payments {
			if !slices.Contains(p.Refundable, x.IUV) {
				p.Refundable = append(p.Refundable, x.IUV)
			}
		}
	}
	return p
}

// about reads the verbale a form is about, or answers why not, and records the look.
func (s *server) about(c *gin.Context) (v multe.Verbale, ok bool) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	ok = s.look(c, func(r store.Reader) (err error) {
		v, err = r.Verbale(w.Creditor, id)
		return noVerbale(err)
	}) && s.seen(c, "verbale", string(id), v.Slip.Position)
	return v, ok
}

// actForm answers with a form about a verbale, with its slip beside it.
func (s *server) actForm(c *gin.Context, status int, what string, p formPage, v func(string) string) {
	act, ok := s.about(c)
	if !ok {
		return
	}
	sl := slip(act, who(c), multe.DayOf(s.Now()))
	p.Version = sl.Version
	if n := c.PostForm("versione"); n != "" { // what was typed was typed over that one
		var err error
		if p.Version, err = strconv.ParseUint(n, 10, 64); err != nil {
			p.Version = sl.Version
		}
	}
	p.Slip, p.Back, p.BackText, p.Action = &sl, "/verbale/"+string(act.Slip.ID), "Il verbale", "/verbale/"+string(act.Slip.ID)+"/"+what
	s.showForm(c, status, p, v)
}

// acted answers after an act: with the verbale and a word, or with the form again.
func (s *server) acted(c *gin.Context, err error, done string, fields map[string]string, again func(status int, problems []problem)) {
	if f := fault.Of(err); err != nil && f.Code == "record.changed" {
		s.showVerbale(c, http.StatusConflict, "", f.Detail+" Qui c'è com'è adesso; ciò che era scritto nel modulo non è stato registrato.")
		return
	}
	if err != nil {
		if problems, ok := s.problemsOf(c, err, fields); ok {
			again(statuses[fault.Of(err).Kind], problems)
		}
		return
	}
	see(c, "/verbale/"+url.PathEscape(c.Param("id"))+"?fatto="+done)
}

func (s *server) today() map[string]string {
	return map[string]string{"giorno": multe.DayOf(s.Now()).String()}
}

func (s *server) showNotify(c *gin.Context, status int, v func(string) string, problems []problem) {
	hows := []choice{}
	for _, h := range multe.NotificationHows {
		hows = append(hows, choice{Value: string(h), Text: howWords[h]})
	}
	s.actForm(c, status, "notifica", formPage{Title: "Registra la notifica", Button: "Registra la notifica", Problems: problems,
		Intro: "Da questo giorno corrono i termini: gli importi cambiano da soli, e PiemontePAY viene avvisata.",
		Groups: []fieldGroup{{"", []field{{Name: "come", Label: "Come è avvenuta", Options: hows},
			{Name: "giorno", Label: "Giorno", Type: "date", Help: "Della consegna; per la giacenza, quello di spedizione dell'avviso di deposito: i termini partono dal decimo giorno dopo."}}}}}, v)
}

// notifyPage serves GET /verbale/:id/notifica.
func (s *server) notifyPage(c *gin.Context) { s.showNotify(c, http.StatusOK, proposed(s.today()), nil) }

// notify serves POST /verbale/:id/notifica.
func (s *server) notify(c *gin.Context) {
	w, v := who(c), typedIn(c)
	day, err := typedDay(v("giorno"), "verbale.bad_notification")
	if err == nil {
		_, _, err = s.Life.Notify(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")), multe.Notification{How: multe.NotificationHow(v("come")), Day: day})
	}
	s.acted(c, err, "notificato", map[string]string{"verbale.bad_notification": "giorno", "verbale.already_notified": "giorno"},
		func(status int, problems []problem) { s.showNotify(c, status, v, problems) })
}

func (s *server) showAppeal(c *gin.Context, status int, v func(string) string, problems []problem) {
	s.actForm(c, status, "ricorso", formPage{Title: "Registra un ricorso", Button: "Registra il ricorso", Problems: problems,
		Intro: "Finché non c'è l'esito, l'importo resta quello del giorno del ricorso e l'atto non va in nessun elenco.",
		Groups: []fieldGroup{{"", []field{{Name: "a", Label: "A chi", Options: options([2]string{string(multe.AuthorityPrefetto), "Prefetto (art. 203 CdS)"}, [2]string{string(multe.AuthorityGiudice), "Giudice di pace (art. 204-bis CdS)"})},
			{Name: "numero", Label: "Numero", Help: "Del registro dell'autorità o del protocollo.", Max: multe.MaxNumber}, {Name: "giorno", Label: "Giorno in cui è stato presentato", Type: "date"}}}}}, v)
}

// appealPage serves GET /verbale/:id/ricorso.
func (s *server) appealPage(c *gin.Context) { s.showAppeal(c, http.StatusOK, proposed(s.today()), nil) }

// appeal serves POST /verbale/:id/ricorso.
func (s *server) appeal(c *gin.Context) {
	w, v := who(c), typedIn(c)
	day, err := typedDay(v("giorno"), "appeal.bad_day")
	if err == nil {
		_, _, err = s.Life.Appeal(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")), multe.Appeal{Authority: multe.Authority(v("a")), Number: v("numero"), Day: day})
	}
	s.acted(c, err, "ricorso", map[string]string{"appeal.bad_day": "giorno"}, func(status int, problems []problem) { s.showAppeal(c, status, v, problems) })
}

func (s *server) showRule(c *gin.Context, status int, v func(string) string, problems []problem) {
	s.actForm(c, status, "esito", formPage{Title: "Registra l'esito del ricorso", Button: "Registra l'esito", Problems: problems,
		Intro: "Accolto, il verbale è annullato. Respinto con un'ordinanza o una sentenza, è dovuta la sua somma. Altrimenti è dovuto ciò che dicono i giorni passati: il ricorso non ferma i termini.",
		Groups: []fieldGroup{{"", []field{{Name: "esito", Label: "Esito", Options: options([2]string{string(multe.RicorsoAccolto), "Accolto"}, [2]string{string(multe.RicorsoRespinto), "Respinto"},
			[2]string{string(multe.RicorsoRinuncia), "Rinuncia"}, [2]string{string(multe.RicorsoInammesso), "Non ammesso"})},
			{Name: "giorno", Label: "Giorno dell'esito", Type: "date"}, {Name: "numero", Label: "Numero dell'ordinanza o della sentenza", Max: multe.MaxNumber, Optional: true}}},
			{"Solo se respinto con una somma", []field{{Name: "somma", Label: "Somma in euro, spese comprese", Mode: "decimal", Max: 10, Optional: true}, {Name: "entro", Label: "Da pagare entro", Type: "date", Optional: true}}}}}, v)
}

// rulePage serves GET /verbale/:id/esito.
func (s *server) rulePage(c *gin.Context) {
	first := s.today()
	first["esito"] = string(multe.RicorsoRespinto)
	s.showRule(c, http.StatusOK, proposed(first), nil)
}

// rule serves POST /verbale/:id/esito.
func (s *server) rule(c *gin.Context) {
	w, v := who(c), typedIn(c)
	r := multe.Ruling{Verdetto: multe.Verdetto(v("esito")), Number: v("numero")}
	var err error
	if r.Day, err = typedDay(v("giorno"), "appeal.bad_day"); err == nil {
		r.LastDay, err = typedDay(v("entro"), "appeal.bad_last_day")
	}
	if err == nil && v("somma") != "" {
		r.Cents, err = typedEuro(v("somma"))
	}
	if err == nil {
		_, _, err = s.Life.Rule(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")), r)
	}
	s.acted(c, err, "esito", map[string]string{"appeal.bad_day": "giorno", "appeal.bad_last_day": "entro", "verbale.bad_amount": "somma"},
		func(status int, problems []problem) { s.showRule(c, status, v, problems) })
}

func (s *server) showCorrect(c *gin.Context, status int, v func(string) string, problems []problem) {
	hows := options([2]string{"", "Non notificato"})
	for _, h := range multe.NotificationHows {
		hows = append(hows, choice{Value: string(h), Text: howWords[h]})
	}
	var form recordPage
	form.form(v)
	register := field{Name: "registro", Label: "Numero di registro", Max: multe.MaxRegister}
	s.actForm(c, status, "correggi", formPage{Title: "Correggi la registrazione", Button: "Correggi", Problems: problems,
		Intro: "La versione di prima resta, con il motivo. Ciò che PiemontePAY sapeva viene aggiornato dove si può.",
		Groups: []fieldGroup{{"", []field{{Name: "motivo", Label: "Perché si corregge", Max: multe.MaxReason, Focus: len(problems) == 0}}},
			{"Il verbale", append([]field{register}, form.Fields[1:]...)},
			{"Chi deve pagare", slices.Concat([]field{{Name: "chi", Label: "Chi deve pagare", Options: options([2]string{"persona", "Una persona"}, [2]string{"ditta", "Una ditta"}, [2]string{"nessuno", "Resta anonimo"})}}, form.Person, form.Company, form.Common)},
			{"La notifica", []field{{Name: "come", Label: "Come è avvenuta", Options: hows, Optional: true}, {Name: "giorno", Label: "Giorno", Type: "date", Optional: true}}}}}, v)
}

// correctPage serves GET /verbale/:id/correggi.
func (s *server) correctPage(c *gin.Context) {
	v, ok := s.about(c)
	if !ok {
		return
	}
	if v.Record == nil {
		see(c, "/verbale/"+string(v.Slip.ID)+"/registra")
		return
	}
	s.showCorrect(c, http.StatusOK, proposed(typedBefore(*v.Record)), nil)
}

// typedBefore is a record as a form shows it.
func typedBefore(r multe.Record) map[string]string {
	m := map[string]string{"registro": r.Register, "importo": r.Cents.Italian(), "spese": r.CostsCents.Italian(), "causale": string(r.Causale), "chi": "nessuno"}
	if r.Fine != nil {
		m["importo"] = "" // by law
	}
	if n := r.Notification; n != nil {
		m["come"], m["giorno"] = string(n.How), n.Day.String()
	}
	if d := r.Debtor; d != nil {
		fillDebtor(m, *d)
	}
	return m
}

func fillDebtor(m map[string]string, d multe.Debtor) {
	m["chi"] = "persona"
	if d.Company != "" {
		m["chi"] = "ditta"
	}
	m["cognome"], m["nome"], m["ditta"], m["cf"], m["indirizzo"], m["civico"], m["cap"] = d.Surname, d.Name, d.Company, string(d.CF), d.Address, d.Civico, d.CAP
	m["citta"], m["provincia"], m["nazione"], m["email"] = d.City, d.Province, d.Nation, d.Email
}

// correct serves POST /verbale/:id/correggi.
func (s *server) correct(c *gin.Context) {
	w, v, id := who(c), typedIn(c), multe.VerbaleID(c.Param("id"))
	var had multe.Verbale
	if !s.look(c, func(r store.Reader) (err error) {
		had, err = r.Verbale(w.Creditor, id)
		return noVerbale(err)
	}) {
		return
	}
	rec, err := typed(v, v("chi"))
	if old := had.Record; old != nil {
		rec.On, rec.Violation = old.On, old.Violation
		if rec.Cents == 0 { // what the law says of it has not changed
			rec.Fine = old.Fine
		}
	}
	if err == nil && v("come") != "" {
		n := multe.Notification{How: multe.NotificationHow(v("come"))}
		n.Day, err = typedDay(v("giorno"), "verbale.bad_notification")
		rec.Notification = &n
	}
	if err == nil {
		_, _, err = s.Life.Correct(c.Request.Context(), w.Actor(), w.Creditor, id, rec, v("motivo"))
	}
	fields := map[string]string{"verbale.bad_reason": "motivo", "verbale.bad_notification": "giorno"}
	for code, name := range recordFields {
		fields[code] = name
	}
	s.acted(c, err, "corretto", fields, func(status int, problems []problem) { s.showCorrect(c, status, v, problems) })
}

// photo serves GET /verbale/:id/foto/:foto: a copy to look at, small where
// ?misura=piccola. The look is in the history; the original is for the API.
func (s *server) photo(c *gin.Context) {
	w, size := who(c), photos.Page
	if c.Query("misura") == "piccola" {
		size = photos.Thumbnail
	}
	b, err := s.Photos.Show(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")), multe.PhotoID(c.Param("foto")), size)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, multe.MediaJPEG, b)
}

// showRefund is the form that records that money went back.
func (s *server) showRefund(c *gin.Context, status int, v func(string) string, id string, beyond bool, problems []problem) {
	iuv := c.Param("iuv")
	fields := []field{{Name: "importo", Label: "Importo in euro", Mode: "decimal", Max: 10}, {Name: "giorno", Label: "Disposto il", Type: "date"},
		{Name: "mandato", Label: "Mandato di pagamento o determina", Max: multe.MaxMandate}, {Name: "motivo", Label: "Motivo", Help: "Senza nomi né targhe.", Max: multe.MaxRefundReason}}
	if beyond {
		fields = append(fields, field{Name: "oltre", Label: "Si restituisce più di quanto è stato pagato in eccesso, ed è voluto", Tick: true})
	}
	s.showForm(c, status, formPage{Title: "Registra un rimborso", Button: "Registra il rimborso", Problems: problems, ID: id,
		Intro: "Il servizio non muove denaro: qui si registra un rimborso già disposto, e si chiude ciò che lo aspettava.",
		Back:  "/pagamenti/" + url.PathEscape(iuv), BackText: "Il pagamento", Action: "/pagamenti/" + url.PathEscape(iuv) + "/rimborso", Groups: []fieldGroup{{"", fields}}}, v)
}

// refundable reads what was paid under an IUV, or answers that nothing was.
func (s *server) refundable(c *gin.Context) (paid multe.Cents, act multe.VerbaleID, ok bool) {
	ok = s.look(c, func(r store.Reader) error {
		list, err := r.PaymentsOf(who(c).Creditor, c.Param("iuv"), store.MaxPage)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.New(fault.NotFound, "payment.unknown", "Per questo IUV non risulta nessun pagamento da rimborsare.")
		}
		paid, act = 0, list[0].Verbale
		for _, x := range list {
			paid += x.Cents
		}
		return nil
	})
	return paid, act, ok
}

// refundPage serves GET /pagamenti/:iuv/rimborso. What is proposed is what was
// paid in excess, else all of it.
func (s *server) refundPage(c *gin.Context) {
	w := who(c)
	paid, act, ok := s.refundable(c)
	if !ok {
		return
	}
	if act != "" {
		m, err := s.Money.Of(c.Request.Context(), w.Creditor, act)
		if err != nil && !errors.Is(err, fault.NotFound) {
			s.fail(c, err)
			return
		}
		if err == nil {
			paid = cmp.Or(m.Balance.Excess(), m.Balance.Left())
		}
	}
	id, ok := s.newID(c)
	if !ok {
		return
	}
	first := s.today()
	first["importo"] = paid.Italian()
	s.showRefund(c, http.StatusOK, proposed(first), id, false, nil)
}

// refund serves POST /pagamenti/:iuv/rimborso.
func (s *server) refund(c *gin.Context) {
	w, v, iuv := who(c), typedIn(c), c.Param("iuv")
	if _, _, ok := s.refundable(c); !ok {
		return
	}
	r := multe.Refund{Creditor: w.Creditor, ID: multe.RefundID(v("id")), IUV: iuv, Reason: v("motivo"), Mandate: v("mandato"), Beyond: v("oltre") != ""}
	var err error
	if r.Cents, err = typedEuro(v("importo")); err != nil {
		err = fault.Wrap(fault.Invalid, "refund.bad_amount", fault.Of(err).Detail, err)
	} else if r.RefundedOn, err = typedDay(v("giorno"), "refund.bad_day"); err == nil {
		r, err = s.Money.Refund(c.Request.Context(), w.Actor(), r)
	}
	if err != nil {
		fields := map[string]string{"refund.bad_amount": "importo", "refund.too_much": "importo", "refund.beyond_excess": "oltre", "refund.bad_day": "giorno", "refund.bad_reason": "motivo", "refund.bad_mandate": "mandato"}
		if problems, ok := s.problemsOf(c, err, fields); ok {
			s.showRefund(c, statuses[fault.Of(err).Kind], v, v("id"), fault.Of(err).Code == "refund.beyond_excess" || v("oltre") != "", problems)
		}
		return
	}
	see(c, "/pagamenti/"+url.PathEscape(iuv)+"?fatto=rimborsato")
}
