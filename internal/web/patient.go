package web

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Patience is how long a server waits for the other end of a line.
type Patience struct {
	Read  time.Duration // for the next piece of a body
	Write time.Duration // until a piece of an answer is taken
	Whole time.Duration // for all of a request and its answer
}

// Patient serves h without the fixed deadlines that [http.Server] has for a
// request: they would cut 500 MB on a slow line in the middle, however steadily it
// moves. Here a deadline moves with what was read and written, so that who stops is
// dropped as before, and who is slow has Whole. The Server keeps its own timeouts,
// for what comes before the first piece.
func Patient(h http.Handler, p Patience) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := &line{control: http.NewResponseController(w), patience: p, end: time.Now().Add(p.Whole)}
		if r.Body == nil || r.Body == http.NoBody {
			line.read(time.Time{})
		} else {
			r.Body = &patientBody{r.Body, line}
		}
		h.ServeHTTP(&patientWriter{w, line}, r)
	})
}

// line is one request on its way.
type line struct {
	control  *http.ResponseController
	patience Patience
	end      time.Time // of all patience
	granted  time.Time // when the deadline for writing was last moved
}

// read sets the deadline for reading; none once all was read: until the answer is
// out only the server itself waits on that side, to see whether anybody still
// listens, and what it reads too late would end the request. Writers without
// deadlines, as tests have, go without.
func (l *line) read(until time.Time) { _ = l.control.SetReadDeadline(until) }

// next is the deadline for a piece.
func (l *line) next(now time.Time, wait time.Duration) time.Time {
	if t := now.Add(wait); t.Before(l.end) {
		return t
	}
	return l.end
}

// moves is how many times within a deadline it is moved at most: an answer of many
// small pieces does not set a timer for each.
const moves = 8

func (l *line) write() {
	now := time.Now()
	if now.Sub(l.granted) < l.patience.Write/moves {
		return
	}
	l.granted = now
	_ = l.control.SetWriteDeadline(l.next(now, l.patience.Write)) // as for read
}

type patientBody struct {
	io.ReadCloser
	line *line
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.line.read(b.line.next(time.Now(), b.line.patience.Read))
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.line.read(time.Time{})
	}
	return n, err
}

type patientWriter struct {
	http.ResponseWriter
	line *line
}

func (w *patientWriter) Write(p []byte) (int, error) {
	w.line.write()
	return w.ResponseWriter.Write(p)
}

// Flush is for package gin, which asks for nothing less.
func (w *patientWriter) Flush() {
	w.line.write()
	_ = w.line.control.Flush() // what cannot be sent shows at the next Write
}

// Unwrap is for [http.ResponseController].
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
