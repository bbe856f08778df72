package backoffice

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/exports"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// Lists makes and keeps lists of acts; package exports does it.
type Lists interface {
	Make(ctx context.Context, by string, q exports.Request) (multe.Export, error)
	List(ctx context.Context, c multe.CreditorID, after multe.ExportID, limit int) ([]multe.Export, error)
	Lines(ctx context.Context, c multe.CreditorID, id multe.ExportID, after, limit int) (multe.Export, []exports.Line, error)
	File(ctx context.Context, c multe.CreditorID, id multe.ExportID) (multe.Export, []exports.Row, error)
	Withdraw(ctx context.Context, by string, c multe.CreditorID, id multe.ExportID) (multe.Export, error)
}

func (s *server) listRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/elenchi", multe.MayExport, 0, s.listsPage},
		{post, "/elenchi", multe.MayExport, 0, s.makeList},
		{get, "/elenchi/:id", multe.MayExport, 0, s.listPage},
		{get, "/elenchi/:id/file.csv", multe.MayExport, 0, s.listFile},
		{post, "/elenchi/:id/ritira", multe.MayExport, 0, s.withdrawList},
	}
}

var listWords = map[multe.ExportKind]string{multe.ExportLookup: "targhe di cui cercare il proprietario", multe.ExportNotify: "atti da notificare"}

// outWords say why an act would not be in a list of today.
var outWords = map[string]string{
	exports.OutState: "non è più nello stato di questo elenco", exports.OutPaid: "è arrivato un pagamento", exports.OutDoubt: "PiemontePAY dice che è pagato",
	exports.OutEarly: "il termine del preavviso non è ancora passato", exports.OutOwner: "il proprietario non è più quello di allora", exports.OutListed: "è già in un elenco",
	exports.OutNothing: "non è dovuto nulla", exports.OutSent: "è già notificato", exports.OutWaiting: "aspetta una decisione: ricorso o annullamento",
}

func listSign(x multe.Export) sign {
	if x.Withdrawn {
		return sign{"ritirato", "plain", "it-ban"}
	}
	return sign{"valido", "good", "it-check-circle"}
}

type listRow struct {
	ID    multe.ExportID
	What  string
	Kind  multe.ExportKind
	At    time.Time
	By    string
	Count int
	More  bool
	Again bool
	Sign  sign
}

func listRowOf(x multe.Export) listRow {
	return listRow{x.ID, listWords[x.Kind], x.Kind, x.At, actorWord(x.By), x.Count, x.More, x.Again, listSign(x)}
}

// listsPage is the lists and the form that makes one.
type listsPage struct {
	From     string
	Rows     []listRow
	Full     bool
	Problems []problem
	ID       string
	Fields   []field
	Doubtful bool // messages about payments cannot be read: somebody must have looked
}

// recentLists returns the lists of the last days, the newest first.
func (s *server) recentLists(c *gin.Context) ([]multe.Export, bool) {
	list, _, err := s.listsSince(c, multe.DayOf(s.Now()).Plus(-listDays))
	if err != nil {
		s.fail(c, err)
		return nil, false
	}
	return list, true
}

func (s *server) listsSince(c *gin.Context, from multe.Day) ([]multe.Export, bool, error) {
	return latest(func(after string, n int) ([]multe.Export, error) {
		return s.Lists.List(c.Request.Context(), who(c).Creditor, multe.ExportID(after), n)
	}, func(x multe.Export) string { return string(x.ID) }, sinceID(from), store.MaxPage)
}

// listsPage serves GET /elenchi.
func (s *server) listsPage(c *gin.Context) {
	s.showLists(c, http.StatusOK, proposed(map[string]string{"tipo": string(multe.ExportNotify)}), nil, false)
}

func (s *server) showLists(c *gin.Context, status int, v func(string) string, problems []problem, doubtful bool) {
	from := s.since(c)
	id, ok := s.newID(c)
	if !ok {
		return
	}
	list, full, err := s.listsSince(c, from)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := listsPage{From: from.String(), Full: full, Problems: problems, ID: id, Doubtful: doubtful}
	for _, x := range list {
		p.Rows = append(p.Rows, listRowOf(x))
	}
	fields := []field{
		{Name: "tipo", Label: "Elenco di", Options: options([2]string{string(multe.ExportNotify), "Atti da notificare (SEND, stampatore, posta)"}, [2]string{string(multe.ExportLookup), "Targhe di cui cercare il proprietario"})},
		{Name: "ancora", Label: "Anche gli atti già in un elenco precedente", Tick: true},
	}
	if doubtful {
		fields = append(fields, field{Name: "nonostante", Label: "Ho guardato i pagamenti sul portale: l'elenco si può fare lo stesso", Tick: true})
	}
	p.Fields = filled(fields, problems, v)
	s.render(c, status, "elenchi.html", p)
}

// makeList serves POST /elenchi.
func (s *server) makeList(c *gin.Context) {
	w, v := who(c), typedIn(c)
	x, err := s.Lists.Make(c.Request.Context(), w.Actor(), exports.Request{Creditor: w.Creditor, ID: multe.ExportID(v("id")), Kind: multe.ExportKind(v("tipo")), Again: v("ancora") != "", Despite: v("nonostante") != ""})
	if err != nil {
		if problems, ok := s.problemsOf(c, err, map[string]string{"export.bad_kind": "tipo", "export.doubtful": "nonostante"}); ok {
			s.showLists(c, statuses[fault.Of(err).Kind], v, problems, fault.Of(err).Code == "export.doubtful")
		}
		return
	}
	see(c, "/elenchi/"+string(x.ID))
}

// listPage is one list.
type listPage struct {
	listRow
	Withdrawn bool
	MayPrint  bool
	Problem   string
	Lines     []listLine
	First     string
	Next      string
}

type listLine struct {
	N         int
	Verbale   multe.VerbaleID
	Reference string
	Sign      sign
	Out       string
}

// listPage serves GET /elenchi/:id.
func (s *server) listPage(c *gin.Context) { s.showList(c, http.StatusOK, "") }

func (s *server) showList(c *gin.Context, status int, detail string) {
	w := who(c)
	after := max(queryInt(c, "dopo"), 0)
	x, lines, err := s.Lists.Lines(c.Request.Context(), w.Creditor, multe.ExportID(c.Param("id")), after, pageSize)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := listPage{listRow: listRowOf(x), Withdrawn: x.Withdrawn, MayPrint: w.May(multe.MayPrint) && x.Kind == multe.ExportNotify && !x.Withdrawn && x.Count > 0, Problem: detail}
	for _, l := range lines {
		row := listLine{N: l.N, Verbale: l.Verbale.Slip.ID, Reference: l.Verbale.Slip.ReferenceOrCode(), Sign: verbaleSign(l.Verbale.State), Out: l.Out}
		if l.Verbale.Record != nil {
			row.Reference = l.Verbale.Record.Register
		}
		if said, ok := outWords[l.Out]; ok {
			row.Out = said
		}
		p.Lines = append(p.Lines, row)
	}
	if after > 0 {
		p.First = "/elenchi/" + string(x.ID)
	}
	if len(lines) == pageSize && lines[pageSize-1].N < x.Count {
		p.Next = fmt.Sprintf("/elenchi/%s?dopo=%d", x.ID, lines[pageSize-1].N)
	}
	s.render(c, status, "elenco.html", p)
}

// listFile serves GET /elenchi/:id/file.csv.
func (s *server) listFile(c *gin.Context) {
	x, rows, err := s.Lists.File(c.Request.Context(), who(c).Creditor, multe.ExportID(c.Param("id")))
	if f := fault.Of(err); err != nil && f.Kind == fault.Conflict {
		s.showList(c, statuses[f.Kind], f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	var b bytes.Buffer // a list is whole or not at all; it has at most exports.MaxLines rows
	if err := exports.WriteCSV(&b, x, rows); err != nil {
		s.fail(c, fmt.Errorf("writing a list: %w", err))
		return
	}
	if s.seen(c, "elenco", string(x.ID), "") {
		file(c, "elenco-"+multe.DayOf(x.At).String()+".csv", "text/csv; charset=utf-8", b.Bytes())
	}
}

// withdrawList serves POST /elenchi/:id/ritira.
func (s *server) withdrawList(c *gin.Context) {
	w := who(c)
	if _, err := s.Lists.Withdraw(c.Request.Context(), w.Actor(), w.Creditor, multe.ExportID(c.Param("id"))); err != nil {
		if f := fault.Of(err); f.Kind == fault.Conflict {
			s.showList(c, statuses[f.Kind], f.Detail)
			return
		}
		s.fail(c, err)
		return
	}
	see(c, "/elenchi/"+c.Param("id")+"?fatto=ritirato")
}

// actsOfList returns the acts of a list to notify that may still be written to.
func (s *server) actsOfList(c *gin.Context, id multe.ExportID) ([]multe.VerbaleID, error) {
	if id == "" {
		return nil, fault.New(fault.Invalid, "print.bad_list", "Scegliere l'elenco da stampare.")
	}
	var ids []multe.VerbaleID
	for after := 0; ; {
		x, lines, err := s.Lists.Lines(c.Request.Context(), who(c).Creditor, id, after, store.MaxPage)
		if err != nil {
			return nil, err
		}
		if x.Withdrawn {
			return nil, fault.New(fault.Conflict, "print.bad_list", "L'elenco è stato ritirato: non si stampa.")
		}
		for _, l := range lines {
			if l.Out == "" {
				ids = append(ids, l.Verbale.Slip.ID)
			}
			after = l.N
		}
		if len(lines) < store.MaxPage {
			break
		}
	}
	if len(ids) == 0 {
		return nil, fault.New(fault.Invalid, "print.bad_list", "Nessun atto dell'elenco è ancora da notificare.")
	}
	return ids, nil
}
