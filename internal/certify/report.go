package certify

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"os"
	"path/filepath"
	"time"
)

// Outcome is what became of a rule.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "pass"
	Failed Outcome = "fail"
	Warned Outcome = "warn" // not kept, and mild
	NotRun Outcome = "not-run"
)

// Italian is the outcome for people.
func (o Outcome) Italian() string {
	switch o {
	case Passed:
		return "superata"
	case Failed:
		return "non superata"
	case Warned:
		return "avvertenza"
	}
	return "non eseguita"
}

// Report is what one session found.
type Report struct {
	Kit      string    `json:"kit"` // version of this program
	Go       string    `json:"go"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Server   string    `json:"server"`
	Device   string    `json:"device,omitempty"` // the kit's id for it
	Requests int       `json:"requests"`
	Results  []Result  `json:"results"`
}

// Result is one rule.
type Result struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Why      string     `json:"why"`
	Does     string     `json:"does"`
	Pass     string     `json:"pass"`
	Outcome  Outcome    `json:"outcome"`
	Notes    []string   `json:"notes,omitempty"` // Italian
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is one exchange, without personal data.
type Evidence struct {
	At        time.Time `json:"at"`
	Operation string    `json:"operation"`
	ID        string    `json:"id,omitempty"`
	Avviso    string    `json:"avviso,omitempty"`
	Body      string    `json:"body,omitempty"`    // first bytes of its SHA-256: equal if the body is
	Service   int       `json:"service,omitempty"` // what the service answered the kit
	Code      string    `json:"code,omitempty"`
	Given     int       `json:"given,omitempty"` // what the kit answered the device
	Fault     string    `json:"fault,omitempty"`
}

// Count returns how many rules have an outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, x := range r.Results {
		if x.Outcome == o {
			n++
		}
	}
	return n
}

// Certified reports whether every rule of the table was tried and passed, or is a
// mild one.
func (r Report) Certified() bool { return r.Kept() && len(r.Results) == len(Rules()) }

// Kept is Certified for the rules that were asked for.
func (r Report) Kept() bool { return r.Count(Passed)+r.Count(Warned) == len(r.Results) }

//go:embed report.html
var reportText string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"day":   func(t time.Time) string { return t.Format("02/01/2006 15:04:05 MST") },
	"time":  func(t time.Time) string { return t.Format("15:04:05.000") },
	"count": func(r Report, o string) int { return r.Count(Outcome(o)) },
}).Parse(reportText))

// Write writes report.json and report.html into a folder, which it makes if need
// be.
func (r Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "report.html"))
	if err != nil {
		return err
	}
	return errors.Join(reportPage.Execute(f, r), f.Close())
}
