package backoffice

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// benchVerbali is three years of a town of a hundred thousand people.
const benchVerbali = 100_000

// asked is one thing that a browser asks for.
type asked struct {
	name, path string
	form       url.Values // nil for GET
}

// BenchmarkPages measures every page of the route table on a [webtest.Town]: the
// time to the first byte, which is when the page is made, the time to the last,
// and the bytes. Compare with "baseline", which reads one record and fills one
// template, and with "static": what the machine can do at all. The first page
// after a start adds up the history of weeks, and is "cold".
func BenchmarkPages(b *testing.B) {
	w := webtest.Town(b, benchVerbali)
	o := officeOf(b, w)
	br, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	csrf := csrfField.FindStringSubmatch(br.get(pathTOTP).body)[1]
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			o.server.desk.trends = map[multe.CreditorID]trend{}
			if p := br.get("/"); p.status != http.StatusOK {
				b.Fatalf("%d", p.status)
			}
		}
	})
	b.Run("baseline", func(b *testing.B) { benchBaseline(b, o) })
	for _, a := range toAsk(b, o) {
		b.Run(a.name, func(b *testing.B) {
			if a.form != nil {
				a.form.Set("csrf", csrf)
			}
			br.measure(b, a)
		})
	}
}

// toAsk lists every page once, by ids of what is there, and what is heavier than
// the plain page.
func toAsk(b testing.TB, o *office) []asked {
	b.Helper()
	var v multe.Verbale // recorded and paid
	var single multe.Plate
	var dead multe.MessageID
	var flow multe.FlussoID
	err := o.store.View(b.Context(), func(r store.Reader) error {
		vs, err := r.VerbaliIn(torino, multe.VerbaleSettled, "", store.MaxPage)
		if err != nil {
			return err
		}
		v = vs[slices.IndexFunc(vs, func(v multe.Verbale) bool { return v.Record != nil })]
		waiting, err := r.VerbaliIn(torino, multe.VerbaleIssued, "", store.MaxPage)
		if err != nil {
			return err
		}
		for _, x := range waiting {
			if same, err := r.VerbaliByPlate(torino, x.Slip.Plate, "", 2); err == nil && len(same) == 1 {
				single = x.Slip.Plate
				break
			}
		}
		ms, err := r.MessagesIn(multe.MessageDead, "", 1)
		if err != nil {
			return err
		}
		dead = ms[0].ID
		fs, err := r.Flussi(torino, multe.Flusso{}, 500)
		if err != nil {
			return err
		}
		flow = fs[len(fs)-1].ID
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	held := "d" + strings.Repeat("0", 30) + "d" // one with codes in hand and set aside
	ids := map[string]string{"/verbale/": string(v.Slip.ID), "/codici/": string(v.Slip.Position), "/pagamenti/": v.Slip.Number.IUV(), "/flussi/": string(flow),
		"/dispositivi/": held, "/messaggi/": string(dead)}
	var all []asked
	for _, r := range o.server.routes() {
		if r.method != http.MethodGet || strings.Contains(r.path, "*") || r.path == "/oggi/numeri" || r.need == multe.MayManage {
			continue // the last are small, and not for who works here
		}
		path := r.at(issued{})
		for prefix, id := range ids {
			if strings.HasPrefix(r.path, prefix) {
				parts := strings.Split(r.path, "/")
				for i, p := range parts {
					if strings.HasPrefix(p, ":") && p != ":kind" {
						parts[i] = id
					}
				}
				path = strings.ReplaceAll(strings.Join(parts, "/"), ":kind", string(multe.PrintPreavviso))
			}
		}
		all = append(all, asked{r.path, path, nil})
	}
	search := func(q string) url.Values { return url.Values{"q": {q}} }
	return append(all,
		asked{"static", StaticPath + "nowhere.css", nil},
		asked{"verbali-finalised", "/verbali?stato=finalised", nil},
		asked{"verbali-deep", "/verbali?dopo=" + string(v.Slip.ID), nil},
		asked{"pagamenti-old", "/pagamenti?dal=2024-05-01", nil},
		asked{"registro-old", "/registro?dal=2024-05-01", nil},
		asked{"registro-nobody", "/registro?dal=2024-05-01&chi=nobody", nil},
		asked{"registro-rare", "/registro?dal=2024-05-01&area=operator.", nil},
		asked{"search-plate", "/verbali/cerca", search(string(single))},
		asked{"search-plate-busy", "/verbali/cerca", search(string(webtest.BusyPlate))},
		asked{"search-plate-none", "/verbali/cerca", search("XX000XX")},
		asked{"search-register", "/verbali/cerca", search(v.Record.Register)},
		asked{"search-code", "/verbali/cerca", search(v.Slip.Number.String())},
	)
}

// TestPagesOfABusyTown draws every page where there is something of everything.
func TestPagesOfABusyTown(t *testing.T) {
	w := webtest.Town(t, 1500)
	if err := w.Store.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := officeOf(t, w)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	missing := []string{"/invito", pathTOTP + "/qr.png", "/verbali/trovati/:search", // nothing to find: a code used up, a factor enrolled, no search
		"/stampe/:id", "/stampe/:id/file", "/elenchi/:id", "/elenchi/:id/file.csv", "/verbale/:id/foto/:foto"} // a town that neither prints nor photographs
	for _, a := range toAsk(t, o) {
		if a.form != nil || a.name == "static" {
			continue
		}
		p := b.get(a.path)
		if strings.HasPrefix(a.name, "/stampe/") && p.status == http.StatusNotFound {
			continue // a town has no print jobs
		}
		if want := slices.Contains(missing, a.name); want == (p.status < 400) || p.status >= 500 {
			t.Errorf("%s: %d", a.path, p.status)
		}
	}
	for _, a := range toAsk(t, o) {
		if a.form == nil {
			continue
		}
		if p := b.post(a.path, a.form); (p.status == http.StatusSeeOther) == (a.name == "search-plate-none") {
			t.Errorf("%s: %d", a.name, p.status)
		}
	}
}

// measure asks b.N times, and follows where a search leads.
func (br *browser) measure(b *testing.B, a asked) {
	var first, whole []time.Duration
	var body []byte
	status := 0
	for b.Loop() {
		began := time.Now()
		var at time.Duration
		method, path, form := http.MethodGet, a.path, a.form
		if form != nil {
			method = http.MethodPost
		}
		for range 3 { // a search is sent on to what it found
			ctx := httptrace.WithClientTrace(b.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { at = time.Since(began) }})
			req, err := http.NewRequestWithContext(ctx, method, br.o.base+path, strings.NewReader(form.Encode()))
			if err != nil {
				b.Fatal(err)
			}
			if form != nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Sec-Fetch-Site", "same-origin")
			}
			resp, err := br.client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			body, err = io.ReadAll(resp.Body)
			if err = errors.Join(err, resp.Body.Close()); err != nil {
				b.Fatal(err)
			}
			status = resp.StatusCode
			if status != http.StatusSeeOther {
				break
			}
			method, path, form = http.MethodGet, resp.Header.Get("Location"), nil
		}
		first, whole = append(first, at), append(whole, time.Since(began))
	}
	if status >= http.StatusInternalServerError {
		b.Fatalf("%s: %d", a.path, status)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(body); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	report(b, "first", first)
	report(b, "whole", whole)
	b.ReportMetric(float64(len(body)), "bytes")
	b.ReportMetric(float64(zipped.Len()), "gzip-bytes")
	b.ReportMetric(float64(status), "status")
}

// report tells within what time half and 19 of 20 were done.
func report(b *testing.B, name string, took []time.Duration) {
	slices.Sort(took)
	at := func(percent int) float64 {
		return float64(took[min(len(took)-1, len(took)*percent/100)].Microseconds()) / 1000
	}
	b.ReportMetric(at(50), name+"-p50-ms")
	b.ReportMetric(at(95), name+"-p95-ms")
}

// benchBaseline reads a record with bbolt alone and fills a template with its
// bytes.
func benchBaseline(b *testing.B, o *office) {
	path := b.TempDir() + "/raw.db"
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bolt.Tx) error {
		bk, err := tx.CreateBucket([]byte("verbale"))
		for i := 0; err == nil && i < 10_000; i++ {
			err = bk.Put([]byte(strconv.Itoa(i)), bytes.Repeat([]byte("x"), 1000))
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := db.View(func(tx *bolt.Tx) error {
			if len(tx.Bucket([]byte("verbale")).Get([]byte(strconv.Itoa(len(took)%10_000)))) != 1000 {
				b.Error("not there")
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		if err := o.server.pages.ExecuteTemplate(io.Discard, "accessibilita.html", view{Title: "x", Ente: "x"}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	report(b, "first", took)
}
