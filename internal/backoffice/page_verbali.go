package backoffice

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// verbaliPage is a list of verbali.
type verbaliPage struct {
	Query   string
	Problem string
	State   multe.VerbaleState
	States  []choice
	Rows    []verbaleRow
	First   string
	Next    string
	Counts  map[multe.VerbaleState]int
	ToDo    int
	MayDo   bool
	Found   bool // the list is a search's
	Masked  bool
}

type choice struct {
	Value, Text string
	Chosen      bool
}

type verbaleRow struct {
	ID        multe.VerbaleID
	Reference string
	Register  string
	Plate     string
	Place     string
	Issued    time.Time
	Due       string
	Sign      sign
}

// rowsOf makes rows of verbali, with the plate as far as it may be seen.
func rowsOf(vs []multe.Verbale, w access.Who, day multe.Day) []verbaleRow {
	rows := make([]verbaleRow, 0, len(vs))
	for _, v := range vs {
		r := verbaleRow{ID: v.Slip.ID, Reference: v.Slip.ReferenceOrCode(), Plate: w.Plate(v.Slip.Plate), Place: v.Slip.Place,
			Issued: v.Slip.IssuedAt, Due: euro(v.DueOn(day)), Sign: verbaleSign(v.State)}
		if v.Record != nil {
			r.Register = v.Record.Register
		}
		rows = append(rows, r)
	}
	return rows
}

var verbaleStates = []multe.VerbaleState{multe.VerbaleIssued, multe.VerbaleFinalised, multe.VerbaleSettled, multe.VerbaleCancelled}

// verbaliPage serves GET /verbali.
func (s *server) verbaliPage(c *gin.Context) { s.showVerbali(c, http.StatusOK, "", "") }

func (s *server) showVerbali(c *gin.Context, status int, query, detail string) {
	w := who(c)
	p := verbaliPage{Query: query, Problem: detail, State: multe.VerbaleState(c.Query("stato")), MayDo: w.May(multe.MayRecord), Masked: !w.May(multe.MaySeePersonal)}
	if !slices.Contains(verbaleStates, p.State) {
		p.State = ""
	}
	p.States = []choice{{"", "Tutti", p.State == ""}}
	for _, st := range verbaleStates {
		p.States = append(p.States, choice{string(st), verbaleSign(st).Text, st == p.State})
	}
	after := multe.VerbaleID(c.Query("dopo"))
	var vs []multe.Verbale
	if !s.look(c, func(r store.Reader) (err error) {
		if p.Counts, err = r.CountVerbali(w.Creditor); err != nil {
			return err
		}
		if p.State == "" {
			vs, err = r.Verbali(w.Creditor, after, pageSize+1)
		} else {
			vs, err = r.VerbaliIn(w.Creditor, p.State, after, pageSize+1)
		}
		return err
	}) {
		return
	}
	p.ToDo = p.Counts[multe.VerbaleIssued]
	q := url.Values{}
	if p.State != "" {
		q.Set("stato", string(p.State))
	}
	if after != "" {
		p.First = "/verbali?" + q.Encode()
	}
	if len(vs) > pageSize {
		vs = vs[:pageSize]
		q.Set("dopo", string(vs[pageSize-1].Slip.ID))
		p.Next = "/verbali?" + q.Encode()
	}
	p.Rows = rowsOf(vs, w, multe.DayOf(s.Now()))
	if len(vs) > 0 && !s.seen(c, "verbali", string(vs[0].Slip.ID), "") {
		return
	}
	s.render(c, status, "verbali.html", p)
}

// maxQuery is longer than anything that can be searched for.
const maxQuery = 64

// search serves POST /verbali/cerca: plate, register number, codice avviso or
// reference, whichever it is.
func (s *server) search(c *gin.Context) {
	w, q := who(c), strings.TrimSpace(c.PostForm("q"))
	if q == "" || len(q) > maxQuery {
		s.showVerbali(c, http.StatusUnprocessableEntity, "", "Scrivere una targa, un numero di registro o un codice avviso.")
		return
	}
	to, err := s.find(c, w, q)
	if err != nil {
		s.fail(c, err)
		return
	}
	if to == "" {
		s.showVerbali(c, http.StatusNotFound, q, "Nessun verbale trovato. Si può cercare per targa, numero di registro o codice avviso (18 cifre).")
		return
	}
	see(c, to)
}

// find returns where the browser finds what was searched for, "" if there is none.
func (s *server) find(c *gin.Context, w access.Who, q string) (string, error) {
	if n, err := avviso.ParseNumber(strings.ReplaceAll(q, " ", "")); err == nil {
		k, err := s.Verbali.FindCode(c.Request.Context(), w.Creditor, n.String())
		if err == nil && k.Verbale != "" {
			return "/verbale/" + string(k.Verbale), nil
		}
		if err == nil {
			return "/codici/" + string(k.Position), nil
		}
		if !errors.Is(err, fault.NotFound) {
			return "", err
		}
		return "", nil
	}
	var byRegister, one multe.VerbaleID
	many := false
	plate, noPlate := multe.ParsePlate(q)
	err := s.Store.View(c.Request.Context(), func(r store.Reader) error {
		byRegister, one, many = "", "", false
		v, err := r.VerbaleByRegister(w.Creditor, q)
		if err == nil {
			byRegister = v.Slip.ID
			return nil
		}
		if !errors.Is(err, fault.NotFound) {
			return err
		}
		if noPlate != nil || !w.May(multe.MaySeePersonal) {
			return nil // whoever may not see a plate cannot ask whether it is there
		}
		vs, err := r.VerbaliByPlate(w.Creditor, plate, "", 2)
		if err != nil {
			return err
		}
		if len(vs) > 0 {
			one, many = vs[0].Slip.ID, len(vs) > 1
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case byRegister != "":
		return "/verbale/" + string(byRegister), nil
	case many:
		name, err := s.desk.searches.keep(w.Creditor, w.Operator, plate)
		return "/verbali/trovati/" + name, err
	case one != "":
		return "/verbale/" + string(one), nil
	}
	return "", nil
}

// foundPage serves GET /verbali/trovati/:search.
func (s *server) foundPage(c *gin.Context) {
	w := who(c)
	plate, err := s.desk.searches.plate(w.Creditor, w.Operator, c.Param("search"))
	if err != nil {
		s.fail(c, err)
		return
	}
	after := multe.VerbaleID(c.Query("dopo"))
	var vs []multe.Verbale
	if !s.look(c, func(r store.Reader) (err error) {
		vs, err = r.VerbaliByPlate(w.Creditor, plate, after, pageSize+1)
		return err
	}) {
		return
	}
	p := verbaliPage{Found: true}
	if len(vs) > pageSize {
		vs = vs[:pageSize]
		p.Next = c.Request.URL.Path + "?dopo=" + string(vs[pageSize-1].Slip.ID)
	}
	p.Rows = rowsOf(vs, w, multe.DayOf(s.Now()))
	if len(vs) > 0 && !s.seen(c, "verbali", string(vs[0].Slip.ID), "") {
		return
	}
	s.render(c, http.StatusOK, "verbali.html", p)
}

// verbalePage is one verbale.
type verbalePage struct {
	slipView
	State     sign
	Record    *recordView
	Code      codeRow
	Number    string
	Payable   string
	Paid      []paymentRow
	Receipts  []receiptRow
	Story     []storyRow
	Reason    string
	MayRecord bool
	MayCancel bool
	MayUndo   bool
	MaySayYes bool // approve what somebody else asked for
	Asked     string
	Causes    []multe.Cause
	Undo      string
	Problem   string
	Value     string
	Act       *actView
}

// slipView is what was printed.
type slipView struct {
	ID        multe.VerbaleID
	Reference string
	Plate     string
	Nation    string
	Vehicle   string
	Place     string
	Norm      string
	Conduct   string
	Warden    string
	Issued    time.Time
	Received  time.Time
	Offline   bool
	Steps     []stepRow
	Due       string
	Masked    bool
	Device    multe.DeviceID
	Version   uint64
}

type stepRow struct {
	Until, Amount string
	Now           bool
}

type recordView struct {
	Register, Amount, Causale, Debtor, CF string
	At                                    time.Time
}

type receiptRow struct {
	Outcome, Amount, PSP, Paid string
}

// slip shows what was printed, as far as a person may see it.
func slip(v multe.Verbale, w access.Who, day multe.Day) slipView {
	p := slipView{ID: v.Slip.ID, Reference: v.Slip.ReferenceOrCode(), Plate: w.Plate(v.Slip.Plate), Nation: v.Slip.Nation, Vehicle: v.Slip.Vehicle, Place: v.Slip.Place,
		Norm: v.Slip.Violation.Norm, Conduct: v.Slip.Violation.Conduct, Warden: v.Slip.Warden, Issued: v.Slip.IssuedAt, Received: v.ReceivedAt,
		Offline: v.Slip.Offline, Due: euro(v.DueOn(day)), Masked: !w.May(multe.MaySeePersonal), Device: v.Device, Version: v.Version}
	p.Steps = stepRows(v.Slip.Steps, day, v.Record == nil)
	return p
}

// debtor says who owes, as far as a person may see it.
func debtor(d *multe.Debtor, w access.Who) (name, cf string) {
	if d == nil {
		return "nessuno: resta anonimo", ""
	}
	name = strings.TrimSpace(d.Surname + " " + d.Name)
	if d.Company != "" {
		name = d.Company
	}
	return w.PersonName(name), w.CF(d.CF)
}

// verbalePage serves GET /verbale/:id.
func (s *server) verbalePage(c *gin.Context) { s.showVerbale(c, http.StatusOK, "", "") }

func (s *server) showVerbale(c *gin.Context, status int, value, detail string) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	var p verbalePage
	var whole multe.Verbale
	var es []multe.AuditEntry
	if !s.look(c, func(r store.Reader) error {
		cr, err := r.Creditor(w.Creditor)
		if err != nil {
			return err
		}
		v, err := r.Verbale(w.Creditor, id)
		if err != nil {
			return noVerbale(err)
		}
		whole = v
		p = verbalePage{slipView: slip(v, w, multe.DayOf(s.Now())), State: verbaleSign(v.State), Reason: v.Reason, Problem: detail, Value: value, Undo: ago(cr.Undo()),
			MayRecord: w.May(multe.MayRecord) && v.Record == nil && v.State != multe.VerbaleCancelled,
			MayCancel: w.May(multe.MayCancel) && (v.State == multe.VerbaleIssued || v.State == multe.VerbaleFinalised),
			MayUndo:   w.May(multe.MayCancel) && (v.State == multe.VerbaleCancelled || v.CancelRequested()), Causes: multe.Causes}
		if v.CancelRequested() {
			p.MayCancel, p.Asked = false, actorWord(v.Cancellation.By)
			p.MaySayYes = w.May(multe.MayApprove) && v.Cancellation.By != w.Actor()
		}
		if v.Record != nil {
			p.Record = &recordView{Register: v.Record.Register, Amount: euro(v.Record.Cents), Causale: string(v.Record.Causale), At: v.Record.At}
			p.Record.Debtor, p.Record.CF = debtor(v.Record.Debtor, w)
		}
		es = nil
		for i, pos := range v.Positions() {
			k, err := r.Code(w.Creditor, pos)
			if err != nil {
				return err
			}
			if i == 0 {
				p.Code, p.Number = codeRow{k.Position, k.Number.Grouped(), codeSign(k.State), k.Changed}, k.Number.Grouped()
				p.Payable = euro(k.UpstreamCents)
			}
			paid, err := r.PaymentsOf(w.Creditor, k.Number.IUV(), store.MaxPage)
			if err != nil {
				return err
			}
			p.Paid = append(p.Paid, paymentRows(paid)...)
			h, err := r.Audit(w.Creditor, pos, 0, store.MaxPage)
			if err != nil {
				return err
			}
			es = append(es, h...)
		}
		return nil
	}) {
		return
	}
	slices.SortStableFunc(es, func(a, b multe.AuditEntry) int { return a.At.Compare(b.At) })
	p.Story = s.story(es)
	receipts, err := s.Receipts.OfVerbale(c.Request.Context(), w.Creditor, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	for _, r := range receipts {
		p.Receipts = append(p.Receipts, receiptRow{r.Outcome, euro(r.Cents), r.PSPName, r.PaidOn.Italian()})
	}
	var ok bool
	if p.Act, ok = s.act(c, whole); !ok || !s.seen(c, "verbale", string(id), p.Code.Position) {
		return
	}
	s.render(c, status, "verbale.html", p)
}

func noVerbale(err error) error {
	if errors.Is(err, fault.NotFound) {
		return fault.Wrap(fault.NotFound, "verbale.unknown", "Il verbale non risulta tra quelli dell'ente.", err)
	}
	return err
}

// cancel serves POST /verbale/:id/annulla.
func (s *server) cancel(c *gin.Context) {
	w, reason := who(c), strings.TrimSpace(c.PostForm("motivo"))
	want, err := multe.NewCancellation(multe.CancelKind(c.PostForm("tipo")), c.PostForm("causa"), reason)
	if err == nil {
		_, _, err = s.Verbali.Cancel(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")), want)
	}
	s.afterCancel(c, err, reason, "annullato")
}

// approveCancel serves POST /verbale/:id/approva: the second yes.
func (s *server) approveCancel(c *gin.Context) {
	w := who(c)
	_, _, err := s.Verbali.ApproveCancel(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")))
	s.afterCancel(c, err, "", "annullato")
}

// undoCancel serves POST /verbale/:id/ripensa.
func (s *server) undoCancel(c *gin.Context) {
	w := who(c)
	_, _, err := s.Verbali.UndoCancel(c.Request.Context(), w.Actor(), w.Creditor, multe.VerbaleID(c.Param("id")))
	s.afterCancel(c, err, "", "ripreso")
}

func (s *server) afterCancel(c *gin.Context, err error, value, done string) {
	if f := fault.Of(err); err != nil && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) {
		s.showVerbale(c, statuses[f.Kind], value, f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/verbale/"+url.PathEscape(c.Param("id"))+"?fatto="+done)
}

// slipPDF serves GET /verbale/:id/preavviso.pdf.
func (s *server) slipPDF(c *gin.Context) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	var v multe.Verbale
	if !s.look(c, func(r store.Reader) (err error) {
		v, err = r.Verbale(w.Creditor, id)
		return noVerbale(err)
	}) || !s.seen(c, "preavviso", string(id), v.Slip.Position) {
		return
	}
	pdf, err := s.Printer.Look(c.Request.Context(), w.Actor(), w.Creditor, id, multe.PrintPreavviso, "")
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Content-Disposition", `inline; filename="preavviso.pdf"`)
	c.Data(http.StatusOK, "application/pdf", pdf)
}
