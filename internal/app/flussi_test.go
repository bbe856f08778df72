package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"preavviso/internal/config"
)

// TestFlowsReachTheAccountant sends a flow to each of the two addresses of a
// running service, and asks its API for the sheet.
func TestFlowsReachTheAccountant(t *testing.T) {
	dir := t.TempDir()
	admin := strings.Repeat("a", minAdminToken)
	if err := os.WriteFile(filepath.Join(dir, "admin"), []byte(admin), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Parse("test", []string{"--data", filepath.Join(dir, "x.db"), "--firmware-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--soap-listen", "127.0.0.1:0",
		"--admin-token-file", filepath.Join(dir, "admin"), "--ppay-url", "http://127.0.0.1:1/", "--soap-auth", "none", "--inbox-every", "10ms"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(cfg, Deps{Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	call := func(method, url, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+admin)
		req.Header.Set("Content-Type", map[bool]string{true: "application/json", false: "text/xml"}[strings.HasPrefix(body, "{")])
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	api, soap := "http://"+a.Addr("api")+"/v1/creditors", "http://"+a.Addr("soap")
	if status, body := call("POST", api, `{"cf":"`+string(torino)+`","name":"Torino","codice_versamento":"MU01","pool":{"low":10,"target":20}}`); status != 201 {
		t.Fatal(status, body)
	}
	envelope := func(request, ns, document, inner, name string) string {
		return `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><` + request + ` xmlns="` + ns + `"><Testata><CFEnteCreditore>` + string(torino) + `</CFEnteCreditore>` +
			`<IdentificativoFlusso>` + name + `</IdentificativoFlusso><IdPSP>ABI1</IdPSP></Testata><` + document + `>` + base64.StdEncoding.EncodeToString([]byte(inner)) + `</` + document + `></` + request + `></S:Body></S:Envelope>`
	}
	for path, message := range map[string]string{
		FlussiPath: envelope("TrasmettiFlussiPagoPARequest", "http://www.csi.it/epay/epaywso/flussi-completi-psp/types", "FlussoCompleto",
			`<flussoCompletoType><RigheSintesi><SingolaRigaSintesi><CodiceVersamento>MU01</CodiceVersamento><RigheDettaglio><SingolaRigaDettaglio><DataPagamento>2026-03-05T00:00:00</DataPagamento>`+
				`<ImportoSingoloVersamento>42.00</ImportoSingoloVersamento><IdentificativoUnivocoVersamento>I1</IdentificativoUnivocoVersamento></SingolaRigaDettaglio></RigheDettaglio></SingolaRigaSintesi></RigheSintesi></flussoCompletoType>`, "F1"),
		RendicontazionePath: envelope("TrasmettiFlussoRendicontazioneRequest", "http://www.csi.it/epay/epaywso/rendicontazione", "FlussoRiversamento", `<FlussoRiversamento/>`, "F2"),
	} {
		if status, body := call("POST", soap+path, message); status != 200 || !strings.Contains(body, ">000<") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, sheet := call("GET", api+"/"+string(torino)+"/accounting.csv?from=2026-03-01&to=2026-03-31", "")
		_, flows := call("GET", api+"/"+string(torino)+"/flussi", "")
		if status == 200 && strings.Contains(sheet, "2026-03-05;I1;;;;42,00;;ABI1;F1;") && strings.Count(flows, `"name"`) == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(status, sheet, flows)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
