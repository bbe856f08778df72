package certify_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/firmware-api/client"
	"preavviso/internal/certify"
)

// network is a listener and a dialer without sockets, so that time can stand still.
type network struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newNetwork() *network { return &network{conns: make(chan net.Conn), done: make(chan struct{})} }

type address string

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }

func (n *network) Addr() net.Addr { return address("kit.test") }

func (n *network) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-n.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// device is a handheld on the reference client, and an Operator for it. It does
// what an app has to do around the client: call again after a pause, and stop when
// it is revoked.
type device struct {
	t    testing.TB
	dir  string
	net  *network
	base *http.Transport
	bug  bug

	mu      sync.Mutex
	rule    string // of the last action
	d       *client.Device
	extra   *client.Conn // signs with the device's key, past the device
	server  string
	revoked bool
	last    string // id of the last slip
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{}
	turn    chan struct{} // one conversation at a time: to wait for a mutex would stop the time of the bubble
}

// newDevice returns a device on a network; nil is the machine's own.
func newDevice(t testing.TB, n *network, b bug) *device {
	d := &device{t: t, dir: t.TempDir(), net: n, bug: b, base: &http.Transport{}, turn: make(chan struct{}, 1)}
	if n != nil {
		d.base.DialContext = n.dial
	}
	return d
}

// inForce reports whether the bug shows now.
func (d *device) inForce() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bug.during == d.rule
}

// buggy is the transport of a device with a bug.
type buggy struct {
	d    *device
	good http.RoundTripper
	bad  http.RoundTripper
}

func (b buggy) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.d.inForce() {
		return b.bad.RoundTrip(req)
	}
	return b.good.RoundTrip(req)
}

func (d *device) transport() http.RoundTripper {
	if d.bug.transport == nil {
		return d.base
	}
	return buggy{d, d.base, d.bug.transport(d, d.base)}
}

func (d *device) open() {
	dev, err := client.Open(d.dir, d.server)
	if err != nil {
		d.t.Error(err)
		return
	}
	dev.Conn().SetTransport(d.transport())
	d.mu.Lock()
	d.d = dev
	d.mu.Unlock()
	if d.extra == nil {
		key, err := client.LoadKey(filepath.Join(d.dir, "key.pem"))
		if err != nil {
			d.t.Error(err)
			return
		}
		if d.extra, err = client.NewConn(d.server, key); err != nil {
			d.t.Error(err)
			return
		}
		d.extra.SetTransport(d.base)
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.wake = make(chan struct{}, 1)
}

func (d *device) close() {
	if d.d == nil {
		return
	}
	d.stop()
	d.running.Wait()
	if err := d.d.Close(); err != nil {
		d.t.Error(err)
	}
	d.base.CloseIdleConnections()
}

// alone has one conversation.
func (d *device) alone(f func() error) error {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	return f()
}

// later runs what may take long, as a device does in the background.
func (d *device) later(f func()) { d.running.Go(f) }

// pause waits, and reports whether the device still runs.
func (d *device) pause(p time.Duration) bool {
	select {
	case <-d.ctx.Done():
		return false
	case <-time.After(p):
		return true
	}
}

// heard notes a revocation.
func (d *device) heard(err error) (no *client.Refusal) {
	no, ok := errors.AsType[*client.Refusal](err)
	if ok && no.Code == "auth.unknown_key" {
		d.mu.Lock()
		d.revoked = true
		d.mu.Unlock()
	}
	return no
}

func (d *device) isRevoked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.revoked
}

// sync uploads what there is, for ever.
func (d *device) sync() {
	for !d.isRevoked() {
		pause := 5 * time.Second
		if err := d.alone(d.d.Sync); err != nil {
			pause = 20 * time.Second
			if no := d.heard(err); no != nil {
				pause = max(pause, time.Duration(no.RetryAfter)*time.Second)
			}
			if !d.pause(pause) {
				return
			}
			continue
		}
		select {
		case <-d.ctx.Done():
			return
		case <-d.wake:
		case <-time.After(pause):
		}
	}
}

func (d *device) enrol(code string) {
	for {
		err := d.alone(func() error { return d.d.Enrol(code) })
		if err == nil {
			d.update()
			d.later(d.sync)
			return
		}
		if no := d.heard(err); no != nil && no.Status == http.StatusForbidden || !d.pause(20*time.Second) {
			return
		}
	}
}

// update asks for the shift, some times.
func (d *device) update() {
	for range 3 {
		err := d.alone(func() error {
			_, err := d.d.SyncShift()
			return err
		})
		if err == nil || d.heard(err) != nil && d.isRevoked() || !d.pause(20*time.Second) {
			return
		}
	}
}

const draft = `{"plate":"AB123CD","nation":"IT","vehicle":"autovettura grigia","place":"Via Roma 12","violation":{"code":"C-1"},"warden":"M042","offline":false}`

// issue fills in a slip from the catalogue.
func (d *device) issue() (string, error) {
	if d.d.ShiftOld() && d.d.Shift() != "" && !d.isRevoked() && !(d.bug.careless && d.inForce()) {
		_ = d.alone(func() error { // without an answer it prints all the same
			_, err := d.d.SyncShift()
			return err
		})
	}
	priced, err := d.d.Price(draft)
	if err != nil {
		return "", err
	}
	if d.bug.reckons && d.inForce() {
		priced = strings.Replace(priced, `"cents":3010`, `"cents":3009`, 1) // 43 less 30 %, rounded otherwise
	}
	return d.d.Issue(priced)
}

// shoot adds a photo to the last slip. A lie is another file than was declared.
func (d *device) shoot(lie bool) error {
	picture := image.NewGray(image.Rect(0, 0, 512, 512))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range picture.Pix {
		picture.Pix[i] = byte(random.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 90}); err != nil {
		return err
	}
	id, err := d.d.AddPhoto(d.last, b.Bytes())
	if err != nil || !lie {
		return err
	}
	other := bytes.Clone(b.Bytes())
	other[len(other)/2] ^= 1
	return os.WriteFile(filepath.Join(d.dir, "photos", id), other, 0o600)
}

// read confirms the messages of the office, some times.
func (d *device) read() {
	for range 3 {
		err := d.alone(func() error {
			var ids []string
			err := d.d.Hear(func(page string) error {
				var p struct{ Messages []struct{ ID string } }
				err := json.Unmarshal([]byte(page), &p)
				for _, m := range p.Messages {
					ids = append(ids, m.ID)
				}
				return err
			})
			if d.bug.careless && d.inForce() {
				return err
			}
			for _, id := range ids {
				err = errors.Join(err, d.d.Confirm(id))
			}
			return err
		})
		if err == nil || !d.pause(20*time.Second) {
			return
		}
	}
}

// scan enrols a second installation with the text of a QR code.
func (d *device) scan(text string) error {
	e, err := client.ParseEnrolment(text)
	if err != nil {
		return err
	}
	other, err := client.Open(filepath.Join(d.dir, "second"), e.Server)
	if err != nil {
		return err
	}
	if err := other.Conn().SetPin(e.Pin); err != nil {
		return err
	}
	pinned := other.Conn().Transport().(*http.Transport)
	pinned.DialContext, pinned.Proxy = d.base.DialContext, nil
	if d.bug.careless && d.inForce() {
		pinned.TLSClientConfig.VerifyConnection = nil
	}
	d.later(func() {
		_ = other.Enrol(e.Code) // it must fail
		pinned.CloseIdleConnections()
		if err := other.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return nil
}

// slip prints one slip and returns it whole.
func (d *device) slip() (string, error) {
	whole, err := d.issue()
	if err != nil {
		return "", err
	}
	var s struct{ ID string }
	if err := json.Unmarshal([]byte(whole), &s); err != nil {
		return "", err
	}
	d.last = s.ID
	return whole, d.d.Printed(s.ID)
}

func (d *device) Do(_ context.Context, a certify.Action) (bool, error) {
	d.mu.Lock()
	d.rule, d.server = a.Rule, cmp.Or(a.Server, d.server)
	d.mu.Unlock()
	done, err := d.act(a)
	if d.bug.after != nil && d.inForce() {
		d.bug.after(d, a)
	}
	return done, err
}

func (d *device) act(a certify.Action) (bool, error) {
	if d.d == nil {
		d.open()
	}
	switch a.Verb {
	case certify.Enrol:
		d.later(func() { d.enrol(a.Code) })
	case certify.Block:
		d.later(func() {
			d.heard(d.alone(func() error {
				_, err := d.d.Lease(a.Count)
				return err
			}))
		})
	case certify.Slip:
		for range a.Count {
			if _, err := d.slip(); err != nil {
				return false, nil
			}
			select {
			case d.wake <- struct{}{}:
			default:
			}
			time.Sleep(time.Second) // a quick warden
		}
	case certify.Sync:
		d.later(func() {
			for range 3 {
				if err := d.alone(d.d.Recover); err == nil || d.heard(err) != nil && d.isRevoked() || !d.pause(20*time.Second) {
					return
				}
			}
		})
	case certify.Restart:
		d.close()
		d.open()
		d.later(d.sync)
	case certify.Spoil:
		whole, err := d.issue()
		if err != nil {
			return false, nil
		}
		var s struct{ Position string }
		if err := json.Unmarshal([]byte(whole), &s); err != nil {
			return false, err
		}
		return true, d.d.Spoil(s.Position, "unreadable")
	case certify.GiveBack:
		_, err := d.d.GiveBack()
		return err == nil, err
	case certify.Refuse:
		if d.isRevoked() && !(d.bug.prints && d.inForce()) {
			return false, nil
		}
		_, err := d.slip()
		return err == nil || d.bug.prints && d.inForce(), nil
	case certify.Shift:
		d.later(d.update)
	case certify.Photo:
		err := d.shoot(false)
		select {
		case d.wake <- struct{}{}:
		default:
		}
		return err == nil, err
	case certify.Read:
		d.later(d.read)
	case certify.Scan:
		return true, d.scan(a.Server)
	}
	return true, nil
}

// made is an answer that nobody gave.
func made(req *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// read returns an answer whole, and gives it back to be read again.
func read(resp *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if e := resp.Body.Close(); err == nil {
		err = e
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// bodyOf returns what a request says.
func bodyOf(req *http.Request) []byte {
	if req.GetBody == nil {
		return nil
	}
	r, err := req.GetBody()
	if err != nil {
		return nil
	}
	body, _ := io.ReadAll(r) // of memory
	return body
}
