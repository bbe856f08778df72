package backoffice

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"preavviso/internal/access"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// TestFormsAfterTheEnd sends every form after its session ended: the person is told
// that it did not count, and comes back to the page it stands on.
func TestFormsAfterTheEnd(t *testing.T) {
	o := newOffice(t)
	i := o.issue()
	_, secret := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	for _, r := range o.server.routes() {
		if r.method != http.MethodPost || r.need == public || r.path == "/esci" {
			continue
		}
		o.world.Pass(time.Minute)
		b := o.browser()
		p := b.do(http.MethodPost, pathSignIn, url.Values{"email": {"lucia@example.it"}, "password": {goodWords}, "codice": {o.code(secret)}})
		p.want(t, http.StatusSeeOther, "/")
		o.world.Pass(31 * time.Minute)
		before := o.world.Dump(t)
		p = b.do(http.MethodPost, r.at(i), url.Values{"csrf": {"x"}, "motivo": {"errore"}})
		to := p.header.Get("Location")
		if p.status != http.StatusSeeOther || !strings.HasPrefix(to, pathSignIn+"?") {
			t.Fatalf("%s: %d to %q", r.path, p.status, to)
		}
		door := b.get(to).body
		if !strings.Contains(door, "dopo 30 minuti senza attività") || !strings.Contains(door, "Non è stato salvato:") {
			t.Errorf("%s: the door says nothing of it: %s", r.path, door)
		}
		back := regexp.MustCompile(`name="da" value="([^"]*)"`).FindStringSubmatch(door)
		if back == nil || b.get(back[1]).status == http.StatusNotFound {
			t.Errorf("%s leads back to %q", r.path, back)
		}
		if o.world.Dump(t) != before {
			t.Errorf("%s changed something", r.path)
		}
	}
	// Words of others cannot be put into the link.
	if p := o.browser().get(pathSignIn + "?perso=chiamare+il+numero+899"); strings.Contains(p.body, "899") || !strings.Contains(p.body, "Non è stato salvato:") {
		t.Error("a link can put words on the login page")
	}
}

// TestKilledSession ends a session from elsewhere: the next click says so.
func TestKilledSession(t *testing.T) {
	o := newOffice(t)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleAddetto)
	u, err := url.Parse(o.base)
	if err != nil {
		t.Fatal(err)
	}
	var w access.Who
	if w, err = o.access.Session(t.Context(), b.client.Jar.Cookies(u)[0].Value); err != nil {
		t.Fatal(err)
	}
	if err := o.access.Kill(t.Context(), "admin", torino, w.Operator, w.Session); err != nil {
		t.Fatal(err)
	}
	to := b.get("/verbali").header.Get("Location")
	if p := b.get(to); !strings.Contains(p.body, "La sessione non è più aperta") || !strings.Contains(p.body, `value="/verbali"`) {
		t.Errorf("%s says: %s", to, p.body)
	}
	if p := b.get("/verbali"); strings.Contains(p.header.Get("Location"), "fine=") {
		t.Error("who has no session any more is told twice that it ended")
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="(versione|richiesta|csrf)" value="([^"]*)">`)

// form reads the hidden fields of the form of a page that goes to action.
func (p page) form(t *testing.T, action string) url.Values {
	t.Helper()
	_, f, ok := strings.Cut(p.body, `action="`+action+`"`)
	if !ok {
		t.Fatalf("no form to %s: %s", action, p.body)
	}
	f, _, _ = strings.Cut(f, "</form>")
	v := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(f, -1) {
		v.Set(m[1], m[2])
	}
	return v
}

// TestSentTwice sends each form twice, as a double click does: it counts once.
func TestSentTwice(t *testing.T) {
	o := newOffice(t)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	admin, _ := o.enrolled(torino, "anna@example.it", multe.RoleAmministratore)
	records := func() (devices []multe.Device, verbali []multe.Verbale) {
		t.Helper()
		if err := o.store.View(t.Context(), func(r store.Reader) (err error) {
			if devices, err = r.Devices(torino, "", 100); err == nil {
				verbali, err = r.Verbali(torino, "", 100)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return devices, verbali
	}
	add := admin.get("/dispositivi").form(t, "/dispositivi")
	add.Set("nome", "")
	if p := admin.do(http.MethodPost, "/dispositivi", add); p.status != http.StatusUnprocessableEntity {
		t.Fatalf("no name: %d", p.status)
	}
	add.Set("nome", "Palmare 7")
	if p := admin.do(http.MethodPost, "/dispositivi", add); p.status != http.StatusCreated {
		t.Fatalf("a form that was refused before: %d", p.status)
	}
	if p := admin.do(http.MethodPost, "/dispositivi", add); p.status != http.StatusConflict || !strings.Contains(p.body, "eseguito una volta sola") {
		t.Errorf("the second click: %d %s", p.status, p.body)
	}
	if ds, _ := records(); len(ds) != 1 {
		t.Errorf("%d handhelds, want 1", len(ds))
	}
	add = admin.get("/dispositivi").form(t, "/dispositivi")
	add.Set("nome", "Palmare 7")
	if p := admin.do(http.MethodPost, "/dispositivi", add); p.status != http.StatusCreated {
		t.Errorf("another of the same name, on purpose: %d", p.status)
	}

	i := o.issue()
	path := "/verbale/" + string(i.verbale.Slip.ID)
	form := b.get(path+"/registra").form(t, path+"/registra")
	for k, v := range map[string]string{"registro": "V-1/2026", "importo": "42,00", "causale": "Verbale 1", "chi": "nessuno"} {
		form.Set(k, v)
	}
	for n := range 2 {
		if p := b.do(http.MethodPost, path+"/registra", form); p.status != http.StatusSeeOther {
			t.Fatalf("recording, time %d: %d %s", n+1, p.status, p.body)
		}
	}
	_, vs := records()
	if vs[0].Version != 2 {
		t.Errorf("recorded into version %d, want 2", vs[0].Version)
	}
	form = b.get(path).form(t, path+"/annulla")
	form.Set("motivo", "Errore di persona")
	form.Set("tipo", string(multe.CancelAutotutela))
	form.Set("causa", "targa-errata")
	first := b.do(http.MethodPost, path+"/annulla", form)
	_, once := records()
	second := b.do(http.MethodPost, path+"/annulla", form)
	_, twice := records()
	if first.status != http.StatusSeeOther || second.status >= 500 || once[0].Version != twice[0].Version {
		t.Errorf("annulled: %d %d, version %d then %d\n%s", first.status, second.status, once[0].Version, twice[0].Version, first.body)
	}
}

// TestGoneBack sends forms of pages that somebody has left open while a colleague
// worked: nothing is changed, and the page says how things are now.
func TestGoneBack(t *testing.T) {
	o := newOffice(t)
	lucia, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	anna, _ := o.enrolled(torino, "anna@example.it", multe.RoleResponsabile)
	i := o.issue()
	path := "/verbale/" + string(i.verbale.Slip.ID)
	old := map[string]url.Values{"/annulla": lucia.get(path).form(t, path+"/annulla"), "/registra": lucia.get(path+"/registra").form(t, path+"/registra")}
	form := anna.get(path+"/registra").form(t, path+"/registra")
	for k, v := range map[string]string{"registro": "V-77/2026", "importo": "42,00", "causale": "Verbale 77", "chi": "nessuno"} {
		form.Set(k, v)
	}
	anna.do(http.MethodPost, path+"/registra", form).want(t, http.StatusSeeOther, "/verbali/prossimo?fatto=registrato&dopo="+string(i.verbale.Slip.ID))
	read := func() (v multe.Verbale) {
		t.Helper()
		if err := o.store.View(t.Context(), func(r store.Reader) (err error) { v, err = r.Verbale(torino, i.verbale.Slip.ID); return err }); err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := read().Version
	for to, f := range old {
		for k, v := range map[string]string{"registro": "V-99/2026", "importo": "55,00", "causale": "Verbale 99", "chi": "nessuno", "motivo": "Errore", "tipo": string(multe.CancelAutotutela), "causa": "targa-errata"} {
			f.Set(k, v)
		}
		p := lucia.do(http.MethodPost, path+to, f)
		if p.status != http.StatusConflict || !strings.Contains(p.body, "V-77/2026") || !strings.Contains(p.body, `class="avviso bad"`) {
			t.Errorf("%s from a page of before: %d %s", to, p.status, p.body)
		}
		if v := read(); v.Version != before {
			t.Errorf("%s changed the verbale", to)
		}
	}
	// A handheld that was revoked meanwhile gets no new code.
	admin, _ := o.enrolled(torino, "capo@example.it", multe.RoleAmministratore)
	dev := "/dispositivi/" + string(i.device.ID)
	invite := admin.get(dev).form(t, dev+"/invito")
	revoke := admin.get(dev).form(t, dev+"/revoca")
	revoke.Set("conferma", "1")
	admin.do(http.MethodPost, dev+"/invito", invite)
	if p := admin.do(http.MethodPost, dev+"/revoca", revoke); p.status != http.StatusConflict || !strings.Contains(p.body, "modificato da altri") {
		t.Errorf("revoked from a page of before: %d %s", p.status, p.body)
	}
}
