package client

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// attempts is how often Sync repeats one request before it gives up for now.
	attempts = 6
	// firstPause and maxPause bound the pause between two attempts; each is chosen
	// at random up to a limit that doubles, so that a town's handhelds do not call
	// in step when the network comes back.
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	// maxRetryAfter bounds the pause that a service may ask for: a warden waits.
	maxRetryAfter = 5 * time.Minute
	// compactAbove is when the journal is rewritten: 1 MiB is a busy week.
	compactAbove = 1 << 20
)

// The errors of a Device that are not the service's.
var (
	ErrNoCodes = errors.New("client: no free code on this device")
	ErrStale   = errors.New("client: the service was not heard for so long that the codes may have been set aside: Sync first")
	ErrState   = errors.New("client: not in the present state of this code")
	ErrInUse   = errors.New("client: another program is using this folder")
	ErrDraft   = errors.New("client: the draft of a slip must be a JSON object without id, position and avviso")
)

// Device is one handheld: a folder with its key and its journal, and a connection.
// Many goroutines may use it. What needs the network never makes the others wait.
type Device struct {
	conn *Conn
	dir  string
	lock io.Closer

	closed sync.Once

	mu      sync.Mutex
	journal *journal
	state   state
	kept    keptShift
	shift   *shift // of kept; nil if there is none

	sightings    sightings // where slips were left lately, as the service last said
	sightingsTag string

	network sync.Mutex // one conversation at a time
	single  bool       // the service takes no batches; network guards it

	sleep func(time.Duration)
	step  func(string)
}

// Open opens the device in a folder, which it makes if need be, and returns it with
// what it knew. A journal that lost something is [ErrDamaged]: see [Forget]. A folder
// that is open already, here or in another program, is [ErrInUse].
func Open(dir, server string) (*Device, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := LoadKey(filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, err
	}
	return OpenWith(dir, server, key)
}

// OpenWith is Open for an app that keeps the key itself.
func OpenWith(dir, server string, s Signer) (*Device, error) {
	conn, err := NewConn(server, s)
	if err != nil {
		return nil, err
	}
	d := &Device{conn: conn, dir: dir, sleep: time.Sleep, step: func(string) {}}
	if d.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// load reads what the device knew. d is not shared yet.
func (d *Device) load() error {
	journal, payloads, err := openJournal(filepath.Join(d.dir, "journal"))
	if err != nil {
		return err
	}
	for _, p := range payloads {
		var e event
		if err := json.Unmarshal(p, &e); err != nil || e.Kind == evState && e.State == nil {
			return errors.Join(fmt.Errorf("%w: a record is not ours", ErrDamaged), journal.close())
		}
		d.state.apply(e)
	}
	d.journal = journal
	if err := errors.Join(d.loadShift(), d.sweepPhotos(), d.compact()); err != nil {
		return errors.Join(err, journal.close())
	}
	return nil
}

// Forget puts a damaged journal out of the way, as journal.damaged. The device must
// then be enrolled again, or [Device.Recover]; what it held becomes suspect. The
// photos are put out of the way too, as photos.damaged.
func Forget(dir string) error {
	if err := os.Rename(filepath.Join(dir, "photos"), filepath.Join(dir, "photos.damaged")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(filepath.Join(dir, "journal"), filepath.Join(dir, "journal.damaged"))
}

// Close releases the folder. Closing again does nothing.
func (d *Device) Close() (err error) {
	d.closed.Do(func() { err = errors.Join(d.journal.close(), d.lock.Close()) })
	return err
}

// Conn is the connection, for what Device does not do.
func (d *Device) Conn() *Conn { return d.conn }

// SetSleep sets how the device waits between attempts. Call it before the first.
func (d *Device) SetSleep(sleep func(time.Duration)) { d.sleep = sleep }

// SetStep sets a function that is told each step before and after it is taken: for
// tests that kill the device there.
func (d *Device) SetStep(step func(string)) { d.step = step }

// write makes an event durable, then makes it count. d.mu must be held.
func (d *Device) write(e event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	d.step("before " + e.Kind)
	if err := d.journal.append(payload); err != nil {
		return err
	}
	d.step("after " + e.Kind)
	d.state.apply(e)
	return nil
}

// compact rewrites the journal if much of it is history.
func (d *Device) compact() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.journal.size < compactAbove {
		return nil
	}
	payload, err := json.Marshal(event{Kind: evState, State: &d.state})
	if err != nil || int64(len(payload)) > d.journal.size/2 {
		return err
	}
	return d.journal.rewrite(payload)
}

// Enrolled returns what the service said when the device was enrolled, as JSON; ""
// if it is not.
func (d *Device) Enrolled() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.state.Enrolment)
}

// Count returns how many codes are in a state: "free", "printed" and so on.
func (d *Device) Count(state string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.count(state)
}

// Sent returns how many slips the service has taken.
func (d *Device) Sent() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Sent
}

// Codes returns the codes on the device as a JSON list, oldest first: position,
// avviso, state and, where it has them, slip and reason.
func (d *Device) Codes() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := json.Marshal(d.state.Codes)
	if err != nil || d.state.Codes == nil {
		return "[]"
	}
	return string(b)
}

// Enrol registers the device's key with a one-time code. It may be repeated with
// the same code until it succeeds. A folder that knows nothing then asks what an
// earlier installation held: see [Device.Recover].
func (d *Device) Enrol(code string) error {
	body, err := json.Marshal(map[string]string{"code": code, "public_key": base64.StdEncoding.EncodeToString(d.conn.signer.PublicKey())})
	if err != nil {
		return err
	}
	d.network.Lock()
	answer, err := d.call(http.MethodPost, "/v1/enrolments", body)
	d.network.Unlock()
	if err != nil {
		return err
	}
	d.mu.Lock()
	err = d.write(event{Kind: evEnrolled, Body: answer})
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.Recover()
}

// Lease asks for codes, at most 500 at once, and returns how many came; with 0 the
// service decides. Its request is repeated by the next Lease or Sync if no answer came.
func (d *Device) Lease(want int) (int, error) {
	d.network.Lock()
	defer d.network.Unlock()
	if _, err := d.settleAsk(); err != nil {
		return 0, err
	}
	if err := d.freshen(); err != nil {
		return 0, err
	}
	id, err := d.newID()
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	err = d.write(event{Kind: evAsk, Ask: &ask{ID: id, Want: want}})
	d.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return d.settleAsk()
}

// settleAsk brings the open request of codes to an end, if there is one. d.network
// must be held.
func (d *Device) settleAsk() (int, error) {
	d.mu.Lock()
	open := d.state.Ask
	d.mu.Unlock()
	if open == nil {
		return 0, nil
	}
	body, err := json.Marshal(open)
	if err != nil {
		return 0, err
	}
	answer, err := d.call(http.MethodPost, "/v1/leases", body)
	var lent struct {
		Codes []code `json:"codes"`
	}
	var no *Refusal
	switch {
	case err == nil:
		if err := json.Unmarshal(answer, &lent); err != nil {
			return 0, fmt.Errorf("client: %w", err)
		}
	case errors.As(err, &no) && (!no.Temporary() || no.Code == "pool.empty") && no.Status != http.StatusUnauthorized:
		// Nothing was lent, and nothing will be under this id.
	default:
		return 0, err
	}
	// Only what is assigned may be printed: the rest of a repeated answer has been
	// used or set aside since.
	got := lent.Codes[:0]
	for _, k := range lent.Codes {
		if k.State == "assigned" {
			got = append(got, k)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(got), errors.Join(d.write(event{Kind: evLent, Codes: got}), d.extend(false), err)
}

// extendBy is how much later the end of the lease must have become to be written
// down: a day has some writes more, not one for each request.
const extendBy = time.Hour

// extend moves the end of the lease to where the service last put it. Once it has
// passed that takes more than an answer: checked says that the service has just told
// what the device still holds. d.mu must be held.
func (d *Device) extend(checked bool) error {
	until := d.conn.Expires()
	if d.stale() && !checked || until.Sub(d.state.Until) < extendBy {
		return nil
	}
	return d.write(event{Kind: evUntil, Until: until})
}

// stale reports whether the lease has passed. d.mu must be held.
func (d *Device) stale() bool {
	return !d.state.Until.IsZero() && d.conn.Now().After(d.state.Until)
}

// freshen asks what the device still holds, if its lease has passed. d.network must
// be held.
func (d *Device) freshen() error {
	d.mu.Lock()
	stale := d.stale()
	d.mu.Unlock()
	if !stale {
		return nil
	}
	return d.compare()
}

// Issue puts a slip on the oldest free code and returns it whole, ready to print:
// its use is then on the disk. draft is what the warden entered: the members of a
// Slip of openapi.yaml without id, position, avviso and full; issued_at is now if it is
// missing. After printing call [Device.Printed], [Device.Spoil] if the paper is no
// good, and after a crash see [Device.Unsure]. [ErrStale] if the service may have
// given up the device's codes: [Device.Sync] finds out.
func (d *Device) Issue(draft string) (string, error) {
	var slip map[string]json.RawMessage
	if err := json.Unmarshal([]byte(draft), &slip); err != nil || slip == nil {
		return "", ErrDraft
	}
	for _, name := range []string{"id", "position", "avviso", "full"} {
		if _, given := slip[name]; given {
			return "", ErrDraft
		}
	}
	id, err := d.newID()
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.state.first(free)
	if k == nil {
		return "", ErrNoCodes
	}
	if d.stale() {
		return "", ErrStale
	}
	var full *code
	if d.twoCodes(slip["steps"]) {
		if full = d.state.after(k, free); full == nil {
			return "", ErrNoCodes
		}
		if slip["full"], err = json.Marshal(map[string]string{"position": full.Position, "avviso": full.Avviso}); err != nil {
			return "", err
		}
	}
	if _, given := slip["clock_skew_ms"]; !given {
		if slip["clock_skew_ms"], err = json.Marshal(d.conn.skew().Milliseconds()); err != nil {
			return "", err
		}
	}
	for name, value := range map[string]string{"id": id, "position": k.Position, "avviso": k.Avviso, "issued_at": d.conn.Now().UTC().Format(time.RFC3339)} {
		if _, given := slip[name]; given {
			continue
		}
		if slip[name], err = json.Marshal(value); err != nil {
			return "", err
		}
	}
	whole, err := json.Marshal(slip)
	if err != nil {
		return "", err
	}
	use := event{Kind: evUse, Position: k.Position, Verbale: id, Body: whole}
	if full != nil {
		use.Full = full.Position
	}
	if err := d.write(use); err != nil {
		return "", err
	}
	return string(whole), nil
}

// Unsure returns the oldest slip of which the device does not know whether it was
// printed, "" if there is none. The warden looks: if the paper is there call
// Printed, else print the same slip, and no other, then call Printed.
func (d *Device) Unsure() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.state.first(printing); k != nil {
		return string(k.Slip)
	}
	return ""
}

// Printed says that the slip with an id is on paper: it will be uploaded.
func (d *Device) Printed(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.state.Codes {
		if k.Verbale != id {
			continue
		}
		switch k.State {
		case printing:
			return d.write(event{Kind: evPrinted, Position: k.Position})
		case printed:
			return nil
		}
	}
	return ErrState
}

// Spoil says that a code can no longer be used; reason is one of SpoilReason of
// openapi.yaml. What is uploaded already cannot be spoiled: that is a matter for the
// office.
func (d *Device) Spoil(position, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.state.find(position)
	if k != nil && k.State == second {
		k = d.state.find(k.Of) // one slip, two codes
	}
	if k == nil || k.State == returning {
		return ErrState
	}
	if k.State == spoiling {
		return nil
	}
	return d.write(event{Kind: evSpoil, Position: k.Position, Reason: reason})
}

// Adopt takes over a slip that an earlier installation printed and did not upload,
// from its paper: the whole slip, as Issue returned it. Its code must be a suspect.
func (d *Device) Adopt(slip string) error {
	var s struct {
		ID, Position, Avviso string
		Full                 struct{ Position, Avviso string }
	}
	if err := json.Unmarshal([]byte(slip), &s); err != nil || s.ID == "" {
		return ErrDraft
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.state.find(s.Position)
	if k == nil || k.State != suspect || k.Avviso != s.Avviso {
		return ErrState
	}
	use := event{Kind: evUse, Position: s.Position, Verbale: s.ID, Body: json.RawMessage(slip), Full: s.Full.Position}
	if full := d.state.find(use.Full); use.Full != "" && (full == nil || full.State != suspect || full.Avviso != s.Full.Avviso) {
		return ErrState
	}
	// Two records: after the first, Unsure asks, and the paper is there.
	if err := d.write(use); err != nil {
		return err
	}
	return d.write(event{Kind: evPrinted, Position: s.Position})
}

// GiveBack says that the free codes will not be printed, at the end of a shift. The
// next Sync tells the service. It returns how many there are.
func (d *Device) GiveBack() (int, error) {
	id, err := d.newID()
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.state.count(free)
	if n == 0 {
		return 0, nil
	}
	return n, d.write(event{Kind: evGiveBack, Return: id})
}

// Recover compares the device with the service. What the service says the device
// holds and the device does not know is a suspect: an earlier installation may have
// printed it. What is free here and not lent any more is never printed.
func (d *Device) Recover() error {
	d.network.Lock()
	defer d.network.Unlock()
	if _, err := d.settleAsk(); err != nil {
		return err
	}
	return d.compare()
}

// compare is Recover with d.network held.
func (d *Device) compare() error {
	answer, err := d.call(http.MethodGet, "/v1/state", nil)
	if err != nil {
		return err
	}
	var told struct {
		Held []code `json:"held"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	lent := map[string]bool{}
	var unknown []code
	for _, k := range told.Held {
		lent[k.Position] = k.State == "assigned"
		if d.state.find(k.Position) == nil {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) > 0 {
		if err := d.write(event{Kind: evSuspect, Codes: unknown}); err != nil {
			return err
		}
	}
	if len(told.Held) >= maxHeld {
		return d.extend(true) // the list may be cut short: what is missing proves nothing
	}
	var gone []string
	for _, k := range d.state.Codes {
		if k.State == free && !lent[k.Position] {
			gone = append(gone, k.Position)
		}
	}
	for _, position := range gone {
		if err := d.write(event{Kind: evAside, Position: position}); err != nil {
			return err
		}
	}
	return d.extend(true)
}

// maxHeld is how many codes /v1/state lists at most.
const maxHeld = 1000

// Sync tells the service all that it does not know: it settles an open request of
// codes, uploads what was printed, reports what is spoiled and gives back what is
// to be. What the service refuses for good is kept as refused and not sent again.
// The error is that of the first request that got no answer; call Sync again later.
func (d *Device) Sync() error {
	d.network.Lock()
	defer d.network.Unlock()
	if _, err := d.settleAsk(); err != nil {
		if no, ok := errors.AsType[*Refusal](err); !ok || no.Temporary() && no.Code != "pool.empty" || no.Status == http.StatusUnauthorized {
			return err
		}
	}
	if err := d.freshen(); err != nil {
		return err
	}
	for _, task := range []func() (done bool, err error){d.uploadBatch, d.upload, d.report, d.giveBack, d.sendPhoto} {
		for {
			done, err := task()
			if err != nil {
				return err
			}
			if done {
				break
			}
		}
	}
	d.mu.Lock()
	err := d.extend(false)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.compact()
}

func (d *Device) next(in string) (code, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.state.first(in); k != nil {
		return *k, true
	}
	return code{}, false
}

// upload sends the oldest slip.
func (d *Device) upload() (done bool, err error) {
	k, ok := d.next(printed)
	if !ok {
		return true, nil
	}
	_, err = d.call(http.MethodPost, "/v1/verbali", k.Slip)
	no, wrong, err := final(err)
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.state.find(k.Position).State != printed:
		return false, nil // spoiled meanwhile: that will be reported
	case wrong:
		return false, d.write(event{Kind: evRefused, Position: k.Position, Reason: no.Code})
	}
	return false, d.write(event{Kind: evSent, Position: k.Position})
}

// report tells of the oldest spoiled code.
func (d *Device) report() (done bool, err error) {
	k, ok := d.next(spoiling)
	if !ok {
		return true, nil
	}
	body, err := json.Marshal(map[string]string{"position": k.Position, "reason": k.Reason})
	if err != nil {
		return false, err
	}
	_, err = d.call(http.MethodPost, "/v1/spoils", body)
	no, wrong, err := final(err)
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if wrong {
		return false, d.write(event{Kind: evRefused, Position: k.Position, Reason: no.Code})
	}
	return false, d.write(event{Kind: evDone, Position: k.Position})
}

// giveBack sends the codes of the oldest request to give back, at most as many as
// one request takes. The rest goes under the same id: each code is decided alone.
func (d *Device) giveBack() (done bool, err error) {
	oldest, ok := d.next(returning)
	if !ok {
		return true, nil
	}
	const maxReturn = 500
	var request struct {
		ID        string   `json:"id"`
		Positions []string `json:"positions"`
	}
	request.ID = oldest.Return
	d.mu.Lock()
	for _, k := range d.state.Codes {
		if k.State == returning && k.Return == oldest.Return && len(request.Positions) < maxReturn {
			request.Positions = append(request.Positions, k.Position)
		}
	}
	d.mu.Unlock()
	body, err := json.Marshal(request)
	if err != nil {
		return false, err
	}
	answer, err := d.call(http.MethodPost, "/v1/returns", body)
	if err != nil {
		return false, err
	}
	var told struct {
		Codes []struct {
			Position string `json:"position"`
			Returned bool   `json:"returned"`
		} `json:"codes"`
	}
	if err := json.Unmarshal(answer, &told); err != nil || len(told.Codes) != len(request.Positions) {
		return false, errors.Join(errors.New("client: the answer to a return is not one"), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range told.Codes {
		kind := evDone
		if !k.Returned {
			kind = evAside
		}
		if err := d.write(event{Kind: kind, Position: k.Position}); err != nil {
			return false, err
		}
	}
	return false, nil
}

// final sorts errors: a refusal that repeating cannot change, or one that ends the
// conversation for now.
func final(err error) (no *Refusal, wrong bool, _ error) {
	if errors.As(err, &no) && !no.Temporary() && no.Status != http.StatusUnauthorized {
		return no, true, nil
	}
	return nil, false, err
}

// call makes a request until it is answered, some times. d.network must be held.
func (d *Device) call(method, path string, body []byte) ([]byte, error) {
	a, err := d.callWith(outgoing{method: method, path: path, kind: kindJSON, body: body})
	return a.body, err
}

func (d *Device) callWith(o outgoing) (incoming, error) {
	pause := firstPause
	for n := 1; ; n++ {
		d.step("before " + o.method + " " + o.path)
		answer, err := d.conn.do(o)
		d.step("after " + o.method + " " + o.path)
		no, answered := errors.AsType[*Refusal](err)
		if err == nil || answered && !no.Temporary() || answered && no.Code == "pool.empty" || n == attempts || unreachable(err) {
			return answer, err
		}
		wait := time.Duration(mathrand.Int64N(int64(pause)))
		if answered {
			wait += min(time.Duration(no.RetryAfter)*time.Second, maxRetryAfter)
		}
		d.sleep(wait)
		pause = min(2*pause, maxPause)
	}
}

// newID makes a UUIDv7 as 32 hex digits, by the service's clock.
func (d *Device) newID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[6:]); err != nil {
		return "", err
	}
	ms := d.conn.Now().UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:]), nil
}
