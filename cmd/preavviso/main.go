// Command preavviso is the service that makes multe con preavviso payable
// through PiemontePAY, and its tools.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"

	"preavviso/internal/app"
	"preavviso/internal/config"
	"preavviso/internal/demo"
	"preavviso/internal/fault"
)

const usage = `preavviso: multe con preavviso pagabili con pagoPA in Piemonte

USO
  preavviso serve   [--opzione valore …]   avvia il servizio
  preavviso demo    [--out CARTELLA] [--stay]   un turno intero, con il simulatore di PiemontePAY
  preavviso config  [--opzione valore …]   mostra le opzioni in vigore e da dove vengono
  preavviso catalogue check FILE | import FILE … | sample   il catalogo delle violazioni
  preavviso export accounting …            i pagamenti di un periodo, per la contabilità
  preavviso export lookup | notify …       gli atti di cui cercare l'intestatario, o da notificare
  preavviso export lista-di-carico …       i codici da chiedere a mano sul portale PiemontePAY
  preavviso import iuv FILE …              i codici avviso scaricati dal portale PiemontePAY
  preavviso import owners FILE …           gli intestatari di un estratto del registro dei veicoli
  preavviso ppay COMANDO …                 una posizione alla volta, con l'interfaccia REST di PiemontePAY
  preavviso print --kind … --out FILE …    molti atti in un solo PDF o ZIP, dal servizio
  preavviso slip --out FILE …              un preavviso in JSON, pronto per la stampante termica
  preavviso template show | check FILE     i testi delle stampe, da cambiare e controllare
  preavviso operator invite …              invita una persona alle pagine dell'ufficio
  preavviso certify …                      prova un palmare contro un servizio che sbaglia apposta
  preavviso version                        versione, commit e versione di Go

«preavviso serve --help» elenca le opzioni.
`

// The exit statuses: 0 done, 1 it went wrong, 2 it was asked wrongly.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	// A second signal kills at once: the store is safe at any instant.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	var err error
	switch command, rest := args[0], args[1:]; command {
	case "serve":
		err = serve(ctx, rest, environ, stderr)
	case "demo":
		err = runDemo(ctx, rest, stdout)
	case "config":
		err = showConfig(rest, environ, stdout)
	case "catalogue":
		err = catalogue(ctx, rest, os.Stdin, stdout)
	case "export":
		err = runExport(ctx, rest, stdout)
	case "import":
		err = runImport(ctx, rest, stdout)
	case "ppay":
		err = runPpay(ctx, rest, environ, stdout)
	case "print":
		err = runPrint(ctx, rest, stdout)
	case "slip":
		err = runSlip(rest, os.Stdin, stdout)
	case "template":
		err = runTemplate(rest, stdout)
	case "certify":
		err = runCertify(ctx, rest, os.Stdin, stdout)
	case "operator":
		err = runOperator(ctx, rest, stdout)
	case "version":
		err = version(rest, stdout)
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
	default:
		err = fmt.Errorf("%w: comando sconosciuto %q", config.ErrUsage, command)
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(stdout, helpOf(args[0]))
		return exitOK
	case errors.Is(err, config.ErrUsage):
		fmt.Fprintf(stderr, "preavviso: %v\n\n%s", err, helpOf(args[0]))
		return exitUsage
	}
	var known *fault.Error
	if errors.As(err, &known) {
		fmt.Fprintf(stderr, "preavviso: [%s] %v\n", known.Code, err)
	} else {
		fmt.Fprintf(stderr, "preavviso: %v\n", err)
	}
	return exitError
}

func helpOf(command string) string {
	switch command {
	case "serve", "config":
		return config.Usage("preavviso " + command)
	case "demo":
		fs, _ := demoFlags()
		return ffhelp.Flags(fs, "preavviso demo [--out DIR] [--stay]").String()
	case "catalogue":
		return catalogueUsage
	case "export":
		return exportUsage + "\n" + actsUsage + "\n" + portalUsage
	case "import":
		return actsUsage + "\n" + portalUsage
	case "ppay":
		return ppayUsage
	case "certify":
		return certifyUsage
	case "print":
		return printUsage
	case "operator":
		return operatorUsage
	case "slip":
		return slipUsage
	case "template":
		return templateUsage
	}
	return usage
}

func serve(ctx context.Context, args, environ []string, stderr io.Writer) error {
	cfg, _, err := config.Parse("preavviso serve", args, environ)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return fmt.Errorf("log-level: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	a, err := app.Open(cfg, app.Deps{Now: time.Now, Random: rand.Reader, Log: log, Fatal: func(err error) {
		log.Error("the store cannot be trusted any more, ending", "err", err)
		os.Exit(exitError)
	}})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

type demoOptions struct {
	out  string
	stay bool
}

func demoFlags() (*ff.FlagSet, *demoOptions) {
	var o demoOptions
	fs := ff.NewFlagSet("preavviso demo")
	fs.StringVar(&o.out, 0, "out", filepath.Join("out", "demo"), "folder for the PDFs, the messages and the databases")
	fs.BoolVar(&o.stay, 0, "stay", "after the shift keep service and simulator running until Ctrl-C")
	return fs, &o
}

func runDemo(ctx context.Context, args []string, stdout io.Writer) error {
	fs, o := demoFlags()
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, ff.ErrHelp) {
			return config.ErrHelp
		}
		return fmt.Errorf("%w: %w", config.ErrUsage, err)
	}
	if rest := fs.GetArgs(); len(rest) > 0 {
		return fmt.Errorf("%w: unexpected argument %q", config.ErrUsage, rest[0])
	}
	return demo.Run(ctx, demo.Options{Out: o.out, Stay: o.stay, Stdout: stdout})
}

// showConfig prints the effective options. None of them is a secret: secrets
// are in files, of which only the paths are options.
func showConfig(args, environ []string, stdout io.Writer) error {
	_, settings, err := config.Parse("preavviso config", args, environ)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(w, "%s\t= %s\t# %s\n", s.Name, s.Value, s.Origin)
	}
	return w.Flush()
}

func version(args []string, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: unexpected argument %q", config.ErrUsage, args[0])
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("built without module information")
	}
	commit := "unknown"
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			commit += "+modified"
		}
	}
	fmt.Fprintf(stdout, "preavviso %s, commit %s, %s\n", info.Main.Version, commit, info.GoVersion)
	return nil
}
