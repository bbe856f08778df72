package main

import (
	"context"
	"fmt"
	"io"

	"preavviso/api/client"
	"preavviso/internal/config"
)

const exportUsage = `preavviso export accounting: i pagamenti di un periodo, per la contabilità

USO
  preavviso export accounting --creditor CF --from AAAA-MM-GG --to AAAA-MM-GG --token-file FILE --out FILE
                              [--url http://127.0.0.1:8082] [--format csv|json] [--ca-file FILE]

Il file non contiene dati personali. «--out -» scrive sullo standard output.
`

// runExport asks the service for an export, and writes it to a file.
func runExport(ctx context.Context, args []string, stdout io.Writer) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%w: manca che cosa esportare", config.ErrUsage)
	case args[0] == "-h" || args[0] == "--help":
		return config.ErrHelp
	case args[0] == "lista-di-carico":
		return exportList(ctx, args[1:], stdout)
	case args[0] == "lookup" || args[0] == "notify":
		return exportActs(ctx, args[0], args[1:], stdout)
	case args[0] != "accounting":
		return fmt.Errorf("%w: esportazione sconosciuta %q", config.ErrUsage, args[0])
	}
	fs, o := officeFlags("preavviso export accounting")
	var from, to, out, format string
	fs.StringVar(&from, 0, "from", "", "first day")
	fs.StringVar(&to, 0, "to", "", "last day")
	fs.StringVar(&out, 0, "out", "", "file to write, - for standard output")
	fs.StringVar(&format, 0, "format", "csv", "csv or json")
	if err := parseFlags(fs, args[1:]); err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "from": from, "to": to, "token-file": o.token, "out": out}); err != nil {
		return err
	}
	if format != "csv" && format != "json" {
		return fmt.Errorf("%w: --format: csv oppure json", config.ErrUsage)
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	fetch := func(w io.Writer) error {
		if format == "json" {
			resp, err := c.ReadAccounting(ctx, o.creditor, &client.ReadAccountingParams{From: from, To: to})
			return stream(w, resp, err)
		}
		resp, err := c.ReadAccountingCSV(ctx, o.creditor, &client.ReadAccountingCSVParams{From: from, To: to})
		return stream(w, resp, err)
	}
	if out == "-" {
		return fetch(stdout)
	}
	return writeWhole(out, fetch)
}
