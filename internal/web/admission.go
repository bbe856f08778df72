package web

import (
	"bytes"
	"context"
	"hash/maphash"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// Limits is how much a Server takes on. What is zero is said by [Limits.Or].
type Limits struct {
	Slots int           // how many requests are worked at once
	Queue int           // how many more may be read or wait for a slot
	Wait  time.Duration // how long one may wait
	Rate  float64       // how many requests a second one caller may make in the long run
	Burst int           // how many it may make at once after a rest
}

// DefaultLimits are for both APIs, but for Rate and Burst, which each API knows.
// With 256 at work commits still grow to what one fdatasync can carry; 4,096 that
// wait are a whole region's handhelds, a few seconds of work and at most 256 MiB;
// nobody waits longer than a handheld does for an answer (20 s), less its way.
var DefaultLimits = Limits{Slots: 256, Queue: 4096, Wait: 10 * time.Second, Rate: 10, Burst: 300}

// Or fills what l leaves at zero.
func (l Limits) Or(d Limits) Limits {
	if l.Slots == 0 {
		l.Slots = d.Slots
	}
	if l.Queue == 0 {
		l.Queue = d.Queue
	}
	if l.Wait == 0 {
		l.Wait = d.Wait
	}
	if l.Rate == 0 {
		l.Rate = d.Rate
	}
	if l.Burst == 0 {
		l.Burst = d.Burst
	}
	return l
}

const (
	// codeBusy and codeTooMany are the answers to what is not taken on.
	codeBusy    = "service.busy"
	codeTooMany = "request.too_many"

	// minAgain and maxAgain bound what is drawn for Retry-After when the service is
	// busy: all at the same second would only meet again.
	minAgain, maxAgain = 2, 10

	// calmAfter is how long nothing must have been refused before it is said to be
	// over: one storm is one pair of lines in the log, not a pair for each gust.
	calmAfter = 30 * time.Second

	// maxBuckets bounds the callers that are remembered, at some 50 bytes each. Only
	// those whom the registry knows are: more is no town.
	maxBuckets = 100_000

	// noAdmission is the extension by which an operation of the document stays
	// outside: a health check must not wait, and a stream would keep its slot.
	noAdmission = "x-no-admission"
)

// admission decides what is taken on. A request takes a place, is read, waits for a
// slot and is worked; where there is no place, or no slot in time, it is refused at
// once, which costs next to nothing. So a storm of retries makes throughput flat.
type admission struct {
	limits Limits
	log    *slog.Logger
	random io.Reader

	slots  chan struct{}
	places atomic.Int64

	shedding atomic.Bool // written under mu
	mu       sync.Mutex
	refused  int
	last     time.Time
	away     map[uint64]time.Time // until when a caller was asked to stay away

	callers buckets
}

func newAdmission(l Limits, log *slog.Logger, random io.Reader) *admission {
	l = l.Or(DefaultLimits)
	return &admission{limits: l, log: log, random: random, slots: make(chan struct{}, l.Slots),
		callers: buckets{seed: maphash.MakeSeed(), every: time.Duration(float64(time.Second) / l.Rate), burst: l.Burst, full: map[uint64]time.Time{}}}
}

// admission is the middleware in front of every operation.
func (s *Server) admission(c *gin.Context) {
	op := s.operations[routeKey(c.Request.Method, c.FullPath())]
	if op.outside {
		return
	}
	a := s.load
	// What a caller claims to be is not proven yet, so it costs nobody anything; but
	// one who has used up its share need not be checked to be told so.
	caller := claimed(c.Request.Header)
	if wait := a.callers.look(caller, s.now()); wait > 0 {
		tooMany(c, wait)
		return
	}
	if wait := a.early(caller, s.now()); wait > 0 {
		busy(c, wait)
		return
	}
	if int(a.places.Add(1)) > a.limits.Slots+a.limits.Queue {
		a.places.Add(-1)
		busy(c, a.shed(caller, s.now()))
		return
	}
	defer a.places.Add(-1)
	if op.Operation != nil && op.RequestBody != nil {
		readAhead(c.Request) // a slow network must not keep a slot
	}
	if !a.enter(c.Request.Context()) {
		busy(c, a.shed(caller, s.now()))
		return
	}
	defer func() { <-a.slots }()
	a.calm(s.now())
	c.Next()
}

// enter waits for a slot, in order of arrival.
func (a *admission) enter(ctx context.Context) bool {
	select {
	case a.slots <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(a.limits.Wait)
	defer patience.Stop()
	select {
	case a.slots <- struct{}{}:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

// readAhead reads a body of the usual size. What went wrong, and the rest of one that
// may be longer, is met again by whoever reads on.
func readAhead(r *http.Request) {
	ahead, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = broken{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(ahead), rest), r.Body}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// busy refuses a request because of all the others.
func busy(c *gin.Context, wait time.Duration) {
	c.Header("Retry-After", seconds(wait))
	refuse(c, http.StatusServiceUnavailable, codeBusy, "Il servizio è sovraccarico: la richiesta non è stata elaborata. Riprovare tra qualche secondo.")
}

func seconds(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}

// shed counts a refusal, logs the first, and says when the caller may come again.
func (a *admission) shed(caller string, now time.Time) time.Duration {
	again := [1]byte{}
	_, _ = io.ReadFull(a.random, again[:]) // without randomness they come together
	wait := time.Duration(minAgain+int(again[0])%(maxAgain-minAgain+1)) * time.Second
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.shedding.Load() {
		a.log.Warn("load shedding begins", "slots", a.limits.Slots, "queue", a.limits.Queue)
		a.shedding.Store(true)
		a.refused, a.away = 0, map[uint64]time.Time{}
	}
	a.refused++
	a.last = now
	if len(a.away) >= maxBuckets {
		clear(a.away)
	}
	if caller != "" {
		a.away[a.callers.sum(caller)] = now.Add(wait)
	}
	return wait
}

// early tells how long a caller should still have stayed away: those who push must
// not crowd out those who wait.
func (a *admission) early(caller string, now time.Time) time.Duration {
	if caller == "" || !a.shedding.Load() {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := a.away[a.callers.sum(caller)].Sub(now)
	return max(0, min(wait, maxAgain*time.Second)) // less if our clock was set back
}

// calm logs that nothing was refused for a while, if something was before. It is
// called by what is admitted: where nobody calls, nobody needs to know.
func (a *admission) calm(now time.Time) {
	if !a.shedding.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shedding.Load() && now.Sub(a.last) >= calmAfter {
		a.log.Info("load shedding ends", "refused", a.refused)
		a.shedding.Store(false)
		a.away = nil
	}
}

// throttle charges a caller who has proven who it is. It reports whether the
// request may go on, and answers if it may not.
func (s *Server) throttle(c *gin.Context, key string) bool {
	wait := s.load.callers.take(key, s.now())
	if wait > 0 {
		tooMany(c, wait)
	}
	return wait == 0
}

func tooMany(c *gin.Context, wait time.Duration) {
	c.Header("Retry-After", seconds(wait))
	refuse(c, http.StatusTooManyRequests, codeTooMany, "Troppe richieste in poco tempo: riprovare tra qualche secondo.")
}

// claimed is under what name a request will be charged, if its credentials are
// good; "" if it has none.
func claimed(h http.Header) string {
	if signed(h) {
		_, rest, _ := strings.Cut(h.Get("Signature-Input"), `keyid="`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	_, token, _ := strings.Cut(h.Get("Authorization"), " ")
	return token
}

// buckets is a token bucket for each caller, kept as the time when it will be full
// again: one that is full is not kept at all.
type buckets struct {
	seed  maphash.Seed
	every time.Duration // one token comes in this time
	burst int

	mu    sync.Mutex
	full  map[uint64]time.Time
	swept time.Time
}

func (b *buckets) sum(key string) uint64 { return maphash.String(b.seed, key) }

// look tells how long a caller would have to wait for a token.
func (b *buckets) look(key string, now time.Time) time.Duration {
	if key == "" {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, wait := b.next(b.sum(key), now)
	return wait
}

// take takes a token, or tells how long to wait for one.
func (b *buckets) take(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	sum := b.sum(key)
	full, wait := b.next(sum, now)
	if wait > 0 {
		return wait
	}
	if _, known := b.full[sum]; known || len(b.full) < maxBuckets {
		b.full[sum] = full
	}
	return 0
}

// next is when the bucket will be full if a token is taken now, and how long the
// caller must wait before there is one. b.mu must be held.
func (b *buckets) next(sum uint64, now time.Time) (full time.Time, wait time.Duration) {
	empty := now.Add(time.Duration(b.burst) * b.every) // when one that is empty now will be full
	full = b.full[sum]
	if full.Before(now) {
		full = now
	}
	if full.After(empty) {
		full = now // our clock was set back
	}
	full = full.Add(b.every)
	return full, max(0, full.Sub(empty))
}

// sweep forgets the buckets that are full, once in the time that the longest takes.
func (b *buckets) sweep(now time.Time) {
	if age := now.Sub(b.swept); age >= 0 && age < time.Duration(b.burst)*b.every {
		return
	}
	b.swept = now
	for sum, full := range b.full {
		if !full.After(now) {
			delete(b.full, sum)
		}
	}
}
