package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/cds"
	"preavviso/internal/multe"
	"preavviso/internal/web/webtest"
)

// town is a service for one handheld, with all that a shift needs.
type town struct {
	*webtest.World
	device multe.DeviceID
	server *httptest.Server
	qr     string
	dir    string
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := webtest.New(t)
	w.Pass(time.Since(w.Now())) // the program has the real clock
	w.AddCodes(t, webtest.Torino, 60)
	day := multe.Day{Year: 2026, Month: 1, Day: 1}
	for kind, text := range map[multe.DocumentKind]string{
		multe.DocumentCatalogue: string(cds.Sample()),
		multe.DocumentWardens:   `{"wardens":[{"matricola":"M042","name":"Anna Rossi","pin":"493817"}]}`,
	} {
		if _, _, err := w.Documents.Add(t.Context(), "admin", webtest.Torino, kind, day, []byte(text), false); err != nil {
			t.Fatal(err)
		}
	}
	d, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", false)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: w.Pool,
		Verbali: w.Verbali, Prints: w.Prints, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents}))
	t.Cleanup(s.Close)
	return &town{w, d.ID, s, "preavviso:enrol?u=" + url.QueryEscape(s.URL) + "&c=" + code, filepath.Join(t.TempDir(), "palmare")}
}

// app types lines into the app and returns what it shows.
func (w *town) app(t *testing.T, lines ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run([]string{"app", "--dir", w.dir}, strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, &errs); status != exitOK || errs.Len() > 0 {
		t.Fatalf("status %d: %s\n%s", status, errs.String(), out.String())
	}
	return out.String()
}

// shows holds what was shown against what must be there, in order.
func shows(t *testing.T, out string, want ...string) {
	t.Helper()
	rest := out
	for _, text := range want {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Errorf("%q is not shown, or too early:\n%s", text, out)
			return
		}
		rest = after
	}
}

func jpegFile(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "foto.jpg")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// login is what opens a shift on a device that is enrolled.
var login = []string{"M042", "493817"}

// TestAppDay is a warden's day: the first activation, slips, a spoiled one, a photo, a
// message, and the way home.
func TestAppDay(t *testing.T) {
	w := newTown(t)
	photo := jpegFile(t)
	out := w.app(t, append(append([]string{w.qr}, login...),
		"p", "ab 123 cd", "", "", "Via Roma 12", "158-6", "s", "s", // printed, readable
		"f", photo,
		"p", "AB123CD", "", "1", "via Roma, 40", "s", "158-6", "s", "n", // the same street: a warning; and the paper is spoiled
		"p", "ZZ999ZZ", "fr", "2", "Corso Francia 1", "due ruote", "3", "s", "s",
		"s", "b", "c", "q")...)
	shows(t, out, "Palmare 1 è attivo", "Matricola:", "Buon lavoro, Anna Rossi", "25 codici",
		"Violazione", "€ 29,40", "€ 42,00", "Stampato", "Foto del preavviso per ab 123 cd",
		"ATTENZIONE: questa targa", "segnalato come rovinato", "ZZ999ZZ (FR)", "Byte per la stampante")
	for _, want := range []string{"Preavviso per ab 123 cd: trasmesso", "Preavviso per ZZ999ZZ: trasmesso"} {
		shows(t, out, want)
	}
	known, err := w.Verbali.ByDevice(t.Context(), webtest.Torino, w.device, "", 10)
	if err != nil || len(known) != 2 {
		t.Fatalf("the service has %d slips, %v", len(known), err)
	}
	if v := known[0]; v.Slip.Plate != "AB123CD" || v.Slip.Warden != "M042" || v.Slip.Violation.Code != "158-6" || len(v.Flags) > 0 {
		t.Errorf("%+v", v)
	}
	if list, err := w.Photos.OfVerbale(t.Context(), webtest.Torino, known[0].Slip.ID); err != nil || len(list) != 1 || list[0].State != multe.PhotoKept {
		t.Errorf("photos %+v, %v", list, err)
	}
	text, err := os.ReadFile(filepath.Join(w.dir, paperDir, string(known[0].Slip.ID)+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	number := known[0].Slip.Number.String()
	shows(t, string(text), "PREAVVISO", "Targa: ab 123 cd", "€ 29,40", "€ 42,00", "Codice avviso", grouped(number)+" € 29,40", "[QR]\nPAGOPA|002|"+number+"|"+string(webtest.Torino)+"|2940")
	if b, err := os.ReadFile(filepath.Join(w.dir, paperDir, string(known[1].Slip.ID)+".escpos")); err != nil || !bytes.HasPrefix(b, []byte("\x1b@")) {
		t.Errorf("bytes for the printer %.10q, %v", b, err)
	}

	id := w.ID(t)
	if _, err := w.Feedback.Write(t.Context(), "operator:1", webtest.Torino, multe.BulletinID(id), "", "Mercato in piazza Bra", w.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	out = w.app(t, append(login, "n", "boh", "n", "n", "s", "n", "x", "n", "x", "s")...)
	shows(t, out, "Messaggio dell'ufficio: Mercato in piazza Bra", "Rispondere s oppure n", "Messaggio dell'ufficio", "Nessun messaggio", "Turno chiuso: ", "2 preavvisi trasmessi")
	account, err := w.Pool.Account(t.Context(), webtest.Torino, w.device, multe.DayOf(w.Now()))
	if err != nil || len(account) == 0 {
		t.Fatal(len(account), err)
	}
	for _, a := range account {
		if a.Open() {
			t.Errorf("nobody knows where %s is: %s", a.Code.Position, a.Outcome)
		}
	}
}

// TestAppWrongInput: nothing that is typed ends the app, or prints a slip.
func TestAppWrongInput(t *testing.T) {
	w := newTown(t)
	notPhoto := filepath.Join(t.TempDir(), "foto.jpg")
	if err := os.WriteFile(notPhoto, []byte("%PDF-1.4"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := w.app(t, "pvi_solo_il_codice", "preavviso:enrol?u=http://x", w.qr+"x", w.qr,
		"", "M042", "111111", "M999", "493817", "M042", "493817",
		"z", "", "f", "g", "b",
		"p", "", // nothing
		"p", "A", // too short
		"p", "AB123CD", "Italia", // no nation
		"p", "AB123CD", "IT", "3", // no vehicle
		"p", "AB123CD", "IT", "1", "", // no place
		"p", "AB123CD", "IT", "1", "Via Po 1", "scavalcamento del cielo",
		"p", "AB123CD", "IT", "1", "Via Po 1", "art", "0",
		"p", "AB123CD", "IT", "1", "Via Po 1", "art", "uno",
		"p", "AB123CD", "IT", "2", "Via Po 1", "158-6", // not for this vehicle
		"p", "AB123CD", "IT", "1", "Via Po 1", "158-6", "forse", "n",
		"p", "AB123CD", "IT", "1", "Via Po 1", "158-6", "s", "s",
		"f", "", "f", notPhoto, "f", notPhoto+".jpg")
	shows(t, out, "Non è un codice di attivazione", "Non è un codice di attivazione", "Attivazione non riuscita", "è attivo",
		"La matricola ha da 1", "Matricola o PIN non corretti", "Matricola o PIN non corretti", "Buon lavoro",
		`Scelta sconosciuta: "z"`, "Prima si stampa", "è già trasmesso, o non c'è", "Prima si stampa",
		"La targa ha da 2", "La nazione è", "Rispondere 1 oppure 2", "Il luogo ha", "Nessuna violazione", "Serve un numero da 1 a 9", "Serve un numero da 1 a 9",
		"non è prevista per oggi o per questo veicolo", "Rispondere s oppure n", "Stampato", "Il file non è una foto JPEG", "Il file non si può leggere")
	papers, err := filepath.Glob(filepath.Join(w.dir, paperDir, "*.txt"))
	if err != nil || len(papers) != 1 {
		t.Errorf("%d slips on paper, %v", len(papers), err)
	}
}

// TestAppOffline prints where nobody answers, is switched off, and uploads the next
// day; a revoked handheld prints nothing.
func TestAppOffline(t *testing.T) {
	w := newTown(t)
	w.app(t, append([]string{w.qr}, append(login, "q")...)...)
	address := w.server.Listener.Addr().String()
	server := filepath.Join(w.dir, "server")
	good, err := os.ReadFile(server)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(server, []byte(strings.Replace(string(good), address, "127.0.0.1:1", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := w.app(t, append(login, "s", "p", "AB123CD", "", "", "Via Po 1", "158-6", "s", "s", "c", "x", "s")...)
	shows(t, out, "servizio non raggiunto", "Stampato", "da trasmettere 1", "Restano")
	if err := os.WriteFile(server, good, 0o600); err != nil {
		t.Fatal(err)
	}
	out = w.app(t, append(login, "s", "c", "q")...)
	shows(t, out, "da trasmettere 0", "trasmessi 1")
	known, err := w.Verbali.ByDevice(t.Context(), webtest.Torino, w.device, "", 10)
	if err != nil || len(known) != 1 || !known[0].Slip.Offline || known[0].Slip.OfflineReason != "no_answer" {
		t.Errorf("%+v, %v", known, err)
	}
	if _, _, err := w.Registry.RevokeDevice(t.Context(), "admin", webtest.Torino, w.device); err != nil {
		t.Fatal(err)
	}
	shows(t, w.app(t, append(login, "s", "p")...), "Il palmare è stato revocato: non si stampa")
}

// TestAppByHand: a town that gives no catalogue and no roster.
func TestAppByHand(t *testing.T) {
	w := webtest.New(t)
	w.Pass(time.Since(w.Now()))
	w.AddCodes(t, webtest.Torino, 30)
	d, code, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", false)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(firmwareapi.New(firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: w.Pool,
		Verbali: w.Verbali, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents}))
	t.Cleanup(s.Close)
	town := &town{w, d.ID, s, "preavviso:enrol?u=" + url.QueryEscape(s.URL) + "&c=" + code, t.TempDir()}
	slip := []string{"p", "AB123CD", "", "", "Via Po 1", "art. 7 CdS", "Sostava contro il regolamento"}
	lines := []string{town.qr, "M-17"}
	for _, amount := range []string{"quarantadue", "42.00", "0", "-42", "42,0", "42"} {
		lines = append(append(lines, slip...), amount)
	}
	out := town.app(t, append(lines, "s", "s", "s")...)
	shows(t, out, "la matricola non è controllata", "un importo come 42,00", "un importo come 42,00", "maggiore di zero", "un importo come 42,00", "un importo come 42,00", "€ 42,00", "Stampato")
	known, err := w.Verbali.ByDevice(t.Context(), webtest.Torino, d.ID, "", 10)
	if err != nil || len(known) != 1 || len(known[0].Slip.Steps) != 1 || known[0].Slip.Steps[0].Cents != 4200 {
		t.Errorf("%+v, %v", known, err)
	}
}
