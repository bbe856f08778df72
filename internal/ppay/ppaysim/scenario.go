package ppaysim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A Scenario is a day of the platform as a list of timed steps (README.md). Who
// is hit by a step that says how many, and not which, follows from the seed and
// from what the platform holds.
type Scenario struct {
	Name  string
	Seed  uint64
	Steps []Step
}

// A Step is one thing done at a time. Exactly one of its actions is there.
type Step struct {
	Line int      `json:"-"`
	At   Duration `json:"at"` // since the scenario began

	Settings   json.RawMessage `json:"settings"`   // as PUT /settings takes them
	Clock      *clockMove      `json:"clock"`      // as PUT /clock takes it
	Pay        int             `json:"pay"`        // this many payable positions, at random
	Begin      int             `json:"begin"`      // this many payments are begun
	Abandon    int             `json:"abandon"`    // this many that were begun are given up
	Receipt    int             `json:"receipt"`    // this many paid positions get their RT
	Revoke     int             `json:"revoke"`     // this many paid positions are revoked
	Send       string          `json:"send"`       // payments or expired: the jobs, now
	Deliveries string          `json:"deliveries"` // stop or start: the queues of all creditors
}

// A ScenarioError says what is wrong with a scenario, and in which line.
type ScenarioError struct {
	Line int
	Text string
}

// Error begins with the line.
func (e *ScenarioError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

func wrong(line int, format string, args ...any) error {
	return &ScenarioError{line, fmt.Sprintf(format, args...)}
}

// ParseScenario reads a scenario in YAML. It takes what it knows and nothing
// else: unknown and repeated keys, aliases, tags, a second document and steps
// out of order are a [ScenarioError].
//
// The library only builds the tree. Its decoder would read 010 as 8 and 1.5 as 1
// where a number is wanted; here every value goes through JSON as it is written.
func ParseScenario(raw []byte) (Scenario, error) {
	if err := shallow(raw); err != nil {
		return Scenario{}, err
	}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		line, why := 1, ""
		if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil && e.GetToken().Position != nil {
			line, why = e.GetToken().Position.Line, ": "+e.GetMessage()
		}
		return Scenario{}, wrong(line, "not YAML%s", why)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return Scenario{}, wrong(1, "want one YAML document")
	}
	top, err := fields(file.Docs[0].Body)
	if err != nil {
		return Scenario{}, err
	}
	var sc Scenario
	steps := []ast.Node{}
	for _, f := range top {
		switch f.key {
		case "name":
			err = into(f, &sc.Name)
		case "seed":
			err = into(f, &sc.Seed)
		case "steps":
			list, ok := f.value.(*ast.SequenceNode)
			if !ok || len(list.Values) == 0 {
				return Scenario{}, wrong(f.line, "steps: want a list")
			}
			steps = list.Values
		default:
			err = wrong(f.line, "unknown key %q", f.key)
		}
		if err != nil {
			return Scenario{}, err
		}
	}
	if sc.Name == "" || len(steps) == 0 {
		return Scenario{}, wrong(1, "want name and steps")
	}
	for _, n := range steps {
		st, err := parseStep(n)
		if err != nil {
			return Scenario{}, err
		}
		if k := len(sc.Steps); st.At < 0 || k > 0 && st.At < sc.Steps[k-1].At {
			return Scenario{}, wrong(st.Line, "at: a step is not before the one above it")
		}
		sc.Steps = append(sc.Steps, st)
	}
	return sc, nil
}

// shallow bounds how deep a file can nest, and with it the stack of the parser.
func shallow(raw []byte) error {
	if len(raw) > maxScenario {
		return wrong(1, "more than %d KiB", maxScenario>>10)
	}
	n, open := 0, 0
	for line := range strings.Lines(string(raw)) {
		n++
		open += strings.Count(line, "[") + strings.Count(line, "{") - strings.Count(line, "]") - strings.Count(line, "}")
		if len(line) > maxLine || open > maxDepth {
			return wrong(n, "too long, or too many brackets")
		}
	}
	return nil
}

// A field is a key of a mapping, with the line it stands in.
type field struct {
	line  int
	key   string
	value ast.Node
}

// fields returns the keys of a mapping, each once.
func fields(n ast.Node) ([]field, error) {
	m, ok := n.(ast.MapNode)
	if !ok {
		return nil, wrong(lineOf(n), "want keys and values")
	}
	var out []field
	for it := m.MapRange(); it.Next(); {
		key, ok := it.Key().(*ast.StringNode)
		if !ok {
			return nil, wrong(lineOf(it.Key()), "a key is a plain word")
		}
		if slices.ContainsFunc(out, func(f field) bool { return f.key == key.Value }) {
			return nil, wrong(lineOf(key), "%q stands twice", key.Value)
		}
		out = append(out, field{lineOf(key), key.Value, it.Value()})
	}
	return out, nil
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1
	}
	return n.GetToken().Position.Line
}

// toJSON writes a value as JSON, from its characters.
func toJSON(value ast.Node) (json.RawMessage, error) {
	switch n := value.(type) {
	case *ast.StringNode:
		return json.Marshal(n.Value)
	case *ast.BoolNode:
		if s := n.GetToken().Value; s != "true" && s != "false" {
			return nil, wrong(lineOf(n), "want true or false")
		}
		return json.Marshal(n.Value)
	case *ast.IntegerNode:
		s := n.GetToken().Value
		if i, err := strconv.ParseInt(s, 10, 64); err != nil || strconv.FormatInt(i, 10) != s {
			return nil, wrong(lineOf(n), "want a whole number in decimal digits")
		}
		return json.RawMessage(s), nil
	case ast.MapNode:
		fs, err := fields(value)
		if err != nil {
			return nil, err
		}
		out := map[string]json.RawMessage{}
		for _, f := range fs {
			if out[f.key], err = toJSON(f.value); err != nil {
				return nil, err
			}
		}
		return json.Marshal(out)
	default:
		return nil, wrong(lineOf(value), "want a text, a whole number, true or false")
	}
}

// into decodes the value of a field onto v, strictly.
func into[T any](f field, v *T) error {
	raw, err := toJSON(f.value)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return wrong(f.line, "%s: %s", f.key, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// parseStep reads one step. Each key of its settings is tried by itself, so that
// the line of the wrong one can be named.
func parseStep(n ast.Node) (Step, error) {
	fs, err := fields(n)
	if err != nil {
		return Step{}, err
	}
	st := Step{Line: lineOf(n)}
	if len(fs) > 0 {
		st.Line = fs[0].line
	}
	var at bool
	actions := 0
	for _, f := range fs {
		if f.key == "at" {
			at = true
		} else {
			actions++
		}
		if f.key == "settings" {
			keys, err := fields(f.value)
			if err != nil {
				return Step{}, err
			}
			for _, k := range keys {
				one, err := toJSON(k.value)
				if err != nil {
					return Step{}, err
				}
				raw, err := json.Marshal(map[string]json.RawMessage{k.key: one})
				if err != nil {
					return Step{}, wrong(k.line, "%s: %v", k.key, err)
				}
				if _, err := patch(Settings{}, raw); err != nil {
					return Step{}, wrong(k.line, "settings: %v", err)
				}
			}
		}
		raw, err := toJSON(f.value)
		if err != nil {
			return Step{}, err
		}
		one, err := json.Marshal(map[string]json.RawMessage{f.key: raw})
		if err != nil {
			return Step{}, wrong(f.line, "%s: %v", f.key, err)
		}
		d := json.NewDecoder(bytes.NewReader(one))
		d.DisallowUnknownFields()
		if err := d.Decode(&st); err != nil {
			return Step{}, wrong(f.line, "%s: %s", f.key, strings.TrimPrefix(err.Error(), "json: "))
		}
	}
	if !at || actions != 1 {
		return Step{}, wrong(st.Line, "a step has at and one action")
	}
	return st, st.check()
}

func (st Step) check() error {
	action := cmp.Or(st.Send, st.Deliveries)
	n := st.Pay + st.Begin + st.Abandon + st.Receipt + st.Revoke
	switch {
	case st.Settings != nil:
		return nil
	case st.Clock != nil:
		if err := st.Clock.check(); err != nil {
			return wrong(st.Line, "clock: %v", err)
		}
		return nil
	case action != "":
		if st.Send != "" && st.Send != "payments" && st.Send != "expired" || st.Deliveries != "" && st.Deliveries != "stop" && st.Deliveries != "start" {
			return wrong(st.Line, "send is payments or expired, deliveries is stop or start")
		}
		return nil
	}
	if n < 1 || n > maxPage {
		return wrong(st.Line, "how many: 1 to %d", maxPage)
	}
	return nil
}

// patch applies settings in JSON to others. Only what it names changes.
func patch(set Settings, raw []byte) (Settings, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&set); err != nil {
		return set, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return set, nil
}

// Play does the steps of a scenario, each when its time has come, until the last
// one or until ctx ends. [Sim.Run] must be running.
func (s *Sim) Play(ctx context.Context, sc Scenario) error {
	start, rng := s.now(), rand.New(rand.NewPCG(sc.Seed, 0))
	s.log.Info("scenario begins", "name", sc.Name, "steps", len(sc.Steps))
	for _, st := range sc.Steps {
		timer := time.NewTimer(time.Duration(st.At) - s.now().Sub(start))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		did, err := s.do(st, rng)
		if err != nil {
			return fmt.Errorf("scenario %s, line %d: %w", sc.Name, st.Line, err)
		}
		s.log.Info("scenario step", "line", st.Line, "did", did)
		s.nudge()
	}
	s.log.Info("scenario ends", "name", sc.Name)
	return nil
}

// do does one step and returns to how many things.
func (s *Sim) do(st Step, rng *rand.Rand) (did int, err error) {
	simple := func(act func(t tx, r receipt) (any, *ko, error)) func(tx, receipt) error {
		return func(t tx, r receipt) error {
			_, no, err := act(t, r)
			if no != nil {
				return fmt.Errorf("%s: %s", r.IUV, no.Code)
			}
			return err
		}
	}
	toPay := func(p Position, pt PaymentType, now time.Time) bool { return payable(p, pt, now) == nil }
	inState := func(want State) func(Position, PaymentType, time.Time) bool {
		return func(p Position, _ PaymentType, _ time.Time) bool { return p.State == want }
	}
	switch {
	case st.Settings != nil:
		_, err := s.change(func(now Settings) (Settings, error) { return patch(now, st.Settings) })
		return 1, err
	case st.Clock != nil:
		return 1, s.moveClock(*st.Clock)
	case st.Send == "payments":
		return s.Notify()
	case st.Send == "expired":
		err = s.update(func(t tx) (err error) { did, err = s.sendExpired(t); return err })
		return did, err
	case st.Deliveries != "":
		return s.switchQueues(st.Deliveries == "stop")
	case st.Pay > 0:
		return s.some(st.Pay, rng, toPay, simple(s.payAtCounter))
	case st.Begin > 0:
		return s.some(st.Begin, rng, toPay, simple(func(t tx, r receipt) (any, *ko, error) { return three(s.start(t, r)) }))
	case st.Abandon > 0:
		return s.some(st.Abandon, rng, inState(Started), simple(func(t tx, r receipt) (any, *ko, error) { return three(s.abandon(t, r)) }))
	case st.Receipt > 0:
		return s.some(st.Receipt, rng, inState(Paid), simple(func(t tx, r receipt) (any, *ko, error) { return three(s.sendReceipt(t, r, false)) }))
	default:
		return s.some(st.Revoke, rng, inState(Paid), simple(func(t tx, r receipt) (any, *ko, error) { return three(s.revoke(t, r, "0")) }))
	}
}

// some acts on up to n positions of those that fit, at random.
func (s *Sim) some(n int, rng *rand.Rand, fits func(Position, PaymentType, time.Time) bool, act func(tx, receipt) error) (did int, err error) {
	err = s.update(func(t tx) error {
		now, err := s.platformNow(t)
		if err != nil {
			return err
		}
		var found []string
		err = scan(t, bPositions, nil, nil, func(_ []byte, p Position) (bool, error) {
			c, _, err := get[Creditor](t, bCreditors, []byte(p.CF))
			pt, _ := c.paymentType(p.Type)
			if fits(p, pt, now) {
				found = append(found, p.IUV)
			}
			return true, err
		})
		if err != nil {
			return err
		}
		rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		for _, iuv := range found[:min(n, len(found))] {
			if err := act(t, receipt{IUV: iuv}); err != nil {
				return err
			}
			did++
		}
		return nil
	})
	return did, err
}

// switchQueues stops or starts the queues of all creditors.
func (s *Sim) switchQueues(stop bool) (did int, err error) {
	err = s.update(func(t tx) error {
		qs, err := queues(t)
		for _, q := range qs {
			if stop {
				err = errors.Join(err, s.stop(t, q.CF))
			} else {
				_, startErr := s.enable(t, q.CF)
				err = errors.Join(err, startErr)
			}
		}
		did = len(qs)
		return err
	})
	return did, err
}
