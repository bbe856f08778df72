package backoffice

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

const plate = "AB123CD"

// issued is a slip of Torino with all that belongs to it.
type issued struct {
	verbale multe.Verbale
	code    multe.Code
	device  multe.Device
}

func (o *office) issue() issued {
	o.t.Helper()
	d, _ := o.world.Device(o.t, torino)
	o.world.AddCodes(o.t, torino, 6)
	codes, err := o.world.Pool.Lease(o.t.Context(), torino, d.ID, multe.LeaseID(o.world.ID(o.t)), 2)
	if err != nil {
		o.t.Fatal(err)
	}
	k := codes[0]
	slip := multe.Slip{
		ID: multe.VerbaleID(o.world.ID(o.t)), Position: k.Position, Number: k.Number, Plate: plate, Nation: "IT", Place: "via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17", IssuedAt: o.world.Now(),
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(o.world.Now()).Plus(5)}, {Cents: 4200}},
	}
	v, _, err := o.world.Verbali.Issue(o.t.Context(), torino, d.ID, slip, multe.DigestOf([]byte(slip.ID)))
	if err != nil {
		o.t.Fatal(err)
	}
	return issued{v, k, d}
}

// at fills the parameters of a path: with what was issued, or with what is nowhere.
func (r route) at(i issued) string {
	nowhere := strings.Repeat("0", 32)
	id := nowhere
	switch {
	case strings.HasPrefix(r.path, "/verbale/") && i.verbale.Slip.ID != "":
		id = string(i.verbale.Slip.ID)
	case strings.HasPrefix(r.path, "/dispositivi/") && i.device.ID != "":
		id = string(i.device.ID)
	}
	position, iuv := nowhere, strings.Repeat("0", 17)
	if i.code.Position != "" {
		position, iuv = string(i.code.Position), i.code.Number.IUV()
	}
	parts := strings.Split(r.path, "/")
	for n, p := range parts {
		switch {
		case p == ":position":
			parts[n] = position
		case p == ":iuv":
			parts[n] = iuv
		case p == ":kind":
			parts[n] = string(multe.PrintPreavviso)
		case strings.HasPrefix(p, ":"):
			parts[n] = id
		case strings.HasPrefix(p, "*"):
			parts[n] = "nowhere.css"
		}
	}
	return strings.Join(parts, "/")
}

func form(r route) url.Values {
	if r.method == http.MethodGet {
		return nil
	}
	return url.Values{}
}

// TestEveryPageAsksForSomething: a route without a need would be open to nobody,
// and one with a need that no role has too.
func TestEveryPageAsksForSomething(t *testing.T) {
	o := newOffice(t)
	o.withProvider("http://127.0.0.1:1")
	fine := append([]multe.Permission{public, enrolling, signedIn}, multe.Permissions...)
	for _, r := range o.server.routes() {
		if !slices.Contains(fine, r.need) {
			t.Errorf("%s %s asks for %q", r.method, r.path, r.need)
		}
		if r.method != http.MethodGet && r.method != http.MethodPost {
			t.Errorf("%s %s: a form knows GET and POST", r.method, r.path)
		}
	}
}

// TestWhoMaySeeWhat walks every page as every role, as somebody halfway through the
// door, and as nobody.
func TestWhoMaySeeWhat(t *testing.T) {
	o := newOffice(t)
	nobody := o.browser()
	_, code, err := o.access.Invite(t.Context(), "admin", torino, "A Metà", "meta@example.it", multe.RoleResponsabile)
	if err != nil {
		t.Fatal(err)
	}
	halfway := o.browser()
	halfway.do(http.MethodPost, pathInvite, url.Values{"codice": {code}, "password": {goodWords}, "ripeti": {goodWords}}).want(t, http.StatusSeeOther, pathTOTP)
	halfwayForm := csrfField.FindStringSubmatch(halfway.get(pathTOTP).body)[1]

	type walker struct {
		*browser
		csrf string
	}
	walkers := map[multe.Role]walker{}
	for _, role := range multe.Roles {
		b, _ := o.enrolled(torino, string(role)+"@example.it", role)
		walkers[role] = walker{b, csrfField.FindStringSubmatch(b.get(pathTOTP).body)[1]}
	}
	withToken := func(r route, token string) url.Values {
		f := form(r)
		if f != nil {
			f.Set("csrf", token)
		}
		return f
	}
	for _, r := range o.server.routes() {
		name, path := r.method+" "+r.path, r.at(issued{})
		if r.path == "/esci" {
			continue // walks out; TestThroughTheDoor does
		}
		p := nobody.do(r.method, path, form(r))
		if toDoor := p.status == http.StatusSeeOther && strings.HasPrefix(p.header.Get("Location"), pathSignIn); toDoor == (r.need == public) {
			t.Errorf("%s as nobody: %d to %q", name, p.status, p.header.Get("Location"))
		}
		if r.need != public {
			p := halfway.do(r.method, path, withToken(r, halfwayForm))
			if sent := p.status == http.StatusSeeOther && p.header.Get("Location") == pathTOTP; sent == (r.need == enrolling) {
				t.Errorf("%s halfway: %d to %q", name, p.status, p.header.Get("Location"))
			}
		}
		for role, w := range walkers {
			p := w.do(r.method, path, withToken(r, w.csrf))
			may := slices.Contains([]multe.Permission{public, enrolling, signedIn}, r.need) || role.May(r.need)
			refused := p.status == http.StatusForbidden && strings.Contains(p.body, "Il suo ruolo non permette")
			door := strings.HasPrefix(p.header.Get("Location"), pathSignIn)
			switch {
			case !may && !refused:
				t.Errorf("%s as %s: %d, want 403", name, role, p.status)
			case may && r.path != pathInvite && (p.status == http.StatusForbidden && r.path != pathSignIn || p.status >= 500 || door):
				t.Errorf("%s as %s: %d to %q, want it allowed", name, role, p.status, p.header.Get("Location"))
			}
		}
	}
}

// TestPagesShowNothingOfAnother asks, as the other town's people, for everything of
// Torino by its true ids.
func TestPagesShowNothingOfAnother(t *testing.T) {
	o := newOffice(t)
	i := o.issue()
	o.enrolled(torino, "segreto@example.it", multe.RoleAddetto)
	people, err := o.access.Operators(t.Context(), torino, "", 10)
	if err != nil || len(people) != 1 {
		t.Fatalf("people of Torino: %v, %v", people, err)
	}
	flow, message := multe.NewFlussoID("BANK", "flusso-segreto"), multe.MessageID(o.world.ID(t))
	err = o.store.Update(t.Context(), func(tx store.Tx) error {
		at := multe.Instant(o.world.Now())
		trouble := multe.NewDiscrepancy(torino, multe.TroubleDouble, i.code.Number.IUV(), "guaio-segreto", at)
		raw := []byte(`<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><n:TrasmettiRTRequest xmlns:n="http://www.csi.it/epay/epaywso/epaywso2enti/types"><n:Testata><n:CFEnteCreditore>` +
			string(torino) + `</n:CFEnteCreditore></n:Testata></n:TrasmettiRTRequest></S:Body></S:Envelope>`)
		return errors.Join(tx.PutDiscrepancy(trouble),
			tx.PutFlusso(multe.Flusso{Creditor: torino, ID: flow, FlussoHead: multe.FlussoHead{Name: "flusso-segreto"}, Received: at, Version: 1, Changed: at}),
			tx.PutDocument(multe.Document{Creditor: torino, Kind: multe.DocumentStreets, N: 1, From: multe.DayOf(at), Type: "text/plain", Body: []byte("via segreto"), Actor: "segreto", At: at}),
			tx.PutWebhook(multe.Webhook{Creditor: torino, ID: multe.WebhookID(message), URL: "https://segreto.example/", State: multe.WebhookActive, Version: 1, Changed: at}),
			tx.PutPayment(multe.Payment{Creditor: torino, IUV: i.code.Number.IUV(), IUR: "iur-segreto", Cents: 1, Received: at, Version: 1}),
			tx.PutExport(multe.Export{Creditor: torino, ID: multe.ExportID(message), Kind: multe.ExportLookup, By: "segreto", At: at, Version: 1, Changed: at}),
			tx.PutPrintJob(multe.PrintJob{Creditor: torino, ID: multe.PrintJobID(message), Actor: "segreto", Kind: multe.PrintPreavviso, State: multe.PrintFailed, At: at, Version: 1, Changed: at}),
			tx.PutPrint(multe.Print{Creditor: torino, ID: multe.PrintID(message), Actor: "segreto", Verbale: i.verbale.Slip.ID, Kind: multe.PrintPreavviso, Copy: 1, At: at, Version: 1}),
			tx.PutMessage(multe.Message{ID: message, State: multe.MessageDead, Kind: "TrasmettiRT", Raw: raw, Received: at, Version: 1, Changed: at}))
	})
	if err != nil {
		t.Fatal(err)
	}
	before := o.world.Rows(t, torino)
	secrets := []string{"segreto", string(flow), string(message), plate, string(i.verbale.Slip.ID), string(i.device.ID), string(i.code.Position), i.code.Number.String(), i.code.Number.IUV(), string(torino), "Comune di Torino"}
	for _, role := range []multe.Role{multe.RoleResponsabile, multe.RoleAmministratore, multe.RoleAddetto} {
		b, _ := o.enrolled(alba, "alba-"+string(role)+"@example.it", role)
		csrf := csrfField.FindStringSubmatch(b.get(pathTOTP).body)[1]
		for _, r := range o.server.routes() {
			if r.need == public || r.need == enrolling || strings.HasPrefix(r.path, "/conto/") || r.need != signedIn && !role.May(r.need) {
				continue
			}
			f := form(r)
			if f != nil {
				f = url.Values{"esito": {"done"}, "nota": {"fatto"}, "conferma": {"1"}, "tipo": {"autotutela"}, "csrf": {csrf}, "q": {plate}, "motivo": {"errore di persona"}, "id": {multe.TroubleDouble + ":" + i.code.Number.IUV()}, "nome": {"Palmare di Alba"}}
			}
			kinds := []string{"/verbale/", "/dispositivi/", "/codici/", "/pagamenti/", "/flussi/", "/messaggi/", "/verbali/trovati/", "/stampe/", "/stampe/copie/", "/elenchi/", "/operatori/", "/collegamenti/", "/impostazioni/file/"}
			if strings.Contains(r.path, "/:") && !slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(r.path, k+":") }) {
				t.Errorf("%s: no record of Torino for it: put one above", r.path)
			}
			path := r.at(i)
			for prefix, id := range map[string]string{"/flussi/": string(flow), "/messaggi/": string(message), "/stampe/": string(message), "/stampe/copie/": string(message), "/elenchi/": string(message), "/operatori/": string(people[0].ID), "/collegamenti/": string(message)} {
				path = strings.Replace(path, prefix+strings.Repeat("0", 32), prefix+id, 1)
			}
			path = strings.Replace(path, "/impostazioni/file/"+strings.Repeat("0", 32), "/impostazioni/file/"+string(multe.DocumentStreets), 1)
			path = strings.Replace(path, "/"+strings.Repeat("0", 32), "/1", 1) // of a document
			p := b.do(r.method, path, f)
			typed, _ := url.QueryUnescape(f.Encode())
			for _, s := range secrets {
				// What one typed may come back; what one did not must not.
				if strings.Contains(p.body, s) && !strings.Contains(typed, s) {
					t.Errorf("%s %s tells Alba's %s of Torino: %q", r.method, r.path, role, s)
				}
			}
			if r.path == "/impostazioni/file/:file" {
				continue // names a kind of file, which every town may have
			}
			if strings.Contains(r.path, "/:") && p.status != http.StatusNotFound && p.status != http.StatusUnprocessableEntity {
				t.Errorf("%s %s as Alba's %s: %d, want 404", r.method, r.path, role, p.status)
			}
		}
	}
	if diff := cmp.Diff(before, o.world.Rows(t, torino)); diff != "" {
		t.Errorf("changed by another town: %s", diff)
	}
}

// TestForeignForms sends what another site would have a browser send.
func TestForeignForms(t *testing.T) {
	o := newOffice(t)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	other, _ := o.enrolled(torino, "mario@example.it", multe.RoleResponsabile)
	token := csrfField.FindStringSubmatch(b.get(pathTOTP).body)[1]
	others := csrfField.FindStringSubmatch(other.get(pathTOTP).body)[1]
	before := o.world.Dump(t)
	for _, r := range o.server.routes() {
		if r.method == http.MethodGet {
			continue
		}
		path := r.at(issued{})
		good := url.Values{"csrf": {token}}
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, {"Sec-Fetch-Site", "", "Origin", "null"},
		} {
			if p := b.do(r.method, path, good, headers...); p.status != http.StatusForbidden || !strings.Contains(p.body, "altro sito") {
				t.Errorf("%s with %v: %d", r.path, headers, p.status)
			}
		}
		if r.need == public {
			continue
		}
		for name, f := range map[string]url.Values{"no token": {}, "an empty one": {"csrf": {""}}, "somebody else's": {"csrf": {others}}, "a longer one": {"csrf": {token + "x"}}} {
			if p := b.do(r.method, path, f); p.status != http.StatusConflict {
				t.Errorf("%s with %s: %d, want 409", r.path, name, p.status)
			}
		}
		if p := b.do(r.method, path+"?csrf="+token, url.Values{}); p.status != http.StatusConflict {
			t.Errorf("%s with the token in the address: %d, want 409", r.path, p.status)
		}
	}
	b.get("/").want(t, http.StatusOK, "")
	if after := o.world.Dump(t); after != before {
		t.Error("a foreign form changed something")
	}
}

func TestHeaders(t *testing.T) {
	o := newOffice(t)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	paths := []string{"/nowhere", "/../etc/passwd", pathSignIn}
	for _, r := range o.server.routes() {
		if r.method == http.MethodGet && !strings.HasPrefix(r.path, StaticPath) {
			paths = append(paths, r.at(issued{}))
		}
	}
	for _, path := range paths {
		p := b.get(path)
		for k, v := range securityHeaders {
			if got := p.header.Get(k); got != v && !(path == "/oggi/numeri" && k == "Cache-Control") {
				t.Errorf("%s: %s: %q, want %q", path, k, got, v)
			}
		}
		for _, inline := range []string{"<style", " style=", " onclick=", " onload=", "javascript:", "<script>"} {
			if strings.Contains(p.body, inline) {
				t.Errorf("%s has %q, which the policy forbids", path, inline)
			}
		}
	}
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(contentPolicy, part) {
			t.Errorf("no %s in the policy", part)
		}
	}
	if strings.Contains(contentPolicy, "unsafe") {
		t.Error("the policy allows something unsafe")
	}
}

func TestCookies(t *testing.T) {
	o := newOffice(t)
	for _, tt := range []struct {
		secure     bool
		name, want string
	}{
		{true, "__Host-sessione", "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{false, "sessione", "; Path=/; HttpOnly; SameSite=Lax"},
	} {
		o.server.secure = tt.secure
		_, code, err := o.access.Invite(t.Context(), "admin", torino, "Prova", "prova-"+tt.name+"@example.it", multe.RoleAgente)
		if err != nil {
			t.Fatal(err)
		}
		p := o.browser().do(http.MethodPost, pathInvite, url.Values{"codice": {code}, "password": {goodWords}, "ripeti": {goodWords}})
		name, rest, _ := strings.Cut(p.header.Get("Set-Cookie"), "=")
		value, attributes, _ := strings.Cut(rest, ";")
		if name != tt.name || len(value) != 43 || ";"+attributes != tt.want {
			t.Errorf("Set-Cookie: %s=…;%s, want %s=…%s", name, attributes, tt.name, tt.want)
		}
		if sts := p.header.Get("Strict-Transport-Security"); (sts != "") != tt.secure {
			t.Errorf("HSTS %q with TLS %t", sts, tt.secure)
		}
	}
}

// TestNobodyFixesASession: who plants a session in a browser knows nothing of the
// one that its owner opens.
func TestNobodyFixesASession(t *testing.T) {
	o := newOffice(t)
	b, secret := o.enrolled(torino, "lucia@example.it", multe.RoleAddetto)
	u, err := url.Parse(o.base)
	if err != nil {
		t.Fatal(err)
	}
	planted := b.client.Jar.Cookies(u)[0].Value
	o.world.Pass(time.Minute)
	b.do(http.MethodPost, pathSignIn, url.Values{"email": {"lucia@example.it"}, "password": {goodWords}, "codice": {o.code(secret)}}).want(t, http.StatusSeeOther, "/")
	if b.client.Jar.Cookies(u)[0].Value == planted {
		t.Error("the token is the same after signing in")
	}
	if _, err := o.access.Session(t.Context(), planted); err == nil {
		t.Error("the session that was there before still works")
	}
	if p := o.browser().do(http.MethodGet, "/", nil, "Cookie", "sessione=chosen-by-somebody"); p.status != http.StatusSeeOther {
		t.Errorf("a token that somebody chose: %d", p.status)
	}
}

func TestSessionsEndWithAWord(t *testing.T) {
	o := newOffice(t)
	b, secret := o.enrolled(torino, "lucia@example.it", multe.RoleAddetto)
	o.world.Pass(31 * time.Minute)
	to := b.get("/verbali?pagina=2").want(t, http.StatusSeeOther, pathSignIn+"?da=%2Fverbali%3Fpagina%3D2&fine=idle").header.Get("Location")
	if p := b.get(to); !strings.Contains(p.body, "dopo 30 minuti senza attività") || !strings.Contains(p.body, `value="/verbali?pagina=2"`) {
		t.Errorf("the login page says nothing of it: %s", p.body)
	}
	b.do(http.MethodPost, pathSignIn, url.Values{"email": {"lucia@example.it"}, "password": {goodWords}, "codice": {o.code(secret)}, "da": {"/verbali?pagina=2"}}).want(t, http.StatusSeeOther, "/verbali?pagina=2")

	// A part of a page is not replaced by the login page.
	o.world.Pass(31 * time.Minute)
	if p := b.do(http.MethodGet, "/", nil, "HX-Request", "true"); p.status != http.StatusUnauthorized || !strings.HasPrefix(p.header.Get("HX-Redirect"), pathSignIn) {
		t.Errorf("htmx: %d to %q", p.status, p.header.Get("HX-Redirect"))
	}
}

func TestSafeNext(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/verbali": "/verbali", "/verbali?a=1&b=2": "/verbali?a=1&b=2", "/a:b": "/a:b",
		"": "/", "verbali": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\/evil.example`: "/", "https://evil.example": "/",
		"javascript:alert(1)": "/", "/\t/evil.example": "/", "/\n/evil.example": "/", "/%2f/evil.example": "/", "/%5cevil.example": "/", "/ /evil": "/", "/è": "/",
		"/" + strings.Repeat("a", maxNext): "/", "@evil.example": "/", "/..//evil.example": "/..//evil.example",
	} {
		if got := safeNext(in); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/", "//x", `/\x`, "/a?b#c", "/%2f%2fx", "/\x00"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "multe.example.it"}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(safeNext(s))
		if err != nil {
			t.Fatalf("safeNext(%q) is no address: %v", s, err)
		}
		if to := base.ResolveReference(u); to.Host != base.Host || to.Scheme != base.Scheme {
			t.Errorf("safeNext(%q) leads to %s", s, to)
		}
	})
}

func TestAgent(t *testing.T) {
	for header, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                           "Firefox su Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0":    "Edge su Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1": "Safari su iPhone",
		"<script>alert(1)</script>": "altro browser su altro sistema",
		"":                          "altro browser su altro sistema",
	} {
		if got := agent(header); got != want {
			t.Errorf("agent(%q) = %q, want %q", header, got, want)
		}
	}
	for address, want := range map[string]string{"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "x": "?"} {
		if got := network(address); got != want {
			t.Errorf("network(%q) = %q, want %q", address, got, want)
		}
	}
}
