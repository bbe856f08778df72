package api_test

import (
	"bytes"
	"compress/gzip"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// BenchmarkLists measures every GET of the document on a [webtest.Town] of a
// hundred thousand verbali, lists with their largest page: the time until the
// answer is whole, without a network, and its bytes. "Health" is the baseline.
func BenchmarkLists(b *testing.B) {
	w := webtest.Town(b, 100_000)
	h := handler(w)
	token := w.Operator(b, webtest.Torino)
	var v multe.Verbale // recorded and paid
	var flow multe.FlussoID
	err := w.Store.View(b.Context(), func(r store.Reader) error {
		vs, err := r.VerbaliIn(webtest.Torino, multe.VerbaleSettled, "", store.MaxPage)
		if err != nil {
			return err
		}
		v = vs[slices.IndexFunc(vs, func(v multe.Verbale) bool { return v.Record != nil })]
		fs, err := r.Flussi(webtest.Torino, multe.Flusso{}, 500)
		if err != nil {
			return err
		}
		flow = fs[len(fs)-1].ID
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	ids := map[string]string{"/verbali/": string(v.Slip.ID), "/flussi/": string(flow), "/devices/": "d" + strings.Repeat("0", 30) + "d"}
	doc := webtest.NewClient(b, h, "openapi.yaml").Document()
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		op := doc.Paths.Value(path).Get
		if op == nil {
			continue
		}
		values := map[string]string{"cf": string(webtest.Torino), "code": v.Slip.Number.String(), "digest": strings.Repeat("0", 64), "kind": "texts", "n": "1", "id": strings.Repeat("0", 32)}
		for part, id := range ids {
			if strings.Contains(path, part) {
				values["id"] = id
			}
		}
		target := fill(path, values)
		q := map[string]string{}
		for _, p := range op.Parameters {
			switch {
			case p.Value.In != "query":
			case p.Value.Name == "limit":
				q["limit"] = "200"
			case p.Value.Required && p.Value.Name == "from":
				q["from"] = "2026-01-01"
			case p.Value.Required && p.Value.Name == "to":
				q["to"] = "2026-03-01"
			case p.Value.Required && p.Value.Name == "day":
				q["day"] = "2026-03-01"
			}
		}
		sep := "?"
		for k, x := range q {
			target += sep + k + "=" + x
			sep = "&"
		}
		auth := token
		if !strings.Contains(path, "{cf}") {
			auth = webtest.Admin
		}
		b.Run(op.OperationID, func(b *testing.B) { benchGet(b, h, target, auth) })
	}
}

func benchGet(b *testing.B, h http.Handler, target, token string) {
	var took []time.Duration
	var rec *httptest.ResponseRecorder
	for b.Loop() {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		rec = httptest.NewRecorder()
		began := time.Now()
		h.ServeHTTP(rec, req)
		took = append(took, time.Since(began))
	}
	if rec.Code >= http.StatusInternalServerError {
		b.Fatalf("%s: %d %s", target, rec.Code, rec.Body)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(rec.Body.Bytes()); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	slices.Sort(took)
	at := func(percent int) float64 {
		return float64(took[min(len(took)-1, len(took)*percent/100)].Microseconds()) / 1000
	}
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(95), "p95-ms")
	b.ReportMetric(float64(len(rec.Body.Bytes())), "bytes")
	b.ReportMetric(float64(zipped.Len()), "gzip-bytes")
	b.ReportMetric(float64(rec.Code), "status")
}
