package ppaysim

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The page at the root: what the platform holds, what went over the wire, and a
// button for each thing the control API can break. No scripts.

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle []byte

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"euro":   func(c Cents) string { return strings.Replace(c.Decimal(), ".", ",", 1) },
	"time":   func(t time.Time) string { return t.In(rome).Format("02/01/2006 15:04:05") },
	"day":    func(t time.Time) string { return t.In(rome).Format("02/01/2006") },
	"state":  func(s State) string { return states[s].name },
	"pretty": pretty,
}).Parse(pageSource))

// A knob is one setting on the page. Its input is that of its kind in JSON.
type knob struct{ Name, Label string }

// knobs are the settings by section; every one of [Settings] is here once.
var knobs = []struct {
	ID, Title string
	Knobs     []knob
}{
	{"tempi", "Tempi e limiti", []knob{
		{"delay_min", "Attesa minima prima dell'elaborazione"}, {"delay_max", "Attesa massima prima dell'elaborazione"},
		{"threshold", "Posizioni per lista oltre le quali risponde 250 (0: nessun limite)"}, {"notify_every", "Intervallo tra le notifiche di pagamento (0s: solo a richiesta)"},
		{"retries", "Tentativi di consegna dopo il primo"}, {"backoff", "Attesa prima del secondo tentativo"}, {"slow", "Attesa prima di ogni risposta"},
	}},
	{"ingresso", "Chiamate in ingresso", []knob{
		{"auth", "Autenticazione: none, basic, wss, both (vuoto: predefinita)"}, {"lenient", "Accetta messaggi non conformi allo schema"},
		{"action_checked", "Rifiuta una SOAPAction diversa dall'operazione"}, {"duplicate_answer", "Risposta a un IdMessaggio ripetuto: 012 o 000"},
		{"refuse_next", "Chiamate da rifiutare"}, {"refuse_code", "Codice del rifiuto: 100–299 esito, 500 Fault, altri HTTP"},
		{"drop_requests_next", "Chiamate da perdere"}, {"drop_answers_next", "Risposte da perdere"},
	}},
	{"elaborazione", "Elaborazione", []knob{
		{"crash_next", "Liste che falliscono con 200"}, {"fail_positions_next", "Posizioni che falliscono con 160 o 175"}, {"fail_applied", "… e sono scritte lo stesso"},
		{"iuv_down", "Servizio IUV fermo (250)"}, {"taxonomy_down", "Tassonomia ferma (157)"}, {"catalog_down", "Catalogo fermo (157, 175)"}, {"no_accertamento", "Nessun accertamento per l'anno in corso (157)"},
	}},
	{"esiti", "Esiti", []knob{
		{"esito_first_next", "Esiti consegnati prima della risposta sincrona"}, {"esito_late_next", "Esiti trattenuti e consegnati fuori ordine"},
		{"esito_twice_next", "Esiti consegnati due volte"}, {"esito_lost_next", "Esiti mai consegnati"},
	}},
	{"pagamenti", "Pagamenti e notifiche", []knob{
		{"bus_down", "Le notifiche si perdono e tornano con un altro id"}, {"pay_twice_next", "Pagamenti doppi, con un altro IUR"}, {"pay_other_next", "Pagamenti di un importo diverso"},
		{"notify_no_psp_next", "Notifiche senza PSP, IUR e date"}, {"notify_joined_next", "Notifiche con più IUR uniti"}, {"notify_no_code_next", "Notifiche senza CodiceAvviso"},
		{"notify_total_next", "Messaggi con il totale sbagliato"}, {"notify_twice_next", "Messaggi consegnati due volte"}, {"notify_again_next", "Messaggi ripetuti con un altro id"},
		{"notify_plain_dates", "Date senza fuso orario"},
	}},
}

// An input is a knob as it stands.
type input struct {
	knob
	Kind  string // checkbox, number or text
	Value string
	On    bool
}

type section struct {
	ID, Title string
	Inputs    []input
}

// sections are the knobs with the values of the settings.
func sections(set Settings) ([]section, error) {
	raw, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err
	}
	var out []section
	for _, group := range knobs {
		sec := section{ID: group.ID, Title: group.Title}
		for _, k := range group.Knobs {
			in := input{knob: k}
			switch v := values[k.Name].(type) {
			case bool:
				in.Kind, in.On = "checkbox", v
			case float64:
				in.Kind, in.Value = "number", strconv.Itoa(int(v))
			case string:
				in.Kind, in.Value = "text", v
			}
			sec.Inputs = append(sec.Inputs, in)
		}
		out = append(out, sec)
	}
	return out, nil
}

// page adds the page and what its forms post to.
func (s *Sim) page(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.getPage)
	mux.HandleFunc("GET /messages/{seq}", s.getMessagePage)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pageStyle) // the caller went away
	})
	mux.HandleFunc("POST /act/{act}", s.postAct)
}

// view is what the template shows; one of Home, Message and Problem is there.
type view struct {
	Title   string
	Refresh int // seconds; 0: no
	Done    string
	Home    *home
	Message *Message
	Problem string
}

type home struct {
	Now       time.Time
	Offset    Duration
	Query     string
	Positions []Position
	More      bool
	Total     int
	Lists     []pendingList
	Queues    []pendingQueue
	Messages  []Message
	Older     uint64
	Sections  []section
}

type pendingList struct {
	Operation, ID, CF string
	Due               time.Time
	Positions         int
}

type pendingQueue struct {
	Queue
	First []Delivery
}

// done are the confirmations a redirect may ask for; nothing else is shown.
var done = map[string]string{
	"pay": "Pagato.", "begin": "Pagamento iniziato: finché dura gli aggiornamenti rispondono 177.", "abandon": "Pagamento abbandonato.",
	"rt": "Ricevuta messa in coda.", "revoke": "Revoca messa in coda.", "settings": "Impostazioni cambiate.", "clock": "Orologio spostato.",
	"notify": "Notifiche messe in coda.", "expired": "Avvisi scaduti messi in coda.", "enable": "Coda riattivata.", "stop": "Coda fermata.", "release": "Messaggi trattenuti rilasciati.",
}

// refreshes are the pauses one can choose.
var refreshes = map[string]int{"5": 5, "30": 30}

func (s *Sim) getPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h := home{Query: strings.TrimSpace(q.Get("q"))}
	before, _ := strconv.ParseUint(q.Get("before"), 10, 64) // anything else is the newest
	err := s.view(func(t tx) (err error) {
		d, err := t.offset()
		if err != nil {
			return err
		}
		h.Now, h.Offset = s.now().Add(d), Duration(d)
		h.Total = t.in(bPositions).Stats().KeyN
		if err := h.positions(t); err != nil {
			return err
		}
		if err := h.lists(t); err != nil {
			return err
		}
		if err := h.queues(t); err != nil {
			return err
		}
		return h.messages(t, before)
	})
	if err == nil {
		h.Sections, err = sections(s.Settings())
	}
	if err != nil {
		s.log.Error("page failed", "err", err)
		s.show(w, http.StatusInternalServerError, view{Title: "Errore", Problem: "Errore interno: vedere il registro."})
		return
	}
	s.show(w, http.StatusOK, view{Title: "Simulatore PiemontePAY", Refresh: refreshes[q.Get("refresh")], Done: done[q.Get("done")], Home: &h})
}

func (s *Sim) show(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		s.log.Error("page failed", "err", err)
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "same-origin") // without one, browsers post with Origin: null
	head.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the caller went away
}

// positions finds one by its avviso, IUV or id, or shows the first ones.
func (h *home) positions(t tx) error {
	if h.Query != "" {
		for _, try := range []receipt{{Avviso: h.Query}, {IUV: h.Query}} {
			k, p, _, err := find(t, try.Avviso, try.IUV)
			if err != nil {
				return err
			}
			if k != nil {
				h.Positions = []Position{p}
				return nil
			}
		}
	}
	return scan(t, bPositions, nil, nil, func(_ []byte, p Position) (bool, error) {
		if h.Query != "" && p.ID != h.Query {
			return true, nil
		}
		if h.More = len(h.Positions) == pageRows; h.More {
			return false, nil
		}
		h.Positions = append(h.Positions, p)
		return true, nil
	})
}

// lists are those not yet elaborated, the first of each operation.
func (h *home) lists(t tx) error {
	for _, o := range []op{opInsert, opUpdate} {
		n := 0
		err := scan(t, bLists, prefix(string(o)), nil, func(_ []byte, w waiting) (bool, error) {
			root, err := parseXML(w.Body)
			if err != nil {
				return false, err
			}
			body := soapBody(root)
			if body == nil {
				return false, errNotXML
			}
			l := readList(body)
			h.Lists = append(h.Lists, pendingList{body.name.Local, l.id, l.cf, w.Due, len(l.items)})
			n++
			return n < pageRows, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *home) queues(t tx) error {
	qs, err := queues(t)
	if err != nil {
		return err
	}
	for _, q := range qs {
		pq := pendingQueue{Queue: q}
		err := scan(t, bQueue, prefix(q.CF), nil, func(_ []byte, d Delivery) (bool, error) {
			pq.First = append(pq.First, d)
			return len(pq.First) < pageRows, nil
		})
		if err != nil {
			return err
		}
		h.Queues = append(h.Queues, pq)
	}
	return nil
}

// messages are the newest before one, newest first.
func (h *home) messages(t tx, before uint64) error {
	c := t.in(bMessages).Cursor()
	k, raw := c.Last()
	if before > 0 {
		if k, _ = c.Seek(seqKey(before)); k == nil {
			k, raw = c.Last()
		} else {
			k, raw = c.Prev()
		}
	}
	for ; k != nil && len(h.Messages) < pageRows; k, raw = c.Prev() {
		var m Message
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		m.Body, m.Answer = "", "" // not on this page
		h.Messages = append(h.Messages, m)
	}
	if k != nil {
		h.Older = binary.BigEndian.Uint64(k) + 1
	}
	return nil
}

func (s *Sim) getMessagePage(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	var (
		m     Message
		found bool
	)
	if err == nil {
		err = s.view(func(t tx) (err error) {
			m, found, err = get[Message](t, bMessages, seqKey(seq))
			return err
		})
	}
	if err != nil || !found {
		s.show(w, http.StatusNotFound, view{Title: "Messaggio non trovato", Problem: "Il messaggio non c'è, o non c'è più."})
		return
	}
	s.show(w, http.StatusOK, view{Title: "Messaggio " + strconv.FormatUint(seq, 10), Message: &m})
}

// postAct does what a button says and goes back to the page. That the form is
// ours was checked before (Handler).
func (s *Sim) postAct(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.show(w, http.StatusBadRequest, view{Title: "Richiesta non valida", Problem: "Il modulo non si può leggere."})
		return
	}
	act := r.PathValue("act")
	err := s.act(act, r.PostForm)
	no, isRefused := errors.AsType[*refused](err)
	switch {
	case isRefused:
		s.show(w, no.status, view{Title: "Non fatto", Problem: no.Code + ": " + no.Text})
	case err != nil:
		s.log.Error("act failed", "act", act, "err", err)
		s.show(w, http.StatusInternalServerError, view{Title: "Errore", Problem: "Errore interno: vedere il registro."})
	default:
		back := url.Values{"done": {act}}
		for _, keep := range []string{"q", "refresh"} {
			if v := r.PostForm.Get(keep); v != "" {
				back.Set(keep, v)
			}
		}
		http.Redirect(w, r, "/?"+back.Encode(), http.StatusSeeOther)
	}
}

func (s *Sim) act(act string, form url.Values) error {
	counter := func(f func(tx, receipt) (any, *ko, error)) error {
		_, err := s.atCounter(receipt{IUV: form.Get("iuv"), Force: form.Has("force")}, f)
		return err
	}
	onQueue := func(f func(tx, string) error) error { return s.withQueueOf(form.Get("cf"), f) }
	switch act {
	case "pay":
		return counter(s.payAtCounter)
	case "begin":
		return counter(func(t tx, in receipt) (any, *ko, error) { return three(s.start(t, in)) })
	case "abandon":
		return counter(func(t tx, in receipt) (any, *ko, error) { return three(s.abandon(t, in)) })
	case "rt":
		return counter(func(t tx, in receipt) (any, *ko, error) { return three(s.sendReceipt(t, in, false)) })
	case "revoke":
		return counter(func(t tx, in receipt) (any, *ko, error) { return three(s.revoke(t, in, "0")) })
	case "notify":
		_, err := s.Notify()
		s.nudge()
		return err
	case "expired":
		_, err := s.postExpired(nil)
		return err
	case "enable":
		return onQueue(func(t tx, cf string) error {
			_, err := s.enable(t, cf)
			return err
		})
	case "stop":
		return onQueue(s.stop)
	case "release":
		return onQueue(s.unhold)
	case "clock":
		return s.actClock(form)
	case "settings":
		return s.actSettings(form)
	}
	return &refused{http.StatusNotFound, ko{"NO_SUCH_ACT", "Azione sconosciuta."}}
}

// actClock moves the clock to a civil time of Rome, or by a duration.
func (s *Sim) actClock(form url.Values) error {
	var m clockMove
	if v := form.Get("now"); v != "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", v, rome)
		if err != nil {
			return badRequest("data e ora: AAAA-MM-GGThh:mm")
		}
		m.Now = at
	}
	if v := form.Get("advance"); v != "" {
		var d Duration
		if err := d.UnmarshalText([]byte(v)); err != nil {
			return badRequest("avanti di: una durata, come 24h o -30m")
		}
		m.Advance = &d
	}
	if form.Has("real") {
		m.Offset = new(Duration)
	}
	if m.check() != nil {
		return badRequest("serve una sola tra data e ora, durata, ora vera")
	}
	return s.moveClock(m)
}

// actSettings changes the settings of one section; a box that is not ticked is
// not sent.
func (s *Sim) actSettings(form url.Values) error {
	secs, err := sections(s.Settings())
	if err != nil {
		return err
	}
	changed := map[string]any{}
	for _, sec := range secs {
		if sec.ID != form.Get("section") {
			continue
		}
		for _, in := range sec.Inputs {
			v := form.Get(in.Name)
			switch {
			case in.Kind == "checkbox":
				changed[in.Name] = form.Has(in.Name)
			case !form.Has(in.Name):
			case in.Kind == "number":
				n, err := strconv.Atoi(strings.TrimSpace(v))
				if err != nil {
					return badRequest(in.Label + ": serve un numero intero")
				}
				changed[in.Name] = n
			default:
				changed[in.Name] = strings.TrimSpace(v)
			}
		}
	}
	if len(changed) == 0 {
		return badRequest("sezione sconosciuta")
	}
	raw, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	_, err = s.changeSettings(raw)
	return err
}

// pretty indents XML for reading, and leaves alone what is none. Texts keep
// their characters; the raw message stands beside it.
func pretty(raw string) string {
	var (
		b     strings.Builder
		d     = xml.NewDecoder(strings.NewReader(raw))
		depth int
		open  bool // the last thing written is a start tag, or its text
	)
	line := func() {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strings.Repeat("  ", max(depth, 0)))
	}
	for {
		at := d.InputOffset()
		tok, err := d.RawToken()
		if err == io.EOF {
			return b.String()
		}
		if err != nil || depth > maxDepth {
			return raw
		}
		piece := raw[at:d.InputOffset()]
		switch tok.(type) {
		case xml.StartElement:
			line()
			b.WriteString(piece)
			depth, open = depth+1, true
		case xml.EndElement:
			depth--
			if !open {
				line()
			}
			b.WriteString(piece) // nothing, of an element that closes itself
			open = false
		case xml.CharData:
			if open {
				b.WriteString(strings.TrimSpace(piece))
			} else if text := strings.TrimSpace(piece); text != "" {
				line()
				b.WriteString(text)
			}
		default:
			line()
			b.WriteString(piece)
			open = false
		}
	}
}
