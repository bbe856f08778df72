package backoffice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/avviso"
	"preavviso/internal/escpos"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/store"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// Printer draws papers of acts, one or many; package prints does it.
type Printer interface {
	Look(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, kind multe.PrintKind, language string) ([]byte, error)
	Slip(ctx context.Context, actor string, c multe.CreditorID, device multe.DeviceID, id multe.VerbaleID, reprint bool, draw func(pdf.Notice, texts.Set) ([]byte, error)) ([]byte, error)
	Print(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID, v multe.VerbaleID, kind multe.PrintKind, language string) (multe.Print, []byte, error)
	Again(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID) (multe.Print, []byte, error)
	Of(ctx context.Context, c multe.CreditorID, v multe.VerbaleID, after multe.PrintID, limit int) ([]multe.Print, error)
	Start(ctx context.Context, actor string, c multe.CreditorID, q prints.Request) (multe.PrintJob, error)
	Job(ctx context.Context, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	Jobs(ctx context.Context, c multe.CreditorID, after multe.PrintJobID, limit int) ([]multe.PrintJob, error)
	Items(ctx context.Context, c multe.CreditorID, id multe.PrintJobID, errorsOnly bool, after, limit int) ([]multe.PrintItem, error)
	Cancel(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	Rerun(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	Output(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, io.ReadSeekCloser, error)
}

func (s *server) printRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/stampe", multe.MayPrint, 0, s.printsPage},
		{post, "/stampe", multe.MayPrint, 0, s.startPrints},
		{get, "/stampe/:id", multe.MayPrint, 0, s.printJobPage},
		{get, "/stampe/:id/file", multe.MayPrint, 0, s.printOutput},
		{post, "/stampe/:id/ferma", multe.MayPrint, 0, s.cancelPrints},
		{post, "/stampe/:id/rifai", multe.MayPrint, 0, s.rerunPrints},
		{get, "/verbale/:id/carta/:kind", multe.MaySeePersonal, 0, s.paper},
		{get, "/verbale/:id/scontrino.png", multe.MaySeePersonal, 0, s.slipPicture},
		{post, "/verbale/:id/stampa", multe.MayPrint, 0, s.printOne},
		{post, "/stampe/copie/:id", multe.MayPrint, 0, s.printAgain},
	}
}

// What a job can print, in which order and language, as a form lists them.
var (
	printKinds = options([2]string{string(multe.PrintAvviso), "Avvisi di pagamento pagoPA"}, [2]string{string(multe.PrintVerbale), "Verbali, con il loro avviso"},
		[2]string{string(multe.PrintPreavviso), "Preavvisi, come lasciati sul veicolo"})
	printForms     = options([2]string{string(multe.PrintPDF), "Un solo PDF, con i segnalibri"}, [2]string{string(multe.PrintZIP), "Uno ZIP con un PDF per atto"})
	printOrders    = options([2]string{string(multe.PrintByRegister), "Per numero di registro"}, [2]string{string(multe.PrintByCAP), "Per CAP di chi deve pagare"})
	printLanguages = options([2]string{"", "Solo italiano"}, [2]string{"en", "Italiano e inglese"}, [2]string{"fr", "Italiano e francese"}, [2]string{"de", "Italiano e tedesco"}, [2]string{"sl", "Italiano e sloveno"})
	printChoices   = options([2]string{"nuovi", "Quelli mai stampati"}, [2]string{"giorni", "Quelli accertati in certi giorni"}, [2]string{"registro", "Un intervallo di numeri di registro"},
		[2]string{"elenco", "Gli atti di un elenco da notificare"}, [2]string{"numeri", "I numeri scritti qui sotto"})
)

var printKindWords = map[multe.PrintKind]string{multe.PrintPreavviso: "preavvisi", multe.PrintAvviso: "avvisi di pagamento", multe.PrintVerbale: "verbali"}

var printSigns = map[multe.PrintJobState]sign{
	multe.PrintRunning:   {"in corso", "wait", "it-clock"},
	multe.PrintDone:      {"pronta", "good", "it-check-circle"},
	multe.PrintCancelled: {"fermata", "plain", "it-ban"},
	multe.PrintFailed:    {"non riuscita", "bad", "it-error"},
	multe.PrintExpired:   {"file cancellato", "plain", "it-clock"},
}

func printSign(s multe.PrintJobState) sign { return signOf(printSigns, s) }

// printsPage is the jobs and the form that starts one.
type printsPage struct {
	From     string
	Rows     []printRow
	Full     bool
	Problems []problem
	ID       string
	Fields   []field // what, which, how
	Days     []field
	Register []field
	List     field
	Numbers  field
}

type printRow struct {
	ID            multe.PrintJobID
	What          string
	At            time.Time
	By            string
	Sign          sign
	Total, Done   int
	Errors, Ready int
	Running       bool
}

func printRowOf(j multe.PrintJob) printRow {
	what := printKindWords[j.Kind]
	if j.Language != "" {
		what += ", " + j.Language
	}
	return printRow{j.ID, what + " (" + strings.ToUpper(string(j.Form)) + ")", j.At, actorWord(j.Actor), printSign(j.State), j.Total, j.Done, j.Errors, j.Done - j.Errors, j.State == multe.PrintRunning}
}

// listDays is how far back a list of what the office made goes at first.
const listDays = 30

// since reads the day from which a list is shown.
func (s *server) since(c *gin.Context) multe.Day {
	d, err := multe.ParseDay(c.Query("dal"))
	if err != nil {
		return multe.DayOf(s.Now()).Plus(-listDays)
	}
	return d
}

// printsPage serves GET /stampe.
func (s *server) printsPage(c *gin.Context) {
	first := map[string]string{"tipo": string(multe.PrintAvviso), "formato": string(multe.PrintPDF), "ordine": string(multe.PrintByRegister), "quali": "nuovi", "elenco": c.Query("elenco")}
	if first["elenco"] != "" {
		first["quali"] = "elenco"
	}
	s.showPrints(c, http.StatusOK, "", proposed(first), nil)
}

func (s *server) showPrints(c *gin.Context, status int, id string, v func(string) string, problems []problem) {
	w, from := who(c), s.since(c)
	if id == "" {
		var ok bool
		if id, ok = s.newID(c); !ok {
			return
		}
	}
	jobs, full, err := latest(func(after string, n int) ([]multe.PrintJob, error) {
		return s.Printer.Jobs(c.Request.Context(), w.Creditor, multe.PrintJobID(after), n)
	}, func(j multe.PrintJob) string { return string(j.ID) }, sinceID(from), store.MaxPage)
	if err != nil {
		s.fail(c, err)
		return
	}
	lists, ok := s.recentLists(c)
	if !ok {
		return
	}
	p := printsPage{From: from.String(), Full: full, Problems: problems, ID: id}
	for _, j := range jobs {
		p.Rows = append(p.Rows, printRowOf(j))
	}
	named := options([2]string{"", "Nessuno"})
	for _, x := range lists {
		if x.Kind == multe.ExportNotify && !x.Withdrawn && x.Count > 0 {
			named = append(named, choice{Value: string(x.ID), Text: fmt.Sprintf("Elenco del %s, %d atti", instant(x.At), x.Count)})
		}
	}
	p.Fields = filled([]field{
		{Name: "tipo", Label: "Che cosa", Options: printKinds}, {Name: "quali", Label: "Quali", Options: printChoices},
		{Name: "formato", Label: "File", Options: printForms}, {Name: "ordine", Label: "Ordine", Options: printOrders},
		{Name: "lingua", Label: "Lingue degli avvisi", Options: printLanguages, Optional: true},
	}, problems, v)
	p.Days = filled([]field{{Name: "da", Label: "Dal giorno", Type: "date", Optional: true}, {Name: "a", Label: "Al giorno", Type: "date", Optional: true}}, problems, v)
	p.Register = filled([]field{{Name: "dal-numero", Label: "Dal numero di registro", Max: multe.MaxRegister, Optional: true}, {Name: "al-numero", Label: "Al numero di registro", Max: multe.MaxRegister, Optional: true}}, problems, v)
	p.List = filled([]field{{Name: "elenco", Label: "Elenco da notificare", Options: named, Optional: true}}, problems, v)[0]
	p.Numbers = filled([]field{{Name: "numeri", Label: "Numeri", Help: "Numeri di registro o codici avviso, uno per riga.", Lines: 3, Max: maxTypedNumbers * multe.MaxRegister, Optional: true}}, problems, v)[0]
	s.render(c, status, "stampe.html", p)
}

// maxTypedNumbers is more than anybody types; who has more has a list.
const maxTypedNumbers = 200

// printFields are the fields of the form, by the code of what can be wrong.
var printFields = map[string]string{"print.bad_kind": "tipo", "print.bad_form": "formato", "print.bad_order": "ordine", "print.bad_language": "lingua", "print.empty": "quali",
	"print.bad_day": "da", "print.bad_numbers": "numeri", "print.bad_list": "elenco", "print.too_many": "quali"}

// startPrints serves POST /stampe.
func (s *server) startPrints(c *gin.Context) {
	w, v := who(c), typedIn(c)
	q, err := s.printRequest(c, v)
	if err == nil {
		var j multe.PrintJob
		if j, err = s.Printer.Start(c.Request.Context(), w.Actor(), w.Creditor, q); err == nil {
			see(c, "/stampe/"+string(j.ID))
			return
		}
	}
	if problems, ok := s.problemsOf(c, err, printFields); ok {
		s.showPrints(c, statuses[fault.Of(err).Kind], "", v, problems)
	}
}

// printRequest makes a request of what was chosen.
func (s *server) printRequest(c *gin.Context, v func(string) string) (prints.Request, error) {
	q := prints.Request{ID: multe.PrintJobID(v("id")), Kind: multe.PrintKind(v("tipo")), Form: multe.PrintForm(v("formato")), Order: multe.PrintOrder(v("ordine")), Language: v("lingua")}
	var err error
	switch v("quali") {
	case "nuovi":
		q.Filter.Unprinted = true
	case "giorni":
		if q.Filter.From, err = typedDay(v("da"), "print.bad_day"); err == nil {
			q.Filter.To, err = typedDay(v("a"), "print.bad_day")
		}
		if err == nil && q.Filter.From.IsZero() && q.Filter.To.IsZero() {
			err = fault.New(fault.Invalid, "print.bad_day", "Indicare almeno un giorno: senza, si stamperebbe tutto.")
		}
	case "registro":
		q.Filter.FromRegister, q.Filter.ToRegister = v("dal-numero"), v("al-numero")
		if q.Filter.FromRegister == "" && q.Filter.ToRegister == "" {
			err = fault.New(fault.Invalid, "print.bad_numbers", "Indicare almeno un numero di registro: senza, si stamperebbe tutto.")
		}
	case "elenco":
		q.Verbali, err = s.actsOfList(c, multe.ExportID(v("elenco")))
	case "numeri":
		q.Verbali, err = s.actsNamed(c, v("numeri"))
	default:
		err = fault.New(fault.Invalid, "print.empty", "Scegliere quali atti stampare.")
	}
	return q, err
}

// actsNamed finds acts by what a person has in hand, one a line.
func (s *server) actsNamed(c *gin.Context, typed string) ([]multe.VerbaleID, error) {
	w := who(c)
	bad := func(format string, n int) error {
		return fault.New(fault.Invalid, "print.bad_numbers", fmt.Sprintf(format, n))
	}
	lines := strings.FieldsFunc(typed, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 || len(lines) > maxTypedNumbers {
		return nil, bad("Scrivere da 1 a %d numeri, uno per riga.", maxTypedNumbers)
	}
	ids := make([]multe.VerbaleID, 0, len(lines))
	for i, line := range lines {
		line = strings.TrimSpace(line)
		var id multe.VerbaleID
		err := s.Store.View(c.Request.Context(), func(r store.Reader) error {
			v, err := r.VerbaleByRegister(w.Creditor, line)
			id = v.Slip.ID
			return err
		})
		if errors.Is(err, fault.NotFound) {
			if n, bad := avviso.ParseNumber(strings.ReplaceAll(line, " ", "")); bad == nil {
				var k multe.Code
				k, err = s.Verbali.FindCode(c.Request.Context(), w.Creditor, n.String())
				id = k.Verbale
			}
		}
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, err
		}
		if id == "" {
			return nil, bad("Alla riga %d non c'è il numero di un atto dell'ente.", i+1)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// printJobPage is one job.
type printJobPage struct {
	printRow
	Problem  string
	Failed   string
	Size     string
	Expires  time.Time
	Out      []printItemRow
	MoreOut  bool
	MayFetch bool
	MayStop  bool
	MayRedo  bool
}

type printItemRow struct {
	Verbale   multe.VerbaleID
	Reference string
	Detail    string
}

// maxShownErrors is how many acts that were left out are shown: who has more has
// made a wrong selection.
const maxShownErrors = 100

// printJobPage serves GET /stampe/:id.
func (s *server) printJobPage(c *gin.Context) { s.showPrintJob(c, http.StatusOK, "") }

func (s *server) showPrintJob(c *gin.Context, status int, problem string) {
	w, id := who(c), multe.PrintJobID(c.Param("id"))
	j, err := s.Printer.Job(c.Request.Context(), w.Creditor, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	items, err := s.Printer.Items(c.Request.Context(), w.Creditor, id, true, 0, maxShownErrors)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := printJobPage{printRow: printRowOf(j), Problem: problem, Expires: j.Expires, MoreOut: j.Errors > len(items),
		MayFetch: j.State == multe.PrintDone, MayStop: j.State == multe.PrintRunning, MayRedo: j.State == multe.PrintExpired || j.State == multe.PrintFailed}
	if j.State == multe.PrintFailed {
		p.Failed = "Nessun atto si poteva stampare: i motivi sono qui sotto."
		if j.Done != j.Errors || j.Total == 0 {
			p.Failed = "Il file non si è potuto scrivere. Riprovare; se continua, avvisare l'assistenza indicando " + j.Problem + "."
		}
	}
	if p.MayFetch {
		p.Size = strconv.FormatInt((j.Size+1023)/1024, 10) + " kB"
	}
	if !s.look(c, func(r store.Reader) error {
		p.Out = nil
		for _, i := range items {
			v, err := r.Verbale(w.Creditor, i.Verbale)
			if err != nil {
				return err
			}
			row := printItemRow{i.Verbale, v.Slip.ReferenceOrCode(), i.Detail}
			if v.Record != nil {
				row.Reference = v.Record.Register
			}
			p.Out = append(p.Out, row)
		}
		return nil
	}) {
		return
	}
	s.render(c, status, "stampa.html", p)
}

// printOutput serves GET /stampe/:id/file.
func (s *server) printOutput(c *gin.Context) {
	w, id := who(c), multe.PrintJobID(c.Param("id"))
	j, out, err := s.Printer.Output(c.Request.Context(), w.Actor(), w.Creditor, id)
	if err != nil {
		s.fail(c, err)
		return
	}
	defer out.Close()
	if !s.seen(c, "stampa", string(id), "") {
		return
	}
	media := map[multe.PrintForm]string{multe.PrintPDF: "application/pdf", multe.PrintZIP: "application/zip"}[j.Form]
	c.DataFromReader(http.StatusOK, j.Size, media, out, map[string]string{"Content-Disposition": `attachment; filename="stampa-` + short(string(id))[len("…"):] + `.` + string(j.Form) + `"`})
}

// cancelPrints serves POST /stampe/:id/ferma.
func (s *server) cancelPrints(c *gin.Context) {
	w := who(c)
	_, err := s.Printer.Cancel(c.Request.Context(), w.Actor(), w.Creditor, multe.PrintJobID(c.Param("id")))
	s.afterPrints(c, err)
}

// rerunPrints serves POST /stampe/:id/rifai.
func (s *server) rerunPrints(c *gin.Context) {
	w := who(c)
	_, err := s.Printer.Rerun(c.Request.Context(), w.Actor(), w.Creditor, multe.PrintJobID(c.Param("id")))
	s.afterPrints(c, err)
}

func (s *server) afterPrints(c *gin.Context, err error) {
	if f := fault.Of(err); err != nil && f.Kind == fault.Conflict {
		s.showPrintJob(c, statuses[f.Kind], f.Detail)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	see(c, "/stampe/"+c.Param("id"))
}

// paper serves GET /verbale/:id/carta/:kind: a paper as it would be printed now.
func (s *server) paper(c *gin.Context) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	doc, err := s.Printer.Look(c.Request.Context(), w.Actor(), w.Creditor, id, multe.PrintKind(c.Param("kind")), c.Query("lingua"))
	if err != nil {
		s.fail(c, err)
		return
	}
	if s.seen(c, "carta", string(id), "") {
		c.Header("Content-Disposition", `inline; filename="`+c.Param("kind")+`.pdf"`) // Look knows the kinds
		c.Data(http.StatusOK, "application/pdf", doc)
	}
}

// The slip as most handhelds print it.
var slipOptions = escpos.Options{Width: 80, DPI: 203, Postal: true}

// slipPicture serves GET /verbale/:id/scontrino.png.
func (s *server) slipPicture(c *gin.Context) {
	w, id := who(c), multe.VerbaleID(c.Param("id"))
	png, err := s.Printer.Slip(c.Request.Context(), w.Actor(), w.Creditor, "", id, false, func(n pdf.Notice, t texts.Set) ([]byte, error) { return escpos.PNG(n, t, slipOptions) })
	if err != nil {
		s.fail(c, err)
		return
	}
	if s.seen(c, "preavviso", string(id), "") {
		c.Data(http.StatusOK, "image/png", png)
	}
}

// printOne serves POST /verbale/:id/stampa: a paper that counts as printed.
func (s *server) printOne(c *gin.Context) {
	w, v, id := who(c), typedIn(c), multe.VerbaleID(c.Param("id"))
	p, doc, err := s.Printer.Print(c.Request.Context(), w.Actor(), w.Creditor, multe.PrintID(v("id")), id, multe.PrintKind(v("tipo")), v("lingua"))
	s.printed(c, p, doc, err)
}

// printAgain serves POST /stampe/copie/:id: a paper byte for byte as it was.
func (s *server) printAgain(c *gin.Context) {
	w := who(c)
	p, doc, err := s.Printer.Again(c.Request.Context(), w.Actor(), w.Creditor, multe.PrintID(c.Param("id")))
	s.printed(c, p, doc, err)
}

func (s *server) printed(c *gin.Context, p multe.Print, doc []byte, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	if s.seen(c, "carta", string(p.Verbale), "") {
		file(c, string(p.Kind)+"-"+short(string(p.ID))[len("…"):]+".pdf", "application/pdf", doc)
	}
}
