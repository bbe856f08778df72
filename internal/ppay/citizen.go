package ppay

import "preavviso/internal/multe"

// citizens says what a code means for whoever got the preavviso, where the
// verdict alone does not say it.
var citizens = map[Place]map[string]string{
	PlaceList: {
		"050": "I preavvisi delle posizioni elaborate sono pagabili; gli altri non ancora.",
	},
	PlaceUpdate: {
		"176": "Non può pagare: per PiemontePAY il codice avviso non esiste.",
		"177": "Sta pagando proprio ora.",
		"182": "Può non riuscire a pagare.",
		"196": "Può pagare come prima: non cambia né l'importo né il preavviso.",
		"218": "Può pagare come prima: non cambia né l'importo né il preavviso.",
	},
	PlaceREST: {
		"300": "Nulla finché non si conosce lo stato della posizione: può essere pagabile, pagata o annullata.",
		"218": "Può pagare come prima: non cambia né l'importo né il preavviso.",
		"400": "Può non riuscire a pagare con questo codice avviso.",
		"500": "Nulla: manca solo il PDF dell'avviso.",
	},
}

// citizen says what a code means for whoever got the preavviso.
func citizen(p Place, code string, v multe.Verdict) string {
	if s, ok := citizens[p][code]; ok {
		return s
	}
	switch {
	case v == multe.VerdictPaid:
		return "Ha pagato: non va sollecitato e non gli va notificato nulla."
	case v == multe.VerdictVoided:
		return "Non può più pagare con questo codice avviso."
	case v == multe.VerdictOrphan || p == PlaceInsert && v != multe.VerdictApplied:
		return "Nulla: il codice non è ancora su alcun preavviso."
	case v == multe.VerdictExpired:
		return "Può non riuscire a pagare finché la validità non è prolungata."
	case v == multe.VerdictUnknown:
		return "L'importo che vede pagando può non essere quello giusto."
	case v == multe.VerdictApplied && p == PlaceAnswer, v == multe.VerdictAlready:
		return "I preavvisi della lista diventano pagabili quando arriva l'esito."
	case v == multe.VerdictApplied && p == PlaceList && code == "051":
		return "I preavvisi della lista non sono ancora pagabili."
	case v == multe.VerdictApplied:
		return "Può pagare."
	case p == PlaceAnswer || p == PlaceList:
		return "I preavvisi della lista restano com'erano: quelli nuovi non sono ancora pagabili."
	default:
		return "Il preavviso resta com'era: se era nuovo non è ancora pagabile, altrimenti si paga l'importo di prima."
	}
}
