package backoffice

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// paymentsPage is what came in.
type paymentsPage struct {
	From    string // YYYY-MM-DD
	Problem string
	Rows    []paymentRow
	Total   string
	Next    string
	PerDay  plot
	Waits   plot
	Open    []group
}

type paymentRow struct {
	IUV, IUR string
	Position multe.PositionID
	Verbale  multe.VerbaleID
	Amount   string
	Paid     string
	PSP      string
	Received time.Time
}

func paymentRows(ps []multe.Payment) []paymentRow {
	rows := make([]paymentRow, 0, len(ps))
	for _, p := range ps {
		psp := p.PSPName
		if psp == "" {
			psp = p.PSP
		}
		rows = append(rows, paymentRow{p.IUV, p.IUR, p.Position, p.Verbale, euro(p.Cents), p.PaidOn.Italian(), psp, p.Received})
	}
	return rows
}

// paymentsPlots draws payments per day and the time from print to payable.
func paymentsPlots(t trend, today multe.Day) (perDay, fromPrint plot) {
	days := t.last(trendDays, today)
	ps := make([]point, trendDays)
	count, sum := 0, multe.Cents(0)
	for i, d := range days {
		day := today.Plus(i - trendDays + 1)
		ps[i] = point{Name: day.Italian(), Value: d.Paid, Text: fmt.Sprintf("%d per %s", d.Paid, euro(d.PaidCents))}
		if i%7 == 6 || i == 0 {
			ps[i].Short = shortDay(day)
		}
		count, sum = count+d.Paid, sum+d.PaidCents
	}
	perDay = bars("incassi", "Pagamenti al giorno", fmt.Sprintf("Negli ultimi %d giorni: %d pagamenti per %s.", trendDays, count, euro(sum)), [2]string{"Giorno", "Pagamenti"}, ps)

	classes := sumWaits(days)
	shorts := []string{"≤1 min", "≤5 min", "≤15 min", "≤1 h", "≤24 h", "oltre"}
	ws := make([]point, len(waits))
	total := 0
	for i, w := range waits {
		ws[i] = point{Name: w.label, Short: shorts[i], Value: classes[i]}
		total += classes[i]
	}
	summary := fmt.Sprintf("Quanto è passato, per %d preavvisi degli ultimi %d giorni, dalla stampa alla conferma di PiemontePAY.", total, trendDays)
	fromPrint = bars("attesa", "Dalla stampa al pagabile", summary, [2]string{"Tempo", "Preavvisi"}, ws)
	return perDay, fromPrint
}

// paymentsPage serves GET /pagamenti: a page of what came in since a day.
func (s *server) paymentsPage(c *gin.Context) {
	w, today := who(c), multe.DayOf(s.Now())
	p := paymentsPage{}
	from := today.Plus(-6)
	if q := c.Query("dal"); q != "" {
		d, err := multe.ParseDay(q)
		if err != nil {
			p.Problem = "La data va scritta come giorno, mese e anno."
		} else {
			from = d
		}
	}
	p.From = from.String()
	after := multe.Payment{Received: multe.Instant(from.Start())}
	if at, err := strconv.ParseInt(c.Query("dopo"), 36, 64); err == nil {
		after = multe.Payment{Received: time.UnixMicro(at).UTC(), IUV: c.Query("iuv"), IUR: c.Query("iur")}
	}
	var list []multe.Payment
	var open []multe.Discrepancy
	var t trend
	if !s.look(c, func(r store.Reader) (err error) {
		if t, err = s.trend(r, w.Creditor); err != nil {
			return err
		}
		if list, err = r.Payments(w.Creditor, after, pageSize+1); err != nil {
			return err
		}
		open, err = r.Discrepancies(w.Creditor, true, "", maxCases)
		return err
	}) {
		return
	}
	if len(list) > pageSize {
		list = list[:pageSize]
		last := list[pageSize-1]
		p.Next = "/pagamenti?" + url.Values{"dal": {p.From}, "dopo": {strconv.FormatInt(last.Received.UnixMicro(), 36)}, "iuv": {last.IUV}, "iur": {last.IUR}}.Encode()
	}
	sum := multe.Cents(0)
	for _, x := range list {
		sum += x.Cents
	}
	p.Rows, p.Total = paymentRows(list), euro(sum)
	p.PerDay, p.Waits = paymentsPlots(t, today)
	p.Open = groups(slices.DeleteFunc(open, func(d multe.Discrepancy) bool { return rank(d.Kind) != 0 }), s.Now())
	s.render(c, http.StatusOK, "pagamenti.html", p)
}

// paymentPage is the money of one IUV.
type paymentPage struct {
	IUV      string
	Number   string
	Position multe.PositionID
	Verbale  multe.VerbaleID
	Sign     *sign
	Rows     []paymentRow
	Flows    []flowLineRow
	Open     []group
	Payers   []payerRow
}

type payerRow struct{ Name, CF string }

type flowLineRow struct {
	Flusso multe.FlussoID
	Amount string
	Paid   string
	Match  sign
	N      int
	IUV    string
}

// paymentPage serves GET /pagamenti/:iuv.
func (s *server) paymentPage(c *gin.Context) {
	w, iuv := who(c), c.Param("iuv")
	p := paymentPage{IUV: iuv}
	var personal bool
	if !s.look(c, func(r store.Reader) error {
		p, personal = paymentPage{IUV: iuv}, false
		list, err := r.PaymentsOf(w.Creditor, iuv, store.MaxPage)
		if err != nil {
			return err
		}
		p.Rows = paymentRows(list)
		for _, x := range list {
			if x.Payer != nil {
				name, cf := debtor(x.Payer, w)
				p.Payers, personal = append(p.Payers, payerRow{name, cf}), true
			}
		}
		lines, err := r.FlussoLinesOf(w.Creditor, iuv, store.MaxPage)
		if err != nil {
			return err
		}
		for _, l := range lines {
			p.Flows = append(p.Flows, flowLineRow{Flusso: l.Flusso, Amount: euro(l.Cents), Paid: l.PaidOn.Italian(), N: l.N})
		}
		k, err := r.CodeByIUV(w.Creditor, iuv)
		if err == nil {
			sg := codeSign(k.State)
			p.Number, p.Position, p.Verbale, p.Sign = k.Number.Grouped(), k.Position, k.Verbale, &sg
		} else if fault.Of(err).Kind != fault.NotFound {
			return err
		}
		if len(list) == 0 && len(lines) == 0 && p.Position == "" {
			return fault.New(fault.NotFound, "payment.unknown", "Per questo IUV non risulta nulla.")
		}
		open, err := r.Discrepancies(w.Creditor, true, "", store.MaxPage)
		if err != nil {
			return err
		}
		p.Open = groups(slices.DeleteFunc(open, func(d multe.Discrepancy) bool {
			return d.Subject != iuv && (p.Position == "" || d.Subject != string(p.Position))
		}), s.Now())
		return nil
	}) {
		return
	}
	if personal && !s.seen(c, "pagamento", iuv, p.Position) {
		return
	}
	s.render(c, http.StatusOK, "pagamento.html", p)
}

// flowsPage is a list of flows.
type flowsPage struct {
	Rows []flowRow
	Next string
}

type flowRow struct {
	ID      multe.FlussoID
	Name    string
	PSP     string
	Settled string
	TRN     string
	Lines   int
	Amount  string
}

func rowOfFlow(f multe.Flusso) flowRow {
	psp := f.PSPName
	if psp == "" {
		psp = f.PSP
	}
	return flowRow{f.ID, f.Name, psp, f.Day().Italian(), f.TRN, f.Lines, euro(f.LinesCents)}
}

// flowsPage serves GET /flussi.
func (s *server) flowsPage(c *gin.Context) {
	list, err := s.Flussi.List(c.Request.Context(), who(c).Creditor, multe.FlussoID(c.Query("dopo")), pageSize+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := flowsPage{}
	if len(list) > pageSize {
		list = list[:pageSize]
		p.Next = "/flussi?dopo=" + string(list[pageSize-1].ID)
	}
	for _, f := range list {
		p.Rows = append(p.Rows, rowOfFlow(f))
	}
	s.render(c, http.StatusOK, "flussi.html", p)
}

// flowPage is one flow.
type flowPage struct {
	flowRow
	Rows   []flowLineRow
	Next   string
	Copies int
}

var matchSigns = map[string]sign{
	"other":   {"non è un nostro codice", "plain", "it-minus-circle"},
	"matched": {"corrisponde", "good", "it-check-circle"},
	"amount":  {"importo diverso", "bad", "it-error"},
	"unknown": {"mai notificato", "bad", "it-error"},
	"revoked": {"revocato", "bad", "it-error"},
	"no_rpt":  {"senza richiesta", "bad", "it-error"},
}

// flowPage serves GET /flussi/:id.
func (s *server) flowPage(c *gin.Context) {
	f, lines, err := s.Flussi.Get(c.Request.Context(), who(c).Creditor, multe.FlussoID(c.Param("id")), max(queryInt(c, "dopo"), 0), pageSize+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := flowPage{flowRow: rowOfFlow(f), Copies: len(f.Copies)}
	if len(lines) > pageSize {
		lines = lines[:pageSize]
		p.Next = "/flussi/" + string(f.ID) + "?dopo=" + strconv.Itoa(lines[pageSize-1].N)
	}
	for _, l := range lines {
		p.Rows = append(p.Rows, flowLineRow{Flusso: f.ID, N: l.N, IUV: l.IUV, Amount: euro(l.Cents), Paid: l.PaidOn.Italian(), Match: signOf(matchSigns, string(l.Match))})
	}
	s.render(c, http.StatusOK, "flusso.html", p)
}
