package backoffice

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/guide"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// codesPage is the stock and what is on its way.
type codesPage struct {
	Query    string
	Problem  string
	Counts   []countRow
	Forecast string
	Tone     string
	Pool     plot
	Batches  []batchRow
	Orphans  []codeRow
	Low      int
	Target   int
}

type countRow struct {
	Sign  sign
	Count int
	Means string
}

type codeRow struct {
	Position multe.PositionID
	Name     string
	Sign     sign
	Changed  time.Time
}

var codeMeans = map[multe.CodeState]string{
	multe.CodeRequested:   "chiesti, il numero non è ancora arrivato",
	multe.CodeOrphaned:    "esistono su PiemontePAY, ma il loro numero non ci è arrivato",
	multe.CodeAvailable:   "nella scorta, valgono zero e non sono pagabili",
	multe.CodeAssigned:    "affidati ai palmari, possono essere stampati in ogni momento",
	multe.CodeQuarantined: "forse stampati: il palmare è perso, tace o li dichiara rovinati",
	multe.CodeIssued:      "su un preavviso, PiemontePAY non ha ancora confermato l'importo",
	multe.CodeActive:      "su un preavviso, chi lo trova può pagare",
	multe.CodePaid:        "il pagamento è arrivato",
	multe.CodeVoid:        "fuori uso",
}

// stockPage decides what the page of the codes says.
func stockPage(f facts, orphans []multe.Code) codesPage {
	p := codesPage{Low: f.Creditor.PoolLow, Target: f.Creditor.PoolTarget, Tone: supplyNumber(f).Tone}
	for _, st := range multe.CodeStates() {
		p.Counts = append(p.Counts, countRow{codeSign(st), f.Codes[st], codeMeans[st]})
	}
	s := supplyOf(f)
	left := f.Codes[multe.CodeAvailable]
	switch {
	case !s.Known:
		p.Forecast = fmt.Sprintf("Ci sono %d codici disponibili. Nessuno è stato ancora usato: la previsione comincia con il primo turno.", left)
	case s.Last.IsZero():
		p.Forecast = fmt.Sprintf("Ci sono %d codici disponibili. Anche se PiemontePAY non ne desse altri, bastano per più di %d giorni.", left, horizon)
	default:
		p.Forecast = fmt.Sprintf("Ci sono %d codici disponibili. Se PiemontePAY non ne desse altri, all'uso di questi giorni finirebbero %s.", left, longDay(s.Last))
	}
	if !s.Cautious.IsZero() && s.Cautious != s.Last {
		p.Forecast += fmt.Sprintf(" Con giornate piene già %s.", longDay(s.Cautious))
	}
	p.Pool = poolPlot(f, s)
	for _, b := range f.Batches {
		p.Batches = append(p.Batches, batchRow{operationWord(b.Operation), ago(f.Now.Sub(b.Sealed)), len(b.Changes), batchSign(b.State)})
	}
	for _, k := range orphans {
		p.Orphans = append(p.Orphans, codeRow{k.Position, short(string(k.Position)), codeSign(k.State), k.Changed})
	}
	return p
}

// The days that the picture of the pool shows.
const (
	plotPast   = 14
	plotFuture = 14
)

// poolPlot draws the level of the pool at the end of each day: back from what
// there is now by what came and went, ahead by the forecast.
func poolPlot(f facts, s supply) plot {
	today := multe.DayOf(f.Now)
	days := f.Trend.last(plotPast, today)
	was := make([]point, plotPast)
	level := f.Codes[multe.CodeAvailable]
	for i := plotPast - 1; i >= 0; i-- {
		was[i] = dayPoint(today.Plus(i-plotPast+1), max(level, 0), "")
		level -= days[i].Moved
	}
	was[plotPast-1].Short = "oggi"
	was[0].Short = shortDay(today.Plus(1 - plotPast))
	var ahead []point
	if s.Known {
		for i := range plotFuture {
			v := 0
			if i < len(s.Levels) {
				v = s.Levels[i]
			}
			ahead = append(ahead, dayPoint(s.From.Plus(i), v, " (previsione)"))
		}
		ahead[plotFuture-1].Short = shortDay(s.From.Plus(plotFuture - 1))
	}
	return levels("scorta", "Codici disponibili, giorno per giorno",
		"La linea continua è ciò che c'era a fine giornata, quella tratteggiata la previsione senza nuovi codici.", [2]string{"Giorno", "Codici"}, was, ahead, f.Creditor.PoolLow)
}

func dayPoint(d multe.Day, v int, note string) point {
	return point{Name: d.Italian() + note, Value: v}
}

func shortDay(d multe.Day) string { return fmt.Sprintf("%d/%d", d.Day, int(d.Month)) }

// codesPage serves GET /codici.
func (s *server) codesPage(c *gin.Context) {
	s.showCodes(c, http.StatusOK, "", "")
}

func (s *server) showCodes(c *gin.Context, status int, query, detail string) {
	f, ok := s.facts(c)
	if !ok {
		return
	}
	var orphans []multe.Code
	if !s.look(c, func(r store.Reader) (err error) {
		orphans, err = r.CodesIn(who(c).Creditor, multe.CodeOrphaned, "", pageSize)
		return err
	}) {
		return
	}
	p := stockPage(f, orphans)
	p.Query, p.Problem = query, detail
	s.render(c, status, "codici.html", p)
}

// findCode serves POST /codici/cerca.
func (s *server) findCode(c *gin.Context) {
	q := c.PostForm("q")
	k, err := s.Verbali.FindCode(c.Request.Context(), who(c).Creditor, q)
	if f := fault.Of(err); err != nil && (f.Kind == fault.NotFound || f.Kind == fault.Invalid) {
		s.showCodes(c, statuses[f.Kind], q, f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/codici/"+string(k.Position))
}

// codePage is one code and its story.
type codePage struct {
	Position  multe.PositionID
	Number    string
	Sign      sign
	Means     string
	Device    multe.DeviceID
	Verbale   multe.VerbaleID
	Reason    string
	Upstream  string
	Debtor    bool
	IUV       string
	Story     []storyRow
	MayVoid   bool
	MayUndo   bool
	Problem   string
	Undo      string // how long an annulment can be taken back
	VoidValue string
}

type storyRow struct {
	At   time.Time
	Who  string
	Text string
	Code *platformCode
}

// platformCode is a code of PiemontePAY, explained.
type platformCode struct {
	Code string
	guide.Text
}

// story makes rows of the history of a code.
func (s *server) story(es []multe.AuditEntry) []storyRow {
	rows := make([]storyRow, 0, len(es))
	for _, e := range es {
		if strings.HasPrefix(e.Action, "seen.") || e.Action == "photo.seen" {
			continue // who looked stands in the register
		}
		row := storyRow{At: e.At, Who: actorWord(e.Actor), Text: s.Sentence(e)}
		if e.Code != "" && e.Code != "000" && s.Explain != nil {
			if t, ok := s.Explain(e.Action, e.Code); ok {
				row.Code = &platformCode{e.Code, t}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// codePage serves GET /codici/:position.
func (s *server) codePage(c *gin.Context) { s.showCode(c, http.StatusOK, "", "") }

func (s *server) showCode(c *gin.Context, status int, value, detail string) {
	w := who(c)
	k, es, err := s.Verbali.Timeline(c.Request.Context(), w.Creditor, multe.PositionID(c.Param("position")))
	if err != nil {
		s.fail(c, err)
		return
	}
	var cr multe.Creditor
	if !s.look(c, func(r store.Reader) (err error) { cr, err = r.Creditor(w.Creditor); return err }) {
		return
	}
	p := codePage{Position: k.Position, Number: k.Number.Grouped(), Sign: codeSign(k.State), Means: codeMeans[k.State], Device: k.Device, Verbale: k.Verbale,
		Reason: k.Reason, Upstream: euro(k.UpstreamCents), Debtor: k.UpstreamDebtor, Story: s.story(es), Problem: detail, VoidValue: value, Undo: ago(cr.Undo())}
	if !k.Number.IsZero() {
		p.IUV = k.Number.IUV()
	}
	if w.May(multe.MayHandleCodes) && k.Verbale == "" {
		switch k.State {
		case multe.CodeAvailable, multe.CodeQuarantined, multe.CodeOrphaned:
			p.MayVoid = true
		case multe.CodeVoid:
			p.MayUndo = true
		}
	}
	s.render(c, status, "codice.html", p)
}

// voidCode serves POST /codici/:position/annulla.
func (s *server) voidCode(c *gin.Context) {
	w, reason := who(c), c.PostForm("motivo")
	_, err := s.Pool.Void(c.Request.Context(), w.Actor(), w.Creditor, multe.PositionID(c.Param("position")), reason)
	if f := fault.Of(err); err != nil && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) {
		s.showCode(c, statuses[f.Kind], reason, f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/codici/"+c.Param("position")+"?fatto=annullato")
}

// restoreCode serves POST /codici/:position/ripristina.
func (s *server) restoreCode(c *gin.Context) {
	w := who(c)
	_, err := s.Pool.UndoVoid(c.Request.Context(), w.Actor(), w.Creditor, multe.PositionID(c.Param("position")))
	if f := fault.Of(err); err != nil && f.Kind == fault.Conflict {
		s.showCode(c, statuses[f.Kind], "", f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/codici/"+c.Param("position")+"?fatto=ripreso")
}

// number of a query parameter, 0 if it is none.
func queryInt(c *gin.Context, name string) int {
	n, err := strconv.Atoi(c.Query(name))
	if err != nil {
		return 0
	}
	return n
}
