package multe

import "time"

// SlipStatus is what a warden wants to know about a slip.
type SlipStatus string

const (
	SlipQueued    SlipStatus = "queued"    // the platform has not said that it can be paid
	SlipPayable   SlipStatus = "payable"   // the platform has
	SlipPaid      SlipStatus = "paid"      // money came
	SlipCancelled SlipStatus = "cancelled" // annulled in autotutela
	SlipRefused   SlipStatus = "refused"   // the platform will not make it payable
)

// SlipMark says where a verbale is in the order in which its handheld's verbali
// changed. The store keeps it; see package store.
type SlipMark struct {
	Creditor CreditorID
	Device   DeviceID
	Verbale  VerbaleID
	Seq      uint64 // never repeats for a handheld, not even after a copy of the store is restored
	Version  uint64
}

// Feedback is the status of a slip.
type Feedback struct {
	Verbale VerbaleID
	Status  SlipStatus
	Since   time.Time // zero if it is not known
	Code    string    // the platform's, if it refused
}

// FeedbackOf decides the status of a slip by its codes and all that the platform
// was told about each of them, oldest first, in the order of v.Positions.
func FeedbackOf(v Verbale, codes []Code, changes [][]Change) Feedback {
	f := Feedback{Verbale: v.Slip.ID, Status: SlipQueued, Since: v.ReceivedAt}
	if v.State == VerbaleSettled {
		f.Status, f.Since = SlipPaid, v.Changed
		if v.Record != nil && v.Record.At.Equal(v.Changed) {
			f.Since = time.Time{} // recorded since: when it was settled the history tells
		}
	}
	for _, k := range codes {
		if k.State == CodePaid { // less than was due is money too: the rest is the office's matter
			f.Status, f.Since = SlipPaid, k.Changed
		}
	}
	switch {
	case f.Status == SlipPaid:
		return f
	case v.State == VerbaleCancelled:
		f.Status, f.Since = SlipCancelled, v.Changed
		return f
	}
	for _, k := range codes {
		if k.State == CodeActive {
			f.Status, f.Since = SlipPayable, k.Payable
			return f
		}
	}
	refusal, open := lastRefusal(changes)
	if void := allVoid(codes); !open && (!refusal.Changed.IsZero() || void) {
		f.Status, f.Since, f.Code = SlipRefused, refusal.Changed, refusal.Code
		if void && f.Since.IsZero() {
			f.Since, f.Code = codes[0].Changed, codes[0].Reason
		}
	}
	return f
}

// lastRefusal returns the last refused change that would have made a code payable,
// and whether another still may.
func lastRefusal(changes [][]Change) (last Change, open bool) {
	for _, of := range changes {
		for _, ch := range of {
			if ch.Kind != ChangeActivate && ch.Kind != ChangeUpdate {
				continue
			}
			switch ch.State {
			case ChangeRefused:
				if !ch.Changed.Before(last.Changed) {
					last = ch
				}
			case ChangeApplied:
			default:
				open = true
			}
		}
	}
	return last, open
}

func allVoid(codes []Code) bool {
	for _, k := range codes {
		if k.State != CodeVoid {
			return false
		}
	}
	return len(codes) > 0
}
