package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/peterbourgon/ff/v4"

	"preavviso/internal/config"
	"preavviso/internal/fault"
)

const exportUsage = `preavviso export accounting: i pagamenti di un periodo, per la contabilità

USO
  preavviso export accounting --creditor CF --from AAAA-MM-GG --to AAAA-MM-GG --token-file FILE --out FILE
                              [--url http://127.0.0.1:8082] [--format csv|json] [--ca-file FILE]

Il file non contiene dati personali. «--out -» scrive sullo standard output.
`

const (
	// exportTimeout is longer than the service may take to write an answer.
	exportTimeout = 2 * time.Minute
	// maxExport is far above the largest answer: 200,000 entries of some 500 bytes.
	maxExport = 256 << 20
	// maxProblem is far above any error that the service writes.
	maxProblem = 64 << 10
	// minToken keeps a wrong file from being shown to the service.
	minToken = 20
)

type exportOptions struct {
	url, creditor, from, to, token, out, format, ca string
}

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
	var o exportOptions
	fs := ff.NewFlagSet("preavviso export accounting")
	fs.StringVar(&o.url, 0, "url", "http://127.0.0.1:8082", "address of the back office's API")
	fs.StringVar(&o.creditor, 0, "creditor", "", "codice fiscale of the creditor")
	fs.StringVar(&o.from, 0, "from", "", "first day")
	fs.StringVar(&o.to, 0, "to", "", "last day")
	fs.StringVar(&o.token, 0, "token-file", "", "file with the operator's token")
	fs.StringVar(&o.out, 0, "out", "", "file to write, - for standard output")
	fs.StringVar(&o.format, 0, "format", "csv", "csv or json")
	fs.StringVar(&o.ca, 0, "ca-file", "", "certificates to trust instead of the system's")
	if err := fs.Parse(args[1:]); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return config.ErrHelp
		}
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, rest[0])
	}
	for name, v := range map[string]string{"creditor": o.creditor, "from": o.from, "to": o.to, "token-file": o.token, "out": o.out} {
		if v == "" {
			return fmt.Errorf("%w: manca --%s", config.ErrUsage, name)
		}
	}
	if o.format != "csv" && o.format != "json" {
		return fmt.Errorf("%w: --format: csv oppure json", config.ErrUsage)
	}
	req, err := o.request(ctx)
	if err != nil {
		return err
	}
	resp, err := o.send(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if o.out == "-" {
		return copyWhole(stdout, resp)
	}
	return writeWhole(o.out, func(w io.Writer) error { return copyWhole(w, resp) })
}

// send makes a request of the office's API and returns its answer if that is 200;
// the caller closes the body.
func (o exportOptions) send(req *http.Request) (*http.Response, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "export.unreachable", "Il servizio non risponde all'indirizzo indicato.", err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

func (o exportOptions) request(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: --url: http://host:porta oppure https://host:porta", config.ErrUsage)
	}
	secrets, err := config.Secrets(o.token, minToken)
	if err != nil {
		return nil, fmt.Errorf("token-file: %w", err)
	}
	u = u.JoinPath("v1", "creditors", o.creditor, "accounting."+o.format)
	u.RawQuery = url.Values{"from": {o.from}, "to": {o.to}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secrets[0])
	return req, nil
}

func (o exportOptions) client() (*http.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fmt.Errorf("ca-file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca-file: %s has no certificate", o.ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, Timeout: exportTimeout,
		// The token is for the service, not for whom it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// problem turns an error of the service into one of ours.
func problem(resp *http.Response) error {
	var p struct{ Code, Detail string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(&p); err != nil || p.Code == "" {
		return fault.New(fault.Unavailable, "export.refused", fmt.Sprintf("Il servizio ha risposto con lo stato HTTP %d.", resp.StatusCode))
	}
	return fault.New(fault.Invalid, p.Code, p.Detail)
}

// copyWhole fails when not everything came: half an export looks like a whole one.
func copyWhole(w io.Writer, resp *http.Response) error {
	n, err := io.Copy(w, io.LimitReader(resp.Body, maxExport+1))
	if err == nil && n > maxExport {
		err = errors.New("the answer is too large")
	}
	if err == nil && resp.ContentLength >= 0 && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "export.incomplete", "L'esportazione non è arrivata per intero: ripetere.", err)
	}
	return nil
}

// writeWhole writes a file that is there with all of its content, or not at all.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	return nil
}
