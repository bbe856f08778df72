package certify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/multe"
)

// The rules about what a shift takes along, photos, batches and messages.

const (
	// staleBy is how far the clock goes so that every lease has passed.
	staleBy = multe.DefaultLease + 24*time.Hour
	// unpinnedWatch is how long a device has to be tempted after it saw a foreign key.
	unpinnedWatch = 10 * time.Second
)

// shiftRules come after C38; an id never changes its meaning.
func shiftRules() []Rule {
	return []Rule{
		{ID: "C39", Title: "Dati del turno scaduti",
			Why:  "Dopo valid_until si sa che qualcosa è cambiato: chi stampa senza chiedere stampa gli importi di ieri.",
			Does: "Consegna dati del turno con valid_until di ieri, poi fa stampare un preavviso con la rete.",
			Pass: "Prima del preavviso il palmare richiede i dati del turno, e il preavviso è caricato.", play: playShiftOld},
		{ID: "C40", Title: "Dati del turno invariati", Mild: true,
			Why:  "Chi non usa l'ETag scarica ogni mattina ciò che ha già: con mille palmari è la rete della regione.",
			Does: "Fa iniziare il turno due volte senza che nulla cambi.",
			Pass: "La seconda richiesta ha If-None-Match e riceve 304.", play: playShiftTag},
		{ID: "C41", Title: "Importi del catalogo",
			Why:  "Gli importi sono calcolati dal servizio e pronti per la stampa: chi li calcola da sé prima o poi chiede la somma sbagliata.",
			Does: "Confronta ogni preavviso con il catalogo del suo giorno.",
			Pass: "I preavvisi hanno il codice di una violazione del catalogo, i suoi importi e il suo ultimo giorno: nessuna segnalazione amount.*.", judge: judgeAmounts},
		{ID: "C42", Title: "Lotto in parte non accolto",
			Why:  "Un lotto risponde preavviso per preavviso: chi guarda solo il 200 della risposta perde quelli non accolti.",
			Does: "Senza rete si stampano 3 preavvisi e si riavvia il palmare; poi, se arrivano in un lotto, risponde 503 per il secondo.",
			Pass: "Tutti e tre sono caricati, in lotti o uno per uno.", play: playBatch},
		{ID: "C43", Title: "Foto: risposta persa",
			Why:  "Su una rete lenta chi ricomincia da zero a ogni interruzione non finisce mai.",
			Does: "Riceve il secondo pezzo della foto e interrompe la connessione prima della risposta.",
			Pass: "La foto è completata senza ripetere i pezzi che avevano avuto risposta.", play: playPhoto},
		{ID: "C44", Title: "Foto come dichiarate",
			Why:  "Una foto che non ha l'impronta dichiarata non prova nulla: è rifiutata.",
			Does: "Confronta ogni foto con ciò che il palmare ha dichiarato.",
			Pass: "Nessuna foto rifiutata per impronta, lunghezza, tipo o pezzi sbagliati.", judge: judgePhotos},
		{ID: "C45", Title: "Affidamento scaduto",
			Why:  "Dopo Preavviso-Expires i codici possono essere stati ritirati: un preavviso in più può essere annullato.",
			Does: "Porta avanti l'ora oltre la scadenza dell'affidamento e risponde 503 a GET /v1/state.",
			Pass: "Il palmare non stampa finché /v1/state non ha risposto; dopo stampa.", play: playStale},
		{ID: rulePin, Title: "Chiave del servizio",
			Why:  "Chi accetta un'altra chiave consegna targhe e codici a chiunque stia in mezzo.",
			Does: "Mostra un codice QR con la chiave di un servizio (p) e risponde in TLS con un'altra.",
			Pass: "Il palmare si collega, riconosce che la chiave è un'altra e non manda alcuna richiesta.", play: playPin},
		{ID: "C47", Title: "Messaggio dell'ufficio: risposta persa",
			Why:  "Finché non è confermato, l'ufficio crede che nessuno lo abbia letto.",
			Does: "Scrive un messaggio, registra la conferma e interrompe la connessione prima della risposta.",
			Pass: "La conferma è ripetuta fino alla risposta.", play: playMessage},
	}
}

// heard waits until an operation has been answered n times since exchange from, as the
// service answered.
func (s *session) heard(ctx context.Context, op string, from, n int) (bool, error) {
	return s.until(ctx, s.wait, func() bool {
		got := 0
		for _, e := range s.exchanges[from:] {
			if e.op == op && e.done && e.given == e.status && (e.status == http.StatusOK || e.status == http.StatusNotModified) {
				got++
			}
		}
		return got >= n
	})
}

// here is the number of the next exchange.
func (s *session) here() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.exchanges)
}

func playShiftOld(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	if err := s.service.newShift(ctx); err != nil {
		return nil, err
	}
	yesterday := multe.DayOf(s.service.now()).Plus(-1).String()
	s.set(opShift, 1, mishap{kind: change, good: true, change: func(a map[string]any) { a["valid_until"] = yesterday }})
	if err := s.do(ctx, Shift, 0); err != nil {
		return nil, err
	}
	if ok, err := s.heard(ctx, opShift, s.mark, 1); err != nil || !ok {
		return nil, cmpErr(err, notRun{"Il palmare non ha chiesto i dati del turno."})
	}
	if err := s.service.newShift(ctx); err != nil { // so that asking again helps
		return nil, err
	}
	s.mu.Lock()
	from := slices.IndexFunc(s.exchanges[s.mark:], func(e *exchange) bool { return e.op == opShift && e.fault != "" }) + s.mark + 1
	s.mu.Unlock()
	ok, err := s.slips(ctx, 1)
	if err != nil {
		return nil, err
	}
	if !ok {
		return failf("Il preavviso non è stato caricato."), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.exchanges[from:] {
		if e.op == opShift {
			return nil, nil
		}
		if e.op == opIssue {
			break
		}
	}
	return failf("Il preavviso è stato stampato con i dati scaduti, senza richiederli."), nil
}

// cmpErr is err, or else why.
func cmpErr(err error, why notRun) error {
	if err != nil {
		return err
	}
	return why
}

func playShiftTag(ctx context.Context, s *session) ([]string, error) {
	for range 2 {
		from := s.here()
		if err := s.do(ctx, Shift, 0); err != nil {
			return nil, err
		}
		if ok, err := s.heard(ctx, opShift, from, 1); err != nil || !ok {
			return nil, cmpErr(err, notRun{"Il palmare non ha chiesto i dati del turno."})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.seen(opShift)
	if last := list[len(list)-1]; last.status != http.StatusNotModified {
		return failf("I dati del turno, invariati, sono stati scaricati di nuovo: manca If-None-Match con l'ETag ricevuto."), nil
	}
	return nil, nil
}

// judgeAmounts goes by what the service noticed. A slip without the code of a
// violation is compared with nothing: only those that have one are looked at.
func judgeAmounts(k *kit) (wrong []*exchange, looked int) {
	for _, e := range k.exchanges {
		if e.op != opIssue || e.status != http.StatusOK || e.fields.Violation.Code == "" {
			continue
		}
		looked++
		if slices.ContainsFunc(e.flags, func(f string) bool { return strings.HasPrefix(f, "amount.") }) {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

func playBatch(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, offlineSlips); err != nil {
		return nil, err
	}
	s.service.batches.Store(true)
	defer s.service.batches.Store(false)
	s.set("", -1, mishap{kind: reset})
	if err := s.do(ctx, Slip, offlineSlips); err != nil {
		return nil, err
	}
	if err := s.do(ctx, Restart, 0); err != nil { // it may believe that this service takes no batches
		return nil, err
	}
	s.set(opBatch, 1, mishap{kind: change, good: true, change: refuseSecond})
	ok, err := s.until(ctx, s.wait, func() bool { return s.stored() >= offlineSlips })
	if err == nil && !ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		return failf("Dei %d preavvisi stampati ne sono stati caricati %d: quelli non accolti non sono stati ripetuti.", offlineSlips, s.stored()), nil
	}
	return nil, err
}

// refuseSecond makes the second outcome of a batch temporary.
func refuseSecond(a map[string]any) {
	list, ok := a["verbali"].([]any)
	if !ok || len(list) < 2 {
		return
	}
	if item, ok := list[1].(map[string]any); ok {
		delete(item, "receipt")
		item["status"] = http.StatusServiceUnavailable
		item["problem"] = map[string]any{"code": "unavailable", "detail": "Guasto simulato dal kit di certificazione."}
	}
}

// items writes the slips of a batch down as if each had come alone: told is what the
// service answered, given what the device was sent.
func (k *kit) items(e *exchange, told, given []byte) {
	type outcomes struct {
		Verbali []struct {
			Status  int
			Receipt struct{ Flags []struct{ Code string } }
			Problem struct{ Code string }
		}
	}
	var sent struct{ Verbali []json.RawMessage }
	var decided, said outcomes
	for text, v := range map[*[]byte]any{&e.body: &sent, &told: &decided, &given: &said} {
		if json.Unmarshal(*text, v) != nil {
			return
		}
	}
	if len(decided.Verbali) != len(sent.Verbali) || len(said.Verbali) != len(sent.Verbali) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, body := range sent.Verbali {
		item := &exchange{ctx: e.ctx, at: e.at, skew: e.skew, rule: e.rule, op: opIssue, target: e.target, body: body, done: true,
			status: decided.Verbali[i].Status, code: decided.Verbali[i].Problem.Code, given: said.Verbali[i].Status, whole: true}
		_ = json.Unmarshal(body, &item.fields) // what is no slip the service refused
		for _, f := range decided.Verbali[i].Receipt.Flags {
			item.flags = append(item.flags, f.Code)
		}
		if item.given != item.status {
			item.fault = e.fault
		}
		if l := k.loans[item.fields.Position]; l != nil && item.status == http.StatusOK {
			l.used = true
		}
		k.exchanges = append(k.exchanges, item)
	}
}

func playPhoto(ctx context.Context, s *session) ([]string, error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	if ok, err := s.slips(ctx, 1); err != nil || !ok {
		return nil, cmpErr(err, notRun{"Il palmare non ha caricato alcun preavviso."})
	}
	s.mu.Lock()
	s.plan = plan{op: opChunk, skip: 1, left: 1, mishap: mishap{kind: lost}}
	s.mu.Unlock()
	if err := s.do(ctx, Photo, 0); err != nil {
		return nil, err
	}
	ok, err := s.until(ctx, s.wait, func() bool {
		return slices.ContainsFunc(s.exchanges[s.mark:], func(e *exchange) bool {
			return (e.op == opChunk || e.op == opPhoto || e.op == opPhotoRead) && e.stored() && (e.state == "kept" || e.state == "waiting")
		})
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	chunks := s.seen(opChunk)
	switch {
	case len(chunks) == 0:
		return nil, notRun{"Il palmare non ha mandato foto."}
	case ok && s.hit(opChunk) == nil:
		return nil, notRun{"La foto è arrivata in un pezzo solo: serve una foto di almeno 200 KB."}
	case !ok:
		return failf("La foto non è stata completata."), nil
	}
	known := map[string]int{} // how far the device knows that the photo has come
	for _, e := range chunks {
		id, at := chunkOf(e.target)
		if at+len(e.body) <= known[id] {
			return failf("Un pezzo che aveva avuto risposta è stato mandato di nuovo (dal byte %d).", at), nil
		}
		if e.stored() {
			known[id] = max(known[id], e.offset)
		}
	}
	return nil, nil
}

// chunkOf reads /v1/photos/{id}/chunks/{offset}.
func chunkOf(target string) (id string, offset int) {
	parts := strings.Split(target, "/")
	if len(parts) != 6 {
		return "", 0
	}
	offset, _ = strconv.Atoi(parts[5]) // the service refuses what is no number
	return parts[3], offset
}

func judgePhotos(k *kit) (wrong []*exchange, looked int) {
	bad := []string{"photo.wrong_hash", "photo.not_jpeg", "photo.bad_media", "photo.too_large", "photo.too_big", "photo.too_long", "photo.empty", "photo.bad_chunk", "photo.other_body", "request.bad_type"}
	for _, e := range k.exchanges {
		if e.op != opPhoto && e.op != opChunk || e.status == 0 {
			continue
		}
		looked++
		if slices.Contains(bad, e.code) {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

func playStale(ctx context.Context, s *session) (wrong []string, err error) {
	if err := s.need(ctx, 1); err != nil {
		return nil, err
	}
	s.service.setSkew(staleBy)
	defer func() {
		s.clear()
		s.service.setSkew(0)
		from := s.here()
		if e := s.do(ctx, Sync, 0); e == nil {
			_, e = s.heard(ctx, opState, from, 1)
			if err == nil {
				err = e
			}
		}
	}()
	s.set(opState, -1, mishap{kind: status, status: http.StatusServiceUnavailable, retryAfter: retry503})
	if err := s.do(ctx, Sync, 0); err != nil {
		return nil, err
	}
	ok, err := s.until(ctx, s.wait, func() bool { return s.hit(opState) != nil })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notRun{"Il palmare non ha chiesto /v1/state."}
	}
	known := s.slipIDs()
	printed, err := s.ask(ctx, Action{Verb: Refuse})
	if err != nil {
		return nil, err
	}
	if err := s.watch(ctx, settleFor); err != nil {
		return nil, err
	}
	for id := range s.slipIDs() {
		printed = printed || !known[id]
	}
	if printed {
		return failf("Il palmare ha stampato con l'affidamento scaduto, prima che /v1/state rispondesse."), nil
	}
	s.clear()
	from := s.here()
	if err := s.do(ctx, Sync, 0); err != nil {
		return nil, err
	}
	if ok, err := s.heard(ctx, opState, from, 1); err != nil || !ok {
		return failf("Il palmare non ha chiesto di nuovo /v1/state."), err
	}
	if ok, err := s.slips(ctx, 1); err != nil || !ok {
		return failf("Dopo la risposta di /v1/state il palmare non ha caricato il preavviso."), err
	}
	return nil, nil
}

// slipIDs are those of all slips that came so far.
func (s *session) slipIDs() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[string]bool{}
	for _, e := range s.exchanges {
		if e.op == opIssue {
			ids[e.fields.ID] = true
		}
	}
	return ids
}

func playPin(ctx context.Context, s *session) ([]string, error) {
	host, plain := strings.CutPrefix(s.server, "http://")
	if !plain {
		return nil, notRun{"Il kit deve essere raggiunto direttamente: con --url http://…"}
	}
	uri := fmt.Sprintf("preavviso:enrol?u=https://%s&p=%s&c=pvi_%s", host, s.tls.pin, strings.Repeat("0", 32))
	done, err := s.ask(ctx, Action{Verb: Scan, Server: uri})
	if err != nil {
		return nil, err
	}
	if !done {
		return nil, notRun{"Il palmare non ha permesso di leggere il codice QR."}
	}
	spoke := func() bool {
		return slices.ContainsFunc(s.exchanges[s.mark:], func(e *exchange) bool { return e.op == opForeign })
	}
	tried, err := s.until(ctx, s.wait, func() bool { return s.tls.hellos.Load() > 0 || spoke() })
	if err != nil {
		return nil, err
	}
	if !tried {
		return nil, notRun{"Il palmare non si è collegato in TLS."}
	}
	if bad, err := s.until(ctx, unpinnedWatch, spoke); err != nil || bad {
		return failf("Il palmare ha mandato una richiesta a un servizio con un'altra chiave."), err
	}
	return nil, nil
}

func playMessage(ctx context.Context, s *session) ([]string, error) {
	if err := s.service.write(ctx, "Messaggio di prova del kit di certificazione: confermare la lettura."); err != nil {
		return nil, err
	}
	s.set(opConfirm, 1, mishap{kind: lost})
	if err := s.do(ctx, Read, 0); err != nil {
		return nil, err
	}
	heard := func() bool {
		return slices.ContainsFunc(s.exchanges[s.mark:], func(e *exchange) bool { return e.op == opFeedback && e.stored() })
	}
	ok, err := s.until(ctx, s.wait, func() bool { return s.hit(opConfirm) != nil && s.answered(s.hit(opConfirm)) })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ok:
		return nil, nil
	case !heard():
		return failf("Il palmare non ha chiesto le novità (GET /v1/feedback)."), nil
	case s.hit(opConfirm) == nil:
		return failf("Il messaggio non è stato confermato."), nil
	}
	return failf("La conferma del messaggio non è stata ripetuta fino alla risposta."), nil
}
