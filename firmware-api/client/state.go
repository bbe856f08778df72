package client

import (
	"encoding/json"
	"slices"
	"time"
)

// The states of a code on the device; doc.go tells what each means.
const (
	free      = "free"
	printing  = "printing"
	printed   = "printed"
	second    = "second"
	refused   = "refused"
	suspect   = "suspect"
	aside     = "aside"
	spoiling  = "spoiling"
	returning = "returning"
)

// code is one code on the device.
type code struct {
	Position string          `json:"position"`
	Avviso   string          `json:"avviso"`
	State    string          `json:"state"`
	Verbale  string          `json:"verbale,omitempty"` // id of the slip
	Slip     json.RawMessage `json:"slip,omitempty"`    // as printed
	Reason   string          `json:"reason,omitempty"`  // why it is spoiled, or the error code of a refusal
	Return   string          `json:"return,omitempty"`  // id of the request that gives it back
	Of       string          `json:"of,omitempty"`      // position of the code whose slip it is the second of
}

// state is all that the device knows. It changes only by events, which are on the
// disk before they count.
type state struct {
	Enrolment json.RawMessage `json:"enrolment,omitempty"` // the service's answer
	Ask       *ask            `json:"ask,omitempty"`       // a request of codes without an answer
	Codes     []code          `json:"codes,omitempty"`     // oldest first
	Sent      int             `json:"sent"`                // slips that the service has taken
	Photos    []photo         `json:"photos,omitempty"`    // oldest first
	Cursor    string          `json:"cursor,omitempty"`    // what the service told up to here is known
	Until     time.Time       `json:"until,omitzero"`      // when what is held may be set aside; zero: the service never said
}

type ask struct {
	ID   string `json:"id"`
	Want int    `json:"want,omitempty"`
}

// event is a record of the journal: one of the kinds below.
type event struct {
	Kind     string          `json:"k"`
	State    *state          `json:"state,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	Ask      *ask            `json:"ask,omitempty"`
	Codes    []code          `json:"codes,omitempty"`
	Position string          `json:"position,omitempty"`
	Verbale  string          `json:"verbale,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Full     string          `json:"full,omitempty"`
	Return   string          `json:"return,omitempty"`
	Photo    *photo          `json:"photo,omitempty"`
	Cursor   string          `json:"cursor,omitempty"`
	Until    time.Time       `json:"until,omitzero"`
}

const (
	evState    = "state"    // State: all of it, where the journal was compacted
	evEnrolled = "enrolled" // Body: the service's answer
	evAsk      = "ask"      // Ask: codes are about to be asked for
	evLent     = "lent"     // Codes: the answer; none if it was a refusal
	evUse      = "use"      // Position, Full, Verbale, Body: a slip is about to be printed
	evPrinted  = "printed"  // Position: it is on paper
	evSent     = "sent"     // Position: the service has the slip
	evRefused  = "refused"  // Position, Reason: the service does not want it
	evSpoil    = "spoil"    // Position, Reason: it is to be reported
	evGiveBack = "giveback" // Return: every free code is to be given back
	evDone     = "done"     // Position: reported, or given back
	evAside    = "aside"    // Position: not to be printed, whatever it was
	evSuspect  = "suspect"  // Codes: held according to the service, unknown here
	evPhoto    = "photo"    // Photo: its file is in the folder, to be sent
	evPhotoEnd = "photoend" // Photo.ID: the service has it; with Reason: does not want it
	evHeard    = "heard"    // Cursor: the app has heard what came before
	evUntil    = "until"    // Until: the service has moved the end of the lease on
)

// apply makes e count. It decides nothing: what may happen is decided before the
// event is written.
func (s *state) apply(e event) {
	k := s.find(e.Position)
	if k == nil {
		k = &code{} // of an event without one: changed for nobody
	}
	switch e.Kind {
	case evState:
		*s = *e.State
	case evEnrolled:
		s.Enrolment = e.Body
	case evAsk:
		s.Ask = e.Ask
	case evLent:
		s.Ask = nil
		s.add(e.Codes, free)
	case evUse:
		k.State, k.Verbale, k.Slip = printing, e.Verbale, e.Body
		if f := s.find(e.Full); f != nil {
			f.State, f.Of = second, e.Position
		}
	case evPrinted:
		k.State = printed
	case evSent:
		s.Sent++
		s.Codes = slices.DeleteFunc(s.Codes, func(k code) bool { return k.Of == e.Position && e.Position != "" })
		s.drop(e.Position)
	case evRefused:
		k.State, k.Reason = refused, e.Reason
		s.follow(e.Position, refused, e.Reason)
	case evSpoil:
		k.State, k.Reason = spoiling, e.Reason
		s.follow(e.Position, spoiling, e.Reason)
	case evGiveBack:
		for i := range s.Codes {
			if s.Codes[i].State == free {
				s.Codes[i].State, s.Codes[i].Return = returning, e.Return
			}
		}
	case evDone:
		s.drop(e.Position)
	case evAside:
		k.State = aside
	case evPhoto:
		s.Photos = append(s.Photos, *e.Photo)
	case evPhotoEnd:
		s.endPhoto(e.Photo.ID, e.Reason)
	case evHeard:
		s.Cursor = e.Cursor
	case evSuspect:
		s.add(e.Codes, suspect)
	case evUntil:
		s.Until = e.Until
	}
}

func (s *state) find(position string) *code {
	for i := range s.Codes {
		if s.Codes[i].Position == position {
			return &s.Codes[i]
		}
	}
	return nil
}

// follow puts the second code of a slip where its first went; it is a code of its
// own from then on.
func (s *state) follow(position, to, reason string) {
	for i := range s.Codes {
		if s.Codes[i].Of == position && position != "" {
			s.Codes[i].State, s.Codes[i].Reason, s.Codes[i].Of = to, reason, ""
		}
	}
}

// after returns the oldest code in a state that is younger than k.
func (s *state) after(k *code, in string) *code {
	seen := false
	for i := range s.Codes {
		if seen && s.Codes[i].State == in {
			return &s.Codes[i]
		}
		seen = seen || s.Codes[i].Position == k.Position
	}
	return nil
}

// first returns the oldest code in a state.
func (s *state) first(in string) *code {
	for i := range s.Codes {
		if s.Codes[i].State == in {
			return &s.Codes[i]
		}
	}
	return nil
}

// add takes codes that are not known; what is known stays as it is.
func (s *state) add(codes []code, in string) {
	for _, k := range codes {
		if s.find(k.Position) == nil {
			s.Codes = append(s.Codes, code{Position: k.Position, Avviso: k.Avviso, State: in})
		}
	}
}

func (s *state) drop(position string) {
	s.Codes = slices.DeleteFunc(s.Codes, func(k code) bool { return k.Position == position })
}

func (s *state) count(in string) int {
	n := 0
	for _, k := range s.Codes {
		if k.State == in {
			n++
		}
	}
	return n
}
