package backoffice

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/store"
)

// recordPage is the form that records a verbale, with the slip beside it.
type recordPage struct {
	Slip     slipView
	Number   string
	Problems []problem
	Fields   []field // of the act
	Who      string  // persona, ditta or nessuno
	Person   []field
	Company  []field
	Common   []field
	Left     int
	Skip     string
	Hints    []hintRow
	Photos   []multe.PhotoID
}

// PhotoPath is where the photos are.
func (p recordPage) PhotoPath() string { return "/verbale/" + string(p.Slip.ID) + "/foto/" }

// field is one input with its label, help and error.
type field struct {
	Name, Label, Help, Error, Value, Type, Mode string
	Max                                         int
	Optional, Focus                             bool
	Options                                     []choice // a list to choose from
	Lines                                       int      // a text of some lines
	Tick                                        bool     // a box to tick: its value is "1"
}

// Describes lists the ids that describe the input.
func (f field) Describes() string {
	var ids []string
	if f.Help != "" {
		ids = append(ids, f.Name+"-aiuto")
	}
	if f.Error != "" {
		ids = append(ids, f.Name+"-errore")
	}
	return strings.Join(ids, " ")
}

// recordFields are the inputs, by the code of what can be wrong with each.
var recordFields = map[string]string{
	"verbale.bad_register": "registro", "verbale.register_used": "registro", "verbale.bad_amount": "importo", "verbale.bad_causale": "causale", "verbale.bad_costs": "spese", "verbale.no_catalogue": "importo", "amount.unknown_violation": "importo",
	"debtor.cf": "cf", "debtor.surname": "cognome", "debtor.name": "nome", "debtor.company": "ditta", "debtor.missing": "cognome", "debtor.both": "ditta",
	"debtor.address": "indirizzo", "debtor.civico": "civico", "debtor.cap": "cap", "debtor.city": "citta", "debtor.province": "provincia", "debtor.nation": "nazione", "debtor.email": "email",
}

// maxDebtorField is the longest input of a debtor.
const maxDebtorField = 256

// form draws the inputs with what was typed and what is wrong.
func (p *recordPage) form(v func(string) string) {
	wrong := map[string]string{}
	for _, x := range p.Problems {
		wrong[x.Field] = x.Text
	}
	in := func(f field) field {
		f.Value, f.Error = v(f.Name), wrong[f.Name]
		return f
	}
	p.Fields = []field{
		in(field{Name: "registro", Label: "Numero di registro", Help: "Proposto dall'ultimo registrato.", Max: multe.MaxRegister, Focus: len(p.Problems) == 0}),
		in(field{Name: "importo", Label: "Importo in euro, spese comprese", Help: "Vuoto: quelli di legge per la violazione stampata, dal catalogo. Scritto a mano resta fermo, anche dopo la notifica.", Mode: "decimal", Max: 10, Optional: true}),
		in(field{Name: "spese", Label: "Spese di accertamento e notifica, in euro", Mode: "decimal", Max: 10, Optional: true}),
		in(field{Name: "causale", Label: "Causale", Help: "La legge chi paga: niente targa, niente nomi.", Max: 90}),
	}
	p.Person = []field{in(field{Name: "cognome", Label: "Cognome", Max: 70}), in(field{Name: "nome", Label: "Nome", Max: 70})}
	p.Company = []field{in(field{Name: "ditta", Label: "Ragione sociale", Max: 70})}
	p.Common = []field{
		in(field{Name: "cf", Label: "Codice fiscale o partita IVA", Max: 35}),
		in(field{Name: "indirizzo", Label: "Indirizzo", Max: 70, Optional: true}), in(field{Name: "civico", Label: "Numero civico", Max: 16, Optional: true}),
		in(field{Name: "cap", Label: "CAP", Max: 16, Optional: true}), in(field{Name: "citta", Label: "Città", Max: 35, Optional: true}),
		in(field{Name: "provincia", Label: "Provincia", Max: 35, Optional: true}),
		in(field{Name: "nazione", Label: "Nazione, due lettere", Max: 2, Optional: true}),
		in(field{Name: "email", Label: "E-mail", Type: "email", Max: maxDebtorField, Optional: true}),
	}
}

// recordPage serves GET /verbale/:id/registra.
func (s *server) recordPage(c *gin.Context) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	var proposal map[string]string
	if !s.look(c, func(r store.Reader) error {
		v, err := r.Verbale(w.Creditor, id)
		if err != nil {
			return noVerbale(err)
		}
		t, err := s.trend(r, w.Creditor)
		if err != nil {
			return err
		}
		next, err := nextRegister(r, w.Creditor, t.recorded)
		if err != nil {
			return err
		}
		proposal, err = s.proposal(r, w.Creditor, v)
		proposal["registro"] = next
		return err
	}) {
		return
	}
	hints, ok := s.hints(c, id)
	if !ok {
		return
	}
	if n := chosenHint(hints, c.Query("proprietario")); n >= 0 {
		fillDebtor(proposal, *hints[n].Debtor)
	}
	s.showRecord(c, http.StatusOK, proposed(proposal), cmp.Or(proposal["chi"], "persona"), nil)
}

// proposal is what the form begins with: the amounts of the law where the catalogue
// knows the violation, else what is printed for today.
func (s *server) proposal(r store.Reader, c multe.CreditorID, v multe.Verbale) (map[string]string, error) {
	day := multe.DayOf(s.Now())
	m := map[string]string{"causale": string(multe.CausaleOfSlip(v.Slip)), "nazione": "IT"}
	cr, err := r.Creditor(c)
	if err != nil {
		return m, err
	}
	_, err = store.DocumentOn(r, c, multe.DocumentCatalogue, multe.DayOf(v.Slip.IssuedAt))
	switch {
	case errors.Is(err, fault.NotFound) || v.Slip.Violation.Code == "":
		m["importo"], err = v.DueOn(day).Italian(), nil
	case err == nil:
		m["spese"] = cr.PolicyOn(day).CostsCents.Italian()
	}
	return m, err
}

// hintRow is an owner proposed for a verbale.
type hintRow struct {
	N                int // from 1
	Name, CF, Period string
	Fits, Chosen     bool
	Imported         time.Time
}

// hints reads who may own the vehicle, or answers why not.
func (s *server) hints(c *gin.Context, id multe.VerbaleID) ([]owners.Hint, bool) {
	hints, err := s.Owners.Hints(c.Request.Context(), who(c).Creditor, id)
	if err != nil {
		s.fail(c, err)
		return nil, false
	}
	return hints, true
}

// chosenHint is the place of the owner to begin with: the one asked for, counted
// from 1, else the first who owned the vehicle that day; -1 is none.
func chosenHint(hints []owners.Hint, asked string) int {
	if n, err := strconv.Atoi(asked); err == nil {
		if n >= 1 && n <= len(hints) {
			return n - 1
		}
		return -1
	}
	if len(hints) > 0 && hints[0].Fits {
		return 0
	}
	return -1
}

// nextRegister proposes the number after the one that was given last: its last
// digits, one more, the first that is free. It is the creditor's register: a
// proposal, that a person reads.
func nextRegister(r store.Reader, c multe.CreditorID, last multe.VerbaleID) (string, error) {
	if last == "" {
		return "", nil
	}
	v, err := r.Verbale(c, last)
	if err != nil || v.Record == nil {
		return "", err
	}
	number := v.Record.Register
	for range 20 { // numbers given out of order; after that a person knows better
		if number = increment(number); number == "" {
			return "", nil
		}
		_, err := r.VerbaleByRegister(c, number)
		if errors.Is(err, fault.NotFound) {
			return number, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// increment adds one to the first run of digits of a register number that is not a
// year at its end, and keeps its width: "V-0012/2026" is followed by "V-0013/2026".
// "" means that there is no number to add to.
func increment(s string) string {
	end := len(s)
	if i := strings.LastIndexAny(s, "/-"); i > 0 && len(s)-i == 5 && strings.Trim(s[i+1:], "0123456789") == "" && strings.ContainsAny(s[:i], "0123456789") {
		end = i
	}
	for end > 0 && (s[end-1] < '0' || s[end-1] > '9') {
		end--
	}
	begin := end
	for begin > 0 && s[begin-1] >= '0' && s[begin-1] <= '9' {
		begin--
	}
	n, err := strconv.ParseUint(s[begin:end], 10, 63)
	if err != nil {
		return ""
	}
	next := strconv.FormatUint(n+1, 10)
	if pad := end - begin - len(next); pad > 0 {
		next = strings.Repeat("0", pad) + next
	}
	return s[:begin] + next + s[end:]
}

func (s *server) showRecord(c *gin.Context, status int, v func(string) string, kind string, problems []problem) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	p := recordPage{Problems: problems, Who: kind, Skip: "/verbali/prossimo?dopo=" + url.QueryEscape(string(id))}
	var pos multe.PositionID
	if !s.look(c, func(r store.Reader) error {
		x, err := r.Verbale(w.Creditor, id)
		if err != nil {
			return noVerbale(err)
		}
		p.Slip, pos = slip(x, w, multe.DayOf(s.Now())), x.Slip.Position
		p.Number = x.Slip.Number.Grouped()
		n, err := r.CountVerbali(w.Creditor)
		p.Left = n[multe.VerbaleIssued]
		return err
	}) || !s.seen(c, "verbale", string(id), pos) {
		return
	}
	hints, ok := s.hints(c, id)
	if !ok {
		return
	}
	chosen := chosenHint(hints, c.Query("proprietario"))
	for i, h := range hints {
		name, cf := debtor(h.Debtor, w)
		p.Hints = append(p.Hints, hintRow{i + 1, name, cf, period(h.From, h.Until), h.Fits, i == chosen && c.Request.Method == http.MethodGet, h.Imported})
	}
	photos, err := s.Photos.OfVerbale(c.Request.Context(), w.Creditor, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	p.Photos = shown(photos)
	p.form(v)
	s.render(c, status, "registra.html", p)
}

// record serves POST /verbale/:id/registra.
func (s *server) record(c *gin.Context) {
	w, id, kind := who(c), multe.VerbaleID(c.Param("id")), c.PostForm("chi")
	v := func(name string) string { return strings.TrimSpace(c.PostForm(name)) }
	rec, err := typed(v, kind)
	if err == nil {
		_, _, err = s.Verbali.Record(c.Request.Context(), w.Actor(), w.Creditor, id, rec)
	}
	if code := fault.Of(err).Code; err != nil && (code == "record.changed" || code == "verbale.already_recorded") {
		s.showVerbale(c, http.StatusConflict, "", fault.Of(err).Detail+" Qui c'è com'è adesso; ciò che era scritto nel modulo non è stato registrato.")
		return
	}
	if err != nil {
		if problems, ok := s.problemsOf(c, err, recordFields); ok {
			s.showRecord(c, statuses[fault.Of(err).Kind], v, kind, problems)
		}
		return
	}
	see(c, "/verbali/prossimo?fatto=registrato&dopo="+url.QueryEscape(string(id)))
}

// typed makes a record of what was typed.
func typed(v func(string) string, kind string) (multe.Record, error) {
	r := multe.Record{Register: v("registro"), Causale: multe.Causale(v("causale"))}
	var err error
	if v("importo") != "" { // else what the law says, by the catalogue
		if r.Cents, err = typedEuro(v("importo")); err != nil {
			return r, err
		}
	}
	if v("spese") != "" {
		if r.CostsCents, err = typedEuro(v("spese")); err != nil {
			return r, fault.Wrap(fault.Invalid, "verbale.bad_costs", "Le spese vanno scritte in euro e centesimi, per esempio 12,50.", err)
		}
	}
	d := multe.Debtor{CF: multe.CF(strings.ToUpper(v("cf"))), Address: v("indirizzo"), Civico: v("civico"), CAP: v("cap"), City: v("citta"),
		Province: v("provincia"), Nation: strings.ToUpper(v("nazione")), Email: v("email")}
	switch kind {
	case "persona":
		d.Surname, d.Name = v("cognome"), v("nome")
	case "ditta":
		d.Company = v("ditta")
	case "nessuno":
		return r, nil
	default:
		return r, fault.New(fault.Invalid, "debtor.kind", "Scegliere se il debitore è una persona, una ditta, o se il verbale resta anonimo.")
	}
	r.Debtor = &d
	return r, nil
}

// typedEuro reads an amount as Italians write it: "1.234,50", "87,5", "42".
func typedEuro(s string) (multe.Cents, error) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "€"))
	if strings.Contains(s, ",") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	}
	c, err := avviso.ParseDecimal(s)
	if err != nil {
		return 0, fault.Wrap(fault.Invalid, "verbale.bad_amount", "L'importo va scritto in euro e centesimi, per esempio 42,00.", err)
	}
	return c, nil
}

// nextToRecord serves GET /verbali/prossimo: the oldest slip that waits, after a
// given one.
func (s *server) nextToRecord(c *gin.Context) {
	w := who(c)
	var vs []multe.Verbale
	if !s.look(c, func(r store.Reader) (err error) {
		if vs, err = r.VerbaliIn(w.Creditor, multe.VerbaleIssued, multe.VerbaleID(c.Query("dopo")), 1); err == nil && len(vs) == 0 && c.Query("dopo") != "" {
			vs, err = r.VerbaliIn(w.Creditor, multe.VerbaleIssued, "", 1) // those that were skipped
		}
		return err
	}) {
		return
	}
	if len(vs) == 0 {
		see(c, "/verbali?fatto=finito")
		return
	}
	to := "/verbale/" + string(vs[0].Slip.ID) + "/registra"
	if c.Query("fatto") == "registrato" {
		to += "?fatto=registrato"
	}
	see(c, to)
}
