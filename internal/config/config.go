// Package config reads one set of options from flags, environment and file.
//
// Flags are the registry: name, default and help. The environment variable of
// an option is PREAVVISO_ and its name in capitals; the file has one
// "name = value" a line. A flag beats the environment, which beats the file.
// Names nobody knows are errors, in all three. Secrets are never values here:
// an option holds the path of the file that holds the secret.
package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"

	"preavviso/internal/multe"
)

// Service is what `preavviso serve` can be told. Every option added later has a
// default that keeps the old behaviour.
type Service struct {
	Data  string // the bbolt file
	Spool string // folder of the outputs of print jobs; "" is Data and ".spool"

	FirmwareListen string // host:port of the handhelds' API
	APIListen      string // host:port of the back office's API
	SOAPListen     string // host:port where PiemontePAY calls us

	OfficeListen  string // host:port of the back office's pages; "" for none
	OfficeURL     string // where browsers find them; "" for OfficeListen itself
	OfficeKeyFile string // 64 hex digits that seal second factors; "" for Data + ".key", made if there is none
	OfficeProxy   string // networks whose X-Forwarded-For we believe, in CIDR form with commas

	FirmwareURL     string // where handhelds find FirmwareListen from outside; "" for what FirmwareListen says
	FirmwarePinFile string // PEM; the certificate, or public key, that they see there; "" for TLSCertFile

	OIDCIssuer           string // the town's OpenID Connect provider; "" for none
	OIDCClientID         string // what it knows us as
	OIDCClientSecretFile string

	AdminTokenFile string // opens the back office's API for the installation

	PPayURL          string        // where PiemontePAY takes InserisciListaDiCarico and AggiornaPosizioniDebitorie
	PPayAuth         string        // none, basic, wss or both
	PPayUser         string        // for all but none
	PPayPasswordFile string        // for all but none
	PPayTimeout      time.Duration // of one call, all included
	PPayWSSLifetime  time.Duration // from Created to Expires in our wsse:Timestamp; 0 leaves it to package ppay
	PPayCAFile       string        // PEM; who may certify PiemontePAY, instead of those the machine trusts
	PPayCertFile     string        // PEM; what we show PiemontePAY in TLS; "" for none
	PPayKeyFile      string        // its key
	PPayInsecureHTTP bool          // allows plain HTTP to other machines: PiemontePAY's test environment

	RESTURL          string // of PiemontePAY's epayapi; "" if it is not used. TLS is as for PPayURL
	RESTUser         string
	RESTPasswordFile string

	SOAPAuth         string // none, basic or wss: what PiemontePAY must show us
	SOAPUser         string
	SOAPPasswordFile string // one password a line; two while one replaces the other
	SOAPAllow        string // networks PiemontePAY calls from, in CIDR form with commas; "" for any
	SOAPClientCAFile string // PEM; PiemontePAY must show a certificate of theirs in TLS; "" for no such demand

	TLSCertFile string // PEM; ours on all addresses; "" if somebody in front speaks TLS
	TLSKeyFile  string

	WebhookAllow  string // networks that webhooks may call besides public ones, as SOAPAllow
	WebhookCAFile string // PEM; who may certify their receivers, instead of those the machine trusts

	CreditorsDir string // folder of <CF>.conf
	// Creditors is, for each creditor with a file of its own, the options that hold
	// for it: its own, else the above.
	Creditors map[multe.CreditorID]Service

	ReplenishEvery time.Duration // longest pause between looks at the pools
	SubmitEvery    time.Duration // longest pause between looks at the outbox
	InboxEvery     time.Duration // longest pause between looks at the inbox
	ResendAfter    time.Duration // how long an unanswered batch waits for its esito before it is sent again
	ReconcileAfter time.Duration // how long an esito may be missing before its list is told again
	SilentAfter    time.Duration // how long all of them may be missing before a person is told

	// What each of the two JSON APIs takes on; 0 leaves it to package web.
	Slots        int           // requests that are worked at once
	Queue        int           // requests that wait
	QueueWait    time.Duration // how long one waits at most
	DeviceRate   int           // requests a second of one handheld, in the long run
	OperatorRate int           // of one operator

	AccountingDays int // how long a notified payment may be in no flow

	LogLevel string // debug, info, warn or error
}

// Setting is one effective option and where its value came from.
type Setting struct {
	Name, Value, Origin string
}

const envPrefix = "PREAVVISO"

// ErrUsage is matched by every error that Parse returns: the caller shows the
// usage and exits with 2.
var ErrUsage = errors.New("usage")

// ErrHelp is returned by Parse when the arguments ask for help.
var ErrHelp = ff.ErrHelp

// shared declares the options that a creditor may have for itself. Their defaults
// are what s holds.
func shared(fs *ff.FlagSet, s *Service) {
	fs.StringVar(&s.PPayURL, 0, "ppay-url", s.PPayURL, "PiemontePAY's endpoint for Enti2EPaywso")
	fs.StringVar(&s.PPayAuth, 0, "ppay-auth", s.PPayAuth, "how we show who we are to PiemontePAY: none, basic, wss (WS-Security UsernameToken) or both")
	fs.StringVar(&s.PPayUser, 0, "ppay-user", s.PPayUser, "user name for ppay-auth")
	fs.StringVar(&s.PPayPasswordFile, 0, "ppay-password-file", s.PPayPasswordFile, "file with the password for ppay-auth")
	fs.StringVar(&s.PPayCAFile, 0, "ppay-ca-file", s.PPayCAFile, "PEM file of who may certify PiemontePAY, instead of those the machine trusts")
	fs.StringVar(&s.PPayCertFile, 0, "ppay-cert-file", s.PPayCertFile, "PEM file of the certificate we show PiemontePAY; read again when it is renewed")
	fs.StringVar(&s.PPayKeyFile, 0, "ppay-key-file", s.PPayKeyFile, "PEM file of its key")
	fs.StringVar(&s.RESTURL, 0, "rest-url", s.RESTURL, "PiemontePAY's REST interface, such as https://…/epayapi/api/v1")
	fs.StringVar(&s.RESTUser, 0, "rest-user", s.RESTUser, "user name for rest-url")
	fs.StringVar(&s.RESTPasswordFile, 0, "rest-password-file", s.RESTPasswordFile, "file with the password for rest-url")
	fs.StringVar(&s.SOAPUser, 0, "soap-user", s.SOAPUser, "user name PiemontePAY must show")
	fs.StringVar(&s.SOAPPasswordFile, 0, "soap-password-file", s.SOAPPasswordFile, "file with the password PiemontePAY must show, one a line")
	fs.StringVar(&s.SOAPAllow, 0, "soap-allow", s.SOAPAllow, "networks PiemontePAY calls from, such as 192.0.2.0/24,2001:db8::/32; empty for any")
}

func flags(name string) (*ff.FlagSet, *Service) {
	s := Service{PPayAuth: "none"}
	fs := ff.NewFlagSet(name)
	shared(fs, &s)
	fs.StringLong("config", "", "file of options, one \"name = value\" a line")
	fs.StringVar(&s.Data, 0, "data", "preavviso.db", "database file")
	fs.StringVar(&s.Spool, 0, "spool", "", "folder of the outputs of print jobs; beside the database file if not named")
	fs.StringVar(&s.FirmwareListen, 0, "firmware-listen", "127.0.0.1:8081", "address of the handhelds' API")
	fs.StringVar(&s.APIListen, 0, "api-listen", "127.0.0.1:8082", "address of the back office's API")
	fs.StringVar(&s.SOAPListen, 0, "soap-listen", "127.0.0.1:8083", "address where PiemontePAY calls us")
	fs.StringVar(&s.OfficeListen, 0, "office-listen", "", "address of the back office's pages, such as 127.0.0.1:8084; empty for none")
	fs.StringVar(&s.OfficeURL, 0, "office-url", "", "where browsers find the pages, such as https://multe.comune.example.it; empty for office-listen itself")
	fs.StringVar(&s.OfficeKeyFile, 0, "office-key-file", "", "file of 64 hex digits that seal second factors, made if there is none; empty for the database's name and .key")
	fs.StringVar(&s.OfficeProxy, 0, "office-proxy", "", "networks of the proxies in front of the pages, whose X-Forwarded-For is believed")
	fs.StringVar(&s.FirmwareURL, 0, "firmware-url", "", "address at which handhelds reach firmware-listen, for enrolment codes, such as https://multe.example.it; without, what firmware-listen says")
	fs.StringVar(&s.FirmwarePinFile, 0, "firmware-pin-file", "", "PEM file of the certificate or public key that handhelds see there, if a proxy speaks TLS; its key goes into enrolment codes")
	fs.IntVar(&s.Slots, 0, "slots", 256, "requests that each JSON API works at once")
	fs.IntVar(&s.Queue, 0, "queue", 4096, "requests that may wait for a slot; beyond it they are answered 503")
	fs.DurationVar(&s.QueueWait, 0, "queue-wait", 10*time.Second, "how long a request may wait for a slot before it is answered 503")
	fs.IntVar(&s.DeviceRate, 0, "device-rate", 4, "requests a second that one handheld may make in the long run; beyond it they are answered 429")
	fs.IntVar(&s.OperatorRate, 0, "operator-rate", 50, "requests a second that one operator may make in the long run")
	fs.StringVar(&s.OIDCIssuer, 0, "oidc-issuer", "", "OpenID Connect provider that people may sign in with, such as https://id.comune.example.it; empty for none")
	fs.StringVar(&s.OIDCClientID, 0, "oidc-client-id", "", "what the provider knows us as; it sends browsers back to office-url and /accesso/oidc/ritorno")
	fs.StringVar(&s.OIDCClientSecretFile, 0, "oidc-client-secret-file", "", "file with our secret at the provider")
	fs.StringVar(&s.AdminTokenFile, 0, "admin-token-file", "", "file with the administrator's token, at least 32 characters")
	fs.DurationVar(&s.PPayTimeout, 0, "ppay-timeout", 15*time.Second, "limit of one call to PiemontePAY")
	fs.DurationVar(&s.PPayWSSLifetime, 0, "ppay-wss-lifetime", time.Minute, "how long the wsse:Timestamp of a call is good")
	fs.BoolVarDefault(&s.PPayInsecureHTTP, 0, "ppay-insecure-http", false, "allow plain HTTP to PiemontePAY on another machine: for its test environment only")
	fs.StringVar(&s.SOAPAuth, 0, "soap-auth", "basic", "what PiemontePAY must show us: basic, wss (a WS-Security UsernameToken, or basic), or none for its test environment")
	fs.StringVar(&s.SOAPClientCAFile, 0, "soap-client-ca-file", "", "PEM file of who certifies PiemontePAY's calls; without, no certificate is asked for")
	fs.StringVar(&s.TLSCertFile, 0, "tls-cert-file", "", "PEM file of the certificate of our addresses; read again when it is renewed. Without, they speak plain HTTP")
	fs.StringVar(&s.TLSKeyFile, 0, "tls-key-file", "", "PEM file of its key")
	fs.StringVar(&s.WebhookAllow, 0, "webhook-allow", "", "networks that webhooks may call besides public ones, such as 10.0.0.0/8")
	fs.StringVar(&s.WebhookCAFile, 0, "webhook-ca-file", "", "PEM file of who may certify the receivers of webhooks, instead of those the machine trusts")
	fs.StringVar(&s.CreditorsDir, 0, "creditors-dir", "", "folder of <CF>.conf, the options of single creditors")
	fs.DurationVar(&s.ReplenishEvery, 0, "replenish-every", 30*time.Second, "longest pause between looks at the pools")
	fs.DurationVar(&s.SubmitEvery, 0, "submit-every", 5*time.Second, "longest pause between looks at the outbox")
	fs.DurationVar(&s.InboxEvery, 0, "inbox-every", 5*time.Second, "longest pause between looks at the inbox")
	fs.DurationVar(&s.ResendAfter, 0, "resend-after", 2*time.Minute, "how long an unanswered list waits for its esito before it is sent again")
	fs.DurationVar(&s.ReconcileAfter, 0, "reconcile-after", 24*time.Hour, "how long an esito may be missing before what its list told is told again")
	fs.DurationVar(&s.SilentAfter, 0, "silent-after", 6*time.Hour, "how long no esito at all may come, while some are due, before a person is told")
	fs.IntVar(&s.AccountingDays, 0, "accounting-days", 5, "days after which a notified payment must be in a flow")
	fs.StringVar(&s.LogLevel, 0, "log-level", "info", "debug, info, warn or error")
	return fs, &s
}

// Usage returns the help text of command name.
func Usage(name string) string {
	fs, _ := flags(name)
	return ffhelp.Flags(fs, name+" [--name value …]").String()
}

// Parse reads the options of command name. environ has the form of os.Environ.
// Its errors match [ErrUsage], or are [ErrHelp].
func Parse(name string, args, environ []string) (Service, []Setting, error) {
	fs, s := flags(name)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return Service{}, nil, ErrHelp
		}
		return Service{}, nil, usage("%w", err)
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return Service{}, nil, usage("unexpected argument %q", rest[0])
	}
	origin := map[string]string{}
	mark := func(from string) {
		_ = fs.WalkFlags(func(f ff.Flag) error { // the function never fails
			if n, _ := f.GetLongName(); f.IsSet() && origin[n] == "" {
				origin[n] = from
			}
			return nil
		})
	}
	mark("flag")
	if err := fromEnv(fs, origin, environ); err != nil {
		return Service{}, nil, err
	}
	mark("environment")
	file, _ := fs.GetFlag("config")
	if path := file.GetValue(); path != "" {
		if err := fromFile(fs, origin, path); err != nil {
			return Service{}, nil, err
		}
	}
	mark("file")
	if err := s.validate(); err != nil {
		return Service{}, nil, err
	}
	var settings []Setting
	_ = fs.WalkFlags(func(f ff.Flag) error {
		n, _ := f.GetLongName()
		from := origin[n]
		if from == "" {
			from = "default"
		}
		settings = append(settings, Setting{Name: n, Value: f.GetValue(), Origin: from})
		return nil
	})
	if s.CreditorsDir != "" {
		own, err := s.readCreditors()
		if err != nil {
			return Service{}, nil, err
		}
		settings = append(settings, own...)
	}
	slices.SortFunc(settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	return *s, settings, nil
}

// fromEnv is our own because ff ignores unknown variables of our prefix: a
// misspelt one would silently do nothing. PREAVVISO_TEST_… belongs to the tests,
// two others to «preavviso ppay».
func fromEnv(fs *ff.FlagSet, origin map[string]string, environ []string) error {
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		name, ours := strings.CutPrefix(key, envPrefix+"_")
		if !ours || strings.HasPrefix(name, "TEST_") || name == "REST_ORG" || name == "REST_TYPE" {
			continue
		}
		f, known := fs.GetFlag(strings.ToLower(strings.ReplaceAll(name, "_", "-")))
		if !known {
			return usage("unknown environment variable %s", key)
		}
		long, _ := f.GetLongName()
		if origin[long] != "" {
			continue
		}
		if err := f.SetValue(value); err != nil {
			return usage("%s: %w", key, err)
		}
	}
	return nil
}

// maxFile is far above any file of options.
const maxFile = 64 << 10

func fromFile(fs *ff.FlagSet, origin map[string]string, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return usage("reading options: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return usage("reading options: %w", err)
	}
	if len(text) > maxFile {
		return usage("%s is larger than %d bytes", path, maxFile)
	}
	return parseFile(text, path, func(name, value string) error {
		f, known := fs.GetFlag(name)
		if !known || name == "config" {
			return fmt.Errorf("unknown option %q", name)
		}
		if origin[name] != "" {
			return nil
		}
		return f.SetValue(value)
	})
}

// parseFile calls set for each "name = value" line. Blank lines and lines that
// begin with # are skipped; a name may stand only once.
func parseFile(text []byte, path string, set func(name, value string) error) error {
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || name == "":
			return usage("%s:%d: want \"name = value\"", path, n)
		case seen[name]:
			return usage("%s:%d: %q stands twice", path, n, name)
		}
		seen[name] = true
		if err := set(name, value); err != nil {
			return usage("%s:%d: %w", path, n, err)
		}
	}
	return nil
}

func (s *Service) validate() error {
	for _, a := range []struct{ name, value string }{
		{"firmware-listen", s.FirmwareListen}, {"api-listen", s.APIListen}, {"soap-listen", s.SOAPListen},
	} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			return usage("%s: want host:port: %w", a.name, err)
		}
	}
	if err := s.validateOffice(); err != nil {
		return err
	}
	if s.Data == "" {
		return usage("data: a file is needed")
	}
	if err := s.validateShared(); err != nil {
		return err
	}
	if !slices.Contains([]string{"none", "basic", "wss"}, s.SOAPAuth) {
		return usage("soap-auth: want none, basic or wss")
	}
	if err := pair("tls-cert-file", s.TLSCertFile, "tls-key-file", s.TLSKeyFile); err != nil {
		return err
	}
	if s.FirmwareURL != "" {
		u, err := url.Parse(s.FirmwareURL)
		if err != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return usage("firmware-url: want https://host or https://host:port: what handhelds send is personal")
		}
	}
	if s.FirmwarePinFile != "" && !strings.HasPrefix(s.FirmwareURL, "https:") {
		return usage("firmware-pin-file: there is no firmware-url with https")
	}
	for _, n := range []struct {
		name     string
		value    int
		min, max int
	}{
		{"slots", s.Slots, 1, 10_000},
		{"queue", s.Queue, 1, 100_000},
		{"device-rate", s.DeviceRate, 1, 5}, // the nonces that are remembered for one
		{"operator-rate", s.OperatorRate, 1, 1000},
	} {
		if n.value < n.min || n.value > n.max {
			return usage("%s: want from %d to %d", n.name, n.min, n.max)
		}
	}
	if s.SOAPClientCAFile != "" && s.TLSCertFile == "" {
		return usage("soap-client-ca-file: a certificate can only be asked for in TLS: tls-cert-file and tls-key-file are needed")
	}
	if _, err := Networks(s.WebhookAllow); err != nil {
		return usage("webhook-allow: %w", err)
	}
	if s.PPayWSSLifetime < 10*time.Second || s.PPayWSSLifetime > 24*time.Hour {
		return usage("ppay-wss-lifetime: want from 10s to 24h")
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		min   time.Duration
	}{
		{"ppay-timeout", s.PPayTimeout, 100 * time.Millisecond},
		{"replenish-every", s.ReplenishEvery, 10 * time.Millisecond},
		{"submit-every", s.SubmitEvery, 10 * time.Millisecond},
		{"queue-wait", s.QueueWait, 100 * time.Millisecond},
		{"inbox-every", s.InboxEvery, 10 * time.Millisecond},
		{"resend-after", s.ResendAfter, time.Second},
		{"reconcile-after", s.ReconcileAfter, time.Minute},
		{"silent-after", s.SilentAfter, time.Minute},
	} {
		if d.value < d.min || d.value > 24*time.Hour {
			return usage("%s: want from %v to 24h", d.name, d.min)
		}
	}
	if s.AccountingDays < 1 || s.AccountingDays > 60 {
		return usage("accounting-days: want from 1 to 60")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		return usage("log-level: want debug, info, warn or error")
	}
	return nil
}

// validateShared checks what a creditor may have for itself.
func (s *Service) validateShared() error {
	if s.PPayURL == "" {
		return usage("ppay-url is needed: the address of PiemontePAY's endpoint")
	}
	if err := s.address("ppay-url", s.PPayURL); err != nil {
		return err
	}
	if s.RESTURL != "" {
		if err := s.address("rest-url", s.RESTURL); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"none", "basic", "wss", "both"}, s.PPayAuth) {
		return usage("ppay-auth: want none, basic, wss or both")
	}
	for _, a := range []struct{ side, mode, user, file string }{
		{"ppay", s.PPayAuth, s.PPayUser, s.PPayPasswordFile},
		{"soap", s.SOAPAuth, s.SOAPUser, s.SOAPPasswordFile},
	} {
		switch {
		case a.mode == "none" && (a.user != "" || a.file != ""):
			return usage("%s-auth is none, but a user or a password file is given", a.side)
		case a.mode != "none" && (a.user == "" || a.file == ""):
			return usage("%s-auth is %s: %s-user and %s-password-file are needed", a.side, a.mode, a.side, a.side)
		}
	}
	for _, u := range []struct{ name, user string }{{"ppay-user", s.PPayUser}, {"soap-user", s.SOAPUser}, {"rest-user", s.RESTUser}} {
		if strings.Contains(u.user, ":") {
			return usage("%s: Basic allows no colon in a user name", u.name)
		}
	}
	if err := pair("ppay-cert-file", s.PPayCertFile, "ppay-key-file", s.PPayKeyFile); err != nil {
		return err
	}
	if err := pair("rest-user", s.RESTUser, "rest-password-file", s.RESTPasswordFile); err != nil {
		return err
	}
	if s.RESTUser != "" && s.RESTURL == "" {
		return usage("rest-user: there is no rest-url")
	}
	if _, err := Networks(s.SOAPAllow); err != nil {
		return usage("soap-allow: %w", err)
	}
	return nil
}

// pair refuses one of two options that mean nothing alone.
func pair(name1, value1, name2, value2 string) error {
	if (value1 == "") != (value2 == "") {
		return usage("%s and %s belong together", name1, name2)
	}
	return nil
}

// address checks a URL that we call. Plain HTTP leaves this machine only where
// that was said: it carries passwords and people's names.
func (s *Service) address(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return usage("%s: want http://host/path or https://host/path", name)
	}
	if u.User != nil {
		return usage("%s: no credentials in an address; there are options for them", name)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) && !s.PPayInsecureHTTP {
		return usage("%s: plain HTTP to another machine; use https, or say ppay-insecure-http for a test environment", name)
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Networks reads a list of networks in CIDR form, with commas; an address alone is
// a network of one.
func Networks(list string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range strings.Split(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); err != nil && aerr == nil && a.Zone() == "" {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 192.0.2.0/24", text)
		}
		if p.Addr().Is4In6() || p.Masked() != p {
			return nil, fmt.Errorf("%q is not the first address of a network", text)
		}
		all = append(all, p)
	}
	return all, nil
}

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUsage, fmt.Errorf(format, args...))
}

// Secrets reads a file that holds one secret a line, at least one and at most
// two (the second while one replaces the other). A file that others may read is
// refused: the secret is no longer one.
func Secrets(path string, minLength int) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading a secret: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a secret: %w", err)
	}
	var secrets []string
	for line := range strings.Lines(string(text)) {
		if s := strings.TrimRight(line, "\r\n"); s != "" {
			if len(s) < minLength {
				return nil, fmt.Errorf("a secret in %s is shorter than %d characters", path, minLength)
			}
			secrets = append(secrets, s)
		}
	}
	if n := len(secrets); n < 1 || n > 2 {
		return nil, fmt.Errorf("%s has %d secrets, want one or two, one a line", path, n)
	}
	return secrets, nil
}
