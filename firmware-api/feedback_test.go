package firmwareapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// confirm makes a code payable, as the platform's word does.
func (r *rig) confirm(t testing.TB, p multe.PositionID) {
	t.Helper()
	err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		k, err := tx.Code(webtest.Torino, p)
		if err != nil {
			return err
		}
		if k, err = k.Confirm(2940, false, r.Now()); err != nil {
			return err
		}
		return tx.PutCode(k)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Bell.Ring()
}

func (r *rig) poll(t testing.TB, after string) firmwareapi.FeedbackPage {
	t.Helper()
	var page firmwareapi.FeedbackPage
	r.call(t, "GET", "/v1/feedback"+after, "").Decode(t, 200, &page)
	return page
}

func statuses(p firmwareapi.FeedbackPage) (list []string) {
	for _, s := range p.Slips {
		list = append(list, string(s.Status))
	}
	return list
}

func TestFeedback(t *testing.T) {
	r := newRig(t)
	if p := r.poll(t, ""); len(p.Slips) != 0 || p.More || p.Cursor == "" {
		t.Errorf("nothing yet: %+v", p)
	}
	var ids []string
	for _, k := range r.codes[:3] {
		slip := r.slip(t, k)
		ids = append(ids, slip["id"].(string))
		if a := r.call(t, "POST", "/v1/verbali", encode(t, slip)); a.Status != 200 {
			t.Fatal(a.Body)
		}
	}
	first := r.poll(t, "?limit=2")
	rest := r.poll(t, "?after="+first.Cursor)
	if !first.More || rest.More || len(first.Slips) != 2 || len(rest.Slips) != 1 || rest.Slips[0].Id != ids[2] ||
		!slices.Equal(statuses(first), []string{"queued", "queued"}) {
		t.Errorf("pages: %+v, %+v", first, rest)
	}
	r.Pass(time.Minute)
	r.confirm(t, r.codes[0].Position)
	now := r.poll(t, "?after="+rest.Cursor)
	if len(now.Slips) != 1 || now.Slips[0].Id != ids[0] || now.Slips[0].Status != "payable" || !now.Slips[0].Since.Equal(r.Now()) {
		t.Errorf("payable: %+v", now)
	}
	if quiet := r.poll(t, "?after="+now.Cursor); len(quiet.Slips) != 0 || quiet.Cursor != now.Cursor {
		t.Errorf("no news: %+v", quiet)
	}
	if _, _, err := r.Verbali.Cancel(t.Context(), "operator:o", webtest.Torino, multe.VerbaleID(ids[1]), multe.Cancellation{Reason: "Autotutela"}); err != nil {
		t.Fatal(err)
	}
	if p := r.poll(t, "?after="+now.Cursor); !slices.Equal(statuses(p), []string{"cancelled"}) || p.Slips[0].Detail == "" {
		t.Errorf("annulled: %+v", p)
	}
	if p := r.poll(t, "?after=0"); len(p.Slips) != 3 || p.Slips[2].Id != ids[1] {
		t.Errorf("everything: %+v", p)
	}
	r.Pass(72 * time.Hour)
	if p := r.poll(t, ""); len(p.Slips) != 0 {
		t.Errorf("without a cursor, days later: %+v", p)
	}
	_, token := r.World.Device(t, webtest.Torino)
	var other firmwareapi.FeedbackPage
	r.Do(t, webtest.Request{Method: "GET", Path: "/v1/feedback?after=0", Token: token}).Decode(t, 200, &other)
	if len(other.Slips) != 0 {
		t.Errorf("another handheld hears %+v", other)
	}
	for _, query := range []string{"?after=-1", "?after=x", "?after=00", "?after=99999999999999999999", "?limit=101", "?limit=0", "?plate=AB123CD"} {
		if p := r.call(t, "GET", "/v1/feedback"+query, "").Problem(t); p.Code != "request.invalid" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

func TestMessages(t *testing.T) {
	r := newRig(t)
	other, otherToken := r.World.Device(t, webtest.Torino)
	write := func(d multe.DeviceID, text string, life time.Duration) string {
		t.Helper()
		b, err := r.World.Feedback.Write(t.Context(), "operator:o", webtest.Torino, multe.BulletinID(r.ID(t)), d, text, r.Now().Add(life))
		if err != nil {
			t.Fatal(err)
		}
		return string(b.ID)
	}
	all, mine, short := write("", "A tutti", time.Hour), write(r.device.ID, "A te", 2*time.Hour), write("", "Breve", time.Minute)
	write(other.ID, "A un altro", time.Hour)
	texts := func() (list []string) {
		for _, m := range r.poll(t, "").Messages {
			list = append(list, m.Text)
		}
		slices.Sort(list)
		return list
	}
	if got := texts(); !slices.Equal(got, []string{"A te", "A tutti", "Breve"}) {
		t.Errorf("messages = %v", got)
	}
	r.Pass(time.Minute)
	confirmed := r.call(t, "POST", "/v1/messages/"+all+"/read", "")
	r.Pass(time.Minute)
	if again := r.call(t, "POST", "/v1/messages/"+all+"/read", ""); confirmed.Status != 200 || again.Body != confirmed.Body {
		t.Errorf("confirmed: %s, then %s", confirmed.Body, again.Body)
	}
	if got := texts(); !slices.Equal(got, []string{"A te"}) {
		t.Errorf("what is left = %v", got)
	}
	if p := r.Do(t, webtest.Request{Method: "POST", Path: "/v1/messages/" + mine + "/read", Token: otherToken}).Problem(t); p.Code != "message.unknown" || p.Status != 404 {
		t.Errorf("another's message: %+v", p)
	}
	if a := r.call(t, "POST", "/v1/messages/"+short+"/read", ""); a.Status != 200 {
		t.Errorf("read before it was over, told after: %s", a.Body)
	}
}

func TestSightings(t *testing.T) {
	r := newRig(t)
	empty := r.call(t, "GET", "/v1/sightings", "")
	if a := r.call(t, "POST", "/v1/verbali", encode(t, r.slip(t, r.codes[0]))); a.Status != 200 {
		t.Fatal(a.Body)
	}
	r.Pass(time.Minute) // the answer may be that old
	var list firmwareapi.Sightings
	a := r.call(t, "GET", "/v1/sightings", "")
	a.Decode(t, 200, &list)
	salt := multe.SightingSalt(webtest.Torino, multe.DayOf(r.Now()))
	want := multe.Sighting(salt, "AB123CD", "Via Roma, 40")
	if list.Hours != 24 || list.Digits != 5 || len(list.Days) != 1 || list.Days[0].Salt != salt || list.Days[0].Values != want {
		t.Errorf("sightings = %+v, want %s under %s", list, want, salt)
	}
	if a.Header.Get("ETag") == "" || a.Header.Get("ETag") == empty.Header.Get("ETag") {
		t.Errorf("ETag %q after %q", a.Header.Get("ETag"), empty.Header.Get("ETag"))
	}
	if strings.Contains(a.Body, "AB123CD") {
		t.Error("the plate is told")
	}
	for tag, status := range map[string]int{a.Header.Get("ETag"): 304, "W/" + a.Header.Get("ETag"): 304, `"x"`: 200} {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/sightings", nil)
		req.Header.Set("Authorization", "Bearer "+r.token)
		req.Header.Set("If-None-Match", tag)
		rec := httptest.NewRecorder()
		handler(r.World).ServeHTTP(rec, req)
		if rec.Code != status || status == 304 && rec.Body.Len() > 0 {
			t.Errorf("If-None-Match %s: %d %s, want %d", tag, rec.Code, rec.Body, status)
		}
	}
	_, token := r.World.Device(t, webtest.Alba)
	r.Do(t, webtest.Request{Method: "GET", Path: "/v1/sightings", Token: token}).Decode(t, 200, &list)
	if len(list.Days) != 0 {
		t.Errorf("another town hears %+v", list)
	}
	r.Pass(25 * time.Hour)
	r.call(t, "GET", "/v1/sightings", "").Decode(t, 200, &list)
	if len(list.Days) != 0 {
		t.Errorf("a day later: %+v", list)
	}
}

// listener reads a stream.
type listener struct {
	t      *testing.T
	body   io.ReadCloser
	events *bufio.Scanner
}

func (r *rig) listen(t *testing.T, ctx context.Context, url string) *listener {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/v1/events?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d %v", resp.StatusCode, resp.Header)
	}
	return &listener{t, resp.Body, bufio.NewScanner(resp.Body)}
}

// next returns the next event; false at the end of the stream.
func (l *listener) next() (page firmwareapi.FeedbackPage, id string, ok bool) {
	l.t.Helper()
	for l.events.Scan() {
		line := l.events.Text()
		if v, found := strings.CutPrefix(line, "id: "); found {
			id = v
		}
		if data, found := strings.CutPrefix(line, "data: "); found {
			if err := json.Unmarshal([]byte(data), &page); err != nil {
				l.t.Fatal(err)
			}
			return page, id, true
		}
	}
	return page, id, false
}

// TestEvents listens over a real connection whose server allows a request and an
// answer less time than the stream takes.
func TestEvents(t *testing.T) {
	r := newRig(t)
	stop := make(chan struct{})
	server := httptest.NewUnstartedServer(firmwareapi.New(firmwareapi.Config{Log: r.Log, Random: r.Random, Now: r.Now, Registry: r.Registry,
		Pool: r.Pool, Verbali: r.Verbali, Photos: r.Photos, Feedback: r.World.Feedback, Stopping: stop}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 300*time.Millisecond
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a hang is a failure, not a wait
	defer cancel()

	slip := r.slip(t, r.codes[0])
	if a := r.call(t, "POST", "/v1/verbali", encode(t, slip)); a.Status != 200 {
		t.Fatal(a.Body)
	}
	old := r.listen(t, ctx, server.URL)
	page, id, ok := old.next()
	if !ok || len(page.Slips) != 1 || page.Slips[0].Status != "queued" || id != page.Cursor {
		t.Fatalf("first event: %+v %q", page, id)
	}
	r.confirm(t, r.codes[0].Position)
	if page, _, ok = old.next(); !ok || len(page.Slips) != 1 || page.Slips[0].Status != "payable" {
		t.Fatalf("after the bell: %+v", page)
	}
	if _, err := r.World.Feedback.Write(t.Context(), "operator:o", webtest.Torino, multe.BulletinID(r.ID(t)), "", "Ciao", r.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if page, _, ok = old.next(); !ok || len(page.Messages) != 1 || len(page.Slips) != 0 {
		t.Fatalf("a message: %+v", page)
	}
	fresh := r.listen(t, ctx, server.URL)
	if _, _, ok := fresh.next(); !ok {
		t.Error("the second stream is silent")
	}
	if page, _, ok := old.next(); ok {
		t.Errorf("the first stream goes on beside the second: %+v", page)
	}
	close(stop)
	if page, _, ok := fresh.next(); ok || fresh.events.Err() != nil {
		t.Errorf("a stream of a stopping service: %+v, %v", page, fresh.events.Err())
	}

	// A revoked handheld hears nothing more, on an open stream too.
	silent := httptest.NewServer(firmwareapi.New(firmwareapi.Config{Log: r.Log, Random: r.Random, Now: r.Now, Registry: r.Registry,
		Pool: r.Pool, Verbali: r.Verbali, Photos: r.Photos, Feedback: r.World.Feedback}))
	defer silent.Close()
	last := r.listen(t, ctx, silent.URL)
	if _, _, ok := last.next(); !ok {
		t.Fatal("no first event")
	}
	if _, _, err := r.Registry.RevokeDevice(t.Context(), "admin", webtest.Torino, r.device.ID); err != nil {
		t.Fatal(err)
	}
	r.Bell.Ring()
	if page, _, ok := last.next(); ok || last.events.Err() != nil {
		t.Errorf("a revoked handheld hears %+v, %v", page, last.events.Err())
	}
}
