package api

import "preavviso/internal/multe"

// sentences says what each action in the history means to the office. The test
// finds every action that the use cases write.
var sentences = map[string]string{
	"code.requested":   "Codice chiesto a PiemontePAY.",
	"code.available":   "Codice ricevuto da PiemontePAY: è nella scorta dell'ente.",
	"code.orphaned":    "PiemontePAY ha già questo codice, ma il suo numero non ci è mai arrivato: è messo da parte.",
	"code.reissued":    "Codice della scorta messo sul verbale al posto di quello del preavviso.",
	"code.restored":    "Annullamento del codice ripensato: torna com'era.",
	"code.assigned":    "Codice affidato a un palmare.",
	"code.quarantined": "Codice messo da parte: il palmare è stato revocato, o non si fa sentire da troppo tempo, e potrebbe averlo stampato.",
	"code.returned":    "Codice restituito dal palmare senza essere stato stampato: è di nuovo nella scorta.",
	"code.unprinted":   "Il palmare, tornato a farsi sentire, dice di non aver stampato il codice: resta da parte e si può annullare.",
	"code.spoiled":     "Preavviso rovinato, sbagliato o smarrito, secondo il palmare: codice messo da parte.",
	"code.issued":      "Codice stampato su un preavviso.",
	"code.payable":     "Codice pagabile: PiemontePAY ha confermato l'importo.",
	"code.updated":     "PiemontePAY ha confermato i nuovi dati della posizione.",
	"code.reset":       "PiemontePAY ha azzerato l'importo, per poter ricevere il debitore.",
	"code.void":        "Codice annullato.",
	"code.paid":        "Codice pagato.",

	"change.activate":  "Importo da comunicare a PiemontePAY.",
	"change.reset":     "Azzeramento dell'importo da comunicare a PiemontePAY, prima del debitore.",
	"change.update":    "Nuovi dati da comunicare a PiemontePAY.",
	"change.void":      "Annullamento da comunicare a PiemontePAY.",
	"change.sealed":    "Comunicazione inserita in una lista per PiemontePAY.",
	"change.queued":    "Comunicazione presa in carico da PiemontePAY: si attende l'esito.",
	"change.applied":   "Comunicazione eseguita da PiemontePAY.",
	"change.refused":   "Comunicazione rifiutata, o non più necessaria.",
	"change.unknown":   "Esito della comunicazione incerto: PiemontePAY si è interrotto a metà.",
	"change.postponed": "Comunicazione rimandata: sarà ripetuta.",

	"batch.sealed":     "Lista per PiemontePAY preparata.",
	"batch.attempted":  "Invio della lista a PiemontePAY.",
	"batch.queued":     "Lista presa in carico da PiemontePAY.",
	"batch.listed":     "Lista da caricare a mano sul portale PiemontePAY preparata.",
	"batch.abandoned":  "L'esito della lista non è arrivato in tempo: le posizioni vengono riproposte in un'altra.",
	"batch.refused":    "Lista rifiutata da PiemontePAY.",
	"batch.not_sent":   "Lista non partita: sarà ripetuta.",
	"batch.unanswered": "Nessuna risposta alla lista: sarà ripetuta uguale.",
	"batch.done":       "Esito della lista ricevuto.",

	"verbale.issued":         "Preavviso ricevuto dal palmare.",
	"verbale.issued_offline": "Preavviso ricevuto dal palmare, stampato senza rete.",
	"verbale.recorded":       "Verbale registrato dall'ufficio.",
	"verbale.cancelled":      "Verbale annullato.",
	"verbale.notified":       "Notifica del verbale registrata: da qui decorrono i termini.",
	"verbale.corrected":      "Dati del verbale corretti dall'ufficio.",
	"verbale.repriced":       "Termine trascorso: l'importo dovuto è cambiato.",

	"verbale.cancel_requested": "Annullamento richiesto, da approvare.",
	"verbale.cancel_withdrawn": "Richiesta di annullamento ritirata.",
	"appeal.registered":        "Ricorso registrato: l'importo resta fermo fino all'esito.",
	"appeal.decided":           "Esito del ricorso registrato.",

	"photo.declared": "Foto annunciata dal palmare.",
	"photo.waiting":  "Foto arrivata prima del suo verbale.",
	"photo.kept":     "Foto arrivata e conservata.",
	"photo.refused":  "Foto arrivata rovinata: non conservata.",
	"photo.dropped":  "Foto mai arrivata per intero: eliminata.",
	"photo.seen":     "Foto guardata.",
	"photo.taken":    "Originale della foto scaricato.",
	"photo.expired":  "Foto cancellata: il verbale è chiuso da più tempo di quanto l'ente le conserva.",

	"verbale.restored": "Annullamento del verbale ripensato: torna com'era.",
	"verbale.settled":  "Verbale estinto con il pagamento.",

	"payment.recorded": "Pagamento notificato da PiemontePAY.",
	"payment.receipt":  "Arrivata la ricevuta di un pagamento già noto.",

	"refund.recorded": "Rimborso registrato.",

	"receipt.recorded":    "Ricevuta telematica arrivata da PiemontePAY. Può anche essere negativa: non fa da sola un pagamento.",
	"revocation.recorded": "Chiesta la revoca di un pagamento: nulla è cambiato, decide l'ufficio.",
	"expiry.recorded":     "PiemontePAY segnala l'avviso come scaduto. L'importo resta dovuto.",

	"flusso.accounted": "Il pagamento è in un flusso di rendicontazione: la somma è stata versata all'ente.",
	"flusso.revoked":   "Un flusso di rendicontazione riporta il pagamento come revocato.",
	"flusso.received":  "Flusso di rendicontazione ricevuto da PiemontePAY.",
	"flusso.replaced":  "Nuova copia di un flusso di rendicontazione: sostituisce la precedente.",

	"work.taken":          "Segnalazione presa in carico.",
	"work.closed":         "Segnalazione chiusa da un operatore.",
	"export.made":         "Elenco di atti preparato.",
	"export.made_despite": "Elenco di atti preparato benché una notifica di pagamento non sia leggibile, dopo una verifica sul portale.",
	"export.withdrawn":    "Elenco di atti ritirato.",
	"owners.imported":     "Intestatari importati da un estratto.",
	"owners.forgotten":    "Intestatari importati cancellati, passato il loro tempo.",

	"creditor.added":   "Ente aggiunto.",
	"creditor.changed": "Impostazioni dell'ente cambiate.",
	"document.added":   "Nuovo file dell'ente (catalogo, testi, vie, agenti o logo).",
	"operator.added":   "Operatore aggiunto.",

	"session.ended":             "Sessione chiusa.",
	"operator.invited":          "Persona invitata alle pagine dell'ufficio.",
	"operator.signed_in":        "Accesso alle pagine.",
	"operator.signed_in_oidc":   "Accesso alle pagine con l'identità dell'ente.",
	"operator.sign_in_refused":  "Accesso rifiutato.",
	"operator.password_refused": "Parola chiave sbagliata nel cambiarla.",
	"operator.totp_refused":     "Codice del secondo fattore sbagliato.",
	"operator.totp_enrolled":    "Secondo fattore attivato.",
	"operator.password_changed": "Parola chiave cambiata.",
	"operator.reset":            "Accesso azzerato: la persona lo attiva di nuovo con un invito.",
	"operator.role":             "Ruolo cambiato.",
	"operator.disabled":         "Accesso sospeso.",

	"message.written": "Comunicazione ai palmari scritta.",
	"message.read":    "Comunicazione letta su un palmare.",

	"print.preavviso":  "Preavviso stampato.",
	"print.avviso":     "Avviso di pagamento stampato.",
	"print.verbale":    "Verbale stampato.",
	"print.looked":     "Stampa guardata.",
	"print.slip":       "Scontrino preparato per la stampante.",
	"print.again":      "Stampa rifatta uguale.",
	"print.job":        "Stampa di più atti chiesta.",
	"print.job_again":  "Stampa di più atti chiesta di nuovo.",
	"print.cancelled":  "Stampa di più atti fermata.",
	"print.fetched":    "Stampa di più atti scaricata.",
	"print.done":       "Stampa di più atti pronta.",
	"print.failed":     "Stampa di più atti non riuscita.",
	"print.expired":    "File di una stampa cancellato: si può rifare uguale.",
	"print.self_check": "Stampa rifiutata: i suoi simboli non si rileggevano come dovevano.",

	"webhook.added":   "Webhook aggiunto.",
	"webhook.changed": "Webhook cambiato.",
	"webhook.paused":  "Webhook sospeso.",
	"webhook.resumed": "Webhook riattivato.",
	"webhook.rotated": "Segreto di un webhook cambiato.",
	"device.invited":  "Codice di attivazione creato per il palmare.",
	"device.enrolled": "Palmare attivato.",
	"device.revoked":  "Palmare revocato.",
}

// Sentence describes one entry in Italian; the platform's code follows when the
// platform decided.
func Sentence(e multe.AuditEntry) string {
	text, ok := sentences[e.Action]
	if !ok {
		text = "Evento «" + e.Action + "»." // written by a newer version on the same store
	}
	if e.Code != "" {
		text += " Codice di PiemontePAY: " + e.Code + "."
	}
	return text
}
