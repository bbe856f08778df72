package loop

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// maxFactor bounds the pause after repeated failures, as a multiple of the
// period: long enough to leave a broken platform alone, short enough that nobody
// restarts the service by hand to hurry it.
const maxFactor = 32

// Loop calls one function until its context ends: once every period, at once
// when nudged or when more work is waiting, and after a growing pause when a
// round fails.
//
// It takes its time from package time; tests run it in a [testing/synctest]
// bubble.
type Loop struct {
	name   string
	every  time.Duration
	round  func(context.Context) (more bool, err error)
	log    *slog.Logger
	nudged chan struct{}
}

// New returns a Loop that has yet to be started with Run. round does one bounded
// round: it must be safe to repeat, and more says that work was left for another.
func New(name string, every time.Duration, log *slog.Logger, round func(context.Context) (more bool, err error)) *Loop {
	return &Loop{name: name, every: every, round: round, log: log.With("loop", name), nudged: make(chan struct{}, 1)}
}

// Name returns the name given to New.
func (l *Loop) Name() string { return l.name }

// Nudge asks for a round now. It never blocks, and nudges that arrive together
// are one. It does not shorten the pause after a failure. A lost nudge costs
// latency, never work.
func (l *Loop) Nudge() {
	select {
	case l.nudged <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, then returns nil. A round that has begun is left to
// notice the end of ctx by itself.
func (l *Loop) Run(ctx context.Context) error {
	failures := 0
	pause := time.Duration(0) // none before the first round: a restart must not cost a period
	for l.wait(ctx, pause, failures == 0) {
		more, err := l.once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			pause = l.backoff(failures)
			l.log.ErrorContext(ctx, "round failed", "err", err, "failures", failures, "retry_in", pause)
		case more:
			failures, pause = 0, 0
		default:
			failures, pause = 0, l.every
		}
	}
	return nil
}

// wait sleeps for pause, less if a nudge comes and nudges count. It reports
// whether ctx still runs.
func (l *Loop) wait(ctx context.Context, pause time.Duration, nudges bool) bool {
	nudged := l.nudged
	if !nudges {
		nudged = nil // never ready
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-nudged:
	case <-timer.C:
	}
	select {
	case <-l.nudged: // asked for before this round began, so served by it
	default:
	}
	return ctx.Err() == nil
}

// backoff is the pause after so many failures in a row: two periods, four, …
func (l *Loop) backoff(failures int) time.Duration {
	factor := maxFactor
	if failures < 5 { // 1<<5 is maxFactor
		factor = 1 << failures
	}
	return time.Duration(factor) * l.every
}

// once does one round. A panic is our bug: it is logged with its stack and
// counts as a failure, and the other loops live on.
func (l *Loop) once(ctx context.Context) (more bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.ErrorContext(ctx, "round panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			more, err = false, fmt.Errorf("panic: %v", p)
		}
	}()
	return l.round(ctx)
}
