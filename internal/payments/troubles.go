package payments

// The troubles a person is told about. The strings are stored and never change
// meaning.
const (
	kindUnknownIUV = "payment.unknown_iuv" // money for an IUV that is none of ours
	kindDouble     = "payment.double"      // a second payment of one IUV
	kindUnexpected = "payment.unexpected"  // money for a code that is on no slip, or void
	kindShort      = "payment.short"
	kindOver       = "payment.over"
	kindCancelled  = "payment.cancelled" // money for a cancelled verbale
	kindChanged    = "payment.changed"   // one receipt told with two amounts
	kindMismatch   = "notice.mismatch"
	kindUnread     = "notice.unread"

	kindBoth = "payment.both_codes" // two codes of one verbale were paid

	// These are opened by package dispatch and closed here.
	kindAlreadyPaid = "position.already_paid"
	kindUnnotified  = "position.paid_unnotified"
)

// details are what the office reads: what happened, what it means, what to do.
var details = map[string]string{
	kindUnknownIUV: "È stato notificato un pagamento per uno IUV che non risulta tra i codici di questo ente nel servizio. Il pagamento è registrato, ma non è collegato ad alcun verbale. Verificare sul portale PiemontePAY a quale posizione si riferisce e regolarizzarlo.",
	kindDouble:     "Per lo stesso codice avviso è arrivato più di un pagamento, con ricevute diverse. Tutti sono registrati e il verbale resta chiuso dal primo sufficiente. Verificare le ricevute e avviare il rimborso di quanto pagato in più.",
	kindBoth:       "Sono stati pagati due codici avviso dello stesso verbale. Entrambi i pagamenti sono registrati e il verbale resta chiuso dal primo sufficiente. Verificare le ricevute e avviare il rimborso di quanto pagato in più.",
	kindUnexpected: "È arrivato un pagamento per un codice che non risulta su alcun preavviso, oppure che era stato ritirato. Il pagamento è registrato. Cercare il preavviso cartaceo presso l'agente a cui era assegnato il codice; se il palmare lo trasmette in ritardo il collegamento è automatico.",
	kindShort:      "È stato pagato meno di quanto dovuto nel giorno del pagamento. Il pagamento è registrato e il verbale resta aperto. Valutare se chiedere la differenza; PiemontePAY non accetta altri pagamenti sullo stesso codice.",
	kindOver:       "È stato pagato più di quanto dovuto nel giorno del pagamento. Il verbale è chiuso. Valutare il rimborso della differenza.",
	kindCancelled:  "È arrivato un pagamento per un verbale annullato in autotutela. Il pagamento è registrato e il verbale resta annullato. Avviare il rimborso.",
	kindChanged:    "Lo stesso pagamento è stato notificato due volte con importi diversi. Resta registrato il primo importo. Confrontare con la ricevuta sul portale PiemontePAY.",
	kindMismatch:   "In una notifica di PiemontePAY i totali dichiarati non corrispondono ai pagamenti elencati. I pagamenti elencati sono stati registrati. Confrontare l'elenco con il portale: potrebbe mancarne uno.",
	kindUnread:     "In una notifica di PiemontePAY uno o più pagamenti non sono leggibili e non sono stati registrati; gli altri sì. Il messaggio è conservato: comunicarlo all'assistenza e verificare i pagamenti sul portale.",
}
