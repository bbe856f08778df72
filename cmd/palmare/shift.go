package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"preavviso/firmware-api/client"
)

// spare is how many codes more than slips a shift takes along.
const spare = 10

// photoEvery is which slip has a photo.
const photoEvery = 3

// shift is a warden's day. All of its progress is in the device's journal and on
// paper, so that it can be played on after any crash.
type shift struct {
	dir    string
	slips  int
	rate   float64 // probability of a crash at each step of the client
	warden string
	seed   uint64
	out    io.Writer

	open      func() (*client.Device, error)
	transport http.RoundTripper     // nil: the default
	now       func() time.Time      // the clock of the device
	pass      func()                // called between two slips
	crash     func(step string)     // ends the process; nil: the app only starts again
	reinstall func() (string, bool) // asked between two slips: true if the app is to be installed again, and enrolled with the code

	lives   int  // how often the app has started
	crashes int  // how often it died
	online  bool // there is a network
	printed int  // slips on paper

	photos []string // ids of the photos that this installation took
	heard  int      // slips of which the service told something
}

// died is the panic of a simulated crash.
type died struct{ step string }

// play plays the shift to its end.
func (s *shift) play() error {
	for {
		ended, err := s.live()
		if err != nil || ended {
			return err
		}
	}
}

// live is the app from its start to its end, or its crash.
func (s *shift) live() (ended bool, err error) {
	s.lives++
	random := rand.New(rand.NewPCG(s.seed, uint64(s.lives)))
	d, err := s.open()
	if err != nil {
		return false, err
	}
	defer func() {
		err = errors.Join(err, d.Close())
		switch p := recover().(type) {
		case nil:
		case died:
			s.crashes++
			fmt.Fprintf(s.out, "guasto %d: %s\n", s.crashes, p.step)
			ended = false
		default:
			panic(p)
		}
	}()
	transport := s.transport
	if transport == nil {
		transport = d.Conn().Transport() // with the pin of the service's key, if it has one
	}
	d.Conn().SetTransport(cable{s, transport})
	d.Conn().SetNow(s.now)
	d.SetStep(func(step string) {
		if random.Float64() >= s.rate {
			return
		}
		if s.crash != nil {
			s.crash(step)
		}
		panic(died{step})
	})
	if s.transport != nil {
		d.SetSleep(func(time.Duration) {})
	}
	return s.work(d, random)
}

// work is what the warden does with the app while it runs.
func (s *shift) work(d *client.Device, random *rand.Rand) (ended bool, err error) {
	paper := filepath.Join(s.dir, paperDir)
	if err := reprint(d, paper); err != nil {
		return false, err
	}
	if s.printed, err = count(paper); err != nil {
		return false, err
	}
	// In the morning, and after a re-installation, there is a network.
	s.online = true
	for missing := s.slips - s.printed; missing > 0 && d.Count("free") < missing; {
		n, err := d.Lease(min(500, missing-d.Count("free")+spare))
		if err != nil {
			return false, err
		}
		fmt.Fprintf(s.out, "%d codici\n", n)
	}
	if err := syncShift(d); err != nil && !retry(err) {
		return false, err
	}
	s.online = false
	for s.printed < s.slips {
		if err := s.issue(d, paper, random); err != nil {
			return false, err
		}
		s.pass()
		if s.reinstall == nil {
			continue
		}
		if code, again := s.reinstall(); again {
			return false, s.install(d, paper, code)
		}
	}
	s.online = true
	if err := s.evening(d, paper); err != nil {
		return false, err
	}
	fmt.Fprintf(s.out, "turno finito: %d preavvisi, %d trasmessi da questa installazione, %d esiti ricevuti, %d guasti\n", s.printed, d.Sent(), s.heard, s.crashes)
	return true, nil
}

func (s *shift) issue(d *client.Device, paper string, random *rand.Rand) error {
	plate := fmt.Sprintf("%c%c%03d%c%c", 'A'+random.IntN(26), 'A'+random.IntN(26), random.IntN(1000), 'A'+random.IntN(26), 'A'+random.IntN(26))
	text, err := draft(d, plate, "Via Roma, fronte civico 12", s.warden, true)
	if err != nil {
		return err
	}
	slip, err := d.Issue(text)
	if err != nil {
		return err
	}
	_, id, err := printSlip(d, paper, slip)
	if err != nil {
		return err
	}
	s.printed++
	if err := d.Printed(id); err != nil || s.printed%photoEvery != 0 {
		return err
	}
	file, err := photo(random)
	if err != nil {
		return err
	}
	photoID, err := d.AddPhoto(id, file)
	if err == nil {
		s.photos = append(s.photos, photoID)
	}
	return err
}

// photo is a picture of noise: about 9 KB that no compression makes smaller, so that
// it goes up in pieces of a size of its own.
func photo(random *rand.Rand) ([]byte, error) {
	picture := image.NewGray(image.Rect(0, 0, 128, 96))
	for i := range picture.Pix {
		picture.Pix[i] = byte(random.Uint32())
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 75})
	return b.Bytes(), err
}

// waiting counts the photos that the service has not got and does not refuse.
func waiting(d *client.Device) (n int, err error) {
	var list []struct{ Reason string }
	if err := json.Unmarshal([]byte(d.Photos()), &list); err != nil {
		return 0, err
	}
	for _, p := range list {
		if p.Reason == "" {
			n++
		}
	}
	return n, nil
}

// evening uploads all there is, and gives back what was not printed.
func (s *shift) evening(d *client.Device, paper string) error {
	for {
		photos, err := waiting(d)
		if err != nil {
			return err
		}
		if photos+d.Count("printed")+d.Count("spoiling")+d.Count("returning") == 0 {
			break
		}
		if err := d.Sync(); err != nil && !retry(err) {
			return err
		}
	}
	if err := s.listen(d); err != nil {
		return err
	}
	if err := d.Recover(); err != nil {
		return err
	}
	if _, err := d.GiveBack(); err != nil {
		return err
	}
	for d.Count("returning") > 0 {
		if err := d.Sync(); err != nil && !retry(err) {
			return err
		}
	}
	return nil
}

// listen hears what became of the slips until nothing new comes, and says so.
func (s *shift) listen(d *client.Device) error {
	for {
		err := d.Hear(func(page string) error {
			var p struct{ Slips []struct{ ID string } }
			if err := json.Unmarshal([]byte(page), &p); err != nil {
				return err
			}
			s.heard += len(p.Slips)
			return nil
		})
		if err == nil || !retry(err) {
			return err
		}
	}
}

// retry reports whether the network, not the service, failed.
func retry(err error) bool {
	no, answered := errors.AsType[*client.Refusal](err)
	return !answered || no.Temporary()
}

// install wipes the app and what it knew, but not the paper. What it printed and
// did not upload is taken over from the paper; the other codes it held may be
// anywhere.
func (s *shift) install(d *client.Device, paper, code string) error {
	if err := d.Close(); err != nil {
		return err
	}
	for _, name := range []string{"journal", "key.pem"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	s.photos = nil // what was not sent is gone with the app
	s.online = true
	fresh, err := s.open()
	if err != nil {
		return err
	}
	fresh.Conn().SetTransport(cable{s, s.transport})
	fresh.Conn().SetNow(s.now)
	fresh.SetSleep(func(time.Duration) {})
	defer fresh.Close()
	if err := fresh.Enrol(code); err != nil {
		return err
	}
	slips, err := filepath.Glob(filepath.Join(paper, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range slips {
		slip, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := fresh.Adopt(string(slip)); err != nil && !errors.Is(err, client.ErrState) { // ErrState: uploaded before
			return err
		}
	}
	var codes []struct{ Position, State string }
	if err := json.Unmarshal([]byte(fresh.Codes()), &codes); err != nil {
		return err
	}
	for _, k := range codes {
		if k.State == "suspect" {
			if err := fresh.Spoil(k.Position, "unknown"); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(s.out, "installato di nuovo: %d preavvisi ripresi dalla carta, %d codici segnalati\n", fresh.Count("printed"), fresh.Count("spoiling"))
	return nil
}

// reprint settles slips of which the app does not know whether they came out: the
// warden looks at the printer.
func reprint(d *client.Device, paper string) error {
	for slip := d.Unsure(); slip != ""; slip = d.Unsure() {
		_, id, err := printSlip(d, paper, slip)
		if err != nil {
			return err
		}
		if err := d.Printed(id); err != nil {
			return err
		}
	}
	return nil
}

func count(paper string) (int, error) {
	slips, err := filepath.Glob(filepath.Join(paper, "*.json"))
	return len(slips), err
}

// syncShift asks for the shift; what is kept serves where there is no answer.
func syncShift(d *client.Device) error {
	_, err := d.SyncShift()
	return err
}

// draft is what a warden enters; norm, conduct and amounts come from the catalogue.
// Where the creditor has none the warden enters those too.
func draft(d *client.Device, plate, place, warden string, offline bool) (string, error) {
	entered := map[string]any{
		"plate": plate, "nation": "IT", "place": place, "warden": warden, "offline": offline,
		"violation": map[string]string{"code": "158-6"}, "vehicle_class": "other",
	}
	if offline {
		entered["offline_reason"] = "no_network"
	}
	text, err := json.Marshal(entered)
	if err != nil {
		return "", err
	}
	priced, err := d.Price(string(text))
	if !errors.Is(err, client.ErrNoShift) && !errors.Is(err, client.ErrViolation) {
		return priced, err
	}
	day := func(n int) string { return d.Conn().Now().AddDate(0, 0, n).Format(time.DateOnly) }
	entered["violation"] = map[string]string{"norm": "art. 158 c. 2 e 6 CdS", "conduct": "Sostava in corrispondenza di un passo carrabile."}
	entered["steps"] = []map[string]any{{"cents": 2940, "last_day": day(5)}, {"cents": 4200, "last_day": day(60)}, {"cents": 8650}}
	text, err = json.Marshal(entered)
	return string(text), err
}

// cable is a network that may be unplugged.
type cable struct {
	s    *shift
	next http.RoundTripper
}

func (c cable) RoundTrip(r *http.Request) (*http.Response, error) {
	if !c.s.online {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("network is unreachable")}
	}
	return c.next.RoundTrip(r)
}
