package pdf

import (
	"fmt"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/texts"
)

// Sample returns an invented document, to look at texts with: one of
// [texts.Avviso], [texts.Preavviso] and [texts.Verbale]. It has all that such a
// document can have, so that texts that fit there fit anywhere usual. language
// is the second one of payment notices, or "".
func Sample(document, language string) (Document, error) {
	numbers := make([]avviso.Number, 2)
	for i, s := range []string{"301000000000004992", "301000000000005000"} {
		var err error
		if numbers[i], err = avviso.ParseNumber(s); err != nil {
			return nil, err
		}
	}
	c := Creditor{
		Name:               "Comune di Borgo San Martino",
		Settore:            "Corpo di Polizia Locale",
		Info:               "Piazza del Municipio 1, 15032 Borgo San Martino (AL) · lun–ven 9–12",
		Contacts:           "tel. 0142 000 000 · polizialocale@pec.borgosanmartino.example",
		Privacy:            "www.borgosanmartino.example/privacy",
		CF:                 "00514490010",
		CBILL:              "AB123",
		PostalAccount:      "123456",
		PostalHolder:       "Comune di Borgo San Martino – Servizio Tesoreria",
		PosteAuthorisation: "AUT. DB/0001/XYZ 12345 DEL 01/02/2026",
	}
	d := Debtor{Name: "Maria Vittoria Rossi", CF: "RSSMVT80A41L219X", Address: "Via Òstia 12, interno 4, 10100 Torino (TO)"}
	at := time.Date(2026, 3, 12, 9, 35, 0, 0, time.UTC)
	const violation = "Sostava nello spazio riservato alla fermata degli autobus, così come indicato dalla segnaletica orizzontale e verticale."
	switch document {
	case texts.Avviso:
		return Avviso{Creditor: c, Debtor: d, Object: "Verbale CdS n. V-2026.0001234 del 12.03.2026", Date: at, Language: language, Amounts: []Amount{
			{Number: numbers[0], Amount: 4360}, {Number: numbers[1], Amount: 5620},
		}}, nil
	case texts.Preavviso:
		return Notice{
			Creditor: c, Reference: "2026/0001234", IssuedAt: at, Place: "Corso Vittorio Emanuele II, altezza civico 48", Plate: "AB123CD",
			Vehicle: "Autovettura Fiat Panda, bianca", Norm: "art. 158, c. 2 lett. d) e c. 6, CdS", Violation: violation, Warden: "0417",
			Number: numbers[0], Causale: "Preavviso CdS n. 2026/0001234 del 12.03.2026",
			Steps: []Step{
				{Amount: 2940, Label: "Importo scontato del 30%", By: at.AddDate(0, 0, 5)},
				{Amount: 4200, Label: "Importo ridotto", By: at.AddDate(0, 0, 30)},
			},
		}, nil
	case texts.Verbale:
		return Verbale{
			Creditor: c, Register: "V-2026.0001234", DrawnUp: at.AddDate(0, 0, 20), FoundAt: at,
			Place: "Corso Vittorio Emanuele II, altezza civico 48", Plate: "AB123CD", Nation: "I", Vehicle: "Autovettura Fiat Panda, bianca",
			Norm: "art. 158, c. 2 lett. d) e c. 6, CdS", Violation: violation, Wardens: "0417, 0423",
			NotServed: "Veicolo in sosta: assenza del trasgressore e del proprietario (art. 201, c. 1-bis, lett. d, CdS; art. 384 Reg.).",
			Debtor:    d, Liable: true, Born: "1 gennaio 1980, Torino (TO)", Licence: "B, n. U1X234567Y, MIT-UCO, 2 maggio 2018", Points: 2,
			Signature: "Ag. matr. 0417", Officer: "Comandante del Corpo di Polizia Locale",
			Office: "Ufficio verbali, Piazza del Municipio 1, Borgo San Martino", Prefect: "Alessandria", Judge: "Casale Monferrato",
			Discounted: 2940, Reduced: 4200, Full: 8650, Costs: 1420,
			DiscountedNumber: numbers[0], Number: numbers[1], Causale: "Verbale CdS n. V-2026.0001234 del 12.03.2026", Language: language,
		}, nil
	}
	return nil, invalid("no_sample", "Il documento «%s» non si può mostrare in anteprima.", fmt.Sprintf("%.20s", document))
}
