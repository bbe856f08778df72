package ppaysim

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// A writer writes the body of an envelope. Elements carry the prefix of their
// namespace: c common, n callback, s SOAP.
type writer struct{ b bytes.Buffer }

// wrap writes an element around what f writes.
func (w *writer) wrap(name string, f func()) {
	w.open(name, name, f)
}

// leaf writes an element with a text, or nothing: an empty text is invalid
// everywhere in this contract.
func (w *writer) leaf(name, text string) {
	if text == "" {
		return
	}
	w.wrap(name, func() { _ = xml.EscapeText(&w.b, []byte(text)) }) // a Buffer never fails
}

// open is wrap for a start tag that has attributes.
func (w *writer) open(start, name string, f func()) {
	fmt.Fprintf(&w.b, "<%s>", start)
	f()
	fmt.Fprintf(&w.b, "</%s>", name)
}

func (w *writer) result(v verdict) {
	w.wrap("c:Result", func() {
		w.leaf("c:Codice", v.Code)
		w.leaf("c:Messaggio", abbreviate(v.Text, maxText))
	})
}

// envelope wraps what f writes in a SOAP 1.1 envelope.
func envelope(f func(*writer)) []byte {
	w := &writer{}
	w.b.WriteString(xml.Header + `<s:Envelope xmlns:s="` + nsSOAP + `" xmlns:c="` + nsCommon + `" xmlns:n="` + nsCallback + `">`)
	w.wrap("s:Body", func() { f(w) })
	w.b.WriteString("</s:Envelope>")
	return w.b.Bytes()
}

// response is the answer to every operation of both services.
func response(v verdict) []byte {
	return envelope(func(w *writer) {
		w.wrap("c:EPaywsoServiceResponse", func() { w.result(v) })
	})
}

// soapFault is a SOAP 1.1 fault; code is s:Client, s:Server, or a qualified name
// of WS-Security.
func soapFault(code, text string) []byte {
	return envelope(func(w *writer) {
		w.wrap("s:Fault", func() {
			name := "faultcode"
			if strings.HasPrefix(code, "wsse:") {
				name += ` xmlns:wsse="` + nsWSSE + `"`
			}
			w.open(name, "faultcode", func() { _ = xml.EscapeText(&w.b, []byte(code)) })
			w.leaf("faultstring", text)
		})
	})
}

// esito is the outcome of a list as its creditor gets it. Without outcomes there
// is no list of them (SPORT, both operations).
//
//parity:s6 SPORT/InserisciListaDiCarico.java:197-263
func esito(l list, result verdict, outcomes []outcome) Delivery {
	name, part, list, one := "EsitoInserimentoListaDiCarico", "EsitoInserimento", "ElencoPosizioniDebitorieInserite", "PosizioneDebitoriaInserita"
	if l.op == opUpdate {
		name, part, list, one = "EsitoAggiornaPosizioniDebitorie", "EsitoAggiornamento", "ElencoPosizioniDebitorieAggiornate", "PosizioneDebitoriaAggiornata"
	}
	body := envelope(func(w *writer) {
		w.wrap("n:"+name+"Request", func() {
			w.result(result)
			w.wrap("n:TestataEsito", func() {
				w.leaf("n:IdMessaggio", l.id)
				w.leaf("n:CFEnteCreditore", l.cf)
				w.leaf("n:CodiceVersamento", l.code)
			})
			if outcomes == nil {
				return
			}
			w.wrap("n:"+part, func() {
				w.wrap("c:"+list, func() {
					for _, o := range outcomes {
						w.wrap("c:"+one, func() {
							w.leaf("c:IdPosizioneDebitoria", o.id)
							w.leaf("c:IUV", o.iuv)
							w.leaf("c:CodiceAvviso", o.avviso)
							w.leaf("c:CodiceEsito", o.Code)
							w.leaf("c:DescrizioneEsito", abbreviate(o.Text, maxText))
						})
					}
				})
			})
		})
	})
	return Delivery{Operation: name, ID: l.id, Body: string(body)}
}

// told is a payment with the position it is for.
type told struct {
	position Position
	payment  Payment

	noPSP  bool // the outcome row is missing: no PSP, no IUR, no dates
	joined bool // the receipt has several payments, whose IURs are one string
	noCode bool // no CodiceAvviso
}

// How the platform renders a calendar: an xs:date gets a zone, and the start of
// the transaction, which it knows only as a day, becomes midnight.
const (
	zonedDate   = "2006-01-02-07:00"
	zonedMoment = "2006-01-02T15:04:05.000-07:00"
)

// notification is one message of the notification job
// (JOB/TrasmettiNotifichePagamento.java:100-500, the branch of the outcome flow).
//
//parity:s14 JOB/TrasmettiNotifichePagamento.java:100-500
func notification(id, cf, code string, ps []told, odd notice) Delivery {
	const name = "TrasmettiNotifichePagamento"
	var total Cents
	for _, p := range ps {
		total += p.payment.Cents
	}
	if odd.offTotal {
		total++
	}
	body := envelope(func(w *writer) {
		w.wrap("n:"+name+"Request", func() {
			w.wrap("n:Testata", func() {
				w.leaf("n:IdMessaggio", id)
				w.leaf("n:CFEnteCreditore", cf)
				w.leaf("n:CodiceVersamento", code)
				w.leaf("n:PagamentiSpontanei", "false") // inserted positions are «attesi»
				w.leaf("n:NumeroPagamenti", fmt.Sprint(len(ps)))
				w.leaf("n:ImportoTotalePagamenti", total.Decimal())
			})
			w.wrap("n:CorpoNotifichePagamento", func() {
				w.wrap("n:ElencoNotifichePagamento", func() {
					for _, p := range ps {
						w.payment(p, odd)
					}
				})
			})
		})
	})
	return Delivery{Operation: name, ID: id, Body: string(body)}
}

// payment writes one NotificaPagamento. Without an outcome row the schema is
// broken; several IURs in one can be too long for it.
//
//parity:s15 JOB/TrasmettiNotifichePagamento.java:281-287
func (w *writer) payment(t told, odd notice) {
	p, pay := t.position, t.payment
	dates, moments, day := zonedDate, zonedMoment, pay.At.In(rome)
	if odd.plain {
		dates, moments = time.DateOnly, "2006-01-02T15:04:05"
	}
	w.wrap("n:NotificaPagamento", func() {
		w.leaf("n:IdPosizioneDebitoria", p.ID)
		w.leaf("n:AnnoDiRiferimento", p.Year)
		w.leaf("n:IUV", p.IUV)
		w.leaf("n:ImportoPagato", pay.Cents.Decimal())
		if !p.Due.IsZero() {
			w.leaf("n:DataScadenza", p.Due.In(rome).Format(dates))
		}
		w.leaf("n:DescrizioneCausaleVersamento", p.Causale)
		if !t.noPSP {
			w.leaf("n:DataEsitoPagamento", day.Format(dates))
		}
		w.subject("n:SoggettoDebitore", p.Debtor)
		if pay.Payer != nil {
			w.subject("n:SoggettoVersante", *pay.Payer)
		}
		w.wrap("n:DatiTransazionePSP", func() {
			if t.noPSP {
				w.leaf("n:TipoVersamento", "PO")
				return
			}
			w.leaf("n:IdPSP", psp)
			w.leaf("n:RagioneSocialePSP", pspName)
			w.leaf("n:TipoVersamento", "PO")
			midnight := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, rome)
			w.leaf("n:DataOraAvvioTransazione", midnight.Format(moments))
			iur := pay.IUR
			if t.joined {
				iur += pay.IUR // how they are joined was not read; the second one is made up
			}
			w.leaf("n:IUR", iur)
			w.leaf("n:ImportoTransato", pay.Cents.Decimal())
		})
		w.leaf("n:DatiSpecificiRiscossione", p.dsr())
		w.leaf("n:Note", p.Note)
		if !t.noCode {
			w.leaf("n:CodiceAvviso", p.Avviso)
		}
	})
}

// The PSP of every payment: invented.
const (
	psp     = "ABI12345"
	pspName = "BANCA DI PROVA S.P.A."
)

// dsr is the first component's.
//
//parity:s14 JOB/TrasmettiNotifichePagamento.java:100-500
func (p Position) dsr() string {
	if len(p.Components) > 0 && p.Components[0].DSR != "" {
		return p.Components[0].DSR
	}
	return "Dato non disponibile"
}

func (w *writer) subject(name string, s Subject) {
	w.wrap(name, func() {
		if s.Company {
			w.wrap("c:PersonaGiuridica", func() { w.leaf("c:RagioneSociale", cut(s.RagioneSociale, 70)) })
		} else {
			w.wrap("c:PersonaFisica", func() {
				w.leaf("c:Cognome", s.Cognome)
				w.leaf("c:Nome", s.Nome)
			})
		}
		w.leaf("c:IdentificativoUnivocoFiscale", s.CF)
		w.leaf("c:Indirizzo", s.Indirizzo)
		w.leaf("c:Civico", s.Civico)
		w.leaf("c:CAP", s.CAP)
		w.leaf("c:Localita", s.Localita)
		w.leaf("c:Provincia", s.Provincia)
		w.leaf("c:Nazione", s.Nazione)
		w.leaf("c:EMail", s.EMail)
	})
}

// valid says that a subject can be written: a notification must never fail.
func (s Subject) valid() bool {
	w := &writer{}
	w.b.WriteString(`<n xmlns:c="` + nsCommon + `">`)
	w.subject("s", s)
	w.b.WriteString("</n>")
	n, err := parseXML(w.b.Bytes())
	return err == nil && rule{kids: subject}.check(n.child("s")) == nil
}
