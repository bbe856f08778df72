package wsdl_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/wsdl/epaywso"
)

// published is where the contract as PiemontePAY publishes it may lie. It is no
// part of this repository; what needs it is skipped without it.
const published = "../../shared/contract"

// A message is any root element of the contract.
type message interface{ Validate() error }

// newMessage returns an empty message of a root element, and the schema it is
// in; nil for an element of another contract.
func newMessage(root xml.Name) (m message, schema string) {
	const enti, epay, common = "Enti2EPaywsoServiceTypes.xsd", "EPaywso2EntiServiceTypes.xsd", "EPaywsoCommonTypes.xsd"
	switch root {
	case xml.Name{Space: epaywso.NSEnti2EPaywso, Local: epaywso.OpInserisciListaDiCarico + "Request"}:
		return new(epaywso.InserisciListaDiCaricoRequest), enti
	case xml.Name{Space: epaywso.NSEnti2EPaywso, Local: epaywso.OpAggiornaPosizioniDebitorie + "Request"}:
		return new(epaywso.AggiornaPosizioniDebitorieRequest), enti
	case xml.Name{Space: epaywso.NSEPaywso2Enti, Local: epaywso.OpEsitoInserimentoListaDiCarico + "Request"}:
		return new(epaywso.EsitoInserimentoListaDiCaricoRequest), epay
	case xml.Name{Space: epaywso.NSEPaywso2Enti, Local: epaywso.OpEsitoAggiornaPosizioniDebitorie + "Request"}:
		return new(epaywso.EsitoAggiornaPosizioniDebitorieRequest), epay
	case xml.Name{Space: epaywso.NSEPaywso2Enti, Local: epaywso.OpTrasmettiNotifichePagamento + "Request"}:
		return new(epaywso.TrasmettiNotifichePagamentoRequest), epay
	case xml.Name{Space: epaywso.NSEPaywso2Enti, Local: epaywso.OpTrasmettiRT + "Request"}:
		return new(epaywso.TrasmettiRTRequest), epay
	case xml.Name{Space: epaywso.NSEPaywso2Enti, Local: epaywso.OpTrasmettiRichiesteDiRevoca + "Request"}:
		return new(epaywso.TrasmettiRichiesteDiRevocaRequest), epay
	case xml.Name{Space: epaywso.NSEPaywso2Enti, Local: epaywso.OpTrasmettiAvvisiScaduti + "Request"}:
		return new(epaywso.TrasmettiAvvisiScadutiRequest), epay
	case xml.Name{Space: epaywso.NSCommon, Local: "EPaywsoServiceResponse"}:
		return new(epaywso.EPaywsoServiceResponse), common
	case xml.Name{Space: epaywso.NSEPayFlussiCompletiPSP, Local: epaywso.OpTrasmettiFlussiPagoPA + "Request"}:
		return new(epaywso.TrasmettiFlussiPagoPARequest), flussi
	case xml.Name{Space: epaywso.NSEPayFlussiCompletiPSP, Local: epaywso.OpTrasmettiFlussiPagoPA + "Response"}:
		return new(epaywso.TrasmettiFlussiPagoPAResponse), flussi
	case xml.Name{Space: epaywso.NSFlussoCompleto, Local: "FlussoCompleto"}:
		return new(epaywso.FlussoCompleto), completo
	case xml.Name{Space: epaywso.NSServiziRendicontazione, Local: epaywso.OpTrasmettiFlussoRendicontazione + "Request"}:
		return new(epaywso.TrasmettiFlussoRendicontazioneRequest), "ServiziRendicontazioneTypes.xsd"
	case xml.Name{Space: epaywso.NSFlussoRiversamento, Local: "FlussoRiversamento"}:
		return new(epaywso.FlussoRiversamento), "FlussoRiversamento_1_0_4.xsd"
	}
	if root.Space == epaywso.NSEPayRiconciliazioneVersamentiPSP {
		return map[string]message{
			"TrasmettiFlussiPagoPARequest":          new(epaywso.RiconciliazioneTrasmettiFlussiPagoPARequest),
			"TrasmettiFlussiPagoPAResponse":         new(epaywso.RiconciliazioneTrasmettiFlussiPagoPAResponse),
			"RicercaProvvisoriPagoPARequest":        new(epaywso.RiconciliazioneRicercaProvvisoriPagoPARequest),
			"RicercaProvvisoriPagoPAResponse":       new(epaywso.RiconciliazioneRicercaProvvisoriPagoPAResponse),
			"EsitoFlussiPagoPARequest":              new(epaywso.RiconciliazioneEsitoFlussiPagoPARequest),
			"EsitoFlussiPagoPAResponse":             new(epaywso.RiconciliazioneEsitoFlussiPagoPAResponse),
			"TrasmettiFlussiInErrorePagoPARequest":  new(epaywso.RiconciliazioneTrasmettiFlussiInErrorePagoPARequest),
			"TrasmettiFlussiInErrorePagoPAResponse": new(epaywso.RiconciliazioneTrasmettiFlussiInErrorePagoPAResponse),
		}[root.Local], riconciliazione
	}
	return nil, ""
}

const (
	flussi          = "EPayFlussiCompletiPSPType.xsd"
	completo        = "FlussoCompleto.xsd"
	riconciliazione = "EPayRiconciliazioneVersamentiPSPTypes.xsd"
)

// publishedSchema is where the published twin of one of our schemas lies. Of two
// that xmllint cannot use as published (an empty include, a schema inside of a
// WSDL) the examples have a copy that it can.
func publishedSchema(schema string) string {
	switch schema {
	case flussi:
		return filepath.Join(published, "flusso-completo", schema)
	case completo:
		return filepath.Join(published, "examples/xsd/FlussoCompleto.validazione.xsd")
	case riconciliazione:
		return filepath.Join(published, "examples/xsd/riconciliazione-types.xsd")
	}
	return filepath.Join(published, schema)
}

// rootOf returns the name of the root element of a document.
func rootOf(t *testing.T, doc []byte) xml.Name {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			return start.Name
		}
	}
}

// valid asks xmllint whether a document keeps to a schema.
func valid(t *testing.T, schema string, doc []byte) bool {
	t.Helper()
	cmd := exec.Command("xmllint", "--noout", "--nonet", "--schema", schema, "-")
	cmd.Stdin = bytes.NewReader(doc)
	out, err := cmd.CombinedOutput()
	exit := new(exec.ExitError)
	switch {
	case err == nil:
		return true
	case errors.As(err, &exit) && (exit.ExitCode() == 3 || exit.ExitCode() == 4): // refused by the schema
		t.Logf("%s: %s", filepath.Base(schema), firstLine(out))
		return false
	}
	t.Fatalf("xmllint: %v: %s", err, out)
	return false
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func needXMLLint(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed (apt-get install libxml2-utils)")
	}
}

// documents returns the files that match pattern, by name.
func documents(t *testing.T, pattern string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string][]byte{}
	for _, p := range paths {
		if docs[filepath.Base(p)], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	return docs
}

// own returns the messages of testdata.
func own(t *testing.T, verdict string) map[string][]byte {
	docs := documents(t, "testdata/"+verdict+"/*.xml")
	if len(docs) == 0 {
		t.Fatal("no messages in testdata")
	}
	return docs
}

// examples returns the published examples that are messages of this contract,
// some valid and some not. Envelopes are opened, which needs xmllint.
func examples(t *testing.T) map[string][]byte {
	t.Helper()
	if _, err := os.Stat(published); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the published contract is not here")
	}
	needXMLLint(t)
	docs := map[string][]byte{}
	for _, dir := range []string{"", "nonconforming", "soap"} {
		for name, doc := range documents(t, filepath.Join(published, "examples", dir, "*.xml")) {
			if rootOf(t, doc).Local == "Envelope" {
				cmd := exec.Command("xmllint", "--nonet", "--xpath", `/*/*[local-name()="Body"]/*`, "-")
				cmd.Stdin = bytes.NewReader(doc)
				body, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				doc = body
			}
			if m, _ := newMessage(rootOf(t, doc)); m != nil {
				docs[filepath.Join(dir, name)] = doc
			}
		}
	}
	if len(docs) < 58 {
		t.Fatalf("only %d examples", len(docs))
	}
	return docs
}

// TestSchemasAgree is the proof by example that our schemas say what the
// published ones say: of every message that either refuses or accepts.
func TestSchemasAgree(t *testing.T) {
	docs := examples(t)
	for _, verdict := range []string{"valid", "invalid"} {
		for name, doc := range own(t, verdict) {
			docs["testdata/"+verdict+"/"+name] = doc
		}
	}
	verdicts := map[bool]int{}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			_, schema := newMessage(rootOf(t, doc))
			ours, theirs := valid(t, schema, doc), valid(t, publishedSchema(schema), doc)
			if ours != theirs {
				t.Errorf("valid by our schema: %v, by the published one: %v", ours, theirs)
			}
			verdicts[theirs]++
		})
	}
	if verdicts[true] < 40 || verdicts[false] < 40 {
		t.Errorf("%d valid and %d invalid messages: too few to tell", verdicts[true], verdicts[false])
	}
}

func TestOwnMessagesAgainstOurSchemas(t *testing.T) {
	needXMLLint(t)
	for verdict, want := range map[string]bool{"valid": true, "invalid": false} {
		for name, doc := range own(t, verdict) {
			_, schema := newMessage(rootOf(t, doc))
			if got := valid(t, schema, doc); got != want {
				t.Errorf("%s/%s: valid is %v", verdict, name, got)
			}
		}
	}
}

func read(doc []byte, m message) error { return xml.Unmarshal(doc, m) }

func write(t *testing.T, m message) []byte {
	t.Helper()
	doc, err := xml.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// roundTrip reads a valid message, checks it, writes it, and reads it again.
func roundTrip(t *testing.T, doc []byte) {
	m, schema := newMessage(rootOf(t, doc))
	if err := read(doc, m); err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	out := write(t, m)
	if _, err := exec.LookPath("xmllint"); err == nil {
		if !valid(t, schema, out) {
			t.Errorf("what we write is not valid: %s", out)
		}
		if _, err := os.Stat(published); err == nil && !valid(t, publishedSchema(schema), out) {
			t.Errorf("what we write is not valid for the published schema: %s", out)
		}
	}
	again, _ := newMessage(rootOf(t, out))
	if err := read(out, again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, again); diff != "" {
		t.Errorf("changed by writing and reading (-before +after):\n%s", diff)
	}
	// Nothing of the document was lost on the way in.
	if got, want := leaves(t, out), leaves(t, doc); got != want {
		t.Errorf("%d texts written of %d read", got, want)
	}
}

// leaves counts the elements of a document that hold text.
func leaves(t *testing.T, doc []byte) (n int) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for text := false; ; {
		tok, err := d.Token()
		if err != nil {
			return n
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			text = false
		case xml.CharData:
			text = text || strings.TrimSpace(string(tok)) != ""
		case xml.EndElement:
			if text {
				n++
			}
			text = false
		}
	}
}

func TestOwnMessagesSurvive(t *testing.T) {
	for name, doc := range own(t, "valid") {
		t.Run(name, func(t *testing.T) { roundTrip(t, doc) })
	}
}

func TestPublishedExamplesSurvive(t *testing.T) {
	for name, doc := range examples(t) {
		if filepath.Dir(name) != "nonconforming" {
			t.Run(name, func(t *testing.T) { roundTrip(t, doc) })
		}
	}
}

// tolerated are the invalid messages that read and pass Validate all the same,
// because encoding/xml looks at neither the order of elements nor those it does
// not know. A listener wants that; we never write such a message.
var tolerated = map[string]bool{
	"inserisci-ordine.xml":               true,
	"inserisci-elemento-sconosciuto.xml": true,
	// A number that is missing, empty or 0 against its schema reads as none.
	"flusso-completo-accertamento-zero.xml":    true,
	"riconciliazione-numero-vuoto.xml":         true,
	"riconciliazione-progressivo-mancante.xml": true,
	"riconciliazione-senza-provvisorio.xml":    true,
}

func TestInvalidMessagesAreRefused(t *testing.T) {
	for name, doc := range own(t, "invalid") {
		m, _ := newMessage(rootOf(t, doc))
		err := read(doc, m)
		if err == nil {
			err = m.Validate()
		}
		if got := err == nil; got != tolerated[name] {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheMessagesThatThePlatformSendsCanBeRead though its own schema refuses
// them. Validate sees what is wrong, and writing them again adds nothing.
func TestTheMessagesThatThePlatformSendsCanBeRead(t *testing.T) {
	docs := examples(t)
	for name, path := range map[string]string{
		"revoca-come-emessa-dal-job.xml":              "TrasmettiRichiesteDiRevocaRequest/Testata/CodiceVersamento",
		"notifica-senza-esito-psp.xml":                "TrasmettiNotifichePagamentoRequest/CorpoNotifichePagamento/ElencoNotifichePagamento/NotificaPagamento[1]/DataEsitoPagamento",
		"esito-inserimento-descrizione-oltre-200.xml": "EsitoInserimentoListaDiCaricoRequest/EsitoInserimento/ElencoPosizioniDebitorieInserite/PosizioneDebitoriaInserita[1]/DescrizioneEsito",
	} {
		doc := docs["nonconforming/"+name]
		m, _ := newMessage(rootOf(t, doc))
		if err := read(doc, m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e, ok := errors.AsType[*epaywso.InvalidError](m.Validate()); !ok || e.Path != path {
			t.Errorf("%s: Validate says %v, want an error at %s", name, e, path)
		}
		if got, want := leaves(t, write(t, m)), leaves(t, doc); got != want {
			t.Errorf("%s: %d texts written of %d read", name, got, want)
		}
	}
}

func readFile(t *testing.T, name string, m message) {
	t.Helper()
	doc, err := os.ReadFile("testdata/valid/" + name)
	if err == nil {
		err = read(doc, m)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoPaymentsAreTwoRecords is about gowsdl's worst fault, which made one of
// them, with the IUV of the second and the notice of the first.
func TestTwoPaymentsAreTwoRecords(t *testing.T) {
	var m epaywso.TrasmettiNotifichePagamentoRequest
	readFile(t, "notifiche-due.xml", &m)
	type payment struct {
		IUV, CodiceAvviso, Cognome string
		Paid                       epaywso.Importo
		Due, Day                   epaywso.Date
	}
	var got []payment
	for _, n := range m.CorpoNotifichePagamento.ElencoNotifichePagamento.NotificaPagamento {
		got = append(got, payment{n.IUV, n.CodiceAvviso, n.SoggettoDebitore.PersonaFisica.Cognome, n.ImportoPagato, n.DataScadenza, n.DataEsitoPagamento})
	}
	due, day := epaywso.Date{Year: 2026, Month: 12, Day: 31}, epaywso.Date{Year: 2026, Month: 7, Day: 1}
	want := []payment{
		{"11111111111111111", "311111111111111111", "Uno", 8700, due, day},
		{"22222222222222222", "322222222222222222", "Due", 2940, due, day},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payments (-want +got):\n%s", diff)
	}
}

func TestReceiptsAndRevocationsKeepTheirBytes(t *testing.T) {
	var rt epaywso.TrasmettiRTRequest
	readFile(t, "rt.xml", &rt)
	const receipt = `<?xml version="1.0"?><ricevuta>però</ricevuta>`
	if got := rt.CorpoRT.ElencoRT.RT[0].XML; string(got) != receipt {
		t.Errorf("receipt %q", got)
	}
	var rev epaywso.TrasmettiRichiesteDiRevocaRequest
	readFile(t, "revoca.xml", &rev)
	if got := rev.CorpoRichiesteDiRevoca.ElencoRichiesteDiRevoca.RichiestaDiRevoca[0].XML; !bytes.Equal(got, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("revocation % x", got)
	}
	if got := rev.CorpoRichiesteDiRevoca.RichiestaDiRevocaResponse.DatiSingoloEsitoRevoca.SingoloImportoRevocato; got != 2940 {
		t.Errorf("revoked %d cents", got)
	}
}

func TestAmountsAreWrittenInFull(t *testing.T) {
	var m epaywso.InserisciListaDiCaricoRequest
	readFile(t, "inserisci-importi.xml", &m)
	out := string(write(t, &m))
	for _, want := range []string{">1000087.00<", ">0.00<", ">1000000.00<", ">87.00<"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("%s is not once in %s", want, out)
		}
	}
}

// insert returns a valid message with n positions.
func insert(n int) *epaywso.InserisciListaDiCaricoRequest {
	m := new(epaywso.InserisciListaDiCaricoRequest)
	m.Testata = epaywso.TestataListaCarico{
		IdMessaggio: "m1", CFEnteCreditore: "00000000000", CodiceVersamento: "PV01", NumeroPosizioniDebitorie: max(n, 1),
	}
	for i := range n {
		m.ListaDiCarico.PosizioniDaInserire.PosizioneDaInserire = append(m.ListaDiCarico.PosizioniDaInserire.PosizioneDaInserire, epaywso.PosizioneDaInserireType{
			IdPosizioneDebitoria:         fmt.Sprint("p", i),
			DescrizioneCausaleVersamento: "Verbale 1/2026",
			SoggettoPagatore: epaywso.SoggettoType{
				PersonaFisica:                &epaywso.PersonaFisicaType{Cognome: "ANONIMO", Nome: "ANONIMO"},
				IdentificativoUnivocoFiscale: "ANONIMO",
			},
		})
	}
	return m
}

// TestValidateAgreesWithTheSchema changes one thing of a message at a time and
// asks both. Both must know why a field is there.
func TestValidateAgreesWithTheSchema(t *testing.T) {
	first := func(m *epaywso.InserisciListaDiCaricoRequest) *epaywso.PosizioneDaInserireType {
		return &m.ListaDiCarico.PosizioniDaInserire.PosizioneDaInserire[0]
	}
	const list = "InserisciListaDiCaricoRequest/ListaDiCarico/PosizioniDaInserire/PosizioneDaInserire"
	tests := map[string]struct {
		positions int
		change    func(*epaywso.InserisciListaDiCaricoRequest)
		wantPath  string // "" if valid
	}{
		"one position":   {1, nil, ""},
		"1000 positions": {1000, nil, ""},
		"1001 positions": {1001, nil, list},
		"no position":    {0, nil, list},
		"causale of 100 accented letters": {1, func(m *epaywso.InserisciListaDiCaricoRequest) {
			first(m).DescrizioneCausaleVersamento = strings.Repeat("è", 100)
		}, ""},
		"causale of 101": {2, func(m *epaywso.InserisciListaDiCaricoRequest) {
			m.ListaDiCarico.PosizioniDaInserire.PosizioneDaInserire[1].DescrizioneCausaleVersamento = strings.Repeat("e", 101)
		}, list + "[2]/DescrizioneCausaleVersamento"},
		"markup in a text": {1, func(m *epaywso.InserisciListaDiCaricoRequest) {
			first(m).DescrizioneCausaleVersamento = "<a> & ]]> \r\n\t\""
		}, ""},
		"no causale":              {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).DescrizioneCausaleVersamento = "" }, list + "[1]/DescrizioneCausaleVersamento"},
		"largest amount":          {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).ImportoTotale = 999_999_999_99 }, ""},
		"year 2901":               {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).AnnoRiferimento = 2901 }, list + "[1]/AnnoRiferimento"},
		"year -1":                 {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).AnnoRiferimento = -1 }, list + "[1]/AnnoRiferimento"},
		"optional amount of zero": {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).ImportoPrincipale = new(epaywso.Importo) }, ""},
		"boolean false":           {1, func(m *epaywso.InserisciListaDiCaricoRequest) { m.Testata.MultiBeneficiario = new(bool) }, ""},
		"both subjects": {1, func(m *epaywso.InserisciListaDiCaricoRequest) {
			first(m).SoggettoPagatore.PersonaGiuridica = &epaywso.PersonaGiuridicaType{RagioneSociale: "X"}
		}, list + "[1]/SoggettoPagatore/PersonaFisica or PersonaGiuridica"},
		"no subject":              {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).SoggettoPagatore.PersonaFisica = nil }, list + "[1]/SoggettoPagatore/PersonaFisica or PersonaGiuridica"},
		"subject without surname": {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).SoggettoPagatore.PersonaFisica.Cognome = "" }, list + "[1]/SoggettoPagatore/PersonaFisica/Cognome"},
		"country of one letter":   {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).SoggettoPagatore.Nazione = "I" }, list + "[1]/SoggettoPagatore/Nazione"},
		"country with a line end": {1, func(m *epaywso.InserisciListaDiCaricoRequest) { first(m).SoggettoPagatore.Nazione = "IT\n" }, list + "[1]/SoggettoPagatore/Nazione"},
		"mail of 257": {1, func(m *epaywso.InserisciListaDiCaricoRequest) {
			first(m).SoggettoPagatore.EMail = strings.Repeat("a", 253) + "@b." + "c"
		}, list + "[1]/SoggettoPagatore/EMail"},
		"no components": {1, func(m *epaywso.InserisciListaDiCaricoRequest) {
			first(m).ComponentiImporto = new(epaywso.ComponentiImporto)
		}, list + "[1]/ComponentiImporto/ComponenteImporto"},
		"no second component": {1, func(m *epaywso.InserisciListaDiCaricoRequest) {
			first(m).ComponentiImportoSecondario = new(epaywso.ComponentiImportoSecondario)
		}, ""},
	}
	_, lintErr := exec.LookPath("xmllint")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := insert(tt.positions)
			if tt.change != nil {
				tt.change(m)
			}
			err := m.Validate()
			switch e, ok := errors.AsType[*epaywso.InvalidError](err); {
			case tt.wantPath == "" && err != nil:
				t.Errorf("Validate: %v", err)
			case tt.wantPath != "" && (!ok || e.Path != tt.wantPath):
				t.Errorf("Validate: %v, want an error at %s", err, tt.wantPath)
			}
			if lintErr == nil {
				if got := valid(t, "Enti2EPaywsoServiceTypes.xsd", write(t, m)); got != (tt.wantPath == "") {
					t.Errorf("the schema says %v", got)
				}
			}
		})
	}
}

// TestNamespacesMatter and prefixes do not.
func TestNamespacesMatter(t *testing.T) {
	doc, err := os.ReadFile("testdata/valid/aggiorna-azzera.xml")
	if err != nil {
		t.Fatal(err)
	}
	var m epaywso.AggiornaPosizioniDebitorieRequest
	other := bytes.ReplaceAll(doc, []byte(epaywso.NSEnti2EPaywso), []byte("urn:other"))
	if err := read(other, &m); err == nil {
		t.Error("a root of another namespace was read")
	}
	renamed := []byte(strings.NewReplacer("<e:", "<zz:", "</e:", "</zz:", "xmlns:e=", "xmlns:zz=").Replace(string(doc)))
	var a, b epaywso.AggiornaPosizioniDebitorieRequest
	if err := read(doc, &a); err != nil {
		t.Fatal(err)
	}
	if err := read(renamed, &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("another prefix makes another message:\n%s", diff)
	}
}
