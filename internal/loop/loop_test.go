package loop_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/loop"
)

// TestPauses follows a loop through health, a nudge, trouble, a nudge that must
// wait, and recovery, and states when each round began.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		start := time.Now()
		var began []string
		l := loop.New("prova", time.Minute, slog.New(slog.NewJSONHandler(&log, nil)), func(context.Context) (bool, error) {
			began = append(began, time.Since(start).String())
			switch len(began) {
			case 4, 5:
				return true, errors.New("platform down") // what is left behind must not hurry a failing loop
			case 6:
				panic("our bug")
			}
			return len(began) == 2, nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()

		at := func(d time.Duration) { time.Sleep(time.Until(start.Add(d))) }
		at(70 * time.Second)
		l.Nudge()
		l.Nudge() // is the same nudge
		at(200 * time.Second)
		l.Nudge() // the loop is failing: waits with it
		at(20 * time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := []string{
			"0s",     // at once
			"1m0s",   // a period later; more is waiting
			"1m0s",   // so at once
			"1m10s",  // nudged, fails
			"3m10s",  // two periods later, fails
			"7m10s",  // four later, panics
			"15m10s", // eight later, well
			"16m10s", // a period later: the nudge at 200 s was served above
			"17m10s", //
			"18m10s", //
			"19m10s", //
		}
		if !slices.Equal(began, want) {
			t.Errorf("rounds began at %v\nwant            %v", began, want)
		}
		for _, part := range []string{`"loop":"prova"`, `"err":"platform down"`, `"panic":"our bug"`, "loop_test.go", `"failures":3`} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("the log lacks %s:\n%s", part, log.String())
			}
		}
		if n := strings.Count(log.String(), "round failed"); n != 3 {
			t.Errorf("%d failures logged, want 3", n)
		}
	})
}

// TestPauseIsBounded lets a loop fail for a day.
func TestPauseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		var longest time.Duration
		l := loop.New("prova", time.Second, slog.New(slog.DiscardHandler), func(context.Context) (bool, error) {
			if !last.IsZero() {
				longest = max(longest, time.Since(last))
			}
			last = time.Now()
			return false, errors.New("down")
		})
		ctx, stop := context.WithTimeout(t.Context(), 24*time.Hour)
		defer stop()
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if longest != 32*time.Second {
			t.Errorf("longest pause %v, want 32 periods", longest)
		}
	})
}

// TestStopDuringRound checks that a round notices the end by itself and that no
// round begins after it.
func TestStopDuringRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		rounds := 0
		l := loop.New("prova", time.Second, slog.New(slog.DiscardHandler), func(ctx context.Context) (bool, error) {
			rounds++
			stop()
			<-ctx.Done()
			return true, ctx.Err()
		})
		l.Nudge()
		if err := l.Run(ctx); err != nil || rounds != 1 {
			t.Fatalf("Run = %v after %d rounds, want nil after 1", err, rounds)
		}
		if err := l.Run(ctx); err != nil || rounds != 1 {
			t.Fatalf("Run on an ended context = %v after %d rounds", err, rounds)
		}
	})
}
