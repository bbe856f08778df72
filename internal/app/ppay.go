package app

import (
	"fmt"
	"log/slog"

	"preavviso/internal/config"
	"preavviso/internal/ppay"
)

// minPassword lets the short passwords pass that platforms hand out; ours to
// choose are longer.
const minPassword = 8

func newGateway(cfg config.Service) (*ppay.Client, error) {
	c := ppay.Config{URL: cfg.PPayURL, Timeout: cfg.PPayTimeout}
	if cfg.PPayAuth == "basic" {
		secrets, err := config.Secrets(cfg.PPayPasswordFile, minPassword)
		if err != nil {
			return nil, fmt.Errorf("ppay-password-file: %w", err)
		}
		c.User, c.Password = cfg.PPayUser, ppay.NewSecret(secrets[0])
	}
	return ppay.NewClient(c)
}

func newListenerConfig(cfg config.Service, log *slog.Logger) (ppay.ListenerConfig, error) {
	lc := ppay.ListenerConfig{Log: log}
	if cfg.SOAPAuth == "none" {
		lc.Open = true
		return lc, nil
	}
	passwords, err := config.Secrets(cfg.SOAPPasswordFile, minPassword)
	if err != nil {
		return ppay.ListenerConfig{}, fmt.Errorf("soap-password-file: %w", err)
	}
	lc.User = cfg.SOAPUser
	for _, p := range passwords {
		lc.Passwords = append(lc.Passwords, ppay.NewSecret(p))
	}
	return lc, nil
}
