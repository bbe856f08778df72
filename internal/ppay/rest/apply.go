package rest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// Apply tells the platform at once what change ch wants of the position with
// number n, of creditor cr, and returns the platform's code. It is for the debtor
// policy "rest": ch activates or updates, as by SOAP, and may bring a debtor
// while the amount is set. Of the debtor's address this interface takes nothing.
//
// It may be repeated, also after an unknown outcome: if the platform answers that
// a debtor is there already (218) and it is ours, the rest is sent without them.
//
// The error says what is known:
//
//	nil                 done, whole
//	*multe.Refusal      not done; Verdict Paid or Voided where the status of the
//	                    position says so, Refused (218: another debtor), Fix (a
//	                    payment may be in progress: try again, slowly), Unknown
//	                    (100: send it again), Later
//	multe.ErrNotSent    nothing left this machine; also fault.Unavailable
//	fault.Invalid       cannot be sent as it is
//	fault.Unavailable   nobody knows (ppay.unknown_outcome): send it again; or
//	                    ppay.auth: nothing was done
func (c *Client) Apply(ctx context.Context, cr multe.Creditor, n avviso.Number, ch multe.Change) (code string, err error) {
	if ch.Creditor != cr.ID || ch.Kind != multe.ChangeActivate && ch.Kind != multe.ChangeUpdate {
		return "", cannotSend(fmt.Errorf("un cambiamento di tipo %q, o di un altro ente", ch.Kind))
	}
	typ, iuv, u := cr.CodiceVersamento, n.IUV(), updateOf(ch.Want)
	err = c.Update(ctx, cr.ID, typ, iuv, u)
	if codeOf(err) == "218" && ch.Want.Debtor != nil {
		data, readErr := c.PaymentData(ctx, cr.ID, typ, iuv)
		switch {
		case unheard(readErr):
			return "", readErr
		case readErr == nil && sameCF(data.CF, ch.Want.Debtor.CF):
			u.Payer = Payer{}
			err = c.Update(ctx, cr.ID, typ, iuv, u)
		}
	}
	if codeOf(err) == "300" {
		s, readErr := c.Status(ctx, cr.ID, typ, iuv)
		if unheard(readErr) {
			return "", readErr
		}
		err = refine(err, s.State)
	}
	if err != nil {
		return codeOf(err), err
	}
	return "000", nil
}

// codeOf is the code of a refusal, or "".
func codeOf(err error) string {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Code
	}
	return ""
}

// unheard reports whether a question was not answered and may be another time. A
// caller who may not ask it never will be.
func unheard(err error) bool {
	return err != nil && codeOf(err) == "" && fault.Of(err).Code != "ppay.auth"
}

// refine makes of a refusal that says nothing what the status of the position
// says.
func refine(err error, s State) error {
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		return err
	}
	refined := *r
	switch s {
	case StatePaid:
		refined.Verdict = multe.VerdictPaid
	case StateVoid:
		refined.Verdict = multe.VerdictVoided
	}
	return &refined
}

func sameCF(a, b multe.CF) bool {
	return strings.EqualFold(strings.TrimSpace(string(a)), strings.TrimSpace(string(b)))
}

func updateOf(w multe.Desired) Update {
	cents := Cents(w.Cents)
	u := Update{Cents: &cents, Causale: string(w.Causale), Reason: w.Reason, To: Date(w.ValidTo)}
	for _, r := range w.References {
		u.References = append(u.References, Reference(r))
	}
	if d := w.Debtor; d != nil {
		u.Payer = Payer{CF: d.CF, Surname: d.Surname, Name: d.Name, Company: d.Company, Email: d.Email}
	}
	return u
}

// Match says whether a position has the identifier it was thought to have.
type Match string

const (
	MatchYes     Match = "yes"
	MatchNo      Match = "no"
	MatchUnclear Match = "unclear"
)

// Rescued is what the platform says of a code avviso that never reached us.
type Rescued struct {
	Number    avviso.Number
	Cents     Cents
	State     State
	Anonymous bool // nobody has set a debtor: as a code in advance should be
	Causale   string
	Match     Match
}

// Rescue looks at a IUV that a person read on the portal beside position p, whose
// outcome got lost (161).
//
// It proves that the IUV is of creditor o and type typ, its number, its amount, its
// state, and that the debtor is still ANONIMO. It does not read the identifier of
// the position, which no call of the interface returns. It can only ask for a
// receipt by it: a platform that knows the IUV by another identifier refuses
// before it looks for the receipt (MatchNo), and names the state of the position
// once the identifier was right (MatchYes). For a position without payment it is
// expected to fail in between, and the answer is MatchUnclear. Whoever has several
// lost positions asks for each: when all but one are MatchNo, it is that one.
func (c *Client) Rescue(ctx context.Context, o multe.CreditorID, typ, iuv string, p multe.PositionID) (Rescued, error) {
	data, err := c.PaymentData(ctx, o, typ, iuv)
	if err != nil {
		return Rescued{}, fmt.Errorf("reading the position: %w", err)
	}
	n, err := avviso.ParseNumber(data.Avviso)
	if err != nil || n.IUV() != iuv || data.IUV != iuv || data.Creditor != o || data.Cents == nil {
		return Rescued{}, fault.Wrap(fault.Conflict, "ppay.other_position", "PiemontePAY ha risposto con i dati di un'altra posizione, o senza importo.", err)
	}
	s, err := c.Status(ctx, o, typ, iuv)
	if err != nil {
		return Rescued{}, fmt.Errorf("reading the status: %w", err)
	}
	r, err := c.Receipt(ctx, ReceiptRequest{ID: p, CF: data.CF, IUV: iuv, Format: "PDF", Creditor: o})
	if err != nil && codeOf(err) == "" {
		return Rescued{}, fmt.Errorf("asking for a receipt: %w", err)
	}
	return Rescued{Number: n, Cents: *data.Cents, State: s.State, Anonymous: data.CF == anonymous, Causale: data.Causale, Match: match(r, codeOf(err))}, nil
}

// anonymous is the tax code of nobody (piemontepay.md §2.2).
const anonymous multe.CF = "ANONIMO"

// match reads the answer to a request for a receipt: its code, "" if there is a
// receipt (ChiamataEsternaSincronaSplitBean.java:720-883, in its order).
func match(r Receipt, code string) Match {
	switch {
	case code == "" || r.State != "":
		return MatchYes
	case code == "300":
		return MatchNo
	default:
		return MatchUnclear
	}
}
