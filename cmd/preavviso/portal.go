package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"preavviso/api/client"
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

// importRows is how many rows the API takes at once.
const importRows = 400

// exportList writes the list of codes that an operator loads on the portal.
func exportList(ctx context.Context, args []string, stdout io.Writer) error {
	fs, o := officeFlags("preavviso export lista-di-carico")
	var out string
	fs.StringVar(&out, 0, "out", "", "file to write, - for standard output")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token, "out": out}); err != nil {
		return err
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	reply, err := c.MakePortalListWithResponse(ctx, o.creditor, nil)
	if err := said(reply, err); err != nil {
		return err
	}
	list, err := whole(reply.JSON200)
	if err != nil {
		return err
	}
	if out == "-" {
		_, err := io.WriteString(stdout, list.File)
		return err
	}
	if err := writeWhole(out, func(w io.Writer) error { _, err := io.WriteString(w, list.File); return err }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: %d codici da chiedere.\n%s\n", out, list.Size, list.Instructions)
	return err
}

// outcomes says what the API's words mean.
var outcomes = map[client.ImportedCodeOutcome]string{
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
	fs, o := officeFlags("preavviso import iuv")
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
	body := client.Import{Commit: commit && len(wrong) == 0}
	for _, f := range found {
		body.Rows = append(body.Rows, client.FoundCode{Line: f.Line, Position: string(f.Position), Avviso: f.Number.String(), Upstream: f.Upstream})
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	reply, err := c.ImportCodesWithResponse(ctx, o.creditor, nil, body)
	if err := said(reply, err); err != nil {
		return err
	}
	result, err := whole(reply.JSON200)
	if err != nil {
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
