package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/web"
)

const loadDocument = `
openapi: 3.0.3
info: {title: things, version: "1"}
security: [{key: []}]
paths:
  /health:
    get: {operationId: Health, security: [], x-no-admission: true, responses: {"200": {description: ok}}}
  /work:
    get: {operationId: Work, responses: {"200": {description: ok}}}
    post:
      operationId: Put
      requestBody: {required: true, content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: ok}}
components:
  securitySchemes:
    key: {type: http, scheme: bearer}
`

// loaded is a server whose work is work. Any token but "bad" is good.
func loaded(t *testing.T, l web.Limits, work func(context.Context)) (*web.Server, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	s, err := web.New(web.Config{
		Contract: []byte(loadDocument), Log: slog.New(slog.NewTextHandler(&locked{w: log}, nil)), Random: zeros{}, Now: time.Now, Limits: l,
		Admit: func(ctx context.Context, token string, _ web.Call) (context.Context, error) {
			if token == "bad" {
				return nil, web.BadToken()
			}
			return ctx, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	handle := func(c *gin.Context) { work(c); c.String(200, "done") }
	s.Routes().GET("/work", handle)
	s.Routes().POST("/work", handle)
	s.Routes().GET("/health", func(c *gin.Context) { c.String(200, "ok") })
	return s, log
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func get(ctx context.Context, s http.Handler, path, token string) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	return rec
}

// served is how many requests are answered 200 within the second that a caller
// waits, in ten seconds, while callers ask again as soon as they may or lose patience.
// The work is that of one machine: many at once take as many times longer each.
func served(t *testing.T, l web.Limits, callers int) (n int, log string) {
	synctest.Test(t, func(t *testing.T) {
		var atWork atomic.Int64
		s, out := loaded(t, l, func(context.Context) {
			now := atWork.Add(1)
			defer atWork.Add(-1)
			time.Sleep(time.Duration(now) * 10 * time.Millisecond) // nobody stops because a caller has gone
		})
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var done atomic.Int64
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				for ctx.Err() == nil {
					start := time.Now()
					rec := get(ctx, s, "/work", fmt.Sprintf("caller-%d", i))
					if took := time.Since(start); rec.Code == 200 && took <= time.Second {
						done.Add(1)
					}
					if rec.Code != 200 {
						time.Sleep(200 * time.Millisecond) // it does not care for Retry-After
					}
				}
			})
		}
		all.Wait()
		n, log = int(done.Load()), out.String()
	})
	return n, log
}

// TestStorm: however many retry, as many are served as at the best of times. Without
// a bound nobody is: the test sees the difference.
func TestStorm(t *testing.T) {
	bounded := web.Limits{Slots: 4, Queue: 16, Wait: 500 * time.Millisecond, Rate: 1e6, Burst: 1 << 20}
	calm, log := served(t, bounded, 4)
	if calm < 900 || strings.Contains(log, "shedding") {
		t.Fatalf("%d served in calm; log %s", calm, log)
	}
	for _, callers := range []int{40, 400} {
		n, log := served(t, bounded, callers)
		if n < calm*95/100 {
			t.Errorf("%d callers: %d served, %d in calm", callers, n, calm)
		}
		if begins := strings.Count(log, "load shedding begins"); begins != 1 {
			t.Errorf("%d callers: shedding began %d times in the log", callers, begins)
		}
	}
	boundless := bounded
	boundless.Slots = 1 << 20
	if n, _ := served(t, boundless, 400); n > calm/2 {
		t.Errorf("without a bound %d are served too: the test proves nothing", n)
	}
}

// TestWellBehaved: in the middle of a storm, who waits as long as it is told is
// served.
func TestWellBehaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := loaded(t, web.Limits{Slots: 2, Queue: 8, Wait: time.Second, Rate: 1e6, Burst: 1 << 20}, func(context.Context) { time.Sleep(100 * time.Millisecond) })
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				for ctx.Err() == nil {
					get(ctx, s, "/work", fmt.Sprintf("rude-%d", i))
					time.Sleep(time.Duration(150+i) * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		for i := range 10 {
			all.Go(func() {
				for try := 1; ; try++ {
					rec := get(ctx, s, "/work", fmt.Sprintf("polite-%d", i))
					if rec.Code == 200 {
						return
					}
					after, err := strconv.Atoi(rec.Header().Get("Retry-After"))
					if rec.Code != 503 || err != nil || after < 2 || after > 10 || try > 30 {
						t.Errorf("try %d: %d, Retry-After %q", try, rec.Code, rec.Header().Get("Retry-After"))
						return
					}
					time.Sleep(time.Duration(after)*time.Second + time.Duration(i*37)*time.Millisecond)
				}
			})
		}
		time.Sleep(30 * time.Second)
		if rec := get(ctx, s, "/health", ""); rec.Code != 200 {
			t.Errorf("health in a storm: %d", rec.Code)
		}
		all.Wait()
		time.Sleep(time.Minute)
		if rec := get(t.Context(), s, "/work", "late"); rec.Code != 200 {
			t.Errorf("after the storm: %d", rec.Code)
		}
		if strings.Count(log.String(), "load shedding begins") != 1 || strings.Count(log.String(), "load shedding ends") != 1 {
			t.Errorf("log: %d lines of shedding", strings.Count(log.String(), "shedding"))
		}
	})
}

// TestThrottle: one caller has its share and no more, and no other's.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := loaded(t, web.Limits{Rate: 2, Burst: 5}, func(context.Context) {})
		ok := func(token string) (n int) {
			for range 20 {
				rec := get(t.Context(), s, "/work", token)
				switch {
				case rec.Code == 200:
					n++
				case rec.Code != 429 || rec.Header().Get("Retry-After") != "1" || !strings.Contains(rec.Body.String(), `"code":"request.too_many"`):
					t.Fatalf("= %d %q %s", rec.Code, rec.Header().Get("Retry-After"), rec.Body)
				}
			}
			return n
		}
		if n := ok("a"); n != 5 {
			t.Errorf("at once: %d", n)
		}
		if n := ok("b"); n != 5 {
			t.Errorf("another caller: %d", n)
		}
		time.Sleep(time.Second)
		if n := ok("a"); n != 2 {
			t.Errorf("a second later: %d", n)
		}
		time.Sleep(time.Hour)
		if n := ok("a"); n != 5 {
			t.Errorf("after a rest: %d", n)
		}
		for range 20 { // who proves nothing is charged nothing
			if rec := get(t.Context(), s, "/work", "bad"); rec.Code != 401 {
				t.Fatalf("a bad token: %d", rec.Code)
			}
		}
	})
}

// TestSlowBody: who sends slowly keeps a place, not a slot; the number of places is
// bounded too, and who leaves gives its back.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := loaded(t, web.Limits{Slots: 1, Queue: 2, Wait: time.Second}, func(context.Context) {})
		post := func(body io.Reader) int {
			req := httptest.NewRequestWithContext(t.Context(), "POST", "/work", body)
			req.Header.Set("Authorization", "Bearer t")
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, req)
			return rec.Code
		}
		var slow sync.WaitGroup
		codes := make([]int, 2)
		for i := range codes {
			slow.Go(func() { codes[i] = post(&trickle{text: "{}"}) })
		}
		time.Sleep(time.Second)
		if code := post(strings.NewReader("{}")); code != 200 {
			t.Errorf("beside two slow ones: %d", code)
		}
		slow.Go(func() { post(&trickle{text: "{}"}) })
		time.Sleep(time.Second)
		if code := post(strings.NewReader("{}")); code != 503 {
			t.Errorf("beside three slow ones: %d", code)
		}
		slow.Wait()
		if codes[0] != 200 || codes[1] != 200 {
			t.Errorf("the slow ones: %v", codes)
		}
		if code := post(strings.NewReader("{}")); code != 200 {
			t.Errorf("afterwards: %d", code)
		}
		if code := post(io.MultiReader(strings.NewReader(`{"a":`), &trickle{err: errors.New("cut")})); code != 400 {
			t.Errorf("a body that breaks off: %d", code)
		}
		if code := post(strings.NewReader(`{"a":"` + strings.Repeat("x", 70_000) + `"}`)); code != 413 {
			t.Errorf("a body that is too long: %d", code)
		}
	})
}

// trickle takes its time for each byte.
type trickle struct {
	text string
	err  error
}

func (r *trickle) Read(p []byte) (int, error) {
	if r.text == "" {
		if r.err == nil {
			return 0, io.EOF
		}
		return 0, r.err
	}
	time.Sleep(10 * time.Second)
	p[0], r.text = r.text[0], r.text[1:]
	return 1, nil
}

// TestPanicGivesBackItsSlot: our own bug must not close the service bit by bit.
func TestPanicGivesBackItsSlot(t *testing.T) {
	first := true
	s, _ := loaded(t, web.Limits{Slots: 1, Queue: 1, Wait: time.Millisecond}, func(context.Context) {
		if first {
			first = false
			panic("bug")
		}
	})
	if rec := get(t.Context(), s, "/work", "t"); rec.Code != 500 {
		t.Fatalf("= %d", rec.Code)
	}
	if rec := get(t.Context(), s, "/work", "t"); rec.Code != 200 {
		t.Errorf("after a panic: %d", rec.Code)
	}
}
