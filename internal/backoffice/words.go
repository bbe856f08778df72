package backoffice

import (
	"fmt"
	"strings"
	"time"

	"preavviso/internal/multe"
)

// sign is a state as a person sees it: words and an icon, and a colour that only
// repeats them.
type sign struct {
	Text string
	Tone string // good, wait, bad, done or plain: a class of office.css
	Icon string // of the sprites
}

// signOf is the sign of a state; one that a newer version wrote shows itself.
func signOf[S ~string](signs map[S]sign, s S) sign {
	if w, ok := signs[s]; ok {
		return w
	}
	return sign{string(s), "plain", "it-help-circle"}
}

var codeSigns = map[multe.CodeState]sign{
	multe.CodeRequested:   {"richiesto a PiemontePAY", "wait", "it-clock"},
	multe.CodeOrphaned:    {"senza numero", "bad", "it-warning-circle"},
	multe.CodeAvailable:   {"disponibile", "good", "it-check-circle"},
	multe.CodeAssigned:    {"su un palmare", "plain", "it-telephone"},
	multe.CodeQuarantined: {"messo da parte", "bad", "it-warning-circle"},
	multe.CodeIssued:      {"stampato, non ancora pagabile", "wait", "it-clock"},
	multe.CodeActive:      {"pagabile", "good", "it-check-circle"},
	multe.CodePaid:        {"pagato", "done", "it-card"},
	multe.CodeVoid:        {"annullato", "plain", "it-ban"},
}

func codeSign(s multe.CodeState) sign { return signOf(codeSigns, s) }

var verbaleSigns = map[multe.VerbaleState]sign{
	multe.VerbaleIssued:    {"da registrare", "wait", "it-pencil"},
	multe.VerbaleFinalised: {"registrato", "plain", "it-file"},
	multe.VerbaleSettled:   {"pagato", "done", "it-card"},
	multe.VerbaleCancelled: {"annullato", "plain", "it-ban"},
}

func verbaleSign(s multe.VerbaleState) sign { return signOf(verbaleSigns, s) }

var deviceSigns = map[multe.DeviceState]sign{
	multe.DeviceInvited:  {"da attivare", "wait", "it-clock"},
	multe.DeviceEnrolled: {"attivo", "good", "it-check-circle"},
	multe.DeviceRevoked:  {"revocato", "plain", "it-ban"},
}

func deviceSign(s multe.DeviceState) sign { return signOf(deviceSigns, s) }

var messageSigns = map[multe.MessageState]sign{
	multe.MessageNew:  {"da elaborare", "wait", "it-clock"},
	multe.MessageDone: {"elaborato", "good", "it-check-circle"},
	multe.MessageDead: {"non elaborato", "bad", "it-error"},
}

func messageSign(s multe.MessageState) sign { return signOf(messageSigns, s) }

var batchSigns = map[multe.BatchState]sign{
	multe.BatchSealed:    {"in partenza", "wait", "it-clock"},
	multe.BatchQueued:    {"in attesa dell'esito", "wait", "it-clock"},
	multe.BatchRefused:   {"rifiutata", "bad", "it-error"},
	multe.BatchDone:      {"conclusa", "good", "it-check-circle"},
	multe.BatchAbandoned: {"riproposta", "plain", "it-refresh"},
}

func batchSign(s multe.BatchState) sign { return signOf(batchSigns, s) }

var operationWords = map[multe.Operation]string{
	multe.OperationInsert: "richiesta di codici",
	multe.OperationUpdate: "aggiornamento di posizioni",
	multe.OperationPut:    "aggiornamento di una posizione (REST)",
	multe.OperationPortal: "lista per il portale",
}

func operationWord(o multe.Operation) string {
	if w, ok := operationWords[o]; ok {
		return w
	}
	return string(o)
}

// messageKind is what a message of PiemontePAY is, for people.
type messageKind struct{ Name, Explain string }

var messageKinds = map[string]messageKind{
	"EsitoInserimentoListaDiCarico":   {"Esito di una richiesta di codici", "PiemontePAY dice, posizione per posizione, se ha creato i codici chiesti e con quali numeri avviso."},
	"EsitoAggiornaPosizioniDebitorie": {"Esito di aggiornamenti", "PiemontePAY dice, posizione per posizione, se ha registrato importi, debitori o annullamenti. È ciò che rende pagabile un preavviso."},
	"TrasmettiNotifichePagamento":     {"Notifica di pagamenti", "PiemontePAY dice che dei cittadini hanno pagato. È l'unico messaggio che chiude un verbale."},
	"TrasmettiRT":                     {"Ricevute telematiche", "Le ricevute dei prestatori di servizi di pagamento. Sono prove: da sole non chiudono nulla."},
	"TrasmettiRichiesteDiRevoca":      {"Richieste di revoca", "Una banca chiede di riprendere un pagamento. Decide l'ufficio."},
	"TrasmettiAvvisiScaduti":          {"Avvisi scaduti", "PiemontePAY segnala avvisi oltre la data di validità. L'importo resta dovuto."},
	"TrasmettiFlussoRendicontazione":  {"Flusso di rendicontazione", "L'elenco dei pagamenti che un prestatore ha versato all'ente con un bonifico."},
	"TrasmettiFlussiPagoPA":           {"Flusso di rendicontazione completo", "L'elenco dei pagamenti versati all'ente, con i riferimenti contabili aggiunti da PiemontePAY."},
}

func kindOfMessage(kind string) messageKind {
	if k, ok := messageKinds[kind]; ok {
		return k
	}
	return messageKind{kind, "Un messaggio di tipo non previsto: è conservato intero."}
}

// actorWord names who did something, for the register.
func actorWord(actor string) string {
	kind, id, _ := strings.Cut(actor, ":")
	switch kind {
	case "device":
		return "palmare " + short(id)
	case "operator":
		return "operatore " + id
	case "piemontepay":
		return "PiemontePAY"
	case "loop":
		return "il servizio"
	case "admin":
		return "amministratore dell'installazione"
	}
	return actor
}

// short is the end of an id, where ids of one moment differ.
func short(id string) string {
	if len(id) <= 10 {
		return id
	}
	return "…" + id[len(id)-8:]
}

var months = [...]string{"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"}

var weekdays = [...]string{"domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"}

// longDay is "lunedì 23 novembre 2026".
func longDay(d multe.Day) string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s %d %s %d", weekdays[weekday(d)], d.Day, months[d.Month-1], d.Year)
}

// instant is "23/11/2026 18:05" in Rome.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(multe.Rome()).Format("02/01/2006 15:04")
}

// ago is how long something took or lasts, as a person says it.
func ago(d time.Duration) string {
	many := func(n int, one, more string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, more)
	}
	switch {
	case d < time.Minute:
		return "meno di un minuto"
	case d < time.Hour:
		return many(int(d/time.Minute), "minuto", "minuti")
	case d < 48*time.Hour:
		return many(int(d/time.Hour), "ora", "ore")
	}
	return many(int(d/(24*time.Hour)), "giorno", "giorni")
}

// euro is "1.234,50 €".
func euro(c multe.Cents) string { return c.Italian() + " €" }

var changeWords = map[multe.ChangeState]string{
	multe.ChangeWaiting: "in attesa", multe.ChangeSealed: "in una lista", multe.ChangeQueued: "presa in carico",
	multe.ChangeApplied: "eseguita", multe.ChangeRefused: "rifiutata", multe.ChangeUnknown: "incerta",
}

// stateWord says in Italian the state of the record that an action is about.
func stateWord(action, state string) string {
	area, _, _ := strings.Cut(action, ".")
	switch {
	case state == "":
		return ""
	case area == "code":
		return codeSign(multe.CodeState(state)).Text
	case area == "verbale":
		return verbaleSign(multe.VerbaleState(state)).Text
	case area == "device":
		return deviceSign(multe.DeviceState(state)).Text
	case area == "batch":
		return batchSign(multe.BatchState(state)).Text
	case area == "message":
		return messageSign(multe.MessageState(state)).Text
	case area == "change" && changeWords[multe.ChangeState(state)] != "":
		return changeWords[multe.ChangeState(state)]
	}
	return state
}
