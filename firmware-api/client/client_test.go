package client

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestVectors signs the requests of the vectors anew: the base must be the same
// bytes, and with Ed25519 the signature too.
func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("../testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Keys []struct {
			Name, Alg, KeyID string
			Private          string `json:"private_pem"`
			Public           string `json:"public_key"`
		}
		Requests []struct {
			Key, Method, Host, Target, Body, Base string
			Headers                               map[string]string
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, k := range file.Keys {
		key, err := ParseKey([]byte(k.Private))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := NewConn("http://palmari.example", key)
		if err != nil {
			t.Fatal(err)
		}
		if key.Algorithm() != k.Alg || conn.KeyID() != k.KeyID || base64.StdEncoding.EncodeToString(key.PublicKey()) != k.Public {
			t.Errorf("%s reads as %s %s", k.Name, key.Algorithm(), conn.KeyID())
		}
		for _, r := range file.Requests {
			if r.Key != k.Name || r.Base == "" {
				continue
			}
			done++
			var created, expires int64
			var nonce string
			input := r.Headers["Signature-Input"]
			_, params, _ := strings.Cut(input, ";created")
			if _, err := fmt.Sscanf(strings.ReplaceAll(";created"+params, ";", " "), ` created=%d expires=%d nonce=%q`, &created, &expires, &nonce); err != nil {
				t.Fatal(err)
			}
			var body []byte
			if r.Body != "" {
				body = []byte(r.Body)
			}
			req, err := conn.Request(r.Method, r.Target, body) // for its headers; its nonce is its own
			if err != nil {
				t.Fatal(err)
			}
			base, got := signatureBase(req, created, expires, nonce, k.KeyID, k.Alg)
			if base != r.Base || "sig="+got != input || req.Header.Get("Content-Digest") != r.Headers["Content-Digest"] {
				t.Errorf("base:\n%s\nwant:\n%s", base, r.Base)
			}
			sig, err := key.Sign([]byte(base))
			if err != nil {
				t.Fatal(err)
			}
			if want := r.Headers["Signature"]; k.Alg == Ed25519 && want != "sig=:"+base64.StdEncoding.EncodeToString(sig)+":" {
				t.Errorf("signature %x, want %s", sig, want)
			}
		}
	}
	if done < 8 {
		t.Errorf("only %d requests", done)
	}
}

// TestRawP256 signs until r and s have been short, and long.
func TestRawP256(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		base := fmt.Append(nil, i)
		raw, err := k.Sign(base)
		if err != nil || len(raw) != 64 {
			t.Fatalf("%x, %v", raw, err)
		}
		sum := sha256.Sum256(base)
		if !ecdsa.Verify(&private.PublicKey, sum[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
			t.Fatalf("%x does not verify", raw)
		}
	}
	for _, bad := range []string{"", "\x30", "\x30\x00", "\x30\x03\x02\x01\x01", "\x30\x06\x02\x01\x01\x02\x01\x01x", "\x31\x06\x02\x01\x01\x02\x01\x01", "\x30\x06\x02\x7f\x01\x02\x01\x01", "\x30\x08\x02\x01\x01\x02\x01\x01\x02\x00"} {
		if raw, err := RawP256([]byte(bad)); err == nil {
			t.Errorf("%x reads as %x", bad, raw)
		}
	}
}

func TestAddresses(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for address, host := range map[string]string{
		"https://Multe.Example": "multe.example", "https://multe.example:443/": "multe.example", "http://multe.example:80": "multe.example",
		"https://multe.example:80": "multe.example:80", "http://[::1]:80": "[::1]", "http://127.0.0.1:8080": "127.0.0.1:8080",
		"multe.example": "", "ftp://multe.example": "", "https://multe.example/v1": "", "https://multe.example?a": "", "https://": "",
	} {
		c, err := NewConn(address, key)
		if (err == nil) != (host != "") {
			t.Errorf("%s: %v", address, err)
		}
		if err == nil && c.base.Host != host {
			t.Errorf("%s: %s, want %s", address, c.base.Host, host)
		}
	}
}

func TestLoadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	first, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadKey(path)
	if err != nil || !bytes.Equal(first.PublicKey(), again.PublicKey()) {
		t.Errorf("another key the second time: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is for others too: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil {
		t.Error("a broken key was replaced: the service would not know the new one")
	}
}

// TestTornJournal cuts a journal after each byte, and fills what is missing with
// zeros as some file systems do: what was whole is kept, and writing goes on.
func TestTornJournal(t *testing.T) {
	var whole []byte
	var ends []int
	for _, p := range []string{"uno", strings.Repeat("due", 30), "tre"} {
		whole = append(whole, record([]byte(p))...)
		ends = append(ends, len(whole))
	}
	for cut := range len(whole) + 1 {
		want := 0
		for _, end := range ends {
			if cut >= end {
				want++
			}
		}
		for _, zeros := range []int{0, 1, 100} {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, append(bytes.Clone(whole[:cut]), make([]byte, zeros)...), 0o600); err != nil {
				t.Fatal(err)
			}
			j, got, err := openJournal(path)
			if err != nil || len(got) != want {
				t.Fatalf("cut at %d with %d zeros: %d records, %v, want %d", cut, zeros, len(got), err, want)
			}
			if err := errors.Join(j.append([]byte("quattro")), j.close()); err != nil {
				t.Fatal(err)
			}
			j, got, err = openJournal(path)
			if err != nil || len(got) != want+1 || string(got[want]) != "quattro" {
				t.Fatalf("cut at %d, after one more: %q, %v", cut, got, err)
			}
			if err := j.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDamagedJournal flips each bit of all records but the last: that is no crash,
// and must not pass for one.
func TestDamagedJournal(t *testing.T) {
	first, last := record([]byte("uno")), record([]byte("due"))
	for i := range first {
		for bit := range 8 {
			data := append(bytes.Clone(first), last...)
			data[i] ^= 1 << bit
			if got, _, err := readRecords(data); !errors.Is(err, ErrDamaged) {
				t.Errorf("bit %d of byte %d: %q, %v", bit, i, got, err)
			}
		}
	}
}

// TestFailedWriteIsFinal: after a write that failed nobody knows what is on disk.
func TestFailedWriteIsFinal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	good := j.f
	if j.f, err = os.Open(path); err != nil { // read only
		t.Fatal(err)
	}
	if j.append([]byte("uno")) == nil {
		t.Fatal("a write to a file that is open for reading succeeded")
	}
	j.f = good
	if j.append([]byte("due")) == nil {
		t.Error("a write after a failed one succeeded")
	}
}

// synced is a file that tells in which order it was used.
type synced struct {
	file
	did string
}

func (f *synced) Write(p []byte) (int, error) { f.did += "w"; return f.file.Write(p) }
func (f *synced) Sync() error                 { f.did += "s"; return f.file.Sync() }

// TestOnTheDisk: a record is written and synced before it counts.
func TestOnTheDisk(t *testing.T) {
	j, _, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	f := &synced{file: j.f}
	j.f = f
	for range 2 {
		if err := j.append([]byte("uno")); err != nil {
			t.Fatal(err)
		}
		f.did += "."
	}
	if f.did != "ws.ws." {
		t.Errorf("the file was used like this: %s", f.did)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add(record([]byte("uno")))
	f.Add(append(record([]byte("uno")), 1, 2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		payloads, whole, err := readRecords(data)
		if err != nil {
			return
		}
		var again []byte
		for _, p := range payloads {
			again = append(again, record(p)...)
		}
		if int64(len(again)) != whole || !bytes.Equal(again, data[:whole]) {
			t.Errorf("%x reads as %x", data, again)
		}
	})
}

// service answers like the service, as far as a test says.
type service func(method, path string, body map[string]any) (int, any)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) {
	var body map[string]any
	if r.Body != nil {
		if text, err := io.ReadAll(r.Body); err == nil && len(text) > 0 {
			if err := json.Unmarshal(text, &body); err != nil {
				return nil, err
			}
		}
	}
	status, answer := s(r.Method, r.URL.Path, body)
	if status == 0 {
		return nil, errors.New("reset")
	}
	text, err := json.Marshal(answer)
	kind := "application/json"
	if status/100 != 2 {
		kind = "application/problem+json"
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(text))}, err
}

func newDevice(t *testing.T, dir string, s service) *Device {
	t.Helper()
	d, err := Open(dir, "http://palmari.example")
	if err != nil {
		t.Fatal(err)
	}
	d.conn.SetTransport(s)
	d.conn.SetNow(func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) })
	d.SetSleep(func(time.Duration) {})
	return d
}

func codes(states ...string) []code {
	var out []code
	for i, s := range states {
		out = append(out, code{Position: fmt.Sprintf("P%d", i), Avviso: fmt.Sprintf("A%d", i), State: s})
	}
	return out
}

type object = map[string]any

// TestIdsSurvive: a request that got no answer goes out again under the same id,
// also by the next process.
func TestIdsSurvive(t *testing.T) {
	dir := t.TempDir()
	var ids []any
	lease := service(func(_, _ string, body map[string]any) (int, any) {
		ids = append(ids, body["id"])
		if len(ids) <= attempts {
			return 0, nil
		}
		return 200, object{"codes": codes("assigned", "issued", "quarantined")}
	})
	d := newDevice(t, dir, lease)
	if _, err := d.Lease(3); err == nil {
		t.Fatal("a lease without an answer succeeded")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = newDevice(t, dir, lease)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("ids %v", ids)
		}
	}
	if len(ids) != attempts+1 || d.Count(free) != 1 {
		t.Errorf("%d requests, %d free codes: only what is assigned may be printed", len(ids), d.Count(free))
	}
}

const someDraft = `{"plate":"AB123CD","offline":true}`

// TestIssue: each slip has a code of its own, on the disk before it is returned, and
// no draft can choose.
func TestIssue(t *testing.T) {
	dir := t.TempDir()
	d := newDevice(t, dir, func(string, string, map[string]any) (int, any) {
		return 200, object{"codes": codes("assigned", "assigned")}
	})
	if _, err := d.Issue(someDraft); !errors.Is(err, ErrNoCodes) {
		t.Errorf("without codes: %v", err)
	}
	if _, err := d.Lease(2); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{``, `[]`, `null`, `{"id":"x"}`, `{"position":"P1"}`, `{"avviso":"A1"}`} {
		if _, err := d.Issue(bad); !errors.Is(err, ErrDraft) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	first, err := d.Issue(someDraft)
	if err != nil || !strings.Contains(first, `"position":"P0"`) || !strings.Contains(first, `"issued_at":"2026-03-02T09:00:00Z"`) {
		t.Fatalf("%s, %v", first, err)
	}
	if err := d.lock.Close(); err != nil { // as after a crash: the system takes the lock back, and the first is not closed
		t.Fatal(err)
	}
	again := newDevice(t, dir, nil)
	if again.Unsure() != first || again.Count(free) != 1 {
		t.Errorf("after a crash: %q", again.Unsure())
	}
	if second, err := again.Issue(someDraft); err != nil || !strings.Contains(second, `"position":"P1"`) {
		t.Errorf("%s, %v", second, err)
	}
	if err := again.Printed("x"); !errors.Is(err, ErrState) {
		t.Errorf("printed what is not known: %v", err)
	}
}

// TestNothingUnsureIsUploaded: a slip of which nobody knows whether it exists is no
// fine.
func TestNothingUnsureIsUploaded(t *testing.T) {
	uploads := 0
	d := newDevice(t, t.TempDir(), func(_, path string, _ map[string]any) (int, any) {
		if path == "/v1/verbali" {
			uploads++
		}
		return 200, object{"codes": codes("assigned")}
	})
	if _, err := d.Lease(1); err != nil {
		t.Fatal(err)
	}
	slip, err := d.Issue(someDraft)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil || uploads != 0 {
		t.Fatalf("%d uploads, %v", uploads, err)
	}
	var s struct{ ID string }
	if err := json.Unmarshal([]byte(slip), &s); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Printed(s.ID), d.Printed(s.ID), d.Sync(), d.Sync()); err != nil || uploads != 1 || d.Sent() != 1 || d.Codes() != "[]" {
		t.Errorf("%d uploads, %d sent, left %s, %v", uploads, d.Sent(), d.Codes(), err)
	}
}

// TestRefusedIsKept: what the service refuses for good is not sent again and not
// forgotten; what it refuses for now is.
func TestRefusedIsKept(t *testing.T) {
	for _, tt := range []struct {
		status  int
		code    string
		refused int
		ok      bool
	}{
		{409, "code.wrong_state", 1, true}, {422, "verbale.bad_steps", 1, true},
		{503, "unavailable", 0, false}, {500, "internal", 0, false}, {429, "x", 0, false}, {401, "auth.unknown_key", 0, false}, {404, "", 0, false},
	} {
		d := newDevice(t, t.TempDir(), func(_, path string, _ map[string]any) (int, any) {
			if path == "/v1/leases" {
				return 200, object{"codes": codes("assigned")}
			}
			return tt.status, object{"code": tt.code}
		})
		if _, err := d.Lease(1); err != nil {
			t.Fatal(err)
		}
		slip, err := d.Issue(someDraft)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ ID string }
		if err := errors.Join(json.Unmarshal([]byte(slip), &s), d.Printed(s.ID)); err != nil {
			t.Fatal(err)
		}
		if err := d.Sync(); (err == nil) != tt.ok || d.Count(refused) != tt.refused || d.Count(refused)+d.Count(printed) != 1 {
			t.Errorf("%d %s: %v, %s", tt.status, tt.code, err, d.Codes())
		}
	}
}

// TestSpoiledWhileUploading: the warden's word is not lost when the upload was under
// way.
func TestSpoiledWhileUploading(t *testing.T) {
	var d *Device
	var said []string
	d = newDevice(t, t.TempDir(), func(_, path string, body map[string]any) (int, any) {
		said = append(said, path)
		switch path {
		case "/v1/leases":
			return 200, object{"codes": codes("assigned")}
		case "/v1/verbali":
			if err := d.Spoil("P0", "wrong"); err != nil {
				t.Error(err)
			}
			return 200, object{}
		}
		return 409, object{"code": "code.wrong_state"}
	})
	if _, err := d.Lease(1); err != nil {
		t.Fatal(err)
	}
	slip, err := d.Issue(someDraft)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ ID string }
	if err := errors.Join(json.Unmarshal([]byte(slip), &s), d.Printed(s.ID), d.Sync()); err != nil {
		t.Fatal(err)
	}
	if d.Count(refused) != 1 || said[len(said)-1] != "/v1/spoils" {
		t.Errorf("the office will not hear of it: %v, %s", said, d.Codes())
	}
}

// TestRecover: what is unknown here is a suspect and is never printed; what the
// service has set aside is not printed either.
func TestRecover(t *testing.T) {
	held := codes("assigned", "quarantined", "assigned", "assigned")
	d := newDevice(t, t.TempDir(), func(_, path string, _ map[string]any) (int, any) {
		if path == "/v1/leases" {
			return 200, object{"codes": codes("assigned", "assigned")} // P0, P1
		}
		return 200, object{"held": held}
	})
	if _, err := d.Lease(2); err != nil {
		t.Fatal(err)
	}
	if err := d.Recover(); err != nil {
		t.Fatal(err)
	}
	if d.Count(free) != 1 || d.Count(aside) != 1 || d.Count(suspect) != 2 {
		t.Errorf("codes %s", d.Codes())
	}
	if _, err := d.Issue(someDraft); err != nil {
		t.Error(err)
	}
	if slip, err := d.Issue(someDraft); !errors.Is(err, ErrNoCodes) {
		t.Errorf("a suspect was printed: %s, %v", slip, err)
	}
	if err := d.Adopt(`{"id":"V","position":"P2","avviso":"A3"}`); !errors.Is(err, ErrState) {
		t.Errorf("a paper with another number: %v", err)
	}
	if err := d.Adopt(`{"id":"V","position":"P2","avviso":"A2"}`); err != nil || d.Count(printed) != 1 {
		t.Errorf("a paper that turned up: %v, %s", err, d.Codes())
	}
	if err := d.Spoil("P3", "unknown"); err != nil || d.Count(spoiling) != 1 {
		t.Errorf("the other suspect: %v, %s", err, d.Codes())
	}
}

// TestCompaction: the journal stays small, and knows the same.
func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	n := 0
	d := newDevice(t, dir, func(_, path string, _ map[string]any) (int, any) {
		if path == "/v1/leases" {
			n++
			return 200, object{"codes": []code{{Position: fmt.Sprint(n), Avviso: "A", State: "assigned"}}}
		}
		return 200, object{}
	})
	draft := `{"place":"` + strings.Repeat("x", 60_000) + `"}`
	for range 40 {
		if _, err := d.Lease(1); err != nil {
			t.Fatal(err)
		}
		slip, err := d.Issue(draft)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ ID string }
		if err := errors.Join(json.Unmarshal([]byte(slip), &s), d.Printed(s.ID), d.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Lease(1); err != nil {
		t.Fatal(err)
	}
	before := d.Codes()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "journal"))
	if err != nil || info.Size() > 2*compactAbove {
		t.Errorf("the journal has %d bytes", info.Size())
	}
	again := newDevice(t, dir, nil)
	if again.Codes() != before || again.Sent() != 40 {
		t.Errorf("after compaction: %s, %d sent, want %s", again.Codes(), again.Sent(), before)
	}
}

// TestForget: a damaged journal is put away, not read.
func TestForget(t *testing.T) {
	dir := t.TempDir()
	d := newDevice(t, dir, func(string, string, map[string]any) (int, any) {
		return 200, object{"codes": codes("assigned")}
	})
	if _, err := d.Lease(1); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[headLen] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "http://palmari.example"); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a damaged journal: %v", err)
	}
	if err := Forget(dir); err != nil {
		t.Fatal(err)
	}
	if d := newDevice(t, dir, nil); d.Count(free) != 0 {
		t.Error("what was put away is still known")
	}
}

// TestAnswersOfOthers: what a guest network or a proxy says is not the service's
// word, whatever its status and its clock.
func TestAnswersOfOthers(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		retry  int  // seconds
		ok     bool // it is the service's answer
	}{
		"a page instead":           {200, http.Header{"Content-Type": {"text/html"}, "Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}, "<p>Accedi al Wi-Fi</p>", 0, false},
		"nothing said of the kind": {200, http.Header{}, "{}", 0, false},
		"the service":              {200, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, "{}", 0, true},
		"skew without a time":      {401, http.Header{"Content-Type": {"application/problem+json"}}, `{"code":"auth.clock_skew"}`, 0, false},
		"busy, in seconds":         {503, http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {"120"}}, `{"code":"unavailable"}`, 120, false},
		"busy, until an instant":   {503, http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {"Mon, 23 Nov 2026 10:01:30 GMT"}}, `{"code":"unavailable"}`, 90, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, t.TempDir(), nil)
			d.conn.SetNow(func() time.Time { return now })
			d.conn.SetTransport(roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: c.status, Header: c.header, Body: io.NopCloser(strings.NewReader(c.body))}, nil
			}))
			_, err := d.conn.Do("GET", "/v1/state", nil)
			if (err == nil) != c.ok {
				t.Fatalf("error = %v", err)
			}
			if no, is := errors.AsType[*Refusal](err); is && no.RetryAfter != c.retry {
				t.Errorf("RetryAfter = %d, want %d", no.RetryAfter, c.retry)
			}
			if got := d.conn.Now(); !got.Equal(now) {
				t.Errorf("the clock went to %v", got)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
