package backoffice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"preavviso/internal/backoffice"
	"preavviso/internal/demo"
)

// TestPages walks every page of the demo's office as a person would: with and
// without scripts, by keyboard, on a narrow screen and at twice the size, and has
// axe-core look at each. PREAVVISO_DOCS_PAGES names a folder for pictures.
func TestPages(t *testing.T) {
	chromium := browserOf(t)
	axe, err := os.ReadFile(filepath.Join("..", "assets", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		missing(t, fmt.Errorf(`axe-core is not there, run "make assets": %w`, err))
	}
	link, sim := runDemo(t)
	w := newWalker(t, chromium, string(axe))
	w.signIn(link)
	w.trouble(sim)
	w.find()
	for i := range w.pages {
		w.visit(&w.pages[i])
	}
	w.withoutScripts()
	w.byKeyboard()
	w.search()
	w.records()
}

// TestManagementPages walks the pages of who manages an office.
func TestManagementPages(t *testing.T) {
	chromium := browserOf(t)
	axe, err := os.ReadFile(filepath.Join("..", "assets", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		missing(t, fmt.Errorf(`axe-core is not there, run "make assets": %w`, err))
	}
	w := newWalker(t, chromium, string(axe))
	w.signIn(backoffice.AdminInvitation(t))
	for _, path := range []string{"/operatori", "/impostazioni", "/impostazioni/file/streets", "/collegamenti", "/comunicazioni"} {
		w.pages = append(w.pages, visited{name: "gestione" + strings.ReplaceAll(path, "/", "-"), path: path})
	}
	for i := range w.pages {
		w.visit(&w.pages[i])
	}
	w.withoutScripts()
	w.byKeyboard()
}

// TestActPages walks the pages of verbali that are further on in their life than
// any of the demo's, and of what was printed and listed of them.
func TestActPages(t *testing.T) {
	chromium := browserOf(t)
	axe, err := os.ReadFile(filepath.Join("..", "assets", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		missing(t, fmt.Errorf(`axe-core is not there, run "make assets": %w`, err))
	}
	w := newWalker(t, chromium, string(axe))
	link, pages := backoffice.ActInvitation(t)
	w.signIn(link)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		w.pages = append(w.pages, visited{name: "atti-" + name, path: pages[name]})
	}
	for i := range w.pages {
		w.visit(&w.pages[i])
	}
	w.withoutScripts()
	w.byKeyboard()
}

// newWalker starts a browser.
func newWalker(t *testing.T, chromium, axe string) *walker {
	t.Helper()
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium), chromedp.WindowSize(1280, 900),
		chromedp.Flag("lang", "it"), chromedp.Flag("force-color-profile", "srgb"))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)

	if err := chromedp.Run(ctx); err != nil { // the browser lives as long as this call's context
		t.Fatal(err)
	}
	w := &walker{t: t, ctx: ctx, axe: axe, docs: os.Getenv("PREAVVISO_DOCS_PAGES")}
	w.listen()
	return w
}

// missing ends a test that lacks something: with a failure where it must be there.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("PREAVVISO_TEST_REQUIRE") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func browserOf(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, err)
	}
	return path
}

var (
	invitation = regexp.MustCompile(`pagine dell'ufficio +(http\S+)`)
	simulator  = regexp.MustCompile(`simulatore +(http\S+) `)
)

// runDemo plays the demo's shift and keeps it running. It returns the invitation to
// the pages and where the simulator listens.
func runDemo(t *testing.T) (link, sim string) {
	t.Helper()
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := demo.Run(ctx, demo.Options{Out: t.TempDir(), Stay: true, Stdout: w})
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		go io.Copy(io.Discard, r)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var story bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		story.Write(buf[:n])
		if at := simulator.FindSubmatch(story.Bytes()); at != nil {
			return string(invitation.FindSubmatch(story.Bytes())[1]), string(at[1])
		}
		if err != nil {
			t.Fatalf("the demo ended: %v\n%s", err, &story)
		}
	}
}

// visited is a page to look at.
type visited struct{ name, path, words string }

type walker struct {
	t     *testing.T
	ctx   context.Context
	axe   string
	docs  string
	base  string
	pages []visited

	mu       sync.Mutex
	problems []string // what the browser complained of since the last look
}

// listen collects what the browser complains of: a refused style is a hole in the
// policy or in a page.
func (w *walker) listen() {
	chromedp.ListenTarget(w.ctx, func(ev any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			w.problems = append(w.problems, ev.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.APITypeError {
				w.problems = append(w.problems, fmt.Sprint("console.error: ", ev.Args[0].Description))
			}
		}
	})
}

func (w *walker) run(what string, actions ...chromedp.Action) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.ctx, 20*time.Second)
	defer stop()
	if err := chromedp.Run(ctx, actions...); err != nil {
		last, stop := context.WithTimeout(w.ctx, 5*time.Second)
		defer stop()
		var seen string
		_ = chromedp.Run(last, chromedp.Evaluate(`location.href + "\n" + document.body.innerText`, &seen)) // what there is helps, nothing is no worse
		w.t.Fatalf("%s: %v\n%s", what, err, seen)
	}
}

// appear waits until a whole page has what sel selects. It asks again and again: a
// question that meets a page on its way out is never answered.
func (w *walker) appear(sel string) {
	w.t.Helper()
	js := fmt.Sprintf(`document.readyState === "complete" && document.querySelector(%q) !== null`, sel)
	for range 200 {
		ctx, stop := context.WithTimeout(w.ctx, 2*time.Second)
		var there bool
		err := chromedp.Run(ctx, chromedp.Evaluate(js, &there))
		stop()
		if err == nil && there {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatalf("%s does not appear:\n%s", sel, w.text("page", `location.href + "\n" + document.body.innerText`))
}

func (w *walker) text(what, js string) string {
	w.t.Helper()
	var s string
	w.run(what, chromedp.Evaluate(js, &s))
	return s
}

func (w *walker) open(path string) {
	w.t.Helper()
	w.run(path, chromedp.Navigate(w.base+path), chromedp.WaitReady("body"))
}

// signIn takes the invitation, a password and a second factor.
func (w *walker) signIn(link string) {
	w.t.Helper()
	w.base = link[:strings.Index(link, "/invito")]
	w.run("invitation", chromedp.Navigate(link), chromedp.WaitReady("form"))
	w.look("invito")
	w.run("password", chromedp.SendKeys("[name=password]", "quattro cavalli al bar"), chromedp.SendKeys("[name=ripeti]", "quattro cavalli al bar\r"))
	w.appear("main [name=codice]")
	w.look("secondo-fattore")
	secret := w.text("secret", `document.body.innerText.match(/\b[A-Z2-7]{32}\b/)[0]`)
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.run("second factor", chromedp.SendKeys("[name=codice]", code+"\r"))
	w.appear("main li code")
}

// trouble has a citizen pay what is paid already, and the bank pay it over: the
// first page gets work, and the flows a line.
func (w *walker) trouble(sim string) {
	w.t.Helper()
	w.open("/pagamenti")
	iuv := w.text("a paid IUV", `document.querySelector("th a.mono").textContent`)
	for path, body := range map[string]string{
		"/control/v1/pay":   fmt.Sprintf(`{"iuv": %q, "cents": 2940, "force": true}`, iuv),
		"/control/v1/flows": `{"cf": "01234567897", "kind": "completo"}`,
	} {
		resp, err := http.Post(sim+path, "application/json", strings.NewReader(body))
		if err != nil {
			w.t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			w.t.Fatalf("%s: %s %s %v", path, resp.Status, answer, err)
		}
	}
	for range 100 {
		w.open("/")
		if w.text("groups", `"" + document.querySelectorAll("article.scheda.bad").length`) != "0" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Error("a double payment is no work for anybody")
}

// find lists every page: those of the navigation, and one of each kind below them.
func (w *walker) find() {
	w.t.Helper()
	w.open("/")
	links := func() []string {
		var l []string
		w.run("links", chromedp.Evaluate(`[...document.querySelectorAll("a[href^='/']")].map(a => a.getAttribute("href"))`, &l))
		return l
	}
	w.pages = []visited{{name: "oggi", path: "/"}}
	seen := map[string]bool{}
	kinds := regexp.MustCompile(`^/(codici|verbale|pagamenti|dispositivi|messaggi|flussi|stampe|elenchi|operatori|comunicazioni|impostazioni/file)/[^/?]+(/(?:notifica|correggi|ricorso|esito|rimborso|revoca))?$`)
	for _, path := range links() {
		if slices.Contains([]string{"/verbali/prossimo"}, path) || strings.Contains(path, "?") || path == "/" || seen[path] {
			continue
		}
		seen[path] = true
		if kinds.MatchString(path) {
			continue
		}
		w.pages = append(w.pages, visited{name: strings.ReplaceAll(path[1:], "/", "-"), path: path})
	}
	for i := 0; i < len(w.pages); i++ { // it grows
		w.open(w.pages[i].path)
		for _, path := range links() {
			m := kinds.FindStringSubmatch(path)
			if m == nil && strings.LastIndexAny(path, "/?") == 0 && path != "/" && !seen[path] {
				seen[path] = true
				w.pages = append(w.pages, visited{name: path[1:], path: path})
			}
			if m == nil {
				continue
			}
			name := strings.ReplaceAll(strings.TrimPrefix(m[1], "impostazioni/")+"-uno"+m[2], "/", "-")
			if !seen[name] {
				seen[name] = true
				w.pages = append(w.pages, visited{name: name, path: path})
			}
		}
	}
	var form string
	for _, p := range w.pages {
		if p.name == "verbale-uno" {
			form = p.path
		}
	}
	if form == "" || len(w.pages) < 14 {
		w.t.Fatalf("only these pages were found: %v", w.pages)
	}
	w.open("/verbali/prossimo")
	if path := w.text("form", "location.pathname"); strings.HasSuffix(path, "/registra") {
		w.pages = append(w.pages, visited{name: "registra", path: path})
	}
}

// words is what a page says, without what counts on.
const words = `document.querySelector("main").innerText.replace(/\d+/g, "#")`

// visit looks at a page in three sizes. It is loaded once: what depends on the size
// is the style sheet's alone.
func (w *walker) visit(p *visited) {
	w.t.Helper()
	w.open(p.path)
	p.words = w.text("words", words)
	for _, size := range []struct {
		name          string
		width, height int64
		scale         float64
	}{{"", 1280, 900, 1}, {"-320", 320, 640, 1}, {"-200", 640, 450, 2}} { // 200 % of 1280 is 640 wide at twice the pixels
		w.run(p.path, chromedp.EmulateViewport(size.width, size.height, chromedp.EmulateScale(size.scale)))
		w.look(p.name + size.name)
	}
	w.run("size", chromedp.EmulateViewport(1280, 900))
}

const overflow = `(() => { const d = document.documentElement; return d.scrollWidth > d.clientWidth ? d.scrollWidth + " > " + d.clientWidth : "" })()`

type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// look checks the page that is open: nothing to scroll sideways, one h1, no
// complaint, nothing serious for axe-core.
func (w *walker) look(name string) {
	w.t.Helper()
	w.appear("footer.piede")
	if o := w.text("width", overflow); o != "" {
		w.t.Errorf("%s must be scrolled sideways: %s", name, o)
	}
	var h1 int
	w.run("h1", chromedp.Evaluate(`document.querySelectorAll("h1").length`, &h1))
	if h1 != 1 {
		w.t.Errorf("%s has %d first headings", name, h1)
	}
	var result []byte
	w.run("axe", chromedp.Evaluate( // in one go: a page that is just being replaced has no axe-core in it
		`if (!window.axe) { `+w.axe+` }; axe.run(document, {runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","best-practice"], resultTypes: ["violations"]}).then(r => r.violations.map(v => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`,
		&result, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var vs []violation
	if err := json.Unmarshal(result, &vs); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range vs {
		if v.Impact == "serious" || v.Impact == "critical" {
			w.t.Errorf("%s: axe %s (%s): %s\n%s\n%s", name, v.ID, v.Impact, v.Help, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
		} else {
			w.t.Logf("%s: axe %s (%s): %s: %s", name, v.ID, v.Impact, v.Help, v.Nodes[0].HTML)
		}
	}
	w.mu.Lock()
	problems := w.problems
	w.problems = nil
	w.mu.Unlock()
	for _, p := range problems {
		w.t.Errorf("%s: %s", name, p)
	}
	w.picture(name)
}

func (w *walker) picture(name string) {
	w.t.Helper()
	if w.docs == "" {
		return
	}
	var png []byte
	for try := range 3 { // headless Chromium now and then waits for a frame that never comes
		ctx, stop := context.WithTimeout(w.ctx, 8*time.Second)
		err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100))
		stop()
		if err == nil {
			break
		}
		if try == 2 {
			w.t.Fatalf("picture of %s: %v", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.docs, name+".png"), png, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// withoutScripts opens every page with scripts off: what a person reads is the same.
func (w *walker) withoutScripts() {
	w.t.Helper()
	w.run("scripts off", emulation.SetScriptExecutionDisabled(true))
	for _, p := range w.pages {
		w.open(p.path)
		if without := w.text("words", words); p.words != without { // the debugger's own scripts still run
			w.t.Errorf("%s says something else without scripts:\n%s\n---\n%s", p.name, p.words, without)
		}
	}
	w.run("scripts on", emulation.SetScriptExecutionDisabled(false))
}

// byKeyboard walks every page with Tab alone: each stop is seen, all that can be
// used is reached, and the first stop skips the navigation.
func (w *walker) byKeyboard() {
	w.t.Helper()
	const focused = `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
		return JSON.stringify({tag: e.tagName, name: e.id || e.textContent.trim().slice(0, 40) || e.name || "", outline: s.outlineStyle + " " + s.outlineWidth, w: r.width, h: r.height, left: r.left}) })()`
	const usable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(e => e.checkVisibility() && !e.disabled).length`
	for _, p := range w.pages {
		w.open(p.path)
		var want int
		var begins bool // at a field of its own choice
		w.run("usable", chromedp.Evaluate(usable, &want), chromedp.Evaluate(`document.querySelector("[autofocus]") !== null`, &begins), chromedp.Evaluate(`document.activeElement.blur()`, nil))
		want = min(want, 25) // the rest is more of the same
		stops := map[string]bool{}
		for i := range want {
			w.run("tab", chromedp.KeyEvent("\t"))
			var f struct {
				Tag, Name, Outline string
				W, H, Left         float64
			}
			if err := json.Unmarshal([]byte(w.text("focus", focused)), &f); err != nil {
				w.t.Fatal(err)
			}
			if f.Tag == "BODY" {
				break
			}
			if i == 0 && !strings.Contains(f.Name, "Vai al contenuto") && !begins {
				w.t.Errorf("%s: the first stop is %q", p.name, f.Name)
			}
			if !strings.HasPrefix(f.Outline, "solid") || f.W == 0 || f.H == 0 || f.Left < -100 {
				w.t.Errorf("%s: the focus on %s %q cannot be seen (%+v)", p.name, f.Tag, f.Name, f)
			}
			stops[fmt.Sprint(i, f.Name)] = true
		}
		// The form begins at its first field, and a group of radio buttons is one stop.
		if !begins && len(stops) < want*8/10 {
			w.t.Errorf("%s: %d stops by keyboard, %d things to use", p.name, len(stops), want)
		}
	}
}

// records records a verbale with the keyboard alone: once with something wrong,
// which the page names and leads to, then right.
func (w *walker) records() {
	w.t.Helper()
	typed := 0
	press := func(keys string) {
		typed += len([]rune(keys))
		w.run("keys", chromedp.KeyEvent(keys))
	}
	at := func(what, want string) {
		w.t.Helper()
		got := ""
		for range 40 { // a page may still be on its way
			if got = w.text("focus", `document.activeElement.id || document.activeElement.className || document.activeElement.tagName`); got == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		w.t.Errorf("%s: the reader is at %q, want %q", what, got, want)
	}
	w.open("/verbali/prossimo")
	at("the form", "registro")
	press("\r")
	w.appear(".campo.errato")
	w.look("registra-errore") // which moves what a reader would not

	w.open("/")
	typed = 0
	for w.text("link", `document.activeElement.getAttribute("href") || ""`) != "/verbali/prossimo" {
		if press("\t"); typed > 60 {
			w.t.Fatal("the next verbale cannot be reached from Oggi")
		}
	}
	reached := typed + 1
	press("\r")
	w.appear("form[action$='/registra']")
	at("the form", "registro")
	press("\r")
	w.appear(".campo.errato")
	at("after a refusal", "avviso bad")
	press("\t")
	at("the first thing to correct", "A")
	if to := w.text("link", `document.activeElement.hash`); to != "#cognome" {
		w.t.Errorf("it leads to %q", to)
	}
	// Not by Enter on the link: the made-up key goes up in the field, and sends the form.
	press("\t\t\t\t\t\t")
	at("its field", "cognome")
	press("Bianchi\tLucia\t\tBNCLCU80A41L219X\r")
	w.appear(".avviso.good")
	if path := w.text("path", "location.pathname"); path != "/verbali" {
		w.t.Errorf("after the last verbale the reader is at %s", path)
	}
	w.look("registrato")
	t := typed - reached
	w.t.Logf("from Oggi to recorded: %d keys, %d of them to get to the form, 2 and 6 for the refusal and the way back to the field", typed, reached)
	if t > 60 {
		w.t.Errorf("%d keys for one verbale", t)
	}
}

// search finds a verbale by its plate, which appears in no address.
func (w *walker) search() {
	w.t.Helper()
	w.open("/verbali")
	w.run("search", chromedp.SendKeys("#q", "ab 123 cd\r"))
	w.appear("main .storia")
	if url := w.text("address", "location.href"); strings.Contains(strings.ToUpper(url), "AB123") {
		w.t.Errorf("the plate stands in the address: %s", url)
	}
}
