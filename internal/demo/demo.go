// Package demo plays one shift against the real service and a simulated
// PiemontePAY, over the interfaces that anybody outside has: JSON for the
// handheld, the office and the simulator's controls, SOAP between the two.
//
// It checks every step and is therefore also the first test of an installation:
// it fails if a code is not payable in the end, if a symbol does not read back
// as the amount that is charged, or if the register, the platform and the paper
// disagree by a cent.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"preavviso/internal/app"
	"preavviso/internal/config"
	"preavviso/internal/ppay/ppaysim"
)

// Options is what the demo can be told.
type Options struct {
	Out    string    // folder of what it leaves; emptied of an earlier demo first
	Stay   bool      // keep everything running until the context ends
	Stdout io.Writer // the story, in Italian
}

// deadline is how long a shift may take. It takes a few seconds; a machine that
// needs more than this is telling us something.
const deadline = 55 * time.Second

// patience is how long one thing may take to become true.
const patience = 20 * time.Second

// Run plays the shift. It returns an error if any step is not what it should be.
func Run(ctx context.Context, o Options) error {
	if err := prepare(o.Out); err != nil {
		return err
	}
	logs, err := os.Create(filepath.Join(o.Out, "log.jsonl"))
	if err != nil {
		return err
	}
	defer logs.Close()
	log := slog.New(slog.NewJSONHandler(logs, nil))

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, running := errgroup.WithContext(ctx)
	d, err := start(running, group, o, log)
	if err != nil {
		stop()
		return errors.Join(err, group.Wait())
	}
	err = func() error {
		shift, cancel := context.WithTimeout(running, deadline)
		defer cancel()
		return d.shift(shift)
	}()
	if dumpErr := d.dumpMessages(ctx); err == nil {
		err = dumpErr
	}
	if err == nil && o.Stay {
		if err = d.invite(running); err == nil {
			<-running.Done()
		}
	}
	stop()
	if ended := group.Wait(); ended != nil {
		err = errors.Join(err, ended)
	}
	if err == nil && !o.Stay {
		fmt.Fprintf(o.Stdout, "\nTutto torna: registro, piattaforma e carta sono d'accordo al centesimo.\nMessaggi SOAP scambiati: %s\n", filepath.Join(o.Out, "soap"))
	}
	return err
}

// prepare makes the folder and clears what an earlier demo left there, and
// nothing else.
func prepare(out string) error {
	if err := os.MkdirAll(filepath.Join(out, "soap"), 0o755); err != nil {
		return err
	}
	for _, pattern := range []string{"*.pdf", "*.db", "*.secret", "log.jsonl", filepath.Join("soap", "*.xml")} {
		old, err := filepath.Glob(filepath.Join(out, pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// demo is a running service with its simulator, and how to reach both.
type demo struct {
	out      string
	w        io.Writer
	began    time.Time
	sim      client
	admin    client
	firmware string // base address
	office   string // of the pages
	soap     string
	password string
}

// The demo's PiemontePAY is quicker than the real one, which takes from ten
// seconds to minutes.
const (
	simDelayMin    = ppaysim.Duration(300 * time.Millisecond)
	simDelayMax    = ppaysim.Duration(900 * time.Millisecond)
	simNotifyEvery = ppaysim.Duration(700 * time.Millisecond)
)

// start runs simulator and service under group, on addresses the system picks.
func start(ctx context.Context, group *errgroup.Group, o Options, log *slog.Logger) (*demo, error) {
	d := &demo{out: o.Out, w: o.Stdout, began: time.Now()}
	settings := ppaysim.DefaultSettings()
	settings.DelayMin, settings.DelayMax, settings.NotifyEvery = simDelayMin, simDelayMax, simNotifyEvery
	sim, err := ppaysim.Open(filepath.Join(o.Out, "ppaysim.db"), ppaysim.Config{Settings: settings, Log: log.With("part", "ppaysim")})
	if err != nil {
		return nil, fmt.Errorf("opening the simulator: %w", err)
	}
	simAddr, err := serve(ctx, group, sim)
	if err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	d.sim = client{base: "http://" + simAddr}

	adminToken := rand.Text() + rand.Text()
	d.password = rand.Text()
	secret := func(name, value string) string {
		path := filepath.Join(o.Out, name)
		err = errors.Join(err, os.WriteFile(path, []byte(value+"\n"), 0o600))
		return path
	}
	cfg := config.Service{
		Data:           filepath.Join(o.Out, "preavviso.db"),
		FirmwareListen: "127.0.0.1:0", APIListen: "127.0.0.1:0", SOAPListen: "127.0.0.1:0", OfficeListen: "127.0.0.1:0",
		AdminTokenFile: secret("admin.secret", adminToken),
		PPayURL:        "http://" + simAddr + ppaysim.Endpoint, PPayAuth: "none", PPayTimeout: 5 * time.Second,
		SOAPAuth: "basic", SOAPUser: simUser, SOAPPasswordFile: secret("soap.secret", d.password),
		ReplenishEvery: time.Second, SubmitEvery: time.Second, InboxEvery: time.Second,
		ResendAfter: 15 * time.Second, LogLevel: "info",
	}
	if err != nil {
		return nil, err
	}
	lost := make(chan error, 1)
	service, err := app.Open(cfg, app.Deps{Now: time.Now, Random: rand.Reader, Log: log.With("part", "preavviso"), Fatal: func(err error) {
		select {
		case lost <- err:
		default:
		}
	}})
	if err != nil {
		return nil, err
	}
	group.Go(func() error { return service.Run(ctx) })
	group.Go(func() error {
		select {
		case err := <-lost:
			return fmt.Errorf("the store failed: %w", err)
		case <-ctx.Done():
			return nil
		}
	})
	d.admin = client{base: "http://" + service.Addr("api"), token: adminToken}
	d.firmware = "http://" + service.Addr("firmware")
	d.office = "http://" + service.Addr("office")
	d.soap = "http://" + service.Addr("soap")
	return d, nil
}

// serve runs the simulator under group, on an address the system picks.
func serve(ctx context.Context, group *errgroup.Group, sim *ppaysim.Sim) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening for the simulator: %w", err)
	}
	hs := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 5 * time.Second}
	worked := make(chan error, 1)
	go func() { worked <- sim.Run(ctx) }()
	group.Go(func() error {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving the simulator: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return errors.Join(hs.Close(), <-worked, sim.Close())
	})
	return l.Addr().String(), nil
}

// step prints one line of the story, with the time since it began.
func (d *demo) step(format string, args ...any) {
	fmt.Fprintf(d.w, "%6.2fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// until asks again and again until what it asks is true; what names it if it
// never is.
func until(ctx context.Context, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := ask()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: not after %v: %w", what, patience, context.Cause(ctx))
		}
	}
}

// newID is what a handheld makes before it prints: a UUIDv7 in hex.
func newID(at time.Time) string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	ms := at.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
}

// dumpMessages writes every SOAP message that crossed the simulator.
func (d *demo) dumpMessages(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var log struct {
		Messages []ppaysim.Message `json:"messages"`
	}
	if err := d.sim.do(ctx, "GET", "/control/v1/messages", nil, &log); err != nil {
		return fmt.Errorf("reading the exchanged messages: %w", err)
	}
	for i, m := range log.Messages {
		name := filepath.Join(d.out, "soap", fmt.Sprintf("%03d-%s-%s", i+1, m.Direction, m.Operation))
		if err := errors.Join(
			os.WriteFile(name+".xml", []byte(m.Body), 0o644),
			os.WriteFile(name+"-answer.xml", []byte(m.Answer), 0o644),
		); err != nil {
			return err
		}
	}
	if len(log.Messages) == 0 {
		return errors.New("no message was exchanged")
	}
	return nil
}
