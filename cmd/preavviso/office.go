package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/peterbourgon/ff/v4"

	"preavviso/api/client"
	"preavviso/internal/config"
	"preavviso/internal/fault"
)

// minToken keeps a wrong file from being shown to the service.
const minToken = 20

// office is how the commands that speak to the office's API find it.
type office struct {
	url, creditor, token, ca string
}

// officeFlags are what each of these commands asks for.
func officeFlags(name string) (*ff.FlagSet, *office) {
	var o office
	fs := ff.NewFlagSet(name)
	fs.StringVar(&o.url, 0, "url", "http://127.0.0.1:8082", "address of the back office's API")
	fs.StringVar(&o.creditor, 0, "creditor", "", "codice fiscale of the creditor")
	fs.StringVar(&o.token, 0, "token-file", "", "file with the operator's token")
	fs.StringVar(&o.ca, 0, "ca-file", "", "certificates to trust instead of the system's")
	return fs, &o
}

// needed refuses a command without the named options.
func needed(flags map[string]string) error {
	for name, v := range flags {
		if v == "" {
			return fmt.Errorf("%w: manca --%s", config.ErrUsage, name)
		}
	}
	return nil
}

// dial returns a client of the API, which it does not call yet.
func (o office) dial() (*client.ClientWithResponses, error) {
	opts := client.Options{URL: o.url}
	secrets, err := config.Secrets(o.token, minToken)
	if err != nil {
		return nil, fmt.Errorf("token-file: %w", err)
	}
	opts.Token = secrets[0]
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fmt.Errorf("ca-file: %w", err)
		}
		opts.Roots = x509.NewCertPool()
		if !opts.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca-file: %s has no certificate", o.ca)
		}
	}
	c, err := client.Dial(opts)
	if errors.Is(err, client.ErrAddress) {
		return nil, fmt.Errorf("%w: --url: http://host:porta oppure https://host:porta", config.ErrUsage)
	}
	return c, err
}

// answer is what every reply of the generated client has.
type answer interface {
	GetBody() []byte
	StatusCode() int
	ContentType() string
}

// said returns why there is no answer, or what the service refused.
func said(a answer, err error) error {
	if err != nil {
		return unheard(err)
	}
	return refusal(&http.Response{StatusCode: a.StatusCode(), Header: http.Header{"Content-Type": {a.ContentType()}}}, a.GetBody())
}

// refusal turns what the service refused into an error of ours.
func refusal(resp *http.Response, body []byte) error {
	no, ok := errors.AsType[*client.Refusal](client.Check(resp, body))
	switch {
	case !ok:
		return nil
	case no.Code == "":
		return fault.New(fault.Unavailable, "export.refused", fmt.Sprintf("Il servizio ha risposto con lo stato HTTP %d.", no.Status))
	}
	return fault.New(fault.Invalid, no.Code, no.Detail)
}

// unheard tells a service that is not there from an answer that broke off.
func unheard(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return fault.Wrap(fault.Unavailable, "export.unreachable", "Il servizio non risponde all'indirizzo indicato.", err)
	}
	return fault.Wrap(fault.Unavailable, "export.incomplete", "La risposta non è arrivata per intero: ripetere.", err)
}

// whole returns what was answered, which is missing where it was something else.
func whole[T any](v *T) (T, error) {
	if v == nil {
		return *new(T), unheard(errors.New("the answer is not the one of the document"))
	}
	return *v, nil
}

// stream copies the body of an answer and fails when not everything came: half a
// file looks like a whole one.
func stream(w io.Writer, resp *http.Response, err error) error {
	if err != nil {
		return unheard(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		const maxProblem = 64 << 10 // far above any error that the service writes
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
		if err != nil {
			return unheard(err)
		}
		return refusal(resp, body)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return unheard(err)
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
