package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const (
	// maxHeld is how many unprinted codes one handheld may have: two full
	// blocks, so that it can take the next before the last is used up.
	maxHeld = 2 * multe.MaxLease

	// afterRefusal is the pause before a creditor's pool is filled again once
	// codes asked for have been refused for good: the next ones probably would
	// be too, and each one spends an id for ever.
	afterRefusal = 10 * time.Minute

	// requestCausale is what the platform shows for a code that is on no verbale.
	requestCausale multe.Causale = "Preavviso CdS"

	replenisher = "loop:replenish"
)

// Pool lends codes.
type Pool struct {
	store  store.Store
	now    func() time.Time
	random io.Reader
	nudge  func()

	mu    sync.Mutex
	asked map[multe.CreditorID]asked
}

// asked is what a creditor's pool was like when codes were last asked for. It is
// a brake, not a fact: forgetting it costs one refused block.
type asked struct {
	at   time.Time
	void int
}

// New returns a Pool. nudge is called, outside any transaction, when codes were
// lent or requested: the loops that ask for codes and that tell the platform may
// have work. It must not block.
func New(s store.Store, now func() time.Time, random io.Reader, nudge func()) *Pool {
	return &Pool{store: s, now: now, random: random, nudge: nudge, asked: map[multe.CreditorID]asked{}}
}

// Stock is what a creditor has.
type Stock struct {
	Counts map[multe.CodeState]int // absent means none
	Low    int                     // below it more are asked for
	Target int                     // how many are asked for, up to
	Short  bool                    // fewer than Low can be lent now
	Lease  time.Duration           // how long a handheld may be silent with what it holds
}

// Stock returns what creditor c has.
func (p *Pool) Stock(ctx context.Context, c multe.CreditorID) (Stock, error) {
	var s Stock
	err := p.store.View(ctx, func(r store.Reader) error {
		cr, err := creditor(r, c)
		if err != nil {
			return err
		}
		counts, err := r.CountCodes(c)
		if err != nil {
			return err
		}
		s = Stock{Counts: counts, Low: cr.PoolLow, Target: cr.PoolTarget, Short: counts[multe.CodeAvailable] < cr.PoolLow, Lease: cr.LeaseTime()}
		return nil
	})
	return s, err
}

// Replenish asks for codes wherever supply has fallen below the low mark. Supply
// is what is available plus what was asked for, so a platform that does not
// answer is not asked again, and never more than the target is outstanding. One
// creditor's trouble does not stop the others.
func (p *Pool) Replenish(ctx context.Context) (more bool, err error) {
	creditors, err := store.AllCreditors(ctx, p.store)
	if err != nil {
		return false, err
	}
	var errs []error
	requested := 0
	for _, c := range creditors {
		n, err := p.fill(ctx, c.ID)
		requested += n
		if err != nil {
			errs = append(errs, fmt.Errorf("replenishing the pool of %s: %w", c.ID, err))
		}
	}
	if requested > 0 {
		p.nudge()
	}
	return false, errors.Join(errs...)
}

// fill brings one pool up to its target, in transactions of at most one batch.
func (p *Pool) fill(ctx context.Context, c multe.CreditorID) (requested int, err error) {
	want, void, err := p.shortage(ctx, c)
	if err != nil || want == 0 || p.braked(c, void) {
		return 0, err
	}
	for requested < want {
		n, err := p.request(ctx, c, min(want-requested, multe.MaxBatch))
		requested += n
		if err != nil || n == 0 {
			return requested, err
		}
	}
	return requested, nil
}

// shortage returns how many codes are to be asked for: none above the low mark,
// else all up to the target. void is how many are void.
func (p *Pool) shortage(ctx context.Context, c multe.CreditorID) (want, void int, err error) {
	err = p.store.View(ctx, func(r store.Reader) error {
		want, void = 0, 0
		cr, err := r.Creditor(c)
		if err != nil {
			return err
		}
		counts, err := r.CountCodes(c)
		if err != nil {
			return err
		}
		void = counts[multe.CodeVoid] + counts[multe.CodeOrphaned]
		if s := supply(counts); s < cr.PoolLow {
			want = cr.PoolTarget - s
		}
		return nil
	})
	return want, void, err
}

func supply(counts map[multe.CodeState]int) int {
	return counts[multe.CodeAvailable] + counts[multe.CodeRequested]
}

// braked reports whether codes became void since codes were last asked for, and
// not long ago; else it remembers that they are asked for now.
func (p *Pool) braked(c multe.CreditorID, void int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if last, ok := p.asked[c]; ok && void > last.void && now.Before(last.at.Add(afterRefusal)) {
		return true
	}
	p.asked[c] = asked{at: now, void: void}
	return false
}

// request creates at most limit requested codes, and no more than the target
// still leaves room for: another instance may be asking too.
func (p *Pool) request(ctx context.Context, c multe.CreditorID, limit int) (made int, err error) {
	at := p.now()
	ids := make([]multe.PositionID, limit) // made outside, so that the transaction may run again
	for i := range ids {
		id, err := multe.NewID(at, p.random)
		if err != nil {
			return 0, err
		}
		ids[i] = multe.PositionID(id)
	}
	err = p.store.Update(ctx, func(tx store.Tx) error {
		made = 0
		cr, err := tx.Creditor(c)
		if err != nil {
			return err
		}
		counts, err := tx.CountCodes(c)
		if err != nil {
			return err
		}
		for _, id := range ids[:max(0, min(limit, cr.PoolTarget-supply(counts)))] {
			if err := requestOne(tx, c, id, at); err != nil {
				return err
			}
			made++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return made, nil
}

func requestOne(tx store.Tx, c multe.CreditorID, id multe.PositionID, at time.Time) error {
	code := multe.RequestCode(c, id, at)
	if err := tx.PutCode(code); err != nil {
		return err
	}
	change := multe.NewChange(c, id, 1, multe.ChangeRequest, multe.Desired{Causale: requestCausale}, at)
	if err := tx.PutChange(change); err != nil {
		return err
	}
	return tx.AppendAudit(multe.AuditEntry{Creditor: c, At: code.Changed, Actor: replenisher, Action: "code.requested",
		Position: id, Subject: string(change.ID()), To: string(code.State)})
}

// Lease lends device d a block of want codes, or fewer if the pool is short; an
// empty pool is [fault.Exhausted]. With want 0 the size is that of
// [multe.BlockSize], and fewer if the device may hold no more. id is the handheld's own for this request:
// the same request gets the same codes again, in their present state, for ever.
func (p *Pool) Lease(ctx context.Context, c multe.CreditorID, d multe.DeviceID, id multe.LeaseID, want int) ([]multe.Code, error) {
	if !multe.ValidID(string(id)) {
		return nil, fault.New(fault.Invalid, "lease.bad_id", "L'identificativo della richiesta deve essere di 32 cifre esadecimali minuscole.")
	}
	if want < 0 || want > multe.MaxLease {
		return nil, fault.New(fault.Invalid, "lease.bad_want", fmt.Sprintf("Si possono chiedere da 1 a %d codici per volta.", multe.MaxLease))
	}
	at := p.now()
	var codes []multe.Code
	err := p.store.Update(ctx, func(tx store.Tx) error {
		codes = nil
		if err := heard(tx, c, d, at); err != nil {
			return err
		}
		lease, err := tx.Lease(c, d, id)
		switch {
		case err == nil:
			codes, err = leased(tx, lease, want)
			return err
		case !errors.Is(err, fault.NotFound):
			return err
		}
		codes, err = lend(tx, c, d, id, want, at)
		return err
	})
	if errors.Is(err, fault.Exhausted) {
		p.nudge()
	}
	if err != nil {
		return nil, fmt.Errorf("lending codes: %w", err)
	}
	p.nudge()
	return codes, nil
}

// heard notes that device d called, which here costs no commit of its own. Whoever
// called was checked before; but a handheld revoked since then must not be lent
// codes that nobody would set aside any more.
func heard(tx store.Tx, c multe.CreditorID, d multe.DeviceID, at time.Time) error {
	dev, err := tx.Device(c, d)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	if err != nil || dev.State != multe.DeviceEnrolled {
		return fault.New(fault.Forbidden, "device.not_enrolled", "Il palmare non è attivo: rivolgersi all'ufficio.")
	}
	if next, news := dev.Hear(at); news {
		return tx.PutDevice(next)
	}
	return nil
}

// leased answers a repeated request.
func leased(tx store.Tx, l multe.Lease, want int) ([]multe.Code, error) {
	if l.Want != want {
		return nil, fault.New(fault.Conflict, "lease.other_request", "La richiesta con questo identificativo è già stata fatta per un altro numero di codici.")
	}
	codes := make([]multe.Code, len(l.Positions))
	for i, pos := range l.Positions {
		c, err := tx.Code(l.Creditor, pos)
		if err != nil {
			return nil, err
		}
		codes[i] = c
	}
	return codes, nil
}

// lend answers a new request.
func lend(tx store.Tx, c multe.CreditorID, d multe.DeviceID, id multe.LeaseID, want int, at time.Time) ([]multe.Code, error) {
	counts, err := tx.CountCodesOf(c, d)
	if err != nil {
		return nil, err
	}
	size, held, used := want, counts[multe.CodeAssigned], onSlips(counts)
	if want == 0 {
		if size, err = blockSize(tx, c, d, used, at); err != nil {
			return nil, err
		}
		size = min(size, max(1, maxHeld-held))
	}
	if held+size > maxHeld {
		return nil, fault.New(fault.Conflict, "lease.too_many_held", fmt.Sprintf("Il palmare può avere al massimo %d codici non ancora usati: ne ha già %d.", maxHeld, held))
	}
	free, err := tx.CodesIn(c, multe.CodeAvailable, "", size)
	if err != nil {
		return nil, err
	}
	if len(free) == 0 {
		return nil, fault.New(fault.Exhausted, "pool.empty", "Non ci sono codici disponibili: altri sono stati richiesti, riprovare tra qualche minuto.")
	}
	lease := multe.Lease{Creditor: c, Device: d, ID: id, Want: want, At: multe.Instant(at), Used: used, Counted: true, Version: 1}
	for i, code := range free {
		next, err := code.Assign(d, id, at)
		if err != nil {
			return nil, err
		}
		if err := tx.PutCode(next); err != nil {
			return nil, err
		}
		if err := tx.AppendAudit(multe.AuditEntry{Creditor: c, At: next.Changed, Actor: "device:" + string(d), Action: "code.assigned",
			Position: code.Position, Subject: string(id), From: string(code.State), To: string(next.State)}); err != nil {
			return nil, err
		}
		lease.Positions = append(lease.Positions, code.Position)
		free[i] = next
	}
	return free, tx.PutLease(lease)
}

// onSlips is how many codes a device has ever put on slips.
func onSlips(counts map[multe.CodeState]int) int {
	return counts[multe.CodeIssued] + counts[multe.CodeActive] + counts[multe.CodePaid]
}

// blockSize looks at the last leases of a device. Their ids begin with their time,
// by the device's clock.
func blockSize(r store.Reader, c multe.CreditorID, d multe.DeviceID, used int, at time.Time) (int, error) {
	after := multe.LeaseID(fmt.Sprintf("%012x", at.Add(-multe.PastLeases).UnixMilli()))
	past, err := r.LeasesOf(c, d, after, maxPast)
	if err != nil {
		return 0, err
	}
	return multe.BlockSize(past, used, at), nil
}

// maxPast bounds what is read for one block: five a day. Who asks more often takes
// small blocks by its own choice.
const maxPast = 70

// Held returns the codes that device d has and has not printed as far as we
// know: assigned first, then quarantined, oldest first, at most [store.MaxPage].
func (p *Pool) Held(ctx context.Context, c multe.CreditorID, d multe.DeviceID) ([]multe.Code, error) {
	var codes []multe.Code
	err := p.store.View(ctx, func(r store.Reader) (err error) {
		if codes, err = r.CodesOf(c, d, multe.CodeAssigned, "", store.MaxPage); err != nil || len(codes) == store.MaxPage {
			return err
		}
		quarantined, err := r.CodesOf(c, d, multe.CodeQuarantined, "", store.MaxPage-len(codes))
		codes = append(codes, quarantined...)
		return err
	})
	return codes, err
}

func creditor(r store.Reader, id multe.CreditorID) (multe.Creditor, error) {
	c, err := r.Creditor(id)
	if errors.Is(err, fault.NotFound) {
		return c, fault.Wrap(fault.NotFound, "creditor.unknown", "L'ente non è registrato.", err)
	}
	return c, err
}
