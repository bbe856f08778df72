// Command palmare is a simulated handheld on the reference client: it enrols,
// borrows codes, "prints" slips as files and uploads them, and can play a shift
// without a network in which it is killed again and again.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"preavviso/firmware-api/client"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

const usage = `palmare: un palmare simulato.

  palmare app                                 si usa a mano, come un vero palmare
  palmare enrol  --qr TESTO                   si attiva con il codice QR dell'ufficio
  palmare enrol  --server URL --code CODICE   lo stesso, a mano
  palmare lease  [--want N]                   prende N codici, o quanti decide il servizio
  palmare issue  --plate TARGA [--place …]    scrive un preavviso (in carta/)
  palmare print  --verbale ID                 chiede al servizio i byte per la stampante
  palmare hear                                dice che cosa fa sapere il servizio
  palmare sync                                trasmette ciò che manca
  palmare return                              restituisce i codici non stampati
  palmare status                              dice che cosa ha
  palmare shift  --slips N --offline 6h       un turno senza rete, con guasti

Tutti accettano --dir CARTELLA (predefinita: palmare.d).
`

type options struct {
	dir, server, code    string
	qr, pin              string
	want, slips          int
	plate, place, warden string
	photo, verbale       string
	in                   io.Reader // of app
	offline              time.Duration
	rate                 float64
	seed                 uint64
	really               bool
	life                 int
}

// run returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	var o options
	fs := flag.NewFlagSet("palmare "+args[0], flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.dir, "dir", "palmare.d", "`cartella` del palmare")
	fs.StringVar(&o.server, "server", "", "`indirizzo` del servizio; quello dell'attivazione se manca")
	fs.StringVar(&o.code, "code", "", "`codice` di attivazione")
	fs.StringVar(&o.qr, "qr", "", "`testo` del codice QR di attivazione")
	fs.IntVar(&o.want, "want", 0, "`codici` da prendere; 0: decide il servizio")
	fs.StringVar(&o.plate, "plate", "", "`targa`")
	fs.StringVar(&o.place, "place", "Via Roma, fronte civico 12", "`luogo`")
	fs.StringVar(&o.photo, "photo", "", "`file` JPEG, foto del preavviso")
	fs.StringVar(&o.verbale, "verbale", "", "`id` di un preavviso trasmesso")
	fs.StringVar(&o.warden, "warden", "M042", "`matricola`")
	fs.IntVar(&o.slips, "slips", 50, "`preavvisi` del turno")
	fs.DurationVar(&o.offline, "offline", 6*time.Hour, "`durata` del turno senza rete")
	fs.Float64Var(&o.rate, "crash-rate", 0, "`probabilità` di un guasto a ogni passo")
	fs.Uint64Var(&o.seed, "seed", 1, "`seme` del caso")
	fs.BoolVar(&o.really, "really", false, "il guasto uccide davvero il processo (SIGKILL)")
	fs.IntVar(&o.life, "life", 0, "quante volte il turno è già ripartito (usato da --really)")
	if err := fs.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil || fs.NArg() > 0 {
		return exitUsage
	}
	o.in = stdin
	if err := command(o, stdout); err != nil {
		fmt.Fprintln(stderr, "palmare:", said(err))
		return exitError
	}
	return exitOK
}

// said is an error as the warden reads it.
func said(err error) string {
	no, answered := errors.AsType[*client.Refusal](err)
	switch {
	case answered && no.Detail != "":
		return fmt.Sprintf("%s (%s)", no.Detail, no.Code)
	case errors.Is(err, client.ErrNoCodes):
		return "i codici sono finiti: prenderne altri dove c'è rete"
	case errors.Is(err, client.ErrStale):
		return "i codici potrebbero essere stati ritirati: prima di stampare collegarsi alla rete"
	case errors.Is(err, client.ErrNoShift):
		return "mancano i dati del turno: collegarsi alla rete"
	case errors.Is(err, client.ErrViolation):
		return "questa violazione non è prevista per oggi o per questo veicolo"
	case errors.Is(err, client.ErrNoSlip):
		return "per questa violazione non si lascia un preavviso"
	case errors.Is(err, client.ErrPhoto):
		return "la foto è vuota o supera 2 MiB"
	case errors.Is(err, client.ErrPin):
		return "il servizio mostra una chiave diversa da quella del codice QR: non collegarsi, avvisare l'ufficio"
	}
	return err.Error()
}

var commands = map[string]func(options, io.Writer) error{
	"enrol": enrol, "lease": lease, "issue": issue, "sync": syncNow, "return": giveBack, "status": status, "hear": hear, "shift": playShift,
	"app": app, "print": printAgain,
}

// open opens the device of a folder. The address of the service is kept beside it,
// with the pin of its key if there is one.
func open(o options) (*client.Device, error) {
	if o.server == "" {
		text, err := os.ReadFile(filepath.Join(o.dir, "server"))
		if err != nil {
			return nil, errors.New("il palmare non è attivo: palmare enrol --server URL --code CODICE")
		}
		o.server, o.pin, _ = strings.Cut(strings.TrimSpace(string(text)), " ")
	}
	d, err := client.Open(o.dir, o.server)
	if errors.Is(err, client.ErrInUse) {
		return nil, errors.New("la cartella è in uso da un altro palmare: chiudere quello e riprovare; due insieme stamperebbero lo stesso codice")
	}
	if err != nil || o.pin == "" {
		return d, err
	}
	if err := d.Conn().SetPin(o.pin); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// with opens the device, does what is to be done and closes it.
func with(o options, do func(*client.Device) error) error {
	d, err := open(o)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.Close())
}

func enrol(o options, w io.Writer) error {
	if o.qr != "" {
		var err error
		if o, err = readQR(o); err != nil {
			return err
		}
	}
	if o.server == "" || o.code == "" {
		return errors.New("serve --qr, oppure --server e --code")
	}
	if err := keepServer(o); err != nil {
		return err
	}
	return with(o, func(d *client.Device) error {
		if err := d.Enrol(o.code); err != nil {
			return err
		}
		var e struct{ Name string }
		if err := json.Unmarshal([]byte(d.Enrolled()), &e); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s è attivo\n", e.Name)
		return show(d, w)
	})
}

// readQR takes server, pin and code from the office's QR code.
func readQR(o options) (options, error) {
	e, err := client.ParseEnrolment(o.qr)
	if err != nil {
		return o, errors.New("il testo non è un codice QR di attivazione del servizio")
	}
	o.server, o.pin, o.code = e.Server, e.Pin, e.Code
	return o, nil
}

func keepServer(o options) error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.dir, "server"), []byte(strings.TrimSpace(o.server+" "+o.pin)+"\n"), 0o600)
}

func lease(o options, w io.Writer) error {
	return with(o, func(d *client.Device) error {
		n, err := d.Lease(o.want)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d codici ricevuti\n", n)
		return show(d, w)
	})
}

func issue(o options, w io.Writer) error {
	if o.plate == "" {
		return errors.New("serve --plate")
	}
	return with(o, func(d *client.Device) error {
		if _, err := d.SyncShift(); err != nil && d.Shift() == "" {
			fmt.Fprintf(w, "senza catalogo: %v\n", err)
		}
		if d.Seen(o.plate, o.place) { // this process knows its own slips only; an app that goes on knows the town's
			fmt.Fprintln(w, "attenzione: questa targa ha già un preavviso di questa via; controllare il parabrezza")
		}
		text, err := draft(d, o.plate, o.place, o.warden, false)
		if err != nil {
			return err
		}
		slip, err := d.Issue(text)
		if err != nil {
			return err
		}
		path, id, err := printSlip(d, filepath.Join(o.dir, paperDir), slip)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "stampato %s\n", path)
		if err := d.Printed(id); err != nil || o.photo == "" {
			return err
		}
		file, err := os.ReadFile(o.photo)
		if err != nil {
			return err
		}
		_, err = d.AddPhoto(id, file)
		return err
	})
}

// hear prints what the service tells, as it is, and confirms no message: that is
// for a warden.
func hear(o options, w io.Writer) error {
	return with(o, func(d *client.Device) error {
		return d.Hear(func(page string) error {
			_, err := fmt.Fprint(w, page)
			return err
		})
	})
}

// printAgain fetches what a printer needs for a slip that the service has.
func printAgain(o options, w io.Writer) error {
	if o.verbale == "" {
		return errors.New("serve --verbale")
	}
	return with(o, func(d *client.Device) error {
		path, err := printerBytes(d, filepath.Join(o.dir, paperDir), o.verbale, true)
		if err == nil {
			fmt.Fprintf(w, "byte per la stampante in %s\n", path)
		}
		return err
	})
}

func syncNow(o options, w io.Writer) error {
	return with(o, func(d *client.Device) error {
		err := errors.Join(reprint(d, filepath.Join(o.dir, paperDir)), d.Sync(), syncShift(d))
		return errors.Join(err, show(d, w))
	})
}

func giveBack(o options, w io.Writer) error {
	return with(o, func(d *client.Device) error {
		n, err := d.GiveBack()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d codici da restituire\n", n)
		return errors.Join(d.Sync(), show(d, w))
	})
}

func status(o options, w io.Writer) error {
	return with(o, func(d *client.Device) error { return show(d, w) })
}

func show(d *client.Device, w io.Writer) error {
	_, err := fmt.Fprintf(w, "liberi %d, da trasmettere %d, incerti %d, sospetti %d, messi da parte %d, rifiutati %d, trasmessi %d\n",
		d.Count("free"), d.Count("printed"), d.Count("printing"), d.Count("suspect"), d.Count("aside"), d.Count("refused"), d.Sent())
	return err
}

// playShift plays a shift against a real service, in this process or, with
// --really, in children that kill themselves.
func playShift(o options, w io.Writer) error {
	if o.really && o.life == 0 {
		return supervise(o, w)
	}
	began := time.Now()
	s := &shift{
		dir: o.dir, slips: o.slips, rate: o.rate, warden: o.warden, seed: o.seed, lives: o.life, out: w,
		open: func() (*client.Device, error) { return open(o) },
	}
	if o.really {
		s.lives--
		s.crash = func(string) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	}
	// What is simulated lies in the past, so that the service finds it neither in
	// the future nor strange; with a network the clock is the real one.
	s.now = func() time.Time {
		if s.online {
			return time.Now()
		}
		return began.Add(-o.offline + time.Duration(s.printed)*o.offline/time.Duration(max(1, o.slips)))
	}
	s.pass = func() {}
	return s.play()
}

// supervise starts children until one of them ends by itself.
func supervise(o options, w io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for life := 1; ; life++ {
		fmt.Fprintf(w, "vita %d\n", life)
		cmd := exec.Command(self, "shift", "--dir", o.dir, "--slips", fmt.Sprint(o.slips), "--offline", o.offline.String(),
			"--crash-rate", fmt.Sprint(o.rate), "--seed", fmt.Sprint(o.seed), "--really", "--life", fmt.Sprint(life))
		cmd.Stdout, cmd.Stderr = w, os.Stderr
		err := cmd.Run()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
			continue
		}
		return err
	}
}
