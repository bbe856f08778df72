package certify_test

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"preavviso/internal/certify"
)

// session certifies a device with a bug, in a bubble where nobody waits.
func session(t *testing.T, b bug, rules ...string) certify.Report {
	t.Helper()
	var report certify.Report
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		d := newDevice(t, n, b)
		var out bytes.Buffer
		var err error
		report, err = certify.Run(t.Context(), certify.Options{Listener: n, Operator: d, Rules: rules, Wait: 3 * time.Minute, Offline: 3 * time.Minute,
			Out: &out, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
		d.close()
	})
	return report
}

func with(r certify.Report, o certify.Outcome) (ids []string) {
	for _, x := range r.Results {
		if x.Outcome == o {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

func dump(t *testing.T, r certify.Report, ids ...string) {
	t.Helper()
	for _, x := range r.Results {
		if !slices.Contains(ids, x.ID) {
			continue
		}
		t.Logf("%s %s %s %q", x.ID, x.Outcome, x.Title, x.Notes)
		for _, e := range x.Evidence {
			t.Logf("    %s %-20s %s %s %d %s → %d %s", e.At.Format("15:04:05.000"), e.Operation, e.ID, e.Body, e.Service, e.Code, e.Given, e.Fault)
		}
	}
}

func TestTheReferenceClientPasses(t *testing.T) {
	r := session(t, bug{})
	if !r.Certified() {
		bad := slices.Concat(with(r, certify.Failed), with(r, certify.NotRun))
		dump(t, r, bad...)
		t.Errorf("not certified: %v", bad)
	}
}
