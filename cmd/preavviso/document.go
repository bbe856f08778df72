package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"preavviso/internal/config"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// importCatalogue gives a catalogue to the service, which checks it again.
func importCatalogue(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	fs, o := portalFlags("preavviso catalogue import")
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
	var added struct {
		Document struct {
			N    int64
			From multe.Day
		}
		Findings []struct {
			Line   int
			Detail string
		}
	}
	if err := o.putDocument(ctx, multe.DocumentCatalogue, from, !commit, body, &added); err != nil {
		return err
	}
	for _, f := range added.Findings {
		fmt.Fprintf(stdout, "da controllare, riga %d: %s\n", f.Line, f.Detail)
	}
	if !commit {
		_, err = fmt.Fprintf(stdout, "Anteprima: sarebbe il catalogo n. %d, in vigore dal %s. Ripetere con --commit per importarlo.\n", added.Document.N, added.Document.From.Italian())
		return err
	}
	_, err = fmt.Fprintf(stdout, "Catalogo n. %d importato, in vigore dal %s: i palmari lo prendono al prossimo inizio turno.\n", added.Document.N, added.Document.From.Italian())
	return err
}

// putDocument gives a document of the creditor to the office's API.
func (o exportOptions) putDocument(ctx context.Context, kind multe.DocumentKind, from string, dry bool, body []byte, answer any) error {
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: --url: http://host:porta oppure https://host:porta", config.ErrUsage)
	}
	secrets, err := config.Secrets(o.token, minToken)
	if err != nil {
		return fmt.Errorf("token-file: %w", err)
	}
	u = u.JoinPath("v1", "creditors", o.creditor, "documents", string(kind))
	q := url.Values{"dry_run": {strconv.FormatBool(dry)}}
	if from != "" {
		q.Set("from", from)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secrets[0])
	req.Header.Set("Content-Type", "application/octet-stream")
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
