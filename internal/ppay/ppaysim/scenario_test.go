package ppaysim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/ppay/ppaysim"
)

// scenarios are those we ship.
func scenarios(t testing.TB) (files []string) {
	t.Helper()
	files, err := filepath.Glob("../../../cmd/ppaysim/scenarios/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	return files
}

func TestParseScenario(t *testing.T) {
	sc, err := ppaysim.ParseScenario([]byte("name: n\nseed: 7\nsteps:\n  - at: 0s\n    settings:\n      delay_min: 1s # a remark\n      lenient: true\n      refuse_code: \"200\"\n  - {at: 1m, pay: 3}\n  - {at: 1m, clock: {advance: -24h}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]any
	if err := json.Unmarshal(sc.Steps[0].Settings, &settings); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"delay_min": "1s", "lenient": true, "refuse_code": "200"}, settings); d != "" {
		t.Error(d)
	}
	if sc.Name != "n" || sc.Seed != 7 || len(sc.Steps) != 3 || sc.Steps[1].Line != 9 || sc.Steps[1].Pay != 3 || sc.Steps[2].At != ppaysim.Duration(time.Minute) || *sc.Steps[2].Clock.Advance != ppaysim.Duration(-24*time.Hour) {
		t.Errorf("%+v", sc)
	}
	// Also JSON is YAML.
	if _, err := ppaysim.ParseScenario([]byte(`{"name": "n", "steps": [{"at": "1s", "send": "payments"}]}`)); err != nil {
		t.Error(err)
	}
}

// TestParseScenarioNamesTheLine: what is wrong, and where.
func TestParseScenarioNamesTheLine(t *testing.T) {
	head := "name: n\nsteps:\n"
	for _, tt := range []struct {
		in   string
		line int
		text string
	}{
		{"", 1, "document"},
		{"name: n\n", 1, "name and steps"},
		{"name: n\nsteps: []\n", 2, "list"},
		{"name: n\nsteps: {}\n", 2, "list"},
		{"name: n\nstep: []\n", 2, `unknown key "step"`},
		{"name: n\nname: m\n", 2, "not YAML"},
		{"name: n\nseed: -1\n", 2, "seed"},
		{"name: n\nseed: 010\n", 2, "decimal"},
		{"name: n\nseed: 0x10\n", 2, "decimal"},
		{"name: [n\n", 1, "not YAML"},
		{"name: n\n---\nname: m\n", 1, "one YAML document"},
		{head + "  - at: 1s\n", 3, "one action"},
		{head + "  - pay: 1\n", 3, "has at"},
		{head + "  - {at: 1s, pay: 1, begin: 1}\n", 3, "one action"},
		{head + "  - at: 1s\n    pay: 1.5\n", 4, "whole number"},
		{head + "  - at: 1s\n    pay: ~\n", 4, "want"},
		{head + "  - at: 1s\n    pay: [1]\n", 4, "want"},
		{head + "  - at: 1s\n    pay: 0\n", 3, "1 to 1000"},
		{head + "  - at: 1s\n    pay: -1\n", 3, "1 to 1000"},
		{head + "  - at: 1s\n    play: 1\n", 4, "play"},
		{head + "  - at: soon\n    pay: 1\n", 3, "at"},
		{head + "  - at: -1s\n    pay: 1\n", 3, "not before"},
		{head + "  - {at: 2s, pay: 1}\n  - {at: 1s, pay: 1}\n", 4, "not before"},
		{head + "  - at: 1s\n    settings:\n      lenient: true\n      lenent: true\n", 6, "lenent"},
		{head + "  - at: 1s\n    settings:\n      delay_min: 1\n", 5, "settings"},
		{head + "  - at: 1s\n    settings:\n      retries: \"3\"\n", 5, "settings"},
		{head + "  - at: 1s\n    clock: {}\n", 3, "clock"},
		{head + "  - at: 1s\n    clock: {advance: 1h, offset: 1h}\n", 3, "clock"},
		{head + "  - at: 1s\n    send: love\n", 3, "send"},
		{head + "  - at: 1s\n    deliveries: maybe\n", 3, "deliveries"},
		{head + "  - at: &a 1s\n    pay: 1\n", 3, "want"},
		{head + "  - at: !!str 1s\n    pay: 1\n", 3, "want"},
		{head + "  - 1\n", 3, "keys"},
		{head + "  - ? [a]\n    : 1\n", 4, ""},
		{"name: " + strings.Repeat("[", 100), 1, "brackets"},
		{"name: " + strings.Repeat("x", 2000), 1, "too long"},
		{strings.Repeat("# x\n", 20_000), 1, "KiB"},
	} {
		_, err := ppaysim.ParseScenario([]byte(tt.in))
		e, ok := errors.AsType[*ppaysim.ScenarioError](err)
		if !ok || e.Line != tt.line || !strings.Contains(e.Text, tt.text) {
			t.Errorf("%.80q: %v, want line %d: %s", tt.in, err, tt.line, tt.text)
		}
	}
}

// TestShippedScenarios plays each sample to its end, on a pool with half of it
// active, twice with the same result.
func TestShippedScenarios(t *testing.T) {
	for _, file := range scenarios(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sc, err := ppaysim.ParseScenario(raw)
			if err != nil {
				t.Fatal(err)
			}
			paid := func(t *testing.T) (out []string) {
				synctest.Test(t, func(t *testing.T) {
					w := bubble(t)
					w.must("POST", "seed", `{"cf":"`+cf+`","type":"MU01","count":40}`)
					w.must("POST", "seed", `{"cf":"`+cf+`","type":"MU01","count":40,"cents":4200}`)
					if err := w.sim.Play(t.Context(), sc); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
					synctest.Wait()
					d, err := w.sim.Dump()
					if err != nil {
						t.Fatal(err)
					}
					for i, p := range d.Positions {
						for _, pay := range p.Payments {
							out = append(out, fmt.Sprint(i%40, pay.Cents))
							if pay.Told == "" {
								t.Errorf("a payment of %s was never told", p.ID)
							}
						}
					}
				})
				return out
			}
			first := paid(t)
			if d := cmp.Diff(first, paid(t)); d != "" || len(first) < 4 {
				t.Errorf("%d payments: %s", len(first), d)
			}
		})
	}
}

// TestScenarioStops: with its context, and at a step that cannot be.
func TestScenarioStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bubble(t)
		sc, err := ppaysim.ParseScenario([]byte("name: n\nsteps:\n  - {at: 1h, settings: {delay_min: 2s}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.sim.Play(t.Context(), sc); err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("delay_min above delay_max: %v", err)
		}
		ctx, stop := contextWithCancel(w)
		time.AfterFunc(time.Minute, stop)
		start := time.Now()
		if err := w.sim.Play(ctx, sc); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// FuzzScenario: a scenario or an error with a line, and one that was read can be
// written as it was understood.
func FuzzScenario(f *testing.F) {
	for _, file := range scenarios(f) {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("name: n\nsteps:\n  - {at: 1s, pay: 1}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {}\n: 1\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		sc, err := ppaysim.ParseScenario(raw)
		if e, ok := errors.AsType[*ppaysim.ScenarioError](err); err != nil && (!ok || e.Line < 1) {
			t.Fatalf("%v", err)
		}
		if err == nil && (sc.Name == "" || len(sc.Steps) == 0) {
			t.Fatalf("%+v", sc)
		}
	})
}
