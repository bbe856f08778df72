package config

import (
	"net"
	"net/url"
)

// validateOffice checks how browsers reach the pages. A session that travels in the
// clear is anybody's, so plain HTTP is for this machine alone.
func (s *Service) validateOffice() error {
	if s.OfficeListen == "" {
		if s.OfficeURL != "" || s.OIDCIssuer != "" {
			return usage("office-url, oidc-issuer: there is no office-listen")
		}
		return nil
	}
	host, _, err := net.SplitHostPort(s.OfficeListen)
	if err != nil {
		return usage("office-listen: want host:port: %w", err)
	}
	if _, err := Networks(s.OfficeProxy); err != nil {
		return usage("office-proxy: %w", err)
	}
	if err := s.validateOIDC(); err != nil {
		return err
	}
	if s.OfficeURL == "" {
		if s.TLSCertFile == "" && !loopback(host) {
			return usage("office-listen: plain HTTP to other machines; set tls-cert-file, or office-url if somebody in front speaks TLS")
		}
		return nil
	}
	u, err := url.Parse(s.OfficeURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return usage("office-url: want https://host")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return usage("office-url: plain HTTP to other machines: want https://host")
	}
	return nil
}

func (s *Service) validateOIDC() error {
	if (s.OIDCIssuer == "") != (s.OIDCClientID == "") || (s.OIDCIssuer == "") != (s.OIDCClientSecretFile == "") {
		return usage("oidc-issuer, oidc-client-id and oidc-client-secret-file belong together")
	}
	if s.OIDCIssuer == "" {
		return nil
	}
	u, err := url.Parse(s.OIDCIssuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return usage("oidc-issuer: want https://host/path")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return usage("oidc-issuer: plain HTTP to another machine: whoever is between could sign in as anybody")
	}
	return nil
}
