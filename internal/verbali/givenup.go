package verbali

import (
	"errors"
	"time"

	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// kindGivenUp is the trouble of a slip whose code was annulled before we heard of
// it; its subject is the position.
const kindGivenUp = "code.void_on_paper"

const detailGivenUp = "Un palmare ha trasmesso un preavviso stampato su un codice che l'ufficio ha annullato. Il preavviso è stato rifiutato e chi lo ha ricevuto non può pagarlo. I dati restano sul palmare: recuperarli da lì e accertare la violazione con un nuovo verbale, oppure annullare in autotutela avvisando l'interessato."

// givenUp tells the office of a slip on a code that was set aside, then annulled.
// refused is what the handheld, which keeps the slip, is answered.
func givenUp(tx store.Tx, c multe.CreditorID, d multe.DeviceID, slip multe.Slip, at time.Time) (refused, err error) {
	positions := []multe.PositionID{slip.Position}
	if slip.Full != nil {
		positions = append(positions, slip.Full.Position)
	}
	for _, p := range positions {
		code, err := findCode(tx, c, p)
		if errors.Is(err, fault.NotFound) || err == nil && !code.GivenUp(d) {
			continue
		}
		if err != nil {
			return nil, err
		}
		refused = fault.New(fault.Conflict, "code.void", "Il codice è stato annullato dall'ufficio prima che il preavviso arrivasse: il preavviso non è accettato e non può essere pagato. Conservare i dati e il foglio; l'ufficio è stato avvisato.")
		if err := store.Report(tx, c, kindGivenUp, string(p), detailGivenUp, at); err != nil {
			return nil, err
		}
	}
	return refused, nil
}
