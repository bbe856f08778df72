package ppaysim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"preavviso/internal/avviso"
)

// waiting is a list that was answered and not yet elaborated.
type waiting struct {
	Due   time.Time `json:"due"` // of the clock
	Body  []byte    `json:"body"`
	Early bool      `json:"early,omitempty"` // its outcome goes before all that waits
}

// accept answers a valid request: refused by the registry, or queued. The list
// is elaborated after its delay and after those before it, one at a time per
// operation for all creditors (@Singleton, SPORT/InserisciListaDiCarico.java:79).
//
//parity:s1 SPORT/InserisciListaDiCarico.java:79
//parity:s4 W2/facade/EPaywsoBusinessServiceImpl.java:227-250
func (s *Sim) accept(t tx, l list, raw []byte, set Settings, early bool) (verdict, error) {
	c, known, err := get[Creditor](t, bCreditors, []byte(l.cf))
	if err != nil {
		return verdict{}, err
	}
	if !known {
		return vUnknownCreditor(l.cf), nil
	}
	if _, ok := c.paymentType(l.code); !ok {
		return vUnknownType(l.code), nil
	}
	// W2/facade/EPaywsoBusinessServiceImpl.java:227-250: seen before, and stored all the same.
	seen, answer := key(string(l.op), l.cf, l.code, l.id), vQueued
	if t.in(bRegistry).Get(seen) != nil && set.DuplicateAnswer == "012" {
		answer = vQueuedAgain(l.id)
	}
	if err := t.in(bRegistry).Put(seen, []byte("{}")); err != nil {
		return verdict{}, err
	}
	n, err := t.in(bLists).NextSequence()
	if err != nil {
		return verdict{}, err
	}
	if early { // before those that wait, and without delaying them
		return answer, put(t, bLists, seqKey(ahead(n), string(l.op)), waiting{Due: s.now().UTC(), Body: raw, Early: true})
	}
	delay := time.Duration(set.DelayMin)
	if spread := int64(set.DelayMax - set.DelayMin); spread > 0 {
		n, err := s.uniform(spread + 1)
		if err != nil {
			return verdict{}, err
		}
		delay += time.Duration(n)
	}
	free, _, err := get[time.Time](t, bMeta, []byte(kLastDue+string(l.op)))
	if err != nil {
		return verdict{}, err
	}
	start := s.now().UTC()
	if free.After(start) {
		start = free
	}
	due := start.Add(delay)
	if err := put(t, bMeta, []byte(kLastDue+string(l.op)), due); err != nil {
		return verdict{}, err
	}
	return answer, put(t, bLists, seqKey(behind(n), string(l.op)), waiting{Due: due, Body: raw})
}

// elaborateNext elaborates the first list of an operation if it is due, and
// returns when it is if it is not.
//
//parity:s1 SPORT/InserisciListaDiCarico.java:79
//parity:s1 SPORT/AggiornaPosizioniDebitorie.java:75
func (s *Sim) elaborateNext(o op) (worked bool, due time.Time, err error) {
	idle := false
	err = s.view(func(t tx) error {
		k, w, err := first[waiting](t, bLists, prefix(string(o)))
		if idle = k == nil || w.Due.After(s.now()); k != nil && idle {
			due = w.Due
		}
		return err
	})
	if err != nil || idle {
		return false, due, err
	}
	set := s.Settings()
	err = s.update(func(t tx) error {
		k, w, err := first[waiting](t, bLists, prefix(string(o)))
		if err != nil || k == nil || w.Due.After(s.now()) {
			return err
		}
		worked = true
		if err := t.in(bLists).Delete(k); err != nil {
			return err
		}
		root, err := parseXML(w.Body)
		if err != nil {
			return fmt.Errorf("reading a stored list: %w", err)
		}
		body := soapBody(root)
		if body == nil {
			return fmt.Errorf("reading a stored list: %w", errNotXML)
		}
		l := readList(body)
		result, outcomes, err := s.elaborate(t, l, set)
		if err != nil {
			return err
		}
		s.log.Info("list elaborated", "operation", string(l.op), "message", l.id, "code", result.Code, "positions", len(l.items))
		return s.sendEsito(t, l.cf, esito(l, result, outcomes), w.Early)
	})
	return worked, time.Time{}, err
}

// An outcome is what is said of one position.
type outcome struct {
	id, iuv, avviso string
	verdict
}

// elaborate does what the back end does with a list, in one transaction. There
// are no outcomes when the list failed as a whole.
//
//parity:s4 SPORT/InserisciListaDiCarico.java:284-306
//parity:s4 SPORT/InserisciListaDiCarico.java:950-987
//parity:s4 ES/ws/business/EPaywso2Sportello.java:60-116
func (s *Sim) elaborate(t tx, l list, set Settings) (verdict, []outcome, error) {
	f, err := s.facts(t, l, set)
	if err != nil {
		return verdict{}, nil, err
	}
	// An unexpected failure rolls back, so the id can be used again
	// (ES/ws/business/EPaywso2Sportello.java:60-78, 98-116). A repeated id is
	// noticed before anything can fail.
	if !f.repeated && s.spend(func(x *Settings) *int { return &x.CrashNext }) {
		return vCrashed, nil, nil
	}
	var (
		result   verdict
		outcomes []outcome
	)
	if l.op == opInsert {
		result, outcomes, err = s.insert(t, l, f, set)
	} else {
		result, outcomes, err = s.updateList(t, l, f, set)
	}
	if err != nil || f.repeated {
		return result, outcomes, err
	}
	// Failures of the whole list burn the id too (SPORT/InserisciListaDiCarico.java:284-306, 950-987).
	return result, outcomes, put(t, bRegister, key(string(l.op), l.id), RegisterEntry{
		Operation: string(l.op), Message: l.id, CF: l.cf, Type: l.code, Code: result.Code, At: f.now})
}

func (s *Sim) facts(t tx, l list, set Settings) (facts, error) {
	now, err := s.platformNow(t)
	if err != nil {
		return facts{}, err
	}
	f := facts{now: now, taxonomy: !set.TaxonomyDown, catalog: !set.CatalogDown, noYear: set.NoAccertamento}
	f.repeated = blank(l.id) || t.in(bRegister).Get(key(string(l.op), l.id)) != nil
	c, found, err := get[Creditor](t, bCreditors, []byte(l.cf))
	if found {
		f.creditor = &c
	}
	return f, err
}

//parity:s7 SPORT/InserisciListaDiCarico.java:197-263
func (s *Sim) insert(t tx, l list, f facts, set Settings) (verdict, []outcome, error) {
	if v := firstObjection(l, f, insertHeader); v.bad() {
		return v, nil, nil
	}
	iuvs, v, err := s.drawIUVs(t, f, len(l.items), set)
	if err != nil || v.bad() {
		return v, nil, err
	}
	outcomes := make([]outcome, len(l.items))
	for i, it := range l.items {
		// The sequence advances over refused positions too: their IUVs are lost.
		k := key(l.cf, l.code, strings.TrimSpace(it.id))
		p, v := insertPosition(it, itemFacts{facts: f, list: l, kind: f.ptype(l), used: t.in(bPositions).Get(k) != nil}, iuvs[i])
		if !v.bad() {
			v = magic(it)
		}
		save := !v.bad()
		if save && s.spend(func(x *Settings) *int { return &x.FailPositionsNext }) {
			v, save = vInsertFailed, set.FailApplied
		}
		if outcomes[i] = (outcome{id: it.id, verdict: v}); !v.bad() {
			outcomes[i] = outcome{p.ID, p.IUV, p.Avviso, vOK}
		}
		if !save {
			continue
		}
		p.wrote(Write{Message: l.id, Kind: kindInsert, Code: outcomes[i].Code, At: f.now, Cents: p.Cents})
		if err := put(t, bPositions, k, p); err != nil {
			return verdict{}, nil, err
		}
		if err := t.in(bIUVs).Put([]byte(p.IUV), k); err != nil {
			return verdict{}, nil, err
		}
	}
	return summary(outcomes), outcomes, nil
}

func (s *Sim) updateList(t tx, l list, f facts, set Settings) (verdict, []outcome, error) {
	if v := firstObjection(l, f, updateHeader); v.bad() {
		return v, nil, nil
	}
	outcomes := make([]outcome, len(l.items))
	for i, it := range l.items {
		k := key(l.cf, l.code, strings.TrimSpace(it.id))
		stored, found, err := get[Position](t, bPositions, k)
		if err != nil {
			return verdict{}, nil, err
		}
		old := &stored
		if !found {
			old = nil
		}
		p, written, v := updatePosition(old, it, itemFacts{facts: f, list: l, kind: f.ptype(l)})
		if m := magic(it); !v.bad() && m.bad() {
			p, written, v = stored, false, m
		}
		if !v.bad() && s.spend(func(x *Settings) *int { return &x.FailPositionsNext }) {
			v, written = vUpdateFailed, set.FailApplied
		}
		if outcomes[i] = (outcome{id: it.id, verdict: v}); !v.bad() {
			outcomes[i] = outcome{p.ID, p.IUV, p.Avviso, vOK}
		}
		if !written {
			continue
		}
		p.wrote(Write{Message: l.id, Kind: it.kind, Code: outcomes[i].Code, At: f.now, Cents: p.Cents})
		if err := put(t, bPositions, k, p); err != nil {
			return verdict{}, nil, err
		}
	}
	return summary(outcomes), outcomes, nil
}

// wanted is a code in a causale, as «SIM:160».
var wanted = regexp.MustCompile(`\bSIM:(1[0-9]{2})\b`)

// magic refuses a position whose causale asks for it, so that one can try a code
// without touching a setting: what notice numbers do in pagoPA's own mock.
//
//parity:s6 ours: a code asked for in the causale
func magic(it item) verdict {
	m := wanted.FindStringSubmatch(it.causale)
	if m == nil {
		return verdict{}
	}
	return verdict{m[1], "Esito chiesto dalla causale"}
}

// summary is the result of a list whose header was good.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:265-275
func summary(outcomes []outcome) verdict {
	good := 0
	for _, o := range outcomes {
		if o.Code == vOK.Code {
			good++
		}
	}
	switch good {
	case len(outcomes):
		return vOK
	case 0:
		return vNone
	default:
		return vPartial
	}
}

// seed inserts positions as the debtor ANONIMO's, in a list that nobody sent.
func (s *Sim) seed(t tx, cf, code string, n int, cents Cents) ([]Position, error) {
	id, err := s.messageID("SIM")
	if err != nil {
		return nil, err
	}
	total := cents * Cents(n)
	l := list{op: opInsert, id: id, cf: cf, code: code, count: strconv.Itoa(n), total: &total}
	for i := range n {
		l.items = append(l.items, item{id: id + "-" + strconv.Itoa(i), cents: &cents, causale: "Posizione di prova",
			subject: &Subject{CF: avviso.Anonymous, Cognome: avviso.Anonymous, Nome: avviso.Anonymous}})
	}
	result, outcomes, err := s.elaborate(t, l, Settings{})
	if err != nil {
		return nil, err
	}
	if result != vOK {
		return nil, badRequest("seed: " + result.Code + " " + result.Text)
	}
	out := make([]Position, n)
	for i, o := range outcomes {
		if _, out[i], _, err = find(t, o.avviso, ""); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// drawIUVs draws one IUV a position, before any position is looked at. Above
// the threshold of the IUV service nothing is drawn at all
// (IUVSRV/business/mdpmultiiuv/MdpMultiIuvImpl.java:235-243, 316-368).
//
//parity:s7 SPORT/InserisciListaDiCarico.java:193
//parity:s7 IUVSRV/business/mdpmultiiuv/MdpMultiIuvImpl.java:316-368
//parity:s8 IUVSRV/business/mdpmultiiuv/MdpMultiIuvImpl.java:235-243
func (s *Sim) drawIUVs(t tx, f facts, n int, set Settings) ([]string, verdict, error) {
	if set.Threshold > 0 && n > set.Threshold {
		return nil, vNoIUV("numero di iuv richiesti superiore alla soglia"), nil
	}
	if set.IUVDown {
		return nil, vNoIUV("servizio non disponibile"), nil
	}
	seq, found, err := get[int64](t, bMeta, []byte(kSequence))
	if err != nil {
		return nil, verdict{}, err
	}
	if !found { // the platform was not born today
		if seq, err = s.uniform(maxSequence / 10); err != nil {
			return nil, verdict{}, err
		}
	}
	iuvs := make([]string, n)
	for i := range iuvs {
		gap, err := s.uniform(iuvGap)
		if err != nil {
			return nil, verdict{}, err
		}
		if seq += 1 + gap; seq > maxSequence {
			return nil, vNoIUV("sequenza esaurita"), nil
		}
		iuvs[i] = makeIUV(f.creditor.Segregation, f.now, seq)
	}
	return iuvs, verdict{}, put(t, bMeta, []byte(kSequence), seq)
}

// makeIUV: segregation code, day of the year, sequence, and the check digits of
// the number with its aux digit 3 (IUVSRV/util/Utility.java:21-67).
//
//parity:s7 IUVSRV/util/Utility.java:21-67
func makeIUV(segregation string, now time.Time, seq int64) string {
	day := now.In(rome)
	base := fmt.Sprintf("3%s%s%03d%08d", segregation, strconv.Itoa(day.Year())[2:], day.YearDay(), seq)
	return base[1:] + avviso.CheckDigits(base)
}
