package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peterbourgon/ff/v4"

	"preavviso/api/client"
	"preavviso/internal/config"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

const actsUsage = `preavviso export lookup | notify, preavviso import owners: elenchi di atti e intestatari

USO
  preavviso export lookup --creditor CF --token-file FILE --out FILE [--format csv|json] [--list ID] [--again] [--despite]
  preavviso export notify --creditor CF --token-file FILE --out FILE [--format csv|json] [--list ID] [--again] [--despite]
  preavviso import owners FILE.csv --creditor CF --token-file FILE [--map CAMPO=TITOLO …] [--commit]
                          [--url http://127.0.0.1:8082] [--ca-file FILE]

«lookup» elenca le targhe di cui cercare l'intestatario, «notify» gli atti da notificare:
nessuno di quelli già pagati. Un atto sta in un solo elenco, salvo --again. --list ripete
l'elenco già fatto con quell'identificativo. --despite dichiara di avere verificato i
pagamenti sul portale, quando una notifica non si riesce a leggere. I file contengono
dati personali.

«import owners» legge un estratto del registro dei veicoli: senza --commit mostra soltanto
come lo capisce; se una riga è errata non importa nulla. --map dice in quale colonna è un
campo (plate, from, until, surname, name, company, cf, address, civico, cap, city,
province, nation, email), dove il titolo non basta; «--map campo=» lo ignora.
`

// exportActs makes a list of acts and fetches its file.
func exportActs(ctx context.Context, kind string, args []string, stdout io.Writer) error {
	fs, o := officeFlags("preavviso export " + kind)
	var out, format string
	fs.StringVar(&out, 0, "out", "", "file to write, - for standard output")
	fs.StringVar(&format, 0, "format", "csv", "csv or json")
	var (
		id             string
		again, despite bool
	)
	fs.StringVar(&id, 0, "list", "", "id of a list that was made before")
	fs.BoolVar(&again, 0, "again", "acts of earlier lists too")
	fs.BoolVar(&despite, 0, "despite", "although a notification of payment cannot be read")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token, "out": out}); err != nil {
		return err
	}
	if format != "csv" && format != "json" {
		return fmt.Errorf("%w: --format: csv oppure json", config.ErrUsage)
	}
	if id == "" {
		var err error
		if id, err = multe.NewID(time.Now(), rand.Reader); err != nil {
			return err
		}
	} else if !multe.ValidID(id) {
		return fmt.Errorf("%w: --list: 32 cifre esadecimali minuscole", config.ErrUsage)
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	reply, err := c.MakeExportWithResponse(ctx, o.creditor, nil, client.NewExport{Id: id, Kind: client.ExportKind(kind), Again: again, Despite: despite})
	if err := said(reply, err); err != nil {
		return err
	}
	list, err := whole(reply.JSON200)
	if err != nil {
		return err
	}
	fetch := func(w io.Writer) error {
		if format == "json" {
			resp, err := c.ReadExportFile(ctx, o.creditor, id)
			return stream(w, resp, err)
		}
		resp, err := c.ReadExportCSV(ctx, o.creditor, id)
		return stream(w, resp, err)
	}
	if out == "-" {
		return fetch(stdout)
	}
	if err := writeWhole(out, fetch); err != nil {
		return fmt.Errorf("elenco %s fatto, ma il file non è stato scritto (ripetere con --list %s): %w", id, id, err)
	}
	more := ""
	if list.More {
		more = " Ce ne sono altri: fare un altro elenco."
	}
	_, err = fmt.Fprintf(stdout, "%s: elenco %s, atti: %d, pagamenti conosciuti fino alle %s.%s\n", out, id, list.Count,
		list.At.In(multe.Rome()).Format("15:04:05 del 02/01/2006"), more)
	return err
}

// maxExtract is far above what the service takes, which says so itself.
const maxExtract = 16 << 20

// importOwners gives the service an extract, and shows how it understands it.
func importOwners(ctx context.Context, args []string, stdout io.Writer) error {
	fs, o := officeFlags("preavviso import owners")
	var (
		commit bool
		titles []string
	)
	fs.BoolVar(&commit, 0, "commit", "import, instead of only showing what would be")
	fs.StringListVar(&titles, 0, "map", "field=title of its column; may be repeated")
	file, err := parseFile(fs, args)
	if err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token}); err != nil {
		return err
	}
	mapping := map[string]string{}
	for _, m := range titles {
		field, title, ok := strings.Cut(m, "=")
		if !ok {
			return fmt.Errorf("%w: --map: campo=titolo", config.ErrUsage)
		}
		mapping[field] = title
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("reading the extract: %w", err)
	}
	if info.Size() > maxExtract {
		return fault.New(fault.Invalid, "owners.bad_too_large", "Il file è troppo grande per essere un estratto.")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the extract: %w", err)
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	reply, err := c.ImportOwnersWithResponse(ctx, o.creditor, nil, client.OwnerFile{File: raw, Commit: commit, Mapping: mapping})
	if err := said(reply, err); err != nil {
		return err
	}
	r, err := whole(reply.JSON200)
	if err != nil {
		return err
	}
	if err := showOwners(r, stdout); err != nil {
		return err
	}
	switch {
	case r.Committed:
		_, err = fmt.Fprintf(stdout, "Importazione eseguita: intestatari %d, nuovi %d.\n", r.Rows, r.Fresh)
	case r.Bad > 0:
		err = fault.New(fault.Conflict, "owners.wrong_rows", fmt.Sprintf("Righe errate: %d. Non è stato importato nulla.", r.Bad))
	default:
		_, err = fmt.Fprintf(stdout, "Anteprima, righe %d: non è stato importato nulla. Ripetere con --commit per importare.\n", r.Rows)
	}
	return err
}

// showOwners prints what the service has understood.
func showOwners(r client.OwnerImport, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "caratteri\t%s\n", r.Encoding)
	for _, field := range slices.Sorted(maps.Keys(r.Mapping)) {
		fmt.Fprintf(w, "%s\t«%s»\n", field, r.Mapping[field])
	}
	for _, p := range r.Preview {
		owner := strings.TrimSpace(p.Owner.Surname + " " + p.Owner.Name + p.Owner.Company)
		fmt.Fprintf(w, "riga %d\t%s\t%s\t%s\t%s\t%s\n", p.Line, p.Plate, dayOrNone(p.From.Time), dayOrNone(p.Until.Time), owner, p.Owner.City)
	}
	for _, x := range r.Wrong {
		column := ""
		if x.Column > 0 {
			column = fmt.Sprintf("colonna %d", x.Column)
		}
		fmt.Fprintf(w, "riga %d\t%s\tERRATA\t%s\n", x.Line, column, x.Detail)
	}
	return w.Flush()
}

// dayOrNone writes a day, "" for none.
func dayOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// parseFile parses the flags of a command that takes one file, before or after
// them.
func parseFile(fs *ff.FlagSet, args []string) (string, error) {
	var files []string
	if len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
		files, args = args[:1], args[1:]
	}
	if err := fs.Parse(args); errors.Is(err, ff.ErrHelp) {
		return "", config.ErrHelp
	} else if err != nil {
		return "", fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	switch files = slices.Concat(files, fs.GetArgs()); {
	case len(files) == 0:
		return "", fmt.Errorf("%w: manca il file", config.ErrUsage)
	case len(files) > 1:
		return "", fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, files[1])
	}
	return files[0], nil
}
