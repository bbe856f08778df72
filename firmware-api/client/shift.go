package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
	_ "time/tzdata" // the night and the last day are those of Rome, wherever the device thinks it is
)

const (
	shiftFile   = "shift"
	shiftFormat = 1
	// shiftAge is how long a shift is believed that nobody has confirmed since.
	shiftAge = 14 * 24 * time.Hour
)

// The errors of amounts.
var (
	ErrNoShift     = errors.New("client: no shift on this device: call SyncShift where there is a network")
	ErrShiftFormat = errors.New("client: the service's shift is of a format that this program does not know")
	ErrViolation   = errors.New("client: no such violation in the catalogue for that day and vehicle")
	ErrNoSlip      = errors.New("client: this violation must not be put on a preavviso")
)

// keptShift is the file of a shift: what the service sent, whole.
type keptShift struct {
	ETag    string          `json:"etag"`
	Checked time.Time       `json:"checked"` // when the service last said that it is right
	Body    json.RawMessage `json:"body"`
}

// shift is what the client reads of a Shift of openapi.yaml.
type shift struct {
	Format     int    `json:"format"`
	ValidUntil string `json:"valid_until"`
	Codes      struct {
		Amounts string `json:"amounts"`
		Block   int    `json:"block"`
	} `json:"codes"`
	Catalogue *struct {
		Slip       term        `json:"slip"`
		Holidays   []string    `json:"holidays"`
		Violations []violation `json:"violations"`
	} `json:"catalogue"`
	Wardens []warden `json:"wardens"`
}

type term struct {
	Days    int  `json:"days"`
	Working bool `json:"working"`
}

type violation struct {
	Code     string   `json:"code"`
	Norm     string   `json:"norm"`
	Text     string   `json:"text"`
	Vehicles []string `json:"vehicles"`
	NoSlip   string   `json:"no_slip"`
	Amounts  []struct {
		From  string `json:"from"`
		Until string `json:"until"`
		Day   sums   `json:"day"`
		Night *sums  `json:"night"`
	} `json:"amounts"`
}

type sums struct {
	Reduced    int64 `json:"reduced"`
	Discounted int64 `json:"discounted"`
}

// step is one amount as a slip shows it.
type step struct {
	Cents   int64  `json:"cents"`
	LastDay string `json:"last_day,omitempty"`
}

// loadShift reads the shift that is kept, if there is one. One that cannot be read is as none.
func (d *Device) loadShift() error {
	text, err := os.ReadFile(filepath.Join(d.dir, shiftFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept keptShift
	var s shift
	if json.Unmarshal(text, &kept) == nil && json.Unmarshal(kept.Body, &s) == nil && s.Format == shiftFormat {
		d.kept, d.shift = kept, &s
	}
	return nil
}

// SyncShift asks for what a shift needs and keeps it; it reports whether it is another
// than before. What was kept stays until the new one is whole on the disk.
func (d *Device) SyncShift() (changed bool, err error) {
	d.network.Lock()
	defer d.network.Unlock()
	d.mu.Lock()
	kept := d.kept
	d.mu.Unlock()
	answer, tag, err := d.conn.fetch("/v1/shift", kept.ETag)
	if err != nil {
		return false, err
	}
	next := keptShift{ETag: tag, Checked: d.conn.Now(), Body: answer}
	if answer == nil {
		next.Body = kept.Body
	}
	var s shift
	if err := json.Unmarshal(next.Body, &s); err != nil {
		return false, fmt.Errorf("client: %w", err)
	}
	if s.Format != shiftFormat {
		return false, ErrShiftFormat
	}
	text, err := json.Marshal(next)
	if err != nil {
		return false, err
	}
	if err := writeFile(filepath.Join(d.dir, shiftFile), text); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept, d.shift = next, &s
	return answer != nil, nil
}

// Shift returns the shift that is kept, as JSON; "" if there is none.
func (d *Device) Shift() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.kept.Body)
}

// ShiftOld reports whether the shift may be out of date: the warden is to be told,
// and may print.
func (d *Device) ShiftOld() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.conn.Now()
	return d.shift == nil || now.Sub(d.kept.Checked) > shiftAge || now.In(rome()).Format(time.DateOnly) > d.shift.ValidUntil
}

// Price completes the draft of a slip from the catalogue: violation.norm,
// violation.conduct and steps by violation.code, vehicle_class and issued_at, which is
// now if it is missing. What it returns is for [Device.Issue].
func (d *Device) Price(draft string) (string, error) {
	var slip map[string]json.RawMessage
	if err := json.Unmarshal([]byte(draft), &slip); err != nil || slip == nil {
		return "", ErrDraft
	}
	var in struct {
		Violation struct {
			Code string `json:"code"`
		} `json:"violation"`
		Class string    `json:"vehicle_class"`
		At    time.Time `json:"issued_at"`
	}
	if err := json.Unmarshal([]byte(draft), &in); err != nil || in.Violation.Code == "" {
		return "", ErrDraft
	}
	if in.At.IsZero() {
		in.At = d.conn.Now().UTC().Truncate(time.Second)
	}
	d.mu.Lock()
	s := d.shift
	d.mu.Unlock()
	if s == nil || s.Catalogue == nil {
		return "", ErrNoShift
	}
	i := slices.IndexFunc(s.Catalogue.Violations, func(v violation) bool { return v.Code == in.Violation.Code })
	if i < 0 {
		return "", ErrViolation
	}
	v := s.Catalogue.Violations[i]
	steps, err := s.steps(v, in.Class, in.At)
	if err != nil {
		return "", err
	}
	for name, value := range map[string]any{
		"violation": map[string]string{"code": v.Code, "norm": v.Norm, "conduct": v.Text}, "steps": steps, "issued_at": in.At.Format(time.RFC3339),
	} {
		if slip[name], err = json.Marshal(value); err != nil {
			return "", err
		}
	}
	out, err := json.Marshal(slip)
	return string(out), err
}

// steps is what a slip shows for a violation at an instant.
func (s *shift) steps(v violation, class string, at time.Time) ([]step, error) {
	if v.NoSlip != "" {
		return nil, ErrNoSlip
	}
	if class != "" && len(v.Vehicles) > 0 && !slices.Contains(v.Vehicles, class) {
		return nil, ErrViolation
	}
	local := at.In(rome())
	day := local.Format(time.DateOnly)
	for _, a := range v.Amounts {
		if day < a.From || a.Until != "" && day > a.Until {
			continue
		}
		sums := a.Day
		if minute := local.Hour()*60 + local.Minute(); a.Night != nil && (minute > 22*60 || minute < 7*60) {
			sums = *a.Night
		}
		if sums.Discounted == 0 {
			return []step{{Cents: sums.Reduced}}, nil
		}
		return []step{{Cents: sums.Discounted, LastDay: s.lastDay(local)}, {Cents: sums.Reduced}}, nil
	}
	return nil, ErrViolation
}

// lastDay is the last day of the discount; that of the violation is not counted.
func (s *shift) lastDay(at time.Time) string {
	off := func(t time.Time) bool {
		return t.Weekday() == time.Sunday || slices.Contains(s.Catalogue.Holidays, t.Format(time.DateOnly))
	}
	t := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, time.UTC)
	for n := 0; n < s.Catalogue.Slip.Days; {
		t = t.AddDate(0, 0, 1)
		if !s.Catalogue.Slip.Working || !off(t) {
			n++
		}
	}
	for off(t) {
		t = t.AddDate(0, 0, 1)
	}
	return t.Format(time.DateOnly)
}

// rome is the clock of the law.
func rome() *time.Location {
	l, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		return time.FixedZone("CET", 3600) // impossible: the zones are embedded
	}
	return l
}

// twoCodes reports whether a slip with these steps takes two codes. d.mu must be
// held.
func (d *Device) twoCodes(steps json.RawMessage) bool {
	var list []step
	if json.Unmarshal(steps, &list) != nil || len(list) < 2 {
		return false // there is nothing a second code would be for
	}
	if d.shift != nil {
		return d.shift.Codes.Amounts == "two-codes"
	}
	var e struct{ Creditor struct{ Amounts string } }
	_ = json.Unmarshal(d.state.Enrolment, &e)
	return e.Creditor.Amounts == "two-codes"
}

const (
	// maxBatch and maxBatchBytes are what one request takes.
	maxBatch      = 50
	maxBatchBytes = 200 << 10
)

// uploadBatch sends the oldest slips together, if there are several. done says that
// there is nothing left for it: what remains goes one by one.
func (d *Device) uploadBatch() (done bool, err error) {
	var codes []code
	size := 0
	d.mu.Lock()
	for _, k := range d.state.Codes {
		if k.State == printed && len(codes) < maxBatch && size+len(k.Slip) < maxBatchBytes {
			codes = append(codes, k)
			size += len(k.Slip) + 1
		}
	}
	d.mu.Unlock()
	if len(codes) < 2 || d.single {
		return true, nil
	}
	request := struct {
		Verbali []json.RawMessage `json:"verbali"`
	}{}
	for _, k := range codes {
		request.Verbali = append(request.Verbali, k.Slip)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return false, err
	}
	answer, err := d.call(http.MethodPost, "/v1/verbali/batch", body)
	if _, wrong, err := final(err); err != nil {
		return false, err
	} else if wrong {
		d.single = true // a service that knows no batches, or does not want this one
		return true, nil
	}
	var told struct {
		Verbali []struct {
			Status  int
			Receipt json.RawMessage
			Problem struct{ Code, Detail string }
		}
	}
	if err := json.Unmarshal(answer, &told); err != nil || len(told.Verbali) != len(codes) {
		return false, errors.Join(errors.New("client: the answer to a batch is not one"), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var later error
	for i, o := range told.Verbali {
		k := d.state.find(codes[i].Position)
		if k == nil || k.State != printed {
			continue // spoiled meanwhile: that will be reported
		}
		e := event{Kind: evSent, Position: k.Position}
		no := &Refusal{Status: o.Status, Code: o.Problem.Code, Detail: o.Problem.Detail}
		switch {
		case o.Status == http.StatusOK:
		case no.Temporary() || o.Status == http.StatusUnauthorized:
			later = no
			continue
		default:
			e.Kind, e.Reason = evRefused, no.Code
		}
		if err := d.write(e); err != nil {
			return false, err
		}
	}
	return false, later
}
