package multe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"preavviso/internal/fault"
)

// What happens to a verbale after its slip: what it costs as the days go by, its
// notification, corrections, the second yes to an annulment, a ricorso.

// Fine is what the law asks for one violation, without costs. Package cds finds it
// in a catalogue; the office may type it.
type Fine struct {
	Reduced    Cents // the minimum, within 60 days
	Discounted Cents `json:",omitzero"` // Reduced less 30 %; 0 where it is not admitted
	Late       Cents // half of the maximum, afterwards
}

// The bounds of what the office enters.
const (
	MaxCostsCents  = 10_000 // accertamento and notification, 100 euro: abroad and by messo they cost less
	MaxCorrections = 100    // versions of one record: each is kept whole, and nobody corrects a hundred times
	MaxAppeals     = 10     // of one verbale: prefetto, giudice, tribunale, and again after a mistake
	MaxNumber      = 40     // of an act of the prefettura or the court
)

// NotificationHow says how a verbale reached who owes it. The strings are stored.
type NotificationHow string

const (
	NotifiedContestazione NotificationHow = "contestazione" // handed over on the spot
	NotifiedConsegna      NotificationHow = "consegna"      // by post or messo, into somebody's hands
	NotifiedGiacenza      NotificationHow = "giacenza"      // deposited and not fetched
	NotifiedPEC           NotificationHow = "pec"
	NotifiedSEND          NotificationHow = "send" // PagoPA's platform for notifications
)

// NotificationHows are all of them, in the order a form lists them.
var NotificationHows = []NotificationHow{NotifiedConsegna, NotifiedGiacenza, NotifiedPEC, NotifiedSEND, NotifiedContestazione}

// Notification is how and when a verbale was notified.
type Notification struct {
	How NotificationHow
	// Day is of the delivery; of the sending of the notice of deposit, for a
	// giacenza; of the delivery receipt, for a PEC; for SEND the day that its
	// attestation gives.
	Day      Day
	Notified Day // that the terms run from: Day, or the tenth day after the deposit
}

// Validate checks a notification as the office typed it, for a verbale of a day.
func (n Notification) Validate(violation, today Day) error {
	bad := func(detail string) error { return fault.New(fault.Invalid, "verbale.bad_notification", detail) }
	switch {
	case !slices.Contains(NotificationHows, n.How):
		return bad("Indicare come è avvenuta la notifica: consegna, giacenza, pec, send oppure contestazione.")
	case n.Day.IsZero() || n.Day.Compare(violation) < 0:
		return bad("La notifica non può essere prima della violazione.")
	case n.Day.Compare(today) > 0:
		return bad("La notifica non può essere nel futuro: registrarla quando è avvenuta.")
	}
	return nil
}

// StepsNow returns what is asked for the verbale as things stand: each amount is
// due through its last day, the last one for ever. Before it is recorded that is
// what the slip says. Steps that are over are listed too.
func (v Verbale) StepsNow() []Step {
	if n := len(v.Appeals); n > 0 && !v.Appeals[n-1].Pending() && v.Appeals[n-1].Ruling.Cents > 0 {
		return []Step{{Cents: v.Appeals[n-1].Ruling.Cents}}
	}
	return v.steps()
}

// steps are those that no ricorso has changed.
func (v Verbale) steps() []Step {
	switch {
	case v.Record == nil:
		return v.Slip.Steps
	case len(v.Record.Steps) > 0:
		return v.Record.Steps
	}
	return []Step{{Cents: v.Record.Cents}}
}

// StepsOn returns the steps of StepsNow that are not over on day d; the first is
// what DueOn says, unless a ricorso holds the amount.
func (v Verbale) StepsOn(d Day) []Step {
	steps := v.StepsNow()
	for len(steps) > 1 && !steps[0].LastDay.IsZero() && d.Compare(steps[0].LastDay) > 0 {
		steps = steps[1:]
	}
	return steps
}

// DueOn returns what is due on day d. From the day of a ricorso until its outcome
// that is what was due on its day; from then on the sum of the ordinanza, if it
// fixed one.
func (v Verbale) DueOn(d Day) Cents {
	for i := len(v.Appeals) - 1; i >= 0; i-- {
		a := v.Appeals[i]
		switch over := !a.Pending() && d.Compare(a.Ruling.Day) >= 0; {
		case over && a.Ruling.Cents > 0:
			return a.Ruling.Cents
		case !over && d.Compare(a.Day) > 0:
			d = a.Day
		}
	}
	for _, s := range v.steps() {
		if s.LastDay.IsZero() || d.Compare(s.LastDay) <= 0 {
			return s.Cents
		}
	}
	return 0 // no steps: an issued verbale always has one
}

// FirstRecord is what the verbale was finalised with; nil before that.
func (v Verbale) FirstRecord() *Record {
	if len(v.History) > 0 {
		return &v.History[0]
	}
	return v.Record
}

// before returns the verbale with the record it had before the last change of it.
func (v Verbale) before() Verbale {
	v.Record = nil
	if n := len(v.History); n > 0 {
		v.Record, v.History = &v.History[n-1], v.History[:n-1]
	}
	return v
}

// stepHour is when on its first day an amount is told to the platform: after
// midnight, when whoever began to pay at the last minute has done.
const stepHour = 5 * time.Minute

// NextStep returns when the platform must next be told another amount although
// nobody does anything; zero if never. That is five past midnight of the day after
// the last day of what it was told. While a ricorso is pending, and when the
// verbale is paid or annulled, nothing moves by itself.
func (v Verbale) NextStep() time.Time {
	if v.State != VerbaleIssued && v.State != VerbaleFinalised || v.AppealPending() || len(v.Slip.Steps) == 0 {
		return time.Time{}
	}
	told := v.priced()
	was := v.DueOnPosition(v.Carrier(), told)
	for _, s := range v.StepsNow() {
		if s.LastDay.IsZero() || s.LastDay.Compare(told) < 0 {
			continue
		}
		if next := s.LastDay.Plus(1); v.DueOnPosition(v.Carrier(), next) != was {
			return next.Start().Add(stepHour).UTC()
		}
	}
	return time.Time{}
}

// priced is the day whose amount the platform was told last.
func (v Verbale) priced() Day {
	d := DayOf(v.ReceivedAt)
	if v.Record != nil {
		d = later(d, DayOf(v.Record.At))
	}
	return later(d, v.Priced)
}

func later(a, b Day) Day {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// Price records that the platform is told what is due on day d.
func (v Verbale) Price(d Day, at time.Time) Verbale {
	v.Priced, v.Version, v.Changed = d, v.Version+1, Instant(at)
	return v
}

// Revise replaces the record of a recorded verbale; the one it had is kept. After
// the money has come only what does not touch it may change. The caller has worked
// out the steps.
func (v Verbale) Revise(r Record, at time.Time) (Verbale, error) {
	if v.Record == nil {
		return v, errNotRecorded()
	}
	if err := r.Validate(); err != nil {
		return v, err
	}
	switch {
	case v.State == VerbaleCancelled:
		return v, fault.New(fault.Conflict, "verbale.cancelled", "Il verbale è annullato: non si può più correggere. Se l'annullamento è un errore e non è ancora stato comunicato, ripensarlo prima.")
	case v.State == VerbaleSettled && !r.samePrice(*v.Record):
		return v, fault.New(fault.Conflict, "verbale.paid", "Il verbale è pagato: importi, spese e notifica non si possono più cambiare. Si possono correggere numero e data di registro e i dati del proprietario.")
	case len(v.History) >= MaxCorrections:
		return v, fault.New(fault.Conflict, "verbale.too_many_corrections", "Il verbale è già stato corretto troppe volte.")
	}
	r.At = Instant(at)
	v.History = append(slices.Clone(v.History), *v.Record)
	v.Record, v.Version, v.Changed = &r, v.Version+1, Instant(at)
	return v, nil
}

// samePrice reports whether two records ask for the same money.
func (r Record) samePrice(o Record) bool {
	return r.Cents == o.Cents && r.CostsCents == o.CostsCents && r.Causale == o.Causale && r.Violation == o.Violation &&
		equal(r.Fine, o.Fine) && equal(r.Notification, o.Notification)
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func errNotRecorded() error {
	return fault.New(fault.Conflict, "verbale.not_recorded", "Il verbale non è ancora registrato: prima va registrato con il suo numero.")
}

// Validate checks the amounts of a record.
func (f Fine) Validate(costs Cents) error {
	switch {
	case f.Reduced < 1, f.Late < 1, f.Discounted < 0, f.Discounted >= f.Reduced, max(f.Reduced, f.Late)+costs > MaxFineCents:
		return fault.New(fault.Invalid, "verbale.bad_fine", "Servono l'importo ridotto e la metà del massimo, maggiori di zero e al massimo 99.999,99 euro con le spese; l'importo scontato, se ammesso, è minore del ridotto.")
	}
	return nil
}

// CancelKind is which act ends a verbale. The strings are stored.
type CancelKind string

const (
	CancelAutotutela    CancelKind = "autotutela"    // annullamento: the office takes its own act back
	CancelArchiviazione CancelKind = "archiviazione" // filed before it was notified
	CancelRicorso       CancelKind = "ricorso"       // a prefetto or judge upheld an appeal
)

// Cause is a reason for an annulment that offices have again and again.
type Cause struct {
	Code  string
	Label string // what the platform is told, Italian
}

// Causes are those of the list, in the order a form shows them. The codes are
// stored, the labels are kept in what they were used for.
var Causes = []Cause{
	{"targa-errata", "Targa trascritta in modo errato"},
	{"veicolo-errato", "Veicolo diverso da quello indicato"},
	{"luogo-errato", "Luogo o data indicati in modo errato"},
	{"norma-errata", "Norma contestata non corretta"},
	{"duplicato", "Violazione già accertata con un altro verbale"},
	{"segnaletica", "Segnaletica mancante o non leggibile"},
	{"autorizzato", "Veicolo autorizzato o con contrassegno valido"},
	{"sosta-pagata", "Sosta regolarmente pagata"},
	{"soccorso", "Veicolo di soccorso o di servizio in servizio"},
	{"necessita", "Stato di necessità o forza maggiore (art. 4 L. 689/1981)"},
	{"furto", "Veicolo rubato o perdita di possesso anteriore"},
	{"venduto", "Veicolo venduto prima della violazione"},
	{"decesso", "Decesso di chi doveva pagare"},
	{"termini", "Termini di notifica scaduti (art. 201 CdS)"},
	{"ricorso-accolto", "Ricorso accolto"},
	{"altro", "Altro motivo"},
}

// Cancellation is an annulment, asked for or done.
type Cancellation struct {
	Kind     CancelKind
	Cause    string `json:",omitzero"` // code of a [Cause]; "" if the reason is only in words
	Reason   string // in words, with the label of the cause: it goes to the platform as Motivazione
	By       string // who asked
	At       time.Time
	Approved string `json:",omitzero"` // who said yes, where a second person must
}

// NewCancellation makes a cancellation of a kind ("" is autotutela) out of a cause
// of the list, words, or both.
func NewCancellation(kind CancelKind, cause, words string) (Cancellation, error) {
	if kind == "" {
		kind = CancelAutotutela
	}
	if !slices.Contains([]CancelKind{CancelAutotutela, CancelArchiviazione, CancelRicorso}, kind) {
		return Cancellation{}, fault.New(fault.Invalid, "verbale.bad_cancel_kind", "Il tipo di annullamento è «autotutela» oppure «archiviazione».")
	}
	c := Cancellation{Kind: kind, Cause: cause, Reason: words}
	if cause != "" {
		i := slices.IndexFunc(Causes, func(k Cause) bool { return k.Code == cause })
		if i < 0 {
			return c, fault.New(fault.Invalid, "verbale.bad_cause", "Il motivo indicato non è tra quelli dell'elenco.")
		}
		if cause == "altro" && words == "" {
			return c, fault.New(fault.Invalid, "verbale.bad_cause", "Con «altro» il motivo va scritto in parole.")
		}
		c.Reason = strings.TrimSuffix(Causes[i].Label+": "+words, ": ")
	}
	_, err := ParseReason(c.Reason)
	return c, err
}

// same reports whether o asks for the same.
func (c *Cancellation) same(o Cancellation) bool {
	return c != nil && c.Kind == o.Kind && c.Cause == o.Cause && c.Reason == o.Reason
}

// CancelRequested reports whether an annulment waits for a second person.
func (v Verbale) CancelRequested() bool {
	return v.Cancellation != nil && v.State != VerbaleCancelled
}

// IsCancelled reports whether the verbale was annulled exactly so, or is asked to
// be: asking again changes nothing.
func (v Verbale) IsCancelled(c Cancellation) bool {
	if v.Cancellation == nil { // annulled before reasons had kinds
		return v.State == VerbaleCancelled && v.Reason == c.Reason
	}
	return v.Cancellation.same(c)
}

// AskCancel asks that the verbale be annulled, for a creditor that wants two
// people to say so.
func (v Verbale) AskCancel(c Cancellation, by string, at time.Time) (Verbale, error) {
	if err := v.mayCancel(c); err != nil {
		return v, err
	}
	if _, err := verbaleMoves.next(v.State, "cancel", "verbale.wrong_state", "il verbale"); err != nil {
		return v, err
	}
	c.By, c.At = by, Instant(at)
	v.Cancellation, v.Version, v.Changed = &c, v.Version+1, Instant(at)
	return v, nil
}

// ApproveCancel annuls the verbale on the word of a second person.
func (v Verbale) ApproveCancel(by string, at time.Time) (Verbale, error) {
	if !v.CancelRequested() {
		return v, fault.New(fault.Conflict, "verbale.no_request", "Nessuno ha chiesto di annullare questo verbale.")
	}
	if v.Cancellation.By == by {
		return v, fault.New(fault.Forbidden, "verbale.same_person", "Chi ha chiesto l'annullamento non può anche approvarlo: serve un'altra persona.")
	}
	c := *v.Cancellation
	c.Approved = by
	return v.cancel(c, at)
}

// mayCancel refuses a kind that does not fit the moment.
func (v Verbale) mayCancel(c Cancellation) error {
	_, err := ParseReason(c.Reason)
	switch {
	case err != nil:
		return err
	case c.Kind == CancelArchiviazione && v.Record != nil && v.Record.Notification != nil:
		return fault.New(fault.Conflict, "verbale.notified", "Il verbale è già notificato: non si archivia più, si annulla in autotutela.")
	case v.CancelRequested() && !v.Cancellation.same(c):
		return fault.New(fault.Conflict, "verbale.other_request", "È già stato chiesto di annullare il verbale per un altro motivo: approvare o ritirare prima quella richiesta.")
	}
	return nil
}

func (v Verbale) cancel(c Cancellation, at time.Time) (Verbale, error) {
	next, err := v.move("cancel", at)
	if err != nil {
		return v, err
	}
	next.Reason, next.Was, next.Cancellation = c.Reason, v.State, &c
	return next, nil
}

// Authority is who decides on a ricorso. The strings are stored.
type Authority string

const (
	AuthorityPrefetto Authority = "prefetto" // art. 203 CdS, within 60 days
	AuthorityGiudice  Authority = "giudice"  // giudice di pace, art. 204-bis CdS, within 30 days
)

// Appeal is a ricorso against the verbale.
type Appeal struct {
	Authority Authority
	Number    string  // of the authority's or of the office's register
	Day       Day     // on which it was brought
	By        string  // who registered it
	Ruling    *Ruling `json:",omitzero"` // nil while it is pending
}

// Pending reports whether nothing was decided yet.
func (a Appeal) Pending() bool { return a.Ruling == nil }

// Verdetto is how a ricorso ended. The strings are stored.
type Verdetto string

const (
	RicorsoAccolto   Verdetto = "accolto"   // the verbale is annulled
	RicorsoRespinto  Verdetto = "respinto"  // an ordinanza or sentence fixes the sum
	RicorsoRinuncia  Verdetto = "rinuncia"  // withdrawn: the terms have run all the time
	RicorsoInammesso Verdetto = "inammesso" // not admitted: as if it had not been brought
)

// Ruling is the outcome of a ricorso.
type Ruling struct {
	Verdetto Verdetto
	Day      Day    // of the decision, or of the withdrawal
	Number   string `json:",omitzero"`
	// Cents is the sum that the ordinanza or the sentence asks for, costs and all;
	// 0 leaves it to the law: what is due by the days gone.
	Cents   Cents `json:",omitzero"`
	LastDay Day   `json:",omitzero"` // to pay Cents; afterwards it is enforced
	By      string
}

// AppealPending reports whether a ricorso waits for its outcome: the amount
// stands still, and nothing is enforced.
func (v Verbale) AppealPending() bool {
	n := len(v.Appeals)
	return n > 0 && v.Appeals[n-1].Pending()
}

// Appeal registers a ricorso. Registering it again changes nothing; while one is
// pending there is no other.
func (v Verbale) Appeal(a Appeal, today Day, at time.Time) (Verbale, error) {
	bad := func(detail string) error { return fault.New(fault.Invalid, "appeal.bad", detail) }
	if n := len(v.Appeals); n > 0 {
		if l := v.Appeals[n-1]; l.Authority == a.Authority && l.Number == a.Number && l.Day == a.Day {
			return v, nil
		}
	}
	switch {
	case v.Record == nil:
		return v, fault.New(fault.Conflict, "appeal.preavviso", "Contro un preavviso non si può ricorrere: solo contro il verbale, che va prima registrato.")
	case v.State != VerbaleFinalised:
		return v, fault.New(fault.Conflict, "appeal.wrong_state", "Il verbale è pagato o annullato: il ricorso non cambia più nulla e non si registra.")
	case v.AppealPending():
		return v, fault.New(fault.Conflict, "appeal.pending", "È già registrato un ricorso senza esito: registrare prima quello.")
	case a.Authority != AuthorityPrefetto && a.Authority != AuthorityGiudice:
		return v, bad("Il ricorso si presenta al «prefetto» oppure al «giudice» di pace.")
	case a.Number == "" || checkText(a.Number, MaxNumber) != nil:
		return v, bad(fmt.Sprintf("Il numero del ricorso è obbligatorio, al massimo %d caratteri.", MaxNumber))
	case a.Day.IsZero() || a.Day.Compare(today) > 0 || a.Day.Compare(DayOf(v.Slip.IssuedAt)) < 0:
		return v, bad("La data del ricorso va dalla violazione a oggi.")
	case len(v.Appeals) >= MaxAppeals:
		return v, bad("Ci sono già troppi ricorsi su questo verbale.")
	}
	v.Appeals = append(slices.Clone(v.Appeals), a)
	v.Version, v.Changed = v.Version+1, Instant(at)
	return v, nil
}

// Rule registers the outcome of the pending ricorso. The caller annuls the verbale
// where it was upheld. The same outcome again changes nothing.
func (v Verbale) Rule(r Ruling, today Day, at time.Time) (Verbale, error) {
	bad := func(detail string) error { return fault.New(fault.Invalid, "appeal.bad_ruling", detail) }
	n := len(v.Appeals)
	if n == 0 {
		return v, fault.New(fault.Conflict, "appeal.none", "Non risulta nessun ricorso contro questo verbale.")
	}
	last := v.Appeals[n-1]
	if last.Ruling != nil {
		if had := *last.Ruling; had.Verdetto == r.Verdetto && had.Day == r.Day && had.Number == r.Number && had.Cents == r.Cents && had.LastDay == r.LastDay {
			return v, nil
		}
		return v, fault.New(fault.Conflict, "appeal.decided", "L'esito di questo ricorso è già registrato.")
	}
	switch {
	case !slices.Contains([]Verdetto{RicorsoAccolto, RicorsoRespinto, RicorsoRinuncia, RicorsoInammesso}, r.Verdetto):
		return v, bad("L'esito è «accolto», «respinto», «rinuncia» oppure «inammesso».")
	case r.Day.IsZero() || r.Day.Compare(last.Day) < 0 || r.Day.Compare(today) > 0:
		return v, bad("La data dell'esito va da quella del ricorso a oggi.")
	case checkText(r.Number, MaxNumber) != nil:
		return v, bad(fmt.Sprintf("Il numero dell'atto ha al massimo %d caratteri.", MaxNumber))
	case r.Cents < 0 || r.Cents > MaxFineCents || r.Cents != 0 && r.Verdetto != RicorsoRespinto:
		return v, bad("L'importo dell'ordinanza si indica solo se il ricorso è respinto, al massimo 99.999,99 euro.")
	case !r.LastDay.IsZero() && (r.Cents == 0 || r.LastDay.Compare(r.Day) < 0):
		return v, bad("Il termine per pagare si indica con l'importo dell'ordinanza, e non è prima dell'esito.")
	}
	last.Ruling = &r
	v.Appeals = slices.Clone(v.Appeals)
	v.Appeals[n-1], v.Priced = last, today
	v.Version, v.Changed = v.Version+1, Instant(at)
	return v, nil
}

// SpotPayment is the answer to whoever wants to take money on the street.
//
// Art. 202 c. 2 CdS lets only those pay into the agent's hands who are on the
// spot: c. 2-bis, 2-ter and 2-quater ask it of drivers who were stopped. A
// preavviso is left where nobody was.
func SpotPayment() error {
	return fault.New(fault.Conflict, "verbale.no_spot_payment",
		"Un preavviso non si paga nelle mani dell'agente: il pagamento immediato (art. 202 c. 2-bis CdS) riguarda il conducente fermato e la contestazione immediata. Si paga solo con il codice avviso stampato, tramite pagoPA.")
}
