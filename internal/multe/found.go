package multe

import (
	"preavviso/internal/avviso"
	"preavviso/internal/fault"
)

// Found is the number of a position as somebody read it outside of an esito: in
// the portal's export, or by REST.
type Found struct {
	Line     int // of the file, from 1; 0 if there is none
	Position PositionID
	Number   avviso.Number
	Upstream string // the platform's IdPosizioneDebitoria, if it is not Position
}

// ParseReason accepts the reason of an annulment: 1 to 400 characters of one line,
// for the platform keeps it as its note. It must name nobody.
func ParseReason(s string) (string, error) {
	if s == "" || checkText(s, MaxReason) != nil {
		return "", fault.New(fault.Invalid, "verbale.bad_reason", "La motivazione è obbligatoria, al massimo 400 caratteri su una riga.")
	}
	return s, nil
}
