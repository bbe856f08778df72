package multe

import (
	"slices"
	"time"

	"preavviso/internal/fault"
)

// WorkOutcome says how a person ended a work item. The strings are stored.
type WorkOutcome string

const (
	WorkDone     WorkOutcome = "done"     // what had to be done was done
	WorkRefunded WorkOutcome = "refunded" // the money was paid back
	WorkKept     WorkOutcome = "kept"     // looked at: it stays as it is
	WorkNoIssue  WorkOutcome = "no_issue" // there was nothing wrong
)

// WorkOutcomes are those that a person may state.
func WorkOutcomes() []WorkOutcome {
	return []WorkOutcome{WorkDone, WorkRefunded, WorkKept, WorkNoIssue}
}

// MaxNote is what an operator writes about a work item: some lines, no letter.
const MaxNote = 1000

// Taking says who looks after a work item.
type Taking struct {
	By string // as in [AuditEntry]
	At time.Time
}

// Closure says who ended a work item, and how.
type Closure struct {
	By      string
	Outcome WorkOutcome
	Note    string // the operator's words; they may name people and go no further
	At      time.Time
}

// Take records who looks after the trouble. Taking it over from somebody else is
// allowed: people go on holiday.
func (d Discrepancy) Take(by string, at time.Time) (Discrepancy, error) {
	if !d.Open {
		return d, errClosed()
	}
	d.Taken, d.Version, d.Changed = Taking{by, Instant(at)}, d.Version+1, Instant(at)
	return d, nil
}

// Conclude closes the trouble with what a person says about it. It opens again
// when it is met again.
func (d Discrepancy) Conclude(by string, o WorkOutcome, note string, at time.Time) (Discrepancy, error) {
	if !slices.Contains(WorkOutcomes(), o) {
		return d, fault.New(fault.Invalid, "work.bad_outcome", "L'esito deve essere «done», «refunded», «kept» oppure «no_issue».")
	}
	if note == "" || checkNote(note, MaxNote) != nil {
		return d, fault.New(fault.Invalid, "work.bad_note", "Scrivere in una nota che cosa è stato fatto, al massimo 1000 caratteri.")
	}
	if !d.Open {
		return d, errClosed()
	}
	d.Open, d.Closed = false, Closure{by, o, note, Instant(at)}
	d.Version, d.Changed = d.Version+1, Instant(at)
	return d, nil
}

// checkNote is checkText for text of several lines.
func checkNote(s string, max int) error {
	line := []rune(s)
	for i, r := range line {
		if r == '\n' {
			line[i] = ' '
		}
	}
	return checkText(string(line), max)
}

func errClosed() error {
	return fault.New(fault.Conflict, "work.closed", "La segnalazione è già chiusa: se il problema si ripresenta si riapre da sola.")
}
