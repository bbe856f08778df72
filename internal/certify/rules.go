package certify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Rule is one thing a device must do. Its texts are for its makers.
type Rule struct {
	ID    string
	Title string
	Why   string // what goes wrong otherwise
	Does  string // what the kit does
	Pass  string // what must be seen
	Mild  bool   // not keeping it costs bytes, not fines: a warning

	// One of the two. play makes a scene and returns what the device did wrong.
	// judge looks at all exchanges; looked is how many of them concern it.
	play  func(context.Context, *session) ([]string, error)
	judge func(*kit) (wrong []*exchange, looked int)
}

// The limits of the rules, and why they are where they are.
const (
	// enrolTries: a person who types a code wrongly sees the answer; a device that
	// tries by itself guesses.
	enrolTries, enrolWatch = 3, 20 * time.Second
	// challengeTries: the first request after a restart, and two under way.
	challengeTries = 3
	// shortTries: the block, and the next one that a warden may ask for at once.
	shortTries, shortWatch = 2, 30 * time.Second
	// emptyTries: the pool fills in minutes.
	emptyTries, emptyWatch = 6, 60 * time.Second
	// revokedTries: what was under way, and one look a minute.
	revokedTries, revokedWatch = 10, 60 * time.Second
	// clockMargin is what the service accepts from the future.
	clockMargin = 15 * time.Minute
	// early forgives a Retry-After that is counted from when the request was sent.
	early = 500 * time.Millisecond

	retry503, retry429 = 20, 12 // seconds

	offlineSlips = 3
)

const (
	enrolExpired = "C01"
	enrolLost    = "C02"
	ruleStrange  = "C23"
	ruleRevoked  = "C26"
	rulePin      = "C46"
)

// last are the scenes after which the device has to be enrolled again, or may be lost
// to the kit: they are played after all others.
var last = []string{rulePin, ruleRevoked}

// Rules is the table, in the order in which they are tried, but for [last]. An id
// never changes its meaning.
func Rules() []Rule { return append(firstRules(), shiftRules()...) }

func firstRules() []Rule {
	return []Rule{
		{ID: enrolExpired, Title: "Codice di attivazione scaduto",
			Why:  "Un palmare che insiste con un codice rifiutato consuma rete e fa sembrare il servizio guasto.",
			Does: "Consegna un codice di attivazione scaduto.",
			Pass: "Dopo il rifiuto (403) il palmare si ferma: al massimo 3 tentativi in 20 secondi.", play: playExpired},
		{ID: enrolLost, Title: "Attivazione: risposta persa",
			Why:  "Se il palmare cambia chiave tra un tentativo e l'altro resta fuori: il codice vale una volta sola.",
			Does: "Registra il palmare e interrompe la connessione prima della risposta.",
			Pass: "La richiesta è ripetuta con lo stesso codice e la stessa chiave, fino alla risposta.", play: playEnrolLost},
		{ID: "C03", Title: "Blocco di codici: risposta persa",
			Why:  "Una richiesta con un altro id affida un secondo blocco: il primo resta bloccato per sempre.",
			Does: "Affida il blocco e interrompe la connessione prima della risposta.",
			Pass: "La richiesta è ripetuta con lo stesso id e la stessa quantità, prima di ogni altra richiesta di codici.", play: playLeaseLost},
		{ID: "C04", Title: "Servizio ripartito",
			Why:  "Dopo un riavvio il servizio chiede un nuovo codice di sessione: chi non lo usa resta muto fino a sera.",
			Does: "Riavvia il servizio.",
			Pass: "Il palmare firma di nuovo con il codice ricevuto (auth.challenge): il preavviso è caricato con al massimo 3 rifiuti.", play: playRestart},
		{ID: "C05", Title: "Orologio del servizio avanti di un giorno",
			Why:  "L'ora che conta è quella del servizio: con un'altra le firme sono rifiutate e i preavvisi portano una data sbagliata.",
			Does: "Sposta avanti di 24 ore l'ora del servizio (Date, server_time).",
			Pass: "Il palmare corregge la propria ora, firma di nuovo, e la data del preavviso è quella del servizio.", play: playSkew(24 * time.Hour)},
		{ID: "C06", Title: "Orologio del servizio indietro di un giorno",
			Why:  "L'ora che conta è quella del servizio: un preavviso datato nel futuro è rifiutato.",
			Does: "Sposta indietro di 24 ore l'ora del servizio.",
			Pass: "Il palmare corregge la propria ora, firma di nuovo, e la data del preavviso è quella del servizio.", play: playSkew(-24 * time.Hour)},
		upload("C07", "Preavviso: risposta persa", "Chi crede caricato ciò per cui non ha avuto risposta, prima o poi perde un preavviso.",
			"Salva il preavviso e interrompe la connessione prima della risposta.", mishap{kind: lost}, 1, nil),
		upload("C08", "Preavviso: connessione interrotta", "È il caso più comune per strada.",
			"Interrompe la connessione due volte senza leggere la richiesta.", mishap{kind: reset}, 2, nil),
		upload("C09", "Preavviso: errore 500", "Un guasto del servizio non dice nulla del preavviso.",
			"Risponde 500 due volte.", mishap{kind: status, status: http.StatusInternalServerError}, 2, nil),
		upload("C10", "Preavviso: 503 con Retry-After", "Chi non attende impedisce al servizio di riprendersi.",
			fmt.Sprintf("Risponde 503 con Retry-After: %d.", retry503), mishap{kind: status, status: http.StatusServiceUnavailable, retryAfter: retry503}, 1, patient(retry503)),
		upload("C11", "Preavviso: 429 con Retry-After", "Il servizio dice quando può: prima non risponde a nessuno.",
			fmt.Sprintf("Risponde 429 con Retry-After: %d.", retry429), mishap{kind: status, status: http.StatusTooManyRequests, retryAfter: retry429}, 1, patient(retry429)),
		upload("C12", "Preavviso: risposta troncata", "Una risposta a metà non è una risposta.",
			"Salva il preavviso e tronca la risposta a metà.", mishap{kind: half}, 1, nil),
		upload("C13", "Preavviso: pagina web al posto della risposta", "Le reti degli ospiti rispondono 200 con la propria pagina: chi guarda solo lo stato perde il preavviso.",
			"Risponde 200 con una pagina HTML, senza salvare il preavviso.", mishap{kind: page}, 1, nil),
		upload("C14", "Preavviso: risposta dopo 30 secondi", "Una risposta che tarda può non arrivare mai.",
			"Salva il preavviso e risponde dopo 30 secondi.", mishap{kind: late}, 1, nil),
		upload("C15", "Preavviso: risposta lentissima", "Un'attesa senza limite ferma anche i preavvisi successivi.",
			"Salva il preavviso e manda la risposta a pezzi, in 40 secondi.", mishap{kind: slow}, 1, nil),
		upload("C16", "Preavviso: richiesta consegnata due volte", "La rete può consegnare due volte la stessa richiesta: la seconda copia è rifiutata (auth.replayed), la prima può essere andata persa.",
			"Elabora due volte la richiesta e dà la seconda risposta, 401 auth.replayed.", mishap{kind: twice}, 1, nil),
		{ID: "C17", Title: "Risposta scritta due volte",
			Why:  "La seconda copia non è la risposta alla richiesta successiva: chi la prende per tale perde il preavviso successivo.",
			Does: "Scrive due volte la risposta sulla stessa connessione, poi non legge più.",
			Pass: "Anche il preavviso successivo è caricato.", play: playDouble},
		{ID: "C18", Title: "Campi JSON sconosciuti",
			Why:  "Il contratto può crescere: un campo in più non deve fermare i palmari in servizio.",
			Does: "Aggiunge campi nuovi a ogni oggetto di ogni risposta.",
			Pass: "Il palmare ottiene un blocco e carica un preavviso con una sola richiesta.", play: playExtended},
		{ID: "C19", Title: "Senza rete a lungo",
			Why:  "In galleria, in valle, con la SIM esaurita: si stampa, si conserva, si carica dopo.",
			Does: "Interrompe ogni connessione per il tempo stabilito, mentre si stampano 3 preavvisi.",
			Pass: "Tornata la rete, tutti e tre sono caricati.", play: playOffline},
		{ID: "C20", Title: "Alimentazione tolta dopo la stampa",
			Why:  "Il foglio è in mano al cittadino: ciò che è stampato deve essere già sul disco.",
			Does: "Interrompe ogni connessione, fa stampare un preavviso e togliere l'alimentazione.",
			Pass: "Tornata la rete, il preavviso è caricato.", play: playPowerCut},
		{ID: "C21", Title: "Foglio rovinato: risposta persa",
			Why:  "Un codice rovinato e non segnalato resta aperto; usato di nuovo, paga la persona sbagliata.",
			Does: "Registra la segnalazione e interrompe la connessione prima della risposta.",
			Pass: "La segnalazione è ripetuta uguale fino alla risposta, e il codice non è su altri preavvisi.", play: playSpoil},
		{ID: "C22", Title: "Fine turno: risposta persa",
			Why:  "Restituire due volte con id diversi può togliere al palmare codici appena riaffidati.",
			Does: "Riprende i codici e interrompe la connessione prima della risposta.",
			Pass: "La restituzione è ripetuta con lo stesso id e gli stessi codici fino alla risposta, e non contiene codici già stampati.", play: playGiveBack},
		{ID: ruleStrange, Title: "Stato di un codice sconosciuto",
			Why:  "Si stampa solo ciò che è «assigned»: uno stato nuovo può voler dire «non stampare».",
			Does: "Affida un blocco in cui il primo codice ha uno stato che il contratto non prevede.",
			Pass: "Il preavviso successivo usa un altro codice.", play: playStrange},
		{ID: "C24", Title: "Blocco più piccolo di quanto chiesto",
			Why:  "Quando la scorta è corta bastano i codici ricevuti: insistere toglie gli ultimi agli altri.",
			Does: "Lascia nella scorta 2 codici soli.",
			Pass: "Al massimo 2 richieste di codici nei 30 secondi che seguono la prima.", play: playShort},
		{ID: "C25", Title: "Scorta vuota",
			Why:  "I codici arrivano in qualche minuto: insistere non li fa arrivare prima.",
			Does: "Vuota la scorta, poi la riempie.",
			Pass: "Al massimo 6 richieste nei 60 secondi che seguono il rifiuto (409 pool.empty); riempita la scorta, il palmare ottiene i codici.", play: playEmpty},
		{ID: ruleRevoked, Title: "Palmare revocato",
			Why:  "Un palmare smarrito o revocato che stampa ancora fa multe che nessuno può incassare.",
			Does: "Revoca il palmare.",
			Pass: "Dopo il primo 401 il palmare non stampa altri preavvisi e si ferma: al massimo 10 richieste in 60 secondi.", play: playRevoked},

		{ID: "C27", Title: "Firma di ogni richiesta",
			Why:  "Una richiesta senza firma valida può essere di chiunque.",
			Does: "Verifica ogni firma come il servizio.",
			Pass: "Nessuna richiesta senza firma, con firma non valida, con parti scoperte o con un Content-Digest sbagliato.", judge: judgeSigned},
		{ID: "C28", Title: "Nonce mai ripetuto",
			Why:  "Con un nonce ripetuto chi ascolta può ripetere la richiesta.",
			Does: "Confronta i nonce di tutte le richieste.",
			Pass: "Nessun nonce due volte, salvo la copia esatta di una richiesta rimasta senza risposta.", judge: judgeNonces},
		{ID: "C29", Title: "Nessun dato personale o segreto negli indirizzi",
			Why:  "Gli indirizzi finiscono nei registri di proxy e operatori.",
			Does: "Cerca in ogni indirizzo targhe, matricole, token e codici di attivazione.",
			Pass: "Nessuno.", judge: judgeTargets},
		{ID: "C30", Title: "Identificativi UUIDv7",
			Why:  "Gli id cominciano con l'ora e non si ripetono in tutta la regione.",
			Does: "Legge l'id di ogni preavviso, blocco e restituzione.",
			Pass: "32 cifre esadecimali minuscole, versione 7, variante RFC 9562, ora del palmare.", judge: judgeIDs},
		{ID: "C31", Title: "Importi in centesimi interi",
			Why:  "29.4, \"29,40\" e 29.40 euro sono tre modi di chiedere la somma sbagliata.",
			Does: "Legge gli importi come sono scritti.",
			Pass: "Ogni importo è un numero intero positivo, senza virgola e senza virgolette, e gli importi crescono.", judge: judgeCents},
		{ID: "C32", Title: "Corpi secondo il contratto",
			Why:  "Un campo non previsto o mancante è una richiesta che il servizio non capisce.",
			Does: "Controlla ogni corpo con openapi.yaml.",
			Pass: "Nessuna richiesta rifiutata con 400, 413, 415 o 422 per la sua forma.", judge: judgeContract},
		{ID: "C33", Title: "Un codice, un preavviso",
			Why:  "Due fogli con lo stesso codice: uno dei due cittadini paga per l'altro.",
			Does: "Confronta i codici di tutti i preavvisi.",
			Pass: "Nessun codice su due preavvisi.", judge: judgeOnce},
		{ID: "C34", Title: "Solo codici affidati",
			Why:  "Un codice che non è stato affidato è di qualcun altro, o di nessuno.",
			Does: "Confronta preavvisi e segnalazioni con i blocchi affidati.",
			Pass: "Nessun codice, e nessuna coppia di codice e posizione, che non sia di un blocco affidato.", judge: judgeLent},
		{ID: "C35", Title: "Prima i codici più vecchi",
			Why:  "Un codice affidato scade: chi usa i nuovi butta i vecchi.",
			Does: "Confronta l'ordine dei preavvisi con quello dei codici affidati.",
			Pass: "I codici sono usati nell'ordine in cui sono stati affidati.", judge: judgeOrder},
		{ID: "C36", Title: "Nessun martellamento",
			Why:  "Mille palmari che insistono insieme fermano il servizio proprio quando torna.",
			Does: "Conta le ripetizioni di ogni richiesta.",
			Pass: "La stessa richiesta al massimo 10 volte in 5 secondi e 30 in un minuto, anche senza rete.", judge: judgeRate},
		{ID: "C37", Title: "Caricato una volta sola",
			Why:  "Chi ripete ciò che ha già avuto risposta non ricorda: un giorno stamperà due volte.",
			Does: "Cerca ripetizioni di preavvisi che hanno avuto risposta 200.",
			Pass: "Nessuna.", judge: judgeUploadedOnce},
		{ID: "C38", Title: "Stesso id, stesso contenuto",
			Why:  "Una ripetizione diversa dall'originale è rifiutata (409): il preavviso sul foglio e quello registrato non sono più lo stesso.",
			Does: "Confronta le ripetizioni di ogni preavviso, blocco, segnalazione e restituzione.",
			Pass: "Ogni ripetizione dice esattamente la stessa cosa.", judge: judgeSame},
	}
}

func playExpired(ctx context.Context, s *session) ([]string, error) {
	_, code, err := s.service.invite(ctx, true)
	if err != nil {
		return nil, err
	}
	done, err := s.ask(ctx, Action{Verb: Enrol, Server: s.server, Code: code})
	if err != nil {
		return nil, err
	}
	if !done {
		return nil, notRun{"Il palmare non ha permesso l'attivazione."}
	}
	tries := func() (n int) {
		for _, e := range s.seen(opEnrol) {
			if e.fields.Code == code && e.code == "enrolment.expired" {
				n++
			}
		}
		return n
	}
	ok, err := s.until(ctx, s.wait, func() bool { return tries() > 0 })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notRun{"Il palmare non ha tentato l'attivazione."}
	}
	many, err := s.until(ctx, enrolWatch, func() bool { return tries() > enrolTries })
	if many {
		return failf("Più di %d tentativi con un codice scaduto in %v.", enrolTries, enrolWatch), err
	}
	return nil, err
}

func playEnrolLost(ctx context.Context, s *session) ([]string, error) {
	s.set(opEnrol, 1, mishap{kind: lost})
	first, err := s.enrol(ctx)
	if errors.Is(err, errNotEnrolled) {
		return failf("La richiesta di attivazione non è stata ripetuta fino alla risposta."), nil
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.seen(opEnrol) {
		if e.fields.Code == s.key && e.fields.PublicKey != first.fields.PublicKey {
			return failf("L'attivazione è stata ripetuta con un'altra chiave."), nil
		}
	}
	return nil, nil
}

func playLeaseLost(ctx context.Context, s *session) ([]string, error) {
	if err := s.service.setPool(ctx, poolSize); err != nil {
		return nil, err
	}
	s.set(opLease, 1, mishap{kind: lost})
	if err := s.do(ctx, Block, blockSize); err != nil {
		return nil, err
	}
	other := false
	ok, err := s.until(ctx, s.wait, func() bool {
		first := s.hit(opLease)
		if first == nil || !s.answered(first) {
			return false
		}
		for _, e := range s.seen(opLease) {
			if e.fields.ID == first.fields.ID && e.stored() {
				break
			}
			other = other || e.fields.ID != first.fields.ID
		}
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case !ok && s.untouched(opLease):
		return nil, notRun{"Il palmare non ha chiesto codici."}
	case !ok:
		return failf("La richiesta del blocco non è stata ripetuta fino alla risposta."), nil
	case other:
		return failf("Prima di ripetere la richiesta il palmare ne ha fatta un'altra, con un altro id."), nil
	}
	return nil, nil
}

// untouched reports whether the planned fault never happened.
func (s *session) untouched(op string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hit(op) == nil
}

// slips has n slips printed and waits until they are stored.
func (s *session) slips(ctx context.Context, n int) (bool, error) {
	if err := s.do(ctx, Slip, n); err != nil {
		return false, err
	}
	return s.until(ctx, s.wait, func() bool { return s.stored() >= n })
}

func playRestart(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	s.service.restart()
	ok, err := s.slips(ctx, 1)
	if err != nil {
		return nil, err
	}
	if !ok {
		return failf("Dopo il riavvio del servizio il preavviso non è stato caricato."), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.seen("") {
		if e.code == "auth.challenge" {
			n++
		}
	}
	if n > challengeTries {
		return failf("%d richieste con il codice di sessione di prima del riavvio.", n), nil
	}
	return nil, nil
}

func playSkew(d time.Duration) func(context.Context, *session) ([]string, error) {
	return func(ctx context.Context, s *session) (wrong []string, err error) {
		if err := s.need(ctx, 1); err != nil {
			return nil, err
		}
		call := func() (bool, error) {
			s.mu.Lock()
			from := len(s.exchanges)
			s.mu.Unlock()
			if err := s.do(ctx, Sync, 0); err != nil {
				return false, err
			}
			return s.until(ctx, s.wait, func() bool {
				for _, e := range s.exchanges[from:] {
					if e.stored() {
						return true
					}
				}
				return false
			})
		}
		s.service.setSkew(d)
		defer func() {
			s.service.setSkew(0)
			if _, e := call(); err == nil && e != nil && !errors.As(e, new(notRun)) {
				err = e
			}
		}()
		heard, err := call()
		if err != nil {
			return nil, err
		}
		if !heard {
			return failf("Il palmare non ha corretto la propria ora: nessuna richiesta è stata accettata."), nil
		}
		ok, err := s.slips(ctx, 1)
		if err != nil {
			return nil, err
		}
		if !ok {
			return failf("Il preavviso non è stato caricato con l'ora del servizio."), nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.seen(opIssue) {
			at, err := time.Parse(time.RFC3339, e.fields.IssuedAt)
			if e.stored() && (err != nil || at.Sub(e.at.Add(e.skew)).Abs() > clockMargin) {
				return failf("La data del preavviso non è quella del servizio."), nil
			}
		}
		return nil, nil
	}
}

// upload is a rule about one slip whose upload goes wrong in some way. more looks at
// the requests for it, the first of which met the fault.
func upload(id, title, why, does string, m mishap, times int, more func([]*exchange) []string) Rule {
	pass := "Il preavviso è ripetuto con lo stesso id e lo stesso contenuto, fino alla risposta 200."
	if more != nil {
		pass = "Il preavviso è ripetuto non prima del tempo indicato, fino alla risposta 200."
	}
	return Rule{ID: id, Title: title, Why: why, Does: does, Pass: pass, play: func(ctx context.Context, s *session) ([]string, error) {
		if err := s.need(ctx, 1); err != nil {
			return nil, err
		}
		s.set(opIssue, times, m)
		if err := s.do(ctx, Slip, 1); err != nil {
			return nil, err
		}
		ok, err := s.until(ctx, s.wait, func() bool {
			first := s.hit(opIssue)
			return first != nil && s.answered(first)
		})
		if err != nil {
			return nil, err
		}
		if !ok {
			if s.untouched(opIssue) {
				return nil, notRun{"Il palmare non ha caricato alcun preavviso."}
			}
			return failf("Il preavviso non è stato ripetuto fino alla risposta 200 entro %v.", s.wait), nil
		}
		if more == nil {
			return nil, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		var of []*exchange
		first := s.hit(opIssue)
		for _, e := range s.seen(opIssue) {
			if e.fields.ID == first.fields.ID {
				of = append(of, e)
			}
		}
		return more(of), nil
	}}
}

// patient checks that Retry-After was honoured.
func patient(seconds int) func([]*exchange) []string {
	return func(of []*exchange) []string {
		least := time.Duration(seconds)*time.Second - early
		if len(of) > 1 && of[1].at.Sub(of[0].at) < least {
			return failf("Ripetuto dopo %v invece di %d secondi.", of[1].at.Sub(of[0].at).Round(time.Millisecond), seconds)
		}
		return nil
	}
}

func playDouble(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 2); err != nil {
		return nil, err
	}
	s.set(opIssue, 1, mishap{kind: double})
	if ok, err := s.slips(ctx, 1); err != nil || !ok {
		return nil, errors.Join(err, notRun{"Il palmare non ha caricato alcun preavviso."})
	}
	if err := s.do(ctx, Slip, 1); err != nil {
		return nil, err
	}
	ok, err := s.until(ctx, s.wait, func() bool { return s.stored() >= 2 })
	if err == nil && !ok {
		return failf("Il preavviso successivo alla risposta doppia non è stato caricato."), nil
	}
	return nil, err
}

func playExtended(ctx context.Context, s *session) ([]string, error) {
	if err := s.service.setPool(ctx, poolSize); err != nil {
		return nil, err
	}
	s.set("", -1, mishap{kind: change, change: func(a map[string]any) { extend(a) }})
	if err := s.do(ctx, Block, 3); err != nil {
		return nil, err
	}
	ok, err := s.until(ctx, s.wait, func() bool { return len(s.seen(opLease)) > 0 && s.answered(s.seen(opLease)[0]) })
	if err != nil {
		return nil, err
	}
	if !ok {
		return failf("Il palmare non ha ottenuto il blocco."), nil
	}
	ok, err = s.slips(ctx, 1)
	if err != nil {
		return nil, err
	}
	if !ok {
		return failf("Il preavviso non è stato caricato."), nil
	}
	if err := s.watch(ctx, shortWatch); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answered := map[string]bool{} // by what was asked
	for _, e := range s.seen("") {
		key := e.op + " " + e.fields.ID
		if (e.op == opLease || e.op == opIssue) && answered[key] {
			return failf("Una richiesta che ha avuto risposta è stata ripetuta: la risposta non è stata capita."), nil
		}
		answered[key] = answered[key] || e.stored()
	}
	return nil, nil
}

func playOffline(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, offlineSlips); err != nil {
		return nil, err
	}
	s.set("", -1, mishap{kind: reset})
	if err := s.do(ctx, Slip, offlineSlips); err != nil {
		return nil, err
	}
	if err := s.watch(ctx, s.offline); err != nil {
		return nil, err
	}
	s.clear()
	ok, err := s.until(ctx, s.wait, func() bool { return s.stored() >= offlineSlips })
	if err == nil && !ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		return failf("Dei %d preavvisi stampati senza rete ne sono stati caricati %d.", offlineSlips, s.stored()), nil
	}
	return nil, err
}

func playPowerCut(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	s.set("", -1, mishap{kind: reset})
	if err := s.do(ctx, Slip, 1); err != nil {
		return nil, err
	}
	if err := s.do(ctx, Restart, 0); err != nil {
		return nil, err
	}
	s.clear()
	ok, err := s.until(ctx, s.wait, func() bool { return s.stored() >= 1 })
	if err == nil && !ok {
		return failf("Il preavviso stampato prima di togliere l'alimentazione non è stato caricato."), nil
	}
	return nil, err
}

func playSpoil(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 2); err != nil {
		return nil, err
	}
	s.set(opSpoil, 1, mishap{kind: lost})
	if err := s.do(ctx, Spoil, 0); err != nil {
		return nil, err
	}
	var first *exchange
	ok, err := s.until(ctx, s.wait, func() bool {
		first = s.hit(opSpoil)
		return first != nil && s.answered(first)
	})
	switch {
	case err != nil:
		return nil, err
	case first == nil:
		return nil, notRun{"Il palmare non ha segnalato il foglio rovinato."}
	case !ok:
		return failf("La segnalazione non è stata ripetuta fino alla risposta."), nil
	}
	if ok, err := s.slips(ctx, 1); err != nil || !ok {
		return nil, errors.Join(err, notRun{"Dopo la segnalazione il palmare non ha caricato altri preavvisi."})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.seen(opIssue) {
		if e.fields.Position == first.fields.Position && e.at.After(first.at) {
			return failf("Il codice rovinato è su un preavviso stampato dopo la segnalazione."), nil
		}
	}
	return nil, nil
}

func playGiveBack(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	s.set(opReturn, 1, mishap{kind: lost})
	if err := s.do(ctx, GiveBack, 0); err != nil {
		return nil, err
	}
	var first *exchange
	ok, err := s.until(ctx, s.wait, func() bool {
		first = s.hit(opReturn)
		return first != nil && s.answered(first)
	})
	switch {
	case err != nil:
		return nil, err
	case first == nil:
		return nil, notRun{"Il palmare non ha restituito codici."}
	case !ok:
		return failf("La restituzione non è stata ripetuta uguale fino alla risposta."), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	printed := map[string]bool{}
	for _, e := range s.exchanges {
		if e.op == opIssue {
			printed[e.fields.Position] = true
		}
	}
	for _, p := range first.fields.Positions {
		if printed[p] {
			return failf("Sono stati restituiti codici già stampati."), nil
		}
	}
	return nil, nil
}

func playStrange(ctx context.Context, s *session) ([]string, error) {
	if err := s.service.setPool(ctx, poolSize); err != nil {
		return nil, err
	}
	older := s.free()
	s.set(opLease, -1, mishap{kind: change, change: strange})
	if err := s.do(ctx, Block, 3); err != nil {
		return nil, err
	}
	ok, err := s.until(ctx, s.wait, func() bool { return len(s.seen(opLease)) > 0 && s.answered(s.seen(opLease)[0]) })
	if err != nil {
		return nil, err
	}
	if !ok {
		return failf("Il palmare non ha ottenuto il blocco."), nil
	}
	// Older codes go first.
	used := false // a code of this block
	for n := 1; n <= older+1 && !used; n++ {
		done, err := s.ask(ctx, Action{Verb: Slip, Count: 1})
		if err != nil {
			return nil, err
		}
		if !done {
			break
		}
		if ok, err := s.until(ctx, s.wait, func() bool { return s.stored() >= n }); err != nil || !ok {
			return failf("Il preavviso non è stato caricato."), err
		}
		s.mu.Lock()
		for _, e := range s.seen(opIssue) {
			l := s.loans[e.fields.Position]
			used = used || l != nil && l.rule == s.rule.ID
			if l != nil && l.strange {
				s.mu.Unlock()
				return failf("Il preavviso usa un codice con uno stato sconosciuto."), nil
			}
		}
		s.mu.Unlock()
	}
	if !used {
		return failf("Il palmare non ha caricato un preavviso con gli altri codici del blocco."), nil
	}
	return nil, nil
}

func playShort(ctx context.Context, s *session) ([]string, error) {
	if err := s.service.setPool(ctx, 2); err != nil {
		return nil, err
	}
	if err := s.do(ctx, Block, blockSize); err != nil {
		return nil, err
	}
	ok, err := s.until(ctx, s.wait, func() bool { return len(s.seen(opLease)) > 0 && s.answered(s.seen(opLease)[0]) })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notRun{"Il palmare non ha chiesto codici."}
	}
	many, err := s.until(ctx, shortWatch, func() bool { return len(s.seen(opLease)) > shortTries })
	if many {
		return failf("Più di %d richieste di codici in %v.", shortTries, shortWatch), err
	}
	return nil, err
}

func playEmpty(ctx context.Context, s *session) ([]string, error) {
	if err := s.service.setPool(ctx, 0); err != nil {
		return nil, err
	}
	if err := s.do(ctx, Block, blockSize); err != nil {
		return nil, err
	}
	refused := func() (n int) {
		for _, e := range s.seen(opLease) {
			if e.code == "pool.empty" {
				n++
			}
		}
		return n
	}
	ok, err := s.until(ctx, s.wait, func() bool { return refused() > 0 })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notRun{"Il palmare non ha chiesto codici."}
	}
	many, err := s.until(ctx, emptyWatch, func() bool { return refused() > emptyTries })
	if err != nil {
		return nil, err
	}
	if err := s.service.setPool(ctx, poolSize); err != nil {
		return nil, err
	}
	if err := s.do(ctx, Block, blockSize); err != nil {
		return nil, err
	}
	ok, err = s.until(ctx, s.wait, func() bool {
		for _, e := range s.seen(opLease) {
			if e.stored() {
				return true
			}
		}
		return false
	})
	switch {
	case err != nil:
		return nil, err
	case many:
		return failf("Più di %d richieste di codici in %v.", emptyTries, emptyWatch), nil
	case !ok:
		return failf("Riempita la scorta, il palmare non ha ottenuto codici."), nil
	}
	return nil, nil
}

func playRevoked(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	if err := s.service.revoke(ctx, s.device); err != nil {
		return nil, err
	}
	if err := s.do(ctx, Sync, 0); err != nil {
		return nil, err
	}
	told := 0 // exchanges until the device knew
	ok, err := s.until(ctx, s.wait, func() bool {
		for i, e := range s.exchanges[s.mark:] {
			if e.given == http.StatusUnauthorized && e.code == "auth.unknown_key" {
				told = s.mark + i + 1
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notRun{"Dopo la revoca il palmare non si è collegato."}
	}
	printed, err := s.ask(ctx, Action{Verb: Refuse})
	if err != nil {
		return nil, err
	}
	if err := s.watch(ctx, revokedWatch); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]bool{}
	for _, e := range s.exchanges[:told] {
		known[e.fields.ID] = true
	}
	var wrong []string
	for _, e := range s.exchanges[told:] {
		printed = printed || e.op == opIssue && !known[e.fields.ID]
	}
	if printed {
		wrong = append(wrong, "Il palmare revocato ha stampato un preavviso.")
	}
	if n := len(s.exchanges) - told; n > revokedTries {
		wrong = append(wrong, fmt.Sprintf("%d richieste in %v dopo la revoca.", n, revokedWatch))
	}
	return wrong, nil
}
