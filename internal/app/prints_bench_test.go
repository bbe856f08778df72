package app_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/spool"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// BenchmarkPrintJob prints the largest job, store and spool on disk: all that the
// service does for it, one act after another. Beside it stands the writing of the
// batch alone (BenchmarkTenThousand in package pdf).
func BenchmarkPrintJob(b *testing.B) {
	for _, kind := range []multe.PrintKind{multe.PrintAvviso, multe.PrintVerbale} {
		for _, form := range []multe.PrintForm{multe.PrintPDF, multe.PrintZIP} {
			b.Run(string(kind)+"/"+string(form), func(b *testing.B) {
				dir := b.TempDir()
				st, err := boltstore.Open(filepath.Join(dir, "store.db"), boltstore.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer st.Close()
				seedActs(b, st)
				p := prints.New(st, spool.New(filepath.Join(dir, "spool")), time.Now, rand.Reader, func() {})
				var size int64
				for n := 0; b.Loop(); n++ {
					q := prints.Request{ID: multe.PrintJobID(fmt.Sprintf("%032x", n)), Kind: kind, Form: form, Order: multe.PrintByCAP}
					if _, err := p.Start(b.Context(), "operator:bench", benchCreditor, q); err != nil {
						b.Fatal(err)
					}
					for more := true; more; {
						if more, err = p.Run(b.Context()); err != nil {
							b.Fatal(err)
						}
					}
					j, err := p.Job(b.Context(), benchCreditor, q.ID)
					if err != nil || j.State != multe.PrintDone || j.Errors > 0 || j.Done != multe.MaxPrintItems {
						b.Fatalf("%+v, %v", j, err)
					}
					size = j.Size
				}
				b.ReportMetric(float64(multe.MaxPrintItems)*float64(b.N)/b.Elapsed().Seconds(), "acts/s")
				b.ReportMetric(float64(size)/1e6, "MB")
				b.ReportMetric(peakRSS(b), "peak-RSS-MB")
			})
		}
	}
}

func peakRSS(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kb, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1e3
}

// seedActs fills a store with as many recorded acts as a job may have.
func seedActs(b *testing.B, st store.Store) {
	b.Helper()
	at := multe.Instant(time.Now().Add(-time.Hour))
	put := func(fn func(store.Tx) error) {
		if err := st.Update(b.Context(), fn); err != nil {
			b.Fatal(err)
		}
	}
	put(func(tx store.Tx) error {
		c := multe.Creditor{ID: benchCreditor, Name: "Comune di Esempio", CodiceVersamento: "MU01", PoolLow: 1, PoolTarget: 10, Version: 1, Changed: at,
			Postal: &multe.PostalAccount{Number: "123456", Holder: "Comune di Esempio", Authorization: "AUT. DB/1"}}
		settings, err := multe.NewDocument(multe.Document{}, benchCreditor, multe.DocumentSettings, multe.DayOf(at), "application/json",
			[]byte(`{"office":"Ufficio","officer":"Comandante","signature":"Ag. 1","prefect":"Torino","judge":"Torino"}`), "admin", at)
		return errors.Join(err, store.SaveCreditor(tx, c, "admin", at), tx.PutDocument(settings))
	})
	const page = 1000
	for from := 0; from < multe.MaxPrintItems; from += page {
		put(func(tx store.Tx) error {
			for n := from; n < from+page; n++ {
				head := fmt.Sprintf("301%013d", n)
				whole, err := strconv.ParseUint(head, 10, 64)
				if err != nil {
					return err
				}
				number, err := avviso.ParseNumber(fmt.Sprintf("%s%02d", head, whole%93))
				if err != nil {
					return err
				}
				v := multe.Verbale{Creditor: benchCreditor, State: multe.VerbaleFinalised, ReceivedAt: at, Version: 1, Changed: at,
					Slip: multe.Slip{ID: multe.VerbaleID(fmt.Sprintf("%032x", n)), Position: multe.PositionID(fmt.Sprintf("%032x", n)), Number: number, Plate: "AB123CD", Nation: "IT", Place: "Via Po 1",
						Violation: multe.Violation{Norm: "art. 158 c. 2 e 6 CdS", Conduct: "Sostava dove la sosta è vietata."}, Warden: "1", IssuedAt: at, Steps: []multe.Step{{Cents: 4200}}},
					Record: &multe.Record{Register: fmt.Sprint("V/", n), Cents: 4360, CostsCents: 1420, Fine: &multe.Fine{Discounted: 2940, Reduced: 4200, Late: 8650}, Causale: multe.Causale(fmt.Sprint("Verbale CdS n. ", n)), At: at,
						Debtor: &multe.Debtor{Surname: "Rossi", Name: "Anna", CF: "RSSNNA80A41L219X", Address: "Via Po", Civico: "1", CAP: fmt.Sprintf("%05d", 10000+n%200), City: "Torino", Province: "TO"}}}
				k := multe.Code{Creditor: benchCreditor, Position: v.Slip.Position, Number: number, State: multe.CodeActive, Verbale: v.Slip.ID, UpstreamCents: 4360, Version: 1, Changed: at}
				if err := errors.Join(tx.PutVerbale(v), tx.PutCode(k)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
