package exports

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"preavviso/internal/multe"
)

// The headers of the files. New columns are added at the end.
var (
	lookupColumns = []string{"elenco", "aggiornato_al", "id", "preavviso", "targa", "nazione", "veicolo", "data", "ora", "luogo"}
	notifyColumns = append(lookupColumns[:len(lookupColumns):len(lookupColumns)], "registro", "codice_avviso", "norma", "fatto", "agente", "causale", "importo_dovuto", "importo_versato",
		"cognome", "nome", "ragione_sociale", "codice_fiscale", "indirizzo", "civico", "cap", "comune", "provincia", "stato", "email")
)

// WriteCSV writes a list as a spreadsheet in Italian expects it: UTF-8 with a byte
// order mark, semicolons, a decimal comma, days and hours of Rome. A text that a
// spreadsheet would take for a formula gets an apostrophe. Every row says to which
// list it belongs, and that all money known until then is taken into account.
func WriteCSV(w io.Writer, x multe.Export, rows []Row) error {
	b := bufio.NewWriter(w)
	_, _ = b.WriteString("\ufeff") // a failure stays, and Flush tells it
	c := csv.NewWriter(b)
	c.Comma, c.UseCRLF = ';', true
	columns := lookupColumns
	if x.Kind == multe.ExportNotify {
		columns = notifyColumns
	}
	_ = c.Write(columns) // likewise
	for _, r := range rows {
		at := r.At.In(multe.Rome())
		line := []string{string(x.ID), x.At.In(multe.Rome()).Format("2006-01-02 15:04:05"), string(r.Verbale), r.Reference, r.Plate, r.Nation, r.Vehicle,
			at.Format("2006-01-02"), at.Format("15:04"), r.Place}
		if x.Kind == multe.ExportNotify {
			d := r.Debtor
			if d == nil {
				d = &multe.Debtor{}
			}
			line = append(line, r.Register, r.Avviso, r.Norm, r.Conduct, r.Warden, r.Causale, comma(r.Due), comma(r.Paid),
				d.Surname, d.Name, d.Company, string(d.CF), d.Address, d.Civico, d.CAP, d.City, d.Province, d.Nation, d.Email)
		}
		for i, cell := range line {
			line[i] = harmless(cell)
		}
		_ = c.Write(line)
	}
	c.Flush()
	if err := errors.Join(c.Error(), b.Flush()); err != nil {
		return fmt.Errorf("writing a list: %w", err)
	}
	return nil
}

// comma writes an amount with a decimal comma and no grouping.
func comma(c multe.Cents) string { return strings.Replace(c.Decimal(), ".", ",", 1) }

// harmless keeps a spreadsheet from running a text as a formula (OWASP, CSV
// injection). Control characters, which can hide the first sign, become spaces.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if t := strings.TrimLeft(s, " \u00a0"); t != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(t)[0]) {
		return "'" + s
	}
	return s
}
