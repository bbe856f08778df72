package ppaysim

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Duration is a time.Duration that JSON writes as "1m30s".
type Duration time.Duration

// MarshalText writes "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// Settings are what the control API can change while the platform runs. The
// zero Settings are a platform without delays, limits or retries;
// [DefaultSettings] are those of the real one. Counters named …Next are spent one
// by one; -1 never ends.
type Settings struct {
	DelayMin        Duration `json:"delay_min"`        // from acceptance to elaboration, when no other list is before it
	DelayMax        Duration `json:"delay_max"`        // not less than DelayMin
	DuplicateAnswer string   `json:"duplicate_answer"` // 012, or anything else for 000
	Threshold       int      `json:"threshold"`        // more positions than this in an insert are refused with 250; 0 is off
	NotifyEvery     Duration `json:"notify_every"`     // between runs of the notification job; 0: only when asked
	Retries         int      `json:"retries"`          // after the first try of a delivery
	Backoff         Duration `json:"backoff"`          // before the first retry; doubles

	DropRequestsNext  int      `json:"drop_requests_next"`  // the connection breaks before anything is stored
	DropAnswersNext   int      `json:"drop_answers_next"`   // the list is queued, the answer lost
	RefuseNext        int      `json:"refuse_next"`         // answered RefuseCode, nothing stored
	RefuseCode        string   `json:"refuse_code"`         // 100 to 299 a result; 500 a Fault; 300 and more an HTTP status
	Slow              Duration `json:"slow"`                // every answer waits this long, after queueing
	CrashNext         int      `json:"crash_next"`          // elaboration fails: 200, all rolled back, the id not burnt
	FailPositionsNext int      `json:"fail_positions_next"` // good positions answered 160 or 175
	FailApplied       bool     `json:"fail_applied"`        // and written all the same
	IUVDown           bool     `json:"iuv_down"`            // inserts fail with 250
	TaxonomyDown      bool     `json:"taxonomy_down"`       // lists fail with 157
	CatalogDown       bool     `json:"catalog_down"`        // no accounting reference can be read
	NoAccertamento    bool     `json:"no_accertamento"`     // the catalogue has none for this year
	BusDown           bool     `json:"bus_down"`            // the bus takes no notification: a new id at the next run

	Auth          string `json:"auth"`           // none, basic, wss or both; "": basic if there are credentials
	Lenient       bool   `json:"lenient"`        // requests are not held against the schema
	ActionChecked bool   `json:"action_checked"` // a SOAPAction that is not that of the body is a Fault

	EsitoFirstNext int `json:"esito_first_next"` // elaborated and delivered before the synchronous answer
	EsitoLateNext  int `json:"esito_late_next"`  // held until the next message to its creditor, and after it
	EsitoTwiceNext int `json:"esito_twice_next"` // delivered twice
	EsitoLostNext  int `json:"esito_lost_next"`  // never delivered

	PayTwiceNext     int  `json:"pay_twice_next"`      // a payment comes with a second one, of another IUR
	PayOtherNext     int  `json:"pay_other_next"`      // another amount is paid than is due
	NotifyNoPSPNext  int  `json:"notify_no_psp_next"`  // payments told without PSP, IUR and dates
	NotifyJoinedNext int  `json:"notify_joined_next"`  // payments told with several IURs in one
	NotifyNoCodeNext int  `json:"notify_no_code_next"` // payments told without CodiceAvviso
	NotifyTotalNext  int  `json:"notify_total_next"`   // messages whose total is not the sum
	NotifyTwiceNext  int  `json:"notify_twice_next"`   // messages delivered twice, under one id
	NotifyAgainNext  int  `json:"notify_again_next"`   // messages whose payments are told again, under another id
	NotifyPlainDates bool `json:"notify_plain_dates"`  // dates without a zone
}

// DefaultSettings are those of the real platform, where they are known.
func DefaultSettings() Settings {
	return Settings{
		DelayMin: Duration(10 * time.Second), DelayMax: Duration(30 * time.Second), DuplicateAnswer: "000",
		Threshold: 250, NotifyEvery: Duration(time.Minute), Retries: 3, Backoff: Duration(time.Minute),
	}
}

// Check refuses settings that mean nothing.
func (s Settings) Check() error {
	for _, d := range []Duration{s.DelayMin, s.DelayMax, s.NotifyEvery, s.Backoff, s.Slow} {
		if d < 0 {
			return errors.New("a duration is negative")
		}
	}
	if s.DelayMax < s.DelayMin {
		return errors.New("delay_max is less than delay_min")
	}
	switch s.Auth {
	case "", AuthNone, AuthBasic, AuthWSS, AuthBoth:
	default:
		return errors.New("auth is none, basic, wss or both")
	}
	if s.Threshold < 0 || s.Retries < 0 {
		return errors.New("threshold and retries are not negative")
	}
	if s.RefuseNext != 0 && !refusal.MatchString(s.RefuseCode) {
		return errors.New("refuse_code is a result from 100 to 299 or an HTTP status from 300 to 599")
	}
	return nil
}

// Config is what a Sim is made of. Only Settings must be thought about; see
// [DefaultSettings].
type Config struct {
	Settings
	Enti     []Creditor       // added to those in the file, or replacing them
	User     string           // SOAP callers must show it with Password, as Settings.Auth says; "" is nobody
	Password string           //
	Now      func() time.Time // nil: time.Now
	Random   io.Reader        // delays, sequence, ids; nil: crypto/rand
	Client   *http.Client     // for deliveries; nil: a new one
	Log      *slog.Logger     // nil: no log
}

// Sim is a PiemontePAY in one bbolt file. Serve [Sim.Handler], and let
// [Sim.Run] work. It is safe for concurrent use.
type Sim struct {
	db             *bbolt.DB
	now            func() time.Time
	random         io.Reader // only inside a write transaction, of which there is one at a time
	client         *http.Client
	log            *slog.Logger
	user, password string
	initial        Settings // those it was started with
	nudged         chan struct{}

	mu         sync.Mutex
	settings   Settings
	busy       map[string]bool // creditors being delivered to
	lastNotify time.Time
}

// Open opens or creates the platform kept in the file at path. It fails after a
// second if another process has it.
//
//parity:s23 ours: a restart forgets nothing but settings
func Open(path string, cfg Config) (*Sim, error) {
	if err := cfg.Settings.Check(); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	for _, c := range cfg.Enti {
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	s := &Sim{
		now: cfg.Now, random: cfg.Random, client: cfg.Client, log: cfg.Log, user: cfg.User, password: cfg.Password,
		settings: cfg.Settings, initial: cfg.Settings, busy: map[string]bool{}, nudged: make(chan struct{}, 1),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.client == nil {
		s.client = &http.Client{}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.lastNotify = s.now()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s.db = db
	err = s.update(func(tx tx) error {
		for _, c := range cfg.Enti {
			if err := put(tx, bCreditors, []byte(c.CF), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", path, err), db.Close())
	}
	return s, nil
}

// Close closes the file. Run must have returned.
func (s *Sim) Close() error { return s.db.Close() }

// Settings returns the present settings; counters show what is left of them.
func (s *Sim) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// change replaces the settings by what f makes of them.
func (s *Sim) change(f func(Settings) (Settings, error)) (Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := f(s.settings)
	if err != nil {
		return s.settings, err
	}
	if err := next.Check(); err != nil {
		return s.settings, err
	}
	s.settings = next
	s.nudge()
	return next, nil
}

// spend takes one from a counter and reports whether there was one.
func (s *Sim) spend(counter func(*Settings) *int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := counter(&s.settings)
	if *n > 0 {
		*n--
		return true
	}
	return *n < 0
}

// uniform returns a number from 0 to n-1.
func (s *Sim) uniform(n int64) (int64, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return 0, fmt.Errorf("reading randomness: %w", err)
	}
	return int64(binary.BigEndian.Uint64(b[:]) % uint64(n)), nil
}

// nudge asks Run for a round. It never blocks.
func (s *Sim) nudge() {
	select {
	case s.nudged <- struct{}{}:
	default:
	}
}

// Run works until ctx ends and returns nil: it elaborates lists, tells
// payments and delivers messages when each is due. Deliveries to different
// creditors do not wait for each other.
func (s *Sim) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	deliver := func(cf string) {
		wg.Go(func() {
			if _, err := s.deliverAll(ctx, cf); err != nil && ctx.Err() == nil {
				s.log.Error("delivery failed", "creditor", cf, "err", err)
			}
			s.nudge()
		})
	}
	for {
		_, next, err := s.round(ctx, deliver)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.log.Error("round failed", "err", err, "retry_in", storePause)
			next = s.now().Add(storePause)
		}
		timer := time.NewTimer(min(max(next.Sub(s.now()), 0), idle))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.nudged:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Step does everything that is due now, deliveries included, and reports
// whether there was anything. It is for tests that do not Run.
func (s *Sim) Step(ctx context.Context) (worked bool, err error) {
	var errs []error
	delivered := false
	did, _, err := s.round(ctx, func(cf string) {
		d, err := s.deliverAll(ctx, cf)
		delivered, errs = delivered || d, append(errs, err)
	})
	return did || delivered, errors.Join(append(errs, err)...)
}

// round elaborates and notifies what is due, hands due queues to deliver, and
// returns when to look again. A creditor being delivered to is left alone: the
// end of its delivery nudges.
func (s *Sim) round(ctx context.Context, deliver func(cf string)) (did bool, next time.Time, err error) {
	next = s.now().Add(idle)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	for _, o := range []op{opInsert, opUpdate} {
		for ctx.Err() == nil {
			worked, due, err := s.elaborateNext(o)
			if err != nil {
				return did, next, fmt.Errorf("elaborating a list: %w", err)
			}
			if sooner(due); !worked {
				break
			}
			did = true
		}
	}
	due, on := s.notifyDue()
	if on && !due.After(s.now()) {
		told, err := s.Notify()
		if err != nil {
			return did, next, fmt.Errorf("telling payments: %w", err)
		}
		did = did || told > 0
		due, _ = s.notifyDue()
	}
	if on {
		sooner(due)
	}
	heads, err := s.heads()
	if err != nil {
		return did, next, fmt.Errorf("reading queues: %w", err)
	}
	for _, h := range heads {
		switch {
		case h.at.After(s.now()):
			sooner(h.at)
		case s.occupy(h.cf):
			deliver(h.cf)
		}
	}
	return did, next, nil
}

// occupy claims the queue of a creditor; deliverAll gives it back.
func (s *Sim) occupy(cf string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[cf] {
		return false
	}
	s.busy[cf] = true
	return true
}

func (s *Sim) release(cf string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, cf)
}
