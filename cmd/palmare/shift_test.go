package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/firmware-api/client"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/pool"
	"preavviso/internal/web/webtest"
)

// lossy loses requests on their way and answers on theirs.
type lossy struct {
	next http.RoundTripper
	rate float64

	mu     sync.Mutex
	random *rand.Rand
	lost   int
}

var errReset = errors.New("connection reset by peer")

func (l *lossy) lose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.random.Float64() < l.rate
	if lost {
		l.lost++
	}
	return lost
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.lose() {
		return nil, errReset
	}
	resp, err := l.next.RoundTrip(r)
	if err == nil && l.lose() {
		return nil, errReset
	}
	return resp, err
}

// TestShift is six hours without a network, in which the app dies again and again
// at every step it takes and is installed again once; a network that loses a tenth
// of what it carries; and in the end every slip on paper is known to the service
// once, no code is on two slips, and every code that was lent is accounted for.
func TestShift(t *testing.T) {
	seeds := 3
	if os.Getenv("PREAVVISO_TEST_SOAK") != "" {
		seeds = 300
	}
	died := map[string]bool{}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { shiftOf(t, uint64(seed), died) })
	}
	t.Logf("died at %d different steps", len(died))
}

func shiftOf(t *testing.T, seed uint64, diedAt map[string]bool) {
	const slips = 40
	w := webtest.New(t)
	w.AddCodes(t, webtest.Torino, 400)
	device, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", false)
	if err != nil {
		t.Fatal(err)
	}
	day := multe.DayOf(w.Now())
	if _, _, err := w.Documents.Add(t.Context(), "admin", webtest.Torino, multe.DocumentCatalogue, multe.Day{Year: 2026, Month: 1, Day: 1}, cds.Sample(), false); err != nil {
		t.Fatal(err)
	}
	api := firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: w.Pool, Verbali: w.Verbali, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents})
	net := &lossy{next: webtest.Transport{Handler: api}, rate: 0.05, random: rand.New(rand.NewPCG(seed, 1))}
	dir := filepath.Join(t.TempDir(), "palmare")
	s := &shift{
		dir: dir, slips: slips, rate: 0.02, warden: "M-17", seed: seed, out: io.Discard,
		open:      func() (*client.Device, error) { return client.Open(dir, "http://palmari.example") },
		transport: net, now: w.Now,
		pass: func() { w.Pass(6 * time.Hour / slips) },
	}
	installed := false
	s.reinstall = func() (string, bool) {
		if installed || s.printed < slips/2 {
			return "", false
		}
		installed = true
		_, again, err := w.Registry.InviteDevice(t.Context(), "admin", webtest.Torino, device.ID)
		if err != nil {
			t.Fatal(err)
		}
		return again, true
	}
	s.online = true
	d, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	d.Conn().SetTransport(net)
	d.Conn().SetNow(w.Now)
	d.SetSleep(func(time.Duration) {})
	if err := errors.Join(d.Enrol(code), d.Close()); err != nil {
		t.Fatal(err)
	}
	for {
		ended, err := s.live()
		if err != nil && !retry(err) {
			t.Fatal(err)
		}
		if ended {
			break
		}
		if s.lives > 2000 {
			t.Fatal("the shift does not end: ", err)
		}
	}
	if s.crashes < 3 || !installed || net.lost == 0 {
		t.Errorf("%d crashes, installed again: %t, %d messages lost: the shift was too quiet", s.crashes, installed, net.lost)
	}
	checkShift(t, w, device.ID, day, filepath.Join(dir, paperDir), slips, true)
	if len(s.photos) < 3 || s.heard == 0 {
		t.Errorf("%d photos, %d slips heard of: the shift was too quiet", len(s.photos), s.heard)
	}
	for _, id := range s.photos {
		if p, err := w.Photos.Get(t.Context(), webtest.Torino, device.ID, multe.PhotoID(id)); err != nil || p.State != multe.PhotoKept {
			t.Errorf("photo %s is %s, %v", id, p.State, err)
		}
	}
}

// TestReally is the program itself: it enrols, and plays a shift in processes that
// kill themselves with SIGKILL.
func TestReally(t *testing.T) {
	const slips = 25
	w := webtest.New(t)
	w.Pass(time.Since(w.Now())) // the program has the real clock
	w.AddCodes(t, webtest.Torino, 100)
	device, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", false)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: w.Pool, Verbali: w.Verbali, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents}))
	t.Cleanup(server.Close)
	binary := filepath.Join(t.TempDir(), "palmare")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := filepath.Join(t.TempDir(), "d")
	palmare := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(binary, append(args, "--dir", dir)...).CombinedOutput()
		if err != nil {
			t.Fatalf("palmare %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	if out := palmare("enrol", "--server", server.URL, "--code", code); !strings.Contains(out, "Palmare 1 è attivo") {
		t.Errorf("enrol: %s", out)
	}
	story := palmare("shift", "--slips", fmt.Sprint(slips), "--offline", "6h", "--crash-rate", "0.03", "--seed", "7", "--really")
	if !strings.Contains(story, "turno finito: 25 preavvisi") || strings.Count(story, "vita ") < 4 {
		t.Errorf("the story:\n%s", story)
	}
	palmare("lease", "--want", "2")
	palmare("issue", "--plate", "ZZ999ZZ")
	palmare("sync")
	if out := palmare("return"); !strings.Contains(out, "liberi 0, da trasmettere 0") {
		t.Errorf("return: %s", out)
	}
	checkShift(t, w, device.ID, multe.DayOf(w.Now()), filepath.Join(dir, paperDir), slips+1, false)
}

func checkShift(t *testing.T, w *webtest.World, device multe.DeviceID, day multe.Day, paper string, slips int, installed bool) {
	t.Helper()
	papers, err := filepath.Glob(filepath.Join(paper, "*.json"))
	if err != nil || len(papers) != slips {
		t.Fatalf("%d slips on paper, %v, want %d", len(papers), err, slips)
	}
	onPaper, avvisi := map[string]string{}, map[string]bool{}
	for _, path := range papers {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ ID, Position, Avviso, Plate string }
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		if avvisi[s.Avviso] {
			t.Errorf("code %s is on two slips", s.Avviso)
		}
		avvisi[s.Avviso] = true
		onPaper[s.ID] = s.Position
		v, _, err := w.Verbali.Get(t.Context(), webtest.Torino, multe.VerbaleID(s.ID))
		if err != nil || string(v.Slip.Position) != s.Position || string(v.Slip.Plate) != s.Plate || v.Device != device {
			t.Errorf("slip %s: the service has %+v, %v", s.ID, v.Slip, err)
		}
	}
	known, err := w.Verbali.ByDevice(t.Context(), webtest.Torino, device, "", 1000)
	if err != nil || len(known) != slips {
		t.Errorf("the service has %d slips, %v, want %d", len(known), err, slips)
	}
	account, err := w.Pool.Account(t.Context(), webtest.Torino, device, day)
	if err != nil {
		t.Fatal(err)
	}
	became := map[pool.Outcome]int{}
	for _, a := range account {
		became[a.Outcome]++
		if a.Open() {
			t.Errorf("nobody knows where %s is: %s", a.Code.Position, a.Outcome)
		}
		if a.Outcome == pool.Issued && onPaper[a.Proof] != string(a.Code.Position) {
			t.Errorf("code %s is said to be on %s", a.Code.Position, a.Proof)
		}
	}
	if became[pool.Issued] != slips || became[pool.Returned] == 0 || installed == (became[pool.Spoiled] == 0) {
		t.Errorf("codes became %v, want %d issued, some returned, and spoiled where it was installed again", became, slips)
	}
}
