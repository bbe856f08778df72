package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"preavviso/firmware-api/client"
	"preavviso/internal/app"
	"preavviso/internal/avviso"
	"preavviso/internal/cds"
	"preavviso/internal/config"
	"preavviso/internal/documents"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// Each figure here stands beside what the disk alone can do, in the same run:
// compare the two, not the figure with that of another machine.

const (
	benchCreditor = multe.CreditorID("01234567897")
	benchDevices  = 120
	benchCodes    = 60_000
	benchStreets  = 1500
)

// seed fills a store with a creditor, enrolled devices and available codes. Some
// devices have tokens, and there is one for each key.
func seed(b *testing.B, path string, codes int, keys []*client.Key) {
	b.Helper()
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	put := func(fn func(store.Tx) error) {
		b.Helper()
		if err := s.Update(b.Context(), fn); err != nil {
			b.Fatal(err)
		}
	}
	put(func(tx store.Tx) error {
		c := multe.Creditor{ID: benchCreditor, Name: "Comune di Esempio", CodiceVersamento: "MU01", PoolLow: 1, PoolTarget: 10, Version: 1, Changed: multe.Instant(now)}
		if err := tx.PutCreditor(c); err != nil {
			return err
		}
		for i := range benchDevices {
			d := multe.Device{Creditor: benchCreditor, ID: multe.DeviceID(fmt.Sprintf("%032x", i)), Name: fmt.Sprint(i),
				State: multe.DeviceEnrolled, Token: multe.DigestOf([]byte(benchToken(i))), Version: 1, Changed: multe.Instant(now)}
			if err := tx.PutDevice(d); err != nil {
				return err
			}
		}
		return nil
	})
	var streets bytes.Buffer
	for i := range benchStreets {
		fmt.Fprintf(&streets, "Via della Rotta %d\n", i)
	}
	shifts := documents.New(documents.Config{Store: s, Now: time.Now, Random: rand.Reader})
	for kind, text := range map[multe.DocumentKind][]byte{multe.DocumentCatalogue: cds.Sample(), multe.DocumentStreets: streets.Bytes()} {
		if _, _, err := shifts.Add(b.Context(), "bench", benchCreditor, kind, multe.DayOf(now), text, false); err != nil {
			b.Fatal(err)
		}
	}
	for from := 0; from < len(keys); from += 1000 {
		put(func(tx store.Tx) error {
			for i := from; i < min(from+1000, len(keys)); i++ {
				key, err := multe.ParseDeviceKey(base64.StdEncoding.EncodeToString(keys[i].PublicKey()))
				if err != nil {
					return err
				}
				d := multe.Device{Creditor: benchCreditor, ID: multe.DeviceID(fmt.Sprintf("f%031x", i)), Name: fmt.Sprint(i),
					State: multe.DeviceEnrolled, Token: key.ID(), Key: key, Version: 1, Changed: multe.Instant(now)}
				if err := tx.PutDevice(d); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for from := 0; from < codes; from += 1000 {
		put(func(tx store.Tx) error {
			for i := from; i < min(from+1000, codes); i++ {
				head := fmt.Sprintf("31226327%08d", i)
				n, err := avviso.ParseNumber(head + avviso.CheckDigits(head))
				if err != nil {
					return err
				}
				k := multe.Code{Creditor: benchCreditor, Position: multe.PositionID(fmt.Sprintf("%032x", i)), Number: n,
					State: multe.CodeAvailable, Version: 1, Changed: multe.Instant(now)}
				if err := tx.PutCode(k); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func benchToken(device int) string { return fmt.Sprintf("pvd_%043d", device) }

// anyRate is no limit for a caller: here a few stand for many.
var anyRate = config.Service{DeviceRate: 1e6}

// serve runs the service on a seeded store, with the limits of l.
func serve(b *testing.B, l config.Service, codes int, keys ...*client.Key) *app.App {
	b.Helper()
	path := filepath.Join(b.TempDir(), "preavviso.db")
	seed(b, path, codes, keys)
	a, err := app.Open(config.Service{
		Data: path, FirmwareListen: "127.0.0.1:0", APIListen: "127.0.0.1:0", SOAPListen: "127.0.0.1:0",
		PPayURL: "http://127.0.0.1:9/", PPayAuth: "none", PPayTimeout: time.Second, SOAPAuth: "none",
		ReplenishEvery: time.Hour, SubmitEvery: time.Hour, InboxEvery: time.Hour, ResendAfter: time.Minute,
		Slots: l.Slots, Queue: l.Queue, QueueWait: l.QueueWait, DeviceRate: l.DeviceRate,
	}, app.Deps{Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return a
}

// inParallel runs b.N calls of do in callers goroutines and reports calls a
// second, and how long half of them and 99 of 100 took at most. do gets the number
// of the call.
func inParallel(b *testing.B, callers int, do func(i int) error) {
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				if err := do(int(i)); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}, Timeout: 30 * time.Second}
}

// post calls url and wants status 200.
func post(c *http.Client, url, contentType, token string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return answer, err
}

// BenchmarkLease is one code lent to a handheld over HTTP: token checked, lease,
// code and history on disk before the answer.
func BenchmarkLease(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			if b.N > benchCodes {
				b.Fatalf("only %d codes are seeded", benchCodes)
			}
			a, c := serve(b, anyRate, min(benchCodes, b.N+1)), newClient()
			url := "http://" + a.Addr("firmware") + "/v1/leases"
			inParallel(b, callers, func(i int) error {
				body, err := json.Marshal(map[string]any{"id": fmt.Sprintf("%032x", i+1), "want": 1})
				if err != nil {
					return err
				}
				_, err = post(c, url, "application/json", benchToken(i%benchDevices), body)
				return err
			})
		})
	}
	b.Run("raw=write+fdatasync", func(b *testing.B) { rawDisk(b, make([]byte, 512)) })
}

// BenchmarkSignedLease is BenchmarkLease by handhelds that sign: what it costs more
// is the signature made, in this process too, and checked, on top of the token.
func BenchmarkSignedLease(b *testing.B) {
	keys := newKeys(b, benchDevices)
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			if b.N > benchCodes {
				b.Fatalf("only %d codes are seeded", benchCodes)
			}
			a := serve(b, anyRate, min(benchCodes, b.N+1), keys...)
			conns := connect(b, a, keys, newClient().Transport)
			inParallel(b, callers, func(i int) error {
				_, err := conns[i%len(conns)].Do("POST", "/v1/leases", fmt.Appendf(nil, `{"id":"%032x","want":1}`, i+1))
				return err
			})
		})
	}
	b.Run("raw=write+fdatasync", func(b *testing.B) { rawDisk(b, make([]byte, 512)) })
}

func newKeys(b *testing.B, n int) []*client.Key {
	b.Helper()
	keys := make([]*client.Key, n)
	for i := range keys {
		var err error
		if keys[i], err = client.GenerateKey(); err != nil {
			b.Fatal(err)
		}
	}
	return keys
}

func connect(b *testing.B, a *app.App, keys []*client.Key, t http.RoundTripper) []*client.Conn {
	b.Helper()
	conns := make([]*client.Conn, len(keys))
	for i, k := range keys {
		var err error
		if conns[i], err = client.NewConn("http://"+a.Addr("firmware"), k); err != nil {
			b.Fatal(err)
		}
		conns[i].SetTransport(t)
	}
	return conns
}

// BenchmarkShiftStart is 5,000 handhelds that are switched on at once, know no
// challenge yet, and each want the shift's data (catalogue and 1,500 streets,
// compressed) and ten codes, over 1,000 connections: the figure is when the last one
// has both. Memory is that of handhelds and service together. Under
// narrow limits most are refused at first and come back when they are told to: none
// may go without, and none may be served twice.
func BenchmarkShiftStart(b *testing.B) {
	for _, limits := range []struct {
		name string
		config.Service
	}{
		{"limits=default", config.Service{}},
		{"limits=narrow", config.Service{Slots: 64, Queue: 256, QueueWait: time.Second}},
	} {
		b.Run(limits.name, func(b *testing.B) { shiftStart(b, limits.Service) })
	}
}

func shiftStart(b *testing.B, limits config.Service) {
	const handhelds, codes = 5000, 10
	keys := newKeys(b, handhelds)
	var refused atomic.Int64
	for range b.N {
		b.StopTimer()
		a := serve(b, limits, handhelds*codes, keys...)
		conns := connect(b, a, keys, &http.Transport{MaxConnsPerHost: 1000, MaxIdleConnsPerHost: 1000})
		var wg sync.WaitGroup
		b.StartTimer()
		for i, c := range conns {
			wg.Go(func() {
				ask := func(method, path string, body []byte) ([]byte, error) {
					answer, err := c.Do(method, path, body)
					for no, ok := errors.AsType[*client.Refusal](err); ok && no.Temporary() && no.RetryAfter > 0; no, ok = errors.AsType[*client.Refusal](err) {
						refused.Add(1)
						time.Sleep(time.Duration(no.RetryAfter)*time.Second + time.Duration(i%500)*time.Millisecond)
						answer, err = c.Do(method, path, body)
					}
					return answer, err
				}
				if answer, err := ask("GET", "/v1/shift", nil); err != nil || bytes.Count(answer, []byte("Via della Rotta")) != benchStreets {
					b.Errorf("handheld %d: %v, a shift of %d bytes", i, err, len(answer))
				}
				answer, err := ask("POST", "/v1/leases", fmt.Appendf(nil, `{"id":"%032x","want":%d}`, i+1, codes))
				if err != nil || bytes.Count(answer, []byte(`"avviso"`)) != codes {
					b.Errorf("handheld %d: %v, %s", i, err, answer)
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s-to-last")
	b.ReportMetric(float64(refused.Load())/float64(b.N), "refused")
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		var kib float64
		if _, peak, ok := strings.Cut(string(status), "VmHWM:"); ok {
			if _, err := fmt.Sscan(peak, &kib); err == nil {
				b.ReportMetric(kib/1024, "peak-MiB")
			}
		}
	}
}

// BenchmarkNotification is a TrasmettiNotifichePagamento of 50 payments, from
// its first byte to the last of our durable 000.
func BenchmarkNotification(b *testing.B) {
	body := []byte(notification(50))
	b.Run("durable000", func(b *testing.B) {
		a, c := serve(b, anyRate, 1), newClient()
		url := "http://" + a.Addr("soap") + app.SOAPPath
		inParallel(b, 1, func(int) error {
			answer, err := post(c, url, "text/xml; charset=utf-8", "", body)
			if err == nil && !bytes.Contains(answer, []byte(">000<")) {
				err = fmt.Errorf("answered %s", answer)
			}
			return err
		})
	})
	b.Run("raw=write+fdatasync", func(b *testing.B) { rawDisk(b, body) })
}

// rawDisk appends data and waits for the disk, as the least that durability
// costs.
func rawDisk(b *testing.B, data []byte) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	inParallel(b, 1, func(int) error {
		if _, err := f.Write(data); err != nil {
			return err
		}
		return datasync(f)
	})
}

func notification(n int) string {
	var s strings.Builder
	fmt.Fprintf(&s, `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`+
		`<TrasmettiNotifichePagamentoRequest xmlns="http://www.csi.it/epay/epaywso/epaywso2enti/types" xmlns:c="http://www.csi.it/epay/epaywso/types">`+
		`<Testata><IdMessaggio>TNP0123456789abcdef0123456789abcdef</IdMessaggio><CFEnteCreditore>%s</CFEnteCreditore><CodiceVersamento>MU01</CodiceVersamento>`+
		`<PagamentiSpontanei>false</PagamentiSpontanei><NumeroPagamenti>%d</NumeroPagamenti><ImportoTotalePagamenti>%s</ImportoTotalePagamenti></Testata>`+
		`<CorpoNotifichePagamento><ElencoNotifichePagamento>`, benchCreditor, n, avviso.Cents(2940*n).Decimal())
	for i := range n {
		fmt.Fprintf(&s, `<NotificaPagamento><IdPosizioneDebitoria>%032x</IdPosizioneDebitoria><IUV>1226327%08d00</IUV><ImportoPagato>29.40</ImportoPagato>`+
			`<DataEsitoPagamento>2026-11-23+01:00</DataEsitoPagamento><SoggettoDebitore><c:PersonaFisica><c:Cognome>ANONIMO</c:Cognome><c:Nome>ANONIMO</c:Nome></c:PersonaFisica>`+
			`<c:IdentificativoUnivocoFiscale>ANONIMO</c:IdentificativoUnivocoFiscale></SoggettoDebitore><DatiTransazionePSP><IdPSP>PSP</IdPSP>`+
			`<DataOraAvvioTransazione>2026-11-23T10:00:00.000+01:00</DataOraAvvioTransazione><IUR>%020d</IUR></DatiTransazionePSP></NotificaPagamento>`, i, i, i)
	}
	s.WriteString(`</ElencoNotifichePagamento></CorpoNotifichePagamento></TrasmettiNotifichePagamentoRequest></s:Body></s:Envelope>`)
	return s.String()
}
