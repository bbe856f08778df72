package ppaysim

import (
	"fmt"
	"strconv"
	"strings"
)

// paymentBody is PaymentReferences.
type paymentBody struct {
	esitoBody
	IUV        *string `json:"iuv"`
	PaymentURL *string `json:"paymentUrl"`
}

// paymentURL is where the payer would go on; nobody is there. Who pays is the
// control API.
func paymentURL(iuv string) string { return "https://checkout.invalid/?iuv=" + iuv }

// begin puts a position into the hands of a payer. That the platform does it with
// the URL is an inference from the calls that are commented out in SPLIT.
func begin(t tx, p Position) error {
	p.State = Started
	return put(t, bPositions, key(p.CF, p.Type, p.ID), p)
}

// spontaneousBody is PaymentData.
type spontaneousBody struct {
	restPayer
	IdentificativoPagamento string      `json:"identificativoPagamento"`
	Causale                 string      `json:"causale"`
	Importo                 *restAmount `json:"importo"`
	NotePerIlPagatore       string      `json:"notePerIlPagatore"`
}

// restSpontaneous creates as restCreate does (that its checks are the same is
// ours) and begins.
func restSpontaneous(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[spontaneousBody](c.body)
	if err != nil {
		return nil, err
	}
	p, v, err := c.create(t, restNew{restPayer: b.restPayer, ID: b.IdentificativoPagamento, Causale: b.Causale, Cents: b.Importo.cents(), Note: b.NotePerIlPagatore})
	if err != nil || v.bad() {
		return paymentBody{esitoBody: v.esito()}, err
	}
	url := paymentURL(p.IUV)
	return paymentBody{vOK.esito(), &p.IUV, &url}, begin(t, p)
}

// restPayment: SPLIT doGetPagamentoIUVChiamanteEsterno. The creditor must exist;
// whether the IUV is theirs is not asked.
//
// parity:S18 SPLIT doGetPagamentoIUVChiamanteEsterno
func restPayment(t tx, c restCall) (restAnswer, error) {
	f, err := c.facts(t)
	if err != nil {
		return nil, err
	}
	if v := restCreditor(c, f); v.bad() {
		return paymentBody{esitoBody: v.esito()}, nil
	}
	_, p, kind, err := find(t, "", c.iuv)
	if err != nil {
		return nil, err
	}
	switch {
	case p.IUV == "" || !activeNow(p, kind, f.now):
		return paymentBody{esitoBody: inconsistent("Codice Iuv riferito a pagamento effettuato, annullato, in attesa di ricevuta, non piu' valido perche' scaduto oppure non trovato.").esito()}, nil
	case p.State == ByPayer || p.State == Broken:
		return paymentBody{esitoBody: inconsistent("Codice Iuv riferito a pagamento annullato, fallito o non piu' valido.").esito()}, nil
	case p.Cents <= 0: // the front end refuses it: the exception is passed on
		return paymentBody{esitoBody: failed("Errore durante la creazione della transazione").esito()}, nil
	}
	url := paymentURL(p.IUV)
	return paymentBody{vOK.esito(), &p.IUV, &url}, begin(t, p)
}

// stampBody is PaymentDataStampTax.
type stampBody struct {
	restPayer
	IdentificativoPagamento string          `json:"identificativoPagamento"`
	TipoPagamento           string          `json:"tipoPagamento"`
	Importo                 *restAmount     `json:"importo"`
	Causale                 string          `json:"causale"`
	ComponentiPagamento     []restComponent `json:"componentiPagamento"`
	FlagSoloMarca           *bool           `json:"flagSoloMarca"`
	HashDocumento           string          `json:"hashDocumento"`
	ImportoBollo            *restAmount     `json:"importoBollo"`
	Provincia               string          `json:"provincia"`
	Quantita                int             `json:"quantita"`
	TipoBollo               string          `json:"tipoBollo"`
	IuvIstanzaAssociata     string          `json:"iuvIstanzaAssociata"`
}

// stampRefBody is PaymentStampTaxReference.
type stampRefBody struct {
	esitoBody
	IuvDocumento        *string  `json:"iuvDocumento"`
	ElencoIuvMarcaBollo []string `json:"elencoIuvMarcaBollo"`
	PaymentURL          *string  `json:"paymentUrl"`
}

// The cut of a marca in the platform's table, which is not published (ours).
const (
	stampCents = Cents(1600)
	maxStamps  = 10
	hashLength = 44 // a SHA-256 in base64
)

// stampInput: MB validaInputMarca, as far as it was read, then the cut (MB:
// recuperaLimitiPerCodiceMarca).
func stampInput(b stampBody) verdict {
	obliged := func(fine bool, field string) verdict {
		return unless(fine, inconsistent("Il campo "+field+" e' obbligatorio"))
	}
	for _, v := range []verdict{
		obliged(!blank(b.IdentificativoPagamento), "identificativoPagamento"),
		obliged(!blank(b.Causale), "causale"),
		unless(!blank(b.RagioneSociale) || !blank(b.Nome) && !blank(b.Cognome), inconsistent("E' obbligatorio indicare i campi nome e cognome, oppure ragioneSociale")),
		obliged(b.Email != nil && !blank(*b.Email), "email"),
		unless(b.Email == nil || mailForm.MatchString(*b.Email), inconsistent("Il formato della email non e' corretto")),
		obliged(!blank(b.CF), "codiceFiscalePartitaIVAPagatore"),
		obliged(b.HashDocumento != "", "hashDocumento"),
		obliged(b.Provincia != "", "provincia"),
		unless(b.FlagSoloMarca != nil, failed("Errore generico")), // a null is followed
	} {
		if v.bad() {
			return v
		}
	}
	switch {
	case b.ImportoBollo == nil:
		return verdict{}
	case Cents(*b.ImportoBollo) != stampCents || b.TipoBollo != "01":
		return inconsistent("Tipo marca da bollo " + b.TipoBollo + " non trovato per importo = " + Cents(*b.ImportoBollo).Decimal())
	case b.Quantita > maxStamps:
		return inconsistent(fmt.Sprintf("quantita' di marche da bollo %d superiore al limite (%d)", b.Quantita, maxStamps))
	case len(b.HashDocumento) != hashLength:
		return inconsistent(fmt.Sprintf("Lunghezza del'hash documento errata (lunghezza ammmessa %d)", hashLength))
	}
	return verdict{}
}

// restStampTax: MB doAccessoChiamanteEsternoSincrono. Each marca is a position of
// the type in the path; the document, if any, is one of its own type, which must
// be of kind MABL.
//
// parity:S18 MB doAccessoChiamanteEsternoSincrono
func restStampTax(t tx, c restCall) (restAnswer, error) {
	b, err := decodeREST[stampBody](c.body)
	if err != nil {
		return nil, err
	}
	refuse := func(v verdict) (restAnswer, error) { return stampRefBody{esitoBody: v.esito()}, nil }
	if v := stampInput(b); v.bad() {
		return refuse(v)
	}
	if t.in(bRegister).Get(key(opREST, b.IdentificativoPagamento)) != nil {
		return refuse(inconsistent("Identificativo pagamento [" + b.IdentificativoPagamento + "] duplicato"))
	}
	out := stampRefBody{esitoBody: vOK.esito(), ElencoIuvMarcaBollo: []string{}}
	var all []Position
	if b.IuvIstanzaAssociata != "" {
		_, p, kind, err := find(t, "", b.IuvIstanzaAssociata)
		if err != nil {
			return nil, err
		}
		switch {
		case p.IUV == "" || p.State == Void || p.State == Paid:
			return refuse(inconsistent("IUV istanza associata [" + b.IuvIstanzaAssociata + "] non trovato"))
		case kind.Kind != "MABL":
			return refuse(inconsistent("Il tipo di istanza associata non e' compatibile con il pagamento della marca da bollo"))
		}
		out.IuvDocumento, all = &p.IUV, append(all, p)
	}
	n := restNew{restPayer: b.restPayer, ID: b.IdentificativoPagamento, Causale: b.Causale, Cents: b.Importo.cents()}
	if !*b.FlagSoloMarca && b.IuvIstanzaAssociata == "" {
		document := c
		document.code, n.Components = b.TipoPagamento, components(b.ComponentiPagamento)
		f, err := document.facts(t)
		if err != nil {
			return nil, err
		}
		if v := firstREST(document, f, restCreditor, restType); v.bad() {
			return refuse(v)
		}
		if f.kind.Kind != "MABL" {
			return refuse(inconsistent("Codice versamento del documento [" + b.TipoPagamento + "] non abilitato al pagamento della marca da bollo"))
		}
		p, v, err := document.create(t, n)
		if err != nil || v.bad() {
			return stampRefBody{esitoBody: v.esito()}, err
		}
		out.IuvDocumento, all = &p.IUV, append(all, p)
	}
	if b.ImportoBollo != nil {
		for i := range b.Quantita {
			one := n
			one.ID, one.Cents, one.Components = n.ID+"-MB"+strconv.Itoa(i+1), b.ImportoBollo.cents(), nil
			one.extra = restExtra{Hash: b.HashDocumento}
			if out.IuvDocumento != nil {
				one.extra.Document = *out.IuvDocumento
			}
			p, v, err := c.create(t, one)
			if err != nil || v.bad() {
				return stampRefBody{esitoBody: v.esito()}, err
			}
			out.ElencoIuvMarcaBollo, all = append(out.ElencoIuvMarcaBollo, p.IUV), append(all, p)
		}
	}
	if len(all) == 0 {
		return refuse(failed("Errore generico")) // nothing to pay: the first of an empty list
	}
	for _, p := range all {
		if err := begin(t, p); err != nil {
			return nil, err
		}
	}
	url := paymentURL(all[0].IUV)
	out.PaymentURL = &url
	now, err := c.sim.platformNow(t)
	if err != nil {
		return nil, err
	}
	return out, put(t, bRegister, key(opREST, b.IdentificativoPagamento), RegisterEntry{Operation: opREST, Message: b.IdentificativoPagamento, CF: c.org, Type: c.code, Code: vOK.Code, At: now})
}

// attachmentBody is the answer to stampTaxAttachment.
type attachmentBody struct {
	esitoBody
	IUV         string `json:"iuv"`
	RicevutaXML []byte `json:"ricevutaXML,omitempty"`
}

// restStampAttachment gives the XML of a paid marca: its form is that of the
// Agenzia delle Entrate without the signature (ours).
func restStampAttachment(t tx, c restCall) (restAnswer, error) {
	out := attachmentBody{IUV: c.iuv}
	p, _, v, err := c.lookup(t)
	if err != nil {
		return nil, err
	}
	x, _, err := get[restExtra](t, bMeta, extraKey(p.IUV))
	if err != nil {
		return nil, err
	}
	if !v.bad() && (x.Hash == "" || len(p.Payments) == 0) {
		v = inconsistent("Marca da bollo non disponibile per lo IUV " + c.iuv)
	}
	if v.bad() {
		out.esitoBody = v.esito()
		return out, nil
	}
	out.esitoBody = vOK.esito()
	out.RicevutaXML = []byte(`<marcaDaBollo xmlns="http://www.agenziaentrate.gov.it/2014/MarcaDaBollo"><IUBD>` + strings.TrimLeft(p.IUV, "0") +
		`</IUBD><Importo>` + p.Payments[0].Cents.Decimal() + `</Importo><TipoBollo>01</TipoBollo><ImprontaDocumento><DigestValue>` + x.Hash + `</DigestValue></ImprontaDocumento></marcaDaBollo>`)
	return out, nil
}
