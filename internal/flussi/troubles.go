package flussi

import (
	"fmt"

	"preavviso/internal/multe"
)

// The troubles a person is told about. The strings are stored and never change
// meaning. The first five are about an IUV, the others about a flow.
const (
	kindUnknown = "accounting.never_notified"
	kindAmount  = "accounting.amount"
	kindRevoked = "accounting.revoked"
	kindNoRPT   = "accounting.no_rpt"
	kindNoFlow  = "accounting.no_flow"

	kindTotals  = "flusso.totals"
	kindUnread  = "flusso.unread"
	kindChanged = "flusso.changed"
)

// judged are the kinds that follow from the lines and payments of an IUV alone.
var judged = []string{kindUnknown, kindAmount, kindRevoked, kindNoRPT}

// details are what the office reads: what happened, what it means, what to do.
// %s is the IUV, or the name of the flow.
var details = map[string]string{
	kindUnknown: "Pagamento in contabilità mai notificato: lo IUV %s risulta pagato in un flusso di rendicontazione, ma PiemontePAY non ne ha mai notificato il pagamento. Il verbale risulta ancora da pagare. Verificare la posizione sul portale PiemontePAY e chiedere di ripetere la notifica; la segnalazione si chiude da sola quando arriva.",
	kindAmount:  "Per lo IUV %s l'importo in contabilità è diverso da quello notificato. Nulla è stato modificato. Confrontare la ricevuta sul portale PiemontePAY con le righe del flusso.",
	kindRevoked: "Il pagamento dello IUV %s risulta revocato in un flusso di rendicontazione: la somma è tornata al pagatore. Il verbale resta nello stato in cui era. Verificare con PiemontePAY e decidere se riaprire la riscossione.",
	kindNoRPT:   "Per lo IUV %s un flusso riporta un pagamento eseguito senza richiesta alla piattaforma (esito 9) e mai notificato. La somma è stata versata all'ente. Verificare sul portale PiemontePAY a quale verbale si riferisce e regolarizzarlo.",
	kindNoFlow:  "Il pagamento dello IUV %s è stato notificato, ma dopo il tempo di attesa nessun flusso di rendicontazione lo contiene. La somma potrebbe non essere arrivata in tesoreria. Verificare sul portale PiemontePAY il riversamento del PSP; la segnalazione si chiude da sola quando arriva il flusso.",

	kindUnread:  "Nel flusso %s alcune righe non sono leggibili e non sono state registrate; le altre sì. Il messaggio è conservato intero: comunicarlo all'assistenza e verificare i pagamenti sul portale PiemontePAY.",
	kindChanged: "Il flusso %s è arrivato di nuovo con un contenuto diverso. Vale l'ultima copia; tutte sono conservate. Se il flusso era già stato contabilizzato, confrontarlo con la nuova versione.",
}

// totals says how the totals of a flow and its lines differ, "" if they do not.
func totals(f multe.Flusso) string {
	const advice = " Nulla è stato rifiutato: le righe ricevute sono registrate. Confrontare il flusso con il portale PiemontePAY e con l'accredito in tesoreria."
	switch {
	case f.Undeclared:
		return fmt.Sprintf("Il flusso %s non dichiara i suoi totali in modo leggibile. Le righe ricevute sono %d per %s euro.", name(f), f.Lines, f.LinesCents.Italian()) + advice
	case f.Count != f.Lines || f.Cents != f.LinesCents:
		return fmt.Sprintf("Il flusso %s dichiara %d pagamenti per %s euro, ma le righe ricevute sono %d per %s euro: differenza %s euro. PiemontePAY non riporta i pagamenti che non conosce.",
			name(f), f.Count, f.Cents.Italian(), f.Lines, f.LinesCents.Italian(), (f.Cents-f.LinesCents).Italian()) + advice
	case f.Kind == multe.FlussoCompleto && f.QuotaCents != f.LinesCents:
		return fmt.Sprintf("Nel flusso %s le righe di sintesi sommano %s euro e i pagamenti di dettaglio %s euro: differenza %s euro.",
			name(f), f.QuotaCents.Italian(), f.LinesCents.Italian(), (f.QuotaCents-f.LinesCents).Italian()) + advice
	}
	return ""
}

// name is what a flow is called in a sentence.
func name(f multe.Flusso) string { return multe.Subject(f.Name) }
