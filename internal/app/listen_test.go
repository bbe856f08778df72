package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"preavviso/api"
	"preavviso/internal/config"
	"preavviso/internal/multe"
)

// buffer is a log that many write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const (
	torino, alba = multe.CreditorID("00514490010"), multe.CreditorID("00184260040")

	ppayPassword   = "canarino-verso-la-piattaforma"
	ownPassword    = "canarino-di-alba-verso-la-piattaforma"
	soapPassword   = "canarino-dalla-piattaforma"
	albaPassword   = "canarino-dalla-piattaforma-per-alba"
	canaryOfTokens = "canarino"
)

// TestCredentialsStayWhereTheyBelong runs the whole service in TLS, with a
// creditor of its own credentials, and looks for every password in what it
// stored, logged and answered. They must be on the wire, and nowhere else.
func TestCredentialsStayWhereTheyBelong(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := newAuthority(t)
	certFile, keyFile := ca.issue(t, t.TempDir(), leaf{name: "127.0.0.1"})

	// A platform that refuses first, so that errors are made and logged.
	var mu sync.Mutex
	var calls []string
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, r.URL.Path+" "+user+" "+password+" "+string(body))
		if len(calls) == 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, queued)
	}))
	defer platform.Close()

	creditors := filepath.Join(dir, "creditors")
	if err := os.Mkdir(creditors, 0o700); err != nil {
		t.Fatal(err)
	}
	file("creditors/"+string(alba)+".conf", "ppay-url = "+platform.URL+"/alba\nppay-user = alba\nppay-password-file = alba.ppay\nsoap-user = alba\nsoap-password-file = alba.soap")
	file("creditors/alba.ppay", ownPassword)
	file("creditors/alba.soap", albaPassword)
	admin := canaryOfTokens + strings.Repeat("x", 40)
	data := filepath.Join(dir, "data.db")
	args := []string{"--data", data, "--firmware-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--soap-listen", "127.0.0.1:0",
		"--admin-token-file", file("admin.secret", admin), "--creditors-dir", creditors,
		"--ppay-url", platform.URL + "/tutti", "--ppay-auth", "both", "--ppay-user", "tutti", "--ppay-password-file", file("ppay.secret", ppayPassword),
		"--soap-auth", "wss", "--soap-user", "epay", "--soap-password-file", file("soap.secret", soapPassword), "--soap-allow", "127.0.0.0/8",
		"--tls-cert-file", certFile, "--tls-key-file", keyFile, "--replenish-every", "20ms", "--submit-every", "20ms", "--inbox-every", "20ms"}
	cfg, settings, err := config.Parse("preavviso serve", args, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := &buffer{}
	a, err := Open(cfg, Deps{Now: time.Now, Random: rand.Reader, Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer stop()

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool()}}}
	var answers strings.Builder
	do := func(method, url, body string, prepare func(*http.Request)) (status int, answer string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		prepare(req)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		answers.Write(b)
		return resp.StatusCode, string(b)
	}
	asAdmin := func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+admin)
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range []multe.CreditorID{torino, alba} {
		body := `{"cf":"` + string(c) + `","name":"Comune","codice_versamento":"PM01","pool":{"low":10,"target":20}}`
		if status, answer := do("POST", "https://"+a.Addr("api")+"/v1/creditors", body, asAdmin); status != 201 {
			t.Fatalf("adding %s: %d %s", c, status, answer)
		}
	}

	// What the platform says: to each its own, of another, by header and by Basic.
	soap := "https://" + a.Addr("soap") + SOAPPath
	say := func(user, password string, header bool, about multe.CreditorID) (int, string) {
		security := ""
		if header {
			security = `<S:Header><w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" S:mustUnderstand="1">` +
				`<u:Timestamp><u:Created>` + time.Now().UTC().Format(time.RFC3339) + `</u:Created></u:Timestamp><w:UsernameToken><w:Username>` + user + `</w:Username><w:Password>` + password + `</w:Password></w:UsernameToken></w:Security></S:Header>`
		}
		return do("POST", soap, `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">`+security+`<S:Body><TrasmettiAvvisiScadutiRequest xmlns="http://www.csi.it/epay/epaywso/epaywso2enti/types"><Testata><CFEnteCreditore>`+
			string(about)+`</CFEnteCreditore></Testata></TrasmettiAvvisiScadutiRequest></S:Body></S:Envelope>`, func(r *http.Request) {
			r.Header.Set("Content-Type", "text/xml")
			if !header {
				r.SetBasicAuth(user, password)
			}
		})
	}
	for _, c := range []struct {
		user, password string
		about          multe.CreditorID
		status         int
		problem        string
	}{
		{"epay", soapPassword, torino, 200, ""},
		{"alba", albaPassword, alba, 200, ""},
		{"epay", soapPassword, alba, 200, "message.wrong_caller"}, // kept all the same: the platform must not stop
		{"alba", albaPassword, torino, 200, "message.wrong_caller"},
		{"epay", albaPassword, torino, 401, ""},
		{"alba", soapPassword + "x", alba, 401, ""},
	} {
		for _, header := range []bool{true, false} {
			status, answer := say(c.user, c.password, header, c.about)
			if status != c.status || status == 200 && !strings.Contains(answer, ">000<") {
				t.Errorf("%s about %s: %d %s", c.user, c.about, status, answer)
			}
		}
	}
	messages := func(state string) []api.Message {
		t.Helper()
		var page api.MessagePage
		_, answer := do("GET", "https://"+a.Addr("api")+"/v1/messages?state="+state, "", asAdmin)
		if err := json.Unmarshal([]byte(answer), &page); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		return page.Messages
	}
	until(t, "eight messages are worked", func() bool { return len(messages("dead")) == 4 && len(messages("done")) == 4 })
	for _, m := range messages("dead") {
		if m.Problem != "message.wrong_caller" || m.Caller != "epay" && m.Caller != "alba" {
			t.Errorf("dead: %+v", m)
		}
		if _, raw := do("GET", "https://"+a.Addr("api")+"/v1/messages/"+m.Id+"/raw", "", asAdmin); !strings.Contains(raw, "<S:Body>") {
			t.Errorf("raw = %q", raw)
		}
	}

	// What we say: the credentials of each, in both ways, anew at each attempt.
	calledWith := func(path, user, password string) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(calls, func(c string) bool {
			return strings.HasPrefix(c, path+" "+user+" "+password+" ") && strings.Contains(c, ">"+password+"</wsse:Password>")
		})
	}
	until(t, "both creditors have asked for codes", func() bool {
		return calledWith("/tutti", "tutti", ppayPassword) && calledWith("/alba", "alba", ownPassword)
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	shown := ""
	for _, s := range settings {
		shown += s.Name + "=" + s.Value + "\n"
	}
	for where, text := range map[string]string{"store": string(stored), "log": log.String(), "answers": answers.String(), "settings": shown} {
		if len(text) < 200 {
			t.Errorf("the %s holds nothing: the test proves nothing", where)
		}
		for i, line := range strings.Split(text, "\n") {
			if at := strings.Index(line, canaryOfTokens); at >= 0 {
				t.Errorf("the %s holds a secret at line %d: …%.80q", where, i, line[max(0, at-20):])
			}
		}
	}
	// The store writes bytes in base64: look for it there, at each of three offsets.
	for _, p := range base64Forms(soapPassword, albaPassword, ppayPassword, ownPassword) {
		if bytes.Contains(stored, []byte(p)) {
			t.Errorf("the store holds a secret in base64, %q", p)
		}
	}
	if !strings.Contains(shown, string(alba)+".ppay-user=alba\n") {
		t.Errorf("what holds for a creditor is not shown:\n%s", shown)
	}
}

// base64Forms returns what base64 makes of each secret, wherever it begins.
func base64Forms(secrets ...string) []string {
	var forms []string
	for _, s := range secrets {
		for skip := range 3 {
			whole := s[skip : skip+(len(s)-skip)/3*3]
			forms = append(forms, base64.StdEncoding.EncodeToString([]byte(whole)))
		}
	}
	return forms
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in twenty seconds: %s", what)
		}
	}
}
