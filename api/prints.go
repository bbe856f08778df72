package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"preavviso/internal/escpos"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/texts"
	"preavviso/pdf"
)

// Prints prints verbali; package prints does it.
type Prints interface {
	Look(ctx context.Context, actor string, c multe.CreditorID, id multe.VerbaleID, kind multe.PrintKind, language string) ([]byte, error)
	Print(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID, v multe.VerbaleID, kind multe.PrintKind, language string) (multe.Print, []byte, error)
	Again(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintID) (multe.Print, []byte, error)
	Get(ctx context.Context, c multe.CreditorID, id multe.PrintID) (multe.Print, error)
	Of(ctx context.Context, c multe.CreditorID, v multe.VerbaleID, after multe.PrintID, limit int) ([]multe.Print, error)
	Slip(ctx context.Context, actor string, c multe.CreditorID, device multe.DeviceID, id multe.VerbaleID, reprint bool, draw func(pdf.Notice, texts.Set) ([]byte, error)) ([]byte, error)
	Start(ctx context.Context, actor string, c multe.CreditorID, q prints.Request) (multe.PrintJob, error)
	Job(ctx context.Context, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	Jobs(ctx context.Context, c multe.CreditorID, after multe.PrintJobID, limit int) ([]multe.PrintJob, error)
	Items(ctx context.Context, c multe.CreditorID, id multe.PrintJobID, errorsOnly bool, after, limit int) ([]multe.PrintItem, error)
	Cancel(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	Rerun(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, error)
	Output(ctx context.Context, actor string, c multe.CreditorID, id multe.PrintJobID) (multe.PrintJob, io.ReadSeekCloser, error)
}

// paper draws a paper for a screen.
func (s *server) paper(ctx context.Context, c, id string, kind multe.PrintKind, language string) (io.Reader, int64, error) {
	doc, err := s.Prints.Look(ctx, actor(ctx), multe.CreditorID(c), multe.VerbaleID(id), kind, language)
	return bytes.NewReader(doc), int64(len(doc)), err
}

// ReadPreavviso serves GET /v1/creditors/{cf}/verbali/{id}/preavviso.pdf.
func (s *server) ReadPreavviso(ctx context.Context, r ReadPreavvisoRequestObject) (ReadPreavvisoResponseObject, error) {
	doc, size, err := s.paper(ctx, r.Cf, r.Id, multe.PrintPreavviso, "")
	if err != nil {
		return nil, err
	}
	return ReadPreavviso200ApplicationpdfResponse{Body: doc, ContentLength: size}, nil
}

// ReadAvviso serves GET /v1/creditors/{cf}/verbali/{id}/avviso.pdf.
func (s *server) ReadAvviso(ctx context.Context, r ReadAvvisoRequestObject) (ReadAvvisoResponseObject, error) {
	doc, size, err := s.paper(ctx, r.Cf, r.Id, multe.PrintAvviso, r.Params.Language)
	if err != nil {
		return nil, err
	}
	return ReadAvviso200ApplicationpdfResponse{Body: doc, ContentLength: size}, nil
}

// ReadVerbalePDF serves GET /v1/creditors/{cf}/verbali/{id}/verbale.pdf.
func (s *server) ReadVerbalePDF(ctx context.Context, r ReadVerbalePDFRequestObject) (ReadVerbalePDFResponseObject, error) {
	doc, size, err := s.paper(ctx, r.Cf, r.Id, multe.PrintVerbale, r.Params.Language)
	if err != nil {
		return nil, err
	}
	return ReadVerbalePDF200ApplicationpdfResponse{Body: doc, ContentLength: size}, nil
}

// slip draws a slip for a screen.
func (s *server) slip(ctx context.Context, c, id string, width, dpi int, draw func(pdf.Notice, texts.Set, escpos.Options) ([]byte, error)) (io.Reader, int64, error) {
	// What is left out stays zero: it has a default in the document only.
	o := escpos.Options{Width: width, DPI: dpi, Postal: true}
	if o.Width == 0 {
		o.Width = 80
	}
	if o.DPI == 0 {
		o.DPI = 203
	}
	out, err := s.Prints.Slip(ctx, actor(ctx), multe.CreditorID(c), "", multe.VerbaleID(id), false,
		func(n pdf.Notice, t texts.Set) ([]byte, error) { return draw(n, t, o) })
	return bytes.NewReader(out), int64(len(out)), err
}

// ReadSlipPNG serves GET /v1/creditors/{cf}/verbali/{id}/slip.png.
func (s *server) ReadSlipPNG(ctx context.Context, r ReadSlipPNGRequestObject) (ReadSlipPNGResponseObject, error) {
	out, size, err := s.slip(ctx, r.Cf, r.Id, r.Params.Width, r.Params.Dpi, escpos.PNG)
	if err != nil {
		return nil, err
	}
	return ReadSlipPNG200ImagepngResponse{Body: out, ContentLength: size}, nil
}

// ReadSlipPDF serves GET /v1/creditors/{cf}/verbali/{id}/slip.pdf.
func (s *server) ReadSlipPDF(ctx context.Context, r ReadSlipPDFRequestObject) (ReadSlipPDFResponseObject, error) {
	out, size, err := s.slip(ctx, r.Cf, r.Id, r.Params.Width, r.Params.Dpi, escpos.PDF)
	if err != nil {
		return nil, err
	}
	return ReadSlipPDF200ApplicationpdfResponse{Body: out, ContentLength: size}, nil
}

// ListPrints serves GET /v1/creditors/{cf}/verbali/{id}/prints.
func (s *server) ListPrints(ctx context.Context, r ListPrintsRequestObject) (ListPrintsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Prints.Of(ctx, multe.CreditorID(r.Cf), multe.VerbaleID(r.Id), multe.PrintID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := PrintPage{Prints: each(list, printBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListPrints200JSONResponse(page), nil
}

// PrintVerbale serves POST /v1/creditors/{cf}/verbali/{id}/prints.
func (s *server) PrintVerbale(ctx context.Context, r PrintVerbaleRequestObject) (PrintVerbaleResponseObject, error) {
	b := r.Body
	_, doc, err := s.Prints.Print(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.PrintID(b.Id), multe.VerbaleID(r.Id), multe.PrintKind(b.Kind), b.Language)
	if err != nil {
		return nil, err
	}
	return PrintVerbale200ApplicationpdfResponse{Body: bytes.NewReader(doc), ContentLength: int64(len(doc))}, nil
}

// ReadPrint serves GET /v1/creditors/{cf}/prints/{id}.
func (s *server) ReadPrint(ctx context.Context, r ReadPrintRequestObject) (ReadPrintResponseObject, error) {
	p, err := s.Prints.Get(ctx, multe.CreditorID(r.Cf), multe.PrintID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadPrint200JSONResponse(printBody(p)), nil
}

// PrintAgain serves POST /v1/creditors/{cf}/prints/{id}/again.
func (s *server) PrintAgain(ctx context.Context, r PrintAgainRequestObject) (PrintAgainResponseObject, error) {
	_, doc, err := s.Prints.Again(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.PrintID(r.Id))
	if err != nil {
		return nil, err
	}
	return PrintAgain200ApplicationpdfResponse{Body: bytes.NewReader(doc), ContentLength: int64(len(doc))}, nil
}

// StartPrintJob serves POST /v1/creditors/{cf}/print-jobs.
func (s *server) StartPrintJob(ctx context.Context, r StartPrintJobRequestObject) (StartPrintJobResponseObject, error) {
	b := r.Body
	q := prints.Request{ID: multe.PrintJobID(b.Id), Kind: multe.PrintKind(b.Kind), Form: multe.PrintForm(b.Form), Order: multe.PrintOrder(b.Order), Language: b.Language}
	if q.Order == "" {
		q.Order = multe.PrintByRegister
	}
	for _, id := range b.Verbali {
		q.Verbali = append(q.Verbali, multe.VerbaleID(id))
	}
	f := b.Filter
	q.Filter = multe.PrintFilter{State: multe.VerbaleState(f.State), FromRegister: f.FromRegister, ToRegister: f.ToRegister, Unprinted: f.Unprinted}
	for text, day := range map[*string]*multe.Day{&f.From: &q.Filter.From, &f.To: &q.Filter.To} {
		if *text == "" {
			continue
		}
		var err error
		if *day, err = multe.ParseDay(*text); err != nil {
			return nil, fault.Wrap(fault.Invalid, "print.bad_day", "Una data del filtro non esiste.", err)
		}
	}
	j, err := s.Prints.Start(ctx, actor(ctx), multe.CreditorID(r.Cf), q)
	if err != nil {
		return nil, err
	}
	return StartPrintJob201JSONResponse(printJobBody(j)), nil
}

// ListPrintJobs serves GET /v1/creditors/{cf}/print-jobs.
func (s *server) ListPrintJobs(ctx context.Context, r ListPrintJobsRequestObject) (ListPrintJobsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Prints.Jobs(ctx, multe.CreditorID(r.Cf), multe.PrintJobID(r.Params.After), limit)
	if err != nil {
		return nil, err
	}
	page := PrintJobPage{Jobs: each(list, printJobBody)}
	if len(list) == limit {
		page.Next = string(list[limit-1].ID)
	}
	return ListPrintJobs200JSONResponse(page), nil
}

// ReadPrintJob serves GET /v1/creditors/{cf}/print-jobs/{id}.
func (s *server) ReadPrintJob(ctx context.Context, r ReadPrintJobRequestObject) (ReadPrintJobResponseObject, error) {
	j, err := s.Prints.Job(ctx, multe.CreditorID(r.Cf), multe.PrintJobID(r.Id))
	if err != nil {
		return nil, err
	}
	return ReadPrintJob200JSONResponse(printJobBody(j)), nil
}

// ListPrintItems serves GET /v1/creditors/{cf}/print-jobs/{id}/items.
func (s *server) ListPrintItems(ctx context.Context, r ListPrintItemsRequestObject) (ListPrintItemsResponseObject, error) {
	limit := pageSize(r.Params.Limit)
	list, err := s.Prints.Items(ctx, multe.CreditorID(r.Cf), multe.PrintJobID(r.Id), r.Params.Errors, r.Params.After, limit)
	if err != nil {
		return nil, err
	}
	page := PrintItemPage{Items: each(list, func(i multe.PrintItem) PrintItem {
		return PrintItem{N: i.N, Verbale: string(i.Verbale), Print: string(i.Print), Code: i.Code, Detail: i.Detail}
	})}
	if len(list) == limit {
		page.Next = list[limit-1].N
	}
	return ListPrintItems200JSONResponse(page), nil
}

// ReadPrintOutput serves GET /v1/creditors/{cf}/print-jobs/{id}/output.
func (s *server) ReadPrintOutput(ctx context.Context, r ReadPrintOutputRequestObject) (ReadPrintOutputResponseObject, error) {
	j, out, err := s.Prints.Output(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.PrintJobID(r.Id))
	if err != nil {
		return nil, err
	}
	return printOutput{job: j, out: out, part: r.Params.Range, of: r.Params.IfRange}, nil
}

// printOutput is the output of a job, or a part of it. Package http knows the rules
// of ranges; the generated responses do not.
type printOutput struct {
	job      multe.PrintJob
	out      io.ReadSeekCloser
	part, of string // Range and If-Range
}

// VisitReadPrintOutputResponse answers.
func (o printOutput) VisitReadPrintOutputResponse(w http.ResponseWriter) (err error) {
	defer func() { err = errors.Join(err, o.out.Close()) }()
	kind := "application/pdf"
	if o.job.Form == multe.PrintZIP {
		kind = "application/zip"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("ETag", `"`+o.job.Digest.String()+`"`)
	r := &http.Request{Method: http.MethodGet, Header: http.Header{}}
	if o.part != "" && !strings.Contains(o.part, ",") { // several at once would be multipart
		r.Header.Set("Range", o.part)
	}
	if o.of != "" {
		r.Header.Set("If-Range", o.of)
	}
	part := &partWriter{ResponseWriter: w}
	http.ServeContent(part, r, "", time.Time{}, o.out)
	if part.outside {
		w.Header().Set("Cache-Control", "no-store") // ServeContent has taken it away
		w.Header().Del("Content-Range")
		w.Header().Del("Content-Type")
		return fault.New(fault.Invalid, "print.bad_range", "La parte di file richiesta non esiste: il file è già completo, oppure è un altro. Scaricarlo di nuovo dall'inizio.")
	}
	return nil
}

// partWriter keeps back the answer of package http to a range that does not fit: it
// would be the only one of ours that is no problem+json.
type partWriter struct {
	http.ResponseWriter
	outside bool
}

// WriteHeader is of [http.ResponseWriter].
func (w *partWriter) WriteHeader(status int) {
	if w.outside = status == http.StatusRequestedRangeNotSatisfiable; !w.outside {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *partWriter) Write(b []byte) (int, error) {
	if w.outside {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// CancelPrintJob serves POST /v1/creditors/{cf}/print-jobs/{id}/cancel.
func (s *server) CancelPrintJob(ctx context.Context, r CancelPrintJobRequestObject) (CancelPrintJobResponseObject, error) {
	j, err := s.Prints.Cancel(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.PrintJobID(r.Id))
	if err != nil {
		return nil, err
	}
	return CancelPrintJob200JSONResponse(printJobBody(j)), nil
}

// RerunPrintJob serves POST /v1/creditors/{cf}/print-jobs/{id}/again.
func (s *server) RerunPrintJob(ctx context.Context, r RerunPrintJobRequestObject) (RerunPrintJobResponseObject, error) {
	j, err := s.Prints.Rerun(ctx, actor(ctx), multe.CreditorID(r.Cf), multe.PrintJobID(r.Id))
	if err != nil {
		return nil, err
	}
	return RerunPrintJob200JSONResponse(printJobBody(j)), nil
}

func printBody(p multe.Print) Print {
	return Print{Id: string(p.ID), Verbale: string(p.Verbale), Kind: string(p.Kind), Language: p.Language, Job: string(p.Job), Copy: p.Copy, Actor: p.Actor, At: p.At,
		Digest: p.Digest.String(), Drawing: p.Drawing,
		Sources: PrintSources{Creditor: int64(p.Sources.Creditor), Prints: int64(p.Sources.Settings), Texts: int64(p.Sources.Texts), Logo: int64(p.Sources.Logo)}}
}

func printJobBody(j multe.PrintJob) PrintJob {
	return PrintJob{Id: string(j.ID), Actor: j.Actor, Kind: string(j.Kind), Form: string(j.Form), Order: string(j.Order), Language: j.Language, At: j.At,
		State: string(j.State), Total: j.Total, Done: j.Done, Errors: j.Errors, Size: j.Size, Digest: j.Digest.String(), Problem: j.Problem, Expires: j.Expires, Changed: j.Changed}
}
