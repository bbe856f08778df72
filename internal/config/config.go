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
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"
)

// Service is what `preavviso serve` can be told. Every option added later has a
// default that keeps the old behaviour.
type Service struct {
	Data string // the bbolt file

	FirmwareListen string // host:port of the handhelds' API
	APIListen      string // host:port of the back office's API
	SOAPListen     string // host:port where PiemontePAY calls us

	AdminTokenFile string // opens the back office's API for the installation

	PPayURL          string        // where PiemontePAY takes InserisciListaDiCarico and AggiornaPosizioniDebitorie
	PPayAuth         string        // none or basic
	PPayUser         string        // for basic
	PPayPasswordFile string        // for basic
	PPayTimeout      time.Duration // of one call, all included

	SOAPAuth         string // none or basic: what PiemontePAY must show us
	SOAPUser         string
	SOAPPasswordFile string // one password a line; two while one replaces the other

	ReplenishEvery time.Duration // longest pause between looks at the pools
	SubmitEvery    time.Duration // longest pause between looks at the outbox
	InboxEvery     time.Duration // longest pause between looks at the inbox
	ResendAfter    time.Duration // how long an unanswered batch waits for its esito before it is sent again

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

func flags(name string) (*ff.FlagSet, *Service) {
	var s Service
	fs := ff.NewFlagSet(name)
	fs.StringLong("config", "", "file of options, one \"name = value\" a line")
	fs.StringVar(&s.Data, 0, "data", "preavviso.db", "database file")
	fs.StringVar(&s.FirmwareListen, 0, "firmware-listen", "127.0.0.1:8081", "address of the handhelds' API")
	fs.StringVar(&s.APIListen, 0, "api-listen", "127.0.0.1:8082", "address of the back office's API")
	fs.StringVar(&s.SOAPListen, 0, "soap-listen", "127.0.0.1:8083", "address where PiemontePAY calls us")
	fs.StringVar(&s.AdminTokenFile, 0, "admin-token-file", "", "file with the administrator's token, at least 32 characters")
	fs.StringVar(&s.PPayURL, 0, "ppay-url", "", "PiemontePAY's endpoint for Enti2EPaywso")
	fs.StringVar(&s.PPayAuth, 0, "ppay-auth", "none", "how we show who we are to PiemontePAY: none or basic")
	fs.StringVar(&s.PPayUser, 0, "ppay-user", "", "user name for basic")
	fs.StringVar(&s.PPayPasswordFile, 0, "ppay-password-file", "", "file with the password for basic")
	fs.DurationVar(&s.PPayTimeout, 0, "ppay-timeout", 15*time.Second, "limit of one call to PiemontePAY")
	fs.StringVar(&s.SOAPAuth, 0, "soap-auth", "basic", "what PiemontePAY must show us: basic, or none for its test environment")
	fs.StringVar(&s.SOAPUser, 0, "soap-user", "", "user name PiemontePAY must show")
	fs.StringVar(&s.SOAPPasswordFile, 0, "soap-password-file", "", "file with the password PiemontePAY must show, one a line")
	fs.DurationVar(&s.ReplenishEvery, 0, "replenish-every", 30*time.Second, "longest pause between looks at the pools")
	fs.DurationVar(&s.SubmitEvery, 0, "submit-every", 5*time.Second, "longest pause between looks at the outbox")
	fs.DurationVar(&s.InboxEvery, 0, "inbox-every", 5*time.Second, "longest pause between looks at the inbox")
	fs.DurationVar(&s.ResendAfter, 0, "resend-after", 2*time.Minute, "how long an unanswered list waits for its esito before it is sent again")
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
	slices.SortFunc(settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	return *s, settings, nil
}

// fromEnv is our own because ff ignores unknown variables of our prefix: a
// misspelt one would silently do nothing. PREAVVISO_TEST_… belongs to the tests.
func fromEnv(fs *ff.FlagSet, origin map[string]string, environ []string) error {
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		name, ours := strings.CutPrefix(key, envPrefix+"_")
		if !ours || strings.HasPrefix(name, "TEST_") {
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
	if s.Data == "" {
		return usage("data: a file is needed")
	}
	if s.PPayURL == "" {
		return usage("ppay-url is needed: the address of PiemontePAY's endpoint")
	}
	u, err := url.Parse(s.PPayURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usage("ppay-url: want http://host/path or https://host/path")
	}
	if u.User != nil {
		return usage("ppay-url: no credentials in an address; use ppay-user and ppay-password-file")
	}
	if err := auth("ppay", s.PPayAuth, s.PPayUser, s.PPayPasswordFile); err != nil {
		return err
	}
	if err := auth("soap", s.SOAPAuth, s.SOAPUser, s.SOAPPasswordFile); err != nil {
		return err
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		min   time.Duration
	}{
		{"ppay-timeout", s.PPayTimeout, 100 * time.Millisecond},
		{"replenish-every", s.ReplenishEvery, 10 * time.Millisecond},
		{"submit-every", s.SubmitEvery, 10 * time.Millisecond},
		{"inbox-every", s.InboxEvery, 10 * time.Millisecond},
		{"resend-after", s.ResendAfter, time.Second},
	} {
		if d.value < d.min || d.value > 24*time.Hour {
			return usage("%s: want from %v to 24h", d.name, d.min)
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		return usage("log-level: want debug, info, warn or error")
	}
	return nil
}

func auth(side, mode, user, file string) error {
	switch mode {
	case "none":
		if user != "" || file != "" {
			return usage("%s-auth is none, but a user or a password file is given", side)
		}
	case "basic":
		if user == "" || file == "" {
			return usage("%s-auth is basic: %s-user and %s-password-file are needed", side, side, side)
		}
		if strings.Contains(user, ":") {
			return usage("%s-user: Basic allows no colon in a user name", side)
		}
	default:
		return usage("%s-auth: want none or basic", side)
	}
	return nil
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
