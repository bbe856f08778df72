package ppay_test

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/internal/ppay/ppaysim"
)

const (
	wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	wsu  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
)

// ourHeader is the wsse:Security we send, by byte.
func ourHeader(user, password, created, expires string) string {
	return `<S:Header xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><wsse:Security xmlns:wsse="` + wsse + `" xmlns:wsu="` + wsu + `" S:mustUnderstand="1">` +
		`<wsu:Timestamp wsu:Id="TS-1"><wsu:Created>` + created + `</wsu:Created><wsu:Expires>` + expires + `</wsu:Expires></wsu:Timestamp>` +
		`<wsse:UsernameToken wsu:Id="UT-1"><wsse:Username>` + user + `</wsse:Username>` +
		`<wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">` + password + `</wsse:Password>` +
		`</wsse:UsernameToken></wsse:Security></S:Header>`
}

// TestAuthMatrix sends the same batch in every way, for the installation and for a
// creditor of its own, and compares what arrives byte by byte.
func TestAuthMatrix(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		reply(200, answer("000"))(w, r)
	}))
	defer server.Close()
	stored, err := encode(multe.OperationUpdate, change(1, multe.ChangeUpdate, multe.Desired{Cents: 2940, Causale: "Verbale n. 17", Debtor: person}))
	if err != nil {
		t.Fatal(err)
	}
	place := bytes.Index(stored, []byte("<Body"))
	config := func(auth ppay.Auth, path, user string) ppay.Config {
		c := ppay.Config{URL: server.URL + path, Auth: auth, Now: func() time.Time { return at.Add(123 * time.Millisecond) }}
		if auth != ppay.AuthNone && auth != "" {
			c.User, c.Password = user, ppay.NewSecret("parola "+user)
		}
		return c
	}
	ways := []ppay.Auth{"", ppay.AuthNone, ppay.AuthBasic, ppay.AuthWSS, ppay.AuthBoth}
	for _, every := range ways {
		for _, own := range ways {
			t.Run(fmt.Sprintf("%s/%s", every, own), func(t *testing.T) {
				cfg := config(every, "/every", "tutti")
				mine := config(own, "/own", "uno")
				mine.Lifetime = 5 * time.Minute
				cfg.Own = map[multe.CreditorID]ppay.Config{"00514490010": mine}
				client := newClient(t, cfg)
				for _, c := range []struct {
					creditor multe.CreditorID
					auth     ppay.Auth
					path     string
					user     string
					expires  string
				}{
					{creditor.ID, every, "/every", "tutti", "2026-11-23T09:01:00.123Z"},
					{"00514490010", own, "/own", "uno", "2026-11-23T09:05:00.123Z"},
				} {
					b := multe.Batch{Creditor: c.creditor, ID: batchID, Operation: multe.OperationUpdate, Body: bytes.Clone(stored)}
					if _, err := client.Submit(t.Context(), multe.Creditor{ID: c.creditor}, b); err != nil {
						t.Fatal(err)
					}
					basic, header := "", ""
					if c.auth == ppay.AuthBasic || c.auth == ppay.AuthBoth {
						basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":parola "+c.user))
					}
					if c.auth == ppay.AuthWSS || c.auth == ppay.AuthBoth {
						header = ourHeader(c.user, "parola "+c.user, "2026-11-23T09:00:00.123Z", c.expires)
					}
					want := string(stored[:place]) + header + string(stored[place:])
					if got.URL.Path != c.path || got.Header.Get("Authorization") != basic || string(body) != want {
						t.Errorf("%s: %s with Authorization %q and\n%s\nwant\n%s", c.creditor, got.URL.Path, got.Header.Get("Authorization"), body, want)
					}
					if got.ContentLength != int64(len(want)) {
						t.Errorf("Content-Length %d, want %d", got.ContentLength, len(want))
					}
					if !bytes.Equal(b.Body, stored) {
						t.Error("what is stored of the batch has changed")
					}
				}
			})
		}
	}
}

// TestAuthAgainstTheSimulator has the simulator, which shares nothing with our
// client, judge each way under each of its own demands.
func TestAuthAgainstTheSimulator(t *testing.T) {
	shows := map[ppay.Auth][2]bool{ppay.AuthNone: {}, ppay.AuthBasic: {true, false}, ppay.AuthWSS: {false, true}, ppay.AuthBoth: {true, true}} // basic, wss
	body, err := encode(multe.OperationUpdate, change(1, multe.ChangeUpdate, multe.Desired{Cents: 2940, Causale: "Verbale n. 17"}))
	if err != nil {
		t.Fatal(err)
	}
	for demand, wants := range shows {
		settings := ppaysim.DefaultSettings()
		settings.Auth = string(demand)
		sim, err := ppaysim.Open(filepath.Join(t.TempDir(), "sim.db"), ppaysim.Config{Settings: settings, User: user, Password: password, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(sim.Handler())
		for way, shown := range shows {
			for _, secret := range []string{password, "wrong"} {
				cfg := ppay.Config{URL: server.URL + ppaysim.Endpoint, Auth: way}
				if way != ppay.AuthNone {
					cfg.User, cfg.Password = user, ppay.NewSecret(secret)
				}
				_, err := newClient(t, cfg).Submit(t.Context(), creditor, multe.Batch{Creditor: creditor.ID, Operation: multe.OperationUpdate, Body: body})
				in := (!wants[0] || shown[0]) && (!wants[1] || shown[1]) && (demand == ppay.AuthNone || secret == password)
				// It knows no creditor: who is let in is refused for that.
				var refusal *multe.Refusal
				if let := err == nil || errors.As(err, &refusal); let != in || !in && fault.Of(err).Code != "ppay.auth" {
					t.Errorf("it demands %s, we show %s (%s): %v", demand, way, secret, err)
				}
			}
		}
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWSSNeedsAnEnvelope: a batch that is none is never sent with a header in the
// wrong place.
func TestWSSNeedsAnEnvelope(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent") }))
	defer server.Close()
	c := newClient(t, ppay.Config{URL: server.URL, Auth: ppay.AuthWSS, User: user, Password: ppay.NewSecret(password)})
	if _, err := c.Submit(t.Context(), creditor, sealed()); !errors.Is(err, fault.Invalid) {
		t.Errorf("Submit = %v", err)
	}
}

// TestSecurityFaults is a proxy that refuses our header: we are told that the
// credentials are wrong, and nothing is taken for sent or not sent.
func TestSecurityFaults(t *testing.T) {
	stored, err := encode(multe.OperationInsert, change(1, multe.ChangeRequest, multe.Desired{Causale: "Preavviso"}))
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{
		"wsse:FailedAuthentication": "ppay.auth", "x:InvalidSecurity": "ppay.auth", "InvalidSecurityToken": "ppay.auth", "w:MessageExpired": "ppay.auth",
		"S:Server": "ppay.unknown_outcome", "": "ppay.unknown_outcome", "wsse:": "ppay.unknown_outcome", "S:MustUnderstand": "ppay.unknown_outcome",
	} {
		for _, status := range []int{200, 500} {
			server := httptest.NewServer(reply(status, soap(`<S:Fault><faultcode xmlns:wsse="`+wsse+`">`+code+`</faultcode><faultstring>`+password+`</faultstring></S:Fault>`)))
			client := newClient(t, ppay.Config{URL: server.URL, Auth: ppay.AuthBoth, User: user, Password: ppay.NewSecret(password)})
			_, err := client.Submit(t.Context(), creditor, multe.Batch{Creditor: creditor.ID, Operation: multe.OperationInsert, Body: stored})
			server.Close()
			if fault.Of(err).Code != want || !errors.Is(err, fault.Unavailable) || errors.Is(err, multe.ErrNotSent) {
				t.Errorf("%q under %d: %v, want %s", code, status, err, want)
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), user) {
				t.Errorf("error %q holds a secret", err)
			}
		}
	}
}

// TestNewClientRefusesAuth is the combinations that mean nothing.
func TestNewClientRefusesAuth(t *testing.T) {
	secret := ppay.NewSecret(password)
	for name, cfg := range map[string]ppay.Config{
		"unknown way":               {Auth: "digest", User: user, Password: secret},
		"user for none":             {User: user},
		"password for none":         {Auth: ppay.AuthNone, Password: secret},
		"no user":                   {Auth: ppay.AuthBoth, Password: secret},
		"no password":               {Auth: ppay.AuthWSS, User: user},
		"colon for basic":           {Auth: ppay.AuthBasic, User: "a:b", Password: secret},
		"colon for both":            {Auth: ppay.AuthBoth, User: "a:b", Password: secret},
		"password XML cannot carry": {Auth: ppay.AuthWSS, User: user, Password: ppay.NewSecret(password + "\x01")},
		"user XML cannot carry":     {Auth: ppay.AuthBoth, User: "\xff", Password: secret},
		"negative lifetime":         {Lifetime: -1},
	} {
		cfg.URL = "https://pay.example.it"
		for _, c := range []ppay.Config{cfg, {URL: cfg.URL, Own: map[multe.CreditorID]ppay.Config{creditor.ID: cfg}}} {
			if client, err := ppay.NewClient(c); client != nil || !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), password) {
				t.Errorf("%s: NewClient = %v, %v", name, client, err)
			}
		}
	}
	if _, err := ppay.NewClient(ppay.Config{URL: "https://pay.example.it", Auth: ppay.AuthWSS, User: "a:b", Password: secret}); err != nil {
		t.Errorf("a colon is no trouble in XML: %v", err)
	}
}

// TestSecuredBodyIsValid has xmllint judge the body behind our header.
func TestSecuredBodyIsValid(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed (libxml2-utils)")
	}
	var sent []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ = io.ReadAll(r.Body)
		reply(200, answer("000"))(w, r)
	}))
	defer server.Close()
	stored, err := encode(multe.OperationUpdate, change(1, multe.ChangeUpdate, multe.Desired{Cents: 2940, Causale: "Verbale n. 17", Debtor: person}))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, ppay.Config{URL: server.URL, Auth: ppay.AuthBoth, User: user, Password: ppay.NewSecret(`<&">` + password)})
	if _, err := c.Submit(t.Context(), creditor, multe.Batch{Creditor: creditor.ID, Operation: multe.OperationUpdate, Body: stored}); err != nil {
		t.Fatal(err)
	}
	var e struct {
		Body struct {
			Message []byte `xml:",innerxml"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(sent, &e); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "body.xml")
	if err := os.WriteFile(file, e.Body.Message, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", "../../wsdl/Enti2EPaywsoServiceTypes.xsd", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// secured is a notification with a header as the platform's bus may send it.
func secured(header string) string {
	return strings.Replace(inbound("TrasmettiNotifichePagamento", "<x/>"), "<S:Body>", "<S:Header>"+header+"</S:Header><S:Body>", 1)
}

func security(attributes, content string) string {
	return `<wsse:Security xmlns:wsse="` + wsse + `" xmlns:wsu="` + wsu + `"` + attributes + `>` + content + `</wsse:Security>`
}

const now = `<wsu:Timestamp><wsu:Created>2026-11-23T08:59:58Z</wsu:Created><wsu:Expires>2026-11-23T09:04:58Z</wsu:Expires></wsu:Timestamp>`

func token(user, password string) string {
	return `<wsse:UsernameToken><wsse:Username>` + user + `</wsse:Username><wsse:Password>` + password + `</wsse:Password></wsse:UsernameToken>`
}

// TestListenerHeaders is every header the platform's bus, or somebody else, may
// put before a message, under every demand of ours.
func TestListenerHeaders(t *testing.T) {
	old := strings.NewReplacer("T08:", "T06:", "T09:", "T07:").Replace(now)
	for _, c := range []struct {
		name, header string
		wss          bool // in under soap-auth wss, without Basic
	}{
		{"none", "", false},
		{"token and timestamp", security("", now+token(user, password)), true},
		{"the other order", security("", token(user, password)+now), true},
		{"must be understood", security(` S:mustUnderstand="1"`, now+token(user, password)), true},
		{"for another actor", security(` S:actor="urn:x"`, now+token(user, password)), true},
		{"with ids and a type", security("", strings.ReplaceAll(now, "<wsu:Timestamp>", `<wsu:Timestamp wsu:Id="T">`)+
			strings.ReplaceAll(token(user, password), "<wsse:Password>", `<wsse:Password Type="`+wsse+`#PasswordText">`)), true},
		{"with a nonce", security("", now+strings.ReplaceAll(token(user, password), "</wsse:UsernameToken>", "<wsse:Nonce>AAAA</wsse:Nonce></wsse:UsernameToken>")), true},
		{"beside other headers", `<a xmlns="urn:x" S:mustUnderstand="1"/>` + security("", now+token(user, password)), true},
		{"old password", security("", now+token(user, "old")), true},
		{"no timestamp", security("", token(user, password)), false},
		{"an old timestamp", security("", old+token(user, password)), false},
		{"two timestamps", security("", now+now+token(user, password)), false},
		{"a wrong password", security("", now+token(user, password+"x")), false},
		{"a password with space", security("", now+token(user, " "+password)), false},
		{"another user", security("", now+token("x", password)), false},
		{"an empty password", security("", now+token(user, "")), false},
		{"two tokens", security("", now+token("x", "y")+token(user, password)), false},
		{"two securities", security("", now+token(user, password)) + security("", now+token(user, password)), false},
		{"two passwords", security("", now+strings.ReplaceAll(token(user, password), "</wsse:UsernameToken>", "<wsse:Password>x</wsse:Password></wsse:UsernameToken>")), false},
		{"a token of another namespace", strings.ReplaceAll(security("", now+token(user, password)), wsse, "urn:x"), false},
		{"a token deeper down", "<a>" + security("", now+token(user, password)) + "</a>", false},
		{"a header without end", security("", now+token(user, password)+"<a>"+strings.Repeat("x", 70<<10)+"</a>"), false},
	} {
		for _, mode := range []string{"basic", "wss"} {
			for _, basic := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", c.name, mode, basic), func(t *testing.T) {
					var log bytes.Buffer
					cfg := trusted
					cfg.WSS, cfg.Now, cfg.Log = mode == "wss", func() time.Time { return at }, slog.New(slog.NewJSONHandler(&log, nil))
					k := &keeper{}
					r := call(strings.NewReader(secured(c.header)))
					if !basic {
						r.Header.Del("Authorization")
					}
					w := httptest.NewRecorder()
					ppay.NewListener(k, cfg).ServeHTTP(w, r)
					in := basic || c.wss && mode == "wss"
					if c.name == "a header without end" && basic {
						if code, _ := result(t, w); code != "101" || len(k.raws) != 0 {
							t.Errorf("answer %s, %d kept", code, len(k.raws))
						}
						return
					}
					if want := map[bool]int{true: 200, false: 401}[in]; w.Code != want || (len(k.raws) == 1) != in {
						t.Fatalf("HTTP %d, %d kept; want in: %v", w.Code, len(k.raws), in)
					}
					if in && k.callers[0] != user {
						t.Errorf("the caller is %q", k.callers[0])
					}
					for _, text := range append(k.raws, log.Bytes(), w.Body.Bytes()) {
						if strings.Contains(string(text), password) {
							t.Errorf("a password is kept, logged or answered: %s", text)
						}
					}
				})
			}
		}
	}
}

// TestListenerStrangersLearnNothing: without credentials no message, however bad,
// is answered otherwise, and of a long one little is read.
func TestListenerStrangersLearnNothing(t *testing.T) {
	cfg := trusted
	cfg.WSS = true
	for name, body := range map[string]string{
		"good": inbound("TrasmettiRT", "x"), "not XML": "x", "empty": "", "document type": "<!DOCTYPE a>", "JSON": "{}",
		"body before header": `<S:Envelope xmlns:S="` + soapNS + `"><S:Body><x/></S:Body><S:Header>` + security("", now+token(user, password)) + `</S:Header></S:Envelope>`,
	} {
		w := httptest.NewRecorder()
		r := call(strings.NewReader(body))
		r.Header.Del("Authorization")
		ppay.NewListener(&keeper{}, cfg).ServeHTTP(w, r)
		if w.Code != 401 {
			t.Errorf("%s: HTTP %d", name, w.Code)
		}
	}
	endless := &flood{}
	r := call(io.MultiReader(strings.NewReader(`<S:Envelope xmlns:S="`+soapNS+`"><S:Header><a>`), endless))
	r.Header.Del("Authorization")
	w := httptest.NewRecorder()
	ppay.NewListener(&keeper{}, cfg).ServeHTTP(w, r)
	if w.Code != 401 || endless.n > 128<<10 {
		t.Errorf("HTTP %d after %d bytes", w.Code, endless.n)
	}
}

// flood is text without end.
type flood struct{ n int }

func (c *flood) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	c.n += len(p)
	return len(p), nil
}

func networks(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	var all []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestListenerAllows is who may call from where. Headers that name an address are
// anybody's.
func TestListenerAllows(t *testing.T) {
	everywhere := trusted
	region := ppay.ListenerConfig{Callers: []ppay.Caller{
		{User: user, Passwords: []ppay.Secret{ppay.NewSecret(password)}, Allow: networks(t, "192.0.2.0/24", "2001:db8::/32")},
		{User: "alba", Passwords: []ppay.Secret{ppay.NewSecret("parola di alba")}, Allow: networks(t, "198.51.100.7/32")},
	}}
	open := ppay.ListenerConfig{Open: true, Allow: networks(t, "192.0.2.0/24")}
	for _, c := range []struct {
		name             string
		cfg              ppay.ListenerConfig
		from, user, pass string
		want             int
	}{
		{"no list", everywhere, "203.0.113.9:1", user, password, 200},
		{"inside", region, "192.0.2.200:4711", user, password, 200},
		{"inside, IPv6", region, "[2001:db8::1]:4711", user, password, 200},
		{"inside, IPv4 in IPv6", region, "[::ffff:192.0.2.1]:4711", user, password, 200},
		{"inside, with a zone", region, "[2001:db8::1%eth0]:4711", user, password, 200},
		{"outside", region, "203.0.113.9:1", user, password, 403},
		{"outside, IPv6", region, "[2001:db9::1]:1", user, password, 403},
		{"outside, no credentials", region, "203.0.113.9:1", "", "", 403},
		{"where another may", region, "198.51.100.7:1", user, password, 403},
		{"where one may", region, "198.51.100.7:1", "alba", "parola di alba", 200},
		{"where one may not", region, "192.0.2.1:1", "alba", "parola di alba", 403},
		{"the password of another", region, "192.0.2.1:1", user, "parola di alba", 401},
		{"no address", region, "@", user, password, 403},
		{"open, inside", open, "192.0.2.1:1", "", "", 200},
		{"open, outside", open, "192.0.3.1:1", "", "", 403},
	} {
		k := &keeper{}
		r := call(strings.NewReader(soap(small)))
		r.RemoteAddr = c.from
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("Forwarded", "for=192.0.2.1")
		r.SetBasicAuth(c.user, c.pass)
		w := httptest.NewRecorder()
		ppay.NewListener(k, c.cfg).ServeHTTP(w, r)
		if w.Code != c.want || (len(k.raws) == 1) != (c.want == 200) {
			t.Errorf("%s: HTTP %d, %d kept; want %d", c.name, w.Code, len(k.raws), c.want)
		}
		if c.want == 200 && !c.cfg.Open && k.callers[0] != c.user {
			t.Errorf("%s: the caller is %q", c.name, k.callers[0])
		}
	}
}

// TestListenerLocksOut guesses passwords.
func TestListenerLocksOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := ppay.NewListener(&keeper{}, trusted)
		try := func(from, pass string) *httptest.ResponseRecorder {
			r := call(strings.NewReader(soap(small)))
			r.RemoteAddr = from
			r.SetBasicAuth(user, pass)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		const bad, good = "192.0.2.1:1", "192.0.2.2:1"
		for i := range 6 {
			if w := try(bad, "guess"); w.Code != 401 {
				t.Fatalf("guess %d: HTTP %d", i+1, w.Code)
			}
		}
		// Now even the right password waits, from there and only from there.
		w := try(bad, password)
		if w.Code != 429 || w.Header().Get("Retry-After") == "" {
			t.Errorf("after six guesses: HTTP %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if w := try(good, password); w.Code != 200 {
			t.Errorf("from elsewhere: HTTP %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := try(bad, password); w.Code != 200 {
			t.Errorf("after a second: HTTP %d", w.Code)
		}
		if w := try(bad, "guess"); w.Code != 401 {
			t.Errorf("a success did not wipe the slate: HTTP %d", w.Code)
		}
		// Whoever goes on waits longer and longer, but never more than a minute.
		refused := 0
		for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(time.Second) {
			if try(bad, "guess").Code == 401 {
				refused++
			}
		}
		if refused < 55 || refused > 75 {
			t.Errorf("%d guesses were looked at in an hour", refused)
		}
		time.Sleep(time.Minute)
		if w := try(bad, password); w.Code != 200 {
			t.Errorf("after a minute: HTTP %d", w.Code)
		}
	})
}

// TestListenerForgetsSources: many addresses cannot fill the memory, an IPv6
// network counts as one, and guessing through a token counts as well.
func TestListenerForgetsSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := trusted
		cfg.WSS = true
		h := ppay.NewListener(&keeper{}, cfg)
		guess := func(from string) int {
			r := call(strings.NewReader(secured(security("", token(user, "guess")))))
			r.Header.Del("Authorization")
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		for i := range 6 {
			guess(fmt.Sprintf("[2001:db8::%d]:1", i+1))
		}
		if code := guess("[2001:db8::ffff]:1"); code != 429 {
			t.Errorf("the seventh host of a network: HTTP %d", code)
		}
		if code := guess("[2001:db8:0:1::1]:1"); code != 401 {
			t.Errorf("the next network: HTTP %d", code)
		}
		for i := range 3000 {
			time.Sleep(time.Microsecond)
			guess(fmt.Sprintf("10.0.%d.%d:1", i/250, i%250))
		}
		if code := guess("[2001:db8::1]:1"); code != 401 {
			t.Errorf("a source that a thousand others have followed: HTTP %d", code)
		}
	})
}
