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
	"time"

	"github.com/peterbourgon/ff/v4"

	"preavviso/internal/config"
	"preavviso/internal/fault"
)

const operatorUsage = `Uso:
  preavviso operator invite --creditor CF --name NOME --email INDIRIZZO --role RUOLO --token-file FILE [--url URL] [--ca-file FILE]

Invita una persona alle pagine dell'ufficio e stampa il collegamento con cui sceglie
la password; vale 48 ore. Ruoli: agente, addetto, responsabile, contabile,
amministratore, sola-lettura. La prima persona si invita con il token dell'installazione.
`

// runOperator invites somebody through the office's API.
func runOperator(ctx context.Context, args []string, stdout io.Writer) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("%w: manca che cosa fare", config.ErrUsage)
	case args[0] == "-h" || args[0] == "--help":
		return config.ErrHelp
	case args[0] != "invite":
		return fmt.Errorf("%w: operazione sconosciuta %q", config.ErrUsage, args[0])
	}
	var o exportOptions
	var person struct {
		Name  string `json:"name"`
		Email string `json:"email"`
		Role  string `json:"role"`
	}
	fs := ff.NewFlagSet("preavviso operator invite")
	fs.StringVar(&o.url, 0, "url", "http://127.0.0.1:8082", "address of the back office's API")
	fs.StringVar(&o.creditor, 0, "creditor", "", "codice fiscale of the creditor")
	fs.StringVar(&o.token, 0, "token-file", "", "file with the installation's token")
	fs.StringVar(&o.ca, 0, "ca-file", "", "certificates to trust instead of the system's")
	fs.StringVar(&person.Name, 0, "name", "", "name of the person")
	fs.StringVar(&person.Email, 0, "email", "", "e-mail address, with which they sign in")
	fs.StringVar(&person.Role, 0, "role", "", "role")
	if err := fs.Parse(args[1:]); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return config.ErrHelp
		}
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, rest[0])
	}
	for _, f := range []struct{ name, value string }{{"creditor", o.creditor}, {"name", person.Name}, {"email", person.Email}, {"role", person.Role}, {"token-file", o.token}} {
		if f.value == "" {
			return fmt.Errorf("%w: manca --%s", config.ErrUsage, f.name)
		}
	}
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: --url: http://host:porta oppure https://host:porta", config.ErrUsage)
	}
	secrets, err := config.Secrets(o.token, minToken)
	if err != nil {
		return fmt.Errorf("token-file: %w", err)
	}
	body, err := json.Marshal(person)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("v1", "creditors", o.creditor, "people").String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+secrets[0])
	req.Header.Set("Content-Type", "application/json")
	client, err := o.client()
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fault.Wrap(fault.Unavailable, "operator.unreachable", "Il servizio non risponde all'indirizzo indicato.", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return problem(resp)
	}
	var invited struct {
		Code, Link string
		Expires    time.Time
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(&invited); err != nil || invited.Code == "" {
		return fault.Wrap(fault.Unavailable, "operator.unreadable", "La risposta del servizio non si legge: controllare con l'elenco degli operatori se l'invito è partito.", err)
	}
	if invited.Link == "" {
		_, err = fmt.Fprintf(stdout, "Codice: %s\nVale fino a %s, alla pagina /invito?codice=… delle pagine dell'ufficio.\n", invited.Code, invited.Expires.Format(time.RFC3339))
	} else {
		_, err = fmt.Fprintf(stdout, "%s\nVale fino a %s.\n", invited.Link, invited.Expires.Format(time.RFC3339))
	}
	return err
}
