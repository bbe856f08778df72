package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
)

// The bodies of the calls, by the names of the schemas in epayapi_v1.1.yaml.
// Limits that the YAML does not give are those of the platform's checks. A field
// left zero is not sent.

// Payer is who owes, in every request: a person with both names, or a company.
// It prints as •••, and so does every request, which contains one.
type Payer struct {
	CF      multe.CF `json:"codiceFiscalePartitaIVAPagatore,omitzero"`
	Surname string   `json:"cognome,omitzero"`
	Name    string   `json:"nome,omitzero"`
	Company string   `json:"ragioneSociale,omitzero"`
	Email   string   `json:"email,omitzero"` // with a dotted domain
}

const redaction = "•••"

// LogValue redacts the payer in logs.
func (Payer) LogValue() slog.Value { return slog.StringValue(redaction) }

// Format redacts the payer under every verb of package fmt.
func (Payer) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redaction) }

// Spontaneous is PaymentData: a payment that begins online, without a notice.
type Spontaneous struct {
	Payer
	ID      multe.PositionID `json:"identificativoPagamento,omitzero"` // ≤ 50, never used before
	Causale string           `json:"causale,omitzero"`
	Cents   *Cents           `json:"importo,omitzero"`
	Note    string           `json:"notePerIlPagatore,omitzero"`
}

// NewPosition is DebtPositionData. An amount of 0 is accepted for any payer.
// There are no riferimenti: [Update] adds them.
type NewPosition struct {
	Payer
	ID         multe.PositionID `json:"identificativoPagamento,omitzero"` // ≤ 50, never used before
	Causale    string           `json:"causale,omitzero"`
	Cents      *Cents           `json:"importo,omitzero"`
	Components []Component      `json:"componentiPagamento,omitzero"`
	From       Date             `json:"dataInizioValidita,omitzero"`
	To         Date             `json:"dataFineValidita,omitzero"` // its last day
	Due        Date             `json:"dataScadenza,omitzero"`     // shown, never enforced
	Note       string           `json:"notePerIlPagatore,omitzero"`
	CostUpdate bool             `json:"requiresCostUpdate,omitzero"` // SEND may add its costs
}

// Component is PaymentComponent; in a [StampTax] it is PaymentComponentiMarca and
// has no DSR.
type Component struct {
	Cents   Cents  `json:"importo"`
	Causale string `json:"causale,omitzero"`
	Year    int    `json:"annoAccertamento,omitzero"` // with Number, or neither
	Number  string `json:"numeroAccertamento,omitzero"`
	DSR     string `json:"datiSpecificiRiscossione,omitzero"`
	Order   int    `json:"progressivo,omitzero"`
}

// OtherComponent is PaymentComponentMultipayee: what goes to another creditor.
type OtherComponent struct {
	Component
	Creditor multe.CreditorID `json:"codiceFiscaleEnte,omitzero"`
	Type     string           `json:"codiceVersamento,omitzero"`
}

// SharedPosition is PaymentDataMultipayee, to create a position of several
// creditors or to change one.
type SharedPosition struct {
	Payer
	ID              multe.PositionID `json:"identificativoPagamento,omitzero"`
	Causale         string           `json:"causale,omitzero"`
	Cents           *Cents           `json:"importoTotale,omitzero"` // the sum of the next two
	MainCents       *Cents           `json:"importoTotaleEntePrimario,omitzero"`
	OtherCents      *Cents           `json:"importoTotaleEntiSecondari,omitzero"`
	Components      []Component      `json:"componentiPagamentoEntePrimario,omitzero"`
	OtherComponents []OtherComponent `json:"componentiPagamentoEntiSecondari,omitzero"`
	From            Date             `json:"dataInizioValidita,omitzero"`
	To              Date             `json:"dataFineValidita,omitzero"`
	Due             Date             `json:"dataScadenza,omitzero"`
	Note            string           `json:"notePerIlPagatore,omitzero"`
	CostUpdate      bool             `json:"requiresCostUpdate,omitzero"`
}

// Update is DebtPositionPaymentData: what is to change; the rest stays, except
// CostUpdate, which the platform overwrites at every update, also with nothing.
// References replace all that were there.
type Update struct {
	Payer                        // only while the stored one is ANONIMO
	Cents      *Cents            `json:"importo,omitzero"`
	Components []UpdateComponent `json:"componentiImporto,omitzero"` // their sum is Cents
	Causale    string            `json:"causale,omitzero"`
	Reason     string            `json:"motivazione,omitzero"` // becomes the note
	References []Reference       `json:"riferimentiPagamento,omitzero"`
	From       Date              `json:"dataInizioValidita,omitzero"`
	To         Date              `json:"dataFineValidita,omitzero"`
	Due        Date              `json:"dataScadenza,omitzero"`
	CostUpdate bool              `json:"requiresCostUpdate,omitzero"`
	ID         multe.PositionID  `json:"identificativoPagamento,omitzero"` // read and ignored there
}

// UpdateComponent is an element of componentiImporto.
type UpdateComponent struct {
	Cents   Cents  `json:"importo"`
	Causale string `json:"causaleDescrittiva"`
	Year    int    `json:"annoAccertamento,omitzero"`
	Number  string `json:"numeroAccertamento,omitzero"`
}

// Reference is an element of riferimentiPagamento.
type Reference struct {
	Name  string `json:"nome"`
	Value string `json:"valore"`
}

// StampTax is PaymentDataStampTax: one or more marche da bollo, with or without
// the payment of the document they are for.
type StampTax struct {
	Payer
	ID         multe.PositionID `json:"identificativoPagamento,omitzero"`
	Causale    string           `json:"causale,omitzero"`
	Type       string           `json:"tipoPagamento,omitzero"` // of the document; the path has that of the marca
	Cents      *Cents           `json:"importo,omitzero"`       // of the document
	Components []Component      `json:"componentiPagamento,omitzero"`
	Only       bool             `json:"flagSoloMarca"` // nothing but the marca; the platform fails without the field
	Hash       string           `json:"hashDocumento,omitzero"`
	StampCents *Cents           `json:"importoBollo,omitzero"` // of one marca
	Province   string           `json:"provincia,omitzero"`    // of the payer, two letters
	Quantity   int              `json:"quantita,omitzero"`
	Kind       string           `json:"tipoBollo,omitzero"` // "01"
	Document   string           `json:"iuvIstanzaAssociata,omitzero"`
}

// PositionRef is DebtPositionReference and PaymentMultipayeeReferences.
type PositionRef struct {
	ID     multe.PositionID `json:"identificativoPagamento"`
	Number avviso.Number    `json:"codiceAvviso"`
	IUV    string           `json:"iuv"`
}

// PaymentRef is PaymentReferences: where the payer goes on.
type PaymentRef struct {
	IUV string `json:"iuv"`
	URL string `json:"paymentUrl"`
}

// StampTaxRef is PaymentStampTaxReference.
type StampTaxRef struct {
	Document string   `json:"iuvDocumento"`
	Stamps   []string `json:"elencoIuvMarcaBollo"` // one IUV a marca
	URL      string   `json:"paymentUrl"`
}

// State is the code of a Status.
type State string

const (
	StatePaid     State = "0"
	StateUnpaid   State = "1" // also while somebody is paying, and at amount 0
	StateVoid     State = "2"
	StateNotYet   State = "3" // before dataInizioValidita
	StateNoLonger State = "4" // after dataFineValidita
	StateOther    State = "-1"
)

// Status says where a position stands.
type Status struct {
	State State  `json:"code"`
	Text  string `json:"description"`
}

// PaymentData is PaymentDataResult. It prints as •••.
type PaymentData struct {
	// Cents is the amount of the position, paid or not: the platform calls it the
	// total paid and fills it with what is due (rest:doGetDatiPagamento…).
	Cents        *Cents           `json:"importoPagatoTotale"`
	MainCents    *Cents           `json:"importoPagato"` // of the first creditor, where there are several
	Creditor     multe.CreditorID `json:"codiceFiscaleEnteBeneficiario"`
	CreditorName string           `json:"enteBeneficiario"`
	Type         string           `json:"tipologiaVersamento"` // a description, not the code
	Shares       Shares           `json:"datiMultibeneficiario,omitzero"`
	Debtor       string           `json:"nomeECognomeRagioneSociale"`
	CF           multe.CF         `json:"codiceFiscalePIva"` // of the debtor; ANONIMO
	Avviso       string           `json:"codiceAvviso"`      // 18 digits
	IUV          string           `json:"identificativoUnicoVersamento"`
	Causale      string           `json:"infoAggiuntive"`

	// Of the payment; empty while there is none.
	Transaction string  `json:"numeroTransazione"`
	PSP         string  `json:"prestatoreDiServiziDiPagamento"`
	Operation   Instant `json:"dataEOraOperazione"`
	Outcome     Instant `json:"dataEsitoPagamento"`
	IUR         string  `json:"identificativoUnicoRiscossione"`
}

// LogValue redacts the data in logs.
func (PaymentData) LogValue() slog.Value { return slog.StringValue(redaction) }

// Format redacts the data under every verb of package fmt.
func (PaymentData) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redaction) }

// Share is PaymentDataMultipayeeResult.
type Share struct {
	CreditorName string           `json:"enteBeneficiario"`
	Creditor     multe.CreditorID `json:"codiceFiscaleEnteBeneficiario"`
	Type         string           `json:"tipologiaVersamento"`
	Cents        *Cents           `json:"importoPagato"`
}

// Shares is one Share in the YAML, and a list in the platform's source.
type Shares []Share

// UnmarshalJSON reads either.
func (s *Shares) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte("{")) {
		*s = make(Shares, 1)
		return json.Unmarshal(text, &(*s)[0])
	}
	return json.Unmarshal(text, (*[]Share)(s))
}

// ReceiptRequest asks for the copy of a receipt. The call is not in the YAML.
type ReceiptRequest struct {
	ID       multe.PositionID `json:"identificativoPagamento"`
	CF       multe.CF         `json:"codiceFiscale"` // as stored: ANONIMO, if nobody set the debtor
	IUV      string           `json:"iuv"`
	Format   string           `json:"formatoRT"` // PDF or XML
	Creditor multe.CreditorID `json:"codiceFiscaleEnte"`
}

// Receipt is the answer to a [ReceiptRequest]. A payment known from an accounting
// flow has no file at all, and one known from a receipt no XML.
type Receipt struct {
	Kind     string `json:"ricevuta"`                  // RT, RECEIPT or FLUSSO_DI_RIVERSAMENTO
	State    string `json:"descrizioneStatoPagamento"` // filled once ID, CF and creditor were found to match
	IUV      string `json:"iuvOriginario"`
	PaidWith string `json:"iuvEffettivo"`
	PDF      []byte `json:"ricevutaPdf"`
	XML      []byte `json:"rtXml"`
}

// notice is PaymentNotice.
type notice struct {
	PDF []byte `json:"paymentnotice"`
}

// attachment is the answer to stampTaxAttachment, which is not in the YAML.
type attachment struct {
	IUV string `json:"iuv"`
	XML []byte `json:"ricevutaXML"`
}

// none is an answer of which only the result counts.
type none struct{}
