package app

import (
	"context"
	"fmt"

	"preavviso/internal/avviso"
	"preavviso/internal/config"
	"preavviso/internal/dispatch"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/rest"
)

// restCallers changes positions by REST for the creditors that have a caller there.
type restCallers struct {
	common *rest.Client // nil: none
	own    map[multe.CreditorID]*rest.Client
}

var _ dispatch.Positions = restCallers{}

// Apply changes one position, or says that the creditor has no caller.
func (c restCallers) Apply(ctx context.Context, cr multe.Creditor, n avviso.Number, ch multe.Change) (string, error) {
	client, own := c.own[cr.ID]
	if !own {
		client = c.common
	}
	if client == nil {
		return "", multe.ErrNoREST
	}
	return client.Apply(ctx, cr, n, ch)
}

func newRESTCallers(cfg config.Service) (c restCallers, err error) {
	if c.common, err = restCaller(cfg); err != nil {
		return restCallers{}, err
	}
	c.own = map[multe.CreditorID]*rest.Client{}
	for id, own := range cfg.Creditors {
		if c.own[id], err = restCaller(own); err != nil {
			return restCallers{}, fmt.Errorf("creditor %s: %w", id, err)
		}
	}
	return c, nil
}

// restCaller returns nil where no REST interface is configured.
func restCaller(cfg config.Service) (*rest.Client, error) {
	if cfg.RESTURL == "" {
		return nil, nil
	}
	rc := rest.Config{URL: cfg.RESTURL, User: cfg.RESTUser}
	if cfg.RESTPasswordFile != "" {
		secrets, err := config.Secrets(cfg.RESTPasswordFile, minPassword)
		if err != nil {
			return nil, fmt.Errorf("rest-password-file: %w", err)
		}
		rc.Password = ppay.NewSecret(secrets[0])
	}
	var err error
	if rc.TLS, err = clientTLS(cfg.PPayCAFile, cfg.PPayCertFile, cfg.PPayKeyFile); err != nil {
		return nil, fmt.Errorf("ppay-ca-file, ppay-cert-file, ppay-key-file: %w", err)
	}
	client, err := rest.NewClient(rc)
	if err != nil {
		return nil, fmt.Errorf("rest-url: %w", err)
	}
	return client, nil
}
