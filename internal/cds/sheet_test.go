package cds_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"preavviso/internal/cds"
	"preavviso/internal/multe"
)

func sheet(t *testing.T, c *cds.Catalogue, p cds.Policy, year int) (string, string) {
	t.Helper()
	body, etag, err := c.Sheet(p, year)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), etag
}

// TestSheet pins the form, which firmware reads: a field is only ever added.
func TestSheet(t *testing.T) {
	c := catalogueOf(t, `
  - {code: B, article: 142, comma: 8, norm: art. 142 c. 8 CdS, text: Velocità, night: true, points: 3, amounts: [{from: 2021-01-01, min: 173, max: 694}]}
  - {code: A, article: 158, comma: 6, norm: art. 158 CdS, text: Sosta, vehicles: [other], accessory: [removal], amounts: [{from: 2021-01-01, until: 2025-12-31, min: 41, max: 169}, {from: 2026-01-01, until: 2026-12-31, min: 42, max: 173}, {from: 2027-01-01, min: 45, max: 180}]}
  - {code: C, article: 176, comma: 19, norm: art. 176 CdS, text: Inversione, no_reduced: art. 202 c. 3-bis, amounts: [{from: 2021-01-01, min: 2046, max: 8186}]}`)
	got, _ := sheet(t, c, cds.Policy{}, 2026)
	want := `{"format":1,"name":"Prova","slip":{"days":5},"holidays":["2026-01-01","2026-01-06","2026-04-06","2026-04-25","2026-05-01",` +
		`"2026-06-02","2026-08-15","2026-10-04","2026-11-01","2026-12-08","2026-12-25","2026-12-26","2027-01-01","2027-01-06","2027-03-29",` +
		`"2027-04-25","2027-05-01","2027-06-02","2027-08-15","2027-10-04","2027-11-01","2027-12-08","2027-12-25","2027-12-26"],"violations":[` +
		`{"code":"A","norm":"art. 158 CdS","text":"Sosta","vehicles":["other"],"accessory":["removal"],"amounts":[` +
		`{"from":"2026-01-01","until":"2026-12-31","day":{"reduced":4200,"discounted":2940}},{"from":"2027-01-01","day":{"reduced":4500,"discounted":3150}}]},` +
		`{"code":"B","norm":"art. 142 c. 8 CdS","text":"Velocità","points":3,"amounts":[{"from":"2021-01-01",` +
		`"day":{"reduced":17300,"discounted":12110},"night":{"reduced":23067,"discounted":16147}}]},` +
		`{"code":"C","norm":"art. 176 CdS","text":"Inversione","no_slip":"art. 202 c. 3-bis","amounts":[]}]}`
	if got != want {
		t.Errorf("sheet\n%s\nwant\n%s", got, want)
	}
	got, _ = sheet(t, c, cds.Policy{NoSlipDiscount: true, Patron: turin, Slip: cds.Term{Days: 15, Working: true}}, 2026)
	if strings.Contains(got, "discounted") || !strings.Contains(got, `"2027-06-24"`) || !strings.Contains(got, `"slip":{"days":15,"working":true}`) {
		t.Errorf("the policy is not in the sheet:\n%s", got)
	}
}

func TestSheetTag(t *testing.T) {
	c := catalogueOf(t, one)
	_, tag := sheet(t, c, cds.Policy{}, 2026)
	if len(tag) != 66 || tag[0] != '"' || tag[65] != '"' {
		t.Errorf("tag %s is no quoted SHA-256", tag)
	}
	// Another file that says the same: the same tag.
	if _, again := sheet(t, catalogueOf(t, "\n# the same\n"+one), cds.Policy{Slip: cds.Term{Days: 5}}, 2026); again != tag {
		t.Error("the same content has another tag")
	}
	_, year := sheet(t, c, cds.Policy{}, 2027)
	_, policy := sheet(t, c, cds.Policy{NoSlipDiscount: true}, 2026)
	_, amount := sheet(t, catalogueOf(t, strings.Replace(one, "42", "43", 1)), cds.Policy{}, 2026)
	if tag == year || tag == policy || tag == amount || year == policy {
		t.Error("different content has the same tag")
	}
}

// TestSheetIsWhatRecomputeExpects plays a handheld that knows only the sheet: it
// looks its sums up, counts the days with the holidays it was given, and is never
// told that they differ.
func TestSheetIsWhatRecomputeExpects(t *testing.T) {
	type sums struct{ Reduced, Discounted multe.Cents }
	type device struct {
		Slip       struct{ Days int }
		Holidays   []multe.Day
		Violations []struct {
			Code    string
			Amounts []struct {
				From, Until multe.Day
				Day         sums
				Night       *sums
			}
		}
	}
	c := sample(t)
	p := cds.Policy{Patron: turin}
	n := 0
	for year := 2026; year <= 2028; year++ {
		var dev device
		body, _ := sheet(t, c, p, year)
		if err := json.Unmarshal([]byte(body), &dev); err != nil {
			t.Fatal(err)
		}
		holiday := map[multe.Day]bool{}
		for _, h := range dev.Holidays {
			holiday[h] = true
		}
		for d := time.Date(year, 1, 1, 0, 0, 0, 0, multe.Rome()); d.Year() == year; d = d.AddDate(0, 0, 1) {
			last := d.AddDate(0, 0, dev.Slip.Days)
			for last.Weekday() == time.Sunday || holiday[multe.DayOf(last)] {
				last = last.AddDate(0, 0, 1)
			}
			for _, v := range dev.Violations {
				for _, clock := range []time.Duration{12 * time.Hour, 23 * time.Hour} {
					a := v.Amounts[len(v.Amounts)-1] // the sample's last period is in force
					s := a.Day
					if a.Night != nil && clock > 22*time.Hour {
						s = *a.Night
					}
					y, m, dd := d.Date()
					seen := time.Date(y, m, dd, int(clock.Hours()), 0, 0, 0, multe.Rome())
					_, differences := cds.Recompute(c, p, cds.Facts{Code: v.Code, At: seen, Printed: []multe.Step{{Cents: s.Discounted, LastDay: multe.DayOf(last)}, {Cents: s.Reduced}}})
					if len(differences) > 0 {
						t.Fatalf("%s at %v: %v", v.Code, seen, differences)
					}
					n++
				}
			}
		}
	}
	if n < 1096*2*14 {
		t.Errorf("only %d slips", n)
	}
}

// TestSheetOfATown generates the 400 violations of a large prontuario, with texts
// that repeat less than real ones do.
func TestSheetOfATown(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields(`veicolo sosta carreggiata marciapiede divieto segnale corsia riservata fermata conducente circolava
		ometteva esporre titolo pagamento area pedonale attraversamento intersezione rimozione centro abitato ordinanza limite
		velocità precedenza contrassegno invalidi carico scarico merci autobus taxi ciclabile curva dosso galleria passo carrabile`)
	var b strings.Builder
	for i := range 400 {
		var text []string
		for range 16 + r.IntN(12) {
			text = append(text, words[r.IntN(len(words))])
		}
		low := 26 + r.IntN(900)
		fmt.Fprintf(&b, "\n  - {code: %04d, article: %d, comma: %d, norm: art. %d c. %d CdS, text: %s, night: false, points: %d, amounts: [{from: 2021-01-01, until: 2026-12-31, min: %d, max: %d}, {from: 2027-01-01, min: %d, max: %d}]}",
			1000+i, 1+i%80, 1+i%19, 1+i%80, 1+i%19, strings.Join(text, " "), i%3, low, 4*low, low+3, 4*low+12)
	}
	c := catalogueOf(t, b.String())
	body, _ := sheet(t, c, cds.Policy{}, 2026)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d violations: %d bytes, %d with gzip", len(c.All()), len(body), zipped.Len())
	if len(c.All()) != 400 || zipped.Len() >= cds.MaxSheet {
		t.Errorf("%d violations are %d bytes with gzip, want fewer than %d", len(c.All()), zipped.Len(), cds.MaxSheet)
	}
}
