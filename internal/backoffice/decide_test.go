package backoffice

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/assets"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

var monday = multe.Day{Year: 2026, Month: 3, Day: 2}

func TestForecast(t *testing.T) {
	week := []int{10, 10, 10, 10, 10, 0, 0} // from a Monday; nothing at weekends
	busy := []int{10, 10, 10, 10, 30, 0, 0}
	for name, tt := range map[string]struct {
		left int
		used []int
		want supply
	}{
		"never used": {40, []int{0, 0, 0}, supply{Days: horizon, From: monday.Plus(1)}},
		// Tuesday to Friday take 40, the weekend nothing, Monday 10 more.
		"ends on a weekday": {45, append(week, week...), supply{Known: true, PerDay: 50.0 / 7, Days: 6, Last: monday.Plus(7), Cautious: monday.Plus(7),
			Levels: []int{35, 25, 15, 5, 5, 5, 0}, From: monday.Plus(1)}},
		"one busy Friday": {35, append(week, busy...), supply{Known: true, PerDay: 120.0 / 14, Days: 3, Last: monday.Plus(4), Cautious: monday.Plus(4),
			Levels: []int{25, 15, 5, 0}, From: monday.Plus(1)}},
		"empty": {0, week, supply{Known: true, PerDay: 50.0 / 7, Days: 0, Last: monday.Plus(1), Cautious: monday.Plus(1), Levels: []int{0}, From: monday.Plus(1)}},
		// More came back than was taken: no use, and no codes out of nothing.
		"came back": {10, []int{-5, -5}, supply{Days: horizon, From: monday.Plus(1)}},
	} {
		if diff := cmp.Diff(tt.want, forecast(tt.left, tt.used, monday)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	long := forecast(100_000, week, monday)
	if !long.Last.IsZero() || long.Days != horizon || len(long.Levels) != horizon {
		t.Errorf("a pool for years: %+v", long)
	}
}

// TestForecastNeverPromisesMore: more codes never end sooner, and the cautious day
// is never after the usual one.
func TestForecastNeverPromisesMore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		used := make([]int, 1+r.IntN(27))
		for i := range used {
			used[i] = r.IntN(40)
		}
		left := r.IntN(600)
		a, b := forecast(left, used, monday), forecast(left+r.IntN(50), used, monday)
		if b.Days < a.Days {
			t.Fatalf("%v: %d codes last %d days, more of them %d", used, left, a.Days, b.Days)
		}
		if !a.Last.IsZero() && (a.Cautious.IsZero() || a.Cautious.Compare(a.Last) > 0) {
			t.Fatalf("%v, %d: usual %s, cautious %s", used, left, a.Last, a.Cautious)
		}
	}
}

func TestTrend(t *testing.T) {
	at := monday.Start().Add(9 * time.Hour)
	var tr trend
	for i, e := range []multe.AuditEntry{
		{Action: "code.requested", To: "requested"},
		{Action: "code.available", From: "requested", To: "available"},
		{Action: "code.available", From: "requested", To: "available"},
		{Action: "code.assigned", From: "available", To: "assigned"},
		{Action: "code.assigned", From: "available", To: "assigned"},
		{Action: "code.returned", From: "assigned", To: "available"},
		{Action: "code.issued", From: "assigned", To: "issued"},
		{Action: "code.payable", From: "issued", To: "active"},
		{Action: "verbale.recorded", From: "issued", To: "finalised", Subject: "V7"},
		{Action: "code.updated", From: "active", To: "active"},
	} {
		e.Seq, e.At = uint64(i+1), at
		tr.note(e, at.Add(-3*time.Minute))
	}
	tr.pay(multe.Payment{Received: at, Cents: 2940})
	got := tr.last(2, monday)
	want := []tally{{}, {Taken: 1, Moved: 1, Issued: 1, Paid: 1, PaidCents: 2940, Waits: [6]int{0, 1}}}
	if diff := cmp.Diff(want, got); diff != "" || tr.seq != 10 || tr.recorded != "V7" {
		t.Errorf("%s seq %d recorded %s", diff, tr.seq, tr.recorded)
	}
}

func TestWaitClasses(t *testing.T) {
	for d, want := range map[time.Duration]int{-time.Second: 0, time.Minute: 0, time.Minute + 1: 1, 15 * time.Minute: 2, time.Hour: 3, 24 * time.Hour: 4, 24*time.Hour + 1: 5} {
		if got := waitClass(d); got != want {
			t.Errorf("waitClass(%v) = %d, want %d", d, got, want)
		}
	}
}

// TestNumbers holds each of the five numbers at its bounds.
func TestNumbers(t *testing.T) {
	now := monday.Start().Add(12 * time.Hour)
	quiet := facts{Now: now, Creditor: multe.Creditor{PoolLow: 20}, Codes: map[multe.CodeState]int{multe.CodeAvailable: 40}}
	tones := func(f facts) (s string) {
		for _, n := range numbers(f) {
			if n.Key == "" || n.Name == "" || n.Value == "" || n.Meaning == "" {
				t.Errorf("a number without words: %+v", n)
			}
			s += n.Key + "=" + n.Tone + " "
		}
		return s
	}
	if got := tones(quiet); got != "wait=plain oldest=good supply=good unactivated=good paid=good " {
		t.Errorf("a quiet day: %s", got)
	}
	bad := quiet
	bad.Codes = map[multe.CodeState]int{multe.CodeIssued: 3}
	bad.Batches = []multe.Batch{{State: multe.BatchSealed, Sealed: now.Add(-9 * time.Hour)}, {State: multe.BatchQueued, Sealed: now.Add(-7 * time.Hour)}}
	bad.Troubles = []multe.Discrepancy{{Kind: "payment.double"}, {Kind: "code.orphan"}}
	bad.Trend.day(monday).Waits[5] = 2
	bad.Trend.day(monday).Waits[0] = 8
	if got := tones(bad); got != "wait=bad oldest=bad supply=bad unactivated=wait paid=bad " {
		t.Errorf("a bad day: %s", got)
	}
	bad.Trend.day(monday).Waits[0] = 18
	if n := waitNumber(bad.Trend.last(7, monday)); n.Tone != "good" || n.Value != "entro 1 minuto" {
		t.Errorf("nine in ten within a minute: %+v", n)
	}
}

func TestGroups(t *testing.T) {
	now := monday.Start()
	gs := groups([]multe.Discrepancy{
		{ID: "code.orphan:P1", Kind: "code.orphan", Subject: "P1", Opened: now, Count: 1},
		{ID: "payment.double:2", Kind: "payment.double", Subject: "30120000000000002", Opened: now, Count: 1},
		{ID: "payment.double:1", Kind: "payment.double", Subject: "30120000000000001", Opened: now.Add(-time.Hour), Count: 2},
		{ID: "new.kind:x", Kind: "new.kind", Subject: "x", Opened: now, Count: 1},
	}, now)
	var got []string
	for _, g := range gs {
		if !g.Text.Complete() {
			t.Errorf("%+v does not answer all three questions", g)
		}
		for _, c := range g.Cases {
			got = append(got, c.ID+" "+c.Href)
		}
	}
	want := []string{"payment.double:1 /pagamenti/30120000000000001", "payment.double:2 /pagamenti/30120000000000002", "code.orphan:P1 /codici/P1", "new.kind:x "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIncrement(t *testing.T) {
	for in, want := range map[string]string{
		"12": "13", "0099": "0100", "999": "1000", "V-0012/2026": "V-0013/2026", "2026-000123": "2026-000124", "12/A": "13/A", "A": "", "": "",
		"2026": "2027", "99999999999999999999": "", "7-2026": "8-2026",
	} {
		if got := increment(in); got != want {
			t.Errorf("increment(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTypedEuro(t *testing.T) {
	for in, want := range map[string]multe.Cents{"42": 4200, "42,5": 4250, " 1.234,50 € ": 123450, "87.50": 8750, "0,01": 1} {
		if got, err := typedEuro(in); err != nil || got != want {
			t.Errorf("typedEuro(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "1,234", "dieci", "1e3", "1,2,3"} {
		if got, err := typedEuro(in); fault.Of(err).Code != "verbale.bad_amount" {
			t.Errorf("typedEuro(%q) = %d, %v", in, got, err)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "meno di un minuto", time.Minute: "1 minuto", 59 * time.Minute: "59 minuti", time.Hour: "1 ora", 47 * time.Hour: "47 ore", 48 * time.Hour: "2 giorni"} {
		if got := ago(d); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
}

// TestEveryStateHasASign keeps new states from being shown in English.
func TestEveryStateHasASign(t *testing.T) {
	for _, s := range multe.CodeStates() {
		if _, ok := codeSigns[s]; !ok || codeMeans[s] == "" {
			t.Errorf("code state %s has no words", s)
		}
	}
	for _, s := range verbaleStates {
		if _, ok := verbaleSigns[s]; !ok {
			t.Errorf("verbale state %s has no words", s)
		}
	}
	for _, o := range multe.WorkOutcomes() {
		if outcomeWords[o] == "" {
			t.Errorf("outcome %s has no words", o)
		}
	}
	icons, err := newIcons()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []map[multe.CodeState]sign{codeSigns} {
		for s, w := range m {
			if _, err := icons.draw(w.Icon); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
}

func TestPlots(t *testing.T) {
	points := []point{{Name: "a", Value: 0}, {Name: "b", Value: 7, Short: "b"}, {Name: "c", Value: 23}}
	for _, p := range []plot{
		bars("x", "T", "S", [2]string{"A", "B"}, points),
		levels("x", "T", "S", [2]string{"A", "B"}, points, points, 5),
		bars("x", "T", "S", [2]string{"A", "B"}, nil),
	} {
		if len(p.Ticks) < 2 || len(p.Ticks) > 7 {
			t.Errorf("%d ticks", len(p.Ticks))
		}
		for _, b := range p.Bars {
			if strings.HasPrefix(b.Height, "-") || strings.HasPrefix(b.Y, "-") {
				t.Errorf("a bar leaves the picture: %+v", b)
			}
		}
	}
	p := bars("x", "T", "S", [2]string{"A", "B"}, points)
	if len(p.Bars) != 2 || len(p.Rows) != 3 || p.Rows[2] != [2]string{"c", "23"} {
		t.Errorf("bars: %+v", p)
	}
	for top, want := range map[int]int{1: 1, 5: 1, 6: 2, 10: 2, 11: 5, 25: 5, 26: 10, 1000: 200} {
		if got := roundStep(top); got != want {
			t.Errorf("roundStep(%d) = %d, want %d", top, got, want)
		}
	}
}

func TestMenu(t *testing.T) {
	all := func(multe.Permission) bool { return true }
	none := func(multe.Permission) bool { return false }
	for path, want := range map[string]string{"/": "Oggi", "/verbale/1": "Verbale", "/verbali": "Verbali", "/conto/sessioni": "Conto", "/nulla": "Preavviso"} {
		if _, title := menu(path, all); title != want {
			t.Errorf("the title of %s is %q, want %q", path, title, want)
		}
	}
	nav, _ := menu("/flussi/1", none)
	for _, n := range nav {
		if n.Href == "/registro" || n.Href == "/messaggi" {
			t.Errorf("%s is shown to who may not see it", n.Href)
		}
		if n.Current != (n.Href == "/pagamenti") {
			t.Errorf("%s current: %t", n.Href, n.Current)
		}
	}
}

func TestPretty(t *testing.T) {
	for in, want := range map[string]string{
		`<a><b x="1">t</b><c/></a>`: "<a>\n  <b x=\"1\">t</b>\n  <c></c>\n</a>\n",
		`<s:E xmlns:s="u"/>`:        "<s:E xmlns:s=\"u\"></s:E>\n",
		`not <xml`:                  `not <xml`,
		``:                          ``,
	} {
		if got, cut := pretty([]byte(in)); got != want || cut {
			t.Errorf("pretty(%q) = %q, %t; want %q", in, got, cut, want)
		}
	}
	if got, cut := pretty([]byte("<a>" + strings.Repeat("<b>x</b>", 60_000) + "</a>")); !cut || len(got) > maxPretty {
		t.Errorf("a long message: %d bytes, cut %t", len(got), cut)
	}
}

func FuzzPretty(f *testing.F) {
	for _, s := range []string{"<a><b>t</b></a>", "<!DOCTYPE a><a/>", "</a>", "<a", "\xff", "<?x y?><a>&lt;</a>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, _ := pretty(b); len(s) > len(b)*40+2*maxPretty {
			t.Errorf("%d bytes became %d", len(b), len(s))
		}
	})
}

// TestSearchesAreOnesOwn: what one searched for nobody else can open.
func TestSearchesAreOnesOwn(t *testing.T) {
	now := monday.Start()
	s := newSearches(func() time.Time { return now }, strings.NewReader(strings.Repeat("0123456789abcdef", 4*maxSearches)))
	name, err := s.keep("C1", "O1", "AB123CD")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.plate("C1", "O1", name); err != nil || p != "AB123CD" {
		t.Errorf("one's own: %v, %v", string(p), err)
	}
	for _, other := range [][2]string{{"C1", "O2"}, {"C2", "O1"}} {
		if _, err := s.plate(multe.CreditorID(other[0]), multe.OperatorID(other[1]), name); fault.Of(err).Code != "search.over" {
			t.Errorf("%v opens a search of another: %v", other, err)
		}
	}
	now = now.Add(searchLife + 1)
	if _, err := s.plate("C1", "O1", name); err == nil {
		t.Error("a search outlives its time")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := newStreams()
	var ends []func()
	for range maxStreamsOne {
		end, ok := s.open("C/O")
		if !ok {
			t.Fatal("a tab too few")
		}
		ends = append(ends, end)
	}
	if _, ok := s.open("C/O"); ok {
		t.Error("one operator holds more than their share")
	}
	for _, end := range ends {
		end()
	}
	if _, ok := s.open("C/O"); !ok || s.all != 1 {
		t.Errorf("places are not given back: %d", s.all)
	}
}

// TestNothingInline: the policy refuses inline scripts and styles, so no template
// and no icon may have any.
func TestNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script>`)
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if m := inline.Find(b); m != nil {
			t.Errorf("%s holds %q", f.Name(), m)
		}
	}
	sprites, err := assets.File(assets.Sprites)
	if err != nil {
		t.Fatal(err)
	}
	if m := inline.Find(sprites); m != nil {
		t.Errorf("an icon holds %q", m)
	}
}
