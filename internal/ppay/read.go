package ppay

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
	"preavviso/wsdl/epaywso"
)

// The kinds of message that the platform sends are the names of its operations,
// such as "TrasmettiRT". KindUnknown is anything else in a SOAP envelope.
const KindUnknown = "unknown"

// kindOf returns the kind of a message by the name of its body element. The
// soapAction is not looked at: real listeners work under several.
func kindOf(name xml.Name) (string, bool) {
	if kind, ok := flowKind(name); ok {
		return kind, true
	}
	if name.Space != epaywso.NSEPaywso2Enti && name.Space != serviceNS {
		return KindUnknown, false
	}
	switch kind := strings.TrimSuffix(name.Local, "Request"); kind {
	case epaywso.OpEsitoInserimentoListaDiCarico, epaywso.OpEsitoAggiornaPosizioniDebitorie,
		epaywso.OpTrasmettiNotifichePagamento, epaywso.OpTrasmettiRT,
		epaywso.OpTrasmettiRichiesteDiRevoca, epaywso.OpTrasmettiAvvisiScaduti:
		return kind, true
	}
	return KindUnknown, false
}

// The longest values that are taken over. Those of the schema (piemontepay.md
// §4.1) where a key is made of them; more where the platform is known to exceed
// it.
const (
	maxID       = 50    // IdPosizioneDebitoria
	maxHeading  = 35    // IdMessaggio, CFEnteCreditore, IUV, CodiceAvviso
	maxIUR      = 1000  // 35, but the platform joins those of a receipt with several payments
	maxAnything = 2_000 // a text that is shown and never compared
)

// Read says what a message of the platform means. It is pure. What is no message
// of the platform, or has no heading to tell whose it is, is [fault.Invalid]; no
// error holds anything of the message.
//
// A message that does not keep to its schema is taken as far as it can be: it may
// tell of money. Payments that cannot be read are counted and do not hide those
// that can.
func Read(raw []byte) (multe.Event, error) {
	name, m, err := parse(raw)
	if err != nil {
		return multe.Event{}, unreadable(err)
	}
	kind, known := kindOf(name)
	if !known {
		return multe.Event{}, fault.New(fault.Invalid, "ppay.unknown_operation", "PiemontePAY ha inviato un messaggio di un tipo sconosciuto: è conservato così come è arrivato.")
	}
	e := multe.Event{Kind: kind}
	switch kind {
	case epaywso.OpEsitoInserimentoListaDiCarico:
		e.Esito, err = readEsito(m, multe.OperationInsert, PlaceInsert, "EsitoInserimento", "ElencoPosizioniDebitorieInserite", "PosizioneDebitoriaInserita")
	case epaywso.OpEsitoAggiornaPosizioniDebitorie:
		e.Esito, err = readEsito(m, multe.OperationUpdate, PlaceUpdate, "EsitoAggiornamento", "ElencoPosizioniDebitorieAggiornate", "PosizioneDebitoriaAggiornata")
	case epaywso.OpTrasmettiNotifichePagamento:
		e.Notice, err = readNotice(m)
	case epaywso.OpTrasmettiRT:
		e.Receipts, err = readBundle(m, readReceipt, "CorpoRT", "ElencoRT", "RT")
	case epaywso.OpTrasmettiRichiesteDiRevoca:
		e.Revocations, err = readBundle(m, readRevocation, "CorpoRichiesteDiRevoca", "ElencoRichiesteDiRevoca", "RichiestaDiRevoca")
	case epaywso.OpTrasmettiAvvisiScaduti:
		e.Expiries, err = readBundle(m, readExpiry, "CorpoAvvisiScaduti", "ElencoAvvisiScaduti", "AvvisoScaduto")
	case epaywso.OpTrasmettiFlussiPagoPA, epaywso.OpTrasmettiFlussoRendicontazione:
		e.Flusso, err = readFlow(kind, m)
	}
	if err != nil {
		return multe.Event{}, unreadable(fmt.Errorf("%s: %w", kind, err))
	}
	return e, nil
}

func unreadable(err error) error {
	return fault.Wrap(fault.Invalid, "ppay.unreadable", "Un messaggio di PiemontePAY non è leggibile: è conservato così come è arrivato.", err)
}

func readEsito(m *node, op multe.Operation, place Place, path ...string) (*multe.Esito, error) {
	batch, ok1 := m.value(maxHeading, "TestataEsito", "IdMessaggio")
	creditor, ok2 := m.value(maxHeading, "TestataEsito", "CFEnteCreditore")
	code, ok3 := m.value(maxHeading, "Result", "Codice")
	if !ok1 || !ok2 || batch == "" || creditor == "" {
		return nil, errors.New("no heading that tells which list it is about")
	}
	if !ok3 || !threeDigits(code) {
		return nil, errors.New("no result")
	}
	e := &multe.Esito{
		Creditor: multe.CreditorID(creditor), Batch: multe.BatchID(batch), Operation: op,
		Code: code, Verdict: VerdictOf(PlaceList, code),
	}
	for _, p := range m.all(path...) {
		e.Outcomes = append(e.Outcomes, readOutcome(p, place))
	}
	return e, nil
}

// readOutcome never fails: what cannot be read is left out, and without a code
// nobody knows what became of the position.
func readOutcome(p *node, place Place) multe.Outcome {
	id, _ := p.value(maxID, "IdPosizioneDebitoria")
	code, _ := p.value(maxHeading, "CodiceEsito")
	iuv, ok1 := p.value(maxHeading, "IUV")
	notice, ok2 := p.value(maxHeading, "CodiceAvviso")
	o := multe.Outcome{Position: multe.PositionID(id), IUV: iuv, Code: code, Verdict: VerdictOf(place, code)}
	if ok1 && ok2 {
		o.Number = number(notice, iuv)
	}
	return o
}

// number returns the numero avviso of a position, or the zero Number if the
// platform gave none, or one that is malformed or contradicts the IUV. An IUV of
// 17 digits alone is enough: the region's numbers have aux digit 3.
func number(notice, iuv string) avviso.Number {
	if notice == "" && len(iuv) == 17 {
		notice = "3" + iuv
	}
	n, err := avviso.ParseNumber(notice)
	if err != nil || iuv != "" && n.IUV() != iuv {
		return avviso.Number{}
	}
	return n
}

func readNotice(m *node) (*multe.Notice, error) {
	creditor, ok := m.value(maxHeading, "Testata", "CFEnteCreditore")
	if !ok || creditor == "" {
		return nil, errors.New("no heading that tells whose payments they are")
	}
	// Nothing depends on the id: the platform makes a new one at every attempt.
	id, _ := m.value(maxHeading, "Testata", "IdMessaggio")
	n := &multe.Notice{Creditor: multe.CreditorID(creditor), Message: id}
	items := m.all("CorpoNotifichePagamento", "ElencoNotifichePagamento", "NotificaPagamento")
	var sum multe.Cents
	for _, item := range items {
		p, ok := readPayment(item)
		if !ok {
			n.Unread++
			continue
		}
		p.Creditor = n.Creditor
		n.Payments = append(n.Payments, p)
		sum += p.Cents
	}
	// A heading that cannot be read says "", which is no number.
	count, _ := m.value(maxHeading, "Testata", "NumeroPagamenti")
	total, _ := m.value(maxHeading, "Testata", "ImportoTotalePagamenti")
	saidCount, err1 := strconv.Atoi(count)
	saidSum, err2 := avviso.ParseDecimal(total)
	n.Mismatch = err1 != nil || err2 != nil || saidCount != len(items) || saidSum != sum
	return n, nil
}

// readPayment reads one NotificaPagamento. It needs what makes it a payment, an
// IUV and an amount, and reports false if either is missing, or if these or the
// IUR cannot be told. The rest is taken as far as it is there: the platform leaves
// out what it does not have (TrasmettiNotifichePagamento.java:281-287).
func readPayment(item *node) (multe.Payment, bool) {
	iuv, ok1 := item.value(maxHeading, "IUV")
	iur, ok2 := item.value(maxIUR, "DatiTransazionePSP", "IUR")
	paid, ok3 := item.value(maxHeading, "ImportoPagato")
	cents, err := avviso.ParseDecimal(paid)
	if !ok1 || !ok2 || !ok3 || err != nil || iuv == "" {
		return multe.Payment{}, false
	}
	field := func(max int, path ...string) string {
		v, _ := item.value(max, path...)
		return v
	}
	p := multe.Payment{
		IUV: iuv, IUR: iur, Cents: cents,
		Number:   number(field(maxHeading, "CodiceAvviso"), iuv),
		Position: multe.PositionID(field(maxID, "IdPosizioneDebitoria")),
		PaidOn:   readDay(field(maxHeading, "DataEsitoPagamento")),
		PSP:      field(maxAnything, "DatiTransazionePSP", "IdPSP"),
		PSPName:  field(maxAnything, "DatiTransazionePSP", "RagioneSocialePSP"),
	}
	if payer, _ := item.one("SoggettoVersante"); payer != nil {
		p.Payer = readSubject(payer)
	}
	return p, true
}

// readDay reads an xs:date, or the day of an xs:dateTime. The platform renders
// days from a full calendar in its own zone, so the day as written is the one
// that is meant. What is no day gives none.
func readDay(s string) multe.Day {
	s, _, _ = strings.Cut(s, "T")
	var d epaywso.Date
	if err := d.UnmarshalText([]byte(s)); err != nil {
		return multe.Day{}
	}
	return multe.Day(d)
}

// readSubject returns who paid, or nil if the platform does not know: ANONIMO is
// nobody.
func readSubject(s *node) *multe.Debtor {
	field := func(path ...string) string {
		v, _ := s.value(maxAnything, path...)
		return v
	}
	d := multe.Debtor{
		Surname:  field("PersonaFisica", "Cognome"),
		Name:     field("PersonaFisica", "Nome"),
		Company:  field("PersonaGiuridica", "RagioneSociale"),
		CF:       multe.CF(field("IdentificativoUnivocoFiscale")),
		Address:  field("Indirizzo"),
		Civico:   field("Civico"),
		CAP:      field("CAP"),
		City:     field("Localita"),
		Province: field("Provincia"),
		Nation:   field("Nazione"),
		Email:    field("EMail"),
	}
	if d.CF == anonymous || d.Surname == anonymous || d.Company == anonymous || d == (multe.Debtor{}) {
		return nil
	}
	return &d
}
