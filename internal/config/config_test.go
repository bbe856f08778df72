package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/config"
)

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// needed is the least that a service must be told.
var needed = []string{"--ppay-url", "https://pay.example/epay", "--soap-user", "epay", "--soap-password-file", "/run/secret"}

func TestPrecedence(t *testing.T) {
	file := write(t, "# a comment\n\nlog-level = debug\n data=file.db \nsubmit-every = 7s\n", 0o644)
	args := append([]string{"--config", file, "--data", "flag.db"}, needed...)
	s, settings, err := config.Parse("preavviso serve", args, []string{"PREAVVISO_LOG_LEVEL=warn", "HOME=/root", "PREAVVISO_DATA=env.db"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Data != "flag.db" || s.LogLevel != "warn" || s.SubmitEvery != 7*time.Second || s.ReplenishEvery != 30*time.Second {
		t.Fatalf("precedence is wrong: %+v", s)
	}
	want := map[string]config.Setting{
		"data":            {Name: "data", Value: "flag.db", Origin: "flag"},
		"log-level":       {Name: "log-level", Value: "warn", Origin: "environment"},
		"submit-every":    {Name: "submit-every", Value: "7s", Origin: "file"},
		"replenish-every": {Name: "replenish-every", Value: "30s", Origin: "default"},
	}
	for _, got := range settings {
		if w, ok := want[got.Name]; ok && got != w {
			t.Errorf("setting %+v, want %+v", got, w)
		}
		delete(want, got.Name)
	}
	if len(want) != 0 {
		t.Errorf("settings not shown: %v", want)
	}
}

func TestRefusals(t *testing.T) {
	with := func(more ...string) []string { return append(append([]string{}, needed...), more...) }
	for name, c := range map[string]struct {
		args, env []string
		file      string
		says      string
	}{
		"nothing":              {says: "ppay-url"},
		"unknown flag":         {args: with("--colour", "red"), says: "colour"},
		"stray argument":       {args: with("now"), says: `"now"`},
		"unknown variable":     {args: needed, env: []string{"PREAVVISO_COLOUR=red"}, says: "PREAVVISO_COLOUR"},
		"bad duration":         {args: with("--ppay-timeout", "soon"), says: "ppay-timeout"},
		"bad variable":         {args: needed, env: []string{"PREAVVISO_PPAY_TIMEOUT=soon"}, says: "PREAVVISO_PPAY_TIMEOUT"},
		"zero duration":        {args: with("--submit-every", "0s"), says: "submit-every"},
		"unknown in file":      {args: needed, file: "colour = red", says: "file:1"},
		"no equals in file":    {args: needed, file: "\n\ndata", says: "file:3"},
		"twice in file":        {args: needed, file: "data = a\ndata = b", says: "file:2"},
		"config in file":       {args: needed, file: "config = other", says: "file:1"},
		"missing file":         {args: with("--config", "/nonexistent/file"), says: "no such file"},
		"address without port": {args: with("--api-listen", "localhost"), says: "api-listen"},
		"credentials in url":   {args: with("--ppay-url", "https://u:p@pay.example/"), says: "no credentials"},
		"not a url":            {args: with("--ppay-url", "pay.example"), says: "ppay-url"},
		"basic without user":   {args: with("--ppay-auth", "basic"), says: "ppay-user"},
		"none with user":       {args: with("--soap-auth", "none"), says: "soap-auth"},
		"unknown auth":         {args: with("--ppay-auth", "digest"), says: "ppay-auth"},
		"colon in user":        {args: with("--soap-user", "a:b"), says: "colon"},
		"firmware in plain":    {args: with("--firmware-url", "http://multe.example.it"), says: "firmware-url"},
		"firmware with a path": {args: with("--firmware-url", "https://multe.example.it/api"), says: "firmware-url"},
		"pin without address":  {args: with("--firmware-pin-file", "cert.pem"), says: "firmware-pin-file"},
		"no slot":              {args: with("--slots", "0"), says: "slots"},
		"no queue":             {args: with("--queue", "0"), says: "queue"},
		"no patience":          {args: with("--queue-wait", "1ms"), says: "queue-wait"},
		"beyond the nonces":    {args: with("--device-rate", "6"), says: "device-rate"},
		"bad level":            {args: with("--log-level", "loud"), says: "log-level"},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if c.file != "" {
				args = append([]string{"--config", write(t, c.file, 0o644)}, args...)
			}
			_, _, err := config.Parse("preavviso serve", args, c.env)
			if !errors.Is(err, config.ErrUsage) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error = %v, want a usage error about %q", err, c.says)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	if _, _, err := config.Parse("preavviso serve", []string{"--help"}, nil); !errors.Is(err, config.ErrHelp) {
		t.Fatalf("error = %v", err)
	}
	if u := config.Usage("preavviso serve"); !strings.Contains(u, "--soap-password-file") || !strings.Contains(u, "127.0.0.1:8081") {
		t.Fatalf("usage lacks options or defaults:\n%s", u)
	}
}

func TestSecrets(t *testing.T) {
	const good = "0123456789abcdef"
	if got, err := config.Secrets(write(t, good+"\nsecond-0123456789\n", 0o600), 16); err != nil || len(got) != 2 || got[0] != good {
		t.Fatalf("= %q, %v", got, err)
	}
	for name, path := range map[string]string{
		"readable by others": write(t, good, 0o644),
		"too short":          write(t, "short", 0o600),
		"empty":              write(t, "\n\n", 0o600),
		"three":              write(t, good+"\n"+good+"\n"+good, 0o600),
		"missing":            "/nonexistent/file",
	} {
		if got, err := config.Secrets(path, 16); err == nil {
			t.Errorf("%s: accepted %d secrets", name, len(got))
		} else if strings.Contains(err.Error(), good) || strings.Contains(err.Error(), "short\"") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add("data = x\nlog-level = debug\n")
	f.Add("data")
	f.Add("= x")
	f.Add("submit-every = 9999999h")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := config.Parse("x", append([]string{"--config", path}, needed...), nil); err != nil && !errors.Is(err, config.ErrUsage) {
			t.Fatalf("unclassified error: %v", err)
		}
	})
}
