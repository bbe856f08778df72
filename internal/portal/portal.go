// Package portal reads and writes the files of the PiemontePAY portal, where an
// operator without a SOAP integration loads lists of positions by hand, and from
// which anybody can take the numbers that an esito failed to bring.
//
// # What is known, and what is not
//
// The list that is loaded is «Template_lista_carico_v2.9.csv» of the region's
// source, and its reader is GestioneFlussiBusinessImpl.inserisciListadicarico
// (regione-piemonte/piemontepay, commit c76c243): 52 columns whatever their names,
// a heading that is skipped, semicolons, ISO-8859-1, no field of two lines, and
// amounts without a point. It has no column for IdPosizioneDebitoria, which the
// portal makes by itself; so our position travels as the value of the first
// riferimento, and comes back there.
//
// The export («scarica lista di carico») has the columns that the region has
// configured for the creditor, under titles of its choice: which ones can be there
// is known (CampoFlussoEnum), what they are called is not. So they are looked for
// by name, leniently, and our position in every cell that may hold it.
package portal

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// MaxRows is how many rows a file may have: four lists of the size that
// PiemontePAY takes.
const MaxRows = 4 * multe.MaxBatch

// maxFile bounds an export: MaxRows of its widest rows.
const maxFile = 4 << 20

// ReferenceName names, on the portal, the riferimento that carries our position
// until the code is printed; then the slip's own takes its place.
const ReferenceName = "Codice"

// columns are those of the template, in order; example is what they hold for a
// code in advance. Every one is written, for the reader asks for the empty column
// of the company of a natural person.
var columns = []struct{ title, value string }{
	{"Anno di riferimento", ""},
	{"Importo totale da pagare", "0"},
	{"Data scadenza", ""},
	{"Descrizione causale versamento", "{causale}"},
	{"Descrizione rata", ""},
	{"Importo componente 1", ""}, {"Causale componente 1", ""}, {"Anno accertamento (componente 1)", ""}, {"Numero accertamento (componente 1)", ""},
	{"Importo componente 2", ""}, {"Causale componente 2", ""}, {"Anno accertamento (componente 2)", ""}, {"Numero accertamento (componente 2)", ""},
	{"Importo componente 3", ""}, {"Causale componente 3", ""}, {"Anno accertamento (componente 3)", ""}, {"Numero accertamento (componente 3)", ""},
	{"Importo componente 4", ""}, {"Causale componente 4", ""}, {"Anno accertamento (componente 4)", ""}, {"Numero accertamento (componente 4)", ""},
	{"Importo componente 5", ""}, {"Causale componente 5", ""}, {"Anno accertamento (componente 5)", ""}, {"Numero accertamento (componente 5)", ""},
	{"Nome (riferimento pagamento 1)", ReferenceName}, {"Valore (riferimento pagamento 1)", "{position}"},
	{"Nome (riferimento pagamento 2)", ""}, {"Valore (riferimento pagamento 2)", ""},
	{"Nome (riferimento pagamento 3)", ""}, {"Valore (riferimento pagamento 3)", ""},
	{"Nome (riferimento pagamento 4)", ""}, {"Valore (riferimento pagamento 4)", ""},
	{"Nome (riferimento pagamento 5)", ""}, {"Valore (riferimento pagamento 5)", ""},
	{"Tipo soggetto debitore", "F"}, // a company that is ANONIMO can never get a debtor
	{"Codice fiscale o Partita Iva del soggetto debitore", "ANONIMO"},
	{"Cognome soggetto debitore", "ANONIMO"},
	{"Nome soggetto debitore", "ANONIMO"},
	{"Ragione sociale soggetto debitore", ""},
	{"Indirizzo debitore", ""}, {"Civico debitore", ""}, {"CAP debitore", ""}, {"Localita debitore", ""}, {"Provincia debitore", ""},
	{"Nazione debitore", "IT"}, // optional in the template, but the reader fails without it
	{"email debitore", ""},
	{"Note per il pagatore", ""},
	{"Importo totale principale", ""}, {"Importo totale secondario", ""},
	{"Importo componente secondario", ""}, {"Causale componente secondario", ""},
}

// List returns the file that asks the portal for codes, one for each position.
func List(positions []multe.PositionID, causale multe.Causale) []byte {
	var out bytes.Buffer
	row := func(cell func(i int) string) {
		for i := range columns {
			if i > 0 {
				out.WriteByte(';')
			}
			out.WriteString(cell(i))
		}
		out.WriteString("\r\n")
	}
	row(func(i int) string { return columns[i].title })
	for _, p := range positions {
		// A position is hex and a causale holds no semicolon: nothing needs quoting.
		fill := strings.NewReplacer("{position}", string(p), "{causale}", string(causale))
		row(func(i int) string { return fill.Replace(columns[i].value) })
	}
	return out.Bytes()
}

// The titles under which a column is looked for, without case, spaces and signs.
var (
	avvisoTitles = []string{"codiceavviso", "codavviso", "numeroavviso", "codiceavvisopagamento", "codiceavvisodipagamento"}
	iuvTitles    = []string{"iuv", "codiceiuv", "identificativounivocoversamento"}
	idTitles     = []string{"idposizionedebitoria", "posizionedebitoriaesterna", "idposizionedebitoriaesterna", "posizionedebitoria",
		"identificativoposizionedebitoria", "idposizione"}
)

// RowError is a row that says nothing usable.
type RowError struct {
	Line   int    // in the file, from 1
	Detail string // in Italian
}

// Read reads the portal's export. Rows that name no position of ours are left out:
// a list may hold others. An error says that the file is not such an export.
func Read(file []byte) ([]multe.Found, []RowError, error) {
	bad := func(detail string, err error) ([]multe.Found, []RowError, error) {
		return nil, nil, fault.Wrap(fault.Invalid, "portal.bad_file", detail, err)
	}
	if len(file) > maxFile {
		return bad("Il file supera i 4 MB: non è un elenco del portale.", nil)
	}
	text := strings.TrimPrefix(decode(file), "\ufeff")
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = ';', -1, true, true
	if first, _, _ := strings.Cut(text, "\n"); strings.Count(first, ",") > strings.Count(first, ";") {
		r.Comma = ',' // saved again by a spreadsheet
	}
	titles, err := r.Read()
	if err != nil {
		return bad("Il file è vuoto o non è un CSV.", err)
	}
	number, iuv, id := find(titles, avvisoTitles), find(titles, iuvTitles), find(titles, idTitles)
	if number < 0 && iuv < 0 {
		return bad("Nel file mancano le colonne «Codice avviso» e «IUV»: scaricare dal portale l'elenco con gli IUV.", nil)
	}
	var (
		found []multe.Found
		wrong []RowError
	)
	for rows := 0; ; rows++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return found, wrong, nil
		}
		if err != nil {
			return bad("Il file non è un CSV leggibile.", err)
		}
		if rows == MaxRows {
			return bad(fmt.Sprintf("Il file ha più di %d righe: dividerlo.", MaxRows), nil)
		}
		line, _ := r.FieldPos(0)
		f := multe.Found{Line: line, Position: ours(cells)}
		if f.Position == "" {
			continue
		}
		if up := cell(cells, id); up != string(f.Position) && utf8.RuneCountInString(up) <= maxUpstreamID {
			f.Upstream = up
		}
		n, err := numberOf(cell(cells, number), cell(cells, iuv))
		if err != nil {
			wrong = append(wrong, RowError{Line: line, Detail: "Il codice avviso o lo IUV manca, non è corretto o non corrispondono tra loro: la posizione non è stata creata oppure il file è stato modificato."})
			continue
		}
		f.Number = n
		found = append(found, f)
	}
}

// maxUpstreamID is IdPosizioneDebitoria of the XSD.
const maxUpstreamID = 50

// ours returns the position of ours that a row names in any cell.
func ours(cells []string) multe.PositionID {
	for _, c := range cells {
		if c = strings.TrimSpace(c); multe.ValidID(c) {
			return multe.PositionID(c)
		}
	}
	return ""
}

// numberOf reads the codice avviso, or makes it of the IUV: 17 digits are all but
// the aux digit, which is always 3 here (piemontepay.md §7.1).
func numberOf(number, iuv string) (avviso.Number, error) {
	// A spreadsheet keeps digits as text behind an apostrophe.
	number, iuv = strings.Trim(number, "'=\" "), strings.Trim(iuv, "'=\" ")
	if number == "" && len(iuv) == 17 {
		number = "3" + iuv
	}
	n, err := avviso.ParseNumber(number)
	if err == nil && iuv != "" && n.IUV() != iuv {
		err = errors.New("number and IUV differ")
	}
	return n, err
}

func cell(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[i])
}

func find(titles, wanted []string) int {
	for i, t := range titles {
		plain := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, t)
		for _, w := range wanted {
			if plain == w {
				return i
			}
		}
	}
	return -1
}

// decode reads UTF-8, or else ISO-8859-1, which is what the portal writes.
func decode(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// Instructions tells the operator what the portal will ask for beside the file.
func Instructions(count int) string {
	return "Sul portale PiemontePAY caricare il file come nuova lista di carico (formato CSV), indicando " + strconv.Itoa(count) +
		" posizioni debitorie e importo totale 0,00; come fine validità una data lontana, per esempio di dieci anni. Quando la lista è elaborata, scaricarla con gli IUV e importarla con «preavviso import iuv»."
}
