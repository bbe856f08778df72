package flussi

import (
	"preavviso/internal/multe"
)

// Match says how a line of a flow and a payment fit. The strings are shown by the
// API and the export, and never change meaning.
type Match string

const (
	MatchOther   Match = "other"   // of an IUV that is none of ours
	Matched      Match = "matched" // notified and accounted for, to the cent
	MatchAmount  Match = "amount"  // the amounts differ
	MatchUnknown Match = "unknown" // in a flow, never notified
	MatchRevoked Match = "revoked" // the money went back
	MatchNoRPT   Match = "no_rpt"  // paid although nobody had asked the platform

	// Of payments that no line is about.
	MatchWaiting Match = "waiting" // the flow may still come
	MatchNoFlow  Match = "no_flow" // it should have come
)

// ledger is all that is known about one IUV.
type ledger struct {
	lines    []multe.FlussoLine // in force
	payments []multe.Payment
	code     multe.Code // zero if the IUV is none of ours
	ours     bool
}

// fits reports whether a line is about a payment. The receipt tells; where
// either lacks it, the amount must do.
func fits(l multe.FlussoLine, p multe.Payment) bool {
	return l.IUR == p.IUR || (l.IUR == "" || p.IUR == "") && l.Cents == p.Cents
}

// payment returns the payment that a line is about.
func (g ledger) payment(l multe.FlussoLine) (multe.Payment, bool) {
	for _, p := range g.payments {
		if l.IUR != "" && l.IUR == p.IUR {
			return p, true
		}
	}
	for _, p := range g.payments {
		if fits(l, p) {
			return p, true
		}
	}
	return multe.Payment{}, false
}

// about returns the lines that are about a payment, and their sum. A receipt of
// several payments has several, and a payment told by two flows has too.
func (g ledger) about(p multe.Payment) (lines []multe.FlussoLine, sum multe.Cents) {
	for _, l := range g.lines {
		if l.Outcome == multe.FlussoRevoked {
			continue
		}
		if q, ok := g.payment(l); ok && q.IUR == p.IUR {
			lines, sum = append(lines, l), sum+l.Cents
		}
	}
	return lines, sum
}

// match judges one line.
func (g ledger) match(l multe.FlussoLine) Match {
	switch {
	case !g.ours:
		return MatchOther
	case l.Outcome == multe.FlussoRevoked:
		return MatchRevoked
	case l.Outcome == multe.FlussoNoRPT:
		return MatchNoRPT
	}
	p, ok := g.payment(l)
	if !ok {
		return MatchUnknown
	}
	if _, sum := g.about(p); sum != p.Cents {
		return MatchAmount
	}
	return Matched
}

// troubles returns what is wrong about the IUV, by kind of discrepancy.
func (g ledger) troubles() map[string]bool {
	wrong := map[string]bool{}
	if !g.ours {
		return wrong
	}
	for _, l := range g.lines {
		p, notified := g.payment(l)
		switch {
		case l.Outcome == multe.FlussoRevoked:
			wrong[kindRevoked] = true
		case !notified && l.Outcome == multe.FlussoNoRPT:
			wrong[kindNoRPT] = true
		case !notified:
			wrong[kindUnknown] = true
		default:
			if _, sum := g.about(p); sum != p.Cents {
				wrong[kindAmount] = true
			}
		}
	}
	return wrong
}

// covered reports whether every payment is in a flow.
func (g ledger) covered() bool {
	for _, p := range g.payments {
		if lines, _ := g.about(p); len(lines) == 0 {
			return false
		}
	}
	return true
}
