package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"preavviso/internal/config"
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
	fs, o := portalFlags("preavviso print")
	var ask struct {
		ID       string `json:"id"`
		Kind     string `json:"kind"`
		Form     string `json:"form"`
		Order    string `json:"order"`
		Language string `json:"language,omitempty"`
		Filter   struct {
			State        string `json:"state,omitempty"`
			From         string `json:"from,omitempty"`
			To           string `json:"to,omitempty"`
			FromRegister string `json:"from_register,omitempty"`
			ToRegister   string `json:"to_register,omitempty"`
			Unprinted    bool   `json:"unprinted,omitempty"`
		} `json:"filter"`
	}
	fs.StringVar(&ask.Kind, 0, "kind", "", "preavviso, avviso or verbale")
	fs.StringVar(&ask.Form, 0, "form", "pdf", "pdf or zip")
	fs.StringVar(&ask.Order, 0, "order", "register", "register or cap")
	fs.StringVar(&ask.Language, 0, "language", "", "second language of payment notices")
	fs.StringVar(&ask.Filter.State, 0, "state", "", "issued, finalised, settled or cancelled")
	fs.StringVar(&ask.Filter.From, 0, "from", "", "first day of the violation")
	fs.StringVar(&ask.Filter.To, 0, "to", "", "last day of the violation")
	fs.StringVar(&ask.Filter.FromRegister, 0, "from-register", "", "first register number")
	fs.StringVar(&ask.Filter.ToRegister, 0, "to-register", "", "last register number")
	fs.BoolVar(&ask.Filter.Unprinted, 0, "unprinted", "only what was never printed")
	fs.StringVar(&ask.ID, 0, "job", "", "a job that was started before")
	fs.StringVar(&o.out, 0, "out", "", "file to write")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if err := needed(map[string]string{"creditor": o.creditor, "token-file": o.token, "out": o.out}); err != nil {
		return err
	}
	var job printJob
	if ask.ID == "" {
		if err := needed(map[string]string{"kind": ask.Kind}); err != nil {
			return err
		}
		id, err := multe.NewID(time.Now(), rand.Reader)
		if err != nil {
			return err
		}
		ask.ID = id
		if err := o.call(ctx, http.MethodPost, "print-jobs", nil, ask, &job); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "stampa %s: %d atti\n", job.ID, job.Total); err != nil {
			return err
		}
	}
	if err := o.await(ctx, ask.ID, &job, stdout); err != nil {
		return err
	}
	if job.State == "done" {
		resp, err := o.open(ctx, http.MethodGet, "print-jobs/"+job.ID+"/output", nil, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		// The length is known, and half a file is an error: nothing of it is left.
		if err := writeWhole(o.out, func(w io.Writer) error { _, err := io.Copy(w, resp.Body); return err }); err != nil {
			return err
		}
	}
	if err := o.leftOut(ctx, job, stdout); err != nil {
		return err
	}
	if job.State != "done" {
		return fault.New(fault.Conflict, "print.no_output", fmt.Sprintf("La stampa è nello stato «%s» %s: non c'è un file da scaricare.", job.State, job.Problem))
	}
	_, err := fmt.Fprintf(stdout, "%s: %d atti, %d rimasti fuori\n", o.out, job.Total-job.Errors, job.Errors)
	return err
}

// printJob is a job as the API tells it.
type printJob struct {
	ID, State, Problem  string
	Total, Done, Errors int
}

// await shows how far a job is until it is over.
func (o exportOptions) await(ctx context.Context, id string, job *printJob, stdout io.Writer) error {
	for shown := -1; ; {
		if err := o.call(ctx, http.MethodGet, "print-jobs/"+url.PathEscape(id), nil, nil, job); err != nil {
			return err
		}
		if job.Done != shown {
			if _, err := fmt.Fprintf(stdout, "%d di %d\n", job.Done, job.Total); err != nil {
				return err
			}
			shown = job.Done
		}
		if job.State != "running" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(printPoll):
		}
	}
}

// leftOut lists what could not be printed.
func (o exportOptions) leftOut(ctx context.Context, job printJob, stdout io.Writer) error {
	if job.Errors == 0 {
		return nil
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	query := url.Values{"errors": {"true"}}
	for {
		var page struct {
			Items []struct {
				N                     int
				Verbale, Code, Detail string
			}
			Next int
		}
		if err := o.call(ctx, http.MethodGet, "print-jobs/"+job.ID+"/items", query, nil, &page); err != nil {
			return err
		}
		for _, i := range page.Items {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", i.N, i.Verbale, i.Code, i.Detail)
		}
		if page.Next == 0 {
			return w.Flush()
		}
		query.Set("after", fmt.Sprint(page.Next))
	}
}

// call asks the office's API about the creditor and reads the JSON it answers.
func (o exportOptions) call(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	resp, err := o.open(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxOffice)).Decode(answer); err != nil {
		return fault.Wrap(fault.Unavailable, "export.incomplete", "La risposta non è arrivata per intero: ripetere.", err)
	}
	return nil
}

func (o exportOptions) open(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: --url: http://host:porta oppure https://host:porta", config.ErrUsage)
	}
	secrets, err := config.Secrets(o.token, minToken)
	if err != nil {
		return nil, fmt.Errorf("token-file: %w", err)
	}
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(raw)
	}
	u = u.JoinPath("v1", "creditors", o.creditor, path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secrets[0])
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return o.send(req)
}
