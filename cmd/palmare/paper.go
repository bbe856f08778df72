package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"preavviso/firmware-api/client"
)

// paperDir is where slips are "printed", below the device's folder: what is in it
// survives the app, as paper does. A slip is ID.json for programs and ID.txt for
// people: what a printer with a font of its own puts on 80 mm, without a network.
// ID.escpos, if somebody asked for it, is what the service draws.
const paperDir = "carta"

// columns is how many characters a head of 203 dpi puts on 80 mm in its larger font.
const columns = 42

// slip is what is printed of a slip.
type slip struct {
	ID, Avviso, Plate, Nation, Vehicle, Place, Warden string
	IssuedAt                                          time.Time `json:"issued_at"`
	Violation                                         struct{ Norm, Conduct string }
	Full                                              struct{ Avviso string }
	Steps                                             []struct {
		Cents   int64
		LastDay string `json:"last_day"`
	}
}

// creditor is who gets the money.
type creditor struct{ CF, Name string }

// letterhead is what a slip says for every violation: the creditor and its words.
func letterhead(d *client.Device) (creditor, map[string]string, error) {
	var e struct{ Creditor creditor }
	var s struct{ Texts map[string]string }
	if err := json.Unmarshal([]byte(d.Enrolled()), &e); err != nil {
		return creditor{}, nil, err
	}
	if text := d.Shift(); text != "" {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return creditor{}, nil, err
		}
	}
	return e.Creditor, s.Texts, nil
}

// printSlip puts a slip on paper. Paper that is there stays as it is, and must say
// the same.
func printSlip(d *client.Device, paper, text string) (path, id string, err error) {
	var s slip
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(paper, 0o700); err != nil {
		return "", "", err
	}
	path = filepath.Join(paper, s.ID+".json")
	if old, err := os.ReadFile(path); err == nil {
		if string(old) != text {
			return "", "", fmt.Errorf("%s says something else", path)
		}
		return path, s.ID, nil
	}
	c, words, err := letterhead(d)
	if err != nil {
		return "", "", err
	}
	if err := os.WriteFile(filepath.Join(paper, s.ID+".txt"), []byte(s.text(c, words)), 0o600); err != nil {
		return "", "", err
	}
	return path, s.ID, os.WriteFile(path, []byte(text), 0o600)
}

// text is the slip as a printer with its own font shows it. words are those of the
// shift; a town that has none yet gets these.
func (s slip) text(c creditor, words map[string]string) string {
	word := func(key, otherwise string) string {
		if w := words[key]; w != "" {
			return w
		}
		return otherwise
	}
	var b strings.Builder
	line := func(text string) { b.WriteString(wrap(text, columns) + "\n") }
	line(strings.ToUpper(c.Name))
	line(word("title", "PREAVVISO DI VIOLAZIONE"))
	line("")
	line(word("date", "Data e ora") + ": " + s.IssuedAt.In(rome()).Format("02/01/2006 15:04"))
	line(word("place", "Luogo") + ": " + s.Place)
	line(word("plate", "Targa") + ": " + s.Plate + " (" + s.Nation + ")")
	if s.Vehicle != "" {
		line(word("vehicle", "Veicolo") + ": " + s.Vehicle)
	}
	line(word("norm", "Norma") + ": " + s.Violation.Norm)
	line(s.Violation.Conduct)
	line(word("warden", "Agente (matricola)") + ": " + s.Warden)
	line("")
	line(word("how_much", "QUANTO E QUANDO PAGARE"))
	for _, step := range s.Steps {
		text := euro(step.Cents)
		if day, err := time.Parse(time.DateOnly, step.LastDay); err == nil {
			text += " " + strings.ReplaceAll(word("by", "entro il {data}"), "{data}", day.Format("02/01/2006"))
		}
		line(text)
	}
	// One code is worth what is due today; with two the second is worth what is due
	// after the discount.
	codes := []string{s.Avviso}
	if s.Full.Avviso != "" {
		codes = append(codes, s.Full.Avviso)
	}
	for i, number := range codes {
		if i >= len(s.Steps) {
			break
		}
		line("")
		line(word("code", "Codice avviso") + ":")
		line(grouped(number) + " " + euro(s.Steps[i].Cents))
		line(word("creditor_cf", "Cod. fiscale ente") + ": " + c.CF)
		line("[QR]")
		line(client.QR(number, c.CF, s.Steps[i].Cents)) // in place of the symbol, which is a printer's command
	}
	for _, key := range []string{"amounts", "where", "unpaid", "appeal"} {
		if words[key] != "" {
			line("")
			line(words[key])
		}
	}
	return b.String()
}

func euro(cents int64) string { return fmt.Sprintf("€ %d,%02d", cents/100, cents%100) }

// grouped is a number as people read it aloud.
func grouped(number string) string {
	var parts []string
	for len(number) > 4 {
		parts, number = append(parts, number[:4]), number[4:]
	}
	return strings.Join(append(parts, number), " ")
}

// wrap breaks a text between words.
func wrap(text string, width int) string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return strings.Join(append(lines, line), "\n")
}

// printerBytes asks the service to draw a slip that it has, for an ESC/POS printer
// of 80 mm, and keeps the bytes beside the paper.
func printerBytes(d *client.Device, paper, id string, reprint bool) (string, error) {
	b, err := d.SlipBytes(id, "escpos", 80, 203, reprint)
	if err != nil {
		return "", err
	}
	path := filepath.Join(paper, id+".escpos")
	return path, os.WriteFile(path, b, 0o600)
}
