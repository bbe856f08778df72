package backoffice

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"preavviso/internal/access"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/owners"
	"preavviso/internal/visure"
)

// Owners keeps who owned a vehicle; package owners does it.
type Owners interface {
	Import(ctx context.Context, by string, c multe.CreditorID, list []owners.Owner) (fresh int, err error)
	Hints(ctx context.Context, c multe.CreditorID, id multe.VerbaleID) ([]owners.Hint, error)
}

// maxExtract is the largest form with an extract in it: a file, or the same file
// coming back in base64 from the preview.
const maxExtract = visure.MaxFile/3*4 + maxForm

func (s *server) ownerRoutes() []route {
	return []route{
		{http.MethodGet, "/proprietari", multe.MayRecord, 0, s.ownersPage},
		{http.MethodPost, "/proprietari", multe.MayRecord, maxExtract, s.importOwners},
	}
}

// fieldWords are what we want to know from a row.
var fieldWords = map[visure.Field]string{
	visure.Plate: "Targa", visure.From: "Proprietario dal", visure.Until: "Proprietario fino al", visure.Surname: "Cognome", visure.Name: "Nome", visure.Company: "Ragione sociale",
	visure.CF: "Codice fiscale o partita IVA", visure.Address: "Indirizzo", visure.Civico: "Numero civico", visure.CAP: "CAP", visure.City: "Comune", visure.Province: "Provincia",
	visure.Nation: "Stato", visure.Email: "E-mail o PEC",
}

// ownersPage is the import of an extract: a file, then what was understood of it.
type ownersPage struct {
	Problem string
	Sheet   *sheetView
}

type sheetView struct {
	File    string // base64: it comes back with the form, for nothing is kept until it is imported
	Count   int
	Bad     int
	Wrong   []wrongRow
	Fields  []field
	Preview []ownerRow
}

type wrongRow struct {
	Line          int
	Where, Detail string
}

type ownerRow struct {
	Line                       int
	Plate, Period, Owner, City string
}

// previewRows is how many rows are shown as understood: enough to see that the
// columns are the right ones.
const previewRows = 10

// ownersPage serves GET /proprietari.
func (s *server) ownersPage(c *gin.Context) {
	s.render(c, http.StatusOK, "proprietari.html", ownersPage{})
}

// importOwners serves POST /proprietari: it shows what was understood, and imports
// all of it or nothing when asked to.
func (s *server) importOwners(c *gin.Context) {
	w, v := who(c), typedIn(c)
	raw, err := extract(c)
	if err != nil {
		s.refuseExtract(c, err)
		return
	}
	mapping := visure.Mapping{}
	if v("colonne") != "" {
		for _, f := range visure.Fields() {
			mapping[f] = c.PostForm("col-" + string(f))
		}
	}
	sheet, err := visure.Read(raw, mapping)
	if err != nil {
		s.refuseExtract(c, err)
		return
	}
	if v("importa") != "" && sheet.Bad == 0 {
		list := make([]owners.Owner, len(sheet.Rows))
		for i, r := range sheet.Rows {
			list[i] = owners.Owner{Plate: r.Plate, From: r.From, Until: r.Until, Debtor: r.Debtor}
		}
		if _, err := s.Owners.Import(c.Request.Context(), w.Actor(), w.Creditor, list); err != nil {
			s.refuseExtract(c, err)
			return
		}
		see(c, "/verbali?fatto=proprietari")
		return
	}
	if !s.seen(c, "proprietari", "", "") {
		return
	}
	s.render(c, http.StatusOK, "proprietari.html", ownersPage{Sheet: sheetOf(sheet, raw, w)})
}

func (s *server) refuseExtract(c *gin.Context, err error) {
	f := fault.Of(err)
	if f.Kind != fault.Invalid && f.Kind != fault.Conflict {
		s.fail(c, err)
		return
	}
	s.render(c, statuses[f.Kind], "proprietari.html", ownersPage{Problem: f.Detail})
}

// extract reads the file that was uploaded, or that came back from the preview.
func extract(c *gin.Context) ([]byte, error) {
	if kept := c.PostForm("contenuto"); kept != "" {
		raw, err := base64.StdEncoding.DecodeString(kept)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "owners.bad_file", "Il file non è tornato intero: sceglierlo di nuovo.", err)
		}
		return raw, nil
	}
	return uploaded(c, "file", visure.MaxFile)
}

// uploaded reads a file of a form; a limit of a byte more tells what is too large.
func uploaded(c *gin.Context, name string, most int64) ([]byte, error) {
	none := func(err error) error {
		return fault.Wrap(fault.Invalid, "request.no_file", "Scegliere prima il file.", err)
	}
	h, err := c.FormFile(name)
	if err != nil {
		return nil, none(err)
	}
	f, err := h.Open()
	if err != nil {
		return nil, fmt.Errorf("opening an upload: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading an upload: %w", err)
	}
	if len(raw) == 0 {
		return nil, none(nil)
	}
	return raw, nil
}

// sheetOf is what a page says of an extract, as far as a person may see it.
func sheetOf(sheet visure.Sheet, raw []byte, w access.Who) *sheetView {
	p := &sheetView{File: base64.StdEncoding.EncodeToString(raw), Count: len(sheet.Rows), Bad: sheet.Bad}
	for _, x := range sheet.Wrong {
		where := fieldWords[x.Field]
		if x.Column > 0 {
			where = strings.TrimPrefix(fmt.Sprintf("%s (colonna %d)", where, x.Column), " ")
		}
		p.Wrong = append(p.Wrong, wrongRow{x.Line, where, x.Detail})
	}
	for _, f := range visure.Fields() {
		in := field{Name: "col-" + string(f), Label: fieldWords[f], Optional: f != visure.Plate, Options: []choice{{"", "Non c'è nel file", sheet.Mapping[f] == ""}}}
		for _, h := range sheet.Header {
			in.Options = append(in.Options, choice{h, h, h != "" && h == sheet.Mapping[f]})
		}
		p.Fields = append(p.Fields, in)
	}
	for _, r := range sheet.Rows[:min(len(sheet.Rows), previewRows)] {
		name, cf := debtor(&r.Debtor, w)
		row := ownerRow{Line: r.Line, Plate: w.Plate(r.Plate), Owner: strings.TrimSpace(name + " " + cf), City: r.Debtor.City, Period: period(r.From, r.Until)}
		p.Preview = append(p.Preview, row)
	}
	return p
}

// period is the days of ownership in words.
func period(from, until multe.Day) string {
	switch {
	case from.IsZero() && until.IsZero():
		return "non detto"
	case until.IsZero():
		return "dal " + from.Italian()
	case from.IsZero():
		return "fino al " + until.Italian()
	}
	return "dal " + from.Italian() + " al " + until.Italian()
}
