package certify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Verb is what somebody is asked to do with the device.
type Verb string

// The verbs, as a script gets them.
const (
	Enrol    Verb = "enrol"     // enrol the device: server, code
	Block    Verb = "block"     // ask for a block of count codes
	Slip     Verb = "slip"      // fill in and print count slips, whatever the data
	Sync     Verb = "sync"      // let the device call the service
	Restart  Verb = "restart"   // cut the power, as suddenly as can be, and switch it on again
	Spoil    Verb = "spoil"     // report a code as spoiled, its paper unreadable
	GiveBack Verb = "give-back" // end the shift: give back what was not printed
	Refuse   Verb = "refuse"    // try to print a slip: the device is to refuse
	Shift    Verb = "shift"     // start a shift: ask for its data
	Photo    Verb = "photo"     // add a photo of at least 200 KB to the last slip
	Read     Verb = "read"      // read the office's message and confirm it
	Scan     Verb = "scan"      // read the QR code of an enrolment: its text
)

// Action is one request to the operator.
type Action struct {
	Rule   string // id of the rule it is for
	Verb   Verb
	Count  int    // of Block and Slip
	Server string // of Enrol; the text of Scan
	Code   string // of Enrol
}

// Operator has hands: a person beside the device, or a program that drives it. Do
// returns when the device has been told, not when it has finished. done is false
// if the device declined.
type Operator interface {
	Do(ctx context.Context, a Action) (done bool, err error)
}

func (a Action) sentence() string {
	switch a.Verb {
	case Enrol:
		return "Attivare il palmare sul server " + a.Server + " con il codice " + a.Code
	case Block:
		return fmt.Sprintf("Chiedere sul palmare un blocco di %d codici", a.Count)
	case Slip:
		if a.Count == 1 {
			return "Compilare e stampare un preavviso, con dati di prova"
		}
		return fmt.Sprintf("Compilare e stampare %d preavvisi, uno dopo l'altro, con dati di prova", a.Count)
	case Sync:
		return "Far collegare il palmare al servizio (sincronizza, o attendere che lo faccia da sé)"
	case Restart:
		return "Togliere l'alimentazione al palmare senza spegnerlo, poi riaccenderlo"
	case Spoil:
		return "Dichiarare rovinato un preavviso: foglio illeggibile, da annullare"
	case GiveBack:
		return "Chiudere il turno: restituire i codici non stampati"
	case Shift:
		return "Iniziare il turno sul palmare: aggiornare i dati del turno"
	case Photo:
		return "Aggiungere all'ultimo preavviso una foto di almeno 200 KB"
	case Read:
		return "Leggere sul palmare il messaggio dell'ufficio e confermarlo"
	case Scan:
		return "Leggere sul palmare il codice QR di attivazione con questo testo: " + a.Server + "  (un secondo palmare, o lo stesso: l'attivazione deve fallire)"
	case Refuse:
		return "Provare a stampare un preavviso: il palmare deve rifiutarsi"
	}
	return string(a.Verb)
}

// Terminal asks a person.
type Terminal struct {
	Out   io.Writer
	lines chan string
}

// NewTerminal returns a Terminal that reads its answers from in until it ends.
func NewTerminal(in io.Reader, out io.Writer) *Terminal {
	t := &Terminal{Out: out, lines: make(chan string)}
	go func() {
		defer close(t.lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			t.lines <- strings.TrimSpace(s.Text())
		}
	}()
	return t
}

// Do asks, and waits for the answer.
func (t *Terminal) Do(ctx context.Context, a Action) (bool, error) {
	question := "INVIO quando è fatto, n se il palmare non lo permette: "
	if a.Verb == Refuse {
		question = "Il palmare ha stampato? s oppure n: "
	}
	for {
		if _, err := fmt.Fprintf(t.Out, "\n▶ [%s] %s.\n  %s", a.Rule, a.sentence(), question); err != nil {
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case line, ok := <-t.lines:
			if !ok {
				return false, errors.New("the terminal was closed before the end")
			}
			switch strings.ToLower(line) {
			case "":
				if a.Verb != Refuse {
					return true, nil
				}
			case "s", "sì", "si":
				return true, nil
			case "n", "no":
				return false, nil
			}
		}
	}
}

// declined is the exit status of a script whose device declined.
const declined = 3

// Script runs a program for every action: its arguments are the verb and what goes
// with it (enrol SERVER CODE, block N, slip N, scan TEXT), the rule is in the variable
// PREAVVISO_CERTIFY_RULE. It exits with 0 when the device has been told, with 3 if
// the device declined.
type Script struct {
	Program string
	Out     io.Writer // what the program writes
}

// Do runs the program.
func (s Script) Do(ctx context.Context, a Action) (bool, error) {
	args := []string{string(a.Verb)}
	switch a.Verb {
	case Enrol:
		args = append(args, a.Server, a.Code)
	case Scan:
		args = append(args, a.Server)
	case Block, Slip:
		args = append(args, strconv.Itoa(a.Count))
	}
	cmd := exec.CommandContext(ctx, s.Program, args...)
	cmd.Env = append(os.Environ(), "PREAVVISO_CERTIFY_RULE="+a.Rule)
	cmd.Stdout, cmd.Stderr = s.Out, s.Out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == declined {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("the script, asked to %s: %w", a.Verb, err)
	}
	return true, nil
}
