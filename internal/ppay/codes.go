package ppay

import "preavviso/internal/multe"

// Place is where the platform said a code. The same number can mean different
// things in different places: 157, 180 to 185.
type Place string

const (
	PlaceAnswer Place = "answer" // the answer to our call: from the registry in front of the platform
	PlaceList   Place = "list"   // Result of an esito: about the whole list
	PlaceInsert Place = "insert" // CodiceEsito of one position of an EsitoInserimento
	PlaceUpdate Place = "update" // CodiceEsito of one position of an EsitoAggiornamento
	PlaceREST   Place = "rest"   // codiceEsito or result.code of the REST interface, final when it comes
)

// Explanation is what a code means, for people, and what it obliges us to do.
type Explanation struct {
	Place   Place
	Code    string // three digits
	Verdict multe.Verdict
	Meaning string // in Italian
	Citizen string // in Italian: what it means for whoever got the preavviso
	Remedy  string // in Italian: who does what
	Source  string // where the platform's own source defines it
}

// Explain returns what code means in place p. It reports false for a code the
// platform does not document there.
func Explain(p Place, code string) (Explanation, bool) {
	for _, r := range codes {
		if r.code != code {
			continue
		}
		for _, at := range r.places {
			if at == p {
				return Explanation{Place: p, Code: code, Verdict: r.verdict, Meaning: r.meaning, Citizen: citizen(p, code, r.verdict), Remedy: r.remedy, Source: r.source}, true
			}
		}
	}
	return Explanation{}, false
}

// VerdictOf returns what code obliges us to do. A code that is not in the table is
// read as the platform's own programs read it, below 100 as success, and for the
// rest such that neither money nor a code in advance is lost.
func VerdictOf(p Place, code string) multe.Verdict {
	if e, ok := Explain(p, code); ok {
		return e.Verdict
	}
	switch {
	case !threeDigits(code) || p == PlaceREST: // where only 000 is success (V1ApiImpl.java:491-505)
		return multe.VerdictUnknown
	case code < "100":
		return multe.VerdictApplied
	case p == PlaceInsert || p == PlaceUpdate:
		return multe.VerdictUnknown // it may be payable: nobody may believe that nothing happened
	case p == PlaceAnswer && code >= "200" && code < "300":
		return multe.VerdictLater
	default:
		return multe.VerdictFix
	}
}

// threeDigits reports whether s has the form of a code. The schema also wants
// the first digit to be 0, 1 or 2, which the platform does not always keep to.
func threeDigits(s string) bool {
	return len(s) == 3 && s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9'
}

type row struct {
	code    string
	places  []Place
	verdict multe.Verdict
	source  string
	meaning string
	remedy  string
}

var (
	inAnswer   = []Place{PlaceAnswer}
	inList     = []Place{PlaceList}
	inInsert   = []Place{PlaceInsert}
	inUpdate   = []Place{PlaceUpdate}
	inPosition = []Place{PlaceInsert, PlaceUpdate}
	inREST     = []Place{PlaceREST}
)

// Words that many rows share.
const (
	waitEsito  = "Nulla: si attende l'esito della lista."
	noAction   = "Nulla."
	retryAlone = "Nulla: il servizio riprova da solo. Se si ripete per più di un'ora, aprire una segnalazione all'assistenza PiemontePAY."
	ourMistake = "È un difetto di questo servizio: comunicare il codice all'assistenza del servizio."
	askRegion  = "Chiedere a PiemontePAY di verificare la configurazione dell'ente; il servizio riprova da solo."
	checkCode  = "Verificare il codice versamento dell'ente con PiemontePAY e correggerlo nella configurazione; il servizio riprova da solo."
	checkCF    = "Verificare con PiemontePAY che il codice fiscale dell'ente sia quello censito; il servizio riprova da solo."
)

// codes is everything the platform says in numbers.
//
// Sources, in regione-piemonte/piemontepay at commit c76c243: "registry" is
// epay/epaywso2services …/enumeration/IssueEnum.java; "codes" is epay/epayservices
// …/interfaces/rs/CodiciEsito.java; "insert" and "update" are …/ws/business/
// EPaywso2SportelloService/InserisciListaDiCarico.java and
// AggiornaPosizioniDebitorie.java, with lines. Which registry code reaches us as
// an answer is not public: all are here. "rest" is EsitoChiamataEsterna and
// …/business/v1/ChiamataEsternaSincronaSplitBean.java; "notice" is epay/epayapi
// …/api/impl/v1/ChiamataEsternaSincronaV1ApiImpl.java:238-313.
var codes = []row{
	// The answer to our call.
	{"000", inAnswer, multe.VerdictApplied, "registry",
		"La lista è stata presa in carico e messa in coda.", waitEsito},
	{"012", inAnswer, multe.VerdictAlready, "registry; EPaywsoBusinessServiceImpl.java:227-250",
		"Una lista con lo stesso identificativo era già arrivata; questa copia è stata registrata ugualmente.", waitEsito},
	{"100", inAnswer, multe.VerdictFix, "registry",
		"Errore applicativo generico: la lista non è stata presa in carico.", askRegion},
	{"101", inAnswer, multe.VerdictFix, "registry",
		"PiemontePAY ha giudicato la lista non conforme al proprio schema.", ourMistake},
	{"102", inAnswer, multe.VerdictFix, "registry",
		"Il codice fiscale dell'ente non è conosciuto o non è valido.", checkCF},
	{"103", inAnswer, multe.VerdictFix, "registry",
		"Il codice versamento non è conosciuto o non è valido.", checkCode},
	{"104", inAnswer, multe.VerdictFix, "registry",
		"L'applicativo dell'ente non è conosciuto o non è valido.", askRegion},
	{"105", inAnswer, multe.VerdictFix, "registry",
		"Manca la configurazione dell'applicativo per questo ente e codice versamento.", askRegion},
	{"106", inAnswer, multe.VerdictFix, "registry",
		"La configurazione dell'applicativo per questo ente e codice versamento non è univoca.", askRegion},
	{"112", inAnswer, multe.VerdictAlready, "registry",
		"Una lista con lo stesso identificativo era già arrivata.", waitEsito},
	{"118", inAnswer, multe.VerdictFix, "registry",
		"Il codice fiscale dell'ente risulta censito più volte.", checkCF},
	{"119", inAnswer, multe.VerdictFix, "registry",
		"Non è abilitato alcun tipo di richiesta per questo ente.", askRegion},
	{"120", inAnswer, multe.VerdictFix, "registry",
		"Non è disponibile alcun indirizzo a cui consegnare gli esiti.", "Chiedere a PiemontePAY di verificare l'indirizzo a cui chiama questo servizio; il servizio riprova da solo."},
	// The back end's code for a spent id. The registry has its own, but if the
	// proxy ever lets this one through, a new batch of the same positions would
	// only be answered 161: their numbers would be lost.
	{"150", inAnswer, multe.VerdictAlready, "codes; insert:608-638, update:685-709",
		"Una lista con lo stesso identificativo era già stata elaborata.", waitEsito},
	{"180", inAnswer, multe.VerdictFix, "registry", "Nella lista manca un elemento.", ourMistake},
	{"181", inAnswer, multe.VerdictFix, "registry", "Nella lista un valore è pari a zero.", ourMistake},
	{"182", inAnswer, multe.VerdictFix, "registry", "Nella lista manca un elemento obbligatorio.", ourMistake},
	{"183", inAnswer, multe.VerdictFix, "registry", "Nella lista un valore ha una lunghezza non ammessa.", ourMistake},
	{"184", inAnswer, multe.VerdictFix, "registry", "Nel registro di PiemontePAY manca una riga di configurazione.", askRegion},
	{"185", inAnswer, multe.VerdictFix, "registry", "Nel registro di PiemontePAY una riga di configurazione è ripetuta.", askRegion},
	{"200", inAnswer, multe.VerdictLater, "registry", "Errore di sistema generico: la lista non è stata presa in carico.", retryAlone},
	{"201", inAnswer, multe.VerdictLater, "registry", "PiemontePAY non è riuscita a registrare la lista.", retryAlone},
	{"203", inAnswer, multe.VerdictLater, "registry", "PiemontePAY non è riuscita ad aggiornare il proprio registro.", retryAlone},
	{"208", inAnswer, multe.VerdictLater, "registry", "PiemontePAY non è riuscita a registrare un esito.", retryAlone},

	// The whole list.
	{"000", inList, multe.VerdictApplied, "codes", "Tutte le posizioni della lista sono state elaborate.", noAction},
	{"050", inList, multe.VerdictApplied, "codes", "Solo alcune posizioni della lista sono state elaborate.", "Vedere l'esito delle singole posizioni."},
	{"051", inList, multe.VerdictApplied, "codes", "Nessuna posizione della lista è stata elaborata.", "Vedere l'esito delle singole posizioni."},
	{"150", inList, multe.VerdictAlready, "codes; insert:608-638, update:685-709",
		"L'identificativo della lista era già stato usato: una copia precedente è arrivata.", waitEsito},
	{"151", inList, multe.VerdictFix, "codes", "Il codice fiscale dell'ente non è stato trovato.", checkCF},
	{"152", inList, multe.VerdictFix, "codes", "Il codice versamento non è stato trovato.", checkCode},
	{"153", inList, multe.VerdictFix, "codes", "Il codice versamento non è univoco.", checkCode},
	{"154", inList, multe.VerdictFix, "codes", "Il numero di posizioni dichiarato non corrisponde alla lista.", ourMistake},
	{"155", inList, multe.VerdictFix, "codes", "L'importo totale dichiarato non corrisponde alla lista.", ourMistake},
	{"156", inList, multe.VerdictFix, "codes", "In una o più posizioni manca l'importo.", ourMistake},
	{"157", inList, multe.VerdictFix, "codes; insert, update: checks of the heading",
		"Il tipo di pagamento non è attivo, oppure il catalogo dei riferimenti contabili non risponde.",
		"Verificare con PiemontePAY le date di validità del tipo di pagamento e il catalogo; il servizio riprova da solo."},
	{"158", inList, multe.VerdictFix, "codes", "Il codice versamento è di un tipo che non ammette liste.", checkCode},
	{"159", inList, multe.VerdictFix, "codes", "Il codice versamento è quello della marca da bollo.", checkCode},
	{"189", inList, multe.VerdictFix, "codes", "Il codice versamento è configurato per più beneficiari, oppure la configurazione non è coerente.", askRegion},
	{"197", inList, multe.VerdictFix, "codes", "Il codice versamento è quello dei pagamenti spontanei.", checkCode},
	{"200", inList, multe.VerdictLater, "EPaywso2Sportello.java:60-116", "Errore imprevisto: nessuna posizione della lista è stata elaborata.", retryAlone},
	{"250", inList, multe.VerdictLater, "codes; MdpMultiIuvImpl.java:235-243", "PiemontePAY non è riuscita a generare i codici IUV della lista.", retryAlone},

	// One position.
	{"000", inPosition, multe.VerdictApplied, "codes", "La posizione è stata elaborata.", noAction},
	{"157", inPosition, multe.VerdictFix, "codes; insert:317-360, 527-563; update:252-300",
		"Il riferimento contabile (accertamento) dell'anno in corso manca o non è univoco nel catalogo.",
		"La ragioneria deve aggiornare sul catalogo di PiemontePAY l'accertamento dell'anno in corso; il servizio riprova da solo."},
	{"160", inPosition, multe.VerdictUnknown, "codes; insert: failure while saving",
		"Errore durante il salvataggio: la posizione potrebbe essere stata creata.",
		"Nulla: il servizio verifica da solo. Se resta così, chiedere a PiemontePAY lo stato della posizione."},
	{"161", inInsert, multe.VerdictOrphan, "codes; insert:770-799",
		"La posizione esiste già, ma il suo codice avviso non ci è mai stato comunicato.",
		"Il codice resta da parte e al suo posto ne è chiesto un altro. Per recuperarlo importare l'elenco IUV scaricato dal portale PiemontePAY."},
	{"162", inInsert, multe.VerdictRefused, "codes", "Manca l'identificativo della posizione.", ourMistake},
	{"163", inInsert, multe.VerdictRefused, "codes; insert:904-930", "Importo a zero per un debitore diverso da ANONIMO.", ourMistake},
	{"164", inInsert, multe.VerdictRefused, "codes", "Manca la causale.", ourMistake},
	{"165", inInsert, multe.VerdictRefused, "codes", "Manca il debitore.", ourMistake},
	{"166", inInsert, multe.VerdictRefused, "codes", "Il debitore non è né una persona né una ditta.", ourMistake},
	{"167", inPosition, multe.VerdictRefused, "codes", "Manca il codice fiscale del debitore.", "Completare i dati del debitore."},
	{"168", inPosition, multe.VerdictRefused, "codes", "Manca il nome del debitore.", "Completare i dati del debitore."},
	{"169", inPosition, multe.VerdictRefused, "codes", "Manca il cognome del debitore.", "Completare i dati del debitore."},
	{"170", inPosition, multe.VerdictRefused, "codes", "Manca la ragione sociale del debitore.", "Completare i dati del debitore."},
	{"172", inUpdate, multe.VerdictRefused, "codes: check commented out", "Manca la motivazione dell'annullamento.", ourMistake},
	{"173", inUpdate, multe.VerdictRefused, "codes; update:1000-1004", "Manca il tipo di aggiornamento.", ourMistake},
	{"174", inUpdate, multe.VerdictRefused, "codes", "Il tipo di aggiornamento non è conosciuto.", ourMistake},
	{"175", inUpdate, multe.VerdictUnknown, "codes; update:365-385",
		"Errore durante l'aggiornamento: la posizione potrebbe essere cambiata in parte.",
		"Nulla: il servizio ripete l'aggiornamento completo. Se resta così, chiedere a PiemontePAY lo stato della posizione."},
	{"176", inUpdate, multe.VerdictRefused, "codes", "La posizione non esiste su PiemontePAY.",
		"Verificare il codice avviso con PiemontePAY: il cittadino non può pagarlo."},
	{"177", inUpdate, multe.VerdictLater, "codes; update:528-550", "È in corso un pagamento.", "Nulla: il servizio riprova quando il pagamento è concluso."},
	{"178", inUpdate, multe.VerdictPaid, "codes; update:528-550", "La posizione risulta già pagata.", "Nulla: la notifica del pagamento è in arrivo."},
	{"179", inUpdate, multe.VerdictVoided, "codes; update:528-550", "La posizione risulta già annullata.", "Se il verbale non è annullato, emetterne un avviso con un altro codice."},
	{"180", inUpdate, multe.VerdictRefused, "codes; update:1000-1004", "Manca l'identificativo della posizione.", ourMistake},
	{"181", inUpdate, multe.VerdictFix, "codes; update:528-550",
		"La posizione è in uno stato che non ammette modifiche.", "Chiedere a PiemontePAY lo stato della posizione; il servizio riprova da solo."},
	{"182", inUpdate, multe.VerdictRefused, "codes", "L'identificativo della posizione non è univoco.", "Aprire una segnalazione all'assistenza PiemontePAY."},
	{"183", inPosition, multe.VerdictRefused, "codes", "La posizione ha più di cinque componenti o riferimenti.", ourMistake},
	{"184", inPosition, multe.VerdictRefused, "codes; update:909-972", "L'importo non corrisponde alla somma delle sue componenti.", ourMistake},
	{"185", inUpdate, multe.VerdictRefused, "codes", "Le date di validità della posizione non sono coerenti.", "Chiedere a PiemontePAY le date di validità della posizione."},
	{"186", inPosition, multe.VerdictFix, "codes: not seen in use by SOAP", "Mancano i dati specifici di riscossione.", "La ragioneria deve verificare l'accertamento sul catalogo di PiemontePAY; il servizio riprova da solo."},
	{"187", inInsert, multe.VerdictRefused, "codes",
		"La fine della validità chiesta è già passata.", ourMistake},
	// Looked at before the state: a paid position can be answered so too.
	{"187", inUpdate, multe.VerdictExpired, "codes; update: before the check of the state",
		"La validità della posizione è scaduta. La posizione potrebbe comunque essere stata pagata.",
		"Nulla: il servizio ripete l'aggiornamento con una validità più lunga."},
	{"188", inPosition, multe.VerdictFix, "codes", "La validità della posizione non rientra in quella del tipo di pagamento.",
		"Verificare con PiemontePAY le date di validità del tipo di pagamento; il servizio riprova da solo."},
	{"189", inPosition, multe.VerdictFix, "codes", "La configurazione dei beneficiari non è coerente con la posizione.", askRegion},
	{"191", inPosition, multe.VerdictRefused, "codes", "Manca l'anno dell'accertamento in una componente.", ourMistake},
	{"192", inPosition, multe.VerdictRefused, "codes", "Manca il numero dell'accertamento in una componente.", ourMistake},
	{"193", inPosition, multe.VerdictRefused, "codes", "Un riferimento del pagamento è incompleto.", ourMistake},
	{"194", inInsert, multe.VerdictRefused, "codes", "Riferimenti non ammessi: il debitore non è ANONIMO.", ourMistake},
	{"195", inInsert, multe.VerdictRefused, "codes", "Riferimenti non ammessi: la ditta non è ANONIMO.", ourMistake},
	// Both are checked before anything is written, and on what is stored: after an
	// update with a debtor that was lost and applied, its repetition is answered so.
	{"196", inUpdate, multe.VerdictRefused, "codes; update:446-477",
		"Il debitore non può essere registrato perché l'importo è già diverso da zero, oppure il debitore è già registrato.",
		"Verificare sul portale PiemontePAY il debitore della posizione."},
	{"218", inUpdate, multe.VerdictRefused, "codes; update:446-477",
		"Il debitore è già registrato e non può più essere cambiato.",
		"Verificare sul portale PiemontePAY il debitore della posizione."},

	// REST. Nearly everything arrives as 300: the number alone does not say whether
	// the position is paid, annulled or being paid; the call for its status does.
	{"000", inREST, multe.VerdictApplied, "rest", "L'operazione è stata eseguita.", noAction},
	{"100", inREST, multe.VerdictUnknown, "rest: any exception",
		"Errore generico: l'operazione potrebbe essere stata eseguita in parte.",
		"Leggere i dati della posizione prima di ripetere l'operazione."},
	{"167", inREST, multe.VerdictRefused, "rest:1610-1635", "Manca il codice fiscale del debitore.", "Completare i dati del debitore."},
	{"168", inREST, multe.VerdictRefused, "rest:1610-1635", "Manca il nome del debitore.", "Completare i dati del debitore."},
	{"169", inREST, multe.VerdictRefused, "rest:1610-1635", "Manca il cognome del debitore.", "Completare i dati del debitore."},
	{"170", inREST, multe.VerdictRefused, "rest:1610-1635", "Manca la ragione sociale del debitore.", "Completare i dati del debitore."},
	{"171", inREST, multe.VerdictRefused, "codes; rest: testField", "Manca lo IUV.", ourMistake},
	{"180", inREST, multe.VerdictRefused, "rest: testField", "Manca l'identificativo della posizione.", ourMistake},
	{"189", inREST, multe.VerdictFix, "codes",
		"La funzione è disabilitata, oppure il codice versamento non ha i beneficiari della richiesta.",
		"Verificare con PiemontePAY la configurazione dei beneficiari del codice versamento e la versione dell'interfaccia."},
	{"198", inREST, multe.VerdictRefused, "codes", "Manca l'importo di una componente.", "Completare gli importi delle componenti."},
	{"200", inREST, multe.VerdictFix, "rest: validaChiamanteEsterno",
		"Il servizio non è abilitato a questa operazione per il codice versamento.",
		"Chiedere a PiemontePAY l'abilitazione del chiamante al codice versamento e all'operazione."},
	{"218", inREST, multe.VerdictRefused, "rest:1610-1635",
		"Il debitore è già registrato e non può più essere cambiato.",
		"Verificare con «preavviso ppay paymentdata» il debitore della posizione."},
	{"300", inREST, multe.VerdictFix, "rest",
		"I dati non sono coerenti con la posizione o con la configurazione: il messaggio di PiemontePAY dice quali.",
		"Leggere lo stato della posizione: se è pagata o annullata non c'è altro da fare, altrimenti correggere quanto indicato nel messaggio."},
	{"301", inREST, multe.VerdictLater, "codes", "Il servizio di PiemontePAY non è pronto.", "Riprovare più tardi."},
	{"399", inREST, multe.VerdictUnknown, "codes", "Errore interno di PiemontePAY.", "Leggere i dati della posizione prima di ripetere l'operazione."},
	{"400", inREST, multe.VerdictRefused, "notice",
		"L'avviso non può essere stampato: lo IUV non esiste, non è dell'ente o del codice versamento, oppure la posizione non è pagabile.",
		"Leggere lo stato della posizione con «preavviso ppay status»."},
	{"500", inREST, multe.VerdictLater, "notice", "PiemontePAY non è riuscita a comporre il PDF dell'avviso.", "Riprovare più tardi."},
}
