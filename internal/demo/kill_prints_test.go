package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/internal/prints"
	"preavviso/internal/spool"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

const printActs = 300 // three chunks of a job

// TestKilledPrintJob prints 300 acts with `preavviso serve`, once in peace and once
// killed with SIGKILL each time the job has got on: what comes out is the same, byte
// for byte. An act that was printed twice would say «ristampa».
func TestKilledPrintJob(t *testing.T) {
	most := 4
	if os.Getenv("PREAVVISO_TEST_SOAK") != "" {
		most = 30
	}
	binary := build(t, t.TempDir())
	for _, form := range []multe.PrintForm{multe.PrintPDF, multe.PrintZIP} {
		data, job := printJob(t, form)
		quiet, _ := servePrints(t, binary, data, job, 0)
		killed, kills := servePrints(t, binary, data, job, most)
		if kills < 3 {
			t.Errorf("%s: the job was over after %d kills", form, kills)
		}
		if len(quiet) < printActs*1000 || !bytes.Equal(quiet, killed) {
			t.Errorf("%s: in peace it is %d bytes %x, after %d kills %d bytes %x", form, len(quiet), sha256.Sum256(quiet), kills, len(killed), sha256.Sum256(killed))
		}
		t.Logf("%s: %d bytes, %d kills", form, len(quiet), kills)
	}
}

// printJob writes a store in which a job waits, and returns its bytes and the job.
func printJob(t *testing.T, form multe.PrintForm) ([]byte, multe.PrintJobID) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := boltstore.Open(path, boltstore.Options{})
	must(t, err)
	now := time.Now()
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	must(t, s.Update(t.Context(), func(tx store.Tx) error {
		c := multe.Creditor{ID: creditorCF, Name: "Comune di Esempio", CodiceVersamento: codiceVersamento, PoolLow: 1, PoolTarget: 10, Portal: true, Version: 1, Changed: now}
		err := store.SaveCreditor(tx, c, "admin", now)
		for i := range printActs {
			head := fmt.Sprintf("301%013d", i+1)
			var sum int
			for _, d := range head {
				sum = (sum*10 + int(d-'0')) % 93
			}
			n, nerr := avviso.ParseNumber(fmt.Sprintf("%s%02d", head, sum))
			err = errors.Join(err, nerr, tx.PutVerbale(multe.Verbale{Creditor: creditorCF, Device: multe.DeviceID(id(9)), State: multe.VerbaleIssued, ReceivedAt: now, Version: 1, Changed: now,
				Slip: multe.Slip{ID: multe.VerbaleID(id(1000 + i)), Position: multe.PositionID(id(5000 + i)), Number: n, Reference: fmt.Sprintf("P-%d", i), Plate: "AB123CD", Nation: "IT",
					Vehicle: "Fiat Panda", Place: fmt.Sprintf("Via Po %d", i), Violation: multe.Violation{Norm: "art. 158 c. 2 e 6 CdS", Conduct: "Sostava dove la sosta è vietata."},
					Warden: "0417", IssuedAt: now, Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(now).Plus(5)}, {Cents: 4200}}}}))
		}
		return err
	}))
	p := prints.New(s, spool.New(filepath.Join(t.TempDir(), "spool")), time.Now, rand.NewChaCha8([32]byte{}), func() {})
	job, err := p.Start(t.Context(), "operator:test", creditorCF, prints.Request{ID: multe.PrintJobID(id(7)), Kind: multe.PrintPreavviso, Form: form, Order: multe.PrintByRegister, Filter: multe.PrintFilter{State: multe.VerbaleIssued}})
	must(t, err)
	if job.Total != printActs {
		t.Fatalf("the job is of %d acts", job.Total)
	}
	must(t, s.Close())
	data, err := os.ReadFile(path)
	must(t, err)
	return data, job.ID
}

// servePrints lets the real service print what waits in a store, kills it up to some
// times, each time when something has moved, and returns the output.
func servePrints(t *testing.T, binary string, data []byte, job multe.PrintJobID, kills int) (out []byte, killed int) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, body string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(body), 0o600))
		return path
	}
	const admin = "0123456789abcdef0123456789abcdef"
	api := freeAddr(t)
	k := &killer{t: t, binary: binary, ready: "http://" + api + "/v1/health", log: filepath.Join(dir, "log.jsonl"), args: []string{"serve",
		"--data", file("preavviso.db", string(data)), "--spool", filepath.Join(dir, "spool"),
		"--firmware-listen", freeAddr(t), "--api-listen", api, "--soap-listen", freeAddr(t),
		"--admin-token-file", file("admin.secret", admin+"\n"), "--ppay-url", "http://127.0.0.1:9/",
		"--soap-user", simUser, "--soap-password-file", file("soap.secret", "listener-password\n")}}
	k.start()
	defer k.end()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	office := client{base: "http://" + api, token: admin}
	path := "/v1/creditors/" + creditorCF + "/print-jobs/" + string(job)
	for moved := progress(t, dir); ; {
		var j struct {
			State string `json:"state"`
			Done  int    `json:"done"`
		}
		if err := office.do(ctx, "GET", path, nil, &j); err != nil {
			t.Fatal(err)
		}
		if j.State != "running" {
			if j.State != "done" || j.Done != printActs {
				t.Fatalf("%+v", j)
			}
			break
		}
		if now := progress(t, dir); now != moved && killed < kills {
			k.kill()
			killed++
			k.start()
			moved = progress(t, dir)
		}
		time.Sleep(time.Millisecond)
	}
	r, err := http.NewRequestWithContext(ctx, "GET", office.base+path+"/output", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+admin)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	out, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return out, killed
}

// progress is what lies in the spool: names and sizes.
func progress(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, "spool"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			fmt.Fprintln(&b, f.Name(), info.Size())
		}
	}
	return b.String()
}
