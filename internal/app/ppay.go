package app

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"preavviso/internal/config"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
)

// minPassword lets the short passwords pass that platforms hand out; ours to
// choose are longer.
const minPassword = 8

func newGateway(cfg config.Service, now func() time.Time) (*ppay.Client, error) {
	c, err := line(cfg, now)
	if err != nil {
		return nil, err
	}
	c.Own = map[multe.CreditorID]ppay.Config{}
	for id, own := range cfg.Creditors {
		if c.Own[id], err = line(own, now); err != nil {
			return nil, fmt.Errorf("creditor %s: %w", id, err)
		}
	}
	return ppay.NewClient(c)
}

// line is how PiemontePAY is reached with the given options.
func line(cfg config.Service, now func() time.Time) (ppay.Config, error) {
	c := ppay.Config{URL: cfg.PPayURL, Auth: ppay.Auth(cfg.PPayAuth), Timeout: cfg.PPayTimeout, Now: now, Lifetime: cfg.PPayWSSLifetime}
	if c.Auth != ppay.AuthNone {
		secrets, err := config.Secrets(cfg.PPayPasswordFile, minPassword)
		if err != nil {
			return ppay.Config{}, fmt.Errorf("ppay-password-file: %w", err)
		}
		c.User, c.Password = cfg.PPayUser, ppay.NewSecret(secrets[0])
	}
	var err error
	if c.TLS, err = clientTLS(cfg.PPayCAFile, cfg.PPayCertFile, cfg.PPayKeyFile); err != nil {
		return ppay.Config{}, fmt.Errorf("ppay-ca-file, ppay-cert-file, ppay-key-file: %w", err)
	}
	return c, nil
}

func newListenerConfig(cfg config.Service, now func() time.Time, log *slog.Logger) (ppay.ListenerConfig, error) {
	lc := ppay.ListenerConfig{Log: log, Now: now, WSS: cfg.SOAPAuth == "wss", Open: cfg.SOAPAuth == "none"}
	if lc.Open {
		var err error
		if lc.Allow, err = config.Networks(cfg.SOAPAllow); err != nil {
			return ppay.ListenerConfig{}, fmt.Errorf("soap-allow: %w", err)
		}
		return lc, nil
	}
	all := []config.Service{cfg}
	for _, own := range cfg.Creditors {
		all = append(all, own)
	}
	at := map[string]int{} // of each user in lc.Callers
	for _, s := range all {
		allow, err := config.Networks(s.SOAPAllow)
		if err != nil {
			return ppay.ListenerConfig{}, fmt.Errorf("soap-allow: %w", err)
		}
		if i, known := at[s.SOAPUser]; known { // with the same password: package config has seen to it
			lc.Callers[i].Allow = either(lc.Callers[i].Allow, allow)
			continue
		}
		passwords, err := config.Secrets(s.SOAPPasswordFile, minPassword)
		if err != nil {
			return ppay.ListenerConfig{}, fmt.Errorf("soap-password-file: %w", err)
		}
		c := ppay.Caller{User: s.SOAPUser, Allow: allow}
		for _, p := range passwords {
			c.Passwords = append(c.Passwords, ppay.NewSecret(p))
		}
		at[s.SOAPUser] = len(lc.Callers)
		lc.Callers = append(lc.Callers, c)
	}
	return lc, nil
}

// either allows what one of two lists allows; the empty list allows all.
func either(a, b []netip.Prefix) []netip.Prefix {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	return slices.Concat(a, b)
}

// maySpeak returns who may speak for whom: the user of a creditor's own file for
// that creditor, the common user for all the others. A message that came when
// nobody had to show credentials has no caller and may be about anybody.
func maySpeak(cfg config.Service) func(caller string, c multe.CreditorID) bool {
	users := map[multe.CreditorID]string{}
	for id, own := range cfg.Creditors {
		users[id] = own.SOAPUser
	}
	return func(caller string, c multe.CreditorID) bool {
		user, own := users[c]
		if !own {
			user = cfg.SOAPUser
		}
		return caller == "" || caller == user
	}
}
