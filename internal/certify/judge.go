package certify

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The judges look at everything that was seen. They are called with the lock held
// and when the device is done.

// judgeSigned finds requests whose signature the service would not have. What the
// service was not asked is not judged.
func judgeSigned(k *kit) (wrong []*exchange, looked int) {
	bad := []string{"auth.missing", "auth.bad_token", "auth.unsigned", "auth.bad_signature", "auth.uncovered", "auth.bad_digest"}
	for _, e := range k.exchanges {
		if e.status == 0 {
			continue
		}
		looked++
		if slices.Contains(bad, e.code) {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

// judgeNonces finds nonces that were used again. The exact copy of a request whose
// connection broke is the network's doing: HTTP libraries make it by themselves.
func judgeNonces(k *kit) (wrong []*exchange, looked int) {
	last := map[string]*exchange{}
	for _, e := range k.exchanges {
		if e.nonce == "" {
			continue
		}
		looked++
		before := last[e.nonce]
		if before != nil && (before.given != 0 || before.input != e.input || before.sig != e.sig) {
			wrong = append(wrong, e)
		}
		last[e.nonce] = e
	}
	return wrong, looked
}

// plain leaves of a plate what does not depend on how it is written.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// secrets is what a token or an enrolment code of ours begins with.
var secrets = regexp.MustCompile(`pv[dio]_`)

// judgeTargets looks for plates, wardens and secrets in addresses. Ids of 32 hex
// digits may hold a short number by chance and are taken out first.
func judgeTargets(k *kit) (wrong []*exchange, looked int) {
	words := map[string]bool{}
	for _, e := range k.exchanges {
		words[plain(e.fields.Plate)] = true
		if w := plain(e.fields.Warden); len(w) >= 3 { // shorter ones are in everything
			words[w] = true
		}
	}
	delete(words, "")
	ids := regexp.MustCompile(`[0-9a-f]{32}`)
	for _, e := range k.exchanges {
		looked++
		target, err := url.PathUnescape(e.target)
		if err != nil {
			target = e.target
		}
		path, query, _ := strings.Cut(target, "?")
		found := secrets.MatchString(target)
		rest := plain(ids.ReplaceAllString(strings.TrimPrefix(path, "/v1/"), "") + query)
		for w := range words {
			found = found || strings.Contains(rest, w)
		}
		if found {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

// idMargin is how far the time in an id may be from when it came: a slip of
// yesterday's shift, and a clock that is a day wrong.
const idMargin = 3 * 24 * time.Hour

func validID(id string, at time.Time) bool {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 16 || id != strings.ToLower(id) || b[6]>>4 != 7 || b[8]>>6 != 2 {
		return false
	}
	var ms int64
	for _, v := range b[:6] {
		ms = ms<<8 | int64(v)
	}
	return time.UnixMilli(ms).Sub(at).Abs() <= idMargin
}

func judgeIDs(k *kit) (wrong []*exchange, looked int) {
	for _, e := range k.exchanges {
		if e.op != opIssue && e.op != opLease && e.op != opReturn {
			continue
		}
		looked++
		if !validID(e.fields.ID, e.at.Add(e.skew)) {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

func judgeCents(k *kit) (wrong []*exchange, looked int) {
	for _, e := range k.exchanges {
		if e.op != opIssue {
			continue
		}
		looked++
		ok, before := len(e.fields.Steps) > 0, int64(0)
		for _, step := range e.fields.Steps {
			var n json.Number
			var cents int64
			if json.Unmarshal(step.Cents, &n) == nil && string(step.Cents) == n.String() {
				cents, _ = strconv.ParseInt(n.String(), 10, 64) // what is no integer stays 0
			}
			ok = ok && cents > before
			before = cents
		}
		if !ok {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

// centsPointer is judgeCents' affair.
var centsPointer = regexp.MustCompile(`^/steps/[0-9]+/cents$`)

func judgeContract(k *kit) (wrong []*exchange, looked int) {
	for _, e := range k.exchanges {
		if e.status == 0 || len(e.body) == 0 || strings.HasPrefix(e.code, "photo.") { // those are judgePhotos' affair
			continue
		}
		looked++
		bad := false
		switch e.status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
			bad = true
		case http.StatusUnprocessableEntity:
			bad = e.code != "request.invalid" || slices.ContainsFunc(e.pointers, func(p string) bool { return !centsPointer.MatchString(p) })
		}
		if bad {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

func judgeOnce(k *kit) (wrong []*exchange, looked int) {
	of := map[string]string{} // slip by position
	for _, e := range k.exchanges {
		if e.op != opIssue {
			continue
		}
		looked++
		if id, used := of[e.fields.Position]; used && id != e.fields.ID {
			wrong = append(wrong, e)
		} else {
			of[e.fields.Position] = e.fields.ID
		}
	}
	return wrong, looked
}

// judgeLent goes by what the service answered: it knows what was lent at that
// moment. The kit's own list tells what was not asked.
func judgeLent(k *kit) (wrong []*exchange, looked int) {
	bad := []string{"code.unknown", "code.other_device", "code.wrong_state", "verbale.number_mismatch", "avviso.malformed"}
	twice := map[string]bool{}
	for _, e := range k.exchanges {
		if e.op != opIssue && e.op != opSpoil || e.status == 0 {
			continue
		}
		looked++
		// A second slip on one code is judgeOnce's affair.
		if slices.Contains(bad, e.code) && !twice[e.fields.Position] {
			wrong = append(wrong, e)
		}
		twice[e.fields.Position] = twice[e.fields.Position] || e.status/100 == 2
	}
	return wrong, looked
}

// judgeOrder compares, within each rule, the order of the slips (by their ids,
// which begin with their time) with that of the codes. Between rules the clock may
// have been moved.
func judgeOrder(k *kit) (wrong []*exchange, looked int) {
	type use struct {
		e     *exchange
		order int
	}
	var (
		groups [][]use
		seen   = map[string]bool{}
		rule   string
	)
	for _, e := range k.exchanges {
		l := k.loans[e.fields.Position]
		if e.op != opIssue || l == nil || seen[e.fields.Position] {
			continue
		}
		seen[e.fields.Position] = true
		looked++
		if len(groups) == 0 || e.rule != rule {
			groups, rule = append(groups, nil), e.rule
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], use{e, l.order})
	}
	last := 0
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b use) int { return cmp.Compare(a.e.fields.ID, b.e.fields.ID) })
		for _, u := range g {
			if u.order < last {
				wrong = append(wrong, u.e)
			}
			last = max(last, u.order)
		}
	}
	return wrong, looked
}

// The rates that judgeRate allows.
const (
	shortWindow, shortMost = 5 * time.Second, 10
	longWindow, longMost   = time.Minute, 30
)

func judgeRate(k *kit) (wrong []*exchange, looked int) {
	times := map[string][]time.Time{}
	for _, e := range k.exchanges {
		looked++
		key := e.op + " " + e.target + " " + string(e.body)
		of := append(times[key], e.at)
		times[key] = of
		over := func(window time.Duration, most int) bool {
			return len(of) > most && e.at.Sub(of[len(of)-1-most]) < window
		}
		if over(shortWindow, shortMost) || over(longWindow, longMost) {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}

// judgeUploadedOnce finds slips that came again after their answer was given without
// any fault.
func judgeUploadedOnce(k *kit) (wrong []*exchange, looked int) {
	known := map[string]bool{}
	for _, e := range k.exchanges {
		if e.op != opIssue {
			continue
		}
		looked++
		if known[e.fields.ID] && e.status/100 != 4 {
			wrong = append(wrong, e)
		}
		known[e.fields.ID] = known[e.fields.ID] || e.stored() && e.fault == ""
	}
	return wrong, looked
}

// judgeSame compares repetitions. What the service refused for its form has left
// no trace, and may be corrected.
func judgeSame(k *kit) (wrong []*exchange, looked int) {
	first := map[string]*exchange{}
	for _, e := range k.exchanges {
		key := e.op + " " + e.fields.ID
		switch {
		case e.op != opIssue && e.op != opLease && e.op != opReturn && e.op != opSpoil,
			e.status == http.StatusUnprocessableEntity, e.status == http.StatusBadRequest:
			continue
		case e.op == opSpoil:
			key = e.op + " " + e.fields.Position
		case e.op == opReturn:
			// The codes of one return may need several requests, under one id.
			key += " " + strings.Join(e.fields.Positions, " ")
		}
		looked++
		if first[key] == nil {
			first[key] = e
		} else if !same(first[key].body, e.body) {
			wrong = append(wrong, e)
		}
	}
	return wrong, looked
}
