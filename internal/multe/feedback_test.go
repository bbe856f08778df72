package multe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
)

func TestFeedbackOf(t *testing.T) {
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	code := func(s multe.CodeState, n int) multe.Code { return multe.Code{State: s, Changed: hour(n)} }
	active := multe.Code{State: multe.CodeActive, Changed: hour(5), Payable: hour(2)}
	change := func(k multe.ChangeKind, s multe.ChangeState, n int) multe.Change {
		return multe.Change{Kind: k, State: s, Changed: hour(n), Code: "179"}
	}
	refused := change(multe.ChangeActivate, multe.ChangeRefused, 3)
	for name, test := range map[string]struct {
		state   multe.VerbaleState
		codes   []multe.Code
		changes [][]multe.Change
		want    multe.SlipStatus
		since   time.Time
		code    string
	}{
		"new":                  {multe.VerbaleIssued, []multe.Code{code(multe.CodeIssued, 1)}, [][]multe.Change{{change(multe.ChangeActivate, multe.ChangeQueued, 1)}}, multe.SlipQueued, hour(0), ""},
		"told":                 {multe.VerbaleIssued, []multe.Code{active}, [][]multe.Change{{change(multe.ChangeActivate, multe.ChangeApplied, 2)}}, multe.SlipPayable, hour(2), ""},
		"payable, update no":   {multe.VerbaleFinalised, []multe.Code{active}, [][]multe.Change{{change(multe.ChangeUpdate, multe.ChangeRefused, 4)}}, multe.SlipPayable, hour(2), ""},
		"paid":                 {multe.VerbaleSettled, []multe.Code{code(multe.CodePaid, 4)}, nil, multe.SlipPaid, hour(4), ""},
		"paid too little":      {multe.VerbaleIssued, []multe.Code{code(multe.CodePaid, 4)}, nil, multe.SlipPaid, hour(4), ""},
		"paid though annulled": {multe.VerbaleCancelled, []multe.Code{code(multe.CodePaid, 4)}, nil, multe.SlipPaid, hour(4), ""},
		"annulled":             {multe.VerbaleCancelled, []multe.Code{code(multe.CodeVoid, 4)}, nil, multe.SlipCancelled, hour(9), ""},
		"refused":              {multe.VerbaleIssued, []multe.Code{code(multe.CodeIssued, 1)}, [][]multe.Change{{refused}}, multe.SlipRefused, hour(3), "179"},
		"tried again":          {multe.VerbaleIssued, []multe.Code{code(multe.CodeIssued, 1)}, [][]multe.Change{{refused, change(multe.ChangeUpdate, multe.ChangeWaiting, 4)}}, multe.SlipQueued, hour(0), ""},
		"in doubt":             {multe.VerbaleIssued, []multe.Code{code(multe.CodeIssued, 1)}, [][]multe.Change{{refused, change(multe.ChangeUpdate, multe.ChangeUnknown, 4)}}, multe.SlipQueued, hour(0), ""},
		"void upstream":        {multe.VerbaleIssued, []multe.Code{{State: multe.CodeVoid, Changed: hour(6), Reason: "176"}}, nil, multe.SlipRefused, hour(6), "176"},
		"reissued":             {multe.VerbaleFinalised, []multe.Code{code(multe.CodeVoid, 4), active}, nil, multe.SlipPayable, hour(2), ""},
		"reissue on its way":   {multe.VerbaleFinalised, []multe.Code{code(multe.CodeVoid, 4), code(multe.CodeIssued, 4)}, [][]multe.Change{nil, {change(multe.ChangeUpdate, multe.ChangeSealed, 4)}}, multe.SlipQueued, hour(0), ""},
		"discount over":        {multe.VerbaleIssued, []multe.Code{code(multe.CodeVoid, 4), active}, nil, multe.SlipPayable, hour(2), ""},
		"an annulment refused": {multe.VerbaleIssued, []multe.Code{code(multe.CodeIssued, 1)}, [][]multe.Change{{change(multe.ChangeVoid, multe.ChangeRefused, 4)}}, multe.SlipQueued, hour(0), ""},
	} {
		v := multe.Verbale{Slip: multe.Slip{ID: id}, State: test.state, ReceivedAt: hour(0), Changed: hour(9)}
		want := multe.Feedback{Verbale: id, Status: test.want, Since: test.since, Code: test.code}
		if diff := cmp.Diff(want, multe.FeedbackOf(v, test.codes, test.changes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
