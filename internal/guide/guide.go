// Package guide says in plain Italian, of every trouble that a person is told
// about: what happened, what it means for the citizen, what to do now.
//
// It is one table, beside the sentence that a discrepancy carries itself: that
// one names the case, and is stored; these words may get better with time. The
// same three questions are answered for PiemontePAY's codes by package ppay.
package guide

// Text answers the three questions of whoever meets a trouble.
type Text struct {
	Happened string // in one sentence
	Citizen  string // what it means for who got the preavviso, or paid
	Now      string // who does what; "Nulla" where nobody has to
}

// Complete reports whether all three are answered.
func (t Text) Complete() bool { return t.Happened != "" && t.Citizen != "" && t.Now != "" }

// Of returns the text of a kind of discrepancy. It reports false for a kind that
// a newer version wrote on the same store.
func Of(kind string) (Text, bool) {
	t, ok := troubles[kind]
	return t, ok
}

// Words that many kinds share.
const (
	notYetPayable = "I preavvisi stampati restano validi, ma chi prova a pagare subito può ricevere un errore generico. Nessun termine decorre a suo danno per questo ritardo."
	stillPayable  = "Il preavviso resta pagabile come prima."
	noCitizen     = "Nulla: riguarda solo la comunicazione tra l'ufficio e PiemontePAY."
	moneySafe     = "Ha pagato, e il pagamento è registrato: non gli va chiesto altro finché l'ufficio non ha verificato."
	byItself      = "Nulla: il servizio riprova da solo. Se la segnalazione resta aperta per ore, chiamare l'assistenza PiemontePAY."
)

var troubles = map[string]Text{
	// Lists and their esiti.
	"batch.refused": {"PiemontePAY rifiuta le liste di questo ente.",
		notYetPayable, "Controllare con PiemontePAY codice fiscale dell'ente, codice versamento e abilitazioni. Le richieste non sono perse e ripartono da sole."},
	"batch.later": {"PiemontePAY non può elaborare ora una lista.", notYetPayable, byItself},
	"batch.unanswered": {"PiemontePAY non risponde da circa un'ora all'invio di una lista.",
		notYetPayable, "Verificare la connessione e lo stato di PiemontePAY. Il servizio ripete lo stesso messaggio, che non può essere elaborato due volte."},
	"batch.overdue": {"PiemontePAY ha preso in carico una lista, ma l'esito non è arrivato.",
		notYetPayable, "Chiedere all'assistenza PiemontePAY di ritrasmettere l'esito della lista indicata."},
	"batch.already": {"PiemontePAY dichiara già elaborata una lista inviata una sola volta.",
		notYetPayable, "Se l'esito non arriva in giornata, chiedere all'assistenza PiemontePAY che cosa risulta per la lista indicata."},
	"batch.abandoned": {"L'esito di una lista non è arrivato in tempo: le posizioni sono state riproposte in un'altra lista.",
		notYetPayable, "Nulla per questa lista. Se si ripete, chiedere all'assistenza PiemontePAY perché gli esiti non vengono consegnati."},
	"platform.silent": {"Da ore PiemontePAY non consegna alcun esito a questo ente.",
		notYetPayable, "Verificare che il servizio sia raggiungibile dall'esterno, poi chiedere a PiemontePAY di riabilitare l'invio degli esiti."},
	"esito.unknown_batch": {"È arrivato l'esito di una lista che questo servizio non ha inviato.",
		noCitizen, "Comunicarlo all'assistenza: può dipendere da una copia di sicurezza ripristinata o da un altro programma che usa lo stesso ente."},
	"esito.extra_positions": {"Un esito parla di posizioni che la lista non conteneva: sono state ignorate.",
		noCitizen, "Comunicare il messaggio all'assistenza PiemontePAY."},
	"esito.missing": {"L'esito di una lista non dice che cosa è successo a una posizione.",
		"Il suo preavviso può essere pagabile oppure no.", "Verificare la posizione sul portale PiemontePAY e chiedere la ritrasmissione dell'esito."},

	// What handhelds send.
	"photo.refused": {"Una foto inviata da un palmare non è integra: non è stata conservata.",
		"Nulla: il preavviso resta valido, ma manca una prova.", "Se la foto è ancora sul palmare, farla inviare di nuovo; altrimenti controllare il palmare."},
	"photo.dropped": {"Una foto annunciata da un palmare non è mai arrivata per intero, oppure non è arrivato il suo verbale: è stata eliminata.",
		"Nulla: il preavviso resta valido, ma manca una prova.", "Verificare se il palmare ha ancora dati da trasmettere."},

	// Other programs.
	"webhook.paused": {"Un programma dell'ente, collegato per ricevere gli avvisi automatici, non risponde da giorni.",
		"Nulla direttamente; ma quel programma non sa dei pagamenti recenti: prima di sollecitare qualcuno, verificare qui.",
		"Chiamare chi gestisce quel programma; quando funziona, riattivare il webhook: riceverà tutto ciò che manca."},

	// The life of a verbale.
	"verbale.approval": {"Un operatore ha chiesto di annullare un verbale e serve l'approvazione di un'altra persona.",
		"Il verbale resta valido e pagabile finché nessuno approva.", "Un responsabile diverso da chi ha chiesto approva o ritira la richiesta."},
	"verbale.flagged": {"Un preavviso è stato accettato com'è stampato, ma importi, codici od ora non sono quelli previsti.",
		"Paga quello che c'è scritto sul preavviso che ha in mano.", "Aprire il verbale e leggere che cosa non torna. Se l'errore è a danno del cittadino, correggere l'importo alla registrazione o annullare il verbale."},
	"verbale.other_debtor": {"Il debitore è stato corretto dopo che quello precedente era già su PiemontePAY, che non lo lascia cambiare.",
		"Chi non c'entra può vedere l'avviso tra i propri; l'importo e il codice restano validi.", "Se il precedente non deve vederlo, annullare il verbale oppure chiedere la correzione all'assistenza PiemontePAY."},

	// Codes.
	"code.no_number": {"PiemontePAY ha creato un codice, ma il numero avviso comunicato non è utilizzabile.",
		"Nulla: il codice non è su alcun preavviso.", "Verificare la posizione sul portale PiemontePAY e annullarla, se esiste."},
	"code.orphan": {"Un codice esiste su PiemontePAY, ma il suo numero non ci è mai arrivato.",
		"Nulla: il codice vale zero, non è pagabile e non è su alcun preavviso.", "Importare dal portale l'elenco degli IUV della lista (pagina Codici), oppure annullare il codice."},
	"code.refused": {"PiemontePAY ha rifiutato di creare dei codici.",
		"Nulla per chi ha già un preavviso. Se la scorta finisce, gli agenti non possono stamparne altri.", "Se si ripete, controllare con PiemontePAY la configurazione dell'ente. Altri codici vengono chiesti da soli."},
	"code.spoiled": {"Un palmare dice che un preavviso è rovinato, sbagliato o smarrito.",
		"Se il foglio è comunque su un parabrezza, chi lo trova può provare a pagarlo.", "Chiedere all'agente che fine ha fatto il foglio; se è certo che non circola, annullare il codice."},
	"code.void_on_paper": {"Un palmare ha trasmesso un preavviso stampato su un codice che l'ufficio aveva annullato: è stato rifiutato.",
		"Ha in mano un preavviso che non può pagare.", "Recuperare i dati dal palmare, che li conserva, e fare un nuovo verbale; oppure annullare in autotutela, avvisando l'interessato."},
	"device.silent": {"Un palmare non si fa sentire da giorni: i codici che aveva in mano sono stati messi da parte e non saranno dati ad altri.",
		"Se un codice è su un preavviso non ancora trasmesso, non è ancora pagabile.", "Cercare il palmare e accenderlo dove c'è rete: ciò che ha stampato viene accettato. Se è perso, revocarlo. Annullare i codici solo quando è certo che non sono su carta."},

	// Changes.
	"change.refused": {"PiemontePAY ha rifiutato una modifica della posizione.",
		"Se era l'attivazione, il preavviso non è pagabile; se era un aggiornamento, resta pagabile con l'importo di prima.", "Aprire il codice, leggere il motivo del rifiuto e correggere la posizione dal portale PiemontePAY."},
	"change.debtor_refused": {"PiemontePAY ha rifiutato i dati del debitore.",
		stillPayable, "Nulla: importo e causale vengono inviati senza debitore, che resta nel registro dell'ente."},
	"change.debtor_unsure": {"L'invio del debitore è rimasto senza risposta e la ripetizione è stata rifiutata.",
		stillPayable, "Verificare il debitore sul portale PiemontePAY: con ogni probabilità era già registrato."},
	"change.blocked": {"I dati del debitore non sono partiti: PiemontePAY ha rifiutato l'azzeramento che doveva precederli.",
		"Resta pagabile con l'importo di prima, che può essere diverso da quello del verbale.", "Verificare la posizione sul portale PiemontePAY e aggiornarla lì."},
	"change.unencodable": {"Una comunicazione non può essere scritta nel formato di PiemontePAY.",
		"Il preavviso resta com'era prima della modifica.", "Comunicare la segnalazione all'assistenza; correggere la posizione dal portale."},
	"change.unknown": {"PiemontePAY si è interrotta a metà di una modifica: può averla eseguita, oppure no.",
		"L'importo che vede può non essere quello giusto.", "Verificare sul portale PiemontePAY importo, causale e debitore. Le altre modifiche della posizione aspettano."},
	"change.configuration": {"PiemontePAY non elabora alcune posizioni per un errore di configurazione.",
		notYetPayable, "Correggere la configurazione con l'ufficio ragioneria e PiemontePAY: spesso manca l'accertamento dell'anno in corso."},
	"creditor.no_rest": {"La regola dell'ente prevede il servizio REST di PiemontePAY, che non è configurato.",
		stillPayable, "Chiedere all'amministratore di configurare le credenziali REST o di cambiare la regola."},

	// Positions.
	"position.already_paid": {"PiemontePAY dichiara pagata una posizione di cui manca ancora la notifica.",
		"Ha pagato: non va sollecitato e non gli va notificato nulla.", "Aspettare la notifica, che di solito arriva in giornata. Se resta aperta il giorno dopo, verificare sul portale."},
	"position.paid_unnotified": {"Una posizione risulta pagata da più di un giorno, ma la notifica non è mai arrivata.",
		"Ha pagato: non va sollecitato e non gli va notificato nulla.", "Verificare il pagamento sul portale e chiedere all'assistenza PiemontePAY di ritrasmettere la notifica."},
	"position.already_void": {"PiemontePAY dichiara annullata una posizione.",
		"Non può più pagare con questo avviso, e l'avviso non può tornare valido.", "Verificare chi l'ha annullata. Se la sanzione è ancora dovuta serve un nuovo avviso."},

	// Payments.
	"payment.unknown_iuv": {"È arrivato un pagamento per un numero che non è tra i nostri codici.",
		moneySafe, "Cercare la posizione sul portale PiemontePAY e capire a quale atto si riferisce."},
	"payment.double": {"Lo stesso avviso è stato pagato più di una volta.",
		"Ha pagato due volte: ha diritto al rimborso.", "Verificare le ricevute e avviare il rimborso di quanto pagato in più."},
	"payment.both_codes": {"Sono stati pagati tutti e due gli avvisi dello stesso verbale.",
		"Ha pagato due volte: ha diritto al rimborso.", "Verificare le ricevute e avviare il rimborso di quanto pagato in più."},
	"payment.unexpected": {"È arrivato un pagamento per un codice che non risulta su alcun preavviso.",
		moneySafe, "Cercare il preavviso cartaceo presso l'agente. Se il palmare lo trasmette in ritardo, il collegamento è automatico."},
	"payment.short": {"È stato pagato meno del dovuto nel giorno del pagamento.",
		"Crede di aver chiuso, ma il verbale è ancora aperto per la differenza.", "Decidere se chiedere la differenza: sullo stesso avviso non può più essere pagata."},
	"payment.over": {"È stato pagato più del dovuto nel giorno del pagamento.",
		"Ha chiuso il verbale e ha diritto alla differenza.", "Valutare il rimborso della differenza."},
	"payment.cancelled": {"È arrivato un pagamento per un verbale annullato.",
		"Ha pagato ciò che non doveva più: ha diritto al rimborso.", "Avviare il rimborso."},
	"payment.void_code": {"È arrivato un pagamento per un codice che era stato annullato.",
		moneySafe, "Controllare perché il codice era annullato; se l'importo non era dovuto, rimborsare e registrare il rimborso."},
	"payment.after_refund": {"È arrivato un pagamento per una multa già rimborsata.",
		"Ha pagato di nuovo dopo avere ricevuto indietro i soldi.", "Guardare tutti i movimenti del verbale e decidere se rimborsare anche questo."},
	"payment.unknown_creditor": {"È arrivato un pagamento intestato a un ente che questo servizio non conosce.",
		"Ha pagato a un altro ente.", "Avvisare l'assistenza PiemontePAY, che ha inviato la notifica all'indirizzo sbagliato."},
	"refund.due": {"È stato annullato un verbale che era già stato pagato.",
		"Ha pagato una multa che non esiste più: ha diritto al rimborso.", "Disporre il rimborso e registrarlo con gli estremi del mandato: la segnalazione si chiude da sola."},
	"export.recall": {"Un atto messo in un elenco da notificare è stato pagato o annullato.",
		"Se l'atto parte lo stesso, riceve una multa già pagata o che non esiste più, con le spese.", "Togliere l'atto dall'invio, o avvisare chi stampa e spedisce; poi chiudere scrivendo che cosa si è fatto."},
	"payment.changed": {"Lo stesso pagamento è stato notificato con due importi diversi.",
		moneySafe, "Confrontare con la ricevuta sul portale PiemontePAY. Vale il primo importo finché l'ufficio non decide."},
	"notice.mismatch": {"In una notifica i totali non corrispondono ai pagamenti elencati.",
		"I pagamenti elencati sono registrati; uno potrebbe mancare.", "Confrontare l'elenco con il portale PiemontePAY."},
	"notice.unread": {"In una notifica alcuni pagamenti non sono leggibili.",
		"Può aver pagato senza che il verbale risulti chiuso: non sollecitare prima di aver verificato.", "Verificare i pagamenti sul portale e comunicare il messaggio all'assistenza."},

	// Receipts and revocations.
	"revocation.requested": {"Una banca chiede di revocare un pagamento.",
		"La somma potrebbe tornargli; il verbale resta com'è finché l'ufficio non decide.", "Verificare la richiesta con PiemontePAY e la ragioneria e decidere se accettarla."},
	"receipt.unknown_iuv": {"È arrivata una ricevuta per un numero che non è tra i nostri codici.",
		noCitizen, "Cercare la posizione sul portale PiemontePAY: può essere di un altro ufficio dell'ente."},
	"message.partly_unread": {"Una parte di un messaggio di PiemontePAY non è leggibile; il resto è registrato.",
		"Di solito nulla: le parti illeggibili non chiudono e non riaprono verbali.", "Aprire il messaggio e comunicarlo all'assistenza."},

	// Flows.
	"accounting.never_notified": {"Un pagamento è nella rendicontazione, ma non è mai stato notificato.",
		"Ha pagato, ma il suo verbale risulta ancora aperto: non va sollecitato.", "Verificare sul portale e chiedere di ripetere la notifica; la segnalazione si chiude da sola quando arriva."},
	"accounting.amount": {"L'importo in rendicontazione è diverso da quello notificato.",
		moneySafe, "Confrontare la ricevuta sul portale con le righe del flusso."},
	"accounting.revoked": {"La rendicontazione riporta un pagamento come revocato.",
		"La somma gli è tornata: il verbale potrebbe essere di nuovo da pagare.", "Verificare con PiemontePAY e decidere se riaprire la riscossione."},
	"accounting.no_rpt": {"Un flusso riporta un pagamento eseguito senza richiesta alla piattaforma.",
		"Ha pagato: non va sollecitato.", "Verificare sul portale a quale verbale si riferisce e regolarizzarlo."},
	"accounting.no_flow": {"Un pagamento notificato non è in alcun flusso dopo il tempo di attesa.",
		"Nulla: per lui il verbale è chiuso.", "Verificare con la tesoreria se la somma è arrivata. La segnalazione si chiude da sola quando arriva il flusso."},
	"flusso.totals": {"I totali di un flusso non corrispondono alle sue righe.",
		"Nulla: i verbali non cambiano per questo.", "Confrontare il flusso con il portale e con l'accredito in tesoreria."},
	"flusso.unread": {"Alcune righe di un flusso non sono leggibili.",
		"Nulla: i verbali non cambiano per questo.", "Comunicare il messaggio all'assistenza e verificare i pagamenti sul portale."},
	"flusso.changed": {"Un flusso è arrivato di nuovo con un contenuto diverso.",
		"Nulla: i verbali non cambiano per questo.", "Se il flusso era già contabilizzato, confrontarlo con la nuova versione."},

	// Messages.
	"message.unreadable": {"Un messaggio di PiemontePAY non è comprensibile.",
		"Può contenere un pagamento o la conferma di un preavviso: finché non è letto, non risultano.", "Aprire il messaggio (pagina Messaggi) e comunicarlo all'assistenza; dopo la correzione si può rielaborare."},
	"message.failed": {"Un messaggio di PiemontePAY non si è potuto elaborare dopo più tentativi.",
		"Può contenere un pagamento o la conferma di un preavviso: finché non è elaborato, non risultano.", "Rielaborare il messaggio dalla pagina Messaggi; se fallisce ancora, comunicarlo all'assistenza."},
	"message.wrong_caller": {"Un messaggio è arrivato con credenziali che non valgono per quell'ente.",
		"Può contenere un pagamento: finché non è elaborato, non risulta.", "Verificare la configurazione delle credenziali, poi rielaborare il messaggio. Se nessuno lo riconosce, segnalarlo come tentativo di accesso."},
}
