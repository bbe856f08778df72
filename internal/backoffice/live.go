package backoffice

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// The bounds of live pages. A stream ends before a session would, so that a page
// left open keeps nobody signed in; its writes have a deadline, so that a browser
// that went to sleep holds nothing.
const (
	maxStreams    = 200
	maxStreamsOne = 4 // of one operator: some tabs
	streamLife    = 10 * time.Minute
	streamEvery   = 10 * time.Second // also the heartbeat
	streamWrite   = 10 * time.Second
)

// pathNumbers is asked for by a page, not by a person: it keeps no session open.
const pathNumbers = "/oggi/numeri"

// streams counts who is listening.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

func newStreams() *streams { return &streams{of: map[string]int{}} }

// open takes a place, if there is one, and returns how to give it back.
func (s *streams) open(who string) (func(), bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.of[who] >= maxStreamsOne {
		return nil, false
	}
	s.all++
	s.of[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[who]--; s.of[who] == 0 {
			delete(s.of, who)
		}
	}, true
}

// liveNumbers serves the five numbers as Server-Sent Events.
func (s *server) liveNumbers(c *gin.Context) {
	w := who(c)
	done, ok := s.desk.streams.open(string(w.Creditor) + "/" + string(w.Operator))
	if !ok {
		s.fail(c, fault.New(fault.Exhausted, "live.too_many", "Ci sono troppe pagine aperte: i numeri si aggiornano ricaricando la pagina."))
		return
	}
	defer done()
	c.Header("Content-Type", "text/event-stream")
	control := http.NewResponseController(c.Writer)
	send := func(event, data string) bool {
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return false
		}
		if _, err := fmt.Fprintf(c.Writer, "event: %s\ndata: %s\n\n", event, data); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	tick, end := time.NewTicker(streamEvery), time.NewTimer(streamLife)
	defer tick.Stop()
	defer end.Stop()
	for {
		data, err := s.numbersJSON(c, w.Creditor)
		if err != nil || !send("numbers", data) {
			return
		}
		select {
		case <-c.Request.Context().Done():
			return
		case <-end.C:
			send("end", "{}")
			return
		case <-s.Stopping:
			return // the page asks again, and finds who came after us
		case <-tick.C:
		}
		if _, err := s.peek(c); err != nil {
			return // signed out, ended or disabled: the page's next question is told which
		}
	}
}

func (s *server) numbersJSON(c *gin.Context, creditor multe.CreditorID) (string, error) {
	var f facts
	err := s.Store.View(c.Request.Context(), func(r store.Reader) error {
		t, err := s.trend(r, creditor)
		if err != nil {
			return err
		}
		f, err = readFacts(r, creditor, s.Now(), t)
		return err
	})
	if err != nil {
		return "", err
	}
	values := map[string]string{}
	for _, n := range numbers(f) {
		values[n.Key] = n.Value
	}
	b, err := json.Marshal(values)
	return string(b), err
}
