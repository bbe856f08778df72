package client

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// sightings is the answer of /v1/sightings.
type sightings struct {
	Days []struct{ Salt, Values string }
}

// Hear asks what became of the slips and what the office writes, and hands each
// page, as the JSON of /v1/feedback, to each: in order, without a gap over restarts.
// If each fails, the same page comes again next time. It also fetches what
// [Device.Seen] needs.
func (d *Device) Hear(each func(page string) error) error {
	d.network.Lock()
	defer d.network.Unlock()
	for {
		d.mu.Lock()
		cursor := d.state.Cursor
		d.mu.Unlock()
		answer, err := d.call(http.MethodGet, feedbackPath("/v1/feedback", cursor), nil)
		if err != nil {
			return err
		}
		more, err := d.heard(answer, each)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	d.mu.Lock()
	tag := d.sightingsTag
	d.mu.Unlock()
	got, err := d.callWith(outgoing{method: http.MethodGet, path: "/v1/sightings", tag: tag})
	if err != nil || got.same {
		return err
	}
	var s sightings
	if err := json.Unmarshal(got.body, &s); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	d.mu.Lock()
	d.sightings, d.sightingsTag = s, got.tag
	d.mu.Unlock()
	return nil
}

func feedbackPath(path, cursor string) string {
	if cursor == "" {
		return path
	}
	return path + "?after=" + url.QueryEscape(cursor)
}

// heard hands a page on, then remembers that it was.
func (d *Device) heard(page []byte, each func(string) error) (more bool, err error) {
	var p struct {
		Cursor string
		More   bool
	}
	if err := json.Unmarshal(page, &p); err != nil || p.Cursor == "" {
		return false, errors.Join(errors.New("client: feedback without a cursor"), err)
	}
	if err := each(string(page)); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.Cursor == p.Cursor {
		return p.More, nil
	}
	return p.More, d.write(event{Kind: evHeard, Cursor: p.Cursor})
}

// Listen is Hear for a steady network: it hands on pages as they come, until the
// stream ends, which the service does from time to time, or each fails. Call Hear
// before it, and it again after it.
func (d *Device) Listen(each func(page string) error) error {
	d.mu.Lock()
	cursor := d.state.Cursor
	d.mu.Unlock()
	req, err := d.conn.Request(http.MethodGet, feedbackPath("/v1/events", cursor), nil)
	if err != nil {
		return err
	}
	// No limit on the whole answer, as other requests have: silence ends it.
	resp, err := (&http.Client{Transport: d.conn.http.Transport, CheckRedirect: stay}).Do(req)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		return &Refusal{Status: resp.StatusCode}
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if _, err := d.heard([]byte(data), each); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// Confirm says that the warden has read a message of the office.
func (d *Device) Confirm(message string) error {
	d.network.Lock()
	defer d.network.Unlock()
	_, err := d.call(http.MethodPost, "/v1/messages/"+url.PathEscape(message)+"/read", nil)
	return err
}
