package api

import "preavviso/internal/multe"

// sentences says what each action in the history means to the office. The test
// finds every action that the use cases write.
var sentences = map[string]string{
	"code.requested":   "Codice richiesto a PiemontePAY.",
	"code.assigned":    "Codice affidato a un palmare.",
	"code.quarantined": "Codice messo da parte: il palmare è stato revocato e potrebbe averlo stampato.",
	"code.issued":      "Codice stampato su un preavviso.",
	"code.paid":        "Codice pagato.",
	"verbale.issued":   "Preavviso ricevuto dal palmare.",
	"verbale.recorded": "Verbale registrato dall'ufficio.",
	"verbale.settled":  "Verbale estinto con il pagamento.",
	"payment.recorded": "Pagamento notificato da PiemontePAY.",
	"payment.receipt":  "Ricevuta di un pagamento già noto arrivata da PiemontePAY.",
	"change.refused":   "Comunicazione a PiemontePAY non più eseguita.",
	"device.invited":   "Codice di attivazione creato per il palmare.",
	"device.enrolled":  "Palmare attivato.",
	"device.revoked":   "Palmare revocato.",
	"operator.added":   "Operatore aggiunto.",
	"creditor.added":   "Ente aggiunto.",
}

// sentence describes one entry in Italian; the platform's code follows when the
// platform decided.
func sentence(e multe.AuditEntry) string {
	text, ok := sentences[e.Action]
	if !ok {
		text = "Evento «" + e.Action + "»." // written by a newer version on the same store
	}
	if e.Code != "" {
		text += " Codice di PiemontePAY: " + e.Code + "."
	}
	return text
}
