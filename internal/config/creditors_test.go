package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/config"
	"preavviso/internal/multe"
)

const torino, alba = "00514490010", "00184260040"

// folder writes files, by name, and returns where.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func parse(t testing.TB, more ...string) (config.Service, []config.Setting) {
	t.Helper()
	s, settings, err := config.Parse("x", append(slices.Clone(needed), more...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, settings
}

// TestCreditorOverrides sets every option a creditor may have, one at a time and
// all together, and compares the whole of what holds for it.
func TestCreditorOverrides(t *testing.T) {
	global := []string{"--ppay-auth", "both", "--ppay-user", "tutti", "--ppay-password-file", "/s/ppay", "--ppay-ca-file", "/s/ca",
		"--ppay-cert-file", "/s/cert", "--ppay-key-file", "/s/key", "--rest-url", "https://pay.example/rest", "--rest-user", "r",
		"--rest-password-file", "/s/rest", "--soap-allow", "192.0.2.0/24"}
	base, _ := parse(t, global...)
	type change func(*config.Service)
	for name, c := range map[string]struct {
		file string
		want change
	}{
		"nothing":      {"# none\n", func(*config.Service) {}},
		"ppay-url":     {"ppay-url = https://torino.example/x", func(s *config.Service) { s.PPayURL = "https://torino.example/x" }},
		"ppay-auth":    {"ppay-auth = wss", func(s *config.Service) { s.PPayAuth = "wss" }},
		"no ppay-auth": {"ppay-auth = none", func(s *config.Service) { s.PPayAuth, s.PPayUser, s.PPayPasswordFile = "none", "", "" }},
		"ppay-user": {"ppay-user = uno\nppay-password-file = /s/uno", func(s *config.Service) {
			s.PPayUser, s.PPayPasswordFile = "uno", "/s/uno"
		}},
		"ppay-ca-file":     {"ppay-ca-file = /s/uno.ca", func(s *config.Service) { s.PPayCAFile = "/s/uno.ca" }},
		"the machine's ca": {"ppay-ca-file =", func(s *config.Service) { s.PPayCAFile = "" }},
		"certificate": {"ppay-cert-file = /s/uno.crt\nppay-key-file = /s/uno.key", func(s *config.Service) {
			s.PPayCertFile, s.PPayKeyFile = "/s/uno.crt", "/s/uno.key"
		}},
		"rest-url": {"rest-url = https://torino.example/rest", func(s *config.Service) { s.RESTURL = "https://torino.example/rest" }},
		"rest-user": {"rest-user = uno\nrest-password-file = /s/uno", func(s *config.Service) {
			s.RESTUser, s.RESTPasswordFile = "uno", "/s/uno"
		}},
		"soap-user": {"soap-user = uno\nsoap-password-file = /s/uno", func(s *config.Service) {
			s.SOAPUser, s.SOAPPasswordFile = "uno", "/s/uno"
		}},
		"soap-allow": {"soap-user = uno\nsoap-password-file = /s/uno\nsoap-allow = 198.51.100.7", func(s *config.Service) {
			s.SOAPUser, s.SOAPPasswordFile, s.SOAPAllow = "uno", "/s/uno", "198.51.100.7"
		}},
		"from anywhere": {"soap-user = uno\nsoap-password-file = /s/uno\nsoap-allow =", func(s *config.Service) {
			s.SOAPUser, s.SOAPPasswordFile, s.SOAPAllow = "uno", "/s/uno", ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{torino + ".conf": c.file, "torino.secret": "not read", "README": "not read"})
			s, settings := parse(t, append(slices.Clone(global), "--creditors-dir", dir)...)
			want := base
			want.CreditorsDir = dir
			c.want(&want)
			if diff := cmp.Diff(map[multe.CreditorID]config.Service{torino: want}, s.Creditors); diff != "" {
				t.Errorf("what holds for the creditor (-want +got):\n%s", diff)
			}
			s.Creditors, base.CreditorsDir = nil, dir
			if diff := cmp.Diff(base, s); diff != "" {
				t.Errorf("what holds for all (-want +got):\n%s", diff)
			}
			var lines []string
			for line := range strings.Lines(c.file) {
				if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
					lines = append(lines, torino+"."+strings.TrimSpace(name)+" "+strings.TrimSpace(value)+" "+filepath.Join(dir, torino+".conf"))
				}
			}
			var shown []string
			for _, set := range settings {
				if strings.HasPrefix(set.Name, torino+".") {
					shown = append(shown, set.Name+" "+set.Value+" "+set.Origin)
				}
			}
			slices.Sort(lines)
			if diff := cmp.Diff(lines, shown); diff != "" {
				t.Errorf("what is shown (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCreditorPathsAreTheFiles: a path without a root starts at the file.
func TestCreditorPathsAreTheFiles(t *testing.T) {
	dir := folder(t, map[string]string{torino + ".conf": "soap-user = uno\nsoap-password-file = torino.secret\nppay-ca-file = ../ca.pem"})
	s, _ := parse(t, "--creditors-dir", dir)
	own := s.Creditors[torino]
	if own.SOAPPasswordFile != filepath.Join(dir, "torino.secret") || own.PPayCAFile != filepath.Join(filepath.Dir(dir), "ca.pem") {
		t.Errorf("= %q, %q", own.SOAPPasswordFile, own.PPayCAFile)
	}
}

func TestCreditorRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		args  []string
		says  string
	}{
		"no creditor":           {files: map[string]string{"torino.conf": ""}, says: "torino.conf"},
		"wrong check digit":     {files: map[string]string{"00514490011.conf": ""}, says: "00514490011.conf"},
		"no name":               {files: map[string]string{".conf": ""}, says: ".conf"},
		"unknown option":        {files: map[string]string{torino + ".conf": "colour = red"}, says: torino + ".conf:1"},
		"option of all":         {files: map[string]string{torino + ".conf": "data = x.db"}, says: `"data"`},
		"soap-auth of its own":  {files: map[string]string{torino + ".conf": "soap-auth = none"}, says: `"soap-auth"`},
		"insecure of its own":   {files: map[string]string{torino + ".conf": "ppay-insecure-http = true"}, says: `"ppay-insecure-http"`},
		"config":                {files: map[string]string{torino + ".conf": "config = x"}, says: `"config"`},
		"twice":                 {files: map[string]string{torino + ".conf": "ppay-url = https://a\nppay-url = https://b"}, says: torino + ".conf:2"},
		"no equals":             {files: map[string]string{torino + ".conf": "ppay-url"}, says: torino + ".conf:1"},
		"user without password": {files: map[string]string{torino + ".conf": "soap-user = uno"}, says: "soap-password-file belong"},
		"password without user": {files: map[string]string{torino + ".conf": "ppay-password-file = /s"}, says: "ppay-user"},
		"rest user alone":       {files: map[string]string{torino + ".conf": "rest-url = https://a\nrest-user = x"}, says: "rest-password-file"},
		"rest without url":      {files: map[string]string{torino + ".conf": "rest-user = x\nrest-password-file = /s"}, says: "rest-url"},
		"allow without user":    {files: map[string]string{torino + ".conf": "soap-allow = 192.0.2.0/24"}, says: "soap-user"},
		"user under none":       {files: map[string]string{torino + ".conf": "soap-user = x\nsoap-password-file = /s"}, args: []string{"--soap-auth", "none"}, says: "soap-auth is none"},
		"auth without user":     {files: map[string]string{torino + ".conf": "ppay-auth = wss"}, says: "ppay-user"},
		"unknown auth":          {files: map[string]string{torino + ".conf": "ppay-auth = digest"}, says: "ppay-auth"},
		"bad network":           {files: map[string]string{torino + ".conf": "soap-user = x\nsoap-password-file = /s\nsoap-allow = here"}, says: "soap-allow"},
		"key without cert":      {files: map[string]string{torino + ".conf": "ppay-key-file = /s"}, says: "ppay-cert-file"},
		"plain http":            {files: map[string]string{torino + ".conf": "ppay-url = http://pay.example/"}, says: "plain HTTP"},
		"no url":                {files: map[string]string{torino + ".conf": "ppay-url ="}, says: "ppay-url"},
		"a user, two passwords": {files: map[string]string{
			torino + ".conf": "soap-user = x\nsoap-password-file = a",
			alba + ".conf":   "soap-user = x\nsoap-password-file = b"}, says: "another soap-password-file"},
		"the common user, another password": {files: map[string]string{torino + ".conf": "soap-user = epay\nsoap-password-file = a"}, says: "another soap-password-file"},
		"no folder":                         {args: []string{"--creditors-dir", "/nonexistent/folder"}, says: "creditors-dir"},
		"too large":                         {files: map[string]string{torino + ".conf": strings.Repeat("#\n", 40<<10)}, says: "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			args := slices.Clone(needed)
			if slices.Contains(c.args, "none") {
				args = slices.Clone(needed[:2])
			}
			if c.files != nil {
				args = append(args, "--creditors-dir", folder(t, c.files))
			}
			_, _, err := config.Parse("x", append(args, c.args...), nil)
			if !errors.Is(err, config.ErrUsage) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error = %v, want a usage error about %q", err, c.says)
			}
		})
	}
	// Two creditors may share a user where they share the password.
	dir := folder(t, map[string]string{
		torino + ".conf": "soap-user = x\nsoap-password-file = a", alba + ".conf": "soap-user = x\nsoap-password-file = a"})
	if s, _ := parse(t, "--creditors-dir", dir); len(s.Creditors) != 2 {
		t.Errorf("creditors = %v", s.Creditors)
	}
}

// TestUnsafeRefusals are the options that guard the wire.
func TestUnsafeRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string // "": allowed
	}{
		"plain http":             {[]string{"--ppay-url", "http://pay.example/"}, "plain HTTP"},
		"plain http, said so":    {[]string{"--ppay-url", "http://pay.example/", "--ppay-insecure-http"}, ""},
		"plain http at home":     {[]string{"--ppay-url", "http://127.0.0.1:1/"}, ""},
		"plain http at home, v6": {[]string{"--ppay-url", "http://[::1]:1/"}, ""},
		"plain http, localhost":  {[]string{"--ppay-url", "http://localhost/"}, ""},
		"localhost of another":   {[]string{"--ppay-url", "http://localhost.pay.example/"}, "plain HTTP"},
		"rest in plain http":     {[]string{"--rest-url", "http://pay.example/"}, "rest-url: plain HTTP"},
		"rest, no address":       {[]string{"--rest-url", "pay.example"}, "rest-url"},
		"rest with credentials":  {[]string{"--rest-url", "https://a:b@pay.example"}, "no credentials"},
		"wss without user":       {[]string{"--ppay-auth", "wss"}, "ppay-user"},
		"both without password":  {[]string{"--ppay-auth", "both", "--ppay-user", "x"}, "ppay-password-file"},
		"wss":                    {[]string{"--ppay-auth", "wss", "--ppay-user", "x", "--ppay-password-file", "/s"}, ""},
		"soap wss":               {[]string{"--soap-auth", "wss"}, ""},
		"soap both":              {[]string{"--soap-auth", "both"}, "soap-auth"},
		"short life":             {[]string{"--ppay-wss-lifetime", "1s"}, "ppay-wss-lifetime"},
		"long life":              {[]string{"--ppay-wss-lifetime", "48h"}, "ppay-wss-lifetime"},
		"cert without key":       {[]string{"--tls-cert-file", "/s"}, "tls-key-file"},
		"key without cert":       {[]string{"--tls-key-file", "/s"}, "tls-cert-file"},
		"client ca without tls":  {[]string{"--soap-client-ca-file", "/s"}, "tls-cert-file"},
		"client ca":              {[]string{"--soap-client-ca-file", "/s", "--tls-cert-file", "/c", "--tls-key-file", "/k"}, ""},
		"networks":               {[]string{"--soap-allow", "192.0.2.0/24, 2001:db8::/32,198.51.100.7 ,"}, ""},
		"a host with a mask":     {[]string{"--soap-allow", "192.0.2.1/24"}, "soap-allow"},
		"a name":                 {[]string{"--soap-allow", "pay.example"}, "soap-allow"},
		"IPv4 in IPv6":           {[]string{"--soap-allow", "::ffff:192.0.2.0/120"}, "soap-allow"},
		"a zone":                 {[]string{"--soap-allow", "fe80::1%eth0"}, "soap-allow"},
	} {
		_, _, err := config.Parse("x", append(slices.Clone(needed), c.args...), nil)
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, config.ErrUsage) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: error = %v, want one about %q", name, err, c.says)
		}
	}
}

// FuzzCreditorFile checks that no file panics, that what is refused is a usage
// error, and that what is accepted changes nothing that a creditor may not have.
func FuzzCreditorFile(f *testing.F) {
	for _, text := range []string{"", "ppay-url = https://a/b\n", "soap-user = x\nsoap-password-file = y\nsoap-allow = 10.0.0.0/8", "data = x", "=", "ppay-auth = none", "rest-url =\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := folder(t, map[string]string{torino + ".conf": text})
		s, _, err := config.Parse("x", append(slices.Clone(needed), "--creditors-dir", dir), nil)
		if err != nil {
			if !errors.Is(err, config.ErrUsage) {
				t.Fatalf("unclassified error: %v", err)
			}
			return
		}
		own := s.Creditors[torino]
		if own.Data != s.Data || own.SOAPAuth != s.SOAPAuth || own.PPayInsecureHTTP || own.PPayURL == "" || own.Creditors != nil {
			t.Fatalf("%q made %+v", text, own)
		}
	})
}
