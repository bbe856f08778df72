package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"preavviso/firmware-api/client"
)

const (
	// fewCodes is when the app borrows more, while there is a network.
	fewCodes = 10
	// lookEvery is how often it calls the service by itself.
	lookEvery = time.Minute
	// maxChoices is how many violations fit a small screen.
	maxChoices = 9
)

const menu = `
p preavviso   f foto   g foglio guasto   b byte per la stampante
s sincronizza n novità c codici          x fine turno   q esci`

// handheld is the app in a warden's hands. Questions never wait for the network:
// what needs it is done behind, and what it tells is shown between two questions.
type handheld struct {
	o      options
	d      *client.Device
	in     *bufio.Scanner
	out    io.Writer
	warden string
	last   slip // printed last

	wake, stop chan struct{}
	calls      sync.Mutex // one look at the service at a time

	mu       sync.Mutex // guards what follows
	trouble  error      // of the last look; nil: the service answered
	news     []string
	known    map[string]string // status by slip
	messages []message
	home     bool // the shift is over: no more codes are borrowed
}

type message struct{ ID, Text string }

// errEnd is the end of the input: the app ends as if it was told to.
var errEnd = errors.New("fine dell'input")

// app lets a person use the handheld.
func app(o options, w io.Writer) error {
	h := &handheld{o: o, in: bufio.NewScanner(o.in), out: w, wake: make(chan struct{}, 1), stop: make(chan struct{}), known: map[string]string{}}
	err := h.run()
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

func (h *handheld) run() (err error) {
	if h.d, err = h.activate(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.d.Close()) }()
	// Who switches off does not wait for pauses between two attempts.
	h.d.SetSleep(func(p time.Duration) {
		select {
		case <-h.stop:
		case <-time.After(p):
		}
	})
	if h.d.Shift() == "" {
		h.look() // nothing works without; later nobody waits
	} else {
		h.nudge()
	}
	var behind sync.WaitGroup
	behind.Go(h.keepLooking)
	defer behind.Wait()
	defer close(h.stop)
	if err := h.login(); err != nil {
		return err
	}
	if err := h.settle(); err != nil {
		return err
	}
	return h.work()
}

func (h *handheld) say(format string, args ...any) { fmt.Fprintf(h.out, format+"\n", args...) }

// ask returns an answer without the space around it.
func (h *handheld) ask(question string) (string, error) {
	fmt.Fprint(h.out, question+" ")
	if !h.in.Scan() {
		fmt.Fprintln(h.out)
		return "", errors.Join(errEnd, h.in.Err())
	}
	return strings.TrimSpace(h.in.Text()), nil
}

// yes asks until the answer is one.
func (h *handheld) yes(question string) (bool, error) {
	for {
		answer, err := h.ask(question + " (s/n)")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "s", "sì", "si":
			return true, nil
		case "n", "no":
			return false, nil
		}
		h.say("Rispondere s oppure n.")
	}
}

// activate opens the device, and enrols it if it is new.
func (h *handheld) activate() (*client.Device, error) {
	if d, err := open(h.o); err == nil {
		if d.Enrolled() != "" {
			return d, nil
		}
		if err := d.Close(); err != nil {
			return nil, err
		}
	}
	h.say("Questo palmare non è attivo.")
	for {
		o := h.o
		var err error
		if o.qr, err = h.ask("Testo del codice QR dell'ufficio:"); err != nil {
			return nil, err
		}
		if o, err = readQR(o); err != nil {
			h.say("Non è un codice di attivazione: comincia con «preavviso:enrol?». Inquadrare di nuovo il codice, o copiarlo per intero.")
			continue
		}
		if err := keepServer(o); err != nil {
			return nil, err
		}
		d, err := open(o)
		if err != nil {
			return nil, err
		}
		if err := d.Enrol(o.code); err != nil {
			h.say("Attivazione non riuscita: %s", said(err))
			if err := d.Close(); err != nil {
				return nil, err
			}
			continue
		}
		var e struct {
			Name     string
			Creditor creditor
		}
		if err := json.Unmarshal([]byte(d.Enrolled()), &e); err != nil {
			return nil, errors.Join(err, d.Close())
		}
		h.say("%s è attivo per %s.", e.Name, e.Creditor.Name)
		return d, nil
	}
}

// login asks who holds the handheld.
func (h *handheld) login() error {
	for {
		matricola, err := h.ask("Matricola:")
		if err != nil {
			return err
		}
		if matricola == "" || len(matricola) > 20 {
			h.say("La matricola ha da 1 a 20 caratteri.")
			continue
		}
		if h.d.Wardens() == 0 {
			h.say("L'ente non ha dato l'elenco degli agenti: la matricola non è controllata.")
			h.warden = matricola
			return nil
		}
		pin, err := h.ask("PIN:")
		if err != nil {
			return err
		}
		name, err := h.d.Login(matricola, pin)
		switch {
		case errors.Is(err, client.ErrPIN):
			h.say("Matricola o PIN non corretti.")
		case errors.Is(err, client.ErrLocked):
			h.say("Troppi PIN sbagliati: attendere qualche minuto.")
		case err != nil:
			return err
		default:
			h.say("Buon lavoro, %s.", name)
			h.warden = matricola
			return nil
		}
	}
}

// settle asks about what an interruption left open.
func (h *handheld) settle() error {
	for text := h.d.Unsure(); text != ""; text = h.d.Unsure() {
		var s slip
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return err
		}
		h.say("Il palmare si è spento mentre stampava il preavviso per %s, %s.", s.Plate, s.Place)
		there, err := h.yes("Il foglio è uscito?")
		if err != nil {
			return err
		}
		_, id, err := printSlip(h.d, h.paper(), text)
		if err != nil {
			return err
		}
		if !there {
			h.say("Stampato di nuovo lo stesso foglio.")
		}
		if err := h.d.Printed(id); err != nil {
			return err
		}
	}
	suspects := h.d.Count("suspect")
	if suspects == 0 {
		return nil
	}
	h.say("%d codici sono di una installazione precedente: possono essere su fogli già consegnati.", suspects)
	report, err := h.yes("Segnalarli all'ufficio?")
	if err != nil || !report {
		return err
	}
	codes, err := h.codes()
	if err != nil {
		return err
	}
	for _, k := range codes {
		if k.State == "suspect" {
			if err := h.d.Spoil(k.Position, "unknown"); err != nil {
				return err
			}
		}
	}
	h.nudge()
	return nil
}

func (h *handheld) paper() string { return filepath.Join(h.o.dir, paperDir) }

type held struct{ Position, Avviso, State string }

func (h *handheld) codes() (list []held, err error) {
	return list, json.Unmarshal([]byte(h.d.Codes()), &list)
}

// work is the menu.
func (h *handheld) work() error {
	for {
		h.tell()
		h.say(menu)
		choice, err := h.ask("▶")
		if err != nil {
			return err
		}
		ended := false
		switch strings.ToLower(choice) {
		case "p":
			err = h.issue()
		case "f":
			err = h.photo()
		case "g":
			err = h.spoil()
		case "b":
			err = h.bytes()
		case "s":
			h.look()
		case "n":
			err = h.hear()
		case "c":
			err = show(h.d, h.out)
		case "x":
			ended, err = h.goHome()
		case "q":
			ended = true
		case "":
		default:
			h.say("Scelta sconosciuta: %q.", choice)
		}
		if err != nil || ended {
			return err
		}
	}
}

// tell shows what came in meanwhile.
func (h *handheld) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.news {
		h.say("• %s", n)
	}
	h.news = nil
	line := fmt.Sprintf("%d codici, %d da trasmettere", h.d.Count("free"), h.d.Count("printed"))
	if h.trouble != nil {
		line += "; servizio non raggiunto: " + said(h.trouble)
	}
	if h.d.ShiftOld() {
		line += "; i dati del turno possono essere vecchi: controllare gli importi"
	}
	if n := len(h.messages); n > 0 {
		line += fmt.Sprintf("; %d messaggi da leggere (n)", n)
	}
	h.say("[%s]", line)
}

// revoked reports whether the service does not know this handheld any more.
func (h *handheld) revoked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	no, ok := errors.AsType[*client.Refusal](h.trouble)
	return ok && (no.Code == "auth.unknown_key" || no.Code == "auth.bad_token")
}

// vehicles are the classes of the catalogue.
var vehicles = map[string]string{"": "other", "1": "other", "2": "two-wheeler"}

var nationForm = regexp.MustCompile(`^[A-Z]{2}$`)

// issue fills in a slip and prints it.
func (h *handheld) issue() error {
	if h.revoked() {
		h.say("Il palmare è stato revocato: non si stampa. Ciò che è stampato resta qui: consegnarlo all'ufficio.")
		return nil
	}
	plate, err := h.ask("Targa (vuoto: annulla):")
	if err != nil || plate == "" {
		return err
	}
	if len(plate) < 2 || len(plate) > 20 {
		h.say("La targa ha da 2 a 12 lettere e cifre.")
		return nil
	}
	nation, err := h.ask("Nazione [IT]:")
	if err != nil {
		return err
	}
	if nation = strings.ToUpper(nation); nation == "" {
		nation = "IT"
	}
	if !nationForm.MatchString(nation) {
		h.say("La nazione è la sigla di due lettere: IT, FR, DE, RO.")
		return nil
	}
	class, err := h.ask("Veicolo: 1 auto o altro, 2 due ruote [1]:")
	if err != nil {
		return err
	}
	if vehicles[class] == "" {
		h.say("Rispondere 1 oppure 2.")
		return nil
	}
	place, err := h.ask("Luogo:")
	if err != nil {
		return err
	}
	if place == "" || len(place) > 140 {
		h.say("Il luogo ha da 1 a 140 caratteri.")
		return nil
	}
	if h.d.Seen(plate, place) {
		h.say("ATTENZIONE: questa targa può avere già un preavviso di questa via nelle ultime 24 ore. Guardare il parabrezza.")
		if on, err := h.yes("Continuare?"); err != nil || !on {
			return err
		}
	}
	entered := map[string]any{"plate": plate, "nation": nation, "vehicle_class": vehicles[class], "place": place, "warden": h.warden, "offline": h.offline() != ""}
	if why := h.offline(); why != "" {
		entered["offline_reason"] = why
	}
	text, err := h.violation(entered)
	if err != nil || text == "" {
		return err
	}
	var s slip
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	h.say("%s (%s), %s\n%s: %s", s.Plate, s.Nation, s.Place, s.Violation.Norm, s.Violation.Conduct)
	for _, step := range s.Steps {
		h.say("%s %s", euro(step.Cents), step.LastDay)
	}
	if on, err := h.yes("Stampare?"); err != nil || !on {
		return err
	}
	return h.print(text)
}

// print puts a slip on paper.
func (h *handheld) print(draft string) error {
	text, err := h.d.Issue(draft)
	if err != nil {
		h.say("Non si può stampare: %s.", said(err))
		return nil
	}
	path, id, err := printSlip(h.d, h.paper(), text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), &h.last); err != nil {
		return err
	}
	h.say("Stampato %s", strings.TrimSuffix(path, ".json")+".txt")
	good, err := h.yes("Il foglio è leggibile?")
	if err != nil {
		return err
	}
	if !good { // never Printed: it is not to be uploaded
		return h.spoil()
	}
	if err := h.d.Printed(id); err != nil {
		return err
	}
	h.nudge()
	return nil
}

// offline is why there is no answer; "" if there is.
func (h *handheld) offline() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, answered := errors.AsType[*client.Refusal](h.trouble); h.trouble != nil && !answered {
		return "no_answer"
	}
	return ""
}

type violation struct{ Code, Norm, Text string }

// violation lets the warden choose from the catalogue, and returns the draft with its
// amounts; "" if it came to nothing.
func (h *handheld) violation(entered map[string]any) (string, error) {
	var shift struct {
		Catalogue struct{ Violations []violation }
	}
	if text := h.d.Shift(); text != "" {
		if err := json.Unmarshal([]byte(text), &shift); err != nil {
			return "", err
		}
	}
	list := shift.Catalogue.Violations
	if len(list) == 0 {
		return h.byHand(entered)
	}
	search, err := h.ask("Violazione (codice o parole):")
	if err != nil {
		return "", err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(v violation) bool {
		return !strings.Contains(strings.ToLower(v.Code+" "+v.Norm+" "+v.Text), strings.ToLower(search))
	})
	if i := slices.IndexFunc(list, func(v violation) bool { return strings.EqualFold(v.Code, search) }); i >= 0 {
		list = list[i : i+1]
	}
	if len(list) == 0 {
		h.say("Nessuna violazione del catalogo corrisponde a %q.", search)
		return "", nil
	}
	if len(list) > maxChoices {
		h.say("%d violazioni: ecco le prime %d; per le altre cercare con più parole.", len(list), maxChoices)
		list = list[:maxChoices]
	}
	chosen := 1
	if len(list) > 1 {
		for i, v := range list {
			h.say("%d  %s  %s", i+1, v.Code, v.Text)
		}
		answer, err := h.ask("Numero:")
		if err != nil {
			return "", err
		}
		if chosen, err = strconv.Atoi(answer); err != nil || chosen < 1 || chosen > len(list) {
			h.say("Serve un numero da 1 a %d.", len(list))
			return "", nil
		}
	}
	entered["violation"] = map[string]string{"code": list[chosen-1].Code}
	text, err := json.Marshal(entered)
	if err != nil {
		return "", err
	}
	priced, err := h.d.Price(string(text))
	if err != nil {
		h.say("Non si può stampare: %s.", said(err))
		return "", nil
	}
	return priced, nil
}

var euroForm = regexp.MustCompile(`^([0-9]{1,5})(?:,([0-9]{2}))?$`)

// byHand is for a town that has given no catalogue.
func (h *handheld) byHand(entered map[string]any) (string, error) {
	h.say("L'ente non ha dato il catalogo: scrivere norma e importo.")
	norm, err := h.ask("Norma:")
	if err != nil {
		return "", err
	}
	conduct, err := h.ask("Condotta:")
	if err != nil {
		return "", err
	}
	amount, err := h.ask("Importo in euro (es. 42,00):")
	if err != nil {
		return "", err
	}
	m := euroForm.FindStringSubmatch(amount)
	if m == nil || norm == "" || conduct == "" {
		h.say("Servono norma, condotta e un importo come 42,00.")
		return "", nil
	}
	cents, err := strconv.ParseInt(m[1]+(m[2] + "00")[:2], 10, 64)
	if err != nil || cents == 0 {
		h.say("L'importo deve essere maggiore di zero.")
		return "", nil
	}
	entered["violation"] = map[string]string{"norm": norm, "conduct": conduct}
	entered["steps"] = []map[string]any{{"cents": cents}}
	text, err := json.Marshal(entered)
	return string(text), err
}

// photo adds a photo to the last slip.
func (h *handheld) photo() error {
	if h.last.ID == "" {
		h.say("Prima si stampa un preavviso.")
		return nil
	}
	path, err := h.ask("File JPEG della foto (vuoto: annulla):")
	if err != nil || path == "" {
		return err
	}
	file, err := os.ReadFile(path)
	if err != nil {
		h.say("Il file non si può leggere: %v", err)
		return nil
	}
	if !strings.HasPrefix(string(file), "\xff\xd8") {
		h.say("Il file non è una foto JPEG.")
		return nil
	}
	if _, err := h.d.AddPhoto(h.last.ID, file); err != nil {
		h.say("La foto non è stata presa: %s.", said(err))
		return nil
	}
	h.say("Foto del preavviso per %s: sarà trasmessa.", h.last.Plate)
	h.nudge()
	return nil
}

// spoil reports the last slip as unreadable.
func (h *handheld) spoil() error {
	codes, err := h.codes()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(codes, func(k held) bool { return k.Avviso == h.last.Avviso && h.last.ID != "" })
	if i < 0 || codes[i].State != "printing" && codes[i].State != "printed" {
		h.say("L'ultimo preavviso è già trasmesso, o non c'è: per annullarlo rivolgersi all'ufficio.")
		return nil
	}
	if err := h.d.Spoil(codes[i].Position, "unreadable"); err != nil {
		h.say("Non segnalato: %s.", said(err))
		return nil
	}
	h.say("Codice %s segnalato come rovinato: non sarà usato. Compilare un altro preavviso.", grouped(h.last.Avviso))
	h.nudge()
	return nil
}

// bytes fetches what a printer of another maker needs.
func (h *handheld) bytes() error {
	if h.last.ID == "" {
		h.say("Prima si stampa un preavviso.")
		return nil
	}
	path, err := printerBytes(h.d, h.paper(), h.last.ID, true)
	if err != nil {
		h.say("Il servizio non ha dato i byte: %s.", said(err))
		return nil
	}
	h.say("Byte per la stampante in %s", path)
	return nil
}

// hear shows the office's messages.
func (h *handheld) hear() error {
	h.look()
	h.tell()
	h.mu.Lock()
	list := slices.Clone(h.messages)
	h.mu.Unlock()
	if len(list) == 0 {
		h.say("Nessun messaggio da leggere.")
	}
	for _, m := range list {
		h.say("Messaggio dell'ufficio: %s", m.Text)
		read, err := h.yes("Letto?")
		if err != nil {
			return err
		}
		if !read {
			continue
		}
		if err := h.d.Confirm(m.ID); err != nil {
			h.say("La conferma non è arrivata: sarà chiesta di nuovo (%s).", said(err))
			continue
		}
		h.mu.Lock()
		h.messages = slices.DeleteFunc(h.messages, func(other message) bool { return other.ID == m.ID })
		h.mu.Unlock()
	}
	return nil
}

// goHome ends the shift.
func (h *handheld) goHome() (bool, error) {
	sure, err := h.yes("Chiudere il turno e restituire i codici non stampati?")
	if err != nil || !sure {
		return false, err
	}
	h.mu.Lock()
	h.home = true
	h.mu.Unlock()
	h.calls.Lock() // a block on its way comes first, so that it goes back too
	n, err := h.d.GiveBack()
	h.calls.Unlock()
	if err != nil {
		return false, err
	}
	h.sync()
	h.tell()
	if left := h.d.Count("printed") + h.d.Count("returning") + h.d.Count("spoiling"); left > 0 {
		h.say("Restano %d cose da trasmettere: riaprire l'app dove c'è rete.", left)
		return true, nil
	}
	h.say("Turno chiuso: %d codici restituiti, %d preavvisi trasmessi.", n, h.d.Sent())
	return true, nil
}

// nudge has the service called soon.
func (h *handheld) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *handheld) keepLooking() {
	for {
		select {
		case <-h.stop:
			return
		case <-h.wake:
		case <-time.After(lookEvery):
		}
		h.look()
	}
}

// look does all that needs a network, and borrows codes before they are needed.
func (h *handheld) look() {
	if !h.sync() {
		return
	}
	h.calls.Lock()
	defer h.calls.Unlock()
	h.mu.Lock()
	home := h.home
	h.mu.Unlock()
	if h.d.Count("free") < fewCodes && !home {
		if _, err := h.d.Lease(0); err != nil {
			h.note("Altri codici non sono arrivati: " + said(err) + ".")
		}
	}
}

// sync tells the service what it does not know, and hears what is new. It reports
// whether the service answered.
func (h *handheld) sync() bool {
	h.calls.Lock()
	defer h.calls.Unlock()
	err := h.d.Sync()
	if err == nil {
		_, err = h.d.SyncShift()
	}
	if err == nil {
		err = h.d.Hear(h.page)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = err
	return err == nil
}

func (h *handheld) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news = append(h.news, text)
}

// statuses are what became of a slip, in words.
var statuses = map[string]string{
	"queued": "trasmesso, non ancora pagabile", "payable": "pagabile", "paid": "pagato", "cancelled": "annullato dall'ufficio", "refused": "non pagabile: ci pensa l'ufficio",
}

// page takes what the service tells.
func (h *handheld) page(text string) error {
	var p struct {
		Slips    []struct{ ID, Status, Detail string }
		Messages []message
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = p.Messages
	for _, s := range p.Slips {
		if h.known[s.ID] == s.Status {
			continue
		}
		h.known[s.ID] = s.Status
		word, ok := statuses[s.Status]
		if !ok {
			word = s.Status
		}
		line := fmt.Sprintf("Preavviso per %s: %s", h.plate(s.ID), word)
		if s.Detail != "" {
			line += " (" + s.Detail + ")"
		}
		h.news = append(h.news, line)
	}
	return nil
}

// plate is that of a slip on paper; its id if the paper is not here.
func (h *handheld) plate(id string) string {
	text, err := os.ReadFile(filepath.Join(h.paper(), id+".json"))
	var s slip
	if err != nil || json.Unmarshal(text, &s) != nil {
		return id
	}
	return s.Plate
}

// rome is the clock that a slip shows, wherever the handheld thinks it is.
func rome() *time.Location {
	l, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		return time.FixedZone("CET", 3600) // impossible: the client embeds the zones
	}
	return l
}
