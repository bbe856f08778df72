package firmwareapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/feedback"
	"preavviso/internal/multe"
)

const (
	// maxStreams is how many handhelds may listen at once: each costs a connection
	// and two goroutines, some 50 KiB. The others poll.
	maxStreams = 1000
	// streamLife ends a stream, so that a handheld shows again who it is, and so
	// that connections spread over instances.
	streamLife = 15 * time.Minute
	// heartbeat keeps middleboxes from closing the connection, tells both ends that
	// the other is there, and bounds what a lost ring costs.
	heartbeat = 20 * time.Second
	// gather is the shortest pause between two looks: a commit rings for everybody,
	// and most of them have nothing new.
	gather = time.Second
	// eventTimeout is how long a client may take to receive an event. It stands in
	// for the server's limit on a whole answer, which a stream would break.
	eventTimeout = 10 * time.Second
)

// streams are the open streams, one for each handheld.
type streams struct {
	mu   sync.Mutex
	open map[multe.DeviceID]*stream
}

type stream struct{ replaced chan struct{} }

// join opens a stream and ends the one that the handheld had: it may be a
// connection that nobody has told us is dead.
func (s *streams) join(d multe.DeviceID) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.open[d]
	if !known && len(s.open) >= maxStreams {
		return nil, fault.New(fault.Unavailable, "events.too_many", "Troppi palmari in ascolto: usare l'interrogazione periodica.")
	}
	if known {
		close(old.replaced)
	}
	if s.open == nil {
		s.open = map[multe.DeviceID]*stream{}
	}
	st := &stream{make(chan struct{})}
	s.open[d] = st
	return st, nil
}

func (s *streams) leave(d multe.DeviceID, st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[d] == st {
		delete(s.open, d)
	}
}

// ReadEvents serves GET /v1/events.
func (s *server) ReadEvents(ctx context.Context, r ReadEventsRequestObject) (ReadEventsResponseObject, error) {
	after, err := s.cursor(r.Params.After)
	if err != nil {
		return nil, err
	}
	d := caller(ctx)
	st, err := s.streams.join(d.ID)
	if err != nil {
		return nil, err
	}
	e := &events{server: s, ctx: ctx, device: d, stream: st}
	// The first look is before the answer begins: an error is still a problem.
	if err := e.look(after); err != nil {
		s.streams.leave(d.ID, st)
		return nil, err
	}
	return e, nil
}

// events is a stream about to be written.
type events struct {
	server *server
	ctx    context.Context
	device multe.Device
	stream *stream

	bell <-chan struct{} // taken before page was read
	page feedback.Page
	told string // the last event's data
}

// look reads the page after a cursor.
func (e *events) look(after uint64) (err error) {
	e.bell = e.server.feedback.Wait()
	e.page, err = e.server.feedback.Poll(e.ctx, e.device.Creditor, e.device.ID, after, feedback.MaxPoll)
	return err
}

// VisitReadEventsResponse writes until the stream ends. It never fails: the answer
// has begun.
func (e *events) VisitReadEventsResponse(w http.ResponseWriter) error {
	defer e.server.streams.leave(e.device.ID, e.stream)
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // of the request, which is over; an error means that there was none
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events to itself
	w.WriteHeader(http.StatusOK)
	end := time.NewTimer(streamLife)
	defer end.Stop()
	defer func() { _ = c.SetWriteDeadline(time.Now().Add(eventTimeout)) }() // for the end of the answer
	for {
		if err := e.write(w, c); err != nil {
			return nil // the client has gone
		}
		if !e.page.More && !e.rest(end.C) {
			return nil
		}
		if err := e.look(e.page.Cursor); err != nil {
			return nil // revoked, or we are stopping: its next request will hear which
		}
	}
}

// write sends the page if it says anything new, else a sign of life.
func (e *events) write(w http.ResponseWriter, c *http.ResponseController) error {
	_ = c.SetWriteDeadline(time.Now().Add(eventTimeout)) // not every ResponseWriter can
	body := feedbackBody(e.page)
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	text := ": ancora qui\n\n"
	if string(data) != e.told && (e.told == "" || len(body.Slips) > 0 || len(body.Messages) > 0) {
		text = fmt.Sprintf("id: %s\nevent: feedback\ndata: %s\n\n", body.Cursor, data)
		e.told = string(data)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return c.Flush()
}

// rest waits for a reason to look again. It reports false when the stream is over.
func (e *events) rest(end <-chan time.Time) bool {
	pause := time.NewTimer(gather)
	defer pause.Stop()
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	var news <-chan struct{} // only after the pause
	for {
		select {
		case <-pause.C:
			news = e.bell
		case <-news:
			return true
		case <-beat.C:
			return true
		case <-end:
			return false
		case <-e.stream.replaced:
			return false
		case <-e.server.stopping:
			return false
		case <-e.ctx.Done():
			return false
		}
	}
}
