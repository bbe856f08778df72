package multe

// The troubles that money makes. The strings are stored and never change meaning.
const (
	TroubleUnknownIUV      = "payment.unknown_iuv"      // of the IUV: none of ours
	TroubleUnknownCreditor = "payment.unknown_creditor" // of the IUV: for a creditor that is not served here
	TroubleUnexpected      = "payment.unexpected"       // of the position: on no slip that we know
	TroubleVoidCode        = "payment.void_code"        // of the position: annulled before it was paid
	TroubleDouble          = "payment.double"           // of the IUV: paid more than once
	TroubleBothCodes       = "payment.both_codes"       // of the IUV: the other code of the verbale was paid too
	TroubleShort           = "payment.short"            // of the position: less than was due on the day
	TroubleOver            = "payment.over"             // of the position: more
	TroubleCancelled       = "payment.cancelled"        // of the position: its verbale had been cancelled
	TroubleAfterRefund     = "payment.after_refund"     // of the IUV: money had gone back already
	TroubleChanged         = "payment.changed"          // of the IUV: one receipt told with two amounts
	TroubleRefundDue       = "refund.due"               // of the verbale: cancelled after it was paid
	TroubleRecall          = "export.recall"            // of the verbale: in a list of acts to notify, and not to be notified
	TroubleMismatch        = "notice.mismatch"          // of the message
	TroubleUnread          = "notice.unread"            // of the message
)

// Guide is what a discrepancy says of itself: it is stored with it, and all that
// the API tells. What pages put above several of a kind is in package guide.
type Guide struct {
	Happened string // what happened, and what the service did with it
	Means    string // what it means for the citizen
	Do       string // what to do now
}

// Text is the guide as one text.
func (g Guide) Text() string { return g.Happened + " " + g.Means + " " + g.Do }

// GuideTo returns the guide to a trouble of money; the zero Guide for any other.
func GuideTo(kind string) Guide { return guides[kind] }

var guides = map[string]Guide{
	TroubleUnknownIUV: {
		"È stato notificato un pagamento per uno IUV che non risulta tra i codici di questo ente nel servizio. Il pagamento è registrato, ma non è collegato ad alcun verbale.",
		"Il cittadino ha pagato e ne ha la ricevuta: se si trattava di una multa, per il servizio risulta ancora da pagare.",
		"Verificare sul portale PiemontePAY a quale posizione si riferisce. Se è di un altro ufficio, chiudere la segnalazione; se è di un preavviso, registrarlo; se non era dovuto, rimborsare e registrare il rimborso."},
	TroubleUnknownCreditor: {
		"È stato notificato un pagamento intestato a un ente che non è tra quelli di questo servizio. Il pagamento è registrato e nessun verbale è cambiato.",
		"Il cittadino ha pagato a un altro ente: i soldi non sono arrivati agli enti serviti qui.",
		"Avvisare l'assistenza PiemontePAY, che ha inviato la notifica all'indirizzo sbagliato, e verificare se l'ente andava registrato in questo servizio."},
	TroubleUnexpected: {
		"È arrivato un pagamento per un codice che non risulta su alcun preavviso. Il pagamento è registrato e il codice non verrà più usato.",
		"Il cittadino ha probabilmente in mano un preavviso che il palmare non ha ancora trasmesso: per lui la multa è pagata.",
		"Cercare il preavviso cartaceo presso l'agente a cui era assegnato il codice e far collegare il palmare alla rete: quando il preavviso arriva, il collegamento è automatico e la segnalazione si chiude. Se il preavviso non esiste, rimborsare e registrare il rimborso."},
	TroubleVoidCode: {
		"È arrivato un pagamento per un codice che era stato annullato. Il pagamento è registrato e, se è sufficiente, il verbale è chiuso.",
		"Il cittadino ha pagato con un avviso che per il servizio non valeva più: i soldi sono comunque dell'ente finché non vengono restituiti.",
		"Controllare perché il codice era annullato. Se l'importo era dovuto, chiudere la segnalazione; se no, rimborsare e registrare il rimborso."},
	TroubleDouble: {
		"Per lo stesso codice avviso è arrivato più di un pagamento, con ricevute diverse. Tutti sono registrati e il verbale resta chiuso dal primo sufficiente.",
		"Il cittadino ha pagato due volte la stessa multa e ha diritto alla restituzione di quanto pagato in più.",
		"Confrontare le ricevute, rimborsare quanto pagato in più e registrare il rimborso: la segnalazione si chiude da sola."},
	TroubleBothCodes: {
		"Sono stati pagati due codici avviso dello stesso verbale. Entrambi i pagamenti sono registrati e il verbale resta chiuso dal primo sufficiente.",
		"Il cittadino ha pagato due volte la stessa multa e ha diritto alla restituzione di quanto pagato in più.",
		"Confrontare le ricevute, rimborsare quanto pagato in più e registrare il rimborso: la segnalazione si chiude da sola."},
	TroubleShort: {
		"È stato pagato meno di quanto dovuto nel giorno del pagamento, per esempio l'importo ridotto dopo la scadenza. Il pagamento è registrato e il verbale resta aperto.",
		"Il cittadino crede di avere chiuso la multa, e invece resta da pagare la differenza. PiemontePAY non accetta altri pagamenti sullo stesso codice.",
		"Decidere se chiedere la differenza o lasciare così, e chiudere la segnalazione scrivendo che cosa si è deciso. Finché è aperta il verbale non entra negli elenchi da notificare."},
	TroubleOver: {
		"È stato pagato più di quanto dovuto nel giorno del pagamento. Il verbale è chiuso.",
		"Il cittadino ha diritto alla restituzione della differenza.",
		"Rimborsare la differenza e registrare il rimborso: la segnalazione si chiude da sola."},
	TroubleCancelled: {
		"È arrivato un pagamento per un verbale annullato in autotutela. Il pagamento è registrato e il verbale resta annullato.",
		"Il cittadino ha pagato una multa che non esiste più e ha diritto alla restituzione.",
		"Rimborsare l'importo e registrare il rimborso: la segnalazione si chiude da sola."},
	TroubleAfterRefund: {
		"È arrivato un pagamento per una multa per la quale era già stato registrato un rimborso. Il pagamento è registrato.",
		"Il cittadino ha pagato di nuovo dopo avere ricevuto indietro i soldi: può avere pagato per errore, oppure può avere pagato quanto ancora dovuto.",
		"Guardare tutti i movimenti del verbale. Se l'importo non era dovuto, rimborsare e registrare il rimborso; se lo era, chiudere la segnalazione."},
	TroubleChanged: {
		"Lo stesso pagamento è stato notificato due volte con importi diversi. Resta registrato il primo importo.",
		"Per il cittadino vale la ricevuta che ha in mano: può dire un importo diverso da quello registrato.",
		"Confrontare con la ricevuta sul portale PiemontePAY e con il flusso di rendicontazione; se l'importo registrato è sbagliato, comunicarlo all'assistenza."},
	TroubleRefundDue: {
		"Da rimborsare: è stato annullato in autotutela un verbale che era già stato pagato. Il pagamento resta registrato.",
		"Il cittadino ha pagato una multa che non esiste più e ha diritto alla restituzione.",
		"Disporre il rimborso e registrarlo con gli estremi del mandato: la segnalazione si chiude da sola."},
	TroubleRecall: {
		"Non notificare, oppure ritirare: dopo che l'atto è stato messo in un elenco da notificare è arrivato un pagamento, oppure l'atto è stato annullato.",
		"Se l'atto parte lo stesso, il cittadino riceve una multa già pagata o che non esiste più, con le spese di notifica.",
		"Togliere subito l'atto dall'invio o avvisare chi stampa e spedisce; se è già partito, comunicare al destinatario di non tenerne conto. Se invece era già stato notificato e il pagamento è arrivato dopo, non c'è nulla da fare. Poi chiudere la segnalazione scrivendo che cosa si è fatto."},
	TroubleMismatch: {
		"In una notifica di PiemontePAY i totali dichiarati non corrispondono ai pagamenti elencati. I pagamenti elencati sono stati registrati.",
		"Un cittadino potrebbe avere pagato senza che il suo pagamento sia nell'elenco.",
		"Confrontare l'elenco con il portale PiemontePAY e chiudere la segnalazione quando tornano i conti."},
	TroubleUnread: {
		"In una notifica di PiemontePAY uno o più pagamenti non sono leggibili e non sono stati registrati; gli altri sì. Il messaggio è conservato.",
		"Un cittadino ha pagato e la sua multa risulta ancora da pagare.",
		"Comunicare il messaggio all'assistenza e verificare i pagamenti sul portale. Finché la segnalazione è aperta non si possono fare elenchi di atti da notificare."},
}

// MoneyTroubles are the kinds that have a guide.
func MoneyTroubles() []string {
	kinds := make([]string, 0, len(guides))
	for k := range guides {
		kinds = append(kinds, k)
	}
	return kinds
}
