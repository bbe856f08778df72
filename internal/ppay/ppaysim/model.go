package ppaysim

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // the platform's civil time is Rome's, whatever the machine has installed

	"preavviso/internal/avviso"
)

// Cents is an amount in euro cents.
type Cents = avviso.Cents

var rome = loadRome()

func loadRome() *time.Location {
	l, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err) // impossible: the zone data are embedded
	}
	return l
}

// Creditor is one ente as the platform has it configured.
type Creditor struct {
	CF       string `json:"cf"`
	Endpoint string `json:"endpoint"`           // where outcomes and payments are POSTed; "" refuses every delivery
	User     string `json:"user,omitempty"`     // "" means no credentials
	Password string `json:"password,omitempty"` // never shown again
	WSS      bool   `json:"wss,omitempty"`      // messages carry the credentials in a wsse:Security header too
	// Where flows are POSTed, with the same credentials; "" is an error of each.
	FlowEndpoint   string `json:"flow_endpoint,omitempty"`   // EPayFlussiCompletiPSP
	ReportEndpoint string `json:"report_endpoint,omitempty"` // ServiziRendicontazione

	Segregation string        `json:"segregation"` // two digits after the aux digit 3
	Types       []PaymentType `json:"types"`
	// Missing makes the back end not find what the registry has let in: 151.
	Missing bool `json:"missing,omitempty"`
}

// PaymentType is one codice versamento of a creditor.
type PaymentType struct {
	Code    string    `json:"code"`             // codice versamento, 1 to 4 characters
	Kind    string    `json:"kind,omitempty"`   // "" expected payments, REDS, MABL or PS
	Start   time.Time `json:"start,omitzero"`   // zero: always
	End     time.Time `json:"end,omitzero"`     // zero: never
	Multi   bool      `json:"multi,omitempty"`  // multi-beneficiary
	Lookup  string    `json:"lookup,omitempty"` // "missing" or "ambiguous" in the back end: 152, 153
	Entries []Entry   `json:"entries,omitempty"`
}

// Entry is one accounting reference of the catalogue. Without Year and Number
// it is the default one. A type without entries has one of the current year and
// a default.
type Entry struct {
	Year   int    `json:"year,omitempty"`
	Number string `json:"number,omitempty"`
	DSR    string `json:"dsr"` // dati specifici riscossione
}

const defaultDSR = "9/0101101IM/"

// errCreditor is matched by the errors of a creditor that cannot be.
var errCreditor = errors.New("creditor")

func (c Creditor) check() error {
	switch {
	case !chars(35)(c.CF):
		return fieldError("cf: want 1 to 35 characters")
	case len(c.Segregation) != 2 || strings.Trim(c.Segregation, "0123456789") != "":
		return fieldError("segregation: want two digits")
	case len(c.Types) == 0:
		return fieldError("types: want at least one codice versamento")
	}
	seen := map[string]bool{}
	for _, t := range c.Types {
		if !chars(4)(t.Code) || seen[t.Code] {
			return fieldError("types: a code has 1 to 4 characters and stands once")
		}
		seen[t.Code] = true
		switch t.Kind {
		case "", "REDS", "MABL", "PS":
		default:
			return fieldError("types: kind is REDS, MABL, PS or nothing")
		}
		switch t.Lookup {
		case "", "missing", "ambiguous":
		default:
			return fieldError("types: lookup is missing, ambiguous or nothing")
		}
	}
	return nil
}

func fieldError(text string) error { return &creditorError{text} }

type creditorError struct{ text string }

func (e *creditorError) Error() string { return "creditor: " + e.text }
func (e *creditorError) Unwrap() error { return errCreditor }

// paymentType finds a type by its code.
func (c Creditor) paymentType(code string) (PaymentType, bool) {
	for _, t := range c.Types {
		if t.Code == code {
			return t, true
		}
	}
	return PaymentType{}, false
}

// State is where a position stands (ES/model/StatoPagamento.java).
type State int

const (
	ToPay        State = 0  // Da pagare
	Compiled     State = 1  // Compilato
	Waiting      State = 2  // In attesa
	Failed       State = 3  // Fallito
	Paid         State = 4  // Successo
	ByPayer      State = 5  // Annullato dal pagatore
	Initialised  State = 6  // Transazione inizializzata
	Started      State = 7  // Transazione avviata
	Broken       State = 8  // Transazione errore
	Void         State = 9  // Invalidato dall'ente
	Revoked      State = 10 // Revocato
	WaitSecondRT State = 11 // In attesa seconda RT
)

// states holds the flags of each state. payable is read in StatoPagamento.java
// l.10-22; editable is a column of a database nobody published, ours where the
// state alone does not decide.
var states = map[State]struct {
	name              string
	payable, editable bool
}{
	ToPay:        {"DA_PAGARE", true, true},
	Compiled:     {"COMPILATO", true, false},
	Waiting:      {"IN_ATTESA", false, false},
	Failed:       {"FALLITO", true, true},
	Paid:         {"SUCCESSO", false, false},
	ByPayer:      {"ANNULLATO", true, true},
	Initialised:  {"TRANSAZIONE_INIZIALIZZATA", true, false},
	Started:      {"TRANSAZIONE_AVVIATA", false, false},
	Broken:       {"TRANSAZIONE_ERRORE", true, true},
	Void:         {"INVALIDATO", false, false},
	Revoked:      {"REVOCATO", false, false},
	WaitSecondRT: {"IN_ATTESA_SECONDA_RT", false, false},
}

// MarshalText writes the platform's name of the state.
func (s State) MarshalText() ([]byte, error) {
	f, ok := states[s]
	if !ok {
		return nil, errors.New("ppaysim: no such state")
	}
	return []byte(f.name), nil
}

// UnmarshalText reads the platform's name of a state.
func (s *State) UnmarshalText(text []byte) error {
	for k, f := range states {
		if f.name == string(text) {
			*s = k
			return nil
		}
	}
	return errors.New("ppaysim: no such state")
}

// Subject is a natural person (Cognome and Nome) or a legal one (RagioneSociale).
type Subject struct {
	Company        bool   `json:"company,omitempty"` // PersonaGiuridica
	Cognome        string `json:"cognome,omitempty"`
	Nome           string `json:"nome,omitempty"`
	RagioneSociale string `json:"ragione_sociale,omitempty"`
	CF             string `json:"cf"`
	Indirizzo      string `json:"indirizzo,omitempty"`
	Civico         string `json:"civico,omitempty"`
	CAP            string `json:"cap,omitempty"`
	Localita       string `json:"localita,omitempty"`
	Provincia      string `json:"provincia,omitempty"`
	Nazione        string `json:"nazione,omitempty"`
	EMail          string `json:"email,omitempty"`

	neither bool // no PersonaFisica and no PersonaGiuridica
}

// anonymous compares exactly and before trimming (SPORT/InserisciListaDiCarico.java:904-930).
//
//parity:s9 SPORT/InserisciListaDiCarico.java:904-930
func (s Subject) anonymous() bool {
	if s.Company {
		return s.CF == avviso.Anonymous && s.RagioneSociale == avviso.Anonymous
	}
	return s.CF == avviso.Anonymous && s.Nome == avviso.Anonymous && s.Cognome == avviso.Anonymous
}

// stored is how an insert keeps a subject: trimmed, the tax code in capitals
// (ES/integration/db/manager/AnagraficaManager.java:44-54).
//
//parity:s6 ES/integration/db/manager/AnagraficaManager.java:44-54
func (s Subject) stored() Subject {
	for _, f := range []*string{&s.Cognome, &s.Nome, &s.RagioneSociale, &s.CF, &s.Indirizzo, &s.Civico, &s.CAP, &s.Localita, &s.Provincia, &s.Nazione, &s.EMail} {
		*f = strings.TrimSpace(*f)
	}
	s.CF = strings.ToUpper(s.CF)
	return s
}

// Reference is a RiferimentoPagamento.
type Reference struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Component is a part of an amount.
type Component struct {
	Cents   Cents  `json:"cents"`
	Causale string `json:"causale"`
	Year    string `json:"year,omitempty"`
	Number  string `json:"number,omitempty"`
	DSR     string `json:"dsr,omitempty"` // as the catalogue gave it, never as sent
}

// Position is a posizione debitoria.
type Position struct {
	CF      string `json:"cf"`   // of the creditor
	Type    string `json:"type"` // codice versamento
	ID      string `json:"id"`   // IdPosizioneDebitoria
	IUV     string `json:"iuv"`
	Avviso  string `json:"avviso"` // codice avviso, 18 digits
	State   State  `json:"state"`
	Cents   Cents  `json:"cents"`
	Causale string `json:"causale"`
	Rata    string `json:"rata,omitempty"`
	Year    string `json:"year,omitempty"` // AnnoRiferimento
	Note    string `json:"note,omitempty"`

	Due  time.Time `json:"due,omitzero"`  // DataScadenza: shown, never compared
	From time.Time `json:"from,omitzero"` // DataInizioValidita, midnight
	To   time.Time `json:"to,omitzero"`   // DataFineValidita, midnight of its last day

	Debtor     Subject     `json:"debtor"`
	References []Reference `json:"references,omitempty"`
	Components []Component `json:"components,omitempty"`

	// Inserted and Updated count how often a list wrote the position, in whole or
	// in part; Writes are the last of those lists.
	Inserted int       `json:"inserted"`
	Updated  int       `json:"updated"`
	Writes   []Write   `json:"writes"`
	Payments []Payment `json:"payments,omitempty"`
}

// Write is one list that changed a position.
type Write struct {
	Message string    `json:"message"` // IdMessaggio
	Kind    string    `json:"kind"`    // INSERIMENTO, MODIFICA or ANNULLAMENTO
	Code    string    `json:"code"`    // what the creditor is told; not 000 when only a part was written
	At      time.Time `json:"at"`      // platform time
	Cents   Cents     `json:"cents"`   // the amount afterwards
}

// Payment is one receipt. A position has more than one when it was paid twice.
type Payment struct {
	IUR   string    `json:"iur"`
	Cents Cents     `json:"cents"`
	At    time.Time `json:"at"`               // platform time
	Payer *Subject  `json:"payer,omitempty"`  // SoggettoVersante
	Told  string    `json:"told,omitempty"`   // IdMessaggio of the notification the bus took
	Lost  []string  `json:"untold,omitempty"` // IdMessaggio of those it did not
}

// wrote notes a list in the history of the position.
func (p *Position) wrote(w Write) {
	if w.Kind == kindInsert {
		p.Inserted++
	} else {
		p.Updated++
	}
	p.Writes = append(p.Writes, w)
	if extra := len(p.Writes) - maxWrites; extra > 0 {
		p.Writes = p.Writes[extra:]
	}
}

// An op is a request type (W2/enumeration/TipoRichiestaEnum.java). Each has its
// own register, its own queue and its own worker.
type op string

const (
	opInsert op = "INSERISCI_LISTA_DI_CARICO"
	opUpdate op = "AGGIORNA_POSIZIONI_DEBITORIE"
)

const (
	kindInsert = "INSERIMENTO"
	kindEdit   = "MODIFICA"
	kindVoid   = "ANNULLAMENTO"
)

// A list is a request as the back end sees it. What the schema forbids to be
// absent may still be absent here: the back end checks it again.
type list struct {
	op    op
	id    string // IdMessaggio
	cf    string
	code  string // CodiceVersamento
	multi bool
	count string
	total *Cents
	items []item
}

// An item is one position of a list. Dates are instants, zero when absent.
type item struct {
	kind        string
	id          string
	year        string
	cents       *Cents
	main, other *Cents // ImportoPrincipale, ImportoSecondarioAltroEnte
	due         time.Time
	from        time.Time
	to          time.Time
	causale     string
	rata        string
	note        string // NotePerIlPagatore, or Motivazione
	components  []Component
	references  []Reference
	subject     *Subject
}

// readList takes a list out of the body of a request, whether or not it is valid
// under the schema: what has no place in it is not there.
func readList(body *node) list {
	body = requestRule(body).tolerate(body)
	l := list{op: opInsert, items: []item{}}
	positions := body.at("ListaDiCarico", "PosizioniDaInserire")
	if body.name.Local == updateRule.name {
		l.op, positions = opUpdate, body.at("ElencoPosizioniDaAggiornare", "PosizioniDaAggiornare")
	}
	head := body.child("Testata")
	l.id, l.cf, l.code = head.value("IdMessaggio"), head.value("CFEnteCreditore"), head.value("CodiceVersamento")
	l.multi, _ = parseBool(head.value("MultiBeneficiario"))
	l.count = strings.Trim(head.value("NumeroPosizioniDebitorie"), xmlSpace)
	l.total = readAmount(head, "ImportoTotaleListaDiCarico")
	if positions != nil {
		for _, n := range positions.kids {
			l.items = append(l.items, readItem(n))
		}
	}
	return l
}

func readItem(n *node) item {
	it := item{
		kind: n.value("TipoAggiornamento"), id: n.value("IdPosizioneDebitoria"), year: strings.Trim(n.value("AnnoRiferimento"), xmlSpace),
		cents: readAmount(n, "ImportoTotale"), main: readAmount(n, "ImportoPrincipale"), other: readAmount(n, "ImportoSecondarioAltroEnte"),
		due: readDate(n, "DataScadenza"), from: readDate(n, "DataInizioValidita"), to: readDate(n, "DataFineValidita"),
		causale: n.value("DescrizioneCausaleVersamento"), rata: n.value("DescrizioneRata"),
		note: n.value("NotePerIlPagatore") + n.value("Motivazione"), // one operation has the one, the other the other
	}
	if c := n.child("ComponentiImporto"); c != nil {
		for _, k := range c.kids {
			var cents Cents
			if a := readAmount(k, "Importo"); a != nil {
				cents = *a
			}
			it.components = append(it.components, Component{Cents: cents, Causale: k.value("CausaleDescrittiva"),
				Year: strings.Trim(k.value("AnnoAccertamento"), xmlSpace), Number: k.value("NumeroAccertamento")})
		}
	}
	if r := n.child("RiferimentiPagamento"); r != nil {
		for _, k := range r.kids {
			it.references = append(it.references, Reference{Name: k.value("Nome"), Value: k.value("Valore")})
		}
	}
	if s := n.child("SoggettoPagatore"); s != nil {
		it.subject = &Subject{
			Company: s.child("PersonaGiuridica") != nil, neither: s.child("PersonaGiuridica") == nil && s.child("PersonaFisica") == nil,
			Cognome: s.value("PersonaFisica", "Cognome"), Nome: s.value("PersonaFisica", "Nome"),
			RagioneSociale: s.value("PersonaGiuridica", "RagioneSociale"), CF: s.value("IdentificativoUnivocoFiscale"),
			Indirizzo: s.value("Indirizzo"), Civico: s.value("Civico"), CAP: s.value("CAP"), Localita: s.value("Localita"),
			Provincia: s.value("Provincia"), Nazione: s.value("Nazione"), EMail: s.value("EMail"),
		}
	}
	return it
}

func readAmount(n *node, local string) *Cents {
	c, err := parseAmount(n.value(local))
	if err != nil {
		return nil
	}
	return &c
}

func readDate(n *node, local string) time.Time {
	t, err := parseDate(n.value(local))
	if err != nil {
		return time.Time{}
	}
	return t
}

// blank is how the platform tests texts: spaces are nothing.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
