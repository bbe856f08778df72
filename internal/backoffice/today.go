package backoffice

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/guide"
	"preavviso/internal/multe"
	"preavviso/internal/store"
)

// How much of what waits one page shows. More than this is not work for a
// morning, and the page must stay small.
const (
	maxCases   = 100
	maxBatches = 20
	maxDevices = 200
)

// facts is what the first page is decided from.
type facts struct {
	Creditor  multe.Creditor
	Now       time.Time
	Codes     map[multe.CodeState]int
	Verbali   map[multe.VerbaleState]int
	Troubles  []multe.Discrepancy // open, at most maxCases
	More      bool                // there are others
	Batches   []multe.Batch       // sealed and queued, oldest first
	Waiting   int                 // changes in the outbox, at most store.MaxPage
	Oldest    time.Time           // when the oldest of them was to leave
	Dead, New int                 // messages of the installation
	Silent    []silent
	Trend     trend
}

// silent is a handheld that holds codes and says nothing.
type silent struct {
	ID   multe.DeviceID
	Name string
	Why  string
}

// number is one of the five numbers (style.md B12), and what it means.
type number struct {
	Key, Name, Value, Meaning, Tone string
}

// numbers decides the five numbers.
func numbers(f facts) []number {
	today := multe.DayOf(f.Now)
	out := []number{waitNumber(f.Trend.last(7, today))}

	oldest := number{Key: "oldest", Name: "Lista più vecchia senza esito", Value: "nessuna", Meaning: "PiemontePAY ha risposto a tutto", Tone: "good"}
	for _, b := range f.Batches {
		if b.State == multe.BatchQueued {
			age := f.Now.Sub(b.Sealed)
			oldest.Value, oldest.Meaning, oldest.Tone = ago(age), "di solito arriva in pochi minuti", "good"
			if age > 30*time.Minute {
				oldest.Meaning, oldest.Tone = "più del solito: tenere d'occhio", "wait"
			}
			if age > 6*time.Hour {
				oldest.Meaning, oldest.Tone = "troppo: chiamare l'assistenza", "bad"
			}
			break
		}
	}
	out = append(out, oldest, supplyNumber(f))

	issued := f.Codes[multe.CodeIssued]
	unpaid := number{Key: "unactivated", Name: "Preavvisi non ancora pagabili", Value: strconv.Itoa(issued), Meaning: "in attesa della conferma di PiemontePAY", Tone: "wait"}
	if issued == 0 {
		unpaid.Meaning, unpaid.Tone = "tutti i preavvisi si possono pagare", "good"
	}
	out = append(out, unpaid)

	open := 0
	for _, d := range f.Troubles {
		if strings.HasPrefix(d.Kind, "payment.") || strings.HasPrefix(d.Kind, "position.") || d.Kind == "accounting.never_notified" {
			open++
		}
	}
	paid := number{Key: "paid", Name: "Pagamenti da sistemare", Value: strconv.Itoa(open), Meaning: "pagati, ma non chiusi", Tone: "bad"}
	if open == 0 {
		paid.Meaning, paid.Tone = "ogni pagamento è al suo posto", "good"
	}
	return append(out, paid)
}

// waitNumber tells within what time nine slips in ten became payable.
func waitNumber(week []tally) number {
	n := number{Key: "wait", Name: "Dalla stampa al pagabile", Value: "—", Meaning: "nessun preavviso negli ultimi 7 giorni", Tone: "plain"}
	sum := sumWaits(week)
	total := 0
	for _, w := range sum {
		total += w
	}
	if total == 0 {
		return n
	}
	seen := 0
	for i, w := range sum {
		if seen += w; seen*10 >= total*9 {
			n.Value = strings.TrimPrefix(waits[i].label, "da ")
			n.Tone = []string{"good", "good", "wait", "wait", "bad", "bad"}[i]
			break
		}
	}
	n.Meaning = "9 preavvisi su 10, ultimi 7 giorni"
	return n
}

func sumWaits(days []tally) (sum [6]int) {
	for _, d := range days {
		for i, w := range d.Waits {
			sum[i] += w
		}
	}
	return sum
}

// supplyOf forecasts the pool from the days before today.
func supplyOf(f facts) supply {
	today := multe.DayOf(f.Now)
	days := f.Trend.last(trendDays-1, today.Plus(-1))
	used := make([]int, len(days))
	for i, d := range days {
		used[i] = d.Taken
	}
	for len(used) > 7 && used[0] == 0 { // before the service was in use
		used = used[1:]
	}
	if now := f.Trend.last(1, today)[0].Taken; now > 0 && !slices.ContainsFunc(used, func(n int) bool { return n > 0 }) {
		used = []int{now} // the first day: better than nothing
	}
	return forecast(f.Codes[multe.CodeAvailable], used, today)
}

func supplyNumber(f facts) number {
	n := number{Key: "supply", Name: "Scorta di codici", Tone: "good"}
	s, left := supplyOf(f), f.Codes[multe.CodeAvailable]
	switch {
	case !s.Known:
		n.Value, n.Meaning = strconv.Itoa(left), "disponibili; uso ancora sconosciuto"
	case s.Last.IsZero():
		n.Value, n.Meaning = fmt.Sprintf("oltre %d giorni", horizon), fmt.Sprintf("%d disponibili", left)
	case s.Days == 0:
		n.Value, n.Meaning = "meno di un giorno", fmt.Sprintf("%d disponibili", left)
	default:
		n.Value, n.Meaning = ago(time.Duration(s.Days)*24*time.Hour), fmt.Sprintf("%d disponibili", left)
		if s.Days == 1 {
			n.Value = "1 giorno"
		}
	}
	switch {
	case left == 0 || s.Known && s.Days < 2:
		n.Tone = "bad"
	case left < f.Creditor.PoolLow:
		n.Tone = "wait"
	}
	return n
}

// group is all that is open of one kind.
type group struct {
	Text  guide.Text
	Tone  string
	Cases []trouble
}

// trouble is one open discrepancy.
type trouble struct {
	ID, Name, When, Detail, Href string
	Taken                        string // who looks after it; "" for nobody
	Count                        int
	Open                         bool // drawn open
}

// groups sorts what is open by what it is about: money first, then what keeps
// slips from being payable, then the rest; within a kind the oldest first.
func groups(ds []multe.Discrepancy, now time.Time) []group {
	byKind := map[string][]multe.Discrepancy{}
	for _, d := range ds {
		byKind[d.Kind] = append(byKind[d.Kind], d)
	}
	kinds := make([]string, 0, len(byKind))
	for k := range byKind {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	var out []group
	for _, k := range kinds {
		text, known := guide.Of(k)
		if !known {
			text = guide.Text{Happened: "Segnalazione «" + k + "».", Citizen: "Da valutare caso per caso.", Now: "Leggere il dettaglio qui sotto."}
		}
		g := group{Text: text, Tone: "wait"}
		if rank(k) == 0 {
			g.Tone = "bad"
		}
		cases := byKind[k]
		slices.SortFunc(cases, func(a, b multe.Discrepancy) int { return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID)) })
		for _, d := range cases {
			g.Cases = append(g.Cases, trouble{ID: d.ID, Name: caseName(d), When: "da " + ago(now.Sub(d.Opened)), Detail: d.Detail, Href: caseHref(d),
				Count: d.Count, Open: len(cases) == 1, Taken: actorWord(d.Taken.By)})
		}
		out = append(out, g)
	}
	return out
}

// rank is how much of a hurry a kind is in.
func rank(kind string) int {
	area, _, _ := strings.Cut(kind, ".")
	switch area {
	case "payment", "position", "accounting", "revocation", "notice", "refund", "export":
		return 0
	case "platform", "batch", "change", "esito", "message":
		return 1
	}
	return 2
}

// subjectOf tells what the subject of a kind names. The use cases say it beside
// their constants.
func subjectOf(d multe.Discrepancy) (noun, href string) {
	area, _, _ := strings.Cut(d.Kind, ".")
	switch {
	case d.Subject == "":
		return "tutto l'ente", ""
	case isIUV(d.Subject):
		return "IUV " + d.Subject, "/pagamenti/" + d.Subject
	case area == "message" || area == "notice":
		return "messaggio " + short(d.Subject), "/messaggi/" + d.Subject
	case area == "refund" || area == "export":
		return "verbale " + short(d.Subject), "/verbali/" + d.Subject
	case area == "batch":
		return "lista " + short(d.Subject), ""
	case area == "flusso":
		return "flusso " + short(d.Subject), "/flussi"
	case area == "code" || area == "change" || area == "position" || area == "esito" || area == "payment":
		return "codice " + short(d.Subject), "/codici/" + d.Subject
	}
	return short(d.Subject), ""
}

func caseName(d multe.Discrepancy) string { noun, _ := subjectOf(d); return noun }
func caseHref(d multe.Discrepancy) string { _, href := subjectOf(d); return href }

// isIUV reports whether a subject is the IUV of a notice: 17 digits with the
// segregation code, or 15.
func isIUV(s string) bool {
	return (len(s) == 17 || len(s) == 15) && strings.Trim(s, "0123456789") == ""
}

// todayPage is the first page.
type todayPage struct {
	Day      string
	Numbers  []number
	Groups   []group
	More     bool
	ToRecord int
	Batches  []batchRow
	Waiting  int
	Silent   []silent
	Health   []healthRow
	Outcomes []choice // how a case can end

	MayClose, MayRecord bool
}

type batchRow struct {
	What, Age string
	Size      int
	Sign      sign
}

type healthRow struct {
	Sign sign
	Text string
}

func today(f facts) todayPage {
	p := todayPage{Day: longDay(multe.DayOf(f.Now)), Numbers: numbers(f), Groups: groups(f.Troubles, f.Now), More: f.More,
		ToRecord: f.Verbali[multe.VerbaleIssued], Waiting: f.Waiting, Silent: f.Silent, Health: health(f)}
	for _, b := range f.Batches {
		p.Batches = append(p.Batches, batchRow{operationWord(b.Operation), ago(f.Now.Sub(b.Sealed)), len(b.Changes), batchSign(b.State)})
	}
	for _, o := range multe.WorkOutcomes() {
		p.Outcomes = append(p.Outcomes, choice{Value: string(o), Text: outcomeWords[o]})
	}
	return p
}

var outcomeWords = map[multe.WorkOutcome]string{
	multe.WorkDone:     "fatto ciò che serviva",
	multe.WorkRefunded: "rimborsato",
	multe.WorkKept:     "verificato, resta così",
	multe.WorkNoIssue:  "non c'era nulla di sbagliato",
}

// health says in a line each what works.
func health(f facts) []healthRow {
	ok := func(text string) healthRow { return healthRow{sign{"Regolare", "good", "it-check-circle"}, text} }
	look := func(text string) healthRow { return healthRow{sign{"Da guardare", "bad", "it-warning-circle"}, text} }
	var rows []healthRow
	if age := f.Now.Sub(f.Oldest); f.Waiting > 0 && age > 15*time.Minute {
		rows = append(rows, look(fmt.Sprintf("La comunicazione più vecchia aspetta di partire da %s.", ago(age))))
	} else {
		rows = append(rows, ok("Le comunicazioni per PiemontePAY partono."))
	}
	if f.Dead > 0 {
		rows = append(rows, look(fmt.Sprintf("Messaggi di PiemontePAY non elaborati: %d.", f.Dead)))
	} else {
		rows = append(rows, ok("I messaggi di PiemontePAY vengono elaborati."))
	}
	if f.New > 100 {
		rows = append(rows, look(fmt.Sprintf("Messaggi ancora da elaborare: %d.", f.New)))
	}
	return rows
}

// readFacts reads what the first page is decided from.
func readFacts(r store.Reader, c multe.CreditorID, now time.Time, t trend) (f facts, err error) {
	f = facts{Now: now, Trend: t}
	if f.Creditor, err = r.Creditor(c); err != nil {
		return f, err
	}
	if f.Codes, err = r.CountCodes(c); err != nil {
		return f, err
	}
	if f.Verbali, err = r.CountVerbali(c); err != nil {
		return f, err
	}
	if f.Troubles, err = r.Discrepancies(c, true, "", maxCases+1); err != nil {
		return f, err
	}
	if len(f.Troubles) > maxCases {
		f.Troubles, f.More = f.Troubles[:maxCases], true
	}
	for _, s := range []multe.BatchState{multe.BatchSealed, multe.BatchQueued} {
		bs, err := r.BatchesIn(c, s, "", maxBatches)
		if err != nil {
			return f, err
		}
		f.Batches = append(f.Batches, bs...)
	}
	slices.SortFunc(f.Batches, func(a, b multe.Batch) int { return a.Sealed.Compare(b.Sealed) })
	waiting, err := r.ChangesIn(c, multe.ChangeWaiting, multe.Change{}, store.MaxPage)
	if err != nil {
		return f, err
	}
	for _, ch := range waiting {
		if !ch.NotBefore.After(now) { // the others wait for their day
			f.Waiting++
			if f.Oldest.IsZero() {
				f.Oldest = ch.NotBefore
			}
		}
	}
	dead, err := r.MessagesIn(multe.MessageDead, "", store.MaxPage)
	if err != nil {
		return f, err
	}
	fresh, err := r.MessagesIn(multe.MessageNew, "", store.MaxPage)
	if err != nil {
		return f, err
	}
	f.Dead, f.New = len(dead), len(fresh)
	f.Silent, err = readSilent(r, c, now, t.heard)
	return f, err
}

// silentAfter is how long a handheld with codes in hand may say nothing before
// the office asks: a shift and the night after it.
const silentAfter = 24 * time.Hour

// readSilent finds handhelds that hold codes and have done nothing since long. It
// reads counts and not the codes: on a Monday all handhelds are silent, and
// together they hold thousands.
func readSilent(r store.Reader, c multe.CreditorID, now time.Time, heard map[multe.DeviceID]time.Time) ([]silent, error) {
	ds, err := r.Devices(c, "", maxDevices)
	if err != nil {
		return nil, err
	}
	var out []silent
	for _, d := range ds {
		if d.State == multe.DeviceRevoked {
			continue
		}
		n, err := r.CountCodesOf(c, d.ID)
		if err != nil {
			return nil, err
		}
		held, since := n[multe.CodeAssigned], fmt.Sprintf("più di %d giorni", trendDays)
		if last, ok := heard[d.ID]; ok {
			age := now.Sub(last)
			if age <= silentAfter {
				continue
			}
			if age < trendDays*24*time.Hour {
				since = ago(age)
			}
		}
		if held > 0 {
			out = append(out, silent{d.ID, d.Name, fmt.Sprintf("ha %d codici in mano e non si sente da %s", held, since)})
		}
	}
	return out, nil
}
