package ppaysim

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// What the platform sends seldom, sent when asked: receipts, revocations and
// expired notices.

// nsRT is the namespace of pagoPA's receipt 6.2.
const nsRT = "http://www.digitpa.gov.it/schemas/2011/Pagamenti/"

// receiptMessage is one TrasmettiRT: one receipt, its Id that of the message,
// tried once. A negative one says that nothing was paid.
//
//parity:s17 MDPS:604-690
func receiptMessage(p Position, pay Payment, negative bool, now time.Time) Delivery {
	const name = "TrasmettiRT"
	id := fmt.Sprintf("TRT%s%07d", p.IUV, now.UnixMilli()%10_000_000)
	body := envelope(func(w *writer) {
		w.wrap("n:"+name+"Request", func() {
			w.wrap("n:Testata", func() {
				w.leaf("n:IdMessaggio", id)
				w.leaf("n:CFEnteCreditore", p.CF)
				w.leaf("n:CodiceVersamento", p.Type)
				w.leaf("n:NumeroRT", "1")
			})
			w.wrap("n:CorpoRT", func() {
				w.wrap("n:ElencoRT", func() {
					w.wrap("n:RT", func() {
						w.leaf("n:Id", id)
						w.leaf("n:XML", base64.StdEncoding.EncodeToString(receiptXML(p, pay, negative, now)))
					})
				})
			})
		})
	})
	return Delivery{Operation: name, ID: id, Body: string(body), Once: true}
}

// receiptXML has the shape of pagoPA's receipt 6.2, and invented data where the
// platform's would be a bank's.
//
//parity:s17 ours: the platform passes on what pagoPA sent (RT 6.2, SANP 2.x)
func receiptXML(p Position, pay Payment, negative bool, now time.Time) []byte {
	w := &writer{}
	w.b.WriteString(xml.Header)
	party := func(name, kind, code, title string, s Subject) {
		w.wrap(name, func() {
			w.wrap("identificativoUnivoco"+title, func() {
				w.leaf("tipoIdentificativoUnivoco", kind)
				w.leaf("codiceIdentificativoUnivoco", code)
			})
			if s.CF == "" {
				return
			}
			who := strings.TrimSpace(s.Nome + " " + s.Cognome)
			if s.Company {
				who = s.RagioneSociale
			}
			w.leaf("anagrafica"+title, cut(who, 70))
		})
	}
	person := func(s Subject) string {
		if s.Company {
			return "G"
		}
		return "F"
	}
	outcome, paid := "0", pay.Cents
	if negative {
		outcome, paid = "1", 0
	}
	moment := now.In(rome).Format("2006-01-02T15:04:05")
	w.open(`RT xmlns="`+nsRT+`"`, "RT", func() {
		w.leaf("versioneOggetto", "6.2")
		w.wrap("dominio", func() {
			w.leaf("identificativoDominio", p.CF)
			w.leaf("identificativoStazioneRichiedente", p.CF+"_01")
		})
		w.leaf("identificativoMessaggioRicevuta", "RT"+p.IUV)
		w.leaf("dataOraMessaggioRicevuta", moment)
		w.leaf("riferimentoMessaggioRichiesta", "RPT"+p.IUV)
		w.leaf("riferimentoDataRichiesta", now.In(rome).Format(time.DateOnly))
		w.wrap("istitutoAttestante", func() {
			w.wrap("identificativoUnivocoAttestante", func() {
				w.leaf("tipoIdentificativoUnivoco", "B")
				w.leaf("codiceIdentificativoUnivoco", psp)
			})
			w.leaf("denominazioneAttestante", pspName)
		})
		w.wrap("enteBeneficiario", func() {
			w.wrap("identificativoUnivocoBeneficiario", func() {
				w.leaf("tipoIdentificativoUnivoco", "G")
				w.leaf("codiceIdentificativoUnivoco", p.CF)
			})
			w.leaf("denominazioneBeneficiario", "ENTE "+p.CF)
		})
		if pay.Payer != nil {
			party("soggettoVersante", person(*pay.Payer), pay.Payer.CF, "Versante", *pay.Payer)
		}
		party("soggettoPagatore", person(p.Debtor), p.Debtor.CF, "Pagatore", p.Debtor)
		w.wrap("datiPagamento", func() {
			w.leaf("codiceEsitoPagamento", outcome)
			w.leaf("importoTotalePagato", paid.Decimal())
			w.leaf("identificativoUnivocoVersamento", p.IUV)
			w.leaf("CodiceContestoPagamento", "n/a")
			w.wrap("datiSingoloPagamento", func() {
				w.leaf("singoloImportoPagato", paid.Decimal())
				if negative {
					w.leaf("esitoSingoloPagamento", "Pagamento non eseguito")
				} else {
					w.leaf("esitoSingoloPagamento", "Pagamento effettuato")
				}
				w.leaf("dataEsitoSingoloPagamento", now.In(rome).Format(time.DateOnly))
				iur := pay.IUR
				if iur == "" {
					iur = "n/a"
				}
				w.leaf("identificativoUnivocoRiscossione", iur)
				w.leaf("causaleVersamento", cut("/RFB/"+p.IUV+"/"+paid.Decimal()+"/TXT/"+p.Causale, maxCausale))
				w.leaf("datiSpecificiRiscossione", p.dsr())
			})
		})
	})
	return w.b.Bytes()
}

// revocation is one TrasmettiRichiesteDiRevoca as the job makes it: without the
// response that the schema demands, with bytes 0 to 10 for its XML, and with the
// context of the payment where the codice versamento belongs. kind is TipoRevoca,
// which may be 0 though the schema begins at 1.
//
//parity:s17 JOB/TrasmettiRichiesteDiRevoca.java:198-311
func revocation(id string, p Position, pay Payment, kind string, now time.Time) Delivery {
	const name = "TrasmettiRichiesteDiRevoca"
	placeholder := make([]byte, 11)
	for i := range placeholder {
		placeholder[i] = byte(i)
	}
	body := envelope(func(w *writer) {
		w.wrap("n:"+name+"Request", func() {
			w.wrap("n:Testata", func() {
				w.leaf("n:IdMessaggio", id)
				w.leaf("n:CFEnteCreditore", p.CF)
				w.leaf("n:CodiceVersamento", "n/a-CONTESTO")
				w.leaf("n:NumeroPagamenti", "1")
				w.leaf("n:ImportoTotalePagamenti", pay.Cents.Decimal())
			})
			w.wrap("n:CorpoRichiesteDiRevoca", func() {
				w.wrap("n:ElencoRichiesteDiRevoca", func() {
					w.wrap("n:RichiestaDiRevoca", func() {
						w.leaf("n:IdentificativoDominio", p.CF)
						w.leaf("n:ApplicationId", "PROVA")
						w.leaf("n:IdentificativoMessaggioRevoca", "RR"+p.IUV)
						w.leaf("n:DataOraMessaggioRevoca", now.In(rome).Format("2006-01-02T15:04:05"))
						w.subject("n:IstitutoAttestante", Subject{Company: true, RagioneSociale: pspName, CF: psp})
						w.leaf("n:ImportoPagato", pay.Cents.Decimal())
						w.leaf("n:IUV", p.IUV)
						w.leaf("n:CodiceContestoPagamento", "n/a")
						w.leaf("n:TipoRevoca", kind)
						w.leaf("n:XML", base64.StdEncoding.EncodeToString(placeholder))
						w.wrap("n:ListaDatiSingolaRevoca", func() {
							w.wrap("n:DatiSingolaRevoca", func() {
								w.leaf("n:SingoloImportoRevocato", pay.Cents.Decimal())
								w.leaf("n:IUR", pay.IUR)
								w.leaf("n:Causale", "Storno richiesto dal PSP")
								w.leaf("n:DatiAggiuntivi", "-")
							})
						})
					})
				})
			})
		})
	})
	return Delivery{Operation: name, ID: id, Body: string(body)}
}

// expiredNotices is one TrasmettiAvvisiScaduti.
//
//parity:s17 ours: the published code has no producer; the shape is EPaywso2EntiServiceTypes.xsd's
func expiredNotices(id, cf, code string, ps []Position) Delivery {
	const name = "TrasmettiAvvisiScaduti"
	var total Cents
	for _, p := range ps {
		total += p.Cents
	}
	body := envelope(func(w *writer) {
		w.wrap("n:"+name+"Request", func() {
			w.wrap("n:Testata", func() {
				w.leaf("n:IdMessaggio", id)
				w.leaf("n:CFEnteCreditore", cf)
				w.leaf("n:CodiceVersamento", code)
				w.leaf("n:NumeroAvvisiScaduti", fmt.Sprint(len(ps)))
				w.leaf("n:ImportoTotaleAvvisiScaduti", total.Decimal())
			})
			w.wrap("n:CorpoAvvisiScaduti", func() {
				w.wrap("n:ElencoAvvisiScaduti", func() {
					for _, p := range ps {
						w.wrap("n:AvvisoScaduto", func() {
							w.leaf("n:IUV", p.IUV)
							w.leaf("n:DataScadenza", p.Due.In(rome).Format(zonedDate))
							w.leaf("n:Importo", p.Cents.Decimal())
						})
					}
				})
			})
		})
	})
	return Delivery{Operation: name, ID: id, Body: string(body)}
}

// messageID is a prefix and 32 hexadecimal digits: 35 characters in all.
func (s *Sim) messageID(prefix string) (string, error) {
	var random [16]byte
	if _, err := io.ReadFull(s.random, random[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return prefix + hex.EncodeToString(random[:]), nil
}

var koNotPaid = &ko{"NOT_PAID", "The position has no payment."}

// sendReceipt sends the receipt of the last payment, or a negative one.
//
//parity:s17 MDPS:441
func (s *Sim) sendReceipt(t tx, r receipt, negative bool) (Position, *ko, error) {
	k, p, _, err := find(t, r.Avviso, r.IUV)
	if err != nil || k == nil {
		return p, koUnknown, err
	}
	var pay Payment
	if n := len(p.Payments); n > 0 && !negative {
		pay = p.Payments[n-1]
	} else if !negative {
		return p, koNotPaid, nil
	}
	now, err := s.platformNow(t)
	if err != nil {
		return p, nil, err
	}
	return p, nil, s.enqueue(t, p.CF, receiptMessage(p, pay, negative, now))
}

// revoke takes the last payment back: the position is REVOCATO (ours, as no
// published code sets that state) and the creditor is told.
//
//parity:s17 JOB/TrasmettiRichiesteDiRevoca.java:198-311
func (s *Sim) revoke(t tx, r receipt, kind string) (Position, *ko, error) {
	k, p, _, err := find(t, r.Avviso, r.IUV)
	if err != nil || k == nil {
		return p, koUnknown, err
	}
	if p.State != Paid {
		return p, koNotPaid, nil
	}
	now, err := s.platformNow(t)
	if err != nil {
		return p, nil, err
	}
	id, err := s.messageID("RRV")
	if err != nil {
		return p, nil, err
	}
	p.State = Revoked
	if err := put(t, bPositions, k, p); err != nil {
		return p, nil, err
	}
	return p, nil, s.enqueue(t, p.CF, revocation(id, p, p.Payments[len(p.Payments)-1], kind, now))
}

// sendExpired tells what is unpaid and past its DataScadenza, one message for
// each codice versamento and 50 notices, every time it is asked.
//
//parity:s17 ours: on demand, as nobody produces them
func (s *Sim) sendExpired(t tx) (messages int, err error) {
	now, err := s.platformNow(t)
	if err != nil {
		return 0, err
	}
	var due []Position
	send := func() error {
		if len(due) == 0 {
			return nil
		}
		id, err := s.messageID("TAS")
		if err != nil {
			return err
		}
		cf, d := due[0].CF, expiredNotices(id, due[0].CF, due[0].Type, due)
		due, messages = nil, messages+1
		return s.enqueue(t, cf, d)
	}
	err = scan(t, bPositions, nil, nil, func(_ []byte, p Position) (bool, error) {
		if p.Due.IsZero() || dayOf(p.Due) >= dayOf(now) || p.Cents <= 0 || !states[p.State].payable {
			return true, nil
		}
		if n := len(due); n == notifyBatch || n > 0 && (due[0].CF != p.CF || due[0].Type != p.Type) {
			if err := send(); err != nil {
				return false, err
			}
		}
		due = append(due, p)
		return true, nil
	})
	if err != nil {
		return messages, err
	}
	return messages, send()
}
