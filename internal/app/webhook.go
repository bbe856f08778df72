package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"preavviso/internal/config"
	"preavviso/internal/webhooks"
)

const (
	webhookTimeout = 15 * time.Second // of one delivery, its answer included
	// maxWebhookAnswer is how much of an answer is read, so that the connection
	// can be used again: nobody needs to say more than «ok».
	maxWebhookAnswer = 4 << 10
	// webhookEvery is how often webhooks are looked at without a nudge.
	webhookEvery = 5 * time.Second
)

// errForbiddenAddress refuses a receiver that would be a way into our own network.
var errForbiddenAddress = errors.New("the address is not public, and not in webhook-allow")

// webhookSender posts to receivers that operators of towns name. It connects to
// public addresses only, and to networks that the installation allows: the check
// is made on the address that is connected to, whatever the name meant before.
type webhookSender struct {
	client  *http.Client
	allowed []netip.Prefix
}

var _ webhooks.Sender = (*webhookSender)(nil)

func newWebhookSender(cfg config.Service) (*webhookSender, error) {
	s := &webhookSender{}
	var err error
	if s.allowed, err = config.Networks(cfg.WebhookAllow); err != nil {
		return nil, fmt.Errorf("webhook-allow: %w", err)
	}
	trust, err := clientTLS(cfg.WebhookCAFile, "", "")
	if err != nil {
		return nil, fmt.Errorf("webhook-ca-file: %w", err)
	}
	dial := net.Dialer{Timeout: webhookTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !s.mayCall(to.Addr().Unmap()) {
			return errForbiddenAddress
		}
		return nil
	}}
	s.client = &http.Client{
		Timeout: webhookTimeout,
		// No proxy: it would look up the name itself, and connect where it likes.
		Transport: &http.Transport{DialContext: dial.DialContext, TLSClientConfig: trust, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// mayCall reports whether a may be connected to.
func (s *webhookSender) mayCall(a netip.Addr) bool {
	if slices.ContainsFunc(s.allowed, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return true
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) })
}

// reserved are networks that look public and are not (RFC 6890): carriers' NAT,
// benchmarks, IPv4 inside IPv6.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// Send posts a delivery. Plain HTTP goes to allowed networks only: what leaves the
// house is encrypted.
func (s *webhookSender) Send(ctx context.Context, d webhooks.Delivery) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return 0, fmt.Errorf("making the request of a webhook: %w", err)
	}
	if req.URL.Scheme != "https" {
		if a, err := netip.ParseAddr(req.URL.Hostname()); err != nil || !slices.ContainsFunc(s.allowed, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) }) {
			return 0, errForbiddenAddress
		}
	}
	for name, value := range d.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "preavviso")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("calling a webhook: %w", err)
	}
	defer resp.Body.Close()
	// What it says does not matter, nor whether it said it to the end.
	_, _ = io.CopyN(io.Discard, resp.Body, maxWebhookAnswer)
	return resp.StatusCode, nil
}
