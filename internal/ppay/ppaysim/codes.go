package ppaysim

import (
	"fmt"
	"unicode/utf8"
)

// A verdict is a result code and its text. The zero verdict is "nothing to
// object".
type verdict struct{ Code, Text string }

func (v verdict) bad() bool { return v.Code != "" }

// Outcomes of lists and positions (ES/interfaces/rs/CodiciEsito.java).
var (
	vOK      = verdict{"000", "Operazione completata con esito positivo"}
	vPartial = verdict{"050", "Operazione eseguita parzialmente"}
	vNone    = verdict{"051", "Nessuna posizione debitoria inserita"} // also said of updates

	vCount        = verdict{"154", "Non corrisponde il numero di posizioni debitorie"}
	vTotal        = verdict{"155", "Non corrisponde l'importo totale delle posizioni debitorie"}
	vNoAmount     = verdict{"156", "Impossibile eseguire l'operazione: in una o piu' posizioni debitorie l'elemento ImportoTotale non e' presente oppure non e' valorizzato"}
	vTypeEnded    = verdict{"157", "Tipo pagamento del versamento non attivo"}
	vDSR          = verdict{"157", "Errore reperimento dati specifici riscossione"} // same number, other meaning
	vREDS         = verdict{"158", "Tipo pagamento del versamento non permesso"}
	vMABL         = verdict{"159", "Tipo pagamento del versamento non permesso in quanto afferente a marca da bollo"}
	vInsertFailed = verdict{"160", "Errore durante il caricamento di una posizione debitoria."}
	vInsertNoID   = verdict{"162", missing("IdPosizioneDebitoria")}
	vNotAboveZero = verdict{"163", "Il valore dell'elemento ImportoTotale deve essere maggiore di zero."}
	vNoCausale    = verdict{"164", missing("DescrizioneCausaleVersamento")}
	vNoSubject    = verdict{"165", missing("SoggettoPagatore")}
	vNoPerson     = verdict{"166", "Inserire l'elemento PersonaFisica oppure l'elemento PersonaGiuridica"}
	vNoCF         = verdict{"167", missing("IdentificativoUnivocoFiscale")}
	vNoNome       = verdict{"168", missing("Nome")}
	vNoCognome    = verdict{"169", missing("Cognome")}
	vNoRagione    = verdict{"170", missing("RagioneSociale")}
	vNoKind       = verdict{"173", missing("Tipo Aggiornamento")}
	vUnknownKind  = verdict{"174", "Tipo Aggiornamento sconosciuto. Operazione non prevista."}
	vUpdateFailed = verdict{"175", "Errore durante l'aggiornamento di una posizione debitoria."}
	vInProgress   = verdict{"177", "Posizione debitoria in corso di pagamento"}
	vPaid         = verdict{"178", "Posizione debitoria gia' pagata"}
	vVoided       = verdict{"179", "Posizione debitoria gia' annullata"}
	vUpdateNoID   = verdict{"180", missing("IdPosizioneDebitoria")}
	vTooMany      = verdict{"183", "Il pagamento ha troppi dettagli (piu' di 5)."}
	vExpired      = verdict{"187", "Pagamento gia' scaduto"}
	vNeverActive  = verdict{"188", "Pagamento mai attivo"}
	vMulti        = verdict{"189", "Codice versamento configurato come Multi-beneficiario"}
	vNotMulti     = verdict{"189", "Codice versamento non configurato come Multi-beneficiario"}
	vMultiAmounts = verdict{"189", "Importi multi-beneficiario incoerenti"}
	vNoYear       = verdict{"191", "Anno accertamento della componente importo mancante"}
	vNoNumber     = verdict{"192", "Numero accertamento della componente importo mancante"}
	vReference    = verdict{"193", "Dati mancanti nel riferimento pagamento"}
	vPersonData   = verdict{"194", "Dati anagrafici della persona fisica errati"}
	vCompanyData  = verdict{"195", "Dati anagrafici della persona giuridica errati"}
	vAmountNotNil = verdict{"196", "Anagrafica non aggiornabile per importo diverso da 0 (mod.Multe)"}
	vSpontaneous  = verdict{"197", "Tipo pagamento del versamento non permesso in quanto afferente a pagamento spontaneo"}
	vNotAnonymous = verdict{"218", "Valore originario dei campi: Cognome, Nome o CF diverso da 'ANONIMO'"}
	vCrashed      = verdict{"200", "Errore caricamento."}
)

func missing(element string) string {
	return "Elemento " + element + " mancante. L'elemento e' obbligatorio"
}

func vRepeated(id string) verdict {
	return verdict{"150", fmt.Sprintf("Messaggio con id %s gia' elaborato!", id)}
}

func vNoCreditor(cf string) verdict {
	return verdict{"151", fmt.Sprintf("Codice fiscale ente creditore non trovato (%s)", cf)}
}

func vNoType(code string) verdict {
	return verdict{"152", fmt.Sprintf("Codice versamento %s non trovato", code)}
}

func vTwoTypes(code string) verdict {
	return verdict{"153", fmt.Sprintf("Codice versamento %s non univoco", code)}
}

// vUsed ends in a space, as the platform's does.
func vUsed(cf, code, id string) verdict {
	return verdict{"161", fmt.Sprintf("IdPosizioneDebitoria %s gia' utilizzato per ente con C.F. %s e CodiceVersamento %s ", id, cf, code)}
}

func vNotFound(cf, code, id string) verdict {
	return verdict{"176", fmt.Sprintf("Posizione debitoria non trovata per C.F ente %s, codice versamento %s, id posizione debitoria %s.", cf, code, id)}
}

func vNotEditable(id string) verdict {
	return verdict{"181", fmt.Sprintf("Pagamento (id Posizione Debitoria : %s) non modificabile.", id)}
}

func vSum(cf, code, id string, total, sum Cents) verdict {
	return verdict{"184", fmt.Sprintf("ImportoTotale (%s Euro) differente dalla somma degli importi delle componenti (%s Euro) del pagamento per IdPosizioneDebitoria %s, ente con C.F. %s e CodiceVersamento %s",
		total.Decimal(), sum.Decimal(), id, cf, code)}
}

func vDates(cf, code, id string) verdict {
	return verdict{"185", fmt.Sprintf("Incongruenza nelle date di validita' per il pagamento con IdPosizioneDebitoria %s, ente con C.F. %s e CodiceVersamento %s", id, cf, code)}
}

func vNoIUV(why string) verdict {
	return verdict{"250", fmt.Sprintf("Errore caricamento. Problemi tecnici nella generazione degli iuv. [%s]", why)}
}

// Answers of the registry, before anything is elaborated
// (W2/enumeration/IssueEnum.java; that the bus passes them on is an inference).
var vQueued = verdict{"000", "L'invocazione del servizio si è conclusa correttamente."}

func vQueuedAgain(id string) verdict { return verdict{"012", "Id messaggio: " + id} }

func vSchema(element, value string) verdict {
	return verdict{"101", fmt.Sprintf("Dati in input non congruenti con XSD: il valore \"%s\" del campo XML %s non ha il formato atteso", abbreviate(value, 50), element)}
}

func vTooLong(element string) verdict {
	return verdict{"183", "Lunghezza errata dell'elemento " + element}
}

func vUnknownCreditor(cf string) verdict { return verdict{"102", "Codice fiscale ente: " + cf} }

func vUnknownType(code string) verdict { return verdict{"103", "Codice versamento: " + code} }

// abbreviate cuts s to width characters as Commons Lang does, the last three of
// them points.
func abbreviate(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return cut(s, width-3) + "..."
}

// cut returns at most the first width characters of s.
func cut(s string, width int) string {
	n := 0
	for i := range s {
		if n == width {
			return s[:i]
		}
		n++
	}
	return s
}
