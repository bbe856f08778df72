package ppaysim

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// A ko is what pagoPA tells the counter instead of an amount.
type ko struct {
	Code string `json:"code"`
	Text string `json:"detail"`
}

// dayOf is the civil day, as a number that sorts.
func dayOf(t time.Time) int {
	y, m, d := t.In(rome).Date()
	return (y*100+int(m))*100 + d
}

// payable decides whether a position can be paid now, in the platform's order
// (MDPS:1783-1890, verifichePagamentoModello3). DataScadenza plays no part.
//
//parity:s13 MDPS:1783-1890
//parity:s13 ES jpqlQueries.xml:300-309
func payable(p Position, t PaymentType, now time.Time) *ko {
	today := dayOf(now)
	switch {
	case p.State == Paid:
		return &ko{"PAA_PAGAMENTO_DUPLICATO", "Pagamento duplicato."}
	case p.Cents <= 0:
		return &ko{"PAA_SYSTEM_ERROR", fmt.Sprintf("IUV %s con importo minore o uguale a zero.", p.IUV)}
	case !p.To.IsZero() && dayOf(p.To) < today:
		return &ko{"PAA_PAGAMENTO_ANNULLATO", "Pagamento non piu' valido."}
	case p.State == Started || p.State == Waiting:
		return &ko{"PAA_PAGAMENTO_IN_CORSO", "Pagamento in corso."}
	case p.State == Void || p.State == Revoked:
		return &ko{"PAA_PAGAMENTO_ANNULLATO", "Pagamento annullato."}
	case p.State == Compiled:
		return &ko{"PAA_PAGAMENTO_IN_CORSO", "Pagamento in corso."}
	// EpayTPagamento.findByIuvAndActive, jpqlQueries.xml:300-309: both ends inclusive.
	case !p.From.IsZero() && dayOf(p.From) > today,
		!t.Start.IsZero() && dayOf(t.Start) > today,
		!t.End.IsZero() && dayOf(t.End) < today,
		!states[p.State].payable:
		return &ko{"PAA_PAGAMENTO_SCADUTO", "Pagamento scaduto o non ancora attivo."}
	}
	return nil
}

var (
	koUnknown = &ko{"PAA_PAGAMENTO_SCONOSCIUTO", "Pagamento sconosciuto."}
	koAmount  = &ko{"PAA_ATTIVA_RPT_IMPORTO_NON_VALIDO", "Importo diverso da quello dovuto."} // MDPS:1279
)

// A receipt is what somebody at a counter does.
type receipt struct {
	Avviso string   `json:"avviso"`
	IUV    string   `json:"iuv"`
	Cents  *Cents   `json:"cents"` // nil: what is due
	IUR    string   `json:"iur"`   // "": drawn
	Payer  *Subject `json:"payer"` // nil: unknown
	Force  bool     `json:"force"` // money came although the platform would have refused it

	Negative bool `json:"negative"` // of an RT: nothing was paid
	Kind     int  `json:"kind"`     // of a revocation: TipoRevoca
}

// find returns the position of an IUV or a codice avviso, and its type.
func find(t tx, avviso, iuv string) (k []byte, p Position, pt PaymentType, err error) {
	if iuv == "" {
		iuv = strings.TrimPrefix(strings.ReplaceAll(avviso, " ", ""), "3")
	}
	if iuv == "" {
		return nil, p, pt, nil
	}
	at := t.in(bIUVs).Get([]byte(iuv))
	if at == nil {
		return nil, p, pt, nil
	}
	k = append(k, at...)
	p, found, err := get[Position](t, bPositions, k)
	if err != nil || !found {
		return nil, p, pt, err
	}
	c, _, err := get[Creditor](t, bCreditors, []byte(p.CF))
	pt, _ = c.paymentType(p.Type)
	return k, p, pt, err
}

// verify is verificaDatiPagamento: it changes nothing.
//
//parity:s13 MDPS:696
func (s *Sim) verify(t tx, r receipt) (Position, *ko, error) {
	k, p, pt, err := find(t, r.Avviso, r.IUV)
	if err != nil || k == nil {
		return p, koUnknown, err
	}
	now, err := s.platformNow(t)
	return p, payable(p, pt, now), err
}

// start is chiediDatiPagamento: the payer has begun, and nobody may change the
// position until settle or abandon.
//
//parity:s12 MDPS:882
func (s *Sim) start(t tx, r receipt) (Position, *ko, error) {
	p, no, err := s.verify(t, r)
	if err != nil || no != nil {
		return p, no, err
	}
	p.State = Started
	return p, nil, put(t, bPositions, key(p.CF, p.Type, p.ID), p)
}

// abandon ends what start began without a payment
// (JOB/SbloccoPosizioniDebitorie.java).
//
//parity:s12 JOB/SbloccoPosizioniDebitorie.java (transient 177)
func (s *Sim) abandon(t tx, r receipt) (Position, *ko, error) {
	k, p, _, err := find(t, r.Avviso, r.IUV)
	if err != nil || k == nil {
		return p, koUnknown, err
	}
	if p.State != Started {
		return p, &ko{"NOT_IN_PROGRESS", "No payment is in progress."}, nil
	}
	p.State = ToPay
	return p, nil, put(t, bPositions, k, p)
}

// settle pays what start began, or the whole at once. A second payment has an
// IUR of its own, and an amount can be another than is due: costs come on top.
//
//parity:s13 MDPS:882
//parity:s15 JOB/TrasmettiNotifichePagamento.java:212-249
func (s *Sim) settle(t tx, r receipt) (Position, Payment, *ko, error) {
	p, no, err := s.verify(t, r)
	if err != nil || p.IUV == "" {
		return p, Payment{}, no, err
	}
	if no != nil && p.State != Started && !r.Force {
		return p, Payment{}, no, nil
	}
	now, err := s.platformNow(t)
	if err != nil {
		return p, Payment{}, nil, err
	}
	pay := Payment{IUR: r.IUR, Cents: p.Cents, At: now, Payer: r.Payer}
	if r.Cents != nil {
		pay.Cents = *r.Cents
	}
	if pay.Cents != p.Cents && !r.Force {
		return p, Payment{}, koAmount, nil
	}
	if pay.IUR == "" {
		if pay.IUR, err = s.drawIUR(now); err != nil {
			return p, Payment{}, nil, err
		}
	}
	for _, other := range p.Payments {
		if other.IUR == pay.IUR {
			return p, Payment{}, &ko{"IUR_USED", "The position has a payment with this IUR."}, nil
		}
	}
	if r.Cents == nil && s.spend(func(x *Settings) *int { return &x.PayOtherNext }) {
		pay.Cents += otherAmount
	}
	p.State = Paid
	p.Payments = append(p.Payments, pay)
	if s.spend(func(x *Settings) *int { return &x.PayTwiceNext }) {
		again := pay
		if again.IUR, err = s.drawIUR(now); err != nil {
			return p, Payment{}, nil, err
		}
		p.Payments = append(p.Payments, again)
		if err := t.in(bUntold).Put(key(p.CF, p.Type, p.IUV, again.IUR), []byte("{}")); err != nil {
			return p, Payment{}, nil, err
		}
	}
	if err := put(t, bPositions, key(p.CF, p.Type, p.ID), p); err != nil {
		return p, Payment{}, nil, err
	}
	return p, pay, nil, t.in(bUntold).Put(key(p.CF, p.Type, p.IUV, pay.IUR), []byte("{}"))
}

// drawIUR makes a reference of a payment.
func (s *Sim) drawIUR(now time.Time) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return now.In(rome).Format("20060102") + strings.ToUpper(hex.EncodeToString(b[:])), nil
}
