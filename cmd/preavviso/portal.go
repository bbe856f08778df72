package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"

	"github.com/peterbourgon/ff/v4"

	"preavviso/internal/config"
	"preavviso/internal/fault"
	"preavviso/internal/portal"
)

const portalUsage = `preavviso export lista-di-carico, preavviso import iuv: i file del portale PiemontePAY

USO
  preavviso export lista-di-carico --creditor CF --token-file FILE --out FILE.csv
                                   [--url http://127.0.0.1:8082] [--ca-file FILE]
  preavviso import iuv FILE.csv    --creditor CF --token-file FILE [--commit]
                                   [--url http://127.0.0.1:8082] [--ca-file FILE]

La prima scrive la lista dei codici da chiedere a mano, per un ente senza
integrazione SOAP. La seconda legge l'elenco con gli IUV scaricato dal portale: senza
--commit mostra soltanto che cosa importerebbe; se una riga è errata non importa nulla.
`

// maxOffice is far above any answer about a list: 400 rows of some 300 bytes.
const maxOffice = 1 << 20

// importRows is how many rows the API takes at once.
const importRows = 400

// portalFlags are what both commands ask for.
func portalFlags(name string) (*ff.FlagSet, *exportOptions) {
	var o exportOptions
	fs := ff.NewFlagSet(name)
	fs.StringVar(&o.url, 0, "url", "http://127.0.0.1:8082", "address of the back office's API")
	fs.StringVar(&o.creditor, 0, "creditor", "", "codice fiscale of the creditor")
	fs.StringVar(&o.token, 0, "token-file", "", "file with the operator's token")
	fs.StringVar(&o.ca, 0, "ca-file", "", "certificates to trust instead of the system's")
	return fs, &o
}

func parsePortal(fs *ff.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return config.ErrHelp
		}
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	return nil
}

// exportList writes the list of codes that an operator loads on the portal.
func exportList(ctx context.Context, args []string, stdout io.Writer) error {
	fs, o := portalFlags("preavviso export lista-di-carico")
	fs.StringVar(&o.out, 0, "out", "", "file to write, - for standard output")
	if err := parsePortal(fs, args); err != nil {
		return err
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, rest[0])
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token, "out": o.out}); err != nil {
		return err
	}
	var list struct {
		File, Instructions string
		Size               int
	}
	if err := o.post(ctx, "lista-di-carico", nil, &list); err != nil {
		return err
	}
	if o.out == "-" {
		_, err := io.WriteString(stdout, list.File)
		return err
	}
	if err := writeWhole(o.out, func(w io.Writer) error { _, err := io.WriteString(w, list.File); return err }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s: %d codici da chiedere.\n%s\n", o.out, list.Size, list.Instructions)
	return err
}

// The rows of an import, as the API has them.
type (
	importRow struct {
		Line     int    `json:"line"`
		Position string `json:"position"`
		Avviso   string `json:"avviso"`
		Upstream string `json:"upstream,omitempty"`
	}
	importBody struct {
		Commit bool        `json:"commit"`
		Rows   []importRow `json:"rows"`
	}
	importResult struct {
		Committed bool
		Rows      []struct {
			Line                              int
			Position, Avviso, Outcome, Detail string
		}
	}
)

// outcomes says what the API's words mean.
var outcomes = map[string]string{
	"recovered": "da importare",
	"known":     "già noto",
	"foreign":   "non è un codice dell'ente",
	"wrong":     "ERRATO",
}

// runImport gives the service the numbers of a file of the portal.
func runImport(ctx context.Context, args []string, stdout io.Writer) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%w: manca che cosa importare", config.ErrUsage)
	case args[0] == "-h" || args[0] == "--help":
		return config.ErrHelp
	case args[0] == "owners":
		return importOwners(ctx, args[1:], stdout)
	case args[0] != "iuv":
		return fmt.Errorf("%w: importazione sconosciuta %q", config.ErrUsage, args[0])
	}
	fs, o := portalFlags("preavviso import iuv")
	var commit bool
	fs.BoolVar(&commit, 0, "commit", "import, instead of only showing what would be")
	file, err := parseFile(fs, args[1:])
	if err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token}); err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the export: %w", err)
	}
	found, wrong, err := portal.Read(raw)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, r := range wrong {
		fmt.Fprintf(w, "riga %d\t\tERRATA\t%s\n", r.Line, r.Detail)
	}
	switch {
	case len(found) > importRows:
		return fault.New(fault.Invalid, "portal.too_many", fmt.Sprintf("Il file ha più di %d codici dell'ente: dividerlo, una lista per volta.", importRows))
	case len(found) == 0:
		return errors.Join(w.Flush(), fault.New(fault.Invalid, "portal.nothing", "Nel file non c'è alcun codice chiesto da questo servizio."))
	}
	body := importBody{Commit: commit && len(wrong) == 0}
	for _, f := range found {
		body.Rows = append(body.Rows, importRow{f.Line, string(f.Position), f.Number.String(), f.Upstream})
	}
	var result importResult
	if err := o.post(ctx, "orphans/import", body, &result); err != nil {
		return err
	}
	bad := len(wrong)
	for _, r := range result.Rows {
		if r.Outcome == "wrong" {
			bad++
		}
		fmt.Fprintf(w, "riga %d\t%s\t%s\t%s\n", r.Line, r.Avviso, outcomes[r.Outcome], r.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case result.Committed:
		_, err = fmt.Fprintln(stdout, "Importazione eseguita.")
	case bad > 0:
		err = fault.New(fault.Conflict, "portal.wrong_rows", fmt.Sprintf("Righe errate: %d. Non è stato importato nulla.", bad))
	default:
		_, err = fmt.Fprintln(stdout, "Anteprima: non è stato importato nulla. Ripetere con --commit per importare.")
	}
	return err
}

func needed(flags map[string]string) error {
	for name, v := range flags {
		if v == "" {
			return fmt.Errorf("%w: manca --%s", config.ErrUsage, name)
		}
	}
	return nil
}

// post calls the office's API about the creditor.
func (o exportOptions) post(ctx context.Context, path string, body, answer any) error {
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: --url: http://host:porta oppure https://host:porta", config.ErrUsage)
	}
	secrets, err := config.Secrets(o.token, minToken)
	if err != nil {
		return fmt.Errorf("token-file: %w", err)
	}
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("v1", "creditors", o.creditor, path).String(), content)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secrets[0])
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := o.send(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxOffice)).Decode(answer); err != nil {
		return fault.Wrap(fault.Unavailable, "export.incomplete", "La risposta non è arrivata per intero: ripetere.", err)
	}
	return nil
}
