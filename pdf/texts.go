package pdf

// The words that every preavviso carries. They are ours: the notice guide fixes
// the wording of a notified verbale, not that of a slip on a windscreen.
const (
	textTitle    = "PREAVVISO DI VIOLAZIONE"
	textSubtitle = "al Codice della Strada (D.Lgs. 30 aprile 1992, n. 285)"

	textDocumentTitle = "Preavviso di violazione al Codice della Strada" // in the file; tells nothing of the case

	textUnknownDebtor = "Trasgressore o obbligato in solido"

	textAmounts = "L'importo dipende dal giorno in cui si paga: chi incassa chiede quello dovuto in quel momento, " +
		"che può quindi essere diverso da quello stampato nel codice QR."

	textScan    = "Inquadra il codice QR con la tua app di pagamento, oppure usa il codice avviso."
	textCounter = "Pagabile negli uffici postali e sui canali fisici e digitali abilitati al bollettino."
)

// note is a short text with a heading.
type note struct{ heading, text string }

// notes are read two by two, from left to right. In the texts {ente} stands
// for the creditor's name and {informativa} for where its privacy notice is.
var notes = []note{
	{"Quando si può pagare?", "Il codice avviso è pagabile di norma entro pochi minuti dall'emissione di questo " +
		"preavviso. Se non risulta ancora attivo, riprovare più tardi."},
	{"Dove si può pagare?", "Con l'app IO, con l'app o il sito della propria banca, e negli esercizi e sportelli che " +
		"aderiscono a pagoPA: banche, ricevitorie, tabaccai, supermercati. Elenco su www.pagopa.gov.it."},
	{"Se si paga entro i termini", "Il pagamento definisce la sanzione pecuniaria, senza spese di accertamento e di " +
		"notifica."},
	{"Se non si paga", "Al proprietario del veicolo o ad altro obbligato in solido sarà notificato il verbale di " +
		"accertamento (art. 201 CdS), con l'aggiunta delle spese di accertamento e di notifica."},
	{"Si può fare ricorso?", "Contro questo preavviso non è ammesso ricorso: non è un verbale. Si può ricorrere contro " +
		"il verbale notificato, al Prefetto (art. 203 CdS) o al Giudice di Pace (art. 204-bis CdS)."},
	{"Dati personali", "{ente} tratta i dati, quale titolare, per accertare la violazione e riscuotere la sanzione (art. 6, " +
		"par. 1, lett. c ed e, Reg. UE 2016/679). Informativa completa: {informativa}."},
}

const textPrivacyAtOffice = "presso gli uffici dell'ente"
