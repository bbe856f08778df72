// Package interop_test lets SOAP stacks that are not ours speak with both of our
// sides: zeep and PHP, as clients of the listener and as servers for the client.
package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
)

const (
	user     = "epay"
	password = "password: with a colon"
	creditor = multe.CreditorID("01234567897")
)

// python is Debian's, where python3-zeep is; another may be first in PATH.
const python = "/usr/bin/python3"

// stacks are the foreign sides; check says whether one is installed.
var stacks = []struct {
	name   string
	check  []string
	client []string
}{
	{"zeep", []string{python, "-c", "import zeep"}, []string{python, "testdata/client.py"}},
	{"php", []string{"php", "-r", "new ReflectionClass('SoapClient');"}, []string{"php", "testdata/client.php"}},
}

func need(t *testing.T, check []string) {
	t.Helper()
	if out, err := exec.Command(check[0], check[1:]...).CombinedOutput(); err != nil {
		if strings.Contains(os.Getenv("PREAVVISO_TEST_REQUIRE"), "decoders") {
			t.Fatalf("%v: %v\n%s", check, err, out)
		}
		t.Skipf("%v: %v", check, err)
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// heard keeps what the listener received, as the inbox would read it.
type heard struct {
	mu     sync.Mutex
	events map[string]multe.Event
	err    error
}

func (h *heard) Receive(_ context.Context, _, kind string, raw []byte) error {
	e, err := ppay.Read(raw)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events[kind] = e
	h.err = errors.Join(h.err, err)
	return nil
}

// callFrom has a stack call the operations of a file of messages, over the WSDL
// of our folder, and returns what each was answered. Each call has a listener of
// its own: wrong credentials lock a caller out for a while.
func callFrom(t *testing.T, client []string, h *heard, wsdl, binding, shown, messages string) map[string]string {
	t.Helper()
	server := httptest.NewServer(ppay.NewListener(h, ppay.ListenerConfig{
		Callers: []ppay.Caller{{User: user, Passwords: []ppay.Secret{ppay.NewSecret(password)}}}}))
	defer server.Close()
	args := append(slices.Clone(client[1:]), abs(t, filepath.Join("../../../wsdl", wsdl)), binding, server.URL+"/soap/here", user, shown, messages)
	cmd := exec.CommandContext(t.Context(), client[0], args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var answers map[string]string
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return answers
}

// TestForeignFlows sends the two kinds of accounting flow from each stack.
func TestForeignFlows(t *testing.T) {
	inner := func(name string) string {
		raw, err := os.ReadFile(filepath.Join("../../../wsdl/testdata/valid", name))
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	type m = map[string]any
	for operation, service := range map[string]struct {
		wsdl, binding string
		message       m
	}{
		"TrasmettiFlussiPagoPA": {"EPayFlussiCompletiPSP.wsdl", "{http://www.csi.it/epay/epaywso/flussi-completi-psp}EPayFlussiCompletiPSPSOAP", m{
			"Testata":        m{"IdMessaggio": "2026-11-24-03:00:00.123-00000000042", "CFEnteCreditore": creditor, "IdentificativoFlusso": "2026-11-24ABI12345-1", "DataOraFlusso": "2026-11-24T03:00:00", "IdPSP": "ABI12345"},
			"FlussoCompleto": inner("flusso-completo.xml"),
			"DatiAggiuntivi": m{"ElencoCodiciVersamento": m{"CodiceVersamento": []string{"MU01", "MU01"}}},
		}},
		"TrasmettiFlussoRendicontazione": {"ServiziRendicontazione.wsdl", "{http://www.csi.it/epay/epaywso/rendicontazione}ServiziRendicontazioneSOAP", m{
			"Testata":            m{"IdMessaggio": "FR-1", "CFEnteCreditore": creditor, "IdPSP": "ABI12345", "IdentificativoFlusso": "2026-11-24ABI12345-1"},
			"FlussoRiversamento": inner("riversamento.xml"),
			"DatiAggiuntivi":     m{"ElencoCodiciVersamento": m{"CodiceVersamento": []string{"MU01"}}},
		}},
	} {
		messages := filepath.Join(t.TempDir(), "messages.json")
		raw, err := json.Marshal(m{operation: service.message})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(messages, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, stack := range stacks {
			t.Run(operation+"/"+stack.name, func(t *testing.T) {
				need(t, stack.check)
				h := &heard{events: map[string]multe.Event{}}
				answers := callFrom(t, stack.client, h, service.wsdl, service.binding, password, messages)
				if h.err != nil {
					t.Fatal(h.err)
				}
				f := h.events[operation].Flusso
				if answers[operation] != "000" || f == nil || f.Creditor != creditor || len(f.Rows) == 0 {
					t.Errorf("answered %q, heard %+v", answers[operation], h.events[operation].Kind)
				}
			})
		}
	}
}

// TestForeignClients calls each operation of our listener from each stack.
func TestForeignClients(t *testing.T) {
	operations := []string{"EsitoInserimentoListaDiCarico", "EsitoAggiornaPosizioniDebitorie", "TrasmettiNotifichePagamento",
		"TrasmettiRT", "TrasmettiRichiesteDiRevoca", "TrasmettiAvvisiScaduti"}
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			need(t, stack.check)
			h := &heard{events: map[string]multe.Event{}}
			call := func(shown string) map[string]string {
				t.Helper()
				return callFrom(t, stack.client, h, "EPaywso2EntiService.wsdl", "{http://www.csi.it/epay/epaywso/epaywso2entisrv}EPaywso2EntiServiceSOAP", shown, "testdata/messages.json")
			}

			for operation, answer := range call("wrong") {
				if answer == "000" {
					t.Errorf("%s with a wrong password was taken", operation)
				}
			}
			if len(h.events) > 0 {
				t.Fatalf("heard %v from a stranger", h.events)
			}
			answers := call(password)
			for _, operation := range operations {
				if answers[operation] != "000" {
					t.Errorf("%s: answered %q, want 000", operation, answers[operation])
				}
				if h.events[operation].Kind != operation {
					t.Errorf("%s: heard as %q", operation, h.events[operation].Kind)
				}
			}
			if h.err != nil {
				t.Fatal(h.err)
			}

			insert := h.events["EsitoInserimentoListaDiCarico"].Esito
			if insert == nil || insert.Batch != "MSG-1" || insert.Creditor != creditor || insert.Code != "050" || len(insert.Outcomes) != 2 ||
				insert.Outcomes[0].Number.String() != "312263270000471237" || insert.Outcomes[1].Code != "161" || !insert.Outcomes[1].Number.IsZero() {
				t.Errorf("insert outcome %+v", insert)
			}
			if update := h.events["EsitoAggiornaPosizioniDebitorie"].Esito; update == nil || update.Code != "150" || len(update.Outcomes) != 0 {
				t.Errorf("update outcome %+v", update)
			}
			notice := h.events["TrasmettiNotifichePagamento"].Notice
			if notice == nil || len(notice.Payments) != 2 || notice.Mismatch || notice.Unread != 0 {
				t.Fatalf("notice %+v", notice)
			}
			a, b := notice.Payments[0], notice.Payments[1]
			if a.Cents != 2940 || a.IUR != "IUR-1" || a.PSPName != "Banca & Figli" || a.PaidOn.String() != "2026-11-23" || a.Payer == nil || a.Payer.Name != "Zoë" ||
				b.Cents != 100000000 || b.IUV != "12263270000581235" || b.IUR != "IUR-2" || b.PaidOn.String() != "2026-11-24" || !b.Number.IsZero() {
				t.Errorf("payments of %d and %d cents, %s and %s, read wrong", a.Cents, b.Cents, a.IUR, b.IUR)
			}
		})
	}
}

// platform is a foreign server of Enti2EPaywso.
type platform struct {
	url string
	log string
}

func startZeep(t *testing.T) platform {
	need(t, stacks[0].check)
	p := platform{log: filepath.Join(t.TempDir(), "log")}
	cmd := exec.Command(python, "testdata/server.py", abs(t, "../../../wsdl/Enti2EPaywsoService.wsdl"), abs(t, "../../../wsdl/Enti2EPaywsoServiceTypes.xsd"), user, password, p.log)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run(t, cmd)
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.url = "http://127.0.0.1:" + strings.TrimSpace(port) + "/"
	return p
}

func startPHP(t *testing.T) platform {
	need(t, stacks[1].check)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p := platform{url: "http://" + addr + "/", log: filepath.Join(t.TempDir(), "log")}
	cmd := exec.Command("php", "-q", "-S", addr, "testdata/server.php")
	cmd.Env = append(os.Environ(), "WSDL="+abs(t, "../../../wsdl/Enti2EPaywsoService.wsdl"), "SOAP_USER="+user, "SOAP_PASSWORD="+password, "LOG="+p.log)
	run(t, cmd)
	for range 200 {
		if resp, err := http.Get(p.url); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return p
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("php -S did not start")
	return p
}

// run starts cmd and ends it with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, &stderr)
		}
	})
}

// TestForeignServers sends each kind of change with our client to each stack and
// looks at what that understood.
func TestForeignServers(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	c := multe.Creditor{ID: creditor, Name: "Comune di Esempio", CodiceVersamento: "MU01"}
	position := 0
	change := func(k multe.ChangeKind, want multe.Desired) multe.Change {
		position++
		return multe.NewChange(creditor, multe.PositionID(fmt.Sprintf("P%d", position)), 1, k, want, at)
	}
	person := &multe.Debtor{Surname: "D'Amico", Name: "Zoë", CF: "DMCZOE80A41L219X", Address: "Via Po", Civico: "3/bis", CAP: "10123", City: "Torino", Province: "TO", Nation: "IT", Email: "zoe@example.org"}
	company := &multe.Debtor{Company: "Trasporti <Nord> & Figli", CF: "01234567897"}
	references := []multe.Reference{{Name: "Preavviso", Value: "PV-2026-0001"}}
	changes := map[multe.Operation][]multe.Change{
		multe.OperationInsert: {change(multe.ChangeRequest, multe.Desired{Causale: "Preavviso CdS"}), change(multe.ChangeRequest, multe.Desired{Causale: "Preavviso CdS"})},
		multe.OperationUpdate: {
			change(multe.ChangeActivate, multe.Desired{Cents: 2940, Causale: "Preavviso CdS n. 1", References: references}),
			change(multe.ChangeReset, multe.Desired{Causale: "Preavviso CdS n. 1", References: references}),
			change(multe.ChangeUpdate, multe.Desired{Cents: 9999999, Causale: "Verbale CdS n. 1", References: references, Debtor: person}),
			change(multe.ChangeUpdate, multe.Desired{Cents: 1, Causale: "Verbale CdS n. 2", Debtor: company}),
			change(multe.ChangeVoid, multe.Desired{Reason: "Annullato in autotutela"}),
		},
	}
	for name, start := range map[string]func(*testing.T) platform{"zeep": startZeep, "php": startPHP} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			client := newClient(t, p.url, password)
			for operation, list := range changes {
				b := multe.Batch{Creditor: creditor, ID: multe.BatchID("01a2090efe1f76e4a4e51449e462065bf42"), Operation: operation}
				body, err := client.Encode(b, c, list)
				if err != nil {
					t.Fatal(err)
				}
				b.Body = body
				if code, err := client.Submit(t.Context(), c, b); err != nil || code != "000" {
					t.Fatalf("%s: answered %q, %v", operation, code, err)
				}
				if _, err := newClient(t, p.url, "wrong").Submit(t.Context(), c, b); !errors.Is(err, fault.Unavailable) {
					t.Errorf("%s with a wrong password: %v", operation, err)
				}
			}
			got := map[string]any{}
			log, err := os.ReadFile(p.log)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(log)) {
				var m struct {
					Operation string         `json:"operation"`
					Arguments map[string]any `json:"arguments"`
				}
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Fatal(err)
				}
				got[m.Operation] = plain(m.Arguments)
			}
			if diff := cmp.Diff(understood(), got); diff != "" {
				t.Errorf("understood (-want +got):\n%s", diff)
			}
		})
	}
}

func newClient(t *testing.T, url, password string) *ppay.Client {
	t.Helper()
	client, err := ppay.NewClient(ppay.Config{URL: url, Auth: ppay.AuthBasic, User: user, Password: ppay.NewSecret(password)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// plain drops what a stack says of absent elements, and makes text of numbers:
// PHP reads 29.40 as text, zeep as a decimal.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if p := plain(e); p != nil {
				out[k] = p
			}
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(e))
		}
		return out
	case float64:
		return fmt.Sprint(v)
	}
	return v
}

// understood is what the changes of TestForeignServers mean, written by hand.
func understood() map[string]any {
	type m = map[string]any
	const message = "01a2090efe1f76e4a4e51449e462065bf42"
	anonimo := m{"PersonaFisica": m{"Cognome": "ANONIMO", "Nome": "ANONIMO"}, "IdentificativoUnivocoFiscale": "ANONIMO"}
	inserted := func(id string) m {
		return m{"IdPosizioneDebitoria": id, "ImportoTotale": "0.00", "DescrizioneCausaleVersamento": "Preavviso CdS", "SoggettoPagatore": anonimo}
	}
	references := m{"Riferimento": []any{m{"Nome": "Preavviso", "Valore": "PV-2026-0001"}}}
	return m{
		"InserisciListaDiCarico": m{
			"Testata": m{"IdMessaggio": message, "CFEnteCreditore": "01234567897", "CodiceVersamento": "MU01",
				"NumeroPosizioniDebitorie": "2", "ImportoTotaleListaDiCarico": "0.00"},
			"ListaDiCarico": m{"PosizioniDaInserire": m{"PosizioneDaInserire": []any{inserted("P1"), inserted("P2")}}},
		},
		"AggiornaPosizioniDebitorie": m{
			"Testata": m{"IdMessaggio": message, "CFEnteCreditore": "01234567897", "CodiceVersamento": "MU01", "NumeroPosizioniDebitorie": "5"},
			"ElencoPosizioniDaAggiornare": m{"PosizioniDaAggiornare": m{"PosizioneDaAggiornare": []any{
				m{"TipoAggiornamento": "MODIFICA", "IdPosizioneDebitoria": "P3", "ImportoTotale": "29.40", "DescrizioneCausaleVersamento": "Preavviso CdS n. 1", "RiferimentiPagamento": references},
				m{"TipoAggiornamento": "MODIFICA", "IdPosizioneDebitoria": "P4", "ImportoTotale": "0.00", "DescrizioneCausaleVersamento": "Preavviso CdS n. 1", "RiferimentiPagamento": references},
				m{"TipoAggiornamento": "MODIFICA", "IdPosizioneDebitoria": "P5", "ImportoTotale": "99999.99", "DescrizioneCausaleVersamento": "Verbale CdS n. 1", "RiferimentiPagamento": references,
					"SoggettoPagatore": m{"PersonaFisica": m{"Cognome": "D'Amico", "Nome": "Zoë"}, "IdentificativoUnivocoFiscale": "DMCZOE80A41L219X", "Indirizzo": "Via Po", "Civico": "3/bis",
						"CAP": "10123", "Localita": "Torino", "Provincia": "TO", "Nazione": "IT", "EMail": "zoe@example.org"}},
				m{"TipoAggiornamento": "MODIFICA", "IdPosizioneDebitoria": "P6", "ImportoTotale": "0.01", "DescrizioneCausaleVersamento": "Verbale CdS n. 2",
					"SoggettoPagatore": m{"PersonaGiuridica": m{"RagioneSociale": "Trasporti <Nord> & Figli"}, "IdentificativoUnivocoFiscale": "01234567897"}},
				m{"TipoAggiornamento": "ANNULLAMENTO", "IdPosizioneDebitoria": "P7", "Motivazione": "Annullato in autotutela"},
			}}},
		},
	}
}
