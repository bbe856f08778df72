package dispatch

// The troubles a person is told about. The strings are stored and never change
// meaning.
const (
	kindBatchRefused   = "batch.refused"         // the platform refuses our lists: configuration
	kindBatchLater     = "batch.later"           // the platform cannot take our lists now
	kindSilent         = "batch.unanswered"      // no answer to a list for long
	kindOverdue        = "batch.overdue"         // accepted, but its esito does not come
	kindAlready        = "batch.already"         // refused as a repetition, but sent once
	kindUnknownBatch   = "esito.unknown_batch"   // an esito of a list that is not ours
	kindExtra          = "esito.extra_positions" // an esito says more than was asked
	kindMissing        = "esito.missing"         // an esito says less than was asked
	kindNoNumber       = "code.no_number"
	kindOrphan         = "code.orphan" // also closed by package pool
	kindAbandoned      = "batch.abandoned"
	kindPlatformSilent = "platform.silent"
	kindNoREST         = "creditor.no_rest"
	kindDebtorUnsure   = "change.debtor_unsure"
	kindUnnotified     = "position.paid_unnotified" // closed by package payments
	kindRequestRefused = "code.refused"
	kindRefused        = "change.refused"
	kindDebtorRefused  = "change.debtor_refused"
	kindBlocked        = "change.blocked"
	kindUnencodable    = "change.unencodable"
	kindUnknown        = "change.unknown"
	kindFix            = "change.configuration"
	kindAlreadyPaid    = "position.already_paid" // closed by package payments
	kindAlreadyVoid    = "position.already_void"
)

// details are what the office reads: what happened, what it means, what to do.
var details = map[string]string{
	kindBatchRefused:   "PiemontePAY rifiuta le liste inviate per questo ente, con il codice indicato. Le richieste non sono perse: vengono riproposte a intervalli crescenti, ma finché la causa resta i nuovi codici non arrivano e i preavvisi non diventano pagabili. Controllare con PiemontePAY codice fiscale dell'ente, codice versamento e abilitazioni.",
	kindBatchLater:     "PiemontePAY ha risposto di non poter elaborare ora una lista. Il servizio la ripropone da solo. Se la segnalazione si ripete per più di qualche ora, contattare l'assistenza di PiemontePAY con il codice indicato.",
	kindSilent:         "PiemontePAY non risponde all'invio di una lista da circa un'ora. Il servizio continua a inviare lo stesso messaggio, che non può essere elaborato due volte. Verificare la connessione e lo stato di PiemontePAY; i preavvisi della lista potrebbero non essere ancora pagabili.",
	kindOverdue:        "PiemontePAY ha preso in carico una lista ma l'esito non è arrivato. Non si sa se i codici o gli importi della lista siano stati registrati. Chiedere all'assistenza di PiemontePAY di ritrasmettere l'esito del messaggio indicato.",
	kindAlready:        "PiemontePAY dichiara già elaborata una lista che risulta inviata una sola volta. Se l'esito della lista non arriva, chiedere all'assistenza di PiemontePAY che cosa risulta per il messaggio indicato.",
	kindUnknownBatch:   "È arrivato l'esito di una lista che questo servizio non ha inviato. Il messaggio è conservato ma non è stato applicato. Può dipendere dal ripristino di una copia di sicurezza o da un altro programma che usa lo stesso ente: comunicarlo all'assistenza.",
	kindExtra:          "L'esito di una lista contiene posizioni che la lista non conteneva: sono state ignorate, le altre registrate. Il messaggio è conservato: comunicarlo all'assistenza di PiemontePAY.",
	kindMissing:        "L'esito di una lista non dice che cosa è successo a questa posizione. Può essere stata elaborata oppure no; il servizio non la ripropone da solo. Verificare sul portale PiemontePAY e chiedere la ritrasmissione dell'esito.",
	kindNoNumber:       "PiemontePAY ha creato un codice ma il numero avviso comunicato manca, non è valido o è già di un altro codice. Il codice non viene usato. Verificare la posizione sul portale PiemontePAY e annullarla se esiste.",
	kindOrphan:         "PiemontePAY dichiara che la posizione esiste già, ma il suo numero avviso non ci è mai arrivato. Il codice è messo da parte e ne viene richiesto un altro; la posizione vale zero e non è pagabile. Per recuperarlo, scaricare dal portale PiemontePAY l'elenco degli IUV della lista e importarlo; altrimenti annullare il codice.",
	kindAbandoned:      "L'esito di una o più liste non è arrivato entro il tempo massimo. Il servizio ripropone le stesse posizioni in una lista nuova: quelle già elaborate risulteranno tali. Se la segnalazione si ripete, chiedere all'assistenza di PiemontePAY perché gli esiti non vengono consegnati.",
	kindPlatformSilent: "Da ore PiemontePAY non consegna alcun esito a questo ente, mentre ci sono liste in attesa. È probabile che l'invio degli esiti verso l'ente sia stato disabilitato su PiemontePAY, o che il nostro indirizzo non sia raggiungibile. Verificare che il servizio sia raggiungibile dall'esterno, poi chiedere all'assistenza di PiemontePAY di riabilitare l'invio degli esiti dell'applicativo. Nel frattempo i preavvisi stampati possono non essere pagabili.",
	kindNoREST:         "La regola dell'ente prevede di inviare il debitore con il servizio REST di PiemontePAY, ma per questo ente non è configurato. Importo e causale vengono inviati senza debitore, che resta nel registro dell'ente. Configurare le credenziali REST o cambiare la regola.",
	kindDebtorUnsure:   "Un invio dei dati del debitore è rimasto senza risposta e la ripetizione è stata rifiutata: con ogni probabilità il debitore era già stato registrato al primo invio. Importo e causale vengono inviati di nuovo. Verificare il debitore sul portale PiemontePAY.",
	kindUnnotified:     "PiemontePAY dichiara pagata la posizione da più di un giorno, ma la notifica del pagamento non è mai arrivata. Verificare il pagamento sul portale e chiedere all'assistenza di PiemontePAY la ritrasmissione della notifica.",
	kindRequestRefused: "PiemontePAY ha rifiutato di creare uno o più codici, con il codice di errore indicato. I codici sono ritirati e ne vengono richiesti altri. Se la segnalazione si ripete la scorta si esaurisce: controllare con PiemontePAY la configurazione dell'ente.",
	kindRefused:        "PiemontePAY ha rifiutato una modifica della posizione. Sulla posizione resta quello che c'era prima: se era l'attivazione, il preavviso non è pagabile; se era un aggiornamento, resta pagabile con l'importo precedente. Verificare la posizione sul portale e correggerla lì.",
	kindDebtorRefused:  "PiemontePAY ha rifiutato i dati del debitore. Importo e causale vengono inviati di nuovo senza debitore, così il preavviso resta pagabile; il debitore rimane nel registro dell'ente. Nessuna azione necessaria, salvo voler inserire il debitore dal portale.",
	kindBlocked:        "L'aggiornamento con i dati del debitore non è stato inviato perché PiemontePAY ha rifiutato l'azzeramento che doveva precederlo. La posizione resta con l'importo precedente e senza debitore. Verificarla sul portale e, se serve, aggiornarla lì.",
	kindUnencodable:    "Una comunicazione non può essere scritta nel formato di PiemontePAY e non verrà inviata. Comunicare la segnalazione all'assistenza: la posizione va corretta dal portale.",
	kindUnknown:        "PiemontePAY ha fallito a metà una modifica: può averla eseguita tutta, in parte o per niente. Il servizio non la ripete e trattiene le modifiche successive della stessa posizione. Verificare sul portale importo, causale e debitore e correggerli lì.",
	kindFix:            "PiemontePAY non può elaborare alcune posizioni per un errore di configurazione, con il codice indicato (spesso manca l'accertamento dell'anno in corso). Il servizio le ripropone da solo a intervalli crescenti. Correggere la configurazione con l'ufficio ragioneria e PiemontePAY.",
	kindAlreadyPaid:    "PiemontePAY dichiara già pagata la posizione, ma la notifica del pagamento non è ancora arrivata. Di solito arriva in giornata e questa segnalazione si chiude da sola. Se resta aperta il giorno dopo, verificare il pagamento sul portale.",
	kindAlreadyVoid:    "PiemontePAY dichiara annullata la posizione: il preavviso non è più pagabile e non può essere riattivato. Verificare chi l'ha annullata; se la sanzione è ancora dovuta serve un nuovo avviso.",
}
