package multe

import (
	"fmt"
	"slices"
	"time"

	"preavviso/internal/fault"
)

// ReturnID names one request of a handheld to take codes back: its own, 32 hex
// digits.
type ReturnID string

// SpoilReason is why a code can no longer be used, as its handheld says.
type SpoilReason string

const (
	SpoilUnreadable SpoilReason = "unreadable" // the paper cannot be read
	SpoilWrong      SpoilReason = "wrong"      // it says something wrong
	SpoilLost       SpoilReason = "lost"       // nobody knows where the paper is
	SpoilUnknown    SpoilReason = "unknown"    // installed again: the handheld does not know whether it printed it
)

// SpoilReasons returns every reason.
func SpoilReasons() []SpoilReason {
	return []SpoilReason{SpoilUnreadable, SpoilWrong, SpoilLost, SpoilUnknown}
}

// Spoil sets the code aside on the word of its device that the slip is no good. A
// code that is aside already keeps its state and gets the reason. Annulling it is
// for the office: paper that nobody can find may still be on a windscreen.
func (c Code) Spoil(by DeviceID, reason SpoilReason, at time.Time) (Code, error) {
	if !slices.Contains(SpoilReasons(), reason) {
		return c, fault.New(fault.Invalid, "code.bad_reason", "Il motivo indicato non è previsto.")
	}
	if c.Device != by {
		return c, errOtherDevice()
	}
	if c.State == CodeQuarantined {
		c.Version, c.Changed = c.Version+1, Instant(at)
	} else {
		next, err := c.move("quarantine", at)
		if err != nil {
			return c, err
		}
		c = next
	}
	c.Reason = fmt.Sprintf("spoiled: %s", reason)
	return c, nil
}
