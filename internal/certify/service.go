package certify

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/avviso"
	"preavviso/internal/documents"
	"preavviso/internal/feedback"
	"preavviso/internal/multe"
	"preavviso/internal/photos"
	"preavviso/internal/pool"
	"preavviso/internal/prints"
	"preavviso/internal/registry"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
	"preavviso/internal/verbali"
)

const (
	// creditor is a town that does not exist, with a valid check digit.
	creditor = multe.CreditorID("01234567897")
	actor    = "certify"

	// inviteAge is how old a code is that has expired: they live ten minutes.
	inviteAge = time.Hour
)

//go:embed catalogue.yaml
var catalogue []byte

// service is the real service without its edges towards PiemontePAY, on a store
// of its own.
type service struct {
	dir      string
	store    *boltstore.Store
	registry *registry.Registry
	past     *registry.Registry // whose clock is inviteAge behind
	pool     *pool.Pool
	verbali  *verbali.Verbali
	shifts   *documents.Documents
	feedback *feedback.Feedback
	log      *slog.Logger

	skew    atomic.Int64 // nanoseconds that its clock is ahead of ours
	handler atomic.Pointer[http.Handler]
	batches atomic.Bool // whether it knows batches
	made    int         // codes so far
	streets int         // versions of the shift so far
}

func openService(ctx context.Context, log *slog.Logger) (_ *service, err error) {
	dir, err := os.MkdirTemp("", "preavviso-certify-")
	if err != nil {
		return nil, err
	}
	s := &service{dir: dir, log: log}
	if s.store, err = boltstore.Open(filepath.Join(dir, "store.db"), boltstore.Options{}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	nudge := func() {} // no loop waits: nothing is sent to a platform
	s.registry = registry.New(s.store, s.now, rand.Reader)
	s.shifts = documents.New(documents.Config{Store: s.store, Now: s.now, Random: rand.Reader,
		SlipTexts: func([]byte, multe.Day) (map[string]string, error) { return map[string]string{}, nil }})
	s.past = registry.New(s.store, func() time.Time { return s.now().Add(-inviteAge) }, rand.Reader)
	s.pool = pool.New(s.store, s.now, rand.Reader, nudge)
	s.verbali = verbali.New(s.store, s.now, nudge)
	s.feedback = feedback.New(s.store, s.now, func(string) string { return "" }, &feedback.Bell{})
	s.restart()
	c := multe.Creditor{ID: creditor, Name: "Ente di certificazione", CodiceVersamento: "CERT", PoolLow: 1, PoolTarget: 20}
	if _, err := s.registry.AddCreditor(ctx, actor, c); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if _, _, err := s.shifts.Add(ctx, actor, creditor, multe.DocumentCatalogue, multe.DayOf(s.now()).Plus(-30), catalogue, false); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *service) close() error { return errors.Join(s.store.Close(), os.RemoveAll(s.dir)) }

func (s *service) now() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) }

// restart is what a restart of the process is to a device: another challenge, and
// no memory of nonces.
func (s *service) restart() {
	var h http.Handler = firmwareapi.New(firmwareapi.Config{Log: s.log, Random: rand.Reader, Now: s.now,
		Registry: s.registry, Pool: s.pool, Verbali: s.verbali, Photos: photos.New(s.store, s.now),
		Feedback: s.feedback, Shifts: s.shifts,
		Prints: prints.New(s.store, nil, s.now, rand.Reader, nil)}) // slips only: nobody starts a job here
	s.handler.Store(&h)
}

// ServeHTTP knows no batches but for one rule, as an older service: a device then
// sends its slips one by one, and each can meet its own fault. Nor has it streams: the
// kit hands on whole answers.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/verbali/batch" && !s.batches.Load():
		r.URL.Path += "es"
	case r.URL.Path == "/v1/events":
		r.URL.Path += "es"
	}
	(*s.handler.Load()).ServeHTTP(w, r)
}

// setSkew moves the clock. The nonces of the time before would make those of the
// time after look old, so the service restarts too.
func (s *service) setSkew(d time.Duration) {
	s.skew.Store(int64(d))
	s.restart()
}

// setPool makes n codes available, by adding codes or by lending them to a device
// that nobody has.
func (s *service) setPool(ctx context.Context, n int) error {
	stock, err := s.pool.Stock(ctx, creditor)
	if err != nil {
		return err
	}
	have := stock.Counts[multe.CodeAvailable]
	if have <= n {
		return s.addCodes(ctx, n-have)
	}
	_, code, err := s.registry.AddDevice(ctx, actor, creditor, "Nessuno", true)
	if err != nil {
		return err
	}
	nobody, _, _, err := s.registry.Enrol(ctx, code)
	if err != nil {
		return err
	}
	for ; have > n; have -= min(have-n, multe.MaxLease) {
		id, err := multe.NewID(s.now(), rand.Reader)
		if err != nil {
			return err
		}
		if _, err := s.pool.Lease(ctx, creditor, nobody.ID, multe.LeaseID(id), min(have-n, multe.MaxLease)); err != nil {
			return err
		}
	}
	return nil
}

// addCodes puts n codes into the pool, as if the platform had made them.
func (s *service) addCodes(ctx context.Context, n int) error {
	at := s.now()
	var requested, available []multe.Code
	for range n {
		s.made++
		head := fmt.Sprintf("399%013d", s.made) // segregation code 99: nobody can pay it
		number, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
		if err != nil {
			return err
		}
		id, err := multe.NewID(at.Add(time.Duration(s.made)*time.Millisecond), rand.Reader) // oldest first, as they were made
		if err != nil {
			return err
		}
		code := multe.RequestCode(creditor, multe.PositionID(id), at)
		requested = append(requested, code)
		if code, err = code.Acknowledge(number, at); err != nil {
			return err
		}
		available = append(available, code)
	}
	return s.store.Update(ctx, func(tx store.Tx) error {
		for i := range requested {
			if err := tx.PutCode(requested[i]); err != nil {
				return err
			}
			if err := tx.PutCode(available[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// invite returns an enrolment code for the device under test: one that has
// expired, or a good one.
func (s *service) invite(ctx context.Context, expired bool) (multe.DeviceID, string, error) {
	r := s.registry
	if expired {
		r = s.past
	}
	d, code, err := r.AddDevice(ctx, actor, creditor, "Palmare in prova", false)
	return d.ID, code, err
}

// newShift makes the shift another one.
func (s *service) newShift(ctx context.Context) error {
	s.streets++
	_, _, err := s.shifts.Add(ctx, actor, creditor, multe.DocumentStreets, multe.DayOf(s.now()), fmt.Appendf(nil, "Via della Prova %d", s.streets), false)
	return err
}

// write writes a message to all handhelds.
func (s *service) write(ctx context.Context, text string) error {
	id, err := multe.NewID(s.now(), rand.Reader)
	if err != nil {
		return err
	}
	_, err = s.feedback.Write(ctx, actor, creditor, multe.BulletinID(id), "", text, s.now().Add(time.Hour))
	return err
}

func (s *service) revoke(ctx context.Context, device string) error {
	_, _, err := s.registry.RevokeDevice(ctx, actor, creditor, multe.DeviceID(device))
	return err
}
