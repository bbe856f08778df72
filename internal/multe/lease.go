package multe

import (
	"slices"
	"time"

	"preavviso/internal/fault"
)

// The lease of what a handheld holds begins anew each time it is heard.
const (
	// DefaultLease is how long a handheld may be silent: from Friday's early shift
	// to Monday's is 66 hours, and no town wants a trouble for each of its handhelds
	// every Monday. One that is lost is missed on the third day at the latest.
	DefaultLease = 72 * time.Hour

	// MinLeaseHours is longer than a shift without network; MaxLeaseHours is two
	// weeks, after which nobody remembers where a handheld was left.
	MinLeaseHours = 12
	MaxLeaseHours = 14 * 24

	// SeenEvery is how exactly we know when a handheld was last heard: noting it is
	// a commit, and a handheld may call every few seconds.
	SeenEvery = 15 * time.Minute
)

// LeaseTime returns how long a handheld of this creditor may be silent before what
// it holds is set aside.
func (c Creditor) LeaseTime() time.Duration {
	if c.LeaseHours == 0 {
		return DefaultLease
	}
	return time.Duration(c.LeaseHours) * time.Hour
}

// Hear notes that the device called. It reports whether there is anything to
// store: not if it was heard less than [SeenEvery] ago. Being heard is no act of
// anybody, so it leaves no line in the history and Changed as it is.
func (d Device) Hear(at time.Time) (Device, bool) {
	if at.Before(d.Seen.Add(SeenEvery)) {
		return d, false
	}
	d.Seen, d.Version = Instant(at), d.Version+1
	return d, true
}

// Silent reports whether the device was not heard for longer than lease. One that
// called less than lease ago never is, however coarsely that was noted.
func (d Device) Silent(lease time.Duration, at time.Time) bool {
	return !at.Before(d.Seen.Add(lease + SeenEvery))
}

// reasonSilent is the Reason of a code that was set aside because its device fell
// silent. It is stored.
const reasonSilent = "silent"

// SetAside quarantines a code whose device fell silent.
func (c Code) SetAside(at time.Time) (Code, error) {
	next, err := c.Quarantine(at)
	if err != nil {
		return c, err
	}
	next.Reason = reasonSilent
	return next, nil
}

// Stale reports whether the code is aside because device d fell silent. A slip that
// it printed is still taken; giving the code back comes too late.
func (c Code) Stale(d DeviceID) bool {
	return c.Device == d && c.State == CodeQuarantined && c.Reason == reasonSilent
}

func errStale() error {
	return fault.New(fault.Conflict, "lease.stale", "Il palmare non si è fatto sentire in tempo e il codice è stato messo da parte: non stamparlo. Se è già su un preavviso, trasmettere il preavviso.")
}

// GivenUp reports whether the code was lent to device d and is void since, on no slip
// that we know. If a slip turns up the office must hear of it.
func (c Code) GivenUp(d DeviceID) bool {
	return c.Device == d && c.State == CodeVoid && c.Verbale == ""
}

// The size of a block where a handheld leaves it to us.
const (
	// DefaultBlock is for a handheld of which nothing is known: a quiet shift.
	DefaultBlock = 25
	// minBlock is for one that used next to nothing.
	minBlock = 5
	// pastShifts is how many shifts count: a week's. The busiest decides, because a
	// warden without codes stops working and a code too many is given back.
	pastShifts = 5
	// headroom is what is added to the busiest, in parts of it.
	headroom = 4 // a quarter
	// blockStep rounds blocks up.
	blockStep = 5
)

// PastLeases is how far back the leases are that decide the size of a block.
const PastLeases = 14 * 24 * time.Hour

// BlockSize returns how many codes a device is lent that does not say how many it
// wants, between 1 and [MaxLease]: what it used in its busiest of the last shifts,
// and a quarter more. past are its leases of the last [PastLeases], in any order;
// used is how many codes it has ever put on slips. A shift is a day on which it
// asked for codes, and what is used until it asks again on another day: slips that
// were uploaded late count, and so do nights.
func BlockSize(past []Lease, used int, at time.Time) int {
	past = slices.Clone(past)
	slices.SortFunc(past, func(a, b Lease) int { return a.At.Compare(b.At) })
	var begins []int // what had been used when each shift began
	var last Day
	for _, l := range past {
		if day := DayOf(l.At); l.Counted && day != last {
			begins, last = append(begins, l.Used), day
		}
	}
	if len(begins) == 0 {
		return DefaultBlock
	}
	size := 0
	if len(begins) == 1 && last == DayOf(at) {
		size = DefaultBlock // in its first shift it says little
	}
	for i := max(0, len(begins)-pastShifts-1); i < len(begins); i++ {
		end := used
		if i+1 < len(begins) {
			end = begins[i+1]
		}
		shift := end - begins[i]
		size = max(size, shift+(shift+headroom-1)/headroom)
	}
	size = (size + blockStep - 1) / blockStep * blockStep
	return min(max(size, minBlock), MaxLease)
}
