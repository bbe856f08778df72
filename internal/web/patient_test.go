package web_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/web"
)

// pipes is a listener of one connection in memory.
type pipes struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conn:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

var patience = web.Patience{Read: 30 * time.Second, Write: time.Minute, Whole: time.Hour}

// serveOne serves h on one connection and returns its other end. All must end with
// the test.
func serveOne(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	l := pipes{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- far
	s := &http.Server{Handler: web.Patient(h, patience), ReadTimeout: patience.Read, WriteTimeout: patience.Write, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = near.Close()
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return near
}

// slow reads at most some bytes and then rests.
type slow struct {
	r    io.Reader
	n    int
	rest time.Duration
}

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(s.rest)
	return s.r.Read(p[:min(len(p), s.n)])
}

// TestPatientDownload reads an answer slowly: whoever moves gets all of it, whoever
// stops is dropped, and nobody has more than all patience.
func TestPatientDownload(t *testing.T) {
	for name, tt := range map[string]struct {
		size  int
		n     int // bytes after each rest
		rest  time.Duration
		whole bool
		takes time.Duration // at least, of the clock in the bubble
	}{
		"20 minutes":         {2 << 20, 16 << 10, 10 * time.Second, true, 20 * time.Minute},
		"stops for 2":        {2 << 20, 64 << 10, 2 * time.Minute, false, 0},
		"more than patience": {8 << 20, 16 << 10, 10 * time.Second, false, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				big := bytes.Repeat([]byte{7}, tt.size)
				ended := make(chan error, 1)
				alive := make(chan error, 1)
				conn := serveOne(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(big)})
					alive <- r.Context().Err()
					ended <- err
				}))
				start := time.Now()
				go func() { _, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }()
				resp, err := http.ReadResponse(bufio.NewReaderSize(slow{conn, tt.n, tt.rest}, tt.n), nil)
				var got []byte
				if err == nil {
					got, err = io.ReadAll(resp.Body)
				}
				if whole := err == nil && bytes.Equal(got, big); whole != tt.whole {
					t.Errorf("got %d bytes of %d, %v, after %s", len(got), len(big), err, time.Since(start))
				}
				if time.Since(start) < tt.takes {
					t.Errorf("took %s", time.Since(start))
				}
				gone := <-alive
				if err := <-ended; tt.whole && (err != nil || gone != nil) || !tt.whole && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the handler ended with %v, its context with %v", err, gone)
				}
			})
		})
	}
}

// TestPatientUpload sends a body slowly.
func TestPatientUpload(t *testing.T) {
	const size = 5 << 20
	for name, tt := range map[string]struct {
		rest  time.Duration // before each 64 KiB
		whole bool
	}{"13 minutes": {10 * time.Second, true}, "stops": {40 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				type outcome struct {
					sum [32]byte
					err error
				}
				got := make(chan outcome, 1)
				conn := serveOne(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b, err := io.ReadAll(r.Body)
					got <- outcome{sha256.Sum256(b), err}
				}))
				body := bytes.Repeat([]byte{7}, size)
				var sent sync.WaitGroup
				sent.Go(func() {
					_, _ = fmt.Fprintf(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
					_, _ = io.CopyBuffer(struct{ io.Writer }{conn}, slow{bytes.NewReader(body), 64 << 10, tt.rest}, make([]byte, 64<<10))
				})
				sent.Go(func() { _, _ = io.Copy(io.Discard, conn) })
				o := <-got
				_ = conn.Close()
				sent.Wait()
				if tt.whole && (o.err != nil || o.sum != sha256.Sum256(body)) || !tt.whole && !errors.Is(o.err, os.ErrDeadlineExceeded) {
					t.Errorf("the handler read %v", o.err)
				}
			})
		})
	}
}
