package backoffice

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	cdpnet "github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// mark is in every hostile text, so that it is found wherever it ends up.
const mark = "hx7q"

// hostile are texts that strangers write: each begins with what one place of a
// page must not take for its own, and none is refused for what it is, since
// "<" and quotes are in honest names too.
var hostile = []string{
	`"'><script>` + mark + `=1;alert(1)</script><img src=x onerror=` + mark + `=1 ` + mark + `><svg onload=alert(1)>` + "`${alert(1)}`{{.}}{{template \"csrf\" .}}<!--]]></textarea></title></style></option></td>",
	`javascript:` + mark + `=1//`,
	`//` + mark + `.example/x`,
	"\u202e" + mark + "\u200b\u2066\ufeff\U0001F6A8\U0010FFFD " + strings.Repeat("W", 400),
	`' onfocus=` + mark + `=1 autofocus style=background:url(//` + mark + `.example) hx-get=//` + mark + `.example x='`,
	`data:text/html,<script>` + mark + `=1</script>`,
}

// poison sets every text of a record, except those that other records or the
// program find it by.
func poison(v reflect.Value, s string) {
	found := []string{"IUV", "Kind", "Action", "Login", "Upstream", "UpstreamID", "Password", "Token", "Agent", "CF"}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), s)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), s)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !slices.Contains(found, f.Name) {
				poison(v.Field(i), s)
			}
		}
	case reflect.String:
		if t := v.Type().Name(); v.CanSet() && (t == "string" || t == "Causale") {
			v.SetString(s)
		}
	}
}

// poisoned is a record whose texts are s, as its next version.
func poisoned[T any](rec T, s string) T {
	poison(reflect.ValueOf(&rec).Elem(), s)
	if f := reflect.ValueOf(&rec).Elem().FieldByName("Version"); f.IsValid() {
		f.SetUint(f.Uint() + 1)
	}
	return rec
}

// poisonedOffice is pages where every text of every record is s, and where to find
// them. Validation is passed by: what stands in the store may be older than it.
func poisonedOffice(t *testing.T, s string) (o *office, b *browser, paths []string) {
	o = newOffice(t)
	i := o.issue()
	now := multe.Instant(o.world.Now())
	iuv := i.code.Number.IUV()
	other := o.issue()
	b, _ = o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	var message multe.MessageID = multe.MessageID(o.world.ID(t))
	err := o.store.Update(t.Context(), func(tx store.Tx) error {
		cr, err := tx.Creditor(torino)
		if err != nil {
			return err
		}
		cr.Postal = &multe.PostalAccount{}
		operators, err := tx.Operators(torino, "", 10)
		if err != nil {
			return err
		}
		v := i.verbale
		v.State = multe.VerbaleFinalised
		v.Record = &multe.Record{Cents: 4200, Debtor: &multe.Debtor{CF: "RSSMRA80A01L219M"}, At: now}
		v.History = []multe.Record{*v.Record}
		v.Cancellation = &multe.Cancellation{}
		k, err := tx.Code(torino, i.code.Position)
		if err != nil {
			return err
		}
		dev, err := tx.Device(torino, i.device.ID)
		if err != nil {
			return err
		}
		p := multe.Payment{Creditor: torino, IUV: iuv, Position: k.Position, Verbale: v.Slip.ID, Cents: 4200, Payer: &multe.Debtor{CF: "RSSMRA80A01L219M"}, Received: now, Message: message}
		f := multe.Flusso{Creditor: torino, ID: multe.NewFlussoID("x", "x"), Received: now, Lines: 1, FlussoHead: multe.FlussoHead{SettledOn: multe.DayOf(now)}}
		errs := []error{tx.PutCreditor(poisoned(cr, s)), tx.PutVerbale(poisoned(v, s)), tx.PutCode(poisoned(k, s)), tx.PutDevice(poisoned(dev, s)), tx.PutPayment(poisoned(p, s)),
			tx.PutFlusso(poisoned(f, s)), tx.PutFlussoLine(poisoned(multe.FlussoLine{Creditor: torino, Flusso: f.ID, N: 1, FlussoRow: multe.FlussoRow{IUV: iuv, Cents: 1}}, s)),
			tx.PutReceipt(poisoned(multe.Receipt{Creditor: torino, IUV: iuv, Digest: multe.DigestOf([]byte(s)), XML: []byte(s), Received: now}, s)),
			tx.PutRefund(poisoned(multe.Refund{Creditor: torino, ID: multe.RefundID(o.world.ID(t)), IUV: iuv, Verbale: v.Slip.ID, Cents: 1, RefundedOn: multe.DayOf(now), At: now}, s)),
			tx.PutMessage(multe.Message{ID: message, State: multe.MessageDead, Kind: s, Caller: s, Problem: s, Raw: []byte("<x a=\"" + s + "\">" + s + "</x>"), Received: now, Version: 1, Changed: now}),
			tx.PutBulletin(poisoned(multe.Bulletin{Creditor: torino, ID: multe.BulletinID(o.world.ID(t)), Written: now, Expires: now.Add(time.Hour)}, s)),
			tx.PutExport(poisoned(multe.Export{Creditor: torino, ID: multe.ExportID(o.world.ID(t)), Kind: multe.ExportNotify, At: now}, s)),
			tx.PutWebhook(poisoned(multe.Webhook{Creditor: torino, ID: multe.WebhookID(o.world.ID(t))}, s)),
			tx.PutPrintJob(poisoned(multe.PrintJob{Creditor: torino, ID: multe.PrintJobID(o.world.ID(t)), Kind: multe.PrintVerbale, State: multe.PrintFailed, At: now}, s)),
			tx.PutPrint(poisoned(multe.Print{Creditor: torino, ID: multe.PrintID(o.world.ID(t)), Verbale: v.Slip.ID, Kind: multe.PrintVerbale, Copy: 1, At: now}, s)),
		}
		for _, x := range operators {
			errs = append(errs, tx.PutOperator(poisoned(x, s)))
		}
		for n, kind := range []string{multe.TroubleDouble, "batch.refused", "message.dead", "flusso.totals", "export.unused", "zz." + s} {
			d := multe.NewDiscrepancy(torino, kind, s, s, now)
			d.ID = fmt.Sprint("x", n)
			d.Taken = multe.Taking{By: s, At: now}
			errs = append(errs, tx.PutDiscrepancy(d))
		}
		for _, action := range []string{"code.issued", "verbale.recorded", "seen." + s, "device.added", "operator.added", "payment.received", s} {
			e := multe.AuditEntry{Creditor: torino, At: now, Actor: s, Action: action, Position: k.Position, Subject: s, From: s, To: s, Code: "177"}
			if action == "verbale.recorded" {
				e.Subject = string(v.Slip.ID)
			}
			errs = append(errs, tx.AppendAudit(e))
		}
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		for _, r := range o.server.routes() {
			if r.method != http.MethodGet || strings.Contains(r.path, "*") || r.path == "/oggi/numeri" || slices.ContainsFunc([]string{".png", ".pdf", ".csv", "/file", "/carta/", "/foto/"}, func(s string) bool { return strings.Contains(r.path, s) }) {
				continue // the last are no pages
			}
			at := i
			if strings.HasSuffix(r.path, "/registra") {
				at = other
			}
			path := r.at(at)
			path = strings.Replace(path, "/messaggi/"+strings.Repeat("0", 32), "/messaggi/"+string(message), 1)
			path = strings.Replace(path, "/flussi/"+strings.Repeat("0", 32), "/flussi/"+string(f.ID), 1)
			paths = append(paths, path)
		}
		paths = append(paths, "/messaggi?stato=dead", "/registro?dal=2026-03-01")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return o, b, paths
}

// TestNoTextBecomesMarkup draws every page over hostile records, with hostile
// addresses and forms: no element and no attribute comes from data, and a page is
// built as it is over honest records.
func TestNoTextBecomesMarkup(t *testing.T) {
	honest := map[string][]string{}
	_, b, paths := poisonedOffice(t, "Testo")
	for _, path := range paths {
		honest[path] = skeleton(t, path, b.get(path).body)
	}
	for _, s := range hostile {
		o, b, paths := poisonedOffice(t, s)
		shown := 0
		for _, path := range paths {
			p := b.get(path)
			if p.status >= 500 || p.header.Get("Content-Security-Policy") != contentPolicy {
				t.Errorf("%s over %.20q: %d", path, s, p.status)
			}
			if diff := cmp.Diff(honest[path], skeleton(t, path, p.body)); diff != "" {
				t.Errorf("%s is built otherwise over %.20q:\n%s", path, s, diff)
			}
			shown += strings.Count(p.body, mark)
		}
		if shown < 50 {
			t.Errorf("the pages show %.20q %d times only: they prove nothing", s, shown)
		}
		q := url.Values{}
		for _, name := range []string{"q", "dal", "al", "area", "chi", "fatto", "giorno", "dopo", "stato", "iuv", "iur", "codice", "da", "fine", "search"} {
			q.Set(name, s)
		}
		for _, path := range append(paths, "/nowhere/"+url.PathEscape(s)) {
			path, _, _ = strings.Cut(path, "?")
			if p := b.get(path + "?" + q.Encode()); p.status >= 500 {
				t.Errorf("%s with %.20q: %d", path, s, p.status)
			} else {
				skeleton(t, path, p.body)
			}
		}
		for _, r := range o.server.routes() {
			if r.method != http.MethodPost || r.path == "/esci" {
				continue
			}
			f := url.Values{}
			for _, name := range slices.Concat([]string{"q", "id", "esito", "nota", "motivo", "tipo", "causa", "nome", "chi", "email", "password", "codice", "ripeti", "attuale", "nuova", "da", "n"},
				[]string{"registro", "importo", "causale", "spese", "cognome", "ditta", "cf", "indirizzo", "civico", "cap", "citta", "provincia", "nazione"}) {
				f.Set(name, s)
			}
			path := r.at(issued{})
			p := b.post(path, f)
			if p.status >= 500 {
				t.Errorf("POST %s with %.20q: %d", path, s, p.status)
			}
			skeleton(t, path, p.body)
		}
	}
}

// skeleton returns the elements of a page with the names of their attributes, and
// fails where one comes from data, runs something or leads elsewhere.
func skeleton(t *testing.T, path, body string) (list []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("%s has a comment: %q", path, n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		row := n.Data
		if slices.Contains([]string{"iframe", "object", "embed", "base", "img"}, n.Data) && !strings.HasPrefix(attribute(n, "src"), "/") ||
			n.Data == "style" || n.Data == "script" && (n.FirstChild != nil || !strings.HasPrefix(attribute(n, "src"), StaticPath)) || strings.Contains(n.Data, mark) {
			t.Errorf("%s has a <%s> from data", path, n.Data)
		}
		for _, a := range n.Attr {
			row += " " + a.Key
			switch value := strings.TrimSpace(a.Val); {
			case strings.Contains(a.Key, mark), strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc":
				t.Errorf("%s: <%s %s> from data", path, n.Data, a.Key)
			case slices.Contains([]string{"href", "src", "action", "formaction", "hx-get", "hx-post", "sse-connect", "poster", "xlink:href"}, a.Key) && strings.Contains(value, mark) &&
				(!strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") || strings.HasPrefix(value, `/\`)):
				t.Errorf("%s: <%s %s=%q> leads elsewhere", path, n.Data, a.Key, value)
			}
		}
		list = append(list, row)
	}
	return list
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// TestNoTextRuns opens the same pages in Chromium: nothing of a text runs, nothing
// is asked of another site, and the policy has nothing to refuse.
func TestNoTextRuns(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("PREAVVISO_TEST_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	if err := chromedp.Run(ctx, cdpnet.Enable(), log.Enable()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var bad []string
	base := ""
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		bad = append(bad, fmt.Sprintf(format, args...))
	}
	chromedp.ListenTarget(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *cdppage.EventJavascriptDialogOpening:
			complain("a dialog: %s", ev.Message)
			go func() { _ = chromedp.Run(ctx, cdppage.HandleJavaScriptDialog(false)) }()
		case *log.EventEntryAdded:
			if strings.HasPrefix(ev.Entry.Text, "Loading the font 'data:") {
				break // of bootstrap-italia's style sheet, for pictures that we do not use
			}
			if ev.Entry.Source == log.SourceSecurity || ev.Entry.Level == log.LevelError && ev.Entry.Source != log.SourceNetwork {
				complain("%s: %.200s", ev.Entry.Source, ev.Entry.Text)
			}
		case *cdpnet.EventRequestWillBeSent:
			mu.Lock()
			own := strings.HasPrefix(ev.Request.URL, base+"/") || strings.HasPrefix(ev.Request.URL, "data:image/") || strings.HasPrefix(ev.Request.URL, "data:application/font-woff")
			mu.Unlock()
			if !own {
				complain("asks for %.100s", ev.Request.URL)
			}
		}
	})
	for _, s := range []string{hostile[0], hostile[4]} {
		o, b, paths := poisonedOffice(t, s)
		mu.Lock()
		base = o.base
		mu.Unlock()
		u, err := url.Parse(o.base)
		if err != nil {
			t.Fatal(err)
		}
		c := b.client.Jar.Cookies(u)[0]
		if err := chromedp.Run(ctx, cdpnet.SetCookie(c.Name, c.Value).WithURL(o.base)); err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			var ran string
			one, stop := context.WithTimeout(ctx, 20*time.Second)
			err := chromedp.Run(one, chromedp.Navigate(o.base+path), chromedp.WaitReady("footer.piede"), chromedp.Evaluate(`typeof `+mark, &ran))
			stop()
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			mu.Lock()
			if ran != "undefined" || len(bad) > 0 {
				t.Errorf("%s over %.20q: %s is %s; %v", path, s, mark, ran, bad)
			}
			bad = nil
			mu.Unlock()
		}
	}
}
