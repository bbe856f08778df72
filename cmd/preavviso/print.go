package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"preavviso/api/client"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

const printUsage = `preavviso print: molti atti in un solo file, PDF o ZIP

USO
  preavviso print --kind preavviso|avviso|verbale --creditor CF --token-file FILE --out FILE
                  [--form pdf|zip] [--order register|cap] [--language en|fr|de|sl]
                  [--state STATO] [--from 2026-01-31] [--to 2026-02-28]
                  [--from-register N] [--to-register N] [--unprinted]
                  [--job ID] [--url http://127.0.0.1:8082] [--ca-file FILE]

Avvia la stampa, ne mostra l'avanzamento, la scarica e dice quali atti sono rimasti fuori e
perché. Se viene interrotto la stampa va avanti da sola: ripetere con «--job» e l'identificativo
mostrato per riprenderla.
`

// printPoll is how often a job is looked at: as often as a person looks.
const printPoll = time.Second

// runPrint starts a print job, waits for it and fetches what it made.
func runPrint(ctx context.Context, args []string, stdout io.Writer) error {
	fs, o := officeFlags("preavviso print")
	var (
		ask        client.NewPrintJob
		state, out string
	)
	fs.StringVar(&ask.Kind, 0, "kind", "", "preavviso, avviso or verbale")
	fs.StringVar(&ask.Form, 0, "form", "pdf", "pdf or zip")
	fs.StringVar(&ask.Order, 0, "order", "register", "register or cap")
	fs.StringVar(&ask.Language, 0, "language", "", "second language of payment notices")
	fs.StringVar(&state, 0, "state", "", "issued, finalised, settled or cancelled")
	fs.StringVar(&ask.Filter.From, 0, "from", "", "first day of the violation")
	fs.StringVar(&ask.Filter.To, 0, "to", "", "last day of the violation")
	fs.StringVar(&ask.Filter.FromRegister, 0, "from-register", "", "first register number")
	fs.StringVar(&ask.Filter.ToRegister, 0, "to-register", "", "last register number")
	fs.BoolVar(&ask.Filter.Unprinted, 0, "unprinted", "only what was never printed")
	fs.StringVar(&ask.Id, 0, "job", "", "a job that was started before")
	fs.StringVar(&out, 0, "out", "", "file to write")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token, "out": out}); err != nil {
		return err
	}
	ask.Filter.State = client.VerbaleState(state)
	c, err := o.dial()
	if err != nil {
		return err
	}
	if ask.Id == "" {
		if err := needed(map[string]string{"kind": ask.Kind}); err != nil {
			return err
		}
		if ask.Id, err = multe.NewID(time.Now(), rand.Reader); err != nil {
			return err
		}
		reply, err := c.StartPrintJobWithResponse(ctx, o.creditor, nil, ask)
		if err := said(reply, err); err != nil {
			return err
		}
		started, err := whole(reply.JSON201)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "stampa %s: %d atti\n", started.Id, started.Total); err != nil {
			return err
		}
	}
	job, err := awaitJob(ctx, c, o.creditor, ask.Id, stdout)
	if err != nil {
		return err
	}
	if job.State == "done" {
		if err := writeWhole(out, func(w io.Writer) error {
			resp, err := c.ReadPrintOutput(ctx, o.creditor, job.Id, nil)
			return stream(w, resp, err)
		}); err != nil {
			return err
		}
	}
	if err := leftOut(ctx, c, o.creditor, job, stdout); err != nil {
		return err
	}
	if job.State != "done" {
		return fault.New(fault.Conflict, "print.no_output", fmt.Sprintf("La stampa è nello stato «%s» %s: non c'è un file da scaricare.", job.State, job.Problem))
	}
	_, err = fmt.Fprintf(stdout, "%s: %d atti, %d rimasti fuori\n", out, job.Total-job.Errors, job.Errors)
	return err
}

// awaitJob shows how far a job is until it is over.
func awaitJob(ctx context.Context, c *client.ClientWithResponses, creditor, id string, stdout io.Writer) (client.PrintJob, error) {
	for shown := -1; ; {
		reply, err := c.ReadPrintJobWithResponse(ctx, creditor, id)
		if err := said(reply, err); err != nil {
			return client.PrintJob{}, err
		}
		job, err := whole(reply.JSON200)
		if err != nil {
			return job, err
		}
		if job.Done != shown {
			if _, err := fmt.Fprintf(stdout, "%d di %d\n", job.Done, job.Total); err != nil {
				return job, err
			}
			shown = job.Done
		}
		if job.State != "running" {
			return job, nil
		}
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-time.After(printPoll):
		}
	}
}

// leftOut lists what could not be printed.
func leftOut(ctx context.Context, c *client.ClientWithResponses, creditor string, job client.PrintJob, stdout io.Writer) error {
	if job.Errors == 0 {
		return nil
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for ask := (client.ListPrintItemsParams{Errors: true}); ; {
		reply, err := c.ListPrintItemsWithResponse(ctx, creditor, job.Id, &ask)
		if err := said(reply, err); err != nil {
			return err
		}
		page, err := whole(reply.JSON200)
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", i.N, i.Verbale, i.Code, i.Detail)
		}
		if page.Next == 0 {
			return w.Flush()
		}
		ask.After = page.Next
	}
}
