package ppay_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/ppay"
	"preavviso/wsdl/epaywso"
)

var (
	creditor = multe.Creditor{ID: "01219860010", CodiceVersamento: "PM47"}
	at       = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	nobody   *ppay.Client // Encode needs nothing of a client
)

const batchID = "0199a1b2c3d47e8f9012345678901234abc"

func position(i int) multe.PositionID {
	return multe.PositionID(fmt.Sprintf("0199a1b2c3d47e8f90123456%08x", i))
}

func change(i int, k multe.ChangeKind, want multe.Desired) multe.Change {
	return multe.NewChange(creditor.ID, position(i), 1, k, want, at)
}

func encode(op multe.Operation, changes ...multe.Change) ([]byte, error) {
	return nobody.Encode(multe.Batch{Creditor: creditor.ID, ID: batchID, Operation: op}, creditor, changes)
}

var person = &multe.Debtor{Surname: "D'ANGIÒ & FIGLI", Name: "Zoë <x>", CF: "DNGZOE80A41L219X", Address: "Via Po", Civico: "1/bis",
	CAP: "10123", City: "Torino", Province: "TO", Nation: "IT", Email: "zoe@example.it"}

// element is one element of a message, in the order of the document.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// leaves flattens a message into "Name=text" and "Name{…}".
func (e element) String() string {
	if len(e.Children) == 0 {
		return e.XMLName.Local + "=" + e.Text
	}
	var s []string
	for _, c := range e.Children {
		s = append(s, c.String())
	}
	return e.XMLName.Local + "{" + strings.Join(s, " ") + "}"
}

func flat(t *testing.T, raw []byte) string {
	t.Helper()
	if name, err := ppay.Gate(strings.NewReader(string(raw))); err != nil || name.Space != epaywso.NSEnti2EPaywso {
		t.Fatalf("our own message does not pass the gate: %v, %v", name, err)
	}
	var e element
	if err := xml.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e.Children[0].Children[0].String()
}

// TestEncode is what the platform is sent, element by element and in order.
func TestEncode(t *testing.T) {
	const nobodyXML = "SoggettoPagatore{PersonaFisica{Cognome=ANONIMO Nome=ANONIMO} IdentificativoUnivocoFiscale=ANONIMO}"
	const head = "Testata{IdMessaggio=" + batchID + " CFEnteCreditore=01219860010 CodiceVersamento=PM47 NumeroPosizioniDebitorie="
	refs := []multe.Reference{{Name: "Targa", Value: "AB123CD"}, {Name: "Verbale", Value: "V 104"}}
	for _, c := range []struct {
		name    string
		op      multe.Operation
		changes []multe.Change
		want    string
	}{
		{"request", multe.OperationInsert, []multe.Change{
			change(1, multe.ChangeRequest, multe.Desired{Causale: "Violazione CdS"}),
			change(2, multe.ChangeRequest, multe.Desired{Causale: "Violazione CdS"}),
		}, "InserisciListaDiCaricoRequest{" + head + "2 ImportoTotaleListaDiCarico=0.00} ListaDiCarico{PosizioniDaInserire{" +
			"PosizioneDaInserire{IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000001 ImportoTotale=0.00 DescrizioneCausaleVersamento=Violazione CdS " + nobodyXML + "} " +
			"PosizioneDaInserire{IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000002 ImportoTotale=0.00 DescrizioneCausaleVersamento=Violazione CdS " + nobodyXML + "}}}}"},
		{"activate", multe.OperationUpdate, []multe.Change{
			change(1, multe.ChangeActivate, multe.Desired{Cents: 2940, Causale: "Verbale V 104", References: refs, Reason: "not sent"}),
		}, "AggiornaPosizioniDebitorieRequest{" + head + "1} ElencoPosizioniDaAggiornare{PosizioniDaAggiornare{PosizioneDaAggiornare{" +
			"TipoAggiornamento=MODIFICA IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000001 ImportoTotale=29.40 DescrizioneCausaleVersamento=Verbale V 104 " +
			"RiferimentiPagamento{Riferimento{Nome=Targa Valore=AB123CD} Riferimento{Nome=Verbale Valore=V 104}}}}}}"},
		{"with an end of validity, and the portal's own id", multe.OperationUpdate, []multe.Change{
			{Creditor: "01219860010", Position: "P", Upstream: "01219_7_1", Kind: multe.ChangeActivate, Want: multe.Desired{Cents: 2940, ValidTo: multe.Day{Year: 2026, Month: 12, Day: 31}}},
		}, "AggiornaPosizioniDebitorieRequest{" + head + "1} ElencoPosizioniDaAggiornare{PosizioniDaAggiornare{PosizioneDaAggiornare{" +
			"TipoAggiornamento=MODIFICA IdPosizioneDebitoria=01219_7_1 DataFineValidita=2026-12-31 ImportoTotale=29.40}}}}"},
		{"reset", multe.OperationUpdate, []multe.Change{change(1, multe.ChangeReset, multe.Desired{Causale: "Verbale V 104"})},
			"AggiornaPosizioniDebitorieRequest{" + head + "1} ElencoPosizioniDaAggiornare{PosizioniDaAggiornare{PosizioneDaAggiornare{" +
				"TipoAggiornamento=MODIFICA IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000001 ImportoTotale=0.00 DescrizioneCausaleVersamento=Verbale V 104}}}}"},
		{"update with a person", multe.OperationUpdate, []multe.Change{
			change(1, multe.ChangeUpdate, multe.Desired{Cents: 100_000_099, Causale: "Verbale V 104", References: refs[:1], Debtor: person}),
		}, "AggiornaPosizioniDebitorieRequest{" + head + "1} ElencoPosizioniDaAggiornare{PosizioniDaAggiornare{PosizioneDaAggiornare{" +
			"TipoAggiornamento=MODIFICA IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000001 ImportoTotale=1000000.99 DescrizioneCausaleVersamento=Verbale V 104 " +
			"RiferimentiPagamento{Riferimento{Nome=Targa Valore=AB123CD}} " +
			"SoggettoPagatore{PersonaFisica{Cognome=D'ANGIÒ & FIGLI Nome=Zoë <x>} IdentificativoUnivocoFiscale=DNGZOE80A41L219X Indirizzo=Via Po Civico=1/bis " +
			"CAP=10123 Localita=Torino Provincia=TO Nazione=IT EMail=zoe@example.it}}}}}"},
		{"update with a company, and a void", multe.OperationUpdate, []multe.Change{
			change(1, multe.ChangeUpdate, multe.Desired{Cents: 2940, Debtor: &multe.Debtor{Company: "ACME", CF: "09876543217"}}),
			change(2, multe.ChangeVoid, multe.Desired{Cents: 2940, Causale: "not sent", References: refs, Debtor: person, Reason: "Annullato in autotutela"}),
		}, "AggiornaPosizioniDebitorieRequest{" + head + "2} ElencoPosizioniDaAggiornare{PosizioniDaAggiornare{" +
			"PosizioneDaAggiornare{TipoAggiornamento=MODIFICA IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000001 ImportoTotale=29.40 " +
			"SoggettoPagatore{PersonaGiuridica{RagioneSociale=ACME} IdentificativoUnivocoFiscale=09876543217}} " +
			"PosizioneDaAggiornare{TipoAggiornamento=ANNULLAMENTO IdPosizioneDebitoria=0199a1b2c3d47e8f9012345600000002 Motivazione=Annullato in autotutela}}}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := encode(c.op, c.changes...)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(raw), xml.Header+"<") {
				t.Errorf("no XML declaration: %.60s", raw)
			}
			if diff := cmp.Diff(c.want, flat(t, raw)); diff != "" {
				t.Error(diff)
			}
			if again, _ := encode(c.op, c.changes...); string(again) != string(raw) {
				t.Error("other bytes the second time")
			}
		})
	}
}

// TestEncodeRefuses is what is never sent. No error may hold what was refused.
func TestEncodeRefuses(t *testing.T) {
	const secret = "SEGRETO"
	request := change(1, multe.ChangeRequest, multe.Desired{Causale: "Violazione CdS"})
	with := func(k multe.ChangeKind, d multe.Desired) []multe.Change { return []multe.Change{change(1, k, d)} }
	many := make([]multe.Change, multe.MaxBatch+1)
	for i := range many {
		many[i] = change(i, multe.ChangeRequest, multe.Desired{Causale: "x"})
	}
	six := make([]multe.Reference, 6)
	for i := range six {
		six[i] = multe.Reference{Name: "a", Value: secret}
	}
	other := request
	other.Creditor = "01234567897"
	long := strings.Repeat(secret, 20)
	for _, c := range []struct {
		name    string
		op      multe.Operation
		changes []multe.Change
		want    string // in the error
	}{
		{"nothing", multe.OperationInsert, nil, "0 changes"},
		{"too many", multe.OperationInsert, many, "251 changes"},
		{"another creditor's", multe.OperationInsert, []multe.Change{request, other}, "change 2: of another creditor"},
		{"the other operation", multe.OperationUpdate, []multe.Change{request}, "change 1: of the other operation"},
		{"an operation that is none", "query", []multe.Change{request}, "of the other operation"},
		{"a position twice", multe.OperationInsert, []multe.Change{request, request}, "change 2: position named twice"},
		{"request with amount", multe.OperationInsert, with(multe.ChangeRequest, multe.Desired{Cents: 1, Causale: "x"}), "no amount"},
		{"request with debtor", multe.OperationInsert, with(multe.ChangeRequest, multe.Desired{Causale: "x", Debtor: person}), "no debtor"},
		{"request without causale", multe.OperationInsert, with(multe.ChangeRequest, multe.Desired{}), "/PosizioneDaInserire[1]/DescrizioneCausaleVersamento: missing"},
		{"void without reason", multe.OperationUpdate, with(multe.ChangeVoid, multe.Desired{}), "no reason"},
		{"void with a long reason", multe.OperationUpdate, with(multe.ChangeVoid, multe.Desired{Reason: strings.Repeat(secret, 60)}), "/Motivazione: longer than 400"},
		{"negative amount", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{Cents: -1}), "/ImportoTotale"},
		{"a milliard", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{Cents: 100_000_000_000}), "/ImportoTotale"},
		{"long causale", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{Causale: multe.Causale(long)}), "/PosizioneDaAggiornare[1]/DescrizioneCausaleVersamento: longer than 100"},
		{"control character", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{Causale: secret + "\x01"}), "/DescrizioneCausaleVersamento"},
		{"not UTF-8", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{Causale: secret + "\xff"}), "/DescrizioneCausaleVersamento"},
		{"non-character", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{Causale: secret + "\uffff"}), "/DescrizioneCausaleVersamento"},
		{"six references", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{References: six}), "/Riferimento"},
		{"reference without value", multe.OperationUpdate, with(multe.ChangeActivate, multe.Desired{References: []multe.Reference{{Name: secret}}}), "/Riferimento[1]/Valore: missing"},
		{"debtor without name", multe.OperationUpdate, with(multe.ChangeUpdate, multe.Desired{Debtor: &multe.Debtor{CF: secret}}), "/SoggettoPagatore/"},
		{"debtor of both kinds", multe.OperationUpdate, with(multe.ChangeUpdate, multe.Desired{Debtor: &multe.Debtor{Surname: secret, Name: secret, Company: secret, CF: secret}}), "/SoggettoPagatore/"},
		{"debtor without CF", multe.OperationUpdate, with(multe.ChangeUpdate, multe.Desired{Debtor: &multe.Debtor{Company: secret}}), "/IdentificativoUnivocoFiscale: missing"},
		{"debtor with a bad nation", multe.OperationUpdate, with(multe.ChangeUpdate, multe.Desired{Debtor: &multe.Debtor{Company: secret, CF: secret, Nation: "it"}}), "/Nazione"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := encode(c.op, c.changes...)
			if !errors.Is(err, fault.Invalid) || raw != nil {
				t.Fatalf("Encode = %d bytes, %v; want it refused", len(raw), err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
		})
	}
	for _, c := range []multe.Creditor{{ID: creditor.ID}, {ID: creditor.ID, CodiceVersamento: "ABCDE"}} {
		if _, err := nobody.Encode(multe.Batch{Creditor: c.ID, ID: batchID, Operation: multe.OperationInsert}, c, []multe.Change{request}); err == nil {
			t.Errorf("codice versamento %q was encoded", c.CodiceVersamento)
		}
	}
}

// randomChange fills a change as the schema allows, at the limits now and then.
func randomChange(r *rand.Rand, i int, kinds ...multe.ChangeKind) multe.Change {
	text := func(max int) string {
		letters := []rune("aZ0 èÅß€&<>\"']]>漢🚗")
		s := make([]rune, 1+r.IntN(max))
		if r.IntN(4) == 0 {
			s = make([]rune, max)
		}
		for i := range s {
			s[i] = letters[r.IntN(len(letters))]
		}
		return string(s)
	}
	k := kinds[r.IntN(len(kinds))]
	d := multe.Desired{Causale: multe.Causale(text(100)), Reason: text(400)}
	for range r.IntN(6) {
		d.References = append(d.References, multe.Reference{Name: text(70), Value: text(70)})
	}
	if k != multe.ChangeRequest && k != multe.ChangeReset {
		d.Cents = multe.Cents(r.Int64N(100_000_000_000))
	}
	if k == multe.ChangeUpdate {
		d.Debtor = &multe.Debtor{CF: multe.CF(text(35)), Address: text(70), Civico: text(16), CAP: text(16), City: text(35), Province: text(35), Nation: "IT", Email: "a.b+c@d-e.it"}
		if r.IntN(2) == 0 {
			d.Debtor.Company = text(70)
		} else {
			d.Debtor.Surname, d.Debtor.Name = text(70), text(70)
		}
	}
	return change(i, k, d)
}

// TestEncodeAgainstSchema has xmllint judge what Encode makes, under our schema
// and, where it is at hand, the platform's own.
func TestEncodeAgainstSchema(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("xmllint is not installed (libxml2-utils)")
	}
	dir, r := t.TempDir(), rand.New(rand.NewPCG(47, 11))
	var files []string
	for n := range 60 {
		op, kinds := multe.OperationInsert, []multe.ChangeKind{multe.ChangeRequest}
		if n%2 == 1 {
			op, kinds = multe.OperationUpdate, []multe.ChangeKind{multe.ChangeActivate, multe.ChangeReset, multe.ChangeUpdate, multe.ChangeVoid}
		}
		size := 1 + r.IntN(8)
		if n < 2 {
			size = multe.MaxBatch
		}
		changes := make([]multe.Change, size)
		for i := range changes {
			changes[i] = randomChange(r, i, kinds...)
		}
		raw, err := encode(op, changes...)
		if err != nil {
			t.Fatal(err)
		}
		// encoding/xml declares its namespaces on every element: the content of the
		// body is a document.
		_, body, _ := strings.Cut(string(raw), `<Body xmlns="`+soapNS+`">`)
		body, _, _ = strings.Cut(body, "</Body>")
		f := filepath.Join(dir, fmt.Sprintf("%d.xml", n))
		if err := os.WriteFile(f, []byte(xml.Header+body), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for _, schema := range []string{"../../wsdl/Enti2EPaywsoServiceTypes.xsd", "/work/shared/contract/Enti2EPaywsoServiceTypes.xsd"} {
		if _, err := os.Stat(schema); err != nil {
			continue // the second is not part of this project
		}
		out, err := exec.Command("xmllint", append([]string{"--noout", "--nonet", "--schema", schema}, files...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%.2000s", schema, err, out)
		}
	}
}

func BenchmarkEncode250(b *testing.B) {
	changes := make([]multe.Change, multe.MaxBatch)
	for i := range changes {
		changes[i] = change(i, multe.ChangeUpdate, multe.Desired{Cents: 2940, Causale: "Verbale V 104", References: []multe.Reference{{Name: "Targa", Value: "AB123CD"}}, Debtor: person})
	}
	raw, err := encode(multe.OperationUpdate, changes...)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := encode(multe.OperationUpdate, changes...); err != nil {
			b.Fatal(err)
		}
	}
}
