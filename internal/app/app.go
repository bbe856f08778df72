// Package app builds the service out of its parts; it is the only package that
// knows them all.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"preavviso/internal/config"
	"preavviso/internal/idempotency"
	"preavviso/internal/loop"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/web"
)

// Deps is what the service takes from the world around it.
type Deps struct {
	Now    func() time.Time
	Random io.Reader // of secrets and ids: crypto/rand outside tests
	Log    *slog.Logger
	// Fatal must end the process: the store cannot tell whether its last commit
	// happened, and only a restart can read the truth (reliability-security.md 0.6).
	Fatal func(error)
}

// The limits of our HTTP servers. A handheld on a poor network may need seconds
// for a small body; nobody needs more.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	wholeTimeout      = 2 * time.Hour // 500 MB, the largest output of a print job, in half a megabit a second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	drainTimeout      = 25 * time.Second // an orchestrator kills after 30 s
)

// Where PiemontePAY calls us: for outcomes and payments, and for the two kinds of
// flow. The region is told each of them.
const (
	SOAPPath            = "/soap/EPaywso2Enti"
	FlussiPath          = "/soap/FlussiCompletiPSP"
	RendicontazionePath = "/soap/Rendicontazione"
)

// App is the service, listening but not yet serving.
type App struct {
	log     *slog.Logger
	store   *boltstore.Store
	loops   []*loop.Loop
	servers []server

	stopping chan struct{} // closed when Run begins to drain: what would never end by itself ends then
}

type server struct {
	name string
	l    net.Listener
	h    http.Handler
	tls  *tls.Config // nil for plain HTTP
}

// Open reads the secrets, opens the store and the addresses, and wires
// everything. Whoever calls it must call Run.
func Open(cfg config.Service, d Deps) (_ *App, err error) {
	admin, err := secretDigests(cfg.AdminTokenFile, minAdminToken)
	if err != nil {
		return nil, fmt.Errorf("admin-token-file: %w", err)
	}
	gateway, err := newGateway(cfg, d.Now)
	if err != nil {
		return nil, err
	}
	callers, err := newRESTCallers(cfg)
	if err != nil {
		return nil, err
	}
	listenerAuth, err := newListenerConfig(cfg, d.Now, d.Log)
	if err != nil {
		return nil, err
	}
	hooks, err := newWebhookSender(cfg)
	if err != nil {
		return nil, err
	}
	ours, soapTLS, err := newServerTLS(cfg)
	if err != nil {
		return nil, err
	}
	st, err := boltstore.Open(cfg.Data, boltstore.Options{Fatal: d.Fatal})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", cfg.Data, err)
	}
	a := &App{log: d.Log, store: st, stopping: make(chan struct{})}
	defer func() {
		if err != nil {
			a.close()
		}
	}()

	enrol, err := newEnrolment(cfg, ours)
	if err != nil {
		return nil, err
	}
	expecting := store.Expecting(st)
	c := newCore(cfg, d, expecting, gateway, callers, listenerAuth, hooks)
	if c.access, err = newAccess(cfg, d, expecting); err != nil {
		return nil, err
	}
	if c.repeats, err = idempotency.New(st, d.Now, d.Random); err != nil {
		return nil, err
	}
	a.loops = append(c.loops, loop.New("idempotency", forgetEvery, d.Log, c.repeats.Purge))
	for _, s := range []struct {
		name, addr string
		tls        *tls.Config
		h          http.Handler
	}{
		{"firmware", cfg.FirmwareListen, ours, c.firmwareAPI(cfg, d, a.stopping)},
		{"api", cfg.APIListen, ours, c.officeAPI(cfg, d, st, admin, enrol)},
		{"soap", cfg.SOAPListen, soapTLS, c.soap},
	} {
		l, err := net.Listen("tcp", s.addr)
		if err != nil {
			return nil, fmt.Errorf("listening for %s: %w", s.name, err)
		}
		a.servers = append(a.servers, server{s.name, l, s.h, s.tls})
	}
	enrol.listensAt(a.Addr("firmware"))
	if cfg.OfficeListen != "" {
		l, err := net.Listen("tcp", cfg.OfficeListen)
		if err != nil {
			return nil, fmt.Errorf("listening for office: %w", err)
		}
		a.servers = append(a.servers, server{"office", l, nil, ours})
		pages := &a.servers[len(a.servers)-1]
		if pages.h, err = newOffice(cfg, d, st, c, enrol, l, a.stopping); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Addr returns the address that listens for "firmware", "api", "soap" or
// "office"; "" if nothing does.
func (a *App) Addr(name string) string {
	for _, s := range a.servers {
		if s.name == name {
			return s.l.Addr().String()
		}
	}
	return ""
}

// Run serves until ctx ends, then drains: requests under way are finished, the
// rounds of the loops are cut short at their next wait, the store is closed last.
func (a *App) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, func() { close(a.stopping) })
	var serving sync.WaitGroup
	for _, s := range a.servers {
		hs := &http.Server{
			Handler:           web.Patient(s.h, web.Patience{Read: readTimeout, Write: writeTimeout, Whole: wholeTimeout}),
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			TLSConfig:         s.tls.Clone(), // the server writes into it
			ErrorLog:          slog.NewLogLogger(a.log.With("listener", s.name).Handler(), slog.LevelWarn),
		}
		serving.Add(1)
		group.Go(func() error {
			a.log.Info("listening", "listener", s.name, "addr", s.l.Addr().String(), "tls", s.tls != nil)
			serve := hs.Serve
			if s.tls != nil {
				serve = func(l net.Listener) error { return hs.ServeTLS(l, "", "") } // its files are in TLSConfig
			}
			if err := serve(s.l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving %s: %w", s.name, err)
			}
			return nil
		})
		group.Go(func() error {
			defer serving.Done()
			<-ctx.Done()
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			if err := hs.Shutdown(drain); err != nil {
				return fmt.Errorf("draining %s: %w", s.name, errors.Join(err, hs.Close()))
			}
			return nil
		})
	}
	// The loops end with the servers, not after them: what they have not done is
	// in the store and waits for the next start.
	for _, l := range a.loops {
		group.Go(func() error { return l.Run(ctx) })
	}
	err := group.Wait()
	serving.Wait()
	if cerr := a.close(); err == nil {
		err = cerr
	}
	return err
}

func (a *App) close() error {
	for _, s := range a.servers {
		s.l.Close() // harmless twice: Shutdown has closed it on the good path
	}
	if err := a.store.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// minAdminToken keeps anybody from choosing a word for a token.
const minAdminToken = 32

// secretDigests reads the digests of the secrets in a file; no file, no secret.
func secretDigests(path string, minLength int) ([]multe.Digest, error) {
	if path == "" {
		return nil, nil
	}
	secrets, err := config.Secrets(path, minLength)
	if err != nil {
		return nil, err
	}
	digests := make([]multe.Digest, len(secrets))
	for i, s := range secrets {
		digests[i] = multe.DigestOf([]byte(s))
	}
	return digests, nil
}
