package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"

	"preavviso/internal/certify"
	"preavviso/internal/config"
)

const certifyUsage = `preavviso certify: prova un palmare contro un servizio che sbaglia apposta

USO
  preavviso certify [--rules C07,C08] [--script PROGRAMMA] [--opzione valore …]
  preavviso certify --list                 le regole

Senza --script chiede a una persona, sul terminale, di agire sul palmare. Con --script
esegue PROGRAMMA una volta per azione: «enrol SERVER CODICE», «block N», «slip N», «sync»,
«restart», «spoil», «give-back», «refuse», «shift», «photo», «read», «scan TESTO»; stato d'uscita 0 fatto, 3 il palmare non lo
permette. Il rapporto è in report.json e report.html. Stato d'uscita 0 se tutte le regole
richieste sono superate.
`

type certifyOptions struct {
	listen, url, rules, report, script string
	wait, offline                      time.Duration
	list                               bool
}

func certifyFlags() (*ff.FlagSet, *certifyOptions) {
	var o certifyOptions
	fs := ff.NewFlagSet("preavviso certify")
	fs.StringVar(&o.listen, 0, "listen", "127.0.0.1:0", "indirizzo su cui il kit attende il palmare")
	fs.StringVar(&o.url, 0, "url", "", "indirizzo del kit visto dal palmare, se diverso: http://192.0.2.1:8080")
	fs.StringVar(&o.rules, 0, "rules", "", "regole da provare, separate da virgole; senza, tutte")
	fs.StringVar(&o.report, 0, "report", filepath.Join("out", "certify"), "cartella del rapporto")
	fs.DurationVar(&o.wait, 0, "timeout", 10*time.Minute, "quanto attendere il palmare, per ogni passo")
	fs.DurationVar(&o.offline, 0, "offline", 3*time.Minute, "quanto dura la mancanza di rete di C19")
	fs.StringVar(&o.script, 0, "script", "", "programma che agisce sul palmare al posto di una persona")
	fs.BoolVar(&o.list, 0, "list", "elenca le regole e termina")
	return fs, &o
}

var errNotCertified = errors.New("non tutte le regole sono superate")

func runCertify(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	fs, o := certifyFlags()
	if err := fs.Parse(args); errors.Is(err, ff.ErrHelp) {
		fmt.Fprint(stdout, certifyUsage+"\n"+ffhelp.Flags(fs).String())
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return fmt.Errorf("%w: argomento di troppo %q", config.ErrUsage, rest[0])
	}
	if o.list {
		for _, r := range certify.Rules() {
			fmt.Fprintf(stdout, "%s  %s\n     %s\n", r.ID, r.Title, r.Pass)
		}
		return nil
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("aprendo l'indirizzo del kit: %w", err)
	}
	var rules []string
	if o.rules != "" {
		rules = strings.Split(o.rules, ",")
	}
	var operator certify.Operator = certify.Script{Program: o.script, Out: stdout}
	if o.script == "" {
		operator = certify.NewTerminal(stdin, stdout)
	}
	report, err := certify.Run(ctx, certify.Options{Listener: listener, Server: o.url, Operator: certify.Announcer{Operator: operator, Out: stdout},
		Rules: rules, Wait: o.wait, Offline: o.offline, Out: stdout, Log: slog.New(slog.DiscardHandler)})
	if errors.Is(err, certify.ErrOptions) {
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if len(report.Results) > 0 { // also of a session that was broken off
		if e := report.Write(o.report); e != nil {
			return errors.Join(err, fmt.Errorf("scrivendo il rapporto: %w", e))
		}
		fmt.Fprintf(stdout, "\nRapporto: %s\n", filepath.Join(o.report, "report.html"))
	}
	if err == nil && !report.Kept() {
		return errNotCertified
	}
	return err
}
