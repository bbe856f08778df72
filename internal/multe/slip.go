package multe

import (
	"slices"
	"time"

	"preavviso/internal/fault"
)

// VehicleClass is a class of vehicles as the amounts of the Codice della Strada
// tell them apart.
type VehicleClass string

const (
	TwoWheeler   VehicleClass = "two-wheeler" // ciclomotori e motoveicoli a due ruote
	OtherVehicle VehicleClass = "other"       // «i restanti veicoli»
)

// GPS is where the handheld thought it was. Degrees are whole millionths: eleven
// centimetres, and no fraction in JSON.
type GPS struct {
	LatE6     int64 // north, ±90·10⁶
	LonE6     int64 // east, ±180·10⁶
	AccuracyM int64 // radius in metres, ≤ MaxAccuracy
}

// OfflineReason says why a slip was printed without the service.
type OfflineReason string

const (
	OfflineNoNetwork OfflineReason = "no_network" // no signal
	OfflineNoAnswer  OfflineReason = "no_answer"  // a network, and no answer of ours
	OfflineChosen    OfflineReason = "chosen"     // the warden, or the firmware, did not try
)

const (
	// MaxAccuracy is where a position says nothing any more about a street.
	MaxAccuracy = 10_000
	// MaxSkew is how far a printed time may be wrong before a person looks at it.
	// Disc parking goes by minutes.
	MaxSkew = 5 * time.Minute
	// maxSkewMS bounds what a handheld estimates to a hundred years: a clock that
	// began again in 1970 may be corrected by half of it.
	maxSkewMS = 100 * 365 * 24 * 3600 * 1000
	// MaxViolationCode is as long as a code of a catalogue.
	MaxViolationCode = 12
)

// Flag is what the service noticed about a slip that it took as it was printed.
type Flag struct {
	Code   string // stable and dotted; firmware-api/README.md lists them
	Detail string // Italian, without personal data
}

// validateCircumstances checks what is said about how and where a slip was made.
func (s Slip) validateCircumstances() error {
	bad := func(field, detail string) error { return fault.New(fault.Invalid, "verbale.bad_"+field, detail) }
	if s.Violation.Code != "" && !validReference(s.Violation.Code, MaxViolationCode) {
		return bad("violation_code", "Il codice della violazione ha al massimo 12 caratteri: lettere, cifre, punto e trattino.")
	}
	if !slices.Contains([]VehicleClass{"", TwoWheeler, OtherVehicle}, s.VehicleClass) {
		return bad("vehicle_class", "La classe del veicolo è «two-wheeler» oppure «other».")
	}
	if !slices.Contains([]OfflineReason{"", OfflineNoNetwork, OfflineNoAnswer, OfflineChosen}, s.OfflineReason) || s.OfflineReason != "" && !s.Offline {
		return bad("offline_reason", "Il motivo dell'assenza di rete non è tra quelli previsti, oppure il preavviso risulta stampato con la rete.")
	}
	if g := s.GPS; g != nil && (max(g.LatE6, -g.LatE6) > 90e6 || max(g.LonE6, -g.LonE6) > 180e6 || g.AccuracyM < 0 || g.AccuracyM > MaxAccuracy) {
		return bad("gps", "La posizione GPS è fuori dai limiti.")
	}
	if max(s.SkewMS, -s.SkewMS) > maxSkewMS {
		return bad("skew", "La correzione dell'orologio del palmare è fuori dai limiti.")
	}
	return nil
}

// SkewFlag tells whether the printed time of a slip may be wrong: the handheld
// corrected its clock by one figure, and the upload shows another.
func SkewFlag(s Slip, measured time.Duration) (Flag, bool) {
	if off := measured - time.Duration(s.SkewMS)*time.Millisecond; off.Abs() <= MaxSkew {
		return Flag{}, false
	}
	return Flag{"clock.skewed", "L'ora stampata sul preavviso può essere sbagliata di oltre 5 minuti: al caricamento l'orologio del palmare segnava un'altra ora. Controllare data e ora del preavviso prima di registrarlo."}, true
}
