package certify_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
		bad := slices.Concat(with(r, certify.Failed), with(r, certify.NotRun), with(r, certify.Warned))
		dump(t, r, bad...)
		t.Errorf("not certified: %v", bad)
	}
}

// TestOverTCP is a few rules over sockets, where a connection is really reset and
// an answer really written twice.
func TestOverTCP(t *testing.T) {
	if testing.Short() {
		t.Skip("nobody makes time fly here")
	}
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, nil, bug{})
	var out bytes.Buffer
	rules := []string{"C02", "C03", "C08", "C12", "C17", "C27", "C28", "C37", "C38"}
	r, err := certify.Run(t.Context(), certify.Options{Listener: listener, Operator: d, Rules: rules, Wait: 2 * time.Minute, Offline: time.Minute,
		Out: &out, Log: slog.New(slog.DiscardHandler)})
	d.close()
	if got := with(r, certify.Passed); err != nil || !slices.Equal(got, rules) {
		dump(t, r, rules...)
		t.Errorf("passed %v, %v\n%s", got, err, out.String())
	}
}

// TestOnlyWhatWasAsked: a judge alone gets something to look at, and an unknown
// rule is refused.
func TestOnlyWhatWasAsked(t *testing.T) {
	r := session(t, bug{}, "C28", "C35")
	if got := with(r, certify.Passed); !slices.Equal(got, []string{"C28", "C35"}) || len(r.Results) != 2 || r.Certified() {
		dump(t, r, "C28", "C35")
		t.Errorf("passed %v of %d", got, len(r.Results))
	}
	n := newNetwork()
	if _, err := certify.Run(t.Context(), certify.Options{Listener: n, Rules: []string{"C99"}, Wait: time.Hour, Offline: time.Hour}); !errors.Is(err, certify.ErrOptions) {
		t.Errorf("an unknown rule: %v", err)
	}
}

// TestTheReportHoldsNothingPersonal looks for what the device sent, in what is
// written down about its worst day.
func TestTheReportHoldsNothingPersonal(t *testing.T) {
	b := bugs["C29"]
	r := session(t, b, "C01", "C02", "C03", "C09", "C29")
	if got := with(r, certify.Failed); !slices.Equal(got, []string{"C29"}) {
		t.Fatalf("failed %v", got)
	}
	dir := t.TempDir()
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.json", "report.html"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("GET /v1/state")) || !bytes.Contains(text, []byte("3990000000000")) {
			t.Errorf("%s has no evidence", name)
		}
		lower := bytes.ToLower(text)
		for _, secret := range []string{"ab123cd", "ab-123.cd", "m042", "via roma", "pvi_", "public_key", "keyid"} {
			if bytes.Contains(lower, []byte(secret)) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
		if bytes.Contains(lower, []byte("<script")) {
			t.Errorf("%s runs a script", name)
		}
	}
}

// TestRulesAreSaid: ids are stable and in order, and every rule is explained, also
// in the README of the firmware authors.
func TestRulesAreSaid(t *testing.T) {
	readme, err := os.ReadFile("../../firmware-api/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range certify.Rules() {
		if want := fmt.Sprintf("C%02d", i+1); r.ID != want {
			t.Errorf("rule %d is %s, want %s", i, r.ID, want)
		}
		if r.Title == "" || r.Why == "" || r.Does == "" || r.Pass == "" {
			t.Errorf("%s says too little", r.ID)
		}
		if !bytes.Contains(readme, []byte("| "+r.ID+" | "+r.Title+" |")) {
			t.Errorf("the README does not have %s as «%s»", r.ID, r.Title)
		}
	}
}

func TestTerminal(t *testing.T) {
	for _, test := range []struct {
		verb    certify.Verb
		in      string
		done    bool
		wantErr bool
	}{
		{certify.Slip, "\n", true, false},
		{certify.Slip, "n\n", false, false},
		{certify.Slip, "boh\n\n", true, false},
		{certify.Refuse, "\ns\n", true, false}, // an empty line is no answer to a question
		{certify.Refuse, "N\n", false, false},
		{certify.Slip, "", false, true},
	} {
		var out bytes.Buffer
		done, err := certify.NewTerminal(strings.NewReader(test.in), &out).Do(t.Context(), certify.Action{Rule: "C07", Verb: test.verb, Count: 1})
		if done != test.done || (err != nil) != test.wantErr || !strings.Contains(out.String(), "[C07]") {
			t.Errorf("%s %q: %t, %v, %q", test.verb, test.in, done, err, out.String())
		}
	}
}

func TestScript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$PREAVVISO_CERTIFY_RULE $*\"\n[ \"$1\" = refuse ] && exit 3\n[ \"$1\" != sync ]\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		a       certify.Action
		out     string
		done    bool
		wantErr bool
	}{
		{certify.Action{Rule: "C01", Verb: certify.Enrol, Server: "http://x", Code: "pvi_1"}, "C01 enrol http://x pvi_1\n", true, false},
		{certify.Action{Rule: "C07", Verb: certify.Slip, Count: 3}, "C07 slip 3\n", true, false},
		{certify.Action{Rule: "C26", Verb: certify.Refuse}, "C26 refuse\n", false, false},
		{certify.Action{Rule: "C05", Verb: certify.Sync}, "C05 sync\n", false, true},
	} {
		var out bytes.Buffer
		done, err := certify.Script{Program: path, Out: &out}.Do(t.Context(), test.a)
		if done != test.done || (err != nil) != test.wantErr || out.String() != test.out {
			t.Errorf("%s: %t, %v, %q", test.a.Verb, done, err, out.String())
		}
	}
}
