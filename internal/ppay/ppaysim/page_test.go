package ppaysim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"preavviso/internal/ppay/ppaysim"
)

// get fetches a page.
func (w *world) get(path string) (*http.Response, string) {
	w.Helper()
	return w.browse("GET", path, nil, nil)
}

func (w *world) browse(method, path string, form url.Values, header map[string]string) (*http.Response, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://ppay.test"+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	r.Host = "ppay.test"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := w.sim.Transport().RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp, string(raw)
}

// press posts a form that must lead back to the page.
func (w *world) press(act string, form url.Values) {
	w.Helper()
	if resp, body := w.browse("POST", "/act/"+act, form, nil); resp.StatusCode != http.StatusSeeOther {
		w.Errorf("%s %v: HTTP %d: %s", act, form, resp.StatusCode, body)
	}
}

// TestPageShows: positions, what waits, messages, and nothing a browser runs.
func TestPageShows(t *testing.T) {
	w := newWorld(t, func(s *ppaysim.Settings) { s.DelayMin, s.DelayMax = 0, 0 })
	w.pool(2)
	w.do(update("UP", edit("P0", "", "42.00", "<e:DescrizioneCausaleVersamento>&lt;script&gt;alert(1)&lt;/script&gt;</e:DescrizioneCausaleVersamento>")))
	w.must("PUT", "settings", `{"delay_min":"1h","delay_max":"1h"}`)
	w.queue(update("WAITS", void("P1", "")))
	w.must("POST", "deliveries/"+cf+"/stop", "")
	resp, page := w.get("/")
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", csp)
	}
	for _, part := range []string{w.position("P0").Avviso, "42,00", "WAITS", "coda ferma", "Riattiva la coda", "/messages/1", "&lt;script&gt;", `lang="it"`} {
		if !strings.Contains(page, part) {
			t.Errorf("no %s", part)
		}
	}
	for _, part := range []string{"<script", "style=", "onclick", "http-equiv", "ZgotmplZ", "segreta"} {
		if strings.Contains(page, part) {
			t.Errorf("%s is on the page", part)
		}
	}
	if _, page := w.get("/?refresh=5"); !strings.Contains(page, `http-equiv="refresh" content="5"`) {
		t.Error("no refresh")
	}
	if _, page := w.get("/?refresh=6"); strings.Contains(page, "http-equiv") {
		t.Error("any refresh")
	}
	if _, page := w.get("/?done=%3Cb%3E"); strings.Contains(page, `role="status"`) {
		t.Error("any confirmation")
	}
	// Found by what is on paper, with its spaces, and by IUV and id.
	p := w.position("P1")
	for _, q := range []string{p.Avviso, p.Avviso[:4] + " " + p.Avviso[4:], p.IUV, "P1"} {
		if _, page := w.get("/?q=" + url.QueryEscape(q)); !strings.Contains(page, p.Avviso) || strings.Contains(page, w.position("P0").Avviso) {
			t.Errorf("not found by %q", q)
		}
	}
	for path, want := range map[string]int{"/messages/1": 200, "/messages/99": 404, "/messages/x": 404, "/style.css": 200, "/nothing": 404} {
		if resp, _ := w.get(path); resp.StatusCode != want {
			t.Errorf("%s: HTTP %d", path, resp.StatusCode)
		}
	}
	if _, page := w.get("/messages/1"); !strings.Contains(page, "\n      &lt;e:Testata&gt;\n        &lt;e:IdMessaggio&gt;POOL&lt;/e:IdMessaggio&gt;\n") || !strings.Contains(page, "&lt;e:Testata&gt;&lt;e:IdMessaggio&gt;") {
		t.Errorf("not pretty, or not raw: %s", page)
	}
	if _, page := w.get("/?before=2"); !strings.Contains(page, "/messages/1\"") || strings.Contains(page, "/messages/2\"") {
		t.Error("older messages")
	}
}

// TestPageIsAccessible: each field has a label, each button a name, each table
// heads, and what scrolls can be reached from the keyboard.
func TestPageIsAccessible(t *testing.T) {
	w := newWorld(t)
	w.pool(2)
	_, page := w.get("/")
	labels := map[string]bool{}
	for _, m := range regexp.MustCompile(`<label for="([^"]+)">[^<]+</label>`).FindAllStringSubmatch(page, -1) {
		labels[m[1]] = true
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("id %s stands twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`<input ([^>]*)>`).FindAllStringSubmatch(page, -1) {
		id := regexp.MustCompile(`id="([^"]+)"`).FindStringSubmatch(m[1])
		if !strings.Contains(m[1], `type="hidden"`) && (id == nil || !labels[id[1]]) {
			t.Errorf("no label: %s", m[1])
		}
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`<button([^>]*)>([^<]*)</button>`).FindAllStringSubmatch(page, -1) {
		name := m[2]
		if l := regexp.MustCompile(`aria-label="([^"]+)"`).FindStringSubmatch(m[1]); l != nil {
			if name = l[1]; !strings.HasPrefix(name, strings.TrimSpace(m[2])) && m[2] != "RT" {
				t.Errorf("%q is called %q", m[2], name)
			}
		}
		if name == "" || names[name] {
			t.Errorf("button %q", name)
		}
		names[name] = true
	}
	if n := strings.Count(page, "<table>"); n == 0 || strings.Count(page, "<thead>") != n {
		t.Errorf("%d tables", n)
	}
	if h := regexp.MustCompile(`<h1`).FindAllString(page, -1); len(h) != 1 || !strings.Contains(page, `href="#main"`) {
		t.Error("one h1 and a way past the head")
	}
}

// TestPageActs presses every button.
func TestPageActs(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "seed", `{"cf":"`+cf+`","type":"MU01","count":1,"cents":4200}`)
	d, err := w.sim.Dump()
	if err != nil {
		t.Fatal(err)
	}
	iuv := url.Values{"iuv": {d.Positions[0].IUV}}
	state := func() ppaysim.State { return w.position(d.Positions[0].ID).State }
	w.press("begin", iuv)
	if state() != ppaysim.Started {
		t.Error("not begun")
	}
	w.press("abandon", iuv)
	w.press("pay", iuv)
	if state() != ppaysim.Paid {
		t.Error("not paid")
	}
	if resp, page := w.browse("POST", "/act/pay", iuv, nil); resp.StatusCode != 409 || !strings.Contains(page, "PAA_PAGAMENTO_DUPLICATO") {
		t.Errorf("paid twice: HTTP %d", resp.StatusCode)
	}
	w.press("pay", url.Values{"iuv": iuv["iuv"], "force": {"1"}, "q": {"x&y"}})
	if n := len(w.position(d.Positions[0].ID).Payments); n != 2 {
		t.Errorf("%d payments", n)
	}
	w.press("notify", url.Values{})
	w.press("rt", iuv)
	w.press("expired", url.Values{})
	w.press("revoke", iuv)
	if w.step(); len(w.calls) != 3 || state() != ppaysim.Revoked {
		t.Errorf("%d calls, want payments, receipt and revocation", len(w.calls))
	}
	queue := url.Values{"cf": {cf}}
	w.press("stop", queue)
	w.press("enable", queue)
	w.press("release", queue)
	w.press("clock", url.Values{"now": {"2027-01-01T00:30"}})
	if d, _ := w.sim.Dump(); !d.Now.Equal(time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC)) {
		t.Errorf("now %v", d.Now)
	}
	w.press("clock", url.Values{"advance": {"24h"}})
	w.press("clock", url.Values{"real": {"1"}})
	if d, _ := w.sim.Dump(); !d.Now.Equal(w.clock()) {
		t.Errorf("now %v", d.Now)
	}
	for act, form := range map[string]url.Values{
		"clock": {}, "settings": {"section": {"x"}}, "enable": {"cf": {"nobody"}}, "dance": {}, "rt": {"iuv": {"1"}},
	} {
		if resp, page := w.browse("POST", "/act/"+act, form, nil); resp.StatusCode/100 != 4 || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s %v: HTTP %d", act, form, resp.StatusCode)
		}
	}
}

// TestPageSettings: every setting is on the page, and each section changes its
// own and no other.
func TestPageSettings(t *testing.T) {
	w := newWorld(t)
	raw, err := json.Marshal(ppaysim.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	_, page := w.get("/")
	for name := range fields {
		if n := strings.Count(page, `name="`+name+`"`); n != 1 {
			t.Errorf("%s is on the page %d times", name, n)
		}
	}
	w.must("PUT", "settings", `{"lenient":true,"bus_down":true}`)
	w.press("settings", url.Values{"section": {"ingresso"}, "refuse_next": {"3"}, "refuse_code": {"503"}, "action_checked": {"1"}, "threshold": {"1"}})
	got := w.sim.Settings()
	if got.Lenient || !got.ActionChecked || got.RefuseNext != 3 || got.RefuseCode != "503" || !got.BusDown || got.Threshold != 250 {
		t.Errorf("%+v", got)
	}
	w.press("settings", url.Values{"section": {"tempi"}, "delay_min": {"1s"}, "delay_max": {" 2s "}})
	if got := w.sim.Settings(); got.DelayMax != ppaysim.Duration(2*time.Second) || !got.ActionChecked {
		t.Errorf("%+v", got)
	}
	before := w.sim.Settings()
	for _, form := range []url.Values{{"section": {"tempi"}, "retries": {"molti"}}, {"section": {"tempi"}, "delay_min": {"1h"}}, {"section": {"tempi"}, "slow": {"presto"}}} {
		if resp, _ := w.browse("POST", "/act/settings", form, nil); resp.StatusCode != 400 {
			t.Errorf("%v: HTTP %d", form, resp.StatusCode)
		}
	}
	if w.sim.Settings() != before {
		t.Error("a refused form changed something")
	}
}

// TestOtherSitesAreRefused: neither the page's forms nor the control API can be
// used by a page of another site; SOAP callers are no browsers.
func TestOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		header map[string]string
		want   int
	}{
		{nil, 303}, {map[string]string{"Sec-Fetch-Site": "same-origin"}, 303}, {map[string]string{"Origin": "http://ppay.test"}, 303},
		{map[string]string{"Sec-Fetch-Site": "cross-site"}, 403}, {map[string]string{"Sec-Fetch-Site": "same-site"}, 403}, {map[string]string{"Origin": "http://evil.test"}, 403}, {map[string]string{"Origin": "null"}, 403},
	} {
		if resp, _ := w.browse("POST", "/act/notify", url.Values{}, tt.header); resp.StatusCode != tt.want {
			t.Errorf("%v: HTTP %d, want %d", tt.header, resp.StatusCode, tt.want)
		}
		want := map[bool]int{true: 403, false: 200}[tt.want == 403]
		if resp, _ := w.browse("POST", "/control/v1/notify", nil, tt.header); resp.StatusCode != want {
			t.Errorf("control API, %v: HTTP %d", tt.header, resp.StatusCode)
		}
	}
}

// FuzzForm posts anything to the page's forms: a page or a redirect comes back,
// never an error of ours.
func FuzzForm(f *testing.F) {
	f.Add("pay", "iuv=1&force=1")
	f.Add("clock", "now=2026-12-31T23%3A55")
	f.Add("clock", "advance=-24h")
	f.Add("settings", "section=tempi&retries=2&delay_min=1s")
	f.Add("settings", "section=ingresso&lenient=1&refuse_next=-1")
	f.Add("enable", "cf="+cf)
	f.Add("stop", "cf=%00")
	sim, err := ppaysim.Open(filepath.Join(f.TempDir(), "sim.db"), ppaysim.Config{
		Enti: []ppaysim.Creditor{{CF: cf, Segregation: "12", Types: []ppaysim.PaymentType{{Code: "MU01"}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := sim.Close(); err != nil {
			f.Error(err)
		}
	})
	h := sim.Handler()
	f.Fuzz(func(t *testing.T, act, form string) {
		r := httptest.NewRequest("POST", "/act/"+url.PathEscape(act), strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code >= 500 || rec.Code < 300 {
			t.Fatalf("HTTP %d: %s", rec.Code, rec.Body)
		}
		rec = httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/?q="+url.QueryEscape(form), nil))
		if rec.Code != 200 {
			t.Fatalf("the page: HTTP %d", rec.Code)
		}
	})
}
