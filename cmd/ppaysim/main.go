// Command ppaysim is PiemontePAY on a laptop, with its delays and its refusals.
//
// It serves the platform's SOAP endpoint and, on the same address and without
// credentials, a control API to pay, to break things and to move the clock: keep
// it on loopback. See internal/ppay/ppaysim/README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v4"

	"preavviso/internal/ppay/ppaysim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

type options struct {
	listen, data, enti, user, passwordFile, scenario string
	settings                                         ppaysim.Settings
}

// run returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, ff.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "ppaysim:", err)
		return exitUsage
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	if err := serve(ctx, o, stdout, log); err != nil {
		log.Error("stopped", "err", err)
		return exitError
	}
	return exitOK
}

// parse reads flags and, for those not given, PPAYSIM_ variables.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{settings: ppaysim.DefaultSettings()}
	fs := flag.NewFlagSet("ppaysim", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` of the SOAP endpoint and of the control API")
	fs.StringVar(&o.data, "data", "ppaysim.db", "database `file`")
	fs.StringVar(&o.enti, "enti", "", "`file` of creditors, as PUT /control/v1/enti takes it")
	fs.StringVar(&o.scenario, "scenario", "", "`file` of timed steps to play; samples are in cmd/ppaysim/scenarios")
	fs.StringVar(&o.user, "user", "", "`name` SOAP callers must show")
	fs.StringVar(&o.passwordFile, "password-file", "", "`file` with the password SOAP callers must show")
	fs.StringVar(&o.settings.Auth, "auth", o.settings.Auth, "`how` SOAP callers show it: none, basic, wss or both (default basic with --user, none without)")
	fs.BoolVar(&o.settings.Lenient, "lenient", o.settings.Lenient, "read requests that no schema allows")
	fs.TextVar(&o.settings.DelayMin, "delay-min", o.settings.DelayMin, "shortest `time` from acceptance to elaboration")
	fs.TextVar(&o.settings.DelayMax, "delay-max", o.settings.DelayMax, "longest `time` from acceptance to elaboration")
	fs.TextVar(&o.settings.NotifyEvery, "notify-every", o.settings.NotifyEvery, "`time` between runs of the notification job; 0s: only when asked")
	fs.TextVar(&o.settings.Backoff, "backoff", o.settings.Backoff, "`time` before the first retry of a delivery; doubles")
	fs.IntVar(&o.settings.Retries, "retries", o.settings.Retries, "`number` of retries before a queue stops")
	fs.IntVar(&o.settings.Threshold, "threshold", o.settings.Threshold, "most `positions` the IUV service serves at once; 0: no limit")
	flags := ff.NewFlagSetFrom("ppaysim", fs)
	if err := ff.Parse(flags, args, ff.WithEnvVarPrefix("PPAYSIM")); errors.Is(err, ff.ErrHelp) {
		fmt.Fprintln(stderr, "ppaysim [flags]; each flag is also a variable, as PPAYSIM_DELAY_MAX")
		fs.PrintDefaults()
		return options{}, ff.ErrHelp
	} else if err != nil {
		return options{}, err
	}
	switch {
	case len(flags.GetArgs()) > 0:
		return options{}, fmt.Errorf("unexpected argument %q", flags.GetArgs()[0])
	case (o.user == "") != (o.passwordFile == ""):
		return options{}, errors.New("user and password-file go together")
	}
	if err := o.settings.Check(); err != nil {
		return options{}, err
	}
	if o.user == "" && o.settings.Auth != "" && o.settings.Auth != ppaysim.AuthNone {
		return options{}, errors.New("auth: want user and password-file")
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return options{}, fmt.Errorf("listen: want host:port: %w", err)
	}
	return o, nil
}

// config reads the files the options name.
func config(o options, log *slog.Logger) (ppaysim.Config, error) {
	cfg := ppaysim.Config{Settings: o.settings, User: o.user, Log: log}
	if o.passwordFile != "" {
		raw, err := os.ReadFile(o.passwordFile)
		if err != nil {
			return cfg, fmt.Errorf("reading the password: %w", err)
		}
		if cfg.Password = strings.TrimRight(string(raw), "\r\n"); cfg.Password == "" {
			return cfg, errors.New("the password is empty")
		}
	}
	if o.enti != "" {
		raw, err := os.ReadFile(o.enti)
		if err != nil {
			return cfg, fmt.Errorf("reading the creditors: %w", err)
		}
		var file struct {
			Enti []ppaysim.Creditor `json:"enti"`
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			return cfg, fmt.Errorf("reading the creditors: %w", err)
		}
		cfg.Enti = file.Enti
	}
	return cfg, nil
}

// drain is how long requests under way may take once we stop.
const drain = 5 * time.Second

// serve runs until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer, log *slog.Logger) (err error) {
	cfg, err := config(o, log)
	if err != nil {
		return err
	}
	var scenario ppaysim.Scenario
	if o.scenario != "" {
		raw, err := os.ReadFile(o.scenario)
		if err != nil {
			return fmt.Errorf("reading the scenario: %w", err)
		}
		if scenario, err = ppaysim.ParseScenario(raw); err != nil {
			return fmt.Errorf("%s: %w", o.scenario, err)
		}
	}
	sim, err := ppaysim.Open(o.data, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ran, played := make(chan error, 1), make(chan error, 1)
	go func() { ran <- sim.Run(ctx) }()
	if o.scenario != "" {
		go func() {
			if err := sim.Play(ctx, scenario); err != nil {
				played <- err
			}
		}()
	}
	defer func() { stop(); err = errors.Join(err, <-ran) }()

	srv := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fmt.Fprintf(stdout, "http://%s%s\n", l.Addr(), ppaysim.Endpoint)
	select {
	case err := <-served:
		return err
	case err := <-played:
		return errors.Join(err, srv.Close())
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	return errors.Join(srv.Shutdown(bounded), srv.Close())
}
