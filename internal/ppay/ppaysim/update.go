package ppaysim

import (
	"slices"
	"strings"

	"preavviso/internal/avviso"
)

// updatePosition decides about one position of an update. p is nil when there is
// none of that id. It returns the position as it is to be stored, and whether
// anything in it changed: a failed update can have been written in part.
//
// Source: SPORT/AggiornaPosizioniDebitorie.java:115-431, in its order.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:115-431
func updatePosition(p *Position, it item, f itemFacts) (Position, bool, verdict) {
	var old Position
	if p != nil {
		old = *p
	}
	for _, r := range []func() verdict{
		func() verdict { return unless(!blank(it.id), vUpdateNoID) }, // l.1000-1004
		func() verdict { return unless(!blank(it.kind), vNoKind) },
		func() verdict { return unless(it.kind == kindEdit || it.kind == kindVoid, vUnknownKind) },
		func() verdict { return unless(p != nil, vNotFound(f.list.cf, f.list.code, strings.TrimSpace(it.id))) },
	} {
		if v := r(); v.bad() {
			return old, false, v
		}
	}
	if it.kind == kindVoid {
		return voidPosition(old, it)
	}
	for _, r := range editRules {
		if v := r(old, it, f); v.bad() {
			return old, false, v
		}
	}
	return edit(old, it, f)
}

// voidPosition looks at the state alone and wipes the note when no reason is
// given (l.197-210).
//
//parity:s11 SPORT/AggiornaPosizioniDebitorie.java:197-210
func voidPosition(p Position, it item) (Position, bool, verdict) {
	if v := checkState(p, it, itemFacts{}); v.bad() {
		return p, false, v
	}
	p.Note, p.State = it.note, Void
	return p, true, verdict{}
}

type editRule func(Position, item, itemFacts) verdict

// editRules are the checks of a MODIFICA. The state comes after the dates and
// the debtor, so a paid position can answer 187, 196 or 218.
var editRules = []editRule{
	checkDates, checkEditComponents, checkEditReferences, checkStillValid, checkEditEverActive,
	checkDebtorAnonymous, checkDebtorAmount, checkDebtorData, checkState, checkAmount, checkEditSum,
}

// effective is the date sent, or else the one stored.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:1027-1039
func effective(p Position, it item) Position {
	if !it.from.IsZero() {
		p.From = it.from
	}
	if !it.to.IsZero() {
		p.To = it.to
	}
	if !it.due.IsZero() {
		p.Due = it.due
	}
	return p
}

// checkDates: 185, the effective end before the effective start.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:115-431 (verificaValiditaPagamento)
func checkDates(p Position, it item, f itemFacts) verdict {
	e := effective(p, it)
	return unless(e.To.IsZero() || e.From.IsZero() || !e.To.Before(e.From), vDates(f.list.cf, f.list.code, p.ID))
}

//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:115-431 (verificaComponentiPagamento)
func checkEditComponents(_ Position, it item, f itemFacts) verdict { return checkYearAndNumber(it, f) }

// checkEditReferences: 193. Nothing asks for ANONIMO here (l.230-242).
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:230-242
func checkEditReferences(_ Position, it item, f itemFacts) verdict { return checkReferences(it, f) }

// checkStillValid: 187. The last day of validity has passed at its midnight.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:115-431 (verificaValiditaPagamento)
func checkStillValid(p Position, it item, f itemFacts) verdict {
	e := effective(p, it)
	return unless(e.To.IsZero() || !e.To.Before(f.now), vExpired)
}

// checkEditEverActive: 188, and again if the type has an end and the position
// starts after the type's start (sic).
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:115-431 (verificaValiditaPagamento)
func checkEditEverActive(p Position, it item, f itemFacts) verdict {
	e, start := effective(p, it), f.kind.Start
	if start.IsZero() {
		return verdict{}
	}
	before := !e.To.IsZero() && e.To.Before(start)
	odd := !f.kind.End.IsZero() && e.From.After(start)
	return unless(!before && !odd, vNeverActive)
}

// checkDebtorAnonymous: 218, verificaAnagrafica l.446-477. A stored company has
// neither Cognome nor Nome, so an ANONIMO company never gets a debtor.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:446-477
//parity:s9 SPORT/AggiornaPosizioniDebitorie.java:446-477
func checkDebtorAnonymous(p Position, it item, _ itemFacts) verdict {
	d := p.Debtor
	return unless(it.subject == nil || d.CF == avviso.Anonymous && d.Cognome == avviso.Anonymous && d.Nome == avviso.Anonymous, vNotAnonymous)
}

// checkDebtorAmount: 196, the same, of the amount stored and not the one sent.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:446-477
func checkDebtorAmount(p Position, it item, _ itemFacts) verdict {
	return unless(it.subject == nil || p.Cents == 0, vAmountNotNil)
}

// checkDebtorData: 168, 169, 170, 167, the same.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:446-477
func checkDebtorData(_ Position, it item, _ itemFacts) verdict {
	switch s := it.subject; {
	case s == nil:
		return verdict{}
	case !s.Company && blank(s.Nome):
		return vNoNome
	case !s.Company && blank(s.Cognome):
		return vNoCognome
	case s.Company && blank(s.RagioneSociale):
		return vNoRagione
	default:
		return unless(!blank(s.CF), vNoCF)
	}
}

// checkState: l.188-189, 528-550.
//
//parity:s12 SPORT/AggiornaPosizioniDebitorie.java:528-550
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:188-189
//parity:s11 SPORT/AggiornaPosizioniDebitorie.java:188-189
func checkState(p Position, _ item, _ itemFacts) verdict {
	switch p.State {
	case Waiting, Initialised, Started:
		return vInProgress
	case Paid:
		return vPaid
	case Void:
		return vVoided
	default:
		return unless(states[p.State].editable, vNotEditable(p.ID))
	}
}

// checkAmount: verificaTotaliImportoPagamento l.909-972 follows a null: 175. No
// amount is too small, 0.00 included.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:909-972
func checkAmount(_ Position, it item, _ itemFacts) verdict {
	return unless(it.cents != nil, vUpdateFailed)
}

// checkEditSum: 184, the same.
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:909-972
func checkEditSum(p Position, it item, f itemFacts) verdict {
	if len(it.components) == 0 {
		return verdict{}
	}
	sum := sumOf(it.components)
	return unless(sum == *it.cents, vSum(f.list.cf, f.list.code, p.ID, *it.cents, sum))
}

// edit writes in the platform's order (l.211-300). Nothing is rolled back when a
// component fails (catch l.365-385): causale, note and references stay written.
// The debtor's place in that order was not read; here it is after the
// components (ours).
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:211-300
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:365-385
//parity:s10 ES/integration/db/manager/PagamentoManager.java:583-586
func edit(p Position, it item, f itemFacts) (Position, bool, verdict) {
	p.References, p.Components = slices.Clone(p.References), slices.Clone(p.Components)
	written := false
	if !blank(it.causale) { // l.222-224
		p.Causale, written = cut(strings.TrimSpace(it.causale), maxCausale), true
	}
	if it.note != "" { // l.226-228
		p.Note, written = it.note, true
	}
	if len(it.references) > 0 { // l.230-242: all deleted, then inserted
		p.References, written = slices.Clone(it.references), true
	}
	components, v := editComponents(p, it, f)
	if v.bad() {
		return p, written, v
	}
	p.Components, p.Cents = components, *it.cents
	if it.subject != nil { // l.481-523: a new anagrafica, whose tax code keeps its case
		p.Debtor = *it.subject
	}
	return effective(p, it), true, verdict{} // l.288-291: a date cannot be cleared
}

// editComponents: with components, each needs its reference, and any failure is
// 175 and not 157 (l.252-273, 1129-1170). Without, a single stored one follows
// the total, several keep their amounts though they no longer sum up, and none
// becomes a default one (l.274-286).
//
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:252-286
//parity:s10 SPORT/AggiornaPosizioniDebitorie.java:1129-1170
func editComponents(p Position, it item, f itemFacts) ([]Component, verdict) {
	if len(it.components) > 0 {
		out := slices.Clone(it.components)
		for i := range out {
			dsr, ok := f.componentDSR(f.kind, out[i], false)
			if !ok {
				return nil, vUpdateFailed
			}
			out[i].DSR = dsr
		}
		return out, verdict{}
	}
	switch out := slices.Clone(p.Components); len(out) {
	case 0:
		dsr, ok := f.singleDSR(f.kind)
		if !ok {
			return nil, vDSR
		}
		return []Component{{Cents: *it.cents, Causale: p.Causale, DSR: dsr}}, verdict{}
	case 1:
		out[0].Cents = *it.cents
		return out, verdict{}
	default:
		return out, verdict{}
	}
}
