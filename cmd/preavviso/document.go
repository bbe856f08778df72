package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"preavviso/api/client"
	"preavviso/internal/config"
	"preavviso/internal/multe"
)

// importCatalogue gives a catalogue to the service, which checks it again.
func importCatalogue(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	fs, o := officeFlags("preavviso catalogue import")
	var (
		from   string
		commit bool
	)
	fs.StringVar(&from, 0, "from", "", "first day in force, 2026-01-31; today if it is not given")
	fs.BoolVar(&commit, 0, "commit", "import, instead of only showing what would be")
	file, err := parseFile(fs, args)
	if err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token}); err != nil {
		return err
	}
	if from != "" {
		if _, err := multe.ParseDay(from); err != nil {
			return fmt.Errorf("%w: --from: una data, per esempio 2026-01-31", config.ErrUsage)
		}
	}
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		stdin = f
	}
	body, err := io.ReadAll(io.LimitReader(stdin, multe.MaxDocument+1)) // one more, so that the service sees a file that is too long
	if err != nil {
		return err
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	reply, err := c.AddDocumentWithBodyWithResponse(ctx, o.creditor, client.DocumentKind(multe.DocumentCatalogue),
		&client.AddDocumentParams{From: from, DryRun: !commit}, "application/octet-stream", bytes.NewReader(body))
	if err := said(reply, err); err != nil {
		return err
	}
	added, err := whole(reply.JSON200)
	if err != nil {
		return err
	}
	inForce := multe.DayOf(added.Document.From.Time).Italian()
	for _, f := range added.Findings {
		fmt.Fprintf(stdout, "da controllare, riga %d: %s\n", f.Line, f.Detail)
	}
	if !commit {
		_, err = fmt.Fprintf(stdout, "Anteprima: sarebbe il catalogo n. %d, in vigore dal %s. Ripetere con --commit per importarlo.\n", added.Document.N, inForce)
		return err
	}
	_, err = fmt.Fprintf(stdout, "Catalogo n. %d importato, in vigore dal %s: i palmari lo prendono al prossimo inizio turno.\n", added.Document.N, inForce)
	return err
}
