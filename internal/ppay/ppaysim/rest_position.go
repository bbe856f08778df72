package ppaysim

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Most refusals of REST are 300, with the text of the code that SOAP would give
// (EsitoChiamataEsterna.ERRORE_DATI_COMPONENTI_NON_CONGRUENTI).
func inconsistent(text string) verdict { return verdict{"300", text} }

func as300(v verdict) verdict {
	if v.bad() {
		v.Code = "300"
	}
	return v
}

func failed(text string) verdict { return verdict{"100", text} }

func forbidden(text string) verdict { return verdict{"200", text} }

// facts of the creditor and the type in the path.
func (c restCall) facts(t tx) (itemFacts, error) {
	l := list{cf: c.org, code: c.code, id: "-"}
	f, err := c.sim.facts(t, l, c.set)
	if err != nil {
		return itemFacts{}, err
	}
	i := itemFacts{facts: f, list: l}
	if f.creditor != nil {
		i.kind = f.ptype(l)
	}
	return i, nil
}

// A restRule is a check of what surrounds a position.
type restRule func(restCall, itemFacts) verdict

func firstREST(c restCall, f itemFacts, rules ...restRule) verdict {
	for _, r := range rules {
		if v := r(c, f); v.bad() {
			return v
		}
	}
	return verdict{}
}

// restCreditor and restType: SPLIT verificaEsistenzaEnte, verificaTipoPagamento.
func restCreditor(_ restCall, f itemFacts) verdict { return as300(checkCreditor(f.list, f.facts)) }

func restType(_ restCall, f itemFacts) verdict {
	if v := checkType(f.list, f.facts); v.bad() {
		return as300(v)
	}
	return as300(checkTypeEnd(f.list, f.facts))
}

// restNotShared: the same, with its flag for several creditors.
func restNotShared(_ restCall, f itemFacts) verdict {
	if f.kind.Multi {
		return as300(vMulti)
	}
	return verdict{}
}

// restShared: SPLIT verificaCompatibilitaFlagMultibeneficiario, on multipayees.
func restShared(_ restCall, f itemFacts) verdict {
	if !f.kind.Multi {
		return as300(vNotMulti)
	}
	return verdict{}
}

// restKind: the same as restType, EPAY-347.
func restKind(_ restCall, f itemFacts) verdict {
	for _, r := range []headerRule{checkREDS, checkMABL, checkSpontaneous} {
		if v := r(f.list, f.facts); v.bad() {
			return as300(v)
		}
	}
	return verdict{}
}

// restMay: SPLIT validaChiamanteEsterno, whose scope the interceptor has seen
// before.
func restMay(c restCall, f itemFacts) verdict {
	return unless(c.mayType(f.list.cf, f.list.code), forbidden("Chiamante non autorizzato al tipo pagamento."))
}

// position finds one by creditor, type and IUV (getPagamentoPerCFEnteECovEIuv), so
// whoever made it.
func (c restCall) position(t tx) (p Position, found bool, err error) {
	_, p, _, err = find(t, "", c.iuv)
	return p, err == nil && p.IUV != "" && p.CF == c.org && p.Type == c.code, err
}

// A restComponent is part of an amount.
type restComponent struct {
	Importo                  *restAmount `json:"importo"`
	Causale                  string      `json:"causale"`
	AnnoAccertamento         int         `json:"annoAccertamento"`
	NumeroAccertamento       string      `json:"numeroAccertamento"`
	DatiSpecificiRiscossione string      `json:"datiSpecificiRiscossione"` // read and not used
	Progressivo              int         `json:"progressivo"`
}

func (c restComponent) component() Component {
	out := Component{Causale: c.Causale, Number: c.NumeroAccertamento}
	if c.Importo != nil {
		out.Cents = Cents(*c.Importo)
	}
	if c.AnnoAccertamento != 0 {
		out.Year = strconv.Itoa(c.AnnoAccertamento)
	}
	return out
}

// restPayer are the fields of who pays, in every body.
type restPayer struct {
	CF             string  `json:"codiceFiscalePartitaIVAPagatore"`
	Cognome        string  `json:"cognome"`
	Nome           string  `json:"nome"`
	RagioneSociale string  `json:"ragioneSociale"`
	Email          *string `json:"email"`
}

func (p restPayer) subject() Subject {
	s := Subject{Company: !blank(p.RagioneSociale), Cognome: p.Cognome, Nome: p.Nome, RagioneSociale: p.RagioneSociale, CF: p.CF}
	if p.Email != nil {
		s.EMail = *p.Email
	}
	return s
}

// A restNew is the body of a creation of any kind.
type restNew struct {
	restPayer
	ID         string
	Causale    string
	Cents      *Cents
	Components []Component
	From       time.Time
	To         time.Time
	Due        time.Time
	Note       string
	extra      restExtra
	shared     bool
}

func (n restNew) item() item {
	s := n.subject()
	return item{kind: kindInsert, id: n.ID, cents: n.Cents, due: n.Due, from: n.From, to: n.To, causale: n.Causale, note: n.Note, components: n.Components, subject: &s}
}

// restInput: OLD:885-1000, validaInputGetIuv, in its order.
func restInput(n restNew) verdict {
	obliged := func(field string) verdict { return inconsistent("Il campo " + field + " e' obbligatorio") }
	switch {
	case blank(n.ID):
		return obliged("identificativoPagamento")
	case utf8.RuneCountInString(n.ID) > 50:
		return inconsistent("Il campo identificativoPagamento deve essere minore di 50 caratteri!")
	case blank(n.Causale):
		return obliged("causale")
	case n.shared && n.extra.MainCents == nil:
		return obliged("importo principale")
	case n.shared && n.extra.OtherCents == nil:
		return obliged("importo secondario")
	case n.shared && (*n.extra.MainCents < 0 || *n.extra.OtherCents < 0):
		return inconsistent("Il campo importo principale non e' valido")
	case n.Cents == nil:
		return obliged("importo")
	case *n.Cents < 0: // zero is fine, for whomever
		return inconsistent("Il campo importo non e' valido")
	case blank(n.RagioneSociale) && (blank(n.Nome) || blank(n.Cognome)):
		return inconsistent("E' obbligatorio indicare i campi nome e cognome, oppure ragioneSociale")
	case blank(n.CF):
		return obliged("codiceFiscalePartitaIVAPagatore")
	case !n.From.IsZero() && !n.To.IsZero() && n.To.Before(n.From):
		return inconsistent("La data fine validita' e' precedente alla data inizio validita'")
	case n.Email != nil && !mailForm.MatchString(*n.Email):
		return inconsistent("Il formato della email non e' corretto")
	}
	return verdict{}
}

// restSums: OLD validaTotaliComponentiPagamento, with what SOAP says of years and
// numbers.
func restSums(n restNew) verdict {
	if v := checkYearAndNumber(n.item(), itemFacts{}); v.bad() {
		return as300(v)
	}
	total := *n.Cents
	if n.shared {
		if total != *n.extra.MainCents+*n.extra.OtherCents {
			return as300(vMultiAmounts)
		}
		total = *n.extra.MainCents
	}
	return unless(len(n.Components) == 0 || sumOf(n.Components) == total, inconsistent("Importo totale differente dalla somma degli importi delle componenti"))
}

// restValidType: OLD validaTipoPagamento: by days, and of the kind of call.
func restValidType(f itemFacts, shared bool) verdict {
	today := dayOf(f.now)
	switch {
	case !f.kind.Start.IsZero() && dayOf(f.kind.Start) > today:
		return inconsistent("Codice versamento [" + f.kind.Code + "] non ancora in periodo di validita'")
	case !f.kind.End.IsZero() && dayOf(f.kind.End) < today:
		return inconsistent("Codice versamento [" + f.kind.Code + "] non piu' valido")
	case f.kind.Multi && !shared:
		return inconsistent("Codice versamento [" + f.kind.Code + "] multibeneficiario")
	case !f.kind.Multi && shared:
		return inconsistent("Non esiste alcun Codice Versamento secondario correttamente associato al codice versamento [" + f.kind.Code + "]")
	}
	return verdict{}
}

// opREST is the trace of the identificativi, in the register.
const opREST = "REST"

// create makes a position, in the order of OLD doGetIUVChiamanteEsterno. From the
// trace on, the identificativo is spent whatever happens (l.356).
//
// parity:S18 OLD doGetIUVChiamanteEsterno
func (c restCall) create(t tx, n restNew) (Position, verdict, error) {
	if v := restInput(n); v.bad() {
		return Position{}, v, nil
	}
	if t.in(bRegister).Get(key(opREST, n.ID)) != nil { // of any creditor
		return Position{}, inconsistent("Identificativo pagamento [" + n.ID + "] duplicato"), nil
	}
	f, err := c.facts(t)
	if err != nil {
		return Position{}, verdict{}, err
	}
	p, v, err := c.traced(t, n, f)
	if err != nil {
		return Position{}, verdict{}, err
	}
	code := v.Code
	if !v.bad() {
		code = vOK.Code
	}
	return p, v, put(t, bRegister, key(opREST, n.ID), RegisterEntry{Operation: opREST, Message: n.ID, CF: c.org, Type: c.code, Code: code, At: f.now})
}

// traced is create after the trace.
func (c restCall) traced(t tx, n restNew, f itemFacts) (Position, verdict, error) {
	if f.creditor == nil || f.creditor.Missing {
		return Position{}, inconsistent("Ente [" + c.org + "] non trovato"), nil
	}
	if v := checkType(f.list, f.facts); v.bad() {
		return Position{}, as300(v), nil
	}
	for _, v := range []verdict{restValidType(f, n.shared), restMay(c, f), restSums(n)} {
		if v.bad() {
			return Position{}, v, nil
		}
	}
	iuvs, v, err := c.sim.drawIUVs(t, f.facts, 1, c.set)
	if err != nil {
		return Position{}, verdict{}, err
	}
	if v.bad() {
		return Position{}, failed("Errore in fase di generazione dello IUV"), nil
	}
	// A position of that id made by SOAP: what the database then does was not read.
	k := key(c.org, c.code, strings.TrimSpace(n.ID))
	if t.in(bPositions).Get(k) != nil {
		return Position{}, failed("Errore in fase di composizione del pagamento!"), nil
	}
	p := Position{
		CF: c.org, Type: c.code, ID: strings.TrimSpace(n.ID), IUV: iuvs[0], Avviso: "3" + iuvs[0], State: ToPay, Cents: *n.Cents,
		Causale: strings.TrimSpace(n.Causale), Note: strings.TrimSpace(n.Note), Due: n.Due, From: n.From, To: n.To, Debtor: n.subject().stored(),
	}
	if v := c.components(&p, n.Components, f); v.bad() {
		return Position{}, as300(v), nil
	}
	p.wrote(Write{Message: opREST, Kind: kindInsert, Code: vOK.Code, At: f.now, Cents: p.Cents})
	if err := put(t, bPositions, k, p); err != nil {
		return Position{}, verdict{}, err
	}
	if err := t.in(bIUVs).Put([]byte(p.IUV), k); err != nil {
		return Position{}, verdict{}, err
	}
	return p, verdict{}, put(t, bMeta, extraKey(p.IUV), n.extra)
}

// components gives each its accounting reference, the default one if need be:
// SPLIT and OLD inserisciDatoSpecificoRiscossioneInComponente, creaComponenteDiDefault.
func (c restCall) components(p *Position, cs []Component, f itemFacts) verdict {
	if len(cs) == 0 {
		dsr, ok := f.singleDSR(f.kind)
		p.Components = []Component{{Cents: p.Cents, Causale: p.Causale, DSR: dsr}}
		return unless(ok, vDSR)
	}
	p.Components = slices.Clone(cs)
	for i := range p.Components {
		dsr, ok := f.componentDSR(f.kind, p.Components[i], true)
		if !ok {
			return vDSR
		}
		p.Components[i].DSR = dsr
	}
	return verdict{}
}

// createBody is DebtPositionData.
type createBody struct {
	restPayer
	IdentificativoPagamento string          `json:"identificativoPagamento"`
	Causale                 string          `json:"causale"`
	Importo                 *restAmount     `json:"importo"`
	ComponentiPagamento     []restComponent `json:"componentiPagamento"`
	DataInizioValidita      restTime        `json:"dataInizioValidita"`
	DataFineValidita        restTime        `json:"dataFineValidita"`
	DataScadenza            restTime        `json:"dataScadenza"`
	NotePerIlPagatore       string          `json:"notePerIlPagatore"`
	RequiresCostUpdate      *bool           `json:"requiresCostUpdate"`
}

func (b createBody) input() restNew {
	return restNew{restPayer: b.restPayer, ID: b.IdentificativoPagamento, Causale: b.Causale, Cents: b.Importo.cents(), Components: components(b.ComponentiPagamento),
		From: b.DataInizioValidita.Time, To: b.DataFineValidita.Time, Due: b.DataScadenza.Time, Note: b.NotePerIlPagatore, extra: restExtra{CostUpdate: b.RequiresCostUpdate}}
}

func components(cs []restComponent) (out []Component) {
	for _, c := range cs {
		out = append(out, c.component())
	}
	return out
}

// referenceBody is DebtPositionReference.
type referenceBody struct {
	esitoBody
	CodiceAvviso            *string `json:"codiceAvviso"`
	IUV                     *string `json:"iuv"`
	IdentificativoPagamento string  `json:"identificativoPagamento"`
}

func restCreate(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[createBody](c.body)
	if err != nil {
		return nil, err
	}
	return c.reference(c.create(t, b.input()))
}

func (c restCall) reference(p Position, v verdict, err error) (restAnswer, error) {
	if v.bad() || err != nil {
		return referenceBody{esitoBody: v.esito()}, err
	}
	return referenceBody{vOK.esito(), &p.Avviso, &p.IUV, p.ID}, nil
}

// sharedBody is PaymentDataMultipayee.
type sharedBody struct {
	restPayer
	IdentificativoPagamento          string          `json:"identificativoPagamento"`
	Causale                          string          `json:"causale"`
	ImportoTotale                    *restAmount     `json:"importoTotale"`
	ImportoTotaleEntePrimario        *restAmount     `json:"importoTotaleEntePrimario"`
	ImportoTotaleEntiSecondari       *restAmount     `json:"importoTotaleEntiSecondari"`
	ComponentiPagamentoEntePrimario  []restComponent `json:"componentiPagamentoEntePrimario"`
	ComponentiPagamentoEntiSecondari []struct {
		restComponent
		CodiceFiscaleEnte string `json:"codiceFiscaleEnte"`
		CodiceVersamento  string `json:"codiceVersamento"`
	} `json:"componentiPagamentoEntiSecondari"`
	DataInizioValidita restTime `json:"dataInizioValidita"`
	DataFineValidita   restTime `json:"dataFineValidita"`
	DataScadenza       restTime `json:"dataScadenza"`
	NotePerIlPagatore  string   `json:"notePerIlPagatore"`
	RequiresCostUpdate *bool    `json:"requiresCostUpdate"`
}

func (b sharedBody) extra() restExtra {
	x := restExtra{CostUpdate: b.RequiresCostUpdate, MainCents: b.ImportoTotaleEntePrimario.cents(), OtherCents: b.ImportoTotaleEntiSecondari.cents()}
	if len(b.ComponentiPagamentoEntiSecondari) > 0 {
		x.OtherCF = b.ComponentiPagamentoEntiSecondari[0].CodiceFiscaleEnte
	}
	return x
}

// restCreateShared is the same for several creditors. Of the fourteen texts of
// 189 it knows few (ours).
func restCreateShared(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[sharedBody](c.body)
	if err != nil {
		return nil, err
	}
	return c.reference(c.create(t, restNew{restPayer: b.restPayer, ID: b.IdentificativoPagamento, Causale: b.Causale, Cents: b.ImportoTotale.cents(),
		Components: components(b.ComponentiPagamentoEntePrimario), From: b.DataInizioValidita.Time, To: b.DataFineValidita.Time, Due: b.DataScadenza.Time,
		Note: b.NotePerIlPagatore, extra: b.extra(), shared: true}))
}

// updateBody is DebtPositionPaymentData.
type updateBody struct {
	restPayer
	DataScadenza       restTime    `json:"dataScadenza"`
	DataInizioValidita restTime    `json:"dataInizioValidita"`
	DataFineValidita   restTime    `json:"dataFineValidita"`
	Importo            *restAmount `json:"importo"`
	ComponentiImporto  []struct {
		Importo            *restAmount `json:"importo"`
		CausaleDescrittiva string      `json:"causaleDescrittiva"`
		AnnoAccertamento   int         `json:"annoAccertamento"`
		NumeroAccertamento string      `json:"numeroAccertamento"`
	} `json:"componentiImporto"`
	Causale              string `json:"causale"`
	Motivazione          string `json:"motivazione"`
	RiferimentiPagamento []struct {
		Nome   string `json:"nome"`
		Valore string `json:"valore"`
	} `json:"riferimentiPagamento"`
	IdentificativoPagamento string `json:"identificativoPagamento"` // read and not used
	RequiresCostUpdate      *bool  `json:"requiresCostUpdate"`
}

func (b updateBody) item() item {
	it := item{kind: kindEdit, cents: b.Importo.cents(), due: b.DataScadenza.Time, from: b.DataInizioValidita.Time, to: b.DataFineValidita.Time, causale: b.Causale, note: b.Motivazione, subject: b.debtor()}
	for _, k := range b.ComponentiImporto {
		it.components = append(it.components, restComponent{Importo: k.Importo, Causale: k.CausaleDescrittiva, AnnoAccertamento: k.AnnoAccertamento, NumeroAccertamento: k.NumeroAccertamento}.component())
	}
	for _, r := range b.RiferimentiPagamento {
		it.references = append(it.references, Reference{r.Nome, r.Valore})
	}
	return it
}

// debtor: API/dto/v1/AggiornaPosizioneDebitoriaChiamanteEsternoInputDto.java: a
// tax code alone is nobody.
func (p restPayer) debtor() *Subject {
	if blank(p.RagioneSociale) && blank(p.Cognome) && blank(p.Nome) {
		return nil
	}
	s := p.subject()
	return &s
}

// restUpdate: SPLIT:1138-1281, doAggiornaPosizioneDebitoriaChiamanteEsterno. Unlike
// in SOAP the state comes first, the amount is optional, and a debtor may be set
// while it is not 0: only 218 applies.
//
// parity:S19 SPLIT:1138-1281, 1610-1635
func restUpdate(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[updateBody](c.body)
	if err != nil {
		return nil, err
	}
	v, err := c.update(t, b.item(), restNotShared, func(x *restExtra) { x.CostUpdate = b.RequiresCostUpdate }) // l.1204: also by nothing
	return v.result(), err
}

// update changes the position of a call; keep notes what only REST knows.
func (c restCall) update(t tx, it item, sharing restRule, keep func(*restExtra)) (verdict, error) {
	f, err := c.facts(t)
	if err != nil {
		return verdict{}, err
	}
	if v := firstREST(c, f, restCreditor, restType, restKind, restMay, sharing); v.bad() {
		return v, nil
	}
	p, found, err := c.position(t)
	if err != nil {
		return verdict{}, err
	}
	if !found {
		return as300(vNotFound(c.org, c.code, c.iuv)), nil
	}
	for _, r := range restEditRules {
		if v := r(p, it, f); v.bad() {
			return v, nil
		}
	}
	p, v := restEdit(p, it, f, c)
	x, _, err := get[restExtra](t, bMeta, extraKey(p.IUV))
	if err != nil {
		return verdict{}, err
	}
	keep(&x)
	code := vOK.Code
	if v.bad() {
		code = v.Code
	}
	p.wrote(Write{Message: opREST, Kind: kindEdit, Code: code, At: f.now, Cents: p.Cents})
	if err := put(t, bPositions, key(p.CF, p.Type, p.ID), p); err != nil {
		return verdict{}, err
	}
	if err := put(t, bMeta, extraKey(p.IUV), x); err != nil {
		return verdict{}, err
	}
	if v.bad() {
		return v, nil
	}
	return vOK, nil
}

// restEditRules are the checks of a PUT, in the order of restUpdate's source. The
// debtor's own carry their own codes (testField).
var restEditRules = []editRule{
	inREST(checkState), inREST(checkDates), checkRESTComponents, inREST(checkEditReferences), inREST(checkStillValid), inREST(checkEditEverActive),
	checkDebtorAnonymous, checkDebtorData,
}

func inREST(r editRule) editRule {
	return func(p Position, it item, f itemFacts) verdict { return as300(r(p, it, f)) }
}

// checkRESTComponents: SPLIT verificaComponentiPagamento. Without an amount beside
// them it follows a null.
func checkRESTComponents(p Position, it item, f itemFacts) verdict {
	for _, c := range it.components {
		if c.Causale == "" {
			return as300(vNoCausale)
		}
	}
	if v := checkYearAndNumber(it, f); v.bad() {
		return as300(v)
	}
	if len(it.components) > 0 && it.cents == nil {
		return vRESTUpdateFailed
	}
	return as300(checkEditSum(p, it, f))
}

var vRESTUpdateFailed = failed("Errore in fase di aggiornamento della posizione debitoria.")

// restEdit writes in the order of restUpdate's source. The exception of a missing
// accounting reference is caught inside the transaction: what was written before
// stays.
func restEdit(p Position, it item, f itemFacts, c restCall) (Position, verdict) {
	p.References, p.Components = slices.Clone(p.References), slices.Clone(p.Components)
	if it.causale != "" {
		p.Causale = cut(it.causale, maxCausale)
	}
	if it.note != "" {
		p.Note = it.note
	}
	if len(it.references) > 0 {
		p.References = slices.Clone(it.references)
	}
	if it.cents != nil {
		p.Cents = *it.cents
	}
	switch {
	case len(it.components) > 0 || len(p.Components) == 0:
		if v := c.components(&p, it.components, f); v.bad() {
			p.Components = nil
			return p, vRESTUpdateFailed
		}
	case len(p.Components) == 1 && it.cents != nil:
		p.Components[0].Cents = *it.cents
	}
	p = effective(p, it)
	if s := it.subject; s != nil {
		p.Debtor = restDebtor(p.Debtor, *s)
	}
	return p, verdict{}
}

// restDebtor: SPLIT toAnagraficaDto: what is not sent stays, of a company also the
// names of ANONIMO; the tax code keeps its case.
func restDebtor(old, s Subject) Subject {
	old.Company, old.CF, old.EMail = s.Company, strings.TrimSpace(s.CF), strings.TrimSpace(s.EMail)
	if s.Company {
		old.RagioneSociale = strings.TrimSpace(s.RagioneSociale)
	} else {
		old.Cognome, old.Nome = strings.TrimSpace(s.Cognome), strings.TrimSpace(s.Nome)
	}
	return old
}

// restUpdateShared changes a position of several creditors. verificaAnagrafica is
// there called so that 218 does not apply; here the debtor is left alone (ours).
//
// parity:S18 SPLIT doAggiornaPosizioneDebitoriaMultibeneficiarioChiamanteEsterno
func restUpdateShared(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[sharedBody](c.body)
	if err != nil {
		return nil, err
	}
	it := item{kind: kindEdit, cents: b.ImportoTotale.cents(), due: b.DataScadenza.Time, from: b.DataInizioValidita.Time, to: b.DataFineValidita.Time, causale: b.Causale, note: b.NotePerIlPagatore}
	if m, o, total := b.ImportoTotaleEntePrimario.cents(), b.ImportoTotaleEntiSecondari.cents(), it.cents; total != nil && (m == nil || o == nil || *m+*o != *total) {
		return as300(vMultiAmounts).result(), nil
	}
	v, err := c.update(t, it, restShared, func(x *restExtra) {
		next := b.extra()
		if next.MainCents == nil {
			next.MainCents, next.OtherCents = x.MainCents, x.OtherCents
		}
		if next.OtherCF == "" {
			next.OtherCF = x.OtherCF
		}
		*x = next
	})
	return v.result(), err
}

// restDelete: SPLIT doEliminaPosizioneDebitoriaChiamanteEsterno: the state alone is
// looked at, and the note stays.
//
// parity:S18 SPLIT doEliminaPosizioneDebitoriaChiamanteEsterno
func restDelete(t tx, c restCall) (restAnswer, error) {
	f, err := c.facts(t)
	if err != nil {
		return nil, err
	}
	if v := firstREST(c, f, restCreditor, restType, restNotShared, restKind, restMay); v.bad() {
		return v.result(), nil
	}
	p, found, err := c.position(t)
	if err != nil {
		return nil, err
	}
	if !found {
		return as300(vNotFound(c.org, c.code, c.iuv)).result(), nil
	}
	if v := checkState(p, item{}, f); v.bad() {
		return as300(v).result(), nil
	}
	p.State = Void
	p.wrote(Write{Message: opREST, Kind: kindVoid, Code: vOK.Code, At: f.now, Cents: p.Cents})
	return vOK.result(), put(t, bPositions, key(p.CF, p.Type, p.ID), p)
}
