package ppaysim

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// facts are what a rule may look at besides the list itself.
type facts struct {
	now      time.Time // platform time
	creditor *Creditor // nil: not in the back end
	repeated bool      // IdMessaggio is in the register, or blank
	taxonomy bool      // the taxonomy endpoint answers
	catalog  bool      // the catalogue answers
	noYear   bool      // the catalogue has no entry for the current year
}

// ptype is the payment type of the list; only rules after checkType may ask.
func (f facts) ptype(l list) PaymentType {
	t, _ := f.creditor.paymentType(l.code)
	return t
}

type headerRule func(list, facts) verdict

// The headers' checks in the platform's order; the first that objects wins
// (SPORT/InserisciListaDiCarico.java and SPORT/AggiornaPosizioniDebitorie.java,
// both from the top).
var (
	commonHeader = []headerRule{checkRegister, checkCreditor, checkType, checkMulti, checkTypeEnd, checkREDS, checkMABL, checkSpontaneous}
	insertHeader = append(commonHeader[:len(commonHeader):len(commonHeader)], checkAmounts, checkCount, checkTotal, checkTaxonomy)
	updateHeader = append(commonHeader[:len(commonHeader):len(commonHeader)], checkCount, checkTaxonomy)
)

//parity:s5 SPORT/InserisciListaDiCarico.java:134-162
func firstObjection(l list, f facts, rules []headerRule) verdict {
	for _, r := range rules {
		if v := r(l, f); v.bad() {
			return v
		}
	}
	return verdict{}
}

// checkRegister: SPORT/InserisciListaDiCarico.java:608-638,
// SPORT/AggiornaPosizioniDebitorie.java:685-709; jpqlQueries.xml:493-497 asks for
// no creditor, so another's id collides.
//
//parity:s4 SPORT/InserisciListaDiCarico.java:608-638
//parity:s4 SPORT/AggiornaPosizioniDebitorie.java:685-709
//parity:s4 ES jpqlQueries.xml:493-497
func checkRegister(l list, f facts) verdict {
	if f.repeated || blank(l.id) {
		return vRepeated(l.id)
	}
	return verdict{}
}

// checkCreditor: the same two, 151.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:138 (verificaTestataEnte)
func checkCreditor(l list, f facts) verdict {
	if f.creditor == nil || f.creditor.Missing {
		return vNoCreditor(l.cf)
	}
	return verdict{}
}

// checkType: the same two, 152 and 153.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:140 (verificaEsistenzaPagamentoPrincipale)
func checkType(l list, f facts) verdict {
	t, ok := f.creditor.paymentType(l.code)
	switch {
	case !ok || t.Lookup == "missing":
		return vNoType(l.code)
	case t.Lookup == "ambiguous":
		return vTwoTypes(l.code)
	}
	return verdict{}
}

// checkMulti: the same two, 189: the flag of the list against the configuration.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:142 (verificaCompatibilitaFlagMultibeneficiario)
func checkMulti(l list, f facts) verdict {
	switch multi := f.ptype(l).Multi; {
	case multi && !l.multi:
		return vMulti
	case !multi && l.multi:
		return vNotMulti
	}
	return verdict{}
}

// checkTypeEnd: the same two, 157 in its first meaning.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:143 (verificaTestataTipoPagamento)
func checkTypeEnd(l list, f facts) verdict {
	if end := f.ptype(l).End; !end.IsZero() && end.Before(f.now) {
		return vTypeEnded
	}
	return verdict{}
}

// checkREDS: the same two, 158.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:143 (verificaTestataTipoPagamento)
func checkREDS(l list, f facts) verdict {
	if f.ptype(l).Kind == "REDS" {
		return vREDS
	}
	return verdict{}
}

// checkMABL: the same two, 159.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:143 (verificaTestataTipoPagamento)
func checkMABL(l list, f facts) verdict {
	if f.ptype(l).Kind == "MABL" {
		return vMABL
	}
	return verdict{}
}

// checkSpontaneous: the same two, 197.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:143 (verificaTestataTipoPagamento)
func checkSpontaneous(l list, f facts) verdict {
	if f.ptype(l).Kind == "PS" {
		return vSpontaneous
	}
	return verdict{}
}

// checkAmounts: SPORT/InserisciListaDiCarico.java, 156; never after a strict schema.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:146 (verificaTestataNumeroPosizioniEImportoTotale)
func checkAmounts(l list, _ facts) verdict {
	for _, it := range l.items {
		if it.cents == nil {
			return vNoAmount
		}
	}
	return verdict{}
}

// checkCount: both, 154.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:146 (verificaTestataNumeroPosizioniEImportoTotale)
func checkCount(l list, _ facts) verdict {
	if n, err := strconv.Atoi(l.count); err != nil || n != len(l.items) {
		return vCount
	}
	return verdict{}
}

// checkTotal: SPORT/InserisciListaDiCarico.java, 155: exact sum of ImportoTotale.
//
//parity:s5 SPORT/InserisciListaDiCarico.java:146 (verificaTestataNumeroPosizioniEImportoTotale)
func checkTotal(l list, _ facts) verdict {
	var sum Cents
	for _, it := range l.items {
		sum += *it.cents
	}
	if l.total == nil || *l.total != sum {
		return vTotal
	}
	return verdict{}
}

// checkTaxonomy: both, 157 in its second meaning.
//
//parity:s21 SPORT/InserisciListaDiCarico.java:156-162
func checkTaxonomy(_ list, f facts) verdict {
	if !f.taxonomy {
		return vDSR
	}
	return verdict{}
}

// entries is what the catalogue offers for a type at an instant.
//
//parity:s21 SPORT/InserisciListaDiCarico.java:179-184
func (f facts) entries(t PaymentType) []Entry {
	es := t.Entries
	if len(es) == 0 {
		es = []Entry{{Year: f.now.In(rome).Year(), Number: "1", DSR: defaultDSR}, {DSR: defaultDSR}}
	}
	if !f.noYear {
		return es
	}
	var out []Entry
	for _, e := range es {
		if e.Year == 0 {
			out = append(out, e)
		}
	}
	return out
}

// singleDSR is the reference of a payment without components: exactly one entry
// with year and number for the current year (SPORT/InserisciListaDiCarico.java:527-563).
//
//parity:s21 SPORT/InserisciListaDiCarico.java:527-563
func (f facts) singleDSR(t PaymentType) (string, bool) {
	if !f.catalog {
		return "", false
	}
	var found []string
	for _, e := range f.entries(t) {
		if e.Year == f.now.In(rome).Year() && e.Number != "" {
			found = append(found, e.DSR)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// componentDSR is the reference of a component: year and number must match.
// Else the default entry serves if orDefault, which it does on insert
// (SPORT/InserisciListaDiCarico.java:317-360) and never on update, where the
// platform reads the empty first result (SPORT/AggiornaPosizioniDebitorie.java:1162).
//
//parity:s21 SPORT/InserisciListaDiCarico.java:317-360
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:1129-1170
func (f facts) componentDSR(t PaymentType, c Component, orDefault bool) (string, bool) {
	if !f.catalog {
		return "", false
	}
	es := f.entries(t)
	for _, e := range es {
		if e.Year != 0 && strconv.Itoa(e.Year) == c.Year && e.Number == c.Number {
			return e.DSR, true
		}
	}
	if orDefault {
		for _, e := range es {
			if e.Year == 0 && e.Number == "" {
				return e.DSR, true
			}
		}
	}
	return "", false
}

// itemFacts are what a rule about one position may look at.
type itemFacts struct {
	facts
	list list
	kind PaymentType
	used bool // insert: the id is taken
}

type itemRule func(item, itemFacts) verdict

// insertRules are the checks of a position in the platform's order
// (SPORT/InserisciListaDiCarico.java:197-263).
var insertRules = []itemRule{
	checkInsertID, checkCausale, checkSubject, checkPerson, checkPhysical, checkCompany, checkCF, checkUnused,
	checkYearAndNumber, checkExpired, checkEverActive, checkReferences, checkReferencesOfKnown, checkMultiAmounts, checkSum,
	checkColumns,
}

// insertPosition decides about one position of a list and returns it as stored.
// iuv was drawn before and is spent either way.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:197-263
func insertPosition(it item, f itemFacts, iuv string) (Position, verdict) {
	for _, r := range insertRules {
		if v := r(it, f); v.bad() {
			return Position{}, v
		}
	}
	p := Position{
		CF: f.list.cf, Type: f.list.code, ID: strings.TrimSpace(it.id), IUV: iuv, Avviso: "3" + iuv, State: ToPay,
		Cents: *it.cents, Causale: strings.TrimSpace(it.causale), Rata: strings.TrimSpace(it.rata), Year: it.year,
		Note: strings.TrimSpace(it.note), Due: it.due, From: it.from, To: it.to, Debtor: it.subject.stored(),
	}
	for _, r := range it.references {
		p.References = append(p.References, Reference{strings.TrimSpace(r.Name), strings.TrimSpace(r.Value)})
	}
	// On save: 157 without an accounting reference, 183 with too many details.
	if len(it.components) == 0 {
		dsr, ok := f.singleDSR(f.kind)
		if !ok {
			return Position{}, vDSR
		}
		p.Components = []Component{{Cents: p.Cents, Causale: p.Causale, DSR: dsr}}
		return p, verdict{}
	}
	for _, c := range it.components {
		dsr, ok := f.componentDSR(f.kind, c, true)
		if !ok {
			return Position{}, vDSR
		}
		c.DSR = dsr
		p.Components = append(p.Components, c)
	}
	if len(p.Components) > maxComponents {
		return Position{}, vTooMany
	}
	return p, verdict{}
}

//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
func checkInsertID(it item, _ itemFacts) verdict { return unless(!blank(it.id), vInsertNoID) }

//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
func checkCausale(it item, _ itemFacts) verdict { return unless(!blank(it.causale), vNoCausale) }

//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
func checkSubject(it item, _ itemFacts) verdict { return unless(it.subject != nil, vNoSubject) }

//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
func checkPerson(it item, _ itemFacts) verdict { return unless(!it.subject.neither, vNoPerson) }

// checkPhysical: 168, 169, then 163 unless ANONIMO (same file, 904-930).
//
//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
//parity:s9 SPORT/InserisciListaDiCarico.java:904-930
func checkPhysical(it item, _ itemFacts) verdict {
	switch s := it.subject; {
	case s.Company:
		return verdict{}
	case blank(s.Nome):
		return vNoNome
	case blank(s.Cognome):
		return vNoCognome
	default:
		return unless(*it.cents > 0 || s.anonymous(), vNotAboveZero)
	}
}

// checkCompany: 170, then 163 unless ANONIMO.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
//parity:s9 SPORT/InserisciListaDiCarico.java:904-930
func checkCompany(it item, _ itemFacts) verdict {
	switch s := it.subject; {
	case !s.Company:
		return verdict{}
	case blank(s.RagioneSociale):
		return vNoRagione
	default:
		return unless(*it.cents > 0 || s.anonymous(), vNotAboveZero)
	}
}

//parity:s6 SPORT/InserisciListaDiCarico.java:203 (verificaElementiObbligatori)
func checkCF(it item, _ itemFacts) verdict { return unless(!blank(it.subject.CF), vNoCF) }

// checkUnused: same file, 770-799: ids are taken for ever, in every state.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:770-799
//parity:s6 ES/integration/db/manager/PagamentoManager.java:206-218
func checkUnused(it item, f itemFacts) verdict {
	return unless(!f.used, vUsed(f.list.cf, f.list.code, strings.TrimSpace(it.id)))
}

// checkYearAndNumber: 191 and 192, one without the other.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:205 (verificaComponentiPagamento)
func checkYearAndNumber(it item, _ itemFacts) verdict {
	for _, c := range it.components {
		switch {
		case blank(c.Year) && !blank(c.Number):
			return vNoYear
		case !blank(c.Year) && blank(c.Number):
			return vNoNumber
		}
	}
	return verdict{}
}

// checkExpired: 187. The end is midnight, so today has already ended.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:206 (verificaValiditaPagamento)
func checkExpired(it item, f itemFacts) verdict {
	return unless(it.to.IsZero() || !it.to.Before(f.now), vExpired)
}

// checkEverActive: 188, the position ends before its type begins.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:206 (verificaValiditaPagamento)
func checkEverActive(it item, f itemFacts) verdict {
	return unless(it.to.IsZero() || f.kind.Start.IsZero() || !it.to.Before(f.kind.Start), vNeverActive)
}

// checkReferences: 193, only one of name and value.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:207 (verificaRiferimentiPagamento)
func checkReferences(it item, _ itemFacts) verdict {
	for _, r := range it.references {
		if blank(r.Name) != blank(r.Value) {
			return vReference
		}
	}
	return verdict{}
}

// checkReferencesOfKnown: 194 and 195, references are for ANONIMO alone.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:207 (verificaRiferimentiPagamento)
//parity:s9 SPORT/InserisciListaDiCarico.java:207 (verificaRiferimentiPagamento)
func checkReferencesOfKnown(it item, _ itemFacts) verdict {
	switch {
	case len(it.references) == 0 || it.subject.anonymous():
		return verdict{}
	case it.subject.Company:
		return vCompanyData
	default:
		return vPersonData
	}
}

// checkMultiAmounts: 189 of a position. The platform tells fourteen cases apart;
// here the two amounts must be there and make up the total (ours).
//
//parity:s6 SPORT/InserisciListaDiCarico.java:209-212 (verificaImportoSecondarioAltroEnte)
func checkMultiAmounts(it item, f itemFacts) verdict {
	if !f.kind.Multi {
		return verdict{}
	}
	return unless(it.main != nil && it.other != nil && *it.main+*it.other == *it.cents, vMultiAmounts)
}

// checkSum: 184, only when there are components.
//
//parity:s6 SPORT/InserisciListaDiCarico.java:214-226
func checkSum(it item, f itemFacts) verdict {
	if len(it.components) == 0 {
		return verdict{}
	}
	sum := sumOf(it.components)
	return unless(sum == *it.cents, vSum(f.list.cf, f.list.code, strings.TrimSpace(it.id), *it.cents, sum))
}

// checkColumns: 160, what does not fit its column; never after a strict schema.
//
//parity:s6 ES/integration/db/entities/EpayTPagamento.java:50-98
func checkColumns(it item, _ itemFacts) verdict {
	fits := func(s string, n int) bool { return utf8.RuneCountInString(s) <= n }
	fine := fits(it.id, 200) && fits(it.causale, maxCausale) && fits(it.note, 2000) && fits(it.rata, 35) && fits(it.subject.Nazione, 2)
	for _, r := range it.references {
		fine = fine && fits(r.Name, 70) && fits(r.Value, 70)
	}
	return unless(fine, vInsertFailed)
}

func sumOf(cs []Component) Cents {
	var sum Cents
	for _, c := range cs {
		sum += c.Cents
	}
	return sum
}

func unless(fine bool, v verdict) verdict {
	if fine {
		return verdict{}
	}
	return v
}
