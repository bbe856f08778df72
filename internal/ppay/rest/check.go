package rest

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"preavviso/internal/avviso"
	"preavviso/internal/fault"
	"preavviso/internal/multe"
)

// What the platform would refuse is refused here: there it may already have spent
// the identificativoPagamento, or fail with a code that says nothing. The errors
// name fields, never what is in them.

// Limits of the platform.
const (
	maxID      = 50  // ChiamataEsternaSincronaSplitBean.java:885-1000
	maxCausale = 140 // the column; an update is cut to it (EpayTPagamento.java:50-98)
)

var (
	creditorForm = regexp.MustCompile(`\A[a-zA-Z0-9]{11,16}\z`) // ChiamataEsternaSincronaV1Api.java:49-205, as the next two
	typeForm     = regexp.MustCompile(`\A[a-zA-Z0-9]{4}\z`)
	iuvForm      = regexp.MustCompile(`\A[0-9]{17,35}\z`)
	emailForm    = regexp.MustCompile(`\A[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+\z`)
	alnumForm    = regexp.MustCompile(`\A[a-zA-Z0-9]+\z`)
)

func checkCreditor(o multe.CreditorID) error {
	return unless(creditorForm.MatchString(string(o)), "organization: il codice fiscale dell'ente ha da 11 a 16 lettere e cifre")
}

func checkType(typ string) error {
	return unless(typeForm.MatchString(typ), "paymentType: il codice versamento ha esattamente 4 lettere o cifre")
}

func checkIUV(iuv string) error {
	return unless(iuvForm.MatchString(iuv), "iuv: lo IUV ha da 17 a 35 cifre")
}

// under is a path of payment type typ of creditor o.
func under(o multe.CreditorID, typ, rest string) (string, error) {
	return "/organizations/" + url.PathEscape(string(o)) + "/paymenttypes/" + url.PathEscape(typ) + "/" + rest,
		errors.Join(checkCreditor(o), checkType(typ))
}

// position is a path of one position.
func position(o multe.CreditorID, typ, iuv, rest string) (string, error) {
	path, err := under(o, typ, "debtpositions/"+url.PathEscape(iuv)+rest)
	return path, errors.Join(err, checkIUV(iuv))
}

func unless(fine bool, format string, args ...any) error {
	if fine {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// cannotSend makes an answer to the caller of what errors.Join collected.
func cannotSend(err error) error {
	why := strings.ReplaceAll(err.Error(), "\n", "; ")
	return fault.New(fault.Invalid, "ppay.cannot_send", "La richiesta a PiemontePAY non è valida: "+why+".")
}

// check wants a whole payer.
func (p Payer) check() error {
	person := p.Surname != "" || p.Name != ""
	return errors.Join(
		unless(strings.TrimSpace(string(p.CF)) != "", "codiceFiscalePartitaIVAPagatore: manca"),
		unless(person != (p.Company != ""), "servono cognome e nome, oppure ragioneSociale"),
		unless(!person || strings.TrimSpace(p.Surname) != "" && strings.TrimSpace(p.Name) != "", "servono sia cognome sia nome"),
		unless(p.Email == "" || emailForm.MatchString(p.Email), "email: forma non ammessa"),
	)
}

func checkID(id multe.PositionID) error {
	return unless(strings.TrimSpace(string(id)) != "" && utf8.RuneCountInString(string(id)) <= maxID, "identificativoPagamento: servono da 1 a %d caratteri", maxID)
}

func checkCausale(s string, needed bool) error {
	return unless((!needed && s == "" || strings.TrimSpace(s) != "") && utf8.RuneCountInString(s) <= maxCausale, "causale: servono da 1 a %d caratteri", maxCausale)
}

func checkCents(name string, c *Cents, needed bool) error {
	if c == nil {
		return unless(!needed, "%s: manca", name)
	}
	return unless(*c >= 0 && avviso.Cents(*c) <= avviso.MaxCents, "%s: da 0,00 a 999.999.999,99 euro", name)
}

func checkDates(from, to, due Date) error {
	for _, d := range []Date{from, to, due} {
		if !d.IsZero() && !d.exists() {
			return errors.New("una data non esiste")
		}
	}
	return unless(from.IsZero() || to.IsZero() || multe.Day(from).Compare(multe.Day(to)) <= 0, "dataFineValidita: viene prima di dataInizioValidita")
}

// checkSum wants components, if there are any, to make up the total.
func checkSum(name string, total *Cents, cents []Cents) error {
	if len(cents) == 0 {
		return nil
	}
	var sum Cents
	for _, c := range cents {
		if err := checkCents(name, &c, true); err != nil {
			return err
		}
		sum += c
	}
	return unless(total != nil && sum == *total, "%s: la somma non è l'importo", name)
}

func checkAccertamento(year int, number string) error {
	return unless((year != 0) == (strings.TrimSpace(number) != ""), "annoAccertamento e numeroAccertamento vanno insieme")
}

func checkComponents(name string, total *Cents, cs []Component) error {
	cents := make([]Cents, len(cs))
	var errs []error
	for i, c := range cs {
		cents[i] = c.Cents
		errs = append(errs, checkAccertamento(c.Year, c.Number))
	}
	return errors.Join(append(errs, checkSum(name, total, cents))...)
}

func (p Spontaneous) check() error {
	return errors.Join(p.Payer.check(), checkID(p.ID), checkCausale(p.Causale, true), checkCents("importo", p.Cents, true))
}

func (p NewPosition) check() error {
	return errors.Join(p.Payer.check(), checkID(p.ID), checkCausale(p.Causale, true), checkCents("importo", p.Cents, true),
		checkDates(p.From, p.To, p.Due), checkComponents("componentiPagamento", p.Cents, p.Components))
}

// check is of what creating and changing share.
func (p SharedPosition) check() error {
	var errs []error
	if p.Payer != (Payer{}) {
		errs = append(errs, p.Payer.check())
	}
	other := make([]Component, len(p.OtherComponents))
	for i, c := range p.OtherComponents {
		other[i] = c.Component
	}
	amounts := p.Cents != nil || p.MainCents != nil || p.OtherCents != nil
	return errors.Join(append(errs, checkCausale(p.Causale, false), checkDates(p.From, p.To, p.Due),
		checkCents("importoTotale", p.Cents, amounts), checkCents("importoTotaleEntePrimario", p.MainCents, amounts), checkCents("importoTotaleEntiSecondari", p.OtherCents, amounts),
		unless(p.Cents == nil || p.MainCents == nil || p.OtherCents == nil || *p.Cents == *p.MainCents+*p.OtherCents, "importoTotale: non è la somma degli altri due"),
		checkComponents("componentiPagamentoEntePrimario", p.MainCents, p.Components), checkComponents("componentiPagamentoEntiSecondari", p.OtherCents, other))...)
}

// complete is of what only creating needs.
func (p SharedPosition) complete() error {
	return errors.Join(p.Payer.check(), checkID(p.ID), checkCausale(p.Causale, true), checkCents("importoTotale", p.Cents, true))
}

func (u Update) check() error {
	var errs []error
	if u.Payer != (Payer{}) {
		errs = append(errs, u.Payer.check())
	}
	cents := make([]Cents, len(u.Components))
	for i, c := range u.Components {
		cents[i] = c.Cents
		errs = append(errs, checkAccertamento(c.Year, c.Number), unless(strings.TrimSpace(c.Causale) != "", "causaleDescrittiva: manca"))
	}
	for _, r := range u.References {
		errs = append(errs, unless(strings.TrimSpace(r.Name) != "" && strings.TrimSpace(r.Value) != "", "riferimentiPagamento: servono nome e valore"))
	}
	return errors.Join(append(errs, checkCents("importo", u.Cents, false), checkCausale(u.Causale, false), checkDates(u.From, u.To, u.Due),
		checkSum("componentiImporto", u.Cents, cents))...)
}

func (s StampTax) check() error {
	return errors.Join(s.Payer.check(), checkID(s.ID), checkCausale(s.Causale, true),
		unless(s.Email != "", "email: manca"), unless(s.Hash != "", "hashDocumento: manca"), unless(s.Province != "", "provincia: manca"),
		unless(s.Document == "" || iuvForm.MatchString(s.Document), "iuvIstanzaAssociata: lo IUV ha da 17 a 35 cifre"),
		unless(s.StampCents != nil || !s.Only, "importoBollo: manca"), unless(s.StampCents == nil || s.Quantity > 0, "quantita: almeno 1"),
		unless(s.Only || s.Document != "" || s.Cents != nil && s.Type != "", "tipoPagamento e importo del documento: mancano"),
		checkCents("importo", s.Cents, false), checkCents("importoBollo", s.StampCents, false), checkComponents("componentiPagamento", s.Cents, s.Components))
}

func (r ReceiptRequest) check() error {
	return errors.Join(checkCreditor(r.Creditor), checkIUV(r.IUV), checkID(r.ID),
		unless(alnumForm.MatchString(string(r.CF)), "codiceFiscale: solo lettere e cifre"),
		unless(r.Format == "PDF" || r.Format == "XML", "formatoRT: PDF o XML"))
}
