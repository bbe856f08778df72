package certify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Options say how to certify.
type Options struct {
	Listener net.Listener // the kit closes it
	Server   string       // how the device reaches it, "http://host:port"; "": the address of Listener
	Operator Operator
	Rules    []string      // ids; none: all
	Wait     time.Duration // for the device to do what it was told
	Offline  time.Duration // how long C19 refuses every connection
	Out      io.Writer     // for people, Italian
	Log      *slog.Logger
}

// The least that the waits may be.
const (
	minWait    = 90 * time.Second // above every pause that a rule imposes: lateBy, slowFor, Retry-After
	minOffline = 10 * time.Second
)

// ErrOptions is matched by the errors of options that cannot be.
var ErrOptions = errors.New("certify: options")

// check finds the rules that were asked for.
func (o Options) check() ([]Rule, error) {
	if o.Wait < minWait || o.Offline < minOffline {
		return nil, fmt.Errorf("%w: attesa di almeno %v, senza rete per almeno %v", ErrOptions, minWait, minOffline)
	}
	return choose(o.Rules)
}

// choose returns the rules with these ids, in the order of the table.
func choose(ids []string) ([]Rule, error) {
	all := Rules()
	if len(ids) == 0 {
		return all, nil
	}
	var list []Rule
	for _, r := range all {
		if slices.Contains(ids, r.ID) {
			list = append(list, r)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(r Rule) bool { return r.ID == id }) {
			return nil, fmt.Errorf("%w: regola sconosciuta %q", ErrOptions, id)
		}
	}
	return list, nil
}

// Run certifies one device. It returns a report of what it got to also when ctx
// ends or the operator gives up; the error then says why it is not whole.
func Run(ctx context.Context, o Options) (Report, error) {
	rules, err := o.check()
	if err != nil {
		return Report{}, errors.Join(err, o.Listener.Close())
	}
	sv, err := openService(ctx, o.Log)
	if err != nil {
		return Report{}, errors.Join(err, o.Listener.Close())
	}
	f, err := newForeign()
	if err != nil {
		return Report{}, errors.Join(err, o.Listener.Close(), sv.close())
	}
	s := &session{kit: newKit(sv, f), op: o.Operator, server: cmp.Or(o.Server, "http://"+o.Listener.Addr().String()), wait: o.Wait, offline: o.Offline}
	server := &http.Server{Handler: s.kit, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(newSniffer(o.Listener, f)) }()
	report := Report{Started: time.Now(), Server: s.server, Go: goVersion(), Kit: kitVersion()}
	err = s.run(ctx, rules, &report, o.Out)
	report.Ended = time.Now()
	report.Device = s.device
	err = errors.Join(err, server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return report, errors.Join(err, sv.close())
}

// run plays the scenes, then judges. It returns the first error that ends the
// session; what was not tried then is not run.
func (s *session) run(ctx context.Context, rules []Rule, report *Report, out io.Writer) error {
	results := make([]Result, len(rules))
	var ended error
	order := make([]int, len(rules))
	for i, r := range rules {
		results[i] = Result{ID: r.ID, Title: r.Title, Why: r.Why, Does: r.Does, Pass: r.Pass, Outcome: NotRun, Notes: []string{"La sessione è finita prima."}}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(slices.Index(last, rules[a].ID), slices.Index(last, rules[b].ID))
	})
	for _, i := range order {
		r := rules[i]
		if r.play == nil || ended != nil {
			continue
		}
		if ended = s.enrolled(ctx, r); ended != nil {
			results[i].Notes = []string{"Il palmare non è attivo."}
			say(out, results[i])
			continue
		}
		results[i], ended = s.play(ctx, r, results[i])
		say(out, results[i])
	}
	if ended == nil {
		ended = s.traffic(ctx, rules)
	}
	s.fresh("")
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range rules {
		if r.judge == nil {
			continue
		}
		results[i] = judged(s.kit, r, results[i])
		say(out, results[i])
	}
	report.Results = results
	report.Requests = len(s.exchanges)
	return ended
}

func say(out io.Writer, r Result) {
	fmt.Fprintf(out, "%s %-12s %s\n", r.ID, r.Outcome.Italian(), r.Title)
	if r.Outcome != Passed {
		for _, n := range r.Notes {
			fmt.Fprintf(out, "    %s\n", n)
		}
	}
}

// fresh starts a rule with a clean slate.
func (s *session) fresh(id string) {
	s.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kit.rule, s.mark = id, len(s.exchanges)
}

// enrolled enrols the device before the first rule that needs it, unless the rule
// is about just that.
func (s *session) enrolled(ctx context.Context, r Rule) error {
	if s.device != "" || r.ID == enrolExpired || r.ID == enrolLost {
		return nil
	}
	s.rule = &r
	s.fresh(r.ID)
	_, err := s.enrol(ctx)
	return err
}

// traffic is what the judges look at if no scene was played.
func (s *session) traffic(ctx context.Context, rules []Rule) error {
	judges := slices.IndexFunc(rules, func(r Rule) bool { return r.judge != nil })
	scenes := slices.ContainsFunc(rules, func(r Rule) bool { return r.play != nil && r.ID != enrolExpired && r.ID != enrolLost })
	if judges < 0 || scenes {
		return nil
	}
	r := rules[judges]
	if err := s.enrolled(ctx, r); err != nil {
		return err
	}
	s.rule = &r
	s.fresh(r.ID)
	if err := s.need(ctx, offlineSlips); err != nil {
		return err
	}
	_, err := s.slips(ctx, offlineSlips)
	return err
}

// settleFor is how long a device may take to finish what it was doing when a scene
// ends: a Retry-After, a pause of its own.
const settleFor = 5 * time.Second

// play plays one scene.
func (s *session) play(ctx context.Context, r Rule, result Result) (Result, error) {
	s.rule = &r
	s.fresh(r.ID)
	wrong, err := r.play(ctx, s)
	s.clear()
	why, tried := errors.AsType[notRun](err)
	switch {
	case tried:
		result.Notes, err = []string{why.why}, nil
	case errors.Is(err, errNotEnrolled):
		result.Notes = []string{"Il palmare non si è attivato."}
	case err != nil:
		result.Notes = []string{"La prova è stata interrotta."}
	case len(wrong) > 0 && r.Mild:
		result.Outcome, result.Notes = Warned, wrong
	case len(wrong) > 0:
		result.Outcome, result.Notes = Failed, wrong
	default:
		result.Outcome, result.Notes = Passed, nil
	}
	if err == nil {
		err = s.watch(ctx, settleFor)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	result.Evidence = evidence(s.kit, s.seen(""))
	return result, err
}

func judged(k *kit, r Rule, result Result) Result {
	wrong, looked := r.judge(k)
	switch {
	case looked == 0:
		result.Notes = []string{"Nessuna richiesta da giudicare."}
	case len(wrong) > 0:
		result.Outcome, result.Evidence = Failed, evidence(k, wrong)
		result.Notes = failf("%d richieste su %d non rispettano la regola.", len(wrong), looked)
	default:
		result.Outcome, result.Notes = Passed, failf("%d richieste esaminate.", looked)
	}
	return result
}

// maxEvidence is what one rule shows: enough to find the place in a log.
const maxEvidence = 20

// evidence writes exchanges down without anything personal.
func evidence(k *kit, list []*exchange) []Evidence {
	var out []Evidence
	for _, e := range list[:min(len(list), maxEvidence)] {
		v := Evidence{At: e.at, Operation: e.op, Service: e.status, Code: e.code, Given: e.given, Fault: e.fault}
		if validForm(e.fields.ID) {
			v.ID = e.fields.ID
		}
		if l := k.loans[e.fields.Position]; l != nil {
			v.Avviso = l.avviso
		}
		sum := sha256.Sum256(e.body)
		if len(e.body) > 0 {
			v.Body = hex.EncodeToString(sum[:4])
		}
		out = append(out, v)
	}
	return out
}

// validForm keeps what a device may have put in place of an id out of the report.
func validForm(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 16
}

func goVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.GoVersion
	}
	return ""
}

func kitVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(version, s.Value[:min(12, len(s.Value))]) {
			version += " " + s.Value
		}
	}
	return version
}

// Invitation is what a device needs to know, as JSON for whoever automates it.
type Invitation struct {
	Server string `json:"server"`
	Code   string `json:"code"`
}

// Announcer is an Operator that also writes every enrolment as a line of JSON.
type Announcer struct {
	Operator
	Out io.Writer
}

// Do writes the line, then lets the Operator act.
func (a Announcer) Do(ctx context.Context, action Action) (bool, error) {
	if action.Verb == Enrol {
		line, err := json.Marshal(Invitation{Server: action.Server, Code: action.Code})
		if err != nil {
			return false, err
		}
		if _, err := fmt.Fprintf(a.Out, "%s\n", line); err != nil {
			return false, err
		}
	}
	return a.Operator.Do(ctx, action)
}
