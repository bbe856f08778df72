package multe

import (
	"fmt"
	"slices"

	"preavviso/internal/fault"
)

// moves is the life of a record: for each move, where it may start and where it
// ends. A pair that is not here is refused.
type moves[S, M ~string] map[M]struct {
	from []S
	to   S
}

// next returns where move m leads from state s, or a fault.Conflict with the
// given code. noun is the Italian name of the record.
func (ms moves[S, M]) next(s S, m M, code, noun string) (S, error) {
	rule, known := ms[m]
	if !known {
		panic(fmt.Sprintf("multe: unknown move %q", string(m))) // a typo of ours, not an input
	}
	if slices.Contains(rule.from, s) {
		return rule.to, nil
	}
	return s, fault.New(fault.Conflict, code, fmt.Sprintf("Operazione non ammessa: %s è nello stato %q.", noun, string(s)))
}
