package ppaysim

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// full returns both requests with every element in them.
func full() []string {
	const ns = ` xmlns:e="` + nsRequest + `" xmlns:c="` + nsCommon + `"`
	const subject = `<e:SoggettoPagatore><c:PersonaFisica><c:Cognome>Rossi</c:Cognome><c:Nome>Mario</c:Nome></c:PersonaFisica><c:IdentificativoUnivocoFiscale>X</c:IdentificativoUnivocoFiscale>` +
		`<c:Indirizzo>Via Roma</c:Indirizzo><c:Civico>1</c:Civico><c:CAP>10100</c:CAP><c:Localita>Torino</c:Localita><c:Provincia>TO</c:Provincia><c:Nazione>IT</c:Nazione><c:EMail>a@b.it</c:EMail></e:SoggettoPagatore>`
	const component = `<e:ComponenteImporto><e:Importo>1.00</e:Importo><e:CausaleDescrittiva>x</e:CausaleDescrittiva><e:AnnoAccertamento>2026</e:AnnoAccertamento><e:NumeroAccertamento>1</e:NumeroAccertamento></e:ComponenteImporto>`
	const references = `<e:RiferimentiPagamento><e:Riferimento><e:Nome>Targa</e:Nome><e:Valore>AB123CD</e:Valore></e:Riferimento></e:RiferimentiPagamento>`
	const head = `<e:Testata><e:IdMessaggio>M</e:IdMessaggio><e:CFEnteCreditore>01234567890</e:CFEnteCreditore><e:CodiceVersamento>MU01</e:CodiceVersamento><e:MultiBeneficiario>false</e:MultiBeneficiario><e:NumeroPosizioniDebitorie>1</e:NumeroPosizioniDebitorie>`
	const amounts = `<e:ImportoTotale>1.00</e:ImportoTotale><e:ImportoPrincipale>1.00</e:ImportoPrincipale><e:ImportoSecondarioAltroEnte>0</e:ImportoSecondarioAltroEnte>`
	const dates = `<e:DataScadenza>2026-12-31</e:DataScadenza><e:DataInizioValidita>2026-11-01+01:00</e:DataInizioValidita><e:DataFineValidita>2027-01-01Z</e:DataFineValidita>`
	const other = `<e:ComponentiImportoSecondario>` + component + `</e:ComponentiImportoSecondario>`
	return []string{
		`<e:InserisciListaDiCaricoRequest` + ns + `>` + head + `<e:ImportoTotaleListaDiCarico>1.00</e:ImportoTotaleListaDiCarico></e:Testata><e:ListaDiCarico><e:PosizioniDaInserire><e:PosizioneDaInserire>` +
			`<e:IdPosizioneDebitoria>P</e:IdPosizioneDebitoria><e:AnnoRiferimento>2026</e:AnnoRiferimento>` + amounts + dates + `<e:DescrizioneCausaleVersamento>Verbale</e:DescrizioneCausaleVersamento><e:DescrizioneRata>1</e:DescrizioneRata>` +
			`<e:ComponentiImporto>` + component + `</e:ComponentiImporto>` + references + subject + `<e:NotePerIlPagatore>nota</e:NotePerIlPagatore>` + other +
			`</e:PosizioneDaInserire></e:PosizioniDaInserire></e:ListaDiCarico></e:InserisciListaDiCaricoRequest>`,
		`<e:AggiornaPosizioniDebitorieRequest` + ns + `>` + head + `</e:Testata><e:ElencoPosizioniDaAggiornare><e:PosizioniDaAggiornare><e:PosizioneDaAggiornare>` +
			`<e:TipoAggiornamento>MODIFICA</e:TipoAggiornamento><e:IdPosizioneDebitoria>P</e:IdPosizioneDebitoria>` + dates + amounts + `<e:ComponentiImporto>` + component + `</e:ComponentiImporto>` +
			`<e:DescrizioneCausaleVersamento>Verbale</e:DescrizioneCausaleVersamento><e:Motivazione>motivo</e:Motivazione>` + references + subject + other +
			`</e:PosizioneDaAggiornare></e:PosizioniDaAggiornare></e:ElencoPosizioniDaAggiornare></e:AggiornaPosizioniDebitorieRequest>`,
	}
}

// write writes a tree; what parseXML dropped (attributes) is gone.
func (n *node) write(b *strings.Builder) {
	fmt.Fprintf(b, `<x:%s xmlns:x=%q`, n.name.Local, n.name.Space)
	if len(n.attrs) > 0 {
		b.WriteString(` strange="1"`)
	}
	b.WriteString(">" + strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(n.text))
	for _, k := range n.kids {
		k.write(b)
	}
	fmt.Fprintf(b, "</x:%s>", n.name.Local)
}

func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

// mutants returns a message broken in every place in many ways, and some that
// are only different. Spaces around a date are not among them: XML Schema
// allows them, xmllint does not.
func mutants(t *testing.T, message string) []string {
	root, err := parseXML([]byte(message))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{root.String()}
	values := []string{"", " ", "0", "1", "-1", "-0", "-+0", "-", "+1", "1.5", "1.005", "1.000", ".5", "5.", "1e2", "007", "999999", "1000000", "1899", "1900", "2900", "2901", "999999999.99", "1000000000.00",
		"true", "TRUE", " true ", " 1 ", "1 0", "2026-02-28", "2026-02-29", "2026-2-8", "2026-02-28+01:00", "2026-02-28+14:00", "2026-02-28+14:01", "2026-02-28+15:00", "2026-02-28-1:00", "2026-02-28T00:00:00", "02/28/2026",
		"it", "ITA", "a@b", "a@b.it", "a b@c.it", "@", "MODIFICA", "ANNULLAMENTO", "modifica", "MODIFICA ", "àèìòù",
		strings.Repeat("à", 4), strings.Repeat("a", 5), strings.Repeat("à", 16), strings.Repeat("a", 17), strings.Repeat("à", 35), strings.Repeat("a", 36), strings.Repeat("a", 50), strings.Repeat("à", 51),
		strings.Repeat("à", 70), strings.Repeat("a", 71), strings.Repeat("à", 80), strings.Repeat("a", 81), strings.Repeat("à", 100), strings.Repeat("a", 101), strings.Repeat("à", 400), strings.Repeat("a", 401), strings.Repeat("a", 1000), strings.Repeat("à", 1001),
		strings.Repeat("a", 251) + "@b.it", strings.Repeat("a", 252) + "@b.it"}
	var walk func(n *node)
	walk = func(n *node) {
		if len(n.kids) == 0 {
			was := n.text
			for _, v := range values {
				n.text = v
				out = append(out, root.String())
			}
			n.text = was
			return
		}
		n.text = "text"
		out = append(out, root.String())
		n.text = ""
		for i, k := range n.kids {
			kids := n.kids
			with := func(changed ...*node) {
				n.kids = changed
				out = append(out, root.String())
				n.kids = kids
			}
			with(append(append([]*node{}, kids[:i]...), kids[i+1:]...)...)    // missing
			with(append(append([]*node{}, kids[:i+1]...), kids[i:]...)...)    // twice
			with(append(append([]*node{}, kids...), k)...)                    // again at the end
			with(append([]*node{k}, append(kids[:i:i], kids[i+1:]...)...)...) // first
			if many := make([]*node, 5); i == 0 {                             // five and six
				for j := range many {
					many[j] = k
				}
				with(append(many, kids[1:]...)...)
				with(append(append([]*node{k}, many...), kids[1:]...)...)
			}
			was := *k
			k.attrs = []xml.Attr{{Name: xml.Name{Local: "strange"}, Value: "1"}}
			out = append(out, root.String())
			k.attrs = nil
			for _, space := range []string{nsRequest, nsCommon, nsCallback, "urn:x"} {
				k.name.Space = space
				out = append(out, root.String())
			}
			*k = was
			k.name.Local += "X"
			out = append(out, root.String())
			*k = was
			extra := &node{name: was.name, text: "x"}
			extra.name.Local = "RequiresCostUpdate"
			with(append(append([]*node{}, kids[:i]...), append([]*node{extra}, kids[i:]...)...)...)
			walk(k)
		}
	}
	walk(root)
	return out
}

// xsds returns the folders that hold the contract: ours, and the published one
// where it is at hand.
func xsds(t testing.TB) (dirs []string) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("no xmllint")
	}
	for _, d := range []string{"../../../wsdl", "/work/shared/contract"} {
		if _, err := os.Stat(filepath.Join(d, "Enti2EPaywsoServiceTypes.xsd")); err == nil {
			dirs = append(dirs, d)
		}
	}
	if len(dirs) == 0 {
		t.Fatal("no contract found")
	}
	return dirs
}

// save writes each document to a file of its own, named by its index.
func save(t testing.TB, docs []string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i, d := range docs {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(d), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lint returns which of n saved documents xmllint finds valid.
func lint(t testing.TB, schema, dir string, n int) []bool {
	t.Helper()
	args := []string{"--noout", "--nonet", "--schema", schema}
	for i := range n {
		args = append(args, filepath.Join(dir, fmt.Sprint(i)))
	}
	raw, _ := exec.Command("xmllint", args...).CombinedOutput() // fails when any document does
	valid := make([]bool, n)
	said := 0
	for line := range strings.Lines(string(raw)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), dir+"/")
		if !ok {
			continue
		}
		var i int
		if n, _ := fmt.Sscanf(rest, "%d validates", &i); n == 1 && strings.HasSuffix(rest, " validates") {
			valid[i] = true
			said++
		} else if strings.HasSuffix(rest, " fails to validate") {
			said++
		}
	}
	if said != n {
		t.Fatalf("xmllint judged %d of %d documents: %.2000s", said, n, raw)
	}
	return valid
}

// TestSchemaIsTheContract compares our checks with xmllint's on a few thousand
// broken messages.
func TestSchemaIsTheContract(t *testing.T) {
	t.Parallel()
	dirs := xsds(t)
	for i, message := range full() {
		docs := mutants(t, message)
		saved := save(t, docs)
		for _, dir := range dirs {
			wrong, good := 0, 0
			for j, want := range lint(t, filepath.Join(dir, "Enti2EPaywsoServiceTypes.xsd"), saved, len(docs)) {
				root, err := parseXML([]byte(docs[j]))
				if err != nil {
					t.Fatal(err)
				}
				got := false
				if r := requestRule(root); r != nil {
					got = r.check(root) == nil
				}
				if want {
					good++
				}
				if got != want {
					if wrong++; wrong < 5 {
						t.Errorf("we say %v, xmllint %v: %v in %s", got, want, requestRule(root).check(root), docs[j])
					}
				}
			}
			t.Logf("message %d, %s: %d mutants, %d of them valid, %d judged differently", i, dir, len(docs), good, wrong)
			if good == 0 || good == len(docs) {
				t.Error("the mutants prove nothing")
			}
		}
	}
}

// FuzzParseXML checks that nothing makes the parser panic, and that what it
// accepts can be judged.
func FuzzParseXML(f *testing.F) {
	for _, s := range full() {
		f.Add([]byte(s))
	}
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`))
	f.Add([]byte(strings.Repeat("<a>", 100)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		root, err := parseXML(raw)
		if err != nil {
			return
		}
		readList(root)
		insertRule.check(root)
		updateRule.check(root)
	})
}
